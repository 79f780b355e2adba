/* domain: names are only ever appended; a prefix can be loaded; damage is named. */
#include "base/crc.h"
#include "column/block_out.h"
#include "column/domain.h"
#include "os/fault.h"
#include "q/symbol.h"
#include "unit/column/kit.h"

#include <errno.h>

static i32 id_of(const char *name)
{
    i32 id;
    ok(symbol_intern(str_of(name), &id));
    return id;
}

static void absent_is_empty(void **state)
{
    (void)state;
    Domain d;
    u64 size = 9;
    ok(domain_open(&d, kit_path("absent"), UINT64_MAX));
    assert_int_equal(d.count, 0);
    assert_int_equal(domain_find(&d, 0), -1);
    assert_int_equal(domain_find(&d, 123456), -1);
    ok(domain_save(&d, &size));
    assert_int_equal(size, 0);
    assert_int_equal(access(kit_path("absent"), F_OK), -1);
    ok(domain_cut(&d, 0));
    domain_close(&d);
    domain_close(&d);
    fails(E_NOT_FOUND, "", domain_open(&d, kit_path("absent"), 20));
}

static void grows_at_its_end(void **state)
{
    (void)state;
    Domain d, reader;
    u64 first, second;
    i32 one[] = {id_of("AAPL"), id_of("MSFT"), id_of("AAPL"), 0};
    i32 two[] = {id_of("GOOG"), id_of("MSFT")};
    ok(domain_open(&d, kit_path("sym"), UINT64_MAX));
    ok(domain_add(&d, one, 4));
    assert_int_equal(d.count, 2);
    assert_int_equal(domain_find(&d, one[1]), 1);
    assert_int_equal(domain_find(&d, 0), -1);
    ok(domain_save(&d, &first));
    kit_expect(kit_path("sym"), "ff010b0002000000 4141504c00 4d53465400");
    assert_int_equal(first, 18);
    ok(domain_add(&d, two, 2));
    assert_int_equal(d.indices[two[0]], 2);
    ok(domain_save(&d, &second));
    kit_expect(kit_path("sym"), "ff010b0002000000 4141504c00 4d53465400 474f4f4700");
    ok(domain_save(&d, &second));
    assert_int_equal(second, 23);
    domain_close(&d);

    ok(domain_open(&reader, kit_path("sym"), first));
    assert_int_equal(reader.count, 2);
    assert_int_equal(reader.ids[0], one[0]);
    ok(domain_load(&reader, first));
    assert_int_equal(reader.count, 2);
    ok(domain_load(&reader, second));
    assert_int_equal(reader.count, 3);
    assert_int_equal(domain_find(&reader, two[0]), 2);
    fails(E_CORRUPT, "are needed", domain_load(&reader, second + 1));
    domain_close(&reader);
}

/* The CRC of a domain's bytes as far as they are loaded or saved. */
static void expect_crc(const Domain *d, u64 size)
{
    u64 there;
    u8 *file = kit_read(kit_path("sym"), &there);
    assert_true(there >= size);
    assert_int_equal(d->size, size);
    assert_int_equal(d->crc, crc_32c(0, file, size));
    free(file);
}

static void its_crc_follows(void **state)
{
    (void)state;
    Domain d, reader;
    u64 first, second;
    i32 one[] = {id_of("AAPL"), id_of("MSFT")}, two[] = {id_of("GOOG")};
    unlink(kit_path("sym"));
    ok(domain_open(&d, kit_path("sym"), UINT64_MAX));
    ok(domain_add(&d, one, 2));
    ok(domain_save(&d, &first));
    expect_crc(&d, first);
    ok(domain_open(&reader, kit_path("sym"), first));
    expect_crc(&reader, first);
    ok(domain_add(&d, two, 1));
    ok(domain_save(&d, &second));
    expect_crc(&d, second);
    ok(domain_load(&reader, second));
    expect_crc(&reader, second);
    ok(domain_cut(&reader, first));
    expect_crc(&reader, first);
    domain_close(&reader);
    domain_close(&d);
}

