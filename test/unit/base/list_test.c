/*
 * list and types: the inline helpers of base.
 */
#include "base/list.h"
#include "base/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct {
    int value;
    List node;
} Item;

static void nodes_keep_their_order(void **state)
{
    (void)state;
    List head;
    Item items[4];
    int seen = 0;
    list_init(&head);
    assert_true(list_empty(&head));
    for (int i = 0; i < 4; i++) {
        items[i].value = i;
        list_append(&head, &items[i].node);
    }
    list_remove(&items[2].node);
    list_remove(&items[2].node); /* again, harmless */
    LIST_EACH(it, &head) { seen = seen * 10 + LIST_ENTRY(it, Item, node)->value + 1; }
    assert_int_equal(seen, 124);
    list_remove(&items[0].node);
    list_remove(&items[1].node);
    list_remove(&items[3].node);
    assert_true(list_empty(&head));
}

static void bytes_are_little_endian(void **state)
{
    (void)state;
    u8 bytes[9] = {0, 1, 2, 3, 4, 5, 6, 7, 0xf8};
    assert_int_equal(load_u16(bytes + 1), 0x0201);
    assert_int_equal(load_u32(bytes + 1), 0x04030201);
    assert_true(load_u64(bytes + 1) == 0xf807060504030201ull);
    assert_true(load_i64(bytes + 1) < 0);
    assert_true(load_i32(bytes + 5) < 0);
    store_u16(bytes + 1, 0xabcd);
    store_u32(bytes + 3, 0x01020304);
    assert_memory_equal(bytes, "\0\xcd\xab\4\3\2\1", 7);
    store_u64(bytes + 1, 1);
    assert_int_equal(load_u64(bytes + 1), 1);
}

static void rounding_goes_up_to_multiples(void **state)
{
    (void)state;
    assert_int_equal(round_up(0, 16), 0);
    assert_int_equal(round_up(1, 16), 16);
    assert_int_equal(round_up(16, 16), 16);
    assert_int_equal(round_up(4097, 4096), 8192);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_keep_their_order),
        cmocka_unit_test(bytes_are_little_endian),
        cmocka_unit_test(rounding_goes_up_to_multiples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
