/*
 * power: what a power cut may leave of a log, by model.
 *
 * The calls that change the disk are taken over here (this program's functions win over libc's) and
 * noted: only what was synced is certain; of every other write any pages may be missing, of the
 * changes of names any, or all after one. Before each call such states are built in another folder,
 * and a child opens the log there: all that was acknowledged must be found, once and in order. The
 * shared page may be as it was when it was made, or as it is now.
 */
#include "unit/stream/kit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* ---- the device */

enum { INODES_MAX = 64, OPS_MAX = 512, NAME_MAX_HERE = 40 };

typedef struct {
    u64 at, size;
    u8 *data; /* NULL: the file has `at` bytes */
} Write;

typedef struct {
    u64 number;
    u8 *bytes; /* durable */
    u64 size;
    Write *writes;
    u64 count, room;
} Inode;

typedef struct {
    char name[NAME_MAX_HERE];
    Inode *inode;
} Name;

typedef struct {
    char from[NAME_MAX_HERE], to[NAME_MAX_HERE]; /* to "" = unlink; from "" = create */
    Inode *inode;
} Change;

static struct {
    const char *dir; /* watched; NULL = nothing is */
    Inode inodes[INODES_MAX];
    u64 inode_count;
    Name names[INODES_MAX];
    u64 name_count;
    Change changes[OPS_MAX];
    u64 change_count;
    void (*before)(void);
    u64 calls, fail_sync; /* fail_sync: the n-th fdatasync loses its data and fails */
    u64 syncs;
} device;

/* The name of a path in the watched folder, or NULL. */
static const char *watched(const char *path)
{
    if (!device.dir) return NULL;
    u64 n = strlen(device.dir);
    return strncmp(path, device.dir, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

static void event(void)
{
    device.calls++;
    if (device.before) {
        const char *dir = device.dir;
        device.dir = NULL;
        device.before();
        device.dir = dir;
    }
}

static Inode *inode_of(int fd)
{
    struct stat st;
    if (!device.dir || fstat(fd, &st) != 0) return NULL;
    for (u64 i = 0; i < device.inode_count; i++)
        if (device.inodes[i].number == st.st_ino) return &device.inodes[i];
    return NULL;
}

static void add_write(Inode *f, u64 at, const void *data, u64 size)
{
    if (f->count == f->room) {
        f->room = f->room * 2 + 16;
        f->writes = realloc(f->writes, f->room * sizeof *f->writes);
    }
    u8 *copy = data ? malloc(size) : NULL;
    if (data) memcpy(copy, data, size);
    f->writes[f->count++] = (Write){at, size, copy};
}

static void grow(u8 **bytes, u64 *size, u64 need)
{
    if (need <= *size) return;
    *bytes = realloc(*bytes, need);
    memset(*bytes + *size, 0, need - *size);
    *size = need;
}

static void drop_writes(Inode *f)
{
    for (u64 i = 0; i < f->count; i++)
        free(f->writes[i].data);
    f->count = 0;
}

static void sync_inode(Inode *f)
{
    for (u64 i = 0; i < f->count; i++) {
        Write *w = &f->writes[i];
        grow(&f->bytes, &f->size, w->at + w->size);
        if (w->data) memcpy(f->bytes + w->at, w->data, w->size);
    }
    drop_writes(f);
}

static Name *find_name(Name *names, u64 count, const char *name)
{
    for (u64 i = 0; i < count; i++)
        if (strcmp(names[i].name, name) == 0) return &names[i];
    return NULL;
}

static void remove_name(Name *names, u64 *count, const char *name)
{
    Name *n = find_name(names, *count, name);
    if (n) *n = names[--*count];
}

static void set_name(Name *names, u64 *count, const char *name, Inode *inode)
{
    remove_name(names, count, name);
    assert_true(*count < INODES_MAX);
    snprintf(names[*count].name, sizeof names[0].name, "%s", name);
    names[(*count)++].inode = inode;
}

static void change_names(Name *names, u64 *count, const Change *c)
{
    if (c->from[0] && !find_name(names, *count, c->from))
        return; /* the change before it was lost */
    Inode *inode = c->from[0] ? find_name(names, *count, c->from)->inode : c->inode;
    if (c->from[0]) remove_name(names, count, c->from);
    if (c->to[0]) set_name(names, count, c->to, inode);
}

static void add_change(const char *from, const char *to, Inode *inode)
{
    assert_true(device.change_count < OPS_MAX);
    Change *c = &device.changes[device.change_count++];
    snprintf(c->from, sizeof c->from, "%s", from);
    snprintf(c->to, sizeof c->to, "%s", to);
    c->inode = inode;
}

/* ---- the calls */

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) ? va_arg(args, mode_t) : 0;
    va_end(args);
    const char *name = flags & O_CREAT ? watched(path) : NULL;
    bool fresh = name && access(path, F_OK) != 0;
    if (fresh) event();
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    struct stat st;
    if (fresh && fd >= 0 && fstat(fd, &st) == 0) {
        assert_true(device.inode_count < INODES_MAX);
        Inode *f = &device.inodes[device.inode_count++];
        *f = (Inode){.number = st.st_ino};
        add_change("", name, f);
    }
    return fd;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    Inode *f = inode_of(fd);
    if (f) event();
    ssize_t n = syscall(SYS_pwrite64, fd, data, size, at);
    if (f && n > 0) add_write(f, (u64)at, data, (u64)n);
    return n;
}

