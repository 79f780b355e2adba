/*
 * csv: rows of CSV text (RFC 4180) into a batch, fed in pieces of any size.
 *
 * The first record is the header: column names in any order, all of the schema's (a missing column
 * is E_TYPE, an unknown one too). Quoted fields may hold line feeds. CR LF and LF both end records.
 * Bounded by one record's size.
 */
#ifndef TABLE_CSV_H
#define TABLE_CSV_H

#include "table/batch.h"

typedef struct {
    const Schema *schema;
    Buf held;   /* an unfinished record */
    u64 looked; /* bytes of it that were looked at, in this state: */
    u8 state;
    Buf field;       /* a quoted field without its quotes */
    u32 *columns;    /* schema column of each field */
    u32 field_count; /* 0 until the header was read */
    u64 line;        /* line number of the next record, from 1 */
    bool has_header; /* false: fields are in schema order */
    Arena memory;
} Csv;

/* Starts a reader. */
void csv_init(Csv *c, const Schema *s, bool has_header);

/* Takes a piece of text, appends every complete record to the batch. `last` says that no more
 * comes, so that a final record without line feed counts. E_TYPE names line, column and text; the
 * rows before it are in the batch. */
MUST_USE Err csv_feed(Csv *c, Str text, bool last, Batch *b);

/* Frees what it holds. */
void csv_free(Csv *c);

/* Appends rows of a table value as CSV text (RFC 4180; times as q writes them; lists with blanks
 * between elements; other values as JSON; nulls empty; `header` with names). E_TYPE when it is no
 * table. Not for mixed vectors (wire_rows). */
MUST_USE Err csv_write(Buf *out, const Value *table, bool header);

/* Appends the rows of a JSON value: an array of objects (rows), an object of arrays (columns), or
 * one object (a row). A missing key gives the type's null, an unknown one is E_TYPE. On failure the
 * batch is unchanged. */
MUST_USE Err csv_from_json(Batch *b, const Value *v);

#endif
