/*
 * disk: the recorder and the model of a device behind disk.h.
 *
 * Record: inodes (folders, files, links), entries (folder, name -> inode) as they stand live, and
 * events that speak of inodes, so that what happens to a file after its rename is still its own. A
 * file is known by its inode number, from the descriptor that the event carries.
 *
 * Replay: durable entries and contents, and what is open: changes of names that no sync of their
 * folder has covered, contents that no sync of the file has. A state is a choice for each: taken or
 * not; a file's open contents can besides come as zeros of the right size, or page by page.
 *
 * What an event's contents are: pages of 4096 bytes of which each may be old, new or zeros. Zeros
 * are not kept (data NULL), as log files are written with them first.
 */
#include "crash/disk.h"

#include "base/str.h"
#include "os/dir.h"
#include "os/fault.h"

#include <dirent.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NONE UINT32_MAX

enum { PAGE = 4096, FRAMES = 12, WINDOW = 12, ALL_BITS = 6, CHANCE = 6 };

typedef enum { IS_FOLDER, IS_FILE, IS_LINK } InodeKind;

typedef struct {
    InodeKind kind;
    u64 number; /* the kernel's, of files */
    char *text; /* of a link */
    u8 *data;   /* at the start of the record */
    u64 size;
} Inode;

typedef struct {
    u32 folder, name, inode;
} Entry;

typedef struct {
    Entry *at;
    u64 count, room;
} Entries;

/* EV_NAME: `old` (name NONE = none) goes, `entry` (inode NONE = none) comes; both are one
 * change. */
typedef enum { EV_NAME, EV_DATA, EV_SIZE, EV_SYNC, EV_FOLDER, EV_LOST, EV_MARK } EventKind;

typedef struct {
    EventKind kind;
    FaultCall call;
    Entry old, entry;
    u32 inode;
    u32 site;
    u64 at, size; /* EV_SIZE: size, cut when at is 1; EV_MARK: the number in `size` */
    u8 *data;     /* NULL = zeros */
} Event;

typedef struct {
    void *frame[FRAMES];
    int depth;
    u64 first, count;
    char what[160];
} Site;

struct Disk {
    char root[512];
    Inode *inodes;
    u64 inode_count, inode_room;
    char **names;
    u64 name_count, name_room;
    Entries live, start;
    Event *events;
    u64 event_count, event_room;
    Site *sites;
    u64 site_count, site_room;
    u64 syncs;
    pthread_mutex_t lock;
};

static void *more(void *list, u64 count, u64 *room, u64 size)
{
    if (count < *room) return list;
    *room = *room * 2 + 64;
    void *grown = realloc(list, *room * size);
    ASSERT(grown != NULL);
    return grown;
}

/* ---- names and entries */

static u32 name_id(Disk *d, const char *text, u64 size)
{
    for (u64 i = 0; i < d->name_count; i++)
        if (strlen(d->names[i]) == size && memcmp(d->names[i], text, size) == 0) return (u32)i;
    d->names = more(d->names, d->name_count, &d->name_room, sizeof *d->names);
    d->names[d->name_count] = strndup(text, size);
    return (u32)d->name_count++;
}

static Entry *find(const Entries *e, u32 folder, u32 name)
{
    for (u64 i = 0; i < e->count; i++)
        if (e->at[i].name == name && e->at[i].folder == folder) return &e->at[i];
    return NULL;
}

static void put(Entries *e, Entry entry)
{
    Entry *there = find(e, entry.folder, entry.name);
    if (there != NULL) {
        there->inode = entry.inode;
        return;
    }
    e->at = more(e->at, e->count, &e->room, sizeof *e->at);
    e->at[e->count++] = entry;
}

static void take(Entries *e, u32 folder, u32 name)
{
    Entry *there = find(e, folder, name);
    if (there != NULL) *there = e->at[--e->count];
}

static void copy_entries(Entries *to, const Entries *from)
{
    if (to->room < from->count) {
        to->room = from->count + 64;
        to->at = realloc(to->at, to->room * sizeof *to->at);
        ASSERT(to->at != NULL);
    }
    if (from->count) memcpy(to->at, from->at, from->count * sizeof *from->at);
    to->count = from->count;
}

static void change_names(Entries *e, const Event *v)
{
    if (v->old.name != NONE) {
        const Entry *there = find(e, v->old.folder, v->old.name);
        /* A rename whose source was replaced meanwhile takes only what it took then. */
        bool other = v->call == FAULT_RENAME && there != NULL && there->inode != v->entry.inode;
        if (!other) take(e, v->old.folder, v->old.name);
    }
    if (v->entry.inode != NONE) put(e, v->entry);
}

static u32 new_inode(Disk *d, InodeKind kind)
{
    d->inodes = more(d->inodes, d->inode_count, &d->inode_room, sizeof *d->inodes);
    d->inodes[d->inode_count] = (Inode){.kind = kind};
    return (u32)d->inode_count++;
}

