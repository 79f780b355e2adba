/*
 * now: the two clocks of the kernel, and the false ones that tests put in their place.
 *
 * The offset from the environment is read once, by whichever thread asks first. now_fake is for one
 * thread that starts others later.
 */
#include "os/now.h"
#include "base/str.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static i64 (*fake_wall)(void);
static i64 (*fake_mono)(void);
static i64 offset;
static bool offset_bad;
static pthread_once_t offset_once = PTHREAD_ONCE_INIT;

static void offset_read(void)
{
    const char *text = getenv("SILT_NOW_OFFSET_NS");
    if (text && *text) offset_bad = !str_i64(str_of(text), &offset);
}

static i64 read_clock(clockid_t id)
{
    struct timespec t;
    ASSERT(clock_gettime(id, &t) == 0);
    return (i64)t.tv_sec * 1000000000 + t.tv_nsec;
}

Err now_init(void)
{
    pthread_once(&offset_once, offset_read);
    if (offset_bad) return fail(E_USAGE, "SILT_NOW_OFFSET_NS is not a number of nanoseconds");
    return E_OK;
}

i64 now_wall(void)
{
    if (fake_wall) return fake_wall();
    pthread_once(&offset_once, offset_read);
    return read_clock(CLOCK_REALTIME) - NOW_EPOCH_NS + offset;
}

i64 now_unix(void) { return now_wall() + NOW_EPOCH_NS; }

i64 now_mono(void) { return fake_mono ? fake_mono() : now_ticks(); }

i64 now_ticks(void) { return read_clock(CLOCK_MONOTONIC); }

void now_fake(i64 (*wall)(void), i64 (*mono)(void))
{
    fake_wall = wall;
    fake_mono = mono;
}

void now_sleep_ms(u32 ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&t, &t) != 0 && errno == EINTR) {}
}
