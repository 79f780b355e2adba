/*
 * cell: one row's value of a mixed column.
 *
 * A mixed column comes as a general list, whose objects are copied as they stand, or, when all of
 * its values are atoms of one type, as a vector: then each element becomes an atom of its own.
 * Functions and :: have no place in a column file (kdb-files.md 6.2) and are refused, at any depth.
 *
 * Few messages hold forms that q would not send or that a file does not keep: attributes, sorted
 * dictionaries, counts of 64 bits, general lists of atoms of one type. `look` notices them, and
 * only then a cell is decoded and encoded anew.
 */
#include "table/cell.h"

#include "base/bounds.h"
#include "q/type.h"
#include "q/wire.h"

#define VECTOR_HEAD 6
#define SORTED_DICT 127

typedef struct {
    const u8 *end;
    bool odd;        /* a form was met that must be encoded anew */
    const char *why; /* what cannot be kept */
} Look;

static u64 look(Look *l, const u8 *p, u32 depth);

/* The objects of a general list; atoms of one type make it odd. */
static void look_items(Look *l, const WireObject *o, u32 depth)
{
    const u8 *p = o->data;
    bool alike = o->count > 0 && (i8)*p < 0;
    int first = o->count > 0 ? (i8)*p : 0;
    for (u64 i = 0; i < o->count && l->why == NULL; i++) {
        alike &= (i8)*p == first;
        p += look(l, p, depth + 1);
    }
    l->odd |= alike;
}

/* Looks at one object and returns its size. */
static u64 look(Look *l, const u8 *p, u32 depth)
{
    WireObject o;
    if (depth >= BOUND_CELL_DEPTH_MAX) l->why = "a value nested too deeply";
    if (l->why != NULL || wire_object(p, (u64)(l->end - p), true, &o) != E_OK) {
        if (l->why == NULL) l->why = "a broken value";
        return (u64)(l->end - p);
    }
    if (o.type >= QT_LAMBDA || o.type == QT_ERROR) l->why = "a function or ::";
    if (o.type >= QT_LIST && o.type <= QT_TIME) l->odd |= p[1] != ATTR_NONE;
    if (o.type == QT_TABLE) l->odd |= p[1] != ATTR_NONE || p[2] != QT_DICT;
    if (p[0] == SORTED_DICT) l->odd = true;
    if (o.type == QT_LIST) look_items(l, &o, depth);
    if (o.type == QT_TABLE) look(l, o.data, depth + 1);
    if (o.type == QT_DICT && l->why == NULL) {
        u64 keys = look(l, o.data, depth + 1);
        if (l->why == NULL) look(l, o.data + keys, depth + 1);
    }
    return o.size;
}

/* One cell; *size bytes. */
static const char *look_cell(const u8 *p, u64 left, u64 *size, bool *odd)
{
    Look l = {.end = p + left};
    *size = look(&l, p, 0);
    *odd = l.odd;
    if (l.why == NULL && *size > BOUND_LIST_MAX) l.why = "a value larger than a row may hold";
    return l.why;
}

const char *cell_scan(const u8 *p, u64 left, bool column, Item *item)
{
    WireObject o;
    u64 size;
    bool odd;
    const char *why = NULL;
    *item = (Item){.data = p, .cell = !column, .count = 1};
    if (left == 0 || wire_object(p, left, true, &o) != E_OK) return "no value";
    item->size = o.size;
    if (!column) {
        why = look_cell(p, left, &size, &odd);
        item->heap = o.size;
        return why;
    }
    if (o.type < QT_LIST || o.type > QT_TIME) return "no list of values";
    item->count = o.count;
    item->empty = o.count == 0;
    /* an element of a vector becomes an atom: a byte more; of a symbol vector the zero stays */
    item->heap = o.size + (o.type == QT_LIST ? 0 : o.count);
    const u8 *at = o.data;
    for (u64 i = 0; o.type == QT_LIST && i < o.count && why == NULL; i++) {
        why = look_cell(at, (u64)(p + left - at), &size, &odd);
        at += size;
    }
    return why;
}

/* ---- appending */

/* Takes what only memory knows away: attributes of vectors at any depth. */
static void plain(Value *v)
{
    if (v->type == QT_TABLE) {
        for (u64 i = 0; i < v->as.table.count; i++)
            plain(&v->as.table.cols[i]);
    } else if (v->type == QT_DICT) {
        plain(v->as.dict.keys);
        plain(v->as.dict.values);
    } else if (v->type >= QT_LIST && v->type <= QT_ENUM) {
        v->as.vec.attr = ATTR_NONE;
        for (u64 i = 0; v->type == QT_LIST && i < v->as.vec.count; i++)
            plain(&vec_value(&v->as.vec)[i]);
    }
}

