/*
 * dump_out: what `silt dump` says of a file: facts as indented lines, or one JSON object a line.
 *
 * A file's facts are collected and printed when it ends; parts of it (log records, parts of a
 * segment) can be printed as entries before that, so that a long file needs no memory.
 */
#ifndef CMD_DUMP_OUT_H
#define CMD_DUMP_OUT_H

#include "base/buf.h"
#include "base/fail.h"
#include "q/value.h"

typedef struct {
    bool json;
    u64 files, damaged; /* so far */
    Buf line, entry_line;
    Buf bad;          /* what is wrong with the file */
    const char *path; /* of the file, borrowed */
    bool entry;       /* within an entry */
    Err err;          /* of writing, kept until the end */
} DumpOut;

/* Begins a file: `kind` says what it is. */
void dump_out_begin(DumpOut *o, const char *path, const char *kind);

/* Facts of the file, or of the entry. Values are shown as text, lists as JSON. */
void dump_out_text(DumpOut *o, const char *key, Str text);
void dump_out_number(DumpOut *o, const char *key, i64 number);
void dump_out_count(DumpOut *o, const char *key, u64 count);
void dump_out_time(DumpOut *o, const char *key, i64 ns);
void dump_out_value(DumpOut *o, const char *key, const Value *v);

/* An entry of the file: a line of its own, facts follow until dump_out_entry_end. */
void dump_out_entry(DumpOut *o, const char *kind);
void dump_out_entry_end(DumpOut *o);

/* Something is wrong with the file: this thread's last failure, or a text. */
void dump_out_fail(DumpOut *o);
void dump_out_bad(DumpOut *o, const char *format, ...) PRINTF(2, 3);

/* Ends the file and prints. */
void dump_out_end(DumpOut *o);

/* Frees; the failure of writing, if there was one. */
MUST_USE Err dump_out_close(DumpOut *o);

#endif
