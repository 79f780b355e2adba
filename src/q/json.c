/*
 * json: values as JSON text, JSON text as values (json.h). Parsing is jansson's; writing is ours,
 * as results are written millions of cells at a time.
 *
 * A float is written in the fewest digits that read back equal. Whole ones below 2^53 go the way of
 * integers. Others below 2^53 and not tiny are m / 2^k with k below 70: their digits come one by
 * one from exact 128-bit numbers, and stop as soon as what is written lies nearer to this float
 * than to any other (Steele and White's free-format algorithm). The rest is printed with 15, 16, 17
 * digits (subnormal: from 1 on) until it reads back equal; 17 always do.
 *
 * Null integers, temporals and floats are null; infinite integers are their numbers, as q keeps
 * them. A writer that fails leaves a piece behind in the buffer: the caller drops the answer.
 */
#include "q/json.h"

#include "base/bounds.h"
#include "q/symbol.h"
#include "q/temporal.h"
#include "q/wire.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBER_MAX   32                      /* bytes of any number written here */
#define ELEMENT_MAX  (TEMPORAL_TEXT_MAX + 2) /* bytes of any element that is no text */
#define STRING_PIECE 4096                    /* bytes of text escaped at a time */
#define ESCAPED_MAX  6                       /* bytes that one byte can become */
#define FRACTION_MIN 1e-5                    /* smaller floats are written with an exponent */
#define EXACT_MAX    0x1p53

/* ---- numbers */

static const char digit_pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

/* Writes n in decimal and returns the end. */
static char *put_u64(char *p, u64 n)
{
    char text[20];
    char *at = text + sizeof text;
    for (; n >= 100; n /= 100) {
        at -= 2;
        memcpy(at, digit_pairs + n % 100 * 2, 2);
    }
    at -= 2;
    memcpy(at, digit_pairs + n * 2, 2);
    if (n < 10) at++;
    u64 size = (u64)(text + sizeof text - at);
    memcpy(p, at, size);
    return p + size;
}

static char *put_i64(char *p, i64 n)
{
    if (n < 0) *p++ = '-';
    return put_u64(p, n < 0 ? 0 - (u64)n : (u64)n);
}

static char *put_null(char *p)
{
    memcpy(p, "null", 4);
    return p + 4;
}

__extension__ typedef unsigned __int128 u128;

/* Writes mantissa / 2^k, neither whole nor beyond 2^53; `lowest` tells that the mantissa is the
 * least of its exponent, so that the next float below is only half as far as the one above. All
 * numbers of the loop are in units of 2^-(k + 2); one is 2^(k + 2). */
static char *put_fraction(char *p, u64 mantissa, u32 k, bool lowest)
{
    u32 shift = k + 2;
    u128 one = (u128)1 << shift;
    u128 rest = ((u128)mantissa << 2) & (one - 1), above = 2, below = lowest ? 1 : 2;
    bool even = mantissa % 2 == 0; /* then a text at half the way reads back as this float */
    p = put_u64(p, k < 64 ? mantissa >> k : 0);
    *p++ = '.';
    for (;;) {
        rest *= 10;
        above *= 10;
        below *= 10;
        u32 digit = (u32)(rest >> shift);
        rest &= one - 1;
        bool down = even ? rest <= below : rest < below;
        bool up = even ? rest + above >= one : rest + above > one;
        if (!down && !up) {
            *p++ = (char)('0' + digit);
            continue;
        }
        if (up && (!down || rest * 2 > one)) digit++;
        *p++ = (char)('0' + digit);
        return p;
    }
}

