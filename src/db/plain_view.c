/*
 * plain_view: from what the walk found to schemas and parts.
 *
 *     domains   every list of symbols in the root; those above a single table
 *     schemas   partitioned tables with the virtual column first, splayed ones, tables in files
 *     view      segments of PLAIN_VIEW_PARTS partitions in order of their values, then the root
 *
 * The partition column of a schema is the table's first timestamp column; in a database by date a
 * table without one has its first column of times of the day in its place. A name that stands twice
 * (a partitioned table and one in the root) is the partitioned table's, as in a q session, which
 * loads partitions last.
 */
#include "db/plain_view.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "db/plain_object.h"
#include "q/temporal.h"

#define PLAIN_VIEW_PARTS  256
#define PLAIN_VIEW_TABLES (1u << 22) /* tables times partitions */

/* ---- domains */

static const Domain *find_domain(void *arg, const char *name)
{
    const PlainView *v = arg;
    for (u32 i = 0; i < v->domain_count; i++)
        if (strcmp(v->domain_names[i], name) == 0) return &v->domains[i];
    return NULL;
}

DomainSet plain_view_domains(PlainView *v) { return (DomainSet){.find = find_domain, .arg = v}; }

static Err load_domain(PlainView *v, const char *name, const char *path)
{
    if (v->domain_count == PLAIN_VIEW_DOMAINS_MAX)
        return fail(E_LIMIT, "%s: more than %d domains", path, PLAIN_VIEW_DOMAINS_MAX);
    Domain d = {0};
    Err err = domain_open(&d, path, UINT64_MAX);
    if (err != E_OK) return err;
    u32 at = v->domain_count++;
    if (strcmp(name, "sym") == 0 && at > 0) { /* the first is asked most */
        v->domains[at] = v->domains[0];
        v->domain_names[at] = v->domain_names[0];
        at = 0;
    }
    v->domains[at] = d;
    v->domain_names[at] = name;
    return E_OK;
}

static Err load_domains(PlainView *v)
{
    const Plain *p = &v->plain;
    for (u32 i = 0; i < p->object_count; i++) {
        const PlainObject *o = &p->objects[i];
        if (o->form != PLAIN_SYMBOLS) continue;
        Err err = load_domain(v, o->name, o->path);
        if (err != E_OK) return err;
    }
    for (u32 i = 0; p->kind == PLAIN_FLAT && i < p->splayed_count; i++) {
        for (u32 k = 0; k < p->splayed[i].column_count; k++) {
            const char *name = p->splayed[i].columns[k].domain;
            char *path = NULL;
            if (name == NULL || find_domain(v, name) != NULL) continue;
            Err err = plain_above(p->path, name, &v->memory, &path);
            if (err == E_OK && path != NULL) err = load_domain(v, name, path);
            if (err != E_OK) return err;
        }
    }
    return E_OK;
}

/* ---- schemas */

int plain_view_type(const PlainColumn *c)
{
    if (c->type == PLAIN_UNKNOWN || c->type == QT_NESTED) return QT_LIST;
    if (c->type == QT_ENUM) return QT_SYMBOL;
    if (c->type == QT_NESTED + QT_ENUM) return QT_NESTED + QT_SYMBOL;
    return c->type;
}

/* The first column that tells a time of the day; 0 when none does. */
static u32 find_of_day(const Schema *s)
{
    for (u32 i = 1; i < s->column_count; i++) {
        int t = s->columns[i].type;
        if (t == QT_TIME || t == QT_TIMESPAN || t == QT_SECOND || t == QT_MINUTE) return i;
    }
    return 0;
}

static void add_schema(PlainView *v, Schema *s)
{
    for (u32 i = 0; i < s->column_count && s->prtn < 0; i++)
        if (s->columns[i].type == QT_TIMESTAMP) s->prtn = (i32)i;
    if (s->prtn < 0 && s->has_virtual && v->plain.kind == PLAIN_DATE) s->of_day = find_of_day(s);
    schema_seal(s);
    v->tables.tables[v->tables.count++] = s;
}

