/* batch: every shape that a publisher may send is taken whole or refused by name. */
#include "base/bounds.h"
#include "q/symbol.h"
#include "q/wire.h"
#include "table/batch.h"
#include "unit/column/kit.h"

#include <math.h>

enum { TIME, SYM, PRICE, SIZE, NOTE, PATH, N_COLUMNS };

static SchemaColumn columns[] = {
    {.name = "time", .type = QT_TIMESTAMP}, {.name = "sym", .type = QT_SYMBOL},
    {.name = "price", .type = QT_FLOAT},    {.name = "size", .type = QT_LONG},
    {.name = "note", .type = QT_STRING},    {.name = "path", .type = QT_NESTED + QT_INT},
};
static Schema trade = {
    .name = "trade", .column_count = N_COLUMNS, .columns = columns, .prtn = TIME};

/* ---- messages by hand */

static Buf msg;

static void put(const void *data, u64 size) { ok(buf_append(&msg, data, size)); }

static void head(int type, i32 count)
{
    u8 h[6] = {(u8)type};
    store_u32(h + 2, (u32)count);
    put(h, 6);
}

static void name(const char *text) { put(text, strlen(text) + 1); }

static void atom(int type, const void *data, u64 size)
{
    u8 t = (u8)-type;
    put(&t, 1);
    put(data, size);
}

static const i64 times[] = {100, 200, 300};
static const f64 prices[] = {1.5, -2, 3};
static const i64 sizes[] = {7, 8, 9};

static void put_column(int c)
{
    i32 ints[] = {1, 2};
    switch (c) {
    case TIME: head(QT_TIMESTAMP, 3), put(times, 24); break;
    case SYM: head(QT_SYMBOL, 3), name("AAPL"), name(""), name("MSFT"); break;
    case PRICE: head(QT_FLOAT, 3), put(prices, 24); break;
    case SIZE: head(QT_LONG, 3), put(sizes, 24); break;
    case NOTE:
        head(QT_LIST, 3), head(QT_CHAR, 2), put("hi", 2), atom(QT_CHAR, "x", 1), head(QT_CHAR, 0);
        break;
    default:
        head(QT_LIST, 3), head(QT_INT, 0), head(QT_INT, 2), put(ints, 8), head(QT_LIST, 0);
        break;
    }
}

static void put_columns(void)
{
    buf_clear(&msg);
    head(QT_LIST, N_COLUMNS);
    for (int c = 0; c < N_COLUMNS; c++)
        put_column(c);
}

static void put_table(const int *order, int count)
{
    buf_clear(&msg);
    put("\x62\0\x63", 3);
    head(QT_SYMBOL, count);
    for (int i = 0; i < count; i++)
        name(columns[order[i]].name);
    head(QT_LIST, count);
    for (int i = 0; i < count; i++)
        put_column(order[i]);
}

static void put_row(void)
{
    i32 one = 5;
    buf_clear(&msg);
    head(QT_LIST, N_COLUMNS);
    atom(QT_TIMESTAMP, times, 8);
    atom(QT_SYMBOL, "GOOG", 5);
    atom(QT_FLOAT, prices, 8);
    atom(QT_LONG, sizes, 8);
    head(QT_CHAR, 3), put("abc", 3);
    head(QT_INT, 1), put(&one, 4);
}

