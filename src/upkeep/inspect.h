/*
 * inspect: one table of one partition of a database that is to be imported: does it fit the schema,
 * and do its rows lie where they may.
 *
 * What is read is what tells without the bytes: `.d`, headers, sizes, the first and the last row,
 * the keys of indexes. With `deep` the partition column and all enumerations are read as a
 * whole. */
#ifndef UPKEEP_INSPECT_H
#define UPKEEP_INSPECT_H

#include "column/domain.h"
#include "table/schema.h"
#include "upkeep/note.h"

/* What all looks share. */
typedef struct {
    const char *source;      /* the database's folder */
    const char *real_source; /* the same without links */
    const Domain *domain;
    bool deep;
} InspectFrame;

/* A table of a part, as it will be. */
typedef struct {
    const char *name;
    const Schema *schema; /* NULL: not in the assembly */
    u64 rows, bytes;
    bool make;     /* the partition has no such table: an empty one is to be made */
    u32 add_count; /* columns that it lacks: null ones are to be made */
    const char **add;
} InspectTable;

/* Looks at the table in folder `path`, whose rows must lie within [from, to] (nanoseconds), and
 * fills `t` except for its name and schema, which are given. What is wrong goes to the notes; fails
 * for want of memory only. */
MUST_USE Err inspect_table(const InspectFrame *f, const char *path, i64 from, i64 to, Arena *a,
                           InspectTable *t, NoteList *notes);

/* Looks at a name of the database that may be a link: P-16. A link that leads back into the
 * database by a path that the import changes is a violation. */
void inspect_link(const InspectFrame *f, const char *path, NoteList *notes);

/* Whether a column of a file may stand where the schema wants this type. */
bool inspect_fits(int wanted, int found, u64 rows);

#endif
