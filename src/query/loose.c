/*
 * loose: counting, opening, and what stands for columns without a file.
 *
 * A part has the rows of the first column that its own `.d` names, as kdb+ counts since 3.3
 * (kdb-files.md 8.4); when its file is lost, of the first that is there. The number is kept in the
 * view's PartTable; queries on several threads may both count and store the same.
 *
 * A column without a file is SCAN_CONST: one block of its value for all rows. Nulls are the plan's,
 * one block a slot; the value of the part's folder is the column's own block, of no more elements
 * than the part has rows.
 */
#include "query/loose.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "os/dir.h"
#include "table/splay.h"

#define DOMAIN_NAME "sym" /* when the source does not say */
#define LOOSE_EDGES 2     /* filters at most: where a request begins, and where it ends */

/* A domain by name, for symbols that stand in lists. */
static const Domain *find_loaded(void *arg, const char *name)
{
    const Plan *p = arg;
    if (strcmp(name, p->domain_name) == 0) return &p->loaded[0];
    for (u32 i = 0; i < p->more_count; i++)
        if (strcmp(name, p->more_domains[i]) == 0) return &p->loaded[i + 1];
    return NULL;
}

Err loose_make(Plan *p, const QuerySource *s)
{
    Err err = E_OK;
    p->domain_name = s->domain_name == NULL ? DOMAIN_NAME : s->domain_name;
    p->virtual_slot = p->schema->has_virtual ? p->slot_of[0] : -1;
    p->more_domains = s->more_names;
    p->more = arena_array(p->arena, Names *, s->more_count + 1);
    for (u32 i = 0; i < s->more_count; i++) {
        TRY(opened_more_names(s->cache, i, s->more[i], &p->more[i]));
        p->more_count++;
    }
    p->domains = (DomainSet){.find = find_loaded, .arg = p};
    p->loaded = arena_array(p->arena, Domain, p->more_count + 1);
    p->loaded[0] = (Domain){.count = p->names->count, .ids = p->names->ids};
    for (u32 i = 0; i < p->more_count; i++)
        p->loaded[i + 1] = (Domain){.count = p->more[i]->count, .ids = p->more[i]->ids};
    p->nulls = arena_array(p->arena, void *, p->slot_count + 1);
    for (u32 i = 0; i < p->slot_count; i++) {
        int type = schema_memory_type(&p->schema->columns[p->slots[i]]);
        u32 width = type_width(type);
        if (type_is_nested(type)) continue;
        u8 *block = arena_alloc(p->arena, (u64)SCAN_BLOCK * width);
        for (u64 k = 0; type != QT_ENUM && k < SCAN_BLOCK; k++)
            type_null(type, block + k * width);
        p->nulls[i] = block;
    }
done:
    return err;
}

/* ---- edges */

/* Nanoseconds of one unit of a time of the day. */
static i64 unit_of(int type)
{
    switch (type) {
    case QT_TIME: return TEMPORAL_DAY_NS / 86400000;
    case QT_SECOND: return TEMPORAL_DAY_NS / 86400;
    case QT_MINUTE: return TEMPORAL_DAY_NS / 1440;
    default: return 1;
    }
}

/* The first unit of its day that does not lie before a time. */
static i64 first_unit(i64 time, i64 unit)
{
    i64 of_day = time - scan_day(temporal_day_of(time));
    return (of_day + unit - 1) / unit;
}

static void add_edge(Plan *p, i64 low, i64 high)
{
    i32 slot = p->slot_of[p->schema->of_day];
    p->filters[p->filter_count++] = (Expr){.kind = EXPR_RANGE,
                                           .slot = slot,
                                           .type = p->schema->columns[p->schema->of_day].type,
                                           .low = low,
                                           .high = high};
}

void loose_edges(Plan *p)
{
    const Request *r = p->request;
    p->edge_first = p->filter_count;
    if (p->schema->of_day == 0 || p->filter_count + LOOSE_EDGES > 64) return;
    int type = p->schema->columns[p->schema->of_day].type;
    bool wide = type_width(type) == 8;
    i64 unit = unit_of(type), most = wide ? INT64_MAX : INT32_MAX;
    if (r->start > INT64_MIN) add_edge(p, first_unit(r->start, unit), most);
    if (r->end < INT64_MAX)
        add_edge(p, wide ? -INT64_MAX : -INT32_MAX, first_unit(r->end, unit) - 1);
}

