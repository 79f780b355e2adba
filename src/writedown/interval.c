/*
 * interval: the EOI job: rows of a stretch of the stream become an interval part.
 *
 * Rows of each table stand in one Batch in order of arrival. A table that passes its blockSize, or
 * the largest one when memory runs out, is sorted by (day, sortColsOrd) and written as a run to the
 * spill folder; a run remembers which rows belong to which day. At the signal: no runs of a table:
 * sort by (day, sortColsOrd), the interval's day first, and write both parts from memory else: what
 * is in memory becomes the last run; merge the slices of each day Rows of the interval's own day
 * form the main part; all others the late part, day after day, each a slice. The main part stands
 * at data/<day>/<seq>, the late part at data/<first late day>/<seq>.
 *
 * States: collecting -- interval_take --> collecting; -- interval_stage --> staged (rows kept) --
 * interval_done --> collecting. A failed stage removes its folders and stays collecting. Spill
 * files mean nothing after a restart. Threads: the caller's; tables are sorted and written in
 * parallel on the pool, each task owning one table.
 */
#include "writedown/interval.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "db/sidecar.h"
#include "os/dir.h"
#include "os/now.h"
#include "os/pool.h"
#include "q/sort.h"
#include "q/temporal.h"
#include "table/splay.h"
#include "writedown/merge.h"

/* A sorted run in the spill folder, open for the merge. */
typedef struct {
    char *path;
    u64 rows;
    u32 slice_count;
    PartSlice *slices;
} Spill;

/* What an interval holds of one table. */
typedef struct {
    const Schema *schema;
    Batch batch;
    u64 bytes;
    u64 spilled; /* rows in runs */
    u32 run_count, run_room;
    Spill *runs;
    /* while it is staged */
    u32 *perm;
    i32 *days;
    u64 main_rows;
    PartTable main, late;
    SplayOut main_out, late_out;
    SumList main_sums, late_sums;
} Held;

struct Interval {
    IntervalOptions options;
    char *spill;
    u32 table_count;
    Held *tables;
    Map by_name;
    u64 bytes;
    u64 spill_count; /* runs written: names them */
    Arena memory;
    Arena runs; /* paths and slices of runs; emptied by interval_done */
    /* while it is staged */
    const JobSignal *signal;
    const char *main_path, *late_path;
    u32 main_crc, late_crc; /* of their sidecars */
    Arena *result_memory;
};

Err interval_make(Interval **out, const IntervalOptions *o)
{
    Interval *i = calloc(1, sizeof *i);
    if (i == NULL) return fail(E_MEMORY, "no memory for an interval");
    i->options = *o;
    i->spill = dir_join(&i->memory, o->root->idb, "spill", NULL);
    i->table_count = o->tables->count;
    i->tables = arena_array(&i->memory, Held, i->table_count);
    for (u32 t = 0; t < i->table_count; t++) {
        i->tables[t].schema = o->tables->tables[t];
        batch_init(&i->tables[t].batch, o->tables->tables[t]);
        map_put(&i->by_name, str_of(o->tables->tables[t]->name), (i32)t);
    }
    *out = i;
    return E_OK;
}

/* The partition times of a table in memory; NULL when the table has no partition column. */
static const i64 *held_times(const Held *h)
{
    return h->schema->prtn < 0 ? NULL : vec_i64(&h->batch.cols[h->schema->prtn]);
}

/* Makes sure that every symbol in memory is in the domain. */
static Err enumerate(Interval *i, const Held *h)
{
    for (u32 c = 0; c < h->schema->column_count; c++) {
        const Vec *v = &h->batch.cols[c];
        if (v->type != QT_ENUM) continue;
        Err err = domain_add(i->options.domain, vec_i32(v), v->count);
        if (err != E_OK) return err;
    }
    return E_OK;
}

/* Fills days[] with the day of each row, or `first` replaced by INT32_MIN so that it sorts first;
 * false when all rows have the same class and no key is needed. */
static bool day_keys(const Held *h, bool has_first, i32 first)
{
    const i64 *times = held_times(h);
    bool mixed = false;
    for (u64 r = 0; r < h->batch.rows; r++) {
        i32 day = times == NULL ? first : temporal_day_of(times[r]);
        h->days[r] = has_first && day == first ? INT32_MIN : day;
        mixed |= h->days[r] != h->days[0];
    }
    return mixed;
}

