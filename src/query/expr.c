/*
 * expr: compiling and applying filters.
 *
 * Comparisons of numbers all become one question, low <= x <= high, perhaps negated; the null is
 * the least value, as in q, so it needs no special case but for floats, where NaN is asked for
 * apart. Loops work on the stored type, without widening. Rows that are out already are compared
 * all the same when that is cheaper than looking; texts are compared only where the mask is set.
 *
 * A symbol is compared as a number: by domain index where the stored form has indices and each name
 * has one, else by id. What needs its text (like, <, within) is decided once a name and remembered.
 * Two threads may decide the same name at once; both write the same byte.
 */
#include "query/expr.h"

#include "base/bounds.h"
#include "q/symbol.h"
#include "q/temporal.h"
#include "query/like.h"
#include "query/simd.h"

#include <math.h>
#include <stdlib.h>

#define FEW 8 /* elements of a set that are compared one by one */

/* ---- compiling */

/* The least and greatest element of an integer type. */
static void bounds_of(int type, i64 *low, i64 *high)
{
    switch (type_width(type)) {
    case 1: *low = 0, *high = UINT8_MAX; break;
    case 2: *low = INT16_MIN, *high = INT16_MAX; break;
    case 4: *low = INT32_MIN, *high = INT32_MAX; break;
    default: *low = INT64_MIN, *high = INT64_MAX; break;
    }
}

static void make_range(const Filter *f, Expr *e)
{
    i64 least, most, v = f->value.as.i;
    bounds_of(e->type, &least, &most);
    e->kind = EXPR_RANGE;
    e->low = least;
    e->high = most;
    bool never = false;
    switch (f->op) {
    case FILTER_NE:
        e->negate = true;
        e->low = e->high = v;
        break;
    case FILTER_LT:
        never = v == least;
        e->high = v - !never;
        break;
    case FILTER_GT:
        never = v == most;
        e->low = v + !never;
        break;
    case FILTER_LE: e->high = v; break;
    case FILTER_GE: e->low = v; break;
    case FILTER_WITHIN: {
        Value a = value_at(&f->value, 0), b = value_at(&f->value, 1);
        e->low = a.as.i;
        e->high = b.as.i;
        never = e->low > e->high;
        break;
    }
    default: e->low = e->high = v; break;
    }
    if (never) e->kind = EXPR_NEVER;
}

/* The next number above or below in the column's own width. */
static f64 step(int type, f64 v, f64 towards)
{
    if (type == QT_REAL) return (f64)nextafterf((f32)v, (f32)towards);
    return nextafter(v, towards);
}

static void make_real(const Filter *f, Expr *e)
{
    f64 v = f->value.as.f, inf = (f64)INFINITY;
    e->kind = EXPR_REAL;
    e->real_low = -inf;
    e->real_high = inf;
    switch (f->op) {
    case FILTER_LT:
        e->nan = !isnan(v);
        e->real_high = isnan(v) || v == -inf ? (f64)NAN : step(e->type, v, -inf);
        break;
    case FILTER_LE:
        e->nan = true;
        e->real_high = v;
        break;
    case FILTER_GT:
        if (isnan(v)) break;
        e->real_low = v == inf ? (f64)NAN : step(e->type, v, inf);
        break;
    case FILTER_GE:
        e->nan = isnan(v);
        if (!isnan(v)) e->real_low = v;
        break;
    case FILTER_WITHIN: {
        Value a = value_at(&f->value, 0), b = value_at(&f->value, 1);
        e->nan = isnan(a.as.f);
        if (!isnan(a.as.f)) e->real_low = a.as.f;
        e->real_high = b.as.f;
        break;
    }
    default:
        e->negate = f->op == FILTER_NE;
        e->nan = isnan(v);
        e->real_low = e->real_high = v;
        break;
    }
}

static int compare_i64(const void *a, const void *b)
{
    i64 x = load_i64(a), y = load_i64(b);
    return (x > y) - (x < y);
}

