/*
 * manifest: what is written is read back equal; what is cut, altered, exchanged or senseless is
 * refused.
 */
#include "base/bounds.h"
#include "base/crc.h"
#include "base/prng.h"
#include "db/manifest.h"
#include "unit/db/kit.h"

static Str text_of(const Buf *b) { return (Str){(const char *)b->data, b->size}; }

/* A segment of late parts, or of dates in two tiers, as a job could have made it. */
static Segment sample(Kit *k, PartKind kind)
{
    Segment s = {.kind = kind,
                 .name = kind == PART_DATE ? "d.2024.9" : "i.0.9",
                 .group = kind == PART_DATE ? 2024 : 0};
    s.part_count = 3;
    s.parts = arena_array(&k->memory, Part, 3);
    for (i32 i = 0; i < 3; i++) {
        i32 key = kind == PART_DATE ? KIT_DAY + i : i;
        s.parts[i] =
            kit_part(k, kind, key, kind == PART_DATE ? key : KIT_DAY, (u32)i % 2, 5 + (u64)i);
    }
    if (kind == PART_DATE) return s;
    PartTable *t = arena_array(&k->memory, PartTable, 2);
    t[0] = (PartTable){.name = "a", .rows = 5, .time_min = INT64_MIN, .time_max = INT64_MAX};
    t[1] = (PartTable){.name = "Z_9", .rows = 0, .time_min = 1, .time_max = -1, .schema_hash = 1};
    t[0].slice_count = 2;
    t[0].slices = arena_array(&k->memory, PartSlice, 2);
    t[0].slices[0] = (PartSlice){-9, 0, 1};
    t[0].slices[1] = (PartSlice){KIT_DAY, 1, 5};
    s.parts[1].late = true;
    s.parts[1].summed = true;
    s.parts[1].sums = 0xbeef;
    s.parts[1].tables = t;
    s.parts[1].table_count = 2;
    return s;
}

static void assert_equal_parts(const Segment *a, const Segment *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->group, b->group);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->part_count, b->part_count);
    for (u32 i = 0; i < a->part_count; i++) {
        const Part *p = &a->parts[i], *q = &b->parts[i];
        assert_true(p->kind == q->kind && p->key == q->key && p->day == q->day &&
                    p->late == q->late);
        assert_true(p->summed == q->summed && p->sums == q->sums);
        assert_true(p->made == q->made && p->table_count == q->table_count);
        assert_int_equal(p->kind == PART_DATE ? p->tier : 0, q->tier);
        assert_string_equal(p->path, q->path);
        for (u32 j = 0; j < p->table_count; j++) {
            const PartTable *t = &p->tables[j], *u = &q->tables[j];
            assert_string_equal(t->name, u->name);
            assert_true(t->rows == u->rows && t->bytes == u->bytes &&
                        t->schema_hash == u->schema_hash);
            assert_true(t->time_min == u->time_min && t->time_max == u->time_max);
            assert_int_equal(t->slice_count, u->slice_count);
            for (u32 n = 0; n < t->slice_count; n++) {
                assert_true(t->slices[n].day == u->slices[n].day &&
                            t->slices[n].from == u->slices[n].from);
                assert_true(t->slices[n].to == u->slices[n].to);
            }
            assert_null(u->opened);
        }
    }
}

static void segments_come_back_equal(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 2);
    for (int kind = PART_INTERVAL; kind <= PART_DATE; kind++) {
        Segment s = sample(&k, (PartKind)kind), back = {0};
        Buf b = {0};
        u32 crc = 0;
        KIT_OK(manifest_write_segment(&b, &k.root, &s, &crc));
        KIT_OK(manifest_read_segment(text_of(&b), &k.root, crc, &back));
        assert_equal_parts(&s, &back);
        assert_int_equal(back.crc, crc);
        arena_free(&back.memory);
        buf_free(&b);
    }
    kit_end(&k);
}

