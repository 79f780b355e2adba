/*
 * kit: a database in a temporary folder for the tests of this room, and two judges that share
 * nothing with the code under test: kit_load does what `\l` does to a folder, kit_tree looks for
 * what should not be there. Both call the kernel themselves.
 */
#ifndef UNIT_DB_KIT_H
#define UNIT_DB_KIT_H

#include "base/buf.h"
#include "db/publish.h"
#include "db/sweep.h"
#include "db/view.h"
#include "os/dir.h"
#include "os/fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define KIT_DAY 9000 /* 2024.08.22 */

typedef struct {
    char dir[256], idb[300], hdb[300], cold[300], data[320];
    Mount mount;
    Tier tiers[2];
    u32 tier_count;
    Root root;
    ViewCache cache;
    Publish p;
    u64 removed;
    bool swept;   /* since the start: days may be empty until the next one */
    Arena memory; /* of parts; until kit_end */
} Kit;

/* The judge's verdict; "" = fine. */
static char kit_why[PATH_MAX * 2];

__attribute__((format(printf, 1, 2), unused)) static int kit_bad(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(kit_why, sizeof kit_why, format, args);
    va_end(args);
    return -1;
}

/* snprintf that takes no cut text for an answer. */
static inline void kit_print(char *out, size_t size, const char *format, ...) PRINTF(3, 4);

static inline void kit_print(char *out, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out, size, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < size);
}

#define KIT_OK(call)                                                                               \
    do {                                                                                           \
        Err kit_err = (call);                                                                      \
        if (kit_err != E_OK) fail_msg("%s: %s", fail_name(kit_err), fail_text());                  \
    } while (0)

/* ---- the database */

/* The databases' folders, removed at exit when a failed test left them behind. */
static char kit_left[64][256];
static size_t kit_left_count;

static inline void kit_clean(void)
{
    for (size_t i = 0; i < MIN(kit_left_count, COUNT_OF(kit_left)); i++) {
        if (dir_remove_all(kit_left[i]) != E_OK) fprintf(stderr, "%s\n", fail_text());
    }
}

/* In memory where that can be: the thousands of syncs of these tests mean nothing without a power
 * cut (their order is looked at instead), and a disk takes minutes for them. */
static inline const char *kit_where(void)
{
    const char *tmp = getenv("TMPDIR");
    if (access("/dev/shm", W_OK | X_OK) == 0) return "/dev/shm";
    return tmp != NULL ? tmp : "/tmp";
}

static inline void kit_make(Kit *k, u32 tier_count)
{
    *k = (Kit){.tier_count = tier_count};
    kit_print(k->dir, sizeof k->dir, "%s/silt-db-XXXXXX", kit_where());
    assert_non_null(mkdtemp(k->dir));
    if (kit_left_count == 0) assert_int_equal(atexit(kit_clean), 0);
    kit_print(kit_left[kit_left_count++ % COUNT_OF(kit_left)], sizeof kit_left[0], "%s", k->dir);
    kit_print(k->idb, sizeof k->idb, "%s/idb", k->dir);
    kit_print(k->hdb, sizeof k->hdb, "%s/hdb", k->dir);
    kit_print(k->cold, sizeof k->cold, "%s/cold", k->dir);
    kit_print(k->data, sizeof k->data, "%s/hdb/data", k->dir);
    k->tiers[0] = (Tier){.name = "hot", .mount = &k->mount, .store = k->data};
    k->tiers[1] = (Tier){.name = "cold", .mount = &k->mount, .store = k->cold, .own_store = true};
    root_init(&k->root, "demo", k->idb, k->hdb, NULL, k->tiers, tier_count);
}

/* Claims and opens, as the manager does. */
static inline Err kit_start(Kit *k)
{
    root_close(&k->root);
    root_init(&k->root, "demo", k->idb, k->hdb, NULL, k->tiers, k->tier_count);
    view_cache_init(&k->cache, &k->root);
    k->swept = false;
    Err err = root_claim(&k->root);
    return err != E_OK ? err : publish_open(&k->p, &k->root, &k->cache, &k->removed);
}

static inline void kit_stop(Kit *k)
{
    publish_close(&k->p);
    view_cache_free(&k->cache);
    root_close(&k->root);
}

static inline void kit_end(Kit *k)
{
    fault_arm(FAULT_NONE, 0, false, 0);
    kit_stop(k);
    arena_free(&k->memory);
    KIT_OK(dir_remove_all(k->dir));
}

static inline char *kit_path(Kit *k, const char *format, ...) PRINTF(2, 3);

