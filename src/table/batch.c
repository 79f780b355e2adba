/*
 * batch: rows in columns: from messages, from text, from other batches, and to messages.
 *
 * A published object has one of four shapes; batch_check_wire and batch_append_wire walk it the
 * same way:
 *
 *     table    62 00 63 0b 00 n names 00 00 n columns     columns in any order, by name
 *     columns  00 00 n columns                            in schema order
 *     row      00 00 n cells                              in schema order
 *     alike    t 00 n elements                            a row whose cells are atoms of one type t
 * (q makes a vector of such a list)
 *
 * Names of a table are compared with the schema in its order first, one memcmp a column; only when
 * they differ are they looked up. Nothing is allocated a message: columns grow by themselves.
 *
 * Invariant: outside of these functions every column has `rows` rows. Appending a message checks it
 * on the way and cuts the columns back when it does not fit, so a failure leaves no trace but
 * interned names.
 */
#include "table/batch.h"

#include "base/bounds.h"
#include "q/symbol.h"
#include "q/type.h"
#include "q/wire.h"
#include "table/cast.h"
#include "table/cell.h"
#include "table/item.h"

#include <stdlib.h>

#define LIST_HEAD 6

void batch_init(Batch *b, const Schema *s)
{
    *b = (Batch){.schema = s};
    b->cols = calloc(MAX(s->column_count, 1), sizeof *b->cols);
    ASSERT(b->cols && "memory is gone");
    for (u32 i = 0; i < s->column_count; i++) {
        vec_init(&b->cols[i], schema_memory_type(&s->columns[i]));
    }
}

void batch_clear(Batch *b) { batch_cut(b, 0); }

void batch_free(Batch *b)
{
    if (b->cols != NULL) {
        for (u32 i = 0; i < b->schema->column_count; i++)
            vec_free(&b->cols[i]);
    }
    free(b->cols);
    *b = (Batch){.schema = b->schema};
}

u64 batch_bytes(const Batch *b)
{
    u64 bytes = 0;
    for (u32 i = 0; i < b->schema->column_count; i++)
        bytes += vec_bytes(&b->cols[i]);
    return bytes;
}

void batch_cut(Batch *b, u64 rows)
{
    for (u32 i = 0; i < b->schema->column_count; i++) {
        Vec *v = &b->cols[i];
        if (rows == 0)
            vec_clear(v);
        else
            v->count = MIN(v->count, rows);
    }
    b->rows = MIN(b->rows, rows);
}

/* ---- messages */

typedef enum { SHAPE_TABLE, SHAPE_LIST, SHAPE_ALIKE } Shape;

typedef struct {
    const Schema *schema;
    Shape shape;
    const u8 *p, *end; /* the next column or cell */
    const u8
        *names; /* table in another order: the next name; NULL when names are as in the schema */
    u32 count;
} Walk;

static Err bad_shape(const Schema *s, const char *what)
{
    return fail(E_TYPE, "table %s: %s", s->name, what);
}

static Err bad_count(const Schema *s, i64 count)
{
    return fail(E_TYPE, "table %s: %lld columns, expected %u", s->name, (long long)count,
                s->column_count);
}

static Err open_table(Walk *w, const u8 *body, u64 size)
{
    const Schema *s = w->schema;
    if (size < 9 || body[2] != QT_DICT || body[3] != QT_SYMBOL)
        return bad_shape(s, "no table of named columns");
    i32 count = load_i32(body + 5);
    if (count < 0 || (u32)count != s->column_count) return bad_count(s, count);
    w->shape = SHAPE_TABLE;
    w->count = (u32)count;
    const u8 *p = body + 9;
    u32 i = 0;
    for (; i < w->count; i++) {
        const char *name = s->columns[i].name;
        u64 n = strlen(name) + 1;
        if ((u64)(w->end - p) < n || memcmp(p, name, n) != 0) break;
        p += n;
    }
    if (i < w->count) {
        w->names = body + 9;
        p = item_skip_names(w->names, w->end, w->count);
        if (p == NULL) return bad_shape(s, "names run past the end");
    }
    if (w->end - p < LIST_HEAD || p[0] != QT_LIST || load_i32(p + 2) != count) {
        return bad_shape(s, "columns are not as many as names");
    }
    w->p = p + LIST_HEAD;
    return E_OK;
}

