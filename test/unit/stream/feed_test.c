/*
 * feed: what is taken, what is refused and where it goes, repetitions, and the failures between
 * them.
 */
#include "unit/stream/rows.h"

#include "os/now.h"
#include "q/wire.h"
#include "stream/feed.h"

#include <errno.h>

#define NOW  800000000000000000ll
#define HOUR 3600000000000ll

static i64 false_now = NOW;

static i64 false_clock(void) { return false_now; }

typedef struct {
    char *dir;
    char wal[512], dead[512], quarantine[512];
    Wal *w;
    Feed *f;
    Buf body;
    u64 refuse_max;
} World;

static void open_world(World *x)
{
    u64 lost;
    assert_ok(wal_open(&x->w, x->wal, &(WalOptions){.file_size = KIT_MIB}, 0, &lost));
    FeedOptions o = {.tables = rows_tables(),
                     .wal = x->w,
                     .dead_path = x->dead,
                     .quarantine_path = x->quarantine,
                     .refuse_bytes_max = x->refuse_max};
    assert_ok(feed_open(&x->f, &o));
}

static void begin(World *x)
{
    *x = (World){.dir = kit_fast_folder()};
    snprintf(x->wal, sizeof x->wal, "%s/wal", x->dir);
    snprintf(x->dead, sizeof x->dead, "%s/dead", x->dir);
    snprintf(x->quarantine, sizeof x->quarantine, "%s/quarantine", x->dir);
    now_fake(false_clock, false_clock);
    false_now = NOW;
    open_world(x);
}

static void close_world(World *x)
{
    feed_close(x->f);
    assert_ok(wal_close(x->w));
}

static void end(World *x)
{
    close_world(x);
    feed_close(NULL);
    buf_free(&x->body);
    kit_remove(x->dir);
    now_fake(NULL, NULL);
}

static Err publish(World *x, const char *table, u64 publisher, u64 session, u64 sequence,
                   FeedResult *r)
{
    FeedMessage m = {.table = str_of(table),
                     .body = x->body.data,
                     .size = x->body.size,
                     .publisher = publisher,
                     .session = session,
                     .sequence = sequence};
    return feed_publish(x->f, &m, r);
}

/* Record `at` of a log: its rows, and its body copied into `body`. */
static u64 read_records(const char *path, u64 at, WalRecord *r, Buf *body)
{
    Tail t;
    WalRecord each;
    bool got = true;
    u64 count = 0;
    Err err = tail_open(&t, path, 0);
    if (err == E_NOT_FOUND) return 0;
    assert_ok(err);
    for (; got; count++) {
        assert_ok(tail_next(&t, &each, &got));
        if (!got) break;
        if (count != at) continue;
        static char table[256];
        *r = each;
        memcpy(table, each.table.data, each.table.size);
        r->table.data = table;
        buf_clear(body);
        assert_ok(buf_append(body, each.body, each.size));
        assert_ok(wire_check(body->data, body->size));
    }
    tail_close(&t);
    return count;
}

static void good_rows_are_taken_as_they_came(void **state)
{
    (void)state;
    World x;
    FeedResult r;
    WalRecord rec;
    Buf body = {0};
    begin(&x);
    rows_run(&x.body, NOW - 5, 100, 0);
    assert_ok(publish(&x, "trade", 0, 0, 0, &r));
    assert_int_equal(r.verdict, FEED_OK);
    assert_int_equal(r.rows, 100);
    assert_int_equal(r.bad_rows, 0);
    assert_int_equal(r.position, wal_end(x.w));
    assert_true(wal_durable(x.w) < r.position);
    assert_ok(feed_sync(x.f));
    assert_int_equal(wal_durable(x.w), r.position);
    assert_int_equal(read_records(x.wal, 0, &rec, &body), 1);
    assert_int_equal(rec.rows, 100);
    assert_int_equal(rec.received, NOW);
    assert_int_equal(rec.kind, WAL_DATA);
    assert_int_equal(body.size, x.body.size);
    assert_memory_equal(body.data, x.body.data, body.size);
    const FeedCounts *c = feed_counts(x.f);
    assert_int_equal(c->messages, 1);
    assert_int_equal(c->rows, 100);
    assert_int_equal(c->bytes, x.body.size);
    assert_int_equal(feed_table_rows(x.f, 0), 100);
    assert_int_equal(feed_table_rows(x.f, 1), 0);
    /* No rows at all, and one row. */
    rows_run(&x.body, NOW, 0, 0);
    assert_ok(publish(&x, "trade", 0, 0, 0, &r));
    assert_int_equal(r.verdict, FEED_OK);
    rows_run(&x.body, NOW, 1, 0);
    assert_ok(publish(&x, "trade", 0, 0, 0, &r));
    assert_int_equal(r.rows, 1);
    assert_int_equal(kit_count(x.dir, "dead"), 0); /* opened when needed */
    buf_free(&body);
    end(&x);
}

