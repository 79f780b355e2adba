/*
 * check_stray: orphans. What a readable manifest names (as a part or as garbage, of any kept view),
 * or a stage file lists, is no orphan; with a running manager neither is what is numbered beyond
 * the view, as it may be on its way. The rest is warned of: the next start or sweep removes what is
 * of our own grammar, and leaves the rest alone.
 */
#include "cmd/check_stray.h"

#include <inttypes.h>

#include "base/bounds.h"
#include "base/map.h"
#include "db/adopted.h"
#include "db/folder.h"
#include "db/manifest.h"
#include "db/sidecar.h"
#include "os/dir.h"
#include "os/file.h"
#include "q/temporal.h"
#include "upkeep/journal.h"

#define STRAY_NAMES_MAX (1ull << 24)

/* What is named. */
typedef struct {
    CheckView *db;
    Map paths;    /* part folders */
    Map segments; /* names */
    Map views, hdbs;
    Arena memory;
} Named;

static Err list(const char *path, Arena *a, DirEntry **e, u64 *count)
{
    DirKind kind = DIR_ABSENT;
    *count = 0;
    Err err = dir_kind(path, true, &kind);
    return err != E_OK || kind != DIR_FOLDER ? err : dir_list(path, STRAY_NAMES_MAX, a, e, count);
}

static void note_parts(Named *n, const View *v)
{
    for (int kind = PART_INTERVAL; kind <= PART_DATE; kind++) {
        u64 at = 0;
        for (const Part *p; (p = view_next(v, (PartKind)kind, &at)) != NULL;)
            map_put(&n->paths, str_of(p->path), 0);
    }
    for (u32 i = 0; i < v->garbage_count; i++)
        map_put(&n->paths, str_of(v->garbage[i].path), 0);
    for (u32 i = 0; i < v->interval_seg_count; i++)
        map_put(&n->segments, str_of(v->interval_segs[i]->name), 0);
    for (u32 i = 0; i < v->date_seg_count; i++)
        map_put(&n->segments, str_of(v->date_segs[i]->name), 0);
    map_put_i64(&n->views, (i64)v->number, 0);
    map_put_i64(&n->hdbs, (i64)v->hdb, 0);
}

/* Takes in every view that can be read. */
static Err note_views(Named *n)
{
    DirEntry *e = NULL;
    u64 count = 0, number = 0;
    CheckView *db = n->db;
    Err err = list(dir_join(&n->memory, db->root.idb, "manifest", NULL), &n->memory, &e, &count);
    for (u64 i = 0; i < count && err == E_OK; i++) {
        View *v = NULL;
        if (!root_numbered(str_of(e[i].name), "view.", &number)) continue;
        if (view_open_number(&db->cache, number, &v) != E_OK) continue; /* said by check_view */
        note_parts(n, v);
        view_close(&db->cache, v);
    }
    return err;
}

static Err note_stages(Named *n)
{
    DirEntry *e = NULL;
    u64 count = 0;
    char *folder = dir_join(&n->memory, n->db->root.idb, "stage", NULL);
    Err err = list(folder, &n->memory, &e, &count);
    for (u64 i = 0; i < count && err == E_OK; i++) {
        u8 *data = NULL;
        u64 size = 0;
        char **paths = NULL;
        u32 path_count = 0;
        char *path = dir_join(&n->memory, folder, e[i].name, NULL);
        Err bad = file_read_all(path, BOUND_MANIFEST_MAX, &n->memory, &data, &size);
        if (bad == E_NOT_FOUND || (bad == E_OK && size == 0)) continue;
        if (bad == E_OK)
            bad = manifest_read_stage((Str){(const char *)data, size}, &n->memory, &paths,
                                      &path_count);
        if (bad != E_OK) findings_fail(&n->db->findings, path, "stage", bad);
        for (u32 k = 0; k < path_count; k++)
            map_put(&n->paths, str_of(paths[k]), 0);
    }
    return err;
}

/* Part folders below <store>/<date>/ that nobody names, up to a number. */
static Err check_store(Named *n, const char *store, u64 newest)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *day = NULL, *e = NULL;
    u64 days = 0, count = 0;
    TRY(list(store, &scratch, &day, &days));
    for (u64 i = 0; i < days; i++) {
        i32 date = 0;
        char *folder = dir_join(&scratch, store, day[i].name, NULL);
        if (!temporal_date_parse(str_of(day[i].name), &date)) {
            if (strcmp(day[i].name, "siltstone.json") != 0)
                note_warn(&n->db->findings, folder, "orphan", "not ours");
            continue;
        }
        TRY(list(folder, &scratch, &e, &count));
        for (u64 k = 0; k < count; k++) {
            u64 number = 0;
            char *path = dir_join(&scratch, folder, e[k].name, NULL);
            bool sums = sidecar_numbered(str_of(e[k].name), &number);
            Str part = {path, strlen(path) - (sums ? strlen(".sums") : 0)};
            if (map_find(&n->paths, part) >= 0) continue;
            bool ours = sums || root_numbered(str_of(e[k].name), "", &number);
            if (ours && n->db->running && number > newest) continue;
            note_warn(&n->db->findings, path, "orphan",
                      sums   ? "no view names the part of these checksums"
                      : ours ? "no view names this part"
                             : "not ours");
        }
    }
