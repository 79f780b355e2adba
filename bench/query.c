/*
 * query: six questions to a day of 10 million trades of 5,000 symbols, beside plain C.
 *
 * The plain C loops run over the same mapped columns, know the layout by heart, and write the same
 * result columns: bounds of a symbol from the parted payload, time by binary search, no filter, no
 * types. Our side is run_prepare, run_execute, run_finish, in this process, with as many threads as
 * the loop has; parsing, encoding and sockets are left out, and shown for information by asking a
 * real reader over q IPC. Each figure is the least of several runs, ours and theirs in turn, as
 * the least is what the code costs. Every answer is compared with plain C's.
 */
#include "kit/kit.h"

#include "os/dir.h"
#include "os/pool.h"
#include "os/proc.h"
#include "q/symbol.h"
#include "query/getdata.h"
#include "query/run.h"
#include "table/splay.h"

#include <math.h>

#define SYMBOLS 5000
#define MINUTE  60000000000ll
#define DAY_NS  86400000000000ll
#define START   ((i64)KIT_DAY * DAY_NS)
#define RUNS    15

static KitSystem sys;
static KitDb db;
static const KitTable *const tables[] = {&kit_trade};
static Domain domain;
static QuerySource source;

/* The mapped columns, as plain C sees them. */
static Column col_time, col_sym, col_price, col_size, col_ex, col_side;

/* ---- the day */

/* Writes the part: symbol after symbol in the order of the names, times ascending in each. */
static void build(u64 rows)
{
    const Schema *s = schema_table(&db.config.tables, STR("trade"));
    KitFeed feed;
    Arena a = {0};
    SplayOut out;
    u64 counts[SYMBOLS] = {0}, done = 0, size = 0;
    u64 made = publish_next(&db.publish);
    char *path = root_date_path(&db.root, &a, 0, KIT_DAY, made);
    i32 ids[SYMBOLS], exs[4], id;
    static const char *const exchanges[] = {"B", "CME", "N", "Q"};
    char name[16];
    kit_feed_open(&feed, 5, SYMBOLS, START, 1);
    for (u64 i = 0; i < rows; i++) {
        u64 r = prng_next(&feed.prng);
        counts[r % 64 == 0 ? (r >> 32) % SYMBOLS : feed.zipf[(r >> 8) % 65536]]++;
    }
    KIT_OK(domain_open(&domain, db.root.sym, UINT64_MAX));
    for (u32 i = 0; i < SYMBOLS; i++) {
        snprintf(name, sizeof name, "S%04u", i);
        KIT_OK(symbol_intern(str_of(name), &ids[i]));
    }
    for (u32 i = 0; i < 4; i++)
        KIT_OK(symbol_intern(str_of(exchanges[i]), &exs[i]));
    KIT_OK(domain_add(&domain, ids, SYMBOLS));
    KIT_OK(domain_add(&domain, exs, 4));
    KIT_OK(domain_save(&domain, &size));
    KIT_OK(dir_make_all(path));
    KIT_OK(splay_out_open(&out, dir_join(&a, path, "trade", NULL), s, PLACE_DISK, rows));
    column_out_names(out.cols[1], domain.ids, domain.count);
    column_out_names(out.cols[4], domain.ids, domain.count);
    u64 most = 0;
    for (u32 i = 0; i < SYMBOLS; i++)
        most = MAX(most, counts[i]);
    i64 *whole = malloc(most * 8);
    f64 *real = malloc(most * 8);
    char *side = malloc(most);
    if (whole == NULL || real == NULL || side == NULL) kit_die("no memory");
    for (u32 i = 0; i < SYMBOLS; i++) {
        /* the weight of a name is that of its draw (kit.c) */
        sscanf(feed.names[i], "S%u", (unsigned *)&id);
        u64 n = 0;
        for (u32 k = 0; k < SYMBOLS; k++)
            if ((u64)k * 2741 % SYMBOLS == i) n = counts[k];
        for (u64 r = 0; r < n; r++)
            whole[r] = START + (i64)((f64)DAY_NS * (f64)r / (f64)n);
        KIT_OK(column_append(out.cols[0], whole, n));
        for (u64 r = 0; r < n; r++)
            whole[r] = domain_find(&domain, ids[i]);
        KIT_OK(column_append(out.cols[1], whole, n));
        for (u64 r = 0; r < n; r++) {
            real[r] = 50 + (f64)(prng_next(&feed.prng) % 10000) / 100;
            side[r] = r % 3 == 0 ? 'B' : 'S';
        }
        KIT_OK(column_append(out.cols[2], real, n));
        KIT_OK(column_append(out.cols[5], side, n));
        for (u64 r = 0; r < n; r++)
            whole[r] = (i64)(1 + prng_next(&feed.prng) % 1000);
        KIT_OK(column_append(out.cols[3], whole, n));
        for (u64 r = 0; r < n; r++)
            whole[r] = domain_find(&domain, exs[r % 4]);
        KIT_OK(column_append(out.cols[4], whole, n));
        done += n;
    }
    out.rows = done;
    KIT_OK(splay_out_finish(&out));
    PartTable table = {.name = "trade",
                       .rows = done,
                       .bytes = out.bytes,
                       .time_min = START,
                       .time_max = START + DAY_NS - 1,
                       .schema_hash = s->hash};
    Part part = {.kind = PART_DATE,
                 .key = KIT_DAY,
                 .day = KIT_DAY,
                 .made = made,
                 .path = path,
                 .table_count = 1,
                 .tables = &table};
    PublishChange c = publish_change(&db.publish);
    c.add = &part;
    c.add_count = 1;
    c.sym_size = size;
    KIT_OK(publish_commit(&db.publish, &c));
    Column *const cols[] = {&col_time, &col_sym, &col_price, &col_size, &col_ex, &col_side};
    for (u32 i = 0; i < 6; i++)
        KIT_OK(column_open(cols[i], dir_join(&a, path, "trade", kit_trade.columns[i], NULL)));
    free(whole);
    free(real);
    free(side);
    kit_feed_close(&feed);
    arena_free(&a);
}

