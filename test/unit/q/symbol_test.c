/*
 * symbol: ids are stable and dense, texts are zero-ended, readers need no lock.
 */
#include "base/bounds.h"
#include "base/prng.h"
#include "q/symbol.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static i32 id_of(const char *text)
{
    i32 id = -1;
    assert_int_equal(symbol_intern(str_of(text), &id), E_OK);
    return id;
}

static void the_empty_symbol_is_zero(void **state)
{
    (void)state;
    assert_true(symbol_count() >= 1);
    assert_int_equal(symbol_text(0).size, 0);
    assert_int_equal(symbol_text(0).data[0], 0);
    assert_int_equal(id_of(""), 0);
    assert_int_equal(symbol_find(STR("")), 0);
    assert_int_equal(symbol_find((Str){NULL, 0}), 0);
}

static void equal_names_have_equal_ids(void **state)
{
    (void)state;
    static const char *const names[] = {
        "a",         "b",         "ab",           "ba",
        "1234567",   "12345678",  "123456789",    "1234567812345678",
        "12345678a", "a12345678", "\xff\xfe\x80", "a name with blanks"};
    for (u64 i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(symbol_find(str_of(names[i])), -1);
        i32 before = symbol_count(), id = id_of(names[i]);
        assert_int_equal(id, before);
        assert_int_equal(symbol_count(), before + 1);
        assert_int_equal(id_of(names[i]), id);
        assert_int_equal(symbol_find(str_of(names[i])), id);
        assert_int_equal(symbol_count(), before + 1);
        assert_string_equal(symbol_text(id).data, names[i]);
        assert_int_equal(symbol_text(id).size, strlen(names[i]));
    }
}

static void bad_names_are_refused(void **state)
{
    (void)state;
    i32 id, before = symbol_count();
    assert_int_equal(symbol_intern((Str){"a\0b", 3}, &id), E_TYPE);
    assert_int_equal(symbol_find((Str){"a\0b", 3}), -1);
    char *large = malloc(BOUND_SYMBOL_MAX + 2);
    memset(large, 'x', BOUND_SYMBOL_MAX + 2);
    assert_int_equal(symbol_intern((Str){large, BOUND_SYMBOL_MAX + 1}, &id), E_LIMIT);
    assert_int_equal(symbol_find((Str){large, BOUND_SYMBOL_MAX + 1}), -1);
    assert_int_equal(symbol_count(), before);
    assert_int_equal(symbol_intern((Str){large, BOUND_SYMBOL_MAX}, &id), E_OK);
    assert_int_equal(symbol_text(id).size, BOUND_SYMBOL_MAX);
    u64 used;
    large[BOUND_SYMBOL_MAX + 1] = 0;
    assert_int_equal(symbol_intern_many(large, BOUND_SYMBOL_MAX + 2, 1, &id, &used), E_LIMIT);
    free(large);
}

static void many_names_at_once_give_the_ids_of_one_by_one(void **state)
{
    (void)state;
    /* Every length from 0 to 40, at every alignment, so that every tail of the word loop is met. */
    char text[41 * 42 / 2 + 64];
    i32 ids[41];
    for (u32 shift = 0; shift < 9; shift++) {
        u64 size = shift, used = 0;
        for (u32 n = 0; n <= 40; n++) {
            for (u32 i = 0; i < n; i++)
                text[size++] = (char)('A' + (n * 7 + i * 3) % 57);
            text[size++] = 0;
        }
        assert_int_equal(symbol_intern_many(text + shift, size - shift, 41, ids, &used), E_OK);
        assert_int_equal(used, size - shift);
        u64 at = shift;
        for (u32 n = 0; n <= 40; n++) {
            assert_int_equal(ids[n], symbol_find((Str){text + at, n}));
            assert_int_equal(ids[n], id_of(text + at));
            at += n + 1;
        }
    }
}

