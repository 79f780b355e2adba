/*
 * feed: the gate of the stream.
 *
 * A message passes in this order: size, table, shape and types, repetition, times, log. For an
 * ordinary one that is a look-up of the table and of the publisher, one walk over the columns'
 * heads, one pass over the times, one copy (into the log's buffer). A message with bad times takes
 * the slow road: it is decoded, its rows are told apart, and both kinds are encoded anew.
 *
 * What is refused is parked in logs of the same form as the stream, opened at the first need: a
 * record carries the table's name and, as its body, the list (reason; body). When such a log has
 * reached its bound, what is refused next is counted and dropped; the oldest stays, as it shows how
 * the trouble began.
 *
 * Invariants:
 *   1. A publisher's sequence is remembered only when its message is in the log's buffer, and
 *      given away (for a manifest) only when it is durable; until then the one before is.
 *   2. Rows go to the quarantine before the rest goes to the log, so that a failure between the
 *      two loses nothing.
 *
 * Threads: the loop's.
 */
#include "stream/feed.h"
#include "base/bounds.h"
#include "base/map.h"
#include "os/now.h"
#include "q/type.h"
#include "table/batch.h"

#include <stdio.h>

#define FEED_REFUSE_MAX   (256ull << 20)
#define FEED_REFUSE_FILE  (4ull << 20) /* bytes of a file of the refused */
#define FEED_SCRATCH_KEEP (1ull << 20)
#define FEED_LIST_HEAD    6 /* type, attribute, count */
#define FEED_BODY_MAX     (BOUND_PUBLISH_MAX + (1ull << 20))

/* What is known of a publisher. */
typedef struct {
    u64 publisher;
    u64 session, sequence;         /* of the last message taken */
    u64 end;                       /* position after it */
    u64 old_session, old_sequence; /* of the last one that was durable when a later one came */
    bool old;                      /* whether there was one */
} Sender;

struct Feed {
    Arena memory;
    const SchemaSet *tables;
    Wal *wal;
    Wal *dead, *quarantine; /* NULL until needed */
    char *dead_path, *quarantine_path;
    u64 refuse_bytes_max;
    i64 horizon_ns;
    Map names; /* table name -> number */
    u64 *table_rows;
    Map sender_ids; /* id -> index in senders */
    Buf senders;    /* Sender */
    Buf scratch;    /* an encoded body */
    FeedCounts counts;
};

Err feed_open(Feed **out, const FeedOptions *o)
{
    Arena memory = {0};
    Feed *f = arena_new(&memory, Feed);
    *f = (Feed){.memory = memory, .tables = o->tables, .wal = o->wal};
    f->dead_path = arena_text(&f->memory, o->dead_path, strlen(o->dead_path));
    f->quarantine_path = arena_text(&f->memory, o->quarantine_path, strlen(o->quarantine_path));
    f->refuse_bytes_max = o->refuse_bytes_max ? o->refuse_bytes_max : FEED_REFUSE_MAX;
    f->horizon_ns = o->horizon_ns ? o->horizon_ns : NOW_DAY_NS;
    f->table_rows = arena_array(&f->memory, u64, o->tables->count);
    f->scratch.size_max = FEED_BODY_MAX;
    for (u32 i = 0; i < o->tables->count; i++)
        map_put(&f->names, str_of(o->tables->tables[i]->name), (i32)i);
    *out = f;
    return E_OK;
}

/* ---- publishers */

static Sender *senders_of(const Feed *f) { return (Sender *)(void *)f->senders.data; }

static u64 sender_count(const Feed *f) { return f->senders.size / sizeof(Sender); }

static Sender *find_sender(const Feed *f, u64 publisher)
{
    i32 at = map_find_i64(&f->sender_ids, (i64)publisher);
    return at < 0 ? NULL : &senders_of(f)[at];
}

/* Makes sure that a publisher can be remembered: afterwards `remember` cannot fail. */
static Err expect_sender(Feed *f, u64 publisher)
{
    u8 *room;
    if (publisher == 0 || find_sender(f, publisher)) return E_OK;
    if (sender_count(f) >= BOUND_PUBLISHERS_MAX)
        return fail(E_LIMIT, "more than %d publishers with sequences", BOUND_PUBLISHERS_MAX);
    return buf_room(&f->senders, sizeof(Sender), &room);
}