static int compare_f64(const void *a, const void *b)
{
    f64 x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static int compare_guid(const void *a, const void *b) { return memcmp(a, b, 16); }

static int compare_text(const void *a, const void *b)
{
    return str_cmp(*(const Str *)a, *(const Str *)b);
}

/* `in`: the set as a table or as sorted elements. */
static Err make_set(const Filter *f, Arena *a, Expr *e)
{
    void *place;
    u64 count = value_count(&f->value);
    u32 width = e->type == QT_STRING ? sizeof(Str) : e->type == QT_GUID ? 16 : 8;
    if (type_width(e->type) == 1) {
        u8 *table = arena_array(a, u8, 256);
        for (u64 i = 0; i < count; i++)
            table[vec_u8(&f->value.as.vec)[i]] = 1;
        e->kind = EXPR_BYTES;
        e->set = table;
        return E_OK;
    }
    Err err = arena_try(a, count + 1, width, &place);
    if (err != E_OK) return err;
    bool real = type_class(e->type) == TYPE_REAL && e->type != QT_STRING;
    for (u64 i = 0; i < count; i++) {
        Value v = value_at(&f->value, i);
        if (e->type == QT_STRING) {
            Str text = {"", 0};
            if (!value_text(&v, &text)) continue;
            ((Str *)place)[e->count++] = text;
        } else if (e->type == QT_GUID) {
            memcpy((u8 *)place + 16 * e->count++, v.as.guid, 16);
        } else if (!real) {
            ((i64 *)place)[e->count++] = v.as.i;
        } else if (isnan(v.as.f)) {
            e->nan = true;
        } else {
            ((f64 *)place)[e->count++] = v.as.f;
        }
    }
    e->set = place;
    e->kind = e->type == QT_STRING ? EXPR_TEXT
              : e->type == QT_GUID ? EXPR_GUID
              : real               ? EXPR_FLOATS
                                   : EXPR_LONGS;
    qsort(place, e->count, width,
          e->type == QT_STRING ? compare_text
          : e->type == QT_GUID ? compare_guid
          : real               ? compare_f64
                               : compare_i64);
    return E_OK;
}

static Err make_symbol(const Filter *f, const Domain *d, Arena *a, Expr *e)
{
    void *place;
    u64 id_count = (u64)symbol_count();
    if (f->op == FILTER_EQ || f->op == FILTER_NE) {
        e->kind = EXPR_ID;
        e->negate = f->op == FILTER_NE;
        e->id = symbol_find(f->value.as.text);
        e->index = e->id < 0 ? -1 : e->id == 0 ? INT64_MIN : domain_find(d, e->id);
        return E_OK;
    }
    Err err = arena_try(a, id_count, 1, &place);
    if (err != E_OK) return err;
    e->count = id_count;
    e->kind = EXPR_NAME;
    e->memo = place;
    if (f->op != FILTER_IN) return E_OK;
    e->kind = EXPR_IDS;
    e->set = place;
    for (u64 i = 0; i < f->value.as.vec.count; i++) {
        i32 id = symbol_find(vec_str(&f->value.as.vec)[i]);
        if (id >= 0 && (u64)id < id_count) ((u8 *)place)[id] = 1;
    }
    return E_OK;
}

/* like over chars: each byte is a text. */
static void make_char_like(const Filter *f, Arena *a, Expr *e)
{
    u8 *table = arena_array(a, u8, 256);
    Str pattern = {"", 0};
    (void)value_text(&f->value, &pattern);
    for (u32 i = 0; i < 256; i++) {
        char c = (char)i;
        table[i] = like_match(pattern, (Str){&c, 1});
    }
    e->kind = EXPR_BYTES;
    e->set = table;
}

Err expr_make(const Filter *f, const Schema *s, const i32 *slot_of, const Domain *d, Arena *a,
              Expr *e)
{
    *e = (Expr){.filter = f, .slot = -1, .id = -1, .index = -1};
    if (f->op >= FILTER_AND) {
        e->kind = f->op == FILTER_AND ? EXPR_AND : f->op == FILTER_OR ? EXPR_OR : EXPR_NOT;
        e->arg_count = f->arg_count;
        e->args = arena_array(a, Expr, f->arg_count);
        for (u32 i = 0; i < f->arg_count; i++) {
            Err err = expr_make(&f->args[i], s, slot_of, d, a, &e->args[i]);
            if (err != E_OK) return err;
        }
        return E_OK;
    }
    e->slot = slot_of[f->column];
    e->type = schema_memory_type(&s->columns[f->column]);
    if (e->type == QT_ENUM) return make_symbol(f, d, a, e);
    if (f->op == FILTER_IN) return make_set(f, a, e);
    if (e->type == QT_CHAR && f->op == FILTER_LIKE) {
        make_char_like(f, a, e);
    } else if (e->type == QT_GUID || e->type == QT_STRING) {
        e->kind = e->type == QT_GUID ? EXPR_GUID : EXPR_TEXT;
    } else if (!type_is_fixed(e->type)) {
        return fail(E_UNSUPPORTED, "filter: column %s is a list", s->columns[f->column].name);
    } else if (type_class(e->type) == TYPE_REAL) {
        make_real(f, e);
    } else {
        make_range(f, e);
    }
    return E_OK;
}

i32 expr_slot(const Expr *e)
{
    if (e->kind < EXPR_AND) return e->slot;
    i32 slot = expr_slot(&e->args[0]);
    for (u32 i = 1; i < e->arg_count; i++) {
        if (expr_slot(&e->args[i]) != slot) return -1;
    }
    return slot;
}

/* ---- texts and symbols */

/* Whether the result of a comparison satisfies an operator. */
static bool holds(FilterOp op, int order)
{
    switch (op) {
    case FILTER_EQ: return order == 0;
    case FILTER_NE: return order != 0;
    case FILTER_LT: return order < 0;
    case FILTER_GT: return order > 0;
    case FILTER_LE: return order <= 0;
    default: return order >= 0;
    }
}

static bool test_text(const Expr *e, Str text)
{
    Str a = {"", 0}, b = {"", 0};
    const Filter *f = e->filter;
    if (f->op == FILTER_IN)
        return bsearch(&text, e->set, e->count, sizeof(Str), compare_text) != NULL;
    if (f->op == FILTER_WITHIN) {
        Value low = value_at(&f->value, 0), high = value_at(&f->value, 1);
        return value_text(&low, &a) && value_text(&high, &b) && str_cmp(a, text) <= 0 &&
               str_cmp(text, b) <= 0;
    }
    if (!value_text(&f->value, &a)) return false;
    return f->op == FILTER_LIKE ? like_match(a, text) : holds(f->op, str_cmp(text, a));
}

static bool test_name(const Expr *e, i32 id)
{
    if ((u64)id >= e->count) return test_text(e, symbol_text(id));
    u8 known = atomic_load_explicit(&e->memo[id], memory_order_relaxed);
    if (known == 0) {
        known = test_text(e, symbol_text(id)) ? 2 : 1;
        atomic_store_explicit(&e->memo[id], known, memory_order_relaxed);
    }
    return known == 2;
}

bool expr_test_id(const Expr *e, i32 id)
{
    bool pass = e->kind != EXPR_OR;
    switch (e->kind) {
    case EXPR_ID: return (id == e->id) != e->negate;
    case EXPR_IDS: return (u64)id < e->count && ((const u8 *)e->set)[id];
    case EXPR_NAME: return test_name(e, id);
    case EXPR_NOT: return !expr_test_id(&e->args[0], id);
    case EXPR_AND:
    case EXPR_OR:
        for (u32 i = 0; i < e->arg_count && pass == (e->kind == EXPR_AND); i++)
            pass = expr_test_id(&e->args[i], id);
        return pass;
    default: return false;
    }
}

static bool test_guid(const Expr *e, const u8 *guid)
{
    const Filter *f = e->filter;
    if (f->op == FILTER_IN) return bsearch(guid, e->set, e->count, 16, compare_guid) != NULL;
    if (f->op != FILTER_WITHIN) return holds(f->op, memcmp(guid, f->value.as.guid, 16));
    const u8 *pair = f->value.as.vec.data;
    return memcmp(pair, guid, 16) <= 0 && memcmp(guid, pair + 16, 16) <= 0;
}

/* ---- masks */

/* narrow_<name>: low <= v <= low + span for elements of one width, as unsigned distances from
 * low. */
#define NARROW(name, type, word)                                                                   \
    SIMD_BODY void name##_body(const type *v, u64 n, word low, word span, u8 flip, u8 *mask)       \
    {                                                                                              \
        for (u64 i = 0; i < n; i++)                                                                \
            mask[i] &= (u8)(((word)v[i] - low <= span) ^ flip);                                    \
    }                                                                                              \
    static void name##_plain(const type *v, u64 n, word low, word span, u8 flip, u8 *mask)         \
    {                                                                                              \
        name##_body(v, n, low, span, flip, mask);                                                  \
    }                                                                                              \
    SIMD_AVX2 static void name##_avx2(const type *v, u64 n, word low, word span, u8 flip,          \
                                      u8 *mask)                                                    \
    {                                                                                              \
        name##_body(v, n, low, span, flip, mask);                                                  \
    }                                                                                              \
    static void narrow_##name(const type *v, u64 n, word low, word span, u8 flip, u8 *mask)        \
    {                                                                                              \
        if (simd_avx2()) {                                                                         \
            name##_avx2(v, n, low, span, flip, mask);                                              \
        } else {                                                                                   \
            name##_plain(v, n, low, span, flip, mask);                                             \
        }                                                                                          \
    }