static Err open_walk(Walk *w, const Schema *s, const u8 *body, u64 size)
{
    *w = (Walk){.schema = s, .end = body + size, .shape = SHAPE_LIST};
    if (size < LIST_HEAD) return bad_shape(s, "neither a table nor a list");
    if (body[0] == QT_TABLE) return open_table(w, body, size);
    i32 count = load_i32(body + 2);
    if (body[0] != QT_LIST) {
        /* only atoms of one type come as such a vector; other bytes are no list at all */
        if (body[0] > 19) return bad_shape(s, "neither a table nor a list");
        w->shape = SHAPE_ALIKE;
    }
    if (count < 0 || (u32)count != s->column_count) return bad_count(s, count);
    w->count = (u32)count;
    w->p = body + LIST_HEAD;
    return E_OK;
}

/* The schema column of the walk's k-th column. */
static Err column_at(Walk *w, u32 k, u64 *seen, u32 *column)
{
    *column = k;
    if (w->names == NULL) return E_OK;
    Str name = {(const char *)w->names, strlen((const char *)w->names)};
    w->names += name.size + 1;
    i32 at = schema_find(w->schema, name);
    if (at < 0)
        return fail(E_TYPE, "table %s has no column \"%.*s\"", w->schema->name, STR_FMT(name));
    u64 bit = 1ull << (at % 64);
    if (seen[at / 64] & bit) {
        return fail(E_TYPE, "table %s: column %s stands twice", w->schema->name,
                    w->schema->columns[at].name);
    }
    seen[at / 64] |= bit;
    *column = (u32)at;
    return E_OK;
}

static Err bad_type(const Walk *w, u32 column)
{
    char found[64];
    const SchemaColumn *c = &w->schema->columns[column];
    return fail(E_TYPE, "table %s, column %s: expected %s, found %s", w->schema->name, c->name,
                c->type == QT_LIST ? "mixed" : type_name(c->type),
                item_describe(w->p, (u64)(w->end - w->p), found));
}

static Err too_large(const Walk *w, u32 column)
{
    return fail(E_TYPE, "table %s, column %s: a list of more than %llu bytes in one row",
                w->schema->name, w->schema->columns[column].name, BOUND_LIST_MAX);
}

/* A row of equal atoms: each schema column takes one element. */
static Err walk_alike(Walk *w, const u8 *body, Batch *into)
{
    u64 left = (u64)(w->end - w->p);
    int type = body[0];
    for (u32 k = 0; k < w->count; k++) {
        Item item = {.data = w->p, .count = 1, .cell = true};
        if (w->schema->columns[k].type != type) {
            w->p = body;
            return bad_type(w, k);
        }
        if (type == QT_SYMBOL) {
            const u8 *end = memchr(w->p, 0, left);
            if (end == NULL) return bad_shape(w->schema, "a name does not end");
            item.size = (u64)(end - w->p) + 2;
        } else {
            item.size = type_width(type) + 1;
            if (item.size - 1 > left) return bad_shape(w->schema, "cut short");
        }
        if (into != NULL) {
            Err err = item_append(&item, type, &into->cols[k]);
            if (err != E_OK) return err;
        }
        w->p += item.size - 1;
        left -= item.size - 1;
    }
    return E_OK;
}

/* What the columns of a list or table have in common so far. */
typedef struct {
    enum { KIND_UNKNOWN, KIND_COLUMNS, KIND_ROW } kind;

    u64 rows;
    u32 empties; /* items `()` met, which fit both kinds */
    bool no_row; /* one of them in a column that is no list column: it is no cell */
} Common;