/* Remembers the last message of a publisher, which ends at `end`. */
static Err remember(Feed *f, u64 publisher, u64 session, u64 sequence, u64 end)
{
    Sender fresh = {.publisher = publisher, .session = session, .sequence = sequence, .end = end};
    Sender *s = find_sender(f, publisher);
    if (publisher == 0) return E_OK;
    if (!s) {
        u64 at = sender_count(f);
        Err err = expect_sender(f, publisher);
        if (!err) err = buf_append(&f->senders, &fresh, sizeof fresh);
        if (!err) map_put_i64(&f->sender_ids, (i64)publisher, (i32)at);
        return err;
    }
    bool durable = s->end <= wal_durable(f->wal);
    fresh.old = durable || s->old;
    fresh.old_session = durable ? s->session : s->old_session;
    fresh.old_sequence = durable ? s->sequence : s->old_sequence;
    *s = fresh;
    return E_OK;
}

Err feed_remember(Feed *f, u64 publisher, u64 session, u64 sequence)
{
    return remember(f, publisher, session, sequence, 0);
}

Err feed_publishers(const Feed *f, Arena *a, FeedPublisher **out, u32 *count)
{
    u64 durable = wal_durable(f->wal);
    FeedPublisher *p = *out = arena_array(a, FeedPublisher, sender_count(f));
    for (u64 i = 0; i < sender_count(f); i++) {
        const Sender *s = &senders_of(f)[i];
        if (s->end <= durable)
            *p++ = (FeedPublisher){s->publisher, s->session, s->sequence};
        else if (s->old)
            *p++ = (FeedPublisher){s->publisher, s->old_session, s->old_sequence};
    }
    *count = (u32)(p - *out);
    return E_OK;
}

u64 feed_publisher_id(Str name)
{
    u64 id = map_hash(name.data, name.size);
    return id ? id : 1;
}

/* ---- what is refused */

static Err open_refused(const Feed *f, const char *path, Wal **wal)
{
    if (*wal) return E_OK;
    u64 lost;
    WalOptions o = {.file_size = FEED_REFUSE_FILE, .size_max = f->refuse_bytes_max};
    return wal_open(wal, path, &o, 0, &lost);
}

/* Appends (reason; body) to a log of refused things. `body` may be missing. */
static Err park(const Feed *f, const char *path, Wal **wal, const FeedMessage *m,
                const char *reason, u32 rows)
{
    Err err = E_OK;
    Buf b = {.size_max = m->size + FAIL_TEXT_MAX + 64};
    u8 head[2 * FEED_LIST_HEAD] = {QT_LIST};
    u64 size = strlen(reason);
    TRY(open_refused(f, path, wal));
    store_u32(head + 2, 2);
    head[FEED_LIST_HEAD] = QT_CHAR;
    store_u32(head + FEED_LIST_HEAD + 2, (u32)size);
    TRY(buf_append(&b, head, sizeof head));
    TRY(buf_append(&b, reason, size));
    TRY(buf_append(&b, m->body, m->size));
    WalRecord r = {
        .kind = WAL_DATA,
        .rows = rows,
        .publisher = m->publisher,
        .session = m->session,
        .sequence = m->sequence,
        .received = now_wall(),
        .table = {m->table.data, MIN(m->table.size, BOUND_NAME_MAX)},
        .body = b.data,
        .size = b.size,
    };
    TRY(wal_append(*wal, &r));
done:
    buf_free(&b);
    return err;
}

/* Parks a message that will not be taken and returns why, for the publisher. That parking fails
 * changes nothing for anybody: nothing was promised. */
static Err refuse(Feed *f, const FeedMessage *m, FeedResult *r, Err why)
{
    char text[FAIL_TEXT_MAX];
    snprintf(text, sizeof text, "%s", fail_text());
    r->verdict = FEED_REFUSED;
    if (park(f, f->dead_path, &f->dead, m, text, 0) != E_OK) f->counts.log_dropped++;
    return fail(why, "%s", text);
}

/* ---- times */

/* Whether a time is one that no query would find (O-24), or lies beyond the horizon (O-25). */
static bool is_null_time(i64 t) { return t <= -INT64_MAX || t == INT64_MAX; }

/* Whether any of the times may be bad. A time beyond `latest` makes the difference negative; so
 * does one of before the year 1735, nulls among them, by wrapping around. One subtraction and one
 * OR an element, in vectors. */
