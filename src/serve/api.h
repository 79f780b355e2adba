/*
 * api: one table of named calls, for q IPC and HTTP alike: name, path, role, handler, help.
 *
 * A Call is one request in flight. It owns an arena that lives until it is answered. A handler
 * answers at once or later (after a sync, after work on another thread), exactly once: call_value,
 * call_fail, call_message or call_http. Answers leave a connection in the order of its requests. A
 * peer that went away in between only makes the answer vanish.
 */
#ifndef SERVE_API_H
#define SERVE_API_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/list.h"
#include "q/value.h"
#include "q/wire.h"

#define API_ARGS_MAX 16

typedef struct Server Server;

typedef struct Call {
    List link;
    Arena arena;
    Server *server;
    void *conn; /* the q connection or HTTP request, NULL once the peer is gone */
    bool http, sync, done;
    u8 capability; /* of the q connection */
    Str name;      /* function name, or "POST /data" */
    /* q IPC: the request object and its arguments, seen shallowly (decode with wire_decode) */
    const u8 *body;
    u64 size;
    u32 arg_count;
    WireObject args[API_ARGS_MAX];
    const u8 *arg_at[API_ARGS_MAX]; /* first byte of each argument's object */
    /* HTTP */
    Str method, path, query; /* query: the raw text behind '?' */
    Str rest;                /* what followed the entry's path prefix */
    const u8 *data;          /* the body */
    u64 data_size;
    void *user; /* the handler's own */
    Buf reply;  /* q IPC: an answer that waits for those before it */
} Call;

typedef void (*ApiHandler)(void *ctx, Call *call);

/* One call. `method`/`path` NULL: q IPC only; `name` NULL: HTTP only. A path that ends with '/'
 * takes what follows as call->rest. */
typedef struct {
    const char *name;   /* ".kxi.getData" */
    const char *method; /* "POST" */
    const char *path;   /* "/data" */
    ApiHandler handler;
    const char *help; /* one sentence */
} ApiEntry;

/* Adds entries (ended by an entry with neither name nor path) with the handler's context.
 * Process-wide, before listening. */
void api_add(const ApiEntry *entries, void *ctx);

/* The same for handlers that do not look at a q request's bytes after they returned: those are not
 * copied. */
void api_add_brief(const ApiEntry *entries, void *ctx);

/* Whether an entry was added so. */
bool api_is_brief(const ApiEntry *entry);

/* The entry of a function name, or of method and path (*rest = what follows its prefix; *other
 * tells that the path is known with another method); NULL when there is none. */
const ApiEntry *api_find(Str name);
const ApiEntry *api_find_path(Str method, Str path, Str *rest, bool *other);

/* Calls an entry's handler. */
void api_dispatch(const ApiEntry *entry, Call *call);

/* Sets what answers q texts that are no function's name (`tables[]`, `count trade`); process-wide.
 * It gets the text as call->name and answers the call, or returns false to have it refused. */
void api_text(bool (*handler)(void *ctx, Call *call), void *ctx);
bool api_text_dispatch(Call *call);

/* Walks the table for `silt help api` and GET /. */
const ApiEntry *api_entry(u32 i);

/* Answers with a value: q IPC message, or JSON / q bytes as the HTTP Accept header asks
 * (octet-stream: the whole IPC message). */
void call_value(Call *c, const Value *v);

/* Answers with an error: q signal text "type: table trade: ..." or the JSON shape {error, code,
 * detail, retryable} (O-86) with the status of the code. The text of the thread's last failure is
 * used. */
void call_fail(Call *c, Err err);

/* Answers with a ready q IPC message (wire_finish done) whose memory is taken over; *b is empty
 * afterwards. */
void call_message(Call *c, Buf *b);

/* Answers an HTTP call with a body whose memory is taken over. */
void call_http(Call *c, int status, const char *content_type, Buf *b);

/* An HTTP request header's value, or the empty Str. An URL-decoded parameter of the query text in
 * the arena, or the empty Str. */
Str call_header(const Call *c, const char *name);
Str call_param(Call *c, const char *name);

/* Whether the peer wants q IPC bytes (always for q IPC calls), else JSON. */
bool call_wants_q(const Call *c);

/* Bytes of earlier answers that the peer has not taken yet; HTTP peers have one request at a
 * time. */
u64 call_unread(const Call *c);

#endif
