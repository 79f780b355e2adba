/*
 * pick: runs of rows.
 *
 * First the rows are found, by every thread for its share; then the result is allocated in one
 * piece; then its columns are copied. So nothing grows, and what is too large is known before it is
 * copied. A range in which nothing must be looked at is one run; otherwise row numbers are listed
 * (a row number fits 32 bits), but a block that passes as a whole continues or begins a run.
 */
#include "query/pick.h"

#include "base/bounds.h"
#include "query/sieve.h"

#include <stdlib.h>

#define CHECK_ROWS (1u << 20) /* rows between two looks at the clock */

void pick_init(Pick *k, const Plan *p, u64 wanted) { *k = (Pick){.plan = p, .wanted = wanted}; }

void pick_free(Pick *k)
{
    free(k->runs);
    free(k->rows);
    *k = (Pick){0};
}

static Err add_run(Pick *k, const ScanPiece *piece, u64 from, u64 count, u64 listed)
{
    PickRun *last = k->run_count > 0 ? &k->runs[k->run_count - 1] : NULL;
    k->total += count;
    if (last != NULL && last->piece == piece) {
        bool follows = listed == 0 && last->listed == 0 && last->from + last->count == from;
        bool continues = listed > 0 && last->listed > 0;
        if (follows || continues) {
            last->count += count;
            return E_OK;
        }
    }
    if (k->run_count == k->run_room) {
        u64 room = MAX(k->run_room * 2, 16);
        PickRun *runs = realloc(k->runs, room * sizeof *runs);
        if (runs == NULL) return fail(E_MEMORY, "no memory for the rows of a query");
        k->runs = runs;
        k->run_room = room;
    }
    ASSERT(k->runs != NULL);
    k->runs[k->run_count++] = (PickRun){piece, from, count, listed};
    return E_OK;
}

Err pick_row(Pick *k, const ScanPiece *piece, u64 row) { return add_run(k, piece, row, 1, 0); }

static Err add_rows(Pick *k, const ScanPiece *piece, u64 from, const u16 *sel, u64 count)
{
    if (k->row_count + count > k->row_room) {
        u64 room = MAX(k->row_room * 2, k->row_count + count + SCAN_BLOCK);
        if (room * sizeof(u32) > 2 * BOUND_RESULT_MAX)
            return fail(E_LIMIT, "the result has more than %llu rows",
                        (unsigned long long)k->total);
        u32 *rows = realloc(k->rows, room * sizeof *rows);
        if (rows == NULL) return fail(E_MEMORY, "no memory for the rows of a query");
        k->rows = rows;
        k->row_room = room;
    }
    u64 listed = k->row_count + 1;
    for (u64 i = 0; i < count; i++)
        k->rows[k->row_count++] = (u32)(from + sel[i]);
    return add_run(k, piece, from, count, listed);
}

static Err pick_range(Pick *k, const ScanPiece *piece, bool sieve, u64 from, u64 to)
{
    Err err = E_OK;
    u16 sel[SCAN_BLOCK + 8];
    k->unchecked += to - from;
    if (!sieve) return add_run(k, piece, from, to - from, 0);
    for (; from < to && k->total < k->wanted; from += SCAN_BLOCK) {
        u64 n = MIN(to - from, SCAN_BLOCK), count;
        TRY(sieve_block(k->plan, piece, from, n, sel, &count));
        if (count == n) {
            TRY(add_run(k, piece, from, n, 0));
        } else if (count > 0) {
            TRY(add_rows(k, piece, from, sel, count));
        }
        if ((to - from) % CHECK_ROWS < SCAN_BLOCK) TRY(plan_in_time(k->plan));
    }
done:
    return err;
}

Err pick_piece(Pick *k, const ScanPiece *piece, u64 skip, u64 rows)
{
    Err err = E_OK;
    bool sieve = sieve_needed(k->plan, piece);
    for (u64 i = 0; i < piece->range_count && rows > 0 && k->total < k->wanted; i++) {
        u64 from = piece->ranges[i].from, to = piece->ranges[i].to;
        u64 skipped = MIN(skip, to - from);
        skip -= skipped;
        from += skipped;
        to = MIN(to, from + rows);
        rows -= to - from;
        if (from < to) TRY(pick_range(k, piece, sieve, from, to));
        if (k->unchecked < CHECK_ROWS) continue;
        k->unchecked = 0;
        TRY(plan_in_time(k->plan));
    }
done:
    return err;
}

/* ---- copying */

/* Walks the runs behind k->skip, and no further than k->total rows in all. */
typedef struct {
    const Pick *pick;
    u64 at, skip, left;
} Walk;

