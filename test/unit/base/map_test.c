/*
 * map: every key found, none invented, at all sizes of keys and tables.
 */
#include "base/map.h"
#include "base/prng.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void an_empty_map_finds_nothing(void **state)
{
    (void)state;
    Map m = {0};
    assert_int_equal(map_find(&m, STR("a")), -1);
    assert_int_equal(map_find(&m, (Str){0}), -1);
    assert_int_equal(map_find_i64(&m, 0), -1);
    map_free(&m);
    map_free(&m);
}

static void keys_of_every_length_are_told_apart(void **state)
{
    (void)state;
    Map m = {0};
    char text[100];
    memset(text, 'k', sizeof text);
    for (u64 size = 0; size < sizeof text; size++)
        map_put(&m, (Str){text, size}, (i32)size);
    assert_int_equal(m.count, sizeof text);
    for (u64 size = 0; size < sizeof text; size++) {
        assert_int_equal(map_find(&m, (Str){text, size}), size);
        for (u64 at = 0; at < size; at++) {
            text[at] = 'x';
            assert_int_equal(map_find(&m, (Str){text, size}), -1);
            text[at] = 'k';
        }
    }
    map_free(&m);
}

static void zeros_in_short_keys_count(void **state)
{
    (void)state;
    Map m = {0};
    map_put(&m, STR("a"), 1);
    map_put(&m, STR("a\0"), 2);
    map_put(&m, STR("a\0\0"), 3);
    map_put(&m, STR("\0"), 4);
    map_put(&m, (Str){0}, 5);
    assert_int_equal(map_find(&m, STR("a")), 1);
    assert_int_equal(map_find(&m, STR("a\0")), 2);
    assert_int_equal(map_find(&m, STR("a\0\0")), 3);
    assert_int_equal(map_find(&m, STR("\0")), 4);
    assert_int_equal(map_find(&m, (Str){0}), 5);
    map_free(&m);
}

static void keys_are_copied_and_values_replaced(void **state)
{
    (void)state;
    Map m = {0};
    char text[] = "a rather long key";
    map_put(&m, str_of(text), 0);
    map_put(&m, str_of(text), INT32_MAX);
    assert_int_equal(m.count, 1);
    text[0] = 'b';
    assert_int_equal(map_find(&m, str_of(text)), -1);
    text[0] = 'a';
    assert_int_equal(map_find(&m, str_of(text)), INT32_MAX);
    map_free(&m);
}

static void a_hundred_thousand_texts(void **state)
{
    (void)state;
    Map m = {0};
    char text[48];
    for (int i = 0; i < 100000; i++) {
        int size = snprintf(text, sizeof text, i % 2 ? "%d" : "symbol.of.some.length.%d", i);
        map_put(&m, (Str){text, (u64)size}, i);
        assert_true(m.count * 16 <= m.slot_count * 9);
    }
    for (int i = 0; i < 200000; i++) {
        int size = snprintf(text, sizeof text, i % 2 ? "%d" : "symbol.of.some.length.%d", i);
        assert_int_equal(map_find(&m, (Str){text, (u64)size}), i < 100000 ? i : -1);
    }
    map_free(&m);
}

static void a_hundred_thousand_numbers(void **state)
{
    (void)state;
    Map m = {0};
    map_put_i64(&m, INT64_MIN, 1);
    map_put_i64(&m, INT64_MAX, 2);
    for (i64 i = 0; i < 100000; i++)
        map_put_i64(&m, i << 32, (i32)i);
    assert_int_equal(m.count, 100002);
    assert_int_equal(map_find_i64(&m, INT64_MIN), 1);
    assert_int_equal(map_find_i64(&m, INT64_MAX), 2);
    for (i64 i = 0; i < 100000; i++) {
        assert_int_equal(map_find_i64(&m, i << 32), i);
        assert_int_equal(map_find_i64(&m, (i << 32) + 1), -1);
    }
    map_free(&m);
}

/* Flipping one bit of a key must flip about half of the hash, low bits included. */
static void the_hash_spreads_every_bit(void **state)
{
    (void)state;
    static const u64 sizes[] = {1, 3, 4, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 64, 65, 100};
    u8 key[100];
    Prng p;
    prng_init(&p, 3);
    for (u64 s = 0; s < COUNT_OF(sizes); s++) {
        u64 flipped = 0, low = 0, tries = 0;
        for (int round = 0; round < 20; round++) {
            for (u64 i = 0; i < sizes[s]; i++)
                key[i] = (u8)prng_next(&p);
            u64 hash = map_hash(key, sizes[s]);
            for (u64 bit = 0; bit < sizes[s] * 8; bit++, tries++) {
                key[bit / 8] ^= (u8)(1 << bit % 8);
                u64 change = hash ^ map_hash(key, sizes[s]);
                key[bit / 8] ^= (u8)(1 << bit % 8);
                assert_true(change != 0);
                flipped += (u64)__builtin_popcountll(change);
                low += (u64)__builtin_popcountll(change & 0xffff);
            }
        }
        assert_in_range(flipped * 100 / tries, 3000, 3400);
        assert_in_range(low * 100 / tries, 730, 870);
    }
}

static void the_hash_is_the_same_everywhere(void **state)
{
    (void)state;
    u8 shifted[64] = {0};
    for (u64 size = 0; size < 50; size++) {
        u8 plain[50];
        memset(plain, 'q', sizeof plain);
        memcpy(shifted + 3, plain, size);
        assert_true(map_hash(plain, size) == map_hash(shifted + 3, size));
    }
    assert_true(map_hash(NULL, 0) == map_hash("", 0));
    assert_true(map_hash("abc", 3) == 0x13f26c106d1121aeull);
    assert_true(map_hash("abcdefghijklmnopqrstuvwxyz0123456789", 36) == 0x31200b67c790cd73ull);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_finds_nothing),
        cmocka_unit_test(keys_of_every_length_are_told_apart),
        cmocka_unit_test(zeros_in_short_keys_count),
        cmocka_unit_test(keys_are_copied_and_values_replaced),
        cmocka_unit_test(a_hundred_thousand_texts),
        cmocka_unit_test(a_hundred_thousand_numbers),
        cmocka_unit_test(the_hash_spreads_every_bit),
        cmocka_unit_test(the_hash_is_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
