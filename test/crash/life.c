/*
 * life: what cmd/sm, cmd/signals and cmd/worker do, step for step, in one thread.
 *
 * Row `number` = batch * LIFE_ROWS + i; every column is a function of it. Each third batch has late
 * rows, each batch has a symbol of its own, notes are short and long. The publisher numbers its
 * batches, so a batch that is sent again is stored once.
 */
#include "crash/life.h"

#include "base/prng.h"
#include "crash/kload.h"
#include "db/sidecar.h"
#include "os/dir.h"
#include "os/fault.h"
#include "q/symbol.h"
#include "q/temporal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum { TIME, SYM, PRICE, SIZE, NOTE, DAY0 = 9000, WHY = 600, BLOCK = 50 };

/* ---- chance: stands for the C library's call in this program */

static Prng chance;

void life_random(u64 seed) { prng_init(&chance, seed); }

ssize_t getrandom(void *out, size_t size, unsigned flags)
{
    u8 *to = out;
    (void)flags;
    for (size_t i = 0; i < size; i++)
        to[i] = (u8)prng_next(&chance);
    return (ssize_t)size;
}

/* ---- rows */

i32 life_day_of(u32 batch) { return DAY0 + (i32)(batch / 12); }

static i64 time_of(u64 number)
{
    u32 batch = (u32)(number / LIFE_ROWS), i = (u32)(number % LIFE_ROWS);
    i32 day = life_day_of(batch);
    if (batch % 3 == 2 && i % 4 == 1) day -= 1 + (i32)(i % 8) / 4;
    return (i64)day * TEMPORAL_DAY_NS + (i64)(number * 2654435761u % 80000) * 1000000000;
}

static Str sym_of(u64 number, char text[16])
{
    u32 batch = (u32)(number / LIFE_ROWS);
    if (number % 5 == 0)
        snprintf(text, 16, "b%u", batch);
    else
        snprintf(text, 16, "%c", (char)('A' + number % 7));
    return str_of(text);
}

static u64 note_of(u64 number, char text[160])
{
    u64 size = number % 11 == 3 ? 150 : number % 9;
    for (u64 i = 0; i < size; i++)
        text[i] = (char)('a' + (i + number) % 26);
    return size;
}

static Err fill(Batch *b, u32 batch)
{
    Err err = E_OK;
    for (u32 i = 0; i < LIFE_ROWS; i++) {
        u64 number = (u64)batch * LIFE_ROWS + i;
        char sym[16], note[160];
        i64 time = time_of(number), size = (i64)number;
        f64 price = (f64)(number % 1000) / 4;
        i32 id = 0;
        TRY(symbol_intern(sym_of(number, sym), &id));
        TRY(vec_append(&b->cols[TIME], &time, 1));
        TRY(vec_append(&b->cols[SYM], &id, 1));
        TRY(vec_append(&b->cols[PRICE], &price, 1));
        TRY(vec_append(&b->cols[SIZE], &size, 1));
        TRY(vec_append_row(&b->cols[NOTE], note, note_of(number, note)));
        b->rows++;
    }
done:
    return err;
}

static bool row_is_right(const KloadRow *r)
{
    char sym[16], note[160];
    u64 number = (u64)r->number, size = note_of(number, note);
    return r->time == time_of(number) && r->price == (f64)(number % 1000) / 4 &&
           str_is(sym_of(number, sym), r->sym) && r->note_size == size &&
           (size == 0 || memcmp(r->note, note, size) == 0);
}

static void tell(Life *l)
{
    if (l->told != NULL) l->told(l->arg, &l->model);
}

/* ---- start and end */

