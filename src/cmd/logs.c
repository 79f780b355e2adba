/*
 * logs: steps over log files as stream/recover does, but only to tell what is there.
 *
 * The sound records of a file end at an END record, at the end of the file, or where the next bytes
 * are no record of this file at this position. Such bytes are zeros, the rest of a former life of a
 * recycled file, a record torn by a crash, or damage; which of them matters is for the caller, who
 * knows how far the stream was synced and where the next file begins. `damaged` tells the one case
 * that the bytes themselves show: a header for this position is there, and its record does not
 * hold.
 */
#include "cmd/logs.h"

#include "os/dir.h"

#include <stdlib.h>

#define LOGS_FILES_MAX (1ull << 20)

static int by_position(const void *a, const void *b)
{
    u64 x = ((const LogsName *)a)->first, y = ((const LogsName *)b)->first;
    return (x > y) - (x < y);
}

Err logs_list(const char *folder, Arena *a, LogsName **names, u64 *count)
{
    DirEntry *e = NULL;
    DirKind kind = DIR_ABSENT;
    u64 entries = 0;
    *names = NULL;
    *count = 0;
    Err err = dir_kind(folder, true, &kind);
    if (err != E_OK || kind == DIR_ABSENT) return err;
    err = dir_list(folder, LOGS_FILES_MAX, a, &e, &entries);
    if (err != E_OK) return err;
    *names = arena_array(a, LogsName, entries + 1);
    for (u64 i = 0; i < entries; i++) {
        u64 first = 0;
        if (strlen(e[i].name) >= WAL_NAME_MAX || !wal_file_parse(e[i].name, &first)) continue;
        (*names)[(*count)++] = (LogsName){dir_join(a, folder, e[i].name, NULL), first};
    }
    if (*count > 1) qsort(*names, *count, sizeof **names, by_position);
    return E_OK;
}

Err logs_shared(const char *folder, WalShared *shared, bool *there)
{
    Err err = E_OK;
    Arena a = {0};
    File f = FILE_NONE;
    char *path = dir_join(&a, folder, "durable", NULL);
    *shared = (WalShared){0};
    *there = false;
    err = file_open(&f, path, FILE_READ);
    if (err == E_NOT_FOUND) {
        err = E_OK;
        goto done;
    }
    if (err != E_OK) goto done;
    TRY(file_read(&f, shared, sizeof *shared, 0));
    *there = shared->magic == WAL_SHARED_MAGIC;
    /* Zeros: made, and not written out before the power went. The next writer fills it. */
    static const WalShared zeros;
    if (!*there && memcmp(shared, &zeros, sizeof zeros) != 0)
        err = fail(E_CORRUPT, "%s: not the page that processes share", path);
done:
    file_drop(&f);
    arena_free(&a);
    return err;
}

Err logs_open(LogsFile *f, const char *path)
{
    Err err = E_OK;
    *f = (LogsFile){.file = FILE_NONE};
    TRY(file_open(&f->file, path, FILE_READ));
    TRY(file_lock(&f->file, false));
    TRY(file_map(path, UINT64_MAX, &f->map));
    TRY(fail_note(wal_file_header(f->map.data, f->map.size, &f->first, &f->id), "%s", path));
    f->position = f->first;
done:
    if (err != E_OK) logs_close(f);
    return err;
}

void logs_next(LogsFile *f, WalRecord *r, bool *got)
{
    u64 at = f->position - f->first + WAL_FILE_HEADER;
    *got = false;
    if (f->closed || f->damaged || at + WAL_RECORD_HEADER > f->map.size) return;
    Err err = wal_record(f->map.data, f->map.size, at, f->id, f->position, r);
    if (err != E_OK) {
        f->damaged =
            load_u64(f->map.data + at + 8) == f->position && load_u32(f->map.data + at + 4) != 0;
        return;
    }
    if (r->kind == WAL_END) {
        f->closed = true;
        f->next = r->end;
        return;
    }
    f->position = r->end;
    *got = true;
}

Err logs_intact(const LogsFile *f, const char *path)
{
    if (!file_map_lost(&f->map)) return E_OK;
    return fail(E_CORRUPT, "%s: it was cut, or cannot be read, while it is open", path);
}

void logs_close(LogsFile *f)
{
    file_unmap(&f->map);
    file_drop(&f->file);
    *f = (LogsFile){.file = FILE_NONE};
}
