/*
 * block_out: one file being written front to back, plain or as a compressed container of version 3
 * (kdb-files.md 7.1): the same bytes go in, the codec decides what lands on disk.
 *
 * One thread at a time owns a BlockOut, except that block_out_deflate may run for different blocks
 * in several. Memory: the buffer of FileOut, and when compressed one of a few MiB more. Durable
 * only after the caller synced file and folder.
 */
#ifndef COLUMN_BLOCK_OUT_H
#define COLUMN_BLOCK_OUT_H

#include "column/codec.h"
#include "os/file.h"

#define BLOCK_OUT_ROOM_MAX (64u << 10) /* most bytes that block_out_room gives */

typedef struct BlockOut BlockOut;

/* Checks codec, level and block size; E_USAGE names what is wrong. */
MUST_USE Err block_out_check(const CodecChoice *codec);

/* Creates the file; `size_hint` = expected plain bytes (0 unknown). */
MUST_USE Err block_out_open(BlockOut **out, const char *path, u64 size_hint);

/* Asks for the checksums of the file's bytes (not of the plain ones): *sum (zeroed, borrowed) is
 * complete after block_out_close. Before the first byte and before block_out_codec. */
void block_out_sum(BlockOut *out, Sum *sum);

/* Compresses what will be written; before the first byte only. */
MUST_USE Err block_out_codec(BlockOut *out, const CodecChoice *codec);

/* Appends plain bytes. */
MUST_USE Err block_out_write(BlockOut *out, const void *data, u64 size);

/* Gives a place for up to `size` <= BLOCK_OUT_ROOM_MAX bytes; block_out_added counts them. */
MUST_USE Err block_out_room(BlockOut *out, u64 size, u8 **place);
void block_out_added(BlockOut *out, u64 size);

/* Plain bytes appended so far. */
u64 block_out_size(const BlockOut *out);

/* Replaces bytes within the first 4096, at any time before the end. A compressed file whose first
 * block was stored already and differs now has the blocks behind it moved at the end. */
void block_out_patch(BlockOut *out, u64 at, const void *data, u64 size);

/* ---- compressing by many threads: the blocks that wait, all of them, then writing them out */

/* Blocks that wait to be compressed: full ones, and when `last` (nothing will be added or patched)
 * also the rest. 0 when the file is not compressed. */
u64 block_out_waiting(BlockOut *out, bool last);

/* Gets ready to compress them; then block_out_deflate(i) for each i < block_out_waiting, by any
 * thread; then block_out_flush appends them to the file. */
void block_out_begin(BlockOut *out, bool last);
MUST_USE Err block_out_deflate(BlockOut *out, u64 i);
MUST_USE Err block_out_flush(BlockOut *out);

/* Whether so many blocks wait that the next bytes may force this thread to compress them alone. */
bool block_out_is_full(const BlockOut *out);

/* Ends the file as file_out_close does; *bytes = its size on disk. Frees `out` in every case. */
MUST_USE Err block_out_close(BlockOut *out, bool sync, File *keep, u64 *bytes);

/* Gives up on a failure path; NULL is allowed. */
void block_out_drop(BlockOut *out);

#endif
