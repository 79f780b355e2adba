/*
 * guard: a fault inside a mapped file (it was cut, or its device fails) does not end the process
 * (R18).
 *
 * The kernel answers a read of a page that it cannot bring with SIGBUS. With guard_start that page
 * and what is mapped behind it become zeros, and the mapping is marked as lost, before the read
 * goes on. So whoever reads mappings must ask for the mark (file_map_lost) after reading and before
 * using what was read; processes that do not ask must not start it: they end by the signal.
 */
#ifndef OS_GUARD_H
#define OS_GUARD_H

#include "base/fail.h"
#include "base/types.h"

/* Begins for this process. */
MUST_USE Err guard_start(void);

/* How many mappings were lost since the process began: while it is 0 nobody need look. */
u64 guard_lost(void);

/* Notes a mapping; 0 when there is no place for it: it is then not guarded. */
u32 guard_add(const void *data, u64 size);

/* Forgets it; before it is unmapped. 0 is allowed. */
void guard_remove(u32 slot);

/* Whether it was lost. */
bool guard_is_lost(u32 slot);

#endif
