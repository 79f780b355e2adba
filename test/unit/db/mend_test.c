/*
 * mend: what a start finds, mends, removes and refuses; stage files.
 */
#include "db/manifest.h"
#include "unit/db/kit.h"

/* ---- recovery */

static void leavings_of_every_kind_are_removed(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_interval(&k));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    char *names = kit_names(&k, k.p.current);
    kit_stop(&k);
    kit_mkdirs(kit_path(&k, "idb/idb.4/x"));
    kit_mkdirs(kit_path(&k, "hdb/hdb.4"));
    kit_mkdirs(kit_path(&k, "idb/seg/i.0.4"));
    kit_mkdirs(kit_path(&k, "hdb/seg/d.2024.4"));
    kit_mkdirs(kit_path(&k, "hdb/seg/d.2024.4.1"));
    kit_mkdirs(kit_path(&k, "idb/data/2024.08.30/2/trade"));
    kit_mkdirs(kit_path(&k, "idb/data/2024.08.31"));
    kit_mkdirs(kit_path(&k, "hdb/data/2001.01.01"));
    kit_mkdirs(kit_path(&k, "idb/spill/trade"));
    kit_write(kit_path(&k, "idb/spill/run.1"), "x", 1);
    kit_write(kit_path(&k, "idb/manifest/view.4"), "x", 1);
    kit_write(kit_path(&k, "idb/manifest/d.2024.4"), "x", 1);
    assert_int_equal(symlink("idb.4", kit_path(&k, "idb/current.new")), 0);
    assert_int_equal(unlink(kit_path(&k, "hdb/current")), 0);
    KIT_OK(kit_start(&k));
    assert_int_equal(k.removed, 14);
    assert_string_equal(kit_names(&k, k.p.current), names);
    kit_judge(&k);
    kit_end(&k);
}

static void leavings_of_a_first_start_are_removed(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    kit_mkdirs(kit_path(&k, "idb/idb.1"));
    kit_mkdirs(kit_path(&k, "hdb/seg/d.2024.1"));
    kit_mkdirs(kit_path(&k, "idb/spill/run"));
    kit_mkdirs(kit_path(&k, "idb/manifest"));
    kit_write(kit_path(&k, "idb/manifest/view.1"), "", 0);
    KIT_OK(kit_start(&k));
    assert_int_equal(k.removed, 4);
    kit_judge(&k);
    kit_end(&k);
}

/* R3: what the old link named goes only after the new link is durable. */
static void the_link_is_synced_before_anything_is_removed(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_interval(&k));
    kit_stop(&k);
    const char *first[] = {k.idb, k.hdb};
    for (u64 i = 0; i < COUNT_OF(first); i++) {
        kit_mkdirs(kit_path(&k, "idb/idb.3"));
        root_init(&k.root, "demo", k.idb, k.hdb, NULL, k.tiers, 1);
        view_cache_init(&k.cache, &k.root);
        KIT_OK(root_claim(&k.root));
        fault_arm(FAULT_ERROR, i + 1, false, EIO);
        assert_int_equal(publish_open(&k.p, &k.root, &k.cache, &k.removed), E_IO);
        fault_arm(FAULT_NONE, 0, false, 0);
        char *wanted = arena_format(&k.memory, "%s: sync folder", first[i]);
        if (strstr(fail_text(), wanted) == NULL) fail_msg("`%s`, not `%s`", fail_text(), wanted);
        assert_int_equal(k.removed, 0);
        assert_true(kit_there(kit_path(&k, "idb/idb.3")));
        kit_stop(&k);
    }
    kit_end(&k);
}

static void names_that_are_not_ours_stay(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    kit_stop(&k);
    static const char *const foreign[] = {"idb/idb.x",
                                          "idb/idb.09",
                                          "idb/notes",
                                          "idb/stage/folder",
                                          "idb/data/other/99",
                                          "idb/seg/own",
                                          "idb/data/2024.08.22/x9",
                                          "hdb/hdb.4.bak",
                                          "hdb/data/2001.01.01/my"};
    for (size_t i = 0; i < COUNT_OF(foreign); i++)
        kit_mkdirs(kit_path(&k, "%s", foreign[i]));
    KIT_OK(kit_start(&k));
    assert_int_equal(k.removed, 0);
    Sweep s;
    KIT_OK(kit_sweep(&k, UINT64_MAX, &s));
    for (size_t i = 0; i < COUNT_OF(foreign); i++)
        assert_true(kit_there(kit_path(&k, "%s", foreign[i])));
    kit_end(&k);
}

