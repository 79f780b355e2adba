/* cast: text and JSON become elements of every type, or are refused; nothing turns into null on the
 * way. */
#include "q/symbol.h"
#include "q/temporal.h"
#include "table/cast.h"
#include "unit/column/kit.h"

#include <math.h>

static Vec column(int type)
{
    Vec v;
    vec_init(&v, type == QT_SYMBOL ? QT_ENUM : type);
    return v;
}

static i64 integer_of(int type, const char *text)
{
    Vec v = column(type);
    i64 i = 0;
    ok(cast_text(type, str_of(text), &v));
    assert_int_equal(v.count, 1);
    memcpy(&i, v.data, type_width(type));
    u32 shift = 64 - 8 * type_width(type);
    vec_free(&v);
    return (i64)((u64)i << shift) >> shift;
}

static f64 float_of(int type, const char *text)
{
    Vec v = column(type);
    ok(cast_text(type, str_of(text), &v));
    f64 f = type == QT_REAL ? (f64)vec_f32(&v)[0] : vec_f64(&v)[0];
    vec_free(&v);
    return f;
}

static void refuses(int type, const char *text)
{
    Vec v = column(type);
    if (cast_text(type, str_of(text), &v) == E_OK)
        fail_msg("\"%s\" taken as %s", text, type_name(type));
    assert_int_equal(v.count, 0);
    vec_free(&v);
}

static void integers(void **state)
{
    (void)state;
    assert_int_equal(integer_of(QT_LONG, "-12"), -12);
    assert_int_equal(integer_of(QT_LONG, ""), INT64_MIN);
    assert_int_equal(integer_of(QT_LONG, "0N"), INT64_MIN);
    assert_int_equal(integer_of(QT_LONG, "0Nj"), INT64_MIN);
    assert_int_equal(integer_of(QT_LONG, "0W"), INT64_MAX);
    assert_int_equal(integer_of(QT_LONG, "-0W"), -INT64_MAX);
    assert_int_equal(integer_of(QT_LONG, "9223372036854775806"), INT64_MAX - 1);
    assert_int_equal(integer_of(QT_INT, "2147483646"), INT32_MAX - 1);
    assert_int_equal(integer_of(QT_INT, "0Ni"), INT32_MIN);
    assert_int_equal(integer_of(QT_SHORT, "-32766"), -32766);
    assert_int_equal(integer_of(QT_SHORT, ""), INT16_MIN);
    assert_int_equal(integer_of(QT_BYTE, "0xfe") & 0xff, 0xfe);
    assert_int_equal(integer_of(QT_BYTE, "200") & 0xff, 200);
    assert_int_equal(integer_of(QT_BYTE, ""), 0);
    assert_int_equal(integer_of(QT_CHAR, "c"), 'c');
    assert_int_equal(integer_of(QT_CHAR, ""), ' ');
    static const char *const yes[] = {"1", "true", "1b"}, *const no[] = {"0", "false", "0b", ""};
    for (u32 i = 0; i < 3; i++)
        assert_int_equal(integer_of(QT_BOOLEAN, yes[i]), 1);
    for (u32 i = 0; i < 4; i++)
        assert_int_equal(integer_of(QT_BOOLEAN, no[i]), 0);
    refuses(QT_LONG, "9223372036854775807");
    refuses(QT_LONG, "-9223372036854775808");
    refuses(QT_LONG, "1.5");
    refuses(QT_LONG, "1 2");
    refuses(QT_INT, "2147483647");
    refuses(QT_SHORT, "40000");
    refuses(QT_BYTE, "256");
    refuses(QT_BYTE, "0x100");
    refuses(QT_CHAR, "ab");
    refuses(QT_BOOLEAN, "yes");
}

