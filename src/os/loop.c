/*
 * loop: libuv, cut down to what one process of ours needs.
 *
 * A caller's LoopWatch or LoopTimer only points to a handle of libuv's, which we allocate: libuv
 * lets go of a handle one turn after its close, when the caller's struct may be gone. Stopping
 * therefore cuts the two apart at once (owner = NULL) and frees the handle in the close callback. A
 * timer that fires once is cut off before its callback.
 *
 * One turn of libuv is: timers, idle, poll, check, close callbacks. Turn hooks run in check, if any
 * callback of ours ran since the last check. As timers run before poll, which would then wait for
 * the next event with the hooks still due, whatever happens outside poll also starts `again`, an
 * idle handle: while it is active poll does not wait. check stops it.
 *
 * Thread rule: everything on the loop thread, but for loop_wake and the `work` of loop_work.
 */
#include "os/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <uv.h>

#define LOOP_HOOKS_MAX   8
#define LOOP_SIGNALS_MAX 8

typedef struct {
    uv_signal_t uv;
    void (*got)(void *arg, int signo);
    void *arg;
} Signal;

typedef struct {
    void (*turn)(void *arg);
    void *arg;
} Hook;

struct Loop {
    uv_loop_t uv;
    uv_check_t check;
    uv_idle_t again;
    uv_async_t wake;
    uv_timer_t limit; /* of loop_turn */
    uv_signal_t child;
    Signal signals[LOOP_SIGNALS_MAX];
    u32 signal_count;
    Hook hooks[LOOP_HOOKS_MAX];
    u32 hook_count;
    void (*gone)(void *arg, int pid, int status);
    void *gone_arg;
    bool reap;     /* look for ended children in the next check */
    bool happened; /* since the last check */
    bool late;     /* a timer fired in this turn, but after its check */
    bool stopped;
    bool closing; /* loop_free is under way: callbacks are not called any more */
};

/* What `data` of the handles that we allocate points to. */
typedef struct {
    union {
        uv_handle_t any;
        uv_poll_t poll;
        uv_timer_t timer;
    } uv;

    Loop *loop;
    void *owner; /* LoopWatch or LoopTimer; NULL once stopped */
    int fd;
} Handle;

typedef struct {
    uv_work_t uv;
    Loop *loop;
    void (*work)(void *arg);
    void (*after)(void *arg);
    void *arg;
} Work;

static void nothing(uv_idle_t *unused) { (void)unused; }

/* Something happened outside poll: the next poll does not wait. */
static void happen(Loop *l)
{
    l->happened = true;
    if (!l->closing) uv_idle_start(&l->again, nothing);
}

static void reap_children(Loop *l)
{
    int pid, status;
    l->reap = false;
    while (l->gone && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
        happen(l);
        l->gone(l->gone_arg, pid, status);
    }
}

/* Ends a turn: runs the hooks when there was anything. What they do belongs to the next turn. */
static void end_turn(Loop *l)
{
    if (l->closing) return;
    if (l->reap) reap_children(l);
    bool happened = l->happened;
    l->happened = l->late = false;
    uv_idle_stop(&l->again);
    for (u32 i = 0; happened && i < l->hook_count; i++)
        l->hooks[i].turn(l->hooks[i].arg);
}

static void on_check(uv_check_t *check) { end_turn(check->data); }

static void on_wake(uv_async_t *wake) { happen(wake->data); }

static void on_limit(uv_timer_t *unused) { (void)unused; }

Err loop_make(Loop **loop)
{
    *loop = NULL;
    Loop *l = calloc(1, sizeof *l);
    if (!l) return fail(E_MEMORY, "event loop: no memory");
    int code = uv_loop_init(&l->uv);
    if (code) {
        free(l);
        return fail(code == UV_ENOMEM ? E_MEMORY : E_LIMIT, "event loop: %s", uv_strerror(code));
    }
    l->check.data = l->again.data = l->wake.data = l->limit.data = l->child.data = l;
    uv_check_init(&l->uv, &l->check);
    uv_idle_init(&l->uv, &l->again);
    uv_timer_init(&l->uv, &l->limit);
    uv_check_start(&l->check, on_check);
    code = uv_async_init(&l->uv, &l->wake, on_wake);
    if (code == 0) code = uv_signal_init(&l->uv, &l->child);
    if (code) {
        loop_free(l);
        return fail(E_LIMIT, "event loop: %s", uv_strerror(code));
    }
    *loop = l;
    return E_OK;
}

