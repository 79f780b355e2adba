/*
 * starve: allocations that fail, one after another (reliability.md, T12).
 *
 * Test programs are linked so that every malloc, calloc, realloc, strdup and posix_memalign of ours
 * passes here. starve_each runs a piece of work again and again, each time in a process of its own
 * that begins with what the test has prepared: first its first allocation fails, then its second,
 * and so on until it needs no more; then once more, with all allocations from the n-th on failing.
 *
 * The work must end in the ordinary way, with E_OK (when it can do without) or with E_MEMORY and a
 * text, leak nothing (a sanitizer looks when its process ends), and leave the machine as it was.
 * Small pieces of an arena and slots of a map may end the process with "memory is gone", as
 * designed: starve_each counts these.
 */
#ifndef TEST_STARVE_H
#define TEST_STARVE_H

#include "base/fail.h"

typedef struct {
    u64 points;  /* allocations that were made to fail, in both ways */
    u64 refused; /* of these, ended with E_MEMORY */
    u64 gone;    /* ended the process as designed */
} StarveCount;

/* Runs the work; fails the test, with what the process said, when a rule is broken. `step`: every
 * step-th allocation only (1 = all). */
StarveCount starve_each(const char *name, Err (*work)(void *arg), void *arg, u64 step);

/* Makes temporary folders stand in memory where there is one and TMPDIR says nothing else: the many
 * runs need no device. To be called first. */
void starve_in_memory(void);

/* Within the work: from now on every allocation succeeds (to prepare, or to look at what a failure
 * has left); and the count begins anew. */
void starve_stop(void);
void starve_start(void);

#endif
