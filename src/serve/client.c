/*
 * client: a blocking q IPC client: one connection, each call or read within its time limit. After a
 * failure of the connection it is closed, as requests and answers would be out of step; an error
 * that the server answers leaves it open.
 */
#include "serve/client.h"

#include <string.h>

#include "base/bounds.h"
#include "os/sock.h"

#define CLIENT_CAPABILITY 6

Err client_open(Client *c, const char *host, u16 port, u32 timeout_ms)
{
    Err err = E_OK;
    u8 answer = 0;
    static const char hello[] = {'s', 'i', 'l', 't', ':', CLIENT_CAPABILITY, 0};
    *c = (Client){.fd = -1, .timeout_ms = timeout_ms};
    TRY(sock_connect(host, port, timeout_ms, &c->fd));
    TRY(sock_write_all(c->fd, hello, sizeof hello, timeout_ms));
    err = sock_read_all(c->fd, &answer, 1, timeout_ms);
    if (err == E_CLOSED)
        err = fail(E_DENIED, "%s:%u closed the connection during the handshake", host, port);
    TRY(err);
    c->capability = answer;
done:
    if (err != E_OK) client_close(c);
    return err;
}

Err client_send(Client *c, const Buf *message)
{
    if (c->fd < 0) return fail(E_CLOSED, "the connection is closed");
    return sock_write_all(c->fd, message->data, message->size, c->timeout_ms);
}

/* The error that a q signal text stands for. */
static Err signal_error(Str text)
{
    for (int code = E_OK + 1; code < E_COUNT; code++) {
        Str signal = str_of(fail_signal((Err)code));
        bool exact = str_eq(text, signal);
        if (exact || (str_starts(text, signal) && text.size > signal.size &&
                      text.data[signal.size] == ':')) {
            u64 skip = exact ? 0 : signal.size + 1;
            while (skip < text.size && text.data[skip] == ' ')
                skip++;
            return fail((Err)code, "%.*s", (int)(text.size - skip), text.data + skip);
        }
    }
    return fail(E_USAGE, "%.*s", STR_FMT(text));
}

Err client_receive(Client *c, Arena *a, Value *response)
{
    Err err = E_OK;
    u8 bytes[WIRE_HEADER];
    WireHeader h;
    const u8 *body = NULL;
    u64 size = 0;
    u8 kind = 0;
    void *message = NULL;
    if (c->fd < 0) return fail(E_CLOSED, "the connection is closed");
    TRY(sock_read_all(c->fd, bytes, sizeof bytes, c->timeout_ms));
    TRY(wire_header(bytes, &h));
    TRY(arena_try(a, h.size, 1, &message));
    memcpy(message, bytes, sizeof bytes);
    TRY(sock_read_all(c->fd, (u8 *)message + WIRE_HEADER, h.size - WIRE_HEADER, c->timeout_ms));
    TRY(wire_open(message, h.size, a, &body, &size, &kind));
    TRY(wire_decode(body, size, a, response));
    if (response->type == QT_ERROR) return signal_error(response->as.text);
done:
    if (err != E_OK) client_close(c); /* the stream is out of step */
    return err;
}

Err client_call(Client *c, const Value *request, Arena *a, Value *response)
{
    Err err = E_OK;
    Buf b = {0};
    TRY(wire_message(&b, WIRE_SYNC, request, c->capability));
    TRY(client_send(c, &b));
    TRY(client_receive(c, a, response));
done:
    buf_free(&b);
    return err;
}

void client_close(Client *c) { sock_close(&c->fd); }