static void schemas(Life *l)
{
    const char *const names[] = {"time", "sym", "price", "size", "note"};
    const int types[] = {QT_TIMESTAMP, QT_SYMBOL, QT_FLOAT, QT_LONG, QT_STRING};
    for (u32 i = 0; i < LIFE_COLUMNS; i++)
        l->columns[i] = (SchemaColumn){.name = names[i], .type = types[i]};
    l->columns[SYM].attr[PLACE_ORD] = l->columns[SYM].attr[PLACE_DISK] = ATTR_PARTED;
    l->quiet_columns[0] = l->columns[TIME];
    l->order[0] = SYM;
    l->order[1] = TIME;
    l->trade = (Schema){.name = "trade",
                        .column_count = LIFE_COLUMNS,
                        .columns = l->columns,
                        .prtn = 0,
                        .updated = -1,
                        .block_size = BLOCK};
    l->quiet = (Schema){
        .name = "quiet", .column_count = 1, .columns = l->quiet_columns, .prtn = 0, .updated = -1};
    for (int place = 0; place < 2; place++) {
        Place p = place == 0 ? PLACE_ORD : PLACE_DISK;
        l->trade.sort[p] = l->order;
        l->trade.sort_count[p] = 2;
    }
    schema_seal(&l->trade);
    schema_seal(&l->quiet);
    l->tables[0] = &l->trade;
    l->tables[1] = &l->quiet;
    l->set = (SchemaSet){2, l->tables};
}

void life_init(Life *l, const char *dir)
{
    memset(l, 0, sizeof *l);
    snprintf(l->dir, sizeof l->dir, "%s", dir);
    l->root.lock = FILE_NONE;
}

static void paths(Life *l)
{
    Arena *a = &l->root.memory;
    char idb[128], hdb[128];
    snprintf(idb, sizeof idb, "%s/near/idb", l->dir);
    snprintf(hdb, sizeof hdb, "%s/far/hdb", l->dir);
    l->mount = (Mount){"hdb", MOUNT_LOCAL, MOUNT_DATE, NULL};
    root_init(&l->root, "life", idb, hdb, NULL, l->tiers, 2);
    l->mount.base = l->root.hdb;
    l->tiers[0] = (Tier){
        .name = "new", .mount = &l->mount, .store = arena_format(a, "%s/far/hdb/data", l->dir)};
    l->tiers[1] = (Tier){.name = "old",
                         .mount = &l->mount,
                         .store = arena_format(a, "%s/cold/store", l->dir),
                         .own_store = true};
}

static Err model_recover(Life *l)
{
    Err err = E_OK;
    Tail tail = {0};
    WalRecord r;
    bool got = true;
    JobSignal s;
    const View *v = l->publish.current;
    l->eoi_next = v->eoi + 1;
    l->eod_next = MAX(v->eod, v->eod_asked) + 1;
    l->day_asked = v->eod_asked > v->eod ? v->eod_asked : 0;
    l->day_upto = v->eod_upto;
    for (u32 i = 0; i < v->publisher_count; i++)
        TRY(feed_remember(l->feed, v->publishers[i].publisher, v->publishers[i].session,
                          v->publishers[i].sequence));
    TRY(tail_open(&tail, l->root.wal, v->watermark));
    for (;;) {
        TRY(tail_next(&tail, &r, &got));
        if (!got) break;
        if (r.publisher != 0) TRY(feed_remember(l->feed, r.publisher, r.session, r.sequence));
        if (r.kind != WAL_CONTROL) continue;
        TRY(job_decode_signal(r.body, r.size, &s));
        l->eoi_next = MAX(l->eoi_next, s.seq + 1);
        if (s.eod != 0) l->eod_next = MAX(l->eod_next, s.eod + 1);
    }
done:
    tail_close(&tail);
    return err;
}

/* The eoi worker begins at the view as it then is. */
static Err start_worker(Life *l)
{
    Err err = E_OK;
    const View *v = l->publish.current;
    interval_free(l->interval);
    l->interval = NULL;
    tail_close(&l->tail);
    domain_close(&l->domain);
    TRY(domain_open(&l->domain, l->root.sym, v->sym_size));
    TRY(domain_cut(&l->domain, v->sym_size));
    IntervalOptions o = {.root = &l->root,
                         .tables = &l->set,
                         .domain = &l->domain,
                         .memory_max = 1 << 20,
                         .chunk_rows = 1000,
                         .threads = 1};
    TRY(interval_make(&l->interval, &o));
    TRY(tail_open(&l->tail, l->root.wal, v->watermark));
done:
    return err;
}

