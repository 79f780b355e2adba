/*
 * crc: CRC-32C, polynomial 0x1EDC6F41, reflected, all ones before and after.
 *
 * The crc32 instruction takes three cycles but starts one each cycle, so large inputs are cut in
 * three equal lanes that run side by side. A lane's CRC is moved over the n bytes behind it by
 * multiplying with x^(8n): a carry-less product with k = x^(8n-33) mod P, whose 64 bits the crc32
 * instruction then reduces (which itself adds the x^33). Other processors use eight tables.
 */
#include "base/crc.h"

#include <pthread.h>

#define CRC_POLY 0x82f63b78u /* the polynomial, reflected */

static u32 tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void tables_make(void)
{
    for (u32 i = 0; i < 256; i++) {
        u32 c = i;
        for (int bit = 0; bit < 8; bit++)
            c = (c >> 1) ^ (c & 1 ? CRC_POLY : 0);
        tables[0][i] = c;
    }
    for (u32 i = 0; i < 256; i++)
        for (u32 k = 1; k < 8; k++)
            tables[k][i] = (tables[k - 1][i] >> 8) ^ tables[0][tables[k - 1][i] & 255];
}

u32 crc_32c_plain(u32 crc, const void *data, u64 size)
{
    const u8 *p = data;
    pthread_once(&tables_once, tables_make);
    crc = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        u64 v = load_u64(p) ^ crc;
        crc = 0;
        for (u32 k = 0; k < 8; k++)
            crc ^= tables[7 - k][(v >> (8 * k)) & 255];
    }
    for (; size; size--, p++)
        crc = (crc >> 8) ^ tables[0][(crc ^ *p) & 255];
    return ~crc;
}

/* The product of two polynomials modulo P; bit 31 is x^0. */
static u32 multiply(u32 a, u32 b)
{
    u32 product = 0;
    for (u32 bit = 1u << 31; bit != 0; bit >>= 1) {
        if (a & bit) product ^= b;
        b = b & 1 ? (b >> 1) ^ CRC_POLY : b >> 1;
    }
    return product;
}

/* Times x^(8 size), by squaring. The ones that a CRC begins and ends with cancel out. */
u32 crc_32c_shift(u32 crc, u64 size)
{
    u32 power = 1u << 23; /* x^8 */
    for (; size != 0; size >>= 1) {
        if (size & 1) crc = multiply(power, crc);
        power = multiply(power, power);
    }
    return crc;
}

#if defined(__x86_64__)

#include <immintrin.h>

#define CRC_FAST __attribute__((target("sse4.2,pclmul")))

/* Lane lengths in bytes, a large and a small one, and their x^(8n-33), x^(16n-33). */
#define CRC_LONG        4096
#define CRC_LONG_ONCE   0x82f89c77
#define CRC_LONG_TWICE  0x54a86326
#define CRC_SHORT       256
#define CRC_SHORT_ONCE  0xb9e02b86
#define CRC_SHORT_TWICE 0xdd7e3b0c

/* The reduced 64-bit product of a lane's CRC and k. */
CRC_FAST static u64 product(u64 crc, i64 k)
{
    __m128i p = _mm_clmulepi64_si128(_mm_cvtsi64_si128((i64)crc), _mm_cvtsi64_si128(k), 0);
    return (u64)_mm_cvtsi128_si64(p);
}

/* Three lanes of `lane` bytes each. */
CRC_FAST static inline u64 three(u64 crc, const u8 *p, u64 lane, i64 once, i64 twice)
{
    u64 second = 0, third = 0;
    for (u64 i = 0; i < lane; i += 8) {
        crc = _mm_crc32_u64(crc, load_u64(p + i));
        second = _mm_crc32_u64(second, load_u64(p + lane + i));
        third = _mm_crc32_u64(third, load_u64(p + 2 * lane + i));
    }
    return third ^ _mm_crc32_u64(0, product(crc, twice) ^ product(second, once));
}

CRC_FAST static u32 fast(u32 start, const u8 *p, u64 size)
{
    u64 crc = ~start;
    for (; size >= 3 * CRC_LONG; size -= 3 * CRC_LONG, p += 3 * CRC_LONG)
        crc = three(crc, p, CRC_LONG, CRC_LONG_ONCE, CRC_LONG_TWICE);
    for (; size >= 3 * CRC_SHORT; size -= 3 * CRC_SHORT, p += 3 * CRC_SHORT)
        crc = three(crc, p, CRC_SHORT, CRC_SHORT_ONCE, CRC_SHORT_TWICE);
    for (; size >= 8; size -= 8, p += 8)
        crc = _mm_crc32_u64(crc, load_u64(p));
    for (; size; size--, p++)
        crc = _mm_crc32_u8((u32)crc, *p);
    return ~(u32)crc;
}

u32 crc_32c(u32 crc, const void *data, u64 size)
{
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
        return fast(crc, data, size);
    return crc_32c_plain(crc, data, size);
}

#else

u32 crc_32c(u32 crc, const void *data, u64 size) { return crc_32c_plain(crc, data, size); }

#endif
