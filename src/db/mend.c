/*
 * mend: finds the truth after any end of the process or the machine, and removes what is not part
 * of it.
 *
 *     <idb>/current absent   nothing beyond the number 1, no interval parts: a first start that did
 * not get to its end. Its leavings go. Anything else without `current` is damage: stop (P7).
 *     current -> idb.N       the view must be whole: manifest, segments, idb.N, hdb.M, as many
 * bytes of `sym` as it needs. Sync <idb>, as the rename may be in memory only (R3); swing
 * <hdb>/current to hdb.M.
 *
 * Then what cannot belong to any view goes: numbers above N; interval folders with an EOI number
 * above the view's, left by a stage that was never published; rows spilled to disk; part folders
 * that a stage file lists and the view does not name. A part in the view's list of garbage stays,
 * older views may name it: it is the sweep's.
 *
 * Only names of our own grammar are touched (R12); everything else stays where it is. Each removal
 * alone is harmless and all of them are found again by the same listing, so it may be killed
 * between any two (R14).
 */
#include "db/mend.h"

#include "base/bounds.h"
#include "db/folder.h"
#include "db/manifest.h"
#include "db/sidecar.h"
#include "os/dir.h"
#include "q/temporal.h"

#include <inttypes.h>
#include <stdio.h>

#define MEND_NAMES_MAX (1ull << 24)

/* Lists a folder; an absent one has no names. */
static Err list(const char *path, Arena *a, DirEntry **entries, u64 *count)
{
    DirKind kind = DIR_ABSENT;
    *count = 0;
    Err err = dir_kind(path, true, &kind);
    if (err != E_OK || kind == DIR_ABSENT) return err;
    return dir_list(path, MEND_NAMES_MAX, a, entries, count);
}

static Err remove_entry(const char *folder, const DirEntry *e, u64 *removed)
{
    Arena scratch = {0};
    char *path = dir_join(&scratch, folder, e->name, NULL);
    Err err = e->kind == DIR_FOLDER ? dir_remove_all(path) : dir_unlink(path);
    if (err == E_OK) *removed += 1;
    arena_free(&scratch);
    return err;
}

/* ---- numbers above the current view's */

/* The number in a name that we give: idb.N, hdb.M, view.N, segment files and folders. */
static bool numbered(Str name, u64 *number)
{
    Str segment;
    return root_numbered(name, "idb.", number) || root_numbered(name, "hdb.", number) ||
           root_numbered(name, "view.", number) || folder_segment_parse(name, &segment, number);
}

static Err remove_above(const char *folder, u64 number, u64 *removed)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 count = 0;

    TRY(list(folder, &scratch, &e, &count));
    for (u64 i = 0; i < count; i++) {
        u64 n = 0;
        bool link = e[i].kind == DIR_LINK && strcmp(e[i].name, "current.new") == 0;
        if (!link && (!numbered(str_of(e[i].name), &n) || n <= number)) continue;
        TRY(remove_entry(folder, &e[i], removed));
    }
done:
    arena_free(&scratch);
    return err;
}

Err mend_above(const Root *r, u64 number, u64 hdb, u64 *removed)
{
    Err err = E_OK;
    Arena scratch = {0};

    TRY(remove_above(r->idb, number, removed));
    TRY(remove_above(r->hdb, hdb, removed));
    TRY(remove_above(dir_join(&scratch, r->idb, "seg", NULL), number, removed));
    TRY(remove_above(dir_join(&scratch, r->hdb, "seg", NULL), number, removed));
    TRY(remove_above(dir_join(&scratch, r->idb, "manifest", NULL), number, removed));
done:
    arena_free(&scratch);
    return err;
}

/* ---- the truth */

/* The highest number in the names of a folder. */
static Err highest(const char *folder, u64 *number)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 count = 0;

    TRY(list(folder, &scratch, &e, &count));
    for (u64 i = 0; i < count; i++) {
        u64 n = 0;
        if (numbered(str_of(e[i].name), &n)) *number = MAX(*number, n);
    }
done:
    arena_free(&scratch);
    return err;
}

/* Without `current`: whether this is a first start. */
static Err check_first(const Root *r)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 number = 0, count = 0;
    char *data = dir_join(&scratch, r->idb, "data", NULL);

    TRY(highest(r->idb, &number));
    TRY(highest(r->hdb, &number));
    TRY(highest(dir_join(&scratch, r->idb, "manifest", NULL), &number));
    if (number > 1) {
        err = fail(E_CORRUPT, "%s/current is missing, but there are views up to %" PRIu64, r->idb,
                   number);
        goto done;
    }
    TRY(list(data, &scratch, &e, &count));
    if (count > 0) {
        err = fail(E_CORRUPT, "%s/current is missing, but %s holds data (%s)", r->idb, data,
                   e[0].name);
    }
done:
    arena_free(&scratch);
    return err;
}

