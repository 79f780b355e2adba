/*
 * sweep: deletes what no kept view names. Two views are kept at least; a pinned view (a reader's
 * shared lock on its folder) and everything it names is kept; `hold` is the lowest view number that
 * a client has not yet released.
 *
 * Deletes only names of our own grammar (R12). Runs on a worker thread over inputs taken by the
 * loop thread.
 */
#ifndef DB_SWEEP_H
#define DB_SWEEP_H

#include "db/view.h"

typedef struct {
    Root *root;
    u64 current;       /* newest view */
    u64 hold;          /* views from this number on are kept (~0 = no client holds any) */
    u32 garbage_count; /* copied from the current view */
    ViewGarbage *garbage;
    Arena memory;
    /* results */
    Err err;
    char text[256];   /* of a failure */
    u64 oldest;       /* the oldest view that still stands afterwards (for publish_swept); 0 after a
                         failure */
    u64 watermark;    /* its watermark: the stream before it may go; 0 after a failure */
    u64 views, parts; /* deleted */
} Sweep;

/* Takes the inputs from the current view. */
MUST_USE Err sweep_plan(Sweep *s, const View *current, Root *r, u64 hold);

/* Does it; callable on a worker thread. Results and failure are in the struct. */
void sweep_run(Sweep *s);

/* Frees the inputs; idempotent. */
void sweep_free(Sweep *s);

#endif
