/*
 * retreat: the way back, in the order in which nothing is lost by a stop:
 *
 *     1 our names in <idb>, `current` first: without it there is no view
 *     2 our names in <hdb>
 *     3 <hdb>/imported back to its old name, in place of the empty folder that was made there
 *     4 fills (fill.h)
 *     5 folders that did not exist, innermost first, then the journal, then those around it
 *
 * Each step looks first and does nothing where there is nothing. Our own names may go because the
 * import made sure that there were none before it began.
 */
#include "upkeep/retreat.h"

#include <string.h>

#include "db/adopted.h"
#include "os/dir.h"
#include "upkeep/fill.h"

#define RETREAT_NAMES_MAX (1ull << 20)

/* Names beside the numbered ones. */
static const char *const IDB_NAMES[] = {
    "current",        "current.new",        "seg", "manifest", "data", "spill", "stage", "lock",
    "siltstone.json", "siltstone.json.tmp", NULL};
static const char *const HDB_NAMES[] = {
    "current",    "current.new",    "seg", "sym", "sym.tmp", "siltstone.json", "siltstone.json.tmp",
    ADOPTED_LIST, ADOPTED_LIST_NEW, NULL};

bool retreat_owns(RetreatBase base, Str name)
{
    u64 number = 0;
    const char *const *names = base == RETREAT_IDB ? IDB_NAMES : HDB_NAMES;
    for (; *names != NULL; names++) {
        if (str_is(name, *names)) return true;
    }
    return root_numbered(name, base == RETREAT_IDB ? "idb." : "hdb.", &number);
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

Err retreat_drop(const char *path)
{
    DirKind kind = DIR_ABSENT;
    Err err = dir_kind(path, false, &kind);
    if (err != E_OK || kind == DIR_ABSENT) return err;
    return kind == DIR_FOLDER ? dir_remove_all(path) : dir_unlink(path);
}

/* Steps 1 and 2. */
static Err drop_names(const char *folder, RetreatBase base)
{
    Err err = E_OK;
    Arena a = {0};
    DirEntry *e = NULL;
    DirKind kind = DIR_ABSENT;
    u64 count = 0;
    TRY(dir_kind(folder, true, &kind));
    if (kind == DIR_ABSENT) goto done;
    TRY(retreat_drop(dir_join(&a, folder, "current", NULL)));
    TRY(dir_list(folder, RETREAT_NAMES_MAX, &a, &e, &count));
    for (u64 i = 0; i < count; i++) {
        if (retreat_owns(base, str_of(e[i].name)))
            TRY(retreat_drop(dir_join(&a, folder, e[i].name, NULL)));
    }
    TRY(dir_sync(folder));
done:
    arena_free(&a);
    return err;
}

/* Step 3. */
static Err move_back(const char *hdb, const Journal *j)
{
    Err err = E_OK;
    Arena a = {0};
    DirKind kind = DIR_ABSENT;
    const char *imported = dir_join(&a, hdb, ADOPTED_DATA, NULL);
    TRY(dir_kind(imported, false, &kind));
    if (kind == DIR_ABSENT) goto done;
    TRY(dir_kind(j->source, false, &kind));
    if (kind != DIR_ABSENT) TRY(dir_remove(j->source));
    TRY(dir_rename(imported, j->source));
    TRY(dir_sync(hdb));
    TRY(dir_sync(parent_of(&a, j->source)));
done:
    arena_free(&a);
    return err;
}

/* Step 4. */
static Err drop_fills(const Journal *j)
{
    Err err = E_OK;
    Arena a = {0};
    for (u32 i = 0; i < j->table_count; i++) {
        const JournalTable *t = &j->tables[i];
        DirKind kind = DIR_ABSENT;
        TRY(dir_kind(parent_of(&a, t->path), true, &kind));
        if (kind == DIR_FOLDER) TRY(fill_undo(t->path, t->columns, t->column_count));
    }
done:
    arena_free(&a);
    return err;
}

/* Step 5: folders around the journal, or all others. */
static Err drop_made(const char *path, const Journal *j, bool around)
{
    Err err = E_OK;
    Arena a = {0};
    for (u32 i = j->made_count; i > 0; i--) {
        const char *folder = j->made[i - 1];
        DirKind kind = DIR_ABSENT;
        if (is_below(path, folder) != around) continue;
        TRY(dir_kind(folder, false, &kind));
        if (kind == DIR_ABSENT) continue;
        TRY(dir_remove(folder));
        TRY(dir_sync(parent_of(&a, folder)));
    }
done:
    arena_free(&a);
    return err;
}

Err retreat_all(const char *idb, const char *hdb, const char *path, const Journal *j)
{
    Err err = E_OK;
    Arena a = {0};
    TRY(drop_names(idb, RETREAT_IDB));
    TRY(drop_names(hdb, RETREAT_HDB));
    TRY(move_back(hdb, j));
    TRY(drop_fills(j));
    TRY(drop_made(path, j, false));
    TRY(retreat_drop(arena_format(&a, "%s.tmp", path)));
    TRY(retreat_drop(path));
    TRY(dir_sync(hdb));
    TRY(drop_made(path, j, true));
done:
    arena_free(&a);
    return err;
}
