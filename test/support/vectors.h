/*
 * vectors: the reference q IPC messages (ipc-vectors.json), found in the folder that the
 * environment variable SILT_SHARED names or beside the checkout.
 */
#ifndef SUPPORT_VECTORS_H
#define SUPPORT_VECTORS_H

#include "base/arena.h"
#include "base/types.h"

typedef struct {
    const char *q;    /* the value as q shows it, or what the bytes are */
    const char *kind; /* "value", "function", "message", "handshake", "compressed", ... */
    u8 *bytes;        /* of "hex", or of "hex_prefix" */
    u64 size;
    u8 *plain; /* of "uncompressed_hex", NULL without it */
    u64 plain_size;
} Vector;

typedef struct {
    Vector *items;
    u64 count;
} Vectors;

/* Reads all vectors into an arena; false, with a line on stderr, when the file is not there. */
bool vectors_read(Vectors *v, Arena *a);

#endif