static void a_segment_text_is_as_the_document_shows_it(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 2);
    Segment s = sample(&k, PART_INTERVAL);
    Buf b = {0};
    u32 crc = 0;
    KIT_OK(manifest_write_segment(&b, &k.root, &s, &crc));
    static const char wanted[] =
        "siltstone-segment 2\n"
        "segment interval 0 i.0.9\n"
        "part 0 9000 5 interval idb:data/2024.08.22/5 none\n"
        "table trade 3 48 0 10 ffffffffffffffff\n"
        "part 1 9000 6 late idb:data/2024.08.22/6 0000beef\n"
        "table a 5 0 -9223372036854775808 9223372036854775807 0000000000000000\n"
        "slice -9 0 1\n"
        "slice 9000 1 5\n"
        "table Z_9 0 0 1 -1 0000000000000001\n"
        "part 2 9000 7 interval idb:data/2024.08.22/7 none\n"
        "table trade 3 48 2 12 ffffffffffffffff\n";
    char end[32];
    snprintf(end, sizeof end, "end %08x\n", crc_32c(0, wanted, sizeof wanted - 1));
    assert_int_equal(b.size, sizeof wanted - 1 + strlen(end));
    assert_memory_equal(b.data, wanted, sizeof wanted - 1);
    assert_memory_equal(b.data + sizeof wanted - 1, end, strlen(end));
    s = sample(&k, PART_DATE);
    buf_clear(&b);
    KIT_OK(manifest_write_segment(&b, &k.root, &s, &crc));
    const char *text = buf_str(&b);
    assert_non_null(strstr(text, "part 9000 9000 5 hot hdb:data/2024.08.22/5 none\n"));
    assert_non_null(strstr(text, "part 9001 9001 6 cold tier:cold:2024.08.23/6 none\n"));
    buf_free(&b);
    kit_end(&k);
}

/* A moved base, a renamed folder: the same text leads elsewhere. */
/* What was written before there were checksums is read as it was meant. */
static void version_1_is_still_read(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 2);
    Buf b = {0};
    Segment s = {0};
    View v = {0};
    ManifestSegment *segments = NULL;
    u32 count = 0;
    KIT_OK(buf_text(&b, "siltstone-segment 1\nsegment interval 0 i.0.9\n"
                        "part 0 9000 5 interval idb:data/2024.08.22/5\n"));
    u32 crc = crc_32c(0, b.data, b.size);
    KIT_OK(buf_format(&b, "end %08x\n", crc));
    KIT_OK(manifest_read_segment(text_of(&b), &k.root, crc, &s));
    assert_false(s.parts[0].summed);
    arena_free(&s.memory);
    buf_clear(&b);
    KIT_OK(buf_text(&b, "siltstone-view 1\nnumber 3\nhdb 1\nwatermark 0\neoi 0\neod 0\n"
                        "eod-asked 0 0\nsym 8\ncommitted 0\ninterval-end 0\nday-end 0\n"
                        "lost 0 0\n"));
    KIT_OK(buf_format(&b, "end %08x\n", crc_32c(0, b.data, b.size)));
    KIT_OK(manifest_read_view(text_of(&b), &k.root, &v, &segments, &count));
    assert_int_equal(v.sym_size, 8);
    assert_false(v.sym_summed);
    arena_free(&v.memory);
    buf_free(&b);
    kit_end(&k);
}

static void paths_follow_their_base(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 2);
    Segment s = sample(&k, PART_DATE), back = {0}, plain = {0};
    Buf b = {0};
    u32 crc = 0;
    Root moved = {0};
    KIT_OK(manifest_write_segment(&b, &k.root, &s, &crc));
    k.tiers[1].store = "/mnt/cold";
    root_init(&moved, "demo", "/new/idb", "/new/hdb", NULL, k.tiers, 2);
    KIT_OK(manifest_read_segment(text_of(&b), &moved, crc, &back));
    assert_string_equal(back.parts[0].path, "/new/hdb/data/2024.08.22/5");
    assert_string_equal(back.parts[1].path, "/mnt/cold/2024.08.23/6");
    KIT_OK(manifest_read_segment(text_of(&b), NULL, crc, &plain));
    assert_string_equal(plain.parts[1].path, "tier:cold:2024.08.23/6");
    arena_free(&back.memory);
    arena_free(&plain.memory);
    /* A tier that is gone from the configuration is the configuration's fault. */
    root_close(&moved);
    root_init(&moved, "demo", "/new/idb", "/new/hdb", NULL, k.tiers, 1);
    assert_int_equal(manifest_read_segment(text_of(&b), &moved, crc, &back), E_USAGE);
    assert_non_null(strstr(fail_text(), "cold"));
    arena_free(&back.memory);
    root_close(&moved);
    buf_free(&b);
    kit_end(&k);
}

