/*
 * proc: processes, and what a process knows of itself.
 *
 * A child tells that its exec failed through a pipe that a successful exec closes, so proc_spawn
 * returns the real reason. Between fork and exec only async-signal-safe calls are made, as other
 * threads may have held locks. PR_SET_PDEATHSIG follows the *thread* that forked: spawn from the
 * loop thread only.
 */
#include "os/proc.h"
#include "base/bounds.h"
#include "base/str.h"
#include "os/now.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROC_CPUS_MAX 1024

extern char **environ;

/* The environment with `extra` in front and what it replaces left out. */
static char **environment(Arena *a, const char *const *extra)
{
    u64 count = 0, added = 0;
    while (environ && environ[count])
        count++;
    while (extra && extra[added])
        added++;
    char **env = arena_array(a, char *, count + added + 1);
    u64 n = 0;
    for (; n < added; n++)
        env[n] = arena_text(a, extra[n], strlen(extra[n]));
    for (u64 i = 0; i < count; i++) {
        i64 name = str_find(str_of(environ[i]), '=');
        bool replaced = false;
        for (u64 k = 0; k < added && name >= 0 && !replaced; k++)
            replaced = strncmp(environ[i], extra[k], (u64)name + 1) == 0;
        if (!replaced) env[n++] = environ[i];
    }
    return env;
}

static char **arguments(Arena *a, const char *const *argv)
{
    u64 count = 0;
    while (argv[count])
        count++;
    char **copy = arena_array(a, char *, count + 1);
    for (u64 i = 0; i < count; i++)
        copy[i] = arena_text(a, argv[i], strlen(argv[i]));
    return copy;
}

/* The child's side: becomes the program, or writes errno to `report` and ends. */
_Noreturn static void become(char **argv, char **env, int parent, int null, int report)
{
    sigset_t none;
    sigemptyset(&none);
    bool ok = prctl(PR_SET_PDEATHSIG, SIGTERM) == 0;
    /* A parent that died before the line above sends no signal any more. */
    if (ok && getppid() != parent) _exit(127);
    ok = ok && dup2(null, STDIN_FILENO) >= 0;
    ok = ok && signal(SIGPIPE, SIG_DFL) != SIG_ERR;
    ok = ok && sigprocmask(SIG_SETMASK, &none, NULL) == 0;
    if (ok) execvpe(argv[0], argv, env);
    int error = errno;
    ssize_t written = write(report, &error, sizeof error);
    _exit(written < 0 ? 126 : 127);
}

static void close_open(int fd)
{
    if (fd >= 0) close(fd);
}

Err proc_spawn(const char *const *argv, const char *const *env_extra, int *pid)
{
    Arena a = {0};
    Err err = E_OK;
    int report[2] = {-1, -1}, null = -1, error = 0, self = getpid();
    ssize_t got;
    *pid = -1;
    ASSERT(argv[0]);
    char **args = arguments(&a, argv), **env = environment(&a, env_extra);
    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || pipe2(report, O_CLOEXEC) != 0) TRY(fail_errno(errno, "%s: start", argv[0]));
    *pid = fork();
    if (*pid == 0) become(args, env, self, null, report[1]);
    if (*pid < 0) TRY(fail_errno(errno, "%s: fork", argv[0]));
    close_open(report[1]);
    report[1] = -1;
    do
        got = read(report[0], &error, sizeof error);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR) {}
        *pid = -1;
        TRY(fail_errno(error, "%s: start", argv[0]));
    }
done:
    close_open(null);
    close_open(report[0]);
    close_open(report[1]);
    arena_free(&a);
    return err;
}

void proc_signal(int pid, int signo)
{
    ASSERT(pid > 0); /* 0 and below mean groups */
    (void)kill(pid, signo);
}

Err proc_wait(int pid, u32 ms, int *status)
{
    ASSERT(pid > 0);
    i64 end = now_ticks() + (i64)ms * 1000000;
    for (long pause_us = 100;; pause_us = MIN(pause_us * 2, 5000)) {
        int gone = waitpid(pid, status, WNOHANG);
        if (gone == pid) return E_OK;
        if (gone < 0 && errno == ECHILD) return fail(E_NOT_FOUND, "process %d: not a child", pid);
        if (gone < 0 && errno != EINTR) return fail_errno(errno, "process %d: wait", pid);
        i64 left = end - now_ticks();
        if (left <= 0) return fail(E_TIMEOUT, "process %d: still running after %u ms", pid, ms);
        struct timespec t = {.tv_nsec = MIN(pause_us * 1000, left)};
        nanosleep(&t, NULL);
    }
}

Err proc_self(Arena *a, char **path)
{
    char text[BOUND_PATH_MAX];
    *path = NULL;
    ssize_t size = readlink("/proc/self/exe", text, sizeof text);
    if (size < 0) return fail_errno(errno, "/proc/self/exe: read link");
    if (size == sizeof text) return fail(E_LIMIT, "/proc/self/exe: path too long");
    text[size] = 0;
    /* replaced or removed since we started: a child of ours still reaches our own program by it */
    struct stat st;
    if (stat(text, &st) != 0) {
        *path = arena_text(a, "/proc/self/exe", sizeof "/proc/self/exe" - 1);
        return E_OK;
    }
    *path = arena_text(a, text, (u64)size);
    return E_OK;
}

int proc_id(void) { return getpid(); }

int proc_parent(void) { return getppid(); }

int proc_cpus(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return MIN(MAX(count, 1), PROC_CPUS_MAX);
}

const char *proc_env(const char *name) { return getenv(name); }

/* Reads a small file of the kernel's; false when there is none. */
static bool read_small(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t size = read(fd, text, room - 1);
    close(fd);
    if (size <= 0) return false;
    text[size] = 0;
    return true;
}

u64 proc_memory_limit(void)
{
    char text[4096], path[4200];
    struct sysinfo info;
    u64 limit = sysinfo(&info) == 0 ? (u64)info.totalram * info.mem_unit : UINT64_MAX;
    if (!read_small("/proc/self/cgroup", text, sizeof text)) return limit;
    char *group = strstr(text, "0::/");
    if (!group) return limit;
    group += 3;
    group[strcspn(group, "\n")] = 0;
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", group);
    if (!read_small(path, text, sizeof text)) return limit;
    u64 bytes = strtoull(text, NULL, 10); /* "max" gives 0 */
    return bytes > 0 ? MIN(bytes, limit) : limit;
}

u64 proc_memory(void)
{
    char text[4096];
    if (!read_small("/proc/self/status", text, sizeof text)) return 0;
    const char *line = strstr(text, "\nRssAnon:");
    return line ? strtoull(line + sizeof "\nRssAnon:" - 1, NULL, 10) * 1024 : 0;
}

u64 proc_work(int pid)
{
    clockid_t clock;
    struct timespec t;
    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

bool proc_is_tty(int fd) { return isatty(fd) == 1; }

void proc_random(void *out, u64 size)
{
    u8 *to = out;
    while (size) {
        ssize_t n = getrandom(to, MIN(size, 256), 0);
        ASSERT(n > 0 || errno == EINTR);
        if (n < 0) continue;
        to += n;
        size -= (u64)n;
    }
}
