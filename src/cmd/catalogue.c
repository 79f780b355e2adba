/*
 * catalogue: `tables[]`, `cols T`, `meta T`, `count T`, `select[n] from T` and the like.
 *
 * Blanks between words are free; everything else must be as tools write it. What is not recognised
 * is left to be refused: a text is never half understood.
 */
#include "cmd/catalogue.h"

#include <string.h>

/* Takes a word or sign off the front of the text, and the blanks behind it. */
static bool take(Str *s, const char *word)
{
    Str w = str_of(word);
    if (!str_starts(*s, w)) return false;
    s->data += w.size;
    s->size -= w.size;
    while (s->size > 0 && (s->data[0] == ' ' || s->data[0] == '\t')) {
        s->data++;
        s->size--;
    }
    return true;
}

/* What is left must be a table's name, with or without a back-quote. */
static Err take_table(Str s, const SchemaSet *tables, Catalogue *c)
{
    (void)take(&s, "`");
    if (!str_name_ok(s, true)) return E_OK; /* not recognised */
    c->schema = schema_table(tables, s);
    if (c->schema == NULL) return fail(E_NOT_FOUND, "%.*s", STR_FMT(s));
    return E_OK;
}

/* select from T, select[n] from T. */
static Err parse_select(Str s, const SchemaSet *tables, Catalogue *c)
{
    if (take(&s, "[")) {
        Str number;
        if (!str_split(&s, ']', &number) || !str_i64(str_trim(number), &c->limit)) return E_OK;
        c->limited = true;
        s = str_trim(s);
    }
    if (!take(&s, "from ")) return E_OK;
    Err err = take_table(s, tables, c);
    if (c->schema != NULL) c->kind = CATALOGUE_SELECT;
    return err;
}

Err catalogue_parse(Str text, const SchemaSet *tables, Catalogue *c)
{
    static const struct {
        const char *text;
        CatalogueKind kind;
    } whole[] = {{"tables[]", CATALOGUE_TABLES}, {"tables`", CATALOGUE_TABLES},
                 {"tables`.", CATALOGUE_TABLES}, {"string tables[]", CATALOGUE_STRINGS},
                 {".z.K", CATALOGUE_VERSION},    {"views`", CATALOGUE_EMPTY},
                 {"views[]", CATALOGUE_EMPTY},   {".Q.res", CATALOGUE_EMPTY},
                 {"key`.q", CATALOGUE_EMPTY}};

    static const struct {
        const char *text;
        CatalogueKind kind;
    } before[] = {{"cols ", CATALOGUE_COLS},
                  {"meta ", CATALOGUE_META},
                  {"0!meta ", CATALOGUE_META0},
                  {"count ", CATALOGUE_COUNT}};

    Str s = str_trim(text);
    *c = (Catalogue){0};
    for (u32 i = 0; i < COUNT_OF(whole); i++) {
        if (!str_is(s, whole[i].text)) continue;
        c->kind = whole[i].kind;
        return E_OK;
    }
    for (u32 i = 0; i < COUNT_OF(before); i++) {
        if (!take(&s, before[i].text)) continue;
        Err err = take_table(s, tables, c);
        if (c->schema != NULL) c->kind = before[i].kind;
        return err;
    }
    if (take(&s, "select")) return parse_select(s, tables, c);
    return E_OK;
}

/* The columns c, t, f, a of q's meta. */
static Value meta_value(const Schema *s, bool keyed, Arena *a)
{
    u64 n = s->column_count;
    Value key = value_table(a, 1), rest = value_table(a, 3);
    Str *names = arena_array(a, Str, n + 1), *none = arena_array(a, Str, n + 1),
        *attrs = arena_array(a, Str, n + 1);
    char *types = arena_alloc(a, n + 1);
    for (u64 i = 0; i < n; i++) {
        int attr = s->columns[i].attr[PLACE_DISK];
        names[i] = str_of(s->columns[i].name);
        types[i] = type_letter(s->columns[i].type);
        attrs[i] = (Str){&"supg"[attr == ATTR_NONE ? 0 : attr - 1], attr == ATTR_NONE ? 0 : 1};
        none[i] = STR("");
    }
    key.as.table.names[0] = STR("c");
    key.as.table.cols[0] = value_vec(vec_of(QT_SYMBOL, names, n));
    static const char *const heads[] = {"t", "f", "a"};
    for (u32 i = 0; i < 3; i++)
        rest.as.table.names[i] = str_of(heads[i]);
    rest.as.table.cols[0] = value_vec(vec_of(QT_CHAR, types, n));
    rest.as.table.cols[1] = value_vec(vec_of(QT_SYMBOL, none, n));
    rest.as.table.cols[2] = value_vec(vec_of(QT_SYMBOL, attrs, n));
    if (keyed) {
        Value d = {.type = QT_DICT};
        d.as.dict.keys = arena_new(a, Value);
        d.as.dict.values = arena_new(a, Value);
        *d.as.dict.keys = key;
        *d.as.dict.values = rest;
        return d;
    }
    Value flat = value_table(a, 4);
    flat.as.table.names[0] = key.as.table.names[0];
    flat.as.table.cols[0] = key.as.table.cols[0];
    for (u32 i = 0; i < 3; i++) {
        flat.as.table.names[i + 1] = rest.as.table.names[i];
        flat.as.table.cols[i + 1] = rest.as.table.cols[i];
    }
    return flat;
}

Value catalogue_value(const Catalogue *c, const SchemaSet *tables, Arena *a)
{
    switch (c->kind) {
    case CATALOGUE_TABLES: {
        Str *names = arena_array(a, Str, tables->count + 1u);
        for (u32 i = 0; i < tables->count; i++)
            names[i] = str_of(tables->tables[i]->name);
        return value_vec(vec_of(QT_SYMBOL, names, tables->count));
    }
    case CATALOGUE_STRINGS: {
        Value v = value_list(a, tables->count);
        for (u32 i = 0; i < tables->count; i++)
            vec_value(&v.as.vec)[i] = value_string(str_of(tables->tables[i]->name));
        return v;
    }
    case CATALOGUE_COLS: {
        Str *names = arena_array(a, Str, c->schema->column_count + 1u);
        for (u32 i = 0; i < c->schema->column_count; i++)
            names[i] = str_of(c->schema->columns[i].name);
        return value_vec(vec_of(QT_SYMBOL, names, c->schema->column_count));
    }
    case CATALOGUE_META:
    case CATALOGUE_META0: return meta_value(c->schema, c->kind == CATALOGUE_META, a);
    case CATALOGUE_VERSION: return value_float(4.1);
    case CATALOGUE_EMPTY: return value_vec(vec_of(QT_SYMBOL, arena_array(a, Str, 1), 0));
    case CATALOGUE_UNKNOWN:
    case CATALOGUE_COUNT:
    case CATALOGUE_SELECT: break;
    }
    return value_null();
}
