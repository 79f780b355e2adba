/* splay: a table folder written is the table read; every failing step leaves an error, not a
 * table. */
#include "column/attr.h"
#include "os/dir.h"
#include "os/fault.h"
#include "q/symbol.h"
#include "table/splay.h"
#include "unit/column/kit.h"

#include <errno.h>

static SchemaColumn columns[] = {
    {.name = "time", .type = QT_TIMESTAMP},
    {.name = "sym", .type = QT_SYMBOL, .attr = {[PLACE_DISK] = ATTR_PARTED}},
    {.name = "price", .type = QT_FLOAT},
    {.name = "note", .type = QT_STRING},
};
static u32 by_sym[] = {1, 0}, by_note[] = {3};
static Schema trade = {.name = "trade",
                       .column_count = 4,
                       .columns = columns,
                       .prtn = 0,
                       .sort_count = {[PLACE_DISK] = 2, [PLACE_OBJ] = 1},
                       .sort = {[PLACE_DISK] = by_sym, [PLACE_OBJ] = by_note}};

static void fill(Batch *b, u64 rows, u32 names)
{
    batch_init(b, &trade);
    for (u64 i = 0; i < rows; i++) {
        char text[32];
        i64 time = (i64)i;
        f64 price = (f64)i / 4;
        i32 id = 0;
        u64 n = i * 7919 % names;
        snprintf(text, sizeof text, "S%04u", (unsigned)n);
        if (n > 0) ok(symbol_intern(str_of(text), &id));
        ok(vec_append(&b->cols[0], &time, 1));
        ok(vec_append(&b->cols[1], &id, 1));
        ok(vec_append(&b->cols[2], &price, 1));
        ok(vec_append_row(&b->cols[3], text, i % 6));
    }
    b->rows = rows;
}

/* How write_table compresses. */
static CodecChoice codec;

static Err write_table(const char *path, const Batch *b, Place place, Domain *d, u64 pieces)
{
    Err err = E_OK;
    Arena a = {0};
    SplayOut out = {0};
    SortKey *keys;
    u64 key_count, n = b->rows;
    bool sorted;
    u32 *perm = calloc(n + 1, sizeof *perm);
    TRY(splay_sort_keys(b, place, &a, &keys, &key_count));
    TRY(sort_order(keys, key_count, n, perm, &sorted));
    TRY(domain_add(d, vec_i32(&b->cols[1]), n));
    TRY(splay_out_open(&out, path, &trade, place, n));
    TRY(splay_out_codec(&out, &codec));
    for (u64 at = 0; at < n; at += n / pieces)
        TRY(splay_out_batch(&out, b, perm + at, MIN(n / pieces, n - at), d));
    TRY(splay_out_finish(&out));
    assert_true(out.bytes > 0);
done:
    splay_out_drop(&out);
    arena_free(&a);
    free(perm);
    return err;
}

static void sorted_table_reads_back(u64 rows, u32 names, u64 pieces)
{
    Batch b;
    Domain d;
    Splay s;
    const Column *time, *sym, *price, *note;
    fill(&b, rows, names);
    ok(domain_open(&d, kit_path("sym"), UINT64_MAX));
    ok(dir_remove_all(kit_path("t")));
    ok(write_table(kit_path("t"), &b, PLACE_DISK, &d, pieces));
    ok(splay_open(&s, kit_path("t")));
    assert_int_equal(s.column_count, 4);
    assert_string_equal(s.names[3], "note");
    ok(splay_column(&s, "time", rows, &time));
    ok(splay_column(&s, "sym", rows, &sym));
    ok(splay_column(&s, "price", rows, &price));
    ok(splay_column(&s, "note", rows, &note));
    assert_int_equal(sym->attr, ATTR_PARTED);
    ok(attr_check(sym));
    i64 before_time = -1;
    Str before = STR("");
    for (u64 i = 0; i < rows; i++) {
        i64 index = column_index(sym, i), t = ((const i64 *)time->data)[i];
        Str name = index == INT64_MIN ? STR("") : symbol_text(d.ids[index]);
        assert_int_equal(vec_i32(&b.cols[1])[t], index == INT64_MIN ? 0 : d.ids[index]);
        int order = str_cmp(before, name);
        assert_true(order < 0 || (order == 0 && t > before_time));
        before = name;
        before_time = t;
        assert_true(((const f64 *)price->data)[i] == (f64)t / 4);
        const void *text;
        u64 count;
        ok(column_row(note, i, &text, &count));
        assert_int_equal(count, (u64)t % 6);
        if (count > 0) assert_memory_equal(text, "S", 1);
    }
    fails(E_NOT_FOUND, "no column", splay_column(&s, "nothing", rows, &time));
    fails(E_CORRUPT, "expected", splay_column(&s, "time", rows + 1, &time));
    splay_close(&s);
    splay_close(&s);
    domain_close(&d);
    batch_free(&b);
}

