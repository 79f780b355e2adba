/* q: no memory at any point: values, vectors and symbols fail with a text and leave no trace. */
#include "support/starve.h"

#include "q/json.h"
#include "q/sort.h"
#include "q/symbol.h"
#include "q/vec.h"
#include "q/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROWS 3000

static Buf message; /* a table with lists, a dictionary and symbols in it */
static Arena memory;

static int prepare(void **state)
{
    (void)state;
    Value table = value_table(&memory, 3), dict = value_dict(&memory, 2);
    Value list = value_list(&memory, ROWS);
    i64 *longs = arena_array(&memory, i64, ROWS);
    Str *names = arena_array(&memory, Str, ROWS);
    for (u32 i = 0; i < ROWS; i++) {
        longs[i] = i;
        names[i] = i % 2 ? STR("odd") : STR("even");
        vec_value(&list.as.vec)[i] = value_string(names[i]);
    }
    static const char *const columns[] = {"j", "s", "c"};
    for (u32 i = 0; i < 3; i++)
        table.as.table.names[i] = str_of(columns[i]);
    table.as.table.cols[0] = value_vec(vec_of(QT_LONG, longs, ROWS));
    table.as.table.cols[1] = value_vec(vec_of(QT_SYMBOL, names, ROWS));
    table.as.table.cols[2] = list;
    value_put(&dict, "table", table);
    value_put(&dict, "text", value_string(STR("some text")));
    return wire_encode(&message, &dict) != E_OK;
}

static int finish(void **state)
{
    (void)state;
    buf_free(&message);
    arena_free(&memory);
    return 0;
}

/* Decodes and encodes; what comes out is what went in. */
static Err there_and_back(void *arg)
{
    (void)arg;
    Arena a = {0};
    Buf out = {0};
    Value v;
    Err err = wire_decode(message.data, message.size, &a, &v);
    if (err == E_OK) err = wire_encode(&out, &v);
    ASSERT(err != E_OK ||
           (out.size == message.size && memcmp(out.data, message.data, out.size) == 0));
    buf_free(&out);
    arena_free(&a);
    return err;
}

static Err to_json_and_back(void *arg)
{
    (void)arg;
    Arena a = {0};
    Buf out = {0};
    Value v, back;
    Err err = wire_decode(message.data, message.size, &a, &v);
    if (err == E_OK) err = json_write(&out, &v);
    if (err == E_OK) err = json_parse((Str){(const char *)out.data, out.size}, &a, &back);
    buf_free(&out);
    arena_free(&a);
    return err;
}

/* New names, more than one piece of the table; what was interned stays found. */
static Err intern(void *arg)
{
    (void)arg;
    char name[32];
    i32 id;
    for (u32 i = 0; i < 9000; i++) {
        int size = snprintf(name, sizeof name, "starved name number %u", i);
        Err err = symbol_intern((Str){name, (u64)size}, &id);
        if (err != E_OK) {
            ASSERT(i == 0 || symbol_find(STR("starved name number 0")) >= 0);
            ASSERT(symbol_find((Str){name, (u64)size}) < 0);
            return err;
        }
        ASSERT(str_eq(symbol_text(id), (Str){name, (u64)size}));
    }
    return E_OK;
}

/* A failed call leaves the vector as it was. */
static Err grow(void *arg)
{
    int type = *(const int *)arg;
    Vec v, copy;
    u32 perm[] = {2, 0, 1};
    Err err = E_OK;
    vec_init(&v, type);
    vec_init(&copy, type);
    for (u64 i = 0; i < 3000 && err == E_OK; i++) {
        err = type_is_nested(type) ? vec_append_row(&v, "\0\0\0\0\0", 6) : vec_append_null(&v, 1);
        ASSERT(v.count == i + (err == E_OK));
    }
    if (err == E_OK) err = vec_append_vec(&copy, &v, 5, 100);
    ASSERT(copy.count == (err == E_OK ? 100 : 0));
    vec_free(&copy);
    if (err == E_OK) err = vec_take(&copy, &v, perm, 3);
    vec_free(&v);
    vec_free(&copy);
    return err;
}

static Err sort(void *arg)
{
    (void)arg;
    static i64 longs[ROWS];
    static f64 floats[ROWS];
    static u32 perm[ROWS];
    bool sorted;
    for (u32 i = 0; i < ROWS; i++) {
        longs[i] = (i64)(i * 7919 % 1000);
        floats[i] = (f64)(i * 31 % 77);
    }
    SortKey keys[] = {{.type = QT_LONG, .data = longs}, {.type = QT_FLOAT, .data = floats}};
    return sort_order(keys, 2, ROWS, perm, &sorted);
}

static void values_come_whole_or_fail(void **state)
{
    (void)state;
    assert_true(starve_each("q IPC", there_and_back, NULL, 1).refused > 2);
    assert_true(starve_each("JSON", to_json_and_back, NULL, 1).refused > 2);
}

static void names_and_vectors_keep_what_they_had(void **state)
{
    (void)state;
    static int types[] = {QT_LONG, QT_GUID, QT_STRING, QT_NESTED};
    assert_true(starve_each("symbols", intern, NULL, 1).refused > 2);
    for (u32 i = 0; i < COUNT_OF(types); i++)
        assert_true(starve_each("vectors", grow, &types[i], 1).refused > 2);
    assert_true(starve_each("sort", sort, NULL, 1).refused > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_whole_or_fail),
        cmocka_unit_test(names_and_vectors_keep_what_they_had),
    };
    return cmocka_run_group_tests(tests, prepare, finish);
}
