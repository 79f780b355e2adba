/*
 * sidecar: writes, reads and compares the checksums of parts.
 *
 *     siltstone-sums 1
 *     file trade/price 3145744 9e107d9d
 *     blocks 0a1b2c3d4e5f607182930a1b2c3d4e5f       one CRC of eight digits a MiB, 64 a line
 *     file trade/.d 34 00c4ff5e                     a file of one MiB at most has no such line
 *     end e4d909c2
 *
 * Names ascend. The CRC of a whole file follows from those of its blocks; it is compared when the
 * sidecar is read, so comparing blocks compares the whole.
 *
 * Comparing goes in pieces of PIECE_BLOCKS blocks, each a task that opens the file for itself: one
 * large column keeps all cores as busy as many small ones.
 */
#include "db/sidecar.h"

#include "base/bounds.h"
#include "base/crc.h"
#include "db/lines.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/pool.h"

#include <inttypes.h>
#include <stdalign.h>
#include <stdio.h>

#define SIDECAR_ENDING ".sums"
#define LINE_BLOCKS    64
#define PIECE_BLOCKS   64
#define DIRECT_ALIGN   4096
#define PIECE_SIZE     (64u << 10) /* read at once */
#define FILES_MAX      (3ull * BOUND_COLUMNS_MAX + 1024)

static u64 blocks_of(u64 size) { return size / SUM_BLOCK + (size % SUM_BLOCK != 0); }

char *sidecar_path(Arena *a, const char *part)
{
    return arena_format(a, "%s" SIDECAR_ENDING, part);
}

bool sidecar_numbered(Str name, u64 *number)
{
    if (!str_ends(name, STR(SIDECAR_ENDING))) return false;
    return root_numbered((Str){name.data, name.size - strlen(SIDECAR_ENDING)}, "", number);
}

/* ---- writing */

static Err put_file(Buf *b, const SumFile *f)
{
    Err err = E_OK;
    TRY(buf_text(b, "file "));
    TRY(lines_put_text(b, f->name));
    TRY(buf_format(b, " %" PRIu64 " %08" PRIx32 "\n", f->size, f->crc));
    u64 count = blocks_of(f->size);
    for (u64 i = 0; count > 1 && i < count; i++) {
        if (i % LINE_BLOCKS == 0) TRY(buf_text(b, "blocks "));
        TRY(buf_format(b, "%08" PRIx32, f->blocks[i]));
        if (i % LINE_BLOCKS == LINE_BLOCKS - 1 || i == count - 1) TRY(buf_byte(b, '\n'));
    }
done:
    return err;
}

Err sidecar_write(const char *part, SumList *l, u32 *crc, File *keep)
{
    Err err = E_OK;
    Arena scratch = {0};
    Buf b = {.size_max = BOUND_MANIFEST_MAX};
    char *path = sidecar_path(&scratch, part);

    *keep = FILE_NONE;
    sum_list_sort(l);
    TRY(buf_text(&b, "siltstone-sums 1\n"));
    for (u32 i = 0; i < l->count; i++)
        TRY(put_file(&b, &l->files[i]));
    TRY(lines_put_end(&b, 0, crc));
    err = file_open(keep, path, FILE_CREATE);
    if (err == E_EXISTS) {
        TRY(dir_unlink(path));
        err = file_open(keep, path, FILE_CREATE);
    }
    if (err == E_OK) err = file_write(keep, b.data, b.size, 0);
done:
    if (err != E_OK) file_drop(keep);
    buf_free(&b);
    arena_free(&scratch);
    return err;
}

/* What is synced at once: a file, then folders. */
typedef struct {
    File *file;
    const char *folders[2];
} Seal;

static Err sync_one(void *arg, u64 i)
{
    const Seal *s = arg;
    return i == 0 ? file_sync(s->file) : dir_sync(s->folders[i - 1]);
}

