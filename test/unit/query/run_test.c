/*
 * run: answers against a model that walks all rows one by one, for requests and rows at random over
 * date parts, interval parts, a late part and live rows; and what else run.h promises.
 */
#include "kit.h"
#include "query/run.h"

#include "os/now.h"
#include "query/like.h"

#include <math.h>
#include <pthread.h>

/* ---- the model */

static int order(const Value *a, const Value *b)
{
    Str x, y;
    int type = -a->type;
    if (value_text(a, &x) && value_text(b, &y) && type != QT_CHAR) return str_cmp(x, y);
    if (type == QT_GUID) return memcmp(a->as.guid, b->as.guid, 16);
    if (type == QT_FLOAT || type == QT_REAL || type == QT_DATETIME) {
        if (isnan(a->as.f) || isnan(b->as.f)) return isnan(b->as.f) - isnan(a->as.f);
        return (a->as.f > b->as.f) - (a->as.f < b->as.f);
    }
    return (a->as.i > b->as.i) - (a->as.i < b->as.i);
}

static Value cell(const Kit *k, i32 column, u64 row)
{
    Value v = value_vec(k->rows.cols[column]);
    return value_at(&v, row);
}

static bool passes(const Kit *k, const Filter *f, u64 row)
{
    Str pattern, text;
    if (f->op == FILTER_NOT) return !passes(k, &f->args[0], row);
    if (f->op == FILTER_AND || f->op == FILTER_OR) {
        bool all = f->op == FILTER_AND;
        for (u32 i = 0; i < f->arg_count; i++) {
            if (passes(k, &f->args[i], row) != all) return !all;
        }
        return all;
    }
    Value v = cell(k, f->column, row);
    if (f->op == FILTER_LIKE)
        return value_text(&f->value, &pattern) && value_text(&v, &text) &&
               like_match(pattern, text);
    if (f->op == FILTER_IN) {
        for (u64 i = 0; i < value_count(&f->value); i++) {
            Value one = value_at(&f->value, i);
            if (order(&v, &one) == 0) return true;
        }
        return false;
    }
    if (f->op == FILTER_WITHIN) {
        Value low = value_at(&f->value, 0), high = value_at(&f->value, 1);
        return order(&low, &v) <= 0 && order(&v, &high) <= 0;
    }
    int c = order(&v, &f->value);
    switch (f->op) {
    case FILTER_EQ: return c == 0;
    case FILTER_NE: return c != 0;
    case FILTER_LT: return c < 0;
    case FILTER_GT: return c > 0;
    case FILTER_LE: return c <= 0;
    default: return c >= 0;
    }
}

static bool chosen(const Kit *k, const Request *r, u64 row)
{
    i64 time = vec_i64(&k->rows.cols[0])[row];
    if (time < r->start || time >= r->end) return false;
    i64 clock = time - (i64)temporal_day_of(time) * TEMPORAL_DAY_NS;
    if (r->slice_from != r->slice_to && (clock < r->slice_from || clock >= r->slice_to))
        return false;
    for (u32 i = 0; i < r->filter_count; i++) {
        if (!passes(k, &r->filters[i], row)) return false;
    }
    return true;
}

static const Kit *sort_kit;
static const Request *sort_request;

static int by_time(const void *a, const void *b)
{
    const i64 *times = vec_i64(&sort_kit->rows.cols[0]);
    u64 x = *(const u64 *)a, y = *(const u64 *)b;
    if (times[x] != times[y]) return times[x] < times[y] ? -1 : 1;
    return (x > y) - (x < y);
}

static int same_group(u64 x, u64 y)
{
    for (u32 g = 0; g < sort_request->group_count; g++) {
        Value a = cell(sort_kit, sort_request->groups[g], x),
              b = cell(sort_kit, sort_request->groups[g], y);
        int c = order(&a, &b);
        if (c != 0) return c;
    }
    return 0;
}

static int by_group(const void *a, const void *b)
{
    int c = same_group(*(const u64 *)a, *(const u64 *)b);
    return c != 0 ? c : by_time(a, b);
}

/* ---- one value as text, floats with so many digits */

static void put_text(const Value *v, int digits, Buf *out)
{
    Str text;
    int type = -v->type;
    if (v->type == QT_CHAR || (type != QT_CHAR && value_text(v, &text))) {
        assert_true(value_text(v, &text));
        KIT_OK(buf_format(out, "\"%.*s\"", STR_FMT(text)));
    } else if (v->type >= 0 && v->type < QT_TABLE) {
        for (u64 i = 0; i < value_count(v); i++) {
            Value one = value_at(v, i);
            put_text(&one, digits, out);
            KIT_OK(buf_byte(out, ' '));
        }
    } else if (type == QT_GUID) {
        KIT_OK(buf_format(out, "%02x%02x", v->as.guid[0], v->as.guid[15]));
    } else if (type == QT_FLOAT || type == QT_REAL) {
        f64 f = v->as.f + 0.0;
        if (isnan(f)) KIT_OK(buf_text(out, "nan"));
        if (!isnan(f)) KIT_OK(buf_format(out, "%.*g", digits, f));
    } else {
        KIT_OK(buf_format(out, "%lld", (long long)v->as.i));
    }
    KIT_OK(buf_byte(out, '|'));
}

/* ---- what an aggregation must say */

static f64 number(const Value *v, bool *null)
{
    int type = -v->type;
    if (type == QT_FLOAT || type == QT_REAL) {
        *null = isnan(v->as.f);
        return v->as.f;
    }
    *null = (type == QT_SHORT && v->as.i == Q_NULL_SHORT) ||
            (type_width(type) == 4 && v->as.i == Q_NULL_INT) ||
            (type_width(type) == 8 && v->as.i == Q_NULL_LONG);
    return (f64)v->as.i;
}

typedef struct {
    long double n, x, y, xx, yy, xy; /* sums; then of differences from the means */
} Sums;

static Sums sums_of(const Kit *k, const Select *s, const u64 *rows, u64 count)
{
    Sums m = {0};
    for (int pass = 0; pass < 2; pass++) {
        long double mx = m.n > 0 ? m.x / m.n : 0, my = m.n > 0 ? m.y / m.n : 0;
        for (u64 i = 0; i < count; i++) {
            bool null, null2 = false;
            Value a = cell(k, s->column, rows[i]);
            f64 x = number(&a, &null), y = 0;
            if (s->column2 >= 0) {
                Value b = cell(k, s->column2, rows[i]);
                y = number(&b, &null2);
            }
            if (null || null2) continue;
            if (pass == 0) {
                m.n += 1;
                m.x += x;
                m.y += y;
            } else {
                m.xx += (x - mx) * (x - mx);
                m.yy += (y - my) * (y - my);
                m.xy += (x - mx) * (y - my);
            }
        }
    }
    return m;
}

