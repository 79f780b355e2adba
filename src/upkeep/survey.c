/*
 * survey: the walk of db/plain judged by what an import needs (storage-manager.md 15,
 * deephaven-lifecycle.md P-40..P-44).
 *
 *     walk      what plain found: its notes; the kind of partitions; segments and doubled dates
 *     domain    `sym`, which must be one that can grow
 *     parts     for each partition, in parallel: which tables stand in it, and each one's look
 *     sum       notes in the order of the partitions; what lacks in many is told once
 *
 * What lies beside the partitions in the database's folder (tables in one file, splayed tables,
 * other values) is not taken over: it stays where it is, in <hdb>/imported, and is named in a
 * warning.
 */
#include "upkeep/survey.h"

#include <inttypes.h>
#include <string.h>

#include "base/map.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/pool.h"
#include "q/temporal.h"

#define SURVEY_DAY_MAX 106751 /* days that nanoseconds reach, either way */

/* ---- the walk's findings */

static void take_notes(Survey *s)
{
    for (u32 i = 0; i < s->plain.note_count; i++) {
        const PlainNote *n = &s->plain.notes[i];
        bool harmless = n->weight == PLAIN_WARNS ||
                        (n->weight == PLAIN_BREAKS &&
                         (strcmp(n->rule, "load") == 0 || strcmp(n->rule, "P-05") == 0));
        if (harmless)
            note_warn(&s->notes, n->path, n->rule, "%s", n->text);
        else
            note_bad(&s->notes, n->path, n->rule, "%s", n->text);
    }
}

static void take_kind(Survey *s)
{
    const Plain *p = &s->plain;
    bool months = p->kind == PLAIN_MONTH || p->kind == PLAIN_YEAR;
    if (p->kind == PLAIN_FLAT)
        note_bad(&s->notes, p->path, "V-20", "there is no partition: nothing to import");
    if (p->kind == PLAIN_LONG)
        note_bad(&s->notes, p->path, "P-40",
                 "partitioned by number: no rule makes dates of numbers; publish its rows instead");
    if (months && !s->options.first_days)
        note_bad(&s->notes, p->path, "P-40",
                 "partitioned by %s: parts are dates here; --rule first-day files each %s under "
                 "its first day",
                 plain_virtual(p->kind), plain_virtual(p->kind));
    for (u32 i = 0; i < p->segment_count; i++) {
        if (p->segments[i].store)
            note_bad(&s->notes, p->path, "P-15", "object stores are not there yet: %s",
                     p->segments[i].path);
    }
}

/* Whether a configured table has this name. */
static bool is_table(const Survey *s, const char *name)
{
    return schema_table(&s->tables, str_of(name)) != NULL;
}

static void take_root(Survey *s)
{
    const Plain *p = &s->plain;
    for (u32 i = 0; i < p->splayed_count; i++) {
        const PlainTable *t = &p->splayed[i];
        if (is_table(s, t->name))
            note_bad(&s->notes, t->path, "P-21",
                     "a table of this name stands beside the partitions: rename one of them");
        else
            note_warn(&s->notes, t->path, "P-21",
                      "a splayed table beside the partitions: it stays a file of kdb+, in "
                      "<hdb>/imported, and is not part of the managed database");
    }
    for (u32 i = 0; i < p->object_count; i++) {
        const PlainObject *o = &p->objects[i];
        if (strcmp(o->name, "sym") == 0) continue;
        note_warn(&s->notes, o->path, "P-21",
                  "%s beside the partitions: it stays a file of kdb+, in <hdb>/imported, and is "
                  "not part of the managed database",
                  o->form == PLAIN_SYMBOLS ? "a domain"
                  : o->form == PLAIN_TABLE ? "a table"
                                           : "a value");
    }
}

/* Whether two files have the same bytes; not when they cannot be read. */
static bool same_bytes(const char *a, const char *b)
{
    FileMap x = {0}, y = {0};
    bool same = file_map(a, ~0ull, &x) == E_OK && file_map(b, ~0ull, &y) == E_OK &&
                x.size == y.size && (x.size == 0 || memcmp(x.data, y.data, x.size) == 0) &&
                !file_map_lost(&x) && !file_map_lost(&y);
    file_unmap(&x);
    file_unmap(&y);
    return same;
}

