/*
 * worker: the manager's children: eoi follows the stream and stages intervals, eod stages days, dbm
 * waits.
 *
 * They only stage: what they make counts when the manager has published it. They end when the
 * manager does.
 */
#ifndef CMD_WORKER_H
#define CMD_WORKER_H

/* `silt worker eoi|eod|dbm|scrub ASSEMBLY`; started by the manager. Returns the exit status. */
int worker_main(int argc, char **argv);

#endif
