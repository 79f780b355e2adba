/*
 * plain: the walk.
 *
 *     plain_open
 *       root        `.d` first: one splayed table. Else names are sorted out as `\l` does:
 *                   par.txt and digits are partitions, scripts, `..$`, `..#`, `html` are passed
 *                   over, files are objects, folders splayed tables
 *       segments    each line of par.txt is listed; every name must be a partition (P-06)
 *       parts       the first name in order tells the kind; values are read and sorted
 *       model       the folders of the highest value are listed; tables get names and types
 *
 * A folder's entries tell by themselves whether they are folders; only links are looked through,
 * one call each. So opening costs a listing a folder and nothing a part. Listings live in a scratch
 * arena; what stays is a name, a path and a value a partition.
 *
 * The type of a column that is empty and untyped in the model, or cannot be read there, is looked
 * for in older partitions, PLAIN_LOOKBACK of them.
 */
#include "db/plain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/map.h"
#include "column/column.h"
#include "column/image.h"
#include "db/par.h"
#include "os/file.h"
#include "os/guard.h"
#include "q/temporal.h"
#include "table/splay.h"

#define PLAIN_LOOK_ROWS 256 /* rows of a list column that are looked at for its type */
#define PLAIN_LOOKBACK  8   /* older partitions that are asked for a column's type */
#define PLAIN_LEVELS    6   /* folders above that are looked into */

enum { YEAR_SIZE = 4, MONTH_SIZE = 7, DATE_SIZE = 10, NAME_SIZE_MAX = 255 };

/* ---- notes */

/* Room for one more element: the array, moved to twice the room when it is full. */
static void *grow(Arena *a, void *items, u32 count, u32 *room, u64 width)
{
    if (count < *room) return items;
    u32 more = MAX(2 * *room, 16);
    void *moved = arena_alloc(a, more * width);
    if (count > 0) memcpy(moved, items, count * width);
    *room = more;
    return moved;
}

static void count_note(Plain *p, PlainWeight weight)
{
    p->fatal += weight == PLAIN_FATAL;
    p->breaks += weight == PLAIN_BREAKS;
    p->warnings += weight == PLAIN_WARNS;
}

static void add_note(Plain *p, const PlainNote *n)
{
    count_note(p, n->weight);
    if (p->note_count >= PLAIN_NOTES_MAX && (n->weight != PLAIN_FATAL || p->fatal > 1)) return;
    p->notes = grow(&p->memory, p->notes, p->note_count, &p->note_room, sizeof *p->notes);
    PlainNote *note = &p->notes[p->note_count++];
    *note = *n;
    note->path = arena_text(&p->memory, n->path, strlen(n->path));
    note->text = arena_text(&p->memory, n->text, strlen(n->text));
}

PRINTF(5, 6)