/* ---- plain C: each writes its result into arrays made before */

static i32 *out_ids;
static f64 *out_values;
static i64 *out_time, *out_size;
static i32 *out_sym, *out_ex;
static f64 *out_price;
static u8 *out_side;
static u64 out_rows;
static f64 out_sum;

static void plain_last(void)
{
    const f64 *price = col_price.data;
    const i64 *key = col_sym.keys;
    for (u64 k = 0; k < col_sym.key_count; k++) {
        out_ids[k] = domain.ids[key[k]];
        out_values[k] = price[col_sym.offs[k + 1] - 1];
    }
    out_rows = col_sym.key_count;
}

static void vwap(u64 from, u64 to)
{
    const f64 *price = col_price.data;
    const i64 *size = col_size.data, *key = col_sym.keys;
    for (u64 k = from; k < to; k++) {
        f64 a[4] = {0}, b[4] = {0};
        u64 r = (u64)col_sym.offs[k], end = (u64)col_sym.offs[k + 1];
        for (; r + 4 <= end; r += 4)
            for (u32 j = 0; j < 4; j++) {
                f64 w = (f64)size[r + j];
                a[j] += w * price[r + j];
                b[j] += w;
            }
        for (; r < end; r++) {
            a[0] += (f64)size[r] * price[r];
            b[0] += (f64)size[r];
        }
        out_ids[k] = domain.ids[key[k]];
        out_values[k] = (a[0] + a[1] + a[2] + a[3]) / (b[0] + b[1] + b[2] + b[3]);
    }
}

static void plain_vwap(void)
{
    vwap(0, col_sym.key_count);
    out_rows = col_sym.key_count;
}

static f64 sum_of(u64 from, u64 to)
{
    const f64 *price = col_price.data;
    f64 s[16] = {0};
    u64 r = from;
    for (; r + 16 <= to; r += 16)
        for (u32 j = 0; j < 16; j++)
            s[j] += price[r + j];
    for (; r < to; r++)
        s[0] += price[r];
    for (u32 j = 1; j < 16; j++)
        s[0] += s[j];
    return s[0];
}

