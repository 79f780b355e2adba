/*
 * wire_compress: the compression of q IPC messages, both ways.
 *
 *   0  header as of the plain message, but byte 2 = 1, and the size is that of the compressed one
 *   8  size of the plain message, header included: u32 (byte 2 = 1) or u64 (byte 2 = 2)
 *  12  (or 16) groups: one flag byte, then up to eight tokens, lowest bit first
 *        flag 0: a literal byte
 *        flag 1: slot h and length n: copy 2 + n bytes from the position in slot h of a table
 *
 * Both sides keep that table of 256 positions in the plain message, indexed by the XOR of two
 * neighbouring bytes. Position p enters when byte p + 1 is known; inside a match only its first
 * does. The compressor writes byte for byte what KX's programs write; it is a greedy one, and gives
 * up when less than half is out of reach. The inflater checks every read and write, and that a
 * match points at bytes already written; the size it is told is first compared with what the input
 * can yield.
 */
#include "base/bounds.h"
#include "q/wire.h"

#define SLOTS           256
#define HEAD            12
#define HEAD_LARGE      16
#define MATCH_MAX       255 /* bytes of a match beyond its first two */
#define GROUP_MAX       17  /* bytes of a group at most: the flags and eight matches */
#define GROUP_YIELD_MAX (8 * (MATCH_MAX + 2))

typedef struct {
    const u8 *plain;
    u64 size;
    u8 *out;
    u64 pos, dst;
    u32 slot[SLOTS];
    u32 pending_at; /* position of the last literal, entered one token later; 0 = none */
    u8 pending_slot;
} Deflate;

/* Writes one token; whether it was a match. */
static bool token(Deflate *d)
{
    const u8 *plain = d->plain;
    u64 pos = d->pos;
    bool pair = pos + 3 <= d->size;
    u8 h = pair ? plain[pos] ^ plain[pos + 1] : 0;
    u64 from = pair ? d->slot[h] : 0;
    if (d->pending_at) d->slot[d->pending_slot] = d->pending_at;
    d->pending_at = 0;
    if (from == 0 || plain[from] != plain[pos]) {
        if (pair) {
            d->pending_slot = h;
            d->pending_at = (u32)pos;
        }
        d->out[d->dst++] = plain[pos];
        d->pos++;
        return false;
    }
    d->slot[h] = (u32)pos;
    from += 2;
    pos += 2;
    u64 begin = pos, limit = MIN(pos + MATCH_MAX, d->size);
    while (pos < limit && plain[from] == plain[pos]) {
        pos++;
        from++;
    }
    d->out[d->dst] = h;
    d->out[d->dst + 1] = (u8)(pos - begin);
    d->dst += 2;
    d->pos = pos;
    return true;
}

void wire_compress(const u8 *message, u64 size, u8 *out, u64 *out_size)
{
    u64 room = size / 2;
    *out_size = 0;
    if (size > UINT32_MAX || room < HEAD + GROUP_MAX) return;
    Deflate d = {.plain = message, .size = size, .out = out, .pos = WIRE_HEADER, .dst = HEAD};
    memcpy(out, message, 4);
    out[2] = 1;
    store_u32(out + 8, (u32)size);
    while (d.pos < size) {
        if (d.dst + GROUP_MAX > room) return;
        u64 flags_at = d.dst++;
        u8 flags = 0;
        for (u32 bit = 0; bit < 8 && d.pos < size; bit++)
            flags |= (u8)(token(&d) << bit);
        out[flags_at] = flags;
    }
    store_u32(out + 4, (u32)d.dst);
    *out_size = d.dst;
}

typedef struct {
    const u8 *in, *in_end;
    u8 *out;
    u64 size, pos;
    u64 todo; /* the next position to enter in the table */
    u64 slot[SLOTS];
} Inflate;

static Err damaged(const Inflate *f, const char *what)
{
    return fail(E_CORRUPT, "compressed q message: %s at plain byte %llu", what,
                (unsigned long long)f->pos);
}

