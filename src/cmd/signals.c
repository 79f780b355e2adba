/*
 * signals: intervals and days (storage-manager.md 5, 6, 7).
 *
 * A timer publishes the signal of the interval in the stream; its record's end is the interval's
 * watermark. The eoi worker finds it by following the stream, stages, and calls .silt.staged; then
 * the next view is committed here. While a signal is not committed the timer publishes no further
 * one (O-15): the next signal then covers both intervals.
 *
 * Day requests: pending (signal published) -> queued (its interval is committed) -> processing
 * (given to the eod worker, which asks for work by .silt.next) -> completed. A worker that dies or
 * fails gets the request again after a pause, until it succeeds. After a restart queued requests
 * are known from the view (eod_asked, eod_upto), pending ones from the stream.
 *
 * Interval labels: one more than the largest in the view, 0 when there is none.
 */
#include "cmd/signals.h"

#include "base/log.h"
#include "cmd/intake.h"
#include "os/now.h"
#include "q/temporal.h"
#include "stream/tail.h"
#include "writedown/day.h"

#define SIGNAL_LOOK_NS 1000000000LL
#define RELIEF_TRIES   3 /* early intervals: so many views until an old one and its log go */
#define RELIEF_PAUSE   10
#define WORK_WAIT_MS   10000 /* a worker's request for work is answered with nothing after that */

static void dispatch(Sm *sm);
static Err publish_signal(Sm *sm, const ScheduleNext *next, bool partial_eod, Call *call);

static f64 seconds(i64 ns) { return (f64)ns / 1e9; }

/* The request with a number, or NULL. */
static SmRequest *find_request(Sm *sm, u64 seq)
{
    for (u32 i = 0; i < sm->request_count; i++)
        if (sm->requests[i].seq == seq) return &sm->requests[i];
    return NULL;
}

/* Remembers a day request; the oldest completed one makes room. */
static SmRequest *add_request(Sm *sm, u64 seq, u64 eoi, i32 day, SmState state)
{
    if (sm->request_count == SM_REQUESTS_MAX) {
        u32 oldest = 0;
        while (oldest < SM_REQUESTS_MAX && sm->requests[oldest].state != SM_COMPLETED)
            oldest++;
        if (oldest == SM_REQUESTS_MAX) return NULL;
        memmove(&sm->requests[oldest], &sm->requests[oldest + 1],
                (SM_REQUESTS_MAX - oldest - 1u) * sizeof sm->requests[0]);
        sm->request_count--;
    }
    SmRequest *r = &sm->requests[sm->request_count++];
    *r = (SmRequest){.seq = seq, .eoi = eoi, .day = day, .state = state};
    return r;
}

/* Room for one more day request. */
static bool request_room(const Sm *sm)
{
    if (sm->request_count < SM_REQUESTS_MAX) return true;
    for (u32 i = 0; i < sm->request_count; i++)
        if (sm->requests[i].state == SM_COMPLETED) return true;
    return false;
}

static void on_timer(void *arg)
{
    Sm *sm = arg;
    i64 now = now_wall();
    if (sm->stopping) return;
    ScheduleNext next = schedule_next(&sm->settings, &sm->schedule, now);
    if (next.due <= now && sm->signal_count == 0) {
        publish_signal(sm, &next, false, NULL);
    } else if (next.due <= now && next.due > sm->skipped_due) {
        sm->skipped_due = next.due;
        sm->skipped++;
        log_event(LOG_WARN, "eoi.skipped",
                  "interval %llu is not committed yet; the next one will cover both",
                  (unsigned long long)sm->signals[0].signal.seq);
    }
    signals_arm(sm);
}

/* Overdue, but one is open: its commit arms the timer anew. Overdue, but the last one was refused
 * (a full disk): again in a second. The wall clock may jump: look at least once a second. */
void signals_arm(Sm *sm)
{
    i64 now = now_wall();
    ScheduleNext next = schedule_next(&sm->settings, &sm->schedule, now);
    i64 wait = MIN(next.due - now, SIGNAL_LOOK_NS);
    if (wait <= 0) wait = sm->signal_count > 0 || sm->refused ? SIGNAL_LOOK_NS : 0;
    loop_timer(sm->loop, &sm->signal_timer, (u64)((wait + 999999) / 1000000), 0, on_timer, sm);
}

