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
 * offset behind the heap's header page, with flag 1 in the top byte for a packed item and 0 for an
 * object.
 *
 * References are believed only after the item was found to lie within the heap, so a damaged parent
 * or heap gives E_CORRUPT and never a read outside.
 */
#include "column/nested.h"

#include "q/type.h"

#define PACKED_MAX    95
#define PACKED_ZERO   127
#define OBJECT_MARK   251
#define OBJECT_HEADER 16
#define OFFSET_MASK   ((1ull << 56) - 1)
#define PACKED_FLAG   (1ull << 56)
#define ROOM_SIZE     (64ull << 10)
#define ROOM_ROWS     (ROOM_SIZE / 8)

static Err bad(u64 at, const char *what)
{
    return fail(E_CORRUPT, "heap of a list column, offset %llu: %s", (unsigned long long)at, what);
}

static Err found(u64 left, u64 at, NestedItem *item)
{
    u64 width = type_width(item->type);
    if (item->count > left / width) return bad(at, "an item runs past the end");
    return E_OK;
}

static Err unsupported(u64 at, int type)
{
    return fail(E_UNSUPPORTED, "heap of a list column, offset %llu: an item of type %d",
                (unsigned long long)at, type);
}

static Err find_object(const u8 *p, u64 left, u64 at, NestedItem *item)
{
    if (left < OBJECT_HEADER || p[1] != 0) return bad(at, "no object");
    item->type = p[2];
    item->count = load_u64(p + 8);
    item->elements = p + OBJECT_HEADER;
    if (item->type == QT_NESTED && item->count == 0) return E_OK;
    if (!type_is_fixed(item->type)) return unsupported(at, item->type);
    return found(left - OBJECT_HEADER, at, item);
}

Err nested_find(const u8 *heap, u64 size, u64 reference, NestedItem *item)
{
    u64 at = reference & OFFSET_MASK;
    if (at >= size) return bad(at, "a reference leads outside");
    const u8 *p = heap + at;
    u64 left = size - at;
    if (p[0] == OBJECT_MARK) return find_object(p, left, at, item);
    int type = p[0] - PACKED_ZERO;
    bool atom = type < 0;
    item->type = atom ? -type : type;
    if (item->type == QT_ENUM || item->type == QT_SYMBOL) return unsupported(at, type);
    if (!type_is_fixed(item->type)) return bad(at, "no item begins with this byte");
    if (!atom && left < 2) return bad(at, "an item runs past the end");
    item->count = atom ? 1 : p[1];
    item->elements = atom ? p + 1 : p + 2;
    return found(left - (atom ? 1 : 2), at, item);
}

static Err put_object(FileOut *heap, u64 *heap_at, int type, const void *elements, u64 count,
                      u64 bytes)
{
    u8 head[OBJECT_HEADER + 15] = {0};
    u64 gap = round_up(*heap_at, 16) - *heap_at;
    u8 *p = head + gap;
    p[0] = OBJECT_MARK;
    p[2] = (u8)type;
    store_u32(p + 4, 1);
    store_u64(p + 8, count);
    Err err = file_out_write(heap, head, gap + OBJECT_HEADER);
    if (err == E_OK) err = file_out_write(heap, elements, bytes);
    if (err == E_OK) *heap_at += gap + OBJECT_HEADER + bytes;
    return err;
}

/* Fills a packed item and returns its size; `p` has room for 2 + PACKED_MAX bytes. */
static inline u64 fill_packed(u8 *p, int type, const void *elements, u64 count, u64 bytes)
{
    p[0] = (u8)(PACKED_ZERO + type);
    p[1] = (u8)count;
    if (bytes > 0) memcpy(p + 2, elements, bytes);
    return 2 + bytes;
}

Err nested_put(FileOut *parent, FileOut *heap, u64 *heap_at, int type, const void *elements,
               u64 count)
{
    Err err = E_OK;
    u8 item[2 + PACKED_MAX], reference[8];
    u64 bytes = count * type_width(type);
    ASSERT(type_is_fixed(type));
    if (bytes <= PACKED_MAX) {
        store_u64(reference, *heap_at | PACKED_FLAG);
        u64 size = fill_packed(item, type, elements, count, bytes);
        TRY(file_out_write(heap, item, size));
        *heap_at += size;
    } else {
        store_u64(reference, round_up(*heap_at, 16));
        TRY(put_object(heap, heap_at, type, elements, count, bytes));
    }
    TRY(file_out_write(parent, reference, sizeof reference));
done:
    return err;
}

/* Packs as many rows as fit into one piece of both buffers; *done rows. The first row that is no
 * packed item ends the piece. */
static Err put_packed(FileOut *parent, FileOut *heap, u64 *heap_at, const Vec *v, const u32 *rows,
                      u64 from, u64 count, u64 *done)
{
    u8 *refs, *items;
    int type = v->type - QT_NESTED;
    u64 width = type_width(type), used = 0, n = 0;
    count = MIN(count, ROOM_ROWS);
    Err err = file_out_room(parent, count * 8, &refs);
    if (err == E_OK) err = file_out_room(heap, ROOM_SIZE, &items);
    if (err != E_OK) return err;
    for (; n < count && used <= ROOM_SIZE - (2 + PACKED_MAX); n++) {
        u64 row = rows != NULL ? rows[n] : from + n;
        u64 begin = v->offs[row], elements = v->offs[row + 1] - begin;
        u64 bytes = elements * width;
        if (bytes > PACKED_MAX) break;
        store_u64(refs + n * 8, (*heap_at + used) | PACKED_FLAG);
        used +=
            fill_packed(items + used, type, (const u8 *)v->data + begin * width, elements, bytes);
    }
    file_out_added(parent, n * 8);
    file_out_added(heap, used);
    *heap_at += used;
    *done = n;
    return E_OK;
}

Err nested_put_rows(FileOut *parent, FileOut *heap, u64 *heap_at, const Vec *v, const u32 *rows,
                    u64 from, u64 count)
{
    Err err = E_OK;
    int type = v->type - QT_NESTED;
    u64 width = type_width(type), n;
    for (u64 at = 0; at < count; at += n) {
        TRY(put_packed(parent, heap, heap_at, v, rows != NULL ? rows + at : NULL, from + at,
                       count - at, &n));
        if (at + n == count) break;
        u64 row = rows != NULL ? rows[at + n] : from + at + n;
        u64 begin = v->offs[row], elements = v->offs[row + 1] - begin;
        if (elements * width <= PACKED_MAX) continue; /* the piece was full */
        TRY(nested_put(parent, heap, heap_at, type, (const u8 *)v->data + begin * width, elements));
        n++;
    }
done:
    return err;
}
