/*
 * journal: what a running import is about to change, so that it can be taken back
 * (doc/format/adopt.md).
 *
 * <hdb>/adopt.journal stands from before the first change until after the last one. It lists all
 * that is made or replaced outside our own names; what has been done of it shows on the disk.
 */
#ifndef UPKEEP_JOURNAL_H
#define UPKEEP_JOURNAL_H

#include "base/arena.h"
#include "base/fail.h"
#include "base/str.h"

#define JOURNAL_NAME "adopt.journal" /* in <hdb> */

/* A table in the folder of a partition that is made, or that gets columns. */
typedef struct {
    const char *path; /* of the table's folder, where it stands before the import */
    u32 column_count; /* 0: the whole table is made */
    const char **columns;
} JournalTable;

typedef struct {
    bool back;          /* what was done is being taken back, the import is given up */
    bool first_days;    /* options of the import, for the one that resumes it */
    bool keep_unlisted; /* ... */
    const char *source; /* the database's folder before the import */
    u32 made_count;     /* folders that did not exist, outermost first */
    const char **made;
    u32 table_count;
    JournalTable *tables;
} Journal;

/* Writes it durably under `path`, over an older one. */
MUST_USE Err journal_write(const char *path, const Journal *j);

/* Reads it, into the arena; *there is false when there is none, or an empty one. E_CORRUPT names
 * the file, E_UNSUPPORTED its version. */
MUST_USE Err journal_read(const char *path, Arena *a, Journal *j, bool *there);

/* The same from text. */
MUST_USE Err journal_parse(Str text, Arena *a, Journal *j);

#endif
