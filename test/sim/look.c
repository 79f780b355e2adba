/*
 * look: see look.h. Uses os/ to list and read, and nothing of the rooms that write these files.
 */
#include "look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model.h"
#include "os/dir.h"
#include "os/file.h"
#include "unzip.h"

#define LIST_MAX  100000
#define FILE_MAX  (64ull << 20)
#define PAGE_SIZE 4096

typedef struct {
    const char *who;
    Arena arena;
    const char **syms;
    u64 sym_count;
    LookView view;
    bool importing; /* the first view is there, and the one with the imported days is not */
} Look;

static const u8 *read_file(Look *l, const char *path, u64 *size)
{
    u8 *data = NULL;
    const char *why = "";
    if (file_read_all(path, FILE_MAX, &l->arena, &data, size) != E_OK)
        model_wrong("%s: %s", l->who, fail_text());
    const u8 *plain = unzip(&l->arena, data, size, &why);
    if (plain == NULL) model_wrong("%s: %s: %s", l->who, path, why);
    return plain;
}

/* The names in the domain: behind 8 bytes, each ended by a zero. */
static void read_syms(Look *l, const char *folder)
{
    u64 size = 0;
    const u8 *data = read_file(l, dir_join(&l->arena, folder, "hdb", "sym", NULL), &size);
    l->syms = arena_alloc(&l->arena, (size + 1) * sizeof *l->syms);
    for (u64 at = 8, from = 8; at < size; at++) {
        if (data[at] != 0) continue;
        l->syms[l->sym_count++] = (const char *)data + from;
        from = at + 1;
    }
}

/* The elements of a column of `width` bytes; *count of them. */
static const u8 *read_column(Look *l, const char *table, const char *name, u64 head, u64 width,
                             u64 *count)
{
    u64 size = 0;
    const char *path = dir_join(&l->arena, table, name, NULL);
    const u8 *data = read_file(l, path, &size);
    if (size < head) model_wrong("%s: %s has %llu bytes", l->who, path, (unsigned long long)size);
    *count = load_u64(data + head - 8);
    if (*count > size || head + *count * width > size)
        model_wrong("%s: %s is too short for %llu rows", l->who, path, (unsigned long long)*count);
    return data + head;
}

static void read_trades(Look *l, const char *table, u64 rows, const u8 *ids)
{
    u64 count = 0, prices = 0;
    const u8 *sym = read_column(l, table, "sym", PAGE_SIZE, 8, &count);
    const u8 *price = read_column(l, table, "price", 16, 8, &prices);
    if (count != rows || prices != rows) model_wrong("%s: %s: columns differ", l->who, table);
    for (u64 i = 0; i < rows; i++) {
        char name[16];
        u64 id = load_u64(ids + 8 * i), index = load_u64(sym + 8 * i);
        f64 wanted = model_price(id), found;
        memcpy(&found, price + 8 * i, sizeof found);
        model_sym(id, name);
        if (index >= l->sym_count || strcmp(l->syms[index], name) != 0)
            model_wrong("%s: %s: row %llu has symbol %s, not %s", l->who, table,
                        (unsigned long long)id, index < l->sym_count ? l->syms[index] : "(none)",
                        name);
        if (memcmp(&found, &wanted, sizeof found) != 0)
            model_wrong("%s: %s: row %llu has another price", l->who, table,
                        (unsigned long long)id);
    }
}

/* A text in a heap: packed (its type, its length in one byte), or an object with a head. */
static bool is_text(const u8 *heap, u64 size, u64 reference, const char *wanted, u64 length)
{
    u64 at = reference & ((1ull << 56) - 1), from = at + 2, count;
    if (at + 2 > size) return false;
    count = heap[at + 1];
    if (heap[at] == 0xfb) {
        if (at % 16 != 0 || at + 16 > size || heap[at + 1] != 0 || heap[at + 2] != 10) return false;
        count = load_u64(heap + at + 8);
        from = at + 16;
    } else if (heap[at] != 127 + 10) {
        return false;
    }
    return count == length && from + count <= size && memcmp(heap + from, wanted, count) == 0;
}

static void read_notes(Look *l, const char *table, u64 rows, const u8 *ids)
{
    u64 count = 0, size = 0;
    if (rows == 0) return; /* an empty list has another form */
    const u8 *refs = read_column(l, table, "text", PAGE_SIZE, 8, &count);
    const u8 *heap = read_file(l, dir_join(&l->arena, table, "text#", NULL), &size);
    if (count != rows || size < PAGE_SIZE) model_wrong("%s: %s: columns differ", l->who, table);
    for (u64 i = 0; i < rows; i++) {
        char wanted[256];
        u64 id = load_u64(ids + 8 * i), length = model_text(id, wanted);
        if (!is_text(heap + PAGE_SIZE, size - PAGE_SIZE, load_u64(refs + 8 * i), wanted, length))
            model_wrong("%s: %s: row %llu has another text", l->who, table, (unsigned long long)id);
    }
}

