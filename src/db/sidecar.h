/*
 * sidecar: the checksums of a part's files, in a small file beside the part's folder
 * (doc/format/manifest.md).
 *
 *     data/2024.11.02/41/         the part, plain kdb+
 *     data/2024.11.02/41.sums     written once, by who wrote the part; its own CRC stands in the
 *                                 segment that names the part
 *
 * So a commit stays as small as the change, and nothing of ours stands where a q session looks. A
 * part without one (made before there were sidecars, or taken over from elsewhere) has Part.summed
 * false and cannot be verified.
 */
#ifndef DB_SIDECAR_H
#define DB_SIDECAR_H

#include "base/sum.h"
#include "db/view.h"
#include "os/file.h"

/* What is wrong with one file of a part. */
typedef struct {
    const char *path;     /* of the file */
    const char *name;     /* "trade/price" */
    const char *what;     /* "missing", "size", "checksum", "unreadable" */
    u64 from, to;         /* bytes: from the first to the last MiB that is wrong */
    u64 blocks;           /* how many are */
    u64 row_from, row_to; /* rows that they may hold; of a table whose rows are told */
    const char *text;     /* a sentence: file, bytes, rows, rule */
} SidecarDamage;

/* The file's path, in the arena. */
char *sidecar_path(Arena *a, const char *part);

/* Writes the sidecar of a part's folder (replacing what a try that failed left there) and leaves it
 * open for the caller to sync, with the folder it stands in. *crc is what the part's line says. */
MUST_USE Err sidecar_write(const char *part, SumList *l, u32 *crc, File *keep);

/* The same, and makes it durable together with the part: syncs the file, the part's folder (whose
 * tables are durable) and the one that both stand in, all at once. */
MUST_USE Err sidecar_seal(const char *part, SumList *l, u32 *crc);

/* Reads it. E_CORRUPT when it is missing, unreadable, altered, or not the one that `crc` is of. */
MUST_USE Err sidecar_read(const char *part, u32 crc, SumList *l);

/* Reads the text alone. */
MUST_USE Err sidecar_parse(Str text, SumList *l, u32 *crc);

/* Removes it; an absent one is fine. Before its part's folder goes. */
MUST_USE Err sidecar_remove(const char *part);

/* Whether a name in a date's folder is that of a sidecar, and of which number. */
bool sidecar_numbered(Str name, u64 *number);

/* Computes the checksums of all files in a table's folder by reading them: for files that were
 * not written by us. */
MUST_USE Err sidecar_sum_table(const char *part, const char *table, SumList *l);

/* Compares blocks [from, to) of one file; *bad is set and `d` filled (texts in the arena) when it
 * is damaged. `direct` reads past the page cache where the file system allows it. E_MEMORY and the
 * like only. */
MUST_USE Err sidecar_compare(const Part *p, const SumFile *f, u64 from, u64 to, bool direct,
                             Arena *a, bool *bad, SidecarDamage *d);

/* Compares the files of a part, their sizes or (`deep`) every byte, on so many threads (0 =
 * processors): what is damaged, by name of file. A part without sidecar has none. A damaged sidecar
 * is itself the one damage. */
MUST_USE Err sidecar_scan(const Part *p, bool deep, int threads, Arena *a, SidecarDamage **damages,
                          u32 *count);

/* The same for those that must not go on with damaged rows: E_CORRUPT with the text of the first
 * damage. */
MUST_USE Err sidecar_verify(const Part *p, int threads);

#endif