/* Sorts what is in memory by (day, place's keys) into h->perm. */
static Err sort_rows(Held *h, bool has_first, i32 first)
{
    Err err = E_OK;
    Arena a = {0};
    SortKey *keys = NULL;
    u64 count = 0;
    bool sorted = false;
    u64 rows = h->batch.rows;
    if (rows >= UINT32_MAX)
        return fail(E_LIMIT, "table %s: too many rows in one interval", h->schema->name);
    h->perm = malloc((rows + 1) * sizeof(u32));
    h->days = malloc((rows + 1) * sizeof(i32));
    if (h->perm == NULL || h->days == NULL)
        TRY(fail(E_MEMORY, "table %s: no memory to sort %llu rows", h->schema->name,
                 (unsigned long long)rows));
    TRY(splay_sort_keys(&h->batch, PLACE_ORD, &a, &keys, &count));
    bool mixed = day_keys(h, has_first, first);
    SortKey *all = arena_array(&a, SortKey, count + 1);
    all[0] = (SortKey){.type = QT_INT, .data = h->days};
    if (count > 0) memcpy(all + 1, keys, count * sizeof *keys);
    TRY(sort_order(mixed ? all : all + 1, mixed ? count + 1 : count, rows, h->perm, &sorted));
done:
    arena_free(&a);
    return err;
}

static void sort_free(Held *h)
{
    free(h->perm);
    free(h->days);
    h->perm = NULL;
    h->days = NULL;
}

/* The stretches of equal day in sorted rows [from, to). */
static void find_slices(const Held *h, u64 from, u64 to, Arena *a, PartSlice **slices, u32 *count)
{
    u32 n = 0;
    for (u64 r = from; r < to; r++)
        if (r == from || h->days[h->perm[r]] != h->days[h->perm[r - 1]]) n++;
    *slices = arena_array(a, PartSlice, n);
    *count = n;
    n = 0;
    for (u64 r = from; r < to; r++) {
        i32 day = h->days[h->perm[r]];
        if (r == from || day != h->days[h->perm[r - 1]])
            (*slices)[n++] = (PartSlice){day, r - from, r - from};
        (*slices)[n - 1].to = r - from + 1;
    }
}

static void empty_batch(Interval *i, Held *h)
{
    i->bytes -= h->bytes;
    batch_free(&h->batch); /* give large memory back; small tables grow again at once */
    batch_init(&h->batch, h->schema);
    h->bytes = 0;
}

/* Ends a run that could not be written. On a full disk its bytes are what others wait for, so they
 * go at once; what cannot go now does when the run is tried again, which has the same name. */
static Err give_up(Err err, const char *path, SplayOut *out, const Schema *s)
{
    char text[FAIL_TEXT_MAX];
    snprintf(text, sizeof text, "%s", fail_text());
    splay_out_drop(out);
    if (path != NULL && dir_remove_all(path) != E_OK)
        return fail(err, "spilling table %s: %s; %s is still there", s->name, text, path);
    return fail(err, "spilling table %s: %s", s->name, text);
}

/* Writes what is in memory of one table as a sorted run. */
static Err spill(Interval *i, Held *h)
{
    Err err = E_OK;
    SplayOut out = {0};
    Spill run = {.rows = h->batch.rows};
    if (run.rows == 0) return E_OK;
    run.path = arena_format(&i->runs, "%s/%s.%llu", i->spill, h->schema->name,
                            (unsigned long long)i->spill_count);
    TRY(dir_make_all(i->spill));
    TRY(dir_remove_all(run.path));
    TRY(enumerate(i, h));
    TRY(sort_rows(h, false, 0));
    find_slices(h, 0, run.rows, &i->runs, &run.slices, &run.slice_count);
    TRY(splay_out_open(&out, run.path, h->schema, PLACE_ORD, run.rows));
    TRY(splay_out_batch(&out, &h->batch, h->perm, run.rows, i->options.domain));
    TRY(splay_out_finish(&out));
    if (h->run_count == h->run_room) {
        u32 room = h->run_room == 0 ? 16 : 2 * h->run_room;
        Spill *runs = arena_array(&i->runs, Spill, room);
        if (h->run_count > 0) memcpy(runs, h->runs, h->run_count * sizeof *runs);
        h->runs = runs;
        h->run_room = room;
    }
    h->runs[h->run_count++] = run;
    h->spilled += run.rows;
    i->spill_count++;
    empty_batch(i, h);
done:
    sort_free(h);
    return err == E_OK ? E_OK : give_up(err, run.path, &out, h->schema);
}

