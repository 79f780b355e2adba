/*
 * check_view: the rules of views and of what the current one names.
 *
 *     rule       what must hold
 *     marker     both bases are marked, by the same assembly and database
 *     current    the links lead to a view that can be read, and to the hdb.M that it names
 *     manifest   each manifest and segment is whole (CRC) and in order
 *     folder     a view's folder holds exactly the links that its manifest asks for, or par.txt
 * with folders of such links; each leads to the part's folder; nothing else is there domain     the
 * prefix of `sym` that the view needs is there, its last name ends, names differ tables     each
 * part holds each table, with the same columns, and no other name
 *     ...        the rules of tables (check_table.c)
 *
 * Parts are checked in parallel, a task a table of a part; each fills its own findings, which are
 * joined in the order of the parts.
 */
#include "cmd/check_view.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/bounds.h"
#include "base/crc.h"
#include "base/map.h"
#include "db/folder.h"
#include "db/manifest.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/pool.h"
#include "q/json.h"
#include "q/temporal.h"
#include "table/part.h"

#define CHECK_MARKER     "siltstone.json"
#define CHECK_MARKER_MAX 4096
#define CHECK_NAMES_MAX  (1ull << 24)
#define CHECK_TIERS_MAX  64
#define CHECK_PAR_MAX    (16ull << 20)
#define CHECK_END_SIZE   13 /* the line `end 01234567` of a manifest */

/* ---- opening */

bool check_view_marker(const char *folder, Arena *a, Str *assembly, Str *tier, Str *id)
{
    u8 *data = NULL;
    u64 size = 0;
    Value v;
    char *path = dir_join(a, folder, CHECK_MARKER, NULL);
    if (file_read_all(path, CHECK_MARKER_MAX, a, &data, &size) != E_OK) return false;
    if (json_parse((Str){(const char *)data, size}, a, &v) != E_OK || v.type != QT_DICT)
        return false;
    const Value *field = value_get(&v, "assembly");
    if (field == NULL || !value_text(field, assembly)) return false;
    field = value_get(&v, "tier");
    if (field == NULL || !value_text(field, tier)) return false;
    field = value_get(&v, "id");
    return field != NULL && value_text(field, id);
}

/* Adds a tier that a segment names, once. */
static Err note_tier(CheckView *db, Tier *tiers, u32 *count, Str name, Str path)
{
    if (str_starts(path, STR("tier:")))
        return fail(E_USAGE, "tier %.*s has a store of its own: give the assembly file to check it",
                    STR_FMT(name));
    for (u32 i = 0; i < *count; i++)
        if (str_is(name, tiers[i].name)) return E_OK;
    if (*count == CHECK_TIERS_MAX) return fail(E_LIMIT, "more than %d tiers", CHECK_TIERS_MAX);
    tiers[*count] = (Tier){.name = str_dup(&db->memory, name),
                           .store = dir_join(&db->memory, db->root.hdb, "data", NULL)};
    tiers[*count].index = (i32)*count;
    ++*count;
    return E_OK;
}

/* The tiers that the segments' parts are said to be in, read off the text: `part k d n TIER
 * PATH`. */
static Err find_tiers(CheckView *db, Tier *tiers, u32 *count)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 entries = 0, number = 0;
    PartKind kind = PART_INTERVAL;
    i32 group = 0;
    char *folder = dir_join(&scratch, db->root.idb, "manifest", NULL);
    DirKind there = DIR_ABSENT;
    TRY(dir_kind(folder, true, &there));
    if (there == DIR_FOLDER) TRY(dir_list(folder, CHECK_NAMES_MAX, &scratch, &e, &entries));
    for (u64 i = 0; i < entries; i++) {
        u8 *data = NULL;
        u64 size = 0;
        if (!view_segment_parse(str_of(e[i].name), &kind, &group, &number) || kind != PART_DATE)
            continue;
        char *path = dir_join(&scratch, folder, e[i].name, NULL);
        if (file_read_all(path, BOUND_MANIFEST_MAX, &scratch, &data, &size) != E_OK) continue;
        Str rest = {(const char *)data, size}, line;
        while (rest.data != NULL && str_split(&rest, '\n', &line)) {
            Str field[6];
            u32 n = 0;
            while (n < COUNT_OF(field) && line.data != NULL && str_split(&line, ' ', &field[n]))
                n++;
            if (n == COUNT_OF(field) && str_is(field[0], "part"))
                TRY(note_tier(db, tiers, count, field[4], field[5]));
        }
    }
    if (*count == 0) TRY(note_tier(db, tiers, count, STR("hdb"), STR("")));
