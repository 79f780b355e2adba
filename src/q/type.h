/*
 * type: the table of q types: code, names, width, null (kdb-files.md section 1,
 * storage-manager.md 2.5).
 *
 * Codes are q's. Two notes on memory forms:
 *   QT_SYMBOL (11)  elements are Str: borrowed text, as decoded from a message
 *   QT_ENUM   (20)  elements are i32 ids of the process's symbol table (q/symbol.h), -1 never
 *                   occurs; id 0 is the empty symbol, q's null. Written to the wire as 11.
 *   QT_NESTED + t   list of vectors of type t (strings are QT_NESTED + QT_CHAR = 87); lists of
 *                   symbols are QT_NESTED + QT_ENUM in memory
 *   QT_NESTED       list of anything (a mixed column): each row is the bytes of one q IPC
 * object */
#ifndef Q_TYPE_H
#define Q_TYPE_H

#include "base/str.h"
#include "base/types.h"

enum {
    QT_LIST = 0,
    QT_BOOLEAN = 1,
    QT_GUID = 2,
    QT_BYTE = 4,
    QT_SHORT = 5,
    QT_INT = 6,
    QT_LONG = 7,
    QT_REAL = 8,
    QT_FLOAT = 9,
    QT_CHAR = 10,
    QT_SYMBOL = 11,
    QT_TIMESTAMP = 12,
    QT_MONTH = 13,
    QT_DATE = 14,
    QT_DATETIME = 15,
    QT_TIMESPAN = 16,
    QT_MINUTE = 17,
    QT_SECOND = 18,
    QT_TIME = 19,
    QT_ENUM = 20,
    QT_NESTED = 77,
    QT_STRING = QT_NESTED + QT_CHAR,
    QT_TABLE = 98,
    QT_DICT = 99,
    QT_LAMBDA = 100,
    QT_NULL = 101, /* generic null :: and other primitives */
    QT_ERROR = -128
};

#define Q_NULL_SHORT INT16_MIN
#define Q_NULL_INT   INT32_MIN
#define Q_NULL_LONG  INT64_MIN

typedef enum { ATTR_NONE, ATTR_SORTED, ATTR_UNIQUE, ATTR_PARTED, ATTR_GROUPED } Attr;

/* How the elements of a type are stored and compared. */
typedef enum { TYPE_INTEGER, TYPE_REAL, TYPE_BYTES16, TYPE_TEXT } TypeClass;

/* The bytes of one element in memory: 1, 2, 4, 8 or 16; QT_ENUM 4; QT_SYMBOL sizeof(Str). 0 for
 * unknown. */
u32 type_width(int type);

/* Whether a vector of the type has rows of elements: QT_NESTED and above. */
static inline bool type_is_nested(int type)
{
    return type >= QT_NESTED && type <= QT_NESTED + QT_ENUM;
}

/* The bytes of one element in the data of a nested vector; 1 for QT_NESTED. */
u32 type_nested_width(int type);

/* The bytes of one element in a column file: as type_width, but 8 for QT_ENUM and QT_SYMBOL. */
u32 type_disk_width(int type);

/* The schema name of a type ("timestamp", "string" for QT_STRING, "floats" for QT_NESTED +
 * QT_FLOAT). */
const char *type_name(int type);

/* The type of a schema name; -1 when unknown; "" gives QT_LIST (mixed). "symbol" gives
 * QT_SYMBOL. */
int type_parse(Str name);

/* The type's letter as q's meta shows it ('j', 's', 'C' for strings, ' ' for mixed). */
char type_letter(int type);

/* The class of a fixed-width type or symbol. */
TypeClass type_class(int type);

/* Whether the code is a vector type of fixed width (1..19 without 3 and 11). */
bool type_is_fixed(int type);

/* Whether the type counts nanoseconds, days, ... (12..19). */
bool type_is_temporal(int type);

/* Writes the null of a type (width bytes) to `out`: zero for boolean, byte, guid, enum; NaN f8ff
 * form for floats. */
void type_null(int type, void *out);

/* Whether the element at `p` is null (never for boolean and byte). */
bool type_is_null(int type, const void *p);

/* The attribute of a schema name ("sorted", ...; "" = none); -1 when unknown. And back. */
int type_attr_parse(Str name);
const char *type_attr_name(int attr);

#endif
