/*
 * temporal: q dates and times to text and back, and calendar arithmetic. All UTC.
 *
 * Epoch 2000.01.01. Text forms read: `2024.11.02D10:00:00.000000000`, ISO `2024-11-02T10:00:00.5Z`,
 * with a blank for T, a date alone (midnight), fractions of 1 to 9 digits; "0Np"/"" null, "0Wp",
 * "-0Wp".
 */
#ifndef Q_TEMPORAL_H
#define Q_TEMPORAL_H

#include "base/str.h"
#include "q/type.h"

#define TEMPORAL_DAY_NS   86400000000000LL
#define TEMPORAL_TEXT_MAX 48 /* room enough for any text written here, its zero included */

/* Days since 2000.01.01 of a calendar date (proleptic Gregorian), and back. */
i32 temporal_days(i32 year, i32 month, i32 day);
void temporal_civil(i32 days, i32 *year, i32 *month, i32 *day);

/* The day that a timestamp falls on (floor). */
static inline i32 temporal_day_of(i64 ns)
{
    i64 d = ns / TEMPORAL_DAY_NS;
    return (i32)(ns % TEMPORAL_DAY_NS < 0 ? d - 1 : d);
}

/* Parses text as an element of a temporal type (12..19); floats for 15 are given as bits in *out
 * (memcpy to f64). False when it is not one. */
bool temporal_parse(int type, Str text, i64 *out);

/* Writes an element of a temporal type as q shows it (nulls "0Np", infinities "0Wp"); returns the
 * size. */
u32 temporal_format(int type, i64 value, char out[TEMPORAL_TEXT_MAX]);

/* Writes a timestamp, date, ... as ISO 8601 for JSON ("2024-11-02T10:00:00.000000000"); null gives
 * "". */
u32 temporal_iso(int type, i64 value, char out[TEMPORAL_TEXT_MAX]);

/* `2024.11.02` of a day, and back (exactly 10 characters, a real date). */
u32 temporal_date_name(i32 day, char out[TEMPORAL_TEXT_MAX]);
bool temporal_date_parse(Str text, i32 *day);

/* Parses a duration or time of day as configuration writes them: `00:10:00`, `0D00:10:00`, `1D`,
 * `01:35:00.5`, `10:00` (hours and minutes), `250ms`, `5s`, `10m`, `2h`, in nanoseconds. False when
 * it is none. */
bool temporal_duration(Str text, i64 *ns);

/* Adds months (calendar arithmetic, O-06) to a day, clipping to the month's end. */
i32 temporal_add_months(i32 day, i32 months);

#endif