done:
    arena_free(&scratch);
    return err;
}

/* Whether a manager holds the lock. */
static bool is_running(const char *idb)
{
    Arena a = {0};
    File f = FILE_NONE;
    bool busy = file_open(&f, dir_join(&a, idb, "lock", NULL), FILE_READ) == E_OK &&
                file_lock(&f, false) == E_BUSY;
    file_drop(&f);
    arena_free(&a);
    return busy;
}

Err check_view_open(CheckView *db, const char *name, const char *idb, const char *hdb,
                    const char *wal, const Tier *tiers, u32 tier_count)
{
    Err err = E_OK;
    Str assembly = {0}, tier = {0}, id = {0};
    char *base_idb = NULL, *base_hdb = NULL;
    *db = (CheckView){0};
    TRY(dir_absolute(idb, &db->memory, &base_idb));
    TRY(dir_absolute(hdb, &db->memory, &base_hdb));
    if (name == NULL && check_view_marker(base_idb, &db->memory, &assembly, &tier, &id))
        name = str_dup(&db->memory, assembly);
    root_init(&db->root, name == NULL ? "" : name, base_idb, base_hdb, wal, tiers, tier_count);
    if (tiers == NULL) {
        Tier *found = arena_array(&db->memory, Tier, CHECK_TIERS_MAX);
        TRY(find_tiers(db, found, &db->root.tier_count));
        db->root.tiers = found;
    }
    view_cache_init(&db->cache, &db->root);
    db->running = is_running(base_idb);
done:
    return err;
}

void check_view_close(CheckView *db)
{
    if (db->view != NULL) view_close(&db->cache, db->view);
    db->view = NULL;
    view_cache_free(&db->cache);
    check_table_domains_free(&db->domains);
    note_free(&db->findings);
    root_close(&db->root);
    arena_free(&db->memory);
}

/* ---- markers, links, manifests */

static void check_markers(CheckView *db)
{
    Str assembly[2] = {{0}}, tier[2] = {{0}}, id[2] = {{0}};
    const char *base[2] = {db->root.idb, db->root.hdb};
    static const char *const wanted[2] = {"idb", "hdb"};
    bool there[2];
    for (int i = 0; i < 2; i++) {
        there[i] = check_view_marker(base[i], &db->memory, &assembly[i], &tier[i], &id[i]);
        const char *path = dir_join(&db->memory, base[i], CHECK_MARKER, NULL);
        if (!there[i]) {
            note_bad(&db->findings, path, "marker", "there is no readable marker");
            continue;
        }
        if (!str_is(tier[i], wanted[i]))
            note_bad(&db->findings, path, "marker", "it marks `%.*s`, not `%s`", STR_FMT(tier[i]),
                     wanted[i]);
        if (!str_is(assembly[i], db->root.name))
            note_bad(&db->findings, path, "marker", "it belongs to assembly %.*s, not %s",
                     STR_FMT(assembly[i]), db->root.name);
    }
    if (there[0] && there[1] && !str_eq(id[0], id[1]))
        note_bad(&db->findings, base[1], "marker", "the two bases belong to different databases");
}

