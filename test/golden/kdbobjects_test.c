/*
 * Single-file tables, dictionaries and tickerplant logs of real kdb+ databases (golden/expected.h
 * finds them): decoded, compared with their descriptions, and encoded again. Objects come out byte
 * for byte, but for the three tables that hold an enumeration, which our values do not keep.
 */
#include "column/object.h"
#include "column/tplog.h"
#include "golden/expected.h"
#include "unit/column/kit.h"

typedef struct {
    u32 tables, keyed, dicts, logs, messages, same, different;
} Seen;

static Seen seen;

static void check_columns(const Value *table, const json_t *columns, const char *path)
{
    assert_int_equal(table->type, QT_TABLE);
    assert_int_equal(table->as.table.count, json_array_size(columns));
    for (u64 i = 0; i < table->as.table.count; i++) {
        const json_t *entry = json_array_get(columns, i);
        const Value *column = &table->as.table.cols[i];
        const char *type = expected_text(entry, "type");
        u64 rows = expected_number(entry, "rows");
        assert_true(str_is(table->as.table.names[i], expected_text(entry, "name")));
        assert_int_equal(value_count(column), rows);
        if (strcmp(type, "list") == 0) {
            assert_int_equal(column->type, QT_LIST);
            continue;
        }
        bool index = strncmp(type, "enum:", 5) == 0;
        assert_string_equal(type_name(column->type), index ? "int" : type);
        if (rows == 0) continue;
        Value first = value_at(column, 0), last = value_at(column, rows - 1);
        expected_value(&first, expected_text(entry, "first"), path);
        expected_value(&last, expected_text(entry, "last"), path);
    }
}

/* The keys as the independent decoder shows them: ['a', 'b']. */
static void check_keys(const Value *keys, const char *text)
{
    Buf b = {0};
    ok(buf_text(&b, "["));
    for (u64 i = 0; i < value_count(keys); i++) {
        Value key = value_at(keys, i);
        ok(buf_format(&b, "%s'%.*s'", i > 0 ? ", " : "", STR_FMT(key.as.text)));
    }
    ok(buf_text(&b, "]"));
    assert_string_equal(buf_str(&b), text);
    buf_free(&b);
}

static void check_encoding(const Value *v, const FileMap *bytes)
{
    Buf b = {0};
    ok(object_encode(&b, v));
    bool same = b.size == bytes->size && memcmp(b.data, bytes->data, b.size) == 0;
    seen.same += same;
    seen.different += !same;
    buf_free(&b);
}

static void check_object(const json_t *entry, const char *path, const char *kind)
{
    Arena a = {0};
    Value v;
    Image image;
    ok(image_open(&image, path, IMAGE_WHOLE));
    ok(object_read(path, NULL, &a, &v));
    if (strcmp(kind, "table") == 0) {
        check_columns(&v, json_object_get(entry, "columns"), path);
        assert_int_equal(value_count(&v), expected_number(entry, "rows"));
        seen.tables++;
    } else if (strcmp(kind, "keyed table") == 0) {
        assert_int_equal(v.type, QT_DICT);
        check_columns(v.as.dict.keys, json_object_get(entry, "keys"), path);
        check_columns(v.as.dict.values, json_object_get(entry, "values"), path);
        seen.keyed++;
    } else {
        assert_int_equal(v.type, QT_DICT);
        check_keys(v.as.dict.keys, expected_text(entry, "keys"));
        seen.dicts++;
    }
    check_encoding(&v, &image.plain);
    image_close(&image);
    arena_free(&a);
}

/* What a log holds of each table: its messages and rows, in order of the names. */
typedef struct {
    char name[64];
    u64 messages, rows;
} Call;

static void count_call(Call *calls, u32 *count, const Value *message)
{
    char name[64];
    if (message->type != QT_LIST || value_count(message) != 3)
        return; /* `set` of a list of others */
    Value function = value_at(message, 0), table = value_at(message, 1),
          data = value_at(message, 2);
    snprintf(name, sizeof name, "%.*s %.*s", STR_FMT(function.as.text), STR_FMT(table.as.text));
    u32 at = 0;
    while (at < *count && strcmp(calls[at].name, name) < 0)
        at++;
    if (at == *count || strcmp(calls[at].name, name) != 0) {
        memmove(calls + at + 1, calls + at, (*count - at) * sizeof *calls);
        calls[at] = (Call){0};
        memcpy(calls[at].name, name, sizeof name);
        ++*count;
    }
    Value column = data.type == QT_TABLE ? data.as.table.cols[0] : value_at(&data, 0);
    calls[at].messages++;
    calls[at].rows += value_count(&column);
}

static void check_log(const json_t *entry, const char *path)
{
    Tplog t;
    Arena a = {0};
    Value message;
    Call calls[16];
    Buf text = {0};
    u32 count = 0;
    bool more;
    ok(tplog_open(&t, path));
    ok(tplog_next(&t, &a, &message, &more));
    while (more) {
        count_call(calls, &count, &message);
        ok(tplog_next(&t, &a, &message, &more));
    }
    assert_int_equal(t.count, expected_number(entry, "messages"));
    assert_int_equal(t.at, expected_number(entry, "valid_bytes"));
    assert_int_equal(t.torn, !json_is_true(json_object_get(entry, "clean")));
    for (u32 i = 0; i < count; i++)
        ok(buf_format(&text, "%s%s: %llu msgs %llu rows", i > 0 ? "; " : "", calls[i].name,
                      (unsigned long long)calls[i].messages, (unsigned long long)calls[i].rows));
    assert_string_equal(buf_str(&text), expected_text(entry, "by_call"));
    seen.logs++;
    seen.messages += (u32)t.count;
    buf_free(&text);
    arena_free(&a);
    tplog_close(&t);
}

static void check_file(const json_t *entry, const char *path)
{
    const char *kind = expected_text(entry, "kind");
    if (strncmp(kind, "object/", 7) == 0) check_object(entry, path, kind + 7);
    if (strcmp(kind, "list/log") == 0) check_log(entry, path);
}

static void real_objects_and_logs_are_read(void **state)
{
    (void)state;
    if (!expected_each(check_file)) skip();
    assert_int_equal(seen.tables, 12);
    assert_int_equal(seen.keyed, 3);
    assert_int_equal(seen.dicts, 9);
    assert_int_equal(seen.logs, 11);
    assert_int_equal(seen.messages, 364);
    print_message("# %u objects encode to the same bytes, %u do not\n", seen.same, seen.different);
    assert_int_equal(seen.same, 21);
    assert_int_equal(seen.different, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(real_objects_and_logs_are_read)};
    return cmocka_run_group_tests(tests, kit_setup, kit_teardown);
}
