/*
 * journal: what is written comes back; what is cut, altered or senseless is refused, as it decides
 * what is deleted.
 */
#include "upkeep/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/crc.h"
#include "os/dir.h"
#include "os/fault.h"
#include "os/file.h"

static int setup(void **state)
{
    char path[256];
    const char *base = getenv("TMPDIR");
    (void)state;
    snprintf(path, sizeof path, "%s/silt-upkeep-XXXXXX", base ? base : "/tmp");
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

static const char *made[] = {"/d/idb", "/d/idb/in side"};
static const char *columns[] = {"venue", "note"};
static JournalTable tables[] = {{"/d/hdb/data/2024.01.01/quote", 0, NULL},
                                {"/d/hdb/data/2024.01.01/trade%", 2, columns}};
static const Journal sample = {.first_days = true,
                               .keep_unlisted = true,
                               .source = "/d/hdb/data \n",
                               .made_count = 2,
                               .made = made,
                               .table_count = 2,
                               .tables = tables};

static void what_is_written_comes_back(void **state)
{
    (void)state;
    Arena a = {0};
    Journal j;
    bool there = false;
    assert_int_equal(journal_read("j", &a, &j, &there), E_OK);
    assert_false(there);
    assert_int_equal(journal_write("j", &sample), E_OK);
    assert_int_equal(journal_read("j", &a, &j, &there), E_OK);
    assert_true(there && j.first_days && j.keep_unlisted && !j.back);
    assert_string_equal(j.source, sample.source);
    assert_int_equal(j.made_count, 2);
    assert_string_equal(j.made[1], made[1]);
    assert_int_equal(j.table_count, 2);
    assert_int_equal(j.tables[0].column_count, 0);
    assert_string_equal(j.tables[1].path, tables[1].path);
    assert_int_equal(j.tables[1].column_count, 2);
    assert_string_equal(j.tables[1].columns[1], "note");
    Journal back = {.back = true, .source = "/x"};
    assert_int_equal(journal_write("j", &back), E_OK);
    assert_int_equal(journal_read("j", &a, &j, &there), E_OK);
    assert_true(j.back && !j.first_days && !j.keep_unlisted);
    assert_int_equal(j.made_count + j.table_count, 0);
    arena_free(&a);
}

static void empty_is_as_none(void **state)
{
    (void)state;
    Arena a = {0};
    Journal j;
    bool there = true;
    assert_int_equal(file_replace("j", "", 0), E_OK);
    assert_int_equal(journal_read("j", &a, &j, &there), E_OK);
    assert_false(there);
    arena_free(&a);
}

static void every_cut_and_every_changed_bit_is_refused(void **state)
{
    (void)state;
    Arena a = {0};
    Journal j;
    u8 *data = NULL;
    u64 size = 0;
    assert_int_equal(journal_write("j", &sample), E_OK);
    assert_int_equal(file_read_all("j", 1 << 20, &a, &data, &size), E_OK);
    for (u64 i = 0; i < size; i++)
        assert_int_equal(journal_parse((Str){(const char *)data, i}, &a, &j), E_CORRUPT);
    for (u64 i = 0; i < size * 8; i++) {
        data[i / 8] ^= (u8)(1u << i % 8);
        assert_int_not_equal(journal_parse((Str){(const char *)data, size}, &a, &j), E_OK);
        data[i / 8] ^= (u8)(1u << i % 8);
    }
    arena_free(&a);
}

/* Parses lines with a true end. */
static Err parse(const char *lines)
{
    Arena a = {0};
    Buf b = {0};
    Journal j;
    assert_int_equal(buf_text(&b, lines), E_OK);
    assert_int_equal(buf_format(&b, "end %08" PRIx32 "\n", crc_32c(0, b.data, b.size)), E_OK);
    Err err = journal_parse((Str){(const char *)b.data, b.size}, &a, &j);
    buf_free(&b);
    arena_free(&a);
    return err;
}

static void senseless_lines_are_refused(void **state)
{
    (void)state;
#define HEAD "siltstone-adopt 1\nstate forward\n"
    assert_int_equal(parse(HEAD "source /a\n"), E_OK);
    assert_int_equal(parse(HEAD "source /a\ntable /a/b\ncolumn c\n"), E_OK);
    assert_int_equal(parse("siltstone-adopt 2\nstate forward\nsource /a\n"), E_UNSUPPORTED);
    static const char *const bad[] = {
        "siltstone-view 1\nstate forward\nsource /a\n",
        "siltstone-adopt 1\nstate sideways\nsource /a\n",
        HEAD,
        HEAD "source a\n",
        HEAD "source /\n",
        HEAD "source /a/../b\n",
        HEAD "source /a//b\n",
        HEAD "source /a b\n",
        HEAD "source /a%0\n",
        HEAD "source /a%00\n",
        HEAD "rule last-day\nsource /a\n",
        HEAD "source /a\ncolumn c\n",
        HEAD "source /a\ntable /b\ncolumn ../c\n",
        HEAD "source /a\ntable /b\nmade /c\n",
        HEAD "source /a\nsource /b\n",
        HEAD "source /a\nmade c\n",
    };
    for (u64 i = 0; i < COUNT_OF(bad); i++) {
        if (parse(bad[i]) != E_CORRUPT) fail_msg("accepted: %s", bad[i]);
    }
}

static void a_failure_to_write_leaves_the_old_one(void **state)
{
    (void)state;
    Arena a = {0};
    Journal j, back = {.back = true, .source = "/x"};
    bool there = false;
    assert_int_equal(journal_write("j", &sample), E_OK);
    for (u64 i = 1; i <= 3; i++) {
        fault_arm(FAULT_ERROR, i, true, 28);
        assert_int_equal(journal_write("j", &back), E_FULL);
        fault_arm(FAULT_NONE, 0, false, 0);
        assert_int_equal(journal_read("j", &a, &j, &there), E_OK);
        assert_false(j.back);
    }
    arena_free(&a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_comes_back),
        TEST(empty_is_as_none),
        TEST(every_cut_and_every_changed_bit_is_refused),
        TEST(senseless_lines_are_refused),
        TEST(a_failure_to_write_leaves_the_old_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