/* Reads one manifest or segment file by itself. */
static void check_manifest_file(CheckView *db, const char *path, const char *name)
{
    Arena scratch = {0};
    u8 *data = NULL;
    u64 size = 0, number = 0;
    PartKind kind = PART_INTERVAL;
    i32 group = 0;
    bool is_view = root_numbered(str_of(name), "view.", &number);
    bool is_segment = !is_view && view_segment_parse(str_of(name), &kind, &group, &number);
    if (!is_view && !is_segment) {
        note_warn(&db->findings, path, "stray", "no manifest has such a name");
        return;
    }
    Err err = file_read_all(path, BOUND_MANIFEST_MAX, &scratch, &data, &size);
    Str text = {(const char *)data, size};
    if (err == E_NOT_FOUND && db->running) {
        err = E_OK; /* swept meanwhile */
    } else if (err == E_OK && is_view) {
        View v = {.pin = -1};
        ManifestSegment *segments = NULL;
        u32 count = 0;
        err = manifest_read_view(text, &db->root, &v, &segments, &count);
        if (err == E_OK && v.number != number)
            err = fail(E_CORRUPT, "it holds view %" PRIu64, v.number);
        arena_free(&v.memory);
    } else if (err == E_OK) {
        Segment s = {0};
        u32 crc = size < CHECK_END_SIZE ? 0 : crc_32c(0, data, size - CHECK_END_SIZE);
        err = manifest_read_segment(text, &db->root, crc, &s);
        if (err == E_OK && strcmp(s.name, name) != 0)
            err = fail(E_CORRUPT, "it holds segment %s", s.name);
        arena_free(&s.memory);
    }
    /* one that a crash left behind, numbered beyond the truth, is removed at the next start */
    bool beyond = db->view != NULL && number > db->view->number;
    if (err != E_OK && beyond)
        note_warn(&db->findings, path, "manifest", "unfinished: %s", fail_text());
    else if (err != E_OK)
        findings_fail(&db->findings, path, "manifest", err == E_UNSUPPORTED ? E_CORRUPT : err);
    db->files++;
    arena_free(&scratch);
}

static Err check_manifests(CheckView *db)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    char *folder = dir_join(&scratch, db->root.idb, "manifest", NULL);
    err = dir_list(folder, CHECK_NAMES_MAX, &scratch, &e, &count);
    if (err == E_NOT_FOUND || err == E_CORRUPT) {
        findings_fail(&db->findings, folder, "manifest", err);
        err = E_OK;
    }
    for (u64 i = 0; i < count && err == E_OK; i++)
        check_manifest_file(db, dir_join(&scratch, folder, e[i].name, NULL), e[i].name);
    arena_free(&scratch);
    return err;
}

/* <hdb>/current. */
static void check_hdb_link(CheckView *db)
{
    Arena scratch = {0};
    char *target = NULL;
    u64 number = 0;
    char *path = dir_join(&scratch, db->root.hdb, "current", NULL);
    Err err = dir_read_link(path, &scratch, &target);
    if (err != E_OK) {
        findings_fail(&db->findings, path, "current", err);
    } else if (!root_numbered(str_of(target), "hdb.", &number)) {
        note_bad(&db->findings, path, "current", "it leads to `%s`", target);
    } else if (number < db->view->hdb) {
        note_warn(&db->findings, path, "current",
                  "it leads to %s, the view names hdb.%" PRIu64 "; the next start mends it", target,
                  db->view->hdb);
    } else if (number > db->view->hdb && !db->running) {
        note_bad(&db->findings, path, "current", "it leads to %s, the view names hdb.%" PRIu64,
                 target, db->view->hdb);
    }
    arena_free(&scratch);
}

/* ---- folders of links */

/* Where a link leads, absolute, in the arena; NULL with a finding when it is none. */
static char *follow(CheckView *db, Arena *a, const char *folder, const char *name)
{
    char *target = NULL, *path = dir_join(a, folder, name, NULL), *whole = NULL;
    Err err = dir_read_link(path, a, &target);
    if (err == E_OK)
        err =
            dir_absolute(target[0] == '/' ? target : dir_join(a, folder, target, NULL), a, &whole);
    if (err == E_OK) return whole;
    findings_fail(&db->findings, path, "folder", err);
    return NULL;
}

static u32 part_name(const Part *p, char out[TEMPORAL_TEXT_MAX])
{
    u32 size = p->kind == PART_INTERVAL ? part_label(p->key, out) : temporal_date_name(p->key, out);
    out[size] = 0;
    return size;
}

