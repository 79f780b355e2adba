/*
 * loops: see loops.h. A loop waits as one fiber; what is posted to it pokes that fiber. A timer
 * that repeats within a few milliseconds is a poll, and is waited for as fibers.h tells.
 */
#include "loops.h"

#include <stdlib.h>

#define POLL_MS     5
#define HOOKS_MAX   8
#define SIGNALS_MAX 8

typedef struct {
    List link;
    void (*run)(void *arg);
    void *arg;
} Event;

typedef struct {
    List link;
    LoopTimer *owner;
    Loop *loop;
    i64 due, repeat; /* ns */
} Timer;

struct Loop {
    Process *process;
    Fiber *fiber; /* that runs or frees it */
    List events, timers;
    u64 event_count;
    bool stop, again;
    u32 working;
    u32 hook_count, signal_count;

    struct {
        void (*turn)(void *);
        void *arg;
    } hooks[HOOKS_MAX];

    struct {
        int signo;
        void (*got)(void *, int);
        void *arg;
    } signals[SIGNALS_MAX];

    void (*gone)(void *arg, int pid, int status);
    void *gone_arg;
};

typedef struct {
    Loop *loop;
    int a, b; /* pid and status; place of the handler */
    void (*work)(void *);
    void (*after)(void *);
    void *arg;
} Told;

static Told *told_make(Loop *l)
{
    Told *t = calloc(1, sizeof *t);
    if (t == NULL) abort();
    t->loop = l;
    return t;
}

Err loop_make(Loop **loop)
{
    Loop *l = calloc(1, sizeof *l);
    if (l == NULL) return fail(E_MEMORY, "no memory for a loop");
    l->process = fibers_process();
    l->process->loop = l;
    list_init(&l->events);
    list_init(&l->timers);
    *loop = l;
    return E_OK;
}

Process *loops_process(const Loop *l) { return l->process; }

void loops_post(Loop *l, void (*run)(void *arg), void *arg)
{
    Event *e = calloc(1, sizeof *e);
    if (e == NULL) abort();
    e->run = run;
    e->arg = arg;
    list_append(&l->events, &e->link);
    l->event_count++;
    fibers_poke(l->fiber);
}

/* Takes some of the events in line, at least one. */
static bool take_events(Loop *l)
{
    if (l->event_count == 0) return false;
    u64 count = 1 + fibers_random(l->event_count);
    while (count-- > 0 && !list_empty(&l->events)) {
        Event *e = LIST_ENTRY(l->events.next, Event, link);
        list_remove(&e->link);
        l->event_count--;
        e->run(e->arg);
        free(e);
    }
    return true;
}

static Timer *due_timer(Loop *l, i64 now)
{
    Timer *first = NULL;
    LIST_EACH(it, &l->timers)
    {
        Timer *t = LIST_ENTRY(it, Timer, link);
        if (t->due <= now && (first == NULL || t->due < first->due)) first = t;
    }
    return first;
}

static bool is_poll(const Timer *t) { return t->repeat > 0 && t->repeat <= POLL_MS * 1000000; }

/* Fires what is due now; each timer once. */
static bool fire_timers(Loop *l)
{
    i64 now = fibers_mono();
    bool any = false;
    for (Timer *t; (t = due_timer(l, now)) != NULL; any = true) {
        LoopTimer *owner = t->owner;
        if (!is_poll(t)) fibers_changed();
        if (t->repeat > 0)
            t->due = now + t->repeat;
        else
            loop_timer_stop(owner);
        owner->fire(owner->arg);
    }
    return any;
}

static void wait(Loop *l)
{
    i64 next = INT64_MAX, real = INT64_MAX;
    LIST_EACH(it, &l->timers)
    {
        const Timer *t = LIST_ENTRY(it, Timer, link);
        next = MIN(next, t->due);
        if (!is_poll(t)) real = MIN(real, t->due);
    }
    fibers_wait(next, next < real, real);
}

void loop_run(Loop *l)
{
    l->fiber = fibers_self();
    l->stop = false;
    while (!l->stop) {
        bool any = fire_timers(l);
        if (take_events(l)) {
            any = true;
            fibers_changed();
        }
        any = any || l->again;
        l->again = false;
        for (u32 i = 0; any && i < l->hook_count; i++)
            l->hooks[i].turn(l->hooks[i].arg);
        if (!l->stop && l->event_count == 0 && !l->again) wait(l);
    }
}