static void read_table(Look *l, const char *part, u32 table)
{
    char *path = dir_join(&l->arena, part, MODEL_NAMES[table], NULL);
    u64 rows = 0, times = 0, size = 0;
    read_file(l, dir_join(&l->arena, path, ".d", NULL), &size);
    const u8 *ids = read_column(l, path, "id", 16, 8, &rows);
    const u8 *time = read_column(l, path, "time", 16, 8, &times);
    if (times != rows) model_wrong("%s: %s: columns differ", l->who, path);
    for (u64 i = 0; i < rows; i++)
        model_look_row(l->who, table, load_i64(ids + 8 * i), load_i64(time + 8 * i));
    if (table == MODEL_TRADE)
        read_trades(l, path, rows, ids);
    else
        read_notes(l, path, rows, ids);
    l->view.rows += rows;
}

/* Loads a folder of links. */
static void read_folder(Look *l, const char *path, u64 *parts)
{
    DirEntry *e = NULL;
    u64 count = 0;
    bool sym = false;
    if (dir_list(path, LIST_MAX, &l->arena, &e, &count) != E_OK)
        model_wrong("%s: %s", l->who, fail_text());
    for (u64 i = 0; i < count; i++) {
        if (strcmp(e[i].name, "sym") == 0) {
            sym = true;
            continue;
        }
        ++*parts;
        for (u32 t = 0; t < MODEL_TABLES; t++)
            read_table(l, dir_join(&l->arena, path, e[i].name, NULL), t);
    }
    if (!sym) model_wrong("%s: %s has no sym", l->who, path);
}

static u64 number_of(const Look *l, const char *text, const char *key)
{
    const char *at = strstr(text, key);
    if (at == NULL) model_wrong("%s: the manifest has no %s", l->who, key);
    return strtoull(at + strlen(key), NULL, 10);
}

static void compare(const Look *l)
{
    for (u32 i = 0; i < model_batches(); i++) {
        const ModelBatch *b = model_batch(i);
        u64 good = 0;
        for (u64 r = b->first; r < b->first + b->count; r++)
            good += !model_row(r)->bad;
        bool whole = b->found == good, none = b->found == 0;
        bool right = b->state == BATCH_ABSENT                      ? none
                     : b->imported                                 ? (l->importing ? none : whole)
                     : b->state != BATCH_ACKED || b->position == 0 ? whole || none
                     : b->position <= l->view.watermark            ? whole
                                                                   : none;
        if (!right)
            model_wrong("%s: view %llu with watermark %llu holds %llu of %llu rows of batch %u "
                        "(state %d, position %llu)",
                        l->who, (unsigned long long)l->view.number,
                        (unsigned long long)l->view.watermark, (unsigned long long)b->found,
                        (unsigned long long)good, i, b->state, (unsigned long long)b->position);
    }
}

LookView look_tree(const char *folder)
{
    Look l = {.who = "the tree"};
    char *target = NULL, *idb = dir_join(&l.arena, folder, "idb", NULL);
    u64 size = 0, more = 0;
    Err err = dir_read_link(dir_join(&l.arena, idb, "current", NULL), &l.arena, &target);
    if (err == E_NOT_FOUND) return l.view;
    if (err != E_OK || strncmp(target, "idb.", 4) != 0) model_wrong("current: %s", fail_text());
    l.view.number = strtoull(target + 4, NULL, 10);
    const char *text = (const char *)read_file(
        &l, arena_format(&l.arena, "%s/manifest/view.%s", idb, target + 4), &size);
    l.view.hdb = number_of(&l, text, "\nhdb ");
    l.view.watermark = number_of(&l, text, "\nwatermark ");
    l.view.eoi = number_of(&l, text, "\neoi ");
    l.view.eod = number_of(&l, text, "\neod ");
    read_syms(&l, folder);
    model_look_begin();
    read_folder(&l, dir_join(&l.arena, idb, target, NULL), &l.view.intervals);
    read_folder(&l,
                arena_format(&l.arena, "%s/hdb/hdb.%llu", folder, (unsigned long long)l.view.hdb),
                &l.view.dates);
    l.importing = l.view.dates == 0 &&
                  access(dir_join(&l.arena, folder, "hdb", "adopt.journal", NULL), F_OK) == 0;
    compare(&l);
    /* The link of the history follows the commit: it may lead to the one before. */
    if (dir_read_link(dir_join(&l.arena, folder, "hdb", "current", NULL), &l.arena, &target) ==
        E_OK) {
        l.who = "<hdb>/current";
        model_look_begin();
        LookView kept = l.view;
        read_folder(&l, dir_join(&l.arena, folder, "hdb", target, NULL), &more);
        l.view = kept;
    }
    LookView view = l.view;
    arena_free(&l.arena);
    return view;
}

u64 look_count(const char *folder, const char *path)
{
    Arena a = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    if (dir_list(dir_join(&a, folder, path, NULL), LIST_MAX, &a, &e, &count) != E_OK) count = 0;
    arena_free(&a);
    return count;
}

u64 look_parts(const char *folder, const char *path)
{
    Arena a = {0};
    DirEntry *e = NULL;
    u64 count = 0, parts = 0;
    char *top = dir_join(&a, folder, path, NULL);
    if (dir_list(top, LIST_MAX, &a, &e, &count) != E_OK) count = 0;
    for (u64 i = 0; i < count; i++)
        parts += look_count(top, e[i].name);
    arena_free(&a);
    return parts;
}
