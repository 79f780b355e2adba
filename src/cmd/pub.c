/*
 * pub: `silt pub TABLE`: rows from standard input to the stream, exactly once.
 *
 * Rows are collected into batches; each becomes one `.silt.upd` message with the publisher's name,
 * a session (drawn at start) and a sequence number. Up to `window` messages are on the way at once,
 * in a ring in the order in which they were sent, which is the order of their numbers. The manager
 * answers in order, after the rows are durable.
 *
 *   1. A connection that breaks (or a manager that stops) leaves open what became of the messages
 * on the way. They are sent again with their numbers, oldest first, until --retry seconds have
 *      passed without an acknowledgement; what was taken already is acknowledged as a duplicate.
 *   2. A message that the manager could not take just now (back-pressure, a full disk) was not
 *      taken. Later ones may have been, so its number is spent: it gets a new one, and goes behind
 *      the others.
 *   3. Rows that do not parse end the input; the rows before them are sent and acknowledged first.
 *
 * Input is read as it comes: when it pauses, the rows that are there go out.
 */
#include "cmd/pub.h"

#include <stdio.h>

#include "base/bounds.h"
#include "cmd/options.h"
#include "cmd/progress.h"
#include "cmd/pub_rows.h"
#include "cmd/talk.h"
#include "os/input.h"
#include "os/now.h"
#include "os/proc.h"
#include "table/batch.h"

#define PUB_PIECE_SIZE   (256u << 10)
#define PUB_MESSAGE_MAX  (64ull << 20) /* a larger batch goes in several messages */
#define PUB_BATCH_MAX    10000000
#define PUB_WINDOW_MAX   1024
#define PUB_RETRY_MAX    86400
#define PUB_SECOND_NS    1000000000
#define PUB_CALL_MS      30000 /* an answer that takes longer counts as a broken connection */
#define PUB_PAUSE_MS     200   /* input that pauses so long: what is there is sent */
#define PUB_BACK_OFF_MS  50    /* first wait before connecting again; doubles up to */
#define PUB_BACK_OFF_MAX 2000
#define PUB_NAMES        256 /* publisher names that are used in turn */

/* A message on the way. */
typedef struct {
    Buf message;
    u64 rows;
    u64 sequence;
} PubFlight;

typedef struct {
    OptionsCommon common;
    const char *host, *format, *batch_text, *window_text, *retry_text, *publisher;
    const char *table;
    i64 batch_rows, window, retry_s;
    bool json;
    Client client;
    Arena memory;
    Schema schema;
    i64 session;
    u64 sequence; /* of the next message */
    PubFlight *flights;
    u64 first, count;
    i64 progressed; /* monotonic time of the last acknowledgement */
    u64 rows, quarantined, duplicates;
    i64 position;
    Progress progress;
} Pub;

/* ---- the table */

static const char *text_of(const Value *v, Arena *a)
{
    Str s = {0};
    return v != NULL && value_text(v, &s) ? str_dup(a, s) : NULL;
}

/* Builds the schema from what `.silt.tables` says of a table. */
static Err build_schema(Pub *p, const Value *about)
{
    const Value *columns = about->type == QT_DICT ? value_get(about, "columns") : NULL;
    const Value *names = columns == NULL ? NULL : value_col(columns, "name");
    const Value *types = columns == NULL ? NULL : value_col(columns, "type");
    Schema *s = &p->schema;
    if (names == NULL || types == NULL || value_count(names) != value_count(types) ||
        value_count(names) == 0 || value_count(names) > BOUND_COLUMNS_MAX)
        return fail(E_CORRUPT, "the manager's answer about table %s has no columns", p->table);
    *s = (Schema){.name = p->table, .prtn = -1, .updated = -1};
    s->column_count = (u32)value_count(names);
    s->columns = arena_array(&p->memory, SchemaColumn, s->column_count);
    for (u32 i = 0; i < s->column_count; i++) {
        Value name = value_at(names, i), type = value_at(types, i);
        Str type_text = {0};
        s->columns[i].name = text_of(&name, &p->memory);
        s->columns[i].type = value_text(&type, &type_text) ? type_parse(type_text) : -1;
        if (s->columns[i].name == NULL || s->columns[i].type < 0)
            return fail(E_CORRUPT, "the manager's answer about table %s: column %u", p->table, i);
    }
    const char *prtn = text_of(value_get(about, "prtnCol"), &p->memory);
    if (prtn != NULL) s->prtn = schema_find(s, str_of(prtn));
    schema_seal(s);
    return E_OK;
}

