/*
 * check_stream: the rules of logs.
 *
 *     rule       what must hold
 *     log        a log file has a sound header, which agrees with its name
 *     record     records hold from the file's beginning to where the next one begins, in the newest
 *                to what the shared page says was synced; bodies are sound q objects
 *     shape      with an assembly: rows fit their table's schema, counts are right
 *     watermark  the view's watermark lies in what is kept
 *
 * A task a file. With a running manager the newest file is looked at up to what was durable when
 * the check began; what stands behind it is being written.
 */
#include "cmd/check_stream.h"

#include "cmd/logs.h"
#include "os/dir.h"
#include "os/pool.h"
#include "q/wire.h"
#include "table/batch.h"
#include "writedown/job.h"

typedef struct {
    const SchemaSet *tables; /* NULL: shapes are not checked */
    const char *path;
    u64 first, next; /* positions of this file and of the one behind; next = ~0 for the newest */
    u64 durable;     /* newest: how far it must hold */
    bool running, readable;
    u64 end, records;
    NoteList findings;
} Task;

static void check_shape(Task *t, const WalRecord *r)
{
    u64 rows = 0;
    const Schema *s = schema_table(t->tables, r->table);
    if (s == NULL) {
        note_warn(&t->findings, t->path, "shape",
                  "position %llu: table %.*s is not in the assembly",
                  (unsigned long long)r->position, STR_FMT(r->table));
    } else if (batch_check_wire(s, r->body, r->size, &rows) != E_OK) {
        note_bad(&t->findings, t->path, "shape", "position %llu: %s",
                 (unsigned long long)r->position, fail_text());
    } else if (rows != r->rows) {
        note_bad(&t->findings, t->path, "shape", "position %llu: %llu rows, its header says %u",
                 (unsigned long long)r->position, (unsigned long long)rows, r->rows);
    }
}

static void check_record(Task *t, const WalRecord *r)
{
    JobSignal signal;
    Err err = wire_check(r->body, r->size);
    if (err == E_OK && r->kind == WAL_CONTROL && str_is(r->table, "_prtnEnd"))
        err = job_decode_signal(r->body, r->size, &signal);
    if (err != E_OK)
        note_bad(&t->findings, t->path, "record", "position %llu: %s",
                 (unsigned long long)r->position, fail_text());
    else if (r->kind == WAL_DATA && t->tables != NULL)
        check_shape(t, r);
}

static void check_end(Task *t, const LogsFile *f)
{
    if (t->next != UINT64_MAX) {
        if (f->position != t->next && !(f->closed && f->next == t->next))
            note_bad(&t->findings, t->path, "record",
                     "records hold up to position %llu, the next file begins at %llu",
                     (unsigned long long)f->position, (unsigned long long)t->next);
    } else if (f->position < t->durable) {
        note_bad(&t->findings, t->path, "record",
                 "records hold up to position %llu, synced was %llu",
                 (unsigned long long)f->position, (unsigned long long)t->durable);
    } else if (f->damaged && !t->running) {
        note_warn(&t->findings, t->path, "record",
                  "a torn record at position %llu, never synced; the next start cuts it",
                  (unsigned long long)f->position);
    }
}

static Err check_file(void *arg, u64 i)
{
    Task *t = (Task *)arg + i;
    LogsFile f;
    WalRecord r;
    bool got = false;
    u64 stop = t->next != UINT64_MAX ? t->next : t->running ? t->durable : UINT64_MAX;
    Err err = logs_open(&f, t->path);
    if (err == E_OK && f.first != t->first)
        err =
            fail(E_CORRUPT, "its header says that it begins at %llu", (unsigned long long)f.first);
    if (err != E_OK) {
        logs_close(&f);
        bool taken = t->running && (err == E_NOT_FOUND || err == E_BUSY); /* trimmed meanwhile */
        if (!taken)
            findings_fail(&t->findings, t->path, "log", err == E_UNSUPPORTED ? E_CORRUPT : err);
        return E_OK;
    }
    t->readable = true;
    while (f.position < stop) {
        logs_next(&f, &r, &got);
        if (!got) break;
        check_record(t, &r);
        t->records++;
    }
    t->end = f.position;
    err = logs_intact(&f, t->path);
    if (err == E_OK)
        check_end(t, &f);
    else
        findings_fail(&t->findings, t->path, "log", err);
    logs_close(&f);
    return E_OK;
}

/* One folder of logs; *end tells where its sound records end, *oldest where they begin. */
static Err check_folder(CheckView *db, const char *folder, bool stream, u64 *oldest, u64 *end)
{
    Err err = E_OK;
    Arena scratch = {0};
    LogsName *names = NULL;
    u64 count = 0;
    WalShared shared = {0};
    bool there = false;
    Task *tasks = NULL;
    *oldest = *end = 0;
    err = logs_shared(folder, &shared, &there);
    if (err != E_OK) findings_fail(&db->findings, folder, "log", err);
    TRY(logs_list(folder, &scratch, &names, &count));
    tasks = arena_array(&scratch, Task, count + 1);
    for (u64 i = 0; i < count; i++) {
        tasks[i] = (Task){.tables = stream ? db->tables : NULL,
                          .path = names[i].path,
                          .first = names[i].first,
                          .next = i + 1 < count ? names[i + 1].first : UINT64_MAX,
                          .durable = there ? (db->running ? shared.durable : shared.synced) : 0,
                          .running = db->running};
    }
    TRY(pool_run(count, 0, check_file, tasks));
    for (u64 i = 0; i < count; i++) {
        if (tasks[i].readable) *end = tasks[i].end;
        db->records += tasks[i].records;
        db->files++;
        note_join(&db->findings, &tasks[i].findings);
    }
    if (count > 0) *oldest = names[0].first;
done:
    arena_free(&scratch);
    return err;
}

Err check_stream(CheckView *db)
{
    Err err = E_OK;
    Arena scratch = {0};
    u64 oldest = 0, end = 0, ignored = 0;
    TRY(check_folder(db, db->root.wal, true, &oldest, &end));
    if (db->view != NULL && (db->view->watermark < oldest || db->view->watermark > end))
        note_bad(&db->findings, db->root.wal, "watermark",
                 "the view's watermark %llu lies outside of what is kept, %llu to %llu",
                 (unsigned long long)db->view->watermark, (unsigned long long)oldest,
                 (unsigned long long)end);
    TRY(check_folder(db, dir_join(&scratch, db->root.idb, "dead", NULL), false, &ignored,
                     &ignored));
    TRY(check_folder(db, dir_join(&scratch, db->root.idb, "quarantine", NULL), false, &ignored,
                     &ignored));
done:
    arena_free(&scratch);
    return err;
}