/* (reason; body) of a parked record. */
static void check_parked(const Buf *b, const char *reason, const void *body, u64 size)
{
    WireObject all, text, rest;
    assert_ok(wire_object(b->data, b->size, false, &all));
    assert_int_equal(all.type, QT_LIST);
    assert_int_equal(all.count, 2);
    assert_ok(wire_object(all.data, (u64)(b->data + b->size - all.data), false, &text));
    assert_int_equal(text.type, QT_CHAR);
    if (!memmem(text.data, text.count, reason, strlen(reason)))
        fail_msg("%.*s: expected %s", (int)text.count, (const char *)text.data, reason);
    const u8 *at = all.data + text.size;
    assert_ok(wire_object(at, (u64)(b->data + b->size - at), false, &rest));
    assert_int_equal(at + rest.size - b->data, b->size);
    if (!body) return;
    assert_int_equal(rest.size, size);
    assert_memory_equal(at, body, size);
}

static void what_fits_no_table_is_parked(void **state)
{
    (void)state;
    World x;
    FeedResult r;
    WalRecord rec;
    Buf body = {0};
    begin(&x);
    rows_run(&x.body, NOW, 3, 0);
    u64 before = wal_end(x.w);
    assert_err(E_NOT_FOUND, publish(&x, "trades", 9, 8, 7, &r));
    assert_int_equal(r.verdict, FEED_REFUSED);
    assert_string_equal(fail_text(), "no table \"trades\"");
    assert_err(E_TYPE, publish(&x, "ref", 0, 0, 0, &r));
    assert_non_null(strstr(fail_text(), "table ref"));
    assert_err(E_NOT_FOUND, publish(&x, "_prtnEnd", 0, 0, 0, &r)); /* signals are not published */
    static char long_name[70000];
    memset(long_name, 'n', sizeof long_name - 1);
    assert_err(E_NOT_FOUND, publish(&x, long_name, 0, 0, 0, &r));
    assert_int_equal(wal_end(x.w), before);
    assert_ok(feed_sync(x.f));
    assert_int_equal(read_records(x.wal, 0, &rec, &body), 0);
    assert_int_equal(read_records(x.dead, 0, &rec, &body), 4);
    check_parked(&body, "no table \"trades\"", x.body.data, x.body.size);
    assert_int_equal(rec.publisher, 9);
    assert_int_equal(rec.session, 8);
    assert_int_equal(rec.sequence, 7);
    assert_int_equal(read_records(x.dead, 1, &rec, &body), 4);
    check_parked(&body, "table ref", x.body.data, x.body.size);
    const FeedCounts *c = feed_counts(x.f);
    assert_int_equal(c->dead_unknown_table, 3);
    assert_int_equal(c->dead_shape, 1);
    assert_int_equal(c->messages, 0);
    FeedMessage huge = {.table = STR("trade"), .body = x.body.data, .size = (256ull << 20) + 1};
    assert_err(E_LIMIT, feed_publish(x.f, &huge, &r));
    assert_int_equal(c->dead_limit, 1);
    buf_free(&body);
    end(&x);
}

