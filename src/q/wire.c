/*
 * wire: q IPC messages, received. Pure: no sockets, no clock. Sending is wire_encode.c, compression
 * wire_compress.c.
 *
 *   0  byte order of what follows: 1 little-endian, 0 big-endian
 *   1  kind: 0 asynchronous, 1 synchronous, 2 response
 *   2  compression: 0 none, 1 with a 32-bit plain size, 2 with a 64-bit one
 *   3  bits 32 to 39 of the size
 *   4  low 32 bits of the size, header included
 *   8  one object
 *
 * Object: a signed type byte, then
 *   -1..-19     one element; a symbol is its text and a zero
 *   1..19       attribute, u32 count, elements; attribute bit 7 set: i64 count
 *   0           attribute, count, that many objects
 *   98          attribute, dictionary of column names and columns
 *   99, 127     keys object, values object
 *   100         name of a namespace, zero, char vector;  101..103  one byte
 *   104, 105    u32 count, objects;                      106..111  one object
 *   -128        text of an error, zero; only as the outermost object
 *
 * Three walks share this grammar: `swap` turns big-endian numbers round in place, `look` checks and
 * measures, `decode` makes values of what `look` has checked. Each is the only recursion, bounded
 * by BOUND_DEPTH_MAX, and each compares a count with the bytes that are left before it multiplies.
 *
 * Beyond KX's validator we refuse tables whose columns are of unequal length, dictionaries whose
 * keys and values are, and an error inside of another object.
 */
#include "q/wire.h"

#include "base/bounds.h"
#include "q/symbol.h"

#define LONG_COUNT       0x80 /* bit of the attribute byte */
#define ATTR_MAX         4
#define TYPE_SORTED_DICT 127

/* ---- headers */

static u64 size_of_header(const u8 *p, bool big_endian)
{
    u32 low = load_u32(p + 4);
    return (u64)p[3] << 32 | (big_endian ? __builtin_bswap32(low) : low);
}

Err wire_header(const u8 bytes[WIRE_HEADER], WireHeader *h)
{
    if (bytes[0] > 1 || bytes[1] > WIRE_RESPONSE || bytes[2] > 2)
        return fail(E_CORRUPT, "no q message: it begins with %02x %02x %02x", bytes[0], bytes[1],
                    bytes[2]);
    *h = (WireHeader){
        .big_endian = bytes[0] == 0,
        .kind = bytes[1],
        .compressed = bytes[2],
        .size = size_of_header(bytes, bytes[0] == 0),
    };
    if (h->size <= WIRE_HEADER)
        return fail(E_CORRUPT, "a q message of %llu bytes holds no object",
                    (unsigned long long)h->size);
    if (h->size > BOUND_MESSAGE_MAX)
        return fail(E_LIMIT, "a q message of %llu bytes; at most %llu are taken",
                    (unsigned long long)h->size, BOUND_MESSAGE_MAX);
    return E_OK;
}

/* ---- looking */

typedef struct {
    const u8 *start, *end;
    bool trusted;
} Look;

static Err broken(const Look *l, const u8 *p, const char *what)
{
    return fail(E_CORRUPT, "q object: %s at byte %llu", what, (unsigned long long)(p - l->start));
}

static u64 left(const Look *l, const u8 *p) { return (u64)(l->end - p); }

/* Moves *p behind the zero that ends a text. */
static Err skip_text(const Look *l, const u8 **p)
{
    const u8 *zero = left(l, *p) ? memchr(*p, 0, left(l, *p)) : NULL;
    if (!zero) return broken(l, *p, "a text without its zero");
    *p = zero + 1;
    return E_OK;
}

/* Moves *p behind the count-th zero: by blocks, whose zeros are counted without a branch. */
static Err skip_texts(const Look *l, const u8 **p, u64 count)
{
    enum { BLOCK = 64 };

    const u8 *at = *p;
    if (count > left(l, at)) return broken(l, at, "a symbol vector runs past the end");
    while (left(l, at) >= BLOCK && count > 0) {
        u8 zeros = 0;
        for (int i = 0; i < BLOCK; i++)
            zeros = (u8)(zeros + (at[i] == 0));
        if (zeros >= count) break;
        count -= zeros;
        at += BLOCK;
    }
    for (; count > 0; at++) {
        if (at == l->end) return broken(l, at, "a symbol vector runs past the end");
        count -= *at == 0;
    }
    *p = at;
    return E_OK;
}