Err sidecar_seal(const char *part, SumList *l, u32 *crc)
{
    Err err = E_OK;
    Arena scratch = {0};
    File f = FILE_NONE;
    const char *day = arena_text(&scratch, part, (u64)(strrchr(part, '/') - part));
    TRY(sidecar_write(part, l, crc, &f));
    Seal seal = {&f, {part, day}};
    TRY(pool_run(1 + COUNT_OF(seal.folders), 1 + COUNT_OF(seal.folders), sync_one, &seal));
    TRY(file_close(&f));
done:
    file_drop(&f);
    arena_free(&scratch);
    return err;
}

Err sidecar_remove(const char *part)
{
    Arena scratch = {0};
    DirKind kind = DIR_ABSENT;
    char *path = sidecar_path(&scratch, part);
    Err err = dir_kind(path, false, &kind);
    if (err == E_OK && kind == DIR_FILE) err = dir_unlink(path);
    arena_free(&scratch);
    return err;
}

/* ---- reading */

/* The CRCs of a file's blocks, and whether that of the whole follows from them. */
static Err read_blocks(Lines *l, SumFile *f)
{
    u64 count = blocks_of(f->size);
    u32 whole = 0;
    if (count <= 1) {
        f->blocks[0] = f->crc;
        return E_OK;
    }
    for (u64 i = 0; i < count; i++) {
        u64 n = MIN(count - i / LINE_BLOCKS * LINE_BLOCKS, LINE_BLOCKS), crc = 0;
        if (i % LINE_BLOCKS == 0) {
            Err err = lines_next(l, "blocks", 1);
            if (err != E_OK) return err;
            if (l->field[0].size != 8 * n) return lines_bad(l, "another number of blocks");
        }
        Lines one = *l;
        one.field[0] = (Str){l->field[0].data + 8 * (i % LINE_BLOCKS), 8};
        Err err = lines_hex(&one, 0, 8, &crc);
        if (err != E_OK) return err;
        f->blocks[i] = (u32)crc;
        whole = crc_32c_join(whole, (u32)crc, MIN(f->size - i * SUM_BLOCK, SUM_BLOCK));
    }
    return whole == f->crc ? E_OK : lines_bad(l, "the blocks do not give the file's checksum");
}

/* `<table>/<file>`: no other folder can be meant. */
static bool is_name(const char *name)
{
    const char *slash = strchr(name, '/');
    if (slash == NULL || slash == name || strchr(slash + 1, '/') != NULL) return false;
    return str_name_ok((Str){name, (u64)(slash - name)}, true) && slash[1] != 0 &&
           strcmp(slash + 1, ".") != 0 && strcmp(slash + 1, "..") != 0;
}

static Err read_file(Lines *l, SumList *list, SumFile *f)
{
    Err err = E_OK;
    char *name = NULL;
    void *blocks = NULL;
    u64 crc = 0;
    TRY(lines_next(l, "file", 3));
    TRY(lines_text(l, 0, &list->memory, &name));
    TRY(lines_u64(l, 1, &f->size));
    TRY(lines_hex(l, 2, 8, &crc));
    f->name = name;
    f->crc = (u32)crc;
    if (!is_name(name)) TRY(lines_bad(l, "not the name of a table's file"));
    if (f != list->files && strcmp(f[-1].name, name) >= 0) TRY(lines_bad(l, "names must ascend"));
    if (blocks_of(f->size) > 1 && blocks_of(f->size) > l->rest.size / 8)
        TRY(lines_bad(l, "a file of more blocks than the sidecar has text"));
    TRY(arena_try(&list->memory, blocks_of(f->size) + 1, sizeof(u32), &blocks));
    f->blocks = blocks;
    TRY(read_blocks(l, f));
done:
    return err;
}

Err sidecar_parse(Str text, SumList *list, u32 *crc)
{
    Err err = E_OK;
    Lines l;
    void *files = NULL;
    u32 version = 0;
    *list = (SumList){0};
    TRY(lines_open(&l, text, crc));
    TRY(lines_version(&l, "siltstone-sums", 1, &version));
    u64 count = lines_count(&l, "file", NULL);
    TRY(lines_array(&list->memory, count, sizeof(SumFile), UINT32_MAX, "files", &files));
    list->files = files;
    list->room = (u32)count;
    while (list->count < count) {
        TRY(read_file(&l, list, &list->files[list->count]));
        list->count++;
    }
    if (l.rest.size != 0) {
        l.line++;
        err = lines_bad(&l, "a line that does not belong there");
    }
done:
    if (err != E_OK) sum_list_free(list);
    return err;
}

