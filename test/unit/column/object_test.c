/* object: files of one value; enumerations in them; what is cut or lies is refused. */
#include "column/block_out.h"
#include "column/object.h"
#include "q/symbol.h"
#include "unit/column/kit.h"

static Arena memory;

/* A one-column table, the complete file of a real database. */
static const u8 table[] = {0xff, 0x01, 0x62, 0x00, 0x63, 0x0b, 0x00, 0x01, 0x00, 0x00,
                           0x00, 0x63, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x07,
                           0x00, 0x03, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00,
                           0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                           0x00, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};

/* The same, its column an enumeration: three indices. */
static const u8 enumerated[] = {0xff, 0x01, 0x62, 0x00, 0x63, 0x0b, 0x00, 0x01, 0x00, 0x00, 0x00,
                                0x63, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x15, 's',  'y',
                                'm',  0x00, 0x03, 0x03, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
                                0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80};

static void a_table_in_a_file(void **state)
{
    (void)state;
    Value v;
    Buf b = {0};
    ok(object_decode(table, sizeof table, NULL, &memory, &v));
    assert_int_equal(v.type, QT_TABLE);
    assert_int_equal(v.as.table.count, 1);
    assert_true(str_is(v.as.table.names[0], "c"));
    assert_int_equal(v.as.table.cols[0].type, QT_LONG);
    assert_int_equal(vec_i64(&v.as.table.cols[0].as.vec)[2], 3);
    ok(object_encode(&b, &v));
    assert_int_equal(b.size, sizeof table);
    assert_memory_equal(b.data, table, sizeof table);
    buf_free(&b);
}

static const Domain *find_domain(void *arg, const char *name)
{
    return strcmp(name, "sym") == 0 ? arg : NULL;
}

static void enumerations(void **state)
{
    (void)state;
    Value v;
    i32 ids[2];
    Domain d = {.count = 2, .ids = ids};
    DomainSet set = {find_domain, &d};
    ok(symbol_intern(STR("zero"), &ids[0]));
    ok(symbol_intern(STR("one"), &ids[1]));
    ok(object_decode(enumerated, sizeof enumerated, NULL, &memory, &v));
    assert_int_equal(v.as.table.cols[0].type, QT_INT);
    assert_int_equal(vec_i32(&v.as.table.cols[0].as.vec)[0], 1);
    ok(object_decode(enumerated, sizeof enumerated, &set, &memory, &v));
    assert_int_equal(v.as.table.cols[0].type, QT_SYMBOL);
    assert_true(str_is(vec_str(&v.as.table.cols[0].as.vec)[0], "one"));
    assert_true(str_is(vec_str(&v.as.table.cols[0].as.vec)[1], "zero"));
    assert_true(str_is(vec_str(&v.as.table.cols[0].as.vec)[2], ""));
    d.count = 1;
    fails(E_CORRUPT, "beyond the domain sym",
          object_decode(enumerated, sizeof enumerated, &set, &memory, &v));
}

static void symbol_lists_go_to_the_end(void **state)
{
    (void)state;
    static const u8 lies[] = {0xff, 1, 0x0b, 0, 1, 0, 0, 0, 'a', 0, 'b', 'c', 0};
    Value v;
    ok(object_decode(lies, sizeof lies, NULL, &memory, &v));
    assert_int_equal(v.type, QT_SYMBOL);
    assert_int_equal(value_count(&v), 2);
    assert_true(str_is(vec_str(&v.as.vec)[1], "bc"));
    fails(E_CORRUPT, "does not end", object_decode(lies, sizeof lies - 1, NULL, &memory, &v));
    fails(E_CORRUPT, "cut off", object_decode(lies, 7, NULL, &memory, &v));
    ok(object_decode(lies, 8, NULL, &memory, &v));
    assert_int_equal(value_count(&v), 0);
}

