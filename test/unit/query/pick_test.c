/*
 * pick: rows that pass become runs and lists, and any stretch of them is copied.
 */
#include "kit.h"
#include "query/find.h"
#include "query/pick.h"

typedef struct {
    Kit k;
    Arena a;
    Request r;
    Plan plan;
} Bench;

/* 20 rows, prices 0 to 19, all live; every symbol is its price as a text. */
static void open_bench(Bench *b, const char *json)
{
    memset(b, 0, sizeof *b);
    kit_make(&b->k, 10, 1);
    for (u32 i = 0; i < 20; i++) {
        char price[8];
        snprintf(price, sizeof price, "%u", i);
        kit_trade(&b->k, 0, "10:00", price, price, price);
    }
    kit_live(&b->k, 0, 20, 20);
    KIT_OK(kit_parse(&b->k, json, &b->a, &b->r));
    KIT_OK(plan_make(&b->plan, &b->k.source, &b->r, &b->a));
    KIT_OK(find_rows(&b->plan, &b->plan.pieces[0]));
}

static void close_bench(Bench *b)
{
    plan_release(&b->plan, &b->k.source);
    arena_free(&b->a);
    kit_end(&b->k);
}

/* Copies what is picked, with every skip and total, in all three kinds of columns. */
static void check(Bench *b, Pick *k, const i32 *rows, u64 count)
{
    assert_int_equal(k->total, count);
    for (u64 skip = 0; skip <= count; skip++) {
        for (u64 total = skip; total <= count; total++) {
            f64 prices[20];
            i32 syms[20];
            u64 offs[21] = {0};
            char notes[64];
            Pick part = *k;
            part.skip = skip;
            part.total = total;
            KIT_OK(pick_copy(&part, (u32)b->plan.slot_of[COL_PRICE], prices));
            KIT_OK(pick_copy(&part, (u32)b->plan.slot_of[COL_SYM], syms));
            KIT_OK(pick_offsets(&part, (u32)b->plan.slot_of[COL_NOTE], offs));
            KIT_OK(pick_elements(&part, (u32)b->plan.slot_of[COL_NOTE], notes));
            for (u64 i = skip; i < total; i++) {
                Str name = symbol_text(syms[i - skip]);
                assert_true(prices[i - skip] == rows[i]);
                assert_int_equal(offs[i - skip + 1] - offs[i - skip], name.size);
                assert_memory_equal(notes + offs[i - skip], name.data, name.size);
            }
        }
    }
}

static void selected_rows_are_listed_and_copied(void **state)
{
    (void)state;
    static const i32 rows[] = {1, 2, 3, 7, 11, 12};
    Bench b;
    Pick k;
    open_bench(&b, "{'table':'trade','agg':['price','sym','note'],'filter':['in','price',[1,2,3,7,"
                   "11,12,99]]}");
    pick_init(&k, &b.plan, UINT64_MAX);
    KIT_OK(pick_piece(&k, &b.plan.pieces[0], 0, 8));
    KIT_OK(pick_piece(&k, &b.plan.pieces[0], 8, 12));
    check(&b, &k, rows, 6);
    pick_free(&k);
    pick_free(&k);
    close_bench(&b);
}

static void whole_ranges_are_runs_and_neighbours_join(void **state)
{
    (void)state;
    static const i32 rows[] = {3, 4, 5, 6, 7, 8, 9, 15, 15, 2};
    Bench b;
    Pick k;
    open_bench(&b, "{'table':'trade','agg':['price','sym','note']}");
    pick_init(&k, &b.plan, UINT64_MAX);
    KIT_OK(pick_piece(&k, &b.plan.pieces[0], 3, 4));
    KIT_OK(pick_piece(&k, &b.plan.pieces[0], 7, 3));
    assert_int_equal(k.run_count, 1);
    KIT_OK(pick_row(&k, &b.plan.pieces[0], 15));
    KIT_OK(pick_row(&k, &b.plan.pieces[0], 15));
    KIT_OK(pick_row(&k, &b.plan.pieces[0], 2));
    assert_int_equal(k.run_count, 4);
    check(&b, &k, rows, 10);
    pick_free(&k);
    close_bench(&b);
}

static void picking_ends_when_enough_is_there(void **state)
{
    (void)state;
    Bench b;
    Pick k;
    open_bench(&b, "{'table':'trade','agg':['price','sym','note'],'filter':['>','price',0]}");
    pick_init(&k, &b.plan, 0);
    KIT_OK(pick_piece(&k, &b.plan.pieces[0], 0, 20));
    assert_int_equal(k.total, 0);
    pick_free(&k);
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selected_rows_are_listed_and_copied),
        cmocka_unit_test(whole_ranges_are_runs_and_neighbours_join),
        cmocka_unit_test(picking_ends_when_enough_is_there),
    };
    return cmocka_run_group_tests_name("query/pick", tests, NULL, NULL);
}
