/*
 * dump_view: the texts of db/manifest, read by the same code that the manager uses, and the few
 * other text files of a database.
 */
#include "cmd/dump_view.h"

#include <stdio.h>

#include "base/crc.h"
#include "db/adopted.h"
#include "db/manifest.h"
#include "db/sidecar.h"
#include "q/json.h"
#include "q/temporal.h"
#include "table/part.h"
#include "upkeep/journal.h"

#define DUMP_END_SIZE 13 /* the line `end 01234567` */

static void put_view(DumpOut *o, Str text)
{
    View v = {.pin = -1};
    ManifestSegment *segments = NULL;
    u32 count = 0;
    Err err = manifest_read_view(text, NULL, &v, &segments, &count);
    if (err != E_OK) dump_out_fail(o);
    dump_out_count(o, "number", v.number);
    dump_out_count(o, "hdb", v.hdb);
    dump_out_count(o, "watermark", v.watermark);
    dump_out_count(o, "eoi", v.eoi);
    dump_out_count(o, "eod", v.eod);
    dump_out_count(o, "eodAsked", v.eod_asked);
    dump_out_count(o, "eodUpTo", v.eod_upto);
    dump_out_count(o, "symBytes", v.sym_size);
    dump_out_time(o, "committed", v.committed);
    dump_out_time(o, "intervalEnd", v.interval_end);
    if (v.day_end != INT64_MIN) dump_out_time(o, "dayEnd", v.day_end);
    if (v.lost_to > v.lost_from) {
        dump_out_number(o, "lostFrom", v.lost_from);
        dump_out_number(o, "lostTo", v.lost_to);
    }
    for (u32 i = 0; i < count && err == E_OK; i++) {
        dump_out_entry(o, "segment");
        dump_out_text(o, "kind", segments[i].kind == PART_INTERVAL ? STR("interval") : STR("date"));
        dump_out_number(o, "group", segments[i].group);
        dump_out_text(o, "name", str_of(segments[i].name));
        dump_out_entry_end(o);
    }
    for (u32 i = 0; i < v.publisher_count && err == E_OK; i++) {
        dump_out_entry(o, "publisher");
        dump_out_count(o, "id", v.publishers[i].publisher);
        dump_out_count(o, "session", v.publishers[i].session);
        dump_out_count(o, "sequence", v.publishers[i].sequence);
        dump_out_entry_end(o);
    }
    for (u32 i = 0; i < v.garbage_count && err == E_OK; i++) {
        dump_out_entry(o, "garbage");
        dump_out_count(o, "sinceView", v.garbage[i].gone);
        dump_out_text(o, "path", str_of(v.garbage[i].path));
        dump_out_entry_end(o);
    }
    arena_free(&v.memory);
}

static void put_part(DumpOut *o, const Part *p)
{
    char name[TEMPORAL_TEXT_MAX];
    u32 size =
        p->kind == PART_INTERVAL ? part_label(p->key, name) : temporal_date_name(p->key, name);
    for (u32 i = 0; i < p->table_count; i++) {
        const PartTable *t = &p->tables[i];
        Value day = value_atom(QT_DATE, p->day);
        dump_out_entry(o, p->late ? "late part" : "part");
        dump_out_text(o, "name", (Str){name, size});
        dump_out_value(o, "date", &day);
        dump_out_count(o, "made", p->made);
        dump_out_text(o, "path", str_of(p->path));
        dump_out_text(o, "table", str_of(t->name));
        dump_out_count(o, "rows", t->rows);
        dump_out_count(o, "bytes", t->bytes);
        if (t->rows > 0) {
            dump_out_time(o, "minTS", t->time_min);
            dump_out_time(o, "maxTS", t->time_max);
        }
        if (t->slice_count > 0) dump_out_count(o, "slices", t->slice_count);
        dump_out_entry_end(o);
    }
}

static void put_segment(DumpOut *o, Str text)
{
    Segment s = {0};
    u64 rows = 0;
    u32 crc = text.size < DUMP_END_SIZE ? 0 : crc_32c(0, text.data, text.size - DUMP_END_SIZE);
    if (manifest_read_segment(text, NULL, crc, &s) != E_OK) {
        dump_out_fail(o);
    } else {
        dump_out_text(o, "partKind", s.kind == PART_INTERVAL ? STR("interval") : STR("date"));
        dump_out_text(o, "name", str_of(s.name));
        dump_out_number(o, "group", s.group);
        for (u32 i = 0; i < s.part_count; i++) {
            put_part(o, &s.parts[i]);
            for (u32 t = 0; t < s.parts[i].table_count; t++)
                rows += s.parts[i].tables[t].rows;
        }
        dump_out_count(o, "parts", s.part_count);
        dump_out_count(o, "rows", rows);
    }
    arena_free(&s.memory);
}

static void put_sums(DumpOut *o, Str text)
{
    SumList l = {0};
    u32 crc = 0;
    u64 bytes = 0;
    if (sidecar_parse(text, &l, &crc) != E_OK) dump_out_fail(o);
    for (u32 i = 0; i < l.count; i++) {
        char digits[9];
        snprintf(digits, sizeof digits, "%08x", l.files[i].crc);
        dump_out_entry(o, "file");
        dump_out_text(o, "name", str_of(l.files[i].name));
        dump_out_count(o, "bytes", l.files[i].size);
        dump_out_text(o, "crc", str_of(digits));
        dump_out_entry_end(o);
        bytes += l.files[i].size;
    }
    dump_out_count(o, "files", l.count);
    dump_out_count(o, "bytes", bytes);
    sum_list_free(&l);
}

