/*
 * wire: every reference message through check, decode and encode; every cut and every flipped bit
 * of them without a crash; both byte orders; what must be refused, by hand.
 */
#include "base/bounds.h"
#include "base/prng.h"
#include "q/wire.h"
#include "support/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static Arena shared_arena;
static Vectors shared;

static int read_vectors(void **state)
{
    (void)state;
    (void)vectors_read(&shared, &shared_arena);
    return 0;
}

static int free_vectors(void **state)
{
    (void)state;
    arena_free(&shared_arena);
    return 0;
}

static bool is_object(const Vector *v)
{
    return strcmp(v->kind, "value") == 0 || strcmp(v->kind, "function") == 0 ||
           strcmp(v->kind, "message") == 0;
}

/* A heap copy of exactly `size` bytes, so that the address sanitizer sees one byte too many. */
static u8 *exact(const u8 *bytes, u64 size)
{
    u8 *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size > 0) memcpy(copy, bytes, size);
    return copy;
}

/* ---- reference messages */

/* What goes out when a decoded message is encoded again: the same, but without what we never
 * send. */
static void expected_again(const Vector *v, u8 *bytes)
{
    memcpy(bytes, v->bytes, v->size);
    if (strncmp(v->q, "`s#(", 4) != 0 && bytes[8] != 127) return;
    for (u64 i = 8; i + 1 < v->size; i++) {
        if (bytes[i] == 127) bytes[i] = QT_DICT;                         /* sorted dictionary */
        if (bytes[i] == QT_TABLE && bytes[i + 1] == 1) bytes[i + 1] = 0; /* sorted table */
    }
}

static void reference_messages_come_back_byte_for_byte(void **state)
{
    (void)state;
    if (shared.count == 0) skip();
    u64 seen = 0, lambdas = 0;
    for (u64 i = 0; i < shared.count; i++) {
        const Vector *v = &shared.items[i];
        if (!is_object(v)) continue;
        Arena a = {0};
        Buf b = {0};
        Value value;
        const u8 *body;
        u64 size, at;
        u8 kind, *copy = exact(v->bytes, v->size), *again = exact(v->bytes, v->size);
        assert_int_equal(wire_open(copy, v->size, &a, &body, &size, &kind), E_OK);
        assert_int_equal(kind, v->bytes[1]);
        assert_int_equal(wire_decode(body, size, &a, &value), E_OK);
        assert_int_equal(wire_begin(&b, kind, &at), E_OK);
        assert_int_equal(wire_encode(&b, &value), E_OK);
        assert_int_equal(wire_finish(&b, at), E_OK);
        if (strncmp(v->q, "the value of test after", 23) == 0) {
            lambdas++; /* its namespace is not kept */
        } else {
            expected_again(v, again);
            if (b.size != v->size || memcmp(b.data, again, b.size) != 0)
                fail_msg("differs: %s", v->q);
        }
        seen++;
        free(copy);
        free(again);
        buf_free(&b);
        arena_free(&a);
    }
    assert_int_equal(seen, 134);
    assert_int_equal(lambdas, 1);
}

/* Runs everything that takes foreign bytes over one message. */
static Err try_all(const u8 *bytes, u64 size)
{
    Arena a = {.size_max = 64 << 20};
    Buf b = {0};
    Value value;
    const u8 *body;
    u64 body_size;
    u8 kind, *copy = exact(bytes, size);
    Err err = wire_open(copy, size, &a, &body, &body_size, &kind);
    if (err == E_OK) {
        WireObject o;
        assert_int_equal(wire_object(body, body_size, true, &o), E_OK);
        assert_int_equal(o.size, body_size);
        err = wire_decode(body, body_size, &a, &value);
        assert_int_equal(err, E_OK);
        assert_int_equal(wire_encode(&b, &value), E_OK);
        assert_int_equal(wire_check(b.data, b.size), E_OK);
    }
    free(copy);
    buf_free(&b);
    arena_free(&a);
    return err;
}

