/*
 * handover: `silt adopt`, and the import that a manager makes at its first start (`initialImport`,
 * storage-manager.md 15).
 */
#ifndef CMD_HANDOVER_H
#define CMD_HANDOVER_H

#include "cmd/config.h"
#include "cmd/options.h"

/* `silt adopt ASSEMBLY|DIR --check|--apply`; the exit status. */
int handover_main(int argc, char **argv);

/* For the manager, before it opens anything: ends an interrupted import; imports when the
 * configuration asks for it and the database was never in use. Violations are logged one a line and
 * are then the failure, as is a kdb+ database that stands where new parts would go. */
MUST_USE Err handover_start(const Config *c);

#endif
