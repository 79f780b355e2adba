/*
 * type: the table behind q/type.h. One row a basic type; everything else is derived from it.
 *
 * Column types are 1..19 without 3. Derived codes: 20 (symbols as ids of this process), 77 + t
 * (lists of vectors), and negative codes (atoms, described like their vector type).
 */
#include "q/type.h"

#define WIDEST 16

typedef struct {
    const char *name, *list_name;
    u8 width;
    char letter;
    u8 type_class;
} TypeRow;

static const TypeRow rows[] = {
    [QT_LIST] = {"", "", 0, ' ', TYPE_INTEGER},
    [QT_BOOLEAN] = {"boolean", "booleans", 1, 'b', TYPE_INTEGER},
    [QT_GUID] = {"guid", "guids", 16, 'g', TYPE_BYTES16},
    [QT_BYTE] = {"byte", "bytes", 1, 'x', TYPE_INTEGER},
    [QT_SHORT] = {"short", "shorts", 2, 'h', TYPE_INTEGER},
    [QT_INT] = {"int", "ints", 4, 'i', TYPE_INTEGER},
    [QT_LONG] = {"long", "longs", 8, 'j', TYPE_INTEGER},
    [QT_REAL] = {"real", "reals", 4, 'e', TYPE_REAL},
    [QT_FLOAT] = {"float", "floats", 8, 'f', TYPE_REAL},
    [QT_CHAR] = {"char", "string", 1, 'c', TYPE_INTEGER},
    [QT_SYMBOL] = {"symbol", "symbols", sizeof(Str), 's', TYPE_TEXT},
    [QT_TIMESTAMP] = {"timestamp", "timestamps", 8, 'p', TYPE_INTEGER},
    [QT_MONTH] = {"month", "months", 4, 'm', TYPE_INTEGER},
    [QT_DATE] = {"date", "dates", 4, 'd', TYPE_INTEGER},
    [QT_DATETIME] = {"datetime", "datetimes", 8, 'z', TYPE_REAL},
    [QT_TIMESPAN] = {"timespan", "timespans", 8, 'n', TYPE_INTEGER},
    [QT_MINUTE] = {"minute", "minutes", 4, 'u', TYPE_INTEGER},
    [QT_SECOND] = {"second", "seconds", 4, 'v', TYPE_INTEGER},
    [QT_TIME] = {"time", "times", 4, 't', TYPE_INTEGER},
    [QT_ENUM] = {"symbol", "symbols", 4, 's', TYPE_INTEGER},
};

static const char *const attr_names[] = {"", "sorted", "unique", "parted", "grouped"};

/* The row of an atom, vector or list-of-vectors code; NULL for every other code. */
static const TypeRow *row_of(int type)
{
    if (type < 0) type = -type;
    if (type > QT_NESTED && type <= QT_NESTED + QT_ENUM) type -= QT_NESTED;
    if (type > QT_ENUM || type == 3) return NULL;
    return &rows[type];
}

u32 type_width(int type)
{
    const TypeRow *row = type_is_nested(type) ? NULL : row_of(type);
    return row ? row->width : 0;
}

u32 type_nested_width(int type) { return type == QT_NESTED ? 1 : type_width(type - QT_NESTED); }

u32 type_disk_width(int type)
{
    if (type == QT_ENUM || type == QT_SYMBOL || type_is_nested(type)) return 8;
    return type_width(type);
}

const char *type_name(int type)
{
    switch (type) {
    case QT_LIST: return "";
    case QT_NESTED: return "mixed";
    case QT_TABLE: return "table";
    case QT_DICT: return "dictionary";
    case QT_LAMBDA: return "function";
    case QT_NULL: return "null";
    case QT_ERROR: return "error";
    default: break;
    }
    const TypeRow *row = row_of(type);
    if (!row) return type > QT_NULL && type < 112 ? "function" : "unknown";
    return type_is_nested(type) ? row->list_name : row->name;
}

int type_parse(Str name)
{
    name = str_trim(name);
    if (name.size == 0) return QT_LIST;
    for (int t = QT_BOOLEAN; t < QT_ENUM; t++) {
        if (t == 3) continue;
        if (str_is(name, rows[t].name)) return t;
        if (str_is(name, rows[t].list_name)) return QT_NESTED + t;
    }
    return -1;
}

char type_letter(int type)
{
    const TypeRow *row = row_of(type);
    if (!row) return ' ';
    return type_is_nested(type) ? (char)(row->letter - 'a' + 'A') : row->letter;
}

TypeClass type_class(int type)
{
    const TypeRow *row = row_of(type);
    return row ? (TypeClass)row->type_class : TYPE_INTEGER;
}

bool type_is_fixed(int type)
{
    return type >= QT_BOOLEAN && type < QT_ENUM && type != 3 && type != QT_SYMBOL;
}

bool type_is_temporal(int type) { return type >= QT_TIMESTAMP && type <= QT_TIME; }

/* The bytes of a null, in the low bytes of out[0]; a guid has two words of zeros, a Str its own
 * shape. */
static u64 null_bits(int type, u32 width)
{
    if (type == QT_FLOAT || type == QT_DATETIME) return 0xfff8000000000000u;
    if (type == QT_REAL) return 0xffc00000u;
    if (type == QT_CHAR) return ' ';
    if (type == QT_BOOLEAN || type == QT_BYTE || type == QT_GUID || type == QT_ENUM) return 0;
    return 1ull << (width * 8 - 1);
}

void type_null(int type, void *out)
{
    u32 width = type_width(type);
    if (type == QT_SYMBOL) {
        Str empty = {"", 0};
        memcpy(out, &empty, sizeof empty);
        return;
    }
    u8 bytes[WIDEST] = {0};
    if (width > 0) store_u64(bytes, null_bits(type, width));
    memcpy(out, bytes, width);
}

bool type_is_null(int type, const void *p)
{
    static const u8 zeros[WIDEST];
    u32 width = type_width(type);
    if (type == QT_BOOLEAN || type == QT_BYTE || width == 0) return false;
    if (type == QT_SYMBOL) {
        Str text;
        memcpy(&text, p, sizeof text);
        return text.size == 0;
    }
    if (type == QT_FLOAT || type == QT_DATETIME)
        return (load_u64(p) & ~(1ull << 63)) > 0x7ff0000000000000u;
    if (type == QT_REAL) return (load_u32(p) & ~(1u << 31)) > 0x7f800000u;
    if (type == QT_GUID) return memcmp(p, zeros, width) == 0;
    u8 null[WIDEST];
    type_null(type, null);
    return memcmp(p, null, width) == 0;
}

int type_attr_parse(Str name)
{
    for (int i = 0; i < (int)COUNT_OF(attr_names); i++)
        if (str_is(name, attr_names[i])) return i;
    return -1;
}

const char *type_attr_name(int attr)
{
    return attr >= 0 && attr < (int)COUNT_OF(attr_names) ? attr_names[attr] : "";
}