/* The Handle around a handle of libuv's: its first member, and so at the same address. */
static Handle *handle_of(void *uv) { return uv; }

static void on_closed(uv_handle_t *uv) { free(handle_of(uv)); }

static bool is_allocated(const uv_handle_t *uv)
{
    return uv->type == UV_POLL || (uv->type == UV_TIMER && uv->data == NULL);
}

/* Cuts a handle from its owner and lets libuv give it back. */
static void handle_close(Handle *h)
{
    h->owner = NULL;
    uv_close(&h->uv.any, on_closed);
}

static void close_any(uv_handle_t *uv, void *unused)
{
    (void)unused;
    if (uv_is_closing(uv)) return;
    if (!is_allocated(uv)) {
        uv_close(uv, NULL);
        return;
    }
    Handle *h = handle_of(uv);
    if (uv->type == UV_POLL && h->owner) ((LoopWatch *)h->owner)->handle = NULL;
    if (uv->type == UV_TIMER && h->owner) ((LoopTimer *)h->owner)->handle = NULL;
    handle_close(h);
}

void loop_free(Loop *l)
{
    if (!l) return;
    l->closing = true;
    uv_walk(&l->uv, close_any, NULL);
    /* Runs close callbacks and waits for work under way. */
    while (uv_run(&l->uv, UV_RUN_DEFAULT) != 0) {}
    ASSERT(uv_loop_close(&l->uv) == 0);
    free(l);
}

void loop_run(Loop *l)
{
    while (!l->stopped)
        uv_run(&l->uv, UV_RUN_DEFAULT);
    l->stopped = false;
}

