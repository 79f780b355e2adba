/*
 * wal: the durable stream: framed records in log files, written in groups, read from any position.
 *
 * A position is a byte offset in the endless stream: 64 bits, never reused for an acknowledged
 * record, known without a table. Log file <16 hex digits of its first position>.wal; 4096 header
 * bytes, then records, each a multiple of 8 bytes, never across files. doc/format/wal.md has the
 * bytes. The CRC covers the file's random id and the position (R7), so bytes of an older life of a
 * recycled file never pass. Files are allocated and prewritten, one ahead. `durable` (a page shared
 * with all readers of the folder) tells how far the stream is synced, and the number of the newest
 * view; readers go no further.
 *
 * One writer (the manager). A failed write or sync closes the gate for good (R4): every later call
 * is E_IO.
 */
#ifndef STREAM_WAL_H
#define STREAM_WAL_H

#include "base/buf.h"
#include "base/fail.h"
#include "base/str.h"
#include "os/file.h"

#define WAL_RECORD_HEADER 64
#define WAL_FILE_HEADER   4096

#define WAL_NAME_MAX 24 /* room for a log file's name */

enum {
    WAL_DATA = 1,
    WAL_CONTROL = 2,
    WAL_END = 3 /* closes a file; never seen by a tail's caller */
};

/* One record. As read it borrows from the mapped log file. */
typedef struct {
    u64 position; /* where it begins */
    u64 end;      /* where the next one begins: a watermark of `end` covers this record */
    u8 kind;      /* WAL_DATA, WAL_CONTROL */
    u32 rows;
    u64 publisher, session, sequence; /* O-12; publisher 0 = none given */
    i64 received;                     /* wall time */
    Str table;
    const u8 *body; /* one q IPC object, 8-byte aligned */
    u64 size;
    u64 synced; /* everything before this position was synced when the record was written */
} WalRecord;

/* The page that all processes share. Read and written atomically. */
typedef struct {
    u64 magic;
    u64 durable; /* end position of the last synced record (relaxed: of the last written one) */
    u64 view;    /* newest committed view number, 0 = none */
    u64 writer;  /* pid of the manager, 0 = closed */
    u64 oldest;  /* first retained position */
    u64 synced;  /* end position of the last synced record, relaxed or not */
} WalShared;

#define WAL_SHARED_SIZE  4096
#define WAL_SHARED_MAGIC 0x314c4157544c4953ull /* "SILTWAL1" */

typedef struct Wal Wal;

typedef struct {
    u64 file_size; /* bytes of a log file, 8 KiB to 16 GiB, 0 = 64 MiB */
    u64 size_max;  /* bytes of all log files: beyond it a data record is E_LIMIT ("maxLogSize"), 0 =
                      none */
    u64 reserve;   /* free bytes of the device below which a data record is E_FULL, 0 = 64 MiB */
    bool relaxed;  /* do not sync before acknowledging: sync happens within relaxed_ms */
    u32 relaxed_ms;
} WalOptions;

/* Opens the folder for writing (made when absent; E_BUSY when another writer holds it) and
 * recovers: reads the newest file past the page cache, cuts a torn tail (what was never synced),
 * E_CORRUPT with both positions when something bad stands before what is known to have been synced
 * (P7), and begins a new log file to which the last group is copied (R4). `from` = the position
 * from which on the caller will read (the view's watermark): records before it are not looked at.
 * *lost_to = from, or, when the log begins later, its first position: the gap between is lost. */
MUST_USE Err wal_open(Wal **w, const char *path, const WalOptions *o, u64 from, u64 *lost_to);

/* Buffers one record for the next wal_sync; fills position and end. E_LIMIT, E_FULL, E_IO (gate
 * closed): nothing was taken. */
MUST_USE Err wal_append(Wal *w, WalRecord *r);

/* Writes everything buffered and syncs once; afterwards wal_durable() covers it. Nothing buffered:
 * does nothing. */
MUST_USE Err wal_sync(Wal *w);

/* In relaxed mode: writes without syncing (acknowledged then), syncs when relaxed_ms have passed.
 * wal_sync otherwise. */
MUST_USE Err wal_commit(Wal *w);

/* End position of what is synced (relaxed: written); of what is buffered; the oldest position. */
u64 wal_durable(const Wal *w);
u64 wal_end(const Wal *w);
u64 wal_oldest(const Wal *w);

/* Bytes of all log files; counters since start. */
u64 wal_size(const Wal *w);
u64 wal_syncs(const Wal *w);

/* Whether the last data record was refused for want of room (size_max, reserve) while there are
 * older log files that a later watermark would let go. */
bool wal_refused(const Wal *w);

/* Removes (recycles) log files that end at or before `position`; never the newest. */
MUST_USE Err wal_trim(Wal *w, u64 position);

/* Tells readers the newest view. */
void wal_set_view(Wal *w, u64 view);

/* Writes, syncs and closes; idempotent on NULL. */
MUST_USE Err wal_close(Wal *w);

/* The name of the log file that begins at a position ("00000000000003e8.wal"), and back; false when
 * it is none. */
void wal_file_name(u64 first, char out[WAL_NAME_MAX]);
bool wal_file_parse(const char *name, u64 *first);

/* Decodes the record at `at` of a mapped log file (`size` bytes valid): E_CORRUPT when it does not
 * check; for the tail and for `silt dump`. `id` = the file's id. */
MUST_USE Err wal_record(const u8 *file, u64 size, u64 at, u64 id, u64 position, WalRecord *r);

/* Reads a log file's header: first position and id. */
MUST_USE Err wal_file_header(const u8 *file, u64 size, u64 *first, u64 *id);

#endif