/* Of parts that do not hold the moment of an edge, its filter is satisfied. */
static void pass_edges(const Plan *p, ScanPiece *piece)
{
    const Part *part = piece->part;
    u32 at = p->edge_first;
    for (u32 k = 0; k < LOOSE_EDGES && at < p->filter_count; k++) {
        i64 edge = k == 0 ? p->request->start : p->request->end;
        if (edge == (k == 0 ? INT64_MIN : INT64_MAX)) continue;
        if (edge <= part->span_from || edge >= part->span_to) piece->passed |= (u64)1 << at;
        at++;
    }
}

/* ---- pruning */

/* Writes a part's value as an element of the virtual column. */
static void put_value(int type, i64 value, u8 *element)
{
    i32 narrow = (i32)value;
    if (type_width(type) == sizeof value)
        memcpy(element, &value, sizeof value);
    else
        memcpy(element, &narrow, sizeof narrow);
}

/* Whether the filters over the virtual column alone let a value pass. */
static Err test_value(const Plan *p, ScanPiece *piece, bool *passes)
{
    u8 element[8] = {0};
    int type = p->schema->columns[0].type;
    put_value(type, piece->part->value, element);
    for (u32 i = 0; i < p->filter_count && i < 64; i++) {
        const Expr *e = &p->filters[i];
        if (expr_slot(e) != p->virtual_slot) continue;
        ScanColumn *cols = arena_array(p->arena, ScanColumn, p->slot_count);
        cols[p->virtual_slot] = (ScanColumn){
            .form = SCAN_FIXED, .type = type, .width = type_width(type), .data = element};
        ScanPiece one = {.part = piece->part, .table = piece->table, .rows = 1, .cols = cols};
        u8 mask = 1;
        Err err = expr_narrow(e, &one, p->names, 0, 1, &mask);
        if (err != E_OK) return err;
        *passes = *passes && mask != 0;
        piece->passed |= (u64)1 << i;
    }
    return E_OK;
}

Err loose_prune(const Plan *p, ScanPiece *piece, bool *passes)
{
    const Request *r = p->request;
    const Part *part = piece->part;
    *passes = r->start < r->end && part->span_from < r->end && part->span_to > r->start;
    piece->time_from = p->time_from;
    piece->time_to = p->time_to;
    if (p->time_slot >= 0) {
        piece->time_check = p->time_from > INT64_MIN || p->time_to < INT64_MAX;
        piece->day_check = r->slice_from != r->slice_to;
        *passes = *passes && p->time_from < p->time_to;
    }
    pass_edges(p, piece);
    return *passes && p->virtual_slot >= 0 ? test_value(p, piece, passes) : E_OK;
}

/* ---- counting */

static Err join(char path[BOUND_PATH_MAX], const ScanPiece *piece, const char *name)
{
    int n = snprintf(path, BOUND_PATH_MAX, "%s/%s/%s", piece->part->path, piece->table->name, name);
    if (n < 0 || n >= BOUND_PATH_MAX)
        return fail(E_LIMIT, "%s: the path is too long", piece->part->path);
    return E_OK;
}

/* Reads a part's own `.d`; E_NOT_FOUND when the table is not there. */
static Err read_names(const ScanPiece *piece, Arena *a, char ***names, u32 *count)
{
    Err err = E_OK;
    char path[BOUND_PATH_MAX];
    DirKind kind = DIR_ABSENT;
    TRY(join(path, piece, ".d"));
    err = splay_read_names(path, a, names, count);
    if (err != E_NOT_FOUND) return err;
    path[strlen(path) - 3] = 0;
    TRY(dir_kind(path, true, &kind));
    if (kind == DIR_ABSENT) return fail(E_NOT_FOUND, "%s: there is no such table", path);
    err = fail(E_CORRUPT, "%s/.d is missing (P-03)", path);
done:
    return err;
}

static Err count_rows(ScanPiece *piece)
{
    Err err = E_OK;
    Arena scratch = {0};
    char path[BOUND_PATH_MAX];
    char **names = NULL;
    u32 count = 0;
    Column c = {0};
    PartTable *t = piece->table;
    piece->rows = __atomic_load_n(&t->rows, __ATOMIC_RELAXED);
    if (piece->rows != PART_UNCOUNTED) return E_OK;
    u64 rows = 0;
    err = read_names(piece, &scratch, &names, &count);
    bool absent = err == E_NOT_FOUND;
    if (!absent) TRY(err);
    err = absent || count == 0 ? E_OK : E_NOT_FOUND;
    for (u32 i = 0; i < count && err == E_NOT_FOUND; i++) {
        if (str_find(str_of(names[i]), '/') >= 0)
            TRY(fail(E_CORRUPT, "%s/%s/.d: a name that no file can have", piece->part->path,
                     t->name));
        TRY(join(path, piece, names[i]));
        err = column_open_on_need(&c, path);
        rows = c.rows;
    }
    if (err == E_NOT_FOUND) err = fail(E_CORRUPT, "%s: the column's file is missing", path);
    TRY(err);
    if (rows > BOUND_ROWS_MAX)
        TRY(fail(E_LIMIT, "%s/%s: more than %llu rows in one part", piece->part->path, t->name,
                 (unsigned long long)BOUND_ROWS_MAX));
    piece->rows = rows;
    __atomic_store_n(&t->rows, rows, __ATOMIC_RELAXED);
done:
    column_close(&c);
    arena_free(&scratch);
    return err;
}

