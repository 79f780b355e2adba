/*
 * visibility: from the acknowledgement of a row to an answer of a reader that has it.
 *
 * A manager, a reader, one connection to each. A row is published and acknowledged; then the reader
 * is asked for that row until an answer has it (mostly the first one does, as a query takes what
 * the stream has before it is planned). Beside it a byte goes round over loopback TCP. Then the
 * same with a second publisher that sends 1,000-row messages as fast as they are acknowledged.
 */
#include "kit/kit.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS 1000
#define NOISE  64

static KitSystem sys;
static const KitTable *const tables[] = {&kit_trade, &kit_quote};
static atomic_bool over;

/* A byte there and back between two threads. */
static void *echo(void *arg)
{
    int fd = *(int *)arg;
    char byte;
    while (read(fd, &byte, 1) == 1)
        if (write(fd, &byte, 1) != 1) break;
    return NULL;
}

static int listener(struct sockaddr_in *address)
{
    socklen_t size = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || bind(fd, (void *)address, size) != 0 || listen(fd, 1) != 0 ||
        getsockname(fd, (void *)address, &size) != 0)
        kit_die("no socket");
    return fd;
}

static void round_trips(f64 *ms)
{
    struct sockaddr_in address;
    pthread_t thread;
    int one = 1, l = listener(&address), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (void *)&address, sizeof address) != 0) kit_die("no connection");
    int other = accept(l, NULL, NULL);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(other, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (other < 0 || pthread_create(&thread, NULL, echo, &other) != 0) kit_die("no thread");
    for (u32 i = 0; i < ROUNDS; i++) {
        char byte = 1;
        f64 began = kit_now();
        if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1) kit_die("echo");
        ms[i] = 1000 * (kit_now() - began);
    }
    close(fd);
    pthread_join(thread, NULL);
    close(other);
    close(l);
}

/* Publishes quotes without end. */
static void *noise(void *unused)
{
    static Buf messages[NOISE];
    KitFeed feed;
    f64 took;
    (void)unused;
    kit_feed_open(&feed, 9, 500, (i64)KIT_DAY * 86400000000000ll, 1000);
    for (u32 i = 0; i < NOISE; i++)
        kit_message(&messages[i], &kit_quote, &feed, 1000);
    while (!atomic_load(&over))
        kit_pump(sys.sm_port, 1, 4, messages, NOISE, 0.2, &took);
    kit_feed_close(&feed);
    return NULL;
}

/* Counts the rows of trade with a size, which is the number of the round. */
static u64 seen(Client *c, i64 size, Arena *a)
{
    Value v = value_dict(a, 4), filter = value_list(a, 1), one = value_list(a, 3);
    Value agg = value_list(a, 1), triple = value_list(a, 3), *t = vec_value(&triple.as.vec);
    Value *f = vec_value(&one.as.vec);
    f[0] = value_symbol("=");
    f[1] = value_symbol("size");
    f[2] = value_long(size);
    vec_value(&filter.as.vec)[0] = one;
    t[0] = value_symbol("n");
    t[1] = value_symbol("count");
    t[2] = value_symbol("size");
    vec_value(&agg.as.vec)[0] = triple;
    value_put(&v, "table", value_symbol("trade"));
    value_put(&v, "filter", filter);
    value_put(&v, "agg", agg);
    Value answer = kit_call(c, ".kxi.getData", &v, a);
    const Value *pair = vec_value(&answer.as.vec);
    const Value *rc = value_get(&pair[0], "rc");
    if (rc == NULL || rc->as.i != 0) kit_die("the reader refuses");
    const Value *n = value_col(&pair[1], "n");
    return n == NULL || n->as.vec.count == 0 ? 0 : (u64)vec_i64(&n->as.vec)[0];
}

/* Publishes one row and waits until it is seen; ms from the acknowledgement. */
static f64 see(Client *sm, Client *da, i64 number, u32 *asked, Arena *a)
{
    Value request = value_list(a, 3), row = value_list(a, 6);
    Value *r = vec_value(&row.as.vec), *q = vec_value(&request.as.vec), answer;
    r[0] = value_timestamp((i64)KIT_DAY * 86400000000000ll + number * 1000);
    r[1] = value_symbol("S0001");
    r[2] = value_float(1);
    r[3] = value_long(number);
    r[4] = value_symbol("N");
    r[5] = value_atom(QT_CHAR, 'B');
    q[0] = value_symbol("upd");
    q[1] = value_symbol("trade");
    q[2] = row;
    KIT_OK(client_call(sm, &request, a, &answer));
    f64 began = kit_now();
    do {
        ++*asked;
        if (kit_now() - began > 10) kit_die("a row is not seen within 10 s");
    } while (seen(da, number, a) == 0);
    return 1000 * (kit_now() - began);
}

static void measure(const char *what, Client *sm, Client *da, i64 first, u32 rounds, f64 reference)
{
    static f64 ms[ROUNDS];
    Arena a = {0};
    char line[80];
    u32 asked = 0;
    for (u32 i = 0; i < rounds; i++) {
        arena_reset(&a);
        ms[i] = see(sm, da, first + i, &asked, &a);
    }
    snprintf(line, sizeof line, "%s, p50", what);
    f64 p50 = kit_percentile(ms, rounds, 0.5);
    kit_line(line, p50, "ms", "loopback p50", reference, p50 / reference);
    snprintf(line, sizeof line, "%s, p99", what);
    kit_line(line, kit_percentile(ms, rounds, 0.99), "ms", "", -1, 0);
    kit_note("  %u questions for %u rows", asked, rounds);
    arena_free(&a);
}

int main(void)
{
    static f64 trips[ROUNDS];
    Client sm, da;
    pthread_t thread;
    kit_title("visibility", "from acknowledgement to an answer that has the row");
    kit_system_make(&sys, tables, 2, "");
    kit_sm_start(&sys);
    kit_da_start(&sys);
    KIT_OK(client_open(&sm, "127.0.0.1", sys.sm_port, 60000));
    KIT_OK(client_open(&da, "127.0.0.1", sys.da_port, 60000));
    round_trips(trips);
    f64 reference = kit_percentile(trips, ROUNDS, 0.5);
    measure("quiet", &sm, &da, 1000000, ROUNDS, reference);
    if (pthread_create(&thread, NULL, noise, NULL) != 0) kit_die("no thread");
    measure("under full publishing", &sm, &da, 2000000, ROUNDS / 2, reference);
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    client_close(&sm);
    client_close(&da);
    kit_system_stop(&sys);
    return 0;
}
