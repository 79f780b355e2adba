/*
 * scan: reading stored elements as lanes.
 *
 * Loops are written so that a compiler can use vector instructions: no branches but selects, and
 * plain pointers. Elements are aligned: files are mapped at pages and their data begins at a
 * multiple of 8 bytes, vectors are aligned to their width.
 */
#include "query/scan.h"
#include "q/wire.h"
#include "query/simd.h"

#include <math.h>
#include <stdlib.h>

ScanColumn scan_of_part(const SchemaColumn *s, Opened *o, bool own)
{
    const Column *c = &o->column;
    int type = schema_memory_type(s);
    ScanColumn column = {.form = SCAN_FIXED, .type = type, .width = type_width(type)};
    column.data = c->data;
    column.opened = o;
    column.own = own;
    if (column_on_need(c)) column.zipped = c;
    if (type == QT_ENUM) column.form = c->wide ? SCAN_WIDE : SCAN_NARROW;
    if (type_is_nested(type)) column.form = SCAN_FILE;
    return column;
}

ScanColumn scan_of_live(const Vec *v)
{
    ScanColumn column = {.form = SCAN_FIXED, .type = v->type, .width = type_width(v->type)};
    column.data = v->data;
    column.vec = v;
    if (v->type == QT_ENUM) column.form = SCAN_IDS;
    if (type_is_nested(v->type)) column.form = SCAN_VEC;
    return column;
}

/* Integers of 4 bytes as lanes. */
SIMD_BODY void longs_body(const i32 *v, u64 n, i64 *out)
{
    for (u64 i = 0; i < n; i++)
        out[i] = v[i] == Q_NULL_INT ? Q_NULL_LONG : v[i];
}

static void longs_plain(const i32 *v, u64 n, i64 *out) { longs_body(v, n, out); }

SIMD_AVX2 static void longs_avx2(const i32 *v, u64 n, i64 *out) { longs_body(v, n, out); }

SIMD_BODY void floats_body(const i32 *v, u64 n, f64 *out)
{
    for (u64 i = 0; i < n; i++)
        out[i] = v[i] == Q_NULL_INT ? (f64)NAN : (f64)v[i];
}

static void floats_plain(const i32 *v, u64 n, f64 *out) { floats_body(v, n, out); }

SIMD_AVX2 static void floats_avx2(const i32 *v, u64 n, f64 *out) { floats_body(v, n, out); }

const i64 *scan_i64(const ScanColumn *c, u64 from, u64 n, i64 *out)
{
    from = scan_base(c, from);
    const u8 *bytes = c->data;
    const i16 *shorts = c->data;
    const i32 *ints = c->data;
    switch (c->width) {
    case 8: return (const i64 *)c->data + from;
    case 4:
        if (simd_avx2()) {
            longs_avx2(ints + from, n, out);
        } else {
            longs_plain(ints + from, n, out);
        }
        break;
    case 2:
        for (u64 i = 0; i < n; i++) {
            i64 v = shorts[from + i];
            out[i] = v == Q_NULL_SHORT ? Q_NULL_LONG : v;
        }
        break;
    default:
        for (u64 i = 0; i < n; i++)
            out[i] = bytes[from + i];
        break;
    }
    return out;
}

#define EXACT_BITS 52 /* of a float: smaller counts become floats by adding an exponent */

/* Counts below 2^52, which most are, set the low bits of the float 2^52. */
SIMD_BODY void counts_body(const i64 *v, u64 n, f64 *out)
{
    for (u64 i = 0; i < n; i++) {
        u64 bits = (u64)v[i] | (1023ull + EXACT_BITS) << EXACT_BITS;
        f64 f;
        memcpy(&f, &bits, sizeof f);
        out[i] = f - (f64)(1ull << EXACT_BITS);
    }
}

static void counts_plain(const i64 *v, u64 n, f64 *out) { counts_body(v, n, out); }

SIMD_AVX2 static void counts_avx2(const i64 *v, u64 n, f64 *out) { counts_body(v, n, out); }

