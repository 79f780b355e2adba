/*
 * config_table: rules V-02 to V-07, each broken in one line of a sound assembly.
 */
#include "cmd/config_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "unit/cmd/config_kit.h"

static void broken_tables_are_told_by_line_path_and_rule(void **state)
{
    static const KitCase cases[] = {
        {5, "    type: parted", 5, "tables.trade.type", "V-03",
         "partitioned, splayed, basic or splayed_mem"},
        {5, "    description: x", 4, "tables.trade.type", "V-03", "type is required"},
        {6, "    isSharded: true", 4, "tables.trade.prtnCol", "V-03", "needs prtnCol"},
        {6, "    prtnCol: sym", 6, "tables.trade.prtnCol", "V-03", "symbol, not timestamp"},
        {6, "    prtnCol: tim", 6, "tables.trade.prtnCol", "V-03", "no column \"tim\""},
        {14, "      - name: sym", 14, "tables.trade.columns[2].name", "V-04",
         "already, as number 1"},
        {14, "      - name: 1px", 14, "tables.trade.columns[2].name", "V-04", "a letter"},
        {14, "      - name: p-x", 14, "tables.trade.columns[2].name", "V-04", "a letter"},
        {14, "      - name: ''", 14, "tables.trade.columns[2].name", "V-04", "a letter"},
        {14, "      - name: select", 14, "tables.trade.columns[2].name", "V-04", "reserved word"},
        {14, "      - name: date", 14, "tables.trade.columns[2].name", "V-04", "virtual"},
        {14, "      - name: int", 14, "tables.trade.columns[2].name", "V-04", "virtual"},
        {14, "      - name: label_x", 14, "tables.trade.columns[2].name", "V-04", "label_"},
        {14, "      - description: x", 14, "tables.trade.columns[2].name", "V-04",
         "name is required"},
        {15, "        type: double", 15, "tables.trade.columns[2].type", "V-05", "double"},
        {15, "        description: x", 14, "tables.trade.columns[2].type", "V-05",
         "type is required"},
        {13, "        attrDisk: paired", 13, "tables.trade.columns[1].attrDisk", "V-05", "paired"},
        {15, "        type: floats\n        attrMem: grouped", 16,
         "tables.trade.columns[2].attrMem", "V-05", "lists"},
        {7, "    sortColsDisk: sym\n    sortColsMem: [time, volume]", 8,
         "tables.trade.sortColsMem[1]", "V-06", "volume"},
        {7, "    sortColsDisk: sym\n    sortColsOrd: [sym, sym]", 8, "tables.trade.sortColsOrd[1]",
         "V-06", "twice"},
        {7, "    sortColsDisk: sym\n    primaryKeys: id", 8, "tables.trade.primaryKeys", "V-06",
         "id"},
        {7, "    sortColsDisk: sym\n    updTsCol: px", 8, "tables.trade.updTsCol", "V-06",
         "float, not timestamp"},
        {7, "    sortColsDisk: sym\n    updTsCol: up", 8, "tables.trade.updTsCol", "V-06",
         "no column"},
        {7, "    sortColsDisk: sym\n    sortColsOrd: [time, sym, px, time]", 8,
         "tables.trade.sortColsOrd", "V-06", "more"},
        {13, "        attrDisk: parted\n        foreign: ref.sym", 14,
         "tables.trade.columns[1].foreign", "V-07", "no table.column"},
        {13, "        attrDisk: parted\n        foreign: trade", 14,
         "tables.trade.columns[1].foreign", "V-07", "no table.column"},
        {13, "        attrDisk: parted\n        foreign: trade.px", 14,
         "tables.trade.columns[1].foreign", "V-07", "no primary key"},
        {4, "  1trade:", 4, "tables.1trade", "name", "a letter"},
        {4, "  sym:", 4, "tables.sym", "name", "reserved"},
        {4, "  _prtnEnd:", 4, "tables._prtnEnd", "name", "reserved"},
        {5, "    type: partitioned\n    name: trades", 6, "tables.trade.name", "name",
         "trade by its key"},
        {7, "    sortColsDisk: sym\n    blockSize: -1", 8, "tables.trade.blockSize", "key",
         "whole number"},
        {7, "    sortColsDisk: sym\n    blockSize: 1e6", 8, "tables.trade.blockSize", "key",
         "whole number"},
        {7, "    sortColsDisk: sym\n    isSharded: maybe", 8, "tables.trade.isSharded", "key",
         "true or false"},
        {7, "    sortColDisk: sym", 7, "tables.trade.sortColDisk", "key", "unknown key"},
        {13, "        attDisk: parted", 13, "tables.trade.columns[1].attDisk", "key",
         "unknown key"},
    };
    Kit k;
    (void)state;
    kit_init(&k);
    kit_run(&k, cases, COUNT_OF(cases), false);
    kit_done(&k);
}

