/*
 * cast: one element from text or from a JSON value, and back to text.
 *
 * Text of numbers is decimal; q's spellings of nulls and infinities are read as well (0N, 0W, -0W
 * with an optional type letter). Whole numbers must fit their type: the value that stands for null
 * or infinity is refused, so that nothing turns into null on the way. Lists are written and read
 * with blanks between elements; mixed values have no form as text. JSON strings are cast as text
 * is; JSON numbers are cast to every numeric and temporal type that they fit.
 */
#include "table/cast.h"

#include "base/bounds.h"
#include "q/symbol.h"
#include "q/temporal.h"
#include "q/type.h"
#include "table/cell.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define SHOWN_MAX 64 /* bytes of a text that an error quotes */

typedef union {
    u8 u8;
    i16 i16;
    i32 i32;
    i64 i64;
    f32 f32;
    f64 f64;
    u8 guid[16];
} Element;

static Err no_cast(int type, Str text)
{
    return fail(E_TYPE, "\"%.*s\"%s is no %s", (int)MIN(text.size, SHOWN_MAX), text.data,
                text.size > SHOWN_MAX ? "..." : "", type_name(type));
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool parse_hex(Str text, u8 *out, u64 count)
{
    if (text.size != 2 * count) return false;
    for (u64 i = 0; i < count; i++) {
        int high = hex_digit(text.data[2 * i]), low = hex_digit(text.data[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (u8)(high << 4 | low);
    }
    return true;
}

/* 8-4-4-4-12 hex digits. */
static bool parse_guid(Str text, u8 out[16])
{
    char plain[32];
    u64 n = 0;
    if (text.size != 36) return false;
    for (u64 i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (text.data[i] == '-')) return false;
        if (!dash) plain[n++] = text.data[i];
    }
    return parse_hex((Str){plain, n}, out, 16);
}

static bool parse_boolean(Str text, u8 *out)
{
    static const char *const yes[] = {"1", "true", "1b"};
    static const char *const no[] = {"0", "false", "0b"};
    for (u32 i = 0; i < COUNT_OF(yes); i++) {
        *out = str_is(text, yes[i]);
        if (*out || str_is(text, no[i])) return true;
    }
    return false;
}

/* q's 0N, 0W and -0W with one letter of the type behind it at most: -1, 0, 1; 2 = none of them. */
static int parse_special(Str text, char letter)
{
    if (text.size > 2 && text.data[text.size - 1] == letter) text.size--;
    if (str_is(text, "0N") || str_is(text, "0n")) return 0;
    if (str_is(text, "0W") || str_is(text, "0w")) return 1;
    if (str_is(text, "-0W") || str_is(text, "-0w")) return -1;
    return 2;
}

/* Bounds of the ordinary values of an integer type of `width` bytes; beyond them stand infinities
 * and the null. */
static i64 limit_of(u32 width)
{
    switch (width) {
    case 2: return INT16_MAX;
    case 4: return INT32_MAX;
    default: return INT64_MAX;
    }
}

static void put_integer(int type, i64 i, Element *e)
{
    switch (type_width(type)) {
    case 1: e->u8 = (u8)i; break;
    case 2: e->i16 = (i16)i; break;
    case 4: e->i32 = (i32)i; break;
    default: e->i64 = i; break;
    }
}

static void put_float(int type, f64 f, Element *e)
{
    if (isnan(f))
        type_null(type, e);
    else if (type == QT_REAL)
        e->f32 = (f32)f;
    else
        e->f64 = f;
}

static bool parse_integer(int type, Str text, Element *e)
{
    i64 i, limit = limit_of(type_width(type));
    int special = parse_special(text, type_letter(type));
    if (special == 0) {
        type_null(type, e);
    } else if (special != 2) {
        put_integer(type, special * limit, e);
    } else {
        if (!str_i64(text, &i) || i >= limit || i <= -limit) return false;
        put_integer(type, i, e);
    }
    return true;
}

static bool parse_float(int type, Str text, Element *e)
{
    f64 f;
    int special = parse_special(text, type_letter(type));
    if (special == 0)
        f = (f64)NAN;
    else if (special != 2)
        f = special * (f64)INFINITY;
    else if (!str_f64(text, &f))
        return false;
    put_float(type, f, e);
    return true;
}

static bool parse_byte(Str text, u8 *out)
{
    i64 i;
    if (str_starts(text, STR("0x"))) return parse_hex((Str){text.data + 2, text.size - 2}, out, 1);
    if (!str_i64(text, &i) || i < 0 || i > 255) return false;
    *out = (u8)i;
    return true;
}

static bool parse_temporal(int type, Str text, Element *e)
{
    i64 i;
    if (!temporal_parse(type, text, &i)) return false;
    if (type == QT_DATETIME)
        e->i64 = i; /* bits of the float */
    else
        put_integer(type, i, e);
    return true;
}

static bool parse_element(int type, Str text, Element *e)
{
    switch (type) {
    case QT_BOOLEAN: return parse_boolean(text, &e->u8);
    case QT_GUID: return parse_guid(text, e->guid);
    case QT_BYTE: return parse_byte(text, &e->u8);
    case QT_SHORT:
    case QT_INT:
    case QT_LONG: return parse_integer(type, text, e);
    case QT_REAL:
    case QT_FLOAT: return parse_float(type, text, e);
    case QT_CHAR: e->u8 = (u8)text.data[0]; return text.size == 1;
    default: return type_is_temporal(type) && parse_temporal(type, text, e);
    }
}

/* Appends the elements of one row; symbols as ids. */
static Err append_list(int type, const Buf *elements, Vec *v)
{
    u64 width = type == QT_SYMBOL ? sizeof(i32) : type_width(type);
    if (elements->size > BOUND_LIST_MAX)
        return fail(E_TYPE, "a list of %llu bytes in one row, at most %llu are taken",
                    (unsigned long long)elements->size, BOUND_LIST_MAX);
    return vec_append_row(v, elements->data, elements->size / width);
}

/* One element of a list, from text. */
static Err put_element(int type, Str text, Buf *elements)
{
    Element e = {.guid = {0}};
    if (type == QT_SYMBOL) {
        Err err = symbol_intern(text, &e.i32);
        return err == E_OK ? buf_append(elements, &e.i32, sizeof e.i32) : err;
    }
    if (!parse_element(type, text, &e)) return no_cast(type, text);
    return buf_append(elements, &e, type_width(type));
}

/* A list of numbers, times or symbols: elements between blanks. */
static Err cast_list(int type, Str text, Vec *v)
{
    Err err = E_OK;
    Buf elements = {0};
    Str piece;
    while (str_split(&text, ' ', &piece)) {
        if (piece.size > 0) TRY(put_element(type, piece, &elements));
    }
    TRY(append_list(type, &elements, v));
done:
    buf_free(&elements);
    return err;
}

static Err append_symbol(Str name, Vec *v)
{
    i32 id;
    Err err = symbol_intern(name, &id);
    return err == E_OK ? vec_append(v, &id, 1) : err;
}

static Err append_string(Str text, Vec *v)
{
    return append_list(QT_CHAR, &(Buf){.data = (u8 *)(uintptr_t)text.data, .size = text.size}, v);
}

Err cast_text(int type, Str text, Vec *v)
{
    Element e = {.guid = {0}};
    if (type == QT_STRING) return append_string(text, v);
    if (type == QT_SYMBOL) return append_symbol(text, v);
    if (text.size == 0) return vec_append_null(v, 1);
    if (type > QT_NESTED) return cast_list(type - QT_NESTED, text, v);
    if (!type_is_fixed(type))
        return fail(E_TYPE, "a mixed value has no form as text: publish it as JSON or by q IPC");
    if (!parse_element(type, text, &e)) return no_cast(type, text);
    return vec_append(v, &e, 1);
}

/* A JSON number as an element. */
static bool number_element(int type, const Value *value, Element *e)
{
    bool whole = value->type == -QT_LONG;
    i64 i = whole ? value->as.i : 0;
    f64 f = whole ? (f64)i : value->as.f;
    if (type_class(type) == TYPE_REAL) {
        put_float(type, f, e);
        return true;
    }
    if (!whole && !value_int_of(value, &i)) return false;
    if (type == QT_BOOLEAN) {
        e->u8 = (u8)i;
        return i == 0 || i == 1;
    }
    if (type == QT_BYTE) {
        e->u8 = (u8)i;
        return i >= 0 && i <= 255;
    }
    if (type == QT_CHAR || type == QT_GUID) return false;
    i64 limit = limit_of(type_width(type));
    put_integer(type, i, e);
    return i < limit && i > -limit;
}

static Err no_value(int type, const Value *value)
{
    return fail(E_TYPE, "a JSON value of type %s is no %s", type_name(value->type),
                type_name(type));
}

static Err element_of(int type, const Value *value, Element *e)
{
    Str text;
    bool good = false;
    if (value->type == QT_NULL || value->type == -QT_NULL) {
        type_null(type, e);
        return E_OK;
    }
    if (value_text(value, &text)) {
        if (text.size == 0) {
            type_null(type, e);
            return E_OK;
        }
        return parse_element(type, text, e) ? E_OK : no_cast(type, text);
    }
    if (value->type == -QT_BOOLEAN) {
        e->u8 = (u8)value->as.i;
        good = type == QT_BOOLEAN;
    } else if (value->type == -QT_LONG || value->type == -QT_FLOAT) {
        good = number_element(type, value, e);
    }
    return good ? E_OK : no_value(type, value);
}

/* A JSON array as a cell of a list column. */
static Err cast_array(int type, const Value *value, Vec *v)
{
    Err err = E_OK;
    Buf elements = {0};
    u64 count = value_count(value);
    for (u64 i = 0; i < count; i++) {
        Element e = {.guid = {0}};
        Value one = value_at(value, i);
        Str name = {"", 0};
        if (type == QT_SYMBOL) {
            if (!value_text(&one, &name) && one.type != QT_NULL) TRY(no_value(type, &one));
            TRY(put_element(type, name, &elements));
            continue;
        }
        TRY(element_of(type, &one, &e));
        TRY(buf_append(&elements, &e, type_width(type)));
    }
    TRY(append_list(type, &elements, v));
done:
    buf_free(&elements);
    return err;
}

Err cast_value(int type, const Value *value, Vec *v)
{
    Element e = {.guid = {0}};
    Str text;
    if (value->type == QT_NULL) return vec_append_null(v, 1);
    if (type == QT_LIST) return cell_append_value(value, v);
    if (type == QT_SYMBOL || type == QT_STRING) {
        if (!value_text(value, &text)) return no_value(type, value);
        return type == QT_SYMBOL ? append_symbol(text, v) : append_string(text, v);
    }
    if (type > QT_NESTED) {
        if (value->type < QT_LIST || value->type > QT_ENUM || value->type == QT_CHAR)
            return no_value(type, value);
        return cast_array(type - QT_NESTED, value, v);
    }
    Err err = element_of(type, value, &e);
    return err == E_OK ? vec_append(v, &e, 1) : err;
}

static Err write_guid(Buf *out, const u8 g[16])
{
    Err err = E_OK;
    for (u32 i = 0; i < 16 && err == E_OK; i++) {
        err = buf_format(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", g[i]);
    }
    return err;
}

static Err write_float(Buf *out, f64 f, bool narrow)
{
    char text[40];
    if (isnan(f)) return E_OK;
    if (isinf(f)) return buf_text(out, f > 0 ? "0w" : "-0w");
    /* the fewest digits that read back equal */
    for (int digits = narrow ? 6 : 15; digits <= 17; digits++) {
        f64 back;
        u64 size = (u64)snprintf(text, sizeof text, "%.*g", digits, f);
        if (!str_f64((Str){text, size}, &back)) break;
        if (narrow ? (f32)back == (f32)f : back == f) break;
    }
    return buf_text(out, text);
}

static Err write_integer(Buf *out, int type, i64 i)
{
    i64 limit = limit_of(type_width(type));
    if (i == limit) return buf_text(out, "0W");
    if (i == -limit) return buf_text(out, "-0W");
    if (i < -limit) return E_OK;
    return buf_format(out, "%" PRIi64, i);
}

static Err write_temporal(Buf *out, int type, const Value *atom)
{
    char text[TEMPORAL_TEXT_MAX];
    i64 i = atom->as.i;
    if (type == QT_DATETIME) {
        if (isnan(atom->as.f)) return E_OK;
        memcpy(&i, &atom->as.f, sizeof i);
    } else if (i == (type_width(type) == 4 ? (i64)Q_NULL_INT : Q_NULL_LONG)) {
        return E_OK;
    }
    u32 size = temporal_format(type, i, text);
    return buf_append(out, text, size);
}

Err cast_write(Buf *out, const Value *atom)
{
    int type = -atom->type;
    switch (type) {
    case QT_BOOLEAN: return buf_byte(out, atom->as.i ? '1' : '0');
    case QT_GUID: return write_guid(out, atom->as.guid);
    case QT_BYTE: return buf_format(out, "0x%02x", (u32)(u8)atom->as.i);
    case QT_SHORT:
    case QT_INT:
    case QT_LONG: return write_integer(out, type, atom->as.i);
    case QT_REAL:
    case QT_FLOAT: return write_float(out, atom->as.f, type == QT_REAL);
    case QT_CHAR: return buf_byte(out, (u8)atom->as.i);
    case QT_SYMBOL: return buf_append(out, atom->as.text.data, atom->as.text.size);
    case QT_ENUM: {
        Str name = symbol_text((i32)atom->as.i);
        return buf_append(out, name.data, name.size);
    }
    default:
        if (type_is_temporal(type)) return write_temporal(out, type, atom);
        return fail(E_UNSUPPORTED, "a value of type %s as CSV", type_name(atom->type));
    }
}
