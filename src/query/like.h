/*
 * like: q's `like`: ? any byte, * any run, [abc] [a-z] [^a] classes; everything else itself.
 */
#ifndef QUERY_LIKE_H
#define QUERY_LIKE_H

#include "base/str.h"

/* Whether the whole text matches the pattern. Linear in text times stars; never recursive. */
bool like_match(Str pattern, Str text);

#endif
