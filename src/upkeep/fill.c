/*
 * fill: null columns are written a chunk of rows at a time; `.d` is replaced last, so that a table
 * never lists a column that is not there.
 *
 *     write venue, venue#, ...    synced
 *     rename .d to .d.before      synced
 *     write .d.tmp, rename to .d
 *
 * Taking back goes the other way: `.d.before` over `.d` if it is there, then the columns. A stop
 * between any two steps leaves one of these states and no other.
 */
#include "upkeep/fill.h"

#include <string.h>

#include "base/buf.h"
#include "os/dir.h"
#include "os/file.h"
#include "table/splay.h"

#define FILL_ROWS 65536 /* nulls written at once */
#define FILL_HEAD 8     /* bytes before the names in `.d` */

static const char *const FILL_TAILS[] = {"", "#", "##"}; /* files of one column */

/* Makes the names in the folder that holds `path` durable. */
static Err sync_parent(const char *path)
{
    Arena a = {0};
    const char *slash = strrchr(path, '/');
    Err err = dir_sync(arena_text(&a, path, (u64)(slash - path)));
    arena_free(&a);
    return err;
}

Err fill_table(const char *path, InspectTable *t)
{
    Err err = E_OK;
    SplayOut out = {0};
    TRY(splay_out_open(&out, path, t->schema, PLACE_DISK, 0));
    TRY(splay_out_finish(&out));
    t->bytes = out.bytes;
    TRY(sync_parent(path));
done:
    splay_out_drop(&out);
    return err;
}

/* ---- columns of nulls */

static Err add_lists(ColumnOut *out, int type, u64 rows)
{
    Err err = E_OK;
    Value empty = {0}; /* the empty list */
    for (u64 i = 0; i < rows && err == E_OK; i++)
        err = type == QT_LIST ? column_append_value(out, &empty) : column_append_row(out, NULL, 0);
    return err;
}

static Err add_nulls(ColumnOut *out, int type, u64 rows)
{
    Err err = E_OK;
    Buf b = {0};
    i64 none = INT64_MIN;
    u8 null[16];
    u64 width = type == QT_ENUM ? sizeof none : type_width(type);
    if (type == QT_ENUM)
        memcpy(null, &none, sizeof none);
    else
        type_null(type, null);
    for (u64 i = 0; i < MIN(rows, FILL_ROWS); i++)
        TRY(buf_append(&b, null, width));
    for (u64 at = 0; at < rows; at += FILL_ROWS)
        TRY(column_append(out, b.data, MIN(rows - at, FILL_ROWS)));
done:
    buf_free(&b);
    return err;
}

static Err fill_column(const char *path, int type, u64 rows, u64 *bytes)
{
    Err err = E_OK;
    ColumnOut *out = NULL;
    File keep[2] = {FILE_NONE, FILE_NONE};
    bool lists = type == QT_LIST || type > QT_NESTED;
    if (type == QT_SYMBOL) type = QT_ENUM;
    TRY(column_create(&out, path, type, ATTR_NONE, rows));
    TRY(lists ? add_lists(out, type, rows) : add_nulls(out, type, rows));
    err = column_finish(out, true, keep, bytes);
    out = NULL;
done:
    column_drop(out);
    return err;
}

/* Writes a `.d` that lists all columns of the schema. */
static Err write_names(const char *path, const Schema *s, u64 *size)
{
    Err err = E_OK;
    Buf b = {0};
    u8 head[FILL_HEAD] = {0xff, 0x01, QT_SYMBOL, ATTR_NONE};
    store_u32(head + 4, s->column_count);
    TRY(buf_append(&b, head, sizeof head));
    for (u32 i = 0; i < s->column_count; i++)
        TRY(buf_append(&b, s->columns[i].name, strlen(s->columns[i].name) + 1));
    TRY(file_replace(path, b.data, b.size));
    *size = b.size;
done:
    buf_free(&b);
    return err;
}

Err fill_columns(const char *path, InspectTable *t)
{
    Err err = E_OK;
    Arena a = {0};
    File old = FILE_NONE;
    u64 before = 0, after = 0;
    const char *names = dir_join(&a, path, ".d", NULL);
    for (u32 i = 0; i < t->add_count; i++) {
        u64 bytes = 0;
        const SchemaColumn *c = &t->schema->columns[schema_find(t->schema, str_of(t->add[i]))];
        TRY(fill_column(dir_join(&a, path, c->name, NULL), c->type, t->rows, &bytes));
        t->bytes += bytes;
    }
    TRY(file_open(&old, names, FILE_READ));
    TRY(file_size(&old, &before));
    TRY(dir_rename(names, dir_join(&a, path, ".d.before", NULL)));
    TRY(dir_sync(path)); /* else a power cut may keep only the new one */
    TRY(write_names(names, t->schema, &after));
    TRY(dir_sync(path));
    t->bytes += after - before;
done:
    file_drop(&old);
    arena_free(&a);
    return err;
}

/* ---- and back */

static Err drop_file(const char *path)
{
    DirKind kind = DIR_ABSENT;
    Err err = dir_kind(path, false, &kind);
    return err == E_OK && kind != DIR_ABSENT ? dir_unlink(path) : err;
}

Err fill_undo(const char *path, const char *const *columns, u32 count)
{
    Err err = E_OK;
    Arena a = {0};
    DirKind kind = DIR_ABSENT;
    if (count == 0) {
        TRY(dir_kind(path, false, &kind));
        if (kind == DIR_ABSENT) goto done;
        TRY(dir_remove_all(path));
        TRY(sync_parent(path));
        goto done;
    }
    const char *names = dir_join(&a, path, ".d", NULL);
    const char *before = dir_join(&a, path, ".d.before", NULL);
    TRY(dir_kind(before, false, &kind));
    if (kind != DIR_ABSENT) TRY(dir_rename(before, names));
    TRY(drop_file(dir_join(&a, path, ".d.tmp", NULL)));
    for (u32 i = 0; i < count; i++) {
        for (u32 k = 0; k < COUNT_OF(FILL_TAILS); k++)
            TRY(drop_file(arena_format(&a, "%s/%s%s", path, columns[i], FILL_TAILS[k])));
    }
    TRY(dir_sync(path));
done:
    arena_free(&a);
    return err;
}

Err fill_keep(const char *path)
{
    Err err = E_OK;
    Arena a = {0};
    DirKind kind = DIR_ABSENT;
    const char *before = dir_join(&a, path, ".d.before", NULL);
    TRY(dir_kind(before, false, &kind));
    if (kind == DIR_ABSENT) goto done;
    TRY(dir_unlink(before));
    TRY(dir_sync(path));
done:
    arena_free(&a);
    return err;
}
