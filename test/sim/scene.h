/*
 * scene: what system a seed is about: its assembly, and how many read.
 */
#ifndef SIM_SCENE_H
#define SIM_SCENE_H

#include "base/prng.h"
#include "base/types.h"

#define SCENE_READERS_MAX 2

typedef struct {
    char file[512]; /* the assembly */
    i64 snap;       /* ns after midnight */
    u32 readers;
    const char *const *names; /* of the readers: of their instances and their processes */
    bool zipped;              /* days are compressed */
    bool imported;            /* the manager begins with a kdb+ database */
    u32 trouble; /* the change of that import at which something happens, 0 = nothing does */
} Scene;

/* Decides, and writes the assembly beside `folder`. `safe`: no power cuts and no failing disk, so
 * rows may be acknowledged before they are durable. `day`: today. `p` is the sequence of the whole
 * run; what was added later draws from one of its own, so that older seeds mean what they meant. */
void scene_make(Scene *s, Prng *p, u64 seed, const char *folder, i32 day, bool safe);

#endif
