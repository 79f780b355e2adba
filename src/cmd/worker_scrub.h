/*
 * worker_scrub: the worker that compares every byte of the database with its checksum, slowly, and
 * makes the checksums of parts that have none.
 */
#ifndef CMD_WORKER_SCRUB_H
#define CMD_WORKER_SCRUB_H

#include "db/view.h"

typedef struct {
    Root *root;
    ViewCache *cache;
    i64 period_ns; /* that a pass takes */
    /* Has the manager name the new sidecars of parts in the next view; those that the view no
     * longer has are passed over. */
    Err (*report)(void *arg, const Part *parts, u32 count);
    void *arg;
} WorkerScrub;

/* Runs until the process ends. Returns failures that leave nothing to do but to start anew. */
MUST_USE Err worker_scrub(const WorkerScrub *w);

#endif
