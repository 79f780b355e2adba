/*
 * column_out: writing a column file front to back. Reading is column.c.
 *
 * Elements go to a BlockOut, which compresses them when it was told to, in pieces small enough for
 * the first cache level. Each piece is looked at while it is there (column_watch.c), to learn which
 * attribute the file may carry. The header is written in front as it is foreseen (the wanted
 * attribute, the hinted count), and patched at the end with what came true.
 *
 * States: open -> (rows) -> column_seal: the bytes are complete -> column_end: the files are
 * closed.
 */
#include "column/column.h"

#include "base/bounds.h"
#include "column/column_watch.h"
#include "column/header.h"
#include "column/mixed.h"
#include "column/nested.h"
#include "q/symbol.h"
#include "q/type.h"
#include "q/wire.h"

#include <stdlib.h>

#define PIECE_BYTES (32ull << 10)
#define PAYLOAD_MAX (1ull << 40)
#define DOMAIN_NAME "sym"
#define NAMES_HEAD  8
#define ROW_MEMORY  (1ull << 20) /* bytes of copied values before their memory is used again */

struct ColumnOut {
    int type;
    u64 width; /* bytes of an element as it is appended; references of lists */
    u64 rows;
    u64 rows_hint;
    bool old;    /* the forms before kdb+ 3.6 */
    bool begun;  /* the header's place is written */
    bool sealed; /* and all that follows it */
    char *path;
    char domain[COLUMN_DOMAIN_MAX];
    CodecChoice codec;
    Sum *sums;         /* of the three files; NULL = nobody wants them */
    BlockOut *file;    /* nested: NULL until the first row */
    NestedOut nested;  /* nested: the same file, and the heap */
    u64 elements;      /* old lists: so far */
    ColumnWatch watch; /* not of lists */
};

/* A list column: of vectors of one type, of symbols, or mixed. */
static bool is_nested(const ColumnOut *out)
{
    return out->type == QT_LIST || out->type > QT_NESTED;
}

/* ---- opening */

static u64 header_size(const ColumnOut *out)
{
    if (out->type == QT_ENUM) return out->old ? HEADER_ENUM_SIZE : HEADER_PAGE_SIZE;
    return is_nested(out) && !out->old ? HEADER_PAGE_SIZE : HEADER_PLAIN_SIZE;
}

int column_out_attr(const ColumnOut *out)
{
    return out->watch.attr == ATTR_UNIQUE ? ATTR_PARTED : out->watch.attr;
}

static void fill_header(const ColumnOut *out, u8 page[HEADER_PAGE_SIZE], u64 rows)
{
    int attr = column_out_attr(out);
    if (out->type == QT_ENUM && out->old)
        header_enum32(page, out->domain, attr, rows);
    else if (out->type == QT_ENUM)
        header_page(page, out->domain, 0, QT_ENUM, attr, rows);
    else if (is_nested(out) && !out->old)
        header_page(page, "", 1, QT_NESTED, ATTR_NONE, rows);
    else
        header_plain(page, out->type, attr, rows);
}

/* The width in the file. */
static u64 disk_width(const ColumnOut *out)
{
    return out->type == QT_ENUM && out->old ? 4 : out->width;
}

static Err open_file(const ColumnOut *out, BlockOut **file, const char *path, u64 hint)
{
    Err err = block_out_open(file, path, hint);
    if (err == E_OK && out->sums != NULL) block_out_sum(*file, &out->sums[file != &out->file]);
    return err == E_OK && out->codec.codec != 0 ? block_out_codec(*file, &out->codec) : err;
}

static bool can_write(int type)
{
    int element = type - QT_NESTED;
    return type_is_fixed(type) || type == QT_ENUM || type == QT_LIST ||
           (type > QT_NESTED && (type_is_fixed(element) || element == QT_ENUM));
}

Err column_create(ColumnOut **result, const char *path, int type, int attr, u64 rows_hint)
{
    Err err = E_OK;
    *result = NULL;
    if (type == QT_NESTED + QT_SYMBOL) type = QT_NESTED + QT_ENUM;
    if (type == QT_NESTED) type = QT_LIST;
    if (!can_write(type))
        return fail(E_UNSUPPORTED, "%s: no column file holds elements of type %d", path, type);
    ASSERT(attr >= ATTR_NONE && attr <= ATTR_GROUPED);
    ColumnOut *out = calloc(1, sizeof *out);
    if (out == NULL) return fail(E_MEMORY, "%s: no memory to write it", path);
    out->type = type;
    out->width = is_nested(out) ? 8 : type_disk_width(type);
    out->rows_hint = rows_hint;
    column_watch_init(&out->watch, type, attr, out->width, rows_hint);
    memcpy(out->domain, DOMAIN_NAME, sizeof DOMAIN_NAME);
    out->path = strdup(path);
    if (out->path == NULL) TRY(fail(E_MEMORY, "%s: no memory to write it", path));
    u64 hint = rows_hint == 0 ? 0 : header_size(out) + rows_hint * out->width;
    if (!is_nested(out)) TRY(block_out_open(&out->file, path, hint));
    *result = out;
    out = NULL;
done:
    column_drop(out);
    return err;
}

