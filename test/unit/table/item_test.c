/* item: names are skipped exactly, whatever their lengths. */
#include "table/item.h"
#include "unit/column/kit.h"

static void names_are_skipped_exactly(void **state)
{
    (void)state;
    u8 text[700];
    u64 size = 0, ends[64], count = 0;
    for (u64 n = 0; size + n + 1 < sizeof text && count < COUNT_OF(ends); n = (n * 5 + 1) % 23) {
        memset(text + size, 'a', n);
        size += n;
        text[size++] = 0;
        ends[count++] = size;
    }
    for (u64 i = 0; i <= count; i++) {
        const u8 *end = item_skip_names(text, text + size, i);
        assert_ptr_equal(end, i == 0 ? text : text + ends[i - 1]);
    }
    assert_null(item_skip_names(text, text + size, count + 1));
    assert_null(item_skip_names(text, text + size - 1, count));
    memset(text, 0, sizeof text);
    assert_ptr_equal(item_skip_names(text, text + 700, 699), text + 699);
    assert_ptr_equal(item_skip_names(text, text + 700, 64), text + 64);
    assert_ptr_equal(item_skip_names(text, text + 700, UINT32_MAX), NULL);
}

static void widths_are_those_of_the_type_table(void **state)
{
    (void)state;
    for (int type = 0; type < 20; type++)
        assert_int_equal(item_width(type), type_is_fixed(type) ? type_width(type) : 0);
}

static void descriptions(void **state)
{
    (void)state;
    char out[64];
    static const u8 list[] = {0, 0, 1, 0, 0, 0, 7};
    assert_string_equal(item_describe((const u8 *)"\x07", 1, out), "long vector");
    assert_string_equal(item_describe((const u8 *)"\xf5", 1, out), "symbol atom");
    assert_string_equal(item_describe(list, 7, out), "list of longs");
    assert_string_equal(item_describe(list, 6, out), "list");
    assert_string_equal(item_describe((const u8 *)"\x62", 1, out), "table (type 98)");
    assert_string_equal(item_describe(list, 0, out), "nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_skipped_exactly),
        cmocka_unit_test(widths_are_those_of_the_type_table),
        cmocka_unit_test(descriptions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
