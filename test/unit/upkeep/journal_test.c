/*
 * journal: what is written comes back; anything else is refused and never acted on.
 */
#include "unit/cmocka_all.h"
