/*
 * pool: n independent tasks over all cores, then joined.
 *
 * Tasks get their inputs, own their outputs, and touch nothing else. The calling thread works too.
 * Nested calls from inside a task run in that task's thread.
 */
#ifndef OS_POOL_H
#define OS_POOL_H

#include "base/fail.h"
#include "base/types.h"

/* Runs task(arg, i) for i in [0, count) on up to `threads` threads (0 = processors) and waits for
 * all. Returns the failure of the lowest i that failed (its text becomes this thread's); the others
 * still run. */
MUST_USE Err pool_run(u64 count, int threads, Err (*task)(void *arg, u64 i), void *arg);

/* Has every later job run in its caller's thread, one task after the other: for tests that must do
 * the same in the same order each time. Not while a job runs. */
void pool_alone(bool alone);

#endif
