/*
 * loop: readiness, timers, signals, children, work, and when the turn hooks run.
 */
#include "os/loop.h"
#include "os/now.h"
#include "os/proc.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* What callbacks saw. */
typedef struct {
    Loop *loop;
    int hooks, hits, events, again;
    LoopWatch watch;
    LoopTimer timer;
    int fd;
    int pids[8], statuses[8];
    pthread_t thread;
    bool done;
} Seen;

static void hook(void *arg)
{
    Seen *s = arg;
    s->hooks++;
    if (s->again > 0) {
        s->again--;
        loop_again(s->loop);
    }
}

static int setup(void **state)
{
    Seen *s = calloc(1, sizeof *s);
    if (!s || loop_make(&s->loop) != E_OK) return -1;
    loop_each_turn(s->loop, hook, s);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    Seen *s = *state;
    loop_free(s->loop);
    free(s);
    return 0;
}

static void hit(void *arg)
{
    Seen *s = arg;
    s->hits++;
}

static void hit_and_stop(void *arg)
{
    Seen *s = arg;
    s->hits++;
    loop_stop(s->loop);
}

static void take_byte(void *arg, int events)
{
    Seen *s = arg;
    char byte;
    s->events = events;
    s->hits++;
    if (events & LOOP_READ && read(s->fd, &byte, 1) <= 0) loop_unwatch(&s->watch);
}

static void a_loop_can_be_made_and_freed(void **state)
{
    Loop *l;
    (void)state;
    assert_int_equal(loop_make(&l), E_OK);
    loop_free(l);
    loop_free(NULL);
}

static void an_idle_turn_runs_no_hooks(void **state)
{
    Seen *s = *state;
    i64 from = now_ticks();
    loop_turn(s->loop, 0);
    loop_turn(s->loop, 20);
    assert_true(now_ticks() - from >= 18000000);
    assert_int_equal(s->hooks, 0);
}

static void readiness_is_told_until_it_is_used_up(void **state)
{
    Seen *s = *state;
    int line[2];
    assert_int_equal(pipe(line), 0);
    s->fd = line[0];
    assert_int_equal(loop_watch(s->loop, &s->watch, line[0], LOOP_READ, take_byte, s), E_OK);
    loop_turn(s->loop, 1);
    assert_int_equal(s->hits, 0);
    assert_int_equal(write(line[1], "abc", 3), 3);
    for (int i = 1; i <= 3; i++) {
        loop_turn(s->loop, 1000);
        assert_int_equal(s->hits, i);
        assert_int_equal(s->hooks, i);
        assert_int_equal(s->events, LOOP_READ);
    }
    loop_turn(s->loop, 1);
    assert_int_equal(s->hits, 3);
    loop_watch_events(&s->watch, 0);
    assert_int_equal(write(line[1], "d", 1), 1);
    loop_turn(s->loop, 1);
    assert_int_equal(s->hits, 3);
    loop_watch_events(&s->watch, LOOP_READ);
    loop_turn(s->loop, 1000);
    assert_int_equal(s->hits, 4);
    close(line[1]);
    loop_turn(s->loop, 1000); /* the end of the pipe; it unwatches itself */
    assert_int_equal(s->hits, 5);
    assert_null(s->watch.handle);
    close(line[0]);
    loop_turn(s->loop, 1);
    assert_int_equal(s->hits, 5);
    loop_watch_events(&s->watch, LOOP_READ);
    loop_unwatch(&s->watch);
}

static void both_directions_and_changes(void **state)
{
    Seen *s = *state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    s->fd = pair[0];
    int both = LOOP_READ | LOOP_WRITE;
    assert_int_equal(loop_watch(s->loop, &s->watch, pair[0], both, take_byte, s), E_OK);
    loop_turn(s->loop, 1000);
    assert_int_equal(s->events, LOOP_WRITE);
    assert_int_equal(write(pair[1], "x", 1), 1);
    loop_turn(s->loop, 1000);
    assert_int_equal(s->events, both);
    /* Watching again with another descriptor moves the watch. */
    int hits = s->hits;
    assert_int_equal(loop_watch(s->loop, &s->watch, pair[1], LOOP_READ, take_byte, s), E_OK);
    s->fd = pair[1];
    assert_int_equal(write(pair[0], "y", 1), 1);
    loop_turn(s->loop, 1000);
    assert_int_equal(s->hits, hits + 1);
    assert_int_equal(s->events, LOOP_READ);
    loop_unwatch(&s->watch);
    close(pair[0]);
    close(pair[1]);
}

