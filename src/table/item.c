/*
 * item: the shapes that a column or a cell may have in a message.
 *
 *     schema type   column                                   cell (one row)
 *     fixed t       vector t                                 atom -t
 *     symbol        vector 11                                atom -11
 *     list of t     list 0 of vectors t (atoms -t, `()`)     vector t, or atom -t (q's "a" for a
 *                                                            string), or `()`
 *     any           empty list `()`, without rows
 *
 * Mixed columns are cell.c's. A row's list has at most BOUND_LIST_MAX bytes.
 *
 * Symbols are skipped a block at a time: zero bytes of 64 are counted in one vectorised loop.
 */
#include "table/item.h"

#include "base/bounds.h"
#include "q/symbol.h"
#include "q/type.h"

#include <stdio.h>

#define VECTOR_HEAD 6 /* type, attribute, count i32 */
#define BLOCK       64

/* Widths of the fixed types, for the compiler to see: type_width is behind a call. 0 = no fixed
 * type. */
static const u8 widths[20] = {
    [QT_BOOLEAN] = 1, [QT_GUID] = 16, [QT_BYTE] = 1,     [QT_SHORT] = 2,    [QT_INT] = 4,
    [QT_LONG] = 8,    [QT_REAL] = 4,  [QT_FLOAT] = 8,    [QT_CHAR] = 1,     [QT_TIMESTAMP] = 8,
    [QT_MONTH] = 4,   [QT_DATE] = 4,  [QT_DATETIME] = 8, [QT_TIMESPAN] = 8, [QT_MINUTE] = 4,
    [QT_SECOND] = 4,  [QT_TIME] = 4,
};

u32 item_width(int type) { return widths[type]; }

const u8 *item_skip_names(const u8 *p, const u8 *end, u64 count)
{
    while ((u64)(end - p) >= BLOCK) {
        u8 zeros = 0;
        for (u32 i = 0; i < BLOCK; i++)
            zeros = (u8)(zeros + (p[i] == 0));
        if (zeros >= count) break;
        count -= zeros;
        p += BLOCK;
    }
    for (; count > 0; p++) {
        if (p == end) return NULL;
        count -= *p == 0;
    }
    return p;
}

/* The count of the vector or list at `p`; false when it is negative or its head is cut. */
static inline bool take_count(const u8 *p, u64 left, u64 *count)
{
    if (left < VECTOR_HEAD) return false;
    i32 n = load_i32(p + 2);
    *count = (u64)n;
    return n >= 0;
}

static inline bool scan_fixed(const u8 *p, u64 left, int type, Item *item)
{
    u64 width = widths[type], count;
    if ((i8)p[0] == type) {
        if (!take_count(p, left, &count) || count > (left - VECTOR_HEAD) / width) return false;
        *item =
            (Item){.data = p + VECTOR_HEAD, .count = count, .size = VECTOR_HEAD + count * width};
        return true;
    }
    if ((i8)p[0] != -type || left < 1 + width) return false;
    *item = (Item){.data = p + 1, .count = 1, .size = 1 + width, .cell = true};
    return true;
}

static inline bool scan_symbols(const u8 *p, u64 left, Item *item)
{
    u64 count;
    if ((i8)p[0] == QT_SYMBOL) {
        if (!take_count(p, left, &count)) return false;
        const u8 *end = item_skip_names(p + VECTOR_HEAD, p + left, count);
        if (end == NULL) return false;
        *item = (Item){.data = p + VECTOR_HEAD, .count = count, .size = (u64)(end - p)};
        return true;
    }
    if ((i8)p[0] != -QT_SYMBOL) return false;
    const u8 *end = memchr(p + 1, 0, left - 1);
    if (end == NULL) return false;
    *item = (Item){.data = p + 1, .count = 1, .size = (u64)(end - p) + 1, .cell = true};
    return true;
}

/* A cell of a list column with elements of `type`: data stays at the object's first byte. */
static inline bool scan_cell(const u8 *p, u64 left, int type, Item *item)
{
    if (left == 0) return false;
    if (p[0] == QT_LIST) {
        if (left < VECTOR_HEAD || load_i32(p + 2) != 0) return false;
        *item = (Item){.data = p, .size = VECTOR_HEAD, .cell = true, .empty = true};
        return true;
    }
    bool good = type == QT_SYMBOL ? scan_symbols(p, left, item) : scan_fixed(p, left, type, item);
    if (!good) return false;
    item->data = p;
    item->heap = item->count;
    item->count = 1;
    item->cell = true;
    return true;
}

/* The bytes of a cell with `*n` elements of `width` bytes; 0 when it is none. */
static inline u64 measure_cell(const u8 *p, u64 left, int type, u64 width, u64 *n)
{
    if (left >= VECTOR_HEAD && ((i8)p[0] == type || p[0] == QT_LIST)) {
        i32 count = load_i32(p + 2);
        *n = (u64)count;
        if (count < 0 || *n > (left - VECTOR_HEAD) / width) return 0;
        return p[0] == QT_LIST && count > 0 ? 0 : VECTOR_HEAD + *n * width;
    }
    *n = 1;
    return left > width && (i8)p[0] == -type ? 1 + width : 0;
}

/* Looks at the cells of a list of fixed elements; false when one is none. *widest = bytes of the
 * largest. */
static inline bool scan_cells(const u8 *p, u64 left, int type, Item *item, u64 *widest)
{
    u64 width = widths[type], at = VECTOR_HEAD, heap = 0, most = 0;
    for (u64 i = 0; i < item->count; i++) {
        u64 n, size = measure_cell(p + at, left - at, type, width, &n);
        if (size == 0) return false;
        at += size;
        heap += n;
        most = MAX(most, size);
    }
    item->size = at;
    item->heap = heap;
    *widest = most;
    return true;
}

