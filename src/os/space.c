/*
 * space: anonymous private mappings, reserved without being counted against the machine's memory,
 * as a reservation may be much larger than what is ever written of it.
 *
 * Pages are moved by mremap, which turns over page tables and touches no byte. What is left behind
 * stays reserved (MREMAP_DONTUNMAP), so that nobody else's mapping can come there, and is mapped
 * afresh, so that the kernel can join it with its neighbours: mappings of a process are limited in
 * number.
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

void space_fill(u8 *at, u64 size)
{
#ifdef MADV_POPULATE_WRITE
    (void)madvise(at, size, MADV_POPULATE_WRITE); /* without it, pages come when written */
#else
    (void)at;
    (void)size;
#endif
}

void space_renew(u8 *at, u64 size)
{
    (void)mmap(at, size, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

bool space_move(u8 *from, u8 *to, u64 size)
{
    int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    if (mremap(from, size, size, flags, to) == MAP_FAILED) return false;
    space_renew(from, size);
    return true;
}

u8 *space_take(u8 *from, u64 size)
{
    void *to = mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    if (to == MAP_FAILED) return NULL;
    space_renew(from, size);
    return to;
}

bool space_give(u8 *from, u8 *to, u64 size)
{
    return mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED;
}

void space_free(u8 *at, u64 size)
{
    if (at != NULL) (void)munmap(at, size);
}
