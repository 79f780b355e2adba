/*
 * check_plain: what `\l folder` would stumble over (kdb-files.md 8.3, 8.4), the rules of
 * partitioned databases (deephaven-lifecycle.md 14), and the tables.
 *
 *     rule     what must hold
 *     load     every name in the root and in the last partition is one that a q session takes
 *     P-nn     as the walk of db/plain says; and:
 *     P-08     rows lie in their partition, as far as the first timestamp column tells (a warning:
 *              the value that counts is not stored)
 *     P-09     the same partition in two segments holds different rows
 *     P-17     each partition holds the tables of the last one, with the same columns
 *     P-18     enumerations have their domain and stay within it
 *     ...      the rules of tables (check_table.c)
 *
 * db/plain walks; tables are checked in parallel.
 */
#include "cmd/check_plain.h"

#include <stdlib.h>

#include "base/map.h"
#include "cmd/check_twice.h"
#include "cmd/progress.h"
#include "db/plain.h"
#include "os/guard.h"
#include "os/pool.h"
#include "q/temporal.h"
#include "table/splay.h"

/* A table folder: of a partition, or of the root (part NULL). */
typedef struct {
    const char *name;
    const PlainPart *part;
    CheckTable table;
} PlainFolder;

typedef struct {
    NoteList *findings;
    Plain plain;
    CheckTableDomains domains;
    Arena memory;
    PlainFolder *folders;
    u64 folder_count, folder_room, done;
    bool showing;
    Progress progress;
    Map hidden; /* tables that the last partition lacks */
} Check;

/* ---- what there is */

static void take_notes(Check *c)
{
    for (u32 i = 0; i < c->plain.note_count; i++) {
        const PlainNote *n = &c->plain.notes[i];
        if (strcmp(n->rule, "column") == 0 || strcmp(n->rule, "names") == 0)
            continue; /* check_table says it */
        if (n->weight == PLAIN_WARNS)
            note_warn(c->findings, n->path, n->rule, "%s", n->text);
        else
            note_bad(c->findings, n->path, n->rule, "%s", n->text);
    }
}

static Err load_domain(Check *c, const char *name, const char *path)
{
    Err err = check_table_domain(&c->domains, name, path, UINT64_MAX);
    if (err == E_OK || err == E_MEMORY) return err;
    findings_fail(c->findings, path, "domain", err);
    return E_OK;
}

static bool is_loaded(const Check *c, const char *name)
{
    for (u32 i = 0; i < c->domains.count; i++)
        if (strcmp(c->domains.all[i].name, name) == 0) return true;
    return false;
}

/* The domains of the root; for tables that are no database's those that stand above. */
static Err load_domains(Check *c)
{
    Err err = E_OK;
    const Plain *p = &c->plain;
    for (u32 i = 0; i < p->object_count; i++)
        if (p->objects[i].form == PLAIN_SYMBOLS)
            TRY(load_domain(c, p->objects[i].name, p->objects[i].path));
    for (u32 i = 0; p->kind == PLAIN_FLAT && i < p->splayed_count; i++) {
        for (u32 k = 0; k < p->splayed[i].column_count; k++) {
            const char *name = p->splayed[i].columns[k].domain;
            char *path = NULL;
            if (name == NULL || is_loaded(c, name)) continue;
            TRY(plain_above(p->path, name, &c->memory, &path));
            if (path != NULL) TRY(load_domain(c, name, path));
        }
    }
done:
    return err;
}

static void add_folder(Check *c, const PlainPart *part, const char *name, const char *path)
{
    if (c->folder_count == c->folder_room) {
        u64 room = MAX(2 * c->folder_room, 64);
        PlainFolder *folders = arena_array(&c->memory, PlainFolder, room);
        if (c->folder_count > 0) memcpy(folders, c->folders, c->folder_count * sizeof *folders);
        c->folders = folders;
        c->folder_room = room;
    }
    c->folders[c->folder_count++] =
        (PlainFolder){.name = name, .part = part, .table = {.path = path, .domains = &c->domains}};
}

