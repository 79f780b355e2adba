/*
 * schedule: when the next interval ends (storage-manager.md 5, O-05, O-17).
 *
 * Boundaries are offset + k * freq since 2000.01.01 midnight UTC, so they are the same after every
 * restart, and for lengths that divide a day they fall on midnight plus offset. After a stop that
 * spanned several boundaries one interval covers them all. Time that goes back decides nothing:
 * `due` is always after the last signal's end.
 */
#include "writedown/schedule.h"

#include "base/fail.h"
#include "q/temporal.h"

/* The greatest boundary at or before `t`. */
static i64 boundary_before(const ScheduleSettings *s, i64 t)
{
    i64 since = t - s->offset_ns;
    i64 k = since / s->freq_ns;
    if (since % s->freq_ns < 0) k--;
    return k * s->freq_ns + s->offset_ns;
}

i64 schedule_align(const ScheduleSettings *s, i64 now)
{
    ASSERT(s->freq_ns > 0 && s->offset_ns >= 0);
    return boundary_before(s, now);
}

ScheduleNext schedule_next(const ScheduleSettings *s, const ScheduleState *state, i64 now)
{
    ASSERT(s->freq_ns > 0 && s->offset_ns >= 0);
    i64 due = boundary_before(s, state->start) + s->freq_ns;
    i64 latest = boundary_before(s, now);
    if (latest > due) due = latest; /* a long stop: one interval for all that was missed */
    ScheduleNext next = {.due = due, .ends_day = false, .day_end = state->day_end};
    i64 closable = (i64)temporal_day_of(due - s->snap_ns) * TEMPORAL_DAY_NS;
    if (closable > state->day_end) {
        next.ends_day = true;
        next.day_end = closable;
    }
    return next;
}
