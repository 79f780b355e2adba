/*
 * column: reading a mapped column file, and writing one front to back.
 *
 * Reading. column_open maps the file, decodes its header (header.c), and opens the index behind the
 * elements (attr.c). Nothing is copied: data, keys, offs, slots and perm point into the mapping.
 *
 * Writing. A ColumnOut sends elements to a FileOut in pieces small enough for the first cache
 * level, and looks at each piece while it is there to learn which attribute the file may carry:
 *
 *     wanted              watched                                    ends as
 *     SORTED, plain       each element against the one before        SORTED or NONE
 *     PARTED, plain       the same                                   SORTED or NONE
 *     SORTED, enum        names, at each change of value             SORTED or NONE
 *     PARTED, enum        runs; a value that comes back ends it      PARTED or NONE
 *     UNIQUE, enum        the same, and each run has one row         PARTED or NONE
 *     GROUPED, enum       indices are kept                           GROUPED or NONE
 *
 * `attr` holds what the file may still carry; it only ever falls to NONE, and watching ends when it
 * does. The header is written as a placeholder and patched at the end with attribute and true
 * count.
 *
 * Order of guids is not watched: how kdb+ orders them is not documented, and a column without
 * attribute is always correct. Values that come back are found with one bit a domain index (indices
 * are dense).
 */
#include "column/column.h"

#include "base/bounds.h"
#include "column/attr.h"
#include "column/header.h"
#include "column/nested.h"
#include "q/symbol.h"
#include "q/type.h"

#include <math.h>
#include <stdlib.h>

#define PIECE_BYTES   (32ull << 10)
#define GROUPED_MAX   (1ull << 27)
#define PAYLOAD_MAX   (1ull << 40)
#define DOMAIN_NAME   "sym"
#define TYPE_LOOK_MAX 4096

/* ---- reading */

/* The type of a list column is that of its first vector; an empty list `()` may stand anywhere. */
static Err find_nested_type(Column *c)
{
    const u8 *heap = c->heap.data + HEADER_PAGE_SIZE;
    u64 size = c->heap.size - HEADER_PAGE_SIZE;
    c->type = QT_NESTED;
    for (u64 i = 0; i < c->rows && i < TYPE_LOOK_MAX; i++) {
        NestedItem item;
        Err err = nested_find(heap, size, load_u64((const u8 *)c->data + i * 8), &item);
        if (err == E_UNSUPPORTED) return E_OK;
        if (err != E_OK) return err;
        if (item.type == QT_NESTED) continue;
        c->type = QT_NESTED + item.type;
        return E_OK;
    }
    return E_OK;
}

static Err open_heap(Column *c, const char *path)
{
    char name[BOUND_PATH_MAX];
    u64 length = strlen(path);
    if (length + 2 > sizeof name) return fail(E_LIMIT, "%s: the path is too long", path);
    memcpy(name, path, length);
    memcpy(name + length, "#", 2);
    Err err = file_map(name, UINT64_MAX, &c->heap);
    if (err == E_NOT_FOUND) return fail(E_CORRUPT, "%s: its heap %s is missing", path, name);
    if (err == E_OK) err = header_check_heap(c->heap.data, c->heap.size, name);
    if (err == E_OK) err = find_nested_type(c);
    if (err == E_CORRUPT) return fail_note(err, "%s", path);
    return err;
}

static Err open_mapped(Column *c, const char *path)
{
    Header h;
    Err err = header_decode(c->map.data, c->map.size, path, &h);
    if (err != E_OK) return err;
    c->type = h.type;
    c->attr = h.attr;
    c->wide = h.form == HEADER_ENUM64;
    c->rows = h.rows;
    c->data = c->map.data + h.data_at;
    memcpy(c->domain, h.domain, sizeof c->domain);
    if (h.form == HEADER_ANYMAP) return open_heap(c, path);
    if (h.attr < ATTR_UNIQUE) return E_OK;
    u64 end = round_up(h.data_at + h.rows * h.width, 8);
    if (end > c->map.size) return fail(E_CORRUPT, "%s: no index behind the elements", path);
    err = attr_open(c, c->map.data + end, c->map.size - end);
    return err == E_OK ? E_OK : fail_note(err, "%s", path);
}

Err column_open(Column *c, const char *path)
{
    *c = (Column){0};
    Err err = file_map(path, UINT64_MAX, &c->map);
    if (err == E_OK) err = open_mapped(c, path);
    if (err != E_OK) column_close(c);
    return err;
}