/* Checks the links of one folder against the parts by name; marks those that were met. */
static Err check_links(CheckView *db, const char *folder, const Map *names, const Part **parts,
                       bool *met, bool top)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    err = dir_list(folder, CHECK_NAMES_MAX, &scratch, &e, &count);
    if (err != E_OK) {
        findings_fail(&db->findings, folder, "folder", err);
        err = E_OK;
        goto done;
    }
    for (u64 i = 0; i < count; i++) {
        const char *path = dir_join(&scratch, folder, e[i].name, NULL);
        if (top && (strcmp(e[i].name, "sym") == 0 || strcmp(e[i].name, "par.txt") == 0)) continue;
        i32 at = map_find(names, str_of(e[i].name));
        if (at < 0) {
            note_bad(&db->findings, path, "folder",
                     "the manifest names no such part; a q session would stumble over it");
            continue;
        }
        const char *target = follow(db, &scratch, folder, e[i].name);
        if (target != NULL && strcmp(target, parts[at]->path) != 0)
            note_bad(&db->findings, path, "folder", "it leads to %s, the part lies in %s", target,
                     parts[at]->path);
        if (met[at]) note_bad(&db->findings, path, "folder", "the part stands in a second folder");
        met[at] = true;
    }
done:
    arena_free(&scratch);
    return err;
}

/* Follows the lines of par.txt. */
static Err check_par(CheckView *db, const char *folder, const Map *names, const Part **parts,
                     bool *met)
{
    Err err = E_OK;
    Arena scratch = {0};
    u8 *data = NULL;
    u64 size = 0;
    char *path = dir_join(&scratch, folder, "par.txt", NULL);
    TRY(file_read_all(path, CHECK_PAR_MAX, &scratch, &data, &size));
    Str rest = {(const char *)data, size}, line;
    if (size == 0 || data[size - 1] != '\n')
        note_bad(&db->findings, path, "folder", "its last line does not end");
    while (rest.size > 0 && str_split(&rest, '\n', &line)) {
        char *whole = NULL;
        if (line.size == 0 || line.data[line.size - 1] == '/') {
            note_bad(&db->findings, path, "folder", "a line is empty or ends with a slash");
            continue;
        }
        char *text = str_dup(&scratch, line);
        TRY(dir_absolute(text[0] == '/' ? text : dir_join(&scratch, folder, text, NULL), &scratch,
                         &whole));
        TRY(check_links(db, whole, names, parts, met, false));
    }
done:
    arena_free(&scratch);
    return err;
}

/* The folder idb.N or hdb.M of the view. */
static Err check_folder(CheckView *db, PartKind kind)
{
    Err err = E_OK;
    Arena scratch = {0};
    Map names = {0};
    const View *v = db->view;
    DirKind par = DIR_ABSENT;
    u64 count = view_part_count(v, kind), at = 0;
    const Part **parts = arena_array(&scratch, const Part *, count + 1);
    bool *met = arena_array(&scratch, bool, count + 1);
    char *folder = arena_format(&scratch, "%s/%s.%" PRIu64, folder_base(&db->root, kind),
                                kind == PART_INTERVAL ? "idb" : "hdb",
                                kind == PART_INTERVAL ? v->number : v->hdb);
    for (u64 i = 0; i < count; i++) {
        char name[TEMPORAL_TEXT_MAX];
        parts[i] = view_next(v, kind, &at);
        u32 size = part_name(parts[i], name);
        map_put(&names, (Str){name, size}, (i32)i);
    }
    const char *sym = follow(db, &scratch, folder, "sym");
    if (sym != NULL && strcmp(sym, db->root.sym) != 0)
        note_bad(&db->findings, folder, "folder", "its sym leads to %s, not %s", sym, db->root.sym);
    TRY(dir_kind(dir_join(&scratch, folder, "par.txt", NULL), false, &par));
    TRY(check_links(db, folder, &names, parts, met, true));
    if (par != DIR_ABSENT) {
        for (u64 i = 0; i < count; i++)
            if (met[i])
                note_bad(&db->findings, folder, "folder",
                         "parts beside par.txt: a q session refuses that");
        TRY(check_par(db, folder, &names, parts, met));
    }
    for (u64 i = 0; i < count; i++) {
        char name[TEMPORAL_TEXT_MAX];
        part_name(parts[i], name);
        if (!met[i]) note_bad(&db->findings, folder, "folder", "part %s is missing", name);
    }
done:
    map_free(&names);
    arena_free(&scratch);
    return err;
}