static bool has_column(const PlainTable *t, const char *name)
{
    for (u32 i = 0; i < t->column_count; i++)
        if (strcmp(t->columns[i].name, name) == 0) return true;
    return false;
}

/* A splayed table's schema; `kind` is that of its partitions. */
static void take_table(PlainView *v, const PlainTable *t, PlainKind kind)
{
    Schema *s = arena_new(&v->memory, Schema);
    const char *name = plain_virtual(kind);
    s->name = t->name;
    s->kind = kind == PLAIN_FLAT ? TABLE_SPLAYED : TABLE_PARTITIONED;
    s->prtn = s->updated = -1;
    s->columns = arena_array(&v->memory, SchemaColumn, t->column_count + 1);
    if (kind != PLAIN_FLAT && !has_column(t, name)) {
        s->columns[s->column_count++] =
            (SchemaColumn){.name = name, .type = plain_virtual_type(kind)};
        s->has_virtual = true;
    }
    for (u32 i = 0; i < t->column_count; i++) {
        const PlainColumn *from = &t->columns[i];
        if (schema_find(s, str_of(from->name)) >= 0) continue; /* `.d` names it twice */
        SchemaColumn *to = &s->columns[s->column_count++];
        *to = (SchemaColumn){.name = from->name, .type = plain_view_type(from)};
        to->attr[PLACE_DISK] = from->attr;
        to->anymap = to->type == QT_LIST;
        if (from->type == PLAIN_UNKNOWN) to->unreadable = from->why;
    }
    add_schema(v, s);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(Schema *const *)a)->name, (*(Schema *const *)b)->name);
}

/* ---- parts */

static Segment *add_segment(PlainView *v, u32 part_count)
{
    View *view = v->view;
    Segment *s = view_segment_make(&v->cache, PART_DATE, (i32)view->date_seg_count, 0);
    s->parts = arena_array(&s->memory, Part, part_count + 1);
    s->uses = 1;
    view->date_segs[view->date_seg_count++] = s;
    return s;
}

/* The next part of a segment, with room for tables. */
static Part *add_part(Segment *s, const char *path, u32 table_count)
{
    Part *part = &s->parts[s->part_count++];
    *part = (Part){.kind = PART_DATE,
                   .path = path,
                   .plain = true,
                   .span_from = INT64_MIN,
                   .span_to = INT64_MAX};
    part->tables = arena_array(&s->memory, PartTable, table_count + 1);
    return part;
}

static void add_part_table(Part *part, const char *name, u64 rows)
{
    part->tables[part->table_count++] =
        (PartTable){.name = name, .rows = rows, .time_min = INT64_MIN, .time_max = INT64_MAX};
}

