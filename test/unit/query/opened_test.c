/*
 * opened: columns are mapped once, kept while used, and let go by age.
 */
#include "kit.h"
#include "query/opened.h"

static void build(Kit *k, u32 most)
{
    kit_make(k, most, 1);
    kit_trade(k, 0, "10:00", "a", "1", "1");
    kit_trade(k, 0, "11:00", "b", "2", "2");
    kit_part(k, PART_DATE, KIT_DAY, 0, 2, KIT_DAY, false);
}

/* Maps a column and gives it to the cache. */
static void give(Kit *k, u32 column)
{
    Opened *o;
    const Part *p = &k->dates->parts[0];
    KIT_OK(opened_open(p, p->tables, &k->columns[column], &o));
    opened_give(k->source.cache, p->tables, COL_COUNT, column, o);
}

static void what_is_given_is_found_until_it_is_the_oldest(void **state)
{
    (void)state;
    Kit k;
    build(&k, 2);
    QueryCache *c = k.source.cache;
    PartTable *t = k.dates->parts[0].tables;
    assert_int_equal(opened_max(c), 2);
    assert_null(opened_find(c, t, COL_SYM));
    give(&k, COL_SYM);
    give(&k, COL_PRICE);
    Opened *sym = opened_find(c, t, COL_SYM);
    assert_non_null(sym);
    assert_int_equal(sym->column.rows, 2);
    give(&k, COL_SIZE); /* price is now the oldest that nobody uses */
    assert_null(opened_find(c, t, COL_PRICE));
    give(&k, COL_QTY);
    Opened *again = opened_find(c, t, COL_SYM); /* in use, so it stayed */
    assert_ptr_equal(again, sym);
    opened_release(c, sym);
    opened_release(c, sym);
    give(&k, COL_SYM); /* a second one of the same is closed */
    assert_ptr_equal(opened_find(c, t, COL_SYM), sym);
    opened_release(c, sym);
    assert_null(opened_find(c, t, COL_COUNT + 5));
    kit_end(&k);
}

static void what_is_in_use_is_kept_instead_of_what_is_new(void **state)
{
    (void)state;
    Kit k;
    build(&k, 3);
    QueryCache *c = k.source.cache;
    PartTable *t = k.dates->parts[0].tables;
    Opened *held[4];
    for (u32 i = 0; i < 4; i++) {
        give(&k, i);
        held[i] = opened_find(c, t, i);
        assert_int_equal(held[i] != NULL, i < 3);
    }
    for (u32 i = 0; i < 3; i++)
        opened_release(c, held[i]);
    give(&k, 3);
    held[3] = opened_find(c, t, 3);
    assert_non_null(held[3]);
    opened_release(c, held[3]);
    assert_null(opened_find(c, t, 0));
    run_cache_forget(c, k.dates);
    for (u32 i = 0; i < 4; i++)
        assert_null(opened_find(c, t, i));
    assert_null(t->opened);
    run_cache_free(NULL);
    kit_end(&k);
}

static void columns_that_contradict_the_view_are_refused(void **state)
{
    (void)state;
    Kit k;
    build(&k, 10);
    Opened *o;
    const Part *p = &k.dates->parts[0];
    SchemaColumn c = k.columns[COL_PRICE];
    c.type = QT_LONG;
    assert_int_equal(opened_open(p, p->tables, &c, &o), E_CORRUPT);
    assert_null(o);
    assert_non_null(strstr(fail_text(), "trade/price"));
    c = k.columns[COL_PRICE];
    c.name = "nothing";
    assert_int_equal(opened_open(p, p->tables, &c, &o), E_CORRUPT);
    p->tables->rows = 3;
    assert_int_equal(opened_open(p, p->tables, &k.columns[COL_PRICE], &o), E_CORRUPT);
    assert_non_null(strstr(fail_text(), "2 rows"));
    p->tables->rows = 2;
    opened_close(NULL);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_given_is_found_until_it_is_the_oldest),
        cmocka_unit_test(what_is_in_use_is_kept_instead_of_what_is_new),
        cmocka_unit_test(columns_that_contradict_the_view_are_refused),
    };
    return cmocka_run_group_tests_name("query/opened", tests, NULL, NULL);
}
