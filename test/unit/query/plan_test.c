/*
 * plan: parts are left out by their time range, columns are mapped only when asked, and everything
 * is given back.
 */
#include "kit.h"
#include "query/plan.h"

static void build(Kit *k)
{
    kit_make(k, 100, 1);
    for (i32 d = 0; d < 4; d++) {
        kit_trade(k, d, "10:00", "a", "1", "1");
        kit_trade(k, d, "12:00", "b", "2", "2");
    }
    for (i32 d = 0; d < 2; d++)
        kit_part(k, PART_DATE, KIT_DAY + d, 0, 4, KIT_DAY + d, false);
    kit_part(k, PART_INTERVAL, 0, 4, 6, KIT_DAY + 2, false);
    kit_part(k, PART_INTERVAL, 1, 0, 6, KIT_DAY + 2,
             true); /* late rows of days 0 and 1, once more */
    kit_live(k, 6, 8, 1);
}

/* Pieces as letters: d date, i interval, l late, m live; upper case when their times are looked
 * at. */
static void expect(Kit *k, const char *json, const char *pieces, u64 pruned)
{
    Arena a = {0};
    Request r;
    Plan p;
    char text[32] = "";
    KIT_OK(kit_parse(k, json, &a, &r));
    KIT_OK(plan_make(&p, &k->source, &r, &a));
    for (u64 i = 0; i < p.piece_count; i++) {
        const Part *part = p.pieces[i].part;
        text[i] = part == NULL ? 'm' : part->kind == PART_DATE ? 'd' : part->late ? 'l' : 'i';
        if (p.pieces[i].time_check || p.pieces[i].day_check) text[i] = (char)(text[i] - 32);
    }
    if (strcmp(text, pieces) != 0) fail_msg("%s: %s, expected %s", json, text, pieces);
    assert_int_equal(p.parts_pruned, pruned);
    plan_release(&p, &k->source);
    plan_release(&p, &k->source);
    arena_free(&a);
}

static void parts_and_live_rows_are_pruned_by_time(void **state)
{
    (void)state;
    Kit k;
    build(&k);
    expect(&k, "{'table':'trade'}", "ddilm", 0);
    expect(&k, "{'table':'trade','startTS':'2024.05.14D11:00'}", "DdiLm", 0);
    expect(&k, "{'table':'trade','startTS':'2024.05.15'}", "diLm", 1);
    expect(&k, "{'table':'trade','startTS':'2024.05.16'}", "im", 3);
    expect(&k, "{'table':'trade','endTS':'2024.05.14D12:00'}", "DL", 2);
    expect(&k, "{'table':'trade','endTS':'2024.05.14'}", "", 4);
    expect(&k, "{'table':'trade','startTS':'2030.01.01'}", "", 4);
    expect(&k, "{'table':'trade','startTS':'2024.05.16','endTS':'2024.05.16'}", "", 4);
    expect(&k,
           "{'table':'trade','filter':['within','time',['2024.05.15D10:00','2024.05.15D12:00']]}",
           "dL", 2);
    expect(&k, "{'table':'trade','filter':['>','time','2024.05.16D12:00']}", "m", 4);
    expect(&k, "{'table':'trade','filter':['or',['>','time','2024.05.16D12:00'],['=','sym','a']]}",
           "ddilm", 0);
    /* the daily window of a date part is a time range */
    expect(&k, "{'table':'trade','temporality':'slice','slice':['09:00','11:00']}", "DDILM", 0);
    expect(&k, "{'table':'trade','temporality':'slice','slice':['09:00','13:00']}", "ddILM", 0);
    k.source.dates = false;
    expect(&k, "{'table':'trade'}", "ilm", 0);
    k.source.intervals = false;
    expect(&k, "{'table':'trade'}", "m", 0);
    k.source.live = NULL;
    expect(&k, "{'table':'trade'}", "", 0);
    kit_end(&k);
}

static void only_asked_columns_are_missing(void **state)
{
    (void)state;

    static const struct {
        const char *json;
        u32 missing; /* of the first part */
    } rows[] = {
        {"{'table':'trade','agg':[['n','count','price']]}", 0},
        {"{'table':'trade','agg':['price']}", 1},
        {"{'table':'trade','agg':[['l','last','price']]}", 2}, /* and the time */
        {"{'table':'trade','agg':['price'],'startTS':'2024.05.14D11:00'}", 2},
        {"{'table':'trade','agg':['price'],'fill':'forward'}", 2},
        {"{'table':'trade','groupBy':['sym','ex'],'agg':[['w','wavg','size','price']],'filter':['='"
         ",'sym','a']}",
         4},
        {"{'table':'trade'}", COL_COUNT},
    };

    Kit k;
    build(&k);
    for (u32 i = 0; i < COUNT_OF(rows); i++) {
        Arena a = {0};
        Request r;
        Plan p;
        run_cache_forget(k.source.cache, k.dates);
        KIT_OK(kit_parse(&k, rows[i].json, &a, &r));
        KIT_OK(plan_make(&p, &k.source, &r, &a));
        assert_int_equal(plan_missing(&p, &p.pieces[0]), rows[i].missing);
        assert_int_equal(plan_missing(&p, &p.pieces[p.piece_count - 1]), 0); /* live rows */
        KIT_OK(plan_open(&p, &p.pieces[0]));
        assert_int_equal(plan_missing(&p, &p.pieces[0]), 0);
        plan_release(&p, &k.source);
        KIT_OK(plan_make(&p, &k.source, &r, &a)); /* now from the cache */
        assert_int_equal(plan_missing(&p, &p.pieces[0]), 0);
        plan_close(&p, &p.pieces[0]); /* which closes only a query's own */
        assert_int_equal(plan_missing(&p, &p.pieces[0]), 0);
        plan_release(&p, &k.source);
        arena_free(&a);
    }
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_and_live_rows_are_pruned_by_time),
        cmocka_unit_test(only_asked_columns_are_missing),
    };
    return cmocka_run_group_tests_name("query/plan", tests, NULL, NULL);
}
