/*
 * api: the table of calls: look-up by name and by path, parameters, what is added how.
 */
#include "kit.h"

static void finds_by_name(void **state)
{
    (void)state;
    const ApiEntry *e = api_find(STR("echo"));
    assert_ptr_equal(e, &KIT_ENTRIES[0]);
    assert_null(api_find(STR("ech")));
    assert_null(api_find(STR("echo ")));
    assert_null(api_find(STR("")));
    assert_false(api_is_brief(e));
    assert_true(api_is_brief(api_find(STR("brief"))));
}

static void finds_by_path(void **state)
{
    (void)state;
    Str rest = {0};
    bool other = true;
    assert_ptr_equal(api_find_path(STR("POST"), STR("/echo"), &rest, &other), &KIT_ENTRIES[0]);
    assert_false(other);
    assert_int_equal(rest.size, 0);
    assert_null(api_find_path(STR("GET"), STR("/echo"), &rest, &other));
    assert_true(other);
    assert_null(api_find_path(STR("GET"), STR("/nosuch"), &rest, &other));
    assert_false(other);
    assert_null(api_find_path(STR("GET"), STR("/"), &rest, &other));
    const ApiEntry *e = api_find_path(STR("POST"), STR("/v1/publish/a/b"), &rest, &other);
    assert_ptr_equal(e, &KIT_ENTRIES[4]);
    assert_true(str_is(rest, "a/b"));
    assert_null(
        api_find_path(STR("POST"), STR("/v1/publish/"), &rest, &other)); /* nothing behind it */
    assert_null(api_find_path(STR("POST"), STR("/v1/publish"), &rest, &other));
}

static void walks_the_table(void **state)
{
    (void)state;
    u32 count = 0;
    while (api_entry(count) != NULL) {
        assert_non_null(api_entry(count)->help);
        count++;
    }
    assert_int_equal(count, COUNT_OF(KIT_ENTRIES) - 1 + COUNT_OF(KIT_BRIEF) - 1);
    assert_null(api_entry(count + 1));
}

static void reads_parameters(void **state)
{
    (void)state;
    Call c = {.http = true, .query = STR("a=1&b=x%41+y%zz%4&empty=&flag&a=2&=odd")};
    assert_true(str_is(call_param(&c, "a"), "1"));
    assert_true(str_is(call_param(&c, "b"), "xA y%zz%4"));
    Str s = call_param(&c, "empty");
    assert_true(s.data != NULL && s.size == 0);
    s = call_param(&c, "flag");
    assert_true(s.data != NULL && s.size == 0);
    s = call_param(&c, "nosuch");
    assert_true(s.data == NULL && s.size == 0);
    c.query = STR("");
    assert_null(call_param(&c, "a").data);
    assert_null(call_header(&c, "Accept").data); /* no connection */
    assert_false(call_wants_q(&c));
    c.http = false;
    assert_true(call_wants_q(&c));
    arena_free(&c.arena);
}

static int setup(void **state)
{
    Kit k;
    (void)state;
    kit_open(&k, (ServerOptions){0}); /* adds the entries */
    kit_close(&k);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_by_name),
        cmocka_unit_test(finds_by_path),
        cmocka_unit_test(walks_the_table),
        cmocka_unit_test(reads_parameters),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
