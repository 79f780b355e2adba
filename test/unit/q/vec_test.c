/*
 * vec: growth, nested rows, appends from other vectors, picked rows, borrowing.
 */
#include "base/bounds.h"
#include "q/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_zeroed_vector_is_empty_and_free_is_idempotent(void **state)
{
    (void)state;
    Vec v = {0};
    assert_int_equal(vec_bytes(&v), 0);
    vec_clear(&v);
    vec_free(&v);
    vec_free(&v);
    vec_init(&v, QT_LONG);
    assert_int_equal(v.count, 0);
    vec_free(&v);
    assert_int_equal(v.type, QT_LONG);
}

static void every_width_grows_and_keeps_its_elements(void **state)
{
    (void)state;
    static const int types[] = {QT_BOOLEAN, QT_SHORT, QT_DATE, QT_FLOAT, QT_GUID, QT_ENUM};
    for (u64 t = 0; t < COUNT_OF(types); t++) {
        Vec v;
        u32 width = type_width(types[t]);
        vec_init(&v, types[t]);
        for (u32 i = 0; i < 5000; i++) {
            u8 bytes[17];
            memset(bytes, (int)(i % 251), sizeof bytes);
            assert_int_equal(vec_append(&v, bytes + 1, 1), E_OK); /* unaligned */
        }
        assert_int_equal(v.count, 5000);
        assert_true(vec_bytes(&v) >= 5000ull * width && vec_bytes(&v) < 12000ull * width);
        for (u32 i = 0; i < 5000; i++)
            for (u32 k = 0; k < width; k++)
                assert_int_equal(vec_u8(&v)[i * width + k], i % 251);
        u64 held = vec_bytes(&v);
        vec_clear(&v);
        assert_int_equal(v.count, 0);
        assert_int_equal(vec_bytes(&v), held);
        vec_free(&v);
        assert_int_equal(vec_bytes(&v), 0);
    }
}

static void nested_rows_keep_their_bounds(void **state)
{
    (void)state;
    Vec v;
    vec_init(&v, QT_STRING);
    assert_int_equal(vec_append_row(&v, NULL, 0), E_OK);
    assert_int_equal(vec_append_row(&v, "abc", 3), E_OK);
    assert_int_equal(vec_append_null(&v, 2), E_OK);
    assert_int_equal(vec_append_row(&v, "de", 2), E_OK);
    static const u64 offs[] = {0, 0, 3, 3, 3, 5};
    assert_int_equal(v.count, 5);
    assert_memory_equal(v.offs, offs, sizeof offs);
    assert_memory_equal(v.data, "abcde", 5);
    Vec more;
    vec_init(&more, QT_STRING);
    assert_int_equal(vec_append_row(&more, "first", 5), E_OK);
    assert_int_equal(vec_append_vec(&more, &v, 1, 4), E_OK);
    static const u64 more_offs[] = {0, 5, 8, 8, 8, 10};
    assert_memory_equal(more.offs, more_offs, sizeof more_offs);
    assert_memory_equal(more.data, "firstabcde", 10);
    Vec sliced = {.type = (i8)QT_STRING, .count = 2, .data = more.data, .offs = more.offs + 1};
    vec_clear(&v);
    assert_int_equal(vec_append_vec(&v, &sliced, 0, 2), E_OK);
    assert_int_equal(v.count, 2);
    assert_int_equal(v.offs[2], 3);
    assert_memory_equal(v.data, "abc", 3);
    vec_free(&v);
    vec_free(&more);
}

static void an_empty_vector_can_be_appended(void **state)
{
    (void)state;
    Vec from = vec_of(QT_LONG, NULL, 0), v, nested = {.type = (i8)QT_STRING};
    vec_init(&v, QT_LONG);
    assert_int_equal(vec_append_vec(&v, &from, 0, 0), E_OK);
    assert_int_equal(vec_append(&v, NULL, 0), E_OK);
    assert_int_equal(v.count, 0);
    vec_free(&v);
    vec_init(&v, QT_STRING);
    assert_int_equal(vec_append_vec(&v, &nested, 0, 0), E_OK);
    vec_free(&v);
}

