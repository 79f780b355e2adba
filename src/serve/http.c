/*
 * http: HTTP over libmicrohttpd, polled by our loop.
 *
 * A request goes: headers (on_request, first call) -> body pieces -> complete: a Call is dispatched
 * -> answered at once, or the connection is suspended until http_answer resumes it -> the response
 * is queued -> on_completed frees the request. A peer that goes away earlier takes its request with
 * it; the Call then has no conn and is freed by its answer.
 *
 * libmicrohttpd runs only inside http_turn and http_add, on the loop thread, so none of its
 * callbacks runs inside a handler.
 */
#include "serve/http.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/log.h"
#include "os/now.h"
#include "os/sock.h"

#define HTTP_IDLE_S     60
#define HTTP_HEAD_MS    10000
#define HTTP_LOOK_MS    500
#define HTTP_LAST_TURNS 3 /* of the daemon before it stops: resumed requests get their answer */

struct Http {
    Server *server;
    Loop *loop;
    ServerOptions options;
    ServerCounts *counts;
    struct MHD_Daemon *daemon;
    LoopWatch watch;
    LoopTimer timer;
    bool due;     /* something was resumed or added: run once more */
    List waiting; /* suspended requests */
    List peers;   /* connections that owe the head of a request */
    LoopTimer strict;
};

/* A connection; in Http.peers until the head of its request is there. */
typedef struct {
    List link;
    int fd;
    i64 until; /* monotonic time by which the head must have come */
} HttpPeer;

/* A request being read, worked on or answered. */
typedef struct {
    List link; /* in Http.waiting while it is suspended */
    Http *http;
    struct MHD_Connection *connection;
    Buf body;
    bool too_large, dispatched, suspended, queued;
    Call *call;                    /* while it is unanswered */
    struct MHD_Response *response; /* when it is answered */
    int status;
    char *url;
} HttpRequest;

static void on_ready(void *arg, int events)
{
    (void)events;
    ((Http *)arg)->due = true;
}

static void on_timer(void *arg) { ((Http *)arg)->due = true; }

/* Ends connections whose request did not come, however slowly they send: libmicrohttpd's own limit
 * begins anew with every byte. */
static void be_strict(void *arg)
{
    Http *http = arg;
    i64 now = now_mono();
    LIST_EACH(it, &http->peers)
    {
        HttpPeer *p = LIST_ENTRY(it, HttpPeer, link);
        if (p->until > now) continue;
        p->until = INT64_MAX;
        sock_end(p->fd); /* libmicrohttpd sees it and closes */
        http->due = true;
    }
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    Http *http = cls;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        HttpPeer *p = *context;
        if (p == NULL) return;
        list_remove(&p->link);
        free(p);
        *context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    HttpPeer *p = info == NULL ? NULL : calloc(1, sizeof *p);
    if (p == NULL) return; /* its time is not watched */
    u32 ms = http->options.idle_ms == 0 ? HTTP_HEAD_MS : http->options.idle_ms;
    p->fd = info->connect_fd;
    p->until = now_mono() + (i64)ms * 1000000;
    list_append(&http->peers, &p->link);
    *context = p;
}

/* The peer of a connection; NULL when there was no memory for it. */
static HttpPeer *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

static void free_data(void *data) { free(data); }

Str http_header(const Call *c, const char *name)
{
    const HttpRequest *r = c->conn;
    return str_of(MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name));
}

/* The response of a buffer, whose memory it takes over. */
static struct MHD_Response *make_response(const char *content_type, Buf *b)
{
    struct MHD_Response *response;
    if (b->size == 0) {
        static char empty[1];
        response = MHD_create_response_from_buffer(0, empty, MHD_RESPMEM_PERSISTENT);
        buf_free(b);
    } else {
        response = MHD_create_response_from_buffer_with_free_callback(b->size, b->data, free_data);
        *b = (Buf){0};
    }
    if (response != NULL && content_type != NULL)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    return response;
}

static void resume(HttpRequest *r)
{
    r->suspended = false;
    list_remove(&r->link);
    MHD_resume_connection(r->connection);
}

void http_answer(Call *c, int status, const char *content_type, Buf *b)
{
    HttpRequest *r = c->conn;
    ASSERT(!c->done);
    c->done = true;
    if (r == NULL) {
        buf_free(b);
    } else {
        r->response = make_response(content_type, b);
        r->status = status;
        r->call = NULL;
        if (r->suspended) {
            resume(r);
            r->http->due = true;
            loop_again(r->http->loop);
        }
    }
    arena_free(&c->arena);
    free(c);
}

