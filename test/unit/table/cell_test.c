/* cell: values of a mixed column have one form, whatever form they came in. */
#include "base/bounds.h"
#include "q/symbol.h"
#include "q/wire.h"
#include "table/cell.h"
#include "unit/column/kit.h"

static Arena a;

static int teardown(void **state)
{
    (void)state;
    arena_free(&a);
    return 0;
}

static Vec cells(void)
{
    Vec v;
    vec_init(&v, QT_NESTED);
    return v;
}

/* Takes a body as one cell; its row in the vector. */
static Str take(Vec *v, const void *body, u64 size)
{
    Item item;
    ok(wire_check(body, size));
    assert_null(cell_scan(body, size, false, &item));
    assert_true(item.cell && item.count == 1 && item.size == size);
    ok(cell_append(&item, v));
    u64 at = v->offs[v->count - 1];
    return (Str){(const char *)v->data + at, v->offs[v->count] - at};
}

static void sound_values_are_kept_as_they_are(void **state)
{
    (void)state;
    Value values[6], dict = value_dict(&a, 2), table = value_table(&a, 1);
    i64 longs[] = {1, 2, 3};
    Vec v = cells();
    value_put(&dict, "key", value_long(1));
    value_put(&dict, "text", value_string(STR("one")));
    table.as.table.names[0] = STR("j");
    table.as.table.cols[0] = value_vec(vec_of(QT_LONG, longs, 3));
    values[0] = value_long(5);
    values[1] = value_sym(STR("cell_sym"));
    values[2] = dict;
    values[3] = table;
    values[4] = value_list(&a, 0);
    values[5] = value_list(&a, 2);
    vec_value(&values[5].as.vec)[0] = dict;
    vec_value(&values[5].as.vec)[1] = value_string(STR(""));
    for (u32 i = 0; i < COUNT_OF(values); i++) {
        Buf b = {0};
        ok(wire_encode(&b, &values[i]));
        Str row = take(&v, b.data, b.size);
        assert_int_equal(row.size, b.size);
        assert_memory_equal(row.data, b.data, b.size);
        buf_free(&b);
    }
    assert_int_equal(v.count, COUNT_OF(values));
    vec_free(&v);
}

static void other_forms_become_the_one(void **state)
{
    (void)state;

    static const struct {
        const char *from;
        u64 from_size;
        const char *to;
        u64 to_size;
    } cases[] = {
        /* a sorted vector */
        {"\x04\x01\x01\0\0\0\x07", 7, "\x04\0\x01\0\0\0\x07", 7},
        /* atoms of one type in a general list, at the top and within */
        {"\0\0\x02\0\0\0\xfc\x07\xfc\x08", 10, "\x04\0\x02\0\0\0\x07\x08", 8},
        {"\0\0\x01\0\0\0\0\0\x01\0\0\0\xfc\x07", 14, "\0\0\x01\0\0\0\x04\0\x01\0\0\0\x07", 13},
        /* a sorted dictionary */
        {"\x7f\x04\x01\x01\0\0\0\x07\x04\0\x01\0\0\0\x08", 15,
         "\x63\x04\0\x01\0\0\0\x07\x04\0\x01\0\0\0\x08", 15},
        /* a count of 64 bits */
        {"\x04\x80\x01\0\0\0\0\0\0\0\x07", 11, "\x04\0\x01\0\0\0\x07", 7},
    };

    Vec v = cells();
    for (u32 i = 0; i < COUNT_OF(cases); i++) {
        Str row = take(&v, cases[i].from, cases[i].from_size);
        if (!str_eq(row, (Str){cases[i].to, cases[i].to_size})) fail_msg("case %u", i);
    }
    vec_free(&v);
}

static void functions_are_refused_at_any_depth(void **state)
{
    (void)state;
    Item item;
    assert_non_null(strstr(cell_scan((const u8 *)"\x65\0", 2, false, &item), "function"));
    assert_non_null(strstr(cell_scan((const u8 *)"\0\0\x01\0\0\0\x65\0", 8, false, &item), "::"));
    assert_non_null(cell_scan((const u8 *)"\0\0\x01\0\0\0\x65\0", 8, true, &item));
    assert_non_null(cell_scan((const u8 *)"", 0, false, &item));
    assert_non_null(cell_scan((const u8 *)"\xf9\0\0\0\0\0\0\0\0", 9, true, &item));
}

static void depth_is_bounded(void **state)
{
    (void)state;
    Value levels[BOUND_CELL_DEPTH_MAX + 2];
    Item item;
    Vec v = cells();
    levels[0] = value_string(STR("x"));
    for (u32 i = 1; i < COUNT_OF(levels); i++)
        levels[i] = value_vec(vec_of(QT_LIST, &levels[i - 1], 1));
    for (u32 i = 0; i < COUNT_OF(levels); i++) {
        Buf b = {0};
        ok(wire_encode(&b, &levels[i]));
        const char *why = cell_scan(b.data, b.size, false, &item);
        assert_int_equal(why == NULL, i < BOUND_CELL_DEPTH_MAX);
        buf_free(&b);
    }
    vec_free(&v);
}

static void json_finds_its_form(void **state)
{
    (void)state;
    Vec v = cells();
    Value row, list = value_list(&a, 3), dict = value_dict(&a, 1);
    vec_value(&list.as.vec)[0] = value_long(1);
    vec_value(&list.as.vec)[2] = value_long(3);
    value_put(&dict, "list", list);
    ok(cell_append_value(&dict, &v));
    ok(wire_row(&v, 0, &a, &row));
    assert_int_equal(row.type, QT_DICT);
    const Value *longs = value_get(&row, "list");
    assert_non_null(longs);
    assert_int_equal(longs->type, QT_LONG);
    assert_int_equal(vec_i64(&longs->as.vec)[1], INT64_MIN);
    list = value_list(&a, 2);
    vec_value(&list.as.vec)[0] = value_long(1);
    vec_value(&list.as.vec)[1] = value_float(0.5);
    ok(cell_append_value(&list, &v));
    ok(wire_row(&v, 1, &a, &row));
    assert_int_equal(row.type, QT_FLOAT);
    Value null = value_null();
    ok(cell_append_value(&null, &v));
    ok(wire_row(&v, 2, &a, &row));
    assert_true(row.type == QT_LIST && value_count(&row) == 0);
    vec_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_values_are_kept_as_they_are),
        cmocka_unit_test(other_forms_become_the_one),
        cmocka_unit_test(functions_are_refused_at_any_depth),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(json_finds_its_form),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
