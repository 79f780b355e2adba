/*
 * config_supported: each feature that is not there yet is refused by name, with line and path.
 */
#include "cmd/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "unit/cmd/config_kit.h"

static void what_is_not_there_yet_is_refused_by_name(void **state)
{
    static const struct {
        u32 at;
        const char *text, *refusal;
    } cases[] = {
        {18, "    protocol: tp\n    nodes: h:1",
         "line 18: bus.stream.protocol: protocols other than rt"},
        {18, "    protocol: custom\n    nodes: h:1",
         "line 18: bus.stream.protocol: protocols other than rt"},
        {19, "    topic: d\n    nodes: [h:1, h:2]", "line 20: bus.stream.nodes: external rt nodes"},
        {15, "        type: float\n        oldName: p",
         "line 16: tables.trade.columns[2].oldName: renaming columns"},
        {15, "        type: float\n        backfill: .a.b",
         "line 16: tables.trade.columns[2].backfill: filling added"},
        {7, "    sortColsDisk: sym\n    primaryKeys: sym",
         "line 8: tables.trade.primaryKeys: keyed tables"},
        {7, "    sortColsDisk: sym\n    oldName: t",
         "line 8: tables.trade.oldName: renaming tables"},
        {15, "        type: float\n  r:\n    type: basic\n    columns: [{name: a, type: int}]",
         "line 17: tables.r.type: tables that"},
        {21, "  obj: {type: object, partition: date}\n  rdb: {type: stream, partition: none}",
         "line 21: mounts.obj.type: object mounts"},
        {35, "        store: file:///e", "line 35: elements.sm.tiers[2].store: a store outside"},
        {35, "        store: s3://b/k", "line 35: elements.sm.tiers[2].store: object stores"},
        {35, "      - {name: x, mount: hdb, store: 'file:///e'}",
         "elements.sm.tiers[3].name: more than one date tier"},
        {35, "        retain: {time: 1 Days}",
         "line 35: elements.sm.tiers[2].retain.time: retention"},
        {35, "        retain: {sizePct: 1}",
         "line 35: elements.sm.tiers[2].retain.sizePct: retention"},
        {29, "        mount: rdb\n        retain: {time: 1 Hours}",
         "line 30: elements.sm.tiers[0].retain.time: retention"},
        {35, "        schedule: {timezone: Europe/Paris}",
         "line 35: elements.sm.tiers[2].schedule.timezone: time zones"},
        {25, "  sm:\n    idbUsed: false", "line 26: elements.sm.idbUsed: doing without"},
        {2, "dbSettings: {encryption: {encryptAll: true}}",
         "line 2: dbSettings.encryption.encryptAll: encryption"},
    };

    Kit k;
    (void)state;
    kit_init(&k);
    for (u32 i = 0; i < COUNT_OF(cases); i++) {
        kit_load_changed(&k, cases[i].at, cases[i].text);
        if (k.err) print_error("case %u: %s\n", i, fail_text());
        assert_int_equal(k.err, E_OK);
        assert_int_equal(config_supported(&k.c), E_UNSUPPORTED);
        if (!strstr(fail_text(), cases[i].refusal))
            fail_msg("%s is not in %s", cases[i].refusal, fail_text());
    }
    kit_done(&k);
}

static void what_is_there_is_accepted(void **state)
{
    static const struct {
        u32 at;
        const char *text;
    } cases[] = {
        {0, ""},
        {15, "        type: string\n        anymap: true"},
        {15, "        type: floats"},
        {15, "        type: symbols\n        anymap: true"},
        {15, "        type: ''"},
        {13, "        attrDisk: parted\n        attrObj: parted"},
        {7, "    sortColsDisk: sym\n    isSharded: true"},
        {32, "        compression: {algorithm: qipc, block: 14}"},
        {35, "        compression: {algorithm: none}"},
        {35, "        compression: {algorithm: gzip, block: 17}"},
        {35, "        compression: {algorithm: zstd, block: 12, level: -7}"},
        {35, "        schedule: {timezone: UTC}"},
        {35, "        retain: {}"},
        {36, "  dap:\n    lateData: true\n    enforceSchema: true"},
        {25, "  sm:\n    enforceSchema: true\n    size: 2"},
        {25, "  sm:\n    initialImport: true"},
        {2, "dbSettings: {encryption: {encryptAll: false}}"},
    };

    Kit k;
    (void)state;
    kit_init(&k);
    for (u32 i = 0; i < COUNT_OF(cases); i++) {
        kit_load_changed(&k, cases[i].at, cases[i].text);
        assert_int_equal(k.err, E_OK);
        Err err = config_supported(&k.c);
        if (err) print_error("%s\n", fail_text());
        assert_int_equal(err, E_OK);
    }
    kit_done(&k);
}

static void all_refusals_are_listed(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(&k, 35,
                     "        retain: {time: 1 Days}\n        schedule: {timezone: Europe/Paris}");
    assert_int_equal(config_supported(&k.c), E_UNSUPPORTED);
    assert_non_null(strstr(fail_text(), "line 35: elements.sm.tiers[2].retain.time"));
    assert_non_null(strstr(fail_text(), "; line 36: elements.sm.tiers[2].schedule.timezone"));
    assert_non_null(strstr(fail_text(), k.file));
    kit_done(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_there_yet_is_refused_by_name),
        cmocka_unit_test(what_is_there_is_accepted),
        cmocka_unit_test(all_refusals_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
