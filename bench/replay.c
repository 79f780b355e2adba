/*
 * replay: how fast the stream is followed: by a reader into live rows, and by the eoi worker.
 *
 * A log is written in this process (10 million rows in messages of 1, 100 and 1,000), then followed
 * from its start by the same code as in the processes: tail_next and live_apply, tail_next and
 * interval_take. Beside it plain C sums the same mapped bytes with the same checksum and copies
 * them to fresh memory, which is the least that a reader that trusts nothing has to do. All figures
 * are rows a second of processor, as nothing here waits.
 */
#include "kit/kit.h"

#include "base/crc.h"
#include "stream/live.h"
#include "stream/tail.h"
#include "writedown/interval.h"

#define STEP (64u << 10)

static KitSystem sys;
static KitDb db;
static const KitTable *const tables[] = {&kit_trade};

/* Writes the log; bytes of it. */
static u64 write_log(const char *path, u64 rows, u32 batch)
{
    Wal *w = NULL;
    u64 lost = 0, position = 0;
    KitFeed feed;
    Buf messages[64] = {{0}};
    WalOptions o = {0};
    kit_feed_open(&feed, 4, 5000, (i64)KIT_DAY * 86400000000000ll, 1000);
    for (u32 i = 0; i < 64; i++)
        kit_message(&messages[i], &kit_trade, &feed, batch);
    kit_feed_close(&feed);
    KIT_OK(wal_open(&w, path, &o, 0, &lost));
    u64 skip = WIRE_HEADER + 6 + 5 + 1 + strlen("trade") + 1;
    for (u64 i = 0; i < rows / batch; i++) {
        const Buf *m = &messages[i % 64];
        WalRecord r = {.kind = WAL_DATA,
                       .rows = batch,
                       .table = STR("trade"),
                       .body = m->data + skip,
                       .size = m->size - skip};
        KIT_OK(wal_append(w, &r));
        if (i % 1024 == 0) KIT_OK(wal_sync(w));
    }
    KIT_OK(wal_sync(w));
    position = wal_end(w);
    KIT_OK(wal_close(w));
    for (u32 i = 0; i < 64; i++)
        buf_free(&messages[i]);
    return position;
}

/* What plain C needs at least: sum the log's bytes and copy them to fresh memory. */
static f64 plain(u64 bytes)
{
    u8 *log = malloc(bytes), *copy = malloc(bytes);
    u32 crc = 0;
    if (log == NULL || copy == NULL) kit_die("no memory");
    for (u64 i = 0; i < bytes; i++)
        log[i] = (u8)(i * 31);
    f64 began = kit_now_cpu();
    for (u64 at = 0; at < bytes; at += STEP) {
        u64 n = MIN(bytes - at, STEP);
        crc = crc_32c(crc, log + at, n);
        memcpy(copy + at, log + at, n);
    }
    f64 took = kit_now_cpu() - began;
    if (crc == copy[bytes - 1]) kit_note("an unlikely checksum"); /* so that all of it is done */
    free(log);
    free(copy);
    return took;
}

static f64 into_live(const char *path, u64 rows, f64 *ratio)
{
    Tail t;
    WalRecord r;
    bool got = true;
    Live *live = NULL;
    KIT_OK(live_make(&live, &db.config.tables, 0));
    f64 began = kit_now_cpu();
    KIT_OK(tail_open(&t, path, 0));
    for (;;) {
        KIT_OK(tail_next(&t, &r, &got));
        if (!got) break;
        KIT_OK(live_apply(live, &r));
    }
    f64 took = kit_now_cpu() - began;
    if (live_rows(live, 0) != rows) kit_die("rows are missing");
    *ratio = (f64)live_bytes(live, 0) / (f64)live_binary(live, 0);
    tail_close(&t);
    live_free(live);
    return took;
}

static f64 into_interval(const char *path)
{
    Tail t;
    WalRecord r;
    bool got = true;
    Interval *interval = NULL;
    Domain domain = {0};
    KIT_OK(domain_open(&domain, db.root.sym, UINT64_MAX));
    IntervalOptions o = {.root = &db.root,
                         .tables = &db.config.tables,
                         .domain = &domain,
                         .memory_max = 4ull << 30,
                         .chunk_rows = 500000,
                         .threads = 2};
    KIT_OK(interval_make(&interval, &o));
    f64 began = kit_now_cpu();
    KIT_OK(tail_open(&t, path, 0));
    for (;;) {
        KIT_OK(tail_next(&t, &r, &got));
        if (!got) break;
        KIT_OK(interval_take(interval, &r));
    }
    f64 took = kit_now_cpu() - began;
    tail_close(&t);
    interval_free(interval);
    domain_close(&domain);
    return took;
}

int main(void)
{
    static const u32 batches[] = {1, 100, 1000};
    u64 most = kit_size("ROWS", 10000000);
    kit_title("replay", "following the stream from its start");
    kit_system_make(&sys, tables, 1, "");
    kit_db_open(&db, &sys);
    for (u32 i = 0; i < COUNT_OF(batches); i++) {
        char path[300], line[80];
        u64 rows = (batches[i] == 1 ? most / 10 : most) / batches[i] * batches[i];
        f64 ratio;
        snprintf(path, sizeof path, "%s/log%u", sys.dir, batches[i]);
        u64 bytes = write_log(path, rows, batches[i]);
        f64 least = plain(bytes);
        f64 live = into_live(path, rows, &ratio), interval = into_interval(path);
        snprintf(line, sizeof line, "reader, %u row%s a message", batches[i],
                 batches[i] == 1 ? "" : "s");
        kit_line(line, (f64)rows / live / 1e6, "M rows/s", "sum and copy", (f64)rows / least / 1e6,
                 least / live);
        snprintf(line, sizeof line, "eoi worker, %u row%s a message", batches[i],
                 batches[i] == 1 ? "" : "s");
        kit_line(line, (f64)rows / interval / 1e6, "M rows/s", "sum and copy",
                 (f64)rows / least / 1e6, least / interval);
        kit_note(
            "  %.0f MB of log, %.0f MB/s by the reader; live rows take %.2f of their size on disk",
            (f64)bytes / 1e6, (f64)bytes / live / 1e6, ratio);
        kit_remove(path);
    }
    kit_db_close(&db);
    return 0;
}
