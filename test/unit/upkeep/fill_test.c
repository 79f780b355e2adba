/*
 * fill: columns of nulls of every type, empty tables, and the way back from every point.
 */
#include "upkeep/fill.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/dir.h"
#include "os/fault.h"
#include "os/file.h"
#include "table/splay.h"

#define ROWS 70000 /* more than are written at once */

static SchemaColumn columns[] = {
    {.name = "time", .type = QT_TIMESTAMP},
    {.name = "b", .type = QT_BOOLEAN},
    {.name = "g", .type = QT_GUID},
    {.name = "h", .type = QT_SHORT},
    {.name = "j", .type = QT_LONG},
    {.name = "f", .type = QT_FLOAT},
    {.name = "c", .type = QT_CHAR},
    {.name = "s", .type = QT_SYMBOL},
    {.name = "d", .type = QT_DATE},
    {.name = "text", .type = QT_STRING},
    {.name = "fs", .type = QT_NESTED + QT_FLOAT},
    {.name = "ss", .type = QT_NESTED + QT_SYMBOL},
    {.name = "any", .type = QT_LIST},
};
static Schema schema = {
    .name = "t", .columns = columns, .column_count = COUNT_OF(columns), .prtn = 0, .updated = -1};
static Schema old = {.name = "t", .columns = columns, .column_count = 1, .prtn = 0, .updated = -1};

static int setup(void **state)
{
    char path[256];
    const char *base = getenv("TMPDIR");
    (void)state;
    snprintf(path, sizeof path, "%s/silt-upkeep-XXXXXX", base ? base : "/tmp");
    schema_seal(&schema);
    schema_seal(&old);
    return mkdtemp(path) && chdir(path) == 0 && dir_make("p") == E_OK ? 0 : -1;
}

static int teardown(void **state)
{
    char here[512];
    (void)state;
    fault_arm(FAULT_NONE, 0, false, 0);
    if (!getcwd(here, sizeof here) || chdir("/") != 0) return -1;
    return dir_remove_all(here) == E_OK ? 0 : -1;
}

static void put_old(u64 rows)
{
    SplayOut out;
    i64 *times = calloc(rows + 1, sizeof *times);
    assert_non_null(times);
    assert_int_equal(splay_out_open(&out, "p/t", &old, PLACE_DISK, rows), E_OK);
    assert_int_equal(column_append(out.cols[0], times, rows), E_OK);
    assert_int_equal(splay_out_finish(&out), E_OK);
    free(times);
}

/* The table as a survey describes it. */
static InspectTable described(u64 rows, const char **add)
{
    for (u32 i = 1; i < COUNT_OF(columns); i++)
        add[i - 1] = columns[i].name;
    return (InspectTable){.name = "t",
                          .schema = &schema,
                          .rows = rows,
                          .bytes = 16 + 8 * rows + 13,
                          .add_count = COUNT_OF(columns) - 1,
                          .add = add};
}

static u64 bytes_in(const char *folder)
{
    Arena a = {0};
    DirEntry *e = NULL;
    u64 count = 0, bytes = 0;
    assert_int_equal(dir_list(folder, 1000, &a, &e, &count), E_OK);
    for (u64 i = 0; i < count; i++) {
        File f = FILE_NONE;
        u64 size = 0;
        if (strcmp(e[i].name, ".d.before") == 0) continue;
        assert_int_equal(file_open(&f, dir_join(&a, folder, e[i].name, NULL), FILE_READ), E_OK);
        assert_int_equal(file_size(&f, &size), E_OK);
        file_drop(&f);
        bytes += size;
    }
    arena_free(&a);
    return bytes;
}

static void check_null(const Column *c, const SchemaColumn *s, u64 row)
{
    Arena a = {0};
    Value v = {0};
    if (type_is_fixed(s->type)) {
        u8 null[16];
        type_null(s->type, null);
        u32 width = type_width(s->type);
        assert_memory_equal((const u8 *)c->data + row * width, null, width);
    } else if (s->type == QT_SYMBOL) {
        assert_int_equal(c->type, QT_ENUM);
        assert_true(column_index(c, row) == INT64_MIN);
    } else {
        assert_int_equal(column_value(c, row, NULL, &a, &v), E_OK);
        assert_int_equal(value_count(&v), 0);
    }
    arena_free(&a);
}

