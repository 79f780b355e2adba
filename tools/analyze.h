/*
 * analyze: what clang-tidy and gcc -fanalyzer cannot see from a declaration alone.
 *
 * They look at one source at a time and would take `TRY(fail(E_MEMORY, ...))` for a call that may
 * succeed, then follow the null pointer behind it. Put before each source by `make lint` only.
 */
#ifndef ANALYZE_H
#define ANALYZE_H

#include "base/fail.h"

/* A recorded failure is never E_OK. */
static inline Err analyze_failed(Err err)
{
    if (err == E_OK) __builtin_unreachable();
    return err;
}

#undef fail
#define fail(code, ...) analyze_failed(fail_at(code, __FILE__, __LINE__, __VA_ARGS__))
#undef fail_errno
#define fail_errno(error, ...) \
    analyze_failed(fail_errno_at(error, __FILE__, __LINE__, __VA_ARGS__))

#endif
