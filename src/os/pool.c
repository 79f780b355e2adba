/*
 * pool: worker threads that live as long as the process and take tasks from open jobs.
 *
 * A job is a pool_run that has not returned; it stands on its caller's stack and in the list
 * `jobs`. Its caller and up to threads - 1 workers draw indices from one counter. The caller leaves
 * when the counter has run out and no worker is in the job; nobody can join it after that, as it is
 * out of the list. Several threads may run jobs at once; they share the workers.
 *
 * Lock: `lock` guards the list, the fields of jobs named so, and `workers`. Tasks run without it.
 * Workers are started when a job first wants them and sleep otherwise. They block all signals,
 * which belong to the loop thread.
 */
#include "os/pool.h"
#include "base/list.h"
#include "os/proc.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#define POOL_THREADS_MAX 256

typedef struct {
    List node;
    Err (*task)(void *arg, u64 i);
    void *arg;
    u64 count;
    atomic_ullong next;  /* index to draw */
    int inside_max;      /* workers wanted */
    int inside;          /* under lock: workers in it now */
    u64 failed_at;       /* under lock: lowest index that failed; ~0 = none */
    FailRecord *failure; /* under lock: its record, in the caller's frame */
} Job;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wanted = PTHREAD_COND_INITIALIZER;
static pthread_cond_t left = PTHREAD_COND_INITIALIZER;
static List jobs = {&jobs, &jobs};
static int workers;
static _Thread_local bool in_task;

static void record_failure(Job *job, u64 i)
{
    pthread_mutex_lock(&lock);
    if (i < job->failed_at) {
        job->failed_at = i;
        fail_save(job->failure);
    }
    pthread_mutex_unlock(&lock);
}

/* Draws and runs tasks until there are no more. */
static void draw(Job *job)
{
    in_task = true;
    for (;;) {
        u64 i = atomic_fetch_add(&job->next, 1);
        if (i >= job->count) break;
        if (job->task(job->arg, i) != E_OK) record_failure(job, i);
    }
    in_task = false;
}

/* A job that has tasks left and wants one more worker. Under lock. */
static Job *job_find(void)
{
    LIST_EACH(it, &jobs)
    {
        Job *job = LIST_ENTRY(it, Job, node);
        if (job->inside < job->inside_max && atomic_load(&job->next) < job->count) return job;
    }
    return NULL;
}

static void *work(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    for (;;) {
        Job *job = job_find();
        if (!job) {
            pthread_cond_wait(&wanted, &lock);
            continue;
        }
        job->inside++;
        pthread_mutex_unlock(&lock);
        draw(job);
        pthread_mutex_lock(&lock);
        if (--job->inside > 0) continue;
        /* whom it wakes must not find the lock taken; the job may be gone by then */
        pthread_mutex_unlock(&lock);
        pthread_cond_broadcast(&left);
        pthread_mutex_lock(&lock);
    }
    return NULL;
}

/* A process that forks (proc_spawn, tests) gives its child the lock free and no workers: threads do
 * not come along. */
static void before_fork(void) { pthread_mutex_lock(&lock); }

static void after_fork(void) { pthread_mutex_unlock(&lock); }

static void in_child(void)
{
    pthread_mutex_init(&lock, NULL);
    pthread_cond_init(&wanted, NULL);
    pthread_cond_init(&left, NULL);
    list_init(&jobs);
    workers = 0;
}

static void watch_forks(void)
{
    /* without memory for it a child that forks without exec could wait for ever: none of ours
     * does */
    if (pthread_atfork(before_fork, after_fork, in_child) != 0) abort();
}

/* Starts workers up to `count`; fewer when the system refuses, which costs time only. Under
 * lock. */
static void start_workers(int count)
{
    sigset_t all, before;
    pthread_attr_t attr;
    if (workers >= count || pthread_attr_init(&attr) != 0) return;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    /* A fault that is blocked ends the process: guard.h would not see it. */
    sigdelset(&all, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (pthread_t id; workers < count; workers++)
        if (pthread_create(&id, &attr, work, NULL) != 0) break;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
}

/* Wakes no more workers than a job wants: others may have started many. A worker that is awake
 * looks for a job by itself before it sleeps. */
static void wake_workers(int count)
{
    for (int i = 0; i < count; i++)
        pthread_cond_signal(&wanted);
}

/* All tasks in this thread, one after the other. */
static Err run_here(u64 count, Err (*task)(void *arg, u64 i), void *arg, FailRecord *failure)
{
    Err first = E_OK;
    for (u64 i = 0; i < count; i++) {
        Err err = task(arg, i);
        if (err == E_OK || first != E_OK) continue;
        first = err;
        fail_save(failure);
    }
    if (first) fail_restore(failure);
    return first;
}

static bool alone;

void pool_alone(bool on) { alone = on; }

Err pool_run(u64 count, int threads, Err (*task)(void *arg, u64 i), void *arg)
{
    FailRecord failure;
    if (threads <= 0) threads = proc_cpus();
    threads = MIN(threads, POOL_THREADS_MAX);
    if ((u64)threads > count) threads = (int)count;
    if (threads <= 1 || in_task || alone) return run_here(count, task, arg, &failure);

    Job job = {.task = task, .arg = arg, .count = count, .inside_max = threads - 1};
    job.failed_at = ~0ull;
    job.failure = &failure;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&lock);
    list_append(&jobs, &job.node);
    start_workers(threads - 1);
    pthread_mutex_unlock(&lock);
    wake_workers(threads - 1);
    draw(&job);
    pthread_mutex_lock(&lock);
    list_remove(&job.node);
    while (job.inside)
        pthread_cond_wait(&left, &lock);
    pthread_mutex_unlock(&lock);
    if (job.failed_at == ~0ull) return E_OK;
    fail_restore(&failure);
    return failure.code;
}