/* ---- the domain */

static Err check_domain(CheckView *db)
{
    const char *path = db->root.sym;
    File f = FILE_NONE;
    u64 size = 0;
    u8 last = 0;
    Err err = file_open(&f, path, FILE_READ);
    if (err == E_OK) err = file_size(&f, &size);
    if (err == E_OK && size > 0) err = file_read(&f, &last, 1, size - 1);
    file_drop(&f);
    if (err != E_OK) {
        findings_fail(&db->findings, path, "domain", err);
        return E_OK;
    }
    if (size < db->view->sym_size)
        note_bad(&db->findings, path, "domain", "%" PRIu64 " bytes, the view needs %" PRIu64, size,
                 db->view->sym_size);
    if (size > 8 && last != 0 && size > db->view->sym_size && !db->running)
        note_warn(&db->findings, path, "domain",
                  "an unfinished name behind what the view needs; the next start cuts it");
    err = check_table_domain(&db->domains, "sym", path, MIN(size, db->view->sym_size));
    if (err == E_CORRUPT) {
        findings_fail(&db->findings, path, "domain", err);
        return E_OK;
    }
    if (err != E_OK) return err;
    const Domain *d = &db->domains.all[0].domain;
    if (view_check_domain(db->view, d) != E_OK)
        findings_fail(&db->findings, path, "checksum", E_CORRUPT);
    for (i32 i = 0; i < d->count; i++)
        if (d->indices[d->ids[i]] != i) {
            note_bad(&db->findings, path, "domain", "name %d stands a second time", i);
            break;
        }
    return E_OK;
}

/* ---- parts */

/* All tables of all parts. */
typedef struct {
    CheckView *db;
    CheckTable *tables;
    const Part **part_of;
    u64 count, done;
    bool showing;
    Progress progress;
} Work;

static Err check_one(void *arg, u64 i)
{
    Work *w = arg;
    check_table(&w->tables[i]);
    u64 done = __atomic_add_fetch(&w->done, 1, __ATOMIC_RELAXED);
    if (__atomic_exchange_n(&w->showing, true, __ATOMIC_ACQUIRE))
        return E_OK; /* another one shows it */
    progress_show(&w->progress, done, w->count);
    __atomic_store_n(&w->showing, false, __ATOMIC_RELEASE);
    return E_OK;
}

/* What stands in a part's folder beside its tables. */
static void check_part_names(CheckView *db, const Part *p)
{
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    Err err = dir_list(p->path, CHECK_NAMES_MAX, &scratch, &e, &count);
    if (err != E_OK) findings_fail(&db->findings, p->path, "tables", err);
    for (u64 i = 0; i < count && err == E_OK; i++) {
        if (view_part_table(p, e[i].name) == NULL)
            note_bad(&db->findings, dir_join(&scratch, p->path, e[i].name, NULL), "tables",
                     "the manifest names no such table; a q session would take it for one");
    }
    arena_free(&scratch);
}

/* Each part holds each table: those of the assembly, else those of the newest part. */
static void check_part_tables(CheckView *db, const Part *p, const Part *newest)
{
    u32 count = db->tables != NULL ? db->tables->count : newest->table_count;
    for (u32 i = 0; i < count; i++) {
        if (db->tables != NULL && db->tables->tables[i]->kind != TABLE_PARTITIONED) continue;
        const char *name =
            db->tables != NULL ? db->tables->tables[i]->name : newest->tables[i].name;
        if (view_part_table(p, name) == NULL)
            note_bad(&db->findings, p->path, "tables", "table %s is missing", name);
    }
}

