/* query: no memory at any point of a query: it ends with E_MEMORY, gives back what it holds, and
 * the next one is answered. */
#include "support/starve.h"

#include "kit.h"
#include "q/wire.h"

static Kit k;

static const char *const questions[] = {
    "{'table':'trade'}",
    "{'table':'trade','filter':[['like','note','*n*'],['>','price',1]],'sortCols':['price'],"
    "'limit':5}",
    "{'table':'trade','groupBy':['sym'],'agg':[['n','count','time'],['s','sum','size'],"
    "['f','first','note'],['d','distinct','note'],['v','dev','price']]}",
    "{'table':'trade','groupBy':['note','side'],'agg':[['m','max','price'],['l','last','id']]}",
    "{'table':'trade','agg':['time','sym','note','price'],'sortCols':['note','time'],"
    "'fill':'forward'}",
};

static int prepare(void **state)
{
    (void)state;
    Prng p;
    prng_init(&p, 3);
    kit_make(&k, 64, 1);
    for (u32 i = 0; i < 300; i++)
        kit_random(&k, &p, KIT_DAY * TEMPORAL_DAY_NS + (i64)i * 1000000000);
    kit_part(&k, PART_DATE, KIT_DAY, 0, 100, KIT_DAY, false);
    kit_part(&k, PART_INTERVAL, 0, 100, 200, KIT_DAY, false);
    kit_live(&k, 200, 300, 40);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    kit_end(&k);
    return 0;
}

static Err ask(void *arg)
{
    Arena a = {0};
    Request r;
    Run *run = NULL;
    Value table;
    Buf out = {0};
    Err err = getdata_parse(arg, &k.set, &a, &r);
    if (err == E_OK) err = run_prepare(&k.source, &r, &a, &run);
    if (err == E_OK) {
        err = run_execute(run, &table);
        if (err == E_OK) err = wire_encode(&out, &table);
        run_finish(run, NULL);
    }
    buf_free(&out);
    arena_free(&a);
    return err;
}

static void queries_end_with_a_text(void **state)
{
    (void)state;
    for (u32 i = 0; i < COUNT_OF(questions); i++) {
        Arena a = {0};
        Value args;
        char *json = arena_text(&a, questions[i], strlen(questions[i]));
        for (char *p = json; *p; p++)
            if (*p == '\'') *p = '"';
        KIT_OK(json_parse(str_of(json), &a, &args));
        assert_true(starve_each("query", ask, &args, 1).refused > 10);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(queries_end_with_a_text)};
    starve_in_memory();
    return cmocka_run_group_tests_name("query/starve", tests, prepare, finish);
}
