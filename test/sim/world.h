/*
 * world: one run of the whole system, decided by a seed: publishers, questions, faults, clocks,
 * restarts, and at the end a quiet day.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/types.h"

typedef struct {
    u64 steps, rows, questions, deaths, power_cuts, changes, syncs, slices, views, unzipped;
    i64 days; /* simulated */
} WorldCounts;

/* Runs a seed in `folder`, which is there and empty. Returns when everything held; else prints why
 * and ends the real process with status 1. */
void world_run(u64 seed, const char *folder, const char *log_level, WorldCounts *counts);

#endif
