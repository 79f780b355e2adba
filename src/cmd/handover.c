/*
 * handover: options, what is printed and what is logged; upkeep/adopt does the work.
 *
 *     silt adopt assembly.yaml --check     all that speaks against it, and the parts to be
 *     silt adopt assembly.yaml --apply     the same, then the import
 *     silt adopt /old/db --check           without an assembly: is it whole, would it fit itself
 *
 * The database is looked for in <hdb baseURI>/data; --from names another folder of the same file
 * system.
 */
#include "cmd/handover.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/findings.h"
#include "cmd/progress.h"
#include "cmd/talk.h"
#include "os/dir.h"
#include "os/fault.h"
#include "os/guard.h"
#include "q/temporal.h"
#include "upkeep/adopt.h"

typedef struct {
    OptionsCommon common;
    const char *from, *rule;
    bool check, apply, keep_unlisted, deep, json;
} Words;

/* ---- what is printed */

static void show_progress(void *arg, const char *what, u64 done, u64 all)
{
    Progress *p = arg;
    if (p->unit == NULL || strcmp(p->unit, what) != 0) {
        progress_end(p);
        progress_begin(p, what);
    }
    progress_show(p, done, all);
}

/* P-43: where the partitions of each folder will be. */
static Err put_mapping(const AdoptOptions *o, const Survey *s, Buf *out)
{
    Err err = E_OK;
    Arena a = {0};
    for (u32 i = 0; i < s->plain.segment_count; i++) {
        const SurveyPart *first = NULL, *last = NULL;
        char from[TEMPORAL_TEXT_MAX], to[TEMPORAL_TEXT_MAX], *path = NULL;
        u64 count = 0;
        for (u32 k = 0; k < s->part_count; k++) {
            if (s->parts[k].segment != i) continue;
            first = first == NULL ? &s->parts[k] : first;
            last = &s->parts[k];
            count++;
        }
        if (count == 0) continue;
        temporal_date_name(first->day, from);
        temporal_date_name(last->day, to);
        TRY(adopt_path(o, s, first, &a, &path));
        TRY(buf_format(out, "map: %s: %" PRIu64 " dates, %s to %s -> tier %s, in place at %.*s\n",
                       s->plain.segments[i].path, count, from, to,
                       o->tier_count > 0 ? o->tiers[0].name : "?", (int)(strrchr(path, '/') - path),
                       path));
    }
done:
    arena_free(&a);
    return err;
}

static Err report(const Words *w, const AdoptOptions *o, const Survey *s)
{
    Buf out = {0};
    Err err = findings_write(&s->notes, w->json, &out);
    if (err == E_OK && !w->json && o != NULL) err = put_mapping(o, s, &out);
    if (err == E_OK) err = talk_print(&out);
    buf_free(&out);
    fprintf(stderr,
            "%" PRIu32 " partitions, %" PRIu64 " tables, %" PRIu64 " rows, %" PRIu64
            " bytes, %" PRIu64 " tables to fill: %" PRIu64 " violations, %" PRIu64 " warnings\n",
            s->part_count, s->table_count, s->rows, s->bytes, s->fills, s->notes.errors,
            s->notes.warnings);
    if (err == E_OK && s->notes.errors > 0)
        err =
            fail(E_CORRUPT, "%" PRIu64 " rules are violated: nothing was changed", s->notes.errors);
    return err;
}

/* ---- the command */

static void fill_options(const Config *c, AdoptOptions *o)
{
    *o = (AdoptOptions){.assembly = c->name,
                        .idb = c->idb->base,
                        .hdb = c->hdb->base,
                        .wal = c->source->log_path,
                        .tiers = c->date_tiers,
                        .tier_count = c->date_tier_count,
                        .tables = &c->tables};
}

/* The database itself where --from names a link to it: it is the folder that is renamed. It may be
 * gone already when an import is resumed. */
