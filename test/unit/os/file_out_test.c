/*
 * file_out: bulk files of every size and way of writing hold exactly what was appended.
 */
#include "base/crc.h"
#include "base/prng.h"
#include "os/dir.h"
#include "os/fault.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A fresh folder for each test, which then works inside it. */
static int setup(void **state)
{
    char path[256];
    const char *base = getenv("TMPDIR");
    (void)state;
    snprintf(path, sizeof path, "%s/silt-os-XXXXXX", base ? base : "/tmp");
    return mkdtemp(path) && chdir(path) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    char here[512];
    (void)state;
    fault_arm(FAULT_NONE, 0, false, 0);
    if (!getcwd(here, sizeof here) || chdir("/") != 0) return -1;
    return dir_remove_all(here) == E_OK ? 0 : -1;
}

#define MIB (1u << 20)

static u8 *content; /* 20 MiB that differ everywhere */

static int make_content(void **state)
{
    (void)state;
    Prng p;
    content = malloc(20 * MIB);
    prng_init(&p, 1);
    for (u64 i = 0; content && i < 20 * MIB; i += 8)
        store_u64(content + i, prng_next(&p));
    return content ? 0 : -1;
}

static int free_content(void **state)
{
    (void)state;
    free(content);
    return 0;
}

static void expect(const char *path, const u8 *data, u64 size)
{
    FileMap m;
    assert_int_equal(file_map(path, size, &m), E_OK);
    if (size) assert_int_equal(memcmp(m.data, data, size), 0);
    file_unmap(&m);
}

/* Writes `size` bytes in pieces of `piece`, through places where `room` says so. */
static Err write_pieces(const char *path, u64 size, u64 piece, u64 hint, bool room, bool sync)
{
    FileOut *out = NULL;
    Err err = E_OK;
    Sum sum = {0};
    TRY(file_out_open(&out, path, hint));
    file_out_sum(out, &sum);
    for (u64 at = 0; at < size; at += piece) {
        u64 n = MIN(piece, size - at);
        if (room && (at / piece) % 3 != 2) {
            u8 *place;
            TRY(file_out_room(out, piece, &place));
            memcpy(place, content + at, n);
            file_out_added(out, n);
        } else {
            TRY(file_out_write(out, content + at, n));
        }
        if (file_out_size(out) != at + n) TRY(E_COUNT);
    }
    FileOut *ended = out;
    out = NULL;
    TRY(file_out_close(ended, sync, NULL));
    if (sum.size != size || sum.crc != crc_32c(0, content, size)) TRY(E_COUNT);
done:
    sum_free(&sum);
    file_out_drop(out);
    return err;
}

static void all_sizes_and_pieces(void **state)
{
    (void)state;
    static const u64 sizes[] = {0,       1,   4095,    4096,           4097,
                                MIB - 1, MIB, MIB + 1, 3 * MIB + 4095, 17 * MIB + 13};
    static const u64 pieces[] = {1000, 4096, MIB - 7, MIB, 9 * MIB + 1};
    for (u64 s = 0; s < COUNT_OF(sizes); s++) {
        for (u64 p = 0; p < COUNT_OF(pieces); p++) {
            for (int way = 0; way < 4; way++) {
                bool room = way & 1 && pieces[p] <= MIB;
                u64 hint = way & 2 ? 8 * MIB : 0;
                Err err = write_pieces("f", sizes[s], pieces[p], hint, room, way == 3 && p == 0);
                assert_int_equal(err, E_OK);
                expect("f", content, sizes[s]);
                assert_int_equal(dir_unlink("f"), E_OK);
            }
        }
    }
}

static void an_existing_file_is_refused(void **state)
{
    (void)state;
    FileOut *out;
    assert_int_equal(write_pieces("f", 10, 10, 0, false, false), E_OK);
    assert_int_equal(file_out_open(&out, "f", 0), E_EXISTS);
    assert_null(out);
    assert_int_equal(file_out_open(&out, "none/f", 0), E_NOT_FOUND);
    file_out_drop(NULL);
}

static void headers_can_be_patched(void **state)
{
    (void)state;
    static const u64 sizes[] = {16, 4096, 5000, MIB, 10 * MIB + 5};
    u8 *want = malloc(20 * MIB);
    assert_non_null(want);
    for (u64 s = 0; s < COUNT_OF(sizes); s++) {
        for (int direct = 0; direct < 2; direct++) {
            FileOut *out;
            Sum sum = {0};
            u64 last = MIN(sizes[s], 4096) - 8;
            assert_int_equal(file_out_open(&out, "f", direct ? 8 * MIB : 0), E_OK);
            file_out_sum(out, &sum);
            assert_int_equal(file_out_write(out, content, sizes[s]), E_OK);
            assert_int_equal(file_out_patch(out, 0, "HEADER", 6), E_OK);
            assert_int_equal(file_out_patch(out, last, "TRAILER!", 8), E_OK);
            assert_int_equal(file_out_patch(out, 0, NULL, 0), E_OK);
            assert_int_equal(file_out_close(out, true, NULL), E_OK);
            memcpy(want, content, sizes[s]);
            memcpy(want, "HEADER", 6);
            memcpy(want + last, "TRAILER!", 8);
            expect("f", want, sizes[s]);
            assert_int_equal(sum.crc, crc_32c(0, want, sizes[s]));
            assert_int_equal(sum_block(&sum, 0), crc_32c(0, want, MIN(MIB, sizes[s])));
            sum_free(&sum);
            assert_int_equal(dir_unlink("f"), E_OK);
        }
    }
    free(want);
}

