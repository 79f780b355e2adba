/*
 * fault: makes the n-th change of the disk fail, fall short, or stop the process.
 *
 * Every call of os/file and os/dir that changes the disk passes fault_point first. Off (the normal
 * case) it costs one load and one branch. Set by the environment, so that every role of a real
 * process tree can be reached:
 *     SILT_FAULT="kill:37"      _exit(137) just before change 37 (counted from 1)
 *     SILT_FAULT="error:37:ENOSPC"   change 37 fails with that errno; "error:37+:EIO" also all
 * later ones SILT_FAULT="short:37"     change 37, a write, is cut to half of its bytes
 *     SILT_FAULT="count:/path"  nothing fails; the file always holds the number of changes
 *     SILT_FAULT_ROLE="eoi"     only the process whose component name is this one (log_init's name)
 * Tests in the same process use fault_arm instead.
 */
#ifndef OS_FAULT_H
#define OS_FAULT_H

#include "base/fail.h"
#include "base/types.h"

/* FAULT_UNSYNCED counts syncs only (of files and folders): the n-th fails. */
typedef enum { FAULT_NONE, FAULT_KILL, FAULT_ERROR, FAULT_SHORT, FAULT_UNSYNCED } FaultKind;

/* What happened to this change: go on, fail with `error`, or write only `size` bytes. */
typedef struct {
    int error; /* errno to report; 0 = go on */
    u64 size;  /* bytes that may be written */
} FaultVerdict;

/* Reads SILT_FAULT once; `role` is this process's component name. E_USAGE on a malformed value. */
MUST_USE Err fault_init(const char *role);

/* Arms a fault from a test: `kind` at change `at` (1 = next), lasting or once. FAULT_NONE
 * disarms. */
void fault_arm(FaultKind kind, u64 at, bool lasting, int error);

/* The number of changes since the last fault_arm, or since a fault_init that found SILT_FAULT; 0
 * when there was neither, as nothing is counted then. */
u64 fault_count(void);

/* Called by os/ before each change of the disk; `size` = bytes about to be written, 0 for
 * others. */
FaultVerdict fault_point(const char *call, const char *path, u64 size);

/* A change that was made, as os/ tells it to a watcher (a test that replays power cuts). */
typedef enum {
    FAULT_OPEN,     /* a file may have been created; size 1 = it was cut to nothing */
    FAULT_WRITE,    /* `size` bytes of `data` at `at` */
    FAULT_TRUNCATE, /* to `size` bytes */
    FAULT_ALLOCATE, /* at least `size` bytes */
    FAULT_SYNC,     /* of a file; `failed` = it was made to fail */
    FAULT_FOLDER,   /* the same of a folder */
    FAULT_MKDIR,
    FAULT_SYMLINK, /* `to` = its text */
    FAULT_LINK,    /* `to` = the new name */
    FAULT_RENAME,  /* `to` = the new name */
    FAULT_UNLINK,
    FAULT_RMDIR
} FaultCall;

typedef struct {
    FaultCall call;
    const char *path; /* as it was opened or named; it may have another name by now */
    const char *to;
    int fd; /* of a file; -1 = none */
    bool failed;
    u64 at, size;
    const void *data;
} FaultChange;

typedef void (*FaultWatch)(void *arg, const FaultChange *c);

/* Has every change told to `watch`, on the thread that makes it, right after it was made; NULL ends
 * that. Changes that fail are not told, but for syncs that fault_arm made fail. For tests; not
 * while other threads change the disk. */
void fault_watch(FaultWatch watch, void *arg);

/* Called by os/ after each change. */
void fault_tell(const FaultChange *c);

#endif
