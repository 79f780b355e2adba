/*
 * pub, get: the commands against a server that stands in for manager and reader, which can be made
 * to die, to refuse and to stay silent. What it has taken is kept in memory that outlives it, as
 * the stream does.
 */
#include "tool_kit.h"

#include "cmd/get.h"
#include "cmd/pub.h"
#include "os/loop.h"
#include "os/now.h"
#include "serve/server.h"

#include <signal.h>
#include <sys/mman.h>

#define ROWS_MAX 20000

/* What outlives the server. */
typedef struct {
    u16 port;
    u64 session, sequence;
    u32 messages, fresh, duplicates, starts; /* fresh: messages that were no duplicates */
    u32 seen[ROWS_MAX];                      /* how often each row was taken */
    u64 order[ROWS_MAX];
    u64 taken;
    /* what it is to do */
    u32 die_before,
        die_after;  /* at every n-th fresh message: without and with having taken it; 0 = never */
    u32 busy_every; /* refuse every n-th message for now */
    u32 type_at;    /* refuse the n-th message for good */
    u32 stop_at;    /* the n-th message: stop and never come back */
    bool header_error;
} World;

static World *world;
static int supervisor;

/* ---- the server */

static void on_tables(void *ctx, Call *call)
{
    static Str names[] = {{"time", 4}, {"n", 1}, {"sym", 3}},
               types[] = {{"timestamp", 9}, {"long", 4}, {"symbol", 6}};
    Arena *a = &call->arena;
    (void)ctx;
    Value columns = value_table(a, 2), about = value_dict(a, 2), all = value_dict(a, 1);
    columns.as.table.names[0] = STR("name");
    columns.as.table.names[1] = STR("type");
    columns.as.table.cols[0] = value_vec(vec_of(QT_SYMBOL, names, 3));
    columns.as.table.cols[1] = value_vec(vec_of(QT_SYMBOL, types, 3));
    value_put(&about, "prtnCol", value_symbol("time"));
    value_put(&about, "columns", columns);
    value_put(&all, "trade", about);
    call_value(call, &all);
}

/* Takes the rows of a message: its second column are their numbers. */
static u64 take(const Value *rows)
{
    Value numbers = value_at(rows, 1);
    u64 count = value_count(&numbers);
    for (u64 i = 0; i < count; i++) {
        Value n = value_at(&numbers, i);
        if (n.as.i >= 0 && n.as.i < ROWS_MAX) world->seen[n.as.i]++;
        if (world->taken < ROWS_MAX) world->order[world->taken++] = (u64)n.as.i;
    }
    return count;
}

static bool is_nth(u32 every, u32 count) { return every > 0 && count % every == 0; }

static void on_upd(void *ctx, Call *call)
{
    Value args[5];
    (void)ctx;
    world->messages++;
    for (u32 i = 0; i < 5; i++)
        if (wire_decode(call->arg_at[i], call->args[i].size, &call->arena, &args[i]) != E_OK)
            _exit(3);
    u64 session = (u64)args[3].as.i, sequence = (u64)args[4].as.i, rows = 0;
    bool duplicate = session == world->session && sequence <= world->sequence;
    world->fresh += !duplicate;
    if (world->messages == world->stop_at) _exit(9);
    if (!duplicate && is_nth(world->die_before, world->fresh)) _exit(0);
    if (is_nth(world->busy_every, world->messages)) {
        call_fail(call, fail_at(E_BUSY, __FILE__, __LINE__, "the log is full just now"));
        return;
    }
    if (world->messages == world->type_at) {
        call_fail(call, fail_at(E_TYPE, __FILE__, __LINE__, "these rows never"));
        return;
    }
    if (duplicate) {
        Value first = value_at(&args[1], 0);
        rows = value_count(&first);
        world->duplicates++;
    } else {
        rows = take(&args[1]);
        world->session = session;
        world->sequence = sequence;
    }
    if (!duplicate && is_nth(world->die_after, world->fresh)) _exit(0);
    Value v = value_dict(&call->arena, 4);
    value_put(&v, "rows", value_long((i64)rows));
    value_put(&v, "position", value_long(100 * (i64)world->messages));
    value_put(&v, "quarantined", value_long(0));
    value_put(&v, "duplicate", value_bool(duplicate));
    call_value(call, &v);
}

