/* image: blocks come when needed, stay within the bound, and are right whoever asks for them. */
#include "base/prng.h"
#include "column/block.h"
#include "column/block_out.h"
#include "column/image.h"
#include "os/pool.h"
#include "unit/column/kit.h"

#define BLOCK 65536u

/* Byte i of the test's content. */
static u8 byte_at(u64 i) { return (u8)(i * 2654435761u >> 13); }

static void make(const char *name, u64 size, int codec)
{
    BlockOut *out;
    CodecChoice c = {codec, codec == CODEC_GZIP ? 1 : 0, 16};
    u64 bytes;
    u8 *plain = malloc(size + 1);
    for (u64 i = 0; i < size; i++)
        plain[i] = byte_at(i);
    unlink(kit_path(name));
    ok(block_out_open(&out, kit_path(name), 0));
    if (codec != 0) ok(block_out_codec(out, &c));
    ok(block_out_write(out, plain, size));
    ok(block_out_close(out, true, NULL, &bytes));
    free(plain);
}

static void same(const Image *m, u64 from, u64 to)
{
    for (u64 i = from; i < to; i++)
        assert_int_equal(m->plain.data[i], byte_at(i));
}

static void plain_files_are_mapped(void **state)
{
    (void)state;
    Image m;
    make("plain", 100000, 0);
    for (u32 mode = IMAGE_WHOLE; mode <= IMAGE_ON_NEED; mode++) {
        ok(image_open(&m, kit_path("plain"), (ImageMode)mode));
        assert_false(m.zipped || image_on_need(&m));
        assert_int_equal(m.stored, 100000);
        ok(image_need(&m, 0, 100000));
        same(&m, 0, 100000);
        image_done(&m, 0, 100000);
        image_close(&m);
        image_close(&m);
    }
}

static void whole_images_are_counted(void **state)
{
    (void)state;
    Image m;
    u64 on_need, whole;
    make("whole", 10 * BLOCK + 5, CODEC_GZIP);
    ok(image_open(&m, kit_path("whole"), IMAGE_WHOLE));
    assert_true(m.zipped && !image_on_need(&m));
    assert_int_equal(m.codec, CODEC_GZIP);
    assert_int_equal(m.plain.size, 10 * BLOCK + 5);
    assert_true(m.stored < m.plain.size);
    same(&m, 0, m.plain.size);
    image_memory(&on_need, &whole);
    assert_int_equal(whole, 10 * BLOCK + 5);
    assert_int_equal(on_need, 0);
    image_close(&m);
    image_memory(&on_need, &whole);
    assert_int_equal(whole, 0);
}

static void only_needed_blocks_are_inflated(void **state)
{
    (void)state;
    Image m;
    u64 before = image_inflated(), on_need, whole;
    image_cache_bound(1 << 20);
    make("need", 10 * BLOCK, CODEC_GZIP);
    ok(image_open(&m, kit_path("need"), IMAGE_ON_NEED));
    assert_true(image_on_need(&m));
    assert_int_equal(image_inflated(), before);
    ok(image_need(&m, BLOCK - 1, BLOCK + 1));
    same(&m, 0, 2 * BLOCK);
    assert_int_equal(image_inflated(), before + 2);
    ok(image_need(&m, 5 * BLOCK, 5 * BLOCK)); /* no bytes, no block */
    assert_int_equal(image_inflated(), before + 2);
    ok(image_need(&m, 9 * BLOCK, 99 * BLOCK)); /* cut to the image */
    assert_int_equal(image_inflated(), before + 3);
    image_done(&m, BLOCK - 1, BLOCK + 1);
    ok(image_need(&m, 0, BLOCK)); /* it stayed */
    assert_int_equal(image_inflated(), before + 3);
    image_memory(&on_need, &whole);
    assert_int_equal(on_need, 3 * BLOCK);
    image_done(&m, 0, BLOCK);
    image_done(&m, 9 * BLOCK, 99 * BLOCK);
    image_close(&m);
    image_memory(&on_need, &whole);
    assert_int_equal(on_need, 0);
}

