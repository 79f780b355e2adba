/*
 * fill: what old partitions lack (O-61): empty tables, and columns of nulls.
 *
 * Both are written beside what is there: a new folder, or new files and a new `.d`, whose old one
 * is kept as `.d.before` until the import has come to its end. fill_undo takes either back, from
 * any point at which writing it may have stopped. All of it is synced.
 */
#ifndef UPKEEP_FILL_H
#define UPKEEP_FILL_H

#include "upkeep/inspect.h"

/* Makes the table's empty folder `path`; sets t->bytes. */
MUST_USE Err fill_table(const char *path, InspectTable *t);

/* Adds the columns t->add to the table in folder `path`; adds to t->bytes. */
MUST_USE Err fill_columns(const char *path, InspectTable *t);

/* Removes what one of these calls has made: with `count` 0 the folder, else these columns. */
MUST_USE Err fill_undo(const char *path, const char *const *columns, u32 count);

/* Lets go of the old `.d` of a table with added columns. Idempotent. */
MUST_USE Err fill_keep(const char *path);

#endif
