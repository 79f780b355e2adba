/*
 * wire_compress: the reference bytes both ways, everything that comes back, everything
 * malformed. */
#include "base/bounds.h"
#include "base/prng.h"
#include "q/wire.h"
#include "support/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void inflates_to(const u8 *message, u64 size, const u8 *plain, u64 plain_size)
{
    Arena a = {0};
    u8 *out = NULL;
    u64 out_size = 0;
    assert_int_equal(wire_inflate(message, size, BOUND_MESSAGE_MAX, &a, &out, &out_size), E_OK);
    assert_int_equal(out_size, plain_size);
    assert_memory_equal(out, plain, plain_size);
    arena_free(&a);
}

/* Compresses; on success checks that the plain message comes back. Returns the size, 0 = not worth
 * it. */
static u64 there_and_back(const u8 *plain, u64 size)
{
    u8 *out = malloc(size / 2 + 1);
    u64 out_size = 99;
    assert_non_null(out);
    wire_compress(plain, size, out, &out_size);
    assert_true(out_size <= size / 2);
    if (out_size > 0) inflates_to(out, out_size, plain, size);
    free(out);
    return out_size;
}

static void reference_messages_compress_to_the_same_bytes(void **state)
{
    (void)state;
    Arena a = {0};
    Vectors v;
    if (!vectors_read(&v, &a)) skip();
    u64 seen = 0;
    for (u64 i = 0; i < v.count; i++) {
        const Vector *each = &v.items[i];
        if (strcmp(each->kind, "compressed") != 0) continue;
        u8 *plain = NULL;
        u64 plain_size = 0, size = 0;
        assert_int_equal(
            wire_inflate(each->bytes, each->size, BOUND_MESSAGE_MAX, &a, &plain, &plain_size),
            E_OK);
        if (each->plain) { /* some are known by their compressed form alone */
            assert_int_equal(plain_size, each->plain_size);
            assert_memory_equal(plain, each->plain, plain_size);
        }
        u8 *out = arena_alloc(&a, plain_size / 2);
        wire_compress(plain, plain_size, out, &size);
        assert_int_equal(size, each->size);
        assert_memory_equal(out, each->bytes, size);
        seen++;
    }
    assert_int_equal(seen, 7);
    arena_free(&a);
}

/* The documented figure: til 1000, 8014 bytes, becomes 3276. */
static void a_thousand_longs_have_the_documented_size(void **state)
{
    (void)state;
    Buf b = {0};
    i64 longs[1000];
    for (i64 i = 0; i < 1000; i++)
        longs[i] = i;
    Value v = value_vec(vec_of(QT_LONG, longs, 1000));
    assert_int_equal(wire_message(&b, WIRE_ASYNC, &v, 3), E_OK);
    assert_int_equal(b.size, 8014);
    assert_int_equal(there_and_back(b.data, b.size), 3276);
    buf_free(&b);
}

static void messages_of_all_sizes_and_textures_come_back(void **state)
{
    (void)state;
    Prng p;
    prng_init(&p, 5);
    u64 compressed = 0, plain = 0;
    for (u64 size = 9; size < 3000; size += 1 + size / 50) {
        for (u64 letters = 1; letters <= 256; letters *= 4) {
            u8 *message = malloc(size);
            memcpy(message, "\1\0\0\0\0\0\0\0", 8);
            store_u32(message + 4, (u32)size);
            for (u64 i = 8; i < size; i++)
                message[i] = (u8)prng_below(&p, letters);
            if (there_and_back(message, size) > 0)
                compressed++;
            else
                plain++;
            free(message);
        }
    }
    assert_true(compressed > 50 && plain > 50);
}

static void small_and_random_messages_are_left_alone(void **state)
{
    (void)state;
    u8 message[2000] = {1, 0, 0, 0};
    Prng p;
    prng_init(&p, 6);
    for (u64 size = 9; size < 58; size++)
        assert_int_equal(there_and_back(message, size), 0);
    for (u64 i = 8; i < sizeof message; i++)
        message[i] = (u8)prng_next(&p);
    assert_int_equal(there_and_back(message, sizeof message), 0);
}

/* A stream that decodes to 18 plain bytes: 8 of header, "ab", then two matches of "ab"... */
static const u8 sound[] = {1, 0, 1, 0, 20, 0, 0, 0, 18, 0, 0, 0, 0x04, 'a', 'b', 'a' ^ 'b', 6};

static Err inflate(const u8 *message, u64 size, u64 size_max)
{
    Arena a = {0};
    u8 *out, *copy = malloc(size ? size : 1);
    u64 out_size;
    if (size > 0) memcpy(copy, message, size);
    Err err = wire_inflate(copy, size, size_max, &a, &out, &out_size);
    free(copy);
    arena_free(&a);
    return err;
}

