/*
 * text: values as text for people: tables in aligned columns, dictionaries a line an entry.
 */
#ifndef CMD_TEXT_H
#define CMD_TEXT_H

#include "base/buf.h"
#include "q/value.h"

/* Appends a value as text; nested dictionaries are indented. At most TEXT_CELL_MAX bytes of a cell
 * are shown. */
MUST_USE Err text_write(Buf *out, const Value *v);

/* Appends a value as it stands in one cell: no line feed at the end. */
MUST_USE Err text_cell(Buf *out, const Value *v);

#endif
