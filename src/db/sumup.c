/*
 * sumup: reads the files of a part one after another and seals what it found.
 *
 *     begin     the names of all files of all tables of the part, links to files looked through
 *     step      pieces of SUMUP_PIECE bytes through a Sum; a file that ends adds its line
 *     seal      sidecar written, it and its folder synced (sidecar_seal), read back
 *
 * A file whose size differs from what it was when it was begun is being changed by somebody: it is
 * given up as unreadable, as nothing that holds for longer can be said of it.
 */
#include "db/sumup.h"

#include "base/bounds.h"
#include "os/dir.h"

#include <inttypes.h>
#include <stdalign.h>
#include <stdio.h>

#define SUMUP_FILES_MAX (3ull * BOUND_COLUMNS_MAX + 1024)
#define SUMUP_ALIGN     4096
#define SUMUP_PIECE     (64u << 10)

static void give_up(Sumup *u)
{
    sum_free(&u->sum);
    sum_list_free(&u->list);
    arena_free(&u->memory);
    u->part = NULL;
    u->files = NULL;
    u->count = u->file = 0;
}

void sumup_clear(Sumup *u)
{
    arena_free(&u->ready_memory);
    u->ready = NULL;
    u->ready_count = u->ready_room = u->refused = 0;
}

void sumup_free(Sumup *u)
{
    give_up(u);
    sumup_clear(u);
}

bool sumup_reads(const Sumup *u, const Part *p)
{
    return u->part != NULL && strcmp(u->part, p->path) == 0;
}

bool sumup_has(const Sumup *u, const Part *p)
{
    for (u32 i = 0; i < u->ready_count; i++)
        if (strcmp(u->ready[i].path, p->path) == 0) return true;
    return false;
}

/* Whether an entry of a table's folder is a file, perhaps behind a link; a link that leads nowhere
 * is one that is missing. */
static Err is_file(const char *folder, const DirEntry *e, Arena *a, bool *yes)
{
    DirKind kind = e->kind;
    if (kind == DIR_LINK) {
        Err err = dir_kind(dir_join(a, folder, e->name, NULL), true, &kind);
        if (err != E_OK) return err;
    }
    *yes = kind == DIR_FILE || (e->kind == DIR_LINK && kind == DIR_ABSENT);
    return E_OK;
}

/* Adds the names of one table's files. */
static Err add_table(Sumup *u, const Part *p, const char *table)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    void *room = NULL;
    const char *folder = dir_join(&scratch, p->path, table, NULL);
    TRY(dir_list(folder, SUMUP_FILES_MAX, &scratch, &e, &count));
    TRY(arena_try(&u->memory, u->count + count + 1, sizeof *u->files, &room));
    if (u->count > 0) memcpy(room, u->files, u->count * sizeof *u->files);
    u->files = room;
    for (u64 i = 0; i < count; i++) {
        bool yes = false;
        TRY(is_file(folder, &e[i], &scratch, &yes));
        if (yes)
            u->files[u->count++] =
                (SumFile){.name = arena_format(&u->memory, "%s/%s", table, e[i].name)};
    }
done:
    arena_free(&scratch);
    return err;
}

static Err begin(Sumup *u, const Part *p)
{
    Err err = E_OK;
    give_up(u);
    for (u32 i = 0; i < p->table_count; i++)
        TRY(add_table(u, p, p->tables[i].name));
    u->part = str_dup(&u->memory, str_of(p->path));
done:
    if (err != E_OK) give_up(u);
    return err;
}

/* Reads on in the file that is open, at most so many bytes; *ended when it is over. */
static Err read_file(Sumup *u, const File *f, u64 bytes, u64 *read, bool *ended)
{
    Err err = E_OK;
    alignas(SUMUP_ALIGN) u8 piece[SUMUP_PIECE];
    u64 size = 0;
    TRY(file_size(f, &size));
    if (u->sum.size == 0) u->size = size;
    for (u64 got = SUMUP_PIECE; got == SUMUP_PIECE && *read < bytes; *read += got) {
        TRY(file_read_direct(f, piece, SUMUP_PIECE, u->sum.size, &got));
        TRY(sum_add(&u->sum, piece, got));
        *ended = got < SUMUP_PIECE;
    }
    if (size != u->size || (*ended && u->sum.size != size))
        TRY(fail(E_CORRUPT,
                 "the file changes while it is read: it had %" PRIu64 " bytes, now %" PRIu64,
                 u->size, *ended ? u->sum.size : size));
done:
    return err;
}

