/*
 * sort: against a plain insertion or merge of rows, over all types, sizes, shapes and
 * directions. */
#include "base/prng.h"
#include "q/sort.h"
#include "q/symbol.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Checks that perm is a permutation, in order by the keys, and stable. */
static void is_stable_order(const SortKey *keys, u64 key_count, const u32 *perm, u64 count)
{
    u8 *seen = calloc(count + 1, 1);
    for (u64 i = 0; i < count; i++) {
        assert_true(perm[i] < count);
        assert_int_equal(seen[perm[i]]++, 0);
    }
    free(seen);
    for (u64 i = 1; i < count; i++) {
        int c = sort_compare(keys, perm[i - 1], keys, perm[i], key_count);
        assert_true(c < 0 || (c == 0 && perm[i - 1] < perm[i]));
    }
}

static void sorts(const SortKey *keys, u64 key_count, u64 count)
{
    u32 *perm = malloc((count + 1) * sizeof *perm);
    bool sorted = false;
    assert_int_equal(sort_order(keys, key_count, count, perm, &sorted), E_OK);
    is_stable_order(keys, key_count, perm, count);
    assert_int_equal(sorted, sort_is_sorted(keys, key_count, 0, count));
    free(perm);
}

static const u64 sizes[] = {0, 1, 2, 3, 8, 9, 31, 48, 49, 50, 257, 1000, 4095, 4096, 4097, 20000};

static void every_type_and_size_is_ordered(void **state)
{
    (void)state;
    Prng p;
    prng_init(&p, 1);
    u8 *data = malloc(20000 * 16);
    for (u64 s = 0; s < COUNT_OF(sizes); s++) {
        for (u64 i = 0; i < sizes[s] * 2; i++)
            store_u64(data + i * 8, prng_next(&p));
        for (int t = QT_BOOLEAN; t < QT_ENUM; t++) {
            if (!type_is_fixed(t)) continue;
            SortKey key = {.type = t, .data = data};
            sorts(&key, 1, sizes[s]);
            key.descending = true;
            sorts(&key, 1, sizes[s]);
        }
        for (u64 i = 0; i < sizes[s] * 4; i++)
            store_u32(data + i * 4, (u32)prng_below(&p, 300));
        SortKey ids = {.type = QT_ENUM, .data = data};
        sorts(&ids, 1, sizes[s]);
    }
    free(data);
}

static void shapes_of_numbers_are_ordered(void **state)
{
    (void)state;
    Prng p;
    prng_init(&p, 2);
    i64 *data = malloc(20000 * sizeof *data);
    for (u64 s = 0; s < COUNT_OF(sizes); s++) {
        for (u32 shape = 0; shape < 9; shape++) {
            for (u64 i = 0; i < sizes[s]; i++) {
                i64 r = (i64)prng_next(&p);
                switch (shape) {
                case 0: data[i] = 5; break;                             /* constant */
                case 1: data[i] = -(i64)i; break;                       /* falling */
                case 2: data[i] = r & 1; break;                         /* two values */
                case 3: data[i] = r & 1 ? INT64_MIN : INT64_MAX; break; /* the whole range */
                case 4: data[i] = (r & 0xff) << 40; break;              /* constant low digits */
                case 5: data[i] = (i64)i + (r & 15); break;             /* nearly in order */
                case 6: data[i] = 1000000000000 + (r & 0xffffffff); break;
                case 7: data[i] = (r & 3) << 61 | (r >> 20 & 1023); break; /* far clusters */
                default: data[i] = i + 1 == sizes[s] ? -1 : (i64)i; break; /* the last goes first */
                }
            }
            SortKey key = {.type = QT_LONG, .data = data};
            sorts(&key, 1, sizes[s]);
            key.descending = true;
            sorts(&key, 1, sizes[s]);
        }
    }
    free(data);
}

static void several_keys_are_ordered_within_each_other(void **state)
{
    (void)state;
    Prng p;
    prng_init(&p, 3);

    enum { N = 20000 };

    i32 *ids = malloc(N * sizeof *ids);
    i64 *times = malloc(N * sizeof *times), *wide = malloc(N * sizeof *wide);
    u8 *guids = malloc(N * 16);
    u32 rank[100];
    for (u32 i = 0; i < 100; i++)
        rank[i] = (i * 37 + 11) % 100;
    for (u64 s = 0; s < COUNT_OF(sizes); s++) {
        for (u32 spread = 1; spread <= 100; spread *= 10) {
            for (u64 i = 0; i < sizes[s]; i++) {
                ids[i] = (i32)prng_below(&p, spread);
                wide[i] = (i64)prng_below(&p, spread) - 1;
                times[i] = (i64)prng_below(&p, sizes[s] * 10);
                memset(guids + i * 16, 7, 16);
                guids[i * 16 + 3] = (u8)prng_below(&p, 3);
                guids[i * 16 + 12] = (u8)prng_below(&p, 3);
            }
            SortKey keys[] = {{.type = QT_ENUM, .data = ids, .rank = rank},
                              {.type = QT_GUID, .data = guids, .descending = true},
                              {.type = QT_ENUM, .data = wide, .wide = true, .rank = rank},
                              {.type = QT_TIMESTAMP, .data = times}};
            for (u64 n = 1; n <= 4; n++)
                sorts(keys, n, sizes[s]);
            keys[0].descending = true;
            sorts(keys, 4, sizes[s]);
            SortKey turned[] = {keys[3], keys[0], keys[1]};
            sorts(turned, 3, sizes[s]);
        }
    }
    free(ids);
    free(times);
    free(wide);
    free(guids);
}

