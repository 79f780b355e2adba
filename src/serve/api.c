/*
 * api: the table of calls, and the answers that are the same over q IPC and HTTP.
 *
 * Entries are added before listening and never removed; lookups are linear over a table of a few
 * dozen names compared by length first. What differs between the two ways in is in ipc.c and
 * http.c.
 */
#include "serve/api.h"

#include <string.h>

#include "q/json.h"
#include "serve/http.h"
#include "serve/ipc.h"

#define API_ENTRIES_MAX 256

static struct {
    const ApiEntry *entries[API_ENTRIES_MAX];
    u32 name_sizes[API_ENTRIES_MAX];
    void *ctx[API_ENTRIES_MAX];
    bool brief[API_ENTRIES_MAX];
    u32 count;
    bool (*text)(void *ctx, Call *call);
    void *text_ctx;
} api;

static void add(const ApiEntry *entries, void *ctx, bool brief)
{
    for (const ApiEntry *e = entries; e->name != NULL || e->path != NULL; e++) {
        ASSERT(api.count < API_ENTRIES_MAX);
        api.entries[api.count] = e;
        api.name_sizes[api.count] = e->name == NULL ? 0 : (u32)strlen(e->name);
        api.brief[api.count] = brief;
        api.ctx[api.count++] = ctx;
    }
}

void api_add(const ApiEntry *entries, void *ctx) { add(entries, ctx, false); }

void api_add_brief(const ApiEntry *entries, void *ctx) { add(entries, ctx, true); }

bool api_is_brief(const ApiEntry *entry)
{
    for (u32 i = 0; i < api.count; i++)
        if (api.entries[i] == entry) return api.brief[i];
    return false;
}

const ApiEntry *api_find(Str name)
{
    for (u32 i = 0; i < api.count; i++)
        if (api.name_sizes[i] == name.size && name.size > 0 &&
            memcmp(api.entries[i]->name, name.data, name.size) == 0)
            return api.entries[i];
    return NULL;
}

const ApiEntry *api_find_path(Str method, Str path, Str *rest, bool *other)
{
    *other = false;
    for (u32 i = 0; i < api.count; i++) {
        const ApiEntry *e = api.entries[i];
        if (e->path == NULL) continue;
        u64 size = strlen(e->path);
        bool prefix = e->path[size - 1] == '/' && size > 1;
        if (prefix ? path.size <= size || memcmp(path.data, e->path, size) != 0
                   : !str_is(path, e->path))
            continue;
        if (!str_is(method, e->method)) {
            *other = true;
            continue;
        }
        *rest = prefix ? (Str){path.data + size, path.size - size} : (Str){path.data, 0};
        return e;
    }
    return NULL;
}

void api_dispatch(const ApiEntry *entry, Call *call)
{
    for (u32 i = 0; i < api.count; i++) {
        if (api.entries[i] != entry) continue;
        entry->handler(api.ctx[i], call);
        return;
    }
    fail_abort("a call of the table", __FILE__, __LINE__);
}

void api_text(bool (*handler)(void *ctx, Call *call), void *ctx)
{
    api.text = handler;
    api.text_ctx = ctx;
}

bool api_text_dispatch(Call *call) { return api.text != NULL && api.text(api.text_ctx, call); }

const ApiEntry *api_entry(u32 i) { return i < api.count ? api.entries[i] : NULL; }

u64 call_unread(const Call *c) { return c->http || c->conn == NULL ? 0 : ipc_unread(c); }

bool call_wants_q(const Call *c)
{
    if (!c->http) return true;
    Str accept = call_header(c, "Accept");
    return str_starts(accept, STR("application/octet-stream"));
}

/* An HTTP answer from a value. */
static void http_value(Call *c, const Value *v)
{
    Buf b = {0};
    bool q = call_wants_q(c);
    Err err = q ? wire_message(&b, WIRE_RESPONSE, v, 3) : json_write(&b, v);
    if (err == E_OK && !q) err = buf_byte(&b, '\n');
    if (err != E_OK) {
        buf_free(&b);
        call_fail(c, err);
        return;
    }
    call_http(c, 200, q ? "application/octet-stream" : "application/json", &b);
}

void call_value(Call *c, const Value *v)
{
    if (c->http)
        http_value(c, v);
    else
        ipc_answer_value(c, v);
}

/* Whether the same request may succeed later. */
static bool retryable(Err err)
{
    return err == E_BUSY || err == E_FULL || err == E_LIMIT || err == E_TIMEOUT ||
           err == E_CLOSED || err == E_MEMORY;
}

void call_fail(Call *c, Err err)
{
    char text[FAIL_TEXT_MAX];
    u64 size = MIN(strlen(fail_text()), sizeof text - 1);
    memcpy(text, fail_text(), size);
    text[size] = 0;
    if (!c->http) {
        ipc_answer_error(c, err, text);
        return;
    }
    Buf b = {0};
    Err bad = buf_text(&b, "{\"error\":");
    if (bad == E_OK) bad = json_quote(&b, (Str){text, size});
    if (bad == E_OK) bad = buf_format(&b, ",\"code\":\"%s\",\"detail\":", fail_name(err));
    if (bad == E_OK) bad = json_quote(&b, c->name);
    if (bad == E_OK)
        bad = buf_format(&b, ",\"retryable\":%s}\n", retryable(err) ? "true" : "false");
    if (bad != E_OK) buf_clear(&b);
    call_http(c, fail_http(err), "application/json", &b);
}

void call_message(Call *c, Buf *b)
{
    if (c->http)
        call_http(c, 200, "application/octet-stream", b);
    else
        ipc_answer_message(c, b);
}

void call_http(Call *c, int status, const char *content_type, Buf *b)
{
    ASSERT(c->http);
    http_answer(c, status, content_type, b);
}

Str call_header(const Call *c, const char *name)
{
    return c->http && c->conn != NULL ? http_header(c, name) : (Str){NULL, 0};
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes %XX and +. */
static Str url_decode(Arena *a, Str s)
{
    char *out = arena_raw(a, s.size + 1);
    u64 n = 0;
    for (u64 i = 0; i < s.size; i++) {
        if (s.data[i] == '%' && i + 2 < s.size && hex_digit(s.data[i + 1]) >= 0 &&
            hex_digit(s.data[i + 2]) >= 0) {
            out[n++] = (char)(hex_digit(s.data[i + 1]) * 16 + hex_digit(s.data[i + 2]));
            i += 2;
        } else {
            out[n++] = s.data[i] == '+' ? ' ' : s.data[i];
        }
    }
    out[n] = 0;
    return (Str){out, n};
}

Str call_param(Call *c, const char *name)
{
    Str rest = c->query, piece, key;
    while (rest.size > 0 && str_split(&rest, '&', &piece)) {
        Str value = piece;
        if (!str_split(&value, '=', &key) || !str_is(key, name)) continue;
        return value.data == NULL ? (Str){"", 0} : url_decode(&c->arena, value);
    }
    return (Str){NULL, 0};
}
