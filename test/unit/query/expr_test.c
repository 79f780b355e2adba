/*
 * expr: each kind of filter over each stored form, at the edges of types; and names that no column
 * has, which must not be interned.
 */
#include "kit.h"
#include "query/expr.h"

#include <math.h>

static Kit kit;
static i32 slot_of[COL_COUNT];
static ScanColumn cols[COL_COUNT];
static ScanPiece piece = {.cols = cols};
static Names *names, *held;

/* Eight rows in memory; slot = column. */
static int setup(void **state)
{
    (void)state;
    static const char *const prices[] = {"", "-0w", "-1", "-0", "0", "1", "2", "0w"};
    static const char *const quantities[] = {"", "-0W", "-1", "0", "1", "2", "0W", "7"};
    static const char *const syms[] = {"", "a", "ab", "b", "B", "a", "", "zz"};
    kit_make(&kit, 10, 1);
    for (u32 i = 0; i < 8; i++) {
        const char *texts[COL_COUNT] = {0};
        texts[COL_PRICE] = texts[COL_REAL] = prices[i];
        texts[COL_SIZE] = texts[COL_QTY] = texts[COL_SMALL] = quantities[i];
        texts[COL_SYM] = texts[COL_NOTE] = syms[i];
        texts[COL_SIDE] = i % 2 ? "B" : "";
        texts[COL_BYTE] = i % 2 ? "255" : "0";
        texts[COL_FLAG] = i % 2 ? "1" : "0";
        texts[COL_ID] = i % 2 ? "00000000-0000-0000-0000-000000000001" : "";
        kit_row(&kit, texts);
    }
    for (i32 i = 0; i < COL_COUNT; i++) {
        slot_of[i] = i;
        cols[i] = scan_of_live(&kit.rows.cols[i]);
    }
    KIT_OK(names_take(&held, &kit.domain, &names));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    names_drop(names);
    names_drop(held);
    kit_end(&kit);
    return 0;
}

/* Which rows pass, as a text of eight 0 and 1. */
static void expect(const char *filter, const char *rows)
{
    Arena a = {0};
    Request r;
    Expr e;
    u8 mask[8];
    char text[9] = {0};
    KIT_OK(kit_parse(&kit, arena_format(&a, "{'table':'trade','filter':[%s]}", filter), &a, &r));
    KIT_OK(expr_make(&r.filters[0], &kit.schema, slot_of, &kit.domain, &a, &e));
    memset(mask, 1, 8);
    KIT_OK(expr_narrow(&e, &piece, names, 0, 8, mask));
    for (u32 i = 0; i < 8; i++)
        text[i] = (char)('0' + mask[i]);
    if (strcmp(text, rows) != 0) fail_msg("%s: %s, expected %s", filter, text, rows);
    /* rows that are out stay out, whatever the filter says */
    memset(mask, 0, 8);
    KIT_OK(expr_narrow(&e, &piece, names, 0, 8, mask));
    for (u32 i = 0; i < 8; i++)
        assert_int_equal(mask[i], 0);
    arena_free(&a);
}

static void integers_compare_with_null_as_the_least(void **state)
{
    (void)state;
    static const char *const columns[] = {"size", "qty", "small"};
    for (u32 i = 0; i < COUNT_OF(columns); i++) {
        static const struct {
            const char *op, *value, *rows;
        } rows[] = {
            {"=", "1", "00001000"},
            {"<>", "1", "11110111"},
            {"<", "0", "11100000"},
            {"<=", "0", "11110000"},
            {">", "1", "00000111"},
            {">=", "1", "00001111"},
            {"=", "null", "10000000"},
            {"<", "null", "00000000"},
            {"<=", "null", "10000000"},
            {">", "null", "01111111"},
            {">=", "null", "11111111"},
            {">", "'0W'", "00000000"},
            {"=", "'0W'", "00000010"},
            {"<", "'-0W'", "10000000"},
            {"in", "[1,7,5]", "00001001"},
            {"in", "[]", "00000000"},
            {"in", "[null,0,1,2,3,4,5,6,7,8,9]", "10011101"},
            {"within", "[-1,1]", "00111000"},
            {"within", "[1,-1]", "00000000"},
            {"within", "[null,0]", "11110000"},
            {"within", "['-0W','0W']", "01111111"},
        };

        for (u32 k = 0; k < COUNT_OF(rows); k++) {
            Arena a = {0};
            expect(arena_format(&a, "['%s','%s',%s]", rows[k].op, columns[i], rows[k].value),
                   rows[k].rows);
            arena_free(&a);
        }
    }
}

