/*
 * operand: every kind of value into every kind of column: what fits keeps its meaning, what does
 * not is E_TYPE.
 */
#include "kit.h"
#include "query/operand.h"

#include <math.h>

/* One column of each fixed type, then a symbol, a string and a list. */
static SchemaColumn columns[23];
static Schema schema = {.name = "t", .columns = columns, .prtn = -1};

enum { COL_SYMBOL = 20, COL_STRING = 21, COL_LIST = 22 };

static int setup(void **state)
{
    (void)state;
    for (i32 i = 0; i < 20; i++)
        columns[i] = (SchemaColumn){.name = "c", .type = type_is_fixed(i) ? i : QT_LONG};
    columns[COL_SYMBOL] = (SchemaColumn){.name = "s", .type = QT_SYMBOL};
    columns[COL_STRING] = (SchemaColumn){.name = "t", .type = QT_STRING};
    columns[COL_LIST] = (SchemaColumn){.name = "l", .type = QT_NESTED + QT_FLOAT};
    schema.column_count = COUNT_OF(columns);
    return 0;
}

static void numbers_go_into_wider_types_and_into_narrower_ones_when_they_fit(void **state)
{
    (void)state;

    static const struct {
        int column;
        i16 from;
        i64 i, want;
        bool fits;
    } rows[] = {
        {QT_LONG, -QT_INT, 7, 7, true},
        {QT_LONG, -QT_INT, Q_NULL_INT, Q_NULL_LONG, true},
        {QT_LONG, -QT_SHORT, Q_NULL_SHORT, Q_NULL_LONG, true},
        {QT_INT, -QT_LONG, 7, 7, true},
        {QT_INT, -QT_LONG, Q_NULL_LONG, Q_NULL_INT, true},
        {QT_INT, -QT_LONG, INT32_MAX, INT32_MAX, true},
        {QT_INT, -QT_LONG, INT32_MAX + 1ll, 0, false},
        {QT_INT, -QT_LONG, INT32_MIN, 0, false}, /* would be the null */
        {QT_SHORT, -QT_LONG, -INT16_MAX, -INT16_MAX, true},
        {QT_SHORT, -QT_LONG, INT16_MIN, 0, false},
        {QT_BYTE, -QT_LONG, 255, 255, true},
        {QT_BYTE, -QT_LONG, 256, 0, false},
        {QT_BYTE, -QT_LONG, -1, 0, false},
        {QT_BYTE, -QT_INT, Q_NULL_INT, 0, false},
        {QT_BOOLEAN, -QT_LONG, 1, 1, true},
        {QT_BOOLEAN, -QT_LONG, 2, 0, false},
        {QT_BOOLEAN, -QT_BOOLEAN, 0, 0, true},
        {QT_LONG, -QT_BOOLEAN, 1, 1, true},
        {QT_TIMESTAMP, -QT_LONG, 99, 99, true},
        {QT_TIMESTAMP, -QT_DATE, 2, 2 * TEMPORAL_DAY_NS, true},
        {QT_TIMESTAMP, -QT_DATE, Q_NULL_INT, Q_NULL_LONG, true},
        {QT_TIMESTAMP, -QT_MONTH, 13, 397 * TEMPORAL_DAY_NS, true}, /* 2001.02 */
        {QT_TIMESTAMP, -QT_TIME, 5, 0, false},
        {QT_DATE, -QT_TIMESTAMP, TEMPORAL_DAY_NS, 1, true},
        {QT_DATE, -QT_TIMESTAMP, TEMPORAL_DAY_NS + 1, 0, false},
        {QT_MONTH, -QT_DATE, 397, 13, true},
        {QT_MONTH, -QT_DATE, 398, 0, false},
        {QT_MONTH, -QT_DATE, -31, -1, true}, /* 1999.12 */
        {QT_TIME, -QT_MINUTE, 2, 120000, true},
        {QT_TIME, -QT_TIMESPAN, 1000000, 1, true},
        {QT_TIME, -QT_TIMESPAN, 1000001, 0, false},
        {QT_SECOND, -QT_TIME, 2000, 2, true},
        {QT_MINUTE, -QT_SECOND, 61, 0, false},
        {QT_TIMESPAN, -QT_SECOND, 1, 1000000000, true},
        {QT_TIMESPAN, -QT_DATE, 1, 0, false},
        {QT_LONG, -QT_TIMESTAMP, 1, 0, false},
        {QT_CHAR, -QT_LONG, 65, 0, false},
        {QT_GUID, -QT_LONG, 65, 0, false},
        {QT_DATE, -QT_MONTH, 1 << 30, 0, false},
    };

    for (u32 i = 0; i < COUNT_OF(rows); i++) {
        Arena a = {0};
        Value v = {.type = rows[i].from, .as.i = rows[i].i}, out;
        Err err = operand_atom(&schema, rows[i].column, &v, &a, &out);
        if (err != (rows[i].fits ? E_OK : E_TYPE)) fail_msg("row %u: %s", i, fail_name(err));
        if (err == E_OK) {
            assert_int_equal(out.type, -rows[i].column);
            assert_int_equal(out.as.i, rows[i].want);
        }
        arena_free(&a);
    }
}

