/*
 * ports: see ports.h. Delivery: client_send -> event in the loop of the server's process -> handler
 * -> answer kept -> end of the turn: delivered, in the order of the line's requests -> the client's
 * fiber is poked.
 */
#include "ports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/worker.h"
#include "loops.h"
#include "serve/client.h"
#include "serve/metric.h"
#include "serve/server.h"

#define PORTS_MAX  65536
#define CAPABILITY 6

struct Server {
    List link;
    Process *process;
    Loop *loop;
    ServerOptions options;
    ServerCounts counts;
};

struct Line {
    Process *client; /* NULL: the simulation itself */
    Server *server;
    bool open;
    Fiber *waiting;
    List requests; /* not yet received by the client */
};

struct PortsRequest {
    List link;
    Line *line;
    Buf message, answer;
    Call *call;
    bool answered, delivered, lost;
};

/* The calls of one process. */
typedef struct {
    const ApiEntry *entries[256];
    void *ctx[256];
    u32 count;
    bool (*text)(void *ctx, Call *call);
    void *text_ctx;
} Api;

static List servers = {&servers, &servers};
static Line *lines[PORTS_MAX];
static u32 line_count;

FibersMain ports_worker_main(void) { return worker_main; }

static void *make(u64 size)
{
    void *p = calloc(1, size);
    if (p == NULL) abort();
    return p;
}

/* ---- the table of calls */

static Api *api_of(Process *p)
{
    if (p->api == NULL) p->api = make(sizeof(Api));
    return p->api;
}

void api_add(const ApiEntry *entries, void *ctx)
{
    Api *api = api_of(fibers_process());
    for (const ApiEntry *e = entries; e->name != NULL || e->path != NULL; e++) {
        ASSERT(api->count < COUNT_OF(api->entries));
        api->entries[api->count] = e;
        api->ctx[api->count++] = ctx;
    }
}

void api_add_brief(const ApiEntry *entries, void *ctx) { api_add(entries, ctx); }

bool api_is_brief(const ApiEntry *entry)
{
    (void)entry;
    return false;
}

void api_text(bool (*handler)(void *ctx, Call *call), void *ctx)
{
    Api *api = api_of(fibers_process());
    api->text = handler;
    api->text_ctx = ctx;
}

/* ---- servers */

static Server *listening(u16 port)
{
    LIST_EACH(it, &servers)
    {
        Server *s = LIST_ENTRY(it, Server, link);
        if (s->process->alive && s->options.port == port) return s;
    }
    return NULL;
}

bool ports_listens(u16 port) { return listening(port) != NULL; }

/* Gives out what is answered, in the order of a line's requests. */
static void deliver(Line *l)
{
    bool any = false;
    if (!l->open) return;
    LIST_EACH(it, &l->requests)
    {
        PortsRequest *r = LIST_ENTRY(it, PortsRequest, link);
        if (r->delivered) continue;
        if (!r->answered) break;
        r->delivered = any = true;
    }
    if (any) fibers_poke(l->waiting);
}

static void turn(void *arg)
{
    Server *s = arg;
    for (u32 i = 0; i < line_count; i++)
        if (lines[i]->server == s) deliver(lines[i]);
}

Err server_open(Server **out, Loop *loop, const ServerOptions *o)
{
    ASSERT(listening(o->port) == NULL);
    Server *s = make(sizeof *s);
    s->process = loops_process(loop);
    s->loop = loop;
    s->options = *o;
    list_append(&servers, &s->link);
    loop_each_turn(loop, turn, s);
    *out = s;
    return E_OK;
}

u16 server_port(const Server *s) { return s->options.port; }

const ServerCounts *server_counts(const Server *s) { return &s->counts; }

void server_push(Server *s, void *conn, Buf *message)
{
    (void)s;
    (void)conn; /* the simulation's clients listen to no news */
    buf_free(message);
}

/* Closes one line from either side. */
static void close_line(Line *l)
{
    if (!l->open) return;
    l->open = false;
    LIST_EACH(it, &l->requests)
    {
        PortsRequest *r = LIST_ENTRY(it, PortsRequest, link);
        if (!r->delivered) r->lost = true;
        if (r->call != NULL) r->call->conn = NULL;
    }
    fibers_poke(l->waiting);
}

void server_close(Server *s)
{
    if (s == NULL) return;
    turn(s);
    for (u32 i = 0; i < line_count; i++)
        if (lines[i]->server == s) close_line(lines[i]);
    list_remove(&s->link);
}

static void tell_closed(void *arg)
{
    Line *l = arg;
    LIST_EACH(it, &l->requests)
    {
        const PortsRequest *r = LIST_ENTRY(it, PortsRequest, link);
        if (r->call != NULL) r->call->conn = NULL;
    }
    if (l->server->options.closed != NULL) l->server->options.closed(l->server->options.ctx, l);
}

