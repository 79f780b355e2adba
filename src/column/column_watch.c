/*
 * column_watch: looking at elements on their way to a file.
 *
 *     wanted              watched                                    ends as
 *     SORTED, plain       each element against the one before        SORTED or NONE
 *     PARTED, plain       the same                                   SORTED or NONE
 *     SORTED, enum        names, at each change of value             SORTED or NONE
 *     PARTED, enum        runs; a value that comes back ends it      PARTED or NONE
 *     UNIQUE, enum        the same, and each run has one row         PARTED or NONE
 *     GROUPED, enum       indices are kept                           GROUPED or NONE
 *
 * `attr` holds what the file may still carry; it only ever falls to NONE, and watching ends when it
 * does. Order of guids is not watched: how kdb+ orders them is not documented, and a column without
 * attribute is always correct. Values that come back are found with one bit a domain index (indices
 * are dense).
 */
#include "column/column_watch.h"

#include "base/bounds.h"
#include "column/attr.h"
#include "q/symbol.h"
#include "q/type.h"

#include <stdlib.h>

#define GROUPED_MAX (1ull << 27)

/* What may come of a wish, before any row is known. */
static int first_attr(int type, int wanted)
{
    if (type == QT_LIST || type > QT_NESTED) return ATTR_NONE;
    if (type == QT_ENUM) return wanted;
    bool ascending = wanted == ATTR_SORTED || wanted == ATTR_PARTED;
    return ascending && type != QT_GUID ? ATTR_SORTED : ATTR_NONE;
}

void column_watch_init(ColumnWatch *w, int type, int wanted, u64 width, u64 rows_hint)
{
    *w = (ColumnWatch){.type = type,
                       .wanted = wanted,
                       .attr = first_attr(type, wanted),
                       .width = width,
                       .rows_hint = rows_hint};
}

static bool watches_runs(const ColumnWatch *w)
{
    return w->type == QT_ENUM && (w->attr == ATTR_PARTED || w->attr == ATTR_UNIQUE);
}

void column_watch_end(ColumnWatch *w)
{
    w->attr = ATTR_NONE;
    free(w->keys);
    free(w->offs);
    free(w->seen);
    free(w->held);
    w->keys = w->offs = w->held = NULL;
    w->seen = NULL;
    w->run_count = w->run_room = w->seen_words = w->held_room = 0;
}

static Err no_memory(void) { return fail(E_MEMORY, "no memory for the index of a column"); }

/* Marks an index as met; *again tells whether it was. */
static Err mark_seen(ColumnWatch *w, i64 index, bool *again)
{
    if (index < 0) {
        *again = w->null_seen || index != Q_NULL_LONG;
        w->null_seen = true;
        return E_OK;
    }
    u64 word = (u64)index / 64, bit = 1ull << ((u64)index % 64);
    if ((u64)index >= BOUND_SYMBOLS_MAX) {
        *again = true; /* no index of a domain: such a column gets no attribute */
        return E_OK;
    }
    if (word >= w->seen_words) {
        u64 words = MAX(MAX(word + 1, w->seen_words * 2), 64);
        u64 *seen = realloc(w->seen, words * sizeof *seen);
        if (seen == NULL) return no_memory();
        memset(seen + w->seen_words, 0, (words - w->seen_words) * sizeof *seen);
        w->seen = seen;
        w->seen_words = words;
    }
    *again = (w->seen[word] & bit) != 0;
    w->seen[word] |= bit;
    return E_OK;
}

/* Begins a run at `row`. */
static Err begin_run(ColumnWatch *w, i64 index, u64 row)
{
    if (w->run_count == w->run_room) {
        u64 room = MAX(w->run_room * 2, 64);
        i64 *keys = realloc(w->keys, room * sizeof *keys);
        if (keys == NULL) return no_memory();
        w->keys = keys;
        i64 *offs = realloc(w->offs, (room + 1) * sizeof *offs);
        if (offs == NULL) return no_memory();
        w->offs = offs;
        w->run_room = room;
    }
    w->keys[w->run_count] = index;
    w->offs[w->run_count++] = (i64)row;
    return E_OK;
}

static Err watch_runs(ColumnWatch *w, const u8 *piece, u64 count)
{
    i64 last = load_i64(w->last);
    u64 i = 0;
    if (w->rows == 0 && count > 0) last = ~load_i64(piece);
    while (i < count) {
        i64 index = load_i64(piece + i * 8);
        if (index != last) {
            bool again = false;
            Err err = mark_seen(w, index, &again);
            if (err == E_OK && !again) err = begin_run(w, index, w->rows + i);
            if (err != E_OK) return err;
            if (again) {
                column_watch_end(w);
                return E_OK;
            }
            last = index;
        } else if (w->wanted == ATTR_UNIQUE) {
            column_watch_end(w);
            return E_OK;
        }
        i++;
    }
    return E_OK;
}

