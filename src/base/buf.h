/*
 * buf: growable bytes with a ceiling, as curl's dynbuf.
 *
 * A zeroed Buf is valid and empty; its ceiling is BUF_SIZE_MAX unless buf_init gave one. Appending
 * beyond the ceiling is E_LIMIT and leaves the content as it was. `data` is NULL while empty.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/fail.h"
#include "base/types.h"

typedef struct {
    u8 *data;
    u64 size;     /* bytes filled */
    u64 room;     /* bytes allocated */
    u64 size_max; /* ceiling; 0 = BUF_SIZE_MAX */
} Buf;

/* Starts an empty buffer with a ceiling (0 = BUF_SIZE_MAX). */
void buf_init(Buf *b, u64 size_max);

/* Appends bytes; E_LIMIT at the ceiling, E_MEMORY when memory is gone. */
MUST_USE Err buf_append(Buf *b, const void *data, u64 size);

/* Appends one byte. */
MUST_USE Err buf_byte(Buf *b, u8 byte);

/* Appends formatted text, without a zero at the end. */
MUST_USE Err buf_format(Buf *b, const char *format, ...) PRINTF(2, 3);

/* Appends zero-ended text without its zero. */
MUST_USE Err buf_text(Buf *b, const char *text);

/* Makes room for `size` more bytes and returns where they go; they count only after buf_added. */
MUST_USE Err buf_room(Buf *b, u64 size, u8 **out);

/* Counts `size` bytes written at the place that buf_room gave. */
void buf_added(Buf *b, u64 size);

/* Ends the content with a zero that is not counted, and returns it as text ("" when empty). */
const char *buf_str(Buf *b);

/* Drops the first `size` bytes, moving the rest down. */
void buf_drop(Buf *b, u64 size);

/* Empties it, keeping the memory. */
void buf_clear(Buf *b);

/* Gives the memory back; the buffer is then empty, its ceiling kept. */
void buf_free(Buf *b);

#endif
