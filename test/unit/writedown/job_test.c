/* Tests of writedown/job: signals and results survive the wire; what is malformed is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail

#include <string.h>

#include "q/wire.h"
#include "writedown/job.h"

static void a_signal_reads_back(void **state)
{
    (void)state;
    Buf b = {0};
    JobSignal s = {.seq = 7, .eod = 3, .day = 9000, .start = 111, .end = 222, .partial = true}, r;
    assert_int_equal(job_encode_signal(&b, &s), E_OK);
    assert_int_equal(wire_check(b.data, b.size), E_OK);
    assert_int_equal(job_decode_signal(b.data, b.size, &r), E_OK);
    assert_int_equal(r.seq, 7);
    assert_int_equal(r.eod, 3);
    assert_int_equal(r.day, 9000);
    assert_int_equal(r.start, 111);
    assert_int_equal(r.end, 222);
    assert_true(r.partial);
    for (u64 size = 0; size < b.size; size++)
        assert_int_not_equal(job_decode_signal(b.data, size, &r), E_OK);
    buf_free(&b);
}

static void a_result_reads_back(void **state)
{
    (void)state;
    Arena a = {0};
    Buf b = {0};
    Value v, back;
    JobResult r;
    PartSlice slices[] = {{8999, 0, 5}, {9000, 5, 9}};
    PartTable table = {.name = "trade",
                       .rows = 9,
                       .bytes = 1000,
                       .time_min = -4,
                       .time_max = 99,
                       .schema_hash = ~0ull};
    table.slice_count = 2;
    table.slices = slices;
    Part part = {.kind = PART_INTERVAL,
                 .key = 3,
                 .day = 9000,
                 .made = 12,
                 .path = "/x/data/2024.08.22/12",
                 .late = true};
    part.table_count = 1;
    part.tables = &table;
    JobResult sent = {.seq = 12,
                      .watermark = 77,
                      .sym_size = 8,
                      .part_count = 1,
                      .parts = &part,
                      .rows = 9,
                      .bytes = 1000};
    assert_int_equal(job_result_value(&sent, &a, &v), E_OK);
    assert_int_equal(wire_encode(&b, &v), E_OK);
    assert_int_equal(wire_decode(b.data, b.size, &a, &back), E_OK);
    assert_int_equal(job_result_parse(&back, &a, &r), E_OK);
    assert_int_equal(r.part_count, 1);
    assert_string_equal(r.parts[0].path, part.path);
    assert_true(r.parts[0].late);
    assert_string_equal(r.parts[0].tables[0].name, "trade");
    assert_true(r.parts[0].tables[0].schema_hash == ~0ull);
    assert_int_equal(r.parts[0].tables[0].slice_count, 2);
    assert_int_equal(r.parts[0].tables[0].slices[1].to, 9);
    buf_free(&b);
    arena_free(&a);
}

/* A result with one field made wrong must be refused. */
static void refuse(JobResult *r)
{
    Arena a = {0};
    Value v;
    JobResult back;
    assert_int_equal(job_result_value(r, &a, &v), E_OK);
    assert_int_equal(job_result_parse(&v, &a, &back), E_CORRUPT);
    arena_free(&a);
}

static void malformed_results_are_refused(void **state)
{
    (void)state;
    Arena a = {0};
    JobResult back;
    Value v = value_long(1);
    assert_int_equal(job_result_parse(&v, &a, &back), E_CORRUPT);
    PartTable table = {.name = "trade", .rows = 9};
    Part part = {.path = "/x", .table_count = 1, .tables = &table};
    JobResult r = {.part_count = 1, .parts = &part};
    part.path = "relative";
    refuse(&r);
    part.path = "/x";
    table.name = "../evil";
    refuse(&r);
    table.name = "trade";
    PartSlice gap[] = {{1, 0, 3}, {2, 4, 9}};
    table.slice_count = 2;
    table.slices = gap;
    refuse(&r);
    PartSlice beyond[] = {{1, 0, 10}};
    table.slice_count = 1;
    table.slices = beyond;
    refuse(&r);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_reads_back),
        cmocka_unit_test(a_result_reads_back),
        cmocka_unit_test(malformed_results_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
