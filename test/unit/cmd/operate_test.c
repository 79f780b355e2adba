/*
 * operate, settings, talk: commands that look at an assembly, and how the other side is found.
 */
#include "check_kit.h"

#include "cmd/operate.h"
#include "cmd/settings.h"
#include "cmd/talk.h"

static CheckKit k;
static char *assembly;

static bool says(const Buf *b, const char *text)
{
    return b->size > 0 && memmem(b->data, b->size, text, strlen(text)) != NULL;
}

static int setup(void **state)
{
    (void)state;
    unsetenv("KXI_ASSEMBLY_FILE");
    unsetenv("SILT_SM_PORT");
    unsetenv("SILT_DA_PORT");
    check_kit_make(&k);
    assembly = check_kit_assembly(&k);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    check_kit_end(&k);
    return 0;
}

static void parts_are_listed_from_disk(void **state)
{
    (void)state;
    ToolRun r = TOOL_RUN(operate_part_main, NULL, "list", assembly);
    if (r.status != 0) fputs(buf_str(&r.err), stderr);
    assert_int_equal(r.status, 0);
    assert_true(says(&r.out, "hdb/data/2024.08.20/2"));
    assert_true(says(&r.out, "idb/data/2024.08.17/1"));
    tool_run_free(&r);
    r = TOOL_RUN(operate_part_main, NULL, "list", assembly, "--json");
    assert_int_equal(r.status, 0);
    assert_true(says(&r.out, "\"rows\":60"));
    tool_run_free(&r);
}

static void settings_are_checked_and_shown(void **state)
{
    (void)state;
    char *bad = check_kit_path(&k, "bad.yaml");
    ToolRun r = TOOL_RUN(settings_main, NULL, "check", assembly);
    assert_int_equal(r.status, 0);
    assert_true(says(&r.out, ": ok: 1 tables"));
    tool_run_free(&r);
    r = TOOL_RUN(settings_main, NULL, "show", assembly);
    assert_int_equal(r.status, 0);
    assert_true(says(&r.out, "name: demo"));
    tool_run_free(&r);
    tool_write(bad, "name: x\nnosuch: 1\n", 18);
    r = TOOL_RUN(settings_main, NULL, "check", bad);
    assert_int_equal(r.status, 2);
    assert_true(says(&r.err, "bad.yaml:"));
    tool_run_free(&r);
    r = TOOL_RUN(settings_main, NULL, "reference");
    assert_int_equal(r.status, 0);
    assert_true(r.out.size > 1000);
    tool_run_free(&r);
    r = TOOL_RUN(settings_main, NULL, "check", check_kit_path(&k, "nosuch.yaml"));
    assert_int_equal(r.status, 3);
    tool_run_free(&r);
    r = TOOL_RUN(settings_main, NULL, "nosuch", assembly);
    assert_int_equal(r.status, 2);
    tool_run_free(&r);
}

static void usage_errors(void **state)
{
    (void)state;
    ToolRun r = TOOL_RUN(operate_part_main, NULL, "nosuch");
    assert_int_equal(r.status, 2);
    tool_run_free(&r);
    r = TOOL_RUN(operate_status_main, NULL, "a", "b");
    assert_int_equal(r.status, 2);
    tool_run_free(&r);
    r = TOOL_RUN(operate_eod_main, NULL, "--wait=1");
    assert_int_equal(r.status, 2);
    tool_run_free(&r);
}

/* Which address does not answer tells how it was found. */
static void addresses(void **state)
{
    (void)state;
    Client c;
    OptionsCommon o = {.sm_port = "1"};
    assert_int_equal(talk_open(&c, &o, NULL, TALK_MANAGER, 1000), E_CLOSED);
    assert_true(strncmp(fail_text(), "the manager at 127.0.0.1:1 does not answer", 42) == 0);
    assert_int_equal(setenv("SILT_DA_PORT", "2", 1), 0);
    assert_int_equal(talk_open(&c, &o, NULL, TALK_READER, 1000), E_CLOSED);
    assert_true(strncmp(fail_text(), "the reader at 127.0.0.1:2 does not answer", 41) == 0);
    o.da_port = "3"; /* an option wins over the environment */
    assert_int_equal(talk_open(&c, &o, "localhost", TALK_READER, 1000), E_CLOSED);
    assert_true(strncmp(fail_text(), "the reader at localhost:3 does not answer", 41) == 0);
    o.da_port = "0";
    assert_int_equal(talk_open(&c, &o, NULL, TALK_READER, 1000), E_USAGE);
    o = (OptionsCommon){.file = "/nosuch/file.yaml"};
    assert_int_equal(talk_open(&c, &o, NULL, TALK_MANAGER, 1000), E_NOT_FOUND);
    assert_int_equal(c.fd, -1);
    unsetenv("SILT_DA_PORT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_listed_from_disk),
        cmocka_unit_test(settings_are_checked_and_shown),
        cmocka_unit_test(usage_errors),
        cmocka_unit_test(addresses),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
