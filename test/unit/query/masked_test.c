/*
 * masked: sums under random masks, of every length about a vector's, beside plain loops.
 */
#include "kit.h"
#include "query/masked.h"

#include <math.h>

#define MOST 100

static void sums_are_those_of_a_plain_loop(void **state)
{
    (void)state;
    Prng p;
    prng_init(&p, 3);
    for (u64 n = 0; n < MOST; n++) {
        i32 ints[MOST];
        i64 longs[MOST];
        f64 floats[MOST], real = 0;
        u8 mask[MOST];
        u64 narrow = 0, wide = 0, count = 0;
        for (u64 i = 0; i < n; i++) {
            bool null = prng_below(&p, 9) == 0;
            mask[i] = (u8)prng_below(&p, 2);
            ints[i] = null ? Q_NULL_INT : (i32)prng_below(&p, 2000) - 1000;
            longs[i] = null ? Q_NULL_LONG : (i64)prng_next(&p);
            floats[i] = null && n % 2 == 0 ? (f64)NAN : (f64)prng_below(&p, 4000) / 4 - 500;
            if (!mask[i] && n % 3 == 0) floats[i] = i % 2 == 0 ? (f64)INFINITY : (f64)NAN;
            if (!mask[i]) continue;
            count++;
            narrow += ints[i] == Q_NULL_INT ? 0 : (u64)(i64)ints[i];
            wide += longs[i] == Q_NULL_LONG ? 0 : (u64)longs[i];
            real += isnan(floats[i]) ? 0 : floats[i];
        }
        assert_true(masked_count(mask, n) == count);
        assert_true(masked_sum_i32(ints, mask, n) == narrow);
        assert_true(masked_sum_i64(longs, mask, n) == wide);
        assert_true(masked_sum_f64(floats, mask, n) == real);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_a_plain_loop),
    };
    return cmocka_run_group_tests_name("query/masked", tests, NULL, NULL);
}
