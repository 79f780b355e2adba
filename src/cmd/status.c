/*
 * status: the manager's answers about itself, and the registry of clients (storage-manager.md 10,
 * 23, 25).
 *
 * A reload signal is a dictionary (ts, minTS, maxTS, pos, view, ...) sent asynchronously as
 * (callback; signal). A client with a timeout keeps the views it has not acknowledged from being
 * swept until its time is up; nothing else waits for it (O-38).
 */
#include "cmd/status.h"

#include <stdio.h>

#include "base/log.h"
#include "cmd/watch.h"
#include "db/scrub.h"
#include "os/dir.h"
#include "os/now.h"
#include "os/proc.h"
#include "q/temporal.h"
#include "serve/metric.h"

#define STATUS_VERSION "0.1.0"

/* The range of times that the view's parts of a kind hold; false when they hold none. */
static bool time_range(const View *v, PartKind kind, i64 *low, i64 *high)
{
    u64 at = 0;
    *low = INT64_MAX;
    *high = INT64_MIN;
    for (const Part *p; (p = view_next(v, kind, &at)) != NULL;)
        for (u32 t = 0; t < p->table_count; t++) {
            if (p->tables[t].rows == 0) continue;
            *low = MIN(*low, p->tables[t].time_min);
            *high = MAX(*high, p->tables[t].time_max);
        }
    return *low <= *high;
}

/* The reload signal of a mount (storage-manager.md 10). */
static Value reload_signal(const Sm *sm, const Mount *m, Arena *a)
{
    const View *v = sm->publish.current;
    i64 low = 0, high = 0;
    Value d = value_dict(a, 6);
    value_put(&d, "mount", value_symbol(m->name));
    value_put(&d, "ts", value_timestamp(v->committed));
    if (m->type == MOUNT_STREAM) {
        i64 from = sm->signal_count == 0 ? sm->schedule.start
                                         : v->interval_end; /* empty intervals make no view */
        value_put(&d, "minTS", value_timestamp(from));
        value_put(&d, "pos", value_long((i64)v->watermark));
    } else {
        bool some =
            time_range(v, m->partition == MOUNT_DATE ? PART_DATE : PART_INTERVAL, &low, &high);
        value_put(&d, "minTS", value_timestamp(some ? low : Q_NULL_LONG));
        value_put(&d, "maxTS", value_timestamp(some ? high : Q_NULL_LONG));
    }
    value_put(&d, "view", value_long((i64)v->number));
    return d;
}

static const Mount *find_mount(const Sm *sm, Str name)
{
    for (u32 i = 0; i < sm->config.mount_count; i++)
        if (str_is(name, sm->config.mounts[i].name)) return &sm->config.mounts[i];
    return NULL;
}

void status_tell(Sm *sm)
{
    for (u32 i = 0; i < sm->client_count; i++) {
        SmClient *c = &sm->clients[i];
        Arena a = {0};
        Buf b = {0};
        const Mount *m = find_mount(sm, str_of(c->mount));
        Value call = value_list(&a, 2);
        vec_value(&call.as.vec)[0] = value_symbol(c->callback);
        vec_value(&call.as.vec)[1] = reload_signal(sm, m, &a);
        if (wire_message(&b, WIRE_ASYNC, &call, 3) == E_OK) server_push(sm->server, c->conn, &b);
        if (c->timeout_ns > 0 && c->owed == 0) {
            c->owed = sm->publish.current->number;
            c->owed_since = now_mono();
        }
        buf_free(&b);
        arena_free(&a);
    }
}

void status_closed(Sm *sm, void *conn)
{
    for (u32 i = sm->client_count; i-- > 0;)
        if (sm->clients[i].conn == conn) sm->clients[i] = sm->clients[--sm->client_count];
}

u64 status_hold(Sm *sm)
{
    u64 hold = UINT64_MAX;
    i64 now = now_mono();
    for (u32 i = 0; i < sm->client_count; i++) {
        SmClient *c = &sm->clients[i];
        if (c->owed == 0) continue;
        if (now - c->owed_since > c->timeout_ns) {
            log_event(LOG_WARN, "client.late",
                      "a client of mount %s did not acknowledge view %llu in time", c->mount,
                      (unsigned long long)c->owed);
            c->owed = 0;
            continue;
        }
        hold = MIN(hold, c->owed - 1); /* it may still read the view before */
    }
    return hold;
}

