/*
 * sock: addresses, connecting, reading and writing without and with waiting, peers that go
 * away. */
#include "os/now.h"
#include "os/sock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A connected pair: *client and *server. */
static void make_pair(int *client, int *server)
{
    int listener;
    u16 port;
    bool local;
    assert_int_equal(sock_listen(NULL, 0, &listener, &port), E_OK);
    assert_int_not_equal(port, 0);
    assert_int_equal(sock_accept(listener, server, &local), E_OK);
    assert_int_equal(*server, -1);
    assert_int_equal(sock_connect("127.0.0.1", port, 1000, client), E_OK);
    for (int i = 0; i < 1000 && *server < 0; i++) {
        assert_int_equal(sock_accept(listener, server, &local), E_OK);
        if (*server < 0) now_sleep_ms(1);
    }
    assert_int_not_equal(*server, -1);
    assert_true(local);
    assert_true(fcntl(*server, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(*client, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(*server, F_GETFD) & FD_CLOEXEC);
    sock_close(&listener);
    assert_int_equal(listener, -1);
    sock_close(&listener);
}

static void bytes_pass_both_ways(void **state)
{
    (void)state;
    int a, b;
    char text[16] = {0};
    u64 n;
    make_pair(&a, &b);
    assert_int_equal(sock_read(a, text, sizeof text, &n), E_OK);
    assert_int_equal(n, 0);
    assert_int_equal(sock_write_all(a, "hello", 5, 1000), E_OK);
    assert_int_equal(sock_read_all(b, text, 2, 1000), E_OK);
    assert_string_equal(text, "he");
    assert_int_equal(sock_peek(b, text, sizeof text, &n), E_OK);
    assert_int_equal(n, 3);
    assert_int_equal(sock_read(b, text, sizeof text, &n), E_OK);
    assert_int_equal(n, 3);
    assert_memory_equal(text, "llo", 3);
    assert_int_equal(sock_write(b, "x", 0, &n), E_OK);
    assert_int_equal(sock_read(b, text, 0, &n), E_OK);
    assert_int_equal(sock_write_all(b, "back", 4, 1000), E_OK);
    assert_int_equal(sock_read_all(a, text, 4, 1000), E_OK);
    assert_memory_equal(text, "back", 4);
    sock_close(&a);
    sock_close(&b);
}

static void a_peer_that_goes_is_noticed(void **state)
{
    (void)state;
    int a, b;
    char text[16];
    u64 n;
    make_pair(&a, &b);
    assert_int_equal(sock_write_all(a, "end", 3, 1000), E_OK);
    sock_close(&a);
    assert_int_equal(sock_read_all(b, text, 3, 1000), E_OK);
    assert_int_equal(sock_read_all(b, text, 1, 1000), E_CLOSED);
    assert_int_equal(sock_read(b, text, 1, &n), E_CLOSED);
    assert_int_equal(sock_peek(b, text, 1, &n), E_CLOSED);
    Err err = E_OK;
    for (int i = 0; i < 1000 && !err; i++) {
        err = sock_write(b, "x", 1, &n); /* no SIGPIPE */
        now_sleep_ms(1);
    }
    assert_int_equal(err, E_CLOSED);
    sock_close(&b);
}

static void waiting_has_a_limit(void **state)
{
    (void)state;
    static char block[1 << 20];
    int a, b;
    u64 n, put = 0;
    make_pair(&a, &b);
    i64 from = now_ticks();
    assert_int_equal(sock_read_all(a, block, 1, 30), E_TIMEOUT);
    assert_in_range(now_ticks() - from, 29000000, 3000000000);
    do {
        assert_int_equal(sock_write(a, block, sizeof block, &n), E_OK);
        put += n;
    } while (n);
    assert_true(put > 0);
    assert_int_equal(sock_write_all(a, block, sizeof block, 30), E_TIMEOUT);
    sock_close(&a);
    sock_close(&b);
}

static void refusals_and_taken_ports(void **state)
{
    (void)state;
    int a, b;
    u16 port, other;
    assert_int_equal(sock_listen("127.0.0.1", 0, &a, &port), E_OK);
    assert_int_equal(sock_listen("127.0.0.1", port, &b, &other), E_BUSY);
    assert_int_equal(b, -1);
    sock_close(&a);
    assert_int_equal(sock_connect("127.0.0.1", port, 1000, &b), E_CLOSED);
    assert_int_equal(b, -1);
    assert_int_equal(sock_connect("no.such.host.invalid", port, 1000, &b), E_NOT_FOUND);
    assert_int_equal(sock_listen("no.such.host.invalid", 0, &b, &other), E_NOT_FOUND);
    assert_int_equal(sock_listen("127.0.0.1", port, &a, &other), E_OK);
    assert_int_equal(other, port);
    sock_close(&a);
}

static void unix_sockets_by_path(void **state)
{
    (void)state;
    char folder[128], path[160], longest[300];
    const char *base = getenv("TMPDIR");
    int listener, other, a, b;
    u16 port;
    bool local;
    snprintf(folder, sizeof folder, "%s/silt-sock-XXXXXX",
             base && strlen(base) < 60 ? base : "/tmp");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s", folder);
    assert_int_equal(sock_connect(path, 0, 100, &a), E_CLOSED);
    assert_int_equal(sock_listen(path, 0, &listener, &port), E_OK);
    assert_int_equal(sock_listen(path, 0, &other, &port), E_BUSY);
    assert_int_equal(sock_connect(path, 0, 1000, &a), E_OK);
    /* The probe of the second listener came first, and is gone. */
    assert_int_equal(sock_accept(listener, &b, &local), E_OK);
    sock_close(&b);
    assert_int_equal(sock_accept(listener, &b, &local), E_OK);
    assert_int_not_equal(b, -1);
    assert_true(local);
    sock_close(&listener);
    assert_int_equal(sock_listen(path, 0, &listener, &port), E_OK); /* over the stale name */
    sock_close(&listener);
    sock_close(&a);
    sock_close(&b);
    memset(longest, '/', sizeof longest);
    longest[sizeof longest - 1] = 0;
    assert_int_equal(sock_listen(longest, 0, &listener, &port), E_LIMIT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void addresses_are_split(void **state)
{
    (void)state;

    static const struct {
        const char *text, *host;
        u16 port;
    } good[] = {
        {"5010", "127.0.0.1", 5010},
        {":5010", "127.0.0.1", 5010},
        {"::5010", "127.0.0.1", 5010},
        {"h:1", "h", 1},
        {":h:65535", "h", 65535},
        {"[::1]:80", "::1", 80},
        {"example.com:0", "example.com", 0},
        {"/run/x.sock", "/run/x.sock", 0},
    };

    static const char *const bad[] = {"",     ":",    "h:",   "h",    "h:65536",
                                      "h:-1", "h:+1", "h:1x", "h: 1", "99999999999999999999"};
    char host[64];
    u16 port;
    for (u64 i = 0; i < COUNT_OF(good); i++) {
        assert_int_equal(sock_address(good[i].text, host, sizeof host, &port), E_OK);
        assert_string_equal(host, good[i].host);
        assert_int_equal(port, good[i].port);
    }
    for (u64 i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(sock_address(bad[i], host, sizeof host, &port), E_USAGE);
    assert_int_equal(sock_address("1234:1", host, 4, &port), E_USAGE);
    assert_int_equal(sock_address("123:1", host, 4, &port), E_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_pass_both_ways), cmocka_unit_test(a_peer_that_goes_is_noticed),
        cmocka_unit_test(waiting_has_a_limit),  cmocka_unit_test(refusals_and_taken_ports),
        cmocka_unit_test(unix_sockets_by_path), cmocka_unit_test(addresses_are_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
