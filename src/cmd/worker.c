/*
 * worker: the manager's children.
 *
 * eoi   follows the stream from the view's watermark and collects rows; at a `_prtnEnd` record
 * stages the interval and reports it (.silt.staged); after the manager's answer forgets the rows
 * and follows on. A stage that fails (disk full) is tried again after a pause, rows kept (O-21).
 * Waiting for rows it looks at the shared page every millisecond while rows come, every few
 * milliseconds otherwise. eod   asks for work (.silt.next), plans over the current view, writes the
 * stage file, stages, reports. Interval parts go on being added meanwhile: they have higher EOI
 * numbers than the request. dbm   asks for work and gets none in this release: tiers have their
 * own. scrub (cmd/worker_scrub) reads everything over and over; it speaks to the manager only when
 * parts have got checksums.
 *
 * Every exit is ordinary: the manager starts the worker again, which begins at the view as it then
 * is.
 */
#include "cmd/worker.h"

#include <malloc.h>
#include <stdlib.h>

#include "base/log.h"
#include "cmd/config.h"
#include "cmd/options.h"
#include "cmd/worker_scrub.h"
#include "column/image.h"
#include "db/publish.h"
#include "os/dir.h"
#include "os/fault.h"
#include "os/guard.h"
#include "os/now.h"
#include "os/proc.h"
#include "serve/client.h"
#include "stream/tail.h"
#include "writedown/day.h"
#include "writedown/interval.h"

#define WORKER_CALL_MS    120000
#define WORKER_CONNECT_MS 10000
#define WORKER_RETRY_MS   1000
#define WORKER_WAIT_MS    10000
#define WORKER_DAMAGE_MS  5000
#define WORKER_STAGES_MAX 100000 /* names in <idb>/stage and spill */
#define WORKER_LARGE                                                                               \
    (1 << 20) /* bytes of a block that goes back to the kernel when it is freed                    \
               */

typedef struct {
    const char *name;
    OptionsCommon options;
    Config config;
    Root root;
    ViewCache cache;
    Domain domain;
    Client client;
    int lock; /* shared, on the stage folder: a new manager waits until the workers of the last one
                 are gone */
} Worker;

static Err connect_manager(Worker *w)
{
    Err err = client_open(&w->client, w->config.host, w->config.port, WORKER_CONNECT_MS);
    w->client.timeout_ms = WORKER_CALL_MS;
    return err;
}

/* `connect`: the scrub seldom has something to say to the manager. */
static Err load(Worker *w, bool connect)
{
    Err err = E_OK;
    ConfigSource source;
    ConfigFinding *findings = NULL;
    u32 count = 0;
    TRY(options_source(&w->options, &source));
    TRY(config_load(&w->config, &source, &findings, &count));
    root_init(&w->root, w->config.name, w->config.idb->base, w->config.hdb->base,
              w->config.source->log_path, w->config.date_tiers, w->config.date_tier_count);
    view_cache_init(&w->cache, &w->root);
    TRY(dir_lock(dir_join(&w->root.memory, w->root.idb, "stage", NULL), false, &w->lock));
    if (connect) TRY(connect_manager(w));
done:
    return err;
}

static void unload(Worker *w)
{
    client_close(&w->client);
    dir_unlock(&w->lock);
    domain_close(&w->domain);
    view_cache_free(&w->cache);
    root_close(&w->root);
    config_free(&w->config);
}

/* Calls the manager: (function; worker; pid; third). */
static Err call_manager(Worker *w, const char *function, const Value *third, Arena *a,
                        Value *answer)
{
    Value request = value_list(a, third == NULL ? 3 : 4);
    Value *items = vec_value(&request.as.vec);
    items[0] = value_symbol(function);
    items[1] = value_symbol(w->name);
    items[2] = value_long(proc_id());
    if (third != NULL) items[3] = *third;
    return client_call(&w->client, &request, a, answer);
}

/* Stages the interval that a signal ends, reports it, and forgets its rows. */
static Err finish_interval(Worker *w, Interval *interval, const WalRecord *r)
{
    Err err = E_OK;
    Arena a = {0};
    JobSignal signal;
    JobResult result;
    Value v, answer;
    TRY(job_decode_signal(r->body, r->size, &signal));
    log_event(LOG_DEBUG, "eoi.received", "interval %llu, %llu rows in memory, %llu spilled",
              (unsigned long long)signal.seq, (unsigned long long)interval_rows(interval),
              (unsigned long long)interval_spilled(interval));
    while ((err = interval_stage(interval, &signal, r->end, &a, &result)) != E_OK) {
        log_fail(LOG_ERROR, "eoi.stage", err);
        if (err != E_FULL && err != E_LIMIT && err != E_MEMORY)
            goto done; /* the process starts anew */
        now_sleep_ms(WORKER_RETRY_MS);
        arena_reset(&a);
    }
    TRY(job_result_value(&result, &a, &v));
    TRY(call_manager(w, ".silt.staged", &v, &a, &answer));
    TRY(interval_done(interval));
done:
    arena_free(&a);
    return err;
}

