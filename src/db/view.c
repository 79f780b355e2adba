/*
 * view: finds, reads, shares and gives back views.
 *
 * `current` is a link whose text is `idb.N`; the view's text is <idb>/manifest/view.N and names
 * segment files beside it (manifest.h). Views and segments stay in the cache while somebody holds
 * them, so a new view reads only what changed: a segment's name is never used for other content,
 * and its CRC is compared all the same.
 *
 * Pinning: a shared lock on the folder idb.N. The sweep takes an exclusive lock on a folder before
 * it deletes it, and it never deletes the newest two views. A reader that saw N in `current` can be
 * overtaken before it holds the lock; so it looks again: when `current` still says N the lock came
 * in time, else it lets go and starts anew. A reader that dies lets go by dying.
 *
 * Structs live at the head of their own arena, which is freed as a whole.
 */
#include "db/view.h"

#include "base/bounds.h"
#include "db/manifest.h"
#include "os/dir.h"
#include "os/now.h"
#include "q/temporal.h"

#include <inttypes.h>
#include <stdio.h>

#define VIEW_NAMES_MAX     (1ull << 24)
#define VIEW_TRIES         64
#define VIEW_GROUP_ORDINAL 256

static View *view_of(List *node) { return LIST_ENTRY(node, View, link); }

static Segment *segment_of(List *node) { return LIST_ENTRY(node, Segment, link); }

void view_cache_init(ViewCache *c, Root *r)
{
    *c = (ViewCache){.root = r};
    list_init(&c->segments);
    list_init(&c->views);
}

void view_cache_free(ViewCache *c)
{
    if (c->views.next == NULL) return;
    ASSERT(list_empty(&c->views) && list_empty(&c->segments));
    *c = (ViewCache){0};
}

/* ---- names and groups */

i32 view_group(PartKind kind, i32 key)
{
    i32 year = 0, month = 0, day = 0;
    if (kind == PART_INTERVAL) return key / VIEW_GROUP_ORDINAL;
    temporal_civil(key, &year, &month, &day);
    return year;
}

bool view_segment_parse(Str name, PartKind *kind, i32 *group, u64 *number)
{
    Str letter, middle;
    i64 n = 0;
    if (!str_split(&name, '.', &letter) || !str_split(&name, '.', &middle)) return false;
    if (name.data == NULL || !root_numbered(name, "", number)) return false;
    if (!str_is(letter, "i") && !str_is(letter, "d")) return false;
    if (middle.size == 0 || middle.data[0] == '+' || !str_i64(middle, &n)) return false;
    if (n < INT32_MIN || n > INT32_MAX) return false;
    *kind = str_is(letter, "i") ? PART_INTERVAL : PART_DATE;
    *group = (i32)n;
    return true;
}

/* ---- segments */

/* A new struct at the head of its own arena. */
static Segment *segment_new(ViewCache *c)
{
    Arena memory = {0};
    Segment *s = arena_new(&memory, Segment);
    s->memory = memory;
    list_append(&c->segments, &s->link);
    return s;
}

static void segment_free(Segment *s)
{
    list_remove(&s->link);
    Arena memory = s->memory;
    arena_free(&memory);
}

Segment *view_segment_make(ViewCache *c, PartKind kind, i32 group, u64 number)
{
    Segment *s = segment_new(c);
    s->kind = kind;
    s->group = group;
    s->name = arena_format(&s->memory, "%c.%d.%" PRIu64, kind == PART_INTERVAL ? 'i' : 'd', group,
                           number);
    return s;
}

/* The segment that a view names: from the cache, else read. Not yet held. */
static Err segment_open(ViewCache *c, const ManifestSegment *m, Segment **out)
{
    Err err = E_OK;
    Arena scratch = {0};
    Segment *s = NULL;
    u8 *data = NULL;
    u64 size = 0;

    LIST_EACH(it, &c->segments)
    {
        Segment *known = segment_of(it);
        if (known->crc == m->crc && known->uses > 0 && strcmp(known->name, m->name) == 0) {
            *out = known;
            return E_OK;
        }
    }
    char *path = dir_join(&scratch, c->root->idb, "manifest", m->name, NULL);
    err = file_read_all(path, BOUND_MANIFEST_MAX, &scratch, &data, &size);
    if (err == E_NOT_FOUND) err = fail(E_CORRUPT, "%s is missing", path);
    if (err != E_OK) goto done;
    s = segment_new(c);
    err = manifest_read_segment((Str){(const char *)data, size}, c->root, m->crc, s);
    if (err == E_OK &&
        (s->kind != m->kind || s->group != m->group || strcmp(s->name, m->name) != 0)) {
        err = fail(E_CORRUPT, "the file holds segment %s", s->name);
    }
    if (err != E_OK) {
        err = fail_note(err, "%s", path);
        segment_free(s);
        goto done;
    }
    *out = s;
done:
    arena_free(&scratch);
    return err;
}

/* ---- views */

static View *view_new(ViewCache *c)
{
    Arena memory = {0};
    View *v = arena_new(&memory, View);
    v->memory = memory;
    v->pin = -1;
    v->uses = 1;
    list_append(&c->views, &v->link);
    return v;
}

