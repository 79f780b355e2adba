/*
 * agg: however rows are split into spans, selections and merged states, the result is that of one
 * pass over all rows; and the edges of each function.
 */
#include "kit.h"
#include "query/agg_value.h"

#include <math.h>

#define ROWS 900

typedef struct {
    Kit k;
    Plan plan;
    Request r;
    Arena a;
    AggLanes lanes;
} Bench;

static void open_bench(Bench *b, const char *agg)
{
    Prng p;
    prng_init(&p, 3);
    memset(b, 0, sizeof *b);
    kit_make(&b->k, 10, 1);
    for (u64 i = 0; i < ROWS; i++)
        kit_random(&b->k, &p, (i64)KIT_DAY * TEMPORAL_DAY_NS + (i64)prng_below(&p, 1000));
    kit_live(&b->k, 0, ROWS, ROWS);
    KIT_OK(
        kit_parse(&b->k, arena_format(&b->a, "{'table':'trade','agg':[%s]}", agg), &b->a, &b->r));
    KIT_OK(plan_make(&b->plan, &b->k.source, &b->r, &b->a));
    assert_int_equal(b->plan.piece_count, 1);
}

static void close_bench(Bench *b)
{
    plan_release(&b->plan, &b->k.source);
    arena_free(&b->a);
    kit_end(&b->k);
}

/* All rows as one span. */
static AggState whole(Bench *b, const Agg *a)
{
    AggState s = agg_start(a);
    AggSpan span = {0, ROWS, 0};
    KIT_OK(agg_spans(a, &b->plan, &b->plan.pieces[0], &span, 1, &b->lanes, &s));
    return s;
}

/* The same rows in random pieces: spans, selections, masks, groups of one, merged in order. */
static AggState split(Bench *b, const Agg *a, Prng *p)
{
    AggState total = agg_start(a);
    const ScanPiece *piece = &b->plan.pieces[0];
    for (u64 from = 0, to; from < ROWS; from = to) {
        AggState s[2] = {agg_start(a), agg_start(a)};
        to = from + 1 + prng_below(p, 200);
        to = MIN(to, ROWS);
        u16 sel[SCAN_BLOCK];
        u32 groups[SCAN_BLOCK];
        for (u64 i = 0; i < to - from; i++) {
            sel[i] = (u16)i;
            groups[i] = 1;
        }
        AggSpan span = {from, to, 1};
        AggRows rows = {from, to - from, sel, groups, NULL, 0};
        u8 mask[SCAN_BLOCK] = {0};
        memset(mask, 1, to - from);
        switch (prng_below(p, agg_is_masked(a) ? 5 : 4)) {
        case 4:
            rows = (AggRows){from, to - from, NULL, NULL, mask, MIN(ROWS - from, SCAN_BLOCK)};
            KIT_OK(agg_rows(a, &b->plan, piece, &rows, &b->lanes, s + 1));
            break;
        case 0: KIT_OK(agg_spans(a, &b->plan, piece, &span, 1, &b->lanes, s)); break;
        case 1: KIT_OK(agg_rows(a, &b->plan, piece, &rows, &b->lanes, s)); break;
        case 2:
            rows.groups = NULL;
            KIT_OK(agg_rows(a, &b->plan, piece, &rows, &b->lanes, s + 1));
            break;
        default:
            rows.sel = NULL;
            KIT_OK(agg_rows(a, &b->plan, piece, &rows, &b->lanes, s));
            break;
        }
        KIT_OK(agg_merge(a, &total, &s[1]));
        agg_value_free(a, &s[1]);
    }
    return total;
}

static void compare(const Agg *a, const AggState *x, const AggState *y)
{
    if (a->kind == AGG_DISTINCT) {
        assert_int_equal(x->set->values.count, y->set->values.count);
        if (a->type < QT_NESTED) /* in the order of first appearance */
            assert_memory_equal(x->set->values.data, y->set->values.data,
                                x->set->values.count * type_width(a->type));
        return;
    }
    if (a->type > QT_NESTED && a->kind != AGG_COUNT) {
        assert_true(x->end.count == y->end.count &&
                    memcmp(x->end.list, y->end.list, x->end.count) == 0);
        return;
    }
    u8 left[16] = {0}, right[16] = {0};
    int type = request_agg_type(a->kind, a->type);
    agg_finish(a, x, 1, left);
    agg_finish(a, y, 1, right);
    if (type == QT_FLOAT) {
        f64 l, r;
        memcpy(&l, left, 8);
        memcpy(&r, right, 8);
        if (fabs(l - r) > 1e-9 * fabs(l) && !(isnan(l) && isnan(r)) && l != r)
            fail_msg("%s: %.17g, %.17g", request_agg_name(a->kind), l, r);
    } else if (type == QT_REAL) {
        f32 l, r;
        memcpy(&l, left, 4);
        memcpy(&r, right, 4);
        assert_true(fabsf(l - r) <= 1e-5f * fabsf(l) || (isnan(l) && isnan(r)));
    } else {
        if (memcmp(left, right, type_width(type)) != 0)
            fail_msg("%s of %s differs", request_agg_name(a->kind), type_name(a->type));
    }
}

