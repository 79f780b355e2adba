/*
 * live: rows after the watermark: chunks that never move, snapshots that stay, intervals that go as
 * a whole.
 */
#include "unit/stream/rows.h"

#include "stream/live.h"

#include <pthread.h>

#define T0 800000000000000000ll

typedef struct {
    Live *l;
    u64 position;
    Buf body;
} World;

static Err apply(World *x, u8 kind, const char *table, u64 rows)
{
    WalRecord r = {.position = x->position,
                   .end = x->position + 64 + round_up(x->body.size, 8),
                   .kind = kind,
                   .rows = (u32)rows,
                   .table = str_of(table),
                   .body = x->body.data,
                   .size = x->body.size};
    Err err = live_apply(x->l, &r);
    if (!err) x->position = r.end;
    return err;
}

/* Trades first.. with times T0 + number. */
static void trades(World *x, u64 count, u64 first)
{
    rows_run(&x->body, T0 + (i64)first, count, first);
    assert_ok(apply(x, WAL_DATA, "trade", count));
}

static void end_interval(World *x) { assert_ok(apply(x, WAL_CONTROL, "_prtnEnd", 0)); }

/* A snapshot holds exactly the trades [from, to), and its times bound them. */
static void expect(Live *l, u64 watermark, u64 from, u64 to)
{
    Arena a = {0};
    LiveSlice *s;
    u32 count;
    assert_ok(live_snapshot(l, 0, watermark, &a, &s, &count));
    u64 n = from;
    for (u32 i = 0; i < count; i++) {
        assert_int_equal(s[i].time_min, T0 + (i64)n);
        for (u64 at = 0; at < s[i].rows; at++, n++)
            rows_check_trade(s[i].chunk->batch.cols, at, T0 + (i64)n, n);
        assert_int_equal(s[i].time_max, T0 + (i64)n - 1);
    }
    assert_int_equal(n, to);
    live_release(l, s, count);
    arena_free(&a);
}

static void rows_appear_in_order(void **state)
{
    (void)state;
    World x = {0};
    assert_ok(live_make(&x.l, rows_tables(), 0));
    expect(x.l, 0, 0, 0);
    assert_int_equal(live_position(x.l), 0);
    u64 n = 0;
    static const u64 sizes[] = {1, 1, 7, 1000, 0, 1, 5000, 3, 70000, 2, 65536, 1};
    for (u64 i = 0; i < COUNT_OF(sizes); i++) {
        trades(&x, sizes[i], n);
        n += sizes[i];
        assert_int_equal(live_rows(x.l, 0), n);
        assert_int_equal(live_position(x.l), x.position);
    }
    expect(x.l, 0, 0, n);
    assert_int_equal(live_rows(x.l, ~0u), n);
    assert_int_equal(live_rows(x.l, 1), 0);
    assert_true(live_bytes(x.l, 0) > 0);
    assert_int_equal(live_bytes(x.l, 1), 0);
    live_free(x.l);
    live_free(NULL);
    buf_free(&x.body);
}

static void what_does_not_fit_is_skipped(void **state)
{
    (void)state;
    World x = {0};
    assert_ok(live_make(&x.l, rows_tables(), 0));
    trades(&x, 5, 0);
    rows_run(&x.body, T0, 3, 0);
    assert_ok(apply(&x, WAL_DATA, "unknown", 3));
    assert_int_equal(live_skipped(x.l), 1);
    assert_int_equal(live_position(x.l), x.position);
    assert_ok(apply(&x, WAL_DATA, "ref", 3)); /* published under another schema */
    assert_int_equal(live_skipped(x.l), 2);
    assert_int_equal(live_rows(x.l, 1), 0);
    assert_int_equal(live_position(x.l), x.position);
    assert_ok(apply(&x, WAL_CONTROL, "_reload", 0));
    /* A table without a partition column: nothing may be pruned. */
    static const u8 ref[] = {0, 0, 2, 0, 0, 0, 7,    0, 1, 0, 0, 0, 42,  0,
                             0, 0, 0, 0, 0, 0, 0x0b, 0, 1, 0, 0, 0, 'a', 0};
    buf_clear(&x.body);
    assert_ok(buf_append(&x.body, ref, sizeof ref));
    assert_ok(apply(&x, WAL_DATA, "ref", 1));
    Arena a = {0};
    LiveSlice *s;
    u32 count;
    assert_ok(live_snapshot(x.l, 1, 0, &a, &s, &count));
    assert_int_equal(count, 1);
    assert_true(s[0].time_min == INT64_MIN && s[0].time_max == INT64_MAX);
    assert_int_equal(vec_i64(&s[0].chunk->batch.cols[0])[0], 42);
    live_release(x.l, s, count);
    arena_free(&a);
    expect(x.l, 0, 0, 5);
    live_free(x.l);
    buf_free(&x.body);
}

