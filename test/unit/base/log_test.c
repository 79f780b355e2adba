/*
 * log: lines as they arrive on stderr, text and JSON, cut and escaped.
 */
#include "base/log.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int stderr_kept, capture[2];
static char got[65536];

/* From here on stderr goes into a pipe ... */
static void capture_begin(void)
{
    stderr_kept = dup(STDERR_FILENO);
    assert_int_equal(pipe(capture), 0);
    assert_int_equal(dup2(capture[1], STDERR_FILENO), STDERR_FILENO);
}

/* ... until here; returns what was written. */
static const char *capture_end(void)
{
    dup2(stderr_kept, STDERR_FILENO);
    close(stderr_kept);
    close(capture[1]);
    ssize_t size = 0, n;
    while ((n = read(capture[0], got + size, sizeof got - 1 - (size_t)size)) > 0)
        size += n;
    close(capture[0]);
    got[size] = 0;
    return got;
}

static i64 fixed_clock(void) { return 1767323045678999999; }

static i64 early_clock(void) { return -1; }

static int setup(void **state)
{
    (void)state;
    log_init("sm", LOG_INFO, false);
    log_clock(fixed_clock);
    return 0;
}

static void text_lines_are_as_documented(void **state)
{
    (void)state;
    LogLine l;
    capture_begin();
    log_begin(&l, LOG_INFO, "view.publish");
    log_i64(&l, "view", 42);
    log_i64(&l, "least", INT64_MIN);
    log_f64(&l, "ms", 1.5);
    log_str(&l, "table", "trade");
    log_str(&l, "text", "two words");
    log_str(&l, "empty", "");
    log_end(&l);
    assert_string_equal(
        capture_end(),
        "2026-01-02T03:04:05.678Z INFO sm event=view.publish view=42 "
        "least=-9223372036854775808 ms=1.5 table=trade text=\"two words\" empty=\"\"\n");
}

static void json_lines_are_as_documented(void **state)
{
    (void)state;
    LogLine l;
    log_init("eoi", LOG_DEBUG, true);
    capture_begin();
    log_begin(&l, LOG_ERROR, "a.b");
    log_i64(&l, "n", -1);
    log_f64(&l, "nan", (f64)NAN);
    log_str(&l, "s", "q\"b\\n\n\t\x01\x7f");
    log_end(&l);
    assert_string_equal(capture_end(),
                        "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"ERROR\","
                        "\"component\":\"eoi\",\"event\":\"a.b\",\"n\":-1,\"nan\":null,"
                        "\"s\":\"q\\\"b\\\\n\\n\\t\\u0001\\u007f\"}\n");
}

static void bad_utf8_is_replaced(void **state)
{
    (void)state;

    static const struct {
        const char *in, *out;
    } cases[] = {
        {"\xc3\xa4", "\xc3\xa4"},
        {"\xe2\x82\xac", "\xe2\x82\xac"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xff", "\\ufffd"},
        {"\xc3", "\\ufffd"},
        {"\xc0\x80", "\\ufffd\\ufffd"},
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},
        {"\xe0\x80\x80", "\\ufffd\\ufffd\\ufffd"},
        {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
    };

    for (u64 i = 0; i < COUNT_OF(cases); i++) {
        char want[64];
        LogLine l;
        snprintf(want, sizeof want, "\"%s\"\n", cases[i].out);
        capture_begin();
        log_begin(&l, LOG_INFO, "e");
        log_str(&l, "s", cases[i].in);
        log_end(&l);
        const char *line = capture_end();
        assert_string_equal(strstr(line, " s=") + 3, want);
    }
}

static void lower_levels_are_silent(void **state)
{
    (void)state;
    LogLine l;
    capture_begin();
    log_begin(&l, LOG_DEBUG, "e");
    log_i64(&l, "n", 1);
    log_end(&l);
    log_event(LOG_DEBUG, "e", "no");
    log_init("sm", LOG_OFF, false);
    log_event(LOG_ERROR, "e", "no");
    log_fail(LOG_ERROR, "e", E_IO);
    log_event(LOG_OFF, "e", "no");
    assert_string_equal(capture_end(), "");
}

static void overlong_values_are_cut_and_the_line_closed(void **state)
{
    (void)state;
    static char text[10000];
    for (int json = 0; json < 2; json++) {
        for (u64 size = 3900; size < 4200; size++) {
            LogLine l;
            memset(text, '"', sizeof text);
            text[size / 2] = 0;
            log_init("sm", LOG_INFO, json);
            capture_begin();
            log_begin(&l, LOG_INFO, "e");
            log_str(&l, "a", text);
            log_i64(&l, "b", 123456789);
            log_str(&l, "c", "later");
            log_end(&l);
            const char *line = capture_end();
            u64 length = strlen(line);
            assert_in_range(length, 3900, sizeof l.text);
            assert_int_equal(line[length - 1], '\n');
            assert_ptr_equal(strchr(line, '\n'), line + length - 1);
            if (json) assert_int_equal(line[length - 2], '}');
            u64 quotes = 0;
            for (u64 i = 0; i < length; i++)
                quotes += line[i] == '"' && line[i - 1] != '\\';
            assert_int_equal(quotes % 2, 0);
        }
    }
}

static void events_and_failures_carry_their_text(void **state)
{
    (void)state;
    capture_begin();
    log_event(LOG_WARN, "x.y", "n = %d", 3);
    assert_string_equal(capture_end(),
                        "2026-01-02T03:04:05.678Z WARN sm event=x.y text=\"n = 3\"\n");
    Err err = fail_at(E_FULL, __FILE__, __LINE__, "disk full");
    capture_begin();
    log_fail(LOG_ERROR, "wal.append", err);
    const char *line = capture_end();
    assert_non_null(
        strstr(line, "ERROR sm event=wal.append code=full text=\"disk full\" where=log_test.c:"));
}

static void times_before_1970_and_no_clock(void **state)
{
    (void)state;
    log_clock(early_clock);
    capture_begin();
    log_event(LOG_INFO, "e", "t");
    assert_memory_equal(capture_end(), "1970-01-01T00:00:00.000Z", 24);
    log_clock(NULL);
    capture_begin();
    log_event(LOG_INFO, "e", "t");
    assert_string_equal(capture_end(), "INFO sm event=e text=t\n");
}

static void levels_are_parsed_by_name(void **state)
{
    (void)state;
    LogLevel level = LOG_OFF;
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_true(log_level_parse("WARN", &level));
    assert_int_equal(level, LOG_WARN);
    assert_true(log_level_parse("off", &level));
    assert_int_equal(level, LOG_OFF);
    assert_false(log_level_parse("", &level));
    assert_false(log_level_parse("warning", &level));
    assert_false(log_level_parse("inf", &level));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(text_lines_are_as_documented, setup),
        cmocka_unit_test_setup(json_lines_are_as_documented, setup),
        cmocka_unit_test_setup(bad_utf8_is_replaced, setup),
        cmocka_unit_test_setup(lower_levels_are_silent, setup),
        cmocka_unit_test_setup(overlong_values_are_cut_and_the_line_closed, setup),
        cmocka_unit_test_setup(events_and_failures_carry_their_text, setup),
        cmocka_unit_test_setup(times_before_1970_and_no_clock, setup),
        cmocka_unit_test_setup(levels_are_parsed_by_name, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
