/*
 * nested: items in the heap of an anymap column.
 *
 *   packed item, at any byte           object, at a multiple of 16 (zeros before it)
 *   0  127 + type (vector), or         0   fb 00, type, attribute
 *      127 - type (atom)               4   1, i32
 *   1  vector: count, u8               8   count, i64
 *   2  elements (atom: from 1)         16  elements
 *
 * A vector is packed when its elements take at most 95 bytes. The reference of an item is its
 * offset behind the heap's header page, with flag 1 in the top byte for packed items, tables and
 * dictionaries, and 0 for lists and vectors that are objects.
 *
 * Elements of a symbol vector or atom are i32 positions in the symbol list `name##`. A packed
 * enumeration (147) has the i32 position of its domain's name before the count; an enumeration that
 * is an object has one word behind its i64 indices, -1 for the domain `sym`. Elements of a list
 * (type 77) are references; a table (98) has two: names and list of columns; a dictionary (99) keys
 * and values. Symbol vectors of more than 95 bytes are written as objects of type 11 by analogy: no
 * file proves it.
 *
 * References are believed only after the item was found to lie within the heap, so a damaged parent
 * or heap gives E_CORRUPT and never a read outside.
 */
#include "column/nested.h"

#include "q/symbol.h"
#include "q/type.h"

#define PACKED_ZERO 127
#define OBJECT_MARK 251
#define ENUM_BYTE   (PACKED_ZERO + QT_ENUM)
#define ENUM_HEAD   6
#define ROOM_ROWS   (BLOCK_OUT_ROOM_MAX / 8)
#define NAMES_MAX   (1ull << 31)

static Err bad(u64 at, const char *what)
{
    return fail(E_CORRUPT, "heap of a list column, offset %llu: %s", (unsigned long long)at, what);
}

u32 nested_width(int type)
{
    if (type == QT_SYMBOL) return 4;
    if (type == QT_ENUM || type == QT_NESTED || type == QT_TABLE || type == QT_DICT) return 8;
    return type_width(type);
}

/* Checks that `count` elements stand `head` bytes behind the item's start. */
static Err found(const u8 *p, u64 left, u64 head, u64 at, NestedItem *item)
{
    u64 width = nested_width(item->type);
    if (left < head || item->count > (left - head) / width)
        return bad(at, "an item runs past the end");
    item->elements = p + head;
    item->size = head + item->count * width;
    return E_OK;
}

static Err find_object(const u8 *p, u64 left, u64 at, NestedItem *item)
{
    if (left < NESTED_OBJECT || p[1] != 0) return bad(at, "no object");
    item->type = p[2];
    item->object = true;
    item->count = load_u64(p + 8);
    if (nested_width(item->type) == 0) return bad(at, "no object has this type");
    if ((item->type == QT_TABLE || item->type == QT_DICT) && item->count != 2)
        return bad(at, "a table or dictionary without its two references");
    Err err = found(p, left, NESTED_OBJECT, at, item);
    if (err != E_OK || item->type != QT_ENUM) return err;
    if (left - item->size < 8) return bad(at, "an enumeration without its last word");
    item->size += 8;
    return E_OK;
}

i64 nested_domain(const NestedItem *item)
{
    const u8 *p = item->elements;
    ASSERT(item->type == QT_ENUM);
    i64 domain = item->object ? load_i64(p + item->count * 8) : load_i32(p - ENUM_HEAD + 1);
    return domain >= 0 || (item->object && domain == NESTED_SYM) ? domain : NESTED_UNKNOWN;
}

Err nested_find(const u8 *heap, u64 size, u64 reference, NestedItem *item)
{
    u64 at = reference & NESTED_OFFSET;
    *item = (NestedItem){0};
    if (at >= size) return bad(at, "a reference leads outside");
    const u8 *p = heap + at;
    u64 left = size - at;
    if (p[0] == OBJECT_MARK) return find_object(p, left, at, item);
    int type = p[0] - PACKED_ZERO;
    item->atom = type < 0;
    item->type = item->atom ? -type : type;
    item->count = 1;
    if (p[0] == ENUM_BYTE) {
        if (left < ENUM_HEAD) return bad(at, "an item runs past the end");
        item->count = p[5];
        return found(p, left, ENUM_HEAD, at, item);
    }
    if (!type_is_fixed(item->type) && item->type != QT_SYMBOL)
        return bad(at, "no item begins with this byte");
    if (item->atom) return found(p, left, 1, at, item);
    if (left < 2) return bad(at, "an item runs past the end");
    item->count = p[1];
    return found(p, left, 2, at, item);
}

