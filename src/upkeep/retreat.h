/*
 * retreat: takes back all that an import may have done, by looking at the disk and its journal.
 */
#ifndef UPKEEP_RETREAT_H
#define UPKEEP_RETREAT_H

#include "upkeep/journal.h"

/* Which base folder a name is looked for in. */
typedef enum { RETREAT_IDB, RETREAT_HDB } RetreatBase;

/* Whether a name in a base folder is one that a managed database makes there, and an import with
 * it. */
bool retreat_owns(RetreatBase base, Str name);

/* Removes our names from both bases, moves the database's folder back, takes fills back, removes
 * the journal at `path` (in <hdb>), then the folders that the import made. May be stopped anywhere
 * and run again. Only before the commit. */
MUST_USE Err retreat_all(const char *idb, const char *hdb, const char *path, const Journal *j);

/* Removes a name, whatever it is; an absent one is fine. */
MUST_USE Err retreat_drop(const char *path);

#endif