/* The least or greatest; starts with the infinity of the type. */
static Value extreme(const Kit *k, const Select *s, const u64 *rows, u64 count)
{
    int type = k->columns[s->column].type;
    bool least = s->kind == AGG_MIN;
    Value best = value_atom(type, 0);
    i64 most = type_width(type) == 8   ? INT64_MAX
               : type_width(type) == 4 ? INT32_MAX
               : type_width(type) == 2 ? INT16_MAX
               : type == QT_BOOLEAN    ? 1
                                       : 255;
    best.as.i = least ? most : type_width(type) == 1 ? 0 : -most;
    if (type_class(type) == TYPE_REAL) best.as.f = least ? (f64)INFINITY : -(f64)INFINITY;
    for (u64 i = 0; i < count; i++) {
        bool null;
        Value v = cell(k, s->column, rows[i]);
        (void)number(&v, &null);
        if (null) continue;
        if (least ? order(&v, &best) < 0 : order(&v, &best) > 0) best = v;
    }
    return best;
}

static Value total(const Kit *k, const Select *s, const u64 *rows, u64 count)
{
    int type = k->columns[s->column].type, result = request_agg_type(s->kind, type);
    u64 i64_total = s->kind == AGG_PRD;
    long double f64_total = s->kind == AGG_PRD;
    for (u64 i = 0; i < count; i++) {
        bool null;
        Value v = cell(k, s->column, rows[i]);
        f64 f = number(&v, &null);
        if (null) continue;
        if (s->kind == AGG_SUM) {
            f64_total += f;
            i64_total += (u64)v.as.i;
        } else {
            f64_total *= f;
            i64_total *= (u64)v.as.i;
        }
    }
    Value out = value_atom(result, (i64)i64_total);
    if (type_width(result) == 4) out.as.i = (i32)(u32)i64_total;
    if (type_class(type) == TYPE_REAL)
        out.as.f = result == QT_REAL ? (f64)(f32)f64_total : (f64)f64_total;
    return out;
}

static void put_distinct(const Kit *k, const Select *s, const u64 *rows, u64 count, Buf *out)
{
    /* each value once, in the order of the type, as text */
    bool first = true;
    Value last = value_null();
    for (;;) {
        bool found = false;
        Value best = value_null();
        for (u64 i = 0; i < count; i++) {
            Value v = cell(k, s->column, rows[i]);
            if (!first && order(&v, &last) <= 0) continue;
            if (!found || order(&v, &best) < 0) best = v;
            found = true;
        }
        if (!found) return;
        put_text(&best, 9, out);
        last = best;
        first = false;
    }
}

static void put_agg(const Kit *k, const Select *s, const u64 *rows, u64 count, Buf *out)
{
    Value v = value_float((f64)NAN);
    Sums m = sums_of(k, s, rows, count);
    long double less = m.n - (s->kind == AGG_SVAR || s->kind == AGG_SDEV || s->kind == AGG_SCOV);
    switch (s->kind) {
    case AGG_COUNT: v = value_long((i64)count); break;
    case AGG_SUM:
    case AGG_PRD: v = total(k, s, rows, count); break;
    case AGG_MIN:
    case AGG_MAX: v = extreme(k, s, rows, count); break;
    case AGG_FIRST:
    case AGG_LAST:
        if (count > 0) {
            v = cell(k, s->column, rows[s->kind == AGG_FIRST ? 0 : count - 1]);
        } else {
            int type = k->columns[s->column].type;
            u8 null[16];
            type_null(schema_memory_type(&k->columns[s->column]), null);
            v = type == QT_STRING ? value_string(STR("")) : (Value){0};
            if (type != QT_STRING) {
                Value list = value_vec(vec_of(schema_memory_type(&k->columns[s->column]), null, 1));
                v = value_at(&list, 0);
            }
        }
        break;
    case AGG_AVG:
        if (m.n > 0) v.as.f = (f64)(m.x / m.n);
        break;
    case AGG_WSUM:
    case AGG_WAVG: {
        long double w = 0, wx = 0;
        for (u64 i = 0; i < count; i++) {
            bool null, null2;
            Value a = cell(k, s->column, rows[i]), b = cell(k, s->column2, rows[i]);
            f64 x = number(&a, &null), y = number(&b, &null2);
            if (null || null2) continue;
            w += x;
            wx += x * y;
        }
        v.as.f = (f64)(s->kind == AGG_WSUM ? wx : wx / w);
        break;
    }
    case AGG_ALL:
    case AGG_ANY: {
        bool all = true, any = false;
        for (u64 i = 0; i < count; i++) {
            Value a = cell(k, s->column, rows[i]);
            bool yes = type_class(-a.type) == TYPE_REAL ? a.as.f != 0 : a.as.i != 0;
            all &= yes;
            any |= yes;
        }
        v = value_bool(s->kind == AGG_ALL ? all : any);
        break;
    }
    case AGG_VAR:
    case AGG_SVAR:
        if (less > 0) v.as.f = (f64)(m.xx / less);
        break;
    case AGG_DEV:
    case AGG_SDEV:
        if (less > 0) v.as.f = sqrt((f64)(m.xx / less));
        break;
    case AGG_COV:
    case AGG_SCOV:
        if (less > 0) v.as.f = (f64)(m.xy / less);
        break;
    case AGG_COR:
        if (m.n > 0) v.as.f = (f64)(m.xy / (sqrtl(m.xx) * sqrtl(m.yy)));
        break;
    default: put_distinct(k, s, rows, count, out); return;
    }
    put_text(&v, 7, out);
}

/* ---- comparing */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_loose(const Request *r, u64 column)
{
    if (column < r->group_count) return false;
    AggKind kind = r->selects[column - r->group_count].kind;
    return kind == AGG_SUM || kind == AGG_PRD || kind == AGG_AVG || kind >= AGG_WAVG;
}

