/*
 * schema: looking up columns and tables, and the hash that tells equal schemas apart.
 *
 * Lookups are linear: hot paths compare names by position first (batch.c) and come here only for
 * columns in an unexpected order or names of a request. The hash covers what decides whether rows
 * fit: table name, column names, types and their order; attributes and sort keys may change
 * freely. */
#include "table/schema.h"

#include "base/map.h"

i32 schema_find(const Schema *s, Str column)
{
    for (u32 i = 0; i < s->column_count; i++) {
        if (str_is(column, s->columns[i].name)) return (i32)i;
    }
    return -1;
}

const Schema *schema_table(const SchemaSet *set, Str name)
{
    for (u32 i = 0; i < set->count; i++) {
        if (str_is(name, set->tables[i]->name)) return set->tables[i];
    }
    return NULL;
}

int schema_memory_type(const SchemaColumn *c)
{
    switch (c->type) {
    case QT_SYMBOL: return QT_ENUM;
    case QT_NESTED + QT_SYMBOL: return QT_NESTED + QT_ENUM;
    case QT_LIST: return QT_NESTED;
    default: return c->type;
    }
}

/* Mixes one zero-ended text into a running hash; the zero keeps "ab","c" apart from "a","bc". */
static u64 hash_text(u64 hash, const char *text)
{
    u64 both[2] = {hash, map_hash(text, strlen(text) + 1)};
    return map_hash(both, sizeof both);
}

void schema_seal(Schema *s)
{
    u64 hash = hash_text(s->column_count, s->name);
    for (u32 i = 0; i < s->column_count; i++) {
        hash = hash_text(hash, s->columns[i].name);
        u64 both[2] = {hash, (u64)s->columns[i].type};
        hash = map_hash(both, sizeof both);
    }
    s->hash = hash;
}

u64 schema_row_bytes(const Schema *s)
{
    u64 bytes = 0;
    for (u32 i = 0; i < s->column_count; i++) {
        int type = s->columns[i].type;
        bool fixed = type == QT_SYMBOL || type_is_fixed(type);
        bytes += fixed ? type_disk_width(type) : 8;
    }
    return bytes;
}
