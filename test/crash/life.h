/*
 * life: the manager and its workers in one thread, without sockets: publish, interval, day,
 * migration, sweep, trim, over the real rooms stream, db and writedown. And the list of what was
 * acknowledged, which is all that a judge needs.
 *
 * A life begins with life_start (recovery, as after anything) and ends with life_stop or, when a
 * call failed for good, with life_drop. Batches are numbered; what they hold follows from the
 * number, so that a list of numbers is a list of rows.
 */
#ifndef CRASH_LIFE_H
#define CRASH_LIFE_H

#include "column/domain.h"
#include "db/publish.h"
#include "db/sumup.h"
#include "db/sweep.h"
#include "stream/feed.h"
#include "stream/tail.h"
#include "writedown/day.h"
#include "writedown/interval.h"

enum { LIFE_ROWS = 20, LIFE_BATCHES_MAX = 4096, LIFE_COLUMNS = 5, LIFE_LOG = 12 << 10 };

/* What others were told: batches below `acked` were acknowledged, below `sent` tried; view `view`
 * was said to be committed. */
typedef struct {
    u32 sent, acked;
    u64 view;
} LifeModel;

typedef struct {
    char dir[96];
    LifeModel model;
    void (*told)(void *arg, const LifeModel *m); /* after each change of the model; may be NULL */
    void *arg;
    u64 file_size; /* of log files; 0 = LIFE_LOG: a few batches fill one */
    /* while it lives */
    Schema trade, quiet;
    SchemaColumn columns[LIFE_COLUMNS], quiet_columns[1];
    u32 order[2];
    Schema *tables[2];
    SchemaSet set;
    Mount mount;
    Tier tiers[2];
    Root root;
    ViewCache cache;
    Publish publish;
    Domain domain, day_domain;
    Wal *wal;
    Feed *feed;
    Interval *interval;
    Tail tail;
    u64 eoi_next, eod_next;
    u64 day_asked, day_upto; /* the newest day request; 0 = none */
    u64 undo;                /* a day job that failed and may have left folders; 0 = none */
    u64 removed;             /* by recovery */
} Life;

/* What the kernel's getrandom gives to this process from now on follows from a seed: log files have
 * random marks, and what is the same in two lives is to look the same. */
void life_random(u64 seed);

/* Sets the folder, which must exist; nothing is touched. */
void life_init(Life *l, const char *dir);

/* The ordinary start: recovers and begins to follow the stream. On failure all is closed. */
MUST_USE Err life_start(Life *l);

/* Publishes the next batch, or again those that were sent and not acknowledged; acknowledged when
 * it returns E_OK. */
MUST_USE Err life_publish(Life *l);

/* Ends the interval; `day`: it asks for a day job too. Stages and commits what the stream says. */
MUST_USE Err life_interval(Life *l, bool day);

/* Does what the stream still holds: signals that an earlier life published, then the day that was
 * asked for. */
MUST_USE Err life_catch_up(Life *l);

/* Does the day job that was asked for, if any. */
MUST_USE Err life_day(Life *l);

/* Moves the oldest date part to the other tier. */
MUST_USE Err life_migrate(Life *l);

/* Publishes all parts without their checksums, as older ones and imported ones are, and removes the
 * sidecars. */
MUST_USE Err life_bare(Life *l);

/* Reads parts that have no checksums, makes them, and publishes them, as the scrub and the manager
 * do. */
MUST_USE Err life_sum(Life *l);

/* Sweeps views and trims the stream. */
MUST_USE Err life_sweep(Life *l);

/* Syncs and closes. */
MUST_USE Err life_stop(Life *l);

/* Closes as a killed process would: nothing more is written. */
void life_drop(Life *l);

/* Whether what stands under `dir` holds, by a reader of kdb+ files and the stream after the view's
 * watermark: acknowledged batches once, a sent one wholly or not at all, nothing else; the view is
 * not older than one that was told of; there is no part folder that nobody names. The life has just
 * started, or runs between two steps. False with a text in `why` (600 bytes). */
bool life_judge(Life *l, char *why);

/* The same of what a crash left, before recovery: both databases load when they are there, no row
 * is doubled in one, none is foreign; and older views that are still there are whole. */
bool life_judge_ruins(Life *l, char *why);

/* Ends an interval and a day, and sees that it went well: work goes on without a hand. */
bool life_goes_on(Life *l, char *why);

/* The day of a batch's ordinary rows. */
i32 life_day_of(u32 batch);

#endif
