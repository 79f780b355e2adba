/*
 * object: files of the form
 *
 *   0  ff 01
 *   2  the body that a q IPC message would carry (q/wire.c has its grammar), with two differences:
 *        an enumerated vector is there as   15 (21), name of its domain, zero, attribute, i32
 *                                           count, i32 indices
 *        a vector of symbols that is the whole file has a count that may be too small
 *
 * Reading rewrites bodies with enumerations into one without, and leaves the rest to wire_decode.
 * The walk that does it is the only recursion, bounded by BOUND_DEPTH_MAX; what it does not know it
 * lets wire_object measure and check.
 */
#include "column/object.h"

#include "base/bounds.h"
#include "column/image.h"
#include "q/symbol.h"
#include "q/wire.h"

#define MAGIC_SIZE       2
#define ENUM_BYTE        21
#define TYPE_SORTED_DICT 127
#define COUNTED          5 /* bytes of an attribute and a count */

bool object_is(const u8 *data, u64 size)
{
    return size > MAGIC_SIZE && data[0] == 0xff && data[1] == 0x01;
}

/* ---- enumerations to symbols */

typedef struct {
    const u8 *at, *end;
    const DomainSet *domains;
    Buf *out;
} Rewrite;

static Err cut_off(void) { return fail(E_CORRUPT, "a serialised object is cut off"); }

static u64 left(const Rewrite *r) { return (u64)(r->end - r->at); }

/* Passes `size` bytes on. */
static Err pass(Rewrite *r, u64 size)
{
    if (size > left(r)) return cut_off();
    Err err = buf_append(r->out, r->at, size);
    r->at += size;
    return err;
}

static Err rewrite(Rewrite *r, u32 depth);

static Err rewrite_many(Rewrite *r, u64 count, u32 depth)
{
    for (u64 i = 0; i < count; i++) {
        Err err = rewrite(r, depth);
        if (err != E_OK) return err;
    }
    return E_OK;
}

/* Indices as the symbols of their domain. */
static Err put_symbols(Rewrite *r, const Domain *d, const char *name, u64 count)
{
    for (u64 i = 0; i < count; i++, r->at += 4) {
        i32 index = load_i32(r->at);
        i32 id = domain_id(d, index == Q_NULL_INT ? Q_NULL_LONG : index);
        if (id < 0)
            return fail(E_CORRUPT, "a serialised object: index %d is beyond the domain %s", index,
                        name);
        Str text = symbol_text(id);
        Err err = buf_append(r->out, text.data, text.size + 1);
        if (err != E_OK) return err;
    }
    return E_OK;
}

static Err rewrite_enumeration(Rewrite *r)
{
    const char *name = (const char *)r->at + 1;
    const u8 *zero = left(r) > 1 ? memchr(name, 0, left(r) - 1) : NULL;
    if (zero == NULL || r->end - zero < 1 + COUNTED) return cut_off();
    r->at = zero + 1;
    u64 count = load_u32(r->at + 1);
    if (r->at[0] > ATTR_GROUPED)
        return fail(E_CORRUPT, "a serialised object: no attribute %u", *r->at);
    if (count > (left(r) - COUNTED) / 4) return cut_off();
    const Domain *d = r->domains != NULL ? r->domains->find(r->domains->arg, name) : NULL;
    Err err = buf_byte(r->out, d != NULL ? QT_SYMBOL : QT_INT);
    if (err == E_OK) err = pass(r, COUNTED);
    if (err != E_OK) return err;
    return d != NULL ? put_symbols(r, d, name, count) : pass(r, count * 4);
}

/* Passes one object on, without enumerations. */
static Err rewrite(Rewrite *r, u32 depth)
{
    WireObject whole;
    u64 head = 1;
    if (depth >= BOUND_DEPTH_MAX)
        return fail(E_CORRUPT, "a serialised object is nested too deeply");
    if (left(r) == 0) return cut_off();
    int type = (i8)*r->at;
    if (type == ENUM_BYTE) return rewrite_enumeration(r);
    if (type == QT_LIST || type == 104 || type == 105) {
        head = type == QT_LIST ? 1 + COUNTED : COUNTED;
        if (left(r) < head) return cut_off();
        u64 count = load_u32(r->at + head - 4);
        if (count > left(r) / 2) return cut_off();
        Err err = pass(r, head);
        return err == E_OK ? rewrite_many(r, count, depth + 1) : err;
    }
    if (type == QT_TABLE) head = 2;
    u64 parts = type == QT_DICT || type == TYPE_SORTED_DICT ? 2 : 1;
    bool inner = type == QT_TABLE || parts == 2 || (type >= 106 && type <= 111);
    if (inner) {
        Err err = pass(r, head);
        return err == E_OK ? rewrite_many(r, parts, depth + 1) : err;
    }
    Err err = wire_object(r->at, left(r), false, &whole);
    return err == E_OK ? pass(r, whole.size) : err;
}