/* Makes room when all tables together hold more than the bound allows: half of it is left for
 * sorting. */
static Err keep_bound(Interval *i)
{
    u64 bound = i->options.memory_max == 0 ? UINT64_MAX : i->options.memory_max * 2 / 5;
    while (i->bytes > bound) {
        Held *largest = &i->tables[0];
        for (u32 t = 1; t < i->table_count; t++)
            if (i->tables[t].bytes > largest->bytes) largest = &i->tables[t];
        if (largest->batch.rows == 0) return E_OK;
        Err err = spill(i, largest);
        if (err != E_OK) return err;
    }
    return E_OK;
}

Err interval_take(Interval *i, const WalRecord *r)
{
    i32 at = map_find(&i->by_name, r->table);
    if (at < 0) return E_OK; /* a table that the configuration no longer has */
    Held *h = &i->tables[at];
    Err err = batch_append_wire(&h->batch, r->body, r->size);
    if (err != E_OK)
        return fail_note(err, "table %s, position %llu", h->schema->name,
                         (unsigned long long)r->position);
    u64 bytes = batch_bytes(&h->batch);
    i->bytes += bytes - h->bytes;
    h->bytes = bytes;
    if (h->schema->block_size > 0 && h->batch.rows >= h->schema->block_size) return spill(i, h);
    return keep_bound(i);
}

/* Starts the description of a table in a part. */
static PartTable describe(const Schema *s)
{
    return (PartTable){
        .name = s->name, .schema_hash = s->hash, .time_min = INT64_MAX, .time_max = INT64_MIN};
}

/* Widens the time range of a table by sorted rows perm[0..count). */
static void time_range(const Held *h, const u32 *perm, u64 count, PartTable *t)
{
    const i64 *times = held_times(h);
    for (u64 r = 0; times != NULL && r < count; r++) {
        i64 time = times[perm[r]];
        if (time < t->time_min) t->time_min = time;
        if (time > t->time_max) t->time_max = time;
    }
}

/* Writes rows perm[0..count) of memory as one table of a part; finish_tables ends and syncs it. */
static Err write_rows(Interval *i, Held *h, const char *part, const u32 *perm, u64 count,
                      PartTable *t, SplayOut *out)
{
    Err err = E_OK;
    Arena a = {0};
    TRY(splay_out_open(out, dir_join(&a, part, h->schema->name, NULL), h->schema, PLACE_ORD,
                       count));
    TRY(splay_out_sums(out, t == &h->late ? &h->late_sums : &h->main_sums));
    TRY(splay_out_batch(out, &h->batch, perm, count, i->options.domain));
    t->rows = count;
    time_range(h, perm, count, t);
done:
    arena_free(&a);
    return err;
}

/* The rows of a day in every run, as merge runs. */
static u32 day_runs(const Held *h, Splay *splays, i32 day, MergeRun *runs)
{
    u32 n = 0;
    for (u32 r = 0; r < h->run_count; r++)
        for (u32 s = 0; s < h->runs[r].slice_count; s++)
            if (h->runs[r].slices[s].day == day)
                runs[n++] = (MergeRun){&splays[r], h->runs[r].rows, h->runs[r].slices[s].from,
                                       h->runs[r].slices[s].to};
    return n;
}

static int compare_days(const void *a, const void *b)
{
    i32 x = *(const i32 *)a, y = *(const i32 *)b;
    return (x > y) - (x < y);
}

/* The days that occur in the runs of a table, ascending; `skip` is left out. */
static i32 *spilled_days(const Held *h, i32 skip, Arena *a, u32 *count)
{
    u64 most = 0;
    u32 n = 0;
    for (u32 r = 0; r < h->run_count; r++)
        most += h->runs[r].slice_count;
    i32 *days = arena_array(a, i32, most + 1);
    for (u32 r = 0; r < h->run_count; r++)
        for (u32 s = 0; s < h->runs[r].slice_count; s++)
            if (h->runs[r].slices[s].day != skip) days[n++] = h->runs[r].slices[s].day;
    qsort(days, n, sizeof *days, compare_days);
    *count = 0;
    for (u32 k = 0; k < n; k++)
        if (k == 0 || days[k] != days[k - 1]) days[(*count)++] = days[k];
    return days;
}