void column_out_sums(ColumnOut *out, Sum sums[3])
{
    ASSERT(!out->begun && out->codec.codec == 0);
    out->sums = sums;
    if (out->file != NULL) block_out_sum(out->file, &sums[0]);
}

Err column_out_codec(ColumnOut *out, const CodecChoice *codec)
{
    ASSERT(!out->begun && out->rows == 0);
    Err err = block_out_check(codec);
    if (err != E_OK) return err;
    out->codec = *codec;
    return out->file != NULL ? block_out_codec(out->file, codec) : E_OK;
}

Err column_out_domain(ColumnOut *out, const char *name)
{
    u64 size = strlen(name);
    ASSERT(!out->begun && out->rows == 0);
    if (size == 0 || size >= sizeof out->domain || strchr(name, '/') != NULL)
        return fail(E_USAGE, "%s: \"%s\" is no name of a domain", out->path, name);
    memcpy(out->domain, name, size + 1);
    return E_OK;
}

Err column_out_old(ColumnOut *out)
{
    ASSERT(!out->begun && out->rows == 0);
    if (out->type == QT_LIST || out->type == QT_NESTED + QT_ENUM)
        return fail(E_UNSUPPORTED, "%s: kdb+ before 3.6 has no file for such a column", out->path);
    out->old = true;
    return E_OK;
}

void column_out_names(ColumnOut *out, const i32 *ids, i32 count)
{
    out->watch.ids = ids;
    out->watch.id_count = count;
}

/* The name of a companion, in a buffer of BOUND_PATH_MAX bytes. */
static Err companion(const ColumnOut *out, char *name, const char *ending)
{
    u64 length = strlen(out->path), more = strlen(ending) + 1;
    if (length + more > BOUND_PATH_MAX) return fail(E_LIMIT, "%s: the path is too long", out->path);
    memcpy(name, out->path, length);
    memcpy(name + length, ending, more);
    return E_OK;
}

/* Opens both files of a list column at its first row: without rows it has another form and no
 * heap. */
static Err open_nested(ColumnOut *out)
{
    Err err = E_OK;
    char name[BOUND_PATH_MAX];
    u8 page[HEADER_PAGE_SIZE];
    u64 hint = HEADER_PAGE_SIZE + out->rows_hint * 8;
    TRY(companion(out, name, "#"));
    TRY(open_file(out, &out->file, out->path, hint));
    TRY(open_file(out, &out->nested.heap, name, hint + out->rows_hint * 8));
    out->nested.parent = out->file;
    if (!out->old) {
        header_page(page, "", 0, 4, ATTR_NONE, 0);
        TRY(block_out_write(out->nested.heap, page, sizeof page));
    }
done:
    return err;
}

/* Writes the header as it is foreseen, once. */
static Err begin(ColumnOut *out)
{
    u8 page[HEADER_PAGE_SIZE] = {0};
    if (out->begun) return E_OK;
    if (out->type == QT_ENUM && out->old && strlen(out->domain) > HEADER_SHORT_NAME)
        return fail(E_LIMIT, "%s: the domain's name %s is too long for kdb+ before 3.6", out->path,
                    out->domain);
    Err err = is_nested(out) ? open_nested(out) : E_OK;
    if (err != E_OK) return err;
    out->begun = true;
    fill_header(out, page, out->rows_hint);
    return block_out_write(out->file, page, header_size(out));
}

/* Looks at a piece that was just put into the buffer, and counts it. */
static Err watch(ColumnOut *out, const u8 *piece, u64 count, bool ordered)
{
    Err err = column_watch_rows(&out->watch, piece, count, ordered);
    if (err == E_OK) out->rows += count;
    return err;
}

/* ---- appending */

