/* Tests of writedown/day and merge: interval parts become date parts, each row once, joined with
 * what is there. */
#include "kit.h"

#include "column/image.h"
#include "os/fault.h"

static const i32 NONE[2] = {-1, -1}, SYM[2] = {KIT_SYM, -1}, SYM_TIME[2] = {KIT_SYM, KIT_TIME},
                 TIME[2] = {KIT_TIME, -1}, PRICE_SYM[2] = {KIT_PRICE, KIT_SYM};

/* Three days' jobs over several intervals, with late rows that join parts written before. */
static void run_jobs(Kit *k, u64 memory_max, u64 late_pct)
{
    for (u32 day = 0; day < 3; day++) {
        for (u32 interval = 0; interval < 4; interval++) {
            for (u32 i = 0; i < 3; i++)
                kit_take(k, 1 + prng_below(&k->prng, 300), late_pct, 3);
            kit_eoi(k);
        }
        kit_eod(k, memory_max, day == 1);
        assert_int_equal(view_part_count(k->publish.current, PART_INTERVAL), 0);
        kit_check(k);
    }
    kit_eod(k, memory_max, false); /* nothing to do */
    kit_check(k);
}

static void run(const i32 ord[2], const i32 disk[2], u64 memory_max, u64 late_pct, bool ties_lost)
{
    Kit k;
    kit_begin(&k, ord, disk, 300, 0);
    k.ties_lost = ties_lost;
    run_jobs(&k, memory_max, late_pct);
    kit_end(&k);
}

static void sorted_runs_are_merged(void **state)
{
    (void)state;
    run(SYM_TIME, SYM_TIME, 1 << 20, 10, false);
    run(SYM, SYM, 1 << 20, 10, false);
    run(TIME, TIME, 1 << 20, 10, false);
    run(PRICE_SYM, PRICE_SYM, 1 << 20, 10, false);
    run(NONE, NONE, 1 << 20, 10, false);
}

static void a_longer_order_on_intervals_serves_a_shorter_one_on_dates(void **state)
{
    (void)state;
    Kit k; /* rows equal by the shorter order keep the interval's order: not the position's, so only
              presence is checked */
    kit_begin(&k, SYM_TIME, SYM, 0, 0);
    kit_take(&k, 500, 0, 1);
    kit_eoi(&k);
    kit_eod(&k, 1 << 20, false);
    assert_int_equal(view_part_count(k.publish.current, PART_DATE), 1);
    kit_end(&k);
}

static void runs_of_another_order_are_sorted_first(void **state)
{
    (void)state;
    run(SYM, SYM_TIME, 1 << 20, 10, false);
    run(NONE, SYM_TIME, 1 << 20, 10, false);
    run(TIME, PRICE_SYM, 1 << 20, 10, true);
    run(SYM_TIME, TIME, 1 << 20, 0, true);
}

/* Every column of every date part is compressed as the tier says; `.d` is not. */
static void check_zipped(Kit *k, u64 *blocks)
{
    static const char *const files[] = {"time", "sym", "price", "size", "note", "note#"};
    u64 at = 0;
    for (const Part *p; (p = view_next(k->publish.current, PART_DATE, &at)) != NULL;) {
        for (u32 i = 0; i <= COUNT_OF(files); i++) {
            Image m;
            char path[600];
            snprintf(path, sizeof path, "%s/trade/%s", p->path,
                     i < COUNT_OF(files) ? files[i] : ".d");
            KIT_OK(image_open(&m, path, IMAGE_ON_NEED));
            assert_int_equal(m.zipped, i < COUNT_OF(files));
            assert_int_equal(m.codec, i < COUNT_OF(files) ? (u8)k->tier.codec : 0);
            *blocks += m.zipped ? m.plain.size >> 12 : 0;
            image_close(&m);
        }
    }
}

