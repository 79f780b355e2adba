/*
 * space: address space without a file behind it, whose pages come when they are first written and
 * can be given back one by one.
 */
#ifndef OS_SPACE_H
#define OS_SPACE_H

#include "base/fail.h"
#include "base/types.h"

/* Reserves `size` > 0 bytes, readable as zeros and writable, at a page; E_MEMORY when there is no
 * address space left. Pages that were never written cost no memory. */
MUST_USE Err space_reserve(u64 size, u8 **out);

/* Gives the pages that lie wholly within [at, at + size) back; they read as zeros again. */
void space_drop(u8 *at, u64 size);

/* Ends a reservation of `size` bytes; NULL is allowed. */
void space_free(u8 *at, u64 size);

/* Bytes of a page. */
u64 space_page(void);

#endif
