/*
 * fail: what is recorded, what callers read of it, and the table of codes.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail /* cmocka has a macro of this name */

#include "base/fail.h"

static Err broken(void) { return fail(E_CORRUPT, "file %s: %d bytes", "x", 7); }

static void nothing_failed_yet(void **state)
{
    (void)state;
    assert_string_equal(fail_text(), "");
    assert_string_equal(fail_where(), "");
    assert_int_equal(fail_last(), E_OK);
}

static void code_text_and_place_are_recorded(void **state)
{
    (void)state;
    assert_int_equal(broken(), E_CORRUPT);
    assert_string_equal(fail_text(), "file x: 7 bytes");
    assert_int_equal(fail_last(), E_CORRUPT);
    assert_non_null(strstr(fail_where(), "fail_test.c:"));
    assert_null(strchr(fail_where(), '/'));
}

static void notes_go_in_front(void **state)
{
    (void)state;
    Err err = broken();
    err = fail_note(err, "table %s", "trade");
    err = fail_note(err, "view %d", 4);
    assert_int_equal(err, E_CORRUPT);
    assert_string_equal(fail_text(), "view 4: table trade: file x: 7 bytes");
    assert_int_equal(fail_note(E_OK, "no"), E_OK);
    assert_string_equal(fail_text(), "view 4: table trade: file x: 7 bytes");
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    char text[3000];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = 0;
    assert_int_equal(fail(E_IO, "%s", text), E_IO);
    assert_int_equal(strlen(fail_text()), FAIL_TEXT_MAX - 1);
    assert_int_equal(fail_note(E_IO, "note"), E_IO);
    assert_int_equal(strlen(fail_text()), FAIL_TEXT_MAX - 1);
    assert_memory_equal(fail_text(), "note: aaa", 9);
    assert_int_equal(fail_note(E_IO, "%s", text), E_IO);
    assert_int_equal(strlen(fail_text()), FAIL_TEXT_MAX - 1);
    assert_int_equal(fail_errno(EIO, "%s", text), E_IO);
    assert_int_equal(strlen(fail_text()), FAIL_TEXT_MAX - 1);
}

static void a_text_may_quote_the_last(void **state)
{
    (void)state;
    (void)broken();
    assert_int_equal(fail(E_BUSY, "again: %s", fail_text()), E_BUSY);
    assert_string_equal(fail_text(), "again: file x: 7 bytes");
}

static void errno_maps_to_codes(void **state)
{
    (void)state;

    static const struct {
        int error;
        Err code;
    } cases[] = {{ENOSPC, E_FULL},      {EDQUOT, E_FULL}, {EACCES, E_DENIED}, {EPERM, E_DENIED},
                 {ENOENT, E_NOT_FOUND}, {EIO, E_IO},      {EBADF, E_IO}};

    for (u64 i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(fail_errno(cases[i].error, "f"), cases[i].code);
    assert_int_equal(fail_errno(ENOSPC, "f%d", 1), E_FULL);
    assert_string_equal(fail_text(), "f1: No space left on device");
}

static void every_code_has_its_row(void **state)
{
    (void)state;
    assert_int_equal(fail_exit(E_OK), 0);
    assert_int_equal(fail_http(E_OK), 200);
    for (int code = E_OK + 1; code < E_COUNT; code++) {
        assert_in_range(fail_http((Err)code), 400, 599);
        assert_in_range(fail_exit((Err)code), 1, 125);
        assert_int_not_equal(fail_signal((Err)code)[0], 0);
        for (const char *p = fail_name((Err)code); *p; p++)
            assert_true((*p >= 'a' && *p <= 'z') || *p == '_');
    }
    assert_string_equal(fail_name(E_FULL), "full");
    assert_string_equal(fail_name(E_NOT_FOUND), "not_found");
    assert_string_equal(fail_name(E_UNSUPPORTED), "unsupported");
    assert_string_equal(fail_signal(E_MEMORY), "wsfull");
    assert_int_equal(fail_exit(E_CORRUPT), 7);
}

static void *other_thread(void *arg)
{
    FailRecord *record = arg;
    assert_string_equal(fail_text(), "");
    (void)fail(E_LIMIT, "theirs");
    fail_save(record);
    return NULL;
}

static void threads_have_their_own_record(void **state)
{
    (void)state;
    FailRecord record;
    pthread_t id;
    (void)broken();
    assert_int_equal(pthread_create(&id, NULL, other_thread, &record), 0);
    assert_int_equal(pthread_join(id, NULL), 0);
    assert_int_equal(fail_last(), E_CORRUPT);
    assert_string_equal(fail_text(), "file x: 7 bytes");
    fail_restore(&record);
    assert_int_equal(fail_last(), E_LIMIT);
    assert_string_equal(fail_text(), "theirs");
}

static Err two_steps(Err first, int *steps)
{
    Err err = E_OK;
    TRY(first);
    (*steps)++;
done:
    return err;
}

static void try_jumps_only_on_failure(void **state)
{
    (void)state;
    int steps = 0;
    assert_int_equal(two_steps(E_OK, &steps), E_OK);
    assert_int_equal(steps, 1);
    assert_int_equal(two_steps(E_BUSY, &steps), E_BUSY);
    assert_int_equal(steps, 1);
}

static void a_broken_assumption_aborts(void **state)
{
    (void)state;
    int pid = fork(), status = 0;
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        int one = 1;
        ASSERT(one == 1);
        ASSERT(one == 2);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_failed_yet),
        cmocka_unit_test(code_text_and_place_are_recorded),
        cmocka_unit_test(notes_go_in_front),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(a_text_may_quote_the_last),
        cmocka_unit_test(errno_maps_to_codes),
        cmocka_unit_test(every_code_has_its_row),
        cmocka_unit_test(threads_have_their_own_record),
        cmocka_unit_test(try_jumps_only_on_failure),
        cmocka_unit_test(a_broken_assumption_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