Err sidecar_read(const char *part, u32 crc, SumList *l)
{
    Err err = E_OK;
    Arena scratch = {0};
    u8 *data = NULL;
    u64 size = 0;
    u32 found = 0;
    char *path = sidecar_path(&scratch, part);
    *l = (SumList){0};
    err = file_read_all(path, BOUND_MANIFEST_MAX, &scratch, &data, &size);
    if (err == E_NOT_FOUND) err = fail(E_CORRUPT, "%s is missing", path);
    if (err == E_IO || err == E_DENIED) {
        FailRecord why;
        fail_save(&why);
        err = fail(E_CORRUPT, "%s", why.text);
    }
    if (err != E_OK) goto done;
    err = sidecar_parse((Str){(const char *)data, size}, l, &found);
    if (err == E_OK && found != crc) {
        sum_list_free(l);
        err = fail(E_CORRUPT,
                   "the file is whole, but not the one that the segment names: CRC %08" PRIx32
                   ", wanted %08" PRIx32,
                   found, crc);
    }
    if (err != E_OK) err = fail_note(err, "%s", path);
done:
    arena_free(&scratch);
    return err;
}

/* ---- computing */

static Err sum_file(const char *path, Sum *s)
{
    Err err = E_OK;
    File f = FILE_NONE;
    u8 piece[PIECE_SIZE];
    TRY(file_open(&f, path, FILE_READ));
    for (u64 got = PIECE_SIZE; got == PIECE_SIZE;) {
        TRY(file_read_some(&f, piece, PIECE_SIZE, s->size, &got));
        TRY(sum_add(s, piece, got));
    }
    TRY(sum_end(s));
done:
    file_drop(&f);
    return err;
}

Err sidecar_sum_table(const char *part, const char *table, SumList *l)
{
    Err err = E_OK;
    Arena scratch = {0};
    Sum s = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    char *folder = dir_join(&scratch, part, table, NULL);
    TRY(dir_list(folder, FILES_MAX, &scratch, &e, &count));
    for (u64 i = 0; i < count; i++) {
        if (e[i].kind != DIR_FILE) continue;
        TRY(sum_file(dir_join(&scratch, folder, e[i].name, NULL), &s));
        TRY(sum_list_put(l, table, e[i].name, &s));
        sum_free(&s);
    }
done:
    sum_free(&s);
    arena_free(&scratch);
    return err;
}

/* ---- comparing */

/* The rows of its table that bytes [from, to) of a file may hold: those that stand there when the
 * file is a plain vector or an enumeration of its size, else all. */
static void find_rows(const SumFile *f, const char *path, u64 rows, SidecarDamage *d)
{
    u8 head[8] = {0};
    File file = FILE_NONE;
    u64 got = 0, at = 0, width = 0;
    d->row_from = 0;
    d->row_to = rows;
    if (file_open(&file, path, FILE_READ) == E_OK &&
        file_read_some(&file, head, sizeof head, 0, &got) != E_OK)
        got = 0;
    file_drop(&file);
    u64 length = strlen(f->name);
    bool companion = length > 0 && f->name[length - 1] == '#';
    if (rows == 0 || companion || got < sizeof head || memcmp(head, "kxzipped", 8) == 0) return;
    u64 body = f->size > 16 ? f->size - 16 : 0;
    if (body % rows == 0 &&
        (body / rows <= 2 || body / rows == 4 || body / rows == 8 || body / rows == 16)) {
        at = 16;
        width = body / rows;
    } else if (f->size >= 4096 + 8 * rows) {
        at = 4096;
        width = 8;
    }
    if (width == 0) return;
    d->row_from = d->from <= at ? 0 : MIN((d->from - at) / width, rows);
    d->row_to = d->to <= at ? rows : MIN((d->to - at + width - 1) / width, rows);
    if (d->from < at || d->row_from >= d->row_to) { /* the header or what follows the elements */
        d->row_from = 0;
        d->row_to = rows;
    }
}

