/*
 * compress: writing and querying a compressed table, beside the compressor and the decompressor
 * alone.
 *
 * The table is that of trades: times, symbols, prices, sizes, flags, notes. The reference
 * compresses the same plain blocks in memory with the same calls of the library, and inflates the
 * blocks of the columns that a query reads by one core into one warm buffer. What is measured
 * beside it writes and syncs a table folder, and runs queries over it: run_prepare to run_finish,
 * by one thread, with a cache of inflated blocks that is much smaller than a column (none for
 * scans), as in a database larger than memory. All figures are bytes a second of processor time, so
 * that they hold for any number of cores.
 */
#include "kit/kit.h"

#include "column/block.h"
#include "column/column.h"
#include "db/view.h"
#include "os/dir.h"
#include "os/pool.h"
#include "os/proc.h"
#include "q/json.h"
#include "q/symbol.h"
#include "query/getdata.h"
#include "query/run.h"
#include "table/splay.h"

#define CACHE (2ull << 20) /* bytes of inflated blocks: a tenth of a column */

static SchemaColumn columns[] = {
    {.name = "time", .type = QT_TIMESTAMP},
    {.name = "sym", .type = QT_SYMBOL, .attr = {[PLACE_DISK] = ATTR_PARTED}},
    {.name = "price", .type = QT_FLOAT},
    {.name = "size", .type = QT_INT},
    {.name = "stop", .type = QT_BOOLEAN},
    {.name = "note", .type = QT_STRING},
};
static u32 keys[] = {1, 0};
static Schema trade = {.name = "trade",
                       .column_count = COUNT_OF(columns),
                       .columns = columns,
                       .sort_count = {[PLACE_DISK] = 2},
                       .sort = {[PLACE_DISK] = keys},
                       .prtn = 0,
                       .updated = -1};
static Schema *list[] = {&trade};
static SchemaSet tables = {1, list};
static Mount mount;
static Tier tier = {.name = "hdb", .mount = &mount};
static Root root;
static ViewCache views;
static Domain domain;
static Segment *dates;
static QuerySource source;

static const struct {
    CodecChoice codec;
    const char *name;
} settings[] = {
    {{CODEC_GZIP, 6, 17}, "gzip 6"},   {{CODEC_GZIP, 1, 17}, "gzip 1"},
    {{CODEC_ZSTD, 3, 17}, "zstd 3"},   {{CODEC_LZ4HC, 9, 17}, "lz4hc 9"},
    {{CODEC_SNAPPY, 0, 17}, "snappy"}, {{CODEC_QIPC, 0, 17}, "q ipc"},
};

/* Rows sorted by symbol and time, as a date part has them. */
static void fill(Batch *b, u64 rows)
{
    Prng r;
    f64 price = 100;
    i32 id = 0;
    prng_init(&r, 7);
    batch_init(b, &trade);
    for (u64 i = 0; i < rows; i++) {
        char name[16], note[32];
        u64 in_run = i % (rows / 50 + 1);
        if (in_run == 0) {
            snprintf(name, sizeof name, "S%03u", (unsigned)(i / (rows / 50 + 1)));
            KIT_OK(symbol_intern(str_of(name), &id));
            price = 20 + (f64)prng_below(&r, 20000) / 100;
        }
        price += ((f64)prng_below(&r, 201) - 100) / 1000;
        i64 time = (i64)(in_run * 1000000000ull + prng_below(&r, 900000000));
        f64 rounded = (f64)(i64)(price * 100) / 100;
        i32 size = (i32)prng_below(&r, 20) * 100 + 100;
        u8 stop = prng_below(&r, 20) == 0;
        int n = snprintf(note, sizeof note, "order %u", (unsigned)prng_below(&r, 1000));
        KIT_OK(vec_append(&b->cols[0], &time, 1));
        KIT_OK(vec_append(&b->cols[1], &id, 1));
        KIT_OK(vec_append(&b->cols[2], &rounded, 1));
        KIT_OK(vec_append(&b->cols[3], &size, 1));
        KIT_OK(vec_append(&b->cols[4], &stop, 1));
        KIT_OK(vec_append_row(&b->cols[5], note, (u64)n));
    }
    b->rows = rows;
}

/* The plain blocks of all files of a written table. */
typedef struct {
    const CodecChoice *codec;
    u8 *plain;
    u64 size;
} Blocks;

static Err deflate(void *arg, u64 i)
{
    const Blocks *b = arg;
    u64 block = 1ull << b->codec->block_log2, at = i * block, n = MIN(block, b->size - at), size;
    u8 *out = malloc(codec_room(b->codec->codec, n));
    if (out == NULL) return E_MEMORY;
    Err err = codec_deflate(b->codec->codec, b->codec->level, b->plain + at, n, out, &size);
    free(out);
    return err;
}

