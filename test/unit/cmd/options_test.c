/*
 * options: words are taken or left, values in both spellings, numbers within bounds, help.
 */
#include "tool_kit.h"

#include "cmd/options.h"

static const char *text, *other;
static bool flag;

static const Option OPTIONS[] = {{"name", "TEXT", &text, NULL, "a text"},
                                 {"names", "TEXT", &other, NULL, "another text"},
                                 {"flag", NULL, NULL, &flag, "a flag"},
                                 {0}};

/* Parses words; the positionals stay in argv. */
static Err parse(int *argc, char **argv)
{
    text = other = NULL;
    flag = false;
    return options_parse(argc, argv, OPTIONS);
}

static void takes_options_and_leaves_the_rest(void **state)
{
    (void)state;
    char words[8][16] = {"one", "--name", "v", "two", "--flag", "--names=x=y", "-", "-n"};
    char *argv[9] = {0};
    int argc = 8;
    for (int i = 0; i < 8; i++)
        argv[i] = words[i];
    assert_int_equal(parse(&argc, argv), E_OK);
    assert_int_equal(argc, 4);
    assert_string_equal(argv[0], "one");
    assert_string_equal(argv[1], "two");
    assert_string_equal(argv[2], "-");
    assert_string_equal(argv[3], "-n");
    assert_null(argv[4]);
    assert_string_equal(text, "v");
    assert_string_equal(other, "x=y");
    assert_true(flag);
}

static void two_dashes_end_the_options(void **state)
{
    (void)state;
    char words[4][16] = {"--flag", "--", "--name", "--"};
    char *argv[5] = {words[0], words[1], words[2], words[3], NULL};
    int argc = 4;
    assert_int_equal(parse(&argc, argv), E_OK);
    assert_int_equal(argc, 2);
    assert_string_equal(argv[0], "--name");
    assert_string_equal(argv[1], "--");
    assert_null(text);
}

static void refuses_what_is_not_there(void **state)
{
    static const char *const bad[] = {"--nosuch", "--nam",      "--name",
                                      "--flag=1", "--namesx=1", "--="};
    (void)state;
    for (u32 i = 0; i < COUNT_OF(bad); i++) {
        char word[32];
        snprintf(word, sizeof word, "%s", bad[i]);
        char *argv[2] = {word, NULL};
        int argc = 1;
        assert_int_equal(parse(&argc, argv), E_USAGE);
        assert_true(strlen(fail_text()) > 0);
    }
    char name[] = "--name=", *argv[2] = {name, NULL};
    int argc = 1;
    assert_int_equal(parse(&argc, argv), E_OK); /* an empty value is one */
    assert_string_equal(text, "");
}

static void numbers_have_bounds(void **state)
{
    i64 n = 0;
    (void)state;
    assert_int_equal(options_number("n", "12", 0, 12, &n), E_OK);
    assert_int_equal(n, 12);
    assert_int_equal(options_number("n", "-3", -3, 12, &n), E_OK);
    assert_int_equal(options_number("n", "13", 0, 12, &n), E_USAGE);
    assert_string_equal(fail_text(), "--n 13: a whole number from 0 to 12 is expected");
    assert_int_equal(options_number("n", "", 0, 12, &n), E_USAGE);
    assert_int_equal(options_number("n", "1x", 0, 12, &n), E_USAGE);
    assert_int_equal(options_number("n", "99999999999999999999", 0, INT64_MAX, &n), E_USAGE);
}

static void sources_and_forwarding(void **state)
{
    (void)state;
    OptionsCommon c = {
        .file = "a.yaml", .idb = "/i", .sm_port = "0", .da_port = "65535", .log_level = "debug"};
    ConfigSource s;
    const char *argv[32] = {"silt"};
    u32 count = 1;
    assert_int_equal(options_source(&c, &s), E_OK);
    assert_string_equal(s.path, "a.yaml");
    assert_string_equal(s.idb, "/i");
    assert_null(s.hdb);
    assert_int_equal(s.sm_port, 0);
    assert_int_equal(s.da_port, 65535);
    options_forward(&c, argv, &count);
    assert_int_equal(count, 9);
    assert_string_equal(argv[1], "--idb");
    assert_string_equal(argv[2], "/i");
    assert_string_equal(argv[7], "--log-level");
    c.sm_port = "65536";
    assert_int_equal(options_source(&c, &s), E_USAGE);
    c.sm_port = NULL;
    assert_int_equal(options_source(&c, &s), E_OK);
    assert_int_equal(s.sm_port, -1);
}

static void log_settings(void **state)
{
    (void)state;
    unsetenv("KXI_LOG_LEVELS");
    unsetenv("KXI_LOG_FORMAT");
    OptionsCommon c = {0};
    assert_int_equal(options_log(&c, "t"), E_OK);
    c.log_level = "loud";
    assert_int_equal(options_log(&c, "t"), E_USAGE);
    c.log_level = "error";
    c.log_format = "xml";
    assert_int_equal(options_log(&c, "t"), E_USAGE);
    c.log_format = "json";
    assert_int_equal(options_log(&c, "t"), E_OK);
    c = (OptionsCommon){0};
    assert_int_equal(setenv("KXI_LOG_LEVELS", "sm:debug,default:warn", 1), 0);
    assert_int_equal(options_log(&c, "t"), E_OK);
    assert_int_equal(setenv("KXI_LOG_LEVELS", "default:loud", 1), 0);
    assert_int_equal(options_log(&c, "t"), E_USAGE);
    unsetenv("KXI_LOG_LEVELS");
}

static int run_help(int argc, char **argv)
{
    return options_parse(&argc, argv, OPTIONS) == E_OK ? 55
                                                       : 56; /* neither: help ends the process */
}

static void help_lists_the_options(void **state)
{
    (void)state;
    ToolRun r = TOOL_RUN(run_help, NULL, "word", "--help", "--nosuch");
    assert_int_equal(r.status, 0);
    assert_non_null(strstr(buf_str(&r.out), "--name TEXT"));
    assert_non_null(strstr(buf_str(&r.out), "a flag\n"));
    tool_run_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_options_and_leaves_the_rest),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(refuses_what_is_not_there),
        cmocka_unit_test(numbers_have_bounds),
        cmocka_unit_test(sources_and_forwarding),
        cmocka_unit_test(log_settings),
        cmocka_unit_test(help_lists_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