/* A distinct cell, sorted as the model's. */
static void put_cell(const Request *r, const Value *table, u64 column, u64 row, Buf *out)
{
    Value v = value_at(&table->as.table.cols[column], row);
    bool distinct =
        column >= r->group_count && r->selects[column - r->group_count].kind == AGG_DISTINCT;
    if (!distinct) {
        put_text(&v, is_loose(r, column) ? 7 : r->aggregated ? 7 : 17, out);
        return;
    }
    u64 count = value_count(&v);
    Value *sorted = calloc(count + 1, sizeof *sorted);
    for (u64 i = 0; i < count; i++) {
        u64 at = i;
        Value one = value_at(&v, i);
        for (; at > 0 && order(&one, &sorted[at - 1]) < 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = one;
    }
    for (u64 i = 0; i < count; i++)
        put_text(&sorted[i], 9, out);
    free(sorted);
}

/* Whether two lines are equal but for the last digits of floats. */
static bool alike(const char *a, const char *b)
{
    while (*a && *b) {
        char *enda, *endb;
        f64 x = strtod(a, &enda), y = strtod(b, &endb);
        if (enda > a && endb > b) {
            bool near = x == y || fabs(x - y) <= 1e-5 * MAX(fabs(x), fabs(y)) + 1e-7;
            if (!near && !(isnan(x) && isnan(y))) return false;
            a = enda;
            b = endb;
        } else if (*a++ != *b++) {
            return false;
        }
    }
    return *a == *b;
}

static char *line_of(Buf *b)
{
    char *text = strdup(buf_str(b));
    buf_clear(b);
    assert_non_null(text);
    return text;
}

static void show(const Request *r)
{
    for (u32 i = 0; i < r->filter_count; i++)
        print_message("filter op %d column %d\n", r->filters[i].op, r->filters[i].column);
    for (u32 i = 0; i < r->group_count; i++)
        print_message("group %d\n", r->groups[i]);
    for (u32 i = 0; i < r->select_count; i++)
        print_message("select %s %d %d\n", request_agg_name(r->selects[i].kind),
                      r->selects[i].column, r->selects[i].column2);
    print_message("start %lld end %lld limit %d %lld sorts %u fill %d\n", (long long)r->start,
                  (long long)r->end, r->limited, (long long)r->limit, r->sort_count, r->fill);
}

static void check_rows(const Kit *k, const Request *r, const Value *table, const u64 *rows,
                       u64 count)
{
    Buf b = {0};
    u64 got = value_count(table), want = count;
    if (r->limited) want = MIN(want, r->limit < 0 ? 0 - (u64)r->limit : (u64)r->limit);
    if (got != want) show(r);
    assert_int_equal(got, want);
    char **ours = calloc(count + 1, sizeof *ours), **theirs = calloc(got + 1, sizeof *theirs);
    for (u64 i = 0; i < count; i++) {
        for (u32 s = 0; s < r->select_count; s++) {
            Value v = cell(k, r->selects[s].column, rows[i]);
            put_text(&v, 17, &b);
        }
        ours[i] = line_of(&b);
    }
    for (u64 i = 0; i < got; i++) {
        for (u32 c = 0; c < table->as.table.count; c++)
            put_cell(r, table, c, i, &b);
        theirs[i] = line_of(&b);
    }
    qsort(ours, count, sizeof *ours, by_text);
    qsort(theirs, got, sizeof *theirs, by_text);
    for (u64 i = 0, at = 0; i < got; i++) {
        while (r->limited && at < count && strcmp(ours[at], theirs[i]) < 0)
            at++;
        if (at >= count || strcmp(ours[at], theirs[i]) != 0) {
            show(r);
            fail_msg("row %s, expected %s", theirs[i], at < count ? ours[at] : "no more");
        }
        at++;
    }
    for (u64 i = 0; i < count; i++)
        free(ours[i]);
    for (u64 i = 0; i < got; i++)
        free(theirs[i]);
    free(ours);
    free(theirs);
    buf_free(&b);
}

/* The rows stand in the order that was asked, and no row that was left out belongs before the
 * last. */
static void check_order(const Kit *k, const Request *r, const Value *table, const u64 *rows,
                        u64 count)
{
    u64 got = value_count(table);
    for (u64 i = 1; r->sort_count > 0 && i < got; i++) {
        int c = 0;
        for (u32 s = 0; s < r->sort_count && c == 0; s++) {
            const Value *column = &table->as.table.cols[r->sorts[s].column];
            Value a = value_at(column, i - 1), b = value_at(column, i);
            c = r->sorts[s].descending ? order(&b, &a) : order(&a, &b);
        }
        assert_true(c <= 0);
    }
    if (r->sort_count == 0 || !r->limited || got == 0 || got == count) return;
    /* by the first sort column: as many rows are beyond the edge as were left out, or equal to
     * it */
    const SortBy *by = &r->sorts[0];
    bool front = r->limit > 0;
    Value edge = value_at(&table->as.table.cols[by->column], front ? got - 1 : 0);
    u64 inside = 0;
    for (u64 i = 0; i < count; i++) {
        Value v = cell(k, r->selects[by->column].column, rows[i]);
        int c = order(&v, &edge);
        inside += by->descending == front ? c > 0 : c < 0;
    }
    assert_true(inside < got);
}

static void check_groups(const Kit *k, const Request *r, const Value *table, u64 *rows, u64 count)
{
    Buf ours = {0}, theirs = {0};
    u64 at = 0, got = value_count(table), line = 0;
    sort_request = r;
    qsort(rows, count, sizeof *rows, by_group);
    while (at < count || (count == 0 && r->group_count == 0 && line == 0)) {
        u64 end = at;
        while (end < count && same_group(rows[at], rows[end]) == 0)
            end++;
        for (u32 g = 0; g < r->group_count; g++) {
            Value v = cell(k, r->groups[g], rows[at]);
            put_text(&v, 7, &ours);
        }
        for (u32 s = 0; s < r->select_count; s++)
            put_agg(k, &r->selects[s], rows + at, end - at, &ours);
        if (line >= got) show(r);
        assert_true(line < got);
        for (u32 c = 0; c < table->as.table.count; c++)
            put_cell(r, table, c, line, &theirs);
        if (!alike(buf_str(&ours), buf_str(&theirs))) {
            show(r);
            fail_msg("group %llu: %s, expected %s", (unsigned long long)line, buf_str(&theirs),
                     buf_str(&ours));
        }
        buf_clear(&ours);
        buf_clear(&theirs);
        at = end;
        line++;
    }
    assert_int_equal(line, got);
    buf_free(&ours);
    buf_free(&theirs);
}

/* Runs a request and compares. */
static void check(Kit *k, const Request *r)
{
    Arena a = {0};
    Value table;
    RunStats stats;
    u64 count = 0, *rows = calloc(k->rows.rows + 1, sizeof *rows);
    assert_non_null(rows);
    for (u64 i = 0; i < k->rows.rows; i++) {
        if (chosen(k, r, i)) rows[count++] = i;
    }
    sort_kit = k;
    qsort(rows, count, sizeof *rows, by_time);
    KIT_OK(kit_run(k, r, &a, &table, &stats));
    assert_int_equal(table.type, QT_TABLE);
    assert_int_equal(table.as.table.count, r->group_count + r->select_count);
    for (u32 c = 0; c < table.as.table.count; c++) {
        const Select *s = c < r->group_count ? NULL : &r->selects[c - r->group_count];
        i32 column = s != NULL ? s->column : r->groups[c];
        int type = schema_memory_type(&k->columns[column]);
        assert_int_equal(table.as.table.cols[c].type,
                         s != NULL ? request_agg_type(s->kind, type) : type);
    }
    if (r->aggregated) {
        check_groups(k, r, &table, rows, count);
    } else {
        check_rows(k, r, &table, rows, count);
        check_order(k, r, &table, rows, count);
    }
    free(rows);
    arena_free(&a);
}

/* ---- requests at random */

static Value list_of(const Kit *k, Prng *p, i32 column, u64 count, Arena *a)
{
    int type = k->columns[column].type;
    u32 width = type == QT_STRING ? sizeof(Value) : type_width(type);
    u8 *data = arena_alloc(a, (count + 1) * width);
    for (u64 i = 0; i < count; i++) {
        Value v = cell(k, column, prng_below(p, k->rows.rows));
        Str text;
        if (type == QT_STRING) {
            ((Value *)(void *)data)[i] = v;
        } else if (type == QT_SYMBOL) {
            assert_true(value_text(&v, &text));
            memcpy(data + i * width, &text, sizeof text);
        } else if (type == QT_REAL) {
            f32 f = (f32)v.as.f;
            memcpy(data + i * width, &f, sizeof f);
        } else {
            memcpy(data + i * width, &v.as, width);
        }
    }
    return value_vec(vec_of(type == QT_STRING ? QT_LIST : type, data, count));
}

static Filter random_filter(const Kit *k, Prng *p, u32 depth, Arena *a)
{
    static const char *const patterns[] = {"A*",    "*",    "?",    "*B*", "[AB]*",
                                           "[^A]*", "M?FT", "note", "x*"};
    Filter f = {.column = -1};
    if (depth < 3 && prng_below(p, 4) == 0) {
        f.op = FILTER_AND + (FilterOp)prng_below(p, 3);
        f.arg_count = f.op == FILTER_NOT ? 1 : 1 + (u32)prng_below(p, 3);
        f.args = arena_array(a, Filter, f.arg_count);
        for (u32 i = 0; i < f.arg_count; i++)
            f.args[i] = random_filter(k, p, depth + 1, a);
        return f;
    }
    f.column = (i32)prng_below(p, COL_COUNT);
    if (prng_below(p, 3) == 0) f.column = COL_SYM;
    f.op = (FilterOp)prng_below(p, FILTER_AND);
    int type = k->columns[f.column].type;
    if (f.op == FILTER_LIKE && type != QT_SYMBOL && type != QT_STRING && type != QT_CHAR)
        f.op = FILTER_EQ;
    if (f.op == FILTER_LIKE) {
        f.value = value_string(str_of(patterns[prng_below(p, COUNT_OF(patterns))]));
    } else if (f.op == FILTER_IN) {
        f.value = list_of(k, p, f.column, prng_below(p, 14), a);
    } else if (f.op == FILTER_WITHIN) {
        f.value = list_of(k, p, f.column, 2, a);
    } else {
        f.value = cell(k, f.column, prng_below(p, k->rows.rows));
        Str text;
        if (type == QT_SYMBOL && value_text(&f.value, &text)) f.value = value_sym(text);
        if (type == QT_SYMBOL && prng_below(p, 9) == 0)
            f.value = value_symbol("nobody interned this");
    }
    return f;
}

static void random_groups(Prng *p, Request *r)
{
    static const i32 columns[] = {COL_SYM,  COL_SYM,  COL_EX, COL_SIDE, COL_NOTE,
                                  COL_SIZE, COL_REAL, COL_ID, COL_DATE};
    r->group_count = (u32)prng_below(p, 4);
    for (u32 i = 0; i < r->group_count; i++) {
        r->groups[i] = columns[prng_below(p, COUNT_OF(columns))];
        for (u32 j = 0; j < i; j++) {
            if (r->groups[i] == r->groups[j]) r->group_count = i;
        }
    }
}

static Request random_request(const Kit *k, Prng *p, Arena *a)
{
    Request r = {.schema = &k->schema, .start = INT64_MIN, .end = INT64_MAX};
    i64 first = (i64)KIT_DAY * TEMPORAL_DAY_NS, span = 6 * TEMPORAL_DAY_NS;
    if (prng_below(p, 3) > 0) r.start = first + (i64)prng_below(p, (u64)span);
    if (prng_below(p, 3) > 0)
        r.end = r.start == INT64_MIN
                    ? first + (i64)prng_below(p, (u64)span)
                    : r.start + (i64)prng_below(p, (u64)span / (1 + 20 * prng_below(p, 2)));
    if (prng_below(p, 6) == 0) {
        r.start = first + (i64)prng_below(p, 3) * TEMPORAL_DAY_NS;
        r.end = r.start + 3 * TEMPORAL_DAY_NS;
        r.slice_from = (i64)prng_below(p, TEMPORAL_DAY_NS);
        r.slice_to = r.slice_from + 1 + (i64)prng_below(p, (u64)(TEMPORAL_DAY_NS - r.slice_from));
    }
    r.filter_count = (u32)prng_below(p, 4);
    r.filters = arena_array(a, Filter, r.filter_count + 1);
    for (u32 i = 0; i < r.filter_count; i++)
        r.filters[i] = random_filter(k, p, 0, a);
    r.selects = arena_array(a, Select, 8);
    r.groups = arena_array(a, i32, 4);
    r.aggregated = prng_below(p, 3) > 0;
    if (r.aggregated) random_groups(p, &r);
    r.select_count = 1 + (u32)prng_below(p, 6);
    for (u32 i = 0; i < r.select_count; i++) {
        Select *s = &r.selects[i];
        *s = (Select){.name = str_of(arena_format(a, "c%u", i)),
                      .column = (i32)prng_below(p, COL_COUNT),
                      .column2 = -1};
        if (!r.aggregated) continue;
        do {
            s->kind = (AggKind)(1 + prng_below(p, AGG_SCOV));
        } while (s->kind == AGG_PRD);
        static const i32 pairs[] = {COL_SIZE, COL_QTY, COL_SMALL, COL_REAL};
        if (request_agg_pairs(s->kind)) {
            s->column = pairs[prng_below(p, 4)];
            s->column2 = pairs[prng_below(p, 4)];
        }
        /* infinite prices make sums that depend on their order: they have tests of their own */
        bool sums = s->kind == AGG_SUM || s->kind == AGG_AVG || s->kind >= AGG_WAVG;
        while (request_agg_type(s->kind, k->columns[s->column].type) < 0 ||
               (s->column == COL_PRICE && sums && s->kind != AGG_DISTINCT && s->kind != AGG_ALL &&
                s->kind != AGG_ANY) ||
               (s->kind >= AGG_DEV && s->kind != AGG_DISTINCT && s->column == COL_TIME))
            s->column = (i32)prng_below(p, COL_COUNT);
    }
    if (!r.aggregated && prng_below(p, 4) == 0) {
        r.limited = true;
        r.limit = (i64)prng_below(p, 200) - 100;
    }
    if (r.limited && prng_below(p, 2) == 0) r.limit *= 50;
    r.sorts = arena_array(a, SortBy, 3);
    u64 sorts = !r.aggregated && prng_below(p, 3) == 0 ? 1 + prng_below(p, 3) : 0;
    for (; r.sort_count < sorts; r.sort_count++) {
        u32 column = (u32)prng_below(p, r.group_count + r.select_count);
        r.sorts[r.sort_count] = (SortBy){(i32)column, prng_below(p, 2) == 0};
    }
    return r;
}

/* Days 0 and 1 are date parts, day 2 a date part and late rows, days 2 to 4 interval parts, the
 * rest live. */
static void fill(Kit *k, Prng *p, u64 rows)
{
    i64 span = 5 * TEMPORAL_DAY_NS;
    for (u64 i = 0; i < rows; i++) {
        i64 time = (i64)KIT_DAY * TEMPORAL_DAY_NS +
                   (i64)((u64)span / rows * i + prng_below(p, (u64)span / rows));
        if (i > rows / 2 && prng_below(p, 10) == 0)
            time -= (i64)prng_below(p, 2) * TEMPORAL_DAY_NS + (i64)i;
        kit_random(k, p, time);
    }
    CodecChoice codec = k->codec;
    for (i32 d = 0; d < 3; d++) {
        kit_part(k, PART_DATE, KIT_DAY + d, 0, rows / 2, KIT_DAY + d, false);
        k->codec = d == 0 ? (CodecChoice){0} : codec; /* one of them stays plain */
    }
    u64 at = rows / 2, step = rows / 12;
    i32 ordinal = 0;
    for (u32 i = 0; i < 4; i++, at += step) {
        i32 day = temporal_day_of(vec_i64(&k->rows.cols[0])[at + step - 1]);
        kit_part(k, PART_INTERVAL, ordinal++, at, at + step, day, false);
        u64 late = 0;
        for (u64 r = at; r < at + step; r++)
            late += temporal_day_of(vec_i64(&k->rows.cols[0])[r]) != day;
        if (late == 0) continue;
        kit_part(k, PART_INTERVAL, ordinal++, at, at + step, day, true);
    }
    k->view->watermark = k->position;
    kit_live(k, at, rows, 1 + prng_below(p, 700));
}

static void check_round(u32 round, u64 rows, const CodecChoice *codec)
{
    Kit k;
    Prng p;
    prng_init(&p, 1000 + round);
    kit_make(&k, round % 2 == 0 ? 1000 : 5, 1 + (int)round % 3);
    k.codec = *codec;
    kit_shape(&k, round / 3 % SHAPE_COUNT);
    fill(&k, &p, 40 + prng_below(&p, (u32)rows) * (round % 3));
    for (u32 i = 0; i < 120; i++) {
        Arena a = {0};
        Request r = random_request(&k, &p, &a);
        check(&k, &r);
        arena_free(&a);
    }
    kit_end(&k);
}

static void answers_are_those_of_the_model(void **state)
{
    (void)state;
    CodecChoice none = {0};
    for (u32 round = 0; round < 12; round++)
        check_round(round, 6000, &none);
}

/* The cache holds many blocks in even rounds and hardly any in others. */
static void answers_over_compressed_parts_are_those_of_the_model(void **state)
{
    (void)state;
    static const CodecChoice codecs[] = {{CODEC_QIPC, 0, 12},
                                         {CODEC_GZIP, 6, 12},
                                         {CODEC_SNAPPY, 0, 13},
                                         {CODEC_LZ4HC, 9, 12},
                                         {CODEC_ZSTD, 3, 12}};
    u64 before = image_inflated();
    for (u32 round = 0; round < 12; round++) {
        image_cache_bound(round % 2 == 0 ? 0 : 16 << 10);
        check_round(round + 1, 9000, &codecs[round % COUNT_OF(codecs)]);
    }
    image_cache_bound(0);
    assert_true(image_inflated() > before);
}

/* ---- a small database that can be seen at a glance */

static void small(Kit *k, u32 columns_max)
{
    kit_make(k, columns_max, 2);
    kit_trade(k, 0, "10:00", "b", "1", "10");
    kit_trade(k, 0, "11:00", "a", "2", "");
    kit_trade(k, 0, "12:00", "a", "", "30");
    kit_trade(k, 1, "09:00", "c", "4", "40");
    kit_trade(k, 1, "09:00", "a", "5", "50");
    kit_trade(k, 2, "08:00", "a", "6", "60");
    kit_trade(k, 2, "09:00", "d", "7", "70");
    kit_part(k, PART_DATE, KIT_DAY, 0, 3, KIT_DAY, false);
    kit_part(k, PART_INTERVAL, 0, 3, 5, KIT_DAY + 1, false);
    kit_live(k, 5, 7, 1);
}

static void an_empty_database_answers_with_typed_columns(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 10, 1);
    kit_expect(&k, "{'table':'trade','agg':['sym','price','note']}", "sym,price,note\n");
    kit_expect(&k, "{'table':'trade','groupBy':'sym','agg':[['n','count','price']]}", "sym,n\n");
    kit_expect(&k,
               "{'table':'trade','agg':[['n','count','sym'],['s','sum','size'],['a','avg','size'],["
               "'l','min','size'],"
               "['h','max','price'],['f','first','sym'],['t','last','note'],['x','all','flag'],['y'"
               ",'any','flag'],"
               "['v','svar','price'],['w','wavg','size','price'],['p','prd','qty']]}",
               "n,s,a,l,h,f,t,x,y,v,w,p\n0,0,,0W,-0w,,,1,0,,,1\n");
    kit_end(&k);
}

