/*
 * dump_column: column files, symbol lists and other kdb+ files as facts.
 */
#ifndef CMD_DUMP_COLUMN_H
#define CMD_DUMP_COLUMN_H

#include "cmd/dump_out.h"
#include "column/domain.h"

/* The domain that was read last: files of one folder share it. Zeroed = none. */
typedef struct {
    char *path;
    Domain domain;
    Arena memory;
} DumpColumnDomain;

/* Explains a file that begins like a kdb+ file; false when it does not. */
bool dump_column(DumpOut *o, const char *path, DumpColumnDomain *d);

/* Explains what a table folder holds as a whole: columns, rows, whether they agree. */
void dump_column_table(DumpOut *o, const char *path);

/* Frees; idempotent. */
void dump_column_forget(DumpColumnDomain *d);

#endif