static void note(Plain *p, PlainWeight weight, const char *rule, const char *path,
                 const char *format, ...)
{
    char text[FAIL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    add_note(p, &(PlainNote){
                    .rule = rule, .path = path, .text = text, .weight = weight, .code = E_CORRUPT});
}

/* Notes the last failure. */
static void note_failure(Plain *p, PlainWeight weight, const char *rule, const char *path, Err code)
{
    add_note(p,
             &(PlainNote){
                 .rule = rule, .path = path, .text = fail_text(), .weight = weight, .code = code});
}

Err plain_refused(const Plain *p)
{
    for (u32 i = 0; i < p->note_count; i++) {
        const PlainNote *n = &p->notes[i];
        if (n->weight != PLAIN_FATAL) continue;
        if (str_starts(str_of(n->text), str_of(n->path)))
            return fail(n->code, "%s (%s)", n->text, n->rule);
        return fail(n->code, "%s: %s (%s)", n->path, n->text, n->rule);
    }
    return E_OK;
}

/* ---- names */

static bool all_digits(Str s)
{
    for (u64 i = 0; i < s.size; i++)
        if (s.data[i] < '0' || s.data[i] > '9') return false;
    return s.size > 0;
}

static bool month_value(Str name, i64 *value)
{
    i64 year = 0, month = 0;
    if (name.size != MONTH_SIZE || name.data[4] != '.') return false;
    Str y = {name.data, 4}, m = {name.data + 5, 2};
    if (!all_digits(y) || !all_digits(m) || !str_i64(y, &year) || !str_i64(m, &month)) return false;
    *value = (year - 2000) * 12 + month - 1;
    return month >= 1 && month <= 12;
}

bool plain_value(PlainKind kind, Str name, i64 *value)
{
    i32 day = 0;
    switch (kind) {
    case PLAIN_DATE:
        if (!temporal_date_parse(name, &day)) return false;
        *value = day;
        return true;
    case PLAIN_MONTH: return month_value(name, value);
    case PLAIN_YEAR: return name.size == YEAR_SIZE && all_digits(name) && str_i64(name, value);
    case PLAIN_LONG:
        /* kdb+ makes the folder's name from the number again: no zero may lead it. */
        if (name.size > 1 && name.data[0] == '0') return false;
        return all_digits(name) && str_i64(name, value);
    case PLAIN_FLAT: break;
    }
    return false;
}

PlainKind plain_kind_of(Str name)
{
    switch (name.size) {
    case DATE_SIZE: return PLAIN_DATE;
    case MONTH_SIZE: return PLAIN_MONTH;
    case YEAR_SIZE: return PLAIN_YEAR;
    default: return PLAIN_LONG;
    }
}

const char *plain_virtual(PlainKind kind)
{
    static const char *const names[] = {"", "date", "month", "year", "int"};
    return names[kind];
}

int plain_virtual_type(PlainKind kind)
{
    static const int types[] = {QT_LIST, QT_DATE, QT_MONTH, QT_INT, QT_LONG};
    return types[kind];
}

bool plain_days(PlainKind kind, i64 value, i64 *from, i64 *to)
{
    if (kind == PLAIN_DATE) {
        *from = value;
        *to = value + 1;
    } else if (kind == PLAIN_MONTH) {
        i64 months = value + 2000 * 12, next = months + 1;
        *from = temporal_days((i32)(months / 12), (i32)(months % 12) + 1, 1);
        *to = temporal_days((i32)(next / 12), (i32)(next % 12) + 1, 1);
    } else if (kind == PLAIN_YEAR) {
        *from = temporal_days((i32)value, 1, 1);
        *to = temporal_days((i32)value + 1, 1, 1);
    }
    return kind == PLAIN_DATE || kind == PLAIN_MONTH || kind == PLAIN_YEAR;
}

bool plain_name_ok(Str name)
{
    if (name.size == 0 || name.size > NAME_SIZE_MAX || str_find(name, '/') >= 0) return false;
    return !str_is(name, ".") && !str_is(name, "..");
}

/* Whether the name is a script or one that a q session passes over. */
static bool is_skipped(Str name)
{
    bool script = name.size > 2 && name.data[name.size - 2] == '.';
    return script || str_ends(name, STR("$")) || str_ends(name, STR("#")) || str_is(name, "html");
}

static bool begins_with_digit(const char *name) { return name[0] >= '0' && name[0] <= '9'; }

/* What an entry is, looking through a link. */
static Err kind_of(const DirEntry *e, const char *path, DirKind *kind)
{
    *kind = e->kind;
    if (e->kind != DIR_LINK) return E_OK;
    return dir_kind(path, true, kind);
}

/* ---- tables */

static Err has_names_file(const char *folder, bool *has)
{
    Arena a = {0};
    DirKind kind = DIR_ABSENT;
    Err err = dir_kind(dir_join(&a, folder, ".d", NULL), true, &kind);
    *has = err == E_OK && kind == DIR_FILE;
    arena_free(&a);
    return err;
}

static const Domain *find_none(void *arg, const char *name)
{
    (void)arg;
    (void)name;
    return NULL;
}

/* Whether a row of a list column is of another type than the first one, which gave the column its
 * type. */
static bool is_odd_row(const Column *c, u64 row)
{
    const void *elements;
    const DomainSet none = {find_none, NULL};
    u64 count;
    Vec ids = {0};
    if (column_need(c, row, row + 1) != E_OK) return false; /* a query says what is wrong */
    Err err;
    if (c->type == QT_NESTED + QT_ENUM) {
        vec_init(&ids, QT_ENUM);
        err = column_row_ids(c, row, &none, &ids);
        vec_free(&ids);
    } else {
        err = column_row(c, row, &elements, &count);
    }
    column_done(c, row, row + 1);
    return err == E_UNSUPPORTED;
}

/* Whether items of several types stand in a column that has the type of its first one, as far as a
 * short look tells. */
static bool is_mixed(const Column *c)
{
    if (c->type <= QT_NESTED || c->rows == 0 || c->old) return false;
    for (u64 i = 1; i < MIN(c->rows, PLAIN_LOOK_ROWS); i++)
        if (is_odd_row(c, i)) return true;
    return is_odd_row(c, c->rows / 2) || is_odd_row(c, c->rows - 1);
}

/* Reads the header of a column's file; the type stays PLAIN_UNKNOWN when that fails. */
static Err read_column(PlainColumn *c, const char *path, Arena *a)
{
    Column column;
    c->type = PLAIN_UNKNOWN;
    c->domain = NULL;
    c->rows = 0;
    u64 losses = guard_lost();
    Err err = column_open_on_need(&column, path);
    int type = err != E_OK ? PLAIN_UNKNOWN : is_mixed(&column) ? QT_NESTED : column.type;
    c->lost = err == E_OK ? column_lost(&column) : guard_lost() > losses;
    if (c->lost) {
        if (err == E_OK) column_close(&column);
        err = fail(E_CORRUPT, "%s: it was cut, or cannot be read, while it is open", path);
    }
    if (err != E_OK) {
        c->code = err;
        c->why = arena_text(a, fail_text(), strlen(fail_text()));
        return err;
    }
    c->type = type;
    c->attr = column.attr;
    c->wide = column.wide;
    c->old = column.old;
    c->rows = column.rows;
    c->zipped = column.image.zipped;
    if (column.type == QT_ENUM) c->domain = arena_text(a, column.domain, strlen(column.domain));
    column_close(&column);
    return E_OK;
}

Err plain_table_read(PlainTable *t, Arena *a)
{
    Err err = E_OK;
    Arena scratch = {0};
    char **names = NULL;
    u32 count = 0;
    t->column_count = 0;
    t->rows = 0;
    TRY(splay_read_names(dir_join(&scratch, t->path, ".d", NULL), a, &names, &count));
    t->columns = arena_array(a, PlainColumn, count + 1);
    for (u32 i = 0; i < count; i++) {
        PlainColumn *c = &t->columns[i];
        c->name = names[i];
        if (!plain_name_ok(str_of(names[i])))
            TRY(fail(E_CORRUPT, "%s/.d: column %u has a name that no file can have", t->path, i));
        (void)!read_column(c, dir_join(&scratch, t->path, names[i], NULL), a);
    }
    t->column_count = count;
    t->rows = count > 0 ? t->columns[0].rows : 0;
done:
    arena_free(&scratch);
    return err;
}

const PlainTable *plain_table(const Plain *p, const char *name)
{
    for (u32 i = 0; i < p->table_count; i++)
        if (strcmp(p->tables[i].name, name) == 0) return &p->tables[i];
    return NULL;
}

static Err table_intact(const PlainTable *t)
{
    for (u32 i = 0; i < t->column_count; i++)
        if (t->columns[i].lost) return fail(E_CORRUPT, "%s", t->columns[i].why);
    return E_OK;
}

Err plain_intact(const Plain *p)
{
    Err err = p->lost == NULL ? E_OK : fail(E_CORRUPT, "%s", p->lost);
    for (u32 i = 0; i < p->table_count && err == E_OK; i++)
        err = table_intact(&p->tables[i]);
    for (u32 i = 0; i < p->splayed_count && err == E_OK; i++)
        err = table_intact(&p->splayed[i]);
    return err;
}

/* Notes what is wrong with a table's columns. */
static void note_columns(Plain *p, const PlainTable *t)
{
    Arena scratch = {0};
    for (u32 i = 0; i < t->column_count; i++) {
        const PlainColumn *c = &t->columns[i];
        if (c->type != PLAIN_UNKNOWN) continue;
        char *path = dir_join(&scratch, t->path, c->name, NULL);
        note_failure(p, PLAIN_BREAKS, "column", path, fail(c->code, "%s", c->why));
    }
    arena_free(&scratch);
}

/* Reads a folder that may be a table; *found when it is one, however damaged. */
static void take_table(Plain *p, const char *path, PlainTable *t, bool *found)
{
    t->path = path;
    u64 losses = guard_lost();
    Err err = plain_table_read(t, &p->memory);
    if (err != E_OK && guard_lost() > losses)
        p->lost = arena_text(&p->memory, fail_text(), strlen(fail_text()));
    *found = err != E_NOT_FOUND;
    if (err == E_NOT_FOUND) return;
    if (err != E_OK)
        note_failure(p, PLAIN_BREAKS, "names", path, err);
    else
        note_columns(p, t);
}

/* ---- the root */

static Err take_object(Plain *p, const char *path, const char *name)
{
    Image m = {0};
    PlainObject o = {.name = name, .path = path, .form = PLAIN_VALUE};
    Err err = image_open(&m, path, IMAGE_ON_NEED);
    u64 size = MIN(m.plain.size, 8);
    if (err == E_OK) err = image_need(&m, 0, size);
    if (err != E_OK) {
        note_failure(p, PLAIN_BREAKS, "load", path, err);
        image_close(&m);
        return err == E_MEMORY ? err : E_OK;
    }
    const u8 *head = m.plain.data;
    bool object = size >= 3 && head[0] == 0xff && head[1] == 0x01;
    bool vector = size >= 2 && (head[0] == 0xfe || head[0] == 0xfd);
    if (object && head[2] == QT_SYMBOL) o.form = PLAIN_SYMBOLS;
    if (object && head[2] == QT_TABLE) o.form = PLAIN_TABLE;
    if (object && head[2] == QT_DICT) o.form = PLAIN_DICT;
    o.zipped = m.zipped;
    image_done(&m, 0, size);
    image_close(&m);
    if (!object && !vector) {
        note(p, PLAIN_BREAKS, "load", path, "not a kdb+ file: a q session would stop at it");
        return E_OK;
    }
    p->objects = grow(&p->memory, p->objects, p->object_count, &p->object_room, sizeof o);
    p->objects[p->object_count++] = o;
    return E_OK;
}

static void take_splayed(Plain *p, const char *path, const char *name)
{
    PlainTable t = {.name = name, .segment = PLAIN_ROOT_PLACE};
    bool found;
    take_table(p, path, &t, &found);
    if (!found) {
        note(p, PLAIN_BREAKS, "load", path,
             "a folder without .d: a q session takes it for a table");
        return;
    }
    p->splayed = grow(&p->memory, p->splayed, p->splayed_count, &p->splayed_room, sizeof t);
    p->splayed[p->splayed_count++] = t;
}

/* A name of the root that is no partition. */
static Err take_name(Plain *p, const DirEntry *e)
{
    DirKind kind = DIR_ABSENT;
    char *name = arena_text(&p->memory, e->name, strlen(e->name));
    char *path = dir_join(&p->memory, p->path, name, NULL);
    Err err = kind_of(e, path, &kind);
    if (err != E_OK) {
        note_failure(p, PLAIN_BREAKS, "load", path, err);
        return E_OK;
    }
    if (kind == DIR_FILE) return take_object(p, path, name);
    if (kind == DIR_FOLDER) {
        if (p->splayed_count == BOUND_TABLES_MAX)
            return fail(E_LIMIT, "%s: more than %d tables", p->path, BOUND_TABLES_MAX);
        take_splayed(p, path, name);
    } else {
        note(p, PLAIN_BREAKS, "load", path, "%s",
             kind == DIR_ABSENT ? "the link leads to nothing" : "no file and no folder");
    }
    return E_OK;
}

/* ---- segments */

static Err add_part(Plain *p, u32 segment, const char *name)
{
    if (p->part_count == PLAIN_PARTS_MAX)
        return fail(E_LIMIT, "%s: more than %u partitions", p->path, PLAIN_PARTS_MAX);
    p->parts = grow(&p->memory, p->parts, p->part_count, &p->part_room, sizeof *p->parts);
    PlainPart *part = &p->parts[p->part_count++];
    *part = (PlainPart){.segment = segment};
    /* The name is the path's end. */
    u64 size = strlen(name);
    char *path = dir_join(&p->memory, p->segments[segment].path, name, NULL);
    part->path = path;
    part->name = path + strlen(path) - size;
    p->segments[segment].part_count++;
    return E_OK;
}

static u32 add_segment(Plain *p, const char *path, u32 line)
{
    p->segments =
        grow(&p->memory, p->segments, p->segment_count, &p->segment_room, sizeof *p->segments);
    p->segments[p->segment_count] = (PlainSegment){.path = path, .line = line};
    return p->segment_count++;
}

/* A name in a folder of par.txt that is no partition. */
static void take_foreign(Plain *p, const char *path, const char *name, DirKind kind)
{
    u8 head[3] = {0};
    u64 got = 0;
    File f = FILE_NONE;
    bool domain = false;
    if (kind == DIR_FILE && file_open(&f, path, FILE_READ) == E_OK)
        domain = file_read_some(&f, head, sizeof head, 0, &got) == E_OK && head[0] == 0xff &&
                 head[1] == 0x01 && head[2] == QT_SYMBOL;
    file_drop(&f);
    if (domain)
        note(p, PLAIN_BREAKS, "P-07", path,
             "a domain stands beside the root, not in a folder of par.txt");
    else
        note(p, begins_with_digit(name) ? PLAIN_FATAL : PLAIN_BREAKS, "P-06", path,
             "no partition: nothing else may stand in a folder of par.txt");
}

/* Whether an entry is a folder that can be a partition; notes why not. */
static bool is_folder(Plain *p, const DirEntry *e, const char *path)
{
    DirKind kind = DIR_ABSENT;
    Err err = kind_of(e, path, &kind);
    if (err != E_OK)
        note_failure(p, PLAIN_FATAL, "P-16", path, err);
    else if (kind == DIR_ABSENT)
        note(p, PLAIN_FATAL, "P-16", path, "the link leads to nothing");
    else if (kind != DIR_FOLDER)
        note(p, PLAIN_BREAKS, p->par == NULL ? "load" : "P-06", path, "no folder");
    return err == E_OK && kind == DIR_FOLDER;
}

static Err take_segment(Plain *p, u32 segment, Arena *scratch)
{
    Err err = E_OK;
    DirEntry *e = NULL;
    u64 count = 0;
    const char *folder = p->segments[segment].path;
    err = dir_list(folder, PLAIN_NAMES_MAX, scratch, &e, &count);
    if (err == E_LIMIT || err == E_MEMORY) return err;
    if (err != E_OK) {
        note_failure(p, PLAIN_FATAL, "P-04", folder, err);
        return E_OK;
    }
    if (count == 0) note(p, PLAIN_BREAKS, "P-05", folder, "a folder of par.txt is empty");
    for (u64 i = 0; i < count; i++) {
        const char *name = e[i].name;
        DirKind kind = e[i].kind;
        if (str_ends(str_of(name), STR("$"))) continue;
        char *path = dir_join(scratch, folder, name, NULL);
        if (!begins_with_digit(name)) {
            if (kind == DIR_LINK && dir_kind(path, true, &kind) != E_OK) kind = DIR_OTHER;
            take_foreign(p, path, name, kind);
        } else if (is_folder(p, &e[i], path)) {
            err = add_part(p, segment, name);
            if (err != E_OK) return err;
        }
    }
    return E_OK;
}

static void note_line(Plain *p, const ParLine *l)
{
    if (l->blanks)
        note(p, PLAIN_WARNS, "P-40", p->par, "line %u ends with blanks or a carriage return",
             l->number);
    if (l->slash)
        note(p, PLAIN_BREAKS, l->store ? "P-15" : "load", p->par, "line %u ends with a slash",
             l->number);
    if (l->again)
        note(p, PLAIN_FATAL, "P-09", p->par,
             "line %u says what an earlier one says: its rows would "
             "be there twice",
             l->number);
    if (l->store)
        note(p, PLAIN_WARNS, "P-15", p->par, "line %u: the object store %s is not read", l->number,
             l->path);
}

/* Whether an earlier line leads to the same folder by another path. */
static bool is_same_folder(Plain *p, Map *folders, const char *path, u32 line)
{
    char *real = NULL;
    if (dir_resolve(path, &p->memory, &real) != E_OK) return false; /* listing it says why */
    i32 earlier = map_find(folders, str_of(real));
    if (earlier < 0) {
        map_put(folders, str_of(real), (i32)line);
        return false;
    }
    note(p, PLAIN_FATAL, "P-09", p->par,
         "line %u leads to the folder of line %d: its rows would be there twice", line, earlier);
    return true;
}

static Err take_par(Plain *p)
{
    Err err = E_OK;
    Arena scratch = {0};
    Map folders = {0};
    u8 *data = NULL;
    u64 size = 0;
    ParLine *lines = NULL;
    u32 count = 0, empty = 0;
    err = file_read_all(p->par, PAR_SIZE_MAX, &p->memory, &data, &size);
    if (err == E_OK)
        err = par_parse((Str){(const char *)data, size}, p->par, &scratch, &lines, &count, &empty);
    if (err != E_OK) {
        note_failure(p, PLAIN_FATAL, "P-04", p->par, err);
        err = err == E_MEMORY ? err : E_OK;
        goto done;
    }
    if (empty > 0) note(p, PLAIN_BREAKS, "load", p->par, "%u lines are empty", empty);
    for (u32 i = 0; i < count; i++) {
        const ParLine *l = &lines[i];
        bool whole = l->path[0] == '/' || l->store;
        char *path = whole ? arena_text(&p->memory, l->path, strlen(l->path))
                           : dir_join(&p->memory, p->path, l->path, NULL);
        note_line(p, l);
        u32 segment = add_segment(p, path, l->number);
        p->segments[segment].store = l->store;
        Arena names = {0};
        if (!l->store && !l->again && !is_same_folder(p, &folders, path, l->number))
            err = take_segment(p, segment, &names);
        arena_free(&names);
        TRY(err);
    }
    if (p->part_count == 0)
        note(p, PLAIN_BREAKS, "P-05", p->par, "no folder that it names holds a partition");
done:
    map_free(&folders);
    arena_free(&scratch);
    return err;
}

/* ---- partitions */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const PlainPart *)a)->name, ((const PlainPart *)b)->name);
}

