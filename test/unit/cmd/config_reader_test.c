/*
 * config_reader: rule V-19, inheritance from elements.dap, ports.
 */
#include "cmd/config_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "unit/cmd/config_kit.h"

#define ALL "elements.dap.instances.all"

static void broken_readers_are_told_by_line_path_and_rule(void **state)
{
    static const KitCase cases[] = {
        {38, "      all: {}", 38, ALL ".mountName", "V-19", "one of mountName and mountList"},
        {38, "      all: {mountList: []}", 38, ALL ".mountName", "V-19", "one of"},
        {38, "      all: {mountName: rdb, mountList: [idb]}", 38, ALL ".mountList", "V-19", "both"},
        {38, "      all: {mountName: rdbx}", 38, ALL ".mountName", "V-19", "rdbx"},
        {38, "      all: {mountList: [rdb, rdbx]}", 38, ALL ".mountList[1]", "V-19", "rdbx"},
        {38, "      all: {mountList: [rdb, rdb]}", 38, ALL ".mountList[1]", "V-19", "twice"},
        {38, "      SM: {mountName: rdb}", 38, "elements.dap.instances.SM", "V-19",
         "service class"},
        {38, "      all: {mountName: rdb, pctMemThreshold: 1.5}", 38, ALL ".pctMemThreshold", "key",
         "from 0 to 1"},
        {38, "      all: {mountName: rdb, pctMemThreshold: 60%}", 38, ALL ".pctMemThreshold", "key",
         "a number"},
        {38, "      all: {mountName: rdb, threads: -1}", 38, ALL ".threads", "key", "1024"},
        {38, "      all: {mountName: rdb, port: 10001}", 38, ALL ".port", "key", "manager"},
        {38, "      all: {mountName: rdb}\n      b: {mountName: rdb, port: 5080}", 39,
         "elements.dap.instances.b.port", "key", "instance all"},
        {38, "      all: {mountName: rdb, mounts: rdb}", 38, ALL ".mounts", "key", "unknown"},
        {36, "  dap:\n    lateDate: true", 37, "elements.dap.lateDate", "key", "unknown"},
        {36, "  dap:\n    lateData: 7", 37, "elements.dap.lateData", "key", "true or false"},
    };
    Kit k;
    (void)state;
    kit_init(&k);
    kit_run(&k, cases, COUNT_OF(cases), false);
    kit_done(&k);
}

static void instances_hold_what_the_file_says(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(
        &k, 36,
        "  dap:\n    lateData: true\n    instances:\n"
        "      one: {mountName: hdb, lateData: false, pctMemThreshold: 0.5, memoryLimit: 2GB}\n"
        "      two: {mountList: [rdb, idb], threads: 3, host: 0.0.0.0, port: 0, mapPartitions: "
        "yes}\n"
        "      three: {mountName: idb}\n"
        "    env:");
    kit_expect(&k, false, 43, "elements.dap.instances", "yaml", "twice");
    char *text = kit_text(
        36, "  dap:\n    lateData: true\n    instances:\n"
            "      one: {mountName: hdb, lateData: false, pctMemThreshold: 0.5, memoryLimit: 2GB}\n"
            "      two: {mountList: [rdb, idb], threads: 3, host: 0.0.0.0, port: 0, mapPartitions: "
            "yes}\n"
            "      three: {mountName: idb}\n#cut");
    *strstr(text, "#cut") = 0;
    kit_load(&k, text);
    free(text);
    kit_expect_clean(&k);
    assert_int_equal(k.c.dap_count, 3);
    const ConfigDap *one = config_dap(&k.c, "one"), *two = config_dap(&k.c, "two"),
                    *three = config_dap(&k.c, "three");
    assert_false(one->late_data);
    assert_true(two->late_data && three->late_data);
    assert_true(one->mem_threshold == 0.5);
    assert_int_equal(one->memory_max, 2000000000);
    assert_int_equal(one->port, 5080);
    assert_int_equal(two->mount_count, 2);
    assert_ptr_equal(two->mounts[1], k.c.idb);
    assert_int_equal(two->threads, 3);
    assert_int_equal(two->port, 0);
    assert_string_equal(two->host, "0.0.0.0");
    assert_true(two->map_partitions);
    assert_int_equal(three->port, 5082);
    kit_done(&k);
}

static void enforcing_without_the_manager_is_warned_of(void **state)
{
    static const KitCase cases[] = {{38, "      all: {mountName: rdb, enforceSchema: true}", 38,
                                     ALL ".enforceSchema", "V-19", "elements.sm"}};
    Kit k;
    (void)state;
    kit_init(&k);
    kit_run(&k, cases, COUNT_OF(cases), true);
    kit_done(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_readers_are_told_by_line_path_and_rule),
        cmocka_unit_test(instances_hold_what_the_file_says),
        cmocka_unit_test(enforcing_without_the_manager_is_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
