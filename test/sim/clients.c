/*
 * clients: see clients.h.
 *
 * Publishers: `once` sends a batch and never again; `one` has a name and waits for each answer;
 * `three` has a name and up to three messages under way, and sends all of them again, in order, as
 * soon as one was lost; one that was refused gets a new number, as doc/publish.md asks.
 *
 * A question remembers what was known when it was asked: what was acknowledged by then must be in
 * the answer, what was under way may be, batch by batch.
 */
#include "clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "model.h"
#include "os/now.h"
#include "ports.h"
#include "scene.h"

#define WINDOW_MAX    3
#define QUESTIONS_MAX 4
#define SECOND_NS     1000000000ll
#define WAIT_ROUNDS   2000
#define LISTENERS_MAX 3

typedef struct {
    u32 batch;
    PortsRequest *request; /* NULL: to be sent */
} Sent;

typedef struct {
    const char *name; /* "" = sends once */
    u32 window;
    u64 sequence;
    Line *line;
    Sent sent[64];
    u32 count;
    bool again; /* all of `sent` must go out anew */
} Publisher;

typedef struct {
    PortsRequest *request;
    u32 table, batches; /* batches that there were */
    BatchState *states;
    i64 from, to; /* time range */
    i64 id_below; /* a filter, -1 = none */
    char sym[16]; /* a filter, "" = none */
    bool grouped;
    u64 life; /* of a manager that listened when it was asked, 0 = none did */
    bool blind;
    u32 reader; /* who is asked */
} Question;

static struct {
    Prng prng;
    Publisher publishers[3];
    Question questions[QUESTIONS_MAX];
    u32 question_count;
    u32 readers;
    Line *ask[SCENE_READERS_MAX], *operate;
    Line *listeners[LISTENERS_MAX];
    u64 answered, life;
    bool blind; /* after a power cut no manager has told yet how far the stream is durable */
    char refusal[256];
} clients;

static u64 below(u64 bound) { return prng_below(&clients.prng, bound); }

static bool chance(u64 of) { return below(of) == 0; }

void clients_init(u64 seed, u32 readers)
{
    prng_init(&clients.prng, seed * 3 + 5);
    clients.readers = readers;
    clients.publishers[0] = (Publisher){.name = "", .window = 4};
    clients.publishers[1] = (Publisher){.name = "one", .window = 1};
    clients.publishers[2] = (Publisher){.name = "three", .window = WINDOW_MAX};
}

static Line *line_to(Line **line, u16 port)
{
    if (*line == NULL || !ports_open(*line)) *line = ports_connect(port);
    return *line;
}

/* ---- publishing */

static u32 make_batch(void)
{
    i64 times[80], now = fibers_wall();
    bool bad[80];
    u64 count = 1 + below(chance(6) ? 80 : 8);
    bool late = chance(4), refused = chance(12);
    for (u64 i = 0; i < count; i++) {
        times[i] = now - (i64)below(600) * SECOND_NS - (i64)below(1000000);
        bad[i] = refused && chance(3);
        if (late && chance(3)) times[i] -= (i64)(1 + below(3)) * NOW_DAY_NS;
        if (bad[i]) times[i] = chance(2) ? INT64_MIN : now + 400 * NOW_DAY_NS;
    }
    return model_add(chance(3) ? MODEL_NOTE : MODEL_TRADE, times, bad, count);
}

static void send_one(Publisher *p, Sent *s)
{
    Arena a = {0};
    ModelBatch *b = model_batch(s->batch);
    Value request = value_list(&a, p->name[0] == 0 ? 3 : 6);
    Value *items = vec_value(&request.as.vec);
    items[0] = value_symbol(p->name[0] == 0 ? "upd" : ".silt.upd");
    items[1] = value_symbol(MODEL_NAMES[b->table]);
    items[2] = model_value(s->batch, &a);
    if (p->name[0] != 0) {
        items[3] = value_symbol(p->name);
        items[4] = value_long(1);
        items[5] = value_long((i64)b->sequence);
    }
    if (getenv("SIM_TRACE") != NULL)
        fprintf(stderr, "+++ %s sends batch %u, sequence %llu\n", p->name, s->batch,
                (unsigned long long)b->sequence);
    b->life = clients.life;
    s->request = ports_ask(p->line, &request);
    arena_free(&a);
}

