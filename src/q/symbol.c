/*
 * symbol: the names of this process. Text to id by a hash table under a lock, id to text without
 * one.
 *
 *   slots   open addressing, linear probing, at most half full; a slot is hash (high 32 bits) and
 * id (low 32 bits), 0 = free: id 0, the empty symbol, never stands in it names   chunks of 65,536
 * Str each, found by the high half of the id; a chunk never moves, its pointer and the count are
 * published by release stores, so a reader needs no lock bytes   the texts, zero-ended, in blocks
 * that are never given back
 *
 * Who holds an id got it from this table (directly, or through a hand-over between threads that
 * orders memory), so the Str behind it was written before. Memory is kept until the process
 * ends. */
#include "q/symbol.h"

#include "base/bounds.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CHUNK_BITS  16
#define CHUNK_NAMES (1u << CHUNK_BITS)
#define CHUNKS_MAX  (1u << (31 - CHUNK_BITS))
#define BLOCK_BYTES (1u << 20)
#define SLOTS_MIN   4096
#define RECENT_BITS 13
#define IDS_MAX     MIN(BOUND_SYMBOLS_MAX, (u64)INT32_MAX)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(Str *) chunks[CHUNKS_MAX];
static _Atomic(u32) id_count = 1;
static _Atomic(u64) bytes_held;

/* Under the lock: */
static u64 *slots;
static u64 slot_count;
static char *block;
static u64 block_left;

/* Short names met lately, by their one word (0 = free): columns repeat few names, and this finds
 * them in one access where the table needs three. */
static struct {
    u64 word;
    i32 id;
} recent[1u << RECENT_BITS];

/* One step of the hash: a name is its 8-byte little-endian words, the last padded with zeros. As no
 * name holds a zero byte, padding cannot make two names equal. */
static inline u64 hash_step(u64 hash, u64 word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 32);
}

static inline u32 hash_end(u64 hash) { return (u32)((hash * 0xd6e8feb86659fd93u) >> 32); }

static u32 hash_text(const char *text, u64 size)
{
    u64 hash = 0, word = 0;
    for (; size >= 8; text += 8, size -= 8)
        hash = hash_step(hash, load_u64(text));
    if (size > 0) {
        memcpy(&word, text, size);
        hash = hash_step(hash, word);
    }
    return hash_end(hash);
}

Str symbol_text(i32 id)
{
    if (id == 0) return STR("");
    ASSERT(id > 0 && (u32)id < atomic_load_explicit(&id_count, memory_order_acquire));
    Str *chunk = atomic_load_explicit(&chunks[(u32)id >> CHUNK_BITS], memory_order_acquire);
    return chunk[(u32)id & (CHUNK_NAMES - 1)];
}

i32 symbol_count(void) { return (i32)atomic_load_explicit(&id_count, memory_order_acquire); }

u64 symbol_bytes(void) { return atomic_load_explicit(&bytes_held, memory_order_relaxed); }

static void held(u64 more, u64 less)
{
    u64 now = atomic_load_explicit(&bytes_held, memory_order_relaxed);
    atomic_store_explicit(&bytes_held, now + more - less, memory_order_relaxed);
}

static Err no_memory(void)
{
    return fail(E_MEMORY, "no memory for another symbol (%d there)", symbol_count());
}

/* The id of a name, or the free slot where it belongs: -1 and *at. */
static i32 find(const char *text, u64 size, u32 hash, u64 *at)
{
    u64 mask = slot_count - 1, i = hash & mask;
    for (; slots[i] != 0; i = (i + 1) & mask) {
        if (slots[i] >> 32 != hash) continue;
        u32 id = (u32)slots[i];
        Str *chunk = atomic_load_explicit(&chunks[id >> CHUNK_BITS], memory_order_relaxed);
        Str name = chunk[id & (CHUNK_NAMES - 1)];
        if (name.size == size && memcmp(name.data, text, size) == 0) return (i32)id;
    }
    *at = i;
    return -1;
}

static Err grow_slots(void)
{
    u64 count = slot_count ? slot_count * 2 : SLOTS_MIN;
    u64 *fresh = calloc(count, sizeof *fresh);
    if (!fresh) return no_memory();
    for (u64 i = 0; i < slot_count; i++) {
        if (slots[i] == 0) continue;
        u64 at = (slots[i] >> 32) & (count - 1);
        while (fresh[at] != 0)
            at = (at + 1) & (count - 1);
        fresh[at] = slots[i];
    }
    held(count * sizeof *fresh, slot_count * sizeof *fresh);
    free(slots);
    slots = fresh;
    slot_count = count;
    return E_OK;
}

/* A zero-ended copy that stays; long names get a block of their own. */
static char *keep_text(const char *text, u64 size)
{
    char *to;
    if (size + 1 > BLOCK_BYTES / 4) {
        to = malloc(size + 1);
        if (!to) return NULL;
        held(size + 1, 0);
    } else {
        if (size + 1 > block_left) {
            char *fresh = malloc(BLOCK_BYTES);
            if (!fresh) return NULL;
            held(BLOCK_BYTES, 0);
            block = fresh;
            block_left = BLOCK_BYTES;
        }
        to = block;
        block += size + 1;
        block_left -= size + 1;
    }
    memcpy(to, text, size);
    to[size] = 0;
    return to;
}

