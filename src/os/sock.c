/*
 * sock: stream sockets.
 *
 * All descriptors are non-blocking and close-on-exec; the blocking forms wait with poll against a
 * time limit taken from the clock that no test replaces. A host that begins with '/' is the path of
 * a unix socket; its port is ignored.
 */
#include "os/sock.h"
#include "base/str.h"
#include "os/now.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCK_BACKLOG 1024
#define SOCK_HOST    "127.0.0.1"

/* One address of any family. */
typedef struct {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } u;

    socklen_t size;
} Address;

static bool is_local_path(const char *host) { return host && host[0] == '/'; }

static Err local_address(const char *path, Address *a)
{
    *a = (Address){0};
    if (strlen(path) >= sizeof a->u.local.sun_path)
        return fail(E_LIMIT, "%s: path too long for a unix socket", path);
    a->u.local.sun_family = AF_UNIX;
    memcpy(a->u.local.sun_path, path, strlen(path) + 1);
    a->size = sizeof a->u.local;
    return E_OK;
}

/* Finds the addresses of a host; *found is freed with freeaddrinfo. */
static Err look_up(const char *host, u16 port, struct addrinfo **found)
{
    char service[8];
    const char *name = host && *host ? host : SOCK_HOST;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    hints.ai_flags = AI_NUMERICSERV | AI_PASSIVE;
    *found = NULL;
    snprintf(service, sizeof service, "%u", port);
    int code = getaddrinfo(name, service, &hints, found);
    if (code == 0) return E_OK;
    return fail(E_NOT_FOUND, "host %s: %s", name, gai_strerror(code));
}

static int make_socket(int family)
{
    int one = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* The failure of socket, bind, listen or connect, by errno. */
static Err failed(const char *host, u16 port, const char *call)
{
    int error = errno;
    char name[160];
    if (is_local_path(host))
        snprintf(name, sizeof name, "%s", host);
    else
        snprintf(name, sizeof name, "%s:%u", host && *host ? host : SOCK_HOST, port);
    switch (error) {
    case EADDRINUSE: return fail(E_BUSY, "%s: address in use", name);
    case ECONNREFUSED:
    case ECONNRESET: return fail(E_CLOSED, "%s: connection refused", name);
    case EMFILE:
    case ENFILE: return fail(E_LIMIT, "%s: too many open files", name);
    case ETIMEDOUT: return fail(E_TIMEOUT, "%s: no answer", name);
    default: return fail_errno(error, "%s: %s", name, call);
    }
}

static Err bound_port(int fd, u16 *port)
{
    Address a = {.size = sizeof a.u};
    if (getsockname(fd, &a.u.any, &a.size) != 0) return fail_errno(errno, "getsockname");
    *port = a.u.any.sa_family == AF_INET    ? ntohs(a.u.v4.sin_port)
            : a.u.any.sa_family == AF_INET6 ? ntohs(a.u.v6.sin6_port)
                                            : 0;
    return E_OK;
}

/* Binds and listens; on failure *fd is -1 and errno tells why. */
static bool listen_at(const struct sockaddr *address, socklen_t size, int *fd)
{
    int one = 1;
    *fd = make_socket(address->sa_family);
    if (*fd < 0) return false;
    (void)setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(*fd, address, size) == 0 && listen(*fd, SOCK_BACKLOG) == 0) return true;
    int error = errno;
    sock_close(fd);
    errno = error;
    return false;
}

static Err listen_local(const char *path, int *fd)
{
    Address a;
    Err err = local_address(path, &a);
    if (err) return err;
    if (listen_at(&a.u.any, a.size, fd)) return E_OK;
    if (errno != EADDRINUSE) return failed(path, 0, "listen");
    /* A name left by a process that is gone refuses connections; a live one takes them. */
    int probe;
    err = sock_connect(path, 0, 100, &probe);
    sock_close(&probe);
    if (err == E_CLOSED && unlink(path) == 0 && listen_at(&a.u.any, a.size, fd)) return E_OK;
    return fail(E_BUSY, "%s: address in use", path);
}

