/*
 * buf: growable bytes.
 *
 * Invariant: while `data` is set, room > size, so there is always a place for the zero that buf_str
 * and vsnprintf write. The ceiling counts content; that one byte more is ours.
 */
#include "base/buf.h"
#include "base/bounds.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_ROOM_FIRST 128

void buf_init(Buf *b, u64 size_max) { *b = (Buf){.size_max = size_max}; }

/* Makes room for `size` more bytes and the zero. */
static Err grow(Buf *b, u64 size)
{
    u64 size_max = b->size_max ? b->size_max : BUF_SIZE_MAX;
    if (b->data && size < b->room - b->size) return E_OK;
    if (size > size_max || b->size > size_max - size)
        return fail(E_LIMIT, "%llu bytes behind %llu: more than the limit of %llu bytes",
                    (unsigned long long)size, (unsigned long long)b->size,
                    (unsigned long long)size_max);
    u64 need = b->size + size + 1;
    u64 room = MAX(MAX(need, b->room + b->room / 2), BUF_ROOM_FIRST);
    room = MIN(room, size_max + 1);
    u8 *data = realloc(b->data, room);
    if (!data) return fail(E_MEMORY, "no memory for %llu bytes", (unsigned long long)room);
    b->data = data;
    b->room = room;
    return E_OK;
}

Err buf_append(Buf *b, const void *data, u64 size)
{
    Err err = grow(b, size);
    if (err) return err;
    if (size) memcpy(b->data + b->size, data, size);
    b->size += size;
    return E_OK;
}

Err buf_byte(Buf *b, u8 byte)
{
    Err err = grow(b, 1);
    if (err) return err;
    b->data[b->size++] = byte;
    return E_OK;
}

Err buf_format(Buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    u64 left = b->data ? b->room - b->size : 0;
    int size = vsnprintf(left ? (char *)b->data + b->size : NULL, left, format, args);
    va_end(args);
    ASSERT(size >= 0);
    Err err = E_OK;
    if ((u64)size >= left) {
        err = grow(b, (u64)size);
        if (!err) vsnprintf((char *)b->data + b->size, (u64)size + 1, format, again);
    }
    if (!err) b->size += (u64)size;
    va_end(again);
    return err;
}

Err buf_text(Buf *b, const char *text) { return buf_append(b, text, strlen(text)); }

Err buf_room(Buf *b, u64 size, u8 **out)
{
    *out = NULL;
    Err err = grow(b, size);
    if (!err) *out = b->data + b->size;
    return err;
}

void buf_added(Buf *b, u64 size)
{
    ASSERT(size == 0 || size < b->room - b->size);
    b->size += size;
}

const char *buf_str(Buf *b)
{
    if (!b->data) return "";
    b->data[b->size] = 0;
    return (const char *)b->data;
}

void buf_drop(Buf *b, u64 size)
{
    ASSERT(size <= b->size);
    b->size -= size;
    if (size && b->size) memmove(b->data, b->data + size, b->size);
}

void buf_clear(Buf *b) { b->size = 0; }

void buf_free(Buf *b)
{
    free(b->data);
    *b = (Buf){.size_max = b->size_max};
}
