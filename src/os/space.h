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

/* Makes fresh pages for [at, at + size), whole pages, in one go, which costs less than to meet them
 * one by one. */
void space_fill(u8 *at, u64 size);

/* Reserves a range of whole pages anew, so that the kernel can join it with its neighbours; what
 * stood there is gone. */
void space_renew(u8 *at, u64 size);

/* Moves the pages of [from, from + size), whole pages, to `to`, which gives its own up; `from` then
 * reads as zeros. False when the kernel cannot: nothing has changed then. Costs less than fresh
 * pages, which must be cleared. */
bool space_move(u8 *from, u8 *to, u64 size);

/* Moves pages to a reservation of their own of `size` bytes; NULL when the kernel cannot. */
u8 *space_take(u8 *from, u64 size);

/* Moves the pages of a reservation to `to` and ends it; false when the kernel cannot. */
bool space_give(u8 *from, u8 *to, u64 size);

/* Ends a reservation of `size` bytes; NULL is allowed. */
void space_free(u8 *at, u64 size);

/* Bytes of a page. */
u64 space_page(void);

#endif