static void picked_rows_come_in_the_order_asked(void **state)
{
    (void)state;
    static const u32 perm[] = {4, 0, 0, 2};
    static const int types[] = {QT_BYTE, QT_SHORT, QT_INT, QT_LONG, QT_GUID};
    for (u64 t = 0; t < COUNT_OF(types); t++) {
        u32 width = type_width(types[t]);
        _Alignas(16) u8 bytes[5 * 16];
        for (u32 i = 0; i < 5; i++)
            memset(bytes + i * width, (int)i, width);
        Vec from = vec_of(types[t], bytes, 5), v;
        assert_int_equal(vec_take(&v, &from, perm, 4), E_OK);
        assert_int_equal(v.count, 4);
        for (u32 i = 0; i < 4; i++)
            assert_int_equal(vec_u8(&v)[i * width + width - 1], perm[i]);
        vec_free(&v);
    }
    Value items[5];
    for (u32 i = 0; i < 5; i++)
        items[i] = value_long(i);
    Vec list = vec_of(QT_LIST, items, 5), v;
    assert_int_equal(vec_take(&v, &list, perm, 4), E_OK);
    assert_int_equal(vec_value(&v)[0].as.i, 4);
    vec_free(&v);
    u64 offs[] = {0, 1, 1, 3, 3, 6};
    char text[] = "abbccc";
    Vec strings = {.type = (i8)QT_STRING, .count = 5, .data = text, .offs = offs};
    assert_int_equal(vec_take(&v, &strings, perm, 4), E_OK);
    static const u64 wanted[] = {0, 3, 4, 5, 7};
    assert_memory_equal(v.offs, wanted, sizeof wanted);
    assert_memory_equal(v.data, "cccaabb", 7);
    vec_free(&v);
    assert_int_equal(vec_take(&v, &strings, perm, 0), E_OK);
    assert_int_equal(v.count, 0);
    vec_free(&v);
}

static void appended_nulls_are_nulls(void **state)
{
    (void)state;
    for (int t = QT_BOOLEAN; t <= QT_ENUM; t++) {
        if (t == 3) continue;
        Vec v;
        vec_init(&v, t);
        assert_int_equal(vec_append_null(&v, 70), E_OK);
        for (u32 i = 0; i < 70; i++)
            assert_int_equal(type_is_null(t, vec_u8(&v) + i * type_width(t)),
                             t != QT_BOOLEAN && t != QT_BYTE);
        vec_free(&v);
    }
    Vec v;
    vec_init(&v, QT_LIST);
    assert_int_equal(vec_append_null(&v, 2), E_OK);
    assert_int_equal(vec_value(&v)[1].type, QT_NULL);
    vec_free(&v);
}

static void absurd_sizes_are_refused_and_change_nothing(void **state)
{
    (void)state;
    Vec v;
    vec_init(&v, QT_LONG);
    assert_int_equal(vec_append(&v, &(i64){7}, 1), E_OK);
    assert_int_equal(vec_reserve(&v, BOUND_ROWS_MAX, 0), E_LIMIT);
    assert_int_equal(vec_reserve(&v, UINT64_MAX, 0), E_LIMIT);
    assert_int_equal(v.count, 1);
    assert_int_equal(vec_i64(&v)[0], 7);
    vec_free(&v);
    vec_init(&v, QT_STRING);
    assert_int_equal(vec_append_row(&v, "x", 1), E_OK);
    assert_int_equal(vec_reserve(&v, 1, UINT64_MAX), E_LIMIT);
    assert_int_equal(v.count, 1);
    vec_free(&v);
}

static void borrowed_vectors_free_nothing(void **state)
{
    (void)state;
    i64 data[] = {1, 2, 3};
    Vec v = vec_of(QT_LONG, data, 3);
    assert_int_equal(vec_bytes(&v), 0);
    vec_clear(&v);
    assert_int_equal(vec_append(&v, data, 2), E_OK);
    assert_ptr_not_equal(v.data, data);
    assert_int_equal(vec_i64(&v)[1], 2);
    vec_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_vector_is_empty_and_free_is_idempotent),
        cmocka_unit_test(every_width_grows_and_keeps_its_elements),
        cmocka_unit_test(nested_rows_keep_their_bounds),
        cmocka_unit_test(an_empty_vector_can_be_appended),
        cmocka_unit_test(picked_rows_come_in_the_order_asked),
        cmocka_unit_test(appended_nulls_are_nulls),
        cmocka_unit_test(absurd_sizes_are_refused_and_change_nothing),
        cmocka_unit_test(borrowed_vectors_free_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
