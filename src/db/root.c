/*
 * root: the folders of a database, who may manage it, and whether all of its stores are there.
 *
 * A store is a folder that can be a mount of its own: the two bases and the tiers' stores. Each has
 * a marker, `siltstone.json`, one line of JSON:
 *
 *     {"assembly":"trades","tier":"idb","id":"5c0d..."}      tier: idb, hdb, or the tier's name
 *
 * `id` is drawn when <idb> is marked first and is the same in all stores of a database. An empty
 * folder where a disk should be mounted looks like a new database; the markers tell them apart:
 *
 *   1. Markers are written in the order idb, hdb, tiers. So one that is missing before one that is
 * there is not mounted.
 *   2. Once there is a view, <hdb> holds its domain: it must be marked.
 *   3. A tier's store must be marked once the view names a part there.
 *   4. A marker of another assembly, tier or id belongs to somebody else.
 *
 * The lock is an advisory lock on <idb>/lock for the life of the process (R15); the file's text is
 * the holder's pid, for people. Markers and lock stand beside `current`, where no q session
 * looks. */
#include "db/root.h"

#include "base/bounds.h"
#include "db/view.h"
#include "os/dir.h"
#include "os/proc.h"
#include "q/json.h"
#include "q/temporal.h"

#include <inttypes.h>

#define ROOT_MARKER_MAX 4096
#define ROOT_MARKER     "siltstone.json"

void root_init(Root *r, const char *name, const char *idb, const char *hdb, const char *wal,
               const Tier *tiers, u32 tier_count)
{
    *r = (Root){.lock = FILE_NONE, .tiers = tiers, .tier_count = tier_count};
    r->name = str_dup(&r->memory, str_of(name));
    r->idb = str_dup(&r->memory, str_of(idb));
    r->hdb = str_dup(&r->memory, str_of(hdb));
    r->wal =
        wal != NULL ? str_dup(&r->memory, str_of(wal)) : dir_join(&r->memory, idb, "wal", NULL);
    r->sym = dir_join(&r->memory, hdb, "sym", NULL);
}

void root_close(Root *r)
{
    if (r->lock.path != NULL) file_drop(&r->lock);
    arena_free(&r->memory);
    *r = (Root){.lock = FILE_NONE};
}

/* ---- paths */

const char *root_store(const Root *r, u32 tier)
{
    ASSERT(tier < r->tier_count);
    const char *store = r->tiers[tier].store;
    ASSERT(store != NULL);
    return store;
}

static char *date_path(Arena *a, const char *store, i32 day, u64 number)
{
    char date[TEMPORAL_TEXT_MAX];
    temporal_date_name(day, date);
    return arena_format(a, "%s/%s/%" PRIu64, store, date, number);
}

char *root_date_path(const Root *r, Arena *a, u32 tier, i32 day, u64 commit)
{
    return date_path(a, root_store(r, tier), day, commit);
}

char *root_interval_path(const Root *r, Arena *a, i32 day, u64 seq)
{
    return date_path(a, dir_join(a, r->idb, "data", NULL), day, seq);
}

bool root_numbered(Str name, const char *prefix, u64 *number)
{
    Str p = str_of(prefix);
    i64 n = 0;
    if (!str_starts(name, p)) return false;
    Str digits = {name.data + p.size, name.size - p.size};
    if (digits.size == 0 || digits.size > 19 || digits.data[0] < '1' || digits.data[0] > '9')
        return false;
    for (u64 i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') return false;
    }
    if (!str_i64(digits, &n)) return false;
    *number = (u64)n;
    return true;
}

/* What follows `base` and a slash in `path`; empty when the path is not below it. */
static Str below(const char *base, const char *path)
{
    u64 size = strlen(base);
    if (size == 0 || strncmp(base, path, size) != 0 || path[size] != '/') return STR("");
    return str_of(path + size + 1);
}

