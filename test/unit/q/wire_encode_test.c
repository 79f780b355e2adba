/*
 * wire_encode: what goes out for each shape in memory, what each capability refuses, errors,
 * framing.
 */
#include "base/bounds.h"
#include "q/symbol.h"
#include "q/wire.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BYTES(...) (const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__})

static void goes_out_as(const Value *v, const u8 *bytes, u64 size)
{
    Buf b = {0};
    assert_int_equal(wire_encode(&b, v), E_OK);
    assert_int_equal(b.size, size);
    assert_memory_equal(b.data, bytes, size);
    assert_int_equal(wire_check(b.data, b.size), E_OK);
    buf_free(&b);
}

static void atoms_have_their_width(void **state)
{
    (void)state;
    Value v = value_bool(true);
    goes_out_as(&v, BYTES(0xff, 1));
    v = value_atom(QT_BYTE, 0xfe);
    goes_out_as(&v, BYTES(0xfc, 0xfe));
    v = value_atom(QT_SHORT, -2);
    goes_out_as(&v, BYTES(0xfb, 0xfe, 0xff));
    v = value_int(-2);
    goes_out_as(&v, BYTES(0xfa, 0xfe, 0xff, 0xff, 0xff));
    v = value_long(2);
    goes_out_as(&v, BYTES(0xf9, 2, 0, 0, 0, 0, 0, 0, 0));
    v = value_float(1.5);
    goes_out_as(&v, BYTES(0xf7, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f));
    v = (Value){.type = -QT_REAL, .as.f = 5.5};
    goes_out_as(&v, BYTES(0xf8, 0, 0, 0xb0, 0x40));
    v = value_null();
    goes_out_as(&v, BYTES(0x65, 0));
    v = value_symbol("");
    goes_out_as(&v, BYTES(0xf5, 0));
    v = (Value){.type = -QT_SYMBOL};
    goes_out_as(&v, BYTES(0xf5, 0));
}

static void any_nan_goes_out_as_qs_null(void **state)
{
    (void)state;
    static const u64 nans[] = {0x7ff8ull << 48, (0x7ff8ull << 48) + 1, ~0ull};
    for (u64 i = 0; i < COUNT_OF(nans); i++) {
        Value v = value_float(0);
        memcpy(&v.as.f, &nans[i], sizeof nans[i]);
        goes_out_as(&v, BYTES(0xf7, 0, 0, 0, 0, 0, 0, 0xf8, 0xff));
        v.type = -QT_REAL;
        goes_out_as(&v, BYTES(0xf8, 0, 0, 0xc0, 0xff));
        v.type = -QT_DATETIME;
        goes_out_as(&v, BYTES(0xf1, 0, 0, 0, 0, 0, 0, 0xf8, 0xff));
    }
}

static void symbols_of_both_kinds_are_texts(void **state)
{
    (void)state;
    i32 ids[2];
    Str texts[] = {STR("ab"), {NULL, 0}, STR("c")};
    assert_int_equal(symbol_intern(STR("ab"), &ids[0]), E_OK);
    ids[1] = 0;
    Value v = value_vec(vec_of(QT_ENUM, ids, 2));
    v.as.vec.attr = ATTR_PARTED;
    goes_out_as(&v, BYTES(11, 3, 2, 0, 0, 0, 'a', 'b', 0, 0));
    v = value_vec(vec_of(QT_SYMBOL, texts, 3));
    goes_out_as(&v, BYTES(11, 0, 3, 0, 0, 0, 'a', 'b', 0, 0, 'c', 0));
    v = value_atom(QT_ENUM, ids[0]);
    goes_out_as(&v, BYTES(0xf5, 'a', 'b', 0));
    v = value_vec(vec_of(QT_ENUM, NULL, 0));
    goes_out_as(&v, BYTES(11, 0, 0, 0, 0, 0));
}

