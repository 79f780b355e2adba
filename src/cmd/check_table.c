/*
 * check_table: the rules of one splayed table.
 *
 *     rule        what must hold
 *     names       `.d` is readable and names each column once; with a schema: these, in its order
 *     column      each column's file has a sound header, size and index
 *     rows        all columns have the same count, the manifest's when there is one
 *     type        columns have the schema's types
 *     domain      indices of enumerations are null or within the domain's prefix
 *     attribute   sorted columns ascend, runs and groups are where the index says
 *     size        the files have as many bytes as the manifest says
 *     time        times lie in the range that the manifest says, and in the part's day
 *     order       rows are in the order of the schema's sort keys
 *     stray       nothing else lies in the folder (a warning)
 *
 * Rows are looked at in place. What cannot be read any more is said once; checks that need it are
 * left out.
 */
#include "cmd/check_table.h"

#include <stdio.h>

#include "base/bounds.h"
#include "base/map.h"
#include "column/attr.h"
#include "os/dir.h"
#include "os/file.h"
#include "q/sort.h"
#include "q/symbol.h"
#include "q/temporal.h"
#include "table/splay.h"

#define CHECK_FILES_MAX (2 * BOUND_COLUMNS_MAX + 1024)

/* ---- domains */

/* Ranks of a domain's indices by name. */
static Err rank_domain(CheckTableDomains *d, const Domain *domain, u32 **out)
{
    Err err = E_OK;
    Arena scratch = {0};
    void *by_id = NULL, *rank = NULL;
    i32 ids = symbol_count();
    TRY(arena_try(&scratch, (u64)ids + 1, sizeof(u32), &by_id));
    TRY(arena_try(&d->memory, (u64)domain->count + 1, sizeof(u32), &rank));
    TRY(sort_symbol_ranks(domain->ids, (u64)domain->count, by_id, ids));
    *out = rank;
    for (i32 i = 0; i < domain->count; i++)
        (*out)[i] = ((u32 *)by_id)[domain->ids[i]];
done:
    arena_free(&scratch);
    return err;
}

Err check_table_domain(CheckTableDomains *d, const char *name, const char *path, u64 size)
{
    if (d->count == CHECK_TABLE_DOMAINS_MAX)
        return fail(E_LIMIT, "%s: more than %d domains", path, CHECK_TABLE_DOMAINS_MAX);
    Err err = domain_open(&d->all[d->count].domain, path, size);
    if (err != E_OK) return err;
    d->all[d->count].name = arena_text(&d->memory, name, strlen(name));
    err = rank_domain(d, &d->all[d->count].domain, &d->all[d->count].rank);
    d->count++;
    return err;
}

void check_table_domains_free(CheckTableDomains *d)
{
    for (u32 i = 0; i < d->count; i++)
        domain_close(&d->all[i].domain);
    arena_free(&d->memory);
    d->count = 0;
}

/* ---- files */

static char *file_of(CheckTable *t, const char *name)
{
    return dir_join(&t->findings.memory, t->path, name, NULL);
}

/* Whether `.d` names a column whose file or companion this is. */
static bool is_named(const Map *names, Str file)
{
    while (file.size > 0 && map_find(names, file) < 0 && file.data[file.size - 1] == '#')
        file.size--;
    return file.size > 0 && map_find(names, file) >= 0;
}

static void check_files(CheckTable *t, const Splay *s)
{
    Arena scratch = {0};
    Map names = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    Err err = dir_list(t->path, CHECK_FILES_MAX, &scratch, &e, &count);
    if (err != E_OK) findings_fail(&t->findings, t->path, "names", err);
    for (u32 i = 0; i < s->column_count; i++) {
        if (map_find(&names, str_of(s->names[i])) >= 0)
            note_bad(&t->findings, file_of(t, ".d"), "names", "column %s stands twice",
                     s->names[i]);
        map_put(&names, str_of(s->names[i]), (i32)i);
    }
    for (u64 i = 0; i < count && err == E_OK; i++) {
        File f = FILE_NONE;
        u64 size = 0;
        bool stray = strcmp(e[i].name, ".d") != 0 && !is_named(&names, str_of(e[i].name));
        if (stray)
            note_warn(&t->findings, file_of(t, e[i].name), "stray", "no column of the table");
        if (e[i].kind != DIR_FILE) continue;
        err = file_open(&f, file_of(t, e[i].name), FILE_READ);
        if (err == E_OK) err = file_size(&f, &size);
        if (err != E_OK) findings_fail(&t->findings, file_of(t, e[i].name), "column", err);
        file_drop(&f);
        t->files++;
        if (!stray) t->bytes += size;
    }
    if (t->told != NULL && err == E_OK && t->bytes != t->told->bytes)
        note_bad(&t->findings, t->path, "size", "%llu bytes, the manifest says %llu",
                 (unsigned long long)t->bytes, (unsigned long long)t->told->bytes);
    map_free(&names);
    arena_free(&scratch);
}

