/*
 * yaml: raw text and places, strictness, merges, aliases, and the bounds that hostile documents
 * meet.
 */
#include "base/bounds.h"
#include "base/buf.h"
#include "cmd/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct {
    Arena a;
    YamlNode *root;
    Err err;
    u32 reports, line, column;
    char path[256], text[256];
} Fixture;

static void found(void *arg, u32 line, u32 column, const char *path, const char *text)
{
    Fixture *f = arg;
    if (f->reports++) return;
    f->line = line;
    f->column = column;
    snprintf(f->path, sizeof f->path, "%s", path);
    snprintf(f->text, sizeof f->text, "%s", text);
}

static void read_bytes(Fixture *f, const char *text, u64 size)
{
    arena_free(&f->a);
    *f = (Fixture){0};
    YamlReport report = {found, f};
    f->err = yaml_read(&f->a, (Str){text, size}, &report, &f->root);
}

static void read_text(Fixture *f, const char *text) { read_bytes(f, text, strlen(text)); }

static void read_buf(Fixture *f, Buf *b)
{
    read_bytes(f, (const char *)b->data, b->size);
    buf_free(b);
}

static void expect_refused(const Fixture *f, Err err, u32 line, const char *part)
{
    assert_int_equal(f->err, err);
    assert_null(f->root);
    assert_int_equal(f->reports, 1);
    assert_int_equal(f->line, line);
    if (!strstr(f->text, part)) fail_msg("\"%s\" is not in \"%s\"", part, f->text);
}

static const char *text_of(const YamlNode *map, const char *key)
{
    const YamlNode *n = yaml_find(map, key);
    return n && n->kind == YAML_TEXT ? n->text : "";
}

static void scalars_keep_raw_text(void **state)
{
    Fixture f = {0};
    (void)state;
    read_text(&f, "a: 12:30:00\nb: 0x10\nc: \"q\\u00e9\"\nd: yes\ne: |\n  x\n  y\n");
    assert_int_equal(f.err, E_OK);
    assert_string_equal(text_of(f.root, "a"), "12:30:00");
    assert_string_equal(text_of(f.root, "b"), "0x10");
    assert_string_equal(text_of(f.root, "c"), "q\xc3\xa9");
    assert_string_equal(text_of(f.root, "d"), "yes");
    assert_string_equal(text_of(f.root, "e"), "x\ny\n");
    assert_true(yaml_find(f.root, "a")->plain);
    assert_false(yaml_find(f.root, "c")->plain);
    arena_free(&f.a);
}

static void nodes_know_their_place(void **state)
{
    Fixture f = {0};
    (void)state;
    read_text(&f, "a:\n  b: [x, {c: y}]\n");
    const YamlNode *y = yaml_find(yaml_find(yaml_find(f.root, "a"), "b")->entries[1].value, "c");
    assert_int_equal(y->line, 2);
    assert_int_equal(y->column, 14);
    assert_string_equal(yaml_path(&f.a, y, NULL), "a.b[1].c");
    assert_string_equal(yaml_path(&f.a, y->parent, "z"), "a.b[1].z");
    assert_string_equal(yaml_path(&f.a, NULL, "z"), "z");
    assert_int_equal(yaml_find(f.root, "a")->entries[0].line, 2);
    assert_int_equal(yaml_find(f.root, "a")->entries[0].column, 3);
    arena_free(&f.a);
}

static void blanks_are_absent_and_quoted_blanks_are_not(void **state)
{
    Fixture f = {0};
    (void)state;
    read_text(&f, "a:\nb: ~\nc: null\nd: ''\ne: 'null'\n");
    assert_null(yaml_find(f.root, "a"));
    assert_null(yaml_find(f.root, "b"));
    assert_null(yaml_find(f.root, "c"));
    assert_non_null(yaml_find(f.root, "d"));
    assert_string_equal(text_of(f.root, "e"), "null");
    assert_null(yaml_find(NULL, "a"));
    arena_free(&f.a);
}

static void keys_given_twice_are_reported_and_the_first_stays(void **state)
{
    Fixture f = {0};
    (void)state;
    read_text(&f, "t:\n  a: 1\n  b: 2\n  a: 3\n");
    assert_int_equal(f.err, E_OK);
    assert_int_equal(f.reports, 1);
    assert_int_equal(f.line, 4);
    assert_int_equal(f.column, 3);
    assert_string_equal(f.path, "t.a");
    assert_string_equal(f.text, "key given twice, first in line 2");
    assert_string_equal(text_of(yaml_find(f.root, "t"), "a"), "1");
    arena_free(&f.a);
}

static void keys_given_twice_are_found_in_large_maps(void **state)
{
    Fixture f = {0};
    Buf b = {0};
    (void)state;
    for (u32 i = 0; i < 5000; i++)
        assert_int_equal(buf_format(&b, "k%u: %u\n", i, i), E_OK);
    assert_int_equal(buf_text(&b, "k33: again\nk0: again\n"), E_OK);
    read_buf(&f, &b);
    assert_int_equal(f.err, E_OK);
    assert_int_equal(f.reports, 2);
    assert_int_equal(f.line, 5001);
    assert_int_equal(f.root->count, 5000);
    assert_string_equal(text_of(f.root, "k4999"), "4999");
    arena_free(&f.a);
}

