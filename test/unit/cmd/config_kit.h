/*
 * config_kit: what the tests of the configuration share: a small sound assembly, and loads of it
 * with one line changed.
 *
 * Include after cmocka.h. Files are made in a folder of their own, which kit_done removes.
 */
#ifndef UNIT_CMD_CONFIG_KIT_H
#define UNIT_CMD_CONFIG_KIT_H

#include "cmd/config.h"
#include "os/dir.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>

/* One text a line; the comments give the numbers that tests name. */
static const char *const kit_lines[] = {
    /*  1 */ "name: t",
    /*  2 */ "labels: {site: a}",
    /*  3 */ "tables:",
    /*  4 */ "  trade:",
    /*  5 */ "    type: partitioned",
    /*  6 */ "    prtnCol: time",
    /*  7 */ "    sortColsDisk: sym",
    /*  8 */ "    columns:",
    /*  9 */ "      - name: time",
    /* 10 */ "        type: timestamp",
    /* 11 */ "      - name: sym",
    /* 12 */ "        type: symbol",
    /* 13 */ "        attrDisk: parted",
    /* 14 */ "      - name: px",
    /* 15 */ "        type: float",
    /* 16 */ "bus:",
    /* 17 */ "  stream:",
    /* 18 */ "    protocol: rt",
    /* 19 */ "    topic: data",
    /* 20 */ "mounts:",
    /* 21 */ "  rdb: {type: stream, partition: none, baseURI: none}",
    /* 22 */ "  idb: {type: local, partition: ordinal, baseURI: 'file:///d/idb'}",
    /* 23 */ "  hdb: {type: local, partition: date, baseURI: 'file:///d/hdb'}",
    /* 24 */ "elements:",
    /* 25 */ "  sm:",
    /* 26 */ "    source: stream",
    /* 27 */ "    tiers:",
    /* 28 */ "      - name: stream",
    /* 29 */ "        mount: rdb",
    /* 30 */ "      - name: idb",
    /* 31 */ "        mount: idb",
    /* 32 */ "        schedule: {freq: 00:05:00}",
    /* 33 */ "      - name: hdb",
    /* 34 */ "        mount: hdb",
    /* 35 */ "        schedule: {snap: 01:35:00}",
    /* 36 */ "  dap:",
    /* 37 */ "    instances:",
    /* 38 */ "      all: {mountList: [rdb, idb, hdb]}",
};

typedef struct {
    char dir[256], file[300];
    Config c;
    ConfigFinding *findings;
    u32 count;
    Err err;
    ConfigSource source;
} Kit;

static const char *const kit_variables[] = {
    "KXI_ASSEMBLY_FILE", "KXI_ASSEMBLY_OVERRIDES", "KXI_PORT", "KXI_SC",
    "SILT_SM_PORT",      "SILT_DA_PORT",           "SILT_IDB", "SILT_HDB",
    "SILT_WAL"};

static void kit_init(Kit *k)
{
    const char *tmp = getenv("TMPDIR");
    *k = (Kit){.source = {.sm_port = -1, .da_port = -1}};
    for (u32 i = 0; i < COUNT_OF(kit_variables); i++)
        unsetenv(kit_variables[i]);
    snprintf(k->dir, sizeof k->dir, "%s/config_XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(k->dir));
    snprintf(k->file, sizeof k->file, "%s/assembly.yaml", k->dir);
    k->source.path = k->file;
}

static void kit_done(Kit *k)
{
    config_free(&k->c);
    assert_int_equal(dir_remove_all(k->dir), E_OK);
}

/* Loads a text of `size` bytes. */
static void kit_load_bytes(Kit *k, const char *text, u64 size)
{
    config_free(&k->c);
    assert_int_equal(file_replace(k->file, text, size), E_OK);
    k->err = config_load(&k->c, &k->source, &k->findings, &k->count);
}

static inline void kit_load(Kit *k, const char *text) { kit_load_bytes(k, text, strlen(text)); }

/* The sound assembly with line `at` replaced by `text` (0 = none); the caller frees it. */
static inline char *kit_text(u32 at, const char *text)
{
    Buf b = {0};
    for (u32 i = 0; i < COUNT_OF(kit_lines); i++)
        assert_int_equal(buf_format(&b, "%s\n", i + 1 == at ? text : kit_lines[i]), E_OK);
    char *all = strdup(buf_str(&b));
    buf_free(&b);
    return all;
}

static inline void kit_load_changed(Kit *k, u32 at, const char *text)
{
    char *all = kit_text(at, text);
    kit_load(k, all);
    free(all);
}

/* Expects the load to have passed without findings. */
static inline void kit_expect_clean(const Kit *k)
{
    if (k->err) print_error("%s\n", fail_text());
    for (u32 i = 0; i < k->count; i++)
        print_error("%u: %s: %s\n", k->findings[i].line, k->findings[i].path, k->findings[i].text);
    assert_int_equal(k->err, E_OK);
    assert_int_equal(k->count, 0);
}

/* Expects a finding at that line and path; `part` is part of its text (NULL = any). */
static inline void kit_expect(const Kit *k, bool warning, u32 line, const char *path,
                              const char *rule, const char *part)
{
    for (u32 i = 0; i < k->count; i++) {
        const ConfigFinding *f = &k->findings[i];
        if (f->warning == warning && f->line == line && !strcmp(f->path, path) &&
            !strcmp(f->rule, rule) && (!part || strstr(f->text, part)))
            return;
    }
    for (u32 i = 0; i < k->count; i++)
        print_error("found %u:%u: %s: %s: %s%s\n", k->findings[i].line, k->findings[i].column,
                    k->findings[i].path, k->findings[i].rule, k->findings[i].text,
                    k->findings[i].warning ? " (warning)" : "");
    fail_msg("no finding in line %u at %s of rule %s", line, path, rule);
}

/* One changed line and the one finding that it must bring. */
typedef struct {
    u32 at;
    const char *text;
    u32 line;
    const char *path, *rule, *part;
} KitCase;

/* Runs cases: each must fail with just this error (warnings may stand beside it), or pass with just
 * this warning. */
static inline void kit_run(Kit *k, const KitCase *cases, u32 count, bool warning)
{
    for (u32 i = 0; i < count; i++) {
        const KitCase *c = &cases[i];
        kit_load_changed(k, c->at, c->text);
        u32 same = 0;
        for (u32 j = 0; j < k->count; j++)
            same += warning || !k->findings[j].warning;
        if (same != 1) print_error("case %u: %s: %u findings\n", i, c->text, same);
        kit_expect(k, warning, c->line, c->path, c->rule, c->part);
        assert_int_equal(same, 1);
        assert_int_equal(k->err, warning ? E_OK : E_USAGE);
        if (!warning) assert_non_null(strstr(fail_text(), c->path));
    }
}

#endif
