/*
 * column: reading a column file. Writing is column_out.c.
 *
 * column_open gets the file's plain bytes (image.c), decodes its header (header.c), and opens the
 * index behind the elements (attr.c). Nothing is copied: data, keys, offs, slots and perm point
 * into the image. A list column brings its companion `name#` (for an anymap the heap, for the old
 * form the bare elements) and, when there is one, the symbol list `name##`.
 *
 * A damaged index does not make the rows unreadable: it is not used, and `damage` keeps the rule
 * that it breaks for those who check.
 *
 * Elements never lie across two blocks: they begin at a multiple of their width, which is a power
 * of two as the size of a block is.
 *
 * Needs. When an image inflates on need, nothing stays needed behind the opening, so that a cache
 * of open columns costs little: a small index is copied. A large one, and the heap of a mixed
 * column, are needed until the column is closed. Rows are needed by range. For an anymap column
 * that means the references and each row's item, which is found by its first bytes; column_done
 * walks the same references again, as they are still there.
 */
#include "column/column.h"

#include "base/bounds.h"
#include "column/attr.h"
#include "column/header.h"
#include "column/mixed.h"
#include "column/nested.h"
#include "q/symbol.h"
#include "q/type.h"

#include <stdlib.h>

#define TYPE_LOOK_MAX 4096
#define TYPE_LOOK     64           /* rows looked at together */
#define COPY_MAX      (1ull << 20) /* bytes of an index that is copied */

/* ---- list columns */

/* Where the heap's data begins: an old companion has no header. */
static u64 heap_at(const Column *c) { return c->old ? 0 : HEADER_PAGE_SIZE; }

static const u8 *heap_data(const Column *c) { return c->heap.data + heap_at(c); }

static u64 heap_size(const Column *c) { return c->heap.size - heap_at(c); }

static u64 word_at(const Column *c, u64 i) { return load_u64((const u8 *)c->data + i * 8); }

/* The item of a row whose bytes are readable. */
static Err find_item(const Column *c, u64 i, NestedItem *item)
{
    return nested_find(heap_data(c), heap_size(c), word_at(c, i), item);
}

/* The bytes of the heap's image that hold a row's first bytes, and its item. */
static void item_range(const Column *c, u64 i, const NestedItem *item, u64 *from, u64 *to)
{
    *from = heap_at(c) + (word_at(c, i) & NESTED_OFFSET);
    *to = *from + (item != NULL ? item->size : NESTED_LOOK);
}

/* Ranges of the heap that hold items, one after another. A range is noted once for all neighbouring
 * items that stand in it; so a need of many rows costs little a row. Which ranges come depends on
 * the items alone, so that those that are needed are those that are let go. */
typedef struct {
    u64 from, to; /* of the last range, whole blocks */
} ItemWalk;

/* Whether a range lies outside of the last one, and becomes it. */
static bool walk_on(const Column *c, ItemWalk *w, u64 from, u64 to)
{
    to = MIN(to, c->heap.size);
    if (from >= w->from && to <= w->to) return false;
    w->from = from;
    w->to = to;
    image_widen(&c->heap_image, &w->from, &w->to);
    return true;
}

/* Makes the item of a row readable; *held counts what was needed. */
static Err need_item(const Column *c, u64 i, ItemWalk *w, u64 *held)
{
    NestedItem item;
    u64 from, to;
    Err err = E_OK;
    item_range(c, i, NULL, &from, &to);
    if (walk_on(c, w, from, to)) {
        err = image_need(&c->heap_image, w->from, w->to);
        if (err != E_OK) return err;
        (*held)++;
    }
    err = find_item(c, i, &item);
    if (err != E_OK) return err;
    item_range(c, i, &item, &from, &to);
    if (walk_on(c, w, from, to)) {
        err = image_need(&c->heap_image, w->from, w->to);
        if (err == E_OK) (*held)++;
    }
    return err;
}

