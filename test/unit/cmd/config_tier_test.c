/*
 * config_tier: rules V-12 to V-18, O-01, O-02, O-07; implicit tiers; the order in which data
 * moves. */
#include "cmd/config_tier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "unit/cmd/config_kit.h"

#define TIER(n) "elements.sm.tiers[" #n "]"

static void broken_tiers_are_told_by_line_path_and_rule(void **state)
{
    static const KitCase cases[] = {
        {34, "        mount: hdbx", 34, TIER(2) ".mount", "V-12", "hdbx"},
        {33, "      - name: idb", 33, TIER(2) ".name", "V-12", "already"},
        {33, "      - name: 'a b'", 33, TIER(2) ".name", "V-12", "a name"},
        {28, "      - description: x", 28, TIER(0) ".name", "V-12", "required"},
        {29, "        mount: rdb\n      - {name: s, mount: rdb}", 30, TIER(1) ".mount", "V-12",
         "stream is on mount rdb"},
        {35, "      - {name: h2, mount: hdb}", 35, TIER(3) ".store", "V-13", "hdb"},
        {35, "        store: file:///d/hdb/data", 35, TIER(2) ".store", "V-13", "not apart"},
        {35, "        store: file:///d/idb", 35, TIER(2) ".store", "V-13", "not apart"},
        {35, "        store: file:///x/../d/idb/y", 35, TIER(2) ".store", "V-13", "not apart"},
        {35, "        store: file:///d", 35, TIER(2) ".store", "V-13", "not apart"},
        {35, "        store: /e", 35, TIER(2) ".store", "V-13", "file://"},
        {35, "        store: file://e", 35, TIER(2) ".store", "V-13", "file://"},
        {35, "        store: file:///e\n      - {name: h2, mount: hdb, store: 'file:///e/f'}", 36,
         TIER(3) ".store", "V-13", "tier hdb"},
        {32, "        retain: {time: 1 Days}", 32, TIER(1) ".retain", "V-14", "ordinal"},
        {35, "        retain: {time: 3}", 35, TIER(2) ".retain.time", "V-14", "7 Days"},
        {35, "        retain: {time: 3 Fortnights}", 35, TIER(2) ".retain.time", "V-14",
         "Fortnights"},
        {35, "        retain: {time: 3 Hours}", 35, TIER(2) ".retain.time", "V-14", "Days"},
        {35, "        retain: {time: 0 Days}", 35, TIER(2) ".retain.time", "V-14", NULL},
        {35, "        retain: {sizePct: 0}", 35, TIER(2) ".retain.sizePct", "V-14", "1 to 100"},
        {35, "        retain: {sizePct: 101}", 35, TIER(2) ".retain.sizePct", "V-14", "1 to 100"},
        {29, "        mount: rdb\n        retain: {sizePct: 5}", 30, TIER(0) ".retain.sizePct",
         "V-14", "date tiers"},
        {35, "        retain: {rows: 5}", 35, TIER(2) ".retain.rows", "key", "1.0"},
        {35, "        retain: {time: 1 Days, onExpire: drop}", 35, TIER(2) ".retain.onExpire",
         "O-02", "keep or delete"},
        {35, "        compression: {algorithm: lzma}", 35, TIER(2) ".compression.algorithm", "V-15",
         "zstd"},
        {35, "        compression: {algorithm: gzip}", 35, TIER(2) ".compression.block", "V-15",
         "required"},
        {35, "        compression: {algorithm: gzip, block: 11}", 35, TIER(2) ".compression.block",
         "V-15", "12 to 20"},
        {35, "        compression: {algorithm: gzip, block: 21}", 35, TIER(2) ".compression.block",
         "V-15", "12 to 20"},
        {35, "        compression: {algorithm: gzip, block: 17, level: 10}", 35,
         TIER(2) ".compression.level", "V-15", "0 to 9"},
        {35, "        compression: {algorithm: lz4hc, block: 17, level: 0}", 35,
         TIER(2) ".compression.level", "V-15", NULL},
        {35, "        compression: {algorithm: snappy, block: 17, level: 1}", 35,
         TIER(2) ".compression.level", "V-15", NULL},
        {35, "        compression: {algorithm: zstd, block: 17, level: 23}", 35,
         TIER(2) ".compression.level", "V-15", NULL},
        {35, "        store: s3://b/k\n      - {name: h2, mount: hdb}", 35, TIER(2) ".store",
         "V-16", "h2 follows"},
        {32, "        schedule: {freq: 00:05:00, offset: 00:05:00}", 32, TIER(1) ".schedule.offset",
         "V-17", "less than freq"},
        {35, "        inventory: {enabled: true}\n        store: s3://b/k", 35,
         TIER(2) ".inventory.location", "V-18", NULL},
        {35, "        schedule: {freq: 12:00:00}", 35, TIER(2) ".schedule.freq", "O-07", "one day"},
        {35, "        schedule: {snap: 24:00:00}", 35, TIER(2) ".schedule.snap", "key", "duration"},
        {32, "        schedule: {freq: 5}", 32, TIER(1) ".schedule.freq", "key", "duration"},
        {32, "        schedule: {freq: 0s}", 32, TIER(1) ".schedule.freq", "key", "100ms"},
        {32, "        schedule: {frequency: 5s}", 32, TIER(1) ".schedule.frequency", "key",
         "unknown"},
        {32, "        schedule: [5s]", 32, TIER(1) ".schedule", "key", "a map"},
        {35, "        shedule: {}", 35, TIER(2) ".shedule", "key", "unknown"},
        {27, "    tiers: {}\n    x:", 27, "elements.sm.tiers", "key", "a list"},
    };
    Kit k;
    (void)state;
    kit_init(&k);
    kit_run(&k, cases, COUNT_OF(cases) - 1, false);
    kit_load_changed(&k, 27, "    tiers: {a: b}");
    assert_int_equal(k.err, E_USAGE);
    kit_done(&k);
}

