/*
 * cell: values of a mixed column on their way in: objects of a message, and JSON values. Private to
 * table/.
 *
 * A cell is kept as the bytes of one q IPC object in the one form that equal values have: without
 * attributes, atoms of one type as a vector. So a row is the same from memory and from disk.
 */
#ifndef TABLE_CELL_H
#define TABLE_CELL_H

#include "q/value.h"
#include "table/item.h"

/* Looks at the object at `p` as a mixed column (`column`), whose rows are its elements, or as the
 * cell of one row. Returns NULL, or why it cannot be kept. The bytes were validated
 * (wire_check). */
const char *cell_scan(const u8 *p, u64 left, bool column, Item *item);

/* Appends the rows of a scanned item to a vector of type QT_NESTED; E_MEMORY, E_LIMIT. */
MUST_USE Err cell_append(const Item *item, Vec *v);

/* Appends a value that came as JSON: numbers of an array become one type, null becomes `()` (which
 * is done in place). E_TYPE when it is larger or nested deeper than a cell may be. */
MUST_USE Err cell_append_value(const Value *value, Vec *v);

#endif
