/*
 * sort: stable row order by several columns, and search in ordered columns.
 *
 * Order is q's: null first, then ascending; NaN before -inf; guid and text bytewise. A permutation
 * is an array of u32 row numbers; at most 2^32 - 1 rows.
 */
#ifndef Q_SORT_H
#define Q_SORT_H

#include "base/fail.h"
#include "q/vec.h"

typedef struct {
    int type;         /* fixed-width type or QT_ENUM */
    const void *data; /* elements (QT_ENUM: i32 ids or, with `wide`, i64 indices) */
    const u32 *rank;  /* QT_ENUM: rank[id] orders the names; NULL = order by id */
    bool wide;        /* QT_ENUM elements are i64 (a column on disk) */
    bool descending;
} SortKey;

/* The stable order of rows [0, count) by keys[0], then keys[1], ...: perm is filled with row
 * numbers. `sorted` tells whether the rows stood in order already (perm is then 0, 1, 2, ...).
 * Temporary memory of about 16 bytes a row; E_MEMORY, E_LIMIT. */
MUST_USE Err sort_order(const SortKey *keys, u64 key_count, u64 count, u32 *perm, bool *sorted);

/* Compares row a of one key set with row b of another (same types): negative, 0, positive. */
int sort_compare(const SortKey *a_keys, u64 a, const SortKey *b_keys, u64 b, u64 key_count);

/* Whether rows [from, to) are in ascending order by the keys. */
bool sort_is_sorted(const SortKey *keys, u64 key_count, u64 from, u64 to);

/* In ascending elements: the first position in [from, to) whose element is >= value (lower) or
 * > value (upper); `to` when none. */
u64 sort_lower_i64(const i64 *data, u64 from, u64 to, i64 value);
u64 sort_upper_i64(const i64 *data, u64 from, u64 to, i64 value);

/* rank[id] for the ids that occur (each id once or more in ids[0..count)); ids range over [0,
 * id_count). Names are ordered bytewise. Ranks of other ids are left as they are. */
MUST_USE Err sort_symbol_ranks(const i32 *ids, u64 count, u32 *rank, i32 id_count);

#endif
