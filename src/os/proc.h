/*
 * proc: start and end processes, signals, ids.
 */
#ifndef OS_PROC_H
#define OS_PROC_H

#include "base/arena.h"
#include "base/fail.h"
#include "base/types.h"

/* Starts a program (argv ended by NULL, environment inherited plus `env_extra` "K=V" texts ended by
 * NULL, NULL = none). It dies when we die (PR_SET_PDEATHSIG SIGTERM). Standard input is /dev/null;
 * output and errors are ours. *pid receives the child. */
MUST_USE Err proc_spawn(const char *const *argv, const char *const *env_extra, int *pid);

/* Sends a signal; a process that is gone is fine. */
void proc_signal(int pid, int signo);

/* Waits for a child up to `ms`; *status is waitpid's; E_TIMEOUT when it still runs. */
MUST_USE Err proc_wait(int pid, u32 ms, int *status);

/* The path of the running program (/proc/self/exe). */
MUST_USE Err proc_self(Arena *a, char **path);

/* This process's id; and the parent's. */
int proc_id(void);
int proc_parent(void);

/* Processors we may run on, at least 1. */
int proc_cpus(void);

/* Environment variable, or NULL. */
const char *proc_env(const char *name);

/* Resident anonymous bytes of this process now (RssAnon). */
u64 proc_memory(void);

/* Bytes that this process may use: the control group's limit, else the machine's memory. */
u64 proc_memory_limit(void);

/* Nanoseconds of processor time that a process has used, all its threads; 0 = not known. It stands
 * still while the process does. */
u64 proc_work(int pid);

/* Whether a descriptor is a terminal. */
bool proc_is_tty(int fd);

/* Fills `out` with random bytes from the kernel. */
void proc_random(void *out, u64 size);

#endif
