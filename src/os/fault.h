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

typedef enum { FAULT_NONE, FAULT_KILL, FAULT_ERROR, FAULT_SHORT } FaultKind;

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

#endif
