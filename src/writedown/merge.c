/*
 * merge: sorted runs into one table folder, in bounded memory.
 *
 * The order of rows is found over the key columns alone and kept as spans (run, first row, count).
 * When the first key is an enumeration its equal rows are adjacent in every run, so the runs are
 * taken group by group in the order of the names. Cursors stand in lists by the rank of the group
 * that they have reached; the bounds of a group come from the payload of a parted column where
 * there is one. Within a group, runs that follow each other (intervals of a day do, but for late
 * rows) are copied one after another after a single comparison each; otherwise they are merged by
 * the remaining keys. A merge gallops: it takes as many rows of one run as stand before the head of
 * all others.
 *
 * Short spans are gathered before they go to a column, which then takes thousands of rows in a
 * call.
 *
 * Compressed runs are read by asking for rows. Keys are looked at one by one from many places, so
 * an error of reading one is kept in the Merge: the comparison says "equal", and the next rows that
 * would be emitted end the merge instead.
 *
 * Invariants: a span never reaches beyond its run's range; spans of one run ascend; equal keys keep
 * run order, then row order. Threads: the caller's, and the pool's while a chunk is copied, where
 * each task owns one column of the output.
 */
#include "writedown/merge.h"

#include <stdlib.h>

#include "os/dir.h"
#include "os/pool.h"
#include "q/symbol.h"

#define MERGE_CHUNK_DEFAULT 500000u
#define MERGE_CHUNK_ZIPPED                                                                         \
    32768u             /* rows whose columns fit the room of blocks that wait (splay.h) */
#define NEED_ROWS 8192 /* rows of a compressed run that are held at once */

/* A piece of the output: `count` rows of a run beginning with row `from`. */
typedef struct {
    u32 run;
    u32 count;
    u64 from;
} Span;

/* One run being merged. */
typedef struct {
    const Column **cols; /* by schema column */
    u64 at, end;         /* rows not yet emitted */
    u64 group_end;       /* end of the group of equal first keys that begins at `at` */
    u64 part; /* its number in the payload of a parted first key; ~0 = there is none to go by */
    const i64 *times; /* the second and last key when it is a plain one of 8 bytes, else NULL */
    u32 rank;         /* order of that group's name */
    u32 order;        /* place among the runs: decides between equal keys */
} Cursor;

typedef struct {
    Merge *merge;
    const Schema *schema;
    const u32 *sort; /* schema columns of the keys */
    u32 sort_count;
    u32 *rank; /* by domain index; 0 is the null's */
    u64 rank_count;
    Cursor *cursors;
    u32 cursor_count;
    u32 *heap;         /* cursor numbers, smallest head first */
    u32 *first, *next; /* lists of cursors: first by rank, next by cursor; number + 1, 0 ends */
    u32 rank_end;      /* ranks are below it */
    u64 *marks;        /* a bit a cursor */
    u32 key_from;      /* keys before it are equal in all of the heap */
    bool timed;        /* every cursor has times */
    Span *spans;
    u64 span_count, span_room;
    u64 pending, chunk; /* rows in spans, rows of a full chunk */
} Work;

/* The order of a domain index. */
static u32 rank_of(const Work *w, i64 index)
{
    return index >= 0 && (u64)index < w->rank_count ? w->rank[index] : 0;
}

static int compare_i64(i64 a, i64 b) { return (a > b) - (a < b); }

/* q's order of floats: NaN (null) first. */
static int compare_f64(f64 a, f64 b)
{
    if (a != a || b != b) return (b != b) - (a != a);
    return (a > b) - (a < b);
}

/* Makes a key readable; false when it is not, which the merge remembers. */
static bool hold(const Work *w, const Column *c, u64 row)
{
    Err err = column_need(c, row, row + 1);
    if (err != E_OK && w->merge->failed == E_OK) w->merge->failed = err;
    return err == E_OK;
}

/* The domain index of a row. */
static i64 index_at(const Work *w, const Column *c, u64 row)
{
    i64 index = Q_NULL_LONG;
    if (!column_on_need(c)) return column_index(c, row);
    if (hold(w, c, row)) {
        index = column_index(c, row);
        column_done(c, row, row + 1);
    }
    return index;
}

