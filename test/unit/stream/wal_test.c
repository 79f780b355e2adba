/*
 * wal: what is written is read back, in all sizes and over all seams; limits; trimming; opening
 * again. What crashes and damage leave is told in recover_test.c.
 */
#include "unit/stream/kit.h"

#include "base/crc.h"
#include "os/now.h"

static KitList list;

static void records_come_back_as_they_went(void **state)
{
    (void)state;
    char *dir = kit_folder();
    static const u64 sizes[] = {0, 1, 7, 8, 9, 63, 64, 4000, 4096, 100000};
    Wal *w = kit_open(kit_path(dir, "wal"), 0);
    WalRecord r;
    u64 position = 0;
    assert_int_equal(wal_durable(w), 0);
    for (u64 i = 0; i < COUNT_OF(sizes); i++) {
        assert_ok(kit_append(w, i, sizes[i], &r));
        assert_int_equal(r.position, position);
        assert_int_equal(r.end % 8, 0);
        assert_int_equal(wal_end(w), r.end);
        position = r.end;
    }
    assert_int_equal(wal_durable(w), 0);
    assert_ok(kit_read(kit_path(dir, "wal"), 0, &list));
    assert_int_equal(list.count, 0); /* what is not durable is not seen */
    u64 syncs = wal_syncs(w);
    assert_ok(wal_sync(w));
    assert_ok(wal_sync(w)); /* nothing buffered: nothing done */
    assert_int_equal(wal_syncs(w), syncs + 1);
    assert_int_equal(wal_durable(w), position);
    assert_ok(kit_read(kit_path(dir, "wal"), 0, &list));
    assert_int_equal(list.count, COUNT_OF(sizes));
    for (u64 i = 0; i < list.count; i++)
        assert_int_equal(list.numbers[i], i);
    assert_ok(kit_read(kit_path(dir, "wal"), list.end[4], &list));
    assert_int_equal(list.numbers[0], 5);
    assert_ok(wal_close(w));
    assert_ok(wal_close(NULL));
    kit_remove(dir);
}

/* Every room that can be left at the end of a file: none, too little for an END, just enough,
 * more. */
static void files_end_at_every_remainder(void **state)
{
    (void)state;
    for (u64 left = 0; left <= 160; left += 8) {
        char *dir = kit_folder();
        Wal *w = kit_open(dir, 0);
        u64 first = 500000, header = WAL_RECORD_HEADER + 8;
        u64 second =
            KIT_MIB - WAL_FILE_HEADER - header - 16 - first - WAL_RECORD_HEADER - 16 - left;
        /* record 0 is "trade" (8 bytes), record 1 "quote_table" (16 bytes) */
        assert_ok(kit_append(w, 0, first - first % 8, NULL));
        assert_ok(kit_append(w, 1, second - second % 8 + 16, NULL));
        assert_int_equal(wal_end(w), KIT_MIB - WAL_FILE_HEADER - left);
        assert_ok(wal_sync(w));
        assert_ok(kit_append(w, 2, 100, NULL));
        assert_ok(kit_append(w, 3, 0, NULL));
        assert_ok(wal_sync(w));
        assert_ok(kit_read(dir, 0, &list));
        assert_int_equal(list.count, 4);
        bool fits = left >= WAL_RECORD_HEADER + 8 + 104; /* record 2 */
        assert_int_equal(kit_count(dir, ".wal"), fits ? 1 : 2);
        if (!fits) {
            u64 next = list.end[1] + (left >= WAL_RECORD_HEADER ? WAL_RECORD_HEADER : 0);
            assert_int_equal(list.begin[2], next);
        }
        assert_ok(wal_close(w));
        w = kit_open(dir, 0);
        assert_ok(kit_read(dir, 0, &list));
        assert_int_equal(list.count, 4);
        assert_ok(wal_close(w));
        kit_remove(dir);
    }
}

static void large_records_get_a_file_of_their_own(void **state)
{
    (void)state;
    char *dir = kit_folder();
    static const u64 sizes[] = {10,          KIT_MIB - WAL_FILE_HEADER, KIT_MIB - 5, KIT_MIB + 1, 5,
                                3 * KIT_MIB, 2 * KIT_MIB + 4,           0,           900000};
    Wal *w = kit_open(dir, 0);
    for (u64 i = 0; i < COUNT_OF(sizes); i++) {
        assert_ok(kit_append(w, i, sizes[i], NULL));
        if (i % 3 == 0) assert_ok(wal_sync(w));
    }
    assert_ok(wal_sync(w));
    assert_ok(kit_read(dir, 0, &list));
    assert_int_equal(list.count, COUNT_OF(sizes));
    assert_ok(wal_close(w));
    w = kit_open(dir, 0);
    assert_ok(kit_append(w, COUNT_OF(sizes), 3, NULL));
    assert_ok(wal_sync(w));
    assert_ok(kit_read(dir, 0, &list));
    assert_int_equal(list.count, COUNT_OF(sizes) + 1);
    u64 before = wal_end(w);
    WalRecord r = {.kind = WAL_DATA, .table = STR("t"), .size = (1ull << 30) + 1};
    assert_err(E_LIMIT, wal_append(w, &r));
    assert_int_equal(wal_end(w), before);
    assert_ok(wal_close(w));
    kit_remove(dir);
}

