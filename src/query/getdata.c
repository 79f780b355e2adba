/*
 * getdata: reads the dictionary of arguments, one argument a function, in a fixed order: what later
 * ones refer to (table, groupBy, agg) comes first.
 *
 * Forms that are accepted (storage-manager.md 21.1):
 *   names      a symbol, a string, a symbol vector, a list of both
 *   agg        names; (new; column); (new; function; column); (new; function; first; second) or
 *              (new; function; (first; second)) for functions of two columns
 *   filter     (operator; column; value), ("and"; f1; f2; ...), ("or"; ...), ("not"; f), one of
 *              them alone or a list of them, which all must hold
 *   sortCols   names, each perhaps followed by asc or desc, also as pairs
 * A symbol vector at the top of agg is a list of columns, within it is a pair or triple.
 *
 * Everything the request keeps lives in the arena; values may borrow from the arguments.
 */
#include "query/getdata.h"

#include "base/bounds.h"
#include "q/temporal.h"
#include "query/operand.h"

#define SHOWN(text)   (int)MIN((text).size, 64), (text).data
#define ARGUMENTS_MAX 64
#define MILLI_NS      1000000LL
#define SECOND_NS     1000000000LL
#define MINUTE_NS     (60 * SECOND_NS)

typedef struct {
    const SchemaSet *tables;
    const Schema *schema;
    Arena *arena;
    Request *request;
    const Value *columns; /* of the result, after agg */
} Parse;

/* ---- small helpers */

/* Whether a value is a list of any form, a text excepted. */
static bool is_list(const Value *v)
{
    return v->type >= QT_LIST && v->type < QT_TABLE && v->type != QT_CHAR;
}

/* Reads names into an array in the arena. `what` is the argument. */
static Err read_names(Parse *p, const char *what, const Value *v, Str **names, u64 *count)
{
    Err err = E_OK;
    void *place;
    Str text;
    *count = 0;
    *names = NULL;
    if (value_is_nothing(v)) return E_OK;
    bool alone = value_text(v, &text);
    if (!alone && !is_list(v))
        return fail(E_USAGE, "%s: names are expected, not a value of type %s", what,
                    type_name(v->type));
    u64 n = alone ? 1 : value_count(v);
    if (n > BOUND_COLUMNS_MAX)
        return fail(E_LIMIT, "%s: more than %d names", what, BOUND_COLUMNS_MAX);
    TRY(arena_try(p->arena, n + 1, sizeof(Str), &place));
    *names = place;
    for (u64 i = 0; i < n; i++) {
        Value one = alone ? *v : value_at(v, i);
        if (!value_text(&one, &text)) {
            err = fail(E_USAGE, "%s: item %llu is of type %s, not a name", what,
                       (unsigned long long)i, type_name(one.type));
            goto done;
        }
        text.data = arena_text(p->arena, text.data, text.size);
        (*names)[i] = text;
    }
    *count = n;
done:
    return err;
}

static Err find_column(const Parse *p, const char *what, Str name, i32 *column)
{
    *column = schema_find(p->schema, name);
    if (*column >= 0) return E_OK;
    return fail(E_NOT_FOUND, "%s: table %s has no column %.*s", what, p->schema->name, SHOWN(name));
}

/* ---- table, time */

static Err parse_table(Parse *p, const Value *v)
{
    Str name;
    if (v == NULL || !value_text(v, &name)) return fail(E_USAGE, "table: a name is expected");
    p->schema = schema_table(p->tables, name);
    if (p->schema == NULL) return fail(E_NOT_FOUND, "table: there is no %.*s", SHOWN(name));
    p->request->schema = p->schema;
    for (u32 i = 0; i < p->tables->count; i++) {
        if (p->tables->tables[i] == p->schema) p->request->table = i;
    }
    return E_OK;
}

/* Whether the value of a part's folder stands for days (of a plain database). */
static bool has_calendar(const Schema *s)
{
    return s->has_virtual && s->columns[0].type != QT_LONG;
}

