/*
 * sim: runs of the simulated system, each from a seed in a real process of its own.
 *
 *     sim_test                  the seeds that have failed once, then SIM_SEEDS (150) ordinary ones
 *     sim_test 17               one seed
 *     sim_test 1..1000          many, SIM_JOBS at a time (default: one a processor)
 *
 * SIM_PLAIN=1 leaves compression, a second reader and imports out, as the first simulations did.
 * SIM_SECONDS limits a range by time. SIM_LOG=debug shows what the processes log. A seed that fails
 * is printed with the command that repeats it; a repetition is exact.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

#define JOBS_MAX     64
#define SECONDS_EACH 20
#define SHOWN_MAX    40 /* failures whose text is printed */

/* Seeds that have failed, and of what. A change of the simulation gives them another meaning; these
 * were found when there was nothing but the plain scene, and keep it (SIM_PLAIN=1). */
static const u64 REGRESSIONS[] = {
    11,   /* a chunk of live rows larger than the reader's memoryLimit */
    44,   /* a new database whose manager was away over the end of its first interval */
    55,   /* the same, another end */
    70,   /* a reader starts while the manager names its first log file */
    6179, /* a quarantine that may not be opened: the refusal was none that is sent again */
    5130, /* an unfinished stage file of a day job whose number was passed over */
    22323, 23410, 27323, /* a run of rows that could not be written stayed in the spill folder */
    33374,               /* a reader that began after a power cut and before the manager */
    40942, 48370,        /* the clock was ahead when the first row of a database came */
};

typedef struct {
    pid_t pid;
    u64 seed;
    int out; /* its output */
    char folder[64];
} Job;

static struct {
    u64 ran, failed;
    WorldCounts all;
    const char *self;
} sim;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Makes a folder for a run. Not named by the process: an earlier one of the same number may have
 * left its own. */
static void make_folder(char out[64])
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(out, 64, "%s/silt-sim.XXXXXX", base);
    if (mkdtemp(out) == NULL) {
        perror(out);
        abort();
    }
}

/* The child: one seed. Its last line, when all went well, are its counts. */
static void run_seed(u64 seed, const char *folder)
{
    const char *log = getenv("SIM_LOG");
    WorldCounts c;
    struct rlimit limit = {SECONDS_EACH, SECONDS_EACH + 1}; /* of the processor: it may be busy */
    if (setrlimit(RLIMIT_CPU, &limit) != 0) abort();
    world_run(seed, folder, log == NULL ? "off" : log, &c);
    printf("= %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %lld\n",
           (unsigned long long)c.steps, (unsigned long long)c.rows, (unsigned long long)c.questions,
           (unsigned long long)c.deaths, (unsigned long long)c.power_cuts,
           (unsigned long long)c.changes, (unsigned long long)c.syncs, (unsigned long long)c.slices,
           (unsigned long long)c.views, (unsigned long long)c.unzipped, (long long)c.days);
    fflush(stdout);
    _exit(0);
}

/* The real mallopt: memory of a run is kept by it, as large blocks come and go all the time. */
static void keep_memory(void)
{
    int (*set)(int, int) = NULL;
    void *found = dlsym(RTLD_NEXT, "mallopt");
    memcpy(&set, &found, sizeof set);
    if (set == NULL) return;
    set(M_MMAP_THRESHOLD, 32 << 20);
    set(M_TRIM_THRESHOLD, 256 << 20);
    set(M_TOP_PAD, 4 << 20);
}

static void start(Job *j, u64 seed)
{
    char name[] = "/tmp/silt-sim-out.XXXXXX";
    fflush(stdout);
    *j = (Job){.seed = seed, .out = mkstemp(name)};
    if (j->out < 0) abort();
    unlink(name);
    make_folder(j->folder);
    j->pid = fork();
    if (j->pid < 0) abort();
    if (j->pid > 0) return;
    dup2(j->out, STDOUT_FILENO);
    dup2(j->out, STDERR_FILENO);
    run_seed(seed, j->folder);
}

/* Adds up the counts of a good run; false when there are none. */
static bool add_counts(char *text)
{
    WorldCounts c;
    char *last = strstr(text, "= ");
    for (char *next; last != NULL && (next = strstr(last + 1, "\n= ")) != NULL;)
        last = next + 1;
    unsigned long long n[10];
    long long days;
    if (last == NULL ||
        sscanf(last, "= %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %lld", &n[0], &n[1],
               &n[2], &n[3], &n[4], &n[5], &n[6], &n[7], &n[8], &n[9], &days) != 11)
        return false;
    c = (WorldCounts){n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], days};
    u64 *to = (u64 *)(void *)&sim.all, *from = (u64 *)(void *)&c;
    for (u32 i = 0; i < sizeof c / sizeof *to; i++)
        to[i] += from[i];
    return true;
}