void column_close(Column *c)
{
    file_unmap(&c->map);
    file_unmap(&c->heap);
    *c = (Column){0};
}

Err column_row(const Column *c, u64 i, const void **elements, u64 *count)
{
    NestedItem item;
    ASSERT(i < c->rows);
    u64 reference = load_u64((const u8 *)c->data + i * 8);
    Err err = nested_find(c->heap.data + HEADER_PAGE_SIZE, c->heap.size - HEADER_PAGE_SIZE,
                          reference, &item);
    if (err != E_OK) return err;
    *elements = item.elements;
    *count = item.count;
    if (item.type == QT_NESTED || c->type == QT_NESTED + item.type) return E_OK;
    return fail(E_UNSUPPORTED, "row %llu of a list column is of type %d, others are of type %d",
                (unsigned long long)i, item.type, c->type - QT_NESTED);
}

/* ---- writing */

struct ColumnOut {
    int type;
    int wanted; /* attribute asked for */
    int attr;   /* attribute that the rows so far allow */
    u64 width;  /* bytes of an element or reference in the file */
    u64 rows;
    u64 rows_hint;
    char *path;
    FileOut *file; /* nested: NULL until the first row */
    FileOut *heap;
    u64 heap_at; /* nested: bytes of heap data */
    u8 last[16]; /* the element before, when rows > 0 */
    i64 *keys;   /* runs: their values, and where they begin (offs has one entry more) */
    i64 *offs;
    u64 run_count, run_room;
    u64 *seen; /* one bit a domain index that had a run */
    u64 seen_words;
    bool null_seen;
    i64 *held; /* grouped: all indices */
    u64 held_room;
    const i32 *ids; /* names of indices (column_out_names) */
    i32 id_count;
    i32 last_id; /* sorted enumeration: the symbol before */
};

static bool is_nested(const ColumnOut *out) { return out->type > QT_NESTED; }

static bool watches_runs(const ColumnOut *out)
{
    return out->type == QT_ENUM && (out->attr == ATTR_PARTED || out->attr == ATTR_UNIQUE);
}

/* What may come of a wish, before any row is known. */
static int first_attr(int type, int wanted)
{
    if (type > QT_NESTED) return ATTR_NONE;
    if (type == QT_ENUM) return wanted;
    bool ascending = wanted == ATTR_SORTED || wanted == ATTR_PARTED;
    return ascending && type != QT_GUID ? ATTR_SORTED : ATTR_NONE;
}

/* Opens the file and writes a header's worth of bytes, to be patched at the end. */
static Err open_out(FileOut **file, const char *path, u64 header_size, u64 size_hint)
{
    static const u8 zeros[HEADER_PAGE_SIZE];
    Err err = file_out_open(file, path, size_hint);
    if (err != E_OK) return err;
    return file_out_write(*file, zeros, header_size);
}

static u64 header_size_of(int type)
{
    return type == QT_ENUM || type > QT_NESTED ? HEADER_PAGE_SIZE : HEADER_PLAIN_SIZE;
}

Err column_create(ColumnOut **result, const char *path, int type, int attr, u64 rows_hint)
{
    *result = NULL;
    bool nested = type > QT_NESTED && type <= QT_NESTED + 19 && type_is_fixed(type - QT_NESTED);
    if (!nested && type != QT_ENUM && !type_is_fixed(type)) {
        return fail(E_UNSUPPORTED, "%s: no column file holds elements of type %d", path, type);
    }
    ASSERT(attr >= ATTR_NONE && attr <= ATTR_GROUPED);
    ColumnOut *out = calloc(1, sizeof *out);
    if (out == NULL) return fail(E_MEMORY, "%s: no memory to write it", path);
    out->type = type;
    out->wanted = attr;
    out->attr = first_attr(type, attr);
    out->width = nested ? 8 : type_disk_width(type);
    out->rows_hint = rows_hint;
    out->path = strdup(path);
    Err err = out->path != NULL ? E_OK : fail(E_MEMORY, "%s: no memory to write it", path);
    if (err == E_OK && !nested) {
        u64 header = header_size_of(type);
        err = open_out(&out->file, path, header,
                       rows_hint == 0 ? 0 : header + rows_hint * out->width);
    }
    if (err != E_OK) {
        column_drop(out);
        return err;
    }
    *result = out;
    return E_OK;
}

void column_out_names(ColumnOut *out, const i32 *ids, i32 count)
{
    out->ids = ids;
    out->id_count = count;
}

