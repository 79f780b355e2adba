/*
 * column: one column file of a splayed table, as kdb+ lays it out: open (mapped or inflated),
 * create, append.
 *
 * Formats (kdb-files.md): plain vectors `fe 20` (2.1), 64-bit enumerations `fd 20` (4.2), 32-bit
 * ones (4.1), strings, other lists of vectors and mixed columns as anymap (6.2, with companions
 * `name#` and `name##`), lists of vectors in the form before kdb+ 3.6 (6.1), the empty list column
 * `ff 01 00 00 00 00 00 00`, each of them also in a compressed container (7). The row count of
 * attribute 0 and 1 comes from the file size, never from the header (2.3); of 2, 3, 4 from the
 * header, which is then checked against the size.
 *
 * An open Column borrows from its mapping: pointers are good until column_close. Opening checks
 * header, size and payload bounds, so that reading rows [0, rows) and the runs needs no further
 * checks.
 *
 * A compressed column opened by column_open is inflated as a whole. Opened by column_open_on_need,
 * its elements are good only between column_need and column_done for their rows (image.h); its
 * index (keys, offs, slots, perm) always is.
 */
#ifndef COLUMN_COLUMN_H
#define COLUMN_COLUMN_H

#include "base/arena.h"
#include "column/block_out.h"
#include "column/domain.h"
#include "column/image.h"
#include "os/file.h"
#include "q/value.h"
#include "q/vec.h"

#define COLUMN_DOMAIN_MAX 256 /* bytes of a domain's name, its zero included */

typedef struct {
    int type;  /* 1..19, QT_ENUM, QT_NESTED + t, QT_NESTED + QT_ENUM (lists of symbols), QT_LIST
                  (empty, untyped), QT_NESTED (a list column whose first item is no vector:
                  column_row refuses its rows, column_value gives them) */
    u8 attr;   /* Attr as the header says; ATTR_NONE when its index is damaged */
    bool wide; /* QT_ENUM: elements are i64 (else i32) */
    bool old;  /* a list column of the form before 3.6: `data` counts elements of the companion */
    u64 rows;
    const void *data;               /* elements; nested: 8-byte references or counts */
    char domain[COLUMN_DOMAIN_MAX]; /* QT_ENUM: its domain's name */
    /* parted and grouped: the index payload (section 5); NULL without one */
    const void *keys; /* key_count distinct values, in the elements' width */
    const i64 *offs;  /* key_count + 1 row offsets (8-aligned within the file) */
    u64 key_count;
    const i64 *slots; /* hash slots of K */
    u64 slot_count;
    const i64 *perm; /* grouped: row numbers, by key */
    const char
        *damage; /* the rule that the index breaks, which is why it is not used; NULL = none */
    i32 *names;  /* list columns with symbols: symbol ids of the names in `name##` */
    u64 name_count;
    u8 *index;         /* a copy of the index of a compressed column */
    FileMap map, heap; /* plain bytes of the file and its companion; belong to the images */
    Image image, heap_image;
} Column;

/* Opens a column file and its companions. A compressed one is inflated. E_NOT_FOUND, E_CORRUPT
 * (names file and rule), E_UNSUPPORTED (no column, or one of a form that we do not read), E_LIMIT
 * (a compressed one is too large for memory). */
MUST_USE Err column_open(Column *c, const char *path);

/* The same, but blocks of a compressed file are inflated when column_need asks for them. */
MUST_USE Err column_open_on_need(Column *c, const char *path);

/* Whether the column can be read as one of a type in memory: a list column without rows or whose
 * type its rows do not tell fits every list, and every list fits a mixed column (QT_NESTED). */
bool column_fits(const Column *c, int type);

/* Whether bytes of its files were lost since it was opened (os/guard): what was read must not be
 * used. */
bool column_lost(const Column *c);

/* Unmaps; idempotent. */
void column_close(Column *c);

/* Whether rows must be asked for with column_need before they are read. */
static inline bool column_on_need(const Column *c)
{
    return image_on_need(&c->image) || image_on_need(&c->heap_image);
}

