/*
 * ipc: q IPC connections.
 *
 * A connection: handshake (bytes up to a zero, then one byte back) -> messages by length -> closed.
 * Requests become Calls, kept in the order of arrival; an answer that is ready before those in
 * front of it waits in its Call. Answers of a turn are appended to one buffer and written at the
 * turn's end, so a group commit acknowledges many requests by one system call. Pushes wait while a
 * synchronous request is unanswered (q-ipc.md 4). A malformed message closes the connection, as q
 * does.
 *
 * Bounds: handshake size and time, message size, calls in flight and bytes to be sent of a
 * connection: beyond the last two we stop reading from it until it has drained. A Call outlives its
 * connection until its handler answers.
 */
#include "serve/ipc.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/log.h"
#include "os/sock.h"

#define IPC_READ_SIZE   (256u << 10) /* bytes asked for at once */
#define IPC_TURN_MAX    (8u << 20)   /* bytes taken from one connection in a turn */
#define IPC_CALLS_MAX   16384       /* requests of a connection in flight, unless asked otherwise */
#define IPC_PAUSE_BYTES (32u << 20) /* unsent bytes at which reading pauses */
#define IPC_CAPABILITY  6           /* the highest that we speak */
#define IPC_FREE_CALLS  1024        /* call structs kept for reuse */
#define IPC_IDLE_MS     10000       /* for the handshake, and to take the last answers */
#define IPC_DEAF_MS     30000       /* for a peer with answers to take any of them */
#define IPC_AHEAD       3           /* memory made ready for a message, in times of what is there */

typedef struct Conn {
    List link;
    List dirty_link; /* in Ipc.dirty while there is something to send */
    Ipc *ipc;
    int fd;
    bool local, shaken, closing, dirty, paused, last; /* last: closing when it was last flushed */
    u8 capability;
    LoopWatch watch;
    LoopTimer timer;
    Buf in, out, pushes;
    u64 out_at;
    List calls;
    u32 call_count;
} Conn;

struct Ipc {
    Server *server;
    Loop *loop;
    ServerOptions options;
    ServerCounts *counts;
    List conns, dirty, free_calls;
    u32 conn_count, free_count;
};

static void on_ready(void *arg, int events);
static void take_messages(Conn *c);

Err ipc_make(Ipc **out, Server *server, Loop *loop, const ServerOptions *o, ServerCounts *counts)
{
    Ipc *ipc = calloc(1, sizeof *ipc);
    if (ipc == NULL) return fail(E_MEMORY, "no memory for connections");
    ipc->server = server;
    ipc->loop = loop;
    ipc->options = *o;
    ipc->counts = counts;
    list_init(&ipc->conns);
    list_init(&ipc->dirty);
    list_init(&ipc->free_calls);
    *out = ipc;
    return E_OK;
}

/* A fresh call, reusing memory of an answered one; NULL when there is no memory. */
static Call *call_make(Ipc *ipc)
{
    if (!list_empty(&ipc->free_calls)) {
        Call *c = LIST_ENTRY(ipc->free_calls.next, Call, link);
        list_remove(&c->link);
        ipc->free_count--;
        return c;
    }
    Call *c = calloc(1, sizeof *c);
    if (c != NULL) list_init(&c->link);
    return c;
}

static void call_drop(Ipc *ipc, Call *c)
{
    list_remove(&c->link);
    buf_free(&c->reply);
    if (ipc == NULL || ipc->free_count >= IPC_FREE_CALLS || c->arena.reserved > (64u << 10)) {
        arena_free(&c->arena);
        free(c);
        return;
    }
    Arena arena = c->arena;
    arena_reset(&arena);
    *c = (Call){.arena = arena};
    list_append(&ipc->free_calls, &c->link);
    ipc->free_count++;
}

static void conn_close(Conn *c)
{
    Ipc *ipc = c->ipc;
    for (List *it = c->calls.next; it != &c->calls;) {
        Call *call = LIST_ENTRY(it, Call, link);
        it = it->next;
        list_remove(&call->link);
        call->conn = NULL;
        if (call->done) call_drop(ipc, call);
    }
    if (ipc->options.closed != NULL) ipc->options.closed(ipc->options.ctx, c);
    loop_unwatch(&c->watch);
    loop_timer_stop(&c->timer);
    sock_close(&c->fd);
    if (c->dirty) list_remove(&c->dirty_link);
    list_remove(&c->link);
    buf_free(&c->in);
    buf_free(&c->out);
    buf_free(&c->pushes);
    free(c);
    ipc->conn_count--;
    ipc->counts->connections--;
}