static void enter(Inflate *f)
{
    for (; f->todo + 1 < f->pos; f->todo++)
        f->slot[f->out[f->todo] ^ f->out[f->todo + 1]] = f->todo;
}

static Err match(Inflate *f)
{
    if (f->in_end - f->in < 2) return damaged(f, "the input ends");
    u64 from = f->slot[f->in[0]], length = f->in[1] + 2ull;
    f->in += 2;
    if (from < WIRE_HEADER || from >= f->pos) return damaged(f, "a match leads nowhere");
    if (length > f->size - f->pos) return damaged(f, "a match runs past the end");
    u8 *to = f->out + f->pos;
    const u8 *source = f->out + from;
    if (from + length <= f->pos)
        memcpy(to, source, length);
    else
        for (u64 i = 0; i < length; i++) /* they overlap: byte by byte, upwards */
            to[i] = source[i];
    f->pos += 2;
    enter(f);
    f->pos += length - 2;
    f->todo = f->pos;
    return E_OK;
}

static Err group(Inflate *f)
{
    if (f->in == f->in_end) return damaged(f, "the input ends");
    u32 flags = *f->in++;
    for (u32 bit = 0; bit < 8 && f->pos < f->size; bit++) {
        if (flags >> bit & 1) {
            Err err = match(f);
            if (err != E_OK) return err;
        } else {
            if (f->in == f->in_end) return damaged(f, "the input ends");
            f->out[f->pos++] = *f->in++;
            enter(f);
        }
    }
    return E_OK;
}

/* Reads the sizes; a plain size that the input cannot yield is refused before memory is asked
 * for. */
static Err plain_size(const u8 *message, u64 size, u64 size_max, u64 *head, u64 *plain)
{
    bool large = size > 2 && message[2] == 2, big_endian = size > 0 && message[0] == 0;
    *head = large ? HEAD_LARGE : HEAD;
    if (size <= *head)
        return fail(E_CORRUPT, "a compressed q message of %llu bytes", (unsigned long long)size);
    u32 low = load_u32(message + 8);
    *plain = big_endian ? __builtin_bswap32(low) : low;
    if (large) {
        u64 wide = load_u64(message + 8);
        *plain = big_endian ? __builtin_bswap64(wide) : wide;
    }
    if (*plain > size_max)
        return fail(E_LIMIT, "a compressed q message of %llu plain bytes; at most %llu are taken",
                    (unsigned long long)*plain, (unsigned long long)size_max);
    u64 groups = (size - *head + GROUP_MAX - 1) / GROUP_MAX;
    if (*plain <= WIRE_HEADER || (*plain - WIRE_HEADER) / GROUP_YIELD_MAX > groups)
        return fail(E_CORRUPT, "a compressed q message of %llu bytes cannot hold %llu",
                    (unsigned long long)size, (unsigned long long)*plain);
    return E_OK;
}

Err wire_inflate(const u8 *message, u64 size, u64 size_max, Arena *a, u8 **out, u64 *out_size)
{
    u64 head = 0, plain = 0;
    void *room = NULL;
    Err err = plain_size(message, size, size_max, &head, &plain);
    if (err == E_OK) err = arena_try(a, plain, 1, &room);
    if (err != E_OK) return err;
    Inflate f = {.in = message + head, .in_end = message + size, .out = room, .size = plain};
    memcpy(f.out, message, 4);
    f.out[2] = 0;
    f.out[3] = (u8)(plain >> 32);
    store_u32(f.out + 4, message[0] == 0 ? __builtin_bswap32((u32)plain) : (u32)plain);
    f.pos = f.todo = WIRE_HEADER;
    while (f.pos < f.size) {
        err = group(&f);
        if (err != E_OK) return err;
    }
    if (f.in != f.in_end) return damaged(&f, "bytes follow the end");
    *out = f.out;
    *out_size = plain;
    return E_OK;
}
