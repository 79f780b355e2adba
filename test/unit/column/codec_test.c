/* codec: what is compressed comes back exactly; damage and lies about sizes are refused. */
#include "base/prng.h"
#include "column/codec.h"
#include "unit/column/kit.h"

static const struct {
    int codec, level;
} settings[] = {
    {CODEC_NONE, 0},  {CODEC_QIPC, 0},  {CODEC_GZIP, 0},   {CODEC_GZIP, 1},
    {CODEC_GZIP, 6},  {CODEC_GZIP, 9},  {CODEC_SNAPPY, 0}, {CODEC_LZ4HC, 0},
    {CODEC_LZ4HC, 1}, {CODEC_LZ4HC, 9}, {CODEC_LZ4HC, 12}, {CODEC_LZ4HC, 16},
    {CODEC_ZSTD, -7}, {CODEC_ZSTD, 0},  {CODEC_ZSTD, 3},   {CODEC_ZSTD, 22},
};

/* Bytes that compress more or less well. */
static void fill(u8 *p, u64 size, u32 kind)
{
    Prng r;
    prng_init(&r, kind + 1);
    for (u64 i = 0; i < size; i++) {
        switch (kind) {
        case 0: p[i] = 0; break;
        case 1: p[i] = (u8)(i % 8 == 0 ? prng_next(&r) : i / 4096); break;
        case 2: p[i] = (u8)prng_next(&r); break;
        default: p[i] = (u8)("abcdefgh "[prng_next(&r) % 9]); break;
        }
    }
}

static void what_goes_in_comes_out(void **state)
{
    (void)state;
    static const u64 sizes[] = {1, 2, 7, 36, 37, 58, 59, 100, 4095, 4096, 65536, 131072};
    static u8 plain[131072], back[131072];
    u8 *stored = malloc(1 << 20);
    for (u32 s = 0; s < COUNT_OF(settings); s++) {
        for (u32 i = 0; i < COUNT_OF(sizes); i++) {
            for (u32 kind = 0; kind < 4; kind++) {
                u64 size = 0;
                int codec = settings[s].codec;
                if (codec == CODEC_ZSTD && settings[s].level == 22 && sizes[i] > 4096) continue;
                fill(plain, sizes[i], kind);
                assert_true(codec_room(codec, sizes[i]) <= 1 << 20);
                ok(codec_deflate(codec, settings[s].level, plain, sizes[i], stored, &size));
                if (size == 0) continue; /* raw */
                assert_true(size < sizes[i] && size <= codec_room(codec, sizes[i]));
                assert_true(codec_yield_max(codec, size) >= sizes[i]);
                memset(back, 0xee, sizeof back);
                ok(codec_inflate(codec, stored, size, back, sizes[i]));
                assert_memory_equal(back, plain, sizes[i]);
                assert_true(sizes[i] == sizeof back || back[sizes[i]] == 0xee);
            }
        }
    }
    free(stored);
}

/* Memory of the libraries is used again: what was compressed before leaves no trace. */
static void bytes_do_not_depend_on_what_was_before(void **state)
{
    (void)state;
    static u8 plain[65536];
    u8 *first = malloc(1 << 20), *again = malloc(1 << 20);
    for (u32 s = 0; s < COUNT_OF(settings); s++) {
        int codec = settings[s].codec, level = settings[s].level;
        u64 size = 0, others = 0, twice = 0;
        if (codec == CODEC_ZSTD && level == 22) continue;
        fill(plain, sizeof plain, 3);
        ok(codec_deflate(codec, level, plain, sizeof plain, first, &size));
        for (u32 kind = 0; kind < 3; kind++) {
            fill(plain, sizeof plain - kind * 777, kind);
            ok(codec_deflate(codec, level, plain, sizeof plain - kind * 777, again, &others));
        }
        fill(plain, sizeof plain, 3);
        ok(codec_deflate(codec, level, plain, sizeof plain, again, &twice));
        assert_int_equal(twice, size);
        assert_memory_equal(again, first, size);
    }
    free(first);
    free(again);
}

