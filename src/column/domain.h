/*
 * domain: the append-only symbol file `sym`, both ways (kdb-files.md 3.2, 4.3).
 *
 * A Domain maps domain indices to this process's symbol ids and back. Readers load a prefix whose
 * length a view records; the one writer (the interval worker) appends. Names are never removed or
 * changed. The lookup arrays may be read by several threads while nobody loads or adds.
 */
#ifndef COLUMN_DOMAIN_H
#define COLUMN_DOMAIN_H

#include "base/buf.h"
#include "base/fail.h"
#include "base/types.h"

typedef struct {
    char *path;
    u64 size;  /* bytes of the file that are loaded */
    u64 saved; /* bytes of the file that are durable (writer) */
    u32 crc;   /* CRC-32C of the loaded or saved bytes (compressed: of the plain ones) */
    i32 count; /* names */
    i32 room;
    i32 *ids;     /* symbol id of each domain index */
    i32 *indices; /* domain index of each symbol id, -1 = not in the domain; index_count entries */
    i32 index_count;
    Buf pending; /* names added and not yet written */
    bool zipped; /* the file is compressed: it can be read but not appended to */
} Domain;

/* The domains that somebody has loaded, found by name; NULL from `find` when one is not there. */
typedef struct {
    const Domain *(*find)(void *arg, const char *name);
    void *arg;
} DomainSet;

/* The symbol id of an index of a domain (a null one gives 0), or -1 when it is beyond. */
static inline i32 domain_id(const Domain *d, i64 index)
{
    if (index == INT64_MIN) return 0;
    return index >= 0 && index < d->count ? d->ids[index] : -1;
}

/* The set of one domain, `sym`, which must outlive it. */
DomainSet domain_alone(const Domain *d);

/* Reads the domain file's first `size` bytes (~0 = all of it); an absent file is an empty domain.
 * E_CORRUPT when the bytes do not end with a complete name. */
MUST_USE Err domain_open(Domain *d, const char *path, u64 size);

/* Reads on up to `size` bytes (a newer view's length); smaller or equal does nothing. */
MUST_USE Err domain_load(Domain *d, u64 size);

/* How far a domain is loaded, and going back there: names that were loaded since are forgotten.
 * Only for a domain that nothing was added to. */
typedef struct {
    u64 size, saved;
    u32 crc;
    i32 count;
} DomainMark;

DomainMark domain_mark(const Domain *d);
void domain_back(Domain *d, DomainMark m);

/* Frees the arrays; idempotent. */
void domain_close(Domain *d);

/* The domain index of a symbol id, -1 when absent. */
static inline i32 domain_find(const Domain *d, i32 id)
{
    return id >= 0 && id < d->index_count ? d->indices[id] : -1;
}

/* Makes sure that every id of ids[0..count) is in the domain, adding new names in order of
 * appearance (in memory until domain_save). Afterwards d->indices covers every id. */
MUST_USE Err domain_add(Domain *d, const i32 *ids, u64 count);

/* Cuts the file to `size` bytes (names that no view knows, left by a crash), before the first
 * add. */
MUST_USE Err domain_cut(Domain *d, u64 size);

/* Appends the pending names to the file and syncs it (and its folder when the file is new). *size =
 * durable length. */
MUST_USE Err domain_save(Domain *d, u64 *size);

#endif
