/*
 * sweep: what goes, what stays for whom, and what a failure or an end in the middle leaves
 * behind. */
#include "unit/db/kit.h"

static void two_views_are_kept_at_least(void **state)
{
    (void)state;
    Kit k;
    Sweep s;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_sweep(&k, UINT64_MAX, &s));
    assert_int_equal(s.oldest, 1);
    assert_int_equal(s.views, 0);
    for (int i = 0; i < 4; i++)
        KIT_OK(kit_interval(&k));
    KIT_OK(kit_sweep(&k, UINT64_MAX, &s));
    assert_int_equal(s.oldest, 4);
    assert_int_equal(s.watermark, 3000);
    assert_int_equal(s.views, 3);
    static const char *const gone[] = {"idb/idb.1", "idb/idb.3", "idb/manifest/view.1",
                                       "idb/manifest/view.3", "idb/manifest/i.0.3"};
    static const char *const kept[] = {
        "idb/idb.4",          "idb/idb.5",          "idb/manifest/view.4", "idb/manifest/view.5",
        "idb/manifest/i.0.4", "idb/manifest/i.0.5", "hdb/hdb.1",           "idb/data/2024.08.22/1"};
    for (size_t i = 0; i < COUNT_OF(gone); i++)
        assert_false(kit_there(kit_path(&k, "%s", gone[i])));
    for (size_t i = 0; i < COUNT_OF(kept); i++)
        assert_true(kit_there(kit_path(&k, "%s", kept[i])));
    kit_judge(&k);
    kit_end(&k);
}

static void garbage_goes_with_the_last_view_that_named_it(void **state)
{
    (void)state;
    Kit k;
    Sweep s;
    kit_make(&k, 2);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_date(&k, KIT_DAY, 0)); /* view 2 */
    KIT_OK(kit_date(&k, KIT_DAY, 1)); /* view 3: hdb/data/.../2 is garbage */
    KIT_OK(kit_sweep(&k, UINT64_MAX, &s));
    assert_int_equal(s.oldest, 2);
    assert_int_equal(s.parts, 0);
    assert_true(kit_there(kit_path(&k, "hdb/data/2024.08.22/2")));
    KIT_OK(kit_interval(&k)); /* view 4 */
    assert_int_equal(k.p.current->garbage_count, 1);
    KIT_OK(kit_sweep(&k, UINT64_MAX, &s));
    assert_int_equal(s.oldest, 3);
    assert_int_equal(s.parts, 1);
    assert_false(kit_there(kit_path(&k, "hdb/data/2024.08.22/2")));
    assert_true(kit_there(kit_path(&k, "cold/2024.08.22/3")));
    assert_false(kit_there(kit_path(&k, "hdb/hdb.2")));
    assert_true(kit_there(kit_path(&k, "hdb/hdb.3")));
    KIT_OK(kit_interval(&k));
    assert_int_equal(k.p.current->garbage_count, 0);
    kit_stop(&k);
    KIT_OK(kit_start(&k));
    assert_int_equal(k.removed, 1); /* the empty day */
    kit_judge(&k);
    kit_end(&k);
}

static void a_pinned_view_and_all_it_names_stay(void **state)
{
    (void)state;
    Kit k;
    Sweep s;
    View *v = NULL;
    Root root = {0};
    ViewCache cache;
    kit_make(&k, 2);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    KIT_OK(kit_date(&k, KIT_DAY + 1, 1)); /* two tiers: wide */
    KIT_OK(kit_interval(&k));             /* view 4 */
    root_init(&root, "demo", k.idb, k.hdb, NULL, k.tiers, 2);
    view_cache_init(&cache, &root);
    KIT_OK(view_open(&cache, true, &v));
    for (int i = 0; i < 3; i++) {
        KIT_OK(kit_date(&k, KIT_DAY, 0));
        KIT_OK(kit_interval(&k));
    }
    KIT_OK(kit_sweep(&k, UINT64_MAX, &s));
    assert_int_equal(s.oldest, 4);
    assert_int_equal(s.watermark, 1000);
    assert_int_equal(s.parts, 0);
    assert_false(kit_there(kit_path(&k, "idb/idb.3")));
    assert_false(kit_there(kit_path(&k, "idb/idb.6")));
    assert_int_equal(kit_load(kit_path(&k, "idb/idb.4")), 1);
    assert_int_equal(kit_load(kit_path(&k, "hdb/hdb.3")), 2);
    view_close(&cache, v);
    KIT_OK(view_open_number(&cache, 4, &v));
    assert_int_equal(view_part_count(v, PART_DATE), 2);
    view_close(&cache, v);
    KIT_OK(kit_sweep(&k, UINT64_MAX, &s));
    assert_int_equal(s.oldest, k.p.current->number - 1);
    assert_int_equal(s.parts, 3);
    assert_false(kit_there(kit_path(&k, "idb/idb.4")));
    assert_false(kit_there(kit_path(&k, "hdb/hdb.3")));
    assert_false(kit_there(kit_path(&k, "hdb/seg/d.2024.3")));
    kit_judge(&k);
    view_cache_free(&cache);
    root_close(&root);
    kit_end(&k);
}