/* Makes the rows [from, to) and what they refer to readable until column_done of the same rows. One
 * branch for columns that are not opened on need. Any thread. E_CORRUPT names the damaged block. */
MUST_USE Err column_need(const Column *c, u64 from, u64 to);
void column_done(const Column *c, u64 from, u64 to);

/* Reads the elements of a column front to back, by one thread: for scans of columns opened on need,
 * instead of column_need (image.h tells the difference). Not for list columns. */
typedef struct {
    const Column *column;
    ImageReader reader;
} ColumnReader;

/* Starts one over an open column, which must stay open. */
void column_reader_open(ColumnReader *r, const Column *c);

/* The elements from row `from` < rows on: *count >= 1 of them stand at *elements until the next
 * call. A column that is not on need gives all of its rows at once. E_CORRUPT names the damaged
 * block. */
MUST_USE Err column_reader_rows(ColumnReader *r, u64 from, const void **elements, u64 *count);

/* Frees its buffer; idempotent. */
void column_reader_close(ColumnReader *r);

/* Row `i` of a nested column: its elements and count. E_CORRUPT when the reference leads outside,
 * E_UNSUPPORTED when the row is of another type than the column. For lists of symbols see
 * column_row_ids. */
MUST_USE Err column_row(const Column *c, u64 i, const void **elements, u64 *count);

/* Appends row `i` of a column of symbol lists to an owned vector of type QT_ENUM, as symbol ids.
 * Lists of enumerations are looked up in `domains`: E_NOT_FOUND when theirs is not there. */
MUST_USE Err column_row_ids(const Column *c, u64 i, const DomainSet *domains, Vec *ids);

/* Row `i` of any column as a value: an atom, or for list columns what stands there. Symbols of
 * unknown domains (`domains` NULL: all) are given as long indices. Borrows from the column. */
MUST_USE Err column_value(const Column *c, u64 i, const DomainSet *domains, Arena *a, Value *v);

/* The domain index at a row of an enumeration (null = Q_NULL_LONG). */
static inline i64 column_index(const Column *c, u64 row)
{
    if (c->wide) return ((const i64 *)c->data)[row];
    i32 i = ((const i32 *)c->data)[row];
    return i == INT32_MIN ? INT64_MIN : i;
}

/* One column being written, front to back. Memory use is bounded (a buffer, for compressed columns
 * some blocks, and for parted columns one entry a run). Durable only after the caller synced file
 * and folder. */
typedef struct ColumnOut ColumnOut;

/* Creates `path` (and `path`#, `path`## for nested types, when rows need them). Types: 1..19
 * without symbols, QT_ENUM, QT_NESTED + t, QT_NESTED + QT_ENUM or QT_NESTED + QT_SYMBOL (lists of
 * symbols, both the same), QT_LIST or QT_NESTED (mixed). `attr` is the attribute to end with: for
 * enumerations NONE, SORTED (no payload), PARTED, GROUPED with the payload of section 5, and
 * UNIQUE, which has no proven form and is written as PARTED: distinct values are runs of one row.
 * For plain vectors SORTED is kept when the elements turn out ascending; PARTED and GROUPED, UNIQUE
 * on plain vectors have no proven form (section 5.1): PARTED and SORTED become SORTED when the
 * elements are ascending, else NONE. An attribute that the data does not satisfy (parted with a
 * value that comes back, unique with doubles) becomes NONE, never a lie. GROUPED keeps 8 bytes a
 * row in memory and ends as NONE beyond 2^27 rows. `rows_hint` = rows expected (0 unknown); when a
 * compressed column of several blocks gets another number, ending it costs a second pass over its
 * file. */
MUST_USE Err column_create(ColumnOut **out, const char *path, int type, int attr, u64 rows_hint);

/* ---- before the first row: */

/* Compresses the column and its companion `path`#. E_USAGE names what is wrong. */
MUST_USE Err column_out_codec(ColumnOut *out, const CodecChoice *codec);

/* The name of the domain of an enumeration; `sym` without this call. E_USAGE when it is no file's
 * name. */
