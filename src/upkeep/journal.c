/*
 * journal: lines of a key and one text, each ended by a line feed, in which blanks, control bytes
 * and `%` stand as %XX:
 *
 *     siltstone-adopt 1
 *     state forward                  or back
 *     rule first-day                 only with that option
 *     unlisted keep                  only with that option
 *     source /data/hdb/data
 *     made /data/idb                 folders that did not exist, outermost first
 *     table /data/hdb/data/2024.01.02/quote        is made as a whole, unless columns follow
 *     column venue                   is added to the table above
 *     end 0a1b2c3d                   CRC-32C of all before
 *
 * The reader checks the end first, then each line against those that may stand there; arrays are as
 * long as the lines are many. Paths must be absolute and may not climb; a column is a plain name.
 * The journal decides what is deleted, so a damaged one is never acted on.
 */
#include "upkeep/journal.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/crc.h"
#include "os/file.h"

#define JOURNAL_END 13 /* bytes of "end 01234567\n" */

/* ---- writing */

static Err put(Buf *b, const char *key, const char *text)
{
    Err err = E_OK;
    TRY(buf_format(b, "%s ", key));
    for (const char *p = text; *p != 0; p++) {
        u8 byte = (u8)*p;
        bool plain = byte > ' ' && byte != '%' && byte != 0x7f;
        TRY(plain ? buf_byte(b, byte) : buf_format(b, "%%%02X", byte));
    }
    TRY(buf_byte(b, '\n'));
done:
    return err;
}

static Err put_all(Buf *b, const Journal *j)
{
    Err err = E_OK;
    TRY(put(b, "siltstone-adopt", "1"));
    TRY(put(b, "state", j->back ? "back" : "forward"));
    if (j->first_days) TRY(put(b, "rule", "first-day"));
    if (j->keep_unlisted) TRY(put(b, "unlisted", "keep"));
    TRY(put(b, "source", j->source));
    for (u32 i = 0; i < j->made_count; i++)
        TRY(put(b, "made", j->made[i]));
    for (u32 i = 0; i < j->table_count; i++) {
        TRY(put(b, "table", j->tables[i].path));
        for (u32 k = 0; k < j->tables[i].column_count; k++)
            TRY(put(b, "column", j->tables[i].columns[k]));
    }
    TRY(buf_format(b, "end %08" PRIx32 "\n", crc_32c(0, b->data, b->size)));
done:
    return err;
}

Err journal_write(const char *path, const Journal *j)
{
    Buf b = {.size_max = BOUND_MANIFEST_MAX};
    Err err = put_all(&b, j);
    if (err == E_OK) err = file_replace(path, b.data, b.size);
    buf_free(&b);
    return err;
}

/* ---- reading */

typedef struct {
    Str rest, key, field;
    u64 line;
} Lines;

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static Err bad(const Lines *l, const char *why)
{
    return fail(E_CORRUPT, "line %" PRIu64 ": %s", l->line, why);
}

/* Takes the next line apart. */
static Err next(Lines *l)
{
    Str line;
    l->line++;
    if (!str_split(&l->rest, '\n', &line)) return bad(l, "missing");
    if (!str_split(&line, ' ', &l->key) || line.data == NULL || line.size == 0 ||
        str_find(line, ' ') >= 0)
        return bad(l, "not a key and one text");
    l->field = line;
    return E_OK;
}

/* Whether the next line has this key. */
static bool at(const Lines *l, const char *key)
{
    u64 size = strlen(key);
    return l->rest.size > size && memcmp(l->rest.data, key, size) == 0 && l->rest.data[size] == ' ';
}

static u64 count_lines(Str rest, const char *key, const char *stop)
{
    u64 count = 0;
    for (Lines l = {.rest = rest}; l.rest.size > 0 && (stop == NULL || !at(&l, stop));) {
        Str line;
        count += at(&l, key);
        if (!str_split(&l.rest, '\n', &line)) break;
    }
    return count;
}

/* The text of a line, as it was. */
static Err text_of(const Lines *l, Arena *a, const char **out)
{
    Str s = l->field;
    char *text = arena_alloc(a, s.size + 1);
    u64 size = 0;
    for (u64 i = 0; i < s.size; i++) {
        int high = s.data[i] == '%' && i + 2 < s.size + 0 ? hex(s.data[i + 1]) : -1;
        int low = high >= 0 ? hex(s.data[i + 2]) : -1;
        if (s.data[i] == '%' && (low < 0 || high * 16 + low == 0)) return bad(l, "a broken escape");
        text[size++] = s.data[i] == '%' ? (char)(high * 16 + low) : s.data[i];
        i += s.data[i] == '%' ? 2 : 0;
    }
    text[size] = 0;
    *out = text;
    return E_OK;
}

