/*
 * file: reading, writing, replacing, mapping and locking, and what each does when the disk
 * refuses. */
#include "os/dir.h"
#include "os/fault.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

static void put(const char *path, const char *text)
{
    File f;
    assert_int_equal(file_open(&f, path, FILE_CREATE), E_OK);
    assert_int_equal(file_write(&f, text, strlen(text), 0), E_OK);
    assert_int_equal(file_close(&f), E_OK);
}

static void expect(const char *path, const char *text)
{
    Arena a = {0};
    u8 *data;
    u64 size;
    assert_int_equal(file_read_all(path, 1 << 20, &a, &data, &size), E_OK);
    assert_int_equal(size, strlen(text));
    assert_string_equal((char *)data, text);
    arena_free(&a);
}

static DirKind kind(const char *path)
{
    DirKind k;
    assert_int_equal(dir_kind(path, false, &k), E_OK);
    return k;
}

static void modes_open_what_they_say(void **state)
{
    (void)state;
    File f = FILE_NONE;
    struct stat st;
    assert_int_equal(file_open(&f, "a", FILE_READ), E_NOT_FOUND);
    assert_non_null(strstr(fail_text(), "a: open"));
    assert_int_equal(file_open(&f, "a", FILE_WRITE), E_NOT_FOUND);
    assert_int_equal(f.fd, -1);
    put("a", "x");
    assert_int_equal(file_open(&f, "a", FILE_CREATE), E_EXISTS);
    assert_int_equal(file_open(&f, "a", FILE_ALWAYS), E_OK);
    assert_int_equal(file_close(&f), E_OK);
    expect("a", "x");
    assert_int_equal(file_open(&f, "b", FILE_ALWAYS), E_OK);
    assert_int_equal(fstat(f.fd, &st), 0);
    assert_int_equal(st.st_mode & 0137, 0);
    assert_int_equal(file_close(&f), E_OK);
    assert_int_equal(file_close(&f), E_OK);
    file_drop(&f);
    assert_int_equal(f.fd, -1);
    assert_null(f.path);
}

static void only_regular_files_are_opened(void **state)
{
    (void)state;
    File f;
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(mkdir("folder", 0700), 0);
    put("file", "x");
    assert_int_equal(symlink("file", "link"), 0);
    assert_int_equal(symlink("nowhere", "dangling"), 0);
    assert_int_equal(file_open(&f, "fifo", FILE_READ), E_CORRUPT);
    assert_int_equal(file_open(&f, "fifo", FILE_WRITE), E_CORRUPT);
    assert_int_equal(file_open(&f, "folder", FILE_READ), E_CORRUPT);
    assert_int_equal(file_open(&f, "folder", FILE_WRITE), E_CORRUPT);
    assert_int_equal(file_open(&f, "link", FILE_ALWAYS), E_CORRUPT);
    assert_int_equal(file_open(&f, "dangling", FILE_ALWAYS), E_CORRUPT);
    assert_int_equal(file_open(&f, "dangling", FILE_CREATE), E_EXISTS);
    assert_int_equal(kind("nowhere"), DIR_ABSENT);
    assert_int_equal(file_open(&f, "link", FILE_READ), E_OK);
    assert_int_equal(file_close(&f), E_OK);
}

static void reads_are_exact_or_say_so(void **state)
{
    (void)state;
    File f;
    char out[16] = {0};
    u64 got, size;
    put("a", "0123456789");
    assert_int_equal(file_open(&f, "a", FILE_READ), E_OK);
    assert_int_equal(file_size(&f, &size), E_OK);
    assert_int_equal(size, 10);
    assert_int_equal(file_read(&f, out, 3, 7), E_OK);
    assert_string_equal(out, "789");
    assert_int_equal(file_read(&f, out, 0, 10), E_OK);
    assert_int_equal(file_read(&f, out, 4, 7), E_CORRUPT);
    assert_non_null(strstr(fail_text(), "file too short"));
    assert_int_equal(file_read(&f, out, 1, ~0ull), E_CORRUPT);
    assert_int_equal(file_read_some(&f, out, 16, 8, &got), E_OK);
    assert_int_equal(got, 2);
    assert_int_equal(file_read_some(&f, out, 16, 1000, &got), E_OK);
    assert_int_equal(got, 0);
    assert_int_not_equal(file_write(&f, "x", 1, 0), E_OK);
    assert_int_equal(file_close(&f), E_OK);
}