static void many_files_are_one_stream(void **state)
{
    (void)state;
    char *dir = kit_folder();
    Prng p;
    prng_init(&p, 42);
    u64 n = 0;
    for (int life = 0; life < 4; life++) {
        Wal *w = kit_open(dir, 0);
        for (u64 i = 0; i < 300; i++) {
            assert_ok(kit_append(w, n++, prng_below(&p, 30000), NULL));
            if (prng_below(&p, 5) == 0) assert_ok(wal_sync(w));
        }
        assert_ok(wal_close(w));
    }
    Wal *w = kit_open(dir, 0);
    assert_ok(kit_read(dir, 0, &list));
    assert_int_equal(list.count, n);
    for (u64 i = 0; i < n; i++)
        assert_int_equal(list.numbers[i], i);
    /* Every position leads to its record, and so does an opening there. */
    static KitList part;
    for (u64 i = 0; i < n; i += 97) {
        assert_ok(kit_read(dir, list.begin[i], &part));
        assert_int_equal(part.count, n - i);
        assert_int_equal(part.numbers[0], i);
    }
    u64 from = list.end[n - 50];
    assert_ok(wal_close(w));
    w = kit_open(dir, from);
    assert_ok(kit_read(dir, from, &part));
    assert_int_equal(part.count, 49);
    assert_ok(wal_close(w));
    kit_remove(dir);
}

static void files_made_ahead_by_the_thread_are_used(void **state)
{
    (void)state;
    char *dir = kit_folder();
    Wal *w;
    u64 lost;
    WalOptions o = {.file_size = 5 * KIT_MIB};
    assert_ok(wal_open(&w, dir, &o, 0, &lost));
    for (u64 i = 0; i < 64; i++) {
        assert_ok(kit_append(w, i, 500000, NULL));
        assert_ok(wal_sync(w));
    }
    assert_ok(kit_read(dir, 0, &list));
    assert_int_equal(list.count, 64);
    assert_ok(wal_close(w));
    assert_int_equal(kit_count(dir, ".new"), 0);
    assert_int_equal(kit_count(dir, ".spare"), 1);
    assert_int_equal(kit_count(dir, ".wal"), 7); /* one of 4 MiB, six of 5 */
    assert_ok(wal_open(&w, dir, &o, 0, &lost));
    assert_ok(wal_trim(w, wal_end(w))); /* the small first file is not kept */
    assert_int_equal(kit_count(dir, ".spare"), 2);
    assert_ok(wal_close(w));
    kit_remove(dir);
}

static void options_are_checked(void **state)
{
    (void)state;
    char *dir = kit_folder();
    Wal *w;
    u64 lost;
    assert_err(E_USAGE, wal_open(&w, dir, &(WalOptions){.file_size = (8 << 10) - 1}, 0, &lost));
    assert_err(E_USAGE, wal_open(&w, dir, &(WalOptions){.file_size = (16ull << 30) + 1}, 0, &lost));
    assert_err(E_CORRUPT, wal_open(&w, dir, &(WalOptions){.file_size = KIT_MIB}, 3, &lost));
    assert_null(w);
    w = kit_open(dir, 0);
    Wal *second;
    assert_err(E_BUSY, wal_open(&second, dir, &(WalOptions){.file_size = KIT_MIB}, 0, &lost));
    assert_ok(wal_close(w));
    w = kit_open(dir, 0);
    assert_ok(wal_close(w));
    kit_remove(dir);
}

