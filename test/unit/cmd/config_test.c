/*
 * config: whole files: the reference assemblies, the top level (V-01), the wrapped shape,
 * overrides, scalars for lists, raw text, hostile files, and the list of findings itself.
 */
#include "cmd/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "unit/cmd/config_kit.h"

static const char *const examples[] = {"fx-sharded-object", "import-and-migrate",
                                       "minimal",           "sensors-reference",
                                       "taq-tiered",        "wrapped-kubernetes"};

static void reference_assemblies_pass(void **state)
{
    char path[512];
    const char *shared = getenv("SILT_SHARED");
    Kit k;
    (void)state;
    kit_init(&k);
    k.source.path = path;
    for (u32 i = 0; i < COUNT_OF(examples); i++) {
        DirKind kind;
        snprintf(path, sizeof path, "%s/spec/examples/%s.yaml", shared ? shared : "../shared",
                 examples[i]);
        assert_int_equal(dir_kind(path, true, &kind), E_OK);
        if (kind == DIR_ABSENT) {
            print_message("SKIPPED: no %s; set SILT_SHARED\n", path);
            kit_done(&k);
            skip();
        }
        config_free(&k.c);
        k.err = config_load(&k.c, &k.source, &k.findings, &k.count);
        if (k.err) print_error("%s\n", fail_text());
        assert_int_equal(k.err, E_OK);
        for (u32 j = 0; j < k.count; j++)
            assert_string_equal(k.findings[j].rule, "V-15"); /* compression on an ordinal tier */
    }
    kit_done(&k);
}

static void a_small_assembly_gets_its_defaults(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(&k, 36, "  rc: {}");
    assert_int_equal(k.err, E_USAGE); /* lines 37 and 38 now stand below rc */
    char *text = kit_text(36, "#");
    *strstr(text, "    instances:") = 0;
    kit_load(&k, text);
    free(text);
    kit_expect_clean(&k);
    const Config *c = &k.c;
    assert_string_equal(c->name, "t");
    assert_null(c->description);
    assert_int_equal(c->label_count, 1);
    assert_string_equal(c->labels[0], "site");
    assert_string_equal(c->labels[1], "a");
    assert_int_equal(c->chunk_size, 500000);
    assert_true(c->sort_limit_gb == 10.0);
    assert_int_equal(c->wait_ms, 250);
    assert_true(c->peach_column && !c->peach_table && !c->peach_part);
    assert_true(c->idb_used);
    assert_false(c->initial_import || c->enforce_schema || c->disable_rest ||
                 c->disable_discovery || c->encrypt_all);
    assert_int_equal(c->reload_timeout_ns, 300ll * 1000000000);
    assert_string_equal(c->host, "127.0.0.1");
    assert_int_equal(c->port, 10001);
    assert_int_equal(c->memory_max, 1ull << 30);
    assert_int_equal(c->horizon_ns, 86400ll * 1000000000);
    assert_ptr_equal(c->source, c->bus);
    assert_string_equal(c->source->topic, "data");
    assert_null(c->source->log_path);
    assert_int_equal(c->source->log_file_size, 64ull << 20);
    assert_int_equal(c->source->log_size_max, 0);
    assert_false(c->source->relaxed);
    assert_int_equal(c->source->relaxed_ms, 100);
    assert_string_equal(c->stream->name, "rdb");
    assert_string_equal(c->idb->base, "/d/idb");
    assert_string_equal(c->hdb->base, "/d/hdb");
    assert_int_equal(c->dap_count, 1);
    assert_int_equal(config_dap(c, "da")->mount_count, 3);
    assert_int_equal(config_dap(c, "da")->port, 5080);
    assert_null(config_dap(c, "all"));
    kit_done(&k);
}

