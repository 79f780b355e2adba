/*
 * rows: two small tables, and published bodies made from numbers, for the tests of feed and live.
 */
#ifndef UNIT_STREAM_ROWS_H
#define UNIT_STREAM_ROWS_H

#include "unit/stream/kit.h"

#include "q/symbol.h"
#include "table/batch.h"
#include "table/schema.h"

/* trade: time sym price note; ref: id name (no partition column). */
static inline SchemaSet *rows_tables(void)
{
    static SchemaColumn trade_columns[] = {{.name = "time", .type = QT_TIMESTAMP},
                                           {.name = "sym", .type = QT_SYMBOL},
                                           {.name = "price", .type = QT_FLOAT},
                                           {.name = "note", .type = QT_STRING}};
    static SchemaColumn ref_columns[] = {{.name = "id", .type = QT_LONG},
                                         {.name = "name", .type = QT_SYMBOL}};
    static Schema trade = {
        .name = "trade", .column_count = 4, .columns = trade_columns, .prtn = 0, .updated = -1};
    static Schema ref = {
        .name = "ref", .column_count = 2, .columns = ref_columns, .prtn = -1, .updated = -1};
    static Schema *tables[] = {&trade, &ref};
    static SchemaSet set = {.count = 2, .tables = tables};
    schema_seal(&trade);
    schema_seal(&ref);
    return &set;
}

/* One row of trade with number n at a time. */
static inline void rows_trade(Batch *b, i64 time, u64 n)
{
    char sym[24], note[64];
    snprintf(sym, sizeof sym, "S%llu", (unsigned long long)(n % 13));
    int size = snprintf(note, sizeof note, "%.*s%llu", (int)(n % 30),
                        "...............................", (unsigned long long)n);
    f64 price = (f64)n / 4;
    i32 id;
    assert_ok(symbol_intern(str_of(sym), &id));
    assert_ok(vec_append(&b->cols[0], &time, 1));
    assert_ok(vec_append(&b->cols[1], &id, 1));
    assert_ok(vec_append(&b->cols[2], &price, 1));
    assert_ok(vec_append_row(&b->cols[3], note, (u64)size));
    b->rows++;
}

/* Checks that row `at` of a batch (or slice of one) is the trade with number n. */
static inline void rows_check_trade(const Vec *cols, u64 at, i64 time, u64 n)
{
    char text[64];
    int size = snprintf(text, sizeof text, "%.*s%llu", (int)(n % 30),
                        "...............................", (unsigned long long)n);
    const u64 *offs = cols[3].offs;
    assert_true(vec_i64(&cols[0])[at] == time);
    assert_true(vec_f64(&cols[2])[at] == (f64)n / 4);
    assert_int_equal(offs[at + 1] - offs[at], size);
    assert_memory_equal((const char *)cols[3].data + offs[at], text, (size_t)size);
    snprintf(text, sizeof text, "S%llu", (unsigned long long)(n % 13));
    assert_true(str_is(symbol_text(vec_i32(&cols[1])[at]), text));
}

/* The body of trades first, first + 1, ... with these times. */
static inline void rows_body(Buf *b, const i64 *times, u64 count, u64 first)
{
    Batch batch;
    batch_init(&batch, rows_tables()->tables[0]);
    for (u64 i = 0; i < count; i++)
        rows_trade(&batch, times[i], first + i);
    buf_clear(b);
    assert_ok(batch_encode(b, &batch, 0, count));
    batch_free(&batch);
}

/* The same with times time, time + 1, ... */
static inline void rows_run(Buf *b, i64 time, u64 count, u64 first)
{
    i64 *times = malloc((count + 1) * sizeof *times);
    for (u64 i = 0; i < count; i++)
        times[i] = time + (i64)i;
    rows_body(b, times, count, first);
    free(times);
}

#endif
