/*
 * adopt: the steps, in order, and back.
 *
 *     0 lock <hdb>; survey; nothing is touched while anything speaks against it
 *     1 <hdb>/adopt.journal             synced before the first change
 *     2 markers, lock and folders of a managed database (root_claim)
 *     3 fills                           in the partitions, synced (fill.h)
 *     4 rename <source> to <hdb>/imported, make <hdb>/data anew, sync
 *     5 hard link <hdb>/sym, write <hdb>/adopted when there are folders elsewhere
 *     6 publish a view with all parts   its rename of `current` is the commit
 *     7 let old `.d` files go, remove the journal, sync
 *
 * Up to 6 each step is undone by looking at the disk alone: retreat.c removes our own names from
 * both bases, renames the folder back, takes the fills back, and removes the journal last. It may
 * be stopped anywhere and run again. So an interrupted import is resumed by taking it back and
 * beginning anew: both are cheap, their cost is that of names, not of bytes. After 6 only 7 is
 * left.
 *
 * Our own names may be removed because step 0 made sure that there were none.
 */
#include "upkeep/adopt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "db/adopted.h"
#include "db/publish.h"
#include "os/dir.h"
#include "upkeep/fill.h"
#include "upkeep/journal.h"
#include "upkeep/retreat.h"
#include "upkeep/rights.h"

#define ADOPT_NAMES_MAX (1ull << 20)

/* One import under way. */
typedef struct {
    const AdoptOptions *o;
    Survey *survey;
    Journal journal;
    const char *source, *path; /* of the database; of the journal */
    Root root;
    int lock;
    Arena memory;
} Adoption;

static void tell(const AdoptOptions *o, const char *what, u64 done, u64 all)
{
    if (o->progress != NULL) o->progress(o->arg, what, done, all);
}

static const char *source_of(const AdoptOptions *o, Arena *a)
{
    return o->source != NULL ? o->source : dir_join(a, o->hdb, "data", NULL);
}

static bool is_below(const char *path, const char *folder)
{
    u64 size = strlen(folder);
    return strncmp(path, folder, size) == 0 && (path[size] == '/' || path[size] == 0);
}

/* The folder that holds a name. */
static const char *parent_of(Arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == path ? "/" : arena_text(a, path, (u64)(slash - path));
}

/* ---- conditions */

/* Notes that a base holds names of ours. */
static Err note_used(const char *base, RetreatBase which, NoteList *notes)
{
    Err err = E_OK;
    Arena a = {0};
    DirEntry *e = NULL;
    DirKind kind = DIR_ABSENT;
    const char *first = NULL;
    u64 count = 0, ours = 0;
    TRY(dir_kind(base, true, &kind));
    if (kind == DIR_ABSENT) goto done;
    TRY(dir_list(base, ADOPT_NAMES_MAX, &a, &e, &count));
    for (u64 i = 0; i < count; i++) {
        if (!retreat_owns(which, str_of(e[i].name))) continue;
        first = first == NULL ? e[i].name : first;
        ours++;
    }
    if (ours > 0)
        note_bad(notes, base, "V-20",
                 "in use already: %s and %" PRIu64 " other names of a managed database stand there",
                 first, ours - 1);
done:
    arena_free(&a);
    return err;
}

Err adopt_is_new(const char *idb, const char *hdb, bool *is_new)
{
    Err err = E_OK;
    Arena a = {0};
    const char *bases[] = {idb, hdb};
    const char *names[] = {"current", "siltstone.json"};
    *is_new = true;
    for (u32 i = 0; i < COUNT_OF(bases); i++) {
        for (u32 k = 0; k < COUNT_OF(names); k++) {
            DirKind kind = DIR_ABSENT;
            TRY(dir_kind(dir_join(&a, bases[i], names[k], NULL), false, &kind));
            *is_new = *is_new && kind == DIR_ABSENT;
        }
    }
done:
    arena_free(&a);
    return err;
}

