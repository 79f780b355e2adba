/*
 * agg: the loops over lanes.
 *
 * There are two kinds of work. Spans, when all rows of a group that stand together count: loops
 * over one lane into one state, or no loop at all for count and, where times ascend, for first and
 * last. And rows with a group each, when they are mixed. Rows that a filter left over are gathered
 * into dense lanes first, so there are no other loops.
 *
 * Rules of q: nulls do not count, but for count, first, last, distinct, all and any; sums of
 * integers wrap; the least of nothing is the infinity, the greatest its negative; a weighted
 * average counts the rows where neither value is null. Spreads are computed in two passes over a
 * block and merged by Chan's formula, which loses nothing when the mean is large.
 *
 * Ties of first and last: rows of equal time keep the order of parts, then of rows (O-81).
 */
#include "query/agg.h"

#include "base/bounds.h"
#include "base/map.h"
#include "query/masked.h"
#include "query/simd.h"

#include <math.h>
#include <stdlib.h>

#define SLOTS_FIRST 16
#define LANES       16   /* sums at once */
#define STRETCH     8192 /* elements that are summed up before a look for nulls */
#define COUNT_BITS  52   /* whole numbers below 2^52 become floats by a look at their bits alone */

static bool is_spread(AggKind k)
{
    return k == AGG_DEV || k == AGG_VAR || k == AGG_SDEV || k == AGG_SVAR || k == AGG_COR ||
           k == AGG_COV || k == AGG_SCOV;
}

static bool is_weighted(AggKind k) { return k == AGG_WAVG || k == AGG_WSUM; }

static bool is_end(AggKind k) { return k == AGG_FIRST || k == AGG_LAST; }

Agg agg_of(const Plan *p, const Select *s)
{
    Agg a = {.kind = s->kind, .slot = p->slot_of[s->column], .slot2 = -1};
    a.type = schema_memory_type(&p->schema->columns[s->column]);
    if (s->column2 >= 0) a.slot2 = p->slot_of[s->column2];
    a.real = is_spread(a.kind) || is_weighted(a.kind) || type_class(a.type) == TYPE_REAL;
    return a;
}

AggState agg_start(const Agg *a)
{
    AggState s;
    memset(&s, 0, sizeof s);
    switch (a->kind) {
    case AGG_MIN:
        if (a->real) {
            s.f = (f64)INFINITY;
        } else {
            s.i = INT64_MAX;
        }
        break;
    case AGG_MAX:
        if (a->real) {
            s.f = -(f64)INFINITY;
        } else {
            s.i = -INT64_MAX;
        }
        break;
    case AGG_PRD:
        if (a->real) {
            s.f = 1;
        } else {
            s.i = 1;
        }
        break;
    case AGG_ALL: s.i = 1; break;
    default: break;
    }
    return s;
}

/* ---- one lane into one state */

/* The sum of all elements; sixteen sums at once keep the adders busy. */
SIMD_BODY f64 sum_body(const f64 *v, u64 n)
{
    SimdF64 a = {0}, b = {0}, c = {0}, d = {0};
    u64 i = 0;
    for (; i + 16 <= n; i += 16) {
        a += simd_load(v + i);
        b += simd_load(v + i + 4);
        c += simd_load(v + i + 8);
        d += simd_load(v + i + 12);
    }
    f64 rest = 0;
    for (; i < n; i++)
        rest += v[i];
    a = (a + b) + (c + d);
    return rest + ((a[0] + a[1]) + (a[2] + a[3]));
}

static f64 sum_plain(const f64 *v, u64 n) { return sum_body(v, n); }

SIMD_AVX2 static f64 sum_avx2(const f64 *v, u64 n) { return sum_body(v, n); }

/* The sum of what is no NaN, and how many those are. A stretch without NaN, which is the rule, is
 * known by its sum. */
static f64 sum_f64(const f64 *v, u64 n, i64 *count)
{
    f64 total = 0;
    *count = (i64)n;
    for (u64 at = 0; at < n; at += STRETCH) {
        u64 some = MIN(n - at, STRETCH);
        f64 sum = simd_avx2() ? sum_avx2(v + at, some) : sum_plain(v + at, some);
        if (isnan(sum)) {
            sum = 0;
            for (u64 i = at; i < at + some; i++) {
                bool good = v[i] == v[i];
                sum += good ? v[i] : 0.0;
                *count -= !good;
            }
        }
        total += sum;
    }
    return total;
}

/* The wrapping sum of what is not null. Without negative elements there is no null. */
static u64 sum_i64(const i64 *v, u64 n)
{
    u64 total = 0;
    for (u64 at = 0; at < n; at += STRETCH) {
        u64 end = MIN(n, at + STRETCH), sum = 0, signs = 0;
        for (u64 i = at; i < end; i++) {
            sum += (u64)v[i];
            signs |= (u64)v[i];
        }
        if ((i64)signs < 0) {
            sum = 0;
            for (u64 i = at; i < end; i++)
                sum += v[i] == Q_NULL_LONG ? 0 : (u64)v[i];
        }
        total += sum;
    }
    return total;
}

/* The least, or the greatest, of `best` and what is no NaN. */
SIMD_BODY f64 extreme_body(const f64 *v, u64 n, f64 best, bool least)
{
    f64 lanes[LANES];
    u64 i = 0;
    for (u32 k = 0; k < LANES; k++)
        lanes[k] = best;
    for (; i + LANES <= n; i += LANES) {
        for (u32 k = 0; k < LANES; k++) {
            f64 x = v[i + k];
            lanes[k] = least ? (x < lanes[k] ? x : lanes[k]) : (x > lanes[k] ? x : lanes[k]);
        }
    }
    for (u32 k = 0; k < LANES; k++)
        best = (least ? lanes[k] < best : lanes[k] > best) ? lanes[k] : best;
    for (; i < n; i++)
        best = (least ? v[i] < best : v[i] > best) ? v[i] : best;
    return best;
}

static f64 extreme(const f64 *v, u64 n, f64 best, bool least)
{
    return least ? extreme_body(v, n, best, true) : extreme_body(v, n, best, false);
}