/* Stops watching: the column gets no attribute. */
static void give_up(ColumnOut *out)
{
    out->attr = ATTR_NONE;
    free(out->keys);
    free(out->offs);
    free(out->seen);
    free(out->held);
    out->keys = out->offs = out->held = NULL;
    out->seen = NULL;
    out->run_count = out->run_room = out->seen_words = out->held_room = 0;
}

static Err no_memory(const ColumnOut *out)
{
    return fail(E_MEMORY, "%s: no memory for its index", out->path);
}

/* Marks an index as met; *again tells whether it was. */
static Err mark_seen(ColumnOut *out, i64 index, bool *again)
{
    if (index < 0) {
        *again = out->null_seen || index != Q_NULL_LONG;
        out->null_seen = true;
        return E_OK;
    }
    u64 word = (u64)index / 64, bit = 1ull << ((u64)index % 64);
    if ((u64)index >= BOUND_SYMBOLS_MAX) {
        *again = true; /* no index of a domain: such a column gets no attribute */
        return E_OK;
    }
    if (word >= out->seen_words) {
        u64 words = MAX(MAX(word + 1, out->seen_words * 2), 64);
        u64 *seen = realloc(out->seen, words * sizeof *seen);
        if (seen == NULL) return no_memory(out);
        memset(seen + out->seen_words, 0, (words - out->seen_words) * sizeof *seen);
        out->seen = seen;
        out->seen_words = words;
    }
    *again = (out->seen[word] & bit) != 0;
    out->seen[word] |= bit;
    return E_OK;
}

/* Begins a run at `row`. */
static Err begin_run(ColumnOut *out, i64 index, u64 row)
{
    if (out->run_count == out->run_room) {
        u64 room = MAX(out->run_room * 2, 64);
        i64 *keys = realloc(out->keys, room * sizeof *keys);
        if (keys == NULL) return no_memory(out);
        out->keys = keys;
        i64 *offs = realloc(out->offs, (room + 1) * sizeof *offs);
        if (offs == NULL) return no_memory(out);
        out->offs = offs;
        out->run_room = room;
    }
    out->keys[out->run_count] = index;
    out->offs[out->run_count++] = (i64)row;
    return E_OK;
}

static Err watch_runs(ColumnOut *out, const u8 *piece, u64 count)
{
    i64 last = load_i64(out->last);
    u64 i = 0;
    if (out->rows == 0 && count > 0) last = ~load_i64(piece);
    while (i < count) {
        i64 index = load_i64(piece + i * 8);
        if (index != last) {
            bool again = false;
            Err err = mark_seen(out, index, &again);
            if (err == E_OK && !again) err = begin_run(out, index, out->rows + i);
            if (err != E_OK) return err;
            if (again) {
                give_up(out);
                return E_OK;
            }
            last = index;
        } else if (out->wanted == ATTR_UNIQUE) {
            give_up(out);
            return E_OK;
        }
        i++;
    }
    return E_OK;
}

static Err hold(ColumnOut *out, const u8 *piece, u64 count)
{
    u64 need = out->rows + count;
    if (need > GROUPED_MAX) {
        give_up(out);
        return E_OK;
    }
    if (need > out->held_room) {
        u64 room =
            MAX(MAX(need, out->held_room * 2), out->rows_hint < GROUPED_MAX ? out->rows_hint : 0);
        i64 *held = realloc(out->held, room * sizeof *held);
        if (held == NULL) return no_memory(out);
        out->held = held;
        out->held_room = room;
    }
    memcpy(out->held + out->rows, piece, count * 8);
    return E_OK;
}

/* Whether a piece of elements ascends, the element before it included; `T` is how they compare.
 * NULLs are the smallest integers; NaN counts as smallest among floats. */
#define ASCENDS(T, less)                                                                           \
    do {                                                                                           \
        T a, b;                                                                                    \
        bool wrong = false;                                                                        \
        memcpy(&a, first ? piece : last, sizeof a);                                                \
        for (u64 i = 0; i < count; i++) {                                                          \
            memcpy(&b, piece + i * sizeof b, sizeof b);                                            \
            wrong |= (less);                                                                       \
            a = b;                                                                                 \
        }                                                                                          \
        return !wrong;                                                                             \
    } while (0)

