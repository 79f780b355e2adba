/*
 * str: slices of text. Numbers are parsed without regard to the process's locale.
 *
 * str_f64 reads sign, digits and exponent itself. Up to 2^53 with a power of ten of at most 22 both
 * numbers are exact doubles, so one multiplication or division rounds correctly; all others go to
 * strtod in the C locale.
 */
#include "base/str.h"
#include "base/bounds.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#define STR_NUMBER_MAX 1024 /* bytes of a number that strtod still sees */

Str str_of(const char *text) { return text ? (Str){text, strlen(text)} : (Str){0}; }

bool str_eq(Str a, Str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool str_is(Str a, const char *text) { return str_eq(a, str_of(text)); }

int str_cmp(Str a, Str b)
{
    u64 size = MIN(a.size, b.size);
    int order = size ? memcmp(a.data, b.data, size) : 0;
    if (order) return order;
    return (a.size > b.size) - (a.size < b.size);
}

bool str_starts(Str s, Str part)
{
    return s.size >= part.size && str_eq((Str){s.data, part.size}, part);
}

bool str_ends(Str s, Str part)
{
    if (s.size < part.size) return false;
    return part.size == 0 || str_eq((Str){s.data + (s.size - part.size), part.size}, part);
}

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static bool digit(char c) { return c >= '0' && c <= '9'; }

Str str_trim(Str s)
{
    while (s.size && blank(s.data[0])) {
        s.data++;
        s.size--;
    }
    while (s.size && blank(s.data[s.size - 1]))
        s.size--;
    return s;
}

bool str_split(Str *rest, char sep, Str *piece)
{
    if (!rest->data) return false;
    i64 at = str_find(*rest, sep);
    if (at < 0) {
        *piece = *rest;
        *rest = (Str){0};
        return true;
    }
    *piece = (Str){rest->data, (u64)at};
    rest->data += at + 1;
    rest->size -= (u64)at + 1;
    return true;
}

i64 str_find(Str s, char byte)
{
    const char *found = s.size ? memchr(s.data, byte, s.size) : NULL;
    return found ? found - s.data : -1;
}

bool str_i64(Str s, i64 *out)
{
    bool minus = s.size && s.data[0] == '-';
    u64 i = minus || (s.size && s.data[0] == '+') ? 1 : 0;
    u64 max = (u64)INT64_MAX + minus, value = 0;
    if (i == s.size) return false;
    for (; i < s.size; i++) {
        if (!digit(s.data[i])) return false;
        u64 d = (u64)(s.data[i] - '0');
        if (value > (max - d) / 10) return false;
        value = value * 10 + d;
    }
    *out = (i64)(minus ? 0 - value : value);
    return true;
}

/* What a decimal number is made of: value = mantissa * 10^exponent when `exact`. */
typedef struct {
    u64 mantissa;
    i64 exponent;
    bool exact; /* no digit was left out of the mantissa */
} Decimal;

static u64 digits(Str s, u64 at, bool fraction, Decimal *d)
{
    for (; at < s.size && digit(s.data[at]); at++) {
        if (d->mantissa < 100000000000000000ull) {
            d->mantissa = d->mantissa * 10 + (u64)(s.data[at] - '0');
            if (fraction) d->exponent--;
        } else {
            d->exact = false;
        }
    }
    return at;
}

/* Reads an unsigned number; false when `s` is not of its form as a whole. */
static bool decimal(Str s, Decimal *d)
{
    *d = (Decimal){.exact = true};
    u64 at = digits(s, 0, false, d), count = at;
    if (at < s.size && s.data[at] == '.') {
        u64 from = ++at;
        at = digits(s, at, true, d);
        count += at - from;
    }
    if (count == 0) return false;
    if (at < s.size && (s.data[at] == 'e' || s.data[at] == 'E')) {
        bool minus = ++at < s.size && s.data[at] == '-';
        if (minus || (at < s.size && s.data[at] == '+')) at++;
        if (at == s.size) return false;
        i64 exponent = 0;
        for (; at < s.size && digit(s.data[at]); at++)
            exponent = MIN(exponent * 10 + (s.data[at] - '0'), 1000000);
        d->exponent += minus ? -exponent : exponent;
    }
    return at == s.size;
}

static locale_t c_locale;

static void c_locale_make(void) { c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

/* The slow road, for text that `decimal` found well formed; false when it is too large. */
static bool long_f64(Str s, f64 *out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char text[STR_NUMBER_MAX + 1];
    if (s.size > STR_NUMBER_MAX) return false;
    pthread_once(&once, c_locale_make);
    ASSERT(c_locale != (locale_t)0);
    memcpy(text, s.data, s.size);
    text[s.size] = 0;
    *out = strtod_l(text, NULL, c_locale);
    return isfinite(*out);
}

static bool word(Str s, const char *lower)
{
    if (s.size != strlen(lower)) return false;
    for (u64 i = 0; i < s.size; i++)
        if ((s.data[i] | 0x20) != lower[i]) return false;
    return true;
}

bool str_f64(Str s, f64 *out)
{
    static const f64 tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (s.size == 0) return false;
    bool minus = s.data[0] == '-';
    if (minus || s.data[0] == '+') s = (Str){s.data + 1, s.size - 1};
    Decimal d;
    f64 value;
    if (word(s, "nan")) {
        value = (f64)NAN;
    } else if (word(s, "inf") || word(s, "infinity")) {
        value = (f64)INFINITY;
    } else if (!decimal(s, &d)) {
        return false;
    } else if (d.exact && d.mantissa <= 1ull << 53 && d.exponent >= -22 && d.exponent <= 22) {
        f64 m = (f64)d.mantissa;
        value = d.exponent < 0 ? m / tens[-d.exponent] : m * tens[d.exponent];
    } else if (!long_f64(s, &value)) {
        return false;
    }
    *out = minus ? -value : value;
    return true;
}

char *str_dup(Arena *a, Str s) { return arena_text(a, s.data, s.size); }

static bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool str_name_ok(Str s, bool internal)
{
    if (s.size == 0 || s.size > BOUND_NAME_MAX) return false;
    if (!letter(s.data[0]) && !(internal && s.data[0] == '_')) return false;
    for (u64 i = 1; i < s.size; i++) {
        char c = s.data[i];
        if (!letter(c) && !digit(c) && c != '_') return false;
    }
    return true;
}
