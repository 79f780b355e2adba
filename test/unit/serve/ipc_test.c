/*
 * ipc: handshakes, messages in any pieces, answers in order, bad peers, bounds.
 */
#include "kit.h"

/* ---- handshake */

static void takes_the_lower_capability(void **state)
{
    static const struct {
        const char *bytes;
        u64 size;
        u8 answer;
    } all[] = {{"me:secret\x03", 11, 3},
               {"me\x06", 4, 6},
               {"\x03", 2, 3},
               {"\x01", 2, 1},
               {"a:b:c\x09", 7, 6}};

    (void)state;
    Kit k;
    kit_open(&k, (ServerOptions){0});
    for (u32 i = 0; i < COUNT_OF(all); i++) {
        u8 answer = 0;
        int fd = kit_connect(&k);
        kit_send(&k, fd, all[i].bytes, all[i].size);
        assert_int_equal(kit_receive(&k, fd, &answer, 1), E_OK);
        assert_int_equal(answer, all[i].answer);
        sock_close(&fd);
    }
    kit_close(&k);
}

static void handshake_comes_in_pieces(void **state)
{
    static const char hello[] = "somebody:with a password\x03";
    (void)state;
    Kit k;
    u8 answer = 0;
    kit_open(&k, (ServerOptions){0});
    int fd = kit_connect(&k);
    for (u64 i = 0; i < sizeof hello; i++) {
        kit_send(&k, fd, hello + i, 1);
        kit_turn(&k, 2);
    }
    assert_int_equal(kit_receive(&k, fd, &answer, 1), E_OK);
    assert_int_equal(answer, 3);
    assert_int_equal(kit_call_long(&k, fd, "echo", 7), 7);
    sock_close(&fd);
    kit_close(&k);
}

static void message_right_behind_handshake(void **state)
{
    (void)state;
    Kit k;
    Buf b = {0};
    Arena a = {0};
    Value v;
    u8 answer = 0;
    kit_open(&k, (ServerOptions){0});
    int fd = kit_connect(&k);
    assert_int_equal(buf_append(&b, "me\x03", 4), E_OK);
    kit_message(&b, WIRE_SYNC, "echo", value_long(5));
    kit_send(&k, fd, b.data, b.size);
    assert_int_equal(kit_receive(&k, fd, &answer, 1), E_OK);
    assert_int_equal(answer, 3);
    assert_int_equal(kit_response(&k, fd, &a, &v), E_OK);
    assert_int_equal(v.as.i, 5);
    sock_close(&fd);
    buf_free(&b);
    arena_free(&a);
    kit_close(&k);
}

static void closes_what_is_no_handshake(void **state)
{
    static const char tls[] = "\x16\x03\x01\x02\x00\x01";
    (void)state;
    Kit k;
    char long_name[3000];
    kit_open(&k, (ServerOptions){0});
    int fd = kit_connect(&k);
    kit_send(&k, fd, tls, sizeof tls);
    assert_true(kit_is_closed(&k, fd));
    sock_close(&fd);
    fd = kit_connect(&k);
    kit_send(&k, fd, "user:password", 14); /* the old text protocol: no capability */
    assert_true(kit_is_closed(&k, fd));
    sock_close(&fd);
    fd = kit_connect(&k);
    memset(long_name, 'x', sizeof long_name);
    kit_send(&k, fd, long_name, sizeof long_name);
    assert_true(kit_is_closed(&k, fd));
    sock_close(&fd);
    kit_close(&k);
}

static void silent_peers_are_let_go(void **state)
{
    static const char *const begins[] = {"", "me:sec", "GE"};
    (void)state;
    Kit k;
    int fd[COUNT_OF(begins)];
    kit_open(&k, (ServerOptions){.idle_ms = 60});
    for (u32 i = 0; i < COUNT_OF(begins); i++) {
        fd[i] = kit_connect(&k);
        kit_send(&k, fd[i], begins[i], strlen(begins[i]));
    }
    int good = kit_q(&k);
    for (u32 i = 0; i < COUNT_OF(begins); i++) {
        assert_true(kit_is_closed(&k, fd[i]));
        sock_close(&fd[i]);
    }
    assert_int_equal(kit_call_long(&k, good, "echo", 1), 1); /* who has shaken hands stays */
    sock_close(&good);
    kit_close(&k);
}

/* ---- messages */

