/* tplog: every message before a tear is read, and the tear is where it is. */
#include "base/buf.h"
#include "column/tplog.h"
#include "q/wire.h"
#include "unit/column/kit.h"

static const u8 head[8] = {0xff, 0x01};

/* A log of `count` messages (`upd;`t;(longs;chars)); *ends: where each ends. */
static Buf make(u32 count, u64 *ends)
{
    Buf b = {0};
    Arena a = {0};
    static const i64 longs[] = {1, 2, 3};
    ok(buf_append(&b, head, sizeof head));
    for (u32 i = 0; i < count; i++) {
        Value message = value_list(&a, 3), data = value_list(&a, 2);
        vec_value(&data.as.vec)[0] = value_vec(vec_of(QT_LONG, longs, i % 4));
        vec_value(&data.as.vec)[1] = value_string((Str){"xyz", i % 4});
        vec_value(&message.as.vec)[0] = value_symbol("upd");
        vec_value(&message.as.vec)[1] = value_symbol("t");
        vec_value(&message.as.vec)[2] = data;
        ok(wire_encode(&b, &message));
        ends[i] = b.size;
    }
    arena_free(&a);
    return b;
}

static u64 read_all(const char *path, u64 *at, bool *torn)
{
    Tplog t;
    Arena a = {0};
    Value v;
    bool more = true;
    ok(tplog_open(&t, path));
    while (more) {
        ok(tplog_next(&t, &a, &v, &more));
        if (!more) break;
        assert_int_equal(v.type, QT_LIST);
        Value table = value_at(&v, 1);
        assert_true(str_is(table.as.text, "t"));
    }
    u64 count = t.count;
    *at = t.at;
    *torn = t.torn;
    ok(tplog_next(&t, &a, &v, &more)); /* the end stays the end */
    assert_true(!more && t.count == count);
    arena_free(&a);
    tplog_close(&t);
    tplog_close(&t);
    return count;
}

static void messages_up_to_every_tear(void **state)
{
    (void)state;
    u64 ends[10], at;
    bool torn;
    Buf b = make(10, ends);
    for (u64 cut = 8; cut <= b.size; cut++) {
        u64 whole = 0;
        while (whole < 10 && ends[whole] <= cut)
            whole++;
        kit_write(kit_path("log"), b.data, cut);
        assert_int_equal(read_all(kit_path("log"), &at, &torn), whole);
        assert_int_equal(at, whole == 0 ? 8 : ends[whole - 1]);
        assert_int_equal(torn, cut != at);
    }
    buf_free(&b);
}

static void a_count_in_the_header_is_not_believed(void **state)
{
    (void)state;
    u64 ends[3], at;
    bool torn;
    Buf b = make(3, ends);
    b.data[4] = 77;
    kit_write(kit_path("counted"), b.data, b.size);
    assert_int_equal(read_all(kit_path("counted"), &at, &torn), 3);
    assert_false(torn);
    buf_free(&b);
}

static void what_follows_a_tear_is_lost(void **state)
{
    (void)state;
    u64 ends[4], at;
    bool torn;
    Buf b = make(4, ends), torn_log = {0};
    ok(buf_append(&torn_log, b.data, ends[1] + 9)); /* the writer died inside of the third */
    ok(buf_append(&torn_log, b.data + ends[2], b.size - ends[2]));
    kit_write(kit_path("torn"), torn_log.data, torn_log.size);
    u64 count = read_all(kit_path("torn"), &at, &torn);
    assert_true(count >= 2 && count < 4 && torn && at >= ends[1]);
    buf_free(&b);
    buf_free(&torn_log);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    Tplog t;
    kit_write(kit_path("a"), "\xff\x01\x00", 3);
    fails(E_CORRUPT, "no log", tplog_open(&t, kit_path("a")));
    kit_write(kit_path("a"), "\xff\x01\x0b\0\0\0\0\0", 8);
    fails(E_CORRUPT, "no log", tplog_open(&t, kit_path("a")));
    fails(E_NOT_FOUND, "", tplog_open(&t, kit_path("absent")));
    kit_write(kit_path("a"), head, 8);
    ok(tplog_open(&t, kit_path("a")));
    tplog_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_up_to_every_tear),
        cmocka_unit_test(a_count_in_the_header_is_not_believed),
        cmocka_unit_test(what_follows_a_tear_is_lost),
        cmocka_unit_test(other_files_are_refused),
    };
    return cmocka_run_group_tests(tests, kit_setup, kit_teardown);
}
