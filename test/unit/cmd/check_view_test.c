/*
 * check_view, check_table, check_stream, check_stray: a sound database has no findings; each kind
 * of damage is named by its rule.
 */
#include "check_kit.h"

#include "cmd/check_stray.h"
#include "cmd/check_stream.h"
#include "cmd/check_view.h"

#define DATE     "hdb/data/2024.08.21/2/trade"
#define INTERVAL "idb/data/2024.08.22/1/trade"
#define LATE     "idb/data/2024.08.17/1/trade"

static void run(CheckKit *k, CheckView *c, bool with_schema)
{
    TOOL_OK(check_view_open(c, with_schema ? "demo" : NULL, k->idb, k->hdb, NULL,
                            with_schema ? &k->tier : NULL, with_schema));
    if (with_schema) c->tables = &k->set;
    TOOL_OK(check_view(c));
    TOOL_OK(check_stream(c));
    TOOL_OK(check_stray(c));
}

static void print_findings(const NoteList *f)
{
    Buf b = {0};
    TOOL_OK(findings_write(f, false, &b));
    fputs(buf_str(&b), stderr);
    buf_free(&b);
}

/* Whether there is a finding with this rule about a file whose path ends so. */
static bool found(const NoteList *f, const char *rule, const char *file, bool warning)
{
    for (u32 i = 0; i < f->count; i++)
        if (strcmp(f->list[i].rule, rule) == 0 && f->list[i].warning == warning &&
            str_ends(str_of(f->list[i].path), str_of(file)))
            return true;
    print_findings(f);
    return false;
}

/* Makes a database, lets `damage` change it, and looks for the finding. */
static void expect(void (*damage)(CheckKit *k), const char *rule, const char *file)
{
    CheckKit k;
    CheckView c;
    check_kit_make(&k);
    damage(&k);
    run(&k, &c, true);
    assert_true(found(&c.findings, rule, file, false));
    check_view_close(&c);
    check_kit_end(&k);
}

static void sound_database_has_no_findings(void **state)
{
    (void)state;
    CheckKit k;
    CheckView c;
    check_kit_make(&k);
    for (int with_schema = 0; with_schema < 2; with_schema++) {
        run(&k, &c, with_schema == 1);
        if (c.findings.count > 0) print_findings(&c.findings);
        assert_int_equal(c.findings.count, 0);
        assert_int_equal(c.parts, 4);
        assert_int_equal(c.table_count, 4);
        assert_int_equal(c.rows, 270);
        assert_int_equal(c.records, 20);
        assert_false(c.running);
        check_view_close(&c);
        check_view_close(&c);
    }
    check_kit_end(&k);
}

/* ---- views */

static void cut_manifest(CheckKit *k)
{
    TOOL_OK(truncate(check_kit_path(k, "idb/manifest/view.2"), 100) == 0 ? E_OK : E_IO);
}

static void alter_segment(CheckKit *k)
{
    tool_poke(check_kit_path(k, "idb/manifest/d.2024.2"), 60, "7", 1);
}

static void alter_old_manifest(CheckKit *k)
{
    tool_poke(check_kit_path(k, "idb/manifest/view.1"), 30, "x", 1);
}

static void point_nowhere(CheckKit *k)
{
    TOOL_OK(dir_unlink(check_kit_path(k, "idb/current")));
    TOOL_OK(dir_link("somewhere", check_kit_path(k, "idb/current")));
}

static void remove_current(CheckKit *k) { TOOL_OK(dir_unlink(check_kit_path(k, "idb/current"))); }

static void hdb_ahead(CheckKit *k)
{
    TOOL_OK(dir_swing("hdb.9", check_kit_path(k, "hdb/current")));
}

static void remove_marker(CheckKit *k)
{
    TOOL_OK(dir_unlink(check_kit_path(k, "hdb/siltstone.json")));
}

