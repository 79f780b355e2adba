/*
 * splay: writing and reading a table's folder.
 *
 * The folder holds `.d` (ff 01 0b 00, count i32, column names each closed by a NUL, to the end of
 * the file) and one file a column, for list columns a second one ending in #.
 *
 * Writing keeps all column files open. At the end every file is written first, then write-out is
 * started on all, then all are synced, in parallel when there are many: the device sees one large
 * batch and the journal few commits. The folder is synced last, so that its names never stand for
 * unsynced bytes. Columns are appended in parallel when a batch has enough cells; each task owns
 * one ColumnOut.
 *
 * Compressed columns gather blocks, which are compressed in one go over all columns: a task is one
 * block, so that all cores are at work until the last, however unequal the columns are. Batches go
 * in slices that no column's room for waiting blocks can overflow (lists excepted: what is too much
 * they compress alone).
 *
 * Reading maps a column at its first use. Names in a foreign `.d` are data of strangers: one that
 * would lead out of the folder is refused.
 */
#include "table/splay.h"

#include "base/bounds.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/pool.h"
#include "os/proc.h"
#include "q/symbol.h"
#include "q/type.h"

#include <stdio.h>
#include <stdlib.h>

#define PARALLEL_CELLS (128ull << 10) /* a batch smaller than this is appended by one thread */
#define PARALLEL_FILES 5              /* so many files are written and synced by several threads */
#define SYNC_THREADS   8
#define SLICE_BYTES    (512u << 10) /* of the widest column, when blocks are compressed */
#define WIDEST         16
#define NAMES_HEAD     8
#define NAMES_SIZE_MAX (BOUND_COLUMNS_MAX * (BOUND_NAME_MAX + 1ull) + NAMES_HEAD)

/* path/name in a buffer of BOUND_PATH_MAX bytes. */
static Err join(char *out, const char *path, const char *name)
{
    u64 a = strlen(path), b = strlen(name);
    if (a + b + 2 > BOUND_PATH_MAX) return fail(E_LIMIT, "%s/%s: the path is too long", path, name);
    memcpy(out, path, a);
    out[a] = '/';
    memcpy(out + a + 1, name, b + 1);
    return E_OK;
}

Err splay_out_open(SplayOut *out, const char *path, const Schema *s, Place place, u64 rows_hint)
{
    Err err = E_OK;
    char file[BOUND_PATH_MAX];
    *out = (SplayOut){.schema = s, .place = place};
    out->path = strdup(path);
    out->cols = calloc(s->column_count + 1, sizeof(ColumnOut *));
    if (out->path == NULL || out->cols == NULL) {
        err = fail(E_MEMORY, "%s: no memory to write it", path);
        goto done;
    }
    TRY(dir_make(path));
    for (u32 i = 0; i < s->column_count; i++) {
        const SchemaColumn *c = &s->columns[i];
        TRY(join(file, path, c->name));
        TRY(column_create(&out->cols[i], file, schema_memory_type(c), c->attr[place], rows_hint));
    }
done:
    if (err != E_OK) splay_out_drop(out);
    return err;
}

/* Some rows for all columns, for tasks. */
typedef struct {
    SplayOut *out;
    const Batch *batch;
    const u32 *perm; /* of these rows, or NULL: from, from + 1, ... */
    u64 from, count;
    const i32 *indices;
} Append;

static Err append_column(void *arg, u64 i)
{
    const Append *a = arg;
    ColumnOut *out = a->out->cols[i];
    const Vec *v = &a->batch->cols[i];
    if (v->type == QT_ENUM) {
        const i32 *ids = vec_i32(v) + (a->perm != NULL ? 0 : a->from);
        return column_append_symbols(out, ids, a->indices, a->perm, a->count);
    }
    if (type_is_nested(v->type)) return column_append_rows(out, v, a->perm, a->from, a->count);
    if (a->perm != NULL) return column_append_picked(out, v->data, a->perm, a->count);
    return column_append(out, (const u8 *)v->data + a->from * type_width(v->type), a->count);
}

/* ---- compressing */

/* A block that waits. */
typedef struct {
    BlockOut *file;
    u64 at;
} Waiting;

typedef struct {
    BlockOut **files;
    u64 file_count;
    Waiting *blocks;
    u64 count;
} Deflate;

static Err deflate_block(void *arg, u64 i)
{
    const Deflate *d = arg;
    return block_out_deflate(d->blocks[i].file, d->blocks[i].at);
}

static Err flush_file(void *arg, u64 i)
{
    const Deflate *d = arg;
    return block_out_flush(d->files[i]);
}