static bool scan_names(const u8 *p, u64 left, Item *item, u64 *widest)
{
    u64 at = VECTOR_HEAD, heap = 0;
    for (u64 i = 0; i < item->count; i++) {
        Item cell;
        if (!scan_cell(p + at, left - at, QT_SYMBOL, &cell)) return false;
        at += cell.size;
        heap += cell.heap;
        *widest = MAX(*widest, cell.size);
    }
    item->size = at;
    item->heap = heap;
    return true;
}

static bool scan_list(const u8 *p, u64 left, int type, Item *item)
{
    u64 count, widest = 0;
    if (!take_count(p, left, &count)) return false;
    *item = (Item){.data = p + VECTOR_HEAD, .count = count, .empty = count == 0};
    bool good = type == QT_SYMBOL ? scan_names(p, left, item, &widest)
                                  : scan_cells(p, left, type, item, &widest);
    item->large = widest > BOUND_LIST_MAX;
    return good && !item->large;
}

bool item_scan(const u8 *p, u64 left, int type, Item *item)
{
    if (left == 0) return false;
    if (type > QT_NESTED) {
        item->large = false;
        if (p[0] == QT_LIST) return scan_list(p, left, type - QT_NESTED, item);
        bool good = scan_cell(p, left, type - QT_NESTED, item);
        item->large = good && item->size > BOUND_LIST_MAX;
        return good && !item->large;
    }
    if (p[0] == QT_LIST) {
        if (left < VECTOR_HEAD || load_i32(p + 2) != 0) return false;
        *item = (Item){.data = p + VECTOR_HEAD, .size = VECTOR_HEAD, .empty = true};
        return true;
    }
    return type == QT_SYMBOL ? scan_symbols(p, left, item) : scan_fixed(p, left, type, item);
}

static Err append_symbols(const Item *item, Vec *v)
{
    u64 used;
    Err err = vec_reserve(v, item->count, 0);
    if (err != E_OK) return err;
    u64 room = item->cell ? item->size - 1 : item->size - VECTOR_HEAD;
    err = symbol_intern_many((const char *)item->data, room, item->count, vec_i32(v) + v->count,
                             &used);
    if (err == E_OK) v->count += item->count;
    return err;
}

/* The names of a cell as ids, which have their room. */
static Err append_names(const Item *cell, Vec *v)
{
    u64 used, at = v->count > 0 ? v->offs[v->count] : 0;
    u64 head = (i8)cell->data[0] < 0 ? 1 : VECTOR_HEAD;
    Err err = vec_reserve(v, 1, cell->heap);
    if (err != E_OK) return err;
    err = symbol_intern_many((const char *)cell->data + head, cell->size - head, cell->heap,
                             (i32 *)v->data + at, &used);
    if (err == E_OK) v->offs[++v->count] = at + cell->heap;
    return err;
}

static Err append_cell(const Item *cell, int type, Vec *v)
{
    if (cell->empty || cell->heap == 0) return vec_append_row(v, NULL, 0);
    if (type == QT_SYMBOL) return append_names(cell, v);
    if ((i8)cell->data[0] < 0) return vec_append_row(v, cell->data + 1, 1);
    return vec_append_row(v, cell->data + VECTOR_HEAD, (cell->size - VECTOR_HEAD) / widths[type]);
}

/* As vec_append, without its calls when there is room; single elements are one load and one
 * store. */
static inline Err append_fixed(const Item *item, u64 width, Vec *v)
{
    if (v->room - v->count < item->count || v->room == 0) {
        Err err = vec_reserve(v, item->count, 0);
        if (err != E_OK) return err;
    }
    u8 *to = (u8 *)v->data + v->count * width;
    v->count += item->count;
    if (item->count != 1) {
        if (item->count > 0) memcpy(to, item->data, item->count * width);
        return E_OK;
    }
    switch (width) {
    case 1: *to = *item->data; break;
    case 2: memcpy(to, item->data, 2); break;
    case 4: memcpy(to, item->data, 4); break;
    case 8: memcpy(to, item->data, 8); break;
    default: memcpy(to, item->data, 16); break;
    }
    return E_OK;
}

Err item_append(const Item *item, int type, Vec *v)
{
    if (type == QT_SYMBOL) return append_symbols(item, v);
    if (type < (int)COUNT_OF(widths)) return append_fixed(item, widths[type], v);
    if (item->cell) return append_cell(item, type - QT_NESTED, v);
    const u8 *p = item->data;
    u64 left = item->size - VECTOR_HEAD;
    Err err = vec_reserve(v, item->count, item->heap);
    for (u64 i = 0; i < item->count && err == E_OK; i++) {
        Item cell;
        bool good = scan_cell(p, left, type - QT_NESTED, &cell);
        ASSERT(good);
        err = append_cell(&cell, type - QT_NESTED, v);
        p += cell.size;
        left -= cell.size;
    }
    return err;
}

const char *item_describe(const u8 *p, u64 left, char out[64])
{
    if (left == 0) return "nothing";
    int type = (i8)p[0];
    if (type == QT_LIST) {
        const char *of = left > VECTOR_HEAD ? type_name((i8)p[VECTOR_HEAD]) : "";
        snprintf(out, 64, "list%s%s%s", *of ? " of " : "", of, *of ? "s" : "");
    } else if (type >= -19 && type <= 19) {
        snprintf(out, 64, "%s %s", type_name(type), type < 0 ? "atom" : "vector");
    } else {
        snprintf(out, 64, "%s (type %d)", type_name(type), type);
    }
    return out;
}
