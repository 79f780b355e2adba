/*
 * reader: the data access process (storage-manager.md 20, 21).
 *
 * Start: wait for the first view; open and pin the newest; load the domain as far as the view says;
 * follow the stream from the view's watermark; ready once caught up with the position that was
 * durable at start (O-77). Then a short timer, and every query before it plans, take what the
 * stream has; so a row is seen by the first query after its acknowledgement.
 *
 * Reload: when the shared page (or `current`, without a stream) names a newer view: open and pin
 * it, load the domain on, drop live rows up to its watermark, give the old view back. Queries that
 * run keep the view they began with (O-76). A view that cannot be opened changes nothing: an older
 * one, which stays pinned with the log behind it, and the live rows after it answer (reader_view).
 *
 * A query: parse and plan on the loop thread, execute and encode on a worker thread, finish on the
 * loop thread. At most `threads` run at once, the others wait in line; beyond READER_QUEUE_MAX they
 * are refused (E_BUSY).
 *
 * Over a folder that nobody manages (`silt da DIR`) there is neither stream nor view to follow: the
 * database is opened at the start and anew at SIGHUP and .silt.reload (plain_base.h).
 *
 * Answer of .kxi.getData: (header; payload); the header's rc and ac are 0, or tell the error whose
 * text is ai (K27).
 */
#include "cmd/reader.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cmd/catalogue.h"
#include "cmd/reader_ask.h"
#include "cmd/reader_info.h"
#include "cmd/reader_view.h"
#include "os/dir.h"
#include "os/fault.h"
#include "os/guard.h"
#include "os/now.h"
#include "os/proc.h"
#include "q/json.h"
#include "query/getdata.h"
#include "serve/client.h"

#define READER_PORT        5080 /* over a folder, when no port is given */
#define READER_POLL_MS     5
#define READER_COLUMNS_MAX 32768 /* mapped columns kept open */
#define READER_QUEUE_MAX   1024
#define READER_DAMAGE_NS   1000000000LL
#define READER_CALLS_MAX   32            /* queries of one connection in line */
#define READER_UNREAD_MAX  (32ull << 20) /* bytes a peer has not taken: its queries wait */
#define READER_EARLY_MS    60000
#define READER_BATCH_MAX                                                                           \
    100000 /* records taken in one timer turn, so that queries get their turn */

typedef struct Query Query;

/* One query in flight. */
struct Query {
    List link;
    Reader *reader;
    Call *call;
    Request request;
    ReaderDomain *domain;
    PlainBase *plain; /* the one that it was parsed for; NULL = an assembly's database */
    u64 view;         /* the number of the view it reads; 0 before it runs */
    Run *run;
    Buf answer;
    Err err;
    char *text;
    i64 began;
    RunStats stats;
    Str corr;
    bool bare;    /* answer with the table alone: a q text */
    bool counted; /* the table has one cell, which is the answer */
};

static void start_queries(Reader *r);

static void query_free(Query *q)
{
    plain_base_release(q->plain);
    free(q);
}

/* Reads what the scrub has found, once a second. What cannot be read says nothing. */
static void read_damage(Reader *r)
{
    Scrub fresh;
    if (r->damage_read != 0 && now_mono() - r->damage_read < READER_DAMAGE_NS) return;
    r->damage_read = now_mono();
    u32 before = r->damage.count;
    if (scrub_read(&r->root, &fresh) != E_OK) return;
    scrub_free(&r->damage);
    r->damage = fresh;
    r->source.damage = &r->damage;
    if (fresh.count > before)
        log_event(LOG_WARN, "da.damage", "%u files are damaged: queries that need them fail",
                  fresh.count);
}

/* Takes what the stream has, at most `most` records. A record that memoryLimit has no room for is
 * held until a view makes room: nothing is passed over. */
static Err follow_stream(Reader *r, u32 most)
{
    for (u32 i = 0; i < most; i++) {
        Err err = E_OK;
        if (!r->holding) err = tail_next(&r->tail, &r->held, &r->holding);
        if (err != E_OK || !r->holding) return err;
        err = live_apply(r->live, &r->held);
        if (err != E_OK) return err;
        r->holding = false;
    }
    return E_OK;
}

/* Asks the manager to end the interval early (storage-manager.md 6, 12); runs on a worker
 * thread. */
