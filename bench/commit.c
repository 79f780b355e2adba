/*
 * commit: what it costs to publish one new part when the database has 10, 1,000 and 10,000 dates.
 *
 * publish_commit alone, in this process: link folders, segment, manifest, syncs, the swing of
 * `current`. It must not grow with the database, only with what changed; the number of changes of
 * the disk says so more plainly than a clock. What changes is at most a segment: the links of a
 * year of dates or of 256 intervals. Part folders are empty: a commit looks at none.
 */
#include "kit/kit.h"

#include "os/dir.h"
#include "os/fault.h"

#define ROUNDS 20

static KitSystem sys;
static KitDb db;
static const KitTable *const tables[] = {&kit_trade};

static Part part(PartKind kind, i32 key, u64 made, Arena *a)
{
    Part p = {.kind = kind, .key = key, .day = kind == PART_DATE ? key : KIT_DAY, .made = made};
    p.path = kind == PART_DATE ? root_date_path(&db.root, a, 0, key, made)
                               : root_interval_path(&db.root, a, KIT_DAY, made);
    p.table_count = 1;
    p.tables = arena_new(a, PartTable);
    p.tables[0] = (PartTable){.name = "trade", .rows = 1, .bytes = 41};
    KIT_OK(dir_make_all(p.path));
    return p;
}

/* Commits parts of one kind; the change of the last one. */
static void commit(const Part *parts, u32 count, f64 *ms, u64 *changes)
{
    PublishChange c = publish_change(&db.publish);
    c.add = parts;
    c.add_count = count;
    c.watermark += 8;
    c.eoi++;
    fault_arm(FAULT_KILL, UINT64_MAX, false, 0); /* counts, and never fires */
    f64 began = kit_now();
    KIT_OK(publish_commit(&db.publish, &c));
    *ms = 1000 * (kit_now() - began);
    *changes = fault_count();
    fault_arm(FAULT_NONE, 0, false, 0);
}

static void measure(const char *what, PartKind kind, i32 *key, f64 *first, u64 *first_changes)
{
    Arena a = {0};
    f64 ms[ROUNDS];
    u64 changes = 0;
    char line[128];
    for (u32 i = 0; i < ROUNDS; i++) {
        i32 day = KIT_DAY - *key;
        Part p = part(kind, kind == PART_DATE ? day : *key, publish_next(&db.publish), &a);
        ++*key;
        commit(&p, 1, &ms[i], &changes);
    }
    f64 median = kit_percentile(ms, ROUNDS, 0.5);
    if (*first == 0) {
        *first = median;
        *first_changes = changes;
    }
    snprintf(line, sizeof line, "%s: %llu changes of the disk", what, (unsigned long long)changes);
    kit_line(line, median, "ms", "with 10 dates", *first, median / *first);
    arena_free(&a);
}

/* Takes all interval parts away, so that each size begins alike. */
static void clear(void)
{
    Arena a = {0};
    const View *v = db.publish.current;
    u64 at = 0;
    PublishChange c = publish_change(&db.publish);
    const Part **parts = arena_alloc(&a, (view_part_count(v, PART_INTERVAL) + 1) * sizeof *parts);
    for (const Part *p; (p = view_next(v, PART_INTERVAL, &at)) != NULL;)
        parts[c.remove_count++] = p;
    c.remove = parts;
    if (c.remove_count > 0) KIT_OK(publish_commit(&db.publish, &c));
    arena_free(&a);
}

/* Adds dates until there are so many. */
static void grow(u32 from, u32 to, i32 *key)
{
    Arena a = {0};
    Part *parts = arena_array(&a, Part, to - from);
    f64 ms;
    u64 changes;
    for (u32 i = 0; i < to - from; i++)
        parts[i] = part(PART_DATE, KIT_DAY - (*key)++, publish_next(&db.publish), &a);
    commit(parts, to - from, &ms, &changes);
    kit_note("%u dates at once: %.1f ms, %llu changes of the disk", to - from, ms,
             (unsigned long long)changes);
    arena_free(&a);
}

int main(void)
{
    static const u32 sizes[] = {10, 1000, 10000};
    u32 dates = 0;
    i32 date_key = 0, label = 0;
    f64 first_interval = 0, first_date = 0;
    u64 interval_changes = 0, date_changes = 0;
    char what[64];
    kit_title("commit", "publishing one part, median of 20");
    kit_system_make(&sys, tables, 1, "");
    kit_db_open(&db, &sys);
    for (u32 i = 0; i < COUNT_OF(sizes); i++) {
        clear();
        grow(dates, sizes[i], &date_key);
        dates = sizes[i] + ROUNDS;
        snprintf(what, sizeof what, "an interval, %u dates", sizes[i]);
        measure(what, PART_INTERVAL, &label, &first_interval, &interval_changes);
        snprintf(what, sizeof what, "a date, %u dates", sizes[i]);
        measure(what, PART_DATE, &date_key, &first_date, &date_changes);
    }
    kit_db_close(&db);
    return 0;
}