static u64 table_rows(const Part *p, const char *name)
{
    for (u32 i = 0; i < p->table_count; i++) {
        u64 length = strlen(p->tables[i].name);
        if (strncmp(name, p->tables[i].name, length) == 0 && name[length] == '/')
            return p->tables[i].rows;
    }
    return 0;
}

/* Completes the description of a damage. */
static void describe(const Part *p, const SumFile *f, const char *what, const char *detail,
                     Arena *a, SidecarDamage *d)
{
    d->what = what;
    d->name = str_dup(a, str_of(f->name));
    find_rows(f, d->path, table_rows(p, f->name), d);
    d->text = arena_format(a, "%s: %s; rows %" PRIu64 " to %" PRIu64 " of %s may be wrong", d->path,
                           detail, d->row_from, d->row_to, f->name);
}

/* The CRC of a block as it stands there; false when it cannot be read as a whole. Pieces are small
 * enough to be still in the processor's cache when their turn comes. */
static bool read_block(const File *file, u64 at, u64 size, bool direct, u32 *crc,
                       const char **unread, Arena *a)
{
    alignas(DIRECT_ALIGN) u8 piece[PIECE_SIZE];
    *crc = 0;
    for (u64 end = at + size; at < end; at += PIECE_SIZE) {
        u64 want = MIN(end - at, PIECE_SIZE), got = 0;
        Err err = direct ? file_read_direct(file, piece, PIECE_SIZE, at, &got)
                         : file_read_some(file, piece, want, at, &got);
        if (err != E_OK) *unread = str_dup(a, str_of(fail_text()));
        if (err != E_OK || got < want) return false;
        *crc = crc_32c(*crc, piece, want);
    }
    return true;
}

/* Reads blocks [from, to) and notes those that differ. */
static void compare_blocks(const File *file, const SumFile *f, u64 from, u64 to, bool direct,
                           SidecarDamage *d, const char **unread, Arena *a)
{
    for (u64 i = from; i < to; i++) {
        u64 at = i * SUM_BLOCK, size = MIN(f->size - at, SUM_BLOCK);
        u32 crc = 0;
        if (read_block(file, at, size, direct, &crc, unread, a) && crc == f->blocks[i]) continue;
        if (d->blocks++ == 0) d->from = at;
        d->to = at + size;
    }
}

Err sidecar_compare(const Part *p, const SumFile *f, u64 from, u64 to, bool direct, Arena *a,
                    bool *bad, SidecarDamage *d)
{
    Err err = E_OK;
    File file = FILE_NONE;
    u64 size = 0;
    const char *unread = NULL;
    *bad = false;
    *d = (SidecarDamage){.path = dir_join(a, p->path, f->name, NULL), .to = f->size};
    Err opened = file_open(&file, d->path, FILE_READ);
    if (opened == E_OK) opened = file_size(&file, &size);
    if (opened == E_MEMORY || opened == E_LIMIT) TRY(opened);
    *bad = opened != E_OK || size != f->size;
    if (opened == E_NOT_FOUND) {
        describe(p, f, "missing", "the file is missing", a, d);
    } else if (opened != E_OK) {
        describe(p, f, "unreadable", str_dup(a, str_of(fail_text())), a, d);
    } else if (*bad) {
        describe(p, f, "size",
                 arena_format(a, "%" PRIu64 " bytes, written were %" PRIu64, size, f->size), a, d);
    }
    if (*bad) goto done;
    compare_blocks(&file, f, from, to, direct, d, &unread, a);
    *bad = d->blocks > 0;
    if (!*bad) goto done;
    if (unread != NULL) {
        describe(p, f, "unreadable", unread, a, d);
    } else {
        describe(p, f, "checksum",
                 arena_format(a,
                              "%" PRIu64 " MiB of bytes %" PRIu64 " to %" PRIu64
                              " are not what was written (checksum)",
                              d->blocks, d->from, d->to),
                 a, d);
    }
done:
    file_drop(&file);
    return err;
}

/* ---- whole parts */

