/*
 * infer: the command `silt schema infer DIR`.
 */
#ifndef CMD_INFER_H
#define CMD_INFER_H

/* Runs the command with the words after its name; the exit status. */
int infer_main(int argc, char **argv);

#endif
