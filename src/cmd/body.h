/*
 * body: q bytes that a client sends as a request: what is wrong in them is the client's mistake,
 * not damage of ours.
 */
#ifndef CMD_BODY_H
#define CMD_BODY_H

#include "serve/api.h"

/* Finds the object in the q message that an HTTP body is (application/octet-stream); it lives as
 * long as the call. E_USAGE when the body is no message. */
MUST_USE Err body_open(Call *call, const u8 **object, u64 *size);

/* wire_decode into the call's arena, but E_USAGE for malformed bytes. */
MUST_USE Err body_decode(Call *call, const u8 *object, u64 size, Value *v);

#endif
