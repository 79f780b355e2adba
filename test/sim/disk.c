/*
 * disk: see disk.h.
 *
 * The model: a Node is a file, folder or link. A folder's `names` are what lookups see; `durable`
 * what the device holds; `open` lists the changes of names between the two, in order. A file has
 * its durable bytes and the writes since. A failed sync loses the writes for good (the kernel
 * marks the pages clean); forgetting the cache (posix_fadvise) then shows the device's bytes.
 *
 * Only what lies below the folder is modelled. The page that processes share is changed through a
 * mapping, which the model does not see: at a power cut it holds what it held at a past moment.
 */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/prng.h"
#include "os/dir.h"
#include "os/fault.h"

#define FDS_MAX   4096
#define TEXT_MAX  4096
#define NAMES_MAX 256

typedef enum { NODE_FILE, NODE_FOLDER, NODE_LINK } NodeKind;

typedef struct Node Node;

/* A name in a folder. */
typedef struct Name {
    struct Name *next;
    char *name;
    Node *node;
} Name;

/* A change of names that is not durable: `name` leads to `node` (NULL: it is gone), and `old`, if
 * any, is gone (a rename). */
typedef struct Change {
    struct Change *next;
    char *name, *old;
    Node *node;
} Change;

/* A write that is not durable. */
typedef struct Write {
    struct Write *next;
    u64 at, size;
    u8 *data; /* NULL: zeros */
    bool cut; /* the file ends at `at`; else it is at least that long (size 0) or written */
} Write;

struct Node {
    NodeKind kind;
    char *target; /* of a link */
    Name *names, *durable;
    Change *open, **open_end;
    u8 *data; /* durable bytes */
    u64 size, room;
    Write *writes, **writes_end;
    bool lost;   /* the cache differs from device and writes */
    u8 *page;    /* of a shared page: its bytes at a past moment */
    char *built; /* while the folder is rebuilt: where it stands */
};

static struct {
    char folder[PATH_MAX];
    u64 folder_size;
    Node *root;
    Prng prng;
    u64 changes, syncs, free_bytes;
    bool on, full, power_gone, trace;
    Process *owner[FDS_MAX];
    Node *node[FDS_MAX];
} disk;

static void *make(u64 size)
{
    void *p = calloc(1, size + 1);
    if (p == NULL) abort();
    return p;
}

static char *copy_text(const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL) abort();
    return copy;
}

static u64 below(u64 bound) { return prng_below(&disk.prng, bound); }

/* ---- names */

static Node *node_make(NodeKind kind)
{
    Node *n = make(sizeof *n);
    n->kind = kind;
    n->open_end = &n->open;
    n->writes_end = &n->writes;
    return n;
}

static Name **find_name(Name **names, const char *name, u64 size)
{
    for (; *names != NULL; names = &(*names)->next)
        if (strncmp((*names)->name, name, size) == 0 && (*names)->name[size] == 0) break;
    return names;
}

/* Lets a name lead to a node, or be gone. */
static void set_name(Name **names, const char *name, Node *node)
{
    Name **at = find_name(names, name, strlen(name)), *found = *at;
    if (node == NULL) {
        if (found == NULL) return;
        *at = found->next;
        free(found->name);
        free(found);
        return;
    }
    if (found == NULL) {
        found = *at = make(sizeof *found);
        found->name = copy_text(name);
    }
    found->node = node;
}

/* A path below the folder, without it; NULL for others. */
static const char *inside(const char *path)
{
    if (!disk.on || strncmp(path, disk.folder, disk.folder_size) != 0) return NULL;
    path += disk.folder_size;
    return *path == '/' || *path == 0 ? path : NULL;
}

