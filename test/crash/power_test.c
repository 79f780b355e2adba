/*
 * power: what a power cut may leave of a database, by model (T4, T6, T7, T8).
 *
 * A life is recorded (publish, interval with late rows, day, migration, sweep, restart after a
 * kill); at each of its events states of the device are built, and in each of them: both databases
 * load before recovery, recovery succeeds, all that was acknowledged is there once, and work goes
 * on. The usual run takes a sample; POWER_ALL=1 all states of the scheme (`make power`).
 *
 * Then recovery itself is cut; each sync fails in turn and its data is gone; and each sync is left
 * out in turn, which some state must show.
 */
#include "crash/disk.h"
#include "crash/life.h"
#include "os/dir.h"
#include "os/fault.h"
#include "os/now.h"
#include "os/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool whole;
static char folder[80];
static i64 ticks;

/* A clock of its own: a record is the same each time. */
static i64 clock_of_test(void) { return 9100 * NOW_DAY_NS + (ticks += 1000); }

static void make_folder(void)
{
    const char *base = getenv("TMPDIR");
    if (access("/dev/shm", W_OK) == 0) base = "/dev/shm";
    snprintf(folder, sizeof folder, "%s/silt-power-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(folder));
}

static void empty_folder(void)
{
    assert_int_equal(dir_remove_all(folder), E_OK);
    assert_int_equal(dir_make(folder), E_OK);
}

static void remove_folder(void) { assert_int_equal(dir_remove_all(folder), E_OK); }

/* ---- a life, recorded */

static Disk *tape;

static u64 mark_of(const LifeModel *m)
{
    return (u64)m->sent << 44 | (u64)m->acked << 24 | m->view;
}

static void note_model(void *arg, const LifeModel *m)
{
    const Life *l = arg;
    char page[160];
    if (!tape) return;
    snprintf(page, sizeof page, "%s/near/idb/wal/durable", l->dir);
    disk_mapped(tape, page);
    disk_mark(tape, mark_of(m));
}

static LifeModel model_of(u64 mark)
{
    return (LifeModel){(u32)(mark >> 44), (u32)(mark >> 24) & 0xfffff, mark & 0xffffff};
}

/* What a life does, step by step, so that a failed one can be taken up again. */
typedef enum {
    START,
    PUBLISH,
    INTERVAL,
    END_OF_DAY,
    DAY,
    MIGRATE,
    BARE,
    SUM,
    SWEEP,
    KILL,
    STOP
} Step;

static const Step USUAL[] = {
    START,      PUBLISH, PUBLISH,    INTERVAL, PUBLISH,  END_OF_DAY, DAY,      SWEEP,
    PUBLISH,    KILL,    START,      PUBLISH,  INTERVAL, PUBLISH,    INTERVAL, PUBLISH,
    END_OF_DAY, KILL,    START,      DAY,      SWEEP,    MIGRATE,    SWEEP,    PUBLISH,
    PUBLISH,    PUBLISH, PUBLISH,    INTERVAL, PUBLISH,  KILL,       START,    PUBLISH,
    PUBLISH,    PUBLISH, END_OF_DAY, DAY,      MIGRATE,  SWEEP,      PUBLISH,  INTERVAL,
    SWEEP,      PUBLISH, INTERVAL,   SWEEP,    PUBLISH,  INTERVAL,   SWEEP,    STOP,
};

static u64 starts; /* of the life that is recorded */

static Err do_step(Life *l, Step s)
{
    switch (s) {
    case START: {
        if (tape) life_random(++starts); /* equal in every life that is recorded */
        Err err = life_start(l);
        return err == E_OK ? life_catch_up(l) : err;
    }
    case PUBLISH: return life_publish(l);
    case INTERVAL: return life_interval(l, false);
    case END_OF_DAY: return life_interval(l, true);
    case DAY: return life_day(l);
    case MIGRATE: return life_migrate(l);
    case BARE: return life_bare(l);
    case SUM: return life_sum(l);
    case SWEEP: return life_sweep(l);
    case KILL: life_drop(l); return E_OK;
    case STOP: return life_stop(l);
    }
    return E_OK;
}

static void begin(Life *l)
{
    ticks = 0;
    starts = 0; /* what is the same in two lives looks the same */
    empty_folder();
    life_init(l, folder);
    l->told = note_model;
    l->arg = l;
    tape = disk_record(folder);
}

static void end_record(void) { disk_stop(tape); }

/* Records a life. */
static Disk *record(const Step *steps, u64 count)
{
    Life l;
    begin(&l);
    for (u64 i = 0; i < count; i++) {
        Err err = do_step(&l, steps[i]);
        if (err != E_OK) fail_msg("step %" PRIu64 ": %s", i, fail_text());
    }
    end_record();
    Disk *d = tape;
    tape = NULL;
    return d;
}

static Disk *record_usual(void) { return record(USUAL, COUNT_OF(USUAL)); }

/* ---- a state, examined */

/* `states` were asked for, `trees` of them differ from all that was found good before. */
typedef struct {
    u64 states, trees, failures, most_shown;
    char why[600];
} Tally;

/* Recovers what stands in the folder and judges it. `far` also lets work go on. */
static bool examine(LifeModel m, bool far, char *why)
{
    static u64 examined;
    Life l;
    life_init(&l, folder);
    l.model = m;
    if (!life_judge_ruins(&l, why)) return false;
    life_random(1ull << 32 | ++examined);
    if (life_start(&l) != E_OK) {
        snprintf(why, 600, "recovery: %s", fail_text());
        return false;
    }
    bool good = life_judge(&l, why) && (!far || life_goes_on(&l, why));
    life_drop(&l);
    return good;
}

/* Chooses the n-th state, and unless it was found good before builds and examines it. */
static bool holds(DiskReplay *r, u64 n, LifeModel m, Tally *t, char *why)
{
    u64 tree = disk_choose(r, n);
    t->states++;
    if (disk_is_good(tree, mark_of(&m))) return true;
    disk_build(r);
    t->trees++;
    if (!examine(m, t->trees % 16 == 0, why)) return false;
    disk_good(tree, mark_of(&m));
    return true;
}

static void report(Tally *t, const DiskReplay *r, const char *why)
{
    t->failures++;
    if (t->failures > 1) return;
    snprintf(t->why, sizeof t->why, "%.500s", why);
    if (t->most_shown == 0) return;
    print_message("# after event %" PRIu64 " (%s): %s\n#   state: %s\n", disk_at(r), disk_event(r),
                  why, disk_choice(r));
}

static void tell(const char *what, const Tally *t)
{
    print_message("# %s: %" PRIu64 " states, %" PRIu64 " different trees, %" PRIu64 " failures\n",
                  what, t->states, t->trees, t->failures);
}

/* Examines up to `most` states a moment, within `reach` events of a sync that was
 * left out; ends early when `first`. */
static void cut_everywhere(DiskReplay *r, u64 most, u64 reach, bool first, Tally *t)
{
    char why[600];
    do {
        if (disk_since(r) > reach) continue;
        u64 n = disk_states(r, most);
        for (u64 i = 0; i < n; i++) {
            if (holds(r, i, model_of(disk_marked(r)), t, why)) continue;
            report(t, r, why);
            if (first) return;
        }
    } while (disk_next(r));
}

/* Whether some state shows that a site's syncs are missing. */
static bool is_missed(const Disk *d, u64 site, u64 most, u64 reach, Tally *t)
{
    DiskReplay *r = disk_replay(d, DISK_POSIX, 5 + site);
    u64 before = t->failures;
    disk_without(r, site);
    cut_everywhere(r, most, reach, true, t);
    disk_replay_free(r);
    return t->failures > before;
}

static void any_power_cut_keeps_what_was_acknowledged(void **state)
{
    (void)state;
    make_folder();
    Disk *d = record_usual();
    Tally t = {.most_shown = 1};
    for (int model = DISK_POSIX; model <= DISK_ORDERED; model++) {
        u64 before = t.states, trees = t.trees;
        DiskReplay *r = disk_replay(d, (DiskModel)model, 11);
        cut_everywhere(r, whole ? 0 : 2, UINT64_MAX, false, &t);
        disk_replay_free(r);
        print_message("# %s: %" PRIu64 " events, %" PRIu64 " syncs, %" PRIu64 " states, %" PRIu64
                      " trees\n",
                      model == DISK_POSIX ? "posix" : "ordered", disk_events(d), disk_syncs(d),
                      t.states - before, t.trees - trees);
    }
    tell("power cuts", &t);
    disk_free(d);
    remove_folder();
    assert_int_equal(t.failures, 0);
    assert_true(t.states > 1000);
}

/* Parts that had none get checksums where they stand: they are there when a view names them. The
 * file and the folder that holds its name are left out in turn. */
static void checksums_made_later_survive_power_cuts(void **state)
{
    (void)state;
    static const Step steps[] = {START, PUBLISH, END_OF_DAY, DAY,   PUBLISH, INTERVAL, BARE,
                                 SWEEP, SUM,     PUBLISH,    SWEEP, SUM,     INTERVAL, STOP};
    Tally t = {.most_shown = 1}, without = {0};
    u64 sites = 0, red = 0;
    make_folder();
    Disk *d = record(steps, COUNT_OF(steps));
    DiskReplay *r = disk_replay(d, DISK_POSIX, 31);
    cut_everywhere(r, whole ? 0 : 2, UINT64_MAX, false, &t);
    disk_replay_free(r);
    for (u64 site = 0; site < disk_sites(d); site++) {
        if (strstr(disk_site(d, site), "sidecar") == NULL) continue;
        sites++;
        red += is_missed(d, site, 4, 1000, &without);
    }
    print_message("# checksums made later: %" PRIu64 " states, %" PRIu64 " failures; %" PRIu64
                  " syncs left out, %" PRIu64 " missed\n",
                  t.states, t.failures, sites, red);
    disk_free(d);
    remove_folder();
    assert_int_equal(t.failures, 0);
    assert_true(t.states > 100 && sites > 0);
    assert_int_equal(red, sites);
}

/* ---- T7: the power goes while recovery is at work */

/* Recovers what stands in the folder, recorded; NULL when it failed. */
static Disk *record_recovery(LifeModel m, char *why)
{
    Life l;
    life_init(&l, folder);
    l.model = m;
    Disk *d = disk_record(folder);
    Err err = life_start(&l);
    if (err != E_OK) snprintf(why, 600, "recovery: %s", fail_text());
    if (err == E_OK) life_drop(&l);
    disk_stop(d);
    if (err == E_OK) return d;
    disk_free(d);
    return NULL;
}

static void cut_recovery(LifeModel m, u64 most, u64 seed, Tally *t)
{
    char why[600] = "";
    Disk *d = record_recovery(m, why);
    if (d == NULL) {
        t->failures++;
        print_message("# %s\n", why);
        return;
    }
    DiskReplay *r = disk_replay(d, DISK_POSIX, seed);
    do {
        u64 n = disk_states(r, most);
        for (u64 i = 0; i < n; i++) {
            if (!holds(r, i, m, t, why)) report(t, r, why);
        }
    } while (disk_next(r));
    disk_replay_free(r);
    disk_free(d);
}

static void a_power_cut_in_recovery_is_recovered_from(void **state)
{
    (void)state;
    make_folder();
    Disk *d = record_usual();
    Tally t = {.most_shown = 1};
    DiskReplay *r = disk_replay(d, DISK_POSIX, 23);
    u64 stride = whole ? 5 : 191, recoveries = 0;
    do {
        if (disk_at(r) % stride != stride / 2) continue;
        u64 n = disk_states(r, 3);
        for (u64 i = 0; i < n; i++) {
            (void)disk_choose(r, i);
            disk_build(r);
            cut_recovery(model_of(disk_marked(r)), whole ? 8 : 2, recoveries++, &t);
        }
    } while (disk_next(r));
    print_message("# recoveries that were cut: %" PRIu64 "\n", recoveries);
    tell("cuts of recovery", &t);
    disk_replay_free(r);
    disk_free(d);
    remove_folder();
    assert_int_equal(t.failures, 0);
    assert_true(t.states > 300);
}

/* Cuts the power whenever something was told after event `from`, and at the end. */
static void cut_after(const Disk *d, u64 from, u64 k, Tally *t)
{
    char why[600];
    u64 mark = 0;
    DiskReplay *r = disk_replay(d, DISK_POSIX, k);
    while (disk_next(r)) {
        bool told = disk_marked(r) != mark;
        mark = disk_marked(r);
        if (disk_at(r) < from || (!told && disk_at(r) != disk_events(d))) continue;
        u64 n = disk_states(r, whole ? 4 : 2);
        for (u64 i = 0; i < n; i++) {
            if (holds(r, i, model_of(disk_marked(r)), t, why)) continue;
            report(t, r, why);
            if (t->failures < 3) print_message("#   (%" PRIu64 ")\n", k);
        }
    }
    disk_replay_free(r);
}

/* ---- a kill, the next start, and then the power goes */

/* Lives up to step `step`, is killed before its change `k`, starts again and lives on for some
 * steps; *met = false when the step makes fewer changes. A process whose every change fails leaves
 * what a killed one leaves. */
static Disk *record_killed(u64 step, u64 k, u64 *from, bool *met)
{
    Life l;
    begin(&l);
    for (u64 i = 0; i < step; i++)
        assert_int_equal(do_step(&l, USUAL[i]), E_OK);
    *from = disk_events(tape);
    fault_arm(FAULT_ERROR, k, true, EIO);
    Err err = do_step(&l, USUAL[step]);
    *met = err != E_OK || fault_count() >= k; /* a start that fails has reset the count */
    life_drop(&l);
    err = do_step(&l, START);
    bool redo = USUAL[step] != START && USUAL[step] != MIGRATE;
    for (u64 i = step + !redo, more = 0; more < 11 && err == E_OK; i++, more++) {
        if (USUAL[i] == START || USUAL[i] == KILL || USUAL[i] == STOP) break;
        err = do_step(&l, USUAL[i]);
    }
    if (err != E_OK) fail_msg("step %" PRIu64 " killed at %" PRIu64 ": %s", step, k, fail_text());
    life_drop(&l);
    end_record();
    Disk *d = tape;
    tape = NULL;
    return d;
}

static void a_power_cut_after_a_kill_loses_nothing(void **state)
{
    (void)state;
    static const u64 steps[] = {0, 3, 5, 6, 7, 22, 35};
    Tally t = {.most_shown = 1};
    u64 kills = 0, stride = whole ? 1 : 23;
    make_folder();
    for (u64 i = 0; i < COUNT_OF(steps); i++) {
        bool met = true;
        for (u64 k = 1; met; k += k < 12 ? 1 : stride) {
            u64 from = 0;
            Disk *d = record_killed(steps[i], k, &from, &met);
            cut_after(d, from, k, &t);
            disk_free(d);
            kills++;
        }
    }
    print_message("# kills: %" PRIu64 "\n", kills);
    tell("cuts after a kill", &t);
    remove_folder();
    assert_int_equal(t.failures, 0);
}

/* ---- T6: each sync fails in turn, its data is gone, later ones succeed */

/* Goes on after a step that failed, as the manager does: after E_IO, or when it is in doubt, with a
 * new process. */
static Err take_up(Life *l, Step s, Err err)
{
    if (s == START) {
        life_drop(l);
        return do_step(l, START);
    }
    if (s == STOP) return E_OK; /* it has closed itself */
    if (err != E_IO && do_step(l, s) == E_OK) return E_OK;
    life_drop(l);
    err = do_step(l, START);
    return err == E_OK ? do_step(l, s) : err;
}

/* Lives with sync k failing; NULL when there are not so many. */
static Disk *record_failing(u64 k, int error, u64 *failed_at)
{
    Life l;
    bool failed = false;
    begin(&l);
    fault_arm(FAULT_UNSYNCED, k, false, error);
    for (u64 i = 0; i < COUNT_OF(USUAL); i++) {
        Err err = do_step(&l, USUAL[i]);
        if (USUAL[i] == KILL && !failed) {
            /* dropping has disarmed it */
            u64 so_far = disk_syncs(tape);
            if (so_far < k) fault_arm(FAULT_UNSYNCED, k - so_far, false, error);
        }
        failed = failed || disk_syncs(tape) >= k;
        if (err == E_OK) continue;
        if (*failed_at == 0) *failed_at = disk_events(tape);
        fault_arm(FAULT_NONE, 0, false, 0);
        err = take_up(&l, USUAL[i], err);
        if (err != E_OK) fail_msg("sync %" PRIu64 ", step %" PRIu64 ": %s", k, i, fail_text());
    }
    end_record();
    fault_arm(FAULT_NONE, 0, false, 0);
    Disk *d = tape;
    tape = NULL;
    if (failed) return d;
    disk_free(d);
    return NULL;
}

static void a_failed_sync_loses_nothing_later(void **state)
{
    (void)state;
    Tally t = {.most_shown = 1};
    u64 failed = 0, stride = whole ? 1 : 61;
    make_folder();
    for (u64 k = 1;; k += stride) {
        u64 failed_at = 0;
        Disk *d = record_failing(k, k % 2 ? EIO : ENOSPC, &failed_at);
        if (d == NULL) break;
        failed++;
        cut_after(d, failed_at, k, &t);
        disk_free(d);
    }
    print_message("# syncs that failed: %" PRIu64 "\n", failed);
    tell("cuts after a failed sync", &t);
    remove_folder();
    assert_int_equal(t.failures, 0);
    assert_true(failed > 6);
}

/* ---- T8: each sync left out in turn */

/* Lines of the program that sync, and whether a state showed that the sync of one was missing. */
typedef struct {
    char line[100], why[200];
    bool red;
    u64 sites;
} Line;

enum { LINES_MAX = 100 };

static Line *line_of(Line *lines, u64 *count, const char *text)
{
    for (u64 i = 0; i < *count; i++)
        if (strcmp(lines[i].line, text) == 0) return &lines[i];
    assert_true(*count < LINES_MAX);
    Line *l = &lines[(*count)++];
    snprintf(l->line, sizeof l->line, "%s", text);
    return l;
}

/* Tries every site whose line is not red yet; each `stride`-th one only. */
static void try_sites(const Disk *d, u64 stride, Line *lines, u64 *count, Tally *sum)
{
    for (u64 site = 0; site < disk_sites(d); site += stride) {
        Line *l = line_of(lines, count, disk_site(d, site));
        Tally t = {0};
        l->sites++;
        if (l->red) continue;
        l->red = is_missed(d, site, 1, 100000, &t);
        if (!l->red) l->red = is_missed(d, site, 6, 40, &t);
        if (l->red) snprintf(l->why, sizeof l->why, "%.190s", t.why);
        sum->states += t.states;
        sum->trees += t.trees;
    }
}

/* Whether leaving out all syncs of some functions shows: two that stand for one another. */
static bool is_missed_together(const Disk *d, const char *const names[2], Tally *t)
{
    DiskReplay *r = disk_replay(d, DISK_POSIX, 9);
    u64 before = t->failures;
    for (u64 site = 0; site < disk_sites(d); site++) {
        Str line = str_of(disk_site(d, site)), name;
        bool split = str_split(&line, ' ', &name);
        if (split && (str_is(name, names[0]) || str_is(name, names[1]))) disk_without(r, site);
    }
    cut_everywhere(r, 1, 100000, true, t);
    disk_replay_free(r);
    return t->failures > before;
}

static void syncs_that_double_each_other_are_missed_together(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"part_folder", "sync_days"},
                                           {"day_stage", "sync_dates"},
                                           {"root_claim", "marker_write"},
                                           {"wal_open", "wal_open"},
                                           {"make", "name_file"}};
    make_folder();
    Disk *d = record_usual();
    for (u64 i = 0; i < COUNT_OF(pairs); i++) {
        Tally t = {0};
        bool red = is_missed_together(d, pairs[i], &t);
        print_message("# %s and %s left out: %s\n", pairs[i][0], pairs[i][1],
                      red ? t.why : "nothing shows it");
        assert_true(red);
    }
    disk_free(d);
    remove_folder();
}