static void the_log_is_bounded(void **state)
{
    (void)state;
    char *dir = kit_folder();
    Wal *w;
    u64 lost, n = 0;
    WalOptions o = {.file_size = KIT_MIB, .size_max = 3 * KIT_MIB};
    assert_ok(wal_open(&w, dir, &o, 0, &lost));
    while (kit_append(w, n, 50000, NULL) == E_OK)
        n++;
    assert_int_equal(fail_last(), E_LIMIT);
    assert_non_null(strstr(fail_text(), "maxLogSize"));
    assert_true(n > 55 && n < 63);
    assert_true(wal_refused(w));
    assert_ok(wal_sync(w)); /* what was taken stays good */
    assert_true(wal_size(w) <= 3 * KIT_MIB && wal_size(w) > 2 * KIT_MIB);
    assert_ok(kit_append(w, 6, 100, NULL)); /* a control record: else no interval could end */
    assert_true(wal_refused(w));
    assert_ok(wal_trim(w, wal_end(w)));
    assert_true(wal_size(w) < KIT_MIB);
    assert_ok(kit_append(w, n, 50000, NULL));
    assert_false(wal_refused(w));
    assert_ok(wal_close(w));
    /* Space of the device: nobody has an exabyte. */
    o = (WalOptions){.file_size = KIT_MIB, .reserve = 1ull << 60};
    assert_ok(wal_open(&w, dir, &o, 0, &lost));
    assert_true(lost > 0);
    u64 end = wal_end(w);
    assert_err(E_FULL, kit_append(w, 0, 1, NULL));
    assert_err(E_FULL, kit_append(w, 0, 1, NULL));
    assert_int_equal(wal_end(w), end);
    assert_ok(kit_append(w, 6, 1, NULL));
    assert_ok(wal_sync(w));
    assert_ok(wal_close(w));
    kit_remove(dir);
}

static void trimmed_files_are_used_again_and_their_bytes_never_pass(void **state)
{
    (void)state;
    char *dir = kit_folder();
    Wal *w = kit_open(dir, 0);
    u64 n = 0;
    WalRecord r;
    for (; n < 120; n++)
        assert_ok(kit_append(w, n, 40000, &r));
    assert_ok(wal_sync(w));
    u64 end = wal_end(w), files = kit_count(dir, ".wal");
    assert_int_equal(files, 5);
    assert_ok(wal_trim(w, 0));
    assert_int_equal(wal_oldest(w), 0);
    assert_ok(wal_trim(w, end)); /* never the newest */
    assert_int_equal(kit_count(dir, ".wal"), 1);
    assert_int_equal(kit_count(dir, ".spare"), 2);
    assert_int_equal(wal_oldest(w) % 8, 0);
    assert_true(wal_oldest(w) > 0);
    assert_err(E_CORRUPT, kit_read(dir, 0, &list));
    char both[64];
    snprintf(both, sizeof both, "position 0 is gone: the oldest that is kept is %llu",
             (unsigned long long)wal_oldest(w));
    assert_non_null(strstr(fail_text(), both));
    u64 oldest = wal_oldest(w);
    for (; n < 140; n++)
        assert_ok(kit_append(w, n, 40000, &r));
    assert_ok(wal_sync(w));
    assert_ok(kit_read(dir, oldest, &list));
    assert_int_equal(list.numbers[list.count - 1], n - 1);
    /* The used-again file is full of sound records of its former life, at the same distances. */
    u64 count = list.count;
    assert_ok(wal_close(w));
    u64 lost;
    assert_ok(wal_open(&w, dir, &(WalOptions){.file_size = KIT_MIB}, 0, &lost));
    assert_int_equal(lost, oldest);
    assert_ok(kit_read(dir, oldest, &list));
    assert_int_equal(list.count, count);
    assert_ok(wal_close(w));
    kit_remove(dir);
}

static void a_file_that_a_reader_maps_is_not_used_again(void **state)
{
    (void)state;
    char *dir = kit_folder();
    Wal *w = kit_open(dir, 0);
    Tail t;
    WalRecord r;
    bool got;
    u64 n = 0;
    for (; n < 40; n++)
        assert_ok(kit_append(w, n, 40000, NULL));
    assert_ok(wal_sync(w));
    assert_ok(tail_open(&t, dir, 0));
    assert_ok(tail_next(&t, &r, &got));
    assert_true(got);
    assert_ok(wal_trim(w, wal_end(w)));
    assert_int_equal(kit_count(dir, ".spare"), 0);
    for (; n < 120; n++)
        assert_ok(kit_append(w, n, 40000, NULL));
    assert_ok(wal_sync(w));
    kit_check_record(&r); /* still there, though its file has no name */
    for (u64 i = 1; i < 26; i++) {
        Err err = tail_next(&t, &r, &got);
        if (err) {
            assert_err(E_CORRUPT, err);
            assert_non_null(strstr(fail_text(), "is gone"));
            break;
        }
        kit_check_record(&r);
        assert_int_equal(r.sequence, i);
    }
    tail_close(&t);
    assert_ok(wal_close(w));
    kit_remove(dir);
}

static i64 false_time;

static i64 false_clock(void) { return false_time; }

