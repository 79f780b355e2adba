/*
 * unzip: see unzip.h. A compressed file is "kxzipped", the blocks one after the other, and a
 * trailer: version 2 or 3 (4 bytes), algorithm, level, two zeros, the plain length, where the
 * trailer begins, the plain length of a block (8 bytes each), for each block its stored length and
 * its algorithm (4 bytes each), and the number of blocks (8 bytes).
 */
#include "unzip.h"

#include <lz4.h>
#include <snappy-c.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define HEAD  8
#define FIXED 32 /* of the trailer in front of the blocks */

static u64 files;

u64 unzip_files(void) { return files; }

/* q's own: literals, and matches that begin where two bytes with the same exclusive or stood last.
 * Positions count from the head of the message, which is 8 bytes and not there. */
static bool unpack(const u8 *from, u64 size, u8 *to, u64 wanted)
{
    u64 slots[256] = {0}, entered = 8, at = 8, src = 12, end = wanted + 8;
    u32 flags = 0, left = 0;
    static const u8 head[4] = {1, 0, 1, 0};
    if (size < 12 || memcmp(from, head, 4) != 0 || load_u32(from + 4) != size ||
        load_u32(from + 8) != end)
        return false;
    while (at < end) {
        if (src >= size) return false;
        if (left == 0) {
            flags = from[src++];
            left = 8;
            continue;
        }
        u64 begin = at;
        if ((flags & 1) != 0) {
            if (src + 2 > size) return false;
            u64 start = slots[from[src]], count = 2ull + from[src + 1];
            src += 2;
            if (start < 8 || start >= at || at + count > end) return false;
            for (u64 i = 0; i < count; i++)
                to[at + i - 8] = to[start + i - 8];
            for (; entered <= begin; entered++)
                slots[to[entered - 8] ^ to[entered - 7]] = entered;
            at += count;
            entered = at;
        } else {
            to[at++ - 8] = from[src++];
            for (; entered + 1 < at; entered++)
                slots[to[entered - 8] ^ to[entered - 7]] = entered;
        }
        flags >>= 1;
        left--;
    }
    return src == size;
}

/* Inflates one block to exactly `wanted` bytes. */
static bool inflate_one(u32 algorithm, const u8 *from, u64 size, u8 *to, u64 wanted)
{
    uLongf zlib_size = wanted, zlib_from = size;
    size_t snappy_size = wanted;
    switch (algorithm) {
    case 0: return size == wanted && memcpy(to, from, wanted) == to;
    case 1: return unpack(from, size, to, wanted);
    case 2:
        return uncompress2(to, &zlib_size, from, &zlib_from) == Z_OK && zlib_size == wanted &&
               zlib_from == size;
    case 3:
        return snappy_uncompress((const char *)from, size, (char *)to, &snappy_size) == SNAPPY_OK &&
               snappy_size == wanted;
    case 4:
        return LZ4_decompress_safe((const char *)from, (char *)to, (int)size, (int)wanted) ==
               (int)wanted;
    case 5: return ZSTD_decompress(to, wanted, from, size) == wanted;
    default: return false;
    }
}

const u8 *unzip(Arena *a, const u8 *data, u64 *size, const char **why)
{
    if (*size < HEAD || memcmp(data, "kxzipped", HEAD) != 0) return data;
    files++;
    *why = "the trailer is cut";
    if (*size < HEAD + FIXED + 8) return NULL;
    u64 blocks = load_u64(data + *size - 8);
    if (blocks > (*size - HEAD - FIXED - 8) / 8) return NULL;
    u64 trailer = *size - 8 * (5 + blocks);
    const u8 *t = data + trailer;
    u64 plain = load_u64(t + 8), block = load_u64(t + 24), from = HEAD;
    *why = "the trailer breaks a rule";
    if ((load_u32(t) != 2 && load_u32(t) != 3) || t[6] != 0 || t[7] != 0 ||
        load_u64(t + 16) != trailer)
        return NULL;
    if (block < 4096 || block > (1u << 20) || (block & (block - 1)) != 0 ||
        plain > blocks * block || plain + block <= blocks * block)
        return NULL;
    u8 *out = arena_alloc(a, plain + 1);
    *why = "a block does not inflate";
    for (u64 i = 0; i < blocks; i++) {
        u64 stored = load_u32(t + FIXED + 8 * i), at = i * block;
        if (stored > trailer - from) return NULL;
        if (!inflate_one(load_u32(t + FIXED + 8 * i + 4), data + from, stored, out + at,
                         MIN(block, plain - at)))
            return NULL;
        from += stored;
    }
    *why = "bytes between the blocks and the trailer";
    if (from != trailer) return NULL;
    *size = plain;
    return out;
}
