/*
 * kit: a server with a few small handlers, and clients on sockets, all in one thread.
 *
 * Clients never block: what they wait for is waited for by turning the server's loop.
 */
#ifndef UNIT_SERVE_KIT_H
#define UNIT_SERVE_KIT_H

#include "os/now.h"
#include "os/sock.h"
#include "q/json.h"
#include "q/wire.h"
#include "serve/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#undef fail /* cmocka's; ours is meant here */
#define fail(code, ...) fail_at(code, __FILE__, __LINE__, __VA_ARGS__)

#define KIT_WAIT_MS 20000
#define KIT_LATER   32768

/* What the handlers leave behind. */
typedef struct {
    Call *later[KIT_LATER]; /* calls not answered yet */
    u32 later_count;
    u32 seen, closed;
    void *conn; /* of the last call, or of the last closed connection */
    char text[4096];
} KitState;

static KitState kit_state;

typedef struct {
    Loop *loop;
    Server *server;
    u16 port;
} Kit;

/* The first argument, or the body as text. */
static void kit_on_echo(void *ctx, Call *call)
{
    KitState *s = ctx;
    Value v;
    s->seen++;
    s->conn = call->conn;
    if (call->http) {
        v = value_string((Str){(const char *)call->data, call->data_size});
    } else if (call->arg_count == 0) {
        v = value_null();
    } else if (wire_decode(call->arg_at[0], call->args[0].size, &call->arena, &v) != E_OK) {
        call_fail(call, fail_last());
        return;
    }
    call_value(call, &v);
}

static void kit_on_later(void *ctx, Call *call)
{
    KitState *s = ctx;
    s->seen++;
    s->conn = call->conn;
    if (s->later_count == KIT_LATER) {
        call_fail(call, fail(E_LIMIT, "too many"));
        return;
    }
    s->later[s->later_count++] = call;
}

static void kit_on_fail(void *ctx, Call *call)
{
    (void)ctx;
    call_fail(call, fail(E_BUSY, "wait for the \"next\" one"));
}

/* A vector of so many bytes. */
static void kit_on_big(void *ctx, Call *call)
{
    i64 count = 0;
    Value n, v;
    (void)ctx;
    if (call->arg_count == 1 &&
        wire_decode(call->arg_at[0], call->args[0].size, &call->arena, &n) == E_OK &&
        value_int_of(&n, &count)) {
        v = value_vec(vec_of(QT_BYTE, arena_alloc(&call->arena, (u64)count + 1), (u64)count));
        call_value(call, &v);
    } else {
        call_fail(call, fail(E_USAGE, "a count is expected"));
    }
}

/* Remembers what it was called with: method, rest, parameter, header, body. */
static void kit_on_publish(void *ctx, Call *call)
{
    KitState *s = ctx;
    Str kind = call_header(call, "X-Kind"), to = call_param(call, "to");
    s->seen++;
    snprintf(s->text, sizeof s->text, "%.*s|%.*s|%.*s|%.*s|%.*s", STR_FMT(call->method),
             STR_FMT(call->rest), STR_FMT(to), STR_FMT(kind), (int)call->data_size,
             (const char *)call->data);
    Value v = value_long((i64)call->data_size);
    call_value(call, &v);
}

/* Text that is no call: counted, and answered when it is "known". */
static inline bool kit_on_text(void *ctx, Call *call)
{
    KitState *s = ctx;
    s->seen++;
    if (!str_is(call->name, "known text")) return false;
    Value v = value_symbol("text");
    call_value(call, &v);
    return true;
}

static const ApiEntry KIT_ENTRIES[] = {
    {"echo", "POST", "/echo", kit_on_echo, "gives back what it got"},
    {"later", "GET", "/later", kit_on_later, "is answered by the test"},
    {"bad", "GET", "/bad", kit_on_fail, "fails"},
    {"big", NULL, NULL, kit_on_big, "(n): n bytes"},
    {NULL, "POST", "/v1/publish/", kit_on_publish, "remembers"},
    {0}};

static const ApiEntry KIT_BRIEF[] = {{"brief", NULL, NULL, kit_on_echo, "the same, without a copy"},
                                     {0}};

static inline void kit_on_closed(void *ctx, void *conn)
{
    KitState *s = ctx;
    s->closed++;
    s->conn = conn;
}

static inline void kit_open(Kit *k, ServerOptions o)
{
    static bool added;
    if (!added) {
        api_add(KIT_ENTRIES, &kit_state);
        api_add_brief(KIT_BRIEF, &kit_state);
        added = true;
    }
    memset(&kit_state, 0, sizeof kit_state);
    o.host = "127.0.0.1";
    o.closed = kit_on_closed;
    o.ctx = &kit_state;
    assert_int_equal(loop_make(&k->loop), E_OK);
    assert_int_equal(server_open(&k->server, k->loop, &o), E_OK);
    k->port = server_port(k->server);
    assert_int_not_equal(k->port, 0);
}

