/*
 * attr: the index behind the elements of parted and grouped enumerations.
 *
 * The payload is a row of objects, each with a 16-byte header: m (the smallest m with 16 << m >=
 * the object's size), 0 (some builds leave another byte), type, attribute, four zeros, count (i64).
 * For n distinct values of width w (8 = 64-bit enumeration, "wide"; 4 = 32-bit), with C the power
 * of two >= n, at least 8 / w:
 *
 *   wide only  8 bytes     W: written 0, ignored when read
 *   K          16          header: type 20, attribute 2, n
 *              n * w       the values in order of appearance
 *              8           wide only: W again
 *              (C - n) * w spare
 *              2C * 8      slots: position of a key in K, or -1
 *   O          16          header: type 7, n + 1
 *              8 * (n + 1) parted: first row of each run, then the row count;
 *                          grouped: where each key's row numbers begin in P, then the row count
 *   P          16          grouped only: header: type 7, row count
 *              8 * rows    row numbers: those of key 0 ascending, then those of key 1, ...
 *
 * The slot of a key v is (v * 2654435761) >> 11 modulo 2C, and the next free one upwards on
 * collision.
 *
 * Unique columns and parted or grouped plain vectors have no form that a real file proves
 * (kdb-files.md 5.1), so their payload is neither written nor interpreted: the elements are all
 * that is used of them.
 *
 * Invariants after attr_open: offs[0] = 0, offs ascend strictly (parted; a run has a row) and end
 * with the row count; every entry of perm is < rows. Slots are not believed: attr_find checks what
 * they say.
 */
#include "column/attr.h"

#include "base/map.h"
#include "q/type.h"

#include <math.h>
#include <stdlib.h>

#define OBJECT_HEADER 16

static u64 capacity_of(u64 count, bool wide)
{
    u64 capacity = wide ? 1 : 2;
    while (capacity < count)
        capacity *= 2;
    return capacity;
}

static u64 hash_of(i64 key) { return ((u64)key * 2654435761u) >> 11; }

static i64 key_at(const void *keys, u64 i, bool wide)
{
    if (wide) return load_i64((const u8 *)keys + i * 8);
    return load_i32((const u8 *)keys + i * 4);
}

/* The header of an object whose elements take `size` bytes. */
static void put_header(u8 *p, int type, int attr, u64 count, u64 size)
{
    u8 m = 0;
    while ((16ull << m) < size + OBJECT_HEADER)
        m++;
    memset(p, 0, OBJECT_HEADER);
    p[0] = m;
    p[2] = (u8)type;
    p[3] = (u8)attr;
    store_u64(p + 8, count);
}

static void put_slots(u8 *slots, u64 slot_count, const void *keys, u64 count, bool wide)
{
    memset(slots, 0xff, slot_count * 8);
    for (u64 i = 0; i < count; i++) {
        u64 at = hash_of(key_at(keys, i, wide)) & (slot_count - 1);
        while (load_i64(slots + at * 8) != -1)
            at = (at + 1) & (slot_count - 1);
        store_u64(slots + at * 8, i);
    }
}

Err attr_build_parted(Buf *b, const void *keys, const i64 *offs, u64 count, bool wide)
{
    u64 width = wide ? 8 : 4, word = wide ? 8 : 0;
    u64 capacity = capacity_of(count, wide), slot_count = 2 * capacity;
    u64 k_size = capacity * width + word + slot_count * 8;
    u64 o_size = (count + 1) * 8;
    u64 size = word + OBJECT_HEADER + k_size + OBJECT_HEADER + o_size;
    u8 *p;
    Err err = buf_room(b, size, &p);
    if (err != E_OK) return err;
    memset(p, 0, word);
    p += word;
    put_header(p, QT_ENUM, ATTR_UNIQUE, count, k_size);
    p += OBJECT_HEADER;
    if (count > 0) memcpy(p, keys, count * width);
    memset(p + count * width, 0, (capacity - count) * width + word);
    p += capacity * width + word;
    put_slots(p, slot_count, keys, count, wide);
    p += slot_count * 8;
    put_header(p, QT_LONG, ATTR_NONE, count + 1, o_size);
    memcpy(p + OBJECT_HEADER, offs, o_size);
    buf_added(b, size);
    return E_OK;
}

/* Appends object P and fixes nothing else: offs[k] must be where key k's rows begin; they are used
 * up. */
static Err put_permutation(Buf *b, const u32 *key_of_row, u64 row_count, i64 *offs)
{
    u8 *p;
    Err err = buf_room(b, OBJECT_HEADER + row_count * 8, &p);
    if (err != E_OK) return err;
    put_header(p, QT_LONG, ATTR_NONE, row_count, row_count * 8);
    for (u64 row = 0; row < row_count; row++) {
        u64 at = (u64)offs[key_of_row[row]]++;
        store_u64(p + OBJECT_HEADER + at * 8, row);
    }
    buf_added(b, OBJECT_HEADER + row_count * 8);
    return E_OK;
}