/* `.d` against the schema. */
static void check_names(CheckTable *t, const Splay *s)
{
    const Schema *schema = t->schema;
    if (schema == NULL) return;
    if (s->column_count != schema->column_count) {
        note_bad(&t->findings, file_of(t, ".d"), "names", "%u columns, the schema has %u",
                 s->column_count, schema->column_count);
        return;
    }
    for (u32 i = 0; i < s->column_count; i++)
        if (strcmp(s->names[i], schema->columns[i].name) != 0)
            note_bad(&t->findings, file_of(t, ".d"), "names", "column %u is %s, the schema has %s",
                     i, s->names[i], schema->columns[i].name);
}

/* ---- columns */

static const CheckTableDomains *no_domains(void)
{
    static const CheckTableDomains none;
    return &none;
}

/* The number of a column's domain, -1 when it is not there. */
static i32 domain_of(const CheckTable *t, const Column *c)
{
    const CheckTableDomains *d = t->domains == NULL ? no_domains() : t->domains;
    for (u32 i = 0; i < d->count; i++)
        if (strcmp(d->all[i].name, c->domain) == 0) return (i32)i;
    return -1;
}

/* Whether every index of an enumeration has a name. */
static bool check_indices(CheckTable *t, const char *name, const Column *c)
{
    i32 at = domain_of(t, c);
    if (at < 0) {
        note_bad(&t->findings, file_of(t, name), "domain", "its domain %s is not there", c->domain);
        return false;
    }
    i64 count = t->domains->all[at].domain.count;
    for (u64 i = 0; i < c->rows; i++) {
        i64 index = column_index(c, i);
        if (index == Q_NULL_LONG || (index >= 0 && index < count)) continue;
        note_bad(&t->findings, file_of(t, name), "domain",
                 "row %llu: index %lld, the domain has %lld names", (unsigned long long)i,
                 (long long)index, (long long)count);
        return false;
    }
    return true;
}

/* The key that sorts by a column; false when it cannot be sorted by. */
static bool sort_key(const CheckTable *t, const Column *c, SortKey *key)
{
    if (c->type == QT_ENUM) {
        i32 at = domain_of(t, c);
        if (at < 0 || t->domains->all[at].rank == NULL) return false;
        *key = (SortKey){
            .type = QT_ENUM, .data = c->data, .rank = t->domains->all[at].rank, .wide = c->wide};
        return true;
    }
    *key = (SortKey){.type = c->type, .data = c->data};
    return type_is_fixed(c->type) && c->type != QT_GUID;
}

static void check_attribute(CheckTable *t, const char *name, const Column *c)
{
    SortKey key;
    if (attr_check(c) != E_OK)
        findings_fail(&t->findings, file_of(t, name), "attribute", E_CORRUPT);
    if (c->attr != ATTR_SORTED || !sort_key(t, c, &key)) return;
    if (!sort_is_sorted(&key, 1, 0, c->rows))
        note_bad(&t->findings, file_of(t, name), "attribute",
                 "it says sorted, its elements do not ascend");
}

/* A row of a list column is sound; one of a `typed` column has its type. */
static Err check_list(const Column *c, u64 row, bool typed, Arena *a)
{
    const void *elements;
    u64 count;
    Value v;
    if (typed) return column_row(c, row, &elements, &count);
    return column_value(c, row, NULL, a, &v);
}

