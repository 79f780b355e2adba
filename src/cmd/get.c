/*
 * get: `silt get JSON|@FILE|-`: one getData call of a reader, its rows as a table, CSV or JSON.
 * With `-d DIR` no reader is asked: the database in a folder is opened for the one query.
 *
 * The answer is (header; payload). A header whose rc is not 0 tells an error: its text goes to
 * stderr, and its code (ac: 27 = not found, else 100 + ours) decides the exit status.
 */
#include "cmd/get.h"

#include <stdio.h>

#include "cmd/options.h"
#include "cmd/plain_base.h"
#include "cmd/talk.h"
#include "cmd/text.h"
#include "os/file.h"
#include "os/guard.h"
#include "os/input.h"
#include "q/json.h"
#include "q/wire.h"
#include "table/csv.h"

#define GET_REQUEST_MAX (16ull << 20)
#define GET_CALL_MS     600000
#define GET_NOT_FOUND   27
#define GET_OWN_CODES   100

typedef struct {
    OptionsCommon common;
    const char *host, *folder, *format, *timeout_text;
    i64 timeout_ms;
} Get;

/* Reads all of standard input. */
static Err read_stdin(Arena *a, Str *text)
{
    Err err = E_OK;
    Buf b = {.size_max = GET_REQUEST_MAX};
    bool end = false;
    while (!end) {
        u8 *to = NULL;
        u64 got = 0;
        TRY(buf_room(&b, 65536, &to));
        TRY(input_read(to, 65536, -1, &got, &end));
        buf_added(&b, got);
    }
    *text = (Str){arena_text(a, buf_str(&b), b.size), b.size};
done:
    buf_free(&b);
    return err;
}

/* The request's text: the word itself, of a file (@FILE), or of standard input (-). */
static Err read_request(const char *word, Arena *a, Str *text)
{
    u8 *data = NULL;
    if (strcmp(word, "-") == 0 || strcmp(word, "@-") == 0) return read_stdin(a, text);
    *text = str_of(word);
    if (word[0] != '@') return E_OK;
    Err err = file_read_all(word + 1, GET_REQUEST_MAX, a, &data, &text->size);
    text->data = (const char *)data;
    return err;
}

/* The error that a header tells, E_OK when it tells none. */
static Err header_error(const Value *header)
{
    i64 rc = 0, ac = 0;
    Str text = STR("the reader tells an error without a text");
    const Value *v = header->type == QT_DICT ? value_get(header, "rc") : NULL;
    if (v == NULL || !value_int_of(v, &rc)) return fail(E_CORRUPT, "the answer has no header");
    if (rc == 0) return E_OK;
    v = value_get(header, "ac");
    if (v == NULL || !value_int_of(v, &ac)) ac = 0;
    v = value_get(header, "ai");
    if (v != NULL) (void)value_text(v, &text);
    Err code = E_USAGE;
    if (ac == GET_NOT_FOUND) code = E_NOT_FOUND;
    if (ac > GET_OWN_CODES && ac < GET_OWN_CODES + E_COUNT) code = (Err)(ac - GET_OWN_CODES);
    return fail(code, "%.*s", STR_FMT(text));
}

static Err print_payload(const Value *payload, const char *format)
{
    Buf out = {0};
    Err err = E_OK;
    if (strcmp(format, "csv") == 0) {
        err = csv_write(&out, payload, true);
    } else if (strcmp(format, "json") == 0) {
        err = json_write(&out, payload);
        if (err == E_OK) err = buf_byte(&out, '\n');
    } else {
        err = text_write(&out, payload);
    }
    if (err == E_OK) err = talk_print(&out);
    buf_free(&out);
    return err;
}

static Err read_options(Get *g, int *argc, char **argv)
{
    Err err = E_OK;
    Option options[] = {
        OPTIONS_COMMON(g->common),
        {"d", "DIR", &g->folder, NULL, "ask the kdb+ database in this folder, without a reader"},
        {"host", "NAME", &g->host, NULL, "machine of the reader"},
        {"format", "FORM", &g->format, NULL, "table, csv or json (table)"},
        {"timeout", "MS", &g->timeout_text, NULL, "how long to wait for the answer"},
        {0}};
    TRY(options_parse(argc, argv, options));
    if (*argc < 1 || *argc > 2)
        TRY(fail(E_USAGE, "silt get JSON|@FILE|- [ASSEMBLY]: a request is expected"));
    if (g->folder != NULL && *argc == 2)
        TRY(fail(E_USAGE, "-d %s: an assembly file beside it says nothing", g->folder));
    g->common.file = *argc == 2 ? argv[1] : NULL;
    if (g->format == NULL) g->format = "table";
    if (strcmp(g->format, "table") != 0 && strcmp(g->format, "csv") != 0 &&
        strcmp(g->format, "json") != 0)
        TRY(fail(E_USAGE, "--format %s: table, csv or json is expected", g->format));
    g->timeout_ms = GET_CALL_MS;
    if (g->timeout_text != NULL)
        TRY(options_number("timeout", g->timeout_text, 1, INT32_MAX, &g->timeout_ms));
done:
    return err;
}

/* Asks a reader. */
static Err ask(const Get *g, const Value *request, Arena *a)
{
    Err err = E_OK;
    Client c = {.fd = -1};
    Value answer;
    TRY(talk_open(&c, &g->common, g->host, TALK_READER, (u32)g->timeout_ms));
    TRY(talk_call(&c, ".kxi.getData", request, NULL, a, &answer));
    if (answer.type != QT_LIST || value_count(&answer) != 2)
        TRY(fail(E_CORRUPT, "the answer is no (header; payload)"));
    Value header = value_at(&answer, 0), payload = value_at(&answer, 1);
    TRY(header_error(&header));
    TRY(print_payload(&payload, g->format));
done:
    client_close(&c);
    return err;
}

/* Opens a database for this one request. */
static Err look_up(const Get *g, const Value *request, Arena *a)
{
    Err err = E_OK;
    PlainBase *b = NULL;
    Value table;
    TRY(guard_start()); /* run_execute asks for it */
    TRY(plain_base_open(&b, g->folder, 1));
    TRY(plain_base_get(b, request, a, &table));
    for (u64 i = 0; table.type == QT_TABLE && i < table.as.table.count; i++) {
        Value *column = &table.as.table.cols[i]; /* as a reader's answer would be decoded */
        if (column->type == QT_NESTED) TRY(wire_rows(&column->as.vec, a, column));
    }
    TRY(print_payload(&table, g->format));
done:
    plain_base_release(b);
    return err;
}

int get_main(int argc, char **argv)
{
    Err err = E_OK;
    Arena a = {0};
    Get g = {0};
    Str text = {0};
    Value request;
    TRY(read_options(&g, &argc, argv));
    TRY(read_request(argv[0], &a, &text));
    TRY(json_parse(text, &a, &request));
    if (request.type != QT_DICT) TRY(fail(E_USAGE, "the request is no JSON object"));
    TRY(g.folder != NULL ? look_up(&g, &request, &a) : ask(&g, &request, &a));
done:;
    int status = talk_end(err);
    arena_free(&a);
    return status;
}
