/*
 * fault: which change is spoiled, how, and by which words of the environment.
 */
#include "os/dir.h"
#include "os/fault.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int point_error(void) { return fault_point("call", "path", 0).error; }

static void unarmed_it_lets_all_pass(void **state)
{
    (void)state;
    FaultVerdict v = fault_point("pwrite", "p", 123);
    assert_int_equal(v.error, 0);
    assert_int_equal(v.size, 123);
    assert_int_equal(fault_count(), 0);
}

static void one_change_fails(void **state)
{
    (void)state;
    fault_arm(FAULT_ERROR, 3, false, ENOSPC);
    assert_int_equal(point_error(), 0);
    assert_int_equal(point_error(), 0);
    assert_int_equal(point_error(), ENOSPC);
    assert_int_equal(point_error(), 0);
    assert_int_equal(fault_count(), 4);
}

static void a_lasting_fault_stays(void **state)
{
    (void)state;
    fault_arm(FAULT_ERROR, 2, true, EIO);
    assert_int_equal(point_error(), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(point_error(), EIO);
    fault_arm(FAULT_NONE, 0, false, 0);
    assert_int_equal(point_error(), 0);
    assert_int_equal(fault_count(), 1);
}

static void a_short_write_is_half(void **state)
{
    (void)state;
    fault_arm(FAULT_SHORT, 1, true, 0);
    assert_int_equal(fault_point("pwrite", "p", 100).size, 50);
    assert_int_equal(fault_point("pwrite", "p", 3).size, 1);
    assert_int_equal(fault_point("pwrite", "p", 1).size, 1);
    assert_int_equal(fault_point("fsync", "p", 0).size, 0);
    fault_arm(FAULT_NONE, 0, false, 0);
}

/* Starts this program again with SILT_FAULT and returns its exit status. */
static int run_with(const char *fault, const char *role)
{
    int status, pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        close(STDERR_FILENO);
        setenv("SILT_FAULT", fault, 1);
        if (role) setenv("SILT_FAULT_ROLE", role, 1);
        execl("/proc/self/exe", "fault_test", "child", (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

/* Three changes; the exit status tells which failed first (1, 2, 3), 0 = none, 50 = bad
 * SILT_FAULT. */
static int child(void)
{
    Err err = fault_init("eoi");
    if (err) return err == E_USAGE ? 50 : 51;
    for (int i = 1; i <= 3; i++)
        if (point_error() == ENOSPC) return i;
    return 0;
}

static void the_environment_arms(void **state)
{
    (void)state;
    assert_int_equal(run_with("", NULL), 0);
    assert_int_equal(run_with("kill:2", NULL), 137);
    assert_int_equal(run_with("kill:4", NULL), 0);
    assert_int_equal(run_with("error:2:ENOSPC", NULL), 2);
    assert_int_equal(run_with("error:3+:ENOSPC", NULL), 3);
    assert_int_equal(run_with("error:2:EIO", NULL), 0);
    assert_int_equal(run_with("short:1", NULL), 0);
    assert_int_equal(run_with("kill:2", "eoi"), 137);
    assert_int_equal(run_with("kill:2", "sm"), 0);
}

static void malformed_words_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "kill",          "kill:",       "kill:0",        "kill:-1",  "kill:x",
        "kill:1:EIO",    "kill:1+",     "error:1",       "error:1:", "error:1:EX",
        "error:1:EIO:1", "short:1+",    "short:1:short", "bang:1",   ":",
        "count:",        "error:+:EIO", "error:1:eio",   "kill:1 "};
    for (u64 i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(run_with(bad[i], NULL), 50);
}

static void the_count_is_in_the_file(void **state)
{
    (void)state;
    Arena a = {0};
    char path[256], fault[300];
    const char *base = getenv("TMPDIR");
    u8 *data;
    u64 size;
    snprintf(path, sizeof path, "%s/silt-count-XXXXXX", base ? base : "/tmp");
    int fd = mkstemp(path);
    assert_int_not_equal(fd, -1);
    close(fd);
    snprintf(fault, sizeof fault, "count:%s", path);
    assert_int_equal(run_with(fault, NULL), 0);
    assert_int_equal(file_read_all(path, 100, &a, &data, &size), E_OK);
    assert_string_equal((char *)data, "3\n");
    assert_int_equal(dir_unlink(path), E_OK);
    arena_free(&a);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) return child();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unarmed_it_lets_all_pass), cmocka_unit_test(one_change_fails),
        cmocka_unit_test(a_lasting_fault_stays),    cmocka_unit_test(a_short_write_is_half),
        cmocka_unit_test(the_environment_arms),     cmocka_unit_test(malformed_words_are_refused),
        cmocka_unit_test(the_count_is_in_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
