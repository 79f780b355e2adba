/*
 * reader_info: calls that read the reader's state and answer at once, on the loop thread.
 */
#include "cmd/reader_info.h"

#include "column/image.h"
#include "os/now.h"
#include "os/proc.h"
#include "serve/metric.h"

u64 reader_info_rows(const View *v, PartKind kind, const char *table)
{
    u64 at = 0, rows = 0;
    for (const Part *p; (p = view_next(v, kind, &at)) != NULL;) {
        const PartTable *t = view_part_table(p, table);
        if (t == NULL) continue;
        u64 some = __atomic_load_n(&t->rows, __ATOMIC_RELAXED);
        if (some == PART_UNCOUNTED) return (u64)Q_NULL_LONG;
        rows += some;
    }
    return rows;
}

/* .kxi.ping, /kxi/ping. */
static void on_ping(void *ctx, Call *call)
{
    (void)ctx;
    Value v = value_bool(true);
    call_value(call, &v);
}

/* .kxi.getMeta, /meta: tables with their columns and rows. */
static void on_meta(void *ctx, Call *call)
{
    Reader *r = ctx;
    Arena *a = &call->arena;
    Value tables = value_list(a, r->config.tables.count);
    for (u32 i = 0; i < r->config.tables.count; i++) {
        const Schema *s = r->config.tables.tables[i];
        Value columns = value_list(a, s->column_count);
        for (u32 c = 0; c < s->column_count; c++) {
            Value d = value_dict(a, 3);
            value_put(&d, "column", value_symbol(s->columns[c].name));
            value_put(&d, "type", value_symbol(type_name(s->columns[c].type)));
            value_put(&d, "attrDisk", value_symbol(type_attr_name(s->columns[c].attr[PLACE_DISK])));
            vec_value(&columns.as.vec)[c] = d;
        }
        Value d = value_dict(a, 6);
        value_put(&d, "table", value_symbol(s->name));
        value_put(&d, "prtnCol", value_symbol(s->prtn < 0 ? "" : s->columns[s->prtn].name));
        value_put(&d, "columns", columns);
        value_put(&d, "historyRows",
                  value_long((i64)reader_info_rows(r->view, PART_DATE, s->name)));
        value_put(&d, "intradayRows",
                  value_long((i64)reader_info_rows(r->view, PART_INTERVAL, s->name)));
        value_put(&d, "liveRows", value_long(r->live == NULL ? 0 : (i64)live_rows(r->live, i)));
        vec_value(&tables.as.vec)[i] = d;
    }
    Value d = value_dict(a, 3);
    value_put(&d, "assembly", value_symbol(r->config.name));
    value_put(&d, "view", value_long((i64)r->view->number));
    value_put(&d, "tables", tables);
    call_value(call, &d);
}

/* Why the newest view is not open. */
static Value stale_value(const ReaderStale *s, Arena *a)
{
    Value d = value_dict(a, 3);
    value_put(&d, "since", value_timestamp(s->since));
    value_put(&d, "tries", value_long((i64)s->tries));
    value_put(&d, "reason", value_string(str_of(str_dup(a, str_of(s->text)))));
    return d;
}

/* GET /v1/status. */
static void on_status(void *ctx, Call *call)
{
    Reader *r = ctx;
    Value d = value_dict(&call->arena, 13);
    value_put(&d, "name", value_string(str_of(r->config.name)));
    value_put(&d, "role", value_string(STR("da")));
    value_put(&d, "instance", value_string(str_of(r->dap->name)));
    value_put(&d, "pid", value_long(proc_id()));
    value_put(&d, "ready", value_bool(r->ready));
    value_put(&d, "view", value_long((i64)r->view->number));
    value_put(&d, "position", value_long(r->live == NULL ? 0 : (i64)live_position(r->live)));
    value_put(&d, "liveRows", value_long(r->live == NULL ? 0 : (i64)live_rows(r->live, ~0u)));
    value_put(&d, "liveBytes", value_long(r->live == NULL ? 0 : (i64)live_bytes(r->live, ~0u)));
    value_put(&d, "requests", value_long((i64)r->requests));
    value_put(&d, "failed", value_long((i64)r->failed));
    value_put(&d, "reloads", value_long((i64)r->reloads));
    if (r->stale.err != E_OK) value_put(&d, "stale", stale_value(&r->stale, &call->arena));
    call_value(call, &d);
}