static void answers_values_errors_and_text(void **state)
{
    (void)state;
    Kit k;
    Buf b = {0};
    Arena a = {0};
    Value v;
    kit_open(&k, (ServerOptions){0});
    api_text(kit_on_text, &kit_state);
    int fd = kit_q(&k);
    assert_int_equal(kit_call_long(&k, fd, "echo", -3), -3);
    assert_int_equal(kit_call_long(&k, fd, "brief", 4), 4);
    kit_message(&b, WIRE_SYNC, "bad", value_null());
    kit_message(&b, WIRE_SYNC, "nosuch", value_null());
    Value empty = value_string(STR("")), known = value_string(STR(" known text\n")),
          number = value_int(42);
    assert_int_equal(wire_message(&b, WIRE_SYNC, &empty, 3), E_OK);
    assert_int_equal(wire_message(&b, WIRE_SYNC, &known, 3), E_OK);
    assert_int_equal(wire_message(&b, WIRE_SYNC, &number, 3), E_OK);
    kit_send(&k, fd, b.data, b.size);
    assert_int_equal(kit_response(&k, fd, &a, &v), E_OK);
    assert_int_equal(v.type, QT_ERROR);
    assert_true(str_is(v.as.text, "busy: wait for the \"next\" one"));
    assert_int_equal(kit_response(&k, fd, &a, &v), E_OK);
    assert_int_equal(v.type, QT_ERROR);
    assert_true(str_starts(v.as.text, STR("nyi: nosuch")));
    assert_int_equal(kit_response(&k, fd, &a, &v), E_OK);
    assert_int_equal(v.type, QT_NULL);
    assert_int_equal(kit_response(&k, fd, &a, &v), E_OK);
    assert_true(v.type == -QT_SYMBOL && str_is(v.as.text, "text"));
    assert_int_equal(kit_response(&k, fd, &a, &v), E_OK);
    assert_true(v.type == -QT_INT && v.as.i == 42);
    api_text(NULL, NULL);
    sock_close(&fd);
    buf_free(&b);
    arena_free(&a);
    kit_close(&k);
}

static void asynchronous_calls_get_no_answer(void **state)
{
    (void)state;
    Kit k;
    Buf b = {0};
    kit_open(&k, (ServerOptions){0});
    int fd = kit_q(&k);
    kit_message(&b, WIRE_ASYNC, "echo", value_long(1));
    kit_message(&b, WIRE_ASYNC, "bad", value_long(1));
    kit_message(&b, WIRE_ASYNC, "nosuch", value_long(1));
    kit_send(&k, fd, b.data, b.size);
    assert_int_equal(kit_call_long(&k, fd, "echo", 2),
                     2); /* the first answer is the first sync call's */
    assert_int_equal(kit_state.seen, 2);
    sock_close(&fd);
    buf_free(&b);
    kit_close(&k);
}

static void message_comes_byte_by_byte(void **state)
{
    (void)state;
    Kit k;
    Buf b = {0};
    Arena a = {0};
    Value v;
    kit_open(&k, (ServerOptions){0});
    int fd = kit_q(&k);
    kit_message(&b, WIRE_SYNC, "echo", value_string(STR("slowly")));
    for (u64 i = 0; i < b.size; i++) {
        kit_send(&k, fd, b.data + i, 1);
        kit_turn(&k, 1);
    }
    assert_int_equal(kit_response(&k, fd, &a, &v), E_OK);
    Str text = {0};
    assert_true(value_text(&v, &text) && str_is(text, "slowly"));
    sock_close(&fd);
    buf_free(&b);
    arena_free(&a);
    kit_close(&k);
}

static void many_in_one_write_are_answered_in_order(void **state)
{
    enum { COUNT = 500 };

    (void)state;
    Kit k;
    Buf b = {0};
    Arena a = {0};
    Value v;
    kit_open(&k, (ServerOptions){0});
    int fd = kit_q(&k);
    for (i64 i = 0; i < COUNT; i++)
        kit_message(&b, WIRE_SYNC, i % 2 == 0 ? "echo" : "brief", value_long(i));
    kit_send(&k, fd, b.data, b.size);
    for (i64 i = 0; i < COUNT; i++) {
        assert_int_equal(kit_response(&k, fd, &a, &v), E_OK);
        assert_int_equal(v.as.i, i);
    }
    sock_close(&fd);
    buf_free(&b);
    arena_free(&a);
    kit_close(&k);
}

