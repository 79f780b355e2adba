/*
 * dump_column: what stands in the files that kdb+ reads.
 *
 *     first bytes         what it is
 *     fe 20, fe           a column: plain vector, 32-bit enumeration
 *     fd 20               a column: 64-bit enumeration, list column; or the heap of one (name#)
 *     ff 01 0b            a list of symbols: `.d`, a domain
 *     ff 01               an object; the empty list column; with messages behind it a q log
 *     kxzipped            a compressed file
 *
 * Indices of an enumeration are shown by their names when its domain is found in a folder above, or
 * in the `current` below one.
 */
#include "cmd/dump_column.h"

#include <stdio.h>

#include "base/bounds.h"
#include "column/attr.h"
#include "column/block.h"
#include "column/codec.h"
#include "column/column.h"
#include "os/dir.h"
#include "q/symbol.h"
#include "q/wire.h"
#include "table/splay.h"

#define DUMP_LEVELS    8 /* folders above a column in which its domain is looked for */
#define DUMP_SHOWN     3 /* elements at both ends */
#define DUMP_ITEMS_MAX 64
#define DUMP_LIST_HEAD 8

void dump_column_forget(DumpColumnDomain *d)
{
    domain_close(&d->domain);
    arena_free(&d->memory);
    *d = (DumpColumnDomain){0};
}

/* Ends what is said of a file, with the damage that came while it was read. */
static void finish(DumpOut *o, const FileMap *map, const Column *c)
{
    if (file_map_lost(map) || (c != NULL && column_lost(c)))
        dump_out_bad(o, "it was cut, or cannot be read, while it is open");
    dump_out_end(o);
}

/* ---- domains */

/* Reads the domain when it is there; one that is damaged is as good as none here. */
static bool take_domain(DumpColumnDomain *d, const char *path)
{
    DirKind kind = DIR_ABSENT;
    if (d->path != NULL && strcmp(d->path, path) == 0) return true;
    if (dir_kind(path, true, &kind) != E_OK || kind != DIR_FILE) return false;
    dump_column_forget(d);
    if (domain_open(&d->domain, path, UINT64_MAX) != E_OK) return false;
    d->path = arena_text(&d->memory, path, strlen(path));
    return true;
}

static bool find_domain(DumpColumnDomain *d, const char *column, const char *name)
{
    Arena a = {0};
    bool found = false;
    char *folder = NULL;
    if (strchr(name, '/') != NULL || dir_absolute(column, &a, &folder) != E_OK) goto done;
    for (int i = 0; i < DUMP_LEVELS && !found; i++) {
        char *slash = strrchr(folder, '/');
        if (slash == NULL) break;
        *slash = 0;
        if (i == 0) continue; /* a table's own folder holds columns */
        found = take_domain(d, dir_join(&a, folder, name, NULL)) ||
                take_domain(d, dir_join(&a, folder, "current", name, NULL));
    }
done:
    arena_free(&a);
    return found;
}

/* ---- elements */

static Value element(const Column *c, u64 row, const DumpColumnDomain *d, Arena *a)
{
    if (c->type == QT_ENUM) {
        i64 index = column_index(c, row);
        if (index == Q_NULL_LONG) return value_symbol("");
        if (d == NULL) return value_long(index);
        if (index < 0 || index >= d->domain.count)
            return value_string(
                str_of(arena_format(a, "index %lld, beyond the domain", (long long)index)));
        return value_sym(symbol_text(d->domain.ids[index]));
    }
    if (type_is_nested(c->type)) {
        Value list;
        if (column_value(c, row, NULL, a, &list) != E_OK)
            return value_string(str_of(arena_format(a, "%s", fail_text())));
        if (list.type >= QT_LIST && list.type <= QT_ENUM)
            list.as.vec.count = MIN(list.as.vec.count, DUMP_ITEMS_MAX);
        return list;
    }
    Value v = value_vec(vec_of(c->type, c->data, c->rows));
    return value_at(&v, row);
}