static void check_lists(CheckTable *t, u32 i, const char *name, const Column *c)
{
    Arena a = {0};
    int wanted = QT_NESTED;
    if (t->schema != NULL && i < t->schema->column_count)
        wanted = schema_memory_type(&t->schema->columns[i]);
    bool typed = wanted != QT_NESTED && wanted != QT_NESTED + QT_ENUM;
    for (u64 row = 0; row < c->rows; row++) {
        Err err = check_list(c, row, typed, &a);
        arena_reset(&a);
        if (err == E_OK) continue;
        findings_fail(&t->findings, file_of(t, name), "column", err);
        break;
    }
    arena_free(&a);
}

static void check_type(CheckTable *t, u32 i, const char *name, const Column *c)
{
    if (t->schema == NULL || i >= t->schema->column_count) return;
    int wanted = schema_memory_type(&t->schema->columns[i]);
    if (!column_fits(c, wanted))
        note_bad(&t->findings, file_of(t, name), "type", "%s, the schema has %s",
                 c->type == QT_ENUM ? "symbol" : type_name(c->type),
                 type_name(t->schema->columns[i].type));
}

/* Opens and checks every column; sound[i] tells that its elements may be looked at. */
static void check_columns(CheckTable *t, Splay *s, const Column **columns, bool *sound)
{
    u64 rows = t->told == NULL ? UINT64_MAX : t->told->rows;
    for (u32 i = 0; i < s->column_count; i++) {
        const char *name = s->names[i];
        const Column *c = NULL;
        t->names[i] = arena_text(&t->findings.memory, name, strlen(name));
        t->types[i] = -1;
        Err err = splay_column(s, name, UINT64_MAX, &c);
        if (err != E_OK) { /* in a part of ours stands no form that we cannot read */
            if (err == E_UNSUPPORTED && t->told != NULL) err = E_CORRUPT;
            findings_fail(&t->findings, file_of(t, name), "column", err);
            continue;
        }
        t->types[i] = c->type;
        columns[i] = c;
        if (rows == UINT64_MAX) rows = c->rows;
        if (c->rows != rows) {
            note_bad(&t->findings, file_of(t, name), "rows", "%llu rows, %s %llu",
                     (unsigned long long)c->rows,
                     t->told != NULL ? "the manifest says" : "the first column has",
                     (unsigned long long)rows);
            continue;
        }
        check_type(t, i, name, c);
        sound[i] = c->type != QT_ENUM || check_indices(t, name, c);
        if (sound[i]) check_attribute(t, name, c);
        if (type_is_nested(c->type)) check_lists(t, i, name, c);
    }
    t->rows = rows == UINT64_MAX ? 0 : rows;
}

/* ---- rows */

static void time_range(const Column *c, i64 *low, i64 *high)
{
    const i64 *times = c->data;
    *low = INT64_MAX;
    *high = INT64_MIN;
    for (u64 i = 0; i < c->rows; i++) {
        *low = MIN(*low, times[i]);
        *high = MAX(*high, times[i]);
    }
}

/* Whether all rows [from, to) fall on a day; says so when not. */
static void check_day(CheckTable *t, const char *name, const Column *c, u64 from, u64 to, i32 day)
{
    const i64 *times = c->data;
    for (u64 i = from; i < to; i++) {
        if (temporal_day_of(times[i]) == day) continue;
        char time[TEMPORAL_TEXT_MAX], date[TEMPORAL_TEXT_MAX];
        u32 time_size = temporal_format(QT_TIMESTAMP, times[i], time);
        u32 date_size = temporal_date_name(day, date);
        note_bad(&t->findings, file_of(t, name), "time", "row %llu: %.*s does not lie in %.*s",
                 (unsigned long long)i, (int)time_size, time, (int)date_size, date);
        return;
    }
}

/* The column that the manifest's times are of: the schema's, else the one whose range they are. */
static i32 time_column(const CheckTable *t, const Column **columns)
{
    if (t->schema != NULL) return t->schema->prtn;
    for (u32 i = 0; i < t->column_count; i++) {
        i64 low = 0, high = 0;
        if (columns[i] == NULL || columns[i]->type != QT_TIMESTAMP) continue;
        time_range(columns[i], &low, &high);
        if (low == t->told->time_min && high == t->told->time_max) return (i32)i;
    }
    return -1;
}

