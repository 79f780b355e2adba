/*
 * dir: folders, names and links.
 *
 * Every call that changes the disk asks fault_point first, syncs of folders included (R5). Removal
 * of a tree works below held folder descriptors and never follows a link, so that what is swapped
 * in meanwhile cannot lead it elsewhere (R22).
 */
#include "os/dir.h"
#include "base/bounds.h"
#include "base/buf.h"
#include "os/fault.h"
#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DIR_PERMS  0750
#define DIR_FLAGS  (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#define DIR_COPY   (1u << 20)    /* bytes copied at once */
#define DIR_BUFFER (64ull << 20) /* bytes of entries of one folder, while it is listed */

/* Asks for a fault; true, with errno set, when the change must fail. */
static bool refused(const char *call, const char *path)
{
    errno = fault_point(call, path, 0).error;
    return errno != 0;
}

/* Tells a watcher of a change. */
static void tell(FaultCall call, const char *path, const char *to)
{
    fault_tell(&(FaultChange){.call = call, .path = path, .to = to, .fd = -1});
}

/* The failure of a call on `path`, by errno. */
static Err failed(const char *path, const char *call)
{
    int error = errno;
    switch (error) {
    case EEXIST: return fail(E_EXISTS, "%s: exists already", path);
    case ENOTEMPTY: return fail(E_EXISTS, "%s: folder is not empty", path);
    case ENAMETOOLONG: return fail(E_LIMIT, "%s: path too long", path);
    case EMFILE:
    case ENFILE: return fail(E_LIMIT, "%s: too many open files", path);
    case ENOTDIR: return fail(E_CORRUPT, "%s: not a folder", path);
    default: return fail_errno(error, "%s: %s", path, call);
    }
}

static DirKind kind_of_mode(mode_t mode)
{
    if (S_ISREG(mode)) return DIR_FILE;
    if (S_ISDIR(mode)) return DIR_FOLDER;
    return S_ISLNK(mode) ? DIR_LINK : DIR_OTHER;
}

static DirKind kind_of_entry(int folder, const struct dirent *e)
{
    struct stat st;
    switch (e->d_type) {
    case DT_REG: return DIR_FILE;
    case DT_DIR: return DIR_FOLDER;
    case DT_LNK: return DIR_LINK;
    case DT_UNKNOWN: break;
    default: return DIR_OTHER;
    }
    if (fstatat(folder, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) return DIR_ABSENT;
    return kind_of_mode(st.st_mode);
}

static int by_name(const void *a, const void *b)
{
    const DirEntry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static bool is_dots(const char *name)
{
    return name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0));
}

/* Appends the entries of an open folder to `entries`, their names to the arena. */
static Err read_entries(DIR *d, const char *path, u64 count_max, Arena *a, Buf *entries)
{
    for (u64 count = 0;;) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (!e && errno) return failed(path, "read folder");
        if (!e) return E_OK;
        if (is_dots(e->d_name)) continue;
        DirEntry entry = {.kind = kind_of_entry(dirfd(d), e)};
        if (entry.kind == DIR_ABSENT) continue; /* removed while we looked */
        if (count++ == count_max)
            return fail(E_LIMIT, "%s: more than %llu entries", path, (unsigned long long)count_max);
        entry.name = arena_text(a, e->d_name, strlen(e->d_name));
        Err err = buf_append(entries, &entry, sizeof entry);
        if (err) return fail_note(err, "%s", path);
    }
}

/* Lists an open folder and closes it; `fd` < 0 stands for a failed open. */
static Err list_fd(int fd, const char *path, u64 count_max, Arena *a, DirEntry **entries,
                   u64 *count)
{
    Buf found;
    Err err = E_OK;
    *entries = NULL;
    *count = 0;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        err = failed(path, "open folder");
        if (fd >= 0) close(fd);
        return err;
    }
    buf_init(&found, DIR_BUFFER);
    TRY(read_entries(d, path, count_max, a, &found));
    *count = found.size / sizeof(DirEntry);
    *entries = arena_array(a, DirEntry, *count);
    if (*count) {
        memcpy(*entries, found.data, found.size);
        qsort(*entries, *count, sizeof(DirEntry), by_name);
    }
done:
    buf_free(&found);
    closedir(d);
    return err;
}

Err dir_list(const char *path, u64 count_max, Arena *a, DirEntry **entries, u64 *count)
{
    return list_fd(open(path, DIR_FLAGS), path, count_max, a, entries, count);
}