static void intervals_go_as_a_whole(void **state)
{
    (void)state;
    World x = {0};
    assert_ok(live_make(&x.l, rows_tables(), 0));
    u64 ends[6], counts[6], n = 0;
    for (u64 i = 0; i < 6; i++) {
        for (u64 k = 0; k < 5; k++) {
            trades(&x, 700, n);
            n += 700;
        }
        end_interval(&x);
        ends[i] = x.position;
        counts[i] = n;
    }
    trades(&x, 10, n);
    n += 10;
    for (u64 i = 0; i < 6; i++)
        expect(x.l, ends[i], counts[i], n); /* as each view sees it, before anything is dropped */
    expect(x.l, 0, 0, n);
    live_drop(x.l, 0);
    expect(x.l, 0, 0, n);
    /* A query on an old view holds its rows over the drop. */
    Arena a = {0};
    LiveSlice *s;
    u32 count;
    assert_ok(live_snapshot(x.l, 0, ends[1], &a, &s, &count));
    live_drop(x.l, ends[3]);
    assert_int_equal(live_rows(x.l, 0), n - counts[3]);
    expect(x.l, ends[3], counts[3], n);
    for (u64 i = 0; i < 3; i++) { /* new rows do not take its memory */
        trades(&x, 3000, n);
        n += 3000;
    }
    u64 at = counts[1];
    for (u32 i = 0; i < count; i++)
        for (u64 row = 0; row < s[i].rows; row++, at++)
            rows_check_trade(s[i].chunk->batch.cols, row, T0 + (i64)at, at);
    assert_int_equal(at, n - 9000);
    live_release(x.l, s, count);
    end_interval(&x);
    live_drop(x.l, x.position);
    assert_int_equal(live_rows(x.l, ~0u), 0);
    assert_int_equal(live_bytes(x.l, 0), 0);
    trades(&x, 3, n);
    expect(x.l, 0, n, n + 3);
    arena_free(&a);
    live_free(x.l);
    buf_free(&x.body);
}

static void memory_is_bounded_and_used_again(void **state)
{
    (void)state;
    World x = {0};

    enum { MAX_BYTES = 8 << 20 };

    assert_ok(live_make(&x.l, rows_tables(), MAX_BYTES));
    u64 n = 0, most = 0;
    for (u64 interval = 0; interval < 40; interval++) {
        for (u64 i = 0; i < 20; i++) {
            trades(&x, 1000, n);
            n += 1000;
        }
        most = MAX(most, live_bytes(x.l, ~0u));
        end_interval(&x);
        live_drop(x.l, x.position);
    }
    assert_true(most <= MAX_BYTES);
    Err err = E_OK;
    u64 first = n;
    for (; !err && n < first + 10000000; n += err ? 0 : 1000) {
        rows_run(&x.body, T0 + (i64)n, 1000, n);
        err = apply(&x, WAL_DATA, "trade", 1000);
    }
    assert_err(E_LIMIT, err);
    assert_int_equal(live_rows(x.l, 0), n - first);
    assert_int_equal(live_position(x.l), x.position);
    assert_true(live_bytes(x.l, ~0u) <= MAX_BYTES);
    assert_true(live_bytes(x.l, ~0u) > MAX_BYTES / 3);
    expect(x.l, 0, first, n);
    live_drop(x.l, x.position);
    assert_ok(apply(&x, WAL_DATA, "trade", 1000)); /* now it fits */
    live_free(x.l);
    buf_free(&x.body);
}

/* A chunk is twice as large as the one before it, but not so large that it fits no more. */
static void chunks_stay_within_a_small_bound(void **state)
{
    (void)state;
    World x = {0};
    assert_ok(live_make(&x.l, rows_tables(), 600000));
    for (u64 n = 0; n < 12; n++) {
        trades(&x, 1, n);
        end_interval(&x);
        live_drop(x.l, x.position);
    }
    assert_true(live_bytes(x.l, ~0u) <= 600000);
    live_free(x.l);
    buf_free(&x.body);
}

/* The promise of live.h: 1.3 times the rows' binary size. */
static void memory_is_near_what_the_rows_need(void **state)
{
    (void)state;
    static const u64 sizes[] = {1, 100, 1000, 10000, 40000, 100000, 300000};
    for (u64 i = 0; i < COUNT_OF(sizes); i++) {
        World x = {0};
        assert_ok(live_make(&x.l, rows_tables(), 0));
        rows_run(&x.body, T0, sizes[i], 0);
        for (u64 rows = 0; rows < (sizes[i] == 1 ? 200000 : 1200000); rows += sizes[i])
            assert_ok(apply(&x, WAL_DATA, "trade", sizes[i]));
        f64 ratio = (f64)live_bytes(x.l, 0) / (f64)live_binary(x.l, 0);
        if (ratio > 1.3 || ratio < 0.5)
            fail_msg("messages of %llu rows: %.2f", (unsigned long long)sizes[i], ratio);
        assert_int_equal(live_binary(x.l, ~0u), live_binary(x.l, 0));
        live_free(x.l);
        buf_free(&x.body);
    }
}