static void expect_three(const Batch *b, u64 at)
{
    assert_memory_equal(vec_i64(&b->cols[TIME]) + at, times, 24);
    assert_true(str_is(symbol_text(vec_i32(&b->cols[SYM])[at]), "AAPL"));
    assert_int_equal(vec_i32(&b->cols[SYM])[at + 1], 0);
    assert_true(str_is(symbol_text(vec_i32(&b->cols[SYM])[at + 2]), "MSFT"));
    assert_memory_equal(vec_f64(&b->cols[PRICE]) + at, prices, 24);
    assert_memory_equal(vec_i64(&b->cols[SIZE]) + at, sizes, 24);
    const u64 *offs = b->cols[NOTE].offs + at;
    assert_int_equal(offs[1] - offs[0], 2);
    assert_int_equal(offs[2] - offs[1], 1);
    assert_int_equal(offs[3] - offs[2], 0);
    assert_memory_equal(vec_u8(&b->cols[NOTE]) + offs[0], "hix", 3);
    offs = b->cols[PATH].offs + at;
    assert_int_equal(offs[1] - offs[0], 0);
    assert_int_equal(offs[2] - offs[1], 2);
    assert_int_equal(vec_i32(&b->cols[PATH])[offs[1] + 1], 2);
    for (int c = 0; c < N_COLUMNS; c++)
        assert_int_equal(b->cols[c].count, b->rows);
}

static void check_then_append(Batch *b, u64 expected)
{
    u64 rows = 99, before = b->rows;
    ok(wire_check(msg.data, msg.size));
    ok(batch_check_wire(&trade, msg.data, msg.size, &rows));
    assert_int_equal(rows, expected);
    ok(batch_append_wire(b, msg.data, msg.size));
    assert_int_equal(b->rows, before + expected);
    const u8 *at;
    batch_times_wire(&trade, msg.data, msg.size, &at, &rows);
    assert_int_equal(rows, expected);
    if (rows > 0) assert_memory_equal(at, times, 8 * rows);
}

static void columns_tables_and_rows_are_taken(void **state)
{
    (void)state;
    Batch b;
    static const int straight[] = {0, 1, 2, 3, 4, 5}, turned[] = {5, 1, 0, 4, 3, 2};
    batch_init(&b, &trade);
    put_columns();
    check_then_append(&b, 3);
    put_table(straight, 6);
    check_then_append(&b, 3);
    put_table(turned, 6);
    check_then_append(&b, 3);
    put_row();
    check_then_append(&b, 1);
    expect_three(&b, 0);
    expect_three(&b, 3);
    expect_three(&b, 6);
    assert_true(str_is(symbol_text(vec_i32(&b.cols[SYM])[9]), "GOOG"));
    assert_int_equal(b.cols[PATH].offs[10] - b.cols[PATH].offs[9], 1);
    assert_true(batch_bytes(&b) > 0);
    batch_cut(&b, 3);
    assert_int_equal(b.rows, 3);
    expect_three(&b, 0);
    batch_clear(&b);
    assert_int_equal(b.rows, 0);
    put_columns();
    check_then_append(&b, 3);
    expect_three(&b, 0);
    batch_free(&b);
    batch_free(&b);
}

static void empty_lists_fit_empty_columns_and_nested_cells(void **state)
{
    (void)state;
    Batch b;
    u64 rows;
    batch_init(&b, &trade);
    buf_clear(&msg);
    head(QT_LIST, N_COLUMNS);
    for (int c = 0; c < N_COLUMNS; c++)
        head(QT_LIST, 0);
    check_then_append(&b, 0);
    buf_clear(&msg);
    head(QT_LIST, N_COLUMNS);
    head(QT_TIMESTAMP, 0), head(QT_SYMBOL, 0);
    for (int c = 2; c < N_COLUMNS; c++)
        head(QT_LIST, 0);
    check_then_append(&b, 0);
    put_row();
    msg.size -= 10 + 9; /* both lists of the row */
    head(QT_LIST, 0), head(QT_LIST, 0);
    check_then_append(&b, 1);
    assert_int_equal(b.cols[NOTE].offs[1], 0);
    buf_clear(&msg);
    head(QT_LIST, N_COLUMNS);
    for (int c = 0; c < N_COLUMNS; c++) {
        if (c == PRICE)
            head(QT_LIST, 0);
        else
            put_column(c);
    }
    fails(E_TYPE, "empty list", batch_check_wire(&trade, msg.data, msg.size, &rows));
    fails(E_TYPE, "empty list", batch_append_wire(&b, msg.data, msg.size));
    assert_int_equal(b.rows, 1);
    for (int c = 0; c < N_COLUMNS; c++)
        assert_int_equal(b.cols[c].count, 1);
    batch_free(&b);
}

