/*
 * unlisted: the newest partition is the model of all for a kdb+ process, so a table that it lacks
 * is seen nowhere. Each new date therefore has all tables that the newest one has, if only without
 * rows. Their columns are told by the files themselves.
 */
#include "writedown/unlisted.h"

#include <string.h>

#include "os/dir.h"

const Part *unlisted_model(const View *v)
{
    for (u32 i = v->date_seg_count; i > 0; i--) {
        const Segment *s = v->date_segs[i - 1];
        if (s->part_count > 0) return &s->parts[s->part_count - 1];
    }
    return NULL;
}

/* A column's type as a schema says it. */
static int schema_type(int type)
{
    if (type == QT_ENUM) return QT_SYMBOL;
    if (type == QT_NESTED + QT_ENUM) return QT_NESTED + QT_SYMBOL;
    return type == QT_NESTED ? QT_LIST : type;
}

static Err read_schema(const char *path, const char *name, Arena *a, Schema *s)
{
    Err err = E_OK;
    Splay splay = {0};
    TRY(splay_open(&splay, path));
    splay_on_need(&splay);
    *s = (Schema){.name = name, .prtn = -1, .updated = -1, .column_count = splay.column_count};
    s->columns = arena_array(a, SchemaColumn, s->column_count + 1);
    for (u32 i = 0; i < s->column_count; i++) {
        const Column *c = NULL;
        TRY(splay_column(&splay, splay.names[i], UINT64_MAX, &c));
        s->columns[i] =
            (SchemaColumn){.name = arena_text(a, splay.names[i], strlen(splay.names[i])),
                           .type = schema_type(c->type)};
    }
    TRY(splay_intact(&splay));
    schema_seal(s);
done:
    splay_close(&splay);
    return err;
}

Err unlisted_empty(const Part *model, const PartTable *table, const char *path, SumList *sums,
                   PartTable *made)
{
    Err err = E_OK;
    Arena a = {0};
    Schema s;
    SplayOut out = {0};
    TRY(read_schema(dir_join(&a, model->path, table->name, NULL), table->name, &a, &s));
    TRY(splay_out_open(&out, dir_join(&a, path, table->name, NULL), &s, PLACE_DISK, 0));
    TRY(splay_out_sums(&out, sums));
    TRY(splay_out_finish(&out));
    *made = (PartTable){.name = table->name,
                        .bytes = out.bytes,
                        .time_min = INT64_MAX,
                        .time_max = INT64_MIN,
                        .schema_hash = table->schema_hash};
done:
    splay_out_drop(&out);
    arena_free(&a);
    return err;
}