static Err hold(ColumnWatch *w, const u8 *piece, u64 count)
{
    u64 need = w->rows + count;
    if (need > GROUPED_MAX) {
        column_watch_end(w);
        return E_OK;
    }
    if (need > w->held_room) {
        u64 room = MAX(MAX(need, w->held_room * 2), w->rows_hint < GROUPED_MAX ? w->rows_hint : 0);
        i64 *held = realloc(w->held, room * sizeof *held);
        if (held == NULL) return no_memory();
        w->held = held;
        w->held_room = room;
    }
    memcpy(w->held + w->rows, piece, count * 8);
    return E_OK;
}

static bool names_ascend(i32 a, i32 b)
{
    return a == b || str_cmp(symbol_text(a), symbol_text(b)) <= 0;
}

/* Sorted enumeration, rows as indices: by the names, when they are known. */
static bool indices_ascend(ColumnWatch *w, const u8 *piece, u64 count)
{
    for (u64 i = 0; i < count; i++) {
        i64 index = load_i64(piece + i * 8);
        i32 id = 0;
        if (index != Q_NULL_LONG) {
            if (index < 0 || index >= w->id_count) return false;
            id = w->ids[index];
        }
        if ((w->rows > 0 || i > 0) && !names_ascend(w->last_id, id)) return false;
        w->last_id = id;
    }
    return true;
}

/* Sorted enumeration, rows as symbol ids. */
static bool symbols_ascend(ColumnWatch *w, const i32 *ids, const u32 *perm, u64 count)
{
    for (u64 i = 0; i < count; i++) {
        i32 id = ids[perm != NULL ? perm[i] : i];
        if ((w->rows > 0 || i > 0) && !names_ascend(w->last_id, id)) return false;
        w->last_id = id;
    }
    return true;
}

Err column_watch_rows(ColumnWatch *w, const u8 *piece, u64 count, bool ordered)
{
    Err err = E_OK;
    if (count == 0) return E_OK;
    if (w->attr == ATTR_SORTED && !ordered) {
        bool good = w->type == QT_ENUM
                        ? indices_ascend(w, piece, count)
                        : attr_ascends(w->type, piece, count, w->rows == 0 ? NULL : w->last);
        if (!good) column_watch_end(w);
    }
    if (watches_runs(w)) err = watch_runs(w, piece, count);
    if (w->type == QT_ENUM && w->attr == ATTR_GROUPED) err = hold(w, piece, count);
    if (err != E_OK) return err;
    memcpy(w->last, piece + (count - 1) * w->width, w->width);
    w->rows += count;
    return E_OK;
}

void column_watch_symbols(ColumnWatch *w, const i32 *ids, const u32 *perm, u64 count)
{
    if (w->attr == ATTR_SORTED && !symbols_ascend(w, ids, perm, count)) column_watch_end(w);
}

/* ---- the payload */

/* The keys of an old enumeration in its width, in place. */
static void narrow_keys(ColumnWatch *w)
{
    u8 *narrow = (u8 *)w->keys;
    for (u64 i = 0; i < w->run_count; i++) {
        i64 key = w->keys[i];
        store_u32(narrow + 4 * i, key == Q_NULL_LONG ? (u32)Q_NULL_INT : (u32)key);
    }
}

static Err build_grouped(ColumnWatch *w, bool old, Buf *b)
{
    u8 *narrow = (u8 *)w->held;
    for (u64 i = 0; old && i < w->rows; i++) {
        i64 index = w->held[i];
        store_u32(narrow + 4 * i, index == Q_NULL_LONG ? (u32)Q_NULL_INT : (u32)index);
    }
    return attr_build_grouped(b, w->held, w->rows, !old);
}

Err column_watch_payload(ColumnWatch *w, bool old, Buf *b)
{
    i64 none = 0;
    if (w->attr == ATTR_GROUPED) return build_grouped(w, old, b);
    if (w->run_count == 0) return attr_build_parted(b, NULL, &none, 0, !old);
    if (old) narrow_keys(w);
    w->offs[w->run_count] = (i64)w->rows;
    return attr_build_parted(b, w->keys, w->offs, w->run_count, !old);
}
