/* nested: items are seen where they stand, and nothing outside of the heap is. */
#include "column/nested.h"
#include "unit/column/kit.h"

static void packed_vectors_and_atoms(void **state)
{
    (void)state;
    NestedItem item;
    static const u8 heap[] = {0x89, 2, 'h', 'i', 0x75, 'x', 0x85, 1, 7, 0, 0, 0, 0x89, 0};
    ok(nested_find(heap, sizeof heap, 0 | 1ull << 56, &item));
    assert_int_equal(item.type, QT_CHAR);
    assert_int_equal(item.count, 2);
    assert_memory_equal(item.elements, "hi", 2);
    ok(nested_find(heap, sizeof heap, 4, &item));
    assert_int_equal(item.type, QT_CHAR);
    assert_true(item.atom);
    assert_int_equal(item.count, 1);
    assert_int_equal(item.size, 2);
    assert_memory_equal(item.elements, "x", 1);
    ok(nested_find(heap, sizeof heap, 6, &item));
    assert_int_equal(item.type, QT_INT);
    assert_int_equal(load_i32(item.elements), 7);
    ok(nested_find(heap, sizeof heap, 12, &item));
    assert_int_equal(item.count, 0);
    fails(E_CORRUPT, "outside", nested_find(heap, sizeof heap, sizeof heap, &item));
    fails(E_CORRUPT, "past the end", nested_find(heap, 3, 0, &item));
    fails(E_CORRUPT, "past the end", nested_find(heap, 1, 0, &item));
    fails(E_CORRUPT, "past the end", nested_find(heap, 5, 4, &item));
    fails(E_CORRUPT, "no item", nested_find(heap, sizeof heap, 8 + 2, &item));
}

static void objects(void **state)
{
    (void)state;
    NestedItem item;
    u8 heap[32] = {0xfb, 0, QT_LONG, 0, 1, 0, 0, 0, 2};
    ok(nested_find(heap, 32, 0, &item));
    assert_int_equal(item.type, QT_LONG);
    assert_int_equal(item.count, 2);
    fails(E_CORRUPT, "past the end", nested_find(heap, 31, 0, &item));
    fails(E_CORRUPT, "no object", nested_find(heap, 15, 0, &item));
    memset(heap + 8, 0xff, 8);
    fails(E_CORRUPT, "past the end", nested_find(heap, 32, 0, &item));
    memset(heap + 8, 0, 8);
    heap[8] = 2;
    heap[2] = QT_TABLE;
    ok(nested_find(heap, 32, 0, &item));
    assert_int_equal(item.type, QT_TABLE);
    fails(E_CORRUPT, "past the end", nested_find(heap, 31, 0, &item));
    heap[8] = 1;
    fails(E_CORRUPT, "two references", nested_find(heap, 32, 0, &item));
    heap[2] = QT_NESTED;
    ok(nested_find(heap, 32, 0, &item));
    assert_int_equal(item.type, QT_NESTED);
    assert_int_equal(item.count, 1);
    heap[8] = 3;
    fails(E_CORRUPT, "past the end", nested_find(heap, 32, 0, &item));
    heap[2] = 3;
    fails(E_CORRUPT, "no object has", nested_find(heap, 32, 0, &item));
}

static void symbols_are_positions(void **state)
{
    (void)state;
    NestedItem item;
    static const u8 heap[] = {0x8a, 1, 7, 0, 0, 0, 0x74, 9, 0, 0, 0};
    ok(nested_find(heap, sizeof heap, 0, &item));
    assert_int_equal(item.type, QT_SYMBOL);
    assert_int_equal(load_i32(item.elements), 7);
    assert_int_equal(item.size, 6);
    fails(E_CORRUPT, "past the end", nested_find(heap, 5, 0, &item));
    ok(nested_find(heap, sizeof heap, 6, &item));
    assert_int_equal(item.type, QT_SYMBOL);
    assert_true(item.atom);
    assert_int_equal(load_i32(item.elements), 9);
}

static void enumerations_name_their_domain(void **state)
{
    (void)state;
    NestedItem item;
    u8 packed[6 + 8] = {0x93, 5, 0, 0, 0, 1, 3}, object[32] = {0xfb, 0, QT_ENUM, 0, 1, 0, 0, 0, 1};
    ok(nested_find(packed, sizeof packed, 0, &item));
    assert_int_equal(item.type, QT_ENUM);
    assert_int_equal(nested_domain(&item), 5);
    assert_int_equal(load_i64(item.elements), 3);
    fails(E_CORRUPT, "past the end", nested_find(packed, sizeof packed - 1, 0, &item));
    packed[4] = 0x80;
    ok(nested_find(packed, sizeof packed, 0, &item));
    assert_int_equal(nested_domain(&item), NESTED_UNKNOWN);
    memset(object + 24, 0xff, 8);
    ok(nested_find(object, 32, 0, &item));
    assert_int_equal(nested_domain(&item), NESTED_SYM);
    assert_int_equal(item.size, 32);
    fails(E_CORRUPT, "last word", nested_find(object, 31, 0, &item));
    object[24] = 0;
    ok(nested_find(object, 32, 0, &item));
    assert_int_equal(nested_domain(&item), NESTED_UNKNOWN);
}

static void every_first_byte_is_known_or_refused(void **state)
{
    (void)state;
    u8 heap[64] = {0};
    for (u32 byte = 0; byte < 256; byte++) {
        NestedItem item;
        heap[0] = (u8)byte;
        for (u64 size = 1; size <= sizeof heap; size++) {
            Err err = nested_find(heap, size, 0, &item);
            if (err != E_OK) continue;
            const u8 *end = (const u8 *)item.elements + item.count * nested_width(item.type);
            assert_true(end <= heap + size && heap + item.size >= end && item.size <= size);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_vectors_and_atoms),
        cmocka_unit_test(objects),
        cmocka_unit_test(symbols_are_positions),
        cmocka_unit_test(enumerations_name_their_domain),
        cmocka_unit_test(every_first_byte_is_known_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
