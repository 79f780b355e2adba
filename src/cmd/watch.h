/*
 * watch: the manager's look at its workers: one that hangs is ended, so that another takes its work
 * up.
 */
#ifndef CMD_WATCH_H
#define CMD_WATCH_H

#include "cmd/sm.h"

/* Starts to look every second. SILT_WORKER_HANG_MS in the environment (of tests) sets how long a
 * worker that has work may stand still, 60 seconds otherwise. */
void watch_start(Sm *sm);

/* Seconds since the oldest interval was signalled that is not committed yet; 0 = there is none. */
f64 watch_open_seconds(const Sm *sm);

#endif
