/*
 * Files that somebody cuts right after a command has mapped them: the command ends with an error
 * that names the file. The mapping call of the C library is replaced here, so that the cut comes at
 * a known moment.
 */
#include "check_kit.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "cmd/check.h"
#include "cmd/dump.h"
#include "cmd/get.h"
#include "cmd/handover.h"
#include "cmd/infer.h"
#include "cmd/wayout.h"

static const char *_Atomic victim; /* the end of the path of the file to cut; NULL = none */
static atomic_int times;           /* mappings of it that are let pass */

/* Every mapping of the program passes here, of any thread. */
void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    char link[64], path[4096];
    void *data = (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
    const char *file = victim;
    if (file == NULL || fd < 0) return data;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0 || !str_ends((Str){path, (u64)n}, str_of(file)) || times-- > 0) return data;
    path[n] = 0;
    if (truncate(path, 0) != 0) abort();
    victim = NULL;
    return data;
}

/* A plain database in <dir>/db; two dates, or one in two segments. */
static void make(CheckKit *k, bool segments)
{
    const char *first = segments ? "s1/2024.08.20" : "db/2024.08.20";
    const char *second = segments ? "s2/2024.08.20" : "db/2024.08.21";
    check_kit_make(k);
    const char *const folders[] = {"db", "s1", "s2"};
    for (u32 i = 0; i < COUNT_OF(folders); i++)
        TOOL_OK(dir_make(check_kit_path(k, "%s", folders[i])));
    TOOL_OK(dir_rename(check_kit_path(k, "hdb/sym"), check_kit_path(k, "db/sym")));
    TOOL_OK(dir_rename(check_kit_path(k, "hdb/data/2024.08.20/2"), check_kit_path(k, "%s", first)));
    TOOL_OK(
        dir_rename(check_kit_path(k, "hdb/data/2024.08.21/2"), check_kit_path(k, "%s", second)));
    if (segments) tool_write(check_kit_path(k, "db/par.txt"), "../s1\n../s2\n", 12);
}

/* Whether a message names a file, or the column that the file is a companion of. */
static bool names(const Buf *b, const char *file)
{
    u64 size = strcspn(file, "#");
    return b->size > 0 && memmem(b->data, b->size, file, size) != NULL;
}

static void checked(bool segments, const char *file, int pass)
{
    CheckKit k;
    make(&k, segments);
    victim = file;
    times = pass;
    ToolRun r = TOOL_RUN(check_main, NULL, check_kit_path(&k, "db"));
    victim = NULL;
    if (r.status != 7 || !names(&r.out, file))
        fail_msg("%s: ended with %d:\n%s%s", file, r.status, buf_str(&r.out), buf_str(&r.err));
    tool_run_free(&r);
    check_kit_end(&k);
}

static void a_check_names_the_file(void **state)
{
    (void)state;
    checked(false, "2024.08.20/trade/price", 0);
    checked(false, "2024.08.21/trade/sym", 0);
    checked(false, "2024.08.20/trade/note", 0);
    checked(false, "2024.08.20/trade/note#", 0);
    checked(false, "2024.08.21/trade/.d", 0);
}

static void a_second_look_names_it_too(void **state)
{
    (void)state;
    checked(false, "2024.08.20/trade/time", 1);    /* times against their partition */
    checked(true, "s2/2024.08.20/trade/price", 1); /* rows that stand in two segments */
}

static void asked(const char *file, const char *request)
{
    CheckKit k;
    make(&k, false);
    victim = file;
    times = 0;
    ToolRun r = TOOL_RUN(get_main, request, "-", "-d", check_kit_path(&k, "db"));
    victim = NULL;
    if (r.status != 7 || !names(&r.err, file) || r.out.size > 0)
        fail_msg("%s: ended with %d:\n%s%s", file, r.status, buf_str(&r.out), buf_str(&r.err));
    tool_run_free(&r);
    check_kit_end(&k);
}

