/*
 * world: see world.h.
 *
 * A step is something that people or the world do: publish, ask, end an interval, turn a clock,
 * spoil a change of the disk, stop a process. Between steps the machine runs for a while, so that
 * steps meet processes at any point. What a step may be depends on the seed's profile.
 *
 * After each step the dead are looked at: did they die of something that was done to them? The tree
 * is loaded as it lies there, and the manager and the reader are started again. At the end there
 * are no more faults: everything must be acknowledged, written to the history, found, and cleaned
 * up without anybody's help.
 */
#include "world.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/prng.h"
#include "clients.h"
#include "cmd/check.h"
#include "cmd/reader.h"
#include "cmd/sm.h"
#include "disk.h"
#include "fibers.h"
#include "look.h"
#include "model.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/now.h"
#include "os/proc.h"
#include "ports.h"
#include "scene.h"
#include "stream/tail.h"
#include "unzip.h"

#define SECOND_NS 1000000000ll
#define FREQ_NS   (600 * SECOND_NS)
#define BACK_MAX                                                                                   \
    (20 * 3600 * SECOND_NS) /* the clock goes back at most so far: less than the horizon */

/* What a seed may do beside publishing and asking. */
enum { MAY_KILL = 1, MAY_FAIL = 2, MAY_CUT = 4, MAY_FILL = 8, MAY_TURN = 16, MAY_FREEZE = 32 };

static struct {
    Prng prng;
    u64 seed, step;
    u32 may;
    const char *folder, *log_level;
    char title[64];
    Scene scene;
    Process *sm, *readers[SCENE_READERS_MAX];
    bool stopping;  /* the manager was asked to end */
    bool disturbed; /* something was done since the last time that everything was well */
    bool full;
    u64 life;       /* of the manager */
    u64 thaw;       /* the step at which those that hang go on, 0 = nobody does */
    LookView view;  /* the last one seen */
    LookView floor; /* the last one seen that no power cut takes away */
    u64 position;   /* of the stream that was followed */
    u64 eoi, eod;   /* the last signals seen */
    i64 end, day_end;
    WorldCounts counts;
} world;

static u64 below(u64 bound) { return prng_below(&world.prng, bound); }

static bool chance(u64 of) { return below(of) == 0; }

/* ---- starting */

static Process *start(const char *name, FibersMain main)
{
    const char *const argv[] = {world.scene.file, "--log-level", world.log_level, "--instance",
                                name};
    return fibers_spawn(name, main, main == reader_main ? 5 : 3, argv, NULL);
}

static void start_sm(void)
{
    world.sm = start("sm", sm_main);
    world.life++;
    world.stopping = false;
}

/* ---- what must hold */

/* The records of the stream since the last look: signals come once and in order, and no day ends
 * before its time. */
static void follow_signals(void)
{
    Tail t = {0};
    WalRecord r;
    bool got = true;
    Arena a = {0};
    Err err = tail_open(&t, dir_join(&a, world.folder, "idb", "wal", NULL), world.position);
    if (err == E_CORRUPT && t.shared == NULL) {
        /* Trimmed since: what went was covered by a view. */
        world.position = world.view.watermark;
        err = tail_open(&t, dir_join(&a, world.folder, "idb", "wal", NULL), world.position);
    }
    while (err == E_OK && got) {
        err = tail_next(&t, &r, &got);
        if (err != E_OK || !got) break;
        world.position = r.end;
        JobSignal s;
        if (r.kind != WAL_CONTROL) continue;
        if (job_decode_signal(r.body, r.size, &s) != E_OK) model_wrong("signal: %s", fail_text());
        if (s.seq <= world.eoi)
            model_wrong("interval %llu is signalled after %llu", (unsigned long long)s.seq,
                        (unsigned long long)world.eoi);
        if (s.eod != 0 && s.eod <= world.eod)
            model_wrong("day job %llu is signalled after %llu", (unsigned long long)s.eod,
                        (unsigned long long)world.eod);
        if (s.end > fibers_wall_max() || s.end < world.end || s.start > s.end)
            model_wrong("interval %llu ends at the wrong time", (unsigned long long)s.seq);
        if (s.seq == world.eoi + 1 && world.end != INT64_MIN && s.start != world.end)
            model_wrong("interval %llu does not begin where the last one ended",
                        (unsigned long long)s.seq);
        world.eoi = s.seq;
        world.end = s.end;
        if (s.eod == 0) continue;
        world.eod = s.eod;
        if (s.partial) continue;
        i64 past = s.end - world.scene.snap,
            closed = past - ((past % NOW_DAY_NS) + NOW_DAY_NS) % NOW_DAY_NS;
        if (closed <= world.day_end) model_wrong("a day ends twice");
        world.day_end = closed;
    }
    tail_close(&t);
    arena_free(&a);
}

