/*
 * result: the columns of an answer in the request's arena, and what is done to them last: fill,
 * sort, limit. Private to query/.
 *
 * Columns are borrowed vectors; the sum of what was allocated for one answer is bounded by
 * BOUND_RESULT_MAX.
 */
#ifndef QUERY_RESULT_H
#define QUERY_RESULT_H

#include "query/fold.h"
#include "query/pick.h"

typedef struct {
    const Plan *plan;
    u64 rows;
    u32 count; /* columns; one more when `timed` */
    Vec *cols;
    Str *names;
    const u32 *selects; /* the select of each column; NULL = in their order */
    bool sorted;        /* and cut to the limit */
    bool timed; /* the last column is the partition column, to order rows for a forward fill */
    u64 bytes;  /* allocated */
} Result;

/* Starts an answer without rows, its columns typed and named. */
MUST_USE Err result_init(Result *r, const Plan *p);

/* Appends the rows of picks, in order. */
MUST_USE Err result_picks(Result *r, Pick *picks, u64 count, int threads);

/* Whether sortCols and a limit leave so few rows that their columns are copied after sorting. */
bool result_is_top(const Plan *p, u64 rows);

/* Instead of result_picks, for all rows of such a request: sorts by the columns of sortCols alone
 * and copies the rows that the limit leaves. */
MUST_USE Err result_top(Result *r, Pick *picks, u64 count, int threads);

/* Takes the groups and their states, ordered by the group columns. */
MUST_USE Err result_fold(Result *r, Fold *f);

/* Fills, sorts, cuts, and makes the table. */
MUST_USE Err result_table(Result *r, Value *table);

#endif
