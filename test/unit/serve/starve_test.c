/* serve: no memory at any point of a connection: the call fails or the connection is closed, and
 * the next one is served. */
#include "support/starve.h"

#include "kit.h"

#define TEXT_SIZE 100000 /* more than buffers have at first */

static Buf ipc, http;

static int prepare(void **state)
{
    (void)state;
    static char text[TEXT_SIZE];
    memset(text, 'x', sizeof text);
    if (buf_append(&ipc, "me:secret\x03", 11) != E_OK) return 1;
    kit_message(&ipc, WIRE_SYNC, "echo", value_string((Str){text, sizeof text}));
    Err err = buf_format(&http,
                         "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                         "Content-Length: %d\r\n\r\n",
                         TEXT_SIZE);
    if (err == E_OK) err = buf_append(&http, text, sizeof text);
    return err != E_OK;
}

static int finish(void **state)
{
    (void)state;
    buf_free(&ipc);
    buf_free(&http);
    return 0;
}

/* Whether a q client has its answer: a capability, then a message. */
static bool is_whole(const u8 *answer, u64 got)
{
    return got > 1 + WIRE_HEADER && answer[1] == 1 && got >= 1 + load_u32(answer + 5);
}

/* Sends a request and counts what comes until it is whole or the server closes. */
static u64 talk(Kit *k, const Buf *request)
{
    static u8 answer[2 * TEXT_SIZE];
    u64 sent = 0, got = 0;
    i64 end = now_mono() + KIT_WAIT_MS * 1000000ll;
    int fd = kit_connect(k);
    for (Err err = E_OK; err == E_OK && !is_whole(answer, got);) {
        u64 put = 0, more = 0;
        if (sent < request->size)
            (void)!sock_write(fd, request->data + sent, request->size - sent, &put);
        sent += put;
        err = sock_read(fd, answer + got, sizeof answer - got, &more);
        got += more;
        if (put == 0 && more == 0) loop_turn(k->loop, 1);
        ASSERT(now_mono() < end);
    }
    sock_close(&fd);
    return got;
}

/* An answer that is not whole is one that failed, in words or by closing. */
static Err serve(void *arg)
{
    Kit k;
    const Buf *request = arg;
    starve_stop();
    kit_open(&k, (ServerOptions){0});
    starve_start();
    u64 got = talk(&k, request);
    starve_stop();
    kit_turn(&k, 3);
    int fd = kit_q(&k);
    ASSERT(kit_call_long(&k, fd, "echo", 7) == 7);
    sock_close(&fd);
    kit_close(&k);
    return got < TEXT_SIZE ? fail(E_MEMORY, "%llu bytes came", (unsigned long long)got) : E_OK;
}

static void the_next_connection_is_served(void **state)
{
    (void)state;
    assert_true(starve_each("q connection", serve, &ipc, 1).refused > 3);
    assert_true(starve_each("HTTP connection", serve, &http, 1).refused > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_next_connection_is_served)};
    return cmocka_run_group_tests_name("serve/starve", tests, prepare, finish);
}