void loop_turn(Loop *l, u32 ms)
{
    if (ms) {
        uv_update_time(&l->uv);
        uv_timer_start(&l->limit, on_limit, ms, 0);
    }
    uv_run(&l->uv, ms ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    uv_timer_stop(&l->limit);
    /* RUN_ONCE looks at the timers once more after check. */
    if (l->late) end_turn(l);
}

void loop_stop(Loop *l)
{
    l->stopped = true;
    uv_stop(&l->uv);
}

static int uv_events(int events)
{
    return (events & LOOP_READ ? UV_READABLE : 0) | (events & LOOP_WRITE ? UV_WRITABLE : 0);
}

static void on_ready(uv_poll_t *uv, int status, int events);

/* Tells libuv what the owner wants now. */
static void poll_set(Handle *h)
{
    const LoopWatch *w = h->owner;
    if (w->events)
        ASSERT(uv_poll_start(&h->uv.poll, uv_events(w->events), on_ready) == 0);
    else
        uv_poll_stop(&h->uv.poll);
}

static void on_ready(uv_poll_t *uv, int status, int events)
{
    Handle *h = handle_of(uv);
    LoopWatch *w = h->owner;
    if (!w) return;
    int ours = (events & UV_READABLE ? LOOP_READ : 0) | (events & UV_WRITABLE ? LOOP_WRITE : 0);
    /* An error on the descriptor: the owner meets it in the call that it is now told to make. */
    if (status < 0 || ours == 0) ours = w->events;
    h->loop->happened = true;
    w->ready(w->arg, ours);
    /* After an error libuv has stopped polling; go on as long as the owner wants it. */
    if (status < 0 && h->owner) poll_set(h);
}

static Handle *handle_make(Loop *l, void *owner)
{
    Handle *h = calloc(1, sizeof *h);
    ASSERT(h && "memory is gone");
    h->loop = l;
    h->owner = owner;
    h->fd = -1;
    return h;
}

Err loop_watch(Loop *l, LoopWatch *w, int fd, int events, void (*ready)(void *, int), void *arg)
{
    Handle *h = w->handle;
    if (h && h->fd != fd) loop_unwatch(w);
    if (!w->handle) {
        h = handle_make(l, w);
        int code = uv_poll_init(&l->uv, &h->uv.poll, fd);
        if (code) {
            free(h);
            return fail(E_IO, "descriptor %d: watch: %s", fd, uv_strerror(code));
        }
        h->fd = fd;
        w->handle = h;
    }
    w->ready = ready;
    w->arg = arg;
    w->events = events;
    poll_set(h);
    return E_OK;
}

void loop_watch_events(LoopWatch *w, int events)
{
    if (!w->handle || w->events == events) return;
    w->events = events;
    poll_set(w->handle);
}

void loop_unwatch(LoopWatch *w)
{
    Handle *h = w->handle;
    w->handle = NULL;
    w->events = 0;
    if (h) handle_close(h);
}

static void on_timer(uv_timer_t *uv)
{
    Handle *h = handle_of(uv);
    LoopTimer *t = h->owner;
    if (!t) return;
    void (*fire)(void *arg) = t->fire;
    void *arg = t->arg;
    happen(h->loop);
    h->loop->late = true;
    if (uv_timer_get_repeat(uv) == 0) loop_timer_stop(t);
    fire(arg);
}

void loop_timer(Loop *l, LoopTimer *t, u64 delay_ms, u64 repeat_ms, void (*fire)(void *), void *arg)
{
    Handle *h = t->handle;
    if (!h) {
        h = t->handle = handle_make(l, t);
        uv_timer_init(&l->uv, &h->uv.timer);
    }
    t->fire = fire;
    t->arg = arg;
    /* libuv's time stands still during a turn; without this a long turn would shorten the delay. */
    uv_update_time(&l->uv);
    uv_timer_start(&h->uv.timer, on_timer, delay_ms, repeat_ms);
}

void loop_timer_stop(LoopTimer *t)
{
    Handle *h = t->handle;
    t->handle = NULL;
    if (h) handle_close(h);
}

void loop_each_turn(Loop *l, void (*turn)(void *), void *arg)
{
    ASSERT(l->hook_count < LOOP_HOOKS_MAX);
    l->hooks[l->hook_count++] = (Hook){turn, arg};
}

void loop_again(Loop *l) { happen(l); }

static void on_signal(uv_signal_t *uv, int signo)
{
    Signal *s = (Signal *)(void *)uv;
    Loop *l = uv->data;
    if (l->closing) return;
    happen(l);
    s->got(s->arg, signo);
}

Err loop_signal(Loop *l, int signo, void (*got)(void *, int), void *arg)
{
    if (l->signal_count == LOOP_SIGNALS_MAX)
        return fail(E_LIMIT, "event loop: more than %d signals", LOOP_SIGNALS_MAX);
    Signal *s = &l->signals[l->signal_count];
    int code = uv_signal_init(&l->uv, &s->uv);
    if (code) return fail(E_LIMIT, "event loop: %s", uv_strerror(code));
    /* It belongs to the loop from here on, so that loop_free closes it. */
    l->signal_count++;
    s->uv.data = l;
    s->got = got;
    s->arg = arg;
    code = uv_signal_start(&s->uv, on_signal, signo);
    if (code) return fail(E_USAGE, "signal %d: %s", signo, uv_strerror(code));
    return E_OK;
}

static void on_child(uv_signal_t *uv, int signo)
{
    Loop *l = uv->data;
    (void)signo;
    if (!l->closing) reap_children(l);
}

Err loop_children(Loop *l, void (*gone)(void *, int pid, int status), void *arg)
{
    l->gone = gone;
    l->gone_arg = arg;
    int code = uv_signal_start(&l->child, on_child, SIGCHLD);
    if (code) return fail(E_LIMIT, "event loop: %s", uv_strerror(code));
    /* A child that ended before now sends no signal any more. */
    l->reap = true;
    happen(l);
    return E_OK;
}

static void on_work(uv_work_t *uv)
{
    Work *w = (Work *)(void *)uv;
    w->work(w->arg);
}

static void on_after(uv_work_t *uv, int status)
{
    Work *w = (Work *)(void *)uv;
    (void)status;
    if (!w->loop->closing) {
        happen(w->loop);
        w->after(w->arg);
    }
    free(w);
}

void loop_work(Loop *l, void (*work)(void *), void (*after)(void *), void *arg)
{
    Work *w = calloc(1, sizeof *w);
    ASSERT(w && "memory is gone");
    w->loop = l;
    w->work = work;
    w->after = after;
    w->arg = arg;
    ASSERT(uv_queue_work(&l->uv, &w->uv, on_work, on_after) == 0);
}

void loop_wake(Loop *l) { uv_async_send(&l->wake); }
