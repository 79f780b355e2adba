/*
 * status: what the manager tells of itself: status, mounts, partitions, health, metrics; and who
 * wants reload news.
 */
#ifndef CMD_STATUS_H
#define CMD_STATUS_H

#include "cmd/sm.h"

/* Adds the calls to the api table and the manager's gauges to the metrics. */
void status_init(Sm *sm);

/* Sends the reload signal of the current view to every registered client. */
void status_tell(Sm *sm);

/* Forgets the clients of a connection that went away. */
void status_closed(Sm *sm, void *conn);

/* The lowest view that a client still has to acknowledge, ~0 when none; clients past their time are
 * let go (O-39). */
u64 status_hold(Sm *sm);

/* The parts of a view as a table value: kind, part, date, tier, table, rows, bytes, minTS, maxTS,
 * path, why. */
Value status_parts(const View *v, const Config *c, Arena *a);

#endif
