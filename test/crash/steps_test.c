/*
 * steps: every change of the disk that a job makes, killed before it, failing once or for good with
 * each error, or cut short (T2, T3, T7), in one process and therefore for every step.
 *
 * Before recovery both databases load; nothing hangs; what was said to be done is done; after the
 * next start all that was acknowledged is there once and work goes on. A failure that is no E_IO
 * must leave a process that can go on by itself.
 *
 * The usual run takes a sample; CRASH_ALL=1 takes every step (`make crash`).
 */
#include "crash/disk.h"
#include "crash/life.h"
#include "os/dir.h"
#include "os/fault.h"
#include "os/now.h"
#include "os/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SECONDS = 60, KILLED = 137, WHY = 600 };

static bool whole;
static char folder[80];
static i64 ticks;

static i64 clock_of_test(void) { return 9100 * NOW_DAY_NS + (ticks += 1000); }

/* ---- jobs: what comes before, and the one that is spoilt */

typedef struct {
    const char *name;
    bool starts; /* the job is the start itself */
    Err (*before)(Life *l);
    Err (*job)(Life *l);
} Job;

static Err publish_some(Life *l, u32 count)
{
    Err err = E_OK;
    for (u32 i = 0; err == E_OK && i < count; i++)
        err = life_publish(l);
    return err;
}

static Err history(Life *l)
{
    Err err = E_OK;
    TRY(publish_some(l, 3));
    TRY(life_interval(l, true));
    TRY(life_day(l));
    TRY(life_migrate(l));
    TRY(publish_some(l, 2));
    TRY(life_interval(l, false));
    TRY(life_sweep(l));
    TRY(publish_some(l, 1));
done:
    return err;
}

static Err nothing(Life *l)
{
    (void)l;
    return E_OK;
}

static Err three_batches(Life *l) { return publish_some(l, 3); }

/* The next interval holds late rows, and more than a block: it spills. */
static Err history_and_batches(Life *l)
{
    Err err = history(l);
    return err == E_OK ? publish_some(l, 3) : err;
}

static Err end_interval(Life *l) { return life_interval(l, false); }

static Err history_and_day_asked(Life *l)
{
    Err err = history_and_batches(l);
    return err == E_OK ? life_interval(l, true) : err;
}

static Err signal_and_day(Life *l)
{
    Err err = life_interval(l, true);
    return err == E_OK ? life_day(l) : err;
}

/* Parts as an import leaves them. */
static Err history_without_checksums(Life *l)
{
    Err err = history(l);
    return err == E_OK ? life_bare(l) : err;
}

/* Leaves views and log files that nobody needs. */
static Err history_and_views(Life *l)
{
    Err err = history_and_day_asked(l);
    if (err == E_OK) err = life_day(l);
    return err == E_OK ? life_interval(l, true) : err;
}

/* A manager that died with an interval signalled, a day asked for, and rows behind. */
static Err died_at_work(Life *l)
{
    Err err = history_and_day_asked(l);
    return err == E_OK ? publish_some(l, 2) : err;
}

static const Job JOBS[] = {
    {"first start", true, NULL, nothing},
    {"publish", false, history, three_batches},
    {"interval with late rows", false, history_and_batches, end_interval},
    {"day with late rows", false, history_and_day_asked, life_day},
    {"interval and day of a new database", false, three_batches, signal_and_day},
    {"migration", false, history, life_migrate},
    {"checksums of parts without", false, history_without_checksums, life_sum},
    {"sweep and trim", false, history_and_views, life_sweep},
    {"recovery", true, died_at_work, life_catch_up},
};

/* ---- the world before the job, kept in memory */

typedef struct {
    const Job *job;
    Disk *disk;
    DiskReplay *replay;
    LifeModel model;
} World;

static void prepare(World *w, const Job *job)
{
    Life l;
    *w = (World){.job = job};
    assert_int_equal(dir_remove_all(folder), E_OK);
    assert_int_equal(dir_make(folder), E_OK);
    life_init(&l, folder);
    if (job->before != NULL) {
        Err err = life_start(&l);
        if (err == E_OK) err = job->before(&l);
        if (err != E_OK) fail_msg("%s: before: %s", job->name, fail_text());
        life_drop(&l);
    }
    w->model = l.model;
    w->disk = disk_record(folder);
    disk_stop(w->disk);
    w->replay = disk_replay(w->disk, DISK_POSIX, 1);
    (void)disk_states(w->replay, 1);
    (void)disk_choose(w->replay, 0);
}

static void forget(World *w)
{
    disk_replay_free(w->replay);
    disk_free(w->disk);
}