static void every_cut_of_a_message_is_refused(void **state)
{
    (void)state;
    if (shared.count == 0) skip();
    for (u64 i = 0; i < shared.count; i++) {
        const Vector *v = &shared.items[i];
        bool compressed = strcmp(v->kind, "compressed") == 0;
        if (!is_object(v) && !compressed) continue;
        for (u64 size = 0; size < v->size; size++) {
            u8 *copy = exact(v->bytes, size);
            assert_int_not_equal(try_all(copy, size), E_OK); /* the size it names is wrong */
            if (size >= WIRE_HEADER) {
                store_u32(copy + 4, (u32)size); /* now it is right, and an object is cut */
                assert_int_not_equal(try_all(copy, size), E_OK);
            }
            free(copy);
        }
    }
}

static void every_flipped_bit_is_survived(void **state)
{
    (void)state;
    if (shared.count == 0) skip();
    u64 taken = 0, refused = 0;
    for (u64 i = 0; i < shared.count; i++) {
        const Vector *v = &shared.items[i];
        bool compressed = strcmp(v->kind, "compressed") == 0;
        if (!is_object(v) && !compressed) continue;
        u64 step = v->size > 1000 ? 13 : 1;
        u8 *copy = exact(v->bytes, v->size);
        for (u64 bit = 0; bit < v->size * 8; bit += bit < 1000 ? 1 : step) {
            copy[bit / 8] ^= (u8)(1 << bit % 8);
            if (try_all(copy, v->size) == E_OK)
                taken++;
            else
                refused++;
            copy[bit / 8] ^= (u8)(1 << bit % 8);
        }
        free(copy);
    }
    assert_true(taken > 1000 && refused > 1000);
}

static void several_wrong_bytes_are_survived(void **state)
{
    (void)state;
    if (shared.count == 0) skip();
    Prng p;
    prng_init(&p, 11);
    for (u64 i = 0; i < shared.count; i++) {
        const Vector *v = &shared.items[i];
        if (!is_object(v)) continue;
        for (u32 round = 0; round < 200; round++) {
            u8 *copy = exact(v->bytes, v->size);
            for (u32 k = 0; k < 3; k++)
                copy[8 + prng_below(&p, v->size - 8)] = (u8)prng_next(&p);
            (void)!try_all(copy, v->size);
            free(copy);
        }
    }
}

/* ---- byte order: an encoder of its own that writes big-endian from little-endian bodies */

typedef struct {
    u8 *p;
} Turn;

static void turn(Turn *t, u32 width)
{
    for (u32 i = 0; i < width / 2; i++) {
        u8 swap = t->p[i];
        t->p[i] = t->p[width - 1 - i];
        t->p[width - 1 - i] = swap;
    }
    t->p += width;
}

static void turn_text(Turn *t) { t->p += strlen((char *)t->p) + 1; }

static void turn_object(Turn *t)
{
    static const u8 widths[20] = {0, 1, 1, 0, 1, 2, 4, 8, 4, 8, 1, 0, 8, 4, 4, 8, 8, 4, 4, 4};
    int type = (i8)*t->p++;
    u32 count;
    if (type == QT_ERROR || type == -QT_SYMBOL) {
        turn_text(t);
    } else if (type == -QT_GUID) {
        t->p += 16;
    } else if (type < 0) {
        turn(t, widths[-type]);
    } else if (type < 20) {
        count = load_u32(t->p + 1);
        t->p++;
        turn(t, 4);
        if (type == QT_GUID) t->p += 16ull * count;
        for (u32 i = 0; i < count && type != QT_GUID; i++) {
            if (type == QT_LIST)
                turn_object(t);
            else if (type == QT_SYMBOL)
                turn_text(t);
            else
                turn(t, widths[type]);
        }
    } else if (type == QT_TABLE) {
        t->p++;
        turn_object(t);
    } else if (type == QT_DICT || type == 127) {
        turn_object(t);
        turn_object(t);
    } else if (type == QT_LAMBDA) {
        turn_text(t);
        turn_object(t);
    } else if (type <= 103) {
        t->p++;
    } else if (type <= 105) {
        count = load_u32(t->p);
        turn(t, 4);
        for (u32 i = 0; i < count; i++)
            turn_object(t);
    } else {
        turn_object(t);
    }
}