static void plain_sum(void) { out_sum = sum_of(0, col_price.rows); }

#define LARGE 500 /* what a filter asks of sizes: half of them are larger */

static void plain_filter(void)
{
    const f64 *price = col_price.data;
    const i64 *size = col_size.data;
    f64 s[16] = {0};
    u64 r = 0;
    for (; r + 16 <= col_price.rows; r += 16)
        for (u32 j = 0; j < 16; j++)
            s[j] += price[r + j] * (f64)(size[r + j] > LARGE);
    for (; r < col_price.rows; r++)
        s[0] += size[r] > LARGE ? price[r] : 0;
    for (u32 j = 1; j < 16; j++)
        s[0] += s[j];
    out_sum = s[0];
}

/* The same by symbol. */
static void plain_groups(void)
{
    const f64 *price = col_price.data;
    const i64 *size = col_size.data, *key = col_sym.keys;
    for (u64 k = 0; k < col_sym.key_count; k++) {
        f64 a[4] = {0};
        u64 r = (u64)col_sym.offs[k], end = (u64)col_sym.offs[k + 1];
        for (; r + 4 <= end; r += 4)
            for (u32 j = 0; j < 4; j++)
                a[j] += price[r + j] * (f64)(size[r + j] > LARGE);
        for (; r < end; r++)
            a[0] += size[r] > LARGE ? price[r] : 0;
        out_ids[k] = domain.ids[key[k]];
        out_values[k] = a[0] + a[1] + a[2] + a[3];
    }
    out_rows = col_sym.key_count;
}

