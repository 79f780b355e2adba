/*
 * names: what a query knows of the domain: a copy of its ids that no loading moves. Private to
 * query/.
 *
 * The domain grows on the loop thread while queries run on others. So a query holds a Names, taken
 * on the loop thread and shared by all queries until the domain has grown. Readable from every
 * thread while it is held; take and drop on the loop thread.
 */
#ifndef QUERY_NAMES_H
#define QUERY_NAMES_H

#include "column/domain.h"

#include <stdatomic.h>

typedef struct {
    u32 uses;
    i32 count;    /* names in the domain */
    i32 id_count; /* symbol ids of the process when it was taken: all ids below are known */
    i32 *ids;     /* symbol id of each domain index */
    bool clean;   /* each name stands once in the domain, none is empty: equal index = equal name */
    _Atomic(u32 *) rank; /* place in the order of names by symbol id, NAMES_UNRANKED = not in the
                            domain; made when first asked */
} Names;

#define NAMES_UNRANKED UINT32_MAX

/* Takes a use of *held, renewed first when the domain has grown or symbols were added. *held keeps
 * one use of its own. */
MUST_USE Err names_take(Names **held, const Domain *d, Names **names);

/* Gives a use back; the last one frees it. NULL is allowed. */
void names_drop(Names *n);

/* The ranks, id_count of them; computed by the first caller. */
MUST_USE Err names_rank(Names *n, const u32 **rank);

/* The symbol id of a domain index as stored in a column: 0 for null, -1 for one beyond the
 * domain. */
static inline i32 names_id(const Names *n, i64 index)
{
    if ((u64)index < (u64)n->count) return n->ids[index];
    return index == INT64_MIN ? 0 : -1;
}

#endif
