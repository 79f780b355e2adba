/* mixed: values of any kind come back as they were; heaps that lie are refused. */
#include "column/column.h"
#include "column/header.h"
#include "column/mixed.h"
#include "q/symbol.h"
#include "q/wire.h"
#include "unit/column/kit.h"

static Arena memory;

static Value list_of(const Value *items, u64 count)
{
    Value v = value_list(&memory, count);
    if (count > 0) memcpy(v.as.vec.data, items, count * sizeof *items);
    return v;
}

static Value guid_atom(u8 first)
{
    Value v = {.type = -QT_GUID};
    for (u32 i = 0; i < 16; i++)
        v.as.guid[i] = (u8)(first + i);
    return v;
}

/* Two values are equal when their q IPC bytes are. */
static void same(const Value *a, const Value *b)
{
    Buf x = {0}, y = {0};
    ok(wire_encode(&x, a));
    ok(wire_encode(&y, b));
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.data, y.data, x.size);
    buf_free(&x);
    buf_free(&y);
}

/* Values that hold one of everything. */
static u64 examples(Value *v)
{
    static const i64 longs[20] = {1, 2, 3, INT64_MIN};
    static const f32 reals[] = {1.5f, -2};
    static u8 guids[160];
    static Str names[30];
    static i32 ids[2];
    u64 n = 0;
    for (u32 i = 0; i < COUNT_OF(names); i++)
        names[i] = str_of(i % 3 == 0 ? "alpha" : i % 3 == 1 ? "" : "gamma ray");
    for (u32 i = 0; i < sizeof guids; i++)
        guids[i] = (u8)i;
    ok(symbol_intern(STR("delta"), &ids[0]));
    v[n++] = value_bool(true);
    v[n++] = guid_atom(3);
    v[n++] = value_atom(QT_BYTE, 0xfe);
    v[n++] = value_atom(QT_SHORT, INT16_MIN);
    v[n++] = value_int(-5);
    v[n++] = value_long(INT64_MIN);
    v[n++] = (Value){.type = -QT_REAL, .as.f = 2.5};
    v[n++] = value_float(-0.25);
    v[n++] = value_atom(QT_CHAR, 'q');
    v[n++] = value_symbol("name");
    v[n++] = value_symbol("");
    v[n++] = value_timestamp(123456789);
    v[n++] = value_atom(QT_MONTH, 7);
    v[n++] = (Value){.type = -QT_DATETIME, .as.f = 7000.5};
    v[n++] = value_atom(QT_TIME, 86399999);
    v[n++] = value_string(STR("a string"));
    v[n++] = value_string((Str){"", 0});
    v[n++] = value_vec(vec_of(QT_LONG, longs, 0));
    v[n++] = value_vec(vec_of(QT_LONG, longs, 11)); /* packed */
    v[n++] = value_vec(vec_of(QT_LONG, longs, 12)); /* an object */
    v[n++] = value_vec(vec_of(QT_REAL, reals, 2));
    v[n++] = value_vec(vec_of(QT_GUID, guids, 1));
    v[n++] = value_vec(vec_of(QT_GUID, guids, 10));
    v[n++] = value_vec(vec_of(QT_SYMBOL, names, 0));
    v[n++] = value_vec(vec_of(QT_SYMBOL, names, 3));
    v[n++] = value_vec(vec_of(QT_SYMBOL, names, 30)); /* an object */
    v[n++] = value_vec(vec_of(QT_ENUM, ids, 2));
    v[n++] = value_list(&memory, 0);
    Value two[] = {value_long(1), value_string(STR("xyz"))};
    v[n++] = list_of(two, 2);
    Value deep[] = {v[n - 1], value_list(&memory, 0), value_float(1)};
    v[n++] = list_of(deep, 3);
    Value dict = value_dict(&memory, 2);
    value_put(&dict, "a", value_long(1));
    value_put(&dict, "b", v[n - 1]);
    v[n++] = dict;
    Value table = value_table(&memory, 2);
    table.as.table.names[0] = STR("time");
    table.as.table.names[1] = STR("what");
    table.as.table.cols[0] = value_vec(vec_of(QT_TIMESTAMP, longs, 3));
    table.as.table.cols[1] = list_of(deep, 3);
    v[n++] = table;
    Value *keys = arena_new(&memory, Value), *values = arena_new(&memory, Value);
    *keys = *values = table;
    v[n++] = (Value){.type = QT_DICT, .as.dict = {keys, values, NULL}};
    return n;
}