static Err check_booleans(const Look *l, const u8 *p, u64 count)
{
    u8 seen = 0;
    if (l->trusted) return E_OK;
    for (u64 i = 0; i < count; i++)
        seen |= p[i];
    return seen > 1 ? broken(l, p, "a boolean that is neither 0 nor 1") : E_OK;
}

/* Reads attribute and count; each element takes at least `least` bytes. */
static Err look_count(const Look *l, const u8 **p, u64 least, WireObject *o)
{
    const u8 *at = *p;
    if (left(l, at) < 5) return broken(l, at, "a vector is cut off");
    bool is_long = at[0] & LONG_COUNT;
    o->attr = at[0] & (u8)~LONG_COUNT;
    if (o->attr > ATTR_MAX) return broken(l, at, "an unknown attribute");
    if (is_long && left(l, at) < 9) return broken(l, at, "a vector is cut off");
    o->count = is_long ? load_u64(at + 1) : load_u32(at + 1);
    *p = at + (is_long ? 9 : 5);
    if (o->count > left(l, *p) / least) return broken(l, at, "a vector runs past the end");
    return E_OK;
}

static Err look(const Look *l, const u8 *p, u32 depth, WireObject *o);

static bool is_rows(int type) { return (type >= QT_LIST && type <= QT_TIME) || type == QT_TABLE; }

static Err skip(const Look *l, const u8 **p, u32 depth)
{
    WireObject o;
    Err err = look(l, *p, depth, &o);
    *p += o.size;
    return err;
}

static Err skip_many(const Look *l, const u8 **p, u64 count, u32 depth)
{
    for (u64 i = 0; i < count; i++) {
        Err err = skip(l, p, depth);
        if (err != E_OK) return err;
    }
    return E_OK;
}

static Err look_vector(const Look *l, const u8 **p, u32 depth, WireObject *o)
{
    u64 width = o->type == QT_SYMBOL ? 1 : o->type == QT_LIST ? 2 : type_width(o->type);
    Err err = look_count(l, p, width, o);
    if (err != E_OK) return err;
    o->data = *p;
    if (o->type == QT_LIST) return skip_many(l, p, o->count, depth + 1);
    if (o->type == QT_SYMBOL) return skip_texts(l, p, o->count);
    *p += o->count * width;
    return o->type == QT_BOOLEAN ? check_booleans(l, o->data, o->count) : E_OK;
}

static Err look_atom(const Look *l, const u8 **p, const WireObject *o)
{
    int type = -o->type;
    const u8 *at = *p;
    if (type == QT_SYMBOL) return skip_text(l, p);
    if (left(l, at) < type_width(type)) return broken(l, at, "an atom is cut off");
    *p += type_width(type);
    return type == QT_BOOLEAN ? check_booleans(l, at, 1) : E_OK;
}

static Err look_dict(const Look *l, const u8 **p, u32 depth, WireObject *o)
{
    WireObject keys = {0}, values = {0};
    Err err = look(l, *p, depth + 1, &keys);
    if (err != E_OK) return err;
    *p += keys.size;
    const u8 *at = *p;
    err = look(l, at, depth + 1, &values);
    if (err != E_OK) return err;
    *p += values.size;
    o->count = keys.count;
    if (l->trusted) return E_OK;
    if (!is_rows(keys.type) || !is_rows(values.type))
        return broken(l, at, "a dictionary of no lists");
    if (keys.count != values.count) return broken(l, at, "a dictionary of unequal keys and values");
    return E_OK;
}

/* Column names: a symbol vector, or (as some clients send it) a general list of symbol atoms. */
static bool are_names(const WireObject *names)
{
    if (names->type == QT_SYMBOL) return true;
    if (names->type != QT_LIST) return false;
    const u8 *p = names->data;
    ASSERT(p);
    for (u64 i = 0; i < names->count; i++) {
        if ((i8)*p != -QT_SYMBOL) return false;
        p += strlen((const char *)p) + 1;
    }
    return true;
}

