/*
 * config_bus: the bus section and the manager's source (V-08, V-09).
 */
#ifndef CMD_CONFIG_BUS_H
#define CMD_CONFIG_BUS_H

#include "cmd/config_doc.h"

#define CONFIG_BUS_MAX 64 /* streams of an assembly */

/* In the wrapped shape: lets elements.sequencer stand for streams that the bus does not have. */
void config_bus_sequencers(ConfigDoc *d);

/* Fills c->bus and c->source; needs mounts and tiers. What is wrong becomes a finding. */
void config_bus_build(ConfigDoc *d, Config *c);

#endif