static void look(void)
{
    Arena a = {0};
    LookView v = look_tree(world.folder);
    const char *journal = dir_join(&a, world.folder, "hdb", "adopt.journal", NULL);
    if (access(journal, F_OK) == 0) goto done; /* an import is not over: it may be begun anew */
    if (v.number < world.view.number || v.watermark < world.view.watermark ||
        v.eoi < world.view.eoi || v.eod < world.view.eod)
        model_wrong("view %llu (watermark %llu) after view %llu (watermark %llu)",
                    (unsigned long long)v.number, (unsigned long long)v.watermark,
                    (unsigned long long)world.view.number,
                    (unsigned long long)world.view.watermark);
    world.view = v;
    /* Somebody who looks may see a switch before the manager has made it durable and told it. */
    if (disk_name_durable(dir_join(&a, world.folder, "idb", "current", NULL)) &&
        disk_name_durable(journal))
        world.floor = v;
done:
    arena_free(&a);
    follow_signals();
}

/* Whether a finding says only that imported days have no checksums. */
static bool is_of_import(const char *said)
{
    const char *line = strchr(said, '\n');
    return world.scene.imported && strstr(said, "have no checksums") != NULL && line != NULL &&
           line[1] == 0;
}

/* `silt check --deep` has nothing to say, not even a warning: nothing lies about. */
static void check_database(const char *when)
{
    char said[2048], deep[] = "--deep", *argv[] = {world.scene.file, deep};
    fflush(stdout);
    int out = memfd_create("findings", 0), kept = dup(STDOUT_FILENO);
    if (out < 0 || kept < 0 || dup2(out, STDOUT_FILENO) < 0) abort();
    int status = check_main(2, argv);
    fflush(stdout);
    if (dup2(kept, STDOUT_FILENO) < 0) abort();
    ssize_t size = pread(out, said, sizeof said - 1, 0);
    said[MAX(size, 0)] = 0;
    close(out);
    close(kept);
    if (status != 0 || (size != 0 && !is_of_import(said)))
        model_wrong("%s: silt check: status %d: %s", when, status, said);
}

/* ---- the dead */

/* Whether a process had a right to end. */
static void judge(const Process *p)
{
    if ((p->status & 0x7f) != 0) return; /* by a signal: we did it */
    int status = p->status >> 8;
    bool injected = p->failed || world.full;
    if (status == 0 && p == world.sm && world.stopping) return;
    if (injected && (status == 5 || status == 8 || status == 9 || status == 4 || status == 3))
        return;
    model_wrong("%s ended with status %d", p->name, status);
}

static void judge_workers(void)
{
    LIST_EACH(it, fibers_all())
    {
        Process *p = LIST_ENTRY(it, Process, link);
        if (p->alive || p->judged) continue;
        p->judged = true;
        if (!world.disturbed && p->parent == world.sm && world.sm->alive && !world.stopping)
            model_wrong("%s ended with status %x, and nothing was done to it", p->name, p->status);
    }
}

static void power_cut(void)
{
    disk_power_cut();
    clients_power_cut();
    world.view = world.floor;
    world.counts.power_cuts++;
    world.disturbed = true;
}

/* Looks after the dead; starts them again. */
static void revive(void)
{
    if (disk_power_gone()) power_cut();
    clients_pump(world.life);
    for (u32 i = 0; i < world.scene.readers; i++) {
        if (world.readers[i]->alive) continue;
        judge(world.readers[i]);
        world.counts.deaths++;
        world.readers[i] = start(world.scene.names[i], reader_main);
    }
    judge_workers();
    if (world.sm->alive) return;
    judge(world.sm);
    world.counts.deaths++;
    look();
    start_sm();
    /* What a dead try has left and the next one relies on may not be durable yet. */
    if ((world.may & MAY_CUT) != 0 && chance(4))
        world.sm->spoil = (Spoil){.kind = SPOIL_POWER, .at = 1 + below(400)};
}