/* Publishes the signal that ends the running interval at `next->due`. `call`, if any, is answered
 * at the commit. */
static Err publish_signal(Sm *sm, const ScheduleNext *next, bool partial_eod, Call *call)
{
    Err err = E_OK;
    Buf body = {0};
    u64 end = 0;
    bool eod = next->ends_day || partial_eod;
    JobSignal s = {.seq = sm->eoi_next,
                   .eod = eod ? sm->eod_next : 0,
                   .day = temporal_day_of(sm->schedule.start),
                   .start = sm->schedule.start,
                   .end = next->due,
                   .partial = partial_eod};
    if (sm->signal_count == SM_SIGNALS_MAX)
        TRY(fail(E_BUSY, "%u intervals wait to be written", sm->signal_count));
    if (eod && !request_room(sm))
        TRY(fail(E_BUSY, "%u day requests wait to be done", sm->request_count));
    TRY(job_encode_signal(&body, &s));
    TRY(feed_control(sm->feed, "_prtnEnd", body.data, body.size, &end));
    sm->eoi_calls[sm->signal_count] = call;
    call = NULL;
    sm->signals[sm->signal_count++] = (SmSignal){s, end, now_mono()};
    sm->eoi_next++;
    sm->schedule.start = s.end;
    if (next->ends_day) sm->schedule.day_end = next->day_end;
    if (eod) {
        sm->eod_next++;
        add_request(sm, s.eod, s.seq, temporal_day_of(next->ends_day ? next->day_end - 1 : s.end),
                    SM_PENDING);
    }
    LogLine l;
    log_begin(&l, LOG_INFO, "eoi.signalled");
    log_i64(&l, "seq", (i64)s.seq);
    log_i64(&l, "eod", (i64)s.eod);
    log_i64(&l, "position", (i64)end);
    log_end(&l);
    intake_sync(sm); /* readers and the worker go no further than what is synced */
done:
    sm->refused = err != E_OK;
    if (err != E_OK) {
        log_fail(LOG_WARN, "eoi.refused", err);
        if (call != NULL) call_fail(call, err);
    }
    buf_free(&body);
    return err;
}

/* Numbers the staged parts behind those of the view. */
static void number_parts(const Sm *sm, JobResult *r)
{
    i32 label = 0;
    u64 at = 0;
    for (const Part *p; (p = view_next(sm->publish.current, PART_INTERVAL, &at)) != NULL;)
        if (p->key >= label) label = p->key + 1;
    for (u32 i = 0; i < r->part_count; i++)
        r->parts[i].key = label++;
}

/* Starts a change that keeps what the current view says. */
static Err start_change(Sm *sm, Arena *a, PublishChange *c)
{
    FeedPublisher *publishers = NULL;
    u32 count = 0;
    *c = publish_change(&sm->publish);
    Err err = feed_publishers(sm->feed, a, &publishers, &count);
    if (err != E_OK) return err;
    ViewPublisher *all = arena_array(a, ViewPublisher, count);
    for (u32 i = 0; i < count; i++)
        all[i] =
            (ViewPublisher){publishers[i].publisher, publishers[i].session, publishers[i].sequence};
    c->publishers = all;
    c->publisher_count = count;
    return E_OK;
}

/* Commits a change and tells everybody. A failed commit is fatal when the rename may have
 * happened. */
static Err commit(Sm *sm, const PublishChange *c)
{
    i64 began = now_mono();
    Err err = publish_commit(&sm->publish, c);
    if (err != E_OK) {
        if (err == E_IO) sm_fatal(sm, err);
        return err;
    }
    sm->last_commit_s = seconds(now_mono() - began);
    wal_set_view(sm->wal, sm->publish.current->number);
    LogLine l;
    log_begin(&l, LOG_INFO, "view.published");
    log_i64(&l, "view", (i64)sm->publish.current->number);
    log_i64(&l, "watermark", (i64)sm->publish.current->watermark);
    log_f64(&l, "ms", 1000 * sm->last_commit_s);
    log_end(&l);
    sm_tell(sm);
    sm_sweep(sm);
    return E_OK;
}

