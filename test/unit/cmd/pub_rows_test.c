/*
 * pub_rows: text cut at any place gives the same rows.
 */
#include "tool_kit.h"

#include "cmd/pub_rows.h"

static SchemaColumn columns[] = {{.name = "n", .type = QT_LONG}, {.name = "s", .type = QT_STRING}};
static Schema schema = {
    .name = "t", .column_count = 2, .columns = columns, .prtn = -1, .updated = -1};

/* Feeds a text in pieces of `piece` bytes; the first failure ends it. */
static Err feed(const char *text, bool json, u64 piece, Batch *b)
{
    PubRows r;
    Err err = E_OK;
    u64 size = strlen(text);
    pub_rows_init(&r, &schema, json);
    for (u64 at = 0; at < size && err == E_OK; at += piece)
        err = pub_rows_feed(&r, (Str){text + at, MIN(piece, size - at)}, false, b);
    if (err == E_OK) err = pub_rows_feed(&r, STR(""), true, b);
    pub_rows_free(&r);
    return err;
}

static void same_rows_wherever_it_is_cut(void **state)
{
    static const struct {
        const char *text;
        bool json;
        u64 rows;
    } all[] = {
        {"n,s\n1,a\n2,\"b,\"\"\n\"\r\n3,\n", false, 3},
        {"s,n\n\xc3\xa4,1", false, 1},
        {"[ {\"n\":1,\"s\":\"}]\\\"\\\\\"} , {\"n\":2} ,\n{\"s\":\"x\"}]\n", true, 3},
        {"{\"n\":1}\n{\"n\":2}{\"n\":3}\n\n", true, 3},
        {"{\"n\":[1,2,3,4],\"s\":[\"a\",\"b\",\"c\",\"[{\"]}", true, 4},
        {"[]", true, 0},
        {" \n\t ", true, 0},
    };

    (void)state;
    schema_seal(&schema);
    for (u32 i = 0; i < COUNT_OF(all); i++)
        for (u64 piece = 1; piece < 40; piece++) {
            Batch b = {0};
            batch_init(&b, &schema);
            TOOL_OK(feed(all[i].text, all[i].json, piece, &b));
            assert_int_equal(b.rows, all[i].rows);
            for (u64 k = 0; k < b.rows && i != 1; k++)
                assert_true(vec_i64(&b.cols[0])[k] == (i64)k + 1 ||
                            vec_i64(&b.cols[0])[k] == INT64_MIN);
            batch_free(&b);
        }
}

static void errors_name_the_line_wherever_it_is_cut(void **state)
{
    static const char text[] = "[{\"n\":1},\n\n{\"n\":2},\n{\"n\":\"x\"},\n{\"n\":4}]";
    (void)state;
    for (u64 piece = 1; piece < sizeof text; piece++) {
        Batch b = {0};
        batch_init(&b, &schema);
        assert_int_equal(feed(text, true, piece, &b), E_TYPE);
        assert_true(strncmp(fail_text(), "object at line 4: ", 18) == 0);
        assert_int_equal(b.rows, 2);
        batch_free(&b);
    }
}

static void deep_and_broken_objects(void **state)
{
    (void)state;
    Batch b = {0};
    Buf deep = {0};
    batch_init(&b, &schema);
    TOOL_OK(buf_text(&deep, "{\"n\":"));
    for (int i = 0; i < 100000; i++)
        TOOL_OK(buf_byte(&deep, '['));
    assert_int_equal(feed(buf_str(&deep), true, 1000, &b), E_USAGE); /* it does not end */
    for (int i = 0; i < 100000; i++)
        TOOL_OK(buf_byte(&deep, ']'));
    TOOL_OK(buf_byte(&deep, '}'));
    assert_int_not_equal(feed(buf_str(&deep), true, 1000, &b), E_OK);
    assert_int_equal(feed("{]", true, 1, &b), E_USAGE);
    assert_int_equal(feed("{\"n\":1}}", true, 1, &b), E_USAGE);
    assert_int_equal(feed("nothing", true, 1, &b), E_USAGE);
    buf_free(&deep);
    batch_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_rows_wherever_it_is_cut),
        cmocka_unit_test(errors_name_the_line_wherever_it_is_cut),
        cmocka_unit_test(deep_and_broken_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