/* Some blocks of one file, for a task. */
typedef struct {
    const SumFile *file;
    u64 from, to;
    bool bad;
    SidecarDamage damage;
    Arena memory;
} Piece;

typedef struct {
    const Part *part;
    Piece *pieces;
    u64 count;
} Scan;

static Err compare_piece(void *arg, u64 i)
{
    const Scan *s = arg;
    Piece *p = &s->pieces[i];
    return sidecar_compare(s->part, p->file, p->from, p->to, false, &p->memory, &p->bad,
                           &p->damage);
}

static void cut_pieces(Scan *s, const SumList *l, bool deep, Arena *a)
{
    u64 most = 0;
    for (u32 i = 0; i < l->count; i++)
        most += blocks_of(l->files[i].size) / PIECE_BLOCKS + 1;
    s->pieces = arena_array(a, Piece, most + 1);
    for (u32 i = 0; i < l->count; i++) {
        u64 blocks = deep ? blocks_of(l->files[i].size) : 0, from = 0;
        do {
            u64 to = MIN(from + PIECE_BLOCKS, blocks);
            s->pieces[s->count++] = (Piece){.file = &l->files[i], .from = from, .to = to};
            from = to;
        } while (from < blocks);
    }
}

/* Adds a piece's damage; pieces of one file become one. */
static void join_damage(const Scan *s, const Piece *p, Arena *a, SidecarDamage *all, u32 *count)
{
    SidecarDamage *last = *count > 0 ? &all[*count - 1] : NULL;
    bool same = last != NULL && strcmp(last->name, p->file->name) == 0;
    if (same && strcmp(p->damage.what, "checksum") != 0) return;
    SidecarDamage d = p->damage;
    d.path = str_dup(a, str_of(d.path));
    if (same) {
        d.from = last->from;
        d.blocks += last->blocks;
        --*count;
    }
    const char *detail = arena_format(a,
                                      "%" PRIu64 " MiB of bytes %" PRIu64 " to %" PRIu64
                                      " are not what was written (checksum)",
                                      d.blocks, d.from, d.to);
    d.name = str_dup(a, str_of(d.name));
    d.text = str_dup(a, str_of(d.text));
    if (same) describe(s->part, p->file, "checksum", detail, a, &d);
    all[(*count)++] = d;
}

Err sidecar_scan(const Part *p, bool deep, int threads, Arena *a, SidecarDamage **damages,
                 u32 *count)
{
    Err err = E_OK;
    Arena scratch = {0};
    SumList list = {0};
    Scan s = {.part = p};
    *damages = NULL;
    *count = 0;
    if (!p->summed) return E_OK;
    err = sidecar_read(p->path, p->sums, &list);
    if (err == E_CORRUPT) {
        *damages = arena_new(a, SidecarDamage);
        **damages = (SidecarDamage){.path = sidecar_path(a, p->path),
                                    .name = "",
                                    .what = "sidecar",
                                    .text = str_dup(a, str_of(fail_text()))};
        *count = 1;
        return E_OK;
    }
    if (err != E_OK) return err;
    cut_pieces(&s, &list, deep, &scratch);
    err = pool_run(s.count, threads, compare_piece, &s);
    *damages = arena_array(a, SidecarDamage, list.count + 1ull);
    for (u64 i = 0; i < s.count; i++) {
        if (err == E_OK && s.pieces[i].bad) join_damage(&s, &s.pieces[i], a, *damages, count);
        arena_free(&s.pieces[i].memory);
    }
    sum_list_free(&list);
    arena_free(&scratch);
    return err;
}

Err sidecar_verify(const Part *p, int threads)
{
    Arena scratch = {0};
    SidecarDamage *damages = NULL;
    u32 count = 0;
    Err err = sidecar_scan(p, true, threads, &scratch, &damages, &count);
    if (err == E_OK && count > 0) {
        err = count == 1 ? fail(E_CORRUPT, "%s", damages[0].text)
                         : fail(E_CORRUPT, "%s; %u more files of the part are damaged",
                                damages[0].text, count - 1);
    }
    arena_free(&scratch);
    return err;
}