/* Looks at a general list of columns: vectors or lists of one length, which is *rows. */
static Err look_columns(const Look *l, const u8 **p, u64 count, u32 depth, u64 *rows)
{
    *rows = 0;
    for (u64 i = 0; i < count; i++) {
        WireObject column;
        const u8 *at = *p;
        Err err = look(l, at, depth, &column);
        if (err != E_OK) return err;
        if (column.type < QT_LIST || column.type > QT_TIME)
            return broken(l, at, "a column that is no vector");
        if (i > 0 && column.count != *rows) return broken(l, at, "columns of unequal length");
        *rows = column.count;
        *p += column.size;
    }
    return E_OK;
}

static Err look_table(const Look *l, const u8 **p, u32 depth, WireObject *o)
{
    const u8 *at = *p;
    WireObject names = {0}, columns = {0};
    if (left(l, at) < 2 || (at[1] != QT_DICT && at[1] != TYPE_SORTED_DICT))
        return broken(l, at, "a table without its dictionary");
    o->attr = at[0];
    o->data = at + 1;
    if (o->attr > ATTR_MAX) return broken(l, at, "an unknown attribute");
    *p = at + 2;
    Err err = look(l, *p, depth + 2, &names);
    if (err != E_OK) return err;
    if (!are_names(&names)) return broken(l, *p, "a table without column names");
    *p += names.size;
    if (left(l, *p) == 0 || **p != QT_LIST) return broken(l, *p, "a table without columns");
    *p += 1;
    err = look_count(l, p, 2, &columns);
    if (err != E_OK) return err;
    if (columns.count != names.count) return broken(l, *p, "a table of unequal names and columns");
    return look_columns(l, p, columns.count, depth + 3, &o->count);
}

static Err look_function(const Look *l, const u8 **p, u32 depth, const WireObject *o)
{
    if (o->type == QT_LAMBDA) {
        Err err = skip_text(l, p);
        if (err != E_OK) return err;
        if (left(l, *p) == 0 || **p != QT_CHAR) return broken(l, *p, "a lambda without its source");
        return skip(l, p, depth + 1);
    }
    if (o->type <= 103) {
        if (left(l, *p) < 1) return broken(l, *p, "a primitive without its code");
        *p += 1;
        return E_OK;
    }
    if (o->type > 105) return skip(l, p, depth + 1);
    if (left(l, *p) < 4) return broken(l, *p, "a projection is cut off");
    u32 count = load_u32(*p);
    *p += 4;
    if (count > left(l, *p) / 2) return broken(l, *p, "a projection runs past the end");
    return skip_many(l, p, count, depth + 1);
}

/* Looks at the object at p; o->size is how far it reached even on failure. */
static Err look(const Look *l, const u8 *p, u32 depth, WireObject *o)
{
    const u8 *at = p;
    Err err;
    *o = (WireObject){.count = 1};
    if (depth >= BOUND_DEPTH_MAX) return broken(l, p, "nested too deeply");
    if (left(l, p) == 0) return broken(l, p, "an object is missing");
    o->type = (i8)*at++;
    o->data = at;
    if (o->type == QT_ERROR && depth == 0) {
        err = skip_text(l, &at);
    } else if (o->type < 0 && o->type >= -QT_TIME && o->type != -3) {
        err = look_atom(l, &at, o);
    } else if (o->type >= QT_LIST && o->type <= QT_TIME && o->type != 3) {
        err = look_vector(l, &at, depth, o);
    } else if (o->type == QT_TABLE) {
        err = look_table(l, &at, depth, o);
    } else if (o->type == QT_DICT || o->type == TYPE_SORTED_DICT) {
        o->type = QT_DICT;
        err = look_dict(l, &at, depth, o);
    } else if (o->type >= QT_LAMBDA && o->type <= 111) {
        err = look_function(l, &at, depth, o);
    } else {
        err = broken(l, p, "an unknown type");
    }
    o->size = (u64)(at - p);
    return err;
}

Err wire_object(const u8 *body, u64 size, bool trusted, WireObject *object)
{
    Look l = {body, body + size, trusted};
    return look(&l, body, 0, object);
}

