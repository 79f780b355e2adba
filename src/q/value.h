/*
 * value: atoms, lists, dictionaries and tables: what requests and answers are made of.
 *
 * Values live in an arena (request or connection) and borrow from the message they were decoded
 * from. They are for small things and results, not for column data in flight (that is a Batch).
 */
#ifndef Q_VALUE_H
#define Q_VALUE_H

#include "base/arena.h"
#include "base/str.h"
#include "q/vec.h"

struct Value {
    i16 type; /* -1..-19 and -QT_ENUM atom; 0..20, 78..97 vector; QT_TABLE, QT_DICT, QT_LAMBDA,
                 QT_NULL, QT_ERROR; 102..111 other functions of q, kept as they came and never run
               */

    union {
        i64 i;       /* integer, temporal, boolean, byte, char atoms; QT_ENUM atom: symbol id;
                        QT_NULL: the code of the primitive, 0 for :: */
        f64 f;       /* real, float, datetime atoms */
        u8 guid[16]; /* guid atom */
        Str text; /* symbol atom; error text; lambda source; 102..111: the bytes behind the type */
        Vec vec;  /* every vector type and QT_LIST (elements are Value) */

        struct {
            Value *keys,
                *values;  /* dictionary: two lists or vectors, or two tables (keyed table) */
            Value *items; /* the elements of `values` one by one when it is a vector and the keys
                             are names (value_get); NULL when it is a list */
        } dict;

        struct {
            u64 count; /* columns */
            Str *names;
            Value *cols; /* each a vector or list of equal count */
        } table;
    } as;
};

/* Atoms. */
Value value_null(void); /* :: */
Value value_bool(bool b);
Value value_long(i64 i);
Value value_int(i32 i);
Value value_float(f64 f);
Value value_timestamp(i64 ns);
Value value_symbol(const char *text); /* borrowed */
Value value_sym(Str text);            /* borrowed */
Value value_string(Str text);         /* a char vector, borrowed */
Value value_error(Str text);          /* borrowed */
Value value_atom(int type, i64 i);    /* any integer-like type */

/* A vector value over a Vec (borrowed). */
Value value_vec(Vec v);

/* A general list of `count` values in the arena, all ::. Elements: value_at. */
Value value_list(Arena *a, u64 count);

/* A table of `count` columns in the arena; set names[i] and cols[i]. */
Value value_table(Arena *a, u64 count);

/* An empty dictionary with room for `count` symbol keys; value_put adds (no check for doubles). */
Value value_dict(Arena *a, u64 count);
void value_put(Value *dict, const char *key, Value v);

/* Elements of a list or vector, 1 for atoms and functions, rows of a table, entries of a
 * dictionary. */
u64 value_count(const Value *v);

/* Element i of a list or vector as a value of its own (an atom for vectors; a borrowed row for
 * nested ones); of an atom the atom itself; :: for tables, dictionaries, beyond the end and for
 * QT_NESTED (wire_row gives its rows). */
Value value_at(const Value *v, u64 i);

/* The value of a symbol or string key in a dictionary, or NULL; it lives as long as the dictionary.
 * Typed values need `items`, which wire_decode sets. */
const Value *value_get(const Value *dict, const char *key);

/* The column of a table or keyed table by name, or NULL. */
const Value *value_col(const Value *table, const char *name);

/* Text of a symbol atom, char atom or char vector: false for other types. That of a char atom lives
 * in *v. */
bool value_text(const Value *v, Str *out);

/* An integer from any integer, boolean or temporal atom, or a float atom that is whole (JSON
 * numbers): false for others. Nulls of every width give Q_NULL_LONG. */
bool value_int_of(const Value *v, i64 *out);

/* Whether it is :: or an empty general list (which is what q sends for "no argument"). */
bool value_is_nothing(const Value *v);

#endif