Err life_start(Life *l)
{
    Err err = E_OK;
    u64 lost_to = 0;
    schemas(l);
    paths(l);
    TRY(root_claim(&l->root));
    view_cache_init(&l->cache, &l->root);
    TRY(publish_open(&l->publish, &l->root, &l->cache, &l->removed));
    WalOptions o = {.file_size = l->file_size ? l->file_size : LIFE_LOG, .reserve = 1};
    TRY(wal_open(&l->wal, l->root.wal, &o, l->publish.current->watermark, &lost_to));
    if (lost_to != l->publish.current->watermark)
        TRY(fail(E_CORRUPT, "the stream begins behind the watermark"));
    wal_set_view(l->wal, l->publish.current->number);
    FeedOptions feed = {.tables = &l->set,
                        .wal = l->wal,
                        .dead_path = dir_join(&l->root.memory, l->root.idb, "dead", NULL),
                        .quarantine_path =
                            dir_join(&l->root.memory, l->root.idb, "quarantine", NULL)};
    TRY(feed_open(&l->feed, &feed));
    TRY(model_recover(l));
    TRY(domain_open(&l->day_domain, l->root.sym, 0));
    TRY(start_worker(l));
    /* Whoever looks now is told of this view: it must not be taken back any more. */
    l->model.view = MAX(l->model.view, l->publish.current->number);
    tell(l);
done:
    if (err != E_OK) life_drop(l);
    return err;
}

static void close_all(Life *l)
{
    interval_free(l->interval);
    l->interval = NULL;
    tail_close(&l->tail);
    domain_close(&l->domain);
    domain_close(&l->day_domain);
    feed_close(l->feed);
    l->feed = NULL;
    publish_close(&l->publish);
    view_cache_free(&l->cache);
    root_close(&l->root);
    l->root.lock = FILE_NONE;
}

Err life_stop(Life *l)
{
    Err err = wal_close(l->wal);
    l->wal = NULL;
    close_all(l);
    return err;
}

/* What is buffered must not reach the disk: every change fails meanwhile, and nobody is told. */
void life_drop(Life *l)
{
    fault_arm(FAULT_ERROR, 1, true, EIO);
    if (l->wal != NULL && wal_close(l->wal) != E_OK) l->wal = NULL;
    l->wal = NULL;
    close_all(l);
    fault_arm(FAULT_NONE, 0, false, 0);
}

/* ---- work */

/* One batch: buffered, not yet durable. */
static Err send_batch(Life *l, u32 batch)
{
    Err err = E_OK;
    Batch b = {0};
    Buf body = {0};
    FeedResult result;
    batch_init(&b, &l->trade);
    TRY(fill(&b, batch));
    TRY(batch_encode(&body, &b, 0, b.rows));
    FeedMessage m = {.table = STR("trade"),
                     .body = body.data,
                     .size = body.size,
                     .publisher = feed_publisher_id(STR("life")),
                     .session = 1,
                     .sequence = batch + 1};
    TRY(feed_publish(l->feed, &m, &result));
    if (result.verdict != FEED_OK && result.verdict != FEED_DUPLICATE)
        TRY(fail(E_CORRUPT, "batch %u: verdict %d", batch, result.verdict));
done:
    batch_free(&b);
    buf_free(&body);
    return err;
}

Err life_publish(Life *l)
{
    Err err = E_OK;
    u32 upto = MAX(l->model.sent, l->model.acked + 1);
    ASSERT(upto < LIFE_BATCHES_MAX);
    l->model.sent = upto;
    tell(l);
    for (u32 i = l->model.acked; i < upto; i++)
        TRY(send_batch(l, i));
    TRY(feed_sync(l->feed));
    l->model.acked = upto;
    tell(l);
done:
    return err;
}

