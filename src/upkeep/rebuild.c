/*
 * rebuild: copies and links of a part's files into a new folder.
 *
 *     1 compare every byte of the part: which files are damaged
 *     2 for each of them a copy with the wanted size and CRC, read before it is taken
 *     3 folders; links to whole files; bytes of copies, compared as they are written; syncs
 *     4 the sidecar (the same text as before, so the same CRC), folder syncs
 *     5 everything is read back
 *
 * The caller has announced the folder in a stage file, and publishes: killed anywhere, the next
 * start removes it.
 */
#include "upkeep/rebuild.h"

#include "base/bounds.h"
#include "base/crc.h"
#include "os/dir.h"
#include "os/file.h"

#include <inttypes.h>

#define REBUILD_FILES_MAX (3ull * BOUND_COLUMNS_MAX + 1024)
#define REBUILD_DAYS      100000 /* tries for an interval's new folder */

Err rebuild_path(const Root *r, const Part *p, u64 view, Arena *a, char **path)
{
    if (p->kind == PART_DATE) {
        *path = root_date_path(r, a, p->tier, p->day, view);
        return E_OK;
    }
    /* The number must stay: recovery takes a higher one for a part that was never published. So the
     * day in the path, which means nothing, differs. */
    for (i32 day = 0; day < REBUILD_DAYS; day++) {
        DirKind kind = DIR_ABSENT;
        *path = root_interval_path(r, a, day, p->made);
        Err err = dir_kind(*path, false, &kind);
        if (err != E_OK || kind == DIR_ABSENT) return err;
    }
    return fail(E_LIMIT, "%s: there is no name left for a new version", p->path);
}

static bool is_damaged(const SidecarDamage *d, u32 count, const char *name)
{
    for (u32 i = 0; i < count; i++)
        if (strcmp(d[i].name, name) == 0) return true;
    return false;
}

/* Copies a file that must have these checksums; E_CORRUPT when it has not. */
static Err copy_file(const char *from, const char *to, const SumFile *wanted)
{
    Err err = E_OK;
    File in = FILE_NONE;
    FileOut *out = NULL;
    Buf b = {0};
    u8 *piece = NULL;
    u64 size = 0;
    TRY(file_open(&in, from, FILE_READ));
    TRY(file_size(&in, &size));
    if (size != wanted->size)
        TRY(fail(E_CORRUPT, "%s has %" PRIu64 " bytes, the part's file had %" PRIu64, from, size,
                 wanted->size));
    TRY(buf_room(&b, SUM_BLOCK, &piece));
    TRY(file_out_open(&out, to, size));
    for (u64 at = 0; at < size; at += SUM_BLOCK) {
        u64 n = MIN(size - at, SUM_BLOCK);
        TRY(file_read(&in, piece, n, at));
        if (crc_32c(0, piece, n) != wanted->blocks[at / SUM_BLOCK])
            TRY(fail(E_CORRUPT, "%s: bytes %" PRIu64 " to %" PRIu64 " are not those of the part",
                     from, at, at + n));
        TRY(file_out_write(out, piece, n));
    }
    FileOut *ended = out;
    out = NULL;
    TRY(file_out_close(ended, true, NULL));
done:
    file_out_drop(out);
    file_drop(&in);
    buf_free(&b);
    return err;
}

/* The folder of a part and those of its tables. */
static Err make_folders(const Part *p, const char *path)
{
    Err err = E_OK;
    Arena scratch = {0};
    TRY(dir_make_all(path));
    for (u32 i = 0; i < p->table_count; i++)
        TRY(dir_make(dir_join(&scratch, path, p->tables[i].name, NULL)));
done:
    arena_free(&scratch);
    return err;
}

/* Makes all names durable, writes the sidecar, and reads everything back. */
static Err seal(const Part *p, const char *path, SumList *l, Part *fresh)
{
    Err err = E_OK;
    Arena scratch = {0};
    *fresh = *p;
    fresh->path = path;
    fresh->summed = true;
    for (u32 i = 0; i < p->table_count; i++)
        TRY(dir_sync(dir_join(&scratch, path, p->tables[i].name, NULL)));
    TRY(sidecar_seal(path, l, &fresh->sums));
    TRY(sidecar_verify(fresh, 0));
done:
    arena_free(&scratch);
    return err;
}

Err rebuild_part(const Part *p, const char *path, const char *from, Part *fresh, u32 *mended)
{
    Err err = E_OK;
    Arena scratch = {0};
    SumList l = {0};
    SidecarDamage *d = NULL;
    u32 count = 0;
    *mended = 0;
    if (!p->summed)
        TRY(fail(E_CORRUPT, "%s has no checksums: what is damaged cannot be told", p->path));
    TRY(sidecar_read(p->path, p->sums, &l));
    TRY(sidecar_scan(p, true, 0, &scratch, &d, &count));
    for (u32 i = 0; i < count && from == NULL; i++)
        TRY(fail(E_NOT_FOUND, "%s; a copy of it is needed", d[i].text));
    TRY(make_folders(p, path));
    for (u32 i = 0; i < l.count; i++) {
        const SumFile *f = &l.files[i];
        const char *to = dir_join(&scratch, path, f->name, NULL);
        const char *old = dir_join(&scratch, p->path, f->name, NULL);
        if (!is_damaged(d, count, f->name)) {
            if (dir_hard_link(old, to) != E_OK) TRY(copy_file(old, to, f)); /* another device */
            continue;
        }
        TRY(copy_file(dir_join(&scratch, from, f->name, NULL), to, f));
        ++*mended;
    }
    TRY(seal(p, path, &l, fresh));
done:
    sum_list_free(&l);
    arena_free(&scratch);
    return err;
}

Err rebuild_accept(const Part *p, const char *path, Part *fresh)
{
    Err err = E_OK;
    Arena scratch = {0};
    SumList l = {0};
    TRY(make_folders(p, path));
    for (u32 t = 0; t < p->table_count; t++) {
        DirEntry *e = NULL;
        u64 count = 0;
        const char *table = p->tables[t].name;
        const char *folder = dir_join(&scratch, p->path, table, NULL);
        TRY(dir_list(folder, REBUILD_FILES_MAX, &scratch, &e, &count));
        for (u64 i = 0; i < count; i++) {
            if (e[i].kind != DIR_FILE) continue;
            TRY(dir_hard_link(dir_join(&scratch, folder, e[i].name, NULL),
                              dir_join(&scratch, path, table, e[i].name, NULL)));
        }
        TRY(sidecar_sum_table(path, table, &l));
    }
    TRY(seal(p, path, &l, fresh));
done:
    sum_list_free(&l);
    arena_free(&scratch);
    return err;
}
