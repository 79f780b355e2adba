/*
 * adopted: which folders an import has taken over, and which paths are parts of it.
 */
#include "db/adopted.h"
#include "unit/db/kit.h"

static void partition_names_give_days(void **state)
{
    (void)state;
    i32 first = 0, next = 0;
    assert_true(adopted_name(STR("2000.01.02"), &first, &next));
    assert_int_equal(first, 1);
    assert_int_equal(next, 2);
    assert_true(adopted_name(STR("2000.02"), &first, &next));
    assert_int_equal(first, 31);
    assert_int_equal(next, 60);
    assert_true(adopted_name(STR("2001"), &first, &next));
    assert_int_equal(first, 366);
    assert_int_equal(next, 366 + 365);
    static const char *const none[] = {"",        "12",      "2000.13", "2000.00", "2000.1",
                                       "2000-01", "0000",    "20000",   "200a",    "2000.02.30",
                                       "sym",     "2000.0a", "+200"};
    for (size_t i = 0; i < COUNT_OF(none); i++)
        assert_false(adopted_name(str_of(none[i]), &first, &next));
}

static void only_partitions_of_taken_folders_are_ours(void **state)
{
    (void)state;
    Kit k;
    Arena a = {0};
    Adopted list;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    KIT_OK(adopted_read(&k.root, &a, &list));
    assert_int_equal(list.count, 0);
    const char *folders[] = {"/vol/one", "/vol/two words"};
    KIT_OK(adopted_write(&k.root, folders, 0));
    KIT_OK(adopted_read(&k.root, &a, &list));
    assert_int_equal(list.count, 0);
    KIT_OK(adopted_write(&k.root, folders, 2));
    KIT_OK(adopted_read(&k.root, &a, &list));
    assert_int_equal(list.count, 2);
    assert_string_equal(list.folders[1], folders[1]);
    const char *hdb = k.root.hdb;
    assert_true(adopted_owns(&k.root, &list, "/vol/one/2024.01.01"));
    assert_true(adopted_owns(&k.root, &list, "/vol/two words/2024.01"));
    assert_true(adopted_owns(&k.root, &list, arena_format(&a, "%s/imported/2024.01.01", hdb)));
    assert_true(adopted_owns(&k.root, &list, arena_format(&a, "%s/imported/seg/2024.01.01", hdb)));
    const char *others[] = {"/vol/one",
                            "/vol/one/sym",
                            "/vol/one/a/2024.01.01",
                            "/vol/three/2024.01.01",
                            "/vol/one2/2024.01.01",
                            arena_format(&a, "%s/imported/sym", hdb),
                            arena_format(&a, "%s/2024.01.01", hdb)};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(adopted_owns(&k.root, &list, others[i]));
    arena_free(&a);
    kit_end(&k);
}

static void a_damaged_list_is_refused(void **state)
{
    (void)state;
    Kit k;
    Arena a = {0};
    Adopted list;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    const char *path = arena_format(&a, "%s/adopted", k.root.hdb);
    KIT_OK(file_replace(path, "path /vol\n", 10));
    assert_int_equal(adopted_read(&k.root, &a, &list), E_CORRUPT);
    KIT_OK(file_replace(path, "", 0));
    KIT_OK(adopted_read(&k.root, &a, &list));
    assert_int_equal(list.count, 0);
    arena_free(&a);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partition_names_give_days),
        cmocka_unit_test(only_partitions_of_taken_folders_are_ours),
        cmocka_unit_test(a_damaged_list_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
