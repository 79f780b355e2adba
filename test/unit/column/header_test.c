/* header: what is encoded decodes to the same; the forms of older versions are told apart. */
#include "column/header.h"
#include "q/type.h"
#include "unit/column/kit.h"

static void plain_round_trip(void **state)
{
    (void)state;
    u8 image[16 + 24] = {0};
    Header h;
    header_plain(image, QT_TIMESTAMP, ATTR_SORTED, 3);
    ok(header_decode(image, sizeof image, "f", &h));
    assert_int_equal(h.form, HEADER_PLAIN);
    assert_int_equal(h.type, QT_TIMESTAMP);
    assert_int_equal(h.attr, ATTR_SORTED);
    assert_int_equal(h.rows, 3);
    assert_int_equal(h.data_at, 16);
}

static void rows_come_from_the_size_not_from_the_count(void **state)
{
    (void)state;
    u8 image[16 + 24] = {0};
    Header h;
    header_plain(image, QT_LONG, ATTR_NONE, 0);
    ok(header_decode(image, sizeof image, "f", &h));
    assert_int_equal(h.rows, 3);
    header_plain(image, QT_LONG, ATTR_NONE, UINT64_MAX);
    ok(header_decode(image, sizeof image, "f", &h));
    assert_int_equal(h.rows, 3);
    header_plain(image, QT_LONG, ATTR_PARTED, 2);
    ok(header_decode(image, sizeof image, "f", &h));
    assert_int_equal(h.rows, 2);
    header_plain(image, QT_LONG, ATTR_PARTED, 4);
    fails(E_CORRUPT, "counts 4", header_decode(image, sizeof image, "f", &h));
}

static void page_round_trip(void **state)
{
    (void)state;
    static u8 image[4096 + 16];
    Header h;
    header_page(image, "exchange", 0, QT_ENUM, ATTR_NONE, 2);
    ok(header_decode(image, sizeof image, "f", &h));
    assert_int_equal(h.form, HEADER_ENUM64);
    assert_int_equal(h.rows, 2);
    assert_string_equal(h.domain, "exchange");
    header_page(image, "", 1, QT_NESTED, ATTR_NONE, 2);
    ok(header_decode(image, sizeof image, "f", &h));
    assert_int_equal(h.form, HEADER_ANYMAP);
    header_page(image, "", 0, 4, ATTR_NONE, 0);
    ok(header_check_heap(image, sizeof image, "f#"));
    fails(E_UNSUPPORTED, "type 4", header_decode(image, sizeof image, "f", &h));
    header_page(image, "", 1, QT_NESTED, ATTR_NONE, 0);
    fails(E_CORRUPT, "heap", header_check_heap(image, sizeof image, "f#"));
}

static void long_domain_names(void **state)
{
    (void)state;
    static u8 image[4096];
    Header h;
    char name[300];
    memset(name, 'n', sizeof name);
    name[255] = 0;
    header_page(image, name, 0, QT_ENUM, ATTR_NONE, 0);
    ok(header_decode(image, sizeof image, "f", &h));
    assert_string_equal(h.domain, name);
    name[255] = 'n';
    name[256] = 0;
    header_page(image, name, 0, QT_ENUM, ATTR_NONE, 0);
    fails(E_UNSUPPORTED, "256 bytes", header_decode(image, sizeof image, "f", &h));
}

/* fe + name, area of `area` bytes, attribute, count, `count` indices. */
static u64 narrow(u8 *out, const char *name, u64 area, u8 attr, u64 count)
{
    memset(out, 0, 200);
    out[0] = 0xfe;
    memcpy(out + 1, name, strlen(name));
    out[area + 3] = attr;
    store_u64(out + area + 8, count);
    return area + 16 + 4 * count;
}

static void enumerations_of_32_bits(void **state)
{
    (void)state;
    u8 image[200];
    Header h;
    u64 size = narrow(image, "sym", 8, ATTR_NONE, 5);
    ok(header_decode(image, size, "f", &h));
    assert_int_equal(h.form, HEADER_ENUM32);
    assert_int_equal(h.rows, 5);
    assert_int_equal(h.data_at, 24);
    assert_string_equal(h.domain, "sym");
    size = narrow(image, "sixsix", 8, ATTR_SORTED, 2);
    ok(header_decode(image, size, "f", &h));
    assert_int_equal(h.attr, ATTR_SORTED);
    size = narrow(image, "exchange", 16, ATTR_NONE, 5);
    ok(header_decode(image, size, "f", &h));
    assert_int_equal(h.rows, 5);
    assert_int_equal(h.data_at, 32);
    assert_string_equal(h.domain, "exchange");
    fails(E_UNSUPPORTED, "longer than 6", header_decode(image, size - 4, "f", &h));
    fails(E_CORRUPT, "header", header_decode(image, 20, "f", &h));
    memset(image, 'x', sizeof image);
    image[0] = 0xfe;
    fails(E_CORRUPT, "does not end", header_decode(image, 64, "f", &h));
    u8 made[HEADER_ENUM_SIZE + 8] = {0};
    header_enum32(made, "sixsix", ATTR_SORTED, 2);
    ok(header_decode(made, sizeof made, "f", &h));
    assert_string_equal(h.domain, "sixsix");
    assert_int_equal(h.attr, ATTR_SORTED);
    assert_int_equal(h.rows, 2);
}

static void lists_before_3_6(void **state)
{
    (void)state;
    u8 image[16 + 24] = {0};
    Header h;
    header_plain(image, QT_STRING, ATTR_NONE, 3);
    ok(header_decode(image, sizeof image, "f", &h));
    assert_int_equal(h.form, HEADER_OLD);
    assert_int_equal(h.type, QT_STRING);
    assert_int_equal(h.rows, 3);
    header_plain(image, QT_NESTED + QT_ENUM, ATTR_NONE, 3);
    fails(E_UNSUPPORTED, "enumerations", header_decode(image, sizeof image, "f", &h));
    header_plain(image, QT_NESTED + QT_SYMBOL, ATTR_NONE, 3);
    fails(E_CORRUPT, "type 88", header_decode(image, sizeof image, "f", &h));
}

static void guids_with_an_attribute_have_a_page(void **state)
{
    (void)state;
    static u8 image[4096 + 48];
    Header h;
    header_page(image, "", 0, QT_GUID, ATTR_UNIQUE, 2);
    ok(header_decode(image, sizeof image, "f", &h));
    assert_int_equal(h.form, HEADER_PLAIN);
    assert_int_equal(h.type, QT_GUID);
    assert_int_equal(h.rows, 2);
    assert_int_equal(h.data_at, 4096);
    header_page(image, "", 0, QT_GUID, ATTR_UNIQUE, 4);
    fails(E_CORRUPT, "counts 4", header_decode(image, sizeof image, "f", &h));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_round_trip),
        cmocka_unit_test(rows_come_from_the_size_not_from_the_count),
        cmocka_unit_test(page_round_trip),
        cmocka_unit_test(long_domain_names),
        cmocka_unit_test(enumerations_of_32_bits),
        cmocka_unit_test(lists_before_3_6),
        cmocka_unit_test(guids_with_an_attribute_have_a_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