static Err bad_mixture(const Walk *w, u32 column)
{
    const char *what = "atoms and vectors are mixed";
    if (w->shape == SHAPE_TABLE)
        what = w->schema->columns[column].type > QT_NESTED
                   ? "one vector or atom where a list of vectors is expected"
                   : "an atom where a vector is expected";
    return fail(E_TYPE, "table %s, column %s: %s", w->schema->name, w->schema->columns[column].name,
                what);
}

/* Whether the object of a mixed column, which comes next as number k, holds one row: that is so
 * when the first of the others that tells is an atom. */
static bool is_row(const Walk *w, u32 k, const Common *common)
{
    const u8 *p = w->p;
    if (w->shape == SHAPE_TABLE || common->kind == KIND_COLUMNS) return false;
    if (common->kind == KIND_ROW) return true;
    for (; k < w->count; k++) {
        WireObject o;
        int type = w->schema->columns[k].type;
        if (wire_object(p, (u64)(w->end - p), true, &o) != E_OK) return false;
        if (type > QT_NESTED && (o.type != QT_LIST || o.count > 0)) return o.type != QT_LIST;
        if (type != QT_LIST && type < QT_NESTED && o.type != QT_LIST) return o.type < 0;
        p += o.size;
    }
    return false;
}

/* Why the walk's next object does not fit a column, after item_scan has said so. */
static Err misfit(const Walk *w, u32 column, const Item *item)
{
    bool large = w->p < w->end && w->schema->columns[column].type > QT_NESTED && item->large;
    return large ? too_large(w, column) : bad_type(w, column);
}

/* Looks at the walk's k-th object as a mixed column or cell. */
static Err scan_mixed(const Walk *w, u32 k, u32 column, const Common *common, Item *item)
{
    const char *why = cell_scan(w->p, (u64)(w->end - w->p), !is_row(w, k, common), item);
    if (why == NULL) return E_OK;
    return fail(E_TYPE, "table %s, column %s: %s", w->schema->name, w->schema->columns[column].name,
                why);
}

static Err agree(const Walk *w, u32 column, const Item *item, Common *common)
{
    if (item->empty) {
        common->empties++;
        int type = w->schema->columns[column].type;
        if (type != QT_LIST && type < QT_NESTED) common->no_row = true;
        return E_OK;
    }
    if (item->cell) {
        if (common->kind == KIND_COLUMNS || w->shape == SHAPE_TABLE) return bad_mixture(w, column);
        common->kind = KIND_ROW;
        common->rows = 1;
        return E_OK;
    }
    if (common->kind == KIND_ROW) return bad_mixture(w, column);
    if (common->kind == KIND_UNKNOWN) common->rows = item->count;
    common->kind = KIND_COLUMNS;
    if (common->rows == item->count) return E_OK;
    return fail(E_TYPE, "table %s, column %s: %llu rows, other columns have %llu", w->schema->name,
                w->schema->columns[column].name, (unsigned long long)item->count,
                (unsigned long long)common->rows);
}

/* `()` is a column without rows, or in a row the empty cell of a list column. */
static Err settle_empties(const Walk *w, const Common *common, Batch *into)
{
    if (common->empties == 0 || common->rows == 0) return E_OK;
    if (common->kind == KIND_COLUMNS || common->no_row) {
        return bad_shape(w->schema, "an empty list beside columns or atoms with rows");
    }
    u64 before = into != NULL ? into->rows : 0;
    for (u32 i = 0, left = common->empties; into != NULL && left > 0 && i < w->count; i++) {
        Vec *v = &into->cols[i];
        if (v->count != before) continue;
        Err err = vec_append_row(v, NULL, 0);
        if (err != E_OK) return err;
        left--;
    }
    return E_OK;
}

/* Walks the object: checks it, and appends it when `into` is given; or counts the elements of
 * lists in heap[] when that is given. */
