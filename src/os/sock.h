/*
 * sock: TCP and unix stream sockets as plain non-blocking descriptors.
 *
 * Loopback unless told otherwise. TCP_NODELAY is set. Never raises SIGPIPE. A host that begins with
 * '/' is the path of a unix socket, and its port does not matter.
 */
#ifndef OS_SOCK_H
#define OS_SOCK_H

#include "base/fail.h"
#include "base/types.h"

/* Listens on host:port (port 0 = any free one; *port_out tells which). E_BUSY when the port is
 * taken. */
MUST_USE Err sock_listen(const char *host, u16 port, int *fd, u16 *port_out);

/* Accepts one connection, non-blocking; *fd = -1 when none waits. *local tells a loopback peer. */
MUST_USE Err sock_accept(int listener, int *fd, bool *local);

/* Connects, waiting up to `ms`; the descriptor is non-blocking afterwards. E_CLOSED when
 * refused. */
MUST_USE Err sock_connect(const char *host, u16 port, u32 ms, int *fd);

/* Splits "host:port", ":host:port", "port" or ":port" (host then "127.0.0.1"). E_USAGE
 * otherwise. */
MUST_USE Err sock_address(const char *text, char *host, u64 host_size, u16 *port);

/* Reads what is there: *got = 0 with E_OK means "nothing now"; E_CLOSED at the end of the
 * stream. */
MUST_USE Err sock_read(int fd, void *out, u64 size, u64 *got);

/* Looks at the first bytes without taking them. */
MUST_USE Err sock_peek(int fd, void *out, u64 size, u64 *got);

/* Writes what the kernel takes: *put may be less than size, 0 = nothing now. E_CLOSED when the peer
 * is gone. */
MUST_USE Err sock_write(int fd, const void *data, u64 size, u64 *put);

/* Blocking forms for command line tools, with a time limit: E_TIMEOUT. */
MUST_USE Err sock_read_all(int fd, void *out, u64 size, u32 ms);
MUST_USE Err sock_write_all(int fd, const void *data, u64 size, u32 ms);

/* Closes; -1 is allowed; sets *fd to -1. */
void sock_close(int *fd);

/* Ends both directions at once, for a descriptor that somebody else closes: who reads it sees its
 * end. */
void sock_end(int fd);

#endif
