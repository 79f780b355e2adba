/*
 * run: a request from plan to table.
 *
 *   prepare   loop thread: a use of the view, a snapshot of the live rows, the plan
 *   execute   any thread: pieces in waves, each wave
 *               1. maps missing columns and finds ranges, a piece a task
 *               2. folds or picks rows, an equal share of them a task
 *               3. merges the tasks' results in the order of their rows
 *             then the table
 *   finish    loop thread: columns to the cache, chunks and view given back
 *
 * A wave maps no more columns than the cache may hold. One wave is the rule, and its columns stay
 * mapped for the next query; when there are several, each wave's are unmapped at its end, so that a
 * query over ten thousand parts runs within the same bound.
 */
#include "query/run.h"

#include "os/guard.h"
#include "os/now.h"
#include "os/pool.h"
#include "os/proc.h"
#include "query/find.h"
#include "query/fold.h"
#include "query/pick.h"
#include "query/plan.h"
#include "query/result.h"

#include <stdlib.h>

#define TASK_ROWS   (256ull << 10) /* fewer rows are not worth another thread */
#define RANGE_COST  16             /* rows whose scan costs as much as a range that needs none */
#define SOLO_PIECES 16             /* so many mapped pieces are opened by one thread */
#define SOLO_WANTED (64ull << 10)  /* a limit that one thread reaches soonest */

struct Run {
    Plan plan;
    QuerySource *source;
    View *view;
    Result result;
    int threads;
    i64 started;
    u64 rows_scanned, bytes_mapped;
};

Err run_prepare(QuerySource *s, const Request *r, Arena *a, Run **out)
{
    Run *run = arena_new(a, Run);
    *out = NULL;
    run->started = now_mono();
    run->source = s;
    run->view = s->view;
    run->threads = s->threads > 0 ? s->threads : proc_cpus();
    Err err = plan_make(&run->plan, s, r, a);
    if (err != E_OK) return err;
    view_use(run->view);
    *out = run;
    return E_OK;
}

void run_finish(Run *run, RunStats *stats)
{
    const Plan *p = &run->plan;
    if (stats != NULL) {
        *stats = (RunStats){
            .parts = p->parts,
            .parts_pruned = p->parts_pruned,
            .rows_scanned = run->rows_scanned,
            .rows_live = p->rows_live,
            .bytes_mapped = run->bytes_mapped,
            .ns = now_mono() - run->started,
        };
    }
    plan_release(&run->plan, run->source);
    view_close(run->source->views, run->view);
}

/* ---- tasks over rows */

/* What the tasks of a wave share; each has its own fold or pick. */
typedef struct {
    Run *run;
    ScanPiece *pieces;
    u64 count;
    u64 rows; /* in all ranges */
    u64 tasks;
    Fold *folds;
    Pick *picks;
} Wave;

static Err open_piece(void *arg, u64 i)
{
    Wave *w = arg;
    Err err = plan_open(&w->run->plan, &w->pieces[i]);
    return err == E_OK ? find_rows(&w->run->plan, &w->pieces[i]) : err;
}

/* The share of a task, piece by piece. */
static Err do_share(void *arg, u64 task)
{
    Wave *w = arg;
    u64 from = w->rows * task / w->tasks, to = w->rows * (task + 1) / w->tasks;
    u64 base = 0;
    for (u64 i = 0; i < w->count && base < to; i++) {
        const ScanPiece *piece = &w->pieces[i];
        u64 low = MAX(from, base), high = MIN(to, base + piece->row_count);
        if (low < high) {
            Err err = w->folds != NULL ? fold_piece(&w->folds[task], piece, low - base, high - low)
                                       : pick_piece(&w->picks[task], piece, low - base, high - low);
            if (err != E_OK) return err;
        }
        base += piece->row_count;
    }
    return E_OK;
}

/* How many tasks a wave is worth. */
static u64 task_count(const Wave *w, bool light)
{
    u64 work = w->rows;
    if (light) {
        work = 0;
        for (u64 i = 0; i < w->count; i++)
            work += w->pieces[i].range_count * RANGE_COST;
    }
    u64 tasks = work / TASK_ROWS;
    if (w->run->threads <= 1 || tasks <= 1) return 1;
    return MIN(tasks, (u64)w->run->threads * 2);
}

/* ---- aggregations */

static Err fold_wave(Wave *w, Fold *total)
{
    Err err = E_OK;
    const Plan *p = &w->run->plan;
    u64 started = 0;
    w->tasks = task_count(w, fold_is_light(p));
    w->folds = total;
    if (w->tasks == 1) return do_share(w, 0);
    w->folds = calloc(w->tasks, sizeof *w->folds);
    if (w->folds == NULL) return fail(E_MEMORY, "no memory for a query");
    for (; started < w->tasks; started++)
        TRY(fold_init(&w->folds[started], p));
    TRY(pool_run(w->tasks, w->run->threads, do_share, w));
    for (u64 i = 0; i < w->tasks; i++)
        TRY(fold_merge(total, &w->folds[i]));
done:
    for (u64 i = 0; i < started; i++)
        fold_free(&w->folds[i]);
    free(w->folds);
    w->folds = NULL;
    return err;
}

/* ---- rows */

/* How many more rows of the request are needed, as far as that is known. */
static u64 rows_wanted(const Run *run)
{
    const Request *q = run->plan.request;
    if (!q->limited || q->limit < 0 || q->sort_count > 0 || run->result.timed) return UINT64_MAX;
    return (u64)q->limit - MIN((u64)q->limit, run->result.rows);
}