static void date_interval_and_live_rows_are_one_table(void **state)
{
    (void)state;
    Kit k;
    small(&k, 100);
    kit_expect(&k, "{'table':'trade','agg':['sym','price'],'sortCols':['price']}",
               "sym,price\na,\nb,1\na,2\nc,4\na,5\na,6\nd,7\n");
    kit_expect(&k,
               "{'table':'trade','groupBy':'sym','agg':[['n','count','price'],['s','sum','size'],['"
               "l','last','price'],['f','first','price']]}",
               "sym,n,s,l,f\na,4,140,6,2\nb,1,10,1,1\nc,1,40,4,4\nd,1,70,7,7\n");
    kit_expect(&k,
               "{'table':'trade','filter':['=','sym','a'],'startTS':'2024.05.14D12:00','endTS':'"
               "2024.05.16D08:00','agg':['price']}",
               "price\n\"\"\n5\n");
    kit_expect(&k, "{'table':'trade','filter':['=','sym','nobody'],'agg':['price']}", "price\n");
    kit_expect(&k,
               "{'table':'trade','groupBy':'sym','agg':[],'sortCols':['sym','desc'],'limit':1,'"
               "filter':['<>','sym','d']}",
               "sym,time,price,size,side,ex,qty,id,note,flag,small,real,date,byte\n"
               "c,2024.05.15D09:00:00.000000000,4,40,B,N,40,00000000-0000-0000-0000-000000000000,c,"
               "1,3,0.5,,0x07\n");
    kit_end(&k);
}

