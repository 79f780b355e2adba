/*
 * Column files of real kdb+ databases, read and written again.
 *
 * The files are not part of the tree: the folder that SILT_SHARED names (or ../shared) holds them
 * under data/kdb, each folder with an expected.json made by an independent decoder. Every file
 * listed there is opened as a column; plain vectors, 64-bit enumerations, strings and symbol lists
 * are then written by our writer and compared byte for byte. Two things may differ, and are put
 * right before comparing: the count in headers of recent builds (0), and in files of 32-bit builds
 * the left-over bytes of the index's unused words.
 */
#include "column/attr.h"
#include "column/column.h"
#include "column/domain.h"
#include "q/symbol.h"
#include "table/splay.h"
#include "unit/column/kit.h"

#include <jansson.h>

typedef struct {
    u32 plain, enum64, parted64, grouped, enum32, parted32, strings, names, empties, refused,
        left_over;
} Seen;

static Seen seen;
static char root[512];

static const char *text_of(const json_t *entry, const char *key)
{
    const char *text = json_string_value(json_object_get(entry, key));
    return text != NULL ? text : "";
}

static u64 number_of(const json_t *entry, const char *key)
{
    return (u64)json_integer_value(json_object_get(entry, key));
}

/* Compares two files; bytes of `ours` at [mask, mask + 8) and so on are taken from `theirs`
 * before. */
static void same_file(const char *ours, const char *theirs)
{
    u64 our_size, their_size;
    u8 *a = kit_read(ours, &our_size), *b = kit_read(theirs, &their_size);
    assert_non_null(a);
    assert_non_null(b);
    for (u64 i = 0; i < MIN(our_size, their_size); i++) {
        if (a[i] != b[i])
            fail_msg("%s: byte %llu is written as %02x, kdb+ wrote %02x", theirs,
                     (unsigned long long)i, a[i], b[i]);
    }
    assert_int_equal(our_size, their_size);
    free(a);
    free(b);
}

static void patch(const char *path, u64 at, const void *bytes, u64 size)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* Recent builds write 0 rows into headers. */
static void take_count(const char *path, u64 at, const json_t *entry)
{
    u64 count = number_of(entry, "hdr_count");
    patch(path, at, &count, sizeof count);
}

/* Puts the left-overs of a real index where ours holds zeros: both words W, and the spare keys. */
static void take_left_overs(const char *path, const Column *c)
{
    const u8 *real = c->map.data;
    u64 w1 = 4096 + c->rows * 8;
    u64 keys_end = (u64)((const u8 *)c->keys - real) + c->key_count * 8;
    u64 spare = (u64)((const u8 *)c->slots - real) - keys_end;
    static const u8 zeros[8];
    bool left = memcmp(real + w1, zeros, 8) != 0;
    for (u64 i = 0; i < spare; i++)
        left = left || real[keys_end + i] != 0;
    seen.left_over += left;
    patch(path, w1, real + w1, 8);
    patch(path, keys_end, real + keys_end, spare);
}

static void write_again(const Column *c, const char *path, int type)
{
    ColumnOut *out;
    u64 bytes;
    unlink(path);
    ok(column_create(&out, path, type, c->attr, c->rows));
    ok(column_append(out, c->data, c->rows));
    assert_int_equal(column_out_attr(out), c->attr);
    ok(column_finish(out, true, NULL, &bytes));
}

static int attr_of(const json_t *entry)
{
    static const char letters[] = " supg";
    const char *text = text_of(entry, "attr");
    return *text == 0 ? ATTR_NONE : (int)(strchr(letters, *text) - letters);
}

static void check_plain(const Column *c, const json_t *entry, const char *path)
{
    const char *ours = kit_path("plain");
    assert_string_equal(type_name(c->type), text_of(entry, "kind") + strlen("vector "));
    write_again(c, ours, c->type);
    take_count(ours, 8, entry);
    same_file(ours, path);
    seen.plain++;
}

