/*
 * sum: checksums of a file: its size, the CRC-32C of each MiB, and of the whole (R16). Gathered
 * from the bytes as they go by; and a list of them by name.
 *
 * A zeroed Sum is that of an empty file not yet ended; so is a zeroed SumList an empty list.
 */
#ifndef BASE_SUM_H
#define BASE_SUM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/str.h"

#define SUM_BLOCK (1u << 20)

typedef struct {
    u64 size;   /* bytes so far */
    u32 crc;    /* of the full blocks; after sum_end of all bytes */
    u32 block;  /* of the block that is not full */
    Buf blocks; /* u32 each: of the full blocks; after sum_end of all */
} Sum;

/* Adds bytes behind those before. */
MUST_USE Err sum_add(Sum *s, const void *data, u64 size);

/* Completes it; nothing is added afterwards. */
MUST_USE Err sum_end(Sum *s);

/* Completed: bytes up to `end` <= SUM_BLOCK were replaced; `was` and `is` are their CRCs before and
 * after. */
void sum_patch(Sum *s, u64 end, u32 was, u32 is);

/* The number of blocks of a completed sum, and the CRC of one. */
u64 sum_count(const Sum *s);
u32 sum_block(const Sum *s, u64 i);

/* Frees; idempotent. */
void sum_free(Sum *s);

/* The sums of one file in a list. */
typedef struct {
    const char *name; /* relative to what the list is of: "trade/price" */
    u64 size;
    u32 crc;
    u32 *blocks; /* (size + SUM_BLOCK - 1) / SUM_BLOCK of them */
} SumFile;

typedef struct {
    SumFile *files;
    u32 count, room;
    Arena memory;
} SumList;

/* Adds a completed sum under the name `folder`/`file`. */
MUST_USE Err sum_list_put(SumList *l, const char *folder, const char *file, const Sum *s);

/* Adds copies of entries: all of them, or those below `folder`. */
MUST_USE Err sum_list_join(SumList *l, const SumList *from, const char *folder);

/* The entry of a name, or NULL. */
const SumFile *sum_list_find(const SumList *l, Str name);

/* Sorts by name, so that equal contents give equal lists. */
void sum_list_sort(SumList *l);

/* Frees; idempotent. */
void sum_list_free(SumList *l);

#endif
