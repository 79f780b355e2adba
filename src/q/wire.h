/*
 * wire: q IPC messages to values and back (q-ipc.md). Pure: bytes in, bytes out.
 *
 * Nothing is trusted: every length is compared with the bytes present in 64-bit arithmetic before
 * it is used, depth is bounded, and validation (wire_check) is what KX's validator refuses
 * (5.9). */
#ifndef Q_WIRE_H
#define Q_WIRE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"
#include "q/value.h"

#define WIRE_HEADER 8

enum { WIRE_ASYNC = 0, WIRE_SYNC = 1, WIRE_RESPONSE = 2 };

/* A message header. */
typedef struct {
    bool big_endian;
    u8 kind;       /* WIRE_ASYNC, WIRE_SYNC, WIRE_RESPONSE */
    u8 compressed; /* 0, 1, 2 */
    u64 size;      /* whole message, header included */
} WireHeader;

/* Reads 8 header bytes; E_CORRUPT when malformed, E_LIMIT when size > BOUND_MESSAGE_MAX. */
MUST_USE Err wire_header(const u8 bytes[WIRE_HEADER], WireHeader *h);

/* Turns one whole received message into a plain little-endian body that was checked: inflates it
 * when compressed (into the arena), swaps it in place when big-endian. *body points behind the
 * header. */
MUST_USE Err wire_open(u8 *message, u64 size, Arena *a, const u8 **body, u64 *body_size, u8 *kind);

/* One object seen shallowly: where its elements stand. */
typedef struct {
    int type; /* as on the wire: -19..19, 98, 99, 100, 101, ...; 127 is given as 99, -128 an error
               */
    u8 attr;
    u64 count;      /* elements of a vector or list; 1 for an atom */
    const u8 *data; /* first element; of a general list its first object; of 98 the dictionary
                       behind the attribute byte; of 99 the keys object */
    u64 size;       /* bytes of this whole object, type byte included */
} WireObject;

/* Looks at the object at `body`; checks all of it (nested objects too, depth at most
 * BOUND_DEPTH_MAX) unless `trusted`, when only what is needed to find its size is read. E_CORRUPT
 * with the offset. */
MUST_USE Err wire_object(const u8 *body, u64 size, bool trusted, WireObject *object);

/* Whether body is exactly one sound object. */
MUST_USE Err wire_check(const u8 *body, u64 size);

/* Decodes one object into a value that borrows from `body` (vectors of aligned width are copied
 * into the arena when unaligned; symbols are QT_SYMBOL of Str). A list of char vectors stays a
 * QT_LIST. */
MUST_USE Err wire_decode(const u8 *body, u64 size, Arena *a, Value *v);

/* Row `i` of a mixed vector (QT_NESTED), borrowing from it, as wire_decode does. */
MUST_USE Err wire_row(const Vec *v, u64 i, Arena *a, Value *row);

/* All of them as a general list. */
MUST_USE Err wire_rows(const Vec *v, Arena *a, Value *list);

/* Appends the body bytes of a value. QT_ENUM and QT_SYMBOL go out as symbols, nested vectors as
 * general lists. */
MUST_USE Err wire_encode(Buf *b, const Value *v);

/* Appends a whole message: header and body; `capability` of the connection (guid etc. refused below
 * 3: E_TYPE; over 2 GiB below 5: E_LIMIT). */
MUST_USE Err wire_message(Buf *b, u8 kind, const Value *v, u8 capability);

/* Begins a message and returns where its header stands; wire_finish fills in the size. Between the
 * two the caller appends body bytes itself. */
MUST_USE Err wire_begin(Buf *b, u8 kind, u64 *at);
MUST_USE Err wire_finish(Buf *b, u64 at);

/* Appends an error response: text is cut to 250 bytes. */
MUST_USE Err wire_error(Buf *b, const char *text);

/* The greedy compressor of section 6.3, for a little-endian message: *out_size = 0 when the result
 * would not be below half. `out` has room for size / 2 bytes. */
void wire_compress(const u8 *message, u64 size, u8 *out, u64 *out_size);

/* Inflates a compressed message; the plain size it names is compared with `size_max` first. */
MUST_USE Err wire_inflate(const u8 *message, u64 size, u64 size_max, Arena *a, u8 **out,
                          u64 *out_size);

#endif