static void the_file_can_be_kept_for_a_later_sync(void **state)
{
    (void)state;
    FileOut *out;
    File keep;
    assert_int_equal(file_out_open(&out, "f", 8 * MIB), E_OK);
    assert_int_equal(file_out_write(out, content, 5 * MIB + 1), E_OK);
    assert_int_equal(file_out_close(out, false, &keep), E_OK);
    assert_string_equal(keep.path, "f");
    assert_int_equal(fcntl(keep.fd, F_GETFL) & O_DIRECT, 0);
    assert_int_equal(file_sync(&keep), E_OK);
    assert_int_equal(file_close(&keep), E_OK);
    expect("f", content, 5 * MIB + 1);
    assert_int_equal(file_out_open(&out, "g", 0), E_OK);
    assert_int_equal(file_out_close(out, true, &keep), E_OK);
    assert_int_equal(keep.fd, -1);
    expect("g", content, 0);
}

static void refused_direct_writes_fall_back(void **state)
{
    (void)state;
    for (u64 at = 2; at < 7; at++) {
        fault_arm(FAULT_ERROR, at, false, EINVAL);
        assert_int_equal(write_pieces("f", 5 * MIB + 77, 100000, 8 * MIB, false, false), E_OK);
        fault_arm(FAULT_NONE, 0, false, 0);
        expect("f", content, 5 * MIB + 77);
        assert_int_equal(dir_unlink("f"), E_OK);
    }
}

static void short_and_interrupted_writes_are_continued(void **state)
{
    (void)state;
    for (u64 hint = 0; hint <= 8 * MIB; hint += 8 * MIB) {
        for (u64 at = 2; at < 6; at++) {
            fault_arm(FAULT_SHORT, at, false, 0);
            assert_int_equal(write_pieces("f", 3 * MIB + 77, 100001, hint, true, false), E_OK);
            expect("f", content, 3 * MIB + 77);
            assert_int_equal(dir_unlink("f"), E_OK);
            fault_arm(FAULT_ERROR, at, false, EINTR);
            assert_int_equal(write_pieces("f", 3 * MIB + 77, 100001, hint, true, false), E_OK);
            fault_arm(FAULT_NONE, 0, false, 0);
            expect("f", content, 3 * MIB + 77);
            assert_int_equal(dir_unlink("f"), E_OK);
        }
    }
    fault_arm(FAULT_SHORT, 1, true, 0);
    assert_int_equal(write_pieces("f", 3 * MIB + 77, 100001, 8 * MIB, true, true), E_OK);
    fault_arm(FAULT_NONE, 0, false, 0);
    expect("f", content, 3 * MIB + 77);
}

static void every_step_can_fail(void **state)
{
    (void)state;
    for (u64 hint = 0; hint <= 8 * MIB; hint += 8 * MIB) {
        fault_arm(FAULT_NONE, 0, false, 0);
        assert_int_equal(write_pieces("f", 5 * MIB + 77, 100000, hint, false, true), E_OK);
        u64 changes = fault_count();
        assert_true(changes >= 6);
        assert_int_equal(dir_unlink("f"), E_OK);
        for (u64 k = 1; k <= changes; k++) {
            fault_arm(FAULT_ERROR, k, true, ENOSPC);
            assert_int_equal(write_pieces("f", 5 * MIB + 77, 100000, hint, false, true), E_FULL);
            fault_arm(FAULT_NONE, 0, false, 0);
            if (k > 1) assert_int_equal(dir_unlink("f"), E_OK);
        }
    }
}

static void a_failed_end_keeps_nothing(void **state)
{
    (void)state;
    FileOut *out;
    File keep;
    assert_int_equal(file_out_open(&out, "f", 0), E_OK);
    assert_int_equal(file_out_write(out, content, 100), E_OK);
    fault_arm(FAULT_ERROR, 1, true, EIO);
    assert_int_equal(file_out_close(out, false, &keep), E_IO);
    assert_int_equal(keep.fd, -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_sizes_and_pieces),
        TEST(an_existing_file_is_refused),
        TEST(headers_can_be_patched),
        TEST(the_file_can_be_kept_for_a_later_sync),
        TEST(refused_direct_writes_fall_back),
        TEST(short_and_interrupted_writes_are_continued),
        TEST(every_step_can_fail),
        TEST(a_failed_end_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, make_content, free_content);
}
