/*
 * json: values to JSON text, fast, and JSON text to values through jansson (the only file that sees
 * it).
 *
 * Out: booleans true/false; integers as they are; floats with the fewest digits that read back
 * equal (17 at most); null, NaN and infinities null; symbols, strings, chars as strings (bytes that
 * are no UTF-8 become U+FFFD); temporals as ISO text; guid as text; tables as an array of objects;
 * dictionaries as objects; keyed tables as an array of objects with key columns first; lists as
 * arrays. In: objects become dictionaries with QT_SYMBOL keys, arrays general lists, strings char
 * vectors, whole numbers longs, others floats, true/false booleans, null ::.
 */
#ifndef Q_JSON_H
#define Q_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"
#include "q/value.h"

/* Parses one JSON text; E_USAGE with line and column. Depth at most BOUND_DEPTH_MAX; duplicate keys
 * refused. */
MUST_USE Err json_parse(Str text, Arena *a, Value *v);

/* Appends a value as JSON. */
MUST_USE Err json_write(Buf *b, const Value *v);

/* Appends rows [from, to) of a table as an array of objects (streaming a large result in pieces:
 * without the brackets when `bare`). */
MUST_USE Err json_write_rows(Buf *b, const Value *table, u64 from, u64 to, bool bare);

/* Appends a quoted, escaped JSON string. (jansson exports json_string: that name is taken.) */
MUST_USE Err json_quote(Buf *b, Str text);

/* Appends a float in the fewest digits that read back equal ("null" for NaN and infinities). */
MUST_USE Err json_float(Buf *b, f64 f);

#endif
