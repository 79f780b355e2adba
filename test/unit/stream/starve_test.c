/* stream: no memory at any point of taking a message: it is taken whole or not at all, and the same
 * message is taken when it comes again. */
#include "support/starve.h"

#include "unit/stream/rows.h"

#include "os/now.h"
#include "stream/feed.h"
#include "stream/live.h"

#define NOW  800000000000000000ll
#define ROWS 3000

static i64 false_clock(void) { return NOW; }

typedef struct {
    char *dir;
    char wal[512], dead[512], quarantine[512];
    Wal *w;
    Feed *f;
    Live *l;
    Buf body;
    const char *table;
} World;

static void begin(World *x, bool bad_times)
{
    u64 lost;
    static i64 times[ROWS];
    *x = (World){.dir = kit_fast_folder(), .table = "trade"};
    snprintf(x->wal, sizeof x->wal, "%s/wal", x->dir);
    snprintf(x->dead, sizeof x->dead, "%s/dead", x->dir);
    snprintf(x->quarantine, sizeof x->quarantine, "%s/quarantine", x->dir);
    now_fake(false_clock, false_clock);
    assert_ok(wal_open(&x->w, x->wal, &(WalOptions){.file_size = KIT_MIB}, 0, &lost));
    FeedOptions o = {.tables = rows_tables(),
                     .wal = x->w,
                     .dead_path = x->dead,
                     .quarantine_path = x->quarantine};
    assert_ok(feed_open(&x->f, &o));
    assert_ok(live_make(&x->l, rows_tables(), 0));
    for (u64 i = 0; i < ROWS; i++)
        times[i] = bad_times && i % 7 == 0 ? Q_NULL_LONG : NOW - (i64)i;
    rows_body(&x->body, times, ROWS, 0);
}

static void end(World *x)
{
    feed_close(x->f);
    assert_ok(wal_close(x->w));
    live_free(x->l);
    buf_free(&x->body);
    kit_remove(x->dir);
    now_fake(NULL, NULL);
}

static Err publish(const World *x, FeedResult *r)
{
    FeedMessage m = {.table = str_of(x->table),
                     .body = x->body.data,
                     .size = x->body.size,
                     .publisher = 5,
                     .session = 1,
                     .sequence = 1};
    return feed_publish(x->f, &m, r);
}

/* What was not acknowledged is taken when it is sent again: its sequence was not remembered. */
static Err feed(void *arg)
{
    const World *x = arg;
    FeedResult r;
    starve_stop();
    ASSERT(dir_remove_all(x->dead) == E_OK && dir_remove_all(x->quarantine) == E_OK);
    starve_start();
    Err err = publish(x, &r);
    starve_stop();
    if (err == E_NOT_FOUND) return E_OK; /* no such table: refused, kept or not */
    if (err != E_OK) {
        ASSERT(publish(x, &r) == E_OK && r.verdict != FEED_DUPLICATE);
        ASSERT(r.rows + r.bad_rows == ROWS);
    }
    ASSERT(feed_sync(x->f) == E_OK);
    FeedResult again;
    ASSERT(publish(x, &again) == E_OK && again.verdict == FEED_DUPLICATE);
    return err;
}

static Err apply(const World *x, u64 position)
{
    WalRecord r = {.position = position,
                   .end = position + 64,
                   .kind = WAL_DATA,
                   .rows = ROWS,
                   .table = STR("trade"),
                   .body = x->body.data,
                   .size = x->body.size};
    return live_apply(x->l, &r);
}

static Err follow(void *arg)
{
    const World *x = arg;
    u64 taken = 0;
    Err err = E_OK;
    while (taken < 4 && err == E_OK) {
        err = apply(x, taken * 64);
        taken += err == E_OK;
        ASSERT(live_rows(x->l, 0) == taken * ROWS && live_position(x->l) == taken * 64);
    }
    starve_stop();
    if (err == E_OK) return E_OK;
    ASSERT(apply(x, taken * 64) == E_OK && live_rows(x->l, 0) == (taken + 1) * ROWS);
    return err;
}

static void messages_are_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    World x;
    begin(&x, false);
    assert_true(starve_each("a message", feed, &x, 1).refused > 0);
    x.table = "nothing";
    starve_each("a refused message", feed, &x, 1);
    end(&x);
    begin(&x, true);
    assert_true(starve_each("rows with impossible times", feed, &x, 5).refused > 5);
    end(&x);
}

static void live_rows_are_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    World x;
    begin(&x, false);
    assert_true(starve_each("live rows", follow, &x, 1).refused > 5);
    end(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_taken_whole_or_not_at_all),
        cmocka_unit_test(live_rows_are_taken_whole_or_not_at_all),
    };
    return cmocka_run_group_tests_name("stream/starve", tests, NULL, NULL);
}