static void limits_cut_the_first_or_the_last_rows(void **state)
{
    (void)state;
    Kit k;
    small(&k, 100);
    kit_expect(&k, "{'table':'trade','agg':['price'],'limit':2,'startTS':'2024.05.15D00:00'}",
               "price\n5\n4\n");
    kit_expect(&k, "{'table':'trade','agg':['price'],'limit':-2}", "price\n6\n7\n");
    kit_expect(&k, "{'table':'trade','agg':['price'],'limit':0}", "price\n");
    kit_expect(&k, "{'table':'trade','agg':['price'],'limit':2,'sortCols':['price','desc']}",
               "price\n7\n6\n");
    kit_expect(&k,
               "{'table':'trade','agg':['price','note'],'limit':-2,'sortCols':['price','desc']}",
               "price,note\n1,b\n,a\n");
    kit_expect(&k,
               "{'table':'trade','agg':['price','note'],'limit':-9000000000,'sortCols':['note','"
               "desc','price']}",
               "price,note\n7,d\n4,c\n1,b\n,a\n2,a\n5,a\n6,a\n");
    kit_expect(&k, "{'table':'trade','groupBy':'sym','agg':[['n','count','qty']],'limit':-1}",
               "sym,n\nd,1\n");
    kit_end(&k);
}

