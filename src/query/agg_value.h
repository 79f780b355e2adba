/*
 * agg_value: first, last and distinct. Private to query/.
 */
#ifndef QUERY_AGG_VALUE_H
#define QUERY_AGG_VALUE_H

#include "query/agg.h"

/* The times of a piece's rows; NULL when it has none, or the same one for all. */
const i64 *agg_value_times(const Plan *p, const ScanPiece *piece);

/* Whether a row of this time is first or last rather than the state's. */
bool agg_value_better(AggKind kind, const AggState *s, i64 time);

/* First or last of spans of rows; among the rows of a block of n. */
MUST_USE Err agg_value_spans(const Agg *a, const Plan *p, const ScanPiece *piece,
                             const AggSpan *spans, u64 count, AggState *states);
MUST_USE Err agg_value_rows(const Agg *a, const Plan *p, const ScanPiece *piece, const AggRows *r,
                            u64 n, AggState *states);

/* Adds the values of rows [from, to) to a set; those of rows, which are readable, to the sets of
 * their groups. */
MUST_USE Err agg_value_distinct_span(const Agg *a, const Plan *p, const ScanPiece *piece, u64 from,
                                     u64 to, AggState *s);
MUST_USE Err agg_value_distinct_rows(const Agg *a, const Plan *p, const ScanPiece *piece,
                                     const AggRows *r, AggState *states);

/* Adds a later set to an earlier one; `from` may keep its own. */
MUST_USE Err agg_value_merge(AggState *to, AggState *from);

/* Copies what a state borrows from a part into the arena, before the part is closed and before
 * end.list of a late one is read. */
MUST_USE Err agg_value_keep(const Agg *a, const Names *names, AggState *s, Arena *arena);

/* Frees what a state owns. */
void agg_value_free(const Agg *a, AggState *s);

#endif
