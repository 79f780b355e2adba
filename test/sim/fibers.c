/*
 * fibers: the scheduler of the simulated machine.
 *
 * A fiber is runnable when it was poked or its time has come. fibers_slices picks one of the
 * runnable ones by the seed and runs it until it waits or is interrupted. When none is runnable the
 * clock moves to the next moment that somebody waits for.
 *
 * Polls: the worker eoi and the reader look every few milliseconds whether the stream has grown. A
 * fiber that polled without finding anything is not waited for until somebody else has done
 * something (`activity`), or simulated days would consist of looking. It still looks after each
 * move of the clock.
 *
 * The record of the last failure belongs to a thread; it is exchanged with the fiber.
 */
#include "fibers.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/log.h"
#include "base/prng.h"
#include "disk.h"
#include "loops.h"
#include "os/now.h"
#include "os/pool.h"
#include "os/proc.h"
#include "ports.h"

#define STACK_SIZE  (1u << 20)
#define FIBERS_MAX  4096
#define SETTLE_MAX  400000 /* slices: beyond them something goes round in circles */
#define PAUSE_SIDES 16

struct Fiber {
    ucontext_t context;
    Process *process;
    void (*run)(void *arg);
    void *arg;
    void *stack;
    bool over, poked, poll, polling;
    i64 wake, real;
    u64 seen;
    FailRecord failure;
};

static struct {
    Prng schedule, entropy;
    List processes;
    Fiber *fibers[FIBERS_MAX];
    u32 count;
    Fiber *self;
    ucontext_t outside;
    FailRecord failure; /* of the outside */
    void *stacks[64];   /* of fibers that are over */
    u32 stack_count;
    u64 odds, slices, activity;
    bool changed;
    i64 wall, wall_max, mono;
    int next_pid;
    LogLevel level;
} machine;

void fibers_init(u64 seed, u64 odds, i64 wall)
{
    prng_init(&machine.schedule, seed * 2 + 1);
    prng_init(&machine.entropy, seed * 2 + 2);
    list_init(&machine.processes);
    machine.odds = odds;
    machine.wall = machine.wall_max = wall;
    machine.mono = 1000000000;
    machine.next_pid = 100;
}

void fibers_log(const char *level)
{
    if (!log_level_parse(level, &machine.level)) abort();
}

u64 fibers_random(u64 bound) { return prng_below(&machine.schedule, bound); }

Process *fibers_process(void) { return machine.self == NULL ? NULL : machine.self->process; }

Fiber *fibers_self(void) { return machine.self; }

List *fibers_all(void) { return &machine.processes; }

u64 fibers_count(void) { return machine.slices; }

void fibers_changed(void) { machine.changed = true; }

Process *fibers_find(const char *name)
{
    LIST_EACH(it, &machine.processes)
    {
        Process *p = LIST_ENTRY(it, Process, link);
        if (p->alive && strcmp(p->name, name) == 0) return p;
    }
    return NULL;
}

/* ---- fibers */

/* Back to the scheduler; returns when the fiber is picked again. */
static void leave(void)
{
    Fiber *f = machine.self;
    fail_save(&f->failure);
    if (swapcontext(&f->context, &machine.outside) != 0) abort();
    fail_restore(&f->failure);
}

static void entry(void)
{
    Fiber *f = machine.self;
    fail_restore(&f->failure);
    f->run(f->arg);
    f->over = true;
    leave();
    abort();
}

static void *stack_take(void)
{
    if (machine.stack_count > 0) return machine.stacks[--machine.stack_count];
    void *at = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) abort();
    return at;
}

Fiber *fibers_start(Process *p, void (*run)(void *arg), void *arg)
{
    Fiber *f = calloc(1, sizeof *f);
    if (f == NULL || machine.count == FIBERS_MAX) abort();
    f->process = p;
    f->run = run;
    f->arg = arg;
    f->poked = true;
    f->stack = stack_take();
    if (getcontext(&f->context) != 0) abort();
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK_SIZE;
    makecontext(&f->context, entry, 0);
    machine.fibers[machine.count++] = f;
    machine.changed = true;
    return f;
}

void fibers_poke(Fiber *f)
{
    if (f != NULL) f->poked = true;
    machine.changed = true;
}

void fibers_wait(i64 until, bool poll, i64 real)
{
    Fiber *f = machine.self;
    ASSERT(f != NULL);
    f->wake = until;
    f->real = real;
    f->poll = poll;
    if (machine.changed || !f->polling) machine.activity++;
    f->seen = machine.activity;
    leave();
}

void fibers_pause(void)
{
    Fiber *f = machine.self;
    if (f == NULL || prng_below(&machine.schedule, PAUSE_SIDES) >= machine.odds) return;
    f->poked = true;
    machine.activity++;
    leave();
}