/* ---- a worker reads while the loop appends; run under the thread sanitizer (BUILD=tsan) */

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t change;
    LiveSlice *slices; /* a snapshot for the worker, NULL = none */
    u32 count;
    u64 rows, first;
    bool done, stop;
    u64 bad;
} Desk;

static void *worker(void *arg)
{
    Desk *d = arg;
    pthread_mutex_lock(&d->lock);
    while (!d->stop) {
        if (!d->slices || d->done) {
            pthread_cond_wait(&d->change, &d->lock);
            continue;
        }
        pthread_mutex_unlock(&d->lock);
        u64 n = d->first;
        for (u32 i = 0; i < d->count; i++) {
            const Vec *cols = d->slices[i].chunk->batch.cols;
            for (u64 at = 0; at < d->slices[i].rows; at++, n++)
                if (vec_i64(&cols[0])[at] != T0 + (i64)n ||
                    cols[3].offs[at + 1] <= cols[3].offs[at])
                    d->bad++;
        }
        if (n != d->rows) d->bad++;
        pthread_mutex_lock(&d->lock);
        d->done = true;
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

static void a_worker_reads_while_rows_come(void **state)
{
    (void)state;
    World x = {0};
    Desk d = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};
    pthread_t thread;
    Arena a = {0};
    u64 n = 0, watermark = 0, first = 0, looks = 0;
    assert_ok(live_make(&x.l, rows_tables(), 0));
    assert_int_equal(pthread_create(&thread, NULL, worker, &d), 0);
    for (u64 turn = 0; turn < 3000; turn++) {
        u64 count = turn % 37;
        trades(&x, count, n);
        n += count;
        if (turn % 400 == 399) {
            end_interval(&x);
            watermark = x.position;
            first = n;
            live_drop(x.l, watermark);
        }
        pthread_mutex_lock(&d.lock);
        if (d.done) {
            live_release(x.l, d.slices, d.count);
            d.slices = NULL;
            d.done = false;
            looks++;
        }
        if (!d.slices) {
            arena_reset(&a);
            LiveSlice *s;
            assert_ok(live_snapshot(x.l, 0, watermark, &a, &s, &d.count));
            d.slices = s;
            d.rows = n;
            d.first = first;
            pthread_cond_signal(&d.change);
        }
        pthread_mutex_unlock(&d.lock);
    }
    pthread_mutex_lock(&d.lock);
    d.stop = true;
    pthread_cond_signal(&d.change);
    pthread_mutex_unlock(&d.lock);
    pthread_join(thread, NULL);
    assert_int_equal(d.bad, 0);
    assert_true(looks > 0);
    if (d.slices) live_release(x.l, d.slices, d.count);
    arena_free(&a);
    live_free(x.l);
    buf_free(&x.body);
}

/* Strings of one character may come as atoms, which are shorter in a message than lists are: a
 * column's heap must have room for them all the same, as it cannot move under a reader. */
static void atoms_find_room_in_lists(void **state)
{
    (void)state;
    World x = {0};
    Arena a = {0};
    LiveSlice *s;
    u32 count;
    assert_ok(live_make(&x.l, rows_tables(), 0));
    const void *heap = NULL;
    for (u64 round = 0; round < 20; round++) {
        u64 rows = 200;
        u8 head[6] = {QT_LIST};
        store_u32(head + 2, 4);
        buf_clear(&x.body);
        assert_ok(buf_append(&x.body, head, 6));

        static const struct {
            int type;
            const char *element;
            u64 size;
        } cols[] = {{QT_TIMESTAMP, "\1\0\0\0\0\0\0", 8},
                    {QT_SYMBOL, "", 1},
                    {QT_FLOAT, "\0\0\0\0\0\0\0", 8},
                    {QT_LIST, "\xf6z", 2}};

        for (u32 c = 0; c < COUNT_OF(cols); c++) {
            head[0] = (u8)cols[c].type;
            store_u32(head + 2, (u32)rows);
            assert_ok(buf_append(&x.body, head, 6));
            for (u64 i = 0; i < rows; i++)
                assert_ok(buf_append(&x.body, cols[c].element, cols[c].size));
        }
        assert_ok(apply(&x, WAL_DATA, "trade", rows));
        assert_ok(live_snapshot(x.l, 0, 0, &a, &s, &count));
        const Vec *notes = &s[0].chunk->batch.cols[3];
        if (heap == NULL) heap = notes->data;
        assert_ptr_equal(notes->data, heap);
        assert_true(notes->offs[s[0].rows] == s[0].rows);
        live_release(x.l, s, count);
    }
    arena_free(&a);
    live_free(x.l);
    buf_free(&x.body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_appear_in_order),
        cmocka_unit_test(atoms_find_room_in_lists),
        cmocka_unit_test(what_does_not_fit_is_skipped),
        cmocka_unit_test(intervals_go_as_a_whole),
        cmocka_unit_test(memory_is_bounded_and_used_again),
        cmocka_unit_test(chunks_stay_within_a_small_bound),
        cmocka_unit_test(memory_is_near_what_the_rows_need),
        cmocka_unit_test(a_worker_reads_while_rows_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
