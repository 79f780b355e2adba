/*
 * result: building the answer.
 *
 * Rows of a request without aggregations come in the order of parts, then rows, unless a forward
 * fill or sortCols say otherwise: a fill goes along the partition column. Groups come in the order
 * of their columns, as q's `by` gives them. Sorting is stable; null first, symbols and strings by
 * their bytes. Strings are sorted by their place in the order of the distinct ones.
 *
 * When a limit leaves few of the sorted rows, only the columns of sortCols are copied for all rows;
 * the others for the rows that are left.
 *
 * Sorting permutes columns once, into fresh memory. Cutting moves the borrowed pointers only.
 */
#include "query/result.h"

#include "base/bounds.h"
#include "os/pool.h"
#include "q/sort.h"
#include "q/symbol.h"
#include "query/agg_value.h"

#include <stdlib.h>

#define TOP_SHARE      8 /* a limit below this share of the rows is worth sorting first */
#define PARALLEL_BYTES (1ull << 20) /* a smaller answer is copied by one thread */

static Err count_bytes(Result *r, u64 count, u64 width)
{
    u64 bytes;
    if (__builtin_mul_overflow(count, width, &bytes) || bytes > BOUND_RESULT_MAX ||
        r->bytes + bytes > BOUND_RESULT_MAX) {
        return fail(E_LIMIT,
                    "the result is larger than %llu MiB: narrow the request or give a limit",
                    (unsigned long long)(BOUND_RESULT_MAX >> 20));
    }
    r->bytes += bytes;
    return E_OK;
}

static Err allocate(Result *r, u64 count, u64 width, void **out)
{
    *out = NULL;
    Err err = count_bytes(r, count, width);
    return err == E_OK ? arena_try(r->plan->arena, MAX(count, 1), width, out) : err;
}

/* The same for elements that are all written at once: the memory is not cleared. */
static Err allocate_raw(Result *r, u64 count, u64 width, void **out)
{
    *out = NULL;
    Err err = count_bytes(r, count, width);
    return err == E_OK ? arena_try_raw(r->plan->arena, MAX(count, 1), width, out) : err;
}

/* ---- shape */

static int column_type(const Plan *p, i32 column)
{
    return schema_memory_type(&p->schema->columns[column]);
}

static Err empty_column(Result *r, int type, Vec *v)
{
    Err err = E_OK;
    void *place;
    *v = vec_of(type, NULL, 0);
    TRY(allocate(r, 1, 16, &place));
    v->data = place;
    if (type_is_nested(type)) {
        TRY(allocate(r, 1, sizeof(u64), &place));
        v->offs = place;
    }
done:
    return err;
}

Err result_init(Result *r, const Plan *p)
{
    Err err = E_OK;
    const Request *q = p->request;
    *r = (Result){.plan = p, .count = q->group_count + q->select_count};
    r->timed = q->fill == FILL_FORWARD && !q->aggregated && p->time_slot >= 0;
    r->cols = arena_array(p->arena, Vec, r->count + 1);
    r->names = arena_array(p->arena, Str, r->count + 1);
    for (u32 i = 0; i < r->count + r->timed; i++) {
        int type;
        if (i < q->group_count) {
            type = column_type(p, q->groups[i]);
            r->names[i] = str_of(p->schema->columns[q->groups[i]].name);
        } else if (i < r->count) {
            const Select *s = &q->selects[i - q->group_count];
            type = request_agg_type(s->kind, column_type(p, s->column));
            r->names[i] = s->name;
        } else {
            type = QT_TIMESTAMP;
        }
        ASSERT(type >= 0);
        TRY(empty_column(r, type, &r->cols[i]));
    }
done:
    return err;
}

/* ---- rows */

typedef struct {
    Result *result;
    Pick *picks;
    u64 count;
    u64 *firsts; /* row of the result where each pick begins */
} Copy;

static u32 slot_of_result(const Result *r, u32 column)
{
    const Plan *p = r->plan;
    if (column == r->count) return (u32)p->time_slot;
    if (r->selects != NULL) column = r->selects[column];
    return (u32)p->slot_of[p->request->selects[column].column];
}

/* Copies one column of one pick; lists are copied apart. */
static Err copy_column(void *arg, u64 task)
{
    const Copy *c = arg;
    u64 pick = task / (c->result->count + c->result->timed),
        column = task % (c->result->count + c->result->timed);
    Vec *v = &c->result->cols[column];
    if (type_is_nested(v->type)) return E_OK;
    u8 *out = (u8 *)v->data + c->firsts[pick] * type_width(v->type);
    return pick_copy(&c->picks[pick], slot_of_result(c->result, (u32)column), out);
}