static void other_marker(CheckKit *k)
{
    static const char text[] =
        "{\"assembly\":\"demo\",\"tier\":\"hdb\",\"id\":\"00000000000000000000000000000000\"}\n";
    tool_write(check_kit_path(k, "hdb/siltstone.json"), text, sizeof text - 1);
}

static void views_and_markers(void **state)
{
    (void)state;
    expect(cut_manifest, "current", "idb/current");
    expect(cut_manifest, "manifest", "manifest/view.2");
    expect(alter_segment, "manifest", "manifest/d.2024.2");
    expect(alter_old_manifest, "manifest", "manifest/view.1");
    expect(point_nowhere, "current", "idb/current");
    expect(remove_current, "current", "idb/current");
    expect(hdb_ahead, "current", "hdb/current");
    expect(remove_marker, "marker", "hdb/siltstone.json");
    expect(other_marker, "marker", "hdb");
}

/* ---- folders of links */

static void unlink_part(CheckKit *k)
{
    TOOL_OK(dir_unlink(check_kit_path(k, "hdb/hdb.2/2024.08.20")));
}

static void stray_in_view(CheckKit *k)
{
    tool_write(check_kit_path(k, "idb/idb.2/README"), "x", 1);
}

static void wrong_link(CheckKit *k)
{
    TOOL_OK(dir_unlink(check_kit_path(k, "hdb/hdb.2/2024.08.20")));
    TOOL_OK(dir_link("../data/2024.08.21/2", check_kit_path(k, "hdb/hdb.2/2024.08.20")));
}

static void wrong_domain_link(CheckKit *k)
{
    TOOL_OK(dir_unlink(check_kit_path(k, "hdb/hdb.2/sym")));
    TOOL_OK(dir_link("/nowhere/sym", check_kit_path(k, "hdb/hdb.2/sym")));
}

static void par_beside_parts(CheckKit *k)
{
    tool_write(check_kit_path(k, "hdb/hdb.2/par.txt"), "../seg/x\n", 9);
}

static void folders_of_links(void **state)
{
    (void)state;
    expect(unlink_part, "folder", "hdb/hdb.2");
    expect(stray_in_view, "folder", "idb.2/README");
    expect(wrong_link, "folder", "hdb.2/2024.08.20");
    expect(wrong_domain_link, "folder", "hdb/hdb.2");
    expect(par_beside_parts, "folder", "hdb/hdb.2");
}

/* ---- the domain */

static void cut_domain(CheckKit *k)
{
    TOOL_OK(truncate(check_kit_path(k, "hdb/sym"), 11) == 0 ? E_OK : E_IO);
}

static void double_name(CheckKit *k) { tool_poke(check_kit_path(k, "hdb/sym"), 10, "A", 1); }

static void no_domain(CheckKit *k) { TOOL_OK(dir_unlink(check_kit_path(k, "hdb/sym"))); }

static void domains(void **state)
{
    (void)state;
    expect(cut_domain, "domain", "hdb/sym");
    expect(double_name, "domain", "hdb/sym");
    expect(no_domain, "domain", "hdb/sym");
}

/* ---- tables */

static void cut_column(CheckKit *k)
{
    TOOL_OK(truncate(check_kit_path(k, DATE "/price"), 16 + 8 * 10) == 0 ? E_OK : E_IO);
}

static void odd_column(CheckKit *k)
{
    TOOL_OK(truncate(check_kit_path(k, DATE "/price"), 16 + 8 * 10 + 3) == 0 ? E_OK : E_IO);
}

static void header_of_another_type(CheckKit *k)
{
    tool_poke(check_kit_path(k, DATE "/price"), 2, "\x07", 1);
}

static void no_such_type(CheckKit *k) { tool_poke(check_kit_path(k, DATE "/price"), 2, "\x03", 1); }

static void remove_column(CheckKit *k)
{
    TOOL_OK(dir_unlink(check_kit_path(k, INTERVAL "/price")));
}

static void remove_names(CheckKit *k) { TOOL_OK(dir_unlink(check_kit_path(k, DATE "/.d"))); }

