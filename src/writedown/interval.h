/*
 * interval: the EOI job: a range of the stream becomes an interval part (storage-manager.md 6).
 *
 * An Interval collects rows as they come (interval_take), keeps at most `memory_max` bytes, writes
 * sorted runs to the spill folder when a table passes its blockSize or memory runs out, and at the
 * signal stages the parts (interval_stage): rows of the interval's day in one part, rows of other
 * days in a late part sorted by day first (with slices). Every table is in every part. Empty
 * intervals stage nothing (O-18).
 */
#ifndef WRITEDOWN_INTERVAL_H
#define WRITEDOWN_INTERVAL_H

#include "column/domain.h"
#include "db/root.h"
#include "stream/wal.h"
#include "table/batch.h"
#include "writedown/job.h"

typedef struct Interval Interval;

typedef struct {
    const Root *root;
    const SchemaSet *tables;
    Domain *domain; /* the writer's */
    u64 memory_max; /* bytes of rows held, all tables together */
    u64 chunk_rows; /* chunkSize */
    int threads;
} IntervalOptions;

/* Starts an empty interval; E_MEMORY. */
MUST_USE Err interval_make(Interval **i, const IntervalOptions *o);

/* Takes a data record's rows. May spill. */
MUST_USE Err interval_take(Interval *i, const WalRecord *r);

/* Stages the interval that the signal ends: writes, syncs, and describes the parts in `result` (in
 * the arena; part keys are left 0, the manager numbers them). On failure what was made is removed,
 * the rows are kept, and it can be called again. */
MUST_USE Err interval_stage(Interval *i, const JobSignal *s, u64 watermark, Arena *a,
                            JobResult *result);

/* Forgets the rows of the staged interval (after the manager took the result) and its spill
 * files. */
MUST_USE Err interval_done(Interval *i);

/* Rows and bytes held in memory; rows spilled. */
u64 interval_rows(const Interval *i);
u64 interval_bytes(const Interval *i);
u64 interval_spilled(const Interval *i);

/* Frees everything held; spill files stay for the next start to remove. NULL is allowed. */
void interval_free(Interval *i);

#endif