static Err commit(Life *l, PublishChange *c)
{
    Err err = E_OK;
    Arena a = {0};
    FeedPublisher *publishers = NULL;
    u32 count = 0;
    TRY(feed_publishers(l->feed, &a, &publishers, &count));
    ViewPublisher *all = arena_array(&a, ViewPublisher, count);
    for (u32 i = 0; i < count; i++)
        all[i] =
            (ViewPublisher){publishers[i].publisher, publishers[i].session, publishers[i].sequence};
    c->publishers = all;
    c->publisher_count = count;
    TRY(publish_commit(&l->publish, c));
    wal_set_view(l->wal, l->publish.current->number);
    l->model.view = l->publish.current->number;
    tell(l);
done:
    arena_free(&a);
    return err;
}

static void number_parts(const Life *l, JobResult *r)
{
    i32 label = 0;
    u64 at = 0;
    for (const Part *p; (p = view_next(l->publish.current, PART_INTERVAL, &at)) != NULL;)
        if (p->key >= label) label = p->key + 1;
    for (u32 i = 0; i < r->part_count; i++)
        r->parts[i].key = label++;
}

/* A device that is full gets a second try, rows kept, as in the eoi worker. */
static Err stage(Life *l, const JobSignal *s, u64 end, Arena *a, JobResult *r)
{
    Err err = interval_stage(l->interval, s, end, a, r);
    if (err != E_FULL && err != E_LIMIT && err != E_MEMORY) return err;
    arena_reset(a);
    return interval_stage(l->interval, s, end, a, r);
}

static Err finish_interval(Life *l, const WalRecord *record)
{
    Err err = E_OK;
    Arena a = {0};
    JobSignal s;
    JobResult r;
    TRY(job_decode_signal(record->body, record->size, &s));
    TRY(stage(l, &s, record->end, &a, &r));
    if (r.part_count > 0 || s.eod != 0) {
        number_parts(l, &r);
        PublishChange c = publish_change(&l->publish);
        c.add = r.parts;
        c.add_count = r.part_count;
        c.watermark = r.watermark;
        c.eoi = r.seq;
        if (r.part_count > 0) c.sym_size = r.sym_size;
        c.interval_end = s.end;
        if (s.eod != 0) {
            c.eod_asked = s.eod;
            c.eod_upto = r.seq;
        }
        TRY(commit(l, &c));
    }
    if (s.eod != 0) {
        l->day_asked = s.eod;
        l->day_upto = s.seq;
    }
    TRY(interval_done(l->interval));
done:
    arena_free(&a);
    return err;
}

/* Follows the stream to its end. */
static Err follow_on(Life *l)
{
    Err err = E_OK;
    WalRecord r;
    bool got = true;
    for (;;) {
        TRY(tail_next(&l->tail, &r, &got));
        if (!got) break;
        if (r.kind == WAL_DATA)
            TRY(interval_take(l->interval, &r));
        else
            TRY(finish_interval(l, &r));
    }
done:
    return err;
}

/* A worker whose job failed ends; the next one begins at the view as it then is. */
static Err follow(Life *l)
{
    if (l->interval == NULL) {
        Err err = start_worker(l);
        if (err != E_OK) return err;
    }
    Err err = follow_on(l);
    if (err == E_OK) return E_OK;
    interval_free(l->interval);
    l->interval = NULL;
    return err;
}

Err life_interval(Life *l, bool day)
{
    Err err = E_OK;
    Buf body = {0};
    u64 end = 0;
    i32 today = life_day_of(MAX(l->model.sent, 1) - 1);
    JobSignal s = {.seq = l->eoi_next,
                   .eod = day ? l->eod_next : 0,
                   .day = today,
                   .start = (i64)today * TEMPORAL_DAY_NS,
                   .end = (i64)today * TEMPORAL_DAY_NS + 1,
                   .partial = day};
    TRY(job_encode_signal(&body, &s));
    TRY(feed_control(l->feed, "_prtnEnd", body.data, body.size, &end));
    l->eoi_next++;
    if (day) l->eod_next++;
    TRY(feed_sync(l->feed));
    TRY(follow(l));
done:
    buf_free(&body);
    return err;
}

static char *stage_of(Arena *a, u64 day)
{
    return arena_format(a, "eod%llu", (unsigned long long)day);
}

