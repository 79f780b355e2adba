/*
 * day: the EOD job: interval parts and the date parts they join become new date parts.
 *
 * A day's rows stand in: its date part (if there is one), the main parts of intervals filed under
 * it, and its slices of late parts. For each day and table these are runs in order of stream
 * position, merged by sortColsDisk into <store>/<date>/<view>/<table>. A run is in order already
 * when sortColsDisk begins like the order it was written in; else it is looked at, and sorted into
 * pieces in the spill folder when it is not. Compressed parts are inflated block by block as the
 * merge goes on. Tables that only the old date part has (they left the configuration) are carried
 * over by hard links, so nothing is lost (O-65); an imported part may lie on another device, whose
 * files are copied. Dates that are new have those tables of the newest one, without rows.
 *
 * Failure: folders made here are removed; the view did not change. Memory: the merges' chunks, and
 * the piece being sorted, each bounded by memory_max. Threads: eodPeachLevel decides what runs on
 * the pool: dates, tables, or columns (inside the merge); only the highest named has effect.
 */
#include "writedown/day.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/log.h"
#include "db/sidecar.h"
#include "os/dir.h"
#include "os/now.h"
#include "os/pool.h"
#include "writedown/merge.h"
#include "writedown/unlisted.h"

static DayDate *find_date(DayPlan *plan, i32 day)
{
    for (u32 i = 0; i < plan->date_count; i++)
        if (plan->dates[i].day == day) return &plan->dates[i];
    return NULL;
}

static void add_day(i32 *days, u32 *count, i32 day)
{
    for (u32 i = 0; i < *count; i++)
        if (days[i] == day) return;
    days[(*count)++] = day;
}

/* The days that a part has rows of. */
static void part_days(const Part *p, i32 *days, u32 *count)
{
    for (u32 t = 0; t < p->table_count; t++) {
        const PartTable *table = &p->tables[t];
        if (!p->late && table->rows > 0) add_day(days, count, p->day);
        for (u32 s = 0; p->late && s < table->slice_count; s++)
            add_day(days, count, table->slices[s].day);
    }
}

static int compare_dates(const void *a, const void *b)
{
    i32 x = ((const DayDate *)a)->day, y = ((const DayDate *)b)->day;
    return (x > y) - (x < y);
}

/* An upper bound of the days that a part has rows of. */
static u64 day_bound(const Part *p)
{
    u64 n = 1;
    for (u32 t = 0; t < p->table_count; t++)
        n += p->tables[t].slice_count;
    return n;
}

Err day_plan(const View *v, u64 eoi, u64 eod, u64 made, Arena *a, DayPlan *plan)
{
    u64 parts = view_part_count(v, PART_INTERVAL), most = 0, at = 0;
    *plan = (DayPlan){.eod = eod, .made = made, .model = unlisted_model(v)};
    plan->taken = arena_alloc(a, (parts + 1) * sizeof(Part *));
    for (const Part *p; (p = view_next(v, PART_INTERVAL, &at)) != NULL;) {
        if (p->made > eoi) continue;
        plan->taken[plan->taken_count++] = p;
        most += day_bound(p);
    }
    plan->dates = arena_array(a, DayDate, most + 1);
    for (u32 i = 0; i < plan->taken_count; i++) {
        const Part *p = plan->taken[i];
        u32 count = 0;
        i32 *days = arena_array(a, i32, day_bound(p));
        part_days(p, days, &count);
        for (u32 d = 0; d < count; d++) {
            DayDate *date = find_date(plan, days[d]);
            if (date == NULL) {
                date = &plan->dates[plan->date_count++];
                date->day = days[d];
                date->existing = view_part(v, PART_DATE, days[d]);
                date->sources = arena_array(a, DaySource, plan->taken_count);
            }
            date->sources[date->source_count++] = (DaySource){p, !p->late};
        }
    }
    qsort(plan->dates, plan->date_count, sizeof(DayDate), compare_dates);
    return E_OK;
}

static char *date_path(const DayPlan *plan, const DayDate *date, const Root *root, Arena *a)
{
    u32 tier = date->existing != NULL ? date->existing->tier : 0;
    return root_date_path(root, a, tier, date->day, plan->made);
}

