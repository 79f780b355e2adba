/*
 * mixed: heap items to values, and values to heap items (nested.c shows their bytes).
 *
 * Reading is a recursion over references, which are data of strangers: it is bounded in depth, and
 * in the number of items by the bytes of the heap, as each item takes at least one. So a heap whose
 * items refer to each other in circles, or to one another many times over, is refused and not
 * unfolded.
 *
 * Attributes of vectors inside of items are not kept: a packed vector has no place for one.
 *
 * Writing builds all items of a row in memory: an object's references stand before the items they
 * refer to, whose places are known only when they are there. The order is that of kdb+: an object,
 * then its items one after another, each with all of its own.
 */
#include "column/mixed.h"

#include "base/bounds.h"
#include "q/symbol.h"
#include "q/type.h"

#define ITEMS_MIN 4096 /* items that even a small heap may be unfolded to */

/* ---- reading */

typedef struct {
    const MixedHeap *heap;
    const u8 *data; /* of the heap, behind its header page */
    u64 size;
    u64 items_left;
    Arena *arena;
} Reader;

static Err bad(u64 reference, const char *what)
{
    return fail(E_CORRUPT, "heap of a list column, offset %llu: %s",
                (unsigned long long)(reference & NESTED_OFFSET), what);
}

/* Finds an item and makes its bytes readable; they stay so until the image is closed. */
static Err find(Reader *r, u64 reference, NestedItem *item)
{
    u64 at = r->heap->data_at + (reference & NESTED_OFFSET);
    if (r->items_left-- == 0) return bad(reference, "more items than it has room for");
    Err err = image_need(r->heap->image, at, at + NESTED_LOOK);
    if (err == E_OK) err = nested_find(r->data, r->size, reference, item);
    return err == E_OK ? image_need(r->heap->image, at, at + item->size) : err;
}

static Err name_at(const Reader *r, u64 reference, i64 position, Str *name)
{
    if (position < 0 || (u64)position >= r->heap->name_count)
        return bad(reference, "a symbol that the column's names do not hold");
    *name = symbol_text(r->heap->names[position]);
    return E_OK;
}

static Err read_symbols(Reader *r, u64 reference, const NestedItem *item, Value *v)
{
    const u8 *p = item->elements;
    void *texts;
    if (item->atom) {
        v->type = -QT_SYMBOL;
        return name_at(r, reference, load_i32(p), &v->as.text);
    }
    Err err = arena_try(r->arena, item->count, sizeof(Str), &texts);
    for (u64 i = 0; err == E_OK && i < item->count; i++)
        err = name_at(r, reference, load_i32(p + 4 * i), (Str *)texts + i);
    v->as.vec = vec_of(QT_SYMBOL, texts, item->count);
    return err;
}

static const Domain *domain_of(const Reader *r, const NestedItem *item)
{
    const DomainSet *set = r->heap->domains;
    Str name;
    i64 position = nested_domain(item);
    if (set == NULL) return NULL;
    if (position == NESTED_SYM) return set->find(set->arg, "sym");
    if (position < 0 || (u64)position >= r->heap->name_count) return NULL;
    name = symbol_text(r->heap->names[position]);
    return set->find(set->arg, name.data);
}

static Err copy_elements(Reader *r, const void *from, u64 count, u64 width, const void **to)
{
    void *copy;
    *to = from;
    if ((uintptr_t)from % MIN(width, 8) == 0) return E_OK;
    Err err = arena_try(r->arena, count, width, &copy);
    if (err == E_OK && count > 0) memcpy(copy, from, count * width);
    *to = copy;
    return err;
}

static Err read_enumeration(Reader *r, u64 reference, const NestedItem *item, Value *v)
{
    const Domain *d = domain_of(r, item);
    const void *elements;
    void *ids;
    if (d == NULL) {
        Err err = copy_elements(r, item->elements, item->count, 8, &elements);
        v->type = QT_LONG;
        v->as.vec = vec_of(QT_LONG, elements, item->count);
        return err;
    }
    Err err = arena_try(r->arena, item->count, sizeof(i32), &ids);
    if (err != E_OK) return err;
    for (u64 i = 0; i < item->count; i++) {
        i32 id = domain_id(d, load_i64((const u8 *)item->elements + 8 * i));
        if (id < 0) return bad(reference, "an index that its domain does not hold");
        ((i32 *)ids)[i] = id;
    }
    v->as.vec = vec_of(QT_ENUM, ids, item->count);
    return E_OK;
}

