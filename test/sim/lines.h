/*
 * lines: connections between the simulated processes, and from the simulation's own clients to
 * them; takes the place of serve/server, ipc, http, api, client and metric in the program.
 *
 * A request is a whole q IPC message as it would be on the wire; it is taken apart as serve/ipc
 * does. Answers of a turn leave at its end. The death of either side closes the line: what was not
 * delivered by then never is.
 */
#ifndef SIM_LINES_H
#define SIM_LINES_H

#include "base/arena.h"
#include "fibers.h"
#include "q/value.h"

typedef struct Line Line;
typedef struct LinesRequest LinesRequest;

/* How a request of the simulation's clients stands. */
typedef enum { LINES_WAITING, LINES_ANSWERED, LINES_LOST } LinesState;

/* Connects a client of the simulation to a port; NULL when nobody listens. */
Line *lines_connect(u16 port);

/* Hangs up. */
void lines_hang_up(Line *l);

/* Whether the line is open. */
bool lines_open(const Line *l);

/* Sends a request (a list whose first item is the function's name). It lives as long as the run. */
LinesRequest *lines_ask(Line *l, const Value *request);
LinesState lines_state(const LinesRequest *r);

/* The answer of an answered request: its Err when it is an error (recorded), else the value. */
Err lines_answer(const LinesRequest *r, Arena *a, Value *v);

/* Whether a process listens on the port. */
bool lines_listens(u16 port);

/* Lines of a process that died are closed. */
void lines_process_gone(Process *p);

/* The main function of the manager's children. */
FibersMain lines_worker_main(void);

#endif