/* The same of loose types: converted into memory that grows, then brought behind what is there. */
static Err copy_loose(const Copy *c, u32 column, u64 old_rows)
{
    Err err = E_OK;
    Result *r = c->result;
    Vec *v = &r->cols[column], grown;
    u64 width = type_nested_width(v->type), old = v->offs[old_rows], more = 0;
    void *data;
    vec_init(&grown, v->type);
    for (u64 i = 0; i < c->count; i++)
        TRY(pick_lists(&c->picks[i], slot_of_result(r, column), BOUND_RESULT_MAX - r->bytes,
                       &grown));
    ASSERT(grown.count == r->rows - old_rows && grown.offs != NULL);
    for (u64 i = 1; i <= grown.count; i++)
        v->offs[old_rows + i] = old + grown.offs[i];
    more = grown.offs[grown.count];
    TRY(allocate_raw(r, old + more, width, &data));
    if (old > 0) memcpy(data, v->data, old * width);
    if (more > 0) memcpy((u8 *)data + old * width, grown.data, more * width);
    v->data = data;
done:
    vec_free(&grown);
    return err;
}

static Err copy_lists(const Copy *c, u32 column, u64 old_rows)
{
    Err err = E_OK;
    Result *r = c->result;
    Vec *v = &r->cols[column];
    if (scan_is_loose(v->type)) return copy_loose(c, column, old_rows);
    u32 slot = slot_of_result(r, column), width = type_nested_width(v->type);
    u64 old = v->offs[old_rows];
    void *data, *before = v->data;
    for (u64 i = 0; i < c->count; i++)
        TRY(pick_offsets(&c->picks[i], slot, v->offs + c->firsts[i]));
    TRY(allocate(r, v->offs[r->rows], width, &data));
    if (old > 0) memcpy(data, before, old * width);
    v->data = data;
    for (u64 i = 0; i < c->count; i++)
        TRY(pick_elements(&c->picks[i], slot, (u8 *)data + v->offs[c->firsts[i]] * width));
done:
    return err;
}

/* Gives every column room for `rows` rows, keeping what is there. */
static Err enlarge(Result *r, u64 old, u64 rows)
{
    Err err = E_OK;
    for (u32 i = 0; i < r->count + r->timed; i++) {
        Vec *v = &r->cols[i];
        bool lists = type_is_nested(v->type);
        u32 width = lists ? sizeof(u64) : type_width(v->type);
        void *place, **home = lists ? (void **)&v->offs : &v->data;
        TRY(lists ? allocate(r, rows + 1, width, &place) : allocate_raw(r, rows, width, &place));
        if (old + lists > 0) memcpy(place, *home, (old + lists) * width);
        *home = place;
        v->count = rows;
    }
done:
    return err;
}

Err result_picks(Result *r, Pick *picks, u64 count, int threads)
{
    Err err = E_OK;
    u64 old = r->rows, width = 0;
    u32 columns = r->count + r->timed;
    Copy c = {.result = r, .picks = picks, .count = count};
    c.firsts = arena_array(r->plan->arena, u64, count + 1);
    for (u64 i = 0; i < count; i++) {
        c.firsts[i] = r->rows;
        r->rows += picks[i].total - picks[i].skip;
    }
    if (r->rows == old) return E_OK;
    TRY(enlarge(r, old, r->rows));
    for (u32 i = 0; i < columns; i++)
        width += type_width(r->cols[i].type);
    bool small = (r->rows - old) * width < PARALLEL_BYTES;
    TRY(pool_run(count * columns, small ? 1 : threads, copy_column, &c));
    for (u32 i = 0; i < columns; i++) {
        if (type_is_nested(r->cols[i].type)) TRY(copy_lists(&c, i, old));
    }
done:
    return err;
}

/* ---- order */

/* Places of symbols in the order of names, by id. */
static Err symbol_ranks(const Result *r, const Vec *v, const u32 **rank)
{
    const Plan *p = r->plan;
    const i32 *ids = vec_i32(v);
    bool known = v->count >= (u64)p->names->count / 16;
    void *own;
    if (known) {
        Err err = names_rank(p->names, rank);
        if (err != E_OK) return err;
        for (u64 i = 0; i < v->count && known; i++)
            known = ids[i] < p->names->id_count && (*rank)[ids[i]] != NAMES_UNRANKED;
    }
    if (known) return E_OK;
    Err err = arena_try(p->arena, (u64)p->id_count, sizeof **rank, &own);
    if (err != E_OK) return err;
    *rank = own;
    return sort_symbol_ranks(ids, v->count, own, p->id_count);
}

