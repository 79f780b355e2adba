/*
 * findings: what is kept, joined, bounded and printed.
 */
#include "tool_kit.h"

#include "cmd/findings.h"
#include "cmd/progress.h"

static void joined_in_order_and_printed(void **state)
{
    (void)state;
    NoteList a = {0}, b = {0};
    Buf out = {0};
    note_bad(&a, "/x", "rows", "%d rows", 3);
    note_warn(&b, "/y \"q\"", "stray", "nobody");
    assert_int_equal(fail_at(E_CORRUPT, "f.c", 1, "/z: is broken"), E_CORRUPT);
    findings_fail(&b, "/z", "column", E_CORRUPT);
    assert_int_equal(fail_at(E_UNSUPPORTED, "f.c", 1, "compressed"), E_UNSUPPORTED);
    findings_fail(&b, "/z", "column", E_UNSUPPORTED);
    note_join(&a, &b);
    assert_int_equal(b.count, 0);
    assert_int_equal(a.errors, 2);
    assert_int_equal(a.warnings, 2);
    TOOL_OK(findings_write(&a, false, &out));
    assert_string_equal(buf_str(&out), "/x: rows: 3 rows\n"
                                       "/y \"q\": warning: stray: nobody\n"
                                       "/z: column: is broken\n"
                                       "/z: warning: column: compressed\n");
    buf_clear(&out);
    TOOL_OK(findings_write(&a, true, &out));
    assert_non_null(strstr(
        buf_str(&out),
        "{\"file\":\"/y \\\"q\\\"\",\"rule\":\"stray\",\"text\":\"nobody\",\"warning\":true}\n"));
    buf_free(&out);
    note_free(&a);
    note_free(&a);
}

static void beyond_the_bound_they_are_counted(void **state)
{
    (void)state;
    NoteList a = {0}, b = {0};
    Buf out = {0};
    for (u32 i = 0; i < NOTE_MAX + 5; i++)
        note_bad(&a, "/x", "rows", "%u", i);
    note_warn(&b, "/y", "stray", "one more");
    note_join(&a, &b);
    assert_int_equal(a.count, NOTE_MAX);
    assert_int_equal(a.errors, NOTE_MAX + 5);
    assert_int_equal(a.warnings, 1);
    TOOL_OK(findings_write(&a, false, &out));
    assert_non_null(strstr(buf_str(&out), "\n6 more\n"));
    buf_free(&out);
    note_free(&a);
}

static int show(int argc, char **argv)
{
    Progress p, zeroed = {0};
    (void)argc;
    (void)argv;
    progress_begin(&p, "rows");
    progress_show(&p, 1, 0);
    progress_show(&p, 1, 2);
    progress_wait(&p, STR("waiting"));
    progress_end(&p);
    progress_end(&zeroed);
    return 0;
}

static void progress_is_for_terminals(void **state)
{
    (void)state;
    ToolRun r = TOOL_RUN(show, NULL, "x");
    assert_int_equal(r.status, 0);
    assert_int_equal(r.out.size + r.err.size, 0);
    tool_run_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joined_in_order_and_printed),
        cmocka_unit_test(beyond_the_bound_they_are_counted),
        cmocka_unit_test(progress_is_for_terminals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
