/*
 * check_twice: rows that stand in two segments of a segmented database (P-09).
 */
#ifndef CMD_CHECK_TWICE_H
#define CMD_CHECK_TWICE_H

#include "cmd/check_table.h"

/* Compares the rows of the same table and partition in several folders: a row that stands once in
 * one and once in another is there twice; what stands several times in one folder is left alone.
 * Findings are added at the later folder. Only E_MEMORY and the like fail. */
MUST_USE Err check_twice(const char *const *paths, u64 count, const CheckTableDomains *domains,
                         NoteList *findings);

#endif