static void mark_dirty(Conn *c)
{
    if (c->dirty) return;
    c->dirty = true;
    list_append(&c->ipc->dirty, &c->dirty_link);
    loop_again(c->ipc->loop);
}

/* The handshake did not come, or answers were not taken. */
static void on_timeout(void *arg)
{
    Conn *c = arg;
    if (!c->shaken || c->closing || c->out_at < c->out.size) conn_close(c);
}

static u32 calls_max(const Ipc *ipc)
{
    return ipc->options.calls_max == 0 ? IPC_CALLS_MAX : ipc->options.calls_max;
}

static u32 idle_ms(const Ipc *ipc)
{
    return ipc->options.idle_ms == 0 ? IPC_IDLE_MS : ipc->options.idle_ms;
}

void ipc_add(Ipc *ipc, int fd, bool local)
{
    u32 most =
        ipc->options.connections_max == 0 ? BOUND_CONNECTIONS_MAX : ipc->options.connections_max;
    Conn *c = ipc->conn_count >= most ? NULL : calloc(1, sizeof *c);
    if (c == NULL) {
        ipc->counts->refused++;
        sock_close(&fd);
        return;
    }
    c->ipc = ipc;
    c->fd = fd;
    c->local = local;
    list_init(&c->calls);
    list_init(&c->dirty_link);
    list_append(&ipc->conns, &c->link);
    ipc->conn_count++;
    ipc->counts->connections++;
    if (loop_watch(ipc->loop, &c->watch, fd, LOOP_READ, on_ready, c) != E_OK) {
        conn_close(c);
        return;
    }
    loop_timer(ipc->loop, &c->timer, idle_ms(ipc), 0, on_timeout, c);
}

/* Writes what is waiting; false when the connection is gone. */
static bool conn_flush(Conn *c)
{
    u64 at = c->out_at;
    while (c->out_at < c->out.size) {
        u64 put = 0;
        if (sock_write(c->fd, c->out.data + c->out_at, c->out.size - c->out_at, &put) != E_OK) {
            conn_close(c);
            return false;
        }
        if (put == 0) break;
        c->out_at += put;
    }
    if (c->out_at == c->out.size) {
        c->out_at = 0;
        if (c->out.room > (1u << 20))
            buf_free(&c->out);
        else
            buf_clear(&c->out);
    }
    bool waiting = c->out_at < c->out.size;
    if (c->closing && !waiting) {
        conn_close(c);
        return false;
    }
    c->paused = c->closing || c->out.size - c->out_at > IPC_PAUSE_BYTES ||
                c->call_count >= calls_max(c->ipc);
    loop_watch_events(&c->watch, (c->paused ? 0 : LOOP_READ) | (waiting ? LOOP_WRITE : 0));
    /* a peer that never reads shall not stay for ever */
    bool armed = c->timer.handle != NULL;
    if (c->closing && (!armed || !c->last))
        loop_timer(c->ipc->loop, &c->timer, idle_ms(c->ipc), 0, on_timeout, c);
    else if (!c->closing && waiting && (!armed || c->out_at > at))
        loop_timer(c->ipc->loop, &c->timer, IPC_DEAF_MS, 0, on_timeout, c);
    else if (!c->closing && !waiting && c->shaken)
        loop_timer_stop(&c->timer);
    c->last = c->closing;
    return true;
}

void ipc_flush(Ipc *ipc)
{
    /* what is added behind the last one meanwhile has its turn in the next one */
    for (List *it = ipc->dirty.next, *next; it != &ipc->dirty; it = next) {
        Conn *c = LIST_ENTRY(it, Conn, dirty_link);
        next = it->next;
        list_remove(&c->dirty_link);
        c->dirty = false;
        bool paused = c->paused;
        if (!conn_flush(c) || !paused || c->paused || !c->shaken) continue;
        take_messages(c); /* what came before the pause */
        if (c->closing) mark_dirty(c);
    }
}

