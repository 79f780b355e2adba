/*
 * fold: walking ranges.
 *
 * A range has one group when there are no group columns, or when it is a run of the one group
 * column. If nothing must be looked at row by row, such ranges are collected as spans and added
 * many at a time, one aggregation after the other. Otherwise rows go a block at a time: sieve,
 * numbers of their groups, aggregations. Which rows passed is listed only when an aggregation or
 * the groups want a list; for counts and sums the mask will do.
 */
#include "query/fold.h"

#include "base/bounds.h"
#include "query/agg_value.h"
#include "query/sieve.h"

#include <stdlib.h>

#define SPANS_MAX  1024
#define ROOM_FIRST 64
#define CHECK_ROWS (1u << 20) /* rows between two looks at the clock */

Err fold_init(Fold *f, const Plan *p)
{
    Err err = E_OK;
    const Request *r = p->request;
    *f = (Fold){.plan = p, .agg_count = r->select_count};
    f->aggs = calloc(r->select_count + 1ull, sizeof *f->aggs);
    f->states = calloc(r->select_count + 1ull, sizeof *f->states);
    f->spans = malloc(SPANS_MAX * sizeof *f->spans);
    f->lanes = malloc(sizeof *f->lanes);
    if (f->aggs == NULL || f->states == NULL || f->spans == NULL || f->lanes == NULL) {
        err = fail(E_MEMORY, "no memory for aggregations");
        goto done;
    }
    for (u32 i = 0; i < r->select_count; i++)
        f->aggs[i] = agg_of(p, &r->selects[i]);
    f->masked = true;
    for (u32 i = 0; i < r->select_count; i++)
        f->masked &= agg_is_masked(&f->aggs[i]);
    TRY(group_init(&f->group, p));
done:
    if (err != E_OK) fold_free(f);
    return err;
}

void fold_free(Fold *f)
{
    for (u32 i = 0; f->states != NULL && f->aggs != NULL && i < f->agg_count; i++) {
        for (u32 g = 0; f->aggs[i].kind == AGG_DISTINCT && g < f->started; g++)
            agg_value_free(&f->aggs[i], &f->states[i][g]);
        free(f->states[i]);
    }
    free(f->states);
    free(f->aggs);
    free(f->spans);
    free(f->lanes);
    group_free(&f->group);
    *f = (Fold){0};
}

bool fold_is_light(const Plan *p)
{
    for (u32 i = 0; i < p->request->select_count; i++) {
        AggKind k = p->request->selects[i].kind;
        if (k != AGG_COUNT && k != AGG_FIRST && k != AGG_LAST) return false;
    }
    return true;
}

/* Gives every group a state. */
static Err start_states(Fold *f)
{
    u32 need = f->group.count;
    if (need <= f->started) return E_OK;
    if (need > f->room) {
        u64 room = MAX(MAX(f->room * 2ull, need), ROOM_FIRST);
        if (room * f->agg_count * sizeof(AggState) > BOUND_RESULT_MAX)
            return fail(E_LIMIT, "more than %u groups: the result would be too large", f->room);
        for (u32 i = 0; i < f->agg_count; i++) {
            AggState *s = realloc(f->states[i], room * sizeof *s);
            if (s == NULL)
                return fail(E_MEMORY, "no memory for %llu groups", (unsigned long long)room);
            f->states[i] = s;
        }
        f->room = (u32)room;
    }
    for (u32 i = 0; i < f->agg_count; i++) {
        AggState start = agg_start(&f->aggs[i]);
        for (u32 g = f->started; g < need; g++)
            f->states[i][g] = start;
    }
    f->started = need;
    return E_OK;
}

static Err flush_spans(Fold *f, const ScanPiece *piece)
{
    Err err = E_OK;
    if (f->span_count == 0) return E_OK;
    TRY(start_states(f));
    for (u32 i = 0; i < f->agg_count; i++)
        TRY(agg_spans(&f->aggs[i], f->plan, piece, f->spans, f->span_count, f->lanes,
                      f->states[i]));
    f->span_count = 0;
done:
    return err;
}

/* The group of range `at`, when it has one. */
static Err group_of(Fold *f, const ScanPiece *piece, u64 at, u32 *group)
{
    *group = 0;
    if (f->group.form == GROUP_ALL) return E_OK;
    return group_symbol(&f->group, piece->ids[at], group);
}

static Err fold_block(Fold *f, const ScanPiece *piece, bool sieve, bool single, u64 at, u64 from,
                      u64 n)
{
    Err err = E_OK;
    u8 mask[SCAN_BLOCK + 8];
    u16 sel[SCAN_BLOCK + 8];
    u32 groups[SCAN_BLOCK], group = 0;
    u64 count = n;
    const u16 *chosen = NULL;
    if (sieve) TRY(sieve_mask(f->plan, piece, from, n, mask, &count));
    if (count == 0) return E_OK;
    if (count < n && !(single && f->masked)) {
        sieve_select(mask, n, sel);
        chosen = sel;
    }
    if (single) {
        TRY(group_of(f, piece, at, &group));
    } else {
        TRY(group_rows(&f->group, piece, from, chosen, count, groups));
    }
    TRY(start_states(f));
    AggRows rows = {from, count, chosen, single ? NULL : groups, NULL, n};
    if (count < n && chosen == NULL) rows.mask = mask;
    for (u32 i = 0; i < f->agg_count; i++)
        TRY(agg_rows(&f->aggs[i], f->plan, piece, &rows, f->lanes, f->states[i] + group));
done:
    return err;
}

