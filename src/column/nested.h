/*
 * nested: the items of a list column's heap (anymap, kdb-files.md 6.2): one reference to its
 * elements, and elements to an item and its reference. Private to column/.
 */
#ifndef COLUMN_NESTED_H
#define COLUMN_NESTED_H

#include "base/fail.h"
#include "os/file.h"
#include "q/vec.h"

/* An item seen in place. */
typedef struct {
    int type;             /* 1..19: a vector, or an atom as a vector of one; else see nested_find */
    const void *elements; /* borrowed from the heap, unaligned when packed */
    u64 count;
} NestedItem;

/* Looks up a reference in the heap's data (behind its header page). E_CORRUPT when it leads outside
 * or to bytes that are no item; E_UNSUPPORTED for symbols, enumerations, lists, tables and
 * dictionaries. */
MUST_USE Err nested_find(const u8 *heap, u64 size, u64 reference, NestedItem *item);

/* Appends one vector of a fixed type to the heap and its reference to the parent. `heap_at` is the
 * size of the heap's data, which is moved on. */
MUST_USE Err nested_put(FileOut *parent, FileOut *heap, u64 *heap_at, int type,
                        const void *elements, u64 count);

/* The same for rows at[0..count) of a nested vector (NULL = rows from, from + 1, ...): many at
 * once. */
MUST_USE Err nested_put_rows(FileOut *parent, FileOut *heap, u64 *heap_at, const Vec *v,
                             const u32 *rows, u64 from, u64 count);

#endif
