/*
 * operand: casting to a column's type (operand.h).
 *
 * Three roads: text goes through the parser of the table room, into a batch of one row; numbers of
 * another type are converted when the column's type can hold them; times of another type go through
 * nanoseconds, when nothing is lost on the way (a date is the timestamp of its midnight).
 */
#include "query/operand.h"

#include "base/bounds.h"
#include "q/temporal.h"
#include "table/batch.h"

#include <math.h>

#define SECOND_NS 1000000000LL
#define MINUTE_NS (60 * SECOND_NS)
#define MILLI_NS  1000000LL

static Err no_cast(const Schema *s, i32 col, const Value *v)
{
    const SchemaColumn *c = &s->columns[col];
    return fail(E_TYPE, "column %s of %s is %s: a value of type %s does not fit", c->name, s->name,
                type_name(c->type), type_name(v->type));
}

/* ---- numbers and times */

static bool is_real(int type) { return type == QT_REAL || type == QT_FLOAT; }

static bool is_count(int type)
{
    return type == QT_BOOLEAN || type == QT_BYTE || (type >= QT_SHORT && type <= QT_LONG);
}

/* Puts an integer into an atom of a type; Q_NULL_LONG becomes its null. False when it does not
 * fit. */
static bool put_integer(int type, i64 i, Value *out)
{
    i64 limit = INT64_MAX, null = Q_NULL_LONG;
    switch (type_width(type)) {
    case 1: limit = type == QT_BOOLEAN ? 1 : UINT8_MAX; break;
    case 2: limit = INT16_MAX, null = Q_NULL_SHORT; break;
    case 4: limit = INT32_MAX, null = Q_NULL_INT; break;
    default: break;
    }
    if (type_width(type) == 1) {
        *out = value_atom(type, i);
        return i >= 0 && i <= limit;
    }
    *out = value_atom(type, i == Q_NULL_LONG ? null : i);
    return i == Q_NULL_LONG || (i >= -limit && i <= limit);
}

/* Nanoseconds of a time: since 2000 for points in time (*point), else a span. */
static bool to_ns(const Value *v, i64 *ns, bool *point)
{
    i64 i = 0, unit = 1;
    i32 month;
    *point = false;
    if (!value_int_of(v, &i)) {
        /* a datetime with a fraction: to the millisecond, which is what it shows */
        if (v->type != -QT_DATETIME || !(fabs(v->as.f) < 1e5)) return false;
        *point = true;
        *ns = (i64)llround(v->as.f * 86400e3) * MILLI_NS;
        return true;
    }
    switch (-v->type) {
    case QT_TIMESTAMP: *point = true; break;
    case QT_DATE:
    case QT_DATETIME: *point = true, unit = TEMPORAL_DAY_NS; break;
    case QT_MONTH:
        *point = true, unit = TEMPORAL_DAY_NS;
        if (i == Q_NULL_LONG || i < -12000 || i > 96000) break;
        month = (i32)(i % 12 < 0 ? i % 12 + 12 : i % 12);
        i = temporal_days((i32)(2000 + (i - month) / 12), month + 1, 1);
        break;
    case QT_TIMESPAN: break;
    case QT_MINUTE: unit = MINUTE_NS; break;
    case QT_SECOND: unit = SECOND_NS; break;
    case QT_TIME: unit = MILLI_NS; break;
    default: return false;
    }
    *ns = i;
    return i == Q_NULL_LONG || !__builtin_mul_overflow(i, unit, ns);
}

static bool from_ns(int type, i64 ns, bool point, Value *out)
{
    i64 unit = 1;
    i32 year, month, day;
    switch (type) {
    case QT_TIMESTAMP: break;
    case QT_DATE:
    case QT_MONTH: unit = TEMPORAL_DAY_NS; break;
    case QT_DATETIME:
        *out = (Value){.type = -QT_DATETIME, .as.f = (f64)ns / (f64)TEMPORAL_DAY_NS};
        if (ns == Q_NULL_LONG) out->as.f = (f64)NAN;
        return point;
    case QT_TIMESPAN: break;
    case QT_MINUTE: unit = MINUTE_NS; break;
    case QT_SECOND: unit = SECOND_NS; break;
    case QT_TIME: unit = MILLI_NS; break;
    default: return false;
    }
    if (point != (type <= QT_DATETIME)) return false;
    if (ns == Q_NULL_LONG) return put_integer(type, ns, out);
    if (ns % unit != 0) return false;
    if (type != QT_MONTH) return put_integer(type, ns / unit, out);
    temporal_civil(temporal_day_of(ns), &year, &month, &day);
    return day == 1 && put_integer(type, (i64)(year - 2000) * 12 + month - 1, out);
}

static bool cast_number(int type, const Value *v, Value *out)
{
    i64 i = 0;
    int from = -v->type;
    if (is_real(type)) {
        if (is_real(from)) {
            *out = (Value){.type = (i16)-type, .as.f = v->as.f};
        } else {
            if (!is_count(from) || !value_int_of(v, &i)) return false;
            *out = (Value){.type = (i16)-type, .as.f = i == Q_NULL_LONG ? (f64)NAN : (f64)i};
        }
        if (type == QT_REAL) out->as.f = (f64)(f32)out->as.f;
        return true;
    }
    if (type == QT_DATETIME && from == QT_FLOAT) {
        *out = (Value){.type = -QT_DATETIME, .as.f = v->as.f};
        return true;
    }
    if (!is_count(from) && !is_real(from)) return false;
    if (is_real(from) && isnan(v->as.f)) return put_integer(type, Q_NULL_LONG, out);
    return value_int_of(v, &i) && type != QT_DATETIME && put_integer(type, i, out);
}

