/* column: files written are those of kdb+ byte for byte, and what is read is what was written. */
#include "column/attr.h"
#include "column/column.h"
#include "q/symbol.h"
#include "unit/column/kit.h"

#include <math.h>

static void write_column(const char *name, int type, int attr, const void *elements, u64 count)
{
    ColumnOut *out;
    u64 bytes, size;
    unlink(kit_path(name));
    ok(column_create(&out, kit_path(name), type, attr, count));
    ok(column_append(out, elements, count));
    ok(column_finish(out, true, NULL, &bytes));
    free(kit_read(kit_path(name), &size));
    assert_int_equal(bytes, size);
}

static void plain_header_and_elements_are_those_of_the_format(void **state)
{
    (void)state;
    i32 dates[] = {8993, 5996, 5996};
    write_column("dates", QT_DATE, ATTR_NONE, dates, 3);
    kit_expect(kit_path("dates"), "fe200e0000000000 0300000000000000 21230000 6c170000 6c170000");
    i64 times[] = {1, 2};
    write_column("times", QT_TIMESTAMP, ATTR_SORTED, times, 2);
    kit_expect(kit_path("times"),
               "fe200c0100000000 0200000000000000 0100000000000000 0200000000000000");
    write_column("empty", QT_FLOAT, ATTR_NONE, NULL, 0);
    kit_expect(kit_path("empty"), "fe20090000000000 0000000000000000");
}

static void every_fixed_type_reads_back(void **state)
{
    (void)state;
    u8 bytes[16 * 100];
    for (u32 i = 0; i < sizeof bytes; i++)
        bytes[i] = (u8)(i * 7);
    for (int type = 1; type < 20; type++) {
        Column c;
        if (!type_is_fixed(type)) continue;
        write_column("any", type, ATTR_NONE, bytes, 100);
        ok(column_open(&c, kit_path("any")));
        assert_int_equal(c.type, type);
        assert_int_equal(c.rows, 100);
        assert_int_equal(c.attr, ATTR_NONE);
        assert_memory_equal(c.data, bytes, 100 * type_width(type));
        column_close(&c);
        column_close(&c);
    }
}

static int attr_of(int type, int wanted, const void *elements, u64 count)
{
    Column c;
    write_column("attr", type, wanted, elements, count);
    ok(column_open(&c, kit_path("attr")));
    ok(attr_check(&c));
    int attr = c.attr;
    column_close(&c);
    return attr;
}

static void sorted_is_kept_only_when_true(void **state)
{
    (void)state;
    i64 up[] = {INT64_MIN, -5, 3, 3, INT64_MAX}, down[] = {2, 1};
    assert_int_equal(attr_of(QT_LONG, ATTR_SORTED, up, 5), ATTR_SORTED);
    assert_int_equal(attr_of(QT_LONG, ATTR_PARTED, up, 5), ATTR_SORTED);
    assert_int_equal(attr_of(QT_LONG, ATTR_SORTED, down, 2), ATTR_NONE);
    assert_int_equal(attr_of(QT_LONG, ATTR_PARTED, down, 2), ATTR_NONE);
    assert_int_equal(attr_of(QT_LONG, ATTR_NONE, up, 5), ATTR_NONE);
    assert_int_equal(attr_of(QT_LONG, ATTR_GROUPED, up, 5), ATTR_NONE);
    assert_int_equal(attr_of(QT_LONG, ATTR_UNIQUE, up, 5), ATTR_NONE);
    assert_int_equal(attr_of(QT_LONG, ATTR_SORTED, NULL, 0), ATTR_SORTED);
    i16 shorts[] = {-3, 0, 9};
    assert_int_equal(attr_of(QT_SHORT, ATTR_SORTED, shorts, 3), ATTR_SORTED);
    i32 ints[] = {INT32_MIN, -1, 0, 7};
    assert_int_equal(attr_of(QT_TIME, ATTR_SORTED, ints, 4), ATTR_SORTED);
    u8 bytes[] = {1, 127, 128, 255};
    assert_int_equal(attr_of(QT_BYTE, ATTR_SORTED, bytes, 4), ATTR_SORTED);
    f64 floats[] = {NAN, NAN, -INFINITY, -1, 0, 1, INFINITY}, late[] = {1, NAN};
    assert_int_equal(attr_of(QT_FLOAT, ATTR_SORTED, floats, 7), ATTR_SORTED);
    assert_int_equal(attr_of(QT_FLOAT, ATTR_SORTED, late, 2), ATTR_NONE);
    f32 reals[] = {NAN, -1, 2};
    assert_int_equal(attr_of(QT_REAL, ATTR_SORTED, reals, 3), ATTR_SORTED);
    u8 guids[32] = {0};
    assert_int_equal(attr_of(QT_GUID, ATTR_SORTED, guids, 2), ATTR_NONE);
}

