/*
 * block_out: writing files that may be compressed.
 *
 * Not compressed, everything is passed on to a FileOut. Compressed, plain bytes gather in `plain`:
 *
 *     | block | block | ... | rest |          room: at least two blocks and BLOCK_OUT_ROOM_MAX
 *       waiting: compressed together, by all cores, when the room is used up or the caller asks
 *
 * The waiting blocks are compressed into `scratch`, one slot each, and appended in order to the
 * FileOut; the directory gathers in memory. At the end the trailer follows (block.c shows it).
 *
 * The head of a column (count, attribute) is known only at the end, and it stands in block 0, whose
 * stored size decides where all others stand. So block 0 is kept as it was compressed (`first`). A
 * writer that can foretell its head writes it at once and block 0 comes out right; a patch that
 * changes it afterwards makes block 0 be compressed again when the file ends, and what follows is
 * moved if its size changed. Small files, whose block 0 still waits, know nothing of this. In every
 * case the bytes are those that one pass over the finished plain file would give.
 *
 * Room and scratch are handed from one file to the next through a few slots that threads swap
 * pointers with: fresh pages would be faulted in and cleared again for every column.
 *
 * States of compressing: idle -> block_out_begin -> each block deflated -> block_out_flush ->
 * idle. */
#include "column/block_out.h"

#include "base/buf.h"
#include "base/crc.h"
#include "column/block.h"
#include "os/pool.h"
#include "os/proc.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PATCH_MAX    4096
#define PLAIN_MIN    (1u << 20)
#define PLAIN_BLOCKS 32 /* blocks that wait at most, for machines of many cores */
#define MOVE_PIECE   (1u << 20)
#define SPARE_SLOTS  8
#define SPARE_HEAD   64 /* bytes of a spare one's size */
#define VERSION      3

struct BlockOut {
    FileOut *file;
    char *path;
    CodecChoice codec;
    u32 block_size;
    u8 *memory; /* plain, then scratch */
    u8 *plain;
    u64 filled, room; /* bytes of `plain` */
    u64 before;       /* plain bytes that were compressed and appended */
    u8 *first;        /* plain bytes of block 0 once it was appended */
    u32 first_size;
    u32 first_crc; /* of block 0 as it was stored */
    Sum *sum;      /* NULL = nobody wants it */
    bool patched;  /* `first` differs from what the file holds */
    Buf directory;
    u64 stored; /* bytes of all blocks appended */
    u64 busy;   /* blocks between begin and flush */
    u64 slot;   /* bytes of scratch for each */
    u8 *scratch;
    u64 *sizes; /* of each, 0 = raw */
};

/* ---- memory of files that were closed, its size in its first bytes */

static _Atomic(u64 *) spares[SPARE_SLOTS];

/* At least `size` bytes, and not much more; NULL when there are none. */
static u8 *take_memory(u64 size)
{
    for (u32 i = 0; i < SPARE_SLOTS; i++) {
        if (atomic_load_explicit(&spares[i], memory_order_relaxed) == NULL) continue;
        u64 *p = atomic_exchange(&spares[i], NULL);
        if (p == NULL) continue;
        if (p[0] >= size && p[0] / 2 <= size) return (u8 *)p;
        free(p);
    }
    u64 *fresh = malloc(size);
    if (fresh != NULL) fresh[0] = size;
    return (u8 *)fresh;
}

static void give_memory(u8 *memory)
{
    for (u32 i = 0; i < SPARE_SLOTS && memory != NULL; i++) {
        u64 *none = NULL;
        if (atomic_compare_exchange_strong(&spares[i], &none, (u64 *)(void *)memory)) return;
    }
    free(memory);
}

static bool is_zipped(const BlockOut *out) { return out->codec.codec != CODEC_NONE; }

Err block_out_check(const CodecChoice *codec)
{
    Err err = codec_check(codec->codec, codec->level);
    if (err != E_OK || codec->codec == CODEC_NONE) return err;
    if (codec->block_log2 >= BLOCK_LOG2_MIN && codec->block_log2 <= BLOCK_LOG2_MAX) return E_OK;
    return fail(E_USAGE, "a compressed block of 2^%d bytes: 2^%d to 2^%d are allowed",
                codec->block_log2, BLOCK_LOG2_MIN, BLOCK_LOG2_MAX);
}

static Err no_memory(const BlockOut *out)
{
    return fail(E_MEMORY, "%s: no memory to write it", out->path);
}