static int by_value(const void *a, const void *b)
{
    const PlainPart *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    if (x->segment != y->segment) return x->segment < y->segment ? -1 : 1;
    return 0;
}

/* Reads the partitions' values and sorts by them; those with other names go. */
static void sort_parts(Plain *p)
{
    u32 kept = 0;
    if (p->part_count == 0) return;
    qsort(p->parts, p->part_count, sizeof *p->parts, by_name);
    const char *first = p->parts[0].name;
    p->kind = plain_kind_of(str_of(first));
    for (u32 i = 0; i < p->part_count; i++) {
        PlainPart *part = &p->parts[i];
        if (plain_value(p->kind, str_of(part->name), &part->value)) {
            p->parts[kept++] = *part;
            continue;
        }
        note(p, PLAIN_FATAL, "P-02", part->path, "no partition of the kind that %s tells", first);
        p->segments[part->segment].part_count--;
    }
    p->part_count = kept;
    if (kept > 1) qsort(p->parts, kept, sizeof *p->parts, by_value);
    for (u32 i = 1; i < kept; i++)
        p->parts[i].again = p->parts[i].value == p->parts[i - 1].value;
    if (kept == 0) p->kind = PLAIN_FLAT;
}

/* ---- the model */

static Err add_table(Plain *p, const PlainPart *part, const DirEntry *e, const char *path)
{
    DirKind kind = DIR_ABSENT;
    bool found = false;
    PlainTable t = {.segment = part->segment};
    Err err = kind_of(e, path, &kind);
    if (err != E_OK || kind != DIR_FOLDER) {
        if (err != E_OK)
            note_failure(p, PLAIN_FATAL, "P-16", path, err);
        else
            note(p, PLAIN_BREAKS, "load", path, "no table: a q session would stumble over it");
        return E_OK;
    }
    if (plain_table(p, e->name) != NULL) return E_OK; /* of the same partition, another segment */
    if (p->table_count == BOUND_TABLES_MAX)
        return fail(E_LIMIT, "%s: more than %d tables", part->path, BOUND_TABLES_MAX);
    t.name = arena_text(&p->memory, e->name, strlen(e->name));
    take_table(p, arena_text(&p->memory, path, strlen(path)), &t, &found);
    if (!found) {
        note(p, PLAIN_BREAKS, "load", path, "no table: a q session would stumble over it");
        return E_OK;
    }
    p->tables = grow(&p->memory, p->tables, p->table_count, &p->table_room, sizeof t);
    p->tables[p->table_count++] = t;
    return E_OK;
}

