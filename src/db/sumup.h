/*
 * sumup: makes the checksums of parts that have none (imported, or older than checksums are) by
 * reading their files: what stands there when it is first read whole is taken for good, and
 * compared ever after.
 *
 * It reads in steps, so that who has other things to do, or must not read faster than so much, goes
 * on later where it stopped. A part that was read whole gets its sidecar, durably, at the place
 * where every other part has it; that says nothing yet: nobody looks at a sidecar before a view
 * names its CRC. So whoever publishes (the manager, silt repair) names the parts of the list
 * `ready`; stopped before that, the part is one without checksums still, and the next try replaces
 * the file. The caller pins a view that names the part, so that no sweep takes it away
 * meanwhile. */
#ifndef DB_SUMUP_H
#define DB_SUMUP_H

#include "db/sidecar.h"

typedef struct {
    /* the part that is being read: */
    const char *part; /* NULL = none */
    SumFile *files;   /* their names */
    u32 count, file;
    u64 size; /* of the file, when it was begun */
    Sum sum;  /* of it, so far */
    SumList list;
    Arena memory;
    /* parts that were read whole and have their sidecar: */
    Part *ready;
    u32 ready_count, ready_room;
    Arena ready_memory;
    u32 refused; /* parts whose sidecar could not be written, since sumup_clear; why the last
                    one could not */
    Err reason;
    char why[FAIL_TEXT_MAX];
} Sumup;

/* Whether a part is the one that is being read; whether it is on the list. */
bool sumup_reads(const Sumup *u, const Part *p);
bool sumup_has(const Sumup *u, const Part *p);

/* Reads on in a part (from its beginning when another one was being read), past the page cache,
 * until at least `bytes` more are read or the part is over; *read counts them. *whole: it is over,
 * durable and on the list. *bad: a file cannot be read, which `d` describes (texts in `a`): the
 * part is given up. When the sidecar cannot be written (rights, room) the part is over without one,
 * and counted in `refused`. Fails when there is no memory, and by E_IO when a sync failed, which is
 * final. */
MUST_USE Err sumup_step(Sumup *u, const Part *p, u64 bytes, Arena *a, u64 *read, bool *whole,
                        bool *bad, SidecarDamage *d);

/* Empties the list, when it was published, and forgets refusals. */
void sumup_clear(Sumup *u);

/* Frees; idempotent. */
void sumup_free(Sumup *u);

#endif
