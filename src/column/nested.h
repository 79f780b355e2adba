/*
 * nested: the items of a list column's heap (anymap, kdb-files.md 6.2): one reference to its
 * elements, and elements to an item and its reference. Private to column/; mixed.h has the items
 * that are no vectors.
 */
#ifndef COLUMN_NESTED_H
#define COLUMN_NESTED_H

#include "base/buf.h"
#include "base/map.h"
#include "column/block_out.h"
#include "q/vec.h"

#define NESTED_OFFSET  ((1ull << 56) - 1) /* the bits of a reference that are an offset */
#define NESTED_FLAG    (1ull << 56)       /* set for packed items, tables and dictionaries */
#define NESTED_PACKED  95                 /* bytes of elements that are packed, at most */
#define NESTED_OBJECT  16                 /* bytes of an object's header */
#define NESTED_LOOK    22                 /* bytes of an item that nested_find reads at most */
#define NESTED_SYM     (-1)               /* domain of an enumeration: `sym` */
#define NESTED_UNKNOWN (-2)               /* and one that cannot be known */

/* An item seen in place. */
typedef struct {
    int type;             /* 1..19, QT_SYMBOL (i32 positions among the column's names), QT_ENUM (i64
                             indices), QT_NESTED (a list: count references), QT_TABLE, QT_DICT (two
                             references: names or keys, columns or values) */
    bool atom;            /* one element that is no vector */
    bool object;          /* it has a header and stands at a multiple of 16 */
    const void *elements; /* borrowed from the heap, unaligned when packed */
    u64 count;
    u64 size; /* bytes from the reference to the end of the elements, and their last word */
} NestedItem;

/* Looks up a reference in the heap's data (behind its header page), reading NESTED_LOOK bytes there
 * at most. E_CORRUPT when it leads outside or to bytes that are no item. */
MUST_USE Err nested_find(const u8 *heap, u64 size, u64 reference, NestedItem *item);

/* The domain of an enumeration: the position of its name among the column's names, or NESTED_*. */
i64 nested_domain(const NestedItem *item);

/* Bytes of an element in the heap: 4 for symbols, 8 for enumerations and references. */
u32 nested_width(int type);

/* A list column being written. A zeroed one with both files set is ready. */
typedef struct {
    BlockOut *parent, *heap;
    u64 at;        /* bytes of heap data */
    Map positions; /* symbol ids to positions among the names */
    Buf names;     /* each closed by a NUL */
    u64 name_count;
} NestedOut;

/* Gives the memory for names back; idempotent. */
void nested_free(NestedOut *out);

/* Appends one vector to the heap and its reference to the parent. Type QT_ENUM: elements are symbol
 * ids, which go out as symbols. */
MUST_USE Err nested_put(NestedOut *out, int type, const void *elements, u64 count);

/* The same for rows at[0..count) of a nested vector (NULL = rows from, from + 1, ...): many at
 * once. */
MUST_USE Err nested_put_rows(NestedOut *out, const Vec *v, const u32 *rows, u64 from, u64 count);

/* Appends bytes that hold whole items to the heap, and the reference of one of them to the
 * parent. */
MUST_USE Err nested_put_built(NestedOut *out, const Buf *items, u64 reference);

/* The positions of symbols among the column's names, added when new. */
MUST_USE Err nested_positions(NestedOut *out, const i32 *ids, u64 count, i32 *positions);

/* Appends a vector's item to a buffer whose first byte will stand at heap offset `base`, and
 * returns its reference. Symbols come as positions, type QT_SYMBOL. */
MUST_USE Err nested_build(Buf *b, u64 base, int type, const void *elements, u64 count,
                          u64 *reference);

/* Appends an object's header and room for its elements at a multiple of 16; *at = its offset in the
 * heap. */
MUST_USE Err nested_build_object(Buf *b, u64 base, int type, u64 count, u64 bytes, u64 *at);

#endif
