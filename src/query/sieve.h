/*
 * sieve: which rows of a block of a range pass everything that the range does not ensure. Private
 * to query/.
 */
#ifndef QUERY_SIEVE_H
#define QUERY_SIEVE_H

#include "query/plan.h"

/* Whether rows of the piece's ranges must be looked at one by one. */
bool sieve_needed(const Plan *p, const ScanPiece *piece);

/* The mask of rows [from, from + n): 1 = it passes; n <= SCAN_BLOCK, and mask has room for 8 more.
 * It says nothing when *count, the number of rows that pass, is 0. */
MUST_USE Err sieve_mask(const Plan *p, const ScanPiece *piece, u64 from, u64 n, u8 *mask,
                        u64 *count);

/* The rows that a mask lets pass, ascending; sel has room for 8 more than pass. */
void sieve_select(const u8 *mask, u64 n, u16 *sel);

/* Both: rows from + sel[0..*count) of [from, from + n) pass, ascending; n <= SCAN_BLOCK, and sel
 * has room for 8 more. */
MUST_USE Err sieve_block(const Plan *p, const ScanPiece *piece, u64 from, u64 n, u16 *sel,
                         u64 *count);

#endif
