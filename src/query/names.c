/*
 * names: copies of the domain's ids, and their order.
 *
 * A copy costs 4 bytes a name and is made once for each growth of the domain. The order of names is
 * costly (sorting texts) and rarely asked for before the first grouped query, so it is made when
 * asked, outside any lock: two threads may both make it, one of them keeps its own.
 */
#include "query/names.h"

#include "q/sort.h"
#include "q/symbol.h"

#include <stdlib.h>

static Err names_make(const Domain *d, Names **out)
{
    Names *n = calloc(1, sizeof *n);
    if (n == NULL) return fail(E_MEMORY, "no memory for the names of a query");
    n->uses = 1;
    n->count = d->count;
    n->id_count = symbol_count();
    n->clean = true;
    n->ids = malloc(MAX((u64)d->count, 1) * sizeof *n->ids);
    if (n->ids == NULL) {
        names_drop(n);
        return fail(E_MEMORY, "no memory for %d names of a query", d->count);
    }
    if (d->count > 0) memcpy(n->ids, d->ids, (u64)d->count * sizeof *n->ids);
    for (i32 i = 0; i < d->count; i++)
        n->clean &= n->ids[i] != 0 && domain_find(d, n->ids[i]) == i;
    *out = n;
    return E_OK;
}

Err names_take(Names **held, const Domain *d, Names **names)
{
    *names = NULL;
    Names *now = *held;
    if (now == NULL || now->count != d->count) {
        Err err = names_make(d, &now);
        if (err != E_OK) return err;
        names_drop(*held);
        *held = now;
    }
    now->uses++;
    *names = now;
    return E_OK;
}

void names_drop(Names *n)
{
    if (n == NULL || --n->uses > 0) return;
    free(atomic_load(&n->rank));
    free(n->ids);
    free(n);
}

Err names_rank(Names *n, const u32 **out)
{
    u32 *rank = atomic_load(&n->rank), *none = NULL;
    if (rank == NULL) {
        rank = malloc((u64)n->id_count * sizeof *rank);
        if (rank == NULL) return fail(E_MEMORY, "no memory to order %d names", n->id_count);
        memset(rank, 0xff, (u64)n->id_count * sizeof *rank);
        Err err = sort_symbol_ranks(n->ids, (u64)n->count, rank, n->id_count);
        if (err != E_OK) {
            free(rank);
            return err;
        }
        for (i32 i = 0; i < n->id_count; i++)
            rank[i] += rank[i] != NAMES_UNRANKED;
        rank[0] = 0; /* the empty symbol comes first, in the domain or not */
        if (!atomic_compare_exchange_strong(&n->rank, &none, rank)) {
            free(rank);
            rank = none;
        }
    }
    *out = rank;
    return E_OK;
}