static Err find_source(const char *from, Arena *a, char **source)
{
    Err err = dir_resolve(from, a, source);
    return err == E_NOT_FOUND ? dir_absolute(from, a, source) : err;
}

/* Says what to do when nothing stands where the database is looked for. */
static Err refuse_missing(const AdoptOptions *o)
{
    Err err = E_OK;
    Arena a = {0};
    DirKind kind = DIR_ABSENT;
    const char *data = dir_join(&a, o->hdb, "data", NULL);
    TRY(dir_kind(data, true, &kind));
    if (kind == DIR_ABSENT)
        TRY(fail(E_NOT_FOUND,
                 "%s: there is no database: put it there, or name its folder with --from", data));
done:
    arena_free(&a);
    return err;
}

static Err run_assembly(const Words *w, Config *c, Arena *a)
{
    Err err = E_OK;
    ConfigSource source;
    ConfigFinding *findings = NULL;
    AdoptOptions o;
    AdoptOutcome outcome = ADOPT_REFUSED;
    Survey s = {0};
    Progress progress = {0};
    u32 count = 0;
    char *from = NULL;
    bool pending = false;
    TRY(options_source(&w->common, &source));
    TRY(config_load(c, &source, &findings, &count));
    TRY(config_supported(c));
    fill_options(c, &o);
    if (w->from != NULL) TRY(find_source(w->from, a, &from));
    o.source = from;
    o.first_days = w->rule != NULL;
    o.keep_unlisted = w->keep_unlisted;
    o.deep = w->deep;
    o.progress = show_progress;
    o.arg = &progress;
    TRY(adopt_pending(o.hdb, &pending));
    if (!pending && from == NULL) TRY(refuse_missing(&o));
    if (w->check)
        err = adopt_check(&o, &s);
    else if (pending)
        err = adopt_resume(&o, &s, &outcome);
    if (!w->check && err == E_OK && outcome != ADOPT_DONE) {
        survey_close(&s);
        err = adopt_apply(&o, &s, &outcome);
    }
    progress_end(&progress);
    TRY(err);
    TRY(report(w, &o, &s));
    if (outcome == ADOPT_DONE) fprintf(stderr, "imported: start it with silt up %s\n", c->file);
done:
    progress_end(&progress);
    survey_close(&s);
    return err;
}

static Err run_folder(const Words *w, const char *folder)
{
    Err err = E_OK;
    Arena a = {0};
    Survey s = {0};
    char *source = NULL;
    if (w->apply)
        TRY(fail(E_USAGE,
                 "%s is a folder: to import it, write an assembly (silt schema infer "
                 "proposes one) and run silt adopt ASSEMBLY --from %s --apply",
                 folder, folder));
    TRY(dir_absolute(folder, &a, &source));
    SurveyOptions options = {
        .source = source, .first_days = w->rule != NULL, .keep_unlisted = true, .deep = w->deep};
    TRY(survey_run(&s, &options));
    TRY(report(w, NULL, &s));
done:
    survey_close(&s);
    arena_free(&a);
    return err;
}

int handover_main(int argc, char **argv)
{
    Err err = E_OK;
    Arena a = {0};
    Config config = {0};
    DirKind kind = DIR_ABSENT;
    Words w = {0};
    Option options[] = {
        OPTIONS_COMMON(w.common),
        {"check", NULL, NULL, &w.check, "say all that speaks against it, change nothing"},
        {"apply", NULL, NULL, &w.apply, "import, when nothing speaks against it"},
        {"from", "DIR", &w.from, NULL, "the database, instead of <hdb baseURI>/data"},
        {"rule", "first-day", &w.rule, NULL, "a month or year becomes the part of its first day"},
        {"keep-unlisted", NULL, NULL, &w.keep_unlisted,
         "keep tables that the assembly does not have as they are"},
        {"deep", NULL, NULL, &w.deep, "read all times and symbols, not only the first and last"},
        {"json", NULL, NULL, &w.json, "one JSON object a finding"},
        {0}};
    TRY(options_parse(&argc, argv, options));
    TRY(fault_init("adopt"));
    TRY(guard_start()); /* a file that is cut while it is read is a violation */
    if (argc != 1 || w.check == w.apply)
        TRY(fail(E_USAGE, "silt adopt ASSEMBLY|DIR --check|--apply: one path and one of the two"));
    if (w.rule != NULL && strcmp(w.rule, "first-day") != 0)
        TRY(fail(E_USAGE, "--rule %s: first-day is the only rule", w.rule));
    TRY(dir_kind(argv[0], true, &kind));
    if (kind == DIR_FOLDER) {
        TRY(run_folder(&w, argv[0]));
    } else {
        w.common.file = argv[0];
        TRY(run_assembly(&w, &config, &a));
    }
done:
    config_free(&config);
    arena_free(&a);
    return talk_end(err);
}