/* Whether `rest` is <date>/<number>. */
static bool is_part(Str rest)
{
    Str date;
    i32 day = 0;
    u64 number = 0;
    if (rest.size == 0 || !str_split(&rest, '/', &date) || rest.data == NULL) return false;
    if (!temporal_date_parse(date, &day)) return false;
    return root_numbered(rest, "", &number);
}

bool root_owns(const Root *r, const char *path)
{
    Str rest = below(r->idb, path);
    if (str_starts(rest, STR("data/")) && is_part((Str){rest.data + 5, rest.size - 5})) return true;
    for (u32 i = 0; i < r->tier_count; i++) {
        if (!r->tiers[i].object && is_part(below(root_store(r, i), path))) return true;
    }
    return false;
}

char *root_path_store(const Root *r, Arena *a, const char *path)
{
    Str best = below(r->idb, path);
    const char *prefix = "idb:";
    Str rest = below(r->hdb, path);
    if (rest.size != 0 && (best.size == 0 || rest.size < best.size)) {
        best = rest;
        prefix = "hdb:";
    }
    for (u32 i = 0; i < r->tier_count; i++) {
        rest = below(root_store(r, i), path);
        if (!r->tiers[i].own_store || rest.size == 0) continue;
        if (best.size == 0 || rest.size < best.size) {
            best = rest;
            prefix = arena_format(a, "tier:%s:", r->tiers[i].name);
        }
    }
    if (best.size == 0) return arena_format(a, "abs:%s", path);
    return arena_format(a, "%s%.*s", prefix, STR_FMT(best));
}

/* A path below a store: no empty piece, none that climbs. */
static bool is_plain(Str rest)
{
    Str piece;
    if (rest.size == 0) return false;
    while (str_split(&rest, '/', &piece)) {
        if (piece.size == 0 || str_is(piece, ".") || str_is(piece, "..")) return false;
    }
    return true;
}

/* The base that a stored path begins with; *rest is what follows. NULL when there is none. */
static const char *stored_base(const Root *r, Str stored, Str *rest)
{
    const char *base = NULL;
    u64 size = 4;
    if (str_starts(stored, STR("idb:"))) {
        base = r->idb;
    } else if (str_starts(stored, STR("hdb:"))) {
        base = r->hdb;
    } else if (str_starts(stored, STR("abs:/"))) {
        base = "";
        size = 5;
    }
    Str tier = {stored.data + 5, stored.size - 5};
    for (u32 i = 0, best = 0; i < r->tier_count && str_starts(stored, STR("tier:")); i++) {
        Str name = str_of(r->tiers[i].name);
        if (!str_starts(tier, name) || tier.size <= name.size || tier.data[name.size] != ':')
            continue;
        if (base != NULL && name.size <= best) continue;
        best = (u32)name.size;
        base = root_store(r, i);
        size = 5 + name.size + 1;
    }
    if (base != NULL) *rest = (Str){stored.data + size, stored.size - size};
    return base;
}

Err root_path_find(const Root *r, Arena *a, Str stored, char **path)
{
    Str rest = {0};
    if (stored.size >= BOUND_PATH_MAX)
        return fail(E_CORRUPT, "a path of %" PRIu64 " bytes", stored.size);
    const char *base = stored.size > 5 ? stored_base(r, stored, &rest) : NULL;
    if (base == NULL && str_starts(stored, STR("tier:"))) {
        return fail(E_USAGE, "path `%.*s`: the assembly has no such tier", STR_FMT(stored));
    }
    if (base == NULL || !is_plain(rest)) {
        return fail(E_CORRUPT, "path `%.*s` leads into no store of this database", STR_FMT(stored));
    }
    *path = arena_format(a, "%s/%.*s", base, STR_FMT(rest));
    return E_OK;
}

/* ---- markers */

typedef struct {
    const char *store; /* folder */
    const char *tier;  /* "idb", "hdb" or the tier's name */
    bool there;
} Marker;

