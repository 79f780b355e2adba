/*
 * file: the kernel's file calls, with retries, full texts and fault points.
 *
 * Every call that changes the disk asks fault_point first and treats its verdict as the kernel's
 * answer; an injected EINTR or short write is therefore retried like a real one. Descriptors are
 * close-on-exec. Regular files only: the kind is looked at after opening, and O_NONBLOCK keeps a
 * fifo from stopping us at the door.
 */
#include "os/file.h"
#include "base/bounds.h"
#include "os/dir.h"
#include "os/fault.h"
#include "os/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_FLAGS   (O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
#define FILE_PERMS   0640
#define FILE_BLOCK   4096
#define FILE_CHUNK   (1u << 20) /* zeros written at once */
#define FILE_SMALL   65536      /* bytes read of a file that reports no size, as those of /proc */
#define FILE_IO_MAX  (1ull << 30)
#define FILE_END_MAX ((u64)INT64_MAX)

/* Asks for a fault; true, with errno set, when the change must fail. */
static bool refused(const char *call, const char *path)
{
    errno = fault_point(call, path, 0).error;
    return errno != 0;
}

/* Tells a watcher of a change. */
static void tell(FaultCall call, const char *path, int fd, u64 size)
{
    fault_tell(&(FaultChange){.call = call, .path = path, .fd = fd, .size = size});
}

static Err open_failed(const char *path)
{
    int error = errno;
    switch (error) {
    case EEXIST: return fail(E_EXISTS, "%s: exists already", path);
    case EISDIR:
    case ENXIO:
    case ENODEV: return fail(E_CORRUPT, "%s: not a regular file", path);
    case ELOOP: return fail(E_CORRUPT, "%s: a symbolic link where a file is expected", path);
    case ENAMETOOLONG: return fail(E_LIMIT, "%s: path too long", path);
    case EMFILE:
    case ENFILE: return fail(E_LIMIT, "%s: too many open files", path);
    default: return fail_errno(error, "%s: open", path);
    }
}

/* Opens by flags of open(2) and checks the kind. */
static Err open_flags(File *f, const char *path, int flags)
{
    Err err = E_OK;
    struct stat st;
    *f = FILE_NONE;
    do {
        bool creates = flags & O_CREAT;
        f->fd = creates && refused("open", path) ? -1 : open(path, flags | FILE_FLAGS, FILE_PERMS);
    } while (f->fd < 0 && errno == EINTR);
    if (f->fd < 0) return open_failed(path);
    if (flags & O_CREAT) tell(FAULT_OPEN, path, f->fd, (flags & O_TRUNC) != 0);
    f->path = strdup(path);
    if (!f->path)
        err = fail(E_MEMORY, "%s: no memory", path);
    else if (fstat(f->fd, &st) != 0)
        err = fail_errno(errno, "%s: stat", path);
    else if (!S_ISREG(st.st_mode))
        err = fail(E_CORRUPT, "%s: not a regular file", path);
    if (err) file_drop(f);
    return err;
}

Err file_open(File *f, const char *path, FileMode mode)
{
    static const int flags[] = {
        [FILE_READ] = O_RDONLY,
        [FILE_WRITE] = O_RDWR,
        [FILE_CREATE] = O_RDWR | O_CREAT | O_EXCL,
        [FILE_ALWAYS] = O_RDWR | O_CREAT | O_NOFOLLOW,
    };
    ASSERT(mode < COUNT_OF(flags));
    return open_flags(f, path, flags[mode]);
}

Err file_close(File *f)
{
    Err err = E_OK;
    /* After EINTR the descriptor is gone all the same; closing again could hit another's. */
    if (f->fd >= 0 && close(f->fd) != 0 && errno != EINTR)
        err = fail_errno(errno, "%s: close", f->path);
    free(f->path);
    *f = FILE_NONE;
    return err;
}

void file_drop(File *f)
{
    if (f->fd >= 0) close(f->fd);
    free(f->path);
    *f = FILE_NONE;
}

Err file_size(const File *f, u64 *size)
{
    struct stat st;
    *size = 0;
    if (fstat(f->fd, &st) != 0) return fail_errno(errno, "%s: stat", f->path);
    *size = (u64)st.st_size;
    return E_OK;
}

Err file_read_some(const File *f, void *out, u64 size, u64 at, u64 *got)
{
    u8 *to = out;
    *got = 0;
    if (at > FILE_END_MAX || size > FILE_END_MAX - at) return E_OK;
    while (*got < size) {
        u64 want = MIN(size - *got, FILE_IO_MAX);
        ssize_t n = pread(f->fd, to + *got, want, (off_t)(at + *got));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno(errno, "%s: read", f->path);
        if (n == 0) break;
        *got += (u64)n;
    }
    return E_OK;
}

/* pread until the end of the file, which a count that is no multiple of a block tells; *refused
 * when the file system takes no such reads. */