void ports_process_gone(Process *p)
{
    for (List *it = servers.next, *next; it != &servers; it = next) {
        next = it->next;
        Server *s = LIST_ENTRY(it, Server, link);
        if (s->process == p) list_remove(&s->link);
    }
    for (u32 i = 0; i < line_count; i++) {
        Line *l = lines[i];
        if (l->client == p) l->waiting = NULL;
        if (l->client != p && l->server->process != p) continue;
        if (l->open && l->client == p && l->server->process->loop != NULL)
            loops_post(l->server->loop, tell_closed, l);
        close_line(l);
    }
}

/* ---- requests at the server */

static void parse(Call *call)
{
    Err err = E_OK;
    WireObject o, first;
    TRY(wire_object(call->body, call->size, false, &o));
    if (o.type == QT_LIST) {
        const u8 *next = o.data;
        TRY(wire_object(next, (u64)(call->body + call->size - next), true, &first));
        next += first.size;
        for (u64 i = 1; i < o.count; i++) {
            WireObject *arg = &call->args[call->arg_count];
            call->arg_at[call->arg_count] = next;
            TRY(wire_object(next, (u64)(call->body + call->size - next), true, arg));
            next += arg->size;
            call->arg_count++;
        }
        o = first;
    }
    ASSERT(o.type == -QT_SYMBOL || o.type == QT_CHAR);
    call->name = o.type == QT_CHAR ? (Str){(const char *)o.data, o.count}
                                   : (Str){(const char *)o.data, o.size - 2};
    if (call->arg_count == 1 && call->args[0].type == QT_NULL) call->arg_count = 0;
done:
    ASSERT(err == E_OK);
}

static void dispatch(void *arg)
{
    PortsRequest *r = arg;
    Server *s = r->line->server;
    const Api *api = api_of(s->process);
    if (!r->line->open && fibers_random(2) == 0) return; /* its bytes were never read */
    Call *call = make(sizeof *call);
    u8 kind = 0;
    list_init(&call->link);
    call->server = s;
    call->conn = r->line; /* what was sent before a close is read before it */
    call->sync = true;
    call->capability = CAPABILITY;
    Err err =
        wire_open(r->message.data, r->message.size, &call->arena, &call->body, &call->size, &kind);
    ASSERT(err == E_OK);
    r->call = call;
    call->rest = (Str){(const char *)r, sizeof *r}; /* the way back; free in q calls */
    parse(call);
    for (u32 i = 0; i < api->count; i++) {
        const char *name = api->entries[i]->name;
        if (name == NULL || !str_is(call->name, name)) continue;
        api->entries[i]->handler(api->ctx[i], call);
        return;
    }
    if (api->text == NULL || !api->text(api->text_ctx, call))
        call_fail(call, fail(E_UNSUPPORTED, "no such function"));
}

/* Takes a call's answer; the memory of the message is taken over. */
static void answered(Call *c, Buf *message)
{
    PortsRequest *r = (PortsRequest *)(void *)(uintptr_t)c->rest.data;
    ASSERT(!c->done && r->call == c);
    r->answer = *message;
    *message = (Buf){0};
    r->answered = true;
    r->call = NULL;
    c->done = true;
    fibers_changed();
    loop_again(r->line->server->loop);
    arena_free(&c->arena);
    free(c);
}

void call_value(Call *c, const Value *v)
{
    Buf b = {0};
    Err err = wire_message(&b, WIRE_RESPONSE, v, CAPABILITY);
    ASSERT(err == E_OK);
    answered(c, &b);
}

void call_fail(Call *c, Err err)
{
    Buf b = {0};
    char text[FAIL_TEXT_MAX + 64];
    snprintf(text, sizeof text, "%s: %s", fail_signal(err), fail_text());
    if (wire_error(&b, text) != E_OK) abort();
    answered(c, &b);
}

void call_message(Call *c, Buf *b) { answered(c, b); }

void call_http(Call *c, int status, const char *content_type, Buf *b)
{
    (void)c;
    (void)status;
    (void)content_type;
    (void)b;
    abort();
}

Str call_header(const Call *c, const char *name)
{
    (void)c;
    (void)name;
    return (Str){NULL, 0};
}

Str call_param(Call *c, const char *name)
{
    (void)c;
    (void)name;
    return (Str){NULL, 0};
}

bool call_wants_q(const Call *c)
{
    (void)c;
    return true;
}

u64 call_unread(const Call *c)
{
    (void)c;
    return 0;
}

/* ---- clients */

static Line *connect_to(Process *client, u16 port)
{
    Server *s = listening(port);
    if (s == NULL) return NULL;
    ASSERT(line_count < PORTS_MAX);
    Line *l = lines[line_count++] = make(sizeof *l);
    l->client = client;
    l->server = s;
    l->open = true;
    list_init(&l->requests);
    return l;
}

