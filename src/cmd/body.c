/*
 * body: q bytes of a request. The decoder may put compressed or foreign-endian bytes right in
 * place, so a message is opened in a copy.
 */
#include "cmd/body.h"

static Err mistake(Err err)
{
    FailRecord why;
    if (err != E_CORRUPT) return err;
    fail_save(&why);
    return fail(E_USAGE, "the request is no q message: %s", why.text);
}

Err body_open(Call *call, const u8 **object, u64 *size)
{
    u8 kind = 0;
    u8 *copy = arena_raw(&call->arena, call->data_size + 1);
    if (call->data_size > 0) memcpy(copy, call->data, call->data_size);
    return mistake(wire_open(copy, call->data_size, &call->arena, object, size, &kind));
}

Err body_decode(Call *call, const u8 *object, u64 size, Value *v)
{
    return mistake(wire_decode(object, size, &call->arena, v));
}
