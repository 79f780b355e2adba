/*
 * recover: what a log holds after any end of its writer: power cuts, damage, the death of the
 * process at every change of the disk, and every change of the disk failing. The truth is what the
 * test itself saw acknowledged.
 */
#include "unit/stream/kit.h"

#include <errno.h>

static KitList list;

/* ---- images: a folder with one log file and its shared page, in memory */

typedef struct {
    u8 *log, *page;
    u64 log_size, page_size;
    char name[WAL_NAME_MAX];
} Image;

static void load(Image *m, const char *dir, u64 first)
{
    wal_file_name(first, m->name);
    m->log = kit_load(kit_path(dir, m->name), &m->log_size);
    m->page = kit_load(kit_path(dir, "durable"), &m->page_size);
}

static void unload(Image *m)
{
    free(m->log);
    free(m->page);
}

/* Puts log and page into the folder, in place of those that are there; without a page when there is
 * none. */
static void store(const Image *m, const char *dir, const u8 *page)
{
    Arena a = {0};
    DirEntry *entries;
    u64 count, first;
    assert_ok(dir_list(dir, 100, &a, &entries, &count));
    for (u64 i = 0; i < count; i++)
        if (wal_file_parse(entries[i].name, &first) || strcmp(entries[i].name, "durable") == 0)
            assert_ok(dir_unlink(kit_path(dir, entries[i].name)));
    arena_free(&a);
    kit_store(kit_path(dir, m->name), m->log, m->log_size);
    if (page) kit_store(kit_path(dir, "durable"), page, m->page_size);
}

/* The log must open and hold exactly the records [0, count), twice, and take one more. */
static void expect_prefix(const char *dir, u64 count)
{
    for (int turn = 0; turn < 2; turn++) {
        Wal *w = kit_open(dir, 0);
        assert_ok(kit_read(dir, 0, &list));
        assert_int_equal(list.count, count);
        for (u64 i = 0; i < count; i++)
            assert_int_equal(list.numbers[i], i);
        if (turn == 1) {
            assert_ok(kit_append(w, count, 30, NULL));
            assert_ok(wal_sync(w));
            assert_ok(kit_read(dir, 0, &list));
            assert_int_equal(list.count, count + 1);
        }
        assert_ok(wal_close(w));
    }
}

/* A log of a first group of 3 and a second one of `more` records of `size` bytes; `old_page` = the
 * page after the first. */
static void two_groups(const char *dir, u64 more, u64 size, Image *m, u8 **old_page, KitList *all)
{
    u64 page_size;
    Wal *w = kit_open(dir, 0);
    for (u64 i = 0; i < 3; i++)
        assert_ok(kit_append(w, i, 40 + i, NULL));
    assert_ok(wal_sync(w));
    *old_page = kit_load(kit_path(dir, "durable"), &page_size);
    for (u64 i = 3; i < 3 + more; i++)
        assert_ok(kit_append(w, i, size + i, NULL));
    assert_ok(wal_sync(w));
    assert_ok(kit_read(dir, 0, all));
    assert_int_equal(all->count, 3 + more);
    load(m, dir, 0);
    assert_ok(wal_close(w));
}

static void a_torn_tail_is_cut_at_every_byte(void **state)
{
    (void)state;
    char *dir = kit_fast_folder();
    Image m;
    u8 *old_page;
    static KitList all;
    two_groups(dir, 2, 30, &m, &old_page, &all);
    u64 from = all.end[2] + WAL_FILE_HEADER, to = all.end[4] + WAL_FILE_HEADER;
    u8 *whole = malloc(m.log_size);
    memcpy(whole, m.log, m.log_size);
    for (u64 cut = from; cut <= to; cut++) {
        memset(m.log + cut, 0, to - cut);
        u64 intact = 3;
        for (u64 i = 3; i < 5; i++)
            if (memcmp(m.log + all.begin[i] + WAL_FILE_HEADER,
                       whole + all.begin[i] + WAL_FILE_HEADER, all.end[i] - all.begin[i]) == 0)
                intact = i + 1;
            else
                break;
        store(&m, dir, cut % 2 ? old_page : NULL);
        expect_prefix(dir, intact);
        memcpy(m.log + cut, whole + cut, to - cut);
    }
    free(whole);
    free(old_page);
    unload(&m);
    kit_remove(dir);
}

