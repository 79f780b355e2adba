/*
 * starve: the allocator's stand-in, and the loop of processes around it.
 *
 * A child tells how it ended by its exit status: SPARED when fewer allocations were made than were
 * let pass, so that the loop is over.
 */
#include "support/starve.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SPARED    64
#define REFUSED   65
#define DONE      66
#define BROKEN    67
#define TEXT_MAX  4096
#define SECONDS   60 /* no work here takes nearly so long */
#define POINT_MAX 100000

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
int __real_posix_memalign(void **p, size_t align, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_posix_memalign(void **p, size_t align, size_t size);

static _Atomic(i64) left = INT64_MAX; /* allocations that still succeed */
static i64 wanted;                    /* what `left` begins with */
static bool for_ever;                 /* all fail from then on, not only one */
static atomic_bool hit;

static bool refuse(void)
{
    if (atomic_load_explicit(&left, memory_order_relaxed) == INT64_MAX) return false;
    i64 before = atomic_fetch_sub(&left, 1);
    if (before > 0 || (before < 0 && !for_ever)) return false;
    atomic_store(&hit, true);
    return true;
}

void *__wrap_malloc(size_t size) { return refuse() ? NULL : __real_malloc(size); }

void *__wrap_calloc(size_t count, size_t size)
{
    return refuse() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size) { return refuse() ? NULL : __real_realloc(p, size); }

char *__wrap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = refuse() ? NULL : __real_malloc(size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

int __wrap_posix_memalign(void **p, size_t align, size_t size)
{
    return refuse() ? 12 : __real_posix_memalign(p, align, size);
}

void starve_in_memory(void)
{
    if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 0);
}

void starve_stop(void) { atomic_store(&left, INT64_MAX); }

void starve_start(void) { atomic_store(&left, wanted); }

static _Noreturn void child(Err (*work)(void *arg), void *arg, u64 n)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL}; /* cmocka would catch them */
    for (u32 i = 0; i < COUNT_OF(faults); i++)
        signal(faults[i], SIG_DFL);
    alarm(SECONDS);
    wanted = (i64)n;
    starve_start();
    Err err = work(arg);
    starve_stop();
    if (err != E_OK && (err != E_MEMORY || fail_text()[0] == 0)) {
        fprintf(stderr, "ended with %s: %s\n", fail_name(err), fail_text());
        exit(BROKEN);
    }
    exit(!atomic_load(&hit) ? SPARED : err == E_OK ? DONE : REFUSED);
}

/* Runs the work once in a process of its own; its wait status, and what it wrote. */
static int run(Err (*work)(void *arg), void *arg, u64 n, char text[TEXT_MAX])
{
    FILE *said = tmpfile();
    int status = 0;
    assert_non_null(said);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fileno(said), STDERR_FILENO);
        dup2(fileno(said), STDOUT_FILENO);
        child(work, arg, n);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    rewind(said);
    size_t size = fread(text, 1, TEXT_MAX - 1, said);
    text[size] = 0;
    fclose(said);
    return status;
}

/* Every n until the work is spared. */
static void sweep(const char *name, Err (*work)(void *arg), void *arg, u64 step, StarveCount *count)
{
    char text[TEXT_MAX];
    for (u64 n = 0; n < POINT_MAX; n += step) {
        int status = run(work, arg, n, text);
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        if (code == SPARED) return;
        bool gone = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
                    strstr(text, "memory is gone") != NULL;
        if (!gone && code != DONE && code != REFUSED)
            fail_msg("%s, allocation %llu%s: wait status %x\n%s", name, (unsigned long long)n,
                     for_ever ? " and all behind it" : "", (unsigned)status, text);
        count->points++;
        count->refused += code == REFUSED;
        count->gone += gone;
    }
    fail_msg("%s: more than %d allocations", name, POINT_MAX);
}

StarveCount starve_each(const char *name, Err (*work)(void *arg), void *arg, u64 step)
{
    StarveCount count = {0};
    for_ever = false;
    sweep(name, work, arg, step, &count);
    for_ever = true;
    sweep(name, work, arg, step, &count);
    print_message("# %s: %llu allocations failed, %llu were told, %llu ended the process\n", name,
                  (unsigned long long)count.points, (unsigned long long)count.refused,
                  (unsigned long long)count.gone);
    return count;
}
