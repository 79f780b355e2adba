/*
 * watch: a worker that dies is seen by its parent; one that hangs is not. Each second the manager
 * looks how much processor time a worker has used. One that has work and used none, look after
 * look, is killed; the manager starts the next one, as after any death.
 *
 * eoi always has work: waiting for rows it wakes every few milliseconds. eod has some while a day
 * request is processed; waiting for one it sleeps in the kernel. Looks are counted, not time: when
 * the whole machine stood still, nobody hung. A worker that waits for a device that does not answer
 * looks the same as one that hangs; to end it costs nothing, as its rows are in the stream.
 */
#include "cmd/watch.h"

#include <signal.h>

#include "base/log.h"
#include "base/str.h"
#include "cmd/signals.h"
#include "os/now.h"
#include "os/proc.h"

#define WATCH_LOOK_MS 1000
#define WATCH_HANG_MS 60000

f64 watch_open_seconds(const Sm *sm)
{
    if (sm->signal_count == 0) return 0;
    return (f64)(now_mono() - sm->signals[0].signalled) / 1e9;
}

static bool has_work(const Sm *sm, u32 worker)
{
    if (worker == SM_EOI) return true;
    if (worker != SM_EOD) return false;
    for (u32 i = 0; i < sm->request_count; i++)
        if (sm->requests[i].state == SM_PROCESSING) return true;
    return false;
}

static void look_at(Sm *sm, u32 worker)
{
    SmWorker *w = &sm->workers[worker];
    u64 work = w->pid > 0 ? proc_work(w->pid) : 0;
    bool idle = work != 0 && work == w->work && has_work(sm, worker);
    w->work = work;
    w->idle_looks = idle ? w->idle_looks + 1 : 0;
    if (w->idle_looks < sm->hang_looks) return;
    log_event(LOG_ERROR, "worker.hung",
              "%s pid %d has work and did nothing for %u seconds: it is "
              "ended",
              w->name, w->pid, w->idle_looks);
    w->idle_looks = 0;
    proc_signal(w->pid, SIGKILL);
}

static void look(void *arg)
{
    Sm *sm = arg;
    if (sm->stopping) return;
    for (u32 i = 0; i < SM_WORKERS; i++)
        look_at(sm, i);
    signals_relieve(sm);
}

void watch_start(Sm *sm)
{
    i64 ms = 0;
    const char *text = proc_env("SILT_WORKER_HANG_MS");
    if (text == NULL || !str_i64(str_of(text), &ms) || ms < WATCH_LOOK_MS) ms = WATCH_HANG_MS;
    sm->hang_looks = (u32)(ms / WATCH_LOOK_MS);
    loop_timer(sm->loop, &sm->watch_timer, WATCH_LOOK_MS, WATCH_LOOK_MS, look, sm);
}
