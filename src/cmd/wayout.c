/*
 * wayout: finds what is to be exported and holds on to it: a view is pinned by a shared lock on its
 * folder, as a reader does, so that a running manager deletes nothing of it meanwhile.
 */
#include "cmd/wayout.h"

#include <inttypes.h>
#include <stdio.h>

#include "cmd/options.h"
#include "cmd/progress.h"
#include "cmd/talk.h"
#include "os/dir.h"
#include "os/fault.h"
#include "os/guard.h"
#include "upkeep/export.h"

typedef struct {
    OptionsCommon common;
    const char *view;
    ExportOptions export;
    ExportCounts counts;
    Progress progress;
} Words;

static void show(void *arg, u64 done, u64 all) { progress_show(arg, done, all); }

/* The current view, or the one of a number, pinned by *lock. */
static Err open_view(const Words *w, ViewCache *cache, View **v, int *lock)
{
    Err err = E_OK;
    Arena a = {0};
    i64 number = 0;
    if (w->view == NULL) return view_open(cache, true, v);
    TRY(options_number("view", w->view, 1, INT64_MAX, &number));
    err = dir_lock(arena_format(&a, "%s/idb.%" PRIi64, cache->root->idb, number), false, lock);
    if (err == E_NOT_FOUND) err = fail(err, "there is no view %" PRIi64 " any more", number);
    TRY(err);
    TRY(view_open_number(cache, (u64)number, v));
done:
    arena_free(&a);
    return err;
}

static Err export_assembly(Words *w)
{
    Err err = E_OK;
    ConfigSource source;
    ConfigFinding *findings = NULL;
    Config config = {0};
    Root root = {.lock = FILE_NONE};
    ViewCache cache = {0};
    View *v = NULL;
    u32 count = 0;
    int lock = -1;
    TRY(options_source(&w->common, &source));
    TRY(config_load(&config, &source, &findings, &count));
    root_init(&root, config.name, config.idb->base, config.hdb->base, config.source->log_path,
              config.date_tiers, config.date_tier_count);
    view_cache_init(&cache, &root);
    TRY(open_view(w, &cache, &v, &lock));
    TRY(export_view(&root, v, &w->export, &w->counts));
done:
    if (v != NULL) view_close(&cache, v);
    dir_unlock(&lock);
    view_cache_free(&cache);
    root_close(&root);
    config_free(&config);
    return err;
}

static Err export_folder(Words *w, const char *folder)
{
    Err err = E_OK;
    Arena a = {0};
    Plain p = {0};
    DirKind kind = DIR_ABSENT;
    TRY(dir_kind(dir_join(&a, folder, "siltstone.json", NULL), true, &kind));
    if (kind != DIR_ABSENT)
        TRY(fail(E_USAGE, "%s belongs to a managed database: name its assembly", folder));
    if (w->view != NULL) TRY(fail(E_USAGE, "--view: a folder has no views"));
    TRY(plain_open(&p, folder));
    TRY(export_plain(&p, &w->export, &w->counts));
done:
    plain_close(&p);
    arena_free(&a);
    return err;
}

int wayout_main(int argc, char **argv)
{
    Err err = E_OK;
    Arena a = {0};
    Words w = {0};
    char *target = NULL;
    DirKind kind = DIR_ABSENT;
    Option options[] = {
        OPTIONS_COMMON(w.common),
        {"view", "N", &w.view, NULL, "this view instead of the current one"},
        {"intervals", NULL, NULL, &w.export.intervals,
         "the interval parts, by number, instead of the dates"},
        {"copy", NULL, NULL, &w.export.copy, "copy all files instead of linking them"},
        {0}};
    TRY(options_parse(&argc, argv, options));
    TRY(fault_init("export"));
    TRY(guard_start()); /* export_plain asks for it */
    if (argc != 2) TRY(fail(E_USAGE, "silt export ASSEMBLY|DIR TARGET: two paths are expected"));
    TRY(dir_absolute(argv[1], &a, &target));
    w.export.target = target;
    w.export.progress = show;
    w.export.arg = &w.progress;
    progress_begin(&w.progress, "parts");
    TRY(dir_kind(argv[0], true, &kind));
    if (kind == DIR_FOLDER) {
        TRY(export_folder(&w, argv[0]));
    } else {
        w.common.file = argv[0];
        TRY(export_assembly(&w));
    }
    progress_end(&w.progress);
    fprintf(stderr,
            "%s: %" PRIu64 " parts, %" PRIu64 " tables, %" PRIu64 " files, %" PRIu64
            " of them copied\n",
            target, w.counts.parts, w.counts.tables, w.counts.files, w.counts.copied);
done:
    progress_end(&w.progress);
    arena_free(&a);
    return talk_end(err);
}