static void add_part(Work *w, const Part *p)
{
    CheckView *db = w->db;
    check_part_names(db, p);
    for (u32 i = 0; i < p->table_count; i++) {
        const PartTable *t = &p->tables[i];
        const Schema *s = db->tables == NULL ? NULL : schema_table(db->tables, str_of(t->name));
        w->part_of[w->count] = p;
        w->tables[w->count++] =
            (CheckTable){.path = dir_join(&db->memory, p->path, t->name, NULL),
                         .domains = &db->domains,
                         .schema = s,
                         .told = t,
                         .place = p->kind == PART_INTERVAL ? PLACE_ORD : PLACE_DISK,
                         .dated = true,
                         .imported = p->kind == PART_DATE && !root_owns(&db->root, p->path),
                         .late = p->late,
                         .day = p->day};
        if (db->tables != NULL && s == NULL)
            note_warn(&db->findings, p->path, "tables", "table %s is not in the assembly", t->name);
        if (s != NULL && s->hash != t->schema_hash)
            note_bad(&db->findings, p->path, "tables", "table %s was written with another schema",
                     t->name);
    }
    db->parts++;
}

/* Columns and types of the table are those that the newest part has. */
static void compare_columns(CheckView *db, const CheckTable *t, const CheckTable *newest)
{
    if (!t->readable || !newest->readable || t == newest) return;
    bool same = t->column_count == newest->column_count;
    for (u32 i = 0; i < t->column_count && same; i++) {
        bool open = t->types[i] >= 0 && newest->types[i] >= 0;
        bool list = check_table_list(t->types[i]) && check_table_list(newest->types[i]);
        same = strcmp(t->names[i], newest->names[i]) == 0 &&
               (!open || list || t->types[i] == newest->types[i]);
    }
    if (!same)
        note_bad(&db->findings, t->path, "tables",
                 "its columns differ from those in the newest part, %s", newest->path);
}

static Err check_parts(CheckView *db, PartKind kind)
{
    Err err = E_OK;
    Work w = {.db = db};
    u64 at = 0, room = 0;
    const Part *newest = NULL;
    for (const Part *p; (p = view_next(db->view, kind, &at)) != NULL; newest = p)
        room += p->table_count;
    if (newest == NULL) return E_OK;
    w.tables = arena_array(&db->memory, CheckTable, room + 1);
    w.part_of = arena_array(&db->memory, const Part *, room + 1);
    at = 0;
    for (const Part *p; (p = view_next(db->view, kind, &at)) != NULL;) {
        check_part_tables(db, p, newest);
        add_part(&w, p);
    }
    progress_begin(&w.progress, "tables");
    TRY(pool_run(w.count, 0, check_one, &w));
    progress_end(&w.progress);
    for (u64 i = 0; i < w.count; i++) {
        for (u64 k = w.count - newest->table_count; k < w.count; k++)
            if (strcmp(w.tables[k].told->name, w.tables[i].told->name) == 0)
                compare_columns(db, &w.tables[i], &w.tables[k]);
        db->rows += w.tables[i].rows;
        db->files += w.tables[i].files;
        db->table_count++;
    }
    for (u64 i = 0; i < w.count; i++)
        note_join(&db->findings, &w.tables[i].findings);
done:
    return err;
}

Err check_view(CheckView *db)
{
    Err err = E_OK;
    Arena scratch = {0};
    u64 number = 0;
    char *path = dir_join(&scratch, db->root.idb, "current", NULL);
    check_markers(db);
    err = view_current(&db->root, &number);
    if (err == E_OK && number == 0) err = fail(E_NOT_FOUND, "there is no view");
    if (err == E_OK) err = view_open(&db->cache, true, &db->view);
    if (err != E_OK)
        findings_fail(&db->findings, path, "current", err == E_UNSUPPORTED ? E_CORRUPT : err);
    TRY(check_manifests(db));
    if (db->view == NULL) goto done;
    check_hdb_link(db);
    TRY(check_domain(db));
    TRY(check_folder(db, PART_INTERVAL));
    TRY(check_folder(db, PART_DATE));
    TRY(check_parts(db, PART_DATE));
    TRY(check_parts(db, PART_INTERVAL));
done:
    arena_free(&scratch);
    return err;
}
