/*
 * repair_stream: runs the interval job over a stretch of the stream that was written down before.
 *
 * The stretch ends with the record that signalled the interval. It begins at the watermark of the
 * newest kept view that lacks the interval; numbers between the two had no rows. The stream is kept
 * back to the oldest kept view, so where there is such a view there are the rows.
 *
 * The job writes the same bytes as it did then, as rows, their order and the domain are the same;
 * if not (another schema, say), the copies' checksums differ and nobody takes them. It works below
 * <idb>/spill, which every start empties.
 */
#include "cmd/repair_stream.h"

#include <inttypes.h>

#include "base/log.h"
#include "os/dir.h"
#include "os/proc.h"
#include "stream/tail.h"
#include "writedown/interval.h"

#define REPAIR_NAMES_MAX (1ull << 24)

/* Where the rows of an interval begin, by a kept view; *found false when there is none. */
static Err find_start(const Root *r, ViewCache *cache, u64 seq, u64 *position, bool *found)
{
    Err err = E_OK;
    Arena scratch = {0};
    DirEntry *e = NULL;
    u64 count = 0, best = 0;
    *found = false;
    TRY(dir_list(dir_join(&scratch, r->idb, "manifest", NULL), REPAIR_NAMES_MAX, &scratch, &e,
                 &count));
    for (u64 i = 0; i < count; i++) {
        u64 number = 0;
        View *v = NULL;
        if (!root_numbered(str_of(e[i].name), "view.", &number)) continue;
        if (view_open_number(cache, number, &v) != E_OK) continue;
        if (v->eoi < seq && (!*found || v->watermark > best)) {
            best = v->watermark;
            *found = true;
        }
        view_close(cache, v);
    }
    *position = best;
done:
    arena_free(&scratch);
    return err;
}

/* Takes rows up to the signal of the interval, and writes them. */
static Err replay(Interval *interval, Tail *tail, u64 seq, Arena *a, JobResult *result)
{
    Err err = E_OK;
    WalRecord rec;
    bool got = false;
    for (;;) {
        JobSignal signal;
        TRY(tail_next(tail, &rec, &got));
        if (!got) return fail(E_NOT_FOUND, "the stream ends before the interval's signal");
        if (rec.kind != WAL_CONTROL) {
            TRY(interval_take(interval, &rec));
            continue;
        }
        if (!str_is(rec.table, "_prtnEnd")) continue;
        TRY(job_decode_signal(rec.body, rec.size, &signal));
        if (signal.seq > seq) return fail(E_NOT_FOUND, "the stream has no signal of the interval");
        if (signal.seq == seq) return interval_stage(interval, &signal, rec.end, a, result);
    }
done:
    return err;
}

/* The copy's folder in what was staged. */
static void take_folder(const JobResult *result, const Part *p, char **folder)
{
    for (u32 i = 0; i < result->part_count; i++)
        if (result->parts[i].late == p->late) *folder = (char *)(uintptr_t)result->parts[i].path;
}

Err repair_stream(const Root *r, const Config *config, ViewCache *cache, const Part *p, Arena *a,
                  char **folder)
{
    Err err = E_OK;
    Root aside = {0};
    Domain domain = {0};
    Tail tail = {0};
    Interval *interval = NULL;
    JobResult result;
    u64 position = 0;
    bool found = false;
    *folder = NULL;
    TRY(find_start(r, cache, p->made, &position, &found));
    if (!found) return E_OK;
    const char *idb = dir_join(a, r->idb, "spill", "repair", NULL);
    root_init(&aside, r->name, idb, r->hdb, r->wal, r->tiers, r->tier_count);
    TRY(dir_remove_all(idb));
    TRY(dir_make_all(dir_join(a, idb, "spill", NULL)));
    TRY(domain_open(&domain, r->sym, UINT64_MAX));
    IntervalOptions o = {.root = &aside,
                         .tables = &config->tables,
                         .domain = &domain,
                         .memory_max = config->memory_max,
                         .chunk_rows = config->chunk_size,
                         .threads = proc_cpus()};
    TRY(interval_make(&interval, &o));
    err = tail_open(&tail, r->wal, position);
    if (err == E_OK) err = replay(interval, &tail, p->made, a, &result);
    if (err == E_OK) {
        take_folder(&result, p, folder);
    } else if (err == E_NOT_FOUND || err == E_CORRUPT || err == E_TYPE) {
        log_event(LOG_INFO, "repair.stream", "the stream does not give the interval: %s",
                  fail_text());
        err = E_OK; /* no copy there: that is what the caller tells */
    }
done:
    tail_close(&tail);
    interval_free(interval);
    domain_close(&domain);
    root_close(&aside);
    return err;
}
