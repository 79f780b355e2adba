/*
 * folder: which shape a store has, names of segment folders, and leavings that are replaced. What
 * the folders hold is judged in publish_test.c.
 */
#include "db/folder.h"
#include "unit/db/kit.h"

#include "base/bounds.h"

static void shape_is_decided_by_count_and_tiers(void **state)
{
    (void)state;
    Part part[3] = {{.kind = PART_DATE, .tier = 1},
                    {.kind = PART_DATE, .tier = 1},
                    {.kind = PART_DATE, .tier = 0}};
    const Part *few[3] = {&part[0], &part[1], &part[2]};
    static const Part *many[BOUND_VIEW_DIR_MAX + 1];
    assert_false(folder_is_wide(few, 0));
    assert_false(folder_is_wide(few, 2));
    assert_true(folder_is_wide(few, 3));
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = &part[0];
    assert_false(folder_is_wide(many, BOUND_VIEW_DIR_MAX));
    assert_true(folder_is_wide(many, BOUND_VIEW_DIR_MAX + 1));
}

static void segment_folders_carry_segment_and_tier(void **state)
{
    (void)state;
    Str segment;
    u64 n = 0;
    assert_true(folder_segment_parse(STR("d.2024.17"), &segment, &n) && n == 17 &&
                str_is(segment, "d.2024.17"));
    assert_true(folder_segment_parse(STR("d.2024.17.0"), &segment, &n) && n == 17 &&
                str_is(segment, "d.2024.17"));
    assert_true(folder_segment_parse(STR("i.3.9"), &segment, &n) && n == 9);
    static const char *const wrong[] = {
        "", "d.2024", "d.2024.17.", "d.2024.17.x", "d.2024.17.1.1", "d.2024.0.1", "x.1.1"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_false(folder_segment_parse(str_of(wrong[i]), &segment, &n));
}

static void leavings_of_a_failed_try_are_replaced(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    KIT_OK(kit_start(&k));
    kit_mkdirs(kit_path(&k, "idb/idb.2/7/deep"));
    kit_write(kit_path(&k, "idb/idb.2/par.txt"), "../seg/none\n", 12);
    kit_mkdirs(kit_path(&k, "hdb/hdb.2/README"));
    kit_write(kit_path(&k, "idb/manifest/view.2"), "x", 1);
    kit_write(kit_path(&k, "idb/manifest/d.2024.2"), "x", 1);
    kit_write(kit_path(&k, "idb/manifest/i.0.2"), "x", 1);
    KIT_OK(kit_interval(&k));
    kit_mkdirs(kit_path(&k, "hdb/hdb.3/README"));
    kit_write(kit_path(&k, "idb/manifest/d.2024.3"), "x", 1);
    KIT_OK(kit_date(&k, KIT_DAY, 0));
    assert_int_equal(kit_load(kit_path(&k, "idb/current")), 1);
    assert_int_equal(kit_load(kit_path(&k, "hdb/current")), 1);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape_is_decided_by_count_and_tiers),
        cmocka_unit_test(segment_folders_carry_segment_and_tier),
        cmocka_unit_test(leavings_of_a_failed_try_are_replaced),
    };
    return cmocka_run_group_tests_name("folder", tests, NULL, NULL);
}