/* Parks a record that no longer fits the configured schema (it was published under an older one):
 * published once more it is refused, kept in the dead-letter log and counted. Nothing is dropped
 * silently (O-21). */
static Err park(Worker *w, const WalRecord *r)
{
    Err err = E_OK;
    Arena a = {0};
    Buf message = {0};
    Value answer;
    u64 at = 0;
    static const u8 head[] = {QT_LIST,         0,   3,   0,   0, 0,
                              256 - QT_SYMBOL, 'u', 'p', 'd', 0, 256 - QT_SYMBOL};
    log_event(LOG_ERROR, "eoi.schema", "position %llu: %s; kept in the dead-letter log",
              (unsigned long long)r->position, fail_text());
    TRY(wire_begin(&message, WIRE_SYNC, &at));
    TRY(buf_append(&message, head, sizeof head));
    TRY(buf_append(&message, r->table.data, r->table.size));
    TRY(buf_byte(&message, 0));
    TRY(buf_append(&message, r->body, r->size));
    TRY(wire_finish(&message, at));
    TRY(client_send(&w->client, &message));
    err = client_receive(&w->client, &a, &answer);
    if (err == E_TYPE) err = E_OK; /* as expected */
done:
    buf_free(&message);
    arena_free(&a);
    return err;
}

/* Removes the runs that an earlier worker of this kind, or a day job that failed, left in the spill
 * folder: `<table>.<run>` are eoi's, `eod.<table>.<day>.<run>...` are eod's. The manager does so
 * when it starts, but a worker may end without it. */
static Err clear_spill(Worker *w, bool eod)
{
    Err err = E_OK;
    Arena a = {0};
    DirEntry *entries = NULL;
    u64 count = 0;
    char *spill = dir_join(&a, w->root.idb, "spill", NULL);
    err = dir_list(spill, WORKER_STAGES_MAX, &a, &entries, &count);
    if (err == E_NOT_FOUND) err = E_OK;
    for (u64 i = 0; err == E_OK && i < count; i++) {
        const char *name = entries[i].name;
        bool days = strchr(name, '.') != strrchr(name, '.');
        if (entries[i].kind != DIR_FOLDER || days != eod) continue;
        err = dir_remove_all(dir_join(&a, spill, name, NULL));
    }
    arena_free(&a);
    return err;
}

static Err run_eoi(Worker *w)
{
    Err err = E_OK;
    View *v = NULL;
    Tail tail = {0};
    Interval *interval = NULL;
    WalRecord r;
    bool got = false;
    u32 idle = 0;
    TRY(clear_spill(w, false));
    TRY(view_open(&w->cache, false, &v));
    TRY(domain_open(&w->domain, w->root.sym, v->sym_size));
    TRY(view_check_domain(v, &w->domain));
    TRY(domain_cut(&w->domain, v->sym_size));
    u64 position = v->watermark;
    view_close(&w->cache, v);
    v = NULL;
    IntervalOptions o = {.root = &w->root,
                         .tables = &w->config.tables,
                         .domain = &w->domain,
                         .memory_max = w->config.memory_max,
                         .chunk_rows = w->config.chunk_size,
                         .threads = proc_cpus()};
    TRY(interval_make(&interval, &o));
    TRY(tail_open(&tail, w->root.wal, position));
    for (;;) {
        TRY(tail_next(&tail, &r, &got));
        if (!got) {
            now_sleep_ms(idle < 1000 ? 1 : 4);
            idle++;
        } else if (r.kind == WAL_CONTROL) {
            if (str_is(r.table, "_prtnEnd")) TRY(finish_interval(w, interval, &r));
        } else {
            idle = 0;
            err = interval_take(interval, &r);
            TRY(err == E_TYPE ? park(w, &r) : err);
        }
    }
done:
    if (v != NULL) view_close(&w->cache, v);
    tail_close(&tail);
    interval_free(interval);
    return err;
}

/* What the manager asks of eod. */
typedef struct {
    u64 seq, eoi, view, made;
} DayOrder;

