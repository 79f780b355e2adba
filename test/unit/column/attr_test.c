/* attr: payloads equal the documented ones; lookups survive damage; the check finds it. */
#include "column/attr.h"
#include "unit/column/kit.h"

static void expect_hex(const Buf *b, const char *hex)
{
    kit_write(kit_path("hex"), b->data, b->size);
    kit_expect(kit_path("hex"), hex);
}

static void narrow_payload_is_that_of_a_real_file(void **state)
{
    (void)state;
    Buf b = {0};
    i32 keys[] = {10, 11};
    i64 offs[] = {0, 2732, 5464};
    ok(attr_build_parted(&b, keys, offs, 2, false));
    expect_hex(
        &b, "0200140200000000 0200000000000000 0a000000 0b000000"
            "0000000000000000 ffffffffffffffff ffffffffffffffff 0100000000000000"
            "0200070000000000 0300000000000000 0000000000000000 ac0a000000000000 5815000000000000");
    buf_clear(&b);
    i64 none = 0;
    ok(attr_build_parted(&b, NULL, &none, 0, false));
    expect_hex(&b, "0200140200000000 0000000000000000 0000000000000000 ff*32 "
                   "0100070000000000 0100000000000000 0000000000000000");
    buf_free(&b);
}

static void wide_payload_without_rows(void **state)
{
    (void)state;
    Buf b = {0};
    i64 none = 0;
    ok(attr_build_parted(&b, NULL, &none, 0, true));
    assert_int_equal(b.size, 4176 - 4096);
    buf_free(&b);
}

/* A column over elements and a payload built for them, in one 8-aligned block. */
static u64 *open_over(Column *c, const i64 *rows, u64 count, int attr, Err *err)
{
    Buf b = {0};
    if (attr == ATTR_GROUPED) {
        ok(attr_build_grouped(&b, rows, count, true));
    } else {
        i64 *keys = calloc(count + 1, 8), *offs = calloc(count + 2, 8);
        u64 n = 0;
        for (u64 i = 0; i < count; i++) {
            if (i > 0 && rows[i] == rows[i - 1]) continue;
            keys[n] = rows[i];
            offs[n++] = (i64)i;
        }
        offs[n] = (i64)count;
        ok(attr_build_parted(&b, keys, offs, n, true));
        free(keys);
        free(offs);
    }
    u64 *block = malloc(b.size);
    memcpy(block, b.data, b.size);
    *c = (Column){.type = QT_ENUM, .attr = (u8)attr, .wide = true, .rows = count, .data = rows};
    *err = attr_open(c, (const u8 *)block, b.size);
    buf_free(&b);
    return block;
}

static void finds_every_key_and_no_other(void **state)
{
    (void)state;

    enum { N = 3000 };

    static i64 rows[N * 2];
    Column c;
    Err err;
    u64 from, to;
    for (i64 i = 0; i < N * 2; i++)
        rows[i] = (i / 2) * 1000003 % 2147483629;
    rows[0] = rows[1] = INT64_MIN;
    u64 *block = open_over(&c, rows, N * 2, ATTR_PARTED, &err);
    ok(err);
    ok(attr_check(&c));
    assert_int_equal(c.key_count, N);
    for (u64 i = 0; i < N; i++) {
        attr_find(&c, rows[2 * i], &from, &to);
        assert_int_equal(from, 2 * i);
        assert_int_equal(to, 2 * i + 2);
    }
    attr_find(&c, 7, &from, &to);
    assert_int_equal(from, to);
    free(block);
}

static void grouped_rows_are_listed_by_key(void **state)
{
    (void)state;
    i64 rows[] = {4, 9, 4, 4, INT64_MIN, 9};
    Column c;
    Err err;
    u64 from, to;
    u64 *block = open_over(&c, rows, 6, ATTR_GROUPED, &err);
    ok(err);
    ok(attr_check(&c));
    attr_find(&c, 4, &from, &to);
    assert_int_equal(to - from, 3);
    assert_int_equal(c.perm[from], 0);
    assert_int_equal(c.perm[from + 1], 2);
    assert_int_equal(c.perm[from + 2], 3);
    attr_find(&c, INT64_MIN, &from, &to);
    assert_int_equal(to - from, 1);
    assert_int_equal(c.perm[from], 4);
    free(block);
}

static void damaged_slots_cost_time_not_rows(void **state)
{
    (void)state;
    i64 rows[] = {5, 5, 2, 6, 4, 3, 3, 3};
    Column c;
    Err err;
    u64 from, to;
    u64 *block = open_over(&c, rows, 8, ATTR_PARTED, &err);
    ok(err);
    i64 *slots = (i64 *)block + (c.slots - (const i64 *)block);
    for (u64 i = 0; i < c.slot_count; i++)
        slots[i] = 77;
    fails(E_CORRUPT, "number", attr_check(&c));
    attr_find(&c, 3, &from, &to);
    assert_int_equal(from, 5);
    assert_int_equal(to, 8);
    for (u64 i = 0; i < c.slot_count; i++)
        slots[i] = 0;
    attr_find(&c, 4, &from, &to);
    assert_int_equal(from, 4);
    attr_find(&c, 99, &from, &to);
    assert_int_equal(from, to);
    free(block);
}

static void check_compares_rows_with_keys(void **state)
{
    (void)state;
    i64 rows[] = {5, 5, 2};
    Column c;
    Err err;
    u64 *block = open_over(&c, rows, 3, ATTR_PARTED, &err);
    ok(err);
    rows[1] = 2;
    fails(E_CORRUPT, "its key", attr_check(&c));
    rows[1] = 5;
    ok(attr_check(&c));
    free(block);
}

static void rows_of_32_bits_find_their_null(void **state)
{
    (void)state;
    Buf b = {0};
    i32 rows[] = {INT32_MIN, 3, 3}, keys[] = {INT32_MIN, 3};
    i64 offs[] = {0, 1, 3};
    u64 from, to;
    ok(attr_build_parted(&b, keys, offs, 2, false));
    u64 *block = malloc(b.size);
    memcpy(block, b.data, b.size);
    Column c = {.type = QT_ENUM, .attr = ATTR_PARTED, .rows = 3, .data = rows};
    ok(attr_open(&c, (const u8 *)block, b.size));
    ok(attr_check(&c));
    attr_find(&c, INT64_MIN, &from, &to);
    assert_int_equal(from, 0);
    assert_int_equal(to, 1);
    attr_find(&c, 3, &from, &to);
    assert_int_equal(to, 3);
    attr_find(&c, 1ll << 40, &from, &to);
    assert_int_equal(from, to);
    free(block);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(narrow_payload_is_that_of_a_real_file),
        cmocka_unit_test(wide_payload_without_rows),
        cmocka_unit_test(finds_every_key_and_no_other),
        cmocka_unit_test(grouped_rows_are_listed_by_key),
        cmocka_unit_test(damaged_slots_cost_time_not_rows),
        cmocka_unit_test(check_compares_rows_with_keys),
        cmocka_unit_test(rows_of_32_bits_find_their_null),
    };
    return cmocka_run_group_tests(tests, kit_setup, kit_teardown);
}
