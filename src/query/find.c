/*
 * find: ranges from parted and sorted columns.
 *
 *   1. slices of days of a late part, else all rows
 *   2. runs of a parted symbol column: those that a filter over that column alone lets pass (one
 *      look at each name, or at the file's hash for `=`), or all of them when rows are grouped by
 * it
 *   3. rows of one name in a grouped column, rows between two values in a sorted one
 *   4. where time ascends over a run, or over the whole part: binary search for the time range
 *
 * Whether time ascends is never believed from the configuration, which may have changed since the
 * part was written: it is looked at once a run and noted (opened.h). A look costs what a scan of
 * that run would have cost; from then on a query costs two searches. A file's own sorted attribute
 * is believed.
 */
#include "query/find.h"

#include "column/attr.h"
#include "q/sort.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    const Plan *plan;
    ScanPiece *piece;
    const i64 *times; /* NULL when time is not asked for */
    const ScanColumn *time;
    const Column *parted; /* NULL when ranges are no runs */
    Opened *runs;         /* the same, with its notes */
    const Names *names;   /* of its domain */
    ScanRange *base;
    u64 base_count;
    u64 room;
    bool ascends; /* over every range so far */
} Find;

/* Whether times ascend over rows; *note remembers. */
static Err look(const Find *f, _Atomic u8 *note, u64 from, u64 to, bool *ascend)
{
    Err err = E_OK;
    const i64 *times = f->times;
    u8 known = atomic_load_explicit(note, memory_order_relaxed);
    if (known == OPENED_UNKNOWN) {
        known = OPENED_ASCENDS;
        for (u64 i = from + 1; i < to && known == OPENED_ASCENDS;) {
            u64 first = i - 1, end = MIN(to, i + SCAN_BLOCK);
            bool falls = false;
            TRY(scan_need(f->time, first, end - first));
            for (; i < end; i++)
                falls |= times[i] < times[i - 1];
            scan_done(f->time, first, end - first);
            if (falls) known = OPENED_FALLS;
        }
        atomic_store_explicit(note, known, memory_order_relaxed);
    }
    *ascend = known == OPENED_ASCENDS;
done:
    return err;
}

