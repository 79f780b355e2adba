/*
 * check_stream: the logs of a database: the stream, and what was refused.
 */
#ifndef CMD_CHECK_STREAM_H
#define CMD_CHECK_STREAM_H

#include "cmd/check_view.h"

/* Checks every record of the stream, the dead letters and the quarantine, in parallel over files.
 * E_MEMORY and the like only; what is wrong stands in the findings. */
MUST_USE Err check_stream(CheckView *db);

#endif
