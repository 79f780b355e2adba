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
#include "db/lines.h"

#include <inttypes.h>
#include <stdio.h>

#define MANIFEST_VERSION 2 /* of views and segments; version 1 knew no checksums */

/* ---- writing */

static Err put_path(Buf *b, const Root *r, const char *path)
{
    Arena scratch = {0};
    Err err = lines_put_text(b, r != NULL ? root_path_store(r, &scratch, path) : path);
    arena_free(&scratch);
    return err;
}

/* The last field of a line: a CRC that is known or not. */
static Err put_crc(Buf *b, bool known, u32 crc)
{
    return known ? buf_format(b, "%08" PRIx32 "\n", crc) : buf_text(b, "none\n");
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

    TRY(buf_text(b, "siltstone-view 2\n"));
    TRY(buf_format(b, "number %" PRIu64 "\nhdb %" PRIu64 "\n", v->number, v->hdb));
    TRY(buf_format(b, "watermark %" PRIu64 "\n", v->watermark));
    TRY(buf_format(b, "eoi %" PRIu64 "\neod %" PRIu64 "\n", v->eoi, v->eod));
    TRY(buf_format(b, "eod-asked %" PRIu64 " %" PRIu64 "\n", v->eod_asked, v->eod_upto));
    TRY(buf_format(b, "sym %" PRIu64 " ", v->sym_size));
    TRY(put_crc(b, v->sym_summed, v->sym_crc));
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
    TRY(lines_put_end(b, from, &crc));
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
    TRY(lines_put_text(b, tier));
    TRY(buf_byte(b, ' '));
    TRY(put_path(b, r, p->path));
    TRY(buf_byte(b, ' '));
    TRY(put_crc(b, p->summed, p->sums));
    for (u32 i = 0; i < p->table_count; i++) {
        const PartTable *t = &p->tables[i];
        TRY(buf_text(b, "table "));
        TRY(lines_put_text(b, t->name));
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

    TRY(buf_text(b, "siltstone-segment 2\n"));
    TRY(buf_format(b, "segment %s %" PRIi32 " %s\n", s->kind == PART_INTERVAL ? "interval" : "date",
                   s->group, s->name));
    for (u32 i = 0; i < s->part_count; i++)
        TRY(put_part(b, r, &s->parts[i]));
    TRY(lines_put_end(b, from, crc));
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
        TRY(lines_put_text(b, paths[i]));
        TRY(buf_byte(b, '\n'));
    }
    TRY(lines_put_end(b, from, &crc));
done:
    return err;
}

/* ---- reading: fields */

static Err get_path(const Lines *l, u32 i, const Root *r, Arena *a, const char **out)
{
    char *stored = NULL, *path = NULL;
    Err err = lines_text(l, i, a, &stored);
    if (err != E_OK) return err;
    *out = stored;
    if (r == NULL) return E_OK;
    err = root_path_find(r, a, str_of(stored), &path);
    *out = path;
    return fail_note(err, "line %" PRIu64, l->line);
}

static Err get_crc(const Lines *l, u32 i, bool *known, u32 *crc)
{
    u64 number = 0;
    *known = !str_is(l->field[i], "none");
    Err err = *known ? lines_hex(l, i, 8, &number) : E_OK;
    *crc = (u32)number;
    return err;
}

static Err get_kind(const Lines *l, u32 i, PartKind *kind)
{
    if (str_is(l->field[i], "interval")) {
        *kind = PART_INTERVAL;
    } else if (str_is(l->field[i], "date")) {
        *kind = PART_DATE;
    } else {
        return lines_bad(l, "neither `interval` nor `date`");
    }
    return E_OK;
}

static Err read_u64_line(Lines *l, const char *key, u64 *out)
{
    Err err = lines_next(l, key, 1);
    return err != E_OK ? err : lines_u64(l, 0, out);
}

static Err read_i64_line(Lines *l, const char *key, i64 *out)
{
    Err err = lines_next(l, key, 1);
    return err != E_OK ? err : lines_i64(l, 0, out);
}

/* ---- reading: a view */

