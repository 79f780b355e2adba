/*
 * temporal: text of q's dates and times, both ways (temporal.h).
 *
 * A parser here is a Cursor over the text and small readers that move it; a reader that does not
 * find what it needs leaves the cursor where it was and says so. A text is an element only when the
 * cursor has reached its end. Sums are checked for overflow.
 */
#include "q/temporal.h"

#include "base/fail.h"

#include <math.h>

#define SECOND_NS     1000000000LL
#define DAYS_TO_1970  10957 /* from 1970.01.01 to 2000.01.01 */
#define DAYS_TEXT_MAX 2147483000.0

typedef struct {
    const char *at, *end;
} Cursor;

/* ---- calendar */

/* Eras of 400 years, counted from 1 March of year 0, so that the leap day ends a year. */
static i64 days_of(i64 year, i64 month, i64 day)
{
    i64 y = month <= 2 ? year - 1 : year;
    i64 era = (y >= 0 ? y : y - 399) / 400;
    i64 of_era = y - era * 400;
    i64 of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468 -
           DAYS_TO_1970;
}

i32 temporal_days(i32 year, i32 month, i32 day) { return (i32)days_of(year, month, day); }

void temporal_civil(i32 days, i32 *year, i32 *month, i32 *day)
{
    i64 z = (i64)days + DAYS_TO_1970 + 719468;
    i64 era = (z >= 0 ? z : z - 146096) / 146097;
    i64 day_of_era = z - era * 146097;
    i64 of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    i64 of_year = day_of_era - (365 * of_era + of_era / 4 - of_era / 100);
    i64 m = (5 * of_year + 2) / 153;
    *day = (i32)(of_year - (153 * m + 2) / 5 + 1);
    *month = (i32)(m < 10 ? m + 3 : m - 9);
    *year = (i32)(of_era + era * 400 + (*month <= 2));
}