static void writes_go_where_they_are_told(void **state)
{
    (void)state;
    File f;
    put("a", "0123456789");
    assert_int_equal(file_open(&f, "a", FILE_WRITE), E_OK);
    assert_int_equal(file_write(&f, "XY", 2, 4), E_OK);
    assert_int_equal(file_write(&f, "", 0, 99), E_OK);
    assert_int_equal(file_write(&f, "x", 1, ~0ull), E_LIMIT);
    file_flush_start(&f, 0, 10);
    assert_int_equal(file_sync(&f), E_OK);
    file_uncache(&f);
    expect("a", "0123XY6789");
    assert_int_equal(file_truncate(&f, 5), E_OK);
    expect("a", "0123X");
    assert_int_equal(file_close(&f), E_OK);
}

static void short_writes_are_continued(void **state)
{
    (void)state;
    File f;
    assert_int_equal(file_open(&f, "a", FILE_CREATE), E_OK);
    fault_arm(FAULT_SHORT, 1, true, 0);
    assert_int_equal(file_write(&f, "0123456789", 10, 0), E_OK);
    assert_in_range(fault_count(), 4, 10);
    fault_arm(FAULT_ERROR, 1, false, EINTR);
    assert_int_equal(file_write(&f, "abc", 3, 10), E_OK);
    assert_int_equal(fault_count(), 2);
    assert_int_equal(file_close(&f), E_OK);
    expect("a", "0123456789abc");
}

static void every_change_can_fail(void **state)
{
    (void)state;
    File f;
    void *page;
    fault_arm(FAULT_ERROR, 1, true, ENOSPC);
    assert_int_equal(file_open(&f, "a", FILE_CREATE), E_FULL);
    assert_int_equal(file_open(&f, "a", FILE_ALWAYS), E_FULL);
    assert_int_equal(file_replace("r", "x", 1), E_FULL);
    assert_int_equal(file_map_shared("m", 4096, true, &page), E_FULL);
    fault_arm(FAULT_NONE, 0, false, 0);
    assert_int_equal(file_open(&f, "a", FILE_CREATE), E_OK);
    fault_arm(FAULT_ERROR, 1, true, EIO);
    assert_int_equal(file_write(&f, "x", 1, 0), E_IO);
    assert_non_null(strstr(fail_text(), "a: write"));
    assert_int_equal(file_sync(&f), E_IO);
    assert_non_null(strstr(fail_text(), "a: sync"));
    assert_int_equal(file_truncate(&f, 10), E_IO);
    assert_int_equal(file_prewrite(&f, 10), E_IO);
    assert_int_equal(fault_count(), 4);
    fault_arm(FAULT_NONE, 0, false, 0);
    assert_int_equal(file_close(&f), E_OK);
    expect("a", "");
}

static void prewriting_gives_real_zeros(void **state)
{
    (void)state;
    File f;
    u64 size;
    struct stat st;
    u8 *data = test_calloc(1, 3000000);
    assert_int_equal(file_open(&f, "a", FILE_CREATE), E_OK);
    assert_int_equal(file_prewrite(&f, 3000000), E_OK);
    assert_int_equal(file_size(&f, &size), E_OK);
    assert_int_equal(size, 3000000);
    assert_int_equal(file_read(&f, data, size, 0), E_OK);
    for (u64 i = 0; i < size; i++)
        if (data[i]) fail();
    assert_int_equal(fstat(f.fd, &st), 0);
    assert_true((u64)st.st_blocks * 512 >= size);
    assert_int_equal(file_prewrite(&f, ~0ull), E_LIMIT);
    assert_int_equal(file_close(&f), E_OK);
    test_free(data);
}

