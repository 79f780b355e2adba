/*
 * live: the rows that no view holds yet, table by table, in chunks.
 *
 * A chunk is a Batch whose columns get all their room at birth; what does not fit begins the next
 * chunk, so that no column ever moves while a worker reads it. Rooms double from 1024 to 65,536
 * rows within a table's life; a room is a whole number of messages of the present size, so that a
 * steady stream leaves no gap at its end. List columns also have a heap; a message fits when the
 * elements of its lists do. A chunk is
 *
 *     open     the newest of its table, takes rows
 *     closed   full, or an interval ended (`_prtnEnd`): never takes rows again
 *     retired  dropped, as a view that holds its rows was opened; waits for its last snapshot
 *     free     memory kept for the table's next chunk: fresh memory costs more than the rows
 *
 * Invariants:
 *   1. The rows of a chunk lie on one side of every interval's end, so a view's watermark never
 *      falls inside of one.
 *   2. A published row (index below a count that was handed out) is never written again, nor are
 *      the offsets up to it.
 *
 * Threads: all calls on the loop thread. See live.h for what workers may read.
 */
#include "stream/live.h"
#include "base/map.h"

#define LIVE_ROWS_FIRST 1024
#define LIVE_ROWS_TOP   65536
#define LIVE_HEAP_ROW   16 /* elements of a list column's row, until we know */
#define LIVE_FREE_MAX   4  /* chunks of a table kept for reuse */

/* The chunks of one table. */
typedef struct {
    LiveChunk *first, *last;
    bool open; /* `last` takes rows */
    LiveChunk *free;
    u32 free_count;
    u64 rows_next; /* room of the next chunk */
    u64 *heap;     /* by column: elements of lists that the message at hand brings */
    u64 rows, bytes;
} LiveTable;

struct Live {
    Arena memory;
    const SchemaSet *tables;
    Map names;
    LiveTable *table;
    LiveChunk *retired;
    LiveChunk *husks; /* chunks without memory */
    u64 memory_max;
    u64 bytes; /* held by chunks in any state */
    u64 position;
    u64 skipped;
};

Err live_make(Live **out, const SchemaSet *tables, u64 memory_max)
{
    Arena memory = {0};
    Live *l = arena_new(&memory, Live);
    *l = (Live){.memory = memory, .tables = tables, .memory_max = memory_max};
    l->table = arena_array(&l->memory, LiveTable, tables->count);
    for (u32 i = 0; i < tables->count; i++) {
        map_put(&l->names, str_of(tables->tables[i]->name), (i32)i);
        l->table[i].rows_next = LIVE_ROWS_FIRST;
        l->table[i].heap = arena_array(&l->memory, u64, tables->tables[i]->column_count + 1ull);
    }
    *out = l;
    return E_OK;
}

/* ---- memory of chunks */

static bool is_list(const Vec *v) { return type_is_nested(v->type); }

/* Takes the memory away from a chunk. */
static void empty(Live *l, LiveChunk *c)
{
    l->bytes -= c->bytes;
    batch_free(&c->batch);
    *c = (LiveChunk){.next = l->husks};
    l->husks = c;
}

static void empty_list(Live *l, LiveChunk *c)
{
    for (LiveChunk *next; c; c = next) {
        next = c->next;
        empty(l, c);
    }
}

void live_free(Live *l)
{
    if (!l) return;
    for (u32 i = 0; i < l->tables->count; i++) {
        empty_list(l, l->table[i].first);
        empty_list(l, l->table[i].free);
    }
    empty_list(l, l->retired);
    map_free(&l->names);
    Arena memory = l->memory;
    arena_free(&memory);
}

/* Gives back the memory that is kept for reuse. */
static void shrink(Live *l)
{
    for (u32 i = 0; i < l->tables->count; i++) {
        empty_list(l, l->table[i].free);
        l->table[i].free = NULL;
        l->table[i].free_count = 0;
    }
}

static u64 heap_room(const LiveChunk *c, u32 col)
{
    const Vec *v = &c->batch.cols[col];
    return v->heap_room - (v->count ? v->offs[v->count] : 0);
}

/* Whether the message at hand fits without moving anything. */
static bool fits(const LiveTable *t, const LiveChunk *c, u64 rows)
{
    if (rows > c->room - c->batch.rows) return false;
    for (u32 i = 0; i < c->batch.schema->column_count; i++)
        if (is_list(&c->batch.cols[i]) && t->heap[i] > heap_room(c, i)) return false;
    return true;
}

/* The heap of a list column for a new chunk of `room` rows: enough when all messages are like this
 * one, or when the rows are like those of the last chunk, whichever is less. */