static void check_runs(const Column *c, const json_t *entry)
{
    u64 sum = 0, runs = 0;
    for (u64 i = 0; i < c->rows; i++) {
        i64 index = column_index(c, i);
        if (index != INT64_MIN) sum += (u64)index;
        runs += i == 0 || index != column_index(c, i - 1);
    }
    assert_int_equal(sum, number_of(entry, "index_sum"));
    assert_int_equal(runs, number_of(entry, "runs"));
    ok(attr_check(c));
    if (c->attr != ATTR_PARTED) return;
    assert_int_equal(c->key_count, runs);
    for (u64 i = 0; i < c->rows; i += 1 + c->rows / 1000) {
        u64 from, to;
        attr_find(c, column_index(c, i), &from, &to);
        assert_true(from <= i && i < to);
    }
}

static void check_enum64(const Column *c, const json_t *entry, const char *path)
{
    const char *ours = kit_path("enum64");
    check_runs(c, entry);
    assert_string_equal(c->domain, text_of(entry, "domain"));
    assert_true(c->wide);
    write_again(c, ours, QT_ENUM);
    take_count(ours, 4088, entry);
    if (c->attr >= ATTR_UNIQUE) take_left_overs(ours, c);
    if (c->attr == ATTR_GROUPED) patch(ours, 4084, c->map.data + 4084, 4);
    if (c->attr == ATTR_GROUPED) {
        /* its objects carry the count of references that they had in memory */
        u64 at[] = {(u64)((const u8 *)c->keys - c->map.data),
                    (u64)((const u8 *)c->offs - c->map.data),
                    (u64)((const u8 *)c->perm - c->map.data)};
        for (u32 i = 0; i < 3; i++)
            patch(ours, at[i] - 12, c->map.data + at[i] - 12, 4);
    }
    same_file(ours, path);
    seen.enum64++;
    seen.parted64 += c->attr == ATTR_PARTED;
    seen.grouped += c->attr == ATTR_GROUPED;
}

static void check_enum32(const Column *c, const json_t *entry)
{
    check_runs(c, entry);
    assert_string_equal(c->domain, text_of(entry, "domain"));
    assert_false(c->wide);
    seen.enum32++;
    if (c->attr != ATTR_PARTED) return;
    Buf b = {0};
    u64 at = round_up(24 + c->rows * 4, 8);
    ok(attr_build_parted(&b, c->keys, c->offs, c->key_count, false));
    assert_int_equal(at + b.size, c->map.size);
    assert_memory_equal(b.data, c->map.data + at, b.size);
    buf_free(&b);
    seen.parted32++;
}

static void check_anymap(const Column *c, const json_t *entry, const char *path)
{
    const void *p;
    u64 count, chars = 0, empty = 0, bytes;
    char heap[1300];
    if (json_object_get(entry, "total_chars") == NULL) { /* dictionaries */
        assert_int_equal(c->type, QT_NESTED);
        fails(E_UNSUPPORTED, "type 99", column_row(c, 0, &p, &count));
        seen.refused++;
        return;
    }
    assert_int_equal(c->type, QT_STRING);
    ColumnOut *out;
    unlink(kit_path("str"));
    unlink(kit_path("str#"));
    ok(column_create(&out, kit_path("str"), QT_STRING, ATTR_NONE, 0));
    for (u64 i = 0; i < c->rows; i++) {
        ok(column_row(c, i, &p, &count));
        chars += count;
        empty += count == 0;
        ok(column_append_row(out, p, count));
    }
    ok(column_finish(out, true, NULL, &bytes));
    assert_int_equal(chars, number_of(entry, "total_chars"));
    assert_int_equal(empty, number_of(entry, "empty"));
    take_count(kit_path("str"), 4088, entry);
    same_file(kit_path("str"), path);
    snprintf(heap, sizeof heap, "%s#", path);
    same_file(kit_path("str#"), heap);
    seen.strings++;
}

/* A domain or `.d`: read, added to an empty domain, saved. */
static void check_names(const json_t *entry, const char *path)
{
    Domain real, ours;
    Arena a = {0};
    char **names;
    u32 count;
    u64 size;
    ok(domain_open(&real, path, UINT64_MAX));
    assert_int_equal(real.count, number_of(entry, "rows"));
    ok(splay_read_names(path, &a, &names, &count));
    assert_int_equal(count, real.count);
    for (u32 i = 0; i < count; i++)
        assert_true(str_is(symbol_text(real.ids[i]), names[i]));
    if (count > 0) {
        unlink(kit_path("names"));
        ok(domain_open(&ours, kit_path("names"), UINT64_MAX));
        ok(domain_add(&ours, real.ids, (u64)real.count));
        ok(domain_save(&ours, &size));
        u32 header = (u32)number_of(entry, "hdr_count");
        patch(kit_path("names"), 4, &header, 4);
        same_file(kit_path("names"), path);
        domain_close(&ours);
    }
    domain_close(&real);
    arena_free(&a);
    seen.names++;
}