static void put_elements(DumpOut *o, const Column *c, const DumpColumnDomain *d)
{
    Arena a = {0};
    u64 shown = MIN(c->rows, DUMP_SHOWN), rest = MIN(c->rows - shown, DUMP_SHOWN);
    Value first = value_list(&a, shown), last = value_list(&a, rest);
    for (u64 i = 0; i < shown; i++)
        vec_value(&first.as.vec)[i] = element(c, i, d, &a);
    for (u64 i = 0; i < rest; i++)
        vec_value(&last.as.vec)[i] = element(c, c->rows - rest + i, d, &a);
    if (shown > 0) dump_out_value(o, "first", &first);
    if (rest > 0) dump_out_value(o, "last", &last);
    arena_free(&a);
}

/* Checks what opening did not: each reference of a list column. */
static void check_rows(DumpOut *o, const Column *c)
{
    Arena a = {0};
    Err err = E_OK;
    for (u64 i = 0; i < c->rows && type_is_nested(c->type) && err == E_OK; i++) {
        Value v;
        err = column_value(c, i, NULL, &a, &v);
        if (err != E_OK) dump_out_bad(o, "row %llu: %s", (unsigned long long)i, fail_text());
        arena_reset(&a);
    }
    arena_free(&a);
}

/* How a compressed file is stored. */
static void put_container(DumpOut *o, const char *path, const FileMap *map)
{
    BlockMap b;
    if (!block_is_container(map->data, map->size) ||
        block_open(&b, map->data, map->size, path) != E_OK)
        return; /* what is wrong is said where the column is opened */
    dump_out_text(o, "compression", str_of(codec_name(b.codec)));
    dump_out_number(o, "level", (i8)b.level);
    dump_out_count(o, "blockBytes", b.block_size);
    dump_out_count(o, "blocks", b.count);
    dump_out_count(o, "storedBytes", map->size);
    block_close(&b);
}

static void put_column(DumpOut *o, const char *path, const FileMap *map, DumpColumnDomain *d)
{
    Column c;
    dump_out_begin(o, path, "column");
    Err err = column_open(&c, path);
    if (err == E_UNSUPPORTED) {
        dump_out_text(o, "notRead", str_of(fail_text()));
    } else if (err != E_OK) {
        dump_out_fail(o);
    } else {
        const char *name = c.type == QT_ENUM   ? "symbol"
                           : c.type == QT_LIST ? "list"
                                               : type_name(c.type);
        bool named = c.type == QT_ENUM && find_domain(d, path, c.domain);
        dump_out_text(o, "type", str_of(name == NULL ? "?" : name));
        if (c.type == QT_ENUM) dump_out_text(o, "domain", str_of(c.domain));
        if (c.type == QT_ENUM) dump_out_count(o, "indexBytes", c.wide ? 8 : 4);
        dump_out_text(o, "attribute", str_of(type_attr_name(c.attr)));
        dump_out_count(o, "rows", c.rows);
        dump_out_count(o, "bytes", c.map.size + c.heap.size);
        put_container(o, path, map);
        if (c.keys != NULL) dump_out_count(o, c.perm == NULL ? "runs" : "groups", c.key_count);
        put_elements(o, &c, named ? d : NULL);
        if (attr_check(&c) != E_OK) dump_out_fail(o);
        check_rows(o, &c);
    }
    finish(o, map, err == E_OK ? &c : NULL);
    if (err == E_OK) column_close(&c);
}

/* ---- lists of symbols, objects */

static void put_names(DumpOut *o, const char *path, const FileMap *map)
{
    const char *slash = strrchr(path, '/');
    bool columns = strcmp(slash == NULL ? path : slash + 1, ".d") == 0;
    const char *p = (const char *)map->data + DUMP_LIST_HEAD,
               *end = (const char *)map->data + map->size;
    u64 count = 0;
    Arena a = {0};
    dump_out_begin(o, path, columns ? "columns of a table" : "list of symbols (domain)");
    if (map->size < DUMP_LIST_HEAD) {
        dump_out_bad(o, "shorter than its header");
        goto done;
    }
    for (const char *at = p; (at = memchr(at, 0, (u64)(end - at))) != NULL && at < end; at++)
        count++;
    dump_out_count(o, "names", count);
    dump_out_count(o, "headerCount", load_u32(map->data + 4));
    dump_out_count(o, "bytes", map->size);
    u64 shown = columns ? MIN(count, BOUND_COLUMNS_MAX) : MIN(count, 2 * DUMP_SHOWN);
    Value names = value_list(&a, shown);
    for (u64 i = 0; i < shown; i++) {
        Str name = {p, strnlen(p, (u64)(end - p))};
        vec_value(&names.as.vec)[i] = value_sym(name);
        p += name.size + 1;
    }
    dump_out_value(o, "first", &names);
    if (map->size > DUMP_LIST_HEAD && map->data[map->size - 1] != 0)
        dump_out_bad(o, "the last name does not end");
done:
    finish(o, map, NULL);
    arena_free(&a);
}

