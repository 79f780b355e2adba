/*
 * crc: published check values, and the fast form against the plain one.
 */
#include "base/crc.h"
#include "base/prng.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CRC_BYTES 40000

static void check_values_are_right(void **state)
{
    (void)state;
    u8 block[32];
    assert_int_equal(crc_32c(0, NULL, 0), 0);
    assert_int_equal(crc_32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc_32c_plain(0, "123456789", 9), 0xe3069283);
    /* RFC 3720, B.4 */
    memset(block, 0, sizeof block);
    assert_int_equal(crc_32c(0, block, sizeof block), 0x8a9136aa);
    memset(block, 255, sizeof block);
    assert_int_equal(crc_32c(0, block, sizeof block), 0x62a8ab43);
    for (u8 i = 0; i < 32; i++)
        block[i] = i;
    assert_int_equal(crc_32c(0, block, sizeof block), 0x46dd794e);
}

static u8 *random_bytes(void)
{
    Prng p;
    u8 *bytes = test_malloc(CRC_BYTES);
    prng_init(&p, 5);
    for (u64 i = 0; i < CRC_BYTES; i++)
        bytes[i] = (u8)prng_next(&p);
    return bytes;
}

static void fast_and_plain_agree(void **state)
{
    (void)state;
    u8 *bytes = random_bytes();
    for (u64 size = 0; size < 2000; size++) {
        u64 at = size % 17;
        assert_int_equal(crc_32c(7, bytes + at, size), crc_32c_plain(7, bytes + at, size));
    }
    for (u64 size = 2000; size < CRC_BYTES - 17; size += 509) {
        u64 at = size % 17;
        assert_int_equal(crc_32c(7, bytes + at, size), crc_32c_plain(7, bytes + at, size));
    }
    test_free(bytes);
}

static void pieces_continue(void **state)
{
    (void)state;
    u8 *bytes = random_bytes();
    u32 whole = crc_32c(0, bytes, CRC_BYTES);
    for (u64 cut = 0; cut <= CRC_BYTES; cut += 1777) {
        u32 crc = crc_32c(0, bytes, cut);
        assert_int_equal(crc_32c(crc, bytes + cut, CRC_BYTES - cut), whole);
        crc = crc_32c_plain(0, bytes, cut);
        assert_int_equal(crc_32c_plain(crc, bytes + cut, CRC_BYTES - cut), whole);
    }
    test_free(bytes);
}

/* Joining CRCs of pieces, and changing one for replaced bytes, give what one pass gives. */
static void pieces_join(void **state)
{
    (void)state;
    u8 *bytes = random_bytes();
    for (u64 cut = 0; cut < CRC_BYTES; cut += 997) {
        u32 first = crc_32c(0, bytes, cut), second = crc_32c(0, bytes + cut, CRC_BYTES - cut);
        assert_int_equal(crc_32c_join(first, second, CRC_BYTES - cut),
                         crc_32c(0, bytes, CRC_BYTES));
    }
    assert_int_equal(crc_32c_shift(0, 1ull << 60), 0);
    assert_int_equal(crc_32c_shift(0x12345678, 0), 0x12345678);
    test_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_join),
        cmocka_unit_test(check_values_are_right),
        cmocka_unit_test(fast_and_plain_agree),
        cmocka_unit_test(pieces_continue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