static void fills_replace_nulls_along_the_time_column(void **state)
{
    (void)state;
    Kit k;
    small(&k, 100);
    kit_expect(&k, "{'table':'trade','agg':['price','size'],'fill':'zero','endTS':'2024.05.15'}",
               "price,size\n2,0\n0,30\n1,10\n");
    /* by time: b, a, a; as the part stands: a, a, b */
    kit_expect(&k, "{'table':'trade','agg':['price','size'],'fill':'forward','endTS':'2024.05.15'}",
               "price,size\n1,10\n2,10\n2,30\n");
    kit_expect(&k,
               "{'table':'trade','agg':['price','size'],'fill':'forward','startTS':'2024.05.14D11:"
               "30','endTS':'2024.05.15'}",
               "price,size\n,30\n");
    kit_end(&k);
}

static void first_and_last_of_equal_times_follow_parts_then_rows(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 100, 1);
    for (u32 i = 0; i < 6; i++) {
        char price[8];
        snprintf(price, sizeof price, "%u", i);
        kit_trade(&k, 0, "10:00", "a", price, "1");
    }
    kit_part(&k, PART_DATE, KIT_DAY, 0, 2, KIT_DAY, false);
    kit_part(&k, PART_INTERVAL, 0, 2, 4, KIT_DAY, false);
    kit_live(&k, 4, 6, 1);
    kit_expect(
        &k,
        "{'table':'trade','agg':[['f','first','price'],['l','last','price'],['n','last','note']]}",
        "f,l,n\n0,5,a\n");
    kit_expect(
        &k, "{'table':'trade','groupBy':'side','agg':[['f','first','price'],['l','last','price']]}",
        "side,f,l\nB,0,5\n");
    kit_expect(&k,
               "{'table':'trade','groupBy':'sym','filter':['<','price',4],'agg':[['f','first','"
               "price'],['l','last','price']]}",
               "sym,f,l\na,0,3\n");
    k.source.live = NULL;
    kit_expect(&k, "{'table':'trade','agg':[['f','first','price'],['l','last','price']]}",
               "f,l\n0,3\n");
    k.source.intervals = false;
    kit_expect(&k, "{'table':'trade','agg':[['f','first','price'],['l','last','price']]}",
               "f,l\n0,1\n");
    kit_end(&k);
}

/* The configuration says (sym, time), but the rows of a symbol stand as they came. */
static void parts_that_are_not_sorted_by_time_are_read_right(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 100, 1);
    kit_trade(&k, 0, "12:00", "a", "1", "1");
    kit_trade(&k, 0, "10:00", "a", "2", "2");
    kit_trade(&k, 0, "11:00", "a", "3", "3");
    kit_trade(&k, 0, "09:00", "b", "4", "4");
    kit_trade(&k, 0, "10:30", "b", "5", "5");
    k.schema.sort_count[PLACE_DISK] = 1;
    kit_part(&k, PART_DATE, KIT_DAY, 0, 5, KIT_DAY, false);
    k.schema.sort_count[PLACE_DISK] = 2;
    for (u32 again = 0; again < 2; again++) {
        kit_expect(
            &k,
            "{'table':'trade','groupBy':'sym','agg':[['f','first','price'],['l','last','price']]}",
            "sym,f,l\na,2,1\nb,4,5\n");
        kit_expect(&k,
                   "{'table':'trade','filter':['=','sym','a'],'startTS':'2024.05.14D10:30','endTS':"
                   "'2024.05.14D11:30','agg':['price']}",
                   "price\n3\n");
        kit_expect(&k, "{'table':'trade','startTS':'2024.05.14D10:30','agg':['price']}",
                   "price\n1\n3\n5\n");
    }
    kit_end(&k);
}