static void order_is_watched_across_pieces(void **state)
{
    (void)state;

    enum { N = 100000 };

    i64 *up = malloc(N * sizeof *up);
    for (i64 i = 0; i < N; i++)
        up[i] = i;
    assert_int_equal(attr_of(QT_LONG, ATTR_SORTED, up, N), ATTR_SORTED);
    for (u64 at = 4095; at < N; at += 4095) {
        i64 was = up[at];
        up[at] = up[at - 1] - 1;
        assert_int_equal(attr_of(QT_LONG, ATTR_SORTED, up, N), ATTR_NONE);
        up[at] = was;
    }
    free(up);
}

#define PAGE(attr, count) "fd20 00*14 73796d 00*4061 fd0014" attr "00000000" count

static void parted_enumeration_is_that_of_the_format(void **state)
{
    (void)state;
    i64 indices[] = {5, 5, 2, 6, 4, 3, 3, 3};
    write_column("bid", QT_ENUM, ATTR_PARTED, indices, 8);
    kit_expect(kit_path("bid"),
               PAGE("03", "0800000000000000") "0500000000000000 0500000000000000 0200000000000000 "
                                              "0600000000000000"
                                              "0400000000000000 0300000000000000 0300000000000000 "
                                              "0300000000000000"
                                              "00*8 0400140200000000 0500000000000000"
                                              "0500000000000000 0200000000000000 0600000000000000 "
                                              "0400000000000000 0300000000000000"
                                              "00*8 00*24 ff*88 0200000000000000 0000000000000000 "
                                              "0300000000000000"
                                              "0100000000000000 0400000000000000"
                                              "0200070000000000 0600000000000000"
                                              "0000000000000000 0200000000000000 0300000000000000 "
                                              "0400000000000000"
                                              "0500000000000000 0800000000000000");
}

static void empty_parted_enumeration_has_its_payload(void **state)
{
    (void)state;
    Column c;
    u64 size;
    write_column("none", QT_ENUM, ATTR_PARTED, NULL, 0);
    free(kit_read(kit_path("none"), &size));
    assert_int_equal(size, 4176);
    ok(column_open(&c, kit_path("none")));
    assert_int_equal(c.rows, 0);
    assert_int_equal(c.key_count, 0);
    assert_string_equal(c.domain, "sym");
    ok(attr_check(&c));
    u64 from = 9, to = 9;
    attr_find(&c, 0, &from, &to);
    assert_int_equal(from, to);
    column_close(&c);
}

static void attributes_of_enumerations_never_lie(void **state)
{
    (void)state;
    i64 parted[] = {7, 7, INT64_MIN, INT64_MIN, 0}, back[] = {1, 2, 1},
        null_back[] = {INT64_MIN, 1, INT64_MIN};
    i64 distinct[] = {4, 9, INT64_MIN, 1}, strange[] = {-5};
    assert_int_equal(attr_of(QT_ENUM, ATTR_PARTED, parted, 5), ATTR_PARTED);
    assert_int_equal(attr_of(QT_ENUM, ATTR_PARTED, back, 3), ATTR_NONE);
    assert_int_equal(attr_of(QT_ENUM, ATTR_PARTED, null_back, 3), ATTR_NONE);
    assert_int_equal(attr_of(QT_ENUM, ATTR_PARTED, strange, 1), ATTR_NONE);
    assert_int_equal(attr_of(QT_ENUM, ATTR_UNIQUE, distinct, 4), ATTR_PARTED);
    assert_int_equal(attr_of(QT_ENUM, ATTR_UNIQUE, parted, 5), ATTR_NONE);
    assert_int_equal(attr_of(QT_ENUM, ATTR_UNIQUE, back, 3), ATTR_NONE);
    assert_int_equal(attr_of(QT_ENUM, ATTR_GROUPED, back, 3), ATTR_GROUPED);
    assert_int_equal(attr_of(QT_ENUM, ATTR_GROUPED, NULL, 0), ATTR_GROUPED);
    assert_int_equal(attr_of(QT_ENUM, ATTR_NONE, parted, 5), ATTR_NONE);
    assert_int_equal(attr_of(QT_ENUM, ATTR_SORTED, parted, 5), ATTR_NONE);
}