typedef struct {
    Str text;
    u64 row;
} Text;

static int compare_texts(const void *a, const void *b)
{
    const Text *x = a, *y = b;
    return str_cmp(x->text, y->text);
}

/* Places of strings in the order of the distinct ones, by row. */
static Err text_ranks(const Result *r, const Vec *v, i64 **rank)
{
    Err err = E_OK;
    void *place;
    Text *texts = NULL;
    TRY(arena_try(r->plan->arena, v->count + 1, sizeof **rank, &place));
    *rank = place;
    texts = malloc((v->count + 1) * sizeof *texts);
    if (texts == NULL) {
        err = fail(E_MEMORY, "no memory to sort %llu strings", (unsigned long long)v->count);
        goto done;
    }
    for (u64 i = 0; i < v->count; i++)
        texts[i] = (Text){{(const char *)v->data + v->offs[i], v->offs[i + 1] - v->offs[i]}, i};
    qsort(texts, v->count, sizeof *texts, compare_texts);
    for (u64 i = 0, at = 0; i < v->count; i++) {
        at += i > 0 && str_cmp(texts[i].text, texts[i - 1].text) != 0;
        (*rank)[texts[i].row] = (i64)at;
    }
done:
    free(texts);
    return err;
}

static Err sort_key(const Result *r, u32 column, bool descending, SortKey *key)
{
    const Vec *v = &r->cols[column];
    *key = (SortKey){.type = v->type, .data = v->data, .descending = descending};
    if (v->type == QT_ENUM) return symbol_ranks(r, v, &key->rank);
    if (v->type != QT_STRING) return E_OK;
    i64 *rank = NULL;
    Err err = text_ranks(r, v, &rank);
    key->type = QT_LONG;
    key->data = rank;
    return err;
}

/* ---- permuting */

static void take_fixed(const void *from, u32 width, const u32 *perm, u64 n, void *to)
{
    switch (width) {
    case 8:
        for (u64 i = 0; i < n; i++)
            ((u64 *)to)[i] = ((const u64 *)from)[perm[i]];
        break;
    case 4:
        for (u64 i = 0; i < n; i++)
            ((u32 *)to)[i] = ((const u32 *)from)[perm[i]];
        break;
    default:
        for (u64 i = 0; i < n; i++)
            memcpy((u8 *)to + i * width, (const u8 *)from + (u64)perm[i] * width, width);
        break;
    }
}

/* The rows perm[0..n) of a column, in fresh memory. */
static Err take(Result *r, Vec *v, const u32 *perm, u64 n)
{
    Err err = E_OK;
    void *data, *place;
    if (v->type < QT_NESTED) {
        u32 width = v->type == QT_LIST ? sizeof(Value) : type_width(v->type);
        TRY(allocate(r, n, width, &data));
        take_fixed(v->data, width, perm, n, data);
    } else {
        u32 width = type_nested_width(v->type);
        TRY(allocate(r, n + 1, sizeof(u64), &place));
        u64 *offs = place;
        for (u64 i = 0; i < n; i++)
            offs[i + 1] = offs[i] + v->offs[perm[i] + 1ull] - v->offs[perm[i]];
        TRY(allocate(r, offs[n], width, &data));
        for (u64 i = 0; i < n; i++) {
            u64 count = offs[i + 1] - offs[i];
            if (count > 0)
                memcpy((u8 *)data + offs[i] * width, (const u8 *)v->data + v->offs[perm[i]] * width,
                       count * width);
        }
        v->offs = offs;
    }
    v->data = data;
    v->count = n;
done:
    return err;
}

/* Whether the rows stand in order already, as groups from a parted column mostly do. */
static bool in_order(const SortKey *keys, u32 count, u64 rows)
{
    const SortKey *key = keys;
    if (count != 1 || key->type != QT_ENUM || key->descending)
        return sort_is_sorted(keys, count, 0, rows);
    const i32 *ids = key->data;
    bool falls = false;
    for (u64 i = 1; i < rows; i++)
        falls |= key->rank[ids[i]] < key->rank[ids[i - 1]];
    return !falls;
}

