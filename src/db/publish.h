/*
 * publish: staged parts become the next view. The one way to commit (R1), and recovery.
 *
 * Order: parts staged and synced by the job -> new link folders (segments, hdb.M, idb.N) and
 * manifest written and synced -> rename of <idb>/current (the commit) -> sync -> <hdb>/current
 * follows -> news. Stopped before the rename the old view stands and what was made is removed at
 * the next start; after it the new view stands and <hdb>/current is mended at the next start. Only
 * the manager calls this.
 */
#ifndef DB_PUBLISH_H
#define DB_PUBLISH_H

#include "db/view.h"

typedef struct {
    Root *root;
    ViewCache *cache;
    View *current; /* in use once */
    u64 swept;     /* garbage that went up to this view is deleted */
} Publish;

/* What the next view changes. Numbers of parts are taken as they are; `made` of date parts is set
 * by the job from publish_next. */
typedef struct {
    u32 add_count;
    const Part *add; /* copied; a date part with a key that exists replaces it */
    u32 remove_count;
    const Part *const *remove; /* parts of the current view that go */
    u64 watermark, eoi, eod, eod_asked, eod_upto, sym_size;
    u32 sym_crc; /* of the domain's first sym_size bytes */
    bool sym_summed;
    i64 interval_end, day_end;
    u32 publisher_count;
    const ViewPublisher *publishers; /* all of them, by number; NULL = as they are */
    i64 lost_from, lost_to;          /* O-45; equal = as it is */
} PublishChange;

/* Recovery and start, the same call (R11): opens the view that `current` names, finishes
 * <hdb>/current, removes what no kept view names among: link folders and manifests with higher
 * numbers, interval folders of later EOI numbers, spill, folders listed in stage files. Makes view
 * 1 (empty, plain kdb+: a `sym` file and nothing else) when there is none. Idempotent and may
 * itself be killed at any step. *removed counts what it deleted. */
MUST_USE Err publish_open(Publish *p, Root *r, ViewCache *cache, u64 *removed);

/* The number that the next view will have (for paths of date parts). */
u64 publish_next(const Publish *p);

/* A change that changes nothing yet: watermark, numbers and times of the current view. */
PublishChange publish_change(const Publish *p);

/* Commits a change. On success p->current is the new view (the old one is given back). On failure
 * the old view stands and what was made is removed, unless it is E_IO: then a sync or the step
 * after the rename failed, which is fatal for the process (R4): the caller must end and start anew.
 * E_EXISTS: an added interval number is taken; E_NOT_FOUND: a part to remove is not in the current
 * view; E_UNSUPPORTED: a part in an object store. */
MUST_USE Err publish_commit(Publish *p, const PublishChange *change);

/* Tells that a sweep succeeded: the next manifest forgets garbage that was gone with view `oldest`
 * or before. */
void publish_swept(Publish *p, u64 oldest);

/* Writes <idb>/stage/<job>: the absolute part folders that a job is about to create. Durable before
 * it returns; must come before the first folder is made. Any process of the database may call
 * it. */
MUST_USE Err publish_stage_begin(const Root *r, const char *job, const char *const *paths,
                                 u32 count);

/* Removes what a job listed and `current` does not name (nor list as garbage), then its stage file;
 * no file is fine. Not while the manager may still publish the job's result. *removed counts
 * folders. */
MUST_USE Err publish_stage_undo(const Root *r, const View *current, const char *job, u64 *removed);

/* Removes the stage file, after the manager published the job's result or the job removed what it
 * made. */
MUST_USE Err publish_stage_end(const Root *r, const char *job);

/* Closes; idempotent. */
void publish_close(Publish *p);

#endif