static void publish(Publisher *p)
{
    if (p->count >= p->window) return;
    if (line_to(&p->line, CLIENTS_SM_PORT) == NULL) return;
    Sent *s = &p->sent[p->count++];
    *s = (Sent){.batch = make_batch()};
    model_batch(s->batch)->sequence = p->name[0] == 0 ? 0 : ++p->sequence;
    if (!p->again) send_one(p, s);
}

void clients_publish(void)
{
    Publisher *p = &clients.publishers[below(3)];
    for (u64 n = 1 + below(p->window); n > 0; n--)
        publish(p);
}

/* Compares an acknowledgement with what was sent. */
static void acknowledged(const Publisher *p, u32 batch, const Value *v)
{
    ModelBatch *b = model_batch(batch);
    b->state = BATCH_ACKED;
    if (p->name[0] == 0) {
        i64 position = 0;
        if (!value_int_of(v, &position)) model_wrong("an acknowledgement without a position");
        b->position = (u64)position;
        return;
    }
    i64 rows = 0, position = 0, quarantined = 0, duplicate = 0;
    if (v->type != QT_DICT || !value_int_of(value_get(v, "rows"), &rows) ||
        !value_int_of(value_get(v, "position"), &position) ||
        !value_int_of(value_get(v, "quarantined"), &quarantined) ||
        !value_int_of(value_get(v, "duplicate"), &duplicate))
        model_wrong("an acknowledgement of another form");
    u64 bad = 0;
    for (u64 r = b->first; r < b->first + b->count; r++)
        bad += model_row(r)->bad;
    if (duplicate) return;
    b->position = (u64)position;
    if ((u64)rows != b->count - bad || (u64)quarantined != bad)
        model_wrong("batch %u: %lld rows taken and %lld in quarantine, of %llu with %llu bad",
                    batch, (long long)rows, (long long)quarantined, (unsigned long long)b->count,
                    (unsigned long long)bad);
}

/* Whether a publisher may be told this. */
static void judge_refusal(Err err)
{
    if (err != E_FULL && err != E_LIMIT && err != E_IO && err != E_BUSY && err != E_CLOSED &&
        err != E_MEMORY)
        model_wrong("publishing is refused: %s: %s", fail_name(err), fail_text());
}

static void take_off(Publisher *p, u32 at)
{
    p->count--;
    memmove(&p->sent[at], &p->sent[at + 1], (p->count - at) * sizeof *p->sent);
}

/* What became of one message; true when it is done with. */
static bool settled(Publisher *p, Sent *s)
{
    Arena a = {0};
    Value v;
    bool named = p->name[0] != 0, done = !named;
    PortsState state = s->request == NULL ? PORTS_WAITING : ports_state(s->request);
    if (state == PORTS_WAITING) return false;
    Err err = state == PORTS_ANSWERED ? ports_answer(s->request, &a, &v) : E_CLOSED;
    if (getenv("SIM_TRACE") != NULL)
        fprintf(stderr, "+++ %s: batch %u: %s\n", p->name, s->batch, fail_name(err));
    if (err == E_OK) {
        acknowledged(p, s->batch, &v);
        done = true;
    } else if (state == PORTS_ANSWERED) {
        judge_refusal(err);
    }
    if (err != E_OK && !named) model_batch(s->batch)->state = BATCH_UNKNOWN;
    if (err != E_OK && named) p->again = true;
    s->request = err == E_OK ? s->request : NULL;
    /* Not taken, while later ones may have been: its number is spent. */
    bool refused = err == E_FULL || err == E_LIMIT || err == E_BUSY || err == E_MEMORY;
    if (refused && p->window > 1 && named) model_batch(s->batch)->sequence = 0;
    arena_free(&a);
    return done;
}

