/*
 * worker: the manager's children: eoi follows the stream and stages intervals, eod stages days, dbm
 * waits.
 *
 * They only stage: what they make counts when the manager has published it. They end when the
 * manager does.
 */
#ifndef CMD_WORKER_H
#define CMD_WORKER_H

#include "db/root.h"

/* `silt worker eoi|eod|dbm|scrub ASSEMBLY`; started by the manager. Returns the exit status. */
int worker_main(int argc, char **argv);

/* Waits until no worker of an earlier manager runs: they end with it, but not in the same instant,
 * and recovery removes what they stage. To be called by who holds the manager's lock, before it
 * recovers. E_BUSY when they still run after ten seconds. */
MUST_USE Err worker_wait(const Root *r);

#endif