/* Merges the given days of a table's runs, one behind the other, as one table of a part. */
static Err merge_days(Interval *i, Held *h, Splay *splays, const char *part, const i32 *days,
                      u32 day_count, PartTable *t)
{
    Err err = E_OK;
    Merge m = {0};
    Arena a = {0};
    MergeTarget target = {.schema = h->schema,
                          .place = PLACE_ORD,
                          .domain = i->options.domain,
                          .path = dir_join(&a, part, h->schema->name, NULL),
                          .rows_hint = h->spilled,
                          .chunk_rows = i->options.chunk_rows,
                          .threads = i->options.threads,
                          .sums = t == &h->late ? &h->late_sums : &h->main_sums};
    MergeRun *runs = arena_array(&a, MergeRun, h->run_count + 1u);
    if (t == &h->late) t->slices = arena_array(i->result_memory, PartSlice, day_count);
    TRY(merge_open(&m, &target));
    for (u32 d = 0; d < day_count; d++) {
        u64 from = m.rows;
        TRY(merge_add(&m, runs, day_runs(h, splays, days[d], runs)));
        if (t == &h->late) t->slices[t->slice_count++] = (PartSlice){days[d], from, m.rows};
    }
    TRY(merge_finish(&m));
    t->rows = m.rows;
    t->bytes = m.bytes;
    t->time_min = m.time_min;
    t->time_max = m.time_max;
done:
    if (err != E_OK) merge_drop(&m);
    arena_free(&a);
    return err;
}

/* Stages a table that has runs. */
static Err stage_runs(Interval *i, Held *h)
{
    Err err = E_OK;
    Arena a = {0};
    u32 late_count = 0;
    Splay *splays = arena_array(&a, Splay, h->run_count);
    for (u32 r = 0; r < h->run_count; r++)
        TRY(splay_open(&splays[r], h->runs[r].path));
    if (i->main_path != NULL)
        TRY(merge_days(i, h, splays, i->main_path, &i->signal->day, 1, &h->main));
    i32 *late = spilled_days(h, i->signal->day, &a, &late_count);
    if (i->late_path != NULL)
        TRY(merge_days(i, h, splays, i->late_path, late, late_count, &h->late));
done:
    for (u32 r = 0; r < h->run_count; r++)
        splay_close(&splays[r]);
    arena_free(&a);
    return err;
}

/* Stages a table that stands in memory; sort_rows was done. */
static Err stage_memory(Interval *i, Held *h)
{
    Err err = E_OK;
    u64 late_rows = h->batch.rows - h->main_rows;
    const u32 *late = h->perm + h->main_rows;
    if (i->main_path != NULL)
        TRY(write_rows(i, h, i->main_path, h->perm, h->main_rows, &h->main, &h->main_out));
    if (i->late_path == NULL) goto done;
    TRY(write_rows(i, h, i->late_path, late, late_rows, &h->late, &h->late_out));
    if (late_rows > 0)
        find_slices(h, h->main_rows, h->batch.rows, i->result_memory, &h->late.slices,
                    &h->late.slice_count);
done:
    return err;
}

static Err sort_task(void *arg, u64 at)
{
    Interval *i = arg;
    Held *h = &i->tables[at];
    if (h->run_count > 0) return E_OK;
    Err err = sort_rows(h, true, i->signal->day);
    if (err != E_OK) return err;
    h->main_rows = 0;
    while (h->main_rows < h->batch.rows && h->days[h->perm[h->main_rows]] == INT32_MIN)
        h->main_rows++;
    return E_OK;
}

/* find_slices of the result allocates in the result's arena: tables that have late rows go one at a
 * time. */
static Err stage_task(void *arg, u64 at)
{
    Interval *i = arg;
    Held *h = &i->tables[at];
    return h->run_count > 0 ? stage_runs(i, h) : stage_memory(i, h);
}

/* Writes the checksums of a part's files beside it. */
static Err write_sums(const Interval *i, bool late, u32 *crc, File *keep)
{
    Err err = E_OK;
    SumList sums = {0};
    for (u32 t = 0; t < i->table_count; t++)
        TRY(sum_list_join(&sums, late ? &i->tables[t].late_sums : &i->tables[t].main_sums, NULL));
    TRY(sidecar_write(late ? i->late_path : i->main_path, &sums, crc, keep));
done:
    sum_list_free(&sums);
    return err;
}