/* A first column that is `()` before a row of atoms is no row. */
static void an_empty_list_is_no_atom(void **state)
{
    (void)state;
    u64 rows;
    buf_clear(&msg);
    head(QT_LIST, N_COLUMNS);
    head(QT_LIST, 0);
    atom(QT_SYMBOL, "GOOG", 5), atom(QT_FLOAT, prices, 8), atom(QT_LONG, sizes, 8);
    head(QT_CHAR, 0), head(QT_INT, 0);
    fails(E_TYPE, "empty list", batch_check_wire(&trade, msg.data, msg.size, &rows));
}

static void a_row_of_equal_types_comes_as_a_vector(void **state)
{
    (void)state;
    SchemaColumn three[] = {{.name = "a", .type = QT_TIMESTAMP},
                            {.name = "b", .type = QT_TIMESTAMP}};
    SchemaColumn names[] = {{.name = "a", .type = QT_SYMBOL}, {.name = "b", .type = QT_SYMBOL}};
    Schema s = {.name = "t", .column_count = 2, .columns = three, .prtn = 1};
    Schema n = {.name = "n", .column_count = 2, .columns = names, .prtn = -1};
    Batch b;
    u64 rows;
    const u8 *at;
    batch_init(&b, &s);
    buf_clear(&msg);
    head(QT_TIMESTAMP, 2), put(times, 16);
    ok(batch_check_wire(&s, msg.data, msg.size, &rows));
    assert_int_equal(rows, 1);
    ok(batch_append_wire(&b, msg.data, msg.size));
    assert_int_equal(vec_i64(&b.cols[1])[0], 200);
    batch_times_wire(&s, msg.data, msg.size, &at, &rows);
    assert_int_equal(rows, 1);
    assert_int_equal(load_i64(at), 200);
    batch_free(&b);
    batch_init(&b, &n);
    buf_clear(&msg);
    head(QT_SYMBOL, 2), name("left"), name("right");
    ok(batch_append_wire(&b, msg.data, msg.size));
    assert_int_equal(b.rows, 1);
    assert_true(str_is(symbol_text(vec_i32(&b.cols[1])[0]), "right"));
    fails(E_TYPE, "expected timestamp, found symbol",
          batch_check_wire(&s, msg.data, msg.size, &rows));
    batch_free(&b);
}

static void refused(const char *part)
{
    u64 rows;
    Batch b;
    batch_init(&b, &trade);
    fails(E_TYPE, part, batch_check_wire(&trade, msg.data, msg.size, &rows));
    fails(E_TYPE, part, batch_append_wire(&b, msg.data, msg.size));
    assert_int_equal(b.rows, 0);
    for (int c = 0; c < N_COLUMNS; c++)
        assert_int_equal(b.cols[c].count, 0);
    batch_free(&b);
}