int fallocate(int fd, int mode, off_t at, off_t size)
{
    Inode *f = inode_of(fd);
    if (f) event();
    int result = (int)syscall(SYS_fallocate, fd, mode, at, size);
    if (f && result == 0) add_write(f, (u64)(at + size), NULL, 0);
    return result;
}

int fdatasync(int fd)
{
    Inode *f = inode_of(fd);
    if (f) event();
    if (f && ++device.syncs == device.fail_sync) {
        drop_writes(f); /* the kernel forgets what it could not write, and calls it clean */
        errno = EIO;
        return -1;
    }
    if (f) sync_inode(f);
    return 0;
}

int fsync(int fd)
{
    struct stat st, dir;
    if (device.dir && fstat(fd, &st) == 0 && stat(device.dir, &dir) == 0 &&
        st.st_ino == dir.st_ino) {
        event();
        for (u64 i = 0; i < device.change_count; i++)
            change_names(device.names, &device.name_count, &device.changes[i]);
        device.change_count = 0;
    }
    return 0;
}

int rename(const char *from, const char *to)
{
    const char *a = watched(from), *b = watched(to);
    if (a) event();
    int result = (int)syscall(SYS_rename, from, to);
    if (a && b && result == 0) add_change(a, b, NULL);
    return result;
}

int unlink(const char *path)
{
    const char *name = watched(path);
    if (name) event();
    int result = (int)syscall(SYS_unlink, path);
    if (name && result == 0) add_change(name, "", NULL);
    return result;
}

static void reset_device(const char *dir)
{
    for (u64 i = 0; i < device.inode_count; i++) {
        drop_writes(&device.inodes[i]);
        free(device.inodes[i].writes);
        free(device.inodes[i].bytes);
    }
    memset(&device, 0, sizeof device);
    device.dir = dir;
}

/* ---- states after a cut */

typedef enum { KEEP_NONE, KEEP_ALL, KEEP_SOME } Keep;

static Prng chance;

static bool kept(Keep keep)
{
    return keep == KEEP_ALL || (keep == KEEP_SOME && prng_below(&chance, 2));
}

static void build_file(const Inode *f, Keep keep, const char *path)
{
    u8 *bytes = malloc(f->size + 1);
    u64 size = f->size;
    if (size) memcpy(bytes, f->bytes, size);
    for (u64 i = 0; i < f->count; i++) {
        const Write *w = &f->writes[i];
        if (!w->data && kept(keep)) grow(&bytes, &size, w->at);
        for (u64 at = w->at, end; w->data && at < w->at + w->size; at = end) {
            end = MIN(round_up(at + 1, 4096), w->at + w->size);
            if (!kept(keep)) continue;
            grow(&bytes, &size, end);
            memcpy(bytes + at, w->data + (at - w->at), end - at);
        }
    }
    kit_store(path, bytes, size);
    free(bytes);
}