static void a_zero_inside_of_a_symbol_is_refused(void **state)
{
    (void)state;
    Buf b = {0};
    Value v = value_sym((Str){"a\0b", 3});
    assert_int_equal(buf_byte(&b, 7), E_OK);
    assert_int_equal(wire_encode(&b, &v), E_TYPE);
    assert_int_equal(b.size, 1);
    v = value_error((Str){"a\0b", 3});
    assert_int_equal(wire_encode(&b, &v), E_TYPE);
    assert_int_equal(b.size, 1);
    buf_free(&b);
}

static void nested_vectors_are_general_lists(void **state)
{
    (void)state;
    u64 offs[] = {1, 1, 3};
    char text[] = "xab";
    Vec strings = {.type = (i8)QT_STRING, .count = 2, .data = text, .offs = offs};
    Value v = value_vec(strings);
    goes_out_as(&v, BYTES(0, 0, 2, 0, 0, 0, 10, 0, 0, 0, 0, 0, 10, 0, 2, 0, 0, 0, 'a', 'b'));
    v = value_vec((Vec){.type = (i8)QT_STRING});
    goes_out_as(&v, BYTES(0, 0, 0, 0, 0, 0));
    i32 ids[] = {0};
    u64 one[] = {0, 1};
    v = value_vec((Vec){.type = QT_NESTED + QT_ENUM, .count = 1, .data = ids, .offs = one});
    goes_out_as(&v, BYTES(0, 0, 1, 0, 0, 0, 11, 0, 1, 0, 0, 0, 0));
}

static void lists_of_equal_atoms_become_vectors(void **state)
{
    (void)state;
    i32 id;
    assert_int_equal(symbol_intern(STR("ab"), &id), E_OK);
    Value items[] = {value_int(1), value_int(2)};
    Value v = value_vec(vec_of(QT_LIST, items, 2));
    goes_out_as(&v, BYTES(6, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0));
    items[0] = value_symbol("x");
    items[1] = value_atom(QT_ENUM, id);
    goes_out_as(&v, BYTES(11, 0, 2, 0, 0, 0, 'x', 0, 'a', 'b', 0));
    items[1] = value_int(3);
    goes_out_as(&v, BYTES(0, 0, 2, 0, 0, 0, 0xf5, 'x', 0, 0xfa, 3, 0, 0, 0));
    items[0] = items[1] = value_null();
    goes_out_as(&v, BYTES(0, 0, 2, 0, 0, 0, 101, 0, 101, 0));
    v.as.vec.count = 0;
    goes_out_as(&v, BYTES(0, 0, 0, 0, 0, 0));
}