static void impossible_times_go_to_quarantine(void **state)
{
    (void)state;
    World x;
    FeedResult r;
    WalRecord rec;
    Buf body = {0};
    Batch back;
    begin(&x);
    const i64 times[] = {NOW,           INT64_MIN,  NOW - 1, NOW + 24 * HOUR, NOW + 24 * HOUR + 1,
                         INT64_MAX,     -INT64_MAX, 5,       -HOUR,           INT64_MAX - 1,
                         INT64_MIN + 2, NOW + HOUR};
    const bool good[] = {true,  false, true, true,  false, false,
                         false, true,  true, false, true,  true};
    rows_body(&x.body, times, COUNT_OF(times), 100);
    assert_ok(publish(&x, "trade", 0, 0, 0, &r));
    assert_int_equal(r.verdict, FEED_PARTIAL);
    assert_int_equal(r.rows, 7);
    assert_int_equal(r.bad_rows, 5);
    assert_int_equal(feed_counts(x.f)->quarantined_null, 3);
    assert_int_equal(feed_counts(x.f)->quarantined_future, 2);
    assert_int_equal(feed_counts(x.f)->rows, 7);
    assert_ok(feed_sync(x.f));
    assert_int_equal(read_records(x.wal, 0, &rec, &body), 1);
    assert_int_equal(rec.rows, 7);
    batch_init(&back, rows_tables()->tables[0]);
    assert_ok(batch_append_wire(&back, body.data, body.size));
    assert_int_equal(back.rows, 7);
    for (u64 i = 0, at = 0; i < COUNT_OF(times); i++)
        if (good[i]) rows_check_trade(back.cols, at++, times[i], 100 + i);
    assert_int_equal(read_records(x.quarantine, 0, &rec, &body), 2);
    assert_int_equal(rec.rows, 3);
    assert_true(str_is(rec.table, "trade"));
    check_parked(&body, "null or infinite", NULL, 0);
    u64 head = body.size;
    assert_int_equal(read_records(x.quarantine, 1, &rec, &body), 2);
    assert_int_equal(rec.rows, 2);
    check_parked(&body, "beyond the horizon", NULL, 0);
    assert_true(head > body.size);
    /* The parked rows are rows of the table again when the reason is taken away. */
    WireObject all, text;
    assert_ok(wire_object(body.data, body.size, false, &all));
    assert_ok(wire_object(all.data, (u64)(body.data + body.size - all.data), false, &text));
    batch_clear(&back);
    const u8 *rows = all.data + text.size;
    assert_ok(batch_append_wire(&back, rows, (u64)(body.data + body.size - rows)));
    rows_check_trade(back.cols, 0, times[4], 104);
    rows_check_trade(back.cols, 1, times[9], 109);
    /* Bad rows only. */
    rows_body(&x.body, times + 5, 2, 0);
    u64 before = wal_end(x.w);
    assert_ok(publish(&x, "trade", 0, 0, 0, &r));
    assert_int_equal(r.verdict, FEED_QUARANTINED);
    assert_int_equal(r.rows, 0);
    assert_int_equal(wal_end(x.w), before);
    /* A clock before 2000 looks at each time. */
    false_now = -48 * HOUR;
    const i64 early[] = {-49 * HOUR, -HOUR, INT64_MIN, -INT64_MAX, INT64_MIN + 2};
    rows_body(&x.body, early, COUNT_OF(early), 0);
    assert_ok(publish(&x, "trade", 0, 0, 0, &r));
    assert_int_equal(r.rows, 2);
    assert_int_equal(r.bad_rows, 3);
    batch_free(&back);
    buf_free(&body);
    end(&x);
}

