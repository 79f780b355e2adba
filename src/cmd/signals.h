/*
 * signals: intervals and days: when they end, who writes them down, and the commit of what was
 * staged.
 */
#ifndef CMD_SIGNALS_H
#define CMD_SIGNALS_H

#include "cmd/sm.h"

/* Adds the calls of workers and operators to the api table. */
void signals_init(Sm *sm);

/* Follows the stream after the view's watermark: finds signals that were published and not yet
 * committed, and tells the feed every publisher's last sequence. Counters go on from what is
 * found. */
MUST_USE Err signals_recover(Sm *sm);

/* Arms the timer of the next signal. */
void signals_arm(Sm *sm);

/* Ends the interval early when publishing was refused for want of room and log files would go with
 * a new view; called every second. When a view that somebody holds keeps the log, that is tried
 * every ten seconds. */
void signals_relieve(Sm *sm);

/* A worker's process ended: its waiting request is dropped and what it worked on is given out
 * again. */
void signals_worker_gone(Sm *sm, u32 worker);

/* Answers the calls that wait for work or for a commit; before the server closes. */
void signals_stop(Sm *sm);

#endif