/* getData gives back the limit that was asked for as a table of one row, or an error's header. */
static void on_get(void *ctx, Call *call)
{
    Value args, h = value_dict(&call->arena, 3), pair = value_list(&call->arena, 2),
                t = value_table(&call->arena, 2);
    i64 *limit = arena_new(&call->arena, i64);
    Str *table = arena_new(&call->arena, Str);
    (void)ctx;
    if (wire_decode(call->arg_at[0], call->args[0].size, &call->arena, &args) != E_OK) _exit(3);
    const Value *name = value_get(&args, "table"), *wanted = value_get(&args, "limit");
    bool known = name != NULL && value_text(name, table) && !str_is(*table, "nosuch");
    if (wanted != NULL && !value_int_of(wanted, limit)) known = false;
    value_put(&h, "rc", value_atom(QT_SHORT, known ? 0 : 56));
    value_put(&h, "ac",
              value_atom(QT_SHORT, known                      ? 0
                                   : str_is(*table, "nosuch") ? 27
                                                              : 100 + E_TYPE));
    value_put(&h, "ai", value_string(known ? STR("") : STR("told in the header")));
    t.as.table.names[0] = STR("table");
    t.as.table.names[1] = STR("limit");
    t.as.table.cols[0] = value_vec(vec_of(QT_SYMBOL, table, 1));
    t.as.table.cols[1] = value_vec(vec_of(QT_LONG, limit, 1));
    vec_value(&pair.as.vec)[0] = h;
    vec_value(&pair.as.vec)[1] = known ? t : value_null();
    call_value(call, &pair);
}

static void serve(void)
{
    static const ApiEntry entries[] = {{".silt.tables", NULL, NULL, on_tables, "tables"},
                                       {".silt.upd", NULL, NULL, on_upd, "rows"},
                                       {".kxi.getData", NULL, NULL, on_get, "answers"},
                                       {0}};
    Loop *loop = NULL;
    Server *server = NULL;
    ServerOptions o = {.host = "127.0.0.1", .port = world->port};
    api_add(entries, NULL);
    if (loop_make(&loop) != E_OK || server_open(&server, loop, &o) != E_OK) _exit(8);
    world->port = server_port(server);
    __atomic_add_fetch(&world->starts, 1, __ATOMIC_SEQ_CST);
    loop_run(loop);
    _exit(0);
}

/* Starts the server again and again until it ends with 9. */
static void start(void)
{
    memset(world, 0, sizeof *world);
    fflush(NULL);
    supervisor = fork();
    assert_true(supervisor >= 0);
    if (supervisor == 0) {
        int status = 0;
        if (setpgid(0, 0) != 0) _exit(1); /* so that all of them can be ended together */
        do {
            int pid = fork();
            if (pid == 0) serve();
            if (pid < 0 || waitpid(pid, &status, 0) != pid) _exit(1);
            now_sleep_ms(20);
        } while (!WIFEXITED(status) || WEXITSTATUS(status) != 9);
        _exit(0);
    }
    for (int i = 0; i < 5000 && __atomic_load_n(&world->starts, __ATOMIC_SEQ_CST) == 0; i++)
        now_sleep_ms(1);
    assert_true(world->starts > 0);
}

static void stop(void)
{
    int status = 0;
    kill(-supervisor, SIGKILL);
    assert_int_equal(waitpid(supervisor, &status, 0), supervisor);
}

static const char *port_text(void)
{
    static char text[16];
    snprintf(text, sizeof text, "%u", world->port);
    return text;
}

