/*
 * codec: the compression libraries, each in its two functions.
 *
 *     id  block content                              compressed by      inflated by
 *      1  q IPC message without its object's frame   q/wire_compress    q/wire_compress
 *      2  one zlib stream (RFC 1950)                 zlib               libdeflate
 *      3  one raw snappy block                       snappy             snappy
 *      4  one raw LZ4 block, no frame                lz4hc              lz4
 *      5  one zstd frame                             zstd               zstd
 *
 * zlib compresses because kdb+ does: its blocks come out byte for byte. libdeflate inflates the
 * same streams at twice the speed. For lz4hc and zstd no file of kdb+ is at hand that would prove
 * the bytes; what we write is what their readers are documented to take.
 *
 * Nothing that is read is trusted: the inflaters are told how much room there is, must fill it
 * exactly and must eat all of their input. The sizes that snappy and zstd name in front are
 * compared first.
 *
 * Memory that libraries work in stays in a few slots that threads swap pointers with, as setting
 * it up anew costs as much as a small block.
 */
#include "column/codec.h"

#include "base/arena.h"
#include "q/wire.h"

#include <libdeflate.h>
#include <lz4.h>
#include <lz4hc.h>
#include <snappy-c.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define SPARE_SLOTS 16
#define GZIP_LEVELS 10
#define QIPC_HEAD   12
#define QIPC_YIELD  (8 * 257) /* plain bytes of a group: eight matches, after its flags */
#define QIPC_GROUP  17        /* stored bytes of that group */

static const struct {
    const char *name;
    int level_min, level_max;
} rows[CODEC_COUNT] = {
    [CODEC_NONE] = {"none", 0, 0},    [CODEC_QIPC] = {"qipc", 0, 0},
    [CODEC_GZIP] = {"gzip", 0, 9},    [CODEC_SNAPPY] = {"snappy", 0, 0},
    [CODEC_LZ4HC] = {"lz4hc", 0, 16}, [CODEC_ZSTD] = {"zstd", -7, 22},
};

static bool is_codec(int codec) { return codec >= CODEC_NONE && codec < CODEC_COUNT; }

const char *codec_name(int codec) { return is_codec(codec) ? rows[codec].name : "unknown"; }

Err codec_check(int codec, int level)
{
    if (!is_codec(codec)) return fail(E_USAGE, "no compression algorithm has number %d", codec);
    if (level >= rows[codec].level_min && level <= rows[codec].level_max) return E_OK;
    return fail(E_USAGE, "compression level %d: %s has levels %d to %d", level, rows[codec].name,
                rows[codec].level_min, rows[codec].level_max);
}

static Err no_memory(int codec) { return fail(E_MEMORY, "no memory for %s", codec_name(codec)); }

static Err damaged(int codec, const char *what)
{
    return fail(E_CORRUPT, "a %s block %s", codec_name(codec), what);
}

/* ---- memory of the libraries, between calls */

typedef _Atomic(void *) Spares[SPARE_SLOTS];

static void *spare_take(Spares spares)
{
    for (u32 i = 0; i < SPARE_SLOTS; i++) {
        void *p = atomic_load_explicit(&spares[i], memory_order_relaxed);
        if (p != NULL) p = atomic_exchange(&spares[i], NULL);
        if (p != NULL) return p;
    }
    return NULL;
}

/* Keeps it; false when all slots are taken. */
static bool spare_give(Spares spares, void *p)
{
    for (u32 i = 0; i < SPARE_SLOTS; i++) {
        void *none = NULL;
        if (atomic_compare_exchange_strong(&spares[i], &none, p)) return true;
    }
    return false;
}

/* ---- q's own */

/* The block is a compressed message: the plain bytes are imagined with a message header in
 * front. */
static Err qipc_deflate(const u8 *plain, u64 size, u8 *out, u64 *out_size)
{
    static Spares spares;
    u8 *message = spare_take(spares);
    if (message == NULL) message = malloc(WIRE_HEADER + CODEC_PLAIN_MAX);
    if (message == NULL) return no_memory(CODEC_QIPC);
    memset(message, 0, WIRE_HEADER);
    message[0] = 1;
    memcpy(message + WIRE_HEADER, plain, size);
    wire_compress(message, WIRE_HEADER + size, out, out_size);
    if (!spare_give(spares, message)) free(message);
    return E_OK;
}

static Err qipc_inflate(const u8 *stored, u64 size, u8 *plain, u64 plain_size)
{
    static const u8 head[4] = {1, 0, 1, 0};
    Arena a = {0};
    u8 *message = NULL;
    u64 message_size = 0;
    if (size < QIPC_HEAD || memcmp(stored, head, sizeof head) != 0 ||
        load_u32(stored + 4) != size || load_u32(stored + 8) != plain_size + WIRE_HEADER)
        return damaged(CODEC_QIPC, "has a wrong header");
    Err err = wire_inflate(stored, size, plain_size + WIRE_HEADER, &a, &message, &message_size);
    if (err == E_OK) memcpy(plain, message + WIRE_HEADER, plain_size);
    arena_free(&a);
    return err;
}

