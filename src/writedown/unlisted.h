/*
 * unlisted: tables that stand in date parts though no schema names them: an import has kept them,
 * or they left the configuration.
 */
#ifndef WRITEDOWN_UNLISTED_H
#define WRITEDOWN_UNLISTED_H

#include "db/view.h"
#include "table/splay.h"

/* The newest date part of a view: it tells which tables kdb+ sees. NULL without dates. */
const Part *unlisted_model(const View *v);

/* Writes an empty table with the columns of a table of `model` into the part folder `path`, synced,
 * adds its checksums, and describes it. E_NOT_FOUND, E_CORRUPT, E_UNSUPPORTED: what it has to be
 * like cannot be read, and nothing was made. */
MUST_USE Err unlisted_empty(const Part *model, const PartTable *table, const char *path,
                            SumList *sums, PartTable *made);

#endif