static void tables_and_dictionaries_must_be_even(void **state)
{
    (void)state;
    Arena a = {0};
    Buf b = {0};
    u8 bytes[] = {7, 8};
    Value t = value_table(&a, 2);
    t.as.table.names[0] = STR("a");
    t.as.table.names[1] = STR("b");
    t.as.table.cols[0] = value_vec(vec_of(QT_BYTE, bytes, 1));
    t.as.table.cols[1] = value_vec(vec_of(QT_BYTE, bytes, 1));
    goes_out_as(&t, BYTES(98, 0, 99, 11, 0, 2, 0, 0, 0, 'a', 0, 'b', 0, 0, 0, 2, 0, 0, 0, 4, 0, 1,
                          0, 0, 0, 7, 4, 0, 1, 0, 0, 0, 7));
    t.as.table.cols[1].as.vec.count = 2;
    assert_int_equal(wire_encode(&b, &t), E_TYPE);
    t.as.table.cols[1] = value_long(1);
    assert_int_equal(wire_encode(&b, &t), E_TYPE);
    t = value_table(&a, 0);
    goes_out_as(&t, BYTES(98, 0, 99, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    Value d = value_dict(&a, 2);
    value_put(&d, "k", value_long(1));
    goes_out_as(&d, BYTES(99, 11, 0, 1, 0, 0, 0, 'k', 0, 7, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0));
    d.as.dict.values->as.vec.count = 0;
    assert_int_equal(wire_encode(&b, &d), E_TYPE);
    assert_int_equal(b.size, 0);
    buf_free(&b);
    arena_free(&a);
}

static void too_deep_a_value_is_refused(void **state)
{
    (void)state;
    Value levels[BOUND_DEPTH_MAX + 1];
    Buf b = {0};
    levels[0] = value_null();
    for (u32 i = 1; i <= BOUND_DEPTH_MAX; i++)
        levels[i] = value_vec(vec_of(QT_LIST, &levels[i - 1], 1));
    assert_int_equal(wire_encode(&b, &levels[BOUND_DEPTH_MAX]), E_LIMIT);
    assert_int_equal(b.size, 0);
    assert_int_equal(wire_encode(&b, &levels[BOUND_DEPTH_MAX - 1]), E_OK);
    assert_int_equal(wire_check(b.data, b.size), E_OK);
    buf_free(&b);
}

static void unknown_types_are_refused(void **state)
{
    (void)state;
    static const i16 types[] = {3, -3, -21, 21, 76, 112, 127, 1000, -1000};
    Buf b = {0};
    for (u64 i = 0; i < COUNT_OF(types); i++) {
        Value v = {.type = types[i]};
        assert_int_equal(wire_encode(&b, &v), E_TYPE);
    }
    assert_int_equal(b.size, 0);
    buf_free(&b);
}

/* A mixed vector holds its rows as they go out. */
static void mixed_vectors_go_out_as_lists(void **state)
{
    (void)state;
    Arena a = {0};
    Buf b = {0}, rows = {0};
    Vec v;
    Value back, mixed, values[] = {value_string(STR("one")), value_long(2), value_list(&a, 0)};
    vec_init(&v, QT_NESTED);
    for (u32 i = 0; i < COUNT_OF(values); i++) {
        buf_clear(&rows);
        assert_int_equal(wire_encode(&rows, &values[i]), E_OK);
        assert_int_equal(vec_append_row(&v, rows.data, rows.size), E_OK);
    }
    assert_int_equal(vec_append_null(&v, 1), E_OK);
    mixed = value_vec(v);
    assert_int_equal(wire_encode(&b, &mixed), E_OK);
    assert_int_equal(wire_decode(b.data, b.size, &a, &back), E_OK);
    assert_int_equal(back.type, QT_LIST);
    assert_int_equal(value_count(&back), 4);
    assert_int_equal(vec_value(&back.as.vec)[0].type, QT_CHAR);
    assert_int_equal(vec_value(&back.as.vec)[1].as.i, 2);
    assert_true(value_is_nothing(&vec_value(&back.as.vec)[3]));
    /* a client of old gets the same, row by row; what it cannot take is refused */
    Buf old = {0};
    assert_int_equal(wire_message(&old, WIRE_RESPONSE, &mixed, 0), E_OK);
    assert_int_equal(old.size, b.size + WIRE_HEADER);
    assert_memory_equal(old.data + WIRE_HEADER, b.data, b.size);
    vec_clear(&v);
    for (i64 i = 0; i < 2; i++) {
        Value time = value_timestamp(i);
        buf_clear(&rows);
        assert_int_equal(wire_encode(&rows, &time), E_OK);
        assert_int_equal(vec_append_row(&v, rows.data, rows.size), E_OK);
    }
    mixed = value_vec(v);
    buf_clear(&b);
    assert_int_equal(wire_encode(&b, &mixed), E_OK);
    assert_int_equal(b.data[0], QT_TIMESTAMP); /* atoms of one type are a vector to q */
    assert_int_equal(b.size, 6 + 16);
    assert_int_equal(wire_message(&old, WIRE_RESPONSE, &mixed, 0), E_TYPE);
    vec_free(&v);
    buf_free(&b);
    buf_free(&old);
    buf_free(&rows);
    arena_free(&a);
}

static void capabilities_bound_what_may_be_sent(void **state)
{
    (void)state;

    static const struct {
        int type;
        u8 least;
    } cases[] = {{QT_LONG, 0},      {QT_DATE, 0},     {QT_DATETIME, 0},
                 {QT_TIMESTAMP, 1}, {QT_TIMESPAN, 1}, {QT_GUID, 3}};

    _Alignas(8) u8 zeros[16] = {0};
    for (u64 i = 0; i < COUNT_OF(cases); i++) {
        Value atom = {.type = (i16)-cases[i].type};
        Value vector = value_vec(vec_of(cases[i].type, zeros, 1));
        Value list[] = {value_null(), vector};
        Value inside = value_vec(vec_of(QT_LIST, list, 2));
        Value atoms[] = {atom, atom};
        Value collapsed = value_vec(vec_of(QT_LIST, atoms, 2));
        const Value *const shapes[] = {&atom, &vector, &inside, &collapsed};
        for (u64 s = 0; s < COUNT_OF(shapes); s++) {
            for (u8 capability = 0; capability <= 6; capability++) {
                Buf b = {0};
                Err err = wire_message(&b, WIRE_RESPONSE, shapes[s], capability);
                assert_int_equal(err, capability >= cases[i].least ? E_OK : E_TYPE);
                assert_int_equal(b.size > 0, err == E_OK);
                buf_free(&b);
            }
        }
    }
}

static void messages_stand_one_behind_the_other(void **state)
{
    (void)state;
    Buf b = {0};
    Value v = value_bool(true);
    u64 at;
    assert_int_equal(wire_message(&b, WIRE_SYNC, &v, 3), E_OK);
    assert_int_equal(wire_begin(&b, WIRE_ASYNC, &at), E_OK);
    assert_int_equal(at, 10);
    assert_int_equal(buf_append(&b, "\x65", 2), E_OK);
    assert_int_equal(wire_finish(&b, at), E_OK);
    static const u8 wanted[] = {1, 1, 0, 0, 10, 0, 0, 0, 0xff, 1, 1, 0, 0, 0, 10, 0, 0, 0, 0x65, 0};
    assert_int_equal(b.size, sizeof wanted);
    assert_memory_equal(b.data, wanted, sizeof wanted);
    buf_free(&b);
}

static void a_full_buffer_keeps_its_content(void **state)
{
    (void)state;
    Buf b;
    i64 longs[100] = {0};
    Value v = value_vec(vec_of(QT_LONG, longs, 100));
    buf_init(&b, 200);
    assert_int_equal(buf_append(&b, "abc", 3), E_OK);
    assert_int_equal(wire_message(&b, WIRE_SYNC, &v, 3), E_LIMIT);
    assert_int_equal(b.size, 3);
    buf_free(&b);
}

static void errors_are_short_and_whole(void **state)
{
    (void)state;
    Buf b = {0};
    char text[400];
    assert_int_equal(wire_error(&b, "type"), E_OK);
    static const u8 wanted[] = {1, 2, 0, 0, 14, 0, 0, 0, 0x80, 't', 'y', 'p', 'e', 0};
    assert_int_equal(b.size, sizeof wanted);
    assert_memory_equal(b.data, wanted, sizeof wanted);
    buf_clear(&b);
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    assert_int_equal(wire_error(&b, text), E_OK);
    assert_int_equal(b.size, 8 + 1 + 250 + 1);
    memcpy(text + 248, "\xe2\x82\xac", 3); /* a character over the edge is left out */
    buf_clear(&b);
    assert_int_equal(wire_error(&b, text), E_OK);
    assert_int_equal(b.size, 8 + 1 + 248 + 1);
    assert_int_equal(wire_check(b.data + 8, b.size - 8), E_OK);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(atoms_have_their_width),
        cmocka_unit_test(any_nan_goes_out_as_qs_null),
        cmocka_unit_test(symbols_of_both_kinds_are_texts),
        cmocka_unit_test(a_zero_inside_of_a_symbol_is_refused),
        cmocka_unit_test(nested_vectors_are_general_lists),
        cmocka_unit_test(lists_of_equal_atoms_become_vectors),
        cmocka_unit_test(tables_and_dictionaries_must_be_even),
        cmocka_unit_test(too_deep_a_value_is_refused),
        cmocka_unit_test(unknown_types_are_refused),
        cmocka_unit_test(mixed_vectors_go_out_as_lists),
        cmocka_unit_test(capabilities_bound_what_may_be_sent),
        cmocka_unit_test(messages_stand_one_behind_the_other),
        cmocka_unit_test(a_full_buffer_keeps_its_content),
        cmocka_unit_test(errors_are_short_and_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