Err life_day(Life *l)
{
    Err err = E_OK;
    Arena a = {0};
    DayPlan plan;
    JobResult r;
    const char **folders = NULL;
    u32 count = 0;
    const View *v = l->publish.current;
    u64 removed = 0;
    if (l->undo != 0) /* what an earlier try could not take back, as the next worker does */
        TRY(publish_stage_undo(&l->root, v, stage_of(&a, l->undo), &removed));
    l->undo = 0;
    char *job = stage_of(&a, l->day_asked);
    if (l->day_asked == 0) return E_OK;
    TRY(domain_load(&l->day_domain, v->sym_size));
    TRY(day_plan(v, l->day_upto, l->day_asked, publish_next(&l->publish), &a, &plan));
    TRY(day_paths(&plan, &l->root, &a, &folders, &count));
    TRY(publish_stage_begin(&l->root, job, folders, count));
    l->undo = l->day_asked;
    DayOptions o = {.root = &l->root,
                    .tables = &l->set,
                    .domain = &l->day_domain,
                    .memory_max = 1 << 20,
                    .chunk_rows = 100,
                    .threads = 1};
    TRY(day_stage(&plan, &o, &a, &r));
    PublishChange c = publish_change(&l->publish);
    c.add = r.parts;
    c.add_count = r.part_count;
    c.remove = plan.taken;
    c.remove_count = plan.taken_count;
    c.eod = l->day_asked;
    TRY(commit(l, &c));
    l->day_asked = l->undo = 0;
    TRY(publish_stage_end(&l->root, job));
done:
    arena_free(&a);
    return err;
}

Err life_catch_up(Life *l)
{
    Err err = follow(l);
    return err == E_OK ? life_day(l) : err;
}

/* Copies a part by links into a new folder of the other tier, as a migration stages it. */
static Err copy_part(const Part *p, const char *to, Arena *a)
{
    Err err = E_OK;
    TRY(dir_remove_all(to));
    TRY(dir_make_all(to));
    for (u32 t = 0; t < p->table_count; t++) {
        DirEntry *e = NULL;
        u64 count = 0;
        char *from = dir_join(a, p->path, p->tables[t].name, NULL);
        char *into = dir_join(a, to, p->tables[t].name, NULL);
        TRY(dir_list(from, 1000, a, &e, &count));
        TRY(dir_make(into));
        for (u64 i = 0; i < count; i++)
            TRY(dir_hard_link(dir_join(a, from, e[i].name, NULL),
                              dir_join(a, into, e[i].name, NULL)));
        TRY(dir_sync(into));
    }
    TRY(dir_sync(to));
    if (p->summed) {
        char *sums = sidecar_path(a, to);
        TRY(sidecar_remove(to));
        TRY(dir_hard_link(sidecar_path(a, p->path), sums));
        TRY(dir_sync(arena_text(a, to, (u64)(strrchr(to, '/') - to))));
    }
done:
    return err;
}

Err life_migrate(Life *l)
{
    Err err = E_OK;
    Arena a = {0};
    u64 at = 0;
    const Part *p = view_next(l->publish.current, PART_DATE, &at);
    if (p == NULL) goto done;
    Part moved = *p;
    moved.tier = 1 - p->tier;
    moved.made = publish_next(&l->publish);
    moved.path = root_date_path(&l->root, &a, moved.tier, p->key, moved.made);
    TRY(publish_stage_begin(&l->root, "dbm1", &moved.path, 1));
    TRY(copy_part(p, moved.path, &a));
    PublishChange c = publish_change(&l->publish);
    c.add = &moved;
    c.add_count = 1;
    TRY(commit(l, &c));
    TRY(publish_stage_end(&l->root, "dbm1"));
done:
    arena_free(&a);
    return err;
}

/* Commits parts where they stand, with or without checksums. */
static Err restate(Life *l, Part *parts, u32 count, Arena *a)
{
    PublishChange c = publish_change(&l->publish);
    const Part **remove = arena_array(a, const Part *, count);
    for (u32 i = 0; i < count; i++) {
        const Part *p = view_part(l->publish.current, parts[i].kind, parts[i].key);
        parts[i].tables = p->tables;
        parts[i].table_count = p->table_count;
        if (p->kind == PART_INTERVAL) remove[c.remove_count++] = p;
    }
    c.add = parts;
    c.add_count = count;
    c.remove = remove;
    return count == 0 ? E_OK : commit(l, &c);
}

