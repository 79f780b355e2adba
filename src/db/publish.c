/*
 * publish: makes the next view of the current one and a change, and commits it.
 *
 *     parts staged and synced             by the job, before
 *     1 segment folders, each synced      <base>/seg/d.2024.43, when the store is wide
 *     2 <base>/seg synced
 *     3 hdb.M when dates changed, idb.N   filled, synced
 *     4 <hdb>, <idb> synced
 *     5 new segment files, view.N         written, synced
 *     6 <idb>/manifest synced
 *     7 rename of <idb>/current, sync     the commit
 *     8 rename of <hdb>/current, sync     when M changed
 *
 * Whatever is made before 7 has the new view's number in its name, so that undoing a try, recovery
 * after a crash and the sweep's leave-alone rule are the same comparison: no number above the
 * current view's belongs to anybody.
 *
 * The cost is that of the change: segments whose parts stay are shared, in memory and on disk. When
 * a store turns from narrow to wide all its segments get new files and folders, so that "number of
 * a folder" = "view that made it" always holds; that happens at 367 parts, or with the first part
 * of a second tier.
 *
 * R4: an E_IO before the rename leaves the old view standing, but the process must not go on
 * trusting the device. After the rename every failure is reported as E_IO, whatever it was: the
 * caller cannot know which view a power cut leaves.
 */
#include "db/publish.h"

#include "base/bounds.h"
#include "base/crc.h"
#include "base/map.h"
#include "db/folder.h"
#include "db/manifest.h"
#include "db/mend.h"
#include "os/dir.h"
#include "os/now.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SYM_PIECE (1u << 20)

u64 publish_next(const Publish *p) { return p->current->number + 1; }

void publish_swept(Publish *p, u64 oldest) { p->swept = MAX(p->swept, oldest); }

PublishChange publish_change(const Publish *p)
{
    const View *v = p->current;
    return (PublishChange){
        .watermark = v->watermark,
        .eoi = v->eoi,
        .eod = v->eod,
        .eod_asked = v->eod_asked,
        .eod_upto = v->eod_upto,
        .sym_size = v->sym_size,
        .sym_crc = v->sym_crc,
        .sym_summed = v->sym_summed,
        .interval_end = v->interval_end,
        .day_end = v->day_end,
    };
}

/* ---- the next view in memory */

typedef struct {
    const Part **part; /* sorted by key */
    u64 count;
} PartList;

static int by_key(const void *a, const void *b)
{
    const Part *x = *(const Part *const *)a, *y = *(const Part *const *)b;
    return (x->key > y->key) - (x->key < y->key);
}

/* Copies a part with all it names into a segment's memory. */
static void copy_part(Arena *a, const Part *from, Part *to)
{
    *to = *from;
    to->path = str_dup(a, str_of(from->path));
    to->tables = arena_array(a, PartTable, from->table_count);
    for (u32 i = 0; i < from->table_count; i++) {
        PartTable *t = &to->tables[i];
        *t = from->tables[i];
        t->name = str_dup(a, str_of(t->name));
        t->opened = NULL;
        t->slices = arena_array(a, PartSlice, t->slice_count);
        if (t->slice_count > 0)
            memcpy(t->slices, from->tables[i].slices, t->slice_count * sizeof *t->slices);
    }
}

/* What the change adds of one kind, sorted; refuses doubles and what no link can lead to. */
static Err list_added(const PublishChange *c, const Root *r, PartKind kind, Arena *a, PartList *out)
{
    *out = (PartList){arena_array(a, const Part *, c->add_count), 0};
    for (u32 i = 0; i < c->add_count; i++) {
        const Part *p = &c->add[i];
        if (p->kind != kind) continue;
        ASSERT(kind == PART_DATE ? p->key == p->day && !p->late && p->tier < r->tier_count
                                 : p->key >= 0);
        if (kind == PART_DATE && r->tiers[p->tier].object) {
            return fail(E_UNSUPPORTED, "part %s: publishing from an object store", p->path);
        }
        if (p->path[0] != '/') return fail(E_USAGE, "part `%s`: not an absolute path", p->path);
        out->part[out->count++] = p;
    }
    if (out->count > 1) qsort(out->part, out->count, sizeof *out->part, by_key);
    for (u64 i = 1; i < out->count; i++) {
        if (out->part[i - 1]->key == out->part[i]->key) {
            return fail(E_EXISTS, "parts %s and %s have one number", out->part[i - 1]->path,
                        out->part[i]->path);
        }
    }
    return E_OK;
}