/* Lets go of the first `held` ranges of rows [from, to), each when the next one is known. */
static void done_items(const Column *c, u64 from, u64 to, u64 held)
{
    ItemWalk w = {0}, last = {0};
    for (u64 i = from; i < to && held > 0; i++) {
        for (u32 step = 0; step < 2 && held > 0; step++) {
            NestedItem item;
            u64 at, end;
            if (step == 1 && find_item(c, i, &item) != E_OK) break;
            item_range(c, i, step == 1 ? &item : NULL, &at, &end);
            if (!walk_on(c, &w, at, end)) continue;
            if (last.to > 0) image_done(&c->heap_image, last.from, last.to);
            last = w;
            held--;
        }
    }
    if (last.to > 0) image_done(&c->heap_image, last.from, last.to);
}

/* Looks at items of rows [from, to) until one tells the type. *held ranges of the heap are needed
 * then. */
static Err look_for_type(Column *c, u64 from, u64 to, u64 *held)
{
    ItemWalk w = {0};
    for (u64 i = from; i < to; i++) {
        NestedItem item = {0};
        Err err = need_item(c, i, &w, held);
        if (err == E_OK) err = find_item(c, i, &item);
        if (err != E_OK) return err;
        if (item.type == QT_NESTED && item.count == 0) continue;
        c->type = QT_NESTED;
        if (item.type <= QT_ENUM)
            c->type = QT_NESTED + (item.type == QT_SYMBOL ? QT_ENUM : item.type);
        return E_OK;
    }
    return E_OK;
}

/* The type of a list column is that of its first vector; an empty list `()` may stand anywhere. */
static Err find_nested_type(Column *c)
{
    Err err = E_OK;
    u64 at = (u64)((const u8 *)c->data - c->map.data), rows = MIN(c->rows, TYPE_LOOK_MAX);
    c->type = 0;
    for (u64 from = 0, to; from < rows && c->type == 0 && err == E_OK; from = to) {
        u64 held = 0;
        to = MIN(from + TYPE_LOOK, rows);
        TRY(image_need(&c->image, at + from * 8, at + to * 8));
        err = look_for_type(c, from, to, &held);
        done_items(c, from, to, held);
        image_done(&c->image, at + from * 8, at + to * 8);
    }
    if (c->type == 0) c->type = QT_NESTED;
done:
    return err;
}

/* The name of a companion, in a buffer of BOUND_PATH_MAX bytes. */
static Err companion(char *out, const char *path, const char *ending)
{
    u64 length = strlen(path), more = strlen(ending) + 1;
    if (length + more > BOUND_PATH_MAX) return fail(E_LIMIT, "%s: the path is too long", path);
    memcpy(out, path, length);
    memcpy(out + length, ending, more);
    return E_OK;
}

static Err read_names(Column *c, const char *path)
{
    Err err = E_OK;
    Domain d = {0};
    char name[BOUND_PATH_MAX];
    TRY(companion(name, path, "##"));
    TRY(domain_open(&d, name, UINT64_MAX));
    c->names = d.ids;
    c->name_count = (u64)d.count;
    d.ids = NULL;
done:
    domain_close(&d);
    return err;
}

static Err open_heap(Column *c, const char *path, ImageMode mode)
{
    char name[BOUND_PATH_MAX];
    Err err = companion(name, path, "#");
    if (err == E_OK) err = image_open(&c->heap_image, name, mode);
    if (err == E_NOT_FOUND) return fail(E_CORRUPT, "%s: its companion %s is missing", path, name);
    c->heap = c->heap_image.plain;
    return err == E_OK ? E_OK : fail_note(err, "%s", path);
}

static Err open_anymap(Column *c, const char *path, ImageMode mode)
{
    Err err = open_heap(c, path, mode);
    if (err == E_OK) err = image_need(&c->heap_image, 0, HEADER_PAGE_SIZE);
    if (err != E_OK) return err;
    err = header_check_heap(c->heap.data, c->heap.size, path);
    image_done(&c->heap_image, 0, HEADER_PAGE_SIZE);
    if (err == E_OK) err = read_names(c, path);
    if (err == E_OK) err = find_nested_type(c);
    if (err != E_OK) return fail_note(err, "%s", path);
    /* items of mixed columns refer to others anywhere */
    return c->type == QT_NESTED ? image_need(&c->heap_image, 0, c->heap.size) : E_OK;
}

