/*
 * merge: sorted runs into one sorted table folder, in bounded memory: of an interval's spills, of a day's parts.
 *
 * A run is a range of rows of an open table folder (columns mapped) whose rows stand in the order of the target's sort keys. Equal
 * keys keep the order of the runs, then of the rows (O-47: stream position). Output goes chunk by chunk: for each the order
 * of rows is found as spans (run, first row, count) over the key columns, then every column is copied by spans, columns in
 * parallel. Memory: spans of one chunk and write buffers, whatever the volume.
 */
#ifndef WRITEDOWN_MERGE_H
#define WRITEDOWN_MERGE_H

#include "column/domain.h"
#include "table/splay.h"

typedef struct {
    Splay *splay;      /* open; columns are mapped by the merge */
    u64 rows;          /* rows the folder has */
    u64 from, to;      /* the range */
} MergeRun;

typedef struct {
    const Schema *schema;
    Place place;       /* sort keys and attributes of the target */
    const Domain *domain; /* loaded far enough for every index that occurs: orders symbols by name */
    const char *path;  /* folder to make */
    u64 chunk_rows;
    int threads;
    const i32 *extra_day; /* reserved, NULL */
} MergeTarget;

/* Merges. *rows, *bytes and the time range of the partition column describe the result. */
MUST_USE Err merge_write(const MergeTarget *t, MergeRun *runs, u32 run_count, u64 *rows, u64 *bytes, i64 *time_min,
                         i64 *time_max);

/* Whether the rows [from, to) of a folder stand in the order of the keys (a sequential scan of the key columns). */
MUST_USE Err merge_is_sorted(const Schema *s, Place place, const Domain *d, MergeRun *run, bool *sorted);

#endif