static void odd_tiers_are_warned_of(void **state)
{
    static const KitCase cases[] = {
        {35, "        store: file:///d/hdb", 35, TIER(2) ".store", "O-01", "own folder"},
        {35, "        store: file:///d/hdb/", 35, TIER(2) ".store", "O-01", "own folder"},
        {32, "        store: file:///elsewhere", 32, TIER(1) ".store", "V-13", "/d/idb/data"},
        {29, "        mount: rdb\n        store: file:///x", 30, TIER(0) ".store", "V-13",
         "no effect"},
        {29, "        mount: rdb\n        schedule: {freq: 1s}", 30, TIER(0) ".schedule", "key",
         "no effect"},
        {32, "        compression: {algorithm: qipc, block: 14}", 32, TIER(1) ".compression",
         "V-15", "no effect"},
        {32, "        schedule: {snap: 01:00:00}", 32, TIER(1) ".schedule.snap", "key",
         "no effect"},
        {35, "        schedule: {offset: 01:00:00}", 35, TIER(2) ".schedule.offset", "key",
         "no effect"},
        {35, "        inventory: {enabled: true, location: x}", 35, TIER(2) ".inventory.enabled",
         "V-18", "no effect"},
        {35, "        retain: {onExpire: delete}", 35, TIER(2) ".retain.onExpire", "O-02",
         "nothing expires"},
        {29, "        mount: rdb\n        retain: {time: 1 Hours, onExpire: delete}", 30,
         TIER(0) ".retain.onExpire", "O-02", "last date tier"},
    };
    Kit k;
    (void)state;
    kit_init(&k);
    kit_run(&k, cases, COUNT_OF(cases), true);
    kit_done(&k);
}

static void tiers_hold_what_the_file_says(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(&k, 35,
                     "        schedule: {freq: 1D, snap: 01:35:00}\n        retain: {time: 2 "
                     "months, sizePct: 80}\n"
                     "        compression: {algorithm: lz4hc, block: 17}");
    kit_expect_clean(&k);
    const Tier *t = k.c.date_tiers;
    assert_int_equal(k.c.tier_count, 3);
    assert_int_equal(k.c.date_tier_count, 1);
    assert_string_equal(k.c.idb_tier->store, "/d/idb/data");
    assert_int_equal(k.c.idb_tier->freq_ns, 300ll * 1000000000);
    assert_string_equal(t->store, "/d/hdb/data");
    assert_false(t->own_store);
    assert_int_equal(t->snap_ns, 5700ll * 1000000000);
    assert_int_equal(t->retain_count, 2);
    assert_int_equal(t->retain_unit, TIER_MONTHS);
    assert_int_equal(t->retain_pct, 80);
    assert_false(t->expire);
    assert_int_equal(t->codec, TIER_LZ4HC);
    assert_int_equal(t->block_log2, 17);
    assert_int_equal(t->level, 9);
    kit_done(&k);
}