static Err parse_times(Parse *p, const Value *start, const Value *end)
{
    Err err = E_OK;
    Request *r = p->request;
    r->start = INT64_MIN;
    r->end = INT64_MAX;
    i64 from = Q_NULL_LONG, to = Q_NULL_LONG;
    if (start != NULL) TRY(operand_time("startTS", start, &from));
    if (end != NULL) TRY(operand_time("endTS", end, &to));
    if ((from != Q_NULL_LONG || to != Q_NULL_LONG) && p->schema->prtn < 0 &&
        !has_calendar(p->schema)) {
        err = fail(E_USAGE, "startTS, endTS: table %s has no time column", p->schema->name);
        goto done;
    }
    if (from != Q_NULL_LONG) r->start = from;
    if (to != Q_NULL_LONG) r->end = to;
done:
    return err;
}

/* A time of day in nanoseconds. */
static Err parse_day_time(const Value *v, i64 *ns)
{
    Str text;
    i64 i = 0;
    bool good = false;
    if (value_text(v, &text)) {
        good = temporal_duration(text, ns);
    } else if (value_int_of(v, &i)) {
        good = true;
        switch (-v->type) {
        case QT_TIMESPAN:
        case QT_LONG: *ns = i; break;
        case QT_TIME: good = !__builtin_mul_overflow(i, MILLI_NS, ns); break;
        case QT_SECOND: good = !__builtin_mul_overflow(i, SECOND_NS, ns); break;
        case QT_MINUTE: good = !__builtin_mul_overflow(i, MINUTE_NS, ns); break;
        case QT_TIMESTAMP: *ns = i - temporal_day_of(i) * TEMPORAL_DAY_NS; break;
        default: good = false; break;
        }
    }
    if (good && *ns >= 0 && *ns <= TEMPORAL_DAY_NS) return E_OK;
    return fail(E_USAGE, "slice: two times of the day are expected, such as 09:30 and 16:00");
}

static i64 day_start(i64 ns) { return (i64)temporal_day_of(ns) * TEMPORAL_DAY_NS; }

/* temporality and slice: the same time window on each day that startTS and endTS fall on or
 * between. */
static Err parse_slice(Parse *p, const Value *kind, const Value *slice)
{
    Request *r = p->request;
    Str text = STR("snapshot");
    i64 from, to;
    if (kind != NULL && !value_is_nothing(kind) && !value_text(kind, &text))
        return fail(E_USAGE, "temporality: `snapshot` or `slice` is expected");
    bool sliced = str_is(text, "slice");
    if (!sliced && !str_is(text, "snapshot") && text.size > 0)
        return fail(E_USAGE, "temporality: %.*s is neither `snapshot` nor `slice`", SHOWN(text));
    bool window = slice != NULL && !value_is_nothing(slice);
    if (window && !sliced) return fail(E_USAGE, "slice: only with temporality `slice`");
    if (!sliced) return E_OK;
    if (p->schema->prtn < 0)
        return fail(E_USAGE, "temporality: table %s has no time column", p->schema->name);
    if (window) {
        if (!is_list(slice) || value_count(slice) != 2)
            return fail(E_USAGE, "slice: two times of the day are expected");
        Value a = value_at(slice, 0), b = value_at(slice, 1);
        Err err = parse_day_time(&a, &from);
        if (err == E_OK) err = parse_day_time(&b, &to);
        if (err != E_OK) return err;
    } else {
        if (r->start == INT64_MIN || r->end == INT64_MAX)
            return fail(E_USAGE, "temporality: `slice` needs startTS and endTS, or slice");
        from = r->start - day_start(r->start);
        to = r->end - day_start(r->end);
    }
    if (r->start != INT64_MIN) r->start = MAX(day_start(r->start), -INT64_MAX);
    if (r->end != INT64_MAX && __builtin_add_overflow(day_start(r->end), TEMPORAL_DAY_NS, &r->end))
        r->end = INT64_MAX;
    if (from >= to) r->end = r->start; /* an empty window holds no rows */
    r->slice_from = from;
    r->slice_to = MAX(to, from);
    return E_OK;
}

