/*
 * Column files of real kdb+ databases, read and written again.
 *
 * The files are not part of the tree (golden/expected.h finds them). Every file that is described
 * there is opened and compared with its description; then its container, if it has one, and its
 * plain bytes are written by our writer and compared byte for byte. What may differ, and is put
 * right before comparing:
 *   - the count in headers of recent builds (0)
 *   - in files of 32-bit builds the left-over bytes of the index's unused words
 *   - in one file of 2015 left-overs between elements and index, behind the keys, and in the second
 *     byte of the headers of the index's objects; they are 0 in all others
 *   - in the one grouped file the count of references that its objects had in memory
 *   - the version in trailers of 2015 (2)
 * One list column is read but not rebuilt as a whole: a dictionary in it holds a parted
 * enumeration, which we write as symbols. Its other row is.
 */
#include "column/attr.h"
#include "column/block.h"
#include "column/column.h"
#include "column/domain.h"
#include "golden/expected.h"
#include "q/symbol.h"
#include "q/wire.h"
#include "table/splay.h"
#include "unit/column/kit.h"

typedef struct {
    u32 plain, enum64, parted64, grouped, enum32, parted32, strings, mixed, old_lists, names,
        empties, zipped, companions, other, left_over, odd;
} Seen;

static Seen seen;

/* The plain bytes of the file at hand. */
typedef struct {
    const json_t *entry;
    const char *path;
    FileMap bytes;
} Real;