static void spreads_keep_their_digits_across_parts(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 100, 1);
    for (u32 i = 0; i < 12; i++) {
        char price[32];
        snprintf(price, sizeof price, "%u", 1000000000u + i % 3);
        kit_trade(&k, (i32)i / 4, "10:00", i % 2 ? "a" : "b", price, "1");
    }
    for (i32 d = 0; d < 2; d++)
        kit_part(&k, PART_DATE, KIT_DAY + d, 0, 8, KIT_DAY + d, false);
    kit_live(&k, 8, 12, 4);
    Arena a = {0};
    Request r;
    Value table;
    KIT_OK(kit_parse(&k,
                     "{'table':'trade','agg':[['v','var','price'],['d','sdev','price'],['a','avg','"
                     "price'],['c','cor','price','price']]}",
                     &a, &r));
    KIT_OK(kit_run(&k, &r, &a, &table, NULL));
    f64 got[4];
    for (u32 i = 0; i < 4; i++)
        got[i] = *vec_f64(&table.as.table.cols[i].as.vec);
    assert_true(fabs(got[0] - 2.0 / 3) < 1e-12);
    assert_true(fabs(got[1] - sqrt(8.0 / 11)) < 1e-12);
    assert_true(got[2] == 1000000001.0);
    assert_true(fabs(got[3] - 1) < 1e-12);
    arena_free(&a);
    kit_end(&k);
}

static void infinities_and_nans_spread_as_in_q(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 100, 1);
    kit_trade(&k, 0, "10:00", "a", "0w", "1");
    kit_trade(&k, 0, "10:01", "a", "", "2");
    kit_trade(&k, 0, "10:02", "a", "1", "");
    kit_trade(&k, 0, "10:03", "b", "0w", "0");
    kit_trade(&k, 0, "10:04", "b", "-0w", "0");
    kit_part(&k, PART_DATE, KIT_DAY, 0, 5, KIT_DAY, false);
    kit_expect(&k,
               "{'table':'trade','groupBy':'sym','agg':[['s','sum','price'],['l','min','price'],['"
               "h','max','price'],['w','wavg','size','price']]}",
               "sym,s,l,h,w\na,0w,1,0w,0w\nb,,-0w,0w,\n");
    kit_expect(&k, "{'table':'trade','groupBy':'price','agg':[['n','count','size']]}",
               "price,n\n,1\n-0w,1\n1,1\n0w,2\n");
    kit_expect(&k, "{'table':'trade','filter':['<','price',1],'agg':['size']}", "size\n2\n0\n");
    kit_expect(&k, "{'table':'trade','filter':['=','price',null],'agg':['size']}", "size\n2\n");
    kit_end(&k);
}

static void slices_take_the_same_window_of_each_day(void **state)
{
    (void)state;
    Kit k;
    small(&k, 100);
    kit_expect(&k,
               "{'table':'trade','temporality':'slice','startTS':'2024.05.14D09:00','endTS':'2024."
               "05.16D11:00','agg':['time','sym'],'sortCols':'sym'}",
               "time,sym\n2024.05.15D09:00:00.000000000,a\n2024.05.14D10:00:00.000000000,b\n2024."
               "05.15D09:00:00.000000000,c\n"
               "2024.05.16D09:00:00.000000000,d\n");
    kit_expect(&k,
               "{'table':'trade','temporality':'slice','slice':['08:00','08:30'],'agg':['sym']}",
               "sym\na\n");
    kit_end(&k);
}

/* ---- what it costs, and what goes wrong */

static void parts_outside_the_range_are_not_opened(void **state)
{
    (void)state;
    Kit k;
    small(&k, 100);
    Arena a = {0};
    Request r;
    Value table;
    RunStats stats;
    KIT_OK(kit_parse(&k, "{'table':'trade','startTS':'2024.05.16','agg':['sym']}", &a, &r));
    KIT_OK(kit_run(&k, &r, &a, &table, &stats));
    assert_true(stats.parts == 2 && stats.parts_pruned == 2);
    assert_true(stats.rows_live == 2 && stats.rows_scanned == 2 && stats.bytes_mapped == 0);
    KIT_OK(dir_remove_all(k.intervals->parts[0].path));
    KIT_OK(kit_parse(&k, "{'table':'trade','endTS':'2024.05.15','agg':[['n','count','sym']]}", &a,
                     &r));
    KIT_OK(kit_run(&k, &r, &a, &table, &stats));
    assert_true(stats.parts_pruned == 1 && stats.bytes_mapped == 0); /* counting reads no column */
    kit_expect(&k, "{'table':'trade','startTS':'2024.05.15','agg':['sym']}", "corrupt");
    kit_expect(&k, "{'table':'trade','endTS':'2024.05.15','agg':['sym']}", "sym\na\na\nb\n");
    arena_free(&a);
    kit_end(&k);
}

static void damage_is_reported_with_the_file(void **state)
{
    (void)state;
    Kit k;
    small(&k, 100);
    char path[512];
    snprintf(path, sizeof path, "%s/trade/price", k.dates->parts[0].path);
    File f = FILE_NONE;
    KIT_OK(file_open(&f, path, FILE_WRITE));
    KIT_OK(file_truncate(&f, 24));
    KIT_OK(file_close(&f));
    kit_expect(&k, "{'table':'trade','agg':['price']}", "corrupt");
    assert_non_null(strstr(fail_text(), "trade/price"));
    kit_expect(&k, "{'table':'trade','agg':['sym'],'endTS':'2024.05.15'}", "sym\na\na\nb\n");
    /* an index that no name has */
    snprintf(path, sizeof path, "%s/trade/ex", k.dates->parts[0].path);
    KIT_OK(file_open(&f, path, FILE_WRITE));
    KIT_OK(file_write(&f, &(i64){1 << 20}, 8, 4096 + 8));
    KIT_OK(file_close(&f));
    kit_expect(&k, "{'table':'trade','agg':['ex']}", "corrupt");
    kit_expect(&k, "{'table':'trade','groupBy':'ex','agg':[['n','count','sym']]}", "corrupt");
    kit_expect(&k, "{'table':'trade','filter':['like','ex','N*'],'agg':['sym']}", "corrupt");
    /* a column of another type */
    snprintf(path, sizeof path, "%s/trade/size", k.dates->parts[0].path);
    KIT_OK(file_open(&f, path, FILE_WRITE));
    KIT_OK(file_write(&f, &(u8){QT_FLOAT}, 1, 2));
    KIT_OK(file_close(&f));
    kit_expect(&k, "{'table':'trade','agg':['size']}", "corrupt");
    kit_end(&k);
}