static bool any_suspect(const u8 *times, u64 rows, i64 latest)
{
    u64 signs = latest < 1 ? ~0ull : 0; /* the clock stands before 2000: the trick does not hold */
    for (u64 i = 0; i < rows; i++)
        signs |= (u64)latest - load_u64(times + 8 * i);
    return signs >> 63;
}

/* Counts them exactly. */
static void count_bad(const u8 *times, u64 rows, i64 latest, u64 *nulls, u64 *late)
{
    *nulls = *late = 0;
    for (u64 i = 0; i < rows; i++) {
        i64 t = load_i64(times + 8 * i);
        if (is_null_time(t))
            ++*nulls;
        else if (t > latest)
            ++*late;
    }
}

typedef enum { ROW_GOOD, ROW_NULL, ROW_LATE } RowKind;

static RowKind kind_of(i64 t, i64 latest)
{
    return is_null_time(t) ? ROW_NULL : t > latest ? ROW_LATE : ROW_GOOD;
}

/* Appends the rows of one kind to `to`, run by run. */
static Err pick(Batch *to, const Batch *from, i64 latest, RowKind kind)
{
    const i64 *t = vec_i64(&from->cols[from->schema->prtn]);
    for (u64 at = 0, end; at < from->rows; at = end) {
        RowKind k = kind_of(t[at], latest);
        for (end = at + 1; end < from->rows && kind_of(t[end], latest) == k;)
            end++;
        Err err = k == kind ? batch_append_batch(to, from, at, end - at) : E_OK;
        if (err) return err;
    }
    return E_OK;
}

/* Sends the rows of one kind to the quarantine; `encoded` is scratch. */
static Err quarantine(Feed *f, const FeedMessage *m, const Batch *all, i64 latest, RowKind kind)
{
    Err err = E_OK;
    Batch bad;
    Buf body = {.size_max = FEED_BODY_MAX};
    batch_init(&bad, all->schema);
    TRY(pick(&bad, all, latest, kind));
    if (bad.rows == 0) goto done;
    TRY(batch_encode(&body, &bad, 0, bad.rows));
    FeedMessage part = *m;
    part.body = body.data;
    part.size = body.size;
    const char *why = kind == ROW_NULL ? "the partition time is null or infinite"
                                       : "the partition time lies beyond the horizon";
    err = park(f, f->quarantine_path, &f->quarantine, &part, why, (u32)bad.rows);
    if (err == E_LIMIT) {
        f->counts.log_dropped++;
        err = E_OK;
    }
    /* A folder that cannot be used is no fault of the publisher's: the message is not taken. */
    if (err != E_OK && err != E_IO && err != E_FULL && err != E_MEMORY) {
        FailRecord failure;
        fail_save(&failure);
        err = fail(E_BUSY, "rows with impossible times cannot be kept: %s", failure.text);
    }
done:
    batch_free(&bad);
    buf_free(&body);
    return err;
}

/* The slow road: quarantines the bad rows; f->scratch receives the good ones, encoded anew. */
static Err split(Feed *f, const FeedMessage *m, const Schema *s, i64 latest, u64 *good_rows)
{
    Err err = E_OK;
    Batch all, good;
    batch_init(&all, s);
    batch_init(&good, s);
    TRY(batch_append_wire(&all, m->body, m->size));
    TRY(quarantine(f, m, &all, latest, ROW_NULL));
    TRY(quarantine(f, m, &all, latest, ROW_LATE));
    TRY(pick(&good, &all, latest, ROW_GOOD));
    buf_clear(&f->scratch);
    TRY(batch_encode(&f->scratch, &good, 0, good.rows));
    *good_rows = good.rows;
done:
    batch_free(&all);
    batch_free(&good);
    return err;
}

/* ---- messages */

/* Appends to the stream and remembers the publisher. */
static Err take(Feed *f, const FeedMessage *m, WalRecord *rec)
{
    Err err = expect_sender(f, m->publisher);
    if (err) return err;
    rec->publisher = m->publisher;
    rec->session = m->session;
    rec->sequence = m->sequence;
    rec->received = now_wall();
    rec->table = m->table;
    err = wal_append(f->wal, rec);
    if (err) return err;
    f->counts.bytes += rec->size;
    return remember(f, m->publisher, m->session, m->sequence, rec->end);
}