/* The bases are free, and the source is where it can be renamed from. */
static Err check_places(const AdoptOptions *o, const char *source, NoteList *notes)
{
    Err err = E_OK;
    Arena a = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    DirKind kind = DIR_ABSENT;
    const char *data = dir_join(&a, o->hdb, "data", NULL);
    const char *imported = dir_join(&a, o->hdb, ADOPTED_DATA, NULL);
    TRY(note_used(o->idb, RETREAT_IDB, notes));
    TRY(note_used(o->hdb, RETREAT_HDB, notes));
    TRY(dir_kind(imported, false, &kind));
    if (kind != DIR_ABSENT)
        note_bad(notes, imported, "V-20", "there already: the import needs this name");
    if (is_below(o->hdb, source) || is_below(o->idb, source) || is_below(source, o->idb))
        note_bad(
            notes, source, "V-20",
            "the database must not hold the mounts' base folders, nor lie in the intraday one");
    if (strcmp(source, data) == 0) goto done;
    TRY(dir_kind(data, true, &kind));
    if (kind == DIR_FOLDER) TRY(dir_list(data, ADOPT_NAMES_MAX, &a, &e, &count));
    if (count > 0 || (kind != DIR_FOLDER && kind != DIR_ABSENT))
        note_bad(notes, data, "V-20", "not empty: it will hold new parts");
done:
    arena_free(&a);
    return err;
}

static void show_survey(void *arg, u64 done, u64 all)
{
    tell(arg, "partitions checked", done, all);
}

/* The survey of the source, and the conditions on the bases. */
static Err survey_all(const AdoptOptions *o, const char *source, Survey *s)
{
    AdoptOptions copy = *o;
    SurveyOptions options = {.source = source,
                             .tables = o->tables,
                             .first_days = o->first_days,
                             .keep_unlisted = o->keep_unlisted,
                             .deep = o->deep,
                             .progress = show_survey,
                             .arg = &copy};
    Err err = survey_run(s, &options);
    s->options.arg = NULL;
    if (err == E_OK && o->tier_count != 1)
        note_bad(&s->notes, source, "P-43",
                 "an import needs an assembly with one date tier, this one has %" PRIu32,
                 o->tier_count);
    if (err == E_OK) err = rights_check(s);
    return err == E_OK ? check_places(o, source, &s->notes) : err;
}

Err adopt_check(const AdoptOptions *o, Survey *s)
{
    Err err = E_OK;
    Arena a = {0};
    bool pending = false;
    *s = (Survey){0};
    TRY(adopt_pending(o->hdb, &pending));
    if (pending)
        TRY(fail(E_BUSY,
                 "%s/" JOURNAL_NAME ": an import was interrupted here: silt adopt --apply "
                 "or silt up resumes it",
                 o->hdb));
    TRY(survey_all(o, source_of(o, &a), s));
done:
    arena_free(&a);
    return err;
}

/* The path after the import of what lies below the source before it. */
static char *moved(const AdoptOptions *o, Arena *a, const char *path, const char *below)
{
    return arena_format(a, "%s/" ADOPTED_DATA "%s", o->hdb, path + strlen(below));
}

Err adopt_path(const AdoptOptions *o, const Survey *s, const SurveyPart *p, Arena *a, char **path)
{
    const PlainSegment *segment = &s->plain.segments[p->segment];
    char *real = NULL;
    if (segment->line == 0) {
        *path = moved(o, a, p->path, s->plain.path);
        return E_OK;
    }
    Err err = dir_resolve(segment->path, a, &real);
    if (err != E_OK) return err;
    char *whole = dir_join(a, real, p->name, NULL);
    *path = is_below(real, s->real_source) ? moved(o, a, whole, s->real_source) : whole;
    return E_OK;
}

/* ---- the way forward */

/* Adds the folders on the way to `path` that do not exist to what the journal lists, outermost
 * first. */
static Err list_made(Adoption *d, const char *path, u32 *room)
{
    Journal *j = &d->journal;
    for (const char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        u64 size = slash == NULL ? strlen(path) : (u64)(slash - path);
        const char *folder = arena_text(&d->memory, path, size);
        DirKind kind = DIR_ABSENT;
        Err err = dir_kind(folder, true, &kind);
        if (err != E_OK) return err;
        bool known = kind != DIR_ABSENT;
        for (u32 i = 0; i < j->made_count && !known; i++)
            known = strcmp(j->made[i], folder) == 0;
        if (!known && j->made_count == *room) {
            const char **more = arena_array(&d->memory, const char *, 2 * *room + 16);
            if (j->made_count > 0) memcpy(more, j->made, j->made_count * sizeof *more);
            j->made = more;
            *room = 2 * *room + 16;
        }
        if (!known) j->made[j->made_count++] = folder;
        if (slash == NULL) return E_OK;
    }
}