static void everything_comes_back(void **state)
{
    (void)state;
    Value v[64], back;
    ColumnOut *out;
    Column c;
    u64 bytes, count = examples(v);
    CodecChoice codecs[] = {{0}, {CODEC_ZSTD, 1, 12}};
    for (u32 k = 0; k < 2; k++) {
        unlink(kit_path("mix"));
        unlink(kit_path("mix#"));
        unlink(kit_path("mix##"));
        ok(column_create(&out, kit_path("mix"), QT_LIST, ATTR_NONE, 0));
        ok(column_out_codec(out, &codecs[k]));
        for (u64 i = 0; i < count; i++)
            ok(column_append_value(out, &v[i]));
        Vec all = vec_of(QT_LIST, v, count);
        ok(column_append_rows(out, &all, NULL, 0, count));
        ok(column_finish(out, true, NULL, &bytes));
        for (u32 need = 0; need < 2; need++) {
            Arena a = {0};
            ok(need ? column_open_on_need(&c, kit_path("mix")) : column_open(&c, kit_path("mix")));
            assert_int_equal(c.rows, 2 * count);
            for (u64 i = 0; i < c.rows; i++) {
                ok(column_need(&c, i, i + 1));
                ok(column_value(&c, i, NULL, &a, &back));
                if (v[i % count].type == QT_ENUM) assert_int_equal(back.type, QT_SYMBOL);
                same(&back, &v[i % count]);
                column_done(&c, i, i + 1);
            }
            arena_free(&a);
            column_close(&c);
        }
    }
}

static void a_dictionary_is_that_of_kdb(void **state)
{
    (void)state;
    ColumnOut *out;
    u64 bytes;
    static const Str names[] = {{"sym", 3}}, syms[] = {{"AAPL", 4}, {"AIG", 3}};
    static const i32 counts[] = {7, 8};
    Value *both = arena_array(&memory, Value, 2);
    both[0] = value_table(&memory, 1);
    both[0].as.table.names[0] = names[0];
    both[0].as.table.cols[0] = value_vec(vec_of(QT_SYMBOL, syms, 2));
    both[1] = value_table(&memory, 1);
    both[1].as.table.names[0] = STR("n");
    both[1].as.table.cols[0] = value_vec(vec_of(QT_INT, counts, 2));
    Value keyed = {.type = QT_DICT, .as.dict = {&both[0], &both[1], NULL}};
    ok(column_create(&out, kit_path("keyed"), QT_LIST, ATTR_NONE, 0));
    ok(column_append_value(out, &keyed));
    ok(column_finish(out, true, NULL, &bytes));
    kit_expect(kit_path("keyed"), "fd20 00*4078 fd014d 00*5 0100000000000000 0000000000000001");
    kit_expect(kit_path("keyed#"),
               "fd20 00*4078 fd000400 00*12"
               "fb00630001000000 0200000000000000 2000000000000001 8000000000000001"
               "fb00620001000000 0200000000000000 4000000000000001 5000000000000000"
               "8a0100000000 00*10 fb004d0001000000 0100000000000000 6800000000000001"
               "8a020100000002000000 00*14"
               "fb00620001000000 0200000000000000 a000000000000001 b000000000000000"
               "8a0103000000 00*10 fb004d0001000000 0100000000000000 c800000000000001"
               "85020700000008000000");
    kit_expect(kit_path("keyed##"), "ff010b0004000000 73796d00 4141504c00 41494700 6e00");
}

static void functions_are_refused(void **state)
{
    (void)state;
    ColumnOut *out;
    Value v = value_null(), inside[] = {value_long(1), value_null()};
    ok(column_create(&out, kit_path("fun"), QT_LIST, ATTR_NONE, 0));
    fails(E_UNSUPPORTED, "type 101", column_append_value(out, &v));
    v = list_of(inside, 2);
    fails(E_UNSUPPORTED, "type 101", column_append_value(out, &v));
    for (u32 i = 0; i < 70; i++) {
        Value outer[] = {v, value_long(i)};
        if (i == 0) outer[0] = value_string(STR("core"));
        v = list_of(outer, 2);
    }
    fails(E_LIMIT, "deep", column_append_value(out, &v));
    column_drop(out);
}

/* A heap that is only what a test says. */
static Err decode(const u8 *bytes, u64 size, u64 reference, Value *v)
{
    Image m = {.plain = {.data = bytes, .size = size}};
    MixedHeap heap = {.image = &m};
    return mixed_decode(&heap, reference, &memory, v);
}

