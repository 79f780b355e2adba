/*
 * guard: a mapped file that is cut ends no process; what was lost is marked, and nothing else.
 */
#include "os/dir.h"
#include "os/file.h"
#include "os/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PAGE 4096u

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
    if (!getcwd(here, sizeof here) || chdir("/") != 0) return -1;
    return dir_remove_all(here) == E_OK ? 0 : -1;
}

static void make(const char *path, u64 pages)
{
    File f;
    u8 page[PAGE];
    memset(page, 7, sizeof page);
    assert_int_equal(file_open(&f, path, FILE_ALWAYS), E_OK);
    for (u64 i = 0; i < pages; i++)
        assert_int_equal(file_write(&f, page, PAGE, i * PAGE), E_OK);
    assert_int_equal(file_close(&f), E_OK);
}

static u64 sum_of(const FileMap *m)
{
    u64 sum = 0;
    for (u64 i = 0; i < m->size; i++)
        sum += ((const volatile u8 *)m->data)[i];
    return sum;
}

static void a_cut_file_reads_as_zeros_and_is_marked(void **state)
{
    (void)state;
    FileMap cut, whole, again;
    make("cut", 8);
    make("whole", 8);
    assert_int_equal(guard_start(), E_OK);
    u64 before = guard_lost();
    assert_int_equal(file_map("cut", ~0ull, &cut), E_OK);
    assert_int_equal(file_map("whole", ~0ull, &whole), E_OK);
    assert_int_equal(sum_of(&cut), 8 * PAGE * 7);
    assert_false(file_map_lost(&cut));
    assert_int_equal(truncate("cut", 3 * PAGE), 0);
    assert_int_equal(sum_of(&cut), 3 * PAGE * 7);
    assert_true(file_map_lost(&cut));
    assert_false(file_map_lost(&whole));
    assert_int_equal(sum_of(&whole), 8 * PAGE * 7);
    assert_int_equal(guard_lost(), before + 1);
    file_unmap(&cut);
    assert_int_equal(file_map("cut", ~0ull, &again), E_OK); /* the same slot, a new mapping */
    assert_false(file_map_lost(&again));
    assert_int_equal(sum_of(&again), 3 * PAGE * 7);
    file_unmap(&again);
    file_unmap(&whole);
}

static void more_mappings_than_a_chunk(void **state)
{
    (void)state;

    enum { COUNT = 3000 };

    static FileMap maps[COUNT];
    make("f", 2);
    assert_int_equal(guard_start(), E_OK);
    for (u32 i = 0; i < COUNT; i++)
        assert_int_equal(file_map("f", ~0ull, &maps[i]), E_OK);
    assert_int_equal(truncate("f", PAGE), 0);
    for (u32 i = 0; i < COUNT; i += 999)
        assert_int_equal(sum_of(&maps[i]), PAGE * 7);
    for (u32 i = 0; i < COUNT; i++)
        assert_int_equal(file_map_lost(&maps[i]), i % 999 == 0);
    for (u32 i = 0; i < COUNT; i++)
        file_unmap(&maps[i]);
}

/* Memory that nobody noted: the signal does what it always did. */
static void a_fault_elsewhere_ends_the_process(void **state)
{
    (void)state;
    int status = 0;
    void *data = NULL;
    make("f", 2);
    assert_int_equal(file_map_shared("f", 2 * PAGE, true, &data), E_OK);
    pid_t pid = fork();
    if (pid == 0) {
        if (guard_start() != E_OK || truncate("f", 0) != 0) _exit(1);
        _exit(((volatile u8 *)data)[PAGE] == 7 ? 2 : 3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) > 3); /* a sanitizer has its own way */
    file_unmap_shared(data, 2 * PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_cut_file_reads_as_zeros_and_is_marked, setup, teardown),
        cmocka_unit_test_setup_teardown(more_mappings_than_a_chunk, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fault_elsewhere_ends_the_process, setup, teardown),
    };
    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