/* What is about to be made. */
static Err plan_journal(Adoption *d)
{
    Err err = E_OK;
    const Survey *s = d->survey;
    Journal *j = &d->journal;
    u32 room = 0;
    *j = (Journal){
        .source = d->source, .first_days = d->o->first_days, .keep_unlisted = d->o->keep_unlisted};
    TRY(list_made(d, d->o->idb, &room));
    TRY(list_made(d, d->o->hdb, &room));
    const char *data = dir_join(&d->memory, d->o->hdb, "data", NULL);
    if (strcmp(d->source, data) != 0) TRY(list_made(d, data, &room));
    j->tables = arena_array(&d->memory, JournalTable, s->fills + 1);
    for (u32 i = 0; i < s->part_count; i++) {
        for (u32 k = 0; k < s->parts[i].table_count; k++) {
            const InspectTable *t = &s->parts[i].tables[k];
            if (!t->make && t->add_count == 0) continue;
            j->tables[j->table_count++] =
                (JournalTable){.path = dir_join(&d->memory, s->parts[i].path, t->name, NULL),
                               .column_count = t->make ? 0 : t->add_count,
                               .columns = t->add};
        }
    }
done:
    return err;
}

/* Step 3. */
static Err fill_all(Adoption *d)
{
    Err err = E_OK;
    const Survey *s = d->survey;
    u64 done = 0;
    for (u32 i = 0; i < s->part_count && s->fills > 0; i++) {
        const SurveyPart *p = &s->parts[i];
        for (u32 k = 0; k < p->table_count; k++) {
            InspectTable *t = &p->tables[k];
            if (!t->make && t->add_count == 0) continue;
            const char *path = dir_join(&d->memory, p->path, t->name, NULL);
            TRY(t->make ? fill_table(path, t) : fill_columns(path, t));
            tell(d->o, "tables filled", ++done, s->fills);
        }
    }
done:
    return err;
}

/* Steps 4 and 5. */
static Err move_in(Adoption *d)
{
    Err err = E_OK;
    DirKind kind = DIR_ABSENT;
    const char *hdb = d->o->hdb, *data = dir_join(&d->memory, hdb, "data", NULL);
    const char *imported = dir_join(&d->memory, hdb, ADOPTED_DATA, NULL);
    TRY(dir_rename(d->source, imported));
    TRY(dir_sync(parent_of(&d->memory, d->source)));
    TRY(dir_make_all(data));
    const char *sym = dir_join(&d->memory, imported, "sym", NULL);
    TRY(dir_kind(sym, true, &kind));
    if (kind != DIR_ABSENT) {
        bool copied = false;
        TRY(dir_share(sym, d->root.sym, &copied));
    }
    TRY(dir_sync(hdb));
done:
    return err;
}

/* Step 5: where the partitions are that do not lie in <hdb>/imported. */
static Err list_folders(Adoption *d, const Part *parts, u32 count)
{
    Arena a = {0};
    u32 folder_count = 0;
    const char **folders = arena_array(&a, const char *, count);
    const char *imported = dir_join(&a, d->o->hdb, ADOPTED_DATA, NULL);
    for (u32 i = 0; i < count; i++) {
        const char *folder = parent_of(&a, parts[i].path);
        bool known = is_below(folder, imported);
        for (u32 k = 0; k < folder_count && !known; k++)
            known = strcmp(folders[k], folder) == 0;
        if (!known) folders[folder_count++] = folder;
    }
    Err err = adopted_write(&d->root, folders, folder_count);
    arena_free(&a);
    return err;
}

/* The parts of the view to be. Paths are found before the folder moves. */
static Err list_parts(Adoption *d, Part **out)
{
    Err err = E_OK;
    const Survey *s = d->survey;
    Part *parts = arena_array(&d->memory, Part, s->part_count + 1);
    for (u32 i = 0; i < s->part_count; i++) {
        char *path = NULL;
        TRY(adopt_path(d->o, s, &s->parts[i], &d->memory, &path));
        parts[i].path = path;
    }
    *out = parts;
done:
    return err;
}

