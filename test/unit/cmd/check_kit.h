/*
 * check_kit: a small database with two dates, an interval and a late interval part, and a
 * stream. */
#ifndef UNIT_CMD_CHECK_KIT_H
#define UNIT_CMD_CHECK_KIT_H

#include "tool_kit.h"

#include "base/str.h"
#include "db/publish.h"
#include "q/sort.h"
#include "q/symbol.h"
#include "q/temporal.h"
#include "q/wire.h"
#include "stream/feed.h"
#include "table/splay.h"

#define CHECK_KIT_DAY 9000 /* 2024.08.22 */

typedef struct {
    char dir[256], idb[300], hdb[300], data[320];
    Mount mount;
    Tier tier;
    Root root;
    ViewCache cache;
    Publish p;
    Domain domain;
    Schema schema;
    Schema *tables[1];
    SchemaSet set;
    u64 watermark;
    Arena memory;
} CheckKit;

static inline void check_kit_schema(CheckKit *k)
{
    static SchemaColumn columns[] = {
        {.name = "time", .type = QT_TIMESTAMP},
        {.name = "sym", .type = QT_SYMBOL, .attr = {0, ATTR_PARTED, ATTR_PARTED, 0}},
        {.name = "price", .type = QT_FLOAT},
        {.name = "note", .type = QT_STRING},
    };
    static u32 keys[] = {1, 0};
    k->schema = (Schema){.name = "trade",
                         .column_count = COUNT_OF(columns),
                         .columns = columns,
                         .prtn = 0,
                         .updated = -1};
    k->schema.sort_count[PLACE_ORD] = k->schema.sort_count[PLACE_DISK] = COUNT_OF(keys);
    k->schema.sort[PLACE_ORD] = k->schema.sort[PLACE_DISK] = keys;
    schema_seal(&k->schema);
    k->tables[0] = &k->schema;
    k->set = (SchemaSet){1, k->tables};
}

/* Rows in sort order: three names, `each` rows a name, times within the day. */
static inline void check_kit_rows(CheckKit *k, Batch *b, i32 day, u64 each)
{
    static const char *const names[] = {"A", "B", "C"};
    (void)k;
    for (u32 n = 0; n < COUNT_OF(names); n++)
        for (u64 i = 0; i < each; i++) {
            i32 id = 0;
            i64 time = day * TEMPORAL_DAY_NS + (i64)i * 1000000000;
            f64 price = (f64)i / 4;
            TOOL_OK(symbol_intern(str_of(names[n]), &id));
            TOOL_OK(vec_append(&b->cols[0], &time, 1));
            TOOL_OK(vec_append(&b->cols[1], &id, 1));
            TOOL_OK(vec_append(&b->cols[2], &price, 1));
            TOOL_OK(vec_append_row(&b->cols[3], "a note", i % 7));
            b->rows++;
        }
}

/* Writes a table folder and fills what a manifest tells of it. */
static inline void check_kit_table(CheckKit *k, const char *folder, Place place, const Batch *b,
                                   PartTable *t)
{
    SplayOut out;
    TOOL_OK(dir_make_all(folder));
    TOOL_OK(domain_add(&k->domain, vec_i32(&b->cols[1]), b->rows));
    TOOL_OK(splay_out_open(&out, dir_join(&k->memory, folder, k->schema.name, NULL), &k->schema,
                           place, b->rows));
    TOOL_OK(splay_out_batch(&out, b, NULL, b->rows, &k->domain));
    TOOL_OK(splay_out_finish(&out));
    *t = (PartTable){.name = k->schema.name,
                     .rows = b->rows,
                     .bytes = out.bytes,
                     .time_min = INT64_MAX,
                     .time_max = INT64_MIN,
                     .schema_hash = k->schema.hash};
    for (u64 i = 0; i < b->rows; i++) {
        t->time_min = MIN(t->time_min, vec_i64(&b->cols[0])[i]);
        t->time_max = MAX(t->time_max, vec_i64(&b->cols[0])[i]);
    }
}

static inline Part check_kit_part(CheckKit *k, PartKind kind, i32 key, i32 day, u64 made, bool late)
{
    Batch b;
    Part p = {.kind = kind, .key = key, .day = day, .made = made, .late = late, .table_count = 1};
    p.tables = arena_new(&k->memory, PartTable);
    p.path = kind == PART_DATE ? root_date_path(&k->root, &k->memory, 0, day, made)
                               : root_interval_path(&k->root, &k->memory, day, made);
    batch_init(&b, &k->schema);
    check_kit_rows(k, &b, day, 20);
    if (late) check_kit_rows(k, &b, day + 3, 10);
    check_kit_table(k, p.path, kind == PART_DATE ? PLACE_DISK : PLACE_ORD, &b, p.tables);
    if (late) {
        PartSlice *s = arena_array(&k->memory, PartSlice, 2);
        s[0] = (PartSlice){.day = day, .from = 0, .to = 60};
        s[1] = (PartSlice){.day = day + 3, .from = 60, .to = 90};
        p.tables[0].slices = s;
        p.tables[0].slice_count = 2;
    }
    batch_free(&b);
    return p;
}