/* A power cut keeps any pages of what was not synced, in any order. */
static void any_pages_of_an_unsynced_group_may_be_missing(void **state)
{
    (void)state;
    char *dir = kit_fast_folder();
    Image m;
    u8 *old_page;
    Prng p;
    static KitList all;
    prng_init(&p, 11);
    two_groups(dir, 12, 2500, &m, &old_page, &all);
    u64 from = all.end[2] + WAL_FILE_HEADER, to = all.end[14] + WAL_FILE_HEADER;
    u8 *whole = malloc(m.log_size);
    memcpy(whole, m.log, m.log_size);
    for (int turn = 0; turn < 150; turn++) {
        u64 unit = turn % 2 ? 4096 : 512;
        u64 lost_of_8 = 1 + prng_below(&p, 7);
        memcpy(m.log, whole, m.log_size);
        for (u64 at = from; at < to;) {
            u64 end = MIN(round_up(at + 1, unit), to);
            if (prng_below(&p, 8) < lost_of_8) memset(m.log + at, turn % 3 ? 0 : 0xA5, end - at);
            at = end;
        }
        u64 intact = 3;
        while (intact < 15 && memcmp(m.log + all.begin[intact] + WAL_FILE_HEADER,
                                     whole + all.begin[intact] + WAL_FILE_HEADER,
                                     all.end[intact] - all.begin[intact]) == 0)
            intact++;
        store(&m, dir, old_page);
        expect_prefix(dir, intact);
    }
    free(whole);
    free(old_page);
    unload(&m);
    kit_remove(dir);
}

static void expect_damage(const char *dir, u64 bad, u64 known)
{
    Wal *w;
    u64 lost;
    char first[32], second[48];
    assert_err(E_CORRUPT, wal_open(&w, dir, &(WalOptions){.file_size = KIT_MIB}, 0, &lost));
    assert_null(w);
    snprintf(first, sizeof first, "position %llu does", (unsigned long long)bad);
    snprintf(second, sizeof second, "synced up to position %llu:", (unsigned long long)known);
    if (!strstr(fail_text(), first) || !strstr(fail_text(), second))
        fail_msg("%s: expected %s ... %s", fail_text(), first, second);
}

/* One bit of each byte of each record of a log that was synced record by record. */
static void flipped_bits_are_damage_where_the_log_was_synced(void **state)
{
    (void)state;
    char *dir = kit_fast_folder();
    Image m;
    static KitList all;
    Wal *w = kit_open(dir, 0);
    for (u64 i = 0; i < 4; i++) {
        assert_ok(kit_append(w, i, 20, NULL));
        assert_ok(wal_sync(w));
    }
    assert_ok(kit_read(dir, 0, &all));
    load(&m, dir, 0);
    assert_ok(wal_close(w));
    for (u64 i = 0; i < 4; i++)
        for (u64 at = all.begin[i]; at < all.end[i]; at++) {
            u8 *byte = m.log + at + WAL_FILE_HEADER, bit = (u8)(1 << (at % 8));
            *byte ^= bit;
            /* With the page, exact after the death of a process, even the last record is known to
             * have been synced. */
            store(&m, dir, m.page);
            expect_damage(dir, all.begin[i], all.end[3]);
            /* Without it, the records of later groups tell. */
            if (at % 5 == 0 && i < 3) {
                store(&m, dir, NULL);
                expect_damage(dir, all.begin[i], i == 2 ? all.end[2] : all.end[2]);
            }
            if (at % 5 == 0 && i == 3) {
                store(&m, dir, NULL);
                expect_prefix(dir, 3);
            }
            *byte ^= bit;
        }
    /* What stands before the asked position is nobody's. */
    m.log[all.begin[1] + WAL_FILE_HEADER + 70] ^= 1;
    store(&m, dir, m.page);
    w = kit_open(dir, all.end[1]);
    assert_ok(kit_read(dir, all.end[1], &list));
    assert_int_equal(list.count, 2);
    assert_ok(kit_append(w, 4, 20, NULL));
    assert_ok(wal_close(w));
    w = kit_open(dir, all.end[1]);
    assert_ok(kit_read(dir, all.end[1], &list));
    assert_int_equal(list.count, 3);
    assert_err(E_CORRUPT, kit_read(dir, 0, &list));
    assert_ok(wal_close(w));
    unload(&m);
    kit_remove(dir);
}