static void relaxed_acknowledges_after_the_write(void **state)
{
    (void)state;
    char *dir = kit_folder();
    Wal *w;
    u64 lost;
    false_time = 1000;
    now_fake(false_clock, false_clock);
    WalOptions o = {.file_size = KIT_MIB, .relaxed = true, .relaxed_ms = 100};
    assert_ok(wal_open(&w, dir, &o, 0, &lost));
    u64 syncs = wal_syncs(w);
    assert_ok(kit_append(w, 0, 100, NULL));
    assert_ok(wal_commit(w));
    assert_int_equal(wal_durable(w), wal_end(w));
    assert_int_equal(wal_syncs(w), syncs);
    assert_ok(kit_read(dir, 0, &list));
    assert_int_equal(list.count, 1);
    false_time += 99999999;
    assert_ok(kit_append(w, 1, 100, NULL));
    assert_ok(wal_commit(w));
    assert_int_equal(wal_syncs(w), syncs);
    false_time += 1;
    assert_ok(wal_commit(w)); /* nothing new, but it is time */
    assert_int_equal(wal_syncs(w), syncs + 1);
    false_time += 1000000000;
    assert_ok(wal_commit(w)); /* nothing to sync */
    assert_int_equal(wal_syncs(w), syncs + 1);
    assert_ok(wal_close(w));
    now_fake(NULL, NULL);
    kit_remove(dir);
}

static void the_shared_page_tells_the_view(void **state)
{
    (void)state;
    char *dir = kit_folder();
    Tail t;
    assert_err(E_NOT_FOUND, tail_open(&t, dir, 0));
    Wal *w = kit_open(dir, 0);
    assert_ok(tail_open(&t, dir, 0));
    assert_int_equal(tail_view(&t), 0);
    assert_int_equal(t.shared->writer, getpid());
    wal_set_view(w, 42);
    assert_int_equal(tail_view(&t), 42);
    assert_ok(wal_close(w));
    assert_int_equal(t.shared->writer, 0);
    w = kit_open(dir, 0);
    assert_int_equal(tail_view(&t), 42);
    assert_ok(kit_append(w, 0, 8, NULL));
    assert_ok(wal_sync(w));
    assert_int_equal(tail_durable(&t), wal_end(w));
    tail_close(&t);
    tail_close(&t);
    assert_ok(wal_close(w));
    kit_remove(dir);
}

static void positions_go_on(void **state)
{
    (void)state;
    char *dir = kit_folder();
    Wal *w = kit_open(dir, 0);
    assert_ok(kit_append(w, 0, 100, NULL));
    assert_ok(wal_close(w));
    w = kit_open(dir, 0);
    u64 end = wal_end(w);
    assert_true(end > 0);
    assert_int_equal(wal_durable(w), end);
    assert_ok(wal_close(w));
    /* A watermark beyond the end of the log: nothing is missing, the stream goes on there. */
    u64 lost;
    assert_ok(wal_open(&w, dir, &(WalOptions){.file_size = KIT_MIB}, 1 << 24, &lost));
    assert_int_equal(lost, 1 << 24);
    assert_int_equal(wal_end(w), 1 << 24);
    assert_ok(kit_append(w, 1, 100, NULL));
    assert_ok(wal_close(w));
    w = kit_open(dir, 1 << 24);
    assert_ok(kit_read(dir, 1 << 24, &list));
    assert_int_equal(list.count, 1);
    end = wal_end(w);
    assert_ok(wal_close(w));
    /* All log files gone, the shared page not: no position is used twice, and the gap is told. */
    Arena a = {0};
    DirEntry *entries;
    u64 count;
    assert_ok(dir_list(dir, 100, &a, &entries, &count));
    for (u64 i = 0; i < count; i++)
        if (str_ends(str_of(entries[i].name), STR(".wal")))
            assert_ok(dir_unlink(kit_path(dir, entries[i].name)));
    arena_free(&a);
    assert_ok(wal_open(&w, dir, &(WalOptions){.file_size = KIT_MIB}, 1 << 24, &lost));
    assert_int_equal(lost, end);
    assert_int_equal(wal_end(w), end);
    assert_ok(wal_close(w));
    kit_remove(dir);
}

static void many_starts_leave_one_file(void **state)
{
    (void)state;
    char *dir = kit_folder();
    for (u64 i = 0; i < 20; i++) {
        Wal *w = kit_open(dir, 0);
        assert_ok(kit_append(w, i, 1000, NULL));
        assert_ok(wal_close(w));
    }
    Wal *w = kit_open(dir, 0);
    assert_ok(kit_read(dir, 0, &list));
    assert_int_equal(list.count, 20);
    assert_int_equal(kit_count(dir, ".wal"), 1);
    assert_ok(wal_close(w));
    kit_remove(dir);
}

