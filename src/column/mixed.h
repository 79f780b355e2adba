/*
 * mixed: items of any kind in the heap of an anymap column (kdb-files.md 6.2): atoms, vectors,
 * lists, dictionaries and tables, to values and back. Private to column/.
 */
#ifndef COLUMN_MIXED_H
#define COLUMN_MIXED_H

#include "column/domain.h"
#include "column/image.h"
#include "column/nested.h"
#include "q/value.h"

/* A heap to read from. */
typedef struct {
    const Image *image; /* of the heap's file; what is visited stays needed */
    u64 data_at;        /* where the heap's data begins in it */
    const i32 *names;   /* symbol ids of the column's names */
    u64 name_count;
    const DomainSet *domains; /* NULL = none are known */
} MixedHeap;

/* The value at a reference: symbols are QT_SYMBOL, enumerations of a known domain QT_ENUM (symbol
 * ids), of another QT_LONG indices. Vectors borrow from the heap where they are aligned, all else
 * is in the arena. E_CORRUPT when the heap is damaged, refers to itself or holds too little for
 * what it promises. */
MUST_USE Err mixed_decode(const MixedHeap *h, u64 reference, Arena *a, Value *v);

/* Appends a value as one row: to the heap, and its reference to the parent. E_UNSUPPORTED for
 * functions and ::. Enumerations go out as symbols. */
MUST_USE Err mixed_put(NestedOut *out, const Value *v);

#endif