static Err write_all_sums(void *arg, File *files)
{
    Interval *i = arg;
    Err err = i->main_path == NULL ? E_OK : write_sums(i, false, &i->main_crc, files++);
    if (err == E_OK && i->late_path != NULL) err = write_sums(i, true, &i->late_crc, files);
    return err;
}

/* Ends and syncs everything that was written from memory, and the checksums, in one pass over all
 * files: all are on their way to the device before the first is waited for; then all folders. */
static Err finish_tables(Interval *i, Arena *a)
{
    SplayOut **outs = arena_alloc(a, (2 * (u64)i->table_count + 1) * sizeof(SplayOut *));
    u64 count = 0;
    const char *folders[4];
    const char *const paths[2] = {i->main_path, i->late_path};
    SplayMore more = {.folders = folders, .write = write_all_sums, .arg = i};
    for (u32 t = 0; t < i->table_count; t++) {
        if (i->tables[t].run_count > 0) continue;
        if (i->main_path != NULL) outs[count++] = &i->tables[t].main_out;
        if (i->late_path != NULL) outs[count++] = &i->tables[t].late_out;
    }
    for (u32 k = 0; k < 2; k++) {
        if (paths[k] == NULL) continue;
        more.file_count++;
        folders[more.folder_count++] = paths[k];
        folders[more.folder_count++] =
            arena_text(a, paths[k], (u64)(strrchr(paths[k], '/') - paths[k]));
    }
    Err err = splay_out_finish_all(outs, count, &more);
    for (u32 t = 0; err == E_OK && t < i->table_count; t++) {
        if (i->tables[t].run_count > 0) continue;
        i->tables[t].main.bytes = i->main_path == NULL ? 0 : i->tables[t].main_out.bytes;
        i->tables[t].late.bytes = i->late_path == NULL ? 0 : i->tables[t].late_out.bytes;
    }
    return err;
}

/* The first late day of the tables; false when no row is late. *has_main tells rows of the
 * interval's own day. */
static bool first_late_day(const Interval *i, i32 *first, bool *has_main)
{
    bool late = false;
    *has_main = false;
    for (u32 t = 0; t < i->table_count; t++) {
        const Held *h = &i->tables[t];
        i32 day = 0;
        bool some = false;
        if (h->run_count == 0) {
            if (h->main_rows > 0) *has_main = true;
            some = h->main_rows < h->batch.rows;
            if (some) day = h->days[h->perm[h->main_rows]];
        }
        for (u32 r = 0; r < h->run_count; r++)
            for (u32 s = 0; s < h->runs[r].slice_count; s++) {
                i32 d = h->runs[r].slices[s].day;
                if (d == i->signal->day) *has_main = true;
                if (d != i->signal->day && (!some || d < day)) day = d, some = true;
            }
        if (some && (!late || day < *first)) *first = day, late = true;
    }
    return late;
}

/* Removes a part that nobody names. */
static Err remove_part(const char *path)
{
    Err err = sidecar_remove(path);
    return err == E_OK ? dir_remove_all(path) : err;
}

/* Makes an empty folder for a part, removing what a crash may have left at its place. */
static Err part_folder(const char *path)
{
    Err err = remove_part(path);
    return err == E_OK ? dir_make_all(path) : err;
}

/* Makes the folders of days durable: one of them may have been made by a try that died before its
 * sync. */
static Err sync_days(const Root *r)
{
    Arena a = {0};
    Err err = dir_sync(dir_join(&a, r->idb, "data", NULL));
    arena_free(&a);
    return err;
}

/* Describes a part that was made durable, and reads it back. */
static Err add_part(const Interval *i, Arena *a, JobResult *result, const char *path, i32 day,
                    bool late)
{
    Part *p = &result->parts[result->part_count++];
    *p = (Part){.kind = PART_INTERVAL,
                .day = day,
                .made = i->signal->seq,
                .path = path,
                .late = late,
                .summed = true,
                .sums = late ? i->late_crc : i->main_crc};
    p->table_count = i->table_count;
    p->tables = arena_array(a, PartTable, i->table_count);
    for (u32 t = 0; t < i->table_count; t++) {
        p->tables[t] = late ? i->tables[t].late : i->tables[t].main;
        result->rows += p->tables[t].rows;
        result->bytes += p->tables[t].bytes;
    }
    return sidecar_verify(p, i->options.threads);
}