static void put_object(u8 *p, int type, u64 count, const u64 *references)
{
    memset(p, 0, 16);
    p[0] = 0xfb;
    p[2] = (u8)type;
    p[4] = 1;
    store_u64(p + 8, count);
    for (u64 i = 0; i < count; i++)
        store_u64(p + 16 + 8 * i, references[i]);
}

static void circles_and_bombs_are_refused(void **state)
{
    (void)state;
    static u8 heap[32 * 70];
    Value v;
    u64 self[] = {0, 0};
    put_object(heap, QT_NESTED, 2, self);
    fails(E_CORRUPT, "", decode(heap, 32, 0, &v));
    u64 one[] = {0};
    put_object(heap, QT_NESTED, 1, one);
    fails(E_CORRUPT, "too deeply", decode(heap, 32, 0, &v));
    /* each list has the next one twice: 2^60 items */
    for (u64 i = 0; i < 60; i++) {
        u64 next[] = {32 * (i + 1), 32 * (i + 1)};
        put_object(heap + 32 * i, QT_NESTED, 2, next);
    }
    put_object(heap + 32 * 60, QT_LONG, 0, NULL);
    fails(E_CORRUPT, "more items", decode(heap, sizeof heap, 0, &v));
    put_object(heap, QT_NESTED, 0, NULL);
    store_u64(heap + 8, 1ull << 60);
    fails(E_CORRUPT, "past the end", decode(heap, sizeof heap, 0, &v));
}

static void shapes_are_checked(void **state)
{
    (void)state;
    static u8 heap[512];
    Value v;
    u64 refs[] = {64, 80};
    memset(heap, 0, sizeof heap);
    heap[64] = 0x86; /* longs, none */
    heap[80] = 0x86;
    heap[81] = 1;
    put_object(heap, QT_DICT, 2, refs);
    fails(E_CORRUPT, "unequal keys", decode(heap, sizeof heap, 0, &v));
    heap[65] = 1;
    ok(decode(heap, sizeof heap, 0, &v));
    assert_int_equal(v.type, QT_DICT);
    put_object(heap, QT_TABLE, 2, refs);
    fails(E_CORRUPT, "unequal names", decode(heap, sizeof heap, 0, &v));
    heap[64] = 0x8a; /* a symbol without names */
    fails(E_CORRUPT, "names do not hold", decode(heap, sizeof heap, 0, &v));
    heap[64] = 0x79; /* a long atom as keys */
    put_object(heap, QT_DICT, 2, refs);
    fails(E_CORRUPT, "unequal keys", decode(heap, sizeof heap, 0, &v));
}

static const Domain *find_domain(void *arg, const char *name)
{
    return strcmp(name, "sym") == 0 ? arg : NULL;
}

static void enumerations_become_symbols(void **state)
{
    (void)state;
    i32 ids[2];
    Domain d = {.count = 2, .ids = ids};
    DomainSet set = {find_domain, &d};
    u8 heap[16 + 3 * 8 + 8] = {0xfb, 0, QT_ENUM, 0, 1, 0, 0, 0, 3};
    Image m = {.plain = {.data = heap, .size = sizeof heap}};
    MixedHeap h = {.image = &m, .domains = &set};
    Value v;
    ok(symbol_intern(STR("one"), &ids[0]));
    ok(symbol_intern(STR("two"), &ids[1]));
    store_u64(heap + 16, 1);
    store_u64(heap + 24, 0);
    store_u64(heap + 32, (u64)INT64_MIN);
    memset(heap + 40, 0xff, 8);
    ok(mixed_decode(&h, 0, &memory, &v));
    assert_int_equal(v.type, QT_ENUM);
    assert_int_equal(vec_i32(&v.as.vec)[0], ids[1]);
    assert_int_equal(vec_i32(&v.as.vec)[1], ids[0]);
    assert_int_equal(vec_i32(&v.as.vec)[2], 0);
    store_u64(heap + 16, 2);
    fails(E_CORRUPT, "domain does not hold", mixed_decode(&h, 0, &memory, &v));
    h.domains = NULL;
    ok(mixed_decode(&h, 0, &memory, &v));
    assert_int_equal(v.type, QT_LONG);
    assert_int_equal(vec_i64(&v.as.vec)[0], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back), cmocka_unit_test(a_dictionary_is_that_of_kdb),
        cmocka_unit_test(functions_are_refused), cmocka_unit_test(circles_and_bombs_are_refused),
        cmocka_unit_test(shapes_are_checked),    cmocka_unit_test(enumerations_become_symbols),
    };
    int failed = cmocka_run_group_tests(tests, kit_setup, kit_teardown);
    arena_free(&memory);
    return failed;
}
