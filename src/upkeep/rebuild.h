/*
 * rebuild: a new version of a damaged part, of its whole files and of copies of the damaged ones.
 *
 * Never in place (R2): the new version has a folder of its own; files that are whole get a second
 * name there (a hard link), damaged ones are taken from a copy that has exactly the checksums that
 * were kept when the part was written. So what is published is byte for byte what once was.
 */
#ifndef UPKEEP_REBUILD_H
#define UPKEEP_REBUILD_H

#include "db/sidecar.h"

/* The folder of the new version of a part, absolute, in the arena; `view` is the number of the view
 * that will publish it. */
MUST_USE Err rebuild_path(const Root *r, const Part *p, u64 view, Arena *a, char **path);

/* Makes the new version at `path`, synced, with its sidecar. Copies of damaged files are looked for
 * as <from>/<table>/<file>; `from` NULL = there are none. *fresh describes it (tables shared with
 * `p`), *mended counts the files that were taken from copies. E_NOT_FOUND: a damaged file without a
 * whole copy, by name; E_CORRUPT: the part's checksums are damaged or it has none. What was made is
 * the caller's to remove (stage file). */
MUST_USE Err rebuild_part(const Part *p, const char *path, const char *from, Part *fresh,
                          u32 *mended);

/* Makes the new version of what stands there now, with new checksums: for parts whose checksums are
 * lost. Nothing is compared. */
MUST_USE Err rebuild_accept(const Part *p, const char *path, Part *fresh);

#endif