static void convert_longs(const i64 *v, u64 n, f64 *out)
{
    u64 all = 0;
    for (u64 i = 0; i < n; i++)
        all |= (u64)v[i];
    if (all >> EXACT_BITS != 0) {
        for (u64 i = 0; i < n; i++)
            out[i] = v[i] == Q_NULL_LONG ? (f64)NAN : (f64)v[i];
    } else if (simd_avx2()) {
        counts_avx2(v, n, out);
    } else {
        counts_plain(v, n, out);
    }
}

const f64 *scan_f64(const ScanColumn *c, u64 from, u64 n, f64 *out)
{
    from = scan_base(c, from);
    const f32 *reals = c->data;
    const i32 *ints = c->data;
    const i16 *shorts = c->data;
    const u8 *bytes = c->data;
    if (type_class(c->type) == TYPE_REAL) {
        if (c->width == 8) return (const f64 *)c->data + from;
        for (u64 i = 0; i < n; i++)
            out[i] = (f64)reals[from + i];
        return out;
    }
    switch (c->width) {
    case 8: convert_longs((const i64 *)c->data + from, n, out); break;
    case 4:
        if (simd_avx2()) {
            floats_avx2(ints + from, n, out);
        } else {
            floats_plain(ints + from, n, out);
        }
        break;
    case 2:
        for (u64 i = 0; i < n; i++)
            out[i] = shorts[from + i] == Q_NULL_SHORT ? (f64)NAN : (f64)shorts[from + i];
        break;
    default:
        for (u64 i = 0; i < n; i++)
            out[i] = (f64)bytes[from + i];
        break;
    }
    return out;
}

static Err bad_index(const ScanPiece *p)
{
    return fail(E_CORRUPT, "%s/%s: a symbol's index is beyond the domain%s", p->part->path,
                p->table->name, p->part->plain ? " (P-18)" : "");
}

/* Whether all indices are those of names: none is null or beyond the domain. */
static bool all_known(const Names *names, const i64 *indices, u64 n)
{
    u64 signs = 0, last = (u64)names->count - 1;
    for (u64 i = 0; i < n; i++)
        signs |= (u64)indices[i] | (last - (u64)indices[i]);
    return names->count > 0 && (i64)signs >= 0;
}

Err scan_ids(const ScanPiece *p, const ScanColumn *c, const Names *names, u64 from, u64 n, i32 *out,
             const i32 **ids)
{
    const i64 *wide = c->data;
    const i32 *narrow = c->data;
    i32 worst = 0;
    *ids = out;
    names = scan_names(c, names);
    if (c->form == SCAN_IDS || c->form == SCAN_CONST) {
        *ids = narrow + scan_base(c, from);
        return E_OK;
    }
    if (c->form == SCAN_WIDE) {
        if (all_known(names, wide + from, n)) {
            for (u64 i = 0; i < n; i++)
                out[i] = names->ids[wide[from + i]];
            return E_OK;
        }
        for (u64 i = 0; i < n; i++)
            worst |= out[i] = names_id(names, wide[from + i]);
    } else {
        for (u64 i = 0; i < n; i++) {
            i32 index = narrow[from + i];
            worst |= out[i] = names_id(names, index == INT32_MIN ? INT64_MIN : index);
        }
    }
    return worst < 0 ? bad_index(p) : E_OK;
}

Err scan_row(const ScanColumn *c, u64 row, const void **elements, u64 *count)
{
    if (c->form == SCAN_CONST) {
        *elements = "";
        *count = 0;
        return E_OK;
    }
    if (c->form == SCAN_FILE) return column_row(&c->opened->column, row, elements, count);
    const Vec *v = c->vec;
    *elements = (const u8 *)v->data + v->offs[row] * type_nested_width(c->type);
    *count = v->offs[row + 1] - v->offs[row];
    return E_OK;
}

/* A list of symbols in a part. */
static Err append_ids(const Column *c, const DomainSet *domains, u64 row, Vec *out)
{
    Vec ids;
    vec_init(&ids, QT_ENUM);
    Err err = column_row_ids(c, row, domains, &ids);
    if (err == E_OK) err = vec_append_row(out, ids.data, ids.count);
    vec_free(&ids);
    return err;
}

