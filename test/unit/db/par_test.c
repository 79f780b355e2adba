/*
 * par: lines of par.txt, as editors and systems leave them.
 */
#include "db/par.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static ParLine *lines;
static u32 count, empty;

static Err parse(Arena *a, const char *text, u64 size)
{
    return par_parse((Str){text, size}, "par.txt", a, &lines, &count, &empty);
}

static void lines_are_paths(void **state)
{
    (void)state;
    Arena a = {0};
    static const char text[] = "/disk1/db\n../two\n three words \n";
    assert_int_equal(parse(&a, text, sizeof text - 1), E_OK);
    assert_int_equal(count, 3);
    assert_string_equal(lines[0].path, "/disk1/db");
    assert_string_equal(lines[1].path, "../two");
    assert_string_equal(lines[2].path, " three words");
    assert_true(lines[2].blanks && !lines[1].blanks && !lines[0].slash && !lines[0].store);
    assert_int_equal(lines[2].number, 3);
    assert_int_equal(parse(&a, "", 0), E_OK);
    assert_int_equal(count, 0);
    assert_int_equal(parse(&a, "one", 3), E_OK); /* without a line feed */
    assert_int_equal(count, 1);
    arena_free(&a);
}

static void ends_of_lines_are_taken_off_and_said(void **state)
{
    (void)state;
    Arena a = {0};
    static const char text[] = "one\r\n\r\ntwo/\n\ns3://bucket/db/\nms://x/y\none\n/\n";
    assert_int_equal(parse(&a, text, sizeof text - 1), E_OK);
    assert_int_equal(count, 6);
    assert_int_equal(empty, 2);
    assert_string_equal(lines[0].path, "one");
    assert_true(lines[0].blanks && !lines[0].again);
    assert_string_equal(lines[1].path, "two");
    assert_true(lines[1].slash && !lines[1].store);
    assert_int_equal(lines[1].number, 3);
    assert_string_equal(lines[2].path, "s3://bucket/db");
    assert_true(lines[2].slash && lines[2].store);
    assert_true(lines[3].store && !lines[3].slash);
    assert_true(lines[4].again);
    assert_string_equal(lines[5].path, "/");
    arena_free(&a);
}

static void bounds_are_kept(void **state)
{
    (void)state;
    Arena a = {0};
    static char text[2 * (PAR_LINES_MAX + 1)];
    assert_int_equal(parse(&a, "a\0b\n", 4), E_CORRUPT);
    for (u32 i = 0; i < sizeof text; i += 2)
        memcpy(text + i, "x\n", 2);
    assert_int_equal(parse(&a, text, sizeof text - 2), E_OK);
    assert_int_equal(parse(&a, text, sizeof text), E_LIMIT);
    memset(text, 'x', 4096);
    assert_int_equal(parse(&a, text, 4095), E_OK);
    assert_int_equal(parse(&a, text, 4096), E_LIMIT);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_paths),
        cmocka_unit_test(ends_of_lines_are_taken_off_and_said),
        cmocka_unit_test(bounds_are_kept),
    };
    return cmocka_run_group_tests_name("par", tests, NULL, NULL);
}