static void a_struct_may_go_at_once(void **state)
{
    Seen *s = *state;
    int line[2];
    for (int i = 0; i < 50; i++) {
        LoopWatch *w = calloc(1, sizeof *w);
        LoopTimer *t = calloc(1, sizeof *t);
        assert_non_null(w);
        assert_non_null(t);
        assert_int_equal(pipe(line), 0);
        assert_int_equal(write(line[1], "x", 1), 1);
        assert_int_equal(loop_watch(s->loop, w, line[0], LOOP_READ, take_byte, s), E_OK);
        loop_timer(s->loop, t, 0, 1, hit, s);
        loop_unwatch(w);
        loop_timer_stop(t);
        free(w);
        free(t);
        close(line[0]);
        close(line[1]);
        if (i % 2) loop_turn(s->loop, 0);
    }
    loop_turn(s->loop, 1);
    assert_int_equal(s->hits, 0);
}

/* One of two ready watches stops the other, whose struct goes with it. */
typedef struct {
    LoopWatch *mine, *other;
    int *calls;
} Rival;

static void stop_rival(void *arg, int events)
{
    Rival *r = arg;
    (void)events;
    ++*r->calls;
    loop_unwatch(r->other);
    loop_unwatch(r->mine);
}

static void stopping_another_in_the_same_turn_holds(void **state)
{
    Seen *s = *state;
    int a[2], b[2], calls = 0;
    LoopWatch wa = {0}, wb = {0};
    Rival ra = {&wa, &wb, &calls}, rb = {&wb, &wa, &calls};
    assert_int_equal(pipe(a), 0);
    assert_int_equal(pipe(b), 0);
    assert_int_equal(write(a[1], "x", 1), 1);
    assert_int_equal(write(b[1], "x", 1), 1);
    assert_int_equal(loop_watch(s->loop, &wa, a[0], LOOP_READ, stop_rival, &ra), E_OK);
    assert_int_equal(loop_watch(s->loop, &wb, b[0], LOOP_READ, stop_rival, &rb), E_OK);
    loop_turn(s->loop, 1000);
    loop_turn(s->loop, 1);
    assert_int_equal(calls, 1);
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
}

static void a_descriptor_that_cannot_be_watched(void **state)
{
    Seen *s = *state;
    int fd = open("/proc/self/exe", O_RDONLY);
    assert_int_not_equal(fd, -1);
    assert_int_equal(loop_watch(s->loop, &s->watch, fd, LOOP_READ, take_byte, s), E_IO);
    assert_null(s->watch.handle);
    close(fd);
}