/* The first table that stands in two partitions with the same rows, as far as its columns' files
 * tell. */
static const char *same_table(const PlainPart *x, const PlainPart *y, Arena *a)
{
    PlainLook look = {0};
    if (plain_look(x, a, &look) != E_OK) return NULL;
    for (u32 i = 0; i < look.table_count; i++) {
        PlainTable t = {.path = dir_join(a, x->path, look.tables[i], NULL)};
        const char *other = dir_join(a, y->path, look.tables[i], NULL);
        if (plain_table_read(&t, a) != E_OK || t.rows == 0) continue;
        bool same = t.column_count > 0;
        for (u32 k = 0; k < t.column_count && same; k++)
            same = same_bytes(dir_join(a, t.path, t.columns[k].name, NULL),
                              dir_join(a, other, t.columns[k].name, NULL));
        if (same) return look.tables[i];
    }
    return NULL;
}

/* Dates that stand in several segments. */
static void take_doubles(Survey *s)
{
    const Plain *p = &s->plain;
    for (u32 i = 1; i < p->part_count; i++) {
        Arena a = {0};
        const PlainPart *x = &p->parts[i - 1], *y = &p->parts[i];
        const char *same = y->again ? same_table(x, y, &a) : NULL;
        if (same != NULL)
            note_bad(&s->notes, y->path, "P-42",
                     "table %s has the same rows as in %s: remove one of them", same, x->path);
        else if (y->again)
            note_bad(&s->notes, y->path, "P-09",
                     "%s stands in another segment too, %s: a part holds all of a date; join the "
                     "two into one folder first",
                     y->name, x->path);
        arena_free(&a);
    }
}

/* ---- the domain */

static Err take_domain(Survey *s, Domain *d)
{
    const char *path = dir_join(&s->memory, s->plain.path, "sym", NULL);
    DirKind kind = DIR_ABSENT;
    Err err = dir_kind(path, true, &kind);
    if (err != E_OK || kind == DIR_ABSENT) return err;
    if (kind != DIR_FILE) {
        note_bad(&s->notes, path, "P-07", "no file: the domain must be one");
        return E_OK;
    }
    err = domain_open(d, path, ~0ull);
    if (err != E_OK) {
        note_fail(&s->notes, path, "P-18");
        return err == E_MEMORY ? err : E_OK;
    }
    s->sym_size = d->size;
    if (d->zipped)
        note_bad(&s->notes, path, "P-18",
                 "the domain is compressed and cannot grow: write it uncompressed first");
    return E_OK;
}

/* ---- schemas */

/* A schema made of a table's columns, as far as they can be read. */
static Schema *make_schema(Arena *a, const PlainTable *t)
{
    Schema *s = arena_new(a, Schema);
    *s = (Schema){.name = t->name, .prtn = -1, .updated = -1, .column_count = t->column_count};
    s->columns = arena_array(a, SchemaColumn, t->column_count + 1);
    for (u32 i = 0; i < t->column_count; i++) {
        int type = t->columns[i].type;
        if (type == QT_ENUM) type = QT_SYMBOL;
        if (type == QT_NESTED + QT_ENUM) type = QT_NESTED + QT_SYMBOL;
        if (type == QT_NESTED || type == PLAIN_UNKNOWN) type = QT_LIST;
        s->columns[i] = (SchemaColumn){.name = t->columns[i].name, .type = type};
        if (s->prtn < 0 && type == QT_TIMESTAMP) s->prtn = (i32)i;
    }
    schema_seal(s);
    return s;
}

static void take_schemas(Survey *s)
{
    const SchemaSet *given = s->options.tables;
    u32 count = given != NULL ? given->count : s->plain.table_count;
    s->tables.tables = arena_array(&s->memory, Schema *, count + 1);
    for (u32 i = 0; i < count; i++) {
        if (given == NULL) {
            Schema *made = make_schema(&s->memory, &s->plain.tables[i]);
            if (made->prtn < 0)
                note_warn(&s->notes, s->plain.tables[i].path, "V-03",
                          "table %s has no timestamp column: an assembly cannot have it, and an "
                          "import must keep it unlisted",
                          made->name);
            s->tables.tables[s->tables.count++] = made;
        } else if (given->tables[i]->kind == TABLE_PARTITIONED) {
            s->tables.tables[s->tables.count++] = given->tables[i];
        }
    }
}