/* Indices of 32 bits for kdb+ before 3.6. */
static Err write_narrow(ColumnOut *out, const u8 *wide, u64 count)
{
    u8 narrow[4096];
    while (count > 0) {
        u64 n = MIN(count, sizeof narrow / 4);
        for (u64 i = 0; i < n; i++) {
            i64 index = load_i64(wide + 8 * i);
            if (index != Q_NULL_LONG && (index < 0 || index > INT32_MAX))
                return fail(E_LIMIT, "%s: index %lld does not fit kdb+ before 3.6", out->path,
                            (long long)index);
            store_u32(narrow + 4 * i, index == Q_NULL_LONG ? (u32)Q_NULL_INT : (u32)index);
        }
        Err err = block_out_write(out->file, narrow, n * 4);
        if (err != E_OK) return err;
        wide += n * 8;
        count -= n;
    }
    return E_OK;
}

Err column_append(ColumnOut *out, const void *elements, u64 count)
{
    ASSERT(!is_nested(out));
    const u8 *from = elements;
    bool narrow = out->type == QT_ENUM && out->old;
    u64 most = out->watch.attr == ATTR_NONE ? (1ull << 20) / out->width : PIECE_BYTES / out->width;
    Err err = begin(out);
    while (err == E_OK && count > 0) {
        u64 n = MIN(count, most);
        err =
            narrow ? write_narrow(out, from, n) : block_out_write(out->file, from, n * out->width);
        if (err == E_OK) err = watch(out, from, n, false);
        from += n * out->width;
        count -= n;
    }
    return err;
}

/* Where a piece of `count` elements is gathered: in the file's buffer, or aside when it goes out in
 * another width. */
static Err piece_room(ColumnOut *out, u64 count, u8 *aside, u8 **place)
{
    *place = aside;
    if (disk_width(out) != out->width) return E_OK;
    return block_out_room(out->file, count * out->width, place);
}

static Err piece_done(ColumnOut *out, const u8 *place, u64 count, bool ordered)
{
    Err err = watch(out, place, count, ordered);
    if (err != E_OK) return err;
    if (disk_width(out) != out->width) return write_narrow(out, place, count);
    block_out_added(out->file, count * out->width);
    return E_OK;
}

/* One constant width a loop, so that each element is one load and one store. */
#define PICK(W)                                                                                    \
    for (u64 i = 0; i < count; i++)                                                                \
    memcpy(to + i * (W), from + (u64)rows[i] * (W), (W))

static void pick(u8 *restrict to, const u8 *restrict from, const u32 *restrict rows, u64 count,
                 u64 width)
{
    switch (width) {
    case 1: PICK(1); break;
    case 2: PICK(2); break;
    case 4: PICK(4); break;
    case 8: PICK(8); break;
    default: PICK(16); break;
    }
}

Err column_append_picked(ColumnOut *out, const void *base, const u32 *rows, u64 count)
{
    ASSERT(!is_nested(out));
    u8 aside[PIECE_BYTES], *place;
    u64 most = PIECE_BYTES / out->width;
    Err err = begin(out);
    while (err == E_OK && count > 0) {
        u64 n = MIN(count, most);
        err = piece_room(out, n, aside, &place);
        if (err != E_OK) break;
        pick(place, base, rows, n, out->width);
        err = piece_done(out, place, n, false);
        rows += n;
        count -= n;
    }
    return err;
}

static void pick_symbols(u8 *restrict to, const i32 *restrict ids, const i32 *restrict map,
                         const u32 *restrict perm, u64 count)
{
    for (u64 i = 0; i < count; i++) {
        i32 id = ids[perm != NULL ? perm[i] : i];
        i64 index = map[id];
        store_u64(to + i * 8, (u64)(index < 0 ? Q_NULL_LONG : index));
    }
}

Err column_append_symbols(ColumnOut *out, const i32 *ids, const i32 *map, const u32 *perm,
                          u64 count)
{
    ASSERT(out->type == QT_ENUM);
    u8 aside[PIECE_BYTES], *place;
    u64 most = PIECE_BYTES / 8;
    Err err = begin(out);
    while (err == E_OK && count > 0) {
        u64 n = MIN(count, most);
        err = piece_room(out, n, aside, &place);
        if (err != E_OK) break;
        pick_symbols(place, ids, map, perm, n);
        column_watch_symbols(&out->watch, ids, perm, n);
        err = piece_done(out, place, n, true);
        if (perm != NULL)
            perm += n;
        else
            ids += n;
        count -= n;
    }
    return err;
}

/* One row of an old list: its elements to the companion, their count so far to the parent. */
static Err put_old(ColumnOut *out, const void *elements, u64 count)
{
    u8 word[8];
    store_u64(word, out->elements + count);
    Err err =
        block_out_write(out->nested.heap, elements, count * type_width(out->type - QT_NESTED));
    if (err == E_OK) err = block_out_write(out->file, word, sizeof word);
    if (err == E_OK) out->elements += count;
    return err;
}

