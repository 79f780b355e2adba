/*
 * pool: every task runs exactly once, failures are those of the lowest index, calls may nest.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#undef fail /* cmocka has a macro of this name */

#include "os/pool.h"

#define TASKS 10000

static atomic_int runs[TASKS];

static Err count_run(void *arg, u64 i)
{
    (void)arg;
    atomic_fetch_add(&runs[i], 1);
    return E_OK;
}

static void every_task_runs_once(void **state)
{
    (void)state;
    static const int threads[] = {0, 1, 2, 7, 64};
    static const u64 counts[] = {0, 1, 2, 63, TASKS};
    for (u64 t = 0; t < COUNT_OF(threads); t++) {
        for (u64 c = 0; c < COUNT_OF(counts); c++) {
            for (u64 i = 0; i < TASKS; i++)
                atomic_store(&runs[i], 0);
            assert_int_equal(pool_run(counts[c], threads[t], count_run, NULL), E_OK);
            for (u64 i = 0; i < TASKS; i++)
                assert_int_equal(atomic_load(&runs[i]), i < counts[c]);
        }
    }
}

static Err fail_some(void *arg, u64 i)
{
    atomic_int *ran = arg;
    atomic_fetch_add(ran, 1);
    if (i == 10) usleep(1000); /* so that later failures come first */
    if (i >= 10 && i % 10 == 0) return fail(i == 10 ? E_FULL : E_IO, "task %d", (int)i);
    return E_OK;
}

static void the_lowest_failure_is_told_and_others_still_run(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 8; threads++) {
        atomic_int ran = 0;
        (void)fail(E_BUSY, "before");
        assert_int_equal(pool_run(200, threads, fail_some, &ran), E_FULL);
        assert_string_equal(fail_text(), "task 10");
        assert_int_equal(fail_last(), E_FULL);
        assert_non_null(strstr(fail_where(), "pool_test.c:"));
        assert_int_equal(atomic_load(&ran), 200);
    }
}

typedef struct {
    pthread_t ids[8];
    u64 count;
    pthread_mutex_t lock;
} Threads;

static Err note_thread(void *arg, u64 i)
{
    Threads *t = arg;
    pthread_t self = pthread_self();
    (void)i;
    usleep(1000);
    pthread_mutex_lock(&t->lock);
    u64 k = 0;
    while (k < t->count && !pthread_equal(t->ids[k], self))
        k++;
    if (k == t->count && k < COUNT_OF(t->ids)) t->ids[t->count++] = self;
    pthread_mutex_unlock(&t->lock);
    return E_OK;
}

static void no_more_threads_than_allowed(void **state)
{
    (void)state;
    Threads t = {.lock = PTHREAD_MUTEX_INITIALIZER};
    assert_int_equal(pool_run(40, 3, note_thread, &t), E_OK);
    assert_in_range(t.count, 2, 3);
    t.count = 0;
    assert_int_equal(pool_run(5, 1, note_thread, &t), E_OK);
    assert_int_equal(t.count, 1);
    assert_true(pthread_equal(t.ids[0], pthread_self()));
}

static Err inner(void *arg, u64 i)
{
    const pthread_t *outer = arg;
    (void)i;
    return pthread_equal(*outer, pthread_self()) ? E_OK : fail(E_TYPE, "another thread");
}

static Err outer(void *arg, u64 i)
{
    pthread_t self = pthread_self();
    (void)arg;
    Err err = pool_run(20, 4, inner, &self);
    if (!err) err = pool_run(20, 4, inner, &self); /* nesting has not ended with the first */
    return err ? err : count_run(NULL, i);
}

static void nested_calls_stay_in_their_thread(void **state)
{
    (void)state;
    for (u64 i = 0; i < 50; i++)
        atomic_store(&runs[i], 0);
    assert_int_equal(pool_run(50, 4, outer, NULL), E_OK);
    for (u64 i = 0; i < 50; i++)
        assert_int_equal(atomic_load(&runs[i]), 1);
}

static Err add(void *arg, u64 i)
{
    atomic_fetch_add((atomic_ullong *)arg, i);
    return i == 77 ? fail(E_LIMIT, "seventy-seven") : E_OK;
}

static void *caller(void *arg)
{
    (void)arg;
    for (int round = 0; round < 200; round++) {
        atomic_ullong sum = 0;
        Err err = pool_run(100, 3, add, &sum);
        if (err != E_LIMIT || atomic_load(&sum) != 4950) return (void *)1;
        if (strcmp(fail_text(), "seventy-seven") != 0) return (void *)2;
    }
    return NULL;
}

static void several_callers_share_the_workers(void **state)
{
    (void)state;
    pthread_t ids[4];
    for (u64 i = 0; i < COUNT_OF(ids); i++)
        assert_int_equal(pthread_create(&ids[i], NULL, caller, NULL), 0);
    for (u64 i = 0; i < COUNT_OF(ids); i++) {
        void *result;
        assert_int_equal(pthread_join(ids[i], &result), 0);
        assert_null(result);
    }
}

/* A fork may fall into the moment in which a worker holds the lock; the child has no workers. */
static void a_forked_child_has_a_pool_of_its_own(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        atomic_ullong sum = 0;
        int status = 0;
        assert_int_equal(pool_run(100, 8, add, &sum), E_LIMIT);
        pid_t pid = fork();
        if (pid == 0) {
            alarm(20);
            atomic_store(&sum, 0);
            Err err = pool_run(100, 8, add, &sum);
            _exit(err == E_LIMIT && atomic_load(&sum) == 4950 ? 0 : 1);
        }
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once),
        cmocka_unit_test(the_lowest_failure_is_told_and_others_still_run),
        cmocka_unit_test(no_more_threads_than_allowed),
        cmocka_unit_test(nested_calls_stay_in_their_thread),
        cmocka_unit_test(several_callers_share_the_workers),
        cmocka_unit_test(a_forked_child_has_a_pool_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