static void small_and_parallel_tables_read_back(void **state)
{
    (void)state;
    sorted_table_reads_back(10, 3, 1);
    sorted_table_reads_back(3000, 40, 7);
    sorted_table_reads_back(70000, 1000, 2);
}

static void empty_table(void **state)
{
    (void)state;
    SplayOut out;
    Splay s;
    const Column *c;
    ok(splay_out_open(&out, kit_path("empty"), &trade, PLACE_DISK, 0));
    ok(splay_out_finish(&out));
    splay_out_drop(&out);
    kit_expect(kit_path("empty/.d"),
               "ff010b0004000000 74696d6500 73796d00 707269636500 6e6f746500");
    ok(splay_open(&s, kit_path("empty")));
    for (u32 i = 0; i < 4; i++)
        ok(splay_column(&s, columns[i].name, 0, &c));
    splay_close(&s);
    fails(E_EXISTS, "", splay_out_open(&out, kit_path("empty"), &trade, PLACE_DISK, 0));
    splay_out_drop(&out);
}

static void rows_in_order_need_no_permutation(void **state)
{
    (void)state;
    Batch b;
    Domain d;
    SplayOut out;
    Splay s;
    const Column *c;
    fill(&b, 100, 5);
    ok(domain_open(&d, kit_path("sym"), UINT64_MAX));
    ok(domain_add(&d, vec_i32(&b.cols[1]), 100));
    ok(splay_out_open(&out, kit_path("plain"), &trade, PLACE_ORD, 100));
    ok(splay_out_batch(&out, &b, NULL, 100, &d));
    ok(splay_out_batch(&out, &b, NULL, 50, &d));
    ok(splay_out_finish(&out));
    ok(splay_open(&s, kit_path("plain")));
    ok(splay_column(&s, "time", 150, &c));
    assert_int_equal(((const i64 *)c->data)[120], 20);
    ok(splay_column(&s, "note", 150, &c));
    ok(splay_column(&s, "sym", 150, &c));
    assert_int_equal(d.ids[column_index(c, 101)], vec_i32(&b.cols[1])[1]);
    splay_close(&s);
    domain_close(&d);
    batch_free(&b);
}

static void several_tables_end_together(void **state)
{
    (void)state;
    Batch b;
    Domain d;
    SplayOut one, two, *outs[] = {&one, &two};
    fill(&b, 20, 5);
    ok(domain_open(&d, kit_path("sym"), UINT64_MAX));
    ok(domain_add(&d, vec_i32(&b.cols[1]), 20));
    ok(splay_out_open(&one, kit_path("one"), &trade, PLACE_ORD, 20));
    ok(splay_out_open(&two, kit_path("two"), &trade, PLACE_ORD, 0));
    ok(splay_out_batch(&one, &b, NULL, 20, &d));
    ok(splay_out_finish_all(outs, 2, NULL));
    for (u32 i = 0; i < 2; i++) {
        Splay s;
        const Column *c;
        ok(splay_open(&s, kit_path(i == 0 ? "one" : "two")));
        for (u32 k = 0; k < 4; k++)
            ok(splay_column(&s, columns[k].name, i == 0 ? 20 : 0, &c));
        splay_close(&s);
    }
    assert_true(one.bytes > two.bytes);
    domain_close(&d);
    batch_free(&b);
}