static void late_answers_keep_the_order(void **state)
{
    (void)state;
    Kit k;
    Buf b = {0};
    Arena a = {0};
    Value v;
    kit_open(&k, (ServerOptions){0});
    int fd = kit_q(&k);
    kit_message(&b, WIRE_SYNC, "later", value_long(0));
    kit_message(&b, WIRE_SYNC, "echo", value_long(1));
    kit_message(&b, WIRE_SYNC, "later", value_long(2));
    kit_message(&b, WIRE_SYNC, "echo", value_long(3));
    kit_send(&k, fd, b.data, b.size);
    kit_wait_later(&k, 2);
    kit_turn(&k, 3);
    u8 byte;
    u64 got = 0;
    assert_int_equal(sock_read(fd, &byte, 1, &got), E_OK);
    assert_int_equal(got, 0); /* nothing before the first one is answered */
    v = value_long(2);
    call_value(kit_state.later[1], &v);
    v = value_long(0);
    call_value(kit_state.later[0], &v);
    for (i64 i = 0; i < 4; i++) {
        assert_int_equal(kit_response(&k, fd, &a, &v), E_OK);
        assert_int_equal(v.as.i, i);
    }
    sock_close(&fd);
    buf_free(&b);
    arena_free(&a);
    kit_close(&k);
}

static void ready_message_is_sent_as_it_is(void **state)
{
    (void)state;
    Kit k;
    Buf b = {0}, answer = {0};
    Arena a = {0};
    Value v;
    kit_open(&k, (ServerOptions){0});
    int fd = kit_q(&k);
    kit_message(&b, WIRE_SYNC, "later", value_long(0));
    kit_send(&k, fd, b.data, b.size);
    kit_wait_later(&k, 1);
    v = value_symbol("whole");
    assert_int_equal(wire_message(&answer, WIRE_RESPONSE, &v, 3), E_OK);
    call_message(kit_state.later[0], &answer);
    assert_null(answer.data);
    assert_int_equal(kit_response(&k, fd, &a, &v), E_OK);
    assert_true(str_is(v.as.text, "whole"));
    sock_close(&fd);
    buf_free(&b);
    arena_free(&a);
    kit_close(&k);
}

static void pushes_wait_for_the_answer(void **state)
{
    (void)state;
    Kit k;
    Buf b = {0}, push = {0};
    u8 head[WIRE_HEADER];
    Value v = value_symbol("news");
    kit_open(&k, (ServerOptions){0});
    int fd = kit_q(&k);
    kit_message(&b, WIRE_SYNC, "later", value_long(0));
    kit_send(&k, fd, b.data, b.size);
    kit_wait_later(&k, 1);
    assert_int_equal(wire_message(&push, WIRE_ASYNC, &v, 3), E_OK);
    u64 push_size = push.size;
    server_push(k.server, kit_state.conn, &push);
    kit_turn(&k, 3);
    v = value_long(9);
    call_value(kit_state.later[0], &v);
    assert_int_equal(kit_receive(&k, fd, head, sizeof head), E_OK);
    assert_int_equal(head[1], WIRE_RESPONSE);
    assert_int_equal(load_u32(head + 4), 17);
    u8 rest[64];
    assert_int_equal(kit_receive(&k, fd, rest, 9), E_OK);
    assert_int_equal(kit_receive(&k, fd, head, sizeof head), E_OK);
    assert_int_equal(head[1], WIRE_ASYNC);
    assert_int_equal(load_u32(head + 4), push_size);
    assert_int_equal(kit_receive(&k, fd, rest, push_size - WIRE_HEADER), E_OK);
    sock_close(&fd);
    buf_free(&b);
    kit_close(&k);
}