static Err parse_zones(Parse *p, const char *what, const Value *v)
{
    Str text = {"", 0};
    (void)p;
    if (v == NULL || value_is_nothing(v)) return E_OK;
    if (!value_text(v, &text))
        return fail(E_USAGE, "%s: the name of a time zone is expected", what);
    if (text.size == 0 || str_is(text, "UTC")) return E_OK;
    return fail(E_UNSUPPORTED, "%s: %.*s: times are given and returned in UTC only", what,
                SHOWN(text));
}

/* ---- filter */

static const struct {
    const char *name;
    FilterOp op;
} filter_ops[] = {
    {"=", FILTER_EQ},          {"<>", FILTER_NE},   {"<", FILTER_LT},  {">", FILTER_GT},
    {"<=", FILTER_LE},         {">=", FILTER_GE},   {"in", FILTER_IN}, {"like", FILTER_LIKE},
    {"within", FILTER_WITHIN}, {"and", FILTER_AND}, {"or", FILTER_OR}, {"not", FILTER_NOT},
};

static bool find_op(Str text, FilterOp *op)
{
    for (u32 i = 0; i < COUNT_OF(filter_ops); i++) {
        *op = filter_ops[i].op;
        if (str_is(text, filter_ops[i].name)) return true;
    }
    return false;
}

/* Ranges and patterns need columns with an order or text. */
static Err check_op(const Parse *p, const Filter *f)
{
    const SchemaColumn *c = &p->schema->columns[f->column];
    bool textual = c->type == QT_SYMBOL || c->type == QT_STRING || c->type == QT_CHAR;
    if (f->op == FILTER_LIKE && !textual) {
        return fail(E_TYPE, "filter: like compares symbols, strings and chars; column %s is %s",
                    c->name, type_name(c->type));
    }
    if (!type_is_fixed(c->type) && c->type != QT_SYMBOL && c->type != QT_STRING) {
        return fail(E_UNSUPPORTED, "filter: column %s of %s is a list: no filter compares it",
                    c->name, p->schema->name);
    }
    return E_OK;
}

static Err parse_leaf(Parse *p, const Value *v, Filter *f)
{
    Err err = E_OK;
    Str name, pattern;
    Value column = value_at(v, 1), value = value_at(v, 2);
    if (value_count(v) != 3 || !value_text(&column, &name)) {
        return fail(E_USAGE, "filter: (operator; column; value) is expected, not %llu items",
                    (unsigned long long)value_count(v));
    }
    TRY(find_column(p, "filter", name, &f->column));
    TRY(check_op(p, f));
    if (f->op == FILTER_LIKE) {
        if (!value_text(&value, &pattern)) {
            err = fail(E_TYPE, "filter: like %.*s: a pattern is expected", SHOWN(name));
            goto done;
        }
        f->value =
            value_string((Str){arena_text(p->arena, pattern.data, pattern.size), pattern.size});
    } else if (f->op == FILTER_IN || f->op == FILTER_WITHIN) {
        TRY(operand_list(p->schema, f->column, &value, p->arena, &f->value));
        if (f->op == FILTER_WITHIN && value_count(&f->value) != 2)
            err = fail(E_USAGE, "filter: within %.*s: two values are expected", SHOWN(name));
    } else {
        TRY(operand_atom(p->schema, f->column, &value, p->arena, &f->value));
    }
done:
    return err;
}

