/*
 * settings: the command `silt config check|show`.
 */
#ifndef CMD_SETTINGS_H
#define CMD_SETTINGS_H

/* Runs the command with the words after its name; the exit status. */
int settings_main(int argc, char **argv);

#endif