static void big_endian_messages_become_little_endian(void **state)
{
    (void)state;
    if (shared.count == 0) skip();
    for (u64 i = 0; i < shared.count; i++) {
        const Vector *v = &shared.items[i];
        if (!is_object(v)) continue;
        Arena a = {0};
        const u8 *body;
        u64 size;
        u8 kind, *copy = exact(v->bytes, v->size);
        Turn t = {copy + 4};
        turn(&t, 4);
        turn_object(&t);
        assert_ptr_equal(t.p, copy + v->size);
        copy[0] = 0;
        assert_int_equal(wire_open(copy, v->size, &a, &body, &size, &kind), E_OK);
        assert_int_equal(size, v->size - WIRE_HEADER);
        assert_memory_equal(body, v->bytes + WIRE_HEADER, size);
        arena_free(&a);
        for (u64 cut = 0; cut < v->size; cut++) { /* cuts and noise in the other byte order */
            u8 *less = exact(v->bytes, cut);
            if (cut > 0) less[0] = 0;
            if (cut > 7) store_u32(less + 4, __builtin_bswap32((u32)cut));
            (void)!try_all(less, cut);
            free(less);
        }
        free(copy);
    }
}

/* ---- by hand */

#define BODY(...) (const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__})

static Err check(const u8 *body, u64 size)
{
    u8 *copy = exact(body, size);
    Err err = wire_check(copy, size);
    free(copy);
    return err;
}

static void what_is_malformed_is_refused(void **state)
{
    (void)state;
    assert_int_equal(check(BODY(0)), E_CORRUPT);
    assert_int_equal(wire_check((const u8 *)"", 0), E_CORRUPT);
    assert_int_equal(check(BODY(0xff, 2)), E_CORRUPT);                /* boolean 2 */
    assert_int_equal(check(BODY(1, 0, 2, 0, 0, 0, 1, 2)), E_CORRUPT); /* boolean 2 in a vector */
    assert_int_equal(check(BODY(4, 5, 0, 0, 0, 0)), E_CORRUPT);       /* attribute 5 */
    assert_int_equal(check(BODY(4, 0x85, 0, 0, 0, 0, 0, 0, 0, 0)), E_CORRUPT);
    assert_int_equal(check(BODY(7, 0, 0xff, 0xff, 0xff, 0xff)), E_CORRUPT); /* 32 GiB of longs */
    assert_int_equal(check(BODY(11, 0, 0xff, 0xff, 0xff, 0xff, 0)), E_CORRUPT);
    assert_int_equal(check(BODY(0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0)), E_CORRUPT);
    assert_int_equal(check(BODY(4, 0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)),
                     E_CORRUPT);
    assert_int_equal(check(BODY(7, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x20)),
                     E_CORRUPT); /* 2^61 longs: wraps to 0 bytes */
    assert_int_equal(check(BODY(3, 0, 0, 0, 0, 0)), E_CORRUPT);
    assert_int_equal(check(BODY(0xfd, 0)), E_CORRUPT);
    assert_int_equal(check(BODY(20, 0, 0, 0, 0, 0)), E_CORRUPT);
    assert_int_equal(check(BODY(97, 0, 0, 0, 0, 0)), E_CORRUPT);
    assert_int_equal(check(BODY(112, 0)), E_CORRUPT);
    assert_int_equal(check(BODY(0xf5, 'a')), E_CORRUPT); /* a symbol without its zero */
    assert_int_equal(check(BODY(0xf5)), E_CORRUPT);
    assert_int_equal(check(BODY(0x80, 'a')), E_CORRUPT);
    assert_int_equal(check(BODY(0xfa, 1, 0, 0)), E_CORRUPT);
    assert_int_equal(check(BODY(0xff, 1, 0)), E_CORRUPT);                     /* a byte follows */
    assert_int_equal(check(BODY(0, 0, 1, 0, 0, 0, 0x80, 'a', 0)), E_CORRUPT); /* an error inside */
    assert_int_equal(check(BODY(99, 0xff, 1, 0xff, 1)), E_CORRUPT); /* a dictionary of atoms */
    assert_int_equal(check(BODY(99, 4, 0, 1, 0, 0, 0, 9, 4, 0, 0, 0, 0, 0)), E_CORRUPT);
    assert_int_equal(check(BODY(100, 0, 9, 0, 0, 0, 0, 0)), E_CORRUPT); /* a lambda of floats */
    assert_int_equal(check(BODY(101)), E_CORRUPT);
    assert_int_equal(check(BODY(104, 0xff, 0xff, 0xff, 0xff, 0x65, 0xff)), E_CORRUPT);
    assert_int_equal(check(BODY(98, 0, 4, 0, 0, 0, 0, 0)), E_CORRUPT);
}