static void add_i64(const Agg *a, const i64 *v, u64 n, AggState *s)
{
    u64 sum = (u64)s->i;
    i64 best = s->i;
    bool flag = s->i != 0;
    switch (a->kind) {
    case AGG_SUM: s->i = (i64)(sum + sum_i64(v, n)); break;
    case AGG_PRD:
        for (u64 i = 0; i < n; i++)
            sum *= v[i] == Q_NULL_LONG ? 1 : (u64)v[i];
        s->i = (i64)sum;
        break;
    case AGG_MIN:
        for (u64 i = 0; i < n; i++)
            best = v[i] != Q_NULL_LONG && v[i] < best ? v[i] : best;
        s->i = best;
        break;
    case AGG_MAX:
        for (u64 i = 0; i < n; i++)
            best = v[i] > best ? v[i] : best;
        s->i = best;
        break;
    case AGG_AVG: {
        AggWide wide = s->mean.sum;
        i64 count = s->mean.count;
        for (u64 i = 0; i < n; i++) {
            wide += v[i] == Q_NULL_LONG ? 0 : v[i];
            count += v[i] != Q_NULL_LONG;
        }
        s->mean.sum = wide;
        s->mean.count = count;
        break;
    }
    case AGG_ALL:
        for (u64 i = 0; i < n; i++)
            flag &= v[i] != 0;
        s->i = flag;
        break;
    case AGG_ANY:
        for (u64 i = 0; i < n; i++)
            flag |= v[i] != 0;
        s->i = flag;
        break;
    default: break;
    }
}

/* Chan's formula: a set with these moments joins. */
static void join(AggState *s, f64 count, f64 x, f64 y, f64 xx, f64 yy, f64 xy)
{
    if (count == 0) return;
    f64 all = s->spread.count + count, dx = x - s->spread.x, dy = y - s->spread.y;
    f64 share = s->spread.count * count / all;
    s->spread.xx += xx + dx * dx * share;
    s->spread.yy += yy + dy * dy * share;
    s->spread.xy += xy + dx * dy * share;
    s->spread.x += dx * (count / all);
    s->spread.y += dy * (count / all);
    s->spread.count = all;
}

static void add_spread(const f64 *v, u64 n, AggState *s)
{
    for (u64 at = 0; at < n; at += SCAN_BLOCK) {
        u64 some = MIN(n - at, SCAN_BLOCK);
        i64 count;
        f64 xx = 0, mean = sum_f64(v + at, some, &count) / (f64)count;
        for (u64 i = 0; i < some; i++) {
            f64 d = v[at + i] - mean;
            xx += v[at + i] == v[at + i] ? d * d : 0.0;
        }
        join(s, (f64)count, mean, 0, xx, 0, 0);
    }
}

static void add_f64(const Agg *a, const f64 *v, u64 n, AggState *s)
{
    i64 count;
    f64 best = s->f;
    bool flag = s->i != 0;
    switch (a->kind) {
    case AGG_SUM: s->f += sum_f64(v, n, &count); break;
    case AGG_AVG:
        s->real_mean.sum += sum_f64(v, n, &count);
        s->real_mean.count += count;
        break;
    case AGG_PRD:
        for (u64 i = 0; i < n; i++)
            best *= v[i] == v[i] ? v[i] : 1.0;
        s->f = best;
        break;
    case AGG_MIN:
    case AGG_MAX: s->f = extreme(v, n, best, a->kind == AGG_MIN); break;
    case AGG_ALL:
        for (u64 i = 0; i < n; i++)
            flag &= v[i] != 0;
        s->i = flag;
        break;
    case AGG_ANY:
        for (u64 i = 0; i < n; i++)
            flag |= v[i] != 0;
        s->i = flag;
        break;
    default: add_spread(v, n, s); break;
    }
}

/* ---- two lanes into one state */

typedef struct {
    f64 weight, sum;
} Weighted;

SIMD_BODY Weighted weigh_body(const f64 *w, const f64 *v, u64 n)
{
    SimdF64 a = {0}, b = {0}, c = {0}, d = {0};
    Weighted rest = {0, 0};
    u64 i = 0;
    for (; i + 8 <= n; i += 8) {
        SimdF64 x = simd_load(w + i), y = simd_load(w + i + 4);
        a += x;
        b += y;
        c += x * simd_load(v + i);
        d += y * simd_load(v + i + 4);
    }
    for (; i < n; i++) {
        rest.weight += w[i];
        rest.sum += w[i] * v[i];
    }
    a += b;
    c += d;
    rest.weight += (a[0] + a[1]) + (a[2] + a[3]);
    rest.sum += (c[0] + c[1]) + (c[2] + c[3]);
    return rest;
}

static Weighted weigh_plain(const f64 *w, const f64 *v, u64 n) { return weigh_body(w, v, n); }

SIMD_AVX2 static Weighted weigh_avx2(const f64 *w, const f64 *v, u64 n)
{
    return weigh_body(w, v, n);
}

/* The same with whole weights below 2^52, which most are: they become floats by setting the low
 * bits of 2^52. Both columns are read in one go. *all collects the weights' bits: when it reaches
 * 2^52 the result is nothing. */
SIMD_BODY Weighted weigh_counts_body(const i64 *w, const f64 *v, u64 n, u64 *all)
{
    const u64 bits = (1023ull + COUNT_BITS) << COUNT_BITS;
    const f64 base = (f64)(1ull << COUNT_BITS);
    SimdF64 a = {0}, b = {0}, c = {0}, d = {0};
    SimdU64 seen = {0};
    Weighted rest = {0, 0};
    u64 i = 0;
    for (; i + 8 <= n; i += 8) {
        SimdU64 k = simd_load_u64(w + i), l = simd_load_u64(w + i + 4);
        SimdF64 x = (SimdF64)(k | bits) - base, y = (SimdF64)(l | bits) - base;
        seen |= k | l;
        a += x;
        b += y;
        c += x * simd_load(v + i);
        d += y * simd_load(v + i + 4);
    }
    *all = seen[0] | seen[1] | seen[2] | seen[3];
    for (; i < n; i++) {
        *all |= (u64)w[i];
        rest.weight += (f64)w[i];
        rest.sum += (f64)w[i] * v[i];
    }
    a += b;
    c += d;
    rest.weight += (a[0] + a[1]) + (a[2] + a[3]);
    rest.sum += (c[0] + c[1]) + (c[2] + c[3]);
    return rest;
}

