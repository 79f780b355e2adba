/*
 * arena: blocks in a chain, newest first; memory is handed out from the head block.
 *
 * A request too large for the next regular block gets a block of its own, linked behind the head so
 * that the room left in the head is not lost. Large blocks come from calloc, whose pages the kernel
 * clears on first touch; small pieces are cleared here, as a reset block is dirty.
 *
 * Invariants: 1. every piece is 16-byte aligned; 2. used <= size in each block; 3. `reserved` is
 * the sum of the sizes of all blocks.
 */
#include "base/arena.h"
#include "base/bounds.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_ALIGN       16
#define ARENA_BLOCK_FIRST 4096u
#define ARENA_BLOCK_LAST  (1u << 20)

struct ArenaBlock {
    _Alignas(ARENA_ALIGN) ArenaBlock *next; /* older */
    u64 size;                               /* bytes behind this head */
    u64 used;
};

_Static_assert(sizeof(ArenaBlock) % ARENA_ALIGN == 0, "pieces stay aligned");

static ArenaBlock *block_make(Arena *a, u64 size, bool clear)
{
    u64 all = sizeof(ArenaBlock) + size;
    ArenaBlock *b = clear ? calloc(1, all) : malloc(all);
    if (!b) return NULL;
    *b = (ArenaBlock){.size = size};
    a->reserved += size;
    return b;
}

static void *piece_of(Arena *a, ArenaBlock *b, u64 size)
{
    ASSERT(b->used + size <= b->size);
    u8 *piece = (u8 *)(b + 1) + b->used;
    b->used += size;
    a->used += size;
    return piece;
}

/* NULL when the system has no memory. */
static void *take(Arena *a, u64 size, bool clear)
{
    ASSERT(size < 1ull << 60);
    size = round_up(MAX(size, 1), ARENA_ALIGN);
    ArenaBlock *head = a->head;
    if (head && size <= head->size - head->used) {
        void *piece = piece_of(a, head, size);
        return clear ? memset(piece, 0, size) : piece;
    }
    u64 next = head ? MIN(MAX(head->size, ARENA_BLOCK_FIRST / 2) * 2, ARENA_BLOCK_LAST)
                    : ARENA_BLOCK_FIRST;
    bool own = size > ARENA_BLOCK_LAST / 4;
    while (!own && next < size)
        next *= 2;
    ArenaBlock *b = block_make(a, own ? size : next, own && clear);
    if (!b) return NULL;
    if (own && head) {
        b->next = head->next;
        head->next = b;
    } else {
        b->next = head;
        a->head = b;
    }
    void *piece = piece_of(a, b, size);
    return clear && !own ? memset(piece, 0, size) : piece;
}

void *arena_alloc(Arena *a, u64 size)
{
    void *piece = take(a, size, true);
    ASSERT(piece && "memory is gone");
    return piece;
}

void *arena_raw(Arena *a, u64 size)
{
    void *piece = take(a, size, false);
    ASSERT(piece && "memory is gone");
    return piece;
}

static Err try_take(Arena *a, u64 count, u64 width, bool clear, void **out)
{
    u64 size = 0, size_max = a->size_max ? a->size_max : ARENA_SIZE_MAX;
    *out = NULL;
    bool wide = __builtin_mul_overflow(count, width, &size);
    if (wide || size > size_max || a->used > size_max - size)
        return fail(E_LIMIT, "%llu items of %llu bytes: more than the limit of %llu bytes",
                    (unsigned long long)count, (unsigned long long)width,
                    (unsigned long long)size_max);
    *out = take(a, size, clear);
    if (!*out) return fail(E_MEMORY, "no memory for %llu bytes", (unsigned long long)size);
    return E_OK;
}

Err arena_try(Arena *a, u64 count, u64 width, void **out)
{
    return try_take(a, count, width, true, out);
}

Err arena_try_raw(Arena *a, u64 count, u64 width, void **out)
{
    return try_take(a, count, width, false, out);
}

char *arena_text(Arena *a, const char *text, u64 size)
{
    char *copy = arena_raw(a, size + 1);
    if (size) memcpy(copy, text, size);
    copy[size] = 0;
    return copy;
}

char *arena_format(Arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(size >= 0);
    char *text = arena_raw(a, (u64)size + 1);
    vsnprintf(text, (u64)size + 1, format, again);
    va_end(again);
    return text;
}

/* Frees the chain from `b` to its end, but spares the last block when it is small enough to
 * keep. */
static ArenaBlock *blocks_free(ArenaBlock *b, u64 keep_max)
{
    while (b) {
        ArenaBlock *next = b->next;
        if (!next && b->size <= keep_max) return b;
        free(b);
        b = next;
    }
    return NULL;
}

void arena_reset(Arena *a)
{
    a->head = blocks_free(a->head, ARENA_BLOCK_LAST);
    a->used = 0;
    a->reserved = a->head ? a->head->size : 0;
    if (a->head) a->head->used = 0;
}

void arena_free(Arena *a)
{
    blocks_free(a->head, 0);
    a->head = NULL;
    a->used = a->reserved = 0;
}
