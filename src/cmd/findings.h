/*
 * findings: what a check found: file, rule, text; errors and warnings.
 *
 * A zeroed Findings is empty. Each task of a parallel check fills its own, which are joined
 * afterwards in the order of the tasks. Beyond FINDINGS_MAX they are only counted.
 */
#ifndef CMD_FINDINGS_H
#define CMD_FINDINGS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"

#define FINDINGS_MAX 10000

typedef struct {
    const char *file, *rule, *text;
    bool warning;
} Finding;

typedef struct {
    Finding *list;
    u32 count, room;
    u64 errors, warnings;
    Arena memory;
} Findings;

/* Adds a violation of a rule, or a warning. */
void findings_bad(Findings *f, const char *file, const char *rule, const char *format, ...)
    PRINTF(4, 5);
void findings_warn(Findings *f, const char *file, const char *rule, const char *format, ...)
    PRINTF(4, 5);

/* Adds this thread's last failure, whose code is `err`: a warning when it is E_UNSUPPORTED (what
 * was not checked is said), else a violation. */
void findings_fail(Findings *f, const char *file, const char *rule, Err err);

/* Adds all of `from`, in order, and frees it. */
void findings_join(Findings *f, Findings *from);

/* Appends them as lines of text, or as JSON objects one a line. */
MUST_USE Err findings_write(const Findings *f, bool json, Buf *out);

/* Frees; idempotent. */
void findings_free(Findings *f);

#endif
