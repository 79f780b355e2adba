/*
 * inspect: rules are those of deephaven-lifecycle.md 14.1.
 *
 *     P-03   the table is a folder with `.d` and one file a column, all of the same length
 *     P-08   a row lies in the partition that its time says
 *     P-16   links lead somewhere, and still do after the import
 *     P-17   names, types and order of the columns are those of the schema
 *     P-18   no index leads beyond the end of the domain
 *     P-42   symbols are enumerated over one domain, `sym`
 *
 * A column that is missing in an old partition is no violation: it is filled with nulls (O-61).
 * Columns that are there must stand in the schema's order, so that filling is a matter of `.d`.
 */
#include "upkeep/inspect.h"

#include <string.h>

#include "db/plain.h"
#include "os/dir.h"
#include "q/temporal.h"
#include "table/splay.h"

/* One table under way. */
typedef struct {
    const InspectFrame *frame;
    const char *path;
    i64 from, to;
    InspectTable *table;
    Splay *splay;
    NoteList *notes;
    Arena scratch;
} Look;

/* ---- links */

/* Whether a path is a folder or lies below it. */
static bool is_below(const char *path, const char *folder)
{
    u64 size = strlen(folder);
    return strncmp(path, folder, size) == 0 && (path[size] == '/' || path[size] == 0);
}

/* Whether a link's text climbs out of the database's folder before it goes down again. */
static bool climbs_out(const InspectFrame *f, const char *path, const char *target)
{
    i64 depth = -1; /* folders between the source and the link */
    Str piece, rest = str_of(path + strlen(f->source));
    while (str_split(&rest, '/', &piece))
        depth += piece.size > 0;
    for (rest = str_of(target); str_split(&rest, '/', &piece) && str_is(piece, "..");)
        depth--;
    return depth < 0;
}

void inspect_link(const InspectFrame *f, const char *path, NoteList *notes)
{
    Arena a = {0};
    DirKind kind = DIR_ABSENT;
    char *target = NULL, *whole = NULL;
    if (dir_kind(path, false, &kind) != E_OK || kind != DIR_LINK) goto done;
    if (dir_read_link(path, &a, &target) != E_OK) {
        note_fail(notes, path, "P-16");
        goto done;
    }
    const char *slash = strrchr(path, '/');
    const char *folder = arena_text(&a, path, (u64)(slash - path));
    bool absolute = target[0] == '/';
    if (dir_absolute(absolute ? target : dir_join(&a, folder, target, NULL), &a, &whole) != E_OK)
        whole = target;
    bool inside = is_below(whole, f->source) || is_below(whole, f->real_source);
    bool moves = is_below(path, f->source);
    if (inside && (absolute || !moves || climbs_out(f, path, target)))
        note_bad(notes, path, "P-16",
                 "leads into the database by the path %s, which the import changes: make it a "
                 "relative link within the database",
                 target);
    if (dir_kind(path, true, &kind) != E_OK || kind == DIR_ABSENT)
        note_bad(notes, path, "P-16", "a link that leads to nothing");
done:
    arena_free(&a);
}

/* ---- columns */

bool inspect_fits(int wanted, int found, u64 rows)
{
    bool list = wanted == QT_LIST || wanted > QT_NESTED;
    if (found == QT_LIST) return list && rows == 0; /* an untyped column that never had a row */
    if (found == QT_ENUM) return wanted == QT_SYMBOL;
    if (found == QT_NESTED + QT_ENUM) /* of a mixed column: its first item is such a list */
        return wanted == QT_NESTED + QT_SYMBOL || wanted == QT_LIST;
    if (found == QT_NESTED) return list;
    return found == wanted || (wanted == QT_LIST && found > QT_NESTED);
}

static const char *file_of(Look *l, const char *name)
{
    return dir_join(&l->scratch, l->path, name, NULL);
}

/* Whether an index is null or within the domain. */
static bool index_ok(const Look *l, i64 index)
{
    return index == INT64_MIN || (index >= 0 && index < l->frame->domain->count);
}

