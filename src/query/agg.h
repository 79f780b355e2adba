/*
 * agg: what an aggregation knows of a group so far, how rows change it, how two are merged, and
 * what it says in the end. Private to query/.
 *
 * The result over the union of rows is the same however they are split (O-80): averages keep sum
 * and count, spreads keep count, mean and sum of squares, first and last keep the time of their
 * row. Splits only change the rounding of floats.
 */
#ifndef QUERY_AGG_H
#define QUERY_AGG_H

#include "query/plan.h"

__extension__ typedef __int128 AggWide;

/* Distinct values in order of first appearance. */
typedef struct AggSet {
    Vec values;
    u32 *slots; /* hash: number + 1 */
    u64 slot_count;
} AggSet;

typedef union {
    i64 i;
    f64 f;

    struct {
        AggWide sum;
        i64 count;
    } mean;

    struct {
        f64 sum;
        i64 count;
    } real_mean;

    struct {
        f64 weight, sum;
    } weighted;

    struct {
        f64 count, x, y, xx, yy, xy; /* means, and sums of products of differences from them */
    } spread;

    struct {
        i64 time;
        u64 count; /* elements of a list; when late, its row */
        u8 value[16];
        const void *list; /* its elements; when late, the ScanColumn */
        bool some, kept;  /* a row was met; its list is in the arena */
        bool late;        /* the list is compressed or of a loose type, and is read by agg_keep */
    } end;

    AggSet *set;
} AggState;

/* One aggregation of a request, with the types of its columns. */
typedef struct {
    AggKind kind;
    int type;        /* of the column in memory */
    i32 slot, slot2; /* -1 = none */
    bool real;       /* its lane is f64 */
} Agg;

/* Kinds of aggregations: spreads, weighted ones, and those that keep a row. */
static inline bool agg_is_spread(AggKind k)
{
    return k == AGG_DEV || k == AGG_VAR || k == AGG_SDEV || k == AGG_SVAR || k == AGG_COR ||
           k == AGG_COV || k == AGG_SCOV;
}

static inline bool agg_is_weighted(AggKind k) { return k == AGG_WAVG || k == AGG_WSUM; }

static inline bool agg_is_end(AggKind k) { return k == AGG_FIRST || k == AGG_LAST; }

/* Rows of one group that stand together. */
typedef struct {
    u64 from, to;
    u32 group;
} AggSpan;

/* Rows of a block: from + sel[0..count), or from, from + 1, ... when sel is NULL; each with its
 * group, or all of group 0 when groups is NULL. Or those `count` of [from, from + n), all of group
 * 0, whose byte of `mask` is set (agg_is_masked). */
typedef struct {
    u64 from, count;
    const u16 *sel;
    const u32 *groups;
    const u8 *mask; /* NULL = sel says it */
    u64 n;          /* bytes of the mask */
} AggRows;

/* Lanes of one thread. */
typedef struct {
    i64 a[SCAN_BLOCK], b[SCAN_BLOCK], time[SCAN_BLOCK];
} AggLanes;

/* The aggregation of a select. */
Agg agg_of(const Plan *p, const Select *s);

/* The state before any row. */
AggState agg_start(const Agg *a);

/* Adds spans of rows to the states of their groups. */
MUST_USE Err agg_spans(const Agg *a, const Plan *p, const ScanPiece *piece, const AggSpan *spans,
                       u64 count, AggLanes *lanes, AggState *states);

/* Whether the result of each range of a piece can be read off it, without a state: a count, or a
 * first or last row where times ascend (not of compressed columns). */
bool agg_is_read(const Agg *a, const Plan *p, const ScanPiece *piece);

/* Reads it for all ranges, as elements of the result's type. */
void agg_read(const Agg *a, const ScanPiece *piece, void *data);

/* Whether an aggregation takes rows by a mask. */
bool agg_is_masked(const Agg *a);

/* Adds rows to the states of their groups. */
MUST_USE Err agg_rows(const Agg *a, const Plan *p, const ScanPiece *piece, const AggRows *rows,
                      AggLanes *lanes, AggState *states);

/* Adds a later state to an earlier one. What `from` owns is moved or freed. */
MUST_USE Err agg_merge(const Agg *a, AggState *to, AggState *from);

/* What `count` states say, as elements of the result's type (not for lists). */
void agg_finish(const Agg *a, const AggState *s, u64 count, void *data);

#endif
