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
        3,        QT_SYMBOL, 21,      QT_NESTED - 1, QT_NESTED + 3, QT_NESTED + 21,
        QT_TABLE, QT_DICT,   -QT_LONG};
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

/* ---- compressed columns */

static const CodecChoice choices[] = {
    {CODEC_GZIP, 6, 12},  {CODEC_QIPC, 0, 13}, {CODEC_SNAPPY, 0, 12},
    {CODEC_LZ4HC, 1, 16}, {CODEC_ZSTD, 3, 12},
};

static ColumnOut *create_zipped(const char *name, int type, int attr, u64 hint, u32 choice)
{
    ColumnOut *out;
    char companion[512];
    const char *path = kit_path(name);
    snprintf(companion, sizeof companion, "%s#", path);
    unlink(path);
    unlink(companion);
    snprintf(companion, sizeof companion, "%s##", path);
    unlink(companion);
    ok(column_create(&out, path, type, attr, hint));
    ok(column_out_codec(out, &choices[choice]));
    return out;
}

static void compressed_columns_hold_the_plain_file(void **state)
{
    (void)state;

    enum { N = 60000 };

    static i64 rows[N];
    u64 bytes, sizes[2];
    for (u64 i = 0; i < N; i++)
        rows[i] = (i64)(i / 100 * 7 % 1000);
    write_column("one", QT_ENUM, ATTR_PARTED, rows, N / 2);
    u8 *one = kit_read(kit_path("one"), &sizes[0]);
    write_column("two", QT_LONG, ATTR_SORTED, rows, 10);
    u8 *two = kit_read(kit_path("two"), &sizes[1]);
    for (u32 c = 0; c < COUNT_OF(choices); c++) {
        for (u32 hint = 0; hint < 3; hint++) { /* unknown, right, wrong */
            Image m;
            ColumnOut *out = create_zipped("z", QT_ENUM, ATTR_PARTED, hint * N / 2, c);
            ok(column_append(out, rows, N / 2));
            ok(column_finish(out, true, NULL, &bytes));
            ok(image_open(&m, kit_path("z"), IMAGE_WHOLE));
            assert_int_equal(m.stored, bytes);
            assert_true(m.zipped && bytes < sizes[0]);
            assert_int_equal(m.plain.size, sizes[0]);
            assert_memory_equal(m.plain.data, one, sizes[0]);
            image_close(&m);
            out = create_zipped("z", QT_LONG, ATTR_SORTED, hint * 5, c);
            ok(column_append(out, rows, 10));
            ok(column_finish(out, true, NULL, &bytes));
            ok(image_open(&m, kit_path("z"), IMAGE_WHOLE));
            assert_int_equal(m.plain.size, sizes[1]);
            assert_memory_equal(m.plain.data, two, sizes[1]);
            image_close(&m);
        }
    }
    free(one);
    free(two);
}

static void an_attribute_that_falls_late_mends_the_header(void **state)
{
    (void)state;

    enum { N = 400000 };

    i64 *rows = malloc(N * sizeof *rows);
    u64 bytes;
    Column c;
    for (u64 i = 0; i < N; i++)
        rows[i] = (i64)(i * i % 1000003);
    for (u64 i = 1; i < N; i++)
        rows[i] = MAX(rows[i], rows[i - 1]);
    rows[N - 1] = -1;
    ColumnOut *out = create_zipped("late", QT_LONG, ATTR_SORTED, N, 0);
    ok(column_append(out, rows, N));
    ok(column_finish(out, true, NULL, &bytes));
    ok(column_open(&c, kit_path("late")));
    assert_int_equal(c.attr, ATTR_NONE);
    assert_int_equal(c.rows, N);
    assert_memory_equal(c.data, rows, N * 8);
    column_close(&c);
    free(rows);
}

