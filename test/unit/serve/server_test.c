/*
 * server: listening, running out of descriptors, closing.
 */
#include "kit.h"

#include <sys/resource.h>

static void port_that_is_taken(void **state)
{
    (void)state;
    Kit k;
    Server *second = NULL;
    kit_open(&k, (ServerOptions){0});
    ServerOptions o = {.host = "127.0.0.1", .port = k.port};
    assert_int_equal(server_open(&second, k.loop, &o), E_BUSY);
    assert_null(second);
    kit_close(&k);
    server_close(NULL);
}

static void closes_what_is_open(void **state)
{
    (void)state;
    Kit k;
    kit_open(&k, (ServerOptions){0});
    int q = kit_q(&k), silent = kit_connect(&k), half = kit_connect(&k);
    kit_send(&k, half, "GET /ba", 7);
    kit_turn(&k, 5);
    server_close(k.server);
    u8 byte;
    assert_int_equal(kit_receive(&k, q, &byte, 1), E_CLOSED);
    assert_int_equal(kit_receive(&k, silent, &byte, 1), E_CLOSED);
    assert_int_equal(kit_receive(&k, half, &byte, 1), E_CLOSED);
    assert_int_equal(kit_state.closed, 1); /* q connections are told of */
    loop_free(k.loop);
    sock_close(&q);
    sock_close(&silent);
    sock_close(&half);
}

/* Out of descriptors the server sleeps and tries again, instead of turning on the spot. */
static void out_of_descriptors(void **state)
{
    enum { COUNT = 40, LIMIT = 64 };

    (void)state;
    Kit k;
    struct rlimit before, few;
    int fd[COUNT];
    u32 opened = 0, turns = 0;
    kit_open(&k, (ServerOptions){0});
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = MIN(before.rlim_cur, LIMIT);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (opened = 0; opened < COUNT; opened++)
        if (sock_connect("127.0.0.1", k.port, 1000, &fd[opened]) != E_OK) break;
    i64 end = now_mono() + 300000000;
    for (; now_mono() < end; turns++)
        loop_turn(k.loop, 50);
    assert_true(turns < 200);
    assert_true(server_counts(k.server)->accepted < opened);
    for (u32 i = 0; i < opened / 2; i++)
        sock_close(&fd[i]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    end = now_mono() + KIT_WAIT_MS * 1000000ll;
    while (server_counts(k.server)->accepted < opened && now_mono() < end)
        loop_turn(k.loop, 50);
    assert_int_equal(server_counts(k.server)->accepted, opened); /* who waited is let in */
    for (u32 i = opened / 2; i < opened; i++)
        sock_close(&fd[i]);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(port_that_is_taken),
        cmocka_unit_test(closes_what_is_open),
        cmocka_unit_test(out_of_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