/* Queues a plain error before there is a call. */
static enum MHD_Result refuse(struct MHD_Connection *connection, int status, const char *code,
                              const char *text)
{
    Buf b = {0};
    Err err =
        buf_format(&b, "{\"error\":\"%s\",\"code\":\"%s\",\"retryable\":false}\n", text, code);
    struct MHD_Response *response = err == E_OK ? make_response("application/json", &b) : NULL;
    if (response == NULL) return MHD_NO;
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return result;
}

/* What monitors ask for. */
static bool is_health(Str path)
{
    return str_is(path, "/healthz") || str_is(path, "/readyz") || str_is(path, "/metrics");
}

/* Makes the call of a complete request and hands it to its handler. */
static enum MHD_Result dispatch(HttpRequest *r, const char *method, const char *url)
{
    bool other = false;
    Str rest = {0};
    Str path = str_of(url), query = {0};
    i64 mark = str_find(path, '?');
    if (mark >= 0) {
        query = (Str){path.data + mark + 1, path.size - (u64)mark - 1};
        path.size = (u64)mark;
    }
    const ApiEntry *entry = api_find_path(str_of(method), path, &rest, &other);
    if (entry == NULL && other)
        return refuse(r->connection, 405, fail_name(E_USAGE),
                      "this path is called with another method");
    if (entry == NULL) return refuse(r->connection, 404, fail_name(E_NOT_FOUND), "no such path");
    if (r->http->options.q_only && !is_health(path))
        return refuse(r->connection, 403, fail_name(E_DENIED), "this server answers q IPC only");
    Call *c = calloc(1, sizeof *c);
    if (c == NULL) return MHD_NO;
    list_init(&c->link);
    c->server = r->http->server;
    c->conn = r;
    c->http = c->sync = true;
    c->method = (Str){arena_text(&c->arena, method, strlen(method)), strlen(method)};
    c->path = (Str){arena_text(&c->arena, path.data, path.size), path.size};
    c->query =
        (Str){arena_text(&c->arena, query.data == NULL ? "" : query.data, query.size), query.size};
    c->rest = (Str){c->path.data + (path.size - rest.size), rest.size};
    c->name = (Str){arena_format(&c->arena, "%s %.*s", method, STR_FMT(path)),
                    strlen(method) + 1 + path.size};
    c->data = r->body.data;
    c->data_size = r->body.size;
    r->call = c;
    r->dispatched = true;
    r->http->counts->http_requests++;
    api_dispatch(entry, c);
    if (r->call != NULL) { /* not answered yet */
        r->suspended = true;
        list_append(&r->http->waiting, &r->link);
        MHD_suspend_connection(r->connection);
        return MHD_YES;
    }
    r->queued = true;
    if (r->response == NULL) return MHD_NO;
    return MHD_queue_response(r->connection, (unsigned)r->status, r->response);
}

static enum MHD_Result count_length(void *arg, enum MHD_ValueKind kind, const char *key,
                                    const char *value)
{
    (void)kind;
    (void)value;
    *(u32 *)arg +=
        strcasecmp(key, "Content-Length") == 0 || strcasecmp(key, "Transfer-Encoding") == 0;
    return MHD_YES;
}

/* Whether the head says once at most where the body ends: of two lengths a proxy before us may have
 * believed the other one. */
