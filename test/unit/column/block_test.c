/* block: the directory of a container is believed in nothing; real bytes decode. */
#include "column/block.h"
#include "column/codec.h"
#include "unit/column/kit.h"

/* A complete real file: an empty float column, gzip level 9. */
static const u8 real[69] = {'k',  'x',  'z',  'i',  'p',  'p',  'e',  'd',  0x78, 0xda, 0xfb, 0xa7,
                            0xc0, 0xc9, 0x80, 0x0c, 0x00, 0x12, 0x4e, 0x01, 0x28, 0x03, 0x00, 0x00,
                            0x00, 0x02, 0x09, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                            0x00, 0x15, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01,
                            0x00, 0x00, 0x00, 0x00, 0x00, 0x0d, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00,
                            0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};

static void a_real_container(void **state)
{
    (void)state;
    BlockMap b;
    u8 plain[16];
    assert_true(block_is_container(real, sizeof real));
    assert_false(block_is_container(real, 7));
    ok(block_open(&b, real, sizeof real, "ask"));
    assert_int_equal(b.version, 3);
    assert_int_equal(b.codec, CODEC_GZIP);
    assert_int_equal(b.level, 9);
    assert_int_equal(b.size, 16);
    assert_int_equal(b.count, 1);
    assert_int_equal(b.block_size, 65536);
    assert_int_equal(block_plain_size(&b, 0), 16);
    ok(block_inflate(&b, 0, plain, "ask"));
    assert_memory_equal(plain, "\xfe\x20\x09\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    block_close(&b);
    block_close(&b);
}

static void fails_with(u64 at, u64 value, u64 width, Err code, const char *part)
{
    BlockMap b;
    u8 copy[sizeof real];
    memcpy(copy, real, sizeof copy);
    for (u64 i = 0; i < width; i++)
        copy[at + i] = (u8)(value >> (8 * i));
    fails(code, part, block_open(&b, copy, sizeof copy, "f"));
}

static void lies_are_refused(void **state)
{
    (void)state;
    const u64 t = 21;
    fails_with(t, 1, 4, E_UNSUPPORTED, "version 1");
    fails_with(t, 4, 4, E_UNSUPPORTED, "version 4");
    fails_with(t, 0x10003, 4, E_UNSUPPORTED, "version 65539");
    fails_with(t + 8, 0, 8, E_CORRUPT, "count of blocks");
    fails_with(t + 8, 65537, 8, E_CORRUPT, "count of blocks");
    fails_with(t + 8, UINT64_MAX, 8, E_CORRUPT, "count of blocks");
    fails_with(t + 8, 65536, 8, E_CORRUPT, "too short for its plain");
    fails_with(t + 16, 20, 8, E_CORRUPT, "trailer");
    fails_with(t + 24, 2048, 8, E_CORRUPT, "block size");
    fails_with(t + 24, 1 << 21, 8, E_CORRUPT, "block size");
    fails_with(t + 24, 65537, 8, E_CORRUPT, "block size");
    fails_with(t + 24, 0, 8, E_CORRUPT, "block size");
    fails_with(t + 32, 14, 4, E_CORRUPT, "past the end");
    fails_with(t + 32, 12, 4, E_CORRUPT, "do not fill");
    fails_with(t + 32, UINT32_MAX, 4, E_CORRUPT, "past the end");
    fails_with(t + 36, 6, 4, E_UNSUPPORTED, "algorithm 6");
    fails_with(t + 36, 18, 4, E_UNSUPPORTED, "algorithm 18");
    fails_with(t + 36, 0, 4, E_CORRUPT, "too short for its plain");
    fails_with(61, 0, 8, E_CORRUPT, "");
    fails_with(61, 2, 8, E_CORRUPT, "trailer");
    fails_with(61, 3, 8, E_CORRUPT, "more blocks");
    fails_with(61, UINT64_MAX, 8, E_CORRUPT, "more blocks");
}

static void cut_files_are_refused(void **state)
{
    (void)state;
    BlockMap b;
    for (u64 size = 8; size < sizeof real; size++) {
        u8 *copy = malloc(size);
        memcpy(copy, real, size);
        fails(E_CORRUPT, "bad meta data", block_open(&b, copy, size, "f"));
        free(copy);
    }
}

static void a_damaged_block_is_named(void **state)
{
    (void)state;
    BlockMap b;
    u8 copy[sizeof real], plain[16];
    memcpy(copy, real, sizeof copy);
    copy[12] ^= 1;
    ok(block_open(&b, copy, sizeof copy, "dir/ask"));
    fails(E_CORRUPT, "dir/ask: block 0", block_inflate(&b, 0, plain, "dir/ask"));
    block_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_real_container),
        cmocka_unit_test(lies_are_refused),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(a_damaged_block_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