/* The current view cannot be read: adds to the failure which older one can. */
static Err name_older(Root *r, ViewCache *c, u64 number, Err err)
{
    char text[FAIL_TEXT_MAX];
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 count = 0, best = 0;

    snprintf(text, sizeof text, "%s", fail_text());
    if (list(dir_join(&scratch, r->idb, "manifest", NULL), &scratch, &e, &count) != E_OK) count = 0;
    for (u64 i = 0; i < count; i++) {
        u64 n = 0;
        View *v = NULL;
        if (!root_numbered(str_of(e[i].name), "view.", &n) || n >= number || n <= best) continue;
        if (view_open_number(c, n, &v) != E_OK) continue;
        best = n;
        view_close(c, v);
    }
    arena_free(&scratch);
    if (best == 0) return fail(err, "%s; no older view can be read", text);
    return fail(err, "%s; the newest older view that can be read is %" PRIu64, text, best);
}

static Err must_be_folder(const char *path)
{
    DirKind kind = DIR_ABSENT;
    Err err = dir_kind(path, false, &kind);
    if (err == E_OK && kind != DIR_FOLDER)
        return fail(E_CORRUPT, "%s, which the current view needs, is missing", path);
    return err;
}

/* Whether the folders that the view consists of and its domain are there. */
static Err check_whole(const Root *r, const View *v)
{
    Err err = E_OK;
    Arena scratch = {0};
    File f = FILE_NONE;
    u64 size = 0;

    TRY(must_be_folder(arena_format(&scratch, "%s/idb.%" PRIu64, r->idb, v->number)));
    TRY(must_be_folder(arena_format(&scratch, "%s/hdb.%" PRIu64, r->hdb, v->hdb)));
    err = file_open(&f, r->sym, FILE_READ);
    if (err == E_NOT_FOUND)
        err = fail(E_CORRUPT, "%s, which the current view needs, is missing", r->sym);
    if (err != E_OK) goto done;
    TRY(file_size(&f, &size));
    if (size < v->sym_size) {
        err = fail(E_CORRUPT, "%s has %" PRIu64 " bytes; view %" PRIu64 " needs %" PRIu64, r->sym,
                   size, v->number, v->sym_size);
    }
done:
    file_drop(&f);
    arena_free(&scratch);
    return err;
}

/* <hdb>/current leads where the view says, durably. */
static Err mend_hdb(const Root *r, const View *v)
{
    Err err = E_OK;
    Arena scratch = {0};
    char *target = NULL;
    char *path = dir_join(&scratch, r->hdb, "current", NULL);
    char *wanted = arena_format(&scratch, "hdb.%" PRIu64, v->hdb);

    err = dir_read_link(path, &scratch, &target);
    if (err != E_OK && err != E_NOT_FOUND) goto done;
    if (err == E_OK && strcmp(target, wanted) == 0) {
        TRY(dir_sync(r->hdb));
    } else {
        TRY(dir_swing(wanted, path));
    }
done:
    arena_free(&scratch);
    return err;
}

/* ---- part folders that no view names */

/* Removes a folder when it is empty. */
static Err remove_empty(const char *path, u64 *removed)
{
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    Err err = list(path, &scratch, &e, &count);
    if (err == E_OK && count == 0) {
        err = dir_remove(path);
        if (err == E_OK) *removed += 1;
    }
    arena_free(&scratch);
    return err;
}

/* Interval folders of EOI numbers that no view has seen, and days that are empty. */
static Err remove_intervals(const Root *r, u64 eoi, u64 *removed)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *day = NULL, *e = NULL;
    u64 days = 0, count = 0;
    char *data = dir_join(&scratch, r->idb, "data", NULL);

    TRY(list(data, &scratch, &day, &days));
    for (u64 i = 0; i < days; i++) {
        i32 date = 0;
        if (day[i].kind != DIR_FOLDER || !temporal_date_parse(str_of(day[i].name), &date)) continue;
        char *path = dir_join(&scratch, data, day[i].name, NULL);
        TRY(list(path, &scratch, &e, &count));
        for (u64 k = 0; k < count; k++) {
            u64 seq = 0;
            bool part = e[k].kind == DIR_FOLDER && root_numbered(str_of(e[k].name), "", &seq);
            bool sums = e[k].kind == DIR_FILE && sidecar_numbered(str_of(e[k].name), &seq);
            if ((!part && !sums) || seq <= eoi) continue;
            TRY(remove_entry(path, &e[k], removed));
        }
        TRY(remove_empty(path, removed));
    }
done:
    arena_free(&scratch);
    return err;
}

/* Days in a tier's store that the view does not name and that are empty: their last part was
 * swept. */
static Err remove_empty_days(const Root *r, const View *v, u32 tier, u64 *removed)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *day = NULL;
    u64 days = 0;
    const char *store = root_store(r, tier);

    TRY(list(store, &scratch, &day, &days));
    for (u64 i = 0; i < days; i++) {
        i32 date = 0;
        if (day[i].kind != DIR_FOLDER || !temporal_date_parse(str_of(day[i].name), &date)) continue;
        const Part *p = view_part(v, PART_DATE, date);
        if (p != NULL && p->tier == tier) continue;
        TRY(remove_empty(dir_join(&scratch, store, day[i].name, NULL), removed));
    }
