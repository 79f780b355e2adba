/*
 * run: a request over one view and the live rows after it: prepare on the loop thread, execute on
 * any, finish on the loop thread.
 *
 * run_prepare takes a use of the view, pins the live chunks, opens the columns that are asked
 * (through the cache of open tables) and finds row ranges. run_execute touches nothing but the Run
 * and what it pinned. run_finish gives it all back.
 */
#ifndef QUERY_RUN_H
#define QUERY_RUN_H

#include "column/domain.h"
#include "db/scrub.h"
#include "db/view.h"
#include "query/request.h"
#include "stream/live.h"

/* Open tables of parts, kept between queries, bounded by count of mapped columns (least recently
 * used go). */
typedef struct QueryCache QueryCache;

/* Makes an empty one; E_MEMORY. */
MUST_USE Err run_cache_make(QueryCache **c, u32 columns_max);

/* Unmaps everything and frees it; no query may run. NULL is allowed. */
void run_cache_free(QueryCache *c);

/* Forgets the open tables of parts that a view no longer names (call before the view's last
 * view_close). */
void run_cache_forget(QueryCache *c, const Segment *s);

#define RUN_DOMAINS_MAX 64

/* What queries read from: the caller keeps it in place. */
typedef struct {
    const SchemaSet *tables;
    ViewCache *views;
    View *view;              /* the open view */
    Domain *domain;          /* loaded to at least view->sym_size */
    const char *domain_name; /* NULL = sym */
    u32 more_count;          /* other domains, of a plain database */
    const char *const *more_names;
    const Domain *more[RUN_DOMAINS_MAX];
    Live *live;            /* NULL = no live rows (a reader of local mounts only) */
    bool intervals, dates; /* which mounts this reader serves */
    QueryCache *cache;
    const Scrub *damage; /* files known to be damaged, or NULL: queries that need one fail */
    int threads;         /* for one query */
} QuerySource;

typedef struct Run Run;

/* What a query cost, for the log and the response header. */
typedef struct {
    u64 parts, parts_pruned, rows_scanned, rows_live, bytes_mapped;
    i64 ns;
} RunStats;

/* Plans; the run lives in `a`. */
MUST_USE Err run_prepare(QuerySource *s, const Request *r, Arena *a, Run **run);

/* Executes; the result is a table value in the run's arena. E_LIMIT above BOUND_RESULT_MAX,
 * E_TIMEOUT, E_CORRUPT names the file. */
MUST_USE Err run_execute(Run *run, Value *table);

/* E_CORRUPT naming a file whose bytes were lost while the query read it (os/guard): what it gave is
 * not to be used. For those who read on in the result. */
MUST_USE Err run_intact(const Run *run);

/* Gives view and chunks back. Must be called once after a successful prepare, on the loop
 * thread. */
void run_finish(Run *run, RunStats *stats);

#endif