static inline void kit_close(Kit *k)
{
    server_close(k->server);
    loop_free(k->loop);
}

/* Turns until so many calls wait for their answer. */
static inline void kit_wait_later(Kit *k, u32 count)
{
    i64 end = now_mono() + KIT_WAIT_MS * 1000000ll;
    while (kit_state.later_count < count) {
        loop_turn(k->loop, 1);
        assert_true(now_mono() < end);
    }
}

static inline void kit_wait_closed(Kit *k)
{
    i64 end = now_mono() + KIT_WAIT_MS * 1000000ll;
    while (kit_state.closed == 0) {
        loop_turn(k->loop, 1);
        assert_true(now_mono() < end);
    }
}

static inline void kit_turn(Kit *k, int turns)
{
    for (int i = 0; i < turns; i++)
        loop_turn(k->loop, 1);
}

static inline int kit_connect(Kit *k)
{
    int fd = -1;
    assert_int_equal(sock_connect("127.0.0.1", k->port, 1000, &fd), E_OK);
    return fd;
}

/* Sends everything, turning the loop while the kernel takes no more. */
static inline void kit_send(Kit *k, int fd, const void *data, u64 size)
{
    const u8 *p = data;
    i64 end = now_mono() + KIT_WAIT_MS * 1000000ll;
    while (size > 0) {
        u64 put = 0;
        assert_int_equal(sock_write(fd, p, size, &put), E_OK);
        if (put == 0) loop_turn(k->loop, 1);
        assert_true(now_mono() < end);
        p += put;
        size -= put;
    }
}

/* Receives exactly `size` bytes; E_CLOSED when the peer closes before. */
static inline Err kit_receive(Kit *k, int fd, void *out, u64 size)
{
    u8 *p = out;
    i64 end = now_mono() + KIT_WAIT_MS * 1000000ll;
    while (size > 0) {
        u64 got = 0;
        Err err = sock_read(fd, p, size, &got);
        if (err != E_OK) return err;
        if (got == 0) loop_turn(k->loop, 1);
        if (now_mono() > end) return fail(E_TIMEOUT, "nothing came");
        p += got;
        size -= got;
    }
    return E_OK;
}

/* Whether the server closes the connection; what still comes is passed over. */
static inline bool kit_is_closed(Kit *k, int fd)
{
    u8 byte;
    Err err = E_OK;
    while (err == E_OK)
        err = kit_receive(k, fd, &byte, 1);
    return err == E_CLOSED;
}

/* Connects and shakes hands as a q client. */
static inline int kit_q(Kit *k)
{
    u8 answer = 0;
    int fd = kit_connect(k);
    kit_send(k, fd, "me:secret\x03", 11);
    assert_int_equal(kit_receive(k, fd, &answer, 1), E_OK);
    assert_int_equal(answer, 3);
    return fd;
}

/* Appends a message that calls `name` with one argument. */
static inline void kit_message(Buf *b, u8 kind, const char *name, Value argument)
{
    Arena a = {0};
    Value list = value_list(&a, 2);
    vec_value(&list.as.vec)[0] = value_symbol(name);
    vec_value(&list.as.vec)[1] = argument;
    assert_int_equal(wire_message(b, kind, &list, 3), E_OK);
    arena_free(&a);
}

/* Receives one response; *v borrows from the arena. */
static inline Err kit_response(Kit *k, int fd, Arena *a, Value *v)
{
    u8 head[WIRE_HEADER];
    WireHeader h;
    const u8 *body = NULL;
    u64 size = 0;
    u8 kind = 0;
    Err err = kit_receive(k, fd, head, sizeof head);
    if (err != E_OK) return err;
    assert_int_equal(wire_header(head, &h), E_OK);
    u8 *message = arena_raw(a, h.size);
    memcpy(message, head, sizeof head);
    err = kit_receive(k, fd, message + WIRE_HEADER, h.size - WIRE_HEADER);
    if (err != E_OK) return err;
    assert_int_equal(wire_open(message, h.size, a, &body, &size, &kind), E_OK);
    assert_int_equal(kind, WIRE_RESPONSE);
    assert_int_equal(wire_decode(body, size, a, v), E_OK);
    return E_OK;
}

/* Calls and expects a long back. */
static inline i64 kit_call_long(Kit *k, int fd, const char *name, i64 n)
{
    Buf b = {0};
    Arena a = {0};
    Value v;
    kit_message(&b, WIRE_SYNC, name, value_long(n));
    kit_send(k, fd, b.data, b.size);
    assert_int_equal(kit_response(k, fd, &a, &v), E_OK);
    assert_int_equal(v.type, -QT_LONG);
    i64 answer = v.as.i;
    buf_free(&b);
    arena_free(&a);
    return answer;
}

#endif