Err wire_check(const u8 *body, u64 size)
{
    WireObject o;
    Err err = wire_object(body, size, false, &o);
    if (err == E_OK && o.size != size)
        err = fail(E_CORRUPT, "q object: %llu bytes follow its end",
                   (unsigned long long)(size - o.size));
    return err;
}

/* ---- byte order */

static u32 swap_width(int type) { return type == QT_GUID ? 1 : type_width(type); }

static void swap_numbers(u8 *p, u64 count, u32 width)
{
    for (u64 i = 0; i < count; i++, p += width) {
        if (width == 2) store_u16(p, __builtin_bswap16(load_u16(p)));
        if (width == 4) store_u32(p, __builtin_bswap32(load_u32(p)));
        if (width == 8) store_u64(p, __builtin_bswap64(load_u64(p)));
    }
}

static Err swap(const Look *l, u8 **at, u32 depth);

static Err swap_many(const Look *l, u8 **p, u64 count, u32 depth)
{
    for (u64 i = 0; i < count; i++) {
        Err err = swap(l, p, depth);
        if (err != E_OK) return err;
    }
    return E_OK;
}

static Err swap_skip_text(const Look *l, u8 **p, u64 count)
{
    const u8 *end = *p;
    Err err = skip_texts(l, &end, count);
    if (err == E_OK) *p += end - *p;
    return err;
}

static Err swap_vector(const Look *l, u8 **p, int type, u32 depth)
{
    WireObject o = {0};
    u64 least = type == QT_SYMBOL ? 1 : type == QT_LIST ? 2 : type_width(type);
    if (left(l, *p) < 5) return broken(l, *p, "a vector is cut off");
    if (!(**p & LONG_COUNT)) {
        swap_numbers(*p + 1, 1, 4);
    } else {
        if (left(l, *p) < 9) return broken(l, *p, "a vector is cut off");
        swap_numbers(*p + 1, 1, 8);
    }
    const u8 *data = *p;
    Err err = look_count(l, &data, least, &o);
    if (err != E_OK) return err;
    *p += data - *p;
    if (type == QT_LIST) return swap_many(l, p, o.count, depth + 1);
    if (type == QT_SYMBOL) return swap_skip_text(l, p, o.count);
    swap_numbers(*p, o.count, swap_width(type));
    *p += o.count * type_width(type);
    return E_OK;
}

static Err swap_function(const Look *l, u8 **p, int type, u32 depth)
{
    if (type == QT_LAMBDA) {
        Err err = swap_skip_text(l, p, 1);
        return err == E_OK ? swap(l, p, depth + 1) : err;
    }
    if (type > 105) return swap(l, p, depth + 1);
    u64 fixed = type <= 103 ? 1 : 4;
    if (left(l, *p) < fixed) return broken(l, *p, "a function is cut off");
    if (fixed == 4) swap_numbers(*p, 1, 4);
    u32 count = fixed == 4 ? load_u32(*p) : 0;
    *p += fixed;
    return swap_many(l, p, count, depth + 1);
}

/* Turns one big-endian object round and moves *p behind it. What it lets pass wire_check
 * refuses. */
static Err swap(const Look *l, u8 **p, u32 depth)
{
    if (depth >= BOUND_DEPTH_MAX) return broken(l, *p, "nested too deeply");
    if (left(l, *p) == 0) return broken(l, *p, "an object is missing");
    int type = (i8) * (*p)++;
    if (type == QT_ERROR || type == -QT_SYMBOL) return swap_skip_text(l, p, 1);
    if (type < 0 && type >= -QT_TIME) {
        u32 width = type_width(type);
        if (width == 0 || left(l, *p) < width) return broken(l, *p, "an atom is cut off");
        swap_numbers(*p, 1, swap_width(type));
        *p += width;
        return E_OK;
    }
    if (type >= QT_LIST && type <= QT_TIME && type != 3) return swap_vector(l, p, type, depth);
    if (type == QT_TABLE) {
        if (left(l, *p) == 0) return broken(l, *p, "a table is cut off");
        *p += 1;
        return swap(l, p, depth + 1);
    }
    if (type == QT_DICT || type == TYPE_SORTED_DICT) return swap_many(l, p, 2, depth + 1);
    if (type >= QT_LAMBDA && type <= 111) return swap_function(l, p, type, depth);
    return broken(l, *p - 1, "an unknown type");
}