static void remove_folder(const char *folder)
{
    char file[80];
    snprintf(file, sizeof file, "%s.yaml", folder);
    pid_t child = fork();
    if (child == 0) {
        execlp("rm", "rm", "-rf", folder, file, (char *)NULL);
        _exit(127);
    }
    if (child > 0) waitpid(child, NULL, 0);
}

/* Judges an ended run; false when it failed. */
static bool finish(Job *j, int status)
{
    static char text[1 << 16];
    ssize_t size = pread(j->out, text, sizeof text - 1, 0);
    text[size < 0 ? 0 : size] = 0;
    close(j->out);
    sim.ran++;
    bool good = status == 0 && add_counts(text);
    if (good) return true;
    if (getenv("SIM_KEEP") == NULL) remove_folder(j->folder);
    if (++sim.failed <= SHOWN_MAX) {
        printf("# seed %llu failed (status %x); repeat: %s%s %llu\n%s\n",
               (unsigned long long)j->seed, (unsigned)status,
               getenv("SIM_PLAIN") == NULL ? "" : "SIM_PLAIN=1 ", sim.self,
               (unsigned long long)j->seed, text);
        fflush(stdout);
    }
    return false;
}

static void report(const char *what, double began)
{
    const WorldCounts *c = &sim.all;
    double took = seconds() - began;
    printf("# %s: %llu seeds, %llu failed, %.1f s, %.1f seeds/s; %lld days, %llu rows, "
           "%llu questions, %llu restarts, %llu power cuts, %llu views, %llu changes of the disk, "
           "%llu syncs, %llu files inflated\n",
           what, (unsigned long long)sim.ran, (unsigned long long)sim.failed, took,
           (double)sim.ran / took, (long long)c->days, (unsigned long long)c->rows,
           (unsigned long long)c->questions, (unsigned long long)c->deaths,
           (unsigned long long)c->power_cuts, (unsigned long long)c->views,
           (unsigned long long)c->changes, (unsigned long long)c->syncs,
           (unsigned long long)c->unzipped);
    fflush(stdout);
}

static void run_range(u64 from, u64 to, long jobs, double limit)
{
    Job job[JOBS_MAX] = {0};
    double end = limit > 0 ? seconds() + limit : 0, began = seconds();
    u64 next = from, running = 0;
    for (;;) {
        for (long i = 0; i < jobs; i++) {
            if (job[i].pid != 0 || next > to || (end > 0 && seconds() > end)) continue;
            start(&job[i], next++);
            running++;
        }
        if (running == 0) return;
        int status = 0;
        pid_t pid = wait(&status);
        for (long i = 0; i < jobs; i++) {
            if (job[i].pid != pid) continue;
            finish(&job[i], status);
            if (sim.ran % 5000 == 0) report("so far", began);
            job[i].pid = 0;
            running--;
        }
    }
}

static u64 number(const char *name, u64 otherwise)
{
    const char *text = getenv(name);
    return text == NULL || *text == 0 ? otherwise : strtoull(text, NULL, 10);
}

static int run_tests(long jobs)
{
    int bad = 0;
    double began = seconds();
    printf("1..2\n");
    if (setenv("SIM_PLAIN", "1", 1) != 0) abort();
    for (u64 i = 0; i < sizeof REGRESSIONS / sizeof *REGRESSIONS; i++)
        run_range(REGRESSIONS[i], REGRESSIONS[i], 1, 0);
    if (unsetenv("SIM_PLAIN") != 0) abort();
    report("seeds that have failed once", began);
    printf("%s 1 - seeds that have failed once\n", sim.failed == 0 ? "ok" : "not ok");
    bad += sim.failed > 0;
    sim.ran = sim.failed = 0;
    memset(&sim.all, 0, sizeof sim.all);
    began = seconds();
    run_range(1, number("SIM_SEEDS", 150), jobs, 0);
    report("ordinary seeds", began);
    printf("%s 2 - ordinary seeds\n", sim.failed == 0 ? "ok" : "not ok");
    return bad + (sim.failed > 0);
}

int main(int argc, char **argv)
{
    long jobs = (long)number("SIM_JOBS", (u64)sysconf(_SC_NPROCESSORS_ONLN));
    double began = seconds();
    if (jobs < 1 || jobs > JOBS_MAX) jobs = 1;
    sim.self = argv[0];
    keep_memory();
    if (argc < 2) return run_tests(jobs) > 0;
    const char *dots = strstr(argv[1], "..");
    u64 from = strtoull(argv[1], NULL, 10), to = dots == NULL ? from : strtoull(dots + 2, NULL, 10);
    if (dots == NULL && getenv("SIM_LOG") != NULL) {
        char folder[64];
        make_folder(folder);
        run_seed(from, folder);
    }
    run_range(from, to, jobs, (double)number("SIM_SECONDS", 0));
    report(argv[1], began);
    return sim.failed > 0;
}
