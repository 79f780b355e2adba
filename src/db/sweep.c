/*
 * sweep: lets go of old views and of what only they named.
 *
 *     1 view folders   idb.K with K below the newest two, below `hold`, and not pinned: an
 * exclusive lock, which a reader's shared one refuses, is held while the folder goes 2 sync <idb>
 * so that no folder comes back after its parts are gone (R3) 3 kept           the manifests of all
 * views that still have a folder: segments and hdb.M they name. One that cannot be read stops the
 * sweep here (P7) 4 manifests      view.K without a folder; segment files and segment folders that
 * no kept view names; hdb.M 5 garbage        part folders that went with the oldest kept view or
 * before
 *
 * A view above `current` may be on its way while we run on another thread: whatever has a number
 * above it is left alone, and what a newer view shares with older ones it takes from `current`,
 * which is kept.
 *
 * Killed anywhere, the next sweep finds the rest by the same rules: a manifest without folder goes
 * in 4, garbage stays listed until publish_swept.
 */
#include "db/sweep.h"

#include "base/bounds.h"
#include "base/map.h"
#include "db/adopted.h"
#include "db/folder.h"
#include "db/manifest.h"
#include "db/sidecar.h"
#include "os/dir.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SWEEP_NAMES_MAX (1ull << 24)

Err sweep_plan(Sweep *s, const View *current, Root *r, u64 hold)
{
    *s = (Sweep){.root = r, .current = current->number, .hold = hold};
    s->garbage_count = current->garbage_count;
    s->garbage = arena_array(&s->memory, ViewGarbage, s->garbage_count);
    for (u32 i = 0; i < s->garbage_count; i++) {
        const ViewGarbage *g = &current->garbage[i];
        s->garbage[i] = (ViewGarbage){g->gone, str_dup(&s->memory, str_of(g->path))};
    }
    return E_OK;
}

void sweep_free(Sweep *s)
{
    arena_free(&s->memory);
    *s = (Sweep){0};
}

/* What kept views name. Keys of the maps: segment names; numbers. */
typedef struct {
    Map segments, hdbs, views;
} Kept;

static int by_number(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;
    return (x < y) - (x > y);
}

/* The numbers K <= current of the folders idb.K, newest first. */
static Err list_views(const Sweep *s, Arena *a, u64 **numbers, u64 *count)
{
    DirEntry *e = NULL;
    u64 entries = 0;
    Err err = dir_list(s->root->idb, SWEEP_NAMES_MAX, a, &e, &entries);
    if (err != E_OK) return err;
    *numbers = arena_array(a, u64, entries);
    *count = 0;
    for (u64 i = 0; i < entries; i++) {
        u64 n = 0;
        if (e[i].kind != DIR_FOLDER || !root_numbered(str_of(e[i].name), "idb.", &n) ||
            n > s->current)
            continue;
        (*numbers)[(*count)++] = n;
    }
    if (*count > 1) qsort(*numbers, *count, sizeof **numbers, by_number);
    return E_OK;
}

/* Deletes one view's folder unless it is pinned. */
static Err drop_view(Sweep *s, u64 number, bool *pinned)
{
    Err err = E_OK;
    Arena scratch = {0};
    int lock = -1;
    char *path = arena_format(&scratch, "%s/idb.%" PRIu64, s->root->idb, number);

    err = dir_lock(path, true, &lock);
    *pinned = err == E_BUSY;
    if (*pinned) err = E_OK;
    if (err != E_OK || *pinned) goto done;
    TRY(dir_remove_all(path));
    s->views++;
done:
    dir_unlock(&lock);
    arena_free(&scratch);
    return err;
}

/* Steps 1 and 2: numbers[0..*count) are the views that stay, newest first. */
static Err drop_views(Sweep *s, u64 *numbers, u64 *count)
{
    u64 kept = 0, before = s->views;
    for (u64 i = 0; i < *count; i++) {
        bool stays = i < 2 || numbers[i] >= s->hold;
        if (!stays) {
            Err err = drop_view(s, numbers[i], &stays);
            if (err != E_OK) return err;
        }
        if (stays) numbers[kept++] = numbers[i];
    }
    *count = kept;
    return s->views > before ? dir_sync(s->root->idb) : E_OK;
}

/* Reads a kept view's manifest (not its segments) and notes what it names. */
static Err note_kept(Sweep *s, u64 number, Kept *kept)
{
    Err err = E_OK;
    Arena scratch = {0};
    View v = {0};
    ManifestSegment *m = NULL;
    u32 count = 0;
    u8 *data = NULL;
    u64 size = 0;
    char *path = arena_format(&scratch, "%s/manifest/view.%" PRIu64, s->root->idb, number);

    TRY(file_read_all(path, BOUND_MANIFEST_MAX, &scratch, &data, &size));
    err = manifest_read_view((Str){(const char *)data, size}, s->root, &v, &m, &count);
    if (err == E_OK && v.number != number)
        err = fail(E_CORRUPT, "the file holds view %" PRIu64, v.number);
    if (err != E_OK) {
        err = fail_note(err, "%s", path);
        goto done;
    }
    for (u32 i = 0; i < count; i++)
        map_put(&kept->segments, str_of(m[i].name), 0);
    map_put_i64(&kept->hdbs, (i64)v.hdb, 0);
    map_put_i64(&kept->views, (i64)number, 0);
    s->oldest = number;
    s->watermark = v.watermark;
done:
    arena_free(&v.memory);
    arena_free(&scratch);
    return err;
}

