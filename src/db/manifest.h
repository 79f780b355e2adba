/*
 * manifest: the text of a view and of its segments. Pure: text to structs and back.
 *
 * Lines of `key value...`, blank-separated, names %-escaped; the last line is `end <crc32c>` over all before it.
 * A file that is empty, cut or altered is E_CORRUPT (the caller falls back to an older view or stops, P7).
 * doc/format/manifest.md describes every line.
 */
#ifndef DB_MANIFEST_H
#define DB_MANIFEST_H

#include "base/buf.h"
#include "db/view.h"

/* A segment that a view names. */
typedef struct {
    PartKind kind;
    i32 group;
    u32 crc;
    const char *name;
} ManifestSegment;

/* Appends the text of a view (without its segments' content). */
MUST_USE Err manifest_write_view(Buf *b, const View *v);

/* Reads a view's text into `v` (arrays in v->memory) and the list of its segments. */
MUST_USE Err manifest_read_view(Str text, View *v, ManifestSegment **segments, u32 *count);

/* Appends the text of a segment; *crc is what a view records. Reads it back into `s` (arrays in s->memory). */
MUST_USE Err manifest_write_segment(Buf *b, const Segment *s, u32 *crc);
MUST_USE Err manifest_read_segment(Str text, u32 crc, Segment *s);

#endif