/* A table that the last partition lacks is seen nowhere; says so once. */
static void note_hidden(Check *c, const char *name, const char *path)
{
    const Plain *p = &c->plain;
    for (u32 i = 0; i < p->table_count; i++)
        if (strcmp(p->tables[i].name, name) == 0) return;
    if (map_find(&c->hidden, str_of(name)) >= 0) return;
    map_put(&c->hidden, str_of(name), 0);
    note_bad(c->findings, path, "P-17",
             "the last partition, %s, has no table %s: it is seen nowhere",
             p->parts[p->part_count - 1].name, name);
}

/* The tables of a partition against those of the last one, which decides. */
static Err take_part(Check *c, const PlainPart *part)
{
    PlainLook look;
    const Plain *p = &c->plain;
    bool last = part->value == p->parts[p->part_count - 1].value;
    Err err = plain_look(part, &c->memory, &look);
    if (err == E_MEMORY) return err;
    if (err != E_OK) {
        findings_fail(c->findings, part->path, "P-03", err);
        return E_OK;
    }
    for (u32 w = 0; w < p->table_count; w++) {
        bool found = false;
        for (u32 i = 0; i < look.table_count && !found; i++)
            found = strcmp(look.tables[i], p->tables[w].name) == 0;
        if (!found)
            note_bad(c->findings, part->path, "P-17", "table %s is missing", p->tables[w].name);
    }
    for (u32 i = 0; i < look.table_count; i++) {
        const char *path = dir_join(&c->memory, part->path, look.tables[i], NULL);
        add_folder(c, part, look.tables[i], path);
        note_hidden(c, look.tables[i], path);
    }
    for (u32 i = 0; i < look.foreign_count && !last; i++)
        note_warn(c->findings, dir_join(&c->memory, part->path, look.foreign[i], NULL), "load",
                  "no table");
    return E_OK;
}

static Err take_tables(Check *c)
{
    Err err = E_OK;
    for (u32 i = 0; i < c->plain.splayed_count; i++)
        add_folder(c, NULL, c->plain.splayed[i].name, c->plain.splayed[i].path);
    for (u32 i = 0; i < c->plain.part_count; i++)
        TRY(take_part(c, &c->plain.parts[i]));
done:
    return err;
}

/* ---- rules between tables */

/* Columns of a table are the same in all partitions: the newest folder of its name decides. */
static void compare_columns(Check *c)
{
    Map newest = {0};
    for (u64 i = c->folder_count; i > 0; i--) {
        const PlainFolder *f = &c->folders[i - 1];
        const CheckTable *t = &f->table;
        if (f->part == NULL || !t->readable) continue;
        i32 at = map_find(&newest, str_of(f->name));
        if (at < 0) {
            map_put(&newest, str_of(f->name), (i32)(i - 1));
            continue;
        }
        const CheckTable *model = &c->folders[at].table;
        bool same = t->column_count == model->column_count;
        for (u32 k = 0; k < t->column_count && same; k++) {
            bool open = t->types[k] >= 0 && model->types[k] >= 0;
            bool list = check_table_list(t->types[k]) && check_table_list(model->types[k]);
            same = strcmp(t->names[k], model->names[k]) == 0 &&
                   (!open || list || t->types[k] == model->types[k]);
        }
        if (!same)
            note_bad(c->findings, t->path, "P-17",
                     "its columns differ from those in the newest partition, %s", model->path);
    }
    map_free(&newest);
}

/* The first row whose time does not lie in the partition's days. */
static void check_times(Check *c, const PlainFolder *f)
{
    Splay s = {0};
    const Column *times = NULL;
    i64 from = 0, to = 0;
    if (f->part == NULL || !f->table.readable) return;
    if (!plain_days(c->plain.kind, f->part->value, &from, &to)) return;
    Err err = splay_open(&s, f->table.path);
    for (u32 i = 0; i < s.column_count && err == E_OK && times == NULL; i++)
        if (f->table.types[i] == QT_TIMESTAMP)
            err = splay_column(&s, s.names[i], UINT64_MAX, &times);
    for (u64 i = 0; err == E_OK && times != NULL && i < times->rows; i++) {
        i64 time = ((const i64 *)times->data)[i];
        i64 day = temporal_day_of(time);
        if (time == Q_NULL_LONG || (day >= from && day < to)) continue;
        char text[TEMPORAL_TEXT_MAX];
        u32 size = temporal_format(QT_TIMESTAMP, time, text);
        note_warn(c->findings, f->table.path, "P-08", "row %llu: %.*s does not lie in %s",
                  (unsigned long long)i, (int)size, text, f->part->name);
        break;
    }
    /* What is damaged was said by check_table, but for what was cut since. */
    if (err == E_OK || guard_lost() == 0) err = splay_intact(&s);
    if (err != E_OK) findings_fail(c->findings, f->table.path, "column", err);
    splay_close(&s);
}

