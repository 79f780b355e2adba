/*
 * client: a small blocking q IPC client for command line tools, and a non-blocking one for
 * workers. */
#ifndef SERVE_CLIENT_H
#define SERVE_CLIENT_H

#include "base/arena.h"
#include "base/fail.h"
#include "q/value.h"
#include "q/wire.h"

typedef struct {
    int fd; /* -1 = closed */
    u8 capability;
    u32 timeout_ms;
} Client;

/* Connects and shakes hands. E_CLOSED refused, E_DENIED when the peer closed during the handshake,
 * E_TIMEOUT. */
MUST_USE Err client_open(Client *c, const char *host, u16 port, u32 timeout_ms);

/* A synchronous call: sends the value, waits for the response, decoded in the arena. An error
 * response is the Err that belongs to its signal (fail_signal), its text recorded. */
MUST_USE Err client_call(Client *c, const Value *request, Arena *a, Value *response);

/* Sends a ready message (pipelining); receives the next response. */
MUST_USE Err client_send(Client *c, const Buf *message);
MUST_USE Err client_receive(Client *c, Arena *a, Value *response);

/* Closes; idempotent. */
void client_close(Client *c);

#endif
