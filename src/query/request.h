/*
 * request: what is asked, one struct for every language. getdata (and later qsql) fill it; plan
 * reads it. Everything lives in the request's arena.
 */
#ifndef QUERY_REQUEST_H
#define QUERY_REQUEST_H

#include "base/arena.h"
#include "q/value.h"
#include "table/schema.h"

typedef enum {
    FILTER_EQ,
    FILTER_NE,
    FILTER_LT,
    FILTER_GT,
    FILTER_LE,
    FILTER_GE,     /* value: an atom */
    FILTER_IN,     /* value: a vector or list */
    FILTER_LIKE,   /* value: a pattern as in q: ? * [..] [^..] */
    FILTER_WITHIN, /* value: two values, both inclusive, as in q */
    FILTER_AND,
    FILTER_OR,
    FILTER_NOT /* args */
} FilterOp;

typedef struct Filter {
    FilterOp op;
    i32 column;  /* schema column, -1 for logical nodes */
    Value value; /* cast to the column's type */
    u32 arg_count;
    struct Filter *args;
} Filter;

typedef enum {
    AGG_NONE, /* the column itself */
    AGG_COUNT,
    AGG_SUM,
    AGG_MIN,
    AGG_MAX,
    AGG_AVG,
    AGG_FIRST,
    AGG_LAST,
    AGG_WAVG,
    AGG_WSUM,
    AGG_DEV,
    AGG_VAR,
    AGG_SDEV,
    AGG_SVAR,
    AGG_DISTINCT,
    AGG_PRD,
    AGG_ALL,
    AGG_ANY,
    AGG_COR,
    AGG_COV,
    AGG_SCOV
} AggKind;

/* One column of the result. */
typedef struct {
    Str name;
    AggKind kind;
    i32 column;  /* schema column; for two-column functions the first (wavg: the weights) */
    i32 column2; /* the second, else -1 */
} Select;

typedef struct {
    i32 column; /* column of the result */
    bool descending;
} SortBy;

typedef enum { FILL_NONE, FILL_ZERO, FILL_FORWARD } Fill;

typedef struct {
    const Schema *schema;
    u32 table;      /* its number in the schema set */
    i64 start, end; /* half-open range on the partition column */
    i64 slice_from,
        slice_to;     /* temporality slice: time of day, half-open, in ns; from == to = none */
    u32 filter_count; /* a conjunction */
    Filter *filters;
    u32 group_count;
    i32 *groups; /* schema columns */
    u32 select_count;
    Select *selects; /* without the group columns, which come first in the result */
    bool aggregated; /* one row a group (or one row in all) */
    u32 sort_count;
    SortBy *sorts;
    bool limited;
    i64 limit; /* negative: the last ones */
    Fill fill;
    i64 timeout_ns; /* 0 = none */
} Request;

/* The name of an aggregation and back (AGG_COUNT for "count"); false when unknown. Two-column ones:
 * request_agg_pairs. */
bool request_agg_parse(Str name, AggKind *kind);
const char *request_agg_name(AggKind kind);
bool request_agg_pairs(AggKind kind);

/* The result type of an aggregation over a column type (QT_*), -1 when q would say 'type. */
int request_agg_type(AggKind kind, int type);

#endif
