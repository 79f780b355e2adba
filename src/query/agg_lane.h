/*
 * agg_lane: adds lanes of numbers to what aggregations know. Private to query/agg.
 */
#ifndef QUERY_AGG_LANE_H
#define QUERY_AGG_LANE_H

#include "query/agg.h"

#define AGG_LANE_STRETCH 8192 /* elements that are summed up before a look for nulls */

/* Adds n elements to one state. */
void agg_lane_i64(const Agg *a, const i64 *v, u64 n, AggState *s);
void agg_lane_f64(const Agg *a, const f64 *v, u64 n, AggState *s);

/* Adds n weighted elements to one state; n pairs to a covariance or correlation. */
void agg_lane_weighted(const f64 *w, const f64 *v, u64 n, AggState *s);
void agg_lane_pairs(const f64 *x, const f64 *y, u64 n, AggState *s);

/* Adds elements weighted by whole numbers; false, and nothing is added, when one of them is not
 * among those that become floats by a look at their bits. At most AGG_LANE_STRETCH. */
bool agg_lane_counts(const i64 *w, const f64 *v, u64 n, AggState *s);

/* Adds each of n elements to the state of its group. */
void agg_lane_mixed_i64(const Agg *a, const i64 *v, u64 n, const u32 *groups, AggState *states);
void agg_lane_mixed_f64(const Agg *a, const f64 *v, u64 n, const u32 *groups, AggState *states);
void agg_lane_mixed_pairs(const Agg *a, const f64 *x, const f64 *y, u64 n, const u32 *groups,
                          AggState *states);

/* Adds a spread: rows, means, and sums of products of differences from them. */
void agg_lane_join(AggState *s, f64 count, f64 x, f64 y, f64 xx, f64 yy, f64 xy);

#endif