MUST_USE Err column_out_domain(ColumnOut *out, const char *name);

/* Writes the forms that kdb+ 3.0 to 3.5 read: 32-bit enumerations (E_LIMIT for indices beyond, and
 * for domain names of more than 6 bytes) and lists as counts. E_UNSUPPORTED for lists of symbols
 * and mixed columns. */
MUST_USE Err column_out_old(ColumnOut *out);

/* Names for indices, so that SORTED of an enumeration (order of the names) can be known when rows
 * come as indices: ids[index] is the symbol id, borrowed until finish. Without it column_append and
 * column_append_picked end SORTED as NONE; column_append_symbols knows the names anyway. */
void column_out_names(ColumnOut *out, const i32 *ids, i32 count);

/* Asks for the checksums of the column's files: of `path`, `path`#, `path`## (zeroed, borrowed),
 * complete after column_end; those of a file that is not made stay zeroed. Before
 * column_out_codec. */
void column_out_sums(ColumnOut *out, Sum sums[3]);

/* ---- rows */

/* Appends elements: fixed-width types in their width; QT_ENUM as i64 domain indices. */
MUST_USE Err column_append(ColumnOut *out, const void *elements, u64 count);

/* Appends the elements rows[0..count) picked from `base` (fixed width; QT_ENUM: base holds i64
 * indices). */
MUST_USE Err column_append_picked(ColumnOut *out, const void *base, const u32 *rows, u64 count);

/* Appends QT_ENUM rows given as symbol ids picked through `perm` (NULL = in order): index =
 * map[id]; the empty symbol (id 0), which a domain does not hold, becomes the null index. */
MUST_USE Err column_append_symbols(ColumnOut *out, const i32 *ids, const i32 *map, const u32 *perm,
                                   u64 count);

/* Appends one row to a nested column; elements of lists of symbols are i32 symbol ids. */
MUST_USE Err column_append_row(ColumnOut *out, const void *elements, u64 count);

/* Appends rows of a nested vector or, to a mixed column, of a list or a mixed vector (QT_NESTED):
 * rows[0..count), or from, from + 1, ... when NULL. Lists of symbols come as QT_NESTED +
 * QT_ENUM. */
MUST_USE Err column_append_rows(ColumnOut *out, const Vec *v, const u32 *rows, u64 from, u64 count);

/* Appends one row to a mixed column; E_UNSUPPORTED for functions and ::. */
MUST_USE Err column_append_value(ColumnOut *out, const Value *v);

/* Appends rows of an open list column of the same type, of any form, to one being written:
 * rows[0..count), or from, from + 1, ... when NULL. `domains` as for column_row_ids. Asks for the
 * rows itself when `c` is open on need. */
MUST_USE Err column_append_column(ColumnOut *out, const Column *c, const u32 *rows, u64 from,
                                  u64 count, const DomainSet *domains);

/* ---- the end */

/* Ends the file: payload, header with the true count. `bytes` = size of all its files. With `sync`
 * they are synced at once, else they are handed over open in keep[0..1] (FILE_NONE when unused) to
 * be synced by the caller; the third file of a list column with symbols is synced at once. Frees
 * `out` in every case. */
MUST_USE Err column_finish(ColumnOut *out, bool sync, File keep[2], u64 *bytes);

/* The same in steps, for many columns at once: column_seal writes payload and header. Then the
 * blocks that wait in its files are compressed (column_out_files and block_out.h; those left are by
 * column_end). column_end closes; keep[0..2] as above. Frees `out`. */
MUST_USE Err column_seal(ColumnOut *out);
u32 column_out_files(ColumnOut *out, BlockOut *files[2]);
MUST_USE Err column_end(ColumnOut *out, bool sync, File keep[3], u64 *bytes);

/* Ends on a failure path; unfinished files stay for the sweep. NULL is allowed. */
void column_drop(ColumnOut *out);

/* The attribute that column_finish wrote or will write as far as known (for the manifest). */
int column_out_attr(const ColumnOut *out);

#endif
