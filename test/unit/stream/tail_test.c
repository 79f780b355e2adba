/*
 * tail: another process follows while the log is written, rolled, trimmed and opened anew; what a
 * tail says when the position is gone or the bytes are bad.
 */
#include "unit/stream/kit.h"

#include "os/now.h"

/* Follows from position 0 until record `stop`; exits 0 when each was met once, in order. */
static void follow(const char *dir, u64 stop)
{
    Tail t = {0};
    WalRecord r;
    bool got;
    while (tail_open(&t, dir, 0) == E_NOT_FOUND)
        now_sleep_ms(1);
    for (u64 n = 0; n < stop;) {
        if (tail_next(&t, &r, &got) != E_OK) {
            dprintf(2, "%s\n", fail_text());
            _exit(2);
        }
        if (!got) {
            if (t.position > tail_durable(&t)) _exit(3);
            continue;
        }
        if (r.sequence != n++ || r.end > tail_durable(&t)) _exit(4);
        kit_check_record(&r);
    }
    tail_close(&t);
    _exit(0);
}

static void processes_follow_while_it_is_written(void **state)
{
    (void)state;
    char *dir = kit_folder();

    enum { FOLLOWERS = 2, LIVES = 3, EACH = 150 };

    pid_t pids[FOLLOWERS];
    for (int i = 0; i < FOLLOWERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) follow(dir, LIVES * EACH);
    }
    Prng p;
    prng_init(&p, 3);
    u64 n = 0;
    for (int life = 0; life < LIVES; life++) {
        Wal *w = kit_open(dir, 0);
        for (u64 i = 0; i < EACH; i++) {
            assert_ok(kit_append(w, n++, prng_below(&p, i % 50 == 49 ? 2 * KIT_MIB : 30000), NULL));
            if (prng_below(&p, 3) == 0) assert_ok(wal_sync(w));
        }
        assert_ok(wal_close(w));
    }
    for (int i = 0; i < FOLLOWERS; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    kit_remove(dir);
}

/* A reader close behind the writer, which trims what the reader says it has taken, and so uses
 * files again. */
static void a_process_follows_over_files_used_again(void **state)
{
    (void)state;
    char *dir = kit_folder();

    enum { COUNT = 600 };

    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        Tail t = {0};
        WalRecord r;
        bool got;
        while (tail_open(&t, dir, 0) == E_NOT_FOUND)
            now_sleep_ms(1);
        for (u64 n = 0; n < COUNT;) {
            if (tail_next(&t, &r, &got) != E_OK) _exit(2);
            if (!got) continue;
            kit_check_record(&r);
            if (r.sequence != n++) _exit(3);
            if (write(ends[1], &r.end, 8) != 8) _exit(4);
        }
        _exit(0);
    }
    close(ends[1]);
    Wal *w = kit_open(dir, 0);
    u64 oldest = 0, taken, spares = 0;
    for (u64 n = 0; n < COUNT; n++) {
        assert_ok(kit_append(w, n, 20000, NULL));
        assert_ok(wal_sync(w));
        assert_int_equal(read(ends[0], &taken, 8), 8);
        assert_ok(wal_trim(w, taken));
        spares = MAX(spares, kit_count(dir, ".spare"));
        oldest = wal_oldest(w);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(oldest > 10 * KIT_MIB);
    assert_true(spares > 0);
    assert_ok(wal_close(w));
    close(ends[0]);
    kit_remove(dir);
}

static void a_tail_waits_at_every_end(void **state)
{
    (void)state;
    char *dir = kit_folder();
    Tail t;
    WalRecord r;
    bool got;
    Wal *w = kit_open(dir, 0);
    assert_ok(tail_open(&t, dir, 0));
    for (u64 n = 0; n < 100; n++) {
        assert_ok(tail_next(&t, &r, &got));
        assert_false(got);
        assert_ok(tail_next(&t, &r, &got));
        assert_false(got);
        assert_ok(kit_append(w, n, 65536, NULL));
        assert_ok(tail_next(&t, &r, &got));
        assert_false(got); /* not durable */
        assert_ok(wal_sync(w));
        assert_ok(tail_next(&t, &r, &got));
        assert_true(got);
        assert_int_equal(r.sequence, n);
        kit_check_record(&r);
    }
    tail_close(&t);
    /* A position beyond the end waits too. */
    assert_ok(tail_open(&t, dir, wal_end(w) + 4096));
    assert_ok(tail_next(&t, &r, &got));
    assert_false(got);
    tail_close(&t);
    assert_ok(wal_close(w));
    kit_remove(dir);
}

static void damage_is_named(void **state)
{
    (void)state;
    char *dir = kit_folder();
    Tail t;
    WalRecord r;
    bool got;
    char name[WAL_NAME_MAX];
    u64 size;
    Wal *w = kit_open(dir, 0);
    for (u64 n = 0; n < 3; n++)
        assert_ok(kit_append(w, n, 500, &r));
    assert_ok(wal_sync(w));
    wal_file_name(0, name);
    u8 *data = kit_load(kit_path(dir, name), &size);
    u64 middle = r.position - (r.end - r.position) / 2 + WAL_FILE_HEADER;
    data[middle] ^= 4;
    kit_store(kit_path(dir, name), data, size);
    assert_ok(tail_open(&t, dir, 0));
    assert_ok(tail_next(&t, &r, &got));
    assert_true(got);
    u64 bad = r.end;
    for (int i = 0; i < 3; i++) { /* again and again, never passed over */
        assert_err(E_CORRUPT, tail_next(&t, &r, &got));
        assert_false(got);
        assert_int_equal(t.position, bad);
        char text[48];
        snprintf(text, sizeof text, "position %llu: checksum", (unsigned long long)bad);
        assert_non_null(strstr(fail_text(), text));
    }
    data[middle] ^= 4;
    kit_store(kit_path(dir, name), data, size);
    assert_ok(tail_next(
        &t, &r, &got)); /* the file was written anew under its name: same id, mapped before */
    assert_true(got);
    tail_close(&t);
    /* A position that is none. */
    assert_ok(tail_open(&t, dir, bad + 8));
    assert_err(E_CORRUPT, tail_next(&t, &r, &got));
    tail_close(&t);
    /* The file is gone. */
    assert_ok(dir_unlink(kit_path(dir, name)));
    assert_ok(tail_open(&t, dir, 0));
    assert_err(E_CORRUPT, tail_next(&t, &r, &got));
    assert_non_null(strstr(fail_text(), "no file holds position 0"));
    tail_close(&t);
    free(data);
    assert_ok(wal_close(w));
    kit_remove(dir);
}

static void the_page_is_checked(void **state)
{
    (void)state;
    char *dir = kit_folder();
    Tail t = {0};
    tail_close(&t);
    assert_err(E_NOT_FOUND, tail_open(&t, kit_path(dir, "nowhere"), 0));
    static u8 zeros[WAL_SHARED_SIZE];
    kit_store(kit_path(dir, "durable"), zeros, sizeof zeros);
    assert_err(E_NOT_FOUND, tail_open(&t, dir, 0));
    kit_store(kit_path(dir, "durable"), zeros, 100);
    assert_err(E_CORRUPT, tail_open(&t, dir, 0));
    tail_close(&t);
    kit_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes_follow_while_it_is_written),
        cmocka_unit_test(a_process_follows_over_files_used_again),
        cmocka_unit_test(a_tail_waits_at_every_end),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(the_page_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
