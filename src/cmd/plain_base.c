/*
 * plain_base: the source of queries over a plain view. Its cache of open columns is its own and
 * goes with it, so a reload forgets everything that was mapped.
 */
#include "cmd/plain_base.h"

#include <stdlib.h>

#include "cmd/check_view.h"
#include "os/proc.h"
#include "query/getdata.h"

#define PLAIN_BASE_COLUMNS_MAX 32768 /* mapped columns kept open */

static void fill_source(PlainBase *b)
{
    QuerySource *s = &b->source;
    static Domain none; /* of a database without symbols: empty, and nobody writes to it */
    s->tables = &b->db->tables;
    s->views = &b->db->cache;
    s->view = b->db->view;
    s->domain = b->db->domain_count > 0 ? &b->db->domains[0] : &none;
    s->domain_name = b->db->domain_count > 0 ? b->db->domain_names[0] : "";
    s->dates = true;
    s->threads = proc_cpus();
    s->more_names = b->db->domain_names + 1;
    for (u32 i = 1; i < b->db->domain_count; i++)
        s->more[s->more_count++] = &b->db->domains[i];
}

/* The base folder of a managed database is none: its parts stand below, and what is newest is told
 * by `current`. */
static Err refuse_managed(const char *folder)
{
    Arena a = {0};
    Str assembly = {0}, tier = {0}, id = {0};
    bool managed = check_view_marker(folder, &a, &assembly, &tier, &id);
    arena_free(&a);
    if (!managed) return E_OK;
    return fail(E_USAGE, "%s belongs to a managed database: give its assembly file, or %s/current",
                folder, folder);
}

Err plain_base_open(PlainBase **out, const char *folder, u64 number)
{
    Err err = E_OK;
    *out = NULL;
    PlainBase *b = calloc(1, sizeof *b);
    if (b == NULL) return fail(E_MEMORY, "%s: no memory to open it", folder);
    b->uses = 1;
    TRY(refuse_managed(folder));
    TRY(plain_view_open(&b->db, folder));
    b->db->view->number = number;
    TRY(run_cache_make(&b->source.cache, PLAIN_BASE_COLUMNS_MAX));
    fill_source(b);
    *out = b;
    b = NULL;
done:
    plain_base_release(b);
    return err;
}

void plain_base_release(PlainBase *b)
{
    if (b == NULL || --b->uses > 0) return;
    run_cache_free(b->source.cache);
    plain_view_close(b->db);
    free(b);
}

Err plain_base_get(PlainBase *b, const Value *args, Arena *a, Value *table)
{
    Run *run = NULL;
    Request *r = arena_new(a, Request);
    Err err = getdata_parse(args, &b->db->tables, a, r);
    if (err == E_OK) err = run_prepare(&b->source, r, a, &run);
    if (err != E_OK) return err;
    err = run_execute(run, table);
    run_finish(run, NULL);
    return err;
}