Err day_paths(const DayPlan *plan, const Root *root, Arena *a, const char ***paths, u32 *count)
{
    *count = plan->date_count;
    *paths = arena_alloc(a, (plan->date_count + 1u) * sizeof(char *));
    for (u32 i = 0; i < plan->date_count; i++)
        (*paths)[i] = date_path(plan, &plan->dates[i], root, a);
    return E_OK;
}

/* A run's source, before it is opened. */
typedef struct {
    const Part *part;
    const PartTable *table;
    u64 from, to;
    bool in_disk_order; /* written by sortColsDisk */
} Source;

/* One date and table being staged. */
typedef struct {
    const DayPlan *plan;
    const DayOptions *options;
    const DayDate *date;
    const Schema *schema;
    const char *path; /* of the part */
    SumList sums;
    PartTable result;
} Task;

typedef struct {
    Task *tasks;
    u32 tables; /* tasks of one date stand together */
    bool by_table;
} Stage;

/* Whether rows in the order of one place are in the order of another for sure: its keys begin the
 * same. */
static bool same_order(const Schema *s, Place written, Place wanted)
{
    if (s->sort_count[wanted] > s->sort_count[written]) return false;
    for (u32 i = 0; i < s->sort_count[wanted]; i++)
        if (s->sort[wanted][i] != s->sort[written][i]) return false;
    return true;
}

/* Whether a date part is one that an import took over: its rows are in the order that its writer
 * chose. */
static bool is_foreign(const Task *t, const Part *p)
{
    return !root_owns(t->options->root, p->path);
}

/* The sources of a task with rows, in order of position: the date part first, then intervals. */
static u32 list_sources(const Task *t, Source *sources)
{
    u32 n = 0;
    const DayDate *d = t->date;
    if (d->existing != NULL) {
        const PartTable *table = view_part_table(d->existing, t->schema->name);
        if (table != NULL && table->rows > 0)
            sources[n++] =
                (Source){d->existing, table, 0, table->rows, !is_foreign(t, d->existing)};
    }
    for (u32 i = 0; i < d->source_count; i++) {
        const Part *p = d->sources[i].part;
        const PartTable *table = view_part_table(p, t->schema->name);
        if (table == NULL || table->rows == 0) continue;
        if (d->sources[i].whole) sources[n++] = (Source){p, table, 0, table->rows, false};
        for (u32 s = 0; !d->sources[i].whole && s < table->slice_count; s++)
            if (table->slices[s].day == d->day)
                sources[n++] =
                    (Source){p, table, table->slices[s].from, table->slices[s].to, false};
    }
    return n;
}

/* Rows that may be sorted at once: keys, ranks, permutation and the sort's own arrays are about 48
 * bytes a row. */
static u64 piece_rows(const DayOptions *o)
{
    u64 bytes = o->memory_max / 4;
    if (o->sort_limit_gb > 0 && o->sort_limit_gb * 1e9 < (f64)bytes)
        bytes = (u64)(o->sort_limit_gb * 1e9);
    return MAX(bytes / 48, 65536);
}

/* Opens a source as one run, or as several sorted pieces when its order differs. */
static Err open_source(const Task *t, const Source *s, u32 number, Arena *a, MergeRun **runs,
                       u32 *count)
{
    Err err = E_OK;
    bool ours = s->part->kind == PART_INTERVAL;
    bool sorted = s->in_disk_order || (ours && same_order(t->schema, PLACE_ORD, PLACE_DISK));
    MergeRun *run = arena_new(a, MergeRun);
    run->splay = arena_new(a, Splay);
    run->rows = s->table->rows;
    run->from = s->from;
    run->to = s->to;
    TRY(splay_open(run->splay, dir_join(a, s->part->path, t->schema->name, NULL)));
    splay_on_need(run->splay);
    *runs = run;
    *count = 1;
    if (!sorted) TRY(merge_is_sorted(t->schema, PLACE_DISK, t->options->domain, run, &sorted));
    if (sorted) goto done;
    MergeTarget target = {.schema = t->schema,
                          .place = PLACE_DISK,
                          .domain = t->options->domain,
                          .path = arena_format(a, "%s/spill/eod.%s.%d.%u", t->options->root->idb,
                                               t->schema->name, t->date->day, number)};
    TRY(dir_make_all(dir_join(a, t->options->root->idb, "spill", NULL)));
    MergeRun *whole = run;
    err = merge_sort_pieces(&target, whole, piece_rows(t->options), a, runs, count);
    splay_close(whole->splay);
done:
    return err == E_OK ? E_OK : fail_note(err, "%s", s->part->path);
}