/* Whether a name is ours, not newer than `current`, and no kept view needs it. */
static bool is_needless(const Sweep *s, const Kept *kept, Str name)
{
    u64 n = 0;
    Str segment;
    if (root_numbered(name, "view.", &n))
        return n <= s->current && map_find_i64(&kept->views, (i64)n) < 0;
    if (root_numbered(name, "hdb.", &n))
        return n <= s->current && map_find_i64(&kept->hdbs, (i64)n) < 0;
    if (folder_segment_parse(name, &segment, &n))
        return n <= s->current && map_find(&kept->segments, segment) < 0;
    return false;
}

/* Step 4 in one folder. */
static Err drop_needless(const Sweep *s, const Kept *kept, const char *folder)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 count = 0;

    TRY(dir_list(folder, SWEEP_NAMES_MAX, &scratch, &e, &count));
    for (u64 i = 0; i < count; i++) {
        if (!is_needless(s, kept, str_of(e[i].name))) continue;
        char *path = dir_join(&scratch, folder, e[i].name, NULL);
        if (e[i].kind == DIR_FOLDER) {
            TRY(dir_remove_all(path));
        } else if (e[i].kind == DIR_FILE) {
            TRY(dir_unlink(path));
        }
    }
done:
    arena_free(&scratch);
    return err;
}

/* Whether a part's folder may be deleted: ours, or that of an imported part. */
static bool is_ours(const Sweep *s, const Adopted *adopted, const char *path)
{
    return root_owns(s->root, path) || adopted_owns(s->root, adopted, path);
}

/* The folder above a path, in the arena. */
static const char *above(Arena *a, const char *path)
{
    return arena_text(a, path, (u64)(strrchr(path, '/') - path));
}

/* Makes it durable that nothing is left in a day's folder, or that the folder is gone itself. */
static Err sync_day(const char *day, Arena *a)
{
    DirKind kind = DIR_ABSENT;
    Err err = dir_kind(day, false, &kind);
    return err != E_OK ? err : dir_sync(kind == DIR_ABSENT ? above(a, day) : day);
}

/* Step 5. The next manifest forgets what is gone, so it must be gone for good: each day's folder is
 * synced once (parts of a day stand together in the list), also when an earlier sweep, which may
 * not have come to that, has removed the part. */
static Err drop_garbage(Sweep *s)
{
    Err err = E_OK;
    Arena scratch = {0};
    Adopted adopted = {0};
    const char *day = NULL;

    if (s->garbage_count > 0) TRY(adopted_read(s->root, &scratch, &adopted));
    for (u32 i = 0; i < s->garbage_count; i++) {
        const ViewGarbage *g = &s->garbage[i];
        DirKind kind = DIR_ABSENT;
        if (g->gone > s->oldest || !is_ours(s, &adopted, g->path)) continue;
        TRY(sidecar_remove(g->path));
        TRY(dir_kind(g->path, false, &kind));
        if (kind == DIR_FOLDER) TRY(dir_remove_all(g->path));
        if (kind == DIR_LINK) TRY(dir_unlink(g->path)); /* an imported date that was a link */
        s->parts += kind == DIR_FOLDER || kind == DIR_LINK;
        const char *its_day = above(&scratch, g->path);
        if (day != NULL && strcmp(day, its_day) != 0) TRY(sync_day(day, &scratch));
        day = its_day;
    }
    if (day != NULL) TRY(sync_day(day, &scratch));
done:
    arena_free(&scratch);
    return err;
}

static Err sweep_all(Sweep *s)
{
    Err err = E_OK;
    Arena scratch = {0};
    Kept kept = {0};
    u64 *numbers = NULL, count = 0;
    const Root *r = s->root;

    TRY(list_views(s, &scratch, &numbers, &count));
    if (count == 0 || numbers[0] != s->current) {
        err =
            fail(E_CORRUPT, "%s/idb.%" PRIu64 ", the current view, is missing", r->idb, s->current);
        goto done;
    }
    TRY(drop_views(s, numbers, &count));
    for (u64 i = 0; i < count; i++)
        TRY(note_kept(s, numbers[i], &kept));
    TRY(drop_needless(s, &kept, dir_join(&scratch, r->idb, "manifest", NULL)));
    TRY(drop_needless(s, &kept, dir_join(&scratch, r->idb, "seg", NULL)));
    TRY(drop_needless(s, &kept, dir_join(&scratch, r->hdb, "seg", NULL)));
    TRY(drop_needless(s, &kept, r->hdb));
    TRY(drop_garbage(s));
done:
    map_free(&kept.segments);
    map_free(&kept.hdbs);
    map_free(&kept.views);
    arena_free(&scratch);
    return err;
}

void sweep_run(Sweep *s)
{
    s->err = sweep_all(s);
    if (s->err == E_OK) return;
    snprintf(s->text, sizeof s->text, "%s", fail_text());
    s->oldest = 0;
    s->watermark = 0;
}
