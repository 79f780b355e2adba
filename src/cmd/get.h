/*
 * get: the command `silt get`.
 */
#ifndef CMD_GET_H
#define CMD_GET_H

/* Runs the command with the words after its name; the exit status. */
int get_main(int argc, char **argv);

#endif
