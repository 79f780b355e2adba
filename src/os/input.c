/*
 * input: standard input in pieces, as it comes. A pipe's reader must be able to say "nothing now",
 * so that what it has so far can be passed on; neither stdio nor a plain read can. Blocking, for
 * command line tools.
 */
#include "os/input.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

Err input_read(void *out, u64 size, i32 ms, u64 *got, bool *end)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    *got = 0;
    *end = false;
    int ready = poll(&p, 1, ms);
    if (ready == 0 || (ready < 0 && errno == EINTR)) return E_OK;
    if (ready < 0) return fail_errno(errno, "standard input");
    if ((p.revents & POLLNVAL) != 0) return fail(E_IO, "standard input is closed");
    ssize_t n = read(STDIN_FILENO, out, size);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return E_OK;
    if (n < 0) return fail_errno(errno, "standard input");
    *got = (u64)n;
    *end = n == 0;
    return E_OK;
}
