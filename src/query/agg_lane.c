/*
 * agg_lane: the loops that add numbers to states: one lane or two into one state, or rows with a
 * group each.
 *
 * Rules of q: nulls do not count; sums of integers wrap; the least of nothing is the infinity, the
 * greatest its negative; a weighted average counts the rows where neither value is null. Spreads
 * are computed in two passes over a block and merged by Chan's formula, which loses nothing when
 * the mean is large.
 */
#include "query/agg_lane.h"

#include "query/simd.h"

#include <math.h>

#define LANES      16 /* sums at once */
#define COUNT_BITS 52 /* whole numbers below 2^52 become floats by a look at their bits alone */

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
    for (u64 at = 0; at < n; at += AGG_LANE_STRETCH) {
        u64 some = MIN(n - at, AGG_LANE_STRETCH);
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
    for (u64 at = 0; at < n; at += AGG_LANE_STRETCH) {
        u64 end = MIN(n, at + AGG_LANE_STRETCH), sum = 0, signs = 0;
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

void agg_lane_i64(const Agg *a, const i64 *v, u64 n, AggState *s)
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
void agg_lane_join(AggState *s, f64 count, f64 x, f64 y, f64 xx, f64 yy, f64 xy)
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
        agg_lane_join(s, (f64)count, mean, 0, xx, 0, 0);
    }
}

void agg_lane_f64(const Agg *a, const f64 *v, u64 n, AggState *s)
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
bool agg_lane_counts(const i64 *w, const f64 *v, u64 n, AggState *s)
{
    u64 all = 0;
    Weighted x = simd_avx2() ? weigh_counts_avx2(w, v, n, &all) : weigh_counts_plain(w, v, n, &all);
    if (all >> COUNT_BITS != 0 || isnan(x.sum)) return false;
    s->weighted.weight += x.weight;
    s->weighted.sum += x.sum;
    return true;
}

void agg_lane_weighted(const f64 *w, const f64 *v, u64 n, AggState *s)
{
    for (u64 at = 0; at < n; at += AGG_LANE_STRETCH) {
        u64 some = MIN(n - at, AGG_LANE_STRETCH);
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

void agg_lane_pairs(const f64 *x, const f64 *y, u64 n, AggState *s)
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
        agg_lane_join(s, count, mx, my, xx, yy, xy);
    }
}

/* ---- rows of many groups */

void agg_lane_mixed_i64(const Agg *a, const i64 *v, u64 n, const u32 *groups, AggState *states)
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
            agg_lane_i64(a, &v[i], 1, &states[groups[i]]);
        break;
    }
}

void agg_lane_mixed_f64(const Agg *a, const f64 *v, u64 n, const u32 *groups, AggState *states)
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
            if (v[i] == v[i]) agg_lane_join(&states[groups[i]], 1, v[i], 0, 0, 0, 0);
        }
        break;
    default:
        for (u64 i = 0; i < n; i++)
            agg_lane_f64(a, &v[i], 1, &states[groups[i]]);
        break;
    }
}

void agg_lane_mixed_pairs(const Agg *a, const f64 *x, const f64 *y, u64 n, const u32 *groups,
                          AggState *states)
{
    for (u64 i = 0; i < n; i++) {
        AggState *s = &states[groups[i]];
        if (x[i] != x[i] || y[i] != y[i]) continue;
        if (agg_is_weighted(a->kind)) {
            s->weighted.weight += x[i];
            s->weighted.sum += x[i] * y[i];
        } else {
            agg_lane_join(s, 1, x[i], y[i], 0, 0, 0);
        }
    }
}