/* Whether a synchronous request of the connection is unanswered. */
static bool conn_owes(const Conn *c)
{
    LIST_EACH(it, &c->calls)
    {
        if (LIST_ENTRY(it, Call, link)->sync) return true;
    }
    return false;
}

/* Sends answers that are ready, from the front; then pushes that waited. */
static void conn_advance(Conn *c)
{
    for (List *it = c->calls.next, *next; it != &c->calls; it = next) {
        Call *call = LIST_ENTRY(it, Call, link);
        next = it->next;
        if (!call->done) break;
        if (call->reply.size > 0) {
            if (c->out.size == 0) { /* take a large answer over as it is */
                Buf swap = c->out;
                c->out = call->reply;
                c->out.size_max = BOUND_OUTPUT_MAX;
                call->reply = swap;
                c->out_at = 0;
            } else if (buf_append(&c->out, call->reply.data, call->reply.size) != E_OK) {
                c->closing = true;
            }
        }
        c->call_count--;
        call_drop(c->ipc, call);
    }
    if (c->pushes.size > 0 && !conn_owes(c)) {
        if (buf_append(&c->out, c->pushes.data, c->pushes.size) != E_OK) c->closing = true;
        buf_clear(&c->pushes);
    }
    mark_dirty(c);
}

/* An answer is complete in call->reply (or there is none to send). */
static void answered(Call *call)
{
    Conn *c = call->conn;
    ASSERT(!call->done);
    call->done = true;
    if (c == NULL)
        call_drop(NULL, call);
    else if (c->calls.next == &call->link)
        conn_advance(c);
}

/* Appends straight to the connection's output when nothing stands before this call. */
static Buf *answer_buf(Call *call)
{
    Conn *c = call->conn;
    bool first = c != NULL && c->calls.next == &call->link;
    return first ? &c->out : &call->reply;
}

void ipc_answer_value(Call *call, const Value *v)
{
    if (call->sync && call->conn != NULL) {
        Buf *b = answer_buf(call);
        u64 size = b->size;
        Err err = wire_message(b, WIRE_RESPONSE, v, call->capability);
        if (err != E_OK) {
            b->size = size;
            ipc_answer_error(call, err, fail_text());
            return;
        }
    }
    answered(call);
}

void ipc_answer_error(Call *call, Err err, const char *text)
{
    if (call->sync && call->conn != NULL) {
        char line[FAIL_TEXT_MAX + 64];
        /* the q signal first, so that a handler can match on it; a caller who cannot be told so
         * shall not wait for ever */
        snprintf(line, sizeof line, "%s: %s", fail_signal(err), text);
        if (wire_error(answer_buf(call), line) != E_OK) ((Conn *)call->conn)->closing = true;
    }
    answered(call);
}

void ipc_answer_message(Call *call, Buf *message)
{
    if (call->sync && call->conn != NULL) {
        call->reply = *message;
        *message = (Buf){0};
    }
    buf_free(message);
    answered(call);
}

u64 ipc_unread(const Call *call)
{
    const Conn *c = call->conn;
    u64 bytes = c->out.size - c->out_at + c->pushes.size;
    LIST_EACH(it, &c->calls) bytes += LIST_ENTRY(it, Call, link)->reply.size;
    return bytes;
}

void ipc_push(Ipc *ipc, void *conn, Buf *message)
{
    (void)ipc;
    Conn *c = conn;
    Buf *to = conn_owes(c) ? &c->pushes : &c->out;
    if (to->size_max == 0) to->size_max = BOUND_OUTPUT_MAX;
    if (buf_append(to, message->data, message->size) != E_OK) c->closing = true;
    buf_free(message);
    mark_dirty(c);
}