Err wire_open(u8 *message, u64 size, Arena *a, const u8 **body, u64 *body_size, u8 *kind)
{
    WireHeader h = {0};
    Err err = E_OK;
    if (size < WIRE_HEADER) return fail(E_CORRUPT, "a q message is cut off in its header");
    TRY(wire_header(message, &h));
    if (h.size != size)
        TRY(fail(E_CORRUPT, "a q message of %llu bytes says that it has %llu",
                 (unsigned long long)size, (unsigned long long)h.size));
    if (h.compressed) {
        u8 *plain = NULL;
        TRY(wire_inflate(message, size, BOUND_MESSAGE_MAX, a, &plain, &size));
        message = plain;
    }
    u8 *at = message + WIRE_HEADER;
    if (h.big_endian) {
        Look l = {at, message + size, false};
        u8 *p = at;
        TRY(swap(&l, &p, 0));
    }
    TRY(wire_check(at, size - WIRE_HEADER));
    *body = at;
    *body_size = size - WIRE_HEADER;
    *kind = h.kind;
done:
    return err;
}

/* ---- decoding: what `look` has checked needs no further bounds */

typedef struct {
    const u8 *at, *end;
    Arena *arena;
} Decode;

static Err decode(Decode *d, Value *v);

static Str decode_text(Decode *d)
{
    Str text = {(const char *)d->at, strlen((const char *)d->at)};
    d->at += text.size + 1;
    return text;
}

static void decode_atom(Decode *d, Value *v)
{
    const u8 *at = d->at;
    f32 real;
    switch (-v->type) {
    case QT_SYMBOL: v->as.text = decode_text(d); return;
    case QT_GUID: memcpy(v->as.guid, at, sizeof v->as.guid); break;
    case QT_REAL:
        memcpy(&real, at, sizeof real);
        v->as.f = (f64)real;
        break;
    case QT_FLOAT:
    case QT_DATETIME: memcpy(&v->as.f, at, sizeof v->as.f); break;
    case QT_SHORT: v->as.i = (i16)load_u16(at); break;
    case QT_LONG:
    case QT_TIMESTAMP:
    case QT_TIMESPAN: v->as.i = load_i64(at); break;
    case QT_BOOLEAN:
    case QT_BYTE:
    case QT_CHAR: v->as.i = *at; break;
    default: v->as.i = load_i32(at); break;
    }
    d->at += type_width(v->type);
}

static Err decode_symbols(Decode *d, Vec *vec)
{
    Err err = arena_try(d->arena, vec->count, sizeof(Str), &vec->data);
    if (err != E_OK) return err;
    for (u64 i = 0; i < vec->count; i++)
        vec_str(vec)[i] = decode_text(d);
    return E_OK;
}

static Err decode_list(Decode *d, Vec *vec)
{
    Err err = arena_try(d->arena, vec->count, sizeof(Value), &vec->data);
    for (u64 i = 0; err == E_OK && i < vec->count; i++)
        err = decode(d, &vec_value(vec)[i]);
    return err;
}

static Err decode_vector(Decode *d, Value *v)
{
    bool is_long = *d->at & LONG_COUNT;
    Vec *vec = &v->as.vec;
    *vec = (Vec){
        .type = (i8)v->type,
        .attr = *d->at & (u8)~LONG_COUNT,
        .count = is_long ? load_u64(d->at + 1) : load_u32(d->at + 1),
    };
    d->at += is_long ? 9 : 5;
    if (v->type == QT_LIST) return decode_list(d, vec);
    if (v->type == QT_SYMBOL) return decode_symbols(d, vec);
    u64 width = type_width(v->type), size = vec->count * width;
    if ((uintptr_t)d->at % MIN(width, 8) == 0) {
        vec->data = (void *)(uintptr_t)d->at;
    } else {
        Err err = arena_try(d->arena, vec->count, width, &vec->data);
        if (err != E_OK) return err;
        if (size > 0) memcpy(vec->data, d->at, size);
    }
    d->at += size;
    return E_OK;
}