static inline char *kit_path(Kit *k, const char *format, ...)
{
    char text[PATH_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return dir_join(&k->memory, k->dir, text, NULL);
}

static inline bool kit_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static inline void kit_write(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
}

static inline char *kit_read(Kit *k, const char *path)
{
    char text[65536];
    int fd = open(path, O_RDONLY);
    if (fd < 0) return NULL;
    ssize_t got = read(fd, text, sizeof text);
    close(fd);
    assert_true(got >= 0);
    return arena_text(&k->memory, text, (u64)got);
}

static inline void kit_mkdirs(const char *path)
{
    char text[PATH_MAX];
    kit_print(text, sizeof text, "%s", path);
    for (char *p = text + 1; *p != 0; p++) {
        if (*p != '/') continue;
        *p = 0;
        if (mkdir(text, 0750) != 0) assert_int_equal(errno, EEXIST);
        *p = '/';
    }
    if (mkdir(text, 0750) != 0) assert_int_equal(errno, EEXIST);
}

/* ---- parts */

/* A part with one table, in memory only. */
static inline Part kit_part(Kit *k, PartKind kind, i32 key, i32 day, u32 tier, u64 made)
{
    PartTable *t = arena_new(&k->memory, PartTable);
    *t = (PartTable){.name = "trade",
                     .rows = 3,
                     .bytes = 48,
                     .time_min = key,
                     .time_max = key + 10,
                     .schema_hash = ~0ull};
    Part p = {.kind = kind,
              .key = key,
              .day = day,
              .tier = tier,
              .made = made,
              .table_count = 1,
              .tables = t};
    p.path = kind == PART_INTERVAL ? root_interval_path(&k->root, &k->memory, day, made)
                                   : root_date_path(&k->root, &k->memory, tier, day, made);
    return p;
}

/* Its folder: the table with a `.d` and a column, as a job would stage it; and a sidecar that must
 * come and go with it. */
static inline void kit_stage(Kit *k, const Part *p)
{
    static const char names[] = {(char)0xff, 1, 11, 0, 1, 0, 0, 0, 'p', 0};
    char *table = dir_join(&k->memory, p->path, "trade", NULL);
    kit_mkdirs(table);
    kit_write(dir_join(&k->memory, table, ".d", NULL), names, sizeof names);
    kit_write(dir_join(&k->memory, table, "p", NULL), "\xfe\x20", 2);
    kit_write(arena_format(&k->memory, "%s.sums", p->path), "sums", 4);
}

/* Commits one interval part: the next label, the next EOI number. */
static inline Err kit_interval(Kit *k)
{
    u64 at = 0;
    i32 key = 0;
    PublishChange c = publish_change(&k->p);
    for (const Part *p; (p = view_next(k->p.current, PART_INTERVAL, &at)) != NULL;)
        key = p->key + 1;
    c.eoi++;
    c.watermark += 1000;
    Part part = kit_part(k, PART_INTERVAL, key, KIT_DAY + (i32)c.eoi / 4, 0, c.eoi);
    kit_stage(k, &part);
    c.add = &part;
    c.add_count = 1;
    return publish_commit(&k->p, &c);
}

/* Commits a date part. */
static inline Err kit_date(Kit *k, i32 day, u32 tier)
{
    PublishChange c = publish_change(&k->p);
    Part part = kit_part(k, PART_DATE, day, day, tier, publish_next(&k->p));
    kit_stage(k, &part);
    c.add = &part;
    c.add_count = 1;
    return publish_commit(&k->p, &c);
}

/* Sweeps and tells, as the manager does. */
static inline Err kit_sweep(Kit *k, u64 hold, Sweep *s)
{
    k->swept = true;
    Err err = sweep_plan(s, k->p.current, &k->root, hold);
    if (err != E_OK) return err;
    sweep_run(s);
    if (s->err == E_OK) publish_swept(&k->p, s->oldest);
    sweep_free(&(Sweep){.memory = s->memory});
    s->memory = (Arena){0};
    return s->err;
}

/* What a view names, as text: "i0/3 i1/4 d9000/7@0 ": kind, key, made, tier of dates. */
static inline char *kit_names(Kit *k, const View *v)
{
    Buf b = {0};
    for (int kind = PART_INTERVAL; kind <= PART_DATE; kind++) {
        u64 at = 0;
        for (const Part *p; (p = view_next(v, (PartKind)kind, &at)) != NULL;) {
            KIT_OK(buf_format(&b, "%c%d/%" PRIu64, kind == PART_DATE ? 'd' : 'i', p->key, p->made));
            if (kind == PART_DATE) KIT_OK(buf_format(&b, "@%u", p->tier));
            KIT_OK(buf_byte(&b, ' '));
        }
    }
    char *text = arena_text(&k->memory, buf_str(&b), b.size);
    buf_free(&b);
    return text;
}

/* ---- the first judge: `\l` of a folder */

typedef struct {
    char **name;
    size_t count, room;
} KitNames;

static inline int kit_by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline void kit_names_free(KitNames *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->name[i]);
    free(n->name);
    *n = (KitNames){0};
}

