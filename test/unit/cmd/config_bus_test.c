/*
 * config_bus: rules V-08 and V-09, and the keys of the built-in stream's log.
 */
#include "cmd/config_bus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "unit/cmd/config_kit.h"

static void broken_streams_are_told_by_line_path_and_rule(void **state)
{
    static const KitCase cases[] = {
        {18, "    protocol: kafka", 18, "bus.stream.protocol", "V-08", "rt, tp or custom"},
        {18, "    protocol: tp", 17, "bus.stream.nodes", "V-08", "needs a node"},
        {18, "    protocol: custom\n    nodes: []", 19, "bus.stream.nodes", "V-08", "needs a node"},
        {18, "    protocol: tp\n    nodes: a:b", 19, "bus.stream.nodes", "V-08", "host:port"},
        {18, "    nodes: h:1", 17, "bus.stream.protocol", "V-08", "required"},
        {19, "    nodes: []", 17, "bus.stream.topic", "V-08", "needs a topic"},
        {19, "    topic: ''", 19, "bus.stream.topic", "V-08", "needs a topic"},
        {26, "    source: streams", 26, "elements.sm.source", "V-09", "streams"},
        {26, "    size: 1", 25, "elements.sm.source", "V-09", "required"},
        {19, "    topic: d\n    durability: none", 20, "bus.stream.durability", "key",
         "synced or relaxed"},
        {19, "    topic: d\n    logFileSize: 1Ki", 20, "bus.stream.logFileSize", "key", "1Mi"},
        {19, "    topic: d\n    maxLogSize: 100Mi", 20, "bus.stream.maxLogSize", "key", "twice"},
        {19, "    topic: d\n    relaxedInterval: 2h", 20, "bus.stream.relaxedInterval", "key",
         "60s"},
        {19, "    topic: d\n    logPath: wal", 20, "bus.stream.logPath", "key", "absolute"},
        {19, "    topic: d\n    logPath: /d/hdb/wal", 20, "bus.stream.logPath", "key", "mount hdb"},
        {19, "    topic: d\n    logPath: /d", 20, "bus.stream.logPath", "key", "apart"},
        {19, "    topics: d\n    topic: d", 19, "bus.stream.topics", "key", "unknown key"},
    };
    Kit k;
    (void)state;
    kit_init(&k);
    kit_run(&k, cases, COUNT_OF(cases), false);
    kit_done(&k);
}

static void streams_hold_what_the_file_says(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(
        &k, 19,
        "    topic: d\n    logPath: file:///log/x/\n    logFileSize: 32MB\n    maxLogSize: 5Gi\n"
        "    durability: relaxed\n    relaxedInterval: 250ms\n  other: {protocol: tp, nodes: "
        "'h:1'}");
    kit_expect_clean(&k);
    const ConfigBus *b = k.c.source;
    assert_int_equal(k.c.bus_count, 2);
    assert_string_equal(b->log_path, "/log/x");
    assert_int_equal(b->log_file_size, 32000000);
    assert_int_equal(b->log_size_max, 5ull << 30);
    assert_true(b->relaxed);
    assert_int_equal(b->relaxed_ms, 250);
    assert_int_equal(k.c.bus[1].node_count, 1);
    assert_string_equal(k.c.bus[1].nodes[0], "h:1");
    kit_load_changed(&k, 19, "    topic: d\n    logPath: /d/idb/wal");
    kit_expect_clean(&k);
    kit_done(&k);
}

static void only_the_first_node_is_used(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(&k, 18, "    protocol: tp\n    nodes: [h:1, h:2]");
    kit_expect(&k, true, 19, "bus.stream.nodes", "V-08", "first node");
    assert_int_equal(k.err, E_OK);
    kit_done(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_streams_are_told_by_line_path_and_rule),
        cmocka_unit_test(streams_hold_what_the_file_says),
        cmocka_unit_test(only_the_first_node_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