/* Whether a folder before this one holds the same table of the same partition. */
static bool is_again(const Check *c, u64 at)
{
    const PlainFolder *f = &c->folders[at];
    for (u64 k = at; k > 0; k--) {
        const PlainFolder *before = &c->folders[k - 1];
        if (before->part == NULL || before->part->value != f->part->value) break;
        if (strcmp(before->name, f->name) == 0) return true;
    }
    return false;
}

/* Rows of the same table and partition in several segments. */
static Err compare_segments(Check *c)
{
    Err err = E_OK;
    for (u64 i = 0; i < c->folder_count && err == E_OK; i++) {
        const PlainFolder *f = &c->folders[i];
        if (f->part == NULL || is_again(c, i)) continue;
        Arena scratch = {0};
        const char **paths = arena_array(&scratch, const char *, c->plain.segment_count + 1);
        u64 count = 0;
        for (u64 k = i; k < c->folder_count && c->folders[k].part->value == f->part->value; k++)
            if (strcmp(c->folders[k].name, f->name) == 0 && count < c->plain.segment_count)
                paths[count++] = c->folders[k].table.path;
        if (count > 1) err = check_twice(paths, count, &c->domains, c->findings);
        arena_free(&scratch);
    }
    return err;
}

/* ---- the check */

static Err check_one(void *arg, u64 i)
{
    Check *c = arg;
    check_table(&c->folders[i].table);
    u64 done = __atomic_add_fetch(&c->done, 1, __ATOMIC_RELAXED);
    if (__atomic_exchange_n(&c->showing, true, __ATOMIC_ACQUIRE))
        return E_OK; /* another one shows it */
    progress_show(&c->progress, done, c->folder_count);
    __atomic_store_n(&c->showing, false, __ATOMIC_RELEASE);
    return E_OK;
}

/* Adds what was found in a table, under the rules' numbers. */
static void join(Check *c, CheckTable *t)
{
    for (u32 i = 0; i < t->findings.count; i++)
        if (strcmp(t->findings.list[i].rule, "domain") == 0) t->findings.list[i].rule = "P-18";
    note_join(c->findings, &t->findings);
}

static Err check_all(Check *c)
{
    Err err = E_OK;
    take_notes(c);
    TRY(load_domains(c));
    TRY(take_tables(c));
    progress_begin(&c->progress, "tables");
    TRY(pool_run(c->folder_count, 0, check_one, c));
    progress_end(&c->progress);
    compare_columns(c);
    TRY(compare_segments(c));
    for (u64 i = 0; i < c->folder_count; i++)
        check_times(c, &c->folders[i]);
done:
    return err;
}

Err check_plain(const char *folder, NoteList *findings, CheckPlainCounts *counts)
{
    Err err = E_OK;
    Check c = {.findings = findings};
    *counts = (CheckPlainCounts){0};
    TRY(plain_open(&c.plain, folder));
    TRY(check_all(&c));
    counts->parts = c.plain.part_count;
    counts->table_count = c.folder_count;
    for (u64 i = 0; i < c.folder_count; i++) {
        counts->rows += c.folders[i].table.rows;
        counts->files += c.folders[i].table.files;
        join(&c, &c.folders[i].table);
    }
done:
    progress_end(&c.progress);
    for (u64 i = 0; i < c.folder_count; i++)
        note_free(&c.folders[i].table.findings);
    check_table_domains_free(&c.domains);
    map_free(&c.hidden);
    plain_close(&c.plain);
    arena_free(&c.memory);
    return err;
}