/* Walks to a path: its folder and last name; false when it does not lie below the root. */
static bool walk(Disk *d, const char *path, u32 *folder, u32 *name)
{
    u64 n = strlen(d->root);
    if (strncmp(path, d->root, n) != 0 || path[n] != '/') return false;
    *folder = 0;
    for (const char *p = path + n + 1;;) {
        const char *slash = strchr(p, '/');
        *name = name_id(d, p, slash ? (u64)(slash - p) : strlen(p));
        if (!slash) return true;
        const Entry *e = find(&d->live, *folder, *name);
        if (e == NULL || d->inodes[e->inode].kind != IS_FOLDER) return false;
        *folder = e->inode;
        p = slash + 1;
    }
}

static u32 inode_at(Disk *d, const char *path)
{
    u32 folder, name;
    if (strcmp(path, d->root) == 0) return 0;
    if (!walk(d, path, &folder, &name)) return NONE;
    const Entry *e = find(&d->live, folder, name);
    return e == NULL ? NONE : e->inode;
}

static u32 inode_of_fd(const Disk *d, int fd)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) return NONE;
    for (u64 i = d->inode_count; i-- > 0;) /* a number may be used again: the newest counts */
        if (d->inodes[i].kind == IS_FILE && d->inodes[i].number == st.st_ino) return (u32)i;
    return NONE;
}

/* ---- the start */

static u8 *load_file(const char *path, u64 *size, u64 *number)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ASSERT(fd >= 0 && fstat(fd, &st) == 0);
    u8 *data = calloc(1, (u64)st.st_size + 1);
    ASSERT(data != NULL && read(fd, data, (size_t)st.st_size) == st.st_size);
    close(fd);
    *size = (u64)st.st_size;
    *number = st.st_ino;
    return data;
}

static void load_folder(Disk *d, const char *path, u32 folder)
{
    DIR *dir = opendir(path);
    ASSERT(dir != NULL);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char below[1024], text[1024];
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        snprintf(below, sizeof below, "%s/%s", path, e->d_name);
        ASSERT(lstat(below, &st) == 0);
        u32 inode = new_inode(d, S_ISDIR(st.st_mode)   ? IS_FOLDER
                                 : S_ISLNK(st.st_mode) ? IS_LINK
                                                       : IS_FILE);
        put(&d->live, (Entry){folder, name_id(d, e->d_name, strlen(e->d_name)), inode});
        if (S_ISDIR(st.st_mode)) {
            load_folder(d, below, inode);
        } else if (S_ISLNK(st.st_mode)) {
            ssize_t n = readlink(below, text, sizeof text - 1);
            ASSERT(n >= 0);
            d->inodes[inode].text = strndup(text, (size_t)n);
        } else {
            u64 size, number;
            u8 *data = load_file(below, &size, &number);
            d->inodes[inode].data = data;
            d->inodes[inode].size = size;
            d->inodes[inode].number = number;
        }
    }
    closedir(dir);
}

/* ---- events */

static Event *add_event(Disk *d, EventKind kind, FaultCall call)
{
    d->events = more(d->events, d->event_count, &d->event_room, sizeof *d->events);
    Event *v = &d->events[d->event_count++];
    *v = (Event){.kind = kind, .call = call, .inode = NONE, .site = NONE};
    v->old = v->entry = (Entry){NONE, NONE, NONE};
    return v;
}

