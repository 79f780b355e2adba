/*
 * vec: a typed vector in memory, owned or borrowed.
 *
 * An owned Vec grows and is freed by vec_free; a borrowed one (room == 0) points into a message, a
 * mapping or an arena. Elements are aligned to their width. Nested vectors (QT_NESTED + t) keep all
 * elements end to end in `data` and count + 1 offsets in `offs`, offs[0] == 0 unless sliced; those
 * of QT_NESTED itself are the bytes of objects (wire_row).
 */
#ifndef Q_VEC_H
#define Q_VEC_H

#include "base/arena.h"
#include "base/fail.h"
#include "q/type.h"

typedef struct Value Value;

typedef struct {
    i8 type;       /* QT_*: 1..19, QT_ENUM, QT_LIST (elements are Value), QT_NESTED + t */
    u8 attr;       /* Attr */
    u64 count;     /* elements (rows) */
    u64 room;      /* elements allocated; 0 = borrowed */
    void *data;    /* the elements */
    u64 *offs;     /* nested only: count + 1 offsets into data, in elements */
    u64 heap_room; /* nested only: elements allocated in data */
} Vec;

/* Starts an empty owned vector. */
void vec_init(Vec *v, int type);

/* A borrowed vector over `count` elements. */
Vec vec_of(int type, const void *data, u64 count);

/* Makes room for `count` more elements (nested: of `heap` more elements in all); E_MEMORY,
 * E_LIMIT. */
MUST_USE Err vec_reserve(Vec *v, u64 count, u64 heap);

/* Appends `count` elements from possibly unaligned memory; not for nested vectors. */
MUST_USE Err vec_append(Vec *v, const void *elements, u64 count);

/* Appends one row to a nested vector: `count` elements from possibly unaligned memory. */
MUST_USE Err vec_append_row(Vec *v, const void *elements, u64 count);

/* Appends the rows [from, from + count) of another vector of the same type. */
MUST_USE Err vec_append_vec(Vec *v, const Vec *from, u64 at, u64 count);

/* Appends `count` nulls (nested: empty rows, QT_NESTED: `()`). */
MUST_USE Err vec_append_null(Vec *v, u64 count);

/* The rows perm[0..count) of `from`, as a new owned vector (any types but QT_LIST share
 * elements). */
MUST_USE Err vec_take(Vec *v, const Vec *from, const u32 *perm, u64 count);

/* Empties it and keeps the memory; frees it; idempotent. */
void vec_clear(Vec *v);
void vec_free(Vec *v);

/* Bytes of memory that the vector holds. */
u64 vec_bytes(const Vec *v);

/* Typed access: vec_i64(&v)[row]. */
static inline i64 *vec_i64(const Vec *v) { return (i64 *)v->data; }

static inline i32 *vec_i32(const Vec *v) { return (i32 *)v->data; }

static inline i16 *vec_i16(const Vec *v) { return (i16 *)v->data; }

static inline u8 *vec_u8(const Vec *v) { return (u8 *)v->data; }

static inline f64 *vec_f64(const Vec *v) { return (f64 *)v->data; }

static inline f32 *vec_f32(const Vec *v) { return (f32 *)v->data; }

static inline Str *vec_str(const Vec *v) { return (Str *)v->data; }

static inline Value *vec_value(const Vec *v) { return (Value *)v->data; }

#endif
