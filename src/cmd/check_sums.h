/*
 * check_sums: the files of a view's parts against the checksums that were kept when they were
 * written.
 */
#ifndef CMD_CHECK_SUMS_H
#define CMD_CHECK_SUMS_H

#include "cmd/check_view.h"

/* Checks each part's sidecar, that its files are all there and of their size; `deep` also every
 * byte of them. E_MEMORY and the like only. */
MUST_USE Err check_sums(CheckView *db, bool deep);

#endif
