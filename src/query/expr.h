/*
 * expr: filters, compiled for the types of their columns and applied to masks. Private to query/.
 *
 * A mask has one byte a row of a block, 1 = the row still counts; every filter only clears bytes.
 * Compiled once a query on the loop thread; applied by many threads at once.
 */
#ifndef QUERY_EXPR_H
#define QUERY_EXPR_H

#include "query/request.h"
#include "query/scan.h"

typedef enum {
    EXPR_NEVER,  /* no row */
    EXPR_RANGE,  /* integers: low <= x <= high */
    EXPR_REAL,   /* floats: low <= x <= high, or NaN when `nan` */
    EXPR_BYTES,  /* one-byte types: a table of 256 */
    EXPR_LONGS,  /* integers: one of a sorted array */
    EXPR_FLOATS, /* floats: one of a sorted array, or NaN when `nan` */
    EXPR_ID,     /* symbols: one name */
    EXPR_IDS,    /* symbols: a table by id */
    EXPR_NAME,   /* symbols: what the text says, remembered by id */
    EXPR_GUID,   /* guids, by the filter's own operator and value */
    EXPR_TEXT,   /* strings, likewise */
    EXPR_AND,
    EXPR_OR,
    EXPR_NOT
} ExprKind;

typedef struct Expr {
    ExprKind kind;
    bool negate, nan;
    i32 slot; /* column in the plan; -1 for logical nodes */
    int type;
    i64 low, high;
    f64 real_low, real_high;
    const void *set; /* sorted elements, or a table */
    u64 count;
    i32 id;           /* -1 = no symbol of that name */
    i64 index;        /* its domain index; -1 = not in the domain */
    _Atomic u8 *memo; /* EXPR_NAME by id: 0 unknown, 1 no, 2 yes */
    const Filter *filter;
    u32 arg_count;
    struct Expr *args;
} Expr;

/* Compiles a filter. slot_of gives the slot of each schema column; names of the query's constants
 * are looked up, never added. */
MUST_USE Err expr_make(const Filter *f, const Schema *s, const i32 *slot_of, const Domain *d,
                       Arena *a, Expr *e);

/* The only slot that a filter looks at, or -1 when there are several. */
i32 expr_slot(const Expr *e);

/* Whether a symbol passes; only for filters over one symbol column. */
bool expr_test_id(const Expr *e, i32 id);

/* Clears the mask of rows [from, from + n) that do not pass, n <= SCAN_BLOCK. */
MUST_USE Err expr_narrow(const Expr *e, const ScanPiece *p, const Names *names, u64 from, u64 n,
                         u8 *mask);

/* Clears the mask of elements outside of [low, high]. */
void expr_narrow_times(const i64 *times, u64 n, i64 low, i64 high, u8 *mask);

/* Clears the mask of times whose time of day is outside of [low, high). */
void expr_narrow_days(const i64 *times, u64 n, i64 low, i64 high, u8 *mask);

#endif
