/*
 * infer: an assembly file proposed from a kdb+ database: its tables as they are found, and the rest
 * so that `silt config check` takes it.
 *
 * Types and attributes are those of the last partition, which is the model of all. What must be
 * guessed is guessed from the data and said in a comment: the partition column is the first
 * timestamp column; the order of rows is that of the parted column, and of the time within its
 * runs when it ascends there; of the time alone when nothing is parted and it ascends. What cannot
 * be said in an assembly (names that are reserved, partitioned tables without a timestamp) stands
 * there as a comment, so that nothing is lost silently.
 */
#include "cmd/infer.h"

#include <stdarg.h>
#include <stdio.h>

#include "cmd/config_table.h"
#include "cmd/options.h"
#include "cmd/talk.h"
#include "db/plain_view.h"
#include "os/guard.h"
#include "table/splay.h"

typedef struct {
    Buf out;
    const Plain *plain;
    const char *mark;    /* before each line of the table: "#" when it is commented out */
    const char *trouble; /* why it is, NULL = it is not */
    u32 partitioned;
} Infer;

/* ---- order */

static bool ascends(const i64 *times, u64 from, u64 to)
{
    for (u64 i = from + 1; i < to; i++)
        if (times[i] < times[i - 1]) return false;
    return true;
}

/* Whether times ascend in each run of equal elements of a parted or sorted column. */
static bool ascends_in_runs(const Column *runs, const Column *times)
{
    u32 width = runs->type == QT_ENUM ? (runs->wide ? 8 : 4) : type_width(runs->type);
    const u8 *data = runs->data;
    u64 from = 0;
    for (u64 i = 1; i <= runs->rows; i++) {
        if (i < runs->rows && memcmp(data + i * width, data + from * width, width) == 0) continue;
        if (!ascends(times->data, from, i)) return false;
        from = i;
    }
    return true;
}

/* The columns that rows are sorted by, as far as the model partition shows. E_CORRUPT when it is
 * cut meanwhile. */
static Err guess_order(const PlainTable *t, i32 lead, i32 prtn, bool *by_lead, bool *by_time)
{
    Splay s = {0};
    const Column *first = NULL, *times = NULL;
    *by_lead = lead >= 0;
    *by_time = false;
    u64 losses = guard_lost();
    Err err = splay_open(&s, t->path);
    if (err == E_OK && lead >= 0) err = splay_column(&s, t->columns[lead].name, UINT64_MAX, &first);
    if (err == E_OK && prtn >= 0) err = splay_column(&s, t->columns[prtn].name, UINT64_MAX, &times);
    if (err == E_OK && times != NULL && (first == NULL || first->rows == times->rows))
        *by_time =
            first == NULL ? ascends(times->data, 0, times->rows) : ascends_in_runs(first, times);
    if (err == E_OK || guard_lost() == losses) err = splay_intact(&s); /* else only a guess less */
    splay_close(&s);
    return err;
}

/* ---- text */

static Err line(Infer *n, const char *format, ...) PRINTF(2, 3);

static Err line(Infer *n, const char *format, ...)
{
    char text[8192];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return buf_format(&n->out, "%s%s\n", n->mark, text);
}

/* A name as a YAML text, in quotes when it is no plain word. */
static const char *quoted(Arena *a, const char *name)
{
    if (str_name_ok(str_of(name), true)) return name;
    char *out = arena_alloc(a, 4 * strlen(name) + 3), *p = out;
    *p++ = '"';
    for (const char *c = name; *c != 0; c++) {
        if ((u8)*c < ' ' || *c == 0x7f) {
            p += snprintf(p, 5, "\\x%02x", (u8)*c);
            continue;
        }
        if (*c == '"' || *c == '\\') *p++ = '\\';
        *p++ = *c;
    }
    *p++ = '"';
    *p = 0;
    return out;
}

/* The place of a column that can be in an assembly. */
static Err put_column(Infer *n, const PlainColumn *c)
{
    Err err = E_OK;
    Arena a = {0};
    int type = plain_view_type(c);
    const char *fault = config_table_column_fault(c->name);
    const char *attr = type_attr_name(c->attr);
    bool symbol = type == QT_SYMBOL && c->attr == ATTR_PARTED;
    bool attributed = c->attr != ATTR_NONE && type != QT_LIST && type < QT_NESTED;
    TRY(buf_format(&n->out, "%s      %s- {name: %s, type: %s", n->mark, fault == NULL ? "" : "# ",
                   quoted(&a, c->name), type == QT_LIST ? "\"\"" : type_name(type)));
    if (symbol) TRY(buf_text(&n->out, ", attrMem: grouped, attrOrd: parted"));
    if (attributed) TRY(buf_format(&n->out, ", attrDisk: %s", attr));
    TRY(buf_byte(&n->out, '}'));
    if (fault != NULL)
        TRY(buf_format(&n->out, " # not taken: the name %s", fault));
    else if (c->type == PLAIN_UNKNOWN)
        TRY(buf_text(&n->out, " # type not known: the column cannot be read"));
    else if (c->type == QT_LIST)
        TRY(buf_text(&n->out, " # type not known: the column is empty"));
    else if (c->type == QT_NESTED)
        TRY(buf_text(&n->out, " # items of several types, or empty lists"));
    else if (c->domain != NULL && strcmp(c->domain, "sym") != 0)
        TRY(buf_format(&n->out, " # its domain is %s", quoted(&a, c->domain)));
    TRY(buf_byte(&n->out, '\n'));
done:
    arena_free(&a);
    return err;
}

