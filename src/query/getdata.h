/*
 * getdata: the arguments of getData (storage-manager.md 21.1) as a request, from q values or JSON
 * values.
 */
#ifndef QUERY_GETDATA_H
#define QUERY_GETDATA_H

#include "query/request.h"

/* Reads a dictionary of arguments (q: symbol keys, symbols, timestamps; JSON: strings, numbers) and
 * checks all of it against the schemas. E_USAGE names the argument and the rule; E_NOT_FOUND an
 * unknown table or column; E_TYPE a value that does not fit its column; E_UNSUPPORTED what is not
 * there (time zones other than UTC, labels that match nothing, ...). Unknown arguments are E_USAGE.
 * A column of the table is filtered and named by its name; values are cast to its type. */
MUST_USE Err getdata_parse(const Value *args, const SchemaSet *tables, Arena *a, Request *r);

#endif