/* Those of recovery matter when a job was killed between a change and its sync. */
static void syncs_of_recovery_are_missed_when_they_are_left_out(void **state)
{
    (void)state;
    bool red[2] = {false, false};
    static const char *const names[2] = {"mend_current", "mend_hdb"};
    static const u64 steps[2] = {3, 36}; /* an interval; a migration, then intervals and sweeps */
    if (!whole) return;                  /* hundreds of lives */
    make_folder();
    for (u64 i = 0; i < 2; i++) {
        bool met = true;
        for (u64 k = 1; met && !red[i]; k++) {
            u64 from = 0;
            Disk *d = record_killed(steps[i], k, &from, &met);
            for (u64 site = 0; site < disk_sites(d); site++) {
                const char *line = disk_site(d, site);
                Tally t = {0};
                bool its = strncmp(line, names[i], strlen(names[i])) == 0;
                if (!its || red[i] || !is_missed(d, site, 1, 1000, &t)) continue;
                red[i] = true;
                print_message("# %s left out after a kill at change %" PRIu64 ": %s\n", line, k,
                              t.why);
            }
            disk_free(d);
        }
    }
    remove_folder();
    for (u64 n = 0; n < 2; n++)
        if (!red[n]) fail_msg("%s: nothing shows it", names[n]);
}