static void a_view_that_a_client_holds_stays(void **state)
{
    (void)state;
    Kit k;
    Sweep s;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    for (int i = 0; i < 6; i++)
        KIT_OK(kit_interval(&k));
    KIT_OK(kit_sweep(&k, 3, &s));
    assert_int_equal(s.oldest, 3);
    assert_int_equal(s.views, 2);
    for (int n = 3; n <= 7; n++)
        assert_true(kit_load(kit_path(&k, "idb/idb.%d", n)) >= 0);
    kit_end(&k);
}

/* The manager commits while the sweep runs elsewhere: it was planned for an older `current`. */
static void what_is_newer_than_the_plan_is_left_alone(void **state)
{
    (void)state;
    Kit k;
    Sweep s;
    kit_make(&k, 2);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    KIT_OK(kit_interval(&k));
    KIT_OK(sweep_plan(&s, k.p.current, &k.root, UINT64_MAX));
    KIT_OK(kit_date(&k, KIT_DAY, 1));
    KIT_OK(kit_date(&k, KIT_DAY + 1, 0));
    KIT_OK(kit_interval(&k));
    kit_mkdirs(kit_path(&k, "idb/idb.99")); /* a view that is just being made */
    kit_write(kit_path(&k, "idb/manifest/i.0.99"), "x", 1);
    sweep_run(&s);
    assert_int_equal(s.err, E_OK);
    assert_int_equal(s.oldest, 2);
    assert_int_equal(s.parts, 0);
    assert_true(kit_there(kit_path(&k, "idb/idb.99")));
    assert_true(kit_there(kit_path(&k, "idb/manifest/i.0.99")));
    for (int n = 2; n <= 6; n++)
        assert_true(kit_load(kit_path(&k, "idb/idb.%d", n)) >= 0);
    assert_true(kit_load(kit_path(&k, "hdb/current")) == 2);
    sweep_free(&s);
    sweep_free(&s);
    kit_end(&k);
}

static void an_unreadable_manifest_of_a_kept_view_stops_it(void **state)
{
    (void)state;
    Kit k;
    Sweep s;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    KIT_OK(kit_interval(&k));
    kit_write(kit_path(&k, "idb/manifest/view.3"), "", 0);
    assert_int_equal(kit_sweep(&k, UINT64_MAX, &s), E_CORRUPT);
    assert_non_null(strstr(s.text, "view.3"));
    assert_int_equal(unlink(kit_path(&k, "idb/manifest/view.3")), 0);
    assert_int_equal(link(kit_path(&k, "idb/manifest/view.2"), kit_path(&k, "idb/manifest/view.3")),
                     0);
    assert_int_equal(kit_sweep(&k, UINT64_MAX, &s), E_CORRUPT);
    assert_int_equal(s.oldest, 0);
    assert_int_equal(s.watermark, 0);
    assert_true(kit_there(kit_path(&k, "hdb/data/2024.08.22/2")));
    assert_true(kit_there(kit_path(&k, "idb/manifest/d.2024.2")));
    KIT_OK(kit_interval(&k));
    assert_int_equal(k.p.current->garbage_count, 1);
    kit_end(&k);
}

