/*
 * pub_rows: text that arrives in pieces, CSV or JSON, becomes rows of a batch.
 *
 * JSON is one array of objects, one object of columns or of one row, or objects one after another
 * (a line each, say). Bounded by one record's or object's size.
 */
#ifndef CMD_PUB_ROWS_H
#define CMD_PUB_ROWS_H

#include "table/csv.h"

typedef struct {
    const Schema *schema;
    bool json;
    Csv csv;
    /* JSON: the text from the object that is being read on, and what is known of it */
    Buf held;
    u64 looked;         /* bytes of it that were looked at */
    u64 line, begun;    /* line at `looked`, and where the object begins; from 1 */
    u32 depth;          /* brackets open in the object, 0 = between objects */
    bool text, escaped; /* within a string; behind its backslash */
    u8 place;           /* PUB_ROWS_* */
    Arena memory;       /* of one object's values */
} PubRows;

/* Starts a reader of CSV with a header line, or of JSON. */
void pub_rows_init(PubRows *r, const Schema *s, bool json);

/* Takes a piece of text and appends the rows that are complete. `last` says that no more comes.
 * E_TYPE, E_USAGE, E_LIMIT name the line; the rows before it are in the batch. */
MUST_USE Err pub_rows_feed(PubRows *r, Str text, bool last, Batch *b);

/* Frees what it holds; idempotent. */
void pub_rows_free(PubRows *r);

#endif
