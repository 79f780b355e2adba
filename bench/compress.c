/*
 * compress: writing and reading a compressed table, beside the compressor and the decompressor
 * alone.
 *
 * The table is that of trades: times, symbols, prices, sizes, flags. The reference compresses the
 * same plain blocks in memory with the same calls of the library by all cores, and inflates them by
 * one core into one warm buffer; what is measured beside it writes and syncs a table folder, and
 * opens a column, inflates on need and adds up its elements, in steps of a query's blocks.
 */
#include "kit/kit.h"

#include "column/block.h"
#include "column/column.h"
#include "os/dir.h"
#include "os/pool.h"
#include "os/proc.h"
#include "q/symbol.h"
#include "table/splay.h"

#define STEP 65536 /* rows that a reader asks for at once */

static SchemaColumn columns[] = {
    {.name = "time", .type = QT_TIMESTAMP},
    {.name = "sym", .type = QT_SYMBOL, .attr = {[PLACE_DISK] = ATTR_PARTED}},
    {.name = "price", .type = QT_FLOAT},
    {.name = "size", .type = QT_INT},
    {.name = "stop", .type = QT_BOOLEAN},
    {.name = "note", .type = QT_STRING},
};
static Schema trade = {.name = "trade", .column_count = COUNT_OF(columns), .columns = columns};

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

/* Adds up a column of floats front to back. */
static f64 scan(const char *path, f64 *sum)
{
    Column c;
    ColumnReader r;
    const void *elements;
    u64 count;
    f64 began = kit_now_cpu(), sums[8] = {0};
    KIT_OK(column_open_on_need(&c, path));
    column_reader_open(&r, &c);
    for (u64 at = 0; at < c.rows; at += count) {
        KIT_OK(column_reader_rows(&r, at, &elements, &count));
        const f64 *prices = elements;
        for (u64 i = 0; i + 8 <= count; i += 8)
            for (u32 k = 0; k < 8; k++)
                sums[k] += prices[i + k];
    }
    for (u32 k = 0; k < 8; k++)
        *sum += sums[k];
    column_reader_close(&r);
    column_close(&c);
    return kit_now_cpu() - began;
}

/* The same through the cache of inflated blocks, which is smaller than the column. */
static f64 scan_cached(const char *path, f64 *sum)
{
    Column c;
    f64 began = kit_now_cpu();
    KIT_OK(column_open_on_need(&c, path));
    for (u64 at = 0; at < c.rows; at += STEP) {
        u64 to = MIN(at + STEP, c.rows);
        f64 sums[8] = {0};
        KIT_OK(column_need(&c, at, to));
        const f64 *prices = c.data;
        for (u64 i = at; i + 8 <= to; i += 8)
            for (u32 k = 0; k < 8; k++)
                sums[k] += prices[i + k];
        for (u32 k = 0; k < 8; k++)
            *sum += sums[k];
        column_done(&c, at, to);
    }
    column_close(&c);
    return kit_now_cpu() - began;
}

static void measure(u32 i, const char *folder, const Batch *b, const Domain *d, Blocks *blocks)
{
    char what[64], path[600];
    u64 bytes = 0, size = 0;
    const CodecChoice *codec = &settings[i].codec;
    f64 alone = 1e9, ours = 1e9, inflate = 1e9, once = 1e9, cached = 1e9, sum = 0;
    blocks->codec = codec;
    for (u32 round = 0; round < 3; round++) {
        f64 began = kit_now_cpu();
        KIT_OK(pool_run((blocks->size >> codec->block_log2) + 1, 0, deflate, blocks));
        alone = MIN(alone, kit_now_cpu() - began);
        ours = MIN(ours, write_table(folder, b, d, codec, &bytes));
    }
    snprintf(what, sizeof what, "write, %s: ratio %.2f", settings[i].name,
             (f64)blocks->size / (f64)bytes);
    f64 mib = (f64)blocks->size / (1 << 20);
    kit_line(what, mib / ours, "MiB/s a core", "codec alone", mib / alone, alone / ours);
    snprintf(path, sizeof path, "%s/price", folder);
    for (u32 round = 0; round < 5; round++) {
        inflate = MIN(inflate, inflate_alone(path, &size));
        once = MIN(once, scan(path, &sum));
        cached = MIN(cached, scan_cached(path, &sum));
    }
    mib = (f64)size / (1 << 20);
    snprintf(what, sizeof what, "scan and sum, %s", settings[i].name);
    kit_line(what, mib / once, "MiB/s", "codec, one core", mib / inflate, inflate / once);
    snprintf(what, sizeof what, "through a small cache, %s", settings[i].name);
    kit_line(what, mib / cached, "MiB/s", "codec, one core", mib / inflate, inflate / cached);
}

int main(void)
{
    Batch b;
    Domain d;
    Arena a = {0};
    Blocks blocks = {0};
    CodecChoice none = {0};
    u64 bytes;
    const char *tmp = getenv("TMPDIR");
    char *folder = arena_format(&a, "%s/silt-compress-XXXXXX", tmp != NULL ? tmp : "/var/tmp");
    if (mkdtemp(folder) == NULL) kit_die("%s: no folder", folder);
    char *table = arena_format(&a, "%s/trade", folder), *sym = arena_format(&a, "%s/sym", folder);
    image_cache_bound(2 << 20); /* smaller than a column, as in a database larger than memory */
    kit_title("compress", "a compressed table of trades, written and read");
    fill(&b, kit_size("ROWS", 3000000));
    KIT_OK(domain_open(&d, sym, UINT64_MAX));
    KIT_OK(domain_add(&d, vec_i32(&b.cols[1]), b.rows));
    blocks.plain = malloc(b.rows * 100);
    if (blocks.plain == NULL) kit_die("no memory");
    f64 plain = write_table(table, &b, &d, &none, &bytes);
    kit_note("%.0f MiB plain, written in %.2f s", (f64)bytes / (1 << 20), plain);
    gather(&blocks, table);
    for (u32 i = 0; i < COUNT_OF(settings); i++)
        measure(i, table, &b, &d, &blocks);
    KIT_OK(dir_remove_all(folder));
    free(blocks.plain);
    domain_close(&d);
    batch_free(&b);
    arena_free(&a);
    return 0;
}
