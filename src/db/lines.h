/*
 * lines: the form of manifests, stage files and sidecars: lines of a key and fields, ended by their
 * CRC (doc/format/manifest.md, "Common to all"). Pure: text in a Buf, and back from a Str.
 */
#ifndef DB_LINES_H
#define DB_LINES_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/str.h"

#define LINES_FIELDS_MAX 9

/* A text being read; the fields are those of the last line taken. */
typedef struct {
    Str rest; /* not yet read, without the `end` line */
    u64 line; /* number of the line in `field` */
    Str field[LINES_FIELDS_MAX];
} Lines;

/* Appends a text field: escaped. */
MUST_USE Err lines_put_text(Buf *b, const char *text);

/* Appends the `end` line over what stands from `from` on; *crc is what it says. */
MUST_USE Err lines_put_end(Buf *b, u64 from, u32 *crc);

/* Checks the last line and begins with the first; *crc is that of what stands before the last.
 * E_CORRUPT when the text is empty, cut or altered. */
MUST_USE Err lines_open(Lines *l, Str text, u32 *crc);

/* Takes the first line, `<what> <version>`: E_UNSUPPORTED for a version beyond `newest`. */
MUST_USE Err lines_version(Lines *l, const char *what, u32 newest, u32 *version);

/* Whether the next line begins with this key. */
bool lines_at(const Lines *l, const char *key);

/* Takes the next line, which must have this key and `count` fields after it. */
MUST_USE Err lines_next(Lines *l, const char *key, u32 count);

/* How many lines begin with `key` from here on, before a line that begins with `stop` (NULL = to
 * the end). */
u64 lines_count(const Lines *l, const char *key, const char *stop);

/* E_CORRUPT with the number of the line. */
Err lines_bad(const Lines *l, const char *why);

/* A field as a number: decimal without or with a sign, or of so many hex digits. */
MUST_USE Err lines_u64(const Lines *l, u32 i, u64 *out);
MUST_USE Err lines_i64(const Lines *l, u32 i, i64 *out);
MUST_USE Err lines_i32(const Lines *l, u32 i, i32 *out);
MUST_USE Err lines_hex(const Lines *l, u32 i, u64 digits, u64 *out);

/* A text field, unescaped, zero-ended, in the arena. */
MUST_USE Err lines_text(const Lines *l, u32 i, Arena *a, char **out);

/* An array of `count` elements, whose size the text decides; E_LIMIT above `max`. */
MUST_USE Err lines_array(Arena *a, u64 count, u64 width, u64 max, const char *what, void **out);

#endif