static Weighted weigh_counts_plain(const i64 *w, const f64 *v, u64 n, u64 *all)
{
    return weigh_counts_body(w, v, n, all);
}

SIMD_AVX2 static Weighted weigh_counts_avx2(const i64 *w, const f64 *v, u64 n, u64 *all)
{
    return weigh_counts_body(w, v, n, all);
}

/* Adds a stretch by whole weights; false when it has weights or values that need a closer look. */
static bool add_counts(const i64 *w, const f64 *v, u64 n, AggState *s)
{
    u64 all = 0;
    Weighted x = simd_avx2() ? weigh_counts_avx2(w, v, n, &all) : weigh_counts_plain(w, v, n, &all);
    if (all >> COUNT_BITS != 0 || isnan(x.sum)) return false;
    s->weighted.weight += x.weight;
    s->weighted.sum += x.sum;
    return true;
}

static void add_weighted(const f64 *w, const f64 *v, u64 n, AggState *s)
{
    for (u64 at = 0; at < n; at += STRETCH) {
        u64 some = MIN(n - at, STRETCH);
        Weighted x =
            simd_avx2() ? weigh_avx2(w + at, v + at, some) : weigh_plain(w + at, v + at, some);
        if (isnan(x.weight) || isnan(x.sum)) {
            x = (Weighted){0, 0};
            for (u64 i = at; i < at + some; i++) {
                bool good = (w[i] == w[i]) & (v[i] == v[i]);
                x.weight += good ? w[i] : 0.0;
                x.sum += good ? w[i] * v[i] : 0.0;
            }
        }
        s->weighted.weight += x.weight;
        s->weighted.sum += x.sum;
    }
}

static void add_pairs(const f64 *x, const f64 *y, u64 n, AggState *s)
{
    for (u64 at = 0; at < n; at += SCAN_BLOCK) {
        u64 end = MIN(n, at + SCAN_BLOCK);
        f64 count = 0, mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
        for (u64 i = at; i < end; i++) {
            bool good = (x[i] == x[i]) & (y[i] == y[i]);
            count += good;
            mx += good ? x[i] : 0.0;
            my += good ? y[i] : 0.0;
        }
        mx /= count;
        my /= count;
        for (u64 i = at; i < end; i++) {
            f64 dx = x[i] - mx, dy = y[i] - my;
            bool good = (x[i] == x[i]) & (y[i] == y[i]);
            xx += good ? dx * dx : 0.0;
            yy += good ? dy * dy : 0.0;
            xy += good ? dx * dy : 0.0;
        }
        join(s, count, mx, my, xx, yy, xy);
    }
}

/* ---- first and last */

/* Takes the value of a readable row as first or last. */
static Err take_value(const Agg *a, const Plan *p, const ScanPiece *piece, u64 row, AggState *s)
{
    const ScanColumn *c = &piece->cols[a->slot];
    const i32 *id;
    if (a->type > QT_NESTED) return scan_row(c, row, &s->end.list, &s->end.count);
    if (a->type == QT_ENUM) {
        i32 lane;
        Err err = scan_ids(piece, c, p->names, row, 1, &lane, &id);
        if (err == E_OK) memcpy(s->end.value, id, sizeof *id);
        return err;
    }
    const u8 *data = (const u8 *)c->data + scan_base(c, row) * c->width;
    switch (c->width) {
    case 8: memcpy(s->end.value, data, 8); break;
    case 4: memcpy(s->end.value, data, 4); break;
    default: memcpy(s->end.value, data, c->width); break;
    }
    return E_OK;
}

/* Takes a row as first or last. */
static Err take_row(const Agg *a, const Plan *p, const ScanPiece *piece, u64 row, i64 time,
                    AggState *s)
{
    const ScanColumn *c = &piece->cols[a->slot];
    s->end.time = time;
    s->end.some = true;
    s->end.kept = false;
    s->end.late = scan_is_loose(a->type) || (c->zipped != NULL && a->type > QT_NESTED);
    if (s->end.late) {
        s->end.list = c->of != NULL ? c->of : c;
        s->end.count = row;
        return E_OK;
    }
    Err err = scan_need(c, row, 1);
    if (err != E_OK) return err;
    err = take_value(a, p, piece, row, s);
    scan_done(c, row, 1);
    return err;
}

static bool is_better(AggKind kind, const AggState *s, i64 time)
{
    if (!s->end.some) return true;
    return kind == AGG_FIRST ? time < s->end.time : time >= s->end.time;
}

/* The row of [from, to) that is first or last by time. */
static u64 find_end(const Agg *a, const i64 *times, bool ordered, u64 from, u64 to)
{
    u64 best = from;
    if (times == NULL || ordered) {
        /* of equal times at an end the outermost row counts */
        return a->kind == AGG_FIRST ? from : to - 1;
    }
    for (u64 i = from + 1; i < to; i++) {
        bool better = a->kind == AGG_FIRST ? times[i] < times[best] : times[i] >= times[best];
        best = better ? i : best;
    }
    return best;
}

/* The same over a compressed column of times, and the time. */
static Err find_end_zipped(const Agg *a, const ScanColumn *c, bool ordered, u64 from, u64 to,
                           u64 *row, i64 *time)
{
    if (ordered) {
        from = find_end(a, NULL, true, from, to);
        to = from + 1;
    }
    *row = from;
    for (u64 at = from; at < to; at += SCAN_BLOCK) {
        u64 n = MIN(to - at, SCAN_BLOCK);
        Err err = scan_need(c, at, n);
        if (err != E_OK) return err;
        const i64 *times = c->data;
        u64 best = find_end(a, times, false, at, at + n);
        bool better = a->kind == AGG_FIRST ? times[best] < *time : times[best] >= *time;
        if (at == from || better) {
            *row = best;
            *time = times[best];
        }
        scan_done(c, at, n);
    }
    return E_OK;
}