/* ---- columns */

/* The same value in all rows: the block given, or nulls. */
static ScanColumn constant(const Plan *p, u32 slot, void *block)
{
    int type = schema_memory_type(&p->schema->columns[p->slots[slot]]);
    return (ScanColumn){.form = SCAN_CONST,
                        .type = type,
                        .width = type_width(type),
                        .data = block == NULL ? p->nulls[slot] : block,
                        .block = block};
}

static Err open_virtual(const Plan *p, ScanPiece *piece, u32 slot)
{
    int type = p->schema->columns[0].type;
    u32 width = type_width(type);
    u64 count = MIN(piece->rows, SCAN_BLOCK);
    u8 *block = malloc(count * width);
    if (block == NULL) return fail(E_MEMORY, "no memory for a column of a query");
    for (u64 i = 0; i < count; i++)
        put_value(type, piece->part->value, block + i * width);
    piece->cols[slot] = constant(p, slot, block);
    return E_OK;
}

/* The names of a column's domain in *names, NULL when they are the plan's; false when nobody has
 * loaded it. */
static bool names_of(const Plan *p, const Column *c, const Names **names)
{
    *names = NULL;
    if (c->type != QT_ENUM || strcmp(c->domain, p->domain_name) == 0) return true;
    for (u32 i = 0; i < p->more_count; i++) {
        *names = p->more[i];
        if (strcmp(c->domain, p->more_domains[i]) == 0) return true;
    }
    return false;
}

ScanColumn loose_take(const Plan *p, u32 slot, Opened *o)
{
    ScanColumn c = scan_of_part(&p->schema->columns[p->slots[slot]], o, false);
    (void)names_of(p, &o->column, &c.names);
    c.domains = &p->domains;
    return c;
}

/* A column whose file is not there: nulls when the part's own `.d` does not name it either. */
static Err open_absent(const Plan *p, ScanPiece *piece, u32 slot, const char *name)
{
    Err err = E_OK;
    Arena scratch = {0};
    char **names = NULL;
    u32 count = 0;
    TRY(read_names(piece, &scratch, &names, &count));
    for (u32 i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            TRY(fail(E_CORRUPT, "%s/%s/%s: the column's file is missing", piece->part->path,
                     piece->table->name, name));
    piece->cols[slot] = constant(p, slot, NULL);
done:
    arena_free(&scratch);
    return err;
}

static Err open_column(const Plan *p, ScanPiece *piece, u32 slot)
{
    const SchemaColumn *column = &p->schema->columns[p->slots[slot]];
    Opened *o;
    if (piece->rows == 0) {
        piece->cols[slot] = constant(p, slot, NULL);
        return E_OK;
    }
    if ((i32)slot == p->virtual_slot) return open_virtual(p, piece, slot);
    Err err = opened_open(piece->part, piece->table, column, &o);
    if (err == E_NOT_FOUND) return open_absent(p, piece, slot, column->name);
    if (err != E_OK) return err;
    piece->cols[slot] = scan_of_part(column, o, true);
    piece->cols[slot].domains = &p->domains;
    if (names_of(p, &o->column, &piece->cols[slot].names)) return E_OK;
    return fail(E_CORRUPT, "%s/%s/%s: its domain %s is not there (P-18)", piece->part->path,
                piece->table->name, column->name, o->column.domain);
}

Err loose_open(const Plan *p, ScanPiece *piece)
{
    Err err = E_OK;
    if (piece->part->held != NULL) return E_OK;
    TRY(count_rows(piece));
    for (u32 k = 0; k < p->slot_count; k++)
        if (piece->cols[k].form == SCAN_ABSENT && plan_wants(p, piece, k))
            TRY(open_column(p, piece, k));
done:
    return err;
}
