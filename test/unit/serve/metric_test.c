/*
 * metric: counters and gauges, families, what is printed.
 */
#include "kit.h"
#include "serve/metric.h"

static int collected;

static void collect(void *arg)
{
    collected++;
    metric_set(arg, 7);
}

static void prints_families_in_order(void **state)
{
    (void)state;
    Buf b = {0};
    Metric *z = metric_get(METRIC_GAUGE, "z_last", "", "the last one");
    Metric *b2 = metric_get(METRIC_COUNTER, "b_rows", "table=\"two\"", "rows");
    Metric *b1 = metric_get(METRIC_COUNTER, "b_rows", "table=\"one\"", "rows");
    Metric *a = metric_get(METRIC_GAUGE, "a_bytes", "", "bytes");
    metric_add(b1, 1);
    metric_add(b1, 2);
    metric_add(b2, 5000000000.0);
    metric_set(z, -0.5);
    metric_collect(collect, a);
    assert_int_equal(metric_write(&b), E_OK);
    assert_int_equal(collected, 1);
    assert_string_equal(buf_str(&b), "# TYPE a_bytes gauge\n"
                                     "# HELP a_bytes bytes\n"
                                     "a_bytes 7\n"
                                     "# TYPE b_rows counter\n"
                                     "# HELP b_rows rows\n"
                                     "b_rows_total{table=\"one\"} 3\n"
                                     "b_rows_total{table=\"two\"} 5000000000\n"
                                     "# TYPE z_last gauge\n"
                                     "# HELP z_last the last one\n"
                                     "z_last -0.5\n"
                                     "# EOF\n");
    buf_free(&b);
}

static void the_same_name_is_the_same_metric(void **state)
{
    (void)state;
    char name[] = "same";
    Metric *m = metric_get(METRIC_GAUGE, name, "", "");
    name[0] = 'x'; /* names are kept */
    assert_ptr_equal(metric_get(METRIC_GAUGE, "same", "", "other help"), m);
    assert_ptr_not_equal(metric_get(METRIC_GAUGE, "same", "l=\"1\"", ""), m);
}

/* Beyond the bound one more is counted into nothing; what is there goes on. */
static void labels_are_bounded(void **state)
{
    (void)state;
    Buf b = {0};
    char labels[32];
    Metric *kept = metric_get(METRIC_GAUGE, "kept", "", "");
    for (int i = 0; i < 5000; i++) {
        snprintf(labels, sizeof labels, "n=\"%d\"", i);
        metric_set(metric_get(METRIC_GAUGE, "many", labels, "many of them"), i);
    }
    metric_set(kept, 1);
    assert_ptr_equal(metric_get(METRIC_GAUGE, "kept", "", ""), kept);
    assert_int_equal(metric_write(&b), E_OK);
    assert_non_null(strstr(buf_str(&b), "kept 1\n"));
    assert_non_null(strstr(buf_str(&b), "# EOF\n"));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_families_in_order),
        cmocka_unit_test(the_same_name_is_the_same_metric),
        cmocka_unit_test(labels_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
