/*
 * publish: staged parts become the next view. The one way to commit (R1), and recovery.
 *
 * Order: parts staged and synced by the job -> new link folders (segments, hdb.M, idb.N) and manifest written and
 * synced -> rename of <idb>/current (the commit) -> sync -> <hdb>/current follows -> news. Stopped before the rename the
 * old view stands and what was made is removed at the next start; after it the new view stands and <hdb>/current is
 * mended at the next start. Only the manager calls this.
 */
#ifndef DB_PUBLISH_H
#define DB_PUBLISH_H

#include "db/view.h"

typedef struct {
    Root *root;
    ViewCache *cache;
    View *current; /* in use once */
} Publish;

/* What the next view changes. Numbers of parts are taken as they are; `made` of date parts is set by the job from
 * publish_next. */
typedef struct {
    u32 add_count;
    const Part *add;            /* copied; a date part with a key that exists replaces it */
    u32 remove_count;
    const Part *const *remove;  /* parts of the current view that go */
    u64 watermark, eoi, eod, sym_size;
    i64 interval_end, day_end;
    u32 publisher_count;
    const ViewPublisher *publishers;
} PublishChange;

/* Recovery and start, the same call (R11): opens the view that `current` names, finishes <hdb>/current, removes what no
 * kept view names among: link folders and manifests with higher numbers, interval folders of later EOI numbers, spill,
 * folders listed in stage files. Makes view 1 (empty, plain kdb+: a `sym` file and nothing else) when there is none.
 * Idempotent and may itself be killed at any step. *removed counts what it deleted. */
MUST_USE Err publish_open(Publish *p, Root *r, ViewCache *cache, u64 *removed);

/* The number that the next view will have (for paths of date parts). */
u64 publish_next(const Publish *p);

/* Commits a change. On success p->current is the new view (the old one is given back). On failure before the rename the
 * old view stands; a failure after it is fatal for the process (the caller must end, E_IO). */
MUST_USE Err publish_commit(Publish *p, const PublishChange *change);

/* Closes; idempotent. */
void publish_close(Publish *p);

#endif