/* Compares a file of ours with plain bytes of kdb+. */
static void same_bytes(const char *ours, const u8 *theirs, u64 their_size, const char *path)
{
    u64 our_size;
    u8 *a = kit_read(ours, &our_size);
    assert_non_null(a);
    for (u64 i = 0; i < MIN(our_size, their_size); i++) {
        if (a[i] != theirs[i])
            fail_msg("%s: byte %llu is written as %02x, kdb+ wrote %02x", path,
                     (unsigned long long)i, a[i], theirs[i]);
    }
    assert_int_equal(our_size, their_size);
    free(a);
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
    u64 count = expected_number(entry, "hdr_count");
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

static ColumnOut *create(const Column *c, const char *path, int type, bool old)
{
    ColumnOut *out;
    unlink(path);
    ok(column_create(&out, path, type, c->attr, c->rows));
    if (old) ok(column_out_old(out));
    return out;
}

static void finish(ColumnOut *out, int attr)
{
    u64 bytes;
    assert_int_equal(column_out_attr(out), attr);
    ok(column_finish(out, true, NULL, &bytes));
}

static int attr_of(const json_t *entry)
{
    static const char letters[] = " supg";
    const char *text = expected_text(entry, "attr");
    return *text == 0 ? ATTR_NONE : (int)(strchr(letters, *text) - letters);
}

/* ---- plain vectors */

#define PART 1000000000000000ll

/* Sums, extremes and counts as the independent decoder made them: nulls and infinities left out. */
typedef struct {
    i64 high, low; /* sum = high * PART + low: it does not fit 64 bits */
    f64 float_sum;
    Value min, max;
    u64 nulls, infs, count;
} Summary;

static bool less(const Value *a, const Value *b)
{
    bool real = type_class(-a->type) == TYPE_REAL;
    return real ? a->as.f < b->as.f : a->as.i < b->as.i;
}

static bool is_infinite(const Value *v)
{
    int type = -v->type;
    if (type_class(type) == TYPE_REAL) return v->as.f - v->as.f != 0;
    i64 max = type_width(type) == 8   ? INT64_MAX
              : type_width(type) == 4 ? INT32_MAX
              : type == QT_SHORT      ? INT16_MAX
                                      : INT64_MAX;
    return v->as.i == max || v->as.i == -max;
}

static Summary summarize(const Value *all)
{
    Summary s = {0};
    const Vec *v = &all->as.vec;
    for (u64 i = 0; i < v->count; i++) {
        Value x = value_at(all, i);
        if (type_is_null(v->type, (const u8 *)v->data + i * type_width(v->type))) {
            s.nulls++;
        } else if (is_infinite(&x)) {
            s.infs++;
        } else {
            if (s.count == 0 || less(&x, &s.min)) s.min = x;
            if (s.count == 0 || less(&s.max, &x)) s.max = x;
            s.count++;
            if (type_class(v->type) == TYPE_REAL) {
                s.float_sum += x.as.f;
            } else {
                s.low += x.as.i % PART;
                s.high += x.as.i / PART + s.low / PART;
                s.low %= PART;
            }
        }
    }
    return s;
}

static void check_sum(const Summary *s, int type, const char *text, const char *path)
{
    if (type_class(type) == TYPE_REAL) {
        f64 theirs = strtod(text, NULL), off = s->float_sum - theirs;
        if (off * off > theirs * theirs * 1e-22) fail_msg("%s: sum %.17g", path, s->float_sum);
        return;
    }
    char ours[48];
    if (s->high != 0)
        snprintf(ours, sizeof ours, "%lld%015lld", (long long)s->high, llabs((long long)s->low));
    else
        snprintf(ours, sizeof ours, "%lld", (long long)s->low);
    assert_string_equal(ours, text);
}

static void check_extreme(const Value *v, const char *text, const char *path)
{
    Value number = *v;
    if (v->type == -QT_DATETIME) number.type = -QT_FLOAT; /* described as a number */
    expected_value(&number, text, path);
}

static void check_bytes(const Column *c, const json_t *entry)
{
    u64 count[256] = {0}, sum = 0, distinct = 0;
    for (u64 i = 0; i < c->rows; i++)
        count[((const u8 *)c->data)[i]]++;
    for (u32 i = 0; i < 256; i++) {
        distinct += count[i] > 0;
        sum += i * count[i];
    }
    if (c->type == QT_BOOLEAN && c->rows > 0)
        assert_int_equal(count[1], expected_number(entry, "true"));
    if (c->type != QT_CHAR || c->rows == 0) return;
    assert_int_equal(distinct, expected_number(entry, "distinct"));
    assert_int_equal(count[' '], expected_number(entry, "spaces"));
    assert_int_equal(sum, expected_number(entry, "sum_bytes"));
}

static void check_plain(const Column *c, const Real *real)
{
    const char *ours = kit_path("plain");
    Value all = value_vec(vec_of(c->type, c->data, c->rows));
    assert_string_equal(type_name(c->type), expected_text(real->entry, "kind") + strlen("vector "));
    if (c->rows > 0) {
        Value first = value_at(&all, 0), last = value_at(&all, c->rows - 1);
        expected_value(&first, expected_text(real->entry, "first"), real->path);
        expected_value(&last, expected_text(real->entry, "last"), real->path);
    }
    if (type_width(c->type) == 1) {
        check_bytes(c, real->entry);
    } else {
        Summary s = summarize(&all);
        assert_int_equal(s.nulls, expected_number(real->entry, "nulls"));
        assert_int_equal(s.infs, expected_number(real->entry, "infs"));
        if (s.count > 0 && *expected_text(real->entry, "sum") != 0) {
            check_extreme(&s.min, expected_text(real->entry, "min"), real->path);
            check_extreme(&s.max, expected_text(real->entry, "max"), real->path);
            check_sum(&s, c->type, expected_text(real->entry, "sum"), real->path);
        }
    }
    ok(attr_check(c));
    ColumnOut *out = create(c, ours, c->type, false);
    ok(column_append(out, c->data, c->rows));
    finish(out, c->attr);
    take_count(ours, 8, real->entry);
    same_bytes(ours, real->bytes.data, real->bytes.size, real->path);
    seen.plain++;
}

/* ---- enumerations */

static void check_runs(const Column *c, const json_t *entry)
{
    u64 sum = 0, runs = 0, nulls = 0;
    for (u64 i = 0; i < c->rows; i++) {
        i64 index = column_index(c, i);
        if (index != INT64_MIN) sum += (u64)index;
        nulls += index == INT64_MIN;
        runs += i == 0 || index != column_index(c, i - 1);
    }
    assert_int_equal(sum, expected_number(entry, "index_sum"));
    assert_int_equal(runs, expected_number(entry, "runs"));
    assert_int_equal(nulls, expected_number(entry, "nulls"));
    assert_string_equal(c->domain, expected_text(entry, "domain"));
    ok(attr_check(c));
    if (c->attr != ATTR_PARTED) return;
    assert_int_equal(c->key_count, runs);
    for (u64 i = 0; i < c->rows; i += 1 + c->rows / 1000) {
        u64 from, to;
        attr_find(c, column_index(c, i), &from, &to);
        assert_true(from <= i && i < to);
    }
}

static void check_enum64(const Column *c, const Real *real)
{
    const char *ours = kit_path("enum64");
    check_runs(c, real->entry);
    ColumnOut *out = create(c, ours, QT_ENUM, false);
    ok(column_append(out, c->data, c->rows));
    finish(out, c->attr);
    take_count(ours, 4088, real->entry);
    if (c->attr >= ATTR_UNIQUE) take_left_overs(ours, c);
    if (c->attr == ATTR_GROUPED) patch(ours, 4084, c->map.data + 4084, 4);
    if (c->attr == ATTR_GROUPED) {
        u64 at[] = {(u64)((const u8 *)c->keys - c->map.data),
                    (u64)((const u8 *)c->offs - c->map.data),
                    (u64)((const u8 *)c->perm - c->map.data)};
        for (u32 i = 0; i < 3; i++)
            patch(ours, at[i] - 12, c->map.data + at[i] - 12, 4);
    }
    same_bytes(ours, real->bytes.data, real->bytes.size, real->path);
    seen.enum64++;
    seen.parted64 += c->attr == ATTR_PARTED;
    seen.grouped += c->attr == ATTR_GROUPED;
}

/* Takes one byte of the real file; seen.odd counts those that are not as in all others. */
static void take_byte(const char *ours, const Column *c, const u8 *place)
{
    seen.odd += *place != 0;
    patch(ours, (u64)(place - c->map.data), place, 1);
}

static void check_enum32(const Column *c, const Real *real)
{
    const char *ours = kit_path("enum32");
    check_runs(c, real->entry);
    ColumnOut *out = create(c, ours, QT_ENUM, true);
    for (u64 i = 0; i < c->rows; i++) {
        i64 index = column_index(c, i);
        ok(column_append(out, &index, 1));
    }
    finish(out, c->attr);
    take_count(ours, 16, real->entry);
    if (c->keys != NULL) {
        const u8 *end = (const u8 *)c->data + 4 * c->rows, *keys = (const u8 *)c->keys;
        for (const u8 *p = end; p < keys - 16; p++)
            take_byte(ours, c, p);
        for (const u8 *p = keys + 4 * c->key_count; p < (const u8 *)c->slots; p++)
            take_byte(ours, c, p);
        take_byte(ours, c, keys - 15);
        take_byte(ours, c, (const u8 *)c->offs - 15);
    }
    same_bytes(ours, real->bytes.data, real->bytes.size, real->path);
    seen.enum32++;
    seen.parted32 += c->attr == ATTR_PARTED;
}

/* ---- list columns */

static void check_strings(const Column *c, const Real *real)
{
    u64 count, chars = 0, empty = 0;
    const void *p;
    ColumnOut *out = create(c, kit_path("str"), QT_STRING, false);
    unlink(kit_path("str#"));
    for (u64 i = 0; i < c->rows; i++) {
        ok(column_row(c, i, &p, &count));
        chars += count;
        empty += count == 0;
        ok(column_append_row(out, p, count));
    }
    finish(out, ATTR_NONE);
    assert_int_equal(chars, expected_number(real->entry, "total_chars"));
    assert_int_equal(empty, expected_number(real->entry, "empty"));
    seen.strings++;
}

/* No domain is known: enumerations come as their indices. Rows are written as the write-down does
 * it, from the bytes of messages. */
static void check_mixed(const Column *c)
{
    Arena a = {0};
    Value v;
    Buf b = {0};
    Vec cells;
    vec_init(&cells, QT_NESTED);
    u64 rows = c->name_count > 0 ? 1 : c->rows; /* the second row of that file is the exception */
    ColumnOut *out = create(c, kit_path("str"), QT_LIST, false);
    unlink(kit_path("str#"));
    unlink(kit_path("str##"));
    for (u64 i = 0; i < c->rows; i++) {
        ok(column_value(c, i, NULL, &a, &v));
        buf_clear(&b);
        ok(wire_encode(&b, &v));
        ok(vec_append_row(&cells, b.data, b.size));
    }
    ok(column_append_rows(out, &cells, NULL, 0, rows));
    vec_free(&cells);
    buf_free(&b);
    finish(out, ATTR_NONE);
    seen.mixed++;
    if (c->name_count > 0) {
        assert_int_equal(v.type, QT_DICT);
        const Value *ex = value_col(&v, "ex"), *sym = value_col(&v, "sym");
        assert_true(ex->type == QT_CHAR && ex->as.vec.count == 20);
        assert_true(sym->type == QT_LONG && sym->as.vec.count == 20);
        assert_int_equal(vec_i64(&sym->as.vec)[19], 10);
        u64 size, heap_size;
        u8 *parent = kit_read(kit_path("str"), &size),
           *heap = kit_read(kit_path("str#"), &heap_size);
        assert_memory_equal(parent + 4096, c->map.data + 4096, 8);
        assert_memory_equal(heap, c->heap.data, heap_size);
        free(parent);
        free(heap);
    }
    arena_free(&a);
}

static void check_anymap(const Column *c, const Real *real)
{
    if (json_object_get(real->entry, "total_chars") != NULL)
        check_strings(c, real);
    else
        check_mixed(c);
    if (c->name_count > 0) return;
    take_count(kit_path("str"), 4088, real->entry);
    same_bytes(kit_path("str"), real->bytes.data, real->bytes.size, real->path);
    same_bytes(kit_path("str#"), c->heap.data, c->heap.size, real->path);
}

static void check_old_list(const Column *c, const Real *real)
{
    u64 count, elements = 0;
    const void *p;
    assert_true(c->old);
    ColumnOut *out = create(c, kit_path("old"), c->type, true);
    unlink(kit_path("old#"));
    for (u64 i = 0; i < c->rows; i++) {
        ok(column_row(c, i, &p, &count));
        elements += count;
        ok(column_append_row(out, p, count));
    }
    finish(out, ATTR_NONE);
    assert_int_equal(elements, expected_number(real->entry, "elements"));
    const json_t *flat = json_object_get(real->entry, "flat");
    if (flat != NULL) {
        Value all = value_vec(vec_of(c->type - QT_NESTED, c->heap.data, elements));
        Summary s = summarize(&all);
        check_extreme(&s.min, expected_text(flat, "min"), real->path);
        check_extreme(&s.max, expected_text(flat, "max"), real->path);
        check_sum(&s, QT_FLOAT, expected_text(flat, "sum"), real->path);
    } else {
        char first[512];
        ok(column_row(c, 0, &p, &count));
        snprintf(first, sizeof first, "'%.*s'", (int)count, (const char *)p);
        assert_string_equal(first, expected_text(real->entry, "first"));
    }
    take_count(kit_path("old"), 8, real->entry);
    same_bytes(kit_path("old"), real->bytes.data, real->bytes.size, real->path);
    same_bytes(kit_path("old#"), c->heap.data, c->heap.size, real->path);
    seen.old_lists++;
}

/* ---- symbol lists */

/* A domain or `.d`: read, added to an empty domain, saved. */
static void check_names(const Real *real)
{
    Domain theirs, ours;
    Arena a = {0};
    char **names;
    u32 count;
    u64 size, chars = 0;
    ok(domain_open(&theirs, real->path, UINT64_MAX));
    assert_int_equal(theirs.count, expected_number(real->entry, "rows"));
    ok(splay_read_names(real->path, &a, &names, &count));
    assert_int_equal(count, theirs.count);
    for (u32 i = 0; i < count; i++) {
        assert_true(str_is(symbol_text(theirs.ids[i]), names[i]));
        chars += strlen(names[i]);
    }
    assert_int_equal(chars, expected_number(real->entry, "chars"));
    if (count > 0) {
        assert_string_equal(names[0], expected_text(real->entry, "first"));
        assert_string_equal(names[count - 1], expected_text(real->entry, "last"));
        unlink(kit_path("names"));
        ok(domain_open(&ours, kit_path("names"), UINT64_MAX));
        ok(domain_add(&ours, theirs.ids, (u64)theirs.count));
        ok(domain_save(&ours, &size));
        u32 header = (u32)expected_number(real->entry, "hdr_count");
        patch(kit_path("names"), 4, &header, 4);
        same_bytes(kit_path("names"), real->bytes.data, real->bytes.size, real->path);
        domain_close(&ours);
    }
    domain_close(&theirs);
    arena_free(&a);
    seen.names++;
}

/* ---- containers */

/* Compresses plain bytes in pieces of odd sizes, with the settings of a real container. */
static void check_container(const Real *real)
{
    BlockMap map;
    BlockOut *out;
    FileMap stored;
    u64 bytes, at = 0;
    char zip[160];
    u32 codecs = 0;
    ok(file_map(real->path, UINT64_MAX, &stored));
    expected_hash(real->entry, "sha256", stored.data, stored.size);
    expected_hash(real->entry, "plain_sha256", real->bytes.data, real->bytes.size);
    ok(block_open(&map, stored.data, stored.size, real->path));
    for (u64 i = 0; i < map.count; i++)
        codecs |= 1u << load_u32(map.directory + i * BLOCK_ENTRY + 4);
    snprintf(zip, sizeof zip, "v%d alg=%d lvl=%d bs=%u blocks=%llu ulen=%llu algs=%s%s%s%s",
             map.version, map.codec, map.level, map.block_size, (unsigned long long)map.count,
             (unsigned long long)map.size, codecs & 1 ? "0" : "",
             (codecs & 7) == 3 || (codecs & 7) == 5 ? "," : "", codecs & 2 ? "1" : "",
             codecs & 4 ? "2" : "");
    assert_string_equal(zip, expected_text(real->entry, "zip"));
    CodecChoice codec = {map.codec, map.level, __builtin_ctz(map.block_size)};
    unlink(kit_path("zip"));
    ok(block_out_open(&out, kit_path("zip"), 0));
    ok(block_out_codec(out, &codec));
    for (u64 n = 1; at < real->bytes.size; at += n, n = n * 3 + 1) {
        n = MIN(n, real->bytes.size - at);
        ok(block_out_write(out, real->bytes.data + at, n));
    }
    ok(block_out_close(out, true, NULL, &bytes));
    assert_int_equal(bytes, stored.size);
    patch(kit_path("zip"), stored.size - BLOCK_TRAILER - map.count * BLOCK_ENTRY, &map.version, 1);
    same_bytes(kit_path("zip"), stored.data, stored.size, real->path);
    block_close(&map);
    file_unmap(&stored);
    seen.zipped++;
}

/* ---- all of them */

static void check_column(const Column *c, const Real *real, const char *kind)
{
    assert_int_equal(c->rows, expected_number(real->entry, "rows"));
    if (c->damage != NULL) fail_msg("%s: %s", real->path, c->damage);
    assert_int_equal(c->attr, attr_of(real->entry));
    if (strcmp(kind, "enum64") == 0)
        check_enum64(c, real);
    else if (strcmp(kind, "enum32") == 0)
        check_enum32(c, real);
    else if (strcmp(kind, "anymap") == 0)
        check_anymap(c, real);
    else if (strncmp(kind, "old nested", 10) == 0)
        check_old_list(c, real);
    else
        check_plain(c, real);
}

/* What is no column by itself: companions, objects, logs. `()` is a column without rows. */
static void check_other(const Column *c, Err err, const Real *real, const char *kind)
{
    if (strcmp(kind, "anymap heap") == 0 || strncmp(kind, "old nested companion", 20) == 0) {
        seen.companions++;
        return;
    }
    if (err == E_OK) {
        assert_int_equal(c->rows, 0);
        assert_int_equal(c->type, QT_LIST);
        seen.empties++;
    } else if (err != E_UNSUPPORTED) {
        fail_msg("%s: %s", real->path, fail_text());
    } else {
        seen.other++;
    }
}

static void check_file(const json_t *entry, const char *path)
{
    Column c;
    Image image;
    const char *kind = expected_text(entry, "kind");
    ok(image_open(&image, path, IMAGE_WHOLE));
    Real real = {entry, path, image.plain};
    assert_int_equal(image.zipped, json_object_get(entry, "zip") != NULL);
    if (image.zipped) check_container(&real);
    Err err = column_open(&c, path);
    bool companion = strstr(kind, "companion") != NULL || strcmp(kind, "anymap heap") == 0;
    bool column = !companion && (strncmp(kind, "vector", 6) == 0 || strncmp(kind, "enum", 4) == 0 ||
                                 strcmp(kind, "anymap") == 0 || strncmp(kind, "old", 3) == 0);
    if (strcmp(kind, "symbol list") == 0) check_names(&real);
    if (!column) {
        check_other(&c, err, &real, kind);
    } else if (err != E_OK) {
        fail_msg("%s: %s", path, fail_text());
    } else {
        check_column(&c, &real, kind);
    }
    column_close(&c);
    image_close(&image);
}

static void real_files_are_read_and_written_again(void **state)
{
    (void)state;
    if (!expected_each(check_file)) skip();
    /* what the folders are known to hold: none of the branches above was passed by */
    assert_int_equal(seen.plain, 105);
    assert_int_equal(seen.enum64, 37);
    assert_int_equal(seen.parted64, 9);
    assert_int_equal(seen.grouped, 1);
    assert_int_equal(seen.enum32, 15);
    assert_int_equal(seen.parted32, 7);
    assert_int_equal(seen.strings, 6);
    assert_int_equal(seen.mixed, 2);
    assert_int_equal(seen.old_lists, 11);
    assert_int_equal(seen.names, 37);
    assert_int_equal(seen.zipped, 48);
    assert_int_equal(seen.companions, 19);
    assert_int_equal(seen.odd, 12);
    assert_true(seen.empties >= 2);
    print_message("# %u empty lists, %u objects and logs, %u with left-over bytes in the index\n",
                  seen.empties, seen.other, seen.left_over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(real_files_are_read_and_written_again)};
    return cmocka_run_group_tests(tests, kit_setup, kit_teardown);
}
