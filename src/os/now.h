/*
 * now: wall and monotonic time, both replaceable by a test's false clock.
 *
 * Wall time is q's: nanoseconds since 2000.01.01 UTC (NOW_EPOCH_NS after 1970). It may jump either
 * way; order is never taken from it (P8). Monotonic time only measures and schedules.
 */
#ifndef OS_NOW_H
#define OS_NOW_H

#include "base/fail.h"
#include "base/types.h"

#define NOW_EPOCH_NS 946684800000000000LL /* 1970 to 2000 in ns */
#define NOW_DAY_NS   86400000000000LL

/* Nanoseconds since 2000.01.01 UTC. SILT_NOW_OFFSET_NS in the environment is added (tests of real
 * processes: a whole process tree lives in another time). */
i64 now_wall(void);

/* Looks whether SILT_NOW_OFFSET_NS is a number; E_USAGE when not (now_wall then takes it as 0). */
MUST_USE Err now_init(void);

/* Nanoseconds since 1970, for log_clock. */
i64 now_unix(void);

/* Monotonic nanoseconds from an arbitrary start. */
i64 now_mono(void);

/* Monotonic nanoseconds that no false clock replaces: for time limits on the kernel. */
i64 now_ticks(void);

/* Replaces both clocks (NULL restores the real ones). */
void now_fake(i64 (*wall)(void), i64 (*mono)(void));

/* Sleeps; for command line tools and tests, never on a loop thread. */
void now_sleep_ms(u32 ms);

#endif