/* Reads the handshake: true when it is complete. */
static bool handshake(Conn *c)
{
    u64 end = 0;
    while (end < c->in.size && c->in.data[end] != 0)
        end++;
    if (end == c->in.size) {
        if (c->in.size > BOUND_HANDSHAKE_MAX) c->closing = true;
        return false;
    }
    u8 capability = end == 0 ? 0 : c->in.data[end - 1];
    if (end == 0 || end > BOUND_HANDSHAKE_MAX || capability >= ' ') {
        c->closing = true; /* no capability byte: the old text protocol */
        return false;
    }
    c->capability = MIN(capability, IPC_CAPABILITY);
    c->shaken = true;
    loop_timer_stop(&c->timer);
    u64 put = 0;
    /* alone in its packet: some clients insist (q-ipc.md 2) */
    if (sock_write(c->fd, &c->capability, 1, &put) != E_OK || put != 1) c->closing = true;
    buf_drop(&c->in, end + 1);
    return !c->closing;
}

/* Splits a request into function name and arguments; false when it is no call of ours and was
 * answered. */
static bool parse_call(Call *call)
{
    WireObject o;
    Err err = wire_object(call->body, call->size, true, &o);
    if (err != E_OK) {
        call_fail(call, err);
        return false;
    }
    const u8 *at = call->body;
    if (o.type == QT_LIST && o.count > 0) {
        u64 left = call->size - (u64)(o.data - call->body);
        if (o.count - 1 > API_ARGS_MAX) {
            call_fail(call, fail(E_LIMIT, "a call has at most %d arguments", API_ARGS_MAX));
            return false;
        }
        const u8 *next = o.data;
        u64 count = o.count;
        WireObject first;
        if (wire_object(next, left, true, &first) != E_OK) {
            call_fail(call, fail_last());
            return false;
        }
        at = next;
        next += first.size;
        for (u64 i = 1; i < count; i++) {
            call->arg_at[call->arg_count] = next;
            if (wire_object(next, (u64)(call->body + call->size - next), true,
                            &call->args[call->arg_count]) != E_OK) {
                call_fail(call, fail_last());
                return false;
            }
            next += call->args[call->arg_count++].size;
        }
        o = first;
    }
    if (o.type == -QT_SYMBOL)
        call->name = (Str){(const char *)o.data, o.size - 2};
    else if (o.type == QT_CHAR || o.type == -QT_CHAR)
        call->name = (Str){(const char *)o.data, o.count};
    else if (at == call->body) { /* a value is its own value */
        Value v;
        err = wire_decode(call->body, call->size, &call->arena, &v);
        if (err == E_OK)
            call_value(call, &v);
        else
            call_fail(call, err);
        return false;
    } else {
        call_fail(call, fail(E_UNSUPPORTED, "functions are called by name here"));
        return false;
    }
    /* a call without arguments has the generic null as its single one */
    if (call->arg_count == 1 && call->args[0].type == QT_NULL) call->arg_count = 0;
    return true;
}

static void dispatch(Call *call)
{
    Value nothing = value_null();
    if (!parse_call(call)) return;
    Str name = call->name = str_trim(call->name);
    const ApiEntry *entry = api_find(name);
    if (entry != NULL) {
        api_dispatch(entry, call);
    } else if (name.size == 0 && call->arg_count == 0) {
        call_value(call, &nothing); /* "" asks only whether all before it was handled */
    } else if (!api_text_dispatch(call)) {
        call_fail(call, fail(E_UNSUPPORTED, "%.*s: not a function of this server",
                             (int)MIN(name.size, 60), name.data));
    }
}

/* The function's name of a plain message, to see whether its bytes must outlive the handler. */
static bool is_brief(const u8 *body, u64 size)
{
    WireObject list, first;
    if (wire_object(body, size, true, &list) != E_OK || list.type != QT_LIST || list.count == 0)
        return false;
    if (wire_object(list.data, size - (u64)(list.data - body), true, &first) != E_OK) return false;
    Str name = {(const char *)first.data, first.type == -QT_SYMBOL ? first.size - 2
                                          : first.type == QT_CHAR  ? first.count
                                                                   : 0};
    const ApiEntry *entry = api_find(name);
    return entry != NULL && api_is_brief(entry);
}

