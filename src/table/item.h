/*
 * item: one column or cell of a published q object, seen against the type it should have. Private
 * to table/.
 *
 * The hot path of ingest: small inline steps over message bytes, no allocation, no error texts
 * before something is wrong. The bytes were validated (wire_check), yet every length is compared
 * with what is left: it costs nothing.
 */
#ifndef TABLE_ITEM_H
#define TABLE_ITEM_H

#include "base/fail.h"
#include "q/vec.h"

typedef struct {
    const u8 *data; /* first element or name; of a list or a nested cell its first byte, see
                       item_append */
    u64 count;      /* rows */
    u64 size;       /* bytes of the whole object */
    u64 heap;       /* lists: elements of all rows, at most */
    bool cell;      /* one row's value: an atom, or a vector for a nested column */
    bool empty;     /* an empty general list: fits every column without rows, and a nested cell */
    bool large;     /* list columns, why a scan failed: more than BOUND_LIST_MAX bytes in one row */
} Item;

/* Looks at the object at `p` as a column or cell of a schema type other than QT_LIST (cell_scan);
 * false when it is none. */
bool item_scan(const u8 *p, u64 left, int type, Item *item);

/* Appends the rows of a scanned item to a column vector (symbols are interned); lists of symbols to
 * one of type QT_NESTED + QT_ENUM. */
MUST_USE Err item_append(const Item *item, int type, Vec *v);

/* The width of a fixed type below 20, 0 for others: as type_width, from a table of this room. */
u32 item_width(int type);

/* Skips `count` NUL-ended names; NULL when they do not end. */
const u8 *item_skip_names(const u8 *p, const u8 *end, u64 count);

/* What stands at `p`, for error texts: "float vector", "symbol atom", ... */
const char *item_describe(const u8 *p, u64 left, char out[64]);

#endif
