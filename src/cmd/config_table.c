/*
 * config_table: tables and columns become schemas.
 *
 * Names are checked against three sets: the reserved words of q (.Q.res), which no column may have
 * (V-04); q's further built-in names, which are only inconvenient in q-sql and so a warning; and
 * names that our folders use beside tables. References between tables (V-07) are resolved when all
 * tables are known.
 */
#include "cmd/config_table.h"
#include "base/bounds.h"
#include "base/map.h"
#include "cmd/config_fill.h"

#define UNKNOWN 99 /* a table's type whose text was wrong, and is a finding already */

/* Sorted lists of words between blanks, one at both ends. */
static const char q_reserved[] = " abs acos asin atan avg bin binr by cor cos cov delete dev div "
                                 "do enlist exec exit exp from getenv hopen if in insert "
                                 "last like log max min prd select setenv sin sqrt ss sum tan "
                                 "update var wavg where while within wsum xexp ";
static const char q_names[] = " aj aj0 ajf ajf0 all and any asc asof attr avgs ceiling cols count "
                              "cross csv cut deltas desc differ distinct dsave each "
                              "ej ema eval except fby fills first fkeys flip floor get group gtime "
                              "hclose hcount hdel hsym iasc idesc ij ijf inter inv "
                              "key keys lj ljf load lower lsq ltime ltrim mavg maxs mcount md5 "
                              "mdev med meta mins mmax mmin mmu mod msum neg next not "
                              "null or over parse peach pj prds prev prior rand rank ratios raze "
                              "read0 read1 reciprocal reval reverse rload rotate "
                              "rsave rtrim save scan scov sdev set show signum string sublist sums "
                              "sv svar system tables til trim type uj ujf ungroup "
                              "union upper upsert value view views vs wj wj1 xasc xbar xcol xcols "
                              "xdesc xgroup xkey xlog xprev xrank ";
static const char folder_names[] = " date int month par sym year ";
static const char signal_names[] = " _batchIngest _prtnEnd _reload _schemaChange ";

/* Whether a name is one of a list's words. */
static bool one_of(const char *words, const char *name)
{
    u64 size = strlen(name);
    if (!size || strchr(name, ' ')) return false;
    for (const char *at = strstr(words, name); at; at = strstr(at + 1, name))
        if (at[-1] == ' ' && at[size] == ' ') return true;
    return false;
}

#define NAME_RULE "is no letter followed by letters, digits and _, at most 128 in all"

const char *config_table_name_fault(const char *name)
{
    if (!str_name_ok(str_of(name), true)) return NAME_RULE;
    bool taken =
        one_of(q_reserved, name) || one_of(folder_names, name) || one_of(signal_names, name);
    return taken ? "is reserved" : NULL;
}

const char *config_table_column_fault(const char *name)
{
    if (!str_name_ok(str_of(name), false)) return NAME_RULE;
    if (one_of(q_reserved, name)) return "is a reserved word of q";
    if (strcmp(name, "date") == 0 || strcmp(name, "int") == 0)
        return "is the virtual column of partitions";
    return strncmp(name, "label_", 6) == 0 ? "begins as labels do in queries" : NULL;
}

static void check_table_name(ConfigDoc *d, const YamlNode *tables, const char *name)
{
    if (!str_name_ok(str_of(name), true))
        config_doc_wrong(
            d, tables, name, "name",
            "the name of a table is a letter, then letters, digits and _, at most %d in all",
            BOUND_NAME_MAX);
    else if (one_of(q_reserved, name) || one_of(folder_names, name) || one_of(signal_names, name))
        config_doc_wrong(d, tables, name, "name", "%s is reserved and cannot name a table", name);
    else if (one_of(q_names, name))
        config_doc_warn(d, tables, name, "name",
                        "%s is a function of q: q code will not see this table", name);
}

