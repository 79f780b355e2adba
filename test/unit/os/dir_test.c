/*
 * dir: names, links, removal and locks, and what each does when the disk refuses.
 */
#include "base/bounds.h"
#include "os/dir.h"
#include "os/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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

static DirKind kind(const char *path)
{
    DirKind k;
    assert_int_equal(dir_kind(path, false, &k), E_OK);
    return k;
}

static void touch(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0600);
    assert_int_not_equal(fd, -1);
    close(fd);
}

static void expect_link(const char *path, const char *target)
{
    Arena a = {0};
    char *text;
    assert_int_equal(dir_read_link(path, &a, &text), E_OK);
    assert_string_equal(text, target);
    arena_free(&a);
}

static void listings_are_sorted_and_typed(void **state)
{
    (void)state;
    Arena a = {0};
    DirEntry *e;
    u64 count;
    assert_int_equal(dir_list(".", 0, &a, &e, &count), E_OK);
    assert_int_equal(count, 0);
    touch("b");
    touch("B");
    touch(".hidden");
    assert_int_equal(dir_make("a"), E_OK);
    assert_int_equal(dir_link("a", "c"), E_OK);
    assert_int_equal(mkfifo("d", 0600), 0);
    assert_int_equal(dir_list(".", 6, &a, &e, &count), E_OK);
    static const char *const names[] = {".hidden", "B", "a", "b", "c", "d"};
    static const DirKind kinds[] = {DIR_FILE, DIR_FILE, DIR_FOLDER, DIR_FILE, DIR_LINK, DIR_OTHER};
    assert_int_equal(count, 6);
    for (u64 i = 0; i < 6; i++) {
        assert_string_equal(e[i].name, names[i]);
        assert_int_equal(e[i].kind, kinds[i]);
    }
    assert_int_equal(dir_list(".", 5, &a, &e, &count), E_LIMIT);
    assert_int_equal(count, 0);
    assert_int_equal(dir_list("none", 5, &a, &e, &count), E_NOT_FOUND);
    assert_int_equal(dir_list("b", 5, &a, &e, &count), E_CORRUPT);
    arena_free(&a);
}

