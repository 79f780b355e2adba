/*
 * heritage: a small kdb+ database from before, which the manager imports at its first start.
 */
#ifndef SIM_HERITAGE_H
#define SIM_HERITAGE_H

#include "base/prng.h"
#include "base/types.h"

/* Writes a database of a few dates before `day` below <folder>/hdb/data, durable, byte by byte as
 * kdb+ has it, and tells the model its rows. One table of the assembly is not in it. */
void heritage_make(Prng *p, const char *folder, i32 day);

#endif