/* Compares one key of two rows that are readable. */
static int compare_held(const Work *w, const Column *a, u64 i, const Column *b, u64 j)
{
    switch (a->type) {
    case QT_ENUM:
        return compare_i64(rank_of(w, column_index(a, i)), rank_of(w, column_index(b, j)));
    case QT_GUID: return memcmp((const u8 *)a->data + 16 * i, (const u8 *)b->data + 16 * j, 16);
    case QT_BOOLEAN:
    case QT_BYTE:
    case QT_CHAR: return compare_i64(((const u8 *)a->data)[i], ((const u8 *)b->data)[j]);
    case QT_SHORT: return compare_i64(((const i16 *)a->data)[i], ((const i16 *)b->data)[j]);
    case QT_REAL:
        return compare_f64((f64)((const f32 *)a->data)[i], (f64)((const f32 *)b->data)[j]);
    case QT_FLOAT:
    case QT_DATETIME: return compare_f64(((const f64 *)a->data)[i], ((const f64 *)b->data)[j]);
    case QT_LONG:
    case QT_TIMESTAMP:
    case QT_TIMESPAN: return compare_i64(((const i64 *)a->data)[i], ((const i64 *)b->data)[j]);
    default: return compare_i64(((const i32 *)a->data)[i], ((const i32 *)b->data)[j]);
    }
}

/* Compares one key of two rows. */
static int compare_key(const Work *w, const Column *a, u64 i, const Column *b, u64 j)
{
    int c = 0;
    if (!column_on_need(a) && !column_on_need(b)) return compare_held(w, a, i, b, j);
    if (!hold(w, a, i)) return 0;
    if (hold(w, b, j)) {
        c = compare_held(w, a, i, b, j);
        column_done(b, j, j + 1);
    }
    column_done(a, i, i + 1);
    return c;
}

/* Compares two rows by the keys from key_from on. */
static int compare_rows(const Work *w, const Cursor *a, u64 i, const Cursor *b, u64 j)
{
    for (u32 k = w->key_from; k < w->sort_count; k++) {
        int c = compare_key(w, a->cols[w->sort[k]], i, b->cols[w->sort[k]], j);
        if (c != 0) return c;
    }
    return 0;
}

/* Whether row i of cursor a goes before row j of cursor b. */
static bool row_before(const Work *w, const Cursor *a, u64 i, const Cursor *b, u64 j)
{
    if (w->timed && w->key_from == 1) {
        i64 x = a->times[i], y = b->times[j];
        return x < y || (x == y && a->order < b->order);
    }
    int c = compare_rows(w, a, i, b, j);
    return c < 0 || (c == 0 && a->order < b->order);
}

static Err copy_spans(void *arg, u64 i);

/* Copies the pending spans to every column. */
static Err flush(Work *w)
{
    if (w->pending == 0) return E_OK;
    Merge *m = w->merge;
    int threads = w->pending * w->schema->column_count < 20000 ? 1 : m->target.threads;
    Err err = pool_run(w->schema->column_count, threads, copy_spans, w);
    m->rows += w->pending;
    m->out.rows = m->rows;
    w->pending = 0;
    w->span_count = 0;
    return err == E_OK ? splay_out_deflate(&m->out) : err;
}

static Err span_put(Work *w, u32 run, u64 from, u32 count)
{
    Span *last = w->span_count > 0 ? &w->spans[w->span_count - 1] : NULL;
    if (last != NULL && last->run == run && last->from + last->count == from &&
        last->count <= UINT32_MAX - count) {
        last->count += count;
    } else {
        if (w->span_count == w->span_room) {
            u64 room = w->span_room == 0 ? 1024 : 2 * w->span_room;
            Span *spans = realloc(w->spans, room * sizeof(Span));
            if (spans == NULL)
                return fail(E_MEMORY, "merge: no memory for %llu spans", (unsigned long long)room);
            w->spans = spans;
            w->span_room = room;
        }
        ASSERT(w->spans != NULL);
        w->spans[w->span_count++] = (Span){run, count, from};
    }
    w->pending += count;
    return w->pending >= w->chunk ? flush(w) : E_OK;
}