static void floats_guids_and_times(void **state)
{
    (void)state;
    Vec v = column(QT_GUID);
    u64 bits;
    assert_true(float_of(QT_FLOAT, "1e3") == 1000);
    assert_true(float_of(QT_REAL, "-0.5") == -0.5);
    assert_true(isinf(float_of(QT_FLOAT, "0w")));
    assert_true(float_of(QT_FLOAT, "-0W") < 0);
    f64 null = float_of(QT_FLOAT, "");
    memcpy(&bits, &null, 8);
    assert_int_equal(bits, 0xfff8000000000000u);
    assert_true(isnan(float_of(QT_FLOAT, "0n")));
    null = float_of(QT_FLOAT, "nan");
    memcpy(&bits, &null, 8);
    assert_int_equal(bits, 0xfff8000000000000u);
    refuses(QT_FLOAT, "1.2.3");
    ok(cast_text(QT_GUID, STR("00112233-4455-6677-8899-aAbBcCdDeEfF"), &v));
    assert_memory_equal(v.data, "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff",
                        16);
    vec_free(&v);
    refuses(QT_GUID, "00112233445566778899aabbccddeeff");
    refuses(QT_GUID, "0011223-34455-6677-8899-aabbccddeeff");
    refuses(QT_GUID, "g0112233-4455-6677-8899-aabbccddeeff");
    i64 day = temporal_days(2024, 11, 2);
    assert_int_equal(integer_of(QT_TIMESTAMP, "2024-11-02T10:00:00Z"),
                     day * TEMPORAL_DAY_NS + 36000000000000);
    assert_int_equal(integer_of(QT_TIMESTAMP, ""), INT64_MIN);
    assert_int_equal(integer_of(QT_DATE, "2024.11.02"), day);
    assert_int_equal(integer_of(QT_DATE, ""), INT32_MIN);
    assert_int_equal(integer_of(QT_TIME, "00:00:01.500"), 1500);
    assert_true(float_of(QT_DATETIME, "2000.01.02T12:00:00.000") == 1.5);
    refuses(QT_TIMESTAMP, "yesterday");
    refuses(QT_DATE, "2024.13.02");
}

static void lists(void **state)
{
    (void)state;
    Vec v = column(QT_NESTED + QT_FLOAT);
    ok(cast_text(QT_NESTED + QT_FLOAT, STR("1.5 0n  2"), &v));
    ok(cast_text(QT_NESTED + QT_FLOAT, STR(""), &v));
    assert_int_equal(v.count, 2);
    assert_int_equal(v.offs[1], 3);
    assert_int_equal(v.offs[2], 3);
    assert_true(vec_f64(&v)[2] == 2);
    fails(E_TYPE, "\"x\" is no float", cast_text(QT_NESTED + QT_FLOAT, STR("1 x"), &v));
    assert_int_equal(v.count, 2);
    vec_free(&v);
    v = column(QT_STRING);
    ok(cast_text(QT_STRING, STR(""), &v));
    ok(cast_text(QT_STRING, STR("0N 1"), &v));
    assert_int_equal(v.offs[2], 4);
    vec_free(&v);
    v = column(QT_NESTED + QT_ENUM);
    ok(cast_text(QT_NESTED + QT_SYMBOL, STR("cast_a  cast_b"), &v));
    ok(cast_text(QT_NESTED + QT_SYMBOL, STR(""), &v));
    assert_int_equal(v.offs[1], 2);
    assert_int_equal(v.offs[2], 2);
    assert_true(str_is(symbol_text(vec_i32(&v)[1]), "cast_b"));
    vec_free(&v);
    v = column(QT_NESTED);
    fails(E_TYPE, "mixed", cast_text(QT_LIST, STR("1"), &v));
    ok(cast_text(QT_LIST, STR(""), &v));
    assert_int_equal(v.offs[1], 6);
    vec_free(&v);
}

static void json_numbers_fit_or_are_refused(void **state)
{
    (void)state;

    static const struct {
        int type;
        Value value;
        bool good;
    } cases[] = {
        {QT_LONG, {.type = -QT_LONG, .as.i = 5}, true},
        {QT_LONG, {.type = -QT_LONG, .as.i = INT64_MIN}, false},
        {QT_LONG, {.type = -QT_LONG, .as.i = INT64_MAX}, false},
        {QT_LONG, {.type = -QT_FLOAT, .as.f = 5}, true},
        {QT_LONG, {.type = -QT_FLOAT, .as.f = 5.5}, false},
        {QT_INT, {.type = -QT_LONG, .as.i = 1ll << 31}, false},
        {QT_SHORT, {.type = -QT_LONG, .as.i = -32767}, false},
        {QT_BYTE, {.type = -QT_LONG, .as.i = 255}, true},
        {QT_BYTE, {.type = -QT_LONG, .as.i = -1}, false},
        {QT_BOOLEAN, {.type = -QT_BOOLEAN, .as.i = 1}, true},
        {QT_BOOLEAN, {.type = -QT_LONG, .as.i = 1}, true},
        {QT_BOOLEAN, {.type = -QT_LONG, .as.i = 2}, false},
        {QT_LONG, {.type = -QT_BOOLEAN, .as.i = 1}, false},
        {QT_FLOAT, {.type = -QT_LONG, .as.i = 3}, true},
        {QT_REAL, {.type = -QT_FLOAT, .as.f = 3.5}, true},
        {QT_CHAR, {.type = -QT_LONG, .as.i = 3}, false},
        {QT_GUID, {.type = -QT_LONG, .as.i = 3}, false},
        {QT_TIMESTAMP, {.type = -QT_LONG, .as.i = 3}, true},
        {QT_LONG, {.type = QT_DICT}, false},
        {QT_LONG, {.type = QT_NULL}, true},
        {QT_STRING, {.type = -QT_LONG, .as.i = 3}, false},
        {QT_SYMBOL, {.type = -QT_LONG, .as.i = 3}, false},
        {QT_NESTED + QT_LONG, {.type = -QT_LONG, .as.i = 3}, false},
    };

    for (u32 i = 0; i < COUNT_OF(cases); i++) {
        Vec v = column(cases[i].type);
        Err err = cast_value(cases[i].type, &cases[i].value, &v);
        if ((err == E_OK) != cases[i].good) fail_msg("case %u: %s", i, err ? fail_text() : "taken");
        assert_int_equal(v.count, cases[i].good);
        vec_free(&v);
    }
}