static void gather(Blocks *b, const char *folder)
{
    static const char *const files[] = {"time", "sym", "price", "size", "stop", "note", "note#"};
    char path[600];
    b->size = 0;
    for (u32 i = 0; i < COUNT_OF(files); i++) {
        Image m;
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        KIT_OK(image_open(&m, path, IMAGE_WHOLE));
        memcpy(b->plain + b->size, m.plain.data, m.plain.size);
        b->size += m.plain.size;
        image_close(&m);
    }
}

static f64 write_table(const char *folder, const Batch *b, const Domain *d,
                       const CodecChoice *codec, u64 *bytes)
{
    SplayOut out;
    KIT_OK(dir_remove_all(folder));
    f64 began = kit_now_cpu();
    KIT_OK(splay_out_open(&out, folder, &trade, PLACE_DISK, b->rows));
    KIT_OK(splay_out_codec(&out, codec));
    for (u64 at = 0; at < b->rows; at += 500000) {
        u64 n = MIN(500000, b->rows - at);
        Batch piece = *b;
        for (u32 i = 0; i < COUNT_OF(columns); i++) {
            Vec *v = &piece.cols[i];
            if (v->type > QT_NESTED)
                v->offs += at;
            else
                v->data = (u8 *)v->data + at * type_width(v->type);
        }
        KIT_OK(splay_out_batch(&out, &piece, NULL, n, d));
        for (u32 i = 0; i < COUNT_OF(columns); i++) {
            Vec *v = &piece.cols[i];
            if (v->type > QT_NESTED)
                v->offs -= at;
            else
                v->data = (u8 *)v->data - at * type_width(v->type);
        }
    }
    KIT_OK(splay_out_finish(&out));
    *bytes = out.bytes;
    return kit_now_cpu() - began;
}

/* One core inflates all blocks of a column into one buffer. */
static f64 inflate_alone(const char *path, u64 *size)
{
    FileMap file;
    BlockMap map;
    u8 *out = malloc(CODEC_PLAIN_MAX);
    KIT_OK(file_map(path, UINT64_MAX, &file));
    KIT_OK(block_open(&map, file.data, file.size, path));
    f64 began = kit_now_cpu();
    for (u64 i = 0; i < map.count; i++)
        KIT_OK(block_inflate(&map, i, out, path));
    f64 seconds = kit_now_cpu() - began;
    *size = map.size;
    block_close(&map);
    file_unmap(&file);
    free(out);
    return seconds;
}

/* A view of one date part, made by hand. */
static void open_view(const char *folder, const char *store, u64 rows)
{
    tier.store = store;
    root_init(&root, "bench", folder, folder, NULL, &tier, 1);
    view_cache_init(&views, &root);
    KIT_OK(view_empty(&views, &source.view));
    dates = view_segment_make(&views, PART_DATE, 2000, 1);
    dates->uses = 1;
    dates->parts = arena_new(&dates->memory, Part);
    PartTable *t = arena_new(&dates->memory, PartTable);
    *t = (PartTable){.name = "trade", .rows = rows, .time_max = 86400000000000ll - 1};
    *dates->parts = (Part){.kind = PART_DATE, .path = store, .table_count = 1, .tables = t};
    dates->part_count = 1;
    source.view->date_segs = &dates;
    source.view->date_seg_count = 1;
    source.tables = &tables;
    source.views = &views;
    source.domain = &domain;
    source.dates = true;
    source.threads = 1;
    KIT_OK(run_cache_make(&source.cache, 100));
}

/* Asks once and returns the processor's seconds. */
static f64 ask(const char *json)
{
    Arena a = {0};
    Value v, table;
    Request r;
    Run *run;
    KIT_OK(json_parse(str_of(json), &a, &v));
    KIT_OK(getdata_parse(&v, &tables, &a, &r));
    f64 began = kit_now_cpu();
    KIT_OK(run_prepare(&source, &r, &a, &run));
    KIT_OK(run_execute(run, &table));
    run_finish(run, NULL);
    f64 seconds = kit_now_cpu() - began;
    if (value_count(&table) == 0) kit_die("%s has no answer", json);
    arena_free(&a);
    return seconds;
}

static const struct {
    const char *what, *json, *columns[3];
    bool scan; /* front to back, through no cache at all */
} queries[] = {
    {"sum of a column",
     "{\"table\":\"trade\",\"agg\":[[\"v\",\"sum\",\"price\"]]}",
     {"price"},
     true},
    {"weighted average by symbol",
     "{\"table\":\"trade\",\"groupBy\":\"sym\",\"agg\":[[\"v\",\"wavg\",[\"size\",\"price\"]]]}",
     {"price", "size"},
     true},
    {"sum of what a filter lets pass",
     "{\"table\":\"trade\",\"filter\":[[\">\",\"price\",100]],\"agg\":[[\"v\",\"sum\",\"size\"]]}",
     {"price", "size"},
     false},
};

