/*
 * disk: records what a program does to a folder, and rebuilds what a power cut may leave of it.
 *
 * disk_record takes the folder as it stands for durable and listens at os/ (fault_watch). Of what
 * comes then only what was synced is certain: the contents of a file by a sync of the file, the
 * names in a folder by a sync of the folder. Everything else may be missing, late or torn.
 *
 * Afterwards a DiskReplay walks the record again, event by event, and at each of them can be asked
 * for states: disk_states chooses some (by the model and a seed), disk_build makes the folder so.
 * A state has a signature, of names and contents alone, so that a caller can pass over one that it
 * has judged before, in this record or another.
 *
 * Models (T4): posix: any subset of the changes of names, a rename being one change; ordered:
 * changes of names up to some point, and a sync of anything brings all earlier ones; contents are
 * free in both.
 *
 * One thread; paths must be told below the folder (others are not watched).
 */
#ifndef CRASH_DISK_H
#define CRASH_DISK_H

#include "base/fail.h"
#include "base/prng.h"
#include "base/types.h"

typedef struct Disk Disk;
typedef struct DiskReplay DiskReplay;

/* Starts a record of the folder `root` (absolute, no end slash). */
Disk *disk_record(const char *root);

/* Notes a number of the caller's in the record, to be found by disk_marked. */
void disk_mark(Disk *d, u64 number);

/* Notes that a file was changed through a mapping: as it is now may or may not reach the device. */
void disk_mapped(Disk *d, const char *path);

/* Ends the record; it can then be replayed as often as wanted. */
void disk_stop(Disk *d);

/* Events so far; of those the syncs. */
u64 disk_events(const Disk *d);
u64 disk_syncs(const Disk *d);

void disk_free(Disk *d);

typedef enum { DISK_POSIX, DISK_ORDERED } DiskModel;

/* Starts at the beginning of the record: nothing has happened. */
DiskReplay *disk_replay(const Disk *d, DiskModel model, u64 seed);

/* Takes every sync of this site for not done (T8); may be said of several. */
void disk_without(DiskReplay *r, u64 site);

/* Events since the last sync that was left out; ~0 = none was so far, 0 = none is to be. */
u64 disk_since(const DiskReplay *r);

/* Goes one event on; false at the end of the record. */
bool disk_next(DiskReplay *r);

/* How many events were passed; the newest mark among them (0 = none yet). */
u64 disk_at(const DiskReplay *r);
u64 disk_marked(const DiskReplay *r);

/* What the event that was passed last is, for messages: "rename idb/current.new -> idb/current". */
const char *disk_event(const DiskReplay *r);

/* Chooses states that a cut now may leave; `most` = 0 for all of the scheme: all subsets of what is
 * open while that is little, else none, all, each alone, each left out, and some by chance. Returns
 * how many can be built. */
u64 disk_states(DiskReplay *r, u64 most);

/* Chooses the n-th and returns its signature: equal trees have equal ones. */
u64 disk_choose(DiskReplay *r, u64 n);

/* Notes that a tree was found good by a judge who was told `mark`; whether it was noted. A process
 * keeps some millions of them, of all its records. */
void disk_good(u64 tree, u64 mark);
bool disk_is_good(u64 tree, u64 mark);

/* Makes the folder what the chosen state says. */
void disk_build(DiskReplay *r);

/* The state that was chosen, for messages. */
const char *disk_choice(const DiskReplay *r);

void disk_replay_free(DiskReplay *r);

/* ---- sites of syncs: a place in the program, told by the calls that led to it */

/* Sites in the record, 0-based. */
u64 disk_sites(const Disk *d);

/* The line of the program, outside os/, that syncs there: "swing publish.c:430", in static
 * memory. */
const char *disk_site(const Disk *d, u64 site);

#endif