/* Whether a range of times begins and ends with a day. */
static bool is_by_day(const PartTable *told)
{
    return told->time_min % TEMPORAL_DAY_NS == 0 && (told->time_max + 1) % TEMPORAL_DAY_NS == 0;
}

static void check_times(CheckTable *t, const Column **columns, const bool *sound)
{
    i64 low = 0, high = 0;
    if (t->told == NULL || t->rows == 0) return;
    /* A table that the assembly never had, which a day job has carried over from an imported
     * part: its manifest says the bounds of the day. */
    if (t->schema == NULL && is_by_day(t->told)) return;
    i32 at = time_column(t, columns);
    if (at < 0 && t->schema != NULL) return; /* a table without times */
    if (at < 0) {
        note_bad(&t->findings, t->path, "time",
                 "no timestamp column has the range that the manifest says");
        return;
    }
    if ((u32)at >= t->column_count || !sound[at] || columns[at]->type != QT_TIMESTAMP) return;
    const Column *c = columns[at];
    const char *name = t->names[at];
    time_range(c, &low, &high);
    /* Of an imported part the manifest says the bounds of its day, month or year. */
    bool as_told = t->imported ? low >= t->told->time_min && high <= t->told->time_max
                               : low == t->told->time_min && high == t->told->time_max;
    if (!as_told)
        note_bad(&t->findings, file_of(t, name), "time",
                 "from %lld to %lld, the manifest says %lld to %lld", (long long)low,
                 (long long)high, (long long)t->told->time_min, (long long)t->told->time_max);
    for (u32 i = 0; t->late && i < t->told->slice_count; i++) {
        const PartSlice *s = &t->told->slices[i];
        check_day(t, name, c, s->from, MIN(s->to, c->rows), s->day);
    }
    if (!t->late && t->dated && !t->imported) check_day(t, name, c, 0, c->rows, t->day);
}

static void check_order(CheckTable *t, const Column **columns, const bool *sound)
{
    const Schema *s = t->schema;
    if (s == NULL || s->sort_count[t->place] == 0 || t->column_count != s->column_count) return;
    if (t->imported) return; /* its order is that of whoever wrote it */
    u32 count = s->sort_count[t->place];
    SortKey *keys = arena_array(&t->findings.memory, SortKey, count);
    for (u32 i = 0; i < count; i++) {
        u32 at = s->sort[t->place][i];
        if (!sound[at] || columns[at]->rows != t->rows || !sort_key(t, columns[at], &keys[i]))
            return;
    }
    bool ordered = true;
    u32 slices = t->late && t->told != NULL ? t->told->slice_count : 0;
    for (u32 i = 0; i < slices && ordered; i++)
        ordered = sort_is_sorted(keys, count, MIN(t->told->slices[i].from, t->rows),
                                 MIN(t->told->slices[i].to, t->rows));
    if (!t->late) ordered = sort_is_sorted(keys, count, 0, t->rows);
    if (!ordered)
        note_bad(&t->findings, t->path, "order",
                 "rows are not in the order of the schema's sort columns");
}

void check_table(CheckTable *t)
{
    Splay s;
    Arena scratch = {0};
    Err err = splay_open(&s, t->path);
    if (err != E_OK) {
        findings_fail(&t->findings, t->path, "names", err);
        return;
    }
    t->readable = true;
    t->column_count = s.column_count;
    t->names = arena_array(&t->findings.memory, const char *, s.column_count + 1);
    t->types = arena_array(&t->findings.memory, int, s.column_count + 1);
    const Column **columns = arena_array(&scratch, const Column *, s.column_count + 1);
    bool *sound = arena_array(&scratch, bool, s.column_count + 1);
    check_files(t, &s);
    check_names(t, &s);
    check_columns(t, &s, columns, sound);
    check_times(t, columns, sound);
    check_order(t, columns, sound);
    /* A file that was cut meanwhile was read as zeros: what they led to may stand there too. */
    if (splay_intact(&s) != E_OK) findings_fail(&t->findings, t->path, "column", E_CORRUPT);
    splay_close(&s);
    arena_free(&scratch);
}
