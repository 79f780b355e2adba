/*
 * str: a borrowed slice of text, and the few ways we take text apart.
 *
 * A Str owns nothing; it is good as long as the bytes behind it. Not zero-ended.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/arena.h"
#include "base/types.h"

typedef struct {
    const char *data;
    u64 size;
} Str;

#define STR(literal) ((Str){(literal), sizeof(literal) - 1})
#define STR_FMT(s)   (int)(s).size, (s).data /* for "%.*s" */

/* A Str over zero-ended text; NULL gives the empty Str. */
Str str_of(const char *text);

/* Whether two texts have the same bytes; str_is compares with zero-ended text. */
bool str_eq(Str a, Str b);
bool str_is(Str a, const char *text);

/* Bytewise order: negative, zero or positive. */
int str_cmp(Str a, Str b);

/* Whether `s` begins or ends with `part`. */
bool str_starts(Str s, Str part);
bool str_ends(Str s, Str part);

/* `s` without blanks, tabs, carriage returns and line feeds at both ends. */
Str str_trim(Str s);

/* Takes the text before the next `sep` from *rest (all of it when there is none) and moves *rest
 * behind it. False when *rest is used up (data == NULL); an empty text yields one empty piece. */
bool str_split(Str *rest, char sep, Str *piece);

/* The position of a byte in `s`, or -1. */
i64 str_find(Str s, char byte);

/* Parses the whole of `s` as a decimal integer with optional sign; false when it is none or too
 * large. */
bool str_i64(Str s, i64 *out);

/* Parses the whole of `s` as a decimal number (also nan, inf, exponents), C locale. */
bool str_f64(Str s, f64 *out);

/* A zero-ended copy. */
char *str_dup(Arena *a, Str s);

/* Whether the name matches [A-Za-z][A-Za-z0-9_]* with at most BOUND_NAME_MAX bytes (R22);
 * `internal` also allows a leading underscore. */
bool str_name_ok(Str s, bool internal);

#endif