/* Takes the first signal off the list. */
static void signal_done(Sm *sm)
{
    Call *call = sm->eoi_calls[0];
    const SmSignal *s = &sm->signals[0];
    if (call != NULL) {
        Value v = value_dict(&call->arena, 3);
        value_put(&v, "seq", value_long((i64)s->signal.seq));
        value_put(&v, "view", value_long((i64)sm->publish.current->number));
        value_put(&v, "ms", value_float((f64)(now_mono() - s->signalled) / 1e6));
        call_value(call, &v);
    }
    sm->signal_count--;
    memmove(sm->signals, sm->signals + 1, sm->signal_count * sizeof sm->signals[0]);
    memmove(sm->eoi_calls, sm->eoi_calls + 1, sm->signal_count * sizeof(Call *));
    sm->eoi_calls[sm->signal_count] = NULL;
}

/* An interval is staged: it becomes the next view. */
static Err commit_interval(Sm *sm, JobResult *r, Arena *a)
{
    Err err = E_OK;
    PublishChange c;
    if (r->part_count == 0 && (sm->signal_count == 0 || r->seq < sm->signals[0].signal.seq))
        return E_OK; /* an empty interval after the view's watermark, done before the last start */
    if (sm->signal_count == 0 || r->seq != sm->signals[0].signal.seq)
        return fail(E_USAGE, "interval %llu is not the one to be committed",
                    (unsigned long long)r->seq);
    const SmSignal *s = &sm->signals[0];
    JobSignal signal = s->signal;
    if (r->watermark != s->end)
        return fail(E_USAGE, "interval %llu has another watermark", (unsigned long long)r->seq);
    if (r->part_count > 2) return fail(E_USAGE, "an interval has at most two parts");
    /* An empty interval makes no view, unless a view is what lets log files go. */
    if (r->part_count > 0 || signal.eod != 0 || wal_refused(sm->wal)) {
        number_parts(sm, r);
        TRY(start_change(sm, a, &c));
        c.add = r->parts;
        c.add_count = r->part_count;
        c.watermark = r->watermark;
        c.eoi = r->seq;
        if (r->part_count > 0) {
            c.sym_size = r->sym_size;
            c.sym_crc = r->sym_crc;
            c.sym_summed = true;
        }
        c.interval_end = signal.end;
        c.day_end = sm->schedule.day_end;
        if (signal.eod != 0) {
            c.eod_asked = signal.eod;
            c.eod_upto = r->seq;
        }
        TRY(commit(sm, &c));
    }
    sm->eois++;
    sm->last_eoi_s = seconds(now_mono() - s->signalled);
    sm->last_eoi_rows = r->rows;
    LogLine l;
    log_begin(&l, LOG_INFO, "eoi.done");
    log_i64(&l, "seq", (i64)r->seq);
    log_i64(&l, "rows", (i64)r->rows);
    log_i64(&l, "bytes", (i64)r->bytes);
    log_f64(&l, "staged_ms", (f64)r->ns / 1e6);
    log_f64(&l, "ms", 1000 * sm->last_eoi_s);
    log_end(&l);
    signal_done(sm);
    SmRequest *request = signal.eod == 0 ? NULL : find_request(sm, signal.eod);
    if (request != NULL) request->state = SM_QUEUED;
    signals_arm(sm);
    dispatch(sm);
done:
    return err;
}

