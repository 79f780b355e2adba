/*
 * rights: whether this user may change what an import changes, or has the manager change later.
 */
#ifndef UPKEEP_RIGHTS_H
#define UPKEEP_RIGHTS_H

#include "upkeep/survey.h"

/* Adds a violation for each folder and file of a surveyed database that this user may not write to
 * and that must be written to. Fails only when one cannot be asked for. */
MUST_USE Err rights_check(Survey *s);

#endif