Err dir_kind(const char *path, bool follow, DirKind *kind)
{
    struct stat st;
    *kind = DIR_ABSENT;
    if ((follow ? stat(path, &st) : lstat(path, &st)) != 0)
        return errno == ENOENT || errno == ENOTDIR ? E_OK : failed(path, "stat");
    *kind = kind_of_mode(st.st_mode);
    return E_OK;
}

Err dir_may_write(const char *path, bool *may)
{
    *may = faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
    if (*may || errno == EACCES || errno == EPERM || errno == EROFS || errno == ENOENT) return E_OK;
    return failed(path, "access");
}

Err dir_make(const char *path)
{
    if (refused("mkdir", path) || mkdir(path, DIR_PERMS) != 0) return failed(path, "make folder");
    tell(FAULT_MKDIR, path, NULL);
    return E_OK;
}

/* The folder that holds the name `path`. */
static const char *parent_of(Arena *a, const char *path)
{
    u64 size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    while (size && path[size - 1] != '/')
        size--;
    if (size == 0) return ".";
    while (size > 1 && path[size - 1] == '/')
        size--;
    return arena_text(a, path, size);
}

/* Makes one folder unless it is there, and the name durable when it was made. */
static Err make_one(Arena *a, const char *path)
{
    DirKind kind;
    Err err = dir_kind(path, true, &kind);
    if (err || kind == DIR_FOLDER) return err;
    err = dir_make(path);
    if (!err) return dir_sync(parent_of(a, path));
    if (err != E_EXISTS) return err;
    /* Something is there that was not, or is no folder: another process may have made it. */
    err = dir_kind(path, true, &kind);
    if (err || kind == DIR_FOLDER) return err;
    return fail(E_EXISTS, "%s: exists and is not a folder", path);
}

Err dir_make_all(const char *path)
{
    Arena a = {0};
    Err err = E_OK;
    char *part = arena_text(&a, path, strlen(path));
    for (char *p = part + 1; *part && *p && !err; p++) {
        if (*p != '/') continue;
        *p = 0;
        err = make_one(&a, part);
        *p = '/';
    }
    if (!err) err = make_one(&a, part);
    arena_free(&a);
    return err;
}

Err dir_sync(const char *path)
{
    Err err = E_OK;
    int fd = open(path, DIR_FLAGS);
    if (fd < 0) return failed(path, "open folder");
    FaultChange c = {.call = FAULT_FOLDER, .path = path, .fd = fd};
    c.failed = refused("fsync", path);
    if (c.failed || fsync(fd) != 0) err = failed(path, "sync folder");
    if (c.failed || err == E_OK) fault_tell(&c);
    close(fd);
    return err;
}

Err dir_sync_parent(const char *path)
{
    Arena a = {0};
    Err err = dir_sync(parent_of(&a, path));
    arena_free(&a);
    return err;
}

/* Whether two names lie in one file system. */
static bool same_device(const char *x, const char *y)
{
    struct stat a, b;
    return stat(x, &a) == 0 && stat(y, &b) == 0 && a.st_dev == b.st_dev;
}

Err dir_sync_above(const char *path)
{
    Arena a = {0};
    Err err = E_OK;
    const char *at = path, *above = parent_of(&a, at);
    while (err == E_OK && strcmp(at, above) != 0 && same_device(at, above)) {
        err = dir_sync(above);
        if (err == E_DENIED) err = E_OK;
        at = above;
        above = parent_of(&a, at);
    }
    arena_free(&a);
    return err;
}

Err dir_rename(const char *from, const char *to)
{
    if (refused("rename", to) || rename(from, to) != 0) {
        char call[BOUND_PATH_MAX];
        int error = errno;
        snprintf(call, sizeof call, "rename to %s", to);
        errno = error;
        return failed(from, call);
    }
    tell(FAULT_RENAME, from, to);
    return E_OK;
}

Err dir_link(const char *target, const char *path)
{
    if (refused("symlink", path) || symlink(target, path) != 0) return failed(path, "make link");
    tell(FAULT_SYMLINK, path, target);
    return E_OK;
}

Err dir_swing(const char *target, const char *path)
{
    Arena a = {0};
    Err err = E_OK;
    const char *fresh = arena_format(&a, "%s.new", path);
    err = dir_link(target, fresh);
    if (err == E_EXISTS) {
        /* Left by a process that died between the two steps. */
        TRY(dir_unlink(fresh));
        err = dir_link(target, fresh);
    }
    TRY(err);
    TRY(dir_rename(fresh, path));
    TRY(dir_sync(parent_of(&a, path)));
done:
    arena_free(&a);
    return err;
}