/* .sm.api.register [mount; timeout; callback]: the last reload signal and the timeout in force. */
static void on_register(void *ctx, Call *call)
{
    Sm *sm = ctx;
    Err err = E_OK;
    Value args[3];
    Str mount = {0}, callback = {0};
    i64 timeout = 0;
    if (call->http || call->arg_count != 3)
        TRY(fail(E_USAGE, ".sm.api.register: mount, timeout and callback are expected"));
    for (u32 i = 0; i < 3; i++)
        TRY(wire_decode(call->arg_at[i], call->args[i].size, &call->arena, &args[i]));
    const Mount *m = value_text(&args[0], &mount) ? find_mount(sm, mount) : NULL;
    if (m == NULL) TRY(fail(E_NOT_FOUND, ".sm.api.register: no such mount"));
    if (!value_text(&args[2], &callback) || callback.size == 0 || callback.size > BOUND_NAME_MAX)
        TRY(fail(E_USAGE, ".sm.api.register: the callback is the name of a function"));
    if (!value_int_of(&args[1], &timeout) || timeout < 0)
        timeout = 0; /* null: will not acknowledge */
    if (sm->client_count == SM_CLIENTS_MAX)
        TRY(fail(E_LIMIT, "%d clients are registered", SM_CLIENTS_MAX));
    timeout = MIN(timeout, sm->config.reload_timeout_ns);
    SmClient *c = &sm->clients[sm->client_count++];
    *c = (SmClient){.conn = call->conn, .timeout_ns = m->type == MOUNT_STREAM ? 0 : timeout};
    memcpy(c->mount, mount.data, mount.size);
    memcpy(c->callback, callback.data, callback.size);
    Value v = value_dict(&call->arena, 2);
    value_put(&v, "signal", reload_signal(sm, m, &call->arena));
    value_put(&v, "timeout", value_atom(QT_TIMESPAN, c->timeout_ns));
    call_value(call, &v);
done:
    if (err != E_OK) call_fail(call, err);
}

/* .sm.api.reloadComplete [ts]: a client has opened the view of that signal. */
static void on_reload_complete(void *ctx, Call *call)
{
    Sm *sm = ctx;
    Value nothing = value_null();
    for (u32 i = 0; i < sm->client_count; i++)
        if (sm->clients[i].conn == call->conn) sm->clients[i].owed = 0;
    call_value(call, &nothing);
    sm_sweep(sm);
}

/* GET /v1/mounts, .sm.api.getMounts: the last reload signal of every mount. */
static void on_mounts(void *ctx, Call *call)
{
    Sm *sm = ctx;
    Value v = value_list(&call->arena, sm->config.mount_count);
    for (u32 i = 0; i < sm->config.mount_count; i++) {
        Value d = value_dict(&call->arena, 2);
        value_put(&d, "mount", value_symbol(sm->config.mounts[i].name));
        value_put(&d, "params", reload_signal(sm, &sm->config.mounts[i], &call->arena));
        vec_value(&v.as.vec)[i] = d;
    }
    call_value(call, &v);
}

static Value counts_value(const Sm *sm, Arena *a)
{
    const FeedCounts *c = feed_counts(sm->feed);
    Value d = value_dict(a, 9);
    value_put(&d, "messages", value_long((i64)c->messages));
    value_put(&d, "rows", value_long((i64)c->rows));
    value_put(&d, "bytes", value_long((i64)c->bytes));
    value_put(&d, "duplicates", value_long((i64)c->duplicates));
    value_put(&d, "deadUnknownTable", value_long((i64)c->dead_unknown_table));
    value_put(&d, "deadShape", value_long((i64)c->dead_shape));
    value_put(&d, "quarantinedNullTime", value_long((i64)c->quarantined_null));
    value_put(&d, "quarantinedFuture", value_long((i64)c->quarantined_future));
    value_put(&d, "logDropped", value_long((i64)c->log_dropped));
    return d;
}

static Value workers_value(const Sm *sm, Arena *a)
{
    Value d = value_dict(a, SM_WORKERS);
    for (u32 i = 0; i < SM_WORKERS; i++) {
        Value w = value_dict(a, 2);
        value_put(&w, "pid", value_long(sm->workers[i].pid));
        value_put(&w, "restarts", value_long(sm->workers[i].restarts));
        value_put(&d, sm->workers[i].name, w);
    }
    return d;
}

