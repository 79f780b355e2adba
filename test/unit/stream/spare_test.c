/*
 * spare: files are made ahead, taken back, never while somebody maps them; nothing unfinished
 * counts.
 */
#include "unit/stream/kit.h"

#include "stream/spare.h"

#include <errno.h>

#define SMALL KIT_MIB
#define LARGE (5 * KIT_MIB) /* made by the thread */

static void take(Spare *s, u64 size, const char *as)
{
    File f;
    char *name;
    u64 there;
    assert_ok(spare_take(s, size, &f, &name));
    assert_ok(file_size(&f, &there));
    assert_int_equal(there, size);
    assert_ok(dir_rename(name, as));
    file_drop(&f);
}

static void files_are_made_taken_and_given_back(void **state)
{
    (void)state;
    static const u64 sizes[] = {SMALL, LARGE};
    for (u64 i = 0; i < COUNT_OF(sizes); i++) {
        char *dir = kit_folder();
        Spare s;
        bool renamed;
        assert_ok(spare_open(&s, dir, sizes[i]));
        spare_ahead(&s);
        spare_ahead(&s);
        for (int k = 0; k < 3; k++)
            take(&s, sizes[i], kit_path(dir, (const char *[]){"a", "b", "c"}[k]));
        take(&s, 3 * KIT_MIB, kit_path(dir, "large"));
        assert_ok(spare_give(&s, kit_path(dir, "large"), 3 * KIT_MIB, &renamed));
        assert_false(renamed); /* another size: removed */
        assert_int_equal(access(kit_path(dir, "large"), F_OK), -1);
        u32 before = s.count;
        assert_ok(spare_give(&s, kit_path(dir, "a"), sizes[i], &renamed));
        assert_true(renamed);
        assert_int_equal(s.count, before + 1);
        take(&s, sizes[i], kit_path(dir, "d"));
        spare_close(&s);
        spare_close(&s);
        assert_int_equal(kit_count(dir, ".new"), 0);
        u64 left = kit_count(dir, ".spare");
        assert_ok(spare_open(&s, dir, sizes[i]));
        assert_int_equal(s.count, left);
        spare_close(&s);
        assert_ok(spare_open(&s, dir, sizes[i] + 4096)); /* the size was changed */
        assert_int_equal(s.count, 0);
        assert_int_equal(kit_count(dir, ".spare"), 0);
        spare_close(&s);
        kit_remove(dir);
    }
}

static void what_a_reader_holds_is_removed(void **state)
{
    (void)state;
    char *dir = kit_folder();
    Spare s;
    File reader;
    bool renamed;
    assert_ok(spare_open(&s, dir, SMALL));
    take(&s, SMALL, kit_path(dir, "a"));
    assert_ok(file_open(&reader, kit_path(dir, "a"), FILE_READ));
    assert_ok(file_lock(&reader, false));
    assert_ok(spare_give(&s, kit_path(dir, "a"), SMALL, &renamed));
    assert_false(renamed);
    assert_int_equal(access(kit_path(dir, "a"), F_OK), -1);
    file_drop(&reader);
    /* Nor is it adopted at start. */
    take(&s, SMALL, kit_path(dir, "9.spare"));
    spare_close(&s);
    assert_ok(file_open(&reader, kit_path(dir, "9.spare"), FILE_READ));
    assert_ok(file_lock(&reader, false));
    assert_ok(spare_open(&s, dir, SMALL));
    assert_int_equal(s.count, 0);
    spare_close(&s);
    file_drop(&reader);
    kit_remove(dir);
}

static void a_full_device_is_told_and_left_as_it_was(void **state)
{
    (void)state;
    static const u64 sizes[] = {SMALL, LARGE};
    for (u64 i = 0; i < COUNT_OF(sizes); i++) {
        char *dir = kit_folder();
        Spare s;
        File f;
        char *name;
        assert_ok(spare_open(&s, dir, sizes[i]));
        for (u64 at = 1; at <= 3; at++) {
            fault_arm(FAULT_ERROR, at, false, ENOSPC);
            assert_err(E_FULL, spare_take(&s, sizes[i], &f, &name));
            fault_arm(FAULT_NONE, 0, false, 0);
            assert_int_equal(kit_count(dir, ".new"), 0);
            assert_int_equal(kit_count(dir, ".spare"), 0);
        }
        take(&s, sizes[i], kit_path(dir, "a"));
        /* The thread's failure is nobody's: the file is made when it is needed. */
        spare_close(&s);
        assert_ok(spare_open(&s, dir, sizes[i]));
        fault_arm(FAULT_ERROR, 1, true, ENOSPC);
        spare_ahead(&s);
        spare_close(&s); /* waits for it */
        fault_arm(FAULT_NONE, 0, false, 0);
        assert_ok(spare_open(&s, dir, sizes[i]));
        while (s.count)
            take(&s, sizes[i], kit_path(dir, "b"));
        take(&s, sizes[i], kit_path(dir, "b"));
        spare_close(&s);
        kit_remove(dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_made_taken_and_given_back),
        cmocka_unit_test(what_a_reader_holds_is_removed),
        cmocka_unit_test(a_full_device_is_told_and_left_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
