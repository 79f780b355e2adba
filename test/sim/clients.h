/*
 * clients: those who use the system from outside: publishers that send again until they have an
 * answer, one that does not, an operator, and somebody who asks.
 */
#ifndef SIM_CLIENTS_H
#define SIM_CLIENTS_H

#include "base/types.h"
#include "fibers.h"

#define CLIENTS_SM_PORT 10001
#define CLIENTS_DA_PORT 5080 /* of the first reader; others follow */

/* Starts them; so many readers are asked. */
void clients_init(u64 seed, u32 readers);

/* One of the publishers makes a batch and sends it, if it may. */
void clients_publish(void);

/* Each publisher makes a few. */
void clients_publish_all(u64 life);

/* Looks at the answers that came, connects anew, sends again. `life` = of the manager. */
void clients_pump(u64 life);

/* The power was cut: until a manager is back a reader does not know how far the stream is
 * durable. */
void clients_power_cut(void);

/* Asks something, without waiting for the answer, which clients_pump looks at. */
void clients_question(u64 life, const Process *sm);

/* Asks each reader for everything and waits for the answers. */
void clients_question_all(u64 life);

/* Asks the manager to end the interval, or the interval and the day. */
void clients_end_interval(bool day);

/* A client registers for the news of views, says that it has opened one, or leaves; the views that
 * it may read are kept until then. All of them leave. */
void clients_listen(void);
void clients_hang_up(void);

/* Batches that are not acknowledged and will be sent again. */
u32 clients_waiting(void);

/* No batch's fate is open at the end. */
void clients_all_there(void);

/* Questions answered. */
u64 clients_questions(void);

#endif