static void the_largest_block(void **state)
{
    (void)state;
    u8 *plain = calloc(1, CODEC_PLAIN_MAX), *back = malloc(CODEC_PLAIN_MAX);
    for (int codec = CODEC_QIPC; codec < CODEC_COUNT; codec++) {
        u64 size = 0;
        u8 *stored = malloc(codec_room(codec, CODEC_PLAIN_MAX));
        ok(codec_deflate(codec, codec == CODEC_GZIP ? 9 : 0, plain, CODEC_PLAIN_MAX, stored,
                         &size));
        assert_true(size > 0 && codec_yield_max(codec, size) >= CODEC_PLAIN_MAX);
        ok(codec_inflate(codec, stored, size, back, CODEC_PLAIN_MAX));
        assert_memory_equal(plain, back, CODEC_PLAIN_MAX);
        free(stored);
    }
    free(plain);
    free(back);
}

static void wrong_sizes_are_refused(void **state)
{
    (void)state;
    static u8 plain[4096], stored[8192], back[8192];
    fill(plain, sizeof plain, 3);
    for (int codec = CODEC_QIPC; codec < CODEC_COUNT; codec++) {
        u64 size = 0;
        ok(codec_deflate(codec, codec == CODEC_GZIP ? 6 : 0, plain, sizeof plain, stored, &size));
        if (size == 0) {
            fill(plain, sizeof plain, 0);
            ok(codec_deflate(codec, 0, plain, sizeof plain, stored, &size));
        }
        assert_true(size > 0);
        static const i64 off[] = {-4095, -1, 1, 100};
        for (u32 i = 0; i < COUNT_OF(off); i++) {
            memset(back, 0xee, sizeof back);
            u64 wrong = (u64)((i64)sizeof plain + off[i]);
            fails(E_CORRUPT, codec_name(codec), codec_inflate(codec, stored, size, back, wrong));
            for (u64 k = wrong; k < sizeof back; k++)
                assert_int_equal(back[k], 0xee);
        }
        fails(E_CORRUPT, "", codec_inflate(codec, stored, size + 1, back, sizeof plain));
        for (u64 cut = 0; cut < size; cut += 1 + size / 100)
            fails(E_CORRUPT, "", codec_inflate(codec, stored, cut, back, sizeof plain));
    }
    fails(E_CORRUPT, "", codec_inflate(CODEC_NONE, plain, 5, back, 6));
    fails(E_CORRUPT, "", codec_inflate(77, plain, 5, back, 5));
}

static void damage_never_writes_outside(void **state)
{
    (void)state;
    static u8 plain[4096], stored[8192];
    for (int codec = CODEC_QIPC; codec < CODEC_COUNT; codec++) {
        u64 size = 0;
        u8 *back = malloc(sizeof plain); /* so that a sanitizer sees its end */
        fill(plain, sizeof plain, codec == CODEC_QIPC ? 0 : 3);
        ok(codec_deflate(codec, codec == CODEC_GZIP ? 6 : 0, plain, sizeof plain, stored, &size));
        for (u64 at = 0; at < size; at++) {
            static const u8 masks[] = {0x01, 0x10, 0x80, 0xff};
            for (u32 m = 0; m < COUNT_OF(masks); m++) {
                u8 *copy = malloc(size);
                memcpy(copy, stored, size);
                copy[at] ^= masks[m];
                Err err = codec_inflate(codec, copy, size, back, sizeof plain);
                assert_true(err == E_OK || err == E_CORRUPT || err == E_LIMIT);
                free(copy);
            }
        }
        free(back);
    }
}

static void levels_are_checked(void **state)
{
    (void)state;
    for (u32 i = 0; i < COUNT_OF(settings); i++)
        ok(codec_check(settings[i].codec, settings[i].level));
    fails(E_USAGE, "0 to 9", codec_check(CODEC_GZIP, 10));
    fails(E_USAGE, "gzip", codec_check(CODEC_GZIP, -1));
    fails(E_USAGE, "0 to 16", codec_check(CODEC_LZ4HC, 17));
    fails(E_USAGE, "-7 to 22", codec_check(CODEC_ZSTD, -8));
    fails(E_USAGE, "-7 to 22", codec_check(CODEC_ZSTD, 23));
    fails(E_USAGE, "snappy", codec_check(CODEC_SNAPPY, 1));
    fails(E_USAGE, "qipc", codec_check(CODEC_QIPC, 1));
    fails(E_USAGE, "number 6", codec_check(CODEC_COUNT, 0));
    fails(E_USAGE, "number -1", codec_check(-1, 0));
    assert_string_equal(codec_name(CODEC_ZSTD), "zstd");
    assert_string_equal(codec_name(99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_do_not_depend_on_what_was_before),
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(the_largest_block),
        cmocka_unit_test(wrong_sizes_are_refused),
        cmocka_unit_test(damage_never_writes_outside),
        cmocka_unit_test(levels_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
