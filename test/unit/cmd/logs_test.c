/*
 * logs: stepping over log files: their ends, damage, files in line.
 */
#include "tool_kit.h"

#include "cmd/logs.h"

static char dir[256];

/* Writes records until there are some files. */
static u64 fill(u64 records, u64 size)
{
    Wal *w = NULL;
    u64 lost = 0, end = 0;
    WalOptions o = {.file_size = 1 << 20};
    u8 *body = calloc(1, size);
    assert_non_null(body);
    TOOL_OK(wal_open(&w, dir, &o, 0, &lost));
    for (u64 i = 0; i < records; i++) {
        WalRecord r = {.kind = WAL_DATA,
                       .rows = 1,
                       .table = STR("t"),
                       .body = body,
                       .size = size,
                       .sequence = i};
        TOOL_OK(wal_append(w, &r));
        end = r.end;
    }
    TOOL_OK(wal_close(w));
    free(body);
    return end;
}

static int setup(void **state)
{
    (void)state;
    tool_folder(dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return dir_remove_all(dir) == E_OK ? 0 : 1;
}

static void steps_over_all_files(void **state)
{
    (void)state;
    Arena a = {0};
    LogsName *names = NULL;
    u64 count = 0, records = 0, position = 0;
    WalShared shared;
    bool there = false;
    u64 end = fill(100, 60000);
    TOOL_OK(logs_list(dir, &a, &names, &count));
    assert_true(count > 3);
    for (u64 i = 0; i < count; i++) {
        LogsFile f;
        WalRecord r;
        bool got = false;
        TOOL_OK(logs_open(&f, names[i].path));
        assert_int_equal(f.first, names[i].first);
        assert_int_equal(f.first, position);
        for (logs_next(&f, &r, &got); got; logs_next(&f, &r, &got))
            assert_int_equal(r.sequence, records++);
        assert_false(f.damaged);
        position = f.closed ? f.next : f.position;
        if (i + 1 == count) assert_int_equal(f.position, end);
        logs_next(&f, &r, &got); /* once more gives nothing */
        assert_false(got);
        logs_close(&f);
        logs_close(&f);
    }
    assert_int_equal(records, 100);
    TOOL_OK(logs_shared(dir, &shared, &there));
    assert_true(there);
    assert_int_equal(shared.synced, end);
    arena_free(&a);
}

static void tells_damage_from_unused_space(void **state)
{
    (void)state;
    Arena a = {0};
    LogsName *names = NULL;
    LogsFile f;
    WalRecord r;
    u64 count = 0;
    bool got = false;
    fill(3, 100);
    TOOL_OK(logs_list(dir, &a, &names, &count));
    TOOL_OK(logs_open(&f, names[count - 1].path));
    while (logs_next(&f, &r, &got), got) {}
    assert_false(f.damaged || f.closed);
    u64 at = f.position - f.first + WAL_FILE_HEADER;
    logs_close(&f);
    tool_poke(names[count - 1].path, (long)at - 8, "\x55", 1); /* in the last body */
    TOOL_OK(logs_open(&f, names[count - 1].path));
    u64 records = 0;
    while (logs_next(&f, &r, &got), got)
        records++;
    assert_int_equal(records, 2);
    assert_true(f.damaged);
    logs_close(&f);
    tool_poke(names[count - 1].path, 40, "\x55", 1); /* in the header */
    assert_int_equal(logs_open(&f, names[count - 1].path), E_CORRUPT);
    arena_free(&a);
}

static void folders_that_are_not_there(void **state)
{
    (void)state;
    Arena a = {0};
    LogsName *names = NULL;
    LogsFile f;
    WalShared shared;
    u64 count = 1;
    bool there = true;
    TOOL_OK(logs_list("/nosuch/folder", &a, &names, &count));
    assert_int_equal(count, 0);
    TOOL_OK(logs_shared("/nosuch/folder", &shared, &there));
    assert_false(there);
    assert_int_equal(logs_open(&f, "/nosuch/file"), E_NOT_FOUND);
    logs_close(&f);
    char *page = dir_join(&a, dir, "durable", NULL);
    tool_write(page, "short", 5);
    assert_int_equal(logs_shared(dir, &shared, &there), E_CORRUPT);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(steps_over_all_files, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_damage_from_unused_space, setup, teardown),
        cmocka_unit_test_setup_teardown(folders_that_are_not_there, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
