/*
 * findings: a growing list in an arena. Text: `FILE: RULE: TEXT`, warnings with `warning: ` before
 * the rule; JSON: {"file":..,"rule":..,"text":..,"warning":false}.
 */
#include "cmd/findings.h"

#include <stdarg.h>
#include <stdio.h>

#include "q/json.h"

static void add(Findings *f, bool warning, const char *file, const char *rule, const char *text)
{
    if (warning)
        f->warnings++;
    else
        f->errors++;
    if (f->count == FINDINGS_MAX) return;
    if (f->count == f->room) {
        u32 room = MAX(2 * f->room, 16);
        Finding *list = arena_array(&f->memory, Finding, room);
        if (f->count > 0) memcpy(list, f->list, f->count * sizeof *list);
        f->list = list;
        f->room = room;
    }
    f->list[f->count++] = (Finding){.file = arena_text(&f->memory, file, strlen(file)),
                                    .rule = rule,
                                    .text = arena_text(&f->memory, text, strlen(text)),
                                    .warning = warning};
}

void findings_bad(Findings *f, const char *file, const char *rule, const char *format, ...)
{
    char text[FAIL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    add(f, false, file, rule, text);
}

void findings_warn(Findings *f, const char *file, const char *rule, const char *format, ...)
{
    char text[FAIL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    add(f, true, file, rule, text);
}

void findings_fail(Findings *f, const char *file, const char *rule, Err err)
{
    const char *text = fail_text();
    u64 size = strlen(file);
    if (strncmp(text, file, size) == 0 && text[size] == ':') text += size + 1;
    while (*text == ' ')
        text++;
    add(f, err == E_UNSUPPORTED, file, rule, text);
}

void findings_join(Findings *f, Findings *from)
{
    for (u32 i = 0; i < from->count; i++) {
        const Finding *one = &from->list[i];
        add(f, one->warning, one->file, one->rule, one->text);
        if (one->warning)
            from->warnings--;
        else
            from->errors--;
    }
    f->errors += from->errors; /* beyond its list */
    f->warnings += from->warnings;
    findings_free(from);
}

static Err write_json(const Finding *one, Buf *out)
{
    Err err = E_OK;
    TRY(buf_text(out, "{\"file\":"));
    TRY(json_quote(out, str_of(one->file)));
    TRY(buf_text(out, ",\"rule\":"));
    TRY(json_quote(out, str_of(one->rule)));
    TRY(buf_text(out, ",\"text\":"));
    TRY(json_quote(out, str_of(one->text)));
    TRY(buf_format(out, ",\"warning\":%s}\n", one->warning ? "true" : "false"));
done:
    return err;
}

Err findings_write(const Findings *f, bool json, Buf *out)
{
    for (u32 i = 0; i < f->count; i++) {
        const Finding *one = &f->list[i];
        Err err = json ? write_json(one, out)
                       : buf_format(out, "%s: %s%s: %s\n", one->file,
                                    one->warning ? "warning: " : "", one->rule, one->text);
        if (err != E_OK) return err;
    }
    u64 more = f->errors + f->warnings - f->count;
    if (more == 0 || json) return E_OK;
    return buf_format(out, "%llu more\n", (unsigned long long)more);
}

void findings_free(Findings *f)
{
    arena_free(&f->memory);
    *f = (Findings){0};
}