static void rows_that_stand_in_order_are_told(void **state)
{
    (void)state;
    i64 times[] = {1, 1, 2, 3};
    i32 ids[] = {2, 2, 1, 1};
    SortKey keys[] = {{.type = QT_TIMESTAMP, .data = times}, {.type = QT_ENUM, .data = ids}};
    u32 perm[4];
    bool sorted;
    assert_int_equal(sort_order(keys, 2, 4, perm, &sorted), E_OK);
    assert_true(sorted);
    for (u32 i = 0; i < 4; i++)
        assert_int_equal(perm[i], i);
    assert_int_equal(sort_order(keys + 1, 1, 4, perm, &sorted), E_OK);
    assert_false(sorted);
    static const u32 wanted[] = {2, 3, 0, 1};
    assert_memory_equal(perm, wanted, sizeof wanted);
    assert_int_equal(sort_order(keys, 0, 4, perm, &sorted), E_OK);
    assert_true(sorted);
    assert_int_equal(perm[3], 3);
    assert_true(sort_is_sorted(keys + 1, 1, 0, 2));
    assert_true(sort_is_sorted(keys + 1, 1, 2, 4));
    assert_false(sort_is_sorted(keys + 1, 1, 1, 3));
    assert_true(sort_is_sorted(keys + 1, 1, 3, 3));
}

/* q's order: null, then minus infinity, and so on; every pair is compared. */
static void nulls_come_first_and_nan_before_infinity(void **state)
{
    (void)state;
    f64 floats[] = {NAN, -INFINITY, -1e300, -1.0, -1e-300, -0.0, 1e-300, 1.0, 1e300, INFINITY};
    f32 reals[] = {NAN, -INFINITY, -1e30f, -1.0f, -1e-30f, -0.0f, 1e-30f, 1.0f, 1e30f, INFINITY};
    i64 longs[] = {INT64_MIN, -INT64_MAX, -1, 0, 1, INT64_MAX};
    i32 ints[] = {INT32_MIN, -INT32_MAX, -1, 0, 1, INT32_MAX};
    i16 shorts[] = {INT16_MIN, -INT16_MAX, -1, 0, 1, INT16_MAX};
    u8 bytes[] = {0, 1, 127, 128, 255};
    const SortKey keys[] = {
        {.type = QT_FLOAT, .data = floats},    {.type = QT_REAL, .data = reals},
        {.type = QT_DATETIME, .data = floats}, {.type = QT_LONG, .data = longs},
        {.type = QT_TIMESPAN, .data = longs},  {.type = QT_INT, .data = ints},
        {.type = QT_TIME, .data = ints},       {.type = QT_SHORT, .data = shorts},
        {.type = QT_BYTE, .data = bytes},      {.type = QT_CHAR, .data = bytes}};
    static const u64 counts[] = {10, 10, 10, 6, 6, 6, 6, 6, 5, 5};
    for (u64 k = 0; k < COUNT_OF(keys); k++) {
        SortKey down = keys[k];
        down.descending = true;
        for (u64 i = 0; i < counts[k]; i++) {
            for (u64 j = 0; j < counts[k]; j++) {
                int c = sort_compare(&keys[k], i, &keys[k], j, 1);
                assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
                c = sort_compare(&down, i, &down, j, 1);
                assert_int_equal((c > 0) - (c < 0), (i < j) - (i > j));
            }
        }
        assert_true(sort_is_sorted(&keys[k], 1, 0, counts[k]));
        assert_false(sort_is_sorted(&down, 1, 0, counts[k]));
    }
    f64 zeros[] = {0.0, -0.0, 0.0}, nans[] = {NAN, -NAN};
    SortKey zero = {.type = QT_FLOAT, .data = zeros}, nan = {.type = QT_FLOAT, .data = nans};
    assert_int_equal(sort_compare(&zero, 0, &zero, 1, 1), 0);
    assert_int_equal(sort_compare(&nan, 0, &nan, 1, 1), 0);
}

