/* Tests of writedown/interval: rows of a stretch of the stream become interval parts, each row
 * once, in order. */
#include "kit.h"

#include "os/fault.h"

static const i32 NONE[2] = {-1, -1}, SYM[2] = {KIT_SYM, -1}, SYM_TIME[2] = {KIT_SYM, KIT_TIME},
                 TIME[2] = {KIT_TIME, -1}, PRICE_SYM[2] = {KIT_PRICE, KIT_SYM};

/* Several intervals with late rows, some of them empty, under one configuration. */
static void run(const i32 ord[2], u64 block_size, u64 memory_max, u64 late_pct)
{
    Kit k;
    kit_begin(&k, ord, ord, block_size, memory_max);
    for (u32 interval = 0; interval < 3; interval++) {
        for (u32 i = 0; i < 7; i++)
            kit_take(&k, 1 + prng_below(&k.prng, 400), late_pct, 3);
        kit_eoi(&k);
        kit_eoi(&k); /* empty */
        kit_check(&k);
    }
    kit_end(&k);
}

static void rows_in_memory_are_sorted_and_written_once(void **state)
{
    (void)state;
    run(NONE, 0, 0, 0);
    run(SYM, 0, 0, 0);
    run(SYM_TIME, 0, 0, 0);
    run(TIME, 0, 0, 0);
    run(PRICE_SYM, 0, 0, 0);
}

static void late_rows_go_to_a_late_part(void **state)
{
    (void)state;
    run(NONE, 0, 0, 10);
    run(SYM_TIME, 0, 0, 10);
    run(SYM, 0, 0, 100); /* nothing of the interval's own day */
}

static void rows_beyond_the_block_size_spill_and_are_merged(void **state)
{
    (void)state;
    run(NONE, 100, 0, 10);
    run(SYM, 333, 0, 10);
    run(SYM_TIME, 100, 0, 0);
    run(PRICE_SYM, 200, 0, 30);
}

static void memory_stays_within_the_bound(void **state)
{
    (void)state;
    Kit k;
    kit_begin(&k, SYM_TIME, SYM_TIME, 0, 256 << 10);
    for (u32 i = 0; i < 60; i++) {
        kit_take(&k, 200, 5, 2);
        assert_true(interval_bytes(k.interval) <= (256u << 10));
    }
    assert_true(interval_spilled(k.interval) > 0);
    kit_eoi(&k);
    assert_int_equal(interval_spilled(k.interval), 0);
    kit_check(&k);
    kit_end(&k);
}

static void an_empty_interval_stages_nothing(void **state)
{
    (void)state;
    Kit k;
    Arena a = {0};
    JobResult r;
    JobSignal s = {.seq = 1, .day = KIT_DAY};
    kit_begin(&k, NONE, NONE, 0, 0);
    KIT_OK(interval_stage(k.interval, &s, 100, &a, &r));
    assert_int_equal(r.part_count, 0);
    assert_int_equal(r.watermark, 100);
    arena_free(&a);
    kit_end(&k);
}

static u64 files_in_spill(const Kit *k)
{
    Arena a = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    Err err = dir_list(dir_join(&a, k->root.idb, "spill", NULL), 1000, &a, &e, &count);
    arena_free(&a);
    return err == E_OK ? count : 0;
}

/* The at-th change of the disk fails, and with `lasting` all later ones; false when there are not
 * so many. The error is told, the rows stay, the next try succeeds and leaves nothing. */
static bool stage_fails(u64 at, bool lasting, u64 block_size)
{
    Kit k;
    Arena a = {0};
    JobResult r;
    JobSignal s = {.seq = 1, .day = KIT_DAY};
    kit_begin(&k, SYM_TIME, SYM_TIME, block_size, 0);
    kit_take(&k, 300, 10, 2);
    kit_take(&k, 200, 10, 2);
    u64 runs = files_in_spill(&k);
    assert_int_equal(runs, block_size > 0);
    fault_arm(FAULT_ERROR, at, lasting, 28 /* ENOSPC */);
    Err err = interval_stage(k.interval, &s, 200, &a, &r);
    u64 count = fault_count();
    fault_arm(FAULT_NONE, 0, false, 0);
    bool met = count >= at;
    if (err != E_OK) assert_int_equal(err, E_FULL);
    if (lasting && met) assert_int_equal(err, E_FULL);
    /* A run that was not finished is gone, unless its removal was the change that failed. */
    if (err != E_OK && !lasting && interval_spilled(k.interval) == 300)
        assert_int_equal(files_in_spill(&k), runs);
    arena_free(&a);
    if (met) {
        k.position = 200;
        kit_eoi(&k);
        kit_check(&k);
        assert_int_equal(files_in_spill(&k), 0);
    }
    kit_end(&k);
    return met;
}

static void a_stage_that_fails_can_be_repeated(void **state)
{
    (void)state;
    static const u64 blocks[] = {0, 300};
    for (u32 i = 0; i < 4; i++) {
        u64 points = 0;
        while (stage_fails(points + 1, i % 2 == 1, blocks[i / 2]))
            points++;
        print_message("%u points, 0 failures\n", (unsigned)points);
        assert_true(points > 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_in_memory_are_sorted_and_written_once),
        cmocka_unit_test(late_rows_go_to_a_late_part),
        cmocka_unit_test(rows_beyond_the_block_size_spill_and_are_merged),
        cmocka_unit_test(memory_stays_within_the_bound),
        cmocka_unit_test(an_empty_interval_stages_nothing),
        cmocka_unit_test(a_stage_that_fails_can_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