static const i64 *times_of(const Plan *p, const ScanPiece *piece)
{
    if (p->time_slot < 0 || piece->cols[p->time_slot].form == SCAN_CONST) return NULL;
    return piece->cols[p->time_slot].data;
}

/* Each group has one span in all: no times to compare, and loads that do not wait for each
 * other. */
static void end_solo(const Agg *a, const ScanColumn *c, const AggSpan *spans, u64 count,
                     AggState *states)
{
    const u64 *eights = c->data;
    const u8 *bytes = c->data;
    const bool last = a->kind == AGG_LAST;
    for (u64 i = 0; i < count; i++) {
        AggState *s = &states[spans[i].group];
        u64 row = last ? spans[i].to - 1 : spans[i].from;
        s->end.some = true;
        if (c->width == 8) {
            memcpy(s->end.value, &eights[row], 8);
        } else {
            memcpy(s->end.value, bytes + row * c->width, c->width);
        }
    }
}

static Err end_spans(const Agg *a, const Plan *p, const ScanPiece *piece, const AggSpan *spans,
                     u64 count, AggState *states)
{
    Err err = E_OK;
    const i64 *times = times_of(p, piece);
    const ScanColumn *c = &piece->cols[a->slot];
    if (piece->solo && piece->ordered && c->form == SCAN_FIXED && c->zipped == NULL) {
        end_solo(a, c, spans, count, states);
        return E_OK;
    }
    for (u64 i = 0; i < count; i++) {
        u64 row;
        i64 time = 0;
        if (times != NULL && piece->cols[p->time_slot].zipped != NULL) {
            TRY(find_end_zipped(a, &piece->cols[p->time_slot], piece->ordered, spans[i].from,
                                spans[i].to, &row, &time));
        } else {
            row = find_end(a, times, piece->ordered, spans[i].from, spans[i].to);
            time = times != NULL ? times[row] : 0;
        }
        AggState *s = &states[spans[i].group];
        if (is_better(a->kind, s, time)) TRY(take_row(a, p, piece, row, time, s));
    }
done:
    return err;
}

static u64 row_of(const AggRows *r, u64 i) { return r->from + (r->sel != NULL ? r->sel[i] : i); }

static AggState *state_of(const AggRows *r, u64 i, AggState *states)
{
    return &states[r->groups != NULL ? r->groups[i] : 0];
}

/* The times of the rows are readable. */
static Err end_rows(const Agg *a, const Plan *p, const ScanPiece *piece, const AggRows *r,
                    AggState *states)
{
    const i64 *times = times_of(p, piece);
    for (u64 i = 0; i < r->count; i++) {
        u64 row = row_of(r, i);
        AggState *s = state_of(r, i, states);
        i64 time = times != NULL ? times[row] : 0;
        if (!is_better(a->kind, s, time)) continue;
        Err err = take_row(a, p, piece, row, time, s);
        if (err != E_OK) return err;
    }
    return E_OK;
}

/* ---- distinct */

static u64 hash_value(const Vec *v, u64 at)
{
    if (type_is_nested(v->type)) {
        u32 width = type_nested_width(v->type);
        u64 size = (v->offs[at + 1] - v->offs[at]) * width;
        return map_hash((const u8 *)v->data + v->offs[at] * width, size);
    }
    u32 width = type_width(v->type);
    return map_hash((const u8 *)v->data + at * width, width);
}

static bool same_value(const Vec *v, u64 a, u64 b)
{
    if (type_is_nested(v->type)) {
        u32 width = type_nested_width(v->type);
        u64 n = v->offs[a + 1] - v->offs[a];
        const u8 *data = v->data;
        return n == v->offs[b + 1] - v->offs[b] &&
               (n == 0 ||
                memcmp(data + v->offs[a] * width, data + v->offs[b] * width, n * width) == 0);
    }
    u32 width = type_width(v->type);
    return memcmp((const u8 *)v->data + a * width, (const u8 *)v->data + b * width, width) == 0;
}

static Err grow_set(AggSet *set)
{
    u64 count = MAX(set->slot_count * 2, SLOTS_FIRST);
    u32 *slots = calloc(count, sizeof *slots);
    if (slots == NULL)
        return fail(E_MEMORY, "no memory for %llu distinct values", (unsigned long long)count);
    for (u64 i = 0; i < set->values.count; i++) {
        u64 at = hash_value(&set->values, i) & (count - 1);
        while (slots[at] != 0)
            at = (at + 1) & (count - 1);
        slots[at] = (u32)i + 1;
    }
    free(set->slots);
    set->slots = slots;
    set->slot_count = count;
    return E_OK;
}

/* The last value was appended: keeps it if it is new, else takes it back. */
static Err settle(AggSet *set)
{
    Vec *v = &set->values;
    u64 last = v->count - 1;
    if (v->count > UINT32_MAX - 1)
        return fail(E_LIMIT, "more than %u distinct values", UINT32_MAX - 1);
    if (2 * v->count > set->slot_count) {
        v->count--;
        Err err = grow_set(set);
        v->count++;
        if (err != E_OK) return err;
    }
    u64 at = hash_value(v, last) & (set->slot_count - 1);
    for (; set->slots[at] != 0; at = (at + 1) & (set->slot_count - 1)) {
        if (!same_value(v, set->slots[at] - 1, last)) continue;
        v->count--;
        return E_OK;
    }
    set->slots[at] = (u32)last + 1;
    return E_OK;
}

/* One form for equal floats. */
static void plain_float(int type, u8 *p)
{
    f64 f;
    f32 r;
    if (type == QT_FLOAT || type == QT_DATETIME) {
        memcpy(&f, p, sizeof f);
        f = isnan(f) ? (f64)NAN : f + 0.0;
        memcpy(p, &f, sizeof f);
    } else if (type == QT_REAL) {
        memcpy(&r, p, sizeof r);
        r = isnan(r) ? (f32)NAN : r + 0.0f;
        memcpy(p, &r, sizeof r);
    }
}