static void takes_compressed_and_swapped_messages(void **state)
{
    (void)state;
    Kit k;
    Buf b = {0};
    Arena a = {0};
    Value v;
    u8 packed[20000];
    u64 size = 0;
    kit_open(&k, (ServerOptions){0});
    int fd = kit_q(&k);
    u8 *zeros = arena_alloc(&a, 10000);
    kit_message(&b, WIRE_SYNC, "echo", value_vec(vec_of(QT_BYTE, zeros, 10000)));
    wire_compress(b.data, b.size, packed, &size);
    assert_true(size > 0 && size < b.size);
    kit_send(&k, fd, packed, size);
    assert_int_equal(kit_response(&k, fd, &a, &v), E_OK);
    assert_int_equal(value_count(&v), 10000);
    /* (`echo; 7i) from a big-endian machine */
    static const u8 swapped[] = {0, 1,    0,   0,   0,   0,   0, 25,   0, 0, 0, 0, 0,
                                 2, 0xf5, 'e', 'c', 'h', 'o', 0, 0xfa, 0, 0, 0, 7};
    kit_send(&k, fd, swapped, sizeof swapped);
    assert_int_equal(kit_response(&k, fd, &a, &v), E_OK);
    assert_true(v.type == -QT_INT && v.as.i == 7);
    sock_close(&fd);
    buf_free(&b);
    arena_free(&a);
    kit_close(&k);
}

/* ---- bad peers */

static void malformed_messages_close_the_connection(void **state)
{
    static const struct {
        u8 bytes[16];
        u64 size;
    } all[] = {
        {{2, 1, 0, 0, 16, 0, 0, 0}, 8},               /* byte order */
        {{1, 3, 0, 0, 16, 0, 0, 0}, 8},               /* kind */
        {{1, 1, 0, 0, 7, 0, 0, 0}, 8},                /* shorter than its header */
        {{1, 1, 0, 0, 0xff, 0xff, 0xff, 0xff}, 8},    /* 4 GiB */
        {{1, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff}, 8}, /* 1 TiB */
        {{1, 2, 0, 0, 10, 0, 0, 0, 0x65, 0}, 10},     /* an answer nobody asked for */
        {{1, 1, 0, 0, 10, 0, 0, 0, 7, 0}, 10},        /* a vector without a count */
        {{1, 1, 0, 0, 14, 0, 0, 0, 7, 0, 0xff, 0xff, 0xff, 0x7f}, 14}, /* of 16 GiB */
        {{1, 1, 1, 0, 14, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0, 0}, 14}, /* compressed, of 2 GiB */
        {{1, 1, 0, 0, 8, 0, 0, 0}, 8},                                 /* nothing in it */
    };

    (void)state;
    Kit k;
    kit_open(&k, (ServerOptions){0});
    int good = kit_q(&k);
    for (u32 i = 0; i < COUNT_OF(all); i++) {
        int fd = kit_q(&k);
        kit_send(&k, fd, all[i].bytes, all[i].size);
        assert_true(kit_is_closed(&k, fd));
        sock_close(&fd);
        assert_int_equal(kit_call_long(&k, good, "echo", i), i); /* the others do not notice */
    }
    assert_int_equal(server_counts(k.server)->bad_messages, COUNT_OF(all));
    sock_close(&good);
    kit_close(&k);
}

static void messages_beyond_the_bound_close_the_connection(void **state)
{
    (void)state;
    Kit k;
    Buf b = {0};
    u8 bytes[2000] = {0};
    kit_open(&k, (ServerOptions){.body_max = 1000});
    int fd = kit_q(&k);
    kit_message(&b, WIRE_SYNC, "echo", value_vec(vec_of(QT_BYTE, bytes, 2000)));
    kit_send(&k, fd, b.data, b.size);
    assert_true(kit_is_closed(&k, fd));
    sock_close(&fd);
    buf_free(&b);
    kit_close(&k);
}

static void answers_before_a_bad_message_are_sent(void **state)
{
    (void)state;
    Kit k;
    Buf b = {0};
    Arena a = {0};
    Value v;
    kit_open(&k, (ServerOptions){0});
    int fd = kit_q(&k);
    kit_message(&b, WIRE_SYNC, "echo", value_long(11));
    assert_int_equal(buf_append(&b, "\x01\x07rubbish", 9), E_OK);
    kit_send(&k, fd, b.data, b.size);
    assert_int_equal(kit_response(&k, fd, &a, &v), E_OK);
    assert_int_equal(v.as.i, 11);
    assert_true(kit_is_closed(&k, fd));
    sock_close(&fd);
    buf_free(&b);
    arena_free(&a);
    kit_close(&k);
}