static Err read_view_segments(Lines *l, Arena *a, u64 view, ManifestSegment **segments, u32 *count)
{
    Err err = E_OK;
    u64 lines = lines_count(l, "segment", "garbage");
    void *array = NULL;

    TRY(lines_array(a, lines, sizeof **segments, UINT32_MAX, "segments", &array));
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
        TRY(lines_i32(l, 1, &m->group));
        TRY(lines_text(l, 2, a, &name));
        TRY(lines_hex(l, 3, 8, &crc));
        m->name = name;
        m->crc = (u32)crc;
        if (!view_segment_parse(str_of(name), &kind, &group, &number) || kind != m->kind ||
            group != m->group || number > view) {
            err = lines_bad(l, "a segment name that does not fit kind, group or view");
            goto done;
        }
        const ManifestSegment *before = i > 0 ? m - 1 : NULL;
        if (before != NULL &&
            (before->kind > m->kind || (before->kind == m->kind && before->group >= m->group))) {
            err = lines_bad(l, "segments out of order");
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

    TRY(lines_array(&v->memory, lines, sizeof *v->publishers, BOUND_PUBLISHERS_MAX, "publishers",
                    &array));
    v->publishers = array;
    v->publisher_count = (u32)lines;
    for (u32 i = 0; i < v->publisher_count; i++) {
        ViewPublisher *p = &v->publishers[i];
        TRY(lines_next(l, "publisher", 3));
        TRY(lines_u64(l, 0, &p->publisher));
        TRY(lines_u64(l, 1, &p->session));
        TRY(lines_u64(l, 2, &p->sequence));
    }
done:
    return err;
}

static Err read_garbage(Lines *l, const Root *r, View *v)
{
    Err err = E_OK;
    u64 lines = lines_count(l, "garbage", NULL);
    void *array = NULL;

    TRY(lines_array(&v->memory, lines, sizeof *v->garbage, UINT32_MAX, "lines of garbage", &array));
    v->garbage = array;
    v->garbage_count = (u32)lines;
    for (u32 i = 0; i < v->garbage_count; i++) {
        TRY(lines_next(l, "garbage", 2));
        TRY(lines_u64(l, 0, &v->garbage[i].gone));
        TRY(get_path(l, 1, r, &v->memory, &v->garbage[i].path));
    }
    if (l->rest.size != 0) {
        l->line++;
        err = lines_bad(l, "a line that does not belong there");
    }
done:
    return err;
}

/* The lines of which there is always one. */
static Err read_view_header(Lines *l, View *v)
{
    Err err = E_OK;
    u32 version = 0;

    struct {
        const char *key;
        u64 *field;
    } numbers[] = {{"number", &v->number},
                   {"hdb", &v->hdb},
                   {"watermark", &v->watermark},
                   {"eoi", &v->eoi},
                   {"eod", &v->eod}};

    TRY(lines_version(l, "siltstone-view", MANIFEST_VERSION, &version));
    for (u32 i = 0; i < COUNT_OF(numbers); i++)
        TRY(read_u64_line(l, numbers[i].key, numbers[i].field));
    TRY(lines_next(l, "eod-asked", 2));
    TRY(lines_u64(l, 0, &v->eod_asked));
    TRY(lines_u64(l, 1, &v->eod_upto));
    TRY(lines_next(l, "sym", version > 1 ? 2 : 1));
    TRY(lines_u64(l, 0, &v->sym_size));
    if (version > 1) TRY(get_crc(l, 1, &v->sym_summed, &v->sym_crc));
    TRY(read_i64_line(l, "committed", &v->committed));
    TRY(read_i64_line(l, "interval-end", &v->interval_end));
    TRY(read_i64_line(l, "day-end", &v->day_end));
    TRY(lines_next(l, "lost", 2));
    TRY(lines_i64(l, 0, &v->lost_from));
    TRY(lines_i64(l, 1, &v->lost_to));
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
    Err err = lines_text(l, 3, a, &name);
    if (err != E_OK) return err;
    if (p->kind == PART_INTERVAL) {
        p->late = strcmp(name, "late") == 0;
        return p->late || strcmp(name, "interval") == 0
                   ? E_OK
                   : lines_bad(l, "neither `interval` nor `late`");
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
    if (lines > 0 && !late) return lines_bad(l, "slices in a part that is not late");
    TRY(lines_array(a, lines, sizeof *t->slices, UINT32_MAX, "slices", &array));
    t->slices = array;
    t->slice_count = (u32)lines;
    for (u32 i = 0; i < t->slice_count; i++) {
        PartSlice *s = &t->slices[i];
        TRY(lines_next(l, "slice", 3));
        TRY(lines_i32(l, 0, &s->day));
        TRY(lines_u64(l, 1, &s->from));
        TRY(lines_u64(l, 2, &s->to));
        if (s->from != row || s->to <= s->from || (i > 0 && s->day <= s[-1].day)) {
            err = lines_bad(l, "slices must follow each other, days ascending");
            goto done;
        }
        row = s->to;
    }
    if (late && row != t->rows) err = lines_bad(l, "slices do not cover the table's rows");
done:
    return err;
}

static Err read_table(Lines *l, Arena *a, bool late, PartTable *t)
{
    Err err = E_OK;
    char *name = NULL;

    TRY(lines_next(l, "table", 6));
    TRY(lines_text(l, 0, a, &name));
    TRY(lines_u64(l, 1, &t->rows));
    TRY(lines_u64(l, 2, &t->bytes));
    TRY(lines_i64(l, 3, &t->time_min));
    TRY(lines_i64(l, 4, &t->time_max));
    TRY(lines_hex(l, 5, 16, &t->schema_hash));
    t->name = name;
    if (!str_name_ok(str_of(name), true)) {
        err = lines_bad(l, "not the name of a table");
        goto done;
    }
    if (t->rows > BOUND_ROWS_MAX) {
        err = lines_bad(l, "more rows than a part may have");
        goto done;
    }
    TRY(read_slices(l, a, late, t));
done:
    return err;
}

static Err read_part(Lines *l, const Root *r, u32 version, Segment *s, Part *p)
{
    Err err = E_OK;
    void *array = NULL;
    Arena *a = &s->memory;

    p->kind = s->kind;
    TRY(lines_next(l, "part", version > 1 ? 6 : 5));
    TRY(lines_i32(l, 0, &p->key));
    TRY(lines_i32(l, 1, &p->day));
    TRY(lines_u64(l, 2, &p->made));
    TRY(read_tier(l, r, a, p));
    TRY(get_path(l, 4, r, a, &p->path));
    if (version > 1) TRY(get_crc(l, 5, &p->summed, &p->sums));
    if (view_group(p->kind, p->key) != s->group || (p->kind == PART_INTERVAL && p->key < 0) ||
        (p->kind == PART_DATE && p->day != p->key) || (p != s->parts && p[-1].key >= p->key)) {
        err = lines_bad(l, "a part out of order, or of another segment");
        goto done;
    }
    u64 tables = lines_count(l, "table", "part");
    TRY(lines_array(a, tables, sizeof *p->tables, BOUND_TABLES_MAX, "tables", &array));
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
    u32 version = 0;
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
    TRY(lines_version(&l, "siltstone-segment", MANIFEST_VERSION, &version));
    TRY(lines_next(&l, "segment", 3));
    TRY(get_kind(&l, 0, &s->kind));
    TRY(lines_i32(&l, 1, &s->group));
    TRY(lines_text(&l, 2, &s->memory, &name));
    s->name = name;
    u64 parts = lines_count(&l, "part", NULL);
    TRY(lines_array(&s->memory, parts, sizeof *s->parts, UINT32_MAX, "parts", &array));
    if (parts == 0) {
        err = fail(E_CORRUPT, "a segment without parts");
        goto done;
    }
    s->parts = array;
    s->part_count = (u32)parts;
    for (u32 i = 0; i < s->part_count; i++)
        TRY(read_part(&l, r, version, s, &s->parts[i]));
    if (l.rest.size != 0) {
        l.line++;
        err = lines_bad(&l, "a line that does not belong there");
    }
done:
    return err;
}

Err manifest_read_stage(Str text, Arena *a, char ***paths, u32 *count)
{
    Err err = E_OK;
    Lines l;
    u32 version = 0;
    u32 crc = 0;
    void *array = NULL;

    *count = 0;
    TRY(lines_open(&l, text, &crc));
    TRY(lines_version(&l, "siltstone-stage", 1, &version));
    u64 lines = lines_count(&l, "path", NULL);
    TRY(lines_array(a, lines, sizeof **paths, UINT32_MAX, "paths", &array));
    *paths = array;
    for (u32 i = 0; i < lines; i++) {
        TRY(lines_next(&l, "path", 1));
        TRY(lines_text(&l, 0, a, &(*paths)[i]));
    }
    *count = (u32)lines;
    if (l.rest.size != 0) {
        l.line++;
        err = lines_bad(&l, "a line that does not belong there");
    }
done:
    return err;
}
