/*
 * spare: log files made, or taken back, ahead of need.
 *
 * A file goes `<n>.new` -> (allocated, zeros written, synced) -> `<n>.spare` -> the log's own name
 * -> `<n>.spare` ... The name `.spare` therefore says that every block of the file exists; a `.new`
 * found at start is unfinished and goes.
 *
 * Invariants:
 *   1. A file in `ready` is held under an exclusive lock from the moment it leaves the log (or is
 *      found at start) until it has its new name and a synced header. Readers hold a shared lock
 *      on what they map, so bytes that somebody may be looking at are never written over; a file
 *      that somebody holds is removed instead, which hurts nobody.
 *   2. A rename to `.spare` is synced before the file is written to (spare_give says so to its
 *      caller), or a power cut could show new bytes under the old name.
 *
 * Threads: one short-lived thread at a time makes one file. It is given a SpareJob, touches nothing
 * else, and is joined before its job is looked at, except for the flag `done`.
 */
#include "stream/spare.h"
#include "os/dir.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#define SPARE_THREAD_MIN (4ull << 20) /* smaller files are made when needed */
#define SPARE_LIST_MAX   (1ull << 20)

struct SpareJob {
    pthread_t thread;
    atomic_bool done;
    const char *path;
    u64 size, number;
    File file;
    Err err;
    char text[FAIL_TEXT_MAX];
};

static char *name_of(Arena *a, const char *folder, u64 number, const char *ending)
{
    return arena_format(a, "%s/%llu.%s", folder, (unsigned long long)number, ending);
}

/* Opens a ready file and locks it against readers; E_BUSY when one still maps it. */
static Err open_ready(const char *name, File *file)
{
    Err err = E_OK;
    TRY(file_open(file, name, FILE_WRITE));
    TRY(file_lock(file, true));
done:
    if (err) file_drop(file);
    return err;
}

/* Removes what could not be finished, so that a full device does not stay full; the first failure
 * is what counts. */
static Err give_up(Err err, const char *name)
{
    char text[FAIL_TEXT_MAX];
    snprintf(text, sizeof text, "%s", fail_text());
    Err second = dir_unlink(name);
    (void)second;
    return fail(err, "%s", text);
}

/* Makes one file, ready and open. */
static Err make(const char *folder, u64 number, u64 size, File *file)
{
    Err err = E_OK;
    Arena a = {0};
    char *unfinished = name_of(&a, folder, number, "new");
    char *ready = name_of(&a, folder, number, "spare");
    *file = FILE_NONE;
    TRY(file_open(file, unfinished, FILE_CREATE));
    TRY(file_prewrite(file, size));
    TRY(file_sync(file));
    TRY(file_close(file));
    TRY(dir_rename(unfinished, ready));
    TRY(open_ready(ready, file));
done:
    if (err) {
        file_drop(file);
        if (err != E_EXISTS) err = give_up(err, unfinished);
    }
    arena_free(&a);
    return err;
}

static void *job_run(void *arg)
{
    SpareJob *job = arg;
    job->err = make(job->path, job->number, job->size, &job->file);
    if (job->err) snprintf(job->text, sizeof job->text, "%s", fail_text());
    atomic_store_explicit(&job->done, true, memory_order_release);
    return NULL;
}

