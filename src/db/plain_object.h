/*
 * plain_object: tables that stand whole in one file of a plain database's root (type 98 objects,
 * keyed tables): read into memory.
 */
#ifndef DB_PLAIN_OBJECT_H
#define DB_PLAIN_OBJECT_H

#include "column/domain.h"
#include "db/plain.h"
#include "table/batch.h"

/* Reads an object that is a table into a schema and a batch of its rows, both in the arena; *s is
 * NULL when it is no table. Symbols of `domains` become symbols. The batch must be freed
 * (plain_object_free) before the arena. Key columns come first, as columns like any other.
 * E_CORRUPT, E_LIMIT, E_UNSUPPORTED name the file. */
MUST_USE Err plain_object_read(const PlainObject *o, const DomainSet *domains, Arena *a, Schema **s,
                               Batch **b);

/* Frees the columns; idempotent, NULL is allowed. */
void plain_object_free(Batch *b);

#endif