static void locks_exclude_each_other(void **state)
{
    (void)state;
    File a, b;
    put("l", "");
    assert_int_equal(file_open(&a, "l", FILE_WRITE), E_OK);
    assert_int_equal(file_open(&b, "l", FILE_WRITE), E_OK);
    assert_int_equal(file_lock(&a, false), E_OK);
    assert_int_equal(file_lock(&b, false), E_OK);
    assert_int_equal(file_lock(&b, true), E_BUSY);
    assert_int_equal(file_close(&a), E_OK);
    assert_int_equal(file_lock(&b, true), E_OK);
    assert_int_equal(file_close(&b), E_OK);
}

static void whole_files_are_read_up_to_a_limit(void **state)
{
    (void)state;
    Arena a = {0};
    u8 *data;
    u64 size;
    put("a", "0123456789");
    put("empty", "");
    assert_int_equal(file_read_all("a", 10, &a, &data, &size), E_OK);
    assert_int_equal(size, 10);
    assert_int_equal(file_read_all("a", 9, &a, &data, &size), E_LIMIT);
    assert_null(data);
    assert_int_equal(file_read_all("empty", 0, &a, &data, &size), E_OK);
    assert_int_equal(size, 0);
    assert_string_equal((char *)data, "");
    assert_int_equal(file_read_all("none", 9, &a, &data, &size), E_NOT_FOUND);
    assert_int_equal(file_read_all("/proc/self/status", 1 << 20, &a, &data, &size), E_OK);
    assert_non_null(strstr((char *)data, "RssAnon:"));
    assert_int_equal(file_read_all("/proc/self/status", 10, &a, &data, &size), E_LIMIT);
    a.size_max = a.used + 5;
    assert_int_equal(file_read_all("a", 100, &a, &data, &size), E_LIMIT);
    assert_non_null(strstr(fail_text(), "a: "));
    arena_free(&a);
}

static void replacing_is_all_or_nothing(void **state)
{
    (void)state;
    fault_arm(FAULT_NONE, 0, false, 0);
    assert_int_equal(file_replace("r", "first", 5), E_OK);
    u64 changes = fault_count();
    expect("r", "first");
    assert_int_equal(kind("r.tmp"), DIR_ABSENT);
    assert_true(changes >= 5); /* create, write, sync, rename, sync of the folder */
    for (u64 k = 1; k <= changes; k++) {
        for (int lasting = 0; lasting < 2; lasting++) {
            fault_arm(FAULT_ERROR, k, lasting, EIO);
            assert_int_equal(file_replace("r", "second", 6), E_IO);
            fault_arm(FAULT_NONE, 0, false, 0);
            /* Only the folder's sync comes after the rename. */
            expect("r", k == changes ? "second" : "first");
        }
        assert_int_equal(file_replace("r", "first", 5), E_OK);
        assert_int_equal(kind("r.tmp"), DIR_ABSENT);
    }
    assert_int_equal(mkdir("d", 0700), 0);
    assert_int_equal(file_replace("d/r", "x", 1), E_OK);
    expect("d/r", "x");
    assert_int_equal(file_replace("none/r", "x", 1), E_NOT_FOUND);
}

static void a_kill_at_each_step_leaves_old_or_new(void **state)
{
    (void)state;
    for (u64 k = 1; k <= 6; k++) {
        int status;
        assert_int_equal(file_replace("r", "old", 3), E_OK);
        int pid = fork();
        assert_int_not_equal(pid, -1);
        if (pid == 0) {
            close(STDERR_FILENO);
            fault_arm(FAULT_KILL, k, false, 0);
            _exit(file_replace("r", "new", 3) == E_OK ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), k < 6 ? 137 : 0);
        expect("r", k < 5 ? "old" : "new");
    }
}

