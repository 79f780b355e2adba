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

#include <math.h>
#include <stdlib.h>

#define SLOTS_FIRST 16

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

/* The sum of what is no NaN. Eight sums at once keep the adders busy. */
static f64 sum_f64(const f64 *v, u64 n, i64 *count)
{
    f64 sums[8] = {0};
    i64 counts[8] = {0};
    u64 i = 0;
    for (; i + 8 <= n; i += 8) {
        for (u32 k = 0; k < 8; k++) {
            bool good = v[i + k] == v[i + k];
            sums[k] += good ? v[i + k] : 0.0;
            counts[k] += good;
        }
    }
    for (; i < n; i++) {
        bool good = v[i] == v[i];
        sums[0] += good ? v[i] : 0.0;
        counts[0] += good;
    }
    *count = 0;
    for (u32 k = 0; k < 8; k++)
        *count += counts[k];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

static void add_i64(const Agg *a, const i64 *v, u64 n, AggState *s)
{
    u64 sum = (u64)s->i;
    i64 best = s->i;
    bool flag = s->i != 0;
    switch (a->kind) {
    case AGG_SUM:
        for (u64 i = 0; i < n; i++)
            sum += v[i] == Q_NULL_LONG ? 0 : (u64)v[i];
        s->i = (i64)sum;
        break;
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
        for (u64 i = 0; i < n; i++)
            best = v[i] < best ? v[i] : best;
        s->f = best;
        break;
    case AGG_MAX:
        for (u64 i = 0; i < n; i++)
            best = v[i] > best ? v[i] : best;
        s->f = best;
        break;
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

static void add_weighted(const f64 *w, const f64 *v, u64 n, AggState *s)
{
    f64 weights[4] = {0}, sums[4] = {0};
    u64 i = 0;
    for (; i + 4 <= n; i += 4) {
        for (u32 k = 0; k < 4; k++) {
            f64 product = w[i + k] * v[i + k];
            bool good = (w[i + k] == w[i + k]) & (v[i + k] == v[i + k]);
            weights[k] += good ? w[i + k] : 0.0;
            sums[k] += good ? product : 0.0;
        }
    }
    for (; i < n; i++) {
        bool good = (w[i] == w[i]) & (v[i] == v[i]);
        weights[0] += good ? w[i] : 0.0;
        sums[0] += good ? w[i] * v[i] : 0.0;
    }
    s->weighted.weight += (weights[0] + weights[1]) + (weights[2] + weights[3]);
    s->weighted.sum += (sums[0] + sums[1]) + (sums[2] + sums[3]);
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

/* Takes the row's value as first or last. */
static Err take_row(const Agg *a, const Plan *p, const ScanPiece *piece, u64 row, i64 time,
                    AggState *s)
{
    const ScanColumn *c = &piece->cols[a->slot];
    const i32 *id;
    s->end.time = time;
    s->end.some = true;
    s->end.kept = false;
    if (a->type > QT_NESTED) return scan_row(c, row, &s->end.list, &s->end.count);
    if (a->type == QT_ENUM) {
        i32 lane;
        Err err = scan_ids(piece, c, p->names, row, 1, &lane, &id);
        if (err == E_OK) memcpy(s->end.value, id, sizeof *id);
        return err;
    }
    const u8 *data = (const u8 *)c->data + row * c->width;
    switch (c->width) {
    case 8: memcpy(s->end.value, data, 8); break;
    case 4: memcpy(s->end.value, data, 4); break;
    default: memcpy(s->end.value, data, c->width); break;
    }
    return E_OK;
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

static const i64 *times_of(const Plan *p, const ScanPiece *piece)
{
    return p->time_slot >= 0 ? piece->cols[p->time_slot].data : NULL;
}

static Err end_spans(const Agg *a, const Plan *p, const ScanPiece *piece, const AggSpan *spans,
                     u64 count, AggState *states)
{
    const i64 *times = times_of(p, piece);
    for (u64 i = 0; i < count; i++) {
        u64 row = find_end(a, times, piece->ordered, spans[i].from, spans[i].to);
        i64 time = times != NULL ? times[row] : 0;
        AggState *s = &states[spans[i].group];
        if (!is_better(a->kind, s, time)) continue;
        Err err = take_row(a, p, piece, row, time, s);
        if (err != E_OK) return err;
    }
    return E_OK;
}

static Err end_rows(const Agg *a, const Plan *p, const ScanPiece *piece, u64 from, const u16 *sel,
                    u64 count, const u32 *groups, AggState *states)
{
    const i64 *times = times_of(p, piece);
    for (u64 i = 0; i < count; i++) {
        u64 row = from + (sel != NULL ? sel[i] : i);
        AggState *s = &states[groups != NULL ? groups[i] : 0];
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
    if (v->type > QT_NESTED) {
        u32 width = type_width(v->type - QT_NESTED);
        u64 size = (v->offs[at + 1] - v->offs[at]) * width;
        return map_hash((const u8 *)v->data + v->offs[at] * width, size);
    }
    u32 width = type_width(v->type);
    return map_hash((const u8 *)v->data + at * width, width);
}

static bool same_value(const Vec *v, u64 a, u64 b)
{
    if (v->type > QT_NESTED) {
        u32 width = type_width(v->type - QT_NESTED);
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
    if (a->type > QT_NESTED) {
        const void *elements;
        u64 count;
        TRY(scan_row(c, row, &elements, &count));
        TRY(vec_append_row(v, elements, count));
    } else if (a->type == QT_ENUM) {
        i32 lane;
        const i32 *id;
        TRY(scan_ids(piece, c, p->names, row, 1, &lane, &id));
        TRY(vec_append(v, id, 1));
    } else {
        u8 element[16];
        memcpy(element, (const u8 *)c->data + row * c->width, c->width);
        plain_float(a->type, element);
        TRY(vec_append(v, element, 1));
    }
    TRY(settle(s->set));
done:
    return err;
}

/* ---- spans */

static Err lane_span(const Agg *a, const ScanPiece *piece, u64 from, u64 to, AggLanes *lanes,
                     AggState *s)
{
    const ScanColumn *x = &piece->cols[a->slot];
    const ScanColumn *y = a->slot2 >= 0 ? &piece->cols[a->slot2] : NULL;
    bool direct = x->width == 8 && (!a->real || type_class(x->type) == TYPE_REAL);
    bool direct2 = y == NULL || (y->width == 8 && type_class(y->type) == TYPE_REAL);
    u64 step = direct && direct2 ? to - from : SCAN_BLOCK;
    while (from < to) {
        u64 n = MIN(to - from, step);
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
    return E_OK;
}

Err agg_spans(const Agg *a, const Plan *p, const ScanPiece *piece, const AggSpan *spans, u64 count,
              AggLanes *lanes, AggState *states)
{
    Err err = E_OK;
    if (is_end(a->kind)) return end_spans(a, p, piece, spans, count, states);
    for (u64 i = 0; i < count; i++) {
        AggState *s = &states[spans[i].group];
        if (a->kind == AGG_COUNT) {
            s->i += (i64)(spans[i].to - spans[i].from);
        } else if (a->kind == AGG_DISTINCT) {
            for (u64 row = spans[i].from; row < spans[i].to; row++)
                TRY(add_value(a, p, piece, row, s));
        } else {
            TRY(lane_span(a, piece, spans[i].from, spans[i].to, lanes, s));
        }
    }
done:
    return err;
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

/* The rows' lanes, read as one stretch up to the last selected row. */
static void lane_rows(const Agg *a, const ScanPiece *piece, u64 from, const u16 *sel, u64 count,
                      const u32 *groups, AggLanes *lanes, AggState *states)
{
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

Err agg_rows(const Agg *a, const Plan *p, const ScanPiece *piece, u64 from, const u16 *sel,
             u64 count, const u32 *groups, AggLanes *lanes, AggState *states)
{
    Err err = E_OK;
    if (count == 0) return E_OK;
    if (is_end(a->kind)) return end_rows(a, p, piece, from, sel, count, groups, states);
    if (a->kind == AGG_COUNT) {
        if (groups == NULL) states[0].i += (i64)count;
        for (u64 i = 0; groups != NULL && i < count; i++)
            states[groups[i]].i++;
    } else if (a->kind == AGG_DISTINCT) {
        for (u64 i = 0; i < count; i++) {
            u64 row = from + (sel != NULL ? sel[i] : i);
            TRY(add_value(a, p, piece, row, &states[groups != NULL ? groups[i] : 0]));
        }
    } else {
        lane_rows(a, piece, from, sel, count, groups, lanes, states);
    }
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

Err agg_keep(const Agg *a, AggState *s, Arena *arena)
{
    void *copy;
    if (!is_end(a->kind) || a->type < QT_NESTED || !s->end.some || s->end.kept) return E_OK;
    u32 width = type_width(a->type - QT_NESTED);
    Err err = arena_try(arena, s->end.count + 1, width, &copy);
    if (err != E_OK) return err;
    if (s->end.count > 0) memcpy(copy, s->end.list, s->end.count * width);
    s->end.list = copy;
    s->end.kept = true;
    return E_OK;
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

void agg_finish(const Agg *a, const AggState *s, void *data, u64 at)
{
    int type = request_agg_type(a->kind, a->type);
    u32 width = type_width(type);
    u8 *p = (u8 *)data + at * width;
    if (is_end(a->kind)) {
        if (s->end.some) {
            memcpy(p, s->end.value, width);
        } else {
            type_null(type, p);
        }
        return;
    }
    if (type_class(type) == TYPE_REAL) {
        f64 f = finish_float(a, s);
        f32 r = (f32)f;
        memcpy(p, width == 8 ? (const void *)&f : &r, width);
        return;
    }
    i64 i = finish_integer(a, s);
    memcpy(p, &i, width);
}

void agg_free(const Agg *a, AggState *s)
{
    if (a->kind != AGG_DISTINCT || s->set == NULL) return;
    vec_free(&s->set->values);
    free(s->set->slots);
    free(s->set);
    s->set = NULL;
}