static void measure_write(u32 i, const char *table, const Batch *b, Blocks *blocks)
{
    char what[64];
    u64 bytes = 0;
    const CodecChoice *codec = &settings[i].codec;
    f64 alone = 1e9, ours = 1e9, mib = (f64)blocks->size / (1 << 20);
    blocks->codec = codec;
    f64 first = kit_now_cpu();
    for (u32 round = 0; round < 3 || (round < 10 && kit_now_cpu() - first < 20); round++) {
        f64 began = kit_now_cpu();
        KIT_OK(pool_run((blocks->size >> codec->block_log2) + 1, 0, deflate, blocks));
        alone = MIN(alone, kit_now_cpu() - began);
        ours = MIN(ours, write_table(table, b, &domain, codec, &bytes));
    }
    snprintf(what, sizeof what, "write, %s, %.2f times smaller", settings[i].name,
             (f64)blocks->size / (f64)bytes);
    kit_line(what, mib / ours, "MiB/s", "codec", mib / alone, alone / ours);
}

static void measure_query(u32 i, u32 q, const char *table)
{
    char what[96], path[600];
    u64 size = 0;
    f64 inflate = 1e9, cold = 1e9, warm = 1e9;
    for (u32 round = 0; round < 5; round++) {
        f64 seconds = 0;
        size = 0;
        for (u32 c = 0; c < 3 && queries[q].columns[c] != NULL; c++) {
            u64 some;
            snprintf(path, sizeof path, "%s/%s", table, queries[q].columns[c]);
            seconds += inflate_alone(path, &some);
            size += some;
        }
        inflate = MIN(inflate, seconds);
        run_cache_forget(source.cache, dates);
        image_cache_bound(queries[q].scan ? 1 : CACHE);
        (void)ask(queries[q].json); /* maps, and looks once whether times ascend */
        cold = MIN(cold, ask(queries[q].json));
        if (i > 0) continue;
        image_cache_bound(0);
        for (u32 k = 0; k < 3; k++)
            warm = MIN(warm, ask(queries[q].json));
    }
    f64 mib = (f64)size / (1 << 20);
    snprintf(what, sizeof what, "%s, %s", queries[q].what, settings[i].name);
    kit_line(what, mib / cold, "MiB/s", "codec", mib / inflate, inflate / cold);
    if (i > 0) return;
    snprintf(what, sizeof what, "%s, inflated blocks kept", queries[q].what);
    kit_line(what, mib / warm, "MiB/s", "codec", mib / inflate, inflate / warm);
}

int main(void)
{
    Batch b;
    Arena a = {0};
    Blocks blocks = {0};
    CodecChoice none = {0};
    u64 bytes;
    const char *tmp = getenv("TMPDIR"), *only = getenv("ONLY");
    char *folder = arena_format(&a, "%s/silt-compress-XXXXXX", tmp != NULL ? tmp : "/var/tmp");
    if (mkdtemp(folder) == NULL) kit_die("%s: no folder", folder);
    char *store = arena_format(&a, "%s/day", folder), *table = arena_format(&a, "%s/trade", store);
    kit_title("compress", "a compressed day of trades, written and queried; a core's seconds");
    schema_seal(&trade);
    fill(&b, kit_size("ROWS", 3000000));
    KIT_OK(dir_make(store));
    KIT_OK(domain_open(&domain, arena_format(&a, "%s/sym", folder), UINT64_MAX));
    KIT_OK(domain_add(&domain, vec_i32(&b.cols[1]), b.rows));
    blocks.plain = malloc(b.rows * 100);
    if (blocks.plain == NULL) kit_die("no memory");
    f64 plain = write_table(table, &b, &domain, &none, &bytes);
    kit_note("%.0f MiB plain, written in %.2f s", (f64)bytes / (1 << 20), plain);
    gather(&blocks, table);
    open_view(folder, store, b.rows);
    for (u32 i = 0; i < COUNT_OF(settings); i++) {
        if (only != NULL && strstr(settings[i].name, only) == NULL) continue;
        measure_write(i, table, &b, &blocks);
        for (u32 q = 0; q < COUNT_OF(queries); q++)
            measure_query(i, q, table);
        run_cache_forget(source.cache, dates);
    }
    run_cache_free(source.cache);
    view_close(&views, source.view);
    view_cache_free(&views);
    root_close(&root);
    KIT_OK(dir_remove_all(folder));
    free(blocks.plain);
    domain_close(&domain);
    batch_free(&b);
    arena_free(&a);
    return 0;
}