static void runs_go_across_appends_and_pieces(void **state)
{
    (void)state;

    enum { RUNS = 300, LENGTH = 777 };

    ColumnOut *out;
    Column c;
    u64 bytes, from, to;
    unlink(kit_path("runs"));
    ok(column_create(&out, kit_path("runs"), QT_ENUM, ATTR_PARTED, 0));
    for (i64 i = 0; i < RUNS * LENGTH; i++) {
        i64 index = (i / LENGTH) * 37 % RUNS;
        ok(column_append(out, &index, 1));
    }
    assert_int_equal(column_out_attr(out), ATTR_PARTED);
    ok(column_finish(out, true, NULL, &bytes));
    ok(column_open(&c, kit_path("runs")));
    assert_int_equal(c.key_count, RUNS);
    ok(attr_check(&c));
    for (u64 run = 0; run < RUNS; run++) {
        attr_find(&c, (i64)(run * 37 % RUNS), &from, &to);
        assert_int_equal(from, run * LENGTH);
        assert_int_equal(to, (run + 1) * LENGTH);
    }
    column_close(&c);
}

static void picked_rows_are_gathered(void **state)
{
    (void)state;

    enum { N = 50000 };

    static u8 base[N * 16];
    static u32 rows[N];
    static const int types[] = {QT_BYTE, QT_SHORT, QT_INT, QT_LONG, QT_GUID};
    for (u32 i = 0; i < N; i++)
        rows[i] = (u32)((u64)i * 7919 % N);
    for (u32 i = 0; i < sizeof base; i++)
        base[i] = (u8)(i ^ (i >> 8));
    for (u32 t = 0; t < COUNT_OF(types); t++) {
        ColumnOut *out;
        Column c;
        u64 bytes, width = type_width(types[t]);
        unlink(kit_path("picked"));
        ok(column_create(&out, kit_path("picked"), types[t], ATTR_SORTED, N));
        ok(column_append_picked(out, base, rows, N));
        ok(column_finish(out, true, NULL, &bytes));
        ok(column_open(&c, kit_path("picked")));
        assert_int_equal(c.rows, N);
        for (u32 i = 0; i < N; i++)
            assert_memory_equal((const u8 *)c.data + i * width, base + rows[i] * width, width);
        column_close(&c);
    }
}

static i32 id_of(const char *name)
{
    i32 id;
    ok(symbol_intern(str_of(name), &id));
    return id;
}

static void symbols_become_indices_and_sort_by_name(void **state)
{
    (void)state;
    i32 map[1000];
    ColumnOut *out;
    Column c;
    u64 bytes;
    i32 b = id_of("b"), a = id_of("a"), z = id_of("z");
    memset(map, 0xff, sizeof map);
    assert_true(a < 1000 && b < 1000 && z < 1000);
    map[b] = 0;
    map[a] = 1;
    map[z] = 2;
    i32 ids[] = {b, z, a, 0};
    u32 perm[] = {3, 2, 2, 0, 1};
    ok(column_create(&out, kit_path("sym1"), QT_ENUM, ATTR_SORTED, 0));
    ok(column_append_symbols(out, ids, map, perm, 5));
    ok(column_finish(out, true, NULL, &bytes));
    ok(column_open(&c, kit_path("sym1")));
    assert_int_equal(c.attr, ATTR_SORTED);
    i64 expected[] = {INT64_MIN, 1, 1, 0, 2};
    for (u64 i = 0; i < 5; i++)
        assert_int_equal(column_index(&c, i), expected[i]);
    column_close(&c);

    ok(column_create(&out, kit_path("sym2"), QT_ENUM, ATTR_SORTED, 0));
    ok(column_append_symbols(out, ids, map, NULL, 4));
    assert_int_equal(column_out_attr(out), ATTR_NONE);
    ok(column_finish(out, true, NULL, &bytes));

    i32 names[] = {b, a, z};
    ok(column_create(&out, kit_path("sym3"), QT_ENUM, ATTR_SORTED, 0));
    column_out_names(out, names, 3);
    ok(column_append(out, expected, 5));
    assert_int_equal(column_out_attr(out), ATTR_SORTED);
    i64 down = 1;
    ok(column_append(out, &down, 1));
    assert_int_equal(column_out_attr(out), ATTR_NONE);
    column_drop(out);
    column_drop(NULL);
}

