/*
 * part: interval labels, which skip the name lengths that kdb+ would take for a year, month or
 * date.
 *
 * Labels stand in bands of equal length; within a band they are consecutive numbers, and the bands
 * of 4, 7 and 10 digits are left out:
 *
 *     first label        digits   labels in the band   first ordinal
 *     0                  1 to 3   1000                 0
 *     10000              5, 6     990000               1000
 *     10000000           8, 9     990000000            991000
 *     10000000000        11       (the rest of i32)    990991000
 *
 * So a larger ordinal always has the larger label, and no label begins with a zero but "0".
 */
#include "table/part.h"

#include "base/fail.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
    i64 label, ordinal, count;
} bands[] = {
    {0, 0, 1000},
    {10000, 1000, 990000},
    {10000000, 991000, 990000000},
    {10000000000, 990991000, (i64)INT32_MAX + 1 - 990991000},
};

u32 part_label(i32 n, char out[24])
{
    ASSERT(n >= 0);
    u32 band = COUNT_OF(bands) - 1;
    while (n < bands[band].ordinal)
        band--;
    return (u32)snprintf(out, 24, "%" PRIi64, bands[band].label + (n - bands[band].ordinal));
}

bool part_label_parse(Str text, i32 *n)
{
    i64 label;
    if (text.size == 0 || text.size > 11) return false;
    for (u64 i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
    }
    if (text.size > 1 && text.data[0] == '0') return false;
    if (!str_i64(text, &label)) return false;
    for (u32 i = 0; i < COUNT_OF(bands); i++) {
        if (label >= bands[i].label && label - bands[i].label < bands[i].count) {
            *n = (i32)(bands[i].ordinal + (label - bands[i].label));
            return true;
        }
    }
    return false;
}
