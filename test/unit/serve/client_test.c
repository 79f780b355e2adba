/*
 * client: a blocking client against a server in a process of its own, and against sockets that
 * behave badly.
 */
#include "kit.h"

#include "os/proc.h"
#include "serve/client.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static u16 port;
static int server_pid;

/* Runs a server in a child until it is told to end. */
static int setup(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    server_pid = fork();
    assert_true(server_pid >= 0);
    if (server_pid == 0) {
        Kit k;
        kit_open(&k, (ServerOptions){0});
        (void)close(ends[0]);
        if (write(ends[1], &k.port, sizeof k.port) != sizeof k.port) _exit(1);
        loop_run(k.loop);
        _exit(0);
    }
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &port, sizeof port), sizeof port);
    (void)close(ends[0]);
    return 0;
}

static int teardown(void **state)
{
    int status = 0;
    (void)state;
    kill(server_pid, SIGKILL);
    return waitpid(server_pid, &status, 0) == server_pid ? 0 : 1;
}

static Value call_of(Arena *a, const char *name, Value argument)
{
    Value list = value_list(a, 2);
    vec_value(&list.as.vec)[0] = value_symbol(name);
    vec_value(&list.as.vec)[1] = argument;
    return list;
}

static void calls_and_errors(void **state)
{
    (void)state;
    Arena a = {0};
    Client c;
    Value v;
    assert_int_equal(client_open(&c, "127.0.0.1", port, KIT_WAIT_MS), E_OK);
    assert_int_equal(c.capability, 6);
    Value call = call_of(&a, "echo", value_long(12));
    assert_int_equal(client_call(&c, &call, &a, &v), E_OK);
    assert_int_equal(v.as.i, 12);
    call = call_of(&a, "bad", value_null());
    assert_int_equal(client_call(&c, &call, &a, &v), E_BUSY);
    assert_string_equal(fail_text(), "wait for the \"next\" one");
    call = call_of(&a, "nosuch", value_null());
    assert_int_equal(client_call(&c, &call, &a, &v), E_UNSUPPORTED);
    assert_true(c.fd >= 0); /* an error is an answer like any other */
    call = call_of(&a, "big", value_long(3 << 20));
    assert_int_equal(client_call(&c, &call, &a, &v), E_OK);
    assert_int_equal(value_count(&v), 3 << 20);
    client_close(&c);
    client_close(&c);
    assert_int_equal(client_call(&c, &call, &a, &v), E_CLOSED);
    arena_free(&a);
}

static void pipelines(void **state)
{
    (void)state;
    Arena a = {0};
    Client c;
    Value v;
    Buf b = {0};
    assert_int_equal(client_open(&c, "127.0.0.1", port, KIT_WAIT_MS), E_OK);
    for (i64 i = 0; i < 50; i++) {
        buf_clear(&b);
        kit_message(&b, WIRE_SYNC, "echo", value_long(i));
        assert_int_equal(client_send(&c, &b), E_OK);
    }
    for (i64 i = 0; i < 50; i++) {
        assert_int_equal(client_receive(&c, &a, &v), E_OK);
        assert_int_equal(v.as.i, i);
    }
    client_close(&c);
    buf_free(&b);
    arena_free(&a);
}

/* A socket that answers with given bytes and then does what it is told. */
static void answer_with(const void *bytes, u64 size, bool close_it, u32 timeout_ms, Err opened,
                        Err called)
{
    int listener = -1, pid = 0, status = 0;
    u16 at = 0;
    Arena a = {0};
    Client c;
    Value v;
    assert_int_equal(sock_listen("127.0.0.1", 0, &listener, &at), E_OK);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = -1;
        bool local = false;
        u8 hello[64];
        u64 got = 0;
        for (int i = 0; i < 2000 && fd < 0; i++) {
            if (sock_accept(listener, &fd, &local) != E_OK) _exit(1);
            now_sleep_ms(1);
        }
        while (got == 0)
            if (sock_read(fd, hello, sizeof hello, &got) != E_OK) _exit(1);
        if (sock_write_all(fd, bytes, size, 1000) != E_OK) _exit(1);
        if (!close_it) now_sleep_ms(20000);
        _exit(0);
    }
    assert_int_equal(client_open(&c, "127.0.0.1", at, timeout_ms), opened);
    if (opened == E_OK) {
        Value call = call_of(&a, "echo", value_long(1));
        assert_int_equal(client_call(&c, &call, &a, &v), called);
        assert_int_equal(c.fd, -1);
    }
    client_close(&c);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    sock_close(&listener);
    arena_free(&a);
}

static void bad_servers_give_errors(void **state)
{
    static const u8 huge[] = {3, 1, 2, 0, 0, 0xff, 0xff, 0xff, 0x7f};
    static const u8 garbage[] = {3, 1, 2, 0, 0, 12, 0, 0, 0, 7, 0, 0xff, 0xff};
    static const u8 cut[] = {3, 1, 2, 0, 0, 17, 0, 0, 0, 0xf9};
    (void)state;
    answer_with("", 0, true, 5000, E_DENIED, E_OK);
    answer_with("", 0, false, 50, E_TIMEOUT, E_OK);
    answer_with("\x03", 1, true, 5000, E_OK, E_CLOSED);
    answer_with("\x03", 1, false, 50, E_OK, E_TIMEOUT);
    answer_with(huge, sizeof huge, false, 5000, E_OK, E_LIMIT);
    answer_with(garbage, sizeof garbage, false, 5000, E_OK, E_CORRUPT);
    answer_with(cut, sizeof cut, true, 5000, E_OK, E_CLOSED);
}

static void nobody_listens(void **state)
{
    (void)state;
    int listener = -1;
    u16 at = 0;
    Client c;
    assert_int_equal(sock_listen("127.0.0.1", 0, &listener, &at), E_OK);
    sock_close(&listener);
    assert_int_equal(client_open(&c, "127.0.0.1", at, 1000), E_CLOSED);
    assert_int_equal(c.fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_and_errors),
        cmocka_unit_test(pipelines),
        cmocka_unit_test(bad_servers_give_errors),
        cmocka_unit_test(nobody_listens),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
