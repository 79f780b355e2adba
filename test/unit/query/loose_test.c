/*
 * loose: what queries make of parts that lack tables and columns; which files they touch.
 */
#include "db/plain_view.h"
#include "unit/db/plain_kit.h"

#include "query/getdata.h"
#include "query/run.h"

typedef struct {
    PlainView *db;
    Domain none;
    QuerySource source;
} Base;

static void open_base(Base *b)
{
    *b = (Base){0};
    OK(plain_view_open(&b->db, root));
    OK(run_cache_make(&b->source.cache, 64));
    b->source.tables = &b->db->tables;
    b->source.views = &b->db->cache;
    b->source.view = b->db->view;
    b->source.domain = &b->none;
    b->source.domain_name = "";
    b->source.dates = true;
    b->source.threads = 1;
}

static void close_base(Base *b)
{
    run_cache_free(b->source.cache);
    plain_view_close(b->db);
}

/* Asks for one aggregation of a column of `t`, with a filter by `=` or without. */
static Err ask(Base *b, const char *function, const char *name, const char *filter, i64 value,
               i64 *out, RunStats *stats)
{
    Arena a = {0};
    Request r;
    Run *run = NULL;
    Value args = value_dict(&a, 3), agg = value_list(&a, 1), one = value_list(&a, 3);
    Value filters = value_list(&a, 1), equal = value_list(&a, 3), table;
    vec_value(&one.as.vec)[0] = value_symbol("x");
    vec_value(&one.as.vec)[1] = value_symbol(function);
    vec_value(&one.as.vec)[2] = value_symbol(name);
    vec_value(&agg.as.vec)[0] = one;
    value_put(&args, "table", value_symbol("t"));
    value_put(&args, "agg", agg);
    if (filter != NULL) {
        vec_value(&equal.as.vec)[0] = value_symbol("=");
        vec_value(&equal.as.vec)[1] = value_symbol(filter);
        vec_value(&equal.as.vec)[2] = value_atom(QT_DATE, value);
        vec_value(&filters.as.vec)[0] = equal;
        value_put(&args, "filter", filters);
    }
    Err err = getdata_parse(&args, &b->db->tables, &a, &r);
    if (err == E_OK) err = run_prepare(&b->source, &r, &a, &run);
    if (err == E_OK) {
        err = run_execute(run, &table);
        if (err == E_OK) *out = vec_i64(&table.as.table.cols[0].as.vec)[0];
        run_finish(run, stats);
    }
    arena_free(&a);
    return err;
}

/* Three dates of a table t with columns x and y: the first lacks the table, the second y. */
static void make(void)
{
    OK(dir_make_all(at("2024.01.01/other")));
    symbols("2024.01.02/t/.d", "x,");
    column("2024.01.02/t/x", QT_LONG, 3);
    symbols("2024.01.03/t/.d", "x,y,");
    column("2024.01.03/t/x", QT_LONG, 5);
    column("2024.01.03/t/y", QT_LONG, 5);
}

static void missing_tables_are_empty_and_missing_columns_null(void **state)
{
    (void)state;
    Base b;
    i64 out = 0;
    begin();
    make();
    open_base(&b);
    OK(ask(&b, "count", "x", NULL, 0, &out, NULL));
    assert_int_equal(out, 8);
    OK(ask(&b, "count", "x", "date", 8767, &out, NULL));
    assert_int_equal(out, 3);
    OK(ask(&b, "count", "x", "date", 8766, &out, NULL));
    assert_int_equal(out, 0);
    OK(ask(&b, "sum", "y", NULL, 0, &out, NULL));
    assert_int_equal(out, 0);
    OK(ask(&b, "max", "y", "date", 8767, &out, NULL)); /* of nulls alone */
    assert_true(out <= -INT64_MAX);
    close_base(&b);
    end();
}

static void a_part_is_opened_when_it_is_needed(void **state)
{
    (void)state;
    Base b;
    i64 out = 0;
    RunStats stats;
    begin();
    make();
    open_base(&b);
    text("2024.01.02/t/.d", "damaged");
    OK(ask(&b, "count", "x", "date", 8768, &out, &stats));
    assert_int_equal(out, 5);
    assert_int_equal(stats.parts, 3);
    assert_int_equal(stats.parts_pruned, 2);
    assert_int_equal(ask(&b, "count", "x", NULL, 0, &out, NULL), E_CORRUPT);
    assert_non_null(strstr(fail_text(), "2024.01.02/t/.d"));
    symbols("2024.01.02/t/.d", "x,y,"); /* it names a column that has no file */
    OK(ask(&b, "count", "x", NULL, 0, &out, NULL));
    assert_int_equal(out, 8);
    assert_int_equal(ask(&b, "sum", "y", NULL, 0, &out, NULL), E_CORRUPT);
    assert_non_null(strstr(fail_text(), "2024.01.02/t/y"));
    OK(dir_unlink(at("2024.01.02/t/.d")));
    close_base(&b);
    open_base(&b);
    assert_int_equal(ask(&b, "count", "x", NULL, 0, &out, NULL), E_CORRUPT);
    assert_non_null(strstr(fail_text(), "P-03"));
    close_base(&b);
    end();
}

static void another_type_is_an_error(void **state)
{
    (void)state;
    Base b;
    i64 out = 0;
    begin();
    make();
    column("2024.01.02/t/x", QT_FLOAT, 3);
    open_base(&b);
    assert_int_equal(ask(&b, "sum", "x", NULL, 0, &out, NULL), E_CORRUPT);
    assert_non_null(strstr(fail_text(), "P-17"));
    OK(ask(&b, "sum", "x", "date", 8768, &out, NULL));
    close_base(&b);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_tables_are_empty_and_missing_columns_null),
        cmocka_unit_test(a_part_is_opened_when_it_is_needed),
        cmocka_unit_test(another_type_is_an_error),
    };
    return cmocka_run_group_tests_name("loose", tests, NULL, NULL);
}
