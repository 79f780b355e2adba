/*
 * import_power: what a power cut may leave of a database that is being imported, by model (T4, T7).
 *
 * A database of three dates, two of which lack a table and a column, is imported; the changes are
 * recorded. At each of them states of the device are built; in each the import is resumed (or
 * begun, if nothing of it is there) and must end with every file of the database as it was, in a
 * view that names all dates, and with nothing left over. The same after a cut in the resumed
 * import. POWER_ALL=1 takes all states of the scheme.
 */
#include "crash/disk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/view.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/pool.h"
#include "q/temporal.h"
#include "table/splay.h"
#include "upkeep/adopt.h"

#define DATES 3
#define ROWS  5
#define DAY   6000 /* 2016.06.05 */

static bool whole;
static char folder[80];

/* ---- the database */

static SchemaColumn trade_columns[] = {{.name = "time", .type = QT_TIMESTAMP},
                                       {.name = "price", .type = QT_FLOAT},
                                       {.name = "note", .type = QT_STRING},
                                       {.name = "venue", .type = QT_SYMBOL}};
static SchemaColumn quote_columns[] = {{.name = "time", .type = QT_TIMESTAMP},
                                       {.name = "bid", .type = QT_FLOAT}};
static Schema trade = {.name = "trade", .columns = trade_columns, .column_count = 4, .updated = -1};
static Schema old_trade = {
    .name = "trade", .columns = trade_columns, .column_count = 2, .updated = -1};
static Schema quote = {.name = "quote", .columns = quote_columns, .column_count = 2, .updated = -1};
static Schema *both[] = {&trade, &quote};
static const SchemaSet tables = {2, both};
static Mount mount = {.name = "hdb", .type = MOUNT_LOCAL, .partition = MOUNT_DATE};
static Tier tier = {.name = "hdb", .mount = &mount};

static char *path_of(Arena *a, const char *rest) { return dir_join(a, folder, rest, NULL); }

static void put_table(const char *path, const Schema *s, i32 day)
{
    SplayOut out;
    i64 times[ROWS];
    f64 prices[ROWS];
    i64 venues[ROWS] = {0};
    for (int i = 0; i < ROWS; i++) {
        times[i] = day * TEMPORAL_DAY_NS + i;
        prices[i] = day + i;
    }
    assert_int_equal(splay_out_open(&out, path, s, PLACE_DISK, 0), E_OK);
    assert_int_equal(column_append(out.cols[0], times, ROWS), E_OK);
    assert_int_equal(column_append(out.cols[1], prices, ROWS), E_OK);
    for (int i = 0; s->column_count == 4 && i < ROWS; i++)
        assert_int_equal(column_append_row(out.cols[2], "text", 4), E_OK);
    if (s->column_count == 4) assert_int_equal(column_append(out.cols[3], venues, ROWS), E_OK);
    assert_int_equal(splay_out_finish(&out), E_OK);
}

static void make_database(void)
{
    static const char *const dates[DATES] = {"2016.06.05", "2016.06.06", "2016.06.07"};
    static const char domain[] = "\xff\x01\x0b\0\1\0\0\0venue";
    Arena a = {0};
    char *data = path_of(&a, "hdb/data");
    schema_seal(&trade);
    schema_seal(&old_trade);
    schema_seal(&quote);
    assert_int_equal(dir_make_all(data), E_OK);
    assert_int_equal(file_replace(dir_join(&a, data, "sym", NULL), domain, sizeof domain), E_OK);
    for (i32 i = 0; i < DATES; i++) {
        char *part = dir_join(&a, data, dates[i], NULL);
        bool last = i == DATES - 1;
        assert_int_equal(dir_make(part), E_OK);
        put_table(dir_join(&a, part, "trade", NULL), last ? &trade : &old_trade, DAY + i);
        if (last) put_table(dir_join(&a, part, "quote", NULL), &quote, DAY + i);
    }
    arena_free(&a);
}

/* A file of the database, as it was. */
typedef struct {
    const char *name; /* below its folder */
    u8 *data;
    u64 size;
} Held;

static Held held[64];
static u32 held_count;
static Arena held_memory;