/* The elements of rows [from, to) of an old list column; E_CORRUPT when they are not there. */
static Err old_range(const Column *c, u64 from, u64 to, u64 *begin, u64 *end)
{
    u64 count = heap_size(c) / type_width(c->type - QT_NESTED);
    *begin = from > 0 ? word_at(c, from - 1) : 0;
    *end = to > 0 ? word_at(c, to - 1) : 0;
    if (*begin <= *end && *end <= count) return E_OK;
    return fail(E_CORRUPT, "row %llu of a list column ends at element %llu of %llu",
                (unsigned long long)to - 1, (unsigned long long)*end, (unsigned long long)count);
}

/* ---- opening */

/* Opens the index behind the elements, if it has a form that is known and is sound. */
static Err open_index(Column *c, const Header *h, const char *path)
{
    if (h->attr < ATTR_UNIQUE || h->type != QT_ENUM) return E_OK;
    u64 end = round_up(h->data_at + h->rows * h->width, 8);
    if (end > c->map.size) {
        c->damage = "it is missing";
        c->attr = ATTR_NONE;
        return E_OK;
    }
    const u8 *index = c->map.data + end;
    u64 size = c->map.size - end;
    Err err = image_need(&c->image, end, c->map.size);
    if (err != E_OK) return err;
    if (image_on_need(&c->image) && size <= COPY_MAX) {
        c->index = malloc(size + 1);
        if (c->index == NULL) err = fail(E_MEMORY, "%s: no memory to open it", path);
        if (err == E_OK) memcpy(c->index, index, size);
        index = c->index;
        image_done(&c->image, end, c->map.size);
        if (err != E_OK) return err;
    }
    err = attr_open(c, index, size);
    if (err == E_CORRUPT) {
        c->damage = attr_damage();
        c->attr = ATTR_NONE;
        return E_OK;
    }
    return err == E_OK ? E_OK : fail_note(err, "%s", path);
}

static Err open_image(Column *c, const char *path, ImageMode mode)
{
    Header h;
    c->map = c->image.plain;
    Err err = image_need(&c->image, 0, HEADER_PAGE_SIZE);
    if (err != E_OK) return err;
    err = header_decode(c->map.data, c->map.size, path, &h);
    image_done(&c->image, 0, HEADER_PAGE_SIZE);
    if (err != E_OK) return err;
    c->type = h.type;
    c->attr = h.attr;
    c->wide = h.form == HEADER_ENUM64;
    c->old = h.form == HEADER_OLD;
    c->rows = h.rows;
    c->data = c->map.data + h.data_at;
    _Static_assert(sizeof c->domain == sizeof h.domain, "a domain's name in both");
    memcpy(c->domain, h.domain, sizeof c->domain);
    if (h.form == HEADER_ANYMAP) return open_anymap(c, path, mode);
    if (h.form == HEADER_OLD) return open_heap(c, path, mode);
    return open_index(c, &h, path);
}

static Err open_column(Column *c, const char *path, ImageMode mode)
{
    *c = (Column){0};
    Err err = image_open(&c->image, path, mode);
    if (err == E_OK) err = open_image(c, path, mode);
    if (err != E_OK) column_close(c);
    return err;
}

Err column_open(Column *c, const char *path) { return open_column(c, path, IMAGE_WHOLE); }

Err column_open_on_need(Column *c, const char *path) { return open_column(c, path, IMAGE_ON_NEED); }

bool column_fits(const Column *c, int type)
{
    bool list = type_is_nested(c->type) || (c->type == QT_LIST && c->rows == 0);
    if (!type_is_nested(type)) return c->type == type;
    return list && (c->type == type || type == QT_NESTED || c->rows == 0 || c->type == QT_NESTED);
}

bool column_lost(const Column *c) { return image_lost(&c->image) || image_lost(&c->heap_image); }

void column_close(Column *c)
{
    image_close(&c->image);
    image_close(&c->heap_image);
    free(c->names);
    free(c->index);
    *c = (Column){0};
}

/* ---- needs */

