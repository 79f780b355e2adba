/*
 * getdata: arguments in every form they come in, from JSON and as q values, and every refusal by
 * its code and the argument that it names.
 */
#include "kit.h"
#include "query/getdata.h"

#include "q/json.h"

#include <math.h>

/* A schema without a database. */
static Kit kit;

static int setup(void **state)
{
    (void)state;
    kit_schema(&kit);
    return 0;
}

/* Parses JSON arguments; quotes are written as '. */
static Err parse(const char *json, Arena *a, Request *r)
{
    Value v;
    char *text = arena_text(a, json, strlen(json));
    for (char *p = text; *p; p++) {
        if (*p == '\'') *p = '"';
    }
    KIT_OK(json_parse(str_of(text), a, &v));
    return getdata_parse(&v, &kit.set, a, r);
}

static void a_table_alone_asks_for_everything(void **state)
{
    (void)state;
    Arena a = {0};
    Request r;
    KIT_OK(parse("{'table':'trade'}", &a, &r));
    assert_ptr_equal(r.schema, &kit.schema);
    assert_int_equal(r.table, 0);
    assert_true(r.start == INT64_MIN && r.end == INT64_MAX);
    assert_false(r.aggregated || r.limited);
    assert_int_equal(r.select_count, COL_COUNT);
    for (u32 i = 0; i < COL_COUNT; i++) {
        assert_int_equal(r.selects[i].column, i);
        assert_int_equal(r.selects[i].kind, AGG_NONE);
        assert_true(str_is(r.selects[i].name, kit.columns[i].name));
    }
    arena_free(&a);
}

static void times_come_as_q_or_iso_text_or_numbers_and_nulls_are_none(void **state)
{
    (void)state;
    Arena a = {0};
    Request r;
    i64 day = (i64)KIT_DAY * TEMPORAL_DAY_NS;
    KIT_OK(parse("{'table':'trade','startTS':'2024.05.14D00:00:00.000000000','endTS':'2024-05-"
                 "14T10:00:00Z'}",
                 &a, &r));
    assert_true(r.start == day && r.end == day + 36000 * 1000000000ll);
    KIT_OK(parse("{'table':'trade','startTS':'2024.05.14','endTS':null}", &a, &r));
    assert_true(r.start == day && r.end == INT64_MAX);
    KIT_OK(parse("{'table':'trade','startTS':'','endTS':'0Wp'}", &a, &r));
    assert_true(r.start == INT64_MIN && r.end == INT64_MAX);
    KIT_OK(parse("{'table':'trade','startTS':5}", &a, &r));
    assert_true(r.start == 5);
    arena_free(&a);
}

static void q_values_are_read_as_they_come(void **state)
{
    (void)state;
    Arena a = {0};
    Request r;
    Value args = value_dict(&a, 8), filter = value_list(&a, 3), groups;
    Str names[] = {STR("sym"), STR("ex")}, triple[] = {STR("hi"), STR("max"), STR("price")};
    Value aggs = value_list(&a, 1);
    vec_value(&aggs.as.vec)[0] = value_vec(vec_of(QT_SYMBOL, triple, 3));
    vec_value(&filter.as.vec)[0] = value_atom(QT_CHAR, '=');
    vec_value(&filter.as.vec)[1] = value_symbol("sym");
    vec_value(&filter.as.vec)[2] = value_symbol("IBM");
    groups = value_vec(vec_of(QT_SYMBOL, names, 2));
    value_put(&args, "", value_null());
    value_put(&args, "table", value_symbol("trade"));
    value_put(&args, "startTS", value_timestamp(17));
    value_put(&args, "endTS", value_atom(QT_DATE, 9000));
    value_put(&args, "filter", filter);
    value_put(&args, "groupBy", groups);
    value_put(&args, "agg", aggs);
    value_put(&args, "limit", value_int(-3));
    KIT_OK(getdata_parse(&args, &kit.set, &a, &r));
    assert_true(r.start == 17 && r.end == 9000 * TEMPORAL_DAY_NS);
    assert_int_equal(r.filter_count, 1);
    assert_int_equal(r.filters[0].op, FILTER_EQ);
    assert_int_equal(r.filters[0].column, COL_SYM);
    assert_int_equal(r.filters[0].value.type, -QT_SYMBOL);
    assert_true(str_is(r.filters[0].value.as.text, "IBM"));
    assert_int_equal(r.group_count, 2);
    assert_int_equal(r.groups[1], COL_EX);
    assert_true(r.aggregated && r.limited && r.limit == -3);
    assert_int_equal(r.select_count, 1);
    assert_int_equal(r.selects[0].kind, AGG_MAX);
    assert_int_equal(r.selects[0].column, COL_PRICE);
    assert_true(str_is(r.selects[0].name, "hi"));
    arena_free(&a);
}

