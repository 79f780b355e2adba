/*
 * column_watch: which attribute the elements of a column that is being written allow, and the index
 * payload that the attribute needs. Private to column/.
 *
 * Owned by a ColumnOut; one thread at a time. Memory: one entry a run of a parted column, eight
 * bytes a row of a grouped one.
 */
#ifndef COLUMN_COLUMN_WATCH_H
#define COLUMN_COLUMN_WATCH_H

#include "base/buf.h"
#include "base/fail.h"

typedef struct {
    int type;
    int wanted; /* attribute asked for */
    int attr;   /* attribute that the rows so far allow */
    u64 width;  /* bytes of an element as it is appended */
    u64 rows, rows_hint;
    u8 last[16]; /* the element before, when rows > 0 */
    i64 *keys;   /* runs: their values, and where they begin (offs has one entry more) */
    i64 *offs;
    u64 run_count, run_room;
    u64 *seen; /* one bit a domain index that had a run */
    u64 seen_words;
    bool null_seen;
    i64 *held; /* grouped: all indices */
    u64 held_room;
    const i32 *ids; /* names of indices, borrowed: symbol ids; NULL = not known */
    i32 id_count;
    i32 last_id; /* sorted enumeration: the symbol before */
} ColumnWatch;

/* Starts for a column of a type, with the attribute to end with. */
void column_watch_init(ColumnWatch *w, int type, int wanted, u64 width, u64 rows_hint);

/* Looks at the next elements, enumerations as i64 indices, and counts them. `ordered`: their order
 * was looked at by column_watch_symbols. */
MUST_USE Err column_watch_rows(ColumnWatch *w, const u8 *piece, u64 count, bool ordered);

/* Looks at the order of symbols ids[perm[0..count)] (perm NULL = in order), before the rows. */
void column_watch_symbols(ColumnWatch *w, const i32 *ids, const u32 *perm, u64 count);

/* Appends the payload of a parted or grouped column, with 32-bit indices when `old`. Ends the
 * watching. */
MUST_USE Err column_watch_payload(ColumnWatch *w, bool old, Buf *b);

/* Stops watching: the column gets no attribute. Frees; idempotent. */
void column_watch_end(ColumnWatch *w);

#endif