static void merges_give_way_to_explicit_keys(void **state)
{
    Fixture f = {0};
    (void)state;
    read_text(&f,
              "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz:\n  <<: [*x, *y]\n  a: 9\nw:\n  <<: *y\n");
    const YamlNode *z = yaml_find(f.root, "z");
    assert_int_equal(f.err, E_OK);
    assert_int_equal(f.reports, 0);
    assert_int_equal(z->count, 3);
    assert_string_equal(text_of(z, "a"), "9");
    assert_string_equal(text_of(z, "b"), "2");
    assert_string_equal(text_of(z, "c"), "4");
    assert_string_equal(text_of(yaml_find(f.root, "w"), "c"), "4");
    assert_string_equal(yaml_path(&f.a, yaml_find(z, "c"), NULL), "z.c");
    arena_free(&f.a);
}

static void wrong_merges_are_refused(void **state)
{
    Fixture f = {0};
    (void)state;
    read_text(&f, "z:\n  <<: 5\n");
    expect_refused(&f, E_USAGE, 2, "<<");
    read_text(&f, "z:\n  <<: [{a: 1}, x]\n");
    expect_refused(&f, E_USAGE, 2, "<<");
    read_text(&f, "z:\n  <<: {a: 1}\n  <<: {b: 1}\n");
    assert_int_equal(f.reports, 1);
    assert_int_equal(f.line, 3);
    read_text(&f, "z:\n  '<<': 5\n");
    assert_string_equal(text_of(yaml_find(f.root, "z"), "<<"), "5");
    arena_free(&f.a);
}

static void aliases_become_copies_with_paths_of_their_own(void **state)
{
    Fixture f = {0};
    (void)state;
    read_text(&f, "a: &n {v: [1]}\nb: *n\n");
    const YamlNode *one = yaml_find(yaml_find(f.root, "b"), "v")->entries[0].value;
    assert_string_equal(yaml_path(&f.a, one, NULL), "b.v[0]");
    assert_int_equal(one->line, 1);
    assert_ptr_not_equal(yaml_find(f.root, "a"), yaml_find(f.root, "b"));
    arena_free(&f.a);
}

static void an_alias_of_what_is_not_complete_is_refused(void **state)
{
    Fixture f = {0};
    (void)state;
    read_text(&f, "a: &n\n  b: *n\n");
    expect_refused(&f, E_USAGE, 2, "alias");
    read_text(&f, "a: *nowhere\n");
    expect_refused(&f, E_USAGE, 1, "alias");
    arena_free(&f.a);
}

