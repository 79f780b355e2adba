/*
 * group: equal rows have equal numbers in every form of key, and keys come back as they went
 * in. */
#include "kit.h"
#include "query/group.h"

#include <math.h>

/* Live rows only, so that slots are read from memory. */
static void build(Kit *k, u64 rows)
{
    Prng p;
    prng_init(&p, 5);
    kit_make(k, 10, 1);
    for (u64 i = 0; i < rows; i++)
        kit_random(k, &p, (i64)KIT_DAY * TEMPORAL_DAY_NS + (i64)i);
    kit_live(k, 0, rows, 1000);
}

static void check(Kit *k, const char *groups, GroupForm form)
{
    Arena a = {0};
    Request r;
    Plan p;
    Group g, other;
    u32 numbers[SCAN_BLOCK], again[SCAN_BLOCK], merged;
    u16 sel[SCAN_BLOCK];
    KIT_OK(kit_parse(
        k, arena_format(&a, "{'table':'trade','groupBy':%s,'agg':[['n','count','time']]}", groups),
        &a, &r));
    KIT_OK(plan_make(&p, &k->source, &r, &a));
    KIT_OK(group_init(&g, &p));
    KIT_OK(group_init(&other, &p));
    assert_int_equal(g.form, form);
    const ScanPiece *piece = &p.pieces[0];
    u64 n = MIN(piece->rows, 500);
    KIT_OK(group_rows(&g, piece, 0, NULL, n, numbers));
    for (u64 i = 0; i < n; i++) {
        assert_true(numbers[i] < g.count);
        for (u64 j = 0; j < i; j += 7) {
            bool same = true;
            for (u32 c = 0; c < r.group_count && same; c++) {
                const Vec *v = &k->rows.cols[r.groups[c]];
                Value x = value_vec(*v), y = value_at(&x, i), z = value_at(&x, j);
                Str s, t;
                if (value_text(&y, &s) && value_text(&z, &t)) {
                    same = str_eq(s, t);
                } else if (type_class(v->type) == TYPE_REAL) {
                    same = y.as.f == z.as.f || (isnan(y.as.f) && isnan(z.as.f));
                } else {
                    same = v->type == QT_GUID ? memcmp(y.as.guid, z.as.guid, 16) == 0
                                              : y.as.i == z.as.i;
                }
            }
            assert_int_equal(numbers[i] == numbers[j], same);
        }
    }
    /* keys are the elements of a row of the group */
    for (u64 i = 0; i < n; i++) {
        for (u32 c = 0; c < r.group_count; c++) {
            const Vec *v = &k->rows.cols[r.groups[c]];
            u8 element[16];
            Str text;
            group_key(&g, numbers[i], c, element, &text);
            Value x = value_vec(*v), cell = value_at(&x, i);
            if (v->type > QT_NESTED) {
                assert_true(text.size == value_count(&cell) &&
                            memcmp(text.data, cell.as.vec.data, text.size) == 0);
            } else if (type_class(v->type) != TYPE_REAL) {
                assert_memory_equal(element, (u8 *)v->data + i * type_width(v->type),
                                    type_width(v->type));
            }
        }
    }
    /* a selection gives the same numbers; so does another table after merging */
    u64 count = 0;
    for (u64 i = 1; i < n; i += 3)
        sel[count++] = (u16)i;
    KIT_OK(group_rows(&g, piece, 0, sel, count, again));
    for (u64 i = 0; i < count; i++)
        assert_int_equal(again[i], numbers[sel[i]]);
    KIT_OK(group_rows(&other, piece, 0, sel, count, again));
    for (u64 i = 0; i < count; i++) {
        KIT_OK(group_merge(&g, &other, again[i], &merged));
        assert_int_equal(merged, numbers[sel[i]]);
    }
    group_free(&g);
    group_free(&g);
    group_free(&other);
    plan_release(&p, &k->source);
    arena_free(&a);
}

static void every_form_of_key_tells_rows_apart(void **state)
{
    (void)state;
    Kit k;
    build(&k, 600);
    check(&k, "[]", GROUP_ALL);
    check(&k, "'sym'", GROUP_SYMBOL);
    check(&k, "'side'", GROUP_SMALL);
    check(&k, "['flag','byte']", GROUP_SMALL);
    check(&k, "'small'", GROUP_SMALL);
    check(&k, "'price'", GROUP_WORD);
    check(&k, "'size'", GROUP_WORD);
    check(&k, "['sym','ex']", GROUP_WORD);
    check(&k, "['qty','small','side','flag']", GROUP_WORD);
    check(&k, "['real','date']", GROUP_WORD);
    check(&k, "'id'", GROUP_BYTES);
    check(&k, "'note'", GROUP_BYTES);
    check(&k, "['note','sym','price','id']", GROUP_BYTES);
    kit_end(&k);
}

static void many_groups_are_all_found_again(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 10, 1);
    const u64 rows = 3000;
    for (u64 i = 0; i < rows; i++) {
        char number[24];
        snprintf(number, sizeof number, "%u", (u32)(i * 7919 % rows));
        kit_trade(&k, 0, "10:00", "a", number, number);
    }
    kit_live(&k, 0, rows, rows);
    kit_expect(&k,
               "{'table':'trade','groupBy':'size','agg':[['n','count','time']],'limit':2,'sortCols'"
               ":['n','desc','size']}",
               "size,n\n0,1\n1,1\n");
    kit_expect(&k,
               "{'table':'trade','groupBy':['size','id'],'agg':[['n','sum','size']],'limit':-1}",
               "size,id,n\n2999,00000000-0000-0000-0000-000000000000,2999\n");
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_key_tells_rows_apart),
        cmocka_unit_test(many_groups_are_all_found_again),
    };
    return cmocka_run_group_tests_name("query/group", tests, NULL, NULL);
}
