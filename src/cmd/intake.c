/*
 * intake: publishing over q IPC and HTTP.
 *
 * A handler checks and buffers (feed_publish); nothing is answered yet. At the end of the loop turn
 * everything is written and synced once (group commit), then all waiting calls are answered.
 * Asynchronous q messages get no answer. Refused messages are answered with their error at once;
 * they stand in the dead-letter log all the same.
 *
 * Calls: upd, .u.upd, .b [table; data]; .silt.upd [table; data; publisher; session; sequence];
 * POST /v1/publish/TABLE with text/csv, application/json or application/octet-stream (one q IPC
 * message).
 */
#include "cmd/intake.h"

#include <stdlib.h>

#include "base/log.h"
#include "cmd/body.h"
#include "q/json.h"
#include "table/csv.h"

/* What a waiting call will be told. */
typedef struct {
    FeedResult result;
    bool detailed; /* a dictionary instead of the position */
} Ack;

/* Puts a call on the list that the next sync answers. */
static void wait_for_sync(Sm *sm, Call *call, const FeedResult *result, bool detailed)
{
    if (!call->sync) {
        Value nothing = value_null();
        call_value(call, &nothing);
        return;
    }
    Ack *ack = arena_new(&call->arena, Ack);
    ack->result = *result;
    ack->detailed = detailed;
    call->user = ack;
    if (sm->ack_count == sm->ack_room) {
        u32 room = sm->ack_room == 0 ? 256 : 2 * sm->ack_room;
        Call **acks = realloc(sm->acks, room * sizeof *acks);
        if (acks == NULL) {
            call_fail(call, fail(E_MEMORY, "no memory for %u waiting publishers", room));
            return;
        }
        sm->acks = acks;
        sm->ack_room = room;
    }
    sm->acks[sm->ack_count++] = call;
}

static void answer(Call *call)
{
    const Ack *ack = call->user;
    const FeedResult *r = &ack->result;
    Value v = value_long((i64)r->position);
    if (ack->detailed) {
        v = value_dict(&call->arena, 4);
        value_put(&v, "rows", value_long((i64)r->rows));
        value_put(&v, "position", value_long((i64)r->position));
        value_put(&v, "quarantined", value_long((i64)r->bad_rows));
        value_put(&v, "duplicate", value_bool(r->verdict == FEED_DUPLICATE));
    }
    call_value(call, &v);
}

/* A group that could not be written and synced may be there in part, whatever the reason was: never
 * the answer of a message that was not taken, which may be given a new number. */
static Err sync_group(Sm *sm)
{
    if (sm->fatal != E_OK) return fail(E_IO, "the manager ends after a failure");
    Err err = feed_sync(sm->feed);
    if (err == E_OK || err == E_IO) return err;
    FailRecord why;
    fail_save(&why);
    return fail(E_IO, "%s", why.text);
}

void intake_sync(Sm *sm)
{
    Err err = sync_group(sm);
    u32 count = sm->ack_count;
    sm->ack_count = 0;
    for (u32 i = 0; i < count; i++) {
        if (err == E_OK)
            answer(sm->acks[i]);
        else
            call_fail(sm->acks[i], err);
    }
    if (err != E_OK) sm_fatal(sm, err);
}

static void turn(void *arg)
{
    Sm *sm = arg;
    if (sm->feed != NULL) intake_sync(sm);
}

/* Checks and buffers one object. */
static void publish(Sm *sm, Call *call, FeedMessage *m, bool detailed)
{
    FeedResult result = {0};
    bool ending = sm->stopping || sm->fatal != E_OK;
    Err err =
        ending ? fail(E_CLOSED, "the manager is stopping") : feed_publish(sm->feed, m, &result);
    if (err != E_OK) {
        call_fail(call, err);
        /* Nothing behind it may be taken: it is sent again with its number (P5). */
        if (err == E_IO) sm_fatal(sm, err);
        return;
    }
    wait_for_sync(sm, call, &result, detailed);
}

/* The text of a symbol or string argument. */
static bool text_arg(const Call *call, u32 i, Str *text)
{
    const WireObject *o = &call->args[i];
    if (o->type == -QT_SYMBOL && o->size >= 2)
        *text = (Str){(const char *)o->data, o->size - 2};
    else if (o->type == QT_CHAR)
        *text = (Str){(const char *)o->data, o->count};
    else if (o->type == -QT_CHAR)
        *text = (Str){(const char *)o->data, 1};
    else
        return false;
    return true;
}

static bool number_arg(const Call *call, u32 i, u64 *number)
{
    const WireObject *o = &call->args[i];
    i64 n;
    if (o->type == -QT_LONG)
        n = load_i64(o->data);
    else if (o->type == -QT_INT)
        n = load_i32(o->data);
    else
        return false;
    *number = (u64)n;
    return n >= 0;
}

static void on_upd(void *ctx, Call *call)
{
    Sm *sm = ctx;
    FeedMessage m = {0};
    if (call->arg_count != 2 || !text_arg(call, 0, &m.table)) {
        call_fail(call, fail(E_USAGE, "%.*s: a table's name and its rows are expected",
                             STR_FMT(call->name)));
        return;
    }
    m.body = call->arg_at[1];
    m.size = call->args[1].size;
    publish(sm, call, &m, false);
}

