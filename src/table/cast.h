/*
 * cast: text fields and JSON values to elements of a column. Private to table/.
 */
#ifndef TABLE_CAST_H
#define TABLE_CAST_H

#include "base/buf.h"
#include "base/fail.h"
#include "q/value.h"

/* Appends one element of a schema type parsed from text to its column vector; see
 * batch_append_text. E_TYPE quotes the text and names the type. */
MUST_USE Err cast_text(int type, Str text, Vec *v);

/* Appends one element of a schema type from a JSON value; see batch_append_value. */
MUST_USE Err cast_value(int type, const Value *value, Vec *v);

/* Appends an atom as CSV text: null is empty, times as q writes them. */
MUST_USE Err cast_write(Buf *out, const Value *atom);

#endif
