/*
 * fail: the record of the last failure, one for each thread.
 *
 * Text is formatted aside and then copied, so that a text may quote the one before it. Nothing here
 * allocates: a failure can be reported when memory is gone.
 */
#include "base/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static _Thread_local FailRecord last;

#define FAIL_NAME(code, signal, http, status)   #code,
#define FAIL_SIGNAL(code, signal, http, status) signal,
#define FAIL_HTTP(code, signal, http, status)   http,
#define FAIL_EXIT(code, signal, http, status)   status,

static const char *const code_names[] = {FAIL_CODES(FAIL_NAME)};
static const char *const code_signals[] = {FAIL_CODES(FAIL_SIGNAL)};
static const short code_https[] = {FAIL_CODES(FAIL_HTTP)};
static const short code_exits[] = {FAIL_CODES(FAIL_EXIT)};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void remember(Err code, const char *file, int line, const char *text)
{
    ASSERT(code > E_OK && code < E_COUNT);
    last.code = code;
    last.file = file;
    last.line = line;
    memcpy(last.text, text, strlen(text) + 1);
}

Err fail_at(Err code, const char *file, int line, const char *format, ...)
{
    char text[FAIL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    remember(code, file, line, text);
    return code;
}

static Err errno_code(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT: return E_FULL;
    case EACCES:
    case EPERM: return E_DENIED;
    case ENOENT: return E_NOT_FOUND;
    default: return E_IO;
    }
}

Err fail_errno_at(int error, const char *file, int line, const char *format, ...)
{
    char text[FAIL_TEXT_MAX], spare[128];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    u64 used = size < 0 ? 0 : MIN((u64)size, sizeof text - 1);
    snprintf(text + used, sizeof text - used, ": %s", strerror_r(error, spare, sizeof spare));
    Err code = errno_code(error);
    remember(code, file, line, text);
    return code;
}

Err fail_note(Err code, const char *format, ...)
{
    if (code == E_OK) return code;
    char text[FAIL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    u64 used = size < 0 ? 0 : MIN((u64)size, sizeof text - 3);
    memcpy(text + used, ": ", 2);
    used += 2;
    u64 kept = MIN(strlen(last.text), sizeof text - 1 - used);
    memmove(last.text + used, last.text, kept);
    memcpy(last.text, text, used);
    last.text[used + kept] = 0;
    return code;
}

const char *fail_text(void) { return last.text; }

const char *fail_where(void)
{
    static _Thread_local char where[128];
    if (!last.file) return "";
    snprintf(where, sizeof where, "%s:%d", base_name(last.file), last.line);
    return where;
}

Err fail_last(void) { return last.code; }

void fail_save(FailRecord *record) { *record = last; }

void fail_restore(const FailRecord *record) { last = *record; }

const char *fail_signal(Err code)
{
    ASSERT(code < E_COUNT);
    return code_signals[code];
}

int fail_http(Err code)
{
    ASSERT(code < E_COUNT);
    return code_https[code];
}

int fail_exit(Err code)
{
    ASSERT(code < E_COUNT);
    return code_exits[code];
}

const char *fail_name(Err code)
{
    /* Lower-cased once a call into this thread's own row, so that the table above stays the
     * truth. */
    static _Thread_local char names[E_COUNT][16];
    ASSERT(code < E_COUNT);
    const char *from = code_names[code] + 2;
    char *to = names[code];
    u64 i = 0;
    for (; from[i] && i + 1 < sizeof names[0]; i++) {
        bool upper = from[i] >= 'A' && from[i] <= 'Z';
        to[i] = upper ? (char)(from[i] - 'A' + 'a') : from[i];
    }
    to[i] = 0;
    return to;
}

_Noreturn void fail_abort(const char *cond, const char *file, int line)
{
    fprintf(stderr, "silt: broken assumption at %s:%d: %s\n", base_name(file), line, cond);
    abort();
}