static void malformed_streams_are_refused(void **state)
{
    (void)state;
    u8 m[sizeof sound + 1];
    memcpy(m, sound, sizeof sound);
    assert_int_equal(inflate(m, sizeof sound, 100), E_OK);
    assert_int_equal(inflate(m, sizeof sound, 18), E_OK);
    assert_int_equal(inflate(m, sizeof sound, 17), E_LIMIT);
    for (u64 size = 0; size < sizeof sound; size++)
        assert_int_equal(inflate(m, size, 100), E_CORRUPT);
    m[sizeof sound] = 0;
    assert_int_equal(inflate(m, sizeof sound + 1, 100), E_CORRUPT); /* a byte too many */
    m[15] = 1;                                                      /* an empty slot of the table */
    assert_int_equal(inflate(m, sizeof sound, 100), E_CORRUPT);
    m[15] = 'a' ^ 'b';
    m[16] = 7; /* one byte too long */
    assert_int_equal(inflate(m, sizeof sound, 100), E_CORRUPT);
    m[16] = 6;
    m[8] = 8; /* no room for an object */
    assert_int_equal(inflate(m, sizeof sound, 100), E_CORRUPT);
    m[8] = 0;
    assert_int_equal(inflate(m, sizeof sound, 100), E_CORRUPT);
}

static void a_size_that_the_input_cannot_yield_is_refused_unasked(void **state)
{
    (void)state;
    u8 m[sizeof sound];
    memcpy(m, sound, sizeof sound);
    store_u32(m + 8, 1u << 30);
    assert_int_equal(inflate(m, sizeof m, BOUND_MESSAGE_MAX), E_CORRUPT);
    store_u32(m + 8, 0xffffffff);
    assert_int_equal(inflate(m, sizeof m, BOUND_MESSAGE_MAX), E_LIMIT);
    /* The best there is: eight longest matches a group. */
    u8 *best = calloc(1, 12 + 17 + 17);
    static const u8 head[] = {1, 0, 1, 0, 46, 0, 0, 0};
    memcpy(best, head, sizeof head);
    u64 plain = 8 + 2 + 6 * 257 + 8 * 257;
    store_u32(best + 8, (u32)plain);
    u64 at = 12;
    best[at++] = 0xfc; /* two literals, six matches */
    at += 2;
    for (u32 i = 0; i < 6; i++, at += 2)
        best[at + 1] = 255;
    best[at++] = 0xff;
    for (u32 i = 0; i < 8; i++, at += 2)
        best[at + 1] = 255;
    assert_int_equal(inflate(best, at, BOUND_MESSAGE_MAX), E_OK);
    free(best);
}

static void wide_sizes_and_the_other_byte_order_are_read(void **state)
{
    (void)state;
    u8 wide[sizeof sound + 4], other[sizeof sound];
    Arena a = {0};
    u8 *out = NULL;
    u64 size = 0;
    memcpy(wide, sound, 12);
    wide[2] = 2;
    memset(wide + 12, 0, 4);
    memcpy(wide + 16, sound + 12, sizeof sound - 12);
    assert_int_equal(wire_inflate(wide, sizeof wide, 100, &a, &out, &size), E_OK);
    assert_int_equal(size, 18);
    assert_memory_equal(out + 8, "ababababab", 10);
    assert_int_equal(out[2], 0);
    wide[12] = 1; /* more than 4 GiB */
    assert_int_equal(inflate(wide, sizeof wide, BOUND_MESSAGE_MAX), E_LIMIT);
    memcpy(other, sound, sizeof sound);
    other[0] = 0;
    store_u32(other + 8, __builtin_bswap32(18));
    assert_int_equal(wire_inflate(other, sizeof other, 100, &a, &out, &size), E_OK);
    assert_int_equal(size, 18);
    assert_int_equal(load_u32(out + 4), __builtin_bswap32(18));
    arena_free(&a);
}

static void noise_is_survived(void **state)
{
    (void)state;
    Prng p;
    prng_init(&p, 7);
    for (u32 round = 0; round < 20000; round++) {
        u8 m[64];
        u64 size = 12 + prng_below(&p, sizeof m - 12);
        for (u64 i = 0; i < size; i++)
            m[i] = (u8)(prng_below(&p, 4) ? prng_below(&p, 4) : prng_next(&p));
        store_u32(m + 8, 9 + (u32)prng_below(&p, 600));
        m[2] = 1;
        (void)!inflate(m, size, 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_messages_compress_to_the_same_bytes),
        cmocka_unit_test(a_thousand_longs_have_the_documented_size),
        cmocka_unit_test(messages_of_all_sizes_and_textures_come_back),
        cmocka_unit_test(small_and_random_messages_are_left_alone),
        cmocka_unit_test(malformed_streams_are_refused),
        cmocka_unit_test(a_size_that_the_input_cannot_yield_is_refused_unasked),
        cmocka_unit_test(wide_sizes_and_the_other_byte_order_are_read),
        cmocka_unit_test(noise_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
