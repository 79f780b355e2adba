/*
 * pick: the rows that a request without aggregations returns, and copying their columns. Private to
 * query/.
 */
#ifndef QUERY_PICK_H
#define QUERY_PICK_H

#include "query/plan.h"

/* Rows of one piece: from, from + 1, ..., or those in the list. */
typedef struct {
    const ScanPiece *piece;
    u64 from, count;
    u64 listed; /* 1 + position of the first in the list of row numbers; 0 = not listed */
} PickRun;

typedef struct {
    const Plan *plan;
    PickRun *runs;
    u64 run_count, run_room;
    u32 *rows; /* row numbers of listed runs */
    u64 row_count, row_room;
    u64 total;  /* rows picked */
    u64 skip;   /* of the first of them, not to be copied */
    u64 wanted; /* no more than these are needed */
    u64 unchecked;
} Pick;

/* Starts an empty one. */
void pick_init(Pick *k, const Plan *p, u64 wanted);

/* Picks among `rows` rows of a piece's ranges, beginning behind the first `skip` ones. */
MUST_USE Err pick_piece(Pick *k, const ScanPiece *piece, u64 skip, u64 rows);

/* Picks one row more. */
MUST_USE Err pick_row(Pick *k, const ScanPiece *piece, u64 row);

/* Copies a column of the picked rows: elements of fixed width (symbols as ids) to `out`. */
MUST_USE Err pick_copy(const Pick *k, u32 slot, void *out);

/* Lists: the count of elements of each row becomes offs[1..], added up from offs[0]. */
MUST_USE Err pick_offsets(const Pick *k, u32 slot, u64 *offs);

/* Lists: copies the elements of all rows, end to end. */
MUST_USE Err pick_elements(const Pick *k, u32 slot, void *out);

/* Lists of loose types (scan_is_loose): appends those of all rows to an owned vector; E_LIMIT when
 * it then holds more than `bytes_max`. */
MUST_USE Err pick_lists(const Pick *k, u32 slot, u64 bytes_max, Vec *out);

/* Frees it; idempotent. */
void pick_free(Pick *k);

#endif
