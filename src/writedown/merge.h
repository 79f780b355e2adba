/*
 * merge: sorted runs into one table folder, in bounded memory: of an interval's spills, of a day's
 * parts.
 *
 * A run is a range of rows of an open table folder (columns mapped) whose rows stand in the order
 * of the target's sort keys. Equal keys keep the order of the runs, then of the rows (O-47: stream
 * position). Output goes chunk by chunk: for each the order of rows is found as spans (run, first
 * row, count) over the key columns, then every column is copied by spans, columns in parallel.
 * Memory: spans of one chunk and write buffers, whatever the volume; of compressed runs the blocks
 * that are read (image.h bounds them).
 */
#ifndef WRITEDOWN_MERGE_H
#define WRITEDOWN_MERGE_H

#include "column/domain.h"
#include "table/splay.h"

typedef struct {
    Splay *splay; /* open; columns are mapped by the merge, which asks for rows (splay_on_need) */
    u64 rows;     /* rows the folder has */
    u64 from, to; /* the range */
} MergeRun;

typedef struct {
    const Schema *schema;
    Place place; /* sort keys and attributes of the target */
    const Domain
        *domain;      /* loaded far enough for every index that occurs: orders symbols by name */
    const char *path; /* folder to make */
    u64 rows_hint;
    u64 chunk_rows; /* rows copied at once */
    int threads;
    CodecChoice codec; /* how its columns are compressed; zeroed = not at all */
    SumList *sums;     /* checksums of the files go there; NULL = not wanted */
} MergeTarget;

/* A folder being merged into. */
typedef struct {
    MergeTarget target;
    SplayOut out;
    u64 rows, bytes;
    i64 time_min, time_max; /* of the partition column; min > max while there are no rows */
    Err failed;             /* the first error of reading a key */
} Merge;

/* Makes the folder. */
MUST_USE Err merge_open(Merge *m, const MergeTarget *t);

/* Appends the merged rows of the runs behind what is there. */
MUST_USE Err merge_add(Merge *m, MergeRun *runs, u32 run_count);

/* Ends and syncs the folder; rows, bytes and the time range then describe it. */
MUST_USE Err merge_finish(Merge *m);

/* Gives up on a failure path; idempotent. */
void merge_drop(Merge *m);

/* Whether the rows of a run stand in the order of the keys of a place (a sequential scan of the key
 * columns). */
MUST_USE Err merge_is_sorted(const Schema *s, Place place, const Domain *d, MergeRun *run,
                             bool *sorted);

/* Sorts a run that is out of order into folders <path>.0, <path>.1, ... of at most `piece_rows`
 * rows each, which are then runs themselves: *pieces are in order of their rows. The caller closes
 * and removes them. */
MUST_USE Err merge_sort_pieces(const MergeTarget *t, MergeRun *run, u64 piece_rows, Arena *a,
                               MergeRun **pieces, u32 *count);

#endif