/* ---- steps */

static Process *victim(void)
{
    static const char *const names[] = {"sm", "sm", "eoi", "eod"};
    return fibers_find(names[below(COUNT_OF(names))]);
}

static u64 some_change(void)
{
    static const u64 most[] = {3, 30, 120, 400};
    return 1 + below(most[below(COUNT_OF(most))]);
}

/* Some seconds before `left` from now, or no time at all; two draws, so that seeds mean what they
 * meant. */
static i64 shortly_before(i64 left)
{
    i64 wait = left - (i64)below(20) * SECOND_NS;
    if (wait > 0) wait = left - (i64)below(20) * SECOND_NS;
    return MAX(0, wait);
}

/* To a moment of interest. */
static void do_time(void)
{
    i64 now = fibers_wall(), midnight = (now / NOW_DAY_NS + 1) * NOW_DAY_NS;
    i64 boundary = (now / FREQ_NS + 1) * FREQ_NS;
    switch (below(8)) {
    case 0: fibers_sleep_all((i64)below(90) * SECOND_NS); break;
    case 1: fibers_sleep_all(midnight - now + (i64)below(20 * 60) * SECOND_NS); break;
    case 2: fibers_sleep_all(shortly_before(midnight - now)); break;
    case 3: fibers_sleep_all((i64)below(30) * 3600 * SECOND_NS); break;
    default: fibers_sleep_all(boundary - now + (i64)below(3000) * 1000000); break;
    }
}

/* A change of the first import is spoilt in a way that the profile knows. */
static void spoil_import(void)
{
    static const SpoilKind kinds[] = {SPOIL_KILL, SPOIL_ERROR, SPOIL_POWER};
    static const u32 profile[] = {MAY_KILL, MAY_FAIL, MAY_CUT};
    u32 which = world.scene.trouble % COUNT_OF(kinds);
    if (world.scene.trouble == 0 || (world.may & profile[which]) == 0) return;
    world.sm->spoil =
        (Spoil){.kind = kinds[which], .at = world.scene.trouble, .error = chance(2) ? EIO : ENOSPC};
    world.disturbed = true;
}

static void do_spoil(SpoilKind kind)
{
    static const int errors[] = {EIO, ENOSPC, EIO, EDQUOT, EINTR, EMFILE, EACCES};
    Process *p = victim();
    if (p == NULL) return;
    int error = errors[below(COUNT_OF(errors))];
    p->spoil = (Spoil){.kind = kind,
                       .at = some_change(),
                       .error = error,
                       .lasting = kind == SPOIL_ERROR && error != EINTR && chance(4),
                       .syncs = kind == SPOIL_ERROR && error == EIO && chance(3)};
    world.disturbed = true;
    /* Most changes are those of jobs: let there be one. */
    if (chance(2)) clients_publish();
    if (chance(3)) {
        clients_end_interval(chance(2));
    } else if (chance(2)) {
        fibers_run(SECOND_NS);
        do_time();
    }
}

/* The process of a name; of one of the readers when it is theirs. */
static Process *meant(const char *name)
{
    if (strcmp(name, "da") != 0 || world.scene.readers == 1) return fibers_find(name);
    return fibers_find(world.scene.names[below(world.scene.readers)]);
}

static void do_kill(void)
{
    static const char *const names[] = {"sm", "eoi", "eod", "da", "dbm"};
    Process *p = meant(names[below(COUNT_OF(names))]);
    world.disturbed = true;
    if (p != NULL) fibers_kill(p, SIGKILL);
}

static void do_stop(void)
{
    if (!world.sm->alive) return;
    world.stopping = true;
    world.disturbed = true;
    fibers_slices(below(50));
    if (world.sm->alive && world.sm->loop != NULL) proc_signal(world.sm->pid, SIGTERM);
}

static void do_fill(void)
{
    bool all = chance(2);
    world.full = !world.full;
    world.disturbed = true;
    disk_space(world.full ? below(32) << 20 : 100ull << 30, world.full && all);
}