static void filters_nest_and_cast_their_values(void **state)
{
    (void)state;
    Arena a = {0};
    Request r;
    KIT_OK(parse("{'table':'trade','filter':[['=','qty',5],['in','sym',['a','b']],['within','time',"
                 "['2024.05.14D01:00','2024.05.14D02:00']],['or',['<','price',1],['not',['like','"
                 "note','x*']],"
                 "['and',['=','side','B'],['>=','real',0.1],['<>','date','2024-05-14']]]]}",
                 &a, &r));
    assert_int_equal(r.filter_count, 4);
    assert_true(r.filters[0].value.type == -QT_INT && r.filters[0].value.as.i == 5);
    assert_true(r.filters[1].value.type == QT_SYMBOL && value_count(&r.filters[1].value) == 2);
    assert_true(r.filters[2].value.type == QT_TIMESTAMP);
    assert_true(vec_i64(&r.filters[2].value.as.vec)[0] ==
                (i64)KIT_DAY * TEMPORAL_DAY_NS + 3600000000000ll);
    const Filter *any = &r.filters[3];
    assert_true(any->op == FILTER_OR && any->arg_count == 3 && any->column == -1);
    assert_true(any->args[0].value.type == -QT_FLOAT && any->args[0].value.as.f == 1.0);
    assert_int_equal(any->args[1].op, FILTER_NOT);
    assert_int_equal(any->args[1].args[0].op, FILTER_LIKE);
    assert_true(any->args[2].args[0].value.type == -QT_CHAR &&
                any->args[2].args[0].value.as.i == 'B');
    assert_true(any->args[2].args[1].value.type == -QT_REAL &&
                any->args[2].args[1].value.as.f == (f64)0.1f);
    assert_true(any->args[2].args[2].value.type == -QT_DATE &&
                any->args[2].args[2].value.as.i == KIT_DAY);
    KIT_OK(parse("{'table':'trade','filter':['in','size',7]}", &a, &r));
    assert_true(r.filter_count == 1 && r.filters[0].value.type == QT_LONG &&
                value_count(&r.filters[0].value) == 1);
    KIT_OK(parse("{'table':'trade','filter':[['=','flag',true],['=','size',null],['=','sym','']]}",
                 &a, &r));
    assert_true(r.filters[0].value.type == -QT_BOOLEAN && r.filters[0].value.as.i == 1);
    assert_true(r.filters[1].value.as.i == Q_NULL_LONG);
    assert_true(r.filters[2].value.as.text.size == 0);
    KIT_OK(parse("{'table':'trade','filter':[]}", &a, &r));
    assert_int_equal(r.filter_count, 0);
    arena_free(&a);
}

static void agg_has_three_forms(void **state)
{
    (void)state;
    Arena a = {0};
    Request r;
    KIT_OK(parse("{'table':'trade','agg':'price'}", &a, &r));
    assert_true(r.select_count == 1 && r.selects[0].column == COL_PRICE && !r.aggregated);
    KIT_OK(parse("{'table':'trade','agg':['sym',['p','price'],['qty']]}", &a, &r));
    assert_int_equal(r.select_count, 3);
    assert_true(str_is(r.selects[1].name, "p") && r.selects[1].column == COL_PRICE);
    assert_true(r.selects[2].column == COL_QTY && !r.aggregated);
    KIT_OK(parse("{'table':'trade','agg':[['v','wavg','size','price'],['w','wavg',['size','price']]"
                 ",['n','count','sym']]}",
                 &a, &r));
    for (u32 i = 0; i < 2; i++)
        assert_true(r.selects[i].kind == AGG_WAVG && r.selects[i].column == COL_SIZE &&
                    r.selects[i].column2 == COL_PRICE);
    assert_true(r.selects[2].kind == AGG_COUNT && r.selects[2].column2 == -1 && r.aggregated);
    KIT_OK(parse("{'table':'trade','groupBy':['sym']}", &a, &r));
    assert_int_equal(r.select_count, COL_COUNT - 1);
    assert_true(r.aggregated && r.selects[0].kind == AGG_LAST && r.selects[0].column == COL_TIME);
    arena_free(&a);
}

