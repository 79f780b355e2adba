/*
 * symbol: interned names of this process: text <-> i32 id. Id 0 is the empty symbol.
 *
 * Append-only, for the life of the process. Interning takes a lock; looking up a text by id does
 * not. Only names of stored data are interned (rows, domains), never names that only a query
 * mentions.
 */
#ifndef Q_SYMBOL_H
#define Q_SYMBOL_H

#include "base/fail.h"
#include "base/str.h"

/* The id of a name, adding it when new; E_LIMIT beyond BOUND_SYMBOLS_MAX, E_TYPE for text with a
 * NUL. */
MUST_USE Err symbol_intern(Str name, i32 *id);

/* Interns `count` NUL-ended names standing one after another in `text` (as on the wire); `size` is
 * the room there; *used tells how many bytes were eaten. E_CORRUPT when a NUL is missing. */
MUST_USE Err symbol_intern_many(const char *text, u64 size, u64 count, i32 *ids, u64 *used);

/* The id of a name or -1; adds nothing. */
i32 symbol_find(Str name);

/* The name of an id; zero-ended behind its last byte; valid for ever. */
Str symbol_text(i32 id);

/* How many ids there are. */
i32 symbol_count(void);

/* Bytes held by the table. */
u64 symbol_bytes(void);

#endif