/* Emits the next `count` rows of a cursor, in pieces that fit the chunk. */
static Err emit(Work *w, u32 run, u64 count)
{
    Cursor *c = &w->cursors[run];
    ASSERT(count <= c->end - c->at);
    if (w->merge->failed != E_OK) return w->merge->failed;
    while (count > 0) {
        u64 n = MIN(count, w->chunk - w->pending);
        Err err = span_put(w, run, c->at, (u32)n);
        if (err != E_OK) return err;
        c->at += n;
        count -= n;
    }
    return E_OK;
}

/* Rows on their way from short spans to a column. */
typedef struct {
    ColumnOut *out;
    u64 width, rows, room;
    u8 bytes[32768];
} Gather;

static Err gather_flush(Gather *g)
{
    u64 rows = g->rows;
    g->rows = 0;
    return rows == 0 ? E_OK : column_append(g->out, g->bytes, rows);
}

/* Takes rows of a fixed width; many at once go straight to the column. */
static Err gather_rows(Gather *g, const void *from, u64 rows)
{
    Err err = E_OK;
    if (rows > g->room - g->rows) TRY(gather_flush(g));
    if (rows > g->room / 4) {
        TRY(gather_flush(g));
        return column_append(g->out, from, rows);
    }
    memcpy(g->bytes + g->rows * g->width, from, rows * g->width);
    g->rows += rows;
done:
    return err;
}

/* Takes rows of 32-bit indices. */
static Err gather_narrow(Gather *g, const Column *c, u64 from, u64 rows)
{
    Err err = E_OK;
    for (u64 i = 0; i < rows; i++) {
        i64 index = column_index(c, from + i);
        if (g->rows == g->room) TRY(gather_flush(g));
        memcpy(g->bytes + g->rows++ * sizeof index, &index, sizeof index);
    }
done:
    return err;
}

static Err append_lists(const Work *w, ColumnOut *out, const Column *c, u64 from, u64 rows)
{
    DomainSet domains = domain_alone(w->merge->target.domain);
    return column_append_column(out, c, NULL, from, rows, &domains);
}

static void widen_times(Merge *m, const i64 *t, u64 rows)
{
    i64 low = m->time_min, high = m->time_max;
    for (u64 r = 0; r < rows; r++) {
        low = MIN(low, t[r]);
        high = MAX(high, t[r]);
    }
    m->time_min = low;
    m->time_max = high;
}

/* Copies rows of one column that are readable. */
static Err copy_rows(const Work *w, Gather *g, const Column *c, u64 i, u64 from, u64 rows)
{
    Err err = E_OK;
    if (c->type >= QT_NESTED || c->type == QT_LIST)
        err = append_lists(w, g->out, c, from, rows);
    else if (c->type == QT_ENUM && !c->wide)
        err = gather_narrow(g, c, from, rows);
    else
        err = gather_rows(g, (const u8 *)c->data + from * g->width, rows);
    if (err == E_OK && w->schema->prtn == (i32)i)
        widen_times(w->merge, (const i64 *)c->data + from, rows);
    return err;
}

/* Copies a span of one column. */
static Err copy_span(const Work *w, Gather *g, const Column *c, u64 i, const Span *span)
{
    Err err = E_OK;
    if (!column_on_need(c)) return copy_rows(w, g, c, i, span->from, span->count);
    for (u64 at = span->from, end = at + span->count, n; at < end; at += n) {
        n = MIN(end - at, NEED_ROWS);
        TRY(column_need(c, at, at + n));
        err = copy_rows(w, g, c, i, at, n);
        column_done(c, at, at + n);
        if (err != E_OK) return err;
    }
done:
    return err;
}

/* Writes the spans of one column. */
static Err copy_spans(void *arg, u64 i)
{
    Work *w = arg;
    Err err = E_OK;
    Gather g;
    int type = schema_memory_type(&w->schema->columns[i]);
    g.out = w->merge->out.cols[i];
    g.rows = 0;
    g.width = type_disk_width(type);
    g.room = g.width == 0 ? 0 : sizeof g.bytes / g.width;
    for (u64 s = 0; s < w->span_count; s++) {
        const Span *span = &w->spans[s];
        TRY(copy_span(w, &g, w->cursors[span->run].cols[i], i, span));
    }
    TRY(gather_flush(&g));
done:
    return err;
}

