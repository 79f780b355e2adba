/*
 * scan: one piece of a table (a part, or a chunk of live rows) and its rows, a block at a time.
 * Private to query/.
 *
 * A piece knows its columns in the forms they are stored in; the readers here bring any of them
 * into one of three lanes: i64 (integers, times, chars; null = Q_NULL_LONG), f64 (null = NaN) or
 * i32 (symbol ids). What is stored that wide already is not copied. Pieces are read by many threads
 * and written only by find.c, before.
 *
 * Rows of a compressed column can be read only between scan_need and scan_done for them: whoever
 * reads c->data, or calls a reader below, asks first. For all others that is one branch.
 *
 * A task that goes front to back through many rows does so over a copy of the piece of its own
 * (ScanOwn): its compressed columns are inflated into one warm buffer each, block after block, and
 * c->data of the copy follows them, so it is good from scan_need to the next scan_need only.
 */
#ifndef QUERY_SCAN_H
#define QUERY_SCAN_H

#include "db/view.h"
#include "q/temporal.h"
#include "query/names.h"
#include "query/opened.h"
#include "stream/live.h"

#define SCAN_BLOCK                                                                                 \
    2048 /* rows: masks, lanes and selections of a block fit the first cache level                 \
          */

typedef enum {
    SCAN_ABSENT, /* not needed in this piece */
    SCAN_FIXED,  /* elements of the column's type */
    SCAN_WIDE,   /* i64 domain indices */
    SCAN_NARROW, /* i32 domain indices */
    SCAN_IDS,    /* symbol ids */
    SCAN_CONST,  /* the same value in every row: `data` has SCAN_BLOCK of it; lists are empty */
    SCAN_FILE,   /* lists, in a part */
    SCAN_VEC     /* lists, in memory */
} ScanForm;

typedef struct ScanColumn {
    ScanForm form;
    int type; /* in memory: QT_ENUM for symbols */
    u32 width;
    const void *data;
    const Vec *vec;              /* SCAN_VEC */
    Opened *opened;              /* of a part */
    const Column *zipped;        /* its rows are inflated when they are asked for; else NULL */
    struct ScanReader *reader;   /* in a task's own copy: what brings them; else NULL */
    const struct ScanColumn *of; /* in a task's own copy: the column of the piece; else NULL */
    bool own;                    /* the query's own, not yet the cache's */
    const Names *names;          /* its domain when that is not the plan's; else NULL */
    const DomainSet *domains;    /* of symbols in lists when the plan has several; else NULL */
    void *block;                 /* SCAN_CONST: its elements when they are the column's own */
} ScanColumn;

/* A compressed column that one task reads front to back. */
typedef struct ScanReader {
    ColumnReader column;
    ScanColumn *own; /* whose data follows */
    u64 from, to;    /* rows that are readable now */
    u8 *joined;      /* rows that stand in several blocks, brought together */
} ScanReader;

typedef struct {
    u64 from, to;
} ScanRange;

typedef struct {
    const Part *part; /* NULL for live rows */
    PartTable *table;
    const LiveSlice *live;
    u64 rows;
    ScanColumn *cols;       /* by slot of the plan */
    i64 time_from, time_to; /* half-open */
    bool time_check;        /* rows outside of it may stand in the ranges */
    bool day_check;         /* the time of day must be looked at */
    /* found by find_rows: */
    bool solo;         /* it is the only piece and each range has a group of its own */
    u64 passed;        /* set by the plan, bit i: the part's value satisfies filter i */
    u64 done;          /* bit i: the ranges satisfy filter i of the request (i < 64) */
    bool ordered;      /* the partition column ascends within each range (when that is asked) */
    ScanRange *ranges; /* in order, owned */
    i32 ids_slot;      /* the symbol column that is the same over each range, -1 = none */
    i32 *ids;          /* its symbol id in each range; owned */
    u64 range_count;
    u64 row_count; /* rows in the ranges */
} ScanPiece;

/* A task's copy of a piece. */
typedef struct {
    ScanPiece piece;     /* its columns are the copy's own, all else is borrowed */
    const ScanPiece *of; /* the piece itself */
    ScanReader *readers; /* by slot */
    u32 slot_count;
} ScanOwn;

/* Fills in a column from an open part or from live rows. */
ScanColumn scan_of_part(const SchemaColumn *c, Opened *o, bool own);
ScanColumn scan_of_live(const Vec *v);

/* Where the elements of row `row` and those behind it stand in `data`. */
static inline u64 scan_base(const ScanColumn *c, u64 row)
{
    return c->form == SCAN_CONST ? 0 : row;
}

/* The names of a column's domain; `names` are the plan's. */
static inline const Names *scan_names(const ScanColumn *c, const Names *names)
{
    return c->names != NULL ? c->names : names;
}

/* scan_need of a column with a reader; n <= SCAN_BLOCK. */
MUST_USE Err scan_bring(const ScanColumn *c, u64 from, u64 n);

/* Makes the rows [from, from + n) readable until scan_done of the same rows; E_CORRUPT names a
 * damaged block. */
static inline MUST_USE Err scan_need(const ScanColumn *c, u64 from, u64 n)
{
    if (c->zipped == NULL) return E_OK;
    return c->reader != NULL ? scan_bring(c, from, n) : column_need(c->zipped, from, from + n);
}

static inline void scan_done(const ScanColumn *c, u64 from, u64 n)
{
    if (c->zipped != NULL && c->reader == NULL) column_done(c->zipped, from, from + n);
}

/* Rows [from, from + n) as lanes, n <= SCAN_BLOCK for SCAN_CONST: `out` has room for n and is
 * returned, or the stored elements are. scan_f64 also takes integers. Not for symbols, guids and
 * lists. */
const i64 *scan_i64(const ScanColumn *c, u64 from, u64 n, i64 *out);
const f64 *scan_f64(const ScanColumn *c, u64 from, u64 n, f64 *out);

/* Rows of a symbol column as ids; E_CORRUPT names the part when an index is not in the domain. */
MUST_USE Err scan_ids(const ScanPiece *p, const ScanColumn *c, const Names *names, u64 from, u64 n,
                      i32 *out, const i32 **ids);

/* Whether rows of a list type are not stored as they are in memory: lists of symbols, mixed
 * ones. */
static inline bool scan_is_loose(int type)
{
    return type == QT_NESTED || type == QT_NESTED + QT_ENUM;
}

/* Appends one row of a list column of any type to an owned vector of the same type. Asks for the
 * row itself. */
MUST_USE Err scan_append(const ScanColumn *c, const Names *names, u64 row, Vec *out);

/* One row of a list column: its elements. Not for loose types in a part. */
MUST_USE Err scan_row(const ScanColumn *c, u64 row, const void **elements, u64 *count);

/* The first nanosecond of a day, clipped to what fits. */
static inline i64 scan_day(i64 day)
{
    i64 ns;
    if (__builtin_mul_overflow(day, TEMPORAL_DAY_NS, &ns)) return day < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

/* Whether the ranges of a piece satisfy a filter of the request. */
static inline bool scan_is_done(const ScanPiece *p, u32 filter)
{
    return filter < 64 && (p->done >> filter & 1) != 0;
}

/* Makes a task's copy of a piece, which must stay as it is. What outlives the copy
 * may refer to the piece's columns only (c->of). */
MUST_USE Err scan_own_open(ScanOwn *own, const ScanPiece *p, u32 slot_count);

/* Frees it; idempotent. */
void scan_own_close(ScanOwn *own);

/* Frees what find_rows allocated. */
void scan_free(ScanPiece *p);

#endif
