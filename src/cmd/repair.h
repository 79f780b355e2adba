/*
 * repair: `silt repair`: a new version of a damaged partition.
 */
#ifndef CMD_REPAIR_H
#define CMD_REPAIR_H

/* Runs the command; returns the exit status. */
int repair_main(int argc, char **argv);

#endif
