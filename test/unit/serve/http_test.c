/*
 * http: requests and answers through sockets, errors, bounds, answers that come later.
 */
#include "kit.h"

#define KIT_HTTP_MAX (64u << 10)

static const char LATER[] = "GET /later HTTP/1.1\r\nHost: h\r\n\r\n";

typedef struct {
    int status;
    char head[4096], body[KIT_HTTP_MAX];
    u64 size; /* of the body */
} HttpAnswer;

/* Receives one answer with a Content-Length. */
static Err receive(Kit *k, int fd, HttpAnswer *a)
{
    u64 n = 0, length = 0;
    *a = (HttpAnswer){0};
    while (n < 4 || memcmp(a->head + n - 4, "\r\n\r\n", 4) != 0) {
        assert_true(n + 1 < sizeof a->head);
        Err err = kit_receive(k, fd, a->head + n, 1);
        if (err != E_OK) return err;
        n++;
    }
    assert_int_equal(sscanf(a->head, "HTTP/1.1 %d ", &a->status), 1);
    const char *found = strcasestr(a->head, "content-length: ");
    if (found != NULL) length = strtoull(found + 16, NULL, 10);
    assert_true(length < sizeof a->body);
    a->size = length;
    return kit_receive(k, fd, a->body, length);
}

/* Sends a request on a fresh connection and receives the answer; the connection stays in *fd. */
static HttpAnswer ask(Kit *k, int *fd, const char *request)
{
    HttpAnswer a;
    *fd = kit_connect(k);
    kit_send(k, *fd, request, strlen(request));
    assert_int_equal(receive(k, *fd, &a), E_OK);
    return a;
}

static HttpAnswer ask_once(Kit *k, const char *request)
{
    int fd = -1;
    HttpAnswer a = ask(k, &fd, request);
    sock_close(&fd);
    return a;
}

static void publishes_and_gets(void **state)
{
    (void)state;
    Kit k;
    kit_open(&k, (ServerOptions){0});
    HttpAnswer a =
        ask_once(&k, "POST /v1/publish/trade?x=1&to=a%20b+c%2 HTTP/1.1\r\nHost: h\r\nX-Kind: k1\r\n"
                     "Content-Length: 5\r\n\r\nhello");
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "5\n");
    assert_non_null(strstr(a.head, "application/json"));
    assert_string_equal(kit_state.text, "POST|trade|a b c%2|k1|hello");
    a = ask_once(&k, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na\"b");
    assert_string_equal(a.body, "\"a\\\"b\"\n");
    a = ask_once(&k, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "\"\"\n");
    assert_int_equal(server_counts(k.server)->http_requests, 3);
    kit_close(&k);
}

static void chunked_bodies_and_small_pieces(void **state)
{
    static const char request[] =
        "POST /v1/publish/t HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\n";
    (void)state;
    Kit k;
    HttpAnswer a;
    kit_open(&k, (ServerOptions){0});
    int fd = kit_connect(&k);
    for (u64 i = 0; i + 1 < sizeof request; i++) {
        kit_send(&k, fd, request + i, 1);
        kit_turn(&k, 1);
    }
    assert_int_equal(receive(&k, fd, &a), E_OK);
    assert_int_equal(a.status, 200);
    assert_string_equal(kit_state.text, "POST|t|||abcdefg");
    sock_close(&fd);
    kit_close(&k);
}

static void q_bytes_by_accept(void **state)
{
    (void)state;
    Kit k;
    Arena arena = {0};
    Value v;
    const u8 *body = NULL;
    u64 size = 0;
    u8 kind = 0;
    kit_open(&k, (ServerOptions){0});
    HttpAnswer a = ask_once(
        &k, "POST /v1/publish/t HTTP/1.1\r\nHost: h\r\nAccept: application/octet-stream\r\n"
            "Content-Length: 2\r\n\r\nok");
    assert_int_equal(a.status, 200);
    assert_int_equal(wire_open((u8 *)a.body, a.size, &arena, &body, &size, &kind), E_OK);
    assert_int_equal(wire_decode(body, size, &arena, &v), E_OK);
    assert_true(v.type == -QT_LONG && v.as.i == 2);
    arena_free(&arena);
    kit_close(&k);
}

static void many_requests_on_one_connection(void **state)
{
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi";
    (void)state;
    Kit k;
    HttpAnswer a;
    kit_open(&k, (ServerOptions){0});
    int fd = kit_connect(&k);
    for (int i = 0; i < 3; i++) /* one after another */
    {
        kit_send(&k, fd, request, sizeof request - 1);
        assert_int_equal(receive(&k, fd, &a), E_OK);
        assert_string_equal(a.body, "\"hi\"\n");
    }
    for (int i = 0; i < 3; i++) /* and at once */
        kit_send(&k, fd, request, sizeof request - 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(receive(&k, fd, &a), E_OK);
        assert_string_equal(a.body, "\"hi\"\n");
    }
    assert_int_equal(kit_state.seen, 6);
    sock_close(&fd);
    kit_close(&k);
}