/* Appends a value encoded. */
static Err append_encoded(const Value *value, Vec *v)
{
    Buf b = {0};
    Err err = wire_encode(&b, value);
    if (err == E_OK && b.size > BOUND_LIST_MAX)
        err = fail(E_TYPE, "a value of %llu bytes in one row, at most %llu are taken",
                   (unsigned long long)b.size, BOUND_LIST_MAX);
    if (err == E_OK) err = vec_append_row(v, b.data, b.size);
    buf_free(&b);
    return err;
}

/* Appends the cell at `p`, whose size is returned too. */
static Err append_cell(const u8 *p, u64 left, Vec *v, u64 *size)
{
    bool odd;
    const char *why = look_cell(p, left, size, &odd);
    ASSERT(why == NULL);
    if (!odd) return vec_append_row(v, p, *size);
    Arena a = {0};
    Value value;
    Err err = wire_decode(p, *size, &a, &value);
    if (err == E_OK) {
        plain(&value);
        err = append_encoded(&value, v);
    }
    arena_free(&a);
    return err;
}

/* The elements of a vector, each as an atom. */
static Err append_atoms(const WireObject *o, Vec *v)
{
    const u8 *p = o->data;
    u64 width = type_width(o->type);
    Err err = vec_reserve(v, o->count, o->size + o->count);
    for (u64 i = 0; i < o->count && err == E_OK; i++) {
        u64 at, n = o->type == QT_SYMBOL ? strlen((const char *)p) + 1 : width;
        err = vec_append_row(v, NULL, 0);
        if (err == E_OK) err = vec_reserve(v, 0, n + 1);
        if (err != E_OK) break;
        at = v->offs[v->count];
        u8 *to = (u8 *)v->data + at;
        to[0] = (u8)-o->type;
        memcpy(to + 1, p, n);
        v->offs[v->count] = at + n + 1;
        p += n;
    }
    return err;
}

Err cell_append(const Item *item, Vec *v)
{
    WireObject o;
    u64 size;
    Err err = vec_reserve(v, item->count, item->heap);
    if (err == E_OK && item->cell) return append_cell(item->data, item->size, v, &size);
    if (err == E_OK) err = wire_object(item->data, item->size, true, &o);
    if (err != E_OK) return err;
    if (o.type != QT_LIST) return append_atoms(&o, v);
    const u8 *p = o.data;
    for (u64 i = 0; i < o.count && err == E_OK; i++) {
        err = append_cell(p, (u64)(item->data + item->size - p), v, &size);
        p += size;
    }
    return err;
}

/* ---- JSON */

static bool is_number(const Value *v) { return v->type == -QT_LONG || v->type == -QT_FLOAT; }

static bool is_null(const Value *v) { return v->type == QT_NULL || v->type == -QT_NULL; }

/* What the elements of an array are: 0 when they are not all numbers and null, else their type. */
static int number_type(const Vec *list)
{
    int type = 0;
    for (u64 i = 0; i < list->count; i++) {
        const Value *item = &vec_value(list)[i];
        if (is_number(item))
            type = item->type == -QT_FLOAT ? QT_FLOAT : MAX(type, QT_LONG);
        else if (!is_null(item))
            return 0;
    }
    return type;
}

/* A number, or null, as an atom of a numeric type. */
static Value number_as(const Value *v, int type)
{
    if (type == QT_LONG) return value_long(is_null(v) ? Q_NULL_LONG : v->as.i);
    if (is_null(v)) return value_float(__builtin_nan(""));
    return value_float(v->type == -QT_LONG ? (f64)v->as.i : v->as.f);
}

static Err settle(Value *v, u32 depth)
{
    Err err = E_OK;
    if (depth >= BOUND_CELL_DEPTH_MAX)
        return fail(E_TYPE, "a value nested more than %d deep", BOUND_CELL_DEPTH_MAX);
    if (v->type == QT_DICT) return settle(v->as.dict.values, depth + 1);
    if (is_null(v)) *v = value_vec(vec_of(QT_LIST, NULL, 0));
    if (v->type != QT_LIST) return E_OK;
    Vec *list = &v->as.vec;
    int type = number_type(list);
    for (u64 i = 0; i < list->count; i++) {
        Value *item = &vec_value(list)[i];
        if (type != 0)
            *item = number_as(item, type);
        else
            TRY(settle(item, depth + 1));
    }
done:
    return err;
}

Err cell_append_value(const Value *value, Vec *v)
{
    Value copy = *value;
    Err err = settle(&copy, 0);
    return err == E_OK ? append_encoded(&copy, v) : err;
}
