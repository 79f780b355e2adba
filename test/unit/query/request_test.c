/*
 * request: every aggregation has a name that leads back to it, and q's types.
 */
#include "query/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void names_lead_back_to_their_aggregation(void **state)
{
    (void)state;
    AggKind kind;
    for (int k = AGG_COUNT; k <= AGG_SCOV; k++) {
        const char *name = request_agg_name((AggKind)k);
        assert_true(name[0] != 0);
        assert_true(request_agg_parse(str_of(name), &kind));
        assert_int_equal(kind, k);
    }
    assert_false(request_agg_parse(STR(""), &kind));
    assert_int_equal(kind, AGG_NONE);
    assert_false(request_agg_parse(STR("medians"), &kind));
    assert_false(request_agg_parse(STR("sums"), &kind));
    assert_string_equal(request_agg_name(AGG_NONE), "");
}

static void pairs_are_the_functions_of_two_columns(void **state)
{
    (void)state;
    u32 pairs = 0;
    for (int k = AGG_NONE; k <= AGG_SCOV; k++)
        pairs += request_agg_pairs((AggKind)k);
    assert_int_equal(pairs, 5);
    assert_true(request_agg_pairs(AGG_WAVG) && request_agg_pairs(AGG_WSUM) &&
                request_agg_pairs(AGG_COR));
    assert_true(request_agg_pairs(AGG_COV) && request_agg_pairs(AGG_SCOV));
}

static void types_are_those_of_q(void **state)
{
    (void)state;

    static const struct {
        AggKind kind;
        int type, result;
    } rows[] = {
        {AGG_COUNT, QT_SYMBOL, QT_LONG},  {AGG_COUNT, QT_STRING, QT_LONG},
        {AGG_SUM, QT_BOOLEAN, QT_INT},    {AGG_SUM, QT_BYTE, QT_INT},
        {AGG_SUM, QT_SHORT, QT_INT},      {AGG_SUM, QT_INT, QT_INT},
        {AGG_SUM, QT_LONG, QT_LONG},      {AGG_SUM, QT_REAL, QT_REAL},
        {AGG_SUM, QT_FLOAT, QT_FLOAT},    {AGG_SUM, QT_TIMESPAN, QT_TIMESPAN},
        {AGG_SUM, QT_SYMBOL, -1},         {AGG_SUM, QT_CHAR, -1},
        {AGG_SUM, QT_GUID, -1},           {AGG_SUM, QT_STRING, -1},
        {AGG_PRD, QT_SHORT, QT_INT},      {AGG_MIN, QT_CHAR, QT_CHAR},
        {AGG_MAX, QT_DATE, QT_DATE},      {AGG_MIN, QT_SYMBOL, -1},
        {AGG_MAX, QT_GUID, -1},           {AGG_AVG, QT_TIMESTAMP, QT_FLOAT},
        {AGG_AVG, QT_CHAR, -1},           {AGG_AVG, QT_ENUM, -1},
        {AGG_FIRST, QT_ENUM, QT_ENUM},    {AGG_LAST, QT_STRING, QT_STRING},
        {AGG_DISTINCT, QT_GUID, QT_LIST}, {AGG_ALL, QT_CHAR, QT_BOOLEAN},
        {AGG_ANY, QT_FLOAT, QT_BOOLEAN},  {AGG_ANY, QT_SYMBOL, -1},
        {AGG_WAVG, QT_LONG, QT_FLOAT},    {AGG_WSUM, QT_INT, QT_FLOAT},
        {AGG_DEV, QT_REAL, QT_FLOAT},     {AGG_SVAR, QT_GUID, -1},
        {AGG_COR, QT_STRING, -1},         {AGG_NONE, QT_STRING, QT_STRING},
        {AGG_SUM, QT_LIST, -1},           {AGG_COUNT, QT_LIST, QT_LONG},
    };

    for (u32 i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(request_agg_type(rows[i].kind, rows[i].type), rows[i].result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_lead_back_to_their_aggregation),
        cmocka_unit_test(pairs_are_the_functions_of_two_columns),
        cmocka_unit_test(types_are_those_of_q),
    };
    return cmocka_run_group_tests_name("query/request", tests, NULL, NULL);
}