static void errors_have_a_shape_and_a_status(void **state)
{
    (void)state;
    Kit k;
    Arena arena = {0};
    Value v;
    kit_open(&k, (ServerOptions){0});
    HttpAnswer a = ask_once(&k, "GET /bad HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(a.status, 503);
    assert_int_equal(json_parse((Str){a.body, a.size}, &arena, &v), E_OK);
    Str text = {0};
    assert_true(value_text(value_get(&v, "error"), &text) &&
                str_is(text, "wait for the \"next\" one"));
    assert_true(value_text(value_get(&v, "code"), &text) && str_is(text, "busy"));
    assert_true(value_text(value_get(&v, "detail"), &text) && str_is(text, "GET /bad"));
    assert_int_equal(value_get(&v, "retryable")->as.i, 1);
    a = ask_once(&k, "GET /nosuch HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(a.status, 404);
    assert_int_equal(json_parse((Str){a.body, a.size}, &arena, &v), E_OK);
    a = ask_once(&k, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(a.status, 405);
    a = ask_once(&k, "PUT /v1/publish/x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
    assert_int_equal(a.status, 405);
    a = ask_once(
        &k, "POST /v1/publish/ HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"); /* no name behind
                                                                                      it */
    assert_int_equal(a.status, 404);
    arena_free(&arena);
    kit_close(&k);
}

static void bodies_are_bounded(void **state)
{
    (void)state;
    Kit k;
    HttpAnswer a;
    kit_open(&k, (ServerOptions){.body_max = 10});
    a = ask_once(&k, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789");
    assert_int_equal(a.status, 200);
    a = ask_once(&k,
                 "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n"); /* refused before
                                                                                     it came */
    assert_int_equal(a.status, 413);
    a = ask_once(&k, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999\r\n\r\n");
    assert_int_equal(a.status, 413);
    a = ask_once(&k, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n");
    assert_int_equal(a.status, 413);
    assert_int_equal(kit_state.seen, 1);
    kit_close(&k);
}

static void malformed_requests_are_refused(void **state)
{
    static const char *const all[] = {
        "GET /echo\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET  HTTP/9.9\r\n\r\n",
        "GET /echo HTTP/1.1\r\nno colon here\r\n\r\n",
    };
    (void)state;
    Kit k;
    kit_open(&k, (ServerOptions){.idle_ms = 1000});
    int good = kit_q(&k);
    for (u32 i = 0; i < COUNT_OF(all); i++) {
        int fd = kit_connect(&k);
        kit_send(&k, fd, all[i], strlen(all[i]));
        char head[16] = "";
        Err err = kit_receive(&k, fd, head, 12);
        if (err == E_OK) assert_true(head[9] == '4' || head[9] == '5');
        sock_close(&fd);
        assert_int_equal(kit_call_long(&k, good, "echo", i), i);
    }
    assert_int_equal(kit_state.seen, COUNT_OF(all)); /* the echoes of `good` alone */
    sock_close(&good);
    kit_close(&k);
}

static void long_headers_are_refused(void **state)
{
    (void)state;
    Kit k;
    Buf b = {0};
    kit_open(&k, (ServerOptions){.idle_ms = 1000});
    assert_int_equal(buf_text(&b, "GET /bad HTTP/1.1\r\nHost: h\r\n"), E_OK);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(
            buf_format(&b, "X-Long-%d: 0123456789012345678901234567890123456789\r\n", i), E_OK);
    int fd = kit_connect(&k);
    u64 at = 0;
    for (int i = 0; i < 2000 && at < b.size; i++) {
        u64 put = 0;
        if (sock_write(fd, b.data + at, b.size - at, &put) != E_OK) break;
        at += put;
        loop_turn(k.loop, 1);
    }
    char head[13] = "";
    Err err = kit_receive(&k, fd, head, 12);
    assert_true(err == E_CLOSED || head[9] == '4');
    sock_close(&fd);
    buf_free(&b);
    kit_close(&k);
}

static void slow_headers_are_let_go(void **state)
{
    (void)state;
    Kit k;
    kit_open(&k, (ServerOptions){.idle_ms = 1000});
    int fd = kit_connect(&k);
    kit_send(&k, fd, "GET /bad HTTP/1.1\r\nHost:", 24);
    i64 began = now_mono();
    assert_true(kit_is_closed(&k, fd));
    assert_in_range(now_mono() - began, 500000000, 10000000000);
    sock_close(&fd);
    kit_close(&k);
}

static void answers_may_come_later(void **state)
{
    (void)state;
    Kit k;
    HttpAnswer a;
    kit_open(&k, (ServerOptions){0});
    int fd[2];
    for (int i = 0; i < 2; i++) {
        fd[i] = kit_connect(&k);
        kit_send(&k, fd[i], LATER, sizeof LATER - 1);
    }
    kit_wait_later(&k, 2);
    a = ask_once(&k,
                 "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"); /* others go on */
    assert_int_equal(a.status, 200);
    Value v = value_long(1);
    call_value(kit_state.later[1], &v);
    call_fail(kit_state.later[0], fail(E_NOT_FOUND, "nothing"));
    int statuses = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(receive(&k, fd[i], &a), E_OK);
        statuses += a.status;
        sock_close(&fd[i]);
    }
    assert_int_equal(statuses, 200 + 404);
    kit_close(&k);
}

static void own_status_type_and_empty_body(void **state)
{
    (void)state;
    Kit k;
    HttpAnswer a;
    Buf b = {0};
    kit_open(&k, (ServerOptions){0});
    int fd = kit_connect(&k);
    for (int i = 0; i < 2; i++) {
        kit_send(&k, fd, LATER, sizeof LATER - 1);
        kit_wait_later(&k, (u32)i + 1);
        if (i == 0) assert_int_equal(buf_text(&b, "plain"), E_OK);
        call_http(kit_state.later[i], i == 0 ? 202 : 204, "text/plain", &b);
        assert_null(b.data);
        assert_int_equal(receive(&k, fd, &a), E_OK);
        assert_int_equal(a.status, i == 0 ? 202 : 204);
        assert_string_equal(a.body, i == 0 ? "plain" : "");
        assert_non_null(strstr(a.head, "text/plain"));
    }
    sock_close(&fd);
    kit_close(&k);
}

static void peer_that_goes_away_only_loses_its_answer(void **state)
{
    (void)state;
    Kit k;
    kit_open(&k, (ServerOptions){0});
    int fd = kit_connect(&k);
    kit_send(&k, fd, LATER, sizeof LATER - 1);
    kit_wait_later(&k, 1);
    sock_close(&fd);
    kit_turn(&k, 5);
    Value v = value_long(1);
    call_value(kit_state.later[0], &v);
    kit_turn(&k, 5);
    HttpAnswer a = ask_once(&k, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
    assert_int_equal(a.status, 200);
    kit_close(&k);
}

static void stopping_answers_who_waits(void **state)
{
    (void)state;
    Kit k;
    HttpAnswer a;
    kit_open(&k, (ServerOptions){0});
    int fd = kit_connect(&k);
    kit_send(&k, fd, LATER, sizeof LATER - 1);
    kit_wait_later(&k, 1);
    server_close(k.server);
    server_close(k.server); /* once more does nothing */
    assert_null(kit_state.later[0]->conn);
    assert_int_equal(receive(&k, fd, &a), E_OK);
    assert_int_equal(a.status, 503);
    Value v = value_long(1);
    call_value(kit_state.later[0], &v); /* too late, and no harm */
    loop_free(k.loop);
    sock_close(&fd);
}

static void head_and_q_share_the_port(void **state)
{
    (void)state;
    Kit k;
    kit_open(&k, (ServerOptions){0});
    int q = kit_q(&k);
    HttpAnswer a = ask_once(&k, "DELETE /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(a.status, 405);
    assert_int_equal(kit_call_long(&k, q, "echo", 3), 3);
    assert_int_equal(server_counts(k.server)->accepted, 2);
    sock_close(&q);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(publishes_and_gets),
        cmocka_unit_test(chunked_bodies_and_small_pieces),
        cmocka_unit_test(q_bytes_by_accept),
        cmocka_unit_test(many_requests_on_one_connection),
        cmocka_unit_test(errors_have_a_shape_and_a_status),
        cmocka_unit_test(bodies_are_bounded),
        cmocka_unit_test(malformed_requests_are_refused),
        cmocka_unit_test(long_headers_are_refused),
        cmocka_unit_test(slow_headers_are_let_go),
        cmocka_unit_test(answers_may_come_later),
        cmocka_unit_test(own_status_type_and_empty_body),
        cmocka_unit_test(peer_that_goes_away_only_loses_its_answer),
        cmocka_unit_test(stopping_answers_who_waits),
        cmocka_unit_test(head_and_q_share_the_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