/* A q log: an empty list, then messages. */
static void put_q_log(DumpOut *o, const char *path, const FileMap *map)
{
    u64 at = DUMP_LIST_HEAD, count = 0;
    dump_out_begin(o, path, "log of q messages");
    while (at < map->size) {
        WireObject object;
        if (wire_object(map->data + at, map->size - at, false, &object) != E_OK) {
            dump_out_bad(o, "the message at byte %llu does not hold", (unsigned long long)at);
            break;
        }
        at += object.size;
        count++;
    }
    dump_out_count(o, "messages", count);
    dump_out_count(o, "soundBytes", at);
    dump_out_count(o, "bytes", map->size);
    finish(o, map, NULL);
}

static void put_object(DumpOut *o, const char *path, const FileMap *map)
{
    WireObject object;
    dump_out_begin(o, path, "object");
    dump_out_count(o, "bytes", map->size);
    dump_out_number(o, "type", (i8)map->data[2]);
    if (wire_object(map->data + 2, map->size - 2, false, &object) != E_OK)
        dump_out_text(o, "notRead", str_of(fail_text())); /* enumerations stand in files only */
    else
        dump_out_count(o, "count", object.count);
    finish(o, map, NULL);
}

static void put_heap(DumpOut *o, const char *path, const FileMap *map)
{
    dump_out_begin(o, path, "heap of a list column");
    dump_out_count(o, "bytes", map->size);
    finish(o, map, NULL);
}

bool dump_column(DumpOut *o, const char *path, DumpColumnDomain *d)
{
    static const u8 empty_list[8] = {0xff, 0x01};
    FileMap map = {0};
    u64 length = strlen(path);
    bool known = true;
    if (file_map(path, UINT64_MAX, &map) != E_OK || map.size < 3) {
        file_unmap(&map);
        return false;
    }
    bool page = map.data[0] == 0xfd && map.data[1] == ' ';
    if (map.data[0] == 0xff && map.data[1] == 0x01) {
        if (map.data[2] == QT_SYMBOL)
            put_names(o, path, &map);
        else if (map.size == sizeof empty_list && memcmp(map.data, empty_list, map.size) == 0)
            put_column(o, path, &map, d);
        else if (map.size > sizeof empty_list &&
                 memcmp(map.data, empty_list, sizeof empty_list) == 0)
            put_q_log(o, path, &map);
        else
            put_object(o, path, &map);
    } else if (page && length > 0 && path[length - 1] == '#') {
        put_heap(o, path, &map);
    } else if (page || map.data[0] == 0xfe ||
               (map.size >= 8 && memcmp(map.data, "kxzip", 5) == 0)) {
        put_column(o, path, &map, d);
    } else {
        known = file_map_lost(&map);
        if (known) {
            dump_out_begin(o, path, "file");
            finish(o, &map, NULL);
        }
    }
    file_unmap(&map);
    return known;
}

void dump_column_table(DumpOut *o, const char *path)
{
    Splay s;
    u64 rows = UINT64_MAX;
    dump_out_begin(o, path, "table");
    if (splay_open(&s, path) != E_OK) {
        dump_out_fail(o);
        dump_out_end(o);
        return;
    }
    dump_out_count(o, "columns", s.column_count);
    for (u32 i = 0; i < s.column_count; i++) {
        const Column *c = NULL;
        Err err = splay_column(&s, s.names[i], UINT64_MAX, &c);
        if (err == E_UNSUPPORTED) continue;
        if (err != E_OK) {
            dump_out_fail(o);
            continue;
        }
        if (rows == UINT64_MAX) rows = c->rows;
        if (c->rows != rows)
            dump_out_bad(o, "column %s has %llu rows, the first one has %llu", s.names[i],
                         (unsigned long long)c->rows, (unsigned long long)rows);
    }
    if (rows != UINT64_MAX) dump_out_count(o, "rows", rows);
    if (splay_intact(&s) != E_OK) dump_out_fail(o);
    dump_out_end(o);
    splay_close(&s);
}
