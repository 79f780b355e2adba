/*
 * sieve: the mask of a block, then the selection.
 *
 * Filters run in the order of the request; when a mask is empty the rest is skipped. Masks are read
 * eight rows at a time, so that eight rows that are out cost one look.
 */
#include "query/sieve.h"

#include "query/masked.h"

bool sieve_needed(const Plan *p, const ScanPiece *piece)
{
    for (u32 i = 0; i < p->filter_count; i++) {
        if (!scan_is_done(piece, i)) return true;
    }
    return piece->time_check || piece->day_check;
}

/* Any byte set; eight zeros stand behind the mask. */
static bool any(const u8 *mask, u64 n)
{
    for (u64 i = 0; i < n; i += 8) {
        if (load_u64(mask + i) != 0) return true;
    }
    return false;
}

static Err narrow_by_time(const Plan *p, const ScanPiece *piece, u64 from, u64 n, u8 *mask)
{
    const ScanColumn *c = &piece->cols[p->time_slot];
    Err err = scan_need(c, from, n);
    if (err != E_OK) return err;
    const i64 *times = (const i64 *)c->data + scan_base(c, from);
    if (piece->time_check) expr_narrow_times(times, n, piece->time_from, piece->time_to - 1, mask);
    if (piece->day_check)
        expr_narrow_days(times, n, p->request->slice_from, p->request->slice_to, mask);
    scan_done(c, from, n);
    return E_OK;
}

Err sieve_mask(const Plan *p, const ScanPiece *piece, u64 from, u64 n, u8 *mask, u64 *count)
{
    ASSERT(n <= SCAN_BLOCK);
    memset(mask, 1, n);
    memset(mask + n, 0, 8);
    *count = 0;
    if (piece->time_check || piece->day_check) {
        Err err = narrow_by_time(p, piece, from, n, mask);
        if (err != E_OK) return err;
    }
    for (u32 i = 0; i < p->filter_count; i++) {
        if (scan_is_done(piece, i)) continue;
        if (!any(mask, n)) return E_OK;
        Err err = expr_narrow(&p->filters[i], piece, p->names, from, n, mask);
        if (err != E_OK) return err;
    }
    *count = masked_count(mask, n);
    return E_OK;
}

void sieve_select(const u8 *mask, u64 n, u16 *sel)
{
    u64 kept = 0;
    for (u64 at = 0; at < n; at += 8) {
        if (load_u64(mask + at) == 0) continue;
        for (u64 i = at; i < at + 8; i++) {
            sel[kept] = (u16)i;
            kept += mask[i];
        }
    }
}

Err sieve_block(const Plan *p, const ScanPiece *piece, u64 from, u64 n, u16 *sel, u64 *count)
{
    u8 mask[SCAN_BLOCK + 8];
    Err err = sieve_mask(p, piece, from, n, mask, count);
    if (err == E_OK && *count > 0) sieve_select(mask, n, sel);
    return err;
}