/* `count` rows as CSV or JSON lines. */
static void rows_text(Buf *b, u32 count, bool json)
{
    if (!json) TOOL_OK(buf_text(b, "sym,n,time\n"));
    for (u32 i = 0; i < count; i++)
        TOOL_OK(
            json ? buf_format(b, "{\"time\":\"2024-01-01T00:00:00\",\"n\":%u,\"sym\":\"s\"}\n", i)
                 : buf_format(b, "s,%u,2024.01.01D00:00:00\n", i));
}

static void each_row_once(u32 count)
{
    for (u32 i = 0; i < count; i++)
        assert_int_equal(world->seen[i], 1);
    assert_int_equal(world->seen[count], 0);
}

static bool says(const Buf *b, const char *text)
{
    return b->size > 0 && memmem(b->data, b->size, text, strlen(text)) != NULL;
}

/* ---- publishing */

static void publishes_csv_and_json(void **state)
{
    (void)state;
    for (int json = 0; json < 2; json++) {
        Buf b = {0};
        start();
        rows_text(&b, 1050, json == 1);
        ToolRun r = TOOL_RUN(pub_main, buf_str(&b), "trade", "--batch", "100", "--format",
                             json ? "json" : "csv", "--sm-port", port_text());
        if (r.status != 0) fputs(buf_str(&r.err), stderr);
        assert_int_equal(r.status, 0);
        assert_string_equal(buf_str(&r.out), "rows 1050 position 1100\n");
        assert_int_equal(r.err.size, 0); /* no progress where there is no terminal */
        each_row_once(1050);
        for (u64 i = 0; i < 1050; i++)
            assert_int_equal(world->order[i], i);
        tool_run_free(&r);
        buf_free(&b);
        stop();
    }
}

/* The server dies at every few messages, before or after it has taken one. */
static void each_row_is_taken_once_whatever_dies(void **state)
{
    static const u32 cases[][2] = {{5, 0}, {0, 5}, {9, 7}};
    (void)state;
    for (u32 i = 0; i < COUNT_OF(cases); i++) {
        Buf b = {0};
        start();
        world->die_before = cases[i][0];
        world->die_after = cases[i][1];
        rows_text(&b, 500, false);
        ToolRun r = TOOL_RUN(pub_main, buf_str(&b), "trade", "--batch", "20", "--window", "4",
                             "--sm-port", port_text());
        if (r.status != 0) fputs(buf_str(&r.err), stderr);
        assert_int_equal(r.status, 0);
        assert_true(says(&r.out, "rows 500 position "));
        assert_true(world->starts > 1);
        if (cases[i][1] > 0) assert_true(says(&r.out, " duplicates "));
        each_row_once(500);
        tool_run_free(&r);
        buf_free(&b);
        stop();
    }
}

static void refused_for_now_is_sent_later(void **state)
{
    (void)state;
    Buf b = {0};
    start();
    world->busy_every = 6;
    rows_text(&b, 300, false);
    ToolRun r = TOOL_RUN(pub_main, buf_str(&b), "trade", "--batch", "20", "--window", "4",
                         "--sm-port", port_text());
    assert_int_equal(r.status, 0);
    assert_true(says(&r.out, "rows 300 position "));
    assert_int_equal(world->duplicates, 0); /* a spent number is not used again */
    each_row_once(300);
    tool_run_free(&r);
    buf_free(&b);
    stop();
}

static void refused_for_good_ends_it(void **state)
{
    (void)state;
    Buf b = {0};
    start();
    world->type_at = 3;
    rows_text(&b, 200, false);
    ToolRun r = TOOL_RUN(pub_main, buf_str(&b), "trade", "--batch", "10", "--window", "1",
                         "--sm-port", port_text());
    assert_int_equal(r.status, 2);
    assert_true(says(&r.out, "rows 20 position "));
    assert_true(says(&r.err, "these rows never"));
    tool_run_free(&r);
    buf_free(&b);
    stop();
}

