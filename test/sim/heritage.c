/*
 * heritage: see heritage.h. Uses nothing of the rooms that write such files.
 */
#include "heritage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "model.h"
#include "os/dir.h"
#include "os/now.h"
#include "q/temporal.h"

#define ROWS_MAX   60
#define DATES_MAX  3
#define SYMS_MAX   64
#define PAGE_SIZE  4096
#define COLUMN_MAX (PAGE_SIZE + 8 * ROWS_MAX)

typedef struct {
    Arena arena;
    Prng *prng;
    const char *data;        /* the database */
    char syms[SYMS_MAX][16]; /* the domain, in the order of its file */
    u32 sym_count;
} Heritage;

static void write_bytes(const char *path, const u8 *data, u64 size)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0640);
    if (fd < 0 || pwrite(fd, data, size, 0) != (ssize_t)size) abort();
    close(fd);
}

static void make_folder(const char *path)
{
    if (mkdir(path, 0750) != 0) abort();
}

/* A column of numbers: FE 20, type, attribute, four zeros, how many. */
static void write_numbers(Heritage *h, const char *table, const char *name, u8 type,
                          const void *values, u64 count)
{
    u8 out[COLUMN_MAX] = {0xfe, 0x20, type};
    store_u64(out + 8, count);
    memcpy(out + 16, values, 8 * count);
    write_bytes(dir_join(&h->arena, table, name, NULL), out, 16 + 8 * count);
}

/* A column of symbols: a page that names the domain and ends with the head, then indexes. */
static void write_indexes(Heritage *h, const char *table, const char *name, const i64 *values,
                          u64 count)
{
    u8 out[COLUMN_MAX] = {0xfd, 0x20};
    memcpy(out + 16, "sym", 3);
    out[PAGE_SIZE - 16] = 0xfd;
    out[PAGE_SIZE - 14] = 20;
    store_u64(out + PAGE_SIZE - 8, count);
    memcpy(out + PAGE_SIZE, values, 8 * count);
    write_bytes(dir_join(&h->arena, table, name, NULL), out, PAGE_SIZE + 8 * count);
}

/* A list of symbols: FF 01, type, attribute, how many, the names each ended by a zero. */
static void write_symbols(const char *path, const char *names, u64 size, u32 count)
{
    u8 out[8 + 16 * SYMS_MAX] = {0xff, 1, 11};
    store_u32(out + 4, count);
    memcpy(out + 8, names, size);
    write_bytes(path, out, 8 + size);
}

static i64 index_of(Heritage *h, const char *sym)
{
    u32 i = 0;
    while (i < h->sym_count && strcmp(h->syms[i], sym) != 0)
        i++;
    if (i < h->sym_count) return i;
    ASSERT(i < SYMS_MAX);
    snprintf(h->syms[i], sizeof h->syms[i], "%s", sym);
    return h->sym_count++;
}

static void write_domain(Heritage *h)
{
    char names[16 * SYMS_MAX];
    u64 size = 0;
    for (u32 i = 0; i < h->sym_count; i++) {
        u64 length = strlen(h->syms[i]) + 1;
        memcpy(names + size, h->syms[i], length);
        size += length;
    }
    write_symbols(dir_join(&h->arena, h->data, "sym", NULL), names, size, h->sym_count);
}

/* A date with some rows, in the order of their times. */
static void write_date(Heritage *h, i32 day)
{
    static const char columns[] = "time\0sym\0id\0price";
    static const bool bad[ROWS_MAX] = {0};
    char date[TEMPORAL_TEXT_MAX], sym[16];
    i64 times[ROWS_MAX], ids[ROWS_MAX], syms[ROWS_MAX];
    f64 prices[ROWS_MAX];
    u64 count = 1 + prng_below(h->prng, ROWS_MAX);
    i64 time = day * NOW_DAY_NS;
    for (u64 i = 0; i < count; i++)
        times[i] = time += (i64)prng_below(h->prng, (u64)NOW_DAY_NS / ROWS_MAX);
    u32 batch = model_add(MODEL_TRADE, times, bad, count);
    model_batch(batch)->state = BATCH_ACKED;
    model_batch(batch)->imported = true;
    for (u64 i = 0; i < count; i++) {
        u64 id = model_batch(batch)->first + i;
        model_sym(id, sym);
        ids[i] = (i64)id;
        syms[i] = index_of(h, sym);
        prices[i] = model_price(id);
    }
    temporal_date_name(day, date);
    char *part = dir_join(&h->arena, h->data, date, NULL);
    char *table = dir_join(&h->arena, part, MODEL_NAMES[MODEL_TRADE], NULL);
    make_folder(part);
    make_folder(table);
    write_symbols(dir_join(&h->arena, table, ".d", NULL), columns, sizeof columns, 4);
    write_numbers(h, table, "time", 12, times, count);
    write_indexes(h, table, "sym", syms, count);
    write_numbers(h, table, "id", 7, ids, count);
    write_numbers(h, table, "price", 9, prices, count);
}

void heritage_make(Prng *p, const char *folder, i32 day)
{
    Heritage h = {.prng = p};
    char *hdb = dir_join(&h.arena, folder, "hdb", NULL);
    h.data = dir_join(&h.arena, hdb, "data", NULL);
    make_folder(hdb);
    make_folder(h.data);
    for (i32 dates = 1 + (i32)prng_below(p, DATES_MAX); dates > 0; dates--)
        write_date(&h, day - dates);
    write_domain(&h);
    disk_settle();
    arena_free(&h.arena);
}
