/*
 * tplog: a kdb+ tickerplant's log (kdb-files.md 9), read message by message up to its end or to the
 * place where it is torn.
 *
 * A Tplog borrows from its mapping; messages are good until tplog_close. One thread.
 */
#ifndef COLUMN_TPLOG_H
#define COLUMN_TPLOG_H

#include "column/image.h"
#include "q/value.h"

typedef struct {
    char *path;
    Image image;
    u64 at;    /* bytes of sound messages so far, the header included: where the next one begins */
    u64 count; /* messages so far */
    bool torn; /* what stands at `at` is no whole message */
} Tplog;

/* Maps a log. E_CORRUPT when its first bytes are not those of a log. */
MUST_USE Err tplog_open(Tplog *t, const char *path);

/* The next message: *more = false at the end and at a tear, which t->torn tells apart. A tear is no
 * error: cutting the file to t->at bytes mends it. E_MEMORY, E_LIMIT from decoding. */
MUST_USE Err tplog_next(Tplog *t, Arena *a, Value *message, bool *more);

/* Unmaps; idempotent. */
void tplog_close(Tplog *t);

#endif