Err dir_read_link(const char *path, Arena *a, char **target)
{
    char text[BOUND_PATH_MAX];
    *target = NULL;
    ssize_t size = readlink(path, text, sizeof text);
    if (size < 0 && errno == EINVAL) return fail(E_CORRUPT, "%s: not a symbolic link", path);
    if (size < 0 && errno == ENOTDIR) errno = ENOENT;
    if (size < 0) return failed(path, "read link");
    if (size == sizeof text) return fail(E_LIMIT, "%s: the link's text is too long", path);
    *target = arena_text(a, text, (u64)size);
    return E_OK;
}

Err dir_unlink(const char *path)
{
    if (refused("unlink", path) || unlink(path) != 0) return failed(path, "remove");
    tell(FAULT_UNLINK, path, NULL);
    return E_OK;
}

Err dir_remove(const char *path)
{
    if (refused("rmdir", path) || rmdir(path) != 0) return failed(path, "remove folder");
    tell(FAULT_RMDIR, path, NULL);
    return E_OK;
}

/* What removal of a tree carries from folder to folder: the open folders from the top down. */
typedef struct {
    int fds[BOUND_DEPTH_MAX];
    char *paths[BOUND_DEPTH_MAX]; /* for texts and fault points */
    Arena arenas[BOUND_DEPTH_MAX];
    DirEntry *entries[BOUND_DEPTH_MAX];
    u64 counts[BOUND_DEPTH_MAX];
    u64 depth;     /* folders open */
    Arena scratch; /* of one step */
} Removal;

/* Opens folder `name` below the deepest open one and lists it. */
static Err removal_enter(Removal *r, const char *path, const char *name)
{
    if (r->depth == BOUND_DEPTH_MAX)
        return fail(E_LIMIT, "%s: folders nested deeper than %d", path, BOUND_DEPTH_MAX);
    int parent = r->depth ? r->fds[r->depth - 1] : AT_FDCWD;
    int fd = openat(parent, name, DIR_FLAGS | O_NOFOLLOW);
    if (fd < 0 && errno == ELOOP) errno = ENOTDIR;
    if (fd < 0) return failed(path, "open folder");
    u64 k = r->depth++;
    r->fds[k] = fd;
    r->paths[k] = arena_text(&r->arenas[k], path, strlen(path));
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return list_fd(copy, path, BOUND_ROWS_MAX, &r->arenas[k], &r->entries[k], &r->counts[k]);
}

static void removal_leave(Removal *r)
{
    u64 k = --r->depth;
    close(r->fds[k]);
    arena_free(&r->arenas[k]);
}

static Err remove_at(int folder, const char *path, const char *name, bool is_folder)
{
    if (!refused(is_folder ? "rmdir" : "unlink", path) &&
        unlinkat(folder, name, is_folder ? AT_REMOVEDIR : 0) == 0) {
        tell(is_folder ? FAULT_RMDIR : FAULT_UNLINK, path, NULL);
        return E_OK;
    }
    return errno == ENOENT ? E_OK : failed(path, "remove");
}

/* Removes the next thing: an entry of the deepest folder, or that folder once it is empty. */
static Err removal_step(Removal *r)
{
    Err err = E_OK;
    u64 k = r->depth - 1;
    arena_reset(&r->scratch);
    if (r->counts[k]) {
        const DirEntry *e = &r->entries[k][--r->counts[k]];
        char *path = dir_join(&r->scratch, r->paths[k], e->name, NULL);
        if (e->kind != DIR_FOLDER) return remove_at(r->fds[k], path, e->name, false);
        err = removal_enter(r, path, e->name);
        return err == E_NOT_FOUND ? E_OK : err;
    }
    char *path = arena_text(&r->scratch, r->paths[k], strlen(r->paths[k]));
    const char *slash = strrchr(path, '/');
    int parent = k ? r->fds[k - 1] : AT_FDCWD;
    removal_leave(r);
    return remove_at(parent, path, k && slash ? slash + 1 : path, true);
}

Err dir_remove_all(const char *path)
{
    Removal *r = calloc(1, sizeof *r);
    if (!r) return fail(E_MEMORY, "%s: no memory", path);
    Err err = removal_enter(r, path, path);
    if (err == E_NOT_FOUND) err = E_OK;
    while (!err && r->depth)
        err = removal_step(r);
    while (r->depth)
        removal_leave(r);
    arena_free(&r->scratch);
    free(r);
    return err;
}