Err view_empty(ViewCache *c, View **v)
{
    *v = view_new(c);
    (*v)->day_end = INT64_MIN;
    (*v)->interval_end = INT64_MIN;
    return E_OK;
}

static void let_go(ViewCache *c, Segment **segments, u32 count)
{
    for (u32 i = 0; i < count; i++) {
        ASSERT(segments[i]->uses > 0);
        if (--segments[i]->uses > 0) continue;
        if (c->forget != NULL) c->forget(c->forget_arg, segments[i]);
        segment_free(segments[i]);
    }
}

void view_close(ViewCache *c, View *v)
{
    ASSERT(v->uses > 0);
    if (--v->uses > 0) return;
    dir_unlock(&v->pin);
    let_go(c, v->interval_segs, v->interval_seg_count);
    let_go(c, v->date_segs, v->date_seg_count);
    list_remove(&v->link);
    Arena memory = v->memory;
    arena_free(&memory);
}

static View *find_open(ViewCache *c, u64 number)
{
    LIST_EACH(it, &c->views)
    {
        if (view_of(it)->number == number) return view_of(it);
    }
    return NULL;
}

/* Opens the segments that the manifest names: intervals, then dates, groups ascending in each. */
static Err open_segments(ViewCache *c, View *v, const ManifestSegment *m, u32 count)
{
    Err err = E_OK;
    v->interval_segs = arena_array(&v->memory, Segment *, count);
    v->date_segs = arena_array(&v->memory, Segment *, count);
    for (u32 i = 0; i < count; i++) {
        bool interval = m[i].kind == PART_INTERVAL;
        Segment **place =
            interval ? &v->interval_segs[v->interval_seg_count] : &v->date_segs[v->date_seg_count];
        TRY(segment_open(c, &m[i], place));
        (*place)->uses++;
        *(interval ? &v->interval_seg_count : &v->date_seg_count) += 1;
    }
done:
    return err;
}

static Err view_read(ViewCache *c, u64 number, View **out)
{
    Err err = E_OK;
    Arena scratch = {0};
    View *v = NULL;
    ManifestSegment *segments = NULL;
    u32 count = 0;
    u8 *data = NULL;
    u64 size = 0;
    char *path = arena_format(&scratch, "%s/manifest/view.%" PRIu64, c->root->idb, number);

    TRY(file_read_all(path, BOUND_MANIFEST_MAX, &scratch, &data, &size));
    v = view_new(c);
    err = manifest_read_view((Str){(const char *)data, size}, c->root, v, &segments, &count);
    if (err == E_OK && v->number != number) {
        err = fail(E_CORRUPT, "the file holds view %" PRIu64, v->number);
    }
    if (err == E_OK) err = open_segments(c, v, segments, count);
    if (err != E_OK) {
        err = fail_note(err, "%s", path);
        goto done;
    }
    *out = v;
    v = NULL;
done:
    if (v != NULL) view_close(c, v);
    arena_free(&scratch);
    return err;
}

Err view_open_number(ViewCache *c, u64 number, View **v)
{
    View *open = find_open(c, number);
    if (open == NULL) return view_read(c, number, v);
    view_use(open);
    *v = open;
    return E_OK;
}

Err view_current(const Root *r, u64 *number)
{
    Err err = E_OK;
    Arena scratch = {0};
    char *target = NULL;
    char *path = dir_join(&scratch, r->idb, "current", NULL);

    *number = 0;
    err = dir_read_link(path, &scratch, &target);
    if (err == E_NOT_FOUND) {
        err = E_OK;
        goto done;
    }
    if (err != E_OK) goto done;
    if (!root_numbered(str_of(target), "idb.", number)) {
        *number = 0;
        err = fail(E_CORRUPT, "%s leads to `%s`, which is no view", path, target);
    }
done:
    arena_free(&scratch);
    return err;
}

/* Opens a view whose folder may be locked: one that has no pin yet takes the lock for it. */
static Err open_pinned(ViewCache *c, u64 number, int *lock, View **out)
{
    View *v = NULL;
    Err err = view_open_number(c, number, &v);
    if (v != NULL && v->pin < 0) {
        v->pin = *lock;
        *lock = -1;
    }
    *out = v;
    return err;
}

/* One try: *again when `current` moved on meanwhile, or the sweep holds the folder (it is then not
 * current any more). */
static Err try_open(ViewCache *c, bool pin, u64 number, View **out, bool *again)
{
    Err err = E_OK;
    Arena scratch = {0};
    View *v = find_open(c, number);
    u64 now = 0;
    int lock = -1;

    *again = false;
    if (pin && (v == NULL || v->pin < 0)) {
        err =
            dir_lock(arena_format(&scratch, "%s/idb.%" PRIu64, c->root->idb, number), false, &lock);
        if (err == E_OK) TRY(view_current(c->root, &now));
        *again = err == E_BUSY || (err == E_OK && now != number);
        if (*again) goto done;
    }
    if (err == E_OK) err = open_pinned(c, number, &lock, out);
    if (err == E_NOT_FOUND || err == E_CORRUPT) {
        /* The view may be swept while it is read; that matters only if it still is the current
         * one. */
        char text[FAIL_TEXT_MAX];
        snprintf(text, sizeof text, "%s", fail_text());
        *again = view_current(c->root, &now) == E_OK && now != number && now != 0;
        if (!*again) err = fail(E_CORRUPT, "%s", text);
    }
done:
    dir_unlock(&lock);
    arena_free(&scratch);
    return err;
}