/* Gives messages whose number is spent a new one, behind the others. */
static void number_anew(Publisher *p)
{
    for (u32 i = 0, left = p->count; left > 0; left--) {
        Sent s = p->sent[i];
        if (model_batch(s.batch)->sequence != 0) {
            i++;
            continue;
        }
        model_batch(s.batch)->sequence = ++p->sequence;
        memmove(&p->sent[i], &p->sent[i + 1], (p->count - i - 1) * sizeof s);
        p->sent[p->count - 1] = s;
    }
}

/* Sends everything anew once no answer is outstanding. */
static void send_again(Publisher *p)
{
    for (u32 i = 0; i < p->count; i++)
        if (p->sent[i].request != NULL) return;
    if (p->count == 0) p->again = false;
    if (!p->again || line_to(&p->line, CLIENTS_SM_PORT) == NULL) return;
    p->again = false;
    number_anew(p);
    for (u32 i = 0; i < p->count; i++)
        send_one(p, &p->sent[i]);
}

static void pump(Publisher *p)
{
    for (u32 i = 0; i < p->count;) {
        if (settled(p, &p->sent[i]))
            take_off(p, i);
        else
            i++;
    }
    if (p->name[0] != 0) send_again(p);
}

u32 clients_waiting(void)
{
    u32 count = 0;
    for (u32 i = 0; i < 3; i++)
        count += clients.publishers[i].count;
    return count;
}

void clients_publish_all(u64 life)
{
    for (u32 i = 0; i < 3; i++)
        publish(&clients.publishers[i]);
    for (u32 round = 0; clients_waiting() > 0; round++) {
        if (round == WAIT_ROUNDS) model_wrong("publishing is not answered");
        fibers_run(10 * 1000000);
        clients_pump(life);
    }
}

/* ---- questions */

static bool matches(const Question *q, u64 id)
{
    char sym[16];
    const ModelRow *r = model_row(id);
    if (r->bad || r->time < q->from || r->time >= q->to) return false;
    if (q->id_below >= 0 && (i64)id >= q->id_below) return false;
    if (q->sym[0] == 0) return true;
    model_sym(id, sym);
    return strcmp(sym, q->sym) == 0;
}

static void add_filters(const Question *q, Arena *a, Value *args)
{
    bool by_sym = q->sym[0] != 0, by_id = q->id_below >= 0;
    if (!by_sym && !by_id) return;
    Value all = value_list(a, (u64)by_sym + by_id);
    Value *at = vec_value(&all.as.vec);
    if (by_sym) {
        *at = value_list(a, 3);
        vec_value(&at->as.vec)[0] = value_string(STR("="));
        vec_value(&at->as.vec)[1] = value_symbol("sym");
        vec_value(&at->as.vec)[2] = value_symbol(q->sym);
        at++;
    }
    if (by_id) {
        *at = value_list(a, 3);
        vec_value(&at->as.vec)[0] = value_string(STR("<"));
        vec_value(&at->as.vec)[1] = value_symbol("id");
        vec_value(&at->as.vec)[2] = value_long(q->id_below);
    }
    value_put(args, "filter", all);
}

/* count and sum of ids by symbol. */
static void add_groups(Arena *a, Value *args)
{
    Value agg = value_list(a, 2);
    static const char *const names[2][3] = {{"n", "count", "id"}, {"s", "sum", "id"}};
    for (u32 i = 0; i < 2; i++) {
        Value one = value_list(a, 3);
        for (u32 k = 0; k < 3; k++)
            vec_value(&one.as.vec)[k] = value_symbol(names[i][k]);
        vec_value(&agg.as.vec)[i] = one;
    }
    value_put(args, "agg", agg);
    value_put(args, "groupBy", value_symbol("sym"));
}