static u64 heap_wanted(const LiveTable *t, u32 col, u64 room, u64 rows)
{
    u64 need = t->heap[col], heap = room * LIVE_HEAP_ROW;
    if (t->last && t->last->batch.rows) {
        const Batch *b = &t->last->batch;
        heap = (b->cols[col].offs[b->rows] / b->rows + 1) * room;
        heap += heap / 8;
    }
    return MAX(MIN(need * (room / MAX(rows, 1)), heap + need), need);
}

static u64 row_bytes(const Batch *b)
{
    u64 bytes = 0;
    for (u32 i = 0; i < b->schema->column_count; i++)
        bytes += is_list(&b->cols[i]) ? 8 : type_width(b->cols[i].type);
    return bytes;
}

static Err check_memory(Live *l, u64 bytes)
{
    if (!l->memory_max || l->bytes + bytes <= l->memory_max) return E_OK;
    shrink(l);
    if (l->bytes + bytes <= l->memory_max) return E_OK;
    return fail(E_LIMIT, "live rows: %llu bytes and %llu more are beyond the limit of %llu",
                (unsigned long long)l->bytes, (unsigned long long)bytes,
                (unsigned long long)l->memory_max);
}

/* Gives a new chunk its columns; on failure it has none. */
static Err furnish(Live *l, LiveChunk *c, u32 table, u64 room, u64 rows)
{
    Err err = E_OK;
    const LiveTable *t = &l->table[table];
    Batch *b = &c->batch;
    batch_init(b, l->tables->tables[table]);
    u32 count = b->schema->column_count;
    u64 bytes = room * row_bytes(b);
    for (u32 i = 0; i < count; i++)
        if (is_list(&b->cols[i]))
            bytes += heap_wanted(t, i, room, rows) * type_nested_width(b->cols[i].type);
    TRY(check_memory(l, bytes));
    for (u32 i = 0; i < count; i++)
        TRY(vec_reserve(&b->cols[i], room,
                        is_list(&b->cols[i]) ? heap_wanted(t, i, room, rows) : 0));
done:
    if (err != E_OK) batch_free(b);
    c->bytes = err == E_OK ? batch_bytes(b) : 0;
    l->bytes += c->bytes;
    return err;
}

/* A chunk of the free list that has room for the message, or NULL. */
static LiveChunk *reuse(LiveTable *t, u64 room, u64 rows)
{
    for (LiveChunk **at = &t->free, *c; (c = *at) != NULL; at = &c->next) {
        if (c->room < room || !fits(t, c, rows)) continue;
        *at = c->next;
        t->free_count--;
        return c;
    }
    return NULL;
}

/* Begins a chunk that a message of `rows` rows fits. */
static Err begin_chunk(Live *l, u32 table, u64 rows)
{
    LiveTable *t = &l->table[table];
    u64 room = rows ? (t->rows_next + rows - 1) / rows * rows : t->rows_next;
    LiveChunk *c = reuse(t, room, rows);
    if (!c) {
        c = l->husks;
        if (c)
            l->husks = c->next;
        else
            c = arena_new(&l->memory, LiveChunk);
        *c = (LiveChunk){0};
        Err err = furnish(l, c, table, room, rows);
        while (err == E_LIMIT && room > rows) { /* chunks have grown beyond what is left */
            room = MAX(room / 2, rows);
            t->rows_next = MAX(MIN(t->rows_next, room), LIVE_ROWS_FIRST);
            err = furnish(l, c, table, room, rows);
        }
        if (err) {
            empty(l, c);
            return err;
        }
        c->room = room;
    }
    c->next = NULL;
    c->table = table;
    c->end = 0;
    c->time_min = INT64_MAX;
    c->time_max = INT64_MIN;
    c->pins = 0;
    c->retired = false;
    if (t->last)
        t->last->next = c;
    else
        t->first = c;
    t->last = c;
    t->open = true;
    t->bytes += c->bytes;
    t->rows_next = MIN(t->rows_next * 2, LIVE_ROWS_TOP);
    return E_OK;
}

/* ---- rows */

static void add_times(LiveChunk *c, u64 from)
{
    const Schema *s = c->batch.schema;
    if (s->prtn < 0) { /* no times: nothing may be pruned */
        c->time_min = INT64_MIN;
        c->time_max = INT64_MAX;
        return;
    }
    const i64 *t = vec_i64(&c->batch.cols[s->prtn]);
    i64 low = c->time_min, high = c->time_max;
    for (u64 i = from; i < c->batch.rows; i++) {
        low = MIN(low, t[i]);
        high = MAX(high, t[i]);
    }
    c->time_min = low;
    c->time_max = high;
}