/* Closes runs; pieces in the spill folder are removed. */
static Err close_runs(const Task *t, MergeRun *runs, u32 count)
{
    Err err = E_OK;
    u64 prefix = strlen(t->options->root->idb);
    for (u32 i = 0; i < count; i++) {
        const char *path = runs[i].splay->path;
        bool piece = path != NULL && strncmp(path, t->options->root->idb, prefix) == 0 &&
                     strncmp(path + prefix, "/spill/", 7) == 0;
        if (piece) {
            Err removed = dir_remove_all(path);
            if (err == E_OK) err = removed;
        }
        splay_close(runs[i].splay);
    }
    return err;
}

/* How the tier of a new date part is compressed. */
static CodecChoice codec_of(const Task *t)
{
    const Part *old = t->date->existing;
    const Tier *tier = &t->options->root->tiers[old != NULL ? old->tier : 0];
    _Static_assert((int)TIER_RAW == CODEC_NONE && (int)TIER_QIPC == CODEC_QIPC &&
                       (int)TIER_GZIP == CODEC_GZIP && (int)TIER_SNAPPY == CODEC_SNAPPY &&
                       (int)TIER_LZ4HC == CODEC_LZ4HC && (int)TIER_ZSTD == CODEC_ZSTD,
                   "tiers and codecs count alike");
    if (tier->codec == TIER_RAW) return (CodecChoice){0};
    return (CodecChoice){(int)tier->codec, tier->level, tier->block_log2};
}

/* Merges one table of one date. */
static Err stage_table(Task *t)
{
    Err err = E_OK;
    Arena a = {0};
    Merge m = {0};
    u32 run_count = 0, room = 0;
    MergeRun *runs = NULL;
    Source *sources = arena_array(&a, Source, t->date->source_count + 1u);
    u32 source_count = list_sources(t, sources);
    u64 rows = 0;
    for (u32 i = 0; i < source_count; i++) {
        MergeRun *more = NULL;
        u32 count = 0;
        TRY(open_source(t, &sources[i], i, &a, &more, &count));
        if (run_count + count > room) {
            room = 2 * (run_count + count);
            MergeRun *grown = arena_array(&a, MergeRun, room);
            if (run_count > 0) memcpy(grown, runs, run_count * sizeof *runs);
            runs = grown;
        }
        memcpy(runs + run_count, more, count * sizeof *runs);
        run_count += count;
        rows += sources[i].to - sources[i].from;
    }
    MergeTarget target = {.schema = t->schema,
                          .place = PLACE_DISK,
                          .domain = t->options->domain,
                          .path = dir_join(&a, t->path, t->schema->name, NULL),
                          .rows_hint = rows,
                          .chunk_rows = t->options->chunk_rows,
                          .threads = t->options->threads,
                          .codec = codec_of(t),
                          .sums = &t->sums};
    TRY(merge_open(&m, &target));
    TRY(merge_add(&m, runs, run_count));
    for (u32 i = 0; i < run_count; i++)
        TRY(splay_intact(runs[i].splay));
    TRY(merge_finish(&m));
    if (m.rows != rows)
        TRY(fail(E_CORRUPT, "%s: %llu rows merged, %llu expected", target.path,
                 (unsigned long long)m.rows, (unsigned long long)rows));
    t->result = (PartTable){.name = t->schema->name,
                            .rows = m.rows,
                            .bytes = m.bytes,
                            .time_min = m.time_min,
                            .time_max = m.time_max,
                            .schema_hash = t->schema->hash};
done:
    if (err != E_OK) merge_drop(&m);
    Err closed = close_runs(t, runs, run_count);
    if (err == E_OK) err = closed;
    arena_free(&a);
    return err;
}

