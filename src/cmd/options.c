/*
 * options: command line flags by table. Nothing is abbreviated and nothing unknown is let
 * through. */
#include "cmd/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "os/now.h"
#include "os/proc.h"

#define OPTIONS_COLUMN 24 /* bytes of a name and its value in help texts */

/* Handles one option; *eaten tells whether it took the following word. */
static Err take_option(const char *word, const char *next, const Option *options, bool *eaten)
{
    const char *name = word + (word[1] == '-' ? 2 : 1), *equals = strchr(name, '=');
    u64 size = equals != NULL ? (u64)(equals - name) : strlen(name);
    *eaten = false;
    for (const Option *o = options; o->name != NULL; o++) {
        if (strlen(o->name) != size || strncmp(o->name, name, size) != 0) continue;
        if (o->value == NULL) {
            if (equals != NULL) return fail(E_USAGE, "--%s takes no value", o->name);
            *o->flag = true;
            return E_OK;
        }
        if (equals == NULL && next == NULL)
            return fail(E_USAGE, "--%s needs a value: %s", o->name, o->value);
        *o->text = equals != NULL ? equals + 1 : next;
        *eaten = equals == NULL;
        return E_OK;
    }
    return fail(E_USAGE, "unknown option %s", word);
}

/* Whether a word is an option: two dashes, or one and a letter that is a name in the table. */
static bool is_option(const char *word, const Option *options)
{
    if (strncmp(word, "--", 2) == 0) return true;
    for (const Option *o = options; o->name != NULL && word[0] == '-' && word[1] != 0; o++)
        if (o->name[1] == 0 && o->name[0] == word[1] && word[2] == 0) return true;
    return false;
}

/* Prints the options and ends the process: `--help` may stand anywhere. */
static _Noreturn void show_help(const Option *options)
{
    Buf text = {0};
    int status = fail_exit(options_help(&text, options));
    printf("\noptions:\n%s", buf_str(&text));
    buf_free(&text);
    exit(fflush(stdout) == 0 ? status : fail_exit(E_IO));
}

Err options_parse(int *argc, char **argv, const Option *options)
{
    int kept = 0;
    bool ended = false;
    for (int i = 0; i < *argc; i++) {
        if (ended || !is_option(argv[i], options)) {
            argv[kept++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            ended = true;
        } else if (strcmp(argv[i], "--help") == 0) {
            show_help(options);
        } else {
            bool eaten = false;
            Err err = take_option(argv[i], i + 1 < *argc ? argv[i + 1] : NULL, options, &eaten);
            if (err != E_OK) return err;
            if (eaten) i++;
        }
    }
    *argc = kept;
    argv[kept] = NULL;
    return E_OK;
}

Err options_help(Buf *out, const Option *options)
{
    for (const Option *o = options; o->name != NULL; o++) {
        const char *value = o->value == NULL ? "" : o->value;
        int width = OPTIONS_COLUMN - (int)strlen(o->name);
        const char *dashes = o->name[1] == 0 ? " -" : "--";
        Err err =
            buf_format(out, "  %s%s %-*s %s\n", dashes, o->name, MAX(width, 1), value, o->help);
        if (err != E_OK) return err;
    }
    return E_OK;
}

Err options_number(const char *name, const char *text, i64 low, i64 high, i64 *out)
{
    if (!str_i64(str_of(text), out) || *out < low || *out > high)
        return fail(E_USAGE, "--%s %s: a whole number from %lld to %lld is expected", name, text,
                    (long long)low, (long long)high);
    return E_OK;
}

Err options_source(const OptionsCommon *c, ConfigSource *source)
{
    Err err = E_OK;
    i64 port = -1;
    *source =
        (ConfigSource){.path = c->file, .overrides = c->overrides, .sm_port = -1, .da_port = -1};
    source->idb = c->idb;
    source->hdb = c->hdb;
    source->wal = c->wal;
    if (c->sm_port != NULL) {
        TRY(options_number("sm-port", c->sm_port, 0, 65535, &port));
        source->sm_port = (i32)port;
    }
    if (c->da_port != NULL) {
        TRY(options_number("da-port", c->da_port, 0, 65535, &port));
        source->da_port = (i32)port;
    }
done:
    return err;
}

/* The level out of KXI_LOG_LEVELS: "default:info,..." or a bare name. */
static Str level_text(const char *text)
{
    Str rest = str_of(text), piece;
    while (str_split(&rest, ',', &piece)) {
        piece = str_trim(piece);
        if (str_starts(piece, STR("default:"))) return (Str){piece.data + 8, piece.size - 8};
        if (str_find(piece, ':') < 0) return piece;
    }
    return STR("info");
}

Err options_log(const OptionsCommon *c, const char *component)
{
    const char *levels = c->log_level != NULL ? c->log_level : proc_env("KXI_LOG_LEVELS");
    const char *form = c->log_format != NULL ? c->log_format : proc_env("KXI_LOG_FORMAT");
    LogLevel level = LOG_INFO;
    if (levels != NULL) {
        Arena a = {0};
        bool ok = log_level_parse(str_dup(&a, level_text(levels)), &level);
        arena_free(&a);
        if (!ok)
            return fail(E_USAGE, "log level %s: debug, info, warn, error or off is expected",
                        levels);
    }
    if (form != NULL && strcmp(form, "text") != 0 && strcmp(form, "json") != 0)
        return fail(E_USAGE, "log format %s: text or json is expected", form);
    log_init(component, level, form != NULL && strcmp(form, "json") == 0);
    log_clock(now_unix);
    return now_init();
}

void options_forward(const OptionsCommon *c, const char **argv, u32 *count)
{
    const struct {
        const char *name, *value;
    } all[] = {{"--idb", c->idb},
               {"--hdb", c->hdb},
               {"--wal", c->wal},
               {"--sm-port", c->sm_port},
               {"--da-port", c->da_port},
               {"--overrides", c->overrides},
               {"--log-level", c->log_level},
               {"--log-format", c->log_format}};

    for (u32 i = 0; i < COUNT_OF(all); i++) {
        if (all[i].value == NULL) continue;
        argv[(*count)++] = all[i].name;
        argv[(*count)++] = all[i].value;
    }
}