static void what_does_not_fit_is_refused_by_name(void **state)
{
    (void)state;
    static const int twice[] = {0, 1, 2, 3, 4, 4}, few[] = {0, 1};
    put_table(twice, 6);
    refused("note stands twice");
    put_table(few, 2);
    refused("2 columns, expected 6");
    put_table(twice, 6);
    memcpy(msg.data + 9, "tame", 4);
    refused("no column \"tame\"");

    put_columns();
    msg.data[6] = QT_TIMESPAN;
    refused("column time: expected timestamp, found timespan vector");
    put_row();
    msg.data[6] = (u8)-QT_LONG;
    refused("found long atom");

    buf_clear(&msg);
    head(QT_LIST, N_COLUMNS);
    put_column(TIME);
    atom(QT_SYMBOL, "GOOG", 5);
    for (int c = PRICE; c < N_COLUMNS; c++)
        put_column(c);
    refused("atoms and vectors are mixed");

    buf_clear(&msg);
    head(QT_LIST, N_COLUMNS);
    put_column(TIME);
    head(QT_SYMBOL, 2), name("a"), name("b");
    for (int c = PRICE; c < N_COLUMNS; c++)
        put_column(c);
    refused("column sym: 2 rows, other columns have 3");

    buf_clear(&msg);
    head(QT_LIST, N_COLUMNS);
    for (int c = 0; c < NOTE; c++)
        put_column(c);
    head(QT_LIST, 3), head(QT_INT, 0), head(QT_INT, 0), head(QT_INT, 0);
    put_column(PATH);
    refused("column note: expected string, found list of ints");

    buf_clear(&msg);
    put("\x63", 1);
    head(QT_SYMBOL, 0);
    refused("neither");
    buf_clear(&msg);
    head(QT_LIST, 3), head(QT_LIST, 0), head(QT_LIST, 0), head(QT_LIST, 0);
    refused("3 columns, expected 6");
    put_columns();
    put("\0", 1);
    refused("behind");
}

static void no_length_is_believed(void **state)
{
    (void)state;
    static const int straight[] = {0, 1, 2, 3, 4, 5}, turned[] = {5, 1, 0, 4, 3, 2};
    for (int shape = 0; shape < 4; shape++) {
        Batch b;
        batch_init(&b, &trade);
        if (shape == 0)
            put_columns();
        else if (shape == 1)
            put_table(straight, 6);
        else if (shape == 2)
            put_table(turned, 6);
        else
            put_row();
        for (u64 size = 0; size < msg.size; size++) {
            u8 *cut = malloc(size + 1); /* of its own, so that a sanitizer sees reads behind it */
            u64 rows;
            const u8 *at;
            memcpy(cut, msg.data, size);
            u8 *exact = realloc(cut, size > 0 ? size : 1);
            assert_int_not_equal(batch_check_wire(&trade, exact, size, &rows), E_OK);
            assert_int_not_equal(batch_append_wire(&b, exact, size), E_OK);
            batch_times_wire(&trade, exact, size, &at, &rows);
            free(exact);
        }
        for (u64 i = 0; i < msg.size; i++) {
            for (u32 mask = 1; mask < 256; mask = mask * 2 + 1) {
                u64 rows, before = b.rows;
                msg.data[i] ^= (u8)mask;
                Err err = batch_check_wire(&trade, msg.data, msg.size, &rows);
                assert_int_equal(batch_append_wire(&b, msg.data, msg.size), err);
                assert_int_equal(b.rows, before + (err == E_OK ? rows : 0));
                msg.data[i] ^= (u8)mask;
            }
        }
        batch_free(&b);
    }
}

static void encoded_rows_are_taken_again(void **state)
{
    (void)state;
    Batch a, b;
    u64 rows;
    batch_init(&a, &trade);
    batch_init(&b, &trade);
    put_columns();
    ok(batch_append_wire(&a, msg.data, msg.size));
    put_row();
    ok(batch_append_wire(&a, msg.data, msg.size));
    buf_clear(&msg);
    ok(batch_encode(&msg, &a, 0, 4));
    ok(wire_check(msg.data, msg.size));
    ok(batch_check_wire(&trade, msg.data, msg.size, &rows));
    assert_int_equal(rows, 4);
    ok(batch_append_wire(&b, msg.data, msg.size));
    expect_three(&b, 0);
    buf_clear(&msg);
    ok(batch_encode(&msg, &a, 1, 2));
    ok(batch_append_wire(&b, msg.data, msg.size));
    assert_int_equal(vec_i64(&b.cols[TIME])[4], 200);
    buf_clear(&msg);
    ok(batch_encode(&msg, &a, 4, 0));
    ok(wire_check(msg.data, msg.size));
    ok(batch_append_wire(&b, msg.data, msg.size));
    assert_int_equal(b.rows, 6);
    ok(batch_append_batch(&b, &a, 0, 3));
    expect_three(&b, 6);
    batch_free(&a);
    batch_free(&b);
}