static void a_lost_current_is_damage_not_a_first_start(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    /* A view that names nothing is enough. */
    PublishChange c = publish_change(&k.p);
    KIT_OK(publish_commit(&k.p, &c));
    kit_stop(&k);
    assert_int_equal(unlink(kit_path(&k, "idb/current")), 0);
    assert_int_equal(kit_start(&k), E_CORRUPT);
    assert_true(kit_there(kit_path(&k, "idb/idb.2")));
    kit_stop(&k);
    assert_int_equal(symlink("idb.2", kit_path(&k, "idb/current")), 0);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_interval(&k));
    kit_stop(&k);
    assert_int_equal(unlink(kit_path(&k, "idb/current")), 0);
    assert_int_equal(kit_start(&k), E_CORRUPT);
    assert_true(kit_there(kit_path(&k, "idb/idb.3/0")));
    kit_stop(&k);
    /* With the views gone too, the data still speaks. */
    KIT_OK(dir_remove_all(kit_path(&k, "idb/idb.1")));
    KIT_OK(dir_remove_all(kit_path(&k, "idb/idb.2")));
    KIT_OK(dir_remove_all(kit_path(&k, "idb/idb.3")));
    KIT_OK(dir_remove_all(kit_path(&k, "idb/manifest")));
    assert_int_equal(kit_start(&k), E_CORRUPT);
    assert_true(kit_there(kit_path(&k, "idb/data/2024.08.22/1")));
    kit_end(&k);
}

static void a_current_that_leads_nowhere_is_refused(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    kit_stop(&k);
    static const char *const wrong[] = {
        "idb.7", "idb.0", "idb.01", "hdb.1", "/tmp", "idb.1/", "idb.99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(unlink(kit_path(&k, "idb/current")), 0);
        assert_int_equal(symlink(wrong[i], kit_path(&k, "idb/current")), 0);
        assert_int_equal(kit_start(&k), E_CORRUPT);
        kit_stop(&k);
    }
    assert_int_equal(unlink(kit_path(&k, "idb/current")), 0);
    kit_mkdirs(kit_path(&k, "idb/current"));
    assert_int_equal(kit_start(&k), E_CORRUPT);
    kit_end(&k);
}

static void a_broken_manifest_names_the_newest_good_view(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    for (int i = 0; i < 3; i++)
        KIT_OK(kit_interval(&k));
    kit_stop(&k);
    kit_write(kit_path(&k, "idb/manifest/view.4"), "", 0);
    kit_write(kit_path(&k, "idb/manifest/view.3"), "siltstone-view 1\n", 17);
    assert_int_equal(kit_start(&k), E_CORRUPT);
    assert_non_null(strstr(fail_text(), "manifest/view.4"));
    assert_non_null(strstr(fail_text(), "can be read is 2"));
    kit_stop(&k);
    kit_write(kit_path(&k, "idb/manifest/i.0.2"), "", 0);
    kit_write(kit_path(&k, "idb/manifest/view.1"), "", 0);
    assert_int_equal(kit_start(&k), E_CORRUPT);
    assert_non_null(strstr(fail_text(), "no older view"));
    assert_true(kit_there(kit_path(&k, "idb/data/2024.08.22/1")));
    kit_end(&k);
}

static void a_view_without_its_folders_or_domain_is_refused(void **state)
{
    (void)state;
    static const char *const needed[] = {"idb/idb.2", "hdb/hdb.1", "hdb/sym", "idb/manifest/i.0.2"};
    for (size_t i = 0; i < COUNT_OF(needed); i++) {
        Kit k;
        kit_make(&k, 1);
        KIT_OK(kit_start(&k));
        KIT_OK(kit_interval(&k));
        kit_stop(&k);
        char *path = kit_path(&k, "%s", needed[i]);
        if (strcmp(needed[i], "hdb/sym") == 0) {
            assert_int_equal(truncate(path, 7), 0);
            assert_int_equal(kit_start(&k), E_CORRUPT);
            kit_stop(&k);
        }
        assert_int_equal(rename(path, kit_path(&k, "aside")), 0);
        assert_int_equal(kit_start(&k), E_CORRUPT);
        kit_end(&k);
    }
}

/* ---- stage files */

static void a_stage_that_was_not_published_is_removed(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    Part named = *view_part(k.p.current, PART_DATE, KIT_DAY);
    Part fresh = kit_part(&k, PART_DATE, KIT_DAY, KIT_DAY, 0, 9);
    const char *paths[] = {named.path, fresh.path, k.p.current->garbage[0].path,
                           root_date_path(&k.root, &k.memory, 0, KIT_DAY, 10)};
    KIT_OK(publish_stage_begin(&k.root, "day", paths, COUNT_OF(paths)));
    kit_stage(&k, &fresh);
    kit_write(kit_path(&k, "idb/stage/night.tmp"), "half", 4);
    kit_write(kit_path(&k, "idb/stage/night"), "", 0);
    kit_stop(&k);
    KIT_OK(kit_start(&k));
    assert_int_equal(k.removed, 1);
    assert_false(kit_there(fresh.path));
    assert_true(kit_there(kit_path(&k, "hdb/data/2024.08.22/2")));
    assert_true(kit_there(kit_path(&k, "hdb/data/2024.08.22/3")));
    kit_judge(&k);
    kit_end(&k);
}

