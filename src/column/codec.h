/*
 * codec: one pair of calls in front of the five compressors of kdb+ containers (kdb-files.md 7.2):
 * q's own, gzip (zlib streams), snappy, lz4hc, zstd. A block is at most CODEC_PLAIN_MAX bytes and
 * stands alone.
 *
 * Any thread may call; memory that the libraries work in is kept between calls.
 */
#ifndef COLUMN_CODEC_H
#define COLUMN_CODEC_H

#include "base/fail.h"
#include "base/types.h"

/* The numbers are those of the files. */
enum {
    CODEC_NONE = 0,
    CODEC_QIPC = 1,
    CODEC_GZIP = 2,
    CODEC_SNAPPY = 3,
    CODEC_LZ4HC = 4,
    CODEC_ZSTD = 5,
    CODEC_COUNT
};

/* How to compress; codec 0 = not at all. */
typedef struct {
    int codec;      /* CODEC_* */
    int level;      /* of that codec */
    int block_log2; /* a block is 2^block_log2 plain bytes: 12 to 20 */
} CodecChoice;

#define CODEC_PLAIN_MAX (1u << 20) /* bytes of one block before compression */

/* The name of a codec ("gzip"); "unknown" for others. */
const char *codec_name(int codec);

/* Whether a codec has a level: none and q's own and snappy 0, gzip 0..9, lz4hc 0..16, zstd -7..22.
 * E_USAGE names what is allowed. */
MUST_USE Err codec_check(int codec, int level);

/* Bytes of room that codec_deflate needs for `size` plain bytes. */
u64 codec_room(int codec, u64 size);

/* Compresses one block into `out`. *out_size = 0 when it is to be stored raw: when the result would
 * not be shorter, or, for q's own, when its rule says so. */
MUST_USE Err codec_deflate(int codec, int level, const u8 *plain, u64 size, u8 *out, u64 *out_size);

/* The most plain bytes that `size` stored bytes can yield, so that a directory that promises more
 * is refused before memory is taken. */
u64 codec_yield_max(int codec, u64 size);

/* Inflates one block into exactly `plain_size` bytes, using all of the stored ones; E_CORRUPT when
 * it does not. Never writes beyond. */
MUST_USE Err codec_inflate(int codec, const u8 *stored, u64 size, u8 *plain, u64 plain_size);

#endif