static void cut_names(CheckKit *k)
{
    TOOL_OK(truncate(check_kit_path(k, DATE "/.d"), 19) == 0 ? E_OK : E_IO);
}

static void swap_names(CheckKit *k)
{
    tool_poke(check_kit_path(k, DATE "/.d"), 8, "sym\0time\0", 9);
}

static void index_beyond(CheckKit *k)
{
    tool_poke(check_kit_path(k, DATE "/sym"), 4096, "\x63\0\0\0\0\0\0\0", 8);
}

static void run_broken(CheckKit *k)
{
    tool_poke(check_kit_path(k, DATE "/sym"), 4096 + 8 * 30, "\x02\0\0\0\0\0\0\0", 8);
}

static void says_sorted(CheckKit *k) { tool_poke(check_kit_path(k, DATE "/price"), 3, "\x01", 1); }

static void other_day(CheckKit *k)
{
    i64 time = (CHECK_KIT_DAY + 40) * TEMPORAL_DAY_NS;
    tool_poke(check_kit_path(k, DATE "/time"), 16, &time, sizeof time);
}

static void other_day_in_interval(CheckKit *k)
{
    i64 time = (CHECK_KIT_DAY - 1) * TEMPORAL_DAY_NS;
    tool_poke(check_kit_path(k, INTERVAL "/time"), 16, &time, sizeof time);
}

static void other_slice(CheckKit *k)
{
    i64 time = (CHECK_KIT_DAY - 2) * TEMPORAL_DAY_NS;
    tool_poke(check_kit_path(k, LATE "/time"), 16, &time, sizeof time);
}

static void out_of_order(CheckKit *k)
{
    i64 time = (CHECK_KIT_DAY - 1) * TEMPORAL_DAY_NS + 19000000000;
    tool_poke(check_kit_path(k, DATE "/time"), 16 + 8, &time, sizeof time);
}

static void bad_reference(CheckKit *k)
{
    tool_poke(check_kit_path(k, DATE "/note"), 4096 + 8 * 3, "\xff\xff\xff\xff\xff\xff\x00\x01", 8);
}

static void tables(void **state)
{
    (void)state;
    expect(cut_column, "rows", DATE "/price");
    expect(cut_column, "size", DATE);
    expect(odd_column, "column", DATE "/price");
    expect(header_of_another_type, "type", DATE "/price");
    expect(no_such_type, "column", DATE "/price");
    expect(remove_column, "column", INTERVAL "/price");
    expect(remove_names, "names", DATE);
    expect(cut_names, "names", DATE);
    expect(swap_names, "names", DATE "/.d");
    expect(index_beyond, "domain", DATE "/sym");
    expect(run_broken, "attribute", DATE "/sym");
    expect(says_sorted, "attribute", DATE "/price");
    expect(other_day, "time", DATE "/time");
    expect(other_day_in_interval, "time", INTERVAL "/time");
    expect(other_slice, "time", LATE "/time");
    expect(out_of_order, "order", DATE);
    expect(bad_reference, "column", DATE "/note");
}

static void stray_in_part(CheckKit *k)
{
    tool_write(check_kit_path(k, "hdb/data/2024.08.21/2/.DS_Store"), "x", 1);
}

static void table_gone(CheckKit *k)
{
    TOOL_OK(dir_remove_all(check_kit_path(k, "hdb/data/2024.08.21/2/trade")));
}

static void part_gone(CheckKit *k)
{
    TOOL_OK(dir_remove_all(check_kit_path(k, "hdb/data/2024.08.21/2")));
}

static void parts(void **state)
{
    (void)state;
    expect(stray_in_part, "tables", "2024.08.21/2/.DS_Store");
    expect(table_gone, "names", DATE);
    expect(part_gone, "tables", "data/2024.08.21/2");
}

