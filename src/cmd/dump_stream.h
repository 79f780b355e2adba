/*
 * dump_stream: log files of the stream and of what it refused, and the page that processes
 * share. */
#ifndef CMD_DUMP_STREAM_H
#define CMD_DUMP_STREAM_H

#include "cmd/dump_out.h"

/* Explains a log file (`*.wal`): its header and each record. */
void dump_stream_log(DumpOut *o, const char *path);

/* Explains the shared page `durable`. */
void dump_stream_shared(DumpOut *o, const char *path);

#endif
