/*
 * columns: what fuzzers of column files share: files in memory under names of this process, and
 * reading an open column by every call there is, so that a sanitizer sees a read that leaves
 * it. */
#ifndef FUZZ_COLUMNS_H
#define FUZZ_COLUMNS_H

#include "column/attr.h"
#include "column/column.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char columns_path[64];

/* The path of the column; its companions are removed. Files go when the process ends. */
static void columns_remove(void)
{
    static const char *const endings[] = {"", "#", "##"};
    char name[80];
    for (u32 i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", columns_path, endings[i]);
        unlink(name);
    }
}

static inline void columns_begin(void)
{
    if (columns_path[0] == 0) {
        snprintf(columns_path, sizeof columns_path, "/dev/shm/column_fuzz.%d", (int)getpid());
        atexit(columns_remove);
    }
    columns_remove();
}

static inline void columns_write(const char *ending, const void *data, u64 size)
{
    char name[80];
    snprintf(name, sizeof name, "%s%s", columns_path, ending);
    FILE *f = fopen(name, "wb");
    if (f == NULL || fwrite(data, 1, size, f) != size || fclose(f) != 0) abort();
}

static inline u64 columns_sum(const void *p, u64 size)
{
    u64 sum = 0;
    for (u64 i = 0; i < size; i++)
        sum += ((const u8 *)p)[i];
    return sum;
}

/* Reads one row by every call that takes one. */
static inline u64 columns_row(const Column *c, u64 i, Vec *ids, Arena *a)
{
    const void *elements;
    u64 count, from, to, sum = 0;
    Value v;
    if (c->type == QT_ENUM) {
        attr_find(c, column_index(c, i), &from, &to);
        ASSERT(from <= to && to <= c->rows);
        if (c->perm != NULL && from < to) sum += (u64)c->perm[to - 1];
    }
    if (c->type >= QT_NESTED && column_row(c, i, &elements, &count) == E_OK && count > 0)
        sum += columns_sum(
            elements, count * type_width(c->type == QT_NESTED ? QT_BYTE : c->type - QT_NESTED));
    vec_clear(ids);
    if (c->type >= QT_NESTED && !c->old && column_row_ids(c, i, NULL, ids) == E_OK)
        sum += ids->count;
    if (column_value(c, i, NULL, a, &v) == E_OK) sum += value_count(&v);
    return sum;
}

/* Reads all rows of a column, opened whole or on need. */
static inline u64 columns_read(bool on_need)
{
    Column c;
    Arena a = {.size_max = 64 << 20};
    Vec ids;
    u64 sum = 0;
    Err err = on_need ? column_open_on_need(&c, columns_path) : column_open(&c, columns_path);
    if (err != E_OK) return 0;
    vec_init(&ids, QT_ENUM);
    for (u64 i = 0; i < MIN(c.rows, 300); i++) {
        if (column_need(&c, i, i + 1) != E_OK) continue;
        sum += columns_row(&c, i, &ids, &a);
        column_done(&c, i, i + 1);
        arena_reset(&a);
    }
    if (!on_need) {
        sum += attr_check(&c) == E_OK;
        if (c.type < QT_NESTED && c.type > 0)
            sum += columns_sum(
                c.data, c.rows * (c.type == QT_ENUM ? c.wide ? 8 : 4 : type_disk_width(c.type)));
    }
    u64 whole = MIN(c.rows, 5000);
    if (column_need(&c, 0, whole) == E_OK) column_done(&c, 0, whole);
    vec_free(&ids);
    arena_free(&a);
    column_close(&c);
    return sum;
}

#endif
