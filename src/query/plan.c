/*
 * plan: pruning and taking.
 *
 * A part is left out when its rows of the table are none, or all outside the time range; a late
 * part also when none of its slices touches the range. When all rows of a piece lie inside, its
 * times are not looked at. In a date part, the daily window of a `slice` request is a plain time
 * range.
 */
#include "query/plan.h"

#include "base/bounds.h"
#include "os/now.h"
#include "q/symbol.h"
#include "q/temporal.h"
#include "query/loose.h"

#include <stdlib.h>

/* ---- columns */

static i32 use_slot(Plan *p, i32 column, bool asked)
{
    i32 slot = p->slot_of[column];
    if (slot < 0) {
        slot = (i32)p->slot_count++;
        p->slots[slot] = column;
        p->slot_of[column] = slot;
    }
    p->asked[slot] |= asked;
    return slot;
}

static void use_filter(Plan *p, const Filter *f)
{
    if (f->op < FILTER_AND) use_slot(p, f->column, true);
    for (u32 i = 0; i < f->arg_count; i++)
        use_filter(p, &f->args[i]);
}

/* count reads no column. */
static Err use_columns(Plan *p)
{
    const Request *r = p->request;
    const Schema *s = p->schema;
    p->slots = arena_array(p->arena, i32, s->column_count + 1);
    p->slot_of = arena_array(p->arena, i32, s->column_count + 1);
    p->asked = arena_array(p->arena, bool, s->column_count + 1);
    for (u32 i = 0; i < s->column_count; i++)
        p->slot_of[i] = -1;
    for (u32 i = 0; i < r->select_count; i++) {
        const Select *select = &r->selects[i];
        if (select->kind == AGG_COUNT) continue;
        use_slot(p, select->column, true);
        if (select->column2 >= 0) use_slot(p, select->column2, true);
        p->ends |= select->kind == AGG_FIRST || select->kind == AGG_LAST;
    }
    for (u32 i = 0; i < r->group_count; i++)
        use_slot(p, r->groups[i], true);
    for (u32 i = 0; i < r->filter_count; i++)
        use_filter(p, &r->filters[i]);
    if (s->of_day > 0 && (r->start > INT64_MIN || r->end < INT64_MAX))
        use_slot(p, (i32)s->of_day, true);
    bool forward = r->fill == FILL_FORWARD && !r->aggregated;
    p->time_slot = s->prtn >= 0 ? use_slot(p, s->prtn, forward) : -1;
    p->run_slot = -1;
    if (r->group_count == 1 && s->columns[r->groups[0]].type == QT_SYMBOL)
        p->run_slot = p->slot_of[r->groups[0]];
    for (u32 i = 0; i < p->slot_count; i++)
        if (s->columns[p->slots[i]].unreadable != NULL)
            return fail(E_CORRUPT, "%s", s->columns[p->slots[i]].unreadable);
    return E_OK;
}

/* ---- pieces */

/* Narrows a piece's time range to the request's; false when no row can pass. */
static bool prune(const Plan *plan, ScanPiece *p, i64 time_min, i64 time_max)
{
    const Request *r = plan->request;
    i64 from = plan->time_from, to = plan->time_to;
    bool sliced = r->slice_from != r->slice_to;
    p->day_check = sliced;
    if (sliced && p->part != NULL && p->part->kind == PART_DATE) {
        i64 day = scan_day(p->part->key), next = scan_day((i64)p->part->key + 1);
        if (time_min >= day && time_max < next && next - day == TEMPORAL_DAY_NS) {
            from = MAX(from, day + r->slice_from);
            to = MIN(to, day + r->slice_to);
            p->day_check = false;
        }
    }
    p->time_from = from;
    p->time_to = to;
    p->time_check = time_min < from || time_max >= to;
    return from < to && time_max >= from && time_min < to;
}

/* Whether a late part has a slice of days that touches the range. */
static bool touches(const PartTable *t, i64 from, i64 to)
{
    for (u32 i = 0; i < t->slice_count; i++) {
        i64 day = t->slices[i].day;
        if (scan_day(day) < to && scan_day(day + 1) > from) return true;
    }
    return t->slice_count == 0;
}

static PartTable *table_of(const Part *part, const char *name, u32 *hint)
{
    if (*hint < part->table_count && strcmp(part->tables[*hint].name, name) == 0)
        return &part->tables[*hint];
    PartTable *t = view_part_table(part, name);
    if (t != NULL) *hint = (u32)(t - part->tables);
    return t;
}

/* Adds a part when it may hold rows that are asked for. */
static void add_part(Plan *p, const Part *part, u32 *hint)
{
    ScanPiece piece = {.part = part};
    PartTable *t = table_of(part, p->schema->name, hint);
    p->parts++;
    piece.table = t;
    if (t == NULL || t->rows == 0 ||
        (p->time_slot >= 0 && (!prune(p, &piece, t->time_min, t->time_max) ||
                               !touches(t, piece.time_from, piece.time_to)))) {
        p->parts_pruned++;
        return;
    }
    piece.rows = t->rows;
    p->pieces[p->piece_count++] = piece;
}

