/*
 * check_table: one table folder: its files, columns and rows, against what is known of it.
 *
 * A CheckTable is filled by the caller and checked by one thread; domains are shared and only
 * read. */
#ifndef CMD_CHECK_TABLE_H
#define CMD_CHECK_TABLE_H

#include "cmd/findings.h"
#include "column/domain.h"
#include "db/view.h"
#include "table/schema.h"

#define CHECK_TABLE_DOMAINS_MAX 64

/* The domains of a database, and how their names are ordered. */
typedef struct {
    u32 count;

    struct {
        const char *name;
        Domain domain;
        u32 *rank; /* of each index; NULL when there was no memory for it */
    } all[CHECK_TABLE_DOMAINS_MAX];

    Arena memory;
} CheckTableDomains;

/* Loads a domain file's first `size` bytes (~0 = all) under a name. */
MUST_USE Err check_table_domain(CheckTableDomains *d, const char *name, const char *path, u64 size);

/* Frees; idempotent. */
void check_table_domains_free(CheckTableDomains *d);

typedef struct {
    const char *path;
    const CheckTableDomains *domains;
    const Schema *schema;  /* NULL = not known */
    const PartTable *told; /* what the manifest says of it; NULL = nothing */
    Place place;           /* whose sort keys hold */
    bool dated, late;      /* rows lie in `day`; or in the days of the slices */
    bool imported;         /* a date part that an import took over: its order is another's */
    i32 day;
    /* results */
    NoteList findings;
    bool readable;
    u64 rows, bytes, files;
    u32 column_count;
    const char **names; /* in the findings' arena: good until they are joined */
    int *types;
} CheckTable;

/* Whether a type is one of list columns, which their rows decide: two of them do not differ. */
static inline bool check_table_list(int type) { return type == QT_LIST || type_is_nested(type); }

/* Checks the folder; all there is to say is in the findings. */
void check_table(CheckTable *t);

#endif
