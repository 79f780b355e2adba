/*
 * manifest: writes and reads the texts of views, segments and stage files. doc/format/manifest.md
 * shows each line.
 *
 * All three are lines of a key and fields with one blank between them, each ended by a line feed,
 * in a fixed order; the first line says kind and version, the last one is `end` and the CRC-32C of
 * all bytes before it in eight hex digits. Fields are numbers, or texts in which blanks, control
 * bytes and `%` stand as %XX; the empty text is `%-`.
 *
 * The reader takes nothing for granted (R13, R21): it checks the CRC first, then the first line,
 * then each line against the one that must stand there. Arrays get the size that counting the lines
 * gives, so memory is bounded by the text. Parts must ascend and lie in their segment's group;
 * tables must have names that are good as path pieces.
 */
#include "db/manifest.h"

#include "base/bounds.h"
#include "base/crc.h"

#include <inttypes.h>
#include <stdio.h>

#define MANIFEST_FIELDS_MAX 8
#define MANIFEST_END_SIZE   13 /* "end 01234567\n" */

/* ---- writing */

static Err put_text(Buf *b, const char *text)
{
    if (text[0] == 0) return buf_text(b, "%-");
    for (const char *p = text; *p != 0; p++) {
        u8 byte = (u8)*p;
        bool plain = byte > ' ' && byte != '%' && byte != 0x7f;
        Err err = plain ? buf_byte(b, byte) : buf_format(b, "%%%02X", byte);
        if (err != E_OK) return err;
    }
    return E_OK;
}

static Err put_path(Buf *b, const Root *r, const char *path)
{
    Arena scratch = {0};
    Err err = put_text(b, r != NULL ? root_path_store(r, &scratch, path) : path);
    arena_free(&scratch);
    return err;
}

static Err put_end(Buf *b, u64 from, u32 *crc)
{
    *crc = crc_32c(0, b->data + from, b->size - from);
    return buf_format(b, "end %08" PRIx32 "\n", *crc);
}

static Err put_segments(Buf *b, const View *v, PartKind kind)
{
    u32 count = 0;
    Segment **s = view_segments(v, kind, &count);
    for (u32 i = 0; i < count; i++) {
        Err err = buf_format(b, "segment %s %" PRIi32 " %s %08" PRIx32 "\n",
                             kind == PART_INTERVAL ? "interval" : "date", s[i]->group, s[i]->name,
                             s[i]->crc);
        if (err != E_OK) return err;
    }
    return E_OK;
}

Err manifest_write_view(Buf *b, const Root *r, const View *v)
{
    Err err = E_OK;
    u32 crc = 0;
    u64 from = b->size;

    TRY(buf_text(b, "siltstone-view 1\n"));
    TRY(buf_format(b, "number %" PRIu64 "\nhdb %" PRIu64 "\n", v->number, v->hdb));
    TRY(buf_format(b, "watermark %" PRIu64 "\n", v->watermark));
    TRY(buf_format(b, "eoi %" PRIu64 "\neod %" PRIu64 "\n", v->eoi, v->eod));
    TRY(buf_format(b, "eod-asked %" PRIu64 " %" PRIu64 "\n", v->eod_asked, v->eod_upto));
    TRY(buf_format(b, "sym %" PRIu64 "\n", v->sym_size));
    TRY(buf_format(b, "committed %" PRIi64 "\n", v->committed));
    TRY(buf_format(b, "interval-end %" PRIi64 "\n", v->interval_end));
    TRY(buf_format(b, "day-end %" PRIi64 "\n", v->day_end));
    TRY(buf_format(b, "lost %" PRIi64 " %" PRIi64 "\n", v->lost_from, v->lost_to));
    TRY(put_segments(b, v, PART_INTERVAL));
    TRY(put_segments(b, v, PART_DATE));
    for (u32 i = 0; i < v->publisher_count; i++) {
        const ViewPublisher *p = &v->publishers[i];
        TRY(buf_format(b, "publisher %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", p->publisher,
                       p->session, p->sequence));
    }
    for (u32 i = 0; i < v->garbage_count; i++) {
        TRY(buf_format(b, "garbage %" PRIu64 " ", v->garbage[i].gone));
        TRY(put_path(b, r, v->garbage[i].path));
        TRY(buf_byte(b, '\n'));
    }
    TRY(put_end(b, from, &crc));
done:
    return err;
}