static bool cast_atom(int type, const Value *v, Value *out)
{
    i64 ns = 0;
    bool point = false;
    if (v->type == -type) {
        *out = *v;
        return true;
    }
    if (type == QT_CHAR || type == QT_GUID || v->type >= 0) return false;
    if (type_is_temporal(type) && type_is_temporal(-v->type))
        return to_ns(v, &ns, &point) && from_ns(type, ns, point, out);
    if (type_is_temporal(-v->type)) return false;
    return cast_number(type, v, out);
}

/* ---- text */

/* Reads a text, or JSON's null, as a field of the column. */
static Err cast_text(const Schema *s, i32 col, const Str *text, Arena *a, Value *out)
{
    Batch b;
    Value null = value_null();
    batch_init(&b, s);
    Err err = text != NULL ? batch_append_text(&b, (u32)col, *text)
                           : batch_append_value(&b, (u32)col, &null);
    if (err == E_OK) {
        Value v = value_vec(b.cols[col]);
        *out = value_at(&v, 0);
        if (out->type == QT_CHAR) {
            u64 size = out->as.vec.count;
            *out = value_string((Str){arena_text(a, out->as.vec.data, size), size});
        }
    }
    batch_free(&b);
    return err == E_OK ? err : fail_note(err, "column %s of %s", s->columns[col].name, s->name);
}

Err operand_atom(const Schema *s, i32 col, const Value *v, Arena *a, Value *out)
{
    int type = s->columns[col].type;
    Str text = {"", 0};
    Value single;
    bool is_text = value_text(v, &text);
    if (!is_text && v->type >= QT_LIST && v->type < QT_NESTED && value_count(v) == 1) {
        single = value_at(v, 0);
        if (single.type < 0 || single.type == QT_CHAR) return operand_atom(s, col, &single, a, out);
    }
    if (type == QT_SYMBOL || type == QT_STRING) {
        if (!is_text && v->type != QT_NULL) return no_cast(s, col, v);
        text.data = arena_text(a, text.data, text.size);
        *out = type == QT_SYMBOL ? value_sym(text) : value_string(text);
        return E_OK;
    }
    if (!type_is_fixed(type)) {
        return fail(E_UNSUPPORTED, "column %s of %s is a list: no filter compares it",
                    s->columns[col].name, s->name);
    }
    if (v->type == -type) {
        *out = *v;
        return E_OK;
    }
    if (v->type == QT_NULL) return cast_text(s, col, NULL, a, out);
    if (is_text) return cast_text(s, col, &text, a, out);
    return cast_atom(type, v, out) ? E_OK : no_cast(s, col, v);
}

/* The bytes of an atom as an element of a vector. */
static void put_element(int type, const Value *v, u8 *p)
{
    f32 real;
    switch (type) {
    case QT_SYMBOL: memcpy(p, &v->as.text, sizeof v->as.text); return;
    case QT_GUID: memcpy(p, v->as.guid, 16); return;
    case QT_REAL:
        real = (f32)v->as.f;
        memcpy(p, &real, sizeof real);
        return;
    case QT_FLOAT:
    case QT_DATETIME: memcpy(p, &v->as.f, sizeof v->as.f); return;
    default: memcpy(p, &v->as.i, type_width(type)); return;
    }
}

Err operand_list(const Schema *s, i32 col, const Value *v, Arena *a, Value *out)
{
    Err err = E_OK;
    int type = s->columns[col].type;
    Str text;
    bool alone = v->type < 0 || v->type == QT_NULL ||
                 (v->type == QT_CHAR && type != QT_CHAR && value_text(v, &text));
    if (!alone && (v->type > QT_ENUM)) return no_cast(s, col, v);
    u64 count = alone ? 1 : value_count(v);
    bool strings = type == QT_STRING;
    u32 width = strings ? sizeof(Value) : type_width(type);
    void *data;
    if (width == 0) return operand_atom(s, col, v, a, out);
    TRY(arena_try(a, count + 1, width, &data));
    for (u64 i = 0; i < count; i++) {
        Value one = alone ? *v : value_at(v, i), cast = value_null();
        TRY(operand_atom(s, col, &one, a, &cast));
        if (strings) {
            ((Value *)data)[i] = cast;
        } else {
            put_element(type, &cast, (u8 *)data + i * width);
        }
    }
    *out = value_vec(vec_of(strings ? QT_LIST : type, data, count));
done:
    return err;
}

Err operand_time(const char *what, const Value *v, i64 *out)
{
    Str text;
    bool point = false;
    *out = Q_NULL_LONG;
    if (value_is_nothing(v)) return E_OK;
    if (value_text(v, &text)) {
        if (text.size == 0 || temporal_parse(QT_TIMESTAMP, text, out)) return E_OK;
        return fail(E_USAGE, "%s: \"%.*s\" is no timestamp", what, (int)MIN(text.size, 64),
                    text.data);
    }
    if (v->type == -QT_LONG && value_int_of(v, out)) return E_OK;
    if (v->type < 0 && to_ns(v, out, &point) && point) return E_OK;
    return fail(E_USAGE, "%s: a value of type %s is no timestamp", what, type_name(v->type));
}