/* A stream of some records; the watermark lies in the middle. */
static inline void check_kit_stream(CheckKit *k)
{
    Wal *w = NULL;
    Batch b;
    Buf body = {0};
    u64 lost = 0;
    WalOptions o = {.file_size = 1 << 20};
    batch_init(&b, &k->schema);
    check_kit_rows(k, &b, CHECK_KIT_DAY, 5);
    TOOL_OK(batch_encode(&body, &b, 0, b.rows));
    TOOL_OK(wal_open(&w, k->root.wal, &o, 0, &lost));
    for (int i = 0; i < 20; i++) {
        WalRecord r = {.kind = WAL_DATA,
                       .rows = (u32)b.rows,
                       .table = STR("trade"),
                       .body = body.data,
                       .size = body.size};
        TOOL_OK(wal_append(w, &r));
        if (i == 9) k->watermark = r.end;
        TOOL_OK(wal_sync(w));
    }
    TOOL_OK(wal_close(w));
    batch_free(&b);
    buf_free(&body);
}

static inline void check_kit_make(CheckKit *k)
{
    u64 removed = 0;
    *k = (CheckKit){0};
    tool_folder(k->dir);
    snprintf(k->idb, sizeof k->idb, "%s/idb", k->dir);
    snprintf(k->hdb, sizeof k->hdb, "%s/hdb", k->dir);
    snprintf(k->data, sizeof k->data, "%s/hdb/data", k->dir);
    k->tier = (Tier){.name = "hot", .mount = &k->mount, .store = k->data};
    root_init(&k->root, "demo", k->idb, k->hdb, NULL, &k->tier, 1);
    view_cache_init(&k->cache, &k->root);
    check_kit_schema(k);
    TOOL_OK(root_claim(&k->root));
    TOOL_OK(publish_open(&k->p, &k->root, &k->cache, &removed));
    check_kit_stream(k);
    TOOL_OK(domain_open(&k->domain, k->root.sym, UINT64_MAX));
    PublishChange c = publish_change(&k->p);
    Part parts[4] = {
        check_kit_part(k, PART_DATE, CHECK_KIT_DAY - 2, CHECK_KIT_DAY - 2, publish_next(&k->p),
                       false),
        check_kit_part(k, PART_DATE, CHECK_KIT_DAY - 1, CHECK_KIT_DAY - 1, publish_next(&k->p),
                       false),
        check_kit_part(k, PART_INTERVAL, 0, CHECK_KIT_DAY, 1, false),
        check_kit_part(k, PART_INTERVAL, 1, CHECK_KIT_DAY - 5, 1, true),
    };
    TOOL_OK(domain_save(&k->domain, &c.sym_size));
    c.add = parts;
    c.add_count = COUNT_OF(parts);
    c.watermark = k->watermark;
    c.eoi = 1;
    TOOL_OK(publish_commit(&k->p, &c));
    publish_close(&k->p);
    domain_close(&k->domain);
    view_cache_free(&k->cache);
    root_close(&k->root);
}

static inline void check_kit_end(CheckKit *k)
{
    TOOL_OK(dir_remove_all(k->dir));
    arena_free(&k->memory);
}

/* A path below the database's folder. */
static inline char *check_kit_path(CheckKit *k, const char *format, ...) PRINTF(2, 3);

static inline char *check_kit_path(CheckKit *k, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return dir_join(&k->memory, k->dir, text, NULL);
}

/* Writes an assembly file for the database. */
static inline char *check_kit_assembly(CheckKit *k)
{
    char *file = check_kit_path(k, "a.yaml");
    char text[2000];
    snprintf(text, sizeof text,
             "name: demo\ntables:\n  trade:\n    type: partitioned\n    prtnCol: time\n    "
             "sortColsOrd: [sym, time]\n"
             "    sortColsDisk: [sym, time]\n    columns:\n      - {name: time, type: timestamp}\n"
             "      - {name: sym, type: symbol, attrOrd: parted, attrDisk: parted}\n      - {name: "
             "price, type: float}\n"
             "      - {name: note, type: string}\nbus:\n  s: {protocol: rt, topic: t}\nmounts:\n"
             "  rdb: {type: stream, partition: none}\n  idb: {type: local, partition: ordinal, "
             "baseURI: file://%s}\n"
             "  hdb: {type: local, partition: date, baseURI: file://%s}\nelements:\n  sm:\n    "
             "source: s\n    tiers:\n"
             "      - {name: rdb, mount: rdb}\n      - {name: idb, mount: idb, schedule: {freq: "
             "0D00:10:00}}\n"
             "      - {name: hot, mount: hdb, schedule: {freq: 1D00:00:00}}\n",
             k->idb, k->hdb);
    tool_write(file, text, strlen(text));
    return file;
}

#endif