static void guids_are_ordered_by_their_bytes(void **state)
{
    (void)state;
    u8 guids[48] = {[0] = 1, [16] = 1, [16 + 15] = 0xff, [32] = 0xff};
    SortKey key = {.type = QT_GUID, .data = guids};
    assert_true(sort_compare(&key, 0, &key, 1, 1) < 0);
    assert_true(sort_compare(&key, 1, &key, 2, 1) < 0);
    assert_true(sort_is_sorted(&key, 1, 0, 3));
}

static void rows_of_two_tables_are_compared(void **state)
{
    (void)state;
    i64 left[] = {1, 5}, right[] = {3};
    u32 left_rank[] = {9, 1}, right_rank[] = {4};
    i32 zero[] = {0};
    SortKey a = {.type = QT_LONG, .data = left}, b = {.type = QT_LONG, .data = right};
    assert_true(sort_compare(&a, 0, &b, 0, 1) < 0);
    assert_true(sort_compare(&a, 1, &b, 0, 1) > 0);
    SortKey x = {.type = QT_ENUM, .data = zero, .rank = left_rank};
    SortKey y = {.type = QT_ENUM, .data = zero, .rank = right_rank};
    assert_true(sort_compare(&x, 0, &y, 0, 1) > 0);
}

static void bounds_are_found_everywhere(void **state)
{
    (void)state;
    i64 data[40];
    for (u64 n = 0; n < 40; n++) {
        for (u64 i = 0; i < n; i++)
            data[i] = (i64)(i / 3) * 2;
        for (i64 value = -2; value < 30; value++) {
            u64 lower = 0, upper = 0;
            while (lower < n && data[lower] < value)
                lower++;
            while (upper < n && data[upper] <= value)
                upper++;
            assert_int_equal(sort_lower_i64(data, 0, n, value), lower);
            assert_int_equal(sort_upper_i64(data, 0, n, value), upper);
        }
    }
    i64 ends[] = {INT64_MIN, INT64_MIN, 0, INT64_MAX};
    assert_int_equal(sort_lower_i64(ends, 0, 4, INT64_MIN), 0);
    assert_int_equal(sort_upper_i64(ends, 0, 4, INT64_MIN), 2);
    assert_int_equal(sort_lower_i64(ends, 0, 4, INT64_MAX), 3);
    assert_int_equal(sort_upper_i64(ends, 0, 4, INT64_MAX), 4);
    assert_int_equal(sort_lower_i64(ends, 2, 3, 5), 3);
}

static void names_are_ranked_bytewise(void **state)
{
    (void)state;
    static const char *const names[] = {"",          "A",         "Z",  "a", "aa",      "aaaaaaaa",
                                        "aaaaaaaaa", "aaaaaaaab", "ab", "b", "\xc3\xa9"};

    enum { NAMES = COUNT_OF(names) };

    i32 ids[NAMES], few[3];
    for (u32 i = 0; i < NAMES; i++)
        assert_int_equal(
            symbol_intern(str_of(names[(i * 7 + 3) % NAMES]), &ids[(i * 7 + 3) % NAMES]), E_OK);
    u32 rank[5000];
    memset(rank, 0xff, sizeof rank);
    assert_int_equal(sort_symbol_ranks(ids, NAMES, rank, symbol_count()), E_OK);
    for (u32 i = 0; i < NAMES; i++)
        assert_int_equal(rank[ids[i]], i);
    char name[16];
    for (u32 i = 0; i < 1000; i++) { /* now these are few among many: the other road */
        i32 id;
        (void)snprintf(name, sizeof name, "other%u", i);
        assert_int_equal(symbol_intern(str_of(name), &id), E_OK);
    }
    memset(rank, 0xff, sizeof rank);
    few[0] = ids[9];
    few[1] = ids[3];
    few[2] = ids[9];
    assert_int_equal(sort_symbol_ranks(few, 3, rank, symbol_count()), E_OK);
    assert_int_equal(rank[ids[3]], 0);
    assert_int_equal(rank[ids[9]], 1);
    assert_int_equal(rank[ids[4]], UINT32_MAX);
    assert_int_equal(sort_symbol_ranks(NULL, 0, rank, symbol_count()), E_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_and_size_is_ordered),
        cmocka_unit_test(shapes_of_numbers_are_ordered),
        cmocka_unit_test(several_keys_are_ordered_within_each_other),
        cmocka_unit_test(rows_that_stand_in_order_are_told),
        cmocka_unit_test(nulls_come_first_and_nan_before_infinity),
        cmocka_unit_test(guids_are_ordered_by_their_bytes),
        cmocka_unit_test(rows_of_two_tables_are_compared),
        cmocka_unit_test(bounds_are_found_everywhere),
        cmocka_unit_test(names_are_ranked_bytewise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
