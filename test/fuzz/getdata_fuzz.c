/*
 * getdata: any JSON text, and any q object, as the arguments of getData over two tables. Whatever
 * comes is refused, or is a request that refers to columns that exist.
 *
 * The first byte chooses: even = JSON, odd = a q IPC body.
 */
#include "q/json.h"
#include "q/wire.h"
#include "query/getdata.h"

#define COLUMNS 22

static SchemaColumn columns[COLUMNS];
static const char *const column_names[COLUMNS] = {
    "time", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j",
    "k",    "l", "m", "n", "o", "p", "q", "r", "s", "t", "u",
};
static Schema first = {.name = "trade", .columns = columns, .column_count = COLUMNS};
static Schema second = {.name = "x", .columns = columns, .column_count = 3, .prtn = -1};
static Schema *tables[] = {&first, &second};
static const SchemaSet set = {2, tables};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    for (int i = 0; i < COLUMNS; i++) {
        columns[i].name = column_names[i];
        columns[i].type = i == 0             ? QT_TIMESTAMP
                          : type_is_fixed(i) ? i
                          : i == QT_SYMBOL   ? QT_SYMBOL
                          : i == COLUMNS - 1 ? QT_NESTED + QT_FLOAT
                          : i == 3           ? QT_LIST
                                             : QT_STRING;
    }
    return 0;
}

static void check_filter(const Request *r, const Filter *f)
{
    bool leaf = f->op < FILTER_AND;
    ASSERT(leaf ? f->column >= 0 && (u32)f->column < r->schema->column_count : f->arg_count > 0);
    for (u32 i = 0; i < f->arg_count; i++)
        check_filter(r, &f->args[i]);
}

static void check_request(const Request *r)
{
    u32 count = r->schema->column_count;
    for (u32 i = 0; i < r->filter_count; i++)
        check_filter(r, &r->filters[i]);
    for (u32 i = 0; i < r->group_count; i++)
        ASSERT((u32)r->groups[i] < count);
    for (u32 i = 0; i < r->select_count; i++) {
        const Select *s = &r->selects[i];
        ASSERT((u32)s->column < count && (s->column2 == -1 || (u32)s->column2 < count));
        ASSERT(request_agg_type(s->kind, r->schema->columns[s->column].type) >= 0);
        ASSERT(request_agg_pairs(s->kind) == (s->column2 >= 0));
        ASSERT((s->kind != AGG_NONE) == r->aggregated);
    }
    for (u32 i = 0; i < r->sort_count; i++)
        ASSERT((u32)r->sorts[i].column < r->group_count + r->select_count);
    ASSERT(r->slice_from >= 0 && r->slice_from <= r->slice_to);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    Arena a = {.size_max = 64u << 20};
    Value v;
    Request r;
    if (size == 0) return 0;
    u8 *copy = arena_raw(&a, size);
    memcpy(copy, data + 1, size - 1);
    Err err = data[0] % 2 == 0 ? json_parse((Str){(const char *)copy, size - 1}, &a, &v)
                               : wire_decode(copy, size - 1, &a, &v);
    if (err == E_OK && getdata_parse(&v, &set, &a, &r) == E_OK) check_request(&r);
    arena_free(&a);
    return 0;
}