static char *put_f64(char *p, f64 f)
{
    const char *start = p;
    if (!isfinite(f)) return put_null(p);
    if (signbit(f)) {
        *p++ = '-';
        f = -f;
    }
    if (f == 0 && p > start) { /* "-0" is the integer 0 to some readers */
        memcpy(p, "0.0", 3);
        return p + 3;
    }
    if (f < EXACT_MAX && f == (f64)(u64)f) return put_u64(p, (u64)f);
    if (f >= FRACTION_MIN && f < EXACT_MAX) {
        u64 bits;
        memcpy(&bits, &f, sizeof bits);
        u64 low = bits & ((1ull << 52) - 1);
        return put_fraction(p, low | 1ull << 52, 1075 - (u32)(bits >> 52), low == 0);
    }
    for (int digits = f < DBL_MIN ? 1 : 15;; digits++) { /* subnormal floats hold fewer digits */
        int size = snprintf(p, NUMBER_MAX - 1, "%.*g", digits, f);
        if (digits == 17 || strtod(p, NULL) == f) return p + size;
    }
}

/* A real in the fewest digits that read back equal as a real. */
static char *put_f32(char *p, f32 f)
{
    if (!isfinite(f)) return put_null(p);
    if (f < 0x1p24f && f > -0x1p24f && f == (f32)(i32)f) return put_f64(p, (f64)f);
    if (signbit(f)) {
        *p++ = '-';
        f = -f;
    }
    if (f >= (f32)FRACTION_MIN && f < 0x1p24f) {
        u32 bits;
        memcpy(&bits, &f, sizeof bits);
        u32 low = bits & ((1u << 23) - 1);
        return put_fraction(p, low | 1u << 23, 150 - (bits >> 23), low == 0);
    }
    for (int digits = f < FLT_MIN ? 1 : 6;; digits++) {
        int size = snprintf(p, NUMBER_MAX - 1, "%.*g", digits, (f64)f);
        if (digits == 9 || strtof(p, NULL) == f) return p + size;
    }
}

Err json_float(Buf *b, f64 f)
{
    u8 *to = NULL;
    Err err = buf_room(b, NUMBER_MAX, &to);
    if (err != E_OK) return err;
    char *text = (char *)to;
    buf_added(b, (u64)(put_f64(text, f) - text));
    return E_OK;
}

/* ---- text */

