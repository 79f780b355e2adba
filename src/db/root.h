/*
 * root: the folders of one database, its marker files, and the manager's lock.
 *
 *   <idb>/current -> idb.N      the commit: the one link whose rename makes a view the truth
 *   <idb>/idb.N/                view N of the intraday database: links, par.txt when there are many
 *   <idb>/seg/                  folders of links that par.txt names, shared by views, never changed
 *   <idb>/manifest/             view.N and the segment files that it names (db/manifest.h)
 *   <idb>/data/<date>/<seq>/    interval parts, one folder a table
 *   <idb>/spill/                rows of the running interval beyond blockSize; worthless after a
 * restart <idb>/stage/                what a running day job is about to create, one small file a
 * job <idb>/wal/ dead/ quarantine/   the stream and what was refused (the stream's folder can be
 * elsewhere) <idb>/lock, <idb>/siltstone.json   the manager's lock; the marker (L-04) <hdb>/current
 * -> hdb.M      follows the commit (idb.N's manifest names M) <hdb>/hdb.M/ seg/
 * data/<date>/<commit>/   as above; <store>/<date>/<commit>/ for tiers with a store
 *   <hdb>/siltstone.json, <store>/siltstone.json   markers
 *   <hdb>/sym                   the domain, linked into every view
 */
#ifndef DB_ROOT_H
#define DB_ROOT_H

#include "base/arena.h"
#include "base/fail.h"
#include "db/mount.h"
#include "os/file.h"

typedef struct {
    const char *name; /* of the assembly */
    char *idb, *hdb;  /* absolute base folders */
    char *wal;        /* folder of the stream */
    char *sym;        /* <hdb>/sym */
    u32 tier_count;   /* date tiers, in order of age; at least 1 */
    const Tier *tiers;
    char id[33]; /* of the database, the same in the marker of every store; after root_claim */
    Arena memory;
    File lock;
} Root;

/* Fills the paths; touches nothing. `wal` NULL = <idb>/wal. */
void root_init(Root *r, const char *name, const char *idb, const char *hdb, const char *wal,
               const Tier *tiers, u32 tier_count);

/* For the manager: makes what is missing, takes the lock (E_BUSY: another manager runs, with its
 * pid), checks the marker of every store (E_NOT_FOUND "store ... is not mounted" when a store has
 * no marker but the database knows parts there; E_CORRUPT when it belongs to another assembly or
 * tier), writes missing markers. */
MUST_USE Err root_claim(Root *r);

/* Lets the lock go and frees the paths; idempotent. */
void root_close(Root *r);

/* The folder of a date part in a tier: <store>/<date>/<commit>, absolute, in the arena. And of an
 * interval part. */
char *root_date_path(const Root *r, Arena *a, u32 tier, i32 day, u64 commit);
char *root_interval_path(const Root *r, Arena *a, i32 day, u64 seq);

/* The folder of a tier's physical data: its store, <hdb>/data when it has none of its own. */
const char *root_store(const Root *r, u32 tier);

/* Whether an absolute path has the form that the calls above give to part folders, for any
 * day and number. Only such folders are ever deleted (R12). */
bool root_owns(const Root *r, const char *path);

/* A path as manifests keep it, so that a moved base works: `idb:data/...`, `hdb:data/...`,
 * `tier:<name>:...`, `abs:...` (in the arena); and back to an absolute one: E_CORRUPT when it is
 * none of these or climbs, E_USAGE when the configuration has no such tier. */
char *root_path_store(const Root *r, Arena *a, const char *path);
MUST_USE Err root_path_find(const Root *r, Arena *a, Str stored, char **path);

/* The number of a name such as `idb.42` after the prefix `idb.`: decimal, no leading zero, above 0.
 * False when the name has another form. An empty prefix parses a number alone. */
bool root_numbered(Str name, const char *prefix, u64 *number);

#endif