static void ask_early(void *arg)
{
    Reader *r = arg;
    Client c = {.fd = -1};
    Arena a = {0};
    Value answer, request = value_list(&a, 2);
    vec_value(&request.as.vec)[0] = value_symbol(".silt.eoi");
    r->early_err = client_open(&c, r->config.host, r->config.port, 1000);
    if (r->early_err == E_OK) c.timeout_ms = READER_EARLY_MS;
    if (r->early_err == E_OK) r->early_err = client_call(&c, &request, &a, &answer);
    client_close(&c);
    arena_free(&a);
}

static void asked_early(void *arg)
{
    Reader *r = arg;
    r->asking = false;
    if (r->early_err != E_OK)
        log_event(LOG_WARN, "da.memory", "the manager did not end the interval early: %s",
                  fail_name(r->early_err));
}

/* Live rows above the share of the memory limit: at most one request at a time. */
static void watch_memory(Reader *r)
{
    if (r->live == NULL || r->dap->mem_threshold <= 0 || r->asking) return;
    u64 limit = r->dap->memory_max > 0 ? r->dap->memory_max : proc_memory_limit();
    u64 bytes = live_bytes(r->live, ~0u);
    if ((f64)bytes < r->dap->mem_threshold * (f64)limit) return;
    log_event(LOG_WARN, "da.memory",
              "%llu bytes of live rows, limit %llu: asking for an early end of the interval",
              (unsigned long long)bytes, (unsigned long long)limit);
    r->asking = true;
    r->early++;
    loop_work(r->loop, ask_early, asked_early, r);
}

/* Takes what the stream has; then the newest view, also when there was no memory for all of it. */
static Err catch_up(Reader *r, u32 most)
{
    if (r->folder != NULL) return E_OK;
    Err followed = r->tailing ? follow_stream(r, most) : E_OK;
    if (followed != E_OK && followed != E_LIMIT) return followed;
    u64 before = r->view->number;
    if (reader_view_newer(r)) reader_view_reload(r);
    read_damage(r);
    if (r->view->number != before && followed == E_LIMIT) followed = follow_stream(r, most);
    watch_memory(r);
    if (!r->ready &&
        (!r->tailing || live_position(r->live) >= r->target || r->view->watermark >= r->target)) {
        r->ready = true;
        log_event(LOG_INFO, "da.ready", "view %llu, %llu live rows",
                  (unsigned long long)r->view->number,
                  (unsigned long long)(r->live == NULL ? 0 : live_rows(r->live, ~0u)));
    }
    return followed;
}

static void poll(void *arg)
{
    Reader *r = arg;
    Err err = catch_up(r, READER_BATCH_MAX);
    start_queries(r);
    if (err == E_OK) return;
    if (err == E_LIMIT) return; /* the next view makes room */
    log_fail(LOG_ERROR, "da.follow", err);
    r->fatal = err; /* damage or a lost position: the next start begins at the view */
    loop_stop(r->loop);
}

/* The header of an answer. */
static Value header(const Query *q, Arena *a, i64 rc, i64 ac, Str text)
{
    Value h = value_dict(a, 12);
    value_put(&h, "rc", value_atom(QT_SHORT, rc));
    value_put(&h, "ac", value_atom(QT_SHORT, ac));
    value_put(&h, "ai", value_string(text));
    value_put(&h, "api", value_symbol(".kxi.getData"));
    value_put(&h, "logCorr", value_string(q->corr));
    value_put(&h, "rcvTS", value_timestamp(now_wall() - (now_mono() - q->began)));
    value_put(&h, "view", value_long((i64)q->view));
    value_put(&h, "ms", value_float((f64)(now_mono() - q->began) / 1e6));
    return h;
}

/* Encodes (header; payload) or the bare payload for JSON. */
static Err encode(Query *q, const Value *payload)
{
    Arena *a = &q->call->arena;
    Value cell;
    if (q->counted) {
        cell = value_at(&payload->as.table.cols[0], 0);
        payload = &cell;
    }
    if (q->bare) return wire_message(&q->answer, WIRE_RESPONSE, payload, q->call->capability);
    Value h = header(q, a, 0, 0, STR(""));
    if (call_wants_q(q->call)) {
        Value pair = value_list(a, 2);
        vec_value(&pair.as.vec)[0] = h;
        vec_value(&pair.as.vec)[1] = *payload;
        return wire_message(&q->answer, WIRE_RESPONSE, &pair,
                            q->call->http ? 3 : q->call->capability);
    }
    Value d = value_dict(a, 2);
    value_put(&d, "header", h);
    value_put(&d, "payload", *payload);
    return json_write(&q->answer, &d);
}

