/*
 * plain_kit: small kdb+ databases made by hand in a temporary folder, for tests of what reads
 * them.
 */
#ifndef UNIT_DB_PLAIN_KIT_H
#define UNIT_DB_PLAIN_KIT_H

#include "base/arena.h"
#include "base/fail.h"
#include "base/str.h"
#include "os/dir.h"
#include "q/type.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define OK(call)                                                                                   \
    do {                                                                                           \
        Err test_err = (call);                                                                     \
        if (test_err != E_OK) fail_msg("%s: %s", fail_name(test_err), fail_text());                \
    } while (0)

/* ---- a tree */

static char root[128];
static Arena memory;

static inline char *at(const char *path) { return dir_join(&memory, root, path, NULL); }

static inline void begin(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/plain.XXXXXX", base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(root));
}

static inline void end(void)
{
    OK(dir_remove_all(root));
    arena_free(&memory);
}

static inline void put(const char *path, const void *data, u64 size)
{
    char *whole = arena_text(&memory, at(path), strlen(at(path)));
    char *slash = strrchr(whole, '/');
    *slash = 0;
    OK(dir_make_all(whole));
    *slash = '/';
    int fd = open(whole, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    close(fd);
}

static inline void text(const char *path, const char *data) { put(path, data, strlen(data)); }

/* A list of symbols: names ended by commas. */
static inline void symbols(const char *path, const char *names)
{
    u8 bytes[512] = {0xff, 0x01, QT_SYMBOL};
    u64 size = 8;
    for (; *names; names++)
        bytes[size++] = *names == ',' ? 0 : (u8)*names;
    put(path, bytes, size);
}

/* A column of `rows` zeros of 8 bytes. */
static inline void column(const char *path, int type, u64 rows)
{
    u8 bytes[16 + 8 * 16] = {0xfe, 0x20, (u8)type, 0};
    assert_true(rows <= 16);
    bytes[8] = (u8)rows;
    put(path, bytes, 16 + 8 * rows);
}

/* A table of two columns, time and size. */
static inline void table(const char *path, u64 rows)
{
    char name[300];
    snprintf(name, sizeof name, "%s/.d", path);
    symbols(name, "time,size,");
    snprintf(name, sizeof name, "%s/time", path);
    column(name, QT_TIMESTAMP, rows);
    snprintf(name, sizeof name, "%s/size", path);
    column(name, QT_LONG, rows);
}

#endif
