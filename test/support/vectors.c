/*
 * vectors: reads the reference messages through jansson; hexadecimal to bytes. A malformed file
 * aborts.
 */
#include "support/vectors.h"

#include "base/fail.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static u8 *from_hex(Arena *a, const char *hex, u64 *size)
{
    if (!hex) return NULL;
    *size = strlen(hex) / 2;
    u8 *bytes = arena_alloc(a, *size + 1);
    for (u64 i = 0; i < *size; i++) {
        char pair[3] = {hex[i * 2], hex[i * 2 + 1], 0};
        char *end;
        bytes[i] = (u8)strtoul(pair, &end, 16);
        ASSERT(end == pair + 2);
    }
    return bytes;
}

static const char *text_of(const json_t *item, Arena *a, const char *key)
{
    const char *text = json_string_value(json_object_get(item, key));
    return text ? arena_text(a, text, strlen(text)) : NULL;
}

bool vectors_read(Vectors *v, Arena *a)
{
    const char *folder = getenv("SILT_SHARED");
    json_error_t error;
    *v = (Vectors){0};
    const char *path = arena_format(a, "%s/data/ipc-vectors.json", folder ? folder : "../shared");
    json_t *json = json_load_file(path, 0, &error);
    if (!json) {
        fprintf(stderr, "skipped: no reference messages at %s (%s)\n", path, error.text);
        return false;
    }
    v->count = json_array_size(json);
    v->items = arena_array(a, Vector, v->count);
    for (u64 i = 0; i < v->count; i++) {
        const json_t *item = json_array_get(json, i);
        Vector *each = &v->items[i];
        each->q = text_of(item, a, "q");
        each->kind = text_of(item, a, "kind");
        const char *hex = text_of(item, a, "hex"), *prefix = text_of(item, a, "hex_prefix");
        each->bytes = from_hex(a, hex ? hex : prefix, &each->size);
        each->plain = from_hex(a, text_of(item, a, "uncompressed_hex"), &each->plain_size);
        ASSERT(each->q && each->kind && each->bytes);
    }
    json_decref(json);
    return true;
}