static void rows_are_inflated_on_need(void **state)
{
    (void)state;

    enum { N = 200000 };

    i32 *rows = malloc(N * sizeof *rows);
    u64 bytes;
    Column c;
    for (i32 i = 0; i < N; i++)
        rows[i] = i * 3;
    image_cache_bound(64 << 10);
    ColumnOut *out = create_zipped("onneed", QT_INT, ATTR_NONE, N, 0);
    ok(column_append(out, rows, N));
    ok(column_finish(out, true, NULL, &bytes));
    ok(column_open_on_need(&c, kit_path("onneed")));
    assert_true(column_on_need(&c));
    u64 before = image_inflated();
    ok(column_need(&c, 100000, 100001));
    assert_int_equal(((const i32 *)c.data)[100000], 300000);
    assert_int_equal(image_inflated(), before + 1);
    column_done(&c, 100000, 100001);
    ok(column_need(&c, 5, 5));
    column_done(&c, 5, 5);
    for (u64 at = 0; at < N; at += 1000) {
        ok(column_need(&c, at, at + 1000));
        assert_memory_equal((const i32 *)c.data + at, rows + at, 1000 * sizeof *rows);
        column_done(&c, at, at + 1000);
    }
    column_close(&c);
    image_cache_bound(0);
    free(rows);
}

static void readers_give_all_elements_once(void **state)
{
    (void)state;

    enum { N = 50000 };

    static u8 bytes[N * 16];
    for (u32 i = 0; i < sizeof bytes; i++)
        bytes[i] = (u8)(i * 31 >> 3);
    for (int type = QT_BOOLEAN; type < QT_ENUM; type++) {
        ColumnReader r;
        Column c;
        u64 size, count;
        const void *p;
        if (!type_is_fixed(type)) continue;
        ColumnOut *out = create_zipped("reader", type, ATTR_NONE, N, 2);
        ok(column_append(out, bytes, N));
        ok(column_finish(out, true, NULL, &size));
        for (u32 need = 0; need < 2; need++) {
            ok(need ? column_open_on_need(&c, kit_path("reader"))
                    : column_open(&c, kit_path("reader")));
            column_reader_open(&r, &c);
            u64 at = 0, width = type_width(type);
            for (; at < N; at += count) {
                ok(column_reader_rows(&r, at, &p, &count));
                assert_true(count > 0 && count <= N - at && (need || count == N));
                assert_int_equal((uintptr_t)p % MIN(width, 8), 0);
                assert_memory_equal(p, bytes + at * width, count * width);
            }
            ok(column_reader_rows(&r, N / 2, &p, &count));
            assert_memory_equal(p, bytes + N / 2 * width, width);
            column_reader_close(&r);
            column_close(&c);
        }
    }
}

static void lists_are_inflated_on_need(void **state)
{
    (void)state;

    enum { N = 20000 };

    u64 bytes, count;
    const void *p;
    Column c;
    char text[300];
    memset(text, 't', sizeof text);
    for (u32 old = 0; old < 2; old++) {
        ColumnOut *out = create_zipped("lists", QT_STRING, ATTR_NONE, 0, 2);
        if (old) ok(column_out_old(out));
        for (u32 i = 0; i < N; i++)
            ok(column_append_row(out, text, i * 7 % 130));
        ok(column_finish(out, true, NULL, &bytes));
        image_cache_bound(32 << 10);
        ok(column_open_on_need(&c, kit_path("lists")));
        assert_int_equal(c.old, old);
        assert_int_equal(c.type, QT_STRING);
        u64 before = image_inflated();
        for (u64 at = 0; at < N; at += 97) {
            u64 to = MIN(at + 97, N);
            ok(column_need(&c, at, to));
            for (u64 i = at; i < to; i++) {
                ok(column_row(&c, i, &p, &count));
                assert_int_equal(count, i * 7 % 130);
                assert_memory_equal(p, text, count);
            }
            column_done(&c, at, to);
        }
        assert_true(image_inflated() > before);
        column_close(&c);
        image_cache_bound(0);
    }
}

static void the_index_of_a_compressed_column_stays(void **state)
{
    (void)state;

    enum { RUNS = 500 };

    static i64 rows[RUNS * 100];
    u64 bytes, from, to;
    Column c;
    for (u64 i = 0; i < COUNT_OF(rows); i++)
        rows[i] = (i64)(i / 100);
    ColumnOut *out = create_zipped("parts", QT_ENUM, ATTR_PARTED, COUNT_OF(rows), 4);
    ok(column_append(out, rows, COUNT_OF(rows)));
    ok(column_finish(out, true, NULL, &bytes));
    image_cache_bound(4096);
    ok(column_open_on_need(&c, kit_path("parts")));
    assert_int_equal(c.key_count, RUNS);
    for (u64 run = 0; run < RUNS; run += 7) {
        attr_find(&c, (i64)run, &from, &to);
        assert_int_equal(from, run * 100);
        assert_int_equal(to, run * 100 + 100);
        ok(column_need(&c, from, to));
        for (u64 i = from; i < to; i++)
            assert_int_equal(column_index(&c, i), run);
        column_done(&c, from, to);
    }
    image_memory(&from, &to);
    assert_in_range(from, 0, 2 * 4096); /* neither header nor index stays inflated */
    column_close(&c);
    image_cache_bound(0);
}

