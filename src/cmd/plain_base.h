/*
 * plain_base: a kdb+ database that nobody manages, open for queries: what `silt da DIR` and
 * `silt get -d DIR` ask.
 *
 * A base is a moment's picture. It is replaced as a whole by one that was opened later; queries
 * hold the one that they were parsed for. Its uses belong to one thread.
 */
#ifndef CMD_PLAIN_BASE_H
#define CMD_PLAIN_BASE_H

#include "db/plain_view.h"
#include "query/run.h"

typedef struct {
    PlainView *db;
    QuerySource source; /* its `view` has the number given to plain_base_open */
    u32 uses;
} PlainBase;

/* Opens a folder; in use once. E_USAGE for the base of a managed database; E_CORRUPT and others
 * name the file and the rule. */
MUST_USE Err plain_base_open(PlainBase **b, const char *folder, u64 number);

/* Gives a use back; the last one closes the database. NULL is allowed. */
void plain_base_release(PlainBase *b);

/* One getData call in this process: the request's dictionary to a table in the arena, which borrows
 * from nothing else. */
MUST_USE Err plain_base_get(PlainBase *b, const Value *args, Arena *a, Value *table);

#endif
