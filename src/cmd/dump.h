/*
 * dump: the command `silt dump`.
 */
#ifndef CMD_DUMP_H
#define CMD_DUMP_H

/* Runs the command with the words after its name; the exit status. */
int dump_main(int argc, char **argv);

#endif