static inline int kit_list(const char *path, KitNames *n)
{
    DIR *d = opendir(path);
    if (d == NULL) return kit_bad("%s: %s", path, strerror(errno));
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (n->count == n->room) {
            n->room = n->room * 2 + 16;
            n->name = realloc(n->name, n->room * sizeof *n->name);
        }
        n->name[n->count++] = strdup(e->d_name);
    }
    closedir(d);
    if (n->count > 1) qsort(n->name, n->count, sizeof *n->name, kit_by_name);
    return 0;
}

/* The value behind a partition name of the kind that `length` tells (10 date, 7 month, 4 year, else
 * int); -1 = 'part. */
static inline long long kit_partition(const char *name, size_t length)
{
    size_t size = strlen(name);
    long long n = 0;
    bool dotted = length == 10 || length == 7;
    if ((length == 10 || length == 7 || length == 4) && size != length) return -1;
    for (size_t i = 0; i < size; i++) {
        if (dotted && (i == 4 || i == 7)) {
            if (name[i] != '.') return -1;
            continue;
        }
        if (name[i] < '0' || name[i] > '9') return -1;
        n = n * 10 + (name[i] - '0');
    }
    return n;
}

typedef struct {
    size_t length;  /* of the first name: the kind; 0 = none yet */
    long long last; /* highest partition */
    char path[PATH_MAX];
    size_t count;
    KitNames seen;
} KitParts;

static inline int kit_partitions(const char *folder, const KitNames *n, KitParts *parts)
{
    struct stat st;
    for (size_t i = 0; i < n->count; i++) {
        char path[PATH_MAX];
        if (parts->length == 0) parts->length = strlen(n->name[i]);
        long long value = kit_partition(n->name[i], parts->length);
        if (value < 0) return kit_bad("'part: %s/%s", folder, n->name[i]);
        kit_print(path, sizeof path, "%s/%s", folder, n->name[i]);
        if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
            return kit_bad("%s: no folder behind it", path);
        for (size_t s = 0; s < parts->seen.count; s++) {
            if (strcmp(parts->seen.name[s], n->name[i]) == 0) return kit_bad("%s: twice", path);
        }
        if (parts->seen.count == parts->seen.room) {
            parts->seen.room = parts->seen.room * 2 + 16;
            parts->seen.name = realloc(parts->seen.name, parts->seen.room * sizeof(char *));
        }
        parts->seen.name[parts->seen.count++] = strdup(n->name[i]);
        if (parts->count++ == 0 || value > parts->last) {
            parts->last = value;
            kit_print(parts->path, sizeof parts->path, "%s", path);
        }
    }
    return 0;
}

/* Names that are not partitions: a kdb+ file or a splayed table each. */
static inline int kit_value(const char *folder, const char *name)
{
    char path[PATH_MAX];
    unsigned char magic[8];
    struct stat st;
    size_t size = strlen(name);
    kit_print(path, sizeof path, "%s/%s", folder, name);
    if (size > 1 && name[size - 2] == '.') return kit_bad("%s would be run as a script", path);
    if (stat(path, &st) != 0) return kit_bad("%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode)) {
        kit_print(path, sizeof path, "%s/%s/.d", folder, name);
        return stat(path, &st) == 0 ? 0 : kit_bad("%s is no splayed table", path);
    }
    int fd = open(path, O_RDONLY);
    ssize_t got = fd < 0 ? -1 : read(fd, magic, sizeof magic);
    if (fd >= 0) close(fd);
    if (got < 8 || magic[0] != 0xff || magic[1] != 1) return kit_bad("%s is no kdb+ value", path);
    return 0;
}