/* Describes the parts, when all is filled. */
static void describe(Adoption *d, Part *parts, u64 made)
{
    const Survey *s = d->survey;
    for (u32 i = 0; i < s->part_count; i++) {
        const SurveyPart *p = &s->parts[i];
        const char *path = parts[i].path;
        parts[i] = (Part){.kind = PART_DATE,
                          .key = p->day,
                          .day = p->day,
                          .made = made,
                          .path = path,
                          .table_count = p->table_count};
        parts[i].tables = arena_array(&d->memory, PartTable, p->table_count);
        for (u32 k = 0; k < p->table_count; k++) {
            const InspectTable *t = &p->tables[k];
            parts[i].tables[k] =
                (PartTable){.name = t->name,
                            .rows = t->rows,
                            .bytes = t->bytes,
                            .time_min = t->rows > 0 ? p->time_min : INT64_MAX,
                            .time_max = t->rows > 0 ? p->time_max : INT64_MIN,
                            .schema_hash = t->schema != NULL ? t->schema->hash : 0};
        }
    }
}

/* Step 6. */
static Err publish_all(Adoption *d, Part *parts)
{
    Err err = E_OK;
    ViewCache cache;
    Publish p = {0};
    u64 removed = 0;
    view_cache_init(&cache, &d->root);
    TRY(publish_open(&p, &d->root, &cache, &removed));
    describe(d, parts, publish_next(&p));
    PublishChange change = publish_change(&p);
    change.add = parts;
    change.add_count = d->survey->part_count;
    tell(d->o, "parts published", 0, change.add_count);
    TRY(publish_commit(&p, &change));
    tell(d->o, "parts published", change.add_count, change.add_count);
done:
    publish_close(&p);
    view_cache_free(&cache);
    return err;
}

/* Step 7. */
static Err finish(Adoption *d)
{
    Err err = E_OK;
    const Journal *j = &d->journal;
    for (u32 i = 0; i < j->table_count; i++) {
        const char *path = j->tables[i].path;
        if (j->tables[i].column_count == 0) continue;
        if (is_below(path, j->source)) path = moved(d->o, &d->memory, path, j->source);
        TRY(fill_keep(path));
    }
    TRY(dir_unlink(d->path));
    TRY(dir_sync(d->o->hdb));
done:
    return err;
}

static Err forward(Adoption *d)
{
    Err err = E_OK;
    Part *parts = NULL;
    TRY(list_parts(d, &parts));
    TRY(journal_write(d->path, &d->journal));
    TRY(root_claim(&d->root));
    TRY(fill_all(d));
    TRY(move_in(d));
    TRY(list_folders(d, parts, d->survey->part_count));
    TRY(publish_all(d, parts));
done:
    return err;
}

/* ---- failures */

/* Takes back all that may have been done. */
static Err retreat(const Adoption *d)
{
    return retreat_all(d->o->idb, d->o->hdb, d->path, &d->journal);
}

/* Whether the view with the parts is the truth. */
static Err is_committed(Adoption *d, bool *committed)
{
    ViewCache cache;
    View *v = NULL;
    u64 number = 0;
    *committed = false;
    Err err = view_current(&d->root, &number);
    if (err != E_OK || number == 0) return err;
    view_cache_init(&cache, &d->root);
    err = view_open(&cache, false, &v);
    if (err == E_OK) {
        *committed = view_part_count(v, PART_DATE) > 0;
        view_close(&cache, v);
    }
    view_cache_free(&cache);
    return err;
}

/* After a failure: back, unless the commit has happened. The failure that is reported stays the
 * first one. */
static Err give_up(Adoption *d, Err err)
{
    FailRecord first;
    bool committed = false;
    fail_save(&first);
    if (is_committed(d, &committed) != E_OK) {
        return fail(err,
                    "%s; what was done stays for the next start, as the view cannot be read: %s",
                    first.text, fail_text());
    }
    if (committed) {
        return fail(err,
                    "the database is imported; what is left to do is done at the next start: %s",
                    first.text);
    }
    d->journal.back = true;
    /* If this is not written, the next start tries again instead of giving up: both are right. */
    DirKind kind = DIR_ABSENT;
    if (dir_kind(d->path, false, &kind) == E_OK && kind == DIR_FILE &&
        journal_write(d->path, &d->journal) != E_OK)
        d->journal.back = false;
    if (retreat(d) != E_OK)
        return fail(err, "%s; the next start takes back what is left: %s", first.text, fail_text());
    fail_restore(&first);
    return err;
}

/* ---- calls */

static void leave(Adoption *d)
{
    root_close(&d->root);
    dir_unlock(&d->lock);
    arena_free(&d->memory);
}