/* All parts of the current view. */
static Part *all_parts(const View *v, Arena *a, u32 *count)
{
    Part *all =
        arena_array(a, Part, view_part_count(v, PART_INTERVAL) + view_part_count(v, PART_DATE));
    *count = 0;
    for (int kind = PART_INTERVAL; kind <= PART_DATE; kind++) {
        u64 at = 0;
        for (const Part *p; (p = view_next(v, (PartKind)kind, &at)) != NULL;) {
            all[*count] = *p;
            all[(*count)++].path = str_dup(a, str_of(p->path));
        }
    }
    return all;
}

Err life_bare(Life *l)
{
    Err err = E_OK;
    Arena a = {0};
    u32 count = 0;
    Part *parts = all_parts(l->publish.current, &a, &count);
    for (u32 i = 0; i < count; i++) {
        parts[i].summed = false;
        parts[i].sums = 0;
    }
    TRY(restate(l, parts, count, &a));
    for (u32 i = 0; i < count; i++)
        TRY(sidecar_remove(parts[i].path));
done:
    arena_free(&a);
    return err;
}

Err life_sum(Life *l)
{
    Err err = E_OK;
    Arena a = {0};
    Sumup u = {0};
    u32 count = 0;
    const Part *parts = all_parts(l->publish.current, &a, &count);
    for (u32 i = 0; i < count; i++) {
        u64 read = 0;
        bool whole = false, bad = false;
        SidecarDamage d;
        if (parts[i].summed) continue;
        TRY(sumup_step(&u, &parts[i], UINT64_MAX, &a, &read, &whole, &bad, &d));
        if (bad) TRY(fail(E_CORRUPT, "%s", d.text));
        if (u.refused > 0) TRY(fail(u.reason, "%s", u.why));
    }
    TRY(restate(l, u.ready, u.ready_count, &a));
done:
    sumup_free(&u);
    arena_free(&a);
    return err;
}

Err life_sweep(Life *l)
{
    Sweep s;
    Err err = sweep_plan(&s, l->publish.current, &l->root, UINT64_MAX);
    if (err != E_OK) return err;
    sweep_run(&s);
    err = s.err == E_OK ? E_OK : fail(s.err, "%s", s.text);
    if (err == E_OK) publish_swept(&l->publish, s.oldest);
    if (err == E_OK) err = wal_trim(l->wal, s.watermark);
    sweep_free(&s);
    return err;
}

/* ---- judging */

typedef struct {
    Life *life;
    u8 seen[LIFE_BATCHES_MAX * LIFE_ROWS];
    char *why;
    bool wrong;
} Judge;

static void see(void *arg, const KloadRow *r)
{
    Judge *j = arg;
    if (j->wrong) return;
    const LifeModel *m = &j->life->model;
    if (r->number < 0 || (u64)r->number >= (u64)m->sent * LIFE_ROWS) {
        snprintf(j->why, WHY, "row %lld was never sent", (long long)r->number);
        j->wrong = true;
    } else if (!row_is_right(r)) {
        snprintf(j->why, WHY, "row %lld is not what was sent", (long long)r->number);
        j->wrong = true;
    } else if (j->seen[r->number]++ > 0) {
        snprintf(j->why, WHY, "row %lld is there twice", (long long)r->number);
        j->wrong = true;
    }
}

static bool load(Judge *j, const char *db, bool must)
{
    char path[160];
    DirKind kind = DIR_ABSENT;
    snprintf(path, sizeof path, "%s/%s/current", j->life->dir, db);
    if (!must && (dir_kind(path, false, &kind) != E_OK || kind == DIR_ABSENT)) return true;
    if (kload(path, see, j) < 0) {
        snprintf(j->why, WHY, "%s", kload_why());
        return false;
    }
    return !j->wrong;
}

