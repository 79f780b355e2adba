/*
 * export: the way out: a plain kdb+ database of any view, or of a database that nobody manages.
 *
 * The files of tables get second names where the file system takes them (a managed database never
 * changes a file), and are copied where it does not; domains are always copied, cut to what the
 * view needs. All of it is made and synced under another name beside the target and renamed last,
 * so that the target is there as a whole or not at all.
 */
#ifndef UPKEEP_EXPORT_H
#define UPKEEP_EXPORT_H

#include "db/plain.h"
#include "db/view.h"

typedef struct {
    const char *target; /* absolute; must not exist */
    bool intervals;     /* of a view: its interval parts, by number, instead of its dates */
    bool copy;          /* copy all files: nothing is shared with the database */
    void (*progress)(void *arg, u64 done, u64 all); /* parts; NULL = none */
    void *arg;
} ExportOptions;

typedef struct {
    u64 parts, tables, files, copied;
} ExportCounts;

/* Exports a view, which the caller has pinned. E_EXISTS when the target is there; E_NOT_FOUND when
 * the view has no such part. On failure nothing is left. */
MUST_USE Err export_view(const Root *r, const View *v, const ExportOptions *o, ExportCounts *c);

/* Exports any kdb+ database, with what stands beside its partitions; par.txt is resolved.
 * E_UNSUPPORTED when a partition stands in several segments. */
MUST_USE Err export_plain(const Plain *p, const ExportOptions *o, ExportCounts *c);

#endif
