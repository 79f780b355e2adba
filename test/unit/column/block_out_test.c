/* block_out: however bytes come and whenever they are patched, the file is that of one pass. */
#include "base/buf.h"
#include "base/crc.h"
#include "base/prng.h"
#include "column/block.h"
#include "column/block_out.h"
#include "column/image.h"
#include "os/pool.h"
#include "unit/column/kit.h"

static u8 *bytes_of(u64 size)
{
    Prng r;
    u8 *p = malloc(size + 1);
    prng_init(&r, size);
    for (u64 i = 0; i < size; i++)
        p[i] = (u8)(i % 3 == 0 ? prng_next(&r) % 5 : i >> 10);
    return p;
}

/* What must come out: each block by itself, then the trailer. */
static void expect(const char *path, const u8 *plain, u64 size, CodecChoice c)
{
    Buf b = {0}, directory = {0};
    u64 block = 1ull << c.block_log2, count = 0;
    u8 entry[8], head[32] = {3}, tail[8];
    ok(buf_append(&b, "kxzipped", 8));
    for (u64 at = 0; at < size; at += block, count++) {
        u64 n = MIN(block, size - at), stored = 0;
        u8 *out = malloc(codec_room(c.codec, n));
        ok(codec_deflate(c.codec, c.level, plain + at, n, out, &stored));
        ok(buf_append(&b, stored > 0 ? out : plain + at, stored > 0 ? stored : n));
        store_u32(entry, (u32)(stored > 0 ? stored : n));
        store_u32(entry + 4, stored > 0 ? (u32)c.codec : 0);
        ok(buf_append(&directory, entry, 8));
        free(out);
    }
    head[4] = (u8)c.codec;
    head[5] = (u8)c.level;
    store_u64(head + 8, size);
    store_u64(head + 16, b.size);
    store_u64(head + 24, block);
    store_u64(tail, count);
    ok(buf_append(&b, head, 32));
    ok(buf_append(&b, directory.data, directory.size));
    ok(buf_append(&b, tail, 8));
    u64 file_size;
    u8 *file = kit_read(path, &file_size);
    assert_int_equal(file_size, b.size);
    assert_memory_equal(file, b.data, b.size);
    free(file);
    buf_free(&b);
    buf_free(&directory);
}

static Sum sum; /* of the file that was begun */

static BlockOut *begin(const char *path, const CodecChoice *c, u64 hint)
{
    BlockOut *out;
    unlink(path);
    ok(block_out_open(&out, path, hint));
    sum_free(&sum);
    block_out_sum(out, &sum);
    ok(block_out_codec(out, c));
    return out;
}

/* The checksums are those of the file that stands there. */
static void expect_sum(const char *path)
{
    u64 size;
    u8 *file = kit_read(path, &size);
    assert_int_equal(sum.size, size);
    assert_int_equal(sum.crc, crc_32c(0, file, size));
    for (u64 i = 0; i < sum_count(&sum); i++)
        assert_int_equal(sum_block(&sum, i),
                         crc_32c(0, file + i * SUM_BLOCK, MIN(SUM_BLOCK, size - i * SUM_BLOCK)));
    free(file);
}

static void finish(BlockOut *out, const char *path)
{
    u64 bytes, size;
    ok(block_out_close(out, true, NULL, &bytes));
    free(kit_read(path, &size));
    assert_int_equal(bytes, size);
    expect_sum(path);
}

/* Writes in pieces of many sizes, some through block_out_room. */
static void write_pieces(BlockOut *out, const u8 *plain, u64 size)
{
    u64 n = 1;
    for (u64 at = 0; at < size; at += n) {
        n = MIN(n * 5 % 300007 + 1, size - at);
        if (n <= BLOCK_OUT_ROOM_MAX && at % 2 == 0) {
            u8 *place;
            ok(block_out_room(out, n + (BLOCK_OUT_ROOM_MAX - n) / 2, &place));
            memcpy(place, plain + at, n);
            block_out_added(out, n);
        } else {
            ok(block_out_write(out, plain + at, n));
        }
        assert_int_equal(block_out_size(out), at + n);
    }
}

static const CodecChoice choices[] = {
    {CODEC_GZIP, 6, 17},   {CODEC_GZIP, 1, 12},  {CODEC_QIPC, 0, 16},
    {CODEC_SNAPPY, 0, 20}, {CODEC_LZ4HC, 1, 16}, {CODEC_ZSTD, -1, 18},
};

static void pieces_of_any_size(void **state)
{
    (void)state;
    static const u64 sizes[] = {1, 16, 4096, 131072, 131073, 1500000};
    for (u32 c = 0; c < COUNT_OF(choices); c++) {
        for (u32 s = 0; s < COUNT_OF(sizes); s++) {
            u8 *plain = bytes_of(sizes[s]);
            BlockOut *out = begin(kit_path("pieces"), &choices[c], s % 2 ? sizes[s] : 0);
            write_pieces(out, plain, sizes[s]);
            finish(out, kit_path("pieces"));
            expect(kit_path("pieces"), plain, sizes[s], choices[c]);
            free(plain);
        }
    }
}

static void no_bytes_make_no_blocks(void **state)
{
    (void)state;
    u8 none = 0;
    finish(begin(kit_path("none"), &choices[0], 0), kit_path("none"));
    expect(kit_path("none"), &none, 0, choices[0]);
    BlockMap b;
    u64 size;
    u8 *file = kit_read(kit_path("none"), &size);
    assert_int_equal(size, BLOCK_MAGIC_SIZE + BLOCK_TRAILER);
    ok(block_open(&b, file, size, "none"));
    assert_int_equal(b.count, 0);
    block_close(&b);
    free(file);
}