/* A day is staged: its date parts take the place of the interval parts. */
static Err commit_day(Sm *sm, JobResult *r, Arena *a)
{
    Err err = E_OK;
    PublishChange c;
    DayPlan plan;
    SmRequest *request = find_request(sm, r->seq);
    if (request == NULL || request->state != SM_PROCESSING)
        return fail(E_USAGE, "day request %llu is not being processed", (unsigned long long)r->seq);
    TRY(day_plan(sm->publish.current, request->eoi, r->seq, publish_next(&sm->publish), a, &plan));
    if (r->part_count != plan.date_count)
        TRY(fail(E_USAGE, "day request %llu staged %u dates, %u were planned",
                 (unsigned long long)r->seq, r->part_count, plan.date_count));
    TRY(start_change(sm, a, &c));
    c.add = r->parts;
    c.add_count = r->part_count;
    c.remove = plan.taken;
    c.remove_count = plan.taken_count;
    c.eod = r->seq;
    TRY(commit(sm, &c));
    for (u32 i = 0; i < sm->request_count;
         i++) /* one run does all that was asked before it (O-27) */
        if (sm->requests[i].seq <= r->seq) sm->requests[i].state = SM_COMPLETED;
    request->rows = r->rows;
    request->bytes = r->bytes;
    request->ns = now_mono() - request->began;
    sm->eods++;
    sm->last_eod_s = seconds(request->ns);
    sm->last_eod_rows = r->rows;
    LogLine l;
    log_begin(&l, LOG_INFO, "eod.done");
    log_i64(&l, "seq", (i64)r->seq);
    log_i64(&l, "dates", r->part_count);
    log_i64(&l, "rows", (i64)r->rows);
    log_i64(&l, "bytes", (i64)r->bytes);
    log_f64(&l, "ms", 1000 * sm->last_eod_s);
    log_end(&l);
    dispatch(sm);
done:
    return err;
}

/* Parts have got checksums: the next view names those that it still has where they were. */
static Err commit_sums(Sm *sm, const JobResult *r, Arena *a)
{
    Err err = E_OK;
    PublishChange c;
    TRY(start_change(sm, a, &c));
    Part *add = arena_array(a, Part, r->part_count);
    const Part **remove = arena_array(a, const Part *, r->part_count);
    for (u32 i = 0; i < r->part_count; i++) {
        const Part *told = &r->parts[i];
        const Part *p = view_part(sm->publish.current, told->kind, told->key);
        if (p == NULL || p->summed || !told->summed || strcmp(p->path, told->path) != 0) continue;
        if (p->kind == PART_INTERVAL) remove[c.remove_count++] = p;
        add[c.add_count] = *p;
        add[c.add_count].summed = true;
        add[c.add_count++].sums = told->sums;
    }
    c.add = add;
    c.remove = remove;
    if (c.add_count > 0) TRY(commit(sm, &c));
done:
    return err;
}

/* The worker that speaks, by its process id: results of one that was given up are refused. */
static SmWorker *worker_of(Sm *sm, u32 which, const Value *pid)
{
    i64 id = 0;
    if (pid == NULL || !value_int_of(pid, &id) || id != sm->workers[which].pid) return NULL;
    return &sm->workers[which];
}

/* .silt.staged [worker; pid; result]: a worker has staged and synced. */
static void on_staged(void *ctx, Call *call)
{
    Sm *sm = ctx;
    Err err = E_OK;
    Value args[3];
    Str who = {0};
    JobResult result;
    if (call->arg_count != 3)
        TRY(fail(E_USAGE, ".silt.staged: worker, pid and result are expected"));
    for (u32 i = 0; i < 3; i++)
        TRY(wire_decode(call->arg_at[i], call->args[i].size, &call->arena, &args[i]));
    bool named = value_text(&args[0], &who);
    bool eod = named && str_is(who, "eod"), scrub = named && str_is(who, "scrub");
    if (worker_of(sm, eod ? SM_EOD : scrub ? SM_SCRUB : SM_EOI, &args[1]) == NULL)
        TRY(fail(E_DENIED, "an unknown worker reports a result"));
    TRY(job_result_parse(&args[2], &call->arena, &result));
    if (eod)
        TRY(commit_day(sm, &result, &call->arena));
    else if (scrub)
        TRY(commit_sums(sm, &result, &call->arena));
    else
        TRY(commit_interval(sm, &result, &call->arena));
done:
    if (err == E_OK) {
        Value v = value_long((i64)sm->publish.current->number);
        call_value(call, &v);
    } else {
        log_fail(LOG_ERROR, "commit.refused", err);
        call_fail(call, err);
    }
}

/* .silt.failed [worker; pid; text]: a job could not be done; it is given out again after a
 * pause. */