static Err marker_field(const Value *v, const char *key, const char *path, Str *out)
{
    const Value *field = v->type == QT_DICT ? value_get(v, key) : NULL;
    if (field == NULL || !value_text(field, out))
        return fail(E_CORRUPT, "%s: no text `%s`", path, key);
    return E_OK;
}

/* Reads a marker and compares it; the first one read gives the database's id. Absent and empty are
 * the same (R13). */
static Err marker_read(Root *r, Marker *m)
{
    Err err = E_OK;
    Arena scratch = {0};
    u8 *data = NULL;
    u64 size = 0;
    Value v = {0};
    Str assembly = {0}, tier = {0}, id = {0};
    DirKind kind = DIR_ABSENT;
    char *path = dir_join(&scratch, m->store, ROOT_MARKER, NULL);

    m->there = false;
    TRY(dir_kind(path, true, &kind));
    if (kind == DIR_ABSENT) goto done;
    TRY(file_read_all(path, ROOT_MARKER_MAX, &scratch, &data, &size));
    if (size == 0) goto done;
    err = json_parse((Str){(const char *)data, size}, &scratch, &v);
    if (err != E_OK) {
        err = fail(E_CORRUPT, "%s is no marker of a store", path);
        goto done;
    }
    TRY(marker_field(&v, "assembly", path, &assembly));
    TRY(marker_field(&v, "tier", path, &tier));
    TRY(marker_field(&v, "id", path, &id));
    if (!str_is(assembly, r->name) || !str_is(tier, m->tier)) {
        err = fail(E_CORRUPT, "store %s belongs to assembly `%.*s`, tier `%.*s`; wanted `%s`, `%s`",
                   m->store, STR_FMT(assembly), STR_FMT(tier), r->name, m->tier);
        goto done;
    }
    if (id.size != sizeof r->id - 1 || (r->id[0] != 0 && !str_is(id, r->id))) {
        err = fail(E_CORRUPT, "store %s belongs to another database: id `%.*s`, wanted `%s`",
                   m->store, STR_FMT(id), r->id);
        goto done;
    }
    memcpy(r->id, id.data, id.size);
    m->there = true;
done:
    arena_free(&scratch);
    return err;
}

static Err marker_write(Root *r, const Marker *m)
{
    Err err = E_OK;
    Arena scratch = {0};
    Buf b = {0};
    const char *fields[][2] = {{"assembly", r->name}, {"tier", m->tier}, {"id", r->id}};

    if (r->id[0] == 0) {
        u8 random[16];
        proc_random(random, sizeof random);
        for (u32 i = 0; i < 32; i++) {
            r->id[i] = "0123456789abcdef"[random[i / 2] >> (i % 2 * 4) & 15];
        }
    }
    for (u32 i = 0; i < COUNT_OF(fields); i++) {
        TRY(buf_byte(&b, i == 0 ? '{' : ','));
        TRY(json_quote(&b, str_of(fields[i][0])));
        TRY(buf_byte(&b, ':'));
        TRY(json_quote(&b, str_of(fields[i][1])));
    }
    TRY(buf_text(&b, "}\n"));
    TRY(dir_make_all(m->store));
    TRY(dir_sync_above(m->store)); /* an earlier start may have died between mkdir and sync */
    TRY(file_replace(dir_join(&scratch, m->store, ROOT_MARKER, NULL), b.data, b.size));
done:
    buf_free(&b);
    arena_free(&scratch);
    return err;
}

/* Counts the date parts that the current view names in a tier; 0 when there is no view. */
static Err parts_of_tier(Root *r, u32 tier, u64 *parts)
{
    ViewCache cache;
    View *v = NULL;
    u64 at = 0, number = 0;

    *parts = 0;
    Err err = view_current(r, &number);
    if (err != E_OK || number == 0) return err;
    view_cache_init(&cache, r);
    TRY(view_open(&cache, false, &v));
    for (const Part *p = view_next(v, PART_DATE, &at); p != NULL;
         p = view_next(v, PART_DATE, &at)) {
        if (p->tier == tier) *parts += 1;
    }
done:
    if (v != NULL) view_close(&cache, v);
    view_cache_free(&cache);
    return err;
}

