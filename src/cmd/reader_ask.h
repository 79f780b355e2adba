/*
 * reader_ask: the arguments of a getData call, as they come by q IPC and HTTP.
 */
#ifndef CMD_READER_ASK_H
#define CMD_READER_ASK_H

#include "q/value.h"
#include "serve/api.h"

/* Decodes a call's arguments into a dictionary in its arena: a q dictionary (behind it a callback,
 * which must be null, and options, which join it) or JSON. E_USAGE, E_UNSUPPORTED. */
MUST_USE Err reader_ask_arguments(Call *call, Value *args);

/* The options' logCorr, empty when there is none. */
Str reader_ask_corr(const Value *args);

#endif