/* The files of all columns of tables. */
static Err list_files(Deflate *d, SplayOut *const *outs, u64 count)
{
    u64 columns = 0;
    for (u64 i = 0; i < count; i++)
        columns += outs[i]->schema->column_count;
    d->files = malloc((2 * columns + 1) * sizeof(BlockOut *));
    if (d->files == NULL) return fail(E_MEMORY, "no memory to compress a table");
    for (u64 i = 0; i < count; i++) {
        for (u32 c = 0; c < outs[i]->schema->column_count; c++)
            d->file_count += column_out_files(outs[i]->cols[c], d->files + d->file_count);
    }
    return E_OK;
}

/* Compresses what waits in all columns of tables: when `last` all of it, else only if enough does
 * to keep the cores busy, or a column is full. */
static Err deflate_all(SplayOut *const *outs, u64 count, bool last)
{
    Err err = E_OK;
    Deflate d = {0};
    bool full = last;
    TRY(list_files(&d, outs, count));
    for (u64 i = 0; i < d.file_count; i++) {
        d.count += block_out_waiting(d.files[i], last);
        full |= block_out_is_full(d.files[i]);
    }
    if (d.count == 0 || (!full && d.count < 4 * (u64)proc_cpus())) goto done;
    d.blocks = malloc(d.count * sizeof *d.blocks);
    if (d.blocks == NULL) TRY(fail(E_MEMORY, "no memory to compress a table"));
    d.count = 0;
    for (u64 i = 0; i < d.file_count; i++) {
        block_out_begin(d.files[i], last);
        for (u64 k = 0; k < block_out_waiting(d.files[i], last); k++)
            d.blocks[d.count++] = (Waiting){d.files[i], k};
    }
    TRY(pool_run(d.count, 0, deflate_block, &d));
    TRY(pool_run(d.file_count, 0, flush_file, &d));
done:
    free(d.blocks);
    free(d.files);
    return err;
}

/* Three for each column, then that of `.d`. */
Err splay_out_sums(SplayOut *out, SumList *list)
{
    u32 columns = out->schema->column_count;
    ASSERT(out->sums == NULL && out->rows == 0);
    out->sums = calloc(3ull * columns + 1, sizeof *out->sums);
    if (out->sums == NULL) return fail(E_MEMORY, "%s: no memory to write it", out->path);
    out->list = list;
    for (u32 i = 0; i < columns; i++)
        column_out_sums(out->cols[i], &out->sums[3ull * i]);
    return E_OK;
}

Err splay_out_codec(SplayOut *out, const CodecChoice *codec)
{
    Err err = block_out_check(codec);
    for (u32 i = 0; err == E_OK && i < out->schema->column_count; i++)
        err = column_out_codec(out->cols[i], codec);
    out->zipped = codec->codec != 0;
    return err;
}

Err splay_out_deflate(SplayOut *out) { return out->zipped ? deflate_all(&out, 1, false) : E_OK; }

/* ---- rows */

/* Appends rows that every column has room for. */
static Err append_slice(Append *a)
{
    Err err = E_OK;
    u32 columns = a->out->schema->column_count;
    if (a->count * columns >= PARALLEL_CELLS) return pool_run(columns, 0, append_column, a);
    for (u32 i = 0; i < columns; i++)
        TRY(append_column(a, i));
done:
    return err;
}

Err splay_out_batch(SplayOut *out, const Batch *b, const u32 *perm, u64 count, const Domain *d)
{
    Err err = E_OK;
    u64 slice = out->zipped ? SLICE_BYTES / WIDEST : count;
    ASSERT(b->schema->column_count == out->schema->column_count && count <= b->rows);
    for (u64 at = 0; at < count; at += slice) {
        Append append = {out,
                         b,
                         perm != NULL ? perm + at : NULL,
                         at,
                         MIN(slice, count - at),
                         d != NULL ? d->indices : NULL};
        TRY(append_slice(&append));
        TRY(splay_out_deflate(out));
    }
    out->rows += count;
done:
    return err;
}

/* Writes `.d`; the file stays open for the sync. */
static Err write_names(SplayOut *out, File *keep)
{
    Err err = E_OK;
    const Schema *s = out->schema;
    char path[BOUND_PATH_MAX];
    u8 head[NAMES_HEAD] = {0xff, 0x01, QT_SYMBOL, ATTR_NONE};
    Buf b = {0};
    store_u32(head + 4, s->column_count);
    TRY(buf_append(&b, head, sizeof head));
    for (u32 i = 0; i < s->column_count; i++)
        TRY(buf_append(&b, s->columns[i].name, strlen(s->columns[i].name) + 1));
    TRY(join(path, out->path, ".d"));
    TRY(file_open(keep, path, FILE_CREATE));
    TRY(file_write(keep, b.data, b.size, 0));
    out->bytes += b.size;
    if (out->sums == NULL) goto done;
    TRY(sum_add(&out->sums[3ull * s->column_count], b.data, b.size));
    TRY(sum_end(&out->sums[3ull * s->column_count]));
done:
    buf_free(&b);
    return err;
}

