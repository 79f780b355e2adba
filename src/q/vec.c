/*
 * vec: growing typed vectors. See vec.h for the shape.
 *
 * Growth doubles, from 64 elements on, so n appends cost O(n). Three invariants:
 *   1. room == 0: nothing is owned; data and offs are borrowed or NULL. An append to a borrowed
 * vector that holds rows is our own mistake; an empty one is started anew.
 *   2. An owned nested vector has room + 1 offsets, offs[0] == 0 and offs[count] elements in data.
 *   3. A failed call leaves count and elements as they were.
 */
#include "q/vec.h"

#include "base/bounds.h"
#include "q/value.h"

#include <stdlib.h>

#define ROOM_MIN 64
#define HEAP_MAX (1ull << 40) /* elements in all rows of a nested vector */

/* The bytes of one element in data. */
static u64 width_of(int type)
{
    if (type == QT_LIST) return sizeof(Value);
    return type_is_nested(type) ? type_nested_width(type) : type_width(type);
}

void vec_init(Vec *v, int type)
{
    *v = (Vec){.type = (i8)type};
    ASSERT(width_of(type) > 0);
}

Vec vec_of(int type, const void *data, u64 count)
{
    return (Vec){.type = (i8)type, .count = count, .data = (void *)(uintptr_t)data};
}

static u64 grown(u64 room, u64 need)
{
    return MAX(MAX(room + room / 2 + room / 4, need), ROOM_MIN);
}

static Err resize(void **data, u64 count, u64 width, const char *what)
{
    void *p = realloc(*data, count * width);
    if (!p)
        return fail(E_MEMORY, "no memory for %llu %s of %llu bytes", (unsigned long long)count,
                    what, (unsigned long long)width);
    *data = p;
    return E_OK;
}

static Err reserve_heap(Vec *v, u64 heap)
{
    u64 used = v->count ? v->offs[v->count] : 0;
    if (heap > HEAP_MAX || used + heap > HEAP_MAX)
        return fail(E_LIMIT, "more than %llu elements in one nested vector", HEAP_MAX);
    if (used + heap <= v->heap_room) return E_OK;
    u64 room = grown(v->heap_room, used + heap);
    Err err = resize(&v->data, room, width_of(v->type), "elements");
    if (err == E_OK) v->heap_room = room;
    return err;
}

static Err reserve_rows(Vec *v, u64 count)
{
    if (count > BOUND_ROWS_MAX || v->count + count > BOUND_ROWS_MAX)
        return fail(E_LIMIT, "more than %llu rows in one vector", BOUND_ROWS_MAX);
    if (v->count + count <= v->room && v->room > 0) return E_OK;
    u64 room = grown(v->room, v->count + count);
    if (!type_is_nested(v->type)) {
        Err err = resize(&v->data, room, width_of(v->type), "elements");
        if (err == E_OK) v->room = room;
        return err;
    }
    void *offs = v->offs;
    Err err = resize(&offs, room + 1, sizeof(u64), "offsets");
    if (err != E_OK) return err;
    ASSERT(offs);
    v->offs = offs;
    if (v->room == 0) v->offs[0] = 0;
    v->room = room;
    return E_OK;
}

Err vec_reserve(Vec *v, u64 count, u64 heap)
{
    if (v->room == 0) {
        ASSERT(v->count == 0);
        v->data = NULL;
        v->offs = NULL;
        v->heap_room = 0;
    }
    Err err = reserve_rows(v, count);
    if (err != E_OK || !type_is_nested(v->type)) return err;
    ASSERT(v->offs);
    return reserve_heap(v, heap);
}

static void copy(void *to, const void *from, u64 size)
{
    if (size > 0) memcpy(to, from, size);
}

Err vec_append(Vec *v, const void *elements, u64 count)
{
    ASSERT(!type_is_nested(v->type));
    Err err = vec_reserve(v, count, 0);
    if (err != E_OK) return err;
    u64 width = width_of(v->type);
    copy((u8 *)v->data + v->count * width, elements, count * width);
    v->count += count;
    return E_OK;
}

Err vec_append_row(Vec *v, const void *elements, u64 count)
{
    ASSERT(type_is_nested(v->type));
    Err err = vec_reserve(v, 1, count);
    if (err != E_OK) return err;
    u64 width = width_of(v->type), used = v->offs[v->count];
    if (count > 0) memcpy((u8 *)v->data + used * width, elements, count * width);
    v->offs[++v->count] = used + count;
    return E_OK;
}