static bool ascends(int type, const u8 *piece, u64 count, const u8 *last, bool first)
{
    switch (type) {
    case QT_REAL: ASCENDS(f32, !(a <= b) && !isnan(a));
    case QT_FLOAT:
    case QT_DATETIME: ASCENDS(f64, !(a <= b) && !isnan(a));
    case QT_SHORT: ASCENDS(i16, b < a);
    default: break;
    }
    switch (type_width(type)) {
    case 1: ASCENDS(u8, b < a);
    case 4: ASCENDS(i32, b < a);
    case 8: ASCENDS(i64, b < a);
    default: return false;
    }
}

static bool names_ascend(i32 a, i32 b)
{
    return a == b || str_cmp(symbol_text(a), symbol_text(b)) <= 0;
}

/* Sorted enumeration, rows as indices: by the names, when they are known. */
static bool indices_ascend(ColumnOut *out, const u8 *piece, u64 count)
{
    for (u64 i = 0; i < count; i++) {
        i64 index = load_i64(piece + i * 8);
        i32 id = 0;
        if (index != Q_NULL_LONG) {
            if (index < 0 || index >= out->id_count) return false;
            id = out->ids[index];
        }
        if ((out->rows > 0 || i > 0) && !names_ascend(out->last_id, id)) return false;
        out->last_id = id;
    }
    return true;
}

/* Sorted enumeration, rows as symbol ids. */
static bool symbols_ascend(ColumnOut *out, const i32 *ids, const u32 *perm, u64 count)
{
    for (u64 i = 0; i < count; i++) {
        i32 id = ids[perm != NULL ? perm[i] : i];
        if ((out->rows > 0 || i > 0) && !names_ascend(out->last_id, id)) return false;
        out->last_id = id;
    }
    return true;
}

/* Looks at a piece that was just put into the buffer, and counts it. `ordered`: its order was
 * looked at. */
static Err watch(ColumnOut *out, const u8 *piece, u64 count, bool ordered)
{
    Err err = E_OK;
    if (count == 0) return E_OK;
    if (out->attr == ATTR_SORTED && !ordered) {
        bool good = out->type == QT_ENUM
                        ? indices_ascend(out, piece, count)
                        : ascends(out->type, piece, count, out->last, out->rows == 0);
        if (!good) give_up(out);
    }
    if (watches_runs(out)) err = watch_runs(out, piece, count);
    if (out->type == QT_ENUM && out->attr == ATTR_GROUPED) err = hold(out, piece, count);
    if (err != E_OK) return err;
    memcpy(out->last, piece + (count - 1) * out->width, out->width);
    out->rows += count;
    return E_OK;
}

Err column_append(ColumnOut *out, const void *elements, u64 count)
{
    ASSERT(!is_nested(out));
    const u8 *from = elements;
    u64 most = out->attr == ATTR_NONE ? (1ull << 20) / out->width : PIECE_BYTES / out->width;
    while (count > 0) {
        u64 n = MIN(count, most);
        Err err = file_out_write(out->file, from, n * out->width);
        if (err == E_OK) err = watch(out, from, n, false);
        if (err != E_OK) return err;
        from += n * out->width;
        count -= n;
    }
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
    u64 most = PIECE_BYTES / out->width;
    while (count > 0) {
        u64 n = MIN(count, most);
        u8 *place;
        Err err = file_out_room(out->file, n * out->width, &place);
        if (err != E_OK) return err;
        pick(place, base, rows, n, out->width);
        err = watch(out, place, n, false);
        if (err != E_OK) return err;
        file_out_added(out->file, n * out->width);
        rows += n;
        count -= n;
    }
    return E_OK;
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
    u64 most = PIECE_BYTES / 8;
    while (count > 0) {
        u64 n = MIN(count, most);
        u8 *place;
        Err err = file_out_room(out->file, n * 8, &place);
        if (err != E_OK) return err;
        pick_symbols(place, ids, map, perm, n);
        if (out->attr == ATTR_SORTED && !symbols_ascend(out, ids, perm, n)) give_up(out);
        err = watch(out, place, n, true);
        if (err != E_OK) return err;
        file_out_added(out->file, n * 8);
        if (perm != NULL)
            perm += n;
        else
            ids += n;
        count -= n;
    }
    return E_OK;
}

/* Opens both files of a nested column at its first row: without rows it has another form and no
 * heap. */
static Err open_nested(ColumnOut *out)
{
    char name[BOUND_PATH_MAX];
    u64 length = strlen(out->path);
    if (out->file != NULL) return E_OK;
    if (length + 2 > sizeof name) return fail(E_LIMIT, "%s: the path is too long", out->path);
    memcpy(name, out->path, length);
    memcpy(name + length, "#", 2);
    Err err =
        open_out(&out->file, out->path, HEADER_PAGE_SIZE, HEADER_PAGE_SIZE + out->rows_hint * 8);
    return err == E_OK ? open_out(&out->heap, name, HEADER_PAGE_SIZE,
                                  HEADER_PAGE_SIZE + out->rows_hint * 16)
                       : err;
}