static void do_turn(void)
{
    i64 ns = (i64)below(1 + below(7200)) * SECOND_NS;
    if (chance(8)) ns = (i64)below(BACK_MAX / SECOND_NS) * SECOND_NS;
    if (chance(3)) {
        fibers_turn_clock(ns);
        return;
    }
    i64 room = fibers_wall() - (fibers_wall_max() - BACK_MAX);
    fibers_turn_clock(-MIN(ns, MAX(room, 0)));
}

/* A leap of days, or of a year. What is sent again after it would be of another time, so only when
 * nothing is under way. */
static void do_leap(void)
{
    i64 days = 1 + (i64)below(chance(2) ? 366 : 3);
    if (clients_waiting() == 0) fibers_turn_clock((chance(2) ? days : -days) * NOW_DAY_NS);
}

/* Somebody hangs, and holds what he holds. */
static void do_freeze(void)
{
    static const char *const names[] = {"da", "da", "sm", "eoi", "eod"};
    Process *p = meant(names[below(COUNT_OF(names))]);
    if (p != NULL) p->frozen = true;
    world.thaw = world.step + 1 + below(10);
}

static void thaw_all(void)
{
    LIST_EACH(it, fibers_all()) { LIST_ENTRY(it, Process, link)->frozen = false; }
}

static void do_something(void)
{
    if (world.thaw != 0 && world.step >= world.thaw) {
        thaw_all();
        world.thaw = 0;
    }
    u64 n = below((world.may & MAY_FREEZE) != 0 ? 103 : 99);
    if (chance(12)) clients_listen();
    if (n < 34)
        clients_publish();
    else if (n < 50)
        clients_question(world.life, world.sm);
    else if (n < 72)
        do_time();
    else if (n < 76)
        clients_end_interval(chance(3));
    else if (n < 78)
        do_stop();
    else if (n < 80)
        look();
    else if (n < 86 && (world.may & MAY_KILL))
        do_spoil(SPOIL_KILL);
    else if (n < 88 && (world.may & MAY_KILL))
        do_kill();
    else if (n < 92 && (world.may & MAY_FAIL))
        do_spoil(chance(4) ? SPOIL_SHORT : SPOIL_ERROR);
    else if (n < 95 && (world.may & MAY_CUT))
        do_spoil(SPOIL_POWER);
    else if (n < 96 && (world.may & MAY_CUT))
        power_cut();
    else if (n < 97 && (world.may & MAY_FILL))
        do_fill();
    else if (n < 99 && (world.may & MAY_TURN))
        chance(6) ? do_leap() : do_turn();
    else if (n >= 99 && (world.may & MAY_FREEZE))
        do_freeze();
}

static void run_a_while(void)
{
    switch (below(5)) {
    case 0: fibers_slices(below(30)); break;
    case 1: fibers_slices(below(400)); break;
    case 2: fibers_run((i64)below(2000) * 1000000); break;
    default:
        if (!fibers_settle(50 * 1000000)) model_wrong("the system does not come to rest");
        break;
    }
}

/* ---- the end */

/* Gives the system time until everything is quiet and nobody is dead. */
static void rest(int seconds)
{
    for (int i = 0; i < seconds; i++) {
        fibers_run(SECOND_NS);
        revive();
        if (!fibers_settle(50 * 1000000)) model_wrong("the system does not come to rest");
    }
}

static void end_faults(void)
{
    LIST_EACH(it, fibers_all())
    {
        Process *p = LIST_ENTRY(it, Process, link);
        p->spoil = (Spoil){0};
    }
    world.full = false;
    thaw_all();
    disk_space(100ull << 30, false);
}

static void to_the_next_day(void)
{
    i64 now = fibers_wall(), base = MAX(now, fibers_wall_max());
    fibers_sleep_all((base / NOW_DAY_NS + 1) * NOW_DAY_NS + 11 * 60 * SECOND_NS - now);
}