/* The node of a path by its current names, and the folder and last piece of it. */
static Node *find(const char *path, Node **folder, const char **last)
{
    const char *at = inside(path);
    Node *n = disk.root, *above = NULL;
    *folder = NULL;
    *last = "";
    while (at != NULL && *at != 0) {
        while (*at == '/')
            at++;
        u64 size = strcspn(at, "/");
        if (size == 0) break;
        if (n == NULL || n->kind != NODE_FOLDER) return *folder = NULL;
        above = n;
        *last = at;
        *folder = above;
        Name **found = find_name(&above->names, at, size);
        n = *found == NULL ? NULL : (*found)->node;
        at += size;
    }
    return at == NULL ? NULL : n;
}

static Node *node_at(const char *path)
{
    Node *folder;
    const char *last;
    return find(path, &folder, &last);
}

static void note_change(Node *folder, const char *name, const char *old, Node *node)
{
    Change *c = make(sizeof *c);
    c->name = copy_text(name);
    c->old = old == NULL ? NULL : copy_text(old);
    c->node = node;
    *folder->open_end = c;
    folder->open_end = &c->next;
    if (old != NULL) set_name(&folder->names, old, NULL);
    set_name(&folder->names, name, node);
}

static void apply_change(Node *folder, const Change *c)
{
    if (c->old != NULL) set_name(&folder->durable, c->old, NULL);
    set_name(&folder->durable, c->name, c->node);
}

static void drop_changes(Node *folder)
{
    for (Change *c = folder->open, *next; c != NULL; c = next) {
        next = c->next;
        free(c->name);
        free(c->old);
        free(c);
    }
    folder->open = NULL;
    folder->open_end = &folder->open;
}

/* Notes that a path now leads to a new node of a kind. */
static Node *note_made(const char *path, NodeKind kind)
{
    Node *folder;
    const char *last;
    find(path, &folder, &last);
    if (folder == NULL) return NULL;
    Node *n = node_make(kind);
    note_change(folder, last, NULL, n);
    return n;
}

static void note_gone(const char *path)
{
    Node *folder;
    const char *last;
    if (find(path, &folder, &last) != NULL && folder != NULL) note_change(folder, last, NULL, NULL);
}

/* ---- bytes */

static void note_write(Node *n, const void *data, u64 size, u64 at, bool cut)
{
    Write *w = make(sizeof *w);
    w->at = at;
    w->size = size;
    w->cut = cut;
    const u8 *from = data;
    bool zeros = size > 64 && from[0] == 0 && memcmp(from, from + 1, size - 1) == 0;
    if (size > 0 && !zeros) {
        w->data = make(size);
        memcpy(w->data, data, size);
    }
    *n->writes_end = w;
    n->writes_end = &w->next;
}

static void set_size(Node *n, u64 size)
{
    if (size > n->room) {
        u64 room = MAX(size, 4096);
        u8 *data = realloc(n->data, room);
        if (data == NULL) abort();
        n->data = data;
        n->room = room;
    }
    if (size > n->size) memset(n->data + n->size, 0, size - n->size);
    n->size = size;
}

/* The first `size` bytes of a write reach the device. */
static void apply_write(Node *n, const Write *w, u64 size)
{
    if (w->cut) {
        set_size(n, w->at);
        return;
    }
    if (w->at + size > n->size) set_size(n, w->at + size);
    if (size == 0) return;
    if (w->data != NULL)
        memcpy(n->data + w->at, w->data, size);
    else
        memset(n->data + w->at, 0, size);
}

static void drop_writes(Node *n)
{
    for (Write *w = n->writes, *next; w != NULL; w = next) {
        next = w->next;
        free(w->data);
        free(w);
    }
    n->writes = NULL;
    n->writes_end = &n->writes;
}

static bool is_page(const char *path)
{
    u64 size = strlen(path);
    return size > 8 && strcmp(path + size - 8, "/durable") == 0;
}

static void sync_node(Node *n)
{
    if (n->kind == NODE_FOLDER) {
        for (const Change *c = n->open; c != NULL; c = c->next)
            apply_change(n, c);
        drop_changes(n);
        return;
    }
    for (const Write *w = n->writes; w != NULL; w = w->next)
        apply_write(n, w, w->size);
    drop_writes(n);
}