/* ---- other forms */

static void forms_of_before_3_6(void **state)
{
    (void)state;
    i64 indices[] = {10, 10, 11, Q_NULL_LONG}, large = 1ll << 31;
    ColumnOut *out;
    Column c;
    u64 bytes, count;
    const void *p;
    ok(column_create(&out, kit_path("e32"), QT_ENUM, ATTR_PARTED, 0));
    ok(column_out_old(out));
    ok(column_append(out, indices, 3));
    ok(column_finish(out, true, NULL, &bytes));
    kit_expect(kit_path("e32"), "fe73796d00000000 0000000300000000 0300000000000000"
                                "0a000000 0a000000 0b000000 00000000"
                                "0200140200000000 0200000000000000 0a000000 0b000000"
                                "00*8 ff*16 0100000000000000"
                                "0200070000000000 0300000000000000 00*8 0200000000000000"
                                "0300000000000000");
    ok(column_create(&out, kit_path("e32n"), QT_ENUM, ATTR_GROUPED, 0));
    ok(column_out_domain(out, "ex"));
    ok(column_out_old(out));
    u32 rows[] = {3, 0, 3, 2};
    ok(column_append_picked(out, indices, rows, 4));
    fails(E_LIMIT, "does not fit", column_append(out, &large, 1));
    ok(column_finish(out, true, NULL, &bytes));
    ok(column_open(&c, kit_path("e32n")));
    assert_string_equal(c.domain, "ex");
    assert_int_equal(c.attr, ATTR_GROUPED);
    assert_int_equal(column_index(&c, 0), Q_NULL_LONG);
    assert_int_equal(column_index(&c, 1), 10);
    ok(attr_check(&c));
    column_close(&c);

    ok(column_create(&out, kit_path("olds"), QT_STRING, ATTR_NONE, 0));
    ok(column_out_old(out));
    ok(column_append_row(out, "rdb", 3));
    ok(column_append_row(out, "", 0));
    ok(column_append_row(out, "hdb1", 4));
    ok(column_finish(out, true, NULL, &bytes));
    kit_expect(kit_path("olds"), "fe20570000000000 0300000000000000 0300000000000000"
                                 "0300000000000000 0700000000000000");
    kit_expect(kit_path("olds#"), "726462 68646231");
    ok(column_open(&c, kit_path("olds")));
    assert_int_equal(c.type, QT_STRING);
    ok(column_row(&c, 2, &p, &count));
    assert_int_equal(count, 4);
    assert_memory_equal(p, "hdb1", 4);
    ok(column_row(&c, 1, &p, &count));
    assert_int_equal(count, 0);
    column_close(&c);
    kit_poke(kit_path("olds"), 24, 9); /* ends beyond the companion, and before its predecessor */
    ok(column_open(&c, kit_path("olds")));
    fails(E_CORRUPT, "row 1", column_row(&c, 1, &p, &count));
    fails(E_CORRUPT, "row 2", column_row(&c, 2, &p, &count));
    column_close(&c);

    ok(column_create(&out, kit_path("old0"), QT_NESTED + QT_FLOAT, ATTR_NONE, 0));
    ok(column_out_old(out));
    ok(column_finish(out, true, NULL, &bytes));
    ok(column_open(&c, kit_path("old0")));
    assert_int_equal(c.type, QT_NESTED + QT_FLOAT);
    column_close(&c);
    kit_expect(kit_path("old0"), "fe20560000000000 0000000000000000");
    kit_expect(kit_path("old0#"), "");
    ok(column_create(&out, kit_path("oldx"), QT_LIST, ATTR_NONE, 0));
    fails(E_UNSUPPORTED, "before 3.6", column_out_old(out));
    column_drop(out);
    ok(column_create(&out, kit_path("oldd"), QT_ENUM, ATTR_NONE, 0));
    ok(column_out_domain(out, "exchange"));
    ok(column_out_old(out));
    fails(E_LIMIT, "too long", column_append(out, indices, 1));
    column_drop(out);
}

