/*
 * survey: everything that is to be known of a kdb+ database before it is imported: the complete
 * list of what speaks against it, what would be filled, and the parts that it would become. Reads
 * only.
 */
#ifndef UPKEEP_SURVEY_H
#define UPKEEP_SURVEY_H

#include "db/plain.h"
#include "table/schema.h"
#include "upkeep/inspect.h"
#include "upkeep/note.h"

typedef struct {
    const char *source;      /* the database's folder */
    const SchemaSet *tables; /* of the assembly; NULL: as the last partition has them */
    bool first_days;         /* a month or year becomes its first day's part (O-60) */
    bool keep_unlisted;      /* tables that the assembly does not know are kept, not refused */
    bool deep;               /* read all times and symbols */
    void (*progress)(void *arg, u64 done, u64 all); /* parts; one call at a time; NULL = none */
    void *arg;
} SurveyOptions;

/* A partition, as the date part it becomes. */
typedef struct {
    i32 day;
    i64 time_min, time_max; /* the bounds of its day, month or year */
    const char *path;       /* where it stands now */
    const char *name;       /* last piece of it */
    u32 segment;            /* of plain.segments */
    u32 table_count;
    InspectTable *tables; /* those of the schemas first, then the unlisted */
    NoteList notes;       /* while the survey runs */
    Arena memory;
} SurveyPart;

typedef struct {
    SurveyOptions options;
    Plain plain;
    char *real_source;
    SchemaSet tables; /* the assembly's partitioned ones, or those made from the last partition */
    u64 sym_size;     /* bytes of its domain; 0 = it has none */
    u32 part_count;
    SurveyPart *parts; /* by day */
    NoteList notes;    /* violations and warnings */
    u64 rows, bytes, table_count, fills;
    Arena memory;
} Survey;

/* Looks at all of it, parts in parallel. Violations are notes (s->notes.errors counts them); fails
 * only when the folder cannot be listed or memory is gone. survey_close in every case. */
MUST_USE Err survey_run(Survey *s, const SurveyOptions *options);

/* Frees; idempotent. */
void survey_close(Survey *s);

#endif
