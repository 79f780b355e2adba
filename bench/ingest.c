/*
 * ingest: rows a second that are durable, over q IPC into a real manager.
 *
 * 64 messages are in flight, on one connection or spread over eight, of 1, 100 and 1,000 rows. An
 * acknowledgement means synced. Beside small messages stands what a program could reach that syncs
 * once for every 64 of them and costs nothing else; beside large ones the device's sequential
 * write. The manager's eoi worker follows the stream at the same time, as it always does.
 */
#include "kit/kit.h"

#define FLIGHT   64
#define MESSAGES 256

static KitSystem sys;
static const KitTable *const tables[] = {&kit_trade};

/* Rows a second; *ns = the manager's processor time a row. */
static f64 run(u32 rows, u32 conns, f64 seconds, f64 *ns)
{
    static Buf messages[MESSAGES];
    KitFeed feed;
    f64 took = 0;
    kit_feed_open(&feed, rows, 5000, (i64)KIT_DAY * 86400000000000ll, 1000);
    for (u32 i = 0; i < MESSAGES; i++) {
        buf_clear(&messages[i]);
        kit_message(&messages[i], &kit_trade, &feed, rows);
    }
    kit_feed_close(&feed);
    f64 before = kit_cpu(sys.sm);
    u64 acked = kit_pump(sys.sm_port, conns, FLIGHT / conns, messages, MESSAGES, seconds, &took);
    *ns = 1e9 * (kit_cpu(sys.sm) - before) / (f64)acked / rows;
    return (f64)acked * rows / took;
}

int main(void)
{
    static const u32 sizes[] = {1, 100, 1000};
    Client c;
    Arena a = {0};
    char what[80];
    f64 row = (f64)kit_row_bytes(&kit_trade);
    kit_title("ingest", "durable rows a second, 64 messages in flight");
    kit_system_make(&sys, tables, 1, "    memoryLimit: 256MB\n");
    kit_sm_start(&sys);
    f64 syncs = kit_fdatasyncs(sys.dir);
    f64 buffered = kit_write_rate(sys.dir, 1ull << 30, false);
    f64 direct = kit_write_rate(sys.dir, 1ull << 30, true);
    kit_note("the device: %.0f synced appends of 4 KiB a second; sequential write %.0f MB/s "
             "buffered, %.0f MB/s direct (1 GiB, synced)",
             syncs, buffered / 1e6, direct / 1e6);
    KIT_OK(client_open(&c, "127.0.0.1", sys.sm_port, 60000));
    c.timeout_ms = 60000;
    for (u32 i = 0; i < COUNT_OF(sizes); i++) {
        for (u32 conns = 1; conns <= 8; conns += 7) {
            f64 ns, rate = run(sizes[i], conns, 3, &ns);
            snprintf(what, sizeof what, "%u row%s a message, %u connection%s", sizes[i],
                     sizes[i] == 1 ? "" : "s", conns, conns == 1 ? "" : "s");
            kit_line(what, rate, "rows/s", "64 x syncs", FLIGHT * syncs * sizes[i],
                     rate / (FLIGHT * syncs * sizes[i]));
            if (sizes[i] > 1)
                kit_line("  as they lie on disk", rate * row / 1e6, "MB/s", "buffered write",
                         buffered / 1e6, rate * row / buffered);
            kit_line("  processor time of the manager a row", ns, "ns", "", -1, 0);
            kit_call(&c, ".silt.eoi", NULL, &a); /* the log's files are used again */
            arena_reset(&a);
        }
    }
    client_close(&c);
    kit_system_stop(&sys);
    arena_free(&a);
    return 0;
}