/* The lock that keeps two imports apart; needs <hdb>, which is made when it is absent. */
static Err enter(Adoption *d, const AdoptOptions *o, Survey *s)
{
    *d = (Adoption){.o = o, .survey = s, .lock = -1};
    *s = (Survey){0};
    d->source = source_of(o, &d->memory);
    d->path = dir_join(&d->memory, o->hdb, JOURNAL_NAME, NULL);
    root_init(&d->root, o->assembly, o->idb, o->hdb, o->wal, o->tiers, o->tier_count);
    DirKind kind = DIR_ABSENT;
    Err err = dir_kind(o->hdb, true, &kind);
    if (err != E_OK || kind != DIR_FOLDER) return err;
    err = dir_lock(o->hdb, true, &d->lock);
    return err == E_BUSY ? fail(err, "%s: another import runs", o->hdb) : err;
}

/* Surveys, and goes all the way when nothing speaks against it. */
static Err run(Adoption *d, AdoptOutcome *outcome)
{
    Err err = survey_all(d->o, d->source, d->survey);
    *outcome = ADOPT_REFUSED;
    if (err != E_OK || d->survey->notes.errors > 0) return err;
    err = plan_journal(d);
    if (err != E_OK) return err;
    /* The journal needs its folder, which is among those it lists. */
    err = dir_make_all(d->o->hdb);
    if (err == E_OK && d->lock < 0) err = dir_lock(d->o->hdb, true, &d->lock);
    if (err == E_OK) err = forward(d);
    if (err != E_OK) return give_up(d, err);
    *outcome = ADOPT_DONE;
    err = finish(d);
    return err == E_OK ? err : give_up(d, err);
}

Err adopt_pending(const char *hdb, bool *pending)
{
    Arena a = {0};
    DirKind kind = DIR_ABSENT;
    Err err = dir_kind(dir_join(&a, hdb, JOURNAL_NAME, NULL), false, &kind);
    *pending = kind == DIR_FILE;
    arena_free(&a);
    return err;
}

/* After a commit that was interrupted: what every start does, so that <hdb>/current follows. */
static Err mend(Adoption *d)
{
    Err err = E_OK;
    ViewCache cache;
    Publish p = {0};
    u64 removed = 0;
    view_cache_init(&cache, &d->root);
    TRY(root_claim(&d->root));
    TRY(publish_open(&p, &d->root, &cache, &removed));
done:
    publish_close(&p);
    view_cache_free(&cache);
    return err;
}

/* Ends what the journal tells of; *again when the import is to begin anew. */
static Err recover(Adoption *d, bool *again, AdoptOutcome *outcome)
{
    Err err = E_OK;
    bool there = false, committed = false;
    *again = false;
    TRY(journal_read(d->path, &d->memory, &d->journal, &there));
    if (!there) { /* stopped while it was written: nothing was done (R13) */
        TRY(retreat_drop(arena_format(&d->memory, "%s.tmp", d->path)));
        TRY(retreat_drop(d->path));
        goto done;
    }
    TRY(is_committed(d, &committed));
    if (committed) {
        TRY(mend(d));
        TRY(finish(d));
        *outcome = ADOPT_DONE;
        goto done;
    }
    TRY(retreat(d));
    *again = !d->journal.back;
done:
    return err;
}

Err adopt_resume(const AdoptOptions *o, Survey *s, AdoptOutcome *outcome)
{
    Err err = E_OK;
    Adoption d;
    bool again = false;
    AdoptOptions options = *o;
    *outcome = ADOPT_NOTHING;
    TRY(enter(&d, &options, s));
    if (d.lock < 0) goto done;
    TRY(recover(&d, &again, outcome));
    if (!again) goto done;
    options.source = d.journal.source;
    options.first_days = d.journal.first_days;
    options.keep_unlisted = d.journal.keep_unlisted;
    d.source = options.source;
    TRY(run(&d, outcome));
done:
    leave(&d);
    return err;
}

Err adopt_apply(const AdoptOptions *o, Survey *s, AdoptOutcome *outcome)
{
    Err err = E_OK;
    Adoption d;
    bool again = false;
    AdoptOutcome ended = ADOPT_NOTHING;
    *outcome = ADOPT_REFUSED;
    TRY(enter(&d, o, s));
    if (d.lock >= 0) TRY(recover(&d, &again, &ended));
    if (ended == ADOPT_DONE)
        *outcome = ended;
    else
        TRY(run(&d, outcome));
done:
    leave(&d);
    return err;
}