void loop_turn(Loop *l, u32 ms)
{
    (void)l;
    (void)ms;
    abort();
}

void loop_stop(Loop *l) { l->stop = true; }

void loop_free(Loop *l)
{
    if (l == NULL) return;
    l->fiber = fibers_self();
    while (l->working > 0)
        fibers_wait(INT64_MAX, false, INT64_MAX);
    l->process->loop = NULL;
    free(l);
}

/* ---- timers, hooks */

void loop_timer(Loop *l, LoopTimer *t, u64 delay_ms, u64 repeat_ms, void (*fire)(void *), void *arg)
{
    Timer *timer = t->handle;
    if (timer == NULL) {
        timer = t->handle = calloc(1, sizeof *timer);
        if (timer == NULL) abort();
        timer->owner = t;
        timer->loop = l;
        list_append(&l->timers, &timer->link);
    }
    t->fire = fire;
    t->arg = arg;
    timer->due = fibers_mono() + (i64)MIN(delay_ms, 1ull << 40) * 1000000;
    timer->repeat = (i64)MIN(repeat_ms, 1ull << 40) * 1000000;
}

void loop_timer_stop(LoopTimer *t)
{
    Timer *timer = t->handle;
    t->handle = NULL;
    if (timer == NULL) return;
    list_remove(&timer->link);
    free(timer);
}

void loop_each_turn(Loop *l, void (*turn)(void *), void *arg)
{
    ASSERT(l->hook_count < HOOKS_MAX);
    l->hooks[l->hook_count].turn = turn;
    l->hooks[l->hook_count++].arg = arg;
}

void loop_again(Loop *l) { l->again = true; }

void loop_wake(Loop *l)
{
    l->again = true;
    fibers_poke(l->fiber);
}

/* ---- signals, children */

Err loop_signal(Loop *l, int signo, void (*got)(void *, int), void *arg)
{
    ASSERT(l->signal_count < SIGNALS_MAX);
    l->signals[l->signal_count].signo = signo;
    l->signals[l->signal_count].got = got;
    l->signals[l->signal_count++].arg = arg;
    return E_OK;
}

static void tell_signal(void *arg)
{
    Told *t = arg;
    t->loop->signals[t->a].got(t->loop->signals[t->a].arg, t->loop->signals[t->a].signo);
    free(t);
}

bool loops_signal(Process *p, int signo)
{
    Loop *l = p->loop;
    for (u32 i = 0; l != NULL && i < l->signal_count; i++) {
        if (l->signals[i].signo != signo) continue;
        Told *t = told_make(l);
        t->a = (int)i;
        loops_post(l, tell_signal, t);
        return true;
    }
    return false;
}

Err loop_children(Loop *l, void (*gone)(void *, int pid, int status), void *arg)
{
    l->gone = gone;
    l->gone_arg = arg;
    return E_OK;
}

static void tell_child(void *arg)
{
    Told *t = arg;
    if (t->loop->gone != NULL) t->loop->gone(t->loop->gone_arg, t->a, t->b);
    free(t);
}

void loops_child_gone(Process *p, int pid, int status)
{
    Loop *l = p->loop;
    if (l == NULL) return;
    Told *t = told_make(l);
    t->a = pid;
    t->b = status;
    loops_post(l, tell_child, t);
}

void loops_process_gone(Process *p)
{
    Loop *l = p->loop;
    p->loop = NULL;
    if (l != NULL) l->fiber = NULL;
}

/* ---- work on other threads */

static void tell_after(void *arg)
{
    Told *t = arg;
    t->after(t->arg);
    free(t);
}

static void run_work(void *arg)
{
    Told *t = arg;
    t->work(t->arg);
    t->loop->working--;
    loops_post(t->loop, tell_after, t);
}

void loop_work(Loop *l, void (*work)(void *), void (*after)(void *), void *arg)
{
    Told *t = told_make(l);
    t->work = work;
    t->after = after;
    t->arg = arg;
    l->working++;
    fibers_start(l->process, run_work, t);
}