/* A patched head makes block 0 shorter, longer, raw, or leaves it as it was. */
static void a_late_patch_moves_what_follows(void **state)
{
    (void)state;
    u8 patches[3][4096];
    memset(patches[0], 0, sizeof patches[0]);
    Prng r;
    prng_init(&r, 1);
    for (u32 i = 0; i < 4096; i++)
        patches[1][i] = (u8)prng_next(&r);
    for (u32 c = 0; c < COUNT_OF(choices); c++) {
        for (u32 p = 0; p < 3; p++) {
            u64 size = 2500000;
            u8 *plain = bytes_of(size);
            memcpy(patches[2], plain, sizeof patches[2]);
            BlockOut *out = begin(kit_path("patch"), &choices[c], size);
            write_pieces(out, plain, size);
            block_out_patch(out, 0, patches[p], sizeof patches[p]);
            memcpy(plain, patches[p], sizeof patches[p]);
            block_out_patch(out, 100, "ab", 2);
            memcpy(plain + 100, "ab", 2);
            finish(out, kit_path("patch"));
            expect(kit_path("patch"), plain, size, choices[c]);
            free(plain);
        }
    }
}

static void an_early_patch_costs_nothing(void **state)
{
    (void)state;
    u8 *plain = bytes_of(70000);
    BlockOut *out = begin(kit_path("early"), &choices[0], 0);
    ok(block_out_write(out, plain, 70000));
    block_out_patch(out, 8, "count", 5);
    memcpy(plain + 8, "count", 5);
    finish(out, kit_path("early"));
    expect(kit_path("early"), plain, 70000, choices[0]);
    free(plain);
}

typedef struct {
    BlockOut *out;
} Task;

static Err deflate(void *arg, u64 i)
{
    const Task *t = arg;
    return block_out_deflate(t->out, i);
}

static void blocks_are_compressed_by_others(void **state)
{
    (void)state;
    u64 size = 900000;
    u8 *plain = bytes_of(size);
    Task t = {begin(kit_path("others"), &choices[1], 0)};
    ok(block_out_write(t.out, plain, size));
    assert_int_equal(block_out_waiting(t.out, false), size / 4096);
    assert_int_equal(block_out_waiting(t.out, true), size / 4096 + 1);
    block_out_begin(t.out, false);
    ok(pool_run(block_out_waiting(t.out, false), 0, deflate, &t));
    ok(block_out_flush(t.out));
    assert_int_equal(block_out_waiting(t.out, false), 0);
    block_out_begin(t.out, true);
    ok(block_out_deflate(t.out, 0));
    ok(block_out_flush(t.out));
    finish(t.out, kit_path("others"));
    expect(kit_path("others"), plain, size, choices[1]);
    free(plain);
}

static void without_a_codec_it_is_the_plain_file(void **state)
{
    (void)state;
    CodecChoice none = {0};
    u64 size = 300000, file_size;
    u8 *plain = bytes_of(size);
    BlockOut *out = begin(kit_path("plain"), &none, size);
    write_pieces(out, plain, size);
    assert_int_equal(block_out_waiting(out, true), 0);
    assert_false(block_out_is_full(out));
    block_out_begin(out, true);
    ok(block_out_flush(out));
    block_out_patch(out, 3, "xyz", 3);
    memcpy(plain + 3, "xyz", 3);
    finish(out, kit_path("plain"));
    u8 *file = kit_read(kit_path("plain"), &file_size);
    assert_int_equal(file_size, size);
    assert_memory_equal(file, plain, size);
    free(file);
    free(plain);
}

static void kept_files_are_complete(void **state)
{
    (void)state;
    for (u32 late = 0; late < 2; late++) {
        u64 size = 4000000, bytes;
        u8 *plain = bytes_of(size);
        File keep;
        BlockOut *out = begin(kit_path("keep"), &choices[0], size);
        ok(block_out_write(out, plain, size));
        if (late) block_out_patch(out, 0, "late", 4);
        if (late) memcpy(plain, "late", 4);
        ok(block_out_close(out, false, &keep, &bytes));
        assert_true(keep.fd >= 0);
        ok(file_sync(&keep));
        ok(file_close(&keep));
        expect_sum(kit_path("keep"));
        expect(kit_path("keep"), plain, size, choices[0]);
        free(plain);
    }
}

static void settings_are_checked(void **state)
{
    (void)state;
    BlockOut *out;
    CodecChoice bad[] = {
        {CODEC_GZIP, 6, 11}, {CODEC_GZIP, 6, 21}, {CODEC_GZIP, 10, 17}, {9, 0, 17}};
    unlink(kit_path("bad"));
    ok(block_out_open(&out, kit_path("bad"), 0));
    for (u32 i = 0; i < COUNT_OF(bad); i++)
        fails(E_USAGE, "", block_out_codec(out, &bad[i]));
    block_out_drop(out);
    block_out_drop(NULL);
    fails(E_EXISTS, "", block_out_open(&out, kit_path("bad"), 0));
    assert_null(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_any_size),
        cmocka_unit_test(no_bytes_make_no_blocks),
        cmocka_unit_test(a_late_patch_moves_what_follows),
        cmocka_unit_test(an_early_patch_costs_nothing),
        cmocka_unit_test(blocks_are_compressed_by_others),
        cmocka_unit_test(without_a_codec_it_is_the_plain_file),
        cmocka_unit_test(kept_files_are_complete),
        cmocka_unit_test(settings_are_checked),
    };
    return cmocka_run_group_tests(tests, kit_setup, kit_teardown);
}
