/*
 * check_view: a database with views: markers, links, manifests, folders of links, parts.
 *
 * The pieces of one check share a CheckView: check_view opens it and looks at views and parts,
 * check_stream at the logs, check_stray at what nobody names.
 */
#ifndef CMD_CHECK_VIEW_H
#define CMD_CHECK_VIEW_H

#include "cmd/check_table.h"
#include "cmd/findings.h"
#include "cmd/progress.h"
#include "db/view.h"

typedef struct {
    Root root;
    const SchemaSet *tables; /* of the assembly; NULL = not known */
    ViewCache cache;
    View *view;   /* the current one, pinned; NULL when it cannot be read */
    bool running; /* a manager holds the lock: the newest things may be half made */
    NoteList findings;
    CheckTableDomains domains;
    u64 parts, table_count, rows, files, records; /* looked at */
    Arena memory;
} CheckView;

/* Starts a check of the database with these base folders; without tiers they are found in its
 * manifests. `name` NULL = what the marker says. E_USAGE when the assembly is needed. */
MUST_USE Err check_view_open(CheckView *db, const char *name, const char *idb, const char *hdb,
                             const char *wal, const Tier *tiers, u32 tier_count);

/* Checks views and all parts of the current one. E_MEMORY and the like only; what is wrong stands
 * in the findings. */
MUST_USE Err check_view(CheckView *db);

/* Closes all; idempotent. */
void check_view_close(CheckView *db);

/* The `tier` and `id` texts of the marker in a folder; false when there is no readable one. */
bool check_view_marker(const char *folder, Arena *a, Str *assembly, Str *tier, Str *id);

#endif
