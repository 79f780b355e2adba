/*
 * intake: publishing: the calls that bring rows, and the one sync a loop turn that acknowledges
 * them.
 */
#ifndef CMD_INTAKE_H
#define CMD_INTAKE_H

#include "cmd/sm.h"

/* Adds the publishing calls to the api table and the turn hook to the loop. */
void intake_init(Sm *sm);

/* Syncs the stream and answers every call that waits for it. */
void intake_sync(Sm *sm);

#endif