/* ---- lists of symbols, mixed columns */

static SchemaColumn loose_columns[] = {
    {.name = "any", .type = QT_LIST},
    {.name = "time", .type = QT_TIMESTAMP},
    {.name = "tags", .type = QT_NESTED + QT_SYMBOL},
};
static Schema loose = {.name = "loose", .column_count = 3, .columns = loose_columns, .prtn = 1};

static void put_loose_columns(void)
{
    i64 longs[] = {1, 2};
    buf_clear(&msg);
    head(QT_LIST, 3);
    head(QT_LIST, 3), head(QT_LONG, 2), put(longs, 16), head(QT_CHAR, 2), put("hi", 2);
    atom(QT_LONG, longs, 8);
    head(QT_TIMESTAMP, 3), put(times, 24);
    head(QT_LIST, 3), head(QT_SYMBOL, 2), name("x"), name("y"), head(QT_LIST, 0);
    atom(QT_SYMBOL, "z", 2);
}

static Str row_of(const Batch *b, u64 i)
{
    const Vec *v = &b->cols[0];
    return (Str){(const char *)v->data + v->offs[i], v->offs[i + 1] - v->offs[i]};
}

static void lists_of_symbols_and_mixed_values_are_taken(void **state)
{
    (void)state;
    Batch a, b;
    u64 rows, heap[3];
    const u8 *at;
    batch_init(&a, &loose);
    batch_init(&b, &loose);
    put_loose_columns();
    ok(wire_check(msg.data, msg.size));
    ok(batch_measure_wire(&loose, msg.data, msg.size, &rows, heap));
    assert_int_equal(rows, 3);
    assert_int_equal(heap[1], 0);
    assert_int_equal(heap[2], 3);
    batch_times_wire(&loose, msg.data, msg.size, &at, &rows);
    assert_int_equal(load_i64(at + 8), 200);
    ok(batch_append_wire(&a, msg.data, msg.size));
    assert_true(heap[0] >= a.cols[0].offs[3]);
    assert_int_equal(row_of(&a, 0).size, 6 + 16);
    assert_int_equal(row_of(&a, 2).size, 9);
    const Vec *tags = &a.cols[2];
    assert_int_equal(tags->offs[1], 2);
    assert_int_equal(tags->offs[2], 2);
    assert_int_equal(tags->offs[3], 3);
    assert_true(str_is(symbol_text(vec_i32(tags)[2]), "z"));
    buf_clear(&msg);
    ok(batch_encode(&msg, &a, 1, 2));
    ok(wire_check(msg.data, msg.size));
    ok(batch_append_wire(&b, msg.data, msg.size));
    assert_int_equal(b.rows, 2);
    assert_true(str_eq(row_of(&b, 0), row_of(&a, 1)));
    assert_true(str_eq(row_of(&b, 1), row_of(&a, 2)));
    assert_int_equal(b.cols[2].offs[2], 1);
    ok(batch_append_batch(&b, &a, 0, 3));
    assert_true(str_eq(row_of(&b, 2), row_of(&a, 0)));
    batch_free(&a);
    batch_free(&b);
}