/* Leaves out what a limit cuts off, at the end or at the beginning. */
static void trim(const Run *run, Pick *picks, u64 count, u64 wanted)
{
    const Request *q = run->plan.request;
    for (u64 i = 0; i < count; i++) {
        picks[i].total = MIN(picks[i].total, wanted);
        if (wanted != UINT64_MAX) wanted -= picks[i].total;
    }
    if (!q->limited || q->limit >= 0 || q->sort_count > 0 || run->result.timed) return;
    u64 keep = 0 - (u64)q->limit;
    for (u64 i = count; i-- > 0;) {
        picks[i].skip = picks[i].total - MIN(picks[i].total, keep);
        keep -= picks[i].total - picks[i].skip;
    }
}

static Err pick_wave(Wave *w)
{
    Err err = E_OK;
    Run *run = w->run;
    u64 wanted = rows_wanted(run);
    w->tasks = wanted <= SOLO_WANTED ? 1 : task_count(w, false);
    w->picks = calloc(w->tasks, sizeof *w->picks);
    if (w->picks == NULL) return fail(E_MEMORY, "no memory for a query");
    for (u64 i = 0; i < w->tasks; i++)
        pick_init(&w->picks[i], &run->plan, wanted);
    TRY(pool_run(w->tasks, run->threads, do_share, w));
    trim(run, w->picks, w->tasks, wanted);
    u64 rows = 0;
    for (u64 i = 0; i < w->tasks; i++)
        rows += w->picks[i].total;
    if (w->count == run->plan.piece_count && result_is_top(&run->plan, rows)) {
        TRY(result_top(&run->result, w->picks, w->tasks, run->threads));
    } else {
        TRY(result_picks(&run->result, w->picks, w->tasks, run->threads));
    }
done:
    for (u64 i = 0; i < w->tasks; i++)
        pick_free(&w->picks[i]);
    free(w->picks);
    w->picks = NULL;
    return err;
}

/* ---- waves */

/* The pieces from `at` whose missing columns may be mapped together; at least one. */
static u64 wave_end(const Run *run, u64 at, u32 *missing)
{
    const Plan *p = &run->plan;
    u64 most = opened_max(run->source->cache);
    *missing = 0;
    for (u64 i = at; i < p->piece_count; i++) {
        u32 more = plan_missing(p, &p->pieces[i]);
        if (i > at && *missing + more > most) return i;
        *missing += more;
    }
    return p->piece_count;
}

/* Counts what the wave has read. */
static void count_wave(const Wave *w)
{
    for (u64 i = 0; i < w->count; i++) {
        const ScanPiece *piece = &w->pieces[i];
        w->run->rows_scanned += piece->row_count;
        for (u32 k = 0; k < w->run->plan.slot_count; k++) {
            const Opened *o = piece->cols[k].opened;
            if (o != NULL) w->run->bytes_mapped += o->column.map.size + o->column.heap.size;
        }
    }
}

/* Whether all open columns of some pieces can still be read. */
static Err intact(const Plan *p, const ScanPiece *pieces, u64 count)
{
    if (guard_lost() == 0) return E_OK;
    for (u64 i = 0; i < count; i++) {
        for (u32 k = 0; pieces[i].cols != NULL && k < p->slot_count; k++) {
            const Opened *o = pieces[i].cols[k].opened;
            if (o == NULL || !column_lost(&o->column)) continue;
            return fail(E_CORRUPT,
                        "%s/%s/%s was cut, or cannot be read, while it is open: its %llu rows are "
                        "not answered",
                        pieces[i].part->path, pieces[i].table->name,
                        p->schema->columns[p->slots[k]].name,
                        (unsigned long long)pieces[i].table->rows);
        }
    }
    return E_OK;
}

Err run_intact(const Run *run)
{
    return intact(&run->plan, run->plan.pieces, run->plan.piece_count);
}

static Err run_wave(Run *run, u64 from, u64 to, u32 missing, Fold *total)
{
    Err err = E_OK;
    Plan *p = &run->plan;
    Wave w = {.run = run, .pieces = p->pieces + from, .count = to - from};
    bool solo = missing == 0 && w.count <= SOLO_PIECES;
    TRY(plan_in_time(p));
    TRY(pool_run(w.count, solo ? 1 : run->threads, open_piece, &w));
    for (u64 i = 0; i < w.count; i++)
        w.rows += w.pieces[i].row_count;
    if (w.rows > 0) {
        if (total != NULL) {
            TRY(fold_wave(&w, total));
        } else {
            TRY(pick_wave(&w));
        }
    }
    count_wave(&w);
    if (to - from == p->piece_count) return E_OK;
    TRY(intact(p, w.pieces, w.count));
    if (total != NULL) TRY(fold_keep(total, p->arena));
    for (u64 i = 0; i < w.count; i++)
        plan_close(p, &w.pieces[i]);
done:
    return err;
}

Err run_execute(Run *run, Value *table)
{
    Err err = E_OK;
    const Plan *p = &run->plan;
    Fold total = {0};
    u32 missing;
    *table = value_null();
    TRY(result_init(&run->result, p));
    if (p->request->aggregated) TRY(fold_init(&total, p));
    for (u64 at = 0, end; at < p->piece_count && rows_wanted(run) > 0; at = end) {
        end = wave_end(run, at, &missing);
        TRY(run_wave(run, at, end, missing, p->request->aggregated ? &total : NULL));
    }
    if (p->request->aggregated) TRY(result_fold(&run->result, &total));
    TRY(result_table(&run->result, table));
done:
    fold_free(&total);
    /* What was read of a lost file may have led to any failure: this is the one to tell. */
    if (guard_lost() > 0) {
        Err lost = run_intact(run);
        if (lost != E_OK) err = lost;
    }
    return err;
}