static void floats_go_into_integers_when_they_are_whole(void **state)
{
    (void)state;
    Arena a = {0};
    Value v = value_float(5), out;
    KIT_OK(operand_atom(&schema, QT_INT, &v, &a, &out));
    assert_true(out.type == -QT_INT && out.as.i == 5);
    v.as.f = 5.5;
    assert_int_equal(operand_atom(&schema, QT_INT, &v, &a, &out), E_TYPE);
    v.as.f = 1e300;
    assert_int_equal(operand_atom(&schema, QT_LONG, &v, &a, &out), E_TYPE);
    v.as.f = (f64)INFINITY;
    assert_int_equal(operand_atom(&schema, QT_LONG, &v, &a, &out), E_TYPE);
    v.as.f = (f64)NAN;
    KIT_OK(operand_atom(&schema, QT_SHORT, &v, &a, &out));
    assert_int_equal(out.as.i, Q_NULL_SHORT);
    v.as.f = 0.1;
    KIT_OK(operand_atom(&schema, QT_REAL, &v, &a, &out));
    assert_true(out.type == -QT_REAL && out.as.f == (f64)0.1f);
    v = value_long(Q_NULL_LONG);
    KIT_OK(operand_atom(&schema, QT_FLOAT, &v, &a, &out));
    assert_true(isnan(out.as.f));
    arena_free(&a);
}

static void texts_are_read_as_fields_are(void **state)
{
    (void)state;

    static const struct {
        int column;
        const char *text;
        i64 want;
    } rows[] = {
        {QT_LONG, "12", 12},        {QT_LONG, "0N", Q_NULL_LONG}, {QT_LONG, "", Q_NULL_LONG},
        {QT_INT, "0Wi", INT32_MAX}, {QT_BOOLEAN, "true", 1},      {QT_CHAR, "x", 'x'},
        {QT_CHAR, "", ' '},         {QT_DATE, "2000.01.02", 1},   {QT_BYTE, "0xff", 255},
    };

    Arena a = {0};
    Value out, v;
    for (u32 i = 0; i < COUNT_OF(rows); i++) {
        v = value_string(str_of(rows[i].text));
        KIT_OK(operand_atom(&schema, rows[i].column, &v, &a, &out));
        assert_true(out.type == -rows[i].column && out.as.i == rows[i].want);
    }
    v = value_string(STR("many"));
    assert_int_equal(operand_atom(&schema, QT_CHAR, &v, &a, &out), E_TYPE);
    assert_int_equal(operand_atom(&schema, QT_LONG, &v, &a, &out), E_TYPE);
    assert_non_null(strstr(fail_text(), "many"));
    v = value_string(STR("0a000000-0000-0000-0000-0000000000ff"));
    KIT_OK(operand_atom(&schema, QT_GUID, &v, &a, &out));
    assert_true(out.as.guid[0] == 0x0a && out.as.guid[15] == 0xff);
    v = value_null();
    KIT_OK(operand_atom(&schema, QT_GUID, &v, &a, &out));
    assert_true(out.type == -QT_GUID && out.as.guid[0] == 0);
    arena_free(&a);
}

static void symbols_and_strings_take_texts_and_intern_nothing(void **state)
{
    (void)state;
    Arena a = {0};
    Value out, v = value_string(STR("a name that no row has"));
    i32 before = symbol_count();
    KIT_OK(operand_atom(&schema, COL_SYMBOL, &v, &a, &out));
    assert_true(out.type == -QT_SYMBOL && str_is(out.as.text, "a name that no row has"));
    KIT_OK(operand_atom(&schema, COL_STRING, &v, &a, &out));
    assert_int_equal(out.type, QT_CHAR);
    v = value_atom(QT_CHAR, 'c');
    KIT_OK(operand_atom(&schema, COL_SYMBOL, &v, &a, &out));
    assert_true(str_is(out.as.text, "c"));
    v = value_long(1);
    assert_int_equal(operand_atom(&schema, COL_SYMBOL, &v, &a, &out), E_TYPE);
    assert_int_equal(operand_atom(&schema, COL_STRING, &v, &a, &out), E_TYPE);
    assert_int_equal(operand_atom(&schema, COL_LIST, &v, &a, &out), E_UNSUPPORTED);
    assert_int_equal(symbol_count(), before);
    arena_free(&a);
}