static void garbage_outside_our_folders_is_never_deleted(void **state)
{
    (void)state;
    Kit k;
    Sweep s;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    kit_mkdirs(kit_path(&k, "adopted/2024.08.22/trade"));
    PublishChange c = publish_change(&k.p);
    Part part = kit_part(&k, PART_DATE, KIT_DAY, KIT_DAY, 0, 2);
    part.path = kit_path(&k, "adopted/2024.08.22");
    c.add = &part;
    c.add_count = 1;
    KIT_OK(publish_commit(&k.p, &c));
    for (int i = 0; i < 4; i++)
        KIT_OK(kit_date(&k, KIT_DAY, 0));
    KIT_OK(kit_sweep(&k, UINT64_MAX, &s));
    assert_true(s.oldest > 3);
    assert_true(kit_there(kit_path(&k, "adopted/2024.08.22/trade")));
    kit_end(&k);
}

/* Stopped before each change in turn, and failing at each: what stands loads, the next sweep
 * finishes. */
static void stopped_or_failing_anywhere_it_is_finished_later(void **state)
{
    (void)state;
    u64 points = 0;
    for (int mode = 0; mode < 2; mode++) {
        for (u64 at = 1, ended = 0; !ended; at++) {
            Kit k;
            Sweep s;
            int status = 0;
            kit_make(&k, 2);
            KIT_OK(kit_start(&k));
            KIT_OK(kit_date(&k, KIT_DAY, 0));
            for (int i = 0; i < 3; i++) {
                KIT_OK(kit_date(&k, KIT_DAY, 1));
                KIT_OK(kit_date(&k, KIT_DAY + 1, 0));
            }
            KIT_OK(kit_interval(&k));
            fflush(NULL);
            k.swept = true;
            if (mode == 0) {
                pid_t pid = fork();
                if (pid == 0) {
                    dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
                    fault_arm(FAULT_KILL, at, false, 0);
                    _exit(kit_sweep(&k, UINT64_MAX, &s) == E_OK ? 0 : 1);
                }
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFEXITED(status) &&
                            (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 137));
                ended = WEXITSTATUS(status) == 0;
            } else {
                fault_arm(FAULT_ERROR, at, false, EIO);
                Err err = kit_sweep(&k, UINT64_MAX, &s);
                fault_arm(FAULT_NONE, 0, false, 0);
                ended = err == E_OK;
                if (!ended) assert_int_equal(err, E_IO);
            }
            points += !ended;
            for (u64 n = k.p.current->number - 1; n <= k.p.current->number; n++)
                assert_true(kit_load(kit_path(&k, "idb/idb.%" PRIu64, n)) >= 0);
            kit_judge(&k);
            KIT_OK(kit_sweep(&k, UINT64_MAX, &s));
            assert_int_equal(s.oldest, 8);
            u64 left = 0;
            KitNames names = {0};
            assert_int_equal(kit_list(kit_path(&k, "idb/manifest"), &names), 0);
            for (size_t i = 0; i < names.count; i++)
                left += kit_number(names.name[i], "view.") > 0;
            assert_int_equal(left, 2);
            kit_names_free(&names);
            assert_int_equal(kit_list(k.hdb, &names), 0);
            for (size_t i = 0, hdbs = 0; i < names.count; i++) {
                hdbs += kit_number(names.name[i], "hdb.") > 0;
                assert_true(hdbs <= 2);
            }
            kit_names_free(&names);
            kit_judge(&k);
            kit_end(&k);
        }
    }
    print_message("# sweep: %" PRIu64 " points, 0 failures\n", points);
    assert_true(points > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_views_are_kept_at_least),
        cmocka_unit_test(garbage_goes_with_the_last_view_that_named_it),
        cmocka_unit_test(a_pinned_view_and_all_it_names_stay),
        cmocka_unit_test(a_view_that_a_client_holds_stays),
        cmocka_unit_test(what_is_newer_than_the_plan_is_left_alone),
        cmocka_unit_test(an_unreadable_manifest_of_a_kept_view_stops_it),
        cmocka_unit_test(garbage_outside_our_folders_is_never_deleted),
        cmocka_unit_test(stopped_or_failing_anywhere_it_is_finished_later),
    };
    return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
