/*
 * crc: CRC-32C (Castagnoli), by the processor's instruction where it has one, else by table.
 */
#ifndef BASE_CRC_H
#define BASE_CRC_H

#include "base/types.h"

/* The CRC of `size` bytes, continuing from `crc` (0 to begin). crc_32c(crc_32c(0,a),b) = of a then
 * b. */
u32 crc_32c(u32 crc, const void *data, u64 size);

/* The same by table on any machine; tests hold the fast one against it. */
u32 crc_32c_plain(u32 crc, const void *data, u64 size);

#endif
