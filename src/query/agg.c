/*
 * agg: which loop adds which rows, how states are merged, and what they say.
 *
 * There are two kinds of work. Spans, when all rows of a group that stand together count: loops
 * over one lane into one state, or no loop at all for count and, where times ascend, for first and
 * last. And rows with a group each, when they are mixed. Rows that a filter left over are gathered
 * into dense lanes first, so there are no other loops. The loops over numbers are agg_lane's,
 * first, last and distinct are agg_value's.
 *
 * Rules of q: nulls do not count, but for count, first, last, distinct, all and any.
 */
#include "query/agg.h"

#include "query/agg_lane.h"
#include "query/agg_value.h"
#include "query/masked.h"

#include <math.h>

Agg agg_of(const Plan *p, const Select *s)
{
    Agg a = {.kind = s->kind, .slot = p->slot_of[s->column], .slot2 = -1};
    a.type = schema_memory_type(&p->schema->columns[s->column]);
    if (s->column2 >= 0) a.slot2 = p->slot_of[s->column2];
    a.real = agg_is_spread(a.kind) || agg_is_weighted(a.kind) || type_class(a.type) == TYPE_REAL;
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

/* ---- spans */

/* Rows of one or two columns (y may be NULL) that are readable. */
static void lane_span(const Agg *a, const ScanColumn *x, const ScanColumn *y, u64 from, u64 to,
                      AggLanes *lanes, AggState *s)
{
    bool wide = x->width == 8 && x->form != SCAN_CONST;
    bool direct = wide && (!a->real || type_class(x->type) == TYPE_REAL);
    bool direct2 =
        y == NULL || (y->width == 8 && y->form != SCAN_CONST && type_class(y->type) == TYPE_REAL);
    bool counts = y != NULL && agg_is_weighted(a->kind) && direct2 && wide && !direct;
    u64 step = direct && direct2 ? to - from : SCAN_BLOCK;
    while (from < to) {
        u64 n = MIN(to - from, step);
        if (counts) {
            u64 some = MIN(to - from, AGG_LANE_STRETCH);
            counts =
                agg_lane_counts((const i64 *)x->data + from, (const f64 *)y->data + from, some, s);
            from += counts ? some : 0;
            continue;
        }
        if (!a->real) {
            agg_lane_i64(a, scan_i64(x, from, n, lanes->a), n, s);
        } else if (y == NULL) {
            agg_lane_f64(a, scan_f64(x, from, n, (f64 *)(void *)lanes->a), n, s);
        } else {
            const f64 *v = scan_f64(x, from, n, (f64 *)(void *)lanes->a);
            const f64 *w = scan_f64(y, from, n, (f64 *)(void *)lanes->b);
            if (agg_is_weighted(a->kind)) {
                agg_lane_weighted(v, w, n, s);
            } else {
                agg_lane_pairs(v, w, n, s);
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

Err agg_spans(const Agg *a, const Plan *p, const ScanPiece *piece, const AggSpan *spans, u64 count,
              AggLanes *lanes, AggState *states)
{
    Err err = E_OK;
    if (agg_is_end(a->kind)) return agg_value_spans(a, p, piece, spans, count, states);
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
            TRY(agg_value_distinct_span(a, p, piece, spans[i].from, spans[i].to, s));
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
    if (!agg_is_end(a->kind)) return false;
    bool settled = piece->ordered || agg_value_times(p, piece) == NULL;
    const ScanColumn *c = &piece->cols[a->slot];
    return agg_is_end(a->kind) && settled && c->form == SCAN_FIXED && c->zipped == NULL;
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
            agg_lane_i64(a, v, count, states);
        } else {
            agg_lane_mixed_i64(a, v, count, groups, states);
        }
        return;
    }
    const f64 *v = pick_f64(scan_f64(x, from, n, fa), sel, count, fb);
    if (a->slot2 < 0) {
        if (groups == NULL) {
            agg_lane_f64(a, v, count, states);
        } else {
            agg_lane_mixed_f64(a, v, count, groups, states);
        }
        return;
    }
    /* v may stand in fb when rows are selected, in fa or the part when not: so the second goes
     * through fc, in place */
    const f64 *w = pick_f64(scan_f64(&piece->cols[a->slot2], from, n, fc), sel, count, fc);
    if (groups != NULL) {
        agg_lane_mixed_pairs(a, v, w, count, groups, states);
    } else if (agg_is_weighted(a->kind)) {
        agg_lane_weighted(v, w, count, states);
    } else {
        agg_lane_pairs(v, w, count, states);
    }
}

static void count_rows(const AggRows *r, AggState *states)
{
    if (r->groups == NULL) states[0].i += (i64)r->count;
    for (u64 i = 0; r->groups != NULL && i < r->count; i++)
        states[r->groups[i]].i++;
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
    if (agg_is_end(a->kind)) return agg_value_rows(a, p, piece, r, n, states);
    const ScanColumn *x = &piece->cols[a->slot];
    const ScanColumn *y = &piece->cols[a->slot2 >= 0 ? a->slot2 : a->slot];
    TRY(scan_need(x, r->from, n));
    err = scan_need(y, r->from, n);
    if (err == E_OK) {
        if (a->kind == AGG_DISTINCT)
            err = agg_value_distinct_rows(a, p, piece, r, states);
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

Err agg_merge(const Agg *a, AggState *to, AggState *from)
{
    Err err = E_OK;
    switch (a->kind) {
    case AGG_COUNT: to->i += from->i; break;
    case AGG_FIRST:
    case AGG_LAST:
        if (from->end.some && agg_value_better(a->kind, to, from->end.time)) *to = *from;
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
        err = agg_value_merge(to, from);
        agg_value_free(a, from);
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
            agg_lane_f64(a, &from->f, 1, to);
        } else {
            agg_lane_i64(a, &from->i, 1, to);
        }
        break;
    default:
        agg_lane_join(to, from->spread.count, from->spread.x, from->spread.y, from->spread.xx,
                      from->spread.yy, from->spread.xy);
        break;
    }
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
    if (agg_is_end(a->kind)) {
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
