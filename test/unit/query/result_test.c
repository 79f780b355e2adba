/*
 * result: the order of groups and sorted rows, what a limit leaves, and the ceiling.
 */
#include "base/bounds.h"
#include "kit.h"
#include "query/find.h"
#include "query/result.h"

static void build(Kit *k)
{
    kit_make(k, 100, 1);
    kit_trade(k, 0, "10:00", "b", "2", "1");
    kit_trade(k, 0, "10:01", "", "1", "2");
    kit_trade(k, 0, "10:02", "B", "", "3");
    kit_trade(k, 0, "10:03", "ab", "1", "4");
    kit_trade(k, 0, "10:04", "a", "2", "5");
    kit_trade(k, 0, "10:05", "b", "0", "6");
}

static void groups_come_in_the_order_of_their_columns(void **state)
{
    (void)state;
    Kit k;
    build(&k);
    /* live rows only: no name is in the domain */
    kit_live(&k, 0, 6, 6);
    kit_expect(&k, "{'table':'trade','groupBy':'sym','agg':[['n','count','size']]}",
               "sym,n\n,1\nB,1\na,1\nab,1\nb,2\n");
    kit_expect(&k, "{'table':'trade','groupBy':'note','agg':[['n','count','size']]}",
               "note,n\n,1\nB,1\na,1\nab,1\nb,2\n");
    kit_expect(&k, "{'table':'trade','groupBy':['price','sym'],'agg':[['n','count','size']]}",
               "price,sym,n\n,B,1\n0,b,1\n1,,1\n1,ab,1\n2,a,1\n2,b,1\n");
    kit_end(&k);
    build(&k);
    kit_part(&k, PART_DATE, KIT_DAY, 0, 3, KIT_DAY, false); /* now three of them are */
    kit_live(&k, 3, 6, 1);
    kit_expect(&k, "{'table':'trade','groupBy':'sym','agg':[['n','count','size']]}",
               "sym,n\n,1\nB,1\na,1\nab,1\nb,2\n");
    kit_end(&k);
}

static void sorting_is_stable_in_every_type(void **state)
{
    (void)state;
    Kit k;
    build(&k);
    kit_live(&k, 0, 6, 6);
    kit_expect(&k, "{'table':'trade','agg':['size','price'],'sortCols':'price'}",
               "size,price\n3,\n6,0\n2,1\n4,1\n1,2\n5,2\n");
    kit_expect(&k, "{'table':'trade','agg':['size','price'],'sortCols':['price','desc']}",
               "size,price\n1,2\n5,2\n2,1\n4,1\n6,0\n3,\n");
    kit_expect(&k,
               "{'table':'trade','agg':['size','note'],'sortCols':['note','desc','size','desc']}",
               "size,note\n6,b\n1,b\n4,ab\n5,a\n3,B\n2,\n");
    kit_expect(&k, "{'table':'trade','agg':['size','sym'],'sortCols':['sym'],'limit':3}",
               "size,sym\n2,\n3,B\n5,a\n");
    kit_end(&k);
}

static void a_limit_of_few_rows_is_copied_after_sorting(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 100, 1);
    for (u32 i = 0; i < 100; i++) {
        char price[8];
        snprintf(price, sizeof price, "%u", i * 37 % 100);
        kit_trade(&k, (i32)i / 50, "10:00", price, price, i % 10 ? "1" : "2");
    }
    kit_part(&k, PART_DATE, KIT_DAY, 0, 50, KIT_DAY, false);
    kit_live(&k, 50, 100, 9);
    kit_expect(
        &k, "{'table':'trade','agg':['note','sym','price'],'sortCols':['price','desc'],'limit':3}",
        "note,sym,price\n99,99,99\n98,98,98\n97,97,97\n");
    kit_expect(&k,
               "{'table':'trade','agg':['note','price'],'sortCols':['price','desc'],'limit':-2}",
               "note,price\n1,1\n0,0\n");
    kit_expect(&k,
               "{'table':'trade','agg':['price','note'],'filter':['=','size',2],'sortCols':['note']"
               ",'limit':1}",
               "price,note\n0,0\n");
    kit_expect(&k, "{'table':'trade','agg':['price'],'sortCols':['price'],'limit':0}", "price\n");
    kit_end(&k);
}

static void results_beyond_the_ceiling_are_refused(void **state)
{
    (void)state;
    Kit k;
    Arena a = {0};
    Request r;
    Plan p;
    Result result;
    Pick pick;
    build(&k);
    kit_live(&k, 0, 6, 6);
    KIT_OK(kit_parse(&k, "{'table':'trade'}", &a, &r));
    KIT_OK(plan_make(&p, &k.source, &r, &a));
    KIT_OK(find_rows(&p, &p.pieces[0]));
    pick_init(&pick, &p, UINT64_MAX);
    KIT_OK(pick_piece(&pick, &p.pieces[0], 0, 6));
    KIT_OK(result_init(&result, &p));
    result.bytes = BOUND_RESULT_MAX - 100;
    assert_int_equal(result_picks(&result, &pick, 1, 1), E_LIMIT);
    assert_non_null(strstr(fail_text(), "2048 MiB"));
    pick_free(&pick);
    plan_release(&p, &k.source);
    arena_free(&a);
    kit_end(&k);
}

static void only_a_small_limit_of_sorted_rows_is_top(void **state)
{
    (void)state;
    Request r = {.sort_count = 1, .limited = true, .limit = -10};
    Plan p = {.request = &r};
    assert_true(result_is_top(&p, 1000));
    assert_false(result_is_top(&p, 20));
    r.fill = FILL_ZERO; /* a fill comes before the order */
    assert_false(result_is_top(&p, 1000));
    r.fill = FILL_NONE;
    r.limited = false;
    assert_false(result_is_top(&p, 1000));
    r.limited = true;
    r.aggregated = true;
    assert_false(result_is_top(&p, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_come_in_the_order_of_their_columns),
        cmocka_unit_test(sorting_is_stable_in_every_type),
        cmocka_unit_test(a_limit_of_few_rows_is_copied_after_sorting),
        cmocka_unit_test(results_beyond_the_ceiling_are_refused),
        cmocka_unit_test(only_a_small_limit_of_sorted_rows_is_top),
    };
    return cmocka_run_group_tests_name("query/result", tests, NULL, NULL);
}