static void odd_texts_survive_escaping(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 1);
    const char *paths[] = {"/a b/c\n\t%/\x7f\xc3\xa9", "%", "", "/x%41", "/end 00000000\n"};
    char **back = NULL;
    u32 count = 0;
    Buf b = {0};
    KIT_OK(manifest_write_stage(&b, paths, COUNT_OF(paths)));
    KIT_OK(manifest_read_stage(text_of(&b), &k.memory, &back, &count));
    assert_int_equal(count, COUNT_OF(paths));
    for (u32 i = 0; i < count; i++)
        assert_string_equal(back[i], paths[i]);
    buf_clear(&b);
    KIT_OK(manifest_write_stage(&b, paths, 0));
    KIT_OK(manifest_read_stage(text_of(&b), &k.memory, &back, &count));
    assert_int_equal(count, 0);
    buf_free(&b);
    kit_end(&k);
}

/* ---- damage */

static void write_view(Kit *k, Buf *b, u64 number)
{
    Segment dates = sample(k, PART_DATE), *where = &dates;
    ViewPublisher pub = {7, 8, 9};
    ViewGarbage junk = {4, arena_format(&k->memory, "%s/data/2024.01.01/1", k->idb)};
    View v = {.number = number,
              .hdb = 9,
              .watermark = 4096,
              .eoi = 8,
              .date_segs = &where,
              .date_seg_count = 1,
              .publishers = &pub,
              .publisher_count = 1,
              .garbage = &junk,
              .garbage_count = 1};
    buf_clear(b);
    KIT_OK(manifest_write_view(b, &k->root, &v));
}

static Err read_view(Kit *k, Str text)
{
    View v = {0};
    ManifestSegment *s = NULL;
    u32 count = 0;
    Err err = manifest_read_view(text, &k->root, &v, &s, &count);
    arena_free(&v.memory);
    return err;
}

static void every_changed_bit_and_every_cut_is_noticed(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 2);
    Buf b = {0};
    write_view(&k, &b, 9);
    KIT_OK(read_view(&k, text_of(&b)));
    for (u64 i = 0; i < b.size; i++) {
        assert_int_equal(read_view(&k, (Str){(char *)b.data, i}), E_CORRUPT);
        for (int bit = 0; bit < 8; bit++) {
            b.data[i] = (u8)(b.data[i] ^ 1 << bit);
            assert_int_equal(read_view(&k, text_of(&b)), E_CORRUPT);
            b.data[i] = (u8)(b.data[i] ^ 1 << bit);
        }
    }
    KIT_OK(buf_byte(&b, '\n'));
    assert_int_equal(read_view(&k, text_of(&b)), E_CORRUPT);
    buf_free(&b);
    kit_end(&k);
}

/* Replaces `from` by `to` in a good text and mends the checksum: what a mistaken writer could have
 * written. */
static Err read_altered(Kit *k, const char *good, bool segment, const char *from, const char *to)
{
    Buf b = {0};
    Segment s = {0};
    const char *at = strstr(good, from);
    assert_non_null(at);
    KIT_OK(buf_append(&b, good, (u64)(at - good)));
    KIT_OK(buf_text(&b, to));
    const char *rest = at + strlen(from), *end = strstr(rest, "\nend ") + 1;
    KIT_OK(buf_append(&b, rest, (u64)(end - rest)));
    u32 crc = crc_32c(0, b.data, b.size);
    KIT_OK(buf_format(&b, "end %08x\n", crc));
    Err err =
        segment ? manifest_read_segment(text_of(&b), &k->root, crc, &s) : read_view(k, text_of(&b));
    arena_free(&s.memory);
    buf_free(&b);
    return err;
}