static Err add_value(const Agg *a, const Plan *p, const ScanPiece *piece, u64 row, AggState *s)
{
    Err err = E_OK;
    const ScanColumn *c = &piece->cols[a->slot];
    if (s->set == NULL) {
        s->set = calloc(1, sizeof *s->set);
        if (s->set == NULL) return fail(E_MEMORY, "no memory for distinct values");
        vec_init(&s->set->values, a->type);
    }
    Vec *v = &s->set->values;
    if (type_is_nested(a->type)) {
        TRY(scan_append(c, p->names, row, v));
    } else if (a->type == QT_ENUM) {
        i32 lane;
        const i32 *id;
        TRY(scan_ids(piece, c, p->names, row, 1, &lane, &id));
        TRY(vec_append(v, id, 1));
    } else {
        u8 element[16];
        memcpy(element, (const u8 *)c->data + scan_base(c, row) * c->width, c->width);
        plain_float(a->type, element);
        TRY(vec_append(v, element, 1));
    }
    TRY(settle(s->set));
done:
    return err;
}

/* ---- spans */

/* Rows of one or two columns (y may be NULL) that are readable. */
static void lane_span(const Agg *a, const ScanColumn *x, const ScanColumn *y, u64 from, u64 to,
                      AggLanes *lanes, AggState *s)
{
    bool wide = x->width == 8 && x->form != SCAN_CONST;
    bool direct = wide && (!a->real || type_class(x->type) == TYPE_REAL);
    bool direct2 =
        y == NULL || (y->width == 8 && y->form != SCAN_CONST && type_class(y->type) == TYPE_REAL);
    bool counts = y != NULL && is_weighted(a->kind) && direct2 && wide && !direct;
    u64 step = direct && direct2 ? to - from : SCAN_BLOCK;
    while (from < to) {
        u64 n = MIN(to - from, step);
        if (counts) {
            u64 some = MIN(to - from, STRETCH);
            counts = add_counts((const i64 *)x->data + from, (const f64 *)y->data + from, some, s);
            from += counts ? some : 0;
            continue;
        }
        if (!a->real) {
            add_i64(a, scan_i64(x, from, n, lanes->a), n, s);
        } else if (y == NULL) {
            add_f64(a, scan_f64(x, from, n, (f64 *)(void *)lanes->a), n, s);
        } else {
            const f64 *v = scan_f64(x, from, n, (f64 *)(void *)lanes->a);
            const f64 *w = scan_f64(y, from, n, (f64 *)(void *)lanes->b);
            if (is_weighted(a->kind)) {
                add_weighted(v, w, n, s);
            } else {
                add_pairs(v, w, n, s);
            }
        }
        from += n;
    }
}

/* The rows of a column from `from` on, as a column that begins with them; *n is cut to those that
 * stand together. */
static Err read_rows(const ScanColumn *c, ColumnReader *r, u64 from, u64 *n, ScanColumn *out)
{
    u64 count = *n;
    *out = *c;
    out->data = (const u8 *)c->data + scan_base(c, from) * c->width;
    if (c->zipped == NULL) return E_OK;
    Err err = column_reader_rows(r, from, &out->data, &count);
    *n = MIN(*n, count);
    return err;
}

/* Spans over compressed columns, which are read front to back. */
static Err zipped_spans(const Agg *a, const ScanPiece *piece, const AggSpan *spans, u64 count,
                        AggLanes *lanes, AggState *states)
{
    Err err = E_OK;
    ColumnReader rx = {0}, ry = {0};
    ScanColumn x, y;
    const ScanColumn *cx = &piece->cols[a->slot];
    const ScanColumn *cy = a->slot2 >= 0 ? &piece->cols[a->slot2] : NULL;
    if (cx->zipped != NULL) column_reader_open(&rx, cx->zipped);
    if (cy != NULL && cy->zipped != NULL) column_reader_open(&ry, cy->zipped);
    for (u64 i = 0; i < count; i++) {
        for (u64 at = spans[i].from, n; at < spans[i].to; at += n) {
            n = spans[i].to - at;
            TRY(read_rows(cx, &rx, at, &n, &x));
            if (cy != NULL) TRY(read_rows(cy, &ry, at, &n, &y));
            lane_span(a, &x, cy != NULL ? &y : NULL, 0, n, lanes, &states[spans[i].group]);
        }
    }
done:
    column_reader_close(&rx);
    column_reader_close(&ry);
    return err;
}

static Err distinct_span(const Agg *a, const Plan *p, const ScanPiece *piece, u64 from, u64 to,
                         AggState *s)
{
    Err err = E_OK;
    const ScanColumn *c = &piece->cols[a->slot];
    for (u64 at = from; at < to && err == E_OK; at += SCAN_BLOCK) {
        u64 n = MIN(to - at, SCAN_BLOCK);
        TRY(scan_need(c, at, n));
        for (u64 row = at; row < at + n && err == E_OK; row++)
            err = add_value(a, p, piece, row, s);
        scan_done(c, at, n);
    }
done:
    return err;
}

Err agg_spans(const Agg *a, const Plan *p, const ScanPiece *piece, const AggSpan *spans, u64 count,
              AggLanes *lanes, AggState *states)
{
    Err err = E_OK;
    if (is_end(a->kind)) return end_spans(a, p, piece, spans, count, states);
    if (a->kind == AGG_COUNT) {
        for (u64 i = 0; i < count; i++)
            states[spans[i].group].i += (i64)(spans[i].to - spans[i].from);
        return E_OK;
    }
    const ScanColumn *x = &piece->cols[a->slot];
    const ScanColumn *y = a->slot2 >= 0 ? &piece->cols[a->slot2] : NULL;
    bool zipped = x->zipped != NULL || (y != NULL && y->zipped != NULL);
    if (zipped && a->kind != AGG_DISTINCT)
        return zipped_spans(a, piece, spans, count, lanes, states);
    for (u64 i = 0; i < count; i++) {
        AggState *s = &states[spans[i].group];
        if (a->kind == AGG_DISTINCT) {
            TRY(distinct_span(a, p, piece, spans[i].from, spans[i].to, s));
        } else {
            lane_span(a, x, y, spans[i].from, spans[i].to, lanes, s);
        }
    }
done:
    return err;
}