static void alias_bombs_meet_a_bound(void **state)
{
    Fixture f = {0};
    Buf b = {0};
    (void)state;
    assert_int_equal(buf_text(&b, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"), E_OK);
    for (u32 i = 1; i < 12; i++)
        assert_int_equal(
            buf_format(&b,
                       "a%u: &a%u [*a%u, *a%u, *a%u, *a%u, *a%u, *a%u, *a%u, *a%u, *a%u, *a%u]\n",
                       i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1),
            E_OK);
    read_buf(&f, &b);
    expect_refused(&f, E_LIMIT, 6, "too many values");
    assert_true(f.a.reserved < 512ull << 20);
    arena_free(&f.a);
}

static void aliases_cannot_pile_up_depth(void **state)
{
    Fixture f = {0};
    Buf b = {0};
    (void)state;
    assert_int_equal(buf_text(&b, "a0: &a0 [x]\n"), E_OK);
    for (u32 i = 1; i < 1000; i++)
        assert_int_equal(buf_format(&b, "a%u: &a%u [*a%u]\n", i, i, i - 1), E_OK);
    read_buf(&f, &b);
    expect_refused(&f, E_LIMIT, 63, "too deep");
    arena_free(&f.a);
}

static void depth_has_a_bound(void **state)
{
    Fixture f = {0};
    Buf b = {0};
    (void)state;
    for (u32 i = 0; i < BOUND_DEPTH_MAX - 1; i++)
        assert_int_equal(buf_byte(&b, '['), E_OK);
    assert_int_equal(buf_byte(&b, 'x'), E_OK);
    for (u32 i = 0; i < BOUND_DEPTH_MAX - 1; i++)
        assert_int_equal(buf_byte(&b, ']'), E_OK);
    read_buf(&f, &b);
    assert_int_equal(f.err, E_OK);
    for (u32 i = 0; i < 100000; i++)
        assert_int_equal(buf_text(&b, "["), E_OK);
    read_buf(&f, &b);
    expect_refused(&f, E_LIMIT, 1, "too deep");
    for (u32 i = 0; i < 100000; i++)
        assert_int_equal(buf_text(&b, "- "), E_OK);
    read_buf(&f, &b);
    expect_refused(&f, E_LIMIT, 1, "too deep");
    arena_free(&f.a);
}

static void size_has_a_bound(void **state)
{
    Fixture f = {0};
    Buf b = {0};
    (void)state;
    for (u32 i = 0; i < YAML_NODES_MAX; i++)
        assert_int_equal(buf_text(&b, "- 1\n"), E_OK);
    read_buf(&f, &b);
    expect_refused(&f, E_LIMIT, YAML_NODES_MAX, "too many values");
    arena_free(&f.a);
}

static void what_is_no_plain_document_is_refused(void **state)
{
    static const struct {
        const char *text;
        u32 line;
        const char *part;
    } cases[] = {
        {"", 1, "empty"},
        {"# only a comment\n", 2, "empty"},
        {"a: 1\n---\nb: 2\n", 2, "more than one document"},
        {"? [a]\n: 1\n", 1, "key must be text"},
        {"x: &k a\n*k : 1\n", 2, "key must be text"},
        {"a: !!binary aGk=\n", 1, "unknown tag"},
        {"a: !mine 1\n", 1, "unknown tag"},
        {"a: \"x\\0y\"\n", 1, "zero byte"},
        {"\"x\\0y\": 1\n", 1, "zero byte"},
        {"a: [1, 2\n", 2, "expected"},
        {"a:\n\tb: 1\n", 2, "token"},
        {"a: b: c\n", 1, "mapping values"},
        {"a: \xff\xfe\n", 1, ""},
        {"a: 'x\n", 2, "quoted"},
    };

    Fixture f = {0};
    (void)state;
    for (u32 i = 0; i < COUNT_OF(cases); i++) {
        read_text(&f, cases[i].text);
        expect_refused(&f, E_USAGE, cases[i].line, cases[i].part);
    }
    read_text(&f, "a: !!str 5\nb: !!map {c: !!int 1}\n");
    assert_int_equal(f.err, E_OK);
    arena_free(&f.a);
}

static void puts_replace_in_place_or_append(void **state)
{
    Fixture f = {0};
    (void)state;
    read_text(&f, "a: 1\nb: 2\n");
    yaml_put(&f.a, f.root, "a", "9", "flag");
    YamlNode *list = yaml_put_list(&f.a, yaml_put_map(&f.a, f.root, "m", "x"), "l", "x");
    yaml_append(&f.a, list, "one", "x");
    YamlNode *map = yaml_append_map(&f.a, list, "x");
    yaml_put(&f.a, map, "k", "v", NULL);
    assert_string_equal(f.root->entries[0].value->text, "9");
    assert_string_equal(f.root->entries[0].value->origin, "flag");
    assert_string_equal(yaml_path(&f.a, yaml_find(map, "k"), NULL), "m.l[1].k");
    yaml_put_copy(&f.a, f.root, "b", map, NULL);
    assert_string_equal(text_of(yaml_find(f.root, "b"), "k"), "v");
    assert_int_equal(f.root->count, 3);
    arena_free(&f.a);
}

static void overlays_merge_maps_and_replace_lists(void **state)
{
    Fixture f = {0};
    (void)state;
    read_text(
        &f, "base: {a: 1, m: {x: 1, y: 2}, l: [1, 2, 3]}\nover: {m: {y: 5, z: 6}, l: [9], n: 7}\n");
    YamlNode *base = yaml_find(f.root, "base");
    yaml_overlay(&f.a, base, yaml_find(f.root, "over"), "override o");
    const YamlNode *m = yaml_find(base, "m");
    assert_string_equal(text_of(base, "a"), "1");
    assert_string_equal(text_of(m, "x"), "1");
    assert_string_equal(text_of(m, "y"), "5");
    assert_string_equal(text_of(m, "z"), "6");
    assert_int_equal(yaml_find(base, "l")->count, 1);
    assert_string_equal(text_of(base, "n"), "7");
    assert_string_equal(yaml_find(m, "y")->origin, "override o");
    assert_null(yaml_find(m, "x")->origin);
    assert_string_equal(yaml_path(&f.a, yaml_find(m, "y"), NULL), "over.m.y");
    arena_free(&f.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_keep_raw_text),
        cmocka_unit_test(nodes_know_their_place),
        cmocka_unit_test(blanks_are_absent_and_quoted_blanks_are_not),
        cmocka_unit_test(keys_given_twice_are_reported_and_the_first_stays),
        cmocka_unit_test(keys_given_twice_are_found_in_large_maps),
        cmocka_unit_test(merges_give_way_to_explicit_keys),
        cmocka_unit_test(wrong_merges_are_refused),
        cmocka_unit_test(aliases_become_copies_with_paths_of_their_own),
        cmocka_unit_test(an_alias_of_what_is_not_complete_is_refused),
        cmocka_unit_test(alias_bombs_meet_a_bound),
        cmocka_unit_test(aliases_cannot_pile_up_depth),
        cmocka_unit_test(depth_has_a_bound),
        cmocka_unit_test(size_has_a_bound),
        cmocka_unit_test(what_is_no_plain_document_is_refused),
        cmocka_unit_test(puts_replace_in_place_or_append),
        cmocka_unit_test(overlays_merge_maps_and_replace_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
