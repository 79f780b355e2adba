/*
 * repair: `silt repair ASSEMBLY PART [--from DIR | --accept]`, `silt repair ASSEMBLY --accept`.
 *
 * Works on a database whose manager is stopped (it takes the manager's lock) and commits as the
 * manager does: recovery, stage file, new version, publish, end of the stage file. A kill anywhere
 * leaves the old view or the new one.
 *
 * Where whole copies of damaged files come from, in this order: the folder of --from (a backup of
 * the partition, or of the folder that holds it); the stream, while it still holds the rows of an
 * interval (repair_stream). Each must have exactly the checksums that the partition was written
 * with, so a copy of another version is never taken for one of this.
 *
 * Partitions that have no checksums get them where they stand (db/sumup, as the scrub does it):
 * one, or without PART all of them, named together in one version.
 */
#include "cmd/repair.h"

#include <stdio.h>

#include "cmd/config.h"
#include "cmd/options.h"
#include "cmd/repair_stream.h"
#include "cmd/talk.h"
#include "cmd/worker.h"
#include "db/publish.h"
#include "db/sumup.h"
#include "os/dir.h"
#include "os/fault.h"
#include "q/temporal.h"
#include "table/part.h"
#include "upkeep/rebuild.h"

typedef struct {
    OptionsCommon options;
    const char *from;
    bool accept;
    Config config;
    Root root;
    ViewCache cache;
    Publish publish;
    bool open; /* the cache is */
    Arena memory;
} Repair;

static Err open_database(Repair *r)
{
    Err err = E_OK;
    ConfigSource source;
    ConfigFinding *findings = NULL;
    u32 count = 0;
    u64 removed = 0;
    TRY(options_source(&r->options, &source));
    TRY(config_load(&r->config, &source, &findings, &count));
    root_init(&r->root, r->config.name, r->config.idb->base, r->config.hdb->base,
              r->config.source->log_path, r->config.date_tiers, r->config.date_tier_count);
    TRY(root_claim(&r->root));
    TRY(worker_wait(&r->root));
    view_cache_init(&r->cache, &r->root);
    r->open = true;
    TRY(publish_open(&r->publish, &r->root, &r->cache, &removed));
done:
    return err;
}

/* A part by its folder, its date, or the label of its interval. */
static Err find_part(const Repair *r, const char *name, const Part **out)
{
    for (int kind = PART_INTERVAL; kind <= PART_DATE; kind++) {
        u64 at = 0;
        for (const Part *p; (p = view_next(r->publish.current, (PartKind)kind, &at)) != NULL;) {
            char text[TEMPORAL_TEXT_MAX];
            u32 size =
                kind == PART_INTERVAL ? part_label(p->key, text) : temporal_date_name(p->key, text);
            if (strcmp(name, p->path) != 0 && !str_eq(str_of(name), (Str){text, size})) continue;
            *out = p;
            return E_OK;
        }
    }
    return fail(E_NOT_FOUND, "the view names no partition %s: silt part list shows them", name);
}

/* The folder below --from that holds the tables of a part. */
static Err find_backup(Repair *r, const Part *p, const char **folder)
{
    DirKind kind = DIR_ABSENT;
    char name[TEMPORAL_TEXT_MAX];
    *folder = NULL;
    if (r->from == NULL || p->table_count == 0) return E_OK;
    u32 size =
        p->kind == PART_INTERVAL ? part_label(p->key, name) : temporal_date_name(p->key, name);
    name[MIN(size, sizeof name - 1)] = 0;
    const char *choices[] = {r->from, dir_join(&r->memory, r->from, name, NULL)};
    for (u32 i = 0; i < COUNT_OF(choices); i++) {
        Err err = dir_kind(dir_join(&r->memory, choices[i], p->tables[0].name, NULL), true, &kind);
        if (err != E_OK) return err;
        *folder = choices[i];
        if (kind == DIR_FOLDER) return E_OK;
    }
    return fail(E_NOT_FOUND, "%s: neither it nor %s holds table %s", r->from, choices[1],
                p->tables[0].name);
}

/* What is to be done: nothing is damaged, checksums are new, or files come from copies. */
static Err make_version(Repair *r, const Part *p, const char *path, Part *fresh)
{
    Err err = E_OK;
    const char *from = NULL;
    char *rebuilt = NULL;
    u32 mended = 0;
    if (r->accept) return rebuild_accept(p, path, fresh);
    TRY(find_backup(r, p, &from));
    if (from == NULL && p->kind == PART_INTERVAL) {
        TRY(repair_stream(&r->root, &r->config, &r->cache, p, &r->memory, &rebuilt));
        from = rebuilt;
    }
    TRY(rebuild_part(p, path, from, fresh, &mended));
    printf("%s: %u files taken from %s\n", p->path, mended, from == NULL ? "nowhere" : from);
done:
    return err;
}

