/*
 * sm: the manager's life: start, children, sweep, stop.
 *
 * Start (the same after anything, R11): configuration -> import, when one is asked for or was
 * interrupted (handover_start) -> lock and markers (root_claim) -> views
 * (publish_open) -> stream (wal_open from the view's watermark) -> what is signalled and not
 * committed (signals_recover) -> listen -> workers. A worker that ends is started again after a
 * pause that doubles up to ten seconds. SIGTERM and SIGINT stop: the stream is synced, calls are
 * answered, children are told to end. SIGHUP is ignored until configuration can be reloaded.
 *
 * A failed sync or a commit that failed after its rename ends the process with status 5: the next
 * start trusts only what it reads back (R4).
 */
#include "cmd/sm.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/log.h"
#include "cmd/handover.h"
#include "cmd/intake.h"
#include "cmd/signals.h"
#include "cmd/status.h"
#include "cmd/watch.h"
#include "cmd/worker.h"
#include "os/dir.h"
#include "os/fault.h"
#include "os/now.h"
#include "os/proc.h"

#define SM_DELAY_LAST_MS 10000
#define SM_STEADY_NS     30000000000LL /* a child that lived so long starts again without pause */

static const char *const SM_NAMES[SM_WORKERS] = {"eoi", "eod", "dbm", "scrub"};

void sm_fatal(Sm *sm, Err err)
{
    if (sm->fatal != E_OK) return;
    sm->fatal = err;
    log_fail(LOG_ERROR, "sm.fatal", err);
    loop_stop(sm->loop);
}

void sm_tell(Sm *sm) { status_tell(sm); }

static void sweep_work(void *arg) { sweep_run(&((Sm *)arg)->sweep); }

static void sweep_after(void *arg)
{
    Sm *sm = arg;
    Sweep *s = &sm->sweep;
    sm->sweeping = false;
    if (s->err != E_OK) {
        log_event(LOG_WARN, "sweep.failed", "%s", s->text);
    } else {
        publish_swept(&sm->publish, s->oldest);
        if (s->views + s->parts > 0)
            log_event(LOG_DEBUG, "sweep.done", "%llu views, %llu parts",
                      (unsigned long long)s->views, (unsigned long long)s->parts);
        Err err = wal_trim(sm->wal, s->watermark);
        if (err != E_OK) log_fail(LOG_WARN, "stream.trim", err);
    }
    sweep_free(s);
    if (sm->sweep_again) {
        sm->sweep_again = false;
        sm_sweep(sm);
    }
}

void sm_sweep(Sm *sm)
{
    if (sm->sweeping) {
        sm->sweep_again = true;
        return;
    }
    Err err = sweep_plan(&sm->sweep, sm->publish.current, &sm->root, status_hold(sm));
    if (err != E_OK) {
        log_fail(LOG_WARN, "sweep.failed", err);
        return;
    }
    sm->sweeping = true;
    loop_work(sm->loop, sweep_work, sweep_after, sm);
}

static void start_worker(void *arg)
{
    SmWorker *w = arg;
    Sm *sm = w->sm;
    Arena a = {0};
    char *self = NULL, port[16];
    const char *argv[32] = {0};
    u32 n = 0;
    if (sm->stopping) return;
    Err err = proc_self(&a, &self);
    snprintf(port, sizeof port, "%u", server_port(sm->server));
    OptionsCommon o = sm->options;
    o.sm_port = port;
    argv[n++] = self;
    argv[n++] = "worker";
    argv[n++] = w->name;
    argv[n++] = sm->config.file;
    options_forward(&o, argv, &n);
    if (err == E_OK) err = proc_spawn(argv, NULL, &w->pid);
    if (err != E_OK) {
        log_fail(LOG_ERROR, "worker.start", err);
        w->pid = 0;
        w->delay_ms = MAX(w->delay_ms, MIN(2 * w->delay_ms, SM_DELAY_LAST_MS));
        loop_timer(sm->loop, &w->timer, w->delay_ms, 0, start_worker, w);
    } else {
        w->started = now_mono();
        log_event(LOG_INFO, "worker.started", "%s pid %d", w->name, w->pid);
    }
    arena_free(&a);
}