static void compressed_tiers_are_merged_on_need(void **state)
{
    (void)state;

    static const struct {
        TierCodec codec;
        i32 level;
        const i32 *ord, *disk;
    } cases[] = {
        {TIER_GZIP, 6, SYM_TIME, SYM_TIME}, {TIER_ZSTD, 3, SYM, SYM},
        {TIER_SNAPPY, 0, TIME, TIME},       {TIER_LZ4HC, 9, PRICE_SYM, PRICE_SYM},
        {TIER_QIPC, 0, NONE, NONE},         {TIER_GZIP, 0, NONE, SYM_TIME},
    };

    u64 blocks = 0, before = image_inflated(), on_need, whole;
    image_cache_bound(64 << 10); /* a few blocks */
    for (u32 i = 0; i < COUNT_OF(cases); i++) {
        Kit k;
        kit_begin(&k, cases[i].ord, cases[i].disk, 300, 0);
        k.tier.codec = cases[i].codec;
        k.tier.level = cases[i].level;
        k.tier.block_log2 = 12;
        run_jobs(&k, 1 << 20, 20);
        check_zipped(&k, &blocks);
        kit_end(&k);
    }
    image_memory(&on_need, &whole);
    assert_int_equal(on_need + whole, 0);
    assert_true(blocks > 200 && image_inflated() > before + 100);
    image_cache_bound(0);
}

/* What the configuration says now is how the next version of a part is written. */
static void tiers_may_change_their_compression(void **state)
{
    (void)state;
    Kit k;
    u64 blocks = 0;
    kit_begin(&k, SYM_TIME, SYM_TIME, 0, 0);
    for (TierCodec codec = TIER_RAW; codec <= TIER_ZSTD; codec++) {
        k.tier.codec = codec;
        k.tier.block_log2 = 12 + (i32)codec;
        k.tier.level = codec == TIER_ZSTD ? -7 : codec == TIER_LZ4HC ? 1 : 0;
        kit_take(&k, 800, 0, 1);
        kit_eoi(&k);
        kit_eod(&k, 1 << 20, false);
        kit_check(&k);
        if (codec != TIER_RAW) check_zipped(&k, &blocks);
    }
    assert_int_equal(view_part_count(k.publish.current, PART_DATE), 1);
    kit_end(&k);
}

static void every_failing_step_leaves_the_view_and_can_be_repeated(void **state)
{
    (void)state;
    u64 points = 0;
    for (u64 at = 1;; at++) {
        Kit k;
        Arena a = {0};
        DayPlan plan;
        JobResult r;
        kit_begin(&k, SYM, SYM_TIME, 0, 0);
        k.tier.codec = TIER_GZIP;
        k.tier.block_log2 = 12;
        kit_take(&k, 300, 20, 2);
        kit_eoi(&k);
        KIT_OK(day_plan(k.publish.current, k.eoi, 1, publish_next(&k.publish), &a, &plan));
        DayOptions o = {.root = &k.root,
                        .tables = &k.set,
                        .domain = &k.domain,
                        .memory_max = 1 << 20,
                        .threads = 1};
        fault_arm(FAULT_ERROR, at, true, 5 /* EIO */);
        Err err = day_stage(&plan, &o, &a, &r);
        u64 count = fault_count();
        fault_arm(FAULT_NONE, 0, false, 0);
        if (err == E_OK && count < at) {
            arena_free(&a);
            kit_end(&k);
            break;
        }
        points++;
        assert_int_not_equal(err, E_OK);
        kit_check(&k);
        kit_eod(&k, 1 << 20, false);
        kit_check(&k);
        arena_free(&a);
        kit_end(&k);
    }
    print_message("%u points, 0 failures\n", (unsigned)points);
    assert_true(points > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorted_runs_are_merged),
        cmocka_unit_test(a_longer_order_on_intervals_serves_a_shorter_one_on_dates),
        cmocka_unit_test(runs_of_another_order_are_sorted_first),
        cmocka_unit_test(compressed_tiers_are_merged_on_need),
        cmocka_unit_test(tiers_may_change_their_compression),
        cmocka_unit_test(every_failing_step_leaves_the_view_and_can_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