static void read_atom(const NestedItem *item, Value *v)
{
    const u8 *p = item->elements;
    f32 real;
    v->type = (i16)-item->type;
    switch (item->type) {
    case QT_GUID: memcpy(v->as.guid, p, sizeof v->as.guid); break;
    case QT_REAL:
        memcpy(&real, p, sizeof real);
        v->as.f = (f64)real;
        break;
    case QT_FLOAT:
    case QT_DATETIME: memcpy(&v->as.f, p, sizeof v->as.f); break;
    case QT_SHORT: v->as.i = (i16)load_u16(p); break;
    case QT_LONG:
    case QT_TIMESTAMP:
    case QT_TIMESPAN: v->as.i = load_i64(p); break;
    case QT_BOOLEAN:
    case QT_BYTE:
    case QT_CHAR: v->as.i = *p; break;
    default: v->as.i = load_i32(p); break;
    }
}

static Err read_item(Reader *r, u64 reference, u32 depth, Value *v);

static Err read_list(Reader *r, u64 reference, const NestedItem *item, u32 depth, Value *v)
{
    void *items;
    if (item->count > r->items_left) return bad(reference, "more items than it has room for");
    Err err = arena_try(r->arena, item->count, sizeof(Value), &items);
    for (u64 i = 0; err == E_OK && i < item->count; i++)
        err = read_item(r, load_u64((const u8 *)item->elements + 8 * i), depth + 1,
                        (Value *)items + i);
    v->type = QT_LIST;
    v->as.vec = vec_of(QT_LIST, items, item->count);
    return err;
}

static bool is_list(const Value *v) { return v->type >= QT_LIST && v->type <= QT_ENUM; }

static Err read_table(Reader *r, u64 reference, const NestedItem *item, u32 depth, Value *v)
{
    Value names, columns;
    const u8 *p = item->elements;
    Err err = read_item(r, load_u64(p), depth + 1, &names);
    if (err == E_OK) err = read_item(r, load_u64(p + 8), depth + 1, &columns);
    if (err != E_OK) return err;
    if (names.type != QT_SYMBOL || columns.type != QT_LIST ||
        names.as.vec.count != columns.as.vec.count)
        return bad(reference, "a table of unequal names and columns");
    v->as.table.count = names.as.vec.count;
    v->as.table.names = vec_str(&names.as.vec);
    v->as.table.cols = vec_value(&columns.as.vec);
    for (u64 i = 0; i < v->as.table.count; i++) {
        const Value *column = &v->as.table.cols[i];
        if (!is_list(column) || value_count(column) != value_count(v->as.table.cols))
            return bad(reference, "a table of columns of unequal length");
    }
    return E_OK;
}

/* Makes the elements of typed values reachable by name (value_get). */
static Err spread_values(Reader *r, Value *dict)
{
    const Value *keys = dict->as.dict.keys, *values = dict->as.dict.values;
    void *items;
    if ((keys->type != QT_SYMBOL && keys->type != QT_LIST) || values->type <= QT_LIST ||
        values->type > QT_ENUM)
        return E_OK;
    Err err = arena_try(r->arena, value_count(values), sizeof(Value), &items);
    if (err != E_OK) return err;
    dict->as.dict.items = items;
    for (u64 i = 0; i < value_count(values); i++)
        dict->as.dict.items[i] = value_at(values, i);
    return E_OK;
}

static Err read_dict(Reader *r, u64 reference, const NestedItem *item, u32 depth, Value *v)
{
    Value *both = arena_array(r->arena, Value, 2);
    const u8 *p = item->elements;
    v->as.dict.keys = &both[0];
    v->as.dict.values = &both[1];
    v->as.dict.items = NULL;
    Err err = read_item(r, load_u64(p), depth + 1, &both[0]);
    if (err == E_OK) err = read_item(r, load_u64(p + 8), depth + 1, &both[1]);
    if (err != E_OK) return err;
    bool lists = (is_list(&both[0]) || both[0].type == QT_TABLE) &&
                 (is_list(&both[1]) || both[1].type == QT_TABLE);
    if (!lists || value_count(&both[0]) != value_count(&both[1]))
        return bad(reference, "a dictionary of unequal keys and values");
    return spread_values(r, v);
}