NARROW(wide, i64, u64)
NARROW(ints, i32, u32)

void expr_narrow_times(const i64 *v, u64 n, i64 low, i64 high, u8 *mask)
{
    if (low > high) {
        memset(mask, 0, n);
    } else {
        narrow_wide(v, n, (u64)low, (u64)high - (u64)low, 0, mask);
    }
}

void expr_narrow_days(const i64 *v, u64 n, i64 low, i64 high, u8 *mask)
{
    const i64 day = TEMPORAL_DAY_NS;
    for (u64 i = 0; i < n; i++) {
        i64 t = v[i] % day;
        t += t < 0 ? day : 0;
        mask[i] &= low <= t && t < high;
    }
}

static void narrow_range(const Expr *e, const ScanColumn *c, u64 from, u64 n, u8 *mask)
{
    const u8 flip = e->negate;
    const i32 *ints = c->data;
    const i16 *shorts = c->data;
    const u8 *bytes = c->data;
    u64 low = (u64)e->low, span = (u64)e->high - low;
    switch (c->width) {
    case 8: narrow_wide((const i64 *)c->data + from, n, low, span, flip, mask); break;
    case 4: narrow_ints(ints + from, n, (u32)low, (u32)span, flip, mask); break;
    case 2:
        for (u64 i = 0; i < n; i++)
            mask[i] &= (u8)(((u16)((u16)shorts[from + i] - (u16)low) <= (u16)span) ^ flip);
        break;
    default:
        for (u64 i = 0; i < n; i++)
            mask[i] &= (u8)(((u8)(bytes[from + i] - (u8)low) <= (u8)span) ^ flip);
        break;
    }
}