static Err read_blocks(const File *f, u8 *to, u64 size, u64 at, u64 *got, bool *no)
{
    while (*got < size) {
        ssize_t n = pread(f->fd, to + *got, MIN(size - *got, FILE_IO_MAX), (off_t)(at + *got));
        if (n < 0 && errno == EINTR) continue;
        *no = n < 0 && errno == EINVAL;
        if (n < 0) return fail_errno(errno, "%s: read", f->path);
        *got += (u64)n;
        if (n == 0 || n % FILE_BLOCK != 0) break;
    }
    return E_OK;
}

Err file_read_direct(const File *f, void *out, u64 size, u64 at, u64 *got)
{
    int flags = fcntl(f->fd, F_GETFL);
    *got = 0;
    if (at > FILE_END_MAX || size > FILE_END_MAX - at) return E_OK;
    if (flags < 0 || fcntl(f->fd, F_SETFL, flags | O_DIRECT) != 0)
        return file_read_some(f, out, size, at, got); /* the file system has no such reads */
    bool no = false;
    Err err = read_blocks(f, out, size, at, got, &no);
    (void)fcntl(f->fd, F_SETFL, flags);
    return no ? file_read_some(f, out, size, at, got) : err;
}

Err file_read(const File *f, void *out, u64 size, u64 at)
{
    u64 got;
    Err err = file_read_some(f, out, size, at, &got);
    if (!err && got < size)
        err = fail(E_CORRUPT, "%s: file too short: %llu bytes wanted at %llu, %llu there", f->path,
                   (unsigned long long)size, (unsigned long long)at, (unsigned long long)got);
    return err;
}

Err file_write(File *f, const void *data, u64 size, u64 at)
{
    const u8 *from = data;
    if (at > FILE_END_MAX || size > FILE_END_MAX - at)
        return fail(E_LIMIT, "%s: write behind the end of all files", f->path);
    while (size) {
        FaultVerdict v = fault_point("pwrite", f->path, MIN(size, FILE_IO_MAX));
        ssize_t n = v.error ? -1 : pwrite(f->fd, from, v.size, (off_t)at);
        if (n < 0) {
            int error = v.error ? v.error : errno;
            if (error == EINTR) continue;
            return fail_errno(error, "%s: write", f->path);
        }
        if (n == 0) return fail(E_IO, "%s: write: nothing was taken", f->path);
        fault_tell(&(FaultChange){FAULT_WRITE, f->path, NULL, f->fd, false, at, (u64)n, from});
        from += n;
        at += (u64)n;
        size -= (u64)n;
    }
    return E_OK;
}

Err file_sync(File *f)
{
    FaultChange c = {.call = FAULT_SYNC, .path = f->path, .fd = f->fd};
    c.failed = refused("fdatasync", f->path);
    if (c.failed) {
        int error = errno;
        fault_tell(&c);
        return fail_errno(error, "%s: sync", f->path);
    }
    if (fdatasync(f->fd) != 0) return fail_errno(errno, "%s: sync", f->path);
    fault_tell(&c);
    return E_OK;
}

void file_flush_start(File *f, u64 at, u64 size)
{
    /* Advice: what fails here fails again, and is reported, at the sync. */
    (void)sync_file_range(f->fd, (off_t)at, (off_t)size, SYNC_FILE_RANGE_WRITE);
}

Err file_truncate(File *f, u64 size)
{
    if (size > FILE_END_MAX) return fail(E_LIMIT, "%s: size beyond all files", f->path);
    if (refused("ftruncate", f->path) || ftruncate(f->fd, (off_t)size) != 0)
        return fail_errno(errno, "%s: truncate", f->path);
    tell(FAULT_TRUNCATE, f->path, f->fd, size);
    return E_OK;
}

/* Reserves space; file systems that cannot are content with the zeros written afterwards. */
static Err allocate(File *f, u64 size)
{
    if (size == 0) return E_OK;
    if (size > FILE_END_MAX) return fail(E_LIMIT, "%s: size beyond all files", f->path);
    if (!refused("fallocate", f->path) && fallocate(f->fd, 0, 0, (off_t)size) == 0) {
        tell(FAULT_ALLOCATE, f->path, f->fd, size);
        return E_OK;
    }
    if (errno == EOPNOTSUPP || errno == EINTR) return E_OK;
    return fail_errno(errno, "%s: allocate %llu bytes", f->path, (unsigned long long)size);
}

static Err write_zeros(File *f, u64 at, u64 end)
{
    Err err = E_OK;
    u8 *zeros = calloc(1, FILE_CHUNK);
    if (!zeros) return fail(E_MEMORY, "%s: no memory", f->path);
    for (; !err && at < end; at += FILE_CHUNK)
        err = file_write(f, zeros, MIN(end - at, FILE_CHUNK), at);
    free(zeros);
    return err;
}

Err file_prewrite(File *f, u64 size)
{
    Err err = allocate(f, size);
    return err ? err : write_zeros(f, 0, size);
}

void file_uncache(const File *f) { (void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED); }

