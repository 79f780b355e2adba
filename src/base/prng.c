/*
 * prng: xoshiro256** (Blackman and Vigna), its state filled by splitmix64, so that near seeds give
 * unlike sequences and the state is never all zero.
 */
#include "base/prng.h"
#include "base/fail.h"

__extension__ typedef unsigned __int128 Wide;

static u64 splitmix(u64 *state)
{
    u64 z = (*state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static u64 rotate(u64 v, int by) { return (v << by) | (v >> (64 - by)); }

void prng_init(Prng *p, u64 seed)
{
    for (u64 i = 0; i < COUNT_OF(p->s); i++)
        p->s[i] = splitmix(&seed);
}

u64 prng_next(Prng *p)
{
    u64 *s = p->s;
    u64 result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

u64 prng_below(Prng *p, u64 bound)
{
    ASSERT(bound > 0);
    /* The high word of next * bound is uniform once low words below 2^64 mod bound are refused. */
    u64 floor = (0 - bound) % bound;
    for (;;) {
        Wide product = (Wide)prng_next(p) * bound;
        if ((u64)product >= floor) return (u64)(product >> 64);
    }
}

f64 prng_unit(Prng *p) { return (f64)(prng_next(p) >> 11) * 0x1p-53; }
