/*
 * operate: status, eoi, eod, part list.
 *
 * `part list` asks the manager when one runs; with an assembly file it reads the newest view from
 * disk, so it works without one.
 */
#include "cmd/operate.h"

#include <stdio.h>
#include <string.h>

#include "cmd/progress.h"
#include "cmd/status.h"
#include "cmd/talk.h"
#include "cmd/text.h"
#include "os/now.h"
#include "q/json.h"

#define OPERATE_CALL_MS 600000

typedef struct {
    OptionsCommon common;
    const char *host;
    bool json, wait, reader;
} Operate;

#define OPERATE_OPTIONS(o)                                                                         \
    OPTIONS_COMMON((o).common), {"host", "NAME", &(o).host, NULL, "machine of the manager"},       \
    {                                                                                              \
        "json", NULL, NULL, &(o).json, "print JSON"                                                \
    }

/* Prints a value as JSON or as text. */
static Err print(const Value *v, bool json)
{
    Buf out = {0};
    Err err = json ? json_write(&out, v) : text_write(&out, v);
    if (err == E_OK && json) err = buf_byte(&out, '\n');
    if (err != E_OK) {
        buf_free(&out);
        return err;
    }
    return talk_print(&out);
}

/* One call, its answer printed: of the manager, or of a reader where that may be chosen. */
static int simple(int argc, char **argv, const char *function, bool readers)
{
    Err err = E_OK;
    Arena a = {0};
    Client c = {.fd = -1};
    Value answer;
    Operate o = {0};
    Option options[] = {OPERATE_OPTIONS(o),
                        {"reader", NULL, NULL, &o.reader, "of a reader, not of the manager"},
                        {0}};
    if (!readers) options[COUNT_OF(options) - 2] = (Option){0};
    TRY(options_parse(&argc, argv, options));
    if (argc > 1) TRY(fail(E_USAGE, "unexpected argument %s", argv[1]));
    o.common.file = argc == 1 ? argv[0] : NULL;
    TRY(talk_open(&c, &o.common, o.host, o.reader ? TALK_READER : TALK_MANAGER, OPERATE_CALL_MS));
    TRY(talk_call(&c, function, NULL, NULL, &a, &answer));
    TRY(print(&answer, o.json));
done:
    client_close(&c);
    arena_free(&a);
    return talk_end(err);
}

int operate_status_main(int argc, char **argv) { return simple(argc, argv, ".silt.status", true); }

int operate_eoi_main(int argc, char **argv) { return simple(argc, argv, ".silt.eoi", false); }

/* Asks for the state of a request until it is completed. */
static Err wait_for_day(Client *c, Arena *a, Value *answer)
{
    Err err = E_OK;
    Str status = {0};
    Progress progress;
    progress_begin(&progress, "days");
    for (;;) {
        const Value *state = value_get(answer, "status"), *seq = value_get(answer, "seq");
        if (state == NULL || seq == NULL || !value_text(state, &status))
            TRY(fail(E_CORRUPT, "an answer without a status"));
        if (str_is(status, "completed")) break;
        progress_wait(&progress, status);
        now_sleep_ms(20);
        Value number = *seq;
        TRY(talk_call(c, ".silt.eodStatus", &number, NULL, a, answer));
    }
done:
    progress_end(&progress);
    return err;
}

int operate_eod_main(int argc, char **argv)
{
    Err err = E_OK;
    Arena a = {0};
    Client c = {.fd = -1};
    Value answer;
    Operate o = {0};
    Option options[] = {
        OPERATE_OPTIONS(o), {"wait", NULL, NULL, &o.wait, "wait until it is completed"}, {0}};
    TRY(options_parse(&argc, argv, options));
    if (argc > 1) TRY(fail(E_USAGE, "unexpected argument %s", argv[1]));
    o.common.file = argc == 1 ? argv[0] : NULL;
    TRY(talk_open(&c, &o.common, o.host, TALK_MANAGER, OPERATE_CALL_MS));
    TRY(talk_call(&c, ".silt.eod", NULL, NULL, &a, &answer));
    if (o.wait) TRY(wait_for_day(&c, &a, &answer));
    TRY(print(&answer, o.json));
done:
    client_close(&c);
    arena_free(&a);
    return talk_end(err);
}

/* Reads the parts of the newest view from disk. */
static Err parts_from_disk(const OptionsCommon *o, Arena *a, bool json)
{
    Err err = E_OK;
    Config config = {0};
    ConfigSource source;
    ConfigFinding *findings = NULL;
    Root root = {0};
    ViewCache cache;
    View *v = NULL;
    u32 count = 0;
    view_cache_init(&cache, &root);
    TRY(options_source(o, &source));
    TRY(config_load(&config, &source, &findings, &count));
    root_init(&root, config.name, config.idb->base, config.hdb->base, config.source->log_path,
              config.date_tiers, config.date_tier_count);
    TRY(view_open(&cache, true, &v));
    Value table = status_parts(v, &config, a);
    TRY(print(&table, json));
done:
    if (v != NULL) view_close(&cache, v);
    view_cache_free(&cache);
    root_close(&root);
    config_free(&config);
    return err;
}

int operate_part_main(int argc, char **argv)
{
    Err err = E_OK;
    Arena a = {0};
    Client c = {.fd = -1};
    Value answer;
    Operate o = {0};
    Option options[] = {OPERATE_OPTIONS(o), {0}};
    TRY(options_parse(&argc, argv, options));
    if (argc < 1 || argc > 2 || strcmp(argv[0], "list") != 0)
        TRY(fail(E_USAGE, "silt part list [ASSEMBLY]"));
    o.common.file = argc == 2 ? argv[1] : NULL;
    if (o.common.file != NULL) {
        TRY(parts_from_disk(&o.common, &a, o.json));
    } else {
        TRY(talk_open(&c, &o.common, o.host, TALK_MANAGER, OPERATE_CALL_MS));
        TRY(talk_call(&c, ".silt.parts", NULL, NULL, &a, &answer));
        TRY(print(&answer, o.json));
    }
done:
    client_close(&c);
    arena_free(&a);
    return talk_end(err);
}