/* The bytes of the UTF-8 character at p, 0 when there is none. */
static u32 utf8_size(const u8 *p, u64 left)
{
    u32 size = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    if (size == 0 || size > left) return 0;
    for (u32 i = 1; i < size; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if (p[0] == 0xe0 && p[1] < 0xa0) return 0; /* longer than needed */
    if (p[0] == 0xed && p[1] > 0x9f) return 0; /* surrogates */
    if (p[0] == 0xf0 && p[1] < 0x90) return 0;
    if (p[0] == 0xf4 && p[1] > 0x8f) return 0; /* beyond U+10FFFF */
    return size;
}

static u8 *put_escape(u8 *to, u8 byte)
{
    static const char hex[] = "0123456789abcdef";
    static const char shorts[] = "b\bf\fn\nr\rt\t\"\"\\\\";
    *to++ = '\\';
    for (u32 i = 0; i + 1 < sizeof shorts; i += 2) {
        if ((u8)shorts[i + 1] != byte) continue;
        *to++ = (u8)shorts[i];
        return to;
    }
    memcpy(to, "u00", 3);
    to[3] = (u8)hex[byte >> 4];
    to[4] = (u8)hex[byte & 15];
    return to + 5;
}

/* Writes the character at p (of `left` bytes); *used tells how many bytes it had. */
static u8 *put_char(u8 *to, const u8 *p, u64 left, u32 *used)
{
    *used = 1;
    if (*p < 0x20 || *p == '"' || *p == '\\') return put_escape(to, *p);
    if (*p < 0x80) {
        *to = *p;
        return to + 1;
    }
    u32 size = utf8_size(p, left);
    if (size == 0) {
        memcpy(to, "\xef\xbf\xbd", 3);
        return to + 3;
    }
    memcpy(to, p, size);
    *used = size;
    return to + size;
}

Err json_quote(Buf *b, Str text)
{
    const u8 *p = (const u8 *)text.data, *end = p + text.size;
    Err err = buf_byte(b, '"');
    while (err == E_OK && p < end) {
        const u8 *stop = p + MIN((u64)(end - p), STRING_PIECE);
        u8 *start = NULL;
        err = buf_room(b, (u64)(stop - p) * ESCAPED_MAX + ESCAPED_MAX, &start);
        if (err != E_OK) return err;
        u8 *to = start;
        while (p < stop) {
            u32 used = 1;
            to = put_char(to, p, (u64)(end - p), &used);
            p += used;
        }
        buf_added(b, (u64)(to - start));
    }
    return err == E_OK ? buf_byte(b, '"') : err;
}

/* ---- cells: elements of basic types */

static char *put_guid(char *p, const u8 *guid)
{
    static const char hex[] = "0123456789abcdef";
    *p++ = '"';
    for (u32 i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *p++ = '-';
        *p++ = hex[guid[i] >> 4];
        *p++ = hex[guid[i] & 15];
    }
    *p++ = '"';
    return p;
}

static char *put_temporal(char *p, int type, i64 value)
{
    u32 size = temporal_iso(type, value, p + 1);
    if (size == 0) return put_null(p);
    *p = '"';
    p[size + 1] = '"';
    return p + size + 2;
}

/* Writes the element at e, of a type that is neither text nor symbol. */
static char *put_element(char *p, int type, const void *e)
{
    f64 f;
    f32 real;
    if (type == QT_GUID) return put_guid(p, e);
    if (type == QT_BOOLEAN) {
        memcpy(p, *(const u8 *)e ? "true" : "false", 5);
        return p + (*(const u8 *)e ? 4 : 5);
    }
    if (type == QT_BYTE) return put_u64(p, *(const u8 *)e);
    if (type == QT_DATETIME) return put_temporal(p, type, load_i64(e));
    if (type == QT_FLOAT) {
        memcpy(&f, e, sizeof f);
        return put_f64(p, f);
    }
    if (type == QT_REAL) {
        memcpy(&real, e, sizeof real);
        return put_f32(p, real);
    }
    u32 width = type_width(type);
    i64 i = width == 8 ? load_i64(e) : width == 4 ? load_i32(e) : (i16)load_u16(e);
    if (i == (i64)(~0ull << (width * 8 - 1))) return put_null(p);
    return type_is_temporal(type) ? put_temporal(p, type, i) : put_i64(p, i);
}

static Err write_element(Buf *b, int type, const void *e)
{
    if (type == QT_CHAR) return json_quote(b, (Str){e, 1});
    if (type == QT_ENUM) return json_quote(b, symbol_text(load_i32(e)));
    if (type == QT_SYMBOL) return json_quote(b, *(const Str *)e);
    u8 *to = NULL;
    Err err = buf_room(b, ELEMENT_MAX, &to);
    if (err != E_OK) return err;
    char *text = (char *)to;
    buf_added(b, (u64)(put_element(text, type, e) - text));
    return E_OK;
}

static Err write_value(Buf *b, const Value *v, u32 depth);

/* Writes elements [at, at + count) of a basic type as one value: text for chars, else an array. */
static Err write_vector(Buf *b, int type, const u8 *data, u64 count)
{
    u32 width = type_width(type);
    if (type == QT_CHAR) return json_quote(b, (Str){(const char *)data, count});
    Err err = buf_byte(b, '[');
    for (u64 i = 0; err == E_OK && i < count; i++) {
        if (i > 0) err = buf_byte(b, ',');
        if (err == E_OK) err = write_element(b, type, data + i * width);
    }
    return err == E_OK ? buf_byte(b, ']') : err;
}

/* Writes row i of a mixed vector. */
static Err write_object(Buf *b, const Vec *vec, u64 i, u32 depth)
{
    Arena a = {0};
    Value row;
    Err err = wire_row(vec, i, &a, &row);
    if (err == E_OK) err = write_value(b, &row, depth + 1);
    arena_free(&a);
    return err;
}

/* Writes row i of a vector or list. */
static Err write_cell(Buf *b, const Vec *vec, u64 i, u32 depth)
{
    if (vec->type == QT_LIST) return write_value(b, &vec_value(vec)[i], depth + 1);
    if (vec->type <= QT_ENUM)
        return write_element(b, vec->type, (const u8 *)vec->data + i * type_width(vec->type));
    if (vec->type == QT_NESTED) return write_object(b, vec, i, depth);
    int type = vec->type - QT_NESTED;
    u64 at = vec->offs[i], count = vec->offs[i + 1] - at;
    const u8 *row = count > 0 ? (const u8 *)vec->data + at * type_width(type) : NULL;
    return write_vector(b, type, row, count);
}

/* ---- tables */

static bool is_list(const Value *v) { return v->type >= QT_LIST && v->type <= QT_NESTED + QT_ENUM; }

/* One or two tables side by side (a keyed table), or a table and a list. */
typedef struct {
    const Value *parts[2];
    u32 part_count;
    Buf names; /* per column: u32 size, then `"name":` escaped */
} Rows;

static Err add_name(Buf *names, Str name)
{
    u8 size[4] = {0};
    u64 at = names->size;
    Err err = E_OK;
    TRY(buf_append(names, size, sizeof size));
    TRY(json_quote(names, name));
    TRY(buf_byte(names, ':'));
    store_u32(names->data + at, (u32)(names->size - at - sizeof size));
done:
    return err;
}

static Err rows_init(Rows *r, const Value *v)
{
    Err err = E_OK;
    *r = (Rows){.parts = {v}, .part_count = 1};
    if (v->type == QT_DICT)
        *r = (Rows){.parts = {v->as.dict.keys, v->as.dict.values}, .part_count = 2};
    for (u32 p = 0; p < r->part_count; p++) {
        const Value *part = r->parts[p];
        if (part->type != QT_TABLE) {
            if (!is_list(part)) TRY(fail(E_TYPE, "JSON: neither a table nor a keyed table"));
            TRY(add_name(&r->names, STR("value")));
            continue;
        }
        for (u64 c = 0; c < part->as.table.count; c++) {
            if (!is_list(&part->as.table.cols[c]) ||
                value_count(&part->as.table.cols[c]) != value_count(part))
                TRY(fail(E_TYPE, "JSON: column %.*s of a table is no vector of its rows",
                         STR_FMT(part->as.table.names[c])));
            TRY(add_name(&r->names, part->as.table.names[c]));
        }
    }
done:
    return err;
}

/* Writes one column of a row; *name moves from one name to the next. What is no text is written
 * with its name in one go. */
static Err write_member(Buf *b, const Vec *vec, u64 row, const u8 **name, bool first, u32 depth)
{
    u32 size = load_u32(*name);
    u8 *to = NULL;
    Err err = buf_room(b, 1ull + size + ELEMENT_MAX, &to);
    if (err != E_OK) return err;
    u8 *p = to;
    if (!first) *p++ = ',';
    memcpy(p, *name + 4, size);
    p += size;
    *name += 4 + size;
    bool is_number = type_is_fixed(vec->type) && vec->type != QT_CHAR;
    if (is_number) {
        const u8 *e = (const u8 *)vec->data + row * type_width(vec->type);
        p = (u8 *)put_element((char *)p, vec->type, e);
    }
    buf_added(b, (u64)(p - to));
    return is_number ? E_OK : write_cell(b, vec, row, depth);
}

static Err write_row(Buf *b, const Rows *r, u64 row, u32 depth)
{
    const u8 *name = r->names.data;
    bool first = true;
    Err err = E_OK;
    TRY(buf_byte(b, '{'));
    for (u32 p = 0; p < r->part_count; p++) {
        const Value *part = r->parts[p];
        u64 count = part->type == QT_TABLE ? part->as.table.count : 1;
        const Value *cols = part->type == QT_TABLE ? part->as.table.cols : part;
        for (u64 c = 0; c < count; c++) {
            TRY(write_member(b, &cols[c].as.vec, row, &name, first, depth));
            first = false;
        }
    }
    TRY(buf_byte(b, '}'));
done:
    return err;
}

static Err write_rows(Buf *b, const Value *table, u64 from, u64 to, bool bare, u32 depth)
{
    Rows r = {0};
    Err err = E_OK;
    TRY(rows_init(&r, table));
    to = MIN(to, value_count(table));
    if (!bare) TRY(buf_byte(b, '['));
    for (u64 row = from; row < to; row++) {
        if (row > from) TRY(buf_byte(b, ','));
        TRY(write_row(b, &r, row, depth + 1));
    }
    if (!bare) TRY(buf_byte(b, ']'));
done:
    buf_free(&r.names);
    return err;
}

Err json_write_rows(Buf *b, const Value *table, u64 from, u64 to, bool bare)
{
    return write_rows(b, table, from, to, bare, 0);
}

/* ---- values */

/* Writes a key of a dictionary: text as it is, other atoms as text. */
static Err write_key(Buf *b, const Value *key)
{
    Str text;
    if (value_text(key, &text)) return json_quote(b, text);
    if (key->type >= 0 && key->type != QT_NULL)
        return fail(E_TYPE, "JSON: a dictionary key of type %s", type_name(key->type));
    Err err = E_OK;
    u64 at = b->size;
    TRY(write_value(b, key, 0));
    if (b->data[at] == '"') return E_OK;
    char number[NUMBER_MAX];
    u64 size = MIN(b->size - at, sizeof number);
    memcpy(number, b->data + at, size);
    b->size = at;
    TRY(json_quote(b, (Str){number, size}));
done:
    return err;
}

static Err write_dict(Buf *b, const Value *v, u32 depth)
{
    const Value *keys = v->as.dict.keys, *values = v->as.dict.values;
    Rows r = {0};
    Err err = E_OK;
    if (keys->type == QT_TABLE) return write_rows(b, v, 0, value_count(v), false, depth);
    if (values->type == QT_TABLE) TRY(rows_init(&r, values));
    if (value_count(keys) != value_count(values) || (!is_list(values) && values->type != QT_TABLE))
        TRY(fail(E_TYPE, "JSON: a dictionary of unequal keys and values"));
    TRY(buf_byte(b, '{'));
    for (u64 i = 0; i < value_count(keys); i++) {
        Value key = value_at(keys, i);
        if (i > 0) TRY(buf_byte(b, ','));
        TRY(write_key(b, &key));
        TRY(buf_byte(b, ':'));
        if (values->type == QT_TABLE)
            TRY(write_row(b, &r, i, depth + 1));
        else
            TRY(write_cell(b, &values->as.vec, i, depth));
    }
    TRY(buf_byte(b, '}'));
done:
    buf_free(&r.names);
    return err;
}

static Err write_list(Buf *b, const Vec *vec, u32 depth)
{
    Err err = E_OK;
    TRY(buf_byte(b, '['));
    for (u64 i = 0; i < vec->count; i++) {
        if (i > 0) TRY(buf_byte(b, ','));
        TRY(write_cell(b, vec, i, depth));
    }
    TRY(buf_byte(b, ']'));
done:
    return err;
}

static Err write_atom(Buf *b, const Value *v)
{
    int type = -v->type;
    f32 real = (f32)v->as.f;
    Str text;
    if (value_text(v, &text)) return json_quote(b, text);
    if (type_width(type) == 0) return fail(E_TYPE, "JSON: a value of unknown type %d", v->type);
    if (type == QT_REAL) return write_element(b, type, &real);
    return write_element(b, type, &v->as); /* little-endian: the low bytes are the element */
}

static Err write_value(Buf *b, const Value *v, u32 depth)
{
    if (depth >= BOUND_DEPTH_MAX)
        return fail(E_LIMIT, "JSON: a value nested more than %d deep", BOUND_DEPTH_MAX);
    int type = v->type;
    if (type == QT_NULL && v->as.i == 0) return buf_text(b, "null");
    if (type == QT_ERROR || type == QT_LAMBDA) return json_quote(b, v->as.text);
    if (type < 0) return write_atom(b, v);
    if (type == QT_TABLE) return write_rows(b, v, 0, value_count(v), false, depth);
    if (type == QT_DICT) return write_dict(b, v, depth);
    if (type == QT_LIST || type_is_nested(type)) return write_list(b, &v->as.vec, depth);
    if (type_width(type) > 0) return write_vector(b, type, v->as.vec.data, v->as.vec.count);
    return fail(E_TYPE, "JSON: a %s cannot be written", type_name(type));
}

Err json_write(Buf *b, const Value *v) { return write_value(b, v, 0); }

/* ---- parsing */

/* Where a byte stands, for messages. */
static void place(Str text, u64 at, u64 *line, u64 *column)
{
    *line = 1;
    *column = 1;
    for (u64 i = 0; i < at; i++) {
        bool feed = text.data[i] == '\n';
        *line += feed;
        *column = feed ? 1 : *column + 1;
    }
}

/* Refuses deep nesting before the parser recurses. */
static Err check_depth(Str text)
{
    u32 depth = 0;
    bool quoted = false;
    for (u64 i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (quoted) {
            if (c == '\\') i++;
            if (c == '"') quoted = false;
            continue;
        }
        quoted = c == '"';
        if (c == '[' || c == '{') depth++;
        if ((c == ']' || c == '}') && depth > 0) depth--;
        if (depth > BOUND_DEPTH_MAX) {
            u64 line, column;
            place(text, i, &line, &column);
            return fail(E_USAGE, "JSON: line %llu column %llu: nested more than %d deep",
                        (unsigned long long)line, (unsigned long long)column, BOUND_DEPTH_MAX);
        }
    }
    return E_OK;
}

static void convert(const json_t *json, Arena *a, Value *v);

static void convert_array(const json_t *json, Arena *a, Value *v)
{
    u64 count = json_array_size(json);
    *v = value_list(a, count);
    for (u64 i = 0; i < count; i++)
        convert(json_array_get(json, i), a, &vec_value(&v->as.vec)[i]);
}

static void convert_object(json_t *json, Arena *a, Value *v)
{
    const char *key;
    json_t *item;
    *v = value_dict(a, json_object_size(json));
    json_object_foreach(json, key, item)
    {
        Value each;
        convert(item, a, &each);
        value_put(v, arena_text(a, key, strlen(key)), each);
    }
}

/* Copies a parsed tree into the arena; its size is bounded by that of the text. */
static void convert(const json_t *json, Arena *a, Value *v)
{
    u64 size = json_string_length(json);
    switch (json_typeof(json)) {
    case JSON_OBJECT: convert_object((json_t *)(uintptr_t)json, a, v); break;
    case JSON_ARRAY: convert_array(json, a, v); break;
    case JSON_STRING:
        *v = value_string((Str){arena_text(a, json_string_value(json), size), size});
        break;
    case JSON_INTEGER: *v = value_long(json_integer_value(json)); break;
    case JSON_REAL: *v = value_float(json_real_value(json)); break;
    case JSON_TRUE: *v = value_bool(true); break;
    case JSON_FALSE: *v = value_bool(false); break;
    default: *v = value_null(); break;
    }
}

Err json_parse(Str text, Arena *a, Value *v)
{
    json_error_t error;
    *v = value_null();
    Err err = check_depth(text);
    if (err != E_OK) return err;
    json_t *json = json_loadb(text.data ? text.data : "", text.size,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!json)
        return fail(E_USAGE, "JSON: line %d column %d: %s", error.line, error.column, error.text);
    convert(json, a, v);
    json_decref(json);
    return E_OK;
}
