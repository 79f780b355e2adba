/*
 * object: a file that holds one serialised value (kdb-files.md 3): an atom, a list, a dictionary, a
 * keyed or plain table, a function; plain or compressed.
 */
#ifndef COLUMN_OBJECT_H
#define COLUMN_OBJECT_H

#include "base/buf.h"
#include "column/domain.h"
#include "q/value.h"

#define OBJECT_SIZE_MAX (1ull << 30) /* plain bytes of an object file that is read */

/* Whether a file's first bytes are those of a serialised object. */
bool object_is(const u8 *data, u64 size);

/* Decodes the plain bytes of an object file into a value that borrows from them and from the arena.
 * Enumerations become symbols when `domains` (NULL = none) has theirs, else int indices. A symbol
 * list, whose count may lie, is read to the end of the file. E_CORRUPT, E_LIMIT; E_UNSUPPORTED for
 * a file of another form. */
MUST_USE Err object_decode(const u8 *data, u64 size, const DomainSet *domains, Arena *a, Value *v);

/* Reads such a file whole into the arena and decodes it. E_LIMIT beyond OBJECT_SIZE_MAX. */
MUST_USE Err object_read(const char *path, const DomainSet *domains, Arena *a, Value *v);

/* Appends the bytes of an object file that holds a value. */
MUST_USE Err object_encode(Buf *b, const Value *v);

#endif
