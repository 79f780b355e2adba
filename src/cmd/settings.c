/*
 * settings: `silt config check FILE`: every violated rule with file, line, path and rule; `silt
 * config show FILE`: what is in force and why; `silt config reference`: all keys, as the man page
 * has them.
 */
#include "cmd/settings.h"

#include <stdio.h>
#include <string.h>

#include "cmd/config.h"
#include "cmd/options.h"
#include "cmd/talk.h"

/* Prints findings one a line; returns how many are no mere warnings. */
static u32 print_findings(const char *file, const ConfigFinding *findings, u32 count)
{
    u32 errors = 0;
    for (u32 i = 0; i < count; i++) {
        const ConfigFinding *f = &findings[i];
        errors += !f->warning;
        fprintf(stderr, "%s:%u:%u: %s%s: %s: %s\n", file, f->line, f->column,
                f->warning ? "warning: " : "", f->path, f->rule, f->text);
    }
    return errors;
}

static Err check(const OptionsCommon *o)
{
    Config config = {0};
    ConfigSource source;
    ConfigFinding *findings = NULL;
    u32 count = 0;
    Err err = options_source(o, &source);
    if (err == E_OK) err = config_load(&config, &source, &findings, &count);
    if (print_findings(o->file == NULL ? "assembly" : o->file, findings, count) == 0 &&
        err == E_OK) {
        printf("%s: ok: %u tables, %u tiers, %u readers\n", config.file, config.tables.count,
               config.tier_count, config.dap_count);
        if (config_supported(&config) != E_OK)
            printf("note: silt up refuses it: %s\n", fail_text());
    } else if (count > 0 && err == E_USAGE) {
        err = fail(E_USAGE, "%s: %u rules are violated", o->file == NULL ? "assembly" : o->file,
                   count);
    }
    config_free(&config);
    return err;
}

static Err show(const OptionsCommon *o)
{
    Err err = E_OK;
    Config config = {0};
    ConfigSource source;
    ConfigFinding *findings = NULL;
    u32 count = 0;
    Buf out = {0};
    TRY(options_source(o, &source));
    TRY(config_load(&config, &source, &findings, &count));
    TRY(config_show(&config, &out));
    TRY(talk_print(&out));
done:
    buf_free(&out);
    config_free(&config);
    return err;
}

int settings_main(int argc, char **argv)
{
    Err err = E_OK;
    Buf out = {0};
    OptionsCommon o = {0};
    Option options[] = {OPTIONS_COMMON(o), {0}};
    TRY(options_parse(&argc, argv, options));
    if (argc >= 1 && strcmp(argv[0], "reference") == 0) {
        TRY(config_reference(&out));
        TRY(talk_print(&out));
        goto done;
    }
    if (argc < 1 || argc > 2) TRY(fail(E_USAGE, "silt config check|show FILE"));
    o.file = argc == 2 ? argv[1] : NULL;
    if (strcmp(argv[0], "check") == 0)
        TRY(check(&o));
    else if (strcmp(argv[0], "show") == 0)
        TRY(show(&o));
    else
        TRY(fail(E_USAGE, "silt config %s: check or show is expected", argv[0]));
done:
    buf_free(&out);
    return talk_end(err);
}
