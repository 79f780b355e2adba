/*
 * space: anonymous private mappings, reserved without being counted against the machine's memory,
 * as a reservation may be much larger than what is ever written of it.
 *
 * No state of its own: every call is safe from any thread, on ranges that no other thread uses.
 */
#include "os/space.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

u64 space_page(void) { return (u64)sysconf(_SC_PAGESIZE); }

Err space_reserve(u64 size, u8 **out)
{
    ASSERT(size > 0);
    *out = NULL;
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1, 0);
    if (at == MAP_FAILED)
        return errno == ENOMEM
                   ? fail(E_MEMORY, "no address space for %llu bytes", (unsigned long long)size)
                   : fail_errno(errno, "reserving %llu bytes", (unsigned long long)size);
    *out = at;
    return E_OK;
}

void space_drop(u8 *at, u64 size)
{
    u64 page = space_page(), lost = (uintptr_t)at % page;
    u64 skip = lost == 0 ? 0 : page - lost;
    if (size <= skip) return;
    size = (size - skip) & ~(page - 1);
    /* Advice that the kernel does not take costs memory, not correctness. */
    if (size > 0) (void)madvise(at + skip, size, MADV_DONTNEED);
}

void space_free(u8 *at, u64 size)
{
    if (at != NULL) (void)munmap(at, size);
}
