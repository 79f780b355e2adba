/*
 * block: the directory of a compressed file (kdb-files.md 7.1), and its blocks one by one.
 *
 * A BlockMap borrows the file's bytes. After block_open any thread may inflate any block.
 */
#ifndef COLUMN_BLOCK_H
#define COLUMN_BLOCK_H

#include "base/fail.h"
#include "base/types.h"

#define BLOCK_MAGIC      "kxzipped" /* the first eight bytes of a compressed file */
#define BLOCK_MAGIC_SIZE 8
#define BLOCK_LOG2_MIN   12 /* a block holds 2^12 to 2^20 plain bytes */
#define BLOCK_LOG2_MAX   20
#define BLOCK_TRAILER    40 /* bytes of a trailer without its directory */
#define BLOCK_ENTRY      8  /* bytes of a directory entry */

typedef struct {
    const u8 *file, *directory; /* borrowed */
    u64 *places;                /* count + 1: where each block begins in the file */
    u64 count, size;            /* blocks; plain bytes of all of them */
    u32 block_size;             /* plain bytes of every block but the last */
    u8 version, codec, level;   /* as the trailer has them: what was asked for */
} BlockMap;

/* Whether bytes begin as a compressed file does; an encrypted one is none. */
bool block_is_container(const u8 *data, u64 size);

/* Reads and checks trailer and directory: every length, every block's codec, and that no block
 * promises more than its stored bytes can yield. E_CORRUPT names the rule ("bad meta data"),
 * E_UNSUPPORTED a version or codec that we do not know. */
MUST_USE Err block_open(BlockMap *b, const u8 *data, u64 size, const char *path);

/* Frees the places; idempotent. */
void block_close(BlockMap *b);

/* Plain bytes of a block. */
u64 block_plain_size(const BlockMap *b, u64 i);

/* Inflates a block into block_plain_size bytes; E_CORRUPT names the block. */
MUST_USE Err block_inflate(const BlockMap *b, u64 i, u8 *out, const char *path);

#endif
