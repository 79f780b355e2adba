/* part: labels keep the order of their numbers and never look like a year, month or date. */
#include "table/part.h"
#include "unit/column/kit.h"

static void labels_skip_the_lengths_of_dates(void **state)
{
    (void)state;

    static const struct {
        i32 n;
        const char *label;
    } cases[] = {
        {0, "0"},
        {9, "9"},
        {10, "10"},
        {999, "999"},
        {1000, "10000"},
        {1001, "10001"},
        {90999, "99999"},
        {91000, "100000"},
        {990999, "999999"},
        {991000, "10000000"},
        {90990999, "99999999"},
        {90991000, "100000000"},
        {990990999, "999999999"},
        {990991000, "10000000000"},
        {INT32_MAX, "11156492647"},
    };

    for (u32 i = 0; i < COUNT_OF(cases); i++) {
        char out[24];
        i32 n = -1;
        assert_int_equal(part_label(cases[i].n, out), strlen(cases[i].label));
        assert_string_equal(out, cases[i].label);
        assert_true(part_label_parse(str_of(out), &n));
        assert_int_equal(n, cases[i].n);
    }
}

static void every_label_reads_back(void **state)
{
    (void)state;
    u64 before_size = 0;
    for (i64 n = 0; n <= INT32_MAX; n += n < 200000 ? 1 : 104729) {
        char out[24];
        i32 back;
        u32 size = part_label((i32)n, out);
        assert_true(size != 4 && size != 7 && size != 10 && size >= before_size);
        before_size = size;
        assert_true(part_label_parse((Str){out, size}, &back));
        assert_int_equal(back, n);
    }
}

static void other_names_are_no_labels(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",           "-1", "+1", "00", "01",          "1000",        "1234567",      "1234567890",
        "2024.11.02", "1a", " 1", "1 ", "11156492648", "99999999999", "123456789012", "sym"};
    for (u32 i = 0; i < COUNT_OF(names); i++) {
        i32 n;
        assert_false(part_label_parse(str_of(names[i]), &n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_skip_the_lengths_of_dates),
        cmocka_unit_test(every_label_reads_back),
        cmocka_unit_test(other_names_are_no_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
