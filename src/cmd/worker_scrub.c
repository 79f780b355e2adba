/*
 * worker_scrub: paces the scrub (db/scrub) and tells what it finds.
 *
 * A pass is spread evenly over its period: at each look the bytes that are due are read, but never
 * more than BURST times the even rate, so that catching up after a pause disturbs nobody. It is
 * over with its period, not before: what is written meanwhile is met in its turn. The place is
 * saved once a minute, at the end of a pass, and at once when something was found; losing the last
 * minute costs that minute. The view is pinned while its files are read, for one look.
 *
 * Parts that were given checksums are reported to the manager, which names them in the next view:
 * at each save, before it (so a place that is saved never lies behind a part that is not reported),
 * or as soon as they are REPORT_MOST. Damage is told to nobody but the log and <idb>/scrub; readers
 * and the manager read that file. It may die at any moment.
 */
#include "cmd/worker_scrub.h"

#include "base/log.h"
#include "db/scrub.h"
#include "os/now.h"

#define LOOK_MS     250
#define PAUSE_MS    60000 /* after a failure */
#define SAVE_NS     60000000000LL
#define BURST       4
#define LEAST_STEP  (1ull << 20)
#define REPORT_MOST 256 /* parts */

/* How many bytes are due now. */
static u64 due(const Scrub *s, const View *v, i64 now, i64 period)
{
    u64 all = scrub_bytes(v);
    if (s->pass == 0 || s->began == 0) return 1;
    i64 elapsed = MAX(now - s->began, 0);
    f64 share = (f64)elapsed / (f64)period;
    u64 burst = (u64)((f64)all * BURST * LOOK_MS * 1e6 / (f64)period);
    u64 target = share >= 1 ? all : (u64)((f64)all * share);
    u64 bytes = target > s->done ? target - s->done : 0;
    if (share >= 1) bytes = MAX(bytes, LEAST_STEP); /* and on to the end */
    return MIN(bytes, MAX(burst, LEAST_STEP));
}

static void tell(const Root *r, const Scrub *s, u32 found)
{
    for (u32 i = s->count - MIN(found, s->count); i < s->count; i++) {
        const ScrubDamage *d = &s->damages[i];
        LogLine l;
        log_begin(&l, LOG_ERROR, "damage.found");
        log_str(&l, "part", d->part[0] == 0 ? r->sym : d->part);
        log_str(&l, "file", d->name[0] == 0 ? "(its checksums)" : d->name);
        log_str(&l, "what", d->what);
        log_i64(&l, "fromMiB", (i64)(d->from / SUM_BLOCK));
        log_i64(&l, "toMiB", (i64)((d->to + SUM_BLOCK - 1) / SUM_BLOCK));
        log_i64(&l, "fromRow", (i64)d->row_from);
        log_i64(&l, "toRow", (i64)d->row_to);
        log_end(&l);
    }
}

/* Saves the place, and begins with what was saved: memory of what was dropped goes. */
static Err save(const Root *r, Scrub *s)
{
    Err err = scrub_write(r, s);
    if (err != E_OK) return err;
    scrub_free(s);
    return scrub_read(r, s);
}

/* What this process does and did. */
typedef struct {
    const WorkerScrub *job;
    Scrub state;
    Sumup sumup;
    i64 saved; /* monotonic: when the place was saved, */
    i64 began; /* when a pass was begun; 0 = not yet */
} Walk;

/* Has the manager name new checksums. */
static Err report(Walk *w)
{
    Sumup *u = &w->sumup;
    u32 count = u->ready_count;
    if (u->refused > 0)
        log_event(LOG_WARN, "scrub.sums", "%u partitions stay without checksums: %s", u->refused,
                  u->why);
    if (count > 0) {
        Err err = w->job->report(w->job->arg, u->ready, count);
        if (err != E_OK) return err;
        log_event(LOG_INFO, "scrub.sums", "%u partitions have checksums now", count);
    }
    sumup_clear(u);
    return E_OK;
}

/* One step over a pinned view. */
static Err step(Walk *w, const View *v, u64 bytes, i64 now)
{
    Err err = E_OK;
    bool ended = false;
    u32 found = 0;
    Scrub *s = &w->state;
    u64 before = s->done;
    bool begins = s->pass == 0 || s->began == 0;
    ScrubLook l = {.root = w->job->root,
                   .view = v,
                   .sumup = &w->sumup,
                   .bytes = bytes,
                   .end = !begins && now - s->began >= w->job->period_ns,
                   .now = now};
    if (begins) w->began = now_mono();
    TRY(scrub_step(s, &l, &ended, &found));
    tell(l.root, s, found);
    if (ended)
        log_event(LOG_INFO, "scrub.done", "pass %llu: %llu bytes, %u damaged files",
                  (unsigned long long)s->pass, (unsigned long long)s->done, s->count);
    bool waits = w->sumup.ready_count > 0;
    bool due = (s->done != before || waits) && now_mono() - w->saved > SAVE_NS;
    bool saves = found > 0 || ended || due;
    if (saves || w->sumup.ready_count >= REPORT_MOST || w->sumup.refused > 0) TRY(report(w));
    if (saves) {
        TRY(save(l.root, s));
        w->saved = now_mono();
    }
done:
    return err;
}

/* One look: reads what is due. */
static Err look(Walk *w)
{
    Err err = E_OK;
    View *v = NULL;
    Scrub *s = &w->state;
    i64 now = now_wall(), period = w->job->period_ns;
    if (s->began > now) s->began = now; /* the clock went back: the pass does not wait for it */
    bool between = s->pass == 0 || s->began == 0;
    if (between && w->began != 0 && now_mono() - w->began < period) return E_OK;
    err = view_open(w->job->cache, true, &v);
    if (err == E_NOT_FOUND) return E_OK;
    if (err != E_OK) return err;
    if (between && scrub_bytes(v) == v->sym_size) goto done; /* no part yet */
    u64 bytes = due(s, v, now, period);
    if (bytes > 0) TRY(step(w, v, bytes, now));
done:
    view_close(w->job->cache, v);
    return err;
}

Err worker_scrub(const WorkerScrub *job)
{
    Walk w = {.job = job, .saved = now_mono()};
    Err err = scrub_read(job->root, &w.state);
    if (err == E_CORRUPT)
        log_fail(LOG_WARN, "scrub.state", err); /* the next pass finds all again */
    if (err != E_OK && err != E_CORRUPT) return err;
    for (;;) {
        now_sleep_ms(LOOK_MS);
        err = look(&w);
        if (err == E_OK) continue;
        log_fail(LOG_ERROR, "scrub.failed", err);
        if (err == E_IO || err == E_CLOSED) break; /* a failed sync is final */
        now_sleep_ms(PAUSE_MS);
    }
    sumup_free(&w.sumup);
    scrub_free(&w.state);
    return err;
}
