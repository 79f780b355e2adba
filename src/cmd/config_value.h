/*
 * config_value: raw text to the value that a key's type asks for, within the key's bounds.
 */
#ifndef CMD_CONFIG_VALUE_H
#define CMD_CONFIG_VALUE_H

#include "base/arena.h"
#include "cmd/config_key.h"

/* `whole` for all types but REAL: 0 or 1, a number, nanoseconds, bytes, the place of a choice. */
typedef struct {
    i64 whole;
    f64 real;
} ConfigValue;

/* Parses text as a value of the key's type; false when it is none or out of bounds. TEXT, NAME and
 * WORD are only checked. */
bool config_value_parse(const ConfigKey *k, const char *text, ConfigValue *out);

/* What a key takes, in words: "a whole number from 1 to 10". */
const char *config_value_words(Arena *a, const ConfigKey *k);

#endif
