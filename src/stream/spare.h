/*
 * spare: log files that are ready before they are needed: allocated, written over once, and not yet
 * named.
 *
 * Files that the log lets go of are taken back; when there are none, one is made ahead on a thread
 * of its own, so that the loop does not wait for 64 MiB of zeros. `<n>.spare` is ready, `<n>.new`
 * unfinished. Owned by a Wal.
 */
#ifndef STREAM_SPARE_H
#define STREAM_SPARE_H

#include "base/fail.h"
#include "os/file.h"

#define SPARE_MAX 2 /* files kept */

typedef struct SpareJob SpareJob;

/* A ready file, held under an exclusive lock so that no reader of its former life still maps it. */
typedef struct {
    File file;
    u64 number; /* of its name */
} SpareFile;

typedef struct {
    const char *path; /* the folder; borrowed */
    u64 size;         /* bytes of a file */
    u64 next;         /* number of the next name */
    u32 count;
    SpareFile ready[SPARE_MAX];
    SpareJob *job;  /* the thread that makes one, NULL = none */
    SpareJob *room; /* memory of its job, used again */
    Arena memory, names;
} Spare;

/* Takes over what an earlier life left in the folder: keeps ready files of the right size, removes
 * the rest. */
MUST_USE Err spare_open(Spare *s, const char *path, u64 size);

/* A file of `size` bytes (any size: others than the ordinary one are made at once) with *name,
 * which the caller renames (the text is good until the next call). E_FULL when there is no space:
 * nothing has changed. The caller owns the file. */
MUST_USE Err spare_take(Spare *s, u64 size, File *file, char **name);

/* Begins to make a file on a thread, unless one is ready or being made. */
void spare_ahead(Spare *s);

/* Takes a log file that nobody needs out of the folder: keeps it for reuse, or removes it when it
 * has another size, somebody still maps it, or there are enough. *renamed tells that the caller
 * must sync the folder before spare_take. */
MUST_USE Err spare_give(Spare *s, const char *path, u64 size, bool *renamed);

/* Waits for the thread and closes the files, which stay for the next life; idempotent. */
void spare_close(Spare *s);

#endif