static Err fetch_schema(Pub *p)
{
    Value answer;
    Err err = talk_call(&p->client, ".silt.tables", NULL, NULL, &p->memory, &answer);
    if (err != E_OK) return err;
    const Value *about = answer.type == QT_DICT ? value_get(&answer, p->table) : NULL;
    if (about == NULL) return fail(E_NOT_FOUND, "the manager has no table %s", p->table);
    return build_schema(p, about);
}

/* ---- messages */

static PubFlight *flight(Pub *p, u64 i) { return &p->flights[(p->first + i) % (u64)p->window]; }

/* The sequence number stands at the message's end. */
static void set_sequence(Pub *p, PubFlight *f)
{
    f->sequence = p->sequence++;
    store_u64(f->message.data + f->message.size - sizeof(u64), f->sequence);
}

static Err put_value(Buf *b, Value v) { return wire_encode(b, &v); }

/* Fills a message with rows [at, at + count) of the batch. */
static Err encode(Pub *p, PubFlight *f, const Batch *b, u64 at, u64 count)
{
    static const u8 list_of_six[] = {QT_LIST, 0, 6, 0, 0, 0};
    Err err = E_OK;
    u64 head = 0;
    buf_clear(&f->message);
    TRY(wire_begin(&f->message, WIRE_SYNC, &head));
    TRY(buf_append(&f->message, list_of_six, sizeof list_of_six));
    TRY(put_value(&f->message, value_symbol(".silt.upd")));
    TRY(put_value(&f->message, value_symbol(p->table)));
    TRY(batch_encode(&f->message, b, at, count));
    TRY(put_value(&f->message, value_symbol(p->publisher)));
    TRY(put_value(&f->message, value_long(p->session)));
    TRY(put_value(&f->message, value_long(0)));
    TRY(wire_finish(&f->message, head));
    f->rows = count;
    set_sequence(p, f);
done:
    return err;
}

/* Connects anew and sends what is on the way again, until it works or time is up. */
static Err recover(Pub *p)
{
    FailRecord why;
    fail_save(&why);
    u32 wait = PUB_BACK_OFF_MS;
    for (;;) {
        client_close(&p->client);
        if (now_mono() - p->progressed > p->retry_s * PUB_SECOND_NS) {
            fail_restore(&why);
            return fail_note(why.code, "given up after %lld seconds", (long long)p->retry_s);
        }
        now_sleep_ms(wait);
        wait = MIN(2 * wait, PUB_BACK_OFF_MAX);
        Err err = talk_open(&p->client, &p->common, p->host, TALK_MANAGER, PUB_CALL_MS);
        for (u64 i = 0; i < p->count && err == E_OK; i++)
            err = client_send(&p->client, &flight(p, i)->message);
        if (err == E_OK) return E_OK;
        fail_save(&why);
    }
}

/* The oldest message was not taken: it goes behind the others with a new number. */
static Err send_later(Pub *p, Err why)
{
    if (now_mono() - p->progressed > p->retry_s * PUB_SECOND_NS)
        return fail_note(why, "given up after %lld seconds", (long long)p->retry_s);
    PubFlight *from = flight(p, 0);
    p->first = (p->first + 1) % (u64)p->window;
    PubFlight *to = flight(p, p->count - 1);
    PubFlight swap = *from;
    *from = *to;
    *to = swap;
    set_sequence(p, to);
    now_sleep_ms(PUB_PAUSE_MS);
    return client_send(&p->client, &to->message) == E_OK ? E_OK : recover(p);
}