static void list_columns_are_no_sort_keys(void **state)
{
    (void)state;
    Batch b;
    Arena a = {0};
    SortKey *keys;
    u64 count;
    fill(&b, 3, 2);
    fails(E_UNSUPPORTED, "note", splay_sort_keys(&b, PLACE_OBJ, &a, &keys, &count));
    ok(splay_sort_keys(&b, PLACE_MEM, &a, &keys, &count));
    assert_int_equal(count, 0);
    arena_free(&a);
    batch_free(&b);
}

static void foreign_names_are_looked_at(void **state)
{
    (void)state;
    Splay s;

    static const struct {
        const char *bytes;
        u64 size;
        const char *part;
    } cases[] = {
        {"", 0, "symbols"},
        {"\xff\x01\x0b\0\0\0\0", 7, "symbols"},
        {"\xff\x01\x0b\0\0\0\0\0a", 9, "does not end"},
        {"\xff\x01\x0b\0\1\0\0\0../x\0", 13, "names no column"},
        {"\xff\x01\x0b\0\1\0\0\0..\0", 11, "names no column"},
        {"\xff\x01\x0b\0\1\0\0\0\0", 9, "names no column"},
        {"\xff\x01\x07\0\1\0\0\0a\0", 10, "symbols"},
    };

    ok(dir_make(kit_path("foreign")));
    for (u32 i = 0; i < COUNT_OF(cases); i++) {
        kit_write(kit_path("foreign/.d"), cases[i].bytes, cases[i].size);
        fails(E_CORRUPT, cases[i].part, splay_open(&s, kit_path("foreign")));
    }
    kit_write(kit_path("foreign/.d"), "\xff\x01\x0b\0\0\0\0\0gone\0", 13);
    const Column *c;
    ok(splay_open(&s, kit_path("foreign")));
    fails(E_CORRUPT, "missing", splay_column(&s, "gone", 0, &c));
    splay_close(&s);
    fails(E_NOT_FOUND, "", splay_open(&s, kit_path("absent")));
}

static void every_failing_step_is_reported(void **state)
{
    (void)state;
    Batch b;
    Domain d;
    fill(&b, 5000, 40);
    ok(domain_open(&d, kit_path("sym"), UINT64_MAX));
    ok(dir_remove_all(kit_path("fault")));
    fault_arm(FAULT_NONE, 0, false, 0);
    ok(write_table(kit_path("fault"), &b, PLACE_DISK, &d, 1));
    u64 steps = fault_count();
    assert_true(steps > 12);
    for (u64 at = 1; at <= steps; at++) {
        ok(dir_remove_all(kit_path("fault")));
        fault_arm(FAULT_ERROR, at, false, EIO);
        Err err = write_table(kit_path("fault"), &b, PLACE_DISK, &d, 1);
        fault_arm(FAULT_NONE, 0, false, 0);
        if (err == E_OK) fail_msg("step %llu failed without a word", (unsigned long long)at);
    }
    for (u64 at = 1; at <= steps; at++) {
        Splay s;
        const Column *c;
        ok(dir_remove_all(kit_path("fault")));
        fault_arm(FAULT_SHORT, at, false, 0);
        ok(write_table(kit_path("fault"), &b, PLACE_DISK, &d, 1));
        fault_arm(FAULT_NONE, 0, false, 0);
        ok(splay_open(&s, kit_path("fault")));
        for (u32 i = 0; i < 4; i++)
            ok(splay_column(&s, columns[i].name, 5000, &c));
        splay_close(&s);
    }
    domain_close(&d);
    batch_free(&b);
}

