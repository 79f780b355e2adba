/*
 * log: one line an event, to stderr (storage-manager.md section 24, O-88).
 *
 * Text:  2026-01-02T03:04:05.678Z INFO sm event=view.publish view=42 rows=1000 text="..."
 * JSON:  {"time":"...","level":"INFO","component":"sm","event":"view.publish","view":42,...}
 * Event codes are stable; values are not prose. Each line is one write, so lines of several
 * processes do not mix. The clock comes from outside (log_clock), as base sees no kernel.
 * Rooms below writedown do not log. Callable from any thread.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/fail.h"
#include "base/types.h"

typedef enum { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF } LogLevel;

/* Sets who speaks ("sm", "eoi"), the lowest level shown, and JSON or text. */
void log_init(const char *component, LogLevel level, bool json);

/* Sets the wall clock: a function giving nanoseconds since 1970. */
void log_clock(i64 (*wall_ns)(void));

/* The level of a name ("debug", "info", "warn", "error", "off"); false when unknown. */
bool log_level_parse(const char *name, LogLevel *out);

/* Begins a line, adds values, ends and writes it:
 *     LogLine l; log_begin(&l, LOG_INFO, "view.publish"); log_i64(&l, "view", n); log_end(&l); */
typedef struct {
    char text[4096];
    u32 size;
    bool off; /* below the level: every call returns at once */
} LogLine;

void log_begin(LogLine *l, LogLevel level, const char *event);
void log_i64(LogLine *l, const char *key, i64 value);
void log_f64(LogLine *l, const char *key, f64 value);
void log_str(LogLine *l, const char *key, const char *value);
void log_end(LogLine *l);

/* One line with a formatted text: event=... text="...". */
void log_event(LogLevel level, const char *event, const char *format, ...) PRINTF(3, 4);

/* One ERROR or WARN line for a failure: event, code, text and where of this thread's last
 * failure. */
void log_fail(LogLevel level, const char *event, Err err);

#endif