static void repetitions_are_taken_once(void **state)
{
    (void)state;
    World x;
    FeedResult r;
    WalRecord rec;
    Buf body = {0};
    Arena a = {0};
    FeedPublisher *list;
    u32 count;
    begin(&x);
    rows_run(&x.body, NOW, 4, 0);
    u64 me = feed_publisher_id(STR("me")), other = feed_publisher_id(STR("other"));
    assert_true(me != 0 && me != other && feed_publisher_id(STR("")) != 0);
    assert_ok(publish(&x, "trade", me, 0, 0, &r)); /* all zeros is a sequence like any other */
    assert_int_equal(r.verdict, FEED_OK);
    assert_ok(publish(&x, "trade", me, 0, 0, &r));
    assert_int_equal(r.verdict, FEED_DUPLICATE);
    assert_int_equal(r.rows, 4);
    assert_int_equal(r.position, wal_end(x.w)); /* covers the first, which is not synced yet */
    assert_ok(feed_publishers(x.f, &a, &list, &count));
    assert_int_equal(count, 0); /* nothing of it is durable */
    assert_ok(feed_sync(x.f));
    assert_ok(publish(&x, "trade", me, 0, 5, &r)); /* gaps are fine */
    assert_int_equal(r.verdict, FEED_OK);
    assert_ok(publish(&x, "trade", me, 0, 3, &r));
    assert_int_equal(r.verdict, FEED_DUPLICATE);
    assert_ok(publish(&x, "trade", other, 0, 3, &r));
    assert_int_equal(r.verdict, FEED_OK);
    assert_ok(publish(&x, "trade", me, 1, 3, &r)); /* a new session */
    assert_int_equal(r.verdict, FEED_OK);
    assert_ok(publish(&x, "trade", me, 1, 4, &r));
    assert_ok(feed_publishers(x.f, &a, &list, &count));
    assert_int_equal(count, 1);
    assert_int_equal(list[0].session, 0);
    assert_int_equal(list[0].sequence, 0);
    assert_ok(feed_sync(x.f));
    assert_ok(feed_publishers(x.f, &a, &list, &count));
    assert_int_equal(count, 2);
    assert_int_equal(list[0].publisher, me);
    assert_int_equal(list[0].session, 1);
    assert_int_equal(list[0].sequence, 4);
    /* A refused message leaves its sequence free. */
    assert_err(E_TYPE, publish(&x, "ref", me, 1, 5, &r));
    assert_ok(publish(&x, "trade", me, 1, 5, &r));
    assert_int_equal(r.verdict, FEED_OK);
    /* One whose rows all went to quarantine is remembered, also by the log. */
    const i64 bad = INT64_MIN;
    rows_body(&x.body, &bad, 1, 0);
    assert_ok(publish(&x, "trade", me, 1, 6, &r));
    assert_int_equal(r.verdict, FEED_QUARANTINED);
    assert_ok(publish(&x, "trade", me, 1, 6, &r));
    assert_int_equal(r.verdict, FEED_DUPLICATE);
    assert_ok(feed_sync(x.f));
    u64 n = read_records(x.wal, ~0ull, &rec, &body);
    assert_int_equal(n, 7);
    assert_int_equal(read_records(x.wal, n - 1, &rec, &body), n);
    assert_int_equal(rec.rows, 0);
    assert_int_equal(rec.sequence, 6);
    assert_int_equal(feed_counts(x.f)->duplicates, 3);
    /* A second life remembers from the log. */
    close_world(&x);
    open_world(&x);
    assert_ok(feed_remember(x.f, rec.publisher, rec.session, rec.sequence));
    assert_ok(feed_remember(x.f, 0, 1, 1));
    rows_run(&x.body, NOW, 4, 0);
    assert_ok(publish(&x, "trade", me, 1, 6, &r));
    assert_int_equal(r.verdict, FEED_DUPLICATE);
    assert_ok(publish(&x, "trade", me, 1, 7, &r));
    assert_int_equal(r.verdict, FEED_OK);
    arena_free(&a);
    buf_free(&body);
    end(&x);
}

static void publishers_are_bounded(void **state)
{
    (void)state;
    World x;
    FeedResult r;
    begin(&x);
    rows_run(&x.body, NOW, 1, 0);
    for (u64 i = 1; i <= 65536; i++)
        assert_ok(feed_remember(x.f, i * 0x9e3779b97f4a7c15ull, i, i));
    assert_err(E_LIMIT, feed_remember(x.f, 12345, 1, 1));
    u64 before = wal_end(x.w);
    assert_err(E_LIMIT, publish(&x, "trade", 12345, 1, 1, &r));
    assert_int_equal(wal_end(x.w), before); /* nothing was taken */
    assert_ok(publish(&x, "trade", 7 * 0x9e3779b97f4a7c15ull, 7, 7, &r));
    assert_int_equal(r.verdict, FEED_DUPLICATE);
    assert_ok(publish(&x, "trade", 7 * 0x9e3779b97f4a7c15ull, 7, 8, &r));
    assert_int_equal(r.verdict, FEED_OK);
    assert_ok(publish(&x, "trade", 0, 0, 0, &r));
    end(&x);
}