/* P-18 over rows [from, to), which are needed. */
static bool indexes_ok(const Look *l, const Column *c, u64 from, u64 to)
{
    bool ok = true;
    for (u64 i = from; i < to && ok; i++)
        ok = index_ok(l, column_index(c, i));
    return ok;
}

static bool keys_ok(const Look *l, const Column *c)
{
    bool ok = true;
    for (u64 i = 0; i < c->key_count && ok; i++) {
        i32 narrow = c->wide ? 0 : ((const i32 *)c->keys)[i];
        ok = index_ok(l, c->wide               ? ((const i64 *)c->keys)[i]
                         : narrow == INT32_MIN ? INT64_MIN
                                               : narrow);
    }
    return ok;
}

/* P-08 over rows [from, to) of the partition column. */
static bool times_ok(Look *l, const Column *c, u64 from, u64 to)
{
    const i64 *times = c->data;
    for (u64 i = from; i < to; i++) {
        if (times[i] >= l->from && times[i] <= l->to) continue;
        char text[TEMPORAL_TEXT_MAX];
        u32 size = temporal_format(QT_TIMESTAMP, times[i], text);
        note_bad(l->notes, l->path, "P-08", "row %llu: %.*s does not lie in the partition",
                 (unsigned long long)i, (int)size, text);
        return false;
    }
    return true;
}

/* Calls a check on the rows that are looked at: all with `deep`, else the first and the last. */
static void check_rows(Look *l, const Column *c, const char *name, bool symbols)
{
    u64 step = 1u << 16, rows = c->rows;
    bool ok = true;
    if (symbols && c->keys != NULL) {
        ok = keys_ok(l, c);
        rows = 0;
    }
    for (u64 from = 0; from < rows && ok;) {
        u64 to = MIN(from + (l->frame->deep ? step : 1), rows);
        if (column_need(c, from, to) != E_OK) {
            note_fail(l->notes, file_of(l, name), "column");
            return;
        }
        ok = symbols ? indexes_ok(l, c, from, to) : times_ok(l, c, from, to);
        column_done(c, from, to);
        from = l->frame->deep || from == rows - 1 ? to : rows - 1;
    }
    if (!ok && symbols)
        note_bad(l->notes, file_of(l, name), "P-18", "an index beyond the %d names of the domain",
                 l->frame->domain->count);
}

static void check_type(Look *l, const Column *c, const char *name, const SchemaColumn *wanted)
{
    bool lists = c->type == QT_LIST || c->type >= QT_NESTED;
    if (wanted != NULL && !inspect_fits(wanted->type, c->type, c->rows)) {
        int type = c->type == QT_ENUM ? QT_SYMBOL : c->type == QT_NESTED ? QT_LIST : c->type;
        note_bad(l->notes, file_of(l, name), "P-17", "of type %s, the schema says %s",
                 type == QT_LIST ? "list of anything" : type_name(type), type_name(wanted->type));
    }
    if (c->type == QT_ENUM && strcmp(c->domain, "sym") != 0)
        note_bad(l->notes, file_of(l, name), "P-42",
                 "enumerated over %s: an imported database has one domain, sym", c->domain);
    if (c->damage != NULL && !lists)
        note_warn(l->notes, file_of(l, name), "column", "its index is damaged and not used: %s",
                  c->damage);
}

/* Opens and checks one column; adds its bytes. */
static void check_column(Look *l, u32 i)
{
    InspectTable *t = l->table;
    const Column *c = NULL;
    const char *name = l->splay->names[i];
    i32 at = t->schema == NULL ? -1 : schema_find(t->schema, str_of(name));
    if (!plain_name_ok(str_of(name))) {
        note_bad(l->notes, file_of(l, ".d"), "P-03", "column %u has a name that no file can have",
                 i);
        return;
    }
    inspect_link(l->frame, file_of(l, name), l->notes);
    if (splay_column(l->splay, name, i == 0 ? ~0ull : t->rows, &c) != E_OK) {
        note_fail(l->notes, file_of(l, name), "P-03");
        return;
    }
    if (i == 0) t->rows = c->rows;
    t->bytes += c->image.stored + c->heap_image.stored;
    if (c->name_count > 0) {
        File f = FILE_NONE;
        u64 size = 0;
        const char *names = arena_format(&l->scratch, "%s##", file_of(l, name));
        if (file_open(&f, names, FILE_READ) == E_OK && file_size(&f, &size) == E_OK)
            t->bytes += size;
        file_drop(&f);
    }
    check_type(l, c, name, at < 0 ? NULL : &t->schema->columns[at]);
    if (c->type == QT_ENUM && strcmp(c->domain, "sym") == 0) check_rows(l, c, name, true);
    if (at >= 0 && at == t->schema->prtn && c->type == QT_TIMESTAMP) check_rows(l, c, name, false);
}

