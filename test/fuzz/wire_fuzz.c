/*
 * wire_fuzz: any bytes as a q message and as an object: opened, looked at, decoded, encoded, and
 * what was encoded must be sound and decode to what encodes equally.
 */
#include "base/fail.h"
#include "q/wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void object(const u8 *body, u64 size)
{
    Arena a = {.size_max = 256 << 20};
    Buf once = {0}, twice = {0};
    Value v;
    if (wire_check(body, size) == E_OK) {
        WireObject o;
        ASSERT(wire_object(body, size, true, &o) == E_OK && o.size == size);
        if (wire_decode(body, size, &a, &v) == E_OK && wire_encode(&once, &v) == E_OK) {
            ASSERT(wire_check(once.data, once.size) == E_OK);
            ASSERT(wire_decode(once.data, once.size, &a, &v) == E_OK);
            ASSERT(wire_encode(&twice, &v) == E_OK && twice.size == once.size);
            ASSERT(memcmp(twice.data, once.data, once.size) == 0);
        }
    }
    buf_free(&once);
    buf_free(&twice);
    arena_free(&a);
}

static void compression(const u8 *message, u64 size)
{
    Arena a = {.size_max = 256 << 20};
    u8 *out = arena_alloc(&a, size / 2 + 1), *plain = NULL;
    u64 out_size = 0, plain_size = 0;
    if (message[0] == 1) wire_compress(message, size, out, &out_size);
    if (out_size > 0) {
        ASSERT(wire_inflate(out, out_size, size, &a, &plain, &plain_size) == E_OK &&
               plain_size == size);
        ASSERT(memcmp(plain + WIRE_HEADER, message + WIRE_HEADER, size - WIRE_HEADER) == 0);
    }
    (void)!wire_inflate(message, size, 64 << 20, &a, &plain, &plain_size);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena a = {.size_max = 256 << 20};
    u8 *message = malloc(size + WIRE_HEADER), kind;
    const u8 *body;
    u64 body_size;
    if (!message) return 0;
    object(data, size);
    if (size >= WIRE_HEADER) {
        memcpy(message, data, size);
        if (message[0] == 1) {
            message[3] = 0;
            store_u32(message + 4, (u32)size);
        }
        compression(message, size);
        if (wire_open(message, size, &a, &body, &body_size, &kind) == E_OK) object(body, body_size);
    }
    free(message);
    arena_free(&a);
    return 0;
}
