/*
 * proc: starting, waiting, signals, and what a process knows of itself.
 */
#include "os/now.h"
#include "os/proc.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int run_shell(const char *script, const char *const *env)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    int pid, status;
    assert_int_equal(proc_spawn(argv, env, &pid), E_OK);
    assert_int_equal(proc_wait(pid, 10000, &status), E_OK);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void exit_statuses_come_back(void **state)
{
    (void)state;
    assert_int_equal(run_shell("exit 0", NULL), 0);
    assert_int_equal(run_shell("exit 42", NULL), 42);
    assert_int_equal(run_shell("kill -9 $$", NULL), 1009);
}

static void a_missing_program_is_told_at_once(void **state)
{
    (void)state;
    const char *argv[] = {"/no/such/program", NULL};
    int pid;
    assert_int_equal(proc_spawn(argv, NULL, &pid), E_NOT_FOUND);
    assert_int_equal(pid, -1);
    assert_non_null(strstr(fail_text(), "/no/such/program"));
    argv[0] = "/dev/null";
    assert_int_equal(proc_spawn(argv, NULL, &pid), E_DENIED);
}

static void the_environment_is_extended_and_replaced(void **state)
{
    (void)state;
    const char *env[] = {"SILT_A=new", "SILT_B=1", NULL};
    setenv("SILT_A", "old", 1);
    setenv("SILT_AB", "kept", 1);
    assert_int_equal(run_shell("test \"$SILT_A$SILT_B$SILT_AB\" = new1kept", env), 0);
    assert_int_equal(run_shell("test \"$(env | grep -c SILT_A=)\" = 1", env), 0);
    assert_int_equal(run_shell("test \"$SILT_A\" = old", NULL), 0);
    assert_string_equal(proc_env("SILT_A"), "old");
    assert_null(proc_env("SILT_NO_SUCH"));
}

static void standard_input_is_empty(void **state)
{
    (void)state;
    assert_int_equal(run_shell("test -z \"$(cat)\"", NULL), 0);
}

static void signals_arrive_though_we_block_them(void **state)
{
    (void)state;
    const char *argv[] = {"sleep", "30", NULL};
    sigset_t all, before;
    int pid, status;
    sigfillset(&all);
    assert_int_equal(sigprocmask(SIG_SETMASK, &all, &before), 0);
    assert_int_equal(proc_spawn(argv, NULL, &pid), E_OK);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    assert_int_equal(proc_wait(pid, 10, &status), E_TIMEOUT);
    proc_signal(pid, SIGTERM);
    assert_int_equal(proc_wait(pid, 10000, &status), E_OK);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    proc_signal(pid, SIGTERM); /* gone: fine */
    assert_int_equal(proc_wait(pid, 10, &status), E_NOT_FOUND);
}

static void children_die_with_their_parent(void **state)
{
    (void)state;
    int line[2], status, pid;
    assert_int_equal(pipe(line), 0);
    int middle = fork();
    assert_int_not_equal(middle, -1);
    if (middle == 0) {
        const char *argv[] = {"sleep", "30", NULL};
        if (proc_spawn(argv, NULL, &pid) != E_OK) _exit(1);
        if (write(line[1], &pid, sizeof pid) != sizeof pid) _exit(2);
        _exit(0);
    }
    assert_int_equal(waitpid(middle, &status, 0), middle);
    assert_int_equal(status, 0);
    assert_int_equal(read(line[0], &pid, sizeof pid), sizeof pid);
    close(line[0]);
    /* The grandchild holds our end of the pipe no more when it is gone: until then kill finds
     * it. */
    close(line[1]);
    i64 end = now_ticks() + 5000000000;
    char path[64], text[256];
    for (bool gone = false; !gone; now_sleep_ms(1)) {
        assert_true(now_ticks() < end);
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *f = fopen(path, "r");
        gone = !f || !fgets(text, sizeof text, f) || strstr(text, ") Z ");
        if (f) fclose(f);
    }
}

static void a_process_knows_itself(void **state)
{
    (void)state;
    Arena a = {0};
    char *path;
    assert_int_equal(proc_id(), getpid());
    assert_int_equal(proc_parent(), getppid());
    assert_in_range(proc_cpus(), 1, 1024);
    assert_int_equal(proc_self(&a, &path), E_OK);
    assert_non_null(strstr(path, "proc_test"));
    assert_int_equal(access(path, X_OK), 0);
    int line[2];
    assert_int_equal(pipe(line), 0);
    assert_false(proc_is_tty(line[0]));
    assert_false(proc_is_tty(-1));
    close(line[0]);
    close(line[1]);
    arena_free(&a);
}

static void memory_in_use_is_measured(void **state)
{
    (void)state;
    u64 before = proc_memory(), size = 64 << 20;
    assert_true(before > 0);
    volatile u8 *block = malloc(size);
    assert_non_null(block);
    for (u64 i = 0; i < size; i += 4096)
        block[i] = 1;
    assert_true(proc_memory() >= before + size / 2);
    free((void *)(uintptr_t)block);
}

static void random_bytes_differ(void **state)
{
    (void)state;
    u8 a[1000] = {0}, b[1000] = {0};
    proc_random(a, sizeof a);
    proc_random(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 990, "\0\0\0\0\0\0\0\0\0", 10);
    proc_random(a, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_statuses_come_back),
        cmocka_unit_test(a_missing_program_is_told_at_once),
        cmocka_unit_test(the_environment_is_extended_and_replaced),
        cmocka_unit_test(standard_input_is_empty),
        cmocka_unit_test(signals_arrive_though_we_block_them),
        cmocka_unit_test(children_die_with_their_parent),
        cmocka_unit_test(a_process_knows_itself),
        cmocka_unit_test(memory_in_use_is_measured),
        cmocka_unit_test(random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
