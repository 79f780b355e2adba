/*
 * config_reader: elements.dap, the reader processes (V-19).
 */
#ifndef CMD_CONFIG_READER_H
#define CMD_CONFIG_READER_H

#include "cmd/config_doc.h"

#define CONFIG_READER_MAX 256 /* instances of an assembly */

/* Puts an instance "da" for all mounts into a document that names none; comes before flags and
 * environment. */
void config_reader_default(ConfigDoc *d);

/* Fills c->daps; needs the mounts. What is wrong becomes a finding. */
void config_reader_build(ConfigDoc *d, Config *c);

#endif
