/*
 * find: the rows of a piece that may pass, as ranges, without looking at each. Private to
 * query/. */
#ifndef QUERY_FIND_H
#define QUERY_FIND_H

#include "query/plan.h"

/* Fills in the ranges of a piece whose columns are open. Any thread, one a piece. */
MUST_USE Err find_rows(const Plan *plan, ScanPiece *piece);

#endif
