/*
 * server: one port for q IPC and HTTP.
 *
 * An accepted connection waits here until its first bytes tell what it speaks: an HTTP method goes
 * to http.c, a TLS hello is closed, everything else is a q handshake. Few bytes that could still
 * become a method are looked at again a little later. A connection that says nothing within the
 * idle time is closed.
 */
#include "serve/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "os/sock.h"
#include "serve/http.h"
#include "serve/ipc.h"

#define SERVER_ACCEPT_MAX 64 /* connections accepted in one turn */
#define SERVER_AGAIN_MS   5
#define SERVER_FULL_MS    100 /* pause after descriptors ran out */

struct Server {
    Loop *loop;
    ServerOptions options;
    ServerCounts counts;
    int fd;
    u16 port;
    LoopWatch watch;
    LoopTimer full;
    List fresh; /* accepted, not yet known what they speak */
    u32 fresh_count;
    Ipc *ipc;
    Http *http;
    bool closed;
    struct Server *parked; /* the closed one before */
};

/* Closed servers: the turn hook of a loop keeps a pointer as long as the loop lives. */
static Server *parked;

typedef struct {
    List link;
    Server *server;
    int fd;
    bool local;
    i32 left_ms;
    LoopWatch watch;
    LoopTimer timer;
} Fresh;

typedef enum { SPEAKS_UNKNOWN, SPEAKS_HTTP, SPEAKS_Q, SPEAKS_TLS } Speaks;

/* What the first bytes tell. */
static Speaks sniff(const char *bytes, u64 size)
{
    static const char *const methods[] = {"GET ",  "POST ",    "PUT ",  "DELETE ",
                                          "HEAD ", "OPTIONS ", "PATCH "};
    if (size == 0) return SPEAKS_UNKNOWN;
    if (bytes[0] == 0x16) return SPEAKS_TLS;
    for (u32 i = 0; i < COUNT_OF(methods); i++) {
        u64 length = strlen(methods[i]), n = MIN(length, size);
        if (memcmp(bytes, methods[i], n) == 0) return n == length ? SPEAKS_HTTP : SPEAKS_UNKNOWN;
    }
    return SPEAKS_Q;
}

static void fresh_free(Fresh *f)
{
    loop_unwatch(&f->watch);
    loop_timer_stop(&f->timer);
    list_remove(&f->link);
    f->server->fresh_count--;
    free(f);
}

static void look(void *arg, int events);

static void look_again(void *arg)
{
    Fresh *f = arg;
    f->left_ms -= SERVER_AGAIN_MS;
    if (f->left_ms <= 0) {
        sock_close(&f->fd);
        fresh_free(f);
        return;
    }
    look(f, LOOP_READ);
}

static void give_up(void *arg)
{
    Fresh *f = arg;
    sock_close(&f->fd);
    fresh_free(f);
}

static void look(void *arg, int events)
{
    Fresh *f = arg;
    Server *s = f->server;
    char bytes[8];
    u64 got = 0;
    int fd = f->fd;
    bool local = f->local;
    (void)events;
    if (sock_peek(fd, bytes, sizeof bytes, &got) != E_OK) {
        give_up(f);
        return;
    }
    switch (sniff(bytes, got)) {
    case SPEAKS_UNKNOWN:
        if (got == 0) return;
        loop_watch_events(&f->watch, 0); /* the bytes stay readable: do not spin on them */
        loop_timer(s->loop, &f->timer, SERVER_AGAIN_MS, 0, look_again, f);
        return;
    case SPEAKS_TLS: give_up(f); return;
    case SPEAKS_HTTP:
        fresh_free(f);
        http_add(s->http, fd);
        return;
    case SPEAKS_Q:
        fresh_free(f);
        ipc_add(s->ipc, fd, local);
        return;
    }
}

static void on_room(void *arg) { loop_watch_events(&((Server *)arg)->watch, LOOP_READ); }

static void on_accept(void *arg, int events)
{
    Server *s = arg;
    (void)events;
    for (u32 i = 0; i < SERVER_ACCEPT_MAX; i++) {
        int fd = -1;
        bool local = false;
        if (sock_accept(s->fd, &fd, &local) !=
            E_OK) { /* those who wait stay readable: do not spin */
            loop_watch_events(&s->watch, 0);
            loop_timer(s->loop, &s->full, SERVER_FULL_MS, 0, on_room, s);
            return;
        }
        if (fd < 0) return;
        s->counts.accepted++;
        Fresh *f = s->fresh_count >= BOUND_CONNECTIONS_MAX ? NULL : calloc(1, sizeof *f);
        if (f == NULL) {
            s->counts.refused++;
            sock_close(&fd);
            continue;
        }
        f->server = s;
        f->fd = fd;
        f->local = local;
        f->left_ms = s->options.idle_ms == 0 ? 10000 : (i32)s->options.idle_ms;
        list_append(&s->fresh, &f->link);
        s->fresh_count++;
        if (loop_watch(s->loop, &f->watch, fd, LOOP_READ, look, f) != E_OK) {
            give_up(f);
            continue;
        }
        loop_timer(s->loop, &f->timer, (u64)f->left_ms, 0, give_up, f);
    }
}

static void turn(void *arg)
{
    Server *s = arg;
    if (s->closed) return;
    ipc_flush(s->ipc);
    http_turn(s->http);
}

Err server_open(Server **out, Loop *loop, const ServerOptions *o)
{
    Err err = E_OK;
    Server *s = calloc(1, sizeof *s);
    if (s == NULL) return fail(E_MEMORY, "no memory for a server");
    s->loop = loop;
    s->options = *o;
    s->fd = -1;
    list_init(&s->fresh);
    TRY(ipc_make(&s->ipc, s, loop, o, &s->counts));
    TRY(http_make(&s->http, s, loop, o, &s->counts));
    TRY(sock_listen(o->host, o->port, &s->fd, &s->port));
    TRY(loop_watch(loop, &s->watch, s->fd, LOOP_READ, on_accept, s));
    loop_each_turn(loop, turn, s);
    *out = s;
done:
    if (err != E_OK) server_close(s);
    return err;
}

u16 server_port(const Server *s) { return s->port; }

void server_push(Server *s, void *conn, Buf *message) { ipc_push(s->ipc, conn, message); }

const ServerCounts *server_counts(const Server *s) { return &s->counts; }

void server_close(Server *s)
{
    if (s == NULL || s->closed) return;
    s->closed = true;
    loop_unwatch(&s->watch);
    loop_timer_stop(&s->full);
    sock_close(&s->fd);
    for (List *it = s->fresh.next, *next; it != &s->fresh; it = next) {
        next = it->next;
        give_up(LIST_ENTRY(it, Fresh, link));
    }
    ipc_free(s->ipc);
    http_free(s->http);
    s->ipc = NULL;
    s->http = NULL;
    s->parked = parked;
    parked = s;
}