/* V-04 of one column's name. */
static void check_column_name(ConfigDoc *d, const YamlNode *node, const char *name)
{
    if (!str_name_ok(str_of(name), false))
        config_doc_wrong(
            d, node, NULL, "V-04",
            "the name of a column is a letter, then letters, digits and _, at most %d in all",
            BOUND_NAME_MAX);
    else if (one_of(q_reserved, name))
        config_doc_wrong(d, node, NULL, "V-04", "%s is a reserved word of q", name);
    else if (strcmp(name, "date") == 0 || strcmp(name, "int") == 0)
        config_doc_wrong(d, node, NULL, "V-04", "%s is the virtual column of partitions", name);
    else if (strncmp(name, "label_", 6) == 0)
        config_doc_wrong(d, node, NULL, "V-04", "label_ begins the names of labels in queries");
    else if (one_of(q_names, name))
        config_doc_warn(d, node, NULL, "V-04",
                        "%s is a function of q: in q-sql the column hides it", name);
}

static bool is_list_type(int type) { return type == QT_LIST || type > QT_NESTED; }

/* A blank type means mixed, as an empty one does. */
static void blank_type(ConfigDoc *d, YamlNode *node)
{
    for (u32 i = 0; i < node->count; i++) {
        YamlEntry *e = &node->entries[i];
        if (strcmp(e->key, "type") != 0 || !yaml_is_null(e->value)) continue;
        YamlNode blank = *e->value;
        YamlNode *type = yaml_put(d->a, node, "type", "", blank.origin);
        type->line = blank.line;
        type->column = blank.column;
    }
}

/* V-04 and V-05 of one column. */
static void build_column(ConfigDoc *d, YamlNode *node, SchemaColumn *col)
{
    *col = (SchemaColumn){.name = "", .type = -1};
    blank_type(d, node);
    config_fill(d, CONFIG_KEY_COLUMN, node, col);
    const YamlNode *name = config_doc_child(node, "name", YAML_TEXT);
    if (name) check_column_name(d, name, name->text);
    const YamlNode *type = config_doc_child(node, "type", YAML_TEXT);
    if (!type) return;
    col->type = type_parse(str_of(type->text));
    if (col->type < 0) {
        config_doc_wrong(d, type, NULL, "V-05", "unknown type \"%.100s\"", type->text);
        return;
    }
    static const char *const attrs[PLACE_COUNT] = {"attrMem", "attrOrd", "attrDisk", "attrObj"};
    for (u32 p = 0; p < PLACE_COUNT && is_list_type(col->type); p++)
        if (col->attr[p])
            config_doc_wrong(d, yaml_find(node, attrs[p]), NULL, "V-05",
                             "a column of lists takes no attribute");
    if (col->anymap && !is_list_type(col->type))
        config_doc_warn(d, yaml_find(node, "anymap"), NULL, "V-05",
                        "anymap has no effect on a column of type %s", type->text);
}

/* Builds the columns; V-04: no name twice. */
static void build_columns(ConfigDoc *d, const YamlNode *node, Schema *s)
{
    YamlNode *list = config_doc_child(node, "columns", YAML_LIST);
    Map seen = {0};
    if (!list) return;
    if (list->count == 0 || list->count > BOUND_COLUMNS_MAX) {
        config_doc_wrong(d, list, NULL, "key", "a table has 1 to %d columns, not %u",
                         BOUND_COLUMNS_MAX, list->count);
        return;
    }
    s->columns = arena_array(d->a, SchemaColumn, list->count);
    for (u32 i = 0; i < list->count; i++) {
        SchemaColumn *col = &s->columns[s->column_count];
        if (list->entries[i].value->kind != YAML_MAP) continue;
        build_column(d, list->entries[i].value, col);
        i32 first = *col->name ? map_find(&seen, str_of(col->name)) : -1;
        if (first >= 0)
            config_doc_wrong(d, yaml_find(list->entries[i].value, "name"), NULL, "V-04",
                             "column %.128s is there already, as number %d", col->name, first);
        map_put(&seen, str_of(col->name), (i32)i);
        s->column_count++;
    }
    map_free(&seen);
}

/* V-06: the column that a text names, -1 with a finding when there is none. */
static i32 refer(ConfigDoc *d, const Schema *s, const YamlNode *node, const char *rule)
{
    i32 at = schema_find(s, str_of(node->text));
    if (at < 0)
        config_doc_wrong(d, node, NULL, rule, "table %s has no column \"%.128s\"", s->name,
                         node->text);
    return at;
}