/* What stays of the current view's parts of one kind; what goes is appended to `gone`. */
static Err list_kept(const View *v, const PublishChange *c, PartKind kind, Arena *a, PartList *out,
                     PartList *gone)
{
    u64 at = 0;
    Map removed = {0};
    Err err = E_OK;

    for (u32 i = 0; i < c->remove_count; i++) {
        const Part *p = c->remove[i];
        if (p->kind != kind) continue;
        const Part *there = view_part(v, kind, p->key);
        if (there == NULL || strcmp(there->path, p->path) != 0) {
            err = fail(E_NOT_FOUND, "part %s is not in view %" PRIu64, p->path, v->number);
            goto done;
        }
        map_put_i64(&removed, p->key, 0);
    }
    *out = (PartList){arena_array(a, const Part *, view_part_count(v, kind)), 0};
    for (const Part *p = view_next(v, kind, &at); p != NULL; p = view_next(v, kind, &at)) {
        PartList *list = map_find_i64(&removed, p->key) < 0 ? out : gone;
        list->part[list->count++] = p;
    }
done:
    map_free(&removed);
    return err;
}

/* Merges what stays and what is added by key. A date that is there already is replaced and goes to
 * `gone`. */
static Err merge(const PartList *kept, const PartList *added, Arena *a, PartList *out,
                 PartList *gone)
{
    u64 k = 0, n = 0;
    *out = (PartList){arena_array(a, const Part *, kept->count + added->count), 0};
    while (k < kept->count || n < added->count) {
        const Part *old = k < kept->count ? kept->part[k] : NULL;
        const Part *new = n < added->count ? added->part[n] : NULL;
        if (new == NULL || (old != NULL && old->key < new->key)) {
            out->part[out->count++] = old;
            k++;
            continue;
        }
        if (old != NULL && old->key == new->key) {
            if (new->kind == PART_INTERVAL) {
                return fail(E_EXISTS, "part %s: its number is that of %s", new->path, old->path);
            }
            gone->part[gone->count++] = old;
            k++;
        }
        out->part[out->count++] = new;
        n++;
    }
    return E_OK;
}

/* The current view's segment of a group, if it has exactly these parts. */
static Segment *same_segment(const View *v, PartKind kind, const Part *const *part, u32 count)
{
    u32 segments = 0;
    Segment **s = view_segments(v, kind, &segments);
    i32 group = view_group(kind, part[0]->key);
    for (u32 i = 0; i < segments; i++) {
        if (s[i]->group != group || s[i]->part_count != count) continue;
        for (u32 k = 0; k < count; k++) {
            if (part[k] != &s[i]->parts[k]) return NULL;
        }
        return s[i];
    }
    return NULL;
}

/* Groups sorted parts into segments: the current view's where nothing changed (unless all are made
 * `anew`), else new ones. *changed counts differences, segments that went included. */
static void make_segments(Publish *p, View *next, PartKind kind, const PartList *parts, bool anew,
                          u32 *changed)
{
    u32 count = 0, before = 0, shared = 0;
    Segment **out = arena_array(&next->memory, Segment *, parts->count);

    view_segments(p->current, kind, &before);
    for (u64 from = 0, to = 0; from < parts->count; from = to) {
        i32 group = view_group(kind, parts->part[from]->key);
        for (to = from; to < parts->count && view_group(kind, parts->part[to]->key) == group;)
            to++;
        Segment *s =
            anew ? NULL : same_segment(p->current, kind, parts->part + from, (u32)(to - from));
        if (s != NULL) {
            shared++;
        } else {
            s = view_segment_make(p->cache, kind, group, next->number);
            s->part_count = (u32)(to - from);
            s->parts = arena_array(&s->memory, Part, s->part_count);
            for (u64 i = from; i < to; i++)
                copy_part(&s->memory, parts->part[i], &s->parts[i - from]);
        }
        s->uses++;
        out[count++] = s;
    }
    *changed = (count - shared) + (before - shared);
    *(kind == PART_INTERVAL ? &next->interval_segs : &next->date_segs) = out;
    *(kind == PART_INTERVAL ? &next->interval_seg_count : &next->date_seg_count) = count;
}

/* One kind of parts of the next view; *wide and *changed tell what must be written. */
static Err build_kind(Publish *p, const PublishChange *c, PartKind kind, View *next, Arena *a,
                      PartList *gone, bool *wide, u32 *changed)
{
    Err err = E_OK;
    PartList added, kept, parts, before;
    static const PublishChange nothing;

    TRY(list_added(c, p->root, kind, a, &added));
    TRY(list_kept(p->current, &nothing, kind, a, &before, gone));
    TRY(list_kept(p->current, c, kind, a, &kept, gone));
    TRY(merge(&kept, &added, a, &parts, gone));
    *wide = folder_is_wide(parts.part, parts.count);
    bool was_wide = folder_is_wide(before.part, before.count);
    make_segments(p, next, kind, &parts, *wide && !was_wide, changed);
done:
    return err;
}