static bool is_zeros(const u8 *data, u64 size)
{
    return size > 0 && data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

static void add_data(Disk *d, u32 inode, const void *data, u64 size, u64 at)
{
    Event *v = add_event(d, EV_DATA, FAULT_WRITE);
    v->inode = inode;
    v->at = at;
    v->size = size;
    if (is_zeros(data, size)) return;
    v->data = malloc(size);
    ASSERT(v->data != NULL);
    memcpy(v->data, data, size);
}

static void add_size(Disk *d, u32 inode, u64 size, bool cut)
{
    Event *v = add_event(d, EV_SIZE, cut ? FAULT_TRUNCATE : FAULT_ALLOCATE);
    v->inode = inode;
    v->size = size;
    v->at = cut;
}

/* A name that comes, with what it leads to. */
static void add_name(Disk *d, FaultCall call, u32 folder, u32 name, u32 inode)
{
    Event *v = add_event(d, EV_NAME, call);
    v->entry = (Entry){folder, name, inode};
    put(&d->live, v->entry);
}

static void add_gone(Disk *d, FaultCall call, u32 folder, u32 name)
{
    Event *v = add_event(d, EV_NAME, call);
    v->old = (Entry){folder, name, NONE};
    take(&d->live, folder, name);
}

/* The path without what changes from run to run: numbers become N. */
static void shape(const Disk *d, const char *path, char *out, u64 room)
{
    u64 n = 0;
    for (const char *p = path + MIN(strlen(path), strlen(d->root) + 1); *p && n + 2 < room;) {
        if (*p >= '0' && *p <= '9') {
            while ((*p >= '0' && *p <= '9') || *p == '.')
                p++;
            out[n++] = 'N';
        } else {
            out[n++] = *p++;
        }
    }
    out[n] = 0;
}

/* The place in the program that syncs: the calls that led to it, as far as they tell. */
static u32 site_of(Disk *d, const FaultChange *c)
{
    void *frames[FRAMES + 4];
    int depth = backtrace(frames, FRAMES + 4) - 4; /* ours and os/'s go */
    depth = MAX(depth, 0);
    for (u64 i = 0; i < d->site_count; i++) {
        Site *s = &d->sites[i];
        if (s->depth == depth && memcmp(s->frame, frames + 4, (u64)depth * sizeof *frames) == 0) {
            s->count++;
            return (u32)i;
        }
    }
    d->sites = more(d->sites, d->site_count, &d->site_room, sizeof *d->sites);
    Site *s = &d->sites[d->site_count];
    *s = (Site){.depth = depth, .first = d->event_count, .count = 1};
    memcpy(s->frame, frames + 4, (u64)depth * sizeof *frames);
    char path[140];
    shape(d, c->path, path, sizeof path);
    snprintf(s->what, sizeof s->what, "%s %s", c->call == FAULT_FOLDER ? "folder" : "file", path);
    return (u32)d->site_count++;
}

static void on_file(Disk *d, const FaultChange *c)
{
    u32 folder, name, inode = inode_of_fd(d, c->fd);
    struct stat st;
    switch (c->call) {
    case FAULT_OPEN:
        if (!walk(d, c->path, &folder, &name)) return;
        if (inode_at(d, c->path) == NONE) {
            ASSERT(fstat(c->fd, &st) == 0);
            inode = new_inode(d, IS_FILE);
            d->inodes[inode].number = st.st_ino;
            add_name(d, c->call, folder, name, inode);
        } else if (c->size) {
            add_size(d, inode, 0, true);
        }
        return;
    case FAULT_WRITE:
        if (inode != NONE) add_data(d, inode, c->data, c->size, c->at);
        return;
    case FAULT_TRUNCATE:
    case FAULT_ALLOCATE:
        if (inode != NONE) add_size(d, inode, c->size, c->call == FAULT_TRUNCATE);
        return;
    default: break;
    }
    if (inode == NONE) return;
    u32 site = site_of(d, c);
    Event *v = add_event(d, c->failed ? EV_LOST : EV_SYNC, c->call);
    v->inode = inode;
    v->site = site;
    d->syncs++;
}

static void on_name(Disk *d, const FaultChange *c)
{
    u32 folder, name, to_folder, to_name, inode = inode_at(d, c->path);
    if (c->call == FAULT_FOLDER) {
        if (inode == NONE) return;
        u32 site = site_of(d, c);
        Event *v = add_event(d, c->failed ? EV_LOST : EV_FOLDER, c->call);
        v->inode = inode;
        v->site = site;
        d->syncs++;
        return;
    }
    if (!walk(d, c->path, &folder, &name)) return;
    switch (c->call) {
    case FAULT_MKDIR: add_name(d, c->call, folder, name, new_inode(d, IS_FOLDER)); return;
    case FAULT_SYMLINK:
        inode = new_inode(d, IS_LINK);
        d->inodes[inode].text = strdup(c->to);
        add_name(d, c->call, folder, name, inode);
        return;
    case FAULT_LINK:
        if (walk(d, c->to, &to_folder, &to_name) && inode != NONE)
            add_name(d, c->call, to_folder, to_name, inode);
        return;
    case FAULT_RENAME:
        ASSERT(walk(d, c->to, &to_folder, &to_name) && inode != NONE);
        Event *v = add_event(d, EV_NAME, c->call);
        v->old = (Entry){folder, name, NONE};
        v->entry = (Entry){to_folder, to_name, inode};
        change_names(&d->live, v);
        return;
    case FAULT_UNLINK:
    case FAULT_RMDIR: add_gone(d, c->call, folder, name); return;
    default: ASSERT(false);
    }
}

static void on_change(void *arg, const FaultChange *c)
{
    Disk *d = arg;
    pthread_mutex_lock(&d->lock);
    bool file = c->call == FAULT_OPEN || c->call == FAULT_WRITE || c->call == FAULT_TRUNCATE ||
                c->call == FAULT_ALLOCATE || c->call == FAULT_SYNC;
    if (file)
        on_file(d, c);
    else
        on_name(d, c);
    pthread_mutex_unlock(&d->lock);
}

Disk *disk_record(const char *root)
{
    Disk *d = calloc(1, sizeof *d);
    ASSERT(d != NULL);
    snprintf(d->root, sizeof d->root, "%s", root);
    pthread_mutex_init(&d->lock, NULL);
    new_inode(d, IS_FOLDER);
    load_folder(d, root, 0);
    copy_entries(&d->start, &d->live);
    fault_watch(on_change, d);
    return d;
}

void disk_mark(Disk *d, u64 number) { add_event(d, EV_MARK, FAULT_OPEN)->size = number; }

void disk_mapped(Disk *d, const char *path)
{
    u64 size, number;
    u32 inode = inode_at(d, path);
    if (inode == NONE) return;
    u8 *data = load_file(path, &size, &number);
    add_data(d, inode, data, size, 0);
    free(data);
}

void disk_stop(Disk *d)
{
    (void)d;
    fault_watch(NULL, NULL);
}

u64 disk_events(const Disk *d) { return d->event_count; }

u64 disk_syncs(const Disk *d) { return d->syncs; }

void disk_free(Disk *d)
{
    for (u64 i = 0; i < d->inode_count; i++) {
        free(d->inodes[i].data);
        free(d->inodes[i].text);
    }
    for (u64 i = 0; i < d->event_count; i++)
        free(d->events[i].data);
    for (u64 i = 0; i < d->name_count; i++)
        free(d->names[i]);
    free(d->inodes);
    free(d->events);
    free(d->names);
    free(d->live.at);
    free(d->start.at);
    free(d->sites);
    free(d);
}

/* ---- replay */

typedef struct {
    u8 *data; /* durable; own copy once it differs from the start */
    u64 size, room;
    u32 *open; /* events */
    u64 open_count, open_room;
    u64 sum;      /* of `data`; 0 = not known */
    u64 taken[4]; /* sums with the open events, by Take; 0 = not known */
} Content;

typedef enum { TAKE_NONE, TAKE_ALL, TAKE_ZEROS, TAKE_PAGES } Take;

enum { STATES_MAX = 256, OPEN_MAX = 4096 };

struct DiskReplay {
    const Disk *d;
    DiskModel model;
    bool *without; /* by site; NULL = none is left out */
    u64 left_at;   /* the event at which a sync was left out last */
    u64 at, mark;
    Entries durable;
    Content *contents; /* by inode */
    u64 *open;         /* events of names that are not durable */
    u64 open_count, open_room;
    u32 dirty[OPEN_MAX]; /* inodes with open contents */
    u64 dirty_count;
    Prng prng;
    /* the choice */
    Entries names;
    u8 take_name[OPEN_MAX];
    u8 take_data[OPEN_MAX]; /* by place in `dirty` */
    u64 tear;               /* seed of page by page */
    u64 state_count;
    bool exhaustive;
    u64 picked[STATES_MAX];
    u32 *order; /* entries by folder */
    char text[2048];
};

static Content *content(DiskReplay *r, u32 inode) { return &r->contents[inode]; }

static void grow(Content *c, u64 size)
{
    if (size <= c->size) return;
    if (size > c->room) {
        c->room = round_up(size + size / 2, PAGE);
        c->data = realloc(c->data, c->room);
        ASSERT(c->data != NULL);
    }
    memset(c->data + c->size, 0, size - c->size);
    c->size = size;
}

/* Applies one change of contents wholly. */
static void apply_data(Content *c, const Event *v)
{
    if (v->kind == EV_SIZE) {
        if (v->at && v->size < c->size) c->size = v->size;
        grow(c, v->size);
        return;
    }
    grow(c, v->at + v->size);
    if (v->data)
        memcpy(c->data + v->at, v->data, v->size);
    else
        memset(c->data + v->at, 0, v->size);
}

static void clean(DiskReplay *r, u32 inode)
{
    content(r, inode)->open_count = 0;
    memset(content(r, inode)->taken, 0, sizeof content(r, inode)->taken);
    for (u64 i = 0; i < r->dirty_count; i++)
        if (r->dirty[i] == inode) {
            memmove(r->dirty + i, r->dirty + i + 1, (--r->dirty_count - i) * sizeof *r->dirty);
            return;
        }
}

static void sync_data(DiskReplay *r, u32 inode)
{
    Content *c = content(r, inode);
    for (u64 i = 0; i < c->open_count; i++)
        apply_data(c, &r->d->events[c->open[i]]);
    c->sum = 0;
    clean(r, inode);
}

/* The changes of names that a sync covers become durable, or are lost for good. */
static void settle_names(DiskReplay *r, u32 folder, bool all, bool lost)
{
    u64 left = 0;
    for (u64 i = 0; i < r->open_count; i++) {
        const Event *v = &r->d->events[r->open[i]];
        bool covered = all || (v->old.name != NONE && v->old.folder == folder) ||
                       (v->entry.inode != NONE && v->entry.folder == folder);
        if (!covered)
            r->open[left++] = r->open[i];
        else if (!lost)
            change_names(&r->durable, v);
    }
    r->open_count = left;
}

DiskReplay *disk_replay(const Disk *d, DiskModel model, u64 seed)
{
    DiskReplay *r = calloc(1, sizeof *r);
    ASSERT(r != NULL);
    r->d = d;
    r->model = model;
    r->left_at = UINT64_MAX;
    r->contents = calloc(d->inode_count + 1, sizeof *r->contents);
    ASSERT(r->contents != NULL);
    copy_entries(&r->durable, &d->start);
    for (u64 i = 0; i < d->inode_count; i++) {
        const Inode *n = &d->inodes[i];
        if (n->kind != IS_FILE || n->size == 0) continue;
        grow(&r->contents[i], n->size);
        memcpy(r->contents[i].data, n->data, n->size);
    }
    prng_init(&r->prng, seed);
    return r;
}

void disk_without(DiskReplay *r, u64 site)
{
    if (r->without == NULL) r->without = calloc(r->d->site_count + 1, sizeof *r->without);
    ASSERT(r->without != NULL);
    r->without[site] = true;
}

u64 disk_since(const DiskReplay *r)
{
    if (r->without == NULL) return 0;
    return r->left_at == UINT64_MAX ? UINT64_MAX : r->at - r->left_at;
}

static void open_data(DiskReplay *r, u32 inode, u64 event)
{
    Content *c = content(r, inode);
    if (c->open_count == 0) {
        ASSERT(r->dirty_count < OPEN_MAX);
        r->dirty[r->dirty_count++] = inode;
    }
    c->open = more(c->open, c->open_count, &c->open_room, sizeof *c->open);
    c->open[c->open_count++] = (u32)event;
    memset(c->taken, 0, sizeof c->taken);
}

bool disk_next(DiskReplay *r)
{
    if (r->at == r->d->event_count) return false;
    const Event *v = &r->d->events[r->at];
    bool left_out = v->site != NONE && r->without != NULL && r->without[v->site];
    switch (v->kind) {
    case EV_NAME:
        r->open = more(r->open, r->open_count, &r->open_room, sizeof *r->open);
        ASSERT(r->open_count < OPEN_MAX);
        r->open[r->open_count++] = r->at;
        break;
    case EV_DATA:
    case EV_SIZE: open_data(r, v->inode, r->at); break;
    case EV_SYNC:
    case EV_FOLDER:
        if (left_out) r->left_at = r->at;
        if (left_out) break;
        if (v->kind == EV_SYNC) sync_data(r, v->inode);
        if (v->kind == EV_FOLDER || r->model == DISK_ORDERED)
            settle_names(r, v->inode, r->model == DISK_ORDERED, false);
        break;
    case EV_LOST:
        /* the kernel forgets what it could not write and calls it clean (T6) */
        if (v->call == FAULT_SYNC) clean(r, v->inode);
        break;
    case EV_MARK: r->mark = v->size; break;
    }
    r->at++;
    return true;
}

u64 disk_at(const DiskReplay *r) { return r->at; }

u64 disk_marked(const DiskReplay *r) { return r->mark; }

/* ---- choosing a state */

static u64 mix(u64 h, u64 x)
{
    h = (h ^ x) * 0x9e3779b97f4a7c15ull;
    return h ^ h >> 29;
}

/* Sets what is taken: of `n` open things (changes of names first, then contents) those of a
 * subset. */
static void set_all(DiskReplay *r, bool on)
{
    memset(r->take_name, on, r->open_count);
    memset(r->take_data, on ? TAKE_ALL : TAKE_NONE, r->dirty_count);
}

/* The newest come first: thing 0 is the newest change of names. */
static void flip(DiskReplay *r, u64 thing)
{
    if (thing < r->open_count) {
        u8 *t = &r->take_name[r->open_count - 1 - thing];
        *t = !*t;
    } else {
        u8 *t = &r->take_data[r->dirty_count - 1 - (thing - r->open_count)];
        *t = *t == TAKE_NONE ? TAKE_ALL : TAKE_NONE;
    }
}

/* In the ordered model changes of names come up to a point. */
static void order_names(DiskReplay *r)
{
    if (r->model != DISK_ORDERED) return;
    u64 taken = 0;
    for (u64 i = 0; i < r->open_count; i++)
        taken += r->take_name[i];
    for (u64 i = 0; i < r->open_count; i++)
        r->take_name[i] = i < taken;
}

static void by_chance(DiskReplay *r)
{
    bool base = prng_below(&r->prng, 2) != 0;
    for (u64 i = 0; i < r->open_count; i++) {
        bool old = i + WINDOW < r->open_count;
        r->take_name[i] = old ? base : prng_below(&r->prng, 2) != 0;
    }
    for (u64 i = 0; i < r->dirty_count; i++)
        r->take_data[i] = (u8)prng_below(&r->prng, 4);
}

u64 disk_states(DiskReplay *r, u64 most)
{
    u64 n = r->open_count + r->dirty_count, all;
    r->exhaustive = n <= ALL_BITS;
    all = (r->exhaustive ? 1ull << n : 2 + 2 * (MIN(r->open_count, WINDOW) + r->dirty_count)) +
          (n ? CHANCE : 0);
    all = MIN(all, STATES_MAX);
    for (u64 i = 0; i < all; i++)
        r->picked[i] = i;
    r->state_count = most == 0 || most >= all ? all : most;
    /* A sample: none and all stay, others by chance. */
    for (u64 i = 2; r->state_count < all && i < r->state_count; i++) {
        u64 k = i + prng_below(&r->prng, all - i), swap = r->picked[i];
        r->picked[i] = r->picked[k];
        r->picked[k] = swap;
    }
    return r->state_count;
}

static void choose(DiskReplay *r, u64 scheme)
{
    u64 n = r->open_count + r->dirty_count, names = MIN(r->open_count, WINDOW);
    u64 things = names + r->dirty_count;
    r->tear = prng_next(&r->prng);
    if (r->exhaustive && scheme < 1ull << n) {
        set_all(r, false);
        u64 set = scheme == 1 ? (1ull << n) - 1 : scheme == (1ull << n) - 1 ? 1 : scheme;
        for (u64 i = 0; i < n; i++)
            if (set >> i & 1) flip(r, i);
    } else if (!r->exhaustive && scheme < 2 + 2 * things) {
        set_all(r, scheme % 2 != 0);
        u64 i = (scheme - 2) / 2;
        if (scheme >= 2) flip(r, i < names ? i : r->open_count + i - names);
    } else {
        by_chance(r);
    }
    order_names(r);
}

/* ---- trees that are known to be good */

enum { GOOD_SLOTS = 1 << 22 };

static u64 good_trees[GOOD_SLOTS];
static u64 good_count;

static u64 *good_slot(u64 tree, u64 mark)
{
    u64 key = mix(tree, mark) | 1, at = key % GOOD_SLOTS;
    while (good_trees[at] != 0 && good_trees[at] != key)
        at = (at + 1) % GOOD_SLOTS;
    return &good_trees[at];
}

void disk_good(u64 tree, u64 mark)
{
    u64 *slot = good_slot(tree, mark);
    if (*slot == 0 && ++good_count < GOOD_SLOTS / 2) *slot = mix(tree, mark) | 1;
}

bool disk_is_good(u64 tree, u64 mark) { return *good_slot(tree, mark) != 0; }

/* ---- building a state */

static u8 take_of(const DiskReplay *r, u32 inode)
{
    for (u64 i = 0; i < r->dirty_count; i++)
        if (r->dirty[i] == inode) return r->take_data[i];
    return TAKE_NONE;
}

/* Open contents page by page: old, new or zeros. */
static void tear(Content *c, const Event *v, Prng *p)
{
    if (v->kind == EV_SIZE) {
        if (prng_below(p, 2)) apply_data(c, v);
        return;
    }
    for (u64 at = v->at, end; at < v->at + v->size; at = end) {
        end = MIN(round_up(at + 1, PAGE), v->at + v->size);
        u64 what = prng_below(p, 8);
        if (what < 3) continue;
        grow(c, end);
        if (what == 3 || !v->data)
            memset(c->data + at, 0, end - at);
        else
            memcpy(c->data + at, v->data + (at - v->at), end - at);
    }
}

static void write_out(const char *path, const u8 *data, u64 size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    u64 used = size;
    while (used >= PAGE && is_zeros(data + used - PAGE, PAGE))
        used -= PAGE;
    ASSERT(fd >= 0 && write(fd, data, used) == (ssize_t)used);
    ASSERT(used == size || ftruncate(fd, (off_t)size) == 0);
    close(fd);
}

/* The contents that were chosen for a file: durable ones, or a copy with what is open. */
static const Content *chosen(DiskReplay *r, u32 inode, u8 take)
{
    static Content scratch;
    const Content *c = content(r, inode);
    Prng p;
    if (take == TAKE_NONE) return c;
    scratch.size = 0;
    grow(&scratch, c->size);
    if (c->size) memcpy(scratch.data, c->data, c->size);
    prng_init(&p, r->tear + inode);
    for (u64 i = 0; i < c->open_count; i++) {
        const Event *v = &r->d->events[c->open[i]];
        if (take == TAKE_ALL)
            apply_data(&scratch, v);
        else if (take == TAKE_ZEROS)
            grow(&scratch, v->kind == EV_SIZE ? v->size : v->at + v->size);
        else
            tear(&scratch, v, &p);
    }
    return &scratch;
}

static u64 bytes_sum(const u8 *data, u64 size)
{
    u64 h = mix(3, size), word = 0, i = 0;
    for (; i + 8 <= size; i += 8) {
        memcpy(&word, data + i, 8);
        h = mix(h, word);
    }
    word = 0;
    if (i < size) memcpy(&word, data + i, size - i);
    return mix(h, word) | 1;
}

/* A number for the contents that were chosen; those that come again are kept. */
static u64 file_sum(DiskReplay *r, u32 inode)
{
    Content *c = content(r, inode);
    u8 take = take_of(r, inode);
    u64 *kept = take == TAKE_NONE ? &c->sum : &c->taken[take];
    if (*kept != 0 && take != TAKE_PAGES) return *kept;
    const Content *now = chosen(r, inode, take);
    return *kept = bytes_sum(now->data, now->size);
}

/* A number that tells trees apart: the order of entries does not matter, nor which inode it is. */
static u64 folder_sum(DiskReplay *r, u32 folder, u64 path)
{
    u64 sum = path;
    for (u64 i = 0; i < r->names.count; i++) {
        const Entry *e = &r->names.at[i];
        if (e->folder != folder) continue;
        const char *name = r->d->names[e->name];
        const Inode *n = &r->d->inodes[e->inode];
        u64 h = mix(path, bytes_sum((const u8 *)name, strlen(name)));
        if (n->kind == IS_FOLDER)
            sum += folder_sum(r, e->inode, mix(h, 5));
        else if (n->kind == IS_LINK)
            sum += mix(mix(h, 7), bytes_sum((const u8 *)n->text, strlen(n->text)));
        else
            sum += mix(mix(h, 9), file_sum(r, e->inode));
    }
    return sum;
}

static void build_folder(DiskReplay *r, const char *path, u32 folder)
{
    for (u64 i = 0; i < r->names.count; i++) {
        const Entry *e = &r->names.at[i];
        if (e->folder != folder) continue;
        char below[1024];
        snprintf(below, sizeof below, "%s/%s", path, r->d->names[e->name]);
        const Inode *n = &r->d->inodes[e->inode];
        if (n->kind == IS_FOLDER) {
            ASSERT(mkdir(below, 0750) == 0);
            build_folder(r, below, e->inode);
        } else if (n->kind == IS_LINK) {
            ASSERT(symlink(n->text, below) == 0);
        } else {
            const Content *c = chosen(r, e->inode, take_of(r, e->inode));
            write_out(below, c->data, c->size);
        }
    }
}

u64 disk_choose(DiskReplay *r, u64 n)
{
    choose(r, r->picked[n]);
    copy_entries(&r->names, &r->durable);
    for (u64 i = 0; i < r->open_count; i++)
        if (r->take_name[i]) change_names(&r->names, &r->d->events[r->open[i]]);
    return folder_sum(r, 0, 1);
}

void disk_build(DiskReplay *r)
{
    bool gone = dir_remove_all(r->d->root) == E_OK;
    ASSERT(gone && mkdir(r->d->root, 0750) == 0);
    build_folder(r, r->d->root, 0);
}

void disk_replay_free(DiskReplay *r)
{
    for (u64 i = 0; i < r->d->inode_count; i++) {
        free(r->contents[i].data);
        free(r->contents[i].open);
    }
    free(r->contents);
    free(r->without);
    free(r->durable.at);
    free(r->names.at);
    free(r->open);
    free(r);
}

/* ---- words */

/* The path of a folder or entry as the record's last moment has it; good enough for messages. */
static void name_of(const Disk *d, u32 inode, char *out, u64 room)
{
    for (u64 i = 0; i < d->event_count; i++) {
        const Event *v = &d->events[i];
        if (v->kind == EV_NAME && v->entry.inode == inode && v->call != FAULT_RENAME) {
            char folder[300] = "";
            if (v->entry.folder != 0) name_of(d, v->entry.folder, folder, sizeof folder);
            snprintf(out, room, "%s%s%s", folder, *folder ? "/" : "", d->names[v->entry.name]);
            return;
        }
    }
    for (u64 i = 0; i < d->start.count; i++) {
        const Entry *e = &d->start.at[i];
        if (e->inode != inode) continue;
        char folder[300] = "";
        if (e->folder != 0) name_of(d, e->folder, folder, sizeof folder);
        snprintf(out, room, "%s%s%s", folder, *folder ? "/" : "", d->names[e->name]);
        return;
    }
    snprintf(out, room, inode == 0 ? "." : "?");
}

static void event_text(const Disk *d, const Event *v, char *out, u64 room)
{
    static const char *const calls[] = {"create", "write",  "truncate", "allocate",
                                        "sync",   "sync",   "mkdir",    "symlink",
                                        "link",   "rename", "unlink",   "rmdir"};
    char a[400] = "", b[400] = "";
    if (v->kind == EV_MARK) {
        snprintf(out, room, "mark %llu", (unsigned long long)v->size);
        return;
    }
    if (v->kind != EV_NAME) {
        name_of(d, v->inode, a, sizeof a);
        snprintf(out, room, "%s%s %s", v->kind == EV_LOST ? "failed " : "", calls[v->call], a);
        return;
    }
    if (v->old.name != NONE) {
        name_of(d, v->old.folder, b, sizeof b);
        snprintf(a, sizeof a, "%.300s/%s", b, d->names[v->old.name]);
    }
    b[0] = 0;
    if (v->entry.inode != NONE) {
        char folder[300];
        name_of(d, v->entry.folder, folder, sizeof folder);
        snprintf(b, sizeof b, "%s/%s", folder, d->names[v->entry.name]);
    }
    snprintf(out, room, "%s %s%s%s", calls[v->call], a, *a && *b ? " -> " : "", b);
}

const char *disk_event(const DiskReplay *r)
{
    static char text[900];
    if (r->at == 0) return "the start";
    event_text(r->d, &r->d->events[r->at - 1], text, sizeof text);
    return text;
}

const char *disk_choice(const DiskReplay *r)
{
    static const char *const takes[] = {"without", "with", "zeros for", "torn"};
    DiskReplay *w = (DiskReplay *)(uintptr_t)r;
    u64 n = 0, room = sizeof w->text;
    w->text[0] = 0;
    for (u64 i = 0; i < r->open_count && n + 1 < room; i++) {
        char event[900];
        event_text(r->d, &r->d->events[r->open[i]], event, sizeof event);
        int put_now = snprintf(w->text + n, room - n, "%s [%s]; ",
                               r->take_name[i] ? "with" : "without", event);
        n = MIN(n + (u64)MAX(put_now, 0), room - 1);
    }
    for (u64 i = 0; i < r->dirty_count && n + 1 < room; i++) {
        char name[400];
        name_of(r->d, r->dirty[i], name, sizeof name);
        int put_now =
            snprintf(w->text + n, room - n, "%s contents of %s; ", takes[r->take_data[i]], name);
        n = MIN(n + (u64)MAX(put_now, 0), room - 1);
    }
    return w->text;
}

u64 disk_sites(const Disk *d) { return d->site_count; }

/* Whether a line of addr2line names a file of os/, which syncs on behalf of others. */
static bool is_os(const char *line)
{
    static const char *const files[] = {"file.c:", "dir.c:", "file_out.c:", "pool.c:"};
    for (u64 i = 0; i < COUNT_OF(files); i++)
        if (strncmp(line, files[i], strlen(files[i])) == 0) return true;
    return false;
}

/* What addr2line says of a site, once found kept: records of the same program ask for the same. */
static const char *kept_name(const Site *s, const char *found)
{
    static struct {
        void *frame[FRAMES];
        int depth;
        char text[220];
    } kept[400];

    static u64 count;
    for (u64 i = 0; i < count; i++)
        if (kept[i].depth == s->depth &&
            memcmp(kept[i].frame, s->frame, (u64)s->depth * sizeof *s->frame) == 0)
            return kept[i].text;
    if (found == NULL || count == COUNT_OF(kept)) return found;
    memcpy(kept[count].frame, s->frame, sizeof s->frame);
    kept[count].depth = s->depth;
    snprintf(kept[count].text, sizeof kept[count].text, "%.219s", found);
    return kept[count++].text;
}

const char *disk_site(const Disk *d, u64 site)
{
    static char text[300];
    char command[1200], function[200] = "", line[200];
    const Site *s = &d->sites[site];
    Dl_info info;
    const char *known = kept_name(s, NULL);
    if (known != NULL) return known;
    snprintf(text, sizeof text, "%s", s->what);
    if (s->depth == 0 || dladdr(s->frame[0], &info) == 0) return text;
    int used = snprintf(command, sizeof command, "addr2line -i -s -f -e /proc/%d/exe", getpid());
    for (int i = 0; i < s->depth; i++)
        used +=
            snprintf(command + used, sizeof command - (u64)used, " %#llx",
                     (unsigned long long)((uintptr_t)s->frame[i] - (uintptr_t)info.dli_fbase - 1));
    FILE *p = popen(command, "r");
    if (p == NULL) return text;
    while (fgets(function, sizeof function, p) && fgets(line, sizeof line, p)) {
        function[strcspn(function, "\n")] = line[strcspn(line, " \n")] = 0;
        if (is_os(line) || line[0] == '?') continue;
        snprintf(text, sizeof text, "%.100s %.100s", function, line);
        break;
    }
    pclose(p);
    return kept_name(s, text);
}
