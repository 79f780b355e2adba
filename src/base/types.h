/*
 * types: short names for fixed-width integers, and little-endian loads and stores.
 *
 * On-disk and on-wire integers are read with these calls, never by laying a struct over the bytes.
 * Nothing here allocates or fails.
 */
#ifndef BASE_TYPES_H
#define BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;
typedef float f32;
typedef double f64;

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The smaller or larger of two values; arguments are evaluated twice. */
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Little-endian loads from any address. */
static inline u16 load_u16(const void *p)
{
    u16 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline u32 load_u32(const void *p)
{
    u32 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline u64 load_u64(const void *p)
{
    u64 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline i32 load_i32(const void *p) { return (i32)load_u32(p); }

static inline i64 load_i64(const void *p) { return (i64)load_u64(p); }

/* Little-endian stores to any address. */
static inline void store_u16(void *p, u16 v) { memcpy(p, &v, sizeof v); }

static inline void store_u32(void *p, u32 v) { memcpy(p, &v, sizeof v); }

static inline void store_u64(void *p, u64 v) { memcpy(p, &v, sizeof v); }

/* Rounds `n` up to a multiple of `to`, a power of two. */
static inline u64 round_up(u64 n, u64 to) { return (n + to - 1) & ~(to - 1); }

#endif