/* A sound message of a known table. */
static Err publish(Feed *f, const FeedMessage *m, u32 table, u64 rows, FeedResult *r)
{
    const Schema *s = f->tables->tables[table];
    WalRecord rec = {.kind = WAL_DATA, .rows = (u32)rows, .body = m->body, .size = m->size};
    u64 nulls = 0, late = 0;
    if (s->prtn >= 0) {
        const u8 *times;
        u64 count;
        i64 now = now_wall();
        i64 latest = now > INT64_MAX - 1 - f->horizon_ns ? INT64_MAX - 1 : now + f->horizon_ns;
        batch_times_wire(s, m->body, m->size, &times, &count);
        if (any_suspect(times, count, latest)) count_bad(times, count, latest, &nulls, &late);
        if (nulls + late) {
            u64 good = 0;
            Err err = split(f, m, s, latest, &good);
            if (err) return err;
            rec.rows = (u32)good;
            rec.body = f->scratch.data;
            rec.size = f->scratch.size;
        }
    }
    /* Without good rows a record still carries the sequence. */
    if (rec.rows || m->publisher || nulls + late == 0) {
        Err err = take(f, m, &rec);
        if (err) return err;
    }
    r->verdict = nulls + late == 0 ? FEED_OK : rec.rows ? FEED_PARTIAL : FEED_QUARANTINED;
    r->position = wal_end(f->wal);
    r->rows = rec.rows;
    r->bad_rows = nulls + late;
    f->counts.messages++;
    f->counts.rows += rec.rows;
    f->counts.quarantined_null += nulls;
    f->counts.quarantined_future += late;
    f->table_rows[table] += rec.rows;
    if (f->scratch.room > FEED_SCRATCH_KEEP) buf_free(&f->scratch);
    return E_OK;
}

Err feed_publish(Feed *f, const FeedMessage *m, FeedResult *r)
{
    u64 rows;
    *r = (FeedResult){.verdict = FEED_REFUSED, .position = wal_end(f->wal)};
    if (m->size > BOUND_PUBLISH_MAX) {
        f->counts.dead_limit++;
        return fail(E_LIMIT, "a message of %llu bytes: at most %llu are taken",
                    (unsigned long long)m->size, BOUND_PUBLISH_MAX);
    }
    i32 table = map_find(&f->names, m->table);
    if (table < 0) {
        f->counts.dead_unknown_table++;
        return refuse(f, m, r,
                      fail(E_NOT_FOUND, "no table \"%.*s\"",
                           (int)MIN(m->table.size, BOUND_NAME_MAX), m->table.data));
    }
    Err err = batch_check_wire(f->tables->tables[table], m->body, m->size, &rows);
    if (!err && rows > BOUND_ROWS_MAX / 2)
        err = fail(E_TYPE, "table %.*s: too many rows in one message", STR_FMT(m->table));
    if (err) {
        f->counts.dead_shape++;
        return refuse(f, m, r, err);
    }
    const Sender *known = m->publisher ? find_sender(f, m->publisher) : NULL;
    if (known && known->session == m->session && m->sequence <= known->sequence) {
        f->counts.duplicates++;
        r->verdict = FEED_DUPLICATE;
        r->rows = rows;
        return E_OK;
    }
    return publish(f, m, (u32)table, rows, r);
}

Err feed_control(Feed *f, const char *table, const u8 *body, u64 size, u64 *end)
{
    if (table[0] != '_') return fail(E_USAGE, "\"%s\" is no name of a control message", table);
    WalRecord rec = {
        .kind = WAL_CONTROL,
        .received = now_wall(),
        .table = str_of(table),
        .body = body,
        .size = size,
    };
    Err err = wal_append(f->wal, &rec);
    if (err) return err;
    *end = rec.end;
    return E_OK;
}

Err feed_sync(Feed *f)
{
    Err err = E_OK;
    if (f->dead) TRY(wal_sync(f->dead));
    if (f->quarantine) TRY(wal_sync(f->quarantine));
    TRY(wal_commit(f->wal));
done:
    return err;
}

const FeedCounts *feed_counts(const Feed *f) { return &f->counts; }

u64 feed_table_rows(const Feed *f, u32 table) { return f->table_rows[table]; }

void feed_close(Feed *f)
{
    if (!f) return;
    Err first = wal_close(f->dead), second = wal_close(f->quarantine);
    (void)first; /* nothing was promised of what feed_sync did not report */
    (void)second;
    map_free(&f->names);
    map_free(&f->sender_ids);
    buf_free(&f->senders);
    buf_free(&f->scratch);
    Arena memory = f->memory;
    arena_free(&memory);
}
