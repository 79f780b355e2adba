/*
 * schedule: when the next interval ends and whether it ends the day. Pure: clock, settings and the
 * last signal in, decision out.
 *
 * Intervals are aligned to midnight UTC plus offset (O-05). A clock that went back signals nothing
 * until it has caught up with the last signal (O-17, P8). The first interval that ends at or after
 * the day's end plus snap closes that day.
 */
#ifndef WRITEDOWN_SCHEDULE_H
#define WRITEDOWN_SCHEDULE_H

#include "base/types.h"

typedef struct {
    i64 freq_ns, offset_ns, snap_ns;
} ScheduleSettings;

typedef struct {
    i64 start;   /* end of the last interval (start of the one that runs) */
    i64 day_end; /* days before it are closed: rows signalled before were taken by a day job */
} ScheduleState;

typedef struct {
    i64 due;       /* wall time at which the running interval ends */
    bool ends_day; /* its signal is an end-of-day signal */
    i64 day_end;   /* the midnight that is closed by it */
} ScheduleNext;

/* The next signal for a state. */
ScheduleNext schedule_next(const ScheduleSettings *s, const ScheduleState *state, i64 now);

/* The aligned start of the interval that holds `now`. */
i64 schedule_align(const ScheduleSettings *s, i64 now);

#endif