/* A sync failed: bytes that were not durable never will be. Names stay open: they go through the
 * journal, which is written again or never again. */
static void lose(Node *n)
{
    if (n == NULL || n->kind == NODE_FOLDER) return;
    n->lost = n->writes != NULL;
    drop_writes(n);
}

/* ---- faults */

void disk_init(const char *folder, u64 seed)
{
    prng_init(&disk.prng, seed * 2 + 77);
    snprintf(disk.folder, sizeof disk.folder, "%s", folder);
    disk.folder_size = strlen(folder);
    disk.root = node_make(NODE_FOLDER);
    disk.free_bytes = 100ull << 30;
    disk.trace = getenv("SIM_TRACE") != NULL;
    disk.on = true;
}

u64 disk_changes(void) { return disk.changes; }

u64 disk_syncs(void) { return disk.syncs; }

void disk_space(u64 free_bytes, bool full)
{
    disk.free_bytes = free_bytes;
    disk.full = full;
}

bool disk_power_gone(void) { return disk.power_gone; }

Err fault_init(const char *role)
{
    (void)role;
    return E_OK;
}

void fault_tell(const FaultChange *c) { (void)c; }

static void kill_all(void)
{
    Process *self = fibers_process();
    LIST_EACH(it, fibers_all())
    {
        Process *p = LIST_ENTRY(it, Process, link);
        if (p != self) fibers_kill(p, SIGKILL);
    }
    if (self != NULL) fibers_kill(self, SIGKILL);
}

/* Whether a change needs room on the device: not when a file that is there is opened. */
static bool takes_room(const char *call, const char *path)
{
    if (strcmp(call, "open") == 0) return node_at(path) == NULL;
    return strcmp(call, "pwrite") == 0 || strcmp(call, "fallocate") == 0 ||
           strcmp(call, "mkdir") == 0 || strcmp(call, "symlink") == 0;
}

/* What the process's own plan says to this change. */
static FaultVerdict spoil(Process *p, bool sync, u64 size)
{
    FaultVerdict v = {.size = size};
    Spoil *s = &p->spoil;
    if (s->kind == SPOIL_NONE || (s->syncs && !sync)) return v;
    if (s->at > 1) {
        s->at--;
        return v;
    }
    s->met = true;
    if (s->kind == SPOIL_POWER) disk.power_gone = true;
    if (s->kind == SPOIL_POWER) kill_all();
    if (s->kind == SPOIL_KILL) fibers_kill(p, SIGKILL);
    if (s->kind == SPOIL_ERROR) v.error = s->error;
    if (s->kind == SPOIL_SHORT) v.size = MIN(size, MAX(size / 2, 1));
    if (s->kind == SPOIL_ERROR) p->failed = true;
    if (!s->lasting) s->kind = SPOIL_NONE;
    return v;
}

FaultVerdict fault_point(const char *call, const char *path, u64 size)
{
    FaultVerdict v = {.size = size};
    Process *p = fibers_process();
    bool sync = strcmp(call, "fdatasync") == 0 || strcmp(call, "fsync") == 0;
    if (p == NULL) return v;
    fibers_pause();
    disk.changes++;
    p->changes++;
    if (sync) disk.syncs++;
    v = spoil(p, sync, size);
    if (v.error == 0 && disk.full && takes_room(call, path)) {
        v.error = ENOSPC;
        p->failed = true;
    }
    if (disk.trace)
        fprintf(stderr, "%llu %s %s %s%s%s\n", (unsigned long long)disk.changes, p->name, call,
                path, v.error != 0 ? ": " : "", v.error != 0 ? strerrorname_np(v.error) : "");
    if (v.error != 0 && sync) lose(node_at(path));
    fibers_changed();
    return v;
}

/* ---- the kernel's calls */

static void own(int fd, Node *node)
{
    ASSERT(fd < FDS_MAX);
    disk.owner[fd] = fibers_process();
    disk.node[fd] = node;
}