/* prtnCol and the sort columns of a partitioned table. */
static Err put_order(Infer *n, const PlainTable *t, i32 prtn)
{
    Err err = E_OK;
    Arena a = {0};
    i32 lead = -1;
    bool by_lead, by_time;
    const char *time = quoted(&a, t->columns[prtn].name);
    for (u32 i = 0; i < t->column_count && lead < 0; i++)
        if (t->columns[i].attr == ATTR_PARTED) lead = (i32)i;
    TRY(guess_order(t, lead, prtn, &by_lead, &by_time));
    TRY(buf_format(&n->out, "%s    prtnCol: %s", n->mark, time));
    for (u32 i = (u32)prtn + 1, more = 0; i < t->column_count; i++)
        if (t->columns[i].type == QT_TIMESTAMP)
            TRY(buf_format(&n->out, "%s %s", more++ == 0 ? " # a guess: or" : ",",
                           quoted(&a, t->columns[i].name)));
    TRY(buf_byte(&n->out, '\n'));
    const char *first = by_lead ? quoted(&a, t->columns[lead].name) : "";
    const char *comma = by_lead && by_time ? ", " : "", *second = by_time ? time : "";
    if (!by_lead && !by_time)
        TRY(line(n, "    # order not known: nothing is parted, and %s does not ascend", time));
    for (u32 i = 0; (by_lead || by_time) && i < 2; i++)
        TRY(line(n, "    %s: [%s%s%s]", i == 0 ? "sortColsOrd" : "sortColsDisk", first, comma,
                 second));
done:
    arena_free(&a);
    return err;
}

/* The first timestamp column that an assembly can name, -1 = none. */
static i32 time_column(const PlainTable *t)
{
    for (u32 i = 0; i < t->column_count; i++)
        if (t->columns[i].type == QT_TIMESTAMP &&
            config_table_column_fault(t->columns[i].name) == NULL)
            return (i32)i;
    return -1;
}

/* Whether a table has a column that an assembly can name. */
static bool has_columns(const PlainTable *t)
{
    for (u32 i = 0; i < t->column_count; i++)
        if (config_table_column_fault(t->columns[i].name) == NULL) return true;
    return false;
}

static Err put_table(Infer *n, const PlainTable *t, const char *kind)
{
    Err err = E_OK;
    Arena a = {0};
    bool partitioned = strcmp(kind, "partitioned") == 0;
    i32 prtn = partitioned ? time_column(t) : -1;
    n->trouble = config_table_name_fault(t->name);
    if (n->trouble == NULL && !has_columns(t)) n->trouble = "has no column that can be managed";
    if (n->trouble == NULL && partitioned && prtn < 0)
        n->trouble = "has no timestamp column, which managed tables are partitioned by";
    n->mark = n->trouble == NULL ? "" : "#";
    if (n->trouble != NULL)
        TRY(buf_format(&n->out, "\n# Not taken: %s %s.\n", quoted(&a, t->name), n->trouble));
    else
        TRY(buf_byte(&n->out, '\n'));
    n->partitioned += partitioned && n->trouble == NULL;
    TRY(line(n, "  %s:", quoted(&a, t->name)));
    TRY(line(n, "    type: %s", kind));
    if (prtn >= 0) TRY(put_order(n, t, prtn));
    TRY(line(n, "    columns:"));
    for (u32 i = 0; i < t->column_count; i++)
        TRY(put_column(n, &t->columns[i]));
done:
    n->mark = "";
    arena_free(&a);
    return err;
}

/* A table in a single file, as its schema was made. */
static Err put_object(Infer *n, const Schema *s)
{
    Err err = E_OK;
    Arena a = {0};
    PlainTable t = {.name = s->name, .column_count = s->column_count};
    t.columns = arena_array(&a, PlainColumn, s->column_count + 1);
    for (u32 i = 0; i < s->column_count; i++) {
        int type = s->columns[i].type;
        if (type == QT_SYMBOL) type = QT_ENUM;
        if (type == QT_LIST) type = QT_NESTED;
        t.columns[i] = (PlainColumn){.name = s->columns[i].name, .type = type};
    }
    TRY(put_table(n, &t, "basic"));
done:
    arena_free(&a);
    return err;
}

