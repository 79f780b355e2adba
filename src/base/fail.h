/*
 * fail: error codes, the text of the last failure, and the two macros that use them.
 *
 * A call that can fail returns Err; E_OK is zero. The place where the failure is known calls
 * `return fail(E_X, "...")` once, which records code, text, file and line for this thread. Callers
 * pass the code upwards and may add one note in front of the text ("table trade: ..."). The text
 * stays valid until the next fail() of the same thread.
 *
 * Errors are for the world (files, networks, configuration). ASSERT is for our own mistakes: it
 * stays on in release builds and aborts, as a crash costs one ordinary start.
 */
#ifndef BASE_FAIL_H
#define BASE_FAIL_H

#include "base/types.h"

/*      code            q signal       HTTP  exit  meaning for the caller */
#define FAIL_CODES(X)                                                                              \
    X(E_OK, "", 200, 0)                 /* no failure */                                           \
    X(E_USAGE, "usage", 400, 2)         /* the request or configuration is malformed: mend it */   \
    X(E_TYPE, "type", 400, 2)           /* a value has the wrong type or shape */                  \
    X(E_NOT_FOUND, "not found", 404, 3) /* the named thing does not exist */                       \
    X(E_EXISTS, "exists", 409, 3)       /* the named thing exists already */                       \
    X(E_CORRUPT, "corrupt", 500, 7)     /* bytes break a format's rules: see `silt check` */       \
    X(E_IO, "io", 500, 5)               /* the kernel reported an error on a device or file */     \
    X(E_FULL, "full", 507, 8)           /* no room on the device, or a quota was reached */        \
    X(E_MEMORY, "wsfull", 503, 8)       /* memory could not be had */                              \
    X(E_LIMIT, "limit", 413, 8)         /* a bound of ours was reached; the text names it */       \
    X(E_BUSY, "busy", 503, 9)           /* try again later; the text says what is waited for */    \
    X(E_CLOSED, "close", 503, 5)        /* the peer or the process is going away */                \
    X(E_TIMEOUT, "timeout", 504, 9)     /* it took longer than allowed */                          \
    X(E_DENIED, "access", 403, 4)       /* not allowed */                                          \
    X(E_UNSUPPORTED, "nyi", 501, 6)     /* a feature that is not there (yet) */

#define FAIL_ENUM(code, signal, http, status) code,

typedef enum { FAIL_CODES(FAIL_ENUM) E_COUNT } Err;

#define MUST_USE     __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))

#define FAIL_TEXT_MAX 1024

/* Records a failure and returns `code`, so that `return fail(...)` is one line. */
#define fail(code, ...) fail_at(code, __FILE__, __LINE__, __VA_ARGS__)

/* The function behind fail(); text longer than FAIL_TEXT_MAX is cut. */
Err fail_at(Err code, const char *file, int line, const char *format, ...) PRINTF(4, 5);

/* Like fail(), for a failed system call: E_FULL for ENOSPC and EDQUOT, E_DENIED for EACCES and
 * EPERM, E_NOT_FOUND for ENOENT, else E_IO; the text ends with strerror(error). */
#define fail_errno(error, ...) fail_errno_at(error, __FILE__, __LINE__, __VA_ARGS__)

/* The function behind fail_errno(). */
Err fail_errno_at(int error, const char *file, int line, const char *format, ...) PRINTF(4, 5);

/* Puts "note: " in front of the recorded text and returns `code` unchanged; E_OK changes
 * nothing. */
Err fail_note(Err code, const char *format, ...) PRINTF(2, 3);

/* The text of this thread's last failure; "" when there was none. Never NULL. */
const char *fail_text(void);

/* "file.c:123" of this thread's last failure; "" when there was none. */
const char *fail_where(void);

/* The code of this thread's last failure. */
Err fail_last(void);

/* A failure as it was recorded, to carry it from one thread to another. */
typedef struct {
    Err code;
    int line;
    const char *file; /* of __FILE__; NULL when there was none */
    char text[FAIL_TEXT_MAX];
} FailRecord;

/* Copies this thread's last failure out; makes a copied one this thread's last. */
void fail_save(FailRecord *record);
void fail_restore(const FailRecord *record);

/* The q signal of a code ("type", "limit", ...); what a q client sees, followed by the text. */
const char *fail_signal(Err code);

/* The HTTP status and the exit status of a code. */
int fail_http(Err code);
int fail_exit(Err code);

/* The name of a code ("E_FULL") for logs and JSON, without the E_ and in lower case ("full"). */
const char *fail_name(Err code);

/* Runs a call; on failure stores its code in the local `Err err` and jumps to `done:`. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        err = (call);                                                                              \
        if (err != E_OK) goto done;                                                                \
    } while (0)

/* Aborts with file and line when an assumption of ours is broken. */
#define ASSERT(cond) ((cond) ? (void)0 : fail_abort(#cond, __FILE__, __LINE__))

/* Prints the broken assumption to stderr and aborts. */
_Noreturn void fail_abort(const char *cond, const char *file, int line);

#endif
