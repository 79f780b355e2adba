/*
 * pub: the command `silt pub`.
 */
#ifndef CMD_PUB_H
#define CMD_PUB_H

/* Runs the command with the words after its name; the exit status. */
int pub_main(int argc, char **argv);

#endif