static Err put_part(Buf *b, const Root *r, const Part *p)
{
    Err err = E_OK;
    bool date = p->kind == PART_DATE;
    const char *tier = date      ? (r != NULL ? r->tiers[p->tier].name : "tier")
                       : p->late ? "late"
                                 : "interval";

    TRY(buf_format(b, "part %" PRIi32 " %" PRIi32 " %" PRIu64 " ", p->key, p->day, p->made));
    TRY(put_text(b, tier));
    TRY(buf_byte(b, ' '));
    TRY(put_path(b, r, p->path));
    TRY(buf_byte(b, '\n'));
    for (u32 i = 0; i < p->table_count; i++) {
        const PartTable *t = &p->tables[i];
        TRY(buf_text(b, "table "));
        TRY(put_text(b, t->name));
        TRY(buf_format(b, " %" PRIu64 " %" PRIu64 " %" PRIi64 " %" PRIi64 " %016" PRIx64 "\n",
                       t->rows, t->bytes, t->time_min, t->time_max, t->schema_hash));
        for (u32 j = 0; j < t->slice_count; j++) {
            const PartSlice *s = &t->slices[j];
            TRY(buf_format(b, "slice %" PRIi32 " %" PRIu64 " %" PRIu64 "\n", s->day, s->from,
                           s->to));
        }
    }
done:
    return err;
}

Err manifest_write_segment(Buf *b, const Root *r, const Segment *s, u32 *crc)
{
    Err err = E_OK;
    u64 from = b->size;

    TRY(buf_text(b, "siltstone-segment 1\n"));
    TRY(buf_format(b, "segment %s %" PRIi32 " %s\n", s->kind == PART_INTERVAL ? "interval" : "date",
                   s->group, s->name));
    for (u32 i = 0; i < s->part_count; i++)
        TRY(put_part(b, r, &s->parts[i]));
    TRY(put_end(b, from, crc));
done:
    return err;
}

Err manifest_write_stage(Buf *b, const char *const *paths, u32 count)
{
    Err err = E_OK;
    u32 crc = 0;
    u64 from = b->size;

    TRY(buf_text(b, "siltstone-stage 1\n"));
    for (u32 i = 0; i < count; i++) {
        TRY(buf_text(b, "path "));
        TRY(put_text(b, paths[i]));
        TRY(buf_byte(b, '\n'));
    }
    TRY(put_end(b, from, &crc));
done:
    return err;
}

/* ---- reading: lines and fields */

typedef struct {
    Str rest; /* not yet read, without the `end` line */
    u64 line; /* number of the line in `field` */
    Str field[MANIFEST_FIELDS_MAX];
} Lines;

static Err bad_line(const Lines *l, const char *why)
{
    return fail(E_CORRUPT, "line %" PRIu64 ": %s", l->line, why);
}

/* Checks the last line; *crc is that of what stands before it. */
static Err lines_open(Lines *l, Str text, u32 *crc)
{
    char end[MANIFEST_END_SIZE + 1];
    *l = (Lines){0};
    if (text.size == 0) return fail(E_CORRUPT, "the file is empty");
    if (text.size > BOUND_MANIFEST_MAX)
        return fail(E_LIMIT, "a manifest of %" PRIu64 " bytes", text.size);
    if (text.size < MANIFEST_END_SIZE) return fail(E_CORRUPT, "the file is cut: no `end` line");
    l->rest = (Str){text.data, text.size - MANIFEST_END_SIZE};
    *crc = crc_32c(0, l->rest.data, l->rest.size);
    snprintf(end, sizeof end, "end %08" PRIx32 "\n", *crc);
    if (memcmp(text.data + l->rest.size, end, MANIFEST_END_SIZE) != 0) {
        return fail(E_CORRUPT,
                    "the file is cut or altered: its `end` line does not match its %" PRIu64
                    " bytes",
                    text.size);
    }
    if (l->rest.size == 0 || l->rest.data[l->rest.size - 1] != '\n')
        return fail(E_CORRUPT, "no line before `end`");
    return E_OK;
}

/* Whether the next line begins with this key. */
static bool lines_at(const Lines *l, const char *key)
{
    u64 size = strlen(key);
    return l->rest.size > size && memcmp(l->rest.data, key, size) == 0 && l->rest.data[size] == ' ';
}