/* Takes fibers that are over off the list. */
static void bury(void)
{
    u32 kept = 0;
    for (u32 i = 0; i < machine.count; i++) {
        Fiber *f = machine.fibers[i];
        if (!f->over) {
            machine.fibers[kept++] = f;
        } else {
            if (machine.stack_count < COUNT_OF(machine.stacks))
                machine.stacks[machine.stack_count++] = f->stack;
            else
                munmap(f->stack, STACK_SIZE);
            free(f);
        }
    }
    machine.count = kept;
}

/* ---- processes */

/* A process is gone: what the kernel does then. */
static void end_process(Process *p, int status)
{
    p->alive = false;
    p->status = status;
    for (u32 i = 0; i < machine.count; i++)
        if (machine.fibers[i]->process == p) machine.fibers[i]->over = true;
    disk_process_gone(p);
    ports_process_gone(p);
    loops_process_gone(p);
    LIST_EACH(it, &machine.processes)
    {
        Process *child = LIST_ENTRY(it, Process, link);
        if (child->parent == p && child->alive) child->doom = 1 + prng_below(&machine.schedule, 30);
    }
    if (p->parent != NULL && p->parent->alive) loops_child_gone(p->parent, p->pid, status);
    machine.changed = true;
}

static void run_main(void *arg)
{
    Process *p = arg;
    int status = p->main(p->argc, p->argv);
    end_process(p, status << 8);
}

Process *fibers_spawn(const char *name, FibersMain main, int argc, const char *const *argv,
                      Process *parent)
{
    Process *p = calloc(1, sizeof *p);
    if (p == NULL || argc >= (int)COUNT_OF(p->argv)) abort();
    p->pid = machine.next_pid++;
    snprintf(p->name, sizeof p->name, "%s", name);
    p->alive = true;
    p->parent = parent;
    p->main = main;
    p->argc = argc;
    for (int i = 0; i < argc; i++)
        p->argv[i] = strdup(argv[i]);
    p->slow = prng_below(&machine.schedule, 4) == 0;
    list_append(&machine.processes, &p->link);
    fibers_start(p, run_main, p);
    return p;
}

void fibers_kill(Process *p, int signo)
{
    bool own = machine.self != NULL && machine.self->process == p;
    if (!p->alive) return;
    end_process(p, signo);
    if (own) leave();
}

/* ---- the schedule */

static bool runnable(const Fiber *f)
{
    return !f->over && !f->process->frozen && (f->poked || f->wake <= machine.mono);
}

static void move_clock(i64 to)
{
    if (to < machine.mono) abort(); /* the wall clock may go back, this one never */
    machine.wall += to - machine.mono;
    machine.mono = to;
    machine.wall_max = MAX(machine.wall_max, machine.wall);
}

static void run_slice(Fiber *f)
{
    machine.slices++;
    f->polling = f->poll && !f->poked;
    f->poked = f->poll = false;
    f->wake = INT64_MAX;
    machine.changed = false;
    machine.self = f;
    if (machine.level != LOG_OFF) log_init(f->process->name, machine.level, false);
    fail_save(&machine.failure);
    if (swapcontext(&machine.outside, &f->context) != 0) abort();
    fail_restore(&machine.failure);
    machine.self = NULL;
    move_clock(machine.mono + 1000 + (i64)prng_below(&machine.schedule, 20000));
    bury();
}

/* Runs one slice of somebody; false when nobody is runnable. */
static bool step(void)
{
    Fiber *able[FIBERS_MAX];
    u32 count = 0;
    for (u32 i = 0; i < machine.count; i++)
        if (runnable(machine.fibers[i])) able[count++] = machine.fibers[i];
    if (count == 0) return false;
    Fiber *f = able[prng_below(&machine.schedule, count)];
    if (f->process->slow && prng_below(&machine.schedule, 4) != 0)
        f = able[prng_below(&machine.schedule, count)];
    Process *p = f->process;
    if (p->doom > 0 && --p->doom == 0) {
        fibers_kill(p, SIGTERM);
        bury();
        return true;
    }
    run_slice(f);
    return true;
}

/* The next moment that somebody waits for. */
static i64 next_moment(void)
{
    i64 next = INT64_MAX;
    for (u32 i = 0; i < machine.count; i++) {
        const Fiber *f = machine.fibers[i];
        if (f->over || f->process->frozen) continue;
        bool idle = f->poll && f->seen == machine.activity;
        next = MIN(next, idle ? f->real : f->wake);
    }
    return next;
}

/* Signals of a parent's death arrive at the latest when everybody waits. */
static bool reap_doomed(void)
{
    LIST_EACH(it, &machine.processes)
    {
        Process *p = LIST_ENTRY(it, Process, link);
        if (!p->alive || p->doom == 0) continue;
        fibers_kill(p, SIGTERM);
        bury();
        return true;
    }
    return false;
}