/* A list of columns; none twice, and none that cannot be compared. */
static u32 *refer_list(ConfigDoc *d, const Schema *s, const YamlNode *node, const char *key,
                       u32 *count)
{
    u32 given;
    const YamlNode **texts = config_fill_texts(d, node, key, &given);
    *count = 0;
    if (given > s->column_count) {
        config_doc_wrong(d, node, key, "V-06", "more names than the table has columns");
        return NULL;
    }
    u32 *columns = given ? arena_array(d->a, u32, given) : NULL;
    for (u32 i = 0; i < given; i++) {
        i32 at = refer(d, s, texts[i], "V-06");
        bool again = false;
        for (u32 j = 0; j < *count; j++)
            again |= at == (i32)columns[j];
        if (at < 0) continue;
        if (again)
            config_doc_wrong(d, texts[i], NULL, "V-06", "%s is named twice", texts[i]->text);
        else if (is_list_type(s->columns[at].type))
            config_doc_wrong(d, texts[i], NULL, "V-06", "%s holds lists, which have no order",
                             texts[i]->text);
        else
            columns[(*count)++] = (u32)at;
    }
    return columns;
}

/* The timestamp column that a text names, -1 with a finding when it is none. */
static i32 refer_timestamp(ConfigDoc *d, const Schema *s, const YamlNode *node, const char *rule)
{
    i32 at = refer(d, s, node, rule);
    int type = at < 0 ? -1 : s->columns[at].type;
    if (type >= 0 && type != QT_TIMESTAMP)
        config_doc_wrong(d, node, NULL, rule, "%s is of type %s, not timestamp", node->text,
                         type_name(type));
    return at;
}

/* V-03: the partition column of a partitioned table is there and a timestamp. */
static void check_partition(ConfigDoc *d, const YamlNode *node, Schema *s)
{
    const YamlNode *prtn = config_doc_child(node, "prtnCol", YAML_TEXT);
    const YamlNode *updated = config_doc_child(node, "updTsCol", YAML_TEXT);
    if (updated) config_doc_note(d, node, "updTsCol", "latency is measured on receipt");
    if (updated) s->updated = refer_timestamp(d, s, updated, "V-06");
    if ((int)s->kind == UNKNOWN) return;
    if (prtn && s->kind != TABLE_PARTITIONED)
        config_doc_warn(d, prtn, NULL, "V-03",
                        "prtnCol has no effect: the table is not partitioned");
    else if (prtn)
        s->prtn = refer_timestamp(d, s, prtn, "V-03");
    else if (s->kind == TABLE_PARTITIONED)
        config_doc_wrong(d, node, "prtnCol", "V-03",
                         "a partitioned table needs prtnCol, a timestamp column");
}

/* Sorted and parted are set where the rows happen to be in that order; say so when nothing puts
 * them in it. */
static void check_order(ConfigDoc *d, const YamlNode *node, const Schema *s)
{
    static const struct {
        Place place;
        const char *attr, *sort;
    } places[] = {{PLACE_ORD, "attrOrd", "sortColsOrd"}, {PLACE_DISK, "attrDisk", "sortColsDisk"}};

    const YamlNode *list = config_doc_child(node, "columns", YAML_LIST);
    if (s->kind != TABLE_PARTITIONED || !list || list->count != s->column_count) return;
    for (u32 i = 0; i < s->column_count; i++)
        for (u32 p = 0; p < COUNT_OF(places); p++) {
            u8 attr = s->columns[i].attr[places[p].place];
            bool first = s->sort_count[places[p].place] && s->sort[places[p].place][0] == i;
            if ((attr == ATTR_SORTED || attr == ATTR_PARTED) && !first)
                config_doc_warn(d, list->entries[i].value, places[p].attr, "V-05",
                                "%s is not first in %s: the attribute is set only where rows are "
                                "in order by chance",
                                s->columns[i].name, places[p].sort);
        }
}