#define TABLE_HEAD 98, 0, 99, 11, 0, 2, 0, 0, 0, 'a', 0, 'b', 0

static void tables_must_be_sound(void **state)
{
    (void)state;
    assert_int_equal(
        check(BODY(TABLE_HEAD, 0, 0, 2, 0, 0, 0, 4, 0, 1, 0, 0, 0, 7, 4, 0, 1, 0, 0, 0, 8)), E_OK);
    assert_int_equal(
        check(BODY(TABLE_HEAD, 0, 0, 2, 0, 0, 0, 4, 0, 1, 0, 0, 0, 7, 4, 0, 0, 0, 0, 0)),
        E_CORRUPT);
    assert_int_equal(check(BODY(TABLE_HEAD, 0, 0, 1, 0, 0, 0, 4, 0, 1, 0, 0, 0, 7)), E_CORRUPT);
    assert_int_equal(check(BODY(TABLE_HEAD, 0, 0, 2, 0, 0, 0, 0xfc, 7, 0xfc, 8)), E_CORRUPT);
    assert_int_equal(check(BODY(TABLE_HEAD, 4, 0, 2, 0, 0, 0, 7, 8)), E_CORRUPT);
    assert_int_equal(check(BODY(TABLE_HEAD, 0xf5, ':', '/', 'x', 0)),
                     E_CORRUPT); /* a mapped table */
    assert_int_equal(
        check(BODY(98, 0, 99, 0, 0, 1, 0, 0, 0, 0xf5, 'a', 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0, 0)),
        E_OK);
    assert_int_equal(
        check(BODY(98, 0, 99, 0, 0, 1, 0, 0, 0, 0xfc, 1, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0, 0)),
        E_CORRUPT);
    assert_int_equal(
        check(BODY(98, 0, 99, 4, 0, 1, 0, 0, 0, 'a', 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0, 0)),
        E_CORRUPT);
    assert_int_equal(check(BODY(98, 0, 99, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)), E_OK);
    assert_int_equal(check(BODY(98, 5, 99, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)), E_CORRUPT);
    assert_int_equal(check(BODY(98, 0, 98, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)), E_CORRUPT);
}