/* The path in a line: absolute, without a piece that climbs. */
static Err path_of(const Lines *l, Arena *a, const char **out)
{
    Err err = text_of(l, a, out);
    if (err != E_OK) return err;
    Str rest = str_of(*out), piece;
    if (rest.size < 2 || rest.size >= BOUND_PATH_MAX || rest.data[0] != '/')
        return bad(l, "not an absolute path");
    (void)str_split(&rest, '/', &piece);
    while (str_split(&rest, '/', &piece)) {
        if (piece.size == 0 || str_is(piece, ".") || str_is(piece, ".."))
            return bad(l, "a path that climbs");
    }
    return E_OK;
}

/* Takes a line with this key that says this word; *there tells whether it stands there. */
static Err word(Lines *l, const char *key, const char *only, bool *there)
{
    *there = at(l, key);
    if (!*there) return E_OK;
    Err err = next(l);
    if (err != E_OK) return err;
    return str_is(l->field, only) ? E_OK : bad(l, "a word that is not known");
}

static Err array(Arena *a, u64 count, u64 width, void **out)
{
    if (count > UINT32_MAX) return fail(E_LIMIT, "%" PRIu64 " lines", count);
    return arena_try(a, count, width, out);
}

static Err read_table(Lines *l, Arena *a, JournalTable *t)
{
    Err err = E_OK;
    void *columns = NULL;
    TRY(next(l));
    TRY(path_of(l, a, &t->path));
    u64 count = count_lines(l->rest, "column", "table");
    TRY(array(a, count, sizeof *t->columns, &columns));
    t->columns = columns;
    t->column_count = columns == NULL ? 0 : (u32)count;
    for (u32 i = 0; i < t->column_count; i++) {
        TRY(next(l));
        TRY(text_of(l, a, &t->columns[i]));
        if (!str_is(l->key, "column") || !str_name_ok(str_of(t->columns[i]), true))
            TRY(bad(l, "not the name of a column"));
    }
done:
    return err;
}

/* All lines before the lists. */
static Err read_head(Lines *l, Arena *a, Journal *j)
{
    Err err = E_OK;
    TRY(next(l));
    if (!str_is(l->key, "siltstone-adopt")) TRY(bad(l, "not the journal of an import"));
    if (!str_is(l->field, "1"))
        TRY(fail(E_UNSUPPORTED, "version %.*s; this program knows version 1", STR_FMT(l->field)));
    TRY(next(l));
    j->back = str_is(l->field, "back");
    if (!str_is(l->key, "state") || !(j->back || str_is(l->field, "forward")))
        TRY(bad(l, "not a state"));
    TRY(word(l, "rule", "first-day", &j->first_days));
    TRY(word(l, "unlisted", "keep", &j->keep_unlisted));
    TRY(next(l));
    if (!str_is(l->key, "source")) TRY(bad(l, "not a source"));
    TRY(path_of(l, a, &j->source));
done:
    return err;
}

static Err read_all(Lines *l, Arena *a, Journal *j)
{
    void *found = NULL;
    Err err = read_head(l, a, j);
    if (err != E_OK) return err;
    u64 count = count_lines(l->rest, "made", "table");
    TRY(array(a, count, sizeof *j->made, &found));
    j->made = found;
    j->made_count = found == NULL ? 0 : (u32)count;
    for (u32 i = 0; i < j->made_count; i++) {
        TRY(next(l));
        if (!str_is(l->key, "made")) TRY(bad(l, "out of order"));
        TRY(path_of(l, a, &j->made[i]));
    }
    count = count_lines(l->rest, "table", NULL);
    TRY(array(a, count, sizeof *j->tables, &found));
    j->tables = found;
    j->table_count = found == NULL ? 0 : (u32)count;
    for (u32 i = 0; i < j->table_count; i++) {
        if (!at(l, "table")) TRY(bad(l, "out of order"));
        TRY(read_table(l, a, &j->tables[i]));
    }
    if (l->rest.size > 0) TRY(bad(l, "more than a journal holds"));
done:
    return err;
}

Err journal_parse(Str text, Arena *a, Journal *j)
{
    char end[JOURNAL_END + 1];
    Lines l = {0};
    *j = (Journal){0};
    if (text.size < JOURNAL_END) return fail(E_CORRUPT, "cut: no `end` line");
    l.rest = (Str){text.data, text.size - JOURNAL_END};
    snprintf(end, sizeof end, "end %08" PRIx32 "\n", crc_32c(0, l.rest.data, l.rest.size));
    if (memcmp(text.data + l.rest.size, end, JOURNAL_END) != 0 || l.rest.size == 0)
        return fail(E_CORRUPT, "cut or altered: its `end` line does not match");
    if (l.rest.data[l.rest.size - 1] != '\n') return fail(E_CORRUPT, "an unfinished line");
    return read_all(&l, a, j);
}

Err journal_read(const char *path, Arena *a, Journal *j, bool *there)
{
    u8 *data = NULL;
    u64 size = 0;
    *j = (Journal){0};
    Err err = file_read_all(path, BOUND_MANIFEST_MAX, a, &data, &size);
    *there = err == E_OK && size > 0;
    if (err == E_NOT_FOUND || (err == E_OK && size == 0)) return E_OK;
    if (err == E_OK) err = journal_parse((Str){(const char *)data, size}, a, j);
    return fail_note(err, "%s", path);
}