static void answer_text(Call *call, int status, const char *text)
{
    Buf b = {0};
    Err err = buf_text(&b, text);
    if (err != E_OK)
        call_fail(call, err);
    else
        call_http(call, status, "text/plain", &b);
}

static void on_health(void *ctx, Call *call)
{
    (void)ctx;
    answer_text(call, 200, "ok\n");
}

static void on_ready(void *ctx, Call *call)
{
    const Reader *r = ctx;
    answer_text(call, r->ready ? 200 : 503, r->ready ? "ready\n" : "not ready\n");
}

static void on_metrics(void *ctx, Call *call)
{
    (void)ctx;
    Buf b = {0};
    Err err = metric_write(&b);
    if (err != E_OK) {
        buf_free(&b);
        call_fail(call, err);
        return;
    }
    call_http(call, 200, "application/openmetrics-text; version=1.0.0; charset=utf-8", &b);
}

static void collect(void *arg)
{
    const Reader *r = arg;
    u64 blocks, whole;
    image_memory(&blocks, &whole);
    f64 stale = r->stale.err == E_OK ? 0 : (f64)(now_wall() - r->stale.since) / 1e9;

    const struct {
        MetricKind kind;
        const char *name, *help;
        f64 value;
    } all[] = {
        {METRIC_COUNTER, "kxi_da_requests", "queries asked", (f64)r->requests},
        {METRIC_COUNTER, "kxi_da_failed_requests", "queries that failed", (f64)r->failed},
        {METRIC_COUNTER, "silt_da_request_seconds", "seconds spent on queries", r->request_seconds},
        {METRIC_COUNTER, "silt_da_reloads", "views opened after the first", (f64)r->reloads},
        {METRIC_COUNTER, "silt_da_early_intervals", "requests to end the interval early",
         (f64)r->early},
        {METRIC_COUNTER, "silt_da_stale_tries", "tries to open the newest view that failed",
         (f64)r->stale.tries},
        {METRIC_GAUGE, "silt_da_stale_seconds",
         "for how long a newer view could not be opened, 0 when the newest is open", stale},
        {METRIC_GAUGE, "silt_da_view", "number of the open view", (f64)r->view->number},
        {METRIC_GAUGE, "silt_da_queued", "queries that wait", r->queued},
        {METRIC_GAUGE, "silt_da_running", "queries that run", r->running},
        {METRIC_GAUGE, "kxi_da_stream_pos", "position in the stream",
         r->live ? (f64)live_position(r->live) : 0},
        {METRIC_GAUGE, "kxi_da_records_after_purge", "live rows",
         r->live ? (f64)live_rows(r->live, ~0u) : 0},
        {METRIC_GAUGE, "silt_da_live_bytes", "memory of live rows",
         r->live ? (f64)live_bytes(r->live, ~0u) : 0},
        {METRIC_COUNTER, "silt_da_inflated_blocks", "blocks of compressed columns inflated",
         (f64)image_inflated()},
        {METRIC_GAUGE, "silt_da_inflated_bytes", "inflated blocks in memory", (f64)blocks},
        {METRIC_GAUGE, "silt_memory_bytes", "resident anonymous memory", (f64)proc_memory()},
    };

    for (u32 i = 0; i < COUNT_OF(all); i++)
        metric_set(metric_get(all[i].kind, all[i].name, "", all[i].help), all[i].value);
}

void reader_info_add(Reader *r)
{
    static const ApiEntry entries[] = {
        {".kxi.getMeta", "GET", "/meta", on_meta, "tables, columns, rows"},
        {".kxi.ping", "GET", "/kxi/ping", on_ping, "true"},
        {".silt.status", "GET", "/v1/status", on_status, "view, position, live rows"},
        {NULL, "GET", "/healthz", on_health, "the process lives"},
        {NULL, "GET", "/readyz", on_ready, "queries are answered"},
        {NULL, "GET", "/metrics", on_metrics, "counters and gauges as OpenMetrics text"},
        {0}};
    api_add(entries, r);
    metric_collect(collect, r);
}
