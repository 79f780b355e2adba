/*
 * loose: pieces of databases that nobody manages, whose parts hold what they happen to hold.
 * Private to query/.
 *
 * The last partition is the model (P-17): what an older one lacks is no error. A missing table has
 * no rows, a missing column is null in every row. Rows are counted when a query first touches a
 * part: nothing is known of the others, and none of their files is opened.
 */
#ifndef QUERY_LOOSE_H
#define QUERY_LOOSE_H

#include "query/plan.h"

/* What a plan needs for such parts: nulls of each slot's type, names of the other domains. Loop
 * thread. */
MUST_USE Err loose_make(Plan *p, const QuerySource *s);

/* Makes filters of the times of day at which a request begins and ends, for tables by date without
 * a timestamp column; behind the request's own, which must be made. Loop thread. */
void loose_edges(Plan *p);

/* Whether a part may have rows that are asked for, by what its value stands for. Sets the piece's
 * time range and the filters that its value satisfies. Loop thread. */
MUST_USE Err loose_prune(const Plan *p, ScanPiece *piece, bool *passes);

/* Takes a column from the cache. Loop thread. */
ScanColumn loose_take(const Plan *p, u32 slot, Opened *o);

/* Counts a piece's rows and opens the columns that it needs. Any thread. E_CORRUPT names the file
 * and the rule. */
MUST_USE Err loose_open(const Plan *p, ScanPiece *piece);

#endif