static Err parse_filter(Parse *p, const Value *v, u32 depth, Filter *f)
{
    Err err = E_OK;
    Str text;
    Value head = value_at(v, 0);
    void *place;
    if (depth >= BOUND_DEPTH_MAX)
        return fail(E_LIMIT, "filter: nested deeper than %d", BOUND_DEPTH_MAX);
    if (!is_list(v) || value_count(v) == 0 || !value_text(&head, &text))
        return fail(E_USAGE, "filter: (operator; column; value) is expected");
    if (!find_op(text, &f->op))
        return fail(E_USAGE, "filter: there is no operator %.*s", SHOWN(text));
    f->column = -1;
    if (f->op < FILTER_AND) return parse_leaf(p, v, f);
    u64 count = value_count(v) - 1;
    if (count == 0 || (f->op == FILTER_NOT && count != 1)) {
        return fail(E_USAGE, "filter: %.*s needs %s", SHOWN(text),
                    f->op == FILTER_NOT ? "one filter" : "filters");
    }
    TRY(arena_try(p->arena, count, sizeof(Filter), &place));
    f->args = place;
    f->arg_count = (u32)count;
    for (u64 i = 0; i < count; i++) {
        Value arg = value_at(v, i + 1);
        TRY(parse_filter(p, &arg, depth + 1, &f->args[i]));
    }
done:
    return err;
}

static Err parse_filters(Parse *p, const Value *v)
{
    Err err = E_OK;
    Str text;
    void *place;
    Request *r = p->request;
    if (v == NULL || value_is_nothing(v)) return E_OK;
    if (!is_list(v)) return fail(E_USAGE, "filter: a list of filters is expected");
    Value head = value_at(v, 0);
    bool alone = value_text(&head, &text);
    u64 count = alone ? 1 : value_count(v);
    TRY(arena_try(p->arena, count + 1, sizeof(Filter), &place));
    r->filters = place;
    r->filter_count = (u32)count;
    for (u64 i = 0; i < count; i++) {
        Value one = alone ? *v : value_at(v, i);
        TRY(parse_filter(p, &one, 0, &r->filters[i]));
    }
done:
    return err;
}

/* ---- groupBy, agg */

static Err parse_groups(Parse *p, const Value *v)
{
    Err err = E_OK;
    Str *names;
    u64 count;
    Request *r = p->request;
    if (v == NULL) return E_OK;
    TRY(read_names(p, "groupBy", v, &names, &count));
    r->groups = arena_array(p->arena, i32, count + 1);
    for (u64 i = 0; i < count; i++) {
        i32 column;
        TRY(find_column(p, "groupBy", names[i], &column));
        int type = p->schema->columns[column].type;
        if (!type_is_fixed(type) && type != QT_SYMBOL && type != QT_STRING) {
            err = fail(E_UNSUPPORTED, "groupBy: column %s is a list",
                       p->schema->columns[column].name);
            goto done;
        }
        for (u32 g = 0; g < r->group_count; g++) {
            if (r->groups[g] != column) continue;
            err = fail(E_USAGE, "groupBy: column %.*s stands there twice", SHOWN(names[i]));
            goto done;
        }
        r->groups[r->group_count++] = column;
    }
done:
    return err;
}

static Err check_agg(const Parse *p, AggKind kind, i32 column)
{
    const SchemaColumn *c = &p->schema->columns[column];
    if (request_agg_type(kind, c->type) >= 0) return E_OK;
    return fail(E_TYPE, "agg: %s of column %s, which is %s", request_agg_name(kind), c->name,
                type_name(c->type));
}

/* (new; function; column ...): the columns behind the function. */
static Err parse_function(Parse *p, const Value *v, Select *s)
{
    Err err = E_OK;
    Str name, *columns;
    u64 count = value_count(v), n;
    Value function = value_at(v, 1), third = value_at(v, 2);
    if (!value_text(&function, &name))
        return fail(E_USAGE, "agg: the name of a function is expected, not a value of type %s",
                    type_name(function.type));
    if (!request_agg_parse(name, &s->kind))
        return fail(E_NOT_FOUND, "agg: there is no function %.*s", SHOWN(name));
    u64 need = request_agg_pairs(s->kind) ? 2 : 1;
    TRY(read_names(p, "agg", &third, &columns, &n));
    if (count == 4 && n == 1) {
        Str *more;
        Value fourth = value_at(v, 3);
        TRY(read_names(p, "agg", &fourth, &more, &n));
        if (n == 1) {
            columns = arena_array(p->arena, Str, 2);
            TRY(read_names(p, "agg", &third, &more, &n));
            columns[0] = more[0];
            TRY(read_names(p, "agg", &fourth, &more, &n));
            columns[1] = more[0];
            n = 2;
        }
    } else if (count == 4) {
        n = 0;
    }
    if (n != need) {
        err = fail(E_USAGE, "agg: %.*s needs %s", SHOWN(name),
                   need == 2 ? "two columns" : "one column");
        goto done;
    }
    TRY(find_column(p, "agg", columns[0], &s->column));
    TRY(check_agg(p, s->kind, s->column));
    s->column2 = -1;
    if (need == 2) {
        TRY(find_column(p, "agg", columns[1], &s->column2));
        TRY(check_agg(p, s->kind, s->column2));
    }
done:
    return err;
}