static void a_thousand_entries(void **state)
{
    (void)state;
    Arena a = {0};
    DirEntry *e;
    u64 count;
    char name[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%04d", (i * 7) % 1000);
        touch(name);
    }
    assert_int_equal(dir_list(".", 1000, &a, &e, &count), E_OK);
    assert_int_equal(count, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(atoi(e[i].name), i);
    arena_free(&a);
}

static void kinds_follow_links_when_asked(void **state)
{
    (void)state;
    DirKind k;
    assert_int_equal(dir_make("d"), E_OK);
    assert_int_equal(dir_link("d", "l"), E_OK);
    assert_int_equal(dir_link("none", "dangling"), E_OK);
    touch("f");
    assert_int_equal(kind("l"), DIR_LINK);
    assert_int_equal(dir_kind("l", true, &k), E_OK);
    assert_int_equal(k, DIR_FOLDER);
    assert_int_equal(dir_kind("dangling", true, &k), E_OK);
    assert_int_equal(k, DIR_ABSENT);
    assert_int_equal(dir_kind("f/below", true, &k), E_OK);
    assert_int_equal(k, DIR_ABSENT);
}

static void folders_are_made_once(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(dir_make("d"), E_OK);
    assert_int_equal(stat("d", &st), 0);
    assert_int_equal(st.st_mode & 0027, 0);
    assert_int_equal(dir_make("d"), E_EXISTS);
    assert_int_equal(dir_make("x/y"), E_NOT_FOUND);
    assert_non_null(strstr(fail_text(), "x/y"));
}

static void missing_parents_are_made_and_synced(void **state)
{
    (void)state;
    fault_arm(FAULT_NONE, 0, false, 0);
    assert_int_equal(dir_make_all("a/b//c/"), E_OK);
    assert_int_equal(fault_count(), 6); /* three times mkdir and a sync */
    assert_int_equal(kind("a/b/c"), DIR_FOLDER);
    assert_int_equal(dir_make_all("a/b/c"), E_OK);
    assert_int_equal(dir_make_all("a"), E_OK);
    assert_int_equal(dir_make_all("/"), E_OK);
    assert_int_equal(fault_count(), 6);
    touch("f");
    assert_int_equal(dir_make_all("f"), E_EXISTS);
    assert_int_not_equal(dir_make_all("f/x"), E_OK);
    assert_int_equal(dir_link("a", "l"), E_OK);
    assert_int_equal(dir_make_all("l/z"), E_OK);
    assert_int_equal(kind("a/z"), DIR_FOLDER);
}

static u32 folder_syncs; /* that the watcher was told of */

static void count_syncs(void *arg, const FaultChange *c)
{
    (void)arg;
    folder_syncs += c->call == FAULT_FOLDER;
}

/* Names are made durable again whoever made them: a process may have died before its sync. */
static void names_of_folders_that_are_there_are_synced(void **state)
{
    (void)state;
    assert_int_equal(dir_make_all("a/b/c"), E_OK);
    fault_watch(count_syncs, NULL);
    folder_syncs = 0;
    assert_int_equal(dir_make_all("a/b/c"), E_OK);
    assert_int_equal(folder_syncs, 0);
    assert_int_equal(dir_sync_parent("a/b/c"), E_OK);
    assert_int_equal(folder_syncs, 1);
    assert_int_equal(dir_sync_above("a/b/c"), E_OK); /* a/b, a, . */
    assert_int_equal(folder_syncs, 4);
    fault_watch(NULL, NULL);
    fault_arm(FAULT_ERROR, 2, false, EIO);
    assert_int_equal(dir_sync_above("a/b/c"), E_IO);
    fault_arm(FAULT_ERROR, 1, false, EACCES); /* not ours to read: passed over */
    assert_int_equal(dir_sync_above("a/b/c"), E_OK);
    fault_arm(FAULT_NONE, 0, false, 0);
}

static void links_swing_in_one_step(void **state)
{
    (void)state;
    Arena a = {0};
    char *text;
    fault_arm(FAULT_NONE, 0, false, 0);
    assert_int_equal(dir_swing("one", "current"), E_OK);
    u64 changes = fault_count();
    assert_int_equal(changes, 3);
    expect_link("current", "one");
    for (u64 k = 1; k <= changes; k++) {
        fault_arm(FAULT_ERROR, k, true, EIO);
        assert_int_equal(dir_swing("two", "current"), E_IO);
        fault_arm(FAULT_NONE, 0, false, 0);
        expect_link("current", k < changes ? "one" : "two");
        /* What it left behind does not stand in the way. */
        assert_int_equal(dir_swing("one", "current"), E_OK);
        expect_link("current", "one");
        assert_int_equal(kind("current.new"), DIR_ABSENT);
    }
    assert_int_equal(dir_read_link("none", &a, &text), E_NOT_FOUND);
    assert_null(text);
    touch("f");
    assert_int_equal(dir_read_link("f", &a, &text), E_CORRUPT);
    assert_int_equal(dir_link("x", "f"), E_EXISTS);
    assert_int_equal(dir_make("folder"), E_OK);
    assert_int_not_equal(dir_swing("x", "folder"), E_OK);
    assert_int_equal(kind("folder"), DIR_FOLDER);
    arena_free(&a);
}

static void long_link_texts_survive(void **state)
{
    (void)state;
    char target[BOUND_PATH_MAX];
    memset(target, 'x', sizeof target);
    target[sizeof target - 1] = 0;
    assert_int_equal(dir_link(target, "l"), E_OK);
    expect_link("l", target);
    char path[5000];
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = 0;
    assert_int_equal(dir_make(path), E_LIMIT);
}

static void renames_replace_files(void **state)
{
    (void)state;
    touch("a");
    touch("b");
    assert_int_equal(dir_rename("a", "b"), E_OK);
    assert_int_equal(kind("a"), DIR_ABSENT);
    assert_int_equal(dir_rename("a", "b"), E_NOT_FOUND);
    assert_int_equal(dir_make("d"), E_OK);
    assert_int_equal(dir_make("d/e"), E_OK);
    assert_int_equal(dir_make("f"), E_OK);
    assert_int_equal(dir_rename("f", "d"), E_EXISTS);
}

static void files_links_and_empty_folders_are_removed(void **state)
{
    (void)state;
    touch("f");
    assert_int_equal(dir_link("f", "l"), E_OK);
    assert_int_equal(dir_make("d"), E_OK);
    assert_int_equal(dir_unlink("l"), E_OK);
    assert_int_equal(kind("f"), DIR_FILE);
    assert_int_equal(dir_unlink("f"), E_OK);
    assert_int_equal(dir_unlink("f"), E_NOT_FOUND);
    assert_int_not_equal(dir_unlink("d"), E_OK);
    touch("d/f");
    assert_int_equal(dir_remove("d"), E_EXISTS);
    assert_int_equal(dir_unlink("d/f"), E_OK);
    assert_int_equal(dir_remove("d"), E_OK);
    assert_int_equal(dir_remove("d"), E_NOT_FOUND);
}

static void make_tree(void)
{
    assert_int_equal(dir_make_all("t/a/b/c"), E_OK);
    assert_int_equal(dir_make_all("t/d"), E_OK);
    touch("t/f");
    touch("t/a/f");
    touch("t/a/b/c/f");
    assert_int_equal(dir_link("../out", "t/l"), E_OK);
    assert_int_equal(dir_link("../../out", "t/a/l"), E_OK);
}

static void trees_are_removed_without_following_links(void **state)
{
    (void)state;
    assert_int_equal(dir_make("out"), E_OK);
    touch("out/kept");
    assert_int_equal(dir_remove_all("none"), E_OK);
    make_tree();
    fault_arm(FAULT_NONE, 0, false, 0);
    assert_int_equal(dir_remove_all("t"), E_OK);
    assert_int_equal(fault_count(), 10);
    assert_int_equal(kind("t"), DIR_ABSENT);
    assert_int_equal(kind("out/kept"), DIR_FILE);
    assert_int_equal(dir_link("out", "l"), E_OK);
    assert_int_equal(dir_remove_all("l"), E_CORRUPT);
    assert_int_equal(dir_remove_all("out/kept"), E_CORRUPT);
    assert_int_equal(kind("out/kept"), DIR_FILE);
    make_tree();
    for (u64 k = 1; k <= 10; k++) {
        fault_arm(FAULT_ERROR, 1 + k / 3, true, EIO);
        Err err = dir_remove_all("t");
        fault_arm(FAULT_NONE, 0, false, 0);
        assert_int_equal(err, kind("t") == DIR_ABSENT ? E_OK : E_IO);
    }
    assert_int_equal(dir_remove_all("t"), E_OK);
    assert_int_equal(dir_remove_all("t"), E_OK);
}

static void too_deep_a_tree_is_refused(void **state)
{
    (void)state;
    char path[3 * BOUND_DEPTH_MAX] = "t";
    for (int i = 0; i < BOUND_DEPTH_MAX; i++)
        memcpy(path + 1 + 2 * i, "/x", 3);
    assert_int_equal(dir_make_all(path), E_OK);
    assert_int_equal(dir_remove_all("t"), E_LIMIT);
    assert_int_equal(dir_remove_all("t/x"), E_OK);
    assert_int_equal(dir_remove_all("t"), E_OK);
}

static void hard_links_share_the_file(void **state)
{
    (void)state;
    struct stat a, b;
    touch("a");
    assert_int_equal(dir_hard_link("a", "b"), E_OK);
    assert_int_equal(dir_hard_link("a", "b"), E_EXISTS);
    assert_int_equal(dir_hard_link("none", "c"), E_NOT_FOUND);
    assert_int_equal(stat("a", &a), 0);
    assert_int_equal(stat("b", &b), 0);
    assert_true(a.st_ino == b.st_ino);
}

static void sharing_follows_links_and_copies_where_it_must(void **state)
{
    (void)state;
    struct stat a, b;
    bool copied = true;
    touch("a");
    assert_int_equal(chmod("a", 0604), 0);
    assert_int_equal(dir_link("a", "l"), E_OK);
    assert_int_equal(dir_share("l", "b", &copied), E_OK);
    assert_false(copied);
    assert_int_equal(stat("a", &a), 0);
    assert_int_equal(lstat("b", &b), 0);
    assert_true(a.st_ino == b.st_ino);
    assert_int_equal(dir_share("a", "b", &copied), E_EXISTS);
    assert_int_equal(dir_share("none", "c", &copied), E_NOT_FOUND);
    fault_arm(FAULT_ERROR, 1, false, EXDEV); /* as between two devices */
    assert_int_equal(dir_share("a", "c", &copied), E_OK);
    assert_true(copied);
    assert_int_equal(stat("c", &b), 0);
    assert_true(a.st_ino != b.st_ino && a.st_size == b.st_size && (b.st_mode & 07777) == 0604);
    for (u64 i = 1; i <= 3; i++) {
        fault_arm(FAULT_ERROR, i, false, ENOSPC);
        assert_int_equal(dir_copy("a", "d"), E_FULL);
        assert_int_equal(access("d", F_OK), -1);
    }
    fault_arm(FAULT_NONE, 0, false, 0);
    assert_int_equal(dir_copy("a", "b"), E_EXISTS);
}

/* A file that holds less than its size says: the kernel has some. */
static void a_file_that_is_cut_while_it_is_copied_is_none(void **state)
{
    (void)state;
    const char *shorter = "/sys/kernel/uevent_seqnum";
    struct stat st;
    if (stat(shorter, &st) != 0 || st.st_size < 4096) skip();
    assert_int_equal(dir_copy(shorter, "d"), E_CORRUPT);
    assert_non_null(strstr(fail_text(), shorter));
    assert_int_equal(access("d", F_OK), -1);
}

static void paths_are_resolved_through_links(void **state)
{
    (void)state;
    Arena a = {0};
    char here[512], want[600], *out;
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(dir_make_all("real/in"), E_OK);
    assert_int_equal(dir_link("real", "l"), E_OK);
    assert_int_equal(dir_resolve("l/in/../in", &a, &out), E_OK);
    snprintf(want, sizeof want, "%s/real/in", here);
    assert_string_equal(out, want);
    assert_int_equal(dir_resolve("l/none", &a, &out), E_NOT_FOUND);
    arena_free(&a);
}

static void space_is_told(void **state)
{
    (void)state;
    u64 free_bytes, all_bytes;
    assert_int_equal(dir_space(".", &free_bytes, &all_bytes), E_OK);
    assert_true(all_bytes > 0 && free_bytes <= all_bytes);
    assert_int_equal(dir_space("none", &free_bytes, &all_bytes), E_NOT_FOUND);
}

static void folder_locks_exclude_each_other_and_die_with_us(void **state)
{
    (void)state;
    int a, b, c, status;
    assert_int_equal(dir_make("d"), E_OK);
    assert_int_equal(dir_lock("d", false, &a), E_OK);
    assert_int_equal(dir_lock("d", false, &b), E_OK);
    assert_int_equal(dir_lock("d", true, &c), E_BUSY);
    assert_int_equal(c, -1);
    dir_unlock(&a);
    dir_unlock(&a);
    dir_unlock(&b);
    assert_int_equal(dir_lock("d", true, &c), E_OK);
    assert_int_equal(dir_lock("d", false, &a), E_BUSY);
    dir_unlock(&c);
    int pid = fork();
    if (pid == 0) _exit(dir_lock("d", true, &c) == E_OK ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(dir_lock("d", true, &c), E_OK);
    dir_unlock(&c);
    assert_int_equal(dir_lock("none", true, &c), E_NOT_FOUND);
}

static void every_change_can_fail(void **state)
{
    (void)state;
    touch("f");
    assert_int_equal(dir_make("d"), E_OK);
    fault_arm(FAULT_ERROR, 1, true, ENOSPC);
    assert_int_equal(dir_make("x"), E_FULL);
    assert_int_equal(dir_make_all("x/y"), E_FULL);
    assert_int_equal(dir_sync("."), E_FULL);
    assert_int_equal(dir_rename("f", "g"), E_FULL);
    assert_int_equal(dir_link("f", "g"), E_FULL);
    assert_int_equal(dir_unlink("f"), E_FULL);
    assert_int_equal(dir_remove("d"), E_FULL);
    assert_int_equal(dir_remove_all("d"), E_FULL);
    assert_int_equal(dir_hard_link("f", "g"), E_FULL);
    assert_int_equal(fault_count(), 9);
    fault_arm(FAULT_NONE, 0, false, 0);
    assert_int_equal(kind("f"), DIR_FILE);
    assert_int_equal(kind("g"), DIR_ABSENT);
    assert_int_equal(kind("d"), DIR_FOLDER);
    assert_int_equal(dir_sync("none"), E_NOT_FOUND);
    assert_int_equal(dir_sync("f"), E_CORRUPT);
}

static void pieces_are_joined_by_one_slash(void **state)
{
    (void)state;
    Arena a = {0};
    assert_string_equal(dir_join(&a, "a", "b", "c", NULL), "a/b/c");
    assert_string_equal(dir_join(&a, "/", "b", NULL), "/b");
    assert_string_equal(dir_join(&a, "a/", "b", NULL), "a/b");
    assert_string_equal(dir_join(&a, "", "b", "", NULL), "b");
    assert_string_equal(dir_join(&a, "", NULL), "");
    arena_free(&a);
}

static void absolute_paths_have_no_dots(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"/", "/"},           {"/a/./b/../c//d/", "/a/c/d"},
                                           {"/../..", "/"},      {"/a/..", "/"},
                                           {"/a/../../b", "/b"}, {"//x", "/x"}};
    Arena a = {0};
    char here[512], want[600], *out;
    for (u64 i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(dir_absolute(cases[i][0], &a, &out), E_OK);
        assert_string_equal(out, cases[i][1]);
    }
    assert_non_null(getcwd(here, sizeof here));
    snprintf(want, sizeof want, "%s/x", here);
    assert_int_equal(dir_absolute("y/../x", &a, &out), E_OK);
    assert_string_equal(out, want);
    assert_int_equal(dir_absolute(".", &a, &out), E_OK);
    assert_string_equal(out, here);
    arena_free(&a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(listings_are_sorted_and_typed),
        TEST(a_thousand_entries),
        TEST(kinds_follow_links_when_asked),
        TEST(folders_are_made_once),
        TEST(missing_parents_are_made_and_synced),
        TEST(names_of_folders_that_are_there_are_synced),
        TEST(links_swing_in_one_step),
        TEST(long_link_texts_survive),
        TEST(renames_replace_files),
        TEST(files_links_and_empty_folders_are_removed),
        TEST(trees_are_removed_without_following_links),
        TEST(too_deep_a_tree_is_refused),
        TEST(hard_links_share_the_file),
        TEST(sharing_follows_links_and_copies_where_it_must),
        TEST(a_file_that_is_cut_while_it_is_copied_is_none),
        TEST(paths_are_resolved_through_links),
        TEST(space_is_told),
        TEST(folder_locks_exclude_each_other_and_die_with_us),
        TEST(every_change_can_fail),
        TEST(pieces_are_joined_by_one_slash),
        TEST(absolute_paths_have_no_dots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