static void senseless_views_are_refused(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 2);
    Buf b = {0};
    write_view(&k, &b, 9);
    const char *good = buf_str(&b);
    static const char *const bad[][2] = {
        {"number 9", "number 0"},
        {"number 9", "number 8"}, /* hdb and segment are newer */
        {"number 9", "number -9"},
        {"number 9", "number 18446744073709551616"},
        {"number 9", "number "},
        {"number 9", "number 9 9"},
        {"number 9", "number  9"},
        {"number 9\n", ""},
        {"hdb 9", "hdb 10"},
        {"hdb 9", "hdb 0"},
        {"watermark 4096\neoi 8", "eoi 8\nwatermark 4096"},
        {"day-end 0", "day-end 9223372036854775808"},
        {"day-end 0", "day-end x"},
        {"sym 0 none", "sym 0"},
        {"sym 0 none", "sym 0 0000beefe"},
        {"sym 0 none", "sym 0 0000beeg"},
        {"lost 0 0", "lost 0"},
        {"eoi 8", "eoi "},
        {"segment date", "segment month"},
        {"date 2024 d.2024.9", "date 2024 d.2024.10"},
        {"date 2024 d.2024.9", "date 2023 d.2024.9"},
        {"date 2024 d.2024.9", "interval 2024 d.2024.9"},
        {"date 2024 d.2024.9", "date 2024 ../passwd"},
        {"segment date 2024 d.2024.9",
         "segment date 2025 d.2025.9 00000000\nsegment date 2024 d.2024.9"},
        {"segment date 2024 d.2024.9",
         "segment date 2024 d.2024.8 00000000\nsegment date 2024 d.2024.9"},
        {"publisher 7 8 9", "publisher 7 8"},
        {"publisher 7 8 9", "publisher 7 8 9\nunknown 1"},
        {"publisher 7 8 9", "garbage 1 idb:x\npublisher 7 8 9"},
        {"idb:data/2024.01.01/1", "idb:data/../../x"},
        {"idb:data/2024.01.01/1", "idb:/data"},
        {"idb:data/2024.01.01/1", "/etc/passwd"},
        {"idb:data/2024.01.01/1", "idb:"},
        {"idb:data/2024.01.01/1", "idb:a%"},
        {"idb:data/2024.01.01/1", "idb:a%4"},
        {"idb:data/2024.01.01/1", "idb:a%00b"},
        {"idb:data/2024.01.01/1", "idb:a%zz"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        Err err = read_altered(&k, good, false, bad[i][0], bad[i][1]);
        if (err != E_CORRUPT) fail_msg("`%s` -> `%s`: %s", bad[i][0], bad[i][1], fail_name(err));
    }
    static const char *const cut[] = {"", "siltstone-view 2", "siltstone-view 2\n", "\n",
                                      "siltstone-view 2\nnumber 9\n"};
    for (size_t i = 0; i < COUNT_OF(cut); i++) {
        Buf c = {0};
        KIT_OK(buf_format(&c, "%send %08x\n", cut[i], crc_32c(0, cut[i], strlen(cut[i]))));
        assert_int_equal(read_view(&k, text_of(&c)), E_CORRUPT);
        buf_free(&c);
    }
    assert_int_equal(read_altered(&k, good, false, "siltstone-view 2", "siltstone-view 3"),
                     E_UNSUPPORTED);
    assert_int_equal(read_altered(&k, good, false, "idb:data", "tier:gone:data"), E_USAGE);
    KIT_OK(read_altered(&k, good, false, "idb:data", "abs:/mnt/x"));
    buf_free(&b);
    kit_end(&k);
}

static void senseless_segments_are_refused(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 2);
    Buf b[2] = {{0}, {0}};
    u32 crc = 0;
    Segment s[2] = {sample(&k, PART_INTERVAL), sample(&k, PART_DATE)};
    KIT_OK(manifest_write_segment(&b[0], &k.root, &s[0], &crc));
    KIT_OK(manifest_write_segment(&b[1], &k.root, &s[1], &crc));

    static const struct {
        int which;
        const char *from, *to;
    } bad[] = {
        {0, "0000beef", "0000bee"},
        {0, "5 none", "5"},
        {0, "5 none", "5 none none"},
        {0, "part 2 9000", "part 1 9000"},
        {0, "part 2 9000", "part 256 9000"},
        {0, "part 0 9000", "part -1 9000"},
        {0, "part 2 9000", "part 4294967298 9000"},
        {0, "5 interval", "5 hot"},
        {0, "slice -9 0 1", "slice -9 1 1"},
        {0, "slice -9 0 1", "slice 9001 0 1"},
        {0, "slice 9000 1 5", "slice 9000 1 4"},
        {0, "slice 9000 1 5", "slice 9000 2 5"},
        {0, "table trade 3 48 0 10",
         "table trade 3 48 0 10 ffffffffffffffff\nslice 1 0 3\ntable x 3 48 0 10"},
        {0, "table trade 3 48 0", "table ../x 3 48 0"},
        {0, "table trade 3 48 0", "table %- 3 48 0"},
        {0, "table trade 3 48 0", "table trade 4294967297 48 0"},
        {0, "ffffffffffffffff", "fffffffffffffff"},
        {0, "ffffffffffffffff", "fffffffffffffffg"},
        {0, "part 0 9000", "slice 0 0 1\npart 0 9000"},
        {0, "part 0 9000", "table x 0 0 0 0 0000000000000000\npart 0 9000"},
        {1, "part 9000 9000", "part 9000 9001"},
        {1, "part 9000 9000", "part 1 1"},
    };

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        Err err = read_altered(&k, buf_str(&b[bad[i].which]), true, bad[i].from, bad[i].to);
        if (err != E_CORRUPT) fail_msg("`%s` -> `%s`: %s", bad[i].from, bad[i].to, fail_name(err));
    }
    Segment back = {0};
    assert_int_equal(manifest_read_segment(text_of(&b[1]), &k.root, crc ^ 1, &back), E_CORRUPT);
    assert_int_equal(manifest_read_segment(text_of(&b[0]), &k.root, crc, &back), E_CORRUPT);
    arena_free(&back.memory);
    static const char none[] = "siltstone-segment 1\nsegment date 2024 d.2024.9\n";
    buf_clear(&b[0]);
    crc = crc_32c(0, none, sizeof none - 1);
    KIT_OK(buf_format(&b[0], "%send %08x\n", none, crc));
    assert_int_equal(manifest_read_segment(text_of(&b[0]), &k.root, crc, &back), E_CORRUPT);
    arena_free(&back.memory);
    buf_free(&b[0]);
    buf_free(&b[1]);
    kit_end(&k);
}