static void broken_top_levels_are_told_by_line_path_and_rule(void **state)
{
    static const KitCase cases[] = {
        {1, "description: x", 1, "name", "V-01", "name is required"},
        {1, "name: ", 1, "name", "V-01", "name is required"},
        {1, "name: a b", 1, "name", "V-01", "a name"},
        {1, "name: {a: b}", 1, "name", "key", "one text"},
        {2, "labels: [a]", 2, "labels", "key", "a map of texts"},
        {2, "labels: {a: [b]}", 2, "labels.a", "key", "texts"},
        {2, "dbSettings: {encryption: {encryptAll: 2}}", 2, "dbSettings.encryption.encryptAll",
         "key", "true or false"},
        {2, "dbSettings: {encrypt: 2}", 2, "dbSettings.encrypt", "key", "unknown key"},
        {25, "  rc: {}\n  sm:\n    chunkSize: 0", 27, "elements.sm.chunkSize", "key", "from 1"},
        {25, "  sm:\n    chunksize: 5", 26, "elements.sm.chunksize", "key", "unknown key"},
        {25, "  sm:\n    sortLimitGB: none", 26, "elements.sm.sortLimitGB", "key", "a number"},
        {25, "  sm:\n    sortLimitGB: nan", 26, "elements.sm.sortLimitGB", "key", "a number"},
        {25, "  sm:\n    eodPeachLevel: [part, rows]", 26, "elements.sm.eodPeachLevel[1]", "key",
         "part, table or column"},
        {25, "  sm:\n    eodPeachLevel: {part: 1}", 26, "elements.sm.eodPeachLevel", "key", "list"},
        {25, "  sm:\n    port: 65536", 26, "elements.sm.port", "key", "65535"},
        {25, "  sm:\n    memoryLimit: 63Mi", 26, "elements.sm.memoryLimit", "key", "64Mi"},
        {25, "  sm:\n    reloadTimeout: soon", 26, "elements.sm.reloadTimeout", "key", "duration"},
        {25, "  ms: {}\n  sm:", 25, "elements.ms", "key", "unknown key"},
    };
    Kit k;
    (void)state;
    kit_init(&k);
    kit_run(&k, cases, COUNT_OF(cases), false);
    kit_done(&k);
}

static void each_required_section_is_missed(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load(&k, "name: t\n");
    assert_int_equal(k.err, E_USAGE);
    assert_int_equal(k.count, 4);
    kit_expect(&k, false, 1, "tables", "V-01", "required");
    kit_expect(&k, false, 1, "bus", "V-01", "required");
    kit_expect(&k, false, 1, "mounts", "V-01", "required");
    kit_expect(&k, false, 1, "elements", "V-01", "required");
    kit_load(&k, "- name: t\n");
    kit_expect(&k, false, 1, "", "V-01", "a map");
    kit_load(&k, "");
    kit_expect(&k, false, 1, "", "yaml", "empty");
    kit_load_changed(&k, 25, "  dap:");
    kit_expect(&k, false, 24, "elements.sm", "V-01", "required");
    kit_done(&k);
}

static void unknown_top_level_keys_are_only_warned_of(void **state)
{
    static const KitCase cases[] = {{2, "lables: {a: b}", 2, "lables", "key", "ignored"}};
    Kit k;
    (void)state;
    kit_init(&k);
    kit_run(&k, cases, COUNT_OF(cases), true);
    kit_done(&k);
}

/* The sound assembly below spec. */
static char *wrapped(const char *head, u32 from, u32 to)
{
    Buf b = {0};
    assert_int_equal(buf_text(&b, head), E_OK);
    for (u32 i = 0; i < COUNT_OF(kit_lines); i++)
        if (i + 1 < from || i + 1 > to)
            assert_int_equal(buf_format(&b, "  %s\n", kit_lines[i]), E_OK);
    char *text = strdup(buf_str(&b));
    buf_free(&b);
    return text;
}

static void the_wrapped_shape_is_taken_off(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    char *text = wrapped(
        "apiVersion: x/v1\nkind: Assembly\nmetadata: {name: outer, labels: {a: b}}\nspec:\n", 1, 1);
    kit_load(&k, text);
    free(text);
    kit_expect_clean(&k);
    assert_string_equal(k.c.name, "outer");
    text = wrapped("kind: Assembly\nmetadata: {name: outer}\nspec:\n", 0, 0);
    kit_load(&k, text);
    free(text);
    kit_expect_clean(&k);
    assert_string_equal(k.c.name, "t");
    text = wrapped("kind: Deployment\nspec:\n", 10, 10);
    kit_load(&k, text);
    free(text);
    kit_expect(&k, false, 1, "kind", "key", "Deployment");
    kit_expect(&k, false, 11, "spec.tables.trade.columns[0].type", "V-05", "required");
    kit_load(&k, "kind: Assembly\nmetadata: {}\n");
    kit_expect(&k, false, 1, "spec", "V-01", "spec");
    kit_done(&k);
}

static void sequencers_stand_for_the_bus_in_the_wrapped_shape(void **state)
{
    Kit k;
    Buf b = {0};
    (void)state;
    kit_init(&k);
    char *text = wrapped("kind: Assembly\nspec:\n", 16, 19);
    assert_int_equal(
        buf_format(&b, "%s    sequencer: {stream: {external: false, size: 3}}\n", text), E_OK);
    kit_load(&k, buf_str(&b));
    free(text);
    kit_expect_clean(&k);
    assert_string_equal(k.c.source->name, "stream");
    assert_string_equal(k.c.source->protocol, "rt");
    assert_string_equal(k.c.source->topic, "stream");
    buf_free(&b);
    kit_load_changed(&k, 36, "  sequencer: {stream: {}}\n  dap:");
    kit_expect(&k, true, 36, "elements.sequencer", "V-09", "wrapped shape only");
    kit_done(&k);
}