/* The stream's rows after the watermark of the view that `current` names. */
static bool load_stream(Judge *j)
{
    Life *l = j->life;
    Tail tail = {0};
    WalRecord r;
    Batch b = {0};
    bool got = true;
    Err err = E_OK;
    batch_init(&b, &l->trade);
    TRY(tail_open(&tail, l->root.wal, l->publish.current->watermark));
    for (;;) {
        TRY(tail_next(&tail, &r, &got));
        if (!got) break;
        if (r.kind == WAL_DATA) TRY(batch_append_wire(&b, r.body, r.size));
    }
    for (u64 i = 0; i < b.rows; i++) {
        const u64 *offs = b.cols[NOTE].offs;
        KloadRow row = {.number = vec_i64(&b.cols[SIZE])[i],
                        .time = vec_i64(&b.cols[TIME])[i],
                        .price = vec_f64(&b.cols[PRICE])[i],
                        .sym = symbol_text(vec_i32(&b.cols[SYM])[i]).data,
                        .note = (const char *)b.cols[NOTE].data + offs[i],
                        .note_size = offs[i + 1] - offs[i]};
        see(j, &row);
    }
done:
    if (err != E_OK) snprintf(j->why, WHY, "the stream: %s", fail_text());
    tail_close(&tail);
    batch_free(&b);
    return err == E_OK && !j->wrong;
}

static bool count(Judge *j)
{
    const LifeModel *m = &j->life->model;
    for (u32 batch = 0; batch < m->sent; batch++) {
        u32 there = 0;
        for (u32 i = 0; i < LIFE_ROWS; i++)
            there += j->seen[(u64)batch * LIFE_ROWS + i];
        if (there == LIFE_ROWS || (there == 0 && batch >= m->acked)) continue;
        snprintf(j->why, WHY, "batch %u, %s: %u of %d rows are there", batch,
                 batch < m->acked ? "acknowledged" : "sent", there, LIFE_ROWS);
        return false;
    }
    return true;
}

/* Whether the view names a part folder, as a part or as garbage. */
static bool is_named(const View *v, const char *path)
{
    for (int kind = PART_INTERVAL; kind <= PART_DATE; kind++) {
        u64 at = 0;
        for (const Part *p; (p = view_next(v, (PartKind)kind, &at)) != NULL;)
            if (strcmp(p->path, path) == 0) return true;
    }
    for (u32 i = 0; i < v->garbage_count; i++)
        if (strcmp(v->garbage[i].path, path) == 0) return true;
    return false;
}

/* Part folders <store>/<date>/<number> that nobody names would stay for ever. */
static bool no_orphans(Judge *j, const char *store)
{
    Arena a = {0};
    Err err = E_OK;
    DirEntry *days = NULL, *parts = NULL;
    u64 day_count = 0, part_count = 0;
    const View *v = j->life->publish.current;
    bool good = true;
    DirKind kind;
    TRY(dir_kind(store, true, &kind));
    if (kind == DIR_ABSENT) goto done;
    TRY(dir_list(store, 100000, &a, &days, &day_count));
    for (u64 i = 0; i < day_count; i++) {
        char *day = dir_join(&a, store, days[i].name, NULL);
        if (days[i].kind != DIR_FOLDER) continue;
        TRY(dir_list(day, 100000, &a, &parts, &part_count));
        for (u64 k = 0; k < part_count && good; k++) {
            char *path = dir_join(&a, day, parts[k].name, NULL);
            u64 length = strlen(path), number = 0;
            if (sidecar_numbered(str_of(parts[k].name), &number)) /* goes with its part */
                path[length - strlen(".sums")] = 0;
            good = is_named(v, path);
            if (!good) snprintf(j->why, WHY, "%s: nobody names it", path);
        }
    }
done:
    if (err != E_OK) snprintf(j->why, WHY, "%s", fail_text());
    arena_free(&a);
    return err == E_OK && good;
}