static Value stream_value(const Sm *sm, Arena *a)
{
    Value d = value_dict(a, 7);
    value_put(&d, "position", value_long((i64)wal_durable(sm->wal)));
    value_put(&d, "oldest", value_long((i64)wal_oldest(sm->wal)));
    value_put(&d, "watermark", value_long((i64)sm->publish.current->watermark));
    value_put(&d, "uncommittedBytes",
              value_long((i64)(wal_durable(sm->wal) - sm->publish.current->watermark)));
    value_put(&d, "logBytes", value_long((i64)wal_size(sm->wal)));
    value_put(&d, "syncs", value_long((i64)wal_syncs(sm->wal)));
    value_put(&d, "durability",
              value_string(sm->config.source->relaxed ? STR("relaxed") : STR("ack-after-sync")));
    return d;
}

/* A copy that lives as long as the answer. */
static Str text_of(Arena *a, const char *text) { return str_of(str_dup(a, str_of(text))); }

static Value damage_value(const ScrubDamage *d, Arena *a)
{
    Value one = value_dict(a, 8);
    value_put(&one, "part", value_string(text_of(a, d->part)));
    value_put(&one, "file", value_string(text_of(a, d->name)));
    value_put(&one, "what", value_string(text_of(a, d->what)));
    value_put(&one, "fromByte", value_long((i64)d->from));
    value_put(&one, "toByte", value_long((i64)d->to));
    value_put(&one, "fromRow", value_long((i64)d->row_from));
    value_put(&one, "toRow", value_long((i64)d->row_to));
    value_put(&one, "found", value_timestamp(d->found));
    return one;
}

/* Parts without checksums: imported, or written before there were any. */
static u64 count_bare(const View *v)
{
    u64 bare = 0;
    for (int kind = PART_INTERVAL; kind <= PART_DATE; kind++) {
        u64 at = 0;
        for (const Part *p; (p = view_next(v, (PartKind)kind, &at)) != NULL;)
            bare += !p->summed;
    }
    return bare;
}

/* How far the scrub is, and what it has found. */
static Value scrub_value(const Sm *sm, Arena *a)
{
    Scrub s;
    Value d = value_dict(a, 7);
    if (scrub_read(&sm->root, &s) != E_OK) s = (Scrub){0}; /* the scrub tells, and begins anew */
    Value damaged = value_list(a, s.count);
    for (u32 i = 0; i < s.count; i++)
        vec_value(&damaged.as.vec)[i] = damage_value(&s.damages[i], a);
    value_put(&d, "pass", value_long((i64)s.pass));
    value_put(&d, "began", value_timestamp(s.began == 0 ? Q_NULL_LONG : s.began));
    value_put(&d, "lastWhole", value_timestamp(s.last == 0 ? Q_NULL_LONG : s.last));
    value_put(&d, "bytes", value_long((i64)s.done));
    value_put(&d, "damagedFiles", value_long(s.count));
    value_put(&d, "withoutChecksums", value_long((i64)count_bare(sm->publish.current)));
    value_put(&d, "damaged", damaged);
    scrub_free(&s);
    return d;
}

/* GET /v1/status, .silt.status. */
static void on_status(void *ctx, Call *call)
{
    Sm *sm = ctx;
    Arena *a = &call->arena;
    const View *v = sm->publish.current;
    u32 waiting = 0;
    for (u32 i = 0; i < sm->request_count; i++)
        waiting += sm->requests[i].state != SM_COMPLETED;
    Value d = value_dict(a, 17);
    value_put(&d, "name", value_string(str_of(sm->config.name)));
    value_put(&d, "version", value_string(STR(STATUS_VERSION)));
    value_put(&d, "role", value_string(STR("sm")));
    value_put(&d, "pid", value_long(proc_id()));
    value_put(&d, "uptimeSeconds", value_float((f64)(now_mono() - sm->started) / 1e9));
    value_put(&d, "view", value_long((i64)v->number));
    value_put(&d, "eoi", value_long((i64)v->eoi));
    value_put(&d, "eod", value_long((i64)v->eod));
    value_put(&d, "eoiOpen", value_long(sm->signal_count));
    value_put(&d, "eodQueue", value_long(waiting));
    value_put(&d, "intervalParts", value_long((i64)view_part_count(v, PART_INTERVAL)));
    value_put(&d, "dateParts", value_long((i64)view_part_count(v, PART_DATE)));
    value_put(&d, "stream", stream_value(sm, a));
    value_put(&d, "intake", counts_value(sm, a));
    value_put(&d, "workers", workers_value(sm, a));
    value_put(&d, "scrub", scrub_value(sm, a));
    if (v->lost_to > v->lost_from) {
        Value lost = value_dict(a, 2);
        value_put(&lost, "from", value_long(v->lost_from));
        value_put(&lost, "to", value_long(v->lost_to));
        value_put(&d, "lost", lost);
    }
    call_value(call, &d);
}