/* The rows that a limit leaves. */
static void window(const Request *q, u64 rows, u64 *first, u64 *count)
{
    *first = 0;
    *count = rows;
    if (!q->limited) return;
    *count = MIN(rows, q->limit < 0 ? 0 - (u64)q->limit : (u64)q->limit);
    if (q->limit < 0) *first = rows - *count;
}

/* The order of the rows by columns of the result, to be freed; NULL when they stand in it. */
static Err order_of(const Result *r, const SortBy *by, u32 count, u32 **out)
{
    Err err = E_OK;
    bool sorted = false;
    u32 *perm = NULL;
    *out = NULL;
    SortKey *keys = arena_array(r->plan->arena, SortKey, count + 1);
    if (r->rows > UINT32_MAX - 1) return fail(E_LIMIT, "more than %u rows to sort", UINT32_MAX - 1);
    for (u32 i = 0; i < count; i++)
        TRY(sort_key(r, (u32)by[i].column, by[i].descending, &keys[i]));
    if (in_order(keys, count, r->rows)) goto done;
    perm = malloc((r->rows + 1) * sizeof *perm);
    if (perm == NULL) {
        err = fail(E_MEMORY, "no memory to sort %llu rows", (unsigned long long)r->rows);
        goto done;
    }
    TRY(sort_order(keys, count, r->rows, perm, &sorted));
    *out = perm;
    perm = NULL;
done:
    free(perm);
    return err;
}

/* Orders the rows by columns of the result; `last` says that only those within the limit are
 * needed. */
static Err order(Result *r, const SortBy *by, u32 count, bool last)
{
    Err err = E_OK;
    u32 *perm = NULL;
    u64 first = 0, n = r->rows;
    TRY(order_of(r, by, count, &perm));
    if (perm == NULL) goto done;
    if (last) window(r->plan->request, r->rows, &first, &n);
    for (u32 i = 0; i < r->count + r->timed; i++)
        TRY(take(r, &r->cols[i], perm + first, n));
    r->rows = n;
done:
    free(perm);
    return err;
}

/* ---- the first rows of many */

bool result_is_top(const Plan *p, u64 rows)
{
    const Request *q = p->request;
    u64 first, count;
    window(q, rows, &first, &count);
    return !q->aggregated && q->sort_count > 0 && q->fill == FILL_NONE && count < rows / TOP_SHARE;
}

/* The runs of all picks end to end, to find a row by its number. */
typedef struct {
    u64 first; /* number of the run's first row */
    const Pick *pick;
    const PickRun *run;
} Spot;

static Err list_spots(const Pick *picks, u64 count, Spot **out, u64 *n)
{
    u64 runs = 0, rows = 0;
    for (u64 i = 0; i < count; i++)
        runs += picks[i].run_count;
    Spot *spots = malloc((runs + 1) * sizeof *spots);
    *out = spots;
    *n = runs;
    if (spots == NULL)
        return fail(E_MEMORY, "no memory to sort %llu runs", (unsigned long long)runs);
    spots[0] = (Spot){0, NULL, NULL};
    for (u64 i = 0, at = 0; i < count; i++) {
        for (u64 k = 0; k < picks[i].run_count; k++) {
            spots[at++] = (Spot){rows, &picks[i], &picks[i].runs[k]};
            rows += picks[i].runs[k].count;
        }
    }
    return E_OK;
}

/* Picks row number `row` once more. */
static Err choose(Pick *chosen, const Spot *spots, u64 n, u64 row)
{
    u64 low = 0, high = n;
    while (high - low > 1) {
        u64 middle = low + (high - low) / 2;
        if (spots[middle].first <= row) {
            low = middle;
        } else {
            high = middle;
        }
    }
    const PickRun *run = spots[low].run;
    ASSERT(run != NULL);
    u64 at = row - spots[low].first;
    return pick_row(chosen, run->piece,
                    run->listed > 0 ? spots[low].pick->rows[run->listed - 1 + at] : run->from + at);
}

