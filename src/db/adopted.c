/*
 * adopted: reads and writes the list, and judges paths.
 *
 * The list is a text of the form that stage files have (manifest.h): paths with a checksum at the
 * end. It never changes after the import, so that a sweep may read it at any time.
 */
#include "db/adopted.h"

#include "base/bounds.h"
#include "base/buf.h"
#include "db/manifest.h"
#include "os/dir.h"
#include "q/temporal.h"

static char *list_path(const Root *r, Arena *a) { return dir_join(a, r->hdb, ADOPTED_LIST, NULL); }

Err adopted_write(const Root *r, const char *const *folders, u32 count)
{
    Err err = E_OK;
    Arena scratch = {0};
    Buf b = {.size_max = BOUND_MANIFEST_MAX};
    if (count == 0) return E_OK;
    TRY(manifest_write_stage(&b, folders, count));
    TRY(file_replace(list_path(r, &scratch), b.data, b.size));
done:
    buf_free(&b);
    arena_free(&scratch);
    return err;
}

Err adopted_read(const Root *r, Arena *a, Adopted *out)
{
    u8 *data = NULL;
    u64 size = 0;
    char *path = list_path(r, a);
    *out = (Adopted){0};
    Err err = file_read_all(path, BOUND_MANIFEST_MAX, a, &data, &size);
    if (err == E_NOT_FOUND || (err == E_OK && size == 0)) return E_OK;
    if (err == E_OK)
        err = manifest_read_stage((Str){(const char *)data, size}, a, &out->folders, &out->count);
    return fail_note(err, "%s", path);
}

bool adopted_name(Str name, i32 *first, i32 *next)
{
    i64 year = 0, month = 0;
    if (temporal_date_parse(name, first)) {
        *next = *first + 1;
        return true;
    }
    if (name.size != 4 && !(name.size == 7 && name.data[4] == '.')) return false;
    for (u64 i = 0; i < name.size; i++) {
        if (i != 4 && (name.data[i] < '0' || name.data[i] > '9')) return false;
    }
    if (!str_i64((Str){name.data, 4}, &year) || year < 1) return false;
    if (name.size == 4) {
        *first = temporal_days((i32)year, 1, 1);
        *next = temporal_add_months(*first, 12);
        return true;
    }
    if (!str_i64((Str){name.data + 5, 2}, &month) || month < 1 || month > 12) return false;
    *first = temporal_days((i32)year, (i32)month, 1);
    *next = temporal_add_months(*first, 1);
    return true;
}

/* Whether `path` lies below a folder: right in it, or anywhere. */
static bool lies_below(const char *path, const char *folder, bool deep)
{
    u64 size = strlen(folder);
    if (size == 0 || strncmp(path, folder, size) != 0 || path[size] != '/') return false;
    return deep || strchr(path + size + 1, '/') == NULL;
}

bool adopted_owns(const Root *r, const Adopted *list, const char *path)
{
    Arena scratch = {0};
    i32 first = 0, next = 0;
    const char *slash = strrchr(path, '/');
    if (slash == NULL || !adopted_name(str_of(slash + 1), &first, &next)) return false;
    bool owns = lies_below(path, dir_join(&scratch, r->hdb, ADOPTED_DATA, NULL), true);
    for (u32 i = 0; !owns && i < list->count; i++)
        owns = lies_below(path, list->folders[i], false);
    arena_free(&scratch);
    return owns;
}