static void compressed_tables_read_back(void **state)
{
    static const CodecChoice choices[] = {
        {CODEC_GZIP, 1, 12}, {CODEC_ZSTD, 1, 17}, {CODEC_LZ4HC, 1, 20}, {CODEC_SNAPPY, 0, 16}};
    (void)state;
    for (u32 i = 0; i < COUNT_OF(choices); i++) {
        codec = choices[i];
        sorted_table_reads_back(10, 3, 1);
        sorted_table_reads_back(70000, 1000, 2);
    }
    codec = (CodecChoice){CODEC_GZIP, 11, 17};
    Batch b;
    Domain d;
    fill(&b, 10, 3);
    ok(domain_open(&d, kit_path("sym"), UINT64_MAX));
    ok(dir_remove_all(kit_path("t")));
    fails(E_USAGE, "level 11", write_table(kit_path("t"), &b, PLACE_DISK, &d, 1));
    codec = (CodecChoice){0};
    domain_close(&d);
    batch_free(&b);
}

/* The same bytes as one column after the other, however many threads compress them. */
static void compressed_files_are_those_of_a_column(void **state)
{
    (void)state;

    enum { N = 200000 };

    Batch b;
    Domain d;
    Splay s;
    ColumnOut *out;
    const Column *c;
    u64 bytes, sizes[2];
    codec = (CodecChoice){CODEC_GZIP, 1, 12};
    fill(&b, N, 30);
    ok(domain_open(&d, kit_path("sym"), UINT64_MAX));
    ok(dir_remove_all(kit_path("t")));
    ok(write_table(kit_path("t"), &b, PLACE_MEM, &d, 3));
    ok(splay_open(&s, kit_path("t")));
    splay_on_need(&s);
    ok(splay_column(&s, "price", N, &c));
    assert_true(column_on_need(c));
    unlink(kit_path("alone"));
    ok(column_create(&out, kit_path("alone"), QT_FLOAT, ATTR_NONE, 0));
    ok(column_out_codec(out, &codec));
    ok(column_append(out, b.cols[2].data, N));
    ok(column_finish(out, true, NULL, &bytes));
    u8 *one = kit_read(kit_path("t/price"), &sizes[0]),
       *two = kit_read(kit_path("alone"), &sizes[1]);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(one, two, sizes[0]);
    free(one);
    free(two);
    splay_close(&s);
    codec = (CodecChoice){0};
    domain_close(&d);
    batch_free(&b);
}

static void compressed_names_are_read(void **state)
{
    (void)state;
    BlockOut *out;
    CodecChoice c = {CODEC_GZIP, 6, 17};
    Arena a = {0};
    char **names;
    u32 count;
    u64 bytes;
    ok(block_out_open(&out, kit_path("names"), 0));
    ok(block_out_codec(out, &c));
    ok(block_out_write(out, "\xff\x01\x0b\0\2\0\0\0time\0sym", 17));
    ok(block_out_close(out, true, NULL, &bytes));
    ok(splay_read_names(kit_path("names"), &a, &names, &count));
    assert_int_equal(count, 2);
    assert_string_equal(names[1], "sym");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_and_parallel_tables_read_back),
        cmocka_unit_test(empty_table),
        cmocka_unit_test(rows_in_order_need_no_permutation),
        cmocka_unit_test(several_tables_end_together),
        cmocka_unit_test(list_columns_are_no_sort_keys),
        cmocka_unit_test(foreign_names_are_looked_at),
        cmocka_unit_test(every_failing_step_is_reported),
        cmocka_unit_test(compressed_tables_read_back),
        cmocka_unit_test(compressed_files_are_those_of_a_column),
        cmocka_unit_test(compressed_names_are_read),
    };
    return cmocka_run_group_tests(tests, kit_setup, kit_teardown);
}
