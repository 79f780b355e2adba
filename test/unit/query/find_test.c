/*
 * find: which ranges come of parted, sorted and grouped columns, and which filters they settle.
 */
#include "kit.h"
#include "query/find.h"

/* 3 symbols a, b, c; 4 rows each, an hour apart from 10:00; prices 1 to 12. */
static void build(Kit *k, u32 shape)
{
    kit_make(k, 100, 1);
    kit_shape(k, shape);
    for (u32 i = 0; i < 12; i++) {
        char time[16], price[16], sym[2] = {(char)('a' + i % 3), 0};
        snprintf(time, sizeof time, "%u:%02u", 10 + i / 3, i % 3);
        snprintf(price, sizeof price, "%u", i + 1);
        kit_trade(k, 0, time, sym, price, price);
    }
    kit_part(k, PART_DATE, KIT_DAY, 0, 12, KIT_DAY, false);
}

/* Plans and finds; writes the ranges as "from-to " into text. */
static void find(Kit *k, const char *json, Plan *p, Request *r, Arena *a, char text[256])
{
    KIT_OK(kit_parse(k, json, a, r));
    KIT_OK(plan_make(p, &k->source, r, a));
    text[0] = 0;
    for (u64 i = 0; i < p->piece_count; i++) {
        ScanPiece *piece = &p->pieces[i];
        KIT_OK(plan_open(p, piece));
        KIT_OK(find_rows(p, piece));
        for (u64 n = 0; n < piece->range_count; n++)
            snprintf(text + strlen(text), 256 - strlen(text), "%u-%u ", (u32)piece->ranges[n].from,
                     (u32)piece->ranges[n].to);
    }
}

static void expect(Kit *k, const char *json, const char *ranges, u64 done)
{
    Arena a = {0};
    Request r;
    Plan p;
    char text[256];
    for (u32 again = 0; again < 2; again++) { /* the second time from what was noted */
        find(k, json, &p, &r, &a, text);
        if (strcmp(text, ranges) != 0) fail_msg("%s: %s, expected %s", json, text, ranges);
        if (p.piece_count > 0) assert_int_equal(p.pieces[0].done, done);
        if (p.piece_count > 0) assert_false(p.pieces[0].time_check);
        plan_release(&p, &k->source);
    }
    arena_free(&a);
}

static void runs_of_a_parted_symbol_are_ranges(void **state)
{
    (void)state;
    Kit k;
    build(&k, SHAPE_PARTED);
    expect(&k, "{'table':'trade','agg':['price']}", "0-12 ", 0);
    expect(&k, "{'table':'trade','filter':['=','sym','b'],'agg':['price']}", "4-8 ", 1);
    expect(
        &k,
        "{'table':'trade','filter':[['>','price',0],['in','sym',['c','a','x']]],'agg':['price']}",
        "0-4 8-12 ", 2);
    expect(
        &k,
        "{'table':'trade','filter':['or',['like','sym','[ab]'],['=','sym','zz']],'agg':['price']}",
        "0-4 4-8 ", 1);
    expect(&k, "{'table':'trade','filter':['not',['<','sym','c']],'agg':['price']}", "8-12 ", 1);
    expect(&k, "{'table':'trade','filter':['=','sym','nobody'],'agg':['price']}", "", 1);
    expect(
        &k,
        "{'table':'trade','filter':['<>','sym','a'],'groupBy':'sym','agg':[['n','count','price']]}",
        "4-8 8-12 ", 1);
    expect(&k, "{'table':'trade','groupBy':'sym','agg':[['n','count','price']]}", "0-4 4-8 8-12 ",
           0);
    expect(&k,
           "{'table':'trade','groupBy':'sym','startTS':'2024.05.14D11:01','endTS':'2024.05.14D12:"
           "02','agg':[['n','count','price']]}",
           "2-3 5-7 9-10 ", 0);
    expect(&k,
           "{'table':'trade','filter':[['=','sym','b'],['within','time',['2024.05.14D11:01','2024."
           "05.14D12:01']]],'agg':['price']}",
           "5-7 ", 3);
    kit_end(&k);
}

static void sorted_columns_are_searched(void **state)
{
    (void)state;
    Kit k;
    build(&k, SHAPE_TIMED);
    expect(
        &k,
        "{'table':'trade','startTS':'2024.05.14D11:00','endTS':'2024.05.14D12:01','agg':['price']}",
        "3-7 ", 0);
    expect(&k, "{'table':'trade','filter':['=','sym','b'],'agg':['price']}", "1-2 4-5 7-8 10-11 ",
           1);
    expect(&k,
           "{'table':'trade','filter':['=','sym','b'],'startTS':'2024.05.14D11:00','endTS':'2024."
           "05.14D12:01','agg':['price']}",
           "4-5 ", 1);
    kit_end(&k);
    build(&k, SHAPE_PRICED);
    expect(&k, "{'table':'trade','filter':['>=','price',5],'agg':['sym']}", "4-12 ", 1);
    expect(&k, "{'table':'trade','filter':[['<','price',5],['>','price',1.5]],'agg':['sym']}",
           "1-4 ", 3);
    expect(&k, "{'table':'trade','filter':['within','price',[3,4]],'agg':['sym']}", "2-4 ", 1);
    expect(&k, "{'table':'trade','filter':['=','price',99],'agg':['sym']}", "", 1);
    expect(&k, "{'table':'trade','filter':['<>','price',3],'agg':['sym']}", "0-12 ", 0);
    kit_end(&k);
    build(&k, SHAPE_COUNTED);
    expect(&k, "{'table':'trade','filter':[['>','qty',3],['<=','qty',6]],'agg':['sym']}", "3-6 ",
           3);
    kit_end(&k);
}

static void groups_that_are_runs_know_their_symbol(void **state)
{
    (void)state;
    Kit k;
    Arena a = {0};
    Request r;
    Plan p;
    char text[256];
    build(&k, SHAPE_PARTED);
    find(&k, "{'table':'trade','groupBy':'sym','agg':[['l','last','price']]}", &p, &r, &a, text);
    const ScanPiece *piece = &p.pieces[0];
    assert_true(piece->solo && piece->ordered && piece->ids_slot == p.run_slot);
    assert_int_equal(piece->ids[2], symbol_find(STR("c")));
    assert_int_equal(piece->row_count, 12);
    plan_release(&p, &k.source);
    find(&k, "{'table':'trade','filter':['=','sym','b'],'agg':['sym']}", &p, &r, &a, text);
    assert_true(!p.pieces[0].solo && p.pieces[0].ids_slot == p.slot_of[COL_SYM]);
    plan_release(&p, &k.source);
    arena_free(&a);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_of_a_parted_symbol_are_ranges),
        cmocka_unit_test(sorted_columns_are_searched),
        cmocka_unit_test(groups_that_are_runs_know_their_symbol),
    };
    return cmocka_run_group_tests_name("query/find", tests, NULL, NULL);
}