Err sock_listen(const char *host, u16 port, int *fd, u16 *port_out)
{
    Err err = E_OK;
    struct addrinfo *found = NULL;
    *fd = -1;
    *port_out = 0;
    if (is_local_path(host)) return listen_local(host, fd);
    TRY(look_up(host, port, &found));
    if (!listen_at(found->ai_addr, found->ai_addrlen, fd)) TRY(failed(host, port, "listen"));
    TRY(bound_port(*fd, port_out));
done:
    if (found) freeaddrinfo(found);
    if (err) sock_close(fd);
    return err;
}

static bool is_loopback(const Address *a)
{
    switch (a->u.any.sa_family) {
    case AF_UNIX: return true;
    case AF_INET: return ntohl(a->u.v4.sin_addr.s_addr) >> 24 == 127;
    case AF_INET6: break;
    default: return false;
    }
    const struct in6_addr *v6 = &a->u.v6.sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

Err sock_accept(int listener, int *fd, bool *local)
{
    int one = 1;
    Address a = {.size = sizeof a.u};
    *local = false;
    *fd = accept4(listener, &a.u.any, &a.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (*fd >= 0) {
        *local = is_loopback(&a);
        if (a.u.any.sa_family != AF_UNIX)
            (void)setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        return E_OK;
    }
    switch (errno) {
    case EAGAIN:
    case EINTR:
    case ECONNABORTED: return E_OK; /* nobody waits, or no longer */
    case EMFILE:
    case ENFILE: return fail(E_LIMIT, "accept: too many open files");
    default: return fail_errno(errno, "accept");
    }
}

/* Waits until the descriptor is ready for `events` or `end` (of now_ticks) has passed. */
static Err wait_ready(int fd, short events, i64 end)
{
    for (;;) {
        i64 left = end - now_ticks();
        struct pollfd p = {.fd = fd, .events = events};
        int ms = left <= 0 ? 0 : (int)MIN(left / 1000000 + 1, INT32_MAX);
        int n = poll(&p, 1, ms);
        if (n > 0) return E_OK;
        if (n < 0 && errno != EINTR) return fail_errno(errno, "poll");
        if (n == 0 && left <= 0) return fail(E_TIMEOUT, "peer took too long");
    }
}

static Err connect_to(const struct sockaddr *address, socklen_t size, i64 end, int *fd)
{
    int error = 0;
    socklen_t error_size = sizeof error;
    *fd = make_socket(address->sa_family);
    if (*fd < 0) return E_IO;
    if (connect(*fd, address, size) == 0) return E_OK;
    if (errno != EINPROGRESS && errno != EINTR) return E_IO;
    Err err = wait_ready(*fd, POLLOUT, end);
    if (err == E_TIMEOUT) errno = ETIMEDOUT;
    if (err) return E_IO;
    if (getsockopt(*fd, SOL_SOCKET, SO_ERROR, &error, &error_size) != 0) return E_IO;
    errno = error;
    return error ? E_IO : E_OK;
}

/* One address: on failure *fd is -1 and the text is recorded. */
static Err connect_one(const char *host, u16 port, const struct sockaddr *address, socklen_t size,
                       i64 end, int *fd)
{
    if (connect_to(address, size, end, fd) == E_OK) return E_OK;
    /* A unix socket whose file is missing refuses just as one whose listener is gone. */
    if (errno == ENOENT) errno = ECONNREFUSED;
    Err err = failed(host, port, "connect");
    sock_close(fd);
    return err;
}

Err sock_connect(const char *host, u16 port, u32 ms, int *fd)
{
    i64 end = now_ticks() + (i64)ms * 1000000;
    struct addrinfo *found = NULL;
    *fd = -1;
    if (is_local_path(host)) {
        Address a;
        Err err = local_address(host, &a);
        return err ? err : connect_one(host, port, &a.u.any, a.size, end, fd);
    }
    Err err = look_up(host, port, &found);
    if (err) return err;
    for (const struct addrinfo *i = found; i; i = i->ai_next) {
        err = connect_one(host, port, i->ai_addr, i->ai_addrlen, end, fd);
        if (!err) break;
    }
    freeaddrinfo(found);
    return err;
}

Err sock_address(const char *text, char *host, u64 host_size, u16 *port)
{
    Str s = str_of(text), name = {0}, number;
    i64 n;
    if (is_local_path(text)) {
        name = s;
        number = STR("0");
    } else {
        if (str_starts(s, STR(":"))) s = (Str){s.data + 1, s.size - 1};
        const char *colon = memrchr(s.data, ':', s.size);
        u64 split = colon ? (u64)(colon - s.data) : 0;
        name = (Str){s.data, split};
        number = colon ? (Str){colon + 1, s.size - split - 1} : s;
        if (str_starts(name, STR("[")) && str_ends(name, STR("]")) && name.size > 2)
            name = (Str){name.data + 1, name.size - 2};
    }
    if (name.size == 0) name = STR(SOCK_HOST);
    bool digits = number.size && number.data[0] >= '0' && number.data[0] <= '9';
    if (!digits || !str_i64(number, &n) || n > UINT16_MAX)
        return fail(E_USAGE, "address \"%s\": expected HOST:PORT or PORT, port 0 to 65535", text);
    if (name.size >= host_size) return fail(E_USAGE, "address \"%s\": host too long", text);
    memcpy(host, name.data, name.size);
    host[name.size] = 0;
    *port = (u16)n;
    return E_OK;
}

static bool is_gone(int error)
{
    return error == ECONNRESET || error == EPIPE || error == ENOTCONN || error == ETIMEDOUT;
}

static Err receive(int fd, void *out, u64 size, int flags, u64 *got)
{
    *got = 0;
    if (size == 0) return E_OK;
    for (;;) {
        ssize_t n = recv(fd, out, size, flags);
        if (n > 0) {
            *got = (u64)n;
            return E_OK;
        }
        if (n == 0 || is_gone(errno)) return fail(E_CLOSED, "connection closed by the peer");
        if (errno == EAGAIN) return E_OK;
        if (errno != EINTR) return fail_errno(errno, "receive");
    }
}

Err sock_read(int fd, void *out, u64 size, u64 *got) { return receive(fd, out, size, 0, got); }

Err sock_peek(int fd, void *out, u64 size, u64 *got)
{
    return receive(fd, out, size, MSG_PEEK, got);
}

Err sock_write(int fd, const void *data, u64 size, u64 *put)
{
    *put = 0;
    if (size == 0) return E_OK;
    for (;;) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n >= 0) {
            *put = (u64)n;
            return E_OK;
        }
        if (is_gone(errno)) return fail(E_CLOSED, "connection closed by the peer");
        if (errno == EAGAIN) return E_OK;
        if (errno != EINTR) return fail_errno(errno, "send");
    }
}

Err sock_read_all(int fd, void *out, u64 size, u32 ms)
{
    u8 *to = out;
    i64 end = now_ticks() + (i64)ms * 1000000;
    while (size) {
        u64 got;
        Err err = sock_read(fd, to, size, &got);
        if (!err && got == 0) err = wait_ready(fd, POLLIN, end);
        if (err) return err;
        to += got;
        size -= got;
    }
    return E_OK;
}

Err sock_write_all(int fd, const void *data, u64 size, u32 ms)
{
    const u8 *from = data;
    i64 end = now_ticks() + (i64)ms * 1000000;
    while (size) {
        u64 put;
        Err err = sock_write(fd, from, size, &put);
        if (!err && put == 0) err = wait_ready(fd, POLLOUT, end);
        if (err) return err;
        from += put;
        size -= put;
    }
    return E_OK;
}

void sock_close(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

void sock_end(int fd)
{
    if (shutdown(fd, SHUT_RDWR) != 0) return; /* it has ended already */
}
