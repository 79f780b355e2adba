/*
 * masked: sums of the elements of a block that a mask lets pass. Private to query/.
 *
 * A mask has one byte a row, 1 = it counts (expr.h). Nothing is gathered and nothing branches, so a
 * sum takes the same time whatever passes. Nulls do not count.
 */
#ifndef QUERY_MASKED_H
#define QUERY_MASKED_H

#include "base/types.h"

/* Sums of integers wrap. */
u64 masked_sum_i32(const i32 *v, const u8 *mask, u64 n);
u64 masked_sum_i64(const i64 *v, const u8 *mask, u64 n);
f64 masked_sum_f64(const f64 *v, const u8 *mask, u64 n);

/* How many bytes of a mask are set. */
u64 masked_count(const u8 *mask, u64 n);

#endif
