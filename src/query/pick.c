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
#define NEED_ROWS  8192       /* rows of a compressed column that are read at once */

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

/* Walks the runs behind k->skip, and no further than k->total rows in all. Of a compressed column
 * it gives pieces of runs, which are readable until the next step or walk_end. */
typedef struct {
    const Pick *pick;
    u32 slot;
    u64 at, skip, left; /* a run, its rows that are behind the walk, rows to come */
    const ScanColumn *held;
    u64 from, count; /* rows of it that are readable */
} Walk;

static Walk walk_of(const Pick *k, u32 slot)
{
    return (Walk){.pick = k, .slot = slot, .skip = k->skip, .left = k->total - k->skip};
}

static void walk_end(Walk *w)
{
    if (w->held != NULL) scan_done(w->held, w->from, w->count);
    w->held = NULL;
}

/* Whether every row has the symbol of the piece's one range, so that the column is not read. */
static bool is_one_symbol(const ScanPiece *piece, u32 slot)
{
    return piece->ids_slot == (i32)slot && piece->range_count == 1;
}

/* Cuts a run to neighbouring rows and makes them readable. */
static Err hold(Walk *w, const ScanColumn *c, PickRun *run)
{
    u64 count = 1, most = MIN(run->count, NEED_ROWS), from = run->from;
    if (run->listed > 0) {
        const u32 *rows = w->pick->rows + run->listed - 1;
        from = rows[0];
        while (count < most && rows[count] > rows[count - 1] && rows[count] - from < NEED_ROWS)
            count++;
        w->count = rows[count - 1] + 1 - from;
    } else {
        count = most;
        w->count = most;
    }
    run->count = count;
    w->from = from;
    Err err = scan_need(c, from, w->count);
    if (err == E_OK) w->held = c;
    return err;
}

/* The next rows; *some = false behind the last. */
static Err next(Walk *w, PickRun *run, bool *some)
{
    Err err = E_OK;
    walk_end(w);
    *some = false;
    while (w->left > 0 && w->at < w->pick->run_count) {
        *run = w->pick->runs[w->at];
        if (w->skip >= run->count) {
            w->skip -= run->count;
            w->at++;
            continue;
        }
        run->count = MIN(run->count - w->skip, w->left);
        if (run->listed > 0) {
            run->listed += w->skip;
        } else {
            run->from += w->skip;
        }
        const ScanColumn *c = &run->piece->cols[w->slot];
        if (c->zipped != NULL && !is_one_symbol(run->piece, w->slot)) err = hold(w, c, run);
        w->skip += run->count;
        w->left -= run->count;
        *some = err == E_OK;
        return err;
    }
    return E_OK;
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

static Err copy_run(const Pick *k, const PickRun *run, u32 slot, u8 *out)
{
    const ScanColumn *c = &run->piece->cols[slot];
    if (is_one_symbol(run->piece, slot)) {
        i32 *ids = (i32 *)(void *)out;
        for (u64 i = 0; i < run->count; i++)
            ids[i] = run->piece->ids[0];
    } else if (c->form == SCAN_WIDE || c->form == SCAN_NARROW) {
        return copy_ids(k, run, c, (i32 *)(void *)out);
    } else if (c->form == SCAN_CONST) {
        for (u64 i = 0; i < run->count; i++)
            memcpy(out + i * c->width, c->data, c->width);
    } else if (run->listed > 0) {
        gather(c->data, c->width, k->rows + run->listed - 1, run->count, out);
    } else {
        memcpy(out, (const u8 *)c->data + run->from * c->width, run->count * c->width);
    }
    return E_OK;
}

Err pick_copy(const Pick *k, u32 slot, void *out)
{
    Err err = E_OK;
    Walk w = walk_of(k, slot);
    PickRun run;
    bool some;
    u8 *p = out;
    for (;;) {
        TRY(next(&w, &run, &some));
        if (!some) break;
        TRY(copy_run(k, &run, slot, p));
        p += run.count * run.piece->cols[slot].width;
    }
done:
    walk_end(&w);
    return err;
}

/* The elements of row `i` of a run. */
static Err row_of(const Pick *k, const PickRun *run, u32 slot, u64 i, const void **elements,
                  u64 *count)
{
    u64 row = run->listed > 0 ? k->rows[run->listed - 1 + i] : run->from + i;
    return scan_row(&run->piece->cols[slot], row, elements, count);
}

Err pick_offsets(const Pick *k, u32 slot, u64 *offs)
{
    Err err = E_OK;
    Walk w = walk_of(k, slot);
    PickRun run;
    bool some;
    for (;;) {
        TRY(next(&w, &run, &some));
        if (!some) break;
        for (u64 i = 0; i < run.count; i++, offs++) {
            const void *elements;
            u64 count;
            TRY(row_of(k, &run, slot, i, &elements, &count));
            if (__builtin_add_overflow(offs[0], count, &offs[1]))
                TRY(fail(E_LIMIT, "the result's lists are too long"));
        }
    }
done:
    walk_end(&w);
    return err;
}

Err pick_elements(const Pick *k, u32 slot, void *out)
{
    Err err = E_OK;
    Walk w = walk_of(k, slot);
    PickRun run;
    bool some;
    u8 *p = out;
    for (;;) {
        TRY(next(&w, &run, &some));
        if (!some) break;
        u32 width = type_nested_width(run.piece->cols[slot].type);
        for (u64 i = 0; i < run.count; i++) {
            const void *elements;
            u64 count;
            TRY(row_of(k, &run, slot, i, &elements, &count));
            if (count > 0) memcpy(p, elements, count * width);
            p += count * width;
        }
    }
done:
    walk_end(&w);
    return err;
}

Err pick_lists(const Pick *k, u32 slot, u64 bytes_max, Vec *out)
{
    Err err = E_OK;
    Walk w = walk_of(k, slot);
    PickRun run;
    bool some;
    u64 width = type_nested_width(out->type);
    for (;;) {
        TRY(next(&w, &run, &some));
        if (!some) break;
        for (u64 i = 0; i < run.count; i++) {
            u64 row = run.listed > 0 ? k->rows[run.listed - 1 + i] : run.from + i;
            TRY(scan_append(&run.piece->cols[slot], k->plan->names, row, out));
            if (out->offs[out->count] * width > bytes_max)
                TRY(fail(E_LIMIT, "the result's lists are too long"));
            if (i % SCAN_BLOCK == 0) TRY(plan_in_time(k->plan));
        }
    }
done:
    walk_end(&w);
    return err;
}