/* ---- one point */

typedef struct {
    FaultKind kind;
    int error;
    bool lasting;
    const char *name;
} Mode;

static const Mode MODES[] = {
    {FAULT_ERROR, EIO, false, "EIO"},       {FAULT_ERROR, EIO, true, "EIO+"},
    {FAULT_ERROR, ENOSPC, false, "ENOSPC"}, {FAULT_ERROR, ENOSPC, true, "ENOSPC+"},
    {FAULT_ERROR, EDQUOT, false, "EDQUOT"}, {FAULT_ERROR, EDQUOT, true, "EDQUOT+"},
    {FAULT_ERROR, EMFILE, false, "EMFILE"}, {FAULT_ERROR, EMFILE, true, "EMFILE+"},
    {FAULT_ERROR, EACCES, false, "EACCES"}, {FAULT_ERROR, EACCES, true, "EACCES+"},
    {FAULT_ERROR, EINTR, false, "EINTR"},   {FAULT_SHORT, 0, false, "short"},
    {FAULT_SHORT, 0, true, "short+"},
};

/* What was told at most when the job is cut short: only the job itself knows how far it came. */
static LifeModel model_after(const World *w)
{
    return (LifeModel){w->model.sent + 8, w->model.acked, w->model.view};
}

/* A reader that looks after each change of a name while the fault is there. */
typedef struct {
    Life looker;
    bool wrong;
    char why[WHY];
} Look;

static void look(void *arg, const FaultChange *c)
{
    Look *k = arg;
    if (k->wrong || c->call == FAULT_OPEN || c->call == FAULT_WRITE || c->call == FAULT_SYNC ||
        c->call == FAULT_FOLDER || c->call == FAULT_ALLOCATE || c->call == FAULT_TRUNCATE)
        return;
    k->wrong = !life_judge_ruins(&k->looker, k->why);
}

/* The next start, after anything: recovers, judges, goes on. */
static bool restart(LifeModel m, char *why)
{
    Life l;
    life_init(&l, folder);
    l.model = m;
    if (!life_judge_ruins(&l, why)) return false;
    if (life_start(&l) != E_OK) {
        snprintf(why, WHY, "the next start: %s", fail_text());
        return false;
    }
    bool good = life_judge(&l, why);
    good = good && life_goes_on(&l, why);
    life_drop(&l);
    return good;
}

/* Runs the job with a fault at change `at`. *met = false: the job makes fewer changes. */
static bool spoil(const World *w, const Mode *mode, u64 at, bool looks, bool *met, char *why)
{
    Life l;
    static Look k;
    disk_build(w->replay);
    life_init(&l, folder);
    l.model = w->model;
    Err err = w->job->starts ? E_OK : life_start(&l);
    if (err != E_OK) fail_msg("%s: start: %s", w->job->name, fail_text());
    life_init(&k.looker, folder);
    k.looker.model = model_after(w);
    k.wrong = false;
    if (looks) fault_watch(look, &k);
    fault_arm(mode->kind, at, mode->lasting, mode->error);
    if (w->job->starts) err = life_start(&l);
    bool lives = err == E_OK;
    if (err == E_OK) err = w->job->job(&l);
    u64 count = fault_count();
    fault_watch(NULL, NULL);
    fault_arm(FAULT_NONE, 0, false, 0);
    *met = lives ? count >= at : true; /* life_drop counts too */
    bool good = !k.wrong;
    if (!good) snprintf(why, WHY, "a reader meanwhile: %.500s", k.why);
    /* Full, too many files and the like: the same process goes on when that is over. */
    if (good && lives && err != E_OK && err != E_IO) {
        Err again = w->job->job(&l);
        good = again == E_IO || (again == E_OK && life_goes_on(&l, why));
        if (again != E_OK && !good) snprintf(why, WHY, "again: %s", fail_text());
    }
    LifeModel m = l.model;
    if (lives) life_drop(&l);
    return good && restart(m, why);
}

/* Runs a job in a child that is killed before its change `at`. False when it ended otherwise. */
static bool run_child(const Job *job, LifeModel m, u64 at, bool *met, char *why)
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        Life l;
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDERR_FILENO);
        life_init(&l, folder);
        l.model = m;
        Err err = job->starts ? E_OK : life_start(&l);
        fault_arm(FAULT_KILL, at, false, 0);
        if (job->starts) err = life_start(&l);
        if (err == E_OK) err = job->job(&l);
        _exit(err == E_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    *met = WIFEXITED(status) && WEXITSTATUS(status) == KILLED;
    if (*met || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) return true;
    snprintf(why, WHY, "the child ended with %#x", (unsigned)status);
    return false;
}

