/*
 * check_plain: any kdb+ database or table folder, without views.
 */
#ifndef CMD_CHECK_PLAIN_H
#define CMD_CHECK_PLAIN_H

#include "cmd/check_table.h"
#include "cmd/findings.h"

typedef struct {
    u64 parts, table_count, rows, files;
} CheckPlainCounts;

/* Checks the folder as a q session would load it. E_MEMORY and the like only; what is wrong stands
 * in the findings. */
MUST_USE Err check_plain(const char *folder, NoteList *findings, CheckPlainCounts *counts);

#endif