static void json_texts_and_arrays(void **state)
{
    (void)state;
    Arena a = {0};
    Vec v = column(QT_TIMESTAMP);
    Value text = value_string(STR("2000-01-01T00:00:01Z"));
    ok(cast_value(QT_TIMESTAMP, &text, &v));
    assert_int_equal(vec_i64(&v)[0], 1000000000);
    vec_free(&v);
    v = column(QT_SYMBOL);
    text = value_string(STR("json"));
    ok(cast_value(QT_SYMBOL, &text, &v));
    assert_true(str_is(symbol_text(vec_i32(&v)[0]), "json"));
    ok(cast_value(QT_SYMBOL, &(Value){.type = QT_NULL}, &v));
    assert_int_equal(vec_i32(&v)[1], 0);
    vec_free(&v);
    Value list = value_list(&a, 3);
    vec_value(&list.as.vec)[0] = value_long(1);
    vec_value(&list.as.vec)[2] = value_float(2);
    v = column(QT_NESTED + QT_LONG);
    ok(cast_value(QT_NESTED + QT_LONG, &list, &v));
    assert_int_equal(v.offs[1], 3);
    assert_int_equal(vec_i64(&v)[1], INT64_MIN);
    assert_int_equal(vec_i64(&v)[2], 2);
    vec_free(&v);
    v = column(QT_NESTED + QT_ENUM);
    fails(E_TYPE, "long is no symbol", cast_value(QT_NESTED + QT_SYMBOL, &list, &v));
    fails(E_TYPE, "no symbol", cast_value(QT_NESTED + QT_SYMBOL, &text, &v));
    vec_value(&list.as.vec)[0] = vec_value(&list.as.vec)[2] = text;
    ok(cast_value(QT_NESTED + QT_SYMBOL, &list, &v));
    assert_int_equal(v.offs[1], 3);
    assert_int_equal(vec_i32(&v)[1], 0);
    assert_true(str_is(symbol_text(vec_i32(&v)[2]), "json"));
    vec_free(&v);
    arena_free(&a);
}

static void written(Value atom, const char *expected)
{
    Buf b = {0};
    ok(cast_write(&b, &atom));
    assert_string_equal(buf_str(&b), expected);
    buf_free(&b);
}

static void writing(void **state)
{
    (void)state;
    written(value_long(-7), "-7");
    written(value_long(INT64_MIN), "");
    written(value_long(INT64_MAX), "0W");
    written(value_int(-INT32_MAX), "-0W");
    written(value_float(0.1), "0.1");
    written(value_float(1.0 / 3), "0.3333333333333333");
    written(value_float((f64)NAN), "");
    written(value_float(-(f64)INFINITY), "-0w");
    written((Value){.type = -QT_REAL, .as.f = (f64)0.1f}, "0.1");
    written(value_bool(true), "1");
    written(value_atom(QT_BYTE, 0xab), "0xab");
    written(value_symbol("a b"), "a b");
    written(value_timestamp(0), "2000.01.01D00:00:00.000000000");
    written(value_timestamp(INT64_MIN), "");
    written(value_atom(QT_DATE, 1), "2000.01.02");
    written(value_atom(QT_DATE, INT32_MIN), "");
    written((Value){.type = -QT_GUID, .as.guid = {0, 0x11}},
            "00110000-0000-0000-0000-000000000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(floats_guids_and_times),
        cmocka_unit_test(lists),
        cmocka_unit_test(json_numbers_fit_or_are_refused),
        cmocka_unit_test(json_texts_and_arrays),
        cmocka_unit_test(writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
