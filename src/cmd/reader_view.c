/*
 * reader_view: which view a reader serves, and the domain that belongs to it.
 *
 * At the start the newest view; when that cannot be opened (its manifest or the domain is damaged,
 * the device does not read) the newest one before it that can, pinned, with the stream from its
 * watermark: the log is kept as far back as the oldest kept view, so no row is missing. From then
 * on a running reader that met such a view and one that began so are alike: r->stale says why, it
 * was told once, and the newest view is tried every second.
 *
 * Numbers below that of `current` are views that were committed; one above it may never be. So when
 * `current` itself cannot be read there is nothing to fall back to.
 */
#include "cmd/reader_view.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "os/dir.h"
#include "os/now.h"
#include "os/proc.h"
#include "upkeep/journal.h"

#define STALE_NS     1000000000LL
#define LOOK_NS      100000000LL
#define FOLLOW_TRIES 100
#define GONE_TRIES   10
#define WAIT_TRIES   600
#define WAIT_MS      100

void reader_view_release(ReaderDomain *d)
{
    if (d == NULL || --d->uses > 0) return;
    domain_close(&d->domain);
    free(d);
}

/* Loads the domain as far as a view needs it and compares it with the view. One that is read on but
 * is not the view's is as before afterwards: names of a damaged file must not stay in it. */
static Err load_domain(Reader *r, const View *v)
{
    if (r->domain != NULL && (r->domain->uses == 1 || v->sym_size <= r->domain->domain.size)) {
        Domain *known = &r->domain->domain;
        DomainMark before = domain_mark(known);
        Err err = domain_load(known, v->sym_size);
        if (err == E_OK) err = view_check_domain(v, known);
        if (err != E_OK && known->size > before.size) domain_back(known, before);
        return err;
    }
    ReaderDomain *d = calloc(1, sizeof *d);
    if (d == NULL) return fail(E_MEMORY, "no memory for the domain");
    Err err = domain_open(&d->domain, r->root.sym, v->sym_size);
    if (err == E_OK) err = view_check_domain(v, &d->domain);
    if (err != E_OK) {
        domain_close(&d->domain);
        free(d);
        return err;
    }
    d->uses = 1;
    reader_view_release(r->domain);
    r->domain = d;
    r->source.domain = &d->domain;
    return E_OK;
}

/* Closes the open tables of a segment that no view holds any longer. */
static void forget(void *arg, const Segment *s)
{
    run_cache_forget(((Reader *)arg)->source.cache, s);
}

/* Opens the newest view in place of the one that is open. */
static Err reload(Reader *r)
{
    Err err = E_OK;
    View *v = NULL;
    TRY(view_open(&r->cache, true, &v));
    if (r->view != NULL && v->number == r->view->number) {
        view_close(&r->cache, v);
        return E_OK;
    }
    TRY(load_domain(r, v));
    View *old = r->view;
    r->view = v;
    r->source.view = v;
    v = NULL;
    if (r->live != NULL) live_drop(r->live, r->view->watermark);
    if (old != NULL) {
        view_close(&r->cache, old);
        r->reloads++;
        log_event(LOG_DEBUG, "view.opened", "view %llu", (unsigned long long)r->view->number);
    }
done:
    if (v != NULL) view_close(&r->cache, v);
    return err;
}

/* Notes why the newest view is not open, and says it when that is news. */
static void note_stale(Reader *r, Err err)
{
    ReaderStale *s = &r->stale;
    bool known = s->err == err && strcmp(s->text, fail_text()) == 0;
    if (s->err == E_OK) s->since = now_wall();
    s->err = err;
    s->tried = now_mono();
    s->tries++;
    snprintf(s->text, sizeof s->text, "%s", fail_text());
    if (!known)
        log_event(LOG_ERROR, "da.stale", "view %llu is served, a newer one cannot be opened: %s",
                  (unsigned long long)r->view->number, s->text);
}

void reader_view_reload(Reader *r)
{
    ReaderStale *s = &r->stale;
    if (s->err != E_OK && now_mono() - s->tried < STALE_NS) return;
    Err err = reload(r);
    if (err == E_OK && s->err != E_OK)
        log_event(LOG_INFO, "da.fresh", "view %llu is open: the newest again",
                  (unsigned long long)r->view->number);
    if (err == E_OK)
        s->err = E_OK;
    else
        note_stale(r, err);
}

bool reader_view_newer(Reader *r)
{
    u64 number = 0;
    if (r->stale.err != E_OK) return true;
    if (r->tailing) return tail_view(&r->tail) > r->view->number;
    if (now_mono() - r->looked < LOOK_NS) return false;
    r->looked = now_mono();
    return view_current(&r->root, &number) != E_OK || number > r->view->number;
}

