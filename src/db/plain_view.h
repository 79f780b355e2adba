/*
 * plain_view: a kdb+ database that nobody manages, opened for queries: schemas of its tables, its
 * domains, and a view of its partitions.
 *
 * A moment's picture: partitions and tables that appear later are seen by opening it anew. The view
 * belongs to its own cache and pins nothing. Its parts are plain (db/view.h): a partition each, one
 * for all splayed tables of the root, one for each table that stands in a single file. Nothing is
 * written, and no lock is taken.
 */
#ifndef DB_PLAIN_VIEW_H
#define DB_PLAIN_VIEW_H

#include "column/domain.h"
#include "db/plain.h"
#include "db/view.h"

#define PLAIN_VIEW_DOMAINS_MAX 64

typedef struct {
    Plain plain;
    SchemaSet tables; /* by name; of a partitioned one column 0 is the virtual column */
    u32 domain_count; /* the first is `sym` when there is one */
    const char *domain_names[PLAIN_VIEW_DOMAINS_MAX];
    Domain domains[PLAIN_VIEW_DOMAINS_MAX];
    ViewCache cache;
    View *view;
    u32 batch_count;
    Batch **batches; /* of tables in single files */
    Arena memory;
} PlainView;

/* Opens a folder: a database, or one splayed table, whose domain may stand in a folder above.
 * E_CORRUPT and others name the file and the rule when the database must be refused. On failure
 * nothing is held. */
MUST_USE Err plain_view_open(PlainView **v, const char *folder);

/* Frees everything; no query may run. NULL is allowed. */
void plain_view_close(PlainView *v);

/* The domains, for those who decode values. */
DomainSet plain_view_domains(PlainView *v);

/* The schema type of a column as it was found; QT_LIST when that is not known. */
int plain_view_type(const PlainColumn *c);

#endif