/* Makes the folder `to` what a cut now may leave. `ordered`: changes of names up to some point,
 * else any of them. */
static void build_state(const char *from, const char *to, Keep data, Keep changes, bool ordered,
                        bool new_page)
{
    Name names[INODES_MAX];
    u64 count = device.name_count;
    memcpy(names, device.names, sizeof names);
    u64 until =
        changes == KEEP_SOME ? prng_below(&chance, device.change_count + 1) : device.change_count;
    for (u64 i = 0; i < device.change_count; i++) {
        bool take = ordered && changes == KEEP_SOME ? i < until : kept(changes);
        if (take) change_names(names, &count, &device.changes[i]);
    }
    assert_ok(dir_remove_all(to));
    assert_ok(dir_make_all(to));
    for (u64 i = 0; i < count; i++) {
        build_file(names[i].inode, data, kit_path(to, names[i].name));
        if (new_page && strcmp(names[i].name, "durable") == 0) {
            u64 size;
            u8 *page = kit_load(kit_path(from, "durable"), &size);
            kit_store(kit_path(to, "durable"), page, size);
            free(page);
        }
    }
}

/* ---- the run */

static struct {
    const char *dir;
    char cut[512];
    u64 acked, kept_number, kept_position;
    u64 ends[256];
    u64 states, failures;
} run;

static KitList list;

/* Whether every log file has a sound header that agrees with its name. */
static bool headers_agree(const char *dir)
{
    Arena a = {0};
    DirEntry *entries;
    u64 count, size, first, id, named;
    bool good = dir_list(dir, 1000, &a, &entries, &count) == E_OK;
    for (u64 i = 0; good && i < count; i++) {
        if (!wal_file_parse(entries[i].name, &named)) continue;
        u8 *file = kit_load(kit_path(dir, entries[i].name), &size);
        good = wal_file_header(file, size, &first, &id) == E_OK && first == named;
        free(file);
    }
    arena_free(&a);
    return good;
}

/* In a child: opens the log and compares; the exit status tells. */
static void judge(void)
{
    Wal *w;
    u64 lost;
    if (!headers_agree(run.cut)) _exit(9);
    for (int turn = 0; turn < 2; turn++) {
        if (wal_open(&w, run.cut, &(WalOptions){.file_size = KIT_MIB}, run.kept_position, &lost) !=
            E_OK)
            _exit(10);
        if (lost != run.kept_position) _exit(11);
        if (kit_read(run.cut, run.kept_position, &list) != E_OK) _exit(12);
        for (u64 i = 0; i < list.count; i++)
            if (list.numbers[i] != run.kept_number + i) _exit(13);
        if (run.kept_number + list.count < run.acked) _exit(14);
        if (kit_append(w, run.kept_number + list.count, 9000, NULL) != E_OK || wal_close(w) != E_OK)
            _exit(15);
    }
    _exit(0);
}

static void cut(Keep data, Keep changes, bool ordered, bool new_page)
{
    int status;
    build_state(run.dir, run.cut, data, changes, ordered, new_page);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        device.before = NULL;
        device.fail_sync = 0;
        judge();
    }
    waitpid(pid, &status, 0);
    run.states++;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    run.failures++;
    print_message("call %llu (data %d, names %d, ordered %d, page %d): status %d\n",
                  (unsigned long long)device.calls, data, changes, ordered, new_page,
                  WIFEXITED(status) ? WEXITSTATUS(status) : status);
}

static void cut_everywhere(void)
{
    cut(KEEP_NONE, KEEP_NONE, true, false);
    cut(KEEP_NONE, KEEP_ALL, true, true);
    cut(KEEP_ALL, KEEP_NONE, true, true);
    cut(KEEP_SOME, KEEP_SOME, true, false);
    cut(KEEP_SOME, KEEP_SOME, false, true);
}