/* Looks in older partitions for the type of a column that is empty and untyped in the last one. */
static void look_back(Plain *p, const PlainTable *t, PlainColumn *c)
{
    Arena scratch = {0};
    u32 looks = 0;
    for (u32 i = p->part_count - 1; i > 0 && looks < PLAIN_LOOKBACK; i--, looks++) {
        PlainColumn older = {.name = c->name};
        char *path = dir_join(&scratch, p->parts[i - 1].path, t->name, c->name, NULL);
        if (read_column(&older, path, &p->memory) != E_OK || older.type == QT_LIST) continue;
        c->type = older.type;
        c->old = older.old;
        break;
    }
    arena_free(&scratch);
}

static int table_by_name(const void *a, const void *b)
{
    return strcmp(((const PlainTable *)a)->name, ((const PlainTable *)b)->name);
}

static Err take_model(Plain *p)
{
    Err err = E_OK;
    Arena scratch = {0};
    for (u32 i = p->part_count; i > 0; i--) {
        const PlainPart *part = &p->parts[i - 1];
        DirEntry *e = NULL;
        u64 count = 0;
        if (part->value != p->parts[p->part_count - 1].value) break;
        Err bad = dir_list(part->path, PLAIN_NAMES_MAX, &scratch, &e, &count);
        if (bad == E_LIMIT || bad == E_MEMORY) TRY(bad);
        if (bad != E_OK) note_failure(p, PLAIN_FATAL, "P-03", part->path, bad);
        for (u64 k = 0; k < count && bad == E_OK; k++)
            TRY(add_table(p, part, &e[k], dir_join(&scratch, part->path, e[k].name, NULL)));
    }
    if (p->table_count > 1) qsort(p->tables, p->table_count, sizeof *p->tables, table_by_name);
    for (u32 i = 0; i < p->table_count; i++) {
        for (u32 k = 0; k < p->tables[i].column_count; k++) {
            PlainColumn *c = &p->tables[i].columns[k];
            bool open = c->type == QT_LIST && c->rows == 0;
            if (open || c->type == PLAIN_UNKNOWN) look_back(p, &p->tables[i], c);
        }
    }
done:
    arena_free(&scratch);
    return err;
}