static void maps_show_the_file(void **state)
{
    (void)state;
    FileMap m;
    put("a", "0123456789");
    put("empty", "");
    assert_int_equal(file_map("a", ~0ull, &m), E_OK);
    assert_int_equal(m.size, 10);
    assert_memory_equal(m.data, "0123456789", 10);
    file_map_random(&m);
    file_map_willneed(&m, 3, ~0ull);
    file_map_willneed(&m, 10, 1);
    file_unmap(&m);
    file_unmap(&m);
    assert_int_equal(file_map("a", 10, &m), E_OK);
    file_unmap(&m);
    assert_int_equal(file_map("a", 11, &m), E_CORRUPT);
    assert_null(m.data);
    assert_int_equal(file_map("none", 11, &m), E_NOT_FOUND);
    assert_int_equal(file_map("empty", 0, &m), E_OK);
    assert_null(m.data);
    file_map_random(&m);
    file_map_willneed(&m, 0, 1);
    file_unmap(&m);
}

static void shared_pages_are_seen_by_others(void **state)
{
    (void)state;
    void *w, *r;
    assert_int_equal(file_map_shared("p", 4096, false, &r), E_NOT_FOUND);
    assert_int_equal(file_map_shared("p", 4096, true, &w), E_OK);
    assert_int_equal(file_map_shared("p", 4096, false, &r), E_OK);
    assert_int_equal(((u8 *)r)[100], 0);
    ((u8 *)w)[100] = 7;
    assert_int_equal(((volatile u8 *)r)[100], 7);
    file_unmap_shared(w, 4096);
    file_unmap_shared(r, 4096);
    file_unmap_shared(NULL, 0);
    assert_int_equal(file_map_shared("p", 8192, false, &r), E_CORRUPT);
    assert_int_equal(file_map_shared("p", 8192, true, &w), E_OK);
    assert_int_equal(((u8 *)w)[100], 7);
    assert_int_equal(((u8 *)w)[8000], 0);
    file_unmap_shared(w, 8192);
}

static void a_full_disk_is_reported(void **state)
{
    (void)state;
    static u8 block[1 << 20];
    File f;
    FileOut *out;
    void *page;
    assert_int_equal(mkdir("small", 0700), 0);
    if (geteuid() != 0 || mount("none", "small", "tmpfs", 0, "size=512k") != 0) {
        skip();
        return;
    }
    assert_int_equal(file_open(&f, "small/a", FILE_CREATE), E_OK);
    Err write = file_write(&f, block, sizeof block, 0), grow = file_prewrite(&f, sizeof block);
    Err close = file_close(&f);
    Err replace = file_replace("small/r", block, sizeof block);
    Err shared = file_map_shared("small/s", sizeof block, true, &page);
    Err open = file_out_open(&out, "small/o", 8 << 20), bulk = E_OK;
    for (int i = 0; i < 4 && !open && !bulk; i++)
        bulk = file_out_write(out, block, sizeof block);
    file_out_drop(open ? NULL : out);
    assert_int_equal(umount("small"), 0);
    assert_int_equal(write, E_FULL);
    assert_int_equal(grow, E_FULL);
    assert_int_equal(close, E_OK);
    assert_int_equal(replace, E_FULL);
    assert_int_equal(shared, E_FULL);
    assert_int_equal(bulk, E_FULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(modes_open_what_they_say),
        TEST(only_regular_files_are_opened),
        TEST(reads_are_exact_or_say_so),
        TEST(writes_go_where_they_are_told),
        TEST(short_writes_are_continued),
        TEST(every_change_can_fail),
        TEST(prewriting_gives_real_zeros),
        TEST(locks_exclude_each_other),
        TEST(whole_files_are_read_up_to_a_limit),
        TEST(replacing_is_all_or_nothing),
        TEST(a_kill_at_each_step_leaves_old_or_new),
        TEST(maps_show_the_file),
        TEST(shared_pages_are_seen_by_others),
        TEST(a_full_disk_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