static void splits_change_nothing(void **state)
{
    (void)state;
    Bench b;
    Prng p;
    prng_init(&p, 4);
    open_bench(&b, "['time'],['sym'],['price'],['size'],['side'],['ex'],['qty'],['id'],['note'],['"
                   "flag'],['small'],['real'],['date'],['byte']");
    b.plan.ends = true; /* so that times are at hand */
    for (int kind = AGG_COUNT; kind <= AGG_SCOV; kind++) {
        for (i32 column = 0; column < COL_COUNT; column++) {
            Select s = {.kind = (AggKind)kind, .column = column, .column2 = -1};
            bool sums = kind == AGG_SUM || kind == AGG_AVG || kind >= AGG_WAVG;
            if (request_agg_type(s.kind, b.k.columns[column].type) < 0 || kind == AGG_PRD) continue;
            if (column == COL_PRICE && sums && kind != AGG_ALL && kind != AGG_ANY &&
                kind != AGG_DISTINCT)
                continue; /* infinite */
            /* floats do not hold what a timestamp differs by */
            if (column == COL_TIME && kind >= AGG_DEV && kind != AGG_DISTINCT) continue;
            if (request_agg_pairs(s.kind)) s.column2 = COL_SMALL;
            Agg a = agg_of(&b.plan, &s);
            AggState x = whole(&b, &a);
            for (u32 i = 0; i < 5; i++) {
                AggState y = split(&b, &a, &p);
                compare(&a, &x, &y);
                agg_value_free(&a, &y);
            }
            agg_value_free(&a, &x);
        }
    }
    close_bench(&b);
}

static void nothing_at_all_gives_what_q_gives(void **state)
{
    (void)state;

    static const struct {
        AggKind kind;
        int type;
        i64 bits;
    } rows[] = {
        {AGG_COUNT, QT_ENUM, 0},
        {AGG_SUM, QT_INT, 0},
        {AGG_SUM, QT_TIMESPAN, 0},
        {AGG_PRD, QT_LONG, 1},
        {AGG_MIN, QT_LONG, INT64_MAX},
        {AGG_MAX, QT_LONG, -INT64_MAX},
        {AGG_MIN, QT_INT, INT32_MAX},
        {AGG_MAX, QT_SHORT, (u16)-INT16_MAX},
        {AGG_MIN, QT_BOOLEAN, 1},
        {AGG_MAX, QT_BOOLEAN, 0},
        {AGG_MIN, QT_BYTE, 255},
        {AGG_MAX, QT_CHAR, 0},
        {AGG_ALL, QT_INT, 1},
        {AGG_ANY, QT_INT, 0},
        {AGG_FIRST, QT_LONG, Q_NULL_LONG},
        {AGG_LAST, QT_CHAR, ' '},
        {AGG_LAST, QT_ENUM, 0},
    };

    for (u32 i = 0; i < COUNT_OF(rows); i++) {
        Agg a = {.kind = rows[i].kind, .type = rows[i].type, .slot2 = -1};
        AggState s = agg_start(&a);
        i64 out = 0;
        agg_finish(&a, &s, 1, &out);
        u32 width = type_width(request_agg_type(a.kind, a.type));
        assert_memory_equal(&out, &rows[i].bits, width);
    }
    static const AggKind nans[] = {AGG_AVG,  AGG_DEV, AGG_VAR, AGG_SDEV, AGG_SVAR,
                                   AGG_WAVG, AGG_COR, AGG_COV, AGG_SCOV};
    for (u32 i = 0; i < COUNT_OF(nans); i++) {
        Agg a = {.kind = nans[i], .type = QT_FLOAT, .slot2 = -1, .real = true};
        AggState s = agg_start(&a);
        f64 out = 0;
        agg_finish(&a, &s, 1, &out);
        assert_true(isnan(out));
    }
}

static void integers_wrap_in_the_width_of_their_sum(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 10, 1);
    for (u32 i = 0; i < 3; i++)
        kit_trade(&k, 0, "10:00", "a", "3", "1000000000");
    kit_live(&k, 0, 3, 3);
    /* the sum is 3e9 - 2^32; the product of ints keeps 32 bits of 1e27; averages do not wrap */
    kit_expect(&k,
               "{'table':'trade','agg':[['s','sum','qty'],['l','sum','size'],['p','prd','qty'],['a'"
               ",'avg','time'],['m','prd','price']]}",
               "s,l,p,a,m\n-1294967296,3000000000,-402653184,7.68996e+17,27\n");
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_change_nothing),
        cmocka_unit_test(nothing_at_all_gives_what_q_gives),
        cmocka_unit_test(integers_wrap_in_the_width_of_their_sum),
    };
    return cmocka_run_group_tests_name("query/agg", tests, NULL, NULL);
}