static void memory_stays_within_the_bound(void **state)
{
    (void)state;
    Image m[3];
    u64 on_need, whole, count = 40;
    char name[16];
    image_cache_bound(4 * BLOCK);
    for (u32 i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "bound%u", i);
        make(name, count * BLOCK, i == 1 ? CODEC_ZSTD : CODEC_LZ4HC);
        ok(image_open(&m[i], kit_path(name), IMAGE_ON_NEED));
    }
    for (u64 b = 0; b < count; b++) {
        for (u32 i = 0; i < 3; i++) {
            ok(image_need(&m[i], b * BLOCK, (b + 1) * BLOCK));
            same(&m[i], b * BLOCK, (b + 1) * BLOCK);
            image_done(&m[i], b * BLOCK, (b + 1) * BLOCK);
            image_memory(&on_need, &whole);
            assert_true(on_need <= 5 * BLOCK);
        }
    }
    /* what is needed goes beyond the bound and stays */
    ok(image_need(&m[0], 0, 20 * BLOCK));
    image_memory(&on_need, &whole);
    assert_true(on_need >= 20 * BLOCK);
    same(&m[0], 0, 20 * BLOCK);
    ok(image_need(&m[1], 0, BLOCK));
    same(&m[0], 0, 20 * BLOCK);
    image_done(&m[0], 0, 20 * BLOCK);
    image_done(&m[1], 0, BLOCK);
    for (u64 b = 0; b < count; b++) { /* and goes when it is not */
        ok(image_need(&m[2], b * BLOCK, (b + 1) * BLOCK));
        image_done(&m[2], b * BLOCK, (b + 1) * BLOCK);
    }
    image_memory(&on_need, &whole);
    assert_true(on_need <= 5 * BLOCK);
    for (u32 i = 0; i < 3; i++)
        image_close(&m[i]);
    image_cache_bound(0);
}

typedef struct {
    Image *m;
    u64 blocks;
} Share;

static Err read_some(void *arg, u64 seed)
{
    const Share *s = arg;
    Prng r;
    prng_init(&r, seed);
    for (u32 i = 0; i < 300; i++) {
        u64 from = prng_below(&r, s->blocks * BLOCK), to = from + prng_below(&r, 3 * BLOCK);
        Err err = image_need(s->m, from, to);
        if (err != E_OK) return err;
        for (u64 at = from; at < MIN(to, s->m->plain.size); at += 997) {
            if (s->m->plain.data[at] != byte_at(at)) return E_CORRUPT;
        }
        image_done(s->m, from, to);
    }
    return E_OK;
}

static void threads_share_blocks(void **state)
{
    (void)state;
    Image m;
    Share s = {&m, 30};
    u64 on_need, whole;
    image_cache_bound(5 * BLOCK);
    make("threads", s.blocks * BLOCK, CODEC_SNAPPY);
    ok(image_open(&m, kit_path("threads"), IMAGE_ON_NEED));
    ok(pool_run(16, 4, read_some, &s));
    image_memory(&on_need, &whole);
    assert_true(on_need <= 10 * BLOCK);
    image_close(&m);
    image_cache_bound(0);
}

static void readers_go_through_once(void **state)
{
    (void)state;
    Image m;
    u64 on_need, whole, size = 7 * BLOCK + 11;
    make("once", size, CODEC_GZIP);
    for (u32 mode = IMAGE_WHOLE; mode <= IMAGE_ON_NEED; mode++) {
        ImageReader r = {.image = &m};
        ok(image_open(&m, kit_path("once"), (ImageMode)mode));
        ok(image_need(&m, 3 * BLOCK, 3 * BLOCK + 1)); /* what is there is used */
        u64 before = image_inflated();
        for (u64 at = 0; at < size; at = r.to) {
            ok(image_reader_move(&r, at));
            assert_true(r.from <= at && at < r.to && r.to <= size);
            for (u64 i = r.from; i < r.to; i++)
                assert_int_equal(r.data[i - r.from], byte_at(i));
        }
        image_memory(&on_need, &whole);
        if (mode == IMAGE_ON_NEED) assert_int_equal(on_need, BLOCK);
        assert_int_equal(image_inflated() - before, mode == IMAGE_ON_NEED ? 7 : 0);
        ok(image_reader_move(&r, 3 * BLOCK + 7)); /* and needed meanwhile */
        image_done(&m, 3 * BLOCK, 3 * BLOCK + 1);
        image_reader_close(&r);
        image_reader_close(&r);
        image_close(&m);
    }
}

static void pages_are_used_again(void **state)
{
    (void)state;
    Image a, b;
    image_cache_bound(6 * BLOCK);
    make("pages", 20 * BLOCK, CODEC_LZ4HC);
    ok(image_open(&a, kit_path("pages"), IMAGE_ON_NEED));
    ok(image_need(&a, 0, 5 * BLOCK));
    image_done(&a, 0, 5 * BLOCK);
    image_close(&a); /* its blocks become spare ones */
    ok(image_open(&b, kit_path("pages"), IMAGE_ON_NEED));
    for (u64 i = 0; i < 20; i++) {
        u64 at = i * 7 % 20 * BLOCK;
        ok(image_need(&b, at, at + BLOCK));
        same(&b, at, at + BLOCK);
        image_done(&b, at, at + BLOCK);
    }
    image_close(&b);
    image_cache_bound(0);
}