static void hold(const char *below, const char *name)
{
    Arena a = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    char *path =
        name[0] == 0 ? arena_text(&a, below, strlen(below)) : dir_join(&a, below, name, NULL);
    assert_int_equal(dir_list(path, 1000, &a, &e, &count), E_OK);
    for (u64 i = 0; i < count; i++) {
        char *rest = name[0] == 0 ? str_dup(&held_memory, str_of(e[i].name))
                                  : dir_join(&held_memory, name, e[i].name, NULL);
        if (e[i].kind == DIR_FOLDER) {
            hold(below, rest);
            continue;
        }
        Held *h = &held[held_count++];
        assert_true(held_count < COUNT_OF(held));
        h->name = rest;
        assert_int_equal(file_read_all(dir_join(&a, below, rest, NULL), 1 << 20, &held_memory,
                                       &h->data, &h->size),
                         E_OK);
    }
    arena_free(&a);
}

/* ---- import, resume, judge */

static void options(Arena *a, AdoptOptions *o)
{
    mount.base = path_of(a, "hdb");
    tier.store = path_of(a, "hdb/data");
    *o = (AdoptOptions){.assembly = "power",
                        .idb = path_of(a, "idb"),
                        .hdb = path_of(a, "hdb"),
                        .tiers = &tier,
                        .tier_count = 1,
                        .tables = &tables};
}

/* What a start does. */
static bool resume(char *why)
{
    Arena a = {0};
    AdoptOptions o;
    Survey s = {0};
    AdoptOutcome outcome = ADOPT_NOTHING;
    bool pending = false, is_new = false;
    options(&a, &o);
    Err err = adopt_pending(o.hdb, &pending);
    if (err == E_OK && pending) err = adopt_resume(&o, &s, &outcome);
    if (err == E_OK) err = adopt_is_new(o.idb, o.hdb, &is_new);
    if (err == E_OK && is_new) {
        survey_close(&s);
        err = adopt_apply(&o, &s, &outcome);
    }
    bool good = err == E_OK && outcome != ADOPT_REFUSED;
    if (err != E_OK) snprintf(why, 600, "resumed: %s", fail_text());
    if (err == E_OK && !good)
        snprintf(why, 600, "refused: %s: %s", s.notes.list[0].path, s.notes.list[0].text);
    survey_close(&s);
    arena_free(&a);
    return good;
}

static bool files_are_the_same(char *why)
{
    Arena a = {0};
    bool good = true;
    for (u32 i = 0; i < held_count && good; i++) {
        u8 *data = NULL;
        u64 size = 0;
        char *path = dir_join(&a, path_of(&a, "hdb/imported"), held[i].name, NULL);
        bool grown = str_ends(str_of(held[i].name), STR("trade/.d"));
        good = file_read_all(path, 1 << 20, &a, &data, &size) == E_OK &&
               (grown || (size == held[i].size && memcmp(data, held[i].data, size) == 0));
        if (!good) snprintf(why, 600, "%s is not as it was", path);
    }
    arena_free(&a);
    return good;
}

static Err open_all(const Part *p, Arena *a)
{
    Err err = E_OK;
    for (u32 t = 0; t < p->table_count; t++) {
        Splay s;
        const Column *c = NULL;
        const Schema *schema = schema_table(&tables, str_of(p->tables[t].name));
        TRY(splay_open(&s, dir_join(a, p->path, p->tables[t].name, NULL)));
        for (u32 i = 0; i < schema->column_count && err == E_OK; i++)
            err = splay_column(&s, schema->columns[i].name, p->tables[t].rows, &c);
        splay_close(&s);
        TRY(err);
    }
done:
    return err;
}

static bool view_is_whole(char *why)
{
    Arena a = {0};
    AdoptOptions o;
    Root root;
    ViewCache cache;
    View *v = NULL;
    u64 at = 0, parts = 0;
    options(&a, &o);
    root_init(&root, o.assembly, o.idb, o.hdb, NULL, &tier, 1);
    view_cache_init(&cache, &root);
    Err err = view_open(&cache, false, &v);
    for (const Part *p; err == E_OK && (p = view_next(v, PART_DATE, &at)) != NULL; parts++) {
        if (p->table_count != 2)
            err = fail_at(E_CORRUPT, __FILE__, __LINE__, "%s: %u tables", p->path, p->table_count);
        if (err == E_OK) err = open_all(p, &a);
    }
    if (err == E_OK && parts != DATES)
        err = fail_at(E_CORRUPT, __FILE__, __LINE__, "%" PRIu64 " dates", parts);
    if (err != E_OK) snprintf(why, 600, "view: %s", fail_text());
    if (v != NULL) view_close(&cache, v);
    view_cache_free(&cache);
    root_close(&root);
    arena_free(&a);
    return err == E_OK;
}