static void child_gone(void *arg, int pid, int status)
{
    Sm *sm = arg;
    for (u32 i = 0; i < SM_WORKERS; i++) {
        SmWorker *w = &sm->workers[i];
        if (w->pid != pid) continue;
        w->pid = 0;
        signals_worker_gone(sm, i);
        if (sm->stopping) return;
        if (now_mono() - w->started > SM_STEADY_NS) w->delay_ms = sm->config.wait_ms;
        w->restarts++;
        log_event(LOG_WARN, "worker.ended", "%s pid %d, %s %d; starts again in %llu ms", w->name,
                  pid, WIFSIGNALED(status) ? "signal" : "status",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                  (unsigned long long)w->delay_ms);
        loop_timer(sm->loop, &w->timer, w->delay_ms, 0, start_worker, w);
        w->delay_ms = MAX(w->delay_ms, MIN(2 * w->delay_ms, SM_DELAY_LAST_MS));
        return;
    }
}

static void on_signal(void *arg, int signo)
{
    Sm *sm = arg;
    if (signo == SIGHUP) {
        log_event(LOG_INFO, "sm.reload",
                  "the configuration is read at start only; SIGHUP is ignored");
        return;
    }
    log_event(LOG_INFO, "sm.stopping", "signal %d", signo);
    sm->stopping = true;
    loop_stop(sm->loop);
}

static void conn_closed(void *ctx, void *conn) { status_closed(ctx, conn); }

/* Opens everything, in order. */
static Err start(Sm *sm)
{
    Err err = E_OK;
    u64 removed = 0, lost_to = 0;
    TRY(loop_make(&sm->loop));
    TRY(handover_start(&sm->config));
    root_init(&sm->root, sm->config.name, sm->config.idb->base, sm->config.hdb->base,
              sm->config.source->log_path, sm->config.date_tiers, sm->config.date_tier_count);
    TRY(root_claim(&sm->root));
    TRY(worker_wait(&sm->root));
    view_cache_init(&sm->cache, &sm->root);
    TRY(publish_open(&sm->publish, &sm->root, &sm->cache, &removed));
    View *v = sm->publish.current;
    WalOptions wal = {.file_size = sm->config.source->log_file_size,
                      .size_max = sm->config.source->log_size_max,
                      .relaxed = sm->config.source->relaxed,
                      .relaxed_ms = sm->config.source->relaxed_ms};
    TRY(wal_open(&sm->wal, sm->root.wal, &wal, v->watermark, &lost_to));
    if (lost_to > v->watermark) { /* O-45: said plainly, kept in the status */
        v->lost_from = (i64)v->watermark;
        v->lost_to = (i64)lost_to;
        log_event(LOG_ERROR, "stream.lost", "positions %llu to %llu are missing from the stream",
                  (unsigned long long)v->watermark, (unsigned long long)lost_to);
    }
    wal_set_view(sm->wal, v->number);
    FeedOptions feed = {.tables = &sm->config.tables,
                        .wal = sm->wal,
                        .dead_path = dir_join(&sm->root.memory, sm->root.idb, "dead", NULL),
                        .quarantine_path =
                            dir_join(&sm->root.memory, sm->root.idb, "quarantine", NULL),
                        .horizon_ns = sm->config.horizon_ns};
    TRY(feed_open(&sm->feed, &feed));
    TRY(signals_recover(sm));
    intake_init(sm);
    signals_init(sm);
    status_init(sm);
    TRY(loop_children(sm->loop, child_gone, sm));
    TRY(loop_signal(sm->loop, SIGTERM, on_signal, sm));
    TRY(loop_signal(sm->loop, SIGINT, on_signal, sm));
    TRY(loop_signal(sm->loop, SIGHUP, on_signal, sm));
    ServerOptions server = {.host = sm->config.host,
                            .port = sm->config.port,
                            .q_only = sm->config.disable_rest,
                            .closed = conn_closed,
                            .ctx = sm};
    TRY(server_open(&sm->server, sm->loop, &server));
    LogLine l;
    log_begin(&l, LOG_INFO, "sm.started");
    log_i64(&l, "port", server_port(sm->server));
    log_i64(&l, "view", (i64)v->number);
    log_i64(&l, "watermark", (i64)v->watermark);
    log_i64(&l, "position", (i64)wal_durable(sm->wal));
    log_i64(&l, "removed", (i64)removed);
    log_end(&l);
    for (u32 i = 0; i < SM_WORKERS; i++) {
        sm->workers[i] = (SmWorker){.name = SM_NAMES[i], .delay_ms = sm->config.wait_ms, .sm = sm};
        if (i != SM_SCRUB || sm->config.scrub_ns > 0) start_worker(&sm->workers[i]);
    }
    signals_arm(sm);
    watch_start(sm);
    sm_sweep(sm);
done:
    return err;
}