static void on_failed(void *ctx, Call *call)
{
    Sm *sm = ctx;
    Value nothing = value_null();
    for (u32 i = 0; i < sm->request_count; i++)
        if (sm->requests[i].state == SM_PROCESSING) sm->requests[i].state = SM_QUEUED;
    call_value(call, &nothing);
}

/* Gives the newest queued request to the eod worker when it waits: it covers all before it. */
static void dispatch(Sm *sm)
{
    SmWorker *w = &sm->workers[SM_EOD];
    SmRequest *newest = NULL;
    if (w->waiting == NULL) return;
    for (u32 i = 0; i < sm->request_count; i++) {
        if (sm->requests[i].state == SM_PROCESSING) return;
        if (sm->requests[i].state == SM_QUEUED &&
            (newest == NULL || sm->requests[i].seq > newest->seq))
            newest = &sm->requests[i];
    }
    if (newest == NULL) return;
    Call *call = w->waiting;
    w->waiting = NULL;
    newest->state = SM_PROCESSING;
    newest->began = now_mono();
    Value v = value_dict(&call->arena, 4);
    value_put(&v, "seq", value_long((i64)newest->seq));
    value_put(&v, "eoi", value_long((i64)newest->eoi));
    value_put(&v, "view", value_long((i64)sm->publish.current->number));
    value_put(&v, "made", value_long((i64)publish_next(&sm->publish)));
    call_value(call, &v);
    log_event(LOG_INFO, "eod.dispatched", "day request %llu", (unsigned long long)newest->seq);
}

static void work_timeout(void *arg)
{
    SmWorker *w = arg;
    Value nothing = value_null();
    if (w->waiting == NULL) return;
    Call *call = w->waiting;
    w->waiting = NULL;
    call_value(call, &nothing);
}

/* .silt.next [worker; pid]: answered when there is work, with :: after a while. */
static void on_next(void *ctx, Call *call)
{
    Sm *sm = ctx;
    Err err = E_OK;
    Value args[2];
    Str who = {0};
    if (call->arg_count != 2) TRY(fail(E_USAGE, ".silt.next: worker and pid are expected"));
    for (u32 i = 0; i < 2; i++)
        TRY(wire_decode(call->arg_at[i], call->args[i].size, &call->arena, &args[i]));
    bool eod = value_text(&args[0], &who) && str_is(who, "eod");
    SmWorker *w = worker_of(sm, eod ? SM_EOD : SM_DBM, &args[1]);
    if (w == NULL) TRY(fail(E_DENIED, "an unknown worker asks for work"));
    work_timeout(w); /* at most one request waits */
    w->waiting = call;
    loop_timer(sm->loop, &w->timer, WORK_WAIT_MS, 0, work_timeout, w);
    dispatch(sm);
done:
    if (err != E_OK) call_fail(call, err);
}

void signals_worker_gone(Sm *sm, u32 worker)
{
    SmWorker *w = &sm->workers[worker];
    loop_timer_stop(&w->timer);
    work_timeout(w); /* nobody hears the answer, but it frees the call */
    for (u32 i = 0; worker == SM_EOD && i < sm->request_count; i++)
        if (sm->requests[i].state == SM_PROCESSING) sm->requests[i].state = SM_QUEUED;
}

void signals_stop(Sm *sm)
{
    for (u32 i = 0; i < SM_WORKERS; i++)
        work_timeout(&sm->workers[i]);
    for (u32 i = 0; i < sm->signal_count; i++) {
        Call *call = sm->eoi_calls[i];
        sm->eoi_calls[i] = NULL;
        if (call != NULL) call_fail(call, fail(E_CLOSED, "the manager is stopping"));
    }
}

/* Ends the running interval now. */
static Err end_now(Sm *sm, bool eod, Call *call)
{
    i64 now = now_wall();
    ScheduleNext next = {
        .due = MAX(now, sm->schedule.start), .ends_day = false, .day_end = sm->schedule.day_end};
    Err err = publish_signal(sm, &next, eod, call);
    signals_arm(sm);
    return err;
}

/* Whether another early interval may help. When several have let nothing go, a view that somebody
 * holds keeps the log, and more of them are only more views: they become rare. */