Err file_lock(File *f, bool exclusive)
{
    if (flock(f->fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0) return E_OK;
    if (errno == EWOULDBLOCK) return fail(E_BUSY, "%s: locked by another process", f->path);
    return fail_errno(errno, "%s: lock", f->path);
}

/* Reads a file of which only an upper bound of the size is known. */
static Err read_unsized(const File *f, u64 size_max, Arena *a, u8 **data, u64 *size)
{
    u8 block[FILE_SMALL];
    Err err = file_read_some(f, block, sizeof block, 0, size);
    if (err) return err;
    if (*size > size_max || *size == sizeof block)
        return fail(E_LIMIT, "%s: more than the limit of %llu bytes", f->path,
                    (unsigned long long)MIN(size_max, sizeof block));
    *data = (u8 *)arena_text(a, (const char *)block, *size);
    return E_OK;
}

Err file_read_all(const char *path, u64 size_max, Arena *a, u8 **data, u64 *size)
{
    File f = FILE_NONE;
    Err err = E_OK;
    u64 there = 0;
    void *block = NULL;
    *data = NULL;
    *size = 0;
    TRY(file_open(&f, path, FILE_READ));
    TRY(file_size(&f, &there));
    if (there > size_max)
        TRY(fail(E_LIMIT, "%s: %llu bytes, more than the limit of %llu", path,
                 (unsigned long long)there, (unsigned long long)size_max));
    if (there == 0) {
        TRY(read_unsized(&f, size_max, a, data, size));
    } else {
        err = arena_try(a, there + 1, 1, &block);
        if (err) TRY(fail_note(err, "%s", path));
        TRY(file_read_some(&f, block, there, 0, size));
        *data = block;
        (*data)[*size] = 0;
    }
done:
    file_drop(&f);
    return err;
}

Err file_replace(const char *path, const void *data, u64 size)
{
    Arena a = {0};
    File f = FILE_NONE;
    Err err = E_OK;
    const char *slash = strrchr(path, '/');
    const char *parent = !slash          ? "."
                         : slash == path ? "/"
                                         : arena_text(&a, path, (u64)(slash - path));
    const char *fresh = arena_format(&a, "%s.tmp", path);
    TRY(open_flags(&f, fresh, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW));
    TRY(file_write(&f, data, size, 0));
    TRY(file_sync(&f));
    TRY(file_close(&f));
    TRY(dir_rename(fresh, path));
    TRY(dir_sync(parent));
done:
    file_drop(&f);
    /* After a failure `fresh` stays: the next call overwrites it, and nobody reads it. */
    arena_free(&a);
    return err;
}

Err file_map(const char *path, u64 expect, FileMap *map)
{
    File f = FILE_NONE;
    Err err = E_OK;
    u64 size = 0;
    *map = (FileMap){0};
    TRY(file_open(&f, path, FILE_READ));
    TRY(file_size(&f, &size));
    if (expect != ~0ull && size != expect)
        TRY(fail(E_CORRUPT, "%s: %llu bytes where %llu are expected", path,
                 (unsigned long long)size, (unsigned long long)expect));
    if (size) {
        void *data = mmap(NULL, size, PROT_READ, MAP_SHARED, f.fd, 0);
        if (data == MAP_FAILED)
            TRY(errno == ENOMEM ? fail(E_MEMORY, "%s: no address space to map it", path)
                                : fail_errno(errno, "%s: map", path));
        *map = (FileMap){data, size, guard_add(data, size)};
    }
done:
    file_drop(&f);
    return err;
}

/* munmap and madvise take a plain pointer, though nothing is written through it. */
static void *map_start(const FileMap *map) { return (void *)(uintptr_t)map->data; }

void file_map_random(const FileMap *map)
{
    if (map->size) (void)madvise(map_start(map), map->size, MADV_RANDOM);
}

void file_map_willneed(const FileMap *map, u64 at, u64 size)
{
    if (at >= map->size) return;
    u64 page = (u64)sysconf(_SC_PAGESIZE), from = at & ~(page - 1);
    u64 end = at + MIN(size, map->size - at);
    (void)madvise((u8 *)map_start(map) + from, end - from, MADV_WILLNEED);
}

bool file_map_lost(const FileMap *map) { return guard_lost() > 0 && guard_is_lost(map->guard); }

void file_unmap(FileMap *map)
{
    guard_remove(map->guard);
    if (map->data) munmap(map_start(map), map->size);
    *map = (FileMap){0};
}

Err file_map_shared(const char *path, u64 size, bool writable, void **out)
{
    File f = FILE_NONE;
    Err err = E_OK;
    u64 there = 0;
    *out = NULL;
    TRY(file_open(&f, path, writable ? FILE_ALWAYS : FILE_READ));
    TRY(file_size(&f, &there));
    if (there < size && !writable)
        TRY(fail(E_CORRUPT, "%s: file too short: %llu bytes, %llu expected", path,
                 (unsigned long long)there, (unsigned long long)size));
    if (there < size) {
        /* Real blocks: a store into a hole of a full disk would be a SIGBUS. */
        TRY(allocate(&f, size));
        TRY(write_zeros(&f, there, size));
    }
    void *data =
        mmap(NULL, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, f.fd, 0);
    if (data == MAP_FAILED) TRY(fail_errno(errno, "%s: map", path));
    *out = data;
done:
    file_drop(&f);
    return err;
}

void file_unmap_shared(void *data, u64 size)
{
    if (data) munmap(data, size);
}