/* Makes the elements of typed values reachable by name. */
static Err decode_items(Arena *a, Value *dict)
{
    const Value *keys = dict->as.dict.keys, *values = dict->as.dict.values;
    if ((keys->type != QT_SYMBOL && keys->type != QT_LIST) || values->type <= QT_LIST ||
        values->type > QT_TIME)
        return E_OK;
    void *items = NULL;
    Err err = arena_try(a, value_count(values), sizeof(Value), &items);
    if (err != E_OK) return err;
    dict->as.dict.items = items;
    for (u64 i = 0; i < value_count(values); i++)
        dict->as.dict.items[i] = value_at(values, i);
    return E_OK;
}

static Err decode_dict(Decode *d, Value *v)
{
    Value *both = arena_array(d->arena, Value, 2);
    v->as.dict.keys = &both[0];
    v->as.dict.values = &both[1];
    v->as.dict.items = NULL;
    Err err = decode(d, v->as.dict.keys);
    if (err == E_OK) err = decode(d, v->as.dict.values);
    return err == E_OK ? decode_items(d->arena, v) : err;
}

static Err decode_table(Decode *d, Value *v)
{
    Value names, columns;
    d->at += 2; /* the attribute, and the type of the dictionary */
    Err err = decode(d, &names);
    if (err == E_OK) err = decode(d, &columns);
    if (err != E_OK) return err;
    u64 count = names.as.vec.count;
    v->as.table.count = count;
    v->as.table.cols = vec_value(&columns.as.vec);
    v->as.table.names = vec_str(&names.as.vec);
    if (names.type == QT_SYMBOL) return E_OK;
    void *texts = NULL;
    err = arena_try(d->arena, count, sizeof(Str), &texts);
    if (err != E_OK) return err;
    v->as.table.names = texts;
    for (u64 i = 0; i < count; i++)
        v->as.table.names[i] = vec_value(&names.as.vec)[i].as.text;
    return E_OK;
}

static Err decode_function(Decode *d, Value *v)
{
    if (v->type == QT_NULL) {
        v->as.i = *d->at++;
        return E_OK;
    }
    if (v->type == QT_LAMBDA) {
        Value source;
        (void)decode_text(d);
        Err err = decode(d, &source);
        if (err == E_OK) (void)value_text(&source, &v->as.text);
        return err;
    }
    /* Kept as it came; its end is found by one more look. */
    Look l = {d->at - 1, d->end, true};
    WireObject o;
    Err err = look(&l, d->at - 1, 0, &o);
    v->as.text = (Str){(const char *)d->at, o.size - 1};
    d->at += o.size - 1;
    return err;
}

static Err decode(Decode *d, Value *v)
{
    int type = (i8)*d->at++;
    *v = (Value){.type = (i16)(type == TYPE_SORTED_DICT ? QT_DICT : type)};
    if (type == QT_ERROR) {
        v->as.text = decode_text(d);
        return E_OK;
    }
    if (type < 0) {
        decode_atom(d, v);
        return E_OK;
    }
    if (type <= QT_TIME) return decode_vector(d, v);
    if (type == QT_TABLE) return decode_table(d, v);
    if (v->type == QT_DICT) return decode_dict(d, v);
    return decode_function(d, v);
}

Err wire_decode(const u8 *body, u64 size, Arena *a, Value *v)
{
    *v = value_null();
    Err err = wire_check(body, size);
    if (err != E_OK) return err;
    Decode d = {body, body + size, a};
    return decode(&d, v);
}

Err wire_row(const Vec *v, u64 i, Arena *a, Value *row)
{
    ASSERT(v->type == QT_NESTED && i < v->count);
    return wire_decode((const u8 *)v->data + v->offs[i], v->offs[i + 1] - v->offs[i], a, row);
}

Err wire_rows(const Vec *v, Arena *a, Value *list)
{
    void *rows;
    Err err = arena_try(a, v->count, sizeof(Value), &rows);
    for (u64 i = 0; err == E_OK && i < v->count; i++)
        err = wire_row(v, i, a, (Value *)rows + i);
    *list = value_vec(vec_of(QT_LIST, rows, err == E_OK ? v->count : 0));
    return err;
}