/* Syncs that stand for one another, those of recovery (both have tests of their own), and those
 * whose absence nothing shows: doc/RELIABILITY.md tells of each. */
static bool may_be_silent(const char *line)
{
    static const char *const names[] = {
        "root_claim ", "marker_write ", "wal_open ",   "open_shared ",  "make ",     "part_folder ",
        "sync_days ",  "day_stage ",    "sync_dates ", "mend_current ", "mend_hdb ", "wal_trim "};
    for (u64 i = 0; i < COUNT_OF(names); i++)
        if (strncmp(line, names[i], strlen(names[i])) == 0) return true;
    return false;
}

static void each_sync_is_missed_when_it_is_left_out(void **state)
{
    (void)state;
    static Line lines[LINES_MAX];
    u64 count = 0, red = 0, unshown = 0;
    Tally t = {0};
    make_folder();
    Disk *d = record_usual();
    try_sites(d, whole ? 1 : 19, lines, &count, &t);
    for (u64 i = 0; i < count; i++) {
        red += lines[i].red;
        unshown += !lines[i].red && !may_be_silent(lines[i].line);
        if (whole)
            print_message("# %s %s: %s\n", lines[i].red ? "red  " : "GREEN", lines[i].line,
                          lines[i].why);
    }
    print_message("# syncs left out: %" PRIu64 " lines, %" PRIu64 " missed\n", count, red);
    tell("syncs left out", &t);
    disk_free(d);
    remove_folder();
    /* Which lines a sample meets changes with every sync that somebody adds; some show it. */
    assert_true(whole ? unshown == 0 : red > 1);
}

/* An argument names the tests to run; an asterisk stands for anything. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_power_cut_keeps_what_was_acknowledged),
        cmocka_unit_test(checksums_made_later_survive_power_cuts),
        cmocka_unit_test(a_power_cut_in_recovery_is_recovered_from),
        cmocka_unit_test(a_power_cut_after_a_kill_loses_nothing),
        cmocka_unit_test(a_failed_sync_loses_nothing_later),
        cmocka_unit_test(syncs_that_double_each_other_are_missed_together),
        cmocka_unit_test(syncs_of_recovery_are_missed_when_they_are_left_out),
        cmocka_unit_test(each_sync_is_missed_when_it_is_left_out),
    };
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    whole = getenv("POWER_ALL") != NULL;
    now_fake(clock_of_test, clock_of_test);
    pool_alone(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
