/*
 * scrub: the slow walk over every byte that the current view names, and what it has found
 * (doc/format/manifest.md).
 *
 * A Scrub is what <idb>/scrub says: how far the pass has come and which files are damaged. One
 * process walks and writes it (scrub_step, scrub_write); all others read it: readers refuse queries
 * that need a damaged file, the manager shows them. Losing the file loses nothing but the place to
 * go on from and what the next pass finds again.
 */
#ifndef DB_SCRUB_H
#define DB_SCRUB_H

#include "db/sumup.h"

typedef struct {
    const char *part; /* absolute folder; "" = the domain */
    const char *name; /* "trade/price"; "" = the part's sidecar */
    const char *what; /* as SidecarDamage says */
    u64 from, to, row_from, row_to;
    i64 found; /* wall time */
    u64 pass;  /* that met it last */
} ScrubDamage;

typedef struct {
    u64 pass;        /* number of the pass that runs; 0 = none ever did */
    i64 began, last; /* wall time: when it began; when the last whole one ended (0 = none did) */
    u64 done;        /* bytes read in it */
    PartKind kind;   /* what is next: the part of this kind that was made then, or after it, */
    u64 made;
    i32 key;
    const char *path; /* and in it, if it is still this one, the file and block; */
    u32 file;
    u64 block; /* of a part without checksums the MiB that were read */
    u32 count, room;
    ScrubDamage *damages;
    Arena memory;
} Scrub;

/* Reads the file; absent, empty or damaged it is as if nothing was ever compared (E_CORRUPT tells
 * the latter, with a zeroed *s). */
MUST_USE Err scrub_read(const Root *r, Scrub *s);

/* Writes it in one step. */
MUST_USE Err scrub_write(const Root *r, const Scrub *s);

/* Frees; idempotent. */
void scrub_free(Scrub *s);

/* The damage that a column of a part's table suffers, or NULL. */
const ScrubDamage *scrub_find(const Scrub *s, const char *part, const char *table,
                              const char *column);

/* E_CORRUPT that says where and which rows. */
MUST_USE Err scrub_fail(const ScrubDamage *d);

/* What one step walks over, and how far. */
typedef struct {
    const Root *root;
    const View *view; /* pinned */
    Sumup *sumup;     /* parts without checksums get theirs and go to its list; not NULL */
    u64 bytes;        /* at most so many, and what completes a read */
    bool end; /* the pass may end when everything was met; else it waits for parts to come */
    i64 now;  /* wall time */
} ScrubLook;

/* Walks on, reading past the page cache. *ended when the pass is over: the next call begins
 * another. *found counts what was not known before: those stand at the end of the list. Damage of
 * parts that the view no longer names is forgotten. Fails as sumup_step does. */
MUST_USE Err scrub_step(Scrub *s, const ScrubLook *l, bool *ended, u32 *found);

/* Bytes that a view's parts take: what a pass has to read. */
u64 scrub_bytes(const View *v);

#endif