static void names_are_positions(void **state)
{
    (void)state;
    char name[WAL_NAME_MAX];
    u64 first = 1;
    wal_file_name(0, name);
    assert_string_equal(name, "0000000000000000.wal");
    assert_true(wal_file_parse(name, &first));
    assert_int_equal(first, 0);
    wal_file_name(0xfedcba9876543210ull, name);
    assert_true(wal_file_parse(name, &first));
    assert_true(first == 0xfedcba9876543210ull);
    static const char *const bad[] = {"",
                                      "durable",
                                      "0.spare",
                                      "000000000000000.wal",
                                      "00000000000000000.wal",
                                      "000000000000000G.wal",
                                      "000000000000000A.wal",
                                      "0000000000000000.wal.new",
                                      "0000000000000000"};
    for (u64 i = 0; i < COUNT_OF(bad); i++)
        assert_false(wal_file_parse(bad[i], &first));
}

/* No bytes make the decoder read beyond them: under the address sanitizer the block ends where it
 * says. */
static void any_bytes_decode_safely(void **state)
{
    (void)state;
    Prng p;
    WalRecord r;
    u64 first, id;
    prng_init(&p, 7);
    for (u64 turn = 0; turn < 20000; turn++) {
        u64 size = prng_below(&p, 300) & ~7ull;
        u8 *data = malloc(size ? size : 1);
        for (u64 i = 0; i < size; i++)
            data[i] = (u8)(prng_next(&p) & (turn % 2 ? 0xff : 0x03));
        if (size >= 64) {
            store_u64(data + 8, 8);
            data[16] = 1;
            data[17] = 0;
            if (turn % 4 == 0) { /* a right checksum over wrong lengths */
                u64 payload = load_u32(data), zero = 0;
                if (payload <= size - 64)
                    store_u32(data + 4, crc_32c(crc_32c(0, &zero, 8), data + 8, 56 + payload));
            }
        }
        if (wal_record(data, size, 0, 0, 8, &r) == E_OK) {
            assert_true(r.body + r.size <= data + size);
            assert_true((const u8 *)r.table.data + r.table.size <= data + size);
        }
        assert_err(E_CORRUPT, wal_record(data, size, size, 0, 8, &r));
        assert_err(E_CORRUPT, wal_record(data, size, ~0ull - 7, 0, 8, &r));
        assert_err(E_CORRUPT, wal_file_header(data, size, &first, &id));
        free(data);
    }
}

/* A whole sound record at another place of its own file is none. */
static void a_record_belongs_to_its_position(void **state)
{
    (void)state;
    char *dir = kit_folder();
    WalRecord r;
    u64 size, first, id;
    Wal *w = kit_open(dir, 0);
    assert_ok(kit_append(w, 0, 100, &r));
    assert_ok(wal_close(w));
    u8 *file = kit_load(kit_path(dir, "0000000000000000.wal"), &size);
    assert_ok(wal_file_header(file, size, &first, &id));
    assert_ok(wal_record(file, size, WAL_FILE_HEADER, id, 0, &r));
    memcpy(file + WAL_FILE_HEADER + r.end, file + WAL_FILE_HEADER, r.end);
    assert_err(E_CORRUPT, wal_record(file, size, WAL_FILE_HEADER + r.end, id, r.end, &r));
    assert_err(E_CORRUPT, wal_record(file, size, WAL_FILE_HEADER, id, 8, &r));
    assert_err(E_CORRUPT, wal_record(file, size, WAL_FILE_HEADER, id + 1, 0, &r));
    free(file);
    kit_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_as_they_went),
        cmocka_unit_test(files_end_at_every_remainder),
        cmocka_unit_test(large_records_get_a_file_of_their_own),
        cmocka_unit_test(many_files_are_one_stream),
        cmocka_unit_test(files_made_ahead_by_the_thread_are_used),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(the_log_is_bounded),
        cmocka_unit_test(trimmed_files_are_used_again_and_their_bytes_never_pass),
        cmocka_unit_test(a_file_that_a_reader_maps_is_not_used_again),
        cmocka_unit_test(relaxed_acknowledges_after_the_write),
        cmocka_unit_test(the_shared_page_tells_the_view),
        cmocka_unit_test(positions_go_on),
        cmocka_unit_test(many_starts_leave_one_file),
        cmocka_unit_test(names_are_positions),
        cmocka_unit_test(any_bytes_decode_safely),
        cmocka_unit_test(a_record_belongs_to_its_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
