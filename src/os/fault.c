/*
 * fault: counts the changes of the disk and spoils one, or one and all later ones.
 *
 * `active` is the one word that every change reads; it is set by fault_arm and by a fault_init that
 * found SILT_FAULT for this process's role. The plan is written before `active` and read after it.
 * Changes of several threads are numbered in the order in which they reach fault_point.
 */
#include "os/fault.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAULT_EXIT 137 /* what a shell reports of kill -9 */

static atomic_bool active;
static atomic_ullong changes;

static struct {
    FaultKind kind;
    u64 at;
    bool lasting;
    int error;
    int count_fd; /* where the count is written after each change; 0 = nowhere */
} plan;

static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;

void fault_arm(FaultKind kind, u64 at, bool lasting, int error)
{
    atomic_store(&active, false);
    atomic_store(&changes, 0);
    if (plan.count_fd > 0) close(plan.count_fd);
    plan.count_fd = 0;
    plan.kind = kind;
    plan.at = at;
    plan.lasting = lasting;
    plan.error = error;
    atomic_store(&active, true);
}

u64 fault_count(void) { return atomic_load(&changes); }

/* Counts a change and writes the count to its file: a process may end by a signal. */
static void count_change(void)
{
    char text[24];
    pthread_mutex_lock(&count_lock);
    int size = snprintf(text, sizeof text, "%llu\n", (unsigned long long)++changes);
    if (pwrite(plan.count_fd, text, (size_t)size, 0) != size) abort();
    pthread_mutex_unlock(&count_lock);
}

FaultVerdict fault_point(const char *call, const char *path, u64 size)
{
    FaultVerdict verdict = {.size = size};
    if (!atomic_load_explicit(&active, memory_order_acquire)) return verdict;
    if (plan.count_fd > 0) {
        count_change();
        return verdict;
    }
    if (plan.kind == FAULT_UNSYNCED && strcmp(call, "fsync") != 0 && strcmp(call, "fdatasync") != 0)
        return verdict;
    u64 n = atomic_fetch_add(&changes, 1) + 1;
    if (plan.kind == FAULT_NONE || (plan.lasting ? n < plan.at : n != plan.at)) return verdict;
    if (plan.kind == FAULT_KILL) {
        dprintf(STDERR_FILENO, "silt: SILT_FAULT stops before change %llu: %s %s\n",
                (unsigned long long)n, call, path);
        _exit(FAULT_EXIT);
    }
    if (plan.kind == FAULT_ERROR || plan.kind == FAULT_UNSYNCED) verdict.error = plan.error;
    if (plan.kind == FAULT_SHORT) verdict.size = MIN(size, MAX(size / 2, 1));
    return verdict;
}

static FaultWatch watcher;
static void *watcher_arg;

void fault_watch(FaultWatch watch, void *arg)
{
    watcher_arg = arg;
    watcher = watch;
}

void fault_tell(const FaultChange *c)
{
    if (watcher) watcher(watcher_arg, c);
}

/* The errno of a name like "ENOSPC", or 0. */
static int error_of(Str name)
{
    for (int error = 1; error < 256; error++) {
        const char *text = strerrorname_np(error);
        if (text && str_is(name, text)) return error;
    }
    return 0;
}

/* Reads "kind:at[+][:errno]" into the plan. */
static bool plan_parse(Str text)
{
    Str kind, at, error = {0};
    if (!str_split(&text, ':', &kind) || !str_split(&text, ':', &at)) return false;
    bool has_error = str_split(&text, ':', &error);
    bool lasting = str_ends(at, STR("+"));
    i64 n;
    if (lasting) at.size--;
    if (text.data || !str_i64(at, &n) || n < 1) return false;
    if (str_is(kind, "error")) {
        int code = has_error ? error_of(error) : 0;
        if (!code) return false;
        fault_arm(FAULT_ERROR, (u64)n, lasting, code);
        return true;
    }
    if (has_error || lasting) return false;
    if (!str_is(kind, "kill") && !str_is(kind, "short")) return false;
    fault_arm(str_is(kind, "kill") ? FAULT_KILL : FAULT_SHORT, (u64)n, false, 0);
    return true;
}

Err fault_init(const char *role)
{
    const char *text = getenv("SILT_FAULT"), *only = getenv("SILT_FAULT_ROLE");
    if (!text || !*text) return E_OK;
    if (only && *only && strcmp(only, role) != 0) return E_OK;
    Str s = str_of(text);
    if (str_starts(s, STR("count:")) && s.size > 6) {
        int fd = open(text + 6, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
        if (fd < 0 || pwrite(fd, "0\n", 2, 0) != 2) return fail_errno(errno, "SILT_FAULT=%s", text);
        fault_arm(FAULT_NONE, 0, false, 0);
        plan.count_fd = fd;
        return E_OK;
    }
    if (!plan_parse(s))
        return fail(E_USAGE,
                    "SILT_FAULT=%s is none of kill:N, error:N[+]:ERRNO, short:N, count:PATH", text);
    return E_OK;
}
