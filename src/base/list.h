/*
 * list: an intrusive doubly linked list. A List node inside a struct links it; the head is a
 * List. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/types.h"

typedef struct List {
    struct List *prev, *next;
} List;

/* The struct of `type` whose field `member` is the node `ptr`. */
#define LIST_ENTRY(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Makes an empty head (or an unlinked node). */
static inline void list_init(List *l) { l->prev = l->next = l; }

static inline bool list_empty(const List *l) { return l->next == l; }

/* Adds a node at the end. */
static inline void list_append(List *head, List *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

/* Takes a node out of its list; it is then unlinked and may be removed again. */
static inline void list_remove(List *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Walks from the first node to the last; the body must not remove `it` (save its next first). */
#define LIST_EACH(it, head) for (List *it = (head)->next; it != (head); it = it->next)

#endif