/* Sends a question whose kind is filled in. */
static bool ask(Question *q, u64 life)
{
    Arena a = {0};
    Line **line = &clients.ask[q->reader];
    if (line_to(line, (u16)(CLIENTS_DA_PORT + q->reader)) == NULL) return false;
    q->batches = model_batches();
    q->states = calloc(q->batches + 1u, sizeof *q->states);
    if (q->states == NULL) abort();
    for (u32 i = 0; i < q->batches; i++)
        q->states[i] = model_batch(i)->state;
    q->life = ports_listens(CLIENTS_SM_PORT) ? life : 0;
    if (q->life != 0) clients.blind = false;
    q->blind = clients.blind;
    Value request = value_list(&a, 2), args = value_dict(&a, 8);
    value_put(&args, "table", value_symbol(MODEL_NAMES[q->table]));
    value_put(&args, "startTS", value_timestamp(q->from));
    value_put(&args, "endTS", value_timestamp(q->to));
    add_filters(q, &a, &args);
    if (q->grouped) add_groups(&a, &args);
    vec_value(&request.as.vec)[0] = value_symbol(".kxi.getData");
    vec_value(&request.as.vec)[1] = args;
    q->request = ports_ask(*line, &request);
    arena_free(&a);
    return true;
}

static void look_at_rows(const Question *q, const Value *table)
{
    const Value *ids = value_col(table, "id"), *times = value_col(table, "time");
    const Value *more = value_col(table, q->table == MODEL_TRADE ? "sym" : "text");
    if (ids == NULL || times == NULL || more == NULL) model_wrong("an answer without columns");
    for (u64 i = 0; i < value_count(ids); i++) {
        i64 id = 0, time = 0;
        Str text = {0};
        char wanted[256];
        Value a = value_at(ids, i), b = value_at(times, i), c = value_at(more, i);
        if (!value_int_of(&a, &id) || !value_int_of(&b, &time) || !value_text(&c, &text))
            model_wrong("an answer of other types");
        model_look_row("the reader", q->table, id, time);
        if (!matches(q, (u64)id))
            model_wrong("the reader: row %lld was not asked for", (long long)id);
        if (q->table == MODEL_TRADE)
            model_sym((u64)id, wanted);
        else
            wanted[model_text((u64)id, wanted)] = 0;
        if (!str_is(text, wanted))
            model_wrong("the reader: row %lld has %.*s, not %s", (long long)id, STR_FMT(text),
                        wanted);
    }
}

/* Compares the rows of each batch with what was known when it was asked, and learns from it. */
static void judge_batches(const Question *q)
{
    for (u32 i = 0; i < model_batches(); i++) {
        ModelBatch *b = model_batch(i);
        if (b->table != q->table) continue;
        for (u64 id = b->first; id < b->first + b->count; id++)
            b->expected += matches(q, id);
        BatchState then = i < q->batches ? q->states[i] : BATCH_WAITING;
        bool whole = b->found == b->expected, none = b->found == 0;
        bool must = !q->blind && (then == BATCH_ACKED || then == BATCH_THERE);
        if (must ? !whole : then == BATCH_ABSENT ? !none : !whole && !none)
            model_wrong("the reader: batch %u (state %d, sequence %llu, position %llu): %llu of "
                        "%llu rows",
                        i, then, (unsigned long long)b->sequence, (unsigned long long)b->position,
                        (unsigned long long)b->found, (unsigned long long)b->expected);
        if (b->state != BATCH_UNKNOWN || b->expected == 0) continue;
        if (whole)
            b->state = BATCH_THERE;
        else if (then == BATCH_UNKNOWN && q->life > b->life)
            b->state = BATCH_ABSENT;
    }
}