/* ---- building items */

Err nested_build_object(Buf *b, u64 base, int type, u64 count, u64 bytes, u64 *at)
{
    u8 *p;
    u64 gap = round_up(base + b->size, 16) - base - b->size;
    Err err = buf_room(b, gap + NESTED_OBJECT + bytes, &p);
    if (err != E_OK) return err;
    memset(p, 0, gap + NESTED_OBJECT);
    p += gap;
    p[0] = OBJECT_MARK;
    p[2] = (u8)type;
    store_u32(p + 4, 1);
    store_u64(p + 8, count);
    *at = base + b->size + gap;
    buf_added(b, gap + NESTED_OBJECT + bytes);
    return E_OK;
}

/* memcpy of few bytes, in overlapping halves: most strings are shorter than what a call costs. */
static inline void copy_few(u8 *to, const u8 *from, u64 n)
{
    if (n > 32) {
        memcpy(to, from, n);
    } else if (n >= 16) {
        memcpy(to, from, 16);
        memcpy(to + n - 16, from + n - 16, 16);
    } else if (n >= 8) {
        store_u64(to, load_u64(from));
        store_u64(to + n - 8, load_u64(from + n - 8));
    } else if (n >= 4) {
        store_u32(to, load_u32(from));
        store_u32(to + n - 4, load_u32(from + n - 4));
    } else {
        for (u64 i = 0; i < n; i++)
            to[i] = from[i];
    }
}

/* Fills a packed item and returns its size; `p` has room for 2 + NESTED_PACKED bytes. */
static inline u64 fill_packed(u8 *p, int type, const void *elements, u64 count, u64 bytes)
{
    p[0] = (u8)(PACKED_ZERO + type);
    p[1] = (u8)count;
    copy_few(p + 2, elements, bytes);
    return 2 + bytes;
}

Err nested_build(Buf *b, u64 base, int type, const void *elements, u64 count, u64 *reference)
{
    u64 bytes = count * nested_width(type), at;
    if (bytes <= NESTED_PACKED) {
        u8 *p;
        Err err = buf_room(b, 2 + bytes, &p);
        if (err != E_OK) return err;
        *reference = (base + b->size) | NESTED_FLAG;
        buf_added(b, fill_packed(p, type, elements, count, bytes));
        return E_OK;
    }
    Err err = nested_build_object(b, base, type, count, bytes, &at);
    if (err != E_OK) return err;
    memcpy(b->data + b->size - bytes, elements, bytes);
    *reference = at;
    return E_OK;
}

/* ---- writing */

void nested_free(NestedOut *out)
{
    map_free(&out->positions);
    buf_free(&out->names);
    out->name_count = 0;
}

Err nested_positions(NestedOut *out, const i32 *ids, u64 count, i32 *positions)
{
    for (u64 i = 0; i < count; i++) {
        positions[i] = map_find_i64(&out->positions, ids[i]);
        if (positions[i] >= 0) continue;
        Str name = symbol_text(ids[i]);
        out->names.size_max = NAMES_MAX;
        Err err = buf_append(&out->names, name.data, name.size + 1);
        if (err != E_OK) return err;
        positions[i] = (i32)out->name_count++;
        map_put_i64(&out->positions, ids[i], positions[i]);
    }
    return E_OK;
}

static Err put_reference(NestedOut *out, u64 reference)
{
    u8 bytes[8];
    store_u64(bytes, reference);
    return block_out_write(out->parent, bytes, sizeof bytes);
}

Err nested_put_built(NestedOut *out, const Buf *items, u64 reference)
{
    Err err = block_out_write(out->heap, items->data, items->size);
    if (err != E_OK) return err;
    out->at += items->size;
    return put_reference(out, reference);
}

