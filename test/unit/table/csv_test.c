/* csv: text in pieces of any size gives the same rows; errors name the line. */
#include "q/symbol.h"
#include "table/csv.h"
#include "unit/column/kit.h"

static SchemaColumn columns[] = {
    {.name = "time", .type = QT_TIMESTAMP},
    {.name = "sym", .type = QT_SYMBOL},
    {.name = "price", .type = QT_FLOAT},
    {.name = "note", .type = QT_STRING},
};
static Schema trade = {.name = "trade", .column_count = 4, .columns = columns, .prtn = 0};

static const char text[] = "\xef\xbb\xbfsym,time,\"note\",price\r\n"
                           "AAPL,2024.11.02D10:00:00.000000000,\"a, \"\"b\"\"\nc\",1.5\r\n"
                           "\n"
                           ",2024-11-02T10:00:01Z,,\n"
                           "\"MSFT\",2024.11.02,it's 5\" wide,2";

static void check(const Batch *b)
{
    assert_int_equal(b->rows, 3);
    assert_true(str_is(symbol_text(vec_i32(&b->cols[1])[0]), "AAPL"));
    assert_int_equal(vec_i32(&b->cols[1])[1], 0);
    assert_true(str_is(symbol_text(vec_i32(&b->cols[1])[2]), "MSFT"));
    assert_int_equal(vec_i64(&b->cols[0])[1] - vec_i64(&b->cols[0])[0], 1000000000);
    assert_true(vec_f64(&b->cols[2])[2] == 2);
    const Vec *note = &b->cols[3];
    assert_int_equal(note->offs[1], 8);
    assert_memory_equal(note->data, "a, \"b\"\nc", 8);
    assert_int_equal(note->offs[2], 8);
    assert_memory_equal((const char *)note->data + 8, "it's 5\" wide", note->offs[3] - 8);
}

static void pieces_of_any_size_give_the_same_rows(void **state)
{
    (void)state;
    for (u64 piece = 1; piece <= sizeof text; piece++) {
        Csv c;
        Batch b;
        batch_init(&b, &trade);
        csv_init(&c, &trade, true);
        for (u64 at = 0; at < sizeof text - 1; at += piece) {
            u64 n = MIN(piece, sizeof text - 1 - at);
            ok(csv_feed(&c, (Str){text + at, n}, at + n == sizeof text - 1, &b));
        }
        check(&b);
        csv_free(&c);
        csv_free(&c);
        batch_free(&b);
    }
}

static void refused(bool header, const char *input, const char *part, u64 rows)
{
    Csv c;
    Batch b;
    batch_init(&b, &trade);
    csv_init(&c, &trade, header);
    fails(E_TYPE, part, csv_feed(&c, str_of(input), true, &b));
    assert_int_equal(b.rows, rows);
    for (u32 i = 0; i < 4; i++)
        assert_int_equal(b.cols[i].count, rows);
    csv_free(&c);
    batch_free(&b);
}

static void errors_name_line_and_column(void **state)
{
    (void)state;
    refused(true, "", "no header", 0);
    refused(true, "time,sym,price\n", "line 1: column note of table trade is missing", 0);
    refused(true, "time,sym,price,note,x\n", "line 1: table trade has no column \"x\"", 0);
    refused(true, "time,sym,price,time\n", "stands twice", 0);
    refused(false, "2024.11.02,a,1,x\n2024.11.02,b,one,x\n",
            "line 2: table trade, column price: \"one\"", 1);
    refused(false, "2024.11.02,a,1,\"x\ny\"\n2024.11.02,b,1\n", "line 3: 3 fields, expected 4", 1);
    refused(false, "2024.11.02,a,1,x,y\n", "more than 4 fields", 0);
    refused(false, "2024.11.02,a,1,\"x", "does not end", 0);
    refused(false, "2024.11.02,a,1,\"x\"y\n", "behind a quoted field", 0);
}

static void a_single_column_keeps_its_empty_lines(void **state)
{
    (void)state;
    SchemaColumn one[] = {{.name = "n", .type = QT_LONG}};
    Schema s = {.name = "t", .column_count = 1, .columns = one, .prtn = -1};
    Arena a = {0};
    Buf out = {0};
    Csv c;
    Batch b;
    batch_init(&b, &s);
    csv_init(&c, &s, true);
    ok(csv_feed(&c, STR("n\n1\n\n3\n"), true, &b));
    assert_int_equal(b.rows, 3);
    assert_int_equal(vec_i64(&b.cols[0])[1], INT64_MIN);
    Value v = batch_value(&b, &a);
    ok(csv_write(&out, &v, true));
    assert_string_equal(buf_str(&out), "n\n1\n\"\"\n3\n");
    csv_free(&c);
    batch_free(&b);
    buf_free(&out);
    arena_free(&a);
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    Arena a = {0};
    Buf out = {0};
    Csv c;
    Batch b, again;
    batch_init(&b, &trade);
    batch_init(&again, &trade);
    csv_init(&c, &trade, true);
    ok(csv_feed(&c, (Str){text, sizeof text - 1}, true, &b));
    csv_free(&c);
    Value v = batch_value(&b, &a);
    ok(csv_write(&out, &v, true));
    static const char expected[] = "time,sym,price,note\n"
                                   "2024.11.02D10:00:00.000000000,AAPL,1.5,\"a, \"\"b\"\"\nc\"\n"
                                   "2024.11.02D10:00:01.000000000,,,\n"
                                   "2024.11.02D00:00:00.000000000,MSFT,2,\"it's 5\"\" wide\"\n";
    assert_string_equal(buf_str(&out), expected);
    csv_init(&c, &trade, true);
    ok(csv_feed(&c, (Str){(const char *)out.data, out.size}, true, &again));
    check(&again);
    csv_free(&c);
    u64 size = out.size;
    Value atom = value_long(1);
    fails(E_TYPE, "long", csv_write(&out, &atom, true));
    assert_int_equal(out.size, size);
    batch_free(&b);
    batch_free(&again);
    buf_free(&out);
    arena_free(&a);
}

