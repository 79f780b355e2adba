/*
 * live: rows after a view's watermark, in a reader's memory.
 *
 * Rows stand in chunks whose memory never moves, so that a query on a worker thread reads a
 * snapshot (chunks and row counts) while the loop thread appends. A chunk ends where an interval
 * ends, so that a new view drops whole chunks. Cost: at most 1.3 times the rows' binary size beyond
 * small tables. The loop thread owns it; a worker reads the first `rows` elements of a slice's
 * columns and looks at no count in them.
 */
#ifndef STREAM_LIVE_H
#define STREAM_LIVE_H

#include "stream/wal.h"
#include "table/batch.h"

typedef struct LiveChunk {
    struct LiveChunk *next;
    u64 end; /* stream position after its last row */
    i64 time_min, time_max;
    Batch batch; /* columns with room fixed at birth */
    u64 room;
    u32 table;    /* index in the schema set */
    u32 pins;     /* snapshots that hold it */
    bool retired; /* dropped, waits for its pins */
    u64 bytes;    /* of memory held */
} LiveChunk;

/* A query's share of a chunk: the first `rows` rows of it. */
typedef struct {
    LiveChunk *chunk;
    u64 rows;
    i64 time_min, time_max;
} LiveSlice;

typedef struct Live Live;

/* Starts an empty store for all tables; memory_max bounds its bytes (0 = none). */
MUST_USE Err live_make(Live **l, const SchemaSet *tables, u64 memory_max);
void live_free(Live *l);

/* Takes one record of the stream: data rows are appended (unknown tables, and rows published under
 * another schema, which the write-down parks, are skipped and counted), an interval's end closes
 * the chunks. Records must come in order. E_LIMIT at memory_max: nothing was taken. */
MUST_USE Err live_apply(Live *l, const WalRecord *r);

/* Drops every chunk that ends at or before the watermark (of a view that has been opened). */
void live_drop(Live *l, u64 watermark);

/* The chunks of a table with rows after `watermark`, pinned, in stream order, in the arena. Give
 * back with live_release. */
MUST_USE Err live_snapshot(Live *l, u32 table, u64 watermark, Arena *a, LiveSlice **slices,
                           u32 *count);
void live_release(Live *l, LiveSlice *slices, u32 count);

/* Data records skipped because their table is not in the set, or their rows do not fit it. */
u64 live_skipped(const Live *l);

/* Position after the last record taken; rows and bytes held (of one table, or all with table =
 * ~0u). */
u64 live_position(const Live *l);
u64 live_rows(const Live *l, u32 table);
u64 live_bytes(const Live *l, u32 table);

/* Binary size of those rows on disk, for the ratio that is promised. */
u64 live_binary(const Live *l, u32 table);

#endif