Err block_out_open(BlockOut **result, const char *path, u64 size_hint)
{
    Err err = E_OK;
    BlockOut *out = calloc(1, sizeof *out);
    *result = NULL;
    if (out == NULL) return fail(E_MEMORY, "%s: no memory to write it", path);
    out->path = strdup(path);
    if (out->path == NULL) TRY(fail(E_MEMORY, "%s: no memory to write it", path));
    TRY(file_out_open(&out->file, path, size_hint));
    *result = out;
    out = NULL;
done:
    block_out_drop(out);
    return err;
}

void block_out_sum(BlockOut *out, Sum *sum)
{
    out->sum = sum;
    file_out_sum(out->file, sum);
}

Err block_out_codec(BlockOut *out, const CodecChoice *codec)
{
    ASSERT(block_out_size(out) == 0 && !is_zipped(out));
    Err err = block_out_check(codec);
    if (err != E_OK || codec->codec == CODEC_NONE) return err;
    u64 size = 1u << codec->block_log2, blocks = MIN((u64)proc_cpus(), PLAIN_BLOCKS);
    u64 room = MAX(MAX(blocks, 2) * size, PLAIN_MIN) + size + BLOCK_OUT_ROOM_MAX;
    u64 most = room / size + 1, slot = round_up(codec_room(codec->codec, size), 64);
    out->sizes = malloc(most * sizeof *out->sizes);
    out->memory = take_memory(SPARE_HEAD + room + most * slot);
    if (out->memory == NULL || out->sizes == NULL) return no_memory(out);
    out->plain = out->memory + SPARE_HEAD;
    out->scratch = out->plain + room;
    out->slot = slot;
    out->codec = *codec;
    out->block_size = (u32)size;
    out->room = room;
    return file_out_write(out->file, BLOCK_MAGIC, BLOCK_MAGIC_SIZE);
}

/* ---- compressing what waits */

u64 block_out_waiting(BlockOut *out, bool last)
{
    if (!is_zipped(out)) return 0;
    u64 rest = out->filled % out->block_size;
    return out->filled / out->block_size + (last && rest > 0);
}

bool block_out_is_full(const BlockOut *out)
{
    return is_zipped(out) && out->filled + PLAIN_MIN / 2 > out->room;
}

void block_out_begin(BlockOut *out, bool last)
{
    ASSERT(out->busy == 0);
    out->busy = block_out_waiting(out, last);
}

static u64 waiting_size(const BlockOut *out, u64 i)
{
    return MIN(out->block_size, out->filled - i * out->block_size);
}

Err block_out_deflate(BlockOut *out, u64 i)
{
    ASSERT(i < out->busy);
    return codec_deflate(out->codec.codec, out->codec.level, out->plain + i * out->block_size,
                         waiting_size(out, i), out->scratch + i * out->slot, &out->sizes[i]);
}

/* Notes a block in the directory: its stored size, 0 = raw. */
static Err note_block(BlockOut *out, u64 stored, u64 plain)
{
    u8 entry[BLOCK_ENTRY];
    store_u32(entry, (u32)(stored > 0 ? stored : plain));
    store_u32(entry + 4, stored > 0 ? (u32)out->codec.codec : CODEC_NONE);
    out->stored += stored > 0 ? stored : plain;
    return buf_append(&out->directory, entry, sizeof entry);
}

/* Keeps the plain bytes of block 0 for a later patch. */
static Err keep_first(BlockOut *out)
{
    out->first_size = (u32)waiting_size(out, 0);
    out->first = malloc(out->first_size);
    if (out->first == NULL) return no_memory(out);
    memcpy(out->first, out->plain, out->first_size);
    return E_OK;
}

Err block_out_flush(BlockOut *out)
{
    Err err = E_OK;
    u64 used = 0;
    if (out->busy == 0) return E_OK;
    if (out->before == 0) TRY(keep_first(out));
    for (u64 i = 0; i < out->busy; i++) {
        u64 plain = waiting_size(out, i), stored = out->sizes[i];
        const u8 *from = stored > 0 ? out->scratch + i * out->slot : out->plain + used;
        if (out->before == 0 && i == 0)
            out->first_crc = crc_32c(0, from, stored > 0 ? stored : plain);
        TRY(file_out_write(out->file, from, stored > 0 ? stored : plain));
        TRY(note_block(out, stored, plain));
        used += plain;
    }
    out->before += used;
    out->filled -= used;
    memmove(out->plain, out->plain + used, out->filled);
done:
    out->busy = 0;
    return err;
}

static Err deflate_task(void *arg, u64 i) { return block_out_deflate(arg, i); }

