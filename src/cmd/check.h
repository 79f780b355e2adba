/*
 * check: the command `silt check`.
 */
#ifndef CMD_CHECK_H
#define CMD_CHECK_H

/* Runs the command with the words after its name; the exit status. */
int check_main(int argc, char **argv);

#endif
