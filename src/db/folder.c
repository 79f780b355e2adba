/*
 * folder: makes the folders of links that are a view for a q session (kdb-files.md 8).
 *
 *     narrow   idb.42/sym -> <hdb>/sym               wide   hdb.42/sym -> <hdb>/sym
 *              idb.42/0   -> ../data/2024.11.02/17          hdb.42/par.txt:  ../seg/d.2023.40
 *              idb.42/1   -> ../data/2024.11.02/18                           ../seg/d.2024.42
 *                                                                            ../seg/d.2024.42.1
 *                                                    seg/d.2024.42/2024.11.01 ->
 * ../../data/2024.11.01/42
 *
 * Rules of `\l` that hold by construction:
 *   1. In a view's folder stand `sym` and either part names or `par.txt`, never both, and nothing
 * else.
 *   2. Part names are labels or dates, so the first one tells the kind for all.
 *   3. par.txt names no empty folder; without any part there is no par.txt.
 *   4. A segment's folder holds part names only. Parts of several tiers stand in folders of their
 * own: the first tier of the segment has the segment's name, another one adds its number.
 *
 * Links within one base are relative, so that the base can be mounted elsewhere; links to other
 * stores are absolute. Nothing here is named by `current` before the commit, so each folder is
 * filled in place and synced; a folder that exists already was left by a try that failed, and is
 * made anew.
 */
#include "db/folder.h"

#include "base/bounds.h"
#include "base/buf.h"
#include "os/dir.h"
#include "q/temporal.h"
#include "table/part.h"

#include <inttypes.h>
#include <stdio.h>

const char *folder_base(const Root *r, PartKind kind)
{
    return kind == PART_INTERVAL ? r->idb : r->hdb;
}

bool folder_is_wide(const Part *const *parts, u64 count)
{
    if (count > BOUND_VIEW_DIR_MAX) return true;
    for (u64 i = 1; i < count; i++) {
        if (parts[i]->kind == PART_DATE && parts[i]->tier != parts[0]->tier) return true;
    }
    return false;
}

bool folder_segment_parse(Str name, Str *segment, u64 *number)
{
    PartKind kind = PART_INTERVAL;
    i32 group = 0;
    u64 dots = 0, cut = name.size;
    i64 tier = 0;

    for (u64 i = 0; i < name.size; i++) {
        if (name.data[i] == '.' && ++dots == 3) cut = i;
    }
    *segment = (Str){name.data, cut};
    if (dots == 3 && !str_i64((Str){name.data + cut + 1, name.size - cut - 1}, &tier)) return false;
    return dots <= 3 && view_segment_parse(*segment, &kind, &group, number);
}

/* An empty folder at `path`, whatever was there. */
static Err make_anew(const char *path)
{
    Err err = dir_make(path);
    if (err != E_EXISTS) return err;
    err = dir_remove_all(path);
    return err != E_OK ? err : dir_make(path);
}

/* Links a part into a folder that lies `up` (../ or ../../) below its base. */
static Err link_part(const Root *r, const Part *p, const char *folder, const char *up)
{
    Arena scratch = {0};
    char name[TEMPORAL_TEXT_MAX];
    const char *base = folder_base(r, p->kind);
    u64 size = strlen(base);

    if (p->kind == PART_INTERVAL) {
        part_label(p->key, name);
    } else {
        temporal_date_name(p->key, name);
    }
    bool inside = strncmp(p->path, base, size) == 0 && p->path[size] == '/';
    const char *target = inside ? arena_format(&scratch, "%s%s", up, p->path + size + 1) : p->path;
    Err err = dir_link(target, dir_join(&scratch, folder, name, NULL));
    arena_free(&scratch);
    return err;
}

static char *segment_path(const Root *r, Arena *a, const Segment *s, u32 tier)
{
    const char *base = folder_base(r, s->kind);
    if (s->kind == PART_INTERVAL || tier == s->parts[0].tier)
        return dir_join(a, base, "seg", s->name, NULL);
    return arena_format(a, "%s/seg/%s.%" PRIu32, base, s->name, tier);
}

/* The tiers that a segment touches, as marks by number. */
static bool *tiers_of(const Root *r, Arena *a, const Segment *s)
{
    bool *in = arena_array(a, bool, r->tier_count);
    for (u32 i = 0; i < s->part_count; i++) {
        u32 tier = s->kind == PART_DATE ? s->parts[i].tier : 0;
        ASSERT(tier < r->tier_count);
        in[tier] = true;
    }
    return in;
}

Err folder_make_segment(const Root *r, const Segment *s)
{
    Err err = E_OK;
    Arena scratch = {0};
    bool *in = tiers_of(r, &scratch, s);

    for (u32 tier = 0; tier < r->tier_count; tier++) {
        if (!in[tier]) continue;
        char *path = segment_path(r, &scratch, s, tier);
        TRY(make_anew(path));
        for (u32 i = 0; i < s->part_count; i++) {
            const Part *p = &s->parts[i];
            if (p->kind == PART_DATE && p->tier != tier) continue;
            TRY(link_part(r, p, path, "../../"));
        }
        TRY(dir_sync(path));
    }
done:
    arena_free(&scratch);
    return err;
}

/* Writes par.txt: a line for each segment folder, relative to the view's folder. */
static Err write_par(const Root *r, const View *v, PartKind kind, const char *folder)
{
    Err err = E_OK;
    Arena scratch = {0};
    Buf b = {0};
    File f = FILE_NONE;
    u32 count = 0;
    Segment **segments = view_segments(v, kind, &count);

    for (u32 i = 0; i < count; i++) {
        const Segment *s = segments[i];
        bool *in = tiers_of(r, &scratch, s);
        for (u32 tier = 0; tier < r->tier_count; tier++) {
            if (!in[tier]) continue;
            const char *path = segment_path(r, &scratch, s, tier);
            TRY(buf_format(&b, "..%s\n", path + strlen(folder_base(r, kind))));
        }
    }
    TRY(file_open(&f, dir_join(&scratch, folder, "par.txt", NULL), FILE_CREATE));
    TRY(file_write(&f, b.data, b.size, 0));
    TRY(file_sync(&f));
    TRY(file_close(&f));
done:
    if (f.fd >= 0) file_drop(&f);
    buf_free(&b);
    arena_free(&scratch);
    return err;
}

Err folder_make_view(const Root *r, const View *v, PartKind kind)
{
    Err err = E_OK;
    Arena scratch = {0};
    bool interval = kind == PART_INTERVAL;
    u64 at = 0, count = view_part_count(v, kind), filled = 0;
    const Part **parts = arena_array(&scratch, const Part *, count);
    char *path = arena_format(&scratch, "%s/%s.%" PRIu64, folder_base(r, kind),
                              interval ? "idb" : "hdb", interval ? v->number : v->hdb);

    while (filled < count)
        parts[filled++] = view_next(v, kind, &at);
    TRY(make_anew(path));
    TRY(dir_link(r->sym, dir_join(&scratch, path, "sym", NULL)));
    if (folder_is_wide(parts, count)) {
        TRY(write_par(r, v, kind, path));
    } else {
        for (u64 i = 0; i < count; i++)
            TRY(link_part(r, parts[i], path, "../"));
    }
    TRY(dir_sync(path));
done:
    arena_free(&scratch);
    return err;
}
