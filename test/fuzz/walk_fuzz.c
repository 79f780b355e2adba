/*
 * walk_fuzz: any small tree of files, folders and links as a kdb+ database that nobody manages: it
 * is walked, looked into, opened, and every table is asked.
 *
 * The input is a row of entries: kind (0 a file, 1 a folder, 2 a link, by its remainder), size of
 * the name, the name, size of the data in two bytes, the data. Names are paths in the tree; nothing
 * in them, in links or in par.txt may lead out of it, for the machine's own files are no input.
 */
#include "cmd/plain_base.h"
#include "os/dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ENTRIES_MAX 64
#define DATA_MAX    32768

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root[64];

static void remove_root(void) { (void)!dir_remove_all(root); }

/* ---- the tree */

/* Makes a text harmless: no NUL, no way up or to the machine's root. */
static void tame(char *text, u64 size)
{
    for (u64 i = 0; i < size; i++) {
        if (text[i] == 0) text[i] = '_';
        if (text[i] == '/' && (i == 0 || text[i - 1] == '\n' || text[i - 1] == '/')) text[i] = '_';
        if (i > 0 && text[i] == '.' && text[i - 1] == '.') text[i] = '_';
    }
}

static bool named_par(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strcmp(slash == NULL ? path : slash + 1, "par.txt") == 0;
}

static void put(u8 kind, const char *name, char *data, u64 size, Arena *a)
{
    char *path = dir_join(a, root, name, NULL);
    char *slash = strrchr(path, '/');
    *slash = 0;
    bool made = dir_make_all(path) == E_OK;
    *slash = '/';
    if (!made) return;
    if (kind % 3 == 1) {
        (void)!dir_make(path);
    } else if (kind % 3 == 2) {
        tame(data, size);
        (void)!symlink(arena_text(a, data, size), path);
    } else {
        if (named_par(path)) tame(data, size);
        FILE *f = fopen(path, "wbx");
        if (f == NULL) return;
        (void)!fwrite(data, 1, size, f);
        fclose(f);
    }
}

static void make_tree(const u8 *data, u64 size)
{
    for (u32 i = 0; i < ENTRIES_MAX && size >= 4; i++) {
        Arena a = {0};
        u8 kind = data[0];
        u64 name_size = MIN(data[1], size - 4);
        char *name = arena_text(&a, (const char *)data + 2, name_size);
        data += 2 + name_size;
        size -= 2 + name_size;
        u64 data_size = MIN((u64)load_u16(data), size - 2);
        char *bytes = arena_text(&a, (const char *)data + 2, data_size);
        data += 2 + data_size;
        size -= 2 + data_size;
        tame(name, name_size);
        if (name_size > 0 && data_size <= DATA_MAX) put(kind, name, bytes, data_size, &a);
        arena_free(&a);
    }
}

/* ---- using it */

static void walk(void)
{
    Plain p;
    Arena a = {0};
    if (plain_open(&p, root) == E_OK) {
        ASSERT((plain_refused(&p) != E_OK) == (p.fatal > 0));
        for (u32 i = 0; i < p.part_count; i++) {
            PlainLook look;
            i64 from, to;
            if (plain_look(&p.parts[i], &a, &look) == E_OK)
                ASSERT(look.table_count + look.foreign_count <= PLAIN_NAMES_MAX);
            if (plain_days(p.kind, p.parts[i].value, &from, &to)) ASSERT(from < to);
        }
    }
    plain_close(&p);
    arena_free(&a);
}

static void ask(PlainBase *b, const Schema *s)
{
    Arena a = {0};
    Value table, args = value_dict(&a, 3), groups = value_list(&a, 1);
    value_put(&args, "table", value_symbol(s->name));
    (void)!plain_base_get(b, &args, &a, &table);
    if (s->column_count > 0) {
        Value agg = value_list(&a, 1), one = value_list(&a, 3);
        vec_value(&one.as.vec)[0] = value_symbol("n");
        vec_value(&one.as.vec)[1] = value_symbol("count");
        vec_value(&one.as.vec)[2] = value_symbol(s->columns[0].name);
        vec_value(&agg.as.vec)[0] = one;
        vec_value(&groups.as.vec)[0] = value_symbol(s->columns[0].name);
        value_put(&args, "agg", agg);
        value_put(&args, "groupBy", groups);
        (void)!plain_base_get(b, &args, &a, &table);
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    PlainBase *b = NULL;
    if (root[0] == 0) {
        snprintf(root, sizeof root, "/dev/shm/walk_fuzz.%d", (int)getpid());
        atexit(remove_root);
    }
    remove_root();
    if (dir_make(root) != E_OK) abort();
    make_tree(data, size);
    walk();
    if (plain_base_open(&b, root, 1) == E_OK) {
        for (u32 i = 0; i < b->db->tables.count; i++)
            ask(b, b->db->tables.tables[i]);
        plain_base_release(b);
    }
    return 0;
}