static void damage_in_older_files_and_headers_is_found(void **state)
{
    (void)state;
    char *dir = kit_folder();
    Wal *w = kit_open(dir, 0);
    for (u64 i = 0; i < 60; i++)
        assert_ok(kit_append(w, i, 50000, NULL));
    assert_ok(wal_close(w));
    static KitList all;
    w = kit_open(dir, 0);
    assert_ok(kit_read(dir, 0, &all));
    assert_ok(wal_close(w));
    assert_true(kit_count(dir, ".wal") >= 3);
    u64 first[8], files = 0, size, lost;
    Arena a = {0};
    DirEntry *entries;
    u64 count;
    assert_ok(dir_list(dir, 100, &a, &entries, &count));
    for (u64 i = 0; i < count; i++)
        if (wal_file_parse(entries[i].name, &first[files])) files++;
    char name[WAL_NAME_MAX];
    wal_file_name(first[0], name);
    u8 *data = kit_load(kit_path(dir, name), &size);
    u64 at = all.begin[3] + WAL_FILE_HEADER + 3000;
    data[at] ^= 16;
    kit_store(kit_path(dir, name), data, size);
    expect_damage(dir, all.begin[3], first[1]);
    w = kit_open(dir, all.end[3]); /* not asked for */
    assert_ok(wal_close(w));
    data[at] ^= 16;
    for (u64 byte = 0; byte < 64; byte++) {
        data[byte] ^= 2;
        kit_store(kit_path(dir, name), data, size);
        Err err = wal_open(&w, dir, &(WalOptions){.file_size = KIT_MIB}, 0, &lost);
        assert_true(err == E_CORRUPT || err == E_UNSUPPORTED);
        data[byte] ^= 2;
    }
    static const u64 cuts[] = {0, 100, 4096, 700000};
    for (u64 i = 0; i < COUNT_OF(cuts); i++) {
        kit_store(kit_path(dir, name), data, cuts[i]);
        assert_err(E_CORRUPT, wal_open(&w, dir, &(WalOptions){.file_size = KIT_MIB}, 0, &lost));
    }
    kit_store(kit_path(dir, name), data, size);
    /* A file in the middle is missing; one stands under another's name. */
    wal_file_name(first[1], name);
    assert_ok(dir_rename(kit_path(dir, name), kit_path(dir, "kept")));
    assert_err(E_CORRUPT, wal_open(&w, dir, &(WalOptions){.file_size = KIT_MIB}, 0, &lost));
    kit_store(kit_path(dir, name), data, size);
    assert_err(E_CORRUPT, wal_open(&w, dir, &(WalOptions){.file_size = KIT_MIB}, 0, &lost));
    assert_ok(dir_rename(kit_path(dir, "kept"), kit_path(dir, name)));
    /* The oldest is missing: a gap, which is told. */
    wal_file_name(first[0], name);
    assert_ok(dir_unlink(kit_path(dir, name)));
    assert_ok(wal_open(&w, dir, &(WalOptions){.file_size = KIT_MIB}, 0, &lost));
    assert_int_equal(lost, first[1]);
    assert_ok(kit_read(dir, lost, &list));
    assert_int_equal(list.numbers[list.count - 1], 59);
    assert_ok(wal_close(w));
    arena_free(&a);
    free(data);
    kit_remove(dir);
}

static void readers_follow_over_a_recovery(void **state)
{
    (void)state;
    char *dir = kit_folder();
    Tail t;
    WalRecord r;
    bool got;
    u64 n = 0;
    for (int life = 0; life < 6; life++) {
        Wal *w = kit_open(dir, 0);
        if (life == 0) assert_ok(tail_open(&t, dir, 0));
        for (u64 i = 0; i < 40; i++) {
            /* Small lives are copied whole under the same name, large ones only their last group.
             */
            assert_ok(kit_append(w, n, life % 3 == 0 ? 100 : 30000, NULL));
            assert_ok(wal_sync(w));
            n++;
            if (i % 3 == 0) continue; /* lags behind the end of the life */
            assert_ok(tail_next(&t, &r, &got));
            assert_true(got);
            kit_check_record(&r);
        }
        assert_ok(wal_close(w));
    }
    u64 next = r.sequence + 1;
    for (;; next++) {
        assert_ok(tail_next(&t, &r, &got));
        if (!got) break;
        assert_int_equal(r.sequence, next);
    }
    assert_int_equal(next, n);
    tail_close(&t);
    kit_remove(dir);
}

/* ---- every change of the disk */

/* What a run reached: numbers below `acked` were acknowledged, all at or after position `kept` must
 * be there. */
typedef struct {
    u64 acked;
    u64 kept;
    u64 ends[128];
} Reached;

/* Publishes, syncs, rolls, trims. Returns the first failure. What was acknowledged goes through the
 * pipe at once. */
