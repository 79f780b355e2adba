/*
 * talk: how command line tools find and call a manager or reader. Blocking, one connection, one
 * request at a time.
 */
#include "cmd/talk.h"

#include <stdio.h>

#include "os/proc.h"

#define TALK_SM_PORT 10001
#define TALK_DA_PORT 5080

/* The address from the assembly, when there is one. */
static Err from_assembly(const OptionsCommon *o, TalkTo to, Arena *a, const char **host, i64 *port)
{
    Err err = E_OK;
    Config config = {0};
    ConfigSource source;
    ConfigFinding *findings = NULL;
    u32 count = 0;
    TRY(options_source(o, &source));
    TRY(config_load(&config, &source, &findings, &count));
    if (to == TALK_READER && config.dap_count == 0)
        TRY(fail(E_USAGE, "%s: no reader is configured", config.file));
    const char *name = to == TALK_MANAGER ? config.host : config.daps[0].host;
    *host = arena_text(a, name, strlen(name));
    *port = to == TALK_MANAGER ? config.port : config.daps[0].port;
done:
    config_free(&config);
    return err;
}

Err talk_open(Client *c, const OptionsCommon *o, const char *host, TalkTo to, u32 timeout_ms)
{
    Err err = E_OK;
    Arena a = {0};
    const char *option = to == TALK_MANAGER ? o->sm_port : o->da_port;
    const char *given =
        option != NULL ? option : proc_env(to == TALK_MANAGER ? "SILT_SM_PORT" : "SILT_DA_PORT");
    const char *found = NULL;
    i64 port = to == TALK_MANAGER ? TALK_SM_PORT : TALK_DA_PORT;
    *c = (Client){.fd = -1};
    if (given != NULL)
        TRY(options_number(to == TALK_MANAGER ? "sm-port" : "da-port", given, 1, 65535, &port));
    else if (o->file != NULL || proc_env("KXI_ASSEMBLY_FILE") != NULL)
        TRY(from_assembly(o, to, &a, &found, &port));
    if (host == NULL) host = found == NULL ? "127.0.0.1" : found;
    err = client_open(c, host, (u16)port, timeout_ms);
    if (err != E_OK)
        err = fail_note(err, "the %s at %s:%lld does not answer",
                        to == TALK_MANAGER ? "manager" : "reader", host, (long long)port);
done:
    arena_free(&a);
    return err;
}

Err talk_call(Client *c, const char *function, const Value *first, const Value *second, Arena *a,
              Value *answer)
{
    u64 count = 1u + (first != NULL) + (second != NULL);
    Value request = value_list(a, MAX(count, 2));
    Value *items = vec_value(&request.as.vec);
    items[0] = value_symbol(function);
    if (first != NULL) items[1] = *first;
    if (second != NULL) items[2] = *second;
    return client_call(c, &request, a, answer);
}

int talk_end(Err err)
{
    if (err != E_OK) fprintf(stderr, "silt: %s\n", fail_text());
    return fail_exit(err);
}

Err talk_print(Buf *b)
{
    Err err = E_OK;
    if (b->size > 0 && fwrite(b->data, 1, b->size, stdout) != b->size)
        err = fail(E_IO, "standard output cannot be written");
    if (err == E_OK && fflush(stdout) != 0) err = fail(E_IO, "standard output cannot be written");
    buf_free(b);
    return err;
}
