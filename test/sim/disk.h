/*
 * disk: the disk of the simulated machine: a folder in memory, in front of which stands a model of
 * what a device holds. Takes the place of os/fault in the program, and of the kernel's calls that
 * change files (by name: the program's own are found first).
 *
 * Everything that is changed is done at once in the folder, as the page cache would have it, and
 * noted as not yet durable. fdatasync makes the writes of a file durable, fsync of a folder the
 * names in it. disk_power_cut leaves what was durable, and of the rest whatever the seed
 * chooses. */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "fibers.h"

/* Starts the disk: a folder that is there and empty. */
void disk_init(const char *folder, u64 seed);

/* Changes since disk_init, all processes together; and how many of them were syncs. */
u64 disk_changes(void);
u64 disk_syncs(void);

/* Room that the device reports; when `full` nothing can be written either. */
void disk_space(u64 free_bytes, bool full);

/* Everything becomes durable. */
void disk_settle(void);

/* Whether a power cut now would leave a path below the folder leading where it leads now: to
 * nothing, too, when only the last name is missing. */
bool disk_name_durable(const char *path);

/* Whether a process was spoilt with SPOIL_POWER and met it: all processes are gone then. */
bool disk_power_gone(void);

/* The power is gone: everybody dies, and the folder becomes what the device held. */
void disk_power_cut(void);

/* Closes what a process had open. */
void disk_process_gone(Process *p);

/* Removes the folder. */
void disk_remove(void);

#endif
