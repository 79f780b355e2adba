/*
 * reader_info: what a reader tells of itself: tables, status, health, metrics.
 */
#ifndef CMD_READER_INFO_H
#define CMD_READER_INFO_H

#include "cmd/reader.h"

/* Adds the calls and the metrics; the reader must stay in place. */
void reader_info_add(Reader *r);

/* Rows in the view of a table; null when they are not all counted. */
u64 reader_info_rows(const View *v, PartKind kind, const char *table);

#endif