/* Tables with runs spill what they still hold, so that they are runs alone; then all symbols are
 * made durable. */
static Err settle(Interval *i, JobResult *result)
{
    Err err = E_OK;
    for (u32 t = 0; t < i->table_count; t++) {
        Held *h = &i->tables[t];
        h->main = h->late = describe(h->schema);
        if (h->run_count > 0)
            TRY(spill(i, h));
        else
            TRY(enumerate(i, h));
    }
    TRY(domain_save(i->options.domain, &result->sym_size));
done:
    return err;
}

Err interval_stage(Interval *i, const JobSignal *s, u64 watermark, Arena *a, JobResult *result)
{
    Err err = E_OK;
    i32 late_day = 0;
    bool has_main = false;
    char text[FAIL_TEXT_MAX];
    i64 began = now_mono();
    *result = (JobResult){.seq = s->seq, .watermark = watermark};
    i->signal = s;
    i->result_memory = a;
    i->main_path = i->late_path = NULL;
    TRY(settle(i, result));
    TRY(pool_run(i->table_count, i->options.threads, sort_task, i));
    bool has_late = first_late_day(i, &late_day, &has_main);
    if (has_main) i->main_path = root_interval_path(i->options.root, a, s->day, s->seq);
    if (has_late) i->late_path = root_interval_path(i->options.root, a, late_day, s->seq);
    result->parts = arena_array(a, Part, 2);
    if (has_main) TRY(part_folder(i->main_path));
    if (has_late) TRY(part_folder(i->late_path));
    if (has_main || has_late) {
        TRY(sync_days(i->options.root));
        TRY(pool_run(i->table_count, has_late ? 1 : i->options.threads, stage_task, i));
        TRY(finish_tables(i, a));
    }
    if (has_main) TRY(add_part(i, a, result, i->main_path, s->day, false));
    if (has_late) TRY(add_part(i, a, result, i->late_path, late_day, true));
    result->sym_crc = i->options.domain->crc;
    result->ns = now_mono() - began;
done:
    for (u32 t = 0; t < i->table_count; t++) {
        sort_free(&i->tables[t]);
        splay_out_drop(&i->tables[t].main_out);
        splay_out_drop(&i->tables[t].late_out);
        sum_list_free(&i->tables[t].main_sums);
        sum_list_free(&i->tables[t].late_sums);
    }
    if (err == E_OK) return E_OK;
    /* Best effort: what stays is removed by the next try or the next start. */
    snprintf(text, sizeof text, "%s", fail_text());
    if (i->main_path == NULL || remove_part(i->main_path) == E_OK) {
        if (i->late_path != NULL && remove_part(i->late_path) != E_OK)
            return fail(err, "%s; %s is still there", text, i->late_path);
    }
    return fail(err, "%s", text);
}

Err interval_done(Interval *i)
{
    Err err = E_OK;
    for (u32 t = 0; t < i->table_count; t++) {
        Held *h = &i->tables[t];
        for (u32 r = 0; r < h->run_count; r++)
            TRY(dir_remove_all(h->runs[r].path));
        h->run_count = h->run_room = 0;
        h->runs = NULL;
        h->spilled = 0;
        if (h->bytes > (4u << 20))
            empty_batch(i, h);
        else
            batch_clear(&h->batch);
    }
    arena_reset(&i->runs);
done:
    return err;
}

u64 interval_rows(const Interval *i)
{
    u64 rows = 0;
    for (u32 t = 0; t < i->table_count; t++)
        rows += i->tables[t].batch.rows;
    return rows;
}

u64 interval_bytes(const Interval *i) { return i->bytes; }

u64 interval_spilled(const Interval *i)
{
    u64 rows = 0;
    for (u32 t = 0; t < i->table_count; t++)
        rows += i->tables[t].spilled;
    return rows;
}

void interval_free(Interval *i)
{
    if (i == NULL) return;
    for (u32 t = 0; t < i->table_count; t++) {
        batch_free(&i->tables[t].batch);
        sort_free(&i->tables[t]);
    }
    map_free(&i->by_name);
    arena_free(&i->runs);
    arena_free(&i->memory);
    free(i);
}
