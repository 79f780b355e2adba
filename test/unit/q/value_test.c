/*
 * value: atoms, elements of vectors, dictionaries by name, tables by column.
 */
#include "q/symbol.h"
#include "q/value.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void atoms_are_what_they_were_made_of(void **state)
{
    (void)state;
    i64 i = 0;
    Str text;
    Value v = value_bool(true);
    assert_int_equal(v.type, -QT_BOOLEAN);
    assert_true(value_int_of(&v, &i) && i == 1);
    v = value_long(-5);
    assert_true(value_int_of(&v, &i) && i == -5);
    v = value_atom(QT_DATE, 8766);
    assert_int_equal(v.type, -QT_DATE);
    assert_true(value_int_of(&v, &i) && i == 8766);
    assert_false(value_text(&v, &text));
    v = value_symbol("abc");
    assert_true(value_text(&v, &text) && str_is(text, "abc"));
    assert_false(value_int_of(&v, &i));
    v = value_atom(QT_CHAR, 'x');
    assert_true(value_text(&v, &text) && str_is(text, "x"));
    assert_false(value_int_of(&v, &i));
    v = value_string(STR("words"));
    assert_true(value_text(&v, &text) && str_is(text, "words"));
    v = value_string((Str){NULL, 0});
    assert_true(value_text(&v, &text) && text.size == 0 && text.data);
    v = value_int(3);
    assert_int_equal(v.type, -QT_INT);
    v = value_timestamp(9);
    assert_int_equal(v.type, -QT_TIMESTAMP);
    assert_int_equal(value_count(&v), 1);
}

static void whole_floats_are_integers_and_others_are_not(void **state)
{
    (void)state;
    static const f64 whole[] = {0.0, -0.0, 1.0, -3.0, 9007199254740993.0, -0x1p63};
    static const f64 others[] = {0.5, 1e300, -1e300, 0x1p63, INFINITY, -INFINITY, NAN};
    i64 i;
    for (u64 k = 0; k < COUNT_OF(whole); k++) {
        Value v = value_float(whole[k]);
        assert_true(value_int_of(&v, &i));
        assert_true((f64)i == whole[k]);
    }
    for (u64 k = 0; k < COUNT_OF(others); k++) {
        Value v = value_float(others[k]);
        assert_false(value_int_of(&v, &i));
    }
}

static void nulls_of_every_width_are_the_long_null(void **state)
{
    (void)state;
    Value shorts = value_atom(QT_SHORT, Q_NULL_SHORT), ints = value_atom(QT_TIME, Q_NULL_INT);
    i64 i = 0;
    assert_true(value_int_of(&shorts, &i) && i == Q_NULL_LONG);
    assert_true(value_int_of(&ints, &i) && i == Q_NULL_LONG);
    shorts = value_atom(QT_LONG, Q_NULL_SHORT);
    assert_true(value_int_of(&shorts, &i) && i == Q_NULL_SHORT);
}

static void nothing_is_null_or_the_empty_list(void **state)
{
    (void)state;
    Arena a = {0};
    Value v = value_null();
    assert_true(value_is_nothing(&v));
    v.as.i = 7; /* another primitive */
    assert_false(value_is_nothing(&v));
    v = value_list(&a, 0);
    assert_true(value_is_nothing(&v));
    v = value_list(&a, 1);
    assert_false(value_is_nothing(&v));
    v = value_string(STR(""));
    assert_false(value_is_nothing(&v));
    arena_free(&a);
}

