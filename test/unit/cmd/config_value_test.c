/*
 * config_value: sizes, booleans, numbers, names, choices, bounds.
 */
#include "cmd/config_value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool parse(ConfigKeyType type, const char *text, ConfigValue *v)
{
    ConfigKey k = {.type = type, .choices = type == CONFIG_KEY_CHOICE ? "one two three" : NULL};
    return config_value_parse(&k, text, v);
}

static void sizes_have_suffixes(void **state)
{
    static const struct {
        const char *text;
        i64 bytes;
    } good[] = {{"0", 0},
                {"1024", 1024},
                {"5B", 5},
                {"64Mi", 64ll << 20},
                {"64MiB", 64ll << 20},
                {"5Gi", 5ll << 30},
                {"2Ti", 2ll << 40},
                {"512MB", 512000000},
                {"512 MB", 512000000},
                {"1k", 1000},
                {"1.5Ki", 1536},
                {"3T", 3000000000000}};

    static const char *const bad[] = {"",    "Mi",         "-1",    "1m", "1Mib", "1iB", "1 2",
                                      "1e3", "99999999Ti", "1KiBi", "x",  ".",    "1MM"};
    ConfigValue v;
    (void)state;
    for (u32 i = 0; i < COUNT_OF(good); i++) {
        assert_true(parse(CONFIG_KEY_SIZE, good[i].text, &v));
        assert_int_equal(v.whole, good[i].bytes);
    }
    for (u32 i = 0; i < COUNT_OF(bad); i++)
        assert_false(parse(CONFIG_KEY_SIZE, bad[i], &v));
}

static void words_numbers_and_names(void **state)
{
    ConfigValue v;
    (void)state;
    assert_true(parse(CONFIG_KEY_BOOL, "true", &v) && v.whole == 1);
    assert_true(parse(CONFIG_KEY_BOOL, "off", &v) && v.whole == 0);
    assert_false(parse(CONFIG_KEY_BOOL, "1", &v));
    assert_true(parse(CONFIG_KEY_INT, "-7", &v) && v.whole == -7);
    assert_false(parse(CONFIG_KEY_INT, "7.0", &v));
    assert_false(parse(CONFIG_KEY_INT, "99999999999999999999", &v));
    assert_true(parse(CONFIG_KEY_REAL, "0.25", &v) && v.real == 0.25);
    assert_false(parse(CONFIG_KEY_REAL, "nan", &v));
    assert_true(parse(CONFIG_KEY_CHOICE, "three", &v) && v.whole == 2);
    assert_false(parse(CONFIG_KEY_CHOICE, "four", &v));
    assert_false(parse(CONFIG_KEY_CHOICE, "one two", &v));
    assert_false(parse(CONFIG_KEY_CHOICE, "", &v));
    assert_true(parse(CONFIG_KEY_NAME, "a-b.c_1", &v));
    assert_true(parse(CONFIG_KEY_NAME, "_x", &v));
    assert_false(parse(CONFIG_KEY_NAME, "", &v));
    assert_false(parse(CONFIG_KEY_NAME, "-a", &v));
    assert_false(parse(CONFIG_KEY_NAME, "a/b", &v));
    assert_false(parse(CONFIG_KEY_NAME, "a b", &v));
    assert_true(parse(CONFIG_KEY_TEXT, "any text\nof two lines", &v));
    assert_false(parse(CONFIG_KEY_TEXT, "bell \a", &v));
    assert_true(parse(CONFIG_KEY_DURATION, "00:10:00", &v) && v.whole == 600ll * 1000000000);
}

static void bounds_are_inclusive(void **state)
{
    static const ConfigKey size = {.type = CONFIG_KEY_SIZE, .low = "1Ki", .high = "1Mi"};
    static const ConfigKey real = {.type = CONFIG_KEY_REAL, .low = "0", .high = "1"};
    static const ConfigKey time = {.type = CONFIG_KEY_DURATION, .low = "1s", .high = "1D"};
    ConfigValue v;
    (void)state;
    assert_true(config_value_parse(&size, "1024", &v) && config_value_parse(&size, "1Mi", &v));
    assert_false(config_value_parse(&size, "1023", &v) || config_value_parse(&size, "1048577", &v));
    assert_true(config_value_parse(&real, "0", &v) && config_value_parse(&real, "1.0", &v));
    assert_false(config_value_parse(&real, "-0.001", &v) || config_value_parse(&real, "1.001", &v));
    assert_true(config_value_parse(&time, "1s", &v) && config_value_parse(&time, "24:00:00", &v));
    assert_false(config_value_parse(&time, "999ms", &v) ||
                 config_value_parse(&time, "1D00:00:01", &v));
}

static void types_have_words(void **state)
{
    static const ConfigKey number = {.type = CONFIG_KEY_INT, .low = "1", .high = "9"};
    static const ConfigKey word = {.type = CONFIG_KEY_WORD, .choices = "a b c"};
    static const ConfigKey one = {.type = CONFIG_KEY_WORD, .choices = "a"};
    Arena a = {0};
    (void)state;
    assert_string_equal(config_value_words(&a, &number), "a whole number from 1 to 9");
    assert_string_equal(config_value_words(&a, &word), "a, b or c");
    assert_string_equal(config_value_words(&a, &one), "a");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_have_suffixes),
        cmocka_unit_test(words_numbers_and_names),
        cmocka_unit_test(bounds_are_inclusive),
        cmocka_unit_test(types_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
