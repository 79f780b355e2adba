/*
 * check_plain: what `\l folder` would stumble over (kdb-files.md 8.3, 8.4), and the tables.
 *
 *     rule     what must hold
 *     load     every name in the root, in a folder of par.txt and in the last partition is one that
 *              a q session takes; partition names are all of the kind that the first one tells;
 *              par.txt does not stand beside partitions
 *     tables   each partition holds the tables of the last one, with the same columns
 *     ...      the rules of tables (check_table.c)
 *
 * Files in the root that are lists of symbols are domains. Tables are checked in parallel.
 */
#include "cmd/check_plain.h"

#include <stdlib.h>

#include "base/bounds.h"
#include "cmd/progress.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/pool.h"
#include "q/temporal.h"
#include "table/splay.h"

#define PLAIN_NAMES_MAX (1ull << 24)
#define PLAIN_PAR_MAX   (16ull << 20)
#define PLAIN_LEVELS    6 /* folders above a single table in which its domain is looked for */

enum { PLAIN_YEAR_SIZE = 4, PLAIN_MONTH_SIZE = 7, PLAIN_DATE_SIZE = 10 };

typedef struct {
    const char *path, *name;
    i64 value;
} PlainPart;

typedef struct {
    Findings *findings;
    CheckTableDomains domains;
    Arena memory;
    PlainPart *parts;
    u64 part_count, part_room;
    CheckTable *tables;
    u64 table_count, table_room, done;
    bool showing;
    Progress progress;
} Plain;

/* ---- names */

static bool all_digits(Str s)
{
    for (u64 i = 0; i < s.size; i++)
        if (s.data[i] < '0' || s.data[i] > '9') return false;
    return s.size > 0;
}

/* Reads a partition's name as the kind that names of `size` bytes have. */
static bool part_value(Str name, u64 size, i64 *value)
{
    i32 day = 0;
    i64 month = 0;
    if (size == PLAIN_DATE_SIZE) {
        if (!temporal_date_parse(name, &day)) return false;
        *value = day;
        return true;
    }
    if (size == PLAIN_MONTH_SIZE) {
        Str year = {name.data, 4}, rest = {name.data + 5, 2};
        if (name.size != size || name.data[4] != '.' || !all_digits(year) || !all_digits(rest))
            return false;
        if (!str_i64(year, value) || !str_i64(rest, &month) || month < 1 || month > 12)
            return false;
        *value = *value * 12 + month;
        return true;
    }
    if (size == PLAIN_YEAR_SIZE && name.size != size) return false;
    return all_digits(name) && str_i64(name, value);
}

/* Whether the name is a script or one that a q session passes over. */
static bool is_skipped(Str name)
{
    bool script = name.size > 2 && name.data[name.size - 2] == '.';
    return script || str_ends(name, STR("$")) || str_ends(name, STR("#")) || str_is(name, "html");
}

/* ---- what there is */

static void add_table(Plain *p, const char *path)
{
    if (p->table_count == p->table_room) {
        u64 room = MAX(2 * p->table_room, 64);
        CheckTable *tables = arena_array(&p->memory, CheckTable, room);
        if (p->table_count > 0) memcpy(tables, p->tables, p->table_count * sizeof *tables);
        p->tables = tables;
        p->table_room = room;
    }
    p->tables[p->table_count++] = (CheckTable){.path = path, .domains = &p->domains};
}

static void add_part(Plain *p, const char *path, const char *name)
{
    if (p->part_count == p->part_room) {
        u64 room = MAX(2 * p->part_room, 64);
        PlainPart *parts = arena_array(&p->memory, PlainPart, room);
        if (p->part_count > 0) memcpy(parts, p->parts, p->part_count * sizeof *parts);
        p->parts = parts;
        p->part_room = room;
    }
    p->parts[p->part_count++] = (PlainPart){.path = path, .name = name};
}

/* A file of the root: read as a value, so it must be one. */
static Err take_file(Plain *p, const char *path, const char *name)
{
    Err err = E_OK;
    File f = FILE_NONE;
    u8 head[8] = {0};
    u64 got = 0;
    TRY(file_open(&f, path, FILE_READ));
    TRY(file_read_some(&f, head, sizeof head, 0, &got));
    bool object = head[0] == 0xff && head[1] == 0x01;
    bool vector = head[0] == 0xfe || head[0] == 0xfd, zipped = memcmp(head, "kxzip", 5) == 0;
    if (!object && !vector && !zipped)
        findings_bad(p->findings, path, "load", "not a kdb+ file: a q session would stop at it");
    else if (object && head[2] == QT_SYMBOL && got == sizeof head)
        TRY(check_table_domain(&p->domains, name, path, UINT64_MAX));
done:
    file_drop(&f);
    if (err == E_OK || err == E_MEMORY) return err;
    findings_fail(p->findings, path, "domain", err);
    return E_OK;
}

