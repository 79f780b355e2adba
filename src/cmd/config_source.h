/*
 * config_source: flags and environment, put into the document over what the file says.
 */
#ifndef CMD_CONFIG_SOURCE_H
#define CMD_CONFIG_SOURCE_H

#include "cmd/config_doc.h"

/* Puts folders and ports from flags and environment into the document. Fails when the working
 * directory is unknown. */
MUST_USE Err config_source_apply(ConfigDoc *d, const ConfigSource *source);

/* A folder given as a path or file:// URI, made absolute ("a/../b" resolved); NULL with a finding
 * when it is neither or not absolute. `rule` is what it violates. */
const char *config_source_folder(ConfigDoc *d, const YamlNode *node, const char *rule,
                                 bool uri_only);

/* Whether two absolute folders are the same, or one lies inside the other. */
bool config_source_meet(const char *a, const char *b);

#endif
