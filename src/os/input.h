/*
 * input: standard input in pieces, as it comes, for command line tools.
 */
#ifndef OS_INPUT_H
#define OS_INPUT_H

#include "base/fail.h"
#include "base/types.h"

/* Reads what standard input has, at most `size` bytes, waiting up to `ms` (-1 = for ever). *got = 0
 * means that nothing came in time, or with *end that no more will come. E_IO. */
MUST_USE Err input_read(void *out, u64 size, i32 ms, u64 *got, bool *end);

#endif