/* Takes the next line, which must have this key and `count` fields after it. */
static Err lines_next(Lines *l, const char *key, u32 count)
{
    Str line, key_found;
    i64 end = str_find(l->rest, '\n');

    l->line++;
    ASSERT(count <= MANIFEST_FIELDS_MAX);
    if (end < 0)
        return fail(E_CORRUPT, "line %" PRIu64 ": wanted `%s`, found the end", l->line, key);
    line = (Str){l->rest.data, (u64)end};
    l->rest = (Str){l->rest.data + end + 1, l->rest.size - (u64)end - 1};
    if (!str_split(&line, ' ', &key_found) || !str_is(key_found, key)) {
        return fail(E_CORRUPT, "line %" PRIu64 ": wanted `%s`", l->line, key);
    }
    for (u32 i = 0; i < count; i++) {
        if (!str_split(&line, ' ', &l->field[i])) return bad_line(l, "too few fields");
    }
    return line.data == NULL ? E_OK : bad_line(l, "too many fields");
}

/* How many lines begin with `key` from here on, before a line that begins with `stop`. */
static u64 lines_count(const Lines *l, const char *key, const char *stop)
{
    u64 count = 0;
    Lines look = *l;
    while (look.rest.size > 0 && (stop == NULL || !lines_at(&look, stop))) {
        i64 end = str_find(look.rest, '\n');
        if (end < 0) break;
        count += lines_at(&look, key);
        look.rest = (Str){look.rest.data + end + 1, look.rest.size - (u64)end - 1};
    }
    return count;
}

static Err get_u64(const Lines *l, u32 i, u64 *out)
{
    Str s = l->field[i];
    u64 n = 0;
    if (s.size == 0) return bad_line(l, "a number is missing");
    for (u64 k = 0; k < s.size; k++) {
        u64 digit = (u64)(u8)s.data[k] - '0';
        if (digit > 9 || n > (UINT64_MAX - digit) / 10)
            return bad_line(l, "not a number of 64 bits");
        n = n * 10 + digit;
    }
    *out = n;
    return E_OK;
}

static Err get_i64(const Lines *l, u32 i, i64 *out)
{
    return str_i64(l->field[i], out) ? E_OK : bad_line(l, "not a signed number of 64 bits");
}

