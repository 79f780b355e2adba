/*
 * root: paths and their stored form, the lock, and markers: which store is missing, foreign, or
 * new.
 */
#include "unit/db/kit.h"

static void paths_have_one_form(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 2);
    assert_string_equal(root_interval_path(&k.root, &k.memory, KIT_DAY, 17),
                        kit_path(&k, "idb/data/2024.08.22/17"));
    assert_string_equal(root_date_path(&k.root, &k.memory, 0, -1, 3),
                        kit_path(&k, "hdb/data/1999.12.31/3"));
    assert_string_equal(root_date_path(&k.root, &k.memory, 1, 0, 3),
                        kit_path(&k, "cold/2000.01.01/3"));
    assert_string_equal(k.root.wal, kit_path(&k, "idb/wal"));
    assert_string_equal(k.root.sym, kit_path(&k, "hdb/sym"));
    kit_end(&k);
}

static void only_part_folders_are_owned(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 2);
    static const char *const ours[] = {"idb/data/2024.08.22/1", "hdb/data/2024.02.29/18",
                                       "cold/1999.01.01/9"};
    static const char *const not_ours[] = {"idb",
                                           "idb/data",
                                           "idb/data/2024.08.22",
                                           "idb/data/2024.08.22/",
                                           "idb/data/2024.08.22/0",
                                           "idb/data/2024.08.22/01",
                                           "idb/data/2024.02.30/1",
                                           "idb/data/2024.08.22/1/trade",
                                           "idb/data/2024.08.22/1.late",
                                           "cold/data/2024.08.22/1",
                                           "hdb/2024.08.22/1",
                                           "hdb/data/x/../2024.08.22/1",
                                           "hdb/data//1",
                                           "other/2024.08.22/1",
                                           "idbx/data/2024.08.22/1",
                                           "idb/data/2024.08.22/-1",
                                           "idb/data/2024.08.22/99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        assert_true(root_owns(&k.root, kit_path(&k, "%s", ours[i])));
    for (size_t i = 0; i < COUNT_OF(not_ours); i++)
        assert_false(root_owns(&k.root, arena_format(&k.memory, "%s/%s", k.dir, not_ours[i])));
    assert_false(root_owns(&k.root, ""));
    assert_false(root_owns(&k.root, "/2024.08.22/1"));
    kit_end(&k);
}

static void stored_paths_lead_back(void **state)
{
    (void)state;
    Kit k;
    char *back = NULL;
    kit_make(&k, 2);
    k.tiers[0].store = kit_path(&k, "cold/deep");
    k.tiers[0].own_store = true;
    k.tiers[0].name = "c:d";
    k.tiers[1].name = "c";
    const char *const both[][2] = {
        {kit_path(&k, "idb/data/1"), "idb:data/1"},
        {kit_path(&k, "hdb/data/2024.08.22/1"), "hdb:data/2024.08.22/1"},
        {kit_path(&k, "cold/x"), "tier:c:x"},
        {kit_path(&k, "cold/deep/x"), "tier:c:d:x"},
        {kit_path(&k, "coldx/y"), NULL},
        {"/mnt/old/2024.08.22", "abs:/mnt/old/2024.08.22"},
        {kit_path(&k, "cold/deeper"), "tier:c:deeper"},
    };
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        char *stored = root_path_store(&k.root, &k.memory, both[i][0]);
        if (both[i][1] != NULL) assert_string_equal(stored, both[i][1]);
        KIT_OK(root_path_find(&k.root, &k.memory, str_of(stored), &back));
        assert_string_equal(back, both[i][0]);
    }
    static const char *const wrong[] = {
        "",      "idb:",      "idb",     "hdb:/etc",     "hdb:a/../b",  "hdb:..", "abs:x",
        "abs:/", "abs:/a//b", "idb:./a", "other:data/1", "/etc/passwd", "idb:a/"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(root_path_find(&k.root, &k.memory, str_of(wrong[i]), &back), E_CORRUPT);
    assert_int_equal(root_path_find(&k.root, &k.memory, STR("tier:x:a"), &back), E_USAGE);
    assert_int_equal(root_path_find(&k.root, &k.memory, STR("tier:c"), &back), E_USAGE);
    char *lengthy = arena_alloc(&k.memory, 5000);
    memset(lengthy, 'a', 4999);
    memcpy(lengthy, "idb:", 4);
    assert_int_equal(root_path_find(&k.root, &k.memory, str_of(lengthy), &back), E_CORRUPT);
    kit_end(&k);
}