SIMD_BODY void reals_body(const Expr *e, const f64 *v, u64 n, u8 *mask)
{
    const f64 low = e->real_low, high = e->real_high;
    const u8 nan = e->nan, flip = e->negate;
    for (u64 i = 0; i < n; i++) {
        u8 in = (u8)((v[i] >= low) & (v[i] <= high));
        mask[i] &= (u8)((in | (nan & (v[i] != v[i]))) ^ flip);
    }
}

static void reals_plain(const Expr *e, const f64 *v, u64 n, u8 *mask) { reals_body(e, v, n, mask); }

SIMD_AVX2 static void reals_avx2(const Expr *e, const f64 *v, u64 n, u8 *mask)
{
    reals_body(e, v, n, mask);
}

static void narrow_real(const Expr *e, const ScanColumn *c, u64 from, u64 n, u8 *mask)
{
    f64 lanes[SCAN_BLOCK];
    const f64 *v = scan_f64(c, from, n, lanes);
    if (simd_avx2()) {
        reals_avx2(e, v, n, mask);
    } else {
        reals_plain(e, v, n, mask);
    }
}

static void narrow_longs(const Expr *e, const ScanColumn *c, u64 from, u64 n, u8 *mask)
{
    const i64 *set = e->set;
    for (u64 i = 0; i < n; i++) {
        i64 v = c->width == 8   ? ((const i64 *)c->data)[from + i]
                : c->width == 4 ? ((const i32 *)c->data)[from + i]
                                : ((const i16 *)c->data)[from + i];
        bool in = false;
        if (e->count <= FEW) {
            for (u64 k = 0; k < e->count; k++)
                in |= set[k] == v;
        } else if (mask[i]) {
            in = bsearch(&v, set, e->count, sizeof v, compare_i64) != NULL;
        }
        mask[i] &= in;
    }
}

static void narrow_floats(const Expr *e, const ScanColumn *c, u64 from, u64 n, u8 *mask)
{
    f64 lanes[SCAN_BLOCK];
    const f64 *v = scan_f64(c, from, n, lanes), *set = e->set;
    for (u64 i = 0; i < n; i++) {
        bool in = e->nan & (v[i] != v[i]);
        if (e->count <= FEW) {
            for (u64 k = 0; k < e->count; k++)
                in |= set[k] == v[i];
        } else if (mask[i] && v[i] == v[i]) {
            in = bsearch(&v[i], set, e->count, sizeof v[i], compare_f64) != NULL;
        }
        mask[i] &= in;
    }
}

static void narrow_bytes(const Expr *e, const ScanColumn *c, u64 from, u64 n, u8 *mask)
{
    const u8 *v = c->data, *table = e->set;
    for (u64 i = 0; i < n; i++)
        mask[i] &= table[v[from + i]];
}

