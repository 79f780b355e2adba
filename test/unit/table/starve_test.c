/* table: no memory at any point: rows are taken whole or not at all, files are left unfinished. */
#include "support/starve.h"

#include "os/dir.h"
#include "q/json.h"
#include "table/csv.h"
#include "table/splay.h"
#include "unit/column/kit.h"

static SchemaColumn columns[] = {
    {.name = "time", .type = QT_TIMESTAMP},
    {.name = "sym", .type = QT_SYMBOL},
    {.name = "price", .type = QT_FLOAT},
    {.name = "note", .type = QT_STRING},
    {.name = "tags", .type = QT_NESTED + QT_SYMBOL},
    {.name = "mix", .type = QT_LIST},
};
static u32 keys[] = {1, 0};
static Schema schema = {.name = "t",
                        .column_count = 6,
                        .columns = columns,
                        .sort_count = {0, 2, 2, 0},
                        .sort = {NULL, keys, keys, NULL}};

static const char json[] =
    "[{\"time\":\"2024.01.01D00:00:00\",\"sym\":\"a\",\"price\":1.5,\"note\":\"text\","
    "\"tags\":[\"x\",\"y\"],\"mix\":{\"k\":[1,2,3]}},"
    "{\"time\":\"2024.01.01D00:00:01\",\"sym\":\"b\",\"mix\":[[1],\"two\"]}]";
static const char csv[] = "time,sym,price,note,tags,mix\n"
                          "2024.01.01D00:00:00,a,1.5,\"quoted \"\" text\",x y,\n"
                          "2024.01.01D00:00:01,b,2,,,\n";

static Buf message;
static Batch rows;
static Domain domain;
static Value parsed;
static Arena memory;

static int prepare(void **state)
{
    int failed = kit_setup(state);
    Batch some;
    u64 size;
    columns[1].attr[PLACE_ORD] = columns[1].attr[PLACE_DISK] = ATTR_PARTED;
    schema_seal(&schema);
    batch_init(&rows, &schema);
    batch_init(&some, &schema);
    ok(json_parse((Str){json, sizeof json - 1}, &memory, &parsed));
    ok(csv_from_json(&some, &parsed));
    for (u32 i = 0; i < 40; i++)
        ok(batch_append_batch(&rows, &some, i % 2, 1));
    ok(batch_encode(&message, &rows, 0, rows.rows));
    ok(domain_open(&domain, kit_path("sym"), UINT64_MAX));
    ok(domain_add(&domain, vec_i32(&rows.cols[1]), rows.rows));
    ok(domain_save(&domain, &size));
    batch_free(&some);
    return failed;
}

static int finish(void **state)
{
    batch_free(&rows);
    buf_free(&message);
    domain_close(&domain);
    arena_free(&memory);
    return kit_teardown(state);
}

/* After a failure the batch is as it was, and takes the rows all the same. */
static Err take_message(void *arg)
{
    (void)arg;
    Batch b;
    u64 n, heap[6];
    batch_init(&b, &schema);
    Err err = batch_measure_wire(&schema, message.data, message.size, &n, heap);
    for (u32 i = 0; i < 3 && err == E_OK; i++) {
        err = batch_append_wire(&b, message.data, message.size);
        ASSERT(err == E_OK || b.rows == i * rows.rows);
        for (u32 c = 0; c < schema.column_count; c++)
            ASSERT(b.cols[c].count == b.rows);
    }
    if (err == E_OK) err = batch_append_batch(&b, &rows, 3, 20);
    Buf out = {0};
    if (err == E_OK) err = batch_encode(&out, &b, 0, b.rows);
    buf_free(&out);
    batch_free(&b);
    return err;
}

static Err read_csv(void *arg)
{
    (void)arg;
    Csv c;
    Batch b;
    csv_init(&c, &schema, true);
    batch_init(&b, &schema);
    Err err = csv_feed(&c, (Str){csv, 40}, false, &b);
    if (err == E_OK) err = csv_feed(&c, (Str){csv + 40, sizeof csv - 41}, true, &b);
    for (u32 i = 0; i < schema.column_count; i++)
        ASSERT(b.cols[i].count == b.rows);
    csv_free(&c);
    batch_free(&b);
    return err;
}

static Err read_json(void *arg)
{
    (void)arg;
    Batch b;
    Arena a = {0};
    Value v;
    Buf out = {0};
    batch_init(&b, &schema);
    Err err = json_parse((Str){json, sizeof json - 1}, &a, &v);
    if (err == E_OK) err = csv_from_json(&b, &v);
    ASSERT(b.rows == (err == E_OK ? 2 : 0));
    Value table = batch_value(&b, &a);
    if (err == E_OK) err = json_write(&out, &table);
    buf_free(&out);
    batch_free(&b);
    arena_free(&a);
    return err;
}

/* Writes a table folder and reads it; one that was not finished has gone with its process. */
static Err write_table(void *arg)
{
    const CodecChoice *codec = arg;
    SplayOut out = {0};
    Splay s = {0};
    Arena a = {0};
    SortKey *sort;
    u64 count;
    const Column *c;
    const char *path = kit_path("t");
    Err err = dir_remove_all(path);
    if (err == E_OK) err = splay_sort_keys(&rows, PLACE_DISK, &a, &sort, &count);
    if (err == E_OK) err = splay_out_open(&out, path, &schema, PLACE_DISK, rows.rows);
    if (err == E_OK && codec != NULL) err = splay_out_codec(&out, codec);
    if (err == E_OK) err = splay_out_batch(&out, &rows, NULL, rows.rows, &domain);
    if (err == E_OK) err = splay_out_finish(&out);
    splay_out_drop(&out);
    if (err == E_OK) err = splay_open(&s, path);
    if (codec != NULL) splay_on_need(&s);
    for (u32 i = 0; i < schema.column_count && err == E_OK; i++) {
        err = splay_column(&s, columns[i].name, rows.rows, &c);
        if (err == E_OK) err = column_need(c, 0, rows.rows);
        if (err == E_OK) column_done(c, 0, rows.rows);
    }
    splay_close(&s);
    arena_free(&a);
    return err;
}

static void rows_are_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_true(starve_each("message", take_message, NULL, 1).refused > 5);
    assert_true(starve_each("CSV", read_csv, NULL, 1).refused > 5);
    assert_true(starve_each("JSON", read_json, NULL, 1).refused > 5);
}

static void tables_are_written_or_given_up(void **state)
{
    (void)state;
    CodecChoice gzip = {.codec = CODEC_GZIP, .level = 6, .block_log2 = 12};
    assert_true(starve_each("table", write_table, NULL, 3).refused > 5);
    assert_true(starve_each("compressed table", write_table, &gzip, 3).refused > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_taken_whole_or_not_at_all),
        cmocka_unit_test(tables_are_written_or_given_up),
    };
    starve_in_memory();
    return cmocka_run_group_tests(tests, prepare, finish);
}
