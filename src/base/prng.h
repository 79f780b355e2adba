/*
 * prng: seeded pseudo-random numbers (xoshiro256**, seeded by splitmix64). Not for secrets.
 */
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include "base/types.h"

typedef struct {
    u64 s[4];
} Prng;

/* Starts a sequence; the same seed gives the same numbers everywhere. */
void prng_init(Prng *p, u64 seed);

/* The next 64 random bits. */
u64 prng_next(Prng *p);

/* A number in [0, bound), bound > 0, without bias. */
u64 prng_below(Prng *p, u64 bound);

/* A number in [0, 1). */
f64 prng_unit(Prng *p);

#endif
