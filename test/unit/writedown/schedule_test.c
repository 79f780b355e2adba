/* Tests of writedown/schedule: when intervals end and which one ends the day. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail

#include "q/temporal.h"
#include "writedown/schedule.h"

#define MINUTE 60000000000ll
#define DAY    TEMPORAL_DAY_NS

static const ScheduleSettings TEN = {10 * MINUTE, 0, 0};

static void intervals_are_aligned_to_midnight_plus_offset(void **state)
{
    (void)state;
    ScheduleSettings s = {10 * MINUTE, 3 * MINUTE, 0};
    assert_int_equal(schedule_align(&s, 100 * DAY + 14 * MINUTE), 100 * DAY + 13 * MINUTE);
    assert_int_equal(schedule_align(&s, 100 * DAY + 13 * MINUTE), 100 * DAY + 13 * MINUTE);
    assert_int_equal(schedule_align(&s, 100 * DAY + 2 * MINUTE), 100 * DAY - 7 * MINUTE);
    assert_int_equal(schedule_align(&s, -1), -7 * MINUTE); /* before 2000 */
}

static void the_next_boundary_ends_the_interval(void **state)
{
    (void)state;
    ScheduleState st = {100 * DAY + 20 * MINUTE, 100 * DAY};
    ScheduleNext n = schedule_next(&TEN, &st, 100 * DAY + 25 * MINUTE);
    assert_int_equal(n.due, 100 * DAY + 30 * MINUTE);
    assert_false(n.ends_day);
}

static void an_early_interval_is_followed_by_the_regular_boundary(void **state)
{
    (void)state;
    ScheduleState st = {100 * DAY + 24 * MINUTE, 100 * DAY}; /* ended by hand at :24 */
    assert_int_equal(schedule_next(&TEN, &st, st.start).due, 100 * DAY + 30 * MINUTE);
}

static void a_long_stop_is_one_interval(void **state)
{
    (void)state;
    ScheduleState st = {100 * DAY + 20 * MINUTE, 100 * DAY};
    assert_int_equal(schedule_next(&TEN, &st, 100 * DAY + 95 * MINUTE).due,
                     100 * DAY + 90 * MINUTE);
}

static void a_clock_that_goes_back_signals_nothing(void **state)
{
    (void)state;
    ScheduleState st = {100 * DAY + 20 * MINUTE, 100 * DAY};
    ScheduleNext n = schedule_next(&TEN, &st, 42 * DAY);
    assert_int_equal(n.due, 100 * DAY + 30 * MINUTE);
    assert_false(n.ends_day);
}

static void the_interval_that_ends_at_midnight_ends_the_day(void **state)
{
    (void)state;
    ScheduleState st = {100 * DAY + 1430 * MINUTE, 100 * DAY};
    ScheduleNext n = schedule_next(&TEN, &st, st.start);
    assert_int_equal(n.due, 101 * DAY);
    assert_true(n.ends_day);
    assert_int_equal(n.day_end, 101 * DAY);
    st = (ScheduleState){n.due, n.day_end};
    assert_false(schedule_next(&TEN, &st, st.start).ends_day);
}

static void the_snap_gives_stragglers_time(void **state)
{
    (void)state;
    ScheduleSettings s = {10 * MINUTE, 0, 35 * MINUTE};
    ScheduleState st = {101 * DAY, 100 * DAY};
    assert_false(schedule_next(&s, &st, st.start).ends_day); /* 00:10 */
    st.start = 101 * DAY + 20 * MINUTE;
    assert_false(schedule_next(&s, &st, st.start).ends_day); /* 00:30 */
    st.start = 101 * DAY + 30 * MINUTE;
    ScheduleNext n = schedule_next(&s, &st, st.start); /* 00:40, the first at or after 00:35 */
    assert_true(n.ends_day);
    assert_int_equal(n.day_end, 101 * DAY);
}

static void several_missed_days_are_closed_at_once(void **state)
{
    (void)state;
    ScheduleState st = {100 * DAY + 20 * MINUTE, 100 * DAY};
    ScheduleNext n = schedule_next(&TEN, &st, 103 * DAY + 5 * MINUTE);
    assert_true(n.ends_day);
    assert_int_equal(n.day_end, 103 * DAY);
    assert_int_equal(n.due, 103 * DAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_are_aligned_to_midnight_plus_offset),
        cmocka_unit_test(the_next_boundary_ends_the_interval),
        cmocka_unit_test(an_early_interval_is_followed_by_the_regular_boundary),
        cmocka_unit_test(a_long_stop_is_one_interval),
        cmocka_unit_test(a_clock_that_goes_back_signals_nothing),
        cmocka_unit_test(the_interval_that_ends_at_midnight_ends_the_day),
        cmocka_unit_test(the_snap_gives_stragglers_time),
        cmocka_unit_test(several_missed_days_are_closed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