void fibers_slices(u64 count)
{
    while (count-- > 0 && step()) {}
}

void fibers_run(i64 ns)
{
    i64 end = machine.mono + ns;
    while (machine.mono < end) {
        if (step() || reap_doomed()) continue;
        move_clock(MIN(next_moment(), end));
    }
}

bool fibers_settle(i64 quiet)
{
    u64 from = machine.slices;
    while (machine.slices - from < SETTLE_MAX) {
        if (step() || reap_doomed()) continue;
        i64 next = next_moment();
        if (next == INT64_MAX || next - machine.mono > quiet) return true;
        move_clock(next);
    }
    return false;
}

void fibers_sleep_all(i64 ns) { move_clock(machine.mono + ns); }

void fibers_turn_clock(i64 ns)
{
    machine.wall += ns;
    machine.wall_max = MAX(machine.wall_max, machine.wall);
}

i64 fibers_wall(void) { return machine.wall; }

i64 fibers_mono(void) { return machine.mono; }

i64 fibers_wall_max(void) { return machine.wall_max; }

/* ---- os/now */

i64 now_wall(void) { return machine.wall; }

Err now_init(void) { return E_OK; }

i64 now_unix(void) { return machine.wall + NOW_EPOCH_NS; }

i64 now_mono(void) { return machine.mono; }

i64 now_ticks(void) { return machine.mono; }

void now_fake(i64 (*wall)(void), i64 (*mono)(void))
{
    (void)wall;
    (void)mono;
    abort();
}

void now_sleep_ms(u32 ms)
{
    i64 until = machine.mono + (i64)ms * 1000000;
    if (machine.self == NULL) {
        fibers_run((i64)ms * 1000000);
        return;
    }
    while (machine.mono < until)
        fibers_wait(until, ms <= 5, INT64_MAX);
}

/* ---- os/proc */

Err proc_spawn(const char *const *argv, const char *const *env_extra, int *pid)
{
    int argc = 0;
    (void)env_extra;
    while (argv[argc] != NULL)
        argc++;
    ASSERT(argc > 2 && strcmp(argv[1], "worker") == 0);
    *pid = fibers_spawn(argv[2], ports_worker_main(), argc - 2, argv + 2, fibers_process())->pid;
    return E_OK;
}

static Process *by_pid(int pid)
{
    LIST_EACH(it, &machine.processes)
    {
        Process *p = LIST_ENTRY(it, Process, link);
        if (p->pid == pid) return p;
    }
    return NULL;
}

void proc_signal(int pid, int signo)
{
    Process *p = by_pid(pid);
    if (p == NULL || !p->alive) return;
    if (signo != SIGKILL && loops_signal(p, signo)) return;
    fibers_kill(p, signo);
}

Err proc_wait(int pid, u32 ms, int *status)
{
    Process *p = by_pid(pid);
    i64 until = machine.mono + (i64)ms * 1000000;
    ASSERT(p != NULL);
    while (p->alive && machine.mono < until)
        fibers_wait(MIN(until, machine.mono + 1000000), false, until);
    *status = p->status;
    return p->alive ? fail(E_TIMEOUT, "process %d still runs", pid) : E_OK;
}

Err proc_self(Arena *a, char **path)
{
    *path = arena_text(a, "silt", 4);
    return E_OK;
}

int proc_id(void) { return machine.self == NULL ? 1 : machine.self->process->pid; }

int proc_parent(void) { return 2; }

int proc_cpus(void) { return 1; }

const char *proc_env(const char *name)
{
    (void)name;
    return NULL;
}

/* A process here works whenever it is looked at: one that hangs is the scheduler's business. */
u64 proc_work(int pid)
{
    static u64 work;
    (void)pid;
    return ++work;
}

u64 proc_memory(void) { return 64u << 20; }

u64 proc_memory_limit(void) { return 8ull << 30; }

bool proc_is_tty(int fd)
{
    (void)fd;
    return false;
}

void proc_random(void *out, u64 size)
{
    u8 *to = out;
    while (size-- > 0)
        *to++ = (u8)prng_next(&machine.entropy);
}

/* Workers tell malloc to give large blocks back at once; here they would be had from the kernel
 * again a moment later. */
int mallopt(int parameter, int value)
{
    (void)parameter;
    (void)value;
    return 1;
}

/* ---- os/pool: nothing is parallel here */

void pool_alone(bool alone) { (void)alone; }

Err pool_run(u64 count, int threads, Err (*task)(void *arg, u64 i), void *arg)
{
    Err first = E_OK;
    FailRecord failure;
    (void)threads;
    for (u64 i = 0; i < count; i++) {
        Err err = task(arg, i);
        if (err == E_OK || first != E_OK) continue;
        first = err;
        fail_save(&failure);
    }
    if (first != E_OK) fail_restore(&failure);
    return first;
}