static void names_as_a_general_list_are_understood(void **state)
{
    (void)state;
    static const u8 body[] = {98, 0, 99, 0, 0, 1, 0, 0, 0, 0xf5, 'p', 'x', 0, 0,
                              0,  1, 0,  0, 0, 4, 0, 2, 0, 0,    0,   5,   6};
    Arena a = {0};
    Value v;
    assert_int_equal(wire_decode(body, sizeof body, &a, &v), E_OK);
    assert_int_equal(v.type, QT_TABLE);
    assert_true(str_is(v.as.table.names[0], "px"));
    assert_int_equal(value_count(&v), 2);
    assert_int_equal(vec_u8(&value_col(&v, "px")->as.vec)[1], 6);
    arena_free(&a);
}

static void depth_is_bounded_and_time_stays_linear(void **state)
{
    (void)state;

    enum { LEVELS = 200000 };

    u8 *body = calloc(LEVELS + 10, 6);
    u64 size = 0;
    Arena a = {0};
    Value v;
    for (u32 i = 0; i < LEVELS; i++, size += 6) /* ((((... */
        body[size + 2] = 1;
    body[size] = 101;
    assert_int_equal(wire_check(body, size + 2), E_CORRUPT);
    u8 *inner = body + size - 6ull * (BOUND_DEPTH_MAX - 1);
    assert_int_equal(wire_check(inner, 6ull * (BOUND_DEPTH_MAX - 1) + 2), E_OK);
    assert_int_equal(wire_decode(inner, 6ull * (BOUND_DEPTH_MAX - 1) + 2, &a, &v), E_OK);
    inner -= 6;
    assert_int_equal(wire_check(inner, 6ull * BOUND_DEPTH_MAX + 2), E_CORRUPT);
    arena_free(&a);
    free(body);
    /* Tables inside of tables' columns: a walk that looks twice at each level would take for
     * ever. */
    static const u8 head[] = {98, 0, 99, 11, 0, 1, 0, 0, 0, 'a', 0, 0,
                              0,  1, 0,  0,  0, 0, 0, 1, 0, 0,   0};
    Buf b = {0};
    for (u32 i = 0; i < 12; i++)
        assert_int_equal(buf_append(&b, head, sizeof head), E_OK);
    assert_int_equal(buf_append(&b, "\x65", 2), E_OK);
    assert_int_equal(wire_check(b.data, b.size), E_OK);
    buf_free(&b);
}

static void long_vectors_are_read(void **state)
{
    (void)state;
    static const u8 body[] = {7, 0x81, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,
                              0, 0,    0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0};
    Arena a = {0};
    Value v;
    WireObject o;
    assert_int_equal(wire_object(body, sizeof body, false, &o), E_OK);
    assert_int_equal(o.count, 2);
    assert_int_equal(o.attr, ATTR_SORTED);
    assert_ptr_equal(o.data, body + 10);
    assert_int_equal(wire_decode(body, sizeof body, &a, &v), E_OK);
    assert_int_equal(v.as.vec.attr, ATTR_SORTED);
    assert_int_equal(v.as.vec.count, 2);
    assert_int_equal(vec_i64(&v.as.vec)[1], 2);
    u8 message[WIRE_HEADER + sizeof body] = {0, 1, 0, 0, 0, 0, 0, WIRE_HEADER + sizeof body};
    memcpy(message + WIRE_HEADER, body, sizeof body);
    Turn t = {message + WIRE_HEADER + 2};
    turn(&t, 8);
    turn(&t, 8);
    turn(&t, 8);
    const u8 *opened;
    u64 size;
    u8 kind;
    assert_int_equal(wire_open(message, sizeof message, &a, &opened, &size, &kind), E_OK);
    assert_int_equal(kind, WIRE_SYNC);
    assert_memory_equal(opened, body, sizeof body);
    static const u8 list[] = {0, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 101, 0};
    assert_int_equal(wire_decode(list, sizeof list, &a, &v), E_OK);
    assert_int_equal(value_count(&v), 1);
    arena_free(&a);
}