/* One item of agg: a name, a pair, or a function. */
static Err parse_select(Parse *p, const Value *v, Select *s)
{
    Str name, column;
    *s = (Select){.column2 = -1};
    bool alone = value_text(v, &name);
    u64 count = alone ? 1 : is_list(v) ? value_count(v) : 0;
    Value first = alone ? *v : value_at(v, 0), second = value_at(v, 1);
    if (count == 0 || count > 4 || !value_text(&first, &name))
        return fail(E_USAGE, "agg: a column, (new; column) or (new; function; column) is expected");
    s->name = (Str){arena_text(p->arena, name.data, name.size), name.size};
    if (count > 2) return parse_function(p, v, s);
    column = s->name;
    if (count == 2 && !value_text(&second, &column))
        return fail(E_USAGE, "agg: %.*s: the name of a column is expected", SHOWN(name));
    return find_column(p, "agg", column, &s->column);
}

static bool in_groups(const Request *r, i32 column)
{
    for (u32 g = 0; g < r->group_count; g++) {
        if (r->groups[g] == column) return true;
    }
    return false;
}

/* All columns but the groups'; with groups each group's last row, as q's `select by`. */
static void select_all(Parse *p)
{
    Request *r = p->request;
    r->selects = arena_array(p->arena, Select, p->schema->column_count + 1);
    for (u32 i = 0; i < p->schema->column_count; i++) {
        if (in_groups(r, (i32)i)) continue;
        r->selects[r->select_count++] = (Select){
            .name = str_of(p->schema->columns[i].name),
            .kind = r->group_count > 0 ? AGG_LAST : AGG_NONE,
            .column = (i32)i,
            .column2 = -1,
        };
    }
}

/* Functions or columns, not both: how many rows would the answer have? */
static Err check_mix(Parse *p)
{
    Request *r = p->request;
    u32 functions = 0;
    for (u32 i = 0; i < r->select_count; i++)
        functions += r->selects[i].kind != AGG_NONE;
    r->aggregated = functions > 0 || r->group_count > 0;
    for (u32 i = 0; i < r->select_count; i++) {
        const Select *s = &r->selects[i];
        if (s->kind == AGG_NONE && r->aggregated) {
            return fail(E_USAGE, "agg: column %.*s needs a function beside %s", SHOWN(s->name),
                        r->group_count > 0 ? "groupBy" : "functions");
        }
        for (u32 j = 0; j < i; j++) {
            if (str_eq(r->selects[j].name, s->name))
                return fail(E_USAGE, "agg: two columns are named %.*s", SHOWN(s->name));
        }
        for (u32 g = 0; g < r->group_count; g++) {
            if (str_is(s->name, p->schema->columns[r->groups[g]].name))
                return fail(E_USAGE, "agg: %.*s is the name of a groupBy column", SHOWN(s->name));
        }
    }
    return E_OK;
}

