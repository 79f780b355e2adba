/*
 * dump_out: lines of facts.
 *
 *     text    /data/hdb/sym: domain                   json {"file":"/data/hdb/sym","kind":"domain",
 *               names     12                                   "names":12}
 *               damaged   the last name does not end
 *
 * An entry is a line in both: `  record position=0 kind=data ...`, or an object with file and
 * entry, which comes before the file's own line. Failures of writing are kept: the walk over the
 * files goes on, and the command ends with them.
 */
#include "cmd/dump_out.h"

#include <stdarg.h>
#include <stdio.h>

#include "cmd/text.h"
#include "q/json.h"
#include "q/temporal.h"

static void keep(DumpOut *o, Err err)
{
    if (o->err == E_OK) o->err = err;
}

static Buf *line(DumpOut *o) { return o->entry ? &o->entry_line : &o->line; }

static void flush(DumpOut *o, Buf *b)
{
    if (b->size > 0 && fwrite(b->data, 1, b->size, stdout) != b->size)
        keep(o, fail(E_IO, "standard output cannot be written"));
    buf_clear(b);
}

void dump_out_begin(DumpOut *o, const char *path, const char *kind)
{
    o->path = path;
    o->files++;
    o->entry = false;
    buf_clear(&o->bad);
    if (!o->json) {
        keep(o, buf_format(&o->line, "%s: %s\n", path, kind));
        return;
    }
    keep(o, buf_text(&o->line, "{\"file\":"));
    keep(o, json_quote(&o->line, str_of(path)));
    keep(o, buf_text(&o->line, ",\"kind\":"));
    keep(o, json_quote(&o->line, str_of(kind)));
}

static void put_key(DumpOut *o, const char *key)
{
    if (!o->json) {
        keep(o, buf_format(line(o), o->entry ? " %s=" : "  %-14s ", key));
        return;
    }
    keep(o, buf_byte(line(o), ','));
    keep(o, json_quote(line(o), str_of(key)));
    keep(o, buf_byte(line(o), ':'));
}

static void end_fact(DumpOut *o)
{
    if (!o->json && !o->entry) keep(o, buf_byte(line(o), '\n'));
}

/* Text as it is when it is one plain line, else quoted. */
static void put_text(DumpOut *o, Str text)
{
    bool plain = !o->json && (text.size > 0 || !o->entry);
    for (u64 i = 0; i < text.size && plain; i++) {
        u8 c = (u8)text.data[i];
        plain = c >= ' ' && c != 0x7f && (!o->entry || c != ' ');
    }
    keep(o, plain ? buf_append(line(o), text.data, text.size) : json_quote(line(o), text));
}

void dump_out_text(DumpOut *o, const char *key, Str text)
{
    put_key(o, key);
    put_text(o, text);
    end_fact(o);
}

void dump_out_number(DumpOut *o, const char *key, i64 number)
{
    put_key(o, key);
    keep(o, buf_format(line(o), "%lld", (long long)number));
    end_fact(o);
}

void dump_out_count(DumpOut *o, const char *key, u64 count)
{
    put_key(o, key);
    keep(o, buf_format(line(o), "%llu", (unsigned long long)count));
    end_fact(o);
}

void dump_out_time(DumpOut *o, const char *key, i64 ns)
{
    Value v = value_timestamp(ns);
    dump_out_value(o, key, &v);
}

void dump_out_value(DumpOut *o, const char *key, const Value *v)
{
    put_key(o, key);
    keep(o, o->json ? json_write(line(o), v) : text_cell(line(o), v));
    end_fact(o);
}

void dump_out_entry(DumpOut *o, const char *kind)
{
    if (!o->json) flush(o, &o->line);
    o->entry = true;
    if (!o->json) {
        keep(o, buf_format(line(o), "  %s", kind));
        return;
    }
    keep(o, buf_text(line(o), "{\"file\":"));
    keep(o, json_quote(line(o), str_of(o->path)));
    keep(o, buf_text(line(o), ",\"entry\":"));
    keep(o, json_quote(line(o), str_of(kind)));
}

void dump_out_entry_end(DumpOut *o)
{
    keep(o, buf_text(line(o), o->json ? "}\n" : "\n"));
    flush(o, line(o));
    o->entry = false;
}

void dump_out_bad(DumpOut *o, const char *format, ...)
{
    char text[FAIL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!o->json) {
        keep(o, buf_format(&o->bad, "  %-14s %s\n", "damaged", text));
        return;
    }
    if (o->bad.size > 0) keep(o, buf_byte(&o->bad, ','));
    keep(o, json_quote(&o->bad, str_of(text)));
}

void dump_out_fail(DumpOut *o)
{
    const char *text = fail_text();
    u64 size = strlen(o->path);
    /* the path stands in the line before */
    if (strncmp(text, o->path, size) == 0 && text[size] == ':') text += size + 1;
    while (*text == ' ')
        text++;
    dump_out_bad(o, "%s", text);
}

void dump_out_end(DumpOut *o)
{
    o->damaged += o->bad.size > 0;
    if (!o->json) {
        keep(o, buf_append(&o->line, o->bad.data, o->bad.size));
        flush(o, &o->line);
        return;
    }
    if (o->bad.size > 0) {
        keep(o, buf_text(&o->line, ",\"damaged\":["));
        keep(o, buf_append(&o->line, o->bad.data, o->bad.size));
        keep(o, buf_byte(&o->line, ']'));
    }
    keep(o, buf_text(&o->line, "}\n"));
    flush(o, &o->line);
}

Err dump_out_close(DumpOut *o)
{
    buf_free(&o->line);
    buf_free(&o->entry_line);
    buf_free(&o->bad);
    if (fflush(stdout) != 0) keep(o, fail(E_IO, "standard output cannot be written"));
    return o->err;
}
