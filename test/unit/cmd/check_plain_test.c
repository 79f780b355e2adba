/*
 * check_plain: databases as a q session would load them.
 */
#include "check_kit.h"

#include "cmd/check_plain.h"

/* A plain database of two dates in <dir>/db, made of the parts of the kit. */
static void make(CheckKit *k)
{
    char *db;
    check_kit_make(k);
    db = check_kit_path(k, "db");
    TOOL_OK(dir_make(db));
    TOOL_OK(dir_rename(check_kit_path(k, "hdb/sym"), check_kit_path(k, "db/sym")));
    TOOL_OK(
        dir_rename(check_kit_path(k, "hdb/data/2024.08.20/2"), check_kit_path(k, "db/2024.08.20")));
    TOOL_OK(
        dir_rename(check_kit_path(k, "hdb/data/2024.08.21/2"), check_kit_path(k, "db/2024.08.21")));
}

static bool found(const NoteList *f, const char *rule, const char *file, bool warning)
{
    for (u32 i = 0; i < f->count; i++)
        if (strcmp(f->list[i].rule, rule) == 0 && f->list[i].warning == warning &&
            str_ends(str_of(f->list[i].path), str_of(file)))
            return true;
    for (u32 i = 0; i < f->count; i++)
        fprintf(stderr, "%s: %s: %s\n", f->list[i].path, f->list[i].rule, f->list[i].text);
    return false;
}

static void expect(void (*damage)(CheckKit *k), const char *rule, const char *file, bool warning)
{
    CheckKit k;
    NoteList f = {0};
    CheckPlainCounts counts;
    make(&k);
    damage(&k);
    TOOL_OK(check_plain(check_kit_path(&k, "db"), &f, &counts));
    assert_true(found(&f, rule, file, warning));
    note_free(&f);
    check_kit_end(&k);
}

static void sound_databases_have_no_findings(void **state)
{
    (void)state;
    CheckKit k;
    NoteList f = {0};
    CheckPlainCounts counts;
    make(&k);
    TOOL_OK(check_plain(check_kit_path(&k, "db"), &f, &counts));
    assert_int_equal(f.count, 0);
    assert_int_equal(counts.parts, 2);
    assert_int_equal(counts.rows, 120);
    TOOL_OK(check_plain(check_kit_path(&k, "db/2024.08.20/trade"), &f, &counts)); /* one table */
    assert_int_equal(f.count, 0);
    assert_int_equal(counts.rows, 60);
    tool_write(check_kit_path(&k, "db/x.q"), "\\a\n",
               3); /* scripts and names that are passed over */
    tool_write(check_kit_path(&k, "db/notes$"), "x", 1);
    TOOL_OK(check_plain(check_kit_path(&k, "db"), &f, &counts));
    assert_int_equal(f.count, 0);
    TOOL_OK(dir_make_all(check_kit_path(&k, "empty")));
    TOOL_OK(check_plain(check_kit_path(&k, "empty"), &f, &counts));
    assert_int_equal(f.count, 0);
    note_free(&f);
    check_kit_end(&k);
}

static void segmented_database(void **state)
{
    (void)state;
    CheckKit k;
    NoteList f = {0};
    CheckPlainCounts counts;
    make(&k);
    TOOL_OK(dir_make_all(check_kit_path(&k, "one")));
    TOOL_OK(dir_make_all(check_kit_path(&k, "two")));
    TOOL_OK(dir_rename(check_kit_path(&k, "db/2024.08.20"), check_kit_path(&k, "one/2024.08.20")));
    TOOL_OK(dir_rename(check_kit_path(&k, "db/2024.08.21"), check_kit_path(&k, "two/2024.08.21")));
    const char *lines = "../one\n../two\n";
    tool_write(check_kit_path(&k, "db/par.txt"), lines, strlen(lines));
    TOOL_OK(check_plain(check_kit_path(&k, "db"), &f, &counts));
    assert_int_equal(f.count, 0);
    assert_int_equal(counts.parts, 2);
    tool_write(check_kit_path(&k, "one/README"), "x", 1);
    lines = "../one\n../two/\n../nosuch\n";
    tool_write(check_kit_path(&k, "db/par.txt"), lines, strlen(lines));
    TOOL_OK(check_plain(check_kit_path(&k, "db"), &f, &counts));
    assert_true(found(&f, "P-06", "one/README", false));
    assert_true(found(&f, "load", "db/par.txt", false));
    assert_true(found(&f, "P-04", "nosuch", false));
    note_free(&f);
    check_kit_end(&k);
}

/* The same table under hard links. */
static void link_table(const char *from, const char *to)
{
    Arena a = {0};
    DirEntry *e = NULL;
    u64 count = 0;
    TOOL_OK(dir_make_all(to));
    TOOL_OK(dir_list(from, 100, &a, &e, &count));
    for (u64 i = 0; i < count; i++)
        TOOL_OK(
            dir_hard_link(dir_join(&a, from, e[i].name, NULL), dir_join(&a, to, e[i].name, NULL)));
    arena_free(&a);
}

