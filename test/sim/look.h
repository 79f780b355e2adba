/*
 * look: a reader of the database that knows the file formats only: it follows `current` in the
 * folder, at any moment, also in the ruins before a recovery.
 */
#ifndef SIM_LOOK_H
#define SIM_LOOK_H

#include "base/types.h"

typedef struct {
    u64 number, hdb, watermark, eoi, eod;
    u64 intervals, dates; /* parts linked */
    u64 rows;
} LookView;

/* Loads both databases of the newest view and compares every row with the model; a batch is in them
 * whole when its position is before the view's watermark, else not at all. The run ends with a
 * failure otherwise. All zero when there is no view yet. */
LookView look_tree(const char *folder);

/* Names in <folder>/<path> (no such folder: 0). */
u64 look_count(const char *folder, const char *path);

/* Names in the folders below it. */
u64 look_parts(const char *folder, const char *path);

#endif
