/*
 * worker_scrub: the worker that compares every byte of the database with its checksum, slowly.
 */
#ifndef CMD_WORKER_SCRUB_H
#define CMD_WORKER_SCRUB_H

#include "db/view.h"

/* Runs until the process ends; a pass takes `period_ns`. Returns failures that leave nothing to do
 * but to start anew. */
MUST_USE Err worker_scrub(Root *r, ViewCache *cache, i64 period_ns);

#endif