/* ---- gzip */

static void gzip_free(z_stream *z)
{
    (void)deflateEnd(z);
    free(z);
}

/* A stream of a level that is as good as new; NULL when there is no memory. */
static z_stream *gzip_stream(Spares spares, int level)
{
    z_stream *z = spare_take(spares);
    if (z != NULL) {
        int code = deflateReset(z);
        ASSERT(code == Z_OK);
        return z;
    }
    z = malloc(sizeof *z);
    if (z == NULL) return NULL;
    *z = (z_stream){0};
    if (deflateInit(z, level) == Z_OK) return z;
    free(z);
    return NULL;
}

/* What compress2 does, with a stream that is kept: its tables are 256 KiB. */
static Err gzip_deflate(int level, const u8 *plain, u64 size, u8 *out, u64 *out_size)
{
    static Spares spares[GZIP_LEVELS];
    ASSERT(level >= 0 && level < GZIP_LEVELS);
    z_stream *z = gzip_stream(spares[level], level);
    if (z == NULL) return no_memory(CODEC_GZIP);
    z->next_in = (Bytef *)(uintptr_t)plain;
    z->avail_in = (uInt)size;
    z->next_out = out;
    z->avail_out = (uInt)codec_room(CODEC_GZIP, size);
    int code = deflate(z, Z_FINISH);
    ASSERT(code == Z_STREAM_END);
    *out_size = z->total_out;
    if (!spare_give(spares[level], z)) gzip_free(z);
    return E_OK;
}

static Err gzip_inflate(const u8 *stored, u64 size, u8 *plain, u64 plain_size)
{
    static Spares spares;
    struct libdeflate_decompressor *d = spare_take(spares);
    size_t used = 0;
    if (d == NULL) d = libdeflate_alloc_decompressor();
    if (d == NULL) return no_memory(CODEC_GZIP);
    enum libdeflate_result result =
        libdeflate_zlib_decompress_ex(d, stored, size, plain, plain_size, &used, NULL);
    if (!spare_give(spares, d)) libdeflate_free_decompressor(d);
    switch (result) {
    case LIBDEFLATE_SUCCESS: break;
    case LIBDEFLATE_SHORT_OUTPUT: return damaged(CODEC_GZIP, "is too short");
    case LIBDEFLATE_INSUFFICIENT_SPACE: return damaged(CODEC_GZIP, "is too long");
    default: return damaged(CODEC_GZIP, "is damaged");
    }
    return used == size ? E_OK : damaged(CODEC_GZIP, "ends before its stored bytes do");
}

/* ---- snappy */

static Err snappy_deflate(const u8 *plain, u64 size, u8 *out, u64 *out_size)
{
    size_t room = codec_room(CODEC_SNAPPY, size);
    snappy_status code = snappy_compress((const char *)plain, size, (char *)out, &room);
    ASSERT(code == SNAPPY_OK);
    *out_size = room;
    return E_OK;
}

static Err snappy_inflate(const u8 *stored, u64 size, u8 *plain, u64 plain_size)
{
    size_t named = 0;
    const char *from = (const char *)stored;
    if (snappy_uncompressed_length(from, size, &named) != SNAPPY_OK || named != plain_size)
        return damaged(CODEC_SNAPPY, "names another plain size");
    if (snappy_uncompress(from, size, (char *)plain, &named) != SNAPPY_OK || named != plain_size)
        return damaged(CODEC_SNAPPY, "is damaged");
    return E_OK;
}

/* ---- lz4hc */

static Err lz4_deflate(int level, const u8 *plain, u64 size, u8 *out, u64 *out_size)
{
    static Spares spares;
    void *state = spare_take(spares);
    if (state == NULL) state = malloc((size_t)LZ4_sizeofStateHC());
    if (state == NULL) return no_memory(CODEC_LZ4HC);
    int done = LZ4_compress_HC_extStateHC(state, (const char *)plain, (char *)out, (int)size,
                                          (int)codec_room(CODEC_LZ4HC, size), level);
    if (!spare_give(spares, state)) free(state);
    ASSERT(done > 0);
    *out_size = (u64)done;
    return E_OK;
}

static Err lz4_inflate(const u8 *stored, u64 size, u8 *plain, u64 plain_size)
{
    int done = LZ4_decompress_safe((const char *)stored, (char *)plain, (int)size, (int)plain_size);
    return done >= 0 && (u64)done == plain_size ? E_OK : damaged(CODEC_LZ4HC, "is damaged");
}

/* ---- zstd */