/* Everything is acknowledged, found, written to the history, and nothing else is there. */
static void quiet_end(void)
{
    char journal[512];
    end_faults();
    clients_hang_up();
    rest(15);
    for (int i = 0; clients_waiting() > 0; i++) {
        if (i == 60) model_wrong("%u batches are not acknowledged", clients_waiting());
        rest(1);
    }
    world.disturbed = false;
    clients_question_all(world.life);
    look();
    for (int i = 0; i < 3; i++) {
        to_the_next_day();
        rest(4);
        if (i == 0) clients_publish_all(world.life);
    }
    look();
    if (world.view.intervals != 0)
        model_wrong("%llu interval parts are left after the days have ended",
                    (unsigned long long)world.view.intervals);
    clients_question_all(world.life);
    clients_end_interval(true);
    rest(3);
    look();
    if ((unzip_files() > 0) != (world.scene.zipped && world.view.dates > 0))
        model_wrong("the days are compressed, or not, against the assembly");
    u64 names = look_count(world.folder, "idb/manifest");
    if (look_count(world.folder, "idb/stage") + look_count(world.folder, "idb/spill") > 0)
        model_wrong("files of jobs are left over");
    if (look_parts(world.folder, "idb/data") > 4)
        model_wrong("%llu interval parts are left over",
                    (unsigned long long)look_parts(world.folder, "idb/data"));
    if (look_parts(world.folder, "hdb/data") > 2 * world.view.dates + 2)
        model_wrong("%llu date parts are left over",
                    (unsigned long long)look_parts(world.folder, "hdb/data"));
    snprintf(journal, sizeof journal, "%s/hdb/adopt.journal", world.folder);
    if (access(journal, F_OK) == 0) model_wrong("the journal of the import is left over");
    if (names > 12) model_wrong("%llu manifests are left over", (unsigned long long)names);
    check_database("at the end");
    world.stopping = true;
    proc_signal(world.sm->pid, SIGTERM);
    fibers_run(SECOND_NS);
    if (world.sm->alive || world.sm->status != 0)
        model_wrong("the manager does not stop: status %x", world.sm->status);
    look();
    check_database("stopped");
    clients_all_there();
}

void world_run(u64 seed, const char *folder, const char *log_level, WorldCounts *counts)
{
    static const u32 profiles[] = {0,
                                   MAY_KILL,
                                   MAY_FAIL | MAY_KILL,
                                   MAY_CUT,
                                   MAY_FILL | MAY_KILL,
                                   MAY_TURN | MAY_FREEZE,
                                   MAY_KILL | MAY_FAIL | MAY_CUT | MAY_FILL | MAY_TURN | MAY_FREEZE,
                                   MAY_KILL | MAY_CUT | MAY_TURN | MAY_FREEZE,
                                   MAY_KILL | MAY_TURN | MAY_FREEZE};
    static const u64 odds[] = {0, 1, 4, 16};
    prng_init(&world.prng, seed);
    world.seed = seed;
    world.folder = folder;
    world.log_level = log_level;
    world.may = profiles[below(COUNT_OF(profiles))];
    world.end = world.day_end = INT64_MIN;
    model_title(world.title);
    snprintf(world.title, sizeof world.title, "seed %llu", (unsigned long long)seed);
    i64 wall = 9000 * NOW_DAY_NS + (i64)below(86400) * SECOND_NS;
    fibers_log(log_level);
    fibers_init(seed, odds[below(COUNT_OF(odds))], wall);
    disk_init(folder, seed);
    scene_make(&world.scene, &world.prng, seed, folder, (i32)(wall / NOW_DAY_NS),
               (world.may & (MAY_CUT | MAY_FAIL)) == 0);
    clients_init(seed, world.scene.readers);
    start_sm();
    spoil_import();
    for (u32 i = 0; i < world.scene.readers; i++)
        world.readers[i] = start(world.scene.names[i], reader_main);
    u64 steps = 20 + below(120);
    for (world.step = 1; world.step <= steps; world.step++) {
        snprintf(world.title, sizeof world.title, "seed %llu step %llu", (unsigned long long)seed,
                 (unsigned long long)world.step);
        do_something();
        run_a_while();
        revive();
    }
    snprintf(world.title, sizeof world.title, "seed %llu end", (unsigned long long)seed);
    quiet_end();
    world.counts.steps = steps;
    world.counts.rows = model_rows();
    world.counts.questions = clients_questions();
    world.counts.changes = disk_changes();
    world.counts.syncs = disk_syncs();
    world.counts.slices = fibers_count();
    world.counts.views = world.view.number;
    world.counts.unzipped = unzip_files();
    world.counts.days = (fibers_wall_max() - wall) / NOW_DAY_NS;
    *counts = world.counts;
    disk_remove();
    unlink(world.scene.file);
}