static bool relief_due(Sm *sm)
{
    if (sm->relief_pause > 0 && --sm->relief_pause > 0) return false;
    u64 oldest = wal_oldest(sm->wal);
    sm->relief_vain = oldest == sm->relief_oldest ? sm->relief_vain + 1 : 0;
    sm->relief_oldest = oldest;
    if (sm->relief_vain >= RELIEF_TRIES)
        sm->relief_pause = MIN(2 * (sm->relief_vain - RELIEF_TRIES + 1), RELIEF_PAUSE);
    return true;
}

void signals_relieve(Sm *sm)
{
    if (sm->stopping || sm->signal_count > 0 || !wal_refused(sm->wal) || !relief_due(sm)) return;
    log_event(LOG_WARN, "eoi.early",
              "publishing was refused for want of room: the interval ends "
              "now, so that log files can go");
    Err err = end_now(sm, false, NULL);
    (void)err; /* it was logged where it failed; the next look tries again */
}

/* .silt.eoi, POST /v1/eoi: answered when the interval is committed. */
static void on_eoi(void *ctx, Call *call)
{
    Sm *sm = ctx;
    Err err = sm->stopping ? fail(E_CLOSED, "the manager is stopping") : end_now(sm, false, call);
    if (err != E_OK && sm->stopping)
        call_fail(call, err); /* else it was answered where it failed */
}

static const char *state_name(SmState state)
{
    static const char *const names[] = {"pending", "queued", "processing", "completed"};
    return names[state];
}

static void tell_request(Call *call, const SmRequest *r)
{
    Value v = value_dict(&call->arena, 6);
    value_put(&v, "status", value_string(str_of(state_name(r->state))));
    value_put(&v, "date", value_atom(QT_DATE, r->day));
    value_put(&v, "seq", value_long((i64)r->seq));
    value_put(&v, "rows", value_long((i64)r->rows));
    value_put(&v, "bytes", value_long((i64)r->bytes));
    value_put(&v, "ms", value_float((f64)r->ns / 1e6));
    call_value(call, &v);
}

/* .silt.eod, POST /v1/eod: a manual, partial EOD (K9): answered at once with its number. */
static void on_eod(void *ctx, Call *call)
{
    Sm *sm = ctx;
    u64 seq = sm->eod_next;
    if (sm->stopping) {
        call_fail(call, fail(E_CLOSED, "the manager is stopping"));
        return;
    }
    Err err = end_now(sm, true, NULL);
    SmRequest *r = find_request(sm, seq);
    if (err != E_OK)
        call_fail(call, err);
    else if (r == NULL)
        call_fail(call, fail(E_BUSY, "%u day requests wait to be done", sm->request_count));
    else
        tell_request(call, r);
}

/* .silt.eodStatus [seq], GET /v1/eod/SEQ. */
static void on_eod_status(void *ctx, Call *call)
{
    Sm *sm = ctx;
    i64 seq = -1;
    if (call->http) {
        if (!str_i64(call->rest, &seq)) seq = -1;
    } else if (call->arg_count == 1 && call->args[0].type == -QT_LONG) {
        seq = load_i64(call->args[0].data);
    }
    SmRequest *r = seq < 0 ? NULL : find_request(sm, (u64)seq);
    if (r == NULL && seq > 0 && (u64)seq <= sm->publish.current->eod) {
        SmRequest old = {.seq = (u64)seq, .state = SM_COMPLETED, .day = INT32_MIN};
        tell_request(call, &old);
    } else if (r == NULL) {
        call_fail(call, fail(E_NOT_FOUND, "there is no day request of that number"));
    } else {
        tell_request(call, r);
    }
}

void signals_init(Sm *sm)
{
    static const ApiEntry entries[] = {
        {".silt.staged", NULL, NULL, on_staged, "a worker reports what it staged"},
        {".silt.failed", NULL, NULL, on_failed, "a worker reports that a job failed"},
        {".silt.next", NULL, NULL, on_next, "a worker asks for work"},
        {".silt.eoi", "POST", "/v1/eoi", on_eoi,
         "ends the interval now; answers when it is committed"},
        {".silt.eod", "POST", "/v1/eod", on_eod,
         "ends the interval and writes all of it to the history now"},
        {".silt.eodStatus", "GET", "/v1/eod/", on_eod_status,
         "pending, queued, processing or completed"},
        {0}};
    api_add(entries, sm);
}

