/*
 * catalogue: the few q texts that tools send to look around (q-ipc.md 11), recognised without an
 * interpreter.
 */
#ifndef CMD_CATALOGUE_H
#define CMD_CATALOGUE_H

#include "q/value.h"
#include "table/schema.h"

typedef enum {
    CATALOGUE_UNKNOWN,
    CATALOGUE_TABLES,  /* tables[], tables`: their names as symbols */
    CATALOGUE_STRINGS, /* string tables[]: as strings */
    CATALOGUE_COLS,    /* cols T */
    CATALOGUE_META,    /* meta T: keyed by column */
    CATALOGUE_META0,   /* 0!meta T */
    CATALOGUE_COUNT,   /* count T */
    CATALOGUE_SELECT,  /* select from T, select[n] from T */
    CATALOGUE_VERSION, /* .z.K */
    CATALOGUE_EMPTY    /* views`, .Q.res, key`.q: an empty symbol vector */
} CatalogueKind;

typedef struct {
    CatalogueKind kind;
    const Schema *schema; /* of the table that is named */
    bool limited;
    i64 limit;
} Catalogue;

/* Recognises a text; E_NOT_FOUND when it names an unknown table. */
MUST_USE Err catalogue_parse(Str text, const SchemaSet *tables, Catalogue *c);

/* The answer to everything but COUNT and SELECT, in the arena. */
Value catalogue_value(const Catalogue *c, const SchemaSet *tables, Arena *a);

#endif
