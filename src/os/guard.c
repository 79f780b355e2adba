/*
 * guard: a list of mappings that a signal handler can read, and the handler.
 *
 * Slots stand in chunks that are made when needed and never freed; slot numbers begin with 1.
 * Adding and removing take a lock; the handler takes none: it walks the chunks and compares
 * addresses, all of them atomic. A slot is filled end first and emptied start first, so that the
 * handler never sees a range that was not one.
 *
 * The handler marks first and maps zeros then: whoever can read a zero can see the mark. It
 * replaces everything from the faulting page to the end of the mapping, as a file that was cut
 * would fault on each page of it. A SIGBUS anywhere else ends the process as ever.
 */
#include "os/guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARD_CHUNK  1024
#define GUARD_CHUNKS 1024

typedef struct {
    _Atomic uintptr_t start, end; /* start 0 = empty */
    _Atomic bool lost;
} Slot;

static _Atomic(Slot *) chunks[GUARD_CHUNKS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static u32 *spare; /* numbers that were given back; room for all there are */
static u32 spare_count, made;
static _Atomic u64 losses;
static uintptr_t page_size;

static Slot *slot_at(u32 number)
{
    Slot *chunk = atomic_load(&chunks[(number - 1) / GUARD_CHUNK]);
    return &chunk[(number - 1) % GUARD_CHUNK];
}

/* Makes one more chunk and room for its numbers; false when there is no memory. */
static bool grow(void)
{
    u32 at = made / GUARD_CHUNK;
    if (at == GUARD_CHUNKS) return false;
    u32 *more = realloc(spare, (made + GUARD_CHUNK) * sizeof *spare);
    if (more == NULL) return false;
    spare = more;
    Slot *chunk = calloc(GUARD_CHUNK, sizeof *chunk);
    if (chunk == NULL) return false;
    atomic_store(&chunks[at], chunk);
    for (u32 i = GUARD_CHUNK; i > 0; i--)
        spare[spare_count++] = made + i;
    made += GUARD_CHUNK;
    return true;
}

u32 guard_add(const void *data, u64 size)
{
    u32 number = 0;
    pthread_mutex_lock(&lock);
    if (spare_count > 0 || grow()) number = spare[--spare_count];
    pthread_mutex_unlock(&lock);
    if (number == 0) return 0;
    Slot *s = slot_at(number);
    atomic_store(&s->lost, false);
    atomic_store(&s->end, (uintptr_t)data + size);
    atomic_store(&s->start, (uintptr_t)data);
    return number;
}

void guard_remove(u32 number)
{
    if (number == 0) return;
    Slot *s = slot_at(number);
    atomic_store(&s->start, 0);
    atomic_store(&s->end, 0);
    pthread_mutex_lock(&lock);
    spare[spare_count++] = number;
    pthread_mutex_unlock(&lock);
}

bool guard_is_lost(u32 number) { return number != 0 && atomic_load(&slot_at(number)->lost); }

u64 guard_lost(void) { return atomic_load_explicit(&losses, memory_order_acquire); }

/* The slot of the mapping that holds an address, or NULL. Called by the handler. */
static Slot *find(uintptr_t at)
{
    for (u32 c = 0; c < GUARD_CHUNKS; c++) {
        Slot *chunk = atomic_load(&chunks[c]);
        if (chunk == NULL) return NULL;
        for (u32 i = 0; i < GUARD_CHUNK; i++) {
            uintptr_t start = atomic_load(&chunk[i].start);
            if (start != 0 && at >= start && at < atomic_load(&chunk[i].end)) return &chunk[i];
        }
    }
    return NULL;
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
    int saved = errno;
    uintptr_t at = (uintptr_t)info->si_addr;
    Slot *s = find(at);
    (void)context;
    if (s != NULL) {
        uintptr_t from = at & ~(page_size - 1), end = atomic_load(&s->end);
        if (!atomic_exchange(&s->lost, true)) atomic_fetch_add(&losses, 1);
        void *zeros = mmap((void *)from, end - from, PROT_READ,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (zeros == MAP_FAILED) s = NULL;
    }
    /* Nobody's mapping: the read is tried again and ends the process. */
    if (s == NULL) (void)signal(signo, SIG_DFL);
    errno = saved;
}

Err guard_start(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_RESTART};
    page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, NULL) != 0) return fail_errno(errno, "sigaction");
    return E_OK;
}
