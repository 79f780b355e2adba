/*
 * server: one listening port for q IPC and HTTP: the first bytes of a connection tell which.
 *
 * GET/POST/PUT/DELETE/HEAD/OPTIONS -> http (over libmicrohttpd); anything else is a q handshake
 * (ipc). TLS hellos are closed.
 */
#ifndef SERVE_SERVER_H
#define SERVE_SERVER_H

#include "base/fail.h"
#include "os/loop.h"
#include "serve/api.h" /* Server */

typedef struct {
    const char *host;
    u16 port;            /* 0 = any free one */
    u32 connections_max; /* 0 = BOUND_CONNECTIONS_MAX */
    u64 body_max;        /* bytes of one message or HTTP body; 0 = BOUND_PUBLISH_MAX */
    u32 idle_ms;         /* handshake and first request must come within; 0 = 10000 */
    u32 calls_max;       /* requests of a q connection in flight; 0 = 16384 */
    bool q_only;         /* HTTP answers health, readiness and metrics alone */
    void (*closed)(void *ctx, void *conn); /* a q connection went away (registry) */
    void *ctx;
} ServerOptions;

typedef struct {
    u64 connections, accepted, refused, q_messages, http_requests, bad_messages;
} ServerCounts;

/* Listens; calls are dispatched through api. */
MUST_USE Err server_open(Server **s, Loop *loop, const ServerOptions *o);

/* The port it listens on. */
u16 server_port(const Server *s);

/* Sends an asynchronous message (whole IPC message, memory taken over) to a q connection: news,
 * pushes. Held back while a synchronous request of that connection is unanswered (q-ipc.md 4). */
void server_push(Server *s, void *conn, Buf *message);

/* What happened so far; valid until server_close. */
const ServerCounts *server_counts(const Server *s);

/* Stops listening, answers what can be answered, closes all; NULL is allowed. */
void server_close(Server *s);

#endif