static int opened(int fd, const char *path, int flags, bool absent)
{
    if (fd < 0 || !disk.on) return fd;
    Node *n = inside(path) == NULL ? NULL : node_at(path);
    if (fd >= 0 && absent && (flags & O_CREAT) != 0) n = note_made(path, NODE_FILE);
    if (n != NULL && (flags & O_TRUNC) != 0) note_write(n, NULL, 0, 0, true);
    own(fd, n);
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = (flags & O_CREAT) != 0 ? va_arg(args, int) : 0;
    va_end(args);
    /* Not elsewhere: a library that opens a device of the system may hold a lock of its own. */
    bool ours = inside(path) != NULL;
    if (ours && fibers_process() != NULL) {
        fibers_pause();
        fibers_changed();
    }
    bool absent = ours && node_at(path) == NULL;
    return opened((int)syscall(SYS_openat, AT_FDCWD, path, flags, mode), path, flags, absent);
}

/* The path of a name below an open folder. */
static const char *path_at(int folder, const char *name, char *out)
{
    char link[64];
    if (folder == AT_FDCWD || name[0] == '/') return name;
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t size = readlink(link, out, TEXT_MAX - NAMES_MAX - 2);
    if (size < 0) return name;
    snprintf(out + size, NAMES_MAX + 2, "/%s", name);
    return out;
}

int openat(int folder, const char *name, int flags, ...)
{
    char text[TEXT_MAX];
    int fd = (int)syscall(SYS_openat, folder, name, flags, 0);
    return opened(fd, path_at(folder, name, text), flags, false);
}

int close(int fd)
{
    if (fd >= 0 && fd < FDS_MAX) {
        disk.owner[fd] = NULL;
        disk.node[fd] = NULL;
    }
    return (int)syscall(SYS_close, fd);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    ssize_t n = syscall(SYS_pwrite64, fd, data, size, at);
    Node *node = fd < FDS_MAX ? disk.node[fd] : NULL;
    if (n > 0 && node != NULL) note_write(node, data, (u64)n, (u64)at, false);
    return n;
}

int fdatasync(int fd)
{
    Node *n = disk.node[fd];
    if (n != NULL) sync_node(n);
    return 0;
}

int fsync(int fd) { return fdatasync(fd); }

int ftruncate(int fd, off_t size)
{
    int rc = (int)syscall(SYS_ftruncate, fd, size);
    if (rc == 0 && disk.node[fd] != NULL) note_write(disk.node[fd], NULL, 0, (u64)size, true);
    return rc;
}

int fallocate(int fd, int mode, off_t at, off_t size)
{
    int rc = (int)syscall(SYS_fallocate, fd, mode, at, size);
    if (rc == 0 && disk.node[fd] != NULL)
        note_write(disk.node[fd], NULL, 0, (u64)(at + size), false);
    return rc;
}

int posix_fadvise(int fd, off_t at, off_t size, int advice)
{
    Node *n = disk.node[fd];
    (void)at;
    (void)size;
    if (n == NULL || !n->lost || advice != POSIX_FADV_DONTNEED) return 0;
    /* Clean pages go; what is read next comes from the device, and from writes since. */
    char link[64], path[TEXT_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) abort();
    path[length] = 0;
    int out = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY, 0);
    if (out < 0) abort();
    Node shown = {.data = make(n->size), .size = n->size, .room = n->size};
    memcpy(shown.data, n->data, n->size);
    for (const Write *w = n->writes; w != NULL; w = w->next)
        apply_write(&shown, w, w->size);
    if (syscall(SYS_pwrite64, out, shown.data, shown.size, 0) != (ssize_t)shown.size) abort();
    if (syscall(SYS_ftruncate, out, shown.size) != 0) abort();
    syscall(SYS_close, out);
    free(shown.data);
    n->lost = false;
    return 0;
}

int rename(const char *from, const char *to)
{
    Node *folder, *other;
    const char *name, *old;
    Node *n = find(from, &other, &old);
    char old_name[NAMES_MAX];
    int rc = (int)syscall(SYS_rename, from, to);
    if (rc != 0 || n == NULL) return rc;
    find(to, &folder, &name);
    ASSERT(folder == other);
    snprintf(old_name, sizeof old_name, "%s", old);
    note_change(folder, name, old_name, n);
    return rc;
}

