/*
 * recover: what a log folder holds after any end of its writer: decides, changes nothing but the
 * newest file's cache.
 */
#ifndef STREAM_RECOVER_H
#define STREAM_RECOVER_H

#include "base/buf.h"
#include "base/fail.h"
#include "stream/wal.h"

/* A log file in the folder. */
typedef struct {
    u64 first; /* position of its first record, and its name */
    u64 size;  /* bytes */
} RecoverFile;

typedef struct {
    u64 end;       /* where the stream goes on: after the last record that holds */
    u64 copy_from; /* records from here to `end` are to be written anew (R4); they stand in one file
                    */
    u64 lost_to;   /* first position that is there, when it lies behind the one asked for; else that
                      one */
    Buf bytes;     /* the newest file as read; owned by the caller */
    u64 first, id; /* of that file; bytes.size == 0 = there is none */
} Recover;

/* Looks at the files (sorted by position) from position `from` on. `synced` = how far the stream
 * was synced, if the shared page still knows it, else 0. E_CORRUPT names both positions when what
 * was synced does not hold. */
MUST_USE Err recover_scan(const char *path, const RecoverFile *files, u64 count, u64 from,
                          u64 synced, Recover *r);

#endif
