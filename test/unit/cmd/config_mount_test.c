/*
 * config_mount: rules V-10 and V-11.
 */
#include "cmd/config_mount.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "unit/cmd/config_kit.h"

static void broken_mounts_are_told_by_line_path_and_rule(void **state)
{
    static const KitCase cases[] = {
        {23, "  hdb: {type: local, partition: date}", 23, "mounts.hdb.baseURI", "V-11",
         "needs baseURI"},
        {23, "  hdb: {type: local, partition: date, baseURI: /d/hdb}", 23, "mounts.hdb.baseURI",
         "V-11", "file://"},
        {23, "  hdb: {type: local, partition: date, baseURI: 'file://d/hdb'}", 23,
         "mounts.hdb.baseURI", "V-11", "absolute"},
        {23, "  hdb: {type: local, partition: date, baseURI: 's3://d/hdb'}", 23,
         "mounts.hdb.baseURI", "V-11", "file://"},
        {23, "  hdb: {type: local, partition: date, baseURI: 'file:///'}", 23, "mounts.hdb.baseURI",
         "V-11", "root"},
        {23, "  hdb: {type: local, partition: date, baseURI: \"file:///a\\nb\"}", 23,
         "mounts.hdb.baseURI", "V-11", "control"},
        {23, "  hdb: {type: local, partition: date, baseURI: 'file:///d/idb'}", 23,
         "mounts.hdb.baseURI", "V-11", "mount idb"},
        {23, "  hdb: {type: local, partition: date, baseURI: 'file:///d/idb/x'}", 23,
         "mounts.hdb.baseURI", "V-11", "apart"},
        {23, "  hdb: {type: local, partition: date, baseURI: 'file:///x/../d'}", 23,
         "mounts.hdb.baseURI", "V-11", "apart"},
        {23,
         "  hdb: {type: local, partition: date, baseURI: 'file:///e'}\n  h2: {type: local, "
         "partition: date, baseURI: 'file:///f'}",
         24, "mounts.h2", "V-10", "second local date mount"},
        {21, "  rdb: {type: stream, partition: none}\n  r2: {type: stream, partition: none}", 22,
         "mounts.r2", "V-10", "second stream"},
        {21, "  rdb: {type: stream, partition: date}", 21, "mounts.rdb.partition", "V-10", "none"},
        {21,
         "  rdb: {type: stream, partition: none}\n  x: {type: local, partition: none, baseURI: "
         "'file:///x'}",
         22, "mounts.x.partition", "V-10", "ordinal or date"},
        {23, "  hdb: {type: locale, partition: date}", 23, "mounts.hdb.type", "V-10",
         "stream, local or object"},
        {23, "  hdb: {type: local, partition: days, baseURI: 'file:///x'}", 23,
         "mounts.hdb.partition", "V-10", "ordinal or date"},
        {23, "  hdb: {type: local, baseURI: 'file:///x'}", 23, "mounts.hdb.partition", "V-10",
         "required"},
        {23, "  hdb: {type: local, partition: date, baseURI: 'file:///x', path: y}", 23,
         "mounts.hdb.path", "key", "unknown"},
        {21, "  rdb: {type: stream, partition: none}\n  -x: {type: object, partition: date}", 22,
         "mounts.-x", "name", "begins with neither"},
    };
    Kit k;
    (void)state;
    kit_init(&k);
    kit_run(&k, cases, COUNT_OF(cases), false);
    kit_done(&k);
}

static void one_mount_for_intervals_and_one_for_dates_must_be_there(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(&k, 22, "  idb: {type: object, partition: date}");
    kit_expect(&k, false, 20, "mounts", "V-10", "ordinal");
    kit_load_changed(&k, 23, "  hdb: {type: object, partition: date}");
    kit_expect(&k, false, 20, "mounts", "V-10", "date");
    kit_done(&k);
}

static void folders_are_made_plain(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(&k, 23,
                     "  hdb: {type: local, partition: date, baseURI: 'file:///x//y/../hdb/', "
                     "volume: {size: 1}}");
    kit_expect_clean(&k);
    assert_string_equal(k.c.hdb->base, "/x/hdb");
    assert_string_equal(k.c.stream->base, "");
    assert_ptr_equal(config_mount_find(&k.c, "hdb"), k.c.hdb);
    assert_null(config_mount_find(&k.c, "hd"));
    kit_done(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_mounts_are_told_by_line_path_and_rule),
        cmocka_unit_test(one_mount_for_intervals_and_one_for_dates_must_be_there),
        cmocka_unit_test(folders_are_made_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
