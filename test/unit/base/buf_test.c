/*
 * buf: appending, the ceiling, dropping, and the zero that is not counted.
 */
#include "base/bounds.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_zeroed_buffer_is_empty(void **state)
{
    (void)state;
    Buf b = {0};
    assert_string_equal(buf_str(&b), "");
    assert_int_equal(buf_append(&b, NULL, 0), E_OK);
    assert_string_equal(buf_str(&b), "");
    buf_drop(&b, 0);
    buf_clear(&b);
    buf_free(&b);
    buf_free(&b);
    assert_null(b.data);
}

static void content_grows_in_order(void **state)
{
    (void)state;
    Buf b = {0};
    for (u32 i = 0; i < 10000; i++)
        assert_int_equal(buf_append(&b, &i, sizeof i), E_OK);
    assert_int_equal(b.size, 40000);
    for (u32 i = 0; i < 10000; i++)
        assert_int_equal(load_u32(b.data + 4 * i), i);
    assert_true(b.room < 80000);
    buf_free(&b);
}

static void text_bytes_and_formats_follow_each_other(void **state)
{
    (void)state;
    Buf b = {0};
    assert_int_equal(buf_text(&b, "ab"), E_OK);
    assert_int_equal(buf_byte(&b, 'c'), E_OK);
    assert_int_equal(buf_format(&b, "%d", 42), E_OK);
    assert_string_equal(buf_str(&b), "abc42");
    assert_int_equal(b.size, 5);
    assert_int_equal(buf_format(&b, "%300s", "x"), E_OK);
    assert_int_equal(b.size, 305);
    assert_int_equal(b.data[304], 'x');
    assert_int_equal(buf_format(&b, "%s", ""), E_OK);
    assert_int_equal(b.size, 305);
    buf_free(&b);
}

static void formats_of_every_length_fit(void **state)
{
    (void)state;
    for (int n = 0; n < 300; n++) {
        Buf b = {0};
        assert_int_equal(buf_format(&b, "%*s", n, ""), E_OK);
        assert_int_equal(b.size, n);
        assert_int_equal(strlen(buf_str(&b)), n);
        assert_int_equal(buf_format(&b, "%*s", n, ""), E_OK);
        assert_int_equal(strlen(buf_str(&b)), 2 * n);
        buf_free(&b);
    }
}

static void the_ceiling_leaves_content_as_it_was(void **state)
{
    (void)state;
    Buf b;
    u8 *place;
    buf_init(&b, 10);
    assert_int_equal(buf_text(&b, "0123456789"), E_OK);
    assert_int_equal(buf_byte(&b, 'x'), E_LIMIT);
    assert_int_equal(buf_text(&b, "xyz"), E_LIMIT);
    assert_int_equal(buf_format(&b, "%d", 1), E_LIMIT);
    assert_int_equal(buf_room(&b, 1, &place), E_LIMIT);
    assert_null(place);
    assert_int_equal(buf_append(&b, "", ~0ull), E_LIMIT);
    assert_string_equal(buf_str(&b), "0123456789");
    buf_free(&b);
    assert_int_equal(buf_text(&b, "01234567890"), E_LIMIT);
    assert_int_equal(buf_text(&b, "0123456789"), E_OK);
    buf_free(&b);
    Buf plain = {0};
    assert_int_equal(buf_room(&plain, BUF_SIZE_MAX + 1, &place), E_LIMIT);
    buf_free(&plain);
}

static void room_counts_only_what_was_added(void **state)
{
    (void)state;
    Buf b = {0};
    u8 *place;
    assert_int_equal(buf_room(&b, 1000, &place), E_OK);
    memset(place, 'x', 1000);
    assert_int_equal(b.size, 0);
    buf_added(&b, 3);
    assert_string_equal(buf_str(&b), "xxx");
    assert_int_equal(buf_room(&b, 0, &place), E_OK);
    assert_non_null(place);
    buf_free(&b);
}

static void dropping_moves_the_rest_down(void **state)
{
    (void)state;
    Buf b = {0};
    assert_int_equal(buf_text(&b, "abcdef"), E_OK);
    buf_drop(&b, 2);
    assert_string_equal(buf_str(&b), "cdef");
    buf_drop(&b, 4);
    assert_string_equal(buf_str(&b), "");
    assert_int_equal(buf_text(&b, "again"), E_OK);
    u64 room = b.room;
    buf_clear(&b);
    assert_int_equal(b.size, 0);
    assert_int_equal(b.room, room);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_buffer_is_empty),
        cmocka_unit_test(content_grows_in_order),
        cmocka_unit_test(text_bytes_and_formats_follow_each_other),
        cmocka_unit_test(formats_of_every_length_fit),
        cmocka_unit_test(the_ceiling_leaves_content_as_it_was),
        cmocka_unit_test(room_counts_only_what_was_added),
        cmocka_unit_test(dropping_moves_the_rest_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
