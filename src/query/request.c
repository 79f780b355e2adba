/*
 * request: names and result types of the aggregations, one row each.
 *
 * Types follow q: the sum of what is narrower than a long is an int, a sum keeps the type of a
 * temporal column, averages and spreads are floats. wsum is a float whatever it adds up, as its
 * operands may be of two types. Symbols, guids and lists are counted, taken and made distinct only;
 * chars have an order as well.
 */
#include "query/request.h"

static const char *const names[] = {
    [AGG_NONE] = "",     [AGG_COUNT] = "count", [AGG_SUM] = "sum",           [AGG_MIN] = "min",
    [AGG_MAX] = "max",   [AGG_AVG] = "avg",     [AGG_FIRST] = "first",       [AGG_LAST] = "last",
    [AGG_WAVG] = "wavg", [AGG_WSUM] = "wsum",   [AGG_DEV] = "dev",           [AGG_VAR] = "var",
    [AGG_SDEV] = "sdev", [AGG_SVAR] = "svar",   [AGG_DISTINCT] = "distinct", [AGG_PRD] = "prd",
    [AGG_ALL] = "all",   [AGG_ANY] = "any",     [AGG_COR] = "cor",           [AGG_COV] = "cov",
    [AGG_SCOV] = "scov",
};

bool request_agg_parse(Str name, AggKind *kind)
{
    for (u32 i = AGG_COUNT; i < COUNT_OF(names); i++) {
        *kind = (AggKind)i;
        if (str_is(name, names[i])) return true;
    }
    *kind = AGG_NONE;
    return false;
}

const char *request_agg_name(AggKind kind)
{
    ASSERT((u32)kind < COUNT_OF(names));
    return names[kind];
}

bool request_agg_pairs(AggKind kind)
{
    return kind == AGG_WAVG || kind == AGG_WSUM || kind == AGG_COR || kind == AGG_COV ||
           kind == AGG_SCOV;
}

/* Booleans, bytes and shorts add up to ints. */
static int sum_type(int type)
{
    return type == QT_BOOLEAN || type == QT_BYTE || type == QT_SHORT ? QT_INT : type;
}

int request_agg_type(AggKind kind, int type)
{
    bool number = type_is_fixed(type) && type != QT_GUID && type != QT_CHAR;
    switch (kind) {
    case AGG_NONE:
    case AGG_FIRST:
    case AGG_LAST: return type;
    case AGG_COUNT: return QT_LONG;
    case AGG_DISTINCT: return QT_LIST;
    case AGG_MIN:
    case AGG_MAX: return number || type == QT_CHAR ? type : -1;
    case AGG_ALL:
    case AGG_ANY: return number || type == QT_CHAR ? QT_BOOLEAN : -1;
    case AGG_SUM:
    case AGG_PRD: return number ? sum_type(type) : -1;
    default: return number ? QT_FLOAT : -1;
    }
}