static const i64 *bound(const i64 *t, u64 n, i64 wanted)
{
    while (n > 0) {
        u64 half = n / 2;
        if (t[half] < wanted) {
            t += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return t;
}

static i32 window_id;
static i64 window_from;

/* All columns of one symbol's five minutes, symbols as ids. */
static void plain_window(void)
{
    i32 index = domain_find(&domain, window_id);
    const i64 *key = col_sym.keys, *time = col_time.data, *ex = col_ex.data, *sym = col_sym.data;
    u64 k = 0;
    while (key[k] != index)
        k++;
    u64 first = (u64)col_sym.offs[k], n = (u64)col_sym.offs[k + 1] - first;
    u64 from = (u64)(bound(time + first, n, window_from) - time);
    u64 to = (u64)(bound(time + first, n, window_from + 5 * MINUTE) - time);
    out_rows = to - from;
    memcpy(out_time, time + from, 8 * out_rows);
    memcpy(out_price, (const f64 *)col_price.data + from, 8 * out_rows);
    memcpy(out_size, (const i64 *)col_size.data + from, 8 * out_rows);
    memcpy(out_side, (const u8 *)col_side.data + from, out_rows);
    for (u64 r = 0; r < out_rows; r++) {
        out_sym[r] = domain.ids[sym[from + r]];
        out_ex[r] = domain.ids[ex[from + r]];
    }
}

/* ---- the same on two threads */

static Err vwap_share(void *arg, u64 i)
{
    u64 shares = *(u64 *)arg, n = col_sym.key_count;
    /* equal shares of rows, cut at symbols */
    u64 low = col_sym.rows * i / shares, high = col_sym.rows * (i + 1) / shares, from = 0, to = 0;
    while (from < n && (u64)col_sym.offs[from] < low)
        from++;
    for (to = from; to < n && (u64)col_sym.offs[to] < high;)
        to++;
    vwap(from, to);
    return E_OK;
}

static f64 shares_sum[64];

static Err sum_share(void *arg, u64 i)
{
    u64 shares = *(u64 *)arg;
    shares_sum[i] = sum_of(col_price.rows * i / shares, col_price.rows * (i + 1) / shares);
    return E_OK;
}

static void plain_vwap_all(void)
{
    u64 shares = (u64)MIN(proc_cpus(), 64);
    KIT_OK(pool_run(shares, (int)shares, vwap_share, &shares));
    out_rows = col_sym.key_count;
}

static void plain_sum_all(void)
{
    u64 shares = (u64)MIN(proc_cpus(), 64);
    KIT_OK(pool_run(shares, (int)shares, sum_share, &shares));
    out_sum = 0;
    for (u64 i = 0; i < shares; i++)
        out_sum += shares_sum[i];
}

/* ---- ours */

static void put_filter(Value *v, Arena *a, const char *op, const char *column, Value operand)
{
    Value filter = value_list(a, 1), one = value_list(a, 3), *f = vec_value(&one.as.vec);
    f[0] = value_symbol(op);
    f[1] = value_symbol(column);
    f[2] = operand;
    vec_value(&filter.as.vec)[0] = one;
    value_put(v, "filter", filter);
}

/* The arguments of getData that ask the same. */
static Value arguments(Arena *a, const char *what)
{
    Value v = value_dict(a, 8);
    Value agg = value_list(a, 1), *items = vec_value(&agg.as.vec);
    bool filter = strcmp(what, "filter") == 0;
    value_put(&v, "table", value_symbol("trade"));
    if (filter || strcmp(what, "groups") == 0) put_filter(&v, a, ">", "size", value_long(LARGE));
    if (strcmp(what, "window") == 0) {
        put_filter(&v, a, "=", "sym", value_sym(symbol_text(window_id)));
        value_put(&v, "startTS", value_timestamp(window_from));
        value_put(&v, "endTS", value_timestamp(window_from + 5 * MINUTE));
        return v;
    }
    value_put(&v, "startTS", value_timestamp(START));
    value_put(&v, "endTS", value_timestamp(START + DAY_NS));
    Value triple = value_list(a, 3), *t = vec_value(&triple.as.vec);
    t[0] = value_symbol("v");
    t[1] = value_symbol(strcmp(what, "last") == 0   ? "last"
                        : strcmp(what, "vwap") == 0 ? "wavg"
                                                    : "sum");
    t[2] = value_symbol("price");
    if (strcmp(what, "vwap") == 0) {
        Value both = value_list(a, 2);
        vec_value(&both.as.vec)[0] = value_symbol("size");
        vec_value(&both.as.vec)[1] = value_symbol("price");
        t[2] = both;
    }
    items[0] = triple;
    value_put(&v, "agg", agg);
    if (!filter && strcmp(what, "sum") != 0) value_put(&v, "groupBy", value_symbol("sym"));
    return v;
}

static bool near(f64 a, f64 b) { return fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b)); }

/* Compares an answer with what plain C has just written. */
static void compare(const char *what, const Value *table)
{
    const Value *v = value_col(table, "v");
    if (strcmp(what, "sum") == 0 || strcmp(what, "filter") == 0) {
        if (v == NULL || !near(vec_f64(&v->as.vec)[0], out_sum)) kit_die("the sum differs");
        return;
    }
    if (value_count(table) != out_rows)
        kit_die("%s: %llu rows where plain C has %llu", what,
                (unsigned long long)value_count(table), (unsigned long long)out_rows);
    const Value *sym = value_col(table, "sym");
    bool window = strcmp(what, "window") == 0;
    const Value *price = value_col(table, "price");
    for (u64 i = 0; i < out_rows; i++) {
        bool same =
            sym->as.vec.type == QT_ENUM
                ? vec_i32(&sym->as.vec)[i] == (window ? out_sym[i] : out_ids[i])
                : str_eq(vec_str(&sym->as.vec)[i], symbol_text(window ? out_sym[i] : out_ids[i]));
        same &=
            near(vec_f64(&(window ? price : v)->as.vec)[i], window ? out_price[i] : out_values[i]);
        if (!same) kit_die("%s: row %llu differs", what, (unsigned long long)i);
    }
}

static f64 ours(const Request *r, Value *table, Arena *a)
{
    Run *run = NULL;
    f64 began = kit_now();
    KIT_OK(run_prepare(&source, r, a, &run));
    KIT_OK(run_execute(run, table));
    run_finish(run, NULL);
    return kit_now() - began;
}