static void names_that_no_view_knows_are_cut(void **state)
{
    (void)state;
    Domain d;
    u64 size;
    i32 ids[] = {id_of("keep"), id_of("crash")};
    ok(domain_open(&d, kit_path("cut"), UINT64_MAX));
    ok(domain_add(&d, ids, 1));
    ok(domain_save(&d, &size));
    ok(domain_add(&d, ids, 2));
    u64 more;
    ok(domain_save(&d, &more));
    domain_close(&d);

    ok(domain_open(&d, kit_path("cut"), size));
    ok(domain_cut(&d, size));
    kit_expect(kit_path("cut"), "ff010b0001000000 6b65657000");
    domain_close(&d);

    ok(domain_open(&d, kit_path("cut"), UINT64_MAX));
    ok(domain_cut(&d, 0));
    assert_int_equal(d.count, 0);
    assert_int_equal(domain_find(&d, ids[0]), -1);
    kit_expect(kit_path("cut"), "");
    ok(domain_add(&d, ids, 2));
    ok(domain_save(&d, &size));
    kit_expect(kit_path("cut"), "ff010b0002000000 6b65657000 637261736800");
    domain_close(&d);
}

static void names_of_a_damaged_file_are_forgotten(void **state)
{
    (void)state;
    Domain d, reader;
    u64 size;
    i32 one[] = {id_of("mark1"), id_of("mark2")}, two[] = {id_of("mark3"), id_of("mark4")};
    ok(domain_open(&d, kit_path("marks"), UINT64_MAX));
    ok(domain_add(&d, one, 2));
    ok(domain_save(&d, &size));
    ok(domain_open(&reader, kit_path("marks"), size));
    DomainMark before = domain_mark(&reader);
    ok(domain_add(&d, two, 2));
    ok(domain_save(&d, &size));
    u32 crc = d.crc;
    domain_close(&d);
    u64 at = size - 8;
    kit_poke(kit_path("marks"), at, 0x31); /* mark1 a second time, in place of mark3 */
    ok(domain_load(&reader, size));
    assert_int_equal(domain_find(&reader, two[1]), 3);
    domain_back(&reader, before);
    assert_int_equal(reader.count, 2);
    assert_int_equal(reader.size, before.size);
    assert_int_equal(domain_find(&reader, one[0]), 0);
    assert_int_equal(domain_find(&reader, two[1]), -1);
    kit_poke(kit_path("marks"), at, 0x33);
    ok(domain_load(&reader, size));
    assert_int_equal(domain_find(&reader, two[0]), 2);
    assert_int_equal(domain_find(&reader, two[1]), 3);
    assert_int_equal(reader.crc, crc);
    domain_close(&reader);
}

static void damage_is_named(void **state)
{
    (void)state;
    Domain d;
    kit_write(kit_path("bad"), "\xff\x01\x0b\0\0\0\0\0ab", 10);
    fails(E_CORRUPT, "last name", domain_open(&d, kit_path("bad"), UINT64_MAX));
    kit_write(kit_path("bad"), "\xff\x01\x0b\0\0", 5);
    fails(E_CORRUPT, "header", domain_open(&d, kit_path("bad"), UINT64_MAX));
    kit_write(kit_path("bad"), "\xff\x01\x07\0\0\0\0\0ab\0", 11);
    fails(E_CORRUPT, "symbols", domain_open(&d, kit_path("bad"), UINT64_MAX));
    kit_write(kit_path("bad"), "\xff\x01\x0b\0\x0a\0\0\0ab\0c\0", 13);
    fails(E_CORRUPT, "last name", domain_open(&d, kit_path("bad"), 12));
    ok(domain_open(&d, kit_path("bad"), UINT64_MAX));
    assert_int_equal(d.count, 2);
    domain_close(&d);
    kit_write(kit_path("bad"), "\xff\x01\x0b\0\0\0\0\0", 8);
    ok(domain_open(&d, kit_path("bad"), UINT64_MAX));
    assert_int_equal(d.count, 0);
    domain_close(&d);
}

