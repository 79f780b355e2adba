/*
 * loop: one event loop per process: readiness, timers, signals, child exits, work on other threads.
 * Over libuv; the only file that sees it.
 *
 * One loop thread owns all state of the process; callbacks run on it, except the `work` function of
 * loop_work. Handles (LoopWatch, LoopTimer, ...) live in the caller's struct, zeroed before the
 * first use, and must stay in place until stopped; stopping is immediate and idempotent.
 */
#ifndef OS_LOOP_H
#define OS_LOOP_H

#include "base/fail.h"
#include "base/types.h"

typedef struct Loop Loop;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef struct LoopWatch {
    void *handle;
    void (*ready)(void *arg, int events);
    void *arg;
    int events;
} LoopWatch;

typedef struct LoopTimer {
    void *handle;
    void (*fire)(void *arg);
    void *arg;
} LoopTimer;

/* Makes a loop; E_MEMORY, E_LIMIT. loop_free stops and frees everything still open; work under way
 * is waited for, but its `after` is not called any more. */
MUST_USE Err loop_make(Loop **loop);
void loop_free(Loop *loop);

/* Runs until loop_stop; loop_turn runs one turn, waiting at most `ms` for something to happen. */
void loop_run(Loop *loop);
void loop_turn(Loop *loop, u32 ms);
void loop_stop(Loop *loop);

/* Calls `ready(arg, events)` while the descriptor is ready for `events` (level triggered). Calling
 * it again changes the events; events = 0 pauses. loop_unwatch must come before the descriptor is
 * closed. */
MUST_USE Err loop_watch(Loop *loop, LoopWatch *w, int fd, int events, void (*ready)(void *, int),
                        void *arg);
void loop_watch_events(LoopWatch *w, int events);
void loop_unwatch(LoopWatch *w);

/* Calls `fire(arg)` after `delay_ms`, then every `repeat_ms` (0 = once). Starting again re-arms
 * it. */
void loop_timer(Loop *loop, LoopTimer *t, u64 delay_ms, u64 repeat_ms, void (*fire)(void *),
                void *arg);
void loop_timer_stop(LoopTimer *t);

/* Calls `turn(arg)` at the end of every loop turn in which something happened, after all readiness
 * callbacks: here the stream is written and synced once for all that came in. At most 8 hooks. */
void loop_each_turn(Loop *loop, void (*turn)(void *), void *arg);

/* Asks for one more turn at once, without waiting. */
void loop_again(Loop *loop);

/* Calls `got(arg, signo)` on the loop thread when the signal arrives. At most 8. */
MUST_USE Err loop_signal(Loop *loop, int signo, void (*got)(void *, int), void *arg);

/* Calls `gone(arg, pid, status)` for every child that ended (waitpid's status). */
MUST_USE Err loop_children(Loop *loop, void (*gone)(void *, int pid, int status), void *arg);

/* Runs `work(arg)` on a worker thread, then `after(arg)` on the loop thread. */
void loop_work(Loop *loop, void (*work)(void *), void (*after)(void *), void *arg);

/* Wakes the loop from another thread; the next turn runs the turn hooks. */
void loop_wake(Loop *loop);

#endif
