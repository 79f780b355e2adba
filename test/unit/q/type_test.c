/*
 * type: the table of types against the specification's own tables, nulls bit for bit.
 */
#include "base/fail.h"
#include "q/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct {
    int type;
    u32 width, disk_width;
    const char *name, *list;
    char letter;
} Expected;

static const Expected expected[] = {
    {1, 1, 1, "boolean", "booleans", 'b'},
    {2, 16, 16, "guid", "guids", 'g'},
    {4, 1, 1, "byte", "bytes", 'x'},
    {5, 2, 2, "short", "shorts", 'h'},
    {6, 4, 4, "int", "ints", 'i'},
    {7, 8, 8, "long", "longs", 'j'},
    {8, 4, 4, "real", "reals", 'e'},
    {9, 8, 8, "float", "floats", 'f'},
    {10, 1, 1, "char", "string", 'c'},
    {11, sizeof(Str), 8, "symbol", "symbols", 's'},
    {12, 8, 8, "timestamp", "timestamps", 'p'},
    {13, 4, 4, "month", "months", 'm'},
    {14, 4, 4, "date", "dates", 'd'},
    {15, 8, 8, "datetime", "datetimes", 'z'},
    {16, 8, 8, "timespan", "timespans", 'n'},
    {17, 4, 4, "minute", "minutes", 'u'},
    {18, 4, 4, "second", "seconds", 'v'},
    {19, 4, 4, "time", "times", 't'},
};

static void every_type_is_as_the_specification_says(void **state)
{
    (void)state;
    for (u64 i = 0; i < COUNT_OF(expected); i++) {
        const Expected *e = &expected[i];
        assert_int_equal(type_width(e->type), e->width);
        assert_int_equal(type_width(-e->type), e->width);
        assert_int_equal(type_disk_width(e->type), e->disk_width);
        assert_string_equal(type_name(e->type), e->name);
        assert_string_equal(type_name(QT_NESTED + e->type), e->list);
        assert_int_equal(type_parse(str_of(e->name)), e->type);
        assert_int_equal(type_parse(str_of(e->list)), QT_NESTED + e->type);
        assert_int_equal(type_letter(e->type), e->letter);
        assert_int_equal(type_letter(QT_NESTED + e->type), e->letter - 32);
        assert_int_equal(type_disk_width(QT_NESTED + e->type), 8);
        assert_int_equal(type_is_temporal(e->type), e->type >= 12);
        assert_int_equal(type_is_fixed(e->type), e->type != 11);
    }
}

static void derived_and_unknown_types_have_their_answers(void **state)
{
    (void)state;
    assert_int_equal(type_width(QT_ENUM), 4);
    assert_int_equal(type_disk_width(QT_ENUM), 8);
    assert_string_equal(type_name(QT_ENUM), "symbol");
    assert_string_equal(type_name(QT_STRING), "string");
    assert_int_equal(type_letter(QT_STRING), 'C');
    assert_int_equal(type_letter(QT_LIST), ' ');
    assert_int_equal(type_parse(STR("")), QT_LIST);
    assert_int_equal(type_parse(STR(" ")), QT_LIST);
    static const int unknown[] = {3, -3, 21, 76, 77, 80, 98 + 15, 127, 1000, -1000};
    for (u64 i = 0; i < COUNT_OF(unknown); i++)
        assert_int_equal(type_width(unknown[i]), 0);
    assert_false(type_is_fixed(3));
    assert_false(type_is_fixed(QT_ENUM));
    assert_false(type_is_fixed(QT_LIST));
    assert_int_equal(type_parse(STR("longer")), -1);
    assert_int_equal(type_parse(STR("Long")), -1);
    assert_int_equal(type_parse(STR("chars")), -1);
}

static void classes_tell_how_to_compare(void **state)
{
    (void)state;
    assert_int_equal(type_class(QT_LONG), TYPE_INTEGER);
    assert_int_equal(type_class(QT_CHAR), TYPE_INTEGER);
    assert_int_equal(type_class(QT_REAL), TYPE_REAL);
    assert_int_equal(type_class(QT_DATETIME), TYPE_REAL);
    assert_int_equal(type_class(QT_GUID), TYPE_BYTES16);
    assert_int_equal(type_class(QT_SYMBOL), TYPE_TEXT);
    assert_int_equal(type_class(QT_ENUM), TYPE_INTEGER);
}