static Err read_item(Reader *r, u64 reference, u32 depth, Value *v)
{
    NestedItem item = {0};
    const void *elements;
    *v = value_null();
    if (depth >= BOUND_DEPTH_MAX) return bad(reference, "nested too deeply");
    Err err = find(r, reference, &item);
    if (err != E_OK) return err;
    v->type = (i16)item.type;
    switch (item.type) {
    case QT_NESTED: return read_list(r, reference, &item, depth, v);
    case QT_TABLE: return read_table(r, reference, &item, depth, v);
    case QT_DICT: return read_dict(r, reference, &item, depth, v);
    case QT_SYMBOL: return read_symbols(r, reference, &item, v);
    case QT_ENUM: return read_enumeration(r, reference, &item, v);
    default: break;
    }
    if (item.atom) {
        read_atom(&item, v);
        return E_OK;
    }
    err = copy_elements(r, item.elements, item.count, type_width(item.type), &elements);
    v->as.vec = vec_of(item.type, elements, item.count);
    return err;
}

Err mixed_decode(const MixedHeap *h, u64 reference, Arena *a, Value *v)
{
    Reader r = {.heap = h, .arena = a};
    r.data = h->image->plain.data + h->data_at;
    r.size = h->image->plain.size - h->data_at;
    r.items_left = MAX(r.size, ITEMS_MIN);
    return read_item(&r, reference, 0, v);
}

/* ---- writing */

typedef struct {
    NestedOut *out;
    Buf b;    /* the items of this row */
    u64 base; /* where they will stand in the heap */
} Writer;

static Err write_item(Writer *w, const Value *v, u32 depth, u64 *reference);

static Err write_vector(Writer *w, int type, const void *elements, u64 count, u64 *reference)
{
    return nested_build(&w->b, w->base, type, elements, count, reference);
}

/* Symbols as ids. */
static Err write_ids(Writer *w, const i32 *ids, u64 count, u64 *reference)
{
    Buf positions = {0};
    u8 *place;
    Err err = buf_room(&positions, count * 4 + 4, &place);
    if (err == E_OK) err = nested_positions(w->out, ids, count, (i32 *)(void *)place);
    if (err == E_OK) err = write_vector(w, QT_SYMBOL, place, count, reference);
    buf_free(&positions);
    return err;
}

/* Symbols as texts. */
static Err write_texts(Writer *w, const Str *texts, u64 count, u64 *reference)
{
    Err err = E_OK;
    Buf ids = {0};
    u8 *place;
    TRY(buf_room(&ids, count * 4 + 4, &place));
    for (u64 i = 0; i < count; i++)
        TRY(symbol_intern(texts[i], (i32 *)(void *)place + i));
    TRY(write_ids(w, (const i32 *)(const void *)place, count, reference));
done:
    buf_free(&ids);
    return err;
}

/* The element of an atom, as it stands in a vector; symbols as positions. */
static Err element_of(Writer *w, const Value *v, u8 element[16])
{
    f32 real = (f32)v->as.f;
    i32 id, position;
    Err err = E_OK;
    switch (-v->type) {
    case QT_SYMBOL:
    case QT_ENUM:
        id = (i32)v->as.i;
        if (v->type == -QT_SYMBOL) TRY(symbol_intern(v->as.text, &id));
        TRY(nested_positions(w->out, &id, 1, &position));
        store_u32(element, (u32)position);
        break;
    case QT_GUID: memcpy(element, v->as.guid, sizeof v->as.guid); break;
    case QT_REAL: memcpy(element, &real, sizeof real); break;
    case QT_FLOAT:
    case QT_DATETIME: memcpy(element, &v->as.f, sizeof v->as.f); break;
    default: store_u64(element, (u64)v->as.i); break;
    }
    if (type_class(-v->type) == TYPE_REAL && v->as.f != v->as.f) type_null(-v->type, element);
done:
    return err;
}

static int heap_type(int type) { return type == QT_ENUM ? QT_SYMBOL : type; }

static Err write_atom(Writer *w, const Value *v, u64 *reference)
{
    u8 item[17];
    int type = heap_type(-v->type);
    item[0] = (u8)(127 - type);
    *reference = (w->base + w->b.size) | NESTED_FLAG;
    Err err = element_of(w, v, item + 1);
    return err == E_OK ? buf_append(&w->b, item, 1 + nested_width(type)) : err;
}

/* The type of the atoms of which a list consists throughout, which is a vector to kdb+; else 0. */
static int common_atom(const Vec *list)
{
    if (list->count == 0) return 0;
    int type = vec_value(list)[0].type;
    for (u64 i = 0; i < list->count; i++) {
        if (vec_value(list)[i].type != type) return 0;
    }
    return type < 0 && nested_width(heap_type(-type)) > 0 ? heap_type(-type) : 0;
}

