/*
 * str: comparing, splitting and parsing at the edges.
 */
#include "base/bounds.h"
#include "base/prng.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void equality_and_order_are_bytewise(void **state)
{
    (void)state;
    Str empty = {0};
    assert_int_equal(str_of(NULL).size, 0);
    assert_true(str_eq(empty, str_of("")));
    assert_true(str_eq(STR("a\0b"), STR("a\0b")));
    assert_false(str_eq(STR("a\0b"), STR("a\0c")));
    assert_true(str_is(STR("abc"), "abc"));
    assert_false(str_is(STR("abc"), "ab"));
    assert_true(str_cmp(STR("a"), STR("b")) < 0);
    assert_true(str_cmp(STR("ab"), STR("a")) > 0);
    assert_true(str_cmp(empty, STR("a")) < 0);
    assert_int_equal(str_cmp(empty, empty), 0);
    assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
}

static void ends_are_recognised(void **state)
{
    (void)state;
    assert_true(str_starts(STR("abc"), STR("ab")));
    assert_true(str_starts(STR("abc"), (Str){0}));
    assert_false(str_starts(STR("a"), STR("ab")));
    assert_true(str_ends(STR("abc"), STR("bc")));
    assert_true(str_ends((Str){0}, (Str){0}));
    assert_false(str_ends(STR("c"), STR("bc")));
    assert_int_equal(str_find(STR("abcb"), 'b'), 1);
    assert_int_equal(str_find(STR("abc"), 'x'), -1);
    assert_int_equal(str_find((Str){0}, 'x'), -1);
}

static void trimming_takes_blanks_only_at_the_ends(void **state)
{
    (void)state;
    assert_true(str_is(str_trim(STR(" \t\r\na b\n ")), "a b"));
    assert_int_equal(str_trim(STR("  ")).size, 0);
    assert_int_equal(str_trim((Str){0}).size, 0);
}

static void splitting_yields_every_piece(void **state)
{
    (void)state;
    Str rest = STR(",a,,b,"), piece;
    const char *const pieces[] = {"", "a", "", "b", ""};
    for (u64 i = 0; i < COUNT_OF(pieces); i++) {
        assert_true(str_split(&rest, ',', &piece));
        assert_true(str_is(piece, pieces[i]));
    }
    assert_false(str_split(&rest, ',', &piece));
    rest = str_of("");
    assert_true(str_split(&rest, ',', &piece));
    assert_int_equal(piece.size, 0);
    assert_false(str_split(&rest, ',', &piece));
}

static void whole_integers_only(void **state)
{
    (void)state;

    static const struct {
        const char *text;
        i64 value;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"+7", 7},
                {"007", 7},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN},
                {"-9223372036854775807", -INT64_MAX}};

    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      "1.",
                                      "a",
                                      " 1",
                                      "1 ",
                                      "--1",
                                      "0x1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999999",
                                      "18446744073709551616"};
    i64 value;
    for (u64 i = 0; i < COUNT_OF(good); i++) {
        assert_true(str_i64(str_of(good[i].text), &value));
        assert_true(value == good[i].value);
    }
    for (u64 i = 0; i < COUNT_OF(bad); i++)
        assert_false(str_i64(str_of(bad[i]), &value));
}

static void decimals_are_those_of_strtod(void **state)
{
    (void)state;
    static const char *const good[] = {"0",
                                       "-0",
                                       "1",
                                       "1.",
                                       ".5",
                                       "-.5e-3",
                                       "+1e5",
                                       "1E+5",
                                       "3.14159",
                                       "0.1",
                                       "1e22",
                                       "1e23",
                                       "1e-22",
                                       "1e-23",
                                       "9007199254740993",
                                       "123456789012345678901234567890",
                                       "1.7976931348623157e308",
                                       "4.9e-324",
                                       "2.2250738585072011e-308",
                                       "1e-400",
                                       "0e999999999999",
                                       "0.000000000000000000000001",
                                       "100000000000000000",
                                       "99999999999999999.9",
                                       "17976931348623157000000000000000000000e271"};
    static const char *const bad[] = {"",       "-",  ".",     "e5",     "1e",  "1e+",
                                      "1.2.3",  " 1", "1 ",    "0x1p3",  "1,5", "nanx",
                                      "nan(1)", "in", "1e400", "-1e400", "--1", "1d5"};
    f64 value;
    for (u64 i = 0; i < COUNT_OF(good); i++) {
        assert_true(str_f64(str_of(good[i]), &value));
        f64 want = strtod(good[i], NULL);
        assert_memory_equal(&value, &want, sizeof value);
    }
    for (u64 i = 0; i < COUNT_OF(bad); i++)
        assert_false(str_f64(str_of(bad[i]), &value));
    assert_true(str_f64(STR("NaN"), &value) && isnan(value));
    assert_true(str_f64(STR("inf"), &value) && isinf(value) && value > 0);
    assert_true(str_f64(STR("-Infinity"), &value) && isinf(value) && value < 0);
}

static void random_decimals_round_alike(void **state)
{
    (void)state;
    Prng p;
    char text[64];
    prng_init(&p, 11);
    for (int i = 0; i < 20000; i++) {
        u64 bits = prng_next(&p);
        f64 number, value;
        memcpy(&number, &bits, sizeof number);
        if (!isfinite(number)) continue;
        snprintf(text, sizeof text, "%.17g", number);
        assert_true(str_f64(str_of(text), &value));
        assert_memory_equal(&value, &number, sizeof value);
        snprintf(text, sizeof text, "%.*f", (int)prng_below(&p, 12), (f64)(i64)(bits >> 30) / 1000);
        assert_true(str_f64(str_of(text), &value));
        number = strtod(text, NULL);
        assert_memory_equal(&value, &number, sizeof value);
    }
}

static void names_follow_the_grammar(void **state)
{
    (void)state;
    char longest[BOUND_NAME_MAX + 1];
    memset(longest, 'a', sizeof longest);
    assert_true(str_name_ok(STR("trade"), false));
    assert_true(str_name_ok(STR("T_1"), false));
    assert_true(str_name_ok((Str){longest, BOUND_NAME_MAX}, false));
    assert_false(str_name_ok((Str){longest, BOUND_NAME_MAX + 1}, false));
    assert_false(str_name_ok((Str){0}, false));
    assert_false(str_name_ok(STR("1a"), false));
    assert_false(str_name_ok(STR("a-b"), false));
    assert_false(str_name_ok(STR("a/b"), false));
    assert_false(str_name_ok(STR("a\0b"), false));
    assert_false(str_name_ok(STR("\xc3\xa4"), false));
    assert_false(str_name_ok(STR("_a"), false));
    assert_true(str_name_ok(STR("_a"), true));
}

static void copies_end_with_a_zero(void **state)
{
    (void)state;
    Arena a = {0};
    assert_string_equal(str_dup(&a, (Str){"abcdef", 3}), "abc");
    assert_string_equal(str_dup(&a, (Str){0}), "");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality_and_order_are_bytewise),
        cmocka_unit_test(ends_are_recognised),
        cmocka_unit_test(trimming_takes_blanks_only_at_the_ends),
        cmocka_unit_test(splitting_yields_every_piece),
        cmocka_unit_test(whole_integers_only),
        cmocka_unit_test(decimals_are_those_of_strtod),
        cmocka_unit_test(random_decimals_round_alike),
        cmocka_unit_test(names_follow_the_grammar),
        cmocka_unit_test(copies_end_with_a_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