bool agg_is_read(const Agg *a, const Plan *p, const ScanPiece *piece)
{
    if (a->kind == AGG_COUNT) return true;
    if (!is_end(a->kind)) return false;
    bool settled = piece->ordered || times_of(p, piece) == NULL;
    const ScanColumn *c = &piece->cols[a->slot];
    return is_end(a->kind) && settled && c->form == SCAN_FIXED && c->zipped == NULL;
}

void agg_read(const Agg *a, const ScanPiece *piece, void *data)
{
    const ScanRange *ranges = piece->ranges;
    const bool last = a->kind == AGG_LAST;
    u64 *eights = data;
    u8 *bytes = data;
    if (a->kind == AGG_COUNT) {
        for (u64 i = 0; i < piece->range_count; i++)
            eights[i] = ranges[i].to - ranges[i].from;
        return;
    }
    const ScanColumn *c = &piece->cols[a->slot];
    if (c->width == 8) {
        const u64 *from = c->data;
        for (u64 i = 0; i < piece->range_count; i++)
            eights[i] = from[last ? ranges[i].to - 1 : ranges[i].from];
        return;
    }
    for (u64 i = 0; i < piece->range_count; i++) {
        u64 row = last ? ranges[i].to - 1 : ranges[i].from;
        memcpy(bytes + i * c->width, (const u8 *)c->data + row * c->width, c->width);
    }
}

/* ---- rows */

/* Brings the selected lanes to the front of `out`. */
static const i64 *pick_i64(const i64 *v, const u16 *sel, u64 count, i64 *out)
{
    if (sel == NULL) return v;
    for (u64 i = 0; i < count; i++)
        out[i] = v[sel[i]];
    return out;
}

static const f64 *pick_f64(const f64 *v, const u16 *sel, u64 count, f64 *out)
{
    if (sel == NULL) return v;
    for (u64 i = 0; i < count; i++)
        out[i] = v[sel[i]];
    return out;
}

static void mixed_i64(const Agg *a, const i64 *v, u64 n, const u32 *groups, AggState *states)
{
    switch (a->kind) {
    case AGG_SUM:
        for (u64 i = 0; i < n; i++) {
            AggState *s = &states[groups[i]];
            s->i = (i64)((u64)s->i + (v[i] == Q_NULL_LONG ? 0 : (u64)v[i]));
        }
        break;
    case AGG_MIN:
        for (u64 i = 0; i < n; i++) {
            AggState *s = &states[groups[i]];
            if (v[i] < s->i && v[i] != Q_NULL_LONG) s->i = v[i];
        }
        break;
    case AGG_MAX:
        for (u64 i = 0; i < n; i++) {
            AggState *s = &states[groups[i]];
            if (v[i] > s->i) s->i = v[i];
        }
        break;
    case AGG_AVG:
        for (u64 i = 0; i < n; i++) {
            AggState *s = &states[groups[i]];
            s->mean.sum += v[i] == Q_NULL_LONG ? 0 : v[i];
            s->mean.count += v[i] != Q_NULL_LONG;
        }
        break;
    default:
        for (u64 i = 0; i < n; i++)
            add_i64(a, &v[i], 1, &states[groups[i]]);
        break;
    }
}

static void mixed_f64(const Agg *a, const f64 *v, u64 n, const u32 *groups, AggState *states)
{
    switch (a->kind) {
    case AGG_SUM:
        for (u64 i = 0; i < n; i++)
            states[groups[i]].f += v[i] == v[i] ? v[i] : 0.0;
        break;
    case AGG_MIN:
        for (u64 i = 0; i < n; i++) {
            AggState *s = &states[groups[i]];
            s->f = v[i] < s->f ? v[i] : s->f;
        }
        break;
    case AGG_MAX:
        for (u64 i = 0; i < n; i++) {
            AggState *s = &states[groups[i]];
            s->f = v[i] > s->f ? v[i] : s->f;
        }
        break;
    case AGG_AVG:
        for (u64 i = 0; i < n; i++) {
            AggState *s = &states[groups[i]];
            s->real_mean.sum += v[i] == v[i] ? v[i] : 0.0;
            s->real_mean.count += v[i] == v[i];
        }
        break;
    case AGG_DEV:
    case AGG_VAR:
    case AGG_SDEV:
    case AGG_SVAR:
        for (u64 i = 0; i < n; i++) {
            if (v[i] == v[i]) join(&states[groups[i]], 1, v[i], 0, 0, 0, 0);
        }
        break;
    default:
        for (u64 i = 0; i < n; i++)
            add_f64(a, &v[i], 1, &states[groups[i]]);
        break;
    }
}

static void mixed_pairs(const Agg *a, const f64 *x, const f64 *y, u64 n, const u32 *groups,
                        AggState *states)
{
    for (u64 i = 0; i < n; i++) {
        AggState *s = &states[groups[i]];
        if (x[i] != x[i] || y[i] != y[i]) continue;
        if (is_weighted(a->kind)) {
            s->weighted.weight += x[i];
            s->weighted.sum += x[i] * y[i];
        } else {
            join(s, 1, x[i], y[i], 0, 0, 0);
        }
    }
}

bool agg_is_masked(const Agg *a) { return a->kind == AGG_COUNT || a->kind == AGG_SUM; }

