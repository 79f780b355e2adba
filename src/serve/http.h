/*
 * http: HTTP connections of a server, over libmicrohttpd; the only file that sees it.
 *
 * Driven by our loop (external polling): connections are handed over after the server looked at
 * their first bytes. A request is read whole (bounded), becomes a Call, and its connection sleeps
 * until the call is answered.
 */
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H

#include "serve/server.h"

typedef struct Http Http;

/* Starts the HTTP side of a server. */
MUST_USE Err http_make(Http **http, Server *server, Loop *loop, const ServerOptions *o,
                       ServerCounts *counts);

/* Takes over an accepted connection; closes it when it cannot be taken. */
void http_add(Http *http, int fd);

/* Lets libmicrohttpd work: called at the end of every turn. */
void http_turn(Http *http);

/* Closes all connections and frees. */
void http_free(Http *http);

/* Answers a call; takes the buffer's memory over. */
void http_answer(Call *c, int status, const char *content_type, Buf *b);

/* A request header's value; empty when there is none. */
Str http_header(const Call *c, const char *name);

#endif