/* The parts that the next view still lists although no part of it lies there: what is not swept
 * yet, and what goes now. A folder that an added part names again does not go. */
static void build_garbage(Publish *p, const PublishChange *c, View *next, const PartList *gone)
{
    Map added = {0};
    const View *v = p->current;

    for (u32 i = 0; i < c->add_count; i++)
        map_put(&added, str_of(c->add[i].path), 0);
    next->garbage = arena_array(&next->memory, ViewGarbage, v->garbage_count + gone->count);
    for (u32 i = 0; i < v->garbage_count; i++) {
        if (v->garbage[i].gone <= p->swept) continue;
        ViewGarbage *g = &next->garbage[next->garbage_count++];
        *g = (ViewGarbage){v->garbage[i].gone, str_dup(&next->memory, str_of(v->garbage[i].path))};
    }
    for (u64 i = 0; i < gone->count; i++) {
        Str path = str_of(gone->part[i]->path);
        if (map_find(&added, path) >= 0) continue;
        next->garbage[next->garbage_count++] =
            (ViewGarbage){next->number, str_dup(&next->memory, path)};
    }
    map_free(&added);
}

static Err build_header(const View *v, const PublishChange *c, View *next)
{
    if (c->watermark < v->watermark || c->eoi < v->eoi || c->eod < v->eod ||
        c->sym_size < v->sym_size) {
        return fail(E_USAGE,
                    "watermark, interval and day numbers and the domain's size never go back");
    }
    if (c->publisher_count > BOUND_PUBLISHERS_MAX)
        return fail(E_LIMIT, "%" PRIu32 " publishers", c->publisher_count);
    next->watermark = c->watermark;
    next->eoi = c->eoi;
    next->eod = c->eod;
    next->eod_asked = c->eod_asked;
    next->eod_upto = c->eod_upto;
    next->sym_size = c->sym_size;
    /* A change that moves the length and leaves the CRC does not know it. */
    bool stale = c->sym_size != v->sym_size && c->sym_crc == v->sym_crc;
    next->sym_summed = c->sym_summed && !stale;
    next->sym_crc = next->sym_summed ? c->sym_crc : 0;
    next->interval_end = c->interval_end;
    next->day_end = c->day_end;
    next->committed = now_wall();
    bool lost = c->lost_from != c->lost_to;
    next->lost_from = lost ? c->lost_from : v->lost_from;
    next->lost_to = lost ? c->lost_to : v->lost_to;
    bool told = c->publishers != NULL;
    next->publisher_count = told ? c->publisher_count : v->publisher_count;
    next->publishers = arena_array(&next->memory, ViewPublisher, next->publisher_count);
    if (next->publisher_count > 0)
        memcpy(next->publishers, told ? c->publishers : v->publishers,
               next->publisher_count * sizeof *next->publishers);
    return E_OK;
}

/* What the commit has to write beside the view's own folder and file. */
typedef struct {
    bool wide[2]; /* by PartKind */
    u32 changed[2];
} Plan;

static Err build(Publish *p, const PublishChange *c, Plan *plan, View **out)
{
    Err err = E_OK;
    Arena scratch = {0};
    View *next = NULL;
    const View *v = p->current;
    u64 parts = view_part_count(v, PART_INTERVAL) + view_part_count(v, PART_DATE);
    PartList gone = {arena_array(&scratch, const Part *, parts), 0};

    TRY(view_empty(p->cache, &next));
    next->number = publish_next(p);
    TRY(build_header(v, c, next));
    TRY(build_kind(p, c, PART_INTERVAL, next, &scratch, &gone, &plan->wide[PART_INTERVAL],
                   &plan->changed[PART_INTERVAL]));
    TRY(build_kind(p, c, PART_DATE, next, &scratch, &gone, &plan->wide[PART_DATE],
                   &plan->changed[PART_DATE]));
    build_garbage(p, c, next, &gone);
    next->hdb = v->hdb != 0 && plan->changed[PART_DATE] == 0 ? v->hdb : next->number;
    *out = next;
    next = NULL;
done:
    if (next != NULL) view_close(p->cache, next);
    arena_free(&scratch);
    return err;
}

/* ---- the next view on disk */

/* Whether this view made the segment (and did not take it over). */
static bool is_new(const View *v, const Segment *s)
{
    PartKind kind = PART_INTERVAL;
    i32 group = 0;
    u64 number = 0;
    bool ok = view_segment_parse(str_of(s->name), &kind, &group, &number);
    ASSERT(ok);
    return number == v->number;
}

