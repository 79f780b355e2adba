/*
 * config_fuzz: any bytes as an assembly file. Whatever they are, config_load ends with a verdict;
 * when that is good, what config_show prints must load again, and config_supported must have an
 * opinion.
 *
 *     make BUILD=fuzz fuzz && build/fuzz/fuzz/config_fuzz -max_len=65536 CORPUS
 */
#include "cmd/config.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static char path[64];

static void remove_file(void) { unlink(path); }

/* Loads bytes through a file in memory; the result is freed by the caller. */
static Err load(Config *c, const char *overrides, const void *data, u64 size)
{
    ConfigFinding *findings;
    u32 count;
    ConfigSource source = {.path = path, .overrides = overrides, .sm_port = -1, .da_port = -1};
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0) abort();
    Err err = config_load(c, &source, &findings, &count);
    bool wrong = false;
    for (u32 i = 0; i < count; i++) {
        ASSERT(findings[i].path && findings[i].rule && findings[i].text);
        wrong |= !findings[i].warning;
    }
    ASSERT((err == E_USAGE) == wrong);
    return err;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    Config c = {0}, again = {0};
    Buf shown = {0};
    if (!path[0]) {
        snprintf(path, sizeof path, "/dev/shm/config_fuzz.%d", (int)getpid());
        atexit(remove_file);
    }
    /* A file that begins with a comment has its overrides a and b laid over it. */
    if (load(&c, size && data[0] == '#' ? "a,b" : "", data, size) == E_OK) {
        Err err = config_supported(&c);
        ASSERT(err == E_OK || err == E_UNSUPPORTED);
        ASSERT(config_show(&c, &shown) == E_OK);
        ASSERT(load(&again, "", shown.data, shown.size) == E_OK);
        config_free(&again);
    }
    buf_free(&shown);
    config_free(&c);
    return 0;
}