Err dir_hard_link(const char *from, const char *to)
{
    if (refused("link", to) || link(from, to) != 0) return failed(to, "make hard link");
    tell(FAULT_LINK, from, to);
    return E_OK;
}

Err dir_copy(const char *from, const char *to)
{
    Err err = E_OK;
    File in = FILE_NONE, out = FILE_NONE;
    struct stat st;
    u64 at = 0, got = 0;
    u8 *block = malloc(DIR_COPY);

    if (block == NULL) return fail(E_MEMORY, "%s: no memory", to);
    TRY(file_open(&in, from, FILE_READ));
    if (fstat(in.fd, &st) != 0) TRY(failed(from, "stat"));
    TRY(file_open(&out, to, FILE_CREATE));
    do {
        TRY(file_read_some(&in, block, DIR_COPY, at, &got));
        TRY(file_write(&out, block, got, at));
        at += got;
    } while (got > 0);
    if (at < (u64)st.st_size)
        TRY(fail(E_CORRUPT, "%s: it was cut while it was copied: %llu of %lld bytes", from,
                 (unsigned long long)at, (long long)st.st_size));
    if (refused("chmod", to) || fchmod(out.fd, st.st_mode & 07777) != 0)
        TRY(failed(to, "change mode"));
    TRY(file_sync(&out));
    TRY(file_close(&out));
done:
    if (err != E_OK && out.fd >= 0 && unlink(to) == 0) tell(FAULT_UNLINK, to, NULL);
    file_drop(&in);
    file_drop(&out);
    free(block);
    return err;
}

Err dir_share(const char *from, const char *to, bool *copied)
{
    *copied = false;
    if (!refused("link", to) && linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0) {
        tell(FAULT_LINK, from, to);
        return E_OK;
    }
    if (errno != EXDEV && errno != EMLINK && errno != EPERM && errno != EOPNOTSUPP)
        return failed(to, "make hard link");
    *copied = true;
    return dir_copy(from, to);
}

Err dir_space(const char *path, u64 *free_bytes, u64 *all_bytes)
{
    struct statvfs st;
    *free_bytes = *all_bytes = 0;
    if (statvfs(path, &st) != 0) return failed(path, "ask for space");
    *free_bytes = (u64)st.f_bavail * st.f_frsize;
    *all_bytes = (u64)st.f_blocks * st.f_frsize;
    return E_OK;
}

Err dir_lock(const char *path, bool exclusive, int *fd)
{
    *fd = open(path, DIR_FLAGS);
    if (*fd < 0) return failed(path, "open folder");
    if (flock(*fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0) return E_OK;
    int error = errno;
    dir_unlock(fd);
    if (error == EWOULDBLOCK) return fail(E_BUSY, "%s: locked by another process", path);
    return fail_errno(error, "%s: lock", path);
}

void dir_unlock(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

char *dir_join(Arena *a, const char *first, ...)
{
    va_list args, again;
    va_start(args, first);
    va_copy(again, args);
    u64 size = 0;
    for (const char *p = first; p; p = va_arg(args, const char *))
        size += strlen(p) + 1;
    va_end(args);
    char *path = arena_alloc(a, size + 1), *end = path;
    for (const char *p = first; p; p = va_arg(again, const char *)) {
        u64 n = strlen(p);
        if (n && end > path && end[-1] != '/') *end++ = '/';
        if (n) memcpy(end, p, n);
        end += n;
    }
    va_end(again);
    return path;
}

Err dir_absolute(const char *path, Arena *a, char **out)
{
    char here[BOUND_PATH_MAX] = "";
    *out = NULL;
    if (path[0] != '/' && !getcwd(here, sizeof here))
        return fail_errno(errno, "%s: working directory", path);
    char *text = dir_join(a, here, path, NULL);
    char *end = text;
    Str rest = str_of(text), piece;
    /* The result is never longer than what was read, so it is built in place. */
    while (str_split(&rest, '/', &piece)) {
        if (piece.size == 0 || str_is(piece, ".")) continue;
        if (str_is(piece, "..")) {
            while (end > text && *--end != '/') {}
            continue;
        }
        *end++ = '/';
        memmove(end, piece.data, piece.size);
        end += piece.size;
    }
    if (end == text) *end++ = '/';
    *end = 0;
    *out = text;
    return E_OK;
}

Err dir_resolve(const char *path, Arena *a, char **out)
{
    char found[PATH_MAX];
    *out = NULL;
    if (realpath(path, found) == NULL) return failed(path, "resolve");
    *out = arena_text(a, found, strlen(found));
    return E_OK;
}
