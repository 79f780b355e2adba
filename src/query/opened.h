/*
 * opened: the mapped columns of parts that queries keep, and what they learnt about them. Private
 * to query/.
 *
 * A query takes what is mapped (opened_find) and maps what is missing itself, on any thread
 * (opened_open); when it is finished, its own are given to the cache (opened_give), which lets the
 * least recently used ones go that nobody uses. Everything but opened_open and the order notes
 * belongs to the loop thread. The QueryCache of run.h is made and freed here.
 */
#ifndef QUERY_OPENED_H
#define QUERY_OPENED_H

#include "base/list.h"
#include "column/column.h"
#include "db/view.h"
#include "query/names.h"
#include "query/run.h"

#include <stdatomic.h>

/* Whether the partition column ascends over rows of a part: looked at once. */
enum { OPENED_UNKNOWN, OPENED_ASCENDS, OPENED_FALLS };

typedef struct Opened {
    List link;            /* in the cache, least recently used first */
    struct Opened **home; /* its place in the cache's table; NULL = a query's own */
    u32 uses;
    Column column;
    _Atomic u8 *order; /* OPENED_*: of each run of a parted column, else one for the whole part */
    _Atomic u8 runs;   /* OPENED_*: of all runs together, once each was looked at */
    _Atomic u8 names;  /* OPENED_*: whether the names of the runs ascend */
} Opened;

/* Maps a column of a part's table; E_CORRUPT when it is missing, of another type than the schema's
 * or has another count of rows than `t` says. In a plain part a missing one is E_NOT_FOUND. */
MUST_USE Err opened_open(const Part *p, const PartTable *t, const SchemaColumn *c, Opened **out);

/* Unmaps a query's own column; NULL is allowed. */
void opened_close(Opened *o);

/* The mapped column of a part's table with one more use; NULL when it is not there. */
Opened *opened_find(QueryCache *c, const PartTable *t, u32 column);

/* Gives a use back. */
void opened_release(QueryCache *c, Opened *o);

/* Gives a query's own column to the cache (it is closed when another query was faster). */
void opened_give(QueryCache *c, PartTable *t, u32 column_count, u32 column, Opened *o);

/* How many columns the cache keeps at most. */
u32 opened_max(const QueryCache *c);

/* The names for a query over the domain; names_drop gives them back. */
MUST_USE Err opened_names(QueryCache *c, const Domain *d, Names **names);

/* The same for another domain, `at` (below RUN_DOMAINS_MAX) in the source's list. */
MUST_USE Err opened_more_names(QueryCache *c, u32 at, const Domain *d, Names **names);

#endif