static void rows_in_two_segments_are_found(void **state)
{
    (void)state;
    CheckKit k;
    NoteList f = {0};
    CheckPlainCounts counts;
    make(&k);
    TOOL_OK(dir_make_all(check_kit_path(&k, "one")));
    TOOL_OK(dir_make_all(check_kit_path(&k, "three")));
    TOOL_OK(dir_rename(check_kit_path(&k, "db/2024.08.20"), check_kit_path(&k, "one/2024.08.20")));
    TOOL_OK(dir_rename(check_kit_path(&k, "db/2024.08.21"), check_kit_path(&k, "one/2024.08.21")));
    char *from = check_kit_path(&k, "one/2024.08.20/trade");
    link_table(from, check_kit_path(&k, "two/2024.08.20/trade"));
    link_table(from, check_kit_path(&k, "two/2024.08.22/trade")); /* another day's rows */
    const char *lines = "../one\n../two\n../three\n";
    tool_write(check_kit_path(&k, "db/par.txt"), lines, strlen(lines));
    TOOL_OK(check_plain(check_kit_path(&k, "db"), &f, &counts));
    assert_true(found(&f, "P-09", "two/2024.08.20/trade", false));
    assert_true(found(&f, "P-08", "two/2024.08.22/trade", true));
    assert_true(found(&f, "P-05", "three", false));
    assert_int_equal(f.errors, 2);
    assert_int_equal(counts.parts, 4);
    note_free(&f);
    check_kit_end(&k);
}

static void no_kdb_file(CheckKit *k)
{
    tool_write(check_kit_path(k, "db/.DS_Store"), "\0\0\0\1Bud1", 8);
}

static void folder_in_root(CheckKit *k) { TOOL_OK(dir_make_all(check_kit_path(k, "db/logs"))); }

static void dead_link(CheckKit *k) { TOOL_OK(dir_link("nowhere", check_kit_path(k, "db/link"))); }

static void no_partition(CheckKit *k) { TOOL_OK(dir_make_all(check_kit_path(k, "db/2024.08.41"))); }

static void partition_of_another_kind(CheckKit *k)
{
    TOOL_OK(dir_make_all(check_kit_path(k, "db/2024.08")));
}

static void file_as_partition(CheckKit *k)
{
    tool_write(check_kit_path(k, "db/2024.08.22"), "", 0);
}

static void par_beside(CheckKit *k) { tool_write(check_kit_path(k, "db/par.txt"), "../x\n", 5); }

static void table_missing(CheckKit *k)
{
    TOOL_OK(dir_remove_all(check_kit_path(k, "db/2024.08.20/trade")));
}

static void stray_in_last(CheckKit *k) { tool_write(check_kit_path(k, "db/2024.08.21/x"), "x", 1); }

static void stray_in_older(CheckKit *k)
{
    tool_write(check_kit_path(k, "db/2024.08.20/x"), "x", 1);
}

static void other_columns(CheckKit *k)
{
    tool_write(check_kit_path(k, "db/2024.08.20/trade/.d"), "\xff\x01\x0b\0\2\0\0\0time\0sym\0",
               17);
}

static void no_such_domain(CheckKit *k) { TOOL_OK(dir_unlink(check_kit_path(k, "db/sym"))); }

static void broken_domain(CheckKit *k)
{
    tool_write(check_kit_path(k, "db/sym"), "\xff\x01\x0b\0\1\0\0\0A", 9);
}

static void damage_is_named_by_its_rule(void **state)
{
    (void)state;
    expect(no_kdb_file, "load", ".DS_Store", false);
    expect(folder_in_root, "load", "db/logs", false);
    expect(dead_link, "load", "db/link", false);
    expect(no_partition, "P-02", "2024.08.41", false);
    expect(partition_of_another_kind, "P-02", "2024.08.20",
           false); /* the first name tells the kind */
    expect(file_as_partition, "load", "2024.08.22", false);
    expect(par_beside, "P-21", "par.txt", false);
    expect(table_missing, "P-17", "2024.08.20", false);
    expect(stray_in_last, "load", "2024.08.21/x", false);
    expect(stray_in_older, "load", "2024.08.20/x", true);
    expect(other_columns, "P-17", "2024.08.20/trade", false);
    expect(no_such_domain, "P-18", "trade/sym", false);
    expect(broken_domain, "domain", "db/sym", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_databases_have_no_findings),
        cmocka_unit_test(segmented_database),
        cmocka_unit_test(rows_in_two_segments_are_found),
        cmocka_unit_test(damage_is_named_by_its_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