static Err fold_range(Fold *f, const ScanPiece *piece, bool sieve, u64 at, u64 from, u64 to)
{
    Err err = E_OK;
    bool single = f->group.form == GROUP_ALL ||
                  (f->group.form == GROUP_SYMBOL && piece->ids_slot == f->plan->run_slot);
    f->unchecked += to - from;
    if (single && !sieve) {
        AggSpan *span = &f->spans[f->span_count];
        *span = (AggSpan){from, to, 0};
        TRY(group_of(f, piece, at, &span->group));
        if (++f->span_count == SPANS_MAX) TRY(flush_spans(f, piece));
        return E_OK;
    }
    for (; from < to; from += SCAN_BLOCK) {
        TRY(fold_block(f, piece, sieve, single, at, from, MIN(to - from, SCAN_BLOCK)));
        if ((to - from) % CHECK_ROWS < SCAN_BLOCK) TRY(plan_in_time(f->plan));
    }
done:
    return err;
}

/* All runs of a piece that need no look, each a group of its own or to be found by its symbol. */
/* Whether no aggregation needs a state. */
static bool is_read(const Fold *f, const ScanPiece *piece)
{
    bool read = piece->solo;
    for (u32 i = 0; i < f->agg_count && read; i++)
        read = agg_is_read(&f->aggs[i], f->plan, piece);
    return read;
}

static Err fold_runs(Fold *f, const ScanPiece *piece)
{
    Err err = E_OK;
    if (piece->solo) TRY(group_symbols(&f->group, piece->ids, piece->range_count));
    if (is_read(f, piece)) {
        f->read = piece;
        goto done;
    }
    for (u64 at = 0; at < piece->range_count;) {
        u64 end = MIN(piece->range_count, at + SPANS_MAX);
        for (; at < end; at++) {
            AggSpan *span = &f->spans[f->span_count++];
            *span = (AggSpan){piece->ranges[at].from, piece->ranges[at].to, (u32)at};
            if (!piece->solo) TRY(group_symbol(&f->group, piece->ids[at], &span->group));
        }
        TRY(flush_spans(f, piece));
        TRY(plan_in_time(f->plan));
    }
done:
    f->span_count = 0;
    return err;
}

Err fold_piece(Fold *f, const ScanPiece *piece, u64 skip, u64 rows)
{
    Err err = E_OK;
    ScanOwn own = {0};
    bool sieve = sieve_needed(f->plan, piece);
    if (!sieve && skip == 0 && rows == piece->row_count && piece->ids_slot == f->plan->run_slot &&
        f->group.form == GROUP_SYMBOL)
        return fold_runs(f, piece);
    TRY(scan_own_open(&own, piece, f->plan->slot_count));
    piece = &own.piece;
    for (u64 i = 0; i < piece->range_count && rows > 0; i++) {
        u64 from = piece->ranges[i].from, to = piece->ranges[i].to;
        u64 skipped = MIN(skip, to - from);
        skip -= skipped;
        from += skipped;
        to = MIN(to, from + rows);
        rows -= to - from;
        if (from < to) TRY(fold_range(f, piece, sieve, i, from, to));
        if (f->unchecked < CHECK_ROWS) continue;
        f->unchecked = 0;
        TRY(plan_in_time(f->plan));
    }
    TRY(flush_spans(f, piece));
done:
    scan_own_close(&own);
    f->span_count = 0;
    return err;
}

Err fold_merge(Fold *f, Fold *later)
{
    Err err = E_OK;
    TRY(start_states(later));
    for (u32 g = 0; g < later->group.count; g++) {
        u32 to;
        TRY(group_merge(&f->group, &later->group, g, &to));
        TRY(start_states(f));
        for (u32 i = 0; i < f->agg_count; i++)
            TRY(agg_merge(&f->aggs[i], &f->states[i][to], &later->states[i][g]));
    }
done:
    fold_free(later);
    return err;
}

Err fold_keep(Fold *f, Arena *a)
{
    Err err = E_OK;
    if (f->read != NULL) return E_OK;
    TRY(start_states(f));
    for (u32 i = 0; i < f->agg_count; i++) {
        if (f->aggs[i].type < QT_NESTED) continue;
        for (u32 g = 0; g < f->started; g++)
            TRY(agg_value_keep(&f->aggs[i], f->plan->names, &f->states[i][g], a));
    }
done:
    return err;
}