/* The body without enumerations, in the arena. */
static Err without_enumerations(const u8 **body, u64 *size, const DomainSet *domains, Arena *a)
{
    Buf out = {.size_max = 4 * OBJECT_SIZE_MAX};
    Rewrite r = {*body, *body + *size, domains, &out};
    void *copy;
    Err err = rewrite(&r, 0);
    if (err == E_OK && left(&r) > 0)
        err = fail(E_CORRUPT, "a serialised object: %llu bytes follow its end",
                   (unsigned long long)left(&r));
    if (err == E_OK) err = arena_try(a, out.size, 1, &copy);
    if (err == E_OK) {
        memcpy(copy, out.data, out.size);
        *body = copy;
        *size = out.size;
    }
    buf_free(&out);
    return err;
}

/* ---- reading */

/* A list of symbols to the end of the file. */
static Err decode_symbols(const u8 *text, u64 size, Arena *a, Value *v)
{
    u64 count = 0;
    void *texts;
    if (size > 0 && text[size - 1] != 0)
        return fail(E_CORRUPT, "a list of symbols: the last name does not end");
    for (u64 i = 0; i < size; i++)
        count += text[i] == 0;
    Err err = arena_try(a, count, sizeof(Str), &texts);
    if (err != E_OK) return err;
    *v = value_vec(vec_of(QT_SYMBOL, texts, count));
    for (u64 i = 0; i < count; i++) {
        Str name = str_of((const char *)text);
        ((Str *)texts)[i] = name;
        text += name.size + 1;
    }
    return E_OK;
}

Err object_decode(const u8 *data, u64 size, const DomainSet *domains, Arena *a, Value *v)
{
    *v = value_null();
    if (!object_is(data, size)) return fail(E_UNSUPPORTED, "no serialised object");
    const u8 *body = data + MAGIC_SIZE;
    size -= MAGIC_SIZE;
    if (body[0] == QT_SYMBOL) {
        if (size < 1 + COUNTED || body[1] > ATTR_GROUPED) return cut_off();
        Err err = decode_symbols(body + 1 + COUNTED, size - 1 - COUNTED, a, v);
        if (err == E_OK) v->as.vec.attr = body[1];
        return err;
    }
    if (wire_check(body, size) != E_OK) {
        Err err = without_enumerations(&body, &size, domains, a);
        if (err != E_OK) return err;
    }
    return wire_decode(body, size, a, v);
}

Err object_read(const char *path, const DomainSet *domains, Arena *a, Value *v)
{
    Image m = {0};
    void *copy;
    *v = value_null();
    Err err = image_open(&m, path, IMAGE_WHOLE);
    if (err != E_OK) return err;
    u64 size = m.plain.size;
    if (size > OBJECT_SIZE_MAX)
        TRY(fail(E_LIMIT, "%s: an object of %llu bytes; at most %llu are read", path,
                 (unsigned long long)size, (unsigned long long)OBJECT_SIZE_MAX));
    TRY(arena_try(a, size + 1, 1, &copy));
    if (size > 0) memcpy(copy, m.plain.data, size);
    TRY(image_intact(&m, path));
    TRY(fail_note(object_decode(copy, size, domains, a, v), "%s", path));
done:
    image_close(&m);
    return err;
}

Err object_encode(Buf *b, const Value *v)
{
    static const u8 magic[MAGIC_SIZE] = {0xff, 0x01};
    u64 before = b->size;
    Err err = buf_append(b, magic, sizeof magic);
    if (err == E_OK) err = wire_encode(b, v);
    if (err != E_OK) b->size = before;
    return err;
}