static void domains_have_any_name(void **state)
{
    (void)state;
    ColumnOut *out;
    Column c;
    u64 bytes;
    i64 index = 4;
    char name[300];
    memset(name, 'd', sizeof name);
    name[255] = 0;
    ok(column_create(&out, kit_path("dom"), QT_ENUM, ATTR_NONE, 1));
    fails(E_USAGE, "domain", column_out_domain(out, ""));
    fails(E_USAGE, "domain", column_out_domain(out, "../sym"));
    name[255] = 'd';
    name[256] = 0;
    fails(E_USAGE, "domain", column_out_domain(out, name));
    name[255] = 0;
    ok(column_out_domain(out, name));
    ok(column_append(out, &index, 1));
    ok(column_finish(out, true, NULL, &bytes));
    ok(column_open(&c, kit_path("dom")));
    assert_string_equal(c.domain, name);
    column_close(&c);
}

static const Domain *find_domain(void *arg, const char *name)
{
    return strcmp(name, "sym") == 0 ? arg : NULL;
}

static void lists_of_symbols(void **state)
{
    (void)state;
    Vec v, ids;
    ColumnOut *out;
    Column c;
    u64 bytes, count;
    const void *p;
    i32 row[40], a = id_of("list a"), b = id_of("list b");
    vec_init(&v, QT_NESTED + QT_ENUM);
    vec_init(&ids, QT_ENUM);
    for (u32 i = 0; i < 40; i++)
        row[i] = i % 2 ? b : a;
    ok(vec_append_row(&v, row, 2));
    ok(vec_append_row(&v, row, 0));
    ok(vec_append_row(&v, row + 1, 30));
    ok(column_create(&out, kit_path("syms"), QT_NESTED + QT_SYMBOL, ATTR_NONE, 0));
    ok(column_append_rows(out, &v, NULL, 0, 3));
    ok(column_append_row(out, &b, 1));
    ok(column_finish(out, true, NULL, &bytes));
    kit_expect(kit_path("syms##"), "ff010b0002000000 6c697374206100 6c697374206200");
    ok(column_open(&c, kit_path("syms")));
    assert_int_equal(c.type, QT_NESTED + QT_ENUM);
    assert_int_equal(c.rows, 4);
    assert_int_equal(c.name_count, 2);
    fails(E_UNSUPPORTED, "type 11", column_row(&c, 0, &p, &count));
    for (u64 i = 0; i < 4; i++) {
        static const u64 counts[] = {2, 0, 30, 1};
        vec_clear(&ids);
        ok(column_row_ids(&c, i, NULL, &ids));
        assert_int_equal(ids.count, counts[i]);
        for (u64 k = 0; k < ids.count; k++)
            assert_int_equal(vec_i32(&ids)[k], i == 3 || (k + (i == 2)) % 2 ? b : a);
    }
    ok(column_create(&out, kit_path("syms2"), QT_NESTED + QT_ENUM, ATTR_NONE, 0));
    ok(column_append_column(out, &c, NULL, 0, 4, NULL));
    ok(column_finish(out, true, NULL, &bytes));
    u64 size;
    u8 *heap = kit_read(kit_path("syms#"), &size);
    kit_write(kit_path("copy"), heap, size);
    free(heap);
    column_close(&c);
    heap = kit_read(kit_path("syms2#"), &count);
    assert_int_equal(count, size);
    free(heap);
    kit_poke(kit_path("syms#"), 4096 + 2, 9); /* a position that is none */
    ok(column_open(&c, kit_path("syms")));
    fails(E_CORRUPT, "names do not hold", column_row_ids(&c, 0, NULL, &ids));
    column_close(&c);
    vec_free(&v);
    vec_free(&ids);
}

