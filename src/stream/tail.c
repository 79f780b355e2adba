/*
 * tail: a reader of the log's files, in any process, while the writer writes, recovers or trims.
 *
 * The position is all that counts; files are found by it: the one with the greatest first position
 * that is not beyond. The tail stays in its file until the record at the position does not hold,
 * the file ends, or an END record says so; then it looks which file holds the position now. After a
 * recovery that may be a copy, under a later or even the same name, with the same records at the
 * same positions.
 *
 * Invariants:
 *   1. Nothing at or beyond the shared durable position is looked at.
 *   2. A mapped file is locked (shared) before it is used, and its id is compared afterwards: so
 *      what is mapped is not written over by a new life of the file (stream/spare).
 *   3. The position moves over an END record only together with the file: until the next file is
 *      there, the end of the stream is before the END (a recovery may go on there).
 *
 * Threads: one thread a Tail. The shared page is read with atomic loads.
 */
#include "stream/tail.h"
#include "os/dir.h"

#define TAIL_FILES_MAX (1ull << 20)
#define TAIL_MOVES_MAX                                                                             \
    8 /* files looked at for one record before we say that something is wrong                      \
       */

static u64 shared_load(const u64 *field) { return __atomic_load_n(field, __ATOMIC_ACQUIRE); }

static void leave(Tail *t)
{
    if (t->map.data) file_drop(&t->file);
    file_unmap(&t->map);
}

/* Maps the log file that begins at `first`. E_NOT_FOUND when it is not there (any more). */
static Err map_file(const Tail *t, u64 first, Tail *found)
{
    Err err = E_OK;
    Arena a = {0};
    char name[WAL_NAME_MAX];
    u8 header[WAL_FILE_HEADER];
    wal_file_name(first, name);
    char *path = dir_join(&a, t->path, name, NULL);
    found->file = FILE_NONE;
    TRY(file_open(&found->file, path, FILE_READ));
    err = file_lock(&found->file, false);
    if (err == E_BUSY) err = fail(E_NOT_FOUND, "%s: is taken away", path);
    if (err) goto done;
    TRY(file_map(path, ~0ull, &found->map));
    TRY(file_read(&found->file, header, sizeof header, 0));
    TRY(fail_note(wal_file_header(found->map.data, found->map.size, &found->first, &found->id),
                  "%s", path));
    if (load_u64(header + 24) != load_u64(found->map.data + 24) || found->first != first)
        err = fail(E_NOT_FOUND, "%s: was replaced just now", path);
done:
    if (err) {
        file_drop(&found->file);
        file_unmap(&found->map);
    }
    arena_free(&a);
    return err;
}

/* The first position of the file that holds `position` now; false when there is none. */
static Err find_file(const Tail *t, u64 position, u64 *first, bool *found)
{
    Err err = E_OK;
    Arena a = {0};
    DirEntry *entries;
    u64 count, at;
    *found = false;
    TRY(dir_list(t->path, TAIL_FILES_MAX, &a, &entries, &count));
    for (u64 i = 0; i < count; i++) {
        if (!wal_file_parse(entries[i].name, &at) || at > position) continue;
        if (!*found || at > *first) *first = at;
        *found = true;
    }
done:
    arena_free(&a);
    return err;
}

typedef enum { MOVE_NONE, MOVE_DONE, MOVE_RACED } Move;

/* Moves to the file that holds `position` now: MOVE_NONE when that is the file we are in, or there
 * is none; MOVE_RACED when it was taken or replaced under our hands. */
static Err move(Tail *t, u64 position, Move *how)
{
    Tail next = {0};
    u64 first = 0;
    bool found = false;
    *how = MOVE_NONE;
    Err err = find_file(t, position, &first, &found);
    if (err || !found) return err;
    err = map_file(t, first, &next);
    if (err == E_NOT_FOUND) *how = MOVE_RACED;
    if (err) return err == E_NOT_FOUND ? E_OK : err;
    if (t->map.data && t->first == next.first && t->id == next.id) {
        leave(&next);
        return E_OK;
    }
    leave(t);
    t->map = next.map;
    t->file = next.file;
    t->first = next.first;
    t->id = next.id;
    *how = MOVE_DONE;
    return E_OK;
}

static Err check_oldest(const Tail *t)
{
    u64 oldest = shared_load(&t->shared->oldest);
    if (t->position >= oldest) return E_OK;
    return fail(E_CORRUPT, "log %s: position %llu is gone: the oldest that is kept is %llu",
                t->path, (unsigned long long)t->position, (unsigned long long)oldest);
}

Err tail_open(Tail *t, const char *path, u64 position)
{
    Err err = E_OK;
    Arena a = {0};
    void *page = NULL;
    *t = (Tail){.position = position};
    t->path = arena_text(&t->memory, path, strlen(path));
    TRY(file_map_shared(dir_join(&a, path, "durable", NULL), WAL_SHARED_SIZE, false, &page));
    t->shared = page;
    if (shared_load(&t->shared->magic) != WAL_SHARED_MAGIC)
        TRY(fail(E_NOT_FOUND, "log %s: its writer has not begun", path));
    TRY(check_oldest(t));
done:
    arena_free(&a);
    if (err) tail_close(t);
    return err;
}

/* Decodes the record at the position in the mapped file. */
static Err look(const Tail *t, WalRecord *r)
{
    if (!t->map.data || t->position < t->first)
        return fail(E_CORRUPT, "log %s: no file holds position %llu, which is said to be durable",
                    t->path, (unsigned long long)t->position);
    u64 at = t->position - t->first + WAL_FILE_HEADER;
    return fail_note(wal_record(t->map.data, t->map.size, at, t->id, t->position, r), "log %s",
                     t->path);
}

/* Steps over a record that a caller may see; false for others and for none. */
static bool take(Tail *t, Err looked, const WalRecord *r, bool *got)
{
    *got = looked == E_OK && r->kind != WAL_END;
    if (*got) t->position = r->end;
    return *got;
}

Err tail_next(Tail *t, WalRecord *r, bool *got)
{
    Move how = MOVE_NONE;
    *got = false;
    for (int i = 0; i < TAIL_MOVES_MAX; i++) {
        if (t->position >= shared_load(&t->shared->durable)) return E_OK;
        Err err = look(t, r);
        if (take(t, err, r, got)) return E_OK;
        /* Perhaps the position is gone, or another file holds it now. */
        u64 end = err ? t->position : r->end;
        Err moving = check_oldest(t);
        if (!moving) moving = move(t, t->position, &how);
        if (!moving && !err && how == MOVE_NONE) moving = move(t, end, &how);
        if (moving) return moving;
        if (err && how == MOVE_NONE) return look(t, r);
        if (how == MOVE_DONE && t->first == end) t->position = end;
    }
    if (how == MOVE_RACED) return E_OK; /* look again later */
    /* The last move may have found it, after the writer had held the file for long. */
    if (take(t, look(t, r), r, got)) return E_OK;
    return fail(E_CORRUPT, "log %s: position %llu is not found in any file", t->path,
                (unsigned long long)t->position);
}

u64 tail_durable(const Tail *t) { return shared_load(&t->shared->durable); }

u64 tail_view(const Tail *t) { return shared_load(&t->shared->view); }

void tail_close(Tail *t)
{
    leave(t);
    if (t->shared) file_unmap_shared(t->shared, WAL_SHARED_SIZE);
    arena_free(&t->memory);
    *t = (Tail){0};
}
