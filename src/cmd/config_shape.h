/*
 * config_shape: are the names of a map's keys known, and is each value text, map or list as the
 * table of keys says?
 */
#ifndef CMD_CONFIG_SHAPE_H
#define CMD_CONFIG_SHAPE_H

#include "cmd/config_doc.h"
#include "cmd/config_key.h"

/* Checks a section and all below it; adds findings, and notes for keys that only clusters use. */
void config_shape(ConfigDoc *d, ConfigKeySection section, const YamlNode *map);

#endif
