/*
 * map: a hash map from text or i64 to i32, open addressing, keys kept in the map's own memory.
 *
 * A zeroed Map is valid and empty. One map holds one kind of key. Values are >= 0; -1 = absent.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"
#include "base/types.h"

typedef struct {
    struct MapSlot *slots;
    u64 slot_count; /* power of two, 0 while empty */
    u64 count;
    Arena keys; /* bytes of text keys */
} Map;

/* The value of a key, or -1. */
i32 map_find(const Map *m, Str key);
i32 map_find_i64(const Map *m, i64 key);

/* Sets a key's value (new or not). The key's bytes are copied. */
void map_put(Map *m, Str key, i32 value);
void map_put_i64(Map *m, i64 key, i32 value);

/* Gives the memory back; the map is then empty. */
void map_free(Map *m);

/* A 64-bit hash of bytes: not cryptographic, equal in all runs and machines. */
u64 map_hash(const void *data, u64 size);

#endif
