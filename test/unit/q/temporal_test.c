/*
 * temporal: the calendar against a day by day count, texts both ways, edges of every type.
 */
#include "base/fail.h"
#include "q/temporal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HOUR_NS 3600000000000ll

static bool leap(i32 y) { return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0); }

static void the_calendar_agrees_with_counting_days(void **state)
{
    (void)state;
    static const i32 lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    i32 day = temporal_days(1600, 1, 1);
    assert_int_equal(day, -146097);
    for (i32 y = 1600; y < 2410; y++) {
        for (i32 m = 1; m <= 12; m++) {
            i32 n = lengths[m - 1] + (m == 2 && leap(y));
            for (i32 d = 1; d <= n; d++, day++) {
                i32 year, month, of_month;
                assert_int_equal(temporal_days(y, m, d), day);
                temporal_civil(day, &year, &month, &of_month);
                assert_true(year == y && month == m && of_month == d);
            }
        }
    }
    assert_int_equal(temporal_days(2000, 1, 1), 0);
    assert_int_equal(temporal_days(1970, 1, 1), -10957);
}

static void the_calendar_holds_at_the_ends_of_its_range(void **state)
{
    (void)state;
    static const i32 days[] = {INT32_MIN + 1, INT32_MAX, -730485, -730486};
    for (u64 i = 0; i < COUNT_OF(days); i++) {
        i32 y, m, d;
        temporal_civil(days[i], &y, &m, &d);
        assert_int_equal(temporal_days(y, m, d), days[i]);
    }
}

typedef struct {
    int type;
    const char *text;
    i64 value;
    const char *shown; /* NULL = as text */
} Case;

#define P QT_TIMESTAMP
static const Case good[] = {
    {P, "2000.01.04D05:36:57.600000000", 279417600000000, NULL},
    {P, "1999.12.31D23:59:59.999999999", -1, NULL},
    {P, "2000-01-04T05:36:57.6Z", 279417600000000, "2000.01.04D05:36:57.600000000"},
    {P, "2000-01-04 05:36:57.6", 279417600000000, "2000.01.04D05:36:57.600000000"},
    {P, "2000.01.04D05:36", 279360000000000, "2000.01.04D05:36:00.000000000"},
    {P, "2000.01.04D05", 277200000000000, "2000.01.04D05:00:00.000000000"},
    {P, "2000.01.04D", 259200000000000, "2000.01.04D00:00:00.000000000"},
    {P, "2000.01.04", 259200000000000, "2000.01.04D00:00:00.000000000"},
    {P, "2000-01-04", 259200000000000, "2000.01.04D00:00:00.000000000"},
    {P, "  2000-01-04\t", 259200000000000, "2000.01.04D00:00:00.000000000"},
    {P, "2000.01.01D00:00:00.000000001", 1, NULL},
    {P, "", Q_NULL_LONG, "0Np"},
    {P, "0N", Q_NULL_LONG, "0Np"},
    {P, "0Np", Q_NULL_LONG, NULL},
    {P, "0Wp", INT64_MAX, NULL},
    {P, "-0Wp", -INT64_MAX, NULL},
    {P, "2292.04.10D23:47:16.854775806", INT64_MAX - 1, NULL},
    {P, "1707.09.22D00:12:43.145224194", -INT64_MAX + 1, NULL},
    {QT_MONTH, "2001.01m", 12, NULL},
    {QT_MONTH, "1999-12", -1, "1999.12m"},
    {QT_MONTH, "0Nm", Q_NULL_INT, NULL},
    {QT_DATE, "2001.01.01", 366, NULL},
    {QT_DATE, "1995.01.01", -1826, NULL},
    {QT_DATE, "2000-02-29", 59, "2000.02.29"},
    {QT_DATE, "0001.01.01", -730119, NULL},
    {QT_DATE, "0Nd", Q_NULL_INT, NULL},
    {QT_DATE, "0Wd", INT32_MAX, NULL},
    {QT_DATE, "-0Wd", -INT32_MAX, NULL},
    {QT_TIMESPAN, "0D05:36:57.600000000", 20217600000000, NULL},
    {QT_TIMESPAN, "-0D00:00:01.000000000", -1000000000, NULL},
    {QT_TIMESPAN, "00:00:01", 1000000000, "0D00:00:01.000000000"},
    {QT_TIMESPAN, "1D", TEMPORAL_DAY_NS, "1D00:00:00.000000000"},
    {QT_TIMESPAN, "36:00", 36 * HOUR_NS, "1D12:00:00.000000000"},
    {QT_TIMESPAN, "0Nn", Q_NULL_LONG, NULL},
    {QT_MINUTE, "12:01", 721, NULL},
    {QT_MINUTE, "-00:01", -1, NULL},
    {QT_MINUTE, "0Nu", Q_NULL_INT, NULL},
    {QT_SECOND, "12:05:00", 43500, NULL},
    {QT_SECOND, "0Wv", INT32_MAX, NULL},
    {QT_TIME, "12:04:59.123", 43499123, NULL},
    {QT_TIME, "100:00:00", 360000000, "100:00:00.000"},
    {QT_TIME, "0Nt", Q_NULL_INT, NULL},
};
#undef P

