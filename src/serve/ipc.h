/*
 * ipc: q IPC connections of a server (q-ipc.md): handshake, requests in order, answers, pushes.
 *
 * The server hands over accepted descriptors; everything runs on the loop thread.
 */
#ifndef SERVE_IPC_H
#define SERVE_IPC_H

#include "serve/server.h"

typedef struct Ipc Ipc;

/* What the connections of a server share. */
MUST_USE Err ipc_make(Ipc **ipc, Server *server, Loop *loop, const ServerOptions *o,
                      ServerCounts *counts);

/* Takes over an accepted connection; closes it when there is no room for it. */
void ipc_add(Ipc *ipc, int fd, bool local);

/* Sends what the turn has produced: once a turn, many answers in one write. */
void ipc_flush(Ipc *ipc);

/* Pushes a message to a connection (server_push). */
void ipc_push(Ipc *ipc, void *conn, Buf *message);

/* Bytes of answers that the peer of a call with a connection has not taken. */
u64 ipc_unread(const Call *call);

/* Closes all connections and frees; calls in flight only lose their peer. */
void ipc_free(Ipc *ipc);

/* The answers of q calls (api.c). */
void ipc_answer_value(Call *c, const Value *v);
void ipc_answer_error(Call *c, Err err, const char *text);
void ipc_answer_message(Call *c, Buf *message);

#endif
