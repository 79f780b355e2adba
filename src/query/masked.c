/*
 * masked: loops over lanes and their mask.
 *
 * What does not pass becomes zero by an `and` of its bits, so infinities and NaN that are out do no
 * harm. Sums of floats have a fixed number of partial sums, as simd.h demands.
 */
#include "query/masked.h"

#include "q/type.h"
#include "query/simd.h"

#include <math.h>

SIMD_BODY u64 i32_body(const i32 *v, const u8 *mask, u64 n)
{
    u64 sum = 0;
    for (u64 i = 0; i < n; i++) {
        i32 x = v[i] & -(i32)mask[i];
        x = x == Q_NULL_INT ? 0 : x;
        sum += (u64)(i64)x;
    }
    return sum;
}

static u64 i32_plain(const i32 *v, const u8 *mask, u64 n) { return i32_body(v, mask, n); }

SIMD_AVX2 static u64 i32_avx2(const i32 *v, const u8 *mask, u64 n) { return i32_body(v, mask, n); }

u64 masked_sum_i32(const i32 *v, const u8 *mask, u64 n)
{
    return simd_avx2() ? i32_avx2(v, mask, n) : i32_plain(v, mask, n);
}

SIMD_BODY u64 i64_body(const i64 *v, const u8 *mask, u64 n)
{
    u64 sum = 0;
    for (u64 i = 0; i < n; i++) {
        u64 x = (u64)v[i] & (0 - (u64)mask[i]);
        sum += x == (u64)Q_NULL_LONG ? 0 : x;
    }
    return sum;
}

static u64 i64_plain(const i64 *v, const u8 *mask, u64 n) { return i64_body(v, mask, n); }

SIMD_AVX2 static u64 i64_avx2(const i64 *v, const u8 *mask, u64 n) { return i64_body(v, mask, n); }

u64 masked_sum_i64(const i64 *v, const u8 *mask, u64 n)
{
    return simd_avx2() ? i64_avx2(v, mask, n) : i64_plain(v, mask, n);
}

typedef __attribute__((vector_size(4), aligned(1), may_alias)) u8 Bytes4;

/* Four floats of which those count whose byte is set. */
#define some_of(v, mask)                                                                           \
    (SimdF64)(simd_load_u64(v) &                                                                   \
              -__builtin_convertvector(*(const Bytes4 *)(const void *)(mask), SimdU64))

SIMD_BODY f64 f64_body(const f64 *v, const u8 *mask, u64 n)
{
    SimdF64 a = {0}, b = {0}, c = {0}, d = {0};
    f64 rest = 0;
    u64 i = 0;
    for (; i + 16 <= n; i += 16) {
        a += some_of(v + i, mask + i);
        b += some_of(v + i + 4, mask + i + 4);
        c += some_of(v + i + 8, mask + i + 8);
        d += some_of(v + i + 12, mask + i + 12);
    }
    for (; i < n; i++)
        rest += mask[i] ? v[i] : 0.0;
    a = (a + b) + (c + d);
    return rest + ((a[0] + a[1]) + (a[2] + a[3]));
}

static f64 f64_plain(const f64 *v, const u8 *mask, u64 n) { return f64_body(v, mask, n); }

SIMD_AVX2 static f64 f64_avx2(const f64 *v, const u8 *mask, u64 n) { return f64_body(v, mask, n); }

f64 masked_sum_f64(const f64 *v, const u8 *mask, u64 n)
{
    f64 sum = simd_avx2() ? f64_avx2(v, mask, n) : f64_plain(v, mask, n);
    if (!isnan(sum)) return sum;
    sum = 0;
    for (u64 i = 0; i < n; i++)
        sum += mask[i] && v[i] == v[i] ? v[i] : 0.0;
    return sum;
}

SIMD_BODY u64 count_body(const u8 *mask, u64 n)
{
    u64 count = 0;
    for (u64 i = 0; i < n; i++)
        count += mask[i];
    return count;
}

static u64 count_plain(const u8 *mask, u64 n) { return count_body(mask, n); }

SIMD_AVX2 static u64 count_avx2(const u8 *mask, u64 n) { return count_body(mask, n); }

u64 masked_count(const u8 *mask, u64 n)
{
    return simd_avx2() ? count_avx2(mask, n) : count_plain(mask, n);
}