static Err add_rows(Live *l, u32 table, const WalRecord *r)
{
    LiveTable *t = &l->table[table];
    u64 rows;
    Err err = batch_measure_wire(l->tables->tables[table], r->body, r->size, &rows, t->heap);
    if (err || rows == 0) return err;
    if (!t->open || !fits(t, t->last, rows)) err = begin_chunk(l, table, rows);
    if (err) return err;
    LiveChunk *c = t->last;
    u64 before = c->batch.rows;
    err = batch_append_wire(&c->batch, r->body, r->size);
    if (err) return err;
    ASSERT(c->batch.rows == before + rows && c->batch.rows <= c->room);
    add_times(c, before);
    c->end = r->end;
    t->rows += rows;
    return E_OK;
}

Err live_apply(Live *l, const WalRecord *r)
{
    ASSERT(r->position >= l->position);
    if (r->kind == WAL_DATA) {
        i32 table = map_find(&l->names, r->table);
        if (table >= 0) {
            Err err = add_rows(l, (u32)table, r);
            if (err == E_TYPE) { /* published under another schema: the write-down parks it */
                l->skipped++;
                err = E_OK;
            }
            if (err) return fail_note(err, "stream position %llu", (unsigned long long)r->position);
        } else {
            l->skipped++;
        }
    } else if (str_is(r->table, "_prtnEnd")) {
        for (u32 i = 0; i < l->tables->count; i++)
            l->table[i].open = false;
    }
    l->position = r->end;
    return E_OK;
}

/* Keeps the memory of a chunk that nobody reads any more, or gives it back. */
static void release(Live *l, LiveChunk *c)
{
    LiveTable *t = &l->table[c->table];
    if (t->free_count >= LIVE_FREE_MAX) {
        empty(l, c);
        return;
    }
    batch_clear(&c->batch);
    c->next = t->free;
    t->free = c;
    t->free_count++;
}

void live_drop(Live *l, u64 watermark)
{
    for (u32 i = 0; i < l->tables->count; i++) {
        LiveTable *t = &l->table[i];
        while (t->first && t->first->end <= watermark) {
            LiveChunk *c = t->first;
            t->first = c->next;
            if (!t->first) {
                t->last = NULL;
                t->open = false;
            }
            t->rows -= c->batch.rows;
            t->bytes -= c->bytes;
            c->retired = true;
            if (c->pins) {
                c->next = l->retired;
                l->retired = c;
            } else {
                release(l, c);
            }
        }
    }
}

/* ---- snapshots */

Err live_snapshot(Live *l, u32 table, u64 watermark, Arena *a, LiveSlice **slices, u32 *count)
{
    ASSERT(table < l->tables->count);
    u32 n = 0;
    for (LiveChunk *c = l->table[table].first; c; c = c->next)
        n += c->end > watermark;
    LiveSlice *s = arena_array(a, LiveSlice, n);
    *slices = s;
    *count = n;
    for (LiveChunk *c = l->table[table].first; c; c = c->next) {
        if (c->end <= watermark) continue;
        *s++ = (LiveSlice){c, c->batch.rows, c->time_min, c->time_max};
        c->pins++;
    }
    return E_OK;
}

void live_release(Live *l, LiveSlice *slices, u32 count)
{
    for (u32 i = 0; i < count; i++) {
        LiveChunk *c = slices[i].chunk;
        ASSERT(c->pins > 0);
        if (--c->pins || !c->retired) continue;
        LiveChunk **at = &l->retired;
        while (*at != c)
            at = &(*at)->next;
        *at = c->next;
        release(l, c);
    }
}

/* ---- figures */

u64 live_position(const Live *l) { return l->position; }

u64 live_skipped(const Live *l) { return l->skipped; }

u64 live_rows(const Live *l, u32 table)
{
    if (table != ~0u) return l->table[table].rows;
    u64 rows = 0;
    for (u32 i = 0; i < l->tables->count; i++)
        rows += l->table[i].rows;
    return rows;
}

u64 live_bytes(const Live *l, u32 table) { return table == ~0u ? l->bytes : l->table[table].bytes; }

static u64 table_binary(const Live *l, u32 table)
{
    u64 bytes = l->table[table].rows * schema_row_bytes(l->tables->tables[table]);
    for (const LiveChunk *c = l->table[table].first; c; c = c->next)
        for (u32 i = 0; i < c->batch.schema->column_count; i++) {
            const Vec *v = &c->batch.cols[i];
            if (is_list(v) && v->count) bytes += v->offs[v->count] * type_nested_width(v->type);
        }
    return bytes;
}

u64 live_binary(const Live *l, u32 table)
{
    if (table != ~0u) return table_binary(l, table);
    u64 bytes = 0;
    for (u32 i = 0; i < l->tables->count; i++)
        bytes += table_binary(l, i);
    return bytes;
}
