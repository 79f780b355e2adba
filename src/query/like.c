/*
 * like: q's pattern match over bytes.
 *
 *   ?        any byte               *     any run of bytes, empty too
 *   [abc]    one of these           [a-z] one of a range, both ends included
 *   [^abc]   none of these          [     without a ] behind its first member stands for itself
 *
 * A class has at least one member, so that `[]]` is the class of `]`, and `[*]`, `[?]`, `[[]` name
 * the special bytes. The pattern is matched from left to right; after a star that fails to match,
 * only the latest star takes one byte more, which is enough as stars before it can only have eaten
 * less.
 */
#include "query/like.h"

/* The position of the `]` that ends a class beginning at `at`, or 0 when it has none. */
static u64 class_end(Str pattern, u64 at)
{
    u64 first = at + 1;
    if (first < pattern.size && pattern.data[first] == '^') first++;
    for (u64 i = first + 1; i < pattern.size; i++) {
        if (pattern.data[i] == ']') return i;
    }
    return 0;
}

/* Whether a byte is in the class pattern[at..end]. */
static bool class_has(Str pattern, u64 at, u64 end, u8 byte)
{
    const u8 *p = (const u8 *)pattern.data;
    bool inverted = p[at + 1] == '^', found = false;
    for (u64 i = at + 1 + inverted; i < end;) {
        if (i + 2 < end && p[i + 1] == '-') {
            found |= p[i] <= byte && byte <= p[i + 2];
            i += 3;
        } else {
            found |= p[i] == byte;
            i++;
        }
    }
    return found != inverted;
}

/* Whether the pattern's element at *at matches a byte; moves behind the element if so. */
static bool one_matches(Str pattern, u64 *at, u8 byte)
{
    char c = pattern.data[*at];
    u64 end = c == '[' ? class_end(pattern, *at) : 0;
    bool match = end > 0 ? class_has(pattern, *at, end, byte) : c == '?' ? true : (u8)c == byte;
    if (match) *at = (end > 0 ? end : *at) + 1;
    return match;
}

bool like_match(Str pattern, Str text)
{
    u64 p = 0, t = 0, star = 0, resume = 0;
    bool starred = false;
    while (t < text.size) {
        if (p < pattern.size && pattern.data[p] == '*') {
            starred = true;
            star = ++p;
            resume = t;
        } else if (p < pattern.size && one_matches(pattern, &p, (u8)text.data[t])) {
            t++;
        } else if (starred) {
            p = star;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size && pattern.data[p] == '*')
        p++;
    return p == pattern.size;
}