static Err publish_version(Repair *r, const Part *p, const Part *fresh)
{
    PublishChange c = publish_change(&r->publish);
    c.add = fresh;
    c.add_count = 1;
    c.remove = &p;
    c.remove_count = p->kind == PART_INTERVAL ? 1 : 0; /* a date is replaced by its key */
    return publish_commit(&r->publish, &c);
}

/* Gives checksums to parts that have none: to `only`, or to all of them. Those that cannot be read
 * are told, and stay without; the others are published first. */
static Err accept_bare(Repair *r, const Part *only)
{
    Err err = E_OK;
    Sumup u = {0};
    u32 bad_count = 0;
    for (int kind = PART_INTERVAL; kind <= PART_DATE; kind++) {
        u64 at = 0;
        for (const Part *p; (p = view_next(r->publish.current, (PartKind)kind, &at)) != NULL;) {
            u64 read = 0;
            bool whole = false, bad = false;
            SidecarDamage d;
            if (p->summed || (only != NULL && p != only)) continue;
            TRY(sumup_step(&u, p, UINT64_MAX, &r->memory, &read, &whole, &bad, &d));
            if (bad) fprintf(stderr, "silt: %s: %s\n", d.path, d.text);
            bad_count += bad;
        }
    }
    PublishChange c = publish_change(&r->publish);
    const Part **remove = arena_array(&r->memory, const Part *, u.ready_count);
    for (u32 i = 0; i < u.ready_count; i++) {
        const Part *p = view_part(r->publish.current, u.ready[i].kind, u.ready[i].key);
        if (p->kind == PART_INTERVAL) remove[c.remove_count++] = p;
        u.ready[i].tables = p->tables;
        u.ready[i].table_count = p->table_count;
    }
    c.add = u.ready;
    c.add_count = u.ready_count;
    c.remove = remove;
    if (c.add_count > 0) TRY(publish_commit(&r->publish, &c));
    printf("%u partitions have checksums now, view %llu\n", c.add_count,
           (unsigned long long)r->publish.current->number);
    if (u.refused > 0)
        TRY(fail(u.reason, "%u partitions stay without checksums: %s", u.refused, u.why));
    if (bad_count > 0)
        TRY(fail(E_CORRUPT, "%u partitions cannot be read and stay without checksums", bad_count));
done:
    sumup_free(&u);
    return err;
}

static Err repair(Repair *r, const char *name)
{
    Err err = E_OK;
    const Part *p = NULL;
    Part fresh;
    char *path = NULL;
    SidecarDamage *d = NULL;
    u32 count = 0;
    u64 removed = 0;
    TRY(find_part(r, name, &p));
    if (!p->summed && r->accept) return accept_bare(r, p);
    TRY(sidecar_scan(p, true, 0, &r->memory, &d, &count));
    if (count == 0) {
        printf("%s: %s\n", p->path,
               p->summed ? "every byte is what was written"
                         : "it has no checksums, so nothing can be said; --accept makes them");
        return E_OK;
    }
    TRY(rebuild_path(&r->root, p, publish_next(&r->publish), &r->memory, &path));
    TRY(publish_stage_begin(&r->root, "repair", (const char *const *)&path, 1));
    err = make_version(r, p, path, &fresh);
    if (err == E_OK) {
        fresh.made = p->kind == PART_DATE ? publish_next(&r->publish) : p->made;
        err = publish_version(r, p, &fresh);
    }
    if (err != E_OK) {
        char text[FAIL_TEXT_MAX];
        snprintf(text, sizeof text, "%s", fail_text());
        if (publish_stage_undo(&r->root, r->publish.current, "repair", &removed) != E_OK)
            return fail(err, "%s; %s is removed at the next start", text, path);
        return fail(err, "%s", text);
    }
    TRY(publish_stage_end(&r->root, "repair"));
    printf("%s takes its place in view %llu\n", path,
           (unsigned long long)r->publish.current->number);
done:
    return err;
}

int repair_main(int argc, char **argv)
{
    Err err = E_OK;
    Arena a = {0};
    Repair *r = arena_new(&a, Repair);
    Option options[] = {
        OPTIONS_COMMON(r->options),
        {"from", "DIR", &r->from, NULL, "a backup of the partition, or of what holds it"},
        {"accept", NULL, NULL, &r->accept, "take what stands there as good: new checksums"},
        {0}};
    TRY(options_parse(&argc, argv, options));
    if (argc != 2 && !(argc == 1 && r->accept))
        TRY(fail(E_USAGE, "silt repair ASSEMBLY PART: an assembly and a partition are expected; "
                          "with --accept an assembly alone will do"));
    if (r->accept && r->from != NULL) TRY(fail(E_USAGE, "either --from or --accept"));
    r->options.file = argv[0];
    TRY(fault_init("repair"));
    TRY(open_database(r));
    TRY(argc == 1 ? accept_bare(r, NULL) : repair(r, argv[1]));
done:
    publish_close(&r->publish);
    if (r->open) view_cache_free(&r->cache);
    root_close(&r->root);
    config_free(&r->config);
    arena_free(&r->memory);
    arena_free(&a);
    return talk_end(err);
}
