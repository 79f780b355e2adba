/*
 * export: folders are made in <target>.export, which a try that failed may have left and which is
 * then removed first; the name is ours alone.
 *
 *     parts      a folder each, in it one a table, in it the files, each folder synced
 *     root       the domain, or all that stands beside the partitions
 *     rename     <target>.export to <target>, sync
 */
#include "upkeep/export.h"

#include <inttypes.h>
#include <string.h>

#include "base/bounds.h"
#include "os/dir.h"
#include "os/file.h"
#include "q/temporal.h"
#include "table/part.h"

#define EXPORT_FILES_MAX (4 * BOUND_COLUMNS_MAX)
#define EXPORT_PIECE     (1u << 20)

typedef struct {
    const ExportOptions *o;
    ExportCounts *counts;
    const char *temp;
    Arena memory;
} Export;

static const char *parent_of(Arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == path ? "/" : arena_text(a, path, (u64)(slash - path));
}

static Err put_file(Export *e, const char *from, const char *to)
{
    bool copied = true;
    Err err = e->o->copy ? dir_copy(from, to) : dir_share(from, to, &copied);
    e->counts->files++;
    e->counts->copied += copied;
    return err;
}

/* The files of a table. */
static Err put_table(Export *e, const char *from, const char *to)
{
    Err err = E_OK;
    Arena a = {0};
    DirEntry *entries = NULL;
    u64 count = 0;
    TRY(dir_list(from, EXPORT_FILES_MAX, &a, &entries, &count));
    TRY(dir_make(to));
    for (u64 i = 0; i < count; i++) {
        DirKind kind = entries[i].kind;
        const char *path = dir_join(&a, from, entries[i].name, NULL);
        if (kind == DIR_LINK) TRY(dir_kind(path, true, &kind));
        if (kind != DIR_FILE) TRY(fail(E_CORRUPT, "%s: no file of a table", path));
        TRY(put_file(e, path, dir_join(&a, to, entries[i].name, NULL)));
    }
    TRY(dir_sync(to));
    e->counts->tables++;
done:
    arena_free(&a);
    return err;
}

/* The tables of a partition, by name. */
static Err put_part(Export *e, const char *from, const char *name, const char *const *tables,
                    u32 count)
{
    Err err = E_OK;
    Arena a = {0};
    const char *to = dir_join(&a, e->temp, name, NULL);
    TRY(dir_make(to));
    for (u32 i = 0; i < count; i++)
        TRY(put_table(e, dir_join(&a, from, tables[i], NULL), dir_join(&a, to, tables[i], NULL)));
    TRY(dir_sync(to));
    e->counts->parts++;
done:
    arena_free(&a);
    return err;
}

/* The first `size` bytes of a domain. */
static Err put_domain(Export *e, const char *from, const char *to, u64 size)
{
    Err err = E_OK;
    File in = FILE_NONE, out = FILE_NONE;
    u8 *piece = arena_raw(&e->memory, EXPORT_PIECE);
    TRY(file_open(&in, from, FILE_READ));
    TRY(file_open(&out, to, FILE_CREATE));
    for (u64 at = 0; at < size; at += EXPORT_PIECE) {
        u64 n = MIN(size - at, EXPORT_PIECE);
        TRY(file_read(&in, piece, n, at));
        TRY(file_write(&out, piece, n, at));
    }
    TRY(file_sync(&out));
    TRY(file_close(&out));
    e->counts->files++;
    e->counts->copied++;
done:
    file_drop(&in);
    file_drop(&out);
    return err;
}

/* ---- the frame */

static Err begin(Export *e, const ExportOptions *o, ExportCounts *c)
{
    DirKind kind = DIR_ABSENT;
    *e = (Export){.o = o, .counts = c};
    *c = (ExportCounts){0};
    e->temp = arena_format(&e->memory, "%s.export", o->target);
    Err err = dir_kind(o->target, false, &kind);
    if (err == E_OK && kind != DIR_ABSENT) err = fail(E_EXISTS, "%s: exists already", o->target);
    if (err == E_OK) err = dir_kind(e->temp, false, &kind);
    if (err == E_OK && kind == DIR_FOLDER) err = dir_remove_all(e->temp);
    return err == E_OK ? dir_make(e->temp) : err;
}