static Walk walk_of(const Pick *k) { return (Walk){k, 0, k->skip, k->total - k->skip}; }

static bool next(Walk *w, PickRun *run)
{
    while (w->left > 0 && w->at < w->pick->run_count) {
        *run = w->pick->runs[w->at++];
        u64 skip = MIN(w->skip, run->count);
        w->skip -= skip;
        run->count = MIN(run->count - skip, w->left);
        if (run->listed > 0) {
            run->listed += skip;
        } else {
            run->from += skip;
        }
        w->left -= run->count;
        if (run->count > 0) return true;
    }
    return false;
}

static void gather(const void *data, u32 width, const u32 *rows, u64 n, u8 *out)
{
    const u64 *eights = data;
    const u32 *fours = data;
    const u16 *twos = data;
    const u8 *ones = data;
    switch (width) {
    case 8:
        for (u64 i = 0; i < n; i++)
            ((u64 *)(void *)out)[i] = eights[rows[i]];
        break;
    case 4:
        for (u64 i = 0; i < n; i++)
            ((u32 *)(void *)out)[i] = fours[rows[i]];
        break;
    case 2:
        for (u64 i = 0; i < n; i++)
            ((u16 *)(void *)out)[i] = twos[rows[i]];
        break;
    case 1:
        for (u64 i = 0; i < n; i++)
            out[i] = ones[rows[i]];
        break;
    default:
        for (u64 i = 0; i < n; i++)
            memcpy(out + i * width, ones + (u64)rows[i] * width, width);
        break;
    }
}

/* Symbols of a part, as ids. */
static Err copy_ids(const Pick *k, const PickRun *run, const ScanColumn *c, i32 *out)
{
    const i32 *ids;
    if (run->listed == 0)
        return scan_ids(run->piece, c, k->plan->names, run->from, run->count, out, &ids);
    const u32 *rows = k->rows + run->listed - 1;
    for (u64 i = 0; i < run->count; i++) {
        i64 index = column_index(&c->opened->column, rows[i]);
        out[i] = names_id(scan_names(c, k->plan->names), index);
        if (out[i] < 0) return scan_ids(run->piece, c, k->plan->names, rows[i], 1, out + i, &ids);
    }
    return E_OK;
}

Err pick_copy(const Pick *k, u32 slot, void *out)
{
    Walk w = walk_of(k);
    PickRun run;
    u8 *p = out;
    while (next(&w, &run)) {
        const ScanColumn *c = &run.piece->cols[slot];
        if (run.piece->ids_slot == (i32)slot && run.piece->range_count == 1) {
            i32 *ids = (i32 *)(void *)p;
            for (u64 i = 0; i < run.count; i++)
                ids[i] = run.piece->ids[0];
        } else if (c->form == SCAN_WIDE || c->form == SCAN_NARROW) {
            Err err = copy_ids(k, &run, c, (i32 *)(void *)p);
            if (err != E_OK) return err;
        } else if (c->form == SCAN_CONST) {
            for (u64 i = 0; i < run.count; i++)
                memcpy(p + i * c->width, c->data, c->width);
        } else if (run.listed > 0) {
            gather(c->data, c->width, k->rows + run.listed - 1, run.count, p);
        } else {
            memcpy(p, (const u8 *)c->data + run.from * c->width, run.count * c->width);
        }
        p += run.count * c->width;
    }
    return E_OK;
}

Err pick_offsets(const Pick *k, u32 slot, u64 *offs)
{
    Walk w = walk_of(k);
    PickRun run;
    while (next(&w, &run)) {
        for (u64 i = 0; i < run.count; i++, offs++) {
            u64 row = run.listed > 0 ? k->rows[run.listed - 1 + i] : run.from + i, count;
            const void *elements;
            Err err = scan_row(&run.piece->cols[slot], row, &elements, &count);
            if (err != E_OK) return err;
            if (__builtin_add_overflow(offs[0], count, &offs[1]))
                return fail(E_LIMIT, "the result's lists are too long");
        }
    }
    return E_OK;
}

Err pick_elements(const Pick *k, u32 slot, void *out)
{
    Walk w = walk_of(k);
    PickRun run;
    u8 *p = out;
    while (next(&w, &run)) {
        const ScanColumn *c = &run.piece->cols[slot];
        u32 width = type_width(c->type - QT_NESTED);
        for (u64 i = 0; i < run.count; i++) {
            u64 row = run.listed > 0 ? k->rows[run.listed - 1 + i] : run.from + i, count;
            const void *elements;
            Err err = scan_row(c, row, &elements, &count);
            if (err != E_OK) return err;
            if (count > 0) memcpy(p, elements, count * width);
            p += count * width;
        }
    }
    return E_OK;
}