static i64 first_ns(i64 day)
{
    i64 ns;
    if (__builtin_mul_overflow(day, TEMPORAL_DAY_NS, &ns)) return day < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

static void take_part(PlainView *v, Segment *s, const PlainPart *from)
{
    const Plain *p = &v->plain;
    i64 first = 0, next = 0;
    Part *part = add_part(s, from->path, p->table_count);
    part->value = from->value;
    if (p->kind == PLAIN_DATE) part->key = part->day = (i32)from->value;
    if (plain_days(p->kind, from->value, &first, &next)) {
        part->span_from = first_ns(first);
        part->span_to = first_ns(next);
    }
    for (u32 i = 0; i < p->table_count; i++)
        add_part_table(part, p->tables[i].name, PART_UNCOUNTED);
}

static Err take_parts(PlainView *v)
{
    const Plain *p = &v->plain;
    u64 segments = p->part_count / PLAIN_VIEW_PARTS + p->object_count + 3ull;
    if ((u64)p->part_count * p->table_count > PLAIN_VIEW_TABLES)
        return fail(E_LIMIT, "%s: %u partitions of %u tables are more than %u in all", p->path,
                    p->part_count, p->table_count, PLAIN_VIEW_TABLES);
    v->view->date_segs = arena_array(&v->view->memory, Segment *, segments);
    for (u32 i = 0; i < p->part_count; i += PLAIN_VIEW_PARTS) {
        u32 count = MIN(p->part_count - i, PLAIN_VIEW_PARTS);
        Segment *s = add_segment(v, count);
        for (u32 k = 0; k < count; k++)
            take_part(v, s, &p->parts[i + k]);
    }
    return E_OK;
}

/* ---- tables of the root */

static bool is_known(const PlainView *v, const char *name)
{
    return schema_table(&v->tables, str_of(name)) != NULL;
}

/* The folder above, for the root that is a table itself. */
static Err folder_above(PlainView *v, const char **path)
{
    char *whole = NULL;
    Err err = dir_absolute(v->plain.path, &v->memory, &whole);
    if (err != E_OK) return err;
    char *slash = strrchr(whole, '/');
    if (slash == NULL || slash[1] == 0) return fail(E_USAGE, "/ is no table");
    slash[slash == whole] = 0;
    *path = whole;
    return E_OK;
}

static Err take_splayed(PlainView *v)
{
    const Plain *p = &v->plain;
    const char *path = p->path;
    if (p->splayed_count == 0) return E_OK;
    if (p->single) {
        Err err = folder_above(v, &path);
        if (err != E_OK) return err;
    }
    Part *part = add_part(add_segment(v, 1), path, p->splayed_count);
    for (u32 i = 0; i < p->splayed_count; i++) {
        if (is_known(v, p->splayed[i].name)) continue;
        take_table(v, &p->splayed[i], PLAIN_FLAT);
        add_part_table(part, p->splayed[i].name, PART_UNCOUNTED);
    }
    return E_OK;
}

static Err take_objects(PlainView *v)
{
    const Plain *p = &v->plain;
    DomainSet domains = plain_view_domains(v);
    v->batches = arena_array(&v->memory, Batch *, p->object_count + 1);
    for (u32 i = 0; i < p->object_count; i++) {
        const PlainObject *o = &p->objects[i];
        Schema *s = NULL;
        Batch *b = NULL;
        if (o->form != PLAIN_TABLE && o->form != PLAIN_DICT) continue;
        if (is_known(v, o->name)) continue;
        Err err = plain_object_read(o, &domains, &v->memory, &s, &b);
        if (err == E_UNSUPPORTED) continue; /* it holds what no query reads */
        if (err != E_OK) return err;
        if (s == NULL) continue;
        v->batches[v->batch_count++] = b;
        add_schema(v, s);
        Part *part = add_part(add_segment(v, 1), p->path, 1);
        part->held = b;
        add_part_table(part, s->name, b->rows);
    }
    return E_OK;
}

/* ---- the whole */

Err plain_view_open(PlainView **out, const char *folder)
{
    Err err = E_OK;
    Arena memory = {0};
    *out = NULL;
    PlainView *v = arena_new(&memory, PlainView);
    v->memory = memory;
    view_cache_init(&v->cache, NULL);
    TRY(plain_open(&v->plain, folder));
    TRY(plain_refused(&v->plain));
    TRY(load_domains(v));
    TRY(view_empty(&v->cache, &v->view));
    v->view->plain = true;
    v->tables.tables =
        arena_array(&v->memory, Schema *,
                    v->plain.table_count + v->plain.splayed_count + v->plain.object_count + 1u);
    for (u32 i = 0; i < v->plain.table_count; i++)
        take_table(v, &v->plain.tables[i], v->plain.kind);
    TRY(take_parts(v));
    TRY(take_splayed(v));
    TRY(take_objects(v));
    if (v->tables.count > 1)
        qsort(v->tables.tables, v->tables.count, sizeof *v->tables.tables, by_name);
    *out = v;
    v = NULL;
done:
    plain_view_close(v);
    return err;
}

void plain_view_close(PlainView *v)
{
    if (v == NULL) return;
    if (v->view != NULL) view_close(&v->cache, v->view);
    view_cache_free(&v->cache);
    for (u32 i = 0; i < v->batch_count; i++)
        plain_object_free(v->batches[i]);
    for (u32 i = 0; i < v->domain_count; i++)
        domain_close(&v->domains[i]);
    plain_close(&v->plain);
    Arena memory = v->memory;
    arena_free(&memory);
}
