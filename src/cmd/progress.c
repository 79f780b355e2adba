/*
 * progress: one line on a terminal, rewritten in place: a bar and the share when the end is known,
 * else a count and a rate. Command line tools only; one thread at a time.
 */
#include "cmd/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "os/now.h"
#include "os/proc.h"

#define PROGRESS_EVERY_NS 200000000LL
#define PROGRESS_BAR      30

void progress_begin(Progress *p, const char *unit)
{
    *p = (Progress){.on = proc_is_tty(STDERR_FILENO), .unit = unit, .began = now_mono()};
}

/* Whether it is time to show something again. */
static bool is_due(Progress *p)
{
    i64 now = now_mono();
    if (!p->on || now - p->last < PROGRESS_EVERY_NS) return false;
    p->last = now;
    p->shown = true;
    return true;
}

void progress_show(Progress *p, u64 done, u64 all)
{
    static const char full[] = "##############################",
                      none[] = "..............................";
    if (!is_due(p)) return;
    f64 seconds = (f64)(p->last - p->began) / 1e9;
    f64 rate = seconds > 0 ? (f64)done / seconds : 0;
    if (all == 0) {
        fprintf(stderr, "\r\x1b[K%llu %s, %.0f/s", (unsigned long long)done, p->unit, rate);
    } else {
        int filled = (int)((f64)PROGRESS_BAR * (f64)MIN(done, all) / (f64)all);
        fprintf(stderr, "\r\x1b[K[%.*s%.*s] %3.0f%% %llu of %llu %s", filled, full,
                PROGRESS_BAR - filled, none, 100.0 * (f64)MIN(done, all) / (f64)all,
                (unsigned long long)done, (unsigned long long)all, p->unit);
    }
    fflush(stderr);
}

void progress_wait(Progress *p, Str what)
{
    if (!is_due(p)) return;
    fprintf(stderr, "\r\x1b[K%.*s, %.1f s", STR_FMT(what), (f64)(p->last - p->began) / 1e9);
    fflush(stderr);
}

void progress_end(Progress *p)
{
    if (p->on && p->shown) fputs("\r\x1b[K", stderr);
    p->shown = false;
}