static void strings_are_packed_or_objects(void **state)
{
    (void)state;
    ColumnOut *out;
    Column c;
    u64 bytes, count;
    const void *p;
    char text[200];
    memset(text, 'x', sizeof text);
    ok(column_create(&out, kit_path("str"), QT_STRING, ATTR_NONE, 0));
    ok(column_append_row(out, "ab", 2));
    ok(column_append_row(out, text, 96));
    ok(column_append_row(out, NULL, 0));
    ok(column_append_row(out, text, 95));
    ok(column_finish(out, true, NULL, &bytes));
    assert_int_equal(bytes, 4096 + 32 + 4096 + 16 + 16 + 96 + 2 + 97);
    kit_expect(kit_path("str"),
               "fd20 00*4078 fd014d 00*5 0400000000000000"
               "0000000000000001 1000000000000000 8000000000000001 8200000000000001");
    kit_expect(kit_path("str#"), "fd20 00*4078 fd000400 00*12 89026162 00*12"
                                 "fb000a0001000000 6000000000000000 78*96 8900 895f 78*95");
    ok(column_open(&c, kit_path("str")));
    assert_int_equal(c.type, QT_STRING);
    static const u64 counts[] = {2, 96, 0, 95};
    for (u64 i = 0; i < 4; i++) {
        ok(column_row(&c, i, &p, &count));
        assert_int_equal(count, counts[i]);
        assert_memory_equal(p, i == 0 ? "ab" : text, count);
    }
    column_close(&c);
}

static void nested_without_rows_has_no_heap(void **state)
{
    (void)state;
    ColumnOut *out;
    Column c;
    u64 bytes;
    ok(column_create(&out, kit_path("nil"), QT_STRING, ATTR_NONE, 0));
    ok(column_finish(out, true, NULL, &bytes));
    assert_int_equal(bytes, 8);
    kit_expect(kit_path("nil"), "ff01000000000000");
    assert_int_equal(access(kit_path("nil#"), F_OK), -1);
    ok(column_open(&c, kit_path("nil")));
    assert_int_equal(c.type, QT_LIST);
    assert_int_equal(c.rows, 0);
    column_close(&c);
}

static void rows_of_nested_vectors_are_appended_in_bulk(void **state)
{
    (void)state;

    enum { N = 30000 };

    Vec v;
    ColumnOut *out;
    Column c;
    u64 bytes, count;
    const void *p;
    static f64 floats[64];
    static u32 rows[N];
    vec_init(&v, QT_NESTED + QT_FLOAT);
    for (u32 i = 0; i < 64; i++)
        floats[i] = i;
    for (u32 i = 0; i < N; i++) {
        ok(vec_append_row(&v, floats + i % 7, i % 23)); /* 12 and more are objects */
        rows[i] = N - 1 - i;
    }
    ok(column_create(&out, kit_path("bulk"), QT_NESTED + QT_FLOAT, ATTR_NONE, N));
    ok(column_append_rows(out, &v, NULL, 0, N));
    ok(column_append_rows(out, &v, rows, 0, N));
    ok(column_append_rows(out, &v, NULL, 5, 1));
    ok(column_finish(out, true, NULL, &bytes));
    ok(column_open(&c, kit_path("bulk")));
    assert_int_equal(c.rows, 2 * N + 1);
    for (u64 i = 0; i < c.rows; i++) {
        u64 row = i < N ? i : i < 2 * N ? 2 * N - 1 - i : 5;
        ok(column_row(&c, i, &p, &count));
        assert_int_equal(count, row % 23);
        assert_memory_equal(p, floats + row % 7, count * 8);
    }
    column_close(&c);
    vec_free(&v);
}