Err column_append_row(ColumnOut *out, const void *elements, u64 count)
{
    ASSERT(is_nested(out));
    Err err = open_nested(out);
    if (err == E_OK) {
        err =
            nested_put(out->file, out->heap, &out->heap_at, out->type - QT_NESTED, elements, count);
    }
    if (err == E_OK) out->rows++;
    return err;
}

Err column_append_rows(ColumnOut *out, const Vec *v, const u32 *rows, u64 from, u64 count)
{
    ASSERT(is_nested(out) && v->type == out->type);
    if (count == 0) return E_OK;
    Err err = open_nested(out);
    if (err == E_OK)
        err = nested_put_rows(out->file, out->heap, &out->heap_at, v, rows, from, count);
    if (err == E_OK) out->rows += count;
    return err;
}

int column_out_attr(const ColumnOut *out)
{
    return out->attr == ATTR_UNIQUE ? ATTR_PARTED : out->attr;
}

static Err write_payload(ColumnOut *out)
{
    Buf b = {.size_max = PAYLOAD_MAX};
    Err err = E_OK;
    i64 none = 0;
    if (out->attr == ATTR_GROUPED) {
        err = attr_build_grouped(&b, out->held, out->rows, true);
    } else if (out->run_count == 0) {
        err = attr_build_parted(&b, NULL, &none, 0, true);
    } else {
        out->offs[out->run_count] = (i64)out->rows;
        err = attr_build_parted(&b, out->keys, out->offs, out->run_count, true);
    }
    if (err == E_OK) err = file_out_write(out->file, b.data, b.size);
    buf_free(&b);
    return err;
}

/* Puts the true headers over the placeholders. */
static Err write_headers(ColumnOut *out)
{
    u8 page[HEADER_PAGE_SIZE];
    Err err = E_OK;
    if (out->type == QT_ENUM) {
        header_page(page, DOMAIN_NAME, 0, QT_ENUM, column_out_attr(out), out->rows);
    } else if (is_nested(out)) {
        header_page(page, "", 0, 4, ATTR_NONE, 0);
        TRY(file_out_patch(out->heap, 0, page, sizeof page));
        header_page(page, "", 1, QT_NESTED, ATTR_NONE, out->rows);
    } else {
        header_plain(page, out->type, column_out_attr(out), out->rows);
    }
    TRY(file_out_patch(out->file, 0, page, header_size_of(out->type)));
done:
    return err;
}

/* A nested column without rows: eight bytes and no heap. */
static Err write_empty(ColumnOut *out)
{
    static const u8 empty[8] = {0xff, 0x01};
    Err err = file_out_open(&out->file, out->path, sizeof empty);
    return err == E_OK ? file_out_write(out->file, empty, sizeof empty) : err;
}

Err column_finish(ColumnOut *out, bool sync, File keep[2], u64 *bytes)
{
    Err err = E_OK;
    File none[2] = {FILE_NONE, FILE_NONE};
    if (keep != NULL)
        keep[0] = keep[1] = FILE_NONE;
    else
        keep = none;
    if (is_nested(out) && out->rows == 0) {
        TRY(write_empty(out));
    } else {
        bool indexed = out->type == QT_ENUM && out->attr >= ATTR_UNIQUE;
        if (indexed) TRY(write_payload(out));
        TRY(write_headers(out));
    }
    *bytes = file_out_size(out->file) + (out->heap != NULL ? file_out_size(out->heap) : 0);
    FileOut *file = out->file, *heap = out->heap;
    out->file = out->heap = NULL;
    err = file_out_close(file, sync, sync ? NULL : &keep[0]);
    if (heap != NULL && err == E_OK) {
        err = file_out_close(heap, sync, sync ? NULL : &keep[1]);
    } else {
        file_out_drop(heap);
    }
done:
    if (keep == none || err != E_OK) {
        file_drop(&keep[0]);
        file_drop(&keep[1]);
    }
    column_drop(out);
    return err;
}

void column_drop(ColumnOut *out)
{
    if (out == NULL) return;
    give_up(out);
    file_out_drop(out->file);
    file_out_drop(out->heap);
    free(out->path);
    free(out);
}
