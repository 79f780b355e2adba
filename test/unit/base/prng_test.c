/*
 * prng: the published sequence, bounds, and an even spread.
 */
#include "base/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_sequence_is_that_of_xoshiro256starstar(void **state)
{
    (void)state;
    /* First outputs of the reference program for the state 1, 2, 3, 4. */
    Prng p = {{1, 2, 3, 4}};
    assert_true(prng_next(&p) == 11520);
    assert_true(prng_next(&p) == 0);
    assert_true(prng_next(&p) == 1509978240);
    assert_true(prng_next(&p) == 1215971899390074240ull);
}

static void a_seed_gives_one_sequence(void **state)
{
    (void)state;
    Prng a, b, c;
    prng_init(&a, 1);
    prng_init(&b, 1);
    prng_init(&c, 2);
    u64 same = 0;
    for (int i = 0; i < 100; i++) {
        u64 v = prng_next(&a);
        assert_true(v == prng_next(&b));
        same += v == prng_next(&c);
    }
    assert_int_equal(same, 0);
    prng_init(&a, 0);
    assert_true(a.s[0] | a.s[1] | a.s[2] | a.s[3]);
    assert_true(a.s[0] == 0xe220a8397b1dcdafull); /* splitmix64's first of seed 0 */
}

static void bounded_numbers_stay_below_and_spread(void **state)
{
    (void)state;
    Prng p;
    u32 counts[7] = {0};
    prng_init(&p, 9);
    for (int i = 0; i < 70000; i++)
        counts[prng_below(&p, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(counts[i], 9600, 10400);
    for (int i = 0; i < 100; i++) {
        assert_true(prng_below(&p, 1) == 0);
        assert_true(prng_below(&p, ~0ull) < ~0ull);
        assert_true(prng_below(&p, (1ull << 63) + 1) <= 1ull << 63);
    }
}

static void unit_numbers_are_in_the_half_open_interval(void **state)
{
    (void)state;
    Prng p;
    f64 sum = 0;
    prng_init(&p, 4);
    for (int i = 0; i < 10000; i++) {
        f64 v = prng_unit(&p);
        assert_true(v >= 0 && v < 1);
        sum += v;
    }
    assert_true(sum > 4800 && sum < 5200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sequence_is_that_of_xoshiro256starstar),
        cmocka_unit_test(a_seed_gives_one_sequence),
        cmocka_unit_test(bounded_numbers_stay_below_and_spread),
        cmocka_unit_test(unit_numbers_are_in_the_half_open_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
