/*
 * plain: the one walker of a kdb+ database that nobody manages: of any age, partitioned by date,
 * month, year or long, segmented by par.txt with any placement, or flat (kdb-files.md 8,
 * deephaven-lifecycle.md 14).
 *
 * It lists and never computes a placement (P-41): one listing for each folder that holds
 * partitions, and one of the last partition, which is the model of all (P-17). Other partitions are
 * not looked into before plain_look. Nothing is followed deeper, so no link can lead it in circles.
 *
 * What breaks a rule is noted, with the rule's number and the path, and the walk goes on; so one
 * walk tells all. plain_refused says whether the database cannot be used for what was found.
 * Everything lives in the Plain's arena; one thread at a time, readable by many.
 */
#ifndef DB_PLAIN_H
#define DB_PLAIN_H

#include "base/arena.h"
#include "base/fail.h"
#include "base/str.h"
#include "os/dir.h"
#include "q/type.h"

#define PLAIN_NAMES_MAX  (1u << 19) /* names in one folder */
#define PLAIN_PARTS_MAX  (1u << 19) /* partitions in all */
#define PLAIN_NOTES_MAX  10000      /* more are only counted */
#define PLAIN_UNKNOWN    (-1)       /* type of a column that cannot be read */
#define PLAIN_ROOT_PLACE UINT32_MAX /* the segment of tables in the root */

typedef enum {
    PLAIN_FLAT,  /* no partitions */
    PLAIN_DATE,  /* 2015.01.07: days */
    PLAIN_MONTH, /* 2015.01: months since 2000.01 */
    PLAIN_YEAR,  /* 2015 */
    PLAIN_LONG   /* any other number of digits */
} PlainKind;

typedef enum {
    PLAIN_WARNS,  /* odd, but it does no harm */
    PLAIN_BREAKS, /* a rule is violated: a q session would stumble over it; we pass over it */
    PLAIN_FATAL   /* rows could be lost or doubled: the database is refused */
} PlainWeight;

typedef struct {
    const char *rule; /* "P-06", or "load", "column", ... where the rule has no number */
    const char *path, *text;
    PlainWeight weight;
    Err code;
} PlainNote;

/* A folder of partitions: the root, or a line of par.txt. */
typedef struct {
    const char *path;
    u32 line;       /* of par.txt, 0 = the root */
    bool store;     /* an object store's address: noted, not read */
    u32 part_count; /* partitions in it */
} PlainSegment;

typedef struct {
    i64 value;        /* days, months since 2000.01, the year, the number */
    const char *name; /* of the folder */
    const char *path;
    u32 segment;
    bool again; /* the partition before it has the same value (in another segment, P-09) */
} PlainPart;

typedef struct {
    const char *name;
    int type; /* as Column.type: QT_ENUM for symbols, QT_LIST when empty and untyped, QT_NESTED +
                 t, ...; or PLAIN_UNKNOWN */
    u8 attr;  /* Attr */
    bool wide, old, zipped;
    const char *domain; /* QT_ENUM: its name, else NULL */
    u64 rows;           /* in the file that was looked at */
    bool lost;          /* it was cut, or could not be read, while it was being looked at */
    const char *why;    /* PLAIN_UNKNOWN: what is wrong with the file */
    Err code;
} PlainColumn;

/* A splayed table: of the model partition, or in the root. */
typedef struct {
    const char *name, *path;
    u32 segment; /* of the model partition it was found in, or PLAIN_ROOT_PLACE */
    u32 column_count;
    PlainColumn *columns; /* in the order of `.d` */
    u64 rows;             /* of its first column there */
} PlainTable;

typedef enum {
    PLAIN_SYMBOLS, /* a list of symbols: a domain */
    PLAIN_TABLE,   /* a whole table in one file */
    PLAIN_DICT,    /* a dictionary, perhaps a keyed table */
    PLAIN_VALUE    /* any other value */
} PlainForm;

/* A file in the root that holds one value. */
typedef struct {
    const char *name, *path;
    PlainForm form;
    bool zipped;
} PlainObject;

typedef struct {
    const char *path; /* of the root, as given */
    PlainKind kind;
    bool single;     /* the root itself is one splayed table (its only one in `splayed`) */
    const char *par; /* path of par.txt, NULL = not segmented */
    u32 segment_count;
    PlainSegment *segments;
    u32 part_count;
    PlainPart *parts; /* by value, then by segment */
    u32 table_count;
    PlainTable *tables; /* partitioned ones, by name, as the last partition has them */
    u32 splayed_count;
    PlainTable *splayed; /* in the root, by name */
    u32 object_count;
    PlainObject *objects; /* in the root, by name */
    const char *lost;     /* a `.d` that was cut, or could not be read, while it was being read */
    u32 note_count;
    PlainNote *notes;
    u64 fatal, breaks, warnings; /* how many there are of each, the uncounted included */
    u32 segment_room, part_room, table_room, splayed_room, object_room, note_room;
    Arena memory;
} Plain;

/* Walks a folder. Fails only when it cannot be listed or a bound is reached (E_LIMIT names it); all
 * else is in the notes. plain_close in every case. */
MUST_USE Err plain_open(Plain *p, const char *folder);

/* Frees; idempotent. */
void plain_close(Plain *p);

/* E_CORRUPT by the name of the first file that was cut, or could not be read, while the database
 * was being opened (os/guard): for those that must not go on with what was found of it. */
MUST_USE Err plain_intact(const Plain *p);

/* The first fatal note as a failure; E_OK when there is none. */
MUST_USE Err plain_refused(const Plain *p);

/* What stands in a partition, by name: its tables (folders with `.d`), and names that are none. */
typedef struct {
    const char **tables, **foreign;
    u32 table_count, foreign_count;
} PlainLook;

/* Looks into a partition: one listing, and a look for `.d` in each folder. */
MUST_USE Err plain_look(const PlainPart *part, Arena *a, PlainLook *look);

/* Reads `.d` and each column's header of a splayed table, into the arena. E_NOT_FOUND when it has
 * no `.d`. Columns that cannot be read are PLAIN_UNKNOWN. */
MUST_USE Err plain_table_read(PlainTable *t, Arena *a);

/* The table of a name among the partitioned ones, NULL when absent. */
const PlainTable *plain_table(const Plain *p, const char *name);

/* The virtual column's name (`date`, `month`, `year`, `int`; "" when flat) and type. */
const char *plain_virtual(PlainKind kind);
int plain_virtual_type(PlainKind kind);

/* Reads a partition's name as the kind says; false when it is none. plain_kind_of tells the kind of
 * the first name of a listing. */
bool plain_value(PlainKind kind, Str name, i64 *value);
PlainKind plain_kind_of(Str name);

/* The days [*from, *to) that a partition's value stands for; false for PLAIN_LONG. */
bool plain_days(PlainKind kind, i64 value, i64 *from, i64 *to);

/* The path of a file `name` in the nearest of some folders above `folder` that has one (a single
 * table's domain); NULL when there is none. */
MUST_USE Err plain_above(const char *folder, const char *name, Arena *a, char **path);

/* Whether a name of `.d` can be a file's name in its folder: not empty, no slash, no dots alone. */
bool plain_name_ok(Str name);

#endif