static u64 width_of(const Column *c)
{
    if (c->type >= QT_NESTED) return 8;
    return c->type == QT_ENUM && !c->wide ? 4 : type_disk_width(c->type);
}

/* The bytes of the image that hold rows [from, to); of an old list also the count before. */
static void row_bytes(const Column *c, u64 from, u64 to, u64 *first, u64 *end)
{
    u64 at = (u64)((const u8 *)c->data - c->map.data), width = width_of(c);
    *first = at + (c->old && from > 0 ? from - 1 : from) * width;
    *end = at + to * width;
}

static Err need_companion(const Column *c, u64 from, u64 to)
{
    u64 begin, end, held = 0, width = type_width(c->type - QT_NESTED);
    ItemWalk w = {0};
    if (c->old) {
        Err err = old_range(c, from, to, &begin, &end);
        return err == E_OK ? image_need(&c->heap_image, begin * width, end * width) : err;
    }
    for (u64 i = from; i < to; i++) {
        Err err = need_item(c, i, &w, &held);
        if (err == E_OK) continue;
        done_items(c, from, to, held);
        return err;
    }
    return E_OK;
}

static void done_companion(const Column *c, u64 from, u64 to)
{
    u64 begin, end, width = type_width(c->type - QT_NESTED);
    if (!c->old) {
        done_items(c, from, to, UINT64_MAX);
    } else if (old_range(c, from, to, &begin, &end) == E_OK) {
        image_done(&c->heap_image, begin * width, end * width);
    }
}

Err column_need(const Column *c, u64 from, u64 to)
{
    u64 first, end;
    if (!column_on_need(c) || from >= to) return E_OK;
    ASSERT(to <= c->rows);
    row_bytes(c, from, to, &first, &end);
    Err err = image_need(&c->image, first, end);
    if (err != E_OK || !image_on_need(&c->heap_image)) return err;
    err = need_companion(c, from, to);
    if (err != E_OK) image_done(&c->image, first, end);
    return err;
}

void column_done(const Column *c, u64 from, u64 to)
{
    u64 first, end;
    if (!column_on_need(c) || from >= to) return;
    if (image_on_need(&c->heap_image)) done_companion(c, from, to);
    row_bytes(c, from, to, &first, &end);
    image_done(&c->image, first, end);
}

/* ---- front to back */

void column_reader_open(ColumnReader *r, const Column *c)
{
    ASSERT(c->type < QT_NESTED && c->type != QT_LIST);
    *r = (ColumnReader){.column = c, .reader = {.image = &c->image}};
}

Err column_reader_rows(ColumnReader *r, u64 from, const void **elements, u64 *count)
{
    const Column *c = r->column;
    u64 at, end, width = width_of(c);
    ASSERT(from < c->rows);
    row_bytes(c, from, c->rows, &at, &end);
    Err err = image_reader_move(&r->reader, at);
    if (err != E_OK) return err;
    *elements = r->reader.data + (at - r->reader.from);
    *count = (MIN(r->reader.to, end) - at) / width;
    return E_OK;
}

void column_reader_close(ColumnReader *r) { image_reader_close(&r->reader); }

/* ---- rows */

static Err other_type(const Column *c, u64 i, int type)
{
    return fail(E_UNSUPPORTED, "row %llu of a list column is of type %d, others are of type %d",
                (unsigned long long)i, type, c->type - QT_NESTED);
}

Err column_row(const Column *c, u64 i, const void **elements, u64 *count)
{
    NestedItem item;
    u64 begin, end;
    ASSERT(i < c->rows && c->type >= QT_NESTED);
    if (c->old) {
        Err err = old_range(c, i, i + 1, &begin, &end);
        if (err != E_OK) return err;
        *count = end - begin;
        *elements = *count > 0 ? c->heap.data + begin * type_width(c->type - QT_NESTED) : NULL;
        return E_OK;
    }
    Err err = find_item(c, i, &item);
    if (err != E_OK) return err;
    *elements = item.elements;
    *count = item.count;
    if (item.type == QT_NESTED && item.count == 0) return E_OK;
    if (item.type == c->type - QT_NESTED && item.type != QT_ENUM) return E_OK;
    return other_type(c, i, item.type);
}