static Err narrow_symbols(const Expr *e, const ScanPiece *p, const Names *names, u64 from, u64 n,
                          u8 *mask)
{
    const ScanColumn *c = &p->cols[e->slot];
    i32 lanes[SCAN_BLOCK];
    const i32 *ids;
    if (e->kind == EXPR_ID && c->form == SCAN_WIDE && c->names == NULL && names->clean) {
        narrow_wide((const i64 *)c->data + from, n, (u64)e->index, 0, e->negate, mask);
        return E_OK;
    }
    Err err = scan_ids(p, c, names, from, n, lanes, &ids);
    if (err != E_OK) return err;
    if (e->kind == EXPR_ID) {
        narrow_ints(ids, n, (u32)e->id, 0, e->negate, mask);
    } else if (e->kind == EXPR_IDS) {
        const u8 *table = e->set;
        for (u64 i = 0; i < n; i++)
            mask[i] &= (u64)ids[i] < e->count ? table[ids[i]] : 0;
    } else {
        for (u64 i = 0; i < n; i++) {
            if (mask[i]) mask[i] = test_name(e, ids[i]);
        }
    }
    return E_OK;
}

static Err narrow_texts(const Expr *e, const ScanColumn *c, u64 from, u64 n, u8 *mask)
{
    for (u64 i = 0; i < n; i++) {
        const void *text;
        u64 size;
        if (!mask[i]) continue;
        Err err = scan_row(c, from + i, &text, &size);
        if (err != E_OK) return err;
        mask[i] = test_text(e, (Str){size > 0 ? text : "", size});
    }
    return E_OK;
}

static Err narrow_logic(const Expr *e, const ScanPiece *p, const Names *names, u64 from, u64 n,
                        u8 *mask)
{
    Err err = E_OK;
    u8 some[SCAN_BLOCK], whole[SCAN_BLOCK];
    if (e->kind == EXPR_AND) {
        for (u32 i = 0; i < e->arg_count; i++)
            TRY(expr_narrow(&e->args[i], p, names, from, n, mask));
        return E_OK;
    }
    memset(whole, 0, n);
    for (u32 i = 0; i < e->arg_count; i++) {
        for (u64 k = 0; k < n; k++)
            some[k] = mask[k] & (u8)~whole[k];
        TRY(expr_narrow(&e->args[i], p, names, from, n, some));
        for (u64 k = 0; k < n; k++)
            whole[k] |= some[k];
    }
    for (u64 k = 0; k < n; k++)
        mask[k] &= e->kind == EXPR_NOT ? whole[k] ^ 1 : whole[k];
done:
    return err;
}

/* A filter over one column whose rows are readable. */
static Err narrow_column(const Expr *e, const ScanPiece *p, const Names *names, u64 from, u64 n,
                         u8 *mask)
{
    const ScanColumn *c = &p->cols[e->slot];
    from = scan_base(c, from);
    switch (e->kind) {
    case EXPR_RANGE: narrow_range(e, c, from, n, mask); break;
    case EXPR_REAL: narrow_real(e, c, from, n, mask); break;
    case EXPR_BYTES: narrow_bytes(e, c, from, n, mask); break;
    case EXPR_LONGS: narrow_longs(e, c, from, n, mask); break;
    case EXPR_FLOATS: narrow_floats(e, c, from, n, mask); break;
    case EXPR_ID:
    case EXPR_IDS:
    case EXPR_NAME: return narrow_symbols(e, p, names, from, n, mask);
    case EXPR_TEXT: return narrow_texts(e, c, from, n, mask);
    default:
        for (u64 i = 0; i < n; i++) {
            if (mask[i]) mask[i] = test_guid(e, (const u8 *)c->data + (from + i) * 16);
        }
        break;
    }
    return E_OK;
}

Err expr_narrow(const Expr *e, const ScanPiece *p, const Names *names, u64 from, u64 n, u8 *mask)
{
    ASSERT(n <= SCAN_BLOCK);
    if (e->kind >= EXPR_AND) return narrow_logic(e, p, names, from, n, mask);
    if (e->kind == EXPR_NEVER) {
        memset(mask, 0, n);
        return E_OK;
    }
    const ScanColumn *c = &p->cols[e->slot];
    Err err = scan_need(c, from, n);
    if (err != E_OK) return err;
    err = narrow_column(e, p, names, from, n, mask);
    scan_done(c, from, n);
    return err;
}
