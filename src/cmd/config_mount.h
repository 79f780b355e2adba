/*
 * config_mount: the mounts section (V-10, V-11).
 */
#ifndef CMD_CONFIG_MOUNT_H
#define CMD_CONFIG_MOUNT_H

#include "cmd/config_doc.h"

#define CONFIG_MOUNT_MAX 64 /* mounts of an assembly */

/* Fills c->mounts and the three pointers to those that matter; what is wrong becomes a finding. */
void config_mount_build(ConfigDoc *d, Config *c);

/* The mount of a name; NULL when there is none. */
const Mount *config_mount_find(const Config *c, const char *name);

#endif