static Err walk(const Schema *s, const u8 *body, u64 size, Batch *into, u64 *rows, u64 *heap)
{
    u64 seen[BOUND_COLUMNS_MAX / 64];
    Walk w;
    Common common = {.kind = KIND_UNKNOWN};
    Err err = open_walk(&w, s, body, size);
    if (err != E_OK) return err;
    if (w.names != NULL) memset(seen, 0, sizeof seen);
    if (w.shape == SHAPE_ALIKE) {
        err = walk_alike(&w, body, into);
        w.count = 0;
        common.rows = 1;
        if (err != E_OK) return err;
    }
    for (u32 k = 0; k < w.count; k++) {
        u32 column;
        Item item;
        err = column_at(&w, k, seen, &column);
        if (err != E_OK) return err;
        int type = s->columns[column].type;
        if (type == QT_LIST)
            err = scan_mixed(&w, k, column, &common, &item);
        else if (!item_scan(w.p, (u64)(w.end - w.p), type, &item))
            err = misfit(&w, column, &item);
        if (err == E_OK) err = agree(&w, column, &item, &common);
        if (err == E_OK && into != NULL && !item.empty)
            err = type == QT_LIST ? cell_append(&item, &into->cols[column])
                                  : item_append(&item, type, &into->cols[column]);
        if (err != E_OK) return err;
        if (heap != NULL) heap[column] = item.heap;
        w.p += item.size;
    }
    if (w.p != w.end) return bad_shape(s, "bytes stand behind the object");
    *rows = common.rows;
    return settle_empties(&w, &common, into);
}

Err batch_check_wire(const Schema *s, const u8 *body, u64 size, u64 *rows)
{
    *rows = 0;
    return walk(s, body, size, NULL, rows, NULL);
}

Err batch_measure_wire(const Schema *s, const u8 *body, u64 size, u64 *rows, u64 *heap)
{
    *rows = 0;
    for (u32 i = 0; i < s->column_count; i++)
        heap[i] = 0;
    return walk(s, body, size, NULL, rows, heap);
}

Err batch_append_wire(Batch *b, const u8 *body, u64 size)
{
    u64 rows = 0;
    Err err = walk(b->schema, body, size, b, &rows, NULL);
    if (err == E_OK)
        b->rows += rows;
    else
        batch_cut(b, b->rows);
    return err;
}

void batch_times_wire(const Schema *s, const u8 *body, u64 size, const u8 **times, u64 *rows)
{
    u64 seen[BOUND_COLUMNS_MAX / 64] = {0};
    Walk w;
    *times = NULL;
    *rows = 0;
    if (s->prtn < 0 || open_walk(&w, s, body, size) != E_OK) return;
    if (w.shape == SHAPE_ALIKE) {
        *times = w.p + (u64)s->prtn * 8;
        *rows = 1;
        return;
    }
    for (u32 k = 0; k < w.count; k++) {
        u32 column;
        Item item;
        WireObject o;
        u64 left = (u64)(w.end - w.p);
        if (column_at(&w, k, seen, &column) != E_OK) return;
        if (s->columns[column].type == QT_LIST) {
            if (wire_object(w.p, left, true, &o) != E_OK) return;
            w.p += o.size;
            continue;
        }
        if (!item_scan(w.p, left, s->columns[column].type, &item)) return;
        if (column == (u32)s->prtn) {
            *times = item.data;
            *rows = item.count;
            return;
        }
        w.p += item.size;
    }
}

/* ---- to messages */

static Err encode_head(Buf *out, int type, u64 count)
{
    u8 head[LIST_HEAD] = {(u8)type};
    store_u32(head + 2, (u32)count);
    return buf_append(out, head, sizeof head);
}

static Err encode_symbols(Buf *out, const i32 *ids, u64 count)
{
    u64 size = 0;
    u8 *p;
    for (u64 i = 0; i < count; i++)
        size += symbol_text(ids[i]).size + 1;
    Err err = buf_room(out, size, &p);
    if (err != E_OK) return err;
    for (u64 i = 0; i < count; i++) {
        Str name = symbol_text(ids[i]);
        memcpy(p, name.data, name.size + 1);
        p += name.size + 1;
    }
    buf_added(out, size);
    return E_OK;
}