static void lists_of_enumerations(void **state)
{
    (void)state;
    Column c;
    Vec ids;
    ColumnOut *out;
    u64 bytes;
    i32 known[] = {id_of("zero"), id_of("one")};
    Domain d = {.count = 2, .ids = known};
    DomainSet set = {find_domain, &d};
    i64 two[] = {1, 0};
    /* a list of longs, turned into an enumeration that is an object */
    static i64 longs[12] = {1, 0, 1};
    ok(column_create(&out, kit_path("le"), QT_NESTED + QT_LONG, ATTR_NONE, 0));
    ok(column_append_row(out, longs, 12));
    ok(column_append_row(out, two, 1));
    ok(column_finish(out, true, NULL, &bytes));
    kit_poke(kit_path("le#"), 4096 + 2, QT_ENUM);
    for (u32 i = 0; i < 8; i++) /* eleven elements and the word */
        kit_poke(kit_path("le#"), 4096 + 16 + 88 + i, 0xff);
    kit_poke(kit_path("le#"), 4096 + 8, 11);
    vec_init(&ids, QT_ENUM);
    ok(column_open(&c, kit_path("le")));
    assert_int_equal(c.type, QT_NESTED + QT_ENUM);
    fails(E_NOT_FOUND, "sym", column_row_ids(&c, 0, NULL, &ids));
    ok(column_row_ids(&c, 0, &set, &ids));
    assert_int_equal(ids.count, 11);
    assert_int_equal(vec_i32(&ids)[0], known[1]);
    assert_int_equal(vec_i32(&ids)[1], known[0]);
    d.count = 1;
    fails(E_CORRUPT, "beyond", column_row_ids(&c, 0, &set, &ids));
    fails(E_UNSUPPORTED, "type 7", column_row_ids(&c, 1, &set, &ids));
    column_close(&c);
    vec_free(&ids);
}

static void every_list_type_comes_back(void **state)
{
    (void)state;
    u8 bytes[40 * 16];
    for (u32 i = 0; i < sizeof bytes; i++)
        bytes[i] = (u8)(i * 11);
    for (int type = 1; type < 20; type++) {
        if (!type_is_fixed(type)) continue;
        ColumnOut *out;
        Column c;
        Arena a = {0};
        Value v;
        u64 size, count;
        const void *p;
        unlink(kit_path("nest"));
        unlink(kit_path("nest#"));
        ok(column_create(&out, kit_path("nest"), QT_NESTED + type, ATTR_NONE, 0));
        for (u64 n = 0; n <= 40; n++)
            ok(column_append_row(out, bytes, n));
        ok(column_finish(out, true, NULL, &size));
        ok(column_open(&c, kit_path("nest")));
        assert_int_equal(c.type, QT_NESTED + type);
        for (u64 n = 0; n <= 40; n++) {
            ok(column_row(&c, n, &p, &count));
            assert_int_equal(count, n);
            assert_memory_equal(p, bytes, n * type_width(type));
            ok(column_value(&c, n, NULL, &a, &v));
            assert_int_equal(v.type, type);
            assert_int_equal(v.as.vec.count, n);
            assert_int_equal((uintptr_t)v.as.vec.data % MIN(type_width(type), 8), 0);
            assert_memory_equal(v.as.vec.data, bytes, n * type_width(type));
        }
        column_close(&c);
        arena_free(&a);
    }
}

static void values_of_plain_columns(void **state)
{
    (void)state;
    Column c;
    Value v;
    Arena a = {0};
    i64 indices[] = {1, INT64_MIN, 5}, times[] = {77};
    i32 known[] = {id_of("zero"), id_of("one")};
    Domain d = {.count = 2, .ids = known};
    DomainSet set = {find_domain, &d};
    write_column("vt", QT_TIMESTAMP, ATTR_NONE, times, 1);
    ok(column_open(&c, kit_path("vt")));
    ok(column_value(&c, 0, NULL, &a, &v));
    assert_int_equal(v.type, -QT_TIMESTAMP);
    assert_int_equal(v.as.i, 77);
    column_close(&c);
    write_column("ve", QT_ENUM, ATTR_NONE, indices, 3);
    ok(column_open(&c, kit_path("ve")));
    ok(column_value(&c, 0, &set, &a, &v));
    assert_int_equal(v.type, -QT_SYMBOL);
    assert_true(str_is(v.as.text, "one"));
    ok(column_value(&c, 1, &set, &a, &v));
    assert_true(str_is(v.as.text, ""));
    fails(E_CORRUPT, "beyond the domain sym", column_value(&c, 2, &set, &a, &v));
    ok(column_value(&c, 2, NULL, &a, &v));
    assert_int_equal(v.as.i, 5);
    column_close(&c);
    arena_free(&a);
}