static i64 false_mono;

static i64 next_second(void) { return false_mono += 1000000000; }

static void a_query_that_takes_too_long_is_ended(void **state)
{
    (void)state;
    Kit k;
    small(&k, 100);
    now_fake(NULL, next_second);
    kit_expect(&k, "{'table':'trade','agg':['price'],'options':{'timeout':100}}", "timeout");
    kit_expect(&k, "{'table':'trade','agg':[['n','count','price']],'options':{'timeout':100}}",
               "timeout");
    kit_expect(&k, "{'table':'trade','agg':[['n','count','price']],'options':{'timeout':1000000}}",
               "n\n7\n");
    now_fake(NULL, NULL);
    kit_end(&k);
}

static void the_cache_keeps_to_its_bound_and_forgets_segments(void **state)
{
    (void)state;
    for (u32 most = 1; most < 12; most += 5) {
        Kit k;
        small(&k, most);
        for (u32 i = 0; i < 3; i++) {
            kit_expect(
                &k, "{'table':'trade','agg':['sym','price','note','qty'],'filter':['>','size',35]}",
                "sym,price,note,qty\na,5,a,50\nc,4,c,40\na,6,a,60\nd,7,d,70\n");
            kit_expect(&k,
                       "{'table':'trade','groupBy':'note','agg':[['l','last','note'],['d','"
                       "distinct','sym'],['f','first','price']]}",
                       "note,l,d,f\na,a,a,2\nb,b,b,1\nc,c,c,4\nd,d,d,7\n");
        }
        run_cache_forget(k.source.cache, k.dates);
        kit_expect(&k, "{'table':'trade','endTS':'2024.05.15','agg':['sym']}", "sym\na\na\nb\n");
        kit_end(&k);
    }
}

static void a_run_keeps_the_view_and_the_rows_it_began_with(void **state)
{
    (void)state;
    Kit k;
    small(&k, 100);
    Arena a = {0};
    Request r;
    Run *first, *second;
    Value table;
    View *old = k.view;
    KIT_OK(kit_parse(&k, "{'table':'trade','agg':['sym']}", &a, &r));
    KIT_OK(run_prepare(&k.source, &r, &a, &first));
    assert_int_equal(old->uses, 2);
    kit_trade(&k, 3, "10:00", "new", "1", "1");
    kit_live(&k, 7, 8, 1);
    KIT_OK(view_empty(&k.cache, &k.view));
    k.view->watermark = k.position;
    k.source.view = k.view;
    live_drop(k.live, k.position);
    KIT_OK(run_prepare(&k.source, &r, &a, &second));
    KIT_OK(run_execute(first, &table));
    assert_int_equal(value_count(&table), 7);
    KIT_OK(run_execute(second, &table));
    assert_int_equal(value_count(&table), 0);
    run_finish(second, NULL);
    run_finish(first, NULL);
    assert_int_equal(old->uses, 1);
    view_close(&k.cache, old);
    arena_free(&a);
    kit_end(&k);
}

/* One query a thread, while the loop thread loads names and takes rows. */
typedef struct {
    Run *run;
    Value table;
    Err err;
} Job;

static void *execute(void *arg)
{
    Job *j = arg;
    j->err = run_execute(j->run, &j->table);
    return NULL;
}

static void queries_run_while_the_domain_and_the_live_rows_grow(void **state)
{
    (void)state;
    Kit k;
    Prng p;
    prng_init(&p, 77);
    kit_make(&k, 3, 2);
    fill(&k, &p, 3000);
    u64 rows = k.rows.rows;
    for (u32 round = 0; round < 20; round++) {
        Arena a[4] = {{0}};
        Request r[4];
        Job jobs[4] = {{0}};
        pthread_t threads[4];
        static const char *const asked[4] = {
            "{'table':'trade','groupBy':'sym','agg':[['n','count','sym'],['l','last','price']]}",
            "{'table':'trade','groupBy':['ex','side'],'agg':[['n','count','sym'],['v','dev','real']"
            "]}",
            "{'table':'trade','filter':['like','sym','A*'],'sortCols':['sym','time']}",
            "{'table':'trade','filter':['or',['>','qty',0],['=','note','x']],'agg':['sym','ex','"
            "note']}",
        };
        for (u32 i = 0; i < 4; i++) {
            KIT_OK(kit_parse(&k, asked[i], &a[i], &r[i]));
            KIT_OK(run_prepare(&k.source, &r[i], &a[i], &jobs[i].run));
            assert_int_equal(pthread_create(&threads[i], NULL, execute, &jobs[i]), 0);
        }
        char name[32];
        snprintf(name, sizeof name, "grown%u", round);
        kit_trade(&k, 4, "23:59", name, "1", "1");
        kit_live(&k, rows + round, rows + round + 1, 1);
        KIT_OK(domain_add(&k.domain, vec_i32(&k.rows.cols[COL_SYM]) + rows + round, 1));
        for (u32 i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
            assert_int_equal(jobs[i].err, E_OK);
            run_finish(jobs[i].run, NULL);
            arena_free(&a[i]);
        }
    }
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_database_answers_with_typed_columns),
        cmocka_unit_test(date_interval_and_live_rows_are_one_table),
        cmocka_unit_test(limits_cut_the_first_or_the_last_rows),
        cmocka_unit_test(fills_replace_nulls_along_the_time_column),
        cmocka_unit_test(first_and_last_of_equal_times_follow_parts_then_rows),
        cmocka_unit_test(parts_that_are_not_sorted_by_time_are_read_right),
        cmocka_unit_test(spreads_keep_their_digits_across_parts),
        cmocka_unit_test(infinities_and_nans_spread_as_in_q),
        cmocka_unit_test(slices_take_the_same_window_of_each_day),
        cmocka_unit_test(parts_outside_the_range_are_not_opened),
        cmocka_unit_test(damage_is_reported_with_the_file),
        cmocka_unit_test(a_query_that_takes_too_long_is_ended),
        cmocka_unit_test(the_cache_keeps_to_its_bound_and_forgets_segments),
        cmocka_unit_test(a_run_keeps_the_view_and_the_rows_it_began_with),
        cmocka_unit_test(queries_run_while_the_domain_and_the_live_rows_grow),
        cmocka_unit_test(answers_are_those_of_the_model),
        cmocka_unit_test(answers_over_compressed_parts_are_those_of_the_model),
    };
    return cmocka_run_group_tests_name("query/run", tests, NULL, NULL);
}
