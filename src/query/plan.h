/*
 * plan: which parts and live rows a request reads, and which of their columns. Private to query/.
 *
 * Made and released on the loop thread. It touches no file: parts are pruned by what the view says
 * of them, mapped columns are taken from the cache, and the others are mapped by plan_open, which
 * runs on any thread, one piece at a time.
 */
#ifndef QUERY_PLAN_H
#define QUERY_PLAN_H

#include "query/expr.h"
#include "query/request.h"
#include "query/run.h"
#include "query/scan.h"

typedef struct {
    const Request *request;
    const Schema *schema;
    Arena *arena;
    Names *names;
    i32 id_count; /* symbol ids of the process: all that the query can meet are below */
    u32 slot_count;
    i32 *slots;             /* schema column of each slot */
    i32 *slot_of;           /* slot of each schema column, -1 = not used */
    bool *asked;            /* by slot: read in every piece; else only where a piece needs it */
    i32 time_slot;          /* of the partition column, -1 = the table has none */
    i64 time_from, time_to; /* of the request, narrowed by filters of the partition column */
    u64 done;               /* bit i: the time range says what filter i says */
    bool ends;              /* first or last: rows are compared by time */
    i32 run_slot;           /* the only group column when it is a symbol, else -1 */
    Expr *filters;
    u32 filter_count;
    ScanPiece *pieces; /* date parts by day, interval parts by ordinal, live chunks */
    u64 piece_count;
    LiveSlice *slices;
    u32 slice_count;
    u64 parts, parts_pruned, rows_live;
    i64 deadline; /* monotonic; 0 = none */
    /* of a plain view (loose.h): */
    u32 edge_first;   /* the first filter that is none of the request */
    i32 virtual_slot; /* of the value of parts' folders, -1 = not used */
    void **nulls;     /* by slot: SCAN_BLOCK nulls of its type */
    const char *domain_name;
    u32 more_count; /* other domains */
    const char *const *more_domains;
    Names **more;
    Domain *loaded;    /* all of them, the plan's own first: for symbols in lists */
    DomainSet domains; /* the same by name */
} Plan;

/* Makes the plan of a request; on failure nothing is held. */
MUST_USE Err plan_make(Plan *p, const QuerySource *s, const Request *r, Arena *a);

/* Gives everything back that the plan holds; columns that the query mapped go to the cache. */
void plan_release(Plan *p, const QuerySource *s);

/* Maps the columns of a piece that the cache did not have. */
MUST_USE Err plan_open(const Plan *p, ScanPiece *piece);

/* How many columns of a piece plan_open would map. */
u32 plan_missing(const Plan *p, const ScanPiece *piece);

/* Unmaps what plan_open has mapped in a piece. */
void plan_close(const Plan *p, ScanPiece *piece);

/* Whether a slot is read in a piece. */
bool plan_wants(const Plan *p, const ScanPiece *piece, u32 slot);

/* Whether a piece must look at the time of its rows. */
bool plan_needs_time(const Plan *p, const ScanPiece *piece);

/* E_TIMEOUT when the time allowed is over. */
MUST_USE Err plan_in_time(const Plan *p);

#endif
