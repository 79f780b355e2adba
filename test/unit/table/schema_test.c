/* schema: lookups, and a hash of what decides whether rows fit. */
#include "table/schema.h"
#include "unit/column/kit.h"

static SchemaColumn columns[] = {
    {.name = "time", .type = QT_TIMESTAMP},
    {.name = "sym", .type = QT_SYMBOL},
    {.name = "note", .type = QT_STRING},
    {.name = "flag", .type = QT_BOOLEAN},
};

static Schema trade(void)
{
    return (Schema){.name = "trade", .column_count = 4, .columns = columns, .prtn = 0};
}

static void finds_columns_and_tables(void **state)
{
    (void)state;
    Schema s = trade();
    Schema *tables[] = {&s};
    SchemaSet set = {1, tables};
    assert_int_equal(schema_find(&s, STR("sym")), 1);
    assert_int_equal(schema_find(&s, STR("sy")), -1);
    assert_int_equal(schema_find(&s, STR("")), -1);
    assert_ptr_equal(schema_table(&set, STR("trade")), &s);
    assert_null(schema_table(&set, STR("trad")));
}

static void types_and_widths(void **state)
{
    (void)state;
    Schema s = trade();
    assert_int_equal(schema_memory_type(&columns[1]), QT_ENUM);
    assert_int_equal(schema_memory_type(&columns[2]), QT_STRING);
    assert_int_equal(schema_row_bytes(&s), 8 + 8 + 8 + 1);
}

static void hash_tells_names_types_and_order(void **state)
{
    (void)state;
    SchemaColumn other[4];
    Schema a = trade(), b = trade();
    b.columns = other;
    memcpy(other, columns, sizeof other);
    other[1].attr[PLACE_DISK] = ATTR_PARTED;
    schema_seal(&a);
    schema_seal(&b);
    assert_int_equal(a.hash, b.hash);
    other[3].type = QT_BYTE;
    schema_seal(&b);
    assert_int_not_equal(a.hash, b.hash);
    memcpy(other, columns, sizeof other);
    other[0] = columns[1];
    other[1] = columns[0];
    schema_seal(&b);
    assert_int_not_equal(a.hash, b.hash);
    memcpy(other, columns, sizeof other);
    other[1].name = "syms";
    schema_seal(&b);
    assert_int_not_equal(a.hash, b.hash);
    memcpy(other, columns, sizeof other);
    b.name = "quote";
    schema_seal(&b);
    assert_int_not_equal(a.hash, b.hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_columns_and_tables),
        cmocka_unit_test(types_and_widths),
        cmocka_unit_test(hash_tells_names_types_and_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