static Schema *build_table(ConfigDoc *d, const YamlNode *tables, const YamlEntry *e)
{
    Schema *s = arena_new(d->a, Schema);
    *s = (Schema){.name = e->key, .kind = (TableKind)UNKNOWN, .prtn = -1, .updated = -1};
    check_table_name(d, tables, e->key);
    config_fill(d, CONFIG_KEY_TABLE, e->value, s);
    const YamlNode *name = config_doc_child(e->value, "name", YAML_TEXT);
    if (name && strcmp(name->text, e->key) != 0)
        config_doc_wrong(d, name, NULL, "name", "the table is named %s by its key", e->key);
    build_columns(d, e->value, s);
    if (!s->column_count) return s;
    static const char *const sorts[] = {"sortColsMem", "sortColsOrd", "sortColsDisk"};
    check_partition(d, e->value, s);
    for (u32 p = 0; p < COUNT_OF(sorts); p++)
        s->sort[p] = refer_list(d, s, e->value, sorts[p], &s->sort_count[p]);
    if (s->sort_count[PLACE_MEM])
        config_doc_note(d, e->value, "sortColsMem", "live rows keep their order of arrival");
    s->keys = refer_list(d, s, e->value, "primaryKeys", &s->key_count);
    check_order(d, e->value, s);
    return s;
}

/* V-07: the target of a foreign key is a primary key of the same type. */
static void check_foreign(ConfigDoc *d, const SchemaSet *set, const SchemaColumn *col,
                          const YamlNode *node)
{
    Str rest = str_of(col->foreign), table;
    (void)str_split(&rest, '.', &table);
    const Schema *target = rest.data ? schema_table(set, table) : NULL;
    i32 at = target ? schema_find(target, rest) : -1;
    if (at < 0) {
        config_doc_wrong(d, node, NULL, "V-07", "\"%.200s\" names no table.column", col->foreign);
        return;
    }
    bool key = false;
    for (u32 i = 0; i < target->key_count; i++)
        key |= target->keys[i] == (u32)at;
    if (!key)
        config_doc_wrong(d, node, NULL, "V-07", "%.200s is no primary key", col->foreign);
    else if (target->columns[at].type != col->type && col->type >= 0 &&
             target->columns[at].type >= 0)
        config_doc_wrong(d, node, NULL, "V-07", "%.200s is of type %s, and %s of type %s",
                         col->foreign, type_name(target->columns[at].type), col->name,
                         type_name(col->type));
}

/* Checks what refers to other tables, and seals. */
static void finish_table(ConfigDoc *d, const SchemaSet *set, Schema *s, const YamlNode *node)
{
    const YamlNode *list = config_doc_child(node, "columns", YAML_LIST);
    for (u32 i = 0, at = 0; list && i < list->count && at < s->column_count; i++) {
        const YamlNode *column = list->entries[i].value;
        if (column->kind != YAML_MAP) continue;
        const SchemaColumn *col = &s->columns[at++];
        if (col->foreign) check_foreign(d, set, col, yaml_find(column, "foreign"));
    }
    if (!d->wrong) schema_seal(s);
}

void config_table_build(ConfigDoc *d, Config *c)
{
    const YamlNode *tables = config_doc_child(d->root, "tables", YAML_MAP);
    bool partitioned = false;
    if (!tables) return;
    if (tables->count > BOUND_TABLES_MAX) {
        config_doc_wrong(d, tables, NULL, "V-02", "more than %d tables", BOUND_TABLES_MAX);
        return;
    }
    c->tables.tables = arena_array(d->a, Schema *, tables->count + 1);
    for (u32 i = 0; i < tables->count; i++) {
        if (tables->entries[i].value->kind != YAML_MAP) continue;
        Schema *s = build_table(d, tables, &tables->entries[i]);
        partitioned |= s->kind == TABLE_PARTITIONED || (int)s->kind == UNKNOWN;
        c->tables.tables[c->tables.count++] = s;
    }
    if (!partitioned) config_doc_wrong(d, tables, NULL, "V-02", "no table is partitioned");
    for (u32 i = 0, at = 0; i < tables->count && at < c->tables.count; i++)
        if (tables->entries[i].value->kind == YAML_MAP)
            finish_table(d, &c->tables, c->tables.tables[at++], tables->entries[i].value);
}