Err vec_append_vec(Vec *v, const Vec *from, u64 at, u64 count)
{
    ASSERT(v->type == from->type && at <= from->count && count <= from->count - at);
    if (count == 0) return E_OK;
    ASSERT(!type_is_nested(from->type) || from->offs);
    u64 width = width_of(v->type);
    if (!type_is_nested(v->type)) return vec_append(v, (const u8 *)from->data + at * width, count);
    u64 first = from->offs[at], heap = from->offs[at + count] - first;
    Err err = vec_reserve(v, count, heap);
    if (err != E_OK) return err;
    u64 used = v->offs[v->count];
    if (heap > 0)
        memcpy((u8 *)v->data + used * width, (const u8 *)from->data + first * width, heap * width);
    for (u64 i = 1; i <= count; i++)
        v->offs[v->count + i] = used + (from->offs[at + i] - first);
    v->count += count;
    return E_OK;
}

/* Rows of a mixed vector: the object `()`. */
static Err append_nothing(Vec *v, u64 count)
{
    static const u8 nothing[6] = {QT_LIST};
    Err err = count > HEAP_MAX ? E_OK : vec_reserve(v, count, count * sizeof nothing);
    for (u64 i = 0; err == E_OK && i < count; i++)
        err = vec_append_row(v, nothing, sizeof nothing);
    return err;
}

Err vec_append_null(Vec *v, u64 count)
{
    if (v->type == QT_NESTED) return append_nothing(v, count);
    Err err = vec_reserve(v, count, 0);
    if (err != E_OK) return err;
    if (type_is_nested(v->type)) {
        u64 used = v->offs[v->count];
        for (u64 i = 1; i <= count; i++)
            v->offs[v->count + i] = used;
    } else if (v->type == QT_LIST) {
        for (u64 i = 0; i < count; i++)
            vec_value(v)[v->count + i] = value_null();
    } else {
        u64 width = width_of(v->type);
        for (u64 i = 0; i < count; i++)
            type_null(v->type, (u8 *)v->data + (v->count + i) * width);
    }
    v->count += count;
    return E_OK;
}

static void take_fixed(Vec *v, const Vec *from, const u32 *perm, u64 count)
{
    switch (width_of(v->type)) {
    case 1:
        for (u64 i = 0; i < count; i++)
            vec_u8(v)[i] = vec_u8(from)[perm[i]];
        break;
    case 2:
        for (u64 i = 0; i < count; i++)
            vec_i16(v)[i] = vec_i16(from)[perm[i]];
        break;
    case 4:
        for (u64 i = 0; i < count; i++)
            vec_i32(v)[i] = vec_i32(from)[perm[i]];
        break;
    case 8:
        for (u64 i = 0; i < count; i++)
            vec_i64(v)[i] = vec_i64(from)[perm[i]];
        break;
    case 16:
        for (u64 i = 0; i < count; i++)
            memcpy(vec_u8(v) + i * 16, vec_u8(from) + (u64)perm[i] * 16, 16);
        break;
    default:
        for (u64 i = 0; i < count; i++)
            vec_value(v)[i] = vec_value(from)[perm[i]];
    }
}

static void take_nested(Vec *v, const Vec *from, const u32 *perm, u64 count)
{
    u64 width = width_of(v->type), used = 0;
    for (u64 i = 0; i < count; i++) {
        u64 at = from->offs[perm[i]], size = from->offs[perm[i] + 1ull] - at;
        if (size > 0)
            memcpy((u8 *)v->data + used * width, (const u8 *)from->data + at * width, size * width);
        used += size;
        v->offs[i + 1] = used;
    }
}

Err vec_take(Vec *v, const Vec *from, const u32 *perm, u64 count)
{
    Err err = E_OK;
    vec_init(v, from->type);
    u64 heap = 0;
    if (type_is_nested(from->type))
        for (u64 i = 0; i < count; i++)
            heap += from->offs[perm[i] + 1ull] - from->offs[perm[i]];
    TRY(vec_reserve(v, count, heap));
    if (type_is_nested(from->type))
        take_nested(v, from, perm, count);
    else
        take_fixed(v, from, perm, count);
    v->count = count;
done:
    if (err != E_OK) vec_free(v);
    return err;
}

void vec_clear(Vec *v)
{
    v->count = 0;
    v->attr = ATTR_NONE;
    if (v->room > 0) return;
    v->data = NULL;
    v->offs = NULL;
}

void vec_free(Vec *v)
{
    if (v->room > 0) {
        free(v->data);
        free(v->offs);
    }
    *v = (Vec){.type = v->type};
}

u64 vec_bytes(const Vec *v)
{
    if (v->room == 0) return 0;
    if (!type_is_nested(v->type)) return v->room * width_of(v->type);
    return (v->room + 1) * sizeof(u64) + v->heap_room * width_of(v->type);
}
