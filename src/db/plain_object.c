/*
 * plain_object: from a value to columns.
 *
 * A vector is copied, as it may stand unaligned in the file. Symbols are interned. A general list
 * becomes a list column when all its items are vectors of one type (an atom of a char stands for a
 * text of one); any other stays a list of values, borrowed from the arena.
 */
#include "db/plain_object.h"

#include "base/bounds.h"
#include "column/object.h"
#include "q/symbol.h"

/* ---- one column */

static Err intern(const Vec *from, Vec *to)
{
    for (u64 i = 0; i < from->count; i++) {
        i32 id = 0;
        Err err = symbol_intern(vec_str(from)[i], &id);
        if (err == E_OK) err = vec_append(to, &id, 1);
        if (err != E_OK) return err;
    }
    return E_OK;
}

/* The element type that all items of a list share, -1 when they do not. */
static int item_type(const Vec *list)
{
    int type = -1;
    for (u64 i = 0; i < list->count; i++) {
        const Value *item = &vec_value(list)[i];
        int one = item->type == -QT_CHAR ? QT_CHAR : item->type;
        bool fits = one == QT_SYMBOL || type_is_fixed(one);
        if (!fits || (type >= 0 && one != type)) return -1;
        type = one;
    }
    return type;
}

static Err append_item(const Value *item, Vec *to)
{
    if (item->type == -QT_CHAR) {
        char c = (char)item->as.i;
        return vec_append_row(to, &c, 1);
    }
    if (item->type != QT_SYMBOL) return vec_append_row(to, item->as.vec.data, item->as.vec.count);
    Vec ids;
    vec_init(&ids, QT_ENUM);
    Err err = intern(&item->as.vec, &ids);
    if (err == E_OK) err = vec_append_row(to, ids.data, ids.count);
    vec_free(&ids);
    return err;
}

/* Copies a column; *type is its schema's. */
static Err copy(const Value *from, Vec *to, int *type)
{
    const Vec *v = &from->as.vec;
    *type = from->type;
    if (from->type == QT_SYMBOL) {
        vec_init(to, QT_ENUM);
        return intern(v, to);
    }
    if (type_is_fixed(from->type)) {
        vec_init(to, from->type);
        return vec_append(to, v->data, v->count);
    }
    if (from->type != QT_LIST) return fail(E_UNSUPPORTED, "a column of type %d", from->type);
    int element = item_type(v);
    if (element < 0) {
        *to = *v;
        to->room = 0;
        return E_OK;
    }
    *type = QT_NESTED + element;
    vec_init(to, element == QT_SYMBOL ? QT_NESTED + QT_ENUM : *type);
    for (u64 i = 0; i < v->count; i++) {
        Err err = append_item(&vec_value(v)[i], to);
        if (err != E_OK) return err;
    }
    return E_OK;
}

/* ---- the table */

/* Adds the columns of a table behind those that are there. */
static Err add_columns(const Value *table, Arena *a, Schema *s, Batch *b)
{
    for (u64 i = 0; i < table->as.table.count; i++) {
        SchemaColumn *c = &s->columns[s->column_count];
        const Value *from = &table->as.table.cols[i];
        Vec *to = &b->cols[s->column_count];
        if (schema_find(s, table->as.table.names[i]) >= 0)
            return fail(E_CORRUPT, "column %.*s stands twice", STR_FMT(table->as.table.names[i]));
        c->name = str_dup(a, table->as.table.names[i]);
        if (from->type < 0 || from->type > QT_ENUM)
            return fail(E_UNSUPPORTED, "column %s is no list", c->name);
        s->column_count++; /* freed from here on */
        Err err = copy(from, to, &c->type);
        if (err != E_OK) return fail_note(err, "column %s", c->name);
        if (s->column_count == 1) b->rows = to->count;
        if (to->count != b->rows)
            return fail(E_CORRUPT, "column %s has %llu rows, the first has %llu", c->name,
                        (unsigned long long)to->count, (unsigned long long)b->rows);
        c->attr[PLACE_DISK] = from->as.vec.attr;
    }
    return E_OK;
}

/* The parts of a table value: one table, or those of keys and of values. */
static u32 tables_of(const Value *v, const Value *tables[2])
{
    tables[0] = v;
    if (v->type == QT_TABLE) return 1;
    if (v->type != QT_DICT || v->as.dict.keys->type != QT_TABLE ||
        v->as.dict.values->type != QT_TABLE)
        return 0;
    tables[0] = v->as.dict.keys;
    tables[1] = v->as.dict.values;
    return 2;
}

void plain_object_free(Batch *b)
{
    for (u32 i = 0; b != NULL && b->cols != NULL && i < b->schema->column_count; i++)
        vec_free(&b->cols[i]);
}

Err plain_object_read(const PlainObject *o, const DomainSet *domains, Arena *a, Schema **out,
                      Batch **rows)
{
    Err err = E_OK;
    Value v;
    const Value *tables[2];
    u64 columns = 0;
    Batch *b = arena_new(a, Batch);
    Schema *s = arena_new(a, Schema);
    *out = NULL;
    *rows = NULL;
    TRY(object_read(o->path, domains, a, &v));
    u32 count = tables_of(&v, tables);
    if (count == 0) goto done;
    for (u32 i = 0; i < count; i++)
        columns += tables[i]->as.table.count;
    if (columns > BOUND_COLUMNS_MAX) TRY(fail(E_LIMIT, "more than %d columns", BOUND_COLUMNS_MAX));
    *s = (Schema){.name = o->name, .kind = TABLE_BASIC, .prtn = -1, .updated = -1};
    s->columns = arena_array(a, SchemaColumn, columns + 1);
    *b = (Batch){.schema = s, .cols = arena_array(a, Vec, columns + 1)};
    for (u32 i = 0; i < count; i++)
        TRY(add_columns(tables[i], a, s, b));
    schema_seal(s);
    *out = s;
    *rows = b;
done:
    if (err != E_OK) {
        plain_object_free(b);
        if (strstr(fail_text(), o->path) == NULL) err = fail_note(err, "%s", o->path);
    }
    return err;
}
