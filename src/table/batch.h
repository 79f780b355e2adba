/*
 * batch: rows of one table in memory, column by column: the unit that flows.
 *
 * Columns have schema_memory_type: symbols are i32 ids of the process's symbol table, mixed values
 * the bytes of q IPC objects. A Batch owns
 * its columns and grows. Rows keep their order of arrival.
 */
#ifndef TABLE_BATCH_H
#define TABLE_BATCH_H

#include "base/buf.h"
#include "base/fail.h"
#include "q/value.h"
#include "table/schema.h"

typedef struct {
    const Schema *schema; /* borrowed */
    u64 rows;
    Vec *cols; /* schema->column_count */
} Batch;

/* Starts an empty batch. */
void batch_init(Batch *b, const Schema *s);

/* Empties it, keeping memory; frees it; idempotent. */
void batch_clear(Batch *b);
void batch_free(Batch *b);

/* Bytes of memory held. */
u64 batch_bytes(const Batch *b);

/* What a published object must look like for a schema: a table (98) whose column names are the
 * schema's, in any order and complete; a list of column vectors in schema order; or one row as a
 * list of atoms (char vectors for strings). Types must be equal (a list of vectors for lists; a
 * symbol vector for symbols; for mixed columns a list of anything but functions, or a vector); also
 * accepted: char atom for char, an empty general list for an empty column. Checks without copying;
 * *rows = rows in it. E_TYPE names table, column, expected and found type. The body was validated
 * by wire_check before. */
MUST_USE Err batch_check_wire(const Schema *s, const u8 *body, u64 size, u64 *rows);

/* The same, and how many elements the rows bring to each list column at most: heap[column_count],
 * 0 for the others. */
MUST_USE Err batch_measure_wire(const Schema *s, const u8 *body, u64 size, u64 *rows, u64 *heap);

/* Finds the partition column of a checked object: its i64 elements, unaligned in the message, *rows
 * of them. */
void batch_times_wire(const Schema *s, const u8 *body, u64 size, const u8 **times, u64 *rows);

/* Appends the rows of a checked object; interns symbols. E_MEMORY, E_LIMIT; on failure the batch is
 * unchanged. */
MUST_USE Err batch_append_wire(Batch *b, const u8 *body, u64 size);

/* Appends rows [at, at + count) of another batch of the same schema. */
MUST_USE Err batch_append_batch(Batch *b, const Batch *from, u64 at, u64 count);

/* Appends the rows of a batch as a q IPC body: a list of column vectors in schema order (the form
 * the stream keeps). */
MUST_USE Err batch_encode(Buf *out, const Batch *b, u64 at, u64 count);

/* Appends one value parsed from text (CSV field) to column `col`: empty text is the type's null;
 * symbols and strings taken as they are; lists with blanks between elements; numbers, temporals as
 * q or ISO write them; guid text; booleans 0/1/true/false/0b/1b. E_TYPE names the column and the
 * text. The caller keeps columns equal and then sets b->rows. */
MUST_USE Err batch_append_text(Batch *b, u32 col, Str text);

/* Appends one JSON value (from json_parse) to column `col`, cast to its type; :: gives null. */
MUST_USE Err batch_append_value(Batch *b, u32 col, const Value *v);

/* Cuts every column back to `rows` rows (after a failed append of a row). */
void batch_cut(Batch *b, u64 rows);

/* A value (table) over the batch's rows, borrowed, in an arena. */
Value batch_value(const Batch *b, Arena *a);

#endif