static void overrides_are_laid_over_in_order(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    char *text = kit_text(
        2, "overrides:\n  a: {elements: {sm: {chunkSize: 1, waitTm: 5, tiers: []}}}\n"
           "  b: {elements: {sm: {chunkSize: 2}}, mounts: {idb: {baseURI: 'file:///other'}}}");
    kit_load(&k, text);
    kit_expect_clean(&k);
    assert_int_equal(k.c.chunk_size, 500000);
    k.source.overrides = "a,b";
    kit_load(&k, text);
    kit_expect_clean(&k);
    assert_int_equal(k.c.chunk_size, 2);
    assert_int_equal(k.c.wait_ms, 5);
    assert_string_equal(k.c.idb->base, "/other");
    assert_int_equal(k.c.idb_tier->freq_ns,
                     600ll * 1000000000); /* the list of tiers was replaced */
    k.source.overrides = NULL;
    setenv("KXI_ASSEMBLY_OVERRIDES", " b , a", 1);
    kit_load(&k, text);
    kit_expect_clean(&k);
    assert_int_equal(k.c.chunk_size, 1);
    assert_string_equal(k.c.idb->base, "/other");
    unsetenv("KXI_ASSEMBLY_OVERRIDES");
    free(text);
    kit_done(&k);
}

static void wrong_overrides_are_told_where_they_stand(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    k.source.overrides = "a,c,a";
    kit_load_changed(&k, 2,
                     "overrides:\n  a: {elements: {sm: {chunkSize: x, waitTime: 1}}}\n  b: "
                     "{tables: [], overrides: {}}");
    kit_expect(&k, false, 0, "", "overrides", "no override is named c");
    kit_expect(&k, false, 0, "", "overrides", "a is selected twice");
    kit_expect(&k, false, 3, "overrides.a.elements.sm.chunkSize", "key", "whole number");
    kit_expect(&k, false, 3, "overrides.a.elements.sm.waitTime", "key", "unknown key");
    kit_expect(&k, false, 4, "overrides.b.tables", "key", "a map");
    kit_expect(&k, false, 4, "overrides.b.overrides", "key", "no overrides");
    assert_int_equal(k.count, 6);
    kit_done(&k);
}

static void times_are_read_from_raw_text(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(&k, 35, "        schedule: {snap: 12:30:00}"); /* 45000 to a YAML 1.1 reader */
    kit_expect_clean(&k);
    assert_int_equal(k.c.date_tiers->snap_ns, 45000ll * 1000000000);
    kit_load_changed(&k, 35, "        schedule: {snap: '12:30:00'}");
    assert_int_equal(k.c.date_tiers->snap_ns, 45000ll * 1000000000);
    kit_load_changed(&k, 35, "        schedule: {snap: 45000}");
    kit_expect(&k, false, 35, "elements.sm.tiers[2].schedule.snap", "key", "duration");
    kit_load_changed(&k, 32, "        schedule: {freq: 0D00:00:02}");
    kit_expect_clean(&k);
    assert_int_equal(k.c.idb_tier->freq_ns, 2ll * 1000000000);
    kit_done(&k);
}

static void one_text_is_a_list_of_one(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(&k, 25, "  sm:\n    eodPeachLevel: part");
    kit_expect_clean(&k);
    assert_true(k.c.peach_part && !k.c.peach_column);
    kit_load_changed(&k, 38, "      all: {mountList: hdb}");
    kit_expect_clean(&k);
    assert_int_equal(k.c.daps[0].mount_count, 1);
    kit_done(&k);
}

static void all_findings_are_listed_in_order_of_lines(void **state)
{
    Kit k;
    char expected[600];
    (void)state;
    kit_init(&k);
    kit_load_changed(&k, 15, "        type: double\n        type: float\nextra: 1");
    assert_int_equal(k.err, E_USAGE);
    assert_int_equal(k.count, 3);
    assert_int_equal(k.findings[0].line, 15);
    assert_int_equal(k.findings[0].column, 15);
    assert_string_equal(k.findings[0].rule, "V-05");
    assert_int_equal(k.findings[1].line, 16);
    assert_string_equal(k.findings[1].rule, "yaml");
    assert_true(k.findings[2].warning);
    snprintf(expected, sizeof expected,
             "%s:15:15: tables.trade.columns[2].type: V-05: unknown type \"double\"", k.file);
    assert_string_equal(fail_text(), expected);
    kit_done(&k);
}