static i64 number_of(const Value *answer, const char *key)
{
    i64 n = 0;
    const Value *v = answer->type == QT_DICT ? value_get(answer, key) : NULL;
    return v != NULL && value_int_of(v, &n) ? n : 0;
}

/* Waits for the answer to the oldest message. */
static Err take_answer(Pub *p)
{
    Arena a = {0};
    Value answer = value_null();
    Err err = client_receive(&p->client, &a, &answer);
    if (err == E_OK) {
        PubFlight *f = flight(p, 0);
        i64 rows = number_of(&answer, "rows");
        p->rows += (u64)rows;
        p->quarantined += (u64)number_of(&answer, "quarantined");
        if (number_of(&answer, "duplicate") != 0) p->duplicates += (u64)rows;
        p->position = MAX(p->position, number_of(&answer, "position"));
        p->progressed = now_mono();
        if (f->message.room > PUB_MESSAGE_MAX / 4) buf_free(&f->message);
        p->first = (p->first + 1) % (u64)p->window;
        p->count--;
        progress_show(&p->progress, p->rows, 0);
    } else if (p->client.fd < 0 || err == E_CLOSED || err == E_IO) {
        err = recover(p);
    } else if (err == E_BUSY || err == E_LIMIT || err == E_FULL || err == E_MEMORY ||
               err == E_TIMEOUT) {
        err = send_later(p, err);
    }
    arena_free(&a);
    return err;
}

static Err drain(Pub *p)
{
    while (p->count > 0) {
        Err err = take_answer(p);
        if (err != E_OK) return err;
    }
    return E_OK;
}

/* Sends rows [at, at + count), in as many messages as their size asks for. */
static Err send_rows(Pub *p, const Batch *b, u64 at, u64 count)
{
    Err err = E_OK;
    while (count > 0) {
        u64 some = count;
        while (p->count == (u64)p->window)
            TRY(take_answer(p));
        PubFlight *f = flight(p, p->count);
        TRY(encode(p, f, b, at, some));
        while (f->message.size > PUB_MESSAGE_MAX && some > 1) {
            some = MAX(some / (f->message.size / PUB_MESSAGE_MAX + 1), 1);
            TRY(encode(p, f, b, at, some));
        }
        if (p->count == 0) p->progressed = now_mono();
        p->count++;
        if (client_send(&p->client, &f->message) != E_OK) TRY(recover(p));
        at += some;
        count -= some;
    }
done:
    return err;
}

/* Sends the full batches, with `all` also what is left; the rest moves to the front. */
static Err send_batches(Pub *p, Batch *b, Batch *rest, bool all)
{
    Err err = E_OK;
    u64 at = 0, size = (u64)p->batch_rows;
    for (; b->rows - at >= size; at += size)
        TRY(send_rows(p, b, at, size));
    if (all && at < b->rows) {
        TRY(send_rows(p, b, at, b->rows - at));
        at = b->rows;
    }
    if (at == 0) return E_OK;
    batch_clear(rest);
    if (at < b->rows) TRY(batch_append_batch(rest, b, at, b->rows - at));
    Batch swap = *b;
    *b = *rest;
    *rest = swap;
done:
    return err;
}

/* ---- the input */

static Err read_input(Pub *p)
{
    Err err = E_OK;
    Batch batch = {0}, rest = {0};
    PubRows rows;
    FailRecord bad = {.code = E_OK};
    bool end = false;
    u8 *piece = arena_raw(&p->memory, PUB_PIECE_SIZE);
    batch_init(&batch, &p->schema);
    batch_init(&rest, &p->schema);
    pub_rows_init(&rows, &p->schema, p->json);
    while (!end && bad.code == E_OK) {
        u64 got = 0;
        TRY(input_read(piece, PUB_PIECE_SIZE, batch.rows + p->count > 0 ? PUB_PAUSE_MS : -1, &got,
                       &end));
        bool pause = got == 0 && !end;
        if (!pause && pub_rows_feed(&rows, (Str){(const char *)piece, got}, end, &batch) != E_OK)
            fail_save(&bad);
        TRY(send_batches(p, &batch, &rest, pause || end || bad.code != E_OK));
        if (pause) TRY(drain(p));
    }
    TRY(drain(p));
done:
    if (err == E_OK && bad.code != E_OK) {
        fail_restore(&bad);
        err = bad.code;
    }
    pub_rows_free(&rows);
    batch_free(&batch);
    batch_free(&rest);
    return err;
}

