/*
 * ports: connections between the simulated processes, and from the simulation's own clients to
 * them; takes the place of serve/server, ipc, http, api, client and metric in the program.
 *
 * A request is a whole q IPC message as it would be on the wire; it is taken apart as serve/ipc
 * does. Answers of a turn leave at its end. The death of either side closes the line: what was not
 * delivered by then never is.
 */
#ifndef SIM_PORTS_H
#define SIM_PORTS_H

#include "base/arena.h"
#include "fibers.h"
#include "q/value.h"

typedef struct Line Line;
typedef struct PortsRequest PortsRequest;

/* How a request of the simulation's clients stands. */
typedef enum { PORTS_WAITING, PORTS_ANSWERED, PORTS_LOST } PortsState;

/* Connects a client of the simulation to a port; NULL when nobody listens. */
Line *ports_connect(u16 port);

/* Hangs up. */
void ports_hang_up(Line *l);

/* Whether the line is open. */
bool ports_open(const Line *l);

/* Sends a request (a list whose first item is the function's name). It lives as long as the run. */
PortsRequest *ports_ask(Line *l, const Value *request);
PortsState ports_state(const PortsRequest *r);

/* The answer of an answered request: its Err when it is an error (recorded), else the value. */
Err ports_answer(const PortsRequest *r, Arena *a, Value *v);

/* Whether a process listens on the port. */
bool ports_listens(u16 port);

/* Lines of a process that died are closed. */
void ports_process_gone(Process *p);

/* The main function of the manager's children. */
FibersMain ports_worker_main(void);

#endif
