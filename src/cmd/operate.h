/*
 * operate: the commands that talk to a running manager: status, eoi, eod, part list.
 */
#ifndef CMD_OPERATE_H
#define CMD_OPERATE_H

/* Each runs its command with the words after its name; the exit status. */
int operate_status_main(int argc, char **argv);
int operate_eoi_main(int argc, char **argv);
int operate_eod_main(int argc, char **argv);
int operate_part_main(int argc, char **argv);

#endif