static void elements_are_atoms_of_their_type(void **state)
{
    (void)state;
    static const i64 minus[] = {-1, -2};
    for (int t = QT_BOOLEAN; t < QT_ENUM; t++) {
        if (t == 3 || t == QT_SYMBOL || type_class(t) == TYPE_REAL || t == QT_GUID) continue;
        Value v = value_vec(vec_of(t, minus, 2)), e = value_at(&v, 0);
        assert_int_equal(e.type, -t);
        assert_int_equal(e.as.i, type_width(t) == 1 ? 255 : -1);
    }
    f32 reals[] = {1.5f, 2.5f};
    Value v = value_vec(vec_of(QT_REAL, reals, 2)), e = value_at(&v, 1);
    assert_int_equal(e.type, -QT_REAL);
    assert_true(e.as.f == 2.5);
    u8 guids[32] = {[16] = 9};
    v = value_vec(vec_of(QT_GUID, guids, 2));
    e = value_at(&v, 1);
    assert_int_equal(e.as.guid[0], 9);
    i32 id;
    Str text;
    assert_int_equal(symbol_intern(STR("value_name"), &id), E_OK);
    v = value_vec(vec_of(QT_ENUM, &id, 1));
    e = value_at(&v, 0);
    assert_int_equal(e.type, -QT_ENUM);
    assert_true(value_text(&e, &text) && str_is(text, "value_name"));
    e = value_at(&v, 1);
    assert_int_equal(e.type, QT_NULL);
    u64 offs[] = {2, 2, 5};
    char bytes[] = "..abc";
    Vec nested = {.type = (i8)QT_STRING, .count = 2, .data = bytes, .offs = offs};
    v = value_vec(nested);
    e = value_at(&v, 1);
    assert_true(value_text(&e, &text) && str_is(text, "abc"));
    e = value_at(&v, 0);
    assert_true(value_text(&e, &text) && text.size == 0);
}

static void a_dictionary_gives_values_by_name(void **state)
{
    (void)state;
    Arena a = {0};
    Value d = value_dict(&a, 3);
    value_put(&d, "one", value_long(1));
    value_put(&d, "two", value_string(STR("zwei")));
    assert_int_equal(value_count(&d), 2);
    assert_int_equal(value_get(&d, "one")->as.i, 1);
    assert_null(value_get(&d, "three"));
    assert_null(value_get(&d, ""));
    Value other = value_long(1);
    assert_null(value_get(&other, "one"));
    i64 numbers[] = {7, 8};
    Value items[] = {value_long(7), value_long(8)};
    *d.as.dict.values = value_vec(vec_of(QT_LONG, numbers, 2));
    assert_null(value_get(&d, "two"));
    d.as.dict.items = items;
    assert_int_equal(value_get(&d, "two")->as.i, 8);
    Value keys[] = {value_string(STR("one")),
                    value_sym(STR("two"))}; /* as other clients send them */
    *d.as.dict.keys = value_vec(vec_of(QT_LIST, keys, 2));
    assert_int_equal(value_get(&d, "two")->as.i, 8);
    arena_free(&a);
}

static void a_table_gives_columns_by_name(void **state)
{
    (void)state;
    Arena a = {0};
    i64 longs[] = {1, 2, 3};
    Value t = value_table(&a, 2);
    t.as.table.names[0] = STR("x");
    t.as.table.names[1] = STR("y");
    t.as.table.cols[0] = value_vec(vec_of(QT_LONG, longs, 3));
    t.as.table.cols[1] = value_vec(vec_of(QT_TIMESTAMP, longs, 3));
    assert_int_equal(value_count(&t), 3);
    assert_int_equal(value_col(&t, "y")->type, QT_TIMESTAMP);
    assert_null(value_col(&t, "z"));
    Value keyed = {.type = QT_DICT, .as.dict = {.keys = &t, .values = &t}};
    assert_int_equal(value_count(&keyed), 3);
    assert_int_equal(value_col(&keyed, "x")->type, QT_LONG);
    assert_null(value_get(&keyed, "x"));
    Value empty = value_table(&a, 0);
    assert_int_equal(value_count(&empty), 0);
    assert_null(value_col(&empty, "x"));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(atoms_are_what_they_were_made_of),
        cmocka_unit_test(whole_floats_are_integers_and_others_are_not),
        cmocka_unit_test(nulls_of_every_width_are_the_long_null),
        cmocka_unit_test(nothing_is_null_or_the_empty_list),
        cmocka_unit_test(elements_are_atoms_of_their_type),
        cmocka_unit_test(a_dictionary_gives_values_by_name),
        cmocka_unit_test(a_table_gives_columns_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