static Err table_task(void *arg, u64 i)
{
    Task *tasks = arg;
    return stage_table(&tasks[i]);
}

/* Stages all tables of one date. */
static Err date_task(void *arg, u64 i)
{
    Stage *stage = arg;
    Task *tasks = &stage->tasks[i * stage->tables];
    const Part *existing = tasks[0].date->existing;
    Err err = existing == NULL ? E_OK : sidecar_verify(existing, tasks[0].options->threads);
    if (err != E_OK) return err;
    return pool_run(stage->tables, stage->by_table ? tasks[0].options->threads : 1, table_task,
                    tasks);
}

/* The checksums of a table that is carried over: those of the old part, which was verified; a part
 * without them gets them from what stands there. */
static Err carry_sums(const Part *old, const char *table, SumList *sums)
{
    SumList all = {0};
    if (!old->summed) return sidecar_sum_table(old->path, table, sums);
    Err err = sidecar_read(old->path, old->sums, &all);
    if (err == E_OK) err = sum_list_join(sums, &all, table);
    sum_list_free(&all);
    return err;
}

/* Links the files of a table that the configuration no longer has into the new part. */
static Err carry_table(const Part *old, const PartTable *table, const char *path, Arena *a)
{
    Err err = E_OK;
    DirEntry *entries = NULL;
    u64 count = 0;
    char *from = dir_join(a, old->path, table->name, NULL),
         *to = dir_join(a, path, table->name, NULL);
    TRY(dir_list(from, 3 * BOUND_COLUMNS_MAX, a, &entries, &count));
    TRY(dir_make(to));
    for (u64 i = 0; i < count; i++) {
        bool copied = false;
        TRY(dir_share(dir_join(a, from, entries[i].name, NULL),
                      dir_join(a, to, entries[i].name, NULL), &copied));
    }
    TRY(dir_sync(to));
done:
    return err;
}

/* Adds empty tables for those of the model that neither the schemas nor the old part have. What
 * cannot be read there keeps no day from being written. */
static Err add_empty(const DayPlan *plan, const DayOptions *o, SumList *sums, Part *p)
{
    u32 count = plan->model == NULL ? 0 : plan->model->table_count;
    for (u32 t = 0; t < count; t++) {
        const PartTable *table = &plan->model->tables[t];
        if (schema_table(o->tables, str_of(table->name)) != NULL) continue;
        if (view_part_table(p, table->name) != NULL) continue;
        Err err = unlisted_empty(plan->model, table, p->path, sums, &p->tables[p->table_count]);
        if (err == E_OK)
            p->table_count++;
        else if (err == E_NOT_FOUND || err == E_CORRUPT || err == E_UNSUPPORTED)
            log_fail(LOG_WARN, "eod.unlisted", err);
        else
            return err;
    }
    return E_OK;
}

/* Describes a staged date part, carrying over tables without a schema. */
static Err finish_date(const DayPlan *plan, const DayDate *date, const DayOptions *o,
                       const Task *tasks, Arena *a, Part *p)
{
    Err err = E_OK;
    SumList sums = {0};
    u32 old = date->existing == NULL ? 0 : date->existing->table_count;
    *p = (Part){.kind = PART_DATE,
                .key = date->day,
                .day = date->day,
                .tier = date->existing == NULL ? 0 : date->existing->tier,
                .made = plan->made,
                .path = tasks[0].path};
    u32 more = plan->model == NULL ? 0 : plan->model->table_count;
    p->tables = arena_array(a, PartTable, o->tables->count + old + more);
    for (u32 t = 0; t < o->tables->count; t++)
        p->tables[p->table_count++] = tasks[t].result;
    for (u32 t = 0; t < o->tables->count; t++)
        TRY(sum_list_join(&sums, &tasks[t].sums, NULL));
    for (u32 t = 0; t < old; t++) {
        const PartTable *table = &date->existing->tables[t];
        if (schema_table(o->tables, str_of(table->name)) != NULL) continue;
        TRY(carry_table(date->existing, table, p->path, a));
        TRY(carry_sums(date->existing, table->name, &sums));
        p->tables[p->table_count] = *table;
        p->tables[p->table_count++].opened = NULL;
    }
    TRY(add_empty(plan, o, &sums, p));
    TRY(sidecar_seal(p->path, &sums, &p->sums));
    p->summed = true;
    TRY(sidecar_verify(p, o->threads));
done:
    sum_list_free(&sums);
    return err;
}