/* A mixed value in a part. */
static Err append_value(const Column *c, const DomainSet *domains, u64 row, Vec *out)
{
    Arena a = {0};
    Buf b = {0};
    Value v;
    Err err = column_value(c, row, domains, &a, &v);
    if (err == E_OK) err = wire_encode(&b, &v);
    if (err == E_OK) err = vec_append_row(out, b.data, b.size);
    buf_free(&b);
    arena_free(&a);
    return err;
}

Err scan_append(const ScanColumn *c, const Names *names, u64 row, Vec *out)
{
    Err err = E_OK;
    const void *elements;
    u64 count;
    const Column *file = c->form == SCAN_FILE ? &c->opened->column : NULL;
    if (c->form == SCAN_CONST) return vec_append_null(out, 1);
    Domain known = {.count = names->count, .ids = names->ids};
    DomainSet domains = c->domains != NULL ? *c->domains : domain_alone(&known);
    if (file != NULL) TRY(column_need(file, row, row + 1));
    if (file == NULL || !scan_is_loose(c->type)) {
        err = scan_row(c, row, &elements, &count);
        if (err == E_OK) err = vec_append_row(out, elements, count);
    } else if (c->type == QT_NESTED) {
        err = append_value(file, &domains, row, out);
    } else {
        err = append_ids(file, &domains, row, out);
    }
    if (file != NULL) column_done(file, row, row + 1);
done:
    return err;
}

/* ---- a task's own copy */

Err scan_own_open(ScanOwn *own, const ScanPiece *p, u32 slot_count)
{
    *own = (ScanOwn){.piece = *p, .of = p, .slot_count = slot_count};
    own->piece.cols = malloc((slot_count + 1ull) * sizeof *own->piece.cols);
    own->readers = calloc(slot_count + 1ull, sizeof *own->readers);
    if (own->piece.cols == NULL || own->readers == NULL) {
        scan_own_close(own);
        return fail(E_MEMORY, "no memory for the columns of a query");
    }
    for (u32 i = 0; i < slot_count; i++) {
        ScanColumn *c = &own->piece.cols[i];
        *c = p->cols[i];
        c->of = &p->cols[i];
        if (c->zipped == NULL || c->form == SCAN_FILE) continue;
        column_reader_open(&own->readers[i].column, c->zipped);
        own->readers[i].own = c;
        c->reader = &own->readers[i];
    }
    return E_OK;
}

void scan_own_close(ScanOwn *own)
{
    for (u32 i = 0; own->readers != NULL && i < own->slot_count; i++) {
        if (own->readers[i].column.column != NULL) column_reader_close(&own->readers[i].column);
        free(own->readers[i].joined);
    }
    free(own->readers);
    if (own->of != NULL) free(own->piece.cols);
    *own = (ScanOwn){0};
}

/* Brings rows together that begin in the block of the reader and end in others. */
static Err join(ScanReader *r, u64 from, u64 n, u32 width, const void **elements)
{
    if (r->joined == NULL) r->joined = malloc((u64)SCAN_BLOCK * width);
    if (r->joined == NULL) return fail(E_MEMORY, "no memory for the columns of a query");
    for (u64 at = 0, count; at < n; at += count) {
        Err err = column_reader_rows(&r->column, from + at, elements, &count);
        if (err != E_OK) return err;
        count = MIN(count, n - at);
        memcpy(r->joined + at * width, *elements, count * width);
    }
    *elements = r->joined;
    return E_OK;
}

Err scan_bring(const ScanColumn *c, u64 from, u64 n)
{
    ScanReader *r = c->reader;
    const void *elements;
    u64 count;
    ASSERT(n <= SCAN_BLOCK);
    if (n == 0 || (from >= r->from && from + n <= r->to)) return E_OK;
    u32 width = c->form == SCAN_WIDE ? 8 : c->width;
    r->from = r->to = 0;
    Err err = column_reader_rows(&r->column, from, &elements, &count);
    if (err == E_OK && count < n) {
        count = n;
        err = join(r, from, n, width, &elements);
    }
    if (err != E_OK) return err;
    r->from = from;
    r->to = from + count;
    r->own->data = (const void *)((uintptr_t)elements - from * width);
    return E_OK;
}

void scan_free(ScanPiece *p)
{
    free(p->ranges);
    free(p->ids);
    p->ranges = NULL;
    p->ids = NULL;
    p->range_count = 0;
}