static void sort_limit_fill_and_slice_are_read(void **state)
{
    (void)state;
    Arena a = {0};
    Request r;
    KIT_OK(parse("{'table':'trade','sortCols':['sym','price','desc','qty','asc'],'limit':-5,'fill':"
                 "'forward'}",
                 &a, &r));
    assert_int_equal(r.sort_count, 3);
    assert_true(r.sorts[0].column == COL_SYM && !r.sorts[0].descending);
    assert_true(r.sorts[1].column == COL_PRICE && r.sorts[1].descending);
    assert_true(r.sorts[2].column == COL_QTY && !r.sorts[2].descending);
    assert_true(r.limited && r.limit == -5 && r.fill == FILL_FORWARD);
    KIT_OK(parse("{'table':'trade','sortCols':[['sym','desc'],'note'],'limit':[0],'fill':'zero'}",
                 &a, &r));
    assert_true(r.sort_count == 2 && r.sorts[0].descending && r.sorts[1].column == COL_NOTE);
    assert_true(r.limited && r.limit == 0 && r.fill == FILL_ZERO);
    KIT_OK(
        parse("{'table':'trade','groupBy':'ex','agg':[['m','max','qty']],'sortCols':['m','desc']}",
              &a, &r));
    assert_true(r.sorts[0].column == 1 && r.sorts[0].descending);
    KIT_OK(parse("{'table':'trade','temporality':'slice','startTS':'2024.05.14D09:30','endTS':'"
                 "2024.05.16D16:00'}",
                 &a, &r));
    assert_true(r.start == KIT_DAY * TEMPORAL_DAY_NS && r.end == (KIT_DAY + 3) * TEMPORAL_DAY_NS);
    assert_true(r.slice_from == 34200000000000ll && r.slice_to == 57600000000000ll);
    KIT_OK(parse("{'table':'trade','temporality':'slice','slice':['10:00','1D']}", &a, &r));
    assert_true(r.start == INT64_MIN && r.end == INT64_MAX && r.slice_to == TEMPORAL_DAY_NS);
    KIT_OK(parse("{'table':'trade','temporality':'slice','slice':['10:00','09:00']}", &a, &r));
    assert_true(r.start == r.end);
    KIT_OK(parse("{'table':'trade','temporality':'snapshot','limit':null,'fill':null,'sortCols':[],"
                 "'options':"
                 "{'timeout':250,'logCorr':'x','appName':1},'labels':{'region':'eu'},'scope':{'"
                 "assembly':'a'},"
                 "'inputTZ':'UTC','outputTZ':'UTC','outputTZCols':['time']}",
                 &a, &r));
    assert_true(r.timeout_ns == 250000000 && !r.limited && r.slice_from == r.slice_to);
    arena_free(&a);
}