int mkdir(const char *path, mode_t mode)
{
    int rc = (int)syscall(SYS_mkdir, path, mode);
    if (rc == 0) note_made(path, NODE_FOLDER);
    return rc;
}

int symlink(const char *target, const char *path)
{
    int rc = (int)syscall(SYS_symlink, target, path);
    Node *n = rc == 0 ? note_made(path, NODE_LINK) : NULL;
    if (n != NULL) n->target = copy_text(target);
    return rc;
}

/* `flags` ask for links to be followed; what is linked here is never one. */
int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    Node *folder, *n = node_at(from);
    const char *last;
    ASSERT(from_folder == AT_FDCWD && to_folder == AT_FDCWD);
    ASSERT(n == NULL || n->kind == NODE_FILE);
    int rc = (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
    if (rc != 0 || n == NULL) return rc;
    find(to, &folder, &last);
    note_change(folder, last, NULL, n);
    return rc;
}

int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlink(const char *path)
{
    int rc = (int)syscall(SYS_unlink, path);
    if (rc == 0) note_gone(path);
    return rc;
}

int rmdir(const char *path)
{
    int rc = (int)syscall(SYS_rmdir, path);
    if (rc == 0) note_gone(path);
    return rc;
}

int unlinkat(int folder, const char *name, int flags)
{
    char text[TEXT_MAX];
    const char *path = path_at(folder, name, text);
    int rc = (int)syscall(SYS_unlinkat, folder, name, flags);
    if (rc == 0) note_gone(path);
    return rc;
}

int statvfs(const char *path, struct statvfs *st)
{
    (void)path;
    memset(st, 0, sizeof *st);
    st->f_frsize = st->f_bsize = 4096;
    st->f_blocks = (100ull << 30) / 4096;
    st->f_bavail = st->f_bfree = disk.free_bytes / 4096;
    return 0;
}

bool disk_name_durable(const char *path)
{
    char above[PATH_MAX];
    Node *folder;
    const char *last;
    Node *n = find(path, &folder, &last);
    if (folder == NULL) return n != NULL; /* the folder of all, which is always there */
    for (const Change *c = folder->open; c != NULL; c = c->next)
        if (strcmp(c->name, last) == 0 || (c->old != NULL && strcmp(c->old, last) == 0))
            return false;
    snprintf(above, sizeof above, "%.*s", (int)(last - path - 1), path);
    return disk_name_durable(above);
}

static void settle(Node *n)
{
    sync_node(n);
    for (Name *e = n->names; e != NULL; e = e->next)
        settle(e->node);
}

void disk_settle(void) { settle(disk.root); }

void disk_process_gone(Process *p)
{
    for (int fd = 0; fd < FDS_MAX; fd++)
        if (disk.owner[fd] == p) close(fd);
}

/* ---- power */

/* How much of what is open survives. */
typedef enum { KEEP_NONE, KEEP_ALL, KEEP_FIRST, KEEP_SOME, KEEP_KINDS } Keep;

static void cut_names(Node *n, Keep keep)
{
    u64 count = 0, i = 0;
    for (const Change *c = n->open; c != NULL; c = c->next)
        count++;
    u64 first = below(count + 1);
    for (const Change *c = n->open; c != NULL; c = c->next, i++) {
        bool stays = keep == KEEP_ALL || (keep == KEEP_FIRST && i < first) ||
                     (keep == KEEP_SOME && below(2) == 0);
        if (stays) apply_change(n, c);
    }
    drop_changes(n);
}