static bool is_framed_once(struct MHD_Connection *connection)
{
    u32 lengths = 0;
    MHD_get_connection_values(connection, MHD_HEADER_KIND, count_length, &lengths);
    return lengths <= 1;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state)
{
    Http *http = cls;
    HttpRequest *r = *state;
    (void)version;
    (void)url; /* decoded; the raw form was kept in r->url */
    u64 most = http->options.body_max == 0 ? BOUND_PUBLISH_MAX : http->options.body_max;
    if (r == NULL) return MHD_NO; /* on_target had no memory */
    if (r->connection ==
        NULL) { /* headers only: a body that says it is too large is refused before it is read */
        r->connection = connection;
        HttpPeer *p = peer_of(connection);
        if (p != NULL) list_remove(&p->link);
        if (!is_framed_once(connection)) {
            r->queued = true;
            return refuse(connection, 400, fail_name(E_USAGE), "the body has two lengths");
        }
        i64 length = 0;
        Str text =
            str_of(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length"));
        if (text.size > 0 && str_i64(text, &length) && length > (i64)most) {
            r->queued = true;
            return refuse(connection, 413, fail_name(E_LIMIT),
                          "the body is larger than this server takes");
        }
        return MHD_YES;
    }
    if (r->queued) {
        *size = 0;
        return MHD_YES;
    }
    if (*size > 0) {
        if (r->body.size + *size > most || buf_append(&r->body, data, *size) != E_OK)
            r->too_large = true;
        *size = 0;
        return MHD_YES;
    }
    if (r->too_large) {
        r->queued = true;
        return refuse(connection, 413, fail_name(E_LIMIT),
                      "the body is larger than this server takes");
    }
    if (!r->dispatched) return dispatch(r, method, r->url);
    if (r->response == NULL) return r->call == NULL ? MHD_NO : MHD_YES;
    r->queued = true;
    return MHD_queue_response(connection, (unsigned)r->status, r->response);
}

/* Called with the raw request target, before anything else of a request. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    HttpRequest *r = calloc(1, sizeof *r);
    (void)connection;
    if (r == NULL) return NULL;
    list_init(&r->link);
    r->http = cls;
    buf_init(&r->body, BOUND_MESSAGE_MAX);
    u64 size = strlen(target);
    r->url = malloc(size + 1);
    if (r->url == NULL) {
        free(r);
        return NULL;
    }
    memcpy(r->url, target, size + 1);
    return r;
}

/* The call goes on without its peer: its handler's answer frees it. The body goes now. */
static void let_go(HttpRequest *r)
{
    if (r->call == NULL) return;
    r->call->conn = NULL;
    r->call->data = NULL;
    r->call->data_size = 0;
    r->call = NULL;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    Http *http = cls;
    HttpRequest *r = *state;
    HttpPeer *p = peer_of(connection);
    (void)code;
    if (p != NULL) { /* until the next request */
        list_remove(&p->link);
        p->until = now_mono() + HTTP_IDLE_S * 1000000000LL;
        list_append(&http->peers, &p->link);
    }
    if (r == NULL) return;
    let_go(r);
    if (r->response != NULL) MHD_destroy_response(r->response);
    list_remove(&r->link);
    buf_free(&r->body);
    free(r->url);
    free(r);
    *state = NULL;
}

Err http_make(Http **out, Server *server, Loop *loop, const ServerOptions *o, ServerCounts *counts)
{
    Http *http = calloc(1, sizeof *http);
    if (http == NULL) return fail(E_MEMORY, "no memory for HTTP");
    http->server = server;
    http->loop = loop;
    http->options = *o;
    http->counts = counts;
    list_init(&http->waiting);
    list_init(&http->peers);
    unsigned idle = o->idle_ms == 0 ? HTTP_IDLE_S : (o->idle_ms + 999) / 1000;
    unsigned most = o->connections_max == 0 ? BOUND_CONNECTIONS_MAX : o->connections_max;
    http->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0,
                         NULL, NULL, on_request, http, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
                         http, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
                         MHD_OPTION_URI_LOG_CALLBACK, on_target, http, MHD_OPTION_CONNECTION_LIMIT,
                         most, MHD_OPTION_CONNECTION_TIMEOUT, idle, MHD_OPTION_END);
    if (http->daemon == NULL) {
        free(http);
        return fail(E_MEMORY, "HTTP could not be started");
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    Err err = info == NULL
                  ? fail(E_UNSUPPORTED, "HTTP has no epoll descriptor")
                  : loop_watch(loop, &http->watch, info->epoll_fd, LOOP_READ, on_ready, http);
    if (err != E_OK) {
        MHD_stop_daemon(http->daemon);
        free(http);
        return err;
    }
    loop_timer(loop, &http->strict, HTTP_LOOK_MS, HTTP_LOOK_MS, be_strict, http);
    *out = http;
    return E_OK;
}

void http_add(Http *http, int fd)
{
    struct sockaddr_in peer = {.sin_family = AF_INET};
    if (MHD_add_connection(http->daemon, fd, (const struct sockaddr *)&peer, sizeof peer) !=
        MHD_YES) {
        http->counts->refused++; /* it closed the descriptor */
        return;
    }
    http->due = true;
    loop_again(http->loop);
}

void http_turn(Http *http)
{
    if (!http->due) return;
    http->due = false;
    MHD_run(http->daemon);
    MHD_UNSIGNED_LONG_LONG wait = 0;
    if (MHD_get_timeout(http->daemon, &wait) == MHD_YES)
        loop_timer(http->loop, &http->timer, wait, 0, on_timer, http);
    else
        loop_timer_stop(&http->timer);
}

void http_free(Http *http)
{
    if (http == NULL) return;
    while (!list_empty(&http->waiting)) { /* a stopped daemon must not have suspended connections */
        HttpRequest *r = LIST_ENTRY(http->waiting.next, HttpRequest, link);
        Buf b = {0};
        let_go(r);
        if (buf_text(&b,
                     "{\"error\":\"the server stops\",\"code\":\"close\",\"retryable\":true}\n") ==
            E_OK)
            r->response = make_response("application/json", &b);
        r->status = 503;
        resume(r);
    }
    for (int i = 0; i < HTTP_LAST_TURNS; i++)
        MHD_run(http->daemon);
    loop_unwatch(&http->watch);
    loop_timer_stop(&http->timer);
    loop_timer_stop(&http->strict);
    MHD_stop_daemon(http->daemon);
    free(http);
}