/* ---- the walk */

/* The last piece of a path, without slashes at its end. */
static const char *last_name(Arena *a, const char *path)
{
    char *whole = NULL;
    if (dir_absolute(path, a, &whole) != E_OK) return path;
    const char *slash = strrchr(whole, '/');
    return slash == NULL ? whole : slash + 1;
}

static Err take_root(Plain *p, Arena *scratch)
{
    Err err = E_OK;
    DirEntry *e = NULL;
    u64 count = 0;
    TRY(dir_list(p->path, PLAIN_NAMES_MAX, scratch, &e, &count));
    u32 root = add_segment(p, p->path, 0);
    for (u64 i = 0; i < count; i++)
        p->single = p->single || (strcmp(e[i].name, ".d") == 0 && e[i].kind != DIR_FOLDER);
    if (p->single) {
        take_splayed(p, p->path, last_name(&p->memory, p->path));
        goto done;
    }
    for (u64 i = 0; i < count; i++) {
        const char *name = e[i].name;
        if (strcmp(name, "par.txt") == 0) {
            p->par = dir_join(&p->memory, p->path, name, NULL);
        } else if (begins_with_digit(name)) {
            if (is_folder(p, &e[i], dir_join(scratch, p->path, name, NULL)))
                TRY(add_part(p, root, name));
        } else if (!is_skipped(str_of(name))) {
            TRY(take_name(p, &e[i]));
        }
    }
done:
    return err;
}