static bool has_names_file(const char *folder)
{
    Arena a = {0};
    DirKind kind = DIR_ABSENT;
    bool has = dir_kind(dir_join(&a, folder, ".d", NULL), true, &kind) == E_OK && kind == DIR_FILE;
    arena_free(&a);
    return has;
}

/* A name of the root that is no partition. */
static Err take_name(Plain *p, const char *path, const char *name)
{
    DirKind kind = DIR_ABSENT;
    Err err = dir_kind(path, true, &kind);
    if (err != E_OK) return err;
    if (kind == DIR_FILE) return take_file(p, path, name);
    if (kind == DIR_FOLDER && has_names_file(path))
        add_table(p, path);
    else if (kind == DIR_FOLDER)
        findings_bad(p->findings, path, "load",
                     "a folder without .d: a q session takes it for a table");
    else
        findings_bad(p->findings, path, "load", "%s",
                     kind == DIR_ABSENT ? "the link leads to nothing" : "no file and no folder");
    return E_OK;
}

/* The folders that par.txt names. */
static Err take_par(Plain *p, const char *folder, const char *path)
{
    Err err = E_OK;
    u8 *data = NULL;
    u64 size = 0;
    TRY(file_read_all(path, PLAIN_PAR_MAX, &p->memory, &data, &size));
    Str rest = {(const char *)data, size}, line;
    while (rest.size > 0 && str_split(&rest, '\n', &line)) {
        DirEntry *e = NULL;
        u64 count = 0;
        if (line.size == 0 || line.data[line.size - 1] == '/') {
            findings_bad(p->findings, path, "load", "a line is empty or ends with a slash");
            continue;
        }
        char *text = str_dup(&p->memory, line);
        char *segment = text[0] == '/' ? text : dir_join(&p->memory, folder, text, NULL);
        Err bad = dir_list(segment, PLAIN_NAMES_MAX, &p->memory, &e, &count);
        if (bad != E_OK) findings_fail(p->findings, segment, "load", bad);
        for (u64 i = 0; i < count && bad == E_OK; i++) {
            char *part = dir_join(&p->memory, segment, e[i].name, NULL);
            if (str_ends(str_of(e[i].name), STR("$"))) continue;
            add_part(p, part, e[i].name);
        }
    }
    if (p->part_count == 0)
        findings_bad(p->findings, path, "load", "no folder that it names holds a partition");
done:
    return err;
}

static Err look(Plain *p, const char *folder)
{
    Err err = E_OK;
    DirEntry *e = NULL;
    u64 count = 0;
    const char *par = NULL;
    TRY(dir_list(folder, PLAIN_NAMES_MAX, &p->memory, &e, &count));
    for (u64 i = 0; i < count; i++) {
        const char *name = e[i].name;
        char *path = dir_join(&p->memory, folder, name, NULL);
        if (strcmp(name, "par.txt") == 0)
            par = path;
        else if (name[0] >= '0' && name[0] <= '9')
            add_part(p, path, name);
        else if (!is_skipped(str_of(name)))
            TRY(take_name(p, path, name));
    }
    if (par != NULL && p->part_count > 0)
        findings_bad(p->findings, par, "load",
                     "partitions stand beside it: a q session refuses that");
    if (par != NULL) TRY(take_par(p, folder, par));
done:
    return err;
}

/* ---- partitions */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const PlainPart *)a)->name, ((const PlainPart *)b)->name);
}

static int by_value(const void *a, const void *b)
{
    i64 x = ((const PlainPart *)a)->value, y = ((const PlainPart *)b)->value;
    return (x > y) - (x < y);
}

/* Reads the partitions' values and sorts by them; those with other names go. */
static void sort_parts(Plain *p)
{
    u64 kept = 0;
    if (p->part_count == 0) return;
    qsort(p->parts, p->part_count, sizeof *p->parts, by_name);
    u64 size = strlen(p->parts[0].name);
    for (u64 i = 0; i < p->part_count; i++) {
        PlainPart *part = &p->parts[i];
        DirKind kind = DIR_ABSENT;
        bool named = part_value(str_of(part->name), size, &part->value);
        bool folder = dir_kind(part->path, true, &kind) == E_OK && kind == DIR_FOLDER;
        if (!named)
            findings_bad(p->findings, part->path, "load", "no partition of the kind that %s tells",
                         p->parts[0].name);
        else if (!folder)
            findings_bad(p->findings, part->path, "load", "no folder");
        else
            p->parts[kept++] = *part;
    }
    p->part_count = kept;
    if (kept > 1) qsort(p->parts, kept, sizeof *p->parts, by_value);
}

