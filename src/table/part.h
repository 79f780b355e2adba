/*
 * part: the names of partitions: dates `2024.11.02` and interval labels `14`.
 *
 * kdb+ guesses the partition kind of a database from the length of the first name
 * (kdb-files.md 8.2): 4, 7 and 10 digits would be taken for a year, month or date. So labels skip
 * those lengths: label(n) is n below 1000, then 10000..., then 10 000 000... without 7 digits;
 * order is kept. Numbers are i32 ordinals starting with 0.
 */
#ifndef TABLE_PART_H
#define TABLE_PART_H

#include "base/str.h"
#include "base/types.h"

/* The label of ordinal n as text (its size returned; `out` holds 24 bytes). */
u32 part_label(i32 n, char out[24]);

/* The ordinal of a label; false when the text is no label that part_label makes. */
bool part_label_parse(Str text, i32 *n);

#endif