/* The first record of a database that has written nothing down yet: its intervals and days begin
 * with it, however long the manager was away since. */
static void recover_first(Sm *sm, const WalRecord *r)
{
    i64 start = schedule_align(&sm->settings, r->received);
    i64 day = temporal_day_of(r->received - sm->settings.snap_ns);
    sm->schedule.start = MIN(sm->schedule.start, start);
    sm->schedule.day_end = MIN(sm->schedule.day_end, day * TEMPORAL_DAY_NS);
}

/* Takes one record of the stream after the watermark. `*rows` tells whether rows came since the
 * last signal: intervals without any that end no day were done when they were signalled, for they
 * make no view. */
static Err recover_record(Sm *sm, const WalRecord *r, bool *rows)
{
    Err err = E_OK;
    JobSignal s;
    if (r->publisher != 0) TRY(feed_remember(sm->feed, r->publisher, r->session, r->sequence));
    if (r->kind == WAL_DATA) *rows = true;
    if (r->kind != WAL_CONTROL || !str_is(r->table, "_prtnEnd")) goto done;
    TRY(job_decode_signal(r->body, r->size, &s));
    if (*rows || s.eod != 0) {
        if (sm->signal_count == SM_SIGNALS_MAX)
            TRY(fail(E_CORRUPT, "the stream holds more than %d open intervals before position %llu",
                     SM_SIGNALS_MAX, (unsigned long long)r->position));
        sm->signals[sm->signal_count++] = (SmSignal){s, r->end, now_mono()};
    }
    *rows = false;
    sm->eoi_next = MAX(sm->eoi_next, s.seq + 1);
    /* Whatever the clock says now, or said when the first record came: the next one begins here. */
    sm->schedule.start = s.end;
    if (s.eod == 0) goto done;
    sm->eod_next = MAX(sm->eod_next, s.eod + 1);
    add_request(sm, s.eod, s.seq, s.day, SM_PENDING);
    if (!s.partial)
        sm->schedule.day_end = (i64)temporal_day_of(s.end - sm->settings.snap_ns) * TEMPORAL_DAY_NS;
done:
    return err;
}

Err signals_recover(Sm *sm)
{
    Err err = E_OK;
    Tail tail = {0};
    WalRecord r;
    bool got = true, rows = false, first = true;
    const View *v = sm->publish.current;
    i64 now = now_wall();
    sm->settings = (ScheduleSettings){.freq_ns = sm->config.idb_tier->freq_ns,
                                      .offset_ns = sm->config.idb_tier->offset_ns,
                                      .snap_ns = sm->config.date_tiers[0].snap_ns};
    sm->eoi_next = v->eoi + 1;
    sm->eod_next = MAX(v->eod, v->eod_asked) + 1;
    bool fresh = v->eoi == 0; /* nothing was ever written */
    sm->schedule.start = fresh ? schedule_align(&sm->settings, now) : v->interval_end;
    sm->schedule.day_end =
        fresh ? (i64)temporal_day_of(now - sm->settings.snap_ns) * TEMPORAL_DAY_NS : v->day_end;
    if (v->eod_asked > v->eod) add_request(sm, v->eod_asked, v->eod_upto, INT32_MIN, SM_QUEUED);
    for (u32 i = 0; i < v->publisher_count; i++)
        TRY(feed_remember(sm->feed, v->publishers[i].publisher, v->publishers[i].session,
                          v->publishers[i].sequence));
    TRY(tail_open(&tail, sm->root.wal, MAX(v->watermark, wal_oldest(sm->wal))));
    for (;;) {
        TRY(tail_next(&tail, &r, &got));
        if (!got) break;
        if (fresh && first) recover_first(sm, &r);
        first = false;
        TRY(recover_record(sm, &r, &rows));
    }
done:
    tail_close(&tail);
    return err;
}