static void logs_of_refused_things_are_bounded(void **state)
{
    (void)state;
    World x;
    FeedResult r;
    begin(&x);
    close_world(&x);
    x.refuse_max = 2 * KIT_MIB;
    open_world(&x);
    rows_run(&x.body, NOW, 3000, 0);
    for (int i = 0; i < 40; i++)
        assert_err(E_NOT_FOUND, publish(&x, "none", 0, 0, 0, &r));
    const FeedCounts *c = feed_counts(x.f);
    assert_int_equal(c->dead_unknown_table, 40);
    assert_true(c->log_dropped > 0 && c->log_dropped < 40);
    u64 dropped = c->log_dropped;
    WalRecord rec;
    Buf body = {0};
    assert_ok(feed_sync(x.f));
    assert_int_equal(read_records(x.dead, 0, &rec, &body), 40 - dropped);
    /* Rows whose quarantine is full are counted, and the good ones of the message taken. */
    i64 *times = malloc(3000 * sizeof *times);
    for (u64 i = 0; i < 3000; i++)
        times[i] = i % 2 ? INT64_MIN : NOW;
    rows_body(&x.body, times, 3000, 0);
    for (int i = 0; i < 60; i++) {
        assert_ok(publish(&x, "trade", 0, 0, 0, &r));
        assert_int_equal(r.verdict, FEED_PARTIAL);
        assert_int_equal(r.rows, 1500);
    }
    assert_true(c->log_dropped > dropped);
    assert_int_equal(c->rows, 60 * 1500);
    assert_int_equal(c->quarantined_null, 60 * 1500);
    free(times);
    buf_free(&body);
    end(&x);
}

static void control_messages_are_ours(void **state)
{
    (void)state;
    World x;
    u64 at;
    WalRecord rec;
    Buf body = {0};
    begin(&x);
    rows_run(&x.body, NOW, 1, 0);
    assert_err(E_USAGE, feed_control(x.f, "trade", x.body.data, x.body.size, &at));
    assert_err(E_USAGE, feed_control(x.f, "", x.body.data, x.body.size, &at));
    assert_ok(feed_control(x.f, "_prtnEnd", x.body.data, x.body.size, &at));
    assert_int_equal(at, wal_end(x.w));
    assert_ok(feed_sync(x.f));
    assert_int_equal(read_records(x.wal, 0, &rec, &body), 1);
    assert_int_equal(rec.kind, WAL_CONTROL);
    buf_free(&body);
    end(&x);
}

/* Each change of the disk fails in turn: what was said to be taken and synced is there, and only
 * once. */
static void failures_between_the_logs_lose_nothing(void **state)
{
    (void)state;
    u64 top = 1;
    for (u64 at = 0; at <= top; at++) {
        World x;
        FeedResult r;
        u64 synced = 0, tried = 0;
        WalRecord rec;
        Buf body = {0};
        begin(&x);
        const i64 times[] = {NOW, INT64_MIN};
        if (at)
            fault_arm(FAULT_ERROR, at, false, EIO);
        else
            fault_arm(FAULT_NONE, 0, false, 0);
        for (u64 i = 0; i < 4; i++) {
            rows_body(&x.body, times, 2, i);
            if (i % 2 == 0) assert_int_not_equal(publish(&x, "none", 0, 0, 0, &r), E_OK);
            Err err = publish(&x, "trade", 5, 5, i, &r);
            if (!err) tried++;
            if (!err) err = feed_sync(x.f);
            if (err) break;
            synced = i + 1;
        }
        if (at == 0) top = fault_count();
        fault_arm(FAULT_NONE, 0, false, 0);
        feed_close(x.f);
        Err closing = wal_close(x.w);
        (void)closing;
        open_world(&x);
        u64 n = read_records(x.wal, ~0ull, &rec, &body);
        assert_true(n >= synced && n <= tried);
        for (u64 i = 0; i < n; i++) {
            read_records(x.wal, i, &rec, &body);
            assert_int_equal(rec.sequence, i);
        }
        u64 parked = read_records(x.quarantine, ~0ull, &rec, &body);
        assert_true(parked >= synced);
        buf_free(&body);
        end(&x);
    }
    assert_true(top > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_rows_are_taken_as_they_came),
        cmocka_unit_test(what_fits_no_table_is_parked),
        cmocka_unit_test(impossible_times_go_to_quarantine),
        cmocka_unit_test(repetitions_are_taken_once),
        cmocka_unit_test(publishers_are_bounded),
        cmocka_unit_test(logs_of_refused_things_are_bounded),
        cmocka_unit_test(control_messages_are_ours),
        cmocka_unit_test(failures_between_the_logs_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