static void columns_of_nulls_of_every_kind(void **state)
{
    (void)state;
    const char *add[COUNT_OF(columns)];
    for (u64 rows = 0; rows <= ROWS; rows += ROWS) {
        InspectTable t = described(rows, add);
        Splay s;
        put_old(rows);
        assert_int_equal(fill_columns("p/t", &t), E_OK);
        assert_int_equal(t.bytes, bytes_in("p/t"));
        assert_int_equal(splay_open(&s, "p/t"), E_OK);
        assert_int_equal(s.column_count, COUNT_OF(columns));
        for (u32 i = 0; i < COUNT_OF(columns); i++) {
            const Column *c = NULL;
            assert_int_equal(splay_column(&s, columns[i].name, rows, &c), E_OK);
            assert_true(inspect_fits(columns[i].type, c->type, rows));
            if (rows == 0 || i == 0) continue;
            check_null(c, &columns[i], 0);
            check_null(c, &columns[i], rows - 1);
        }
        splay_close(&s);
        assert_int_equal(access("p/t/.d.before", F_OK), 0);
        assert_int_equal(fill_keep("p/t"), E_OK);
        assert_int_equal(fill_keep("p/t"), E_OK);
        assert_int_not_equal(access("p/t/.d.before", F_OK), 0);
        assert_int_equal(dir_remove_all("p/t"), E_OK);
    }
}

static void an_empty_table_is_made_and_taken_back(void **state)
{
    (void)state;
    InspectTable t = {.name = "t", .schema = &schema, .make = true};
    assert_int_equal(fill_table("p/t", &t), E_OK);
    assert_int_equal(t.bytes, bytes_in("p/t"));
    assert_int_equal(fill_undo("p/t", NULL, 0), E_OK);
    assert_int_not_equal(access("p/t", F_OK), 0);
    assert_int_equal(fill_undo("p/t", NULL, 0), E_OK);
}

static void every_point_leads_back(void **state)
{
    (void)state;
    const char *add[COUNT_OF(columns)];
    Arena a = {0};
    u8 *before = NULL, *after = NULL;
    u64 size = 0, now = 0;
    put_old(3);
    assert_int_equal(file_read_all("p/t/.d", 1000, &a, &before, &size), E_OK);
    for (u64 k = 1;; k++) {
        InspectTable t = described(3, add);
        DirEntry *e = NULL;
        u64 count = 0;
        fault_arm(FAULT_ERROR, k, true, ENOSPC);
        Err err = fill_columns("p/t", &t);
        fault_arm(FAULT_NONE, 0, false, 0);
        assert_int_equal(fill_undo("p/t", t.add, t.add_count), E_OK);
        assert_int_equal(dir_list("p/t", 1000, &a, &e, &count), E_OK);
        assert_int_equal(count, 2);
        assert_int_equal(file_read_all("p/t/.d", 1000, &a, &after, &now), E_OK);
        assert_int_equal(now, size);
        assert_memory_equal(after, before, size);
        if (err == E_OK) break;
        assert_int_equal(err, E_FULL);
    }
    arena_free(&a);
}

static void types_that_may_stand_for_each_other(void **state)
{
    (void)state;
    assert_true(inspect_fits(QT_LONG, QT_LONG, 1));
    assert_false(inspect_fits(QT_LONG, QT_INT, 1));
    assert_true(inspect_fits(QT_SYMBOL, QT_ENUM, 1));
    assert_false(inspect_fits(QT_LONG, QT_ENUM, 1));
    assert_true(inspect_fits(QT_STRING, QT_STRING, 1));
    assert_true(inspect_fits(QT_STRING, QT_LIST, 0));
    assert_false(inspect_fits(QT_STRING, QT_LIST, 1));
    assert_false(inspect_fits(QT_LONG, QT_LIST, 0));
    assert_true(inspect_fits(QT_NESTED + QT_SYMBOL, QT_NESTED + QT_ENUM, 1));
    assert_true(inspect_fits(QT_LIST, QT_NESTED, 1));
    assert_true(inspect_fits(QT_LIST, QT_STRING, 1));
    assert_true(inspect_fits(QT_LIST, QT_NESTED + QT_ENUM, 1));
    assert_false(inspect_fits(QT_STRING, QT_NESTED + QT_ENUM, 1));
    assert_false(inspect_fits(QT_LIST, QT_LONG, 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(columns_of_nulls_of_every_kind),
        TEST(an_empty_table_is_made_and_taken_back),
        TEST(every_point_leads_back),
        TEST(types_that_may_stand_for_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