static i32 month_days(i32 year, i32 month)
{
    static const u8 days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

i32 temporal_add_months(i32 day, i32 months)
{
    i32 y, m, d;
    temporal_civil(day, &y, &m, &d);
    i64 count = (i64)y * 12 + m - 1 + months;
    i64 year = (count >= 0 ? count : count - 11) / 12;
    i32 month = (i32)(count - year * 12) + 1;
    i64 days = days_of(year, month, MIN(d, month_days((i32)year, month)));
    return (i32)MAX(MIN(days, INT32_MAX), -INT32_MAX);
}

/* ---- reading */

static bool ended(const Cursor *c) { return c->at == c->end; }

static bool eat(Cursor *c, char byte)
{
    if (ended(c) || *c->at != byte) return false;
    c->at++;
    return true;
}

/* Reads `least` to `most` digits. */
static bool digits(Cursor *c, int least, int most, i64 *out)
{
    i64 n = 0;
    int count = 0;
    while (count < most && c->at + count < c->end && c->at[count] >= '0' && c->at[count] <= '9')
        n = n * 10 + (c->at[count++] - '0');
    if (count < least) return false;
    c->at += count;
    *out = n;
    return true;
}

/* Reads `.` and 1 to 9 digits as nanoseconds, if a point stands here; further digits are
 * refused. */
static bool fraction(Cursor *c, i64 *ns)
{
    *ns = 0;
    if (!eat(c, '.')) return true;
    const char *from = c->at;
    if (!digits(c, 1, 9, ns)) return false;
    for (i64 n = c->at - from; n < 9; n++)
        *ns *= 10;
    return true;
}

/* Reads YYYY.MM or YYYY-MM. */
static bool year_month(Cursor *c, i64 *year, i64 *month, char *separator)
{
    if (!digits(c, 4, 4, year)) return false;
    *separator = eat(c, '.') ? '.' : '-';
    if (*separator == '-' && !eat(c, '-')) return false;
    return digits(c, 2, 2, month) && *month >= 1 && *month <= 12;
}

/* Reads a date that exists. */
static bool date(Cursor *c, i64 *days)
{
    i64 y, m, d;
    char separator;
    if (!year_month(c, &y, &m, &separator) || !eat(c, separator) || !digits(c, 2, 2, &d))
        return false;
    if (d < 1 || d > month_days((i32)y, (i32)m)) return false;
    *days = days_of(y, m, d);
    return true;
}

/* Reads H:MM[:SS[.fraction]] of `parts` parts at least; hours have one to nine digits. */
static bool clock_time(Cursor *c, int parts, i64 *ns)
{
    i64 h, m, s = 0, f = 0;
    if (!digits(c, 1, 9, &h) || !eat(c, ':') || !digits(c, 2, 2, &m) || m > 59) return false;
    if (eat(c, ':')) {
        if (!digits(c, 2, 2, &s) || s > 59 || !fraction(c, &f)) return false;
    } else if (parts > 2) {
        return false;
    }
    i64 seconds = h * 3600 + m * 60 + s;
    return !__builtin_mul_overflow(seconds, SECOND_NS, ns) && !__builtin_add_overflow(*ns, f, ns);
}

/* Reads a date, optionally followed by a time of that day, to the end of the text. */
static bool date_time(Cursor *c, i64 *days, i64 *ns)
{
    i64 time = 0;
    if (!date(c, days)) return false;
    if (eat(c, 'D') || eat(c, 'T') || eat(c, 't') || eat(c, ' ')) {
        if (!ended(c)) {
            i64 hour;
            if (c->end - c->at == 2) { /* hours alone */
                if (!digits(c, 2, 2, &hour)) return false;
                time = hour * 3600 * SECOND_NS;
            } else if (!clock_time(c, 2, &time)) {
                return false;
            }
        }
        if (time >= TEMPORAL_DAY_NS) return false;
        if (!eat(c, 'Z')) (void)eat(c, 'z');
    }
    *ns = time;
    return ended(c);
}

/* Reads [n]D[time] or a time. */
static bool span(Cursor *c, i64 *ns)
{
    i64 days = 0;
    Cursor from = *c;
    *ns = 0;
    if (digits(c, 1, 9, &days) && eat(c, 'D')) {
        if (!ended(c) && !clock_time(c, 2, ns)) return false;
    } else {
        *c = from;
        days = 0;
        if (!clock_time(c, 2, ns)) return false;
    }
    i64 whole;
    return ended(c) && !__builtin_mul_overflow(days, TEMPORAL_DAY_NS, &whole) &&
           !__builtin_add_overflow(*ns, whole, ns);
}

bool temporal_duration(Str text, i64 *ns)
{
    static const struct {
        const char *unit;
        i64 ns;
    } units[] = {{"ms", 1000000}, {"s", SECOND_NS}, {"m", 60 * SECOND_NS}, {"h", 3600 * SECOND_NS}};

    text = str_trim(text);
    if (text.size == 0) return false;
    Cursor c = {text.data, text.data + text.size}, number = c;
    if (span(&c, ns)) return true;
    i64 n;
    if (!digits(&number, 1, 18, &n)) return false;
    Str unit = {number.at, (u64)(number.end - number.at)};
    for (u64 i = 0; i < COUNT_OF(units); i++)
        if (str_is(unit, units[i].unit)) return !__builtin_mul_overflow(n, units[i].ns, ns);
    return false;
}

static i64 float_bits(f64 f)
{
    i64 bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* The width of a type's integers: 4 bytes or 8; datetime is a float. */
static bool is_narrow(int type) { return type_width(type) == 4; }

static const char letters[] = "pmdznuvt"; /* of types 12 to 19 */

/* Reads "", 0N, 0W, -0W with or without the type's letter. */
static bool special(int type, Str text, i64 *out)
{
    bool minus = str_starts(text, STR("-0"));
    Str s = minus ? (Str){text.data + 1, text.size - 1} : text;
    if (s.size > 3 || (s.size > 0 && (s.size < 2 || s.data[0] != '0'))) return false;
    if (s.size == 3 && s.data[2] != letters[type - QT_TIMESTAMP]) return false;
    char kind = s.size == 0 ? 'N' : s.data[1];
    if ((kind == 'N' || kind == 'n') && !minus) {
        *out = is_narrow(type) ? Q_NULL_INT : Q_NULL_LONG;
        if (type == QT_DATETIME) *out = (i64)0xfff8000000000000u;
        return true;
    }
    if (kind != 'W' && kind != 'w') return false;
    *out = is_narrow(type) ? INT32_MAX : INT64_MAX;
    if (type == QT_DATETIME) {
        *out = float_bits(minus ? -INFINITY : INFINITY);
        return true;
    }
    if (minus) *out = -*out;
    return true;
}

/* A whole number of milliseconds is divided once, so that it gives the float that q has for it. */
static f64 days_with_fraction(i64 days, i64 ns)
{
    i64 ms = days * 86400000 + ns / 1000000;
    return ((f64)ms + (f64)(ns % 1000000) / 1e6) / 86400000.0;
}

static bool parse_point(int type, Cursor *c, i64 *out)
{
    i64 y, m, days, ns;
    char separator;
    switch (type) {
    case QT_MONTH:
        if (!year_month(c, &y, &m, &separator)) return false;
        (void)eat(c, 'm');
        *out = (y - 2000) * 12 + m - 1;
        return ended(c);
    case QT_DATE: return date(c, out) && ended(c);
    case QT_DATETIME:
        if (!date_time(c, &days, &ns)) return false;
        *out = float_bits(days_with_fraction(days, ns));
        return true;
    default:
        if (!date_time(c, &days, &ns)) return false;
        if (days < 0) { /* the first day of all begins before the least timestamp */
            days++;
            ns -= TEMPORAL_DAY_NS;
        }
        if (__builtin_mul_overflow(days, TEMPORAL_DAY_NS, &days)) return false;
        return !__builtin_add_overflow(days, ns, out) && *out<INT64_MAX && * out> - INT64_MAX;
    }
}

static bool parse_length(int type, Cursor *c, i64 *out)
{
    bool minus = eat(c, '-');
    i64 ns, unit = 1;
    if (type == QT_TIMESPAN ? !span(c, &ns) : !clock_time(c, type == QT_MINUTE ? 2 : 3, &ns))
        return false;
    if (type == QT_MINUTE) unit = 60 * SECOND_NS;
    if (type == QT_SECOND) unit = SECOND_NS;
    if (type == QT_TIME) unit = 1000000;
    *out = (minus ? -ns : ns) / unit;
    return ended(c) && (!is_narrow(type) || (*out<INT32_MAX && * out> - INT32_MAX));
}

bool temporal_parse(int type, Str text, i64 *out)
{
    if (!type_is_temporal(type)) return false;
    text = str_trim(text);
    if (special(type, text, out)) return true;
    if (text.size == 0 || text.size >= TEMPORAL_TEXT_MAX) return false;
    Cursor c = {text.data, text.data + text.size};
    return type <= QT_DATETIME ? parse_point(type, &c, out) : parse_length(type, &c, out);
}

bool temporal_date_parse(Str text, i32 *day)
{
    Cursor c = {text.data, text.data + text.size};
    i64 days;
    if (text.size != 10 || text.data[4] != '.' || !date(&c, &days)) return false;
    *day = (i32)days;
    return true;
}

/* ---- writing */

/* Writes n with at least `width` digits. */
static char *put(char *p, u64 n, int width)
{
    char text[20];
    int count = 0;
    do
        text[count++] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    while (count < width)
        text[count++] = '0';
    while (count > 0)
        *p++ = text[--count];
    return p;
}

static char *put_byte(char *p, char byte)
{
    *p = byte;
    return p + 1;
}

/* Writes n < 100 with two digits. */
static char *put_two(char *p, u32 n)
{
    p[0] = (char)('0' + n / 10);
    p[1] = (char)('0' + n % 10);
    return p + 2;
}

static char *put_month(char *p, i64 year, i32 month, char separator)
{
    if (year < 0) p = put_byte(p, '-');
    p = put(p, (u64)(year < 0 ? -year : year), 4);
    return put_two(put_byte(p, separator), (u32)month);
}

/* Months since 2000.01. */
static char *put_months(char *p, i64 count, char separator)
{
    i64 months = count + 24000, year = (months >= 0 ? months : months - 11) / 12;
    return put_month(p, year, (i32)(months - year * 12) + 1, separator);
}

static char *put_date(char *p, i32 days, char separator)
{
    i32 y, m, d;
    temporal_civil(days, &y, &m, &d);
    p = put_month(p, y, m, separator);
    return put_two(put_byte(p, separator), (u32)d);
}

/* Writes HH:MM, HH:MM:SS or HH:MM:SS.fraction of `places` digits (-1: no seconds, 0: no
 * fraction). */
static char *put_clock(char *p, u64 ns, int places)
{
    u64 seconds = ns / (u64)SECOND_NS, hours = seconds / 3600;
    u32 rest = (u32)(ns % (u64)SECOND_NS), of_hour = (u32)(seconds - hours * 3600);
    p = hours < 100 ? put_two(p, (u32)hours) : put(p, hours, 2);
    p = put_two(put_byte(p, ':'), of_hour / 60);
    if (places < 0) return p;
    p = put_two(put_byte(p, ':'), of_hour % 60);
    if (places == 0) return p;
    *p++ = '.';
    for (int i = places; i < 9; i++)
        rest /= 10;
    for (int i = places - 1; i >= 0; i--, rest /= 10)
        p[i] = (char)('0' + rest % 10);
    return p + places;
}

static char *put_point(char *p, i64 ns, const char *separators, int places)
{
    i32 day = temporal_day_of(ns);
    p = put_byte(put_date(p, day, separators[0]), separators[1]);
    return put_clock(p, (u64)ns - (u64)(i64)day * (u64)TEMPORAL_DAY_NS, places);
}

/* A datetime to the millisecond, rounded; it can lie outside what a timestamp holds. */
static char *put_datetime(char *p, f64 days, const char *separators)
{
    f64 day = floor(days);
    i64 ms = (i64)llround((days - day) * 86400000.0);
    if (ms == 86400000) {
        day += 1;
        ms = 0;
    }
    p = put_byte(put_date(p, (i32)day, separators[0]), separators[1]);
    return put_clock(p, (u64)ms * 1000000, 3);
}

/* Writes the forms of null and infinity; NULL when the element is neither. */
static char *put_special(char *p, int type, i64 value)
{
    char kind = 0;
    bool minus = value < 0;
    if (type == QT_DATETIME) {
        f64 f;
        memcpy(&f, &value, sizeof f);
        if (isnan(f)) kind = 'N';
        if (fabs(f) > DAYS_TEXT_MAX) kind = 'W';
        minus = f < 0;
    } else {
        i64 max = is_narrow(type) ? INT32_MAX : INT64_MAX;
        if (value < -max) kind = 'N';
        if (value == max || value == -max) kind = 'W';
    }
    if (!kind) return NULL;
    if (kind == 'W' && minus) p = put_byte(p, '-');
    return put_byte(put_byte(put_byte(p, '0'), kind), letters[type - QT_TIMESTAMP]);
}

static char *put_length(char *p, int type, i64 value)
{
    u64 size = value < 0 ? 0 - (u64)value : (u64)value;
    if (value < 0) p = put_byte(p, '-');
    switch (type) {
    case QT_TIMESPAN:
        p = put_byte(put(p, size / (u64)TEMPORAL_DAY_NS, 1), 'D');
        return put_clock(p, size % (u64)TEMPORAL_DAY_NS, 9);
    case QT_MINUTE: return put_clock(p, size * 60 * (u64)SECOND_NS, -1);
    case QT_SECOND: return put_clock(p, size * (u64)SECOND_NS, 0);
    default: return put_clock(p, size * 1000000, 3);
    }
}

/* `separators`: of dates, and between date and time. */
static u32 format(int type, i64 value, const char *separators, char *out)
{
    ASSERT(type_is_temporal(type));
    char *p = put_special(out, type, value);
    if (!p) {
        f64 days;
        switch (type) {
        case QT_TIMESTAMP: p = put_point(out, value, separators, 9); break;
        case QT_MONTH: p = put_months(out, value, separators[0]); break;
        case QT_DATE: p = put_date(out, (i32)value, separators[0]); break;
        case QT_DATETIME:
            memcpy(&days, &value, sizeof days);
            p = put_datetime(out, days, separators);
            break;
        default: p = put_length(out, type, value); break;
        }
        if (type == QT_MONTH && separators[0] == '.') p = put_byte(p, 'm');
    }
    *p = 0;
    return (u32)(p - out);
}

u32 temporal_format(int type, i64 value, char out[TEMPORAL_TEXT_MAX])
{
    return format(type, value, type == QT_DATETIME ? ".T" : ".D", out);
}

u32 temporal_iso(int type, i64 value, char out[TEMPORAL_TEXT_MAX])
{
    u32 size = format(type, value, "-T", out);
    if (size != 3 || out[1] != 'N') return size;
    out[0] = 0;
    return 0;
}

u32 temporal_date_name(i32 day, char out[TEMPORAL_TEXT_MAX])
{
    char *p = put_date(out, day, '.');
    *p = 0;
    return (u32)(p - out);
}
