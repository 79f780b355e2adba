/*
 * feed: check a published message, append it to the stream, remember who sent it.
 *
 * Unknown tables and wrong shapes go to the dead-letter log, rows with a null or infinite partition
 * time or beyond the horizon to the quarantine log (both are WAL folders of their own, bounded),
 * counted by reason (O-14, O-24, O-25). The good rows of a message that has bad ones are appended.
 * Repeats by (publisher, session, sequence) are acknowledged and not stored again (O-12). What is
 * said here is true only after feed_sync.
 */
#ifndef STREAM_FEED_H
#define STREAM_FEED_H

#include "stream/wal.h"
#include "table/schema.h"

typedef enum {
    FEED_OK,
    FEED_DUPLICATE,   /* seen before */
    FEED_PARTIAL,     /* some rows went to quarantine */
    FEED_QUARANTINED, /* all rows went to quarantine */
    FEED_REFUSED      /* dead letter; err tells why */
} FeedVerdict;

typedef struct {
    Str table;
    const u8 *body; /* one checked q IPC object */
    u64 size;
    u64 publisher, session, sequence; /* publisher 0 = no exactly-once */
} FeedMessage;

typedef struct {
    FeedVerdict verdict;
    u64 position; /* end of the record: acknowledged when wal_durable >= position */
    u64 rows;     /* rows that are (or were, for a duplicate) taken */
    u64 bad_rows;
} FeedResult;

/* The last accepted sequence of a publisher. */
typedef struct {
    u64 publisher, session, sequence;
} FeedPublisher;

typedef struct Feed Feed;

typedef struct {
    u64 messages, rows, bytes, duplicates;
    u64 dead_unknown_table, dead_shape, dead_limit; /* messages */
    u64 quarantined_null, quarantined_future;       /* rows */
    u64 log_dropped;                                /* dead letters beyond the bound of their log */
} FeedCounts;

typedef struct {
    const SchemaSet *tables;
    Wal *wal;
    const char *dead_path, *quarantine_path;
    u64 refuse_bytes_max; /* bound of each of the two logs, 0 = 256 MiB */
    i64 horizon_ns;       /* rows later than now + horizon are quarantined; 0 = one day */
} FeedOptions;

/* Starts a feed; publishers of the last view are given to feed_remember. */
MUST_USE Err feed_open(Feed **f, const FeedOptions *o);

/* Records the last sequence of a publisher (from a view or a replayed record). E_LIMIT beyond
 * BOUND_PUBLISHERS_MAX. */
MUST_USE Err feed_remember(Feed *f, u64 publisher, u64 session, u64 sequence);

/* Takes one message. An Err is for the publisher: E_NOT_FOUND unknown table, E_TYPE wrong shape
 * (both parked), E_FULL, E_LIMIT (back-pressure, or a message beyond the bounds, counted: nothing
 * taken), E_BUSY (its bad rows cannot be kept now: nothing taken), E_IO. A parked record's body is
 * the list (reason; body as published); quarantined rows stand there as a list of columns. */
MUST_USE Err feed_publish(Feed *f, const FeedMessage *m, FeedResult *r);

/* Appends a control message (table name begins with '_'). */
MUST_USE Err feed_control(Feed *f, const char *table, const u8 *body, u64 size, u64 *end);

/* Makes everything taken since the last call durable: one sync. */
MUST_USE Err feed_sync(Feed *f);

/* Copies the publishers' last durable sequences (for a view's manifest, which must not know of what
 * a crash can still take away). */
MUST_USE Err feed_publishers(const Feed *f, Arena *a, FeedPublisher **out, u32 *count);

/* Counters; per-table rows taken (index in the schema set). */
const FeedCounts *feed_counts(const Feed *f);
u64 feed_table_rows(const Feed *f, u32 table);

/* Closes; NULL is allowed. Does not close the WAL. */
void feed_close(Feed *f);

/* The publisher id of a name (never 0). */
u64 feed_publisher_id(Str name);

#endif
