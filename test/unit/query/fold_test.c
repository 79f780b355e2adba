/*
 * fold: shares of rows, folded apart and merged in order, give what one fold of all rows gives.
 */
#include "kit.h"
#include "query/find.h"
#include "query/fold.h"

static void build(Kit *k)
{
    Prng p;
    prng_init(&p, 9);
    kit_make(k, 100, 1);
    for (u64 i = 0; i < 400; i++)
        kit_random(k, &p, (i64)KIT_DAY * TEMPORAL_DAY_NS + (i64)prng_below(&p, TEMPORAL_DAY_NS));
    kit_part(k, PART_DATE, KIT_DAY, 0, 400, KIT_DAY, false);
}

/* States of counts, sums and last values of each group, by key. */
static void check_same(Fold *x, Fold *y)
{
    assert_int_equal(x->group.count, y->group.count);
    for (u32 g = 0; g < x->group.count; g++) {
        u32 other;
        KIT_OK(group_merge(&y->group, &x->group, g, &other));
        assert_true(other < x->group.count);
        for (u32 i = 0; i < x->agg_count; i++) {
            u8 a[16] = {0}, b[16] = {0};
            agg_finish(&x->aggs[i], &x->states[i][g], 1, a);
            agg_finish(&y->aggs[i], &y->states[i][other], 1, b);
            assert_memory_equal(a, b, 16);
        }
    }
}

static void shares_merge_to_the_whole(void **state)
{
    (void)state;
    static const char *const groups[] = {"'sym'", "'ex'", "['side','sym']", "[]"};
    static const char *const filters[] = {
        "", ",'filter':['>','qty',0]", ",'filter':['like','sym','[AI]*']",
        ",'startTS':'2024.05.14D06:00','endTS':'2024.05.14D20:00'"};
    Kit k;
    Prng p;
    prng_init(&p, 10);
    build(&k);
    for (u32 i = 0; i < COUNT_OF(groups) * COUNT_OF(filters); i++) {
        Arena a = {0};
        Request r;
        Plan plan;
        Fold whole, total;
        KIT_OK(kit_parse(
            &k,
            arena_format(&a,
                         "{'table':'trade','groupBy':%s,'agg':[['n','count','sym'],['s','sum','"
                         "size'],['l','last','qty'],['f','first','time'],['m','max','price']]%s}",
                         groups[i % 4], filters[i / 4]),
            &a, &r));
        KIT_OK(plan_make(&plan, &k.source, &r, &a));
        ScanPiece *piece = &plan.pieces[0];
        KIT_OK(plan_open(&plan, piece));
        KIT_OK(find_rows(&plan, piece));
        KIT_OK(fold_init(&whole, &plan));
        KIT_OK(fold_piece(&whole, piece, 0, piece->row_count));
        KIT_OK(fold_init(&total, &plan));
        for (u64 at = 0, n; at < piece->row_count; at += n) {
            Fold share;
            n = 1 + prng_below(&p, 150);
            n = MIN(n, piece->row_count - at);
            KIT_OK(fold_init(&share, &plan));
            KIT_OK(fold_piece(&share, piece, at, n));
            KIT_OK(fold_merge(&total, &share));
            fold_free(&share);
        }
        KIT_OK(fold_keep(&whole, &a));
        KIT_OK(fold_keep(&total, &a));
        check_same(&whole, &total);
        fold_free(&whole);
        fold_free(&total);
        plan_release(&plan, &k.source);
        arena_free(&a);
    }
    kit_end(&k);
}

static void counts_and_ends_are_light(void **state)
{
    (void)state;
    Kit k;
    Arena a = {0};
    Request r;
    kit_make(&k, 1, 1);
    Plan p = {.request = &r};
    KIT_OK(kit_parse(
        &k, "{'table':'trade','agg':[['n','count','sym'],['l','last','sym'],['f','first','sym']]}",
        &a, &r));
    assert_true(fold_is_light(&p));
    KIT_OK(
        kit_parse(&k, "{'table':'trade','agg':[['n','count','sym'],['l','sum','qty']]}", &a, &r));
    assert_false(fold_is_light(&p));
    arena_free(&a);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_merge_to_the_whole),
        cmocka_unit_test(counts_and_ends_are_light),
    };
    return cmocka_run_group_tests_name("query/fold", tests, NULL, NULL);
}