static void nulls_are_bit_for_bit_those_of_q(void **state)
{
    (void)state;

    static const struct {
        int type;
        u64 bits;
        bool null; /* whether that element counts as null */
    } nulls[] = {
        {1, 0, false},
        {4, 0, false},
        {5, 0x8000, true},
        {6, 0x80000000u, true},
        {7, 1ull << 63, true},
        {8, 0xffc00000u, true},
        {9, 0xfff8ull << 48, true},
        {10, 0x20, true},
        {12, 1ull << 63, true},
        {13, 0x80000000u, true},
        {14, 0x80000000u, true},
        {15, 0xfff8ull << 48, true},
        {16, 1ull << 63, true},
        {17, 0x80000000u, true},
        {18, 0x80000000u, true},
        {19, 0x80000000u, true},
        {20, 0, true},
    };

    for (u64 i = 0; i < COUNT_OF(nulls); i++) {
        u8 bytes[16] = {0};
        type_null(nulls[i].type, bytes);
        assert_int_equal(load_u64(bytes), nulls[i].bits);
        assert_int_equal(type_is_null(nulls[i].type, bytes), nulls[i].null);
        bytes[0] ^= 1;
        if (nulls[i].type != QT_FLOAT && nulls[i].type != QT_DATETIME && nulls[i].type != QT_REAL)
            assert_false(type_is_null(nulls[i].type, bytes));
    }
    u8 guid[16];
    memset(guid, 1, sizeof guid);
    assert_false(type_is_null(QT_GUID, guid));
    type_null(QT_GUID, guid);
    assert_true(type_is_null(QT_GUID, guid));
    Str symbol = STR("x");
    assert_false(type_is_null(QT_SYMBOL, &symbol));
    type_null(QT_SYMBOL, &symbol);
    assert_true(type_is_null(QT_SYMBOL, &symbol));
}

static void any_nan_is_null_and_infinity_is_not(void **state)
{
    (void)state;
    static const u64 nans[] = {0x7ff8ull << 48, (0x7ff8ull << 48) + 1, (0x7ff0ull << 48) + 1,
                               ~0ull};
    static const u64 others[] = {0x7ff0ull << 48, 0xfff0ull << 48, 0, 1ull << 63,
                                 (0x7ff0ull << 48) - 1};
    for (u64 i = 0; i < COUNT_OF(nans); i++)
        assert_true(type_is_null(QT_FLOAT, &nans[i]));
    for (u64 i = 0; i < COUNT_OF(others); i++)
        assert_false(type_is_null(QT_FLOAT, &others[i]));
    static const u32 real_nans[] = {0x7fc00000u, 0xffc00000u, 0x7f800001u}, infinity = 0x7f800000u;
    for (u64 i = 0; i < COUNT_OF(real_nans); i++)
        assert_true(type_is_null(QT_REAL, &real_nans[i]));
    assert_false(type_is_null(QT_REAL, &infinity));
}

static void attributes_have_the_schemas_names(void **state)
{
    (void)state;
    static const char *const names[] = {"", "sorted", "unique", "parted", "grouped"};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(type_attr_parse(str_of(names[i])), i);
        assert_string_equal(type_attr_name(i), names[i]);
    }
    assert_int_equal(type_attr_parse(STR("s")), -1);
    assert_string_equal(type_attr_name(5), "");
    assert_string_equal(type_attr_name(-1), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_as_the_specification_says),
        cmocka_unit_test(derived_and_unknown_types_have_their_answers),
        cmocka_unit_test(classes_tell_how_to_compare),
        cmocka_unit_test(nulls_are_bit_for_bit_those_of_q),
        cmocka_unit_test(any_nan_is_null_and_infinity_is_not),
        cmocka_unit_test(attributes_have_the_schemas_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
