/*
 * input: pieces as they come, pauses, the end.
 */
#include "os/input.h"

#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void pieces_pauses_and_the_end(void **state)
{
    (void)state;
    int ends[2], before = dup(0);
    char text[8];
    u64 got = 9;
    bool end = true;
    assert_true(before >= 0);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[0], 0), 0);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(input_read(text, sizeof text, 1, &got, &end), E_OK);
    assert_int_equal(got, 0); /* a pause is not the end */
    assert_false(end);
    assert_int_equal(write(ends[1], "0123456789", 10), 10);
    assert_int_equal(input_read(text, sizeof text, -1, &got, &end), E_OK);
    assert_int_equal(got, 8);
    assert_memory_equal(text, "01234567", 8);
    assert_int_equal(input_read(text, sizeof text, -1, &got, &end), E_OK);
    assert_int_equal(got, 2); /* what is there, without waiting for more */
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(input_read(text, sizeof text, -1, &got, &end), E_OK);
    assert_int_equal(got, 0);
    assert_true(end);
    assert_int_equal(close(0), 0);
    assert_int_equal(input_read(text, sizeof text, 0, &got, &end), E_IO);
    assert_int_equal(dup2(before, 0), 0);
    assert_int_equal(close(before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_pauses_and_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
