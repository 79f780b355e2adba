/*
 * dump_stream: the records of a log file, and where its sound records end.
 *
 * An end is as it should be when an END record closes the file, when the next file of the folder
 * begins there, or, in the newest file, when the shared page does not say that more was synced.
 */
#include "cmd/dump_stream.h"

#include <stdio.h>

#include "cmd/logs.h"
#include "os/dir.h"
#include "q/wire.h"
#include "writedown/job.h"

#define DUMP_REASON_MAX 200

/* The folder that a path lies in, in the arena. */
static char *folder_of(Arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? arena_text(a, ".", 1) : arena_text(a, path, (u64)(slash - path));
}

static bool is_refused(const char *folder)
{
    const char *slash = strrchr(folder, '/');
    const char *name = slash == NULL ? folder : slash + 1;
    return strcmp(name, "dead") == 0 || strcmp(name, "quarantine") == 0;
}

/* The reason at the head of a parked body. */
static void put_reason(DumpOut *o, const WalRecord *r)
{
    WireObject list, reason;
    if (wire_object(r->body, r->size, true, &list) != E_OK || list.type != QT_LIST ||
        list.count < 1)
        return;
    if (wire_object(list.data, r->size - (u64)(list.data - r->body), true, &reason) != E_OK) return;
    if (reason.type == QT_CHAR)
        dump_out_text(o, "reason",
                      (Str){(const char *)reason.data, MIN(reason.count, DUMP_REASON_MAX)});
}

static void put_signal(DumpOut *o, const WalRecord *r)
{
    JobSignal s;
    if (!str_is(r->table, "_prtnEnd")) return;
    if (job_decode_signal(r->body, r->size, &s) != E_OK) {
        dump_out_bad(o, "position %llu: %s", (unsigned long long)r->position, fail_text());
        return;
    }
    dump_out_count(o, "eoi", s.seq);
    if (s.eod != 0) dump_out_count(o, s.partial ? "eod-partial" : "eod", s.eod);
    Value day = value_atom(QT_DATE, s.day);
    dump_out_value(o, "date", &day);
    dump_out_time(o, "start", s.start);
    dump_out_time(o, "endTS", s.end);
}

static void put_record(DumpOut *o, const WalRecord *r, bool refused)
{
    dump_out_entry(o, "record");
    dump_out_count(o, "position", r->position);
    dump_out_count(o, "end", r->end);
    dump_out_text(o, "kind", r->kind == WAL_CONTROL ? STR("control") : STR("data"));
    dump_out_text(o, "table", r->table);
    dump_out_count(o, "rows", r->rows);
    dump_out_count(o, "bytes", r->size);
    if (r->publisher != 0) {
        dump_out_count(o, "publisher", r->publisher);
        dump_out_count(o, "session", r->session);
        dump_out_count(o, "sequence", r->sequence);
    }
    dump_out_time(o, "received", r->received);
    if (r->kind == WAL_CONTROL) put_signal(o, r);
    if (refused) put_reason(o, r);
    if (r->size > 0 && !refused && wire_check(r->body, r->size) != E_OK)
        dump_out_bad(o, "position %llu: the body is no q object: %s",
                     (unsigned long long)r->position, fail_text());
    dump_out_entry_end(o);
}

/* Whether the end of the sound records is one that should be. */
static void check_end(DumpOut *o, const LogsFile *f, const char *folder)
{
    Arena a = {0};
    LogsName *names = NULL;
    u64 count = 0, next = 0;
    WalShared shared;
    bool there = false;
    if (logs_list(folder, &a, &names, &count) != E_OK) count = 0;
    for (u64 i = count; i-- > 0;)
        if (names[i].first > f->first) next = names[i].first;
    if (next > 0) {
        if (f->position < next && !(f->closed && f->next == next))
            dump_out_bad(o, "sound records end at position %llu, the next file begins at %llu",
                         (unsigned long long)f->position, (unsigned long long)next);
    } else if (logs_shared(folder, &shared, &there) == E_OK && there) {
        if (f->position < shared.synced)
            dump_out_bad(o, "sound records end at position %llu, synced was %llu",
                         (unsigned long long)f->position, (unsigned long long)shared.synced);
    }
    arena_free(&a);
}

void dump_stream_log(DumpOut *o, const char *path)
{
    LogsFile f;
    WalRecord r;
    Arena a = {0};
    bool got = false;
    u64 records = 0, rows = 0;
    char *folder = folder_of(&a, path);
    dump_out_begin(o, path, "log file");
    if (logs_open(&f, path) != E_OK) {
        dump_out_fail(o);
    } else {
        dump_out_count(o, "first", f.first);
        dump_out_text(o, "id", str_of(arena_format(&a, "%016llx", (unsigned long long)f.id)));
        dump_out_count(o, "bytes", f.map.size);
        for (logs_next(&f, &r, &got); got; logs_next(&f, &r, &got)) {
            put_record(o, &r, is_refused(folder));
            records++;
            rows += r.rows;
        }
        dump_out_count(o, "records", records);
        dump_out_count(o, "rows", rows);
        dump_out_count(o, "validEnd", f.position);
        dump_out_text(o, "endedBy",
                      f.closed    ? STR("END record")
                      : f.damaged ? STR("a record that does not hold")
                                  : STR("unused space"));
        if (logs_intact(&f, path) == E_OK)
            check_end(o, &f, folder);
        else
            dump_out_fail(o);
        logs_close(&f);
    }
    dump_out_end(o);
    arena_free(&a);
}

void dump_stream_shared(DumpOut *o, const char *path)
{
    WalShared s;
    Arena a = {0};
    bool there = false;
    dump_out_begin(o, path, "page shared by processes");
    if (logs_shared(folder_of(&a, path), &s, &there) != E_OK) {
        dump_out_fail(o);
    } else if (there) {
        dump_out_count(o, "durable", s.durable);
        dump_out_count(o, "synced", s.synced);
        dump_out_count(o, "oldest", s.oldest);
        dump_out_count(o, "view", s.view);
        dump_out_count(o, "writerPid", s.writer);
    }
    dump_out_end(o);
    arena_free(&a);
}