static void see_error(void *arg, int events)
{
    Seen *s = arg;
    int error = 0;
    socklen_t size = sizeof error;
    s->hits++;
    s->events = events;
    assert_int_equal(getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
    if (s->hits == 2) loop_unwatch(&s->watch);
}

static void errors_of_a_descriptor_are_told(void **state)
{
    Seen *s = *state;
    int line[2];
    assert_int_equal(pipe(line), 0);
    close(line[0]); /* writing to it is an error now */
    s->fd = line[1];
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    s->fd = pair[0];
    assert_int_equal(loop_watch(s->loop, &s->watch, line[1], LOOP_WRITE, see_error, s), E_OK);
    for (int i = 0; i < 5 && s->watch.handle; i++)
        loop_turn(s->loop, 1000);
    assert_int_equal(s->hits, 2);
    assert_int_equal(s->events, LOOP_WRITE);
    close(line[1]);
    close(pair[0]);
    close(pair[1]);
}

static void a_timer_fires_once_at_its_time(void **state)
{
    Seen *s = *state;
    i64 from = now_ticks();
    loop_timer(s->loop, &s->timer, 30, 0, hit_and_stop, s);
    loop_run(s->loop);
    assert_in_range(now_ticks() - from, 28900000, 2000000000);
    assert_int_equal(s->hits, 1);
    assert_int_equal(s->hooks, 1);
    assert_null(s->timer.handle);
    loop_turn(s->loop, 40);
    assert_int_equal(s->hits, 1);
    loop_timer_stop(&s->timer);
    loop_timer(s->loop, &s->timer, 0, 0, hit, s);
    loop_turn(s->loop, 1000);
    assert_int_equal(s->hits, 2);
}

static void a_delay_counts_from_now_after_a_long_turn(void **state)
{
    Seen *s = *state;
    now_sleep_ms(30);
    i64 from = now_ticks();
    loop_timer(s->loop, &s->timer, 20, 0, hit_and_stop, s);
    loop_run(s->loop);
    assert_true(now_ticks() - from >= 18900000);
}

static void a_timer_repeats_and_is_rearmed(void **state)
{
    Seen *s = *state;
    loop_timer(s->loop, &s->timer, 1, 2, hit, s);
    for (int i = 0; i < 1000 && s->hits < 5; i++)
        loop_turn(s->loop, 100);
    assert_int_equal(s->hits, 5);
    loop_timer(s->loop, &s->timer, 100000, 0, hit, s);
    loop_turn(s->loop, 10);
    assert_int_equal(s->hits, 5);
    loop_timer_stop(&s->timer);
    loop_timer_stop(&s->timer);
}

static void rearm(void *arg)
{
    Seen *s = arg;
    if (++s->hits < 3)
        loop_timer(s->loop, &s->timer, 1, 0, rearm, s);
    else
        loop_stop(s->loop);
}

static void a_timer_may_rearm_itself(void **state)
{
    Seen *s = *state;
    loop_timer(s->loop, &s->timer, 1, 0, rearm, s);
    loop_run(s->loop);
    assert_int_equal(s->hits, 3);
    assert_int_equal(s->hooks, 3);
}

static void hooks_follow_a_timer_without_waiting(void **state)
{
    Seen *s = *state;
    LoopTimer end = {0};
    i64 from = now_ticks();
    /* The hook must run when the first timer fired, not when the next event comes. */
    loop_timer(s->loop, &s->timer, 1, 0, hit, s);
    loop_timer(s->loop, &end, 2000, 0, hit_and_stop, s);
    while (s->hooks == 0)
        loop_turn(s->loop, 3000);
    assert_true(now_ticks() - from < 1500000000);
    loop_timer_stop(&end);
}

static void again_runs_one_more_turn_at_once(void **state)
{
    Seen *s = *state;
    i64 from = now_ticks();
    s->again = 3;
    loop_again(s->loop);
    for (int i = 0; i < 4; i++)
        loop_turn(s->loop, 5000);
    assert_int_equal(s->hooks, 4);
    assert_true(now_ticks() - from < 4000000000);
    loop_turn(s->loop, 1);
    assert_int_equal(s->hooks, 4);
}

static void stop_before_run_ends_it_at_once(void **state)
{
    Seen *s = *state;
    loop_stop(s->loop);
    loop_run(s->loop);
    loop_timer(s->loop, &s->timer, 1, 0, hit_and_stop, s);
    loop_run(s->loop);
    assert_int_equal(s->hits, 1);
}

static void got_signal(void *arg, int signo)
{
    Seen *s = arg;
    s->hits++;
    s->events = signo;
}

static void signals_come_to_the_loop(void **state)
{
    Seen *s = *state;
    assert_int_equal(loop_signal(s->loop, SIGUSR1, got_signal, s), E_OK);
    assert_int_equal(loop_signal(s->loop, SIGUSR2, got_signal, s), E_OK);
    assert_int_equal(kill(getpid(), SIGUSR2), 0);
    loop_turn(s->loop, 1000);
    assert_int_equal(s->hits, 1);
    assert_int_equal(s->events, SIGUSR2);
    assert_int_equal(s->hooks, 1);
    assert_int_equal(loop_signal(s->loop, SIGKILL, got_signal, s), E_USAGE);
    for (int i = 0; i < 5; i++)
        assert_int_equal(loop_signal(s->loop, SIGUSR1, got_signal, s), E_OK);
    assert_int_equal(loop_signal(s->loop, SIGUSR1, got_signal, s), E_LIMIT);
}

static void child_gone(void *arg, int pid, int status)
{
    Seen *s = arg;
    assert_true(s->hits < 8);
    s->pids[s->hits] = pid;
    s->statuses[s->hits++] = status;
}

static void ended_children_are_told(void **state)
{
    Seen *s = *state;
    int early = fork();
    if (early == 0) _exit(7);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)early, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(loop_children(s->loop, child_gone, s), E_OK);
    loop_turn(s->loop, 1000);
    assert_int_equal(s->hits, 1);
    assert_int_equal(s->pids[0], early);
    assert_int_equal(WEXITSTATUS(s->statuses[0]), 7);
    const char *argv[] = {"sh", "-c", "exit 9", NULL};
    int pids[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(proc_spawn(argv, NULL, &pids[i]), E_OK);
    for (int i = 0; i < 1000 && s->hits < 4; i++)
        loop_turn(s->loop, 100);
    assert_int_equal(s->hits, 4);
    for (int i = 0; i < 3; i++)
        assert_int_equal(WEXITSTATUS(s->statuses[i + 1]), 9);
    assert_true(s->hooks >= 2);
}

static void work_elsewhere(void *arg)
{
    Seen *s = arg;
    s->thread = pthread_self();
    now_sleep_ms(5);
    s->done = true;
}

static void after_work(void *arg)
{
    Seen *s = arg;
    s->hits++;
    s->events = s->done && !pthread_equal(s->thread, pthread_self());
}

static void work_runs_on_another_thread(void **state)
{
    Seen *s = *state;
    loop_work(s->loop, work_elsewhere, after_work, s);
    for (int i = 0; i < 1000 && s->hits == 0; i++)
        loop_turn(s->loop, 100);
    assert_int_equal(s->hits, 1);
    assert_int_equal(s->events, 1);
    assert_int_equal(s->hooks, 1);
}

static void work_under_way_is_waited_for(void **state)
{
    (void)state;
    Seen s = {0};
    LoopWatch watch = {0};
    LoopTimer timer = {0};
    int line[2];
    assert_int_equal(loop_make(&s.loop), E_OK);
    assert_int_equal(pipe(line), 0);
    assert_int_equal(loop_watch(s.loop, &watch, line[0], LOOP_READ, take_byte, &s), E_OK);
    loop_timer(s.loop, &timer, 1, 1, hit, &s);
    loop_work(s.loop, work_elsewhere, after_work, &s);
    loop_free(s.loop);
    assert_true(s.done);
    assert_int_equal(s.hits, 0);
    assert_null(watch.handle);
    assert_null(timer.handle);
    loop_unwatch(&watch);
    loop_timer_stop(&timer);
    close(line[0]);
    close(line[1]);
}

static void *wake_later(void *arg)
{
    now_sleep_ms(10);
    loop_wake(arg);
    return NULL;
}

static void another_thread_wakes_the_loop(void **state)
{
    Seen *s = *state;
    pthread_t id;
    i64 from = now_ticks();
    assert_int_equal(pthread_create(&id, NULL, wake_later, s->loop), 0);
    while (s->hooks == 0 && now_ticks() - from < 5000000000)
        loop_turn(s->loop, 5000);
    assert_int_equal(s->hooks, 1);
    assert_true(now_ticks() - from < 4000000000);
    assert_int_equal(pthread_join(id, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_can_be_made_and_freed),
        TEST(an_idle_turn_runs_no_hooks),
        TEST(readiness_is_told_until_it_is_used_up),
        TEST(both_directions_and_changes),
        TEST(a_struct_may_go_at_once),
        TEST(stopping_another_in_the_same_turn_holds),
        TEST(a_descriptor_that_cannot_be_watched),
        TEST(errors_of_a_descriptor_are_told),
        TEST(a_timer_fires_once_at_its_time),
        TEST(a_delay_counts_from_now_after_a_long_turn),
        TEST(a_timer_repeats_and_is_rearmed),
        TEST(a_timer_may_rearm_itself),
        TEST(hooks_follow_a_timer_without_waiting),
        TEST(again_runs_one_more_turn_at_once),
        TEST(stop_before_run_ends_it_at_once),
        TEST(signals_come_to_the_loop),
        TEST(ended_children_are_told),
        TEST(work_runs_on_another_thread),
        cmocka_unit_test(work_under_way_is_waited_for),
        TEST(another_thread_wakes_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