static void kept_files_are_open_for_the_callers_sync(void **state)
{
    (void)state;
    ColumnOut *out;
    File keep[2];
    u64 bytes;
    ok(column_create(&out, kit_path("keep"), QT_STRING, ATTR_NONE, 0));
    ok(column_append_row(out, "ab", 2));
    ok(column_finish(out, false, keep, &bytes));
    for (u32 i = 0; i < 2; i++) {
        assert_true(keep[i].fd >= 0);
        ok(file_sync(&keep[i]));
        ok(file_close(&keep[i]));
    }
    ok(column_create(&out, kit_path("keep2"), QT_LONG, ATTR_NONE, 0));
    ok(column_finish(out, false, keep, &bytes));
    assert_true(keep[0].fd >= 0 && keep[1].fd < 0);
    ok(file_close(&keep[0]));
}

static void refuses_what_it_cannot_write(void **state)
{
    (void)state;
    ColumnOut *out;
    static const int types[] = {
        3, QT_SYMBOL, 21, QT_NESTED, QT_NESTED + 3, QT_NESTED + 21, QT_TABLE, QT_DICT, -QT_LONG};
    for (u32 i = 0; i < COUNT_OF(types); i++)
        fails(E_UNSUPPORTED, "type", column_create(&out, kit_path("w"), types[i], ATTR_NONE, 0));
    assert_int_equal(access(kit_path("w"), F_OK), -1);
    kit_write(kit_path("there"), "x", 1);
    assert_int_not_equal(column_create(&out, kit_path("there"), QT_LONG, ATTR_NONE, 0), E_OK);
    assert_null(out);
}

