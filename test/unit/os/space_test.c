/* space: pages come when written, read as zeros before and after they are given back. */
#include "os/space.h"
#include "unit/column/kit.h"

static void pages_come_and_go(void **state)
{
    (void)state;
    u8 *p = NULL;
    u64 page = space_page(), size = 10 * page;
    ok(space_reserve(size, &p));
    for (u64 i = 0; i < size; i++)
        assert_int_equal(p[i], 0);
    memset(p, 7, size);
    space_drop(p + page, 2 * page);
    space_drop(p + 4 * page + 1, page); /* holds no whole page */
    space_drop(p + 6 * page + 1, 3 * page);
    for (u64 i = 0; i < 10; i++) {
        bool dropped = i == 1 || i == 2 || i == 7 || i == 8;
        assert_int_equal(p[i * page], dropped ? 0 : 7);
        assert_int_equal(p[i * page + page - 1], dropped ? 0 : 7);
    }
    space_drop(p, 0);
    assert_int_equal(p[0], 7);
    space_free(p, size);
    space_free(NULL, size);
}

static void pages_move(void **state)
{
    (void)state;
    u8 *p = NULL;
    u64 page = space_page(), size = 4 * page;
    ok(space_reserve(10 * size, &p));
    space_fill(p, size);
    memset(p, 5, size);
    memset(p + size, 6, size);
    if (!space_move(p, p + 3 * size, size)) { /* an old kernel: nothing has changed */
        assert_int_equal(p[0], 5);
        space_free(p, 10 * size);
        return;
    }
    assert_int_equal(p[0], 0);
    assert_int_equal(p[3 * size], 5);
    assert_int_equal(p[4 * size - 1], 5);
    assert_int_equal(p[size], 6);
    assert_true(space_move(p + 3 * size, p + size, size)); /* over pages that are there */
    assert_int_equal(p[2 * size - 1], 5);
    u8 *alone = space_take(p + size, size);
    assert_non_null(alone);
    assert_int_equal(p[size], 0);
    assert_int_equal(alone[size - 1], 5);
    p[7 * size] = 9;
    assert_true(space_give(alone, p + 7 * size, size));
    assert_int_equal(p[7 * size], 5);
    p[0] = 1; /* what was left is as good as before */
    space_free(p, 10 * size);
}

static void more_than_there_is(void **state)
{
    (void)state;
    u8 *p = NULL;
    ok(space_reserve(1ull << 40, &p)); /* address space costs nothing */
    p[1ull << 39] = 1;
    space_free(p, 1ull << 40);
    fails(E_MEMORY, "address space", space_reserve(1ull << 60, &p));
    assert_null(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_come_and_go),
        cmocka_unit_test(pages_move),
        cmocka_unit_test(more_than_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