static Err parse_order(const Value *v, DayOrder *o)
{
    const char *const names[] = {"seq", "eoi", "view", "made"};
    u64 *const places[] = {&o->seq, &o->eoi, &o->view, &o->made};
    for (u32 i = 0; i < COUNT_OF(names); i++) {
        i64 n = 0;
        const Value *entry = value_get(v, names[i]);
        if (entry == NULL || !value_int_of(entry, &n) || n < 0)
            return fail(E_CORRUPT, "the manager's order has no %s", names[i]);
        *places[i] = (u64)n;
    }
    return E_OK;
}

/* Progress of a long job: one log line in ten seconds. */
static void day_progress(void *arg, u64 done, u64 all)
{
    i64 *last = arg;
    i64 now = now_mono();
    if (now - *last < 10000000000LL) return;
    *last = now;
    log_event(LOG_INFO, "eod.progress", "%llu of %llu dates", (unsigned long long)done,
              (unsigned long long)all);
}

static Err run_day(Worker *w, const DayOrder *order)
{
    Err err = E_OK;
    Arena a = {0};
    View *v = NULL;
    DayPlan plan;
    JobResult result;
    Value value, answer;
    const char **paths = NULL;
    u32 count = 0;
    i64 last = now_mono();
    char *job = arena_format(&a, "eod%llu", (unsigned long long)order->seq);
    TRY(view_open(&w->cache, true, &v));
    TRY(domain_load(&w->domain, v->sym_size));
    TRY(view_check_domain(v, &w->domain));
    TRY(day_plan(v, order->eoi, order->seq, order->made, &a, &plan));
    TRY(day_paths(&plan, &w->root, &a, &paths, &count));
    TRY(publish_stage_begin(&w->root, job, paths, count));
    DayOptions o = {.root = &w->root,
                    .tables = &w->config.tables,
                    .domain = &w->domain,
                    .memory_max = w->config.memory_max,
                    .chunk_rows = w->config.chunk_size,
                    .sort_limit_gb = w->config.sort_limit_gb,
                    .by_part = w->config.peach_part,
                    .by_table = w->config.peach_table,
                    .by_column = w->config.peach_column,
                    .threads = proc_cpus(),
                    .progress = day_progress,
                    .arg = &last};
    log_event(LOG_INFO, "eod.started", "request %llu: %u dates, %u interval parts",
              (unsigned long long)order->seq, plan.date_count, plan.taken_count);
    TRY(day_stage(&plan, &o, &a, &result));
    TRY(job_result_value(&result, &a, &value));
    TRY(call_manager(w, ".silt.staged", &value, &a, &answer));
    TRY(publish_stage_end(&w->root, job));
done:
    if (v != NULL) view_close(&w->cache, v);
    arena_free(&a);
    return err;
}

/* Removes what one stage file lists; what has another name is not a day job's. */
static Err undo_day(Worker *w, const View *v, const char *name)
{
    Err err = E_OK;
    Arena a = {0};
    u64 removed = 0, job = 0;
    u64 size = strlen(name), ending = strlen(".tmp");
    bool unfinished = size > ending && strcmp(name + size - ending, ".tmp") == 0;
    Str stem = {name, unfinished ? size - ending : size};
    if (!root_numbered(stem, "eod", &job)) goto done;
    if (unfinished) { /* the job had not begun */
        TRY(dir_unlink(dir_join(&a, w->root.idb, "stage", name, NULL)));
        goto done;
    }
    TRY(publish_stage_undo(&w->root, v, name, &removed));
    if (removed > 0)
        log_event(LOG_INFO, "eod.undone", "%s: %llu folders", name, (unsigned long long)removed);
done:
    arena_free(&a);
    return err;
}

/* Removes what earlier jobs staged and did not see published: their results can no longer be. There
 * is one eod at a time, and the manager takes none from a dead one. */
static Err undo_days(Worker *w)
{
    Err err = E_OK;
    Arena a = {0};
    View *v = NULL;
    DirEntry *entries = NULL;
    u64 count = 0;
    err =
        dir_list(dir_join(&a, w->root.idb, "stage", NULL), WORKER_STAGES_MAX, &a, &entries, &count);
    if (err == E_NOT_FOUND) err = E_OK;
    if (err != E_OK || count == 0) goto done;
    TRY(view_open(&w->cache, true, &v));
    for (u64 i = 0; i < count; i++)
        TRY(undo_day(w, v, entries[i].name));
done:
    if (v != NULL) view_close(&w->cache, v);
    arena_free(&a);
    return err;
}

