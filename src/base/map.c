/*
 * map: open addressing with linear probing.
 *
 * A slot is 24 bytes:
 *     0  hash   of the key, all 64 bits: compared first, and moved without looking at the key again
 *     8  key    the i64; or the bytes of a text up to 8 long, padded with zeros; or a pointer to
 * them 16 size   of a text key 20 value  the value plus one; 0 = free slot Short texts, which most
 * symbols are, so need no second memory access. Nothing is ever removed, so there are no
 * tombstones. The table doubles before it is more than 9/16 full.
 */
#include "base/map.h"

#include <stdlib.h>

#define MAP_SLOTS_FIRST 16
#define MAP_INLINE      8 /* bytes of text kept in the slot */

typedef struct MapSlot {
    u64 hash;

    union {
        i64 number;
        u64 bytes;
        const char *text;
    } key;

    u32 size;
    u32 value;
} MapSlot;

__extension__ typedef unsigned __int128 Wide;

/* Odd constants with balanced bits: fractions of square roots of 2, 3, 5 and 7. */
#define MIX_A 0x6a09e667f3bcc909ull
#define MIX_B 0xbb67ae8584caa73bull
#define MIX_C 0x3c6ef372fe94f82bull
#define MIX_D 0xa54ff53a5f1d36f1ull

static u64 mix(u64 a, u64 b)
{
    Wide product = (Wide)a * b;
    return (u64)product ^ (u64)(product >> 64);
}

/* Up to 8 bytes as a number, padded with zeros, in two overlapping loads. */
static u64 load_short(const u8 *p, u64 size)
{
    if (size == 8) return load_u64(p);
    if (size >= 4) {
        u64 high = load_u32(p + size - 4);
        return load_u32(p) | high << (8 * (size - 4));
    }
    u64 v = 0;
    for (u64 i = 0; i < size; i++)
        v |= (u64)p[i] << (8 * i);
    return v;
}

static u64 hash_short(u64 bytes, u64 size) { return mix(mix(bytes ^ MIX_A, MIX_B) ^ size, MIX_C); }

u64 map_hash(const void *data, u64 size)
{
    const u8 *p = data;
    if (size <= 8) return hash_short(load_short(p, size), size);
    u64 a = size ^ MIX_A, b = size ^ MIX_B, left = size;
    for (; left > 32; left -= 32, p += 32) {
        a = mix(load_u64(p) ^ MIX_C, load_u64(p + 8) ^ a);
        b = mix(load_u64(p + 16) ^ MIX_D, load_u64(p + 24) ^ b);
    }
    if (left > 16) {
        a = mix(load_u64(p) ^ MIX_C, load_u64(p + 8) ^ a);
        p += 16;
        left -= 16;
    }
    /* The last 9 to 16 bytes, or, after a block, the last 16 whatever is left: loads may
     * overlap. */
    u64 first = left > 8 ? load_u64(p) : load_u64(p + left - 16);
    u64 last = load_u64(p + left - 8);
    return mix(mix(first ^ MIX_D, last ^ b) ^ a, MIX_C);
}

static u64 hash_number(i64 key) { return mix((u64)key ^ MIX_A, MIX_D) ^ MIX_B; }

static bool slot_is(const MapSlot *slot, u64 hash, Str key)
{
    if (slot->hash != hash || slot->size != key.size) return false;
    /* Short texts of one size and one hash are equal: the hash is a bijection of them only nearly,
     * so the bytes are compared all the same. */
    if (key.size <= MAP_INLINE)
        return slot->key.bytes == load_short((const u8 *)key.data, key.size);
    return memcmp(slot->key.text, key.data, key.size) == 0;
}

/* The slot of a key, or the free slot where it belongs. The table is not empty and not full. */
static MapSlot *find_text(const Map *m, u64 hash, Str key)
{
    u64 mask = m->slot_count - 1;
    for (u64 i = hash & mask;; i = (i + 1) & mask) {
        MapSlot *slot = m->slots + i;
        if (slot->value == 0 || slot_is(slot, hash, key)) return slot;
    }
}

static MapSlot *find_number(const Map *m, u64 hash, i64 key)
{
    u64 mask = m->slot_count - 1;
    for (u64 i = hash & mask;; i = (i + 1) & mask) {
        MapSlot *slot = m->slots + i;
        if (slot->value == 0 || (slot->hash == hash && slot->key.number == key)) return slot;
    }
}

i32 map_find(const Map *m, Str key)
{
    if (m->count == 0) return -1;
    return (i32)(find_text(m, map_hash(key.data, key.size), key)->value - 1);
}

i32 map_find_i64(const Map *m, i64 key)
{
    if (m->count == 0) return -1;
    return (i32)(find_number(m, hash_number(key), key)->value - 1);
}

/* Doubles the table when one more key would fill it beyond 9/16. */
static void make_room(Map *m)
{
    if ((m->count + 1) * 16 <= m->slot_count * 9) return;
    u64 count = m->slot_count ? m->slot_count * 2 : MAP_SLOTS_FIRST, mask = count - 1;
    MapSlot *slots = calloc(count, sizeof *slots);
    ASSERT(slots && "memory is gone");
    for (u64 k = 0; k < m->slot_count; k++) {
        const MapSlot *from = m->slots + k;
        if (from->value == 0) continue;
        u64 i = from->hash & mask;
        while (slots[i].value)
            i = (i + 1) & mask;
        slots[i] = *from;
    }
    free(m->slots);
    m->slots = slots;
    m->slot_count = count;
}

void map_put(Map *m, Str key, i32 value)
{
    ASSERT(value >= 0 && key.size <= UINT32_MAX);
    make_room(m);
    u64 hash = map_hash(key.data, key.size);
    MapSlot *slot = find_text(m, hash, key);
    if (slot->value == 0) {
        m->count++;
        slot->hash = hash;
        slot->size = (u32)key.size;
        if (key.size <= MAP_INLINE)
            slot->key.bytes = load_short((const u8 *)key.data, key.size);
        else
            slot->key.text = str_dup(&m->keys, key);
    }
    slot->value = (u32)value + 1;
}

void map_put_i64(Map *m, i64 key, i32 value)
{
    ASSERT(value >= 0);
    make_room(m);
    u64 hash = hash_number(key);
    MapSlot *slot = find_number(m, hash, key);
    if (slot->value == 0) {
        m->count++;
        slot->hash = hash;
        slot->key.number = key;
    }
    slot->value = (u32)value + 1;
}

void map_free(Map *m)
{
    free(m->slots);
    arena_free(&m->keys);
    *m = (Map){0};
}