/* ---- the assembly */

static Err put_head(Infer *n, const char *name)
{
    Err err = E_OK;
    Arena a = {0};
    const Plain *p = n->plain;
    static const char *const kinds[] = {"no partitions", "dates", "months", "years", "numbers"};
    TRY(line(n, "# Proposed by `silt schema infer` from"));
    TRY(line(n, "#   %s", quoted(&a, p->path)));
    TRY(line(n, "# partitioned by %s: %u partitions in %u folders; types are those of the last one",
             kinds[p->kind], p->part_count, p->par == NULL ? 1 : p->segment_count - 1));
    if (p->kind == PLAIN_MONTH || p->kind == PLAIN_YEAR || p->kind == PLAIN_LONG)
        TRY(line(n, "# Managed databases are partitioned by date: an import needs a rule."));
    if (p->breaks > 0)
        TRY(line(n, "# %llu rules are violated: see `silt check`.", (unsigned long long)p->breaks));
    TRY(line(n, "\nname: %s\n\ntables:", name));
done:
    arena_free(&a);
    return err;
}

/* The base folder of the history: the one whose `data` the database is, else one beside it, which
 * the database would be renamed into (silt adopt --from). */
static const char *history_of(const char *base, Arena *a)
{
    const char *last = strrchr(base, '/');
    if (last != base && strcmp(last, "/data") == 0) return arena_text(a, base, (u64)(last - base));
    return arena_format(a, "%s-hdb", base);
}

static Err put_rest(Infer *n, const char *name)
{
    Err err = E_OK;
    Arena a = {0};
    char *base = NULL;
    const char *hdb = NULL, *idb = NULL;
    TRY(dir_resolve(n->plain->path, &a, &base));
    hdb = history_of(base, &a);
    idb = arena_format(&a, "%.*s-idb",
                       (int)(strlen(hdb) - (str_ends(str_of(hdb), STR("-hdb")) ? 4 : 0)), hdb);
    TRY(line(n, "\nbus:\n  stream:\n    protocol: rt\n    topic: %s", name));
    TRY(line(n, "\nmounts:\n  rdb:\n    type: stream\n    partition: none"));
    TRY(line(n, "  idb:\n    type: local\n    partition: ordinal"));
    TRY(line(n, "    baseURI: %s # a guess", quoted(&a, arena_format(&a, "file://%s", idb))));
    TRY(line(n, "  hdb:\n    type: local\n    partition: date"));
    TRY(line(n, "    baseURI: %s # a guess", quoted(&a, arena_format(&a, "file://%s", hdb))));
    TRY(line(n, "\nelements:\n  sm:\n    source: stream\n    tiers:"));
    TRY(line(n, "      - {name: rdb, mount: rdb}"));
    TRY(line(n, "      - {name: idb, mount: idb, schedule: {freq: 00:10:00}}"));
    TRY(line(n, "      - {name: hdb, mount: hdb, schedule: {snap: 01:35:00}}"));
done:
    arena_free(&a);
    return err;
}

static Err put_all(Infer *n, const PlainView *v, const char *name)
{
    Err err = E_OK;
    const Plain *p = n->plain;
    TRY(put_head(n, name));
    for (u32 i = 0; i < p->table_count; i++)
        TRY(put_table(n, &p->tables[i], "partitioned"));
    for (u32 i = 0; i < p->splayed_count; i++)
        TRY(put_table(n, &p->splayed[i], "splayed"));
    for (u32 i = 0; i < v->batch_count; i++)
        TRY(put_object(n, v->batches[i]->schema));
    if (n->partitioned == 0)
        TRY(line(n, "\n# No table can be partitioned: at least one must be, so this is no assembly "
                    "yet."));
    TRY(put_rest(n, name));
done:
    return err;
}

int infer_main(int argc, char **argv)
{
    Err err = E_OK;
    PlainView *v = NULL;
    Infer n = {.mark = ""};
    const char *name = NULL;
    Option options[] = {{"name", "NAME", &name, NULL, "the assembly's name (database)"}, {0}};
    TRY(options_parse(&argc, argv, options));
    if (argc != 2 || strcmp(argv[0], "infer") != 0)
        TRY(fail(E_USAGE, "silt schema infer DIR: the folder of a kdb+ database is expected"));
    if (name == NULL) name = "database";
    if (!str_name_ok(str_of(name), false))
        TRY(fail(E_USAGE, "--name %s: letters, digits and _ are expected", name));
    TRY(guard_start()); /* a file that is cut while it is read ends the proposal */
    TRY(plain_view_open(&v, argv[1]));
    TRY(plain_intact(&v->plain));
    n.plain = &v->plain;
    TRY(put_all(&n, v, name));
    TRY(talk_print(&n.out));
done:
    buf_free(&n.out);
    plain_view_close(v);
    return talk_end(err);
}
