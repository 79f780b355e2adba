/*
 * tail: follow the WAL of a folder from a position, from any process: replay and following are the
 * same call.
 *
 * Maps log files read-only and steps over their records up to the shared durable position. Zero
 * copies: a record borrows from the mapping and is good until the next tail_next.
 */
#ifndef STREAM_TAIL_H
#define STREAM_TAIL_H

#include "stream/wal.h"

typedef struct {
    char *path;
    u64 position;      /* of the next record */
    FileMap map;       /* the log file that holds it */
    File file;         /* the same, locked shared while it is mapped; valid when map.data is set */
    u64 first, id;     /* of that file */
    WalShared *shared; /* read-only mapping */
    Arena memory;
} Tail;

/* Opens the folder at a position. E_NOT_FOUND when the folder or its shared page is not there yet;
 * E_CORRUPT when the position lies before the oldest retained record (the text names both). */
MUST_USE Err tail_open(Tail *t, const char *path, u64 position);

/* The next record before the durable position: *got = false when there is none now. E_CORRUPT on
 * damage. */
MUST_USE Err tail_next(Tail *t, WalRecord *r, bool *got);

/* How far the stream is durable, and the newest view, now. */
u64 tail_durable(const Tail *t);
u64 tail_view(const Tail *t);

/* Closes; idempotent. */
void tail_close(Tail *t);

#endif
