/*
 * mend: what every start does before the manager goes on (R11): find the truth, finish it, remove
 * the rest.
 *
 * Part of publish (which alone calls it): there is no start without it, and no way to skip it. Each
 * call may be killed at any step and run again (R14).
 */
#ifndef DB_MEND_H
#define DB_MEND_H

#include "db/view.h"

/* Opens the view that `current` names, makes the link durable, mends <hdb>/current, and removes
 * what no view can name. *v is NULL when the database has no view yet; what a first start left
 * behind is then gone. E_CORRUPT: the view, its folders or its domain are not whole; the text names
 * the newest older view that can be read. Nothing is removed then (P7). *removed counts deletions,
 * it is not set to 0 first. */
MUST_USE Err mend_current(Root *r, ViewCache *c, View **v, u64 *removed);

/* Removes link folders and manifests with numbers above `number` (hdb.M: above `hdb`), and
 * unfinished links. */
MUST_USE Err mend_above(const Root *r, u64 number, u64 hdb, u64 *removed);

/* Removes what a stage file lists and the view does not name, then the file. No file, or an empty
 * one, is fine. */
MUST_USE Err mend_stage(const Root *r, const View *v, const char *path, u64 *removed);

#endif
