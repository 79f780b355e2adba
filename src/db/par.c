/*
 * par: lines.
 *
 * A line feed ends a line, also the last one when it is there. kdb+ takes what stands before it as
 * it is; we take off what an editor of another system leaves at a line's end (a carriage return,
 * blanks, tabs) and say so. A slash at the end is no path's form that kdb+ takes either. Blanks at
 * the beginning belong to the path.
 */
#include "db/par.h"

#include "base/bounds.h"
#include "base/map.h"

/* Whether the text begins as an address does: letters, digits, then ://. */
static bool is_store(Str s)
{
    u64 i = 0;
    while (i < s.size &&
           ((s.data[i] >= 'a' && s.data[i] <= 'z') || (s.data[i] >= '0' && s.data[i] <= '9')))
        i++;
    return i > 0 && i + 3 <= s.size && memcmp(s.data + i, "://", 3) == 0;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* Cuts a line to its path; false when nothing is left. */
static bool cut(Str *s, ParLine *line)
{
    while (s->size > 0 && is_blank(s->data[s->size - 1])) {
        line->blanks = true;
        s->size--;
    }
    line->store = is_store(*s);
    while (s->size > 1 && s->data[s->size - 1] == '/') {
        line->slash = true;
        s->size--;
    }
    return s->size > 0;
}

Err par_parse(Str text, const char *file, Arena *a, ParLine **lines, u32 *count, u32 *empty)
{
    Err err = E_OK;
    Map known = {0};
    Str piece;
    u32 number = 0;
    *count = *empty = 0;
    *lines = arena_array(a, ParLine, PAR_LINES_MAX);
    while (text.size > 0 && str_split(&text, '\n', &piece)) {
        ParLine line = {0};
        line.number = ++number;
        if (!cut(&piece, &line)) {
            ++*empty;
            continue;
        }
        if (str_find(piece, 0) >= 0)
            TRY(fail(E_CORRUPT, "%s: line %u has a NUL character", file, number));
        if (piece.size >= BOUND_PATH_MAX)
            TRY(fail(E_LIMIT, "%s: line %u is longer than a path may be", file, number));
        if (*count == PAR_LINES_MAX)
            TRY(fail(E_LIMIT, "%s: more than %d lines", file, PAR_LINES_MAX));
        line.path = str_dup(a, piece);
        line.again = map_find(&known, piece) >= 0;
        map_put(&known, piece, 0);
        (*lines)[(*count)++] = line;
    }
done:
    map_free(&known);
    return err;
}