static void gives_up_in_time(void **state)
{
    (void)state;
    Buf b = {0};
    start();
    world->stop_at = 4;
    rows_text(&b, 200, false);
    i64 began = now_mono();
    ToolRun r = TOOL_RUN(pub_main, buf_str(&b), "trade", "--batch", "10", "--retry", "1",
                         "--sm-port", port_text());
    assert_int_equal(r.status, 5);
    assert_true(says(&r.err, "given up after 1 seconds"));
    assert_in_range(now_mono() - began, 900000000, 20000000000);
    tool_run_free(&r);
    buf_free(&b);
    stop();
}

/* Rows before a bad one are acknowledged, the line is named. */
static void bad_rows_end_the_input(void **state)
{
    static const struct {
        const char *format, *text, *rows, *says;
    } all[] = {
        {"csv", "sym,n,time\na,0,2024.01.01\nb,1,2024.01.01\nc,x,2024.01.01\nd,3,2024.01.01\n",
         "rows 2 ", "line 4"},
        {"csv", "sym,n\na,0\n", "rows 0 ", "line 1"},
        {"csv", "", "rows 0 ", "no header"},
        {"csv", "sym,n,time\n\"a,0,2024.01.01\n", "rows 0 ", "line 2"},
        {"json", "[{\"n\":0,\"sym\":\"a\"},\n {\"n\":1},\n {\"n\":\"x\"}]", "rows 2 ",
         "object at line 3"},
        {"json", "[{\"n\":0} {\"n\":1}]", "rows 1 ", "line 1: \"{\" where a comma"},
        {"json", "[{\"n\":0},]", "rows 1 ", "line 1: \"]\" where an object"},
        {"json", "[{\"n\":0}", "rows 1 ", "line 1: the array does not end"},
        {"json", "{\"n\":0}\n{\"n\":1", "rows 1 ", "begins in line 2"},
        {"json", "[]x", "rows 0 ", "where nothing more"},
        {"json", "7", "rows 0 ", "where an object"},
        {"json", "{\"n\":0,\"nosuch\":1}", "rows 0 ", "object at line 1"},
    };

    (void)state;
    start();
    for (u32 i = 0; i < COUNT_OF(all); i++) {
        ToolRun r = TOOL_RUN(pub_main, all[i].text, "trade", "--format", all[i].format, "--sm-port",
                             port_text());
        if (r.status != 2 || !says(&r.out, all[i].rows) || !says(&r.err, all[i].says))
            fail_msg("case %u: %d %s%s", i, r.status, buf_str(&r.out), buf_str(&r.err));
        tool_run_free(&r);
    }
    stop();
}

static void odd_but_good_input(void **state)
{
    static const struct {
        const char *format, *text, *rows;
    } all[] = {
        {"csv", "sym,n,time\n", "rows 0 "},
        {"csv", "\xef\xbb\xbftime,n,sym\r\n2024.01.01,5,\"a \"\"b\"\", \nc\"\r\n,,", "rows 2 "},
        {"json", "", "rows 0 "},
        {"json", " [ ] ", "rows 0 "},
        {"json", "{\"n\":[1,2,3],\"sym\":[\"a\",\"b\",\"c\"]}", "rows 3 "},
        {"json", "{\"n\":1}{\"n\":2}\n\n\t{\"sym\":\"}{[\\\"\",\n\"n\":3}", "rows 3 "},
    };

    (void)state;
    start();
    for (u32 i = 0; i < COUNT_OF(all); i++) {
        ToolRun r = TOOL_RUN(pub_main, all[i].text, "trade", "--format", all[i].format, "--sm-port",
                             port_text());
        if (r.status != 0 || !says(&r.out, all[i].rows))
            fail_msg("case %u: %d %s%s", i, r.status, buf_str(&r.out), buf_str(&r.err));
        tool_run_free(&r);
    }
    stop();
}

