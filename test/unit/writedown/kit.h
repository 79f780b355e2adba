/*
 * kit: a small database in a temporary folder, rows made from a seed, and a model that is only a
 * list of them.
 *
 * Every row carries its number in `size`, so that a row read back is known, and the order among
 * equal keys is seen.
 */
#ifndef UNIT_WRITEDOWN_KIT_H
#define UNIT_WRITEDOWN_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/prng.h"
#include "db/publish.h"
#include "os/dir.h"
#include "q/symbol.h"
#include "q/temporal.h"
#include "table/splay.h"
#include "writedown/day.h"
#include "writedown/interval.h"

#define KIT_DAY 9000
#define KIT_OK(call)                                                                               \
    do {                                                                                           \
        Err kit_err = (call);                                                                      \
        if (kit_err != E_OK) print_error("%s: %s\n", #call, fail_text());                          \
        assert_int_equal(kit_err, E_OK);                                                           \
    } while (0)

enum { KIT_TIME, KIT_SYM, KIT_PRICE, KIT_SIZE, KIT_NOTE, KIT_COLUMNS };

typedef struct {
    i64 time;
    char sym[8];
    f64 price;
    i64 number;
    char note[120];
} KitRow;

typedef struct {
    char dir[64];
    Mount mount;
    Tier tier;
    Root root;
    ViewCache cache;
    Publish publish;
    Domain domain;
    Schema trade, quiet;
    SchemaColumn columns[KIT_COLUMNS], quiet_columns[1];
    u32 ord[2], disk[2];
    Schema *tables[2];
    SchemaSet set;
    Prng prng;
    KitRow *rows; /* the model: all rows taken, in order */
    u64 row_count, row_room;
    u64 position, eoi, eod;
    bool ties_lost; /* intervals stand in an order that forgets the position of rows that are equal
                       on disk */
    Interval *interval;
} Kit;

__attribute__((unused)) static void kit_schema(Kit *k)
{
    const char *const names[] = {"time", "sym", "price", "size", "note"};
    const int types[] = {QT_TIMESTAMP, QT_SYMBOL, QT_FLOAT, QT_LONG, QT_STRING};
    for (u32 i = 0; i < KIT_COLUMNS; i++)
        k->columns[i] = (SchemaColumn){.name = names[i], .type = types[i]};
    k->columns[KIT_SYM].attr[PLACE_ORD] = k->columns[KIT_SYM].attr[PLACE_DISK] = ATTR_PARTED;
    k->quiet_columns[0] = k->columns[KIT_TIME];
    k->trade = (Schema){.name = "trade",
                        .column_count = KIT_COLUMNS,
                        .columns = k->columns,
                        .prtn = 0,
                        .updated = -1};
    k->quiet = (Schema){
        .name = "quiet", .column_count = 1, .columns = k->quiet_columns, .prtn = 0, .updated = -1};
    k->trade.sort[PLACE_ORD] = k->ord;
    k->trade.sort[PLACE_DISK] = k->disk;
    k->tables[0] = &k->trade;
    k->tables[1] = &k->quiet;
    k->set = (SchemaSet){2, k->tables};
}

/* Starts with the given keys: pairs of columns, -1 = none. */
__attribute__((unused)) static void kit_begin(Kit *k, const i32 ord[2], const i32 disk[2],
                                              u64 block_size, u64 memory_max)
{
    memset(k, 0, sizeof *k);
    snprintf(k->dir, sizeof k->dir, "%s/silt-writedown-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(k->dir));
    char idb[128], hdb[128], store[160];
    snprintf(idb, sizeof idb, "%s/idb", k->dir);
    snprintf(hdb, sizeof hdb, "%s/hdb", k->dir);
    snprintf(store, sizeof store, "%s/data", hdb);
    kit_schema(k);
    for (u32 i = 0; i < 2; i++) {
        if (ord[i] >= 0) k->ord[k->trade.sort_count[PLACE_ORD]++] = (u32)ord[i];
        if (disk[i] >= 0) k->disk[k->trade.sort_count[PLACE_DISK]++] = (u32)disk[i];
    }
    k->trade.block_size = block_size;
    schema_seal(&k->trade);
    schema_seal(&k->quiet);
    k->mount = (Mount){"hdb", MOUNT_LOCAL, MOUNT_DATE, strdup(hdb)};
    k->tier = (Tier){.name = "hdb", .mount = &k->mount, .store = strdup(store)};
    root_init(&k->root, "kit", idb, hdb, NULL, &k->tier, 1);
    KIT_OK(root_claim(&k->root));
    view_cache_init(&k->cache, &k->root);
    u64 removed = 0;
    KIT_OK(publish_open(&k->publish, &k->root, &k->cache, &removed));
    KIT_OK(domain_open(&k->domain, k->root.sym, k->publish.current->sym_size));
    prng_init(&k->prng, 7);
    IntervalOptions o = {&k->root, &k->set, &k->domain, memory_max, 1000, 2};
    KIT_OK(interval_make(&k->interval, &o));
}

__attribute__((unused)) static void kit_end(Kit *k)
{
    interval_free(k->interval);
    domain_close(&k->domain);
    publish_close(&k->publish);
    view_cache_free(&k->cache);
    root_close(&k->root);
    KIT_OK(dir_remove_all(k->dir));
    free((void *)(uintptr_t)k->mount.base);
    free((void *)(uintptr_t)k->tier.store);
    free(k->rows);
}

/* Makes a row of a day; times are scattered within it, so rows arrive out of order. */
static KitRow kit_row(Kit *k, i32 day)
{
    KitRow r = {.number = (i64)k->row_count};
    r.time = (i64)day * TEMPORAL_DAY_NS + (i64)prng_below(&k->prng, 5000) * 1000000000;
    snprintf(r.sym, sizeof r.sym, "%.*s", (int)prng_below(&k->prng, 3), "zz");
    u64 n = strlen(r.sym);
    if (prng_below(&k->prng, 50) != 0)
        r.sym[n] = (char)('A' + prng_below(&k->prng, 20)); /* else perhaps empty */
    r.price = (f64)prng_below(&k->prng, 100) / 4;
    u64 size = prng_below(&k->prng, 118);
    for (u64 i = 0; i < size; i++)
        r.note[i] = (char)('a' + (i + (u64)r.number) % 26);
    return r;
}

/* Publishes `count` rows: most of KIT_DAY, `late_pct` of a hundred of one of `late_days` days
 * before. */
__attribute__((unused)) static void kit_take(Kit *k, u64 count, u64 late_pct, u64 late_days)
{
    Batch b = {0};
    Buf body = {0};
    batch_init(&b, &k->trade);
    for (u64 i = 0; i < count; i++) {
        bool late = prng_below(&k->prng, 100) < late_pct;
        KitRow r = kit_row(k, KIT_DAY - (late ? 1 + (i32)prng_below(&k->prng, late_days) : 0));
        i32 id = 0;
        KIT_OK(symbol_intern(str_of(r.sym), &id));
        KIT_OK(vec_append(&b.cols[KIT_TIME], &r.time, 1));
        KIT_OK(vec_append(&b.cols[KIT_SYM], &id, 1));
        KIT_OK(vec_append(&b.cols[KIT_PRICE], &r.price, 1));
        KIT_OK(vec_append(&b.cols[KIT_SIZE], &r.number, 1));
        KIT_OK(vec_append_row(&b.cols[KIT_NOTE], r.note, strlen(r.note)));
        b.rows++;
        if (k->row_count == k->row_room) {
            k->row_room = k->row_room == 0 ? 1024 : 2 * k->row_room;
            k->rows = realloc(k->rows, k->row_room * sizeof *k->rows);
            assert_non_null(k->rows);
        }
        k->rows[k->row_count++] = r;
    }
    KIT_OK(batch_encode(&body, &b, 0, b.rows));
    WalRecord r = {.kind = WAL_DATA,
                   .rows = (u32)count,
                   .table = STR("trade"),
                   .body = body.data,
                   .size = body.size};
    r.position = k->position;
    r.end = k->position += 100;
    KIT_OK(interval_take(k->interval, &r));
    batch_free(&b);
    buf_free(&body);
}

/* Ends the interval and commits it. */
__attribute__((unused)) static void kit_eoi(Kit *k)
{
    Arena a = {0};
    JobResult r;
    JobSignal s = {.seq = ++k->eoi, .day = KIT_DAY};
    k->position += 100;
    KIT_OK(interval_stage(k->interval, &s, k->position, &a, &r));
    i32 label = (i32)view_part_count(k->publish.current, PART_INTERVAL);
    for (u32 i = 0; i < r.part_count; i++)
        r.parts[i].key = label++;
    const View *v = k->publish.current;
    PublishChange c = {.add = r.parts,
                       .add_count = r.part_count,
                       .watermark = r.watermark,
                       .eoi = r.seq,
                       .eod = v->eod,
                       .sym_size = MAX(r.sym_size, v->sym_size),
                       .interval_end = v->interval_end,
                       .day_end = v->day_end};
    KIT_OK(publish_commit(&k->publish, &c));
    KIT_OK(interval_done(k->interval));
    arena_free(&a);
}

/* Does a day job and commits it. */
__attribute__((unused)) static void kit_eod(Kit *k, u64 memory_max, bool by_part)
{
    Arena a = {0};
    DayPlan plan;
    JobResult r;
    const View *v = k->publish.current;
    KIT_OK(day_plan(v, k->eoi, ++k->eod, publish_next(&k->publish), &a, &plan));
    DayOptions o = {.root = &k->root,
                    .tables = &k->set,
                    .domain = &k->domain,
                    .memory_max = memory_max,
                    .chunk_rows = 777,
                    .by_part = by_part,
                    .by_column = true,
                    .threads = 2};
    KIT_OK(day_stage(&plan, &o, &a, &r));
    PublishChange c = {.add = r.parts,
                       .add_count = r.part_count,
                       .remove = plan.taken,
                       .remove_count = plan.taken_count,
                       .watermark = v->watermark,
                       .eoi = v->eoi,
                       .eod = k->eod,
                       .sym_size = v->sym_size,
                       .interval_end = v->interval_end,
                       .day_end = v->day_end};
    KIT_OK(publish_commit(&k->publish, &c));
    arena_free(&a);
}

/* Reads a row of an open table folder and compares it with the model; returns its number. */
static u64 kit_check_row(Kit *k, const Column *const *cols, u64 row)
{
    u64 number = (u64)((const i64 *)cols[KIT_SIZE]->data)[row];
    assert_true(number < k->row_count);
    const KitRow *want = &k->rows[number];
    assert_int_equal(((const i64 *)cols[KIT_TIME]->data)[row], want->time);
    assert_true(((const f64 *)cols[KIT_PRICE]->data)[row] == want->price);
    i64 index = column_index(cols[KIT_SYM], row);
    Str sym = index == Q_NULL_LONG ? STR("") : symbol_text(k->domain.ids[index]);
    assert_true(str_is(sym, want->sym));
    const void *note = NULL;
    u64 size = 0;
    KIT_OK(column_row(cols[KIT_NOTE], row, &note, &size));
    assert_int_equal(size, strlen(want->note));
    if (size > 0) assert_memory_equal(note, want->note, size);
    return number;
}

/* q's order of two rows by a list of keys; ties by number (stream position) if so asked. */
static int kit_compare(const KitRow *a, const KitRow *b, const u32 *keys, u32 count, bool by_number)
{
    for (u32 i = 0; i < count; i++) {
        int c = 0;
        if (keys[i] == KIT_TIME) c = (a->time > b->time) - (a->time < b->time);
        if (keys[i] == KIT_SYM) c = strcmp(a->sym, b->sym);
        if (keys[i] == KIT_PRICE) c = (a->price > b->price) - (a->price < b->price);
        if (c != 0) return c;
    }
    return by_number ? (a->number > b->number) - (a->number < b->number) : 0;
}

/* Checks every row of a part's trade table: in the model, of an allowed day, in order within [from,
 * to). Marks it seen. */
static void kit_check_part(Kit *k, const Part *p, Place place, u8 *seen)
{
    Splay s = {0};
    const PartTable *t = view_part_table(p, "trade");
    const Column *cols[KIT_COLUMNS];
    char path[512];
    assert_non_null(t);
    assert_non_null(view_part_table(p, "quiet")); /* every table is in every part */
    snprintf(path, sizeof path, "%s/trade", p->path);
    KIT_OK(splay_open(&s, path));
    for (u32 i = 0; i < KIT_COLUMNS; i++)
        KIT_OK(splay_column(&s, k->columns[i].name, t->rows, &cols[i]));
    u64 previous = 0;
    u32 slice = 0;
    for (u64 row = 0; row < t->rows; row++) {
        u64 number = kit_check_row(k, cols, row);
        i32 day = temporal_day_of(k->rows[number].time);
        assert_true(k->rows[number].time >= t->time_min && k->rows[number].time <= t->time_max);
        assert_int_equal(seen[number], 0);
        seen[number] = 1;
        if (p->late) {
            while (row >= t->slices[slice].to)
                slice++;
            assert_int_equal(day, t->slices[slice].day);
        } else {
            assert_int_equal(day, p->day);
        }
        bool first = row == 0 || (p->late && row == t->slices[slice].from);
        const KitRow *a = &k->rows[previous], *b = &k->rows[number];
        bool loose = place == PLACE_DISK && k->ties_lost;
        if (!first && !loose)
            assert_true(kit_compare(a, b, k->trade.sort[place], k->trade.sort_count[place], true) <
                        0);
        if (!first && loose)
            assert_true(
                kit_compare(a, b, k->trade.sort[place], k->trade.sort_count[place], false) <= 0);
        previous = number;
    }
    splay_close(&s);
}

/* Every row of the model stands exactly once in the view, in the order that its place asks for. */
__attribute__((unused)) static void kit_check(Kit *k)
{
    u8 *seen = calloc(k->row_count + 1, 1);
    u64 at = 0;
    assert_non_null(seen);
    for (const Part *p; (p = view_next(k->publish.current, PART_INTERVAL, &at)) != NULL;)
        kit_check_part(k, p, PLACE_ORD, seen);
    at = 0;
    for (const Part *p; (p = view_next(k->publish.current, PART_DATE, &at)) != NULL;)
        kit_check_part(k, p, PLACE_DISK, seen);
    for (u64 i = 0; i < k->row_count; i++)
        assert_int_equal(seen[i], 1);
    free(seen);
}

#endif
