/*
 * live: the memory of a reader's live rows beside their binary size.
 *
 * A real reader follows 5 million rows of eight columns in messages of several sizes; its anonymous
 * memory grows by what they cost, allocator and all. The promise is 1.3 times the bytes that the
 * rows take on disk.
 */
#include "kit/kit.h"

#include <unistd.h>

static KitSystem sys;
static const KitTable *const tables[] = {&kit_wide[0]};

static i64 number_of(Client *c, const char *what)
{
    Arena a = {0};
    Value v = kit_call(c, ".silt.status", NULL, &a);
    const Value *n = value_get(&v, what);
    i64 i = n == NULL ? 0 : n->as.i;
    arena_free(&a);
    return i;
}

static void measure(u32 batch, u64 rows)
{
    static Buf messages[256];
    Arena a = {0};
    KitFeed feed;
    Client sm, da;
    char line[80];
    u64 taken = 0;
    kit_da_start(&sys);
    KIT_OK(client_open(&sm, "127.0.0.1", sys.sm_port, 60000));
    KIT_OK(client_open(&da, "127.0.0.1", sys.da_port, 60000));
    kit_feed_open(&feed, batch, 5000, (i64)KIT_DAY * 86400000000000ll, 1000);
    u64 before = kit_memory(sys.da);
    u32 count = (u32)MIN(256, rows / batch);
    for (u32 i = 0; i < count; i++) {
        buf_clear(&messages[i]);
        kit_message(&messages[i], &kit_wide[0], &feed, batch);
    }
    for (f64 took; taken < rows; taken += (u64)count * batch)
        kit_pump(sys.sm_port, 1, 64, messages, count, 0, &took);
    for (u32 i = 0; number_of(&da, "liveRows") < (i64)taken; i++) {
        if (i == 1000) kit_die("the reader does not follow");
        usleep(20000);
    }
    f64 binary = (f64)taken * (f64)kit_row_bytes(&kit_wide[0]);
    f64 grown = (f64)(kit_memory(sys.da) - before), counted = (f64)number_of(&da, "liveBytes");
    snprintf(line, sizeof line, "%u row%s a message, memory of the process", batch,
             batch == 1 ? "" : "s");
    kit_line(line, grown / 1e6, "MB", "on disk", binary / 1e6, grown / binary);
    kit_line("  as the reader counts it", counted / 1e6, "MB", "on disk", binary / 1e6,
             counted / binary);
    kit_call(&sm, ".silt.eoi", NULL, &a);
    client_close(&sm);
    client_close(&da);
    kit_feed_close(&feed);
    kit_stop(&sys.da);
    arena_free(&a);
}

int main(void)
{
    u64 rows = kit_size("ROWS", 5000000);
    kit_title("live", "memory of live rows of 8 columns, aim at most 1.3");
    kit_system_make(&sys, tables, 1, "");
    kit_sm_start(&sys);
    measure(1, rows / 25);
    measure(100, rows);
    measure(5000, rows);
    kit_system_stop(&sys);
    return 0;
}