static void texts_are_read_and_written_as_q_does(void **state)
{
    (void)state;
    for (u64 i = 0; i < COUNT_OF(good); i++) {
        i64 value = 77;
        char out[TEMPORAL_TEXT_MAX];
        assert_true(temporal_parse(good[i].type, str_of(good[i].text), &value));
        assert_int_equal(value, good[i].value);
        u32 size = temporal_format(good[i].type, value, out);
        assert_string_equal(out, good[i].shown ? good[i].shown : good[i].text);
        assert_int_equal(size, strlen(out));
    }
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;

    static const struct {
        int type;
        const char *text;
    } bad[] = {
        {QT_TIMESTAMP, "2001.02.29"},
        {QT_TIMESTAMP, "2000.13.01"},
        {QT_TIMESTAMP, "2000.00.01"},
        {QT_TIMESTAMP, "2000.01.00"},
        {QT_TIMESTAMP, "2000.1.1"},
        {QT_TIMESTAMP, "2000-01.01"},
        {QT_TIMESTAMP, "2000.01.01D24:00:00"},
        {QT_TIMESTAMP, "2000.01.01D10:60"},
        {QT_TIMESTAMP, "2000.01.01D10:00:60"},
        {QT_TIMESTAMP, "2000.01.01D10:00:00."},
        {QT_TIMESTAMP, "2000.01.01D10:00:00.1234567890"},
        {QT_TIMESTAMP, "2000.01.01D10:00:00Zx"},
        {QT_TIMESTAMP, "2300.01.01"},
        {QT_TIMESTAMP, "1700.01.01"},
        {QT_TIMESTAMP, "2292.04.10D23:47:16.854775807"},
        {QT_TIMESTAMP, "1707.09.22D00:12:43.145224193"},
        {QT_TIMESTAMP, "1707.09.22D00:12:43.145224192"},
        {QT_TIMESTAMP, "1707.09.22"},
        {QT_TIMESTAMP, "0Nd"},
        {QT_TIMESTAMP, "-0Np"},
        {QT_TIMESTAMP, "0"},
        {QT_TIMESTAMP, "0X"},
        {QT_TIMESTAMP, "now"},
        {QT_TIMESTAMP, "20000101"},
        {QT_DATE, "2000.01.01D"},
        {QT_DATE, "2000.01"},
        {QT_DATE, "0Np"},
        {QT_MONTH, "2000.13"},
        {QT_MONTH, "2000.01.01"},
        {QT_TIMESPAN, "D10:00"},
        {QT_TIMESPAN, "10"},
        {QT_TIMESPAN, "999999999D"},
        {QT_TIMESPAN, "--1D"},
        {QT_MINUTE, "12"},
        {QT_MINUTE, "999999999:00"},
        {QT_SECOND, "12:00"},
        {QT_SECOND, "12:00:0"},
        {QT_TIME, "12:00"},
        {QT_TIME, "999999:00:00"},
        {QT_LONG, "12:00:00"},
        {QT_TIME, "12:00:00.000 and much more text than any time has"},
    };

    for (u64 i = 0; i < COUNT_OF(bad); i++) {
        i64 value;
        if (temporal_parse(bad[i].type, str_of(bad[i].text), &value))
            fail_msg("type %d took \"%s\"", bad[i].type, bad[i].text);
    }
    i64 value;
    assert_false(temporal_parse(QT_DATE, (Str){"2000.01.01\0", 11}, &value));
}

static i64 bits(f64 f)
{
    i64 i;
    memcpy(&i, &f, sizeof i);
    return i;
}