/* ---- parts */

typedef struct {
    Survey *survey;
    InspectFrame frame;
    u64 done;
    bool showing;
} Work;

/* Takes the tables that stand in a partition, those of the schemas first. */
static Err list_tables(const Work *w, SurveyPart *p, const PlainPart *part)
{
    PlainLook look = {0};
    const Survey *s = w->survey;
    Err err = plain_look(part, &p->memory, &look);
    if (err == E_MEMORY) return err;
    if (err != E_OK) note_fail(&p->notes, p->path, "P-03");
    p->tables = arena_array(&p->memory, InspectTable, s->tables.count + look.table_count + 1);
    for (u32 i = 0; i < s->tables.count; i++) {
        InspectTable *t = &p->tables[p->table_count++];
        *t = (InspectTable){.name = s->tables.tables[i]->name, .schema = s->tables.tables[i]};
        t->make = true;
        for (u32 k = 0; k < look.table_count; k++)
            t->make = t->make && strcmp(look.tables[k], t->name) != 0;
    }
    for (u32 k = 0; k < look.table_count; k++) {
        if (is_table(s, look.tables[k])) continue;
        p->tables[p->table_count++] = (InspectTable){.name = look.tables[k]};
    }
    for (u32 k = 0; k < look.foreign_count; k++)
        note_bad(&p->notes, dir_join(&p->memory, p->path, look.foreign[k], NULL), "P-06",
                 "no table: nothing else may stand in a partition");
    return E_OK;
}

static void show(Work *w)
{
    Survey *s = w->survey;
    u64 done = __atomic_add_fetch(&w->done, 1, __ATOMIC_RELAXED);
    if (s->options.progress == NULL || __atomic_exchange_n(&w->showing, true, __ATOMIC_ACQUIRE))
        return;
    s->options.progress(s->options.arg, done, s->part_count);
    __atomic_store_n(&w->showing, false, __ATOMIC_RELEASE);
}

static Err look_at(void *arg, u64 i)
{
    Work *w = arg;
    SurveyPart *p = &w->survey->parts[i];
    inspect_link(&w->frame, p->path, &p->notes);
    Err err = list_tables(w, p, &w->survey->plain.parts[i]);
    for (u32 k = 0; k < p->table_count && err == E_OK; k++) {
        InspectTable *t = &p->tables[k];
        if (t->make) continue;
        err = inspect_table(&w->frame, dir_join(&p->memory, p->path, t->name, NULL), p->time_min,
                            p->time_max, &p->memory, t, &p->notes);
    }
    show(w);
    return err;
}

/* The days that a partition stands for become the part's day and bounds. */
static void take_days(Survey *s, SurveyPart *p, const PlainPart *part)
{
    i64 from = 0, to = 0;
    if (!plain_days(s->plain.kind, part->value, &from, &to)) return;
    if (from < -SURVEY_DAY_MAX || to > SURVEY_DAY_MAX) {
        note_bad(&s->notes, p->path, "P-02", "no timestamp reaches this date");
        return;
    }
    p->day = (i32)from;
    p->time_min = from * TEMPORAL_DAY_NS;
    p->time_max = to * TEMPORAL_DAY_NS - 1;
}

static Err take_parts(Survey *s, const Domain *d)
{
    Work w = {.survey = s,
              .frame = {.source = s->plain.path,
                        .real_source = s->real_source,
                        .domain = d,
                        .deep = s->options.deep}};
    s->part_count = s->plain.part_count;
    s->parts = arena_array(&s->memory, SurveyPart, s->part_count + 1);
    for (u32 i = 0; i < s->part_count; i++) {
        const PlainPart *part = &s->plain.parts[i];
        SurveyPart *p = &s->parts[i];
        *p = (SurveyPart){.path = part->path, .name = part->name, .segment = part->segment};
        take_days(s, p, part);
    }
    return pool_run(s->part_count, 0, look_at, &w);
}

