/*
 * talk: how command line tools find and call a manager or reader.
 *
 * The address: --sm-port / --da-port, SILT_SM_PORT / SILT_DA_PORT, the assembly file
 * (KXI_ASSEMBLY_FILE or a file named on the command line), or the defaults 127.0.0.1:10001 and
 * 127.0.0.1:5080. --host names another machine.
 */
#ifndef CMD_TALK_H
#define CMD_TALK_H

#include "cmd/options.h"
#include "serve/client.h"

typedef enum { TALK_MANAGER, TALK_READER } TalkTo;

/* Connects; E_CLOSED says which address did not answer. */
MUST_USE Err talk_open(Client *c, const OptionsCommon *o, const char *host, TalkTo to,
                       u32 timeout_ms);

/* Calls a function with up to two arguments (NULL = none). */
MUST_USE Err talk_call(Client *c, const char *function, const Value *first, const Value *second,
                       Arena *a, Value *answer);

/* Prints "silt: text" of the last failure to stderr and returns the exit status of `err` (0 for
 * E_OK). */
int talk_end(Err err);

/* Writes the whole buffer to stdout; E_IO. Frees it. */
MUST_USE Err talk_print(Buf *b);

#endif
