/*
 * findings: how what a check found (upkeep/note) is told.
 */
#ifndef CMD_FINDINGS_H
#define CMD_FINDINGS_H

#include "base/buf.h"
#include "upkeep/note.h"

/* Adds this thread's last failure, whose code is `err`: a warning when it is E_UNSUPPORTED (what
 * was not checked is said), else a violation. A text that begins with the file loses it. */
void findings_fail(NoteList *n, const char *file, const char *rule, Err err);

/* Appends them as lines of text, or as JSON objects one a line. */
MUST_USE Err findings_write(const NoteList *n, bool json, Buf *out);

#endif