/* A list at the place of a mixed column is one row's value when others are atoms. */
static void a_mixed_value_of_a_row(void **state)
{
    (void)state;
    Batch b;
    i64 longs[] = {1, 2};
    batch_init(&b, &loose);
    buf_clear(&msg);
    head(QT_LIST, 3), head(QT_LIST, 2), head(QT_LONG, 1), put(longs, 8), head(QT_CHAR, 0);
    atom(QT_TIMESTAMP, times, 8), head(QT_SYMBOL, 1), name("x");
    ok(batch_append_wire(&b, msg.data, msg.size));
    assert_int_equal(b.rows, 1);
    assert_int_equal(row_of(&b, 0).size, 6 + 14 + 6);
    buf_clear(&msg);
    head(QT_LIST, 3), head(QT_LIST, 0), atom(QT_TIMESTAMP, times, 8), head(QT_LIST, 0);
    ok(batch_append_wire(&b, msg.data, msg.size));
    assert_int_equal(b.rows, 2);
    assert_int_equal(row_of(&b, 1).size, 6);
    /* a vector is a column of atoms beside vectors */
    buf_clear(&msg);
    head(QT_LIST, 3), head(QT_LONG, 2), put(longs, 16), head(QT_TIMESTAMP, 2), put(times, 16);
    head(QT_LIST, 2), head(QT_SYMBOL, 0), head(QT_SYMBOL, 0);
    ok(batch_append_wire(&b, msg.data, msg.size));
    assert_int_equal(b.rows, 4);
    assert_int_equal(row_of(&b, 3).size, 9);
    assert_int_equal((i8)row_of(&b, 3).data[0], -QT_LONG);
    buf_clear(&msg);
    head(QT_LIST, 3), head(QT_SYMBOL, 1), name("ab"), head(QT_TIMESTAMP, 1), put(times, 8);
    head(QT_LIST, 1), head(QT_SYMBOL, 0);
    ok(batch_append_wire(&b, msg.data, msg.size));
    assert_true(str_eq(row_of(&b, 4), (Str){"\xf5"
                                            "ab",
                                            4}));
    batch_free(&b);
}

static void loose_columns_are_refused_by_name(void **state)
{
    (void)state;
    Batch b;
    u64 rows;
    batch_init(&b, &loose);
    buf_clear(&msg);
    head(QT_LIST, 3), head(QT_LIST, 1), put("\x65\0", 2), head(QT_TIMESTAMP, 1), put(times, 8);
    head(QT_LIST, 1), head(QT_SYMBOL, 0);
    fails(E_TYPE, "column any: a function", batch_check_wire(&loose, msg.data, msg.size, &rows));
    fails(E_TYPE, "column any: a function", batch_append_wire(&b, msg.data, msg.size));
    buf_clear(&msg);
    head(QT_LIST, 3), head(QT_LIST, 0), head(QT_TIMESTAMP, 1), put(times, 8);
    head(QT_LIST, 1), head(QT_CHAR, 0);
    fails(E_TYPE, "column tags", batch_check_wire(&loose, msg.data, msg.size, &rows));
    buf_clear(&msg);
    put("\x62\0\x63", 3);
    head(QT_SYMBOL, 3), name("any"), name("time"), name("tags"), head(QT_LIST, 3);
    head(QT_LIST, 1), head(QT_LIST, 0), head(QT_TIMESTAMP, 1), put(times, 8);
    head(QT_SYMBOL, 1), name("x");
    fails(E_TYPE, "a list of vectors is expected",
          batch_check_wire(&loose, msg.data, msg.size, &rows));
    put_loose_columns();
    for (u64 size = 0; size < msg.size; size++) {
        u8 *cut = malloc(size + 1);
        memcpy(cut, msg.data, size);
        u8 *exact = realloc(cut, size > 0 ? size : 1);
        assert_int_not_equal(batch_check_wire(&loose, exact, size, &rows), E_OK);
        assert_int_not_equal(batch_append_wire(&b, exact, size), E_OK);
        free(exact);
    }
    for (u64 i = 0; i < msg.size; i++) {
        for (u32 mask = 1; mask < 256; mask = mask * 2 + 1) {
            u64 before = b.rows;
            msg.data[i] ^= (u8)mask;
            Err err = batch_check_wire(&loose, msg.data, msg.size, &rows);
            assert_int_equal(batch_append_wire(&b, msg.data, msg.size), err);
            assert_int_equal(b.rows, before + (err == E_OK ? rows : 0));
            msg.data[i] ^= (u8)mask;
        }
    }
    batch_free(&b);
}

