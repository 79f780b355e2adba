/*
 * sum: blocks and whole of any size, in any pieces, patched or not; lists by name.
 */
#include "base/crc.h"
#include "base/prng.h"
#include "base/sum.h"

#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BYTES (3u * SUM_BLOCK + 77)

static u8 *content;

static int make_content(void **state)
{
    (void)state;
    Prng p;
    content = malloc(BYTES + 8);
    prng_init(&p, 3);
    for (u64 i = 0; content && i < BYTES; i += 8)
        store_u64(content + i, prng_next(&p));
    return content ? 0 : -1;
}

static int free_content(void **state)
{
    (void)state;
    free(content);
    return 0;
}

static void add_all(Sum *s, u64 size, u64 piece)
{
    for (u64 at = 0; at < size; at += piece)
        assert_int_equal(sum_add(s, content + at, MIN(piece, size - at)), E_OK);
    assert_int_equal(sum_end(s), E_OK);
}

static void expect(const Sum *s, u64 size)
{
    assert_int_equal(s->size, size);
    assert_int_equal(s->crc, crc_32c(0, content, size));
    assert_int_equal(sum_count(s), (size + SUM_BLOCK - 1) / SUM_BLOCK);
    for (u64 i = 0; i < sum_count(s); i++)
        assert_int_equal(sum_block(s, i),
                         crc_32c(0, content + i * SUM_BLOCK, MIN(SUM_BLOCK, size - i * SUM_BLOCK)));
}

static const u64 sizes[] = {
    0, 1, 4096, SUM_BLOCK - 1, SUM_BLOCK, SUM_BLOCK + 1, 100 << 10, 2 * SUM_BLOCK, BYTES};

static void every_size_in_pieces(void **state)
{
    (void)state;
    static const u64 pieces[] = {4097, 65536, SUM_BLOCK, 2 * SUM_BLOCK + 5, BYTES};
    for (u32 i = 0; i < COUNT_OF(sizes); i++)
        for (u32 k = 0; k < COUNT_OF(pieces); k++) {
            Sum s = {0};
            add_all(&s, sizes[i], pieces[k]);
            expect(&s, sizes[i]);
            sum_free(&s);
        }
}

static void a_patch_is_as_if_written_so(void **state)
{
    (void)state;
    for (u32 i = 0; i < COUNT_OF(sizes); i++) {
        Sum s = {0};
        if (sizes[i] < 4096) continue;
        add_all(&s, sizes[i], 100000);
        u32 was = crc_32c(0, content, 4096);
        for (u32 k = 0; k < 4096; k += 129)
            content[k] = (u8)(content[k] + 1 + i);
        sum_patch(&s, 4096, was, crc_32c(0, content, 4096));
        expect(&s, sizes[i]);
        sum_free(&s);
    }
}

static void lists_are_found_joined_and_sorted(void **state)
{
    (void)state;
    SumList l = {0}, more = {0};
    Sum s = {0};
    add_all(&s, BYTES, BYTES);
    for (int i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%02d", 39 - i);
        assert_int_equal(sum_list_put(&l, i % 2 ? "trade" : "trades", name, &s), E_OK);
    }
    sum_list_sort(&l);
    for (u32 i = 1; i < l.count; i++)
        assert_true(strcmp(l.files[i - 1].name, l.files[i].name) < 0);
    const SumFile *f = sum_list_find(&l, STR("trade/c38"));
    assert_non_null(f);
    assert_int_equal(f->blocks[3], sum_block(&s, 3));
    assert_null(sum_list_find(&l, STR("trade/c39")));
    assert_int_equal(sum_list_join(&more, &l, "trade"), E_OK);
    assert_int_equal(more.count, 20);
    assert_int_equal(sum_list_join(&more, &l, NULL), E_OK);
    assert_int_equal(more.count, 60);
    sum_list_free(&l);
    assert_int_equal(sum_list_find(&more, STR("trades/c39"))->crc, s.crc);
    sum_list_free(&more);
    sum_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_in_pieces),
        cmocka_unit_test(a_patch_is_as_if_written_so),
        cmocka_unit_test(lists_are_found_joined_and_sorted),
    };
    return cmocka_run_group_tests(tests, make_content, free_content);
}
