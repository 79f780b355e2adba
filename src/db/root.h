/*
 * root: the folders of one database, its marker files, and the manager's lock.
 *
 *   <idb>/current -> idb.N      the commit: the one link whose rename makes a view the truth
 *   <idb>/idb.N/                view N of the intraday database: links, par.txt when there are many
 *   <idb>/seg/                  folders of links that par.txt names, shared by views, never changed
 *   <idb>/manifest/             view.N and the segment files that it names (db/manifest.h)
 *   <idb>/data/<date>/<seq>/    interval parts, one folder a table
 *   <idb>/spill/                rows of the running interval beyond blockSize; worthless after a restart
 *   <idb>/stage/                what a running day job is about to create, one small file a job
 *   <idb>/wal/ dead/ quarantine/   the stream and what was refused (the stream's folder can be elsewhere)
 *   <idb>/lock, <idb>/siltstone.json   the manager's lock; the marker (L-04)
 *   <hdb>/current -> hdb.M      follows the commit (idb.N's manifest names M)
 *   <hdb>/hdb.M/ seg/ data/<date>/<commit>/   as above; <store>/<date>/<commit>/ for tiers with a store
 *   <hdb>/sym                   the domain, linked into every view
 */
#ifndef DB_ROOT_H
#define DB_ROOT_H

#include "base/arena.h"
#include "base/fail.h"
#include "db/mount.h"
#include "os/file.h"

typedef struct {
    const char *name;  /* of the assembly */
    char *idb, *hdb;   /* absolute base folders */
    char *wal;         /* folder of the stream */
    char *sym;         /* <hdb>/sym */
    u32 tier_count;    /* date tiers, in order of age; at least 1 */
    const Tier *tiers;
    Arena memory;
    File lock;
} Root;

/* Fills the paths; touches nothing. `wal` NULL = <idb>/wal. */
void root_init(Root *r, const char *name, const char *idb, const char *hdb, const char *wal, const Tier *tiers,
               u32 tier_count);

/* For the manager: makes what is missing, takes the lock (E_BUSY: another manager runs, with its pid), checks the
 * marker of every store (E_NOT_FOUND "store ... is not mounted" when a store has no marker but the database knows
 * parts there; E_CORRUPT when it belongs to another assembly or tier), writes missing markers. */
MUST_USE Err root_claim(Root *r);

/* Lets the lock go and frees the paths; idempotent. */
void root_close(Root *r);

/* The folder of a date part in a tier: <store>/<date>/<commit>, absolute, in the arena. And of an interval part. */
char *root_date_path(const Root *r, Arena *a, u32 tier, i32 day, u64 commit);
char *root_interval_path(const Root *r, Arena *a, i32 day, u64 seq);

#endif