static void pub_usage(void **state)
{
    (void)state;
    start();
    ToolRun r = TOOL_RUN(pub_main, "", "nosuch", "--sm-port", port_text());
    assert_int_equal(r.status, 3);
    assert_int_equal(r.out.size, 0);
    tool_run_free(&r);
    const char *const bad[][3] = {{"trade", "--batch", "0"},
                                  {"trade", "--window", "x"},
                                  {"trade", "--format", "xml"},
                                  {"a b", "--batch", "1"},
                                  {"a", "b", "c"}};
    for (u32 i = 0; i < COUNT_OF(bad); i++) {
        r = TOOL_RUN(pub_main, "", bad[i][0], bad[i][1], bad[i][2]);
        assert_int_equal(r.status, 2);
        tool_run_free(&r);
    }
    stop();
    r = TOOL_RUN(pub_main, "", "trade", "--sm-port", "1");
    assert_int_equal(r.status, 5); /* nobody there: at once */
    tool_run_free(&r);
}

/* ---- asking */

static void gets_in_three_forms(void **state)
{
    static const char *const wanted[][2] = {{"table", "table  limit\ntrade      3\n"},
                                            {"csv", "table,limit\ntrade,3\n"},
                                            {"json", "[{\"table\":\"trade\",\"limit\":3}]\n"}};
    char file[300], folder[256], at_file[310];
    (void)state;
    start();
    tool_folder(folder);
    snprintf(file, sizeof file, "%s/request.json", folder);
    snprintf(at_file, sizeof at_file, "@%s", file);
    static const char request[] = "{\"table\":\"trade\",\"limit\":3}";
    tool_write(file, request, sizeof request - 1);
    for (u32 i = 0; i < COUNT_OF(wanted); i++) {
        const char *const from[] = {request, at_file, "-"};
        for (u32 k = 0; k < COUNT_OF(from); k++) {
            ToolRun r = TOOL_RUN(get_main, request, from[k], "--format", wanted[i][0], "--da-port",
                                 port_text());
            assert_int_equal(r.status, 0);
            assert_string_equal(buf_str(&r.out), wanted[i][1]);
            tool_run_free(&r);
        }
    }
    TOOL_OK(dir_remove_all(folder));
    stop();
}

static void headers_tell_errors(void **state)
{
    (void)state;
    start();
    ToolRun r = TOOL_RUN(get_main, NULL, "{\"table\":\"nosuch\"}", "--da-port", port_text());
    assert_int_equal(r.status, 3);
    assert_int_equal(r.out.size, 0);
    assert_string_equal(buf_str(&r.err), "silt: told in the header\n");
    tool_run_free(&r);
    r = TOOL_RUN(get_main, NULL, "{\"table\":\"trade\",\"limit\":\"x\"}", "--da-port", port_text());
    assert_int_equal(r.status, 2);
    tool_run_free(&r);
    static const char *const bad[] = {"{", "[1]", "7", "@/nosuch/file"};
    static const int status[] = {2, 2, 2, 3};
    for (u32 i = 0; i < COUNT_OF(bad); i++) {
        r = TOOL_RUN(get_main, NULL, bad[i], "--da-port", port_text());
        assert_int_equal(r.status, status[i]);
        tool_run_free(&r);
    }
    r = TOOL_RUN(get_main, NULL, "{}", "--format", "xml");
    assert_int_equal(r.status, 2);
    tool_run_free(&r);
    stop();
    r = TOOL_RUN(get_main, NULL, "{}", "--da-port", "1");
    assert_int_equal(r.status, 5);
    tool_run_free(&r);
}

static int setup(void **state)
{
    (void)state;
    world = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return world == MAP_FAILED ? 1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(publishes_csv_and_json),
        cmocka_unit_test(each_row_is_taken_once_whatever_dies),
        cmocka_unit_test(refused_for_now_is_sent_later),
        cmocka_unit_test(refused_for_good_ends_it),
        cmocka_unit_test(gives_up_in_time),
        cmocka_unit_test(bad_rows_end_the_input),
        cmocka_unit_test(odd_but_good_input),
        cmocka_unit_test(pub_usage),
        cmocka_unit_test(gets_in_three_forms),
        cmocka_unit_test(headers_tell_errors),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