static Err script(const char *dir, Reached *reached, int pipe_fd)
{
    Wal *w;
    u64 lost, n = reached->acked;
    WalRecord r;
    Err err = wal_open(&w, dir, &(WalOptions){.file_size = KIT_MIB}, reached->kept, &lost);
    if (err) return err;
    for (u64 i = 0; i < 14 && !err; i++) {
        u64 size = i % 8 == 5 ? KIT_MIB + 100 : i % 3 ? 200 : 300000;
        err = kit_append(w, n, size, &r);
        if (err) break;
        reached->ends[n++] = r.end;
        if (i % 3 == 1) continue;
        err = wal_sync(w);
        if (err) break;
        reached->acked = n;
        if (pipe_fd >= 0 && write(pipe_fd, reached, sizeof *reached) != sizeof *reached) _exit(3);
        if (i != 6 && i != 12) continue;
        reached->kept = reached->ends[n - 4];
        if (pipe_fd >= 0 && write(pipe_fd, reached, sizeof *reached) != sizeof *reached) _exit(3);
        err = wal_trim(w, reached->kept);
    }
    if (err) { /* after any failure of a write or sync nothing is acknowledged; others may be tried
                  again */
        u64 durable = wal_durable(w);
        for (int i = 0; i < 3; i++) {
            Err again = kit_append(w, n, 100, &r);
            if (!again) again = wal_sync(w);
            if (!again) {
                reached->ends[n++] = r.end;
                reached->acked = n;
            } else {
                assert_int_equal(wal_durable(w), durable);
            }
            durable = wal_durable(w);
        }
    }
    Err closed = wal_close(w);
    return err ? err : closed;
}

/* Opens what a run left: all that was acknowledged and kept is there once, in order; nothing that
 * never was. */
static void verify(const char *dir, const Reached *reached)
{
    Wal *w = NULL;
    u64 lost;
    assert_ok(wal_open(&w, dir, &(WalOptions){.file_size = KIT_MIB}, reached->kept, &lost));
    assert_int_equal(lost, reached->kept);
    assert_ok(kit_read(dir, reached->kept, &list));
    u64 first = 0;
    while (first < reached->acked && reached->ends[first] <= reached->kept)
        first++;
    for (u64 i = 0; i < list.count; i++)
        assert_int_equal(list.numbers[i], first + i);
    assert_true(first + list.count >= reached->acked);
    assert_true(first + list.count <= reached->acked + 3);
    assert_ok(wal_close(w));
}

/* Runs the script in a child that dies before change `at` (0 = never); *reached is what it
 * reported. True when it ended by itself. */
static bool run_child(const char *dir, Reached *reached, u64 at)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        if (!freopen("/dev/null", "w", stderr)) _exit(4);
        fault_arm(FAULT_KILL, at, false, 0);
        _exit(script(dir, reached, ends[1]) == E_OK ? 0 : 1);
    }
    close(ends[1]);
    Reached last;
    while (read(ends[0], &last, sizeof last) == sizeof last)
        *reached = last;
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != 137) assert_int_equal(WEXITSTATUS(status), 0);
    return WEXITSTATUS(status) == 0;
}

/* Opens the log in a child that dies before change `at`; true when it got through. */
static bool recover_child(const char *dir, const Reached *reached, u64 at)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        Wal *w;
        u64 lost;
        if (!freopen("/dev/null", "w", stderr)) _exit(4);
        fault_arm(FAULT_KILL, at, false, 0);
        Err err = wal_open(&w, dir, &(WalOptions){.file_size = KIT_MIB}, reached->kept, &lost);
        if (!err) err = wal_close(w);
        _exit(err == E_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != 137) assert_int_equal(WEXITSTATUS(status), 0);
    return WEXITSTATUS(status) == 0;
}

static void death_at_every_change_loses_nothing(void **state)
{
    (void)state;
    u64 points = 0, recoveries = 0;
    bool ended = false;
    for (u64 at = 1; !ended; at++, points++) {
        char *dir = kit_fast_folder();
        Reached reached = {0};
        ended = run_child(dir, &reached, at);
        /* Die in the recovery as well, at each of its changes, one after another. */
        for (u64 k = 1; at % 5 == 0 && !recover_child(dir, &reached, k); k++)
            recoveries++;
        verify(dir, &reached);
        u64 acked = reached.acked;
        assert_true(run_child(
            dir, &reached,
            0)); /* a second life goes on (numbers repeat for what was not acknowledged) */
        assert_true(reached.acked >= acked + 12);
        kit_remove(dir);
    }
    print_message("%llu points, %llu in recoveries, 0 failures\n", (unsigned long long)points,
                  (unsigned long long)recoveries);
    assert_true(points > 40);
}