/* Steps 1 and 2. */
static Err write_segment_folders(const Root *r, const View *v, PartKind kind)
{
    Err err = E_OK;
    Arena scratch = {0};
    u32 count = 0;
    Segment **s = view_segments(v, kind, &count);

    for (u32 i = 0; i < count; i++) {
        if (is_new(v, s[i])) TRY(folder_make_segment(r, s[i]));
    }
    TRY(dir_sync(dir_join(&scratch, folder_base(r, kind), "seg", NULL)));
done:
    arena_free(&scratch);
    return err;
}

/* A new file with this content, synced; not its name. What a failed try left there goes first. */
static Err write_file(const char *path, const Buf *b)
{
    Err err = E_OK;
    File f = FILE_NONE;

    err = file_open(&f, path, FILE_CREATE);
    if (err == E_EXISTS) {
        TRY(dir_unlink(path));
        err = file_open(&f, path, FILE_CREATE);
    }
    if (err != E_OK) goto done;
    TRY(file_write(&f, b->data, b->size, 0));
    TRY(file_sync(&f));
    TRY(file_close(&f));
done:
    file_drop(&f);
    return err;
}

/* Steps 5 and 6. */
static Err write_manifest(const Root *r, const View *v)
{
    Err err = E_OK;
    Arena scratch = {0};
    Buf b = {.size_max = BOUND_MANIFEST_MAX};
    char *folder = dir_join(&scratch, r->idb, "manifest", NULL);

    for (int kind = PART_INTERVAL; kind <= PART_DATE; kind++) {
        u32 count = 0;
        Segment **s = view_segments(v, (PartKind)kind, &count);
        for (u32 i = 0; i < count; i++) {
            if (!is_new(v, s[i])) continue;
            buf_clear(&b);
            TRY(manifest_write_segment(&b, r, s[i], &s[i]->crc));
            TRY(write_file(dir_join(&scratch, folder, s[i]->name, NULL), &b));
        }
    }
    buf_clear(&b);
    TRY(manifest_write_view(&b, r, v));
    TRY(write_file(arena_format(&scratch, "%s/view.%" PRIu64, folder, v->number), &b));
    TRY(dir_sync(folder));
done:
    buf_free(&b);
    arena_free(&scratch);
    return err;
}

/* Steps 1 to 6. */
static Err write_all(const Root *r, const View *v, const Plan *plan)
{
    Err err = E_OK;
    if (plan->wide[PART_INTERVAL] && plan->changed[PART_INTERVAL] != 0) {
        TRY(write_segment_folders(r, v, PART_INTERVAL));
    }
    if (plan->wide[PART_DATE] && plan->changed[PART_DATE] != 0)
        TRY(write_segment_folders(r, v, PART_DATE));
    if (v->hdb == v->number) {
        TRY(folder_make_view(r, v, PART_DATE));
        TRY(dir_sync(r->hdb));
    }
    TRY(folder_make_view(r, v, PART_INTERVAL));
    TRY(dir_sync(r->idb));
    TRY(write_manifest(r, v));
done:
    return err;
}

/* Steps 7 and 8. *renamed tells whether the new view may be the truth already. */
static Err swing(const Root *r, const View *v, bool *renamed)
{
    Err err = E_OK;
    Arena scratch = {0};
    u64 now = 0;

    *renamed = true;
    err = dir_swing(arena_format(&scratch, "idb.%" PRIu64, v->number),
                    dir_join(&scratch, r->idb, "current", NULL));
    if (err != E_OK) {
        char text[FAIL_TEXT_MAX];
        snprintf(text, sizeof text, "%s", fail_text());
        *renamed = view_current(r, &now) != E_OK || now == v->number;
        err = fail(*renamed ? E_IO : err, "%s", text);
        goto done;
    }
    if (v->hdb == v->number) {
        TRY(dir_swing(arena_format(&scratch, "hdb.%" PRIu64, v->hdb),
                      dir_join(&scratch, r->hdb, "current", NULL)));
    }
done:
    arena_free(&scratch);
    return err;
}

/* Removes what a failed try has made, as far as that goes: what stays is removed by the next try or
 * the next start. The failure that is reported stays the first one. */
static Err undo(Publish *p, Err err)
{
    char text[FAIL_TEXT_MAX];
    u64 removed = 0;
    snprintf(text, sizeof text, "%s", fail_text());
    if (mend_above(p->root, p->current->number, p->current->hdb, &removed) != E_OK) {
        return fail(err, "%s; what was made is still there: %s", text, fail_text());
    }
    return fail(err, "%s", text);
}