static void check_file(const json_t *entry, const char *folder)
{
    Column c;
    char path[1200];
    const char *kind = text_of(entry, "kind");
    snprintf(path, sizeof path, "%s/%s/%s", root, folder, text_of(entry, "path"));
    Err err = column_open(&c, path);
    bool zipped = json_object_get(entry, "zip") != NULL;
    bool column = !zipped && (strncmp(kind, "vector", 6) == 0 || strncmp(kind, "enum", 4) == 0 ||
                              strcmp(kind, "anymap") == 0);
    if (strcmp(kind, "symbol list") == 0) check_names(entry, path);
    if (!column) {
        /* compressed, old nested columns, objects, logs; `()` is a column without rows */
        if (err == E_OK) {
            assert_int_equal(c.rows, 0);
            assert_int_equal(c.type, QT_LIST);
            seen.empties++;
        } else if (err != E_UNSUPPORTED && err != E_CORRUPT) {
            fail_msg("%s: %s", path, fail_text());
        } else {
            seen.refused++;
        }
        column_close(&c);
        return;
    }
    if (err != E_OK) fail_msg("%s: %s", path, fail_text());
    assert_int_equal(c.rows, number_of(entry, "rows"));
    assert_int_equal(c.attr, attr_of(entry));
    if (strcmp(kind, "enum64") == 0)
        check_enum64(&c, entry, path);
    else if (strcmp(kind, "enum32") == 0)
        check_enum32(&c, entry);
    else if (strcmp(kind, "anymap") == 0)
        check_anymap(&c, entry, path);
    else
        check_plain(&c, entry, path);
    column_close(&c);
}

static bool find_root(void)
{
    const char *shared = getenv("SILT_SHARED");
    snprintf(root, sizeof root, "%s/data/kdb", shared != NULL ? shared : "../shared");
    return access(root, R_OK) == 0;
}

static void real_files_are_read_and_written_again(void **state)
{
    static const char *const folders[] = {"torq-finance-starter-pack",
                                          "torq-air",
                                          "torq-air-g",
                                          "torq",
                                          "torq-crypto",
                                          "torq-crypto-zip",
                                          "advancedkdb",
                                          "memories",
                                          "dremio-kdb",
                                          "btick2",
                                          "kx-ml",
                                          "enterprise-components"};
    (void)state;
    if (!find_root()) {
        print_message("SKIPPED: no %s; set SILT_SHARED to the folder that holds data/kdb\n", root);
        skip();
    }
    for (u32 i = 0; i < COUNT_OF(folders); i++) {
        char path[1200];
        json_error_t error;
        snprintf(path, sizeof path, "%s/%s/expected.json", root, folders[i]);
        json_t *list = json_load_file(path, 0, &error);
        if (list == NULL) fail_msg("%s: %s", path, error.text);
        assert_true(json_array_size(list) > 0);
        for (u64 k = 0; k < json_array_size(list); k++)
            check_file(json_array_get(list, k), folders[i]);
        json_decref(list);
    }
    /* what the folders are known to hold: none of the branches above was passed by */
    assert_int_equal(seen.plain, 78);
    assert_int_equal(seen.enum64, 33);
    assert_int_equal(seen.parted64, 8);
    assert_int_equal(seen.grouped, 1);
    assert_int_equal(seen.enum32, 11);
    assert_int_equal(seen.parted32, 3);
    assert_int_equal(seen.strings, 6);
    assert_int_equal(seen.names, 37);
    assert_true(seen.empties >= 2);
    assert_true(seen.refused >= 50);
    print_message("# %u files with left-over bytes in their index\n", seen.left_over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(real_files_are_read_and_written_again)};
    return cmocka_run_group_tests(tests, kit_setup, kit_teardown);
}