Err result_top(Result *r, Pick *picks, u64 count, int threads)
{
    Err err = E_OK;
    const Request *q = r->plan->request;
    Arena *a = r->plan->arena;
    Result keys = {.plan = r->plan, .count = q->sort_count};
    SortBy *by = arena_array(a, SortBy, q->sort_count);
    u32 *selects = arena_array(a, u32, q->sort_count), *perm = NULL;
    Spot *spots = NULL;
    Pick chosen;
    u64 first = 0, n = 0, spot_count = 0;
    pick_init(&chosen, r->plan, UINT64_MAX);
    keys.cols = arena_array(a, Vec, q->sort_count);
    keys.selects = selects;
    for (u32 i = 0; i < q->sort_count; i++) {
        selects[i] = (u32)q->sorts[i].column;
        by[i] = (SortBy){(i32)i, q->sorts[i].descending};
        TRY(empty_column(&keys, r->cols[selects[i]].type, &keys.cols[i]));
    }
    TRY(result_picks(&keys, picks, count, threads));
    TRY(order_of(&keys, by, q->sort_count, &perm));
    TRY(list_spots(picks, count, &spots, &spot_count));
    window(q, keys.rows, &first, &n);
    for (u64 i = first; i < first + n; i++)
        TRY(choose(&chosen, spots, spot_count, perm != NULL ? perm[i] : i));
    TRY(result_picks(r, &chosen, 1, threads));
    r->sorted = true;
done:
    free(perm);
    free(spots);
    pick_free(&chosen);
    return err;
}

/* ---- groups */

static Err group_columns(Result *r, const Group *g)
{
    Err err = E_OK;
    const Request *q = r->plan->request;
    for (u32 c = 0; c < q->group_count; c++) {
        Vec *v = &r->cols[c];
        void *data, *place;
        Str text;
        if (v->type < QT_NESTED) {
            u32 width = type_width(v->type);
            TRY(allocate_raw(r, g->count, width, &data));
            if (g->form == GROUP_SYMBOL && g->count > 0) {
                memcpy(data, g->ids, g->count * sizeof *g->ids);
            } else {
                for (u32 i = 0; i < g->count; i++)
                    group_key(g, i, c, (u8 *)data + (u64)i * width, &text);
            }
        } else {
            u64 element[2];
            TRY(allocate(r, g->count + 1ull, sizeof(u64), &place));
            v->offs = place;
            for (u32 i = 0; i < g->count; i++) {
                group_key(g, i, c, element, &text);
                v->offs[i + 1] = v->offs[i] + text.size;
            }
            TRY(allocate(r, v->offs[g->count], 1, &data));
            for (u32 i = 0; i < g->count; i++) {
                group_key(g, i, c, element, &text);
                if (text.size > 0) memcpy((u8 *)data + v->offs[i], text.data, text.size);
            }
        }
        v->data = data;
        v->count = g->count;
    }
done:
    return err;
}

/* The distinct values of a group as a list of its own. */
static Err distinct_cell(Result *r, const Agg *a, const AggState *s, Value *cell)
{
    Err err = E_OK;
    void *data, *offs;
    static const Vec none;
    const Vec *from = s->set != NULL ? &s->set->values : &none;
    Vec v = vec_of(a->type, NULL, from->count);
    bool lists = type_is_nested(a->type);
    u64 elements = !lists ? from->count : from->count > 0 ? from->offs[from->count] : 0;
    u32 width = lists ? type_nested_width(a->type) : type_width(a->type);
    TRY(allocate(r, elements, width, &data));
    if (elements > 0) memcpy(data, from->data, elements * width);
    v.data = data;
    if (lists) {
        TRY(allocate(r, from->count + 1, sizeof(u64), &offs));
        v.offs = offs;
        if (from->count > 0) memcpy(v.offs, from->offs, (from->count + 1) * sizeof(u64));
    }
    *cell = value_vec(v);
done:
    return err;
}

static Err list_column(Result *r, const Agg *a, AggState *states, u64 count, Vec *v)
{
    Err err = E_OK;
    void *place;
    for (u64 i = 0; i < count; i++) {
        if (states[i].end.late) TRY(agg_value_keep(a, r->plan->names, &states[i], r->plan->arena));
    }
    u32 width = type_nested_width(a->type);
    TRY(allocate(r, count + 1, sizeof(u64), &place));
    v->offs = place;
    for (u64 i = 0; i < count; i++)
        v->offs[i + 1] = v->offs[i] + (states[i].end.some ? states[i].end.count : 0);
    TRY(allocate(r, v->offs[count], width, &place));
    v->data = place;
    for (u64 i = 0; i < count; i++) {
        u64 n = v->offs[i + 1] - v->offs[i];
        if (n > 0) memcpy((u8 *)place + v->offs[i] * width, states[i].end.list, n * width);
    }
done:
    return err;
}