/* ---- the manager's start */

static void log_notes(const Survey *s)
{
    for (u32 i = 0; i < s->notes.count; i++) {
        const Note *n = &s->notes.list[i];
        log_event(n->warning ? LOG_WARN : LOG_ERROR,
                  n->warning ? "import.warning" : "import.refused", "%s: %s: %s", n->path, n->rule,
                  n->text);
    }
}

/* Ends what was interrupted, then imports when that is asked for. */
static Err start_import(const Config *c, const AdoptOptions *o, bool pending, Survey *s)
{
    AdoptOutcome outcome = ADOPT_NOTHING;
    Err err = E_OK;
    if (pending) {
        log_event(LOG_INFO, "import.resumed", "%s", o->hdb);
        err = adopt_resume(o, s, &outcome);
    }
    if (err == E_OK && outcome == ADOPT_NOTHING && c->initial_import) {
        survey_close(s);
        err = adopt_apply(o, s, &outcome);
        if (err == E_NOT_FOUND) return fail_note(err, "V-20: initialImport: no database to import");
    }
    if (err != E_OK) return err;
    log_notes(s);
    if (outcome == ADOPT_REFUSED)
        return fail(E_CORRUPT, "initialImport: %" PRIu64 " rules are violated: nothing was changed",
                    s->notes.errors);
    if (outcome == ADOPT_DONE)
        log_event(LOG_INFO, "import.done", "%" PRIu32 " partitions, %" PRIu64 " rows",
                  s->part_count, s->rows);
    return E_OK;
}

/* Whether something stands where new parts would go. */
static Err refuse_strange(const Config *c)
{
    Err err = E_OK;
    Arena a = {0};
    DirEntry *e = NULL;
    DirKind kind = DIR_ABSENT;
    u64 count = 0;
    const char *data = dir_join(&a, c->hdb->base, "data", NULL);
    TRY(dir_kind(data, true, &kind));
    if (kind == DIR_FOLDER) TRY(dir_list(data, UINT32_MAX, &a, &e, &count));
    if (count > 0)
        TRY(fail(E_USAGE,
                 "%s holds a database (%s, ...) that no manager has made: import it with "
                 "initialImport: true or silt adopt, or choose another folder",
                 data, e[0].name));
done:
    arena_free(&a);
    return err;
}

Err handover_start(const Config *c)
{
    Err err = E_OK;
    AdoptOptions o;
    Survey s = {0};
    bool pending = false, is_new = false;
    fill_options(c, &o);
    TRY(adopt_pending(o.hdb, &pending));
    TRY(adopt_is_new(o.idb, o.hdb, &is_new));
    if (pending || (is_new && c->initial_import)) {
        TRY(guard_start());
        TRY(start_import(c, &o, pending, &s));
        TRY(adopt_is_new(o.idb, o.hdb, &is_new));
    } else if (c->initial_import) {
        log_event(LOG_INFO, "import.passed",
                  "initialImport has no effect: the database is in use already");
    }
    if (is_new) TRY(refuse_strange(c));
done:
    survey_close(&s);
    return err;
}