static Err compress(BlockOut *out, bool last)
{
    block_out_begin(out, last);
    Err err = pool_run(out->busy, 0, deflate_task, out);
    if (err == E_OK) return block_out_flush(out);
    out->busy = 0;
    return err;
}

/* ---- appending */

Err block_out_write(BlockOut *out, const void *data, u64 size)
{
    const u8 *from = data;
    if (!is_zipped(out)) return file_out_write(out->file, data, size);
    while (size > 0) {
        u64 n = MIN(size, out->room - out->filled);
        memcpy(out->plain + out->filled, from, n);
        out->filled += n;
        from += n;
        size -= n;
        if (out->filled < out->room) continue;
        Err err = compress(out, false);
        if (err != E_OK) return err;
    }
    return E_OK;
}

Err block_out_room(BlockOut *out, u64 size, u8 **place)
{
    ASSERT(size <= BLOCK_OUT_ROOM_MAX);
    if (!is_zipped(out)) return file_out_room(out->file, size, place);
    if (out->room - out->filled < size) {
        Err err = compress(out, false);
        if (err != E_OK) return err;
    }
    *place = out->plain + out->filled;
    return E_OK;
}

void block_out_added(BlockOut *out, u64 size)
{
    if (!is_zipped(out)) {
        file_out_added(out->file, size);
        return;
    }
    ASSERT(size <= out->room - out->filled);
    out->filled += size;
}

u64 block_out_size(const BlockOut *out)
{
    return is_zipped(out) ? out->before + out->filled : file_out_size(out->file);
}

void block_out_patch(BlockOut *out, u64 at, const void *data, u64 size)
{
    ASSERT(at <= PATCH_MAX && size <= PATCH_MAX - at && at + size <= block_out_size(out));
    if (!is_zipped(out)) {
        Err err = file_out_patch(out->file, at, data, size);
        ASSERT(err == E_OK);
        return;
    }
    u8 *to = (out->before > 0 ? out->first : out->plain) + at;
    if (memcmp(to, data, size) == 0) return;
    memcpy(to, data, size);
    out->patched = out->before > 0;
}

/* ---- ending */

static void fill_trailer(const BlockOut *out, u8 head[32], u8 tail[8])
{
    memset(head, 0, 32);
    store_u32(head, VERSION);
    head[4] = (u8)out->codec.codec;
    head[5] = (u8)out->codec.level;
    store_u64(head + 8, out->before);
    store_u64(head + 16, BLOCK_MAGIC_SIZE + out->stored);
    store_u64(head + 24, out->block_size);
    store_u64(tail, out->directory.size / BLOCK_ENTRY);
}

static Err append_trailer(BlockOut *out)
{
    u8 head[32], tail[8];
    fill_trailer(out, head, tail);
    Err err = file_out_write(out->file, head, sizeof head);
    if (err == E_OK) err = file_out_write(out->file, out->directory.data, out->directory.size);
    return err == E_OK ? file_out_write(out->file, tail, sizeof tail) : err;
}

/* Moves the bytes [from, end) of a file to `to`, a piece at a time, from the side that is safe. */
static Err move_bytes(File *f, u64 from, u64 end, u64 to)
{
    Err err = E_OK;
    u64 size = end - from, done = 0;
    u8 *piece = malloc(MOVE_PIECE);
    if (piece == NULL) return fail(E_MEMORY, "%s: no memory to write it", f->path);
    while (done < size) {
        u64 n = MIN(size - done, MOVE_PIECE);
        u64 at = to < from ? done : size - done - n;
        TRY(file_read(f, piece, n, from + at));
        TRY(file_write(f, piece, n, to + at));
        done += n;
    }
done:
    free(piece);
    return err;
}

/* The checksums of a file whose blocks were moved: read back, but held against the CRC that follows
 * from what was meant: `front` of the new first `front_size` bytes, the moved ones (their CRC is
 * what is left of the old file's without its front), and the trailer. */