/* ---- the command */

static Err read_options(Pub *p, int argc, char **argv)
{
    Err err = E_OK;
    Option options[] = {
        OPTIONS_COMMON(p->common),
        {"host", "NAME", &p->host, NULL, "machine of the manager"},
        {"format", "csv|json", &p->format, NULL, "form of the input (csv)"},
        {"batch", "ROWS", &p->batch_text, NULL, "rows of one message (10000)"},
        {"window", "COUNT", &p->window_text, NULL, "messages on the way at once (8)"},
        {"publisher", "NAME", &p->publisher, NULL, "name that sequence numbers belong to"},
        {"retry", "SECONDS", &p->retry_text, NULL, "how long to go on without an answer (30)"},
        {0}};
    TRY(options_parse(&argc, argv, options));
    if (argc < 1 || argc > 2)
        TRY(fail(E_USAGE, "silt pub TABLE [ASSEMBLY]: the table's name is expected"));
    p->table = argv[0];
    p->common.file = argc == 2 ? argv[1] : NULL;
    if (!str_name_ok(str_of(p->table), true))
        TRY(fail(E_USAGE, "%s is no name of a table", p->table));
    if (p->format == NULL) p->format = "csv";
    p->json = strcmp(p->format, "json") == 0;
    if (!p->json && strcmp(p->format, "csv") != 0)
        TRY(fail(E_USAGE, "--format %s: csv or json is expected", p->format));
    p->batch_rows = 10000;
    p->window = 8;
    p->retry_s = 30;
    if (p->batch_text != NULL)
        TRY(options_number("batch", p->batch_text, 1, PUB_BATCH_MAX, &p->batch_rows));
    if (p->window_text != NULL)
        TRY(options_number("window", p->window_text, 1, PUB_WINDOW_MAX, &p->window));
    if (p->retry_text != NULL)
        TRY(options_number("retry", p->retry_text, 0, PUB_RETRY_MAX, &p->retry_s));
    if (p->publisher == NULL) /* few names: the manager remembers each for ever */
        p->publisher = arena_format(&p->memory, "silt-pub-%d", proc_id() % PUB_NAMES);
done:
    return err;
}

static void print_result(const Pub *p)
{
    printf("rows %llu position %lld", (unsigned long long)p->rows, (long long)p->position);
    if (p->quarantined > 0) printf(" quarantined %llu", (unsigned long long)p->quarantined);
    if (p->duplicates > 0) printf(" duplicates %llu", (unsigned long long)p->duplicates);
    puts("");
}

int pub_main(int argc, char **argv)
{
    Err err = E_OK;
    bool connected = false;
    Pub p = {.client = {.fd = -1}};
    TRY(read_options(&p, argc, argv));
    p.flights = arena_array(&p.memory, PubFlight, p.window);
    proc_random(&p.session, sizeof p.session);
    p.session &= INT64_MAX;
    p.sequence = 1;
    TRY(talk_open(&p.client, &p.common, p.host, TALK_MANAGER, PUB_CALL_MS));
    connected = true;
    TRY(fetch_schema(&p));
    progress_begin(&p.progress, "rows");
    p.progressed = now_mono();
    TRY(read_input(&p));
done:
    progress_end(&p.progress);
    if (connected && p.schema.column_count > 0) print_result(&p);
    for (i64 i = 0; i < p.window && p.flights != NULL; i++)
        buf_free(&p.flights[i].message);
    client_close(&p.client);
    int status = talk_end(err);
    arena_free(&p.memory);
    return status;
}
