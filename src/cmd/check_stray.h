/*
 * check_stray: what lies in a database's folders and nobody names: warnings.
 */
#ifndef CMD_CHECK_STRAY_H
#define CMD_CHECK_STRAY_H

#include "cmd/check_view.h"

/* Looks for it. E_MEMORY and the like only. */
MUST_USE Err check_stray(CheckView *db);

#endif
