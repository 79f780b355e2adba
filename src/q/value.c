/*
 * value: making and reading values (value.h). All memory comes from the caller's arena; nothing
 * here fails except by value_at's and value_get's documented absence.
 *
 * A dictionary made by value_dict has a symbol vector and a general list; while it is filled, the
 * room of both is remembered in heap_room of the keys, a field that only nested vectors use
 * otherwise (room itself must stay 0: the vectors are borrowed from the arena).
 */
#include "q/value.h"

#include "q/symbol.h"

Value value_null(void) { return (Value){.type = QT_NULL}; }

Value value_atom(int type, i64 i) { return (Value){.type = (i16)-type, .as.i = i}; }

Value value_bool(bool b) { return value_atom(QT_BOOLEAN, b); }

Value value_long(i64 i) { return value_atom(QT_LONG, i); }

Value value_int(i32 i) { return value_atom(QT_INT, i); }

Value value_float(f64 f) { return (Value){.type = -QT_FLOAT, .as.f = f}; }

Value value_timestamp(i64 ns) { return value_atom(QT_TIMESTAMP, ns); }

Value value_sym(Str text) { return (Value){.type = -QT_SYMBOL, .as.text = text}; }

Value value_symbol(const char *text) { return value_sym(str_of(text)); }

Value value_string(Str text)
{
    return (Value){.type = QT_CHAR, .as.vec = vec_of(QT_CHAR, text.data, text.size)};
}

Value value_error(Str text) { return (Value){.type = QT_ERROR, .as.text = text}; }

Value value_vec(Vec v)
{
    Value value = {.type = v.type, .as.vec = v};
    value.as.vec.room = 0;
    return value;
}

Value value_list(Arena *a, u64 count)
{
    Value *items = arena_array(a, Value, count);
    for (u64 i = 0; i < count; i++)
        items[i] = value_null();
    return value_vec(vec_of(QT_LIST, items, count));
}

Value value_table(Arena *a, u64 count)
{
    Value v = {.type = QT_TABLE};
    v.as.table.count = count;
    v.as.table.names = arena_array(a, Str, count);
    v.as.table.cols = arena_array(a, Value, count);
    return v;
}

Value value_dict(Arena *a, u64 count)
{
    Value v = {.type = QT_DICT};
    v.as.dict.keys = arena_new(a, Value);
    v.as.dict.values = arena_new(a, Value);
    *v.as.dict.keys = value_vec(vec_of(QT_SYMBOL, arena_array(a, Str, count), 0));
    *v.as.dict.values = value_vec(vec_of(QT_LIST, arena_array(a, Value, count), 0));
    v.as.dict.keys->as.vec.heap_room = count;
    return v;
}

void value_put(Value *dict, const char *key, Value v)
{
    Vec *keys = &dict->as.dict.keys->as.vec, *values = &dict->as.dict.values->as.vec;
    ASSERT(dict->type == QT_DICT && keys->count < keys->heap_room);
    vec_str(keys)[keys->count++] = str_of(key);
    vec_value(values)[values->count++] = v;
}

static bool is_vector(int type) { return type >= QT_LIST && type <= QT_NESTED + QT_ENUM; }

u64 value_count(const Value *v)
{
    if (is_vector(v->type)) return v->as.vec.count;
    if (v->type == QT_TABLE) return v->as.table.count ? value_count(&v->as.table.cols[0]) : 0;
    if (v->type == QT_DICT) return value_count(v->as.dict.keys);
    return 1;
}

static Value element(const Vec *vec, u64 i)
{
    const u8 *p = (const u8 *)vec->data + i * type_width(vec->type);
    Value v = {.type = (i16)-vec->type};
    switch (vec->type) {
    case QT_BOOLEAN:
    case QT_BYTE:
    case QT_CHAR: v.as.i = *p; break;
    case QT_SHORT: v.as.i = (i16)load_u16(p); break;
    case QT_LONG:
    case QT_TIMESTAMP:
    case QT_TIMESPAN: v.as.i = load_i64(p); break;
    case QT_REAL: v.as.f = (f64)vec_f32(vec)[i]; break;
    case QT_FLOAT:
    case QT_DATETIME: v.as.f = vec_f64(vec)[i]; break;
    case QT_GUID: memcpy(v.as.guid, p, sizeof v.as.guid); break;
    case QT_SYMBOL: v.as.text = vec_str(vec)[i]; break;
    default: v.as.i = load_i32(p); break;
    }
    return v;
}

Value value_at(const Value *v, u64 i)
{
    if (i >= value_count(v) || v->type == QT_TABLE || v->type == QT_DICT) return value_null();
    if (!is_vector(v->type)) return *v;
    const Vec *vec = &v->as.vec;
    if (vec->type == QT_LIST) return vec_value(vec)[i];
    if (vec->type < QT_NESTED) return element(vec, i);
    if (vec->type == QT_NESTED) return value_null();
    int type = vec->type - QT_NESTED;
    const u8 *row = (const u8 *)vec->data + vec->offs[i] * type_width(type);
    return value_vec(vec_of(type, row, vec->offs[i + 1] - vec->offs[i]));
}

const Value *value_get(const Value *dict, const char *key)
{
    if (dict->type != QT_DICT) return NULL;
    const Value *keys = dict->as.dict.keys, *values = dict->as.dict.values;
    if (!is_vector(keys->type)) return NULL;
    const Value *items = values->type == QT_LIST ? vec_value(&values->as.vec) : dict->as.dict.items;
    if (!items) return NULL;
    u64 count = MIN(value_count(keys), value_count(values));
    for (u64 i = 0; i < count; i++) {
        Value name = value_at(keys, i);
        Str text;
        if (value_text(&name, &text) && str_is(text, key)) return &items[i];
    }
    return NULL;
}

const Value *value_col(const Value *table, const char *name)
{
    if (table->type == QT_DICT && table->as.dict.keys->type == QT_TABLE) {
        const Value *col = value_col(table->as.dict.keys, name);
        return col ? col : value_col(table->as.dict.values, name);
    }
    if (table->type != QT_TABLE) return NULL;
    for (u64 i = 0; i < table->as.table.count; i++)
        if (str_is(table->as.table.names[i], name)) return &table->as.table.cols[i];
    return NULL;
}

bool value_text(const Value *v, Str *out)
{
    switch (v->type) {
    case -QT_SYMBOL: *out = v->as.text; return true;
    case -QT_ENUM: *out = symbol_text((i32)v->as.i); return true;
    case -QT_CHAR: *out = (Str){(const char *)&v->as.i, 1}; return true;
    case QT_CHAR: *out = (Str){v->as.vec.count ? v->as.vec.data : "", v->as.vec.count}; return true;
    default: return false;
    }
}

bool value_int_of(const Value *v, i64 *out)
{
    int type = -v->type;
    if (type == QT_REAL || type == QT_FLOAT || type == QT_DATETIME) {
        f64 f = v->as.f;
        if (!(f >= -0x1p63 && f < 0x1p63) || (f64)(i64)f != f) return false;
        *out = (i64)f;
        return true;
    }
    if (!type_is_fixed(type) || type == QT_GUID || type == QT_CHAR) return false;
    *out = v->as.i;
    if (type == QT_SHORT && *out == Q_NULL_SHORT) *out = Q_NULL_LONG;
    if (type_width(type) == 4 && *out == Q_NULL_INT) *out = Q_NULL_LONG;
    return true;
}

bool value_is_nothing(const Value *v)
{
    return (v->type == QT_NULL && v->as.i == 0) || (v->type == QT_LIST && v->as.vec.count == 0);
}
