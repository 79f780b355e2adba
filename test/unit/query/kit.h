/*
 * kit: a small database for the tests of this room: rows in one batch in the order of the stream,
 * and the same rows laid out as date parts, interval parts, a late part and live rows under a view
 * made by hand.
 */
#ifndef UNIT_QUERY_KIT_H
#define UNIT_QUERY_KIT_H

#include "base/prng.h"
#include "db/view.h"
#include "os/dir.h"
#include "q/json.h"
#include "q/symbol.h"
#include "q/temporal.h"
#include "query/getdata.h"
#include "query/run.h"
#include "stream/live.h"
#include "table/csv.h"
#include "table/splay.h"

#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define KIT_DAY   8900 /* 2024.05.14 */
#define KIT_PARTS 64

#define KIT_OK(call)                                                                               \
    do {                                                                                           \
        Err kit_err = (call);                                                                      \
        if (kit_err != E_OK) fail_msg("%s: %s", fail_name(kit_err), fail_text());                  \
    } while (0)

enum {
    COL_TIME,
    COL_SYM,
    COL_PRICE,
    COL_SIZE,
    COL_SIDE,
    COL_EX,
    COL_QTY,
    COL_ID,
    COL_NOTE,
    COL_FLAG,
    COL_SMALL,
    COL_REAL,
    COL_DATE,
    COL_BYTE,
    COL_COUNT
};

typedef struct {
    char dir[256];
    SchemaColumn columns[COL_COUNT];
    Schema schema, *set_of[1];
    SchemaSet set;
    u32 keys[2];
    Domain domain;
    Batch rows; /* all, in stream order */
    Mount mount;
    Tier tier;
    Root root;
    ViewCache cache;
    View *view;
    Segment *dates, *intervals;
    Live *live;
    u64 position;
    QuerySource source;
    CodecChoice codec; /* parts written from now on are compressed so */
    Arena memory;
} Kit;

static inline void kit_forget(void *arg, const Segment *s) { run_cache_forget(arg, s); }

static inline void kit_schema(Kit *k)
{
    static const struct {
        const char *name;
        int type;
    } columns[COL_COUNT] = {
        {"time", QT_TIMESTAMP}, {"sym", QT_SYMBOL},   {"price", QT_FLOAT}, {"size", QT_LONG},
        {"side", QT_CHAR},      {"ex", QT_SYMBOL},    {"qty", QT_INT},     {"id", QT_GUID},
        {"note", QT_STRING},    {"flag", QT_BOOLEAN}, {"small", QT_SHORT}, {"real", QT_REAL},
        {"date", QT_DATE},      {"byte", QT_BYTE},
    };

    for (u32 i = 0; i < COL_COUNT; i++)
        k->columns[i] = (SchemaColumn){.name = columns[i].name, .type = columns[i].type};
    k->columns[COL_SYM].attr[PLACE_ORD] = k->columns[COL_SYM].attr[PLACE_DISK] = ATTR_PARTED;
    k->schema = (Schema){.name = "trade",
                         .column_count = COL_COUNT,
                         .columns = k->columns,
                         .prtn = 0,
                         .updated = -1};
    k->keys[0] = COL_SYM;
    k->keys[1] = COL_TIME;
    for (int p = PLACE_ORD; p <= PLACE_DISK; p++) {
        k->schema.sort_count[p] = 2;
        k->schema.sort[p] = k->keys;
    }
    schema_seal(&k->schema);
    k->set_of[0] = &k->schema;
    k->set = (SchemaSet){1, k->set_of};
}

/* How parts are sorted: by symbol and time; by time, symbols grouped; by price (floats, with nulls)
 * and time; by quantity, nothing else. */
enum { SHAPE_PARTED, SHAPE_TIMED, SHAPE_PRICED, SHAPE_COUNTED, SHAPE_COUNT };