/* What was read is written as it was, attribute included: also an enumeration, as symbols. */
static void attributes_of_symbol_lists_stay(void **state)
{
    (void)state;
    static const u8 unique[] = {0xff, 0x01, 0x0b, ATTR_UNIQUE, 1, 0, 0, 0, 'a', 0};
    static const u8 of_domain[] = {0xff, 0x01, 0x15, 's', 'y', 'm', 0, ATTR_UNIQUE, 0, 0, 0, 0};

    const struct {
        const u8 *data;
        u64 size;
    } files[] = {{unique, sizeof unique}, {of_domain, sizeof of_domain}};

    Domain d = {0};
    const DomainSet set = {find_domain, &d};
    for (u64 i = 0; i < COUNT_OF(files); i++) {
        Buf once = {0}, twice = {0};
        Value v;
        ok(object_decode(files[i].data, files[i].size, &set, &memory, &v));
        assert_int_equal(v.as.vec.attr, ATTR_UNIQUE);
        ok(object_encode(&once, &v));
        ok(object_decode(once.data, once.size, NULL, &memory, &v));
        ok(object_encode(&twice, &v));
        assert_int_equal(once.size, twice.size);
        assert_memory_equal(once.data, twice.data, once.size);
        buf_free(&once);
        buf_free(&twice);
    }
}

static void cut_or_damaged(const u8 *file, u64 size)
{
    Value v;
    for (u64 cut = 0; cut < size; cut++) {
        u8 *copy = malloc(cut + 1);
        memcpy(copy, file, cut);
        assert_int_not_equal(object_decode(copy, cut, NULL, &memory, &v), E_OK);
        free(copy);
    }
    for (u64 at = 2; at < size; at++) {
        for (u32 byte = 0; byte < 256; byte++) {
            u8 *copy = malloc(size);
            memcpy(copy, file, size);
            copy[at] = (u8)byte;
            (void)!object_decode(copy, size, NULL, &memory, &v);
            free(copy);
        }
    }
}

static void damage_is_refused_or_decodes(void **state)
{
    (void)state;
    Value v;
    u8 longer[sizeof enumerated + 1] = {0};
    cut_or_damaged(table, sizeof table);
    cut_or_damaged(enumerated, sizeof enumerated);
    memcpy(longer, enumerated, sizeof enumerated);
    fails(E_CORRUPT, "follow its end", object_decode(longer, sizeof longer, NULL, &memory, &v));
    fails(E_UNSUPPORTED, "", object_decode((const u8 *)"\xfe ", 2, NULL, &memory, &v));
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    static u8 deep[2 + 6 * 1000] = {0xff, 0x01};
    Value v;
    for (u64 i = 0; i < 1000; i++) {
        u8 list[6] = {0, 0, 1, 0, 0, 0};
        memcpy(deep + 2 + 6 * i, list, 6);
    }
    fails(E_CORRUPT, "deeply", object_decode(deep, sizeof deep, NULL, &memory, &v));
}

static void files_may_be_compressed(void **state)
{
    (void)state;
    Value v;
    BlockOut *out;
    CodecChoice c = {CODEC_GZIP, 6, 17};
    u64 bytes;
    kit_write(kit_path("tab"), table, sizeof table);
    ok(object_read(kit_path("tab"), NULL, &memory, &v));
    assert_int_equal(value_count(&v), 3);
    ok(block_out_open(&out, kit_path("tabz"), 0));
    ok(block_out_codec(out, &c));
    ok(block_out_write(out, table, sizeof table));
    ok(block_out_close(out, true, NULL, &bytes));
    ok(object_read(kit_path("tabz"), NULL, &memory, &v));
    assert_int_equal(value_count(&v), 3);
    fails(E_NOT_FOUND, "", object_read(kit_path("absent"), NULL, &memory, &v));
    kit_write(kit_path("not"), "hello", 5);
    fails(E_UNSUPPORTED, "not", object_read(kit_path("not"), NULL, &memory, &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_in_a_file),
        cmocka_unit_test(enumerations),
        cmocka_unit_test(attributes_of_symbol_lists_stay),
        cmocka_unit_test(symbol_lists_go_to_the_end),
        cmocka_unit_test(damage_is_refused_or_decodes),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(files_may_be_compressed),
    };
    int failed = cmocka_run_group_tests(tests, kit_setup, kit_teardown);
    arena_free(&memory);
    return failed;
}