/* Ends children, syncs and closes. */
static void stop(Sm *sm)
{
    int status = 0;
    sm->stopping = true;
    for (u32 i = 0; i < SM_WORKERS; i++)
        if (sm->workers[i].pid > 0) proc_signal(sm->workers[i].pid, SIGTERM);
    if (sm->fatal == E_OK && sm->feed != NULL) intake_sync(sm);
    signals_stop(sm);
    server_close(sm->server);
    for (u32 i = 0; i < SM_WORKERS; i++) {
        if (sm->workers[i].pid <= 0) continue;
        if (proc_wait(sm->workers[i].pid, 5000, &status) == E_OK) continue;
        proc_signal(sm->workers[i].pid, SIGKILL);
        if (proc_wait(sm->workers[i].pid, 5000, &status) != E_OK)
            log_fail(LOG_WARN, "worker.stuck", fail_last());
    }
    loop_free(sm->loop); /* waits for a sweep under way, which reads what is closed now */
    if (sm->sweeping) sweep_free(&sm->sweep);
    feed_close(sm->feed);
    if (sm->wal != NULL && sm->fatal == E_OK && wal_close(sm->wal) != E_OK) sm->fatal = fail_last();
    publish_close(&sm->publish);
    view_cache_free(&sm->cache);
    root_close(&sm->root);
    free(sm->acks);
}

int sm_main(int argc, char **argv)
{
    Err err = E_OK;
    ConfigSource source;
    ConfigFinding *findings = NULL;
    u32 count = 0;
    Sm *sm = calloc(1, sizeof *sm);
    if (sm == NULL) return fail_exit(E_MEMORY);
    Option options[] = {OPTIONS_COMMON(sm->options), {0}};
    TRY(options_parse(&argc, argv, options));
    if (argc > 1) TRY(fail(E_USAGE, "silt sm takes one assembly file"));
    sm->options.file = argc == 1 ? argv[0] : NULL;
    TRY(options_log(&sm->options, "sm"));
    TRY(fault_init("sm"));
    TRY(options_source(&sm->options, &source));
    TRY(config_load(&sm->config, &source, &findings, &count));
    for (u32 i = 0; i < count; i++)
        log_event(LOG_WARN, "config.warning", "%s:%u: %s: %s: %s", sm->config.file,
                  findings[i].line, findings[i].path, findings[i].rule, findings[i].text);
    TRY(config_supported(&sm->config));
    sm->started = now_mono();
    TRY(start(sm));
    loop_run(sm->loop);
    err = sm->fatal;
done:
    if (err != E_OK && sm->fatal == E_OK) {
        log_fail(LOG_ERROR, "sm.failed", err);
        sm->fatal = err;
    }
    stop(sm);
    err = sm->fatal;
    if (err == E_OK) log_event(LOG_INFO, "sm.stopped", "everything acknowledged is in the stream");
    config_free(&sm->config);
    free(sm);
    return fail_exit(err);
}