/* Sums of the rows that a mask lets pass. */
static void masked_rows(const Agg *a, const ScanColumn *c, const AggRows *r, AggLanes *lanes,
                        AggState *s)
{
    if (a->real) {
        const f64 *v = scan_f64(c, r->from, r->n, (f64 *)(void *)lanes->a);
        s->f += masked_sum_f64(v, r->mask, r->n);
        return;
    }
    u64 sum;
    if (c->width == 4) {
        sum = masked_sum_i32((const i32 *)c->data + scan_base(c, r->from), r->mask, r->n);
    } else {
        sum = masked_sum_i64(scan_i64(c, r->from, r->n, lanes->a), r->mask, r->n);
    }
    s->i = (i64)((u64)s->i + sum);
}

/* The rows' lanes, read as one stretch up to the last selected row. */
static void lane_rows(const Agg *a, const ScanPiece *piece, const AggRows *r, AggLanes *lanes,
                      AggState *states)
{
    const u64 from = r->from, count = r->count;
    const u16 *sel = r->sel;
    const u32 *groups = r->groups;
    u64 n = sel != NULL ? sel[count - 1] + 1ull : count;
    f64 *fa = (f64 *)(void *)lanes->a, *fb = (f64 *)(void *)lanes->b,
        *fc = (f64 *)(void *)lanes->time;
    const ScanColumn *x = &piece->cols[a->slot];
    if (!a->real) {
        const i64 *v = pick_i64(scan_i64(x, from, n, lanes->a), sel, count, lanes->b);
        if (groups == NULL) {
            add_i64(a, v, count, states);
        } else {
            mixed_i64(a, v, count, groups, states);
        }
        return;
    }
    const f64 *v = pick_f64(scan_f64(x, from, n, fa), sel, count, fb);
    if (a->slot2 < 0) {
        if (groups == NULL) {
            add_f64(a, v, count, states);
        } else {
            mixed_f64(a, v, count, groups, states);
        }
        return;
    }
    /* v may stand in fb when rows are selected, in fa or the part when not: so the second goes
     * through fc, in place */
    const f64 *w = pick_f64(scan_f64(&piece->cols[a->slot2], from, n, fc), sel, count, fc);
    if (groups != NULL) {
        mixed_pairs(a, v, w, count, groups, states);
    } else if (is_weighted(a->kind)) {
        add_weighted(v, w, count, states);
    } else {
        add_pairs(v, w, count, states);
    }
}

static void count_rows(const AggRows *r, AggState *states)
{
    if (r->groups == NULL) states[0].i += (i64)r->count;
    for (u64 i = 0; r->groups != NULL && i < r->count; i++)
        states[r->groups[i]].i++;
}

static Err distinct_rows(const Agg *a, const Plan *p, const ScanPiece *piece, const AggRows *r,
                         AggState *states)
{
    Err err = E_OK;
    for (u64 i = 0; i < r->count && err == E_OK; i++)
        err = add_value(a, p, piece, row_of(r, i), state_of(r, i, states));
    return err;
}

/* First or last among rows of a block of n. */
static Err end_block(const Agg *a, const Plan *p, const ScanPiece *piece, const AggRows *r, u64 n,
                     AggState *states)
{
    if (p->time_slot < 0) return end_rows(a, p, piece, r, states);
    const ScanColumn *time = &piece->cols[p->time_slot];
    Err err = scan_need(time, r->from, n);
    if (err != E_OK) return err;
    err = end_rows(a, p, piece, r, states);
    scan_done(time, r->from, n);
    return err;
}

Err agg_rows(const Agg *a, const Plan *p, const ScanPiece *piece, const AggRows *r, AggLanes *lanes,
             AggState *states)
{
    Err err = E_OK;
    if (r->count == 0) return E_OK;
    u64 n = r->mask != NULL ? r->n : r->sel != NULL ? r->sel[r->count - 1] + 1ull : r->count;
    ASSERT(r->mask == NULL || (agg_is_masked(a) && r->groups == NULL));
    if (a->kind == AGG_COUNT) {
        count_rows(r, states);
        return E_OK;
    }
    if (is_end(a->kind)) return end_block(a, p, piece, r, n, states);
    const ScanColumn *x = &piece->cols[a->slot];
    const ScanColumn *y = &piece->cols[a->slot2 >= 0 ? a->slot2 : a->slot];
    TRY(scan_need(x, r->from, n));
    err = scan_need(y, r->from, n);
    if (err == E_OK) {
        if (a->kind == AGG_DISTINCT)
            err = distinct_rows(a, p, piece, r, states);
        else if (r->mask != NULL)
            masked_rows(a, x, r, lanes, states);
        else
            lane_rows(a, piece, r, lanes, states);
        scan_done(y, r->from, n);
    }
    scan_done(x, r->from, n);
done:
    return err;
}

/* ---- merging and finishing */

static Err merge_sets(AggState *to, AggState *from)
{
    Err err = E_OK;
    if (from->set == NULL) return E_OK;
    if (to->set == NULL) {
        to->set = from->set;
        from->set = NULL;
        return E_OK;
    }
    for (u64 i = 0; i < from->set->values.count; i++) {
        TRY(vec_append_vec(&to->set->values, &from->set->values, i, 1));
        TRY(settle(to->set));
    }
done:
    return err;
}

Err agg_merge(const Agg *a, AggState *to, AggState *from)
{
    Err err = E_OK;
    switch (a->kind) {
    case AGG_COUNT: to->i += from->i; break;
    case AGG_FIRST:
    case AGG_LAST:
        if (from->end.some && is_better(a->kind, to, from->end.time)) *to = *from;
        break;
    case AGG_WAVG:
    case AGG_WSUM:
        to->weighted.weight += from->weighted.weight;
        to->weighted.sum += from->weighted.sum;
        break;
    case AGG_SUM:
        if (a->real) {
            to->f += from->f;
        } else {
            to->i = (i64)((u64)to->i + (u64)from->i);
        }
        break;
    case AGG_AVG:
        if (a->real) {
            to->real_mean.sum += from->real_mean.sum;
            to->real_mean.count += from->real_mean.count;
        } else {
            to->mean.sum += from->mean.sum;
            to->mean.count += from->mean.count;
        }
        break;
    case AGG_DISTINCT:
        err = merge_sets(to, from);
        agg_free(a, from);
        break;
    case AGG_ALL: to->i &= from->i; break;
    case AGG_ANY: to->i |= from->i; break;
    case AGG_PRD:
        if (a->real) {
            to->f *= from->f;
        } else {
            to->i = (i64)((u64)to->i * (u64)from->i);
        }
        break;
    case AGG_MIN:
    case AGG_MAX:
        if (a->real) {
            add_f64(a, &from->f, 1, to);
        } else {
            add_i64(a, &from->i, 1, to);
        }
        break;
    default:
        join(to, from->spread.count, from->spread.x, from->spread.y, from->spread.xx,
             from->spread.yy, from->spread.xy);
        break;
    }
    return err;
}