done:
    arena_free(&scratch);
    return err;
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(name, *names) == 0) return true;
    return false;
}

/* The names of a base folder. */
static Err check_base(Named *n, const char *base, const char *prefix, const char *const *known)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    const View *v = n->db->view;
    const Map *kept = strcmp(prefix, "idb.") == 0 ? &n->views : &n->hdbs;
    TRY(list(base, &scratch, &e, &count));
    for (u64 i = 0; i < count; i++) {
        u64 number = 0;
        char *path = dir_join(&scratch, base, e[i].name, NULL);
        if (is_one_of(e[i].name, known)) continue;
        if (!root_numbered(str_of(e[i].name), prefix, &number)) {
            note_warn(&n->db->findings, path, "orphan", "not ours");
        } else if (map_find_i64(kept, (i64)number) < 0 &&
                   !(n->db->running && v != NULL && number > v->number)) {
            note_warn(&n->db->findings, path, "orphan", "no manifest names this view");
        }
    }
done:
    arena_free(&scratch);
    return err;
}

static Err check_segments(Named *n, const char *folder)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    const View *v = n->db->view;
    TRY(list(folder, &scratch, &e, &count));
    for (u64 i = 0; i < count; i++) {
        Str segment;
        u64 number = 0;
        bool is_view = root_numbered(str_of(e[i].name), "view.", &number);
        if (is_view) continue;
        bool ours = folder_segment_parse(str_of(e[i].name), &segment, &number);
        if (ours && map_find(&n->segments, segment) >= 0) continue;
        if (ours && n->db->running && v != NULL && number > v->number) continue;
        note_warn(&n->db->findings, dir_join(&scratch, folder, e[i].name, NULL), "orphan",
                  ours ? "no view names this segment" : "not ours");
    }
done:
    arena_free(&scratch);
    return err;
}

Err check_stray(CheckView *db)
{
    static const char *const idb_names[] = {
        "current", "current.new", "seg",  "manifest",       "data",  "spill",     "stage", "wal",
        "dead",    "quarantine",  "lock", "siltstone.json", "scrub", "scrub.tmp", NULL};
    static const char *const hdb_names[] = {
        "current",        "current.new", "seg",        "data",       "sym",
        "siltstone.json", ADOPTED_DATA,  ADOPTED_LIST, JOURNAL_NAME, NULL};
    Err err = E_OK;
    Named n = {.db = db};
    DirEntry *e = NULL;
    u64 count = 0;
    const Root *r = &db->root;
    if (db->view == NULL) return E_OK; /* all would be orphans */
    TRY(note_views(&n));
    TRY(note_stages(&n));
    note_parts(&n, db->view);
    TRY(check_base(&n, r->idb, "idb.", idb_names));
    TRY(check_base(&n, r->hdb, "hdb.", hdb_names));
    TRY(check_segments(&n, dir_join(&n.memory, r->idb, "seg", NULL)));
    TRY(check_segments(&n, dir_join(&n.memory, r->hdb, "seg", NULL)));
    TRY(check_segments(&n, dir_join(&n.memory, r->idb, "manifest", NULL)));
    TRY(check_store(&n, dir_join(&n.memory, r->idb, "data", NULL), db->view->eoi));
    for (u32 i = 0; i < r->tier_count; i++) {
        bool shared = i > 0 && strcmp(root_store(r, i), root_store(r, i - 1)) == 0;
        if (!r->tiers[i].object && !shared)
            TRY(check_store(&n, root_store(r, i), db->view->number));
    }
    TRY(list(dir_join(&n.memory, r->idb, "spill", NULL), &n.memory, &e, &count));
    if (count > 0 && !db->running)
        note_warn(&db->findings, dir_join(&n.memory, r->idb, "spill", NULL), "orphan",
                  "rows spilled by a process that is gone");
done:
    map_free(&n.paths);
    map_free(&n.segments);
    map_free(&n.views);
    map_free(&n.hdbs);
    arena_free(&n.memory);
    return err;
}
