/*
 * view: a numbered, immutable version of the database: which parts exist and where
 * (ARCHITECTURE.md).
 *
 * A View lists its parts in segments: one for every 256 interval labels, one for every year of
 * dates. Segments are immutable and shared by views, so that a new view costs what changed. A
 * ViewCache owns segments and views in one process; its thread is the loop's. Parts are sorted:
 * intervals by ordinal, dates by day.
 */
#ifndef DB_VIEW_H
#define DB_VIEW_H

#include "base/arena.h"
#include "base/fail.h"
#include "base/list.h"
#include "column/domain.h"
#include "db/root.h"
#include "table/batch.h"

typedef enum { PART_INTERVAL, PART_DATE } PartKind;

#define PART_UNCOUNTED UINT64_MAX

/* A range of rows of one day in the late part of an interval, which is sorted by day first. */
typedef struct {
    i32 day;
    u64 from, to;
} PartSlice;

/* One table in one part. */
typedef struct {
    const char *name;
    u64 rows, bytes;        /* rows of a plain part: PART_UNCOUNTED until a query has looked */
    i64 time_min, time_max; /* of the partition column; min > max when there are no rows */
    u64 schema_hash;
    u32 slice_count; /* late parts only */
    PartSlice *slices;
    void *opened; /* a reader's handle (query/plan); NULL elsewhere */
} PartTable;

typedef struct {
    PartKind kind;
    i32 key;          /* interval ordinal or day */
    i32 day;          /* the day it is filed under (date parts: = key) */
    u32 tier;         /* date parts: number of the tier that holds it */
    u64 made;         /* EOI sequence number, or the view number that published the date part */
    const char *path; /* absolute physical folder */
    bool summed;      /* it has a sidecar of checksums (db/sidecar), */
    u32 sums;         /* whose CRC this is */
    bool late;        /* an interval's second part: rows of other days, sorted by day first */
    u32 table_count;
    PartTable *tables;
    /* of a database that nobody manages (db/plain_view.h): */
    bool plain;             /* it may lack tables and columns; its rows are counted when touched */
    i64 value;              /* of the virtual column */
    i64 span_from, span_to; /* timestamps that its value stands for; all of them when it has none */
    const Batch *held;      /* the rows of its only table, in memory; NULL = in files */
} Part;

typedef struct Segment {
    List link;
    const char *name; /* of its manifest file: "i.0.42", "d.2024.17" */
    u32 crc;
    PartKind kind;
    i32 group; /* ordinal / 256, or the year */
    u32 uses;  /* views that hold it */
    u32 part_count;
    Part *parts;
    Arena memory;
} Segment;

/* The last accepted sequence of a publisher (O-12). */
typedef struct {
    u64 publisher, session, sequence;
} ViewPublisher;

/* A part that no view from `gone` on names; its folder goes when no older view is pinned. */
typedef struct {
    u64 gone;
    const char *path;
} ViewGarbage;

typedef struct View {
    List link;
    u64 number;      /* N of idb.N, the commit number */
    u64 hdb;         /* M of hdb.M */
    u64 watermark;   /* stream position: its parts hold every row before it */
    u64 eoi, eod;    /* last finished sequence numbers */
    u64 eod_asked;   /* highest day job that was asked for, */
    u64 eod_upto;    /* and the EOI number of its signal */
    u64 sym_size;    /* bytes of the domain file that its parts need */
    bool sym_summed; /* their CRC is known */
    u32 sym_crc;
    i64 committed;    /* wall time of the commit */
    i64 interval_end; /* end of the last written interval (wall time of its signal) */
    i64 day_end;      /* rows before it (by signal time) went through a day job; min = none yet */
    u32 interval_seg_count, date_seg_count;
    Segment **interval_segs, **date_segs;
    u32 publisher_count;
    ViewPublisher *publishers;
    u32 garbage_count;
    ViewGarbage *garbage;
    i64 lost_from, lost_to; /* O-45: a gap of stream positions that was lost; equal = none */
    int pin;                /* lock on the view's folder, -1 = not pinned */
    bool plain;             /* of a database that nobody manages: all its parts are plain */
    u32 uses;               /* queries that run on it */
    Arena memory;
} View;

typedef struct {
    Root *root;
    List segments, views;
    /* NULL, or told of each segment just before it is freed. */
    void (*forget)(void *arg, const Segment *s);
    void *forget_arg;
} ViewCache;

/* Starts an empty cache over a root; freeing it needs all views closed. */
void view_cache_init(ViewCache *c, Root *r);
void view_cache_free(ViewCache *c);

/* Opens the view that `current` names now; reads only segments that the cache does not have. With
 * `pin` holds a shared lock on the view's folder, looking again at `current` after it (so the sweep
 * cannot win the race). E_NOT_FOUND: no view yet; E_CORRUPT names the manifest. The view is in use
 * once (view_close gives it back). */
MUST_USE Err view_open(ViewCache *c, bool pin, View **v);

/* Opens view `number` without looking at `current`; E_NOT_FOUND when it has no manifest. */
MUST_USE Err view_open_number(ViewCache *c, u64 number, View **v);

/* Opens and pins the newest view with a lower number that is still kept and can be read: for
 * readers that cannot open a newer one. E_NOT_FOUND when there is none; other failures to list the
 * folder. The view is in use once. */
MUST_USE Err view_open_before(ViewCache *c, u64 number, View **v);

/* An empty view number 0, for a database that has none. */
MUST_USE Err view_empty(ViewCache *c, View **v);

/* Gives a use back; the last one frees the view, unpins it, and frees segments that nobody
 * holds. */
void view_close(ViewCache *c, View *v);

/* One more use. */
static inline void view_use(View *v) { v->uses++; }

/* The number that `current` names now, without opening anything; 0 when there is none. */
MUST_USE Err view_current(const Root *r, u64 *number);

/* Walks the parts of a view: intervals (by ordinal) or dates (by day). Start with *at = 0; NULL at
 * the end. */
const Part *view_next(const View *v, PartKind kind, u64 *at);

/* A part by key, or NULL. The table of a part by name, or NULL. */
const Part *view_part(const View *v, PartKind kind, i32 key);
PartTable *view_part_table(const Part *p, const char *table);

/* Compares a domain that was loaded as far as the view needs it with the view's CRC: E_CORRUPT when
 * names are not those that were written. */
MUST_USE Err view_check_domain(const View *v, const Domain *d);

/* Counts the parts of a kind. */
u64 view_part_count(const View *v, PartKind kind);

/* The segments of a kind, by group; *count of them. */
Segment **view_segments(const View *v, PartKind kind, u32 *count);

/* The segment group of a key: ordinal / 256, or the year of a day. */
i32 view_group(PartKind kind, i32 key);

/* Takes the name of a segment apart: `i.<group>.<view>` or `d.<group>.<view>`, in which <view> is
 * the number of the view that made it. False when it has another form. */
bool view_segment_parse(Str name, PartKind *kind, i32 *group, u64 *number);

/* For publish: a new segment without parts in the cache, which nobody holds yet. */
Segment *view_segment_make(ViewCache *c, PartKind kind, i32 group, u64 number);

#endif