Err attr_build_grouped(Buf *b, const void *rows, u64 row_count, bool wide)
{
    Err err = E_OK;
    Map map = {0};
    Buf keys = {.size_max = 1ull << 40}, offs = {.size_max = 1ull << 40};
    u32 *key_of_row = malloc((row_count + 1) * sizeof *key_of_row);
    u64 count = 0, width = wide ? 8 : 4;
    if (key_of_row == NULL) {
        err =
            fail(E_MEMORY, "grouped index: no memory for %llu rows", (unsigned long long)row_count);
        goto done;
    }
    for (u64 row = 0; row < row_count; row++) {
        i64 key = key_at(rows, row, wide);
        i32 at = map_find_i64(&map, key);
        if (at < 0) {
            at = (i32)count++;
            map_put_i64(&map, key, at);
            TRY(buf_append(&keys, (const u8 *)rows + row * width, width));
        }
        key_of_row[row] = (u32)at;
    }
    u8 *place;
    TRY(buf_room(&offs, (count + 1) * 8, &place));
    i64 *off = (i64 *)(void *)place;
    memset(off, 0, (count + 1) * 8);
    for (u64 row = 0; row < row_count; row++)
        off[key_of_row[row] + 1]++;
    for (u64 i = 0; i < count; i++)
        off[i + 1] += off[i];
    TRY(attr_build_parted(b, keys.data, off, count, wide));
    TRY(put_permutation(b, key_of_row, row_count, off));
done:
    free(key_of_row);
    buf_free(&offs);
    buf_free(&keys);
    map_free(&map);
    return err;
}

/* What is left of a payload. */
typedef struct {
    const u8 *p;
    u64 left;
} Rest;

/* Takes `size` bytes; NULL when there are fewer. */
static const u8 *take(Rest *rest, u64 size)
{
    if (size > rest->left) return NULL;
    const u8 *p = rest->p;
    rest->p += size;
    rest->left -= size;
    return p;
}

/* Takes an object's header of a type; false when it is another one or its count is out of
 * bounds. */
static bool take_header(Rest *rest, int type, u64 *count)
{
    const u8 *p = take(rest, OBJECT_HEADER);
    if (p == NULL || p[2] != type) return false;
    *count = load_u64(p + 8);
    return *count <= rest->left / 4 + 1;
}

static _Thread_local const char *last_damage = "";

static Err bad(const char *what)
{
    last_damage = what;
    return fail(E_CORRUPT, "index of the column: %s", what);
}

const char *attr_damage(void) { return last_damage; }

static Err open_keys(Column *c, Rest *rest)
{
    u64 width = c->wide ? 8 : 4, word = c->wide ? 8 : 0, count;
    if (take(rest, word) == NULL) return bad("too short");
    if (!take_header(rest, QT_ENUM, &count)) return bad("no object of keys");
    if (count > c->rows) return bad("more keys than rows");
    u64 capacity = capacity_of(count, c->wide);
    const u8 *keys = take(rest, capacity * width + word);
    if (keys == NULL) return bad("keys run past the end");
    const u8 *slots = take(rest, 2 * capacity * 8);
    if (slots == NULL) return bad("hash slots run past the end");
    c->keys = keys;
    c->key_count = count;
    c->slots = (const i64 *)(const void *)slots;
    c->slot_count = 2 * capacity;
    return E_OK;
}

static Err open_offsets(Column *c, Rest *rest)
{
    u64 count;
    if (!take_header(rest, QT_LONG, &count)) return bad("no object of offsets");
    if (count != c->key_count + 1)
        return bad("the count of offsets is not that of the keys plus one");
    const i64 *offs = (const i64 *)(const void *)take(rest, count * 8);
    if (offs == NULL) return bad("offsets run past the end");
    if (offs[0] != 0) return bad("the first offset is not 0");
    for (u64 i = 0; i < c->key_count; i++) {
        if (offs[i + 1] <= offs[i]) return bad("offsets do not ascend");
    }
    if ((u64)offs[c->key_count] != c->rows) return bad("the last offset is not the row count");
    c->offs = offs;
    return E_OK;
}

static Err open_permutation(Column *c, Rest *rest)
{
    u64 count;
    if (!take_header(rest, QT_LONG, &count)) return bad("no object of row numbers");
    if (count != c->rows) return bad("the count of row numbers is not that of the rows");
    const i64 *perm = (const i64 *)(const void *)take(rest, count * 8);
    if (perm == NULL) return bad("row numbers run past the end");
    for (u64 i = 0; i < count; i++) {
        if ((u64)perm[i] >= c->rows) return bad("a row number is out of bounds");
    }
    c->perm = perm;
    return E_OK;
}