static bool nothing_is_left(char *why)
{
    static const char *const names[] = {"hdb/adopt.journal",
                                        "hdb/imported/2016.06.05/trade/.d.before",
                                        "hdb/imported/2016.06.06/trade/.d.before"};
    Arena a = {0};
    bool good = true;
    for (u32 i = 0; i < COUNT_OF(names) && good; i++) {
        good = access(path_of(&a, names[i]), F_OK) != 0;
        if (!good) snprintf(why, 600, "%s is left", names[i]);
    }
    arena_free(&a);
    return good;
}

static bool examine(char *why)
{
    return resume(why) && files_are_the_same(why) && view_is_whole(why) && nothing_is_left(why);
}

/* ---- cuts */

typedef struct {
    u64 states, trees, failures; /* trees: those of the states that were not known to be good */
} Tally;

static void report(Tally *t, const DiskReplay *r, const char *why)
{
    if (t->failures++ > 2) return;
    print_message("# after event %" PRIu64 " (%s): %s\n#   state: %s\n", disk_at(r), disk_event(r),
                  why, disk_choice(r));
}

static void cut(const Disk *d, DiskModel model, u64 most, u64 seed, Tally *t)
{
    char why[600] = "";
    DiskReplay *r = disk_replay(d, model, seed);
    do {
        u64 n = disk_states(r, most);
        for (u64 i = 0; i < n; i++) {
            u64 tree = disk_choose(r, i);
            t->states++;
            if (disk_is_good(tree, 0)) continue;
            disk_build(r);
            t->trees++;
            if (examine(why))
                disk_good(tree, 0);
            else
                report(t, r, why);
        }
    } while (disk_next(r));
    disk_replay_free(r);
}

static void begin(void)
{
    assert_int_equal(dir_remove_all(folder), E_OK);
    assert_int_equal(dir_make(folder), E_OK);
    make_database();
}

static Disk *record(void)
{
    char why[600] = "";
    Disk *d = disk_record(folder);
    if (!resume(why)) fail_msg("%s", why);
    disk_stop(d);
    return d;
}

static void a_cut_import_is_resumed(void **state)
{
    (void)state;
    begin();
    Arena a = {0};
    hold(path_of(&a, "hdb/data"), "");
    arena_free(&a);
    Disk *d = record();
    Tally t = {0};
    cut(d, DISK_POSIX, whole ? 0 : 4, 5, &t);
    cut(d, DISK_ORDERED, whole ? 0 : 4, 7, &t);
    print_message("# import: %" PRIu64 " events, %" PRIu64 " syncs; power cuts: %" PRIu64
                  " states, %" PRIu64 " different trees, %" PRIu64 " failures\n",
                  disk_events(d), disk_syncs(d), t.states, t.trees, t.failures);
    disk_free(d);
    assert_int_equal(t.failures, 0);
    assert_true(t.states > 100);
}

static void a_cut_resumption_is_resumed(void **state)
{
    (void)state;
    begin();
    Disk *first = record();
    Tally t = {0};
    u64 every = whole ? 4 : 24;
    DiskReplay *r = disk_replay(first, DISK_POSIX, 9);
    do {
        u64 n = disk_at(r) % every == 0 ? disk_states(r, 1) : 0;
        for (u64 i = 0; i < n; i++) {
            (void)disk_choose(r, i);
            disk_build(r);
            char why[600] = "";
            Disk *d = disk_record(folder);
            bool good = resume(why);
            disk_stop(d);
            if (!good) report(&t, r, why);
            if (good) cut(d, DISK_POSIX, 1, disk_at(r), &t);
            disk_free(d);
        }
    } while (disk_next(r));
    print_message("# power cuts in a resumed import: %" PRIu64 " states, %" PRIu64
                  " different trees, %" PRIu64 " failures\n",
                  t.states, t.trees, t.failures);
    disk_replay_free(r);
    disk_free(first);
    assert_int_equal(t.failures, 0);
}

static int setup(void **state)
{
    const char *base = getenv("TMPDIR");
    (void)state;
    if (access("/dev/shm", W_OK) == 0) base = "/dev/shm";
    snprintf(folder, sizeof folder, "%s/silt-power-XXXXXX", base ? base : "/tmp");
    whole = getenv("POWER_ALL") != NULL;
    pool_alone(true);
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&held_memory);
    return dir_remove_all(folder) == E_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_import_is_resumed),
        cmocka_unit_test(a_cut_resumption_is_resumed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
