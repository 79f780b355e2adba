/*
 * worker_scrub: paces the scrub (db/scrub) and tells what it finds.
 *
 * A pass is spread evenly over its period: at each look the bytes that are due are compared, but
 * never more than BURST times the even rate, so that catching up after a pause disturbs nobody. The
 * place is saved once a minute, at the end of a pass, and at once when something was found; losing
 * the last minute costs that minute. A pass that had little to compare is over early: the next one
 * waits until the period is over all the same. The view is pinned while its files are read, for one
 * look.
 *
 * It tells nobody but the log and <idb>/scrub; readers and the manager read that file. It may die
 * at any moment.
 */
#include "cmd/worker_scrub.h"

#include "base/log.h"
#include "db/scrub.h"
#include "os/now.h"

#define LOOK_MS    250
#define PAUSE_MS   60000 /* after a failure */
#define SAVE_NS    60000000000LL
#define BURST      4
#define LEAST_STEP (1ull << 20)

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

/* What this process did, on the monotonic clock. */
typedef struct {
    i64 saved;
    i64 began; /* when it began a pass; 0 = not yet */
} Pace;

/* One look: compares what is due. */
static Err look(Root *r, ViewCache *cache, Scrub *s, i64 period, Pace *pace)
{
    Err err = E_OK;
    View *v = NULL;
    bool ended = false;
    u32 found = 0;
    i64 now = now_wall();
    bool between = s->pass == 0 || s->began == 0;
    if (between && pace->began != 0 && now_mono() - pace->began < period) return E_OK;
    err = view_open(cache, true, &v);
    if (err == E_NOT_FOUND) return E_OK;
    if (err != E_OK) return err;
    if (between && scrub_bytes(v) == v->sym_size) goto done; /* no part to compare yet */
    u64 bytes = due(s, v, now, period), before = s->done;
    if (bytes == 0) goto done;
    if (between) pace->began = now_mono();
    TRY(scrub_step(s, r, v, bytes, now, &ended, &found));
    tell(r, s, found);
    if (ended)
        log_event(LOG_INFO, "scrub.done", "pass %llu: %llu bytes, %u damaged files",
                  (unsigned long long)s->pass, (unsigned long long)s->done, s->count);
    bool moved = s->done != before;
    if (found > 0 || ended || (moved && now_mono() - pace->saved > SAVE_NS)) {
        TRY(save(r, s));
        pace->saved = now_mono();
    }
done:
    view_close(cache, v);
    return err;
}

Err worker_scrub(Root *r, ViewCache *cache, i64 period_ns)
{
    Scrub s;
    Pace pace = {.saved = now_mono()};
    Err err = scrub_read(r, &s);
    if (err == E_CORRUPT)
        log_fail(LOG_WARN, "scrub.state", err); /* the next pass finds all again */
    if (err != E_OK && err != E_CORRUPT) return err;
    for (;;) {
        now_sleep_ms(LOOK_MS);
        err = look(r, cache, &s, period_ns, &pace);
        if (err == E_OK) continue;
        log_fail(LOG_ERROR, "scrub.failed", err);
        if (err == E_IO) break; /* a failed sync is final */
        now_sleep_ms(PAUSE_MS);
    }
    scrub_free(&s);
    return err;
}