/* Handles one whole message at `at` of the input; false when the connection is to be closed. */
static bool take_message(Conn *c, u64 at, u64 size)
{
    Ipc *ipc = c->ipc;
    u8 kind = 0;
    Call *call = call_make(ipc);
    if (call == NULL) {
        log_event(LOG_WARN, "ipc.memory", "no memory for a call: its connection is closed");
        return false;
    }
    Err err = wire_open(c->in.data + at, size, &call->arena, &call->body, &call->size, &kind);
    if (err != E_OK || kind == WIRE_RESPONSE) {
        if (err != E_OK) log_event(LOG_DEBUG, "ipc.badmsg", "%s", fail_text());
        ipc->counts->bad_messages++;
        call_drop(ipc, call);
        return false;
    }
    ipc->counts->q_messages++;
    call->server = ipc->server;
    call->conn = c;
    call->sync = kind == WIRE_SYNC;
    call->capability = c->capability;
    bool inside = call->body >= c->in.data && call->body < c->in.data + c->in.size;
    list_append(&c->calls, &call->link);
    c->call_count++;
    if (inside && !is_brief(call->body, call->size)) {
        void *copy;
        err = arena_try_raw(&call->arena, call->size + 1, 1, &copy);
        if (err != E_OK) {
            call_fail(call, err);
            return true;
        }
        memcpy(copy, call->body, call->size);
        call->body = copy;
    }
    dispatch(call);
    return true;
}

/* Handles every whole message that is there. */
static void take_messages(Conn *c)
{
    u64 at = 0, most = c->ipc->options.body_max == 0 ? BOUND_PUBLISH_MAX : c->ipc->options.body_max;
    while (!c->closing && c->in.size - at >= WIRE_HEADER && c->call_count < calls_max(c->ipc)) {
        WireHeader h;
        if (wire_header(c->in.data + at, &h) != E_OK || h.size > most) {
            c->ipc->counts->bad_messages++;
            c->closing = true;
            break;
        }
        if (c->in.size - at < h.size) {
            u8 *place =
                NULL; /* fewer, larger steps than doubling; never much beyond what has come */
            u64 have = c->in.size - at,
                more = MIN(h.size - have, MAX(IPC_READ_SIZE, IPC_AHEAD * have));
            if (buf_room(&c->in, more, &place) != E_OK) c->closing = true;
            break;
        }
        if (!take_message(c, at, h.size)) c->closing = true;
        at += h.size;
    }
    buf_drop(&c->in, at);
    if (c->call_count < calls_max(c->ipc) || c->closing) return;
    c->paused = true; /* until answers have gone out: ipc_flush goes on here */
    loop_watch_events(&c->watch, c->out_at < c->out.size ? LOOP_WRITE : 0);
}

/* Reads a piece; false when nothing more is there now. */
static bool read_some(Conn *c)
{
    u8 *place = NULL;
    u64 got = 0;
    if (buf_room(&c->in, IPC_READ_SIZE, &place) != E_OK) {
        c->closing = true;
        return false;
    }
    if (sock_read(c->fd, place, IPC_READ_SIZE, &got) != E_OK) c->closing = true;
    buf_added(&c->in, got);
    return got == IPC_READ_SIZE && !c->closing;
}

/* Takes messages piece by piece, while their bytes are in the near caches. */
static void on_ready(void *arg, int events)
{
    Conn *c = arg;
    bool peer_gone = false, more = (events & LOOP_READ) != 0 && !c->closing;
    for (u64 taken = 0; more; taken += IPC_READ_SIZE) {
        more = read_some(c) && taken < IPC_TURN_MAX;
        peer_gone = c->closing;
        c->closing = false;
        if (c->shaken || handshake(c)) take_messages(c);
        more &= !c->closing && !c->paused;
        c->closing |= peer_gone;
    }
    if (peer_gone) { /* nobody reads answers any more */
        conn_close(c);
        return;
    }
    if ((events & LOOP_WRITE) != 0 || c->closing) mark_dirty(c);
}

void ipc_free(Ipc *ipc)
{
    if (ipc == NULL) return;
    ipc_flush(ipc);
    for (List *it = ipc->conns.next, *next; it != &ipc->conns; it = next) {
        next = it->next;
        conn_close(LIST_ENTRY(it, Conn, link));
    }
    for (List *it = ipc->free_calls.next, *next; it != &ipc->free_calls; it = next) {
        Call *c = LIST_ENTRY(it, Call, link);
        next = it->next;
        arena_free(&c->arena);
        free(c);
    }
    free(ipc);
}