/* ---- names */

/* P-17: what `.d` lists against the schema; fills what is to be added. */
static void check_names(Look *l, Arena *a)
{
    InspectTable *t = l->table;
    const Schema *s = t->schema;
    i32 last = -1;
    bool ordered = true;
    if (s == NULL) return;
    t->add = arena_array(a, const char *, s->column_count);
    for (u32 i = 0; i < l->splay->column_count; i++) {
        i32 at = schema_find(s, str_of(l->splay->names[i]));
        if (at < 0) {
            note_bad(l->notes, file_of(l, l->splay->names[i]), "P-17",
                     "column %s is not in the schema of %s", l->splay->names[i], s->name);
            continue;
        }
        ordered = ordered && at > last;
        last = at;
    }
    if (!ordered)
        note_bad(l->notes, l->path, "P-17", "the order of its columns is not the schema's");
    for (u32 k = 0; k < s->column_count; k++) {
        bool there = false;
        for (u32 i = 0; i < l->splay->column_count && !there; i++)
            there = strcmp(l->splay->names[i], s->columns[k].name) == 0;
        if (!there) t->add[t->add_count++] = s->columns[k].name;
    }
}

/* Whether the names that filling would make are free. */
static void check_free(Look *l)
{
    static const char *const tails[] = {"", "#", "##"};
    const InspectTable *t = l->table;
    DirKind kind = DIR_ABSENT;
    if (t->add_count == 0) return;
    for (u32 i = 0; i < t->add_count; i++) {
        for (u32 k = 0; k < COUNT_OF(tails); k++) {
            const char *path = arena_format(&l->scratch, "%s/%s%s", l->path, t->add[i], tails[k]);
            if (dir_kind(path, false, &kind) == E_OK && kind != DIR_ABSENT)
                note_bad(l->notes, path, "P-03", "a file of this name, which .d does not list");
        }
        if (t->schema->prtn >= 0 && t->rows > 0 &&
            strcmp(t->add[i], t->schema->columns[t->schema->prtn].name) == 0)
            note_bad(l->notes, l->path, "P-08", "its partition column %s is missing", t->add[i]);
    }
    const char *before = file_of(l, ".d.before");
    if (dir_kind(before, false, &kind) == E_OK && kind != DIR_ABSENT)
        note_bad(l->notes, before, "P-03", "a file of this name, which the import needs");
}

static void add_names_file(Look *l)
{
    File f = FILE_NONE;
    u64 size = 0;
    if (file_open(&f, file_of(l, ".d"), FILE_READ) == E_OK && file_size(&f, &size) == E_OK)
        l->table->bytes += size;
    file_drop(&f);
}

Err inspect_table(const InspectFrame *f, const char *path, i64 from, i64 to, Arena *a,
                  InspectTable *t, NoteList *notes)
{
    Splay splay = {0};
    Look l = {.frame = f,
              .path = path,
              .from = from,
              .to = to,
              .table = t,
              .splay = &splay,
              .notes = notes};
    inspect_link(f, path, notes);
    Err err = splay_open(&splay, path);
    if (err == E_MEMORY) goto done;
    if (err != E_OK) {
        note_fail(notes, path, "P-03");
        err = E_OK;
        goto done;
    }
    splay_on_need(&splay);
    add_names_file(&l);
    check_names(&l, a);
    for (u32 i = 0; i < splay.column_count; i++)
        check_column(&l, i);
    if (splay_intact(&splay) != E_OK) note_fail(notes, path, "column");
    check_free(&l);
done:
    splay_close(&splay);
    arena_free(&l.scratch);
    return err;
}