static void query_work(void *arg)
{
    Query *q = arg;
    Value table;
    q->err = run_execute(q->run, &table);
    if (q->err == E_OK) q->err = encode(q, &table);
    if (q->err == E_OK) q->err = run_intact(q->run);
    if (q->err != E_OK) q->text = arena_text(&q->call->arena, fail_text(), strlen(fail_text()));
}

/* The answer to a query that failed: for q clients a header that says so, for HTTP the error
 * shape. */
static void answer_failure(Query *q, Err err, const char *text)
{
    Call *call = q->call;
    q->reader->failed++;
    if (call->http || q->bare) {
        if (q->text != NULL) err = fail(err, "%s", text);
        call_fail(call, err);
        return;
    }
    Value pair = value_list(&call->arena, 2);
    i64 rc = 56, ac = err == E_NOT_FOUND ? 27 : 100 + (i64)err;
    vec_value(&pair.as.vec)[0] = header(q, &call->arena, rc, ac, str_of(text));
    vec_value(&pair.as.vec)[1] = value_null();
    call_value(call, &pair);
}

static void query_after(void *arg)
{
    Query *q = arg;
    Reader *r = q->reader;
    list_remove(&q->link);
    run_finish(q->run, &q->stats);
    reader_view_release(q->domain);
    r->running--;
    r->request_seconds += (f64)(now_mono() - q->began) / 1e9;
    LogLine l;
    log_begin(&l, LOG_DEBUG, "query.done");
    log_str(&l, "table", q->request.schema->name);
    log_i64(&l, "parts", (i64)q->stats.parts);
    log_i64(&l, "rows", (i64)q->stats.rows_scanned);
    log_f64(&l, "ms", (f64)(now_mono() - q->began) / 1e6);
    log_end(&l);
    if (q->err != E_OK)
        answer_failure(q, q->err, q->text);
    else if (call_wants_q(q->call) && !q->call->http)
        call_message(q->call, &q->answer);
    else
        call_http(q->call, 200,
                  call_wants_q(q->call) ? "application/octet-stream" : "application/json",
                  &q->answer);
    buf_free(&q->answer);
    query_free(q);
    start_queries(r);
}

/* Plans the queries in line and hands them to worker threads, as many as may run. */
static void start_queries(Reader *r)
{
    for (List *it = r->queue.next, *next; it != &r->queue && r->running < r->threads; it = next) {
        Query *q = LIST_ENTRY(it, Query, link);
        next = it->next;
        if (call_unread(q->call) > READER_UNREAD_MAX) continue; /* poll looks again */
        list_remove(&q->link);
        r->queued--;
        Err err = q->call->conn == NULL ? fail(E_CLOSED, "the peer is gone") : E_OK;
        if (err == E_OK) err = catch_up(r, UINT32_MAX);
        if (err == E_LIMIT)
            err = fail(E_BUSY, "live rows have reached memoryLimit; the next interval makes room");
        QuerySource *source = q->plain != NULL ? &q->plain->source : &r->source;
        if (err == E_OK) err = run_prepare(source, &q->request, &q->call->arena, &q->run);
        if (err != E_OK) {
            answer_failure(q, err, fail_text());
            query_free(q);
            continue;
        }
        q->view = source->view->number;
        q->domain = r->domain;
        if (q->domain != NULL) q->domain->uses++;
        r->running++;
        list_append(&r->active, &q->link);
        loop_work(r->loop, query_work, query_after, q);
    }
}

/* A query of a call; answers it when there is no memory. */
static Query *query_make(Reader *r, Call *call)
{
    Query *q = calloc(1, sizeof *q);
    r->requests++;
    if (q == NULL) {
        call_fail(call, fail(E_MEMORY, "no memory for a query"));
        return NULL;
    }
    q->reader = r;
    q->call = call;
    q->plain = r->plain;
    if (q->plain != NULL) q->plain->uses++;
    q->began = now_mono();
    return q;
}

