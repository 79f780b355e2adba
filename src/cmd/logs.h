/*
 * logs: the log files of a folder, record by record, for tools that only look.
 *
 * Works beside a running manager and on what is left of a dead one; trusts nothing, changes
 * nothing. One thread a LogsFile.
 */
#ifndef CMD_LOGS_H
#define CMD_LOGS_H

#include "base/arena.h"
#include "os/file.h"
#include "stream/wal.h"

/* A log file's name in a folder. */
typedef struct {
    const char *path;
    u64 first; /* position that its name says */
} LogsName;

/* Lists the log files of a folder by position; a folder that is not there has none. */
MUST_USE Err logs_list(const char *folder, Arena *a, LogsName **names, u64 *count);

/* The page that the processes share; *there = false when there is none. E_CORRUPT when it is no
 * such page. */
MUST_USE Err logs_shared(const char *folder, WalShared *shared, bool *there);

/* An open log file and where we are in it. */
typedef struct {
    File file; /* locked shared, so that it is not used anew meanwhile */
    FileMap map;
    u64 first, id;
    u64 position; /* of the next record; at the end: where the sound records end */
    bool closed;  /* an END record was met, */
    u64 next;     /* where the next file then begins */
    bool damaged; /* what stands at `position` is more than space that was never used */
} LogsFile;

/* Opens a log file and checks its header. E_CORRUPT, E_BUSY when it is being used anew. */
MUST_USE Err logs_open(LogsFile *f, const char *path);

/* The next record; *got = false at the end, when closed and damaged are set. */
void logs_next(LogsFile *f, WalRecord *r, bool *got);

/* E_CORRUPT when bytes of it were lost while it was read (os/guard): what was read may be zeros. */
MUST_USE Err logs_intact(const LogsFile *f, const char *path);

/* Closes; idempotent. */
void logs_close(LogsFile *f);

#endif
