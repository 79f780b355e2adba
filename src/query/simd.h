/*
 * simd: one loop compiled twice, for any processor and for those with AVX2. Private to query/.
 *
 * A hot loop is written once as a SIMD_BODY function, which two others contain: a plain one and a
 * SIMD_AVX2 one. The caller chooses by simd_avx2(). Results are the same bit for bit: loops keep a
 * fixed number of partial sums whatever the width of a vector.
 */
#ifndef QUERY_SIMD_H
#define QUERY_SIMD_H

#include "base/types.h"

#define SIMD_BODY static inline __attribute__((always_inline))

/* Four floats at once; the compiler splits them where the processor has no such register. */
typedef __attribute__((vector_size(32))) f64 SimdF64;
typedef __attribute__((vector_size(32), aligned(8))) f64 SimdF64Loose;

typedef __attribute__((vector_size(32))) u64 SimdU64;
typedef __attribute__((vector_size(32), aligned(8))) u64 SimdU64Loose;

/* Four floats from any aligned float; four words. */
#define simd_load(p)     (*(const SimdF64Loose *)(const void *)(p))
#define simd_load_u64(p) (*(const SimdU64Loose *)(const void *)(p))

#if defined(__x86_64__)
#define SIMD_AVX2 __attribute__((target("avx2")))
#else
#define SIMD_AVX2
#endif

/* Whether the processor has AVX2. */
static inline bool simd_avx2(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2");
#else
    return false;
#endif
}

#endif
