/*
 * fibers: the processes of a simulated machine, as stackful threads of one real process, run one
 * slice at a time in an order that a seed decides; and that machine's two clocks.
 *
 * A Process has fibers: its main one, and those of loop_work. A fiber runs until it waits
 * (fibers_wait) or is interrupted (fibers_pause, at changes of the disk and where files are
 * opened). Nothing is ever truly parallel, so a seed repeats a run exactly. A process that is
 * killed never runs again; its memory is lost with the real process, which lives for one seed.
 *
 * This file takes the place of os/now, os/proc and os/pool in the program.
 */
#ifndef SIM_FIBERS_H
#define SIM_FIBERS_H

#include "base/fail.h"
#include "base/list.h"
#include "base/types.h"

typedef struct Fiber Fiber;

typedef int (*FibersMain)(int argc, char **argv);

/* What disk.c does to a process, counted in changes of the disk from now on. */
typedef enum { SPOIL_NONE, SPOIL_KILL, SPOIL_ERROR, SPOIL_SHORT, SPOIL_POWER } SpoilKind;

typedef struct {
    SpoilKind kind;
    u64 at; /* the change that is meant, 1 = next */
    bool lasting;
    bool syncs; /* only syncs count */
    int error;
    bool met;
} Spoil;

typedef struct Process {
    List link;
    int pid;
    char name[16]; /* sm, eoi, eod, dbm, da */
    bool alive;
    int status; /* waitpid's, when it is gone */
    struct Process *parent;
    FibersMain main;
    int argc;
    char *argv[40];
    u64 doom;    /* slices left until the signal of the parent's death arrives; 0 = none */
    bool frozen; /* does not run until that is taken back */
    bool slow;   /* runs less often than the others */
    void *loop;  /* loops.c */
    void *api;   /* ports.c */
    Spoil spoil;
    u64 changes; /* of the disk, in its life */
    bool failed; /* an injected failure was met */
    bool judged; /* its end was looked at */
} Process;

/* Starts the machine. `odds` of 16: how often a slice ends at a possible interruption. */
void fibers_init(u64 seed, u64 odds, i64 wall);

/* Lets log lines say which process speaks; "off" = none is shown. */
void fibers_log(const char *level);

/* A number in [0, bound) of the schedule's sequence. */
u64 fibers_random(u64 bound);

/* Starts a process; argv is copied. */
Process *fibers_spawn(const char *name, FibersMain main, int argc, const char *const *argv,
                      Process *parent);

/* Starts one more fiber of a process. */
Fiber *fibers_start(Process *p, void (*run)(void *arg), void *arg);

/* The process whose fiber runs, NULL outside; and that fiber. */
Process *fibers_process(void);
Fiber *fibers_self(void);

/* The living process of that name, or NULL; all processes. */
Process *fibers_find(const char *name);
List *fibers_all(void);

/* Ends a process as a signal does: at once. When it is the running one, does not return. */
void fibers_kill(Process *p, int signo);

/* Waits until poked or until a moment of the monotonic clock. A poll is a wait of somebody who
 * looks whether something has happened; `real` = when he has something else to do. */
void fibers_wait(i64 until, bool poll, i64 real);
void fibers_poke(Fiber *f);

/* A place where the schedule may turn to others. */
void fibers_pause(void);

/* Something happened that others may be waiting for. */
void fibers_changed(void);

/* Runs the machine: for a time, for a number of slices, or until nothing happens by itself within
 * `quiet` ns (false: it did not come to rest). Not from within a fiber. */
void fibers_run(i64 ns);
void fibers_slices(u64 count);
bool fibers_settle(i64 quiet);

/* Moves the clocks: as if the whole machine had slept; the wall clock alone. */
void fibers_sleep_all(i64 ns);
void fibers_turn_clock(i64 ns);

/* The clocks, and the latest time that the wall clock ever showed. */
i64 fibers_wall(void);
i64 fibers_mono(void);
i64 fibers_wall_max(void);

/* Slices run so far. */
u64 fibers_count(void);

#endif
