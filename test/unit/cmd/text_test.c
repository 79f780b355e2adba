/*
 * text: tables in columns, dictionaries in lines, cells.
 */
#include "tool_kit.h"

#include "cmd/text.h"
#include "q/temporal.h"

static void check(const Value *v, const char *wanted)
{
    Buf b = {0};
    assert_int_equal(text_write(&b, v), E_OK);
    assert_string_equal(buf_str(&b), wanted);
    buf_free(&b);
}

static void tables_stand_in_columns(void **state)
{
    (void)state;
    Arena a = {0};
    static Str names[] = {{"a", 1}, {"longer", 6}, {"", 0}};
    static i64 sizes[] = {1, -20000, Q_NULL_LONG};
    static i64 times[] = {0, 1, Q_NULL_LONG};
    static f64 prices[] = {0.5, 100, -1};
    Value t = value_table(&a, 4);
    t.as.table.names[0] = STR("sym");
    t.as.table.names[1] = STR("size");
    t.as.table.names[2] = STR("time");
    t.as.table.names[3] = STR("price");
    t.as.table.cols[0] = value_vec(vec_of(QT_SYMBOL, names, 3));
    t.as.table.cols[1] = value_vec(vec_of(QT_LONG, sizes, 3));
    t.as.table.cols[2] = value_vec(vec_of(QT_TIMESTAMP, times, 3));
    t.as.table.cols[3] = value_vec(vec_of(QT_FLOAT, prices, 3));
    check(&t, "sym       size  time                           price\n"
              "a            1  2000.01.01D00:00:00.000000000    0.5\n"
              "longer  -20000  2000.01.01D00:00:00.000000001    100\n"
              "          null  0Np                               -1\n");
    Value none = value_table(&a, 1);
    none.as.table.names[0] = STR("empty");
    none.as.table.cols[0] = value_vec(vec_of(QT_SYMBOL, names, 0));
    check(&none, "empty\n");
    arena_free(&a);
}

static void dictionaries_stand_in_lines(void **state)
{
    (void)state;
    Arena a = {0};
    Value inner = value_dict(&a, 1), d = value_dict(&a, 3);
    value_put(&inner, "deep", value_bool(true));
    value_put(&d, "number", value_long(5));
    value_put(&d, "text", value_string(STR("some words")));
    value_put(&d, "inner", inner);
    check(&d, "number                 5\n"
              "text                   some words\n"
              "inner                  \n"
              "  deep                 true\n");
    arena_free(&a);
}

static void atoms_and_lists(void **state)
{
    (void)state;
    static i64 longs[] = {1, 2};
    Value v = value_long(7);
    check(&v, "7\n");
    v = value_null();
    check(&v, "\n");
    v = value_symbol("x");
    check(&v, "x\n");
    v = value_atom(QT_DATE, 0);
    check(&v, "2000.01.01\n");
    v = value_vec(vec_of(QT_LONG, longs, 2));
    check(&v, "[1,2]\n");
}

/* What others put into a cell must not break the lines of a terminal, nor fill it. */
static void long_cells_are_cut(void **state)
{
    (void)state;
    char wide[1000];
    Buf b = {0};
    memset(wide, 'w', sizeof wide);
    Value v = value_string((Str){wide, sizeof wide});
    assert_int_equal(text_cell(&b, &v), E_OK);
    assert_int_equal(b.size, 200);
    buf_clear(&b);
    v = value_string(STR("two\nlines\x1b[2J\ttab"));
    assert_int_equal(text_cell(&b, &v), E_OK);
    assert_string_equal(buf_str(&b), "two\\nlines\\x1b[2J\\ttab");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_stand_in_columns),
        cmocka_unit_test(dictionaries_stand_in_lines),
        cmocka_unit_test(atoms_and_lists),
        cmocka_unit_test(long_cells_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
