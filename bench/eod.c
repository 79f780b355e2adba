/*
 * eod: 10 million trades and 30 million quotes of one day in 144 intervals become a date part.
 *
 * Everything is real: rows come over q IPC into a manager whose workers hold at most 256 MB, each
 * interval is ended by `.silt.eoi`. Then the day job runs twice in this process (staged, not
 * published, removed), each time beside `cp -r` of the same date part and a sync of every file; and
 * once in the eod worker, from `.silt.eod` to the committed view. The highest anonymous memory of
 * every process is shown. ROWS=40000000 gives the number of rows.
 */
#include "kit/kit.h"

#include "os/dir.h"
#include "os/proc.h"
#include "writedown/day.h"

#include <unistd.h>

#define INTERVALS 144
#define BATCH     10000
#define BOUND     (256ull << 20)
#define ROUNDS    2

static KitSystem sys;
static const KitTable *const tables[] = {&kit_trade, &kit_quote};

/* Publishes the day, interval by interval. */
static void build(u64 rows)
{
    KitFeed feed;
    Client c;
    Arena a = {0};
    u64 per = rows / INTERVALS / 4, published = 0;
    u32 most = (u32)(4 * per / BATCH) + 8;
    Buf *messages = calloc(most, sizeof *messages);
    f64 began = kit_now(), publishing = 0, ending[INTERVALS];
    i64 day = (i64)KIT_DAY * 86400000000000ll;
    if (messages == NULL) kit_die("no memory");
    kit_feed_open(&feed, 11, 5000, day, (i64)(86400e9 / (f64)rows));
    KIT_OK(client_open(&c, "127.0.0.1", sys.sm_port, 120000));
    for (u32 i = 0; i < INTERVALS; i++) {
        u32 n = 0;
        f64 took;
        for (u64 left = 4 * per; left > 0;) { /* a batch of trades, three of quotes */
            u32 take = (u32)MIN(left, BATCH);
            buf_clear(&messages[n]);
            kit_message(&messages[n], n % 4 == 0 ? &kit_trade : &kit_quote, &feed, take);
            left -= take;
            n++;
        }
        published += 4 * per;
        kit_pump(sys.sm_port, 1, 16, messages, n, 0, &took);
        publishing += took;
        f64 from = kit_now();
        kit_call(&c, ".silt.eoi", NULL, &a);
        ending[i] = 1000 * (kit_now() - from);
        arena_reset(&a);
    }
    kit_note("%llu rows published in %.1f s, %.1f M rows/s durable; %u intervals ended, %.0f ms "
             "each (median); %.1f s in all",
             (unsigned long long)published, publishing, (f64)published / publishing / 1e6,
             INTERVALS, kit_percentile(ending, INTERVALS, 0.5), kit_now() - began);
    client_close(&c);
    kit_feed_close(&feed);
    for (u32 i = 0; i < most; i++)
        buf_free(&messages[i]);
    free(messages);
    arena_free(&a);
}

/* The day job, staged in this process; the part's folder in *path. */
static f64 stage(KitDb *db, u64 made, Arena *a, char **path)
{
    Domain domain = {0};
    DayPlan plan;
    JobResult result;
    const View *v = db->publish.current;
    f64 began = kit_now();
    KIT_OK(domain_open(&domain, db->root.sym, v->sym_size));
    KIT_OK(day_plan(v, v->eoi, 1, made, a, &plan));
    if (plan.date_count != 1) kit_die("%u dates where one is meant", plan.date_count);
    DayOptions o = {.root = &db->root,
                    .tables = &db->config.tables,
                    .domain = &domain,
                    .memory_max = BOUND,
                    .chunk_rows = db->config.chunk_size,
                    .sort_limit_gb = db->config.sort_limit_gb,
                    .by_part = db->config.peach_part,
                    .by_table = db->config.peach_table,
                    .by_column = db->config.peach_column,
                    .threads = proc_cpus()};
    KIT_OK(day_stage(&plan, &o, a, &result));
    f64 took = kit_now() - began;
    *path = arena_text(a, result.parts[0].path, strlen(result.parts[0].path));
    domain_close(&domain);
    return took;
}

/* From `.silt.eod` to the committed view, in real processes. */
static f64 real(void)
{
    Client c;
    Arena a = {0};
    f64 began = kit_now();
    KIT_OK(client_open(&c, "127.0.0.1", sys.sm_port, 120000));
    Value v = kit_call(&c, ".silt.eod", NULL, &a);
    Value seq = *value_get(&v, "seq");
    for (;;) {
        v = kit_call(&c, ".silt.eodStatus", &seq, &a);
        Str status;
        if (value_text(value_get(&v, "status"), &status) && str_is(status, "completed")) break;
        if (kit_now() - began > 120) kit_die("the day job does not end");
        usleep(2000);
        arena_reset(&a);
    }
    f64 took = kit_now() - began;
    client_close(&c);
    arena_free(&a);
    return took;
}

int main(void)
{
    u64 rows = kit_size("ROWS", 40000000), bytes = 0, highest[4] = {0};
    f64 ours[ROUNDS], copies[ROUNDS];
    char to[300];
    KitDb db;
    kit_title("eod", "10 M trades + 30 M quotes in 144 intervals become one date part");
    kit_system_make(&sys, tables, 2, "    memoryLimit: 256MB\n");
    snprintf(to, sizeof to, "%s/copy", sys.dir);
    kit_sm_start(&sys);
    int pids[] = {sys.sm, kit_worker(&sys, "eoi")};
    KitWatch *w = kit_watch(pids, 2);
    build(rows);
    kit_watch_end(w, highest);
    kit_system_stop(&sys);
    kit_db_open(&db, &sys);
    for (u32 i = 0; i < ROUNDS; i++) {
        Arena a = {0};
        char *path = NULL;
        ours[i] = stage(&db, 1000000 + i, &a, &path);
        copies[i] = kit_copy(path, to, &bytes);
        kit_remove(to);
        kit_remove(path);
        arena_free(&a);
    }
    kit_db_close(&db);
    for (u32 i = 0; i < ROUNDS; i++)
        kit_line("day job, staged and synced", 1000 * ours[i], "ms", "cp + sync", 1000 * copies[i],
                 ours[i] / copies[i]);
    kit_sm_start(&sys);
    int more[] = {sys.sm, kit_worker(&sys, "eod")};
    w = kit_watch(more, 2);
    f64 took = real();
    kit_watch_end(w, highest + 2);
    kit_line(".silt.eod to committed view, real processes", 1000 * took, "ms", "cp + sync",
             1000 * copies[ROUNDS - 1], took / copies[ROUNDS - 1]);
    kit_note("the date part: %.0f MB, %.0f MB/s", (f64)bytes / 1e6, (f64)bytes / took / 1e6);
    kit_line("highest memory of sm", (f64)MAX(highest[0], highest[2]) / 1048576, "MiB", "", -1, 0);
    kit_line("highest memory of the eoi worker", (f64)highest[1] / 1048576, "MiB", "memoryLimit",
             BOUND / 1048576.0, (f64)highest[1] / (f64)BOUND);
    kit_line("highest memory of the eod worker", (f64)highest[3] / 1048576, "MiB", "memoryLimit",
             BOUND / 1048576.0, (f64)highest[3] / (f64)BOUND);
    kit_system_stop(&sys);
    return 0;
}
