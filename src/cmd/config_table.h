/*
 * config_table: the tables section (V-02 to V-07).
 */
#ifndef CMD_CONFIG_TABLE_H
#define CMD_CONFIG_TABLE_H

#include "cmd/config_doc.h"

/* Fills c->tables with sealed schemas; what is wrong becomes a finding. */
void config_table_build(ConfigDoc *d, Config *c);

/* Why a name can be no table's or no column's (a phrase), NULL when it can. */
const char *config_table_name_fault(const char *name);
const char *config_table_column_fault(const char *name);

#endif