/* The same by name; the sum of a whole file goes to the list. */
static Err sum_file(Sumup *u, const char *path, u64 bytes, u64 *read)
{
    Err err = E_OK;
    File f = FILE_NONE;
    bool ended = false;
    TRY(file_open(&f, path, FILE_READ));
    TRY(read_file(u, &f, bytes, read, &ended));
    if (!ended) goto done;
    Str name = str_of(u->files[u->file].name), table;
    bool split = str_split(&name, '/', &table);
    ASSERT(split);
    TRY(sum_end(&u->sum));
    TRY(sum_list_put(&u->list, arena_text(&u->memory, table.data, table.size), name.data, &u->sum));
    sum_free(&u->sum);
    u->file++;
done:
    file_drop(&f);
    return err;
}

/* Puts the part on the list. */
static Err note_ready(Sumup *u, const Part *p, u32 crc)
{
    if (u->ready_count == u->ready_room) {
        void *more = NULL;
        u32 room = MAX(2 * u->ready_room, 16);
        Err err = arena_try(&u->ready_memory, room, sizeof *u->ready, &more);
        if (err != E_OK) return err;
        if (u->ready_count > 0) memcpy(more, u->ready, u->ready_count * sizeof *u->ready);
        u->ready = more;
        u->ready_room = room;
    }
    Part *to = &u->ready[u->ready_count++];
    *to = *p;
    to->path = str_dup(&u->ready_memory, str_of(p->path));
    to->tables = NULL; /* the view has them */
    to->table_count = 0;
    to->summed = true;
    to->sums = crc;
    return E_OK;
}

static Err seal(Sumup *u, const Part *p)
{
    Err err = E_OK;
    SumList again = {0};
    u32 crc = 0;
    TRY(sidecar_seal(p->path, &u->list, &crc));
    TRY(sidecar_read(p->path, crc, &again));
    TRY(note_ready(u, p, crc));
done:
    sum_list_free(&again);
    return err;
}

/* What cannot be read, as the damage of a file; of the first table's `.d` when its folder
 * cannot. */
static void describe(const Sumup *u, const Part *p, Err err, Arena *a, SidecarDamage *d)
{
    bool known = u->part != NULL && u->file < u->count;
    const char *table = p->table_count > 0 ? p->tables[0].name : "";
    const char *name = known ? u->files[u->file].name : dir_join(a, table, ".d", NULL);
    *d = (SidecarDamage){.path = dir_join(a, p->path, name, NULL),
                         .name = str_dup(a, str_of(name)),
                         .what = err == E_NOT_FOUND ? "missing" : "unreadable",
                         .to = known ? u->size : 0,
                         .text = str_dup(a, str_of(fail_text()))};
    u64 size = strcspn(name, "/");
    for (u32 i = 0; i < p->table_count; i++)
        if (str_eq(str_of(p->tables[i].name), (Str){name, size})) d->row_to = p->tables[i].rows;
}

/* Whether a failure is one of the file and not of us. */
static bool is_of_file(Err err)
{
    return err == E_NOT_FOUND || err == E_IO || err == E_CORRUPT || err == E_DENIED;
}

Err sumup_step(Sumup *u, const Part *p, u64 bytes, Arena *a, u64 *read, bool *whole, bool *bad,
               SidecarDamage *d)
{
    Err err = E_OK;
    *read = 0;
    *whole = *bad = false;
    if (!sumup_reads(u, p)) err = begin(u, p);
    while (err == E_OK && u->file < u->count && *read < bytes)
        err = sum_file(u, dir_join(a, p->path, u->files[u->file].name, NULL), bytes, read);
    if (is_of_file(err)) {
        describe(u, p, err, a, d);
        *bad = true;
        give_up(u);
        return E_OK;
    }
    if (err == E_OK && u->file < u->count) return E_OK;
    if (err == E_OK) err = seal(u, p);
    give_up(u);
    if (err != E_OK && err != E_IO && err != E_MEMORY) {
        u->refused++;
        u->reason = err;
        snprintf(u->why, sizeof u->why, "%s", fail_text());
        err = E_OK;
    }
    *whole = err == E_OK;
    return err;
}