/* A dictionary of JSON: keys symbols, values a general list. */
static Value row(Arena *a, const char *time, const char *sym, const Value *price)
{
    Value v = value_dict(a, 4);
    value_put(&v, "time", value_string(str_of(time)));
    value_put(&v, "sym", value_string(str_of(sym)));
    if (price != NULL) value_put(&v, "price", *price);
    return v;
}

static void json_rows_and_columns(void **state)
{
    (void)state;
    Arena a = {0};
    Batch b;
    Value price = value_long(3);
    batch_init(&b, &trade);
    Value list = value_list(&a, 2);
    vec_value(&list.as.vec)[0] = row(&a, "2024-11-02", "AAPL", &price);
    vec_value(&list.as.vec)[1] = row(&a, "2024-11-03", "MSFT", NULL);
    ok(csv_from_json(&b, &list));
    assert_int_equal(b.rows, 2);
    assert_true(vec_f64(&b.cols[2])[0] == 3);
    assert_true(type_is_null(QT_FLOAT, vec_f64(&b.cols[2]) + 1));
    assert_int_equal(b.cols[3].count, 2);

    Value one = row(&a, "2024-11-04", "GOOG", &price);
    ok(csv_from_json(&b, &one));
    assert_int_equal(b.rows, 3);

    Value columns_of = value_dict(&a, 4), syms = value_list(&a, 2), prices = value_list(&a, 2);
    vec_value(&syms.as.vec)[0] = vec_value(&syms.as.vec)[1] = value_string(STR("X"));
    vec_value(&prices.as.vec)[0] = value_float(1);
    value_put(&columns_of, "price", prices);
    value_put(&columns_of, "sym", syms);
    ok(csv_from_json(&b, &columns_of));
    assert_int_equal(b.rows, 5);
    assert_int_equal(vec_i64(&b.cols[0])[4], INT64_MIN);
    assert_true(str_is(symbol_text(vec_i32(&b.cols[1])[4]), "X"));

    Value bad = row(&a, "2024-11-02", "AAPL", &price);
    value_put(&bad, "colour", price);
    vec_value(&list.as.vec)[1] = bad;
    fails(E_TYPE, "row 1: table trade has no column \"colour\"", csv_from_json(&b, &list));
    assert_int_equal(b.rows, 5);
    for (u32 i = 0; i < 4; i++)
        assert_int_equal(b.cols[i].count, 5);
    vec_value(&list.as.vec)[1] = value_long(1);
    fails(E_TYPE, "row 1: an array of rows", csv_from_json(&b, &list));
    fails(E_TYPE, "neither", csv_from_json(&b, &price));
    Value short_list = value_list(&a, 1);
    value_put(&columns_of, "note", short_list);
    fails(E_TYPE, "1 rows, other columns have 2", csv_from_json(&b, &columns_of));
    assert_int_equal(b.rows, 5);
    batch_free(&b);
    arena_free(&a);
}

/* What is deeper than a list of atoms is written as JSON, in quotes when it needs them. */
static void deep_values_are_written_as_json(void **state)
{
    (void)state;
    Arena a = {0};
    Buf out = {0};
    Value table = value_table(&a, 1), rows = value_list(&a, 3), dict = value_dict(&a, 1);
    Value pair = value_list(&a, 2);
    value_put(&dict, "k", value_long(1));
    vec_value(&pair.as.vec)[0] = value_long(1);
    vec_value(&pair.as.vec)[1] = value_symbol("s");
    vec_value(&rows.as.vec)[0] = dict;
    vec_value(&rows.as.vec)[1] = pair;
    vec_value(&rows.as.vec)[2] = value_string(STR("text"));
    table.as.table.names[0] = STR("mix");
    table.as.table.cols[0] = rows;
    ok(csv_write(&out, &table, true));
    assert_string_equal(buf_str(&out), "mix\n\"{\"\"k\"\":1}\"\n1 s\ntext\n");
    buf_free(&out);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deep_values_are_written_as_json),
        cmocka_unit_test(pieces_of_any_size_give_the_same_rows),
        cmocka_unit_test(errors_name_line_and_column),
        cmocka_unit_test(a_single_column_keeps_its_empty_lines),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(json_rows_and_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