static void a_table_must_be_partitioned(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(&k, 5, "    type: splayed");
    assert_int_equal(k.err, E_USAGE);
    kit_expect(&k, false, 3, "tables", "V-02", "no table is partitioned");
    kit_expect(&k, true, 6, "tables.trade.prtnCol", "V-03", "no effect");
    assert_int_equal(k.count, 2);
    kit_done(&k);
}

static void odd_tables_are_warned_of(void **state)
{
    static const KitCase cases[] = {
        {14, "      - name: count", 14, "tables.trade.columns[2].name", "V-04", "function of q"},
        {7, "    sortColsOrd: sym", 13, "tables.trade.columns[1].attrDisk", "V-05",
         "not first in sortColsDisk"},
        {15, "        type: float\n        anymap: true", 16, "tables.trade.columns[2].anymap",
         "V-05", "no effect"},
        {4, "  count:", 4, "tables.count", "name", "function of q"},
    };
    Kit k;
    (void)state;
    kit_init(&k);
    kit_run(&k, cases, COUNT_OF(cases), true);
    kit_done(&k);
}

static void schemas_hold_what_the_file_says(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(&k, 7,
                     "    sortColsDisk: [sym, time]\n    sortColsOrd: sym\n    sortColsMem: []\n   "
                     " blockSize: 1000\n"
                     "    updTsCol: time\n    isSharded: true\n    description: prints");
    kit_expect_clean(&k);
    assert_int_equal(k.c.tables.count, 1);
    const Schema *s = schema_table(&k.c.tables, STR("trade"));
    assert_non_null(s);
    assert_int_equal(s->kind, TABLE_PARTITIONED);
    assert_int_equal(s->column_count, 3);
    assert_int_equal(s->prtn, 0);
    assert_int_equal(s->updated, 0);
    assert_int_equal(s->block_size, 1000);
    assert_true(s->sharded);
    assert_string_equal(s->description, "prints");
    assert_int_equal(s->sort_count[PLACE_DISK], 2);
    assert_int_equal(s->sort[PLACE_DISK][0], 1);
    assert_int_equal(s->sort[PLACE_DISK][1], 0);
    assert_int_equal(s->sort_count[PLACE_ORD], 1);
    assert_int_equal(s->sort_count[PLACE_MEM], 0);
    assert_int_equal(s->columns[1].type, QT_SYMBOL);
    assert_int_equal(s->columns[1].attr[PLACE_DISK], ATTR_PARTED);
    assert_int_equal(s->columns[1].attr[PLACE_MEM], ATTR_NONE);
    assert_int_not_equal(s->hash, 0);
    kit_done(&k);
}

static void blank_and_empty_types_are_mixed(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(&k, 15,
                     "        type:\n      - name: b\n        type: ''\n      - {name: c, type: "
                     "string, attrMem: ''}");
    kit_expect_clean(&k);
    const Schema *s = k.c.tables.tables[0];
    assert_int_equal(s->columns[2].type, QT_LIST);
    assert_int_equal(s->columns[3].type, QT_LIST);
    assert_int_equal(s->columns[4].type, QT_STRING);
    kit_done(&k);
}

static void foreign_keys_need_the_same_type(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(&k, 15,
                     "        type: float\n        foreign: ref.id\n  ref:\n    type: splayed\n    "
                     "primaryKeys: id\n"
                     "    columns:\n      - {name: id, type: float}");
    kit_expect_clean(&k);
    assert_string_equal(k.c.tables.tables[0]->columns[2].foreign, "ref.id");
    assert_int_equal(k.c.tables.tables[1]->key_count, 1);
    kit_load_changed(&k, 15,
                     "        type: float\n        foreign: ref.id\n  ref:\n    type: splayed\n    "
                     "primaryKeys: id\n"
                     "    columns:\n      - {name: id, type: long}");
    kit_expect(&k, false, 16, "tables.trade.columns[2].foreign", "V-07", "of type long");
    kit_done(&k);
}

static void columns_have_a_bound(void **state)
{
    Kit k;
    Buf b = {0};
    (void)state;
    kit_init(&k);
    assert_int_equal(buf_text(&b, "        type: float"), E_OK);
    for (u32 i = 0; i < 4096; i++)
        assert_int_equal(buf_format(&b, "\n      - {name: c%u, type: int}", i), E_OK);
    kit_load_changed(&k, 15, buf_str(&b));
    kit_expect(&k, false, 8, "tables.trade.columns", "key", "4096");
    kit_load_changed(&k, 8, "    columns: []\n    x:");
    kit_expect(&k, false, 8, "tables.trade.columns", "key", "1 to");
    buf_free(&b);
    kit_done(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_tables_are_told_by_line_path_and_rule),
        cmocka_unit_test(a_table_must_be_partitioned),
        cmocka_unit_test(odd_tables_are_warned_of),
        cmocka_unit_test(schemas_hold_what_the_file_says),
        cmocka_unit_test(blank_and_empty_types_are_mixed),
        cmocka_unit_test(foreign_keys_need_the_same_type),
        cmocka_unit_test(columns_have_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