static inline void kit_shape(Kit *k, u32 shape)
{
    static const u32 first[SHAPE_COUNT] = {COL_SYM, COL_TIME, COL_PRICE, COL_QTY};
    k->keys[0] = first[shape];
    for (int p = PLACE_ORD; p <= PLACE_DISK; p++) {
        k->schema.sort_count[p] = shape == SHAPE_PARTED || shape == SHAPE_PRICED ? 2 : 1;
        k->columns[COL_SYM].attr[p] = shape == SHAPE_PARTED ? ATTR_PARTED : ATTR_GROUPED;
        if (shape != SHAPE_PARTED) k->columns[first[shape]].attr[p] = ATTR_SORTED;
    }
}

static inline void kit_make(Kit *k, u32 columns_max, int threads)
{
    *k = (Kit){.position = 4096};
    const char *tmp = getenv("TMPDIR");
    snprintf(k->dir, sizeof k->dir, "%s/silt-query-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(k->dir));
    kit_schema(k);
    batch_init(&k->rows, &k->schema);
    KIT_OK(domain_open(&k->domain, arena_format(&k->memory, "%s/sym", k->dir), UINT64_MAX));
    k->tier = (Tier){.name = "hot", .mount = &k->mount, .store = k->dir};
    root_init(&k->root, "demo", k->dir, k->dir, NULL, &k->tier, 1);
    view_cache_init(&k->cache, &k->root);
    KIT_OK(view_empty(&k->cache, &k->view));
    KIT_OK(live_make(&k->live, &k->set, 0));
    KIT_OK(run_cache_make(&k->source.cache, columns_max));
    k->cache.forget = kit_forget;
    k->cache.forget_arg = k->source.cache;
    Segment **segments[2] = {&k->dates, &k->intervals};
    for (u32 i = 0; i < 2; i++) {
        Segment *s =
            view_segment_make(&k->cache, i == 0 ? PART_DATE : PART_INTERVAL, i == 0 ? 2024 : 0, 1);
        s->uses = 1;
        s->parts = arena_array(&s->memory, Part, KIT_PARTS);
        *segments[i] = s;
    }
    k->view->date_segs = &k->dates;
    k->view->interval_segs = &k->intervals;
    k->view->date_seg_count = k->view->interval_seg_count = 1;
    k->source.tables = &k->set;
    k->source.views = &k->cache;
    k->source.view = k->view;
    k->source.domain = &k->domain;
    k->source.live = k->live;
    k->source.intervals = k->source.dates = true;
    k->source.threads = threads;
}

static inline void kit_end(Kit *k)
{
    view_close(&k->cache, k->view);
    run_cache_free(k->source.cache);
    view_cache_free(&k->cache);
    live_free(k->live);
    batch_free(&k->rows);
    domain_close(&k->domain);
    root_close(&k->root);
    arena_free(&k->memory);
    KIT_OK(dir_remove_all(k->dir));
}

/* ---- rows */

/* Appends a row given as texts of all columns, NULL = null. */
static inline void kit_row(Kit *k, const char *const texts[COL_COUNT])
{
    for (u32 i = 0; i < COL_COUNT; i++)
        KIT_OK(batch_append_text(&k->rows, i, str_of(texts[i] != NULL ? texts[i] : "")));
    k->rows.rows++;
}

/* A short row: time of day on a day, symbol, price, size. */
static inline void kit_trade(Kit *k, i32 day, const char *time, const char *sym, const char *price,
                             const char *size)
{
    char stamp[96], date[TEMPORAL_TEXT_MAX];
    date[temporal_date_name(KIT_DAY + day, date)] = 0;
    snprintf(stamp, sizeof stamp, "%.12sD%.40s", date, time);
    const char *texts[COL_COUNT] = {stamp, sym, price, size, "B",   "N",  size,
                                    NULL,  sym, "1",   "3",  "0.5", NULL, "7"};
    kit_row(k, texts);
}

/* One random row at a time of its own; values are few so that they meet. */
static inline void kit_random(Kit *k, Prng *p, i64 time)
{
    static const char *const syms[] = {"AAPL", "MSFT", "IBM", "A",  "", "Zed",
                                       "GOOG", "AB",   "ABC", "B1", "b"};
    static const char *const prices[] = {"",    "0w",    "-0w",   "-0",  "0",
                                         "1.5", "-2.25", "1e300", "100", "7"};
    static const char *const notes[] = {"", "x", "a note", "a longer note than that", "note", "xx"};
    char text[COL_COUNT][96];
    const char *texts[COL_COUNT];
    for (u32 i = 0; i < COL_COUNT; i++)
        texts[i] = text[i];
    char stamp[TEMPORAL_TEXT_MAX];
    stamp[temporal_format(QT_TIMESTAMP, time, stamp)] = 0;
    texts[COL_TIME] = stamp;
    texts[COL_SYM] = syms[prng_below(p, COUNT_OF(syms))];
    texts[COL_EX] = syms[prng_below(p, 4)];
    snprintf(text[COL_PRICE], 96, "%g", (f64)prng_below(p, 1000) / 8 - 50);
    if (prng_below(p, 8) == 0)
        texts[COL_PRICE] = prices[prng_below(p, 5) == 0 ? prng_below(p, 10) : 3 + prng_below(p, 7)];
    snprintf(text[COL_SIZE], 96, "%d", (int)prng_below(p, 30) - 10);
    if (prng_below(p, 9) == 0) texts[COL_SIZE] = "";
    snprintf(text[COL_SIDE], 96, "%c", "BSXx "[prng_below(p, 5)]);
    snprintf(text[COL_QTY], 96, "%d", (int)prng_below(p, 100000) - 50000);
    if (prng_below(p, 9) == 0) texts[COL_QTY] = prng_below(p, 3) == 0 ? "0W" : "";
    snprintf(text[COL_ID], 96, "00000000-0000-0000-0000-0000000000%02x", (u32)prng_below(p, 9));
    texts[COL_NOTE] = notes[prng_below(p, COUNT_OF(notes))];
    snprintf(text[COL_FLAG], 96, "%d", (int)prng_below(p, 2));
    snprintf(text[COL_SMALL], 96, "%d", (int)prng_below(p, 20) - 5);
    if (prng_below(p, 9) == 0) texts[COL_SMALL] = "";
    snprintf(text[COL_REAL], 96, "%g", (f64)prng_below(p, 64) / 4);
    if (prng_below(p, 9) == 0) texts[COL_REAL] = "";
    char date[TEMPORAL_TEXT_MAX];
    date[temporal_date_name(KIT_DAY + (i32)prng_below(p, 5), date)] = 0;
    texts[COL_DATE] = prng_below(p, 9) == 0 ? "" : date;
    snprintf(text[COL_BYTE], 96, "%d", (int)prng_below(p, 256));
    kit_row(k, texts);
}

/* ---- where they stand */

/* Writes rows [from, to) of k->rows whose day is `day` as a part; a late part has those of all
 * other days, is sorted by day first and has slices. */
static inline void kit_part(Kit *k, PartKind kind, i32 key, u64 from, u64 to, i32 day, bool late)
{
    Segment *s = kind == PART_DATE ? k->dates : k->intervals;
    Part *part = &s->parts[s->part_count++];
    PartTable *t = arena_new(&s->memory, PartTable);
    Batch b;
    SplayOut out;
    Arena a = {0};
    SortKey *keys;
    u64 count, size;
    bool sorted;
    assert_true(s->part_count <= KIT_PARTS);
    batch_init(&b, &k->schema);
    for (u64 i = from; i < to; i++) {
        if ((temporal_day_of(vec_i64(&k->rows.cols[0])[i]) == day) != late)
            KIT_OK(batch_append_batch(&b, &k->rows, i, 1));
    }
    KIT_OK(domain_add(&k->domain, vec_i32(&b.cols[COL_SYM]), b.rows));
    KIT_OK(domain_add(&k->domain, vec_i32(&b.cols[COL_EX]), b.rows));
    KIT_OK(domain_save(&k->domain, &size));
    k->view->sym_size = size;
    KIT_OK(splay_sort_keys(&b, kind == PART_DATE ? PLACE_DISK : PLACE_ORD, &a, &keys, &count));
    i32 *days = arena_array(&a, i32, b.rows + 1);
    SortKey *all = arena_array(&a, SortKey, count + 1);
    *t = (PartTable){.name = "trade", .rows = b.rows, .time_min = INT64_MAX, .time_max = INT64_MIN};
    for (u64 i = 0; i < b.rows; i++) {
        i64 time = vec_i64(&b.cols[0])[i];
        days[i] = temporal_day_of(time);
        t->time_min = MIN(t->time_min, time);
        t->time_max = MAX(t->time_max, time);
    }
    all[0] = (SortKey){.type = QT_DATE, .data = days};
    for (u64 i = 0; i < count; i++)
        all[i + 1] = keys[i];
    u32 *perm = arena_array(&a, u32, b.rows + 1);
    KIT_OK(sort_order(late ? all : keys, late ? count + 1 : count, b.rows, perm, &sorted));
    if (late) t->slices = arena_array(&s->memory, PartSlice, b.rows + 1);
    for (u64 i = 0; late && i < b.rows; i++) {
        i32 d = days[perm[i]];
        if (i == 0 || d != days[perm[i - 1]]) t->slices[t->slice_count++] = (PartSlice){d, i, i};
        t->slices[t->slice_count - 1].to = i + 1;
    }
    *part =
        (Part){.kind = kind, .key = key, .day = day, .late = late, .table_count = 1, .tables = t};
    part->path = arena_format(&s->memory, "%s/%c%d", k->dir, kind == PART_DATE ? 'd' : 'i', key);
    KIT_OK(dir_make(part->path));
    KIT_OK(splay_out_open(&out, arena_format(&a, "%s/trade", part->path), &k->schema,
                          kind == PART_DATE ? PLACE_DISK : PLACE_ORD, b.rows));
    KIT_OK(splay_out_codec(&out, &k->codec));
    KIT_OK(splay_out_batch(&out, &b, perm, b.rows, &k->domain));
    KIT_OK(splay_out_finish(&out));
    batch_free(&b);
    arena_free(&a);
}

/* Publishes rows [from, to) as live rows, `step` rows a message. */
static inline void kit_live(Kit *k, u64 from, u64 to, u64 step)
{
    for (u64 at = from; at < to; at += step) {
        Buf body = {0};
        KIT_OK(batch_encode(&body, &k->rows, at, MIN(step, to - at)));
        WalRecord r = {.position = k->position,
                       .end = k->position + 64,
                       .kind = WAL_DATA,
                       .table = STR("trade")};
        r.rows = (u32)MIN(step, to - at);
        r.body = body.data;
        r.size = body.size;
        KIT_OK(live_apply(k->live, &r));
        k->position = r.end;
        buf_free(&body);
    }
}

/* ---- asking */

/* Parses JSON arguments, in which ' stands for ". */
static inline Err kit_parse(const Kit *k, const char *json, Arena *a, Request *r)
{
    Value v;
    char *text = arena_text(a, json, strlen(json));
    for (char *p = text; *p; p++) {
        if (*p == '\'') *p = '"';
    }
    KIT_OK(json_parse(str_of(text), a, &v));
    return getdata_parse(&v, &k->set, a, r);
}

/* Runs a request; the table lives in the arena. */
static inline Err kit_run(Kit *k, const Request *r, Arena *a, Value *table, RunStats *stats)
{
    Run *run;
    Err err = run_prepare(&k->source, r, a, &run);
    if (err != E_OK) return err;
    err = run_execute(run, table);
    run_finish(run, stats);
    return err;
}

/* The answer to JSON arguments as CSV text, or the name of the error. */
static inline void kit_expect(Kit *k, const char *json, const char *want)
{
    Arena a = {0};
    Request r;
    Value table;
    Buf text = {0};
    KIT_OK(kit_parse(k, json, &a, &r));
    Err err = kit_run(k, &r, &a, &table, NULL);
    if (err == E_OK) {
        KIT_OK(csv_write(&text, &table, true));
    } else {
        KIT_OK(buf_format(&text, "%s: %s", fail_name(err), fail_text()));
    }
    if (err == E_OK ? strcmp(buf_str(&text), want) != 0
                    : strncmp(buf_str(&text), want, strlen(want)) != 0)
        fail_msg("%s:\n%sexpected\n%s", json, buf_str(&text), want);
    buf_free(&text);
    arena_free(&a);
}

#endif
