/*
 * config_show: what is printed says where it comes from, and loads to the same configuration
 * again. */
#include "cmd/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "unit/cmd/config_kit.h"

/* Prints what was loaded, without trailing blanks or comments when `bare`; the caller frees it. */
static char *shown(const Kit *k, bool bare)
{
    Buf b = {0};
    assert_int_equal(config_show(&k->c, &b), E_OK);
    char *text = strdup(buf_str(&b));
    buf_free(&b);
    for (char *line = text, *out = text; bare && *line;) {
        char *end = strchr(line, '\n'), *mark = strstr(line, "# ");
        if (mark && (!end || mark < end))
            memset(mark, ' ', (size_t)(end ? end - mark : (i64)strlen(mark)));
        char *last = end ? end : line + strlen(line);
        while (last > line && last[-1] == ' ')
            last--;
        if (last > line) {
            memmove(out, line, (size_t)(last - line));
            out += last - line;
            *out++ = '\n';
        }
        line = end ? end + 1 : line + strlen(line);
        if (!*line) *out = 0;
    }
    return text;
}

static void expect_in(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void values_say_where_they_come_from(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    setenv("SILT_DA_PORT", "6010", 1);
    k.source.idb = "/flag/idb";
    k.source.overrides = "o";
    kit_load_changed(&k, 2, "overrides: {o: {elements: {sm: {waitTm: 9}}}}\nother: 1");
    assert_int_equal(k.err, E_OK);
    char *text = shown(&k, false);
    expect_in(text, "name: t                                         # line 1\n");
    expect_in(text, "    waitTm: 9                                   # line 2, override o\n");
    expect_in(text, "    chunkSize: 500000                           # default\n");
    expect_in(text, "    baseURI: file:///flag/idb                   # flag --idb\n");
    expect_in(text, "        port: 6010                              # environment SILT_DA_PORT\n");
    expect_in(text, "#   stream's log: /flag/idb/wal\n");
    expect_in(text, "#   tier hdb: /d/hdb/data\n");
    assert_null(strstr(text, "overrides:"));
    free(text);
    kit_done(&k);
}

static void ignored_keys_are_listed(void **state)
{
    Kit k;
    (void)state;
    kit_init(&k);
    kit_load_changed(&k, 13, "        attrDisk: parted\n        attrObj: parted");
    char *text = shown(&k, false);
    expect_in(text, "# attrObj has no effect: no tier is an object store\n");
    assert_null(strstr(text, "# ignored here"));
    free(text);
    kit_load_changed(&k, 25, "  sp: {x: y}\n  sm:\n    k8sPolicy: {a: b}\n    env: []");
    text = shown(&k, false);
    expect_in(text, "# ignored here\n");
    expect_in(text, "line 25, elements.sp: ");
    expect_in(text, "line 27, elements.sm.k8sPolicy: ");
    expect_in(text, "line 28, elements.sm.env: ");
    free(text);
    kit_done(&k);
}

/* Shows a file, loads what was shown, and expects that to be shown alike. */
static void expect_round_trip(Kit *k)
{
    assert_int_equal(k->err, E_OK);
    char *first = shown(k, true), *full = shown(k, false);
    Kit again;
    kit_init(&again);
    kit_load(&again, full);
    if (again.err) print_error("%s\n%s", fail_text(), full);
    assert_int_equal(again.err, E_OK);
    char *second = shown(&again, true);
    assert_string_equal(first, second);
    kit_done(&again);
    free(first);
    free(full);
    free(second);
}

static void what_is_shown_loads_to_the_same(void **state)
{
    static const struct {
        u32 at;
        const char *text;
    } cases[] = {
        {0, ""},
        {1, "name: t\ndescription: \"a: b # c\\n\\\"quoted\\\" \\\\ \\u00e9\""},
        {2, "labels: {a: '', b: 'null', c: 'x y', d: '- x', e: '5: 6', f: 'x:', g: ' x ', h: '#', "
            "i: '@x', j: '~'}"},
        {15, "        type: ''\n        description: 'true'"},
        {35, "        index: 3\n      - {name: n, mount: hdb, store: s3://b/k, index: 1}"},
        {29, "        mount: rdb\n      - {name: late, mount: hdb, store: 'file:///x', index: 3}"},
        {19, "    topic: d\n    logFileSize: 1.5Gi\n    durability: relaxed"},
    };

    Kit k;
    (void)state;
    kit_init(&k);
    for (u32 i = 0; i < COUNT_OF(cases); i++) {
        kit_load_changed(&k, cases[i].at, cases[i].text);
        if (i == 4) assert_int_equal(k.err, E_USAGE); /* the object store would not be last */
        if (i != 4) expect_round_trip(&k);
    }
    kit_done(&k);
}

static void reference_assemblies_survive_it(void **state)
{
    static const char *const examples[] = {"fx-sharded-object", "import-and-migrate",
                                           "minimal",           "sensors-reference",
                                           "taq-tiered",        "wrapped-kubernetes"};
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
        expect_round_trip(&k);
    }
    kit_done(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_say_where_they_come_from),
        cmocka_unit_test(ignored_keys_are_listed),
        cmocka_unit_test(what_is_shown_loads_to_the_same),
        cmocka_unit_test(reference_assemblies_survive_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