static void implicit_tiers_are_filled_in(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    char *text = kit_text(27, "    tiers: []\n    env:");
    kit_load(&k, text);
    free(text);
    kit_expect_clean(&k);
    assert_int_equal(k.c.tier_count, 3);
    assert_string_equal(k.c.tiers[0].name, "rdb");
    assert_string_equal(k.c.tiers[1].name, "idb");
    assert_int_equal(k.c.tiers[1].freq_ns, 600ll * 1000000000);
    assert_int_equal(k.c.reload_timeout_ns, 600ll * 1000000000);
    assert_string_equal(k.c.tiers[2].name, "hdb");
    assert_int_equal(k.c.tiers[2].freq_ns, 86400ll * 1000000000);
    assert_int_equal(k.c.tiers[2].snap_ns, 0);
    assert_int_equal(k.c.tiers[2].retain_count, 0);
    kit_done(&k);
}

static void an_implicit_tier_takes_a_free_name(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(&k, 30, "      - name: hdb\n        mount: hdb\n      - name: unused");
    assert_int_equal(k.err, E_USAGE); /* two tiers are named hdb now */
    kit_load_changed(
        &k, 28,
        "      - name: rdb-tier\n        mount: hdb\n        store: file:///e\n      - name: rdb");
    assert_string_equal(k.c.tiers[0].name, "rdb");
    kit_load_changed(&k, 29, "        mount: hdb\n        store: file:///e");
    assert_int_equal(k.err, E_OK);
    assert_string_equal(k.c.tiers[0].name, "rdb");
    kit_load_changed(
        &k, 28, "      - name: rdb\n        mount: hdb\n        store: file:///e\n      - name: x");
    assert_int_equal(k.err, E_OK);
    kit_done(&k);
}

static void date_tiers_go_by_index_then_by_list(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(
        &k, 35,
        "        index: 5\n      - {name: a, mount: hdb, store: 'file:///a', index: 7}\n"
        "      - {name: b, mount: hdb, store: 'file:///b', index: 5}\n"
        "      - {name: z, mount: hdb, store: 's3://b/z', index: 9, retain: {time: 1 year, "
        "onExpire: delete}}");
    kit_expect_clean(&k);
    assert_int_equal(k.c.date_tier_count, 4);
    assert_string_equal(k.c.date_tiers[0].name, "hdb");
    assert_string_equal(k.c.date_tiers[1].name, "b");
    assert_string_equal(k.c.date_tiers[2].name, "a");
    assert_string_equal(k.c.date_tiers[3].name, "z");
    assert_true(k.c.date_tiers[3].object);
    assert_true(k.c.date_tiers[3].expire);
    kit_load_changed(&k, 28,
                     "      - {name: early, mount: hdb, store: 'file:///a'}\n      - name: stream");
    kit_expect(&k, true, 28, TIER(0), "V-12", "newest data first");
    assert_int_equal(k.err, E_OK);
    kit_done(&k);
}

static void an_empty_retain_is_absent(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(&k, 32, "        retain: {}");
    kit_expect_clean(&k);
    kit_load_changed(&k, 32, "        retain: {time: }");
    kit_expect_clean(&k);
    kit_load_changed(&k, 29, "        mount: rdb\n        retain: {time: 30 Minutes}");
    kit_expect_clean(&k);
    assert_int_equal(k.c.tiers[0].retain_unit, TIER_MINUTES);
    kit_done(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_tiers_are_told_by_line_path_and_rule),
        cmocka_unit_test(odd_tiers_are_warned_of),
        cmocka_unit_test(tiers_hold_what_the_file_says),
        cmocka_unit_test(implicit_tiers_are_filled_in),
        cmocka_unit_test(an_implicit_tier_takes_a_free_name),
        cmocka_unit_test(date_tiers_go_by_index_then_by_list),
        cmocka_unit_test(an_empty_retain_is_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
