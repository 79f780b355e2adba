/*
 * note: what a check, or an operator's job before it began, found: the path, the rule, the text;
 * errors and warnings.
 *
 * Each task of a parallel look fills a list of its own; they are joined in the order of the
 * tasks. */
#ifndef UPKEEP_NOTE_H
#define UPKEEP_NOTE_H

#include "base/arena.h"
#include "base/fail.h"

typedef struct {
    const char *path, *rule, *text;
    bool warning;
} Note;

/* Zeroed = empty. Beyond NOTE_MAX notes are only counted. */
typedef struct {
    Note *list;
    u32 count, room;
    u64 errors, warnings;
    Arena memory;
} NoteList;

#define NOTE_MAX 10000

/* Adds a violation of a rule, or a warning; all texts are copied. */
void note_bad(NoteList *n, const char *path, const char *rule, const char *format, ...)
    PRINTF(4, 5);
void note_warn(NoteList *n, const char *path, const char *rule, const char *format, ...)
    PRINTF(4, 5);

/* Adds this thread's last failure as a violation. */
void note_fail(NoteList *n, const char *path, const char *rule);

/* Adds all of `from`, in order, and frees it. */
void note_join(NoteList *n, NoteList *from);

/* Frees; idempotent. */
void note_free(NoteList *n);

#endif