static Err sync_file(void *arg, u64 i)
{
    File *files = arg;
    return file_sync(&files[i]);
}

/* Syncs and closes the open ones of `count` files, which it moves to the front. */
static Err sync_all(File *files, u64 count)
{
    Err err = E_OK;
    u64 n = 0;
    for (u64 i = 0; i < count; i++) {
        if (files[i].fd < 0) continue;
        files[n++] = files[i];
    }
    for (u64 i = n; i < count; i++)
        files[i] = FILE_NONE;
    if (n >= PARALLEL_FILES) {
        TRY(pool_run(n, SYNC_THREADS, sync_file, files));
    } else {
        for (u64 i = 0; i < n; i++)
            TRY(file_sync(&files[i]));
    }
    for (u64 i = 0; i < n; i++)
        TRY(file_close(&files[i]));
done:
    return err;
}

/* One column of several tables to be ended; its files stay open in keep[0..2]. */
typedef struct {
    SplayOut *out;
    u32 column;
    File *keep;
    u64 bytes;
} Ending;

static Err end_column(void *arg, u64 i)
{
    Ending *e = (Ending *)arg + i;
    ColumnOut *column = e->out->cols[e->column];
    e->out->cols[e->column] = NULL;
    return column_end(column, false, e->keep, &e->bytes);
}

static u64 files_of(const SplayOut *out) { return 3ull * out->schema->column_count + 1; }

/* Writes what is left of all tables; their files stay open in keep, files_of one after the
 * other. */
static Err write_all(SplayOut *const *outs, u64 count, File *keep)
{
    Err err = E_OK;
    u64 n = 0, all = 0;
    for (u64 i = 0; i < count; i++)
        all += outs[i]->schema->column_count;
    Ending *endings = malloc((all + 1) * sizeof *endings);
    if (endings == NULL) return fail(E_MEMORY, "no memory to finish a table");
    for (u64 i = 0; i < count; i++) {
        u32 columns = outs[i]->schema->column_count;
        for (u32 c = 0; c < columns; c++)
            endings[n++] = (Ending){outs[i], c, keep + 3ull * c, 0};
        TRY(write_names(outs[i], &keep[3ull * columns]));
        keep += files_of(outs[i]);
    }
    TRY(pool_run(n, n >= PARALLEL_FILES ? 0 : 1, end_column, endings));
    for (u64 i = 0; i < n; i++)
        endings[i].out->bytes += endings[i].bytes;
done:
    free(endings);
    return err;
}

/* The folders of several tables. */
typedef struct {
    SplayOut *const *outs;
    u64 count;
    const SplayMore *more; /* whose folders come behind */
} Folders;

static Err sync_folder(void *arg, u64 i)
{
    const Folders *f = arg;
    return dir_sync(i < f->count ? f->outs[i]->path : f->more->folders[i - f->count]);
}

/* Completes all columns, so that what is left of them is compressed together. */
static Err seal_all(SplayOut *const *outs, u64 count)
{
    Err err = E_OK;
    bool zipped = false;
    for (u64 i = 0; i < count; i++) {
        for (u32 c = 0; c < outs[i]->schema->column_count; c++)
            TRY(column_seal(outs[i]->cols[c]));
        zipped |= outs[i]->zipped;
    }
    if (zipped) TRY(deflate_all(outs, count, true));
done:
    return err;
}

/* Adds the checksums of all files that were made to the list that wants them. */
static Err give_sums(const SplayOut *out)
{
    static const char *const endings[3] = {"", "#", "##"};
    Err err = E_OK;
    char file[BOUND_PATH_MAX];
    u32 columns = out->schema->column_count;
    if (out->sums == NULL) return E_OK;
    const char *slash = strrchr(out->path, '/'), *table = slash == NULL ? out->path : slash + 1;
    for (u32 i = 0; i < 3 * columns; i++) {
        if (out->sums[i].size == 0) continue;
        snprintf(file, sizeof file, "%s%s", out->schema->columns[i / 3].name, endings[i % 3]);
        TRY(sum_list_put(out->list, table, file, &out->sums[i]));
    }
    TRY(sum_list_put(out->list, table, ".d", &out->sums[3ull * columns]));
done:
    return err;
}