static inline int kit_par(const char *folder, KitParts *parts)
{
    char path[PATH_MAX], line[PATH_MAX], segment[PATH_MAX * 2];
    int bad = 0;
    kit_print(path, sizeof path, "%s/par.txt", folder);
    FILE *f = fopen(path, "r");
    if (f == NULL) return kit_bad("%s: %s", path, strerror(errno));
    while (bad == 0 && fgets(line, sizeof line, f) != NULL) {
        KitNames n = {0};
        line[strcspn(line, "\n")] = 0;
        if (line[0] == 0 || line[strlen(line) - 1] == '/')
            bad = kit_bad("%s: line `%s`", path, line);
        kit_print(segment, sizeof segment, "%s%s%s", line[0] == '/' ? "" : folder,
                  line[0] == '/' ? "" : "/", line);
        if (bad == 0) bad = kit_list(segment, &n);
        if (bad == 0 && n.count == 0) bad = kit_bad("%s: empty segment", segment);
        if (bad == 0) bad = kit_partitions(segment, &n, parts);
        kit_names_free(&n);
    }
    fclose(f);
    return bad == 0 && parts->count == 0 ? kit_bad("'empty: %s", path) : bad;
}

/* Loads `path` (a link is followed) by the rules of kdb-files.md 8.3 and 8.4; the number of its
 * partitions, or -1 with kit_why. */
static inline long long kit_load(const char *path)
{
    char folder[PATH_MAX];
    KitNames n = {0}, digits = {0}, tables = {0};
    KitParts parts = {0};
    bool par = false, sym = false;
    int bad = 0;

    kit_why[0] = 0;
    if (realpath(path, folder) == NULL) return kit_bad("%s: %s", path, strerror(errno));
    bad = kit_list(folder, &n);
    digits.name = calloc(n.count + 1, sizeof *digits.name);
    for (size_t i = 0; bad == 0 && i < n.count; i++) {
        const char *name = n.name[i];
        if (name[strlen(name) - 1] == '$') continue;
        if (strcmp(name, "par.txt") == 0) {
            par = true;
        } else if (name[0] >= '0' && name[0] <= '9') {
            digits.name[digits.count++] = n.name[i];
        } else {
            sym = sym || strcmp(name, "sym") == 0;
            bad = kit_value(folder, name);
        }
    }
    if (bad == 0 && !sym) bad = kit_bad("%s: no sym", folder);
    if (bad == 0 && par && digits.count > 0)
        bad = kit_bad("'part: %s: par.txt beside %s", folder, digits.name[0]);
    if (bad == 0) bad = par ? kit_par(folder, &parts) : kit_partitions(folder, &digits, &parts);
    if (bad == 0 && parts.count > 0) bad = kit_list(parts.path, &tables);
    for (size_t i = 0; bad == 0 && i < tables.count; i++)
        bad = kit_value(parts.path, tables.name[i]);
    free(digits.name);
    kit_names_free(&n);
    kit_names_free(&tables);
    kit_names_free(&parts.seen);
    return bad != 0 ? -1 : (long long)parts.count;
}

/* ---- the second judge: what should not be there */

static inline long long kit_number(const char *name, const char *prefix)
{
    size_t size = strlen(prefix);
    char *end = NULL;
    if (strncmp(name, prefix, size) != 0 || name[size] < '1' || name[size] > '9') return -1;
    long long n = strtoll(name + size, &end, 10);
    return *end == 0 ? n : -1;
}

/* The view number in `d.2024.17` or `d.2024.17.1`. */
static inline long long kit_segment(const char *name)
{
    int group = 0, tier = 0, used = 0;
    long long n = 0;
    if (name[0] != 'i' && name[0] != 'd') return -1;
    if (sscanf(name + 1, ".%d.%lld%n", &group, &n, &used) == 2 && name[1 + used] == 0) return n;
    if (sscanf(name + 1, ".%d.%lld.%d%n", &group, &n, &tier, &used) == 3 && name[1 + used] == 0)
        return n;
    return -1;
}

static inline bool kit_is_one_of(const char *name, const char *list)
{
    char key[300];
    kit_print(key, sizeof key, " %s ", name);
    return strstr(list, key) != NULL;
}

static inline int kit_only(const char *folder, const char *allowed, const char *prefix, u64 most)
{
    KitNames n = {0};
    int bad = kit_list(folder, &n);
    for (size_t i = 0; bad == 0 && i < n.count; i++) {
        if (kit_is_one_of(n.name[i], allowed)) continue;
        long long number = kit_number(n.name[i], prefix);
        if (number < 0 && prefix[0] != 'h' && prefix[0] != 'i') number = kit_segment(n.name[i]);
        if (number < 0 || (u64)number > most)
            bad = kit_bad("%s/%s should not be there", folder, n.name[i]);
    }
    kit_names_free(&n);
    return bad;
}

/* Every <folder>/<date>/<n>: with `eoi` n may be at most that, else it must be named by the view or
 * be its garbage. */
