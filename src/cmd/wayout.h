/*
 * wayout: `silt export`: a plain kdb+ database of a view, or of any kdb+ folder.
 */
#ifndef CMD_WAYOUT_H
#define CMD_WAYOUT_H

/* `silt export ASSEMBLY|DIR TARGET`; the exit status. */
int wayout_main(int argc, char **argv);

#endif
