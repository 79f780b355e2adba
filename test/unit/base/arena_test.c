/*
 * arena: alignment, clearing, ceilings, reset and free.
 */
#include "base/arena.h"
#include "base/bounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool all_zero(const u8 *p, u64 size)
{
    for (u64 i = 0; i < size; i++)
        if (p[i]) return false;
    return true;
}

static void pieces_are_aligned_clear_and_apart(void **state)
{
    (void)state;
    static const u64 sizes[] = {0, 1, 15, 16, 17, 100, 4096, 5000, 70000, 1 << 20, (1 << 20) + 1};
    u8 *pieces[COUNT_OF(sizes)];
    Arena a = {0};
    for (u64 i = 0; i < COUNT_OF(sizes); i++) {
        pieces[i] = arena_alloc(&a, sizes[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        assert_true(all_zero(pieces[i], sizes[i]));
        memset(pieces[i], (int)i + 1, sizes[i]);
    }
    for (u64 i = 0; i < COUNT_OF(sizes); i++)
        for (u64 k = 0; k < sizes[i]; k += 7)
            assert_int_equal(pieces[i][k], i + 1);
    assert_true(a.used >= (2 << 20) + 75000);
    assert_true(a.reserved >= a.used);
    arena_free(&a);
}

static void an_empty_arena_can_be_freed_and_reset(void **state)
{
    (void)state;
    Arena a = {0};
    arena_free(&a);
    arena_reset(&a);
    arena_free(&a);
    assert_null(a.head);
    assert_non_null(arena_alloc(&a, 1));
    arena_free(&a);
    arena_free(&a);
    assert_null(a.head);
    assert_int_equal(a.used, 0);
    assert_int_equal(a.reserved, 0);
}

static void many_small_pieces_need_few_blocks(void **state)
{
    (void)state;
    Arena a = {0};
    for (int i = 0; i < 100000; i++)
        *(int *)arena_alloc(&a, sizeof(int)) = i;
    assert_int_equal(a.used, 1600000);
    assert_true(a.reserved < 4 * a.used);
    arena_free(&a);
}

static void a_large_piece_leaves_the_head_in_use(void **state)
{
    (void)state;
    Arena a = {0};
    u8 *first = arena_alloc(&a, 16);
    arena_alloc(&a, 3 << 20);
    u8 *second = arena_alloc(&a, 16);
    assert_ptr_equal(second, first + 16);
    arena_free(&a);
}

static void reset_keeps_one_block_and_clears_again(void **state)
{
    (void)state;
    Arena a = {.size_max = 12345};
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 50; i++) {
            u8 *p = arena_alloc(&a, 500);
            assert_true(all_zero(p, 500));
            memset(p, 255, 500);
        }
        arena_reset(&a);
        assert_int_equal(a.used, 0);
        assert_int_equal(a.reserved, 4096);
        assert_int_equal(a.size_max, 12345);
    }
    arena_free(&a);
    assert_int_equal(a.size_max, 12345);
}

static void reset_lets_go_of_a_huge_first_block(void **state)
{
    (void)state;
    Arena a = {0};
    arena_alloc(&a, 8 << 20);
    arena_reset(&a);
    assert_int_equal(a.reserved, 0);
    assert_non_null(arena_alloc(&a, 10));
    arena_free(&a);
}

static void try_respects_the_ceiling(void **state)
{
    (void)state;
    Arena a = {.size_max = 1000};
    void *p = &a;
    assert_int_equal(arena_try(&a, 1001, 1, &p), E_LIMIT);
    assert_null(p);
    assert_int_equal(arena_try(&a, 10, 100, &p), E_OK);
    assert_true(all_zero(p, 1000));
    assert_int_equal(arena_try(&a, 1, 1, &p), E_LIMIT);
    arena_free(&a);
    assert_int_equal(arena_try(&a, 1, 1, &p), E_OK);
    arena_free(&a);
}

static void try_survives_absurd_sizes(void **state)
{
    (void)state;
    Arena a = {0};
    void *p;
    assert_int_equal(arena_try(&a, ~0ull, ~0ull, &p), E_LIMIT);
    assert_int_equal(arena_try(&a, 1ull << 63, 2, &p), E_LIMIT);
    assert_int_equal(arena_try(&a, ~0ull, 1, &p), E_LIMIT);
    assert_int_equal(arena_try(&a, ARENA_SIZE_MAX + 1, 1, &p), E_LIMIT);
    assert_null(p);
    assert_int_equal(arena_try(&a, 0, 8, &p), E_OK);
    assert_non_null(p);
    arena_free(&a);
}

static void texts_are_copied_and_formatted(void **state)
{
    (void)state;
    Arena a = {0};
    assert_string_equal(arena_text(&a, "hello", 3), "hel");
    assert_string_equal(arena_text(&a, NULL, 0), "");
    assert_string_equal(arena_format(&a, "%d-%s", 7, "x"), "7-x");
    char *long_text = arena_format(&a, "%10000d", 1);
    assert_int_equal(strlen(long_text), 10000);
    int *numbers = arena_array(&a, int, 4);
    assert_int_equal(numbers[3], 0);
    assert_int_equal(*arena_new(&a, u64), 0);
    arena_free(&a);
}

static void raw_pieces_are_writable(void **state)
{
    (void)state;
    Arena a = {0};
    memset(arena_raw(&a, 100), 1, 100);
    memset(arena_raw(&a, 2 << 20), 1, 2 << 20);
    assert_true(all_zero(arena_alloc(&a, 100), 100));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_clear_and_apart),
        cmocka_unit_test(an_empty_arena_can_be_freed_and_reset),
        cmocka_unit_test(many_small_pieces_need_few_blocks),
        cmocka_unit_test(a_large_piece_leaves_the_head_in_use),
        cmocka_unit_test(reset_keeps_one_block_and_clears_again),
        cmocka_unit_test(reset_lets_go_of_a_huge_first_block),
        cmocka_unit_test(try_respects_the_ceiling),
        cmocka_unit_test(try_survives_absurd_sizes),
        cmocka_unit_test(texts_are_copied_and_formatted),
        cmocka_unit_test(raw_pieces_are_writable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