/* Puts a query in line, or answers with what `err` says. */
static void query_enqueue(Query *q, Err err)
{
    Reader *r = q->reader;
    if (err == E_OK && !r->ready)
        err = fail(E_BUSY, "the reader is still following the stream up to the present");
    if (err == E_OK && r->queued >= READER_QUEUE_MAX)
        err = fail(E_BUSY, "%u queries wait", r->queued);
    if (err != E_OK) {
        answer_failure(q, err, fail_text());
        query_free(q);
        return;
    }
    list_append(&r->queue, &q->link);
    r->queued++;
    start_queries(r);
}

/* .kxi.getData [arguments; callback; options], POST /data. */
static void on_get_data(void *ctx, Call *call)
{
    Reader *r = ctx;
    Value args;
    Query *q = query_make(r, call);
    if (q == NULL) return;
    Err err = reader_ask_arguments(call, &args);
    if (err == E_OK) {
        q->corr = reader_ask_corr(&args);
        err = getdata_parse(&args, &r->config.tables, &call->arena, &q->request);
    }
    query_enqueue(q, err);
}

/* The argument agg that counts a table's rows. */
static Value count_agg(const Schema *s, Arena *a)
{
    Value agg = value_list(a, 1), one = value_list(a, 3);
    vec_value(&one.as.vec)[0] = value_symbol("rows");
    vec_value(&one.as.vec)[1] = value_symbol("count");
    vec_value(&one.as.vec)[2] = value_symbol(s->columns[0].name);
    vec_value(&agg.as.vec)[0] = one;
    return agg;
}

/* `select from T` and `count T` as getData would be asked. */
static void ask_text(Reader *r, Call *call, const Catalogue *c)
{
    Query *q = query_make(r, call);
    if (q == NULL) return;
    q->bare = true;
    Value args = value_dict(&call->arena, 3);
    value_put(&args, "table", value_symbol(c->schema->name));
    if (c->limited) value_put(&args, "limit", value_long(c->limit));
    q->counted = c->kind == CATALOGUE_COUNT;
    if (q->counted) value_put(&args, "agg", count_agg(c->schema, &call->arena));
    query_enqueue(q, getdata_parse(&args, &r->config.tables, &call->arena, &q->request));
}

/* Rows of a table now: parts and live rows. */
static u64 count_rows(Reader *r, const Schema *s)
{
    u64 rows = 0;
    if (r->source.dates) rows += reader_info_rows(r->view, PART_DATE, s->name);
    if (r->source.intervals) rows += reader_info_rows(r->view, PART_INTERVAL, s->name);
    for (u32 i = 0; r->live != NULL && i < r->config.tables.count; i++)
        if (r->config.tables.tables[i] == s) rows += live_rows(r->live, i);
    return rows;
}

/* A q text that is no function's name: what tools ask to look around. */
static bool on_text(void *ctx, Call *call)
{
    Reader *r = ctx;
    Catalogue c;
    if (call->arg_count > 0) return false;
    Err err = catalogue_parse(call->name, &r->config.tables, &c);
    if (err == E_OK && c.kind == CATALOGUE_UNKNOWN) return false;
    if (err == E_OK && c.kind == CATALOGUE_COUNT) err = catch_up(r, UINT32_MAX);
    if (err != E_OK) {
        call_fail(call, err);
        return true;
    }
    if (c.kind == CATALOGUE_SELECT || (c.kind == CATALOGUE_COUNT && r->folder != NULL)) {
        ask_text(r, call, &c);
        return true;
    }
    Value v = c.kind == CATALOGUE_COUNT ? value_long((i64)count_rows(r, c.schema))
                                        : catalogue_value(&c, &r->config.tables, &call->arena);
    call_value(call, &v);
    return true;
}

/* ---- a database that nobody manages */

static Err open_plain(Reader *r)
{
    PlainBase *b = NULL;
    Err err = plain_base_open(&b, r->folder, r->view == NULL ? 1 : r->view->number + 1);
    if (err != E_OK) return err;
    const Plain *p = &b->db->plain;
    for (u32 i = 0; i < p->note_count; i++)
        log_event(LOG_WARN, "da.odd", "%s: %s: %s", p->notes[i].path, p->notes[i].rule,
                  p->notes[i].text);
    plain_base_release(r->plain);
    r->plain = b;
    r->view = b->source.view;
    r->config.tables = b->db->tables;
    r->ready = true;
    log_event(LOG_INFO, "da.opened", "%s: %u partitions, %u tables", r->folder, p->part_count,
              b->db->tables.count);
    return E_OK;
}