Err publish_commit(Publish *p, const PublishChange *change)
{
    View *next = NULL;
    Plan plan = {0};
    bool renamed = false;

    Err err = build(p, change, &plan, &next);
    if (err != E_OK) return fail_note(err, "view %" PRIu64, publish_next(p));
    err = write_all(p->root, next, &plan);
    if (err == E_OK) err = swing(p->root, next, &renamed);
    if (err == E_OK) {
        view_close(p->cache, p->current);
        p->current = next;
        return E_OK;
    }
    view_close(p->cache, next);
    if (!renamed) return undo(p, err);
    return fail(E_IO, "the view was switched, but what follows failed: %s", fail_text());
}

/* ---- start and end */

/* The CRC of a domain that was there before us. */
static Err sum_sym(const File *f, u64 size, u32 *crc)
{
    Err err = E_OK;
    Buf b = {0};
    u8 *piece = NULL;
    *crc = 0;
    TRY(buf_room(&b, SYM_PIECE, &piece));
    for (u64 at = 0; at < size; at += SYM_PIECE) {
        u64 n = MIN(size - at, SYM_PIECE);
        TRY(file_read(f, piece, n, at));
        *crc = crc_32c(*crc, piece, n);
    }
done:
    buf_free(&b);
    return err;
}

/* The empty domain: a symbol vector without names (kdb-files.md 3.2). Empty equals missing
 * (R13). */
static Err make_sym(const Root *r, u64 *size, u32 *crc)
{
    static const u8 empty[8] = {0xff, 0x01, 0x0b, 0x00, 0, 0, 0, 0};
    Err err = E_OK;
    File f = FILE_NONE;
    DirKind kind = DIR_ABSENT;

    *size = 0;
    TRY(dir_kind(r->sym, true, &kind));
    if (kind != DIR_ABSENT) {
        TRY(file_open(&f, r->sym, FILE_READ));
        TRY(file_size(&f, size));
        TRY(sum_sym(&f, *size, crc));
    }
    if (*size == 0) {
        TRY(file_replace(r->sym, empty, sizeof empty));
        *size = sizeof empty;
        *crc = crc_32c(0, empty, sizeof empty);
    }
done:
    file_drop(&f);
    return err;
}

/* The first start: view 1, plain kdb+ without rows. */
static Err make_first(Publish *p)
{
    Err err = view_empty(p->cache, &p->current);
    if (err != E_OK) return err;
    PublishChange change = publish_change(p);
    err = make_sym(p->root, &change.sym_size, &change.sym_crc);
    change.sym_summed = true;
    return err != E_OK ? err : publish_commit(p, &change);
}

Err publish_open(Publish *p, Root *r, ViewCache *cache, u64 *removed)
{
    Err err = E_OK;

    *p = (Publish){.root = r, .cache = cache};
    *removed = 0;
    TRY(mend_current(r, cache, &p->current, removed));
    if (p->current == NULL) TRY(make_first(p));
done:
    if (err != E_OK) publish_close(p);
    return err;
}

void publish_close(Publish *p)
{
    if (p->current != NULL) view_close(p->cache, p->current);
    *p = (Publish){0};
}

/* ---- stage files */

static char *stage_path(const Root *r, Arena *a, const char *job)
{
    ASSERT(str_name_ok(str_of(job), false));
    return dir_join(a, r->idb, "stage", job, NULL);
}

Err publish_stage_begin(const Root *r, const char *job, const char *const *paths, u32 count)
{
    Err err = E_OK;
    Arena scratch = {0};
    Buf b = {.size_max = BOUND_MANIFEST_MAX};

    for (u32 i = 0; i < count; i++) {
        if (root_owns(r, paths[i])) continue;
        err = fail(E_USAGE, "stage of %s: %s is no part folder of ours", job, paths[i]);
        goto done;
    }
    TRY(manifest_write_stage(&b, paths, count));
    TRY(file_replace(stage_path(r, &scratch, job), b.data, b.size));
done:
    buf_free(&b);
    arena_free(&scratch);
    return err;
}

Err publish_stage_undo(const Root *r, const View *current, const char *job, u64 *removed)
{
    Arena scratch = {0};
    *removed = 0;
    Err err = mend_stage(r, current, stage_path(r, &scratch, job), removed);
    arena_free(&scratch);
    return err;
}

Err publish_stage_end(const Root *r, const char *job)
{
    Arena scratch = {0};
    /* Not synced: a stage file that comes back lists what is named or gone by then. */
    Err err = dir_unlink(stage_path(r, &scratch, job));
    arena_free(&scratch);
    return err;
}