/* Why a part is where it is. */
static Str part_why(const Part *p)
{
    u64 number = 0;
    const char *slash = strrchr(p->path, '/');
    bool ours = slash != NULL && root_numbered(str_of(slash + 1), "", &number);
    if (p->kind == PART_DATE) return ours ? STR("day was written") : STR("imported");
    return p->late ? STR("rows of other days, until the next EOD") : STR("interval of an open day");
}

/* Fills one row of the table of parts. */
static void part_row(const Config *c, const Part *p, const PartTable *t, u64 row, Value *cols)
{
    bool interval = p->kind == PART_INTERVAL;
    const char *tier =
        interval ? c->idb_tier->name : c->date_tiers[MIN(p->tier, c->date_tier_count - 1)].name;
    vec_str(&cols[0].as.vec)[row] = interval ? STR("interval") : STR("date");
    vec_i32(&cols[1].as.vec)[row] = p->key;
    vec_i32(&cols[2].as.vec)[row] = p->day;
    vec_str(&cols[3].as.vec)[row] = str_of(tier);
    vec_str(&cols[4].as.vec)[row] = str_of(t->name);
    vec_i64(&cols[5].as.vec)[row] = (i64)t->rows;
    vec_i64(&cols[6].as.vec)[row] = (i64)t->bytes;
    vec_i64(&cols[7].as.vec)[row] = t->rows == 0 ? Q_NULL_LONG : t->time_min;
    vec_i64(&cols[8].as.vec)[row] = t->rows == 0 ? Q_NULL_LONG : t->time_max;
    vec_value(&cols[9].as.vec)[row] = value_string(str_of(p->path));
    vec_value(&cols[10].as.vec)[row] = value_string(part_why(p));
}

Value status_parts(const View *v, const Config *c, Arena *a)
{
    static const char *const names[] = {"kind",  "part",  "date",  "tier", "table", "rows",
                                        "bytes", "minTS", "maxTS", "path", "why"};
    static const int types[] = {QT_SYMBOL,    QT_INT,  QT_DATE, QT_SYMBOL,
                                QT_SYMBOL,    QT_LONG, QT_LONG, QT_TIMESTAMP,
                                QT_TIMESTAMP, QT_LIST, QT_LIST};
    u64 rows = 0;
    for (PartKind kind = PART_INTERVAL; kind <= PART_DATE; kind++) {
        u64 at = 0;
        for (const Part *p; (p = view_next(v, kind, &at)) != NULL;)
            rows += p->table_count;
    }
    Value table = value_table(a, COUNT_OF(names));
    for (u32 i = 0; i < COUNT_OF(names); i++) {
        u64 width = types[i] == QT_LIST ? sizeof(Value) : type_width(types[i]);
        table.as.table.names[i] = str_of(names[i]);
        table.as.table.cols[i] =
            value_vec(vec_of(types[i], arena_alloc(a, (rows + 1) * width), rows));
    }
    u64 row = 0;
    for (int kind = PART_DATE; kind >= PART_INTERVAL; kind--) {
        u64 at = 0;
        for (const Part *p; (p = view_next(v, (PartKind)kind, &at)) != NULL;)
            for (u32 t = 0; t < p->table_count; t++)
                part_row(c, p, &p->tables[t], row++, table.as.table.cols);
    }
    return table;
}

/* GET /v1/partitions, .silt.parts. */
static void on_parts(void *ctx, Call *call)
{
    Sm *sm = ctx;
    Value v = status_parts(sm->publish.current, &sm->config, &call->arena);
    call_value(call, &v);
}

