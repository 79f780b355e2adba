/*
 * wire_encode: values to q IPC bytes. The grammar stands in wire.c.
 *
 * What q itself would not hold is not sent either: a general list of atoms of one type goes out as
 * a vector, any NaN atom as q's null, sorted dictionaries and tables as plain ones (most clients
 * cannot read the others). A failed call leaves the buffer as it was.
 */
#include "base/bounds.h"
#include "q/symbol.h"
#include "q/wire.h"

#define LONG_COUNT       0x80
#define ERROR_TEXT_MAX   250
#define CAPABILITY_ANY   6
#define CAPABILITY_LARGE 5 /* messages of 2 GiB and more */
#define CAPABILITY_GUID  3 /* guid, and functions that may hold one */
#define CAPABILITY_TIMES 1 /* timestamp, timespan */

typedef struct {
    Buf *b;
    u8 capability;
} Encoder;

static Err encode(const Encoder *e, const Value *v, u32 depth);

static Err allowed(const Encoder *e, int type)
{
    u8 least = 0;
    if (type == QT_GUID || type > QT_NULL) least = CAPABILITY_GUID;
    if (type == QT_TIMESTAMP || type == QT_TIMESPAN) least = CAPABILITY_TIMES;
    if (e->capability >= least) return E_OK;
    return fail(E_TYPE, "a client of capability %d cannot take a %s", e->capability,
                type_name(type));
}

/* The type that goes out for a vector type in memory. */
static int wire_type(int type) { return type == QT_ENUM ? QT_SYMBOL : type; }

static Err put_head(Buf *b, int type, u8 attr, u64 count)
{
    u8 head[10] = {(u8)type, attr};
    u64 size = 6;
    if (count <= UINT32_MAX) {
        store_u32(head + 2, (u32)count);
    } else {
        head[1] |= LONG_COUNT;
        store_u64(head + 2, count);
        size = 10;
    }
    return buf_append(b, head, size);
}

/* Appends the texts of symbols, each with its zero. */
static Err put_texts(Buf *b, const Str *texts, u64 count)
{
    u64 size = count;
    u8 *to = NULL;
    for (u64 i = 0; i < count; i++)
        size += texts[i].size;
    Err err = buf_room(b, size, &to);
    if (err != E_OK) return err;
    for (u64 i = 0; i < count; i++) {
        if (texts[i].size > 0) {
            if (memchr(texts[i].data, 0, texts[i].size))
                return fail(E_TYPE, "a symbol cannot hold a zero byte");
            memcpy(to, texts[i].data, texts[i].size);
        }
        to += texts[i].size;
        *to++ = 0;
    }
    buf_added(b, size);
    return E_OK;
}

/* The same of symbol ids, whose texts are zero-ended. Runs of one id are looked up once. */
static Err put_ids(Buf *b, const i32 *ids, u64 count)
{
    u64 size = count;
    u8 *to = NULL;
    Str text = symbol_text(0);
    i32 last = 0;
    for (u64 i = 0; i < count; i++) {
        if (ids[i] != last) text = symbol_text(last = ids[i]);
        size += text.size;
    }
    Err err = buf_room(b, size, &to);
    if (err != E_OK) return err;
    for (u64 i = 0; i < count; i++) {
        if (ids[i] != last) text = symbol_text(last = ids[i]);
        memcpy(to, text.data, text.size + 1);
        to += text.size + 1;
    }
    buf_added(b, size);
    return E_OK;
}

/* Appends a vector of a basic type. */
static Err put_vector(const Encoder *e, int type, u8 attr, const void *data, u64 count)
{
    Err err = allowed(e, type);
    if (err == E_OK) err = put_head(e->b, wire_type(type), attr, count);
    if (err != E_OK || count == 0) return err;
    if (type == QT_SYMBOL) return put_texts(e->b, data, count);
    if (type == QT_ENUM) return put_ids(e->b, data, count);
    return buf_append(e->b, data, count * type_width(type));
}

static Err put_nested(const Encoder *e, const Vec *vec)
{
    int type = vec->type - QT_NESTED;
    u64 width = type_width(type);
    Err err = put_head(e->b, QT_LIST, ATTR_NONE, vec->count);
    for (u64 i = 0; err == E_OK && i < vec->count; i++) {
        const u8 *row = vec->data ? (const u8 *)vec->data + vec->offs[i] * width : NULL;
        err = put_vector(e, type, ATTR_NONE, row, vec->offs[i + 1] - vec->offs[i]);
    }
    return err;
}

/* The type of the atoms of which a mixed vector consists throughout, as it is on the wire; else
 * 0. */