static void datetimes_are_floats_of_days(void **state)
{
    (void)state;
    i64 value;
    char out[TEMPORAL_TEXT_MAX];
    assert_true(temporal_parse(QT_DATETIME, STR("2000.01.04T05:36:57.600"), &value));
    assert_int_equal(value, 0x4009df3b645a1cac);
    (void)temporal_format(QT_DATETIME, value, out);
    assert_string_equal(out, "2000.01.04T05:36:57.600");
    assert_true(temporal_parse(QT_DATETIME, STR("0Nz"), &value));
    assert_int_equal((u64)value, 0xfff8ull << 48);
    (void)temporal_format(QT_DATETIME, value, out);
    assert_string_equal(out, "0Nz");
    assert_true(temporal_parse(QT_DATETIME, STR("-0wz"), &value));
    (void)temporal_format(QT_DATETIME, value, out);
    assert_string_equal(out, "-0Wz");
    assert_true(temporal_parse(QT_DATETIME, STR("1999.12.31T18:00"), &value));
    assert_int_equal(value, bits(-0.25));
    static const f64 wild[] = {1e300,  -1e300, 2147483000.5, -2147483000.5, 2147482999.9999999,
                               1e-300, -1e-300};
    for (u64 i = 0; i < COUNT_OF(wild); i++)
        assert_true(temporal_format(QT_DATETIME, bits(wild[i]), out) < TEMPORAL_TEXT_MAX);
    (void)temporal_format(QT_DATETIME, bits(0.99999999999), out); /* rounds to the next day */
    assert_string_equal(out, "2000.01.02T00:00:00.000");
}

static void every_extreme_fits_the_room_and_iso_null_is_empty(void **state)
{
    (void)state;
    static const i64 extremes[] = {INT64_MIN, INT64_MIN + 1, INT64_MIN + 2, -1, 0,
                                   1,         INT64_MAX - 1, INT64_MAX};
    for (int t = QT_TIMESTAMP; t <= QT_TIME; t++) {
        for (u64 i = 0; i < COUNT_OF(extremes); i++) {
            char out[TEMPORAL_TEXT_MAX];
            i64 value = extremes[i];
            if (type_width(t) == 4) value = MAX(MIN(value, INT32_MAX), INT32_MIN);
            u32 size = temporal_format(t, value, out);
            assert_true(size > 0 && size < TEMPORAL_TEXT_MAX);
            assert_int_equal(size, strlen(out));
            size = temporal_iso(t, value, out);
            assert_int_equal(size, strlen(out));
            u8 element[8];
            store_u64(element, (u64)value);
            assert_int_equal(size == 0, type_is_null(t, element));
        }
    }
}

static void iso_is_for_the_world(void **state)
{
    (void)state;
    char out[TEMPORAL_TEXT_MAX];
    (void)temporal_iso(QT_TIMESTAMP, 279417600000000, out);
    assert_string_equal(out, "2000-01-04T05:36:57.600000000");
    (void)temporal_iso(QT_DATE, 366, out);
    assert_string_equal(out, "2001-01-01");
    (void)temporal_iso(QT_MONTH, 12, out);
    assert_string_equal(out, "2001-01");
    (void)temporal_iso(QT_DATETIME, 0x4009df3b645a1cac, out);
    assert_string_equal(out, "2000-01-04T05:36:57.600");
    (void)temporal_iso(QT_TIMESPAN, 1, out);
    assert_string_equal(out, "0D00:00:00.000000001");
    (void)temporal_iso(QT_MINUTE, 721, out);
    assert_string_equal(out, "12:01");
    (void)temporal_iso(QT_TIMESTAMP, INT64_MAX, out);
    assert_string_equal(out, "0Wp");
}

static void timestamps_survive_the_way_to_text_and_back(void **state)
{
    (void)state;
    i64 step = 123456789012345677;
    for (i64 t = -INT64_MAX + 1; t < INT64_MAX - step; t += step) {
        char out[TEMPORAL_TEXT_MAX];
        i64 back;
        u32 size = temporal_format(QT_TIMESTAMP, t, out);
        assert_true(temporal_parse(QT_TIMESTAMP, (Str){out, size}, &back));
        assert_int_equal(back, t);
        size = temporal_iso(QT_TIMESTAMP, t, out);
        assert_true(temporal_parse(QT_TIMESTAMP, (Str){out, size}, &back));
        assert_int_equal(back, t);
    }
}

