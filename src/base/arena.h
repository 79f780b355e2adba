/*
 * arena: bump memory with one lifetime (process, connection, request, job).
 *
 * A zeroed Arena is valid and empty. Blocks double from 4 KiB to 1 MiB; larger requests get a block
 * of their own. Memory comes zeroed and 16-byte aligned. Small allocation cannot fail: it aborts.
 * What an outsider sizes goes through arena_try with the arena's ceiling. One thread at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/fail.h"
#include "base/types.h"

typedef struct ArenaBlock ArenaBlock;

typedef struct {
    ArenaBlock *head; /* newest block first */
    u64 used;         /* bytes handed out since init or reset */
    u64 reserved;     /* bytes asked of the system */
    u64 size_max;     /* ceiling for arena_try; 0 = ARENA_SIZE_MAX of bounds.h */
} Arena;

/* Returns `size` zeroed bytes that live until arena_free; aborts when memory is gone. */
void *arena_alloc(Arena *a, u64 size);

/* arena_alloc for sizes that outsiders decide: E_LIMIT above the ceiling, E_MEMORY when the system
 * refuses; *out is then NULL. */
MUST_USE Err arena_try(Arena *a, u64 count, u64 width, void **out);

/* Like arena_try, but the bytes are not cleared: for large arrays that are filled at once. */
MUST_USE Err arena_try_raw(Arena *a, u64 count, u64 width, void **out);

/* Like arena_alloc, but the bytes are not cleared: for buffers that are filled at once. */
void *arena_raw(Arena *a, u64 size);

/* A zero-ended copy of `size` bytes of text. */
char *arena_text(Arena *a, const char *text, u64 size);

/* A zero-ended formatted text. */
char *arena_format(Arena *a, const char *format, ...) PRINTF(2, 3);

/* Gives all blocks but the first back and starts anew; keeps the ceiling. */
void arena_reset(Arena *a);

/* Gives everything back; the arena is then empty and usable again. */
void arena_free(Arena *a);

/* A new array of `n` elements of a type. */
#define arena_array(a, type, n) ((type *)arena_alloc((a), (u64)(n) * sizeof(type)))
#define arena_new(a, type)      arena_array(a, type, 1)

#endif
