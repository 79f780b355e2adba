/*
 * agg_value: aggregations that keep values of rows: first and last, distinct.
 *
 * Ties of first and last: rows of equal time keep the order of parts, then of rows (O-81). A value
 * that stands in a compressed column or is of a loose type is not read for every row that is first
 * for a while: the row is noted, and read when the part ends (agg_value_keep).
 */
#include "query/agg_value.h"

#include "base/bounds.h"
#include "base/map.h"

#include <math.h>
#include <stdlib.h>

#define SLOTS_FIRST 16

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

bool agg_value_better(AggKind kind, const AggState *s, i64 time)
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

const i64 *agg_value_times(const Plan *p, const ScanPiece *piece)
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

Err agg_value_spans(const Agg *a, const Plan *p, const ScanPiece *piece, const AggSpan *spans,
                    u64 count, AggState *states)
{
    Err err = E_OK;
    const i64 *times = agg_value_times(p, piece);
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
        if (agg_value_better(a->kind, s, time)) TRY(take_row(a, p, piece, row, time, s));
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
    const i64 *times = agg_value_times(p, piece);
    for (u64 i = 0; i < r->count; i++) {
        u64 row = row_of(r, i);
        AggState *s = state_of(r, i, states);
        i64 time = times != NULL ? times[row] : 0;
        if (!agg_value_better(a->kind, s, time)) continue;
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

Err agg_value_distinct_span(const Agg *a, const Plan *p, const ScanPiece *piece, u64 from, u64 to,
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

Err agg_value_distinct_rows(const Agg *a, const Plan *p, const ScanPiece *piece, const AggRows *r,
                            AggState *states)
{
    Err err = E_OK;
    for (u64 i = 0; i < r->count && err == E_OK; i++)
        err = add_value(a, p, piece, row_of(r, i), state_of(r, i, states));
    return err;
}

/* First or last among rows of a block of n. */
Err agg_value_rows(const Agg *a, const Plan *p, const ScanPiece *piece, const AggRows *r, u64 n,
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

/* ---- merging, keeping, freeing */

Err agg_value_merge(AggState *to, AggState *from)
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

Err agg_value_keep(const Agg *a, const Names *names, AggState *s, Arena *arena)
{
    Err err = E_OK;
    void *copy;
    if (!agg_is_end(a->kind) || a->type < QT_NESTED || !s->end.some || s->end.kept) return E_OK;
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

void agg_value_free(const Agg *a, AggState *s)
{
    if (a->kind != AGG_DISTINCT || s->set == NULL) return;
    vec_free(&s->set->values);
    free(s->set->slots);
    free(s->set);
    s->set = NULL;
}
