/*
 * kit: what tests of column/ and table/ share: a scratch folder, whole files in memory.
 */
#ifndef TEST_COLUMN_KIT_H
#define TEST_COLUMN_KIT_H

#include "base/fail.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char kit_folder[256];
static char kit_paths[8][512];

/* Fails the test with the recorded text when a call failed. */
#define ok(call)                                                                                   \
    do {                                                                                           \
        Err ok_err = (call);                                                                       \
        if (ok_err != E_OK) fail_msg("%s: %s: %s", #call, fail_name(ok_err), fail_text());         \
    } while (0)

/* Fails the test unless a call failed with `code` and a text that holds `part`. */
#define fails(code, part, call)                                                                    \
    do {                                                                                           \
        Err fails_err = (call);                                                                    \
        if (fails_err != (code) || strstr(fail_text(), (part)) == NULL)                            \
            fail_msg("%s: %s: %s", #call, fail_name(fails_err), fails_err ? fail_text() : "");     \
    } while (0)

static inline int kit_setup(void **state)
{
    const char *tmp = getenv("TMPDIR");
    (void)state;
    snprintf(kit_folder, sizeof kit_folder, "%s/silt-column.XXXXXX", tmp != NULL ? tmp : "/tmp");
    return mkdtemp(kit_folder) == NULL;
}

static inline int kit_teardown(void **state)
{
    char command[300];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", kit_folder);
    return system(command);
}

/* A path in the scratch folder; good for the next seven calls. */
static inline const char *kit_path(const char *name)
{
    static unsigned turn;
    char *out = kit_paths[turn++ % 8];
    snprintf(out, sizeof kit_paths[0], "%s/%s", kit_folder, name);
    return out;
}

/* A whole file in memory of its own (to be freed); NULL when there is none. */
static inline u8 *kit_read(const char *path, u64 *size)
{
    FILE *f = fopen(path, "rb");
    *size = 0;
    if (f == NULL) return NULL;
    fseek(f, 0, SEEK_END);
    *size = (u64)ftell(f);
    rewind(f);
    u8 *data = malloc(*size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *size, f), *size);
    fclose(f);
    return data;
}

static inline void kit_write(const char *path, const void *data, u64 size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* Replaces one byte of a file. */
static inline void kit_poke(const char *path, u64 at, u8 byte)
{
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
}

/* Compares a file with bytes written as hex text; blanks are skipped, "a*n" repeats a byte. */
static inline void kit_expect(const char *path, const char *hex)
{
    u64 size, at = 0;
    u8 *data = kit_read(path, &size);
    assert_non_null(data);
    while (*hex) {
        unsigned byte, times = 1;
        int used = 0;
        if (*hex == ' ' || *hex == '\n') {
            hex++;
            continue;
        }
        assert_int_equal(sscanf(hex, "%2x%n", &byte, &used), 1);
        hex += used;
        if (*hex == '*') {
            times = (unsigned)strtoul(hex + 1, NULL, 10);
            hex += 1 + strspn(hex + 1, "0123456789");
        }
        for (; times > 0; times--, at++) {
            if (at >= size || data[at] != byte)
                fail_msg("%s: byte %llu is %02x, expected %02x (size %llu)", path,
                         (unsigned long long)at, at < size ? data[at] : 0, byte,
                         (unsigned long long)size);
        }
    }
    assert_int_equal(at, size);
    free(data);
}

#endif