static Err zstd_deflate(int level, const u8 *plain, u64 size, u8 *out, u64 *out_size)
{
    static Spares spares;
    ZSTD_CCtx *context = spare_take(spares);
    if (context == NULL) context = ZSTD_createCCtx();
    if (context == NULL) return no_memory(CODEC_ZSTD);
    size_t done = ZSTD_compressCCtx(context, out, codec_room(CODEC_ZSTD, size), plain, size, level);
    if (!spare_give(spares, context)) ZSTD_freeCCtx(context);
    if (ZSTD_isError(done)) return no_memory(CODEC_ZSTD);
    *out_size = done;
    return E_OK;
}

static Err zstd_inflate(const u8 *stored, u64 size, u8 *plain, u64 plain_size)
{
    static Spares spares;
    unsigned long long named = ZSTD_getFrameContentSize(stored, size);
    if (named == ZSTD_CONTENTSIZE_ERROR ||
        (named != ZSTD_CONTENTSIZE_UNKNOWN && named != plain_size))
        return damaged(CODEC_ZSTD, "names another plain size");
    ZSTD_DCtx *context = spare_take(spares);
    if (context == NULL) context = ZSTD_createDCtx();
    if (context == NULL) return no_memory(CODEC_ZSTD);
    size_t done = ZSTD_decompressDCtx(context, plain, plain_size, stored, size);
    if (!spare_give(spares, context)) ZSTD_freeDCtx(context);
    return !ZSTD_isError(done) && done == plain_size ? E_OK : damaged(CODEC_ZSTD, "is damaged");
}

/* ---- all of them */

u64 codec_room(int codec, u64 size)
{
    ASSERT(size <= CODEC_PLAIN_MAX);
    switch (codec) {
    case CODEC_QIPC: return (size + WIRE_HEADER) / 2;
    case CODEC_GZIP: return compressBound(size);
    case CODEC_SNAPPY: return snappy_max_compressed_length(size);
    case CODEC_LZ4HC: return (u64)LZ4_compressBound((int)size);
    case CODEC_ZSTD: return ZSTD_compressBound(size);
    default: return size;
    }
}

Err codec_deflate(int codec, int level, const u8 *plain, u64 size, u8 *out, u64 *out_size)
{
    Err err = E_OK;
    ASSERT(size > 0 && size <= CODEC_PLAIN_MAX);
    *out_size = 0;
    switch (codec) {
    case CODEC_NONE: return E_OK;
    case CODEC_QIPC: return qipc_deflate(plain, size, out, out_size);
    case CODEC_GZIP: err = gzip_deflate(level, plain, size, out, out_size); break;
    case CODEC_SNAPPY: err = snappy_deflate(plain, size, out, out_size); break;
    case CODEC_LZ4HC: err = lz4_deflate(level, plain, size, out, out_size); break;
    case CODEC_ZSTD: err = zstd_deflate(level, plain, size, out, out_size); break;
    default: return codec_check(codec, level);
    }
    if (err == E_OK && *out_size >= size) *out_size = 0;
    return err;
}

/* Deflate: at most 258 bytes a pair of one-bit codes. Snappy: 64 bytes a copy of two bytes or more.
 * LZ4: 255 bytes a length byte, and a last token. Zstd: a block of one repeated byte takes four
 * bytes and yields up to 128 KiB. */
u64 codec_yield_max(int codec, u64 size)
{
    switch (codec) {
    case CODEC_NONE: return size;
    case CODEC_QIPC:
        return size < QIPC_HEAD ? 0 : ((size - QIPC_HEAD) / QIPC_GROUP + 1) * QIPC_YIELD;
    case CODEC_GZIP: return size * 1032;
    case CODEC_SNAPPY: return size * 32;
    case CODEC_LZ4HC: return (size + 1) * 255;
    case CODEC_ZSTD: return size * (32u << 10);
    default: return 0;
    }
}

Err codec_inflate(int codec, const u8 *stored, u64 size, u8 *plain, u64 plain_size)
{
    ASSERT(plain_size > 0 && plain_size <= CODEC_PLAIN_MAX);
    if (plain_size > codec_yield_max(codec, size) || size > 2ull * CODEC_PLAIN_MAX)
        return damaged(codec, "cannot hold its plain bytes");
    switch (codec) {
    case CODEC_NONE:
        if (size != plain_size) return damaged(codec, "has another size than its plain bytes");
        memcpy(plain, stored, size);
        return E_OK;
    case CODEC_QIPC: return qipc_inflate(stored, size, plain, plain_size);
    case CODEC_GZIP: return gzip_inflate(stored, size, plain, plain_size);
    case CODEC_SNAPPY: return snappy_inflate(stored, size, plain, plain_size);
    case CODEC_LZ4HC: return lz4_inflate(stored, size, plain, plain_size);
    default: return zstd_inflate(stored, size, plain, plain_size);
    }
}