static void what_is_wrong_is_refused_by_name(void **state)
{
    (void)state;

    static const struct {
        const char *json;
        Err err;
        const char *text; /* part of the message */
    } rows[] = {
        {"{}", E_USAGE, "table"},
        {"[]", E_USAGE, "dictionary"},
        {"5", E_USAGE, "dictionary"},
        {"{'table':5}", E_USAGE, "table"},
        {"{'table':'quote'}", E_NOT_FOUND, "quote"},
        {"{'table':'trade','tabel':1}", E_USAGE, "tabel"},
        {"{'table':'trade','startTS':'yesterday'}", E_USAGE, "startTS"},
        {"{'table':'trade','endTS':true}", E_USAGE, "endTS"},
        {"{'table':'trade','inputTZ':'Europe/Paris'}", E_UNSUPPORTED, "Europe/Paris"},
        {"{'table':'trade','outputTZ':7}", E_USAGE, "outputTZ"},
        {"{'table':'trade','outputTZCols':['x']}", E_NOT_FOUND, "outputTZCols"},
        {"{'table':'trade','filter':5}", E_USAGE, "filter"},
        {"{'table':'trade','filter':'x'}", E_USAGE, "filter"},
        {"{'table':'trade','filter':[5]}", E_USAGE, "filter"},
        {"{'table':'trade','filter':[['==','qty',1]]}", E_USAGE, "=="},
        {"{'table':'trade','filter':[['=','qty']]}", E_USAGE, "2 items"},
        {"{'table':'trade','filter':[['=','qty',1,2]]}", E_USAGE, "4 items"},
        {"{'table':'trade','filter':[['=','nope',1]]}", E_NOT_FOUND, "nope"},
        {"{'table':'trade','filter':[['=','qty','x']]}", E_TYPE, "qty"},
        {"{'table':'trade','filter':[['=','qty',1.5]]}", E_TYPE, "qty"},
        {"{'table':'trade','filter':[['=','qty',3000000000]]}", E_TYPE, "qty"},
        {"{'table':'trade','filter':[['=','small',40000]]}", E_TYPE, "small"},
        {"{'table':'trade','filter':[['=','byte',256]]}", E_TYPE, "byte"},
        {"{'table':'trade','filter':[['=','sym',1]]}", E_TYPE, "sym"},
        {"{'table':'trade','filter':[['=','side','BS']]}", E_TYPE, "side"},
        {"{'table':'trade','filter':[['=','qty',[1,2]]]}", E_TYPE, "qty"},
        {"{'table':'trade','filter':[['like','qty','1*']]}", E_TYPE, "like"},
        {"{'table':'trade','filter':[['like','sym',1]]}", E_TYPE, "pattern"},
        {"{'table':'trade','filter':[['within','qty',[1]]]}", E_USAGE, "two values"},
        {"{'table':'trade','filter':[['within','qty',1]]}", E_USAGE, "two values"},
        {"{'table':'trade','filter':[['not',['=','qty',1],['=','qty',2]]]}", E_USAGE, "not"},
        {"{'table':'trade','filter':[['and']]}", E_USAGE, "and"},
        {"{'table':'trade','filter':[['or','x']]}", E_USAGE, "filter"},
        {"{'table':'trade','filter':[['=','id','00']]}", E_TYPE, "id"},
        {"{'table':'trade','groupBy':'nope'}", E_NOT_FOUND, "nope"},
        {"{'table':'trade','groupBy':['sym','sym']}", E_USAGE, "twice"},
        {"{'table':'trade','groupBy':[5]}", E_USAGE, "groupBy"},
        {"{'table':'trade','agg':7}", E_USAGE, "agg"},
        {"{'table':'trade','agg':['nope']}", E_NOT_FOUND, "nope"},
        {"{'table':'trade','agg':[['x','nope']]}", E_NOT_FOUND, "nope"},
        {"{'table':'trade','agg':[['x','median','price']]}", E_NOT_FOUND, "median"},
        {"{'table':'trade','agg':[['x','sum','sym']]}", E_TYPE, "sum of column sym"},
        {"{'table':'trade','agg':[['x','wavg','price']]}", E_USAGE, "two columns"},
        {"{'table':'trade','agg':[['x','sum','price','size']]}", E_USAGE, "one column"},
        {"{'table':'trade','agg':[['x','wavg','size','sym']]}", E_TYPE, "sym"},
        {"{'table':'trade','agg':[['x','wavg',['size','price'],'qty']]}", E_USAGE, "two columns"},
        {"{'table':'trade','agg':[['a','b','c','d','e']]}", E_USAGE, "agg"},
        {"{'table':'trade','agg':[[]]}", E_USAGE, "agg"},
        {"{'table':'trade','agg':['sym','sym']}", E_USAGE, "two columns are named sym"},
        {"{'table':'trade','agg':['sym',['n','count','sym']]}", E_USAGE, "function"},
        {"{'table':'trade','groupBy':'sym','agg':['price']}", E_USAGE, "function"},
        {"{'table':'trade','groupBy':'sym','agg':[['sym','count','qty']]}", E_USAGE,
         "groupBy column"},
        {"{'table':'trade','sortCols':['nope']}", E_NOT_FOUND, "nope"},
        {"{'table':'trade','sortCols':['desc']}", E_NOT_FOUND, "desc"},
        {"{'table':'trade','agg':[['d','distinct','qty']],'sortCols':['d']}", E_TYPE, "list"},
        {"{'table':'trade','limit':'5'}", E_USAGE, "limit"},
        {"{'table':'trade','limit':1.5}", E_USAGE, "limit"},
        {"{'table':'trade','limit':[1,2]}", E_USAGE, "limit"},
        {"{'table':'trade','fill':'linear'}", E_USAGE, "linear"},
        {"{'table':'trade','temporality':'daily'}", E_USAGE, "daily"},
        {"{'table':'trade','temporality':'slice'}", E_USAGE, "startTS"},
        {"{'table':'trade','slice':['10:00','11:00']}", E_USAGE, "slice"},
        {"{'table':'trade','temporality':'slice','slice':['10:00']}", E_USAGE, "two times"},
        {"{'table':'trade','temporality':'slice','slice':['10:00','2D']}", E_USAGE, "slice"},
        {"{'table':'trade','labels':5}", E_USAGE, "labels"},
        {"{'table':'trade','scope':'x'}", E_USAGE, "scope"},
        {"{'table':'trade','options':5}", E_USAGE, "options"},
        {"{'table':'trade','options':{'retries':3}}", E_USAGE, "retries"},
        {"{'table':'trade','options':{'timeout':-1}}", E_USAGE, "timeout"},
        {"{'table':'trade','options':{'timeout':'x'}}", E_USAGE, "timeout"},
    };

    for (u32 i = 0; i < COUNT_OF(rows); i++) {
        Arena a = {0};
        Request r;
        Err err = parse(rows[i].json, &a, &r);
        if (err != rows[i].err || strstr(fail_text(), rows[i].text) == NULL)
            fail_msg("%s: %s: %s", rows[i].json, fail_name(err), err == E_OK ? "" : fail_text());
        arena_free(&a);
    }
}

