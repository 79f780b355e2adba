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
        cmocka_unit_test(more_than_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
