/*
 * schema: what a table looks like: columns, partition column, sort keys, attributes by place
 * (storage-manager.md 2.3, 2.4). Plain data, built by the configuration, immutable afterwards.
 */
#ifndef TABLE_SCHEMA_H
#define TABLE_SCHEMA_H

#include "base/arena.h"
#include "base/fail.h"
#include "base/str.h"
#include "q/type.h"

typedef enum { PLACE_MEM, PLACE_ORD, PLACE_DISK, PLACE_OBJ, PLACE_COUNT } Place;

typedef enum { TABLE_PARTITIONED, TABLE_SPLAYED, TABLE_BASIC, TABLE_SPLAYED_MEM } TableKind;

typedef struct {
    const char *name; /* zero-ended, as all names here */
    int type;         /* QT_* (1..19, QT_SYMBOL, QT_NESTED + t, QT_LIST mixed) */
    u8 attr[PLACE_COUNT];
    bool anymap;
    const char *unreadable; /* why queries cannot read it (plain databases); NULL = they can */
    const char *old_name, *backfill, *foreign, *description; /* NULL = absent */
} SchemaColumn;

typedef struct Schema {
    const char *name;
    TableKind kind;
    u32 column_count;
    SchemaColumn *columns;
    i32 prtn;       /* column of the partition timestamp, -1 = none */
    i32 updated;    /* updTsCol, -1 = none */
    u64 block_size; /* rows held before spilling, 0 = no limit */
    u32 sort_count[PLACE_COUNT];
    u32 *sort[PLACE_COUNT]; /* column numbers */
    u32 key_count;
    u32 *keys; /* primaryKeys */
    bool sharded;
    u32 of_day; /* plain databases by date, without a timestamp: column of the time of day; 0 = none
                 */
    bool has_virtual; /* column 0 is no file but the value of the part's folder (plain databases) */
    const char *old_name, *description;
    u64 hash; /* of names, types and order: equal schemas have equal hashes */
} Schema;

/* All tables of an assembly, in the order of the configuration. */
typedef struct {
    u32 count;
    Schema **tables;
} SchemaSet;

/* The number of a column, -1 when absent. */
i32 schema_find(const Schema *s, Str column);

/* The table of a name, NULL when absent. */
const Schema *schema_table(const SchemaSet *set, Str name);

/* The type of a column in a Batch: QT_ENUM for symbols, QT_NESTED + QT_ENUM for lists of them,
 * QT_NESTED for mixed columns, else the schema's type. */
int schema_memory_type(const SchemaColumn *c);

/* Computes `hash`; the last step of building a schema. */
void schema_seal(Schema *s);

/* Bytes of one row on disk (8 for a symbol, 8 for each nested value's reference). */
u64 schema_row_bytes(const Schema *s);

#endif
