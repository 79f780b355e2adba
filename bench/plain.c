/*
 * plain: opening a kdb+ database of 2,000 dates and 5 tables that nobody manages, and the first
 * questions to it.
 *
 * The dates are hard links of one part, so that making them costs names alone. Everything is warm.
 * Beside opening stands what no reader can do without: a listing of the root and of the last date,
 * and a look at the first page of every file there.
 */
#include "kit/kit.h"

#include "cmd/plain_base.h"
#include "os/dir.h"
#include "os/file.h"
#include "q/symbol.h"
#include "q/temporal.h"
#include "table/splay.h"

#define DATES  2000
#define ROUNDS 15
#define ROWS   1000

static const char *const names[] = {"trade", "quote", "depth", "nbbo", "bars"};
static char dir[256];
static Arena memory;

/* ---- the database */

static Schema *schema_make(void)
{
    static const struct {
        const char *name;
        int type;
    } columns[] = {
        {"time", QT_TIMESTAMP}, {"sym", QT_SYMBOL}, {"price", QT_FLOAT}, {"size", QT_LONG}};

    Schema *s = arena_new(&memory, Schema);
    *s = (Schema){.name = "trade", .column_count = COUNT_OF(columns), .prtn = 0, .updated = -1};
    s->columns = arena_array(&memory, SchemaColumn, s->column_count);
    for (u32 i = 0; i < s->column_count; i++)
        s->columns[i] = (SchemaColumn){.name = columns[i].name, .type = columns[i].type};
    s->columns[1].attr[PLACE_DISK] = ATTR_PARTED;
    schema_seal(s);
    return s;
}

/* Writes the one part. */
static void write_part(const char *path, i32 day)
{
    Domain d = {0};
    Batch b;
    SplayOut out;
    u64 size = 0;
    i32 ids[ROWS];
    batch_init(&b, schema_make());
    for (i64 i = 0; i < ROWS; i++) {
        i64 time = day * TEMPORAL_DAY_NS + i;
        f64 price = (f64)i;
        char name[8];
        snprintf(name, sizeof name, "S%02d", (int)(i / 100));
        KIT_OK(symbol_intern(str_of(name), &ids[i]));
        KIT_OK(vec_append(&b.cols[0], &time, 1));
        KIT_OK(vec_append(&b.cols[1], &ids[i], 1));
        KIT_OK(vec_append(&b.cols[2], &price, 1));
        KIT_OK(vec_append(&b.cols[3], &i, 1));
    }
    b.rows = ROWS;
    KIT_OK(domain_open(&d, dir_join(&memory, dir, "sym", NULL), UINT64_MAX));
    KIT_OK(domain_add(&d, ids, ROWS));
    KIT_OK(domain_save(&d, &size));
    KIT_OK(splay_out_open(&out, path, b.schema, PLACE_DISK, ROWS));
    KIT_OK(splay_out_batch(&out, &b, NULL, ROWS, &d));
    KIT_OK(splay_out_finish(&out));
    splay_out_drop(&out);
    domain_close(&d);
    batch_free(&b);
}

static void make(void)
{
    const char *first = NULL;
    DirEntry *files = NULL;
    u64 count = 0;
    const char *base = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/bench-plain.XXXXXX", base == NULL ? "/var/tmp" : base);
    if (mkdtemp(dir) == NULL) kit_die("%s: cannot be made", dir);
    for (i32 day = KIT_DAY - DATES; day < KIT_DAY; day++) {
        char name[TEMPORAL_TEXT_MAX];
        temporal_date_name(day, name);
        char *part = dir_join(&memory, dir, name, NULL);
        KIT_OK(dir_make(part));
        for (u32 t = 0; t < COUNT_OF(names); t++) {
            char *table = dir_join(&memory, part, names[t], NULL);
            if (first == NULL) {
                write_part(table, day);
                KIT_OK(dir_list(table, 64, &memory, &files, &count));
                first = table;
                continue;
            }
            KIT_OK(dir_make(table));
            for (u64 i = 0; i < count; i++)
                KIT_OK(dir_hard_link(dir_join(&memory, first, files[i].name, NULL),
                                     dir_join(&memory, table, files[i].name, NULL)));
        }
    }
}

