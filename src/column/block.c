/*
 * block: reading compressed containers.
 *
 *   0     kxzipped
 *   8     block 0, block 1, ... back to back
 *   T     u32 version (2 or 3), u8 codec, u8 level, 0 0
 *   T+8   u64 plain bytes of the whole
 *   T+16  u64 T
 *   T+24  u64 plain bytes of a block, a power of two
 *   T+32  N entries: u32 stored bytes, u32 codec of this block
 *   end-8 u64 N
 *
 * N comes first when reading: T follows from it and the file's size, and the trailer names T again.
 * The directory must account for every byte between 8 and T. That makes places ascend and stay
 * within the file, so block_inflate needs no further checks of where it reads.
 */
#include "column/block.h"

#include "column/codec.h"

#include <stdlib.h>

bool block_is_container(const u8 *data, u64 size)
{
    return size >= BLOCK_MAGIC_SIZE && memcmp(data, BLOCK_MAGIC, BLOCK_MAGIC_SIZE) == 0;
}

static Err bad(const char *path, const char *what)
{
    return fail(E_CORRUPT, "%s: bad meta data of a compressed file: %s", path, what);
}

static Err read_trailer(BlockMap *b, u64 size, const char *path)
{
    u64 room = size - BLOCK_MAGIC_SIZE - BLOCK_TRAILER;
    if (size < BLOCK_MAGIC_SIZE + BLOCK_TRAILER) return bad(path, "it is too short");
    b->count = load_u64(b->file + size - 8);
    if (b->count > room / BLOCK_ENTRY)
        return bad(path, "it counts more blocks than it has room for");
    u64 at = size - BLOCK_TRAILER - b->count * BLOCK_ENTRY;
    const u8 *p = b->file + at;
    u32 version = load_u32(p);
    b->version = (u8)version;
    b->codec = p[4];
    b->level = p[5];
    b->size = load_u64(p + 8);
    b->directory = p + 32;
    u64 block_size = load_u64(p + 24);
    if (load_u64(p + 16) != at) return bad(path, "its trailer is not where it says");
    if (version < 2 || version > 3)
        return fail(E_UNSUPPORTED, "%s: a compressed file of version %u", path, version);
    if (block_size < 1u << BLOCK_LOG2_MIN || block_size > 1u << BLOCK_LOG2_MAX ||
        (block_size & (block_size - 1)) != 0)
        return bad(path, "its block size is no power of two from 2^12 to 2^20");
    b->block_size = (u32)block_size;
    if (b->count != b->size / block_size + (b->size % block_size != 0))
        return bad(path, "its count of blocks does not fit its plain size");
    return E_OK;
}

static u32 codec_of(const BlockMap *b, u64 i)
{
    return load_u32(b->directory + i * BLOCK_ENTRY + 4);
}

static Err read_directory(BlockMap *b, const char *path)
{
    u64 end = (u64)(b->directory - b->file) - 32, at = BLOCK_MAGIC_SIZE;
    b->places = malloc((b->count + 1) * sizeof *b->places);
    if (b->places == NULL) return fail(E_MEMORY, "%s: no memory to open it", path);
    for (u64 i = 0; i < b->count; i++) {
        u32 stored = load_u32(b->directory + i * BLOCK_ENTRY), codec = codec_of(b, i);
        if (stored > end - at) return bad(path, "a block runs past the end");
        if (codec >= CODEC_COUNT)
            return fail(E_UNSUPPORTED, "%s: block %llu is compressed by algorithm %u", path,
                        (unsigned long long)i, codec);
        if (codec_yield_max((int)codec, stored) < block_plain_size(b, i))
            return bad(path, "a block is too short for its plain bytes");
        b->places[i] = at;
        at += stored;
    }
    b->places[b->count] = at;
    return at == end ? E_OK : bad(path, "its blocks do not fill it");
}

Err block_open(BlockMap *b, const u8 *data, u64 size, const char *path)
{
    *b = (BlockMap){.file = data};
    ASSERT(block_is_container(data, size));
    Err err = read_trailer(b, size, path);
    if (err == E_OK) err = read_directory(b, path);
    if (err != E_OK) block_close(b);
    return err;
}

void block_close(BlockMap *b)
{
    free(b->places);
    *b = (BlockMap){0};
}

u64 block_plain_size(const BlockMap *b, u64 i)
{
    ASSERT(i < b->count);
    return MIN(b->block_size, b->size - i * b->block_size);
}

Err block_inflate(const BlockMap *b, u64 i, u8 *out, const char *path)
{
    u64 from = b->places[i], size = b->places[i + 1] - from;
    Err err = codec_inflate((int)codec_of(b, i), b->file + from, size, out, block_plain_size(b, i));
    return err == E_OK ? E_OK : fail_note(err, "%s: block %llu", path, (unsigned long long)i);
}