static void a_list_of_one_row_has_a_bound(void **state)
{
    (void)state;
    SchemaColumn bytes[] = {{.name = "bytes", .type = QT_NESTED + QT_BYTE}};
    Schema s = {.name = "t", .column_count = 1, .columns = bytes, .prtn = -1};
    u64 rows, n = BOUND_LIST_MAX;
    buf_clear(&msg);
    head(QT_LIST, 1), head(QT_LIST, 1), head(QT_BYTE, (i32)n);
    u8 *zeros = calloc(n, 1);
    put(zeros, n);
    free(zeros);
    fails(E_TYPE, "column bytes: a list of more than",
          batch_check_wire(&s, msg.data, msg.size, &rows));
    bytes[0].type = QT_LIST;
    fails(E_TYPE, "column bytes: a value larger", batch_check_wire(&s, msg.data, msg.size, &rows));
    buf_free(&msg);
}

static void value_borrows_the_columns(void **state)
{
    (void)state;
    Arena a = {0};
    Batch b;
    batch_init(&b, &trade);
    Value v = batch_value(&b, &a);
    assert_int_equal(value_count(&v), 0);
    put_columns();
    ok(batch_append_wire(&b, msg.data, msg.size));
    v = batch_value(&b, &a);
    assert_int_equal(v.type, QT_TABLE);
    assert_int_equal(value_count(&v), 3);
    const Value *price = value_col(&v, "price");
    assert_ptr_equal(price->as.vec.data, b.cols[PRICE].data);
    assert_int_equal(price->as.vec.room, 0);
    Value note = value_at(value_col(&v, "note"), 0);
    Str text;
    assert_true(value_text(&note, &text));
    assert_true(str_is(text, "hi"));
    buf_clear(&msg);
    ok(wire_encode(&msg, &v));
    ok(batch_append_wire(&b, msg.data, msg.size));
    expect_three(&b, 3);
    batch_free(&b);
    arena_free(&a);
}

static void text_and_values_name_their_column(void **state)
{
    (void)state;
    Batch b;
    Value v = value_long(12);
    batch_init(&b, &trade);
    ok(batch_append_text(&b, TIME, STR("2024.11.02D10:00:00.000000001")));
    ok(batch_append_text(&b, SYM, STR("AAPL")));
    ok(batch_append_text(&b, PRICE, STR("")));
    ok(batch_append_value(&b, SIZE, &v));
    ok(batch_append_text(&b, NOTE, STR("a, b")));
    ok(batch_append_text(&b, PATH, STR("1 2 3")));
    b.rows = 1;
    assert_true(isnan(vec_f64(&b.cols[PRICE])[0]));
    assert_int_equal(vec_i64(&b.cols[SIZE])[0], 12);
    assert_int_equal(b.cols[PATH].offs[1], 3);
    fails(E_TYPE, "table trade, column price: \"abc\" is no float",
          batch_append_text(&b, PRICE, STR("abc")));
    fails(E_TYPE, "column time", batch_append_value(&b, TIME, &(Value){.type = QT_DICT}));
    batch_free(&b);
}

static int free_msg(void **state)
{
    (void)state;
    buf_free(&msg);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_tables_and_rows_are_taken),
        cmocka_unit_test(empty_lists_fit_empty_columns_and_nested_cells),
        cmocka_unit_test(an_empty_list_is_no_atom),
        cmocka_unit_test(a_row_of_equal_types_comes_as_a_vector),
        cmocka_unit_test(what_does_not_fit_is_refused_by_name),
        cmocka_unit_test(no_length_is_believed),
        cmocka_unit_test(encoded_rows_are_taken_again),
        cmocka_unit_test(lists_of_symbols_and_mixed_values_are_taken),
        cmocka_unit_test(a_mixed_value_of_a_row),
        cmocka_unit_test(loose_columns_are_refused_by_name),
        cmocka_unit_test(a_list_of_one_row_has_a_bound),
        cmocka_unit_test(value_borrows_the_columns),
        cmocka_unit_test(text_and_values_name_their_column),
    };
    return cmocka_run_group_tests(tests, NULL, free_msg);
}
