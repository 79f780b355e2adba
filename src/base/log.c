/*
 * log: lines put together in the caller's LogLine, then written with one call.
 *
 * Nothing allocates. A line is at most sizeof LogLine.text; a value that does not fit is cut (text)
 * or left out (numbers), and LOG_RESERVE bytes always remain for what closes the line, so that a
 * JSON line stays JSON. Text that is not UTF-8 has its bad bytes replaced by U+FFFD. stderr is
 * unbuffered, so one fwrite is one write(2): the one place where base meets the kernel.
 *
 * log_init and log_clock are called while the process has one thread.
 */
#include "base/log.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define LOG_RESERVE 8 /* a quote, a brace, a line feed, and some */

static struct {
    char component[32];
    LogLevel level;
    bool json;
    i64 (*clock)(void);
} state = {.component = "silt", .level = LOG_INFO};

static const char *const level_names[] = {"DEBUG", "INFO", "WARN", "ERROR", "OFF"};

void log_init(const char *component, LogLevel level, bool json)
{
    snprintf(state.component, sizeof state.component, "%s", component);
    state.level = level;
    state.json = json;
}

void log_clock(i64 (*wall_ns)(void)) { state.clock = wall_ns; }

bool log_level_parse(const char *name, LogLevel *out)
{
    for (u32 k = 0; k < COUNT_OF(level_names); k++) {
        u64 i = 0;
        while (name[i] && (name[i] & ~0x20) == level_names[k][i])
            i++;
        if (name[i] || level_names[k][i]) continue;
        *out = (LogLevel)k;
        return true;
    }
    return false;
}

/* Bytes that may be added before the reserve; a quote may have been taken from that already. */
static u64 left(const LogLine *l)
{
    u64 end = sizeof l->text - LOG_RESERVE;
    return l->size < end ? end - l->size : 0;
}

/* Adds bytes if all of them fit. */
static bool put(LogLine *l, const char *text, u64 size)
{
    if (size > left(l)) return false;
    memcpy(l->text + l->size, text, size);
    l->size += (u32)size;
    return true;
}

static bool put_text(LogLine *l, const char *text) { return put(l, text, strlen(text)); }

/* The length of the UTF-8 sequence at p, 0 when it is none (overlong and surrogates included). */
static u64 utf8_size(const u8 *p)
{
    u64 size = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] > 0xf4) return 0;
    for (u64 i = 1; i < size; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)) return 0;
    if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) return 0;
    return size;
}

/* Adds one character of a quoted text, escaped as JSON asks; moves *p behind it. */
static bool put_char(LogLine *l, const u8 **p)
{
    const u8 *from = *p;
    u64 size = utf8_size(from);
    char escape[8];
    *p = from + MAX(size, 1);
    if (size == 0) return put_text(l, "\\ufffd");
    switch (*from) {
    case '"': return put_text(l, "\\\"");
    case '\\': return put_text(l, "\\\\");
    case '\n': return put_text(l, "\\n");
    case '\r': return put_text(l, "\\r");
    case '\t': return put_text(l, "\\t");
    default: break;
    }
    if (*from >= 0x20 && *from != 0x7f) return put(l, (const char *)from, size);
    snprintf(escape, sizeof escape, "\\u%04x", *from);
    return put_text(l, escape);
}

static void put_quoted(LogLine *l, const char *text)
{
    if (!put(l, "\"", 1)) return;
    const u8 *p = (const u8 *)text;
    while (*p && put_char(l, &p)) {}
    l->text[l->size++] = '"'; /* from the reserve */
}

/* Whether a value needs no quotes in a text line. */
static bool is_plain(const char *text)
{
    if (!*text) return false;
    for (const u8 *p = (const u8 *)text; *p; p++)
        if (*p <= ' ' || *p >= 0x7f || *p == '"' || *p == '=' || *p == '\\') return false;
    return true;
}

/* Begins a pair when `size` bytes of value will fit behind it. */
static bool put_key(LogLine *l, const char *key, u64 size)
{
    u64 need = strlen(key) + size + 5;
    if (need > left(l)) return false;
    if (!state.json) {
        put(l, " ", 1);
        put_text(l, key);
        return put(l, "=", 1);
    }
    if (l->size > 1) put(l, ",", 1);
    put(l, "\"", 1);
    put_text(l, key);
    return put(l, "\":", 2);
}

/* The date of a day number since 1970, by the 400-year cycle that begins on 1 March. */
static void civil(i64 day, i64 *year, int *month, int *mday)
{
    i64 z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    i64 doe = z - era * 146097;
    i64 yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    i64 doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *mday = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = yoe + era * 400 + (*month <= 2);
}

static void time_text(char *out, u64 size)
{
    const i64 day_ms = 86400000;
    i64 ms = state.clock() / 1000000, day = ms / day_ms, in_day = ms % day_ms, year;
    int month, mday;
    if (in_day < 0) {
        in_day += day_ms;
        day--;
    }
    civil(day, &year, &month, &mday);
    snprintf(out, size, "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ", (long long)year, month, mday,
             (int)(in_day / 3600000), (int)(in_day / 60000 % 60), (int)(in_day / 1000 % 60),
             (int)(in_day % 1000));
}

void log_begin(LogLine *l, LogLevel level, const char *event)
{
    char time[48] = "";
    l->size = 0;
    l->off = level < state.level || level >= LOG_OFF;
    if (l->off) return;
    if (state.clock) time_text(time, sizeof time);
    if (state.json) {
        put(l, "{", 1);
        if (*time) log_str(l, "time", time);
        log_str(l, "level", level_names[level]);
        log_str(l, "component", state.component);
    } else {
        put_text(l, time);
        put(l, " ", *time ? 1 : 0);
        put_text(l, level_names[level]);
        put(l, " ", 1);
        put_text(l, state.component);
    }
    log_str(l, "event", event);
}

void log_i64(LogLine *l, const char *key, i64 value)
{
    char text[24];
    if (l->off) return;
    snprintf(text, sizeof text, "%lld", (long long)value);
    if (put_key(l, key, strlen(text))) put_text(l, text);
}

void log_f64(LogLine *l, const char *key, f64 value)
{
    char text[40];
    if (l->off) return;
    snprintf(text, sizeof text, "%.9g", value);
    if (state.json && !isfinite(value)) memcpy(text, "null", 5);
    if (put_key(l, key, strlen(text))) put_text(l, text);
}

void log_str(LogLine *l, const char *key, const char *value)
{
    if (l->off || !put_key(l, key, 2)) return;
    if (state.json || !is_plain(value) || !put_text(l, value)) put_quoted(l, value);
}

void log_end(LogLine *l)
{
    if (l->off) return;
    if (state.json) l->text[l->size++] = '}';
    l->text[l->size++] = '\n';
    fwrite(l->text, 1, l->size, stderr);
    l->off = true;
}

void log_event(LogLevel level, const char *event, const char *format, ...)
{
    char text[FAIL_TEXT_MAX];
    LogLine l;
    va_list args;
    log_begin(&l, level, event);
    if (l.off) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_str(&l, "text", text);
    log_end(&l);
}

void log_fail(LogLevel level, const char *event, Err err)
{
    LogLine l;
    log_begin(&l, level, event);
    if (l.off) return;
    log_str(&l, "code", fail_name(err));
    log_str(&l, "text", fail_text());
    log_str(&l, "where", fail_where());
    log_end(&l);
}
