/*
 * group: numbers for the groups of rows, in order of first appearance. Private to query/.
 *
 * A zeroed Group is valid and empty. One thread at a time; threads make their own and merge
 * them. */
#ifndef QUERY_GROUP_H
#define QUERY_GROUP_H

#include "base/buf.h"
#include "query/plan.h"

typedef enum {
    GROUP_ALL,    /* no columns: one group */
    GROUP_SYMBOL, /* one symbol column: a table by id */
    GROUP_SMALL,  /* columns that fit 2 bytes together: a table by key */
    GROUP_WORD,   /* columns that fit 8 bytes together */
    GROUP_BYTES   /* others: keys as bytes */
} GroupForm;

typedef struct {
    const Plan *plan;
    GroupForm form;
    u32 count;
    u32 *by_id; /* GROUP_SYMBOL, GROUP_SMALL: number + 1 */
    i32 *ids;   /* GROUP_SYMBOL: id of each group; GROUP_SMALL: its key */
    u64 *words; /* GROUP_WORD: key of each group */
    Buf bytes;  /* GROUP_BYTES: keys end to end */
    u64 *offs;  /* GROUP_BYTES: where the key of each group begins */
    u32 room;   /* of ids, words, offs */
    u32 *slots; /* hash: number + 1, slot_count a power of two */
    u64 slot_count;
} Group;

/* Starts an empty one; GROUP_ALL has its group at once. */
MUST_USE Err group_init(Group *g, const Plan *p);

/* The number of a symbol's group (GROUP_SYMBOL; GROUP_SMALL: of a key). */
MUST_USE Err group_symbol(Group *g, i32 id, u32 *number);

/* Takes `count` symbols that differ as the first groups, numbered from 0 (GROUP_SYMBOL, empty).
 * Merging works afterwards only into another Group. */
MUST_USE Err group_symbols(Group *g, const i32 *ids, u64 count);

/* The numbers of the groups of the rows from + sel[0..count) (NULL = from, from + 1, ...). */
MUST_USE Err group_rows(Group *g, const ScanPiece *piece, u64 from, const u16 *sel, u64 count,
                        u32 *numbers);

/* The number in `g` of a group of another one over the same plan. */
MUST_USE Err group_merge(Group *g, const Group *from, u32 number, u32 *merged);

/* The key of a group in group column `at`: fixed types as an element; strings as text. */
void group_key(const Group *g, u32 number, u32 at, void *element, Str *text);

/* Frees it; idempotent. */
void group_free(Group *g);

#endif