static void every_failing_change_is_honest(void **state)
{
    (void)state;

    static const struct {
        FaultKind kind;
        bool lasting;
        int error;
    } faults[] = {{FAULT_ERROR, false, EIO},    {FAULT_ERROR, true, EIO},
                  {FAULT_ERROR, false, ENOSPC}, {FAULT_ERROR, true, ENOSPC},
                  {FAULT_ERROR, false, EINTR},  {FAULT_SHORT, false, 0}};

    u64 points = 0;
    for (u64 f = 0; f < COUNT_OF(faults); f++) {
        char *plain = kit_fast_folder();
        Reached none = {0};
        fault_arm(FAULT_NONE, 0, false, 0);
        assert_ok(script(plain, &none, -1));
        u64 top = fault_count();
        kit_remove(plain);
        for (u64 at = 1; at <= top; at++, points++) {
            char *dir = kit_fast_folder();
            Reached reached = {0};
            fault_arm(faults[f].kind, at, faults[f].lasting, faults[f].error);
            Err err = script(dir, &reached, -1);
            fault_arm(FAULT_NONE, 0, false, 0);
            if (faults[f].kind == FAULT_SHORT) assert_int_equal(err, E_OK);
            verify(dir, &reached);
            kit_remove(dir);
        }
    }
    print_message("%llu points\n", (unsigned long long)points);
    assert_true(points > 300);
}

static void the_gate_closes_for_good(void **state)
{
    (void)state;
    for (int sync = 0; sync < 2; sync++) {
        char *dir = kit_folder();
        Wal *w = kit_open(dir, 0);
        assert_ok(kit_append(w, 0, 100, NULL));
        assert_ok(wal_sync(w));
        assert_ok(kit_append(w, 1, 100, NULL));
        u64 durable = wal_durable(w);
        fault_arm(FAULT_ERROR, sync ? 2 : 1, false, EIO); /* 1 = the write, 2 = the sync */
        assert_err(E_IO, wal_sync(w));
        fault_arm(FAULT_NONE, 0, false, 0);
        assert_err(E_IO, wal_sync(w)); /* though the device is well again */
        assert_err(E_IO, wal_commit(w));
        assert_err(E_IO, kit_append(w, 2, 100, NULL));
        assert_err(E_IO, wal_trim(w, wal_end(w)));
        assert_non_null(strstr(fail_text(), "closed after a failure"));
        assert_int_equal(wal_durable(w), durable);
        assert_err(E_IO, wal_close(w));
        w = kit_open(dir, 0);
        assert_ok(kit_read(dir, 0, &list));
        assert_int_equal(list.numbers[0], 0);
        assert_true(list.count == 1 + (u64)sync);
        assert_ok(wal_close(w));
        kit_remove(dir);
    }
}

static void strange_files_stay(void **state)
{
    (void)state;
    char *dir = kit_folder();
    Wal *w = kit_open(dir, 0);
    assert_ok(wal_close(w));
    static const char *const names[] = {"notes",    "1.spare.bak", "x.wal",
                                        "-1.spare", "+1.new",      "1.newer"};
    for (u64 i = 0; i < COUNT_OF(names); i++)
        kit_store(kit_path(dir, names[i]), (const u8 *)"x", 1);
    /* Ours: unfinished, and of another size. */
    kit_store(kit_path(dir, "77.new"), (const u8 *)"x", 1);
    kit_store(kit_path(dir, "78.spare"), (const u8 *)"x", 1);
    kit_store(kit_path(dir, "durable"), (const u8 *)"short", 5);
    w = kit_open(dir, 0);
    assert_ok(kit_append(w, 0, 10, NULL));
    assert_ok(wal_close(w));
    for (u64 i = 0; i < COUNT_OF(names); i++)
        assert_int_equal(access(kit_path(dir, names[i]), F_OK), 0);
    assert_int_not_equal(access(kit_path(dir, "77.new"), F_OK), 0);
    assert_int_not_equal(access(kit_path(dir, "78.spare"), F_OK), 0);
    kit_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_torn_tail_is_cut_at_every_byte),
        cmocka_unit_test(any_pages_of_an_unsynced_group_may_be_missing),
        cmocka_unit_test(flipped_bits_are_damage_where_the_log_was_synced),
        cmocka_unit_test(damage_in_older_files_and_headers_is_found),
        cmocka_unit_test(readers_follow_over_a_recovery),
        cmocka_unit_test(death_at_every_change_loses_nothing),
        cmocka_unit_test(every_failing_change_is_honest),
        cmocka_unit_test(the_gate_closes_for_good),
        cmocka_unit_test(strange_files_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