static void a_staged_folder_is_gone_for_good_before_its_stage_file(void **state)
{
    (void)state;
    Kit k;
    u64 removed = 0;
    bool synced = false, ended = false;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    Part fresh = kit_part(&k, PART_DATE, KIT_DAY, KIT_DAY, 0, 2);
    for (u64 at = 1; !ended; at++) {
        KIT_OK(publish_stage_begin(&k.root, "day", &fresh.path, 1));
        kit_stage(&k, &fresh);
        fault_arm(FAULT_ERROR, at, false, EIO);
        ended = publish_stage_undo(&k.root, k.p.current, "day", &removed) == E_OK;
        fault_arm(FAULT_NONE, 0, false, 0);
        assert_true(kit_there(kit_path(&k, "idb/stage/day")) == !ended);
        if (ended) break;
        synced = synced || strstr(fail_text(), "2024.08.22: sync folder") != NULL;
        if (strstr(fail_text(), "stage/day: remove") != NULL) assert_true(synced);
    }
    assert_true(synced);
    kit_end(&k);
}

static void a_stage_can_be_undone_or_ended_while_running(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    Part fresh = kit_part(&k, PART_DATE, KIT_DAY, KIT_DAY, 0, 2);
    u64 removed = 0;
    KIT_OK(publish_stage_begin(&k.root, "day", &fresh.path, 1));
    kit_stage(&k, &fresh);
    KIT_OK(publish_stage_undo(&k.root, k.p.current, "day", &removed));
    assert_int_equal(removed, 1);
    assert_false(kit_there(fresh.path) || kit_there(kit_path(&k, "idb/stage/day")));
    KIT_OK(publish_stage_undo(&k.root, k.p.current, "day", &removed));
    assert_int_equal(removed, 0);
    KIT_OK(publish_stage_begin(&k.root, "day", &fresh.path, 1));
    KIT_OK(publish_stage_begin(&k.root, "day", &fresh.path, 1));
    KIT_OK(publish_stage_end(&k.root, "day"));
    assert_int_equal(publish_stage_end(&k.root, "day"), E_NOT_FOUND);
    kit_end(&k);
}

static void a_stage_of_foreign_folders_is_refused(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    const char *wrong[] = {k.hdb,
                           k.data,
                           "/",
                           "/etc/2024.01.01/1",
                           kit_path(&k, "hdb/data/2024.01.01/1/../../.."),
                           kit_path(&k, "hdb/data/2024.13.01/1"),
                           kit_path(&k, "idb/idb.1")};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(publish_stage_begin(&k.root, "day", &wrong[i], 1), E_USAGE);
    /* A stage file that is whole but names such a folder, and one that is damaged, stop the start
     * (P7). */
    Buf b = {0};
    KIT_OK(manifest_write_stage(&b, &wrong[0], 1));
    kit_write(kit_path(&k, "idb/stage/day"), b.data, b.size);
    kit_stop(&k);
    assert_int_equal(kit_start(&k), E_CORRUPT);
    kit_stop(&k);
    kit_write(kit_path(&k, "idb/stage/day"), b.data, b.size - 1);
    assert_int_equal(kit_start(&k), E_CORRUPT);
    assert_true(kit_there(k.data));
    buf_free(&b);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leavings_of_every_kind_are_removed),
        cmocka_unit_test(leavings_of_a_first_start_are_removed),
        cmocka_unit_test(the_link_is_synced_before_anything_is_removed),
        cmocka_unit_test(names_that_are_not_ours_stay),
        cmocka_unit_test(a_lost_current_is_damage_not_a_first_start),
        cmocka_unit_test(a_current_that_leads_nowhere_is_refused),
        cmocka_unit_test(a_broken_manifest_names_the_newest_good_view),
        cmocka_unit_test(a_view_without_its_folders_or_domain_is_refused),
        cmocka_unit_test(a_stage_that_was_not_published_is_removed),
        cmocka_unit_test(a_staged_folder_is_gone_for_good_before_its_stage_file),
        cmocka_unit_test(a_stage_can_be_undone_or_ended_while_running),
        cmocka_unit_test(a_stage_of_foreign_folders_is_refused),
    };
    return cmocka_run_group_tests_name("mend", tests, NULL, NULL);
}