static Err parse_agg(Parse *p, const Value *v)
{
    Err err = E_OK;
    Str text;
    Request *r = p->request;
    if (v == NULL || value_is_nothing(v) || (is_list(v) && value_count(v) == 0)) {
        select_all(p);
        return check_mix(p);
    }
    bool alone = value_text(v, &text);
    if (!alone && !is_list(v)) return fail(E_USAGE, "agg: a list is expected");
    u64 count = alone ? 1 : value_count(v);
    if (count > BOUND_COLUMNS_MAX)
        return fail(E_LIMIT, "agg: more than %d columns", BOUND_COLUMNS_MAX);
    r->selects = arena_array(p->arena, Select, count);
    r->select_count = (u32)count;
    for (u64 i = 0; i < count; i++) {
        Value one = alone ? *v : value_at(v, i);
        TRY(parse_select(p, &one, &r->selects[i]));
    }
    TRY(check_mix(p));
done:
    return err;
}

/* ---- the shape of the result */

/* The position of a column in the result, -1 when it has none of that name. */
static i32 find_result(const Parse *p, Str name)
{
    const Request *r = p->request;
    for (u32 g = 0; g < r->group_count; g++) {
        if (str_is(name, p->schema->columns[r->groups[g]].name)) return (i32)g;
    }
    for (u32 i = 0; i < r->select_count; i++) {
        if (str_eq(name, r->selects[i].name)) return (i32)(r->group_count + i);
    }
    return -1;
}

static int result_type(const Parse *p, i32 column)
{
    const Request *r = p->request;
    if ((u32)column < r->group_count) return p->schema->columns[r->groups[column]].type;
    const Select *s = &r->selects[(u32)column - r->group_count];
    return request_agg_type(s->kind, p->schema->columns[s->column].type);
}

/* Brings names and pairs of names into one list. */
static Err flatten(Parse *p, const Value *v, Str **names, u64 *count)
{
    Err err = E_OK;
    Str text;
    u64 n = 0, room = 0;
    if (value_is_nothing(v) || value_text(v, &text) || !is_list(v) || v->type != QT_LIST)
        return read_names(p, "sortCols", v, names, count);
    u64 items = value_count(v);
    for (u64 i = 0; i < items; i++) {
        Value one = value_at(v, i);
        room += is_list(&one) ? value_count(&one) : 1;
    }
    if (room > BOUND_COLUMNS_MAX)
        return fail(E_LIMIT, "sortCols: more than %d names", BOUND_COLUMNS_MAX);
    *names = arena_array(p->arena, Str, room + 1);
    for (u64 i = 0; i < items; i++) {
        Value one = value_at(v, i);
        Str *some;
        u64 more;
        TRY(read_names(p, "sortCols", &one, &some, &more));
        for (u64 j = 0; j < more; j++)
            (*names)[n++] = some[j];
    }
    *count = n;
done:
    return err;
}

static Err parse_sort(Parse *p, const Value *v)
{
    Err err = E_OK;
    Str *names;
    u64 count;
    Request *r = p->request;
    if (v == NULL) return E_OK;
    TRY(flatten(p, v, &names, &count));
    r->sorts = arena_array(p->arena, SortBy, count + 1);
    for (u64 i = 0; i < count; i++) {
        bool down = str_is(names[i], "desc");
        if ((down || str_is(names[i], "asc")) && r->sort_count > 0) {
            r->sorts[r->sort_count - 1].descending = down;
            continue;
        }
        i32 column = find_result(p, names[i]);
        if (column < 0) {
            err = fail(E_NOT_FOUND, "sortCols: the result has no column %.*s", SHOWN(names[i]));
            goto done;
        }
        int type = result_type(p, column);
        if (!type_is_fixed(type) && type != QT_SYMBOL && type != QT_STRING) {
            err = fail(E_TYPE, "sortCols: column %.*s is a list", SHOWN(names[i]));
            goto done;
        }
        r->sorts[r->sort_count++] = (SortBy){column, false};
    }
done:
    return err;
}

