/*
 * check: `silt check DIR|ASSEMBLY`: every invariant of a database, read-only.
 *
 * With an assembly file the database's folders, stores and schemas are known, so sort order and
 * types are checked too. A base folder is known by its marker; the other one is found by the link
 * to the domain (from <idb>), or by the same id in a folder beside it (from <hdb>). Any other
 * folder is checked as a plain kdb+ database or table. A running manager does not disturb: the view
 * is pinned, and what is newer than it is left alone.
 */
#include "cmd/check.h"

#include <stdio.h>

#include "base/bounds.h"
#include "cmd/check_plain.h"
#include "cmd/check_stray.h"
#include "cmd/check_stream.h"
#include "cmd/check_sums.h"
#include "cmd/check_view.h"
#include "cmd/config.h"
#include "cmd/options.h"
#include "cmd/talk.h"
#include "os/dir.h"
#include "os/guard.h"

#define CHECK_BESIDE_MAX 4096

/* ---- which folders */

/* <hdb> by the link to its domain in the newest view's folder. */
static bool find_by_link(const char *idb, Arena *a, char **hdb)
{
    char *target = NULL, *sym = NULL;
    if (dir_read_link(dir_join(a, idb, "current", NULL), a, &target) != E_OK) return false;
    if (dir_read_link(dir_join(a, idb, target, "sym", NULL), a, &sym) != E_OK) return false;
    char *slash = strrchr(sym, '/');
    if (sym[0] != '/' || slash == NULL || slash == sym) return false;
    *slash = 0;
    *hdb = sym;
    return true;
}

/* The folder beside `base` that is marked as `tier` of the same database. */
static Err find_beside(const char *base, const char *tier, Str id, Arena *a, char **found)
{
    Err err = E_OK;
    DirEntry *e = NULL;
    u64 count = 0;
    char *whole = NULL;
    TRY(dir_absolute(base, a, &whole));
    char *slash = strrchr(whole, '/');
    *slash = 0;
    const char *parent = whole[0] == 0 ? "/" : whole;
    TRY(dir_list(parent, CHECK_BESIDE_MAX, a, &e, &count));
    for (u64 i = 0; i < count; i++) {
        Str assembly = {0}, other_tier = {0}, other_id = {0};
        char *path = dir_join(a, parent, e[i].name, NULL);
        if (!check_view_marker(path, a, &assembly, &other_tier, &other_id)) continue;
        if (!str_is(other_tier, tier) || !str_eq(id, other_id)) continue;
        *found = path;
        return E_OK;
    }
    err =
        fail(E_NOT_FOUND, "%s: its %s folder is not beside it: give the assembly file", base, tier);
done:
    return err;
}

/* Both bases from one of them. */
static Err find_bases(const char *folder, Str tier, Str id, Arena *a, char **idb, char **hdb)
{
    *idb = *hdb = arena_text(a, folder, strlen(folder));
    if (str_is(tier, "hdb")) return find_beside(folder, "idb", id, a, idb);
    if (!str_is(tier, "idb"))
        return fail(E_USAGE, "%s is the store of tier %.*s: give the assembly file", folder,
                    STR_FMT(tier));
    return find_by_link(folder, a, hdb) ? E_OK : find_beside(folder, "hdb", id, a, hdb);
}

/* ---- the checks */

static Err check_all(CheckView *db, bool deep)
{
    Err err = E_OK;
    TRY(check_view(db));
    TRY(check_sums(db, deep));
    TRY(check_stream(db));
    TRY(check_stray(db));
done:
    return err;
}

static Err check_assembly(const OptionsCommon *o, CheckView *db, Config *config, bool deep)
{
    Err err = E_OK;
    ConfigSource source;
    ConfigFinding *findings = NULL;
    u32 count = 0;
    TRY(options_source(o, &source));
    TRY(config_load(config, &source, &findings, &count));
    TRY(check_view_open(db, config->name, config->idb->base, config->hdb->base,
                        config->source->log_path, config->date_tiers, config->date_tier_count));
    db->tables = &config->tables;
    TRY(check_all(db, deep));
done:
    return err;
}

static Err check_marked(const char *folder, const OptionsCommon *o, Str tier, Str id, CheckView *db,
                        bool deep)
{
    Err err = E_OK;
    Arena a = {0};
    char *idb = NULL, *hdb = NULL;
    TRY(find_bases(folder, tier, id, &a, &idb, &hdb));
    TRY(check_view_open(db, NULL, idb, hdb, o->wal, NULL, 0));
    TRY(check_all(db, deep));
done:
    arena_free(&a);
    return err;
}

static Err check_path(const char *path, OptionsCommon *o, CheckView *db, Config *config, bool deep)
{
    Err err = E_OK;
    Arena a = {0};
    DirKind kind = DIR_ABSENT;
    Str assembly = {0}, tier = {0}, id = {0};
    TRY(dir_kind(path, true, &kind));
    if (kind == DIR_ABSENT) TRY(fail(E_NOT_FOUND, "%s: there is nothing", path));
    if (kind == DIR_FILE) {
        o->file = path;
        TRY(check_assembly(o, db, config, deep));
    } else if (check_view_marker(path, &a, &assembly, &tier, &id)) {
        TRY(check_marked(path, o, tier, id, db, deep));
    } else {
        CheckPlainCounts counts;
        TRY(check_plain(path, &db->findings, &counts));
        db->parts = counts.parts;
        db->table_count = counts.table_count;
        db->rows = counts.rows;
        db->files = counts.files;
    }
done:
    arena_free(&a);
    return err;
}

static Err report(const CheckView *db, bool json)
{
    Buf out = {0};
    Err err = findings_write(&db->findings, json, &out);
    if (err == E_OK) err = talk_print(&out);
    buf_free(&out);
    fprintf(stderr,
            "%llu parts, %llu tables, %llu rows, %llu files, %llu records: %llu violations, %llu "
            "warnings\n",
            (unsigned long long)db->parts, (unsigned long long)db->table_count,
            (unsigned long long)db->rows, (unsigned long long)db->files,
            (unsigned long long)db->records, (unsigned long long)db->findings.errors,
            (unsigned long long)db->findings.warnings);
    if (err == E_OK && db->findings.errors > 0)
        err = fail(E_CORRUPT, "%llu rules are violated", (unsigned long long)db->findings.errors);
    return err;
}

int check_main(int argc, char **argv)
{
    Err err = E_OK;
    OptionsCommon o = {0};
    CheckView *db = NULL;
    Config config = {0};
    Arena a = {0};
    bool json = false, deep = false;
    Option options[] = {OPTIONS_COMMON(o),
                        {"json", NULL, NULL, &json, "one JSON object a finding"},
                        {"deep", NULL, NULL, &deep, "compare every byte with its checksum"},
                        {0}};
    TRY(options_parse(&argc, argv, options));
    if (argc != 1) TRY(fail(E_USAGE, "silt check DIR|ASSEMBLY: one path is expected"));
    db = arena_new(&a, CheckView);
    TRY(guard_start()); /* a file that is cut while it is checked is a finding */
    TRY(check_path(argv[0], &o, db, &config, deep));
    TRY(report(db, json));
done:
    if (db != NULL) check_view_close(db);
    config_free(&config);
    arena_free(&a);
    return talk_end(err);
}