/* Opens and closes an image of its own while others take its blocks' pages. */
typedef struct {
    const char *path;
    u64 blocks;
} Closing;

static Err open_and_close(void *arg, u64 task)
{
    const Closing *c = arg;
    Prng r;
    prng_init(&r, task);
    for (u32 round = 0; round < 40; round++) {
        Image m;
        Err err = image_open(&m, c->path, IMAGE_ON_NEED);
        for (u32 i = 0; i < 6 && err == E_OK; i++) {
            u64 at = prng_below(&r, (u32)c->blocks) * BLOCK;
            err = image_need(&m, at, at + BLOCK);
            if (err != E_OK) break;
            if (m.plain.data[at + 77] != byte_at(at + 77)) err = E_CORRUPT;
            image_done(&m, at, at + BLOCK);
        }
        image_close(&m);
        if (err != E_OK) return err;
    }
    return E_OK;
}

static void images_close_while_others_take_their_pages(void **state)
{
    (void)state;
    u64 on_need, whole;
    Closing c = {NULL, 12};
    image_cache_bound(3 * BLOCK);
    make("closing", c.blocks * BLOCK, CODEC_SNAPPY);
    c.path = kit_path("closing");
    ok(pool_run(8, 4, open_and_close, &c));
    image_memory(&on_need, &whole);
    assert_int_equal(on_need, 0);
    image_cache_bound(0);
}

static void a_damaged_block_spoils_only_itself(void **state)
{
    (void)state;
    Image m;
    BlockMap b;
    u64 size;
    make("damaged", 5 * BLOCK, CODEC_GZIP);
    u8 *file = kit_read(kit_path("damaged"), &size);
    ok(block_open(&b, file, size, "damaged"));
    kit_poke(kit_path("damaged"), b.places[2] + 40, file[b.places[2] + 40] ^ 0x55);
    block_close(&b);
    free(file);
    fails(E_CORRUPT, "block 2", image_open(&m, kit_path("damaged"), IMAGE_WHOLE));
    ok(image_open(&m, kit_path("damaged"), IMAGE_ON_NEED));
    fails(E_CORRUPT, "block 2", image_need(&m, BLOCK, 4 * BLOCK));
    fails(E_CORRUPT, "block 2", image_need(&m, 2 * BLOCK, 2 * BLOCK + 1));
    ok(image_need(&m, 0, 2 * BLOCK));
    ok(image_need(&m, 3 * BLOCK, 5 * BLOCK));
    same(&m, 0, 2 * BLOCK);
    same(&m, 3 * BLOCK, 5 * BLOCK);
    image_close(&m);
}

static void refuses_what_it_cannot_open(void **state)
{
    (void)state;
    Image m;
    fails(E_NOT_FOUND, "", image_open(&m, kit_path("absent"), IMAGE_WHOLE));
    kit_write(kit_path("secret"), "kxzippEd00000000000000000000", 28);
    fails(E_UNSUPPORTED, "encrypted", image_open(&m, kit_path("secret"), IMAGE_WHOLE));
    kit_write(kit_path("short"), "kxzipped", 8);
    fails(E_CORRUPT, "bad meta data", image_open(&m, kit_path("short"), IMAGE_WHOLE));
    kit_write(kit_path("empty"), "", 0);
    ok(image_open(&m, kit_path("empty"), IMAGE_WHOLE));
    assert_int_equal(m.plain.size, 0);
    image_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_files_are_mapped),
        cmocka_unit_test(whole_images_are_counted),
        cmocka_unit_test(only_needed_blocks_are_inflated),
        cmocka_unit_test(memory_stays_within_the_bound),
        cmocka_unit_test(threads_share_blocks),
        cmocka_unit_test(readers_go_through_once),
        cmocka_unit_test(pages_are_used_again),
        cmocka_unit_test(images_close_while_others_take_their_pages),
        cmocka_unit_test(a_damaged_block_spoils_only_itself),
        cmocka_unit_test(refuses_what_it_cannot_open),
    };
    return cmocka_run_group_tests(tests, kit_setup, kit_teardown);
}