static void date_names_are_ten_characters_of_a_real_date(void **state)
{
    (void)state;
    char out[TEMPORAL_TEXT_MAX];
    i32 day;
    assert_int_equal(temporal_date_name(8772, out), 10);
    assert_string_equal(out, "2024.01.07");
    assert_true(temporal_date_parse(str_of(out), &day));
    assert_int_equal(day, 8772);
    static const char *const bad[] = {"2024.01.7", "2024-01-07", "2024.02.30", "2024.01.07 ",
                                      "",          "sym",        "2024.01.0x", "2024.01-07"};
    for (u64 i = 0; i < COUNT_OF(bad); i++)
        assert_false(temporal_date_parse(str_of(bad[i]), &day));
}

static void the_day_of_a_timestamp_is_rounded_down(void **state)
{
    (void)state;
    assert_int_equal(temporal_day_of(0), 0);
    assert_int_equal(temporal_day_of(-1), -1);
    assert_int_equal(temporal_day_of(TEMPORAL_DAY_NS - 1), 0);
    assert_int_equal(temporal_day_of(TEMPORAL_DAY_NS), 1);
    assert_int_equal(temporal_day_of(-TEMPORAL_DAY_NS), -1);
    assert_int_equal(temporal_day_of(-TEMPORAL_DAY_NS - 1), -2);
}

static void durations_are_read_as_configuration_writes_them(void **state)
{
    (void)state;

    static const struct {
        const char *text;
        i64 ns;
    } cases[] = {
        {"00:10:00", 600000000000},
        {"0D00:10:00", 600000000000},
        {"1D", TEMPORAL_DAY_NS},
        {"01:35:00.5", 5700500000000},
        {"10:00", 10 * HOUR_NS},
        {"250ms", 250000000},
        {"5s", 5000000000},
        {"10m", 600000000000},
        {"2h", 2 * HOUR_NS},
        {"0s", 0},
        {" 5s ", 5000000000},
        {"7D12:00", 7 * TEMPORAL_DAY_NS + 12 * HOUR_NS},
        {"24:00:00", TEMPORAL_DAY_NS},
    };

    i64 ns;
    for (u64 i = 0; i < COUNT_OF(cases); i++) {
        assert_true(temporal_duration(str_of(cases[i].text), &ns));
        assert_int_equal(ns, cases[i].ns);
    }
    static const char *const bad[] = {"",
                                      " ",
                                      "5",
                                      "s",
                                      "5 s",
                                      "-5s",
                                      "-1D",
                                      "5x",
                                      "10:60",
                                      "1.5s",
                                      "99999999999999999h",
                                      "1D1D",
                                      "0Nn",
                                      "5S",
                                      "00:10:00x"};
    for (u64 i = 0; i < COUNT_OF(bad); i++)
        if (temporal_duration(str_of(bad[i]), &ns)) fail_msg("took \"%s\"", bad[i]);
}

static void months_are_added_and_clipped(void **state)
{
    (void)state;

    static const struct {
        const char *from;
        i32 months;
        const char *to;
    } cases[] = {
        {"2024.01.31", 1, "2024.02.29"},  {"2023.01.31", 1, "2023.02.28"},
        {"2024.03.31", -1, "2024.02.29"}, {"2024.12.15", 1, "2025.01.15"},
        {"2024.01.15", -1, "2023.12.15"}, {"2024.02.29", 12, "2025.02.28"},
        {"2024.05.05", 0, "2024.05.05"},  {"2000.01.01", -1, "1999.12.01"},
    };

    for (u64 i = 0; i < COUNT_OF(cases); i++) {
        i32 day, wanted;
        assert_true(temporal_date_parse(str_of(cases[i].from), &day));
        assert_true(temporal_date_parse(str_of(cases[i].to), &wanted));
        assert_int_equal(temporal_add_months(day, cases[i].months), wanted);
    }
    assert_int_equal(temporal_add_months(0, INT32_MAX), INT32_MAX);
    assert_int_equal(temporal_add_months(0, INT32_MIN), -INT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_calendar_agrees_with_counting_days),
        cmocka_unit_test(the_calendar_holds_at_the_ends_of_its_range),
        cmocka_unit_test(texts_are_read_and_written_as_q_does),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(datetimes_are_floats_of_days),
        cmocka_unit_test(every_extreme_fits_the_room_and_iso_null_is_empty),
        cmocka_unit_test(iso_is_for_the_world),
        cmocka_unit_test(timestamps_survive_the_way_to_text_and_back),
        cmocka_unit_test(date_names_are_ten_characters_of_a_real_date),
        cmocka_unit_test(the_day_of_a_timestamp_is_rounded_down),
        cmocka_unit_test(durations_are_read_as_configuration_writes_them),
        cmocka_unit_test(months_are_added_and_clipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