static void lists_come_from_vectors_lists_and_single_values(void **state)
{
    (void)state;
    Arena a = {0};
    Value out, one = value_long(3), list = value_list(&a, 2);
    i32 ints[] = {1, Q_NULL_INT};
    Value vector = value_vec(vec_of(QT_INT, ints, 2));
    KIT_OK(operand_list(&schema, QT_LONG, &vector, &a, &out));
    assert_true(out.type == QT_LONG && value_count(&out) == 2 &&
                vec_i64(&out.as.vec)[1] == Q_NULL_LONG);
    KIT_OK(operand_list(&schema, QT_SHORT, &one, &a, &out));
    assert_true(out.type == QT_SHORT && value_count(&out) == 1 && vec_i16(&out.as.vec)[0] == 3);
    vec_value(&list.as.vec)[0] = value_string(STR("x"));
    vec_value(&list.as.vec)[1] = value_string(STR("yz"));
    KIT_OK(operand_list(&schema, COL_SYMBOL, &list, &a, &out));
    assert_true(out.type == QT_SYMBOL && str_is(vec_str(&out.as.vec)[1], "yz"));
    KIT_OK(operand_list(&schema, COL_STRING, &list, &a, &out));
    assert_true(out.type == QT_LIST && value_count(&out) == 2);
    assert_int_equal(operand_list(&schema, QT_CHAR, &list, &a, &out), E_TYPE);
    Value text = value_string(STR("BS"));
    KIT_OK(operand_list(&schema, QT_CHAR, &text, &a, &out)); /* a set of chars */
    assert_true(out.type == QT_CHAR && value_count(&out) == 2);
    KIT_OK(operand_list(&schema, COL_SYMBOL, &text, &a, &out)); /* one name */
    assert_true(value_count(&out) == 1 && str_is(vec_str(&out.as.vec)[0], "BS"));
    Value none = value_list(&a, 0);
    KIT_OK(operand_list(&schema, QT_FLOAT, &none, &a, &out));
    assert_true(out.type == QT_FLOAT && value_count(&out) == 0);
    Value dict = value_dict(&a, 1);
    assert_int_equal(operand_list(&schema, QT_FLOAT, &dict, &a, &out), E_TYPE);
    assert_int_equal(operand_list(&schema, COL_LIST, &one, &a, &out), E_UNSUPPORTED);
    arena_free(&a);
}

static void times_of_a_range_are_points_in_time(void **state)
{
    (void)state;
    Arena a = {0};
    i64 ns;
    Value v = value_timestamp(5);
    KIT_OK(operand_time("startTS", &v, &ns));
    assert_true(ns == 5);
    v = value_null();
    KIT_OK(operand_time("startTS", &v, &ns));
    assert_true(ns == Q_NULL_LONG);
    v = value_timestamp(Q_NULL_LONG);
    KIT_OK(operand_time("startTS", &v, &ns));
    assert_true(ns == Q_NULL_LONG);
    v = (Value){.type = -QT_DATETIME, .as.f = 1.5};
    KIT_OK(operand_time("startTS", &v, &ns));
    assert_true(ns == TEMPORAL_DAY_NS * 3 / 2);
    v = value_atom(QT_TIMESPAN, 5);
    assert_int_equal(operand_time("startTS", &v, &ns), E_USAGE);
    v = value_bool(true);
    assert_int_equal(operand_time("startTS", &v, &ns), E_USAGE);
    v = value_list(&a, 2);
    assert_int_equal(operand_time("startTS", &v, &ns), E_USAGE);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_go_into_wider_types_and_into_narrower_ones_when_they_fit),
        cmocka_unit_test(floats_go_into_integers_when_they_are_whole),
        cmocka_unit_test(texts_are_read_as_fields_are),
        cmocka_unit_test(symbols_and_strings_take_texts_and_intern_nothing),
        cmocka_unit_test(lists_come_from_vectors_lists_and_single_values),
        cmocka_unit_test(times_of_a_range_are_points_in_time),
    };
    return cmocka_run_group_tests_name("query/operand", tests, setup, NULL);
}