static void a_query_names_the_file(void **state)
{
    (void)state;
    asked("2024.08.20/trade/price", "{\"table\":\"trade\",\"agg\":[[\"s\",\"sum\",\"price\"]]}");
    asked("2024.08.21/trade/sym", "{\"table\":\"trade\"}");
    asked("2024.08.21/trade/note#", "{\"table\":\"trade\"}");
    asked("2024.08.21/trade/.d", "{\"table\":\"trade\"}");
}

static void dumped(const char *file, int pass)
{
    CheckKit k;
    make(&k, false);
    victim = file;
    times = pass;
    ToolRun r = TOOL_RUN(dump_main, NULL, check_kit_path(&k, "."));
    victim = NULL;
    if (r.status != 7 || !names(&r.out, file) || !names(&r.out, "damaged "))
        fail_msg("%s: ended with %d:\n%s%s", file, r.status, buf_str(&r.out), buf_str(&r.err));
    tool_run_free(&r);
    check_kit_end(&k);
}

static void a_dump_names_the_file(void **state)
{
    (void)state;
    dumped("2024.08.20/trade/price", 0); /* the table */
    dumped("2024.08.20/trade/price", 1); /* what kind of file it is */
    dumped("2024.08.20/trade/price", 2); /* the column */
    dumped("2024.08.21/trade/note#", 0);
    dumped("2024.08.21/trade/note#", 1);
    dumped("2024.08.21/trade/.d", 1);
    dumped("db/sym", 0);
    dumped(".wal", 0);
}

/* A command over the plain database; what it made is not there. */
static void ended(int (*command)(int, char **), const char *file, int pass, const char *const *args)
{
    CheckKit k;
    make(&k, false);
    const char *db = check_kit_path(&k, "db"), *target = check_kit_path(&k, "target");
    const char *words[4] = {0};
    for (u32 i = 0; args[i] != NULL; i++)
        words[i] = strcmp(args[i], "DB") == 0 ? db : strcmp(args[i], "TO") == 0 ? target : args[i];
    victim = file;
    times = pass;
    ToolRun r = TOOL_RUN(command, NULL, words[0], words[1]);
    victim = NULL;
    DirKind kind = DIR_ABSENT;
    TOOL_OK(dir_kind(target, false, &kind));
    if (r.status != 7 || !(names(&r.err, file) || names(&r.out, file)) || kind != DIR_ABSENT)
        fail_msg("%s: ended with %d:\n%s%s", file, r.status, buf_str(&r.out), buf_str(&r.err));
    tool_run_free(&r);
    check_kit_end(&k);
}

static void an_import_names_the_file(void **state)
{
    (void)state;
    static const char *const args[] = {"DB", "--check", NULL};
    ended(handover_main, "2024.08.21/trade/price", 0, args); /* the model of all */
    ended(handover_main, "2024.08.21/trade/time", 1, args);
    ended(handover_main, "2024.08.20/trade/sym", 0, args);
    ended(handover_main, "2024.08.20/trade/.d", 0, args);
}

static void an_export_names_the_file(void **state)
{
    (void)state;
    static const char *const args[] = {"DB", "TO", NULL};
    ended(wayout_main, "2024.08.21/trade/price", 0, args);
    ended(wayout_main, "2024.08.21/trade/note#", 0, args);
    ended(wayout_main, "2024.08.21/trade/.d", 0, args);
}

static void a_proposal_names_the_file(void **state)
{
    (void)state;
    static const char *const args[] = {"infer", "DB", NULL};
    ended(infer_main, "2024.08.21/trade/price", 0, args);
    ended(infer_main, "2024.08.21/trade/time", 1, args); /* whether times ascend */
    ended(infer_main, "2024.08.21/trade/.d", 0, args);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_names_the_file),    cmocka_unit_test(a_second_look_names_it_too),
        cmocka_unit_test(a_query_names_the_file),    cmocka_unit_test(a_dump_names_the_file),
        cmocka_unit_test(an_import_names_the_file),  cmocka_unit_test(an_export_names_the_file),
        cmocka_unit_test(a_proposal_names_the_file),
    };
    return cmocka_run_group_tests_name("cut", tests, NULL, NULL);
}