static Err write_atoms(Writer *w, int type, const Vec *list, u64 *reference)
{
    Err err = E_OK;
    Buf elements = {0};
    for (u64 i = 0; i < list->count; i++) {
        u8 element[16];
        TRY(element_of(w, &vec_value(list)[i], element));
        TRY(buf_append(&elements, element, nested_width(type)));
    }
    TRY(write_vector(w, type, elements.data, list->count, reference));
done:
    buf_free(&elements);
    return err;
}

/* An object of references; they are filled in by set_reference. */
static Err begin_object(Writer *w, int type, u64 count, u64 *at)
{
    return nested_build_object(&w->b, w->base, type, count, count * 8, at);
}

static void set_reference(Writer *w, u64 object, u64 i, u64 reference)
{
    store_u64(w->b.data + (object - w->base) + NESTED_OBJECT + 8 * i, reference);
}

/* A general list, or the rows of a list vector. */
static Err write_list(Writer *w, const Value *v, u32 depth, u64 *reference)
{
    Err err = E_OK;
    u64 count = v->as.vec.count, item;
    int atoms = v->type == QT_LIST ? common_atom(&v->as.vec) : 0;
    if (atoms != 0) return write_atoms(w, atoms, &v->as.vec, reference);
    TRY(begin_object(w, QT_NESTED, count, reference));
    for (u64 i = 0; i < count; i++) {
        Value row = value_at(v, i);
        TRY(write_item(w, &row, depth + 1, &item));
        set_reference(w, *reference, i, item);
    }
done:
    return err;
}

static Err write_table(Writer *w, const Value *v, u32 depth, u64 *reference)
{
    Err err = E_OK;
    u64 table, columns, item, count = v->as.table.count;
    TRY(begin_object(w, QT_TABLE, 2, &table));
    TRY(write_texts(w, v->as.table.names, count, &item));
    set_reference(w, table, 0, item);
    TRY(begin_object(w, QT_NESTED, count, &columns));
    set_reference(w, table, 1, columns);
    for (u64 i = 0; i < count; i++) {
        TRY(write_item(w, &v->as.table.cols[i], depth + 2, &item));
        set_reference(w, columns, i, item);
    }
    *reference = table | NESTED_FLAG;
done:
    return err;
}

static Err write_dict(Writer *w, const Value *v, u32 depth, u64 *reference)
{
    Err err = E_OK;
    u64 dict, item;
    TRY(begin_object(w, QT_DICT, 2, &dict));
    TRY(write_item(w, v->as.dict.keys, depth + 1, &item));
    set_reference(w, dict, 0, item);
    TRY(write_item(w, v->as.dict.values, depth + 1, &item));
    set_reference(w, dict, 1, item);
    *reference = dict | NESTED_FLAG;
done:
    return err;
}

static Err write_item(Writer *w, const Value *v, u32 depth, u64 *reference)
{
    int type = v->type;
    if (depth >= BOUND_DEPTH_MAX)
        return fail(E_LIMIT, "a value nested more than %d deep", BOUND_DEPTH_MAX);
    if (type < 0 && type >= -QT_ENUM && nested_width(heap_type(-type)) > 0)
        return write_atom(w, v, reference);
    if (type == QT_TABLE) return write_table(w, v, depth, reference);
    if (type == QT_DICT) return write_dict(w, v, depth, reference);
    if (type == QT_LIST || (type > QT_NESTED && type <= QT_NESTED + QT_ENUM))
        return write_list(w, v, depth, reference);
    const Vec *vec = &v->as.vec;
    if (type == QT_SYMBOL) return write_texts(w, vec_str(vec), vec->count, reference);
    if (type == QT_ENUM) return write_ids(w, vec_i32(vec), vec->count, reference);
    if (type_is_fixed(type)) return write_vector(w, type, vec->data, vec->count, reference);
    return fail(E_UNSUPPORTED, "a mixed column cannot hold a value of type %d", type);
}

Err mixed_put(NestedOut *out, const Value *v)
{
    Writer w = {.out = out, .base = out->at};
    u64 reference;
    Err err = write_item(&w, v, 0, &reference);
    if (err == E_OK) err = nested_put_built(out, &w.b, reference);
    buf_free(&w.b);
    return err;
}