static void on_silt_upd(void *ctx, Call *call)
{
    Sm *sm = ctx;
    FeedMessage m = {0};
    Str publisher = {0};
    if (call->arg_count != 5 || !text_arg(call, 0, &m.table) || !text_arg(call, 2, &publisher) ||
        publisher.size == 0 || !number_arg(call, 3, &m.session) ||
        !number_arg(call, 4, &m.sequence)) {
        call_fail(
            call,
            fail(E_USAGE, ".silt.upd: table, rows, publisher, session and sequence are expected"));
        return;
    }
    m.body = call->arg_at[1];
    m.size = call->args[1].size;
    m.publisher = feed_publisher_id(publisher);
    publish(sm, call, &m, true);
}

/* Who sent an HTTP request, for exactly-once: Silt-Publisher, Silt-Session, Silt-Sequence; all or
 * none. */
static Err http_publisher(const Call *call, FeedMessage *m)
{
    Str publisher = call_header(call, "Silt-Publisher");
    Str session = call_header(call, "Silt-Session"), sequence = call_header(call, "Silt-Sequence");
    i64 a = 0, b = 0;
    if (publisher.size == 0 && session.size == 0 && sequence.size == 0) return E_OK;
    if (publisher.size == 0 || !str_i64(session, &a) || !str_i64(sequence, &b) || a < 0 || b < 0)
        return fail(
            E_USAGE,
            "Silt-Publisher, Silt-Session and Silt-Sequence go together; the last two are numbers");
    m->publisher = feed_publisher_id(publisher);
    m->session = (u64)a;
    m->sequence = (u64)b;
    return E_OK;
}

/* Reads CSV or JSON rows into a batch. */
static Err read_rows(Call *call, Str type, Batch *batch)
{
    Str text = {(const char *)call->data, call->data_size};
    if (str_starts(type, STR("application/json"))) {
        Value v;
        Err err = json_parse(text, &call->arena, &v);
        return err == E_OK ? csv_from_json(batch, &v) : err;
    }
    Csv csv = {0};
    csv_init(&csv, batch->schema, true);
    Err err = csv_feed(&csv, text, true, batch);
    csv_free(&csv);
    return err;
}

/* Parks what an HTTP request brought and cannot be stored, as its text: the feed finds the table
 * unknown or the shape wrong, keeps it in the dead-letter log and counts it (O-14). The caller
 * answers with its own error. */
static void park(Sm *sm, const Call *call)
{
    Buf body = {0};
    Value text = value_string((Str){(const char *)call->data, call->data_size});
    FeedMessage m = {.table = call->rest};
    FeedResult result;
    Err err = wire_encode(&body, &text);
    m.body = body.data;
    m.size = body.size;
    if (err == E_OK) err = feed_publish(sm->feed, &m, &result);
    ASSERT(err != E_OK); /* a text is no table's rows */
    buf_free(&body);
}

static void on_http_publish(void *ctx, Call *call)
{
    Sm *sm = ctx;
    Err err = E_OK;
    FeedMessage m = {.table = call->rest};
    Batch batch = {0};
    Buf body = {0};
    bool sent = false;
    Str type = call_header(call, "Content-Type");
    TRY(http_publisher(call, &m));
    const Schema *schema = schema_table(&sm->config.tables, call->rest);
    if (schema == NULL)
        TRY(fail(E_NOT_FOUND, "table %.*s is not in the assembly", STR_FMT(call->rest)));
    if (str_starts(type, STR("application/octet-stream"))) {
        TRY(body_open(call, &m.body, &m.size));
    } else {
        if (type.size != 0 && !str_starts(type, STR("text/csv")) &&
            !str_starts(type, STR("application/json")))
            TRY(fail(E_UNSUPPORTED,
                     "Content-Type %.*s: text/csv, application/json or application/octet-stream",
                     STR_FMT(type)));
        batch_init(&batch, schema);
        TRY(read_rows(call, type, &batch));
        TRY(batch_encode(&body, &batch, 0, batch.rows));
        m.body = body.data;
        m.size = body.size;
    }
    sent = true;
    publish(sm, call, &m, true);
done:
    if (!sent) {
        FailRecord why;
        fail_save(&why);
        if (err == E_NOT_FOUND || err == E_TYPE || err == E_USAGE) park(sm, call);
        fail_restore(&why);
        call_fail(call, err);
    }
    batch_free(&batch);
    buf_free(&body);
}

void intake_init(Sm *sm)
{
    static const ApiEntry entries[] = {
        {"upd", NULL, NULL, on_upd,
         "(`upd; table; rows): publishes rows; a synchronous call returns the position"},
        {".u.upd", NULL, NULL, on_upd, "the same, as a tickerplant names it"},
        {".b", NULL, NULL, on_upd, "the same, as stream publishers name it"},
        {".silt.upd", NULL, NULL, on_silt_upd,
         "(table; rows; publisher; session; sequence): publishes exactly once"},
        {0}};
    static const ApiEntry http[] = {
        {NULL, "POST", "/v1/publish/", on_http_publish,
         "publishes CSV, JSON or q rows of the table named last in the path"},
        {0}};
    api_add_brief(entries, sm);
    api_add(http, sm);
    loop_each_turn(sm->loop, turn, sm);
}