static void vectors_of_numbers_are_aligned_or_borrowed(void **state)
{
    (void)state;
    Arena a = {0};
    _Alignas(16) u8 room[64];
    static const u8 body[] = {7, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0};
    for (u32 shift = 0; shift < 16; shift++) {
        Value v;
        memcpy(room + shift, body, sizeof body);
        assert_int_equal(wire_decode(room + shift, sizeof body, &a, &v), E_OK);
        assert_int_equal((uintptr_t)v.as.vec.data % 8, 0);
        assert_int_equal(vec_i64(&v.as.vec)[1], 2);
        bool borrowed = (u8 *)v.as.vec.data == room + shift + 6;
        assert_int_equal(borrowed, (shift + 6) % 8 == 0);
    }
    arena_free(&a);
}

static void an_object_is_seen_shallowly(void **state)
{
    (void)state;
    WireObject o;
    static const u8 symbols[] = {11, 4, 2, 0, 0, 0, 'a', 0, 'b', 'c', 0, 0xff};
    assert_int_equal(wire_object(symbols, sizeof symbols, false, &o), E_OK);
    assert_int_equal(o.type, QT_SYMBOL);
    assert_int_equal(o.attr, ATTR_GROUPED);
    assert_int_equal(o.count, 2);
    assert_int_equal(o.size, 11);
    assert_ptr_equal(o.data, symbols + 6);
    static const u8 table[] = {TABLE_HEAD, 0, 0, 2, 0, 0, 0, 4, 0, 1, 0,
                               0,          0, 7, 4, 0, 1, 0, 0, 0, 8};
    assert_int_equal(wire_object(table, sizeof table, false, &o), E_OK);
    assert_int_equal(o.type, QT_TABLE);
    assert_int_equal(o.count, 1);
    assert_ptr_equal(o.data, table + 2);
    assert_int_equal(o.size, sizeof table);
    static const u8 dict[] = {127, 4, 0, 1, 0, 0, 0, 9, 4, 0, 1, 0, 0, 0, 9};
    assert_int_equal(wire_object(dict, sizeof dict, false, &o), E_OK);
    assert_int_equal(o.type, QT_DICT);
    assert_int_equal(o.count, 1);
    assert_ptr_equal(o.data, dict + 1);
    static const u8 atom[] = {0xf9, 1, 0, 0, 0, 0, 0, 0, 0};
    assert_int_equal(wire_object(atom, sizeof atom, false, &o), E_OK);
    assert_int_equal(o.type, -QT_LONG);
    assert_int_equal(o.count, 1);
    static const u8 error[] = {0x80, 't', 'y', 'p', 'e', 0};
    assert_int_equal(wire_object(error, sizeof error, false, &o), E_OK);
    assert_int_equal(o.type, QT_ERROR);
}

static void symbol_vectors_end_where_their_last_zero_is(void **state)
{
    (void)state;
    /* Sizes around the block of the counting loop, empty and long names, and bytes behind. */
    for (u32 count = 0; count < 200; count += 1 + count / 9) {
        for (u32 length = 0; length < 70; length += 1 + length / 5) {
            u64 size = 6 + (u64)count * (length + 1);
            u8 *body = malloc(size + 1);
            memset(body, 'x', size + 1);
            memcpy(body, "\x0b\0\0\0\0", 6);
            store_u32(body + 2, count);
            for (u32 i = 1; i <= count; i++)
                body[6 + (u64)i * (length + 1) - 1] = 0;
            WireObject o;
            assert_int_equal(wire_object(body, size + 1, false, &o), E_OK);
            assert_int_equal(o.size, size);
            store_u32(body + 2, count + 1);
            assert_int_equal(wire_object(body, size + 1, false, &o), E_CORRUPT);
            body[size] = 0;
            assert_int_equal(wire_object(body, size + 1, false, &o), E_OK);
            assert_int_equal(o.size, size + 1);
            free(body);
        }
    }
}