static Err verify_task(void *arg, u64 i)
{
    const DayPlan *plan = arg;
    return sidecar_verify(plan->taken[i], 1);
}

/* Every byte of the parts whose rows go into new ones is compared first: damage must not be
 * inherited. Rows of a damaged part stay where they are. Many parts are a task each; the bytes of a
 * few are shared out. */
static Err verify_sources(DayPlan plan, const DayOptions *o)
{
    if (plan.taken_count >= 2 * (u32)MAX(o->threads, 1))
        return pool_run(plan.taken_count, o->threads, verify_task, &plan);
    for (u32 i = 0; i < plan.taken_count; i++) {
        Err err = sidecar_verify(plan.taken[i], o->threads);
        if (err != E_OK) return err;
    }
    return E_OK;
}

/* Makes the folders of dates durable in every store that they stand in: one of them may have been
 * made by a try that died before its sync. */
static Err sync_dates(const DayPlan *plan, const Root *root)
{
    u32 last = UINT32_MAX;
    for (u32 d = 0; d < plan->date_count; d++) {
        const DayDate *date = &plan->dates[d];
        u32 tier = date->existing != NULL ? date->existing->tier : 0;
        Err err = tier == last ? E_OK : dir_sync(root_store(root, tier));
        if (err != E_OK) return err;
        last = tier;
    }
    return E_OK;
}

/* Removes what was staged for a date. */
static Err remove_staged(const DayPlan *plan, const DayDate *date, const Root *root, Arena *a)
{
    const char *path = date_path(plan, date, root, a);
    Err err = sidecar_remove(path);
    return err != E_OK ? err : dir_remove_all(path);
}

Err day_stage(const DayPlan *plan, const DayOptions *o, Arena *a, JobResult *result)
{
    Err err = E_OK;
    char text[FAIL_TEXT_MAX]; /* of a failure: removing what was made may fail on its own */
    i64 began = now_mono();
    u32 tables = o->tables->count;
    ASSERT(tables > 0);
    *result = (JobResult){.seq = plan->eod, .part_count = 0};
    result->parts = arena_array(a, Part, plan->date_count + 1u);
    Task *tasks = arena_array(a, Task, (u64)plan->date_count * tables + 1);
    TRY(verify_sources(*plan, o));
    for (u32 d = 0; d < plan->date_count; d++) {
        const char *path = date_path(plan, &plan->dates[d], o->root, a);
        TRY(remove_staged(plan, &plan->dates[d], o->root, a));
        TRY(dir_make_all(path));
        for (u32 t = 0; t < tables; t++)
            tasks[d * tables + t] =
                (Task){plan, o, &plan->dates[d], o->tables->tables[t], path, {0}, {0}};
    }
    TRY(sync_dates(plan, o->root));
    Stage stage = {tasks, tables, o->by_table && !o->by_part};
    TRY(pool_run(plan->date_count, o->by_part ? o->threads : 1, date_task, &stage));
    for (u32 d = 0; d < plan->date_count; d++) {
        TRY(finish_date(plan, &plan->dates[d], o, &tasks[d * tables], a, &result->parts[d]));
        result->part_count++;
        for (u32 t = 0; t < tables; t++) {
            result->rows += tasks[d * tables + t].result.rows;
            result->bytes += tasks[d * tables + t].result.bytes;
        }
        if (o->progress != NULL) o->progress(o->arg, d + 1u, plan->date_count);
    }
    result->ns = now_mono() - began;
done:
    snprintf(text, sizeof text, "%s", fail_text());
    for (u32 d = 0; err != E_OK && d < plan->date_count; d++) {
        if (remove_staged(plan, &plan->dates[d], o->root, a) != E_OK)
            break; /* the stage file has it */
    }
    for (u64 i = 0; i < (u64)plan->date_count * tables; i++)
        sum_list_free(&tasks[i].sums);
    return err == E_OK ? E_OK : fail(err, "%s", text);
}