static void measure(const char *what, const char *line, int threads, void (*plain)(void))
{
    Arena a = {0}, result = {0};
    Request r;
    Value args = arguments(&a, what), table;
    f64 best[2] = {1e9, 1e9};
    char text[80];
    KIT_OK(getdata_parse(&args, &db.config.tables, &a, &r));
    source.threads = threads;
    for (u32 i = 0; i < RUNS; i++) {
        f64 began = kit_now();
        plain();
        best[1] = MIN(best[1], kit_now() - began);
        arena_reset(&result);
        best[0] = MIN(best[0], ours(&r, &table, &result));
        if (i == 0) compare(what, &table);
    }
    snprintf(text, sizeof text, "%s, %d thread%s", line, threads, threads == 1 ? "" : "s");
    kit_line(text, 1000 * best[0], "ms", "plain C", 1000 * best[1], best[0] / best[1]);
    arena_free(&result);
    arena_free(&a);
}

/* The same from a reader over q IPC. */
static void ask(Client *c, const char *what, const char *line)
{
    Arena a = {0};
    f64 best = 1e9;
    for (u32 i = 0; i < RUNS; i++) {
        arena_reset(&a);
        Value args = arguments(&a, what);
        f64 began = kit_now();
        Value v = kit_call(c, ".kxi.getData", &args, &a);
        best = MIN(best, kit_now() - began);
        const Value *rc = value_get(&vec_value(&v.as.vec)[0], "rc");
        if (rc == NULL || rc->as.i != 0) kit_die("%s: the reader refuses", what);
    }
    kit_line(line, 1000 * best, "ms", "", -1, 0);
    arena_free(&a);
}

int main(void)
{
    u64 rows = kit_size("ROWS", 10000000);
    Client c;
    kit_title("query", "10 M trades of a day, 5,000 symbols; in process, least of 15");
    kit_system_make(&sys, tables, 1, "");
    kit_db_open(&db, &sys);
    build(rows);
    out_ids = calloc(SYMBOLS, sizeof *out_ids);
    out_values = calloc(SYMBOLS, sizeof *out_values);
    out_time = calloc(rows, 8);
    out_price = calloc(rows, 8);
    out_size = calloc(rows, 8);
    out_sym = calloc(rows, 4);
    out_ex = calloc(rows, 4);
    out_side = calloc(rows, 1);
    source = (QuerySource){.tables = &db.config.tables,
                           .views = &db.cache,
                           .view = db.publish.current,
                           .domain = &domain,
                           .intervals = true,
                           .dates = true};
    KIT_OK(run_cache_make(&source.cache, 1024));
    window_id = symbol_find(STR("S0000"));
    window_from = START + 600 * MINUTE;
    measure("last", "last price by symbol", 1, plain_last);
    measure("window", "one symbol's 5 minutes, all columns", 1, plain_window);
    measure("vwap", "VWAP by symbol", 1, plain_vwap);
    measure("sum", "sum of a column", 1, plain_sum);
    measure("filter", "sum of what a filter lets pass", 1, plain_filter);
    measure("groups", "the same by symbol", 1, plain_groups);
    if (proc_cpus() > 1) {
        measure("vwap", "VWAP by symbol", proc_cpus(), plain_vwap_all);
        measure("sum", "sum of a column", proc_cpus(), plain_sum_all);
    }
    kit_note("the window has %llu rows", (unsigned long long)(plain_window(), out_rows));
    kit_db_close(&db);
    kit_sm_start(&sys);
    kit_da_start(&sys);
    KIT_OK(client_open(&c, "127.0.0.1", sys.da_port, 60000));
    ask(&c, "last", "last price by symbol, over q IPC");
    ask(&c, "window", "one symbol's 5 minutes, over q IPC");
    ask(&c, "vwap", "VWAP by symbol, over q IPC");
    ask(&c, "sum", "sum of a column, over q IPC");
    client_close(&c);
    kit_system_stop(&sys);
    return 0;
}
