/*
 * scan: stored elements of every width as lanes; nulls become the lane's null.
 */
#include "kit.h"
#include "query/scan.h"

#include <math.h>

#define ROWS 5

static void integers_widen_and_keep_their_nulls(void **state)
{
    (void)state;
    static const i64 longs[ROWS] = {1, Q_NULL_LONG, -3, INT64_MAX, 0};
    static const i32 ints[ROWS] = {1, Q_NULL_INT, -3, INT32_MAX, 0};
    static const i16 shorts[ROWS] = {1, Q_NULL_SHORT, -3, INT16_MAX, 0};
    static const u8 bytes[ROWS] = {1, 0x80, 255, 127, 0};
    Vec v[] = {vec_of(QT_LONG, longs, ROWS), vec_of(QT_INT, ints, ROWS),
               vec_of(QT_SHORT, shorts, ROWS), vec_of(QT_BYTE, bytes, ROWS)};
    for (u32 i = 0; i < COUNT_OF(v); i++) {
        ScanColumn c = scan_of_live(&v[i]);
        i64 lanes[ROWS];
        f64 floats[ROWS];
        const i64 *x = scan_i64(&c, 1, ROWS - 1, lanes);
        const f64 *f = scan_f64(&c, 1, ROWS - 1, floats);
        bool byte = v[i].type == QT_BYTE;
        assert_true(x[0] == (byte ? 0x80 : Q_NULL_LONG));
        assert_true(x[1] == (byte ? 255 : -3) && x[3] == 0);
        assert_true(byte ? f[0] == 128 : isnan(f[0]));
        assert_true(f[1] == (byte ? 255 : -3) && f[3] == 0);
        assert_true((x == lanes) == (v[i].type != QT_LONG)); /* what is wide enough is not copied */
    }
}

static void counts_become_floats_exactly_up_to_the_edge_of_a_float(void **state)
{
    (void)state;
    i64 edges[] = {0, 1, (1ll << 52) - 1, 1ll << 52, (1ll << 53) + 1, -1, Q_NULL_LONG, INT64_MAX};
    for (u32 n = 1; n <= COUNT_OF(edges); n++) {
        Vec v = vec_of(QT_LONG, edges, n);
        ScanColumn c = scan_of_live(&v);
        f64 lanes[COUNT_OF(edges)];
        const f64 *f = scan_f64(&c, 0, n, lanes);
        for (u32 i = 0; i < n; i++)
            assert_true(edges[i] == Q_NULL_LONG ? isnan(f[i]) : f[i] == (f64)edges[i]);
    }
}

static void reals_and_floats_are_floats(void **state)
{
    (void)state;
    static const f32 reals[] = {1.5f, -0.0f};
    static const f64 floats[] = {2.5, 3.5};
    Vec v = vec_of(QT_REAL, reals, 2), w = vec_of(QT_DATETIME, floats, 2);
    ScanColumn c = scan_of_live(&v), d = scan_of_live(&w);
    f64 lanes[2];
    assert_true(scan_f64(&c, 0, 2, lanes)[0] == 1.5);
    assert_ptr_equal(scan_f64(&d, 1, 1, lanes), floats + 1);
}

static void symbols_of_parts_and_live_rows_are_ids(void **state)
{
    (void)state;
    Kit k;
    Arena a = {0};
    kit_make(&k, 10, 1);
    kit_trade(&k, 0, "10:00", "a", "1", "1");
    kit_trade(&k, 0, "11:00", "", "2", "2");
    kit_part(&k, PART_DATE, KIT_DAY, 0, 2, KIT_DAY, false);
    Names *names;
    KIT_OK(opened_names(k.source.cache, &k.domain, &names));
    Opened *o;
    const Part *p = &k.dates->parts[0];
    KIT_OK(opened_open(p, p->tables, &k.columns[COL_SYM], &o));
    ScanPiece piece = {.part = p, .table = p->tables, .rows = 2};
    ScanColumn c = scan_of_part(&k.columns[COL_SYM], o, true);
    i32 lanes[2];
    const i32 *ids;
    assert_int_equal(c.form, SCAN_WIDE);
    KIT_OK(scan_ids(&piece, &c, names, 0, 2, lanes, &ids));
    assert_true(ids[0] == 0 && ids[1] == symbol_find(STR("a"))); /* the empty one is sorted first */
    names->count = 0; /* as if the file knew more names than the view */
    assert_int_equal(scan_ids(&piece, &c, names, 0, 2, lanes, &ids), E_CORRUPT);
    assert_non_null(strstr(fail_text(), p->path));
    names->count = k.domain.count;
    ScanColumn live = scan_of_live(&k.rows.cols[COL_SYM]);
    KIT_OK(scan_ids(&piece, &live, names, 0, 2, lanes, &ids));
    assert_ptr_equal(ids, k.rows.cols[COL_SYM].data);
    opened_close(o);
    names_drop(names);
    arena_free(&a);
    kit_end(&k);
}

static void lists_are_found_in_files_and_in_memory(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 10, 1);
    kit_trade(&k, 0, "10:00", "note of a", "1", "1"); /* the note is the symbol's text */
    kit_part(&k, PART_DATE, KIT_DAY, 0, 1, KIT_DAY, false);
    Opened *o;
    const Part *p = &k.dates->parts[0];
    KIT_OK(opened_open(p, p->tables, &k.columns[COL_NOTE], &o));
    ScanColumn file = scan_of_part(&k.columns[COL_NOTE], o, true),
               live = scan_of_live(&k.rows.cols[COL_NOTE]);
    const void *text;
    u64 size;
    KIT_OK(scan_row(&file, 0, &text, &size));
    assert_true(size == 9 && memcmp(text, "note of a", 9) == 0);
    KIT_OK(scan_row(&live, 0, &text, &size));
    assert_true(size == 9 && memcmp(text, "note of a", 9) == 0);
    opened_close(o);
    kit_end(&k);
}

static void days_clip_to_what_a_timestamp_holds(void **state)
{
    (void)state;
    assert_true(scan_day(0) == 0 && scan_day(-1) == -TEMPORAL_DAY_NS && scan_day(106751) > 0);
    assert_true(scan_day(INT32_MAX) == INT64_MAX && scan_day(INT32_MIN) == INT64_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_widen_and_keep_their_nulls),
        cmocka_unit_test(counts_become_floats_exactly_up_to_the_edge_of_a_float),
        cmocka_unit_test(reals_and_floats_are_floats),
        cmocka_unit_test(symbols_of_parts_and_live_rows_are_ids),
        cmocka_unit_test(lists_are_found_in_files_and_in_memory),
        cmocka_unit_test(days_clip_to_what_a_timestamp_holds),
    };
    return cmocka_run_group_tests_name("query/scan", tests, NULL, NULL);
}
