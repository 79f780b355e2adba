/*
 * reader: `silt da`: answers queries over the newest view and the live rows after it.
 */
#ifndef CMD_READER_H
#define CMD_READER_H

/* `silt da ASSEMBLY [--instance NAME]`; runs until a signal ends it; the exit status. */
int reader_main(int argc, char **argv);

#endif