/* Short names are remembered in places that others take over. */
static void short_names_keep_their_ids_when_they_repeat(void **state)
{
    (void)state;

    enum { NAMES = 40000 };

    char *text = malloc(NAMES * 8);
    i32 *first = malloc(NAMES * sizeof *first), *again = malloc(NAMES * sizeof *again);
    u64 size = 0, used = 0;
    assert_non_null(text);
    assert_non_null(first);
    assert_non_null(again);
    for (u32 i = 0; i < NAMES; i++)
        size += (u64)snprintf(text + size, 8, "r%x", i * 2654435761u >> 8) + 1;
    assert_int_equal(symbol_intern_many(text, size, NAMES, first, &used), E_OK);
    assert_int_equal(used, size);
    assert_int_equal(symbol_intern_many(text, size, NAMES, again, &used), E_OK);
    assert_memory_equal(first, again, NAMES * sizeof *first);
    const char *at = text;
    for (u32 i = 0; i < NAMES; i++, at += strlen(at) + 1) {
        assert_string_equal(symbol_text(first[i]).data, at);
        assert_int_equal(id_of(at), first[i]);
    }
    free(text);
    free(first);
    free(again);
}

static void many_names_stop_where_the_text_stops(void **state)
{
    (void)state;
    i32 ids[4];
    u64 used;
    assert_int_equal(symbol_intern_many("aa\0bb", 5, 2, ids, &used), E_CORRUPT);
    assert_int_equal(symbol_intern_many("aa\0bb", 6, 2, ids, &used), E_OK);
    assert_int_equal(used, 6);
    assert_int_equal(symbol_intern_many("aa\0bb", 6, 3, ids, &used), E_CORRUPT);
    assert_int_equal(symbol_intern_many("", 0, 1, ids, &used), E_CORRUPT);
    assert_int_equal(symbol_intern_many(NULL, 0, 0, ids, &used), E_OK);
    assert_int_equal(used, 0);
    assert_int_equal(symbol_intern_many("abcdefghijklmnop", 16, 1, ids, &used), E_CORRUPT);
    assert_int_equal(symbol_intern_many("aa\0rest behind", 14, 1, ids, &used), E_OK);
    assert_int_equal(used, 3);
}

static void a_hundred_thousand_names_are_told_apart(void **state)
{
    (void)state;

    enum { N = 150000 }; /* more than two chunks, several doublings */

    i32 first = symbol_count();
    char name[32];
    u64 held = symbol_bytes();
    for (i32 i = 0; i < N; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(id_of(name), first + i);
    }
    assert_true(symbol_bytes() > held + N * 8);
    for (i32 i = 0; i < N; i += 17) {
        (void)snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(symbol_find(str_of(name)), first + i);
        assert_string_equal(symbol_text(first + i).data, name);
    }
}

/* Several threads intern overlapping names and read them back at once. */
static void *intern_some(void *seed)
{
    Prng p;
    prng_init(&p, *(u64 *)seed);
    for (u32 i = 0; i < 20000; i++) {
        char name[32];
        i32 id;
        (void)snprintf(name, sizeof name, "thread%llu", (unsigned long long)prng_below(&p, 5000));
        if (symbol_intern(str_of(name), &id) != E_OK || !str_is(symbol_text(id), name)) return seed;
    }
    return NULL;
}

static void threads_agree_on_ids(void **state)
{
    (void)state;
    pthread_t threads[4];
    u64 seeds[4] = {1, 2, 3, 4};
    i32 before = symbol_count();
    for (u32 i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, intern_some, &seeds[i]), 0);
    for (u32 i = 0; i < 4; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_true(symbol_count() <= before + 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_empty_symbol_is_zero),
        cmocka_unit_test(equal_names_have_equal_ids),
        cmocka_unit_test(bad_names_are_refused),
        cmocka_unit_test(many_names_at_once_give_the_ids_of_one_by_one),
        cmocka_unit_test(short_names_keep_their_ids_when_they_repeat),
        cmocka_unit_test(many_names_stop_where_the_text_stops),
        cmocka_unit_test(a_hundred_thousand_names_are_told_apart),
        cmocka_unit_test(threads_agree_on_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
