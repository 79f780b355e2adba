/*
 * progress: one line on a terminal that says how far long work is; nothing where stderr is no
 * terminal.
 */
#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include "base/str.h"
#include "base/types.h"

/* What is shown; zeroed = nothing is. */
typedef struct {
    bool on, shown;
    i64 began, last; /* monotonic */
    const char *unit;
} Progress;

/* Begins; `unit` names what is counted ("rows", "files"). */
void progress_begin(Progress *p, const char *unit);

/* Shows `done` of `all` (0 = unknown), a few times a second at most. */
void progress_show(Progress *p, u64 done, u64 all);

/* Shows what is waited for, and for how long. */
void progress_wait(Progress *p, Str what);

/* Wipes the line, so that what follows stands alone; idempotent. */
void progress_end(Progress *p);

#endif