static void numbers_are_read_strictly(void **state)
{
    (void)state;
    u64 n = 0;
    assert_true(root_numbered(STR("idb.42"), "idb.", &n) && n == 42);
    assert_true(root_numbered(STR("9223372036854775807"), "", &n) && n == INT64_MAX);
    static const char *const wrong[] = {"idb.",
                                        "idb.0",
                                        "idb.042",
                                        "idb.+1",
                                        "idb.-1",
                                        "idb.1x",
                                        "idb.1 ",
                                        "idb",
                                        "hdb.1",
                                        "",
                                        "idb.9223372036854775808",
                                        "idb.123456789012345678901"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_false(root_numbered(str_of(wrong[i]), "idb.", &n));
}

static void one_manager_at_a_time(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    Root second = {0};
    root_init(&second, "demo", k.idb, k.hdb, NULL, k.tiers, 1);
    assert_int_equal(root_claim(&second), E_BUSY);
    char *pid = kit_path(&k, "pid %d)", (int)getpid()) + strlen(k.dir) + 1;
    if (strstr(fail_text(), pid) == NULL) fail_msg("no `%s` in `%s`", pid, fail_text());
    kit_stop(&k);
    KIT_OK(root_claim(&second));
    root_close(&second);
    root_close(&second);
    kit_end(&k);
}

static void a_claim_makes_what_is_missing(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 2);
    KIT_OK(kit_start(&k));
    static const char *const made[] = {"idb/siltstone.json",
                                       "hdb/siltstone.json",
                                       "cold/siltstone.json",
                                       "idb/data",
                                       "idb/seg",
                                       "idb/manifest",
                                       "idb/spill",
                                       "idb/stage",
                                       "hdb/data",
                                       "hdb/seg",
                                       "idb/lock"};
    for (size_t i = 0; i < COUNT_OF(made); i++)
        assert_true(kit_there(kit_path(&k, "%s", made[i])));
    char *idb = kit_read(&k, kit_path(&k, "idb/siltstone.json")),
         *cold = kit_read(&k, kit_path(&k, "cold/siltstone.json"));
    char id[40];
    snprintf(id, sizeof id, "\"id\":\"%s\"", k.root.id);
    assert_int_equal(strlen(k.root.id), 32);
    assert_false(kit_there(kit_path(&k, "hdb/data/siltstone.json")));
    assert_non_null(strstr(idb, "\"assembly\":\"demo\",\"tier\":\"idb\""));
    assert_non_null(strstr(idb, id));
    assert_non_null(strstr(cold, "\"tier\":\"cold\""));
    assert_non_null(strstr(cold, id));
    kit_stop(&k);
    KIT_OK(kit_start(&k));
    assert_non_null(strstr(idb, k.root.id));
    kit_end(&k);
}

/* Puts the folder aside and an empty one, a mount point, in its place. */
static void unmount(Kit *k, const char *name)
{
    assert_int_equal(rename(kit_path(k, "%s", name), kit_path(k, "%s.aside", name)), 0);
    kit_mkdirs(kit_path(k, "%s", name));
}

static void mount_again(Kit *k, const char *name)
{
    KIT_OK(dir_remove_all(kit_path(k, "%s", name)));
    assert_int_equal(rename(kit_path(k, "%s.aside", name), kit_path(k, "%s", name)), 0);
}