static void refuses_what_it_cannot_read(void **state)
{
    (void)state;
    Column c;

    static const struct {
        Err err;
        const char *part, *bytes;
        u64 size;
    } cases[] = {
        {E_CORRUPT, "no column", "", 0},
        {E_CORRUPT, "no column", "\xfe\x20\x07\0\0\0\0", 7},
        {E_CORRUPT, "header", "\xfe\x20\x07\0\0\0\0\0\0", 9},
        {E_CORRUPT, "multiple", "\xfe\x20\x07\0\0\0\0\0\1\0\0\0\0\0\0\0\1", 17},
        {E_CORRUPT, "attribute 5", "\xfe\x20\x07\5\0\0\0\0\1\0\0\0\0\0\0\0", 16},
        {E_CORRUPT, "counts 1", "\xfe\x20\x07\3\0\0\0\0\1\0\0\0\0\0\0\0", 16},
        {E_CORRUPT, "counts -1", "\xfe\x20\x07\3\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 16},
        {E_CORRUPT, "type 11", "\xfe\x20\x0b\0\0\0\0\0\0\0\0\0\0\0\0\0", 16},
        {E_CORRUPT, "type 3", "\xfe\x20\x03\0\0\0\0\0\0\0\0\0\0\0\0\0", 16},
        {E_CORRUPT, "companion", "\xfe\x20\x57\0\0\0\0\0\0\0\0\0\0\0\0\0", 16},
        {E_UNSUPPORTED, "3.6", "\xfe\x20\x61\0\0\0\0\0\0\0\0\0\0\0\0\0", 16},
        {E_UNSUPPORTED, "kdb+ 2", "\xff\x20\x07\0\0\0\0\0", 8},
        {E_CORRUPT, "bad meta data", "kxzipped\0\0\0\0", 12},
        {E_UNSUPPORTED, "encrypted", "kxzippEd\0\0\0\0", 12},
        {E_UNSUPPORTED, "type 11", "\xff\x01\x0b\0\0\0\0\0", 8},
        {E_UNSUPPORTED, "type 98", "\xff\x01\x62\0\0\0\0\0\0", 9},
        {E_CORRUPT, "begins with", "\x12\x34\0\0\0\0\0\0", 8},
        {E_CORRUPT, "page", "\xfd\x20\0\0\0\0\0\0", 8},
        {E_CORRUPT, "without a domain", "\xfe\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24},
    };

    for (u32 i = 0; i < COUNT_OF(cases); i++) {
        kit_write(kit_path("bad"), cases[i].bytes, cases[i].size);
        fails(cases[i].err, cases[i].part, column_open(&c, kit_path("bad")));
    }
    fails(E_NOT_FOUND, "", column_open(&c, kit_path("absent")));
}

/* Opens a damaged file and, when that works, reads all of it: no read may leave the mapping (ASan,
 * SIGBUS). */
static u64 read_damaged(const char *path)
{
    Column c;
    u64 sum = 0, from, to, count;
    if (column_open(&c, path) != E_OK) return 0;
    for (u64 i = 0; i < c.rows; i++) {
        const void *p;
        if (c.type == QT_ENUM) {
            attr_find(&c, column_index(&c, i), &from, &to);
            assert_true(from <= to && to <= c.rows);
            for (u64 k = from; k < to; k++)
                sum += (u64)column_index(&c, c.perm ? (u64)c.perm[k] : k);
        } else if (c.type >= QT_NESTED && column_row(&c, i, &p, &count) == E_OK &&
                   c.type > QT_NESTED) {
            for (u64 k = 0; k < count; k++)
                sum += ((const u8 *)p)[k];
        }
    }
    if (attr_check(&c) != E_OK) sum++;
    column_close(&c);
    return sum;
}

static void damage_each_byte(const char *name, u64 from)
{
    u64 size;
    u8 *good = kit_read(kit_path(name), &size);
    for (u64 at = from; at < size; at++) {
        static const u8 masks[] = {0x01, 0x80, 0xff};
        for (u32 m = 0; m < COUNT_OF(masks); m++) {
            kit_poke(kit_path(name), at, good[at] ^ masks[m]);
            read_damaged(kit_path(name));
        }
        kit_poke(kit_path(name), at, good[at]);
    }
    for (u64 cut = from; cut < size; cut++) {
        kit_write(kit_path(name), good, cut);
        read_damaged(kit_path(name));
    }
    kit_write(kit_path(name), good, size);
    free(good);
}

static void damage_is_never_read_outside_the_file(void **state)
{
    (void)state;
    ColumnOut *out;
    u64 bytes;
    i64 indices[] = {5, 5, 2, 6, 4, 3, 3, 3};
    write_column("dp", QT_ENUM, ATTR_PARTED, indices, 8);
    damage_each_byte("dp", 4080);
    write_column("dg", QT_ENUM, ATTR_GROUPED, indices, 8);
    damage_each_byte("dg", 4080);
    char text[100] = {0};
    ok(column_create(&out, kit_path("ds"), QT_STRING, ATTR_NONE, 0));
    ok(column_append_row(out, "abc", 3));
    ok(column_append_row(out, text, 100));
    ok(column_append_row(out, "abc", 3));
    ok(column_finish(out, true, NULL, &bytes));
    damage_each_byte("ds", 4080);
    u64 size;
    u8 *heap = kit_read(kit_path("ds#"), &size);
    for (u64 at = 4080; at < size; at++) {
        for (u32 m = 1; m < 256; m = m * 2 + 1) {
            kit_poke(kit_path("ds#"), at, heap[at] ^ (u8)m);
            read_damaged(kit_path("ds"));
        }
        kit_poke(kit_path("ds#"), at, heap[at]);
    }
    for (u64 cut = 0; cut < size; cut += cut < 4080 ? 510 : 1) {
        kit_write(kit_path("ds#"), heap, cut);
        read_damaged(kit_path("ds"));
    }
    free(heap);
    unlink(kit_path("ds#"));
    Column c;
    fails(E_CORRUPT, "missing", column_open(&c, kit_path("ds")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_header_and_elements_are_those_of_the_format),
        cmocka_unit_test(every_fixed_type_reads_back),
        cmocka_unit_test(sorted_is_kept_only_when_true),
        cmocka_unit_test(order_is_watched_across_pieces),
        cmocka_unit_test(parted_enumeration_is_that_of_the_format),
        cmocka_unit_test(empty_parted_enumeration_has_its_payload),
        cmocka_unit_test(attributes_of_enumerations_never_lie),
        cmocka_unit_test(runs_go_across_appends_and_pieces),
        cmocka_unit_test(picked_rows_are_gathered),
        cmocka_unit_test(symbols_become_indices_and_sort_by_name),
        cmocka_unit_test(strings_are_packed_or_objects),
        cmocka_unit_test(nested_without_rows_has_no_heap),
        cmocka_unit_test(rows_of_nested_vectors_are_appended_in_bulk),
        cmocka_unit_test(kept_files_are_open_for_the_callers_sync),
        cmocka_unit_test(refuses_what_it_cannot_write),
        cmocka_unit_test(refuses_what_it_cannot_read),
        cmocka_unit_test(damage_is_never_read_outside_the_file),
    };
    return cmocka_run_group_tests(tests, kit_setup, kit_teardown);
}
