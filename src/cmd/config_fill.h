/*
 * config_fill: the values of one section, from the document into the struct that the table of keys
 * names.
 */
#ifndef CMD_CONFIG_FILL_H
#define CMD_CONFIG_FILL_H

#include "cmd/config_doc.h"
#include "cmd/config_key.h"

/* Parses the scalar keys of a section into `target` (the struct that its fields belong to), puts
 * missing defaults into the document, and adds findings for wrong values and missing required keys.
 * Wrong values leave the field as it was. */
void config_fill(ConfigDoc *d, ConfigKeySection section, YamlNode *map, void *target);

/* The texts of a key that takes a list or one text, as nodes in the arena; *count = 0 when
 * absent. */
const YamlNode **config_fill_texts(ConfigDoc *d, const YamlNode *map, const char *key, u32 *count);

/* Parses one key's value, adding a finding when it is wrong: for names that stand as keys of
 * maps. */
bool config_fill_name_ok(ConfigDoc *d, const YamlNode *map, const char *name, const char *what);

#endif