/* The first row of [from, *row) whose time is not before another one, in *row. */
static Err lower(const Find *f, u64 from, u64 *row, i64 time)
{
    u64 low = from, high = *row;
    if (f->time->zipped == NULL) {
        *row = sort_lower_i64(f->times, from, *row, time);
        return E_OK;
    }
    while (low < high) {
        u64 middle = low + (high - low) / 2;
        Err err = scan_need(f->time, middle, 1);
        if (err != E_OK) return err;
        bool before = f->times[middle] < time;
        scan_done(f->time, middle, 1);
        if (before) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *row = low;
    return E_OK;
}

/* Adds a range that is not empty; `id` is that of its run. */
static Err add(Find *f, u64 from, u64 to, i32 id)
{
    ScanPiece *p = f->piece;
    if (from >= to) return E_OK;
    if (p->range_count == f->room) {
        u64 room = MAX(f->room * 2, 16);
        ScanRange *ranges = realloc(p->ranges, room * sizeof *ranges);
        if (ranges != NULL) p->ranges = ranges;
        i32 *ids = realloc(p->ids, room * sizeof *ids);
        if (ids != NULL) p->ids = ids;
        if (ranges == NULL || ids == NULL)
            return fail(E_MEMORY, "no memory for the ranges of a query");
        f->room = room;
    }
    p->ids[p->range_count] = id;
    p->ranges[p->range_count++] = (ScanRange){from, to};
    p->row_count += to - from;
    return E_OK;
}

/* Adds [from, to) without the rows outside the time range, if times ascend there. */
static Err add_timed(Find *f, u64 from, u64 to, i32 id, bool ascends)
{
    const ScanPiece *p = f->piece;
    if (from < to && f->times != NULL && ascends && p->time_check) {
        u64 first = to;
        Err err = lower(f, from, &first, p->time_from);
        from = first;
        if (err == E_OK) err = lower(f, from, &to, p->time_to);
        if (err != E_OK) return err;
    }
    f->ascends &= ascends;
    return add(f, from, to, id);
}

/* Run k of the parted column, within the base ranges. */
static Err add_run(Find *f, u64 k, i32 id)
{
    u64 from = (u64)f->parted->offs[k], to = (u64)f->parted->offs[k + 1];
    bool ascends = false;
    Err err = f->times != NULL ? look(f, &f->runs->order[k], from, to, &ascends) : E_OK;
    if (err != E_OK) return err;
    for (u64 i = 0; i < f->base_count; i++) {
        const ScanRange *b = &f->base[i];
        err = add_timed(f, MAX(from, b->from), MIN(to, b->to), id, ascends);
        if (err != E_OK) return err;
    }
    return E_OK;
}

/* ---- which runs */

static const Column *parted_column(const ScanPiece *p, i32 slot)
{
    if (slot < 0 || p->cols[slot].opened == NULL) return NULL;
    const Column *c = &p->cols[slot].opened->column;
    return c->keys != NULL && c->perm == NULL ? c : NULL;
}

static Err bad_key(const ScanPiece *p)
{
    return fail(E_CORRUPT, "%s/%s: a parted symbol's index is beyond the domain%s", p->part->path,
                p->table->name, p->part->plain ? " (P-18)" : "");
}

static i64 key_of(const Column *c, u64 k)
{
    if (c->wide) return ((const i64 *)c->keys)[k];
    i32 key = ((const i32 *)c->keys)[k];
    return key == INT32_MIN ? INT64_MIN : key;
}

/* The run of one name, by the file's hash. */
static Err add_named(Find *f, const Expr *e)
{
    u64 from = 0, to = 0, low = 0, high = f->parted->key_count;
    if (e->id < 0 || (e->index < 0 && e->id != 0)) return E_OK;
    attr_find(f->parted, e->index, &from, &to);
    if (from >= to) return E_OK;
    while (low < high) {
        u64 middle = low + (high - low) / 2;
        if ((u64)f->parted->offs[middle] < from) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return add_run(f, low, e->id);
}

/* Room for a range a run. */
static Err reserve(Find *f, u64 count)
{
    ScanPiece *p = f->piece;
    p->ranges = malloc(count * sizeof *p->ranges);
    p->ids = malloc(count * sizeof *p->ids);
    if (p->ranges == NULL || p->ids == NULL)
        return fail(E_MEMORY, "no memory for the ranges of a query");
    f->room = count;
    return E_OK;
}

/* Whether times ascend over every run; noted for all of them together, too. */
static Err look_at_runs(const Find *f, bool *ascend)
{
    Err err = E_OK;
    const Column *c = f->parted;
    u8 known = atomic_load_explicit(&f->runs->runs, memory_order_relaxed);
    if (known == OPENED_UNKNOWN) {
        known = OPENED_ASCENDS;
        for (u64 k = 0; k < c->key_count; k++) {
            TRY(look(f, &f->runs->order[k], (u64)c->offs[k], (u64)c->offs[k + 1], ascend));
            if (!*ascend) known = OPENED_FALLS;
        }
        atomic_store_explicit(&f->runs->runs, known, memory_order_relaxed);
    }
    *ascend = known == OPENED_ASCENDS;
done:
    return err;
}

/* Every run as a whole. */
static Err add_whole_runs(Find *f)
{
    ScanPiece *p = f->piece;
    const Column *c = f->parted;
    const i64 *offs = c->offs;
    Err err = reserve(f, MAX(c->key_count, 1));
    if (err == E_OK && f->times != NULL) err = look_at_runs(f, &f->ascends);
    if (err != E_OK) return err;
    i32 worst = 0;
    for (u64 k = 0; k < c->key_count; k++)
        p->ranges[k] = (ScanRange){(u64)offs[k], (u64)offs[k + 1]};
    for (u64 k = 0; k < c->key_count; k++)
        worst |= p->ids[k] = names_id(f->names, key_of(c, k));
    if (worst < 0) return bad_key(p);
    p->range_count = c->key_count;
    p->row_count = p->rows;
    return E_OK;
}

static Err add_runs(Find *f, const Expr *e)
{
    const Names *names = f->names;
    bool known = names == f->plan->names && names->clean; /* an index is a name */
    bool whole = f->base_count == 1 && f->base[0].from == 0 && f->base[0].to == f->piece->rows;
    if (e == NULL && whole && !f->piece->time_check) return add_whole_runs(f);
    if (e != NULL && e->kind == EXPR_ID && !e->negate && known) return add_named(f, e);
    for (u64 k = 0; k < f->parted->key_count; k++) {
        i32 id = names_id(names, key_of(f->parted, k));
        if (id < 0) return bad_key(f->piece);
        if (e != NULL && !expr_test_id(e, id)) continue;
        Err err = add_run(f, k, id);
        if (err != E_OK) return err;
    }
    return E_OK;
}

/* Chooses the parted column: a filter's first, then the groups'. *e is that filter. */
static void choose_runs(Find *f, const Expr **e)
{
    const Plan *plan = f->plan;
    *e = NULL;
    for (u32 i = 0; i < plan->filter_count && i < 64 && f->parted == NULL; i++) {
        i32 slot = expr_slot(&plan->filters[i]);
        f->parted = parted_column(f->piece, slot);
        if (f->parted == NULL) continue;
        f->runs = f->piece->cols[slot].opened;
        f->piece->ids_slot = slot;
        f->piece->done |= (u64)1 << i;
        *e = &plan->filters[i];
    }
    if (f->parted == NULL) {
        f->parted = parted_column(f->piece, plan->run_slot);
        if (f->parted == NULL) return;
        f->runs = f->piece->cols[plan->run_slot].opened;
        f->piece->ids_slot = plan->run_slot;
    }
}

/* ---- grouped columns */

/* The filter that asks for one name of a grouped column, or NULL. */
static const Expr *grouped_filter(Find *f)
{
    const Plan *plan = f->plan;
    for (u32 i = 0; i < plan->filter_count && i < 64; i++) {
        const Expr *e = &plan->filters[i];
        if (e->kind != EXPR_ID || e->negate || !plan->names->clean) continue;
        const Opened *o = f->piece->cols[e->slot].opened;
        if (o == NULL || o->column.keys == NULL || o->column.perm == NULL) continue;
        if (f->piece->cols[e->slot].names != NULL) continue; /* its indices are another domain's */
        f->piece->ids_slot = e->slot;
        f->piece->done |= (u64)1 << i;
        return e;
    }
    return NULL;
}

/* The rows of one name, by the file's index; neighbours as one range. */
static Err add_grouped(Find *f, const Expr *e, bool ascends)
{
    Err err = E_OK;
    const Column *c = &f->piece->cols[e->slot].opened->column;
    u64 at = 0, end = 0;
    if (e->id >= 0 && (e->index >= 0 || e->id == 0)) attr_find(c, e->index, &at, &end);
    while (at < end) {
        u64 from = (u64)c->perm[at], to = from + 1;
        for (at++; at < end && (u64)c->perm[at] == to; at++)
            to++;
        for (u64 i = 0; i < f->base_count; i++)
            TRY(add_timed(f, MAX(from, f->base[i].from), MIN(to, f->base[i].to), e->id,
                          ascends || to == from + 1));
    }
done:
    return err;
}

/* ---- sorted columns */

/* Whether the element at a row stands before the range of a filter; `behind`: not yet behind it.
 * The row is readable. */
static bool before(const Expr *e, const ScanColumn *c, u64 row, bool behind)
{
    if (e->kind == EXPR_REAL) {
        f64 lane, v = *scan_f64(c, row, 1, &lane);
        return behind ? !(v > e->real_high) : !(v >= e->real_low);
    }
    i64 v = c->width == 8   ? ((const i64 *)c->data)[row]
            : c->width == 4 ? ((const i32 *)c->data)[row]
            : c->width == 2 ? ((const i16 *)c->data)[row]
                            : ((const u8 *)c->data)[row];
    return behind ? v <= e->high : v < e->low;
}

static Err search(const Expr *e, const ScanColumn *c, u64 rows, bool behind, u64 *row)
{
    u64 low = 0, high = rows;
    while (low < high) {
        u64 middle = low + (high - low) / 2;
        Err err = scan_need(c, middle, 1);
        if (err != E_OK) return err;
        bool lower = before(e, c, middle, behind);
        scan_done(c, middle, 1);
        if (lower) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *row = low;
    return E_OK;
}

/* Whether the rows that pass stand together when the column is sorted. */
static bool is_interval(const Expr *e)
{
    if (e->negate) return false;
    if (e->kind == EXPR_RANGE) return true;
    if (e->kind != EXPR_REAL || isnan(e->real_low) || isnan(e->real_high)) return false;
    return !e->nan || isinf(e->real_low);
}

/* Narrows the base ranges by filters over sorted columns. */
static Err narrow_sorted(Find *f)
{
    Err err = E_OK;
    ScanPiece *p = f->piece;
    for (u32 i = 0; i < f->plan->filter_count && i < 64; i++) {
        const Expr *e = &f->plan->filters[i];
        if (scan_is_done(p, i) || e->slot < 0 || !is_interval(e)) continue;
        const ScanColumn *c = &p->cols[e->slot];
        if (c->form != SCAN_FIXED || c->opened == NULL || c->opened->column.attr != ATTR_SORTED)
            continue;
        u64 from = 0, to;
        if (e->kind != EXPR_REAL || !e->nan) TRY(search(e, c, p->rows, false, &from));
        TRY(search(e, c, p->rows, true, &to));
        for (u64 k = 0; k < f->base_count; k++) {
            f->base[k].from = MAX(f->base[k].from, from);
            f->base[k].to = MIN(f->base[k].to, to);
        }
        p->done |= (u64)1 << i;
    }
done:
    return err;
}

/* ---- ranges */

/* Late parts: the slices of days that the time range touches. */
static Err find_base(Find *f, ScanRange *one)
{
    const ScanPiece *p = f->piece;
    f->base = one;
    f->base_count = 1;
    *one = (ScanRange){0, p->rows};
    if (p->table == NULL || p->table->slice_count == 0 || !p->time_check) return E_OK;
    f->base = malloc(p->table->slice_count * sizeof *f->base);
    if (f->base == NULL) return fail(E_MEMORY, "no memory for the ranges of a query");
    f->base_count = 0;
    for (u32 i = 0; i < p->table->slice_count; i++) {
        const PartSlice *s = &p->table->slices[i];
        if (scan_day(s->day) >= p->time_to || scan_day((i64)s->day + 1) <= p->time_from) continue;
        f->base[f->base_count++] = (ScanRange){MIN(s->from, p->rows), MIN(s->to, p->rows)};
    }
    return E_OK;
}

/* Whether time ascends over the whole part. */
static Err whole_ascends(const Find *f, bool *ascends)
{
    const ScanPiece *p = f->piece;
    *ascends = false;
    if (f->times == NULL || p->part == NULL) return E_OK;
    Opened *o = f->time->opened;
    if (o == NULL) return E_OK;
    *ascends = o->column.attr == ATTR_SORTED;
    return *ascends ? E_OK : look(f, &o->order[0], 0, p->rows, ascends);
}

/* Ranges where no column is parted. */
static Err add_plain(Find *f)
{
    Err err = E_OK;
    bool ascends;
    TRY(whole_ascends(f, &ascends));
    const Expr *e = grouped_filter(f);
    if (e != NULL) return add_grouped(f, e, ascends);
    for (u64 i = 0; i < f->base_count; i++)
        TRY(add_timed(f, f->base[i].from, f->base[i].to, -1, ascends));
done:
    return err;
}

Err find_rows(const Plan *plan, ScanPiece *piece)
{
    Err err = E_OK;
    const Expr *e;
    ScanRange one;
    Find f = {.plan = plan, .piece = piece, .ascends = true};
    scan_free(piece);
    piece->row_count = 0;
    piece->done = plan->done | piece->passed;
    piece->ids_slot = -1;
    if (plan_needs_time(plan, piece) && piece->cols[plan->time_slot].form != SCAN_CONST) {
        f.time = &piece->cols[plan->time_slot];
        f.times = f.time->data;
    }
    TRY(find_base(&f, &one));
    TRY(narrow_sorted(&f));
    choose_runs(&f, &e);
    if (f.parted != NULL) {
        f.names = scan_names(&piece->cols[piece->ids_slot], plan->names);
        TRY(add_runs(&f, e));
    } else {
        TRY(add_plain(&f));
    }
    piece->ordered = f.times != NULL && f.ascends;
    if (piece->ordered) piece->time_check = false;
    piece->solo = plan->run_slot >= 0 && piece->ids_slot == plan->run_slot && f.parted != NULL &&
                  plan->piece_count == 1 && f.base_count == 1;
done:
    if (f.base != &one) free(f.base);
    return err;
}