Err column_append_row(ColumnOut *out, const void *elements, u64 count)
{
    ASSERT(out->type > QT_NESTED);
    Err err = begin(out);
    if (err != E_OK) return err;
    err = out->old ? put_old(out, elements, count)
                   : nested_put(&out->nested, out->type - QT_NESTED, elements, count);
    if (err == E_OK) out->rows++;
    return err;
}

Err column_append_value(ColumnOut *out, const Value *v)
{
    ASSERT(out->type == QT_LIST);
    Err err = begin(out);
    if (err == E_OK) err = mixed_put(&out->nested, v);
    if (err == E_OK) out->rows++;
    return err;
}

/* Row by row: values, and lists of the old form. */
static Err append_each(ColumnOut *out, const Vec *v, const u32 *rows, u64 from, u64 count)
{
    u64 width = out->type == QT_LIST ? 0 : type_width(out->type - QT_NESTED);
    for (u64 i = 0; i < count; i++) {
        u64 row = rows != NULL ? rows[i] : from + i;
        Err err = out->type == QT_LIST
                      ? column_append_value(out, &vec_value(v)[row])
                      : column_append_row(out, (const u8 *)v->data + v->offs[row] * width,
                                          v->offs[row + 1] - v->offs[row]);
        if (err != E_OK) return err;
    }
    return E_OK;
}

/* Rows of a mixed vector. */
static Err append_objects(ColumnOut *out, const Vec *v, const u32 *rows, u64 from, u64 count)
{
    Err err = E_OK;
    Arena a = {0};
    for (u64 i = 0; i < count; i++) {
        Value row;
        TRY(wire_row(v, rows != NULL ? rows[i] : from + i, &a, &row));
        TRY(column_append_value(out, &row));
        if (a.used > ROW_MEMORY) arena_reset(&a);
    }
done:
    arena_free(&a);
    return err;
}

Err column_append_rows(ColumnOut *out, const Vec *v, const u32 *rows, u64 from, u64 count)
{
    if (count == 0) return E_OK;
    if (out->type == QT_LIST && v->type == QT_NESTED)
        return append_objects(out, v, rows, from, count);
    ASSERT(is_nested(out) && v->type == out->type);
    if (out->old || out->type == QT_LIST) return append_each(out, v, rows, from, count);
    Err err = begin(out);
    if (err == E_OK) err = nested_put_rows(&out->nested, v, rows, from, count);
    if (err == E_OK) out->rows += count;
    return err;
}

/* One row of a list column to another. */
static Err copy_row(ColumnOut *out, const Column *c, u64 row, const DomainSet *domains, Vec *ids,
                    Arena *a)
{
    Err err = E_OK;
    const void *elements;
    u64 count;
    Value v;
    if (out->type == QT_LIST) {
        err = column_value(c, row, domains, a, &v);
        return err == E_OK ? column_append_value(out, &v) : err;
    }
    if (out->type != QT_NESTED + QT_ENUM) {
        err = column_row(c, row, &elements, &count);
        return err == E_OK ? column_append_row(out, elements, count) : err;
    }
    vec_clear(ids);
    err = column_row_ids(c, row, domains, ids);
    return err == E_OK ? column_append_row(out, ids->data, ids->count) : err;
}

Err column_append_column(ColumnOut *out, const Column *c, const u32 *rows, u64 from, u64 count,
                         const DomainSet *domains)
{
    Err err = E_OK;
    Arena a = {0};
    Vec ids;
    ASSERT(is_nested(out) && (c->type >= QT_NESTED || c->rows == 0));
    vec_init(&ids, QT_ENUM);
    for (u64 i = 0; err == E_OK && i < count; i++) {
        u64 row = rows != NULL ? rows[i] : from + i;
        err = column_need(c, row, row + 1);
        if (err != E_OK) break;
        err = copy_row(out, c, row, domains, &ids, &a);
        column_done(c, row, row + 1);
        if (a.used > ROW_MEMORY) arena_reset(&a);
    }
    vec_free(&ids);
    arena_free(&a);
    return err;
}

/* ---- ending */

static Err write_payload(ColumnOut *out)
{
    Buf b = {.size_max = PAYLOAD_MAX};
    Err err = E_OK;
    u8 gap[8] = {0};
    u64 end = block_out_size(out->file);
    err = column_watch_payload(&out->watch, out->old, &b);
    if (err != E_OK) {
        err = fail_note(err, "%s", out->path);
        goto done;
    }
    TRY(block_out_write(out->file, gap, round_up(end, 8) - end));
    TRY(block_out_write(out->file, b.data, b.size));
done:
    buf_free(&b);
    return err;
}