static void a_damaged_index_is_not_used(void **state)
{
    (void)state;
    i64 indices[] = {5, 5, 2};
    i32 sorted[] = {1, 2, 3};
    Column c;
    write_column("di", QT_ENUM, ATTR_PARTED, indices, 3);
    kit_poke(kit_path("di"), 4096 + 24 + 8 + 2, 7); /* the type of K */
    ok(column_open(&c, kit_path("di")));
    assert_int_equal(c.attr, ATTR_NONE);
    assert_null(c.keys);
    assert_string_equal(c.damage, "no object of keys");
    fails(E_CORRUPT, "no object of keys", attr_check(&c));
    assert_int_equal(column_index(&c, 2), 2);
    column_close(&c);
    assert_int_equal(truncate(kit_path("di"), 4096 + 24), 0);
    ok(column_open(&c, kit_path("di")));
    assert_non_null(c.damage);
    assert_int_equal(c.rows, 3);
    column_close(&c);
    write_column("ds2", QT_INT, ATTR_SORTED, sorted, 3);
    kit_poke(kit_path("ds2"), 16, 9);
    ok(column_open(&c, kit_path("ds2")));
    fails(E_CORRUPT, "do not ascend", attr_check(&c));
    column_close(&c);
}

static void companions_are_handed_over_too(void **state)
{
    (void)state;
    ColumnOut *out;
    File keep[3];
    BlockOut *files[2];
    u64 bytes;
    i32 id = id_of("kept");
    ok(column_create(&out, kit_path("keep3"), QT_NESTED + QT_ENUM, ATTR_NONE, 0));
    assert_int_equal(column_out_files(out, files), 0);
    ok(column_append_row(out, &id, 1));
    assert_int_equal(column_out_files(out, files), 2);
    ok(column_seal(out));
    ok(column_end(out, false, keep, &bytes));
    for (u32 i = 0; i < 3; i++) {
        assert_true(keep[i].fd >= 0);
        ok(file_close(&keep[i]));
    }
    assert_int_equal(bytes, 4096 + 8 + 4096 + 6 + 8 + 5);
    ok(column_create(&out, kit_path("keep4"), QT_NESTED + QT_ENUM, ATTR_NONE, 0));
    ok(column_append_row(out, &id, 1));
    ok(column_finish(out, false, keep, &bytes));
    ok(file_close(&keep[0]));
    ok(file_close(&keep[1]));
    assert_int_equal(access(kit_path("keep4##"), R_OK), 0);
}

static void damage_of_compressed_files(void **state)
{
    (void)state;
    i64 indices[] = {5, 5, 2, 6, 4, 3, 3, 3};
    u64 bytes;
    for (u32 choice = 0; choice < COUNT_OF(choices); choice++) {
        ColumnOut *out = create_zipped("dz", QT_ENUM, ATTR_PARTED, 8, choice);
        ok(column_append(out, indices, 8));
        ok(column_finish(out, true, NULL, &bytes));
        damage_each_byte("dz", 0);
    }
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
        cmocka_unit_test(compressed_columns_hold_the_plain_file),
        cmocka_unit_test(an_attribute_that_falls_late_mends_the_header),
        cmocka_unit_test(rows_are_inflated_on_need),
        cmocka_unit_test(readers_give_all_elements_once),
        cmocka_unit_test(lists_are_inflated_on_need),
        cmocka_unit_test(the_index_of_a_compressed_column_stays),
        cmocka_unit_test(forms_of_before_3_6),
        cmocka_unit_test(domains_have_any_name),
        cmocka_unit_test(lists_of_symbols),
        cmocka_unit_test(lists_of_enumerations),
        cmocka_unit_test(every_list_type_comes_back),
        cmocka_unit_test(values_of_plain_columns),
        cmocka_unit_test(a_damaged_index_is_not_used),
        cmocka_unit_test(companions_are_handed_over_too),
        cmocka_unit_test(damage_of_compressed_files),
    };
    return cmocka_run_group_tests(tests, kit_setup, kit_teardown);
}