/* The ids of an enumeration's indices. */
static Err append_indices(const Column *c, u64 i, const NestedItem *item, const DomainSet *domains,
                          Vec *ids)
{
    i64 position = nested_domain(item);
    const char *name = "sym";
    if (position >= 0 && (u64)position < c->name_count)
        name = symbol_text(c->names[position]).data;
    else if (position != NESTED_SYM)
        return fail(E_CORRUPT, "row %llu of a list column: its domain has no name",
                    (unsigned long long)i);
    const Domain *d = domains != NULL ? domains->find(domains->arg, name) : NULL;
    if (d == NULL) return fail(E_NOT_FOUND, "the domain %s is not there", name);
    for (u64 k = 0; k < item->count; k++) {
        i32 id = domain_id(d, load_i64((const u8 *)item->elements + 8 * k));
        if (id < 0)
            return fail(E_CORRUPT, "row %llu of a list column: an index beyond its domain",
                        (unsigned long long)i);
        Err err = vec_append(ids, &id, 1);
        if (err != E_OK) return err;
    }
    return E_OK;
}

Err column_row_ids(const Column *c, u64 i, const DomainSet *domains, Vec *ids)
{
    NestedItem item;
    ASSERT(i < c->rows && c->type >= QT_NESTED && !c->old && ids->type == QT_ENUM);
    Err err = find_item(c, i, &item);
    if (err != E_OK || (item.type == QT_NESTED && item.count == 0)) return err;
    if (item.type == QT_ENUM) return append_indices(c, i, &item, domains, ids);
    if (item.type != QT_SYMBOL) return other_type(c, i, item.type);
    for (u64 k = 0; k < item.count; k++) {
        u32 position = load_u32((const u8 *)item.elements + 4 * k);
        if (position >= c->name_count)
            return fail(E_CORRUPT, "row %llu of a list column: a symbol that its names do not hold",
                        (unsigned long long)i);
        err = vec_append(ids, &c->names[position], 1);
        if (err != E_OK) return err;
    }
    return E_OK;
}

/* One element of an enumeration. */
static Err index_value(const Column *c, u64 i, const DomainSet *domains, Value *v)
{
    const Domain *d = domains != NULL ? domains->find(domains->arg, c->domain) : NULL;
    i64 index = column_index(c, i);
    *v = value_long(index);
    if (d == NULL) return E_OK;
    i32 id = domain_id(d, index);
    if (id < 0)
        return fail(E_CORRUPT, "row %llu: index %lld is beyond the domain %s",
                    (unsigned long long)i, (long long)index, c->domain);
    *v = value_sym(symbol_text(id));
    return E_OK;
}

/* Elements of an old list as a vector, copied when they are not aligned. */
static Err old_value(const Column *c, u64 i, Arena *a, Value *v)
{
    const void *elements;
    u64 count, width = type_width(c->type - QT_NESTED);
    void *copy;
    Err err = column_row(c, i, &elements, &count);
    if (err == E_OK && (uintptr_t)elements % MIN(width, 8) != 0) {
        err = arena_try(a, count, width, &copy);
        if (err == E_OK && count > 0) memcpy(copy, elements, count * width);
        elements = copy;
    }
    if (err != E_OK) return err;
    *v = value_vec(vec_of(c->type - QT_NESTED, elements, count));
    return E_OK;
}

Err column_value(const Column *c, u64 i, const DomainSet *domains, Arena *a, Value *v)
{
    *v = value_null();
    ASSERT(i < c->rows);
    if (c->type == QT_ENUM) return index_value(c, i, domains, v);
    if (c->old) return old_value(c, i, a, v);
    if (c->type < QT_NESTED) {
        Value all = value_vec(vec_of(c->type, c->data, c->rows));
        *v = value_at(&all, i);
        return E_OK;
    }
    MixedHeap heap = {.image = &c->heap_image,
                      .data_at = HEADER_PAGE_SIZE,
                      .names = c->names,
                      .name_count = c->name_count,
                      .domains = domains};
    return mixed_decode(&heap, word_at(c, i), a, v);
}