Err splay_out_finish_all(SplayOut *const *outs, u64 count, const SplayMore *more)
{
    Err err = E_OK;
    static const SplayMore none;
    if (more == NULL) more = &none;
    u64 files = more->file_count;
    for (u64 i = 0; i < count; i++)
        files += files_of(outs[i]);
    File *keep = malloc((files + 1) * sizeof *keep);
    if (keep == NULL) {
        files = 0;
        TRY(fail(E_MEMORY, "no memory to finish a table"));
    }
    for (u64 i = 0; i < files; i++)
        keep[i] = FILE_NONE;
    TRY(seal_all(outs, count));
    TRY(write_all(outs, count, keep));
    for (u64 i = 0; i < count; i++)
        TRY(give_sums(outs[i]));
    if (more->file_count > 0) TRY(more->write(more->arg, keep + files - more->file_count));
    TRY(sync_all(keep, files));
    Folders folders = {outs, count, more};
    TRY(pool_run(count + more->folder_count, SYNC_THREADS, sync_folder, &folders));
done:
    for (u64 i = 0; i < files; i++)
        file_drop(&keep[i]);
    free(keep);
    for (u64 i = 0; i < count; i++)
        splay_out_drop(outs[i]);
    return err;
}

Err splay_out_finish(SplayOut *out) { return splay_out_finish_all(&out, 1, NULL); }

void splay_out_drop(SplayOut *out)
{
    if (out->cols != NULL) {
        for (u32 i = 0; i < out->schema->column_count; i++)
            column_drop(out->cols[i]);
    }
    for (u32 i = 0; out->sums != NULL && i < 3 * out->schema->column_count + 1; i++)
        sum_free(&out->sums[i]);
    free(out->sums);
    free(out->cols);
    free(out->path);
    out->sums = NULL;
    out->cols = NULL;
    out->path = NULL;
}

/* ---- sort keys */

static Err symbol_ranks(const Vec *v, u64 rows, Arena *a, u32 **rank)
{
    i32 most = 0;
    void *ranks;
    const i32 *ids = vec_i32(v);
    for (u64 i = 0; i < rows; i++)
        most = MAX(most, ids[i]);
    Err err = arena_try(a, (u64)most + 1, sizeof **rank, &ranks);
    if (err != E_OK) return err;
    *rank = ranks;
    return sort_symbol_ranks(ids, rows, *rank, most + 1);
}

Err splay_sort_keys(const Batch *b, Place place, Arena *a, SortKey **keys, u64 *count)
{
    const Schema *s = b->schema;
    *count = s->sort_count[place];
    *keys = arena_array(a, SortKey, *count + 1);
    for (u64 i = 0; i < *count; i++) {
        u32 column = s->sort[place][i];
        const Vec *v = &b->cols[column];
        SortKey *key = &(*keys)[i];
        if (v->type != QT_ENUM && !type_is_fixed(v->type)) {
            return fail(E_UNSUPPORTED, "table %s: rows cannot be sorted by %s, a list column",
                        s->name, s->columns[column].name);
        }
        *key = (SortKey){.type = v->type, .data = v->data};
        if (v->type == QT_ENUM) {
            u32 *rank;
            Err err = symbol_ranks(v, b->rows, a, &rank);
            if (err != E_OK) return err;
            key->rank = rank;
        }
    }
    return E_OK;
}

/* ---- reading */

/* The plain bytes of a small file, in the arena. */
static Err read_plain(const char *path, Arena *a, u8 **data, u64 *size)
{
    Image m = {0};
    Err err = image_open(&m, path, IMAGE_WHOLE);
    if (err != E_OK) return err;
    *size = m.plain.size;
    if (*size > NAMES_SIZE_MAX) {
        err = fail(E_LIMIT, "%s: %llu bytes, more than the limit of %llu", path,
                   (unsigned long long)*size, (unsigned long long)NAMES_SIZE_MAX);
    } else {
        *data = (u8 *)arena_text(a, (const char *)m.plain.data, *size);
        err = image_intact(&m, path);
    }
    image_close(&m);
    return err;
}