/* The columns of a table: name, type. */
static Value columns_value(const Schema *s, Arena *a)
{
    Value table = value_table(a, 2);
    Str *names = arena_array(a, Str, s->column_count),
        *types = arena_array(a, Str, s->column_count);
    for (u32 i = 0; i < s->column_count; i++) {
        names[i] = str_of(s->columns[i].name);
        types[i] = str_of(type_name(s->columns[i].type));
    }
    table.as.table.names[0] = STR("name");
    table.as.table.names[1] = STR("type");
    table.as.table.cols[0] = value_vec(vec_of(QT_SYMBOL, names, s->column_count));
    table.as.table.cols[1] = value_vec(vec_of(QT_SYMBOL, types, s->column_count));
    return table;
}

/* GET /v1/tables, .silt.tables: what rows of each table look like. */
static void on_tables(void *ctx, Call *call)
{
    Sm *sm = ctx;
    const SchemaSet *tables = &sm->config.tables;
    Value v = value_dict(&call->arena, tables->count);
    for (u32 i = 0; i < tables->count; i++) {
        const Schema *s = tables->tables[i];
        Value d = value_dict(&call->arena, 2);
        value_put(&d, "prtnCol", value_symbol(s->prtn < 0 ? "" : s->columns[s->prtn].name));
        value_put(&d, "columns", columns_value(s, &call->arena));
        value_put(&v, s->name, d);
    }
    call_value(call, &v);
}

static void on_health(void *ctx, Call *call)
{
    (void)ctx;
    Buf b = {0};
    Err err = buf_text(&b, "ok\n");
    if (err != E_OK)
        call_fail(call, err);
    else
        call_http(call, 200, "text/plain", &b);
}

static void on_ready(void *ctx, Call *call)
{
    Sm *sm = ctx;
    Buf b = {0};
    bool ready = !sm->stopping && sm->workers[SM_EOI].pid > 0;
    Err err = buf_text(&b, ready ? "ready\n" : "not ready\n");
    if (err != E_OK)
        call_fail(call, err);
    else
        call_http(call, ready ? 200 : 503, "text/plain", &b);
}

static void on_metrics(void *ctx, Call *call)
{
    (void)ctx;
    Buf b = {0};
    if (metric_write(&b) != E_OK) {
        buf_free(&b);
        call_fail(call, fail_last());
        return;
    }
    call_http(call, 200, "application/openmetrics-text; version=1.0.0; charset=utf-8", &b);
}

static void gauge(const char *name, const char *help, f64 value)
{
    metric_set(metric_get(METRIC_GAUGE, name, "", help), value);
}

static void counter(const char *name, const char *labels, const char *help, f64 value)
{
    metric_set(metric_get(METRIC_COUNTER, name, labels, help), value);
}

/* Free bytes of the device below each base folder. */
static void collect_space(const char *store, const char *path)
{
    u64 free_bytes = 0, all_bytes = 0;
    char labels[64];
    if (dir_space(path, &free_bytes, &all_bytes) != E_OK) return; /* shown as absent */
    snprintf(labels, sizeof labels, "store=\"%s\"", store);
    metric_set(metric_get(METRIC_GAUGE, "silt_store_free_bytes", labels,
                          "bytes free on the device of a store"),
               (f64)free_bytes);
}

static void collect_scrub(const Sm *sm)
{
    Scrub s;
    gauge("silt_unsummed_parts", "partitions without checksums: the scrub has not read them yet",
          (f64)count_bare(sm->publish.current));
    if (scrub_read(&sm->root, &s) != E_OK) return; /* shown as absent */
    gauge("silt_damaged_files", "files that are not what was written, as far as the scrub knows",
          (f64)s.count);
    gauge("silt_scrub_last_seconds", "wall time at which the last whole pass of the scrub ended",
          s.last == 0 ? 0 : (f64)s.last / 1e9 + 946684800.0);
    counter("silt_scrub_passes", "", "passes of the scrub that were begun", (f64)s.pass);
    scrub_free(&s);
}

/* How often each worker was started again. */
static void collect_workers(const Sm *sm)
{
    for (u32 i = 0; i < SM_WORKERS; i++) {
        char labels[64];
        snprintf(labels, sizeof labels, "worker=\"%s\"", sm->workers[i].name);
        counter("silt_worker_restarts", labels, "starts after an end that nobody asked for",
                (f64)sm->workers[i].restarts);
    }
}