/* The heap holds cursors whose heads are compared by rows. */
static bool heap_before(const Work *w, u32 a, u32 b)
{
    const Cursor *x = &w->cursors[a], *y = &w->cursors[b];
    return row_before(w, x, x->at, y, y->at);
}

static void heap_sift(const Work *w, u32 *heap, u32 count, u32 at)
{
    for (;;) {
        u32 least = at;
        for (u32 child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (heap_before(w, heap[child], heap[least])) least = child;
        if (least == at) return;
        u32 swap = heap[at];
        heap[at] = heap[least];
        heap[least] = swap;
        at = least;
    }
}

static void heap_make(const Work *w, u32 *heap, u32 count)
{
    for (u32 i = count / 2; i-- > 0;)
        heap_sift(w, heap, count, i);
}

/* How many rows of `c` from its head on, up to `end`, go before the head of `d`. */
static u64 gallop(const Work *w, const Cursor *c, u64 end, const Cursor *d)
{
    u64 known = 1, step = 1, left = end - c->at; /* the head itself goes first */
    while (known + step <= left && row_before(w, c, c->at + known + step - 1, d, d->at)) {
        known += step;
        step *= 2;
    }
    u64 high =
        MIN(known + step - 1, left); /* row known+step-1 (if any) does not go before d's head */
    while (known < high) {
        u64 mid = known + (high - known) / 2;
        if (row_before(w, c, c->at + mid, d, d->at))
            known = mid + 1;
        else
            high = mid;
    }
    return known;
}

/* Merges the cursors named in heap[0..count), each up to its group_end, by the keys from key_from
 * on. */
static Err merge_heads(Work *w, u32 *heap, u32 count)
{
    heap_make(w, heap, count);
    while (count > 1) {
        Cursor *c = &w->cursors[heap[0]];
        u32 second = count > 2 && heap_before(w, heap[2], heap[1]) ? 2 : 1;
        u64 n = gallop(w, c, c->group_end, &w->cursors[heap[second]]);
        Err err = emit(w, heap[0], n);
        if (err != E_OK) return err;
        if (c->at == c->group_end) heap[0] = heap[--count];
        heap_sift(w, heap, count, 0);
    }
    Cursor *last = &w->cursors[heap[0]];
    return emit(w, heap[0], last->group_end - last->at);
}

/* Where the payload of a parted column says that the group at a cursor's head ends. False when it
 * says nothing, or what the rows at both ends contradict; the payload is not asked again then. */
static bool group_known(const Work *w, Cursor *c, const Column *key, i64 index)
{
    if (c->part == UINT64_MAX) return false;
    while (c->part < key->key_count && (u64)key->offs[c->part + 1] <= c->at)
        c->part++;
    if (c->part < key->key_count && (u64)key->offs[c->part] <= c->at) {
        u64 end = MIN((u64)key->offs[c->part + 1], c->end);
        bool next = end < c->end && index_at(w, key, end) == index;
        if (index_at(w, key, end - 1) == index && !next) {
            c->group_end = end;
            return true;
        }
    }
    c->part = UINT64_MAX;
    return false;
}

/* Finds the group that begins at a cursor's head: rows with the same domain index. */
static void group_find(const Work *w, Cursor *c)
{
    const Column *key = c->cols[w->sort[0]];
    i64 index = index_at(w, key, c->at);
    c->rank = rank_of(w, index);
    if (group_known(w, c, key, index)) return;
    u64 known = 1, step = 1, left = c->end - c->at;
    while (known + step <= left && index_at(w, key, c->at + known + step - 1) == index) {
        known += step;
        step *= 2;
    }
    u64 high = MIN(known + step - 1, left);
    while (known < high) {
        u64 mid = known + (high - known) / 2;
        if (index_at(w, key, c->at + mid) == index)
            known = mid + 1;
        else
            high = mid;
    }
    c->group_end = c->at + known;
}

/* Moves a cursor to the list of the group that it has reached. */
static void group_enter(const Work *w, u32 cursor)
{
    Cursor *c = &w->cursors[cursor];
    if (c->at == c->end) return;
    group_find(w, c);
    w->next[cursor] = w->first[c->rank];
    w->first[c->rank] = cursor + 1;
}

/* Takes the cursors of a rank out of its list, in the order of the runs. */
static u32 group_members(const Work *w, u32 rank, u32 *members)
{
    u32 count = 0, low = UINT32_MAX, high = 0;
    for (u32 at = w->first[rank]; at != 0; at = w->next[at - 1]) {
        u32 word = (at - 1) / 64;
        w->marks[word] |= 1ull << (at - 1) % 64;
        low = MIN(low, word);
        high = MAX(high, word);
    }
    w->first[rank] = 0;
    for (u32 word = low; word <= high && low != UINT32_MAX; word++) {
        for (u64 bits = w->marks[word]; bits != 0; bits &= bits - 1)
            members[count++] = 64 * word + (u32)__builtin_ctzll(bits);
        w->marks[word] = 0;
    }
    return count;
}

/* Whether each group ends before the next one begins, so that they are in order one after
 * another. */
static bool in_line(const Work *w, const u32 *members, u32 count)
{
    for (u32 i = 1; i < count; i++) {
        const Cursor *a = &w->cursors[members[i - 1]], *b = &w->cursors[members[i]];
        if (!row_before(w, a, a->group_end - 1, b, b->at)) return false;
    }
    return true;
}

/* Takes the groups of equal first keys one after another, in the order of the names. */
static Err merge_groups(Work *w)
{
    Err err = E_OK;
    u32 *members = w->heap,
        *heads = w->heap + w->cursor_count; /* merge_heads reorders what it is given */
    w->first = calloc(w->rank_end, sizeof(u32));
    w->next = calloc(w->cursor_count, sizeof(u32));
    w->marks = calloc(w->cursor_count / 64 + 1u, sizeof(u64));
    if (w->first == NULL || w->next == NULL || w->marks == NULL)
        TRY(fail(E_MEMORY, "merge: no memory for %u runs", w->cursor_count));
    for (u32 i = 0; i < w->cursor_count; i++)
        group_enter(w, i);
    w->key_from = 1;
    for (u32 rank = 0, next; rank < w->rank_end; rank = next) {
        next = rank + 1;
        if (w->first[rank] == 0) continue;
        u32 count = group_members(w, rank, members);
        if (w->sort_count > 1 && !in_line(w, members, count)) {
            memcpy(heads, members, count * sizeof(u32));
            TRY(merge_heads(w, heads, count));
        }
        for (u32 i = 0; i < count; i++) {
            Cursor *c = &w->cursors[members[i]];
            if (c->at < c->group_end) TRY(emit(w, members[i], c->group_end - c->at));
            group_enter(w, members[i]);
            if (c->at < c->end)
                next = MIN(next,
                           c->rank); /* a run may be grouped, but not in the order of the names */
        }
    }
done:
    return err;
}

static Err mark_index(i64 index, u8 *used, u64 count)
{
    if (index == INT64_MIN) return E_OK;
    if (index < 0 || (u64)index >= count)
        return fail(E_CORRUPT, "an enumeration holds index %lld, but its domain has %llu names",
                    (long long)index, (unsigned long long)count);
    used[index] = 1;
    return E_OK;
}

/* Marks the domain indices that occur in a key column between two rows. */
static Err mark_indices(const Column *c, u64 from, u64 to, u8 *used, u64 count)
{
    Err err = E_OK;
    bool whole = from == 0 && to == c->rows && c->keys != NULL;
    for (u64 i = 0; whole && i < c->key_count; i++) {
        i64 index = c->wide ? (i64)load_u64((const u8 *)c->keys + 8 * i)
                            : load_i32((const u8 *)c->keys + 4 * i);
        TRY(mark_index(!c->wide && index == INT32_MIN ? INT64_MIN : index, used, count));
    }
    for (u64 at = from, n; !whole && at < to; at += n) {
        n = MIN(to - at, NEED_ROWS);
        TRY(column_need(c, at, at + n));
        for (u64 i = at; i < at + n && err == E_OK; i++)
            err = mark_index(column_index(c, i), used, count);
        column_done(c, at, at + n);
        TRY(err);
    }
done:
    return err;
}

/* Orders by name the domain indices that occur in the enumerated keys of all runs. */
static Err make_ranks(Work *w, const MergeRun *runs)
{
    Err err = E_OK;
    const Domain *d = w->merge->target.domain;
    u64 count = (u64)d->count, n = 0;
    u8 *used = calloc(count + 1, 1);
    i32 *ids = malloc((count + 1) * sizeof(i32));
    u32 *by_id = malloc(((u64)symbol_count() + 1) * sizeof(u32));
    w->rank = calloc(count + 1, sizeof(u32));
    w->rank_count = count;
    if (used == NULL || ids == NULL || by_id == NULL || w->rank == NULL)
        TRY(fail(E_MEMORY, "merge: no memory to order %llu names", (unsigned long long)count));
    for (u32 k = 0; k < w->sort_count; k++)
        for (u32 r = 0; r < w->cursor_count; r++) {
            const Column *c = w->cursors[r].cols[w->sort[k]];
            if (c->type == QT_ENUM) TRY(mark_indices(c, runs[r].from, runs[r].to, used, count));
        }
    for (u64 i = 0; i < count; i++)
        if (used[i]) ids[n++] = d->ids[i];
    TRY(sort_symbol_ranks(ids, n, by_id, symbol_count()));
    w->rank_end = 1;
    for (u64 i = 0; i < count; i++) {
        if (!used[i]) continue;
        w->rank[i] = 1 + by_id[d->ids[i]];
        w->rank_end = MAX(w->rank_end, w->rank[i] + 1);
    }
done:
    free(used);
    free(ids);
    free(by_id);
    return err;
}

/* Maps every schema column of a run, with the type that the schema wants. */
static Err map_columns(const Schema *s, MergeRun *run, const Column **cols)
{
    for (u32 i = 0; i < s->column_count; i++) {
        Err err = splay_column(run->splay, s->columns[i].name, run->rows, &cols[i]);
        if (err != E_OK) return err;
        int want = schema_memory_type(&s->columns[i]);
        if (!column_fits(cols[i], want))
            return fail(E_TYPE, "%s/%s: type %s on disk, but the schema says %s", run->splay->path,
                        s->columns[i].name, type_name(cols[i]->type), type_name(want));
    }
    return E_OK;
}

static Err sort_keys_ok(const Schema *s, Place place)
{
    for (u32 i = 0; i < s->sort_count[place]; i++) {
        int type = s->columns[s->sort[place][i]].type;
        if (!type_is_fixed(type) && type != QT_SYMBOL)
            return fail(E_UNSUPPORTED, "table %s: column %s of type %s cannot be sorted by",
                        s->name, s->columns[s->sort[place][i]].name, type_name(type));
    }
    return E_OK;
}

Err merge_open(Merge *m, const MergeTarget *t)
{
    *m = (Merge){.target = *t, .time_min = INT64_MAX, .time_max = INT64_MIN};
    Err err = sort_keys_ok(t->schema, t->place);
    if (err != E_OK) return err;
    err = splay_out_open(&m->out, t->path, t->schema, t->place, t->rows_hint);
    if (err == E_OK && t->sums != NULL) err = splay_out_sums(&m->out, t->sums);
    if (err == E_OK) err = splay_out_codec(&m->out, &t->codec);
    for (u32 i = 0; err == E_OK && i < t->schema->column_count; i++)
        if (t->schema->columns[i].type == QT_SYMBOL)
            column_out_names(m->out.cols[i], t->domain->ids, t->domain->count);
    return err;
}

static void work_free(Work *w, Arena *a)
{
    free(w->rank);
    free(w->heap);
    free(w->first);
    free(w->next);
    free(w->marks);
    free(w->spans);
    arena_free(a);
}

/* Sets up cursors and ranks over the runs. */
static Err work_make(Work *w, Merge *m, MergeRun *runs, u32 run_count, Arena *a)
{
    Err err = E_OK;
    const MergeTarget *t = &m->target;
    *w = (Work){.merge = m, .schema = t->schema, .cursor_count = run_count, .timed = true};
    w->sort = t->schema->sort[t->place];
    w->sort_count = t->schema->sort_count[t->place];
    w->chunk = t->chunk_rows > 0 ? MIN(t->chunk_rows, UINT32_MAX) : MERGE_CHUNK_DEFAULT;
    if (t->codec.codec != CODEC_NONE) w->chunk = MIN(w->chunk, MERGE_CHUNK_ZIPPED);
    w->cursors = arena_array(a, Cursor, run_count);
    w->heap = malloc(2 * ((u64)run_count + 1) * sizeof(u32));
    if (w->heap == NULL) TRY(fail(E_MEMORY, "merge: no memory for %u runs", run_count));
    for (u32 i = 0; i < run_count; i++) {
        Cursor *c = &w->cursors[i];
        ASSERT(runs[i].from <= runs[i].to && runs[i].to <= runs[i].rows);
        c->cols = arena_alloc(a, t->schema->column_count * sizeof(Column *));
        c->at = runs[i].from;
        c->end = c->group_end = runs[i].to;
        c->order = i;
        TRY(map_columns(t->schema, &runs[i], c->cols));
        const Column *key = w->sort_count > 0 ? c->cols[w->sort[0]] : NULL;
        bool parted = key != NULL && key->type == QT_ENUM && key->keys != NULL && key->perm == NULL;
        c->part = parted ? 0 : UINT64_MAX;
        int second = w->sort_count == 2 && !column_on_need(c->cols[w->sort[1]])
                         ? c->cols[w->sort[1]]->type
                         : 0;
        if (second == QT_TIMESTAMP || second == QT_LONG || second == QT_TIMESPAN)
            c->times = c->cols[w->sort[1]]->data;
        w->timed &= c->times != NULL || c->at == c->end;
    }
    TRY(make_ranks(w, runs));
done:
    return err;
}

Err merge_add(Merge *m, MergeRun *runs, u32 run_count)
{
    Err err = E_OK;
    Work w = {0};
    Arena a = {0};
    if (run_count == 0) return E_OK;
    TRY(work_make(&w, m, runs, run_count, &a));
    if (w.sort_count > 0 && w.cursors[0].cols[w.sort[0]]->type == QT_ENUM) {
        TRY(merge_groups(&w));
    } else if (w.sort_count > 0) {
        u32 count = 0;
        for (u32 i = 0; i < run_count; i++)
            if (w.cursors[i].at < w.cursors[i].end) w.heap[count++] = i;
        if (count > 0) TRY(merge_heads(&w, w.heap, count));
    } else {
        for (u32 i = 0; i < run_count; i++)
            TRY(emit(&w, i, w.cursors[i].end - w.cursors[i].at));
    }
    TRY(flush(&w));
done:
    work_free(&w, &a);
    return err == E_OK ? E_OK : fail_note(err, "table %s", m->target.schema->name);
}

Err merge_finish(Merge *m)
{
    Err err = splay_out_finish(&m->out);
    m->bytes = m->out.bytes;
    return err;
}

void merge_drop(Merge *m) { splay_out_drop(&m->out); }

Err merge_is_sorted(const Schema *s, Place place, const Domain *d, MergeRun *run, bool *sorted)
{
    Err err = E_OK;
    Work w = {0};
    Arena a = {0};
    Merge m = {.target = {.schema = s, .place = place, .domain = d}};
    TRY(work_make(&w, &m, run, 1, &a));
    *sorted = true;
    for (u64 i = run->from + 1; i < run->to && *sorted && m.failed == E_OK; i++)
        *sorted = compare_rows(&w, &w.cursors[0], i - 1, &w.cursors[0], i) <= 0;
    err = m.failed;
done:
    work_free(&w, &a);
    return err;
}

/* Makes rows of the key columns of a run readable; or ends that. */
static Err hold_keys(const Work *w, u64 from, u64 count)
{
    Err err = E_OK;
    u32 held = 0;
    for (; held < w->sort_count; held++)
        TRY(column_need(w->cursors[0].cols[w->sort[held]], from, from + count));
done:
    while (err != E_OK && held-- > 0)
        column_done(w->cursors[0].cols[w->sort[held]], from, from + count);
    return err;
}

static void let_keys_go(const Work *w, u64 from, u64 count)
{
    for (u32 k = 0; k < w->sort_count; k++)
        column_done(w->cursors[0].cols[w->sort[k]], from, from + count);
}

/* The sort keys of rows [from, from + count) of a mapped run, which are readable: enumerations as
 * arrays of ranks. */
static void piece_keys(const Work *w, u64 from, u64 count, SortKey *keys, i32 *ranks)
{
    for (u32 k = 0; k < w->sort_count; k++) {
        const Column *c = w->cursors[0].cols[w->sort[k]];
        if (c->type == QT_ENUM) {
            for (u64 i = 0; i < count; i++)
                ranks[i] = (i32)rank_of(w, column_index(c, from + i));
            keys[k] = (SortKey){.type = QT_INT, .data = ranks};
            ranks += count;
        } else {
            keys[k] = (SortKey){.type = c->type,
                                .data = (const u8 *)c->data + from * type_disk_width(c->type)};
        }
    }
}

/* Writes the rows from + perm[0..count) of a column of fixed width, which are readable. */
static Err write_picked(ColumnOut *out, const Column *c, u64 from, const u32 *perm, u64 count)
{
    if (c->type != QT_ENUM || c->wide) {
        const u8 *base = (const u8 *)c->data + from * type_disk_width(c->type);
        return column_append_picked(out, base, perm, count);
    }
    i64 *indices = malloc((count + 1) * sizeof(i64));
    if (indices == NULL)
        return fail(E_MEMORY, "merge: no memory for %llu rows", (unsigned long long)count);
    for (u64 r = 0; r < count; r++)
        indices[r] = column_index(c, from + perm[r]);
    Err err = column_append(out, indices, count);
    free(indices);
    return err;
}

/* Writes one piece in sorted order as a table folder. */
static Err write_piece(const Work *w, const MergeTarget *t, const char *path, u64 from,
                       const u32 *perm, u64 count)
{
    Err err = E_OK;
    SplayOut out = {0};
    TRY(dir_remove_all(path)); /* of a try that failed */
    TRY(splay_out_open(&out, path, t->schema, t->place, count));
    for (u32 i = 0; i < t->schema->column_count; i++) {
        const Column *c = w->cursors[0].cols[i];
        if (c->type >= QT_NESTED || c->type == QT_LIST) {
            for (u64 r = 0; r < count; r++)
                TRY(append_lists(w, out.cols[i], c, from + perm[r], 1));
        } else {
            TRY(column_need(c, from, from + count));
            err = write_picked(out.cols[i], c, from, perm, count);
            column_done(c, from, from + count);
            TRY(err);
        }
    }
    out.rows = count;
    TRY(splay_out_finish(&out));
done:
    if (err != E_OK) splay_out_drop(&out);
    return err;
}

Err merge_sort_pieces(const MergeTarget *t, MergeRun *run, u64 piece_rows, Arena *a,
                      MergeRun **pieces, u32 *count)
{
    Err err = E_OK;
    Work w = {0};
    Arena scratch = {0};
    Merge m = {.target = *t};
    u32 *perm = NULL;
    i32 *ranks = NULL;
    u64 rows = run->to - run->from;
    if (piece_rows == 0 || piece_rows > UINT32_MAX - 1) piece_rows = UINT32_MAX - 1;
    u64 most = MIN(piece_rows, rows), total = rows == 0 ? 0 : (rows + most - 1) / most;
    *count = 0;
    *pieces = arena_array(a, MergeRun, total + 1);
    TRY(sort_keys_ok(t->schema, t->place));
    TRY(work_make(&w, &m, run, 1, &scratch));
    perm = malloc((most + 1) * sizeof(u32));
    ranks = malloc((most + 1) * (w.sort_count + 1u) * sizeof(i32));
    SortKey *keys = arena_array(&scratch, SortKey, w.sort_count + 1u);
    if (perm == NULL || ranks == NULL)
        TRY(fail(E_MEMORY, "merge: no memory to sort %llu rows", (unsigned long long)most));
    for (u64 i = 0; i < total; i++) {
        u64 from = run->from + i * most, n = MIN(most, run->to - from);
        char *path = arena_format(a, "%s.%llu", t->path, (unsigned long long)i);
        bool sorted = false;
        TRY(hold_keys(&w, from, n));
        piece_keys(&w, from, n, keys, ranks);
        err = sort_order(keys, w.sort_count, n, perm, &sorted);
        let_keys_go(&w, from, n);
        TRY(err);
        TRY(write_piece(&w, t, path, from, perm, n));
        MergeRun *piece = &(*pieces)[*count];
        piece->splay = arena_new(a, Splay);
        piece->rows = n;
        piece->to = n;
        TRY(splay_open(piece->splay, path));
        (*count)++;
    }
done:
    free(perm);
    free(ranks);
    work_free(&w, &scratch);
    return err;
}