static int mixed_atoms(const Vec *vec)
{
    const u8 *data = vec->data;
    int type = vec->count > 0 ? (i8)data[vec->offs[0]] : 0;
    for (u64 i = 1; type < 0 && i < vec->count; i++)
        if ((i8)data[vec->offs[i]] != type) return 0;
    return type < 0 ? -type : 0;
}

/* The rows of a mixed vector stand as they go out. An old client gets each looked at. */
static Err put_mixed(const Encoder *e, const Vec *vec, u32 depth)
{
    Err err = E_OK;
    Arena a = {0};
    const u8 *data = vec->data;
    int atoms = mixed_atoms(vec);
    if (atoms) TRY(allowed(e, atoms));
    TRY(put_head(e->b, atoms, ATTR_NONE, vec->count));
    if (vec->count == 0) goto done;
    if (!atoms && e->capability >= CAPABILITY_GUID) {
        u64 from = vec->offs[0];
        TRY(buf_append(e->b, data + from, vec->offs[vec->count] - from));
        goto done;
    }
    for (u64 i = 0; i < vec->count; i++) {
        u64 from = vec->offs[i], size = vec->offs[i + 1] - from;
        Value row;
        if (atoms) {
            TRY(buf_append(e->b, data + from + 1, size - 1));
            continue;
        }
        TRY(wire_row(vec, i, &a, &row));
        TRY(encode(e, &row, depth + 1));
        arena_reset(&a);
    }
done:
    arena_free(&a);
    return err;
}

/* Appends an atom without its type byte. */
static Err put_element(const Encoder *e, const Value *v)
{
    u8 bytes[16];
    int type = -v->type;
    u32 width = type_width(type);
    f32 real = (f32)v->as.f;
    switch (type) {
    case QT_SYMBOL: return put_texts(e->b, &v->as.text, 1);
    case QT_ENUM: return put_ids(e->b, &(i32){(i32)v->as.i}, 1);
    case QT_GUID: memcpy(bytes, v->as.guid, sizeof v->as.guid); break;
    case QT_REAL: memcpy(bytes, &real, sizeof real); break;
    case QT_FLOAT:
    case QT_DATETIME: memcpy(bytes, &v->as.f, sizeof v->as.f); break;
    default: store_u64(bytes, (u64)v->as.i); break;
    }
    if (type_class(type) == TYPE_REAL && v->as.f != v->as.f) type_null(type, bytes);
    return buf_append(e->b, bytes, width);
}

static Err put_atom(const Encoder *e, const Value *v)
{
    if (type_width(-v->type) == 0) return fail(E_TYPE, "a value of unknown type %d", v->type);
    Err err = allowed(e, -v->type);
    if (err == E_OK) err = buf_byte(e->b, (u8)-wire_type(-v->type));
    return err == E_OK ? put_element(e, v) : err;
}

/* The type of the atoms of which a general list consists throughout; 0 when it does not. */
static int common_atom(const Vec *list)
{
    if (list->count == 0) return 0;
    int type = vec_value(list)[0].type;
    if (type >= 0 || type == QT_ERROR) return 0;
    for (u64 i = 1; i < list->count; i++)
        if (wire_type(-vec_value(list)[i].type) != wire_type(-type)) return 0;
    return wire_type(-type);
}

static Err put_list(const Encoder *e, const Vec *list, u32 depth)
{
    int type = common_atom(list);
    Err err = type ? allowed(e, type) : E_OK;
    if (err == E_OK) err = put_head(e->b, type, list->attr, list->count);
    for (u64 i = 0; err == E_OK && i < list->count; i++) {
        const Value *item = &vec_value(list)[i];
        err = type ? put_element(e, item) : encode(e, item, depth + 1);
    }
    return err;
}

static Err put_table(const Encoder *e, const Value *v, u32 depth)
{
    static const u8 head[] = {QT_TABLE, 0, QT_DICT};
    u64 count = v->as.table.count, rows = value_count(v);
    Err err = buf_append(e->b, head, sizeof head);
    if (err == E_OK) err = put_vector(e, QT_SYMBOL, ATTR_NONE, v->as.table.names, count);
    if (err == E_OK) err = put_head(e->b, QT_LIST, ATTR_NONE, count);
    for (u64 i = 0; err == E_OK && i < count; i++) {
        const Value *column = &v->as.table.cols[i];
        bool is_list = column->type >= QT_LIST && column->type <= QT_NESTED + QT_ENUM;
        if (!is_list || value_count(column) != rows)
            return fail(E_TYPE, "column %.*s of a table is no vector of %llu rows",
                        STR_FMT(v->as.table.names[i]), (unsigned long long)rows);
        err = encode(e, column, depth + 1);
    }
    return err;
}