static Err parse_limit(Parse *p, const Value *v)
{
    i64 n = 0;
    if (v == NULL || value_is_nothing(v)) return E_OK;
    Value one = is_list(v) && value_count(v) == 1 ? value_at(v, 0) : *v;
    int type = -one.type;
    bool number = type == QT_SHORT || type == QT_INT || type == QT_LONG || type == QT_FLOAT;
    if (!number || !value_int_of(&one, &n))
        return fail(E_USAGE, "limit: a whole number of rows is expected");
    if (n == Q_NULL_LONG) return E_OK;
    p->request->limited = true;
    p->request->limit = n;
    return E_OK;
}

static Err parse_fill(Parse *p, const Value *v)
{
    Str text;
    if (v == NULL || value_is_nothing(v)) return E_OK;
    if (!value_text(v, &text)) return fail(E_USAGE, "fill: `zero` or `forward` is expected");
    if (text.size == 0) return E_OK;
    if (str_is(text, "zero")) {
        p->request->fill = FILL_ZERO;
    } else if (str_is(text, "forward")) {
        p->request->fill = FILL_FORWARD;
    } else {
        return fail(E_USAGE, "fill: %.*s is neither `zero` nor `forward`", SHOWN(text));
    }
    return E_OK;
}

/* ---- options */

static Err parse_option(Parse *p, Str name, const Value *v)
{
    i64 ms = 0;
    Str text;
    if (str_is(name, "timeout")) {
        bool good = v->type < 0 && (value_int_of(v, &ms) || (v->type == -QT_FLOAT && v->as.f > 0));
        if (good && v->type == -QT_FLOAT) ms = (i64)MIN(v->as.f + 1, 1e9);
        if (!good || ms < 0 || ms > INT32_MAX)
            return fail(E_USAGE, "options: timeout: milliseconds are expected");
        p->request->timeout_ns = ms * MILLI_NS;
        return E_OK;
    }
    if (str_is(name, "logCorr")) {
        if (value_text(v, &text) || v->type == -QT_GUID) return E_OK;
        return fail(E_USAGE, "options: logCorr: a text is expected");
    }
    if (name.size == 0 || str_starts(name, STR("app"))) return E_OK;
    return fail(E_USAGE, "options: there is no %.*s", SHOWN(name));
}

static Err parse_options(Parse *p, const Value *v)
{
    if (v == NULL || value_is_nothing(v)) return E_OK;
    if (v->type != QT_DICT) return fail(E_USAGE, "options: a dictionary is expected");
    u64 count = MIN(value_count(v->as.dict.keys), value_count(v->as.dict.values));
    for (u64 i = 0; i < count; i++) {
        Value key = value_at(v->as.dict.keys, i), value = value_at(v->as.dict.values, i);
        Str name;
        if (!value_text(&key, &name)) return fail(E_USAGE, "options: names are expected as keys");
        Err err = parse_option(p, name, &value);
        if (err != E_OK) return err;
    }
    return E_OK;
}

/* labels and scope choose among assemblies, which is the caller's: their shape is checked here. */
static Err check_dictionary(const char *what, const Value *v)
{
    if (v == NULL || value_is_nothing(v) || v->type == QT_DICT) return E_OK;
    return fail(E_USAGE, "%s: a dictionary is expected", what);
}

/* ---- all arguments */

enum {
    ARG_TABLE,
    ARG_START,
    ARG_END,
    ARG_INPUT_ZONE,
    ARG_OUTPUT_ZONE,
    ARG_OUTPUT_COLS,
    ARG_FILTER,
    ARG_GROUP,
    ARG_AGG,
    ARG_FILL,
    ARG_TEMPORALITY,
    ARG_SLICE,
    ARG_SORT,
    ARG_LIMIT,
    ARG_LABELS,
    ARG_SCOPE,
    ARG_OPTIONS,
    ARG_COUNT
};

