/*
 * adopt: the initial import: a kdb+ database becomes a managed one where it stands
 * (storage-manager.md 15).
 *
 * Nothing is copied. The database's folder is renamed to <hdb>/imported, its domain gets a second
 * name, <hdb>/sym, and a view that names its partitions is published. What old partitions lack is
 * made beside what is there. A journal (journal.h) stands from the first change to the last one:
 * an interruption at any point is taken back and begun again by adopt_resume, an error is taken
 * back at once, to the names and bytes that were there before.
 */
#ifndef UPKEEP_ADOPT_H
#define UPKEEP_ADOPT_H

#include "db/root.h"
#include "upkeep/survey.h"

typedef struct {
    const char *assembly;  /* name */
    const char *idb, *hdb; /* base folders, absolute */
    const char *wal;       /* NULL = <idb>/wal */
    const Tier *tiers;     /* date tiers */
    u32 tier_count;
    const SchemaSet *tables;
    const char *source;                   /* the database's folder, absolute; NULL = <hdb>/data */
    bool first_days, keep_unlisted, deep; /* as in SurveyOptions */
    /* Told how far each step is; NULL = nobody is. */
    void (*progress)(void *arg, const char *what, u64 done, u64 all);
    void *arg;
} AdoptOptions;

typedef enum {
    ADOPT_NOTHING, /* there was nothing to do */
    ADOPT_REFUSED, /* conditions are violated: see the survey's notes; nothing was touched */
    ADOPT_DONE     /* the database is managed now */
} AdoptOutcome;

/* Looks whether a database can be imported: the survey, and whether this assembly's folders were
 * never in use (V-20). Touches nothing. survey_close(s) in every case. */
MUST_USE Err adopt_check(const AdoptOptions *o, Survey *s);

/* The folder that a part's partition has after the import, absolute, in the arena. */
MUST_USE Err adopt_path(const AdoptOptions *o, const Survey *s, const SurveyPart *p, Arena *a,
                        char **path);

/* Checks and imports. On failure everything is as it was, unless the failure's text says that it
 * could not be taken back: then the next adopt_resume does. E_BUSY: another import or a manager
 * runs. survey_close(s) in every case. */
MUST_USE Err adopt_apply(const AdoptOptions *o, Survey *s, AdoptOutcome *outcome);

/* Whether an import was interrupted here. */
MUST_USE Err adopt_pending(const char *hdb, bool *pending);

/* Ends an interrupted import: finishes one that was committed; else takes back what it did and,
 * unless it had been given up, begins again with the options it had. ADOPT_NOTHING when there was
 * none, or when it was given up. survey_close(s) in every case. */
MUST_USE Err adopt_resume(const AdoptOptions *o, Survey *s, AdoptOutcome *outcome);

/* Whether no manager ever began here: neither a view nor a marker. */
MUST_USE Err adopt_is_new(const char *idb, const char *hdb, bool *is_new);

#endif