/* .silt.reload, POST /v1/reload: partitions and tables that are new. Queries that run or wait keep
 * what they were asked of; when it fails, all others do, too. */
static void on_reload(void *ctx, Call *call)
{
    Reader *r = ctx;
    Err err = open_plain(r);
    if (err != E_OK) {
        call_fail(call, err);
        return;
    }
    r->reloads++;
    Value v = value_long((i64)r->view->number);
    call_value(call, &v);
}

static void on_hangup(void *arg, int signo)
{
    Reader *r = arg;
    (void)signo;
    Err err = open_plain(r);
    if (err != E_OK)
        log_fail(LOG_ERROR, "da.reload", err);
    else
        r->reloads++;
}

static void on_signal(void *arg, int signo)
{
    Reader *r = arg;
    log_event(LOG_INFO, "da.stopping", "signal %d", signo);
    loop_stop(r->loop);
}

/* Which mounts the instance serves. Without a stream mount in the assembly nobody else would serve
 * the live rows, so readers of the intraday mount do. */
static void choose_mounts(Reader *r)
{
    for (u32 i = 0; i < r->dap->mount_count; i++) {
        const Mount *m = r->dap->mounts[i];
        if (m->type == MOUNT_STREAM) r->tailing = true;
        if (m->partition == MOUNT_ORDINAL && r->config.stream == NULL) r->tailing = true;
        if (m->partition == MOUNT_ORDINAL) r->source.intervals = true;
        if (m->partition == MOUNT_DATE) r->source.dates = true;
    }
}

/* Opens what an assembly describes. */
static Err start_managed(Reader *r)
{
    Err err = E_OK;
    root_init(&r->root, r->config.name, r->config.idb->base, r->config.hdb->base,
              r->config.source->log_path, r->config.date_tiers, r->config.date_tier_count);
    view_cache_init(&r->cache, &r->root);
    choose_mounts(r);
    TRY(run_cache_make(&r->source.cache, READER_COLUMNS_MAX));
    TRY(reader_view_start(r));
    if (r->tailing) {
        TRY(live_make(&r->live, &r->config.tables, r->dap->memory_max));
        TRY(reader_view_follow(r));
    }
    r->source.tables = &r->config.tables;
    r->source.views = &r->cache;
    r->source.live = r->live;
    r->source.threads = proc_cpus();
done:
    return err;
}

static Err start_plain(Reader *r)
{
    Err err = E_OK;
    static const ApiEntry entries[] = {
        {".silt.reload", "POST", "/v1/reload", on_reload, "opens the database anew"}, {0}};
    TRY(open_plain(r));
    api_add(entries, r);
    TRY(loop_signal(r->loop, SIGHUP, on_hangup, r));
done:
    return err;
}

static Err start(Reader *r)
{
    Err err = E_OK;
    TRY(loop_make(&r->loop));
    TRY(r->folder != NULL ? start_plain(r) : start_managed(r));
    r->threads = r->dap->threads == 0 ? (u32)proc_cpus() : r->dap->threads;
    static const ApiEntry entries[] = {
        {".kxi.getData", "POST", "/data", on_get_data,
         "rows of a table: (arguments; callback; options)"},
        {NULL, "POST", "/kxi/getData", on_get_data, "the same, older path"},
        {0}};
    api_add(entries, r);
    api_text(on_text, r);
    reader_info_add(r);
    TRY(loop_signal(r->loop, SIGTERM, on_signal, r));
    TRY(loop_signal(r->loop, SIGINT, on_signal, r));
    ServerOptions server = {
        .host = r->dap->host, .port = r->dap->port, .calls_max = READER_CALLS_MAX};
    TRY(server_open(&r->server, r->loop, &server));
    log_event(LOG_INFO, "da.started", "port %u, view %llu", server_port(r->server),
              (unsigned long long)r->view->number);
    loop_timer(r->loop, &r->timer, 0, READER_POLL_MS, poll, r);
done:
    return err;
}