static void filters_nested_too_deep_are_refused(void **state)
{
    (void)state;
    Arena a = {0};
    Request r;
    Value f = value_list(&a, 3);
    vec_value(&f.as.vec)[0] = value_symbol("=");
    vec_value(&f.as.vec)[1] = value_symbol("qty");
    vec_value(&f.as.vec)[2] = value_long(1);
    for (u32 i = 0; i < 100000; i++) {
        Value outer = value_list(&a, 2);
        vec_value(&outer.as.vec)[0] = value_symbol("not");
        vec_value(&outer.as.vec)[1] = f;
        f = outer;
    }
    Value args = value_dict(&a, 2);
    value_put(&args, "table", value_symbol("trade"));
    value_put(&args, "filter", f);
    assert_int_equal(getdata_parse(&args, &kit.set, &a, &r), E_LIMIT);
    arena_free(&a);
}

static void a_table_without_a_time_column_has_no_times(void **state)
{
    (void)state;
    Arena a = {0};
    Request r;
    kit.schema.prtn = -1;
    Err plain = parse("{'table':'trade'}", &a, &r);
    Err timed = parse("{'table':'trade','startTS':'2024.05.14'}", &a, &r);
    Err sliced = parse("{'table':'trade','temporality':'slice','slice':['10:00','11:00']}", &a, &r);
    kit.schema.prtn = 0;
    KIT_OK(plain);
    assert_int_equal(timed, E_USAGE);
    assert_int_equal(sliced, E_USAGE);
    arena_free(&a);
}

static void arguments_that_are_no_dictionary_of_names_are_refused(void **state)
{
    (void)state;
    Arena a = {0};
    Request r;
    i64 numbers[] = {1, 2};
    Value args = value_dict(&a, 2), keys = value_vec(vec_of(QT_LONG, numbers, 2));
    value_put(&args, "table", value_symbol("trade"));
    value_put(&args, "table", value_symbol("trade"));
    assert_int_equal(getdata_parse(&args, &kit.set, &a, &r), E_USAGE);
    *args.as.dict.keys = keys;
    assert_int_equal(getdata_parse(&args, &kit.set, &a, &r), E_USAGE);
    args.as.dict.keys->as.vec.count = 1;
    assert_int_equal(getdata_parse(&args, &kit.set, &a, &r), E_USAGE);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_alone_asks_for_everything),
        cmocka_unit_test(times_come_as_q_or_iso_text_or_numbers_and_nulls_are_none),
        cmocka_unit_test(q_values_are_read_as_they_come),
        cmocka_unit_test(filters_nest_and_cast_their_values),
        cmocka_unit_test(agg_has_three_forms),
        cmocka_unit_test(sort_limit_fill_and_slice_are_read),
        cmocka_unit_test(what_is_wrong_is_refused_by_name),
        cmocka_unit_test(filters_nested_too_deep_are_refused),
        cmocka_unit_test(a_table_without_a_time_column_has_no_times),
        cmocka_unit_test(arguments_that_are_no_dictionary_of_names_are_refused),
    };
    return cmocka_run_group_tests_name("query/getdata", tests, setup, NULL);
}