/* Sums by symbol, if nothing is open that could change them. */
static void judge_groups(const Question *q, const Value *table)
{
    if (q->blind) return;
    const Value *syms = value_col(table, "sym"), *counts = value_col(table, "n"),
                *sums = value_col(table, "s");
    if (syms == NULL || counts == NULL || sums == NULL) model_wrong("sums without columns");
    for (u32 i = 0; i < model_batches(); i++) {
        const ModelBatch *b = model_batch(i);
        BatchState then = i < q->batches ? q->states[i] : BATCH_WAITING;
        if (then != b->state || then == BATCH_WAITING || then == BATCH_UNKNOWN) return;
    }
    u64 all = 0, found = 0;
    for (u64 id = 0; id < model_rows(); id++) {
        const ModelBatch *b = model_batch(model_row(id)->batch);
        all += b->table == q->table && b->state != BATCH_ABSENT && matches(q, id);
    }
    for (u64 i = 0; i < value_count(syms); i++) {
        Value s = value_at(syms, i), n = value_at(counts, i), sum = value_at(sums, i);
        Str text = {0};
        i64 count = 0, total = 0, wanted = 0, wanted_total = 0;
        if (!value_text(&s, &text) || !value_int_of(&n, &count) || !value_int_of(&sum, &total))
            model_wrong("sums of other types");
        for (u64 id = 0; id < model_rows(); id++) {
            char sym[16];
            const ModelBatch *b = model_batch(model_row(id)->batch);
            if (b->table != q->table || b->state == BATCH_ABSENT || !matches(q, id)) continue;
            model_sym(id, sym);
            if (!str_is(text, sym)) continue;
            wanted++;
            wanted_total += (i64)id;
        }
        if (count != wanted || total != wanted_total)
            model_wrong("the reader: %.*s: count %lld, sum %lld; not %lld, %lld", STR_FMT(text),
                        (long long)count, (long long)total, (long long)wanted,
                        (long long)wanted_total);
        found += (u64)count;
    }
    if (found != all)
        model_wrong("the reader: %llu rows are summed up, not %llu", (unsigned long long)found,
                    (unsigned long long)all);
}

static void read_answer(const Question *q)
{
    Arena a = {0};
    Value v;
    Err err = ports_answer(q->request, &a, &v);
    if (err != E_OK) model_wrong("the reader: %s", fail_text());
    Value header = value_at(&v, 0), table = value_at(&v, 1);
    i64 rc = -1, ac = -1;
    Str text = {0};
    if (v.type == QT_LIST) {
        header = vec_value(&v.as.vec)[0];
        table = vec_value(&v.as.vec)[1];
    }
    if (header.type != QT_DICT || !value_int_of(value_get(&header, "rc"), &rc) ||
        !value_int_of(value_get(&header, "ac"), &ac))
        model_wrong("an answer without a header");
    if (rc != 0) {
        value_text(value_get(&header, "ai"), &text);
        snprintf(clients.refusal, sizeof clients.refusal, "%.*s", STR_FMT(text));
        if (ac != 100 + E_BUSY && ac != 100 + E_CLOSED)
            model_wrong("the reader answers %lld: %.*s", (long long)ac, STR_FMT(text));
    } else {
        clients.answered++;
        if (q->grouped) {
            judge_groups(q, &table);
        } else {
            model_look_begin();
            look_at_rows(q, &table);
            judge_batches(q);
        }
    }
    arena_free(&a);
}

void clients_question(u64 life, const Process *sm)
{
    (void)sm;
    if (clients.question_count == QUESTIONS_MAX) return;
    Question *q = &clients.questions[clients.question_count];
    *q = (Question){.table = chance(3) ? MODEL_NOTE : MODEL_TRADE,
                    .from = 0,
                    .to = 20000 * NOW_DAY_NS,
                    .id_below = -1};
    if (chance(3)) {
        q->from = fibers_wall() - (i64)below(3 * 86400) * SECOND_NS;
        q->to = q->from + (i64)below(2 * 86400) * SECOND_NS;
    }
    if (chance(4)) q->id_below = (i64)below(model_rows() + 1);
    if (q->table == MODEL_TRADE && chance(4) && model_rows() > 0)
        model_sym(below(model_rows()), q->sym);
    q->grouped = q->table == MODEL_TRADE && chance(4);
    if (clients.readers > 1) q->reader = (u32)below(clients.readers);
    if (ask(q, life)) clients.question_count++;
}