/* ---- what is measured */

/* Lists the root and the last date, and reads the first page of each of its files. */
static f64 look(void)
{
    Arena a = {0};
    DirEntry *dates = NULL, *tables = NULL, *files = NULL;
    u64 date_count = 0, table_count = 0, file_count = 0, got;
    u8 page[4096];
    f64 began = kit_now();
    KIT_OK(dir_list(dir, 1u << 20, &a, &dates, &date_count));
    char *last = dir_join(&a, dir, dates[date_count - 2].name, NULL); /* sym comes behind */
    KIT_OK(dir_list(last, 64, &a, &tables, &table_count));
    for (u64 t = 0; t < table_count; t++) {
        char *table = dir_join(&a, last, tables[t].name, NULL);
        KIT_OK(dir_list(table, 64, &a, &files, &file_count));
        for (u64 i = 0; i < file_count; i++) {
            File f = FILE_NONE;
            KIT_OK(file_open(&f, dir_join(&a, table, files[i].name, NULL), FILE_READ));
            KIT_OK(file_read_some(&f, page, sizeof page, 0, &got));
            file_drop(&f);
        }
    }
    f64 ms = 1000 * (kit_now() - began);
    arena_free(&a);
    return ms;
}

static f64 open_once(PlainBase **keep)
{
    PlainBase *b = NULL;
    f64 began = kit_now();
    KIT_OK(plain_base_open(&b, dir, 1));
    f64 ms = 1000 * (kit_now() - began);
    if (keep != NULL)
        *keep = b;
    else
        plain_base_release(b);
    return ms;
}

/* Counts a table's rows, of one date or of all. */
static f64 ask(PlainBase *b, bool one, i64 expected)
{
    Arena a = {0};
    Value args = value_dict(&a, 3), table;
    Value agg = value_list(&a, 1), item = value_list(&a, 3);
    Value filter = value_list(&a, 1), equal = value_list(&a, 3);
    vec_value(&item.as.vec)[0] = value_symbol("s");
    vec_value(&item.as.vec)[1] = value_symbol("sum");
    vec_value(&item.as.vec)[2] = value_symbol("size");
    vec_value(&agg.as.vec)[0] = item;
    vec_value(&equal.as.vec)[0] = value_symbol("=");
    vec_value(&equal.as.vec)[1] = value_symbol("date");
    vec_value(&equal.as.vec)[2] = value_atom(QT_DATE, KIT_DAY - 100);
    vec_value(&filter.as.vec)[0] = equal;
    value_put(&args, "table", value_symbol("trade"));
    value_put(&args, "agg", agg);
    if (one) value_put(&args, "filter", filter);
    f64 began = kit_now();
    KIT_OK(plain_base_get(b, &args, &a, &table));
    f64 ms = 1000 * (kit_now() - began);
    i64 sum = vec_i64(&table.as.table.cols[0].as.vec)[0];
    if (sum != expected) kit_die("the sum is %lld, not %lld", (long long)sum, (long long)expected);
    arena_free(&a);
    return ms;
}

int main(void)
{
    f64 opened[ROUNDS], looked[ROUNDS], one[ROUNDS], all[ROUNDS];
    const i64 sum = ROWS * (ROWS - 1) / 2;
    kit_title("plain", "a kdb+ database of 2,000 dates and 5 tables, median of 15");
    make();
    open_once(NULL);
    for (u32 i = 0; i < ROUNDS; i++) {
        PlainBase *b = NULL;
        looked[i] = look();
        opened[i] = open_once(&b);
        one[i] = ask(b, true, sum);
        all[i] = ask(b, false, DATES * sum);
        plain_base_release(b);
    }
    f64 open_ms = kit_percentile(opened, ROUNDS, 0.5),
        look_ms = kit_percentile(looked, ROUNDS, 0.5);
    kit_line("opening it", open_ms, "ms", "listing and first pages", look_ms, open_ms / look_ms);
    kit_line("the first query, one date", kit_percentile(one, ROUNDS, 0.5), "ms", "", -1, 0);
    kit_line("the first query, all dates", kit_percentile(all, ROUNDS, 0.5), "ms", "", -1, 0);
    kit_remove(dir);
    arena_free(&memory);
    return 0;
}