/* That the thread cannot be had is no failure: the file is made when it is needed. */
void spare_ahead(Spare *s)
{
    if (s->job || s->count || s->size <= SPARE_THREAD_MIN) return;
    if (!s->room) s->room = arena_new(&s->memory, SpareJob);
    SpareJob *job = s->room;
    *job = (SpareJob){.path = s->path, .size = s->size, .number = s->next++, .file = FILE_NONE};
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the loop thread's */
    if (pthread_create(&job->thread, NULL, job_run, job) == 0) s->job = job;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* Takes over what the thread made; waits for it when `wait`. */
static void job_reap(Spare *s, bool wait)
{
    SpareJob *job = s->job;
    if (!job || (!wait && !atomic_load_explicit(&job->done, memory_order_acquire))) return;
    pthread_join(job->thread, NULL);
    s->job = NULL;
    if (job->err) return;
    if (s->count < SPARE_MAX)
        s->ready[s->count++] = (SpareFile){job->file, job->number};
    else
        file_drop(&job->file); /* found again at the next start */
}

/* Keeps one file that was found, or removes it. */
static Err adopt(Spare *s, const char *name, u64 number)
{
    Err err = E_OK;
    File file = FILE_NONE;
    u64 size = 0;
    if (s->count < SPARE_MAX) {
        err = open_ready(name, &file);
        if (err && err != E_BUSY) return err;
        if (!err) TRY(file_size(&file, &size));
    }
    if (size == s->size) {
        s->ready[s->count++] = (SpareFile){file, number};
        return E_OK;
    }
    TRY(dir_unlink(name));
done:
    file_drop(&file);
    return err;
}

/* Whether a name is `<number>.<ending>`. */
static bool name_parse(Str name, const char *ending, u64 *number)
{
    Str digits;
    i64 n;
    if (!str_split(&name, '.', &digits) || !str_is(name, ending)) return false;
    if (!str_i64(digits, &n) || n < 0 || digits.data[0] == '+') return false;
    *number = (u64)n;
    return true;
}

Err spare_open(Spare *s, const char *path, u64 size)
{
    Err err = E_OK;
    Arena a = {0};
    DirEntry *entries;
    u64 count, number;
    *s = (Spare){.path = path, .size = size};
    TRY(dir_list(path, SPARE_LIST_MAX, &a, &entries, &count));
    for (u64 i = 0; i < count; i++) {
        char *name = dir_join(&a, path, entries[i].name, NULL);
        bool ready = name_parse(str_of(entries[i].name), "spare", &number);
        if (!ready && !name_parse(str_of(entries[i].name), "new", &number)) continue;
        s->next = MAX(s->next, number + 1);
        if (ready)
            TRY(adopt(s, name, number));
        else
            TRY(dir_unlink(name));
    }
done:
    arena_free(&a);
    if (err) spare_close(s);
    return err;
}

Err spare_take(Spare *s, u64 size, File *file, char **name)
{
    *file = FILE_NONE;
    arena_reset(&s->names);
    u64 number = s->next;
    bool ordinary = size == s->size;
    if (ordinary) job_reap(s, s->count == 0);
    if (ordinary && s->count) {
        SpareFile *f = &s->ready[--s->count];
        *file = f->file;
        number = f->number;
    } else {
        s->next++;
        Err err = make(s->path, number, size, file);
        if (err) return err;
    }
    *name = name_of(&s->names, s->path, number, "spare");
    return E_OK;
}

Err spare_give(Spare *s, const char *path, u64 size, bool *renamed)
{
    Err err = E_OK;
    Arena a = {0};
    File file = FILE_NONE;
    *renamed = false;
    if (size == s->size && s->count < SPARE_MAX) {
        err = open_ready(path, &file);
        if (err && err != E_BUSY) goto done;
    }
    if (file.fd < 0) {
        TRY(dir_unlink(path));
        goto done;
    }
    u64 number = s->next++;
    TRY(dir_rename(path, name_of(&a, s->path, number, "spare")));
    s->ready[s->count++] = (SpareFile){file, number};
    file = FILE_NONE;
    *renamed = true;
done:
    file_drop(&file);
    arena_free(&a);
    return err;
}

void spare_close(Spare *s)
{
    job_reap(s, true);
    for (u32 i = 0; i < s->count; i++)
        file_drop(&s->ready[i].file);
    *s = (Spare){.path = s->path, .size = s->size, .memory = s->memory, .names = s->names};
    arena_free(&s->memory);
    arena_free(&s->names);
}
