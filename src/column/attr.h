/*
 * attr: the index payload of parted, grouped and unique columns (kdb-files.md section 5): build,
 * find, check.
 */
#ifndef COLUMN_ATTR_H
#define COLUMN_ATTR_H

#include "base/buf.h"
#include "column/column.h"

/* Appends the payload of a parted vector with `count` runs: W (when `wide`), K, O. `keys` are the
 * run values (width 8 when wide, else 4), offs the count + 1 row offsets. */
MUST_USE Err attr_build_parted(Buf *b, const void *keys, const i64 *offs, u64 count, bool wide);

/* Appends the payload of a grouped vector: as parted with offsets into P, then P. `rows` are the
 * elements (wide: i64 indices, else i32). */
MUST_USE Err attr_build_grouped(Buf *b, const void *rows, u64 row_count, bool wide);

/* Parses the payload behind the data of an open column and fills keys, offs, slots, perm; E_CORRUPT
 * names the rule. Checks bounds only: sizes, counts, offsets ascending and within rows. */
MUST_USE Err attr_open(Column *c, const u8 *payload, u64 size);

/* The rule that this thread's last failed attr_open named; text that lives for ever. */
const char *attr_damage(void);

/* Whether `count` elements of a plain type ascend, the element `last` before them included (NULL =
 * they are the first). Nulls are smallest. False for guids, whose order is not documented. */
bool attr_ascends(int type, const u8 *elements, u64 count, const u8 *last);

/* The rows of a value in a parted column: [*from, *to), empty when it does not occur. By the hash
 * slots of the file, verified against the keys; a damaged table falls back to scanning the keys. */
void attr_find(const Column *c, i64 index, u64 *from, u64 *to);

/* Checks everything: that the index is sound, each hash slot, each run's rows, distinct keys, the
 * permutation, and that rows of a plain sorted vector ascend. For `silt check`; all rows must be
 * readable. */
MUST_USE Err attr_check(const Column *c);

#endif