done:
    arena_free(&scratch);
    return err;
}

static Err empty_spill(const Root *r, u64 *removed)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    char *spill = dir_join(&scratch, r->idb, "spill", NULL);

    TRY(list(spill, &scratch, &e, &count));
    for (u64 i = 0; i < count; i++)
        TRY(remove_entry(spill, &e[i], removed));
done:
    arena_free(&scratch);
    return err;
}

/* ---- stage files */

/* Whether the view names a folder, as a part or as garbage. */
static bool is_named(const View *v, const char *path)
{
    for (int kind = PART_INTERVAL; kind <= PART_DATE; kind++) {
        u64 at = 0;
        for (const Part *p = view_next(v, (PartKind)kind, &at); p != NULL;
             p = view_next(v, (PartKind)kind, &at)) {
            if (strcmp(p->path, path) == 0) return true;
        }
    }
    for (u32 i = 0; i < v->garbage_count; i++) {
        if (strcmp(v->garbage[i].path, path) == 0) return true;
    }
    return false;
}

static Err remove_staged(const Root *r, const View *v, const char *path, u64 *removed)
{
    DirKind kind = DIR_ABSENT, sums = DIR_ABSENT;
    Arena scratch = {0};
    if (!root_owns(r, path))
        return fail(E_CORRUPT, "it lists %s, which is no part folder of ours", path);
    if (is_named(v, path)) return E_OK;
    Err err = dir_kind(path, false, &kind);
    if (err == E_OK) err = dir_kind(sidecar_path(&scratch, path), false, &sums);
    if (err == E_OK && sums != DIR_ABSENT) err = sidecar_remove(path);
    if (err == E_OK && kind != DIR_ABSENT) err = dir_remove_all(path);
    if (err != E_OK || (kind == DIR_ABSENT && sums == DIR_ABSENT)) goto done;
    *removed += 1;
    /* The stage file is the only one that knows: the folder must be gone for good before it
     * goes. */
    err = dir_sync(arena_text(&scratch, path, (u64)(strrchr(path, '/') - path)));
done:
    arena_free(&scratch);
    return err;
}

Err mend_stage(const Root *r, const View *v, const char *path, u64 *removed)
{
    Err err = E_OK;
    Arena scratch = {0};
    u8 *data = NULL;
    u64 size = 0;
    char **paths = NULL;
    u32 count = 0;

    err = file_read_all(path, BOUND_MANIFEST_MAX, &scratch, &data, &size);
    if (err == E_NOT_FOUND) {
        err = E_OK;
        goto done;
    }
    if (err != E_OK) goto done;
    if (size > 0)
        TRY(manifest_read_stage((Str){(const char *)data, size}, &scratch, &paths, &count));
    for (u32 i = 0; i < count; i++)
        TRY(remove_staged(r, v, paths[i], removed));
    TRY(dir_unlink(path));
done:
    arena_free(&scratch);
    return fail_note(err, "%s", path);
}

static Err mend_stages(const Root *r, const View *v, u64 *removed)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    char *stage = dir_join(&scratch, r->idb, "stage", NULL);

    TRY(list(stage, &scratch, &e, &count));
    for (u64 i = 0; i < count; i++) {
        Str name = str_of(e[i].name);
        char *path = dir_join(&scratch, stage, e[i].name, NULL);
        if (e[i].kind != DIR_FILE) continue;
        if (str_ends(name, STR(".tmp"))) {
            TRY(dir_unlink(path)); /* the job had not begun */
        } else if (str_name_ok(name, false)) {
            TRY(mend_stage(r, v, path, removed));
        }
    }
done:
    arena_free(&scratch);
    return err;
}

Err mend_current(Root *r, ViewCache *c, View **out, u64 *removed)
{
    Err err = E_OK;
    View *v = NULL;
    u64 number = 0;

    *out = NULL;
    TRY(view_current(r, &number));
    if (number == 0) {
        TRY(check_first(r));
        TRY(mend_above(r, 0, 0, removed));
        TRY(empty_spill(r, removed));
        goto done;
    }
    err = view_open(c, false, &v);
    if (err == E_OK) err = check_whole(r, v);
    if (err != E_OK) {
        if (err == E_CORRUPT) err = name_older(r, c, number, err);
        goto done;
    }
    TRY(dir_sync(r->idb));
    TRY(mend_hdb(r, v));
    TRY(mend_above(r, v->number, v->hdb, removed));
    TRY(mend_stages(r, v, removed));
    TRY(remove_intervals(r, v->eoi, removed));
    TRY(empty_spill(r, removed));
    for (u32 i = 0; i < r->tier_count; i++) {
        if (!r->tiers[i].object) TRY(remove_empty_days(r, v, i, removed));
    }
    *out = v;
    v = NULL;
done:
    if (v != NULL) view_close(c, v);
    return err;
}