/* A list column without rows: eight bytes and no heap; in the old form a header, and a heap of
 * none. */
static Err write_empty(ColumnOut *out)
{
    static const u8 empty[8] = {0xff, 0x01};
    if (out->old) return begin(out);
    Err err = open_file(out, &out->file, out->path, sizeof empty);
    return err == E_OK ? block_out_write(out->file, empty, sizeof empty) : err;
}

Err column_seal(ColumnOut *out)
{
    Err err = E_OK;
    u8 page[HEADER_PAGE_SIZE];
    ASSERT(!out->sealed);
    out->sealed = true;
    if (is_nested(out) && out->rows == 0) TRY(write_empty(out));
    if (is_nested(out) && !out->begun) goto done;
    TRY(begin(out));
    if (out->type == QT_ENUM && out->watch.attr >= ATTR_UNIQUE) TRY(write_payload(out));
    fill_header(out, page, out->rows);
    block_out_patch(out->file, 0, page, header_size(out));
done:
    return err;
}

u32 column_out_files(ColumnOut *out, BlockOut *files[2])
{
    u32 count = 0;
    if (out->file != NULL) files[count++] = out->file;
    if (out->nested.heap != NULL) files[count++] = out->nested.heap;
    return count;
}

/* Writes the names of the symbols in the heap; the file stays open in *keep. */
static Err write_names(ColumnOut *out, File *keep)
{
    Err err = E_OK;
    char name[BOUND_PATH_MAX];
    u8 head[NAMES_HEAD] = {0xff, 0x01, QT_SYMBOL, ATTR_NONE};
    store_u32(head + 4, (u32)out->nested.name_count);
    TRY(companion(out, name, "##"));
    TRY(file_open(keep, name, FILE_CREATE));
    TRY(file_write(keep, head, sizeof head, 0));
    TRY(file_write(keep, out->nested.names.data, out->nested.names.size, sizeof head));
    if (out->sums == NULL) goto done;
    TRY(sum_add(&out->sums[2], head, sizeof head));
    TRY(sum_add(&out->sums[2], out->nested.names.data, out->nested.names.size));
    TRY(sum_end(&out->sums[2]));
done:
    return err;
}

Err column_end(ColumnOut *out, bool sync, File keep[3], u64 *bytes)
{
    Err err = E_OK;
    BlockOut *file, *heap;
    u64 size = 0;
    for (u32 i = 0; i < 3; i++)
        keep[i] = FILE_NONE;
    *bytes = 0;
    if (!out->sealed) TRY(column_seal(out));
    file = out->file;
    heap = out->nested.heap;
    out->file = out->nested.heap = NULL;
    err = block_out_close(file, sync, sync ? NULL : &keep[0], &size);
    *bytes += size;
    if (heap != NULL && err == E_OK) {
        err = block_out_close(heap, sync, sync ? NULL : &keep[1], &size);
        *bytes += size;
    } else {
        block_out_drop(heap);
    }
    if (err != E_OK || out->nested.name_count == 0) goto done;
    TRY(write_names(out, &keep[2]));
    *bytes += NAMES_HEAD + out->nested.names.size;
    if (!sync) goto done;
    TRY(file_sync(&keep[2]));
    TRY(file_close(&keep[2]));
done:
    for (u32 i = 0; err != E_OK && i < 3; i++)
        file_drop(&keep[i]);
    column_drop(out);
    return err;
}

Err column_finish(ColumnOut *out, bool sync, File keep[2], u64 *bytes)
{
    File files[3] = {FILE_NONE, FILE_NONE, FILE_NONE};
    Err err = column_end(out, sync, files, bytes);
    if (keep != NULL) {
        keep[0] = files[0];
        keep[1] = files[1];
    } else {
        file_drop(&files[0]);
        file_drop(&files[1]);
    }
    if (files[2].fd >= 0 && err == E_OK) err = file_sync(&files[2]);
    file_drop(&files[2]);
    for (u32 i = 0; keep != NULL && err != E_OK && i < 2; i++)
        file_drop(&keep[i]);
    return err;
}

void column_drop(ColumnOut *out)
{
    if (out == NULL) return;
    column_watch_end(&out->watch);
    block_out_drop(out->file);
    block_out_drop(out->nested.heap);
    nested_free(&out->nested);
    free(out->path);
    free(out);
}
