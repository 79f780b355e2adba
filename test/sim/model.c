/*
 * model: see model.h. Everything is in arrays that only grow; a run has some thousand rows.
 */
#include "model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS_MAX    (1u << 17)
#define BATCHES_MAX (1u << 14)
#define SYMS_STEP   40 /* a new symbol comes with so many rows */

const char *const MODEL_NAMES[MODEL_TABLES] = {"trade", "note"};

static ModelRow rows[ROWS_MAX];
static ModelBatch batches[BATCHES_MAX];
static u64 row_count;
static u32 batch_count, look;
static const char *title = "";

void model_title(const char *text) { title = text; }

void model_wrong(const char *format, ...)
{
    va_list args;
    char text[4096];
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stdout, "# %s: %s\n", title, text);
    fflush(stdout);
    _exit(1);
}

u32 model_add(u32 table, const i64 *times, const bool *bad, u64 count)
{
    if (row_count + count > ROWS_MAX || batch_count == BATCHES_MAX) abort();
    batches[batch_count] = (ModelBatch){.table = table, .first = row_count, .count = count};
    for (u64 i = 0; i < count; i++)
        rows[row_count++] = (ModelRow){.time = times[i], .batch = batch_count, .bad = bad[i]};
    return batch_count++;
}

ModelBatch *model_batch(u32 i) { return &batches[i]; }

u32 model_batches(void) { return batch_count; }

ModelRow *model_row(u64 id) { return &rows[id]; }

u64 model_rows(void) { return row_count; }

static u64 mix(u64 id)
{
    id = (id + 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull;
    return id ^ (id >> 29);
}

void model_sym(u64 id, char out[16])
{
    snprintf(out, 16, "S%u", (unsigned)(mix(id) % (3 + id / SYMS_STEP)));
}

f64 model_price(u64 id) { return (f64)(mix(id) >> 40) / 16; }

u64 model_text(u64 id, char out[256])
{
    int size = snprintf(out, 256, "note %llu", (unsigned long long)id);
    u64 more = mix(id) % 100;
    memset(out + size, 'x', more);
    return (u64)size + more;
}

static Value trades(const ModelBatch *b, Arena *a)
{
    Value t = value_table(a, 4);
    i64 *times = arena_array(a, i64, b->count), *ids = arena_array(a, i64, b->count);
    Str *syms = arena_array(a, Str, b->count);
    f64 *prices = arena_array(a, f64, b->count);
    for (u64 i = 0; i < b->count; i++) {
        char text[16];
        u64 id = b->first + i;
        model_sym(id, text);
        times[i] = rows[id].time;
        ids[i] = (i64)id;
        syms[i] = (Str){arena_text(a, text, strlen(text)), strlen(text)};
        prices[i] = model_price(id);
    }
    static const char *const names[] = {"time", "sym", "id", "price"};
    for (u32 i = 0; i < 4; i++)
        t.as.table.names[i] = str_of(names[i]);
    t.as.table.cols[0] = value_vec(vec_of(QT_TIMESTAMP, times, b->count));
    t.as.table.cols[1] = value_vec(vec_of(QT_SYMBOL, syms, b->count));
    t.as.table.cols[2] = value_vec(vec_of(QT_LONG, ids, b->count));
    t.as.table.cols[3] = value_vec(vec_of(QT_FLOAT, prices, b->count));
    return t;
}

static Value notes(const ModelBatch *b, Arena *a)
{
    Value t = value_table(a, 3), texts = value_list(a, b->count);
    i64 *times = arena_array(a, i64, b->count), *ids = arena_array(a, i64, b->count);
    for (u64 i = 0; i < b->count; i++) {
        char text[256];
        u64 id = b->first + i, size = model_text(id, text);
        times[i] = rows[id].time;
        ids[i] = (i64)id;
        vec_value(&texts.as.vec)[i] = value_string((Str){arena_text(a, text, size), size});
    }
    static const char *const names[] = {"time", "id", "text"};
    for (u32 i = 0; i < 3; i++)
        t.as.table.names[i] = str_of(names[i]);
    t.as.table.cols[0] = value_vec(vec_of(QT_TIMESTAMP, times, b->count));
    t.as.table.cols[1] = value_vec(vec_of(QT_LONG, ids, b->count));
    t.as.table.cols[2] = texts;
    return t;
}

Value model_value(u32 batch, Arena *a)
{
    const ModelBatch *b = &batches[batch];
    return b->table == MODEL_TRADE ? trades(b, a) : notes(b, a);
}

void model_look_begin(void)
{
    look++;
    for (u32 i = 0; i < batch_count; i++)
        batches[i].found = batches[i].expected = 0;
}

void model_look_row(const char *who, u32 table, i64 id, i64 time)
{
    if (id < 0 || (u64)id >= row_count)
        model_wrong("%s: a row with id %lld, which nobody published", who, (long long)id);
    ModelRow *r = &rows[id];
    ModelBatch *b = &batches[r->batch];
    if (b->table != table)
        model_wrong("%s: row %lld of table %s stands in %s", who, (long long)id,
                    MODEL_NAMES[b->table], MODEL_NAMES[table]);
    if (r->time != time)
        model_wrong("%s: row %lld has time %lld, not %lld", who, (long long)id, (long long)time,
                    (long long)r->time);
    if (r->seen == look) model_wrong("%s: row %lld is there twice", who, (long long)id);
    if (r->bad) model_wrong("%s: row %lld should be in quarantine", who, (long long)id);
    r->seen = look;
    b->found++;
}