Err splay_read_names(const char *path, Arena *a, char ***names, u32 *count)
{
    u8 *data = NULL;
    u64 size;
    *names = NULL;
    *count = 0;
    Err err = read_plain(path, a, &data, &size);
    if (err != E_OK) return err;
    if (size < NAMES_HEAD || data[0] != 0xff || data[1] != 0x01 || data[2] != QT_SYMBOL ||
        data[3] > ATTR_GROUPED) {
        return fail(E_CORRUPT, "%s: not a list of symbols", path);
    }
    if (size > NAMES_HEAD && data[size - 1] != 0)
        return fail(E_CORRUPT, "%s: the last name does not end", path);
    u64 n = 0;
    for (u64 i = NAMES_HEAD; i < size; i++)
        n += data[i] == 0;
    if (n > BOUND_COLUMNS_MAX)
        return fail(E_LIMIT, "%s: more than %d names", path, BOUND_COLUMNS_MAX);
    *names = arena_array(a, char *, n + 1);
    char *name = (char *)data + NAMES_HEAD;
    for (u64 i = 0; i < n; i++) {
        (*names)[i] = name;
        name += strlen(name) + 1;
    }
    *count = (u32)n;
    return E_OK;
}

/* Whether a name of `.d` is one of a file in the folder itself. */
static bool is_file_name(const char *name)
{
    return name[0] != 0 && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

/* Keeps the names in one block: the pointers, then the texts. */
static Err keep_names(Splay *s, char **names, u32 count)
{
    u64 size = 0;
    for (u32 i = 0; i < count; i++) {
        if (!is_file_name(names[i]))
            return fail(E_CORRUPT, "%s/.d: \"%s\" names no column", s->path, names[i]);
        size += strlen(names[i]) + 1;
    }
    s->names = malloc(count * sizeof(char *) + size + 1);
    s->cols = calloc(count + 1ull, sizeof *s->cols);
    s->opened = calloc(count + 1ull, sizeof *s->opened);
    if (s->names == NULL || s->cols == NULL || s->opened == NULL) {
        return fail(E_MEMORY, "%s: no memory to open it", s->path);
    }
    char *text = (char *)(s->names + count);
    for (u32 i = 0; i < count; i++) {
        u64 n = strlen(names[i]) + 1;
        memcpy(text, names[i], n);
        s->names[i] = text;
        text += n;
    }
    s->column_count = count;
    return E_OK;
}

Err splay_open(Splay *s, const char *path)
{
    Err err = E_OK;
    Arena memory = {0};
    char file[BOUND_PATH_MAX];
    char **names;
    u32 count;
    *s = (Splay){0};
    TRY(join(file, path, ".d"));
    s->path = strdup(path);
    if (s->path == NULL) {
        err = fail(E_MEMORY, "%s: no memory to open it", path);
        goto done;
    }
    TRY(splay_read_names(file, &memory, &names, &count));
    TRY(keep_names(s, names, count));
done:
    arena_free(&memory);
    if (err != E_OK) splay_close(s);
    return err;
}

void splay_on_need(Splay *s) { s->on_need = true; }

static Err open_column(Splay *s, u32 i)
{
    char file[BOUND_PATH_MAX];
    if (s->opened[i]) return E_OK;
    Err err = join(file, s->path, s->names[i]);
    if (err != E_OK) return err;
    err = s->on_need ? column_open_on_need(&s->cols[i], file) : column_open(&s->cols[i], file);
    if (err == E_NOT_FOUND) return fail(E_CORRUPT, "%s: the column's file is missing", file);
    if (err == E_OK) s->opened[i] = true;
    return err;
}

Err splay_column(Splay *s, const char *name, u64 rows, const Column **c)
{
    *c = NULL;
    for (u32 i = 0; i < s->column_count; i++) {
        if (strcmp(s->names[i], name) != 0) continue;
        Err err = open_column(s, i);
        if (err != E_OK) return err;
        if (rows != UINT64_MAX && s->cols[i].rows != rows) {
            return fail(E_CORRUPT, "%s/%s: %llu rows, expected %llu", s->path, name,
                        (unsigned long long)s->cols[i].rows, (unsigned long long)rows);
        }
        *c = &s->cols[i];
        return E_OK;
    }
    return fail(E_NOT_FOUND, "%s has no column %s", s->path, name);
}

Err splay_intact(const Splay *s)
{
    for (u32 i = 0; i < s->column_count; i++) {
        if (s->opened[i] && column_lost(&s->cols[i]))
            return fail(E_CORRUPT, "%s/%s: it was cut, or cannot be read, while it is open",
                        s->path, s->names[i]);
    }
    return E_OK;
}

void splay_close(Splay *s)
{
    for (u32 i = 0; i < s->column_count; i++)
        column_close(&s->cols[i]);
    free(s->names);
    free(s->cols);
    free(s->opened);
    free(s->path);
    *s = (Splay){0};
}
