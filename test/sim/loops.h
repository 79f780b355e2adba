/*
 * loops: the event loop of a simulated process; takes the place of os/loop in the program.
 *
 * Everything that happens to a process is an event in its line: calls of clients (ports.c), the end
 * of work, of children, signals. A turn takes some of them, by the seed, fires timers that are due,
 * and then calls the hooks, as the real loop does.
 */
#ifndef SIM_LOOPS_H
#define SIM_LOOPS_H

#include "fibers.h"
#include "os/loop.h"

/* Puts an event in the line of a loop. */
void loops_post(Loop *l, void (*run)(void *arg), void *arg);

/* The process that a loop belongs to. */
Process *loops_process(const Loop *l);

/* A child of the process ended. */
void loops_child_gone(Process *p, int pid, int status);

/* Delivers a signal; false when the process has no handler for it. */
bool loops_signal(Process *p, int signo);

/* The process died: its loop hears nothing any more. */
void loops_process_gone(Process *p);

#endif
