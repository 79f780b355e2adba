/*
 * single: one row a message, each publisher waits for its acknowledgement before the next.
 *
 * The harshest way to publish: with one connection every row costs a sync and a round trip. With
 * more the manager gathers what came in one turn of its loop into one sync.
 */
#include "kit/kit.h"

#define MESSAGES 1024

static KitSystem sys;
static const KitTable *const tables[] = {&kit_trade};

int main(void)
{
    static const u32 conns[] = {1, 8, 64};
    static Buf messages[MESSAGES];
    KitFeed feed;
    char what[80];
    kit_title("single", "rows a second, one in flight a connection");
    kit_system_make(&sys, tables, 1, "");
    kit_feed_open(&feed, 1, 5000, (i64)KIT_DAY * 86400000000000ll, 1000);
    for (u32 i = 0; i < MESSAGES; i++)
        kit_message(&messages[i], &kit_trade, &feed, 1);
    kit_feed_close(&feed);
    kit_sm_start(&sys);
    f64 syncs = kit_fdatasyncs(sys.dir);
    for (u32 i = 0; i < COUNT_OF(conns); i++) {
        f64 took;
        u64 acked = kit_pump(sys.sm_port, conns[i], 1, messages, MESSAGES, 3, &took);
        f64 rate = (f64)acked / took;
        snprintf(what, sizeof what, "%u connection%s", conns[i], conns[i] == 1 ? "" : "s");
        kit_line(what, rate, "rows/s", "fdatasyncs", syncs, rate / syncs);
    }
    kit_system_stop(&sys);
    return 0;
}