static Err agg_column(Result *r, const Fold *f, u32 at, u64 count, Vec *v)
{
    Err err = E_OK;
    void *data;
    const Agg *a = &f->aggs[at];
    AggState *states = f->states[at];
    v->count = count;
    if (f->read != NULL) {
        TRY(allocate_raw(r, count, type_width(v->type), &data));
        agg_read(a, f->read, data);
        v->data = data;
        return E_OK;
    }
    if (type_is_nested(v->type)) return list_column(r, a, states, count, v);
    if (a->kind == AGG_DISTINCT) {
        TRY(allocate(r, count, sizeof(Value), &data));
        for (u64 i = 0; i < count; i++)
            TRY(distinct_cell(r, a, &states[i], (Value *)data + i));
    } else {
        TRY(allocate(r, count, type_width(v->type), &data));
        agg_finish(a, states, count, data);
    }
    v->data = data;
done:
    return err;
}

/* Whether groups that are the runs of a part ascend by name; noted, as names keep their order. */
static Err runs_ascend(const Result *r, const ScanPiece *p, bool *ascend)
{
    Err err = E_OK;
    Opened *o = p->cols[r->plan->run_slot].opened;
    u8 known = o == NULL ? OPENED_FALLS : atomic_load_explicit(&o->names, memory_order_relaxed);
    if (known == OPENED_UNKNOWN && p->range_count == o->column.key_count) {
        SortKey key;
        TRY(sort_key(r, 0, false, &key));
        known = in_order(&key, 1, r->rows) ? OPENED_ASCENDS : OPENED_FALLS;
        atomic_store_explicit(&o->names, known, memory_order_relaxed);
    }
    *ascend = known == OPENED_ASCENDS;
done:
    return err;
}

Err result_fold(Result *r, Fold *f)
{
    Err err = E_OK;
    const Request *q = r->plan->request;
    SortBy *by = arena_array(r->plan->arena, SortBy, q->group_count + 1);
    r->rows = f->group.count;
    TRY(fold_keep(f, r->plan->arena));
    TRY(group_columns(r, &f->group));
    for (u32 i = 0; i < f->agg_count; i++)
        TRY(agg_column(r, f, i, r->rows, &r->cols[q->group_count + i]));
    for (u32 i = 0; i < q->group_count; i++)
        by[i] = (SortBy){(i32)i, false};
    bool ordered = q->group_count == 0;
    if (f->read != NULL) TRY(runs_ascend(r, f->read, &ordered));
    if (!ordered) TRY(order(r, by, q->group_count, false));
done:
    return err;
}

/* ---- fill, sort, limit */

/* Replaces nulls in place: by zero, or by the value before. */
static void fill_column(Vec *v, Fill fill)
{
    u32 width = type_width(v->type);
    u8 *p = v->data;
    const u8 *last = NULL;
    bool fills = type_is_fixed(v->type) && v->type != QT_GUID && v->type != QT_CHAR;
    for (u64 i = 0; fills && i < v->count; i++, p += width) {
        if (!type_is_null(v->type, p)) {
            last = p;
        } else if (fill == FILL_ZERO) {
            memset(p, 0, width);
        } else if (last != NULL) {
            memcpy(p, last, width);
        }
    }
}

/* Moves a borrowed column on to rows [first, first + n). */
static void cut(Vec *v, u64 first, u64 n)
{
    if (type_is_nested(v->type)) {
        v->offs += first;
    } else {
        u32 width = v->type == QT_LIST ? sizeof(Value) : type_width(v->type);
        v->data = (u8 *)v->data + first * width;
    }
    v->count = n;
}

Err result_table(Result *r, Value *table)
{
    Err err = E_OK;
    const Request *q = r->plan->request;
    if (r->timed) {
        SortBy by = {(i32)r->count, false};
        TRY(order(r, &by, 1, false));
    }
    for (u32 i = q->group_count; q->fill != FILL_NONE && i < r->count; i++)
        fill_column(&r->cols[i], q->fill);
    if (q->sort_count > 0 && !r->sorted) TRY(order(r, q->sorts, q->sort_count, true));
    u64 first, n;
    window(q, r->rows, &first, &n);
    *table = value_table(r->plan->arena, r->count);
    for (u32 i = 0; i < r->count; i++) {
        cut(&r->cols[i], first, n);
        table->as.table.names[i] = r->names[i];
        table->as.table.cols[i] = value_vec(r->cols[i]);
    }
done:
    return err;
}
