/*
 * now: the real clocks agree with the kernel, the false ones replace them.
 */
#include "os/now.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static i64 noon(void) { return 43200 * 1000000000ll; }

static i64 early(void) { return 5; }

static void wall_time_counts_from_2000(void **state)
{
    (void)state;
    i64 wall = now_wall(), unix_s = (i64)time(NULL);
    assert_in_range(wall / 1000000000 + NOW_EPOCH_NS / 1000000000 + 1, unix_s, unix_s + 2);
    assert_in_range(now_unix() - NOW_EPOCH_NS - wall, 0, 1000000000);
    assert_int_equal(now_init(), E_OK);
}

static void monotonic_time_only_grows(void **state)
{
    (void)state;
    i64 last = now_mono();
    for (int i = 0; i < 1000; i++) {
        i64 next = now_mono();
        assert_true(next >= last);
        last = next;
    }
    now_sleep_ms(20);
    assert_true(now_mono() - last >= 20000000);
}

static void false_clocks_replace_the_real(void **state)
{
    (void)state;
    now_fake(noon, early);
    assert_true(now_wall() == noon());
    assert_true(now_unix() == noon() + NOW_EPOCH_NS);
    assert_true(now_mono() == 5);
    assert_true(now_ticks() != 5);
    now_fake(NULL, NULL);
    assert_true(now_wall() != noon());
    assert_true(now_mono() != 5);
}

/* In a child, as the offset is read once: 0 when it moved the clock by a day, 1 when refused. */
static int with_offset(const char *text)
{
    int status, pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        setenv("SILT_NOW_OFFSET_NS", text, 1);
        execl("/proc/self/exe", "now_test", "child", (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static int child(void)
{
    i64 shift = now_unix() / 1000000000 - (i64)time(NULL);
    if (now_init() != E_OK) return 1;
    return shift > 86390 && shift < 86410 ? 0 : 2;
}

static void the_environment_moves_the_clock(void **state)
{
    (void)state;
    assert_int_equal(with_offset("86400000000000"), 0);
    assert_int_equal(with_offset("tomorrow"), 1);
    assert_int_equal(with_offset(""), 2);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) return child();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_time_counts_from_2000),
        cmocka_unit_test(monotonic_time_only_grows),
        cmocka_unit_test(false_clocks_replace_the_real),
        cmocka_unit_test(the_environment_moves_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