/* ---- the sum */

/* What lacks or is too much in several parts. */
typedef struct {
    const char *path, *what, *name;
    u64 count;
} Lack;

typedef struct {
    Map names;
    Lack *list;
    u32 count, room;
    Arena memory;
} Lacks;

static void lack(Lacks *l, const char *path, const char *what, const char *name)
{
    const char *key = arena_format(&l->memory, "%s %s", what, name);
    i32 at = map_find(&l->names, str_of(key));
    if (at < 0) {
        if (l->count == l->room) {
            Lack *list = arena_array(&l->memory, Lack, 2 * l->room + 16);
            if (l->count > 0) memcpy(list, l->list, l->count * sizeof *list);
            l->list = list;
            l->room = 2 * l->room + 16;
        }
        at = (i32)l->count++;
        map_put(&l->names, str_of(key), at);
        l->list[at] =
            (Lack){.path = path, .what = what, .name = arena_text(&l->memory, name, strlen(name))};
    }
    l->list[at].count++;
}

static void sum_part(Survey *s, SurveyPart *p, Lacks *l)
{
    Arena a = {0};
    note_join(&s->notes, &p->notes);
    for (u32 i = 0; i < p->table_count; i++) {
        const InspectTable *t = &p->tables[i];
        if (t->make) lack(l, p->path, "table", t->name);
        if (t->schema == NULL) lack(l, p->path, "unlisted", t->name);
        for (u32 k = 0; k < t->add_count; k++)
            lack(l, p->path, "column", arena_format(&a, "%s.%s", t->name, t->add[k]));
        s->fills += t->make || t->add_count > 0;
        s->rows += t->rows;
        s->bytes += t->bytes;
        s->table_count++;
    }
    arena_free(&a);
}

static void tell_lacks(Survey *s, const Lacks *l)
{
    for (u32 i = 0; i < l->count; i++) {
        const Lack *k = &l->list[i];
        bool unlisted = strcmp(k->what, "unlisted") == 0;
        if (!unlisted)
            note_warn(&s->notes, k->path, "P-17",
                      "%s %s is missing here%s: it is filled with %s (%" PRIu64 " in all)", k->what,
                      k->name, k->count > 1 ? " and in other partitions" : "",
                      strcmp(k->what, "table") == 0 ? "an empty table" : "nulls", k->count);
        else if (s->options.keep_unlisted)
            note_warn(&s->notes, k->path, "P-17",
                      "table %s is not in the assembly: it is kept as it is, for kdb+ (%" PRIu64
                      " partitions)",
                      k->name, k->count);
        else
            note_bad(&s->notes, k->path, "P-17",
                     "table %s is not in the assembly (%" PRIu64
                     " partitions): add it, or keep it as it is with --keep-unlisted",
                     k->name, k->count);
    }
}

static void sum(Survey *s)
{
    Lacks lacks = {0};
    for (u32 i = 0; i < s->part_count; i++)
        sum_part(s, &s->parts[i], &lacks);
    tell_lacks(s, &lacks);
    map_free(&lacks.names);
    arena_free(&lacks.memory);
}

Err survey_run(Survey *s, const SurveyOptions *options)
{
    Err err = E_OK;
    Domain d = {0};
    *s = (Survey){.options = *options};
    TRY(plain_open(&s->plain, options->source));
    TRY(dir_resolve(options->source, &s->memory, &s->real_source));
    take_notes(s);
    take_kind(s);
    take_schemas(s);
    take_root(s);
    take_doubles(s);
    TRY(take_domain(s, &d));
    TRY(take_parts(s, &d));
    sum(s);
done:
    domain_close(&d);
    return err;
}

void survey_close(Survey *s)
{
    for (u32 i = 0; i < s->part_count; i++) {
        note_free(&s->parts[i].notes);
        arena_free(&s->parts[i].memory);
    }
    note_free(&s->notes);
    plain_close(&s->plain);
    arena_free(&s->memory);
    *s = (Survey){0};
}