/* Publishes, syncs, rolls, trims; ends without a sync of the last records, as if killed. */
static Err life(u64 count)
{
    Wal *w;
    u64 lost;
    WalRecord r;
    Err err = wal_open(&w, run.dir, &(WalOptions){.file_size = KIT_MIB}, run.kept_position, &lost);
    if (err) return err;
    assert_int_equal(lost, run.kept_position);
    assert_ok(kit_read(run.dir, run.kept_position, &list));
    u64 n = run.kept_number + list.count;
    assert_true(n >= run.acked);
    run.acked = n; /* what a reader was shown counts */
    for (u64 i = 0; i < list.count; i++)
        run.ends[list.numbers[i]] = list.end[i];
    for (u64 i = 0; i < count; i++) {
        err = kit_append(w, n, i % 5 == 2 ? 300000 : i % 7 == 6 ? KIT_MIB + 8 : 9000, &r);
        if (err) break;
        run.ends[n++] = r.end;
        if (i % 3 == 1) continue;
        err = wal_sync(w);
        if (err) break;
        run.acked = n;
        if (i % 6 != 5) continue;
        run.kept_number = n - 3;
        run.kept_position = run.ends[n - 4];
        err = wal_trim(w, run.kept_position);
        if (err) break;
    }
    if (!err) err = kit_append(w, n, 20000, &r);
    if (!err) err = kit_append(w, n + 1, KIT_MIB / 2, &r);
    fault_arm(FAULT_ERROR, 1, true, EIO);
    Err closing = wal_close(w);
    fault_arm(FAULT_NONE, 0, false, 0);
    (void)closing;
    return err;
}

static void begin(char **dir)
{
    *dir = kit_fast_folder();
    memset(&run, 0, sizeof run);
    run.dir = *dir;
    snprintf(run.cut, sizeof run.cut, "%s.cut", *dir);
    prng_init(&chance, 5);
    reset_device(*dir);
}

static void end(char *dir)
{
    reset_device(NULL);
    assert_ok(dir_remove_all(run.cut));
    kit_remove(dir);
}

static void any_cut_keeps_what_was_acknowledged(void **state)
{
    (void)state;
    char *dir;
    begin(&dir);
    device.before = cut_everywhere;
    for (int i = 0; i < 2; i++)
        assert_ok(life(13));
    device.before = NULL;
    print_message("%llu calls, %llu states, %llu failures\n", (unsigned long long)device.calls,
                  (unsigned long long)run.states, (unsigned long long)run.failures);
    assert_int_equal(run.failures, 0);
    assert_true(run.states > 200);
    assert_true(run.kept_number > 8);
    end(dir);
}

/* Each sync fails in turn and its data is lost, though the cache still shows it; the next life goes
 * on, then the power goes. */
static void a_failed_sync_loses_nothing_later(void **state)
{
    (void)state;
    u64 failed = 0;
    for (u64 k = 1; k < 200; k++) {
        char *dir;
        begin(&dir);
        device.fail_sync = k;
        Err err = E_OK;
        for (int i = 0; i < 3 && !err; i++)
            err = life(6);
        if (!err) {
            end(dir);
            break;
        }
        failed++;
        for (int i = 0; i < 2; i++) {
            err = life(4);
            if (err) fail_msg("sync %llu: %s", (unsigned long long)k, fail_text());
            device.dir = NULL;
            cut(KEEP_NONE, KEEP_NONE, true, false);
            cut(KEEP_NONE, KEEP_ALL, true, true);
            device.dir = dir;
        }
        assert_int_equal(run.failures, 0);
        end(dir);
    }
    print_message("%llu syncs\n", (unsigned long long)failed);
    assert_true(failed > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_keeps_what_was_acknowledged),
        cmocka_unit_test(a_failed_sync_loses_nothing_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