/* Adds a part of a database that nobody manages. Parts of other tables are not counted. */
static Err add_plain(Plan *p, const Part *part, u32 *hint)
{
    ScanPiece piece = {.part = part, .table = table_of(part, p->schema->name, hint)};
    bool passes = false;
    if (piece.table == NULL) return E_OK;
    p->parts++;
    piece.rows = __atomic_load_n(&piece.table->rows, __ATOMIC_RELAXED);
    if (piece.rows > 0) {
        Err err = loose_prune(p, &piece, &passes);
        if (err != E_OK) return err;
    }
    if (passes)
        p->pieces[p->piece_count++] = piece;
    else
        p->parts_pruned++;
    return E_OK;
}

static Err add_plain_parts(Plan *p, const View *v)
{
    u64 at = 0;
    u32 hint = 0;
    for (const Part *part; (part = view_next(v, PART_DATE, &at)) != NULL;) {
        Err err = add_plain(p, part, &hint);
        if (err != E_OK) return err;
    }
    return E_OK;
}

/* Whether no day of a year can have rows in the range. */
static bool year_is_out(const Plan *p, i32 year)
{
    i64 first = temporal_days(year, 1, 1), next = temporal_days(year + 1, 1, 1);
    i64 from = p->time_from == INT64_MIN ? INT32_MIN : temporal_day_of(p->time_from);
    i64 to = p->time_to == INT64_MAX ? INT32_MAX : temporal_day_of(p->time_to);
    return next <= from || first > to;
}

static void add_parts(Plan *p, const View *v, PartKind kind)
{
    u32 count = 0, hint = 0;
    Segment **segments = view_segments(v, kind, &count);
    for (u32 i = 0; i < count; i++) {
        const Segment *s = segments[i];
        if (kind == PART_DATE && p->time_slot >= 0 && year_is_out(p, s->group)) {
            p->parts += s->part_count;
            p->parts_pruned += s->part_count;
            continue;
        }
        for (u32 j = 0; j < s->part_count; j++)
            add_part(p, &s->parts[j], &hint);
    }
}

static void add_live(Plan *p)
{
    for (u32 i = 0; i < p->slice_count; i++) {
        const LiveSlice *l = &p->slices[i];
        ScanPiece piece = {.live = l, .rows = l->rows, .done = p->done};
        p->rows_live += l->rows;
        if (l->rows == 0) continue;
        if (p->time_slot >= 0 && !prune(p, &piece, l->time_min, l->time_max)) continue;
        p->pieces[p->piece_count++] = piece;
    }
}

bool plan_needs_time(const Plan *p, const ScanPiece *piece)
{
    return p->time_slot >= 0 && (piece->time_check || piece->day_check || p->ends);
}

bool plan_wants(const Plan *p, const ScanPiece *piece, u32 slot)
{
    return p->asked[slot] || ((i32)slot == p->time_slot && plan_needs_time(p, piece));
}

static void take_columns(Plan *p, const QuerySource *s)
{
    ScanColumn *cols = arena_array(p->arena, ScanColumn, p->piece_count * p->slot_count + 1);
    for (u64 i = 0; i < p->piece_count; i++) {
        ScanPiece *piece = &p->pieces[i];
        piece->cols = cols + i * p->slot_count;
        for (u32 k = 0; k < p->slot_count; k++) {
            i32 column = p->slots[k];
            if (!plan_wants(p, piece, k)) continue;
            if (piece->part != NULL && piece->part->held != NULL) {
                piece->cols[k] = scan_of_live(&piece->part->held->cols[column]);
                continue;
            }
            if (piece->live != NULL) {
                piece->cols[k] = scan_of_live(&piece->live->chunk->batch.cols[column]);
                continue;
            }
            Opened *o = opened_find(s->cache, piece->table, (u32)column);
            if (o != NULL && s->view->plain)
                piece->cols[k] = loose_take(p, k, o);
            else if (o != NULL)
                piece->cols[k] = scan_of_part(&p->schema->columns[column], o, false);
        }
    }
}

/* ---- the plan */

static Err make_filters(Plan *p, const Domain *d)
{
    Err err = E_OK;
    const Request *r = p->request;
    p->filter_count = r->filter_count;
    p->filters = arena_array(p->arena, Expr, r->filter_count + 3ull);
    for (u32 i = 0; i < r->filter_count; i++)
        TRY(expr_make(&r->filters[i], p->schema, p->slot_of, d, p->arena, &p->filters[i]));
done:
    return err;
}

/* Ranges that filters set on the partition column become part of the time range. */
static void narrow_times(Plan *p)
{
    p->time_from = p->request->start;
    p->time_to = p->request->end;
    for (u32 i = 0; i < p->filter_count && i < 64; i++) {
        const Expr *e = &p->filters[i];
        if (e->kind != EXPR_RANGE || e->negate || e->slot != p->time_slot) continue;
        p->time_from = MAX(p->time_from, e->low);
        if (e->high < INT64_MAX) p->time_to = MIN(p->time_to, e->high + 1);
        p->done |= (u64)1 << i;
    }
}