static bool kill_at(const World *w, u64 at, bool *met, char *why)
{
    disk_build(w->replay);
    return run_child(w->job, w->model, at, met, why) && restart(model_after(w), why);
}

/* Killed, and then its recovery before change `in`. */
static bool kill_twice(const World *w, u64 at, u64 in, bool *met, char *why)
{
    static const Job recovery = {"recovery", true, NULL, life_catch_up};
    disk_build(w->replay);
    return run_child(w->job, w->model, at, met, why) &&
           run_child(&recovery, model_after(w), in, met, why) && restart(model_after(w), why);
}

/* ---- all points of a job */

typedef struct {
    u64 points, failures;
} Tally;

static void hangs(int signo)
{
    (void)signo;
    static const char text[] = "# a job hangs\n";
    ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);
    _exit(n < 0 ? 98 : 99);
}

static void tell(const World *w, const char *mode, u64 at, const char *why, Tally *t)
{
    if (t->failures++ < 5)
        print_message("# %s, %s at change %" PRIu64 ": %s\n", w->job->name, mode, at, why);
}

static u64 changes_of(const World *w)
{
    char why[WHY];
    u64 least = 1, most = 4000; /* met at `least`, not at `most` */
    while (least + 1 < most) {
        u64 half = (least + most) / 2;
        bool met = false;
        if (!kill_at(w, half, &met, why)) fail_msg("%s: %s", w->job->name, why);
        *(met ? &least : &most) = half;
    }
    return least;
}

static void all_points(const Job *job, Tally *t)
{
    World w;
    char why[WHY] = "";
    prepare(&w, job);
    u64 changes = changes_of(&w), stride = whole ? 1 : MAX(changes / 12, 1), before = t->points;
    for (u64 at = 1; at <= changes; at += stride) {
        bool met = false;
        alarm(SECONDS);
        t->points++;
        if (!kill_at(&w, at, &met, why)) tell(&w, "kill", at, why, t);
    }
    for (u64 m = 0; m < COUNT_OF(MODES); m++) {
        for (u64 at = 1 + (whole ? 0 : m % stride); at <= changes; at += stride) {
            bool met = false;
            alarm(SECONDS);
            t->points++;
            if (!spoil(&w, &MODES[m], at, at % 8 == 0, &met, why))
                tell(&w, MODES[m].name, at, why, t);
        }
    }
    alarm(0);
    print_message("# %s: %" PRIu64 " changes, %" PRIu64 " points\n", job->name, changes,
                  t->points - before);
    forget(&w);
}

static void every_step_of_every_job(void **state)
{
    (void)state;
    Tally t = {0};
    for (u64 i = 0; i < COUNT_OF(JOBS); i++)
        all_points(&JOBS[i], &t);
    print_message("# steps: %" PRIu64 " points, %" PRIu64 " failures\n", t.points, t.failures);
    assert_int_equal(t.failures, 0);
}

/* T7: recovery killed at its steps, after a kill at the steps of a job. */
static void recovery_is_killed_too(void **state)
{
    (void)state;
    Tally t = {0};
    u64 step = whole ? 1 : 12; /* changes of recovery between two kills */
    for (u64 i = 1; i < COUNT_OF(JOBS); i++) {
        World w;
        char why[WHY] = "";
        prepare(&w, &JOBS[i]);
        u64 changes = changes_of(&w), stride = MAX(changes / (whole ? 24 : 3), 1);
        for (u64 at = 1 + i % stride; at <= changes; at += stride) {
            bool met = true;
            for (u64 in = 1 + at % step; met; in += step) {
                alarm(SECONDS);
                t.points++;
                if (!kill_twice(&w, at, in, &met, why)) tell(&w, "kill in recovery", in, why, &t);
            }
        }
        alarm(0);
        forget(&w);
    }
    print_message("# kills in recovery: %" PRIu64 " points, %" PRIu64 " failures\n", t.points,
                  t.failures);
    assert_int_equal(t.failures, 0);
}

/* An argument names the tests to run; an asterisk stands for anything. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_of_every_job),
        cmocka_unit_test(recovery_is_killed_too),
    };
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    whole = getenv("CRASH_ALL") != NULL;
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/silt-steps-XXXXXX", base ? base : "/tmp");
    if (mkdtemp(folder) == NULL) return 2;
    signal(SIGALRM, hangs);
    now_fake(clock_of_test, clock_of_test);
    pool_alone(true);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return dir_remove_all(folder) == E_OK ? failed : 2;
}