/* A large vector goes straight to the file. */
static Err put_object(NestedOut *out, int type, const void *elements, u64 count, u64 bytes)
{
    u8 head[NESTED_OBJECT + 15] = {0};
    u64 gap = round_up(out->at, 16) - out->at;
    u8 *p = head + gap;
    p[0] = OBJECT_MARK;
    p[2] = (u8)type;
    store_u32(p + 4, 1);
    store_u64(p + 8, count);
    Err err = block_out_write(out->heap, head, gap + NESTED_OBJECT);
    if (err == E_OK) err = block_out_write(out->heap, elements, bytes);
    if (err == E_OK) err = put_reference(out, out->at + gap);
    if (err == E_OK) out->at += gap + NESTED_OBJECT + bytes;
    return err;
}

static Err put_symbols(NestedOut *out, const i32 *ids, u64 count)
{
    Buf positions = {0};
    u8 *place;
    Err err = buf_room(&positions, count * 4 + 4, &place);
    if (err == E_OK) err = nested_positions(out, ids, count, (i32 *)(void *)place);
    if (err == E_OK) err = nested_put(out, QT_SYMBOL, place, count);
    buf_free(&positions);
    return err;
}

Err nested_put(NestedOut *out, int type, const void *elements, u64 count)
{
    u8 item[2 + NESTED_PACKED];
    if (type == QT_ENUM) return put_symbols(out, elements, count);
    u64 bytes = count * nested_width(type);
    ASSERT(type_is_fixed(type) || type == QT_SYMBOL);
    if (bytes > NESTED_PACKED) return put_object(out, type, elements, count, bytes);
    u64 size = fill_packed(item, type, elements, count, bytes);
    Err err = block_out_write(out->heap, item, size);
    if (err == E_OK) err = put_reference(out, out->at | NESTED_FLAG);
    if (err == E_OK) out->at += size;
    return err;
}

/* Packs as many rows as fit into one piece of both buffers; *done rows. The first row that is no
 * packed item ends the piece. */
static Err put_packed(NestedOut *out, const Vec *v, const u32 *rows, u64 from, u64 count, u64 *done)
{
    u8 *refs, *items;
    int type = v->type - QT_NESTED;
    u64 width = type_width(type), used = 0, n = 0;
    count = MIN(count, ROOM_ROWS);
    Err err = block_out_room(out->parent, count * 8, &refs);
    if (err == E_OK) err = block_out_room(out->heap, BLOCK_OUT_ROOM_MAX, &items);
    if (err != E_OK) return err;
    for (; n < count && used <= BLOCK_OUT_ROOM_MAX - (2 + NESTED_PACKED); n++) {
        u64 row = rows != NULL ? rows[n] : from + n;
        u64 begin = v->offs[row], elements = v->offs[row + 1] - begin;
        u64 bytes = elements * width;
        if (bytes > NESTED_PACKED) break;
        store_u64(refs + n * 8, (out->at + used) | NESTED_FLAG);
        used +=
            fill_packed(items + used, type, (const u8 *)v->data + begin * width, elements, bytes);
    }
    block_out_added(out->parent, n * 8);
    block_out_added(out->heap, used);
    out->at += used;
    *done = n;
    return E_OK;
}

/* One row of a nested vector. */
static Err put_row(NestedOut *out, const Vec *v, u64 row)
{
    int type = v->type - QT_NESTED;
    u64 begin = v->offs[row];
    const u8 *elements = (const u8 *)v->data + begin * type_width(type);
    return nested_put(out, type, elements, v->offs[row + 1] - begin);
}

Err nested_put_rows(NestedOut *out, const Vec *v, const u32 *rows, u64 from, u64 count)
{
    Err err = E_OK;
    int type = v->type - QT_NESTED;
    u64 width = type_width(type), n;
    for (u64 at = 0; at < count; at += n) {
        n = 0;
        if (type != QT_ENUM)
            TRY(put_packed(out, v, rows != NULL ? rows + at : NULL, from + at, count - at, &n));
        if (at + n == count) break;
        u64 row = rows != NULL ? rows[at + n] : from + at + n;
        u64 bytes = (v->offs[row + 1] - v->offs[row]) * width;
        if (type != QT_ENUM && bytes <= NESTED_PACKED) continue; /* the piece was full */
        TRY(put_row(out, v, row));
        n++;
    }
done:
    return err;
}