/* Gives the export its name, or takes it away when it failed. */
static Err end(Export *e, Err err, bool begun)
{
    if (err == E_OK) err = dir_sync(e->temp);
    if (err == E_OK) err = dir_rename(e->temp, e->o->target);
    if (err == E_OK) {
        err = dir_sync(parent_of(&e->memory, e->o->target));
        goto done;
    }
    FailRecord first;
    fail_save(&first);
    if (begun && dir_remove_all(e->temp) != E_OK)
        err = fail(err, "%s; what was made is left in %s", first.text, e->temp);
    else
        fail_restore(&first);
done:
    arena_free(&e->memory);
    return err;
}

static void show(const Export *e, u64 all)
{
    if (e->o->progress != NULL) e->o->progress(e->o->arg, e->counts->parts, all);
}

/* ---- a view */

static Err put_parts(Export *e, const View *v, PartKind kind)
{
    Err err = E_OK;
    u64 at = 0, all = view_part_count(v, kind);
    if (all == 0)
        TRY(fail(E_NOT_FOUND, "view %" PRIu64 " has no %s part", v->number,
                 kind == PART_DATE ? "date" : "interval"));
    for (const Part *p; (p = view_next(v, kind, &at)) != NULL;) {
        char name[TEMPORAL_TEXT_MAX];
        const char **tables = arena_array(&e->memory, const char *, p->table_count + 1);
        for (u32 i = 0; i < p->table_count; i++)
            tables[i] = p->tables[i].name;
        if (kind == PART_DATE)
            temporal_date_name(p->key, name);
        else
            part_label(p->key, name);
        TRY(put_part(e, p->path, name, tables, p->table_count));
        show(e, all);
    }
done:
    return err;
}

Err export_view(const Root *r, const View *v, const ExportOptions *o, ExportCounts *c)
{
    Export e;
    bool begun = false;
    Err err = begin(&e, o, c);
    begun = err == E_OK;
    if (err == E_OK) err = put_parts(&e, v, o->intervals ? PART_INTERVAL : PART_DATE);
    if (err == E_OK)
        err = put_domain(&e, r->sym, dir_join(&e.memory, e.temp, "sym", NULL), v->sym_size);
    return end(&e, err, begun);
}

/* ---- any database */

static Err put_root(Export *e, const Plain *p)
{
    Err err = E_OK;
    for (u32 i = 0; i < p->object_count; i++) {
        const PlainObject *o = &p->objects[i];
        const char *to = dir_join(&e->memory, e->temp, o->name, NULL);
        if (o->form != PLAIN_SYMBOLS) {
            TRY(put_file(e, o->path, to));
            continue;
        }
        TRY(dir_copy(o->path, to)); /* kdb+ appends to domains in place */
        e->counts->files++;
        e->counts->copied++;
    }
    for (u32 i = 0; i < p->splayed_count; i++)
        TRY(put_table(e, p->splayed[i].path,
                      dir_join(&e->memory, e->temp, p->splayed[i].name, NULL)));
done:
    return err;
}

static Err put_plain(Export *e, const Plain *p)
{
    Err err = E_OK;
    for (u32 i = 0; i < p->part_count; i++) {
        PlainLook look = {0};
        if (p->parts[i].again)
            TRY(fail(E_UNSUPPORTED, "%s: the partition stands in several segments (P-09)",
                     p->parts[i].path));
        TRY(plain_look(&p->parts[i], &e->memory, &look));
        TRY(put_part(e, p->parts[i].path, p->parts[i].name, look.tables, look.table_count));
        show(e, p->part_count);
    }
    TRY(put_root(e, p));
done:
    return err;
}

Err export_plain(const Plain *p, const ExportOptions *o, ExportCounts *c)
{
    Export e;
    bool begun = false;
    Err err = plain_refused(p);
    if (err == E_OK) err = plain_intact(p);
    if (err == E_OK && (p->single || o->intervals))
        err = fail(E_USAGE, "%s: %s", p->path,
                   p->single ? "one table, not a database" : "it has no intervals");
    if (err == E_OK && p->part_count + p->splayed_count + p->object_count == 0)
        err = fail(E_NOT_FOUND, "%s: no kdb+ database", p->path);
    if (err != E_OK) return err;
    err = begin(&e, o, c);
    begun = err == E_OK;
    if (err == E_OK) err = put_plain(&e, p);
    return end(&e, err, begun);
}
