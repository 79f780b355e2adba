/*
 * operand: the value of a filter, cast to the type of its column. Private to query/.
 *
 * Values come from q (atoms of every type, vectors) or from JSON (text, longs, floats, booleans,
 * ::). Texts are read as CSV fields are. Numbers must fit: what would change its value is E_TYPE,
 * so that a filter never means something else than it says.
 */
#ifndef QUERY_OPERAND_H
#define QUERY_OPERAND_H

#include "base/arena.h"
#include "q/value.h"
#include "table/schema.h"

/* One value for column `col`: an atom of its type, -QT_SYMBOL text for symbols (nothing is
 * interned), a char vector for strings. A vector with one element is taken as that element. */
MUST_USE Err operand_atom(const Schema *s, i32 col, const Value *v, Arena *a, Value *out);

/* A vector of the column's type (QT_SYMBOL for symbols; a list of char vectors for strings) from a
 * vector, list, or atom. */
MUST_USE Err operand_list(const Schema *s, i32 col, const Value *v, Arena *a, Value *out);

/* A timestamp from a timestamp, date, datetime, month, long (ns since 2000) or text; *out is
 * Q_NULL_LONG for nulls. `what` names it in error texts. */
MUST_USE Err operand_time(const char *what, const Value *v, i64 *out);

#endif