/* The tables of a partition against those of the last one, which decides. */
static Err take_part(Plain *p, const PlainPart *part, const DirEntry *wanted, u64 wanted_count)
{
    DirEntry *e = NULL;
    u64 count = 0;
    bool last = part == &p->parts[p->part_count - 1];
    Err err = dir_list(part->path, PLAIN_NAMES_MAX, &p->memory, &e, &count);
    if (err != E_OK) return err;
    for (u64 w = 0; w < wanted_count; w++) {
        bool found = false;
        for (u64 i = 0; i < count; i++)
            found = found || strcmp(e[i].name, wanted[w].name) == 0;
        if (!found)
            findings_bad(p->findings, part->path, "tables", "table %s is missing", wanted[w].name);
    }
    for (u64 i = 0; i < count; i++) {
        char *path = dir_join(&p->memory, part->path, e[i].name, NULL);
        if (has_names_file(path))
            add_table(p, path);
        else if (last)
            findings_bad(p->findings, path, "load", "no table: a q session would stumble over it");
        else
            findings_warn(p->findings, path, "load", "no table");
    }
    return E_OK;
}

/* The last piece of a path. */
static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* Columns of a table are the same in all partitions. */
static void compare_columns(Plain *p)
{
    for (u64 i = 0; i < p->table_count; i++) {
        const CheckTable *t = &p->tables[i], *newest = t;
        for (u64 k = p->table_count - 1; k > i && newest == t; k--)
            if (strcmp(last_name(p->tables[k].path), last_name(t->path)) == 0)
                newest = &p->tables[k];
        if (newest == t || !t->readable || !newest->readable) continue;
        bool same = t->column_count == newest->column_count;
        for (u32 c = 0; c < t->column_count && same; c++) {
            bool open = t->types[c] >= 0 && newest->types[c] >= 0;
            bool list = t->types[c] == QT_LIST || newest->types[c] == QT_LIST;
            same = strcmp(t->names[c], newest->names[c]) == 0 &&
                   (!open || list || t->types[c] == newest->types[c]);
        }
        if (!same)
            findings_bad(p->findings, t->path, "tables",
                         "its columns differ from those in the newest partition, %s", newest->path);
    }
}

/* ---- the check */

static Err check_one(void *arg, u64 i)
{
    Plain *p = arg;
    check_table(&p->tables[i]);
    u64 done = __atomic_add_fetch(&p->done, 1, __ATOMIC_RELAXED);
    if (__atomic_exchange_n(&p->showing, true, __ATOMIC_ACQUIRE))
        return E_OK; /* another one shows it */
    progress_show(&p->progress, done, p->table_count);
    __atomic_store_n(&p->showing, false, __ATOMIC_RELEASE);
    return E_OK;
}

/* A folder that is one table: its domain is `sym` in a folder above. */
static Err take_single(Plain *p, const char *folder)
{
    Arena scratch = {0};
    char *up = NULL;
    Err err = dir_absolute(folder, &scratch, &up);
    for (int i = 0; i < PLAIN_LEVELS && err == E_OK && p->domains.count == 0; i++) {
        char *slash = strrchr(up, '/');
        DirKind kind = DIR_ABSENT;
        if (slash == NULL) break;
        *slash = 0;
        char *path = dir_join(&p->memory, up, "sym", NULL);
        if (dir_kind(path, true, &kind) == E_OK && kind == DIR_FILE)
            err = take_file(p, path, "sym");
    }
    add_table(p, folder);
    arena_free(&scratch);
    return err;
}

static Err take_all(Plain *p, const char *folder)
{
    Err err = E_OK;
    DirEntry *wanted = NULL;
    u64 wanted_count = 0;
    TRY(look(p, folder));
    sort_parts(p);
    if (p->part_count == 0) goto done;
    TRY(dir_list(p->parts[p->part_count - 1].path, PLAIN_NAMES_MAX, &p->memory, &wanted,
                 &wanted_count));
    for (u64 i = 0; i < p->part_count; i++)
        TRY(take_part(p, &p->parts[i], wanted, wanted_count));
done:
    return err;
}

Err check_plain(const char *folder, Findings *findings, CheckPlainCounts *counts)
{
    Err err = E_OK;
    Plain p = {.findings = findings};
    *counts = (CheckPlainCounts){0};
    if (has_names_file(folder))
        TRY(take_single(&p, folder));
    else
        TRY(take_all(&p, folder));
    progress_begin(&p.progress, "tables");
    TRY(pool_run(p.table_count, 0, check_one, &p));
    progress_end(&p.progress);
    compare_columns(&p);
    counts->parts = p.part_count;
    counts->table_count = p.table_count;
    for (u64 i = 0; i < p.table_count; i++) {
        counts->rows += p.tables[i].rows;
        counts->files += p.tables[i].files;
        findings_join(findings, &p.tables[i].findings);
    }
done:
    progress_end(&p.progress);
    for (u64 i = 0; i < p.table_count; i++)
        findings_free(&p.tables[i].findings);
    check_table_domains_free(&p.domains);
    arena_free(&p.memory);
    return err;
}
