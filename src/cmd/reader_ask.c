/*
 * reader_ask: from a call to a dictionary. A q client sends (`.kxi.getData; arguments; callback;
 * options), a web client a body of JSON or of q bytes. What is decoded lives in the call's arena
 * and borrows from its message.
 */
#include "cmd/reader_ask.h"

#include "cmd/body.h"
#include "q/json.h"

/* Decodes the arguments of a call: a q dictionary or JSON. */
static Err arguments(Call *call, Value *args)
{
    if (call->http) {
        Str type = call_header(call, "Content-Type");
        if (str_starts(type, STR("application/octet-stream"))) {
            const u8 *body = NULL;
            u64 size = 0;
            Err err = body_open(call, &body, &size);
            return err == E_OK ? body_decode(call, body, size, args) : err;
        }
        return json_parse((Str){(const char *)call->data, call->data_size}, &call->arena, args);
    }
    if (call->arg_count < 1)
        return fail(E_USAGE, ".kxi.getData: a dictionary of arguments is expected");
    return body_decode(call, call->arg_at[0], call->args[0].size, args);
}

/* The options of a q call stand behind the callback: they join the arguments. */
static Err join_options(Arena *a, Value *args, const Value *options)
{
    Str name = {0};
    if (options->type != QT_DICT) return fail(E_USAGE, "options: a dictionary is expected");
    if (args->type != QT_DICT || args->as.dict.keys->type == QT_TABLE)
        return E_OK; /* refused by getdata_parse */
    u64 count = MIN(value_count(args->as.dict.keys), value_count(args->as.dict.values));
    Value joined = value_dict(a, count + 1);
    for (u64 i = 0; i < count; i++) {
        Value key = value_at(args->as.dict.keys, i);
        if (!value_text(&key, &name))
            return fail(E_USAGE, "the names of arguments are expected as keys");
        value_put(&joined, arena_text(a, name.data, name.size), value_at(args->as.dict.values, i));
    }
    value_put(&joined, "options", *options);
    *args = joined;
    return E_OK;
}

/* What stands behind the arguments of a q call: a callback, which must be null, and options. */
static Err more_arguments(Call *call, Value *args)
{
    Err err = E_OK;
    Value callback, options;
    Str name = {0};
    if (call->http || call->arg_count < 2) return E_OK;
    if (call->arg_count > 3)
        return fail(E_USAGE, ".kxi.getData: arguments, callback and options are expected");
    TRY(wire_decode(call->arg_at[1], call->args[1].size, &call->arena, &callback));
    if (!value_is_nothing(&callback) && !(value_text(&callback, &name) && name.size == 0))
        TRY(fail(E_UNSUPPORTED,
                 ".kxi.getData: callbacks are not there yet: ask synchronously, with a null one"));
    if (call->arg_count < 3) goto done;
    TRY(wire_decode(call->arg_at[2], call->args[2].size, &call->arena, &options));
    if (!value_is_nothing(&options)) TRY(join_options(&call->arena, args, &options));
done:
    return err;
}

Err reader_ask_arguments(Call *call, Value *args)
{
    Err err = arguments(call, args);
    if (err == E_OK && args->type != QT_DICT)
        err = fail(E_USAGE, "getData: a dictionary of arguments is expected");
    return err == E_OK ? more_arguments(call, args) : err;
}

Str reader_ask_corr(const Value *args)
{
    Str text = {0};
    const Value *options = value_get(args, "options");
    const Value *corr =
        options != NULL && options->type == QT_DICT ? value_get(options, "logCorr") : NULL;
    if (corr == NULL || !value_text(corr, &text)) return (Str){0};
    return text;
}