static Err get_i32(const Lines *l, u32 i, i32 *out)
{
    i64 n = 0;
    if (!str_i64(l->field[i], &n) || n < INT32_MIN || n > INT32_MAX)
        return bad_line(l, "not a number of 32 bits");
    *out = (i32)n;
    return E_OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static Err get_hex(const Lines *l, u32 i, u64 digits, u64 *out)
{
    Str s = l->field[i];
    u64 n = 0;
    if (s.size != digits) return bad_line(l, "a hex number of another length");
    for (u64 k = 0; k < s.size; k++) {
        int digit = hex_digit(s.data[k]);
        if (digit < 0) return bad_line(l, "not a hex number");
        n = n << 4 | (u64)digit;
    }
    *out = n;
    return E_OK;
}

/* A text field, unescaped, zero-ended, in the arena. */
static Err get_text(const Lines *l, u32 i, Arena *a, char **out)
{
    Str s = l->field[i];
    u64 size = 0;
    char *text = arena_alloc(a, s.size + 1);

    if (s.size == 0) return bad_line(l, "a text is missing");
    if (str_is(s, "%-")) s.size = 0;
    for (u64 k = 0; k < s.size; k++) {
        if (s.data[k] != '%') {
            text[size++] = s.data[k];
            continue;
        }
        int high = k + 2 < s.size ? hex_digit(s.data[k + 1]) : -1;
        int low = k + 2 < s.size ? hex_digit(s.data[k + 2]) : -1;
        if (high < 0 || low < 0 || (high == 0 && low == 0)) return bad_line(l, "a broken escape");
        text[size++] = (char)(high << 4 | low);
        k += 2;
    }
    text[size] = 0;
    *out = text;
    return E_OK;
}

static Err get_path(const Lines *l, u32 i, const Root *r, Arena *a, const char **out)
{
    char *stored = NULL, *path = NULL;
    Err err = get_text(l, i, a, &stored);
    if (err != E_OK) return err;
    *out = stored;
    if (r == NULL) return E_OK;
    err = root_path_find(r, a, str_of(stored), &path);
    *out = path;
    return fail_note(err, "line %" PRIu64, l->line);
}

static Err get_kind(const Lines *l, u32 i, PartKind *kind)
{
    if (str_is(l->field[i], "interval")) {
        *kind = PART_INTERVAL;
    } else if (str_is(l->field[i], "date")) {
        *kind = PART_DATE;
    } else {
        return bad_line(l, "neither `interval` nor `date`");
    }
    return E_OK;
}

/* The first line: `<what> <version>`. */
static Err read_version(Lines *l, const char *what)
{
    Err err = lines_next(l, what, 1);
    if (err != E_OK || str_is(l->field[0], "1")) return err;
    return fail(E_UNSUPPORTED, "%s version %.*s; this program knows version 1", what,
                STR_FMT(l->field[0]));
}

/* An array of `count` elements, whose size the text decides. */
static Err get_array(Arena *a, u64 count, u64 width, u64 max, const char *what, void **out)
{
    if (count > max) return fail(E_LIMIT, "%" PRIu64 " %s; at most %" PRIu64, count, what, max);
    Err err = arena_try(a, count, width, out);
    if (err == E_OK) ASSERT(*out != NULL);
    return err;
}

static Err read_u64_line(Lines *l, const char *key, u64 *out)
{
    Err err = lines_next(l, key, 1);
    return err != E_OK ? err : get_u64(l, 0, out);
}

static Err read_i64_line(Lines *l, const char *key, i64 *out)
{
    Err err = lines_next(l, key, 1);
    return err != E_OK ? err : get_i64(l, 0, out);
}

/* ---- reading: a view */

static Err read_view_segments(Lines *l, Arena *a, u64 view, ManifestSegment **segments, u32 *count)
{
    Err err = E_OK;
    u64 lines = lines_count(l, "segment", "garbage");
    void *array = NULL;

    TRY(get_array(a, lines, sizeof **segments, UINT32_MAX, "segments", &array));
    *segments = array;
    *count = (u32)lines;
    for (u32 i = 0; i < *count; i++) {
        ManifestSegment *m = &(*segments)[i];
        PartKind kind = PART_INTERVAL;
        u64 crc = 0, number = 0;
        i32 group = 0;
        char *name = NULL;
        TRY(lines_next(l, "segment", 4));
        TRY(get_kind(l, 0, &m->kind));
        TRY(get_i32(l, 1, &m->group));
        TRY(get_text(l, 2, a, &name));
        TRY(get_hex(l, 3, 8, &crc));
        m->name = name;
        m->crc = (u32)crc;
        if (!view_segment_parse(str_of(name), &kind, &group, &number) || kind != m->kind ||
            group != m->group || number > view) {
            err = bad_line(l, "a segment name that does not fit kind, group or view");
            goto done;
        }
        const ManifestSegment *before = i > 0 ? m - 1 : NULL;
        if (before != NULL &&
            (before->kind > m->kind || (before->kind == m->kind && before->group >= m->group))) {
            err = bad_line(l, "segments out of order");
            goto done;
        }
    }
done:
    return err;
}

static Err read_publishers(Lines *l, View *v)
{
    Err err = E_OK;
    u64 lines = lines_count(l, "publisher", "garbage");
    void *array = NULL;

    TRY(get_array(&v->memory, lines, sizeof *v->publishers, BOUND_PUBLISHERS_MAX, "publishers",
                  &array));
    v->publishers = array;
    v->publisher_count = (u32)lines;
    for (u32 i = 0; i < v->publisher_count; i++) {
        ViewPublisher *p = &v->publishers[i];
        TRY(lines_next(l, "publisher", 3));
        TRY(get_u64(l, 0, &p->publisher));
        TRY(get_u64(l, 1, &p->session));
        TRY(get_u64(l, 2, &p->sequence));
    }
done:
    return err;
}

static Err read_garbage(Lines *l, const Root *r, View *v)
{
    Err err = E_OK;
    u64 lines = lines_count(l, "garbage", NULL);
    void *array = NULL;

    TRY(get_array(&v->memory, lines, sizeof *v->garbage, UINT32_MAX, "lines of garbage", &array));
    v->garbage = array;
    v->garbage_count = (u32)lines;
    for (u32 i = 0; i < v->garbage_count; i++) {
        TRY(lines_next(l, "garbage", 2));
        TRY(get_u64(l, 0, &v->garbage[i].gone));
        TRY(get_path(l, 1, r, &v->memory, &v->garbage[i].path));
    }
    if (l->rest.size != 0) {
        l->line++;
        err = bad_line(l, "a line that does not belong there");
    }
done:
    return err;
}

/* The lines of which there is always one. */
static Err read_view_header(Lines *l, View *v)
{
    Err err = E_OK;

    struct {
        const char *key;
        u64 *field;
    } numbers[] = {{"number", &v->number},
                   {"hdb", &v->hdb},
                   {"watermark", &v->watermark},
                   {"eoi", &v->eoi},
                   {"eod", &v->eod}};

    TRY(read_version(l, "siltstone-view"));
    for (u32 i = 0; i < COUNT_OF(numbers); i++)
        TRY(read_u64_line(l, numbers[i].key, numbers[i].field));
    TRY(lines_next(l, "eod-asked", 2));
    TRY(get_u64(l, 0, &v->eod_asked));
    TRY(get_u64(l, 1, &v->eod_upto));
    TRY(read_u64_line(l, "sym", &v->sym_size));
    TRY(read_i64_line(l, "committed", &v->committed));
    TRY(read_i64_line(l, "interval-end", &v->interval_end));
    TRY(read_i64_line(l, "day-end", &v->day_end));
    TRY(lines_next(l, "lost", 2));
    TRY(get_i64(l, 0, &v->lost_from));
    TRY(get_i64(l, 1, &v->lost_to));
    if (v->number == 0 || v->hdb == 0 || v->hdb > v->number) {
        err = fail(E_CORRUPT, "view %" PRIu64 " with hdb.%" PRIu64, v->number, v->hdb);
    }
done:
    return err;
}

Err manifest_read_view(Str text, const Root *r, View *v, ManifestSegment **segments, u32 *count)
{
    Err err = E_OK;
    Lines l;
    u32 crc = 0;

    *segments = NULL;
    *count = 0;
    TRY(lines_open(&l, text, &crc));
    TRY(read_view_header(&l, v));
    TRY(read_view_segments(&l, &v->memory, v->number, segments, count));
    TRY(read_publishers(&l, v));
    TRY(read_garbage(&l, r, v));
done:
    return err;
}

/* ---- reading: a segment */

/* The fourth field of a part: `interval`, `late`, or the name of the tier that holds the date. */
static Err read_tier(const Lines *l, const Root *r, Arena *a, Part *p)
{
    char *name = NULL;
    Err err = get_text(l, 3, a, &name);
    if (err != E_OK) return err;
    if (p->kind == PART_INTERVAL) {
        p->late = strcmp(name, "late") == 0;
        return p->late || strcmp(name, "interval") == 0
                   ? E_OK
                   : bad_line(l, "neither `interval` nor `late`");
    }
    if (r == NULL) return E_OK;
    for (u32 i = 0; i < r->tier_count; i++) {
        p->tier = i;
        if (strcmp(r->tiers[i].name, name) == 0) return E_OK;
    }
    return fail(E_USAGE,
                "line %" PRIu64 ": tier `%s` holds data, but the assembly has no such tier",
                l->line, name);
}

static Err read_slices(Lines *l, Arena *a, bool late, PartTable *t)
{
    Err err = E_OK;
    u64 lines = 0, row = 0;
    void *array = NULL;

    for (Lines look = *l; lines_at(&look, "slice"); lines++) {
        i64 end = str_find(look.rest, '\n');
        look.rest = (Str){look.rest.data + end + 1, look.rest.size - (u64)end - 1};
    }
    if (lines > 0 && !late) return bad_line(l, "slices in a part that is not late");
    TRY(get_array(a, lines, sizeof *t->slices, UINT32_MAX, "slices", &array));
    t->slices = array;
    t->slice_count = (u32)lines;
    for (u32 i = 0; i < t->slice_count; i++) {
        PartSlice *s = &t->slices[i];
        TRY(lines_next(l, "slice", 3));
        TRY(get_i32(l, 0, &s->day));
        TRY(get_u64(l, 1, &s->from));
        TRY(get_u64(l, 2, &s->to));
        if (s->from != row || s->to <= s->from || (i > 0 && s->day <= s[-1].day)) {
            err = bad_line(l, "slices must follow each other, days ascending");
            goto done;
        }
        row = s->to;
    }
    if (late && row != t->rows) err = bad_line(l, "slices do not cover the table's rows");
done:
    return err;
}

static Err read_table(Lines *l, Arena *a, bool late, PartTable *t)
{
    Err err = E_OK;
    char *name = NULL;

    TRY(lines_next(l, "table", 6));
    TRY(get_text(l, 0, a, &name));
    TRY(get_u64(l, 1, &t->rows));
    TRY(get_u64(l, 2, &t->bytes));
    TRY(get_i64(l, 3, &t->time_min));
    TRY(get_i64(l, 4, &t->time_max));
    TRY(get_hex(l, 5, 16, &t->schema_hash));
    t->name = name;
    if (!str_name_ok(str_of(name), false)) {
        err = bad_line(l, "not the name of a table");
        goto done;
    }
    if (t->rows > BOUND_ROWS_MAX) {
        err = bad_line(l, "more rows than a part may have");
        goto done;
    }
    TRY(read_slices(l, a, late, t));
done:
    return err;
}

static Err read_part(Lines *l, const Root *r, Segment *s, Part *p)
{
    Err err = E_OK;
    void *array = NULL;
    Arena *a = &s->memory;

    p->kind = s->kind;
    TRY(lines_next(l, "part", 5));
    TRY(get_i32(l, 0, &p->key));
    TRY(get_i32(l, 1, &p->day));
    TRY(get_u64(l, 2, &p->made));
    TRY(read_tier(l, r, a, p));
    TRY(get_path(l, 4, r, a, &p->path));
    if (view_group(p->kind, p->key) != s->group || (p->kind == PART_INTERVAL && p->key < 0) ||
        (p->kind == PART_DATE && p->day != p->key) || (p != s->parts && p[-1].key >= p->key)) {
        err = bad_line(l, "a part out of order, or of another segment");
        goto done;
    }
    u64 tables = lines_count(l, "table", "part");
    TRY(get_array(a, tables, sizeof *p->tables, BOUND_TABLES_MAX, "tables", &array));
    p->tables = array;
    p->table_count = (u32)tables;
    for (u32 i = 0; i < p->table_count; i++)
        TRY(read_table(l, a, p->late, &p->tables[i]));
done:
    return err;
}

Err manifest_read_segment(Str text, const Root *r, u32 crc, Segment *s)
{
    Err err = E_OK;
    Lines l;
    void *array = NULL;
    char *name = NULL;

    TRY(lines_open(&l, text, &s->crc));
    if (s->crc != crc) {
        err = fail(E_CORRUPT,
                   "the file is whole, but not the one that the view names: CRC %08" PRIx32
                   ", wanted %08" PRIx32,
                   s->crc, crc);
        goto done;
    }
    TRY(read_version(&l, "siltstone-segment"));
    TRY(lines_next(&l, "segment", 3));
    TRY(get_kind(&l, 0, &s->kind));
    TRY(get_i32(&l, 1, &s->group));
    TRY(get_text(&l, 2, &s->memory, &name));
    s->name = name;
    u64 parts = lines_count(&l, "part", NULL);
    TRY(get_array(&s->memory, parts, sizeof *s->parts, UINT32_MAX, "parts", &array));
    if (parts == 0) {
        err = fail(E_CORRUPT, "a segment without parts");
        goto done;
    }
    s->parts = array;
    s->part_count = (u32)parts;
    for (u32 i = 0; i < s->part_count; i++)
        TRY(read_part(&l, r, s, &s->parts[i]));
    if (l.rest.size != 0) {
        l.line++;
        err = bad_line(&l, "a line that does not belong there");
    }
done:
    return err;
}

Err manifest_read_stage(Str text, Arena *a, char ***paths, u32 *count)
{
    Err err = E_OK;
    Lines l;
    u32 crc = 0;
    void *array = NULL;

    *count = 0;
    TRY(lines_open(&l, text, &crc));
    TRY(read_version(&l, "siltstone-stage"));
    u64 lines = lines_count(&l, "path", NULL);
    TRY(get_array(a, lines, sizeof **paths, UINT32_MAX, "paths", &array));
    *paths = array;
    for (u32 i = 0; i < lines; i++) {
        TRY(lines_next(&l, "path", 1));
        TRY(get_text(&l, 0, a, &(*paths)[i]));
    }
    *count = (u32)lines;
    if (l.rest.size != 0) {
        l.line++;
        err = bad_line(&l, "a line that does not belong there");
    }
done:
    return err;
}
