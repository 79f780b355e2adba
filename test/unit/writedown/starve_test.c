/* writedown: no memory at any point of a job: it fails with a text, leaves nothing behind, and the
 * next try succeeds with all rows. */
#include "support/starve.h"

#include "kit.h"

#define ROWS 400

static Kit k;
static Buf message;

/* Rows of three days, as they were published. */
static void make_message(void)
{
    Batch b;
    batch_init(&b, &k.trade);
    for (u32 i = 0; i < ROWS; i++) {
        KitRow r = kit_row(&k, KIT_DAY - (i % 10 == 0 ? (i32)(i / 200) + 1 : 0));
        i32 id;
        KIT_OK(symbol_intern(str_of(r.sym), &id));
        KIT_OK(vec_append(&b.cols[KIT_TIME], &r.time, 1));
        KIT_OK(vec_append(&b.cols[KIT_SYM], &id, 1));
        KIT_OK(vec_append(&b.cols[KIT_PRICE], &r.price, 1));
        KIT_OK(vec_append(&b.cols[KIT_SIZE], &r.number, 1));
        KIT_OK(vec_append_row(&b.cols[KIT_NOTE], r.note, strlen(r.note)));
        b.rows++;
    }
    KIT_OK(batch_encode(&message, &b, 0, b.rows));
    batch_free(&b);
}

static void begin(u64 block_size)
{
    static const i32 both[] = {KIT_SYM, KIT_TIME};
    kit_begin(&k, both, both, block_size, 0);
    make_message();
}

static void end(void)
{
    buf_free(&message);
    kit_end(&k);
}

static Err take(void)
{
    WalRecord r = {.kind = WAL_DATA,
                   .rows = ROWS,
                   .position = 100,
                   .end = 200,
                   .table = STR("trade"),
                   .body = message.data,
                   .size = message.size};
    return interval_take(k.interval, &r);
}

static Err stage(void)
{
    Arena a = {0};
    JobResult r;
    JobSignal s = {.seq = 1, .day = KIT_DAY};
    Err err = interval_stage(k.interval, &s, 300, &a, &r);
    ASSERT(err != E_OK || r.rows == ROWS);
    arena_free(&a);
    return err;
}

/* Takes rows and stages the interval. What failed is done again, as the worker does it: a record
 * that was not taken after a restart, a stage on the spot. */
static Err interval_job(void *arg)
{
    (void)arg;
    Err err = take();
    if (err != E_OK) {
        interval_free(k.interval);
        k.interval = NULL;
        return err;
    }
    err = stage();
    starve_stop();
    if (err != E_OK) ASSERT(stage() == E_OK);
    Err done = interval_done(k.interval);
    ASSERT(done == E_OK && interval_rows(k.interval) == 0);
    return err;
}

static void intervals_fail_and_succeed(void **state)
{
    (void)state;
    begin(0);
    assert_true(starve_each("interval", interval_job, NULL, 3).refused > 20);
    end();
}

static void spilled_intervals_fail_and_succeed(void **state)
{
    (void)state;
    begin(100);
    assert_true(starve_each("interval with spills", interval_job, NULL, 7).refused > 20);
    end();
}

static Err day_job(void *arg)
{
    (void)arg;
    Arena a = {0};
    DayPlan plan;
    JobResult r;
    DayOptions o = {
        .root = &k.root, .tables = &k.set, .domain = &k.domain, .chunk_rows = 77, .threads = 2};
    Err err = day_plan(k.publish.current, k.eoi, 1, publish_next(&k.publish), &a, &plan);
    if (err == E_OK) err = day_stage(&plan, &o, &a, &r);
    arena_free(&a);
    starve_stop();
    if (err == E_OK) return E_OK;
    ASSERT(day_plan(k.publish.current, k.eoi, 1, publish_next(&k.publish), &a, &plan) == E_OK);
    ASSERT(day_stage(&plan, &o, &a, &r) == E_OK && r.rows == k.row_count);
    arena_free(&a);
    return err;
}

static void days_fail_and_succeed(void **state)
{
    (void)state;
    begin(0);
    kit_take(&k, 300, 20, 2);
    kit_eoi(&k);
    kit_take(&k, 200, 20, 2);
    kit_eoi(&k);
    assert_true(starve_each("day", day_job, NULL, 7).refused > 20);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_fail_and_succeed),
        cmocka_unit_test(spilled_intervals_fail_and_succeed),
        cmocka_unit_test(days_fail_and_succeed),
    };
    starve_in_memory();
    return cmocka_run_group_tests_name("writedown/starve", tests, NULL, NULL);
}