static inline int kit_data(const Kit *k, const char *folder, bool intervals)
{
    KitNames days = {0};
    const View *v = k->p.current;
    int bad = kit_list(folder, &days);
    for (size_t i = 0; bad == 0 && i < days.count; i++) {
        KitNames n = {0};
        char path[PATH_MAX * 2], day[PATH_MAX];
        if (strcmp(days.name[i], "siltstone.json") == 0) continue;
        kit_print(day, sizeof day, "%s/%s", folder, days.name[i]);
        bad = kit_list(day, &n);
        if (bad == 0 && n.count == 0 && !k->swept) bad = kit_bad("%s is empty", day);
        for (size_t j = 0; bad == 0 && j < n.count; j++) {
            char *sums = strstr(n.name[j], ".sums");
            if (sums != NULL && sums[5] == 0) sums[0] = 0; /* it belongs to the part */
            long long number = kit_number(n.name[j], "");
            bool known = intervals && number > 0 && (u64)number <= v->eoi;
            kit_print(path, sizeof path, "%s/%s", day, n.name[j]);
            u64 at = 0;
            for (const Part *p; !known && (p = view_next(v, PART_DATE, &at)) != NULL;)
                known = strcmp(p->path, path) == 0;
            for (u32 g = 0; !known && g < v->garbage_count; g++)
                known = strcmp(v->garbage[g].path, path) == 0;
            if (!known) bad = kit_bad("%s: an orphan", path);
        }
        kit_names_free(&n);
    }
    kit_names_free(&days);
    return bad;
}

/* No folder of links is empty. */
static inline int kit_filled(const char *seg)
{
    KitNames n = {0};
    int bad = kit_list(seg, &n);
    for (size_t i = 0; bad == 0 && i < n.count; i++) {
        char path[PATH_MAX];
        KitNames links = {0};
        kit_print(path, sizeof path, "%s/%s", seg, n.name[i]);
        bad = kit_list(path, &links);
        if (bad == 0 && links.count == 0) bad = kit_bad("%s is empty", path);
        kit_names_free(&links);
    }
    kit_names_free(&n);
    return bad;
}

/* The whole tree after recovery. -1 with kit_why. */
static inline int kit_tree(Kit *k)
{
    const View *v = k->p.current;
    char path[PATH_MAX], target[PATH_MAX] = "", wanted[64];
    int bad = 0;

    kit_why[0] = 0;
    kit_print(path, sizeof path, "%s/current", k->hdb);
    ssize_t got = readlink(path, target, sizeof target - 1);
    kit_print(wanted, sizeof wanted, "hdb.%" PRIu64, v->hdb);
    if (got < 0 || strcmp(target, wanted) != 0)
        return kit_bad("%s leads to `%s`, not %s", path, target, wanted);
    bad = kit_only(k->idb, " current data seg manifest spill stage lock siltstone.json ", "idb.",
                   v->number);
    if (bad == 0) bad = kit_only(k->hdb, " current data seg sym siltstone.json ", "hdb.", v->hdb);
    kit_print(path, sizeof path, "%s/seg", k->idb);
    if (bad == 0) bad = kit_only(path, "", "view.", v->number);
    kit_print(path, sizeof path, "%s/seg", k->hdb);
    if (bad == 0) bad = kit_only(path, "", "view.", v->number);
    kit_print(path, sizeof path, "%s/manifest", k->idb);
    if (bad == 0) bad = kit_only(path, "", "view.", v->number);
    kit_print(path, sizeof path, "%s/spill", k->idb);
    if (bad == 0) bad = kit_only(path, "", "hdb.", 0);
    kit_print(path, sizeof path, "%s/stage", k->idb);
    if (bad == 0) bad = kit_only(path, "", "hdb.", 0);
    kit_print(path, sizeof path, "%s/data", k->idb);
    if (bad == 0) bad = kit_data(k, path, true);
    if (bad == 0) bad = kit_data(k, k->data, false);
    if (bad == 0 && k->tier_count > 1) bad = kit_data(k, k->cold, false);
    return bad;
}

/* Both judges on the current view. */
static inline void kit_judge(Kit *k)
{
    const View *v = k->p.current;
    char path[PATH_MAX];
    kit_print(path, sizeof path, "%s/current", k->idb);
    long long parts = kit_load(path);
    if (parts != (long long)view_part_count(v, PART_INTERVAL))
        fail_msg("%lld partitions: %s", parts, kit_why);
    kit_print(path, sizeof path, "%s/current", k->hdb);
    parts = kit_load(path);
    if (parts != (long long)view_part_count(v, PART_DATE))
        fail_msg("%lld partitions: %s", parts, kit_why);
    if (kit_tree(k) != 0) fail_msg("%s", kit_why);
}

#endif
