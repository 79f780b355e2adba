/*
 * config_tier: elements.sm.tiers (V-12 to V-18).
 */
#ifndef CMD_CONFIG_TIER_H
#define CMD_CONFIG_TIER_H

#include "cmd/config_doc.h"

#define CONFIG_TIER_MAX 64 /* tiers of an assembly */

/* Fills c->tiers, implicit ones included, newest data first, and brings the document's list into
 * that order (its i-th entry is c->tiers[i]). Needs the mounts. What is wrong becomes a finding. */
void config_tier_build(ConfigDoc *d, Config *c);

#endif