/* The checksums of every part are there and right. */
static bool sums(Judge *j)
{
    for (int kind = PART_INTERVAL; kind <= PART_DATE; kind++) {
        u64 at = 0;
        for (const Part *p; (p = view_next(j->life->publish.current, (PartKind)kind, &at)) != NULL;)
            if (p->summed && sidecar_verify(p, 1) != E_OK) {
                snprintf(j->why, WHY, "%s", fail_text());
                return false;
            }
    }
    return true;
}

static bool tree(Judge *j)
{
    Life *l = j->life;
    Arena a = {0};
    bool good = sums(j) && no_orphans(j, root_store(&l->root, 0)) &&
                no_orphans(j, root_store(&l->root, 1)) &&
                no_orphans(j, dir_join(&a, l->root.idb, "data", NULL));
    arena_free(&a);
    if (good && l->publish.current->number < l->model.view) {
        snprintf(j->why, WHY, "view %llu was told of, %llu stands",
                 (unsigned long long)l->model.view, (unsigned long long)l->publish.current->number);
        return false;
    }
    return good;
}

static Judge *judge_begin(Life *l, char *why)
{
    static Judge j;
    memset(j.seen, 0, (u64)l->model.sent * LIFE_ROWS);
    j.life = l;
    j.why = why;
    j.wrong = false;
    return &j;
}

bool life_judge(Life *l, char *why)
{
    Judge *j = judge_begin(l, why);
    return load(j, "far/hdb", true) && load(j, "near/idb", true) && load_stream(j) && count(j) &&
           tree(j);
}

/* The number in a name such as idb.7; 0 for others. */
static u64 number_of(const char *name, const char *before)
{
    u64 size = strlen(before);
    return strncmp(name, before, size) == 0 ? strtoull(name + size, NULL, 10) : 0;
}

/* Each link of a view that stands leads somewhere, also of one that is about to go: `number`. */
static bool is_whole(const char *base, u64 number, char *why)
{
    char folder[300], path[600];
    snprintf(folder, sizeof folder, "%s/idb.%llu", base, (unsigned long long)number);
    DIR *d = opendir(folder);
    bool whole = true;
    for (struct dirent *e; d != NULL && whole && (e = readdir(d)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        whole = access(path, F_OK) == 0;
    }
    if (d != NULL) closedir(d);
    if (!whole) snprintf(why, WHY, "%.400s, of an older view, leads nowhere", path);
    return whole;
}

/* Views that were committed, whose manifest and folder stand, are whole until they are removed:
 * a reader may have to fall back to one. */
static bool older_views_stand(const Life *l, char *why)
{
    char base[200], manifests[240], path[300];
    snprintf(base, sizeof base, "%s/near/idb", l->dir);
    snprintf(manifests, sizeof manifests, "%s/manifest", base);
    snprintf(path, sizeof path, "%s/current", base);
    char link[300];
    ssize_t size = readlink(path, link, sizeof link - 1);
    if (size <= 0) return true;
    link[size] = 0;
    const char *last = strrchr(link, '/');
    u64 current = number_of(last == NULL ? link : last + 1, "idb.");
    DIR *d = opendir(manifests);
    bool good = true;
    for (struct dirent *e; d != NULL && good && (e = readdir(d)) != NULL;) {
        u64 number = number_of(e->d_name, "view.");
        if (number > 0 && number < current) good = is_whole(base, number, why);
    }
    if (d != NULL) closedir(d);
    return good;
}

bool life_judge_ruins(Life *l, char *why)
{
    return load(judge_begin(l, why), "near/idb", false) &&
           load(judge_begin(l, why), "far/hdb", false) && older_views_stand(l, why);
}

bool life_goes_on(Life *l, char *why)
{
    Err err = E_OK;
    TRY(life_catch_up(l));
    TRY(life_publish(l));
    TRY(life_interval(l, true));
    TRY(life_day(l));
    TRY(life_sweep(l));
done:
    if (err != E_OK) {
        snprintf(why, WHY, "work does not go on: %s", fail_text());
        return false;
    }
    if (view_part_count(l->publish.current, PART_INTERVAL) == 0) return life_judge(l, why);
    snprintf(why, WHY, "work does not go on: interval parts are left");
    return false;
}
