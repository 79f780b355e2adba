/*
 * folder: the folders of links that a q session loads: idb.N, hdb.M, and the segment folders that
 * par.txt names.
 *
 * What a folder holds is a pure function of the view. A store is *narrow* while the view has at
 * most BOUND_VIEW_DIR_MAX parts of its kind in one tier: the view's folder then holds a link a
 * part. Else it is *wide*: the folder holds `par.txt`, and each segment has a folder of links,
 * which all views with that segment share.
 */
#ifndef DB_FOLDER_H
#define DB_FOLDER_H

#include "db/view.h"

/* Whether a store with these parts (sorted, all of one kind) is wide. */
bool folder_is_wide(const Part *const *parts, u64 count);

/* Makes a new segment's folders of links, one for each tier that it touches, and syncs them (not
 * their parent). What an earlier, failed try has left there goes first. */
MUST_USE Err folder_make_segment(const Root *r, const Segment *s);

/* Makes idb.N (intervals) or hdb.M (dates) of a view and syncs it (not its parent). What an
 * earlier, failed try has left there goes first. */
MUST_USE Err folder_make_view(const Root *r, const View *v, PartKind kind);

/* Takes the name of a segment folder apart: the segment's name, then for all tiers but the first
 * dot and tier number. *segment is the leading piece. */
bool folder_segment_parse(Str name, Str *segment, u64 *number);

/* The base folder of a kind: <idb> or <hdb>. */
const char *folder_base(const Root *r, PartKind kind);

#endif