static void floats_compare_with_nan_as_the_least_and_zeros_as_equal(void **state)
{
    (void)state;
    static const char *const columns[] = {"price", "real"};
    for (u32 i = 0; i < COUNT_OF(columns); i++) {
        static const struct {
            const char *op, *value, *rows;
        } rows[] = {
            {"=", "0", "00011000"},
            {"<>", "0", "11100111"},
            {"<", "0", "11100000"},
            {"<=", "-0.0", "11111000"},
            {">", "1", "00000011"},
            {">=", "1", "00000111"},
            {"=", "null", "10000000"},
            {"<>", "null", "01111111"},
            {"<", "null", "00000000"},
            {"<=", "null", "10000000"},
            {">", "null", "01111111"},
            {">=", "null", "11111111"},
            {"<", "'-0w'", "10000000"},
            {"<=", "'-0w'", "11000000"},
            {">", "'0w'", "00000000"},
            {">=", "'0w'", "00000001"},
            {"=", "'0w'", "00000001"},
            {"in", "[0,2]", "00011010"},
            {"in", "[null,1]", "10000100"},
            {"in", "[]", "00000000"},
            {"within", "[-1,1]", "00111100"},
            {"within", "[null,0]", "11111000"},
            {"within", "[null,null]", "10000000"},
            {"within", "[0,null]", "00000000"},
            {"in", "[10,11,12,13,14,15,16,17,0,null]", "10011000"},
        };

        for (u32 k = 0; k < COUNT_OF(rows); k++) {
            Arena a = {0};
            expect(arena_format(&a, "['%s','%s',%s]", rows[k].op, columns[i], rows[k].value),
                   rows[k].rows);
            arena_free(&a);
        }
    }
}

static void texts_compare_by_their_bytes(void **state)
{
    (void)state;
    static const char *const columns[] = {"sym", "note"};
    for (u32 i = 0; i < COUNT_OF(columns); i++) {
        static const struct {
            const char *op, *value, *rows;
        } rows[] = {
            {"=", "'a'", "01000100"},
            {"<>", "'a'", "10111011"},
            {"=", "''", "10000010"},
            {"<", "'b'", "11101110"},
            {"<=", "'b'", "11111110"},
            {">", "'a'", "00110001"},
            {">=", "'zz'", "00000001"},
            {"<", "''", "00000000"},
            {"in", "['a','zz','q']", "01000101"},
            {"in", "[]", "00000000"},
            {"in", "['']", "10000010"},
            {"within", "['a','b']", "01110100"},
            {"like", "'a*'", "01100100"},
            {"like", "'*'", "11111111"},
            {"like", "'?'", "01011100"},
            {"=", "'nobody'", "00000000"},
            {"<>", "'nobody'", "11111111"},
            {"within", "['b','a']", "00000000"},
        };

        for (u32 k = 0; k < COUNT_OF(rows); k++) {
            Arena a = {0};
            expect(arena_format(&a, "['%s','%s',%s]", rows[k].op, columns[i], rows[k].value),
                   rows[k].rows);
            arena_free(&a);
        }
    }
    assert_int_equal(symbol_find(STR("nobody")), -1);
}

static void bytes_chars_booleans_and_guids_compare(void **state)
{
    (void)state;
    expect("['=','byte',255]", "01010101");
    expect("['<','byte',255]", "10101010");
    expect("['>','byte',0]", "01010101");
    expect("['in','byte',[0,7]]", "10101010");
    expect("['>','byte',255]", "00000000");
    expect("['=','flag',true]", "01010101");
    expect("['<','flag',true]", "10101010");
    expect("['=','side','B']", "01010101");
    expect("['=','side','']", "10101010");
    expect("['in','side','BX']", "01010101");
    expect("['like','side','[A-C]']", "01010101");
    expect("['=','id','00000000-0000-0000-0000-000000000001']", "01010101");
    expect("['<>','id',null]", "01010101");
    expect("['in','id',['00000000-0000-0000-0000-000000000001']]", "01010101");
    expect("['>','id','00000000-0000-0000-0000-000000000000']", "01010101");
    expect("['within','id',[null,null]]", "10101010");
}