static void calls_with_too_many_arguments_fail(void **state)
{
    (void)state;
    Kit k;
    Buf b = {0};
    Arena a = {0};
    Value v;
    kit_open(&k, (ServerOptions){0});
    int fd = kit_q(&k);
    Value list = value_list(&a, API_ARGS_MAX + 2);
    vec_value(&list.as.vec)[0] = value_symbol("echo");
    assert_int_equal(wire_message(&b, WIRE_SYNC, &list, 3), E_OK);
    Value no_name = value_list(&a, 2);
    vec_value(&no_name.as.vec)[0] = value_list(&a, 0);
    assert_int_equal(wire_message(&b, WIRE_SYNC, &no_name, 3), E_OK);
    kit_send(&k, fd, b.data, b.size);
    assert_int_equal(kit_response(&k, fd, &a, &v), E_OK);
    assert_true(v.type == QT_ERROR && str_starts(v.as.text, STR("limit: ")));
    assert_int_equal(kit_response(&k, fd, &a, &v), E_OK);
    assert_true(v.type == QT_ERROR && str_starts(v.as.text, STR("nyi: ")));
    sock_close(&fd);
    buf_free(&b);
    arena_free(&a);
    kit_close(&k);
}

static void peer_that_goes_away_only_loses_its_answer(void **state)
{
    (void)state;
    Kit k;
    Buf b = {0};
    kit_open(&k, (ServerOptions){0});
    int fd = kit_q(&k), good = kit_q(&k);
    kit_message(&b, WIRE_SYNC, "later", value_long(0));
    kit_message(&b, WIRE_SYNC, "later", value_long(1));
    kit_send(&k, fd, b.data, b.size);
    kit_wait_later(&k, 2);
    void *conn = kit_state.conn;
    Value v = value_long(1);
    call_value(kit_state.later[1], &v); /* ready, but not its turn */
    sock_close(&fd);
    kit_wait_closed(&k);
    assert_ptr_equal(kit_state.conn, conn);
    assert_null(kit_state.later[0]->conn);
    call_fail(kit_state.later[0], fail(E_BUSY, "too late"));
    assert_int_equal(kit_call_long(&k, good, "echo", 5), 5);
    sock_close(&good);
    buf_free(&b);
    kit_close(&k);
}

static void call_may_outlive_its_server(void **state)
{
    (void)state;
    Kit k;
    Buf b = {0};
    kit_open(&k, (ServerOptions){0});
    int fd = kit_q(&k);
    kit_message(&b, WIRE_SYNC, "later", value_long(0));
    kit_send(&k, fd, b.data, b.size);
    kit_wait_later(&k, 1);
    server_close(k.server);
    Value v = value_long(0);
    call_value(kit_state.later[0], &v);
    loop_free(k.loop);
    sock_close(&fd);
    buf_free(&b);
}

/* A peer that asks and never reads is not read from any more; the others go on. */
static void peer_that_never_reads_is_paused(void **state)
{
    enum { PIECE = 1 << 20, CALLS = 100 };

    (void)state;
    Kit k;
    Buf b = {0};
    kit_open(&k, (ServerOptions){.idle_ms = 100});
    int lazy = kit_q(&k), good = kit_q(&k);
    for (int i = 0; i < CALLS; i++) {
        kit_message(&b, WIRE_SYNC, "big", value_long(PIECE));
        kit_send(&k, lazy, b.data, b.size);
        buf_clear(&b);
        kit_turn(&k, 1);
    }
    kit_turn(&k, 50);
    assert_in_range(server_counts(k.server)->q_messages, 2,
                    60); /* of 100: some 32 MiB, and what the kernel holds */
    assert_int_equal(kit_call_long(&k, good, "echo", 1), 1);
    Arena a = {0};
    Value v;
    for (int i = 0; i < CALLS; i++) { /* now it reads: nothing was lost */
        assert_int_equal(kit_response(&k, lazy, &a, &v), E_OK);
        assert_int_equal(value_count(&v), PIECE);
        arena_reset(&a);
    }
    arena_free(&a);
    sock_close(&lazy);
    sock_close(&good);
    buf_free(&b);
    kit_close(&k);
}

/* The same, and then it breaks the rules: it is closed after the idle time, read or not. */
static void peer_that_never_reads_and_errs_is_closed(void **state)
{
    (void)state;
    Kit k;
    Buf b = {0};
    kit_open(&k, (ServerOptions){.idle_ms = 100});
    int fd = kit_q(&k);
    kit_message(&b, WIRE_SYNC, "big", value_long(16 << 20));
    assert_int_equal(buf_append(&b, "\x01\x09rubbish and more of it", 24), E_OK);
    kit_send(&k, fd, b.data, b.size);
    i64 end = now_mono() + KIT_WAIT_MS * 1000000ll;
    int turns = 0;
    while (kit_state.closed == 0 && now_mono() < end) {
        loop_turn(k.loop, 50);
        turns++;
    }
    assert_int_equal(kit_state.closed, 1);
    assert_true(turns < 1000); /* it slept meanwhile */
    sock_close(&fd);
    buf_free(&b);
    kit_close(&k);
}