static void findings_have_a_bound(void **state)
{
    Kit k;
    Buf b = {0};
    (void)state;
    kit_init(&k);
    for (u32 i = 0; i < 1500; i++)
        assert_int_equal(buf_format(&b, "extra%u: 1\n", i), E_OK);
    kit_load(&k, buf_str(&b));
    assert_int_equal(k.err, E_USAGE);
    assert_int_equal(k.count, CONFIG_FINDINGS_MAX / 2 + 5 + 1);
    assert_string_equal(k.findings[k.count - 1].text, "1000 further findings are not listed");
    assert_non_null(strstr(fail_text(), "name: V-01"));
    buf_clear(&b);
    for (u32 i = 0; i < 1500; i++)
        assert_int_equal(buf_format(&b, "k: %u\n", i), E_OK);
    kit_load(&k, buf_str(&b));
    assert_int_equal(k.err, E_USAGE);
    assert_int_equal(k.count, CONFIG_FINDINGS_MAX + 1);
    buf_free(&b);
    kit_done(&k);
}

static void files_that_cannot_be_read_are_no_findings(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    k.source.path = "/nonexistent/assembly.yaml";
    assert_int_equal(config_load(&k.c, &k.source, &k.findings, &k.count), E_NOT_FOUND);
    assert_int_equal(k.count, 0);
    assert_non_null(strstr(fail_text(), "/nonexistent/assembly.yaml"));
    config_free(&k.c);
    k.source.path = NULL;
    assert_int_equal(config_load(&k.c, &k.source, &k.findings, &k.count), E_USAGE);
    assert_non_null(strstr(fail_text(), "KXI_ASSEMBLY_FILE"));
    setenv("KXI_ASSEMBLY_FILE", k.file, 1);
    kit_load_changed(&k, 0, "");
    kit_expect_clean(&k);
    assert_string_equal(k.c.file, k.file);
    unsetenv("KXI_ASSEMBLY_FILE");
    kit_done(&k);
}

static void hostile_files_are_refused_in_peace(void **state)
{
    static const char *const texts[] = {
        "tables: &t {trade: *t}\n",
        "? {a: b}\n: c\n",
        "name: \"\0\"\n",
        "name: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
        "name: t\ntables: 5\nbus: []\nmounts: x\nelements: [sm]\nlabels: 3\noverrides: "
        "4\ndbSettings: 1\n",
        "name: t\ntables: {a: 1, b: [], c: {columns: {}, type: []}}\nbus: {a: 1}\nmounts: {a: []}\n"
        "elements: {sm: {tiers: [1, []]}, dap: {instances: {x: 1, y: {mountList: {}}}}}\n",
        "kind: Assembly\nmetadata: []\nspec: []\n",
        "elements: {sm: {source: {}}, sequencer: [], dap: []}\nmounts: {a: {type: local, "
        "partition: [], baseURI: {}}}\n",
        "tables: {a: {columns: [{name: []}, {type: {}}], prtnCol: [], sortColsMem: {}, "
        "primaryKeys: [[], {}]}}\n",
    };
    Kit k;
    (void)state;
    kit_init(&k);
    for (u32 i = 0; i < COUNT_OF(texts); i++) {
        kit_load(&k, texts[i]);
        assert_int_equal(k.err, E_USAGE);
        assert_true(k.count > 0);
    }
    kit_load_bytes(&k, "a: 1\0b", 6);
    assert_int_equal(k.err, E_USAGE);
    kit_done(&k);
}

static void freeing_twice_and_nothing_is_fine(void **state)
{
    Kit k;
    Config c = {0};
    (void)state;
    config_free(&c);
    kit_init(&k);
    kit_load_changed(&k, 0, "");
    config_free(&k.c);
    config_free(&k.c);
    assert_null(k.c.name);
    kit_done(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_assemblies_pass),
        cmocka_unit_test(a_small_assembly_gets_its_defaults),
        cmocka_unit_test(broken_top_levels_are_told_by_line_path_and_rule),
        cmocka_unit_test(each_required_section_is_missed),
        cmocka_unit_test(unknown_top_level_keys_are_only_warned_of),
        cmocka_unit_test(the_wrapped_shape_is_taken_off),
        cmocka_unit_test(sequencers_stand_for_the_bus_in_the_wrapped_shape),
        cmocka_unit_test(overrides_are_laid_over_in_order),
        cmocka_unit_test(wrong_overrides_are_told_where_they_stand),
        cmocka_unit_test(times_are_read_from_raw_text),
        cmocka_unit_test(one_text_is_a_list_of_one),
        cmocka_unit_test(all_findings_are_listed_in_order_of_lines),
        cmocka_unit_test(findings_have_a_bound),
        cmocka_unit_test(files_that_cannot_be_read_are_no_findings),
        cmocka_unit_test(hostile_files_are_refused_in_peace),
        cmocka_unit_test(freeing_twice_and_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