static Err run_eod(Worker *w)
{
    Err err = E_OK;
    Arena a = {0};
    DayOrder order;
    TRY(domain_open(&w->domain, w->root.sym, 0));
    TRY(undo_days(w));
    TRY(clear_spill(w, true));
    for (;;) {
        Value answer;
        arena_reset(&a);
        TRY(call_manager(w, ".silt.next", NULL, &a, &answer));
        if (answer.type != QT_DICT) continue;
        TRY(parse_order(&answer, &order));
        err = run_day(w, &order);
        if (err == E_OK) continue;
        log_fail(LOG_ERROR, "eod.failed", err);
        if (err == E_CLOSED) goto done;
        /* A failing step is repeated until it succeeds; damage seldom goes away by itself. */
        now_sleep_ms(err == E_CORRUPT ? WORKER_DAMAGE_MS : WORKER_RETRY_MS);
        Value text = value_string(str_of(arena_text(&a, fail_text(), strlen(fail_text()))));
        TRY(undo_days(w));
        TRY(clear_spill(w, true));
        TRY(call_manager(w, ".silt.failed", &text, &a, &answer));
    }
done:
    arena_free(&a);
    return err;
}

static Err run_dbm(Worker *w)
{
    Err err = E_OK;
    Arena a = {0};
    for (;;) {
        Value answer;
        arena_reset(&a);
        TRY(call_manager(w, ".silt.next", NULL, &a, &answer));
    }
done:
    arena_free(&a);
    return err;
}

/* Reports parts that have got checksums. */
static Err report_sums(void *arg, const Part *parts, u32 count)
{
    Err err = E_OK;
    Worker *w = arg;
    Arena a = {0};
    Value v, answer;
    JobResult result = {.part_count = count};
    result.parts = arena_array(&a, Part, count);
    memcpy(result.parts, parts, count * sizeof *parts);
    TRY(job_result_value(&result, &a, &v));
    TRY(connect_manager(w));
    TRY(call_manager(w, ".silt.staged", &v, &a, &answer));
done:
    client_close(&w->client);
    arena_free(&a);
    return err;
}

static Err run_scrub(Worker *w)
{
    WorkerScrub job = {&w->root, &w->cache, w->config.scrub_ns, report_sums, w};
    return worker_scrub(&job);
}

Err worker_wait(const Root *r)
{
    Err err = E_OK;
    Arena a = {0};
    const char *stage = dir_join(&a, r->idb, "stage", NULL);
    for (u32 tries = 0; tries < WORKER_WAIT_MS / 10; tries++) {
        int lock = -1;
        err = dir_lock(stage, true, &lock);
        dir_unlock(&lock);
        if (err != E_BUSY) break;
        now_sleep_ms(10);
    }
    arena_free(&a);
    if (err == E_NOT_FOUND) return E_OK; /* the first start */
    return err == E_BUSY ? fail(E_BUSY, "%s: workers of an earlier manager still run", r->idb)
                         : err;
}

int worker_main(int argc, char **argv)
{
    Err err = E_OK;
    Worker *w = calloc(1, sizeof *w);
    if (w == NULL) return fail_exit(E_MEMORY);
    w->client.fd = -1;
    w->lock = -1;
    Option options[] = {OPTIONS_COMMON(w->options), {0}};
    TRY(options_parse(&argc, argv, options));
    if (argc != 2)
        TRY(fail(E_USAGE,
                 "silt worker is started by silt sm: silt worker eoi|eod|dbm|scrub ASSEMBLY"));
    w->name = argv[0];
    w->options.file = argv[1];
    bool eoi = strcmp(w->name, "eoi") == 0, eod = strcmp(w->name, "eod") == 0;
    bool scrub = strcmp(w->name, "scrub") == 0;
    if (!eoi && !eod && !scrub && strcmp(w->name, "dbm") != 0)
        TRY(fail(E_USAGE, "there is no worker %s", w->name));
    TRY(options_log(&w->options, w->name));
    TRY(fault_init(w->name));
    /* Columns come and go in sizes that change; kept back by malloc they would count against
     * memoryLimit. */
    if (mallopt(M_MMAP_THRESHOLD, WORKER_LARGE) != 1)
        log_event(LOG_WARN, "worker.memory", "mallopt is refused");
    TRY(load(w, !scrub));
    image_cache_bound(w->config.memory_max / 8);
    if (eod) TRY(guard_start());
    TRY(eoi ? run_eoi(w) : eod ? run_eod(w) : scrub ? run_scrub(w) : run_dbm(w));
done:
    if (err == E_CLOSED)
        log_event(LOG_INFO, "worker.closed", "the manager is gone");
    else if (err != E_OK)
        log_fail(LOG_ERROR, "worker.failed", err);
    unload(w);
    free(w);
    return fail_exit(err);
}