/* More calls in flight than a connection may have: the rest waits in the kernel, and is taken
 * later. */
static void calls_in_flight_are_bounded(void **state)
{
    enum { COUNT = 20000 };

    (void)state;
    Kit k;
    Buf b = {0};
    Arena a = {0};
    Value v;
    kit_open(&k, (ServerOptions){0});
    int fd = kit_q(&k);
    for (i64 i = 0; i < COUNT; i++)
        kit_message(&b, WIRE_SYNC, "later", value_long(i));
    u64 at = 0;
    i64 end = now_mono() + KIT_WAIT_MS * 1000000ll;
    for (int more = 0; more < 50 && now_mono() < end; more += kit_state.later_count >= 16384) {
        u64 put = 0;
        assert_int_equal(sock_write(fd, b.data + at, b.size - at, &put), E_OK);
        at += put;
        kit_turn(&k, 1);
    }
    assert_int_equal(kit_state.later_count, 16384);
    u32 answered = 0;
    while (answered < COUNT && now_mono() < end) {
        u64 put = 0;
        for (u32 n = kit_state.later_count; answered < n; answered++) {
            v = value_long(answered);
            call_value(kit_state.later[answered], &v);
        }
        assert_int_equal(sock_write(fd, b.data + at, b.size - at, &put), E_OK);
        at += put;
        kit_turn(&k, 1);
    }
    for (i64 i = 0; i < COUNT; i++) {
        assert_int_equal(kit_response(&k, fd, &a, &v), E_OK);
        assert_int_equal(v.as.i, i);
    }
    assert_int_equal(kit_state.later_count, COUNT);
    sock_close(&fd);
    buf_free(&b);
    arena_free(&a);
    kit_close(&k);
}

static void connections_are_bounded(void **state)
{
    (void)state;
    Kit k;
    kit_open(&k, (ServerOptions){.connections_max = 2});
    int a = kit_q(&k), b = kit_q(&k);
    int c = kit_connect(&k);
    kit_send(&k, c, "me\x03", 4);
    assert_true(kit_is_closed(&k, c));
    sock_close(&c);
    assert_int_equal(server_counts(k.server)->refused, 1);
    sock_close(&a);
    kit_wait_closed(&k);
    c = kit_q(&k); /* there is room again */
    assert_int_equal(kit_call_long(&k, c, "echo", 1), 1);
    sock_close(&b);
    sock_close(&c);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_lower_capability),
        cmocka_unit_test(handshake_comes_in_pieces),
        cmocka_unit_test(message_right_behind_handshake),
        cmocka_unit_test(closes_what_is_no_handshake),
        cmocka_unit_test(silent_peers_are_let_go),
        cmocka_unit_test(answers_values_errors_and_text),
        cmocka_unit_test(asynchronous_calls_get_no_answer),
        cmocka_unit_test(message_comes_byte_by_byte),
        cmocka_unit_test(many_in_one_write_are_answered_in_order),
        cmocka_unit_test(late_answers_keep_the_order),
        cmocka_unit_test(ready_message_is_sent_as_it_is),
        cmocka_unit_test(pushes_wait_for_the_answer),
        cmocka_unit_test(takes_compressed_and_swapped_messages),
        cmocka_unit_test(malformed_messages_close_the_connection),
        cmocka_unit_test(messages_beyond_the_bound_close_the_connection),
        cmocka_unit_test(answers_before_a_bad_message_are_sent),
        cmocka_unit_test(calls_with_too_many_arguments_fail),
        cmocka_unit_test(peer_that_goes_away_only_loses_its_answer),
        cmocka_unit_test(call_may_outlive_its_server),
        cmocka_unit_test(peer_that_never_reads_is_paused),
        cmocka_unit_test(peer_that_never_reads_and_errs_is_closed),
        cmocka_unit_test(calls_in_flight_are_bounded),
        cmocka_unit_test(connections_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
