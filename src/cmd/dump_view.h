/*
 * dump_view: manifests of views and segments, stage files, markers, par.txt.
 */
#ifndef CMD_DUMP_VIEW_H
#define CMD_DUMP_VIEW_H

#include "cmd/dump_out.h"

/* Explains a small text file of a database by its name and first line; false when it is none. */
bool dump_view(DumpOut *o, const char *path, const char *name, Str text);

#endif