static Err sum_again(BlockOut *out, const File *f, u32 front, u64 front_size, u64 was, u32 trailer,
                     u64 trailer_size)
{
    Err err = E_OK;
    Sum sum = {0};
    u64 moved_size = out->sum->size - BLOCK_MAGIC_SIZE - was;
    u32 old_front = crc_32c_join(crc_32c(0, BLOCK_MAGIC, BLOCK_MAGIC_SIZE), out->first_crc, was);
    u32 moved = out->sum->crc ^ crc_32c_shift(old_front, moved_size);
    u32 meant = crc_32c_join(crc_32c_join(front, moved, moved_size), trailer, trailer_size);
    u64 size = front_size + moved_size + trailer_size;
    u8 *piece = malloc(MOVE_PIECE);
    if (piece == NULL) TRY(no_memory(out));
    for (u64 at = 0; at < size; at += MOVE_PIECE) {
        u64 n = MIN(MOVE_PIECE, size - at);
        TRY(file_read(f, piece, n, at));
        TRY(sum_add(&sum, piece, n));
    }
    TRY(sum_end(&sum));
    if (sum.crc != meant)
        TRY(fail(E_IO, "%s: what was written is not what stands there", out->path));
    sum_free(out->sum);
    *out->sum = sum;
    sum = (Sum){0};
done:
    free(piece);
    sum_free(&sum);
    return err;
}

/* Compresses the patched block 0 anew and puts it in front of the others, then the trailer. */
static Err mend_first(BlockOut *out, File *f)
{
    Err err = E_OK;
    u8 head[32], tail[8];
    u64 was = load_u32(out->directory.data), end = BLOCK_MAGIC_SIZE + out->stored, size = 0;
    u8 *stored = malloc(codec_room(out->codec.codec, out->first_size));
    if (stored == NULL) TRY(no_memory(out));
    TRY(codec_deflate(out->codec.codec, out->codec.level, out->first, out->first_size, stored,
                      &size));
    u64 now = size > 0 ? size : out->first_size;
    if (now != was) TRY(move_bytes(f, BLOCK_MAGIC_SIZE + was, end, BLOCK_MAGIC_SIZE + now));
    TRY(file_write(f, size > 0 ? stored : out->first, now, BLOCK_MAGIC_SIZE));
    store_u32(out->directory.data, (u32)now);
    store_u32(out->directory.data + 4, size > 0 ? (u32)out->codec.codec : CODEC_NONE);
    out->stored = out->stored - was + now;
    end = BLOCK_MAGIC_SIZE + out->stored;
    u32 front =
        crc_32c(crc_32c(0, BLOCK_MAGIC, BLOCK_MAGIC_SIZE), size > 0 ? stored : out->first, now);
    fill_trailer(out, head, tail);
    u32 trailer = crc_32c(0, head, sizeof head);
    trailer = crc_32c(trailer, out->directory.data, out->directory.size);
    trailer = crc_32c(trailer, tail, sizeof tail);
    TRY(file_write(f, head, sizeof head, end));
    TRY(file_write(f, out->directory.data, out->directory.size, end + sizeof head));
    end += sizeof head + out->directory.size;
    TRY(file_write(f, tail, sizeof tail, end));
    TRY(file_truncate(f, end + sizeof tail));
    if (out->sum != NULL)
        TRY(sum_again(out, f, front, BLOCK_MAGIC_SIZE + now, was, trailer,
                      sizeof head + out->directory.size + sizeof tail));
done:
    free(stored);
    return err;
}

/* Ends a compressed file whose block 0 was stored before its last patch. */
static Err close_patched(BlockOut *out, bool sync, File *keep)
{
    Err err = E_OK;
    File f = FILE_NONE;
    FileOut *file = out->file;
    out->file = NULL;
    TRY(file_out_close(file, false, &f));
    TRY(mend_first(out, &f));
    if (sync) TRY(file_sync(&f));
    if (!sync && keep != NULL) {
        file_flush_start(&f, 0, BLOCK_MAGIC_SIZE + out->stored);
        *keep = f;
        f = FILE_NONE;
    }
    TRY(file_close(&f));
done:
    file_drop(&f);
    return err;
}

Err block_out_close(BlockOut *out, bool sync, File *keep, u64 *bytes)
{
    Err err = E_OK;
    if (keep != NULL) *keep = FILE_NONE;
    if (is_zipped(out)) TRY(compress(out, true));
    if (is_zipped(out)) *bytes = BLOCK_MAGIC_SIZE + BLOCK_TRAILER + out->directory.size;
    if (out->patched) {
        TRY(close_patched(out, sync, keep));
        *bytes += out->stored;
        goto done;
    }
    if (is_zipped(out)) TRY(append_trailer(out));
    *bytes = file_out_size(out->file);
    FileOut *file = out->file;
    out->file = NULL;
    TRY(file_out_close(file, sync, keep));
done:
    block_out_drop(out);
    return err;
}

void block_out_drop(BlockOut *out)
{
    if (out == NULL) return;
    file_out_drop(out->file);
    give_memory(out->memory);
    free(out->sizes);
    buf_free(&out->directory);
    free(out->first);
    free(out->path);
    free(out);
}