static Err add(const char *text, u64 size, u32 hash, u64 slot, i32 *id)
{
    u32 next = atomic_load_explicit(&id_count, memory_order_relaxed);
    if (next >= IDS_MAX)
        return fail(E_LIMIT, "more than %llu symbols", (unsigned long long)IDS_MAX);
    Str *chunk = atomic_load_explicit(&chunks[next >> CHUNK_BITS], memory_order_relaxed);
    if (!chunk) {
        chunk = calloc(CHUNK_NAMES, sizeof *chunk);
        if (!chunk) return no_memory();
        held(CHUNK_NAMES * sizeof *chunk, 0);
        atomic_store_explicit(&chunks[next >> CHUNK_BITS], chunk, memory_order_release);
    }
    char *kept = keep_text(text, size);
    if (!kept) return no_memory();
    chunk[next & (CHUNK_NAMES - 1)] = (Str){kept, size};
    slots[slot] = (u64)hash << 32 | next;
    atomic_store_explicit(&id_count, next + 1, memory_order_release);
    *id = (i32)next;
    return E_OK;
}

/* Under the lock: finds or adds a name of at least one byte whose hash is known. */
static inline Err intern(const char *text, u64 size, u32 hash, i32 *id)
{
    u64 slot = 0;
    if ((u64)atomic_load_explicit(&id_count, memory_order_relaxed) * 2 >= slot_count) {
        Err err = grow_slots();
        if (err != E_OK) return err;
    }
    *id = find(text, size, hash, &slot);
    return *id >= 0 ? E_OK : add(text, size, hash, slot, id);
}

static Err too_long(u64 size)
{
    return fail(E_LIMIT, "a symbol of %llu bytes; at most %llu are allowed",
                (unsigned long long)size, BOUND_SYMBOL_MAX);
}

Err symbol_intern(Str name, i32 *id)
{
    *id = 0;
    if (name.size == 0) return E_OK;
    if (name.size > BOUND_SYMBOL_MAX) return too_long(name.size);
    if (memchr(name.data, 0, name.size)) return fail(E_TYPE, "a symbol cannot hold a zero byte");
    u32 hash = hash_text(name.data, name.size);
    pthread_mutex_lock(&lock);
    Err err = intern(name.data, name.size, hash, id);
    pthread_mutex_unlock(&lock);
    return err;
}

/* Finds the end of the name at `text` and its hash, a word at a time; false when no zero comes. */
static inline bool measure(const char *text, u64 left, u64 *size, u32 *hash)
{
    u64 h = 0, at = 0;
    for (; left - at >= 8; at += 8) {
        u64 word = load_u64(text + at);
        u64 zero = (word - 0x0101010101010101u) & ~word & 0x8080808080808080u;
        if (zero == 0) {
            h = hash_step(h, word);
            continue;
        }
        u64 before = (u64)__builtin_ctzll(zero) / 8;
        *size = at + before;
        if (before > 0) h = hash_step(h, word & ((1ull << before * 8) - 1));
        *hash = hash_end(h);
        return true;
    }
    const char *end = memchr(text + at, 0, left - at);
    if (!end) return false;
    *size = (u64)(end - text);
    u64 word = 0;
    if (*size > at) {
        memcpy(&word, text + at, *size - at);
        h = hash_step(h, word);
    }
    *hash = hash_end(h);
    return true;
}

/* The word of a name of 1 to 7 bytes that stands within 8 bytes; 0 for others. */
static inline u64 short_word(const char *text, u64 left)
{
    if (left < 8) return 0;
    u64 word = load_u64(text);
    u64 zero = (word - 0x0101010101010101u) & ~word & 0x8080808080808080u;
    return zero == 0 ? 0 : word & ((zero & (0 - zero)) - 1) >> 7;
}

Err symbol_intern_many(const char *text, u64 size, u64 count, i32 *ids, u64 *used)
{
    Err err = E_OK;
    u64 at = 0;
    pthread_mutex_lock(&lock);
    for (u64 i = 0; i < count; i++) {
        u64 length = 0, word = short_word(text + at, size - at);
        u64 place = word * 0x9e3779b97f4a7c15u >> (64 - RECENT_BITS);
        u32 hash = 0;
        if (word != 0 && recent[place].word == word) {
            ids[i] = recent[place].id;
            at += (71 - (u64)__builtin_clzll(word)) / 8 + 1;
            continue;
        }
        if (at >= size || !measure(text + at, size - at, &length, &hash)) {
            err = fail(E_CORRUPT, "symbol %llu of %llu is not ended by a zero byte",
                       (unsigned long long)i, (unsigned long long)count);
            break;
        }
        ids[i] = 0;
        if (length > BOUND_SYMBOL_MAX)
            err = too_long(length);
        else if (length > 0)
            err = intern(text + at, length, hash, &ids[i]);
        if (err != E_OK) break;
        if (word != 0) {
            recent[place].word = word;
            recent[place].id = ids[i];
        }
        at += length + 1;
    }
    pthread_mutex_unlock(&lock);
    *used = at;
    return err;
}

i32 symbol_find(Str name)
{
    u64 slot;
    if (name.size == 0) return 0;
    if (name.size > BOUND_SYMBOL_MAX || memchr(name.data, 0, name.size)) return -1;
    u32 hash = hash_text(name.data, name.size);
    pthread_mutex_lock(&lock);
    i32 id = slot_count ? find(name.data, name.size, hash, &slot) : -1;
    pthread_mutex_unlock(&lock);
    return id;
}