/* ---- the start */

/* Whether another view may help: not when it is this process that lacks something. */
static bool is_of_view(Err err)
{
    return err == E_CORRUPT || err == E_IO || err == E_DENIED || err == E_UNSUPPORTED;
}

/* The newest view cannot be opened, for the reason that was given last: opens the newest one before
 * it that can be. On failure the reason stands first. */
static Err fall_back(Reader *r, Err err, u64 number)
{
    char text[FAIL_TEXT_MAX];
    snprintf(text, sizeof text, "%s", fail_text());
    while (number > 0) {
        View *v = NULL;
        Err older = view_open_before(&r->cache, number, &v);
        if (older == E_OK) {
            number = v->number;
            older = load_domain(r, v);
        } else {
            number = 0;
        }
        if (older == E_OK) {
            r->view = v;
            r->source.view = v;
            note_stale(r, fail(err, "%s", text));
            return E_OK;
        }
        if (v != NULL) view_close(&r->cache, v);
        if (!is_of_view(older) && older != E_NOT_FOUND) return older;
    }
    return fail(err, "%s; no older view can be opened", text);
}

/* Whether to go on waiting for what the manager makes, for a tenth of a second each time: for ever
 * as long as somebody is there who started this process, else for a minute. `why` is told once. */
static bool waits(u32 *tries, const char *why)
{
    if (*tries == 0) log_event(LOG_INFO, "da.waiting", "%s", why);
    if (proc_parent() == 1 && *tries > WAIT_TRIES) return false;
    ++*tries;
    now_sleep_ms(WAIT_MS);
    return true;
}

/* Whether the first view is final: until an import is over it may take all of it back. */
static Err is_final(Reader *r, bool *final)
{
    Arena a = {0};
    DirKind kind = DIR_ABSENT;
    Err err = dir_kind(dir_join(&a, r->root.hdb, JOURNAL_NAME, NULL), false, &kind);
    *final = kind == DIR_ABSENT;
    arena_free(&a);
    return err;
}

/* A reader may be started before its manager, or while that imports. What was there may be gone a
 * moment later, when an import was taken back. */
Err reader_view_start(Reader *r)
{
    u64 number = 0;
    bool final = false;
    char text[FAIL_TEXT_MAX];
    r->cache.forget = forget;
    r->cache.forget_arg = r;
    for (u32 tries = 0, gone = 0;;) {
        Err err = view_current(&r->root, &number);
        if (err != E_OK && err != E_NOT_FOUND) return err;
        bool there = err == E_OK && number > 0;
        if (there) {
            err = is_final(r, &final);
            if (err != E_OK) return err;
        }
        if (there && final) {
            err = reload(r);
            if (is_of_view(err)) return fall_back(r, err, number);
            if (err != E_NOT_FOUND || ++gone == GONE_TRIES) return err;
            now_sleep_ms(WAIT_MS);
            continue;
        }
        snprintf(text, sizeof text,
                 there ? "%s: an import is not over" : "%s/current is not there yet",
                 there ? r->root.hdb : r->root.idb);
        if (!waits(&tries, text)) return fail(E_TIMEOUT, "%s", text);
    }
}

/* The view may be replaced and its log trimmed before the stream is open, so it is tried anew; and
 * after a power cut the stream is there only when its writer has begun. The log of a view that was
 * fallen back to does not come again. */
Err reader_view_follow(Reader *r)
{
    Err err = E_OK;
    char text[FAIL_TEXT_MAX];
    for (u32 tries = 0, absent = 0;;) {
        err = tail_open(&r->tail, r->root.wal, r->view->watermark);
        if (err != E_CORRUPT && err != E_NOT_FOUND) break;
        snprintf(text, sizeof text, "%s", fail_text());
        if (err == E_NOT_FOUND && !waits(&absent, text)) return fail(E_TIMEOUT, "%s", text);
        if (err == E_CORRUPT && ++tries == FOLLOW_TRIES) return fail(err, "%s", text);
        if (err == E_CORRUPT) now_sleep_ms(WAIT_MS);
        Err again = reload(r);
        if (again == E_OK) r->stale.err = E_OK;
        if (again == E_OK || (r->stale.err != E_OK && err == E_NOT_FOUND)) continue;
        if (r->stale.err == E_OK) return again;
        return fail(again, "%s; view %llu could be opened, but not the stream after it: %s",
                    r->stale.text, (unsigned long long)r->view->number, text);
    }
    if (err == E_OK) r->target = tail_durable(&r->tail);
    return err;
}