/* Without schemas the same damage is found, but for order and types. */
static void without_an_assembly(void **state)
{
    static void (*const all[])(CheckKit *) = {
        cut_column, odd_column,  remove_column, remove_names, index_beyond,
        run_broken, says_sorted, other_day,     other_slice,  bad_reference};
    (void)state;
    for (u32 i = 0; i < COUNT_OF(all); i++) {
        CheckKit k;
        CheckView c;
        check_kit_make(&k);
        all[i](&k);
        run(&k, &c, false);
        assert_true(c.findings.errors > 0);
        check_view_close(&c);
        check_kit_end(&k);
    }
}

/* ---- the stream */

static void flip_record(CheckKit *k)
{
    tool_poke(check_kit_path(k, "idb/wal/0000000000000000.wal"), 4096 + 200, "\xee\xee\xee", 3);
}

static void no_log(CheckKit *k)
{
    TOOL_OK(dir_unlink(check_kit_path(k, "idb/wal/0000000000000000.wal")));
}

static void log_header(CheckKit *k)
{
    tool_poke(check_kit_path(k, "idb/wal/0000000000000000.wal"), 20, "\x01", 1);
}

static void log_under_another_name(CheckKit *k)
{
    TOOL_OK(dir_rename(check_kit_path(k, "idb/wal/0000000000000000.wal"),
                       check_kit_path(k, "idb/wal/0000000000000008.wal")));
}

static void streams(void **state)
{
    (void)state;
    expect(flip_record, "record", "0000000000000000.wal");
    expect(flip_record, "watermark", "idb/wal");
    expect(no_log, "watermark", "idb/wal");
    expect(log_header, "log", "0000000000000000.wal");
    expect(log_under_another_name, "log", "0000000000000008.wal");
}

/* ---- what nobody names */

static void orphans_are_warnings(void **state)
{
    static const char *const folders[] = {"idb/data/2024.08.22/7",
                                          "hdb/data/2024.08.01/1",
                                          "idb/idb.77",
                                          "hdb/hdb.77",
                                          "hdb/seg/d.2024.77",
                                          "idb/tmp",
                                          "idb/spill/trade.0"};
    (void)state;
    CheckKit k;
    CheckView c;
    check_kit_make(&k);
    for (u32 i = 0; i < COUNT_OF(folders); i++)
        TOOL_OK(dir_make_all(check_kit_path(&k, "%s", folders[i])));
    tool_write(check_kit_path(&k, DATE "/leftover"), "x", 1);
    run(&k, &c, true);
    assert_int_equal(c.findings.errors, 0);
    for (u32 i = 0; i + 1 < COUNT_OF(folders); i++)
        assert_true(found(&c.findings, "orphan", folders[i], true));
    assert_true(found(&c.findings, "orphan", "idb/spill", true));
    assert_true(found(&c.findings, "stray", DATE "/leftover", true));
    check_view_close(&c);
    check_kit_end(&k);
}

static void unfinished_things_beyond_the_view_are_warnings(void **state)
{
    (void)state;
    CheckKit k;
    CheckView c;
    check_kit_make(&k);
    tool_write(check_kit_path(&k, "idb/manifest/view.3"), "", 0);
    tool_write(check_kit_path(&k, "idb/stage/eod"), "", 0);
    TOOL_OK(dir_swing("hdb.1", check_kit_path(&k, "hdb/current")));
    run(&k, &c, true);
    assert_int_equal(c.findings.errors, 0);
    assert_true(found(&c.findings, "manifest", "view.3", true));
    assert_true(found(&c.findings, "current", "hdb/current", true));
    check_view_close(&c);
    check_kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_database_has_no_findings),
        cmocka_unit_test(views_and_markers),
        cmocka_unit_test(folders_of_links),
        cmocka_unit_test(domains),
        cmocka_unit_test(tables),
        cmocka_unit_test(parts),
        cmocka_unit_test(without_an_assembly),
        cmocka_unit_test(streams),
        cmocka_unit_test(orphans_are_warnings),
        cmocka_unit_test(unfinished_things_beyond_the_view_are_warnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
