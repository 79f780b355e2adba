/*
 * expected: the real files of kdb+ and what is known about each (data/kdb/<folder>/expected.json,
 * made by an independent decoder), found in the folder that SILT_SHARED names or in ../shared.
 */
#ifndef TEST_EXPECTED_H
#define TEST_EXPECTED_H

#include "q/value.h"

#include <jansson.h>

/* Calls `check` for every file that is described, with its description and its path. False, with a
 * line that says so, when the files are not there. */
bool expected_each(void (*check)(const json_t *entry, const char *path));

/* A field of a description: its text or "", its number or 0. */
const char *expected_text(const json_t *entry, const char *key);
u64 expected_number(const json_t *entry, const char *key);

/* Fails the test unless the bytes have the SHA-256 that a field names. */
void expected_hash(const json_t *entry, const char *key, const void *data, u64 size);

/* Fails the test unless an atom is what a text says: numbers, null, dates and times, 'c', names. */
void expected_value(const Value *v, const char *text, const char *path);

#endif