static const char *const arg_names[ARG_COUNT] = {
    [ARG_TABLE] = "table",
    [ARG_START] = "startTS",
    [ARG_END] = "endTS",
    [ARG_INPUT_ZONE] = "inputTZ",
    [ARG_OUTPUT_ZONE] = "outputTZ",
    [ARG_OUTPUT_COLS] = "outputTZCols",
    [ARG_FILTER] = "filter",
    [ARG_GROUP] = "groupBy",
    [ARG_AGG] = "agg",
    [ARG_FILL] = "fill",
    [ARG_TEMPORALITY] = "temporality",
    [ARG_SLICE] = "slice",
    [ARG_SORT] = "sortCols",
    [ARG_LIMIT] = "limit",
    [ARG_LABELS] = "labels",
    [ARG_SCOPE] = "scope",
    [ARG_OPTIONS] = "options",
};

/* Files each argument under its number. A key of no name with no value is q's way to keep a
 * dictionary general. */
static Err collect(const Value *args, Value *values, const Value **found)
{
    if (args->type != QT_DICT || args->as.dict.keys->type == QT_TABLE)
        return fail(E_USAGE, "a dictionary of arguments is expected, not a value of type %s",
                    type_name(args->type));
    u64 count = value_count(args->as.dict.keys);
    if (count != value_count(args->as.dict.values))
        return fail(E_USAGE, "the arguments have %llu names and %llu values",
                    (unsigned long long)count,
                    (unsigned long long)value_count(args->as.dict.values));
    if (count > ARGUMENTS_MAX) return fail(E_USAGE, "more than %d arguments", ARGUMENTS_MAX);
    for (u64 i = 0; i < count; i++) {
        Value key = value_at(args->as.dict.keys, i), value = value_at(args->as.dict.values, i);
        Str name;
        u32 at = 0;
        if (!value_text(&key, &name))
            return fail(E_USAGE, "the names of arguments are expected as keys");
        if (name.size == 0 && value_is_nothing(&value)) continue;
        while (at < ARG_COUNT && !str_is(name, arg_names[at]))
            at++;
        if (at == ARG_COUNT) return fail(E_USAGE, "there is no argument %.*s", SHOWN(name));
        if (found[at] != NULL) return fail(E_USAGE, "argument %.*s is given twice", SHOWN(name));
        values[at] = value;
        found[at] = &values[at];
    }
    return E_OK;
}

Err getdata_parse(const Value *args, const SchemaSet *tables, Arena *a, Request *r)
{
    Err err = E_OK;
    Value values[ARG_COUNT];
    const Value *v[ARG_COUNT] = {NULL};
    Parse p = {.tables = tables, .arena = a, .request = r};
    Str *names;
    u64 count;
    *r = (Request){0};
    TRY(collect(args, values, v));
    TRY(parse_table(&p, v[ARG_TABLE]));
    TRY(parse_times(&p, v[ARG_START], v[ARG_END]));
    TRY(parse_slice(&p, v[ARG_TEMPORALITY], v[ARG_SLICE]));
    TRY(parse_zones(&p, "inputTZ", v[ARG_INPUT_ZONE]));
    TRY(parse_zones(&p, "outputTZ", v[ARG_OUTPUT_ZONE]));
    TRY(parse_filters(&p, v[ARG_FILTER]));
    TRY(parse_groups(&p, v[ARG_GROUP]));
    TRY(parse_agg(&p, v[ARG_AGG]));
    TRY(parse_sort(&p, v[ARG_SORT]));
    TRY(parse_limit(&p, v[ARG_LIMIT]));
    TRY(parse_fill(&p, v[ARG_FILL]));
    TRY(check_dictionary("labels", v[ARG_LABELS]));
    TRY(check_dictionary("scope", v[ARG_SCOPE]));
    TRY(parse_options(&p, v[ARG_OPTIONS]));
    if (v[ARG_OUTPUT_COLS] != NULL) {
        TRY(read_names(&p, "outputTZCols", v[ARG_OUTPUT_COLS], &names, &count));
        for (u64 i = 0; i < count; i++) {
            if (find_result(&p, names[i]) >= 0) continue;
            err = fail(E_NOT_FOUND, "outputTZCols: the result has no column %.*s", SHOWN(names[i]));
            goto done;
        }
    }
done:
    return err;
}
