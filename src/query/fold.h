/*
 * fold: rows of pieces into groups and their states. Private to query/.
 *
 * Each task has its own Fold; they are merged in the order of their rows.
 */
#ifndef QUERY_FOLD_H
#define QUERY_FOLD_H

#include "query/agg.h"
#include "query/group.h"

typedef struct {
    const Plan *plan;
    u32 agg_count;
    Agg *aggs;
    bool masked; /* all of them take a mask of rows */
    Group group;
    AggState **states; /* by aggregation, then group */
    u32 room, started; /* groups that states have room for, and a state of */
    AggSpan *spans;
    u32 span_count;
    AggLanes *lanes;
    const ScanPiece *read; /* the groups are its ranges and there are no states: agg_read */
    u64 unchecked;         /* rows since the time limit was looked at */
} Fold;

/* Starts an empty one. */
MUST_USE Err fold_init(Fold *f, const Plan *p);

/* Adds `rows` rows of a piece's ranges, beginning behind the first `skip` ones. */
MUST_USE Err fold_piece(Fold *f, const ScanPiece *piece, u64 skip, u64 rows);

/* Adds a later one, which is empty then. */
MUST_USE Err fold_merge(Fold *f, Fold *later);

/* Copies what states borrow from parts into the arena. */
MUST_USE Err fold_keep(Fold *f, Arena *a);

/* Whether adding a span costs nothing a row, so that rows are no measure of work. */
bool fold_is_light(const Plan *p);

/* Frees it; idempotent. */
void fold_free(Fold *f);

#endif
