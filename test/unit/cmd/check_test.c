/*
 * check, dump: the commands: what they are given, what they print, how they end.
 */
#include "check_kit.h"

#include "cmd/check.h"
#include "cmd/dump.h"
#include "q/json.h"

static CheckKit k;

static bool says(const Buf *b, const char *text)
{
    return b->size > 0 && memmem(b->data, b->size, text, strlen(text)) != NULL;
}

static int setup(void **state)
{
    (void)state;
    check_kit_make(&k);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    check_kit_end(&k);
    return 0;
}

static void checks_from_either_base(void **state)
{
    const char *const paths[] = {k.idb, k.hdb, check_kit_path(&k, "hdb/current"),
                                 check_kit_path(&k, "idb/current")};
    (void)state;
    for (u32 i = 0; i < COUNT_OF(paths); i++) {
        ToolRun r = TOOL_RUN(check_main, NULL, paths[i]);
        if (r.out.size > 0) fputs(buf_str(&r.out), stderr);
        assert_int_equal(r.status, 0);
        assert_int_equal(r.out.size, 0);
        assert_true(says(&r.err, "0 violations, 0 warnings"));
        tool_run_free(&r);
    }
}

static void checks_by_an_assembly(void **state)
{
    (void)state;
    char *file = check_kit_assembly(&k);
    ToolRun r = TOOL_RUN(check_main, NULL, file);
    if (r.status != 0) fprintf(stderr, "%s%s", buf_str(&r.out), buf_str(&r.err));
    assert_int_equal(r.status, 0);
    assert_true(says(&r.err, "4 parts, 4 tables, 270 rows"));
    tool_run_free(&r);
}

static void damage_ends_with_seven(void **state)
{
    (void)state;
    Arena a = {0};
    Value v;
    char *path = check_kit_path(&k, "hdb/data/2024.08.20/2/trade/sym");
    tool_poke(path, 4096, "\x63", 1);
    ToolRun r = TOOL_RUN(check_main, NULL, k.hdb);
    assert_int_equal(r.status, 7);
    assert_true(
        says(&r.out, "2024.08.20/2/trade/sym: domain: row 0: index 99, the domain has 3 names\n"));
    tool_run_free(&r);
    r = TOOL_RUN(check_main, NULL, k.hdb, "--json");
    assert_int_equal(r.status, 7);
    Str rest = {(const char *)r.out.data, r.out.size}, line;
    assert_true(str_split(&rest, '\n', &line));
    TOOL_OK(json_parse(line, &a, &v));
    Str rule = {0};
    assert_true(value_text(value_get(&v, "rule"), &rule) && str_is(rule, "domain"));
    tool_run_free(&r);
    r = TOOL_RUN(dump_main, NULL, path);
    assert_int_equal(r.status, 7);
    assert_true(says(&r.out, "  damaged "));
    tool_run_free(&r);
    tool_poke(path, 4096, "\0", 1);
    arena_free(&a);
}

static void usage_errors(void **state)
{
    (void)state;
    ToolRun r = TOOL_RUN(check_main, NULL, "--json");
    assert_int_equal(r.status, 2);
    tool_run_free(&r);
    r = TOOL_RUN(check_main, NULL, "a", "b");
    assert_int_equal(r.status, 2);
    tool_run_free(&r);
    r = TOOL_RUN(check_main, NULL, "--nosuch", k.hdb);
    assert_int_equal(r.status, 2);
    assert_true(says(&r.err, "--nosuch"));
    tool_run_free(&r);
    r = TOOL_RUN(check_main, NULL, check_kit_path(&k, "nosuch"));
    assert_int_equal(r.status, 3);
    tool_run_free(&r);
    r = TOOL_RUN(dump_main, NULL, check_kit_path(&k, "nosuch"));
    assert_int_equal(r.status, 3);
    tool_run_free(&r);
    r = TOOL_RUN(dump_main, NULL, NULL);
    assert_int_equal(r.status, 2);
    tool_run_free(&r);
}