static Err not_mounted(const Marker *m, const char *why)
{
    return fail(E_NOT_FOUND, "store %s is not mounted: it has no " ROOT_MARKER ", but %s", m->store,
                why);
}

/* Reads all markers, refuses what is not mounted, writes those that are missing in a new store. */
static Err markers_check(Root *r)
{
    Err err = E_OK;
    Arena scratch = {0};
    u64 number = 0;
    u32 count = 2;
    Marker *m = arena_array(&scratch, Marker, 2 + (u64)r->tier_count);
    u32 *tier_of = arena_array(&scratch, u32, 2 + (u64)r->tier_count);

    m[0] = (Marker){r->idb, "idb", false};
    m[1] = (Marker){r->hdb, "hdb", false};
    for (u32 i = 0; i < r->tier_count; i++) {
        if (!r->tiers[i].own_store || r->tiers[i].object) continue;
        tier_of[count] = i;
        m[count++] = (Marker){root_store(r, i), r->tiers[i].name, false};
    }
    for (u32 i = 0; i < count; i++)
        TRY(marker_read(r, &m[i]));
    TRY(view_current(r, &number));
    for (u32 i = 1; i < count; i++) {
        if (m[i].there && !m[0].there) {
            err = not_mounted(&m[0], "other stores of the database have one");
            goto done;
        }
    }
    for (u32 i = 0; i < 2; i++) {
        if (number != 0 && !m[i].there) {
            err = not_mounted(&m[i], "the database has views");
            goto done;
        }
    }
    for (u32 i = 2; i < count; i++) {
        u64 parts = 0;
        if (m[i].there) continue;
        TRY(parts_of_tier(r, tier_of[i], &parts));
        if (parts != 0) {
            err = not_mounted(&m[i], "the current view names parts there");
            goto done;
        }
    }
    for (u32 i = 0; i < count; i++) {
        if (!m[i].there) TRY(marker_write(r, &m[i]));
    }
done:
    arena_free(&scratch);
    return err;
}

/* ---- the manager's claim */

static Err take_lock(Root *r)
{
    Err err = E_OK;
    Arena scratch = {0};
    char *path = dir_join(&scratch, r->idb, "lock", NULL);

    TRY(file_open(&r->lock, path, FILE_ALWAYS));
    err = file_lock(&r->lock, true);
    if (err == E_BUSY) {
        char pid[24] = "";
        u64 got = 0;
        if (file_read_some(&r->lock, pid, sizeof pid - 1, 0, &got) != E_OK) got = 0;
        Str text = str_trim((Str){pid, got});
        err = fail(E_BUSY, "%s: another manager runs (pid %.*s)", path, STR_FMT(text));
    }
    if (err != E_OK) goto done;
    char *pid = arena_format(&scratch, "%d\n", proc_id());
    TRY(file_truncate(&r->lock, 0));
    TRY(file_write(&r->lock, pid, strlen(pid), 0));
done:
    arena_free(&scratch);
    return err;
}

Err root_claim(Root *r)
{
    Err err = E_OK;
    Arena scratch = {0};
    static const char *const ours[] = {"data", "seg", "manifest", "spill", "stage"};

    ASSERT(r->idb != NULL && r->tier_count > 0);
    TRY(dir_make_all(r->idb));
    TRY(take_lock(r));
    TRY(markers_check(r));
    for (u32 i = 0; i < COUNT_OF(ours); i++)
        TRY(dir_make_all(dir_join(&scratch, r->idb, ours[i], NULL)));
    TRY(dir_make_all(dir_join(&scratch, r->hdb, "data", NULL)));
    TRY(dir_make_all(dir_join(&scratch, r->hdb, "seg", NULL)));
done:
    if (err != E_OK && r->lock.path != NULL) file_drop(&r->lock);
    arena_free(&scratch);
    return err;
}