/* E_CORRUPT when a column that is read in a piece is known to be damaged there. */
static Err refuse_damaged(const Plan *p, const QuerySource *s)
{
    if (s->damage == NULL || s->damage->count == 0) return E_OK;
    for (u64 i = 0; i < p->piece_count; i++) {
        const ScanPiece *piece = &p->pieces[i];
        for (u32 k = 0; piece->part != NULL && k < p->slot_count; k++) {
            if (!plan_wants(p, piece, k)) continue;
            const ScrubDamage *d = scrub_find(s->damage, piece->part->path, piece->table->name,
                                              p->schema->columns[p->slots[k]].name);
            if (d != NULL) return scrub_fail(d);
        }
    }
    return E_OK;
}

Err plan_make(Plan *p, const QuerySource *s, const Request *r, Arena *a)
{
    Err err = E_OK;
    u64 room = 0;
    void *place;
    *p = (Plan){.request = r, .schema = r->schema, .arena = a};
    TRY(use_columns(p));
    if (r->timeout_ns > 0) p->deadline = now_mono() + r->timeout_ns;
    TRY(opened_names(s->cache, s->domain, &p->names));
    p->id_count = symbol_count();
    TRY(make_filters(p, s->domain));
    narrow_times(p);
    if (s->live != NULL)
        TRY(live_snapshot(s->live, r->table, s->view->watermark, a, &p->slices, &p->slice_count));
    if (s->dates) room += view_part_count(s->view, PART_DATE);
    if (s->intervals) room += view_part_count(s->view, PART_INTERVAL);
    TRY(arena_try(a, room + p->slice_count + 1, sizeof(ScanPiece), &place));
    p->pieces = place;
    if (s->view->plain) {
        TRY(loose_make(p, s));
        loose_edges(p);
        TRY(add_plain_parts(p, s->view));
    } else if (s->dates) {
        add_parts(p, s->view, PART_DATE);
    }
    if (s->intervals) add_parts(p, s->view, PART_INTERVAL);
    add_live(p);
    TRY(refuse_damaged(p, s));
    take_columns(p, s);
done:
    if (err != E_OK) plan_release(p, s);
    return err;
}

void plan_release(Plan *p, const QuerySource *s)
{
    for (u64 i = 0; i < p->piece_count; i++) {
        ScanPiece *piece = &p->pieces[i];
        scan_free(piece);
        for (u32 k = 0; piece->cols != NULL && k < p->slot_count; k++) {
            ScanColumn *c = &piece->cols[k];
            free(c->block);
            c->block = NULL;
            if (c->opened == NULL) continue;
            if (c->own) {
                opened_give(s->cache, piece->table, p->schema->column_count, (u32)p->slots[k],
                            c->opened);
            } else {
                opened_release(s->cache, c->opened);
            }
            c->opened = NULL;
        }
    }
    if (p->slice_count > 0) live_release(s->live, p->slices, p->slice_count);
    names_drop(p->names);
    for (u32 i = 0; i < p->more_count; i++)
        names_drop(p->more[i]);
    *p = (Plan){0};
}

u32 plan_missing(const Plan *p, const ScanPiece *piece)
{
    u32 missing = piece->part != NULL && piece->rows == PART_UNCOUNTED;
    for (u32 k = 0; piece->part != NULL && k < p->slot_count; k++)
        missing += piece->cols[k].form == SCAN_ABSENT && plan_wants(p, piece, k);
    return missing;
}

Err plan_open(const Plan *p, ScanPiece *piece)
{
    if (piece->part != NULL && piece->part->plain) return loose_open(p, piece);
    for (u32 k = 0; piece->part != NULL && k < p->slot_count; k++) {
        const SchemaColumn *column = &p->schema->columns[p->slots[k]];
        Opened *o;
        if (piece->cols[k].form != SCAN_ABSENT || !plan_wants(p, piece, k)) continue;
        Err err = opened_open(piece->part, piece->table, column, &o);
        if (err != E_OK) return err;
        piece->cols[k] = scan_of_part(column, o, true);
    }
    return E_OK;
}

void plan_close(const Plan *p, ScanPiece *piece)
{
    for (u32 k = 0; k < p->slot_count; k++) {
        if (piece->cols[k].form == SCAN_CONST) {
            free(piece->cols[k].block);
            piece->cols[k] = (ScanColumn){0};
        }
        if (!piece->cols[k].own) continue;
        opened_close(piece->cols[k].opened);
        piece->cols[k] = (ScanColumn){0};
    }
    scan_free(piece);
}

Err plan_in_time(const Plan *p)
{
    if (p->deadline == 0 || now_mono() < p->deadline) return E_OK;
    return fail(E_TIMEOUT, "the query took longer than its timeout of %lld ms",
                (long long)(p->request->timeout_ns / 1000000));
}
