/* Tests of cmd/catalogue: what tools ask by text is recognised exactly, all else is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail

#include "cmd/catalogue.h"

static SchemaColumn COLUMNS[] = {{.name = "time", .type = QT_TIMESTAMP},
                                 {.name = "sym", .type = QT_SYMBOL}};
static Schema TRADE = {.name = "trade", .column_count = 2, .columns = COLUMNS, .prtn = 0};
static Schema *ALL[] = {&TRADE};
static const SchemaSet SET = {1, ALL};

static CatalogueKind kind_of(const char *text)
{
    Catalogue c;
    assert_int_equal(catalogue_parse(str_of(text), &SET, &c), E_OK);
    return c.kind;
}

static void known_texts_are_recognised(void **state)
{
    (void)state;
    assert_int_equal(kind_of("tables[]"), CATALOGUE_TABLES);
    assert_int_equal(kind_of("  tables` "), CATALOGUE_TABLES);
    assert_int_equal(kind_of("string tables[]"), CATALOGUE_STRINGS);
    assert_int_equal(kind_of("cols trade"), CATALOGUE_COLS);
    assert_int_equal(kind_of("cols `trade"), CATALOGUE_COLS);
    assert_int_equal(kind_of("0!meta `trade"), CATALOGUE_META0);
    assert_int_equal(kind_of("meta trade"), CATALOGUE_META);
    assert_int_equal(kind_of("count trade"), CATALOGUE_COUNT);
    assert_int_equal(kind_of("select from trade"), CATALOGUE_SELECT);
}

static void a_limit_is_read(void **state)
{
    (void)state;
    Catalogue c;
    assert_int_equal(catalogue_parse(STR("select[-1000]  from trade"), &SET, &c), E_OK);
    assert_int_equal(c.kind, CATALOGUE_SELECT);
    assert_true(c.limited);
    assert_int_equal(c.limit, -1000);
}

static void other_texts_are_not_half_understood(void **state)
{
    (void)state;
    static const char *const others[] = {"",
                                         "1+1",
                                         "tables",
                                         "cols",
                                         "count",
                                         "select",
                                         "select sym from trade",
                                         "select from trade where sym=`a",
                                         "select[x] from trade",
                                         "select[1 from trade",
                                         "count trade;exit 0",
                                         "meta",
                                         "delete from trade",
                                         "cols trade, quote"};
    for (u32 i = 0; i < COUNT_OF(others); i++)
        assert_int_equal(kind_of(others[i]), CATALOGUE_UNKNOWN);
}

static void unknown_tables_are_errors(void **state)
{
    (void)state;
    Catalogue c;
    assert_int_equal(catalogue_parse(STR("count nope"), &SET, &c), E_NOT_FOUND);
    assert_int_equal(catalogue_parse(STR("select from nope"), &SET, &c), E_NOT_FOUND);
}

static void answers_have_the_shapes_of_q(void **state)
{
    (void)state;
    Arena a = {0};
    Catalogue c;
    assert_int_equal(catalogue_parse(STR("meta trade"), &SET, &c), E_OK);
    Value v = catalogue_value(&c, &SET, &a);
    assert_int_equal(v.type, QT_DICT);
    assert_int_equal(v.as.dict.keys->type, QT_TABLE);
    assert_int_equal(catalogue_parse(STR("cols trade"), &SET, &c), E_OK);
    v = catalogue_value(&c, &SET, &a);
    assert_int_equal(value_count(&v), 2);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts_are_recognised),
        cmocka_unit_test(a_limit_is_read),
        cmocka_unit_test(other_texts_are_not_half_understood),
        cmocka_unit_test(unknown_tables_are_errors),
        cmocka_unit_test(answers_have_the_shapes_of_q),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
