/*
 * kit: what the tests of stream/ share: a temporary folder, numbered records, and the list of what
 * a log holds.
 */
#ifndef UNIT_STREAM_KIT_H
#define UNIT_STREAM_KIT_H

#include "base/prng.h"
#include "os/dir.h"
#include "os/fault.h"
#include "os/file.h"
#include "stream/tail.h"
#include "stream/wal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define KIT_MIB      (1ull << 20)
#define KIT_BODY_MAX (5 * KIT_MIB)

/* Fails the test with the text of the failure. */
#define assert_ok(call)                                                                            \
    do {                                                                                           \
        Err assert_ok_err = (call);                                                                \
        if (assert_ok_err != E_OK) fail_msg("%s: %s (%s)", #call, fail_text(), fail_where());      \
    } while (0)

#define assert_err(code, call) assert_string_equal(fail_name(code), fail_name(call))

static inline char *kit_folder_in(const char *base)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/silt-stream-XXXXXX", base) > 0);
    assert_non_null(mkdtemp(path));
    return path;
}

/* A fresh folder. */
static inline char *kit_folder(void)
{
    const char *base = getenv("TMPDIR");
    return kit_folder_in(base ? base : "/tmp");
}

/* A fresh folder in memory where there is one: for tests that open thousands of logs and need no
 * device. */
static inline char *kit_fast_folder(void)
{
    return access("/dev/shm", W_OK) == 0 ? kit_folder_in("/dev/shm") : kit_folder();
}

static inline void kit_remove(char *path)
{
    assert_ok(dir_remove_all(path));
    free(path);
}

/* "<folder>/<name>" in static memory; good for the next three calls. */
static inline const char *kit_path(const char *folder, const char *name)
{
    static char text[4][4096];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(text[turn], sizeof text[turn], "%s/%s", folder, name);
    return text[turn];
}

/* The body of the record with a number: any size, any bytes, always the same. */
static inline const u8 *kit_body(u64 number, u64 size)
{
    static u8 *body;
    if (!body) body = malloc(KIT_BODY_MAX + 8);
    assert_true(size <= KIT_BODY_MAX);
    u64 word = (number + 1) * 0x9e3779b97f4a7c15ull;
    for (u64 i = 0; i < size; i += 8) {
        word = word * 6364136223846793005ull + 1442695040888963407ull;
        memcpy(body + i, &word, 8);
    }
    return body;
}

/* Appends record `number` with a body of `size` bytes. */
static inline Err kit_append(Wal *w, u64 number, u64 size, WalRecord *out)
{
    WalRecord r = {
        .kind = number % 7 == 6 ? WAL_CONTROL : WAL_DATA,
        .rows = (u32)number,
        .publisher = 77,
        .session = 5,
        .sequence = number,
        .received = -(i64)number,
        .table = str_of(number % 2 ? "quote_table" : "trade"),
        .body = kit_body(number, size),
        .size = size,
    };
    Err err = wal_append(w, &r);
    if (out) *out = r;
    return err;
}

static inline void kit_check_record(const WalRecord *r)
{
    u64 n = r->sequence;
    assert_int_equal(r->kind, n % 7 == 6 ? WAL_CONTROL : WAL_DATA);
    assert_int_equal(r->rows, n);
    assert_int_equal(r->publisher, 77);
    assert_int_equal(r->session, 5);
    assert_int_equal(r->received, -(i64)n);
    assert_true(str_is(r->table, n % 2 ? "quote_table" : "trade"));
    assert_int_equal((uintptr_t)r->body % 8, 0);
    assert_memory_equal(r->body, kit_body(n, r->size), r->size);
}

/* The numbers of the records from a position on, checked one by one. */
typedef struct {
    u64 count;
    u64 numbers[8192];
    u64 begin[8192], end[8192];
} KitList;

static inline Err kit_read(const char *folder, u64 from, KitList *list)
{
    Tail t;
    bool got = true;
    list->count = 0;
    Err err = tail_open(&t, folder, from);
    u64 position = from;
    while (!err) {
        WalRecord r;
        err = tail_next(&t, &r, &got);
        if (err || !got) break;
        kit_check_record(&r);
        assert_true(r.position >= position);
        position = r.end;
        assert_true(list->count < 8192);
        list->numbers[list->count] = r.sequence;
        list->begin[list->count] = r.position;
        list->end[list->count++] = r.end;
    }
    if (!err) assert_true(t.position <= tail_durable(&t));
    tail_close(&t);
    return err;
}

/* Opens a log with files of 1 MiB. */
static inline Wal *kit_open(const char *folder, u64 from)
{
    Wal *w = NULL;
    u64 lost;
    assert_ok(wal_open(&w, folder, &(WalOptions){.file_size = KIT_MIB}, from, &lost));
    assert_int_equal(lost, from);
    return w;
}

/* All of a file, to be freed. */
static inline u8 *kit_load(const char *path, u64 *size)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *size = (u64)ftell(f);
    rewind(f);
    u8 *data = malloc(*size + 1);
    assert_int_equal(fread(data, 1, *size, f), *size);
    fclose(f);
    return data;
}

/* Writes a file; zeros at its end become a hole. */
static inline void kit_store(const char *path, const u8 *data, u64 size)
{
    u64 used = size;
    while (used && !data[used - 1])
        used--;
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, used, f), used);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(truncate(path, (off_t)size), 0);
}

/* How many entries of a folder end in `ending`. */
static inline u64 kit_count(const char *folder, const char *ending)
{
    Arena a = {0};
    DirEntry *entries;
    u64 count, n = 0;
    assert_ok(dir_list(folder, 100000, &a, &entries, &count));
    for (u64 i = 0; i < count; i++)
        n += str_ends(str_of(entries[i].name), str_of(ending));
    arena_free(&a);
    return n;
}

#endif