/* Gives up a query whose peer is gone with the server. */
static void query_drop(Query *q)
{
    list_remove(&q->link);
    buf_free(&q->answer);
    call_fail(q->call, fail(E_CLOSED, "the reader is stopping"));
    query_free(q);
}

static void stop(Reader *r)
{
    server_close(r->server);
    loop_free(r->loop); /* waits for queries that run; what follows them is done here */
    for (List *it = r->queue.next, *next; it != &r->queue; it = next) {
        next = it->next;
        query_drop(LIST_ENTRY(it, Query, link));
    }
    for (List *it = r->active.next, *next; it != &r->active; it = next) {
        next = it->next;
        Query *q = LIST_ENTRY(it, Query, link);
        run_finish(q->run, NULL);
        reader_view_release(q->domain);
        query_drop(q);
    }
    live_free(r->live);
    tail_close(&r->tail);
    if (r->view != NULL && r->folder == NULL) view_close(&r->cache, r->view);
    plain_base_release(r->plain);
    run_cache_free(r->source.cache);
    reader_view_release(r->domain);
    view_cache_free(&r->cache);
    scrub_free(&r->damage);
    root_close(&r->root);
}

/* Reads the assembly and chooses the instance. */
static Err configure(Reader *r)
{
    Err err = E_OK;
    ConfigSource source;
    ConfigFinding *findings = NULL;
    u32 count = 0;
    TRY(options_source(&r->options, &source));
    TRY(config_load(&r->config, &source, &findings, &count));
    TRY(config_supported(&r->config));
    if (r->instance == NULL) r->instance = proc_env("KXI_SC");
    if (r->instance == NULL && r->config.dap_count > 0) r->instance = r->config.daps[0].name;
    r->dap = r->instance == NULL ? NULL : config_dap(&r->config, r->instance);
    if (r->dap == NULL)
        TRY(fail(E_USAGE, "%s: elements.dap.instances: V-19: there is no instance %s",
                 r->config.file, r->instance == NULL ? "" : r->instance));
done:
    return err;
}

/* A folder needs no assembly: only a port, and that is the option's. */
static Err configure_plain(Reader *r)
{
    i64 port = READER_PORT;
    if (r->options.da_port != NULL) {
        Err err = options_number("da-port", r->options.da_port, 0, 65535, &port);
        if (err != E_OK) return err;
    }
    r->folder = r->options.file;
    r->config.name = r->folder;
    r->own = (ConfigDap){.name = r->instance == NULL ? "da" : r->instance,
                         .host = r->host == NULL ? "127.0.0.1" : r->host,
                         .port = (u16)port};
    r->dap = &r->own;
    return E_OK;
}

int reader_main(int argc, char **argv)
{
    Err err = E_OK;
    DirKind kind = DIR_ABSENT;
    Reader *r = calloc(1, sizeof *r);
    if (r == NULL) return fail_exit(E_MEMORY);
    list_init(&r->queue);
    list_init(&r->active);
    Option options[] = {
        OPTIONS_COMMON(r->options),
        {"instance", "NAME", &r->instance, NULL, "which of dap.instances (KXI_SC)"},
        {"host", "NAME", &r->host, NULL, "where to listen, over a folder (127.0.0.1)"},
        {0}};
    TRY(options_parse(&argc, argv, options));
    if (argc > 1) TRY(fail(E_USAGE, "silt da takes one assembly file or folder"));
    r->options.file = argc == 1 ? argv[0] : NULL;
    TRY(options_log(&r->options, "da"));
    TRY(fault_init("da"));
    TRY(guard_start());
    if (r->options.file != NULL) TRY(dir_kind(r->options.file, true, &kind));
    TRY(kind == DIR_FOLDER ? configure_plain(r) : configure(r));
    if (kind != DIR_FOLDER && r->host != NULL)
        TRY(fail(E_USAGE, "--host %s: an assembly says where its readers listen", r->host));
    r->started = now_mono();
    TRY(start(r));
    loop_run(r->loop);
    err = r->fatal;
done:
    if (err != E_OK) log_fail(LOG_ERROR, "da.failed", err);
    stop(r);
    config_free(&r->config);
    free(r);
    return fail_exit(err);
}
