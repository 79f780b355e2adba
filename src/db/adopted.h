/*
 * adopted: the folders in which the parts of an imported database stay (doc/format/adopt.md).
 *
 *   <hdb>/imported/         what was the database's own folder; below it all partitions are ours
 *   <hdb>/adopted           text, when there are partitions elsewhere: the folders that the
 *                           database's par.txt named, one a line; written once, by the import
 *
 * A part that a job writes has a folder of our own grammar (root_owns); an imported one keeps the
 * folder that kdb+ gave it. The sweep deletes such a folder when a newer part of the date has taken
 * its place, and only there.
 */
#ifndef DB_ADOPTED_H
#define DB_ADOPTED_H

#include "db/root.h"

#define ADOPTED_DATA     "imported" /* name in <hdb> */
#define ADOPTED_LIST     "adopted"
#define ADOPTED_LIST_NEW "adopted.tmp" /* while it is written */

typedef struct {
    u32 count;
    char **folders; /* absolute; <hdb>/imported is not among them */
} Adopted;

/* Writes the list durably; without folders there is nothing to write. */
MUST_USE Err adopted_write(const Root *r, const char *const *folders, u32 count);

/* Reads it, into the arena; absent or empty gives none. E_CORRUPT names the file. */
MUST_USE Err adopted_read(const Root *r, Arena *a, Adopted *out);

/* Whether a path is the folder of an imported part: the name of a date, month or year somewhere
 * below <hdb>/imported or in one of the listed folders. */
bool adopted_owns(const Root *r, const Adopted *list, const char *path);

/* Reads the name of a partition as kdb+ does: `2024.11.02`, `2024.11` or `2024`, and gives the
 * first day of it and of what follows. False for any other text, numbers among them. */
bool adopted_name(Str name, i32 *first, i32 *next);

#endif
