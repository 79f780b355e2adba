/*
 * text: values as text for people. Column widths come from all rows, so a result is read twice;
 * numbers stand right, texts left.
 */
#include "cmd/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "q/json.h"
#include "q/temporal.h"

#define TEXT_CELL_MAX 200

/* Text in one line: control bytes would act on a terminal or break the columns. */
static Err put_text(Buf *out, Str s)
{
    Err err = E_OK;
    u64 size = MIN(s.size, TEXT_CELL_MAX);
    for (u64 i = 0; i < size && err == E_OK; i++) {
        u8 c = (u8)s.data[i];
        if (c == '\n' || c == '\t')
            err = buf_text(out, c == '\n' ? "\\n" : "\\t");
        else if (c < ' ' || c == 0x7f)
            err = buf_format(out, "\\x%02x", c);
        else
            err = buf_byte(out, c);
    }
    return err;
}

Err text_cell(Buf *out, const Value *v)
{
    char text[TEMPORAL_TEXT_MAX];
    Str s = {0};
    int type = v->type < 0 ? -v->type : v->type;
    if (v->type < 0 && type_is_temporal(type)) {
        i64 i = v->as.i;
        u32 size = temporal_format(type, i, text);
        return buf_append(out, text, size);
    }
    if (value_text(v, &s)) return put_text(out, s);
    if (v->type == QT_NULL) return E_OK;
    return json_write(out, v);
}

/* Whether values of a type are shown at the right of their column. */
static bool is_number(int type)
{
    return (type >= QT_SHORT && type <= QT_FLOAT) || type == QT_BYTE;
}

/* Renders every cell of a table into one buffer a column, with the offsets of the cells in
 * `ends`. */
static Err write_table(Buf *out, const Value *t)
{
    Err err = E_OK;
    Arena a = {0};
    u64 cols = t->as.table.count, rows = cols == 0 ? 0 : value_count(&t->as.table.cols[0]);
    Buf *cells = arena_array(&a, Buf, cols + 1);
    u64 **ends = arena_alloc(&a, (cols + 1) * sizeof(u64 *));
    u64 *widths = arena_array(&a, u64, cols + 1);
    for (u64 c = 0; c < cols; c++) {
        ends[c] = arena_array(&a, u64, rows + 1);
        widths[c] = t->as.table.names[c].size;
        for (u64 r = 0; r < rows; r++) {
            Value v = value_at(&t->as.table.cols[c], r);
            u64 before = cells[c].size;
            TRY(text_cell(&cells[c], &v));
            ends[c][r] = cells[c].size;
            widths[c] = MAX(widths[c], cells[c].size - before);
        }
    }
    for (u64 c = 0; c < cols; c++) {
        bool right = is_number(t->as.table.cols[c].type);
        const char *gap = c + 1 < cols ? "  " : "\n";
        if (right)
            TRY(buf_format(out, "%*.*s%s", (int)widths[c], STR_FMT(t->as.table.names[c]), gap));
        else
            TRY(buf_format(out, "%-*.*s%s", c + 1 < cols ? (int)widths[c] : 0,
                           STR_FMT(t->as.table.names[c]), gap));
    }
    for (u64 r = 0; r < rows; r++)
        for (u64 c = 0; c < cols; c++) {
            u64 from = r == 0 ? 0 : ends[c][r - 1];
            int size = (int)(ends[c][r] - from);
            const char *text = size == 0 ? "" : (const char *)cells[c].data + from;
            const char *gap = c + 1 < cols ? "  " : "\n";
            if (is_number(t->as.table.cols[c].type))
                TRY(buf_format(out, "%*.*s%s", (int)widths[c], size, text, gap));
            else
                TRY(buf_format(out, "%-*.*s%s", c + 1 < cols ? (int)widths[c] : 0, size, text,
                               gap));
        }
done:
    for (u64 c = 0; c < cols; c++)
        buf_free(&cells[c]);
    arena_free(&a);
    return err;
}

static Err write_dict(Buf *out, const Value *d, int depth)
{
    Err err = E_OK;
    u64 count = value_count(d->as.dict.keys);
    for (u64 i = 0; i < count; i++) {
        Value key = value_at(d->as.dict.keys, i), v = value_at(d->as.dict.values, i);
        Str name = {0};
        if (!value_text(&key, &name)) name = STR("?");
        TRY(buf_format(out, "%*s%-*.*s ", 2 * depth, "", 22 - 2 * MIN(depth, 8), STR_FMT(name)));
        if (v.type == QT_DICT && v.as.dict.keys->type != QT_TABLE) {
            TRY(buf_byte(out, '\n'));
            TRY(write_dict(out, &v, depth + 1));
            continue;
        }
        TRY(text_cell(out, &v));
        TRY(buf_byte(out, '\n'));
    }
done:
    return err;
}

Err text_write(Buf *out, const Value *v)
{
    if (v->type == QT_TABLE) return write_table(out, v);
    if (v->type == QT_DICT && v->as.dict.keys->type != QT_TABLE) return write_dict(out, v, 0);
    Err err = text_cell(out, v);
    return err == E_OK ? buf_byte(out, '\n') : err;
}
