/*
 * config_source: flags win over the environment, which wins over the file.
 */
#include "cmd/config_source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "unit/cmd/config_kit.h"

static void folders_come_from_flags_then_environment_then_file(void **state)
{
    Kit k;
    char *absolute;
    Arena a = {0};
    (void)state;
    kit_init(&k);
    setenv("SILT_IDB", "/env/idb", 1);
    setenv("SILT_HDB", "file:///env/hdb", 1);
    setenv("SILT_WAL", "/env/wal", 1);
    kit_load_changed(&k, 0, "");
    kit_expect_clean(&k);
    assert_string_equal(k.c.idb->base, "/env/idb");
    assert_string_equal(k.c.hdb->base, "/env/hdb");
    assert_string_equal(k.c.source->log_path, "/env/wal");
    assert_string_equal(k.c.idb_tier->store, "/env/idb/data");
    k.source.idb = "rel/idb";
    k.source.hdb = "/flag/hdb";
    k.source.wal = "./wal";
    kit_load_changed(&k, 0, "");
    kit_expect_clean(&k);
    assert_int_equal(dir_absolute("rel/idb", &a, &absolute), E_OK);
    assert_string_equal(k.c.idb->base, absolute);
    assert_string_equal(k.c.hdb->base, "/flag/hdb");
    assert_int_equal(dir_absolute("wal", &a, &absolute), E_OK);
    assert_string_equal(k.c.source->log_path, absolute);
    arena_free(&a);
    kit_done(&k);
}

static void ports_come_from_flags_then_environment_then_file(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(&k, 38, "      a: {mountName: rdb, port: 7000}\n      b: {mountName: hdb}");
    assert_int_equal(k.c.daps[0].port, 7000);
    assert_int_equal(k.c.daps[1].port, 5081);
    setenv("KXI_PORT", "6000", 1);
    kit_load_changed(&k, 38, "      a: {mountName: rdb, port: 7000}\n      b: {mountName: hdb}");
    assert_int_equal(k.c.port, 6000);
    assert_int_equal(k.c.daps[0].port, 7000);
    setenv("KXI_SC", "b", 1);
    kit_load_changed(&k, 38, "      a: {mountName: rdb, port: 7000}\n      b: {mountName: hdb}");
    assert_int_equal(k.c.port, 10001);
    assert_int_equal(k.c.daps[1].port, 6000);
    setenv("SILT_SM_PORT", "6001", 1);
    setenv("SILT_DA_PORT", "6010", 1);
    kit_load_changed(&k, 38, "      a: {mountName: rdb, port: 7000}\n      b: {mountName: hdb}");
    kit_expect_clean(&k);
    assert_int_equal(k.c.port, 6001);
    assert_int_equal(k.c.daps[0].port, 6010);
    assert_int_equal(k.c.daps[1].port, 6011);
    k.source.sm_port = 0;
    k.source.da_port = 0;
    kit_load_changed(&k, 38, "      a: {mountName: rdb, port: 7000}\n      b: {mountName: hdb}");
    kit_expect_clean(&k);
    assert_int_equal(k.c.port, 0);
    assert_int_equal(k.c.daps[1].port, 0);
    kit_done(&k);
}

static void wrong_values_name_the_flag_or_variable(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    k.source.sm_port = 70000;
    setenv("SILT_DA_PORT", "many", 1);
    setenv("SILT_IDB", "s3://bucket", 1);
    k.source.hdb = "/";
    kit_load_changed(&k, 0, "");
    kit_expect(&k, false, 0, "elements.sm.port", "key", "(from flag --sm-port)");
    kit_expect(&k, false, 0, "elements.dap.instances.all.port", "key",
               "(from environment SILT_DA_PORT)");
    kit_expect(&k, false, 0, "mounts.hdb.baseURI", "V-11", "(from flag --hdb)");
    assert_int_equal(k.count, 3); /* s3://bucket is a relative path like any other */
    assert_non_null(strstr(fail_text(), "assembly.yaml: "));
    kit_done(&k);
}

static void folders_meet_when_one_holds_the_other(void **state)
{
    (void)state;
    assert_true(config_source_meet("/a", "/a"));
    assert_true(config_source_meet("/a", "/a/b"));
    assert_true(config_source_meet("/a/b/c", "/a"));
    assert_false(config_source_meet("/a", "/ab"));
    assert_false(config_source_meet("/a/b", "/a/c"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_come_from_flags_then_environment_then_file),
        cmocka_unit_test(ports_come_from_flags_then_environment_then_file),
        cmocka_unit_test(wrong_values_name_the_flag_or_variable),
        cmocka_unit_test(folders_meet_when_one_holds_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
