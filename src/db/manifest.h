/*
 * manifest: the text of a view and of its segments. Pure: text to structs and back.
 *
 * Lines of `key value...`, blank-separated, names %-escaped; the last line is `end <crc32c>` over
 * all before it. A file that is empty, cut or altered is E_CORRUPT (the caller falls back to an
 * older view or stops, P7). doc/format/manifest.md describes every line.
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

/* Appends the text of a view (without its segments' content). Paths are kept as root_path_store
 * writes them. */
MUST_USE Err manifest_write_view(Buf *b, const Root *r, const View *v);

/* Reads a view's text into `v` (arrays in v->memory) and the list of its segments (texts in
 * v->memory too). With `r` NULL paths stay as they are written. */
MUST_USE Err manifest_read_view(Str text, const Root *r, View *v, ManifestSegment **segments,
                                u32 *count);

/* Appends the text of a segment; *crc is what a view records. */
MUST_USE Err manifest_write_segment(Buf *b, const Root *r, const Segment *s, u32 *crc);

/* Reads a segment's text into `s` (arrays in s->memory); `crc` is what the view recorded. With `r`
 * NULL paths stay as they are written and every tier is 0. */
MUST_USE Err manifest_read_segment(Str text, const Root *r, u32 crc, Segment *s);

/* Appends the text of a stage file: the absolute paths that a job is about to create; and reads it
 * back. */
MUST_USE Err manifest_write_stage(Buf *b, const char *const *paths, u32 count);
MUST_USE Err manifest_read_stage(Str text, Arena *a, char ***paths, u32 *count);

#endif