/* Writes may be missing, late, or torn at a sector. */
static void cut_bytes(Node *n, Keep keep)
{
    u64 count = 0, i = 0;
    for (const Write *w = n->writes; w != NULL; w = w->next)
        count++;
    u64 first = below(count + 1);
    for (const Write *w = n->writes; w != NULL; w = w->next, i++) {
        bool stays = keep == KEEP_ALL || (keep == KEEP_FIRST && i < first) ||
                     (keep == KEEP_SOME && below(2) == 0);
        u64 size = w->size;
        if (keep == KEEP_SOME && size > 512 && below(4) == 0) size = below(size / 512) * 512;
        if (stays) apply_write(n, w, size);
    }
    drop_writes(n);
}

static Keep choose(Keep all)
{
    if (all != KEEP_KINDS) return all;
    return (Keep)below(KEEP_KINDS);
}

/* The names that stay, all the way down; then the bytes of files that have a name. */
static void cut_below(Node *n, Keep all)
{
    cut_names(n, choose(all));
    n->names = NULL;
    for (const Name *e = n->durable; e != NULL; e = e->next) {
        if (e->node->kind == NODE_FOLDER) cut_below(e->node, all);
        if (e->node->kind == NODE_FILE) cut_bytes(e->node, choose(all));
        e->node->lost = false;
        set_name(&n->names, e->name, e->node);
    }
}

static void remove_tree(const char *path)
{
    bool on = disk.on;
    disk.on = false; /* this is not a change that the model sees */
    if (dir_remove_all(path) != E_OK) abort();
    disk.on = on;
}

/* Writes the durable tree below a path. */
static void build(Node *n, const char *path)
{
    char text[PATH_MAX];
    if (syscall(SYS_mkdir, path, 0750) != 0 && errno != EEXIST) abort();
    for (const Name *e = n->durable; e != NULL; e = e->next) {
        Node *child = e->node;
        if (snprintf(text, sizeof text, "%s/%s", path, e->name) >= (int)sizeof text) abort();
        if (child->kind == NODE_FOLDER) {
            build(child, text);
        } else if (child->kind == NODE_LINK) {
            if (syscall(SYS_symlink, child->target, text) != 0) abort();
        } else if (child->built != NULL) {
            if (syscall(SYS_link, child->built, text) != 0) abort();
        } else {
            int fd = (int)syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT, 0640);
            u64 size = child->size;
            if (fd < 0 ||
                (size > 0 && syscall(SYS_pwrite64, fd, child->data, size, 0) != (ssize_t)size))
                abort();
            syscall(SYS_close, fd);
            child->built = copy_text(text);
        }
    }
}

static void forget_built(Node *n)
{
    for (const Name *e = n->durable; e != NULL; e = e->next) {
        if (e->node->kind == NODE_FOLDER) forget_built(e->node);
        free(e->node->built);
        e->node->built = NULL;
    }
}

/* The shared page as it is now, or as it was when it was last written out. */
static void take_page(Node *n, const char *path)
{
    u8 now[4096];
    if (n->kind != NODE_FILE || n->size < sizeof now || below(3) == 0) return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, 0);
    if (fd >= 0 && syscall(SYS_pread64, fd, now, sizeof now, 0) == (ssize_t)sizeof now)
        memcpy(n->data, now, sizeof now);
    if (fd >= 0) syscall(SYS_close, fd);
}

static void take_pages(Node *n, const char *path)
{
    char text[PATH_MAX];
    for (const Name *e = n->names; e != NULL; e = e->next) {
        if (snprintf(text, sizeof text, "%s/%s", path, e->name) >= (int)sizeof text) abort();
        if (e->node->kind == NODE_FOLDER) take_pages(e->node, text);
        if (is_page(text)) take_page(e->node, text);
    }
}

void disk_power_cut(void)
{
    if (disk.trace) fprintf(stderr, "--- power\n");
    kill_all();
    take_pages(disk.root, disk.folder);
    cut_below(disk.root, (Keep)below(KEEP_KINDS + 1));
    remove_tree(disk.folder);
    build(disk.root, disk.folder);
    forget_built(disk.root);
    disk.power_gone = false;
}

void disk_remove(void)
{
    remove_tree(disk.folder);
    disk.on = false;
}