/* More than a piece of names, one of them longer than all others. */
static void large_domains_load_in_pieces(void **state)
{
    (void)state;

    enum { N = 200000, LONG = 900000 };

    Domain d;
    FILE *f = fopen(kit_path("large"), "wb");
    assert_non_null(f);
    fwrite("\xff\x01\x0b\0\0\0\0\0", 1, 8, f);
    char *text = malloc(LONG + 1);
    memset(text, 'q', LONG);
    text[LONG] = 0;
    for (u32 i = 0; i < N; i++) {
        fprintf(f, "symbol-number-%u-of-many", i);
        fputc(0, f);
        if (i % 50000 == 7) {
            text[0] = (char)('a' + i / 50000);
            fwrite(text, 1, LONG + 1, f);
        }
    }
    fclose(f);
    ok(domain_open(&d, kit_path("large"), UINT64_MAX));
    assert_int_equal(d.count, N + 4);
    assert_true(str_is(symbol_text(d.ids[0]), "symbol-number-0-of-many"));
    assert_int_equal(symbol_text(d.ids[8]).size, LONG);
    assert_true(str_is(symbol_text(d.ids[N + 3]), "symbol-number-199999-of-many"));
    for (i32 i = 0; i < d.count; i++)
        assert_int_equal(domain_find(&d, d.ids[i]), i);
    domain_close(&d);
    free(text);
}

static void a_failed_save_is_reported(void **state)
{
    (void)state;
    for (u64 at = 1; at <= 4; at++) {
        Domain d;
        u64 size = 0;
        i32 id = id_of("x");
        unlink(kit_path("fault"));
        ok(domain_open(&d, kit_path("fault"), UINT64_MAX));
        ok(domain_add(&d, &id, 1));
        fault_arm(FAULT_ERROR, at, false, ENOSPC);
        Err err = domain_save(&d, &size);
        fault_arm(FAULT_NONE, 0, false, 0);
        assert_int_equal(err, E_FULL);
        assert_int_equal(size, 0);
        domain_close(&d);
    }
}

static void compressed_domains_can_be_read(void **state)
{
    (void)state;
    Domain d;
    BlockOut *out;
    CodecChoice c = {CODEC_GZIP, 6, 12};
    u64 bytes, size;
    i32 id = id_of("another");
    ok(block_out_open(&out, kit_path("zsym"), 0));
    ok(block_out_codec(out, &c));
    ok(block_out_write(out, "\xff\x01\x0b\0\0\0\0\0", 8));
    for (u32 i = 0; i < 5000; i++) {
        char name[16];
        u64 n = (u64)snprintf(name, sizeof name, "z%u", i) + 1;
        ok(block_out_write(out, name, n));
    }
    ok(block_out_close(out, true, NULL, &bytes));
    ok(domain_open(&d, kit_path("zsym"), UINT64_MAX));
    assert_true(d.zipped);
    assert_int_equal(d.count, 5000);
    assert_true(str_is(symbol_text(d.ids[4999]), "z4999"));
    assert_int_equal(domain_id(&d, 4999), d.ids[4999]);
    assert_int_equal(domain_id(&d, 5000), -1);
    assert_int_equal(domain_id(&d, INT64_MIN), 0);
    ok(domain_load(&d, UINT64_MAX));
    assert_int_equal(d.count, 5000);
    fails(E_UNSUPPORTED, "compressed", domain_cut(&d, 8));
    ok(domain_add(&d, &id, 1));
    fails(E_UNSUPPORTED, "compressed", domain_save(&d, &size));
    domain_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_is_empty),
        cmocka_unit_test(grows_at_its_end),
        cmocka_unit_test(its_crc_follows),
        cmocka_unit_test(names_that_no_view_knows_are_cut),
        cmocka_unit_test(names_of_a_damaged_file_are_forgotten),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(large_domains_load_in_pieces),
        cmocka_unit_test(a_failed_save_is_reported),
        cmocka_unit_test(compressed_domains_can_be_read),
    };
    return cmocka_run_group_tests(tests, kit_setup, kit_teardown);
}