static PortsRequest *send_message(Line *l, const Buf *message)
{
    PortsRequest *r = make(sizeof *r);
    r->line = l;
    r->lost = !l->open;
    if (buf_append(&r->message, message->data, message->size) != E_OK) abort();
    list_append(&l->requests, &r->link);
    if (l->open) loops_post(l->server->loop, dispatch, r);
    return r;
}

static Err read_answer(const PortsRequest *r, Arena *a, Value *v)
{
    Err err = E_OK;
    const u8 *body = NULL;
    u64 size = 0;
    u8 kind = 0;
    u8 *copy = arena_alloc(a, r->answer.size);
    memcpy(copy, r->answer.data, r->answer.size);
    TRY(wire_open(copy, r->answer.size, a, &body, &size, &kind));
    TRY(wire_decode(body, size, a, v));
    for (int code = E_OK + 1; v->type == QT_ERROR && code < E_COUNT; code++) {
        Str signal = str_of(fail_signal((Err)code));
        if (!str_starts(v->as.text, signal) || v->as.text.data[signal.size] != ':') continue;
        TRY(fail((Err)code, "%.*s", (int)(v->as.text.size - signal.size - 2),
                 v->as.text.data + signal.size + 2));
    }
    ASSERT(v->type != QT_ERROR);
done:
    return err;
}

Err client_open(Client *c, const char *host, u16 port, u32 timeout_ms)
{
    (void)host;
    *c = (Client){.fd = -1, .capability = CAPABILITY, .timeout_ms = timeout_ms};
    fibers_pause();
    if (connect_to(fibers_process(), port) == NULL)
        return fail(E_CLOSED, "port %u: connection refused", port);
    c->fd = (int)line_count - 1;
    return E_OK;
}

Err client_send(Client *c, const Buf *message)
{
    if (c->fd < 0 || !lines[c->fd]->open) return fail(E_CLOSED, "the connection is closed");
    send_message(lines[c->fd], message);
    fibers_changed();
    return E_OK;
}

Err client_receive(Client *c, Arena *a, Value *response)
{
    if (c->fd < 0) return fail(E_CLOSED, "the connection is closed");
    Line *l = lines[c->fd];
    if (list_empty(&l->requests)) return fail(E_CLOSED, "nothing was asked");
    PortsRequest *r = LIST_ENTRY(l->requests.next, PortsRequest, link);
    l->waiting = fibers_self();
    while (!r->delivered && !r->lost)
        fibers_wait(INT64_MAX, false, INT64_MAX);
    l->waiting = NULL;
    list_remove(&r->link);
    if (!r->delivered) {
        client_close(c);
        return fail(E_CLOSED, "connection closed by the peer");
    }
    Err err = read_answer(r, a, response);
    buf_free(&r->answer);
    buf_free(&r->message);
    free(r);
    return err;
}

Err client_call(Client *c, const Value *request, Arena *a, Value *response)
{
    Err err = E_OK;
    Buf b = {0};
    TRY(wire_message(&b, WIRE_SYNC, request, CAPABILITY));
    TRY(client_send(c, &b));
    TRY(client_receive(c, a, response));
done:
    buf_free(&b);
    return err;
}

void client_close(Client *c)
{
    if (c->fd >= 0 && lines[c->fd]->open) {
        Line *l = lines[c->fd];
        close_line(l);
        if (l->server->process->loop != NULL) loops_post(l->server->loop, tell_closed, l);
    }
    c->fd = -1;
}

Line *ports_connect(u16 port) { return connect_to(NULL, port); }

void ports_hang_up(Line *l)
{
    if (!l->open) return;
    close_line(l);
    if (l->server->process->loop != NULL) loops_post(l->server->loop, tell_closed, l);
}

bool ports_open(const Line *l) { return l->open; }

PortsRequest *ports_ask(Line *l, const Value *request)
{
    Buf b = {0};
    if (wire_message(&b, WIRE_SYNC, request, CAPABILITY) != E_OK) abort();
    PortsRequest *r = send_message(l, &b);
    buf_free(&b);
    return r;
}

PortsState ports_state(const PortsRequest *r)
{
    return r->delivered ? PORTS_ANSWERED : r->lost ? PORTS_LOST : PORTS_WAITING;
}

Err ports_answer(const PortsRequest *r, Arena *a, Value *v)
{
    ASSERT(r->delivered);
    return read_answer(r, a, v);
}

/* ---- metrics: nobody looks at them here */

struct Metric {
    int unused;
};

Metric *metric_get(MetricKind kind, const char *name, const char *labels, const char *help)
{
    static Metric one;
    (void)kind;
    (void)name;
    (void)labels;
    (void)help;
    return &one;
}

void metric_add(Metric *m, f64 by)
{
    (void)m;
    (void)by;
}

void metric_set(Metric *m, f64 value)
{
    (void)m;
    (void)value;
}

void metric_collect(void (*collect)(void *arg), void *arg)
{
    (void)collect;
    (void)arg;
}

Err metric_write(Buf *out)
{
    (void)out;
    return E_OK;
}