static void pump_questions(void)
{
    for (u32 i = 0; i < clients.question_count;) {
        Question *q = &clients.questions[i];
        PortsState state = ports_state(q->request);
        if (state == PORTS_WAITING) {
            i++;
            continue;
        }
        if (state == PORTS_ANSWERED) read_answer(q);
        free(q->states);
        clients.questions[i] = clients.questions[--clients.question_count];
    }
}

void clients_power_cut(void) { clients.blind = true; }

void clients_pump(u64 life)
{
    clients.life = life;
    for (u32 i = 0; i < 3; i++)
        pump(&clients.publishers[i]);
    pump_questions();
}

static void ask_and_wait(u32 reader, u32 table, bool grouped, u64 life)
{
    u64 before = clients.answered;
    for (u32 tries = 0; clients.answered == before; tries++) {
        Question q = {.reader = reader,
                      .table = table,
                      .to = 20000 * NOW_DAY_NS,
                      .id_below = -1,
                      .grouped = grouped};
        if (tries == 50) model_wrong("the reader does not answer: %s", clients.refusal);
        if (tries % 10 == 9) clients_end_interval(false); /* makes room for live rows */
        if (!ask(&q, life)) {
            fibers_run(100 * 1000000);
            continue;
        }
        for (u32 i = 0; ports_state(q.request) == PORTS_WAITING; i++) {
            if (i == WAIT_ROUNDS) model_wrong("a question is not answered");
            fibers_run(5 * 1000000);
        }
        if (ports_state(q.request) == PORTS_ANSWERED) read_answer(&q);
        free(q.states);
        if (clients.answered == before) fibers_run(100 * 1000000);
    }
}

void clients_question_all(u64 life)
{
    for (u32 i = 0; i < clients.readers; i++) {
        ask_and_wait(i, MODEL_TRADE, false, life);
        ask_and_wait(i, MODEL_NOTE, false, life);
        ask_and_wait(i, MODEL_TRADE, true, life);
    }
}

void clients_end_interval(bool day)
{
    Arena a = {0};
    if (line_to(&clients.operate, CLIENTS_SM_PORT) == NULL) return;
    Value request = value_list(&a, 2);
    vec_value(&request.as.vec)[0] = value_symbol(day ? ".silt.eod" : ".silt.eoi");
    ports_ask(clients.operate, &request);
    arena_free(&a);
}

void clients_listen(void)
{
    Arena a = {0};
    Line **l = &clients.listeners[below(LISTENERS_MAX)];
    if (*l != NULL && ports_open(*l) && chance(3)) {
        ports_hang_up(*l);
    } else if (*l != NULL && ports_open(*l)) {
        Value done = value_list(&a, 2);
        vec_value(&done.as.vec)[0] = value_symbol(".sm.api.reloadComplete");
        vec_value(&done.as.vec)[1] = value_timestamp(fibers_wall());
        ports_ask(*l, &done);
    } else if (line_to(l, CLIENTS_SM_PORT) != NULL) {
        Value ask = value_list(&a, 4);
        Value *items = vec_value(&ask.as.vec);
        items[0] = value_symbol(".sm.api.register");
        items[1] = value_symbol(chance(2) ? "idb" : "hdb");
        items[2] = value_long((i64)below(3600) * SECOND_NS);
        items[3] = value_symbol("reload");
        ports_ask(*l, &ask);
    }
    arena_free(&a);
}

void clients_hang_up(void)
{
    for (u32 i = 0; i < LISTENERS_MAX; i++)
        if (clients.listeners[i] != NULL) ports_hang_up(clients.listeners[i]);
}

void clients_all_there(void)
{
    for (u32 i = 0; i < model_batches(); i++) {
        const ModelBatch *b = model_batch(i);
        if (b->state == BATCH_WAITING) model_wrong("the fate of batch %u is open at the end", i);
    }
}

u64 clients_questions(void) { return clients.answered; }
