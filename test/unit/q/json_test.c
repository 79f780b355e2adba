/*
 * json: numbers that read back equal, every shape of value, escaping, bad UTF-8, parsing and its
 * bounds.
 */
#include "base/bounds.h"
#include "base/prng.h"
#include "q/json.h"
#include "q/symbol.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void writes(const Value *v, const char *wanted)
{
    Buf b = {0};
    assert_int_equal(json_write(&b, v), E_OK);
    assert_string_equal(buf_str(&b), wanted);
    buf_free(&b);
}

static void floats_have_their_shortest_text(void **state)
{
    (void)state;

    static const struct {
        f64 f;
        const char *text;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "-0.0"},
        {1.0, "1"},
        {-42.0, "-42"},
        {0.1, "0.1"},
        {-0.5, "-0.5"},
        {101.25, "101.25"},
        {0.3, "0.3"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {2.0 / 3, "0.6666666666666666"},
        {0.00012, "0.00012"},
        {1e-5, "0.00001"},
        {1e-7, "1e-07"},
        {123456789.123, "123456789.123"},
        {9007199254740991.0, "9007199254740991"},
        {9007199254740992.0, "9007199254740992"},
        {1e15, "1000000000000000"},
        {1e22, "1e+22"},
        {1e300, "1e+300"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {NAN, "null"},
        {-NAN, "null"},
        {INFINITY, "null"},
        {-INFINITY, "null"},
    };

    for (u64 i = 0; i < COUNT_OF(cases); i++) {
        Buf b = {0};
        assert_int_equal(json_float(&b, cases[i].f), E_OK);
        assert_string_equal(buf_str(&b), cases[i].text);
        buf_free(&b);
    }
}

static void reads_back_equal(f64 f)
{
    Buf b = {0};
    assert_int_equal(json_float(&b, f), E_OK);
    f64 back = strtod(buf_str(&b), NULL);
    if (memcmp(&back, &f, sizeof f) != 0) fail_msg("%.17g became %s", f, buf_str(&b));
    assert_true(b.size <= 24);
    buf_free(&b);
}

static void every_float_reads_back_equal(void **state)
{
    (void)state;
    Prng p;
    prng_init(&p, 8);
    for (u32 i = 0; i < 100000; i++) {
        u64 bits = prng_next(&p);
        f64 f;
        memcpy(&f, &bits, sizeof f);
        if (isfinite(f)) reads_back_equal(f); /* any exponent */
        reads_back_equal(prng_unit(&p));
        reads_back_equal((f64)prng_below(&p, 10000000) / 100.0); /* prices */
        reads_back_equal((f64)(i64)prng_next(&p) / 1024.0);
        f64 near = (f64)prng_below(&p, 1000) / 8.0;
        reads_back_equal(nextafter(near, 1e9)); /* next to short numbers */
        reads_back_equal(nextafter(near, -1e9));
    }
}

/* No text with fewer digits may read back equal. */
static void short_floats_are_as_short_as_can_be(void **state)
{
    (void)state;
    Prng p;
    prng_init(&p, 9);
    for (u32 i = 0; i < 50000; i++) {
        static const f64 scales[] = {1, 10, 100, 1000, 10000, 1e5, 1e6, 1e7, 1e8, 1e9};
        f64 f = (f64)prng_below(&p, 1ull << (1 + prng_below(&p, 50))) / scales[prng_below(&p, 10)];
        Buf b = {0};
        char text[40], *end;
        assert_int_equal(json_float(&b, f), E_OK);
        u32 digits = 0, zeros = 0;
        for (const char *c = buf_str(&b); *c && *c != 'e'; c++) {
            if (*c < '0' || *c > '9' || (digits == 0 && *c == '0')) continue;
            zeros = *c == '0' ? zeros + 1 : 0;
            digits++;
        }
        digits -= zeros;
        if (digits > 1) {
            (void)snprintf(text, sizeof text, "%.*e", (int)digits - 2, f);
            assert_true(strtod(text, &end) != f);
        }
        buf_free(&b);
    }
}

static void reals_read_back_equal_as_reals(void **state)
{
    (void)state;
    Prng p;
    prng_init(&p, 10);
    for (u32 i = 0; i < 100000; i++) {
        u32 bits = (u32)prng_next(&p);
        f32 f;
        memcpy(&f, &bits, sizeof f);
        if (!isfinite(f)) continue;
        Value v = {.type = -QT_REAL, .as.f = (f64)f};
        Buf b = {0};
        assert_int_equal(json_write(&b, &v), E_OK);
        assert_true(strtof(buf_str(&b), NULL) == f);
        buf_free(&b);
    }
    f32 reals[] = {5.5f, 0.1f, 3e10f, NAN, -2.0f, 16777216.0f};
    Value v = value_vec(vec_of(QT_REAL, reals, 6));
    writes(&v, "[5.5,0.1,3e+10,null,-2,16777216]");
}

static void integers_are_written_as_they_are(void **state)
{
    (void)state;
    i64 longs[] = {0, 1, 9, 10, 99, 100, 12345, -1, INT64_MAX, -INT64_MAX, INT64_MIN};
    Value v = value_vec(vec_of(QT_LONG, longs, COUNT_OF(longs)));
    writes(&v, "[0,1,9,10,99,100,12345,-1,9223372036854775807,-9223372036854775807,null]");
    i32 ints[] = {-5, INT32_MIN, INT32_MAX};
    v = value_vec(vec_of(QT_INT, ints, 3));
    writes(&v, "[-5,null,2147483647]");
    i16 shorts[] = {-5, INT16_MIN};
    v = value_vec(vec_of(QT_SHORT, shorts, 2));
    writes(&v, "[-5,null]");
    u8 bytes[] = {0, 1, 255};
    v = value_vec(vec_of(QT_BYTE, bytes, 3));
    writes(&v, "[0,1,255]");
    v = value_vec(vec_of(QT_BOOLEAN, bytes, 2));
    writes(&v, "[false,true]");
    v = value_bool(true);
    writes(&v, "true");
    v = value_atom(QT_SHORT, -7);
    writes(&v, "-7");
    v = value_atom(QT_INT, INT32_MIN);
    writes(&v, "null");
}

static void times_are_iso_text(void **state)
{
    (void)state;
    i64 stamps[] = {279417600000000, INT64_MIN, INT64_MAX};
    Value v = value_vec(vec_of(QT_TIMESTAMP, stamps, 3));
    writes(&v, "[\"2000-01-04T05:36:57.600000000\",null,\"0Wp\"]");
    v = value_atom(QT_DATE, 366);
    writes(&v, "\"2001-01-01\"");
    v = value_atom(QT_TIMESPAN, 1);
    writes(&v, "\"0D00:00:00.000000001\"");
    f64 days[] = {3.234, NAN};
    v = value_vec(vec_of(QT_DATETIME, days, 2));
    writes(&v, "[\"2000-01-04T05:36:57.600\",null]");
    v = (Value){.type = -QT_DATETIME, .as.f = 3.234};
    writes(&v, "\"2000-01-04T05:36:57.600\"");
}

static void text_is_escaped_and_mended(void **state)
{
    (void)state;

    static const struct {
        Str text;
        const char *json;
    } cases[] = {
        {{"", 0}, "\"\""},
        {{NULL, 0}, "\"\""},
        {{"plain", 5}, "\"plain\""},
        {{"a\"b\\c", 5}, "\"a\\\"b\\\\c\""},
        {{"\b\f\n\r\t", 5}, "\"\\b\\f\\n\\r\\t\""},
        {{"\0\x01\x1f\x7f", 4}, "\"\\u0000\\u0001\\u001f\x7f\""},
        {{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9}, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {{"\xff", 1}, "\"\xef\xbf\xbd\""},
        {{"a\x80z", 3}, "\"a\xef\xbf\xbdz\""},
        {{"\xc3", 1}, "\"\xef\xbf\xbd\""}, /* cut */
        {{"\xe2\x82", 2}, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xc0\xaf", 2}, "\"\xef\xbf\xbd\xef\xbf\xbd\""}, /* longer than needed */
        {{"\xe0\x80\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* a surrogate */
        {{"\xf4\x90\x80\x80", 4}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };

    for (u64 i = 0; i < COUNT_OF(cases); i++) {
        Buf b = {0};
        assert_int_equal(json_quote(&b, cases[i].text), E_OK);
        assert_string_equal(buf_str(&b), cases[i].json);
        buf_free(&b);
    }

    enum { LONG = 20000 };

    char *text = malloc(LONG);
    for (u32 at = 4090; at < 4100; at++) { /* a character over the seam of two pieces */
        Buf b = {0};
        memset(text, 'x', LONG);
        memcpy(text + at, "\xf0\x9f\x98\x80", 4);
        assert_int_equal(json_quote(&b, (Str){text, LONG}), E_OK);
        assert_int_equal(b.size, LONG + 2);
        assert_memory_equal(b.data + 1, text, LONG);
        buf_free(&b);
    }
    free(text);
}

static void other_atoms_and_lists_have_their_form(void **state)
{
    (void)state;
    Arena a = {0};
    i32 id;
    assert_int_equal(symbol_intern(STR("sym"), &id), E_OK);
    Value v = value_null();
    writes(&v, "null");
    v = value_symbol("x");
    writes(&v, "\"x\"");
    v = value_atom(QT_ENUM, id);
    writes(&v, "\"sym\"");
    v = value_atom(QT_CHAR, '"');
    writes(&v, "\"\\\"\"");
    v = value_string(STR("text"));
    writes(&v, "\"text\"");
    v = value_error(STR("type"));
    writes(&v, "\"type\"");
    v = (Value){.type = -QT_GUID,
                .as.guid = {0x8c, 0x68, 0x0a, 0x01, 0x5a, 0x49, 0x5a, 0xab, 0x5a, 0x65, 0xd4}};
    writes(&v, "\"8c680a01-5a49-5aab-5a65-d40000000000\"");
    i32 ids[] = {id, 0};
    v = value_vec(vec_of(QT_ENUM, ids, 2));
    writes(&v, "[\"sym\",\"\"]");
    Str texts[] = {STR("p"), STR("q")};
    v = value_vec(vec_of(QT_SYMBOL, texts, 2));
    writes(&v, "[\"p\",\"q\"]");
    u64 offs[] = {0, 2, 2, 3};
    char chars[] = "abc";
    v = value_vec((Vec){.type = (i8)QT_STRING, .count = 3, .data = chars, .offs = offs});
    writes(&v, "[\"ab\",\"\",\"c\"]");
    i64 longs[] = {1, 2, 3};
    v = value_vec((Vec){.type = QT_NESTED + QT_LONG, .count = 3, .data = longs, .offs = offs});
    writes(&v, "[[1,2],[],[3]]");
    v = value_list(&a, 2);
    vec_value(&v.as.vec)[1] = value_string(STR("s"));
    writes(&v, "[null,\"s\"]");
    v = value_list(&a, 0);
    writes(&v, "[]");
    Buf b = {0};
    v = (Value){.type = 102, .as.text = STR("\1")};
    assert_int_equal(json_write(&b, &v), E_TYPE);
    v = (Value){.type = -3};
    assert_int_equal(json_write(&b, &v), E_TYPE);
    buf_free(&b);
    arena_free(&a);
}

static Value sample_table(Arena *a)
{
    static const i64 longs[] = {1, INT64_MIN, 3};
    static const f64 floats[] = {0.5, 2, NAN};
    Value t = value_table(a, 3);
    t.as.table.names[0] = STR("a");
    t.as.table.names[1] = STR("b\"");
    t.as.table.names[2] = STR("c");
    t.as.table.cols[0] = value_vec(vec_of(QT_LONG, longs, 3));
    t.as.table.cols[1] = value_vec(vec_of(QT_FLOAT, floats, 3));
    t.as.table.cols[2] = value_list(a, 3);
    return t;
}

static void tables_are_arrays_of_objects(void **state)
{
    (void)state;
    Arena a = {0};
    Buf b = {0};
    Value t = sample_table(&a);
    writes(&t, "[{\"a\":1,\"b\\\"\":0.5,\"c\":null},{\"a\":null,\"b\\\"\":2,\"c\":null},"
               "{\"a\":3,\"b\\\"\":null,\"c\":null}]");
    assert_int_equal(json_write_rows(&b, &t, 1, 2, false), E_OK);
    assert_string_equal(buf_str(&b), "[{\"a\":null,\"b\\\"\":2,\"c\":null}]");
    buf_clear(&b);
    assert_int_equal(json_write_rows(&b, &t, 2, 9, true), E_OK);
    assert_string_equal(buf_str(&b), "{\"a\":3,\"b\\\"\":null,\"c\":null}");
    buf_clear(&b);
    assert_int_equal(json_write_rows(&b, &t, 3, 3, false), E_OK);
    assert_string_equal(buf_str(&b), "[]");
    t.as.table.cols[2].as.vec.count = 2;
    assert_int_equal(json_write(&b, &t), E_TYPE);
    t.as.table.cols[2] = value_long(1);
    assert_int_equal(json_write(&b, &t), E_TYPE);
    Value atom = value_long(1);
    assert_int_equal(json_write_rows(&b, &atom, 0, 1, false), E_TYPE);
    buf_free(&b);
    t = value_table(&a, 0);
    writes(&t, "[]");
    arena_free(&a);
}

static void dictionaries_are_objects_and_keyed_tables_rows(void **state)
{
    (void)state;
    Arena a = {0};
    Value d = value_dict(&a, 2), t = sample_table(&a), keys = sample_table(&a);
    value_put(&d, "x", value_long(1));
    value_put(&d, "y\n", value_string(STR("z")));
    writes(&d, "{\"x\":1,\"y\\n\":\"z\"}");
    d = value_dict(&a, 0);
    writes(&d, "{}");
    keys.as.table.count = 1;
    t.as.table.cols++; /* b" and c stand as values */
    t.as.table.names++;
    t.as.table.count = 2;
    Value keyed = {.type = QT_DICT, .as.dict = {.keys = &keys, .values = &t}};
    writes(&keyed, "[{\"a\":1,\"b\\\"\":0.5,\"c\":null},{\"a\":null,\"b\\\"\":2,\"c\":null},"
                   "{\"a\":3,\"b\\\"\":null,\"c\":null}]");
    i64 longs[] = {7, 8, INT64_MIN};
    Value numbers = value_vec(vec_of(QT_LONG, longs, 3)),
          dates = value_vec(vec_of(QT_TIMESTAMP, longs, 2));
    Value by_number = {.type = QT_DICT, .as.dict = {.keys = &numbers, .values = &numbers}};
    writes(&by_number, "{\"7\":7,\"8\":8,\"null\":null}");
    Value of_rows = {.type = QT_DICT, .as.dict = {.keys = &numbers, .values = &t}};
    writes(&of_rows, "{\"7\":{\"b\\\"\":0.5,\"c\":null},\"8\":{\"b\\\"\":2,\"c\":null},\"null\":{"
                     "\"b\\\"\":null,\"c\":null}}");
    Value rows_to_list = {.type = QT_DICT, .as.dict = {.keys = &keys, .values = &numbers}};
    writes(&rows_to_list,
           "[{\"a\":1,\"value\":7},{\"a\":null,\"value\":8},{\"a\":3,\"value\":null}]");
    Buf b = {0};
    by_number.as.dict.values = &dates;
    assert_int_equal(json_write(&b, &by_number), E_TYPE);
    buf_free(&b);
    arena_free(&a);
}

static void too_deep_a_value_is_refused(void **state)
{
    (void)state;
    Value levels[BOUND_DEPTH_MAX + 1];
    Buf b = {0};
    levels[0] = value_null();
    for (u32 i = 1; i <= BOUND_DEPTH_MAX; i++)
        levels[i] = value_vec(vec_of(QT_LIST, &levels[i - 1], 1));
    assert_int_equal(json_write(&b, &levels[BOUND_DEPTH_MAX]), E_LIMIT);
    buf_clear(&b);
    assert_int_equal(json_write(&b, &levels[BOUND_DEPTH_MAX - 1]), E_OK);
    buf_free(&b);
}

static void what_is_parsed_has_qs_types(void **state)
{
    (void)state;
    Arena a = {0};
    Value v;
    Str text;
    static const char json[] =
        " {\"s\": \"x\\u00e9\", \"i\": -7, \"f\": 1.5, \"t\": true, \"n\": null,"
        " \"l\": [1, \"two\", []], \"o\": {\"in\": 1e3}} ";
    assert_int_equal(json_parse(str_of(json), &a, &v), E_OK);
    assert_int_equal(v.type, QT_DICT);
    assert_int_equal(v.as.dict.keys->type, QT_SYMBOL);
    assert_int_equal(value_count(&v), 7);
    assert_true(value_text(value_get(&v, "s"), &text) && str_is(text, "x\xc3\xa9"));
    assert_int_equal(value_get(&v, "s")->type, QT_CHAR);
    assert_int_equal(value_get(&v, "i")->type, -QT_LONG);
    assert_int_equal(value_get(&v, "i")->as.i, -7);
    assert_true(value_get(&v, "f")->as.f == 1.5);
    assert_int_equal(value_get(&v, "t")->type, -QT_BOOLEAN);
    assert_true(value_is_nothing(value_get(&v, "n")));
    assert_int_equal(value_get(&v, "l")->type, QT_LIST);
    assert_int_equal(value_count(value_get(&v, "l")), 3);
    assert_int_equal(value_get(value_get(&v, "o"), "in")->type, -QT_FLOAT);
    assert_int_equal(json_parse(STR("9223372036854775807"), &a, &v), E_OK);
    assert_int_equal(v.as.i, INT64_MAX);
    assert_int_equal(json_parse(STR("\"\""), &a, &v), E_OK);
    assert_int_equal(v.type, QT_CHAR);
    arena_free(&a);
}

static void what_is_no_json_is_refused_with_its_place(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      " ",
                                      "{",
                                      "}",
                                      "[1,]",
                                      "{\"a\":1,}",
                                      "{\"a\" 1}",
                                      "{a:1}",
                                      "'a'",
                                      "01",
                                      "1.",
                                      "+1",
                                      "nul",
                                      "[1] 2",
                                      "\"\n\"",
                                      "\"\\x\"",
                                      "\"\\ud800\"",
                                      "\"\xff\"",
                                      "NaN",
                                      "9223372036854775808",
                                      "1e999",
                                      "{\"a\":1,\"a\":2}",
                                      "\"\\u0000\"",
                                      "// c\n1"};
    Arena a = {0};
    Value v;
    for (u64 i = 0; i < COUNT_OF(bad); i++) {
        if (json_parse(str_of(bad[i]), &a, &v) != E_USAGE) fail_msg("took %s", bad[i]);
        assert_non_null(strstr(fail_text(), "line "));
    }
    assert_int_equal(json_parse((Str){NULL, 0}, &a, &v), E_USAGE);
    assert_int_equal(json_parse(STR("{\n \"a\": x}"), &a, &v), E_USAGE);
    assert_non_null(strstr(fail_text(), "line 2"));
    arena_free(&a);
}

static void nesting_is_bounded(void **state)
{
    (void)state;

    enum { DEEP = 100000 };

    char *text = malloc(DEEP * 2);
    Arena a = {0};
    Value v;
    memset(text, '[', DEEP);
    memset(text + DEEP, ']', DEEP);
    assert_int_equal(json_parse((Str){text, DEEP * 2}, &a, &v), E_USAGE);
    assert_non_null(strstr(fail_text(), "column 65"));
    assert_int_equal(json_parse((Str){text + DEEP - 64, 128}, &a, &v), E_OK);
    assert_int_equal(json_parse((Str){text + DEEP - 65, 130}, &a, &v), E_USAGE);
    memset(text, '[', 200);
    text[0] = '"';
    text[100] = '\\';
    text[101] = '"';
    text[199] = '"';
    assert_int_equal(json_parse((Str){text, 199}, &a, &v),
                     E_USAGE); /* not closed: a backslash too many */
    text[100] = '[';
    text[101] = '[';
    assert_int_equal(json_parse((Str){text, 200}, &a, &v),
                     E_OK); /* brackets in a string do not count */
    arena_free(&a);
    free(text);
}

static void what_is_written_can_be_parsed(void **state)
{
    (void)state;
    Arena a = {0};
    Buf b = {0}, again = {0};
    Value t = sample_table(&a), v;
    assert_int_equal(json_write(&b, &t), E_OK);
    assert_int_equal(json_parse((Str){(const char *)b.data, b.size}, &a, &v), E_OK);
    assert_int_equal(json_write(&again, &v), E_OK);
    assert_string_equal(buf_str(&again), buf_str(&b));
    buf_free(&b);
    buf_free(&again);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_have_their_shortest_text),
        cmocka_unit_test(every_float_reads_back_equal),
        cmocka_unit_test(short_floats_are_as_short_as_can_be),
        cmocka_unit_test(reals_read_back_equal_as_reals),
        cmocka_unit_test(integers_are_written_as_they_are),
        cmocka_unit_test(times_are_iso_text),
        cmocka_unit_test(text_is_escaped_and_mended),
        cmocka_unit_test(other_atoms_and_lists_have_their_form),
        cmocka_unit_test(tables_are_arrays_of_objects),
        cmocka_unit_test(dictionaries_are_objects_and_keyed_tables_rows),
        cmocka_unit_test(too_deep_a_value_is_refused),
        cmocka_unit_test(what_is_parsed_has_qs_types),
        cmocka_unit_test(what_is_no_json_is_refused_with_its_place),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(what_is_written_can_be_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