static void logic_nests(void **state)
{
    (void)state;
    expect("['not',['=','qty',1]]", "11110111");
    expect("['not',['<','qty',null]]", "11111111"); /* of what never passes */
    expect("['and',['>','qty',-1],['=','side','B']]", "00010101");
    expect("['or',['=','qty',1],['=','qty',2],['=','qty',null]]", "10001100");
    expect("['or',['and',['=','sym','a'],['not',['=','qty',2]]],['=','price','0w']]", "01000001");
    expect("['not',['or',['=','qty',1],['not',['=','side','B']]]]", "01010101");
}

static void filters_over_one_column_are_known_and_tested_by_symbol(void **state)
{
    (void)state;
    Arena a = {0};
    Request r;
    Expr e;
    KIT_OK(kit_parse(&kit,
                     "{'table':'trade','filter':[['or',['like','sym','a*'],['and',['in','sym',['b',"
                     "'zz']],['not',['=','sym','zz']]]],"
                     "['or',['=','sym','a'],['=','ex','a']]]}",
                     &a, &r));
    KIT_OK(expr_make(&r.filters[0], &kit.schema, slot_of, &kit.domain, &a, &e));
    assert_int_equal(expr_slot(&e), COL_SYM);
    assert_true(expr_test_id(&e, symbol_find(STR("a"))) &&
                expr_test_id(&e, symbol_find(STR("ab"))));
    assert_true(expr_test_id(&e, symbol_find(STR("b"))) &&
                !expr_test_id(&e, symbol_find(STR("zz"))));
    assert_false(expr_test_id(&e, 0));
    i32 late; /* interned after the filter was made */
    KIT_OK(symbol_intern(STR("a latecomer"), &late));
    assert_true(expr_test_id(&e, late));
    KIT_OK(expr_make(&r.filters[1], &kit.schema, slot_of, &kit.domain, &a, &e));
    assert_int_equal(expr_slot(&e), -1);
    arena_free(&a);
}

static void times_narrow_by_range_and_by_time_of_day(void **state)
{
    (void)state;
    const i64 day = TEMPORAL_DAY_NS, times[] = {-1, 0, 1, day - 1, day, INT64_MAX, -day, -day + 5};
    u8 mask[8];
    memset(mask, 1, 8);
    expr_narrow_times(times, 8, 0, day - 1, mask);
    assert_memory_equal(mask, ((u8[]){0, 1, 1, 1, 0, 0, 0, 0}), 8);
    memset(mask, 1, 8);
    expr_narrow_times(times, 8, INT64_MIN, INT64_MAX, mask);
    assert_memory_equal(mask, ((u8[]){1, 1, 1, 1, 1, 1, 1, 1}), 8);
    expr_narrow_times(times, 8, 1, 0, mask);
    assert_memory_equal(mask, ((u8[]){0, 0, 0, 0, 0, 0, 0, 0}), 8);
    memset(mask, 1, 8);
    expr_narrow_days(times, 8, 0, 6, mask);
    assert_memory_equal(mask, ((u8[]){0, 1, 1, 0, 1, 0, 1, 1}), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_compare_with_null_as_the_least),
        cmocka_unit_test(floats_compare_with_nan_as_the_least_and_zeros_as_equal),
        cmocka_unit_test(texts_compare_by_their_bytes),
        cmocka_unit_test(bytes_chars_booleans_and_guids_compare),
        cmocka_unit_test(logic_nests),
        cmocka_unit_test(filters_over_one_column_are_known_and_tested_by_symbol),
        cmocka_unit_test(times_narrow_by_range_and_by_time_of_day),
    };
    return cmocka_run_group_tests_name("query/expr", tests, setup, teardown);
}
