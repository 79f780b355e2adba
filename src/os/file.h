/*
 * file: open, read, write, sync, map and lock files. The only place that does.
 *
 * A File is an open descriptor and the path it was opened by (for error texts). FILE_NONE is the
 * empty value; close is idempotent. All paths are relative to the working directory or absolute.
 * Every failure names the path. Reads and writes are retried on EINTR and continued when short;
 * a write that cannot be completed is an error. A failed sync is final for that file (R4): the
 * caller must not call sync again on it and go on as if nothing had happened.
 */
#ifndef OS_FILE_H
#define OS_FILE_H

#include "base/arena.h"
#include "base/fail.h"
#include "base/str.h"
#include "base/sum.h"
#include "base/types.h"

typedef struct {
    int fd;     /* -1 = none */
    char *path; /* owned */
} File;

#define FILE_NONE ((File){-1, NULL})

typedef enum {
    FILE_READ,   /* must exist, read only */
    FILE_WRITE,  /* must exist, read and write */
    FILE_CREATE, /* must not exist (O_EXCL), read and write, mode 0640 */
    FILE_ALWAYS, /* read and write, created when absent, content kept */
} FileMode;

/* Opens a regular file (other kinds are E_CORRUPT). Never follows a link at the last step when it
 * creates. */
MUST_USE Err file_open(File *f, const char *path, FileMode mode);

/* Closes; a close that reports an error is E_IO. Idempotent; *f is FILE_NONE afterwards. */
MUST_USE Err file_close(File *f);

/* Closes on failure paths, where a second error has no taker. */
void file_drop(File *f);

/* The size in bytes now. */
MUST_USE Err file_size(const File *f, u64 *size);

/* Reads exactly `size` bytes at an offset; fewer there is E_CORRUPT ("file too short"). */
MUST_USE Err file_read(const File *f, void *out, u64 size, u64 at);

/* Reads up to `size` bytes at an offset; *got tells how many (0 at the end). */
MUST_USE Err file_read_some(const File *f, void *out, u64 size, u64 at, u64 *got);

/* The same past the page cache, where the file system can: from the device. Place, offset and size
 * must be multiples of 4096; the end of the file need not be. */
MUST_USE Err file_read_direct(const File *f, void *out, u64 size, u64 at, u64 *got);

/* Writes all bytes at an offset. */
MUST_USE Err file_write(File *f, const void *data, u64 size, u64 at);

/* fdatasync (data and size). */
MUST_USE Err file_sync(File *f);

/* Starts writing dirty pages of a range out without waiting (sync_file_range); errors show at
 * sync. */
void file_flush_start(File *f, u64 at, u64 size);

/* Cuts or extends to `size` bytes. */
MUST_USE Err file_truncate(File *f, u64 size);

/* Allocates `size` bytes and writes zeros over them, so that later writes change no metadata. */
MUST_USE Err file_prewrite(File *f, u64 size);

/* Asks the kernel to forget clean cached pages, so that the next read comes from the device. */
void file_uncache(const File *f);

/* Takes an advisory lock (flock) without waiting: E_BUSY when another holds it against us. */
MUST_USE Err file_lock(File *f, bool exclusive);

/* Reads a whole file into a fresh block of the arena (zero-ended); E_LIMIT above `size_max`. */
MUST_USE Err file_read_all(const char *path, u64 size_max, Arena *a, u8 **data, u64 *size);

/* Makes a small file durable under its name: writes `path`.tmp, syncs, renames over, syncs the
 * folder. */
MUST_USE Err file_replace(const char *path, const void *data, u64 size);

/* A read-only mapping of a whole file; an empty file gives data = NULL, size = 0. */
typedef struct {
    const u8 *data;
    u64 size;
    u32 guard; /* its number with os/guard; 0 = none */
} FileMap;

/* Maps a file. Should it shrink while mapped, os/guard decides what happens. `expect` compares the
 * size first (~0 = any): a mismatch is E_CORRUPT (R18). */
MUST_USE Err file_map(const char *path, u64 expect, FileMap *map);

/* Access advice for a mapping. */
void file_map_random(const FileMap *map);
void file_map_willneed(const FileMap *map, u64 at, u64 size);

/* Whether bytes of the mapping were lost (os/guard): what was read from it must not be used. */
bool file_map_lost(const FileMap *map);

/* Unmaps; idempotent. */
void file_unmap(FileMap *map);

/* Maps `size` bytes of a file shared and writable (the stream's shared page); grows it when
 * shorter. */
MUST_USE Err file_map_shared(const char *path, u64 size, bool writable, void **out);
void file_unmap_shared(void *data, u64 size);

/* Sequential bulk output: aligned buffers, O_DIRECT where the file system takes it (falls back to
 * buffered writes silently), for column files. Bytes are durable only after file_out_close with
 * sync. */
typedef struct FileOut FileOut;

/* Creates the file (must not exist). `size_hint` = expected bytes (0 unknown): small files skip
 * O_DIRECT. */
MUST_USE Err file_out_open(FileOut **out, const char *path, u64 size_hint);

/* Asks for the checksums of the bytes as they are handed over, patches included: *sum (zeroed,
 * borrowed) is complete after file_out_close. Before the first byte. */
void file_out_sum(FileOut *out, Sum *sum);

/* Appends bytes. */
MUST_USE Err file_out_write(FileOut *out, const void *data, u64 size);

/* Gives a place for up to `size` bytes (size <= 1 MiB) in the buffer; file_out_added counts
 * them. */
MUST_USE Err file_out_room(FileOut *out, u64 size, u8 **place);
void file_out_added(FileOut *out, u64 size);

/* The bytes appended so far. */
u64 file_out_size(const FileOut *out);

/* Replaces `size` bytes at `at` (< bytes appended), for headers known only at the end. Must lie
 * within the first 4096 bytes of the file. */
MUST_USE Err file_out_patch(FileOut *out, u64 at, const void *data, u64 size);

/* Writes what is buffered and ends the file; when `sync` also makes it durable (not its name).
 * When not `sync`, `keep` (if not NULL) receives the open file so that the caller syncs it later,
 * in one pass over all files. Frees `out` in every case. */
MUST_USE Err file_out_close(FileOut *out, bool sync, File *keep);

/* Ends it on a failure path; the unfinished file stays for the sweep. NULL is allowed. */
void file_out_drop(FileOut *out);

#endif