static Err encode_rows(Buf *out, const Vec *v, u64 at, u64 count)
{
    Err err = E_OK;
    int type = v->type - QT_NESTED;
    u64 width = type_nested_width(v->type);
    if (v->type == QT_NESTED)
        return buf_append(out, (const u8 *)v->data + v->offs[at],
                          v->offs[at + count] - v->offs[at]);
    for (u64 i = at; i < at + count && err == E_OK; i++) {
        u64 begin = v->offs[i], n = v->offs[i + 1] - begin;
        if (n > INT32_MAX)
            return fail(E_LIMIT, "a list of %llu elements in one row", (unsigned long long)n);
        err = encode_head(out, type == QT_ENUM ? QT_SYMBOL : type, n);
        if (err != E_OK || n == 0) continue;
        if (type == QT_ENUM)
            err = encode_symbols(out, vec_i32(v) + begin, n);
        else
            err = buf_append(out, (const u8 *)v->data + begin * width, n * width);
    }
    return err;
}

static Err encode_column(Buf *out, const Vec *v, u64 at, u64 count)
{
    bool list = type_is_nested(v->type);
    int type = list ? QT_LIST : v->type == QT_ENUM ? QT_SYMBOL : v->type;
    Err err = encode_head(out, type, count);
    if (err != E_OK || count == 0) return err;
    if (list) return encode_rows(out, v, at, count);
    if (v->type == QT_ENUM) return encode_symbols(out, vec_i32(v) + at, count);
    u64 width = type_width(v->type);
    return buf_append(out, (const u8 *)v->data + at * width, count * width);
}

Err batch_encode(Buf *out, const Batch *b, u64 at, u64 count)
{
    const Schema *s = b->schema;
    ASSERT(at <= b->rows && count <= b->rows - at);
    if (count > INT32_MAX)
        return fail(E_LIMIT, "table %s: more than 2^31 - 1 rows in one message", s->name);
    u64 before = out->size;
    Err err = encode_head(out, QT_LIST, s->column_count);
    for (u32 i = 0; i < s->column_count && err == E_OK; i++)
        err = encode_column(out, &b->cols[i], at, count);
    if (err != E_OK) out->size = before;
    return err;
}

/* ---- rows of other kinds */

Err batch_append_batch(Batch *b, const Batch *from, u64 at, u64 count)
{
    ASSERT(b->schema->column_count == from->schema->column_count);
    Err err = E_OK;
    for (u32 i = 0; i < b->schema->column_count && err == E_OK; i++)
        err = vec_append_vec(&b->cols[i], &from->cols[i], at, count);
    if (err == E_OK)
        b->rows += count;
    else
        batch_cut(b, b->rows);
    return err;
}

static Err in_column(Err err, const Batch *b, u32 col)
{
    if (err == E_OK) return E_OK;
    return fail_note(err, "table %s, column %s", b->schema->name, b->schema->columns[col].name);
}

Err batch_append_text(Batch *b, u32 col, Str text)
{
    return in_column(cast_text(b->schema->columns[col].type, text, &b->cols[col]), b, col);
}

Err batch_append_value(Batch *b, u32 col, const Value *v)
{
    return in_column(cast_value(b->schema->columns[col].type, v, &b->cols[col]), b, col);
}

Value batch_value(const Batch *b, Arena *a)
{
    const Schema *s = b->schema;
    Value table = value_table(a, s->column_count);
    for (u32 i = 0; i < s->column_count; i++) {
        Vec v = b->cols[i];
        v.count = b->rows;
        v.room = v.heap_room = 0;
        if (type_is_nested(v.type) && v.offs == NULL) v.offs = arena_new(a, u64);
        table.as.table.names[i] = str_of(s->columns[i].name);
        table.as.table.cols[i] = value_vec(v);
    }
    return table;
}