Err view_open(ViewCache *c, bool pin, View **v)
{
    for (int i = 0; i < VIEW_TRIES; i++) {
        u64 number = 0;
        bool again = false;
        Err err = view_current(c->root, &number);
        if (err != E_OK) return err;
        if (number == 0) return fail(E_NOT_FOUND, "%s/current: there is no view yet", c->root->idb);
        err = try_open(c, pin, number, v, &again);
        if (!again) return fail_note(err, "%s/current", c->root->idb);
        if (i > 2) now_sleep_ms(1);
    }
    return fail(E_BUSY, "%s/current changes faster than it can be read", c->root->idb);
}

/* The highest number of a view's folder below `number`; 0 when there is none. */
static Err find_before(const Root *r, u64 number, u64 *best)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    *best = 0;
    TRY(dir_list(r->idb, VIEW_NAMES_MAX, &scratch, &e, &count));
    for (u64 i = 0; i < count; i++) {
        u64 n = 0;
        bool view = e[i].kind == DIR_FOLDER && root_numbered(str_of(e[i].name), "idb.", &n);
        if (view && n < number) *best = MAX(*best, n);
    }
done:
    arena_free(&scratch);
    return err;
}

/* Pins and opens a view that is not the current one. Its folder is looked at after the lock: the
 * sweep removes it only while nobody has one. */
static Err open_kept(ViewCache *c, u64 number, View **out)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirKind kind = DIR_ABSENT;
    int lock = -1;
    char *path = arena_format(&scratch, "%s/idb.%" PRIu64, c->root->idb, number);
    TRY(dir_lock(path, false, &lock));
    TRY(dir_kind(path, false, &kind));
    if (kind != DIR_FOLDER) TRY(fail(E_NOT_FOUND, "%s is swept", path));
    TRY(open_pinned(c, number, &lock, out));
done:
    dir_unlock(&lock);
    arena_free(&scratch);
    return err;
}

Err view_open_before(ViewCache *c, u64 number, View **v)
{
    *v = NULL;
    for (;;) {
        Err err = find_before(c->root, number, &number);
        if (err != E_OK) return err;
        if (number == 0) return fail(E_NOT_FOUND, "%s keeps no older view", c->root->idb);
        if (open_kept(c, number, v) == E_OK) return E_OK;
    }
}

/* ---- parts */

Segment **view_segments(const View *v, PartKind kind, u32 *count)
{
    *count = kind == PART_INTERVAL ? v->interval_seg_count : v->date_seg_count;
    return kind == PART_INTERVAL ? v->interval_segs : v->date_segs;
}

const Part *view_next(const View *v, PartKind kind, u64 *at)
{
    u32 count = 0;
    Segment **segments = view_segments(v, kind, &count);
    u64 segment = *at >> 32, part = *at & UINT32_MAX;
    if (segment >= count) return NULL;
    const Part *p = &segments[segment]->parts[part];
    *at = part + 1 < segments[segment]->part_count ? *at + 1 : (segment + 1) << 32;
    return p;
}

const Part *view_part(const View *v, PartKind kind, i32 key)
{
    u32 count = 0;
    Segment **segments = view_segments(v, kind, &count);
    i32 group = view_group(kind, key);
    u32 low = 0, high = count;
    while (low < high) {
        u32 middle = low + (high - low) / 2;
        if (segments[middle]->group < group) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == count || segments[low]->group != group) return NULL;
    const Segment *s = segments[low];
    low = 0;
    high = s->part_count;
    while (low < high) {
        u32 middle = low + (high - low) / 2;
        if (s->parts[middle].key < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < s->part_count && s->parts[low].key == key ? &s->parts[low] : NULL;
}

PartTable *view_part_table(const Part *p, const char *table)
{
    for (u32 i = 0; i < p->table_count; i++) {
        if (strcmp(p->tables[i].name, table) == 0) return &p->tables[i];
    }
    return NULL;
}

Err view_check_domain(const View *v, const Domain *d)
{
    bool same = d->size == v->sym_size && d->crc == v->sym_crc;
    if (!v->sym_summed || d->zipped || same) return E_OK;
    return fail(E_CORRUPT,
                "%s: its first %" PRIu64 " bytes are not those that view %" PRIu64
                " was written with (checksum)",
                d->path, v->sym_size, v->number);
}

u64 view_part_count(const View *v, PartKind kind)
{
    u32 count = 0;
    u64 parts = 0;
    Segment **segments = view_segments(v, kind, &count);
    for (u32 i = 0; i < count; i++)
        parts += segments[i]->part_count;
    return parts;
}
