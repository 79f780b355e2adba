/*
 * column: one column file of a splayed table, as kdb+ lays it out: open (mapped), create, append.
 *
 * Formats (kdb-files.md): plain vectors `fe 20` (2.1), 64-bit enumerations `fd 20` (4.2), 32-bit
 * ones (4.1, read only), strings and other lists of equal-typed vectors as anymap (6.2, with its
 * companion `name#`), the empty string column `ff 01 00 00 00 00 00 00`. The row count of attribute
 * 0 and 1 comes from the file size, never from the header (2.3); of 2, 3, 4 from the header, which
 * is then checked against the size.
 *
 * An open Column borrows from its mapping: pointers are good until column_close. Opening checks
 * header, size and payload bounds, so that reading rows [0, rows) and the runs needs no further
 * checks.
 */
#ifndef COLUMN_COLUMN_H
#define COLUMN_COLUMN_H

#include "base/arena.h"
#include "os/file.h"
#include "q/vec.h"

typedef struct {
    int type;  /* 1..19, QT_ENUM, QT_NESTED + t, QT_LIST (empty, untyped), QT_NESTED (a list column
                  whose first vector has no fixed type: column_row refuses its rows) */
    u8 attr;   /* Attr as the header says */
    bool wide; /* QT_ENUM: elements are i64 (else i32) */
    u64 rows;
    const void *data; /* elements; nested: 8-byte anymap references */
    char domain[64];  /* QT_ENUM: its domain's name */
    /* parted and grouped: the index payload (section 5); NULL without one */
    const void *keys; /* key_count distinct values, in the elements' width */
    const i64 *offs;  /* key_count + 1 row offsets (8-aligned within the file) */
    u64 key_count;
    const i64 *slots; /* hash slots of K */
    u64 slot_count;
    const i64 *perm; /* grouped: row numbers, by key */
    FileMap map, heap;
} Column;

/* Maps a column file. E_NOT_FOUND, E_CORRUPT (names file and rule), E_UNSUPPORTED (compressed, old
 * nested, ...). */
MUST_USE Err column_open(Column *c, const char *path);

/* Unmaps; idempotent. */
void column_close(Column *c);

/* Row `i` of a nested column: its elements and count. E_CORRUPT when the reference leads
 * outside. */
MUST_USE Err column_row(const Column *c, u64 i, const void **elements, u64 *count);

/* The domain index at a row of an enumeration (null = Q_NULL_LONG). */
static inline i64 column_index(const Column *c, u64 row)
{
    if (c->wide) return ((const i64 *)c->data)[row];
    i32 i = ((const i32 *)c->data)[row];
    return i == INT32_MIN ? INT64_MIN : i;
}

/* One column being written, front to back. Memory use is bounded (a buffer, and for parted columns
 * one entry a run). Durable only after the caller synced file and folder. */
typedef struct ColumnOut ColumnOut;

/* Creates `path` (and `path`# for nested types, at their first row). `attr` is the attribute to end
 * with: for enumerations NONE, SORTED (no payload), PARTED, GROUPED with the payload of section 5,
 * and UNIQUE, which has no proven form and is written as PARTED: distinct values are runs of one
 * row. For plain vectors SORTED is kept when the elements turn out ascending; PARTED and GROUPED,
 * UNIQUE on plain vectors have no proven form (section 5.1): PARTED and SORTED become SORTED when
 * the elements are ascending, else NONE. An attribute that the data does not satisfy (parted with a
 * value that comes back, unique with doubles) becomes NONE, never a lie. GROUPED keeps 8 bytes a
 * row in memory and ends as NONE beyond 2^27 rows. `rows_hint` = rows expected (0 unknown). */
MUST_USE Err column_create(ColumnOut **out, const char *path, int type, int attr, u64 rows_hint);

/* Appends elements: fixed-width types in their width; QT_ENUM as i64 domain indices. */
MUST_USE Err column_append(ColumnOut *out, const void *elements, u64 count);

/* Appends the elements rows[0..count) picked from `base` (fixed width; QT_ENUM: base holds i64
 * indices). */
MUST_USE Err column_append_picked(ColumnOut *out, const void *base, const u32 *rows, u64 count);

/* Appends QT_ENUM rows given as symbol ids picked through `perm` (NULL = in order): index =
 * map[id]; the empty symbol (id 0), which a domain does not hold, becomes the null index. */
MUST_USE Err column_append_symbols(ColumnOut *out, const i32 *ids, const i32 *map, const u32 *perm,
                                   u64 count);

/* Names for indices, so that SORTED of an enumeration (order of the names) can be known when rows
 * come as indices: ids[index] is the symbol id, borrowed until finish. Without it column_append and
 * column_append_picked end SORTED as NONE; column_append_symbols knows the names anyway. */
void column_out_names(ColumnOut *out, const i32 *ids, i32 count);

/* Appends one row to a nested column. */
MUST_USE Err column_append_row(ColumnOut *out, const void *elements, u64 count);

/* Appends rows of a nested vector: rows[0..count), or from, from + 1, ... when NULL. */
MUST_USE Err column_append_rows(ColumnOut *out, const Vec *v, const u32 *rows, u64 from, u64 count);

/* Ends the file: payload, header with the true count. `bytes` = size of all its files. With `sync`
 * they are synced at once, else they are handed over open in keep[0..1] (FILE_NONE when unused) to
 * be synced by the caller. Frees `out` in every case. */
MUST_USE Err column_finish(ColumnOut *out, bool sync, File keep[2], u64 *bytes);

/* Ends on a failure path; unfinished files stay for the sweep. NULL is allowed. */
void column_drop(ColumnOut *out);

/* The attribute that column_finish wrote or will write as far as known (for the manifest). */
int column_out_attr(const ColumnOut *out);

#endif
