/*
 * crc: CRC-32C (Castagnoli), by the processor's instruction where it has one, else by table.
 */
#ifndef BASE_CRC_H
#define BASE_CRC_H

#include "base/types.h"

/* The CRC of `size` bytes, continuing from `crc` (0 to begin). crc_32c(crc_32c(0,a),b) = of a then
 * b. */
u32 crc_32c(u32 crc, const void *data, u64 size);

/* The CRC of a text moved over `size` more bytes: with it, CRCs of pieces are put together. */
u32 crc_32c_shift(u32 crc, u64 size);

/* The CRC of two texts one behind the other, from those of each; `size` is that of the second. */
static inline u32 crc_32c_join(u32 first, u32 second, u64 size)
{
    return crc_32c_shift(first, size) ^ second;
}

/* crc_32c by table on any machine; tests hold the fast one against it. */
u32 crc_32c_plain(u32 crc, const void *data, u64 size);

#endif