/* Brings the row of a loose type into the arena. */
static Err keep_loose(const Agg *a, const Names *names, AggState *s, Arena *arena)
{
    void *copy;
    Vec row;
    vec_init(&row, a->type);
    Err err = scan_append(s->end.list, names, s->end.count, &row);
    u64 count = err == E_OK ? row.offs[1] : 0;
    if (err == E_OK) err = arena_try(arena, count + 1, type_nested_width(a->type), &copy);
    if (err == E_OK) {
        if (count > 0) memcpy(copy, row.data, count * type_nested_width(a->type));
        s->end.list = copy;
        s->end.count = count;
        s->end.kept = true;
        s->end.late = false;
    }
    vec_free(&row);
    return err;
}

Err agg_keep(const Agg *a, const Names *names, AggState *s, Arena *arena)
{
    Err err = E_OK;
    void *copy;
    if (!is_end(a->kind) || a->type < QT_NESTED || !s->end.some || s->end.kept) return E_OK;
    if (scan_is_loose(a->type)) return keep_loose(a, names, s, arena);
    u32 width = type_width(a->type - QT_NESTED);
    const void *list = s->end.list;
    const ScanColumn *late = s->end.late ? list : NULL;
    u64 count = s->end.count, row = count;
    if (late != NULL) TRY(scan_need(late, row, 1));
    if (late != NULL) err = scan_row(late, row, &list, &count);
    if (err == E_OK) err = arena_try(arena, count + 1, width, &copy);
    if (err == E_OK) {
        if (count > 0) memcpy(copy, list, count * width);
        s->end.list = copy;
        s->end.count = count;
        s->end.kept = true;
        s->end.late = false;
    }
    if (late != NULL) scan_done(late, row, 1);
done:
    return err;
}

/* The value of a spread function. */
static f64 finish_spread(AggKind kind, const AggState *s)
{
    f64 n = s->spread.count, both = sqrt(s->spread.xx) * sqrt(s->spread.yy);
    bool sample = kind == AGG_SVAR || kind == AGG_SDEV || kind == AGG_SCOV;
    f64 less = sample ? n - 1 : n;
    if (n == 0 || less == 0) return (f64)NAN;
    switch (kind) {
    case AGG_VAR:
    case AGG_SVAR: return s->spread.xx / less;
    case AGG_DEV:
    case AGG_SDEV: return sqrt(s->spread.xx / less);
    case AGG_COR: return both == 0 ? (f64)NAN : s->spread.xy / both;
    default: return s->spread.xy / less;
    }
}

static f64 finish_float(const Agg *a, const AggState *s)
{
    switch (a->kind) {
    case AGG_AVG:
        if (a->real)
            return s->real_mean.count > 0 ? s->real_mean.sum / (f64)s->real_mean.count : (f64)NAN;
        return s->mean.count > 0 ? (f64)s->mean.sum / (f64)s->mean.count : (f64)NAN;
    case AGG_WSUM: return s->weighted.sum;
    case AGG_WAVG: {
        f64 v = s->weighted.sum / s->weighted.weight;
        return isnan(v) ? (f64)NAN : v;
    }
    case AGG_SUM:
    case AGG_PRD:
    case AGG_MIN:
    case AGG_MAX: return s->f;
    default: return finish_spread(a->kind, s);
    }
}

/* An integer in the width of its type; the least or greatest of nothing is the type's infinity. */
static i64 finish_integer(const Agg *a, const AggState *s)
{
    i64 v = s->i, most = INT64_MAX;
    bool bound = a->kind == AGG_MIN || a->kind == AGG_MAX;
    u32 width = type_width(a->type);
    if (!bound || width == 8) return v;
    if (width == 4) most = INT32_MAX;
    if (width == 2) most = INT16_MAX;
    if (width == 1) most = a->type == QT_BOOLEAN ? 1 : UINT8_MAX;
    if (v == INT64_MAX) return most;
    if (v == -INT64_MAX) return width == 1 ? 0 : -most;
    return v;
}

static void finish_ends(const AggState *s, u64 count, int type, u8 *out)
{
    u32 width = type_width(type);
    u8 null[16];
    type_null(type, null);
    for (u64 i = 0; i < count; i++, out += width) {
        const u8 *value = s[i].end.some ? s[i].end.value : null;
        if (width == 8) {
            memcpy(out, value, 8);
        } else {
            memcpy(out, value, width);
        }
    }
}

void agg_finish(const Agg *a, const AggState *s, u64 count, void *data)
{
    int type = request_agg_type(a->kind, a->type);
    u32 width = type_width(type);
    u8 *out = data;
    if (is_end(a->kind)) {
        finish_ends(s, count, type, out);
        return;
    }
    bool real = type_class(type) == TYPE_REAL;
    for (u64 i = 0; i < count; i++, out += width) {
        f64 f = real ? finish_float(a, &s[i]) : 0;
        f32 r = (f32)f;
        i64 v = real ? 0 : finish_integer(a, &s[i]);
        const void *from = !real ? (const void *)&v : width == 8 ? (const void *)&f : &r;
        memcpy(out, from, width);
    }
}

void agg_free(const Agg *a, AggState *s)
{
    if (a->kind != AGG_DISTINCT || s->set == NULL) return;
    vec_free(&s->set->values);
    free(s->set->slots);
    free(s->set);
    s->set = NULL;
}