static void counts_have_a_bound(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 2);
    Buf b = {0}, many = {0};
    write_view(&k, &b, 9);
    for (u32 i = 0; i <= BOUND_PUBLISHERS_MAX; i++)
        KIT_OK(buf_format(&many, "publisher %" PRIu32 " 8 9\n", i));
    assert_int_equal(read_altered(&k, buf_str(&b), false, "publisher 7 8 9\n", buf_str(&many)),
                     E_LIMIT);
    buf_free(&many);
    buf_free(&b);
    kit_end(&k);
}

/* Random edits under a right checksum: whatever comes, an answer or a refusal. */
static void no_text_crashes_the_reader(void **state)
{
    (void)state;
    Kit k;
    kit_make(&k, 2);
    Buf b = {0}, good = {0};
    u32 crc = 0;
    Prng r;
    Segment s = sample(&k, PART_INTERVAL);
    static const char pieces[] = "\n %0123456789-abcdefpartsliceendtable";
    prng_init(&r, 7);
    for (int i = 0; i < 20000; i++) {
        Segment back = {0};
        buf_clear(&good);
        if (i % 2 == 0) {
            write_view(&k, &good, 9);
        } else {
            KIT_OK(manifest_write_segment(&good, &k.root, &s, &crc));
        }
        buf_clear(&b);
        KIT_OK(buf_append(&b, good.data, good.size - 13));
        for (u64 n = prng_below(&r, 4) + 1; n > 0 && b.size > 0; n--) {
            u64 at = prng_below(&r, b.size);
            if (prng_below(&r, 3) > 0) {
                b.data[at] = (u8)pieces[prng_below(&r, sizeof pieces - 1)];
            } else {
                buf_drop(&b, prng_below(&r, 2) * at);
            }
        }
        crc = crc_32c(0, b.data, b.size);
        KIT_OK(buf_format(&b, "end %08x\n", crc));
        Err err = i % 2 == 0 ? read_view(&k, text_of(&b))
                             : manifest_read_segment(text_of(&b), &k.root, crc, &back);
        assert_true(err == E_OK || err == E_CORRUPT || err == E_USAGE || err == E_UNSUPPORTED ||
                    err == E_LIMIT);
        arena_free(&back.memory);
    }
    buf_free(&good);
    buf_free(&b);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_come_back_equal),
        cmocka_unit_test(a_segment_text_is_as_the_document_shows_it),
        cmocka_unit_test(version_1_is_still_read),
        cmocka_unit_test(paths_follow_their_base),
        cmocka_unit_test(odd_texts_survive_escaping),
        cmocka_unit_test(every_changed_bit_and_every_cut_is_noticed),
        cmocka_unit_test(senseless_views_are_refused),
        cmocka_unit_test(senseless_segments_are_refused),
        cmocka_unit_test(counts_have_a_bound),
        cmocka_unit_test(no_text_crashes_the_reader),
    };
    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