static void put_stage(DumpOut *o, Str text)
{
    Arena a = {0};
    char **paths = NULL;
    u32 count = 0;
    if (manifest_read_stage(text, &a, &paths, &count) != E_OK) dump_out_fail(o);
    dump_out_count(o, "paths", count);
    for (u32 i = 0; i < count; i++) {
        dump_out_entry(o, "path");
        dump_out_text(o, "path", str_of(paths[i]));
        dump_out_entry_end(o);
    }
    arena_free(&a);
}

/* The journal of an import. */
static void put_journal(DumpOut *o, Str text)
{
    Arena a = {0};
    Journal j;
    if (journal_parse(text, &a, &j) != E_OK) {
        dump_out_fail(o);
        arena_free(&a);
        return;
    }
    dump_out_text(o, "state", j.back ? STR("back") : STR("forward"));
    dump_out_text(o, "source", str_of(j.source));
    for (u32 i = 0; i < j.made_count; i++) {
        dump_out_entry(o, "made");
        dump_out_text(o, "path", str_of(j.made[i]));
        dump_out_entry_end(o);
    }
    for (u32 i = 0; i < j.table_count; i++) {
        dump_out_entry(o, "table");
        dump_out_text(o, "path", str_of(j.tables[i].path));
        dump_out_count(o, "columns", j.tables[i].column_count);
        dump_out_entry_end(o);
    }
    arena_free(&a);
}

static void put_marker(DumpOut *o, Str text)
{
    static const char *const keys[] = {"assembly", "tier", "id"};
    Arena a = {0};
    Value v;
    if (json_parse(text, &a, &v) != E_OK || v.type != QT_DICT) {
        dump_out_bad(o, "not a JSON object");
    } else {
        for (u32 i = 0; i < COUNT_OF(keys); i++) {
            const Value *field = value_get(&v, keys[i]);
            Str s = {0};
            if (field != NULL && value_text(field, &s))
                dump_out_text(o, keys[i], s);
            else
                dump_out_bad(o, "no text `%s`", keys[i]);
        }
    }
    arena_free(&a);
}

static void put_lines(DumpOut *o, Str text)
{
    Str rest = str_trim(text), line;
    u64 count = 0;
    while (rest.size > 0 && str_split(&rest, '\n', &line)) {
        dump_out_entry(o, "folder");
        dump_out_text(o, "path", line);
        dump_out_entry_end(o);
        count++;
        if (rest.data == NULL) break;
    }
    dump_out_count(o, "folders", count);
}

/* What a text file is by its name: one whose first line does not fit is damaged. */
static const char *kind_of(const char *name, Str text)
{
    PartKind kind = PART_INTERVAL;
    i32 group = 0;
    u64 number = 0;
    if (str_starts(text, STR("siltstone-view "))) return "view";
    if (str_starts(text, STR("siltstone-segment "))) return "segment";
    if (str_starts(text, STR("siltstone-stage "))) return "stage";
    if (str_starts(text, STR("siltstone-sums "))) return "checksums";
    if (str_starts(text, STR("siltstone-adopt "))) return "journal";
    if (strcmp(name, JOURNAL_NAME) == 0) return "journal";
    if (root_numbered(str_of(name), "view.", &number)) return "view";
    if (view_segment_parse(str_of(name), &kind, &group, &number)) return "segment";
    if (sidecar_numbered(str_of(name), &number)) return "checksums";
    if (strcmp(name, "siltstone.json") == 0) return "marker";
    if (strcmp(name, "par.txt") == 0) return "par.txt";
    if (strcmp(name, "lock") == 0) return "lock";
    return NULL;
}

bool dump_view(DumpOut *o, const char *path, const char *name, Str text)
{
    const char *kind = kind_of(name, text);
    if (kind == NULL) return false;
    switch (kind[0]) {
    case 'v':
        dump_out_begin(o, path, "manifest of a view");
        put_view(o, text);
        break;
    case 's':
        dump_out_begin(o, path,
                       kind[1] == 'e'                    ? "manifest of a segment"
                       : strcmp(name, ADOPTED_LIST) == 0 ? "folders of imported partitions"
                                                         : "folders that a job makes");
        if (kind[1] == 'e')
            put_segment(o, text);
        else
            put_stage(o, text);
        break;
    case 'c':
        dump_out_begin(o, path, "checksums of a part's files");
        put_sums(o, text);
        break;
    case 'j':
        dump_out_begin(o, path, "journal of an import");
        put_journal(o, text);
        break;
    case 'm':
        dump_out_begin(o, path, "marker of a store");
        put_marker(o, text);
        break;
    case 'p':
        dump_out_begin(o, path, "segments of a kdb+ database");
        put_lines(o, text);
        break;
    default:
        dump_out_begin(o, path, "lock of the manager");
        dump_out_text(o, "pid", str_trim(text));
        break;
    }
    dump_out_end(o);
    return true;
}
