/*
 * rights: asks the kernel before anything is touched, so that neither an import fails half way (it
 * would be taken back) nor a manager finds out with the first new symbol.
 *
 *     the database's folder and the one around it   it is renamed
 *     sym                                           new symbols are added to it
 *     folders of par.txt                            partitions that newer ones replace are removed
 *     partitions and tables                         only those that lack tables or columns
 *
 * Partitions that this user may not write to can be read for ever, and replaced: their old folders
 * stay then.
 */
#include "upkeep/rights.h"

#include <string.h>

#include "os/dir.h"

static Err must_write(Survey *s, const char *path, const char *why)
{
    bool may = false;
    Err err = dir_may_write(path, &may);
    if (err == E_OK && !may)
        note_bad(&s->notes, path, "rights", "this user may not write to it: %s", why);
    return err;
}

static Err check_part(Survey *s, const SurveyPart *p)
{
    Err err = E_OK;
    Arena a = {0};
    bool makes = false;
    for (u32 i = 0; i < p->table_count; i++) {
        const InspectTable *t = &p->tables[i];
        makes |= t->make;
        if (t->make || t->add_count == 0) continue;
        TRY(must_write(s, dir_join(&a, p->path, t->name, NULL), "columns that it lacks are made"));
    }
    if (makes) TRY(must_write(s, p->path, "tables that it lacks are made"));
done:
    arena_free(&a);
    return err;
}

Err rights_check(Survey *s)
{
    Err err = E_OK;
    const Plain *p = &s->plain;
    TRY(must_write(s, s->real_source, "it is renamed, and will be the manager's"));
    TRY(must_write(s, dir_join(&s->memory, s->real_source, "..", NULL), "the database is renamed"));
    if (s->sym_size > 0)
        TRY(must_write(s, dir_join(&s->memory, p->path, "sym", NULL), "new symbols are added"));
    for (u32 i = 0; i < p->segment_count; i++)
        if (p->segments[i].line > 0)
            TRY(must_write(s, p->segments[i].path, "partitions that are replaced are removed"));
    for (u32 i = 0; i < s->part_count; i++)
        TRY(check_part(s, &s->parts[i]));
done:
    return err;
}