Err attr_open(Column *c, const u8 *payload, u64 size)
{
    Err err = E_OK;
    Rest rest = {payload, size};
    if (c->type != QT_ENUM || (c->attr != ATTR_PARTED && c->attr != ATTR_GROUPED)) return E_OK;
    if (((uintptr_t)payload & 7) != 0) return bad("not at a multiple of 8");
    TRY(open_keys(c, &rest));
    TRY(open_offsets(c, &rest));
    if (c->attr == ATTR_GROUPED) TRY(open_permutation(c, &rest));
    if (rest.left != 0) err = bad("bytes stand behind it");
done:
    if (err != E_OK) {
        c->keys = NULL;
        c->offs = c->slots = c->perm = NULL;
        c->key_count = c->slot_count = 0;
    }
    return err;
}

/* The position of a key by the slots: key_count when absent, -1 when the slots contradict the
 * keys. */
static i64 find_slot(const Column *c, i64 key)
{
    u64 at = hash_of(key) & (c->slot_count - 1);
    for (u64 probes = 0; probes < c->slot_count; probes++) {
        i64 k = c->slots[at];
        if (k == -1) return (i64)c->key_count;
        if (k < 0 || (u64)k >= c->key_count) return -1;
        if (key_at(c->keys, (u64)k, c->wide) == key) return k;
        at = (at + 1) & (c->slot_count - 1);
    }
    return -1;
}

void attr_find(const Column *c, i64 index, u64 *from, u64 *to)
{
    *from = *to = 0;
    if (c->keys == NULL) return;
    if (!c->wide) {
        if (index == INT64_MIN) index = INT32_MIN;
        if (index < INT32_MIN || index > INT32_MAX) return;
    }
    i64 k = find_slot(c, index);
    if (k < 0) {
        for (k = 0; (u64)k < c->key_count && key_at(c->keys, (u64)k, c->wide) != index; k++) {}
    }
    if ((u64)k == c->key_count) return;
    *from = (u64)c->offs[k];
    *to = (u64)c->offs[k + 1];
}

/* Each key is found through its slot and no slot is left over: so keys are distinct and slots are
 * right. */
static Err check_slots(const Column *c)
{
    u64 used = 0;
    for (u64 i = 0; i < c->slot_count; i++) {
        if (c->slots[i] != -1) used++;
    }
    if (used != c->key_count) return bad("hash slots and keys differ in number");
    for (u64 i = 0; i < c->key_count; i++) {
        if (find_slot(c, key_at(c->keys, i, c->wide)) != (i64)i)
            return bad("a key is not in its hash slot");
    }
    return E_OK;
}

/* Whether a piece of elements ascends, the element before it included; `T` is how they compare.
 * NULLs are the smallest integers; NaN counts as smallest among floats. */
#define ASCENDS(T, less)                                                                           \
    do {                                                                                           \
        T a, b;                                                                                    \
        bool wrong = false;                                                                        \
        memcpy(&a, last == NULL ? piece : last, sizeof a);                                         \
        for (u64 i = 0; i < count; i++) {                                                          \
            memcpy(&b, piece + i * sizeof b, sizeof b);                                            \
            wrong |= (less);                                                                       \
            a = b;                                                                                 \
        }                                                                                          \
        return !wrong;                                                                             \
    } while (0)

bool attr_ascends(int type, const u8 *piece, u64 count, const u8 *last)
{
    switch (type) {
    case QT_REAL: ASCENDS(f32, !(a <= b) && !isnan(a));
    case QT_FLOAT:
    case QT_DATETIME: ASCENDS(f64, !(a <= b) && !isnan(a));
    case QT_SHORT: ASCENDS(i16, b < a);
    default: break;
    }
    switch (type_width(type)) {
    case 1: ASCENDS(u8, b < a);
    case 4: ASCENDS(i32, b < a);
    case 8: ASCENDS(i64, b < a);
    default: return false;
    }
}

Err attr_check(const Column *c)
{
    if (c->damage != NULL) return bad(c->damage);
    if (c->attr == ATTR_SORTED && c->type < QT_ENUM && c->type != QT_GUID &&
        !attr_ascends(c->type, c->data, c->rows, NULL))
        return bad("the rows of a sorted column do not ascend");
    if (c->keys == NULL) return E_OK;
    Err err = check_slots(c);
    if (err != E_OK) return err;
    for (u64 k = 0; k < c->key_count; k++) {
        i64 key = key_at(c->keys, k, c->wide);
        i64 before = -1;
        for (i64 i = c->offs[k]; i < c->offs[k + 1]; i++) {
            i64 row = c->perm != NULL ? c->perm[i] : i;
            if (row <= before) return bad("a key's row numbers do not ascend");
            if (key_at(c->data, (u64)row, c->wide) != key)
                return bad("a row does not hold its key");
            before = row;
        }
    }
    return E_OK;
}
