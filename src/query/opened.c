/*
 * opened: the cache of mapped columns.
 *
 * PartTable.opened of a view's segment holds an OpenedTable: one place a schema column. Columns
 * stand in one list by age of their last use. Those in use are skipped when the list is cut to its
 * length; when all others are in use, the newcomer goes. A segment's tables are
 * forgotten before the segment is freed; no query can use them then, as a query holds its view.
 */
#include "query/opened.h"

#include "base/bounds.h"

#include <stdio.h>
#include <stdlib.h>

#define DOMAIN_NAME "sym" /* the one domain of a database */

typedef struct {
    List link;
    PartTable *table;
    u32 count;
    Opened *cols[]; /* by schema column; NULL = not mapped */
} OpenedTable;

struct QueryCache {
    u32 columns, columns_max;
    List used;   /* Opened, least recently used first */
    List tables; /* OpenedTable */
    Names *names;
    Names *more[RUN_DOMAINS_MAX]; /* of the other domains of a plain database */
};

static Opened *opened_of(List *node) { return LIST_ENTRY(node, Opened, link); }

/* ---- one column */

/* Files of a plain database may change under us, and have any domain. */
static Err check_column(const Column *c, const Part *p, u64 rows, const SchemaColumn *s,
                        const char *path)
{
    int type = schema_memory_type(s);
    if (c->rows != rows) {
        return fail(E_CORRUPT, "%s: %llu rows, but %s %llu", path, (unsigned long long)c->rows,
                    p->plain ? "the first column had" : "the view says", (unsigned long long)rows);
    }
    if (!p->plain && c->type == QT_ENUM && strcmp(c->domain, DOMAIN_NAME) != 0)
        return fail(E_UNSUPPORTED, "%s: symbols of the domain %s, not of %s", path, c->domain,
                    DOMAIN_NAME);
    if (column_fits(c, type)) return E_OK;
    return fail(E_CORRUPT, "%s: the column is %s, but %s %s%s", path, type_name(c->type),
                p->plain ? "the last partition has" : "the schema says", type_name(type),
                p->plain ? " (P-17)" : "");
}

Err opened_open(const Part *p, const PartTable *t, const SchemaColumn *c, Opened **out)
{
    Err err = E_OK;
    char path[BOUND_PATH_MAX];
    *out = NULL;
    int size = snprintf(path, sizeof path, "%s/%s/%s", p->path, t->name, c->name);
    if (size < 0 || (u64)size >= sizeof path)
        return fail(E_LIMIT, "%s: the path is too long", p->path);
    Opened *o = calloc(1, sizeof *o);
    if (o == NULL) return fail(E_MEMORY, "%s: no memory to open it", path);
    list_init(&o->link);
    err = column_open_on_need(&o->column, path);
    if (err == E_NOT_FOUND && !p->plain)
        err = fail(E_CORRUPT, "%s: the column's file is missing", path);
    if (err != E_OK) goto done;
    TRY(check_column(&o->column, p, __atomic_load_n(&t->rows, __ATOMIC_RELAXED), c, path));
    o->order = calloc(MAX(o->column.key_count, 1), sizeof *o->order);
    if (o->order == NULL) {
        err = fail(E_MEMORY, "%s: no memory to open it", path);
        goto done;
    }
    *out = o;
    o = NULL;
done:
    opened_close(o);
    return err;
}

void opened_close(Opened *o)
{
    if (o == NULL) return;
    column_close(&o->column);
    free(o->order);
    free(o);
}

/* ---- the cache */

Err run_cache_make(QueryCache **out, u32 columns_max)
{
    QueryCache *c = calloc(1, sizeof *c);
    *out = c;
    if (c == NULL) return fail(E_MEMORY, "no memory for the cache of open columns");
    c->columns_max = MAX(columns_max, 1);
    list_init(&c->used);
    list_init(&c->tables);
    return E_OK;
}

/* Takes a column out of the cache and unmaps it. */
static void evict(QueryCache *c, Opened *o)
{
    ASSERT(o->uses == 0 && o->home != NULL);
    *o->home = NULL;
    list_remove(&o->link);
    c->columns--;
    opened_close(o);
}

static void drop_table(QueryCache *c, OpenedTable *t)
{
    for (u32 i = 0; i < t->count; i++) {
        if (t->cols[i] != NULL) evict(c, t->cols[i]);
    }
    t->table->opened = NULL;
    list_remove(&t->link);
    free(t);
}

void run_cache_free(QueryCache *c)
{
    if (c == NULL) return;
    while (!list_empty(&c->tables))
        drop_table(c, LIST_ENTRY(c->tables.next, OpenedTable, link));
    ASSERT(c->columns == 0);
    names_drop(c->names);
    for (u32 i = 0; i < RUN_DOMAINS_MAX; i++)
        names_drop(c->more[i]);
    free(c);
}

void run_cache_forget(QueryCache *c, const Segment *s)
{
    for (u32 i = 0; i < s->part_count; i++) {
        for (u32 j = 0; j < s->parts[i].table_count; j++) {
            OpenedTable *t = s->parts[i].tables[j].opened;
            if (t != NULL) drop_table(c, t);
        }
    }
}

Opened *opened_find(QueryCache *c, const PartTable *t, u32 column)
{
    OpenedTable *table = t->opened;
    Opened *o = table != NULL && column < table->count ? table->cols[column] : NULL;
    if (o == NULL) return NULL;
    o->uses++;
    list_remove(&o->link);
    list_append(&c->used, &o->link);
    return o;
}

/* Cuts the cache to its length. */
static void trim(QueryCache *c)
{
    List *it = c->used.next;
    while (c->columns > c->columns_max && it != &c->used) {
        Opened *o = opened_of(it);
        it = it->next;
        if (o->uses == 0) evict(c, o);
    }
}

void opened_release(QueryCache *c, Opened *o)
{
    ASSERT(o->uses > 0 && c->columns <= c->columns_max);
    o->uses--;
}

void opened_give(QueryCache *c, PartTable *t, u32 column_count, u32 column, Opened *o)
{
    OpenedTable *table = t->opened;
    if (table == NULL) {
        table = calloc(1, sizeof *table + column_count * sizeof table->cols[0]);
        if (table == NULL) {
            opened_close(o);
            return;
        }
        table->table = t;
        table->count = column_count;
        list_append(&c->tables, &table->link);
        t->opened = table;
    }
    if (column >= table->count || table->cols[column] != NULL) {
        opened_close(o);
        return;
    }
    table->cols[column] = o;
    o->home = &table->cols[column];
    list_append(&c->used, &o->link);
    c->columns++;
    if (c->columns > c->columns_max) trim(c);
}

u32 opened_max(const QueryCache *c) { return c->columns_max; }

Err opened_names(QueryCache *c, const Domain *d, Names **names)
{
    return names_take(&c->names, d, names);
}

Err opened_more_names(QueryCache *c, u32 at, const Domain *d, Names **names)
{
    ASSERT(at < RUN_DOMAINS_MAX);
    return names_take(&c->more[at], d, names);
}
