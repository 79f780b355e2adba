/*
 * sieve: selections of blocks of every size, with what the ranges ensure left out.
 */
#include "kit.h"
#include "query/sieve.h"

static void blocks_of_every_size_are_selected_right(void **state)
{
    (void)state;
    Kit k;
    Arena a = {0};
    Request r;
    Plan p;
    u16 sel[SCAN_BLOCK + 8];
    u64 count;
    kit_make(&k, 10, 1);
    for (u32 i = 0; i < 40; i++)
        kit_trade(&k, 0, i % 2 ? "10:00" : "11:00", i % 3 ? "a" : "b", "1", i % 5 ? "1" : "2");
    kit_live(&k, 0, 40, 40);
    KIT_OK(kit_parse(
        &k,
        "{'table':'trade','filter':[['=','sym','a'],['=','size',2]],'startTS':'2024.05.14D10:30'}",
        &a, &r));
    KIT_OK(plan_make(&p, &k.source, &r, &a));
    ScanPiece *piece = &p.pieces[0];
    assert_true(sieve_needed(&p, piece));
    for (u64 from = 0; from < 40; from++) {
        for (u64 n = 1; n <= 40 - from; n++) {
            KIT_OK(sieve_block(&p, piece, from, n, sel, &count));
            u64 at = 0;
            for (u64 i = from; i < from + n; i++) {
                if (i % 2 == 0 && i % 3 != 0 && i % 5 == 0)
                    assert_true(at < count && sel[at++] == i - from);
            }
            assert_int_equal(at, count);
        }
    }
    piece->done = 1; /* the ranges ensure the symbol */
    KIT_OK(sieve_block(&p, piece, 0, 31, sel, &count));
    assert_true(count == 4 && sel[0] == 0 && sel[1] == 10 && sel[2] == 20 && sel[3] == 30);
    piece->time_check = false;
    KIT_OK(sieve_block(&p, piece, 0, 31, sel, &count));
    assert_int_equal(count, 7);
    piece->done = 3;
    assert_false(sieve_needed(&p, piece));
    KIT_OK(sieve_block(&p, piece, 0, 31, sel, &count));
    assert_int_equal(count, 31);
    plan_release(&p, &k.source);
    arena_free(&a);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_every_size_are_selected_right),
    };
    return cmocka_run_group_tests_name("query/sieve", tests, NULL, NULL);
}