static void dump_explains_every_file(void **state)
{
    static const char *const wanted[] = {
        "idb/current: link\n  to             idb.2\n",
        "hdb/sym: list of symbols (domain)\n  names          3\n",
        "hdb/data/2024.08.20/2/trade: table\n  columns        4\n  rows           60\n",
        "trade/.d: columns of a table\n  names          4\n",
        "trade/sym: column\n  type           symbol\n  domain         sym\n",
        "  attribute      parted\n  rows           60\n",
        "  runs           3\n  first          [\"A\",\"A\",\"A\"]\n",
        "  last           [\"C\",\"C\",\"C\"]\n",
        "trade/note: column\n  type           string\n",
        "trade/note#: heap of a list column\n",
        "idb/wal/0000000000000000.wal: log file\n  first          0\n",
        "  record position=0 end=",
        " kind=data table=trade rows=15 ",
        "idb/wal/durable: page shared by processes\n",
        "manifest/view.2: manifest of a view\n",
        "  segment kind=date group=2024 name=d.2024.2\n",
        "manifest/i.0.2: manifest of a segment\n",
        "  late part name=1 date=2024.08.17 made=1 ",
        "idb/siltstone.json: marker of a store\n  assembly       demo\n  tier           idb\n",
        "idb/lock: lock of the manager\n",
    };
    (void)state;
    ToolRun r = TOOL_RUN(dump_main, NULL, k.idb, k.hdb);
    for (u32 i = 0; i < COUNT_OF(wanted); i++)
        if (!says(&r.out, wanted[i])) fail_msg("missing: %s\n%s", wanted[i], buf_str(&r.out));
    assert_int_equal(r.status, 0);
    tool_run_free(&r);
}

static void dump_as_json_is_json_lines(void **state)
{
    (void)state;
    Arena a = {0};
    u64 lines = 0;
    ToolRun r = TOOL_RUN(dump_main, NULL, "--json", k.dir);
    assert_int_equal(r.status, 0);
    Str rest = str_trim((Str){(const char *)r.out.data, r.out.size}), line;
    while (rest.data != NULL && str_split(&rest, '\n', &line)) {
        Value v;
        TOOL_OK(json_parse(line, &a, &v));
        assert_int_equal(v.type, QT_DICT);
        assert_non_null(value_get(&v, "file"));
        lines++;
    }
    assert_true(lines > 60);
    tool_run_free(&r);
    arena_free(&a);
}

/* Any byte of any small file changed: said or not, but never a crash, and never an endless walk. */
static void dump_survives_any_damage(void **state)
{
    static const char *const files[] = {"hdb/data/2024.08.20/2/trade/sym",
                                        "hdb/data/2024.08.20/2/trade/note",
                                        "hdb/data/2024.08.20/2/trade/.d",
                                        "hdb/data/2024.08.20/2/trade/note#",
                                        "hdb/sym",
                                        "idb/manifest/view.2",
                                        "idb/manifest/d.2024.2",
                                        "idb/siltstone.json"};
    (void)state;
    for (u32 i = 0; i < COUNT_OF(files); i++) {
        Arena a = {0};
        char *path = check_kit_path(&k, "%s", files[i]);
        FILE *f = fopen(path, "rb");
        assert_non_null(f);
        u8 *bytes = arena_alloc(&a, 1 << 20);
        u64 size = fread(bytes, 1, 1 << 20, f);
        assert_int_equal(fclose(f), 0);
        for (u64 step = 0; step < 8; step++) {
            u64 at = size * step / 8;
            u8 flipped = (u8)~bytes[at];
            tool_poke(path, (long)at, &flipped, 1);
            ToolRun r = TOOL_RUN(dump_main, NULL, path);
            assert_true(r.status == 0 || r.status == 7);
            tool_run_free(&r);
            tool_poke(path, (long)at, &bytes[at], 1);
        }
        for (u64 keep = 0; keep < size; keep += size / 8 + 1) { /* cut at some places */
            tool_write(path, bytes, keep);
            ToolRun r = TOOL_RUN(dump_main, NULL, path);
            assert_true(r.status == 0 || r.status == 7);
            tool_run_free(&r);
            r = TOOL_RUN(check_main, NULL, k.idb);
            assert_true(r.status == 0 || r.status == 7);
            tool_run_free(&r);
        }
        tool_write(path, bytes, size);
        arena_free(&a);
    }
    ToolRun r = TOOL_RUN(check_main, NULL, k.idb);
    assert_int_equal(r.status, 0); /* all is as it was */
    tool_run_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_from_either_base),  cmocka_unit_test(checks_by_an_assembly),
        cmocka_unit_test(damage_ends_with_seven),   cmocka_unit_test(usage_errors),
        cmocka_unit_test(dump_explains_every_file), cmocka_unit_test(dump_as_json_is_json_lines),
        cmocka_unit_test(dump_survives_any_damage),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