static Err put_dict(const Encoder *e, const Value *v, u32 depth)
{
    Err err = E_OK;
    if (value_count(v->as.dict.keys) != value_count(v->as.dict.values))
        return fail(E_TYPE, "a dictionary of unequal keys and values");
    TRY(buf_byte(e->b, QT_DICT));
    TRY(encode(e, v->as.dict.keys, depth + 1));
    TRY(encode(e, v->as.dict.values, depth + 1));
done:
    return err;
}

static Err put_function(const Encoder *e, const Value *v)
{
    Err err = E_OK;
    TRY(allowed(e, v->type));
    TRY(buf_byte(e->b, (u8)v->type));
    if (v->type == QT_NULL) return buf_byte(e->b, (u8)v->as.i);
    if (v->type != QT_LAMBDA) return buf_append(e->b, v->as.text.data, v->as.text.size);
    TRY(buf_byte(e->b, 0)); /* the root namespace */
    TRY(put_vector(e, QT_CHAR, ATTR_NONE, v->as.text.data, v->as.text.size));
done:
    return err;
}

static Err put_error(const Encoder *e, Str text)
{
    Err err = buf_byte(e->b, (u8)QT_ERROR);
    return err == E_OK ? put_texts(e->b, &text, 1) : err;
}

static Err encode(const Encoder *e, const Value *v, u32 depth)
{
    if (depth >= BOUND_DEPTH_MAX)
        return fail(E_LIMIT, "a value nested more than %d deep", BOUND_DEPTH_MAX);
    int type = v->type;
    if (type == QT_ERROR) return put_error(e, v->as.text);
    if (type < 0) return put_atom(e, v);
    if (type == QT_LIST) return put_list(e, &v->as.vec, depth);
    if (type <= QT_ENUM && type_width(type) > 0)
        return put_vector(e, type, v->as.vec.attr, v->as.vec.data, v->as.vec.count);
    if (type == QT_NESTED) return put_mixed(e, &v->as.vec, depth);
    if (type_is_nested(type)) return put_nested(e, &v->as.vec);
    if (type == QT_TABLE) return put_table(e, v, depth);
    if (type == QT_DICT) return put_dict(e, v, depth);
    if (type >= QT_LAMBDA && type <= 111) return put_function(e, v);
    return fail(E_TYPE, "a value of unknown type %d", type);
}

/* Encodes, and on failure takes back what was written. */
static Err encode_whole(Buf *b, const Value *v, u8 capability)
{
    u64 before = b->size;
    Encoder e = {b, capability};
    Err err = encode(&e, v, 0);
    if (err != E_OK) b->size = before;
    return err;
}

Err wire_encode(Buf *b, const Value *v) { return encode_whole(b, v, CAPABILITY_ANY); }

Err wire_begin(Buf *b, u8 kind, u64 *at)
{
    u8 head[WIRE_HEADER] = {1, kind};
    *at = b->size;
    return buf_append(b, head, sizeof head);
}

Err wire_finish(Buf *b, u64 at)
{
    u64 size = b->size - at;
    ASSERT(at + WIRE_HEADER <= b->size);
    if (size >> 40) return fail(E_LIMIT, "a q message of %llu bytes", (unsigned long long)size);
    b->data[at + 3] = (u8)(size >> 32);
    store_u32(b->data + at + 4, (u32)size);
    return E_OK;
}

Err wire_message(Buf *b, u8 kind, const Value *v, u8 capability)
{
    Err err = E_OK;
    u64 at = b->size;
    TRY(wire_begin(b, kind, &at));
    TRY(encode_whole(b, v, capability));
    TRY(wire_finish(b, at));
    if (b->size - at > INT32_MAX && capability < CAPABILITY_LARGE)
        TRY(fail(E_LIMIT, "a result of %llu bytes; the client takes messages below 2 GiB",
                 (unsigned long long)(b->size - at)));
done:
    if (err != E_OK) b->size = at;
    return err;
}

Err wire_error(Buf *b, const char *text)
{
    Str cut = str_of(text);
    if (cut.size > ERROR_TEXT_MAX) {
        cut.size = ERROR_TEXT_MAX;
        while (cut.size > 0 && ((u8)cut.data[cut.size] & 0xc0) == 0x80) /* keep characters whole */
            cut.size--;
    }
    Value v = value_error(cut);
    return wire_message(b, WIRE_RESPONSE, &v, 0);
}