static void a_store_that_is_not_mounted_is_named(void **state)
{
    (void)state;
    static const char *const stores[] = {"idb", "hdb", "cold"};
    Kit k;
    kit_make(&k, 2);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_date(&k, KIT_DAY, 1));
    kit_stop(&k);
    for (size_t i = 0; i < COUNT_OF(stores); i++) {
        unmount(&k, stores[i]);
        assert_int_equal(kit_start(&k), E_NOT_FOUND);
        if (strstr(fail_text(), "is not mounted") == NULL ||
            strstr(fail_text(), kit_path(&k, "%s", stores[i])) == NULL)
            fail_msg("%s: %s", stores[i], fail_text());
        assert_false(kit_there(kit_path(&k, "%s/siltstone.json", stores[i])));
        kit_stop(&k);
        mount_again(&k, stores[i]);
    }
    KIT_OK(kit_start(&k));
    kit_judge(&k);
    kit_end(&k);
}

static void a_new_tier_is_marked(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    kit_stop(&k);
    k.tier_count = 2;
    KIT_OK(kit_start(&k));
    assert_true(kit_there(kit_path(&k, "cold/siltstone.json")));
    /* A tier without parts may lose its store: it is new again. */
    kit_stop(&k);
    KIT_OK(dir_remove_all(k.cold));
    KIT_OK(kit_start(&k));
    kit_end(&k);
}

static void a_foreign_store_is_refused(void **state)
{
    (void)state;
    Kit k, other;
    kit_make(&k, 2);
    kit_make(&other, 2);
    KIT_OK(kit_start(&k));
    KIT_OK(kit_start(&other));
    char *k_id = arena_text(&k.memory, k.root.id, 32);
    kit_stop(&other);
    kit_stop(&k);
    char *mine = kit_path(&k, "cold/siltstone.json"), *aside = kit_path(&k, "marker");
    assert_int_equal(rename(mine, aside), 0);
    static const char *const wrong[] = {
        "{\"assembly\":\"x\",\"tier\":\"cold\",\"id\":\"00000000000000000000000000000000\"}",
        "{\"assembly\":\"demo\",\"tier\":\"hot\",\"id\":\"00000000000000000000000000000000\"}",
        "{\"assembly\":\"demo\",\"tier\":\"cold\"}",
        "{\"assembly\":\"demo\",\"tier\":\"cold\",\"id\":\"00\"}",
        "{\"assembly\":1,\"tier\":\"cold\",\"id\":\"00\"}",
        "[]",
        "{",
        "\x01"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        kit_write(mine, wrong[i], strlen(wrong[i]));
        assert_int_equal(kit_start(&k), E_CORRUPT);
        kit_stop(&k);
    }
    for (size_t i = 0; i < 2; i++) { /* the right id in the wrong place */
        char *text = arena_text(&k.memory, wrong[i], strlen(wrong[i]));
        memcpy(strstr(text, "00000000"), k_id, 32);
        kit_write(mine, text, strlen(text));
        assert_int_equal(kit_start(&k), E_CORRUPT);
        kit_stop(&k);
    }
    /* A store of another database of the same assembly: only the id tells. */
    assert_int_equal(unlink(mine), 0);
    assert_int_equal(rename(kit_path(&other, "cold/siltstone.json"), mine), 0);
    assert_int_equal(kit_start(&k), E_CORRUPT);
    assert_non_null(strstr(fail_text(), "another database"));
    kit_stop(&k);
    kit_write(mine, "", 0); /* empty equals missing */
    KIT_OK(kit_start(&k));
    kit_end(&k);
    kit_end(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_have_one_form),
        cmocka_unit_test(only_part_folders_are_owned),
        cmocka_unit_test(stored_paths_lead_back),
        cmocka_unit_test(numbers_are_read_strictly),
        cmocka_unit_test(one_manager_at_a_time),
        cmocka_unit_test(a_claim_makes_what_is_missing),
        cmocka_unit_test(a_store_that_is_not_mounted_is_named),
        cmocka_unit_test(a_new_tier_is_marked),
        cmocka_unit_test(a_foreign_store_is_refused),
    };
    return cmocka_run_group_tests_name("root", tests, NULL, NULL);
}
