/*
 * up: `silt up ASSEMBLY`: starts the manager and every configured reader, and keeps them running.
 */
#ifndef CMD_UP_H
#define CMD_UP_H

/* Runs until a signal ends it; the exit status (of the manager when it cannot go on). */
int up_main(int argc, char **argv);

#endif