static void headers_are_checked(void **state)
{
    (void)state;

    static const struct {
        u8 bytes[WIRE_HEADER];
        Err err;
        u64 size;
    } cases[] = {
        {{1, 0, 0, 0, 10, 0, 0, 0}, E_OK, 10},
        {{0, 2, 0, 0, 0, 0, 0, 10}, E_OK, 10},
        {{1, 1, 2, 0, 0, 0, 0, 0x40}, E_OK, 1ull << 30},
        {{1, 1, 0, 0, 1, 0, 0, 0x40}, E_LIMIT, 0},
        {{1, 1, 0, 1, 10, 0, 0, 0}, E_LIMIT, 0},
        {{1, 1, 0, 0, 0xff, 0xff, 0xff, 0xff}, E_LIMIT, 0},
        {{2, 0, 0, 0, 10, 0, 0, 0}, E_CORRUPT, 0},
        {{1, 3, 0, 0, 10, 0, 0, 0}, E_CORRUPT, 0},
        {{1, 0, 3, 0, 10, 0, 0, 0}, E_CORRUPT, 0},
        {{1, 0, 0, 0, 8, 0, 0, 0}, E_CORRUPT, 0},
        {{1, 0, 0, 0, 0, 0, 0, 0}, E_CORRUPT, 0},
        {{'G', 'E', 'T', ' ', '/', 0, 0, 0}, E_CORRUPT, 0},
    };

    for (u64 i = 0; i < COUNT_OF(cases); i++) {
        WireHeader h = {0};
        assert_int_equal(wire_header(cases[i].bytes, &h), cases[i].err);
        if (cases[i].err == E_OK) assert_int_equal(h.size, cases[i].size);
    }
}

static void a_dictionary_of_typed_values_is_read_by_name(void **state)
{
    (void)state;
    static const u8 body[] = {99, 11, 0, 2, 0, 0, 0, 'a', 0, 'b', 0, 6, 0,
                              2,  0,  0, 0, 2, 0, 0, 0,   3, 0,   0, 0};
    Arena a = {0};
    Value v;
    assert_int_equal(wire_decode(body, sizeof body, &a, &v), E_OK);
    assert_int_equal(value_get(&v, "b")->as.i, 3);
    assert_int_equal(value_get(&v, "b")->type, -QT_INT);
    assert_null(value_get(&v, "c"));
    arena_free(&a);
}

static void memory_is_asked_for_within_the_ceiling(void **state)
{
    (void)state;
    u64 size = 6 + 2 * 100000;
    u8 *body = malloc(size);
    memset(body, 0, 6);
    store_u32(body + 2, 100000);
    for (u64 i = 6; i < size; i += 2)
        memcpy(body + i, "\xff", 2);
    Arena a = {.size_max = 1 << 20};
    Value v;
    assert_int_equal(wire_decode(body, size, &a, &v), E_LIMIT);
    arena_free(&a);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_messages_come_back_byte_for_byte),
        cmocka_unit_test(every_cut_of_a_message_is_refused),
        cmocka_unit_test(every_flipped_bit_is_survived),
        cmocka_unit_test(several_wrong_bytes_are_survived),
        cmocka_unit_test(big_endian_messages_become_little_endian),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(tables_must_be_sound),
        cmocka_unit_test(names_as_a_general_list_are_understood),
        cmocka_unit_test(depth_is_bounded_and_time_stays_linear),
        cmocka_unit_test(long_vectors_are_read),
        cmocka_unit_test(vectors_of_numbers_are_aligned_or_borrowed),
        cmocka_unit_test(an_object_is_seen_shallowly),
        cmocka_unit_test(symbol_vectors_end_where_their_last_zero_is),
        cmocka_unit_test(headers_are_checked),
        cmocka_unit_test(a_dictionary_of_typed_values_is_read_by_name),
        cmocka_unit_test(memory_is_asked_for_within_the_ceiling),
    };
    return cmocka_run_group_tests(tests, read_vectors, free_vectors);
}