Err plain_open(Plain *p, const char *folder)
{
    Err err = E_OK;
    Arena scratch = {0};
    *p = (Plain){0};
    p->path = arena_text(&p->memory, folder, strlen(folder));
    TRY(take_root(p, &scratch));
    if (p->single) goto done;
    if (p->par != NULL && p->part_count > 0)
        note(p, PLAIN_FATAL, "P-21", p->par,
             "partitions stand beside it: a q session refuses that");
    if (p->par != NULL) TRY(take_par(p));
    sort_parts(p);
    TRY(take_model(p));
done:
    arena_free(&scratch);
    return err;
}

void plain_close(Plain *p)
{
    Arena memory = p->memory;
    *p = (Plain){0};
    arena_free(&memory);
}

/* ---- one partition */

Err plain_look(const PlainPart *part, Arena *a, PlainLook *look)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    *look = (PlainLook){0};
    TRY(dir_list(part->path, PLAIN_NAMES_MAX, &scratch, &e, &count));
    look->tables = arena_array(a, const char *, count + 1);
    look->foreign = arena_array(a, const char *, count + 1);
    for (u64 i = 0; i < count; i++) {
        bool has = false;
        const char *name = arena_text(a, e[i].name, strlen(e[i].name));
        char *path = dir_join(&scratch, part->path, name, NULL);
        if (e[i].kind == DIR_FOLDER || e[i].kind == DIR_LINK) TRY(has_names_file(path, &has));
        if (has)
            look->tables[look->table_count++] = name;
        else
            look->foreign[look->foreign_count++] = name;
    }
done:
    arena_free(&scratch);
    return err;
}

Err plain_above(const char *folder, const char *name, Arena *a, char **path)
{
    Err err = E_OK;
    Arena scratch = {0};
    char *up = NULL;
    *path = NULL;
    if (!plain_name_ok(str_of(name))) return E_OK;
    TRY(dir_absolute(folder, &scratch, &up));
    for (int i = 0; i < PLAIN_LEVELS && *path == NULL; i++) {
        DirKind kind = DIR_ABSENT;
        char *slash = strrchr(up, '/');
        if (slash == NULL) break;
        *slash = 0;
        char *near = dir_join(&scratch, up[0] == 0 ? "/" : up, name, NULL);
        TRY(dir_kind(near, true, &kind));
        if (kind == DIR_FILE) *path = arena_text(a, near, strlen(near));
    }
done:
    arena_free(&scratch);
    return err;
}
