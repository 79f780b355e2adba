/*
 * like: q's patterns, against a table and against a recursive matcher.
 */
#include "base/prng.h"
#include "query/like.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void patterns_match_as_in_q(void **state)
{
    (void)state;

    static const struct {
        const char *pattern, *text;
        bool match;
    } rows[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "abc", true},
        {"?", "", false},
        {"?", "a", true},
        {"?", "ab", false},
        {"abc", "abc", true},
        {"abc", "abd", false},
        {"abc", "ab", false},
        {"ab", "abc", false},
        {"a*", "abc", true},
        {"*c", "abc", true},
        {"*b*", "abc", true},
        {"*x*", "abc", false},
        {"a*c", "ac", true},
        {"a**c", "abbc", true},
        {"a?c", "abc", true},
        {"[abc]", "b", true},
        {"[abc]", "d", false},
        {"[a-c]x", "bx", true},
        {"[a-c]x", "dx", false},
        {"[^a-c]", "d", true},
        {"[^a-c]", "a", false},
        {"[*]", "*", true},
        {"[*]", "a", false},
        {"[?]", "?", true},
        {"[[]", "[", true},
        {"[]]", "]", true},
        {"[^]]", "a", true},
        {"[^]]", "]", false},
        {"[a-]", "-", true},
        {"[-a]", "-", true},
        {"[", "[", true},
        {"[a", "[a", true},
        {"a[", "a[", true},
        {"[]", "[]", true},
        {"[^]", "[^]", true},
        {"[abc]*", "cde", true},
        {"*[0-9]", "x7", true},
        {"*[0-9]", "x", false},
        {"a.c", "abc", false},
        {"\\*", "\\x", true},
        {"[ac-e]", "d", true},
        {"[^ac-e]", "d", false},
        {"*aab", "aaaaaab", true},
        {"*a*b*c", "xaybzc", true},
        {"*a*b*c", "xaybz", false},
    };

    for (u32 i = 0; i < COUNT_OF(rows); i++) {
        if (like_match(str_of(rows[i].pattern), str_of(rows[i].text)) != rows[i].match)
            fail_msg("%s like %s", rows[i].text, rows[i].pattern);
    }
}

static void bytes_beyond_ascii_and_nul_are_bytes(void **state)
{
    (void)state;
    assert_true(like_match(STR("?"), STR("\xff")));
    assert_true(like_match(STR("[\x80-\xff]"), STR("\xc3")));
    assert_false(like_match(STR("[\x80-\xff]"), STR("a")));
    assert_true(like_match((Str){"a\0b", 3}, (Str){"a\0b", 3}));
    assert_false(like_match((Str){"a\0b", 3}, (Str){"a\0c", 3}));
}

/* The obvious recursive matcher, without classes. */
static bool slow(const char *p, const char *t)
{
    if (*p == 0) return *t == 0;
    if (*p == '*') return slow(p + 1, t) || (*t != 0 && slow(p, t + 1));
    return *t != 0 && (*p == '?' || *p == *t) && slow(p + 1, t + 1);
}

static void random_patterns_match_as_the_recursive_matcher_says(void **state)
{
    (void)state;
    Prng p;
    prng_init(&p, 7);
    for (u32 i = 0; i < 20000; i++) {
        char pattern[9] = {0}, text[11] = {0};
        u64 m = prng_below(&p, 9), n = prng_below(&p, 11);
        for (u64 k = 0; k < m; k++)
            pattern[k] = "ab?**"[prng_below(&p, 5)];
        for (u64 k = 0; k < n; k++)
            text[k] = "ab"[prng_below(&p, 2)];
        assert_int_equal(like_match(str_of(pattern), str_of(text)), slow(pattern, text));
    }
}

static void many_stars_take_no_longer_than_text_times_stars(void **state)
{
    (void)state;
    char pattern[2001], text[20001];
    for (u32 i = 0; i < 2000; i += 2) {
        pattern[i] = '*';
        pattern[i + 1] = 'a';
    }
    memset(text, 'a', 20000);
    text[20000] = 'b'; /* ends in what the pattern does not */
    assert_false(like_match((Str){pattern, 2000}, (Str){text, 20001}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_as_in_q),
        cmocka_unit_test(bytes_beyond_ascii_and_nul_are_bytes),
        cmocka_unit_test(random_patterns_match_as_the_recursive_matcher_says),
        cmocka_unit_test(many_stars_take_no_longer_than_text_times_stars),
    };
    return cmocka_run_group_tests_name("query/like", tests, NULL, NULL);
}