static void collect(void *arg)
{
    Sm *sm = arg;
    const FeedCounts *c = feed_counts(sm->feed);
    const ServerCounts *s = server_counts(sm->server);
    const View *v = sm->publish.current;
    gauge("kxi_sm_eoi_duration_seconds", "seconds from the last interval's signal to its commit",
          sm->last_eoi_s);
    gauge("kxi_sm_eoi_records", "rows of the last interval", (f64)sm->last_eoi_rows);
    gauge("silt_eod_duration_seconds", "seconds of the last day job", sm->last_eod_s);
    gauge("silt_eod_records", "rows of the last day job", (f64)sm->last_eod_rows);
    gauge("silt_commit_seconds", "seconds of the last commit of a view", sm->last_commit_s);
    gauge("silt_view", "number of the newest view", (f64)v->number);
    gauge("silt_stream_position", "end of the durable stream", (f64)wal_durable(sm->wal));
    gauge("silt_stream_uncommitted_bytes", "bytes of the stream after the view's watermark",
          (f64)(wal_durable(sm->wal) - v->watermark));
    gauge("silt_stream_log_bytes", "bytes of all log files", (f64)wal_size(sm->wal));
    gauge("silt_interval_parts", "interval parts in the view",
          (f64)view_part_count(v, PART_INTERVAL));
    gauge("silt_date_parts", "date parts in the view", (f64)view_part_count(v, PART_DATE));
    gauge("silt_connections", "open connections", (f64)s->connections);
    gauge("silt_memory_bytes", "resident anonymous memory", (f64)proc_memory());
    counter("silt_eoi", "", "intervals written", (f64)sm->eois);
    counter("silt_eoi_skipped", "", "signals left out because the last interval was not committed",
            (f64)sm->skipped);
    counter("silt_eod", "", "day jobs done", (f64)sm->eods);
    gauge("silt_eoi_open_seconds", "seconds since the oldest signal that is not committed",
          watch_open_seconds(sm));
    collect_workers(sm);
    counter("silt_stream_messages", "", "messages published", (f64)c->messages);
    counter("silt_stream_rows", "", "rows published", (f64)c->rows);
    counter("silt_stream_bytes", "", "bytes published", (f64)c->bytes);
    counter("silt_stream_syncs", "", "syncs of the stream", (f64)wal_syncs(sm->wal));
    counter("silt_stream_duplicates", "", "messages seen before and not stored again",
            (f64)c->duplicates);
    counter("silt_dead_letters", "reason=\"unknown_table\"", "messages refused",
            (f64)c->dead_unknown_table);
    counter("silt_dead_letters", "reason=\"shape\"", "messages refused", (f64)c->dead_shape);
    counter("silt_quarantined_rows", "reason=\"null_time\"", "rows set aside",
            (f64)c->quarantined_null);
    counter("silt_quarantined_rows", "reason=\"future\"", "rows set aside",
            (f64)c->quarantined_future);
    collect_scrub(sm);
    collect_space("idb", sm->root.idb);
    collect_space("hdb", sm->root.hdb);
}

void status_init(Sm *sm)
{
    static const ApiEntry entries[] = {
        {".silt.status", "GET", "/v1/status", on_status,
         "version, counters, stream position, running work"},
        {".silt.parts", "GET", "/v1/partitions", on_parts,
         "where each partition is, its rows and bytes, and why"},
        {".silt.tables", "GET", "/v1/tables", on_tables,
         "the tables, their partition column, columns and types"},
        {".sm.api.getMounts", "GET", "/v1/mounts", on_mounts,
         "the last reload signal of every mount"},
        {".sm.api.register", NULL, NULL, on_register,
         "(mount; timeout; callback): reload news of a mount"},
        {".sm.api.reloadComplete", NULL, NULL, on_reload_complete,
         "(ts): the client has opened the new view"},
        {NULL, "GET", "/healthz", on_health, "the process lives"},
        {NULL, "GET", "/readyz", on_ready, "the manager takes rows and its workers run"},
        {NULL, "GET", "/metrics", on_metrics, "counters and gauges as OpenMetrics text"},
        {0}};
    api_add(entries, sm);
    metric_collect(collect, sm);
}
